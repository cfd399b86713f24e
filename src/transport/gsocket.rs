//! A `GSocket` as a transport has it: held by any thread, read from a property, or one that stands in.

use std::{mem::ManuallyDrop, ptr};

use gio::prelude::*;
use glib::{
    Value,
    translate::{ToGlibPtr, from_glib_full, from_glib_none},
};

use super::Kind;
use crate::{home::Home, thread};

/// A `GSocket` that may be held, and on its last day be handed over, by any thread.
///
/// gio-rs says `!Send` because a socket's property handlers and its last reference run the user's
/// closures. They still run at home only: (1) off the home thread only the descriptor's number is
/// used, as a *use* (see [`Descriptor`](super::descriptor::Descriptor)), so that no system call meets a reused number, and the timeout read, an integer; (2) off the home
/// thread no `g_socket_set_*` is called (it notifies) and no `g_socket_*` I/O (it touches
/// bitfields): libc does both; marking a finished connect is the one exception, at a moment when
/// no other operation on the socket can be under way, and asking whether it is connected, both under the lock under
/// which we set such bits; (3) the last reference is given up at home:
/// [`SharedSocket::release`]; (4) so the user's closures run and are dropped there.
#[derive(Clone)]
pub(super) struct SharedSocket(gio::Socket);

// SAFETY: the four rules above. Not `Sync`: it lives in a mutex.
unsafe impl Send for SharedSocket {}

impl SharedSocket {
    pub(super) fn new(socket: &gio::Socket) -> Self {
        Self(socket.clone())
    }

    pub(super) fn socket(&self) -> &gio::Socket {
        &self.0
    }

    pub(super) fn is_last_reference(&self) -> bool {
        self.0.ref_count() == 1
    }

    pub(super) fn close_if_alone(&self) {
        self.close_if_nobody_beside(1);
    }

    /// Closes, if there are no more than these references.
    pub(super) fn close_if_nobody_beside(&self, references: u32) {
        if self.0.ref_count() <= references {
            let _ = self.0.close();
        }
    }

    /// Gives the reference up at `home`.
    pub(super) fn release(self, home: &Home) {
        if home.thread == thread::here() {
            return;
        }
        let shell = Shell::new(self, home.thread);
        home.engine.at(None, move || drop(shell));
    }
}

/// A reference on its way home.
struct Shell {
    socket: ManuallyDrop<SharedSocket>,
    home: usize,
}

impl Shell {
    fn new(socket: SharedSocket, home: usize) -> Self {
        if socket.is_last_reference() {
            // Nobody else can use it: the descriptor need not wait for the journey.
            let _ = socket.0.close();
        }
        Self {
            socket: ManuallyDrop::new(socket),
            home,
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let at_home = self.home == thread::here();
        if !at_home && self.socket.is_last_reference() {
            // Home is gone, or has no loop. The descriptor is closed; what leaks is an object with
            // whatever closures its users hung on it, which no other thread may drop.
            let _ = self.socket.0.close();
            return;
        }
        // SAFETY: dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.socket) };
    }
}

/// For a connection whose bare descriptor is closed and who is asked for its socket only now.
pub(super) fn closed_socket(kind: Kind) -> gio::Socket {
    let Ok(socket) = kind.new_socket() else {
        return placeholder();
    };
    let _ = socket.close();
    socket
}

/// What the property `socket` is set to; GObject has checked the type.
pub(crate) fn socket_in(value: &Value) -> Option<gio::Socket> {
    let object = value.to_glib_none().0;
    // SAFETY: a value, which is looked at; of no object it is NULL.
    let object = unsafe { glib::gobject_ffi::g_value_get_object(object) };
    // SAFETY: an object that the value keeps, or NULL.
    let object: Option<glib::Object> = unsafe { from_glib_none(object) };
    object?.downcast().ok()
}

/// What stands in where there must be a `GSocket` and is none: one that was never initialised.
pub(crate) fn placeholder() -> gio::Socket {
    // SAFETY: a type function without arguments.
    let type_ = unsafe { gio::ffi::g_socket_get_type() };
    // glib's own constructor refuses types that want to be initialised, which this must not be.
    // SAFETY: a type that can be instantiated, and no properties.
    let object = unsafe {
        glib::gobject_ffi::g_object_new_with_properties(type_, 0, ptr::null_mut(), ptr::null())
    };
    // SAFETY: a full reference to a GSocket.
    unsafe { from_glib_full(object.cast::<gio::ffi::GSocket>()) }
}
