//! The client, which connects to a host.

mod answers;
mod blocking;
mod calls;
pub(crate) mod imp;
mod opening;
mod race;
mod report;
mod run;
mod source;

use std::{future::Future, pin::Pin, time::Duration};

use gio::prelude::*;
use glib::subclass::prelude::*;

pub(crate) use report::keep as keep_report;
pub use report::{Attempt, ConnectReport, ConnectReportExt};

use self::run::{Form, Run};
use crate::{SocketConnection, error, operation::assert_owns_context, vfunc::fenced_handler};

glib::wrapper! {
    /// Connects to a host, a service or an address, and makes the connection that goes with it.
    ///
    /// A name is resolved in both families at once, and its addresses are tried as RFC 8305 ("Happy Eyeballs")
    /// says: IPv6 first, the families in turn, the next one when an attempt has failed or has
    /// taken `attempt-delay-ms`; the first that connects wins. This is so in all three forms: blocking
    /// ([`connect`](Self::connect)), with a [`gio::AsyncResult`] ([`connect_async`](SocketClientExt::connect_async) and
    /// [`connect_finish`](SocketClientExt::connect_finish)) and a future
    /// ([`connect_future`](SocketClientExt::connect_future)).
    ///
    /// With `tls` set, GIO's TLS is negotiated over the connection, with the connectable as the server's identity (of a
    /// [`gio::ProxyAddress`] the destination, unless `enable-proxy` is false), and
    /// the outcome is a [`TcpWrapperConnection`](crate::TcpWrapperConnection) around it, over a Unix socket, too; who
    /// answers there has the name that a handler of `TlsHandshaking` sets as the server's identity. Where the handshake
    /// fails, the next address is tried; also where such a handler panics, which may not have said yet whom not to trust.
    ///
    /// Where the proxy resolver names a proxy, that one is connected to, and GIO's [`gio::Proxy`] for its protocol makes the
    /// agreement (SOCKS 4, 4a and 5, HTTP and HTTPS), before TLS. Where that fails, the next proxy is
    /// tried. A resolver that was set is asked for everything: for the hosts of a service, and for each address of a connectable that says
    /// nothing of proxies. What it does not name is not connected to, and what it names `direct://` behind
    /// a proxy only when all proxies have failed. The remote address of such a connection is the
    /// [`gio::ProxyAddress`]. See also [`add_application_proxy`](SocketClientExt::add_application_proxy).
    ///
    /// # Properties
    ///
    /// | name | type | default | |
    /// | --- | --- | --- | --- |
    /// | `family` | [`gio::SocketFamily`] | `Invalid` | of the sockets; addresses of another one are left out |
    /// | `type` | [`gio::SocketType`] | `Stream` | of the sockets |
    /// | `protocol` | [`gio::SocketProtocol`] | `Default` | of the sockets |
    /// | `local-address` | [`gio::SocketAddress`] or none | none | what the sockets are bound to |
    /// | `timeout` | seconds | 0, none | of each connect, and of reads and writes of the connection later on |
    /// | `enable-proxy` | `bool` | true | whether the proxy resolver is asked, for streams |
    /// | `proxy-resolver` | [`gio::ProxyResolver`] | the default one | which one |
    /// | `tls` | `bool` | false | whether connections are encrypted |
    /// | `tls-validation-flags` | [`gio::TlsCertificateFlags`] | all | what of a certificate is looked at; deprecated |
    /// | `connect-timeout-ms` | milliseconds | 0, none | of all of connecting, names included |
    /// | `io-timeout-ms` | milliseconds | 0, as `timeout` says | of reads and writes of the connection |
    /// | `multipath` | `bool` | false | TCP connections are of Multipath TCP, where system and peer have it |
    /// | `attempt-delay-ms` | milliseconds | 250 | between one attempt and the next; 10 or more |
    ///
    /// They are read when they are needed, also while connecting; `proxy-resolver`, `connect-timeout-ms` and
    /// `attempt-delay-ms` when it begins.
    ///
    /// What it took to make a connection is with the connection: see
    /// [`connect_report`](ConnectReportExt::connect_report).
    ///
    /// # The signal `event`
    ///
    /// It has a [`gio::SocketClientEvent`], the connectable that was passed or made, which tells operations of
    /// one client apart, and a stream that depends on the event:
    ///
    /// | event | how often | stream |
    /// | --- | --- | --- |
    /// | `Resolving` | once | none |
    /// | `Resolved` | at most once | none |
    /// | `Connecting` | for each address | the connection, whose remote address is the one that is tried |
    /// | `Connected` | for each that connects | the connection |
    /// | `ProxyNegotiating` | for each connection to a proxy, one after the other | the connection |
    /// | `ProxyNegotiated` | for each proxy that agrees | the stream that has come of it, often the connection |
    /// | `TlsHandshaking` | for each that is encrypted, one after the other | the [`gio::TlsClientConnection`]: here certificates and handlers are set |
    /// | `TlsHandshaked` | for each handshake that succeeds | likewise |
    /// | `Complete` | once, at last | the connection, or none after a failure |
    ///
    /// # Main context
    ///
    /// Events are emitted on the thread that connects, and the connection has its home there: a blocking connect iterates
    /// no context of the caller's, the others wait in the one that is thread-default at the call, or at the
    /// first poll.
    ///
    /// # `connect` and signals
    ///
    /// [`SocketClient::connect`] hides glib's `ObjectExt::connect`: see [`SocketConnection`].
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketClient, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let host = listener.local_addr()?.to_string();
    /// let client = SocketClient::new();
    /// client.connect_event(|_, event, _, _| println!("{event:?}"));
    /// let connection = client.connect_to_host(&host, 0, gio::Cancellable::NONE)?;
    /// assert!(connection.is_alive());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: CLIENT-1.
    #[doc(alias = "GsockSocketClient")]
    #[doc(alias = "GSocketClient")]
    pub struct SocketClient(ObjectSubclass<imp::SocketClient>);
}

