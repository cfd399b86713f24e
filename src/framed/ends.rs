//! The two ends of a stream, as far as frames go: reading and writing without waiting, or until it is done, or begun and
//! left to the stream.

#![allow(unsafe_code, reason = "GIO's asynchronous functions")]

use std::{fmt, ptr, sync::Arc};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    Bytes,
    translate::{ToGlibPtr, from_glib_full},
};

use super::queue::Window;
use crate::{
    SocketConnection, UnixConnection, error, operation::Answer, unix_connection::Cargo,
    vfunc::Owned,
};

/// A stream, and what its two sides can do.
pub(super) struct Ends {
    stream: Owned<gio::IOStream>,
    input: Owned<gio::InputStream>,
    output: Owned<gio::OutputStream>,
    input_polls: bool,
    output_polls: bool,
    /// Bytes can be looked at before they are taken.
    peeks: bool,
    /// What it has not taken it does not know of.
    is_plain_output: bool,
    keeps_back: bool,
}

impl Ends {
    pub(super) fn new(stream: &gio::IOStream) -> Self {
        let (input, output) = (stream.input_stream(), stream.output_stream());
        let connection = stream.downcast_ref::<SocketConnection>();
        let input_polls = input
            .dynamic_cast_ref::<gio::PollableInputStream>()
            .is_some_and(PollableInputStreamExt::can_poll);
        let output_polls = output
            .dynamic_cast_ref::<gio::PollableOutputStream>()
            .is_some_and(PollableOutputStreamExt::can_poll);
        Self {
            peeks: connection.is_some_and(|made| made.imp().has_plain_input(&input)),
            is_plain_output: connection.is_some_and(|made| made.imp().has_plain_output(&output)),
            keeps_back: output.class().as_ref().flush.is_some(),
            stream: Owned::new(stream.clone()),
            input: Owned::new(input),
            output: Owned::new(output),
            input_polls,
            output_polls,
        }
    }

    pub(super) fn stream(&self) -> &gio::IOStream {
        self.stream.get()
    }

    pub(super) fn input_polls(&self) -> bool {
        self.input_polls
    }

    pub(super) fn output_polls(&self) -> bool {
        self.output_polls
    }

    /// The socket's own, which can be asked at no cost.
    pub(super) fn is_plain_input(&self) -> bool {
        self.peeks
    }

    pub(super) fn is_plain_output(&self) -> bool {
        self.is_plain_output
    }

    /// What was written may still be in the stream, until that is flushed.
    pub(super) fn keeps_back(&self) -> bool {
        self.keeps_back
    }

    fn pollable_input(&self) -> Option<&gio::PollableInputStream> {
        self.input.get().dynamic_cast_ref()
    }

    fn pollable_output(&self) -> Option<&gio::PollableOutputStream> {
        self.output.get().dynamic_cast_ref()
    }

    // --- Without waiting -----------------------------------------------------------------------

    /// Answers nothing where it would have to wait.
    pub(super) fn try_read(&self, room: &mut [u8]) -> Result<Option<usize>, glib::Error> {
        self.check_input()?;
        let Some(input) = self.pollable_input() else {
            return Ok(None);
        };
        moved(input.read_nonblocking(room, gio::Cancellable::NONE))
    }

    /// How many of the next bytes are of the line that comes, as far as that can be seen.
    pub(super) fn look_for_line_end(&self, room: &mut [u8]) -> Result<usize, glib::Error> {
        let Some(connection) = self
            .stream()
            .downcast_ref::<SocketConnection>()
            .filter(|_| self.peeks)
        else {
            return Ok(0);
        };
        let seen = connection.imp().transport().peek_now(room, None)?;
        let seen = &room[..seen.unwrap_or(0)];
        let end = super::format::find_line_end(seen);
        Ok(end.map_or(seen.len(), |end| end + 1))
    }

    /// As of [`try_read`](Self::try_read).
    pub(super) fn try_write(&self, window: &Window) -> Result<Option<usize>, glib::Error> {
        self.check_output()?;
        let Some(output) = self.pollable_output() else {
            return Ok(None);
        };
        match &window.slices()[..] {
            [slice] => moved(output.write_nonblocking(slice, gio::Cancellable::NONE)),
            slices => {
                let vectors: Vec<_> = slices
                    .iter()
                    .map(|slice| gio::OutputVector::new(slice))
                    .collect();
                let (how, count) = output.writev_nonblocking(&vectors, gio::Cancellable::NONE)?;
                Ok((how == gio::PollableReturn::Ok).then_some(count))
            }
        }
    }

