//! The connection class.

mod direct;
pub(crate) mod imp;
mod moving;
pub(crate) mod overlaid;
mod raw;
mod streams;

use gio::prelude::*;
use glib::{subclass::prelude::*, translate::ToGlibPtr};

use crate::{
    halves::{ReadHalf, WriteHalf, futures_io, halves},
    operation::assert_owns_context,
    transport::ConnectionState,
};
use crate::{
    subclass::socket_connection::{
        UnitFuture, call_connect, call_connect_async, call_connect_finish, call_connect_future,
        class_of,
    },
    vfunc::fenced_handler,
};

glib::wrapper! {
    /// A connection over a socket: a [`gio::IOStream`] whose state can be watched.
    ///
    /// Reading, writing and closing are [`gio::IOStream`]'s own methods and those of its two
    /// streams. Connecting has three forms, here and everywhere in this crate: blocking
    /// ([`connect`](Self::connect)), with a [`gio::AsyncResult`]
    /// ([`connect_async`](SocketConnectionExt::connect_async) and
    /// [`connect_finish`](SocketConnectionExt::connect_finish)) and a future
    /// ([`connect_future`](SocketConnectionExt::connect_future)).
    ///
    /// # Properties
    ///
    /// | name | type | |
    /// | --- | --- | --- |
    /// | `socket` | [`gio::Socket`] | the socket; may be set at construction and afterwards |
    /// | `state` | [`ConnectionState`] | where the connection stands |
    /// | `alive` | `bool` | whether `state` is `Connected` |
    /// | `local-address`, `remote-address` | [`gio::SocketAddress`] or none | kept after close |
    /// | `last-error` | [`glib::Error`] or none | what ended or failed the connection |
    /// | `bytes-read`, `bytes-written` | `u64` | exact when read, notified ten times a second at most |
    ///
    /// and `closed`, `input-stream` and `output-stream` of [`gio::IOStream`]; here `closed` is
    /// notified, once.
    ///
    /// # Main context
    ///
    /// The thread that constructs a connection, with the context that is thread-default there, is
    /// its *home*. Property notifications happen at home only: at once when the change happens on
    /// that thread, else in an iteration of that context. The connection does not keep that context alive.
    ///
    /// # After `fork`
    ///
    /// A child process shares the socket of a connection that its parent made, and has none of the
    /// threads that use it: there every operation answers `Failed`. Closing or dropping it gives up the child's
    /// copy of the descriptor, and the parent's connection goes on. As with everything else after `fork`,
    /// a lock that another thread held at that moment stays held: fork while nobody is in a call.
    ///
    /// # `connect` and signals
    ///
    /// [`SocketConnection::connect`] hides glib's `ObjectExt::connect`, which connects signals by
    /// name: use `connect_local` or `connect_closure`, which are not affected. Through a generic
    /// bound or on a type of your own the name is ambiguous; write
    /// `connection.upcast_ref::<SocketConnection>().connect(…)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let address = gio::InetSocketAddress::new(
    ///     &gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4),
    ///     listener.local_addr()?.port(),
    /// );
    /// let socket = gio::Socket::new(
    ///     gio::SocketFamily::Ipv4,
    ///     gio::SocketType::Stream,
    ///     gio::SocketProtocol::Default,
    /// )?;
    /// let connection = SocketConnection::factory_create_connection(&socket);
    /// connection.connect(&address, gio::Cancellable::NONE)?;
    /// assert!(connection.is_alive());
    /// connection.close(gio::Cancellable::NONE)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GsockSocketConnection")]
    #[doc(alias = "GSocketConnection")]
    pub struct SocketConnection(ObjectSubclass<imp::SocketConnection>) @extends gio::IOStream;
}

// C calls from any thread; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::SocketConnection>();
};