// C calls from any thread; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::SocketClient>();
};

/// What a connect resolves to.
type Connecting = Pin<Box<dyn Future<Output = Result<SocketConnection, glib::Error>> + 'static>>;

/// The same with what it took.
type Reporting = Pin<
    Box<
        dyn Future<Output = Result<(SocketConnection, ConnectReport), (glib::Error, ConnectReport)>>
            + 'static,
    >,
>;

impl Default for SocketClient {
    fn default() -> Self {
        Self::new()
    }
}

impl SocketClient {
    /// No client, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// A client with the properties' defaults.
    #[doc(alias = "gsock_socket_client_new")]
    #[doc(alias = "g_socket_client_new")]
    #[must_use]
    pub fn new() -> Self {
        glib::Object::new()
    }

    /// Connects to `connectable`, blocking; see [`SocketClientExt::connect`], which this is.
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
    #[doc(alias = "gsock_socket_client_connect")]
    #[doc(alias = "g_socket_client_connect")]
    pub fn connect(
        &self,
        connectable: &impl IsA<gio::SocketConnectable>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<SocketConnection, glib::Error> {
        SocketClientExt::connect(self, connectable, cancellable)
    }
}

fn reported(connection: SocketConnection) -> (SocketConnection, ConnectReport) {
    // Any that was made has one.
    let report = connection.connect_report().unwrap_or_default();
    (connection, report)
}

/// What an operation connects to, or why that could not be read.
type Aim = Result<gio::SocketConnectable, glib::Error>;

fn aim_at_host(host_and_port: &str, default_port: u16) -> Aim {
    gio::NetworkAddress::parse(without_zeros(host_and_port)?, default_port).map(Cast::upcast)
}

fn aim_at_service(domain: &str, service: &str) -> Aim {
    let (domain, service) = (without_zeros(domain)?, without_zeros(service)?);
    Ok(gio::NetworkService::new(service, "tcp", domain).upcast())
}

fn aim_at_uri(uri: &str, default_port: u16) -> Aim {
    let parsed = gio::NetworkAddress::parse_uri(without_zeros(uri)?, default_port);
    parsed.map(Cast::upcast).map_err(|failure| {
        // GIO's message has all of it, and so may what is logged of errors.
        if uri.contains('@') {
            error::invalid("Invalid URI, which is not repeated: it may have a password in it")
        } else {
            failure
        }
    })
}

/// C's strings end at the first, and gio-rs panics.
fn without_zeros(text: &str) -> Result<&str, glib::Error> {
    if text.contains('\0') {
        return Err(error::invalid("There is a zero in the text"));
    }
    Ok(text)
}

fn block(
    client: &impl IsA<SocketClient>,
    aim: Aim,
    cancellable: Option<&impl IsA<gio::Cancellable>>,
) -> Result<SocketConnection, glib::Error> {
    let cancellable = cancellable.map(|cancellable| cancellable.as_ref().clone());
    let client = client.upcast_ref();
    let run = Run::new(client, aim?, cancellable, Form::Blocking);
    blocking::block(run).map_err(|(failure, _)| failure)
}

fn future(client: &impl IsA<SocketClient>, aim: Aim) -> Connecting {
    let client = client.upcast_ref().clone();
    Box::pin(async move {
        assert_owns_context();
        let run = Run::new(&client, aim?, None, Form::Asynchronous);
        run.drive().await.map_err(|(failure, _)| failure)
    })
}

macro_rules! notify {
    ($method:ident, $property:literal) => {
        #[doc = concat!("Calls `f` whenever `", $property, "` has changed.")]
        #[doc(alias = $property)]
        fn $method<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
            self.connect_notify_local(Some($property), move |client, _| {
                fenced_handler($property, || f(client));
            })
        }
    };
}

