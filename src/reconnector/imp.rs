//! State of a [`Reconnector`](super::Reconnector).

use std::sync::Arc;

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingType, subclass::Signal};
use once_cell::sync::Lazy;

use super::{
    ReconnectorState,
    driving::Driving,
    network::Network,
    policy::{Moment, Settings},
    shared::Shared,
};
use crate::{
    SocketClient, SocketConnection,
    fence::{fence, fence_or},
    living::{self, Living},
    vfunc::Owned,
};

/// In milliseconds, as the properties.
pub(super) const INITIAL_DELAY: u32 = 500;
const MAX_DELAY: u32 = 30_000;
const STABLE_AFTER: u32 = 10_000;
const DEBOUNCE: u32 = 1_000;
const JITTER: f64 = 0.5;

#[derive(Debug)]
pub struct Reconnector {
    shared: Arc<Shared>,
    network: Network,
    _living: Living<{ living::RECONNECTOR }>,
}

#[glib::object_subclass]
impl ObjectSubclass for Reconnector {
    const NAME: &'static str = "GsockReconnector";
    type Type = super::Reconnector;
    type ParentType = glib::Object;

    fn type_init(_type: &mut InitializingType<Self>) {
        // What the class names, before it is initialised: see the connection's.
        for type_ in [
            SocketClient::static_type(),
            SocketConnection::static_type(),
            gio::SocketConnectable::static_type(),
            gio::NetworkMonitor::static_type(),
            gio::IOStream::static_type(),
            ReconnectorState::static_type(),
            glib::Error::static_type(),
        ] {
            debug_assert!(type_.is_valid());
        }
    }

    fn new() -> Self {
        let shared = Shared::here(Settings {
            initial_delay: microseconds(INITIAL_DELAY),
            max_delay: microseconds(MAX_DELAY),
            jitter: JITTER,
            max_attempts: 0,
            stable_after: microseconds(STABLE_AFTER),
            debounce: microseconds(DEBOUNCE),
            reconnect: true,
        });
        Self {
            shared,
            network: Network::default(),
            _living: Living::default(),
        }
    }
}

impl ObjectImpl for Reconnector {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            let only = ParamFlags::READWRITE | ParamFlags::CONSTRUCT_ONLY;
            let own = ParamFlags::READWRITE | ParamFlags::EXPLICIT_NOTIFY;
            let read = ParamFlags::READABLE | ParamFlags::EXPLICIT_NOTIFY;
            let milliseconds = |name, least, default| {
                glib::ParamSpecUInt::builder(name)
                    .minimum(least)
                    .default_value(default)
                    .flags(own)
                    .build()
            };
            let number = |name, flags| glib::ParamSpecUInt::builder(name).flags(flags).build();
            vec![
                glib::ParamSpecObject::builder::<SocketClient>("client")
                    .flags(only)
                    .build(),
                glib::ParamSpecObject::builder::<gio::SocketConnectable>("connectable")
                    .flags(only)
                    .build(),
                glib::ParamSpecObject::builder::<gio::NetworkMonitor>("network-monitor")
                    .flags(own)
                    .build(),
                milliseconds("initial-delay-ms", 1, INITIAL_DELAY),
                milliseconds("max-delay-ms", 1, MAX_DELAY),
                glib::ParamSpecDouble::builder("jitter")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(JITTER)
                    .flags(own)
                    .build(),
                number("max-attempts", own),
                milliseconds("stable-after-ms", 0, STABLE_AFTER),
                milliseconds("debounce-ms", 0, DEBOUNCE),
                glib::ParamSpecBoolean::builder("reconnect")
                    .default_value(true)
                    .flags(own)
                    .build(),
                glib::ParamSpecEnum::builder_with_default("state", ReconnectorState::Stopped)
                    .flags(read)
                    .build(),
                glib::ParamSpecObject::builder::<SocketConnection>("connection")
                    .flags(read)
                    .build(),
                glib::ParamSpecObject::builder::<gio::IOStream>("io-stream")
                    .flags(read)
                    .build(),
                number("attempt", read),
                number("next-attempt-in-ms", read),
                glib::ParamSpecBoxed::builder::<glib::Error>("last-error")
                    .flags(read)
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: Lazy<Vec<Signal>> = Lazy::new(|| {
            let signal = |name, types: &[glib::Type]| {
                Signal::builder(name)
                    .param_types(types.iter().copied())
                    .run_last()
                    .build()
            };
            let (number, failure) = (u32::static_type(), glib::Error::static_type());
            vec![
                signal("attempt", &[number]),
                signal("attempt-failed", &[number, failure, number]),
                signal("connected", &[gio::IOStream::static_type()]),
                signal("disconnected", &[failure]),
                signal("given-up", &[failure]),
            ]
        });
        &SIGNALS
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            // GObject has checked type and range of the value.
            let name = pspec.name();
            macro_rules! set {
                ($field:ident, $of:expr) => {
                    if let Ok(value) = value.get() {
                        self.set(name, |settings| &mut settings.$field, $of(value));
                    }
                };
            }
            match name {
                "client" => {
                    if let Ok(Some(client)) = value.get() {
                        // GObject sets it once.
                        let _ = self.shared.client.set(Owned::new(client));
                    }
                }
                "connectable" => {
                    if let Ok(Some(connectable)) = value.get() {
                        // Likewise.
                        let _ = self.shared.connectable.set(Owned::new(connectable));
                    }
                }
                "network-monitor" => {
                    if let Ok(monitor) = value.get() {
                        self.set_network_monitor(monitor);
                    }
                }
                "initial-delay-ms" => set!(initial_delay, microseconds),
                "max-delay-ms" => set!(max_delay, microseconds),
                "jitter" => {
                    if let Ok(value) = value.get() {
                        self.set_jitter(value);
                    }
                }
                "max-attempts" => set!(max_attempts, |value: u32| value),
                "stable-after-ms" => set!(stable_after, microseconds),
                "debounce-ms" => set!(debounce, microseconds),
                "reconnect" => set!(reconnect, |value: bool| value),
                // GObject asks for no others.
                _ => {}
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            match pspec.name() {
                "client" => self.client().to_value(),
                "connectable" => self.connectable().to_value(),
                "network-monitor" => self.network.monitor().to_value(),
                "initial-delay-ms" => milliseconds(self.settings().initial_delay).to_value(),
                "max-delay-ms" => milliseconds(self.settings().max_delay).to_value(),
                "jitter" => self.settings().jitter.to_value(),
                "max-attempts" => self.settings().max_attempts.to_value(),
                "stable-after-ms" => milliseconds(self.settings().stable_after).to_value(),
                "debounce-ms" => milliseconds(self.settings().debounce).to_value(),
                "reconnect" => self.settings().reconnect.to_value(),
                "state" => self.state().to_value(),
                "connection" => self.connection().to_value(),
                "io-stream" => self.io_stream().to_value(),
                "attempt" => self.attempt().to_value(),
                "next-attempt-in-ms" => self.next_attempt_in().to_value(),
                "last-error" => self.last_error().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            self.shared.set_object(self.obj().upcast_ref());
            if self.shared.client.get().is_none() || self.shared.connectable.get().is_none() {
                glib::g_critical!(
                    "Gsock",
                    "a GsockReconnector was built without a client or a connectable"
                );
            }
        });
    }

