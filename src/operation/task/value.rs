//! Tasks that answer a value, which is dropped if nobody takes it.

use std::{marker::PhantomData, mem::ManuallyDrop, ptr, sync::atomic::Ordering};

use glib::ffi::gpointer;

use super::{RETURNED, Tag, Task, propagated, state_of, take};
use crate::{error, fence::fence_or};

/// The [`Tag`] of an operation that answers a `T`.
#[derive(Debug)]
pub(crate) struct TagOf<T: Send + 'static>(Tag, PhantomData<fn() -> T>);

impl<T: Send + 'static> TagOf<T> {
    pub(crate) const fn new() -> Self {
        Self(Tag::new(), PhantomData)
    }

    pub(crate) const fn tag(&'static self) -> &'static Tag {
        &self.0
    }
}

impl Task {
    /// Answers what `tag`, which the task was made with, says.
    pub(crate) fn answer_value<T: Send + 'static>(
        self,
        tag: &'static TagOf<T>,
        result: Result<T, glib::Error>,
    ) {
        let value = match result {
            Ok(value) if self.is_of(tag.tag()) => value,
            Ok(_) => return self.send(Err(error::failed("The operation has another answer"))),
            Err(failure) => return self.send(Err(failure)),
        };
        let mut this = ManuallyDrop::new(self);
        this.cancellable = None;
        // SAFETY: made by `new` and not answered yet.
        unsafe { state_of(this.task) }.store(RETURNED, Ordering::Release);
        let value = Box::into_raw(Box::new(value));
        // SAFETY: answered once: `self` is used up; the value is freed as what it is.
        unsafe {
            gio::ffi::g_task_return_pointer(this.task, value.cast(), Some(drop_value::<T>));
        }
        // SAFETY: the reference that `new` was given.
        unsafe { glib::gobject_ffi::g_object_unref(this.task.cast()) };
    }

    fn is_of(&self, tag: &'static Tag) -> bool {
        // SAFETY: a live task.
        unsafe { gio::ffi::g_task_get_source_tag(self.task) == tag.as_ptr() }
    }
}

/// Whoever forgets a result loses nothing but the result.
unsafe extern "C" fn drop_value<T>(value: gpointer) {
    // SAFETY: the box that `answer_value` made, freed once.
    let value = unsafe { Box::from_raw(value.cast::<T>()) };
    fence_or((), move || drop(value));
}

/// The outcome of an operation that answers a value. Errors and safety as of
/// [`finish`](super::finish), but that a task without a tag says nothing of what it answers, and is refused.
pub(crate) unsafe fn finish_value<T: Send + 'static>(
    object: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    tag: &'static TagOf<T>,
) -> Result<T, glib::Error> {
    // SAFETY: as the caller says.
    let task = unsafe { take(object, result, tag.tag(), false)? };
    let mut failure = ptr::null_mut();
    // SAFETY: a task that `take` has found fit.
    let value = unsafe { gio::ffi::g_task_propagate_pointer(task, &raw mut failure) };
    // SAFETY: a set error is ours to free.
    unsafe { propagated(failure)? };
    if value.is_null() {
        return Err(error::failed("The operation failed without saying why"));
    }
    // SAFETY: of this tag, and so made by `answer_value` with this type; handed over once.
    Ok(*unsafe { Box::from_raw(value.cast::<T>()) })
}
