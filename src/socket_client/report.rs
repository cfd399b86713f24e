//! What connecting took. A connection keeps it without knowing what it is.

#![allow(
    unsafe_code,
    reason = "data that an object carries has no type that the compiler knows"
)]

use std::time::Duration;

use gio::{SocketAddress, prelude::*};
use once_cell::sync::Lazy;

use crate::SocketConnection;

/// How a connection came about, or did not: see [`connect_report`](ConnectReportExt::connect_report) and
/// [`connect_with_report`](crate::SocketClientExt::connect_with_report).
#[derive(Clone, Debug, Default, glib::Boxed)]
#[boxed_type(name = "GsockConnectReport")]
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
    /// What all of it has come to. In Rust it comes beside the report.
    pub(super) failure: Option<glib::Error>,
}

impl ConnectReport {
    /// Nothing has come of it.
    pub(super) fn fail(&mut self, failure: &glib::Error) {
        self.failure = Some(failure.clone());
        let begun = self.attempts.iter().map(|it| it.begun).min();
        let ended = self.attempts.iter().map(|it| it.begun + it.took).max();
        self.connect = ended.unwrap_or_default() - begun.unwrap_or_default();
    }

    /// For the C face.
    #[doc(hidden)]
    #[must_use]
    pub fn failure(&self) -> Option<&glib::Error> {
        self.failure.as_ref()
    }
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

/// How a connection was made: a method of [`SocketConnection`] and of every type that derives from it.
pub trait ConnectReportExt: IsA<SocketConnection> + 'static {
    /// What it took to make this connection, if a [`SocketClient`](crate::SocketClient) has made it. It is there from the
    /// event `Complete` on and stays as it is, whatever becomes of the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketClient, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let host = listener.local_addr()?.to_string();
    /// let connection = SocketClient::new().connect_to_host(&host, 0, gio::Cancellable::NONE)?;
    /// let report = connection.connect_report().expect("a client has made it");
    /// assert_eq!(report.attempts.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_connection_get_connect_report")]
    fn connect_report(&self) -> Option<ConnectReport> {
        let connection: &SocketConnection = self.upcast_ref();
        // SAFETY: `keep` alone knows the quark, and leaves nothing else.
        let report = unsafe { connection.qdata::<ConnectReport>(*REPORT) };
        // SAFETY: it was left before anybody else had the connection, and stays as long as that does.
        report.map(|report| unsafe { report.as_ref() }.clone())
    }
}

impl<O: IsA<SocketConnection>> ConnectReportExt for O {}

// Any thread may ask, and be the last that has the connection.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<ConnectReport>();
};

static REPORT: Lazy<glib::Quark> = Lazy::new(|| glib::Quark::from_str("gsock-connect-report"));

/// Leaves it with the connection that was made.
pub(crate) fn keep(connection: &SocketConnection, report: ConnectReport) {
    // SAFETY: a quark of ours, which stands for this type only.
    unsafe { connection.set_qdata(*REPORT, report) };
}