    fn dispose(&self) {
        fence_or((), || {
            self.network.forget();
            self.shared.end();
        });
    }
}

impl Reconnector {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    // --- What somebody wants ---------------------------------------------------------------------

    pub(super) fn start(&self) {
        self.network.tell(&self.shared);
        // Before anything is told: a handler may run a loop until there is a connection.
        if self.shared.begin_task() {
            let driving = Driving::new(&self.shared);
            self.shared
                .home
                .engine
                .spawn(glib::Priority::DEFAULT, driving);
        }
        self.shared.start();
    }

    // --- What there is to know -------------------------------------------------------------------

    pub(super) fn settings(&self) -> Settings {
        *self.shared.inner().policy.settings()
    }

    pub(super) fn set<T: PartialEq>(
        &self,
        name: &str,
        field: impl FnOnce(&mut Settings) -> &mut T,
        value: T,
    ) {
        let differs = {
            let mut inner = self.shared.inner();
            let field = field(inner.policy.settings_mut());
            let differs = *field != value;
            *field = value;
            differs
        };
        if differs {
            self.obj().notify(name);
        }
    }

    pub(super) fn set_jitter(&self, value: f64) {
        // No number is no part.
        let value = if value.is_nan() {
            0.0
        } else {
            value.clamp(0.0, 1.0)
        };
        self.set("jitter", |settings| &mut settings.jitter, value);
    }

    pub(super) fn client(&self) -> Option<SocketClient> {
        self.shared.client.get().map(|it| it.get().clone())
    }

    pub(super) fn connectable(&self) -> Option<gio::SocketConnectable> {
        self.shared.connectable.get().map(|it| it.get().clone())
    }

    pub(super) fn network_monitor(&self) -> Option<gio::NetworkMonitor> {
        self.network.monitor()
    }

    pub(super) fn set_network_monitor(&self, monitor: Option<gio::NetworkMonitor>) {
        if !self.network.set_monitor(monitor) {
            return;
        }
        if self.state() != ReconnectorState::Stopped {
            self.network.tell(&self.shared);
        }
        self.obj().notify("network-monitor");
    }

    pub(super) fn state(&self) -> ReconnectorState {
        self.shared.deliver();
        self.shared.inner().policy.state()
    }

    pub(super) fn connection(&self) -> Option<SocketConnection> {
        self.shared.deliver();
        self.shared.inner().connection()
    }

    pub(super) fn io_stream(&self) -> Option<gio::IOStream> {
        self.shared.deliver();
        self.shared.inner().stream()
    }

    pub(super) fn attempt(&self) -> u32 {
        self.shared.deliver();
        self.shared.inner().policy.attempt()
    }

    /// In milliseconds, rounded up; 0 for none.
    pub(super) fn next_attempt_in(&self) -> u32 {
        self.shared.deliver();
        let due = self.shared.inner().policy.due();
        due.map_or(0, |due| {
            milliseconds(due.saturating_sub(glib::monotonic_time()).max(0))
        })
    }

    pub(super) fn last_error(&self) -> Option<glib::Error> {
        self.shared.deliver();
        self.shared.inner().last_error.clone()
    }
}

pub(super) fn microseconds(milliseconds: u32) -> Moment {
    i64::from(milliseconds) * 1_000
}

/// Rounded up.
pub(super) fn milliseconds(microseconds: Moment) -> u32 {
    let microseconds = u64::try_from(microseconds).unwrap_or(0);
    u32::try_from(microseconds.div_ceil(1_000)).unwrap_or(u32::MAX)
}
