//! What the two stream directions share: their transport, waits handed out as sources, and the
//! interface that tells the descriptor.

use std::{
    mem::MaybeUninit,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use glib::{
    ffi::gpointer,
    object::IsA,
    subclass::prelude::*,
    translate::{IntoGlib, ToGlibPtr},
};
use once_cell::sync::OnceCell;

use crate::{
    error,
    operation::{Attempt, Progress, Wait},
    reactor::{Events, FdTag, Interest, Source},
    transport::{Attempted, Operation, Tap, Transport, Waiter},
};

/// A stream over a transport.
pub(crate) trait TransportStream: ObjectSubclass<Type: IsA<glib::Object>> {
    fn tap(&self) -> &Tap;
}

/// One transfer of bytes in one direction, tried until it moves some.
pub(super) struct Transfer<F> {
    transport: Arc<Transport>,
    interest: Interest,
    call: F,
    deadline: Option<i64>,
    _operation: Operation,
}

impl<F: FnMut(&Transport) -> Attempted<usize>> Transfer<F> {
    pub(super) fn new(transport: Arc<Transport>, interest: Interest, call: F) -> Self {
        let deadline = transport.deadline();
        let operation = transport.operation(interest.into());
        Self {
            transport,
            interest,
            call,
            deadline,
            _operation: operation,
        }
    }
}

impl<F: FnMut(&Transport) -> Attempted<usize>> Attempt for Transfer<F> {
    type Output = usize;

    fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn left_over(&self) -> Option<glib::Error> {
        let timed_out = self.transport.take_timed_out(self.interest);
        timed_out.then(error::timed_out)
    }

    fn attempt(&mut self) -> Progress<usize> {
        match (self.call)(&self.transport) {
            Ok(Some(moved)) => Progress::Done(Ok(moved)),
            Ok(None) => Progress::Wait(Wait::for_event(self.interest)),
            Err(failure) => Progress::Done(Err(failure)),
        }
    }
}

/// Memory that the caller of an asynchronous C function keeps valid until its callback.
pub(super) struct Buffer {
    start: *mut u8,
    len: usize,
}

// SAFETY: the caller lends the memory to the operation, on whatever thread that runs.
unsafe impl Send for Buffer {}

impl Buffer {
    pub(super) fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len }
    }

    /// # Safety
    ///
    /// The operation has not ended, and nobody else uses the memory.
    pub(super) unsafe fn fill(&mut self) -> &mut [MaybeUninit<u8>] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as the caller says; GIO forbids NULL with a length.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.len) }
    }

    /// # Safety
    ///
    /// The operation has not ended, and the memory was given to be written out.
    pub(super) unsafe fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: as the caller says; GIO forbids NULL with a length.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// `g_pollable_*_stream_create_source()`: fires when the descriptor is ready, when the socket's
/// timeout passes (the next operation then answers `TimedOut`), once when the socket is closed,
/// and when `cancellable` is cancelled.
///
/// # Safety
///
/// `stream` is a live object, `cancellable` a live cancellable or NULL. The result is a full
/// reference.
pub(super) unsafe fn create_source(
    stream: *mut glib::gobject_ffi::GObject,
    transport: &Arc<Transport>,
    interest: Interest,
    cancellable: *mut gio::ffi::GCancellable,
) -> *mut glib::ffi::GSource {
    // SAFETY: as the caller says; a NULL child means none yet.
    let parent =
        unsafe { gio::ffi::g_pollable_source_new_full(stream, std::ptr::null_mut(), cancellable) };
    let child = readiness_source(transport, interest);
    // SAFETY: neither is attached yet; GLib takes a reference of its own.
    unsafe { glib::ffi::g_source_add_child_source(parent, child.as_ptr()) };
    parent
}

/// The next operation says so at once.
fn is_of_no_use(transport: &Transport) -> bool {
    transport.is_closed() || transport.is_inherited()
}

fn readiness_source(transport: &Arc<Transport>, interest: Interest) -> Source {
    let told = Arc::new(AtomicBool::new(false));
    let tag = Arc::new(OnceCell::new());
    // Due when the socket was closed and nobody has been told. The place in the list of those whom a
    // close wakes is taken when the source is first in use, and given back with it.
    let hook = {
        let (transport, told, place) = (transport.clone(), told.clone(), OnceCell::new());
        move |source: &Source| {
            if let Some(context) = source.context() {
                place.get_or_init(|| Place::take(&transport, &context));
            }
            is_of_no_use(&transport) && !told.load(Ordering::Acquire)
        }
    };
    let callback = {
        let (transport, tag) = (transport.clone(), tag.clone());
        move |source: &Source| {
            let tag: Option<&FdTag> = tag.get();
            if is_of_no_use(&transport) {
                // Once. The number is nobody's, or a stranger's, or the parent process'.
                if !told.swap(true, Ordering::AcqRel) {
                    tag.into_iter().for_each(|tag| source.remove_fd(*tag));
                }
                source.set_ready_time(None);
                return true;
            }
            if tag.is_some_and(|tag| source.query_fd(*tag) == Events::NONE) {
                transport.set_timed_out(interest);
            }
            source.set_ready_time(transport.deadline());
            true
        }
    };
    let source = Source::with_hook(glib::Priority::DEFAULT, hook, callback);
    if let Ok(using) = transport.enter() {
        // A new cell takes its first value.
        let _ = tag.set(source.add_fd(using.fd(), interest.events()));
        source.set_ready_time(transport.deadline());
    }
    source
}

