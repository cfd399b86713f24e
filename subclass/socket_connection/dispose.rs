//! The last reference of an object: it goes at home, if anything of it belongs there.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::ptr;

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::translate::{FromGlibContainerAsVec, FromGlibPtrBorrow, IntoGlib, from_glib_none};

use super::super::structs::SocketConnectionInstance;
use crate::{SocketConnection, fence::fence_or};

/// The last reference is gone. At home, or without handlers that only home may drop, the object
/// goes too; elsewhere it first travels home, its socket let go of at once.
pub(super) unsafe extern "C" fn dispose(object: *mut glib::gobject_ffi::GObject) {
    let travels = fence_or(false, || {
        // SAFETY: a live instance of our class.
        let this = unsafe {
            SocketConnection::from_glib_borrow(object.cast::<SocketConnectionInstance>())
        };
        this.imp().begin_dispose();
        let travels = !this.imp().notifier().is_home() && has_handlers(this.upcast_ref());
        if travels {
            this.imp().let_go();
            // SAFETY: GObject lets a dispose take a reference and keep the object.
            let kept: SocketConnection =
                unsafe { from_glib_none(object.cast::<SocketConnectionInstance>()) };
            this.imp().notifier().release_at_home(kept.upcast(), may_go);
        }
        travels
    });
    if travels {
        return;
    }
    // SAFETY: a type function without arguments.
    let parent = unsafe { gio_ffi::g_io_stream_get_type() };
    // SAFETY: initialised with our class, and never unloaded.
    let parent = unsafe { glib::gobject_ffi::g_type_class_peek(parent) };
    // SAFETY: the class struct of GIOStream begins with that of GObject.
    let parent = unsafe { &*parent.cast::<glib::gobject_ffi::GObjectClass>() };
    if let Some(dispose) = parent.dispose {
        // SAFETY: the slot's own contract: a live object.
        unsafe { dispose(object) };
    }
}

/// At home: gives the handlers up first, then answers whether the thread that dropped the object is through
/// with it. Whoever has a reference beyond that has a right to it, and no handlers to destroy.
fn may_go(object: &glib::Object) -> bool {
    let Some(this) = object.downcast_ref::<SocketConnection>() else {
        return true;
    };
    disconnect_handlers(object);
    this.imp().is_through()
}

fn disconnect_handlers(object: &glib::Object) {
    each_signal(object, |id| {
        // SAFETY: a live object and a signal of its type; only the signal is compared.
        unsafe {
            glib::gobject_ffi::g_signal_handlers_disconnect_matched(
                object.as_ptr(),
                glib::gobject_ffi::G_SIGNAL_MATCH_ID,
                id,
                0,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
        }
        false
    });
}

/// Whether any handler of any signal is connected.
pub(crate) fn has_handlers(object: &glib::Object) -> bool {
    each_signal(object, |id| has_handler_of(object, id))
}

/// Until one of them answers true.
fn each_signal(object: &glib::Object, visit: impl Fn(u32) -> bool) -> bool {
    let mut types = object.type_().interfaces().to_vec();
    let mut type_ = Some(object.type_());
    while let Some(of) = type_ {
        types.push(of);
        type_ = of.parent();
    }
    for of in types {
        let mut count = 0;
        // SAFETY: the array is ours to free.
        let ids = unsafe { glib::gobject_ffi::g_signal_list_ids(of.into_glib(), &raw mut count) };
        // SAFETY: as many numbers as said.
        let ids = unsafe { u32::from_glib_full_num_as_vec(ids, count as usize) };
        if ids.into_iter().any(&visit) {
            return true;
        }
    }
    false
}

fn has_handler_of(object: &glib::Object, signal: u32) -> bool {
    // SAFETY: a live object and a signal of its type; only the signal is compared.
    let handler = unsafe {
        glib::gobject_ffi::g_signal_handler_find(
            object.as_ptr(),
            glib::gobject_ffi::G_SIGNAL_MATCH_ID,
            signal,
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    handler != 0
}
