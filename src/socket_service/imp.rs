//! State of a [`SocketService`](super::SocketService).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingType};
use once_cell::sync::{Lazy, OnceCell};

use super::{accepting::Accepting, control::Control};
use crate::{
    SocketConnection, SocketListener,
    fence::{fence, fence_or},
    home::{Notifier, change},
    living::{self, Living},
    socket_listener::Change,
    subclass::{
        SocketListenerImpl, SocketListenerImplExt, SocketServiceClass, SocketServiceInstance,
        socket_service,
    },
};

/// What a class of ours does before each connection.
type Prepare = Box<dyn Fn() -> Result<(), glib::Error> + Send + Sync>;

pub struct SocketService {
    control: Arc<Control>,
    /// Its home is where the service accepts.
    notifier: Arc<Notifier>,
    prepare: OnceCell<Prepare>,
    /// A [`Witness`] of the emission of `incoming` that is under way.
    witness: AtomicU8,
    _living: Living<{ living::SOCKET_SERVICE }>,
}

/// Who may have got hold of the connection that is handed out. What Rust has of an object belongs to its thread, and C
/// knows what it does.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Witness {
    /// Somebody, who emits the signal by himself.
    Emitter,
    /// C, if anybody: the service has made the connection.
    Foreign,
    /// A handler or a class that is written in Rust.
    Rust,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketService {
    const NAME: &'static str = "GsockSocketService";
    type Type = super::SocketService;
    type ParentType = SocketListener;
    type Instance = SocketServiceInstance;
    type Class = SocketServiceClass;

    fn type_init(_type: &mut InitializingType<Self>) {
        // What the class names, before it is initialised: see the connection's.
        for type_ in [SocketConnection::static_type(), glib::Error::static_type()] {
            debug_assert!(type_.is_valid());
        }
    }

    fn class_init(class: &mut Self::Class) {
        socket_service::fill_class(class);
        socket_service::declare_signals();
    }

    fn new() -> Self {
        Self {
            control: Arc::default(),
            notifier: Notifier::new(),
            prepare: OnceCell::new(),
            witness: AtomicU8::new(Witness::Emitter as u8),
            _living: Living::default(),
        }
    }
}

impl ObjectImpl for SocketService {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecBoolean::builder("active")
                    .default_value(true)
                    .flags(ParamFlags::READWRITE | ParamFlags::CONSTRUCT)
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            // GObject has checked the type of the value, and asks for no other property.
            if pspec.name() == "active"
                && let Ok(active) = value.get()
            {
                self.set_active(active);
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            match pspec.name() {
                "active" => self.is_active().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }

    fn dispatch_properties_changed(&self, properties: &[ParamSpec]) {
        fence_or((), || {
            // Set by its name on another thread, `active` is told at home, and not where no handler may run.
            let is_ours = |property: &ParamSpec| {
                property.name() == "active" && property.owner_type() == Self::type_()
            };
            if self.notifier.is_home() || !properties.iter().any(is_ours) {
                return self.parent_dispatch_properties_changed(properties);
            }
            let others: Vec<ParamSpec> = properties
                .iter()
                .filter(|property| !is_ours(property))
                .cloned()
                .collect();
            self.parent_dispatch_properties_changed(&others);
        });
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            self.notifier.set_object(self.obj().upcast_ref(), false);
            let (control, notifier) = (self.control.clone(), self.notifier.clone());
            let object = self.obj();
            let listener = object.upcast_ref::<SocketListener>().imp();
            listener.set_watcher(move |change| {
                if change == Change::Closed && control.close() {
                    notifier.tell(change::ACTIVE);
                }
            });
            self.publish();
        });
    }

    fn dispose(&self) {
        fence_or((), || {
            self.notifier.forget_object();
        });
    }
}

impl SocketListenerImpl for SocketService {
    fn changed(&self) {
        self.parent_changed();
        self.keep_accepting();
    }
}

impl SocketService {
    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Has `prepare` called before each connection, where connections are accepted: while it fails there are none. For
    /// a class of ours, while the instance is being made.
    pub(crate) fn set_prepare(
        &self,
        prepare: impl Fn() -> Result<(), glib::Error> + Send + Sync + 'static,
    ) {
        // There is one such class in any line.
        let _ = self.prepare.set(Box::new(prepare));
    }

    pub(super) fn prepare(&self) -> Result<(), glib::Error> {
        self.prepare.get().map_or(Ok(()), |prepare| prepare())
    }

    pub(super) fn is_active(&self) -> bool {
        self.notifier.catch_up();
        self.control.is_active()
    }

    pub(super) fn set_active(&self, active: bool) {
        self.notifier.catch_up();
        if self.control.set_active(active) {
            self.publish();
            self.keep_accepting();
            self.notifier.tell(change::ACTIVE);
        }
    }

    /// Has the listener know whether its connections are the service's.
    fn publish(&self) {
        let object = self.obj();
        let listener = object.upcast_ref::<SocketListener>().imp();
        self.control.publish(|active| listener.set_served(active));
    }

    /// The listener is closed, and no connection comes any more.
    pub(super) fn close(&self) {
        if self.control.close() {
            self.notifier.tell(change::ACTIVE);
        }
    }

    /// Makes the task that accepts, if there is something to accept and no task.
    fn keep_accepting(&self) {
        let object = self.obj();
        let listener = object.upcast_ref::<SocketListener>().imp();
        if self.control.begin_task(|| listener.has_sockets()) {
            let engine = self.notifier.home().engine;
            engine.spawn(glib::Priority::DEFAULT, Accepting::new(&object));
        }
    }

    /// Hands a connection out, on this thread.
    pub(super) fn emit_incoming(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) {
        self.set_witness(Witness::Foreign);
        socket_service::emit_incoming(&self.obj(), connection, source_object);
        self.set_witness(Witness::Emitter);
    }

    fn set_witness(&self, witness: Witness) {
        // One thread emits, but for who does it by himself.
        self.witness.store(witness as u8, Ordering::Relaxed);
    }

    fn is_witness(&self, witness: Witness) -> bool {
        self.witness.load(Ordering::Relaxed) == witness as u8
    }

    /// Whether this is the thread on which the service was made.
    pub(crate) fn is_home(&self) -> bool {
        self.notifier.is_home()
    }

    /// Something that is written in Rust is about to get the connection that is handed out.
    pub(crate) fn shown_to_rust(&self) {
        if self.is_witness(Witness::Foreign) {
            self.set_witness(Witness::Rust);
        }
    }

    /// Has the task look after a job that has begun with the connection that is handed out. Answers whether somebody on
    /// the home thread may have got hold of the connection in Rust.
    pub(crate) fn take_job(&self) -> bool {
        if self.is_witness(Witness::Emitter) {
            // Else it is the task that is at it.
            self.keep_accepting();
            return self.is_home();
        }
        self.is_witness(Witness::Rust)
    }

    pub(super) fn emit_error(&self, failure: &glib::Error) {
        socket_service::emit_error(&self.obj(), failure);
    }
}

impl fmt::Debug for SocketService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketService")
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}
