//! What trampolines share: panics that turn into errors, and errors on their way out.

#![allow(unsafe_code, reason = "virtual functions are C functions")]

mod foreign;
mod handler;
pub(crate) mod input_stream;
pub(crate) mod output_stream;
mod pollable;
mod transfer;

use std::{
    fmt,
    future::{Future, poll_fn},
    task::Poll,
};

use glib::{
    prelude::*,
    translate::{IntoGlib, IntoGlibPtr},
};

pub(crate) use foreign::{emit, iterate};
pub(crate) use handler::{Resident, fenced_handler, handler_panics, is_given};
pub(crate) use input_stream::{add_input_interfaces, fill_input_class};
pub(crate) use output_stream::{add_output_interfaces, fill_output_class};
pub(crate) use pollable::{Buffer, ContextWaker, TransportStream, add_interface, source_around};

use crate::{error, fence::caught};

/// Runs `f`; a panic inside it becomes the error `Failed`, since it must not leave an
/// `extern "C"` function.
pub(crate) fn fenced<R>(f: impl FnOnce() -> Result<R, glib::Error>) -> Result<R, glib::Error> {
    caught(f).unwrap_or_else(|| Err(panicked()))
}

const PANICKED: &str = "A virtual function panicked";

pub(crate) fn panicked() -> glib::Error {
    error::failed(PANICKED)
}

/// A future whose panics become the error `Failed`.
pub(crate) async fn fenced_future<R>(
    future: impl Future<Output = Result<R, glib::Error>>,
) -> Result<R, glib::Error> {
    let mut future = Box::pin(future);
    poll_fn(|cx| {
        caught(|| future.as_mut().poll(cx)).unwrap_or_else(|| Poll::Ready(Err(panicked())))
    })
    .await
}

/// Hands an error out through a `GError **`.
///
/// # Safety
///
/// `out` is NULL, or may be written to.
pub(crate) unsafe fn set_error(out: *mut *mut glib::ffi::GError, failure: glib::Error) {
    if !out.is_null() {
        // SAFETY: as the caller says; the error is handed over.
        unsafe { *out = failure.into_glib_ptr() };
    } else if failure.message() == PANICKED {
        // Nobody would be told, as in the close of an object that goes.
        glib::g_critical!("Gsock", "{PANICKED}");
    }
}

/// A `gboolean` and, when it is FALSE, an error.
///
/// # Safety
///
/// As of [`set_error`].
pub(crate) unsafe fn boolean(
    result: Result<(), glib::Error>,
    out: *mut *mut glib::ffi::GError,
) -> glib::ffi::gboolean {
    match result {
        Ok(()) => glib::ffi::GTRUE,
        Err(failure) => {
            // SAFETY: as the caller says.
            unsafe { set_error(out, failure) };
            glib::ffi::GFALSE
        }
    }
}

/// A count of bytes, or -1 and an error.
///
/// # Safety
///
/// As of [`set_error`].
pub(crate) unsafe fn size(
    result: Result<usize, glib::Error>,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    match result {
        Ok(size) => isize::try_from(size).unwrap_or(isize::MAX),
        Err(failure) => {
            // SAFETY: as the caller says.
            unsafe { set_error(out, failure) };
            -1
        }
    }
}

/// Whether there can be no instance of exactly this type.
pub(crate) fn is_abstract(type_: glib::Type) -> bool {
    // SAFETY: a registered type.
    let flag = unsafe {
        glib::gobject_ffi::g_type_test_flags(
            type_.into_glib(),
            glib::gobject_ffi::G_TYPE_FLAG_ABSTRACT,
        )
    };
    flag != glib::ffi::GFALSE
}

/// An object that an instance's private data owns, and that any thread may ask for through C.
///
/// The reference count is atomic; what gio-rs' `!Send` guards against, the user's closures on the
/// object, stays where the user put it: this hands out the pointer and nothing else.
pub(crate) struct Owned<T>(T);

// SAFETY: see above.
unsafe impl<T: IsA<glib::Object>> Send for Owned<T> {}
// SAFETY: see above.
unsafe impl<T: IsA<glib::Object>> Sync for Owned<T> {}

impl<T: IsA<glib::Object>> Owned<T> {
    pub(crate) fn new(object: T) -> Self {
        Self(object)
    }

    pub(crate) fn get(&self) -> &T {
        &self.0
    }

    /// Drops it on a thread of ours, which may not come back from that.
    pub(crate) fn let_go(self) {
        foreign::let_go(self.0.upcast::<glib::Object>());
    }
}

impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").finish_non_exhaustive()
    }
}
