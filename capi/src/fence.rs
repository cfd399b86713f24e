//! The way out of a function that C has called: a value, an error, or a critical message.

use std::ffi::CString;

use glib::{ffi::GError, translate::IntoGlibPtr};
use gsock::fence::caught_in;

/// An argument that must not be, as C spells the check: `G_IS_SOCKET (socket)`.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) check: &'static str,
    pub(crate) argument: &'static str,
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    Error(glib::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<glib::Error> for Failure {
    fn from(error: glib::Error) -> Self {
        Self::Error(error)
    }
}

/// Runs `body`. Whatever keeps it from a value, a panic too, ends here and C gets `fallback`:
/// a refused argument leaves a critical message, as `g_return_val_if_fail()` does, and everything
/// else an error, or a critical message where there is no place for one.
///
/// # Safety
///
/// `out` is NULL or a place for an error.
pub(crate) unsafe fn fenced<R>(
    function: &'static str,
    fallback: R,
    out: *mut *mut GError,
    body: impl FnOnce() -> Result<R, Failure>,
) -> R {
    let error = match caught_in(function, body) {
        Some(Ok(value)) => return value,
        Some(Err(Failure::Refused(refusal))) => {
            warn(function, &refusal);
            return fallback;
        }
        Some(Err(Failure::Error(error))) => error,
        None => {
            let message = format!("{function} panicked");
            if out.is_null() {
                glib::g_critical!("Gsock", "{message}");
            }
            glib::Error::new(gio::IOErrorEnum::Failed, &message)
        }
    };
    // SAFETY: as the caller says; it frees the error where there is no place for it.
    unsafe { glib::ffi::g_propagate_error(out, error.into_glib_ptr()) };
    fallback
}

fn warn(function: &str, refusal: &Refusal) {
    let check = format!("{} ({})", refusal.check, refusal.argument);
    let function = CString::new(function).unwrap_or_default();
    let check = CString::new(check).unwrap_or_default();
    // SAFETY: three strings that live until it returns.
    unsafe {
        glib::ffi::g_return_if_fail_warning(c"Gsock".as_ptr(), function.as_ptr(), check.as_ptr())
    };
}