/// A getter and a setter of plain data.
macro_rules! property {
    ($get:ident, $set:ident, $field:ident: $type:ty, $name:literal, $getter:literal / $own_getter:literal,
     $setter:literal / $own_setter:literal, $what:literal) => {
        #[doc = concat!("The property `", $name, "`: ", $what)]
        #[doc(alias = $own_getter)]
        #[doc(alias = $getter)]
        fn $get(&self) -> $type {
            self.upcast_ref().imp().settings().$field
        }

        #[doc = concat!("Sets the property `", $name, "`: ", $what)]
        #[doc(alias = $name)]
        #[doc(alias = $own_setter)]
        #[doc(alias = $setter)]
        fn $set(&self, value: $type) {
            let imp = self.upcast_ref().imp();
            imp.set(|settings| &mut settings.$field, value, $name);
        }
    };
}

macro_rules! milliseconds {
    ($get:ident, $set:ident, $field:ident, $least:expr, $name:literal, $getter:literal, $setter:literal, $what:literal) => {
        #[doc = concat!("The property `", $name, "`: ", $what)]
        #[doc(alias = $getter)]
        fn $get(&self) -> Duration {
            Duration::from_millis(u64::from(self.upcast_ref().imp().settings().$field))
        }

        #[doc = concat!("Sets the property `", $name, "`: ", $what, " Rounded up to milliseconds.")]
        #[doc(alias = $name)]
        #[doc(alias = $setter)]
        fn $set(&self, value: Duration) {
            let value = value.as_nanos().div_ceil(1_000_000);
            let value = u32::try_from(value).unwrap_or(u32::MAX).max($least);
            let imp = self.upcast_ref().imp();
            imp.set(|settings| &mut settings.$field, value, $name);
        }
    };
}

