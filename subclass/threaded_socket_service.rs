//! Deriving from [`ThreadedSocketService`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    mem::offset_of,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GFALSE, gboolean},
    gobject_ffi::GObject,
    translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib},
};

use super::{
    SocketServiceImpl,
    socket_service::{connection_signal, emit_with_connection, inherit_all_but_incoming},
    structs::{
        SocketConnectionInstance, ThreadedSocketServiceClass, ThreadedSocketServiceInstance,
    },
};
use crate::{
    SocketConnection, ThreadedSocketService, fence::caught, threaded_socket_service::imp,
    vfunc::is_given,
};

/// What a type deriving from [`ThreadedSocketService`] may override. It is called on several threads at once.
pub trait ThreadedSocketServiceImpl:
    SocketServiceImpl + ObjectSubclass<Type: IsA<ThreadedSocketService>> + Send + Sync
{
    /// Called for each connection that no handler of the signal has handled, on a thread of the service. Answers whether
    /// it is handled, which the parent does not say. The connection is closed when nobody keeps it.
    fn run(&self, connection: &SocketConnection, source_object: Option<&glib::Object>) -> bool {
        self.parent_run(connection, source_object)
    }
}

/// The parent's implementations.
pub trait ThreadedSocketServiceImplExt: ThreadedSocketServiceImpl {
    /// What the parent class does for [`run`](ThreadedSocketServiceImpl::run).
    fn parent_run(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> bool {
        // SAFETY: initialised with the type, of which there is an instance.
        let data = unsafe { Self::type_data().as_ref() };
        let class = data.parent_class().cast::<ThreadedSocketServiceClass>();
        // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
        let class = unsafe { &*class };
        let object = self.obj();
        run_run(class, object.upcast_ref(), connection, source_object)
    }
}

impl<T: ThreadedSocketServiceImpl> ThreadedSocketServiceImplExt for T {}

// SAFETY: the slot set below is that of the class struct that `T`'s begins with, and its function treats
// instances as `T`'s.
unsafe impl<T: ThreadedSocketServiceImpl> IsSubclassable<T> for ThreadedSocketService {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
        class.as_mut().run = Some(run::<T>);
    }
}

// SAFETY: `ThreadedSocketServiceClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for ThreadedSocketServiceClass {
    type Type = imp::ThreadedSocketService;
}

// SAFETY: `ThreadedSocketServiceInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for ThreadedSocketServiceInstance {
    type Type = imp::ThreadedSocketService;
}

/// Sets the slots of the class itself, but `incoming`.
pub(crate) fn fill_class(class: &mut ThreadedSocketServiceClass) {
    inherit_all_but_incoming::<imp::ThreadedSocketService>(&mut class.parent_class);
}

/// The number of the signal, 0 before the class is there.
static RUN: AtomicU32 = AtomicU32::new(0);

/// Declares the signal, of which the slot is the class' own handler.
pub(crate) fn declare_run() {
    let run = connection_signal(
        c"run",
        imp::ThreadedSocketService::type_(),
        offset_of!(ThreadedSocketServiceClass, run),
    );
    RUN.store(run, Ordering::Release);
}

/// Emits `run`. Handlers run on this thread.
pub(crate) fn emit_run(
    object: &ThreadedSocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) {
    emit_with_connection(&RUN, object.upcast_ref(), connection, source_object);
}

fn run_run(
    class: &ThreadedSocketServiceClass,
    object: &ThreadedSocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) -> bool {
    let Some(slot) = class.run else {
        return false;
    };
    // SAFETY: live arguments, the last of which may be NULL.
    let handled = unsafe {
        slot(
            object.to_glib_none().0,
            connection.to_glib_none().0,
            source_object.to_glib_none().0,
        )
    };
    // SAFETY: a boolean.
    unsafe { from_glib(handled) }
}

unsafe extern "C" fn run<T: ThreadedSocketServiceImpl>(
    instance: *mut ThreadedSocketServiceInstance,
    connection: *mut SocketConnectionInstance,
    source_object: *mut GObject,
) -> gboolean {
    let called = caught(|| {
        if !is_given(connection, "run") {
            return false.into_glib();
        }
        // SAFETY: called on instances of `T`.
        let instance = unsafe { &*instance.cast::<T::Instance>() };
        // SAFETY: live arguments, for the time of the call.
        let connection = unsafe { SocketConnection::from_glib_borrow(connection) };
        // SAFETY: likewise, or NULL.
        let source_object = unsafe { Option::<glib::Object>::from_glib_borrow(source_object) };
        let source_object = source_object.as_ref().as_ref();
        instance.imp().run(&connection, source_object).into_glib()
    });
    if called.is_none() {
        glib::g_critical!("Gsock", "a service's function for a connection panicked");
    }
    called.unwrap_or(GFALSE)
}
