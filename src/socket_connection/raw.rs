//! The direct entry as C has it: memory that the caller lends, and a result to finish with.

#![allow(
    unsafe_code,
    reason = "the memory and the callbacks are C's: whoever calls vouches for them"
)]

use std::{
    future::Future,
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult},
    prelude::*,
};
use glib::{
    ffi::gpointer,
    gobject_ffi::GObject,
    subclass::prelude::*,
    translate::{IntoGlib, ToGlibPtr, from_glib_full},
};

use super::SocketConnection;
use crate::{
    error,
    fence::fence_or,
    operation::{Drive, Moving, Reply, Tag, Transfer, finish_size},
    reactor::{Begin, Interest, Registration},
    transport::{Attempted, Transport},
    vfunc::Buffer,
};

/// What is tried until it moves some bytes.
type Try = fn(&mut Buffer, &Transport, Option<&Registration>) -> Attempted<usize>;

struct Operation {
    tag: &'static Tag,
    interest: Interest,
    call: Try,
}

static RECEIVE: Operation = {
    static TAG: Tag = Tag::new();
    Operation {
        tag: &TAG,
        interest: Interest::Read,
        call: |buffer, transport, known| {
            // SAFETY: the caller keeps the memory until the callback, which comes after the last try.
            transport.try_read(unsafe { buffer.fill() }, known)
        },
    }
};

static SEND: Operation = {
    static TAG: Tag = Tag::new();
    Operation {
        tag: &TAG,
        interest: Interest::Write,
        call: |buffer, transport, known| {
            // SAFETY: the caller keeps the memory until the callback, which comes after the last try.
            transport.try_write(unsafe { buffer.bytes() }, known)
        },
    }
};

impl SocketConnection {
    /// [`receive_async`](Self::receive_async) into memory that stays the caller's, from a thread that need
    /// not own its context. For the C face.
    ///
    /// # Errors
    ///
    /// From [`receive_raw_finish`](Self::receive_raw_finish): those of `receive_async`, and
    /// `InvalidArgument` for more bytes than there can be.
    ///
    /// # Safety
    ///
    /// `buffer` may be written to, `count` bytes of it, until `callback` is called, which may be done in
    /// the thread-default context of now, with `data`.
    #[doc(hidden)]
    pub unsafe fn receive_raw_async(
        &self,
        buffer: *mut u8,
        count: usize,
        priority: glib::Priority,
        cancellable: Option<&gio::Cancellable>,
        callback: GAsyncReadyCallback,
        data: gpointer,
    ) {
        let memory = (buffer, count);
        // SAFETY: as the caller says.
        unsafe { self.raw_async(&RECEIVE, memory, priority, cancellable, callback, data) };
    }

    /// Takes the outcome of [`receive_raw_async`](Self::receive_raw_async), once.
    ///
    /// # Errors
    ///
    /// The operation's; `InvalidArgument` for anything but a result of its own that was not taken yet.
    ///
    /// # Safety
    ///
    /// `result` is NULL or live.
    #[doc(hidden)]
    pub unsafe fn receive_raw_finish(
        &self,
        result: *mut GAsyncResult,
    ) -> Result<usize, glib::Error> {
        // SAFETY: as the caller says.
        unsafe { finish_size(self.as_ptr().cast(), result, RECEIVE.tag) }
    }

    /// [`send_async`](Self::send_async) likewise: see [`receive_raw_async`](Self::receive_raw_async).
    ///
    /// # Errors
    ///
    /// From [`send_raw_finish`](Self::send_raw_finish): those of `send_async`, and `InvalidArgument` for
    /// more bytes than there can be.
    ///
    /// # Safety
    ///
    /// `buffer` may be read, `count` bytes of it, and else as of `receive_raw_async`.
    #[doc(hidden)]
    pub unsafe fn send_raw_async(
        &self,
        buffer: *const u8,
        count: usize,
        priority: glib::Priority,
        cancellable: Option<&gio::Cancellable>,
        callback: GAsyncReadyCallback,
        data: gpointer,
    ) {
        // Only read from.
        let memory = (buffer.cast_mut(), count);
        // SAFETY: as the caller says.
        unsafe { self.raw_async(&SEND, memory, priority, cancellable, callback, data) };
    }

    /// Takes the outcome of [`send_raw_async`](Self::send_raw_async), once.
    ///
    /// # Errors
    ///
    /// As of [`receive_raw_finish`](Self::receive_raw_finish).
    ///
    /// # Safety
    ///
    /// `result` is NULL or live.
    #[doc(hidden)]
    pub unsafe fn send_raw_finish(&self, result: *mut GAsyncResult) -> Result<usize, glib::Error> {
        // SAFETY: as the caller says.
        unsafe { finish_size(self.as_ptr().cast(), result, SEND.tag) }
    }