/// The methods of [`SocketClient`] and every type that derives from it.
pub trait SocketClientExt: IsA<SocketClient> + 'static {
    /// Connects to `connectable` and blocks this thread, and nothing else, until that is done.
    ///
    /// # Errors
    ///
    /// The error of the attempt that came furthest, and of those the last in time. In
    /// `gio::IOErrorEnum`: `ConnectionRefused`, `HostUnreachable`, `NetworkUnreachable`, `AddressInUse` and whatever else the
    /// network and the system answer; those of `gio::TlsError` from a handshake; `TimedOut`; `Cancelled`; `NotFound` where the connectable has no address
    /// at all, `NotSupported` for a socket that cannot be made or the protocol of a proxy that nobody speaks, `ProxyFailed`, `ProxyAuthFailed`,
    /// `ProxyNeedAuth` and `ProxyNotAllowed` from a proxy, `InvalidArgument` for a type
    /// that there is not. In `gio::ResolverError`: what a lookup has answered.
    ///
    /// # Cancel safety
    ///
    /// Cancelled from any thread it leaves nothing in flight. What has connected already is a success.
    ///
    /// # Main context
    ///
    /// None of the caller's is iterated, and the thread need not own one. The connection's home is this thread
    /// with its thread-default context, where the events are emitted, too.
    ///
    /// GIO: CLIENT-12, CLIENT-42.
    #[doc(alias = "gsock_socket_client_connect")]
    #[doc(alias = "g_socket_client_connect")]
    fn connect(
        &self,
        connectable: &impl IsA<gio::SocketConnectable>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<SocketConnection, glib::Error> {
        block(self, Ok(connectable.as_ref().clone()), cancellable)
    }

    /// Starts to connect to `connectable`. `callback` gets the result to hand to
    /// [`connect_finish`](Self::connect_finish), never before this returns. The event `Resolving` is emitted now.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), from `connect_finish`.
    ///
    /// # Cancel safety
    ///
    /// A cancelled connect leaves nothing in flight. One that has completed keeps its result.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now, as do handlers of the events to come.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketClient, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let client = SocketClient::new();
    /// let address = gio::NetworkAddress::new("127.0.0.1", port);
    /// let main_loop = glib::MainLoop::new(None, false);
    /// let ended = main_loop.clone();
    /// client.connect_async(&address, gio::Cancellable::NONE, move |client, result| {
    ///     let connection = client.connect_finish(result).expect("somebody listens");
    ///     assert!(connection.is_alive());
    ///     ended.quit();
    /// });
    /// main_loop.run();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: CLIENT-30, CLIENT-40.
    #[doc(alias = "gsock_socket_client_connect_async")]
    #[doc(alias = "g_socket_client_connect_async")]
    fn connect_async(
        &self,
        connectable: &impl IsA<gio::SocketConnectable>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        let aim = Ok(connectable.as_ref().clone());
        calls::start(self, aim, cancellable.map(AsRef::as_ref), callback);
    }

    /// Takes the outcome of [`connect_async`](Self::connect_async) or of any other asynchronous connect of this
    /// client, once.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect); `InvalidArgument` for anything but a result of a connect of this client that has
    /// ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; a connect that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    ///
    /// GIO: CLIENT-13.
    #[doc(alias = "gsock_socket_client_connect_finish")]
    #[doc(alias = "g_socket_client_connect_finish")]
    fn connect_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<SocketConnection, glib::Error> {
        calls::finish(self.upcast_ref(), result.as_ref())
    }

    /// A future that connects to `connectable` from its first poll on.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing in flight, and emits `Complete` if it has emitted anything.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it, where handlers run, too.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_socket_client_connect_async")]
    #[doc(alias = "g_socket_client_connect_async")]
    fn connect_future(&self, connectable: &impl IsA<gio::SocketConnectable>) -> Connecting {
        future(self, Ok(connectable.as_ref().clone()))
    }

    /// Like [`connect_future`](Self::connect_future), and tells what it took, also where it came to nothing. A
    /// connection that was made has the report with it, too: see
    /// [`connect_report`](crate::ConnectReportExt::connect_report).
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), each with the report.
    ///
    /// # Cancel safety
    ///
    /// As of `connect_future`.
    ///
    /// # Main context
    ///
    /// As of `connect_future`.
    ///
    /// # Panics
    ///
    /// As of `connect_future`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketClient, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let client = SocketClient::new();
    /// let address = gio::NetworkAddress::new("127.0.0.1", port);
    /// match glib::MainContext::new().block_on(client.connect_with_report(&address)) {
    ///     Ok((_, report)) => println!("there after {:?}", report.resolve + report.connect),
    ///     Err((failure, report)) => println!("{failure}, after {} attempts", report.attempts.len()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_client_connect_with_report_async")]
    fn connect_with_report(&self, connectable: &impl IsA<gio::SocketConnectable>) -> Reporting {
        let client: SocketClient = self.upcast_ref().clone();
        let connectable = connectable.as_ref().clone();
        Box::pin(async move {
            assert_owns_context();
            let run = Run::new(&client, connectable, None, Form::Asynchronous);
            run.drive().await.map(reported)
        })
    }

    /// Connects to the host that `host_and_port` names, with `default_port` where it names none, blocking.
    ///
    /// `host_and_port` is a name, an address or either with a port, which may be the name of a service: `example.org`,
    /// `[::1]:80`, `localhost:http`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what cannot be read, and then no event is emitted; those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As of `connect`.
    ///
    /// # Main context
    ///
    /// As of `connect`.
    ///
    /// GIO: CLIENT-81, CLIENT-82.
    #[doc(alias = "gsock_socket_client_connect_to_host")]
    #[doc(alias = "g_socket_client_connect_to_host")]
    fn connect_to_host(
        &self,
        host_and_port: &str,
        default_port: u16,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<SocketConnection, glib::Error> {
        block(self, aim_at_host(host_and_port, default_port), cancellable)
    }

    /// Starts to connect to the host that `host_and_port` names, with `default_port` where it names none; see [`connect_async`](Self::connect_async).
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_host`](Self::connect_to_host), from the finish function.
    ///
    /// # Cancel safety
    ///
    /// As of `connect_async`.
    ///
    /// # Main context
    ///
    /// As of `connect_async`.
    ///
    /// # Panics
    ///
    /// As of `connect_async`.
    #[doc(alias = "gsock_socket_client_connect_to_host_async")]
    #[doc(alias = "g_socket_client_connect_to_host_async")]
    fn connect_to_host_async(
        &self,
        host_and_port: &str,
        default_port: u16,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        let aim = aim_at_host(host_and_port, default_port);
        calls::start(self, aim, cancellable.map(AsRef::as_ref), callback);
    }

    /// The same as [`connect_finish`](Self::connect_finish).
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
    #[doc(alias = "gsock_socket_client_connect_to_host_finish")]
    #[doc(alias = "g_socket_client_connect_to_host_finish")]
    fn connect_to_host_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<SocketConnection, glib::Error> {
        self.connect_finish(result)
    }

    /// A future that connects to the host that `host_and_port` names, with `default_port` where it names none; see [`connect_future`](Self::connect_future).
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_host`](Self::connect_to_host).
    ///
    /// # Cancel safety
    ///
    /// As of `connect_future`.
    ///
    /// # Main context
    ///
    /// As of `connect_future`.
    ///
    /// # Panics
    ///
    /// As of `connect_future`.
    #[doc(alias = "gsock_socket_client_connect_to_host_async")]
    #[doc(alias = "g_socket_client_connect_to_host_async")]
    fn connect_to_host_future(&self, host_and_port: &str, default_port: u16) -> Connecting {
        future(self, aim_at_host(host_and_port, default_port))
    }

    /// Connects to the TCP service `service` of `domain`, such as `xmpp-client`, blocking.
    ///
    /// Its hosts are looked up (SRV records) and tried in the order of their priority. A domain without such records is a
    /// host itself, if the system knows the port of the service.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a text with a zero in it, and then no event is emitted; those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As of `connect`.
    ///
    /// # Main context
    ///
    /// As of `connect`.
    ///
    /// GIO: CLIENT-84.
    #[doc(alias = "gsock_socket_client_connect_to_service")]
    #[doc(alias = "g_socket_client_connect_to_service")]
    fn connect_to_service(
        &self,
        domain: &str,
        service: &str,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<SocketConnection, glib::Error> {
        block(self, aim_at_service(domain, service), cancellable)
    }

    /// Starts to connect to the TCP service `service` of `domain`, such as `xmpp-client`; see [`connect_async`](Self::connect_async).
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_service`](Self::connect_to_service), from the finish function.
    ///
    /// # Cancel safety
    ///
    /// As of `connect_async`.
    ///
    /// # Main context
    ///
    /// As of `connect_async`.
    ///
    /// # Panics
    ///
    /// As of `connect_async`.
    #[doc(alias = "gsock_socket_client_connect_to_service_async")]
    #[doc(alias = "g_socket_client_connect_to_service_async")]
    fn connect_to_service_async(
        &self,
        domain: &str,
        service: &str,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        let aim = aim_at_service(domain, service);
        calls::start(self, aim, cancellable.map(AsRef::as_ref), callback);
    }

    /// The same as [`connect_finish`](Self::connect_finish).
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
    #[doc(alias = "gsock_socket_client_connect_to_service_finish")]
    #[doc(alias = "g_socket_client_connect_to_service_finish")]
    fn connect_to_service_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<SocketConnection, glib::Error> {
        self.connect_finish(result)
    }

    /// A future that connects to the TCP service `service` of `domain`, such as `xmpp-client`; see [`connect_future`](Self::connect_future).
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_service`](Self::connect_to_service).
    ///
    /// # Cancel safety
    ///
    /// As of `connect_future`.
    ///
    /// # Main context
    ///
    /// As of `connect_future`.
    ///
    /// # Panics
    ///
    /// As of `connect_future`.
    #[doc(alias = "gsock_socket_client_connect_to_service_async")]
    #[doc(alias = "g_socket_client_connect_to_service_async")]
    fn connect_to_service_future(&self, domain: &str, service: &str) -> Connecting {
        future(self, aim_at_service(domain, service))
    }

    /// Connects to the host of `uri`, with `default_port` where it names no port, blocking.
    ///
    /// The scheme means nothing here but to the proxy resolver: neither a port nor TLS.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what cannot be read, and then no event is emitted; those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As of `connect`.
    ///
    /// # Main context
    ///
    /// As of `connect`.
    ///
    /// GIO: CLIENT-83.
    #[doc(alias = "gsock_socket_client_connect_to_uri")]
    #[doc(alias = "g_socket_client_connect_to_uri")]
    fn connect_to_uri(
        &self,
        uri: &str,
        default_port: u16,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<SocketConnection, glib::Error> {
        block(self, aim_at_uri(uri, default_port), cancellable)
    }

    /// Starts to connect to the host of `uri`, with `default_port` where it names no port; see [`connect_async`](Self::connect_async).
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_uri`](Self::connect_to_uri), from the finish function.
    ///
    /// # Cancel safety
    ///
    /// As of `connect_async`.
    ///
    /// # Main context
    ///
    /// As of `connect_async`.
    ///
    /// # Panics
    ///
    /// As of `connect_async`.
    #[doc(alias = "gsock_socket_client_connect_to_uri_async")]
    #[doc(alias = "g_socket_client_connect_to_uri_async")]
    fn connect_to_uri_async(
        &self,
        uri: &str,
        default_port: u16,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        let aim = aim_at_uri(uri, default_port);
        calls::start(self, aim, cancellable.map(AsRef::as_ref), callback);
    }

    /// The same as [`connect_finish`](Self::connect_finish).
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
    #[doc(alias = "gsock_socket_client_connect_to_uri_finish")]
    #[doc(alias = "g_socket_client_connect_to_uri_finish")]
    fn connect_to_uri_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<SocketConnection, glib::Error> {
        self.connect_finish(result)
    }

    /// A future that connects to the host of `uri`, with `default_port` where it names no port; see [`connect_future`](Self::connect_future).
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_uri`](Self::connect_to_uri).
    ///
    /// # Cancel safety
    ///
    /// As of `connect_future`.
    ///
    /// # Main context
    ///
    /// As of `connect_future`.
    ///
    /// # Panics
    ///
    /// As of `connect_future`.
    #[doc(alias = "gsock_socket_client_connect_to_uri_async")]
    #[doc(alias = "g_socket_client_connect_to_uri_async")]
    fn connect_to_uri_future(&self, uri: &str, default_port: u16) -> Connecting {
        future(self, aim_at_uri(uri, default_port))
    }

    /// Calls `f` for each event of a connect of this client, on the thread that connects.
    ///
    /// Its arguments are the event, what is being connected to, and the stream that the
    /// [class](SocketClient#the-signal-event) says.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketClient, prelude::*};
    ///
    /// let client = SocketClient::new();
    /// client.set_tls(true);
    /// client.connect_event(|_, event, connectable, stream| {
    ///     let whom = SocketConnectableExt::to_string(connectable);
    ///     println!("{event:?}: {whom}");
    ///     // Between the connect and the handshake: the moment for trust and certificates.
    ///     if event == gio::SocketClientEvent::TlsHandshaking
    ///         && let Some(tls) = stream.and_then(|it| it.downcast_ref::<gio::TlsConnection>())
    ///     {
    ///         tls.connect_accept_certificate(|_, _certificate, errors| {
    ///             errors == gio::TlsCertificateFlags::EXPIRED
    ///         });
    ///     }
    /// });
    /// ```
    ///
    /// GIO: CLIENT-7, CLIENT-8.
    #[doc(alias = "event")]
    fn connect_event<
        F: Fn(&Self, gio::SocketClientEvent, &gio::SocketConnectable, Option<&gio::IOStream>)
            + 'static,
    >(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "event",
            false,
            glib::closure_local!(
                move |client: SocketClient,
                      event: gio::SocketClientEvent,
                      connectable: gio::SocketConnectable,
                      stream: Option<gio::IOStream>| {
                    if let Some(client) = client.downcast_ref() {
                        fenced_handler("event", || f(client, event, &connectable, stream.as_ref()));
                    }
                }
            ),
        )
    }

    property!(family, set_family, family: gio::SocketFamily, "family",
        "g_socket_client_get_family" / "gsock_socket_client_get_family",
        "g_socket_client_set_family" / "gsock_socket_client_set_family",
        "the family of the sockets, or `Invalid` for that of each address.");
    property!(socket_type, set_socket_type, type_: gio::SocketType, "type",
        "g_socket_client_get_socket_type" / "gsock_socket_client_get_socket_type",
        "g_socket_client_set_socket_type" / "gsock_socket_client_set_socket_type",
        "the type of the sockets.");
    property!(protocol, set_protocol, protocol: gio::SocketProtocol, "protocol",
        "g_socket_client_get_protocol" / "gsock_socket_client_get_protocol",
        "g_socket_client_set_protocol" / "gsock_socket_client_set_protocol",
        "the protocol of the sockets.");
    property!(timeout, set_timeout, timeout: u32, "timeout",
        "g_socket_client_get_timeout" / "gsock_socket_client_get_timeout",
        "g_socket_client_set_timeout" / "gsock_socket_client_set_timeout",
        "how many seconds each connect may take, and each read or write of the connection that was made; 0 for ever.");
    property!(enables_proxy, set_enable_proxy, enable_proxy: bool, "enable-proxy",
        "g_socket_client_get_enable_proxy" / "gsock_socket_client_get_enable_proxy",
        "g_socket_client_set_enable_proxy" / "gsock_socket_client_set_enable_proxy",
        "whether proxies are asked for.");

    property!(
        tls,
        set_tls,
        tls: bool,
        "tls",
        "g_socket_client_get_tls" / "gsock_socket_client_get_tls",
        "g_socket_client_set_tls" / "gsock_socket_client_set_tls",
        "whether connections are encrypted."
    );
    property!(
        tls_validation_flags,
        set_tls_validation_flags,
        tls_validation_flags: gio::TlsCertificateFlags,
        "tls-validation-flags",
        "g_socket_client_get_tls_validation_flags" / "gsock_socket_client_get_tls_validation_flags",
        "g_socket_client_set_tls_validation_flags" / "gsock_socket_client_set_tls_validation_flags",
        "what of a certificate is looked at. GIO has deprecated it: connect to the signal `accept-certificate` in place of it."
    );

    milliseconds!(
        connect_timeout,
        set_connect_timeout,
        connect_timeout_ms,
        0,
        "connect-timeout-ms",
        "gsock_socket_client_get_connect_timeout_ms",
        "gsock_socket_client_set_connect_timeout_ms",
        "how long all of connecting may take, from the name on; nothing for ever."
    );
    milliseconds!(
        io_timeout,
        set_io_timeout,
        io_timeout_ms,
        0,
        "io-timeout-ms",
        "gsock_socket_client_get_io_timeout_ms",
        "gsock_socket_client_set_io_timeout_ms",
        "how long a read or a write of the connection may take; nothing for as long as `timeout` says."
    );
    milliseconds!(
        attempt_delay,
        set_attempt_delay,
        attempt_delay_ms,
        imp::LEAST_ATTEMPT_DELAY,
        "attempt-delay-ms",
        "gsock_socket_client_get_attempt_delay_ms",
        "gsock_socket_client_set_attempt_delay_ms",
        "how long an attempt has for itself before the next one begins; at least 10 ms."
    );

    /// The property `multipath`: whether TCP connections are of Multipath TCP.
    #[doc(alias = "gsock_socket_client_get_multipath")]
    fn multipath(&self) -> bool {
        self.upcast_ref().imp().settings().multipath
    }

    /// Sets the property `multipath`: whether TCP connections are of Multipath TCP, where the system has it and `protocol`
    /// is not set; with a peer that does not have it they are plain TCP connections.
    #[doc(alias = "gsock_socket_client_set_multipath")]
    fn set_multipath(&self, value: bool) {
        let imp = self.upcast_ref().imp();
        imp.set(|settings| &mut settings.multipath, value, "multipath");
    }

    /// The address that sockets are bound to, if there is one.
    #[doc(alias = "gsock_socket_client_get_local_address")]
    #[doc(alias = "g_socket_client_get_local_address")]
    #[doc(alias = "get_local_address")]
    #[doc(alias = "local-address")]
    fn local_address(&self) -> Option<gio::SocketAddress> {
        self.upcast_ref().imp().local_address()
    }

    /// Sets the address that sockets are bound to. Where `family` is not set, this address' is it. It is notified
    /// also if it is the same.
    ///
    /// GIO: CLIENT-2.
    #[doc(alias = "gsock_socket_client_set_local_address")]
    #[doc(alias = "g_socket_client_set_local_address")]
    #[doc(alias = "local-address")]
    fn set_local_address(&self, address: Option<&impl IsA<gio::SocketAddress>>) {
        let address = address.map(|address| address.as_ref().clone());
        self.upcast_ref().imp().exchange_local_address(address);
        self.notify("local-address");
    }

    /// The proxy resolver: the default one, where none is set.
    ///
    /// GIO: CLIENT-5.
    #[doc(alias = "gsock_socket_client_get_proxy_resolver")]
    #[doc(alias = "g_socket_client_get_proxy_resolver")]
    #[doc(alias = "get_proxy_resolver")]
    #[doc(alias = "proxy-resolver")]
    fn proxy_resolver(&self) -> gio::ProxyResolver {
        self.upcast_ref().imp().proxy_resolver_or_default()
    }

    /// Sets the proxy resolver, or the default one. It is not notified, but where the property is set by its name.
    ///
    /// GIO: CLIENT-2, CLIENT-5.
    #[doc(alias = "gsock_socket_client_set_proxy_resolver")]
    #[doc(alias = "g_socket_client_set_proxy_resolver")]
    #[doc(alias = "proxy-resolver")]
    fn set_proxy_resolver(&self, resolver: Option<&impl IsA<gio::ProxyResolver>>) {
        let resolver = resolver.map(|resolver| resolver.as_ref().clone());
        self.upcast_ref().imp().set_proxy_resolver(resolver);
    }

    /// Leaves proxies that speak `protocol` to the program: a connection to one is handed out as it is, without TLS, and
    /// its remote address is the [`gio::ProxyAddress`] that says where to. To say it twice does nothing more.
    ///
    /// GIO: CLIENT-14, CLIENT-67.
    #[doc(alias = "gsock_socket_client_add_application_proxy")]
    #[doc(alias = "g_socket_client_add_application_proxy")]
    fn add_application_proxy(&self, protocol: &str) {
        let imp = self.upcast_ref().imp();
        imp.settings()
            .application_proxies
            .insert(protocol.to_owned());
    }

    notify!(connect_family_notify, "family");
    notify!(connect_type_notify, "type");
    notify!(connect_protocol_notify, "protocol");
    notify!(connect_local_address_notify, "local-address");
    notify!(connect_timeout_notify, "timeout");
    notify!(connect_enable_proxy_notify, "enable-proxy");
    notify!(connect_tls_notify, "tls");
    notify!(connect_tls_validation_flags_notify, "tls-validation-flags");
    notify!(connect_proxy_resolver_notify, "proxy-resolver");
    notify!(connect_connect_timeout_ms_notify, "connect-timeout-ms");
    notify!(connect_io_timeout_ms_notify, "io-timeout-ms");
    notify!(connect_attempt_delay_ms_notify, "attempt-delay-ms");
    notify!(connect_multipath_notify, "multipath");
}

impl<O: IsA<SocketClient>> SocketClientExt for O {}