/// The method that would otherwise be hidden by, or ambiguous with, glib's `ObjectExt::connect`.
macro_rules! inherent_connect {
    ($type:ty) => {
        impl $type {
            /// Connects to `address` and blocks this thread, and nothing else, until that is done.
            ///
            /// The socket's own timeout bounds it. It waits whether or not the socket is in blocking
            /// mode. After a failure the socket is as unconnected as before and nothing is in flight.
            ///
            /// # Errors
            ///
            /// In `gio::IOErrorEnum`: `ConnectionRefused`, `HostUnreachable`, `NetworkUnreachable`
            /// and whatever else the network answers; `TimedOut`, `Cancelled`, `Closed`; `Failed`
            /// while connecting and once connected.
            ///
            /// # Cancel safety
            ///
            /// Cancelled from any thread it leaves nothing in flight and the connection `Unconnected`.
            ///
            /// # Main context
            ///
            /// None is iterated, and the thread need not own one.
            ///
            /// GIO: SC-9.
            #[doc(alias = "gsock_socket_connection_connect")]
            #[doc(alias = "g_socket_connection_connect")]
            pub fn connect(
                &self,
                address: &impl glib::prelude::IsA<gio::SocketAddress>,
                cancellable: Option<&impl glib::prelude::IsA<gio::Cancellable>>,
            ) -> Result<(), glib::Error> {
                $crate::SocketConnectionExt::connect(self, address, cancellable)
            }
        }
    };
}
pub(crate) use inherent_connect;

inherent_connect!(SocketConnection);
futures_io!(SocketConnection);

impl SocketConnection {
    /// No connection, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// Makes a connection of exactly this type, which carries any socket; for the type that goes with it use
    /// [`factory_create_connection`](Self::factory_create_connection).
    pub fn new(socket: &gio::Socket) -> Self {
        glib::Object::builder().property("socket", socket).build()
    }

    /// The socket as C's `get_socket` hands it out, without a reference: it is good for as long as
    /// this connection is, also after the connection has moved on to another socket. For the C face.
    #[doc(hidden)]
    pub fn lend_socket(&self) -> *mut gio::ffi::GSocket {
        let imp = self.imp();
        imp.catch_up();
        imp.lend_socket().to_glib_none().0
    }
}

macro_rules! notify {
    ($method:ident, $property:literal) => {
        #[doc = concat!("Calls `f` at the connection's home whenever `", $property, "` has changed.")]
        #[doc(alias = $property)]
        fn $method<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
            self.connect_notify_local(Some($property), move |connection, _| {
                fenced_handler($property, || f(connection));
            })
        }
    };
}

