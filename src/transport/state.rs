use glib_macros::Enum;

/// Where a connection stands in its life.
///
/// The value of the `state` property. It follows the socket without anybody reading from it: a
/// peer that goes away is seen within one iteration of the main loop that the connection lives on.
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
