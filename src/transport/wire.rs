//! How a transport reaches those who use it.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use gio::prelude::*;
use glib::{ParamFlags, ParamSpec, Value};
use once_cell::sync::OnceCell;

use super::{Transport, placeholder, socket_in};
use crate::home::Notifier;

/// The transport of now, for those who must follow a connection to another socket.
pub(crate) struct Wire {
    transport: RwLock<Option<Arc<Transport>>>,
    /// The connection is closed, or gone: there will be no other socket.
    ended: AtomicBool,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            transport: RwLock::new(None),
            ended: AtomicBool::new(false),
        })
    }

    pub(crate) fn get(&self) -> Option<Arc<Transport>> {
        self.transport
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, transport: Arc<Transport>) {
        let before = self
            .transport
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(transport);
        // Outside the lock: it may be the last reference.
        drop(before);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.get()).finish()
    }
}

/// How a stream reaches the transport of its connection.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    wire: OnceCell<Arc<Wire>>,
    /// The stream has told its properties once, in vain: see [`tells_in_vain`](Self::tells_in_vain).
    is_made: AtomicBool,
}

impl Tap {
    pub(crate) fn connect(&self, wire: &Arc<Wire>) {
        // Called once, by the stream's constructor or around the socket it is made with.
        let _ = self.wire.set(wire.clone());
    }

    /// The one property of a stream, as GIO's private types have it: a new one for each class.
    pub(crate) fn socket_property() -> ParamSpec {
        glib::ParamSpecObject::builder::<gio::Socket>("socket")
            .flags(ParamFlags::READWRITE | ParamFlags::CONSTRUCT_ONLY)
            .build()
    }

    /// A stream that is made by hand, around a socket, has a transport of its own.
    pub(crate) fn set_property(&self, value: &Value) {
        if let Some(socket) = socket_in(value) {
            let wire = Wire::new();
            wire.set(Transport::of_socket(&socket, &Notifier::new()));
            self.connect(&wire);
        }
    }

    pub(crate) fn property(&self) -> Value {
        let transport = self.wire.get().and_then(|wire| wire.get());
        transport.map(|transport| transport.socket()).to_value()
    }

    /// Whether nobody can hear what the stream is about to tell, since it is still being made: to tell is dear. Its
    /// construction ends with the first that it tells.
    pub(crate) fn tells_in_vain(&self) -> bool {
        self.wire.get().is_none() && !self.is_made.swap(true, Ordering::Relaxed)
    }

    /// The transport of now: a connection may move on to another socket. A stream that was made by
    /// hand, through its GType, has no connection: a closed one, then.
    pub(crate) fn transport(&self) -> Arc<Transport> {
        self.wire
            .get()
            .and_then(|wire| wire.get())
            .unwrap_or_else(|| Transport::of_socket(&placeholder(), &Notifier::new()))
    }

    /// Whether it is the transport of this wire that the stream reaches.
    pub(crate) fn is_on(&self, wire: &Arc<Wire>) -> bool {
        self.wire.get().is_some_and(|own| Arc::ptr_eq(own, wire))
    }

    /// Whether the connection is closed, and so must the stream be.
    pub(crate) fn is_ended(&self) -> bool {
        self.wire.get().is_some_and(|wire| wire.is_ended())
    }
}

/// A bare descriptor, or a transport that is there already, on its way into the object that is made around it.
///
/// `g_object_new()` has no way to pass what is not a property.
pub(crate) mod hand_over {
    use std::{cell::Cell, ptr, sync::Arc};

    use glib::translate::{IntoGlib, from_glib_full};

    use super::super::{Bare, Transport};
    use crate::vfunc::is_abstract;

    #[derive(Debug)]
    pub(crate) enum Cargo {
        Bare(Bare),
        /// Claimed for the object, whose notifier it has.
        Shared(Arc<Transport>),
    }

    thread_local! {
        static HANDED: Cell<Option<Cargo>> = const { Cell::new(None) };
    }

    /// A new object of `type_`, with nothing but what it is made around. Nothing, if there can be none. glib's own
    /// constructor would look at all that is known of the type, for each connection.
    pub(crate) fn make(type_: glib::Type, cargo: Cargo) -> Option<glib::Object> {
        // The class first: what its initialisation makes must not be given the cargo.
        let _class = glib::Class::<glib::Object>::from_type(type_)?;
        if is_abstract(type_) {
            return None;
        }
        HANDED.set(Some(cargo));
        let _handed = Handed;
        // SAFETY: a class of objects, of which there can be some; and no properties.
        let object = unsafe {
            glib::gobject_ffi::g_object_new_with_properties(
                type_.into_glib(),
                0,
                ptr::null_mut(),
                ptr::null(),
            )
        };
        // SAFETY: a full reference.
        Some(unsafe { from_glib_full(object) })
    }

    /// While it lives the cargo may be taken; nobody finds it later by mistake.
    struct Handed;

    impl Drop for Handed {
        fn drop(&mut self) {
            drop(take());
        }
    }

    pub(crate) fn take() -> Option<Cargo> {
        HANDED.take()
    }
}
