//! A `GSource` that hosts descriptors and a moment, and runs a closure when one of them is due.

#![allow(
    unsafe_code,
    reason = "GSource is a C interface that glib-rs does not wrap this far"
)]

use std::{
    ffi::c_int,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::{self, NonNull},
};

use glib::translate::{IntoGlib, ToGlibPtr, from_glib_none};

/// `poll(2)` events, in the numbers that `GIOCondition` shares with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Events(u32);

impl Events {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const IN: Self = Self(libc::POLLIN as u32);
    pub(crate) const OUT: Self = Self(libc::POLLOUT as u32);
    pub(crate) const ERROR: Self = Self(libc::POLLERR as u32);
    pub(crate) const HANGUP: Self = Self(libc::POLLHUP as u32);
    /// The peer will send no more.
    #[cfg(peer_hangup)]
    pub(crate) const PEER_HANGUP: Self = Self(libc::POLLRDHUP as u32);
    /// No event says so on this system: a read does.
    #[cfg(not(peer_hangup))]
    pub(crate) const PEER_HANGUP: Self = Self::NONE;

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, any_of: Self) -> bool {
        self.0 & any_of.0 != 0
    }

    pub(crate) const fn bits(self) -> i16 {
        self.0 as i16
    }

    pub(crate) const fn from_bits(bits: i16) -> Self {
        Self(bits as u16 as u32)
    }
}

/// Names a descriptor within its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FdTag(glib::ffi::gpointer);

// SAFETY: a name; only GLib looks behind it.
unsafe impl Send for FdTag {}
// SAFETY: likewise.
unsafe impl Sync for FdTag {}

/// A strong reference to an event source.
///
/// Its closure is dropped when the source is destroyed, which its context does too when it dies:
/// a closure may therefore hold references to its own source without a leak.
pub(crate) struct Source(NonNull<glib::ffi::GSource>);

// SAFETY: every call below is one that GLib allows from any thread (reference counting, attaching,
// destroying and the ready time take the context's lock); the closure inside is `Send`.
unsafe impl Send for Source {}
// SAFETY: as above; a `&Source` offers nothing else.
unsafe impl Sync for Source {}

type Callback = Box<dyn FnMut(&Source) -> bool + Send>;
type Hook = Box<dyn Fn(&Source) -> bool + Send + Sync>;

/// A `GSource` that is asked before every poll.
#[repr(C)]
struct Hooked {
    source: glib::ffi::GSource,
    /// Freed with the source; NULL for never.
    hook: *mut Hook,
}

impl Source {
    /// A source that is not attached yet. `callback` answers whether the source stays.
    ///
    /// The closure may run and be dropped on any thread that iterates the context.
    pub(crate) fn new(
        priority: glib::Priority,
        callback: impl FnMut(&Self) -> bool + Send + 'static,
    ) -> Self {
        Self::with(&FUNCS, size_of::<glib::ffi::GSource>(), priority, callback)
    }

    /// Likewise, and `hook` is asked before every poll of the context whether the source is due.
    pub(crate) fn with_hook(
        priority: glib::Priority,
        hook: impl Fn(&Self) -> bool + Send + Sync + 'static,
        callback: impl FnMut(&Self) -> bool + Send + 'static,
    ) -> Self {
        let hook: Box<Hook> = Box::new(Box::new(hook));
        let source = Self::with(&HOOKED_FUNCS, size_of::<Hooked>(), priority, callback);
        // SAFETY: a source of `HOOKED_FUNCS` has room for it, and nobody else knows it yet.
        unsafe { (*source.as_ptr().cast::<Hooked>()).hook = Box::into_raw(hook) };
        source
    }

