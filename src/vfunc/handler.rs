//! Handlers of signals that are written in Rust and need not be `Send`, on objects that C uses from any thread.

use std::{cell::Cell, fmt, mem::ManuallyDrop};

use crate::{
    fence::{caught, fence_or},
    thread,
};

/// A handler that is called and dropped on the thread that made it, wherever its signal is emitted and its object
/// goes: elsewhere it is not called, with a critical message, and leaked.
pub(crate) struct Resident<F> {
    thread: usize,
    handler: ManuallyDrop<F>,
}

// SAFETY: the handler is touched on the thread that made it only, which each method checks.
unsafe impl<F> Send for Resident<F> {}
// SAFETY: likewise.
unsafe impl<F> Sync for Resident<F> {}

impl<F> Resident<F> {
    pub(crate) fn new(handler: F) -> Self {
        Self {
            thread: thread::here(),
            handler: ManuallyDrop::new(handler),
        }
    }

    /// Has `f` call it, if this is its thread. A panic stays here.
    pub(crate) fn call<R>(&self, what: &str, f: impl FnOnce(&F) -> R) -> Option<R> {
        if self.thread != thread::here() {
            glib::g_critical!(
                "Gsock",
                "a handler of {what} was due on another thread and is not called"
            );
            return None;
        }
        fenced_handler(what, || f(&self.handler))
    }
}

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// How many handlers have panicked on this thread. One that was to set something may not have.
pub(crate) fn handler_panics() -> u64 {
    PANICS.get()
}

/// A panic of a handler must not reach GObject, which calls it.
pub(crate) fn fenced_handler<R>(what: &str, f: impl FnOnce() -> R) -> Option<R> {
    let called = caught(f);
    if called.is_none() {
        PANICS.set(PANICS.get() + 1);
        glib::g_critical!("Gsock", "a handler of {what} panicked");
    }
    called
}

/// Whether a signal has what it is about: anybody may emit it without.
pub(crate) fn is_given<T>(argument: *const T, signal: &str) -> bool {
    let is_given = !argument.is_null();
    if !is_given {
        glib::g_critical!("Gsock", "{signal} is emitted about nothing");
    }
    is_given
}

impl<F> Drop for Resident<F> {
    fn drop(&mut self) {
        if self.thread == thread::here() {
            // By GObject, which forgets the handler.
            fence_or((), || {
                // SAFETY: dropped once, here.
                unsafe { ManuallyDrop::drop(&mut self.handler) };
            });
        }
    }
}

impl<F> fmt::Debug for Resident<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resident")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}
