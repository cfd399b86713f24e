//! Being told of a cancellation.

#![allow(
    unsafe_code,
    reason = "a handler that may be called again, and disconnecting without waiting for handlers"
)]

use std::{
    ffi::c_ulong,
    mem,
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
};

use gio::prelude::*;
use glib::{ffi::gpointer, translate::ToGlibPtr};

use super::{interleave, wake};
use crate::fence::fence_or;

type Slot = Mutex<Option<Waker>>;

/// Wakes a waker when a cancellable is cancelled, from whatever thread.
pub(crate) struct CancelWatch {
    cancellable: gio::Cancellable,
    /// Has a share in `waker`.
    handler: Option<NonZero<c_ulong>>,
    waker: Arc<Slot>,
}

impl CancelWatch {
    pub(crate) fn new(cancellable: &gio::Cancellable) -> Self {
        Self {
            cancellable: cancellable.clone(),
            handler: None,
            waker: Arc::default(),
        }
    }

    pub(crate) fn cancellable(&self) -> &gio::Cancellable {
        &self.cancellable
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellable.is_cancelled()
    }

    /// Wakes `waker`, and none from before; at once if it is cancelled already.
    pub(crate) fn wake(&mut self, waker: &Waker) {
        let before = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(waker.clone());
        drop(before);
        interleave();
        if self.handler.is_none() {
            self.handler = self.connect();
        }
    }

    /// None if it is cancelled, and was told so.
    ///
    /// Not by gio-rs: C may reset a cancellable and cancel it again, and a handler of gio-rs' ends the process at the
    /// second time.
    fn connect(&self) -> Option<NonZero<c_ulong>> {
        let cancellable: *mut gio::ffi::GCancellable = self.cancellable.to_glib_none().0;
        type Told = unsafe extern "C" fn(*mut gio::ffi::GCancellable, gpointer);
        // SAFETY: a handler of this signal is called with the object and the data of its connecting.
        let told = unsafe { mem::transmute::<Told, unsafe extern "C" fn()>(told) };
        let slot = Arc::into_raw(self.waker.clone()).cast_mut();
        // SAFETY: a live object; the share goes with the handler, also if there comes none to be.
        let id = unsafe {
            gio::ffi::g_cancellable_connect(cancellable, Some(told), slot.cast(), Some(let_go))
        };
        NonZero::new(id)
    }
}

unsafe extern "C" fn told(_: *mut gio::ffi::GCancellable, slot: gpointer) {
    fence_or((), || {
        // SAFETY: the handler has a share in it.
        let slot = unsafe { &*slot.cast::<Slot>() };
        let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            wake(waker);
        }
    });
}

unsafe extern "C" fn let_go(slot: gpointer) {
    // SAFETY: the share that `connect` gave away, given back once.
    let slot = unsafe { Arc::from_raw(slot.cast::<Slot>()) };
    fence_or((), move || drop(slot));
}

impl Drop for CancelWatch {
    fn drop(&mut self) {
        let Some(handler) = self.handler.take() else {
            return;
        };
        let cancellable: *mut gio::ffi::GCancellable = self.cancellable.to_glib_none().0;
        // Not g_cancellable_disconnect(): that waits for handlers that are running, which may be
        // waiting for us. Ours reaches nothing but what it holds.
        // SAFETY: the id came from connecting to this object, and is used up here.
        unsafe {
            glib::gobject_ffi::g_signal_handler_disconnect(cancellable.cast(), handler.get());
        }
    }
}
