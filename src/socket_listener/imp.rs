//! State of a [`SocketListener`](super::SocketListener).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use gio::{SocketListenerEvent, prelude::*, subclass::prelude::*};
use glib::{
    ParamFlags, ParamSpec, Value,
    subclass::{InitializingType, Signal},
};
use once_cell::sync::{Lazy, OnceCell};

use super::{accept::Accept, limits::Settings, sockets::Sockets};
use crate::{
    fence::{fence, fence_or},
    living::{self, Living},
    subclass::{SocketListenerClass, SocketListenerInstance, socket_listener},
};

pub(super) const DEFAULT_BACKLOG: i32 = 10;
pub(super) const MOST_BACKLOG: i32 = 2000;

/// What has become of a listener's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// There are more of them.
    Grew,
    Closed,
}

type Watcher = Box<dyn Fn(Change) + Send + Sync>;

#[derive(Default)]
pub struct SocketListener {
    pub(super) sockets: Arc<Sockets>,
    backlog: AtomicI32,
    /// Whoever derives from this within the crate, and has to know at once.
    watcher: OnceCell<Watcher>,
    /// A service takes the connections.
    is_served: AtomicBool,
    _living: Living<{ living::SOCKET_LISTENER }>,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketListener {
    const NAME: &'static str = "GsockSocketListener";
    type Type = super::SocketListener;
    type ParentType = glib::Object;
    type Instance = SocketListenerInstance;
    type Class = SocketListenerClass;

    fn type_init(_type: &mut InitializingType<Self>) {
        // What the class names, before it is initialised: see the connection's.
        for type_ in [
            SocketListenerEvent::static_type(),
            gio::Socket::static_type(),
        ] {
            debug_assert!(type_.is_valid());
        }
    }
}

impl ObjectImpl for SocketListener {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecInt::builder("listen-backlog")
                    .minimum(0)
                    .maximum(MOST_BACKLOG)
                    .default_value(DEFAULT_BACKLOG)
                    .flags(ParamFlags::READWRITE | ParamFlags::CONSTRUCT)
                    .build(),
                glib::ParamSpecUInt::builder("max-connections").build(),
                glib::ParamSpecUInt::builder("max-connections-per-peer").build(),
                glib::ParamSpecUInt::builder("accept-rate").build(),
                glib::ParamSpecUInt64::builder("accepted")
                    .read_only()
                    .build(),
                glib::ParamSpecUInt64::builder("refused")
                    .read_only()
                    .build(),
                glib::ParamSpecUInt::builder("active-connections")
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: Lazy<Vec<Signal>> = Lazy::new(|| {
            let event = Signal::builder("event")
                .param_types([
                    SocketListenerEvent::static_type(),
                    gio::Socket::static_type(),
                ])
                .run_last()
                .class_handler(|values| {
                    let mut values = values.iter();
                    if let Some(Ok(listener)) =
                        values.next().map(Value::get::<super::SocketListener>)
                        && let Some(Ok(event)) = values.next().map(Value::get)
                        && let Some(Ok(socket)) = values.next().map(Value::get)
                    {
                        socket_listener::call_event(&listener, event, &socket);
                    }
                    None
                });
            vec![event.build()]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            self.sockets.limits.teller().set_object(&*self.obj());
        });
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            // GObject has checked type and range of the value, and asks for no other property.
            if pspec.name() == "listen-backlog"
                && let Ok(backlog) = value.get()
            {
                self.set_backlog(backlog);
            }
            if let Ok(limit) = value.get() {
                self.set_limit(pspec.name(), limit);
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            match pspec.name() {
                "listen-backlog" => self.backlog().to_value(),
                "max-connections" => self.limits().max_connections.to_value(),
                "max-connections-per-peer" => self.limits().max_connections_per_peer.to_value(),
                "accept-rate" => self.limits().accept_rate.to_value(),
                "accepted" => self.sockets.limits.accepted().to_value(),
                "refused" => self.sockets.limits.refused().to_value(),
                "active-connections" => self.sockets.limits.active().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }
}

impl Drop for SocketListener {
    fn drop(&mut self) {
        self.sockets.limits.teller().forget_object();
        self.sockets.abandon();
    }
}

impl SocketListener {
    /// One who takes connections from this listener's sockets, which he keeps; the listener he does not.
    pub(crate) fn accept(&self, cancellable: Option<&gio::Cancellable>) -> Accept {
        Accept::new(&self.sockets, cancellable)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sockets.is_closed()
    }

    pub(crate) fn has_sockets(&self) -> bool {
        !self.sockets.see().all.is_empty()
    }

    /// Calls `watcher` after each change, on the thread that has made it, with no lock held. There is one.
    pub(crate) fn set_watcher(&self, watcher: impl Fn(Change) + Send + Sync + 'static) {
        // Called once, where the instance is made.
        let _ = self.watcher.set(Box::new(watcher));
    }

    pub(super) fn tell(&self, change: Change) {
        if let Some(watcher) = self.watcher.get() {
            watcher(change);
        }
    }

    /// Whether a service takes the connections from now on.
    pub(crate) fn set_served(&self, is_served: bool) {
        self.is_served.store(is_served, Ordering::Release);
    }

    pub(super) fn is_served(&self) -> bool {
        self.is_served.load(Ordering::Acquire)
    }

    /// There are more sockets.
    pub(super) fn changed(&self) {
        self.tell(Change::Grew);
        socket_listener::call_changed(&self.obj());
    }

    pub(super) fn backlog(&self) -> i32 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// What is out of range is taken for the nearest that is not.
    pub(super) fn set_backlog(&self, backlog: i32) {
        let sockets = self.sockets.see();
        if sockets.is_closed {
            return;
        }
        let backlog = backlog.clamp(0, MOST_BACKLOG);
        if self.backlog.swap(backlog, Ordering::Relaxed) == backlog {
            return;
        }
        for listening in sockets.all.iter() {
            listening.transport().set_backlog(backlog);
        }
        self.obj().notify("listen-backlog");
    }

    pub(super) fn limits(&self) -> Settings {
        self.sockets.limits.settings()
    }

    /// By the property's name; other names are none of a limit.
    pub(super) fn set_limit(&self, name: &str, limit: u32) {
        let differs = self.sockets.set_limits(|settings| match name {
            "max-connections" => settings.max_connections = limit,
            "max-connections-per-peer" => settings.max_connections_per_peer = limit,
            "accept-rate" => settings.accept_rate = limit,
            _ => {}
        });
        if differs {
            self.obj().notify(name);
        }
    }

    pub(super) fn close(&self) {
        if self.sockets.close() {
            self.tell(Change::Closed);
        }
    }

    /// Emits the signal. Handlers run on this thread.
    pub(super) fn emit(&self, event: SocketListenerEvent, socket: &gio::Socket) {
        self.obj().emit_by_name::<()>("event", &[&event, socket]);
    }
}

impl std::fmt::Debug for SocketListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketListener")
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}
