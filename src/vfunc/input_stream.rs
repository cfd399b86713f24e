//! The virtual functions of an input stream over a transport.

use std::ptr;

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GTRUE, gpointer},
    translate::{FromGlibPtrBorrow, from_glib_none},
};

use super::{
    boolean, fenced,
    pollable::{
        Buffer, TransportStream, add_file_descriptor_based, add_interface, create_source, imp_of,
        transport_of,
    },
    size,
    transfer::run,
};
use crate::{
    error,
    fence::{fence, fence_or},
    operation::{Owed, Reply, Tag, Transfer, block_transfer, finish, finish_size, owing},
    reactor::{Interest, Registration},
    transport::Transport,
};

/// Of every stream of the crate: a result is told by its source object too.
pub(crate) static READ: Tag = Tag::new();
pub(crate) static CLOSE: Tag = Tag::new();

/// Sets the slots that differ from `GInputStream`'s own.
pub(crate) fn fill_input_class<T: TransportStream + 'static>(
    class: &mut glib::Class<gio::InputStream>,
) {
    let class = class.as_mut();
    class.read_fn = Some(read::<T>);
    class.read_async = Some(read_async::<T>);
    class.read_finish = Some(read_finish);
    // There is nothing to do, and no reason to do it on a worker thread.
    class.close_fn = None;
    class.close_async = Some(close_async);
    class.close_finish = Some(close_finish);
}

/// Adds `GPollableInputStream` and `GFileDescriptorBased`.
pub(crate) fn add_input_interfaces<T: TransportStream>(type_: glib::Type) {
    // SAFETY: a type function without arguments.
    let interface = unsafe { gio_ffi::g_pollable_input_stream_get_type() };
    // SAFETY: `pollable_init` fills the table of that interface.
    unsafe { add_interface(type_, interface, pollable_init::<T>) };
    add_file_descriptor_based::<T>(type_);
}

/// A close that found this stream busy with a blocking call left it to that call to mark it closed.
///
/// # Safety
///
/// `stream` is a live instance of `T`, and its pending bit is the caller's.
unsafe fn close_if_ended<T: TransportStream>(stream: *mut gio_ffi::GInputStream) {
    // SAFETY: as the caller says.
    if unsafe { imp_of::<T>(stream.cast()) }.tap().is_ended() {
        // SAFETY: as the caller says. GIO clears the bit again when the call returns.
        let stream = unsafe { gio::InputStream::from_glib_borrow(stream) };
        stream.clear_pending();
        let _ = stream.close(gio::Cancellable::NONE);
    }
}

unsafe extern "C" fn read<T: TransportStream>(
    stream: *mut gio_ffi::GInputStream,
    buffer: gpointer,
    count: usize,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let mut buffer = Buffer::new(buffer.cast(), count);
        // SAFETY: a live cancellable or NULL, for the time of the call.
        let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
        block_transfer(
            transport,
            Interest::Read,
            (*cancellable).as_ref(),
            // SAFETY: the caller waits for us.
            |transport, patience| transport.read(unsafe { buffer.fill() }, None, patience),
        )
    });
    // SAFETY: a live instance of `T`, pending for this call.
    fence_or((), || unsafe { close_if_ended::<T>(stream) });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}

unsafe extern "C" fn read_async<T: TransportStream + 'static>(
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
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let mut buffer = Buffer::new(buffer, count);
        let transfer = Transfer::new(
            transport,
            Interest::Read,
            move |transport: &Transport, registered: Option<&Registration>| {
                // SAFETY: the caller keeps the memory until the callback, which comes after the last try.
                transport.try_read(unsafe { buffer.fill() }, registered)
            },
        );
        // SAFETY: a live cancellable or NULL.
        let cancellable = unsafe { from_glib_none(cancellable) };
        // SAFETY: an input stream, and an instance of `T`.
        unsafe {
            run::<T, gio::InputStream, _>(stream.cast(), reply, cancellable, false, transfer);
        }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &READ, priority, body) }
}

pub(crate) unsafe extern "C" fn read_finish(
    stream: *mut gio_ffi::GInputStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe { finish_size(stream.cast(), result, &READ) }
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
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
        unsafe { owed.answer(stream.cast(), cancellable, data, &CLOSE, priority) }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

pub(crate) unsafe extern "C" fn close_finish(
    stream: *mut gio_ffi::GInputStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut glib::ffi::GError,
) -> glib::ffi::gboolean {
    let result = fenced(|| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe { finish(stream.cast(), result, &CLOSE) }
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn pollable_init<T: TransportStream>(iface: gpointer, _: gpointer) {
    let fill = || {
        // SAFETY: GObject passes the table of the interface that this was registered for.
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GPollableInputStreamInterface>() };
        iface.can_poll = Some(can_poll);
        iface.is_readable = Some(is_readable::<T>);
        iface.create_source = Some(create_input_source::<T>);
        iface.read_nonblocking = Some(read_nonblocking::<T>);
    };
    // A table with holes is worse than a second try.
    let _ = fence(fill).or_else(|| fence(fill));
}

unsafe extern "C" fn can_poll(_: *mut gio_ffi::GPollableInputStream) -> glib::ffi::gboolean {
    fence_or(GTRUE, || GTRUE)
}

unsafe extern "C" fn is_readable<T: TransportStream>(
    stream: *mut gio_ffi::GPollableInputStream,
) -> glib::ffi::gboolean {
    fence_or(GTRUE, || {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        // GIO's own answers with the raw poll bits, which do not compare equal to TRUE.
        transport.is_ready(Interest::Read).into()
    })
}

unsafe extern "C" fn create_input_source<T: TransportStream>(
    stream: *mut gio_ffi::GPollableInputStream,
    cancellable: *mut gio_ffi::GCancellable,
) -> *mut glib::ffi::GSource {
    fence_or(ptr::null_mut(), || {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        // SAFETY: GIO's own arguments, passed on.
        unsafe { create_source(stream.cast(), &transport, Interest::Read, cancellable) }
    })
}

unsafe extern "C" fn read_nonblocking<T: TransportStream>(
    stream: *mut gio_ffi::GPollableInputStream,
    buffer: *mut u8,
    count: usize,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let mut buffer = Buffer::new(buffer, count);
        // SAFETY: a live stream, for the time of the call.
        let stream =
            unsafe { gio::InputStream::from_glib_borrow(stream.cast::<gio_ffi::GInputStream>()) };
        // GIO's entry does not look.
        let result = if stream.is_closed() {
            Err(error::stream_closed())
        } else {
            // SAFETY: the caller waits for us.
            transport.try_read(unsafe { buffer.fill() }, None)
        };
        result.and_then(|moved| moved.ok_or_else(|| error::from_errno(libc::EAGAIN)))
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}
