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

use glib::{ffi::gpointer, object::IsA, subclass::prelude::*, translate::IntoGlib};
use once_cell::sync::OnceCell;

use crate::{
    fence::{fence, fence_or},
    reactor::{Due, Engine, Handler, Interest, Source, Wait},
    transport::{Tap, Transport, Waiter},
};

/// A stream over a transport.
pub(crate) trait TransportStream: ObjectSubclass<Type: IsA<glib::Object>> {
    fn tap(&self) -> &Tap;
}

/// Memory that the caller of an asynchronous C function keeps valid until its callback.
pub(crate) struct Buffer {
    start: *mut u8,
    len: usize,
}

// SAFETY: the caller lends the memory to the operation, on whatever thread that runs.
unsafe impl Send for Buffer {}

impl Buffer {
    pub(crate) fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// # Safety
    ///
    /// The operation has not ended, and nobody else uses the memory.
    pub(crate) unsafe fn fill(&mut self) -> &mut [MaybeUninit<u8>] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as the caller says; GIO forbids NULL with a length.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.len) }
    }

    /// # Safety
    ///
    /// The operation has not ended, and the memory was given to be written out.
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
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
    let child = readiness_source(transport, interest);
    // SAFETY: as the caller says.
    unsafe { source_around(stream, &child, cancellable) }
}

/// A pollable stream's source that fires when `child` does, which is not attached yet, or is cancelled.
///
/// # Safety
///
/// As of [`create_source`].
pub(crate) unsafe fn source_around(
    stream: *mut glib::gobject_ffi::GObject,
    child: &Source,
    cancellable: *mut gio::ffi::GCancellable,
) -> *mut glib::ffi::GSource {
    // SAFETY: as the caller says; a NULL child means none yet.
    let parent =
        unsafe { gio::ffi::g_pollable_source_new_full(stream, std::ptr::null_mut(), cancellable) };
    // SAFETY: neither is attached yet; GLib takes a reference of its own.
    unsafe { glib::ffi::g_source_add_child_source(parent, child.as_ptr()) };
    parent
}

/// The next operation says so at once.
fn is_of_no_use(transport: &Transport) -> bool {
    transport.is_closed() || transport.is_inherited()
}

fn readiness_source(transport: &Arc<Transport>, interest: Interest) -> Source {
    let handler = Arc::new(ReadinessSource {
        transport: transport.clone(),
        interest,
        ready: AtomicBool::new(false),
        told: AtomicBool::new(false),
        attached: OnceCell::new(),
    });
    let source = Source::with_handler(glib::Priority::DEFAULT, handler, Box::new(()))
        .named(c"gsock readiness");
    if transport.enter().is_ok() {
        source.set_ready_time(transport.deadline());
    }
    source
}

/// Fires for as long as the descriptor is ready. The context's engine watches that; this asks it.
struct ReadinessSource {
    transport: Arc<Transport>,
    interest: Interest,
    /// It is why the source is due, unless that is the timeout.
    ready: AtomicBool,
    /// That the socket is of no use any more.
    told: AtomicBool,
    /// Once the source is in use.
    attached: OnceCell<Attached>,
}

struct Attached {
    engine: Arc<Engine>,
    /// Told of a close.
    _place: Waiter,
    wait: Mutex<Wait>,
}

impl ReadinessSource {
    fn attached(&self, source: &Source) -> Option<&Attached> {
        if self.attached.get().is_none()
            && let Some(context) = source.context()
        {
            let attached = Attached {
                engine: Engine::of(&context),
                _place: {
                    let waker = ContextWaker::new(&context);
                    self.transport.wake_on_close(&Waker::from(waker))
                },
                wait: Mutex::new(Wait::new()),
            };
            let _ = self.attached.set(attached);
        }
        self.attached.get()
    }

    /// As `poll(2)` sees it: what the engine knows may be out of date, when somebody has read what it
    /// knows of without us.
    fn is_ready(&self, source: &Source) -> bool {
        let Some(attached) = self.attached(source) else {
            return false;
        };
        let Ok(registration) = self.transport.registration(&attached.engine, self.interest) else {
            return false;
        };
        let mut wait = attached.wait.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let seen = registration.look();
            if seen.is_ready(self.interest) {
                if self.transport.may_be_ready(self.interest) {
                    return true;
                }
                registration.used_up(self.interest, seen);
            }
            // Nobody need be woken: the context asks again after every iteration.
            if !wait.for_descriptor(&registration, self.interest, Waker::noop()) {
                return false;
            }
            if registration.is_ended() {
                return false;
            }
        }
    }
}

impl Handler for ReadinessSource {
    fn prepare(&self, source: &Source) -> Due {
        if is_of_no_use(&self.transport) {
            // Its place in the list of those whom a close wakes is of no more use either.
            return if self.told.load(Ordering::Acquire) {
                Due::NotYet
            } else {
                Due::Now
            };
        }
        let is_ready = self.is_ready(source);
        self.ready.store(is_ready, Ordering::Release);
        // Also when it was closed before the place among those whom that wakes was taken.
        if is_ready || is_of_no_use(&self.transport) {
            Due::Now
        } else {
            Due::NotYet
        }
    }

    fn check(&self, source: &Source) -> bool {
        self.prepare(source) == Due::Now
    }

    fn dispatch(&self, source: &Source) -> bool {
        if is_of_no_use(&self.transport) {
            // Once. The number is nobody's, or a stranger's, or the parent process'.
            self.told.store(true, Ordering::Release);
            source.set_ready_time(None);
            return true;
        }
        if !self.ready.swap(false, Ordering::AcqRel) {
            self.transport.set_timed_out(self.interest);
        }
        source.set_ready_time(self.transport.deadline());
        true
    }
}

/// Makes a context look at its sources. It does not keep the context, which may be going, or gone.
pub(crate) struct ContextWaker(Arc<Engine>);

impl ContextWaker {
    pub(crate) fn new(context: &glib::MainContext) -> Arc<Self> {
        Arc::new(Self(Engine::of(context)))
    }
}

impl Wake for ContextWaker {
    fn wake(self: Arc<Self>) {
        self.0.notice();
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
pub(crate) unsafe fn add_interface(
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
    let fill = || {
        // SAFETY: GObject passes the table of the interface that this was registered for.
        unsafe { (*iface.cast::<FileDescriptorBasedIface>()).get_fd = Some(get_fd::<T>) };
    };
    // A table with holes is worse than a second try.
    let _ = fence(fill).or_else(|| fence(fill));
}

unsafe extern "C" fn get_fd<T: TransportStream>(stream: gpointer) -> i32 {
    fence_or(-1, || {
        // SAFETY: called on instances of `T`.
        unsafe { transport_of::<T>(stream) }.fd_number()
    })
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
