//! The virtual functions of an output stream over a transport.

use std::ptr;

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GFALSE, GTRUE, gboolean, gpointer},
    translate::{FromGlibPtrBorrow, from_glib_none},
};

use super::{
    boolean, fenced,
    pollable::{
        Buffer, TransportStream, add_file_descriptor_based, add_interface, create_source, imp_of,
        transport_of,
    },
    set_error, size,
    transfer::run,
};
use crate::{
    error,
    fence::{fence, fence_or},
    operation::{Moving, Owed, Reply, Tag, Transfer, block_transfer, finish, finish_size, owing},
    reactor::{Interest, Registration},
    transport::{Attempted, Transport},
};

/// Of every stream of the crate: a result is told by its source object too.
pub(crate) static WRITE: Tag = Tag::new();
static WRITE_VECTORED: Tag = Tag::new();
pub(crate) static FLUSH: Tag = Tag::new();
pub(crate) static CLOSE: Tag = Tag::new();

/// Sets the slots that differ from `GOutputStream`'s own.
pub(crate) fn fill_output_class<T: TransportStream + 'static>(
    class: &mut glib::Class<gio::OutputStream>,
) {
    let class = class.as_mut();
    class.write_fn = Some(write::<T>);
    class.write_async = Some(write_async::<T>);
    class.write_finish = Some(write_finish);
    class.writev_fn = Some(write_vectored::<T>);
    class.writev_async = Some(write_vectored_async::<T>);
    class.writev_finish = Some(write_vectored_finish);
    // There is nothing to flush or to close, and no reason to do it on a worker thread.
    class.flush = None;
    class.flush_async = Some(flush_async);
    class.flush_finish = Some(flush_finish);
    class.close_fn = None;
    class.close_async = Some(close_async);
    class.close_finish = Some(close_finish);
}

/// Adds `GPollableOutputStream` and `GFileDescriptorBased`.
pub(crate) fn add_output_interfaces<T: TransportStream>(type_: glib::Type) {
    // SAFETY: a type function without arguments.
    let interface = unsafe { gio_ffi::g_pollable_output_stream_get_type() };
    // SAFETY: `pollable_init` fills the table of that interface.
    unsafe { add_interface(type_, interface, pollable_init::<T>) };
    add_file_descriptor_based::<T>(type_);
}

/// Vectors that the caller of an asynchronous C function keeps valid until its callback.
struct Vectors {
    start: *const gio_ffi::GOutputVector,
    len: usize,
}

// SAFETY: the caller lends the memory to the operation, on whatever thread that runs.
unsafe impl Send for Vectors {}

impl Vectors {
    /// # Safety
    ///
    /// The operation has not ended.
    unsafe fn all(&self) -> &[libc::iovec] {
        // Two words, the address and the length: the layout GIO checks for at its own build.
        const _: () = assert!(size_of::<gio_ffi::GOutputVector>() == size_of::<libc::iovec>());
        if self.len == 0 {
            return &[];
        }
        // SAFETY: as the caller says; both structures are an address and a length.
        unsafe { std::slice::from_raw_parts(self.start.cast::<libc::iovec>(), self.len) }
    }

    /// # Safety
    ///
    /// The operation has not ended.
    unsafe fn write(
        &self,
        transport: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        if self.len == 0 {
            return Ok(Some(0));
        }
        // SAFETY: as the caller says.
        let vectors = unsafe { self.all() };
        // SAFETY: the memory they name is lent like the vectors themselves.
        unsafe { transport.try_write_vectored(vectors, registered) }
    }
}

impl Moving for Vectors {
    fn try_to_move(
        &mut self,
        transport: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        // SAFETY: the caller keeps the memory until the callback, which comes after the last try.
        unsafe { self.write(transport, registered) }
    }

    fn is_for_nothing(&self) -> bool {
        // SAFETY: likewise.
        unsafe { self.all() }
            .iter()
            .all(|vector| vector.iov_len == 0)
    }
}

/// A close that found this stream busy with a blocking call left it to that call to mark it closed.
///
/// # Safety
///
/// `stream` is a live instance of `T`, and its pending bit is the caller's.
unsafe fn close_if_ended<T: TransportStream>(stream: *mut gio_ffi::GOutputStream) {
    // SAFETY: as the caller says.
    if unsafe { imp_of::<T>(stream.cast()) }.tap().is_ended() {
        // SAFETY: as the caller says. GIO clears the bit again when the call returns.
        let stream = unsafe { gio::OutputStream::from_glib_borrow(stream) };
        stream.clear_pending();
        let _ = stream.close(gio::Cancellable::NONE);
    }
}

