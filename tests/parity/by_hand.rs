//! GIO as C uses it: callbacks that get the bare result, tasks made by hand, classes derived in C.

use std::{
    ffi::CString,
    mem::MaybeUninit,
    net::TcpStream,
    ptr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
};

use gio::{Cancellable, IOErrorEnum, ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GError, GFALSE, GTRUE, gboolean, gpointer},
    gobject_ffi,
    translate::{FromGlib, IntoGlib, IntoGlibPtr, ToGlibPtr, from_glib_full, from_glib_none},
};
use gsock::prelude::*;

use crate::{support::*, tools::*, under::*};

type Ready = Box<dyn FnOnce(Option<glib::Object>, gio::AsyncResult)>;

/// What a ready callback gets.
pub(crate) type Answered = (Option<glib::Object>, gio::AsyncResult);

unsafe extern "C" fn ready(
    source: *mut gobject_ffi::GObject,
    result: *mut gio_ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: the box of `ready_data`, called back once; the task's own objects.
    let (ready, source, result) = unsafe {
        (
            Box::from_raw(data.cast::<Ready>()),
            from_glib_none(source),
            from_glib_none(result),
        )
    };
    ready(source, result);
}

fn ready_data(called: impl FnOnce(Option<glib::Object>, gio::AsyncResult) + 'static) -> gpointer {
    let called: Ready = Box::new(called);
    Box::into_raw(Box::new(called)).cast()
}

/// What a function answers that has a boolean and a place for an error: `Ok(false)` is a failure
/// without an error.
pub(crate) type Boolean = Result<bool, IOErrorEnum>;

fn boolean(call: impl FnOnce(*mut *mut GError) -> gboolean) -> Boolean {
    let mut failure = ptr::null_mut();
    let done = call(&raw mut failure);
    if failure.is_null() {
        return Ok(done != GFALSE);
    }
    // SAFETY: the error is ours.
    let failure: glib::Error = unsafe { from_glib_full(failure) };
    Err(code(&failure))
}

/// An asynchronous close of an object, as C starts and finishes it.
pub(crate) trait CloseByHand {
    fn close_by_hand(
        &self,
        priority: glib::Priority,
        cancellable: Option<&Cancellable>,
        called: impl FnOnce(Option<glib::Object>, gio::AsyncResult) + 'static,
    );

    fn finish_close(&self, result: &gio::AsyncResult) -> Boolean;

    /// Closes, and gives the answer, which nobody has finished.
    fn closed_by_hand(
        &self,
        context: &glib::MainContext,
        cancellable: Option<&Cancellable>,
    ) -> gio::AsyncResult {
        let slot = Slot::new();
        let put = slot.put();
        self.close_by_hand(DEFAULT, cancellable, move |_, result| put(result));
        slot.wait(context)
    }
}

macro_rules! close_by_hand {
    ($class:ty, $start:ident, $finish:ident) => {
        impl CloseByHand for $class {
            fn close_by_hand(
                &self,
                priority: glib::Priority,
                cancellable: Option<&Cancellable>,
                called: impl FnOnce(Option<glib::Object>, gio::AsyncResult) + 'static,
            ) {
                // SAFETY: live arguments; the callback and its data belong together.
                unsafe {
                    gio_ffi::$start(
                        self.to_glib_none().0,
                        priority.into_glib(),
                        cancellable.to_glib_none().0,
                        Some(ready),
                        ready_data(called),
                    );
                }
            }

            fn finish_close(&self, result: &gio::AsyncResult) -> Boolean {
                // SAFETY: live arguments.
                boolean(|failure| unsafe {
                    gio_ffi::$finish(self.to_glib_none().0, result.to_glib_none().0, failure)
                })
            }
        }
    };
}

close_by_hand!(
    gio::IOStream,
    g_io_stream_close_async,
    g_io_stream_close_finish
);
close_by_hand!(
    gio::InputStream,
    g_input_stream_close_async,
    g_input_stream_close_finish
);
close_by_hand!(
    gio::OutputStream,
    g_output_stream_close_async,
    g_output_stream_close_finish
);