    pub(super) fn try_write_piece(&self, piece: &[u8]) -> Result<Option<usize>, glib::Error> {
        self.check_output()?;
        let Some(output) = self.pollable_output() else {
            return Ok(None);
        };
        moved(output.write_nonblocking(piece, gio::Cancellable::NONE))
    }

    /// Sends descriptors, past the output stream, if that can be done without waiting.
    pub(super) fn try_pass(&self, cargo: &Cargo) -> Result<Option<usize>, glib::Error> {
        self.check_output()?;
        self.passing()?.imp().try_send(cargo)
    }

    /// # Errors
    ///
    /// `NotSupported` where descriptors cannot be passed, or would overtake what the stream keeps back.
    pub(super) fn passing(&self) -> Result<&UnixConnection, glib::Error> {
        self.stream()
            .downcast_ref()
            .filter(|_| self.is_plain_output)
            .ok_or_else(|| {
                let why = "The stream passes no descriptors";
                glib::Error::new(gio::IOErrorEnum::NotSupported, why)
            })
    }

    fn check_input(&self) -> Result<(), glib::Error> {
        if self.input.get().is_closed() {
            return Err(error::stream_closed());
        }
        Ok(())
    }

    fn check_output(&self) -> Result<(), glib::Error> {
        if self.output.get().is_closed() {
            return Err(error::stream_closed());
        }
        Ok(())
    }

    /// One that calls `ready`, once, when it is worth another try.
    pub(super) fn source(
        &self,
        is_for_reading: bool,
        ready: impl FnOnce() + Send + 'static,
    ) -> Option<glib::Source> {
        let (priority, none) = (glib::Priority::DEFAULT, gio::Cancellable::NONE);
        let mut ready = Some(ready);
        let mut call = move || {
            if let Some(ready) = ready.take() {
                ready();
            }
            glib::ControlFlow::Break
        };
        if is_for_reading {
            let input = self.pollable_input()?;
            Some(input.create_source(none, None, priority, move |_| call()))
        } else {
            let output = self.pollable_output()?;
            Some(output.create_source(none, None, priority, move |_| call()))
        }
    }

    // --- Until it is done ----------------------------------------------------------------------

    pub(super) fn read(
        &self,
        room: &mut [u8],
        cancellable: &gio::Cancellable,
    ) -> Result<usize, glib::Error> {
        self.input.get().read(room, Some(cancellable))
    }

    pub(super) fn write(
        &self,
        window: &Window,
        cancellable: &gio::Cancellable,
    ) -> Result<usize, glib::Error> {
        let slices = window.slices();
        if let [slice] = &slices[..] {
            return self.write_piece(slice, cancellable);
        }
        let vectors: Vec<_> = slices
            .iter()
            .map(|slice| gio::OutputVector::new(slice))
            .collect();
        self.output.get().writev(&vectors, Some(cancellable))
    }

    pub(super) fn write_piece(
        &self,
        piece: &[u8],
        cancellable: &gio::Cancellable,
    ) -> Result<usize, glib::Error> {
        let written = self.output.get().write(piece, Some(cancellable));
        // Not negative without an error.
        written.map(isize::unsigned_abs)
    }

    pub(super) fn pass(
        &self,
        cargo: Arc<Cargo>,
        cancellable: &gio::Cancellable,
    ) -> Result<usize, glib::Error> {
        self.check_output()?;
        self.passing()?.imp().send_blocking(cargo, cancellable)
    }

    pub(super) fn flush(&self, cancellable: &gio::Cancellable) -> Result<(), glib::Error> {
        self.output.get().flush(Some(cancellable))
    }