unsafe extern "C" fn write<T: TransportStream>(
    stream: *mut gio_ffi::GOutputStream,
    buffer: *mut u8,
    count: usize,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let buffer = Buffer::new(buffer, count);
        // SAFETY: a live cancellable or NULL, for the time of the call.
        let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
        block_transfer(
            transport,
            Interest::Write,
            (*cancellable).as_ref(),
            // Never in the call: that would wait until all is written, where a part is an answer.
            // SAFETY: the caller waits for us.
            |transport, _| transport.try_write(unsafe { buffer.bytes() }, None),
        )
    });
    // SAFETY: a live instance of `T`, pending for this call.
    fence_or((), || unsafe { close_if_ended::<T>(stream) });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}

unsafe extern "C" fn write_vectored<T: TransportStream>(
    stream: *mut gio_ffi::GOutputStream,
    vectors: *const gio_ffi::GOutputVector,
    count: usize,
    written: *mut usize,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let vectors = Vectors {
            start: vectors,
            len: count,
        };
        // SAFETY: a live cancellable or NULL, for the time of the call.
        let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
        block_transfer(
            transport,
            Interest::Write,
            (*cancellable).as_ref(),
            // SAFETY: the caller waits for us.
            |transport, _| unsafe { vectors.write(transport, None) },
        )
    });
    // SAFETY: a live instance of `T`, pending for this call.
    fence_or((), || unsafe { close_if_ended::<T>(stream) });
    // SAFETY: the caller's places for a count and an error.
    unsafe { counted(result, written, out) }
}

/// TRUE and the count, or FALSE, nothing written, and an error.
unsafe fn counted(
    result: Result<usize, glib::Error>,
    written: *mut usize,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    if !written.is_null() {
        // SAFETY: the caller's place for a count.
        unsafe { *written = *result.as_ref().unwrap_or(&0) };
    }
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result.map(drop), out) }
}

unsafe extern "C" fn write_async<T: TransportStream + 'static>(
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
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let buffer = Buffer::new(buffer, count);
        let transfer = Transfer::new(
            transport,
            Interest::Write,
            move |transport: &Transport, registered: Option<&Registration>| {
                // Whole, so that what moves into the closure is the value that may move.
                let buffer: &Buffer = &buffer;
                // SAFETY: the caller keeps the memory until the callback, which comes after the last try.
                transport.try_write(unsafe { buffer.bytes() }, registered)
            },
        );
        // SAFETY: a live cancellable or NULL.
        let cancellable = unsafe { from_glib_none(cancellable) };
        // SAFETY: an output stream, and an instance of `T`.
        unsafe {
            run::<T, gio::OutputStream, _>(stream.cast(), reply, cancellable, false, transfer);
        }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &WRITE, priority, body) }
}

pub(crate) unsafe extern "C" fn write_finish(
    stream: *mut gio_ffi::GOutputStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe { finish_size(stream.cast(), result, &WRITE) }
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}

unsafe extern "C" fn write_vectored_async<T: TransportStream + 'static>(
    stream: *mut gio_ffi::GOutputStream,
    vectors: *const gio_ffi::GOutputVector,
    count: usize,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let reply =
            unsafe { Reply::new(stream.cast(), owed.take(), data, &WRITE_VECTORED, priority) };
        if count == 0 {
            return reply.answer_later(Ok(0));
        }
        // SAFETY: a live stream, for the time of the call.
        let pending = unsafe { gio::OutputStream::from_glib_borrow(stream) };
        // Unlike its siblings, GIO's entry leaves this to the virtual function.
        if let Err(failure) = pending.set_pending() {
            return reply.answer_later(Err(failure));
        }
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let vectors = Vectors {
            start: vectors,
            len: count,
        };
        let transfer = Transfer::new(transport, Interest::Write, vectors);
        // SAFETY: a live cancellable or NULL.
        let cancellable = unsafe { from_glib_none(cancellable) };
        // SAFETY: an output stream, and an instance of `T`.
        unsafe {
            run::<T, gio::OutputStream, _>(stream.cast(), reply, cancellable, true, transfer);
        }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe {
        owing(
            stream.cast(),
            callback,
            data,
            &WRITE_VECTORED,
            priority,
            body,
        )
    }
}

unsafe extern "C" fn write_vectored_finish(
    stream: *mut gio_ffi::GOutputStream,
    result: *mut gio_ffi::GAsyncResult,
    written: *mut usize,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe { finish_size(stream.cast(), result, &WRITE_VECTORED) }
    });
    // SAFETY: the caller's places for a count and an error.
    unsafe { counted(result, written, out) }
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
        unsafe { owed.answer(stream.cast(), cancellable, data, &FLUSH, priority) }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &FLUSH, priority, body) }
}