impl Under {
    /// `connect_async`, whose result nobody has finished.
    pub(crate) fn connect_by_hand(
        &self,
        address: &gio::InetSocketAddress,
        cancellable: Option<&Cancellable>,
        called: impl FnOnce(gio::AsyncResult) + 'static,
    ) {
        match self.side() {
            // SAFETY: live arguments; the callback and its data belong together.
            Side::Gio => unsafe {
                gio_ffi::g_socket_connection_connect_async(
                    self.gio().to_glib_none().0,
                    address.upcast_ref::<gio::SocketAddress>().to_glib_none().0,
                    cancellable.to_glib_none().0,
                    Some(ready),
                    ready_data(move |_, result| called(result)),
                );
            },
            Side::Ours => self
                .ours()
                .connect_async(address, cancellable, move |_, result| {
                    called(result.clone());
                }),
        }
    }
}

/// A `GTask`, as C makes one.
#[derive(Clone)]
pub(crate) struct Task(gio::AsyncResult);

type Work = Box<dyn FnOnce(&Task) + Send>;

impl Task {
    pub(crate) fn new(
        source: Option<&gio::IOStream>,
        cancellable: Option<&Cancellable>,
        called: impl FnOnce(Self) + 'static,
    ) -> Self {
        let data = ready_data(move |_, result| called(Self(result)));
        Self::with(source, cancellable, Some(ready), data)
    }

    /// Whom nobody waits for.
    pub(crate) fn without_callback(
        source: Option<&gio::IOStream>,
        cancellable: Option<&Cancellable>,
    ) -> Self {
        Self::with(source, cancellable, None, ptr::null_mut())
    }

    fn with(
        source: Option<&gio::IOStream>,
        cancellable: Option<&Cancellable>,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) -> Self {
        let source: *mut gio_ffi::GIOStream = source.to_glib_none().0;
        // SAFETY: live objects or NULL; the callback and its data belong together.
        let task = unsafe {
            gio_ffi::g_task_new(source.cast(), cancellable.to_glib_none().0, callback, data)
        };
        // SAFETY: our own reference to it.
        Self(unsafe { from_glib_full(task.cast::<gio_ffi::GAsyncResult>()) })
    }

    /// The task behind a result.
    pub(crate) fn of(result: &gio::AsyncResult) -> Self {
        assert!(result.type_().name() == "GTask", "not a task");
        Self(result.clone())
    }

    pub(crate) fn result(&self) -> &gio::AsyncResult {
        &self.0
    }

    fn as_c(&self) -> *mut gio_ffi::GTask {
        self.0.as_ptr().cast()
    }

    pub(crate) fn set_priority(&self, priority: glib::Priority) {
        // SAFETY: a live task.
        unsafe { gio_ffi::g_task_set_priority(self.as_c(), priority.into_glib()) };
    }

    pub(crate) fn set_check_cancellable(&self, check: bool) {
        // SAFETY: a live task.
        unsafe { gio_ffi::g_task_set_check_cancellable(self.as_c(), check.into_glib()) };
    }

    pub(crate) fn set_return_on_cancel(&self, return_: bool) {
        // SAFETY: a live task.
        unsafe { gio_ffi::g_task_set_return_on_cancel(self.as_c(), return_.into_glib()) };
    }

    pub(crate) fn returns_on_cancel(&self) -> bool {
        // SAFETY: a live task.
        unsafe { gio_ffi::g_task_get_return_on_cancel(self.as_c()) != GFALSE }
    }

    pub(crate) fn checks_cancellable(&self) -> bool {
        // SAFETY: a live task.
        unsafe { gio_ffi::g_task_get_check_cancellable(self.as_c()) != GFALSE }
    }

    pub(crate) fn return_true(&self) {
        // SAFETY: a live task.
        unsafe { gio_ffi::g_task_return_boolean(self.as_c(), GTRUE) };
    }

    pub(crate) fn return_error(&self, code: IOErrorEnum) {
        let failure = glib::Error::new(code, "of a test").into_glib_ptr();
        // SAFETY: a live task, to which the error is handed over.
        unsafe { gio_ffi::g_task_return_error(self.as_c(), failure) };
    }

