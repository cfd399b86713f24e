//! Operations as C starts them: their callbacks are counted.

use std::{
    cell::{Cell, RefCell, UnsafeCell},
    ptr,
    rc::Rc,
    thread::{self, JoinHandle},
};

use gio::prelude::*;
use glib::{
    ffi::{GFALSE, gpointer},
    translate::{ToGlibPtr, from_glib_full},
};
use gsock::{SocketConnection, subclass::SocketConnectionClass};

use crate::scene::iterate_while;

pub(crate) type Outcome = Result<usize, glib::Error>;
type Finish = fn(*mut glib::gobject_ffi::GObject, *mut gio::ffi::GAsyncResult) -> Outcome;

/// An operation that is under way, with the buffer that it uses.
pub(crate) struct Started {
    calls: Cell<u32>,
    finish: Finish,
    outcome: RefCell<Option<Outcome>>,
    buffer: UnsafeCell<Vec<u8>>,
}

thread_local! {
    /// Until the thread ends, so that a callback too many finds its data.
    static STARTED: RefCell<Vec<Rc<Started>>> = const { RefCell::new(Vec::new()) };
}

impl Started {
    fn new(finish: Finish, buffer: Vec<u8>) -> Rc<Self> {
        let started = Rc::new(Self {
            calls: Cell::new(0),
            finish,
            outcome: RefCell::default(),
            buffer: UnsafeCell::new(buffer),
        });
        STARTED.with_borrow_mut(|all| all.push(started.clone()));
        started
    }

    fn data(&self) -> gpointer {
        ptr::from_ref(self).cast_mut().cast()
    }

    fn buffer(&self) -> (*mut u8, usize) {
        // SAFETY: nobody looks at the bytes while the operation has them.
        let buffer = unsafe { &mut *self.buffer.get() };
        (buffer.as_mut_ptr(), buffer.len())
    }

    /// The first bytes of the buffer, after the operation.
    pub(crate) fn bytes(&self, count: usize) -> &[u8] {
        assert_eq!(self.calls.get(), 1, "callbacks");
        // SAFETY: the operation has ended.
        unsafe { &(&(*self.buffer.get()))[..count] }
    }

    /// How it ended, once it has.
    pub(crate) fn wait(&self, context: &glib::MainContext) -> Outcome {
        iterate_while(context, || self.calls.get() == 0);
        // A second callback would be in the context by now.
        while context.iteration(false) {}
        assert_eq!(self.calls.get(), 1, "callbacks");
        self.outcome.take().expect("finished in the callback")
    }
}

unsafe extern "C" fn on_ready(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: `STARTED` keeps it.
    let started = unsafe { &*data.cast::<Started>() };
    started.calls.set(started.calls.get() + 1);
    *started.outcome.borrow_mut() = Some((started.finish)(source, result));
}

/// What a C function said through a return value and a `GError`; exactly one of both.
fn said(value: isize, failure: *mut glib::ffi::GError) -> Outcome {
    assert_eq!(
        value < 0,
        !failure.is_null(),
        "a failure has an error, a success has none"
    );
    if value < 0 {
        // SAFETY: a set error is the caller's to free.
        return Err(unsafe { from_glib_full(failure) });
    }
    Ok(value.unsigned_abs())
}

fn class_of(connection: *mut glib::gobject_ffi::GObject) -> &'static SocketConnectionClass {
    // SAFETY: an instance begins with its class, which stays as long as the process.
    unsafe { &**connection.cast::<*const SocketConnectionClass>() }
}