pub(crate) unsafe extern "C" fn flush_finish(
    stream: *mut gio_ffi::GOutputStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe { finish(stream.cast(), result, &FLUSH) }
    });
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
        unsafe { owed.answer(stream.cast(), cancellable, data, &CLOSE, priority) }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

pub(crate) unsafe extern "C" fn close_finish(
    stream: *mut gio_ffi::GOutputStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
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
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GPollableOutputStreamInterface>() };
        iface.can_poll = Some(can_poll);
        iface.is_writable = Some(is_writable::<T>);
        iface.create_source = Some(create_output_source::<T>);
        iface.write_nonblocking = Some(write_nonblocking::<T>);
        iface.writev_nonblocking = Some(write_vectored_nonblocking::<T>);
    };
    // A table with holes is worse than a second try.
    let _ = fence(fill).or_else(|| fence(fill));
}

unsafe extern "C" fn can_poll(_: *mut gio_ffi::GPollableOutputStream) -> gboolean {
    fence_or(GTRUE, || GTRUE)
}

unsafe extern "C" fn is_writable<T: TransportStream>(
    stream: *mut gio_ffi::GPollableOutputStream,
) -> gboolean {
    fence_or(GTRUE, || {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        if transport.is_ready(Interest::Write) {
            GTRUE
        } else {
            GFALSE
        }
    })
}

unsafe extern "C" fn create_output_source<T: TransportStream>(
    stream: *mut gio_ffi::GPollableOutputStream,
    cancellable: *mut gio_ffi::GCancellable,
) -> *mut glib::ffi::GSource {
    fence_or(ptr::null_mut(), || {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        // SAFETY: GIO's own arguments, passed on.
        unsafe { create_source(stream.cast(), &transport, Interest::Write, cancellable) }
    })
}

/// GIO's entries for writing without waiting do not look whether the stream is closed.
///
/// # Safety
///
/// `stream` is a live stream.
unsafe fn open_stream(stream: *mut gio_ffi::GPollableOutputStream) -> Result<(), glib::Error> {
    // SAFETY: as the caller says.
    let stream =
        unsafe { gio::OutputStream::from_glib_borrow(stream.cast::<gio_ffi::GOutputStream>()) };
    if stream.is_closed() {
        Err(error::stream_closed())
    } else {
        Ok(())
    }
}

unsafe extern "C" fn write_nonblocking<T: TransportStream>(
    stream: *mut gio_ffi::GPollableOutputStream,
    buffer: *mut u8,
    count: usize,
    out: *mut *mut glib::ffi::GError,
) -> isize {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let buffer = Buffer::new(buffer, count);
        // SAFETY: a live stream.
        let result = unsafe { open_stream(stream) }.and_then(|()| {
            // SAFETY: the caller waits for us.
            transport.try_write(unsafe { buffer.bytes() }, None)
        });
        result.and_then(|moved| moved.ok_or_else(|| error::from_errno(libc::EAGAIN)))
    });
    // SAFETY: the caller's place for an error.
    unsafe { size(result, out) }
}

unsafe extern "C" fn write_vectored_nonblocking<T: TransportStream>(
    stream: *mut gio_ffi::GPollableOutputStream,
    vectors: *const gio_ffi::GOutputVector,
    count: usize,
    written: *mut usize,
    out: *mut *mut glib::ffi::GError,
) -> gio_ffi::GPollableReturn {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let transport = unsafe { transport_of::<T>(stream.cast()) };
        let vectors = Vectors {
            start: vectors,
            len: count,
        };
        // SAFETY: a live stream.
        unsafe { open_stream(stream) }.and_then(|()| {
            // SAFETY: the caller waits for us.
            unsafe { vectors.write(&transport, None) }
        })
    });
    if !written.is_null() {
        let moved = result.as_ref().ok().copied().flatten().unwrap_or(0);
        // SAFETY: the caller's place for a count.
        unsafe { *written = moved };
    }
    match result {
        Ok(Some(_)) => gio_ffi::G_POLLABLE_RETURN_OK,
        Ok(None) => gio_ffi::G_POLLABLE_RETURN_WOULD_BLOCK,
        Err(failure) => {
            // SAFETY: the caller's place for an error.
            unsafe { set_error(out, failure) };
            gio_ffi::G_POLLABLE_RETURN_FAILED
        }
    }
}