    pub(super) fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        self.stream().close(cancellable)
    }

    /// Of a stream that is closed but for this side of it.
    pub(super) fn close_input(&self) {
        // What there is to say was said when the stream was closed.
        self.input.get().close(gio::Cancellable::NONE).ok();
    }

    /// Likewise.
    pub(super) fn close_output(&self) {
        self.output.get().close(gio::Cancellable::NONE).ok();
    }

    // --- Begun, for the thread-default context to go on with ------------------------------------

    pub(super) fn begin_read(&self, most: usize) -> Answer<Bytes> {
        let input: *mut gio_ffi::GInputStream = self.input.get().to_glib_none().0;
        Answer::of_any_thread(
            |stream, result| {
                let mut failure = ptr::null_mut();
                // SAFETY: GIO's own arguments, passed on.
                let bytes = unsafe {
                    gio_ffi::g_input_stream_read_bytes_finish(
                        stream.cast(),
                        result,
                        &raw mut failure,
                    )
                };
                // SAFETY: a set error is ours to free.
                unsafe { ended(failure)? };
                // SAFETY: without an error there are bytes, which are ours.
                Ok(unsafe { from_glib_full(bytes) })
            },
            |cancellable, callback, data| {
                // SAFETY: live arguments; the callback and its data belong together.
                unsafe {
                    gio_ffi::g_input_stream_read_bytes_async(
                        input,
                        most,
                        glib::ffi::G_PRIORITY_DEFAULT,
                        cancellable,
                        callback,
                        data,
                    );
                }
            },
        )
    }

    pub(super) fn begin_write(&self, piece: &Bytes) -> Answer<usize> {
        let output: *mut gio_ffi::GOutputStream = self.output.get().to_glib_none().0;
        let piece: *mut glib::ffi::GBytes = piece.to_glib_none().0;
        Answer::of_any_thread(
            |stream, result| {
                let mut failure = ptr::null_mut();
                // SAFETY: GIO's own arguments, passed on.
                let count = unsafe {
                    gio_ffi::g_output_stream_write_bytes_finish(
                        stream.cast(),
                        result,
                        &raw mut failure,
                    )
                };
                // SAFETY: a set error is ours to free.
                unsafe { ended(failure)? };
                // Not negative without an error.
                Ok(count.unsigned_abs())
            },
            |cancellable, callback, data| {
                // SAFETY: live arguments, of which GIO keeps what it needs; the callback and its data belong together.
                unsafe {
                    gio_ffi::g_output_stream_write_bytes_async(
                        output,
                        piece,
                        glib::ffi::G_PRIORITY_DEFAULT,
                        cancellable,
                        callback,
                        data,
                    );
                }
            },
        )
    }

    pub(super) fn begin_flush(&self) -> Answer<usize> {
        let output: *mut gio_ffi::GOutputStream = self.output.get().to_glib_none().0;
        Answer::of_any_thread(
            |stream, result| {
                let mut failure = ptr::null_mut();
                // SAFETY: GIO's own arguments, passed on.
                unsafe {
                    gio_ffi::g_output_stream_flush_finish(stream.cast(), result, &raw mut failure);
                }
                // SAFETY: a set error is ours to free.
                unsafe { ended(failure)? };
                Ok(0)
            },
            |cancellable, callback, data| {
                // SAFETY: live arguments; the callback and its data belong together.
                unsafe {
                    gio_ffi::g_output_stream_flush_async(
                        output,
                        glib::ffi::G_PRIORITY_DEFAULT,
                        cancellable,
                        callback,
                        data,
                    );
                }
            },
        )
    }

    pub(super) fn begin_close(&self) -> Answer<()> {
        let stream: *mut gio_ffi::GIOStream = self.stream().to_glib_none().0;
        Answer::of_any_thread(
            |stream, result| {
                let mut failure = ptr::null_mut();
                // SAFETY: GIO's own arguments, passed on.
                unsafe {
                    gio_ffi::g_io_stream_close_finish(stream.cast(), result, &raw mut failure);
                }
                // SAFETY: a set error is ours to free.
                unsafe { ended(failure) }
            },
            |cancellable, callback, data| {
                // SAFETY: live arguments; the callback and its data belong together.
                unsafe {
                    gio_ffi::g_io_stream_close_async(
                        stream,
                        glib::ffi::G_PRIORITY_DEFAULT,
                        cancellable,
                        callback,
                        data,
                    );
                }
            },
        )
    }
}

fn moved(moved: Result<isize, glib::Error>) -> Result<Option<usize>, glib::Error> {
    match moved {
        // Not negative without an error.
        Ok(count) => Ok(Some(count.unsigned_abs())),
        Err(failure) if failure.matches(gio::IOErrorEnum::WouldBlock) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// # Safety
///
/// `failure` is NULL, or an error that is the caller's to give away.
unsafe fn ended(failure: *mut glib::ffi::GError) -> Result<(), glib::Error> {
    if failure.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller says.
    Err(unsafe { from_glib_full(failure) })
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ends")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
