//! What tests of streams share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    cell::RefCell,
    ffi::c_int,
    future::Future,
    net::TcpStream,
    os::fd::AsRawFd,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::prelude::*;
use glib::{
    ffi::gpointer,
    translate::{FromGlibPtrNone, IntoGlib, ToGlibPtr, from_glib_full},
};
use gsock::SocketConnection;

use crate::support::*;

/// Makes a connection and its peer's end: around a `GSocket`, or around a bare descriptor.
pub(crate) type Make = fn() -> (SocketConnection, TcpStream);

/// Makes two tests of each body, over the two kinds of connection, which must behave the same.
macro_rules! over_both {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[test]
            fn around_a_socket() {
                crate::support::on_private_context(|context| {
                    super::$body(crate::support::connected, context);
                });
            }

            #[test]
            fn around_a_descriptor() {
                crate::support::on_private_context(|context| {
                    super::$body(crate::support::connected_bare, context);
                });
            }
        }
    )+};
}

/// Two ends of one TCP connection, both ours.
pub(crate) fn pair(make: Make) -> (SocketConnection, SocketConnection) {
    let (connection, peer) = make();
    let other = SocketConnection::factory_create_connection_from_fd(peer.into()).expect("a socket");
    (connection, other)
}

pub(crate) fn pollable_input(connection: &impl IsA<gio::IOStream>) -> gio::PollableInputStream {
    connection
        .input_stream()
        .dynamic_cast()
        .expect("the stream of a socket is pollable")
}

pub(crate) fn pollable_output(connection: &impl IsA<gio::IOStream>) -> gio::PollableOutputStream {
    connection
        .output_stream()
        .dynamic_cast()
        .expect("the stream of a socket is pollable")
}

/// Waits until what the peer sent has arrived.
pub(crate) fn wait_readable(connection: &impl IsA<gio::IOStream>) {
    wait_until(|| pollable_input(connection).is_readable());
}

