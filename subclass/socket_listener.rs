//! Deriving from [`SocketListener`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use gio::{SocketListenerEvent, ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib};

use super::structs::{SocketListenerClass, SocketListenerInstance};
use crate::{SocketListener, fence::caught, socket_listener::imp};

/// What a type deriving from [`SocketListener`] may override.
pub trait SocketListenerImpl: ObjectImpl + ObjectSubclass<Type: IsA<SocketListener>> {
    /// Called when sockets were added, on the thread that added them. Optional; the parent does nothing of its own.
    fn changed(&self) {
        self.parent_changed();
    }

    /// Called for each event of the signal, after the handlers that were connected to it. Optional; the
    /// parent does nothing of its own.
    fn event(&self, event: SocketListenerEvent, socket: &gio::Socket) {
        self.parent_event(event, socket);
    }
}

/// The parent's implementations.
pub trait SocketListenerImplExt: SocketListenerImpl {
    /// What the parent class does for [`changed`](SocketListenerImpl::changed).
    fn parent_changed(&self) {
        let object = self.obj();
        run_changed(parent_class::<Self>(), object.upcast_ref());
    }

    /// What the parent class does for [`event`](SocketListenerImpl::event).
    fn parent_event(&self, event: SocketListenerEvent, socket: &gio::Socket) {
        let object = self.obj();
        run_event(parent_class::<Self>(), object.upcast_ref(), event, socket);
    }
}

impl<T: SocketListenerImpl> SocketListenerImplExt for T {}

fn parent_class<T: SocketListenerImpl>() -> &'static SocketListenerClass {
    // SAFETY: initialised with the type, of which there is an instance.
    let data = unsafe { T::type_data().as_ref() };
    let class = data.parent_class().cast::<SocketListenerClass>();
    // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
    unsafe { &*class }
}

// SAFETY: the slots set below are those of the class struct that `T`'s begins with, and their functions treat
// instances as `T`'s.
unsafe impl<T: SocketListenerImpl> IsSubclassable<T> for SocketListener {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
        let class = class.as_mut();
        class.changed = Some(changed::<T>);
        class.event = Some(event::<T>);
    }
}

// SAFETY: `SocketListenerClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for SocketListenerClass {
    type Type = imp::SocketListener;
}

// SAFETY: `SocketListenerInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for SocketListenerInstance {
    type Type = imp::SocketListener;
}

fn class_of(object: &SocketListener) -> &SocketListenerClass {
    let instance: *mut SocketListenerInstance = object.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *instance.cast::<*const SocketListenerClass>() };
    // SAFETY: a class that has an instance is not unloaded.
    unsafe { &*class }
}

/// Tells the object's own class that there are more sockets.
pub(crate) fn call_changed(object: &SocketListener) {
    run_changed(class_of(object), object);
}

/// Calls the handler of the object's own class.
pub(crate) fn call_event(
    object: &SocketListener,
    event: SocketListenerEvent,
    socket: &gio::Socket,
) {
    run_event(class_of(object), object, event, socket);
}

fn run_changed(class: &SocketListenerClass, object: &SocketListener) {
    if let Some(slot) = class.changed {
        // SAFETY: a live argument.
        unsafe { slot(object.to_glib_none().0) };
    }
}

fn run_event(
    class: &SocketListenerClass,
    object: &SocketListener,
    event: SocketListenerEvent,
    socket: &gio::Socket,
) {
    let Some(slot) = class.event else {
        return;
    };
    // SAFETY: live arguments.
    unsafe {
        slot(
            object.to_glib_none().0,
            event.into_glib(),
            socket.to_glib_none().0,
        );
    }
}

unsafe extern "C" fn changed<T: SocketListenerImpl>(instance: *mut SocketListenerInstance) {
    let called = caught(|| {
        // SAFETY: called on instances of `T`.
        let instance = unsafe { &*instance.cast::<T::Instance>() };
        instance.imp().changed();
    });
    if called.is_none() {
        glib::g_critical!("Gsock", "a listener's function for changes panicked");
    }
}

unsafe extern "C" fn event<T: SocketListenerImpl>(
    instance: *mut SocketListenerInstance,
    event: gio_ffi::GSocketListenerEvent,
    socket: *mut gio_ffi::GSocket,
) {
    let called = caught(|| {
        // SAFETY: called on instances of `T`.
        let instance = unsafe { &*instance.cast::<T::Instance>() };
        // SAFETY: a live argument, for the time of the call.
        let socket = unsafe { gio::Socket::from_glib_borrow(socket) };
        // SAFETY: numbers that are not known have a variant of their own.
        let event = unsafe { from_glib(event) };
        instance.imp().event(event, &socket);
    });
    if called.is_none() {
        glib::g_critical!("Gsock", "a listener's event handler panicked");
    }
}