    fn with(
        funcs: &'static glib::ffi::GSourceFuncs,
        size: usize,
        priority: glib::Priority,
        callback: impl FnMut(&Self) -> bool + Send + 'static,
    ) -> Self {
        let callback: Box<Callback> = Box::new(Box::new(callback));
        // SAFETY: GLib only reads the table, and zeroes what is beyond a plain GSource.
        let source =
            unsafe { glib::ffi::g_source_new(ptr::from_ref(funcs).cast_mut(), size as u32) };
        let source = NonNull::new(source).expect("g_source_new() aborts rather than return NULL");
        // SAFETY: a new source that only this thread knows.
        unsafe { glib::ffi::g_source_set_priority(source.as_ptr(), priority.into_glib()) };
        // SAFETY: `run` and `drop_callback` agree with the type of the data given here.
        unsafe {
            glib::ffi::g_source_set_callback(
                source.as_ptr(),
                Some(run),
                Box::into_raw(callback).cast(),
                Some(drop_callback),
            );
        }
        // SAFETY: a new source that only this thread knows; the name is a static string.
        unsafe { glib::ffi::g_source_set_static_name(source.as_ptr(), c"gsock".as_ptr()) };
        Self(source)
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

    pub(crate) fn add_fd(&self, fd: c_int, events: Events) -> FdTag {
        // SAFETY: the source is alive. A descriptor that is closed meanwhile reports INVALID.
        FdTag(unsafe { glib::ffi::g_source_add_unix_fd(self.as_ptr(), fd, events.0) })
    }

    pub(crate) fn modify_fd(&self, tag: FdTag, events: Events) {
        if !self.is_destroyed() {
            // SAFETY: `tag` came from `add_fd` on this source.
            unsafe { glib::ffi::g_source_modify_unix_fd(self.as_ptr(), tag.0, events.0) };
        }
    }

    /// What the descriptor reported in the dispatch that is running.
    pub(crate) fn query_fd(&self, tag: FdTag) -> Events {
        // SAFETY: `tag` came from `add_fd` on this source.
        Events(unsafe { glib::ffi::g_source_query_unix_fd(self.as_ptr(), tag.0) })
    }

    pub(crate) fn remove_fd(&self, tag: FdTag) {
        if !self.is_destroyed() {
            // SAFETY: `tag` came from `add_fd` on this source and is not used again.
            unsafe { glib::ffi::g_source_remove_unix_fd(self.as_ptr(), tag.0) };
        }
    }

    /// Takes the source out of its context and drops the closure, unless it is running.
    pub(crate) fn destroy(&self) {
        // SAFETY: allowed from any thread, any number of times.
        unsafe { glib::ffi::g_source_destroy(self.as_ptr()) };
    }

    pub(crate) fn context(&self) -> Option<glib::MainContext> {
        // SAFETY: allowed on a source that is not destroyed, which its own hook's never is.
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

static HOOKED_FUNCS: glib::ffi::GSourceFuncs = glib::ffi::GSourceFuncs {
    prepare: Some(prepare),
    check: None,
    dispatch: Some(dispatch),
    finalize: Some(finalize),
    closure_callback: None,
    closure_marshal: None,
};

unsafe extern "C" fn prepare(
    source: *mut glib::ffi::GSource,
    timeout: *mut c_int,
) -> glib::ffi::gboolean {
    // SAFETY: GLib's place for an answer.
    unsafe { *timeout = -1 };
    // SAFETY: sources of `HOOKED_FUNCS` are `Hooked`.
    let hook = unsafe { (*source.cast::<Hooked>()).hook };
    let (Some(source), false) = (NonNull::new(source), hook.is_null()) else {
        return glib::ffi::GFALSE;
    };
    let source = std::mem::ManuallyDrop::new(Source(source));
    // SAFETY: set once, freed with the source.
    let hook = unsafe { &*hook };
    catch_unwind(AssertUnwindSafe(|| hook(&source)))
        .unwrap_or(false)
        .into()
}

unsafe extern "C" fn finalize(source: *mut glib::ffi::GSource) {
    // SAFETY: sources of `HOOKED_FUNCS` are `Hooked`.
    let hook = unsafe { (*source.cast::<Hooked>()).hook };
    if !hook.is_null() {
        // SAFETY: the box of `with_hook`, freed once.
        let hook = unsafe { Box::from_raw(hook) };
        dropped(hook);
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
    let source = std::mem::ManuallyDrop::new(Source(source));
    // SAFETY: `data` is the box that `Source::new` gave with `run`; GLib keeps it alive during the
    // dispatch and does not dispatch a source again while it is being dispatched.
    let callback = unsafe { &mut *data.cast::<Callback>() };
    match catch_unwind(AssertUnwindSafe(|| callback(&source))) {
        Ok(true) => glib::ffi::G_SOURCE_CONTINUE,
        Ok(false) => glib::ffi::G_SOURCE_REMOVE,
        Err(_) => {
            glib::g_critical!("Gsock", "a callback panicked; its source was removed");
            glib::ffi::G_SOURCE_REMOVE
        }
    }
}

/// Marks the callback data as ours; [`dispatch`] calls the closure itself.
unsafe extern "C" fn run(_: glib::ffi::gpointer) -> glib::ffi::gboolean {
    glib::ffi::G_SOURCE_REMOVE
}

unsafe extern "C" fn drop_callback(data: glib::ffi::gpointer) {
    // SAFETY: GLib calls this once with the pointer given to g_source_set_callback().
    let callback = unsafe { Box::from_raw(data.cast::<Callback>()) };
    dropped(callback);
}

/// A destructor's panic must not leave an `extern "C"` function either.
fn dropped<T>(value: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(value))).is_err() {
        glib::g_critical!("Gsock", "dropping a callback panicked");
    }
}