/// Waits for what no event of a main context tells.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + LIMIT;
    while !done() {
        assert!(std::time::Instant::now() < end, "not done after {LIMIT:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Iterates `context` for some time, and until it has nothing left to do.
pub(crate) fn settle(context: &glib::MainContext, time: Duration) {
    iterate_for(context, time);
    while context.iteration(false) {}
}

/// Time for another thread to get into its wait; nothing depends on its being enough.
pub(crate) fn a_moment() {
    thread::sleep(Duration::from_millis(40));
}

// `gio-unix-2.0`, which gio-rs keeps in another crate.
unsafe extern "C" {
    fn g_file_descriptor_based_get_fd(stream: *mut glib::gobject_ffi::GObject) -> c_int;
}

/// The descriptor of a stream, as C asks for it.
pub(crate) fn descriptor_of(stream: &impl IsA<glib::Object>) -> c_int {
    // SAFETY: a live object of that interface.
    unsafe { g_file_descriptor_based_get_fd(stream.as_ref().as_ptr()) }
}

/// Writes without waiting until nothing more fits, and tells how much that was.
///
/// Both ends get buffers of a fixed size first: one that grows by itself finds room later.
pub(crate) fn fill(connection: &impl IsA<gio::IOStream>, peer: &TcpStream) -> usize {
    let ours = descriptor_of(&connection.output_stream());
    let (send, receive) = (libc::SO_SNDBUF, libc::SO_RCVBUF);
    for (fd, option, size) in [(ours, send, 65536), (peer.as_raw_fd(), receive, 32768_i32)] {
        // SAFETY: an open descriptor, and a value that is as long as said.
        let set = unsafe {
            libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                option,
                (&raw const size).cast(),
                size_of_val(&size) as libc::socklen_t,
            )
        };
        assert_eq!(set, 0);
    }
    let output = pollable_output(connection);
    let chunk = vec![b'f'; 64 * 1024];
    let (mut written, mut refused) = (0, 0);
    // The kernel moves some of it on to the peer's side for a while, and finds room for a little.
    while refused < 12 {
        for size in [chunk.len(), 1] {
            match output.write_nonblocking(&chunk[..size], gio::Cancellable::NONE) {
                Ok(count) => {
                    written += usize::try_from(count).expect("a count");
                    refused = 0;
                }
                Err(full) if full.matches(gio::IOErrorEnum::WouldBlock) => {}
                Err(failure) => panic!("{failure}"),
            }
        }
        refused += 1;
        thread::sleep(Duration::from_millis(5));
    }
    written
}

/// An object on its way to another thread, where it is used as C would use it.
pub(crate) struct Sent<T>(T);

// SAFETY: reference counts are atomic, and the streams may be used from several threads through
// C; the tests put no closures of their own on them.
unsafe impl<T> Send for Sent<T> {}

impl<T> Sent<T> {
    pub(crate) fn new(object: T) -> Self {
        Self(object)
    }

    pub(crate) fn get(&self) -> &T {
        &self.0
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// Runs `work` with `object` on another thread.
pub(crate) fn on_thread<T: Clone + 'static, R: Send + 'static>(
    object: &T,
    work: impl FnOnce(&T) -> R + Send + 'static,
) -> JoinHandle<R> {
    let sent = Sent(object.clone());
    thread::spawn(move || work(sent.get()))
}

/// Starts a blocking read on another thread, and returns when it is under way.
pub(crate) fn read_on_thread(
    input: &gio::InputStream,
    size: usize,
    cancellable: Option<&gio::Cancellable>,
) -> JoinHandle<Result<Vec<u8>, glib::Error>> {
    let cancellable = cancellable.cloned();
    let reader = on_thread(input, move |input| {
        let mut buffer = vec![0; size];
        let count = input.read(&mut buffer, cancellable.as_ref())?;
        buffer.truncate(count);
        Ok(buffer)
    });
    wait_until(|| input.has_pending() || reader.is_finished());
    a_moment();
    reader
}

/// One read, as a vector.
pub(crate) fn read(input: &gio::InputStream, size: usize) -> Result<Vec<u8>, glib::Error> {
    let mut buffer = vec![0; size];
    let count = input.read(&mut buffer, gio::Cancellable::NONE)?;
    buffer.truncate(count);
    Ok(buffer)
}

/// One read that does not wait, as a vector.
pub(crate) fn read_now(
    connection: &impl IsA<gio::IOStream>,
    size: usize,
) -> Result<Vec<u8>, glib::Error> {
    let mut buffer = vec![0; size];
    let count = pollable_input(connection).read_nonblocking(&mut buffer, gio::Cancellable::NONE)?;
    buffer.truncate(usize::try_from(count).expect("a count"));
    Ok(buffer)
}

pub(crate) fn write(output: &gio::OutputStream, bytes: &[u8]) -> Result<usize, glib::Error> {
    output
        .write(bytes, gio::Cancellable::NONE)
        .map(|count| usize::try_from(count).expect("a count"))
}

/// A place for the outcome of an operation that answers by callback.
pub(crate) struct Slot<T>(Rc<RefCell<Option<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: 'static> Slot<T> {
    pub(crate) fn new() -> Self {
        Self(Rc::default())
    }

    /// A callback that puts its argument here, once.
    pub(crate) fn put(&self) -> impl FnOnce(T) + 'static {
        let slot = self.clone();
        move |value| {
            // First: whoever catches this panic finds no value either.
            assert!(!slot.is_set(), "answered twice");
            slot.0.borrow_mut().replace(value);
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Iterates `context` until there is an outcome.
    pub(crate) fn wait(&self, context: &glib::MainContext) -> T {
        iterate_until(context, || self.is_set());
        self.0.take().expect("tested")
    }
}

/// `read_async` whose outcome, the bytes alone, goes into the slot.
pub(crate) fn start_read(
    input: &gio::InputStream,
    size: usize,
    cancellable: Option<&gio::Cancellable>,
) -> Slot<Result<Vec<u8>, glib::Error>> {
    let slot = Slot::new();
    let put = slot.put();
    input.read_async(
        vec![0; size],
        glib::Priority::DEFAULT,
        cancellable,
        move |result| {
            put(bytes_of(result));
        },
    );
    slot
}

/// `write_async` whose outcome, the count alone, goes into the slot.
pub(crate) fn start_write(
    output: &gio::OutputStream,
    bytes: Vec<u8>,
    cancellable: Option<&gio::Cancellable>,
) -> Slot<Result<usize, glib::Error>> {
    let slot = Slot::new();
    let put = slot.put();
    output.write_async(bytes, glib::Priority::DEFAULT, cancellable, move |result| {
        put(result
            .map(|(_, count)| count)
            .map_err(|(_, failure)| failure));
    });
    slot
}

/// The result of an operation of gio-rs that gives a buffer back.
pub(crate) trait Plain<T> {
    /// Without the buffer of an operation that failed, which nobody wants to see printed.
    fn plain(self) -> Result<T, glib::Error>;
}

impl<T, B> Plain<T> for Result<T, (B, glib::Error)> {
    fn plain(self) -> Result<T, glib::Error> {
        self.map_err(|(_, failure)| failure)
    }
}

/// The bytes that a read of gio-rs has put into its buffer.
pub(crate) fn bytes_of(
    result: Result<(Vec<u8>, usize), (Vec<u8>, glib::Error)>,
) -> Result<Vec<u8>, glib::Error> {
    match result {
        Ok((mut buffer, count)) => {
            buffer.truncate(count);
            Ok(buffer)
        }
        Err((_, failure)) => Err(failure),
    }
}

/// Lines of a log in the order in which they were written, on any thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    pub(crate) fn add(&self, line: &'static str) {
        self.0.lock().expect("nobody panics with it").push(line);
    }

    pub(crate) fn lines(&self) -> Vec<&'static str> {
        self.0.lock().expect("nobody panics with it").clone()
    }

    /// Adds a line when `context` gets to an idle source of this priority.
    pub(crate) fn add_when_idle(
        &self,
        context: &glib::MainContext,
        priority: glib::Priority,
        line: &'static str,
    ) {
        let log = self.clone();
        let idle = glib::source::idle_source_new(None, priority, move || {
            log.add(line);
            glib::ControlFlow::Break
        });
        idle.attach(Some(context));
    }
}

/// Polls once, with a waker that does nothing.
pub(crate) fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

type Ready = Box<dyn FnOnce(&gio::InputStream, &gio::AsyncResult)>;

/// `g_input_stream_read_async()` as C calls it: the callback gets the unfinished result.
pub(crate) fn read_async_in_c(
    input: &gio::InputStream,
    size: usize,
    cancellable: Option<&gio::Cancellable>,
    ready: impl FnOnce(&gio::InputStream, &gio::AsyncResult) + 'static,
) {
    unsafe extern "C" fn called(
        source: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: gpointer,
    ) {
        // SAFETY: the box made below, called back once; the task's own objects.
        let (mut lent, source, result) = unsafe {
            (
                Box::from_raw(data.cast::<(Vec<u8>, Option<Ready>)>()),
                gio::InputStream::from_glib_none(source.cast::<gio::ffi::GInputStream>()),
                gio::AsyncResult::from_glib_none(result),
            )
        };
        (lent.1.take().expect("called once"))(&source, &result);
    }
    let lent: Box<(Vec<u8>, Option<Ready>)> = Box::new((vec![0; size], Some(Box::new(ready))));
    let lent = Box::into_raw(lent);
    // SAFETY: the buffer lives until the callback, which frees it.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            input.to_glib_none().0,
            (*lent).0.as_mut_ptr(),
            size,
            glib::Priority::DEFAULT.into_glib(),
            cancellable.to_glib_none().0,
            Some(called),
            lent.cast(),
        );
    }
}

/// `g_input_stream_read_finish()`.
pub(crate) fn read_finish(
    input: &gio::InputStream,
    result: &gio::AsyncResult,
) -> Result<usize, glib::Error> {
    let mut failure = std::ptr::null_mut();
    // SAFETY: live arguments; a set error is ours.
    unsafe {
        let count = gio::ffi::g_input_stream_read_finish(
            input.to_glib_none().0,
            result.to_glib_none().0,
            &raw mut failure,
        );
        if failure.is_null() {
            Ok(usize::try_from(count).expect("-1 comes with an error"))
        } else {
            Err(from_glib_full(failure))
        }
    }
}

/// Bytes that do not repeat in any short period.
pub(crate) fn payload(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(size)
    .collect()
}

/// FNV-1a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::EMPTY.and(bytes)
    }

    pub(crate) fn and(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }
}