    pub(crate) fn propagate(&self) -> Boolean {
        // SAFETY: a live task.
        boolean(|failure| unsafe { gio_ffi::g_task_propagate_boolean(self.as_c(), failure) })
    }

    pub(crate) fn is_of(&self, source: Option<&gio::IOStream>) -> bool {
        let source: *mut gio_ffi::GIOStream = source.to_glib_none().0;
        // SAFETY: live objects, or NULL.
        unsafe { gio_ffi::g_task_is_valid(self.as_c().cast(), source.cast()) != GFALSE }
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.0.property("completed")
    }

    pub(crate) fn run_in_thread(&self, work: impl FnOnce(&Self) + Send + 'static) {
        unsafe extern "C" fn run(
            task: *mut gio_ffi::GTask,
            _: *mut gobject_ffi::GObject,
            data: gpointer,
            _: *mut gio_ffi::GCancellable,
        ) {
            // SAFETY: the box made below, run once, and the task that it was given to.
            let (work, task) = unsafe {
                (
                    Box::from_raw(data.cast::<Work>()),
                    from_glib_none(task.cast::<gio_ffi::GAsyncResult>()),
                )
            };
            work(&Task(task));
        }
        let work: Work = Box::new(work);
        // SAFETY: a live task; the function and its data belong together, and it runs once.
        unsafe {
            let data = Box::into_raw(Box::new(work)).cast();
            gio_ffi::g_task_set_task_data(self.as_c(), data, None);
            gio_ffi::g_task_run_in_thread(self.as_c(), Some(run));
        }
    }
}

/// How many signals a type declares itself.
pub(crate) fn signals_of(type_: glib::Type) -> u32 {
    let mut count = 0;
    // A class that was never used has its signals not listed.
    let _class = glib::Class::<glib::Object>::from_type(type_);
    // SAFETY: a registered type, and room for the count; the list is freed.
    unsafe {
        let ids = gobject_ffi::g_signal_list_ids(type_.into_glib(), &raw mut count);
        glib::ffi::g_free(ids.cast());
    }
    count
}

/// The sizes of a type.
pub(crate) fn query(type_: glib::Type) -> gobject_ffi::GTypeQuery {
    let mut query = MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
    // SAFETY: a registered type, and room for the answer, which is valid when zero.
    unsafe {
        gobject_ffi::g_type_query(type_.into_glib(), query.as_mut_ptr());
        query.assume_init()
    }
}

/// The class of a stream, with the slots that C sees.
pub(crate) fn class_of(stream: &gio::IOStream) -> &gio_ffi::GIOStreamClass {
    let instance: *mut gio_ffi::GIOStream = stream.as_ptr();
    // SAFETY: an instance begins with its class, which outlives it.
    unsafe { &**instance.cast::<*const gio_ffi::GIOStreamClass>() }
}

/// Registers a class below `parent` as C does, once; no Rust type stands for it.
pub(crate) fn derived<C>(
    name: &str,
    parent: glib::Type,
    class_init: unsafe extern "C" fn(*mut C),
) -> glib::Type {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().expect("nobody panics with it");
    if let Some(known) = glib::Type::from_name(name) {
        return known;
    }
    let _parents_class = glib::Class::<glib::Object>::from_type(parent);
    let sizes = query(parent);
    // SAFETY: the same as C's: a function of two pointers called with a class and NULL; the callee
    // ignores the second one.
    let class_init = unsafe {
        std::mem::transmute::<unsafe extern "C" fn(*mut C), unsafe extern "C" fn(gpointer, gpointer)>(
            class_init,
        )
    };
    let name = CString::new(name).expect("a name");
    // SAFETY: the sizes are the parent's, which is derivable.
    unsafe {
        glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
            parent.into_glib(),
            name.as_ptr(),
            sizes.class_size,
            Some(class_init),
            sizes.instance_size,
            None,
            0,
        ))
    }
}

/// What the `close_fn` of a class of ours does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// What its parent's does.
    Parents,
    /// Nothing, and says that it is done.
    Nothing,
    /// Nothing, and fails with `NO_SPACE`.
    Fails,
}

