//! What the groups of tests of threads share: C on any thread, and threads that are seen to sleep.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    ptr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::prelude::*;
use glib::{
    ffi::GFALSE,
    translate::{ToGlibPtr, ToGlibPtrMut},
};
use gsock::SocketConnection;

use crate::support::*;
use crate::tools::*;

/// A connection as C has it: a pointer, for any thread. The test keeps the object.
#[derive(Clone, Copy)]
pub(crate) struct Raw(pub(crate) *mut gio::ffi::GIOStream);

// SAFETY: a pointer; what is done with it is what C may do on any thread.
unsafe impl Send for Raw {}
// SAFETY: likewise.
unsafe impl Sync for Raw {}

impl Raw {
    pub(crate) fn of(connection: &SocketConnection) -> Self {
        Self(connection.upcast_ref::<gio::IOStream>().to_glib_none().0)
    }

    pub(crate) fn input(self) -> *mut gio::ffi::GInputStream {
        // SAFETY: the test keeps the object.
        unsafe { gio::ffi::g_io_stream_get_input_stream(self.0) }
    }

    pub(crate) fn output(self) -> *mut gio::ffi::GOutputStream {
        // SAFETY: the test keeps the object.
        unsafe { gio::ffi::g_io_stream_get_output_stream(self.0) }
    }

