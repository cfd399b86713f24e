use glib_macros::Enum;

/// Where a connection stands in its life.
///
/// The value of the `state` property. It follows the socket without anybody reading from it: a
/// peer that goes away is seen within one iteration of the main loop that the connection lives on.
///
/// # Examples
///
/// ```
/// use std::os::{fd::OwnedFd, unix::net::UnixStream};
/// use gio::prelude::*;
/// use gsock::{ConnectionState, SocketConnection, prelude::*};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (one, other) = UnixStream::pair()?;
/// let [one, other] = [one, other].map(|end| {
///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
/// });
/// let (one, other) = (one?, other?);
/// assert_eq!(other.state(), ConnectionState::Connected);
/// one.close(gio::Cancellable::NONE)?;
/// // The loop runs on; nobody reads.
/// while other.state() == ConnectionState::Connected {
///     glib::MainContext::default().iteration(true);
/// }
/// assert_eq!(other.state(), ConnectionState::Disconnected);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enum)]
#[enum_type(name = "GsockConnectionState")]
#[doc(alias = "GsockConnectionState")]
#[non_exhaustive]
#[repr(i32)]
pub enum ConnectionState {
    /// Nobody is at the other end, and nobody is being called.
    #[enum_value(name = "GSOCK_CONNECTION_STATE_UNCONNECTED", nick = "unconnected")]
    Unconnected = 0,
    /// A connect is under way.
    #[enum_value(name = "GSOCK_CONNECTION_STATE_CONNECTING", nick = "connecting")]
    Connecting = 1,
    /// There is a peer.
    #[enum_value(name = "GSOCK_CONNECTION_STATE_CONNECTED", nick = "connected")]
    Connected = 2,
    /// The peer is gone (it closed, reset the connection or stopped answering) and we have not
    /// closed yet. What it sent before can still be read.
    #[enum_value(name = "GSOCK_CONNECTION_STATE_DISCONNECTED", nick = "disconnected")]
    Disconnected = 3,
    /// Closed by us; also around a socket that was closed without the connection, which itself is then
    /// not closed and may be given another socket.
    #[enum_value(name = "GSOCK_CONNECTION_STATE_CLOSED", nick = "closed")]
    Closed = 4,
}