    /// # Safety
    ///
    /// The memory is lent until `callback` is called, which may be done in the thread-default context of now, with
    /// `data`.
    unsafe fn raw_async(
        &self,
        operation: &Operation,
        (start, count): (*mut u8, usize),
        priority: glib::Priority,
        cancellable: Option<&gio::Cancellable>,
        callback: GAsyncReadyCallback,
        data: gpointer,
    ) {
        let (object, priority) = (self.as_ptr().cast(), priority.into_glib());
        // SAFETY: as the caller says.
        let reply = unsafe { Reply::new(object, callback, data, operation.tag, priority) };
        if isize::try_from(count).is_err() {
            let failure = error::invalid("There is no memory of that size");
            return reply.answer_later(Err(failure));
        }
        if self.imp().own_streams().is_some() {
            // SAFETY: as the caller says.
            return unsafe {
                self.through_streams(operation.interest, (start, count), cancellable, reply)
            };
        }
        let transport = self.imp().transport();
        // A closed connection says so to a cancelled caller too, as GIO's streams do.
        let cancellable = cancellable.filter(|_| !transport.is_closed());
        let lent = Lent {
            buffer: Buffer::new(start, count),
            call: operation.call,
        };
        let transfer = Transfer::new(transport, operation.interest, lent);
        let (engine, priority) = (reply.engine().clone(), reply.priority());
        let raw = Raw {
            drive: Some(Drive::new(transfer, cancellable)),
            reply: Some(reply),
        };
        engine.start(priority, raw, true);
    }
}

/// By the streams that lie over the socket.
impl SocketConnection {
    /// # Safety
    ///
    /// The memory is lent until `reply` has answered.
    unsafe fn through_streams(
        &self,
        interest: Interest,
        (start, count): (*mut u8, usize),
        cancellable: Option<&gio::Cancellable>,
        reply: Reply,
    ) {
        if count == 0 {
            return reply.answer_later(Ok(0));
        }
        let (priority, cancellable) = (reply.priority().into_glib(), cancellable.to_glib_none());
        let data: gpointer = Box::into_raw(Box::new(reply)).cast();
        match interest {
            Interest::Read => {
                let input = self.input_stream();
                // SAFETY: as the caller says; `has_read` agrees with the type of the data.
                unsafe {
                    gio::ffi::g_input_stream_read_async(
                        input.as_ptr(),
                        start.cast(),
                        count,
                        priority,
                        cancellable.0,
                        Some(has_read),
                        data,
                    );
                }
            }
            Interest::Write => {
                let output = self.output_stream();
                // SAFETY: as the caller says; `has_written` agrees with the type of the data.
                unsafe {
                    gio::ffi::g_output_stream_write_async(
                        output.as_ptr(),
                        start.cast(),
                        count,
                        priority,
                        cancellable.0,
                        Some(has_written),
                        data,
                    );
                }
            }
        }
    }
}

/// # Safety
///
/// `failure` is NULL, or an error that is given away.
unsafe fn answer(reply: Reply, moved: isize, failure: *mut glib::ffi::GError) {
    if failure.is_null() {
        // Not negative without an error.
        return reply.answer(Ok(moved.unsigned_abs()));
    }
    // SAFETY: a set error is ours to free.
    reply.answer(Err(unsafe { from_glib_full(failure) }));
}

unsafe extern "C" fn has_read(stream: *mut GObject, result: *mut GAsyncResult, data: gpointer) {
    // SAFETY: the box of `through_streams`; GIO calls back once.
    let reply = unsafe { Box::from_raw(data.cast::<Reply>()) };
    // A reply that is dropped by a panic answers by itself.
    fence_or((), move || {
        let mut failure = ptr::null_mut();
        // SAFETY: GIO's own arguments, passed on.
        let moved = unsafe {
            gio::ffi::g_input_stream_read_finish(stream.cast(), result, &raw mut failure)
        };
        // SAFETY: a set error is ours.
        unsafe { answer(*reply, moved, failure) };
    });
}

unsafe extern "C" fn has_written(stream: *mut GObject, result: *mut GAsyncResult, data: gpointer) {
    // SAFETY: the box of `through_streams`; GIO calls back once.
    let reply = unsafe { Box::from_raw(data.cast::<Reply>()) };
    // A reply that is dropped by a panic answers by itself.
    fence_or((), move || {
        let mut failure = ptr::null_mut();
        // SAFETY: GIO's own arguments, passed on.
        let moved = unsafe {
            gio::ffi::g_output_stream_write_finish(stream.cast(), result, &raw mut failure)
        };
        // SAFETY: a set error is ours.
        unsafe { answer(*reply, moved, failure) };
    });
}

/// A try to move bytes from or to memory that is lent.
struct Lent {
    buffer: Buffer,
    call: Try,
}

impl Moving for Lent {
    fn try_to_move(
        &mut self,
        transport: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        (self.call)(&mut self.buffer, transport, registered)
    }

    fn is_for_nothing(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// A transfer under way; what is to be answered keeps the connection.
struct Raw {
    drive: Option<Drive<Transfer<Lent>>>,
    reply: Option<Reply>,
}

impl Begin for Raw {
    fn begin(&mut self, waker: &Waker) -> bool {
        self.drive.as_mut().is_some_and(|drive| drive.begin(waker))
    }
}

impl Future for Raw {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(drive) = &mut self.drive else {
            return Poll::Ready(());
        };
        let Poll::Ready(outcome) = Pin::new(drive).poll(cx) else {
            return Poll::Pending;
        };
        // Nothing of the operation is left when the callback runs.
        self.drive = None;
        if let Some(reply) = self.reply.take() {
            reply.answer(outcome);
        }
        Poll::Ready(())
    }
}
