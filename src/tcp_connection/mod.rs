//! The connection over TCP.

pub(crate) mod imp;

use std::time::Duration;

use gio::prelude::*;
use glib::subclass::prelude::*;
use glib_macros::Enum;

pub use crate::transport::KeepaliveParams;
use crate::{
    SocketConnection, halves::futures_io, socket_connection::inherent_connect,
    transport::Transport, vfunc::fenced_handler,
};

glib::wrapper! {
    /// A connection over TCP/IP.
    ///
    /// # Graceful disconnect
    ///
    /// With `graceful-disconnect` set, a close first shuts the sending side down and waits until
    /// the peer has closed its side too, throwing away what it still sends, so that the peer surely
    /// read everything. The wait has a limit for the whole of it: the socket's timeout, 30 seconds
    /// where there is none. Whatever its outcome, the socket is closed. Merely dropping a
    /// connection never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{Liveness, TcpConnection, prelude::*};
    ///
    /// fn prepare(connection: &TcpConnection) -> Result<(), glib::Error> {
    ///     connection.set_no_delay(true)?;
    ///     // A peer that is gone without a word is noticed within half a minute.
    ///     connection.set_liveness(Liveness::Interactive)
    /// }
    /// ```
    #[doc(alias = "GsockTcpConnection")]
    #[doc(alias = "GTcpConnection")]
    pub struct TcpConnection(ObjectSubclass<imp::TcpConnection>)
        @extends SocketConnection, gio::IOStream;
}

const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::TcpConnection>();
};

inherent_connect!(TcpConnection);
futures_io!(TcpConnection);

impl TcpConnection {
    /// No connection, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;
}

/// How soon a connection whose peer went away without a word is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[enum_type(name = "GsockLiveness")]
#[doc(alias = "GsockLiveness")]
#[non_exhaustive]
#[repr(i32)]
pub enum Liveness {
    /// The system's defaults: hours while idle, a quarter of an hour while sending.
    #[enum_value(name = "GSOCK_LIVENESS_OFF", nick = "off")]
    Off = 0,
    /// Within five minutes, at little cost for radio and battery.
    #[enum_value(name = "GSOCK_LIVENESS_BACKGROUND", nick = "background")]
    Background = 1,
    /// Within half a minute: somebody is looking at it.
    #[enum_value(name = "GSOCK_LIVENESS_INTERACTIVE", nick = "interactive")]
    Interactive = 2,
}

