//! What an asynchronous function of C's form owes whoever has called it: one call of his callback, also after a panic.

#![allow(unsafe_code, reason = "GTask is a C interface")]

use std::{cell::Cell, ptr};

use glib::{ffi::gpointer, gobject_ffi};

use super::{Answers, Tag, Task};
use crate::{
    error,
    fence::{caught, caught_with, tell},
};

/// The callback, until an answer is made that has it.
#[derive(Debug)]
pub(crate) struct Owed(Cell<Option<gio::ffi::GAsyncReadyCallback>>);

impl Owed {
    /// The callback: whoever takes it calls it, and nobody else does.
    pub(crate) fn take(&self) -> gio::ffi::GAsyncReadyCallback {
        self.0.take().flatten()
    }

    /// For what there is nothing to do: the answer is there already, and comes in the next iteration.
    ///
    /// # Safety
    ///
    /// The arguments are those that the asynchronous function was called with.
    pub(crate) unsafe fn answer(
        &self,
        source: *mut gobject_ffi::GObject,
        cancellable: *mut gio::ffi::GCancellable,
        data: gpointer,
        tag: &'static Tag,
        priority: i32,
    ) {
        let (callback, answers) = (self.take(), Answers::Nothing);
        // SAFETY: as the caller says; nobody else has the callback.
        let task =
            unsafe { Task::new(source, cancellable, callback, data, tag, answers, priority) };
        task.answer(Ok(()));
    }
}

/// Runs the body of an asynchronous function. A panic in it is answered with `Failed`, unless the body has taken the callback:
/// what has it answers then, with `Failed` where it is dropped, and there is a critical message too.
///
/// # Safety
///
/// `source` is a live object, and `callback` may be called with `data` in the thread-default context of now.
pub(crate) unsafe fn owing<F: FnOnce(&Owed)>(
    source: *mut gobject_ffi::GObject,
    callback: gio::ffi::GAsyncReadyCallback,
    data: gpointer,
    tag: &'static Tag,
    priority: i32,
    body: F,
) {
    let owed = Owed(Cell::new(Some(callback)));
    if caught_with(&owed, body).is_some() {
        return;
    }
    let Some(callback) = owed.0.take() else {
        return tell::<F>();
    };
    caught(|| {
        // SAFETY: as the caller says; nobody else has the callback.
        let task = unsafe {
            Task::new(
                source,
                ptr::null_mut(),
                callback,
                data,
                tag,
                Answers::Nothing,
                priority,
            )
        };
        task.answer(Err(error::failed("A virtual function panicked")));
    });
}
