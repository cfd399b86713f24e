//! The listener, which accepts connections.

mod accept;
mod activation;
mod addresses;
mod back_off;
mod calls;
pub(crate) mod imp;
mod incoming;
mod limits;
mod listening;
mod per_thread;
mod place;
mod sockets;
mod teller;
mod unix_path;

use std::{
    future::{Future, poll_fn},
    ops::RangeInclusive,
    path::Path,
    pin::Pin,
};

use futures_core::Stream;
use gio::{prelude::*, subclass::prelude::*};

use self::incoming::Incoming;
pub(crate) use self::{
    accept::Accept,
    back_off::{BackOff, next_wait},
    imp::Change,
    listening::Accepted,
};
pub use self::{
    activation::ActivatedSocket,
    per_thread::{PerThread, listen_per_thread},
    unix_path::UnixPathOptions,
};
use crate::{SocketConnection, operation::assert_owns_context, vfunc::fenced_handler};

glib::wrapper! {
    /// Listens on any number of sockets, and accepts the connections that come.
    ///
    /// Sockets are made for an address ([`add_address`](SocketListenerExt::add_address)) or a port
    /// ([`add_inet_port`](SocketListenerExt::add_inet_port),
    /// [`add_any_inet_port`](SocketListenerExt::add_any_inet_port),
    /// [`add_inet_port_in_range`](SocketListenerExt::add_inet_port_in_range)), or are there already
    /// ([`add_socket`](SocketListenerExt::add_socket)). Each may be added with a *source object*, which comes with each of
    /// its connections.
    ///
    /// A connection is accepted blocking ([`accept`](SocketListenerExt::accept)), with a [`gio::AsyncResult`]
    /// ([`accept_async`](SocketListenerExt::accept_async) and [`accept_finish`](SocketListenerExt::accept_finish)), by a
    /// future ([`accept_future`](SocketListenerExt::accept_future)), or comes in a stream
    /// ([`incoming`](SocketListenerExt::incoming)). Any number of these may be under way at once, on any number of
    /// threads: each gets one connection. They wait for sockets that are added meanwhile, too, and the sockets are served in
    /// turn. Nothing is taken from the kernel before somebody has asked for it and can be given it: what was cancelled or
    /// dropped leaves the connection in the queue.
    ///
    /// The type of a connection is that which is [registered](SocketConnection::factory_register_type) for its
    /// socket. TCP connections send what they are given at once (`TCP_NODELAY`), as GLib has it from 2.80.0 on.
    ///
    /// # Properties
    ///
    /// | name | type | default | |
    /// | --- | --- | --- | --- |
    /// | `listen-backlog` | `i32`, 0 to 2000 | 10 | how many connections the kernel keeps that nobody has accepted yet, for each socket |
    /// | `max-connections` | `u32` | 0: no limit | how many of its connections there may be at once; what comes beyond that waits in the kernel |
    /// | `max-connections-per-peer` | `u32` | 0: no limit | how many of them one computer may have, told by its IP address; what comes beyond that is reset |
    /// | `accept-rate` | `u32`, a second | 0: no limit | how many are accepted in a second; the rest waits in the kernel |
    /// | `accepted` | `u64`, read-only | 0 | how many connections were accepted |
    /// | `refused` | `u64`, read-only | 0 | how many were refused, be it as one too many of a peer or as another user's |
    /// | `active-connections` | `u32`, read-only | 0 | how many of the accepted ones are open |
    ///
    /// A connection is active until it is closed, or nobody has it or its socket any more. A [`gio::Socket`] that no
    /// connection is around is active until nobody has it, closed or not: nobody hears of that. The three that count are notified in the context that was thread-default where the listener was
    /// made, on that thread, at most ten times a second.
    ///
    /// # The signal `event`
    ///
    /// For each socket that the listener makes, on the thread that adds it and before that returns:
    /// [`Binding`](gio::SocketListenerEvent::Binding), [`Bound`](gio::SocketListenerEvent::Bound),
    /// [`Listening`](gio::SocketListenerEvent::Listening) and [`Listened`](gio::SocketListenerEvent::Listened), as far as it
    /// gets. In the first, options may be set that have to be there before a socket is bound.
    ///
    /// # Threads
    ///
    /// In C any thread may call any function of it at any time. The wrapper stays on one thread, as gio-rs' own.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketClient, SocketListener, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = SocketListener::new();
    /// let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    /// let any_port = gio::InetSocketAddress::new(&loopback, 0);
    /// let address = listener.add_address(
    ///     &any_port,
    ///     gio::SocketType::Stream,
    ///     gio::SocketProtocol::Default,
    ///     None::<&glib::Object>,
    /// )?;
    ///
    /// let client = SocketClient::new().connect(&address, gio::Cancellable::NONE)?;
    /// let (server, _) = listener.accept(gio::Cancellable::NONE)?;
    /// client.output_stream().write_all(b"Hello", gio::Cancellable::NONE)?;
    /// let hello = server.input_stream().read_bytes(5, gio::Cancellable::NONE)?;
    /// assert_eq!(&hello[..], b"Hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: LISTEN-1.
    #[doc(alias = "GsockSocketListener")]
    #[doc(alias = "GSocketListener")]
    pub struct SocketListener(ObjectSubclass<imp::SocketListener>);
}

