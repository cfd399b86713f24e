//! Calls into C from which a thread may not come back.
//!
//! A language's runtime may end a thread that calls into it. Python does so, before 3.14, with whoever asks for its lock
//! while the interpreter is being taken down: by `pthread_exit(3)`, which on glibc unwinds the stack as an exception does.
//! Where that meets a `catch_unwind`, or the beginning of one of our threads, the process is aborted, in the midst of its
//! orderly end. So such a thread stays where it is, as Python has it do from 3.14 on.

use std::{ffi::c_uint, hint::black_box, mem, thread};

use glib::{
    ffi::{GFALSE, GMainContext, GQuark, gboolean, gpointer},
    gobject_ffi::{self, GObject},
    translate::{IntoGlibPtr, ToGlibPtr},
};

/// A thread that is unwound past this, and not by a panic, goes no further.
struct Stays;

impl Drop for Stays {
    fn drop(&mut self) {
        while !thread::panicking() {
            thread::park();
        }
    }
}

/// A function of C's that may unwind. The compiler must not see which one it is: it knows that those of C's do not.
macro_rules! unwinding {
    ($function:path as $type:ty) => {{
        let function = black_box($function as *const ());
        // SAFETY: the function's own type, but that it may unwind.
        unsafe { mem::transmute::<*const (), $type>(function) }
    }};
}

/// Emits a signal that has two arguments which are pointers, and answers a boolean.
///
/// # Safety
///
/// The signal is one of the instance's, of this kind, and the arguments are what it declares.
pub(crate) unsafe fn emit(
    instance: *mut GObject,
    signal: c_uint,
    first: gpointer,
    second: gpointer,
) -> gboolean {
    type Emit = unsafe extern "C-unwind" fn(*mut GObject, c_uint, GQuark, ...);
    let emit = unwinding!(gobject_ffi::g_signal_emit as Emit);
    let mut answer = GFALSE;
    let stays = Stays;
    // SAFETY: as the caller says; with a place for the answer.
    unsafe { emit(instance, signal, 0, first, second, &raw mut answer) };
    mem::forget(stays);
    answer
}

/// Drops a reference.
pub(crate) fn let_go(object: impl IntoGlibPtr<*mut GObject>) {
    type Unref = unsafe extern "C-unwind" fn(*mut GObject);
    let unref = unwinding!(gobject_ffi::g_object_unref as Unref);
    let object = object.into_glib_ptr();
    let stays = Stays;
    // SAFETY: the reference that is given away.
    unsafe { unref(object) };
    mem::forget(stays);
}

/// Dispatches what is ready in a context. Answers whether there was something.
pub(crate) fn iterate(context: &glib::MainContext) -> bool {
    type Iterate = unsafe extern "C-unwind" fn(*mut GMainContext, gboolean) -> gboolean;
    let iterate = unwinding!(glib::ffi::g_main_context_iteration as Iterate);
    let context: *mut GMainContext = context.to_glib_none().0;
    let stays = Stays;
    // SAFETY: a live context.
    let dispatched = unsafe { iterate(context, GFALSE) };
    mem::forget(stays);
    dispatched != GFALSE
}
