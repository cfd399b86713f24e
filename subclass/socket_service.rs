//! Deriving from [`SocketService`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{
    Value,
    ffi::{GError, gboolean},
    gobject_ffi::GObject,
    translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib},
};

use super::{
    SocketListenerImpl,
    structs::{SocketConnectionInstance, SocketServiceClass, SocketServiceInstance},
};
use crate::{SocketConnection, SocketService, socket_service::imp};

/// What a type deriving from [`SocketService`] may override.
pub trait SocketServiceImpl: SocketListenerImpl + ObjectSubclass<Type: IsA<SocketService>> {
    /// Called for each connection that no handler of the signal has handled, in the context where the service was
    /// made. Answers whether it is handled, which the parent does not say. It is closed when nobody keeps it.
    fn incoming(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> bool {
        self.parent_incoming(connection, source_object)
    }

    /// Called for each error of the signal, after the handlers that were connected to it. The parent warns where there
    /// are none.
    fn error(&self, failure: &glib::Error) {
        self.parent_error(failure);
    }
}

/// The parent's implementations.
pub trait SocketServiceImplExt: SocketServiceImpl {
    /// What the parent class does for [`incoming`](SocketServiceImpl::incoming).
    fn parent_incoming(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> bool {
        let object = self.obj();
        let class = parent_class::<Self>();
        run_incoming(class, object.upcast_ref(), connection, source_object)
    }

    /// What the parent class does for [`error`](SocketServiceImpl::error).
    fn parent_error(&self, failure: &glib::Error) {
        let object = self.obj();
        run_error(parent_class::<Self>(), object.upcast_ref(), failure);
    }
}

impl<T: SocketServiceImpl> SocketServiceImplExt for T {}

fn parent_class<T: SocketServiceImpl>() -> &'static SocketServiceClass {
    // SAFETY: initialised with the type, of which there is an instance.
    let data = unsafe { T::type_data().as_ref() };
    let class = data.parent_class().cast::<SocketServiceClass>();
    // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
    unsafe { &*class }
}

// SAFETY: the slots set below are those of the class struct that `T`'s begins with, and their functions treat
// instances as `T`'s.
unsafe impl<T: SocketServiceImpl> IsSubclassable<T> for SocketService {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
        let class = class.as_mut();
        class.incoming = Some(incoming::<T>);
        class.error = Some(error::<T>);
    }
}

// SAFETY: `SocketServiceClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for SocketServiceClass {
    type Type = imp::SocketService;
}

// SAFETY: `SocketServiceInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for SocketServiceInstance {
    type Type = imp::SocketService;
}

/// Sets the slots of the class itself.
pub(crate) fn fill_class(class: &mut SocketServiceClass) {
    class.incoming = Some(own_incoming);
    class.error = Some(own_error);
}

/// The first handler that says TRUE ends the emission.
pub(crate) fn first_true(so_far: Value, value: &Value) -> ControlFlow<Value, Value> {
    if value.get().unwrap_or(false) {
        ControlFlow::Break(true.to_value())
    } else {
        ControlFlow::Continue(so_far)
    }
}

fn class_of(object: &SocketService) -> &SocketServiceClass {
    let instance: *mut SocketServiceInstance = object.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *instance.cast::<*const SocketServiceClass>() };
    // SAFETY: a class that has an instance is not unloaded.
    unsafe { &*class }
}

/// Calls the handler of the object's own class.
pub(crate) fn call_incoming(
    object: &SocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) -> bool {
    run_incoming(class_of(object), object, connection, source_object)
}

/// Calls the handler of the object's own class.
pub(crate) fn call_error(object: &SocketService, failure: &glib::Error) {
    run_error(class_of(object), object, failure);
}

fn run_incoming(
    class: &SocketServiceClass,
    object: &SocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) -> bool {
    let Some(slot) = class.incoming else {
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

fn run_error(class: &SocketServiceClass, object: &SocketService, failure: &glib::Error) {
    if let Some(slot) = class.error {
        // SAFETY: live arguments.
        unsafe { slot(object.to_glib_none().0, failure.to_glib_none().0) };
    }
}

unsafe extern "C" fn incoming<T: SocketServiceImpl>(
    instance: *mut SocketServiceInstance,
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
        instance.imp().incoming(&connection, source_object)
    }));
    if called.is_err() {
        glib::g_critical!("Gsock", "a service's function for connections panicked");
    }
    called.unwrap_or(false).into_glib()
}

unsafe extern "C" fn error<T: SocketServiceImpl>(
    instance: *mut SocketServiceInstance,
    failure: *const GError,
) {
    // SAFETY: called on instances of `T`.
    let instance = unsafe { &*instance.cast::<T::Instance>() };
    // SAFETY: a live argument, for the time of the call.
    let failure = unsafe { glib::Error::from_glib_borrow(failure) };
    if catch_unwind(AssertUnwindSafe(|| instance.imp().error(&failure))).is_err() {
        glib::g_critical!("Gsock", "a service's function for errors panicked");
    }
}

unsafe extern "C" fn own_incoming(
    _: *mut SocketServiceInstance,
    _: *mut SocketConnectionInstance,
    _: *mut GObject,
) -> gboolean {
    false.into_glib()
}

unsafe extern "C" fn own_error(instance: *mut SocketServiceInstance, failure: *const GError) {
    // SAFETY: live arguments, for the time of the call.
    let service = unsafe { SocketService::from_glib_borrow(instance) };
    // SAFETY: likewise.
    let failure = unsafe { glib::Error::from_glib_borrow(failure) };
    service.imp().warn_if_unheard(&failure);
}
