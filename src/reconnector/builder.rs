use std::time::Duration;

use gio::prelude::*;

use super::Reconnector;
use crate::SocketClient;

/// Makes a [`Reconnector`] with other properties than the defaults: see [`Reconnector::builder`].
#[must_use = "it makes nothing before `build`"]
#[derive(Debug)]
pub struct ReconnectorBuilder(Reconnector);

impl ReconnectorBuilder {
    pub(super) fn new(client: &SocketClient, connectable: &gio::SocketConnectable) -> Self {
        let made = glib::Object::builder()
            .property("client", client)
            .property("connectable", connectable)
            .build();
        Self(made)
    }

    /// Sets `network-monitor`; none for nobody's word.
    pub fn network_monitor(self, monitor: Option<&impl IsA<gio::NetworkMonitor>>) -> Self {
        self.0.set_network_monitor(monitor);
        self
    }

    /// Sets `initial-delay-ms`.
    pub fn initial_delay(self, delay: Duration) -> Self {
        self.0.set_initial_delay(delay);
        self
    }

    /// Sets `max-delay-ms`.
    pub fn max_delay(self, delay: Duration) -> Self {
        self.0.set_max_delay(delay);
        self
    }

    /// Sets `jitter`.
    pub fn jitter(self, part: f64) -> Self {
        self.0.set_jitter(part);
        self
    }

    /// Sets `max-attempts`.
    pub fn max_attempts(self, most: u32) -> Self {
        self.0.set_max_attempts(most);
        self
    }

    /// Sets `stable-after-ms`.
    pub fn stable_after(self, duration: Duration) -> Self {
        self.0.set_stable_after(duration);
        self
    }

    /// Sets `debounce-ms`.
    pub fn debounce(self, duration: Duration) -> Self {
        self.0.set_debounce(duration);
        self
    }

    /// Sets `reconnect`.
    pub fn reconnect(self, reconnect: bool) -> Self {
        self.0.set_reconnect(reconnect);
        self
    }

    /// What was built.
    #[must_use]
    pub fn build(self) -> Reconnector {
        self.0
    }
}