pub(crate) fn connect(connection: &SocketConnection, address: &gio::SocketAddress) -> Rc<Started> {
    let started = Started::new(
        |source, result| {
            let mut failure = ptr::null_mut();
            let slot = class_of(source).connect_finish.expect("a slot");
            // SAFETY: called with a connection.
            let done = unsafe { slot(source.cast(), result, &raw mut failure) };
            said(if done == GFALSE { -1 } else { 0 }, failure)
        },
        Vec::new(),
    );
    let slot = class_of(connection.as_ptr().cast())
        .connect_async
        .expect("a slot");
    // SAFETY: live arguments; the data lives as long as the thread.
    unsafe {
        slot(
            connection.as_ptr(),
            address.to_glib_none().0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}

pub(crate) fn read(stream: &gio::InputStream, count: usize) -> Rc<Started> {
    let started = Started::new(
        |source, result| {
            let mut failure = ptr::null_mut();
            // SAFETY: called with an input stream.
            let count = unsafe {
                gio::ffi::g_input_stream_read_finish(source.cast(), result, &raw mut failure)
            };
            said(count, failure)
        },
        vec![0; count],
    );
    let (buffer, count) = started.buffer();
    // SAFETY: live arguments; buffer and data live as long as the thread.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            stream.to_glib_none().0,
            buffer.cast(),
            count,
            0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}

/// A blocking read on another thread, as C may do it; the caller keeps the stream until it has ended.
pub(crate) fn read_on_thread(stream: &gio::InputStream, count: usize) -> JoinHandle<Outcome> {
    let stream = stream.as_ptr().expose_provenance();
    thread::spawn(move || {
        let mut buffer = vec![0_u8; count];
        let mut failure = ptr::null_mut();
        // SAFETY: the caller keeps the stream; the buffer is as long as said.
        let count = unsafe {
            gio::ffi::g_input_stream_read(
                ptr::with_exposed_provenance_mut(stream),
                buffer.as_mut_ptr().cast(),
                count,
                ptr::null_mut(),
                &raw mut failure,
            )
        };
        said(count, failure)
    })
}

pub(crate) fn write(stream: &gio::OutputStream, bytes: Vec<u8>) -> Rc<Started> {
    let started = Started::new(
        |source, result| {
            let mut failure = ptr::null_mut();
            // SAFETY: called with an output stream.
            let count = unsafe {
                gio::ffi::g_output_stream_write_finish(source.cast(), result, &raw mut failure)
            };
            said(count, failure)
        },
        bytes,
    );
    let (buffer, count) = started.buffer();
    // SAFETY: live arguments; buffer and data live as long as the thread.
    unsafe {
        gio::ffi::g_output_stream_write_async(
            stream.to_glib_none().0,
            buffer.cast(),
            count,
            0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}

/// Writes `bytes` as vectors, of which the caller keeps the list.
pub(crate) fn writev(
    stream: &gio::OutputStream,
    vectors: &mut [gio::ffi::GOutputVector],
) -> Rc<Started> {
    let started = Started::new(
        |source, result| {
            let (mut failure, mut count) = (ptr::null_mut(), 0);
            // SAFETY: called with an output stream.
            let done = unsafe {
                gio::ffi::g_output_stream_writev_finish(
                    source.cast(),
                    result,
                    &raw mut count,
                    &raw mut failure,
                )
            };
            let count = isize::try_from(count).expect("small");
            said(if done == GFALSE { -1 } else { count }, failure)
        },
        Vec::new(),
    );
    // SAFETY: live arguments; the caller waits before the vectors go, the data lives as long as the thread.
    unsafe {
        gio::ffi::g_output_stream_writev_async(
            stream.to_glib_none().0,
            vectors.as_mut_ptr(),
            vectors.len(),
            0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}

pub(crate) fn close(connection: &SocketConnection) -> Rc<Started> {
    let started = Started::new(
        |source, result| {
            let mut failure = ptr::null_mut();
            // SAFETY: called with a connection.
            let done = unsafe {
                gio::ffi::g_io_stream_close_finish(source.cast(), result, &raw mut failure)
            };
            said(if done == GFALSE { -1 } else { 0 }, failure)
        },
        Vec::new(),
    );
    // SAFETY: live arguments; the data lives as long as the thread.
    unsafe {
        gio::ffi::g_io_stream_close_async(
            connection.upcast_ref::<gio::IOStream>().to_glib_none().0,
            0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}
