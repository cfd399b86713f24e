//! The output stream of an adapter.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    ptr,
    sync::Arc,
    task::{Poll, Waker},
};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GTRUE, gboolean, gpointer},
    subclass::InitializingType,
    translate::{FromGlibPtrBorrow, from_glib_none},
};
use once_cell::sync::OnceCell;

use super::{
    core::{Core, Side},
    memory::Memory,
    waiting::{block, readiness, wait},
};
use crate::{
    error,
    fence::{fence, fence_or},
    living::{self, Living},
    operation::{Answers, Owed, Reply, Tag, Task, owing},
    reactor::spawn,
    vfunc::{
        add_interface, boolean, fenced,
        output_stream::{CLOSE, FLUSH, WRITE, close_finish, flush_finish, write_finish},
        size, source_around,
    },
};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct AdapterOutputStream {
        pub(super) core: OnceCell<Arc<Core>>,
        _living: Living<{ living::ADAPTER_OUTPUT_STREAM }>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for AdapterOutputStream {
        const NAME: &'static str = "GsockAdapterOutputStream";
        type Type = super::AdapterOutputStream;
        type ParentType = gio::OutputStream;

        fn type_init(_type: &mut InitializingType<Self>) {
            // Registered a moment ago, under this name.
            if let Some(type_) = glib::Type::from_name(Self::NAME) {
                add_interfaces(type_);
            }
        }

        fn class_init(class: &mut Self::Class) {
            fill_class(class);
        }
    }

    impl ObjectImpl for AdapterOutputStream {}
    impl OutputStreamImpl for AdapterOutputStream {}
}

glib::wrapper! {
    /// Writes to the stream of an adapter.
    pub struct AdapterOutputStream(ObjectSubclass<imp::AdapterOutputStream>)
        @extends gio::OutputStream,
        @implements gio::PollableOutputStream;
}

impl AdapterOutputStream {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let stream: Self = glib::Object::new();
        let _ = stream.imp().core.set(core.clone());
        stream
    }
}

fn fill_class(class: &mut glib::Class<gio::OutputStream>) {
    let class = class.as_mut();
    class.write_fn = Some(write);
    class.write_async = Some(write_async);
    class.write_finish = Some(write_finish);
    class.flush = Some(flush);
    class.flush_async = Some(flush_async);
    class.flush_finish = Some(flush_finish);
    class.close_fn = Some(close);
    class.close_async = Some(close_async);
    class.close_finish = Some(close_finish);
}

fn add_interfaces(type_: glib::Type) {
    // SAFETY: a type function without arguments.
    let interface = unsafe { gio_ffi::g_pollable_output_stream_get_type() };
    // SAFETY: `pollable_init` fills the table of that interface.
    unsafe { add_interface(type_, interface, pollable_init) };
}

/// # Safety
///
/// `stream` is a live instance of the class.
unsafe fn core_of(stream: gpointer) -> Arc<Core> {
    // SAFETY: as the caller says.
    let instance =
        unsafe { &*stream.cast::<<imp::AdapterOutputStream as ObjectSubclass>::Instance>() };
    instance.imp().core.get_or_init(Core::dead).clone()
}

unsafe extern "C" fn write(
    stream: *mut gio_ffi::GOutputStream,
    buffer: *mut u8,
    count: usize,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        // SAFETY: a live cancellable or NULL, for the time of the call.
        let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
        // SAFETY: the caller waits for us.
        let memory = unsafe { Memory::to_read(buffer, count) };
        {
            block(&core, (*cancellable).as_ref(), |core, waker| {
                core.poll_write(waker, memory.bytes())
            })
        }
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}

unsafe extern "C" fn write_async(
    stream: *mut gio_ffi::GOutputStream,
    buffer: *mut u8,
    count: usize,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let reply = unsafe { Reply::new(stream.cast(), owed.take(), data, &WRITE, priority) };
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        // SAFETY: the caller keeps the memory until the callback, which comes after the last poll.
        let memory = unsafe { Memory::to_read(buffer, count) };
        // SAFETY: a live cancellable or NULL.
        let cancellable = unsafe { from_glib_none(cancellable) };
        let context = glib::MainContext::ref_thread_default();
        let engine = reply.engine().clone();
        engine.spawn(reply.priority(), async move {
            let writing = wait(
                core,
                context,
                cancellable,
                move |core: &Core, waker: Option<&Waker>| core.poll_write(waker, memory.bytes()),
            );
            let outcome = writing.await;
            reply.answer(outcome);
        });
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &WRITE, priority, body) }
}

/// What is not a transfer.
#[derive(Clone, Copy)]
enum Step {
    Flush,
    Close,
}

impl Step {
    fn poll(self, core: &Core, waker: Option<&Waker>) -> Poll<Result<(), glib::Error>> {
        match self {
            Self::Flush => core.poll_flush(waker),
            Self::Close => core.poll_close(waker),
        }
    }

