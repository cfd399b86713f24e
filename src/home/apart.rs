//! A context of our own for the time of a blocking call, and how handlers do not come to see it.

#![allow(
    unsafe_code,
    reason = "the stack of a thread's default contexts, which glib changes around a closure only"
)]

use std::{cell::Cell, ptr};

use glib::{
    ffi::{self as glib_ffi, GMainContext},
    translate::ToGlibPtr,
};

thread_local! {
    /// The one that stands before the caller's as the thread's default one; NULL for none.
    static APART: Cell<*mut GMainContext> = const { Cell::new(ptr::null_mut()) };
}

/// Runs `f` with a context as the thread's default one that no program is to know.
///
/// # Errors
///
/// If another thread owns it.
pub(crate) fn apart<R>(
    context: &glib::MainContext,
    f: impl FnOnce() -> R,
) -> Result<R, glib::BoolError> {
    context.with_thread_default(|| {
        let _before = Restore(APART.replace(context.to_glib_none().0));
        f()
    })
}

struct Restore(*mut GMainContext);

impl Drop for Restore {
    fn drop(&mut self) {
        APART.set(self.0);
    }
}

/// While it lives, the thread's default context is the caller's again.
pub(super) struct AmongCallers(*mut GMainContext);

impl AmongCallers {
    pub(super) fn step() -> Self {
        // SAFETY: no arguments.
        let current = unsafe { glib_ffi::g_main_context_get_thread_default() };
        // Another one may have been put before it, whose matter it is then.
        let context = APART.get();
        if context.is_null() || context != current {
            return Self(ptr::null_mut());
        }
        APART.set(ptr::null_mut());
        // SAFETY: the thread's default one, as `apart` has made it, which keeps it.
        unsafe { glib_ffi::g_main_context_pop_thread_default(context) };
        Self(context)
    }
}

impl Drop for AmongCallers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: as it was before; `apart` keeps it, and this thread owns it.
            unsafe { glib_ffi::g_main_context_push_thread_default(self.0) };
            APART.set(self.0);
        }
    }
}