/// Makes a context look at its sources, for as long as the source that took the waker is alive. It
/// does not keep the context: that would keep the source, and so the waker.
struct ContextWaker(Mutex<*mut glib::ffi::GMainContext>);

// SAFETY: the pointer is used under the lock, and cleared before its context goes: a context
// finalizes its sources first.
unsafe impl Send for ContextWaker {}
// SAFETY: likewise.
unsafe impl Sync for ContextWaker {}

impl ContextWaker {
    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = std::ptr::null_mut();
    }
}

impl Wake for ContextWaker {
    fn wake(self: Arc<Self>) {
        let context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !context.is_null() {
            // SAFETY: as above.
            unsafe { glib::ffi::g_main_context_wakeup(*context) };
        }
    }
}

/// A source's place in the list of those whom a close wakes.
struct Place {
    waker: Arc<ContextWaker>,
    _waiter: Waiter,
}

impl Place {
    fn take(transport: &Arc<Transport>, context: &glib::MainContext) -> Self {
        let waker = Arc::new(ContextWaker(Mutex::new(context.to_glib_none().0)));
        let waiter = transport.wake_on_close(&Waker::from(waker.clone()));
        Self {
            waker,
            _waiter: waiter,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waker.clear();
    }
}

unsafe extern "C" {
    /// Of libgio itself; gio-rs keeps its binding in another crate.
    fn g_file_descriptor_based_get_type() -> glib::ffi::GType;
}

/// `struct _GFileDescriptorBasedIface`.
#[repr(C)]
struct FileDescriptorBasedIface {
    parent: glib::gobject_ffi::GTypeInterface,
    get_fd: Option<unsafe extern "C" fn(gpointer) -> i32>,
}

/// Adds `GFileDescriptorBased`.
pub(super) fn add_file_descriptor_based<T: TransportStream>(type_: glib::Type) {
    // SAFETY: a type function without arguments.
    let interface = unsafe { g_file_descriptor_based_get_type() };
    // SAFETY: `init` fills the table of that interface, and `T` is being registered as `type_`.
    unsafe { add_interface(type_, interface, file_descriptor_based_init::<T>) };
}

/// # Safety
///
/// `init` must fill the table of `interface`, for instances of `type_`, which is being registered.
pub(super) unsafe fn add_interface(
    type_: glib::Type,
    interface: glib::ffi::GType,
    init: unsafe extern "C" fn(gpointer, gpointer),
) {
    let info = glib::gobject_ffi::GInterfaceInfo {
        interface_init: Some(init),
        interface_finalize: None,
        interface_data: std::ptr::null_mut(),
    };
    // SAFETY: as the caller says; GObject copies the description.
    unsafe {
        glib::gobject_ffi::g_type_add_interface_static(
            type_.into_glib(),
            interface,
            &raw const info,
        );
    }
}

unsafe extern "C" fn file_descriptor_based_init<T: TransportStream>(iface: gpointer, _: gpointer) {
    // SAFETY: GObject passes the table of the interface that this was registered for.
    unsafe { (*iface.cast::<FileDescriptorBasedIface>()).get_fd = Some(get_fd::<T>) };
}

unsafe extern "C" fn get_fd<T: TransportStream>(stream: gpointer) -> i32 {
    // SAFETY: called on instances of `T`.
    unsafe { transport_of::<T>(stream) }.fd_number()
}

/// # Safety
///
/// `stream` is a live instance of `T`.
pub(super) unsafe fn transport_of<T: TransportStream>(stream: gpointer) -> Arc<Transport> {
    // SAFETY: as the caller says.
    unsafe { imp_of::<T>(stream) }.tap().transport()
}

/// # Safety
///
/// `stream` is a live instance of `T`.
pub(super) unsafe fn imp_of<'a, T: TransportStream>(stream: gpointer) -> &'a T {
    // SAFETY: as the caller says.
    unsafe { &*stream.cast::<T::Instance>() }.imp()
}