/// What a `close_fn` saw when it was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) closed: bool,
    pub(crate) pending: bool,
    /// Whether it got a cancellable.
    pub(crate) cancellable: bool,
    /// Whether that is the thread's current one.
    pub(crate) current: bool,
    pub(crate) thread: ThreadId,
}

/// The calls of a `close_fn`.
pub(crate) struct Closes {
    how: How,
    calls: Mutex<Vec<Call>>,
}

impl Closes {
    fn of(how: How) -> Arc<Self> {
        Arc::new(Self {
            how,
            calls: Mutex::default(),
        })
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody panics with it").clone()
    }
}

const CLOSES: &str = "closes";

unsafe extern "C" fn noted_close(
    stream: *mut gio_ffi::GIOStream,
    cancellable: *mut gio_ffi::GCancellable,
    failure: *mut *mut GError,
) -> gboolean {
    // SAFETY: a live instance, and what `noted` put on it before anybody could close it. The object
    // may be in its dispose, so no reference is taken.
    let closes = unsafe {
        let name = c"closes";
        let data = gobject_ffi::g_object_get_data(stream.cast(), name.as_ptr());
        (*data.cast::<Arc<Closes>>()).clone()
    };
    // SAFETY: a live instance.
    let call = unsafe {
        Call {
            closed: gio_ffi::g_io_stream_is_closed(stream) != GFALSE,
            pending: gio_ffi::g_io_stream_has_pending(stream) != GFALSE,
            cancellable: !cancellable.is_null(),
            current: gio_ffi::g_cancellable_get_current() == cancellable,
            thread: thread::current().id(),
        }
    };
    closes
        .calls
        .lock()
        .expect("nobody panics with it")
        .push(call);
    match closes.how {
        // SAFETY: the class of a live instance, and its parent's slot with the caller's arguments.
        How::Parents => unsafe {
            let class = *stream.cast::<gpointer>();
            let parent =
                gobject_ffi::g_type_class_peek_parent(class).cast::<gio_ffi::GIOStreamClass>();
            ((*parent).close_fn.expect("every class has one"))(stream, cancellable, failure)
        },
        How::Nothing => GTRUE,
        How::Fails => {
            if !failure.is_null() {
                let error = glib::Error::new(IOErrorEnum::NoSpace, "of a test");
                // SAFETY: the caller's place for an error.
                unsafe { *failure = error.into_glib_ptr() };
            }
            GFALSE
        }
    }
}

unsafe extern "C" fn note_closes(class: *mut gio_ffi::GIOStreamClass) {
    // SAFETY: GObject initialises a class once, alone.
    unsafe { (*class).close_fn = Some(noted_close) };
}

unsafe extern "C" fn forget_close(class: *mut gio_ffi::GIOStreamClass) {
    // SAFETY: GObject initialises a class once, alone.
    unsafe { (*class).close_fn = None };
}

fn note(stream: &gio::IOStream, how: How) -> Arc<Closes> {
    let closes = Closes::of(how);
    // SAFETY: of the type that `noted_close` looks for.
    unsafe { stream.set_data(CLOSES, closes.clone()) };
    closes
}

impl Side {
    fn tcp_type(self) -> glib::Type {
        match self {
            Self::Gio => gio::TcpConnection::static_type(),
            Self::Ours => gsock::TcpConnection::static_type(),
        }
    }

    fn below(
        self,
        what: &str,
        class_init: unsafe extern "C" fn(*mut gio_ffi::GIOStreamClass),
    ) -> (Under, TcpStream) {
        let (peer, fd) = tcp_pair();
        let type_ = derived(
            &format!("Parity{what}{self:?}"),
            self.tcp_type(),
            class_init,
        );
        let stream = glib::Object::builder_with_type(type_)
            .property("socket", gio::Socket::from_fd(fd).expect("a socket"))
            .build();
        (self.wrap(stream.downcast().expect("below it")), peer)
    }

    /// A connection whose class overrides `close_fn`.
    pub(crate) fn noted(self, how: How) -> (Under, TcpStream, Arc<Closes>) {
        let (under, peer) = self.below("Noted", note_closes);
        let closes = note(&under, how);
        (under, peer, closes)
    }

