//! `GsockFramed`.

use std::{ffi::c_int, ptr};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GCancellable, GIOStream},
    prelude::*,
};
use glib::{
    Bytes,
    ffi::{GBytes, GError, GFALSE, GTRUE, GType, gboolean, gpointer},
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr},
};
use gsock::{Framed, FramedOperation, Framing};

use crate::{
    argument::Argument,
    export::exported,
    unix_connection::{Array, lent},
};

type Instance = <Framed as ObjectType>::GlibType;

impl Argument for Framing {
    type C = c_int;
    type Value = Self;
    const CHECK: &'static str = "a GsockFraming";

    unsafe fn convert(c: c_int) -> Option<Self> {
        [Self::Lines, Self::LengthPrefixed, Self::JsonLines]
            .into_iter()
            .find(|framing| framing.into_glib() == c)
    }
}

/// Any thread may start; its context need not be its own.
fn start(
    framed: &Framed,
    operation: FramedOperation,
    cancellable: &Option<gio::Cancellable>,
    callback: GAsyncReadyCallback,
    user_data: gpointer,
) {
    let cancellable: *mut GCancellable = cancellable.to_glib_none().0;
    // SAFETY: live arguments, and what C demands of a callback.
    unsafe { framed.start(operation, (cancellable, callback, user_data)) }
}

fn finish(
    framed: &Framed,
    operation: &FramedOperation,
    result: *mut GAsyncResult,
) -> Result<gboolean, glib::Error> {
    // SAFETY: NULL or a live instance of some type.
    unsafe { framed.finish_other(operation, result) }.map(|()| GTRUE)
}

/// The end of the stream is NULL, too, without an error.
fn given(bytes: Option<Bytes>) -> *mut GBytes {
    bytes.map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
}

