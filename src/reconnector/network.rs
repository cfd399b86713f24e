//! What a monitor says of the network.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use gio::prelude::*;

use super::shared::Shared;
use crate::vfunc::Owned;

/// Whom to ask.
#[derive(Debug, Default)]
enum Monitor {
    /// GIO's, which is not loaded before somebody needs it.
    #[default]
    Default,
    Given(Owned<gio::NetworkMonitor>),
    Nobody,
}

impl Monitor {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Given(one), Self::Given(other)) => one.get() == other.get(),
            (Self::Nobody, Self::Nobody) => true,
            _ => false,
        }
    }
}

/// The monitor of a reconnector, and the handlers by which that hears of it.
#[derive(Debug, Default)]
pub(super) struct Network(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    monitor: Monitor,
    heard: Option<(Owned<gio::NetworkMonitor>, Vec<glib::SignalHandlerId>)>,
}

impl Network {
    /// Nothing that belongs to somebody else is called or dropped while it is held.
    fn state(&self) -> MutexGuard<'_, State> {
        // Each field is exchanged whole: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The monitor, which is loaded if need be.
    pub(super) fn monitor(&self) -> Option<gio::NetworkMonitor> {
        let given = match &self.state().monitor {
            Monitor::Default => None,
            Monitor::Given(monitor) => return Some(monitor.get().clone()),
            Monitor::Nobody => return None,
        };
        given.or_else(|| Some(gio::NetworkMonitor::default()))
    }

    /// Answers whether it is another one.
    pub(super) fn set_monitor(&self, monitor: Option<gio::NetworkMonitor>) -> bool {
        let monitor = monitor.map_or(Monitor::Nobody, |monitor| {
            Monitor::Given(Owned::new(monitor))
        });
        let before = {
            let mut state = self.state();
            if state.monitor.is_same(&monitor) {
                return false;
            }
            mem::replace(&mut state.monitor, monitor)
        };
        drop(before);
        self.forget();
        true
    }

    /// Has `shared` know of the network from now on, unless what it connects to is on this machine.
    pub(super) fn tell(&self, shared: &Arc<Shared>) {
        if self.state().heard.is_some() {
            return;
        }
        let is_near = shared
            .connectable
            .get()
            .is_none_or(|connectable| is_on_this_machine(connectable.get()));
        let monitor = if is_near { None } else { self.monitor() };
        let Some(monitor) = monitor else {
            shared.network(true, true);
            return;
        };
        let handlers = ["network-changed", "notify::network-available"]
            .map(|signal| {
                let shared = Arc::downgrade(shared);
                monitor.connect(signal, false, move |values| {
                    changed(&shared, values);
                    None
                })
            })
            .into();
        let before = self
            .state()
            .heard
            .replace((Owned::new(monitor.clone()), handlers));
        disconnect(before);
        shared.network(monitor.is_network_available(), true);
    }

    /// Hears no more of it.
    pub(super) fn forget(&self) {
        let heard = self.state().heard.take();
        disconnect(heard);
    }
}

fn disconnect(heard: Option<(Owned<gio::NetworkMonitor>, Vec<glib::SignalHandlerId>)>) {
    if let Some((monitor, handlers)) = heard {
        for handler in handlers {
            monitor.get().disconnect(handler);
        }
    }
}

/// On whatever thread the monitor lives.
fn changed(shared: &Weak<Shared>, values: &[glib::Value]) {
    let monitor = values
        .first()
        .and_then(|value| value.get::<gio::NetworkMonitor>().ok());
    if let (Some(shared), Some(monitor)) = (shared.upgrade(), monitor) {
        shared.network(monitor.is_network_available(), false);
    }
}

/// Whether no network is needed to reach it, as far as it says by itself.
fn is_on_this_machine(connectable: &gio::SocketConnectable) -> bool {
    if connectable.is::<gio::UnixSocketAddress>() {
        return true;
    }
    if connectable.is::<gio::ProxyAddress>() {
        // Whatever stands behind the proxy.
        return false;
    }
    if let Some(address) = connectable.downcast_ref::<gio::InetSocketAddress>() {
        return address.address().is_loopback();
    }
    let Some(name) = connectable.downcast_ref::<gio::NetworkAddress>() else {
        return false;
    };
    let name = name.hostname();
    let name = name.trim_end_matches('.');
    let is_under = |name: &str| name.eq_ignore_ascii_case("localhost");
    is_under(name)
        || name
            .rsplit_once('.')
            .is_some_and(|(_, last)| is_under(last))
        || gio::InetAddress::from_string(name).is_some_and(|address| address.is_loopback())
}