    /// A connection whose class has no `close_fn`.
    pub(crate) fn without_close(self) -> (Under, TcpStream) {
        self.below("WithoutClose", forget_close)
    }
}

/// A stream of two streams, whose class overrides the `close_fn` of `GIOStream` and nothing else
/// about closing.
pub(crate) fn noted_pair(
    input: &impl IsA<gio::InputStream>,
    output: &impl IsA<gio::OutputStream>,
    how: How,
) -> (gio::IOStream, Arc<Closes>) {
    let type_ = derived(
        "ParityNotedPair",
        gio::SimpleIOStream::static_type(),
        note_closes,
    );
    let stream = glib::Object::builder_with_type(type_)
        .property("input-stream", input)
        .property("output-stream", output)
        .build()
        .downcast()
        .expect("below it");
    let closes = note(&stream, how);
    (stream, closes)
}

unsafe extern "C" fn close_fails(
    stream: *mut gio_ffi::GInputStream,
    _: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let failure = glib::Error::new(IOErrorEnum::NoSpace, "of a test").into_glib_ptr();
    // SAFETY: the caller's arguments; the error is handed over, and the reference is our own.
    unsafe {
        let task = gio_ffi::g_task_new(stream.cast(), cancellable, callback, data);
        gio_ffi::g_task_return_error(task, failure);
        gobject_ffi::g_object_unref(task.cast());
    }
}

unsafe extern "C" fn finish_fails(
    _: *mut gio_ffi::GInputStream,
    result: *mut gio_ffi::GAsyncResult,
    failure: *mut *mut GError,
) -> gboolean {
    // SAFETY: the task of `close_fails`.
    unsafe { gio_ffi::g_task_propagate_boolean(result.cast(), failure) }
}

unsafe extern "C" fn fail_closes(class: *mut gio_ffi::GInputStreamClass) {
    // SAFETY: GObject initialises a class once, alone.
    let class = unsafe { &mut *class };
    class.close_async = Some(close_fails);
    class.close_finish = Some(finish_fails);
}

/// An input stream whose asynchronous close, which it has of its own, fails with `NO_SPACE`.
pub(crate) fn input_that_fails_to_close() -> gio::InputStream {
    let type_ = derived(
        "ParityFailingInput",
        gio::MemoryInputStream::static_type(),
        fail_closes,
    );
    glib::Object::with_type(type_).downcast().expect("below it")
}

/// `g_io_stream_splice_async()`, which gio-rs does not have.
pub(crate) fn splice(
    one: &Under,
    other: &Under,
    flags: gio::IOStreamSpliceFlags,
    priority: glib::Priority,
    cancellable: Option<&Cancellable>,
) -> Slot<Answered> {
    let slot = Slot::new();
    let put = slot.put();
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        gio_ffi::g_io_stream_splice_async(
            (**one).to_glib_none().0,
            (**other).to_glib_none().0,
            flags.into_glib(),
            priority.into_glib(),
            cancellable.to_glib_none().0,
            Some(ready),
            ready_data(move |source, result| put((source, result))),
        );
    }
    slot
}

pub(crate) fn finish_splice(result: &gio::AsyncResult) -> Boolean {
    // SAFETY: a live result.
    boolean(|failure| unsafe {
        gio_ffi::g_io_stream_splice_finish(result.to_glib_none().0, failure)
    })
}

/// An idle source that is always ready, up to a number of dispatches, or until this is dropped.
pub(crate) struct Busy {
    source: glib::Source,
    dispatched: Arc<AtomicUsize>,
}

impl Busy {
    pub(crate) fn new(context: &glib::MainContext, priority: glib::Priority, limit: usize) -> Self {
        let dispatched = Arc::new(AtomicUsize::new(0));
        let count = dispatched.clone();
        let source = glib::source::idle_source_new(None, priority, move || {
            if count.fetch_add(1, Ordering::SeqCst) + 1 < limit {
                glib::ControlFlow::Continue
            } else {
                glib::ControlFlow::Break
            }
        });
        source.attach(Some(context));
        Self { source, dispatched }
    }

    pub(crate) fn dispatched(&self) -> usize {
        self.dispatched.load(Ordering::SeqCst)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.source.destroy();
    }
}
