//! `GSource`s of ours: one that runs a closure, and one whose readiness an object decides.

#![allow(
    unsafe_code,
    reason = "GSource is a C interface that glib-rs does not wrap this far"
)]

use std::{
    any::Any,
    ffi::{CStr, c_int},
    fmt,
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::Arc,
};

use glib::translate::{IntoGlib, ToGlibPtr, from_glib_none};

use crate::fence::{caught, caught_with, fence_or};

/// A strong reference to an event source.
///
/// Its closure is dropped when the source is destroyed, which its context does too when it dies:
/// a closure may therefore hold references to its own source without a leak.
pub(crate) struct Source(NonNull<glib::ffi::GSource>);

// SAFETY: every call below is one that GLib allows from any thread (reference counting, attaching,
// destroying and the ready time take the context's lock); what is inside is `Send`.
unsafe impl Send for Source {}
// SAFETY: as above; a `&Source` offers nothing else.
unsafe impl Sync for Source {}

/// When a source is due, before its context waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    /// In so many milliseconds at the latest.
    In(c_int),
    NotYet,
}

/// Decides when a source is due, and what happens then. Called on the thread that owns the
/// context, which nobody else does meanwhile.
pub(crate) trait Handler: Send + Sync {
    /// Before the context waits.
    fn prepare(&self, source: &Source) -> Due;

    /// After it has waited; GLib looks at the descriptors itself where nobody else does.
    fn check(&self, source: &Source) -> bool;

    /// Answers whether the source stays.
    fn dispatch(&self, source: &Source) -> bool;
}

type Callback = Box<dyn FnMut(&Source) -> bool + Send>;

/// A `GSource` with a handler.
#[repr(C)]
struct Handled {
    source: glib::ffi::GSource,
    /// Freed with the source; NULL for none.
    handler: *mut Arc<dyn Handler>,
}

impl Source {
    /// A source that is not attached yet. `callback` answers whether the source stays.
    ///
    /// The closure may run and be dropped on any thread that iterates the context.
    pub(crate) fn new(
        priority: glib::Priority,
        callback: impl FnMut(&Self) -> bool + Send + 'static,
    ) -> Self {
        let callback: Box<Callback> = Box::new(Box::new(callback));
        let size = size_of::<glib::ffi::GSource>();
        let source = Self::with(&FUNCS, size, priority);
        source.set_data(Box::into_raw(callback).cast(), drop_callback);
        source
    }

    /// Likewise, and `handler` decides. It may be dispatched again while it is being dispatched.
    /// `until_destroyed` is dropped when the source is destroyed.
    pub(crate) fn with_handler(
        priority: glib::Priority,
        handler: Arc<dyn Handler>,
        until_destroyed: Box<dyn Any + Send>,
    ) -> Self {
        let source = Self::with(&HANDLED_FUNCS, size_of::<Handled>(), priority);
        let handler = Box::into_raw(Box::new(handler));
        // SAFETY: a source of `HANDLED_FUNCS` has room for it, and nobody else knows it yet.
        unsafe { (*source.as_ptr().cast::<Handled>()).handler = handler };
        // SAFETY: a new source that only this thread knows.
        unsafe { glib::ffi::g_source_set_can_recurse(source.as_ptr(), glib::ffi::GTRUE) };
        let data: *mut Box<dyn Any + Send> = Box::into_raw(Box::new(until_destroyed));
        source.set_data(data.cast(), drop_any);
        source
    }

    fn with(
        funcs: &'static glib::ffi::GSourceFuncs,
        size: usize,
        priority: glib::Priority,
    ) -> Self {
        // SAFETY: GLib only reads the table, and zeroes what is beyond a plain GSource.
        let source =
            unsafe { glib::ffi::g_source_new(ptr::from_ref(funcs).cast_mut(), size as u32) };
        let source = NonNull::new(source).expect("g_source_new() aborts rather than return NULL");
        // SAFETY: a new source that only this thread knows.
        unsafe { glib::ffi::g_source_set_priority(source.as_ptr(), priority.into_glib()) };
        Self(source)
    }

    /// Says what it is, to whoever looks at the context with a profiler.
    pub(crate) fn named(self, name: &'static CStr) -> Self {
        // SAFETY: not attached yet, so that only this thread knows it; the name is a static string.
        unsafe { glib::ffi::g_source_set_static_name(self.as_ptr(), name.as_ptr()) };
        self
    }

