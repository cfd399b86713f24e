//! Deriving from [`ThreadedSocketService`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use gio::{prelude::*, subclass::prelude::*};
use glib::{
    ffi::gboolean,
    gobject_ffi::GObject,
    translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib},
};

use super::{
    SocketServiceImpl,
    structs::{
        SocketConnectionInstance, ThreadedSocketServiceClass, ThreadedSocketServiceInstance,
    },
};
use crate::{SocketConnection, ThreadedSocketService, threaded_socket_service::imp};

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

/// Calls the handler of the object's own class.
pub(crate) fn call_run(
    object: &ThreadedSocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) -> bool {
    let instance: *mut ThreadedSocketServiceInstance = object.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *instance.cast::<*const ThreadedSocketServiceClass>() };
    // SAFETY: a class that has an instance is not unloaded.
    run_run(unsafe { &*class }, object, connection, source_object)
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
    // SAFETY: called on instances of `T`.
    let instance = unsafe { &*instance.cast::<T::Instance>() };
    // SAFETY: live arguments, for the time of the call.
    let connection = unsafe { SocketConnection::from_glib_borrow(connection) };
    // SAFETY: likewise, or NULL.
    let source_object = unsafe { Option::<glib::Object>::from_glib_borrow(source_object) };
    let called = catch_unwind(AssertUnwindSafe(|| {
        let source_object = source_object.as_ref().as_ref();
        instance.imp().run(&connection, source_object)
    }));
    if called.is_err() {
        glib::g_critical!("Gsock", "a service's function for a connection panicked");
    }
    called.unwrap_or(false).into_glib()
}
