//! Classes as C makes them, and which slots they fill.

use std::{
    cell::RefCell,
    mem::MaybeUninit,
    ptr,
    thread::{self, ThreadId},
};

use gio::ffi as gio_ffi;
use glib::{
    ffi::{GError, gboolean, gpointer},
    gobject_ffi,
    translate::{FromGlib, IntoGlib, ToGlibPtr},
};

/// The slots of `GIOStream` that a class has: of the two streams, then of closing.
pub(crate) fn slots_of(type_: glib::Type) -> [usize; 5] {
    let class = glib::Class::<gio::IOStream>::from_type(type_).expect("a class of streams");
    let class = ptr::from_ref(&*class).cast::<gio_ffi::GIOStreamClass>();
    // SAFETY: the class struct of a class below GIOStream begins with GIOStream's.
    let class = unsafe { &*class };
    [
        class.get_input_stream.map_or(0, |slot| slot as usize),
        class.get_output_stream.map_or(0, |slot| slot as usize),
        class.close_fn.map_or(0, |slot| slot as usize),
        class.close_async.map_or(0, |slot| slot as usize),
        class.close_finish.map_or(0, |slot| slot as usize),
    ]
}

thread_local! {
    static CLOSES: RefCell<Vec<ThreadId>> = const { RefCell::new(Vec::new()) };
}

/// Counts on the thread that calls, and chains up.
unsafe extern "C" fn counting_close(
    stream: *mut gio_ffi::GIOStream,
    cancellable: *mut gio_ffi::GCancellable,
    failure: *mut *mut GError,
) -> gboolean {
    CLOSES.with_borrow_mut(|closes| closes.push(thread::current().id()));
    // SAFETY: a live instance of a class made by `with_counting_close`, whose parent is one of
    // connections; the caller's arguments are passed on.
    unsafe {
        let class = *stream.cast::<gpointer>();
        let parent = gobject_ffi::g_type_class_peek_parent(class);
        let close = (*parent.cast::<gio_ffi::GIOStreamClass>()).close_fn;
        close.expect("every connection can close")(stream, cancellable, failure)
    }
}

unsafe extern "C" fn init_with_counting_close(class: gpointer, _: gpointer) {
    // SAFETY: GObject initialises a class once, alone; it begins with GIOStream's.
    unsafe { (*class.cast::<gio_ffi::GIOStreamClass>()).close_fn = Some(counting_close) };
}

/// A class as C makes it, below `parent`, that overrides the blocking close alone.
pub(crate) fn with_counting_close(parent: glib::Type) -> glib::Type {
    let name = format!("TestParityCounting{}", parent.name());
    if let Some(type_) = glib::Type::from_name(&name) {
        return type_;
    }
    let _parents_class = glib::Class::<gio::IOStream>::from_type(parent);
    let mut query = MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
    // SAFETY: a registered type, and room for the answer.
    unsafe { gobject_ffi::g_type_query(parent.into_glib(), query.as_mut_ptr()) };
    // SAFETY: filled in, and valid when zero.
    let query = unsafe { query.assume_init() };
    // SAFETY: the sizes are the parent's, which is derivable.
    unsafe {
        glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
            parent.into_glib(),
            name.to_glib_none().0,
            query.class_size,
            Some(init_with_counting_close),
            query.instance_size,
            None,
            0,
        ))
    }
}

/// On which threads the overridden close ran since the last look.
pub(crate) fn closes() -> Vec<ThreadId> {
    CLOSES.take()
}