    /// However it has ended, GIO calls the stream closed.
    fn end(self, core: &Core) {
        if matches!(self, Self::Close) {
            core.close(Side::Output);
        }
    }
}

/// # Safety
///
/// The arguments of a `flush` or `close_fn` slot.
unsafe fn step(
    step: Step,
    stream: *mut gio_ffi::GOutputStream,
    cancellable: *mut gio_ffi::GCancellable,
) -> Result<(), glib::Error> {
    // SAFETY: called on instances of the class.
    let core = unsafe { core_of(stream.cast()) };
    // SAFETY: a live cancellable or NULL, for the time of the call.
    let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
    let result = block(&core, (*cancellable).as_ref(), |core, waker| {
        step.poll(core, waker)
    });
    step.end(&core);
    result
}

/// # Safety
///
/// The arguments of a `flush_async` or `close_async` slot.
unsafe fn step_async(
    step: Step,
    tag: &'static Tag,
    stream: *mut gio_ffi::GOutputStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    // SAFETY: GIO's own arguments, passed on.
    let task = unsafe {
        Task::new(
            stream.cast(),
            cancellable,
            callback,
            data,
            tag,
            Answers::Nothing,
            priority,
        )
    };
    // SAFETY: called on instances of the class.
    let core = unsafe { core_of(stream.cast()) };
    let (context, cancellable) = (task.context(), task.cancellable());
    let (its, priority) = (context.clone(), glib::Priority::from(priority));
    spawn(&context, priority, async move {
        let stepping = wait(
            core.clone(),
            its,
            cancellable,
            move |core: &Core, waker: Option<&Waker>| step.poll(core, waker),
        );
        let result = stepping.await;
        step.end(&core);
        task.answer(result);
    });
}

unsafe extern "C" fn flush(
    stream: *mut gio_ffi::GOutputStream,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    // SAFETY: GIO's own arguments, passed on.
    let result = fenced(|| unsafe { step(Step::Flush, stream, cancellable) });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn flush_async(
    stream: *mut gio_ffi::GOutputStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe {
            step_async(
                Step::Flush,
                &FLUSH,
                stream,
                priority,
                cancellable,
                owed.take(),
                data,
            );
        }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &FLUSH, priority, body) }
}

unsafe extern "C" fn close(
    stream: *mut gio_ffi::GOutputStream,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    // SAFETY: GIO's own arguments, passed on.
    let result = fenced(|| unsafe { step(Step::Close, stream, cancellable) });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn close_async(
    stream: *mut gio_ffi::GOutputStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe {
            step_async(
                Step::Close,
                &CLOSE,
                stream,
                priority,
                cancellable,
                owed.take(),
                data,
            );
        }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

unsafe extern "C" fn pollable_init(iface: gpointer, _: gpointer) {
    let fill = || {
        // SAFETY: GObject passes the table of the interface that this was registered for. What vectors need is GIO's
        // own, by single writes.
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GPollableOutputStreamInterface>() };
        iface.can_poll = Some(can_poll);
        iface.is_writable = Some(is_writable);
        iface.create_source = Some(create_source);
        iface.write_nonblocking = Some(write_nonblocking);
    };
    // A table with holes is worse than a second try.
    let _ = fence(fill).or_else(|| fence(fill));
}

unsafe extern "C" fn can_poll(_: *mut gio_ffi::GPollableOutputStream) -> gboolean {
    fence_or(GTRUE, || GTRUE)
}

unsafe extern "C" fn is_writable(stream: *mut gio_ffi::GPollableOutputStream) -> gboolean {
    fence_or(GTRUE, || {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        core.is_writable(None).into()
    })
}

unsafe extern "C" fn create_source(
    stream: *mut gio_ffi::GPollableOutputStream,
    cancellable: *mut gio_ffi::GCancellable,
) -> *mut glib::ffi::GSource {
    fence_or(ptr::null_mut(), || {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        let child = readiness(&core, Side::Output);
        // SAFETY: GIO's own arguments, passed on.
        unsafe { source_around(stream.cast(), &child, cancellable) }
    })
}

unsafe extern "C" fn write_nonblocking(
    stream: *mut gio_ffi::GPollableOutputStream,
    buffer: *mut u8,
    count: usize,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        // SAFETY: a live stream, for the time of the call.
        let stream =
            unsafe { gio::OutputStream::from_glib_borrow(stream.cast::<gio_ffi::GOutputStream>()) };
        // SAFETY: the caller waits for us.
        let memory = unsafe { Memory::to_read(buffer, count) };
        {
            // GIO's entry does not look.
            if stream.is_closed() {
                return Err(error::stream_closed());
            }
            match core.poll_write(None, memory.bytes()) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(error::from_errno(libc::EAGAIN)),
            }
        }
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}
