//! The GAsyncResult form: tasks, their finish functions, and callbacks.

#![allow(unsafe_code, reason = "GTask and ready callbacks are C interfaces")]

mod value;

use std::{
    fmt, ptr,
    sync::atomic::{AtomicU8, Ordering},
};

use gio::prelude::*;
use glib::{
    ffi::{GTRUE, gpointer},
    object::ObjectType,
    translate::{FromGlibPtrBorrow, IntoGlib, IntoGlibPtr, from_glib_none},
};

pub(crate) use value::{TagOf, finish_value};

use super::reply;
use crate::{
    error,
    fence::{caught, fence_or},
    reactor::Answer,
};

/// Names an operation in the source tag of its task, by the address of a static.
#[derive(Debug)]
pub(crate) struct Tag(
    /// So that each has an address of its own.
    AtomicU8,
);

impl Tag {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    pub(super) fn as_ptr(&'static self) -> gpointer {
        self.0.as_ptr().cast()
    }
}

pub(super) const RUNNING: u8 = 0;
pub(super) const RETURNED: u8 = 1;
pub(super) const TAKEN: u8 = 2;

/// A `GTask` that has not been answered yet. Dropped unanswered, it answers `Failed`.
pub(crate) struct Task {
    task: *mut gio::ffi::GTask,
    kind: Answers,
    cancellable: Option<gio::Cancellable>,
}

/// What a task's finish function propagates.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answers {
    Nothing,
    /// What the [`TagOf`] says.
    Value,
}

// SAFETY: a GTask may be returned from any thread; its context delivers the callback.
unsafe impl Send for Task {}

impl Task {
    /// # Safety
    ///
    /// `object` is a live object, `cancellable` a live cancellable or NULL, and `callback` may be
    /// called with `data` in the thread-default context of now.
    pub(crate) unsafe fn new(
        object: *mut glib::gobject_ffi::GObject,
        cancellable: *mut gio::ffi::GCancellable,
        callback: gio::ffi::GAsyncReadyCallback,
        data: gpointer,
        tag: &'static Tag,
        kind: Answers,
        priority: i32,
    ) -> Self {
        // SAFETY: as the caller says.
        // Without the cancellable: a GTask that knows of one answers by a detour once it is cancelled.
        let task = unsafe { gio::ffi::g_task_new(object, ptr::null_mut(), callback, data) };
        // SAFETY: a new task that only this thread knows.
        unsafe { gio::ffi::g_task_set_source_tag(task, tag.as_ptr()) };
        // SAFETY: likewise.
        unsafe { gio::ffi::g_task_set_priority(task, priority) };
        // A completed operation keeps its result.
        // SAFETY: likewise.
        unsafe { gio::ffi::g_task_set_check_cancellable(task, glib::ffi::GFALSE) };
        let state = Box::into_raw(Box::new(AtomicU8::new(RUNNING)));
        // SAFETY: likewise; `drop_state` agrees with the type of the data.
        unsafe { gio::ffi::g_task_set_task_data(task, state.cast(), Some(drop_state)) };
        // SAFETY: as the caller says.
        let cancellable = unsafe { from_glib_none(cancellable) };
        Self {
            task,
            kind,
            cancellable,
        }
    }

    pub(crate) fn context(&self) -> glib::MainContext {
        // SAFETY: a live task.
        let context = unsafe { gio::ffi::g_task_get_context(self.task) };
        // SAFETY: borrowed from the task, never NULL.
        unsafe { from_glib_none(context) }
    }

    pub(crate) fn cancellable(&self) -> Option<gio::Cancellable> {
        self.cancellable.clone()
    }

    pub(crate) fn answer(self, result: Result<(), glib::Error>) {
        self.send(result);
    }

    fn send(self, result: Result<(), glib::Error>) {
        let mut this = std::mem::ManuallyDrop::new(self);
        this.cancellable = None;
        this.send_ref(result);
    }

    fn send_ref(&self, result: Result<(), glib::Error>) {
        // SAFETY: made by `new` and not answered yet.
        unsafe { state_of(self.task) }.store(RETURNED, Ordering::Release);
        match (result, self.kind) {
            (Ok(()), Answers::Nothing) => {
                // SAFETY: answered once: `self` is used up by its callers.
                unsafe { gio::ffi::g_task_return_boolean(self.task, GTRUE) };
            }
            // One that has a value is answered with it, or with an error.
            (Ok(()), Answers::Value) => {
                // SAFETY: likewise.
                unsafe { gio::ffi::g_task_return_pointer(self.task, ptr::null_mut(), None) };
            }
            (Err(failure), _) => {
                // SAFETY: likewise; the error is handed over.
                unsafe { gio::ffi::g_task_return_error(self.task, failure.into_glib_ptr()) };
            }
        }
        // SAFETY: the reference that `new` was given.
        unsafe { glib::gobject_ffi::g_object_unref(self.task.cast()) };
    }
}

/// # Safety
///
/// A live task that [`Task::new`] made; the result lives no longer.
unsafe fn state_of<'a>(task: *mut gio::ffi::GTask) -> &'a AtomicU8 {
    // SAFETY: a live task.
    let state = unsafe { gio::ffi::g_task_get_task_data(task) };
    // SAFETY: the box that `Task::new` gave it, freed with the task.
    unsafe { &*state.cast::<AtomicU8>() }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.send_ref(Err(error::failed("The operation ended without an answer")));
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.task).finish()
    }
}

unsafe extern "C" fn drop_state(state: gpointer) {
    // SAFETY: the box that `Task::new` made, freed once.
    let state = unsafe { Box::from_raw(state.cast::<AtomicU8>()) };
    fence_or((), move || drop(state));
}

