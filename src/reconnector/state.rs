use glib_macros::Enum;

/// What a [`Reconnector`](super::Reconnector) is at.
///
/// The value of its `state` property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enum)]
#[enum_type(name = "GsockReconnectorState")]
#[doc(alias = "GsockReconnectorState")]
#[non_exhaustive]
#[repr(i32)]
pub enum ReconnectorState {
    /// Nothing: not started yet, or stopped.
    #[enum_value(name = "GSOCK_RECONNECTOR_STATE_STOPPED", nick = "stopped")]
    Stopped = 0,
    /// The network is away, or has come back just now. An attempt follows when it has been there for
    /// `debounce-ms`.
    #[enum_value(
        name = "GSOCK_RECONNECTOR_STATE_WAITING_FOR_NETWORK",
        nick = "waiting-for-network"
    )]
    WaitingForNetwork = 1,
    /// The next attempt has its time, which has not come.
    #[enum_value(name = "GSOCK_RECONNECTOR_STATE_DELAYING", nick = "delaying")]
    Delaying = 2,
    /// An attempt is under way, or about to be.
    #[enum_value(name = "GSOCK_RECONNECTOR_STATE_CONNECTING", nick = "connecting")]
    Connecting = 3,
    /// There is a connection.
    #[enum_value(name = "GSOCK_RECONNECTOR_STATE_CONNECTED", nick = "connected")]
    Connected = 4,
    /// `max-attempts` have been made, and there is no connection.
    #[enum_value(name = "GSOCK_RECONNECTOR_STATE_GIVEN_UP", nick = "given-up")]
    GivenUp = 5,
}