exported! {
    /// `GSOCK_TYPE_FRAMING`.
    fn gsock_framing_get_type() -> GType, else 0 => {
        Framing::static_type().into_glib()
    }

    /// `GSOCK_TYPE_FRAMED`.
    fn gsock_framed_get_type() -> GType, else 0 => {
        Framed::static_type().into_glib()
    }

    /// Frames over a stream, or over none yet.
    fn gsock_framed_new(
        io_stream: Option<gio::IOStream>,
        framing: Framing,
    ) -> *mut Instance, else ptr::null_mut() => {
        let builder = Framed::builder().framing(framing);
        match &*io_stream {
            Some(io_stream) => builder.io_stream(io_stream),
            None => builder,
        }
        .build()
        .into_glib_ptr()
    }

    /// Reads a frame.
    try fn gsock_framed_read_frame(
        framed: Framed,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut GBytes, else ptr::null_mut() => {
        framed.read_frame((*cancellable).as_ref()).map(given)
    }

    /// Starts to read a frame.
    fn gsock_framed_read_frame_async(
        framed: Framed,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&framed, FramedOperation::ReadFrame, &cancellable, callback, user_data)
    }

    /// Takes the frame.
    try fn gsock_framed_read_frame_finish(
        framed: Framed,
        result: *mut GAsyncResult,
    ) -> *mut GBytes, else ptr::null_mut() => {
        // SAFETY: NULL or a live instance of some type.
        unsafe { framed.finish_reading(false, result) }.map(given)
    }

    /// Reads so many bytes.
    try fn gsock_framed_read_exact(
        framed: Framed,
        count: usize,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut GBytes, else ptr::null_mut() => {
        framed.read_exact(count, (*cancellable).as_ref()).map(IntoGlibPtr::into_glib_ptr)
    }

    /// Starts to read so many bytes.
    fn gsock_framed_read_exact_async(
        framed: Framed,
        count: usize,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&framed, FramedOperation::ReadExact(count), &cancellable, callback, user_data)
    }

    /// Takes the bytes.
    try fn gsock_framed_read_exact_finish(
        framed: Framed,
        result: *mut GAsyncResult,
    ) -> *mut GBytes, else ptr::null_mut() => {
        // SAFETY: NULL or a live instance of some type.
        unsafe { framed.finish_reading(true, result) }.map(given)
    }

    /// Takes what was read ahead.
    fn gsock_framed_take_buffered(framed: Framed) -> *mut GBytes, else ptr::null_mut() => {
        framed.take_buffered().into_glib_ptr()
    }

    /// Queues a frame.
    try fn gsock_framed_send(framed: Framed, frame: Bytes) -> gboolean, else GFALSE => {
        framed.send(frame).map(|()| GTRUE)
    }

    /// Queues bytes as they are.
    try fn gsock_framed_send_exact(framed: Framed, bytes: Bytes) -> gboolean, else GFALSE => {
        framed.send_exact(bytes).map(|()| GTRUE)
    }

    /// Queues a frame and descriptors.
    try fn gsock_framed_send_with_fds(
        framed: Framed,
        frame: Bytes,
        fds: Array,
        n_fds: usize,
    ) -> gboolean, else GFALSE => {
        // SAFETY: as C says.
        let fds = unsafe { lent(fds, n_fds)? };
        framed.send_with_fds(frame, &fds).map(|()| GTRUE)
    }

    /// Writes a frame.
    try fn gsock_framed_write_frame(
        framed: Framed,
        frame: Bytes,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        framed.write_frame(frame, (*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// Starts to write a frame.
    fn gsock_framed_write_frame_async(
        framed: Framed,
        frame: Bytes,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&framed, FramedOperation::WriteFrame(frame), &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_framed_write_frame_finish(
        framed: Framed,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        finish(&framed, &FramedOperation::WriteFrame(Bytes::from_static(b"")), result)
    }

    /// Waits until all is written.
    try fn gsock_framed_flush(
        framed: Framed,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        framed.flush((*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// Starts to wait until all is written.
    fn gsock_framed_flush_async(
        framed: Framed,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&framed, FramedOperation::Flush, &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_framed_flush_finish(
        framed: Framed,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        finish(&framed, &FramedOperation::Flush, result)
    }

    /// Closes.
    try fn gsock_framed_close(
        framed: Framed,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        framed.close((*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// Starts to close.
    fn gsock_framed_close_async(
        framed: Framed,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&framed, FramedOperation::Close, &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_framed_close_finish(
        framed: Framed,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        finish(&framed, &FramedOperation::Close, result)
    }

    /// The stream.
    fn gsock_framed_get_io_stream(framed: Framed) -> *mut GIOStream, else ptr::null_mut() => {
        framed.io_stream().map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
    }

    /// Starts over on a stream.
    fn gsock_framed_set_io_stream(
        framed: Framed,
        io_stream: Option<gio::IOStream>,
    ) -> (), else () => {
        framed.set_io_stream((*io_stream).as_ref())
    }

    /// How frames are told apart.
    fn gsock_framed_get_framing(framed: Framed) -> c_int, else 0 => {
        framed.framing().into_glib()
    }

    /// Of the length, in bytes.
    fn gsock_framed_get_prefix_size(framed: Framed) -> u32, else 0 => {
        framed.prefix_size()
    }

    /// Of the length.
    fn gsock_framed_get_byte_order(framed: Framed) -> c_int, else 0 => {
        framed.byte_order().into_glib()
    }

    /// Of a line.
    fn gsock_framed_get_crlf(framed: Framed) -> gboolean, else GFALSE => {
        framed.crlf().into_glib()
    }

    /// In bytes.
    fn gsock_framed_get_max_frame_size(framed: Framed) -> u64, else 0 => {
        framed.max_frame_size()
    }

    /// In bytes.
    fn gsock_framed_set_max_frame_size(framed: Framed, bytes: u64) -> (), else () => {
        framed.set_max_frame_size(bytes)
    }

    /// Whether more than a frame may be taken.
    fn gsock_framed_get_read_ahead(framed: Framed) -> gboolean, else GFALSE => {
        framed.read_ahead().into_glib()
    }

    /// Whether more than a frame may be taken.
    fn gsock_framed_set_read_ahead(framed: Framed, read_ahead: bool) -> (), else () => {
        framed.set_read_ahead(read_ahead)
    }

    /// In bytes.
    fn gsock_framed_get_high_water(framed: Framed) -> u64, else 0 => {
        framed.high_water()
    }

    /// In bytes.
    fn gsock_framed_set_high_water(framed: Framed, bytes: u64) -> (), else () => {
        framed.set_high_water(bytes)
    }

    /// In bytes.
    fn gsock_framed_get_low_water(framed: Framed) -> u64, else 0 => {
        framed.low_water()
    }

    /// In bytes.
    fn gsock_framed_set_low_water(framed: Framed, bytes: u64) -> (), else () => {
        framed.set_low_water(bytes)
    }

    /// In bytes.
    fn gsock_framed_get_max_pending_bytes(framed: Framed) -> u64, else 0 => {
        framed.max_pending_bytes()
    }

    /// In bytes.
    fn gsock_framed_set_max_pending_bytes(framed: Framed, bytes: u64) -> (), else () => {
        framed.set_max_pending_bytes(bytes)
    }

    /// Whether the queue outlives the stream.
    fn gsock_framed_get_keep_queue(framed: Framed) -> gboolean, else GFALSE => {
        framed.keep_queue().into_glib()
    }

    /// Whether the queue outlives the stream.
    fn gsock_framed_set_keep_queue(framed: Framed, keep_queue: bool) -> (), else () => {
        framed.set_keep_queue(keep_queue)
    }

    /// What the stream has not taken.
    fn gsock_framed_get_pending_bytes(framed: Framed) -> u64, else 0 => {
        framed.pending_bytes()
    }

    /// The same in frames.
    fn gsock_framed_get_pending_frames(framed: Framed) -> u64, else 0 => {
        framed.pending_frames()
    }

    /// Whether more is queued than is good.
    fn gsock_framed_is_congested(framed: Framed) -> gboolean, else GFALSE => {
        framed.is_congested().into_glib()
    }

    /// Why the stream is of no use.
    fn gsock_framed_get_last_error(framed: Framed) -> *mut GError, else ptr::null_mut() => {
        framed.last_error().map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
    }
}
