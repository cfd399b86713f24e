//! Being told of a cancellation.

#![allow(unsafe_code, reason = "disconnecting without waiting for handlers")]

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
};

use gio::prelude::*;
use glib::translate::from_glib;

/// Wakes a waker when a cancellable is cancelled, from whatever thread.
pub(crate) struct CancelWatch {
    cancellable: gio::Cancellable,
    handler: Option<gio::CancelledHandlerId>,
    waker: Arc<Mutex<Option<Waker>>>,
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
        if self.handler.is_none() {
            let slot = self.waker.clone();
            self.handler = self.cancellable.connect_cancelled(move |_| {
                let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            });
        }
    }
}

impl Drop for CancelWatch {
    fn drop(&mut self) {
        let Some(handler) = self.handler.take() else {
            return;
        };
        // Not g_cancellable_disconnect(): that waits for handlers that are running, which may be
        // waiting for us. Ours reaches nothing but what it holds.
        // SAFETY: the id came from connecting to this object, and is used up here.
        let id = unsafe { handler.as_raw() };
        // SAFETY: likewise; ids are not zero.
        self.cancellable.disconnect(unsafe { from_glib(id) });
    }
}