// C calls from any thread; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::SocketListener>();
    state_is_shared::<Accepted>();
    const fn may_move<T: Send>() {}
    may_move::<Accept>();
};

/// What an accept gives: the connection, and what was said with the socket that it came by.
type Taken = (SocketConnection, Option<glib::Object>);
type TakenSocket = (gio::Socket, Option<glib::Object>);
type Accepting<T> = Pin<Box<dyn Future<Output = Result<T, glib::Error>> + 'static>>;

impl Default for SocketListener {
    fn default() -> Self {
        Self::new()
    }
}

impl SocketListener {
    /// No listener, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// A listener without sockets.
    #[doc(alias = "gsock_socket_listener_new")]
    #[doc(alias = "g_socket_listener_new")]
    #[must_use]
    pub fn new() -> Self {
        glib::Object::new()
    }
}

fn block(
    listener: &impl IsA<SocketListener>,
    cancellable: Option<&impl IsA<gio::Cancellable>>,
) -> Result<Accepted, glib::Error> {
    let cancellable = cancellable.map(AsRef::as_ref);
    listener.upcast_ref().imp().accept(cancellable).block()
}

fn future<T: 'static>(
    listener: &impl IsA<SocketListener>,
    make: impl FnOnce(Accepted) -> Result<T, glib::Error> + 'static,
) -> Accepting<T> {
    let listener: SocketListener = listener.upcast_ref().clone();
    Box::pin(async move {
        assert_owns_context();
        let mut accept = listener.imp().accept(None);
        make(poll_fn(|cx| accept.poll(cx)).await?)
    })
}