    /// `drop_data` agrees with the type of `data`.
    fn set_data(
        &self,
        data: glib::ffi::gpointer,
        drop_data: unsafe extern "C" fn(glib::ffi::gpointer),
    ) {
        // SAFETY: a new source that only this thread knows; `run` does not look at the data.
        unsafe {
            glib::ffi::g_source_set_callback(self.as_ptr(), Some(run), data, Some(drop_data));
        }
    }

    pub(crate) fn attach(&self, context: &glib::MainContext) {
        // SAFETY: both are alive; sources of this type are attached once, by whoever made them.
        unsafe { glib::ffi::g_source_attach(self.as_ptr(), context.to_glib_none().0) };
    }

    /// When to run the closure, on the monotonic clock in microseconds; `None` is never.
    pub(crate) fn set_ready_time(&self, time: Option<i64>) {
        // SAFETY: allowed from any thread, on a destroyed source too.
        unsafe { glib::ffi::g_source_set_ready_time(self.as_ptr(), time.unwrap_or(-1)) };
    }

    /// When it is to run, for simulations.
    #[cfg(test)]
    pub(super) fn ready_time(&self) -> Option<i64> {
        // SAFETY: reads a field of a live source.
        let time = unsafe { glib::ffi::g_source_get_ready_time(self.as_ptr()) };
        (time >= 0).then_some(time)
    }

    /// When the iteration that is running began to look at its sources.
    pub(crate) fn time(&self) -> i64 {
        // SAFETY: the source is attached, as those are who ask.
        unsafe { glib::ffi::g_source_get_time(self.as_ptr()) }
    }

    /// # Safety
    ///
    /// `place` stays where it is until it is removed or the source is destroyed.
    pub(super) unsafe fn add_poll(&self, place: *mut glib::ffi::GPollFD) {
        if !self.is_destroyed() {
            // SAFETY: as the caller says.
            unsafe { glib::ffi::g_source_add_poll(self.as_ptr(), place) };
        }
    }

    pub(super) fn remove_poll(&self, place: *mut glib::ffi::GPollFD) {
        if !self.is_destroyed() {
            // SAFETY: a live source; the place is only compared.
            unsafe { glib::ffi::g_source_remove_poll(self.as_ptr(), place) };
        }
    }

    /// Takes the source out of its context and drops the closure, unless it is running.
    pub(crate) fn destroy(&self) {
        // SAFETY: allowed from any thread, any number of times.
        unsafe { glib::ffi::g_source_destroy(self.as_ptr()) };
    }

    pub(crate) fn context(&self) -> Option<glib::MainContext> {
        // SAFETY: allowed on a source that is not destroyed, which the handler's own never is.
        let context = unsafe { glib::ffi::g_source_get_context(self.as_ptr()) };
        // SAFETY: borrowed from the source, NULL while it is not attached.
        unsafe { from_glib_none(context) }
    }

    pub(crate) fn is_destroyed(&self) -> bool {
        // SAFETY: reads a flag of a live source.
        unsafe { glib::ffi::g_source_is_destroyed(self.as_ptr()) != glib::ffi::GFALSE }
    }

    pub(crate) fn as_ptr(&self) -> *mut glib::ffi::GSource {
        self.0.as_ptr()
    }
}

impl Clone for Source {
    fn clone(&self) -> Self {
        // SAFETY: a live source, counted atomically.
        unsafe { glib::ffi::g_source_ref(self.as_ptr()) };
        Self(self.0)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: gives back the reference that this value stands for.
        unsafe { glib::ffi::g_source_unref(self.as_ptr()) };
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0).finish()
    }
}

static FUNCS: glib::ffi::GSourceFuncs = glib::ffi::GSourceFuncs {
    // Without these two GLib decides by the ready time and the hosted descriptors.
    prepare: None,
    check: None,
    dispatch: Some(dispatch),
    finalize: None,
    closure_callback: None,
    closure_marshal: None,
};

static HANDLED_FUNCS: glib::ffi::GSourceFuncs = glib::ffi::GSourceFuncs {
    prepare: Some(handled_prepare),
    check: Some(handled_check),
    dispatch: Some(handled_dispatch),
    finalize: Some(handled_finalize),
    closure_callback: None,
    closure_marshal: None,
};

