//! Deriving from [`SocketClient`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    mem::offset_of,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::{SocketClientEvent, ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    gobject_ffi,
    translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib},
};

use super::structs::{SocketClientClass, SocketClientInstance};
use crate::{
    SocketClient,
    socket_client::imp,
    vfunc::{fenced_handler, is_given},
};

/// What a type deriving from [`SocketClient`] may override.
pub trait SocketClientImpl: ObjectImpl + ObjectSubclass<Type: IsA<SocketClient>> {
    /// Called for each event of the signal, after the handlers that were connected to it. Optional; the
    /// parent does nothing of its own.
    fn event(
        &self,
        event: SocketClientEvent,
        connectable: &gio::SocketConnectable,
        connection: Option<&gio::IOStream>,
    ) {
        self.parent_event(event, connectable, connection);
    }
}

/// The parent's implementations.
pub trait SocketClientImplExt: SocketClientImpl {
    /// What the parent class does for [`event`](SocketClientImpl::event).
    fn parent_event(
        &self,
        event: SocketClientEvent,
        connectable: &gio::SocketConnectable,
        connection: Option<&gio::IOStream>,
    ) {
        // SAFETY: initialised with the type, of which there is an instance.
        let data = unsafe { Self::type_data().as_ref() };
        let class = data.parent_class().cast::<SocketClientClass>();
        // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
        let class = unsafe { &*class };
        let object = self.obj();
        run_event(class, object.upcast_ref(), event, connectable, connection);
    }
}

impl<T: SocketClientImpl> SocketClientImplExt for T {}

// SAFETY: the slot set below is that of the class struct that `T`'s begins with, and its function treats
// instances as `T`'s.
unsafe impl<T: SocketClientImpl> IsSubclassable<T> for SocketClient {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
        class.as_mut().event = Some(event::<T>);
    }
}

// SAFETY: `SocketClientClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for SocketClientClass {
    type Type = imp::SocketClient;
}

// SAFETY: `SocketClientInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for SocketClientInstance {
    type Type = imp::SocketClient;
}

/// The number of the signal `event`, 0 before the class is there.
static EVENT: AtomicU32 = AtomicU32::new(0);

/// Declares the signal, of which the slot is the class' own handler. GObject knows by that when there is nobody to
/// tell, and most clients have nobody.
pub(crate) fn declare_event() {
    // SAFETY: a type whose class is being initialised, and which has no such signal; types and number of the arguments
    // are those of the slot, which is a pointer to a function at that place.
    let number = unsafe {
        gobject_ffi::g_signal_new(
            c"event".as_ptr(),
            imp::SocketClient::type_().into_glib(),
            gobject_ffi::G_SIGNAL_RUN_LAST,
            offset_of!(SocketClientClass, event) as u32,
            None,
            ptr::null_mut(),
            None,
            glib::Type::UNIT.into_glib(),
            3_u32,
            SocketClientEvent::static_type().into_glib(),
            gio::SocketConnectable::static_type().into_glib(),
            gio::IOStream::static_type().into_glib(),
        )
    };
    EVENT.store(number, Ordering::Release);
}

/// Emits it. Handlers run on this thread.
pub(crate) fn emit_event(
    object: &SocketClient,
    event: SocketClientEvent,
    connectable: &gio::SocketConnectable,
    connection: Option<&gio::IOStream>,
) {
    let object: *mut SocketClientInstance = object.to_glib_none().0;
    let connectable: *mut gio_ffi::GSocketConnectable = connectable.to_glib_none().0;
    let connection: *mut gio_ffi::GIOStream = connection.to_glib_none().0;
    // SAFETY: live arguments, as the signal declares them.
    unsafe {
        gobject_ffi::g_signal_emit(
            object.cast(),
            EVENT.load(Ordering::Acquire),
            0,
            event.into_glib(),
            connectable,
            connection,
        );
    }
}

fn run_event(
    class: &SocketClientClass,
    object: &SocketClient,
    event: SocketClientEvent,
    connectable: &gio::SocketConnectable,
    connection: Option<&gio::IOStream>,
) {
    let Some(slot) = class.event else {
        return;
    };
    // SAFETY: live arguments.
    unsafe {
        slot(
            object.to_glib_none().0,
            event.into_glib(),
            connectable.to_glib_none().0,
            connection.to_glib_none().0,
        );
    }
}

unsafe extern "C" fn event<T: SocketClientImpl>(
    instance: *mut SocketClientInstance,
    event: gio_ffi::GSocketClientEvent,
    connectable: *mut gio_ffi::GSocketConnectable,
    connection: *mut gio_ffi::GIOStream,
) {
    fenced_handler("event in a client's class", || {
        if !is_given(connectable, "event") {
            return;
        }
        // SAFETY: called on instances of `T`.
        let instance = unsafe { &*instance.cast::<T::Instance>() };
        // SAFETY: live arguments, for the time of the call.
        let connectable = unsafe { gio::SocketConnectable::from_glib_borrow(connectable) };
        // SAFETY: likewise, or NULL.
        let connection = unsafe { Option::<gio::IOStream>::from_glib_borrow(connection) };
        // SAFETY: numbers that are not known have a variant of their own.
        let event = unsafe { from_glib(event) };
        instance
            .imp()
            .event(event, &connectable, connection.as_ref().as_ref());
    });
}