/// The methods of [`TcpConnection`] and every type that derives from it.
///
/// All options answer `Closed` on a closed connection, and the system's own error, such as
/// `InvalidArgument`, for a value that it does not take. They belong to the socket: after
/// [`set_socket`](crate::SocketConnectionExt::set_socket) they are the new one's.
pub trait TcpConnectionExt: IsA<TcpConnection> + 'static {
    /// Whether a close waits for the peer to close too.
    ///
    /// GIO: TCP-3.
    #[doc(alias = "gsock_tcp_connection_get_graceful_disconnect")]
    #[doc(alias = "g_tcp_connection_get_graceful_disconnect")]
    #[doc(alias = "get_graceful_disconnect")]
    #[doc(alias = "graceful-disconnect")]
    fn is_graceful_disconnect(&self) -> bool {
        self.upcast_ref().imp().is_graceful()
    }

    /// Sets whether a close waits for the peer to close too.
    ///
    /// GIO: TCP-3.
    #[doc(alias = "gsock_tcp_connection_set_graceful_disconnect")]
    #[doc(alias = "g_tcp_connection_set_graceful_disconnect")]
    #[doc(alias = "graceful-disconnect")]
    fn set_graceful_disconnect(&self, graceful_disconnect: bool) {
        self.upcast_ref().imp().set_graceful(graceful_disconnect);
    }

    /// Calls `f` whenever `graceful-disconnect` has changed.
    fn connect_graceful_disconnect_notify<F: Fn(&Self) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_notify_local(Some("graceful-disconnect"), move |connection, _| {
            fenced_handler("graceful-disconnect", || f(connection));
        })
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    #[doc(alias = "gsock_tcp_connection_get_no_delay")]
    fn no_delay(&self) -> Result<bool, glib::Error> {
        transport(self).no_delay()
    }

    /// Sets whether small writes are sent at once, rather than gathered while data is unacknowledged
    /// (RFC 896, `TCP_NODELAY`).
    #[doc(alias = "gsock_tcp_connection_set_no_delay")]
    fn set_no_delay(&self, no_delay: bool) -> Result<(), glib::Error> {
        transport(self).set_no_delay(no_delay)
    }

    /// The keep-alive probes, or `None` when none are sent.
    #[doc(alias = "gsock_tcp_connection_get_keepalive_params")]
    fn keepalive_params(&self) -> Result<Option<KeepaliveParams>, glib::Error> {
        transport(self).keepalive()
    }

    /// Sends keep-alive probes (RFC 9293, 3.8.4): the first after `idle`, then every `interval`;
    /// `count` unanswered ones end the connection with `TimedOut`.
    ///
    /// Times are rounded up to whole seconds, which is what the system takes.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for zero, and for more than the system takes (32767 seconds, 127 probes).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gio::prelude::*;
    /// use gsock::{SocketClient, TcpConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let connection = SocketClient::new().connect_to_host("127.0.0.1", port, gio::Cancellable::NONE)?;
    /// let connection = connection.downcast::<TcpConnection>().expect("over TCP");
    /// let (idle, interval) = (Duration::from_secs(20), Duration::from_secs(5));
    /// connection.set_keepalive_params(idle, interval, 3)?;
    /// assert_eq!(connection.keepalive_params()?.map(|it| it.count), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_tcp_connection_set_keepalive_params")]
    fn set_keepalive_params(
        &self,
        idle: Duration,
        interval: Duration,
        count: u32,
    ) -> Result<(), glib::Error> {
        transport(self).set_keepalive(Some(KeepaliveParams {
            idle,
            interval,
            count,
        }))
    }

    /// How long sent data may stay unacknowledged; zero is the system's default.
    #[doc(alias = "gsock_tcp_connection_get_user_timeout")]
    fn user_timeout(&self) -> Result<Duration, glib::Error> {
        transport(self).user_timeout()
    }

    /// Ends the connection with `TimedOut` when sent data stays unacknowledged for so long
    /// (RFC 5482, `TCP_USER_TIMEOUT`). Zero is the system's default.
    ///
    /// Rounded up to whole milliseconds.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for more than 2³¹ − 1 milliseconds, `NotSupported` where the system has no
    /// such limit, or none for this socket, as for one of Multipath TCP.
    #[doc(alias = "gsock_tcp_connection_set_user_timeout")]
    fn set_user_timeout(&self, timeout: Duration) -> Result<(), glib::Error> {
        transport(self).set_user_timeout(timeout)
    }

    /// Whether a close resets the connection.
    #[doc(alias = "gsock_tcp_connection_get_linger_zero")]
    fn linger_zero(&self) -> Result<bool, glib::Error> {
        transport(self).linger_zero()
    }

    /// Sets whether a close resets the connection at once and throws away what is not sent yet
    /// (`SO_LINGER` with zero seconds). There is no other linger: it would block.
    #[doc(alias = "gsock_tcp_connection_set_linger_zero")]
    fn set_linger_zero(&self, linger_zero: bool) -> Result<(), glib::Error> {
        transport(self).set_linger_zero(linger_zero)
    }

    /// Sets keep-alive probes and the limit for unacknowledged data, both of them, so that a peer
    /// that went away without a word is noticed in the time that `liveness` says: `state` turns
    /// `Disconnected`, and operations end with `TimedOut`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{Liveness, SocketClient, TcpConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let connection = SocketClient::new().connect_to_host("127.0.0.1", port, gio::Cancellable::NONE)?;
    /// let connection = connection.downcast::<TcpConnection>().expect("over TCP");
    /// // Somebody is looking at the window: half a minute, and `state` says so.
    /// connection.set_liveness(Liveness::Interactive)?;
    /// assert!(connection.keepalive_params()?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_tcp_connection_set_liveness")]
    fn set_liveness(&self, liveness: Liveness) -> Result<(), glib::Error> {
        let (params, timeout) = match liveness {
            Liveness::Off => (None, Duration::ZERO),
            Liveness::Background => (Some(probes(120, 30, 5)), Duration::from_secs(270)),
            Liveness::Interactive => (Some(probes(10, 5, 3)), Duration::from_secs(25)),
        };
        let transport = transport(self);
        transport.set_keepalive(params)?;
        match transport.set_user_timeout(timeout) {
            // The probes alone still notice an idle peer.
            Err(failure) if failure.matches(gio::IOErrorEnum::NotSupported) => Ok(()),
            result => result,
        }
    }
}

impl<O: IsA<TcpConnection>> TcpConnectionExt for O {}

fn transport(connection: &impl IsA<TcpConnection>) -> std::sync::Arc<Transport> {
    connection
        .upcast_ref::<TcpConnection>()
        .upcast_ref::<SocketConnection>()
        .imp()
        .transport()
}

fn probes(idle: u64, interval: u64, count: u32) -> KeepaliveParams {
    KeepaliveParams {
        idle: Duration::from_secs(idle),
        interval: Duration::from_secs(interval),
        count,
    }
}
