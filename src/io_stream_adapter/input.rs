//! The input stream of an adapter.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{ptr, sync::Arc, task::Waker};

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
    operation::{Answers, Owed, Reply, Task, owing},
    vfunc::{
        add_interface, boolean, fenced,
        input_stream::{CLOSE, READ, close_finish, read_finish},
        size, source_around,
    },
};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct AdapterInputStream {
        pub(super) core: OnceCell<Arc<Core>>,
        _living: Living<{ living::ADAPTER_INPUT_STREAM }>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for AdapterInputStream {
        const NAME: &'static str = "GsockAdapterInputStream";
        type Type = super::AdapterInputStream;
        type ParentType = gio::InputStream;

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

    impl ObjectImpl for AdapterInputStream {}
    impl InputStreamImpl for AdapterInputStream {}
}

glib::wrapper! {
    /// Reads from the stream of an adapter.
    pub struct AdapterInputStream(ObjectSubclass<imp::AdapterInputStream>)
        @extends gio::InputStream,
        @implements gio::PollableInputStream;
}

impl AdapterInputStream {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let stream: Self = glib::Object::new();
        let _ = stream.imp().core.set(core.clone());
        stream
    }
}

fn fill_class(class: &mut glib::Class<gio::InputStream>) {
    let class = class.as_mut();
    class.read_fn = Some(read);
    class.read_async = Some(read_async);
    class.read_finish = Some(read_finish);
    class.close_fn = Some(close);
    class.close_async = Some(close_async);
    class.close_finish = Some(close_finish);
}

fn add_interfaces(type_: glib::Type) {
    // SAFETY: a type function without arguments.
    let interface = unsafe { gio_ffi::g_pollable_input_stream_get_type() };
    // SAFETY: `pollable_init` fills the table of that interface.
    unsafe { add_interface(type_, interface, pollable_init) };
}

/// # Safety
///
/// `stream` is a live instance of the class.
unsafe fn core_of(stream: gpointer) -> Arc<Core> {
    // SAFETY: as the caller says.
    let instance =
        unsafe { &*stream.cast::<<imp::AdapterInputStream as ObjectSubclass>::Instance>() };
    instance.imp().core.get_or_init(Core::dead).clone()
}

unsafe extern "C" fn read(
    stream: *mut gio_ffi::GInputStream,
    buffer: gpointer,
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
        let mut memory = unsafe { Memory::to_fill(buffer.cast(), count) };
        {
            block(&core, (*cancellable).as_ref(), |core, waker| {
                core.poll_read(waker, memory.fill())
            })
        }
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}

unsafe extern "C" fn read_async(
    stream: *mut gio_ffi::GInputStream,
    buffer: *mut u8,
    count: usize,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let reply = unsafe { Reply::new(stream.cast(), owed.take(), data, &READ, priority) };
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        // SAFETY: the caller keeps the memory until the callback, which comes after the last poll.
        let mut memory = unsafe { Memory::to_fill(buffer, count) };
        // SAFETY: a live cancellable or NULL.
        let cancellable = unsafe { from_glib_none(cancellable) };
        let context = glib::MainContext::ref_thread_default();
        let engine = reply.engine().clone();
        engine.spawn(reply.priority(), async move {
            let reading = wait(
                core,
                context,
                cancellable,
                move |core: &Core, waker: Option<&Waker>| core.poll_read(waker, memory.fill()),
            );
            let outcome = reading.await;
            reply.answer(outcome);
        });
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &READ, priority, body) }
}

/// There is nothing to wait for.
unsafe extern "C" fn close(
    stream: *mut gio_ffi::GInputStream,
    _cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        {
            core.close(Side::Input);
            Ok(())
        }
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn close_async(
    stream: *mut gio_ffi::GInputStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe {
            Task::new(
                stream.cast(),
                cancellable,
                owed.take(),
                data,
                &CLOSE,
                Answers::Nothing,
                priority,
            )
        };
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        let result = fenced(|| {
            core.close(Side::Input);
            Ok(())
        });
        task.answer(result);
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

unsafe extern "C" fn pollable_init(iface: gpointer, _: gpointer) {
    let fill = || {
        // SAFETY: GObject passes the table of the interface that this was registered for.
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GPollableInputStreamInterface>() };
        iface.can_poll = Some(can_poll);
        iface.is_readable = Some(is_readable);
        iface.create_source = Some(create_source);
        iface.read_nonblocking = Some(read_nonblocking);
    };
    // A table with holes is worse than a second try.
    let _ = fence(fill).or_else(|| fence(fill));
}

unsafe extern "C" fn can_poll(_: *mut gio_ffi::GPollableInputStream) -> gboolean {
    fence_or(GTRUE, || GTRUE)
}

unsafe extern "C" fn is_readable(stream: *mut gio_ffi::GPollableInputStream) -> gboolean {
    fence_or(GTRUE, || {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        core.is_readable(None).into()
    })
}

unsafe extern "C" fn create_source(
    stream: *mut gio_ffi::GPollableInputStream,
    cancellable: *mut gio_ffi::GCancellable,
) -> *mut glib::ffi::GSource {
    fence_or(ptr::null_mut(), || {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        let child = readiness(&core, Side::Input);
        // SAFETY: GIO's own arguments, passed on.
        unsafe { source_around(stream.cast(), &child, cancellable) }
    })
}

unsafe extern "C" fn read_nonblocking(
    stream: *mut gio_ffi::GPollableInputStream,
    buffer: *mut u8,
    count: usize,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of the class.
        let core = unsafe { core_of(stream.cast()) };
        // SAFETY: a live stream, for the time of the call.
        let stream =
            unsafe { gio::InputStream::from_glib_borrow(stream.cast::<gio_ffi::GInputStream>()) };
        // SAFETY: the caller waits for us.
        let mut memory = unsafe { Memory::to_fill(buffer, count) };
        {
            // GIO's entry does not look.
            if stream.is_closed() {
                return Err(error::stream_closed());
            }
            match core.poll_read(None, memory.fill()) {
                std::task::Poll::Ready(result) => result,
                std::task::Poll::Pending => Err(error::from_errno(libc::EAGAIN)),
            }
        }
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}