/// The outcome of an operation without a value.
///
/// # Errors
///
/// The operation's own; `InvalidArgument` for anything but a result of `tag` on `object`, or an
/// untagged task on it, that was not taken before.
///
/// # Safety
///
/// `object` is a live object, `result` a live `GAsyncResult` or NULL.
pub(crate) unsafe fn finish(
    object: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    tag: &'static Tag,
) -> Result<(), glib::Error> {
    // SAFETY: as the caller says.
    let task = unsafe { take(object, result, tag, true)? };
    let mut failure = ptr::null_mut();
    // SAFETY: a task that `take` has found fit.
    let done = unsafe { gio::ffi::g_task_propagate_boolean(task, &raw mut failure) };
    // SAFETY: a set error is ours to free.
    unsafe { propagated(failure)? };
    if done == glib::ffi::GFALSE {
        return Err(error::failed("The operation failed without saying why"));
    }
    Ok(())
}

/// The outcome of an operation that answers a count of bytes. Errors and safety as of [`finish`].
pub(crate) unsafe fn finish_size(
    object: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    tag: &'static Tag,
) -> Result<usize, glib::Error> {
    if !result.is_null() {
        // SAFETY: a live object, as the caller says.
        if let Some(outcome) = unsafe { reply::taken(object, result, tag) } {
            return outcome;
        }
    }
    // SAFETY: as the caller says.
    let task = unsafe { take(object, result, tag, true)? };
    let mut failure = ptr::null_mut();
    // SAFETY: a task that `take` has found fit.
    let size = unsafe { gio::ffi::g_task_propagate_int(task, &raw mut failure) };
    // SAFETY: a set error is ours to free.
    unsafe { propagated(failure)? };
    usize::try_from(size).map_err(|_| error::failed("The operation failed without saying why"))
}

unsafe fn propagated(failure: *mut glib::ffi::GError) -> Result<(), glib::Error> {
    if failure.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller says.
    Err(unsafe { glib::translate::from_glib_full(failure) })
}

/// `untagged` says whether a task without a tag will do.
unsafe fn take(
    object: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    tag: &'static Tag,
    untagged: bool,
) -> Result<*mut gio::ffi::GTask, glib::Error> {
    if result.is_null() {
        return Err(error::invalid("There is no result to finish with"));
    }
    // SAFETY: a type function without arguments.
    let task_type = unsafe { gio::ffi::g_task_get_type() };
    // SAFETY: a live instance of some type.
    let is_task =
        unsafe { glib::gobject_ffi::g_type_check_instance_is_a(result.cast(), task_type) };
    if is_task == glib::ffi::GFALSE {
        return Err(error::invalid("The result is not of this operation"));
    }
    let task = result.cast::<gio::ffi::GTask>();
    // SAFETY: a live task; the comparison does not look at the object.
    if unsafe { gio::ffi::g_task_get_source_object(task) }.cast() != object {
        return Err(error::invalid("The result is of another object"));
    }
    // SAFETY: a live task.
    let its_tag = unsafe { gio::ffi::g_task_get_source_tag(task) };
    let fresh = if its_tag == tag.as_ptr() {
        // SAFETY: tasks with this tag are made by `Task::new`.
        let state = unsafe { state_of(task) };
        state
            .compare_exchange(RETURNED, TAKEN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    } else if untagged && its_tag.is_null() {
        // A task of a subclass written in C: marked, so that it is taken once.
        // SAFETY: a live object; the marker is a static's address and needs no freeing.
        unsafe {
            glib::gobject_ffi::g_object_replace_qdata(
                task.cast(),
                taken_quark().into_glib(),
                ptr::null_mut(),
                tag.as_ptr(),
                None,
                ptr::null_mut(),
            ) != glib::ffi::GFALSE
        }
    } else {
        return Err(error::invalid("The result is of another operation"));
    };
    if fresh {
        Ok(task)
    } else {
        Err(error::invalid(
            "The operation is still running, or was finished before",
        ))
    }
}

fn taken_quark() -> glib::Quark {
    static QUARK: once_cell::sync::Lazy<glib::Quark> =
        once_cell::sync::Lazy::new(|| glib::Quark::from_str("gsock-result-taken"));
    *QUARK
}

/// A C ready callback, with its data, that calls `callback` once.
///
/// On a thread other than the one of now it calls nothing and leaks the closure, which need not be
/// `Send`.
pub(crate) fn ready_callback<O, F>(callback: F) -> (gio::ffi::GAsyncReadyCallback, gpointer)
where
    O: ObjectType,
    F: FnOnce(&O, &gio::AsyncResult) + 'static,
{
    (
        Some(call_ready::<O, F>),
        Box::into_raw(Box::new(Answer::new(callback))).cast(),
    )
}

unsafe extern "C" fn call_ready<O, F>(
    object: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    data: gpointer,
) where
    O: ObjectType,
    F: FnOnce(&O, &gio::AsyncResult) + 'static,
{
    // SAFETY: the box that `ready_callback` made, called back once.
    let callback = unsafe { Box::from_raw(data.cast::<Answer<F>>()) };
    let called = caught(move || {
        let Some(callback) = callback.take() else {
            glib::g_critical!(
                "Gsock",
                "a callback was due on another thread and is not called"
            );
            return;
        };
        // SAFETY: GTask passes its live source object, which is the `O` that started it.
        let object = unsafe { glib::Object::from_glib_borrow(object) };
        // SAFETY: GTask passes itself.
        let result = unsafe { gio::AsyncResult::from_glib_borrow(result) };
        // SAFETY: the operation was started on an `O`.
        let object = unsafe { object.unsafe_cast_ref::<O>() };
        callback(object, &result);
    });
    if called.is_none() {
        glib::g_critical!("Gsock", "a ready callback panicked");
    }
}