/// Runs `f` with the source and its handler; a panic is the value `otherwise`.
///
/// # Safety
///
/// `source` is a live source of `HANDLED_FUNCS`.
unsafe fn handled<R, F: FnOnce((&dyn Handler, &Source)) -> R>(
    source: *mut glib::ffi::GSource,
    otherwise: R,
    f: F,
) -> R {
    // SAFETY: sources of `HANDLED_FUNCS` are `Handled`.
    let handler = unsafe { (*source.cast::<Handled>()).handler };
    let (Some(source), false) = (NonNull::new(source), handler.is_null()) else {
        return otherwise;
    };
    let source = ManuallyDrop::new(Source(source));
    // SAFETY: set once, freed with the source.
    let handler = unsafe { &*handler };
    caught_with::<(&dyn Handler, &Source), _, _>((&**handler, &source), f).unwrap_or_else(|| {
        glib::g_critical!("Gsock", "a source's handler panicked");
        otherwise
    })
}

unsafe extern "C" fn handled_prepare(
    source: *mut glib::ffi::GSource,
    timeout: *mut c_int,
) -> glib::ffi::gboolean {
    // SAFETY: GLib calls this with sources of its table.
    let due = unsafe {
        handled(source, Due::NotYet, |(handler, source)| {
            handler.prepare(source)
        })
    };
    let wait = match due {
        Due::Now => 0,
        Due::In(milliseconds) => milliseconds,
        Due::NotYet => -1,
    };
    // SAFETY: GLib's place for an answer.
    unsafe { *timeout = wait };
    (due == Due::Now).into()
}

unsafe extern "C" fn handled_check(source: *mut glib::ffi::GSource) -> glib::ffi::gboolean {
    // SAFETY: GLib calls this with sources of its table.
    unsafe { handled(source, false, |(handler, source)| handler.check(source)) }.into()
}

unsafe extern "C" fn handled_dispatch(
    source: *mut glib::ffi::GSource,
    callback: glib::ffi::GSourceFunc,
    _data: glib::ffi::gpointer,
) -> glib::ffi::gboolean {
    if callback.is_none() {
        // Destroyed by another thread between the poll and this dispatch.
        return glib::ffi::G_SOURCE_REMOVE;
    }
    // SAFETY: GLib calls this with sources of its table.
    unsafe { handled(source, true, |(handler, source)| handler.dispatch(source)) }.into()
}

unsafe extern "C" fn handled_finalize(source: *mut glib::ffi::GSource) {
    // SAFETY: sources of `HANDLED_FUNCS` are `Handled`.
    let handler = unsafe { (*source.cast::<Handled>()).handler };
    if !handler.is_null() {
        // SAFETY: the box of `with_handler`, freed once.
        let handler = unsafe { Box::from_raw(handler) };
        fence_or((), move || drop(handler));
    }
}

unsafe extern "C" fn dispatch(
    source: *mut glib::ffi::GSource,
    callback: glib::ffi::GSourceFunc,
    data: glib::ffi::gpointer,
) -> glib::ffi::gboolean {
    let Some(source) = NonNull::new(source) else {
        return glib::ffi::G_SOURCE_REMOVE;
    };
    if callback.is_none() {
        // Destroyed by another thread between the poll and this dispatch.
        return glib::ffi::G_SOURCE_REMOVE;
    }
    let source = ManuallyDrop::new(Source(source));
    // SAFETY: `data` is the box that `Source::new` gave with `run`; GLib keeps it alive during the
    // dispatch and does not dispatch a source again while it is being dispatched.
    let callback = unsafe { &mut *data.cast::<Callback>() };
    match caught(|| callback(&source)) {
        Some(true) => glib::ffi::G_SOURCE_CONTINUE,
        Some(false) => glib::ffi::G_SOURCE_REMOVE,
        None => {
            glib::g_critical!("Gsock", "a callback panicked; its source was removed");
            glib::ffi::G_SOURCE_REMOVE
        }
    }
}

/// Marks the callback data as ours; the dispatch functions call what there is to call themselves.
unsafe extern "C" fn run(_: glib::ffi::gpointer) -> glib::ffi::gboolean {
    fence_or(glib::ffi::G_SOURCE_REMOVE, || glib::ffi::G_SOURCE_REMOVE)
}

unsafe extern "C" fn drop_callback(data: glib::ffi::gpointer) {
    // SAFETY: GLib calls this once with the pointer given to g_source_set_callback().
    let callback = unsafe { Box::from_raw(data.cast::<Callback>()) };
    fence_or((), move || drop(callback));
}

unsafe extern "C" fn drop_any(data: glib::ffi::gpointer) {
    // SAFETY: GLib calls this once with the pointer given to g_source_set_callback().
    let any = unsafe { Box::from_raw(data.cast::<Box<dyn Any + Send>>()) };
    fence_or((), move || drop(any));
}