/// The methods of [`SocketConnection`] and every type that derives from it.
pub trait SocketConnectionExt: IsA<SocketConnection> + 'static {
    /// Connects to `address`, blocking; see [`SocketConnection::connect`].
    #[doc(alias = "gsock_socket_connection_connect")]
    #[doc(alias = "g_socket_connection_connect")]
    fn connect(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        let this = self.upcast_ref();
        call_connect(
            class_of(this),
            this,
            address.as_ref(),
            cancellable.map(AsRef::as_ref),
        )
    }

    /// Starts to connect to `address`. `callback` gets the result to hand to
    /// [`connect_finish`](Self::connect_finish), never before this returns.
    ///
    /// The socket's blocking flag is cleared, for good, as GIO documents.
    ///
    /// # Errors
    ///
    /// Those of [`SocketConnection::connect`], from `connect_finish`.
    ///
    /// # Cancel safety
    ///
    /// A cancelled connect leaves nothing in flight and the connection `Unconnected`. One that has
    /// completed keeps its result.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    ///
    /// GIO: SC-10.
    #[doc(alias = "gsock_socket_connection_connect_async")]
    #[doc(alias = "g_socket_connection_connect_async")]
    fn connect_async(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        assert_owns_context();
        call_connect_async(
            self,
            address.as_ref(),
            cancellable.map(AsRef::as_ref),
            callback,
        );
    }

    /// Takes the outcome of [`connect_async`](Self::connect_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`SocketConnection::connect`]; `InvalidArgument` for anything but a result of a
    /// connect of this object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; a connect that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    ///
    /// GIO: SC-16.
    #[doc(alias = "gsock_socket_connection_connect_finish")]
    #[doc(alias = "g_socket_connection_connect_finish")]
    fn connect_finish(&self, result: &impl IsA<gio::AsyncResult>) -> Result<(), glib::Error> {
        let this = self.upcast_ref();
        call_connect_finish(class_of(this), this, result.as_ref())
    }

    /// A future that connects to `address` from its first poll on.
    ///
    /// # Errors
    ///
    /// Those of [`SocketConnection::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing in flight and the connection `Unconnected`.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_socket_connection_connect_async")]
    #[doc(alias = "g_socket_connection_connect_async")]
    fn connect_future(&self, address: &impl IsA<gio::SocketAddress>) -> UnitFuture {
        let this = self.upcast_ref();
        call_connect_future(class_of(this), this, address.as_ref())
    }

    /// The socket, made now if the connection had a bare descriptor so far. Never absent.
    ///
    /// GIO: SC-18.
    #[doc(alias = "gsock_socket_connection_get_socket")]
    #[doc(alias = "g_socket_connection_get_socket")]
    #[doc(alias = "get_socket")]
    fn socket(&self) -> gio::Socket {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().socket()
    }

    /// Moves the connection on to another socket. Addresses, state and the streams follow it,
    /// `last-error` is cleared and the counters begin anew; the two stream objects stay the same.
    ///
    /// The socket of before is given back, not closed: it closes with its last reference. The same
    /// socket again changes nothing.
    ///
    /// # Errors
    ///
    /// And then nothing has changed: `Pending` while the connection or one of its streams is busy,
    /// `Closed` after a close, `InvalidArgument` for a socket that the connection's class cannot
    /// carry, such as a Unix socket in a [`TcpConnection`](crate::TcpConnection), and for any other one in a
    /// [`TcpWrapperConnection`](crate::TcpWrapperConnection).
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{ConnectionState, SocketConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    /// let address = gio::InetSocketAddress::new(&loopback, port);
    /// let socket = || {
    ///     gio::Socket::new(gio::SocketFamily::Ipv4, gio::SocketType::Stream, gio::SocketProtocol::Tcp)
    /// };
    /// let connection = SocketConnection::factory_create_connection(&socket()?);
    /// connection.connect(&address, gio::Cancellable::NONE)?;
    /// connection.output_stream().write_all(b"hello", gio::Cancellable::NONE)?;
    /// // Whatever is bound to the connection stays bound.
    /// connection.set_socket(&socket()?)?;
    /// assert_eq!(connection.state(), ConnectionState::Unconnected);
    /// assert_eq!(connection.bytes_written(), 0);
    /// connection.connect(&address, gio::Cancellable::NONE)?;
    /// assert_eq!(connection.state(), ConnectionState::Connected);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "socket")]
    fn set_socket(&self, socket: &gio::Socket) -> Result<(), glib::Error> {
        self.upcast_ref().imp().replace_socket(Some(socket))
    }

    /// The local address. It stays the same after a close; an open socket that is not bound
    /// answers its family's wildcard address.
    ///
    /// # Errors
    ///
    /// `NotConnected` where there is none.
    ///
    /// GIO: SC-19.
    #[doc(alias = "gsock_socket_connection_get_local_address")]
    #[doc(alias = "g_socket_connection_get_local_address")]
    #[doc(alias = "get_local_address")]
    fn local_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().local_address()
    }

    /// The peer's address. It stays the same after a close, the peer's or ours.
    ///
    /// # Errors
    ///
    /// `NotConnected` where there was never a peer.
    ///
    /// GIO: SC-20.
    #[doc(alias = "gsock_socket_connection_get_remote_address")]
    #[doc(alias = "g_socket_connection_get_remote_address")]
    #[doc(alias = "get_remote_address")]
    fn remote_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().remote_address()
    }

    /// Whether the underlying socket was connected and not closed or shut down by us since; it does
    /// not turn false when the peer goes away. For that there is [`is_alive`](Self::is_alive).
    ///
    /// GIO: SC-7, SC-8.
    #[doc(alias = "gsock_socket_connection_is_connected")]
    #[doc(alias = "g_socket_connection_is_connected")]
    fn is_connected(&self) -> bool {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().is_connected()
    }

    /// Where the connection stands.
    #[doc(alias = "gsock_socket_connection_get_state")]
    #[doc(alias = "get_state")]
    fn state(&self) -> ConnectionState {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().connection_state()
    }

    /// Whether there is a peer, as far as anybody here can know.
    #[doc(alias = "gsock_socket_connection_is_alive")]
    fn is_alive(&self) -> bool {
        self.state() == ConnectionState::Connected
    }

    /// What ended or failed the connection, until it is connected again.
    ///
    /// A peer that closed in an orderly way leaves none.
    #[doc(alias = "gsock_socket_connection_get_last_error")]
    #[doc(alias = "get_last_error")]
    fn last_error(&self) -> Option<glib::Error> {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().last_error()
    }

    /// A connection of GIO's own class that shares this one's transport: for GDBus and others that look for that class, where a
    /// mere [`gio::IOStream`] has less.
    ///
    /// A `GTcpConnection` for an internet stream, a `GUnixConnection` for a Unix socket, else a
    /// `GSocketConnection`; of a `TcpWrapperConnection` GIO's own `GTcpWrapperConnection` on the same base stream. It is the same object each time, for as long as somebody holds it and the connection has the same socket;
    /// that of [`from_gio`](SocketConnection::from_gio) gives back what it was made from.
    ///
    /// There is one state and one owner of the bytes. Both may read and write, and what one has read the other does not see. Closing
    /// either closes the socket, and the operations of both answer `Closed`; each object's own `closed` says
    /// so once that object has been closed. Merely dropped, the one that is left goes on.
    ///
    /// Its streams are the socket's: what a derived class does in streams of its own is not in them.
    ///
    /// After [`set_socket`](Self::set_socket) it is of no more use, as the halves are not: ask for a new one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// let gios = one.to_gio();
    /// assert!(gios.is::<gio::UnixConnection>());
    /// gios.output_stream().write_all(b"hello", gio::Cancellable::NONE)?;
    /// assert_eq!(one.bytes_written(), 5);
    /// // And back.
    /// assert_eq!(SocketConnection::from_gio(&gios), one);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_connection_to_gio")]
    fn to_gio(&self) -> gio::SocketConnection {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        crate::interop::to_gio(self.upcast_ref())
    }

    /// The two directions as values of their own, which may be sent to other threads: see [`ReadHalf`] and
    /// [`WriteHalf`]. They are of the socket of now.
    ///
    /// Not called `split`, which is a method of `futures::AsyncReadExt` that takes the connection by value.
    #[doc(alias = "gsock_socket_connection_halves")]
    fn halves(&self) -> (ReadHalf, WriteHalf) {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        halves(&imp.transport())
    }

    /// How many bytes were read through this connection.
    #[doc(alias = "gsock_socket_connection_get_bytes_read")]
    #[doc(alias = "get_bytes_read")]
    fn bytes_read(&self) -> u64 {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().bytes_read()
    }

    /// How many bytes were written through this connection.
    #[doc(alias = "gsock_socket_connection_get_bytes_written")]
    #[doc(alias = "get_bytes_written")]
    fn bytes_written(&self) -> u64 {
        let imp = self.upcast_ref().imp();
        imp.catch_up();
        imp.transport().bytes_written()
    }

    /// Makes the calling thread and `context` the connection's home.
    ///
    /// # Safety
    ///
    /// Handlers connected to the connection and to its socket, in Rust, must be fit to run and to be
    /// dropped on this thread, and no wrapper of it may be used on another one.
    #[allow(
        unsafe_code,
        reason = "hands an object that is not Send to another thread"
    )]
    #[doc(alias = "gsock_socket_connection_set_home")]
    unsafe fn set_home(&self, context: &glib::MainContext) {
        let imp = self.upcast_ref().imp();
        // SAFETY: as the caller says.
        unsafe { imp.notifier().move_home(context) };
        imp.transport().move_watch();
    }

    notify!(connect_socket_notify, "socket");
    notify!(connect_state_notify, "state");
    notify!(connect_alive_notify, "alive");
    notify!(connect_local_address_notify, "local-address");
    notify!(connect_remote_address_notify, "remote-address");
    notify!(connect_last_error_notify, "last-error");
    notify!(connect_bytes_read_notify, "bytes-read");
    notify!(connect_bytes_written_notify, "bytes-written");
}

impl<O: IsA<SocketConnection>> SocketConnectionExt for O {}