    pub(crate) fn read(
        self,
        buffer: &mut [u8],
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<usize, glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object; the buffer is as long as said.
        let count = unsafe {
            gio::ffi::g_input_stream_read(
                self.input(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                cancellable.to_glib_none().0,
                &raw mut failure,
            )
        };
        said(usize::try_from(count).unwrap_or(0), count < 0, failure)
    }

    pub(crate) fn write(
        self,
        bytes: &[u8],
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<usize, glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object; the bytes are as many as said.
        let count = unsafe {
            gio::ffi::g_output_stream_write(
                self.output(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
                cancellable.to_glib_none().0,
                &raw mut failure,
            )
        };
        said(usize::try_from(count).unwrap_or(0), count < 0, failure)
    }

    pub(crate) fn read_nonblocking(self, buffer: &mut [u8]) -> Result<usize, glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object, whose stream has that interface.
        let count = unsafe {
            gio::ffi::g_pollable_input_stream_read_nonblocking(
                self.input().cast(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                ptr::null_mut(),
                &raw mut failure,
            )
        };
        said(usize::try_from(count).unwrap_or(0), count < 0, failure)
    }

    pub(crate) fn write_nonblocking(self, bytes: &[u8]) -> Result<usize, glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object, whose stream has that interface.
        let count = unsafe {
            gio::ffi::g_pollable_output_stream_write_nonblocking(
                self.output().cast(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
                ptr::null_mut(),
                &raw mut failure,
            )
        };
        said(usize::try_from(count).unwrap_or(0), count < 0, failure)
    }

    /// Starts a read in the thread-default context of the calling thread.
    pub(crate) fn start_read(self) -> Rc<Started> {
        let started = Started::new(finish_read, false, vec![0; 4]);
        let (buffer, count) = started.buffer();
        // SAFETY: the test keeps the object; buffer and data live as long as the thread.
        unsafe {
            gio::ffi::g_input_stream_read_async(
                self.input(),
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

    pub(crate) fn close(self) -> Result<(), glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object.
        let done =
            unsafe { gio::ffi::g_io_stream_close(self.0, ptr::null_mut(), &raw mut failure) };
        said((), done == GFALSE, failure)
    }

    /// `address` is in the kernel's words, since a `GSocketAddress` stays on its thread in Rust.
    pub(crate) fn connect(
        self,
        address: std::net::SocketAddr,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        let address = gio_address(address).upcast::<gio::SocketAddress>();
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object, whose class has the slot.
        let done = unsafe {
            let class = &**self
                .0
                .cast::<*const gsock::subclass::SocketConnectionClass>();
            class.connect.expect("a slot")(
                self.0.cast(),
                address.to_glib_none().0,
                cancellable.to_glib_none().0,
                &raw mut failure,
            )
        };
        said((), done == GFALSE, failure)
    }

    pub(crate) fn property(self, name: &std::ffi::CStr, type_: glib::Type) -> glib::Value {
        let mut value = glib::Value::from_type(type_);
        // SAFETY: the test keeps the object; the value is of the property's type.
        unsafe {
            glib::gobject_ffi::g_object_get_property(
                self.0.cast(),
                name.as_ptr(),
                value.to_glib_none_mut().0,
            );
        }
        value
    }

    pub(crate) fn is_closed(self) -> bool {
        // SAFETY: the test keeps the object.
        unsafe { gio::ffi::g_io_stream_is_closed(self.0) != GFALSE }
    }
}

/// The kernel's number of a thread, so that another one can see it sleep.
#[derive(Clone, Default)]
pub(crate) struct Sleeper(Arc<AtomicI32>);

impl Sleeper {
    /// Called on the thread that will go to sleep, right before.
    pub(crate) fn is_me(&self) {
        // SAFETY: no arguments.
        self.0.store(unsafe { libc::gettid() }, Ordering::SeqCst);
    }

    pub(crate) fn here() -> Self {
        let sleeper = Self::default();
        sleeper.is_me();
        sleeper
    }

    pub(crate) fn sleeps(&self) -> bool {
        let tid = self.0.load(Ordering::SeqCst);
        let stat = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat"));
        // After the name, which is in parentheses.
        stat.is_ok_and(|stat| {
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" S"))
        })
    }

    /// Returns when the thread has been asleep for a while.
    pub(crate) fn wait(&self) {
        let mut seen = 0;
        while seen < 3 {
            seen = if self.sleeps() { seen + 1 } else { 0 };
            thread::sleep(Duration::from_micros(300));
        }
    }
}

/// Runs `work` on a thread that names itself a sleeper before it begins.
pub(crate) fn sleeping<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> (Sleeper, JoinHandle<R>) {
    let sleeper = Sleeper::default();
    let me = sleeper.clone();
    let thread = thread::spawn(move || {
        me.is_me();
        work()
    });
    (sleeper, thread)
}

/// Iterates without a tick: the thread sleeps in `poll(2)` until something of ours wakes it.
pub(crate) fn sleep_until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    while !done() {
        context.iteration(true);
    }
}

/// Opens and closes descriptors, so that a number is another file's as soon as it is closed; what
/// it opens must hold what was put into it, and nothing else.
pub(crate) struct Recycler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Recycler {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut kept = std::collections::VecDeque::new();
            let mut checked = 0;
            while !stopped.load(Ordering::Relaxed) || !kept.is_empty() {
                if kept.len() < 6 && !stopped.load(Ordering::Relaxed) {
                    kept.push_back(Self::open());
                    continue;
                }
                if let Some(pair) = kept.pop_front() {
                    Self::check(pair);
                    checked += 1;
                }
            }
            checked
        });
        Self { stop, thread }
    }

    pub(crate) fn open() -> (UnixStream, UnixStream) {
        let (one, other) = UnixStream::pair().expect("a pair");
        for end in [&one, &other] {
            end.set_nonblocking(true).expect("an option");
        }
        (&one).write_all(b"1").expect("room");
        (&other).write_all(b"2").expect("room");
        (one, other)
    }

    pub(crate) fn check((mut one, mut other): (UnixStream, UnixStream)) {
        let mut buffer = [0; 64];
        for (end, expected) in [(&mut one, b"2"), (&mut other, b"1")] {
            let count = end
                .read(&mut buffer)
                .expect("what was put there, still there");
            assert_eq!(&buffer[..count], expected, "a stranger wrote here");
            let end = end
                .read(&mut buffer)
                .expect_err("nothing more, and not shut down");
            assert_eq!(end.kind(), ErrorKind::WouldBlock);
        }
    }

    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let checked = self.thread.join().expect("no stranger's byte");
        assert!(checked > 0);
    }
}

pub(crate) const ROUNDS: u64 = 300;

/// The rounds take a while on a busy machine.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn at_length<R: Send + 'static>(
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    on_private_context_within(LONG_LIMIT, test)
}

/// The descriptor as `GFileDescriptorBased` tells it, which makes no `GSocket`.
pub(crate) fn pollable_fd(connection: &SocketConnection) -> std::os::fd::RawFd {
    unsafe extern "C" {
        fn g_file_descriptor_based_get_fd(based: *mut gio::ffi::GInputStream) -> libc::c_int;
    }
    // SAFETY: the stream of a socket has that interface.
    unsafe { g_file_descriptor_based_get_fd(connection.input_stream().to_glib_none().0) }
}