/// The methods of [`SocketListener`] and every type that derives from it.
pub trait SocketListenerExt: IsA<SocketListener> + 'static {
    /// Accepts from `socket`, too, which somebody else has bound and listens.
    ///
    /// It is closed with the listener; if that is dropped without having been closed, it stays open for as long as
    /// somebody has it. Whatever mode its descriptor was in, calls on it do not wait from now on, and what is accepted from
    /// it has `TCP_NODELAY`. Its timeout limits how long an accept waits.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `Failed` when `socket` is. One that does not listen is
    /// taken: it is accepting that fails then.
    ///
    /// # Main context
    ///
    /// None is iterated.
    ///
    /// GIO: LISTEN-11, LISTEN-12.
    #[doc(alias = "gsock_socket_listener_add_socket")]
    #[doc(alias = "g_socket_listener_add_socket")]
    fn add_socket(
        &self,
        socket: &impl IsA<gio::Socket>,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<(), glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        addresses::add_socket(self.upcast_ref(), socket.as_ref(), source_object)
    }

    /// Makes a socket, binds it to `address` and listens. Answers the address that it has got, which has a port where
    /// `address` left that open.
    ///
    /// An address whose last connections linger may be taken (`SO_REUSEADDR`). The file of a Unix address is made
    /// and stays; one that is there already is an error.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `AddressInUse`, `PermissionDenied`, `ConnectionRefused` for an
    /// address that this computer does not have, and whatever else bind(2) answers; `NotSupported` for a socket
    /// that cannot be made, or cannot listen; `InvalidArgument` for a type that there is not.
    ///
    /// # Main context
    ///
    /// None is iterated. The events are emitted here and now.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketListener, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = SocketListener::new();
    /// let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    /// let taken = listener.add_address(
    ///     &gio::InetSocketAddress::new(&loopback, 0),
    ///     gio::SocketType::Stream,
    ///     gio::SocketProtocol::Default,
    ///     glib::Object::NONE,
    /// )?;
    /// let taken = taken.downcast::<gio::InetSocketAddress>().expect("of the same family");
    /// assert_ne!(taken.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: LISTEN-7, LISTEN-8, LISTEN-9, LISTEN-10.
    #[doc(alias = "gsock_socket_listener_add_address")]
    #[doc(alias = "g_socket_listener_add_address")]
    fn add_address(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        type_: gio::SocketType,
        protocol: gio::SocketProtocol,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<gio::SocketAddress, glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        let listener = self.upcast_ref();
        addresses::add_address(listener, address.as_ref(), type_, protocol, source_object)
    }

    /// Listens on TCP port `port` of every address of this computer, of IPv6 and of IPv4.
    ///
    /// It is one socket where that of IPv6 takes IPv4 as well, otherwise there are two. Where a family is missing, or
    /// nothing can listen in it, the other one is enough.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `InvalidArgument` for port 0; `AddressInUse` when the
    /// port is taken in either family; `PermissionDenied`; that of IPv6 when neither family listens.
    ///
    /// # Main context
    ///
    /// As of [`add_address`](Self::add_address).
    ///
    /// GIO: LISTEN-14, LISTEN-15, LISTEN-16, LISTEN-17.
    #[doc(alias = "gsock_socket_listener_add_inet_port")]
    #[doc(alias = "g_socket_listener_add_inet_port")]
    fn add_inet_port(
        &self,
        port: u16,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<(), glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        addresses::add_inet_port(self.upcast_ref(), port, source_object)
    }

    /// Likewise on a TCP port that is free in both families. Answers which one it is.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; what bind(2) and listen(2) answer.
    ///
    /// # Main context
    ///
    /// As of [`add_address`](Self::add_address).
    ///
    /// GIO: LISTEN-18, LISTEN-19, LISTEN-20.
    #[doc(alias = "gsock_socket_listener_add_any_inet_port")]
    #[doc(alias = "g_socket_listener_add_any_inet_port")]
    fn add_any_inet_port(
        &self,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<u16, glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        addresses::add_any_inet_port(self.upcast_ref(), source_object)
    }

    /// Likewise on the first TCP port of `ports` that is free, as protocols want that look for a peer on a few ports. Answers which one
    /// it is.
    ///
    /// ```
    /// use gsock::{SocketListener, prelude::*};
    ///
    /// # fn main() -> Result<(), glib::Error> {
    /// let [first, second] = [SocketListener::new(), SocketListener::new()];
    /// let port = first.add_inet_port_in_range(20_000..=20_500, glib::Object::NONE)?;
    /// let next = second.add_inet_port_in_range(port..=20_600, glib::Object::NONE)?;
    /// assert!(next > port);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `InvalidArgument` for no ports, and for port 0; `AddressInUse` when
    /// all are taken, in either family; any other one of [`add_inet_port`](Self::add_inet_port) at the first port that has it.
    ///
    /// # Main context
    ///
    /// As of [`add_address`](Self::add_address): the events of each port that is tried.
    #[doc(alias = "gsock_socket_listener_add_inet_port_in_range")]
    fn add_inet_port_in_range(
        &self,
        ports: RangeInclusive<u16>,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<u16, glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        addresses::add_inet_port_in_range(self.upcast_ref(), ports, source_object)
    }

    /// Listens at a path, as a server should that may crash and be started again: see [`UnixPathOptions`].
    ///
    /// A socket that nobody listens on gives way; one that somebody does, or what is no socket, such as a symbolic link, never. Of
    /// several that start at once, in whichever process, one succeeds. The file has the mode that is asked for from the
    /// beginning, whatever the umask, and it is removed at the end if it is still the same one. While the listener lives,
    /// `PATH.lock` is locked (`flock(2)`), which is the sign to others; programs that do not know of it are asked by a
    /// `connect(2)`, which a live one sees as a connection that ends at once.
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketListener, UnixPathOptions, prelude::*};
    ///
    /// # fn main() -> Result<(), glib::Error> {
    /// # let path = std::env::temp_dir().join(format!("gsock-doc-{}", std::process::id()));
    /// let listener = SocketListener::new();
    /// let options = UnixPathOptions { same_user_only: true, ..Default::default() };
    /// listener.add_unix_path(&path, &options, None::<&glib::Object>)?;
    /// assert!(path.exists());
    /// listener.close();
    /// assert!(!path.exists());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `AddressInUse` when somebody listens there or is about to, or
    /// something else is there; `PermissionDenied` when it cannot be told; `FilenameTooLong`; `InvalidArgument` for what names no file, or a mode beyond
    /// 0o777; what the kernel answers of the folder, such as `NotFound`.
    ///
    /// # Main context
    ///
    /// As of [`add_address`](Self::add_address). It never waits for anybody.
    ///
    /// GIO: LISTEN-10.
    #[doc(alias = "gsock_socket_listener_add_unix_path")]
    fn add_unix_path(
        &self,
        path: impl AsRef<Path>,
        options: &UnixPathOptions,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<(), glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        unix_path::add_unix_path(self.upcast_ref(), path.as_ref(), *options, source_object)
    }

    /// Listens at a name that is in no folder, as Linux has them: bytes, without the NUL that the kernel has before them. There is no file, and
    /// no mode: any process of the network namespace may connect, but for `same_user_only`, as in [`UnixPathOptions`].
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `AddressInUse`; `InvalidArgument` for an empty name;
    /// `FilenameTooLong`; `NotSupported` where there are no such names.
    ///
    /// # Main context
    ///
    /// As of [`add_address`](Self::add_address).
    #[doc(alias = "gsock_socket_listener_add_unix_abstract")]
    fn add_unix_abstract(
        &self,
        name: impl AsRef<[u8]>,
        same_user_only: bool,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<(), glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        unix_path::add_unix_abstract(
            self.upcast_ref(),
            name.as_ref(),
            same_user_only,
            source_object,
        )
    }

    /// Accepts from sockets that a service manager has made, as systemd does for a `.socket` unit: from those that are called
    /// `name`, or from all. Answers what was added; nothing, without an error, where this process was given none.
    ///
    /// Each can be had once in the life of the process, by whichever listener; a second call finds none left. So a program
    /// that has several kinds asks for each by its name, with a source object of its own, by which its connections are told
    /// apart. Programs that are started later do not inherit them, as soon as somebody has asked. Ask before anything else in
    /// the process opens or closes descriptors that it has not made: what is where `LISTEN_FDS` says is believed to be
    /// the manager's.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is; `InvalidArgument` when `LISTEN_PID`, `LISTEN_FDS` or
    /// `LISTEN_FDNAMES` make no sense, or one of the descriptors asked for is no socket that listens, such as a connection of
    /// `Accept=yes`. Nothing is added then, and nothing is lost.
    ///
    /// # Main context
    ///
    /// None is iterated.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketService, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = SocketService::new();
    /// if service.add_systemd_sockets(None, glib::Object::NONE)?.is_empty() {
    ///     // Nobody has made any: started by hand.
    ///     service.add_any_inet_port(glib::Object::NONE)?;
    /// }
    /// assert!(!service.addresses().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_listener_add_systemd_sockets")]
    #[doc(alias = "sd_listen_fds")]
    fn add_systemd_sockets(
        &self,
        name: Option<&str>,
        source_object: Option<&impl IsA<glib::Object>>,
    ) -> Result<Vec<ActivatedSocket>, glib::Error> {
        let source_object = source_object.map(AsRef::as_ref);
        activation::add_systemd_sockets(self.upcast_ref(), name, source_object)
    }

    /// The addresses of the open sockets, in the order in which they were added.
    #[doc(alias = "gsock_socket_listener_get_addresses")]
    fn addresses(&self) -> Vec<gio::SocketAddress> {
        addresses::addresses(self.upcast_ref())
    }

    /// Closes the sockets that have the address `address`, one of [`addresses`](Self::addresses), and accepts
    /// from them no more. Connections that nobody has accepted are reset. Whoever waits goes on waiting, for the others.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `NotFound` when there is none; `Closed` when the listener is.
    #[doc(alias = "gsock_socket_listener_remove_address")]
    fn remove_address(&self, address: &impl IsA<gio::SocketAddress>) -> Result<(), glib::Error> {
        addresses::remove_address(self.upcast_ref(), address.as_ref())
    }

    /// Accepts a connection, and blocks this thread, and nothing else, until there is one. Also answers what was
    /// said with the socket that it came by.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Closed` when the listener is, also while this waits, or when somebody has closed all of its sockets;
    /// `InvalidArgument` when it has no sockets, or when one does not listen; `TimedOut` when a socket
    /// that was added has a timeout; `Cancelled`; `TooManyOpenFiles` and whatever else accept(2) answers: the connection stays in the
    /// queue then.
    ///
    /// # Cancel safety
    ///
    /// Cancelled from any thread it leaves every connection in the queue.
    ///
    /// # Main context
    ///
    /// None of the caller's is iterated. The connection's home is this thread with its thread-default context.
    ///
    /// GIO: LISTEN-22, LISTEN-24, LISTEN-25, LISTEN-27, LISTEN-34.
    #[doc(alias = "gsock_socket_listener_accept")]
    #[doc(alias = "g_socket_listener_accept")]
    fn accept(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<Taken, glib::Error> {
        block(self, cancellable).map(Accepted::connection)
    }

    /// Starts to accept a connection. `callback` gets the result to hand to
    /// [`accept_finish`](Self::accept_finish), never before this returns.
    ///
    /// A listener without sockets is not an error: one may be added.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](Self::accept), from `accept_finish`.
    ///
    /// # Cancel safety
    ///
    /// A cancelled accept leaves every connection in the queue. One that has completed keeps its result.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    ///
    /// GIO: LISTEN-28, LISTEN-30.
    #[doc(alias = "gsock_socket_listener_accept_async")]
    #[doc(alias = "g_socket_listener_accept_async")]
    fn accept_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        calls::start(self, cancellable.map(AsRef::as_ref), callback);
    }

    /// Takes the outcome of [`accept_async`](Self::accept_async) or
    /// [`accept_socket_async`](Self::accept_socket_async) of this listener, once, as a connection.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](Self::accept); `InvalidArgument` for anything but a result of an accept of this listener that has
    /// ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an accept that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it; the connection's home is that thread with its thread-default context.
    ///
    /// GIO: LISTEN-13.
    #[doc(alias = "gsock_socket_listener_accept_finish")]
    #[doc(alias = "g_socket_listener_accept_finish")]
    fn accept_finish(&self, result: &impl IsA<gio::AsyncResult>) -> Result<Taken, glib::Error> {
        calls::finish(self.upcast_ref(), result.as_ref()).map(Accepted::connection)
    }

    /// A future that accepts a connection from its first poll on. Also answers what was said with the socket that
    /// it came by.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](Self::accept), but that it waits where there are no sockets.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves every connection in the queue.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it, which is the connection's home.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketClient, SocketListener, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = SocketListener::new();
    /// let port = listener.add_any_inet_port(glib::Object::NONE)?;
    /// let client = SocketClient::new();
    /// let (accepted, connected) = glib::MainContext::new().block_on(async {
    ///     futures::join!(
    ///         listener.accept_future(),
    ///         client.connect_to_host_future("127.0.0.1", port),
    ///     )
    /// });
    /// let ((connection, _source_object), client) = (accepted?, connected?);
    /// assert!(connection.is_alive() && client.is_alive());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_listener_accept_async")]
    #[doc(alias = "g_socket_listener_accept_async")]
    fn accept_future(&self) -> Accepting<Taken> {
        future(self, |accepted| Ok(accepted.connection()))
    }

    /// Like [`accept`](Self::accept), for a [`gio::Socket`], which is in blocking mode.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// None is iterated.
    ///
    /// GIO: LISTEN-21.
    #[doc(alias = "gsock_socket_listener_accept_socket")]
    #[doc(alias = "g_socket_listener_accept_socket")]
    fn accept_socket(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<TakenSocket, glib::Error> {
        block(self, cancellable).and_then(Accepted::socket)
    }

    /// The same as [`accept_async`](Self::accept_async): it is the finish function that makes the difference.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// GIO: LISTEN-28.
    #[doc(alias = "gsock_socket_listener_accept_socket_async")]
    #[doc(alias = "g_socket_listener_accept_socket_async")]
    fn accept_socket_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        self.accept_async(cancellable, callback);
    }

    /// Like [`accept_finish`](Self::accept_finish), as a [`gio::Socket`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_socket_listener_accept_socket_finish")]
    #[doc(alias = "g_socket_listener_accept_socket_finish")]
    fn accept_socket_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<TakenSocket, glib::Error> {
        calls::finish(self.upcast_ref(), result.as_ref()).and_then(Accepted::socket)
    }

    /// Like [`accept_future`](Self::accept_future), for a [`gio::Socket`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// As there.
    #[doc(alias = "gsock_socket_listener_accept_socket_async")]
    #[doc(alias = "g_socket_listener_accept_socket_async")]
    fn accept_socket_future(&self) -> Accepting<TakenSocket> {
        future(self, Accepted::socket)
    }

    /// The connections that come, until the listener is closed, which ends the stream.
    ///
    /// # Errors
    ///
    /// Those of [`accept_future`](Self::accept_future), after each of which the stream goes on. So it does after `Closed`, which
    /// is told once when somebody has closed all sockets without the listener: more may be added. `Pending` where a service
    /// takes the connections, and then the stream ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves every connection that it has not yielded in the queue.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it, which is the home of its connections.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    fn incoming(
        &self,
    ) -> Pin<Box<dyn Stream<Item = Result<SocketConnection, glib::Error>> + 'static>> {
        Box::pin(Incoming::new(self.upcast_ref()))
    }

    /// Closes all sockets, those that were added included. Every accept that waits, on whatever thread, ends with
    /// `Closed`. Closing what is closed does nothing. A socket that another process has as well goes on listening there; one
    /// that another thread blocks in an accept on is taken, port and path, until that thread has woken, which this does not
    /// wait for.
    ///
    /// GIO: LISTEN-30.
    #[doc(alias = "gsock_socket_listener_close")]
    #[doc(alias = "g_socket_listener_close")]
    fn close(&self) {
        self.upcast_ref().imp().close();
    }

    /// The property `listen-backlog`: how many connections the kernel keeps that nobody has accepted yet, for each
    /// socket.
    #[doc(alias = "listen-backlog")]
    fn listen_backlog(&self) -> i32 {
        self.upcast_ref().imp().backlog()
    }

    /// Sets the property `listen-backlog`, to the nearest number from 0 to 2000. Sockets that listen already take it
    /// on. Nothing happens on a closed listener.
    ///
    /// GIO: LISTEN-2, LISTEN-3.
    #[doc(alias = "gsock_socket_listener_set_backlog")]
    #[doc(alias = "g_socket_listener_set_backlog")]
    #[doc(alias = "listen-backlog")]
    fn set_backlog(&self, listen_backlog: i32) {
        self.upcast_ref().imp().set_backlog(listen_backlog);
    }

    /// The property `max-connections`; 0 is no limit.
    #[doc(alias = "gsock_socket_listener_get_max_connections")]
    #[doc(alias = "max-connections")]
    fn max_connections(&self) -> u32 {
        self.upcast_ref().imp().limits().max_connections
    }

    /// Sets how many connections of this listener there may be at once; 0 is no limit. Those that there are stay. What comes
    /// beyond it waits in the kernel, and is accepted as soon as there is room.
    #[doc(alias = "gsock_socket_listener_set_max_connections")]
    #[doc(alias = "max-connections")]
    fn set_max_connections(&self, max_connections: u32) {
        let imp = self.upcast_ref().imp();
        imp.set_limit("max-connections", max_connections);
    }

    /// The property `max-connections-per-peer`; 0 is no limit.
    #[doc(alias = "gsock_socket_listener_get_max_connections_per_peer")]
    #[doc(alias = "max-connections-per-peer")]
    fn max_connections_per_peer(&self) -> u32 {
        self.upcast_ref().imp().limits().max_connections_per_peer
    }

    /// Sets how many connections of this listener one computer may have at once; 0 is no limit. A computer is told by its IP
    /// address, that of IPv4 also where it comes over IPv6; Unix sockets have none, and no such limit. What comes beyond it is
    /// reset. Connections that were accepted while there was no such limit do not count.
    #[doc(alias = "gsock_socket_listener_set_max_connections_per_peer")]
    #[doc(alias = "max-connections-per-peer")]
    fn set_max_connections_per_peer(&self, max_connections_per_peer: u32) {
        let imp = self.upcast_ref().imp();
        imp.set_limit("max-connections-per-peer", max_connections_per_peer);
    }

    /// The property `accept-rate`, in connections a second; 0 is no limit.
    #[doc(alias = "gsock_socket_listener_get_accept_rate")]
    #[doc(alias = "accept-rate")]
    fn accept_rate(&self) -> u32 {
        self.upcast_ref().imp().limits().accept_rate
    }

    /// Sets how many connections are accepted in a second; 0 is no limit. What comes faster waits in the kernel. After a pause,
    /// as many as fit in a tenth of a second, one at least, may come at once.
    #[doc(alias = "gsock_socket_listener_set_accept_rate")]
    #[doc(alias = "accept-rate")]
    fn set_accept_rate(&self, accept_rate: u32) {
        self.upcast_ref()
            .imp()
            .set_limit("accept-rate", accept_rate);
    }

    /// The property `accepted`: how many connections were accepted so far.
    #[doc(alias = "gsock_socket_listener_get_accepted")]
    fn accepted(&self) -> u64 {
        self.upcast_ref().imp().sockets.limits.accepted()
    }

    /// The property `refused`: how many connections were closed at once so far, because their peer had too many, or was
    /// another user.
    #[doc(alias = "gsock_socket_listener_get_refused")]
    fn refused(&self) -> u64 {
        self.upcast_ref().imp().sockets.limits.refused()
    }

    /// The property `active-connections`: how many of the connections that were accepted are open.
    #[doc(alias = "gsock_socket_listener_get_active_connections")]
    #[doc(alias = "active-connections")]
    fn active_connections(&self) -> u32 {
        self.upcast_ref().imp().sockets.limits.active()
    }

    /// Calls `f` for each event of a socket that the listener makes, on the thread that adds it.
    ///
    /// GIO: LISTEN-4.
    #[doc(alias = "event")]
    fn connect_event<F: Fn(&Self, gio::SocketListenerEvent, &gio::Socket) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "event",
            false,
            glib::closure_local!(move |listener: SocketListener,
                                       event: gio::SocketListenerEvent,
                                       socket: gio::Socket| {
                if let Some(listener) = listener.downcast_ref() {
                    fenced_handler("event", || f(listener, event, &socket));
                }
            }),
        )
    }

    /// Calls `f` whenever `listen-backlog` has changed.
    #[doc(alias = "listen-backlog")]
    fn connect_listen_backlog_notify<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
        self.connect_notify_local(Some("listen-backlog"), move |listener, _| {
            fenced_handler("listen-backlog", || f(listener));
        })
    }
}

impl<O: IsA<SocketListener>> SocketListenerExt for O {}
