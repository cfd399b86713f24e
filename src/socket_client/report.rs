//! What connecting took.

use std::time::Duration;

use gio::SocketAddress;

/// How a connection came about, or did not: see
/// [`connect_with_report`](crate::SocketClientExt::connect_with_report).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[doc(alias = "GsockConnectReport")]
pub struct ConnectReport {
    /// Every address that was tried, in the order of trying.
    pub attempts: Vec<Attempt>,
    /// Until the first address was known, or it was clear that there is none.
    pub resolve: Duration,
    /// From the beginning of the attempt that succeeded until its connection was there; of all attempts
    /// where none did.
    pub connect: Duration,
    /// What the agreement with a proxy took, if there was one.
    pub proxy: Option<Duration>,
    /// What the TLS handshake took, if there was one.
    pub tls: Option<Duration>,
}

/// One address that was tried.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(alias = "GsockConnectAttempt")]
pub struct Attempt {
    /// Where to.
    pub address: SocketAddress,
    /// When it began, since the beginning of all.
    pub begun: Duration,
    /// Until it came to its end.
    pub took: Duration,
    /// Why it came to nothing: `Cancelled` when another one was faster. None if it succeeded.
    pub error: Option<glib::Error>,
}
