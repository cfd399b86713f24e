//! GIO's public functions with callbacks, called as C calls them. The same code uses GIO's class and
//! gsock's.

use std::{net::TcpStream, ptr};

use gio::{ffi, prelude::*};
use glib::{ffi::gpointer, gobject_ffi::GObject, translate::IntoGlibPtr};

use super::{Contestant, Errand, GlibLoop, IDLE_ROOM, ROOM, SIZE};
use crate::measure::Progress;

type Callback = unsafe extern "C" fn(*mut GObject, *mut ffi::GAsyncResult, gpointer);
type Make = fn(TcpStream) -> gio::IOStream;

pub(crate) struct Callbacks {
    on: GlibLoop,
    make: Make,
    cancellable: bool,
}

/// What a callback gets as its data. It and all that it names live until the process ends.
struct End {
    input: *mut ffi::GInputStream,
    output: *mut ffi::GOutputStream,
    cancellable: *mut ffi::GCancellable,
    buffer: [u8; ROOM],
    got: usize,
    errand: Option<Errand>,
}

impl Callbacks {
    pub(crate) fn new(on: GlibLoop, make: Make, cancellable: bool) -> Self {
        Self {
            on,
            make,
            cancellable,
        }
    }

    fn cancellable(&self) -> *mut ffi::GCancellable {
        if self.cancellable {
            gio::Cancellable::new().into_glib_ptr()
        } else {
            ptr::null_mut()
        }
    }

    fn end(&self, socket: TcpStream, errand: Option<Errand>) -> &'static mut End {
        let stream = (self.make)(socket);
        let (input, output) = (stream.input_stream(), stream.output_stream());
        std::mem::forget(stream);
        Box::leak(Box::new(End {
            input: input.into_glib_ptr(),
            output: output.into_glib_ptr(),
            cancellable: self.cancellable(),
            buffer: [7; ROOM],
            got: 0,
            errand,
        }))
    }
}

impl Contestant for Callbacks {
    fn add_idle(&mut self, socket: TcpStream) {
        let stream = (self.make)(socket);
        let input: *mut ffi::GInputStream = stream.input_stream().into_glib_ptr();
        std::mem::forget(stream);
        let buffer: &'static mut [u8; IDLE_ROOM] = Box::leak(Box::new([0; IDLE_ROOM]));
        // SAFETY: the stream, the cancellable and the buffer live until the process ends.
        unsafe {
            ffi::g_input_stream_read_async(
                input,
                buffer.as_mut_ptr(),
                buffer.len(),
                glib::ffi::G_PRIORITY_DEFAULT,
                self.cancellable(),
                Some(nobody_asked),
                ptr::null_mut(),
            );
        }
    }

    fn add_pair(&mut self, client: TcpStream, server: TcpStream, errand: Errand) {
        self.end(server, None).read(requested);
        let client = self.end(client, Some(errand));
        errand.progress.begin();
        client.write(SIZE, asked);
    }

    fn settle(&mut self) {
        self.on.settle();
    }

    fn run(&mut self, progress: &'static Progress) {
        self.on.run(progress);
    }
}

impl End {
    fn read(&mut self, then: Callback) {
        // SAFETY: the streams and this value live until the process ends, and one operation at a time
        // uses the buffer.
        unsafe {
            ffi::g_input_stream_read_async(
                self.input,
                self.buffer.as_mut_ptr(),
                ROOM,
                glib::ffi::G_PRIORITY_DEFAULT,
                self.cancellable,
                Some(then),
                ptr::from_mut(self).cast(),
            );
        }
    }

    fn write(&mut self, count: usize, then: Callback) {
        assert!(count <= ROOM, "no more than was read");
        // SAFETY: as in `read`.
        unsafe {
            ffi::g_output_stream_write_async(
                self.output,
                self.buffer.as_mut_ptr(),
                count,
                glib::ffi::G_PRIORITY_DEFAULT,
                self.cancellable,
                Some(then),
                ptr::from_mut(self).cast(),
            );
        }
    }

    fn was_read(&self, result: *mut ffi::GAsyncResult) -> usize {
        // SAFETY: the result is the one that this stream's callback got; an error is not asked for.
        let count = unsafe { ffi::g_input_stream_read_finish(self.input, result, ptr::null_mut()) };
        usize::try_from(count).expect("the peer is there")
    }

    fn was_written(&self, result: *mut ffi::GAsyncResult) -> usize {
        // SAFETY: as in `was_read`.
        let count =
            unsafe { ffi::g_output_stream_write_finish(self.output, result, ptr::null_mut()) };
        usize::try_from(count).expect("the peer is there")
    }
}

/// The end that was handed over with an operation.
///
/// # Safety
///
/// `data` is that end, and nobody else has a reference to it.
unsafe fn end_of(data: gpointer) -> &'static mut End {
    // SAFETY: as the caller says; ends live until the process ends.
    unsafe { &mut *data.cast::<End>() }
}

unsafe extern "C" fn asked(_: *mut GObject, result: *mut ffi::GAsyncResult, data: gpointer) {
    // SAFETY: `read` and `write` hand over their end, and return before a callback comes.
    let end = unsafe { end_of(data) };
    assert_eq!(end.was_written(result), SIZE, "so little always fits");
    end.got = 0;
    end.read(answered);
}

unsafe extern "C" fn answered(_: *mut GObject, result: *mut ffi::GAsyncResult, data: gpointer) {
    // SAFETY: as in `asked`.
    let end = unsafe { end_of(data) };
    let count = end.was_read(result);
    assert_ne!(count, 0, "the peer does not close");
    end.got += count;
    if end.got < SIZE {
        return end.read(answered);
    }
    let errand = end.errand.as_mut().expect("a client has an errand");
    errand.progress.tick();
    errand.messages -= 1;
    if errand.messages > 0 {
        end.write(SIZE, asked);
    }
}

unsafe extern "C" fn requested(_: *mut GObject, result: *mut ffi::GAsyncResult, data: gpointer) {
    // SAFETY: as in `asked`.
    let end = unsafe { end_of(data) };
    let count = end.was_read(result);
    end.got = count;
    end.write(count, sent_back);
}

unsafe extern "C" fn sent_back(_: *mut GObject, result: *mut ffi::GAsyncResult, data: gpointer) {
    // SAFETY: as in `asked`.
    let end = unsafe { end_of(data) };
    assert_eq!(end.was_written(result), end.got, "so little always fits");
    end.read(requested);
}

unsafe extern "C" fn nobody_asked(_: *mut GObject, _: *mut ffi::GAsyncResult, _: gpointer) {}
