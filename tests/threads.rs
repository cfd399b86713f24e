//! Connections used by several threads at once, through GIO's C functions.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "C calls from any thread, which Rust's wrappers refuse"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "faults/tools.rs"]
#[allow(dead_code, reason = "threads need a part of it")]
mod tools;

use std::{
    cell::{Cell, RefCell},
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::{fd::AsRawFd, unix::net::UnixStream},
    ptr,
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::GFALSE,
    translate::{IntoGlibPtr, ToGlibPtr, ToGlibPtrMut},
};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};
use support::*;
use tools::*;

// --- C, from any thread --------------------------------------------------------------------------

/// A connection as C has it: a pointer, for any thread. The test keeps the object.
#[derive(Clone, Copy)]
struct Raw(*mut gio::ffi::GIOStream);

// SAFETY: a pointer; what is done with it is what C may do on any thread.
unsafe impl Send for Raw {}
// SAFETY: likewise.
unsafe impl Sync for Raw {}

impl Raw {
    fn of(connection: &SocketConnection) -> Self {
        Self(connection.upcast_ref::<gio::IOStream>().to_glib_none().0)
    }

    fn input(self) -> *mut gio::ffi::GInputStream {
        // SAFETY: the test keeps the object.
        unsafe { gio::ffi::g_io_stream_get_input_stream(self.0) }
    }

    fn output(self) -> *mut gio::ffi::GOutputStream {
        // SAFETY: the test keeps the object.
        unsafe { gio::ffi::g_io_stream_get_output_stream(self.0) }
    }

    fn read(
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

    fn write(
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

    fn close(self) -> Result<(), glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: the test keeps the object.
        let done =
            unsafe { gio::ffi::g_io_stream_close(self.0, ptr::null_mut(), &raw mut failure) };
        said((), done == GFALSE, failure)
    }

    /// `address` is in the kernel's words, since a `GSocketAddress` stays on its thread in Rust.
    fn connect(
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

    fn property(self, name: &std::ffi::CStr, type_: glib::Type) -> glib::Value {
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

    fn is_closed(self) -> bool {
        // SAFETY: the test keeps the object.
        unsafe { gio::ffi::g_io_stream_is_closed(self.0) != GFALSE }
    }
}

/// The kernel's number of a thread, so that another one can see it sleep.
#[derive(Clone, Default)]
struct Sleeper(Arc<AtomicI32>);

impl Sleeper {
    /// Called on the thread that will go to sleep, right before.
    fn is_me(&self) {
        // SAFETY: no arguments.
        self.0.store(unsafe { libc::gettid() }, Ordering::SeqCst);
    }

    fn here() -> Self {
        let sleeper = Self::default();
        sleeper.is_me();
        sleeper
    }

    fn sleeps(&self) -> bool {
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
    fn wait(&self) {
        let mut seen = 0;
        while seen < 3 {
            seen = if self.sleeps() { seen + 1 } else { 0 };
            thread::sleep(Duration::from_micros(300));
        }
    }
}

/// Runs `work` on a thread that names itself a sleeper before it begins.
fn sleeping<R: Send + 'static>(
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
fn sleep_until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    while !done() {
        context.iteration(true);
    }
}

// --- Reader, writer and closer at once -----------------------------------------------------------

/// Opens and closes descriptors, so that a number is another file's as soon as it is closed; what
/// it opens must hold what was put into it, and nothing else.
struct Recycler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Recycler {
    fn start() -> Self {
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

    fn open() -> (UnixStream, UnixStream) {
        let (one, other) = UnixStream::pair().expect("a pair");
        for end in [&one, &other] {
            end.set_nonblocking(true).expect("an option");
        }
        (&one).write_all(b"1").expect("room");
        (&other).write_all(b"2").expect("room");
        (one, other)
    }

    fn check((mut one, mut other): (UnixStream, UnixStream)) {
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

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let checked = self.thread.join().expect("no stranger's byte");
        assert!(checked > 0);
    }
}

const ROUNDS: u64 = 300;
/// The rounds take a while on a busy machine.
const LONG_LIMIT: Duration = Duration::from_secs(60);

fn at_length<R: Send + 'static>(test: impl FnOnce(&glib::MainContext) -> R + Send + 'static) -> R {
    within(LONG_LIMIT, move || {
        let context = glib::MainContext::new();
        context
            .with_thread_default(|| test(&context))
            .expect("a new context has no owner")
    })
}

/// All that the peer gets is what the writer wrote; then the end.
#[track_caller]
fn assert_only(peer: &mut TcpStream, byte: u8) -> usize {
    let bytes = read_to_end(peer);
    assert!(bytes.iter().all(|got| *got == byte));
    bytes.len()
}

/// A writer waits for room soon.
fn narrow(connection: &SocketConnection) {
    shrink(pollable_fd(connection), libc::SO_SNDBUF);
}

fn write_until_error(raw: Raw, byte: u8) -> (usize, glib::Error) {
    let chunk = [byte; 65536];
    let mut written = 0;
    loop {
        match raw.write(&chunk, None) {
            Ok(count) => written += count,
            Err(failure) => return (written, failure),
        }
    }
}

#[test]
fn a_close_wakes_a_blocked_reader_and_a_blocked_writer_and_the_peer_sees_the_end() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            narrow(&connection);
            let raw = Raw::of(&connection);
            let (reads, reader) = sleeping(move || raw.read(&mut [0; 64], None));
            let (writes, writer) = sleeping(move || write_until_error(raw, b'W'));
            let closer = thread::spawn(move || {
                reads.wait();
                writes.wait();
                raw.close()
            });
            closer.join().expect("no panic").expect("open");
            assert_fails(reader.join().expect("no panic"), E::Closed);
            let (written, failure) = writer.join().expect("no panic");
            assert_eq!(code(&failure), E::Closed, "{failure:?}");
            assert!(connection.is_closed());
            assert!(!connection.is_connected());
            // While the object is still there: the end comes from the close.
            assert_eq!(assert_only(&mut peer, b'W'), written);
            assert_eq!(connection.bytes_written(), written as u64);
        }
        recycler.stop();
    });
}

/// The close comes at any moment, before the others wait too.
#[test]
fn a_close_at_any_moment_ends_reading_and_writing() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            narrow(&connection);
            let raw = Raw::of(&connection);
            let start = Arc::new(Barrier::new(3));
            let (reading, writing) = (start.clone(), start.clone());
            let reader = thread::spawn(move || {
                reading.wait();
                loop {
                    match raw.read(&mut [0; 64], None) {
                        Ok(count) => panic!("{count} bytes, where nobody wrote or closed"),
                        // The stream is being closed right now.
                        Err(failure) if failure.matches(E::Pending) => thread::yield_now(),
                        Err(failure) => return failure,
                    }
                }
            });
            let writer = thread::spawn(move || {
                writing.wait();
                loop {
                    let (_, failure) = write_until_error(raw, b'W');
                    if !failure.matches(E::Pending) {
                        return failure;
                    }
                }
            });
            start.wait();
            thread::sleep(Duration::from_micros((round * 37) % 1500));
            raw.close().expect("open");
            let failure = reader.join().expect("no panic");
            assert_eq!(code(&failure), E::Closed, "{failure:?}");
            let failure = writer.join().expect("no panic");
            assert_eq!(code(&failure), E::Closed, "{failure:?}");
            assert_only(&mut peer, b'W');
        }
        recycler.stop();
    });
}

/// One reader and one writer at once is what GIO promises (G-5).
#[test]
fn a_reader_and_a_writer_on_two_threads_get_every_byte_in_order() {
    at_length(|_| {
        const TOTAL: usize = 16 * 1024 * 1024;
        for make in [connected, connected_bare] {
            let (connection, peer) = make();
            let raw = Raw::of(&connection);
            let mut from = peer.try_clone().expect("a descriptor");
            let mut to = peer;
            let echo = thread::spawn(move || {
                let mut buffer = vec![0; 100_000];
                loop {
                    let count = from.read(&mut buffer).expect("a working connection");
                    if count == 0 {
                        return;
                    }
                    to.write_all(&buffer[..count])
                        .expect("a working connection");
                }
            });
            let bytes = |from: usize| (from % 251) as u8;
            let reader = thread::spawn(move || {
                let mut buffer = vec![0; 70_001];
                let mut got = 0;
                while got < TOTAL {
                    let count = raw.read(&mut buffer, None).expect("a working connection");
                    assert!(count > 0, "no end yet");
                    for (at, byte) in buffer[..count].iter().enumerate() {
                        assert_eq!(*byte, bytes(got + at));
                    }
                    got += count;
                }
                got
            });
            let writer = thread::spawn(move || {
                let mut sent = 0;
                while sent < TOTAL {
                    let count = 50_021.min(TOTAL - sent);
                    let chunk: Vec<u8> = (sent..sent + count).map(bytes).collect();
                    sent += raw.write(&chunk, None).expect("a working connection");
                }
                sent
            });
            assert_eq!(writer.join().expect("no panic"), TOTAL);
            assert_eq!(reader.join().expect("no panic"), TOTAL);
            assert_eq!(connection.bytes_read(), TOTAL as u64);
            assert_eq!(connection.bytes_written(), TOTAL as u64);
            connection.close(gio::Cancellable::NONE).expect("open");
            echo.join().expect("no panic");
        }
    });
}

// --- A loop that sleeps in poll ------------------------------------------------------------------

/// SOCK-43, where GIO's close goes unnoticed.
#[test]
fn a_close_on_another_thread_ends_what_is_pending_in_a_sleeping_loop() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for _ in 0..10 {
                let (connection, mut peer) = make();
                fill(&connection);
                let sent = connection.bytes_written();
                let reading = start_read(&connection, 4, None);
                let writing = start_write(&connection, vec![1; 8], None);
                let raw = Raw::of(&connection);
                let sleeper = Sleeper::here();
                let closer = thread::spawn(move || {
                    sleeper.wait();
                    raw.close()
                });
                sleep_until(context, || reading.has_ended() && writing.has_ended());
                assert_fails(reading.outcome(), E::Closed);
                assert_fails(writing.outcome(), E::Closed);
                closer.join().expect("no panic").expect("open");
                assert_eq!(read_to_end(&mut peer).len() as u64, sent);
                assert_eq!(connection.state(), ConnectionState::Closed);
                let gone = Gone::of(&connection);
                drop(connection);
                assert_idle(context);
                assert!(gone.is_gone() && reading.is_task_gone() && writing.is_task_gone());
            }
        }
    });
}

#[test]
fn a_close_async_on_another_threads_loop_wakes_whoever_waits() {
    on_private_context(|context| {
        for graceful in [false, true] {
            let (connection, mut peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(graceful);
            let reading = start_read(&connection, 4, None);
            let raw = Raw::of(&connection);
            let (_reads, closer) = sleeping(move || {
                let own = glib::MainContext::new();
                own.with_thread_default(|| {
                    let closing = start_close_of(raw);
                    sleep_until(&own, || closing.has_ended());
                    closing.outcome().map(drop)
                })
                .expect("a new context has no owner")
            });
            if graceful {
                // The peer says good-bye when it has heard ours; the end is the reader's to see.
                assert!(read_to_end(&mut peer).is_empty());
                drop(peer);
                sleep_until(context, || reading.has_ended());
                match reading.outcome() {
                    Ok(count) => assert_eq!(count, 0),
                    Err(failure) => assert_eq!(code(&failure), E::Closed),
                }
            } else {
                sleep_until(context, || reading.has_ended());
                assert_fails(reading.outcome(), E::Closed);
                assert!(read_to_end(&mut peer).is_empty());
            }
            closer.join().expect("no panic").expect("open");
            assert!(connection.is_closed());
        }
    });
}

fn start_close_of(raw: Raw) -> Rc<Started> {
    let started = Started::new(finish_close, false, Vec::new());
    // SAFETY: the test keeps the object; the data lives as long as the thread.
    unsafe {
        gio::ffi::g_io_stream_close_async(
            raw.0,
            0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}

#[test]
fn a_connect_pending_in_a_sleeping_loop_ends_when_another_thread_closes_or_cancels() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for closes in [true, false] {
            let connection = unconnected();
            let cancellable = gio::Cancellable::new();
            let connecting =
                start_connect(&connection, &gio_address(deaf.address), Some(&cancellable));
            let raw = Raw::of(&connection);
            let sleeper = Sleeper::here();
            let canceller = cancellable.clone();
            let other = thread::spawn(move || {
                sleeper.wait();
                if closes {
                    raw.close()
                } else {
                    canceller.cancel();
                    Ok(())
                }
            });
            sleep_until(context, || connecting.has_ended());
            let expected = if closes { E::Closed } else { E::Cancelled };
            assert_fails(connecting.outcome(), expected);
            other.join().expect("no panic").expect("open");
            let gone = [Gone::of(&connection), Gone::of(&cancellable)];
            drop((connection, cancellable));
            assert_idle(context);
            assert!(gone.iter().all(Gone::is_gone) && connecting.is_task_gone());
        }
    });
}

#[test]
fn an_async_read_in_a_sleeping_loop_ends_when_another_thread_cancels() {
    on_private_context(|context| {
        for round in 0..50 {
            let (connection, _peer) = connected();
            let cancellable = gio::Cancellable::new();
            let reading = start_read(&connection, 4, Some(&cancellable));
            let sleeper = Sleeper::here();
            let canceller = cancellable.clone();
            let other = thread::spawn(move || {
                // At any moment, and now and then when the loop is certainly asleep.
                if round % 5 == 0 {
                    sleeper.wait();
                } else {
                    thread::sleep(Duration::from_micros(round * 20));
                }
                canceller.cancel();
            });
            sleep_until(context, || reading.has_ended());
            assert_fails(reading.outcome(), E::Cancelled);
            other.join().expect("no panic");
            let gone = [Gone::of(&connection), Gone::of(&cancellable)];
            drop((connection, cancellable));
            assert_idle(context);
            assert!(gone.iter().all(Gone::is_gone) && reading.is_task_gone());
        }
    });
}

// --- Blocked calls, cancelled or closed ----------------------------------------------------------

#[test]
fn a_blocked_read_write_or_connect_ends_when_a_third_thread_cancels() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        let (connection, _peer) = connected();
        fill(&connection);
        let calling = unconnected();
        let (raw, raw_calling) = (Raw::of(&connection), Raw::of(&calling));
        for _ in 0..20 {
            let cancellables = [(); 3].map(|()| gio::Cancellable::new());
            let [read, write, connect] = cancellables.clone();
            let calls = [
                sleeping(move || raw.read(&mut [0; 4], Some(&read)).map(drop)),
                sleeping(move || raw.write(b"never", Some(&write)).map(drop)),
                sleeping(move || raw_calling.connect(address, Some(&connect))),
            ];
            let canceller = {
                let sleepers: Vec<_> = calls.iter().map(|(sleeper, _)| sleeper.clone()).collect();
                thread::spawn(move || {
                    for (sleeper, cancellable) in sleepers.iter().zip(&cancellables) {
                        sleeper.wait();
                        // SAFETY: a live cancellable.
                        unsafe { gio::ffi::g_cancellable_cancel(cancellable.to_glib_none().0) };
                    }
                })
            };
            for (_, call) in calls {
                assert_fails(call.join().expect("no panic"), E::Cancelled);
            }
            canceller.join().expect("no panic");
            assert_eq!(connection.state(), ConnectionState::Connected);
            assert_eq!(calling.state(), ConnectionState::Unconnected);
            assert_eq!(tcp_state(calling.socket().as_raw_fd()), TCP_CLOSE);
        }
    });
}

#[test]
fn one_cancellable_ends_all_that_wait_with_it() {
    on_private_context(|_| {
        let cancellable = gio::Cancellable::new();
        let connections: Vec<_> = (0..8).map(|_| connected()).collect();
        let calls: Vec<_> = connections
            .iter()
            .map(|(connection, _)| {
                let (raw, cancellable) = (Raw::of(connection), cancellable.clone());
                sleeping(move || raw.read(&mut [0; 4], Some(&cancellable)))
            })
            .collect();
        for (sleeper, _) in &calls {
            sleeper.wait();
        }
        cancellable.cancel();
        for (_, call) in calls {
            assert_fails(call.join().expect("no panic"), E::Cancelled);
        }
    });
}

#[test]
fn a_blocked_connect_ends_with_closed_when_another_thread_closes() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        for _ in 0..20 {
            let connection = unconnected();
            let raw = Raw::of(&connection);
            let kernel = KernelSocket::of_connection(&connection);
            let (sleeper, call) = sleeping(move || raw.connect(address, None));
            let closer = thread::spawn(move || {
                sleeper.wait();
                raw.close()
            });
            assert_fails(call.join().expect("no panic"), E::Closed);
            closer.join().expect("no panic").expect("open");
            assert_eq!(connection.state(), ConnectionState::Closed);
            assert!(!kernel.is_open());
        }
    });
}

#[test]
fn a_connect_while_another_thread_connects_fails_and_the_first_goes_on() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        let connection = unconnected();
        let raw = Raw::of(&connection);
        let cancellable = gio::Cancellable::new();
        let canceller = cancellable.clone();
        let (sleeper, call) = sleeping(move || raw.connect(address, Some(&cancellable)));
        sleeper.wait();
        assert_eq!(connection.state(), ConnectionState::Connecting);
        assert_fails(raw.connect(address, None), E::Failed);
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
        assert!(!call.is_finished());
        canceller.cancel();
        assert_fails(call.join().expect("no panic"), E::Cancelled);
        connection
            .set_socket(&ipv4_socket())
            .expect("nothing is pending");
    });
}

#[test]
fn the_socket_cannot_be_exchanged_while_another_thread_waits_on_it() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let before = connection.socket();
        let raw = Raw::of(&connection);
        let (sleeper, call) = sleeping(move || raw.read(&mut [0; 4], None));
        sleeper.wait();
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
        assert_eq!(connection.socket(), before);
        peer.write_all(b"free").expect("a working connection");
        assert_eq!(call.join().expect("no panic").expect("four bytes"), 4);
        fill(&connection);
        let (sleeper, call) = sleeping(move || raw.write(b"wait", None));
        sleeper.wait();
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
        drop(peer);
        assert!(
            call.join().expect("no panic").is_err(),
            "nobody is there any more"
        );
        connection
            .set_socket(&ipv4_socket())
            .expect("nothing is pending");
    });
}

// --- Closing from several threads ----------------------------------------------------------------

#[test]
fn closes_from_several_threads_at_once_close_once() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            let raw = Raw::of(&connection);
            let start = Arc::new(Barrier::new(4));
            let closers: Vec<_> = (0..4)
                .map(|_| {
                    let start = start.clone();
                    thread::spawn(move || {
                        start.wait();
                        raw.close()
                    })
                })
                .collect();
            let results: Vec<_> = closers
                .into_iter()
                .map(|closer| closer.join().expect("no panic"))
                .collect();
            assert!(results.iter().any(Result::is_ok), "{results:?}");
            for result in results {
                // IOS-13: one that finds another one at it says so.
                if let Err(failure) = result {
                    assert_eq!(code(&failure), E::Pending);
                }
            }
            assert!(read_to_end(&mut peer).is_empty());
            assert_eq!(connection.state(), ConnectionState::Closed);
            raw.close().expect("closed");
            assert!(raw.is_closed());
        }
        recycler.stop();
    });
}

// --- Streams and properties, asked for by several threads ----------------------------------------

#[test]
fn threads_that_ask_at_once_get_the_same_streams() {
    on_private_context(|_| {
        for round in 0..200 {
            let (connection, _peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            let raw = Raw::of(&connection);
            let start = Arc::new(Barrier::new(4));
            let askers: Vec<_> = (0..4)
                .map(|_| {
                    let start = start.clone();
                    thread::spawn(move || {
                        start.wait();
                        (raw.input() as usize, raw.output() as usize)
                    })
                })
                .collect();
            let mut streams: Vec<_> = askers
                .into_iter()
                .map(|asker| asker.join().expect("no panic"))
                .collect();
            streams.dedup();
            assert_eq!(streams.len(), 1);
            let (input, output) = (connection.input_stream(), connection.output_stream());
            assert_eq!(
                streams[0],
                (input.as_ptr() as usize, output.as_ptr() as usize)
            );
            let gone = [Gone::of(&connection), Gone::of(&input), Gone::of(&output)];
            drop((connection, input, output));
            assert!(gone.iter().all(Gone::is_gone), "the losers of the race too");
        }
    });
}

const PROPERTIES: [(&std::ffi::CStr, &str); 12] = [
    (c"socket", "socket"),
    (c"state", "state"),
    (c"alive", "alive"),
    (c"local-address", "local-address"),
    (c"remote-address", "remote-address"),
    (c"last-error", "last-error"),
    (c"bytes-read", "bytes-read"),
    (c"bytes-written", "bytes-written"),
    (c"closed", "closed"),
    (c"input-stream", "input-stream"),
    (c"output-stream", "output-stream"),
    (c"graceful-disconnect", "graceful-disconnect"),
];

#[test]
fn properties_are_read_on_other_threads_while_home_works() {
    at_length(|context| {
        let echo = echo_server();
        let connection = unconnected();
        let here = thread::current().id();
        let told = Rc::new(Cell::new(0_u32));
        let counted = told.clone();
        connection.connect_notify_local(None, move |_, _| {
            assert_eq!(thread::current().id(), here, "at home only");
            counted.set(counted.get() + 1);
        });
        let raw = Raw::of(&connection);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let types = PROPERTIES.map(|(name, text)| {
            let spec = connection.find_property(text).expect("a property");
            (name, spec.value_type())
        });
        let askers: Vec<_> = (0..3)
            .map(|_| {
                let (stop, asked) = (stop.clone(), asked.clone());
                thread::spawn(move || {
                    let mut most = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for (name, type_) in types {
                            let value = raw.property(name, type_);
                            if name == c"socket" {
                                assert!(
                                    value
                                        .get::<Option<gio::Socket>>()
                                        .expect("a socket")
                                        .is_some(),
                                    "never NULL"
                                );
                            }
                            if name == c"bytes-read" {
                                most = most.max(value.get::<u64>().expect("a number"));
                            }
                        }
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    most
                })
            })
            .collect();
        for round in 0..60 {
            if round > 0 {
                connection
                    .set_socket(&ipv4_socket())
                    .expect("nothing is pending");
            }
            let form = FORMS[round % FORMS.len()];
            connect_by(form, context, &connection, &gio_address(echo)).expect("it listens");
            for _ in 0..20 {
                assert_echoes(&connection);
                context.iteration(false);
            }
            assert_eq!(connection.bytes_read(), 80);
        }
        connection.close(gio::Cancellable::NONE).expect("open");
        let before = asked.load(Ordering::Relaxed);
        while asked.load(Ordering::Relaxed) < before + 10 {
            context.iteration(false);
        }
        stop.store(true, Ordering::Relaxed);
        for asker in askers {
            let most = asker.join().expect("no panic");
            assert!(most <= 80, "one connection's bytes, not the sum");
        }
        iterate_until(context, || !context.pending());
        assert!(told.get() > 0);
        let gone = Gone::of(&connection);
        drop(connection);
        assert_idle(context);
        assert!(gone.is_gone());
    });
}

#[test]
fn a_bare_connection_shows_its_socket_to_another_thread_under_a_waiting_reader() {
    on_private_context(|_| {
        for _ in 0..50 {
            let (connection, mut peer) = connected_bare();
            let raw = Raw::of(&connection);
            let (sleeper, call) = sleeping(move || {
                let mut buffer = [0; 4];
                raw.read(&mut buffer, None)
                    .map(|count| buffer[..count].to_vec())
            });
            sleeper.wait();
            let askers: Vec<_> = (0..3)
                .map(|_| {
                    thread::spawn(move || {
                        let value = raw.property(c"socket", gio::Socket::static_type());
                        let socket = value.get::<gio::Socket>().expect("a socket");
                        assert!(socket.is_connected());
                        (socket.as_ptr() as usize, socket.as_raw_fd())
                    })
                })
                .collect();
            let mut sockets: Vec<_> = askers
                .into_iter()
                .map(|asker| asker.join().expect("no panic"))
                .collect();
            sockets.dedup();
            assert_eq!(sockets.len(), 1, "one and the same");
            assert!(!call.is_finished(), "the reader was not disturbed");
            peer.write_all(b"here").expect("a working connection");
            assert_eq!(call.join().expect("no panic").expect("four bytes"), b"here");
            assert_eq!(connection.socket().as_ptr() as usize, sockets[0].0);
        }
    });
}

// --- The last reference, dropped elsewhere -------------------------------------------------------

/// Gives the last reference up on another thread, when this one sleeps.
fn drop_elsewhere(connection: SocketConnection, sleeper: Sleeper) -> JoinHandle<()> {
    struct Reference(*mut gio::ffi::GIOStream);
    // SAFETY: a counted reference, which C may give up on any thread.
    unsafe impl Send for Reference {}
    let reference = Reference(connection.upcast::<gio::IOStream>().into_glib_ptr());
    thread::spawn(move || {
        let reference = reference;
        sleeper.wait();
        // SAFETY: the reference that was moved here.
        unsafe { glib::gobject_ffi::g_object_unref(reference.0.cast()) };
    })
}

#[test]
fn the_last_reference_dropped_elsewhere_ends_what_is_pending_here() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for round in 0..20 {
                let (connection, mut peer) = make();
                let bare_kernel = KernelSocket::of(pollable_fd(&connection));
                let gone = Gone::of(&connection);
                if round % 2 == 0 {
                    fill(&connection);
                }
                let sent = connection.bytes_written();
                let reading = start_read(&connection, 4, None);
                let writing = (round % 2 == 0).then(|| start_write(&connection, vec![1], None));
                let dropper = drop_elsewhere(connection, Sleeper::here());
                sleep_until(context, || {
                    reading.has_ended() && writing.as_ref().is_none_or(|one| one.has_ended())
                });
                assert_fails(reading.outcome(), E::Closed);
                if let Some(writing) = &writing {
                    assert_fails(writing.outcome(), E::Closed);
                }
                dropper.join().expect("no panic");
                assert_idle(context);
                assert!(writing.is_none_or(|writing| writing.is_task_gone()));
                assert!(gone.is_gone() && reading.is_task_gone());
                assert!(!bare_kernel.is_open(), "closed, at home");
                assert_eq!(read_to_end(&mut peer).len() as u64, sent);
            }
        }
    });
}

/// The descriptor as `GFileDescriptorBased` tells it, which makes no `GSocket`.
fn pollable_fd(connection: &SocketConnection) -> std::os::fd::RawFd {
    unsafe extern "C" {
        fn g_file_descriptor_based_get_fd(based: *mut gio::ffi::GInputStream) -> libc::c_int;
    }
    // SAFETY: the stream of a socket has that interface.
    unsafe { g_file_descriptor_based_get_fd(connection.input_stream().to_glib_none().0) }
}

/// F-24: in GIO the read keeps the socket open until data comes.
#[test]
fn the_last_reference_dropped_elsewhere_ends_a_blocked_read() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            let (connection, mut peer) = make();
            let gone = Gone::of(&connection);
            let kernel = KernelSocket::of(pollable_fd(&connection));
            let stream = connection.input_stream();
            let stream_gone = Gone::of(&stream);
            struct Stream(*mut gio::ffi::GInputStream);
            // SAFETY: a counted reference, which C may use on any thread.
            unsafe impl Send for Stream {}
            let stream = Stream(stream.into_glib_ptr());
            let (sleeper, call) = sleeping(move || {
                let stream = stream;
                let mut buffer = [0_u8; 4];
                let mut failure = ptr::null_mut();
                // SAFETY: the reference that was moved here; the buffer is as long as said.
                let count = unsafe {
                    gio::ffi::g_input_stream_read(
                        stream.0,
                        buffer.as_mut_ptr().cast(),
                        buffer.len(),
                        ptr::null_mut(),
                        &raw mut failure,
                    )
                };
                let result = said(usize::try_from(count).unwrap_or(0), count < 0, failure);
                // SAFETY: the reference that was moved here.
                unsafe { glib::gobject_ffi::g_object_unref(stream.0.cast()) };
                result
            });
            let dropper = drop_elsewhere(connection, sleeper);
            assert_fails(call.join().expect("no panic"), E::Closed);
            dropper.join().expect("no panic");
            assert_idle(context);
            assert!(gone.is_gone() && stream_gone.is_gone());
            assert!(!kernel.is_open());
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

#[test]
fn the_last_reference_dropped_elsewhere_while_connecting_leaves_the_operation_to_end() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let echo = echo_server();
        for silent in [true, false] {
            let connection = unconnected();
            let cancellable = gio::Cancellable::new();
            let traces = Traces::of(&connection).and("cancellable", &cancellable);
            let address = if silent { deaf.address } else { echo };
            let connecting = start_connect(&connection, &gio_address(address), Some(&cancellable));
            let sleeper = Sleeper::here();
            // The operation's own references stay at home.
            let dropper = if silent {
                drop_elsewhere(connection, sleeper)
            } else {
                drop(connection);
                thread::spawn(|| {})
            };
            let canceller = silent.then(|| cancel_soon(&cancellable));
            sleep_until(context, || connecting.has_ended());
            if silent {
                assert_fails(connecting.outcome(), E::Cancelled);
            } else {
                assert!(connecting.outcome().is_ok());
            }
            dropper.join().expect("no panic");
            if let Some(canceller) = canceller {
                canceller.join().expect("no panic");
            }
            drop(cancellable);
            traces.assert_gone(context, &[&connecting]);
        }
    });
}

/// Made by a thread that is gone when the last reference is.
#[test]
fn a_connection_outlives_the_thread_that_made_it() {
    on_private_context(|_| {
        struct Reference(*mut gio::ffi::GIOStream);
        // SAFETY: a counted reference, which C may give up on any thread.
        unsafe impl Send for Reference {}
        for make in [connected, connected_bare] {
            let (reference, gone, kernel, mut peer) = thread::spawn(move || {
                let (connection, peer) = make();
                let gone = Gone::of(&connection);
                let kernel = KernelSocket::of(pollable_fd(&connection));
                let reference = Reference(connection.upcast::<gio::IOStream>().into_glib_ptr());
                (reference, gone, kernel, peer)
            })
            .join()
            .expect("no panic");
            let raw = Raw(reference.0);
            peer.write_all(b"here").expect("a working connection");
            let mut buffer = [0; 4];
            assert_eq!(raw.read(&mut buffer, None).expect("four bytes"), 4);
            assert_eq!(raw.write(b"back", None).expect("room"), 4);
            // SAFETY: the reference that came from that thread.
            unsafe { glib::gobject_ffi::g_object_unref(reference.0.cast()) };
            assert!(gone.is_gone());
            assert!(!kernel.is_open());
            assert_eq!(read_to_end(&mut peer), b"back");
        }
    });
}

// --- A nested loop in a callback, under load -----------------------------------------------------

struct Talk {
    connection: SocketConnection,
    peer: RefCell<TcpStream>,
    reads: Cell<u32>,
    busy: Cell<bool>,
}

struct Load {
    context: glib::MainContext,
    talks: Vec<Rc<Talk>>,
    depth: Cell<u32>,
    deepest: Cell<u32>,
    nested: Cell<u32>,
    done: Cell<u32>,
}

const CONNECTIONS: usize = 50;
const READS: u32 = 100;

/// Reads four bytes; every tenth callback runs a loop of its own.
fn read_on(load: &Rc<Load>, at: usize) {
    let talk = load.talks[at].clone();
    assert!(!talk.busy.replace(true), "one read at a time");
    let (load, stream) = (load.clone(), talk.connection.input_stream());
    let priority = glib::Priority::DEFAULT;
    stream.read_async(
        vec![0; 4],
        priority,
        gio::Cancellable::NONE,
        move |result| {
            let (buffer, count) = result.expect("a working connection");
            assert_eq!((&buffer[..], count), (&b"load"[..], 4));
            talk.busy.set(false);
            talk.reads.set(talk.reads.get() + 1);
            load.done.set(load.done.get() + 1);
            if load.done.get() % 10 == 0 && load.depth.get() < 5 {
                load.depth.set(load.depth.get() + 1);
                load.deepest.set(load.deepest.get().max(load.depth.get()));
                load.nested.set(load.nested.get() + 1);
                for _ in 0..10 {
                    load.context.iteration(false);
                }
                load.depth.set(load.depth.get() - 1);
            }
            if talk.reads.get() < READS {
                talk.peer
                    .borrow_mut()
                    .write_all(b"load")
                    .expect("a working connection");
                read_on(&load, at);
            }
        },
    );
}

#[test]
fn nested_loops_in_read_callbacks_lose_no_operation_under_load() {
    at_length(|context| {
        let talks = (0..CONNECTIONS)
            .map(|at| {
                let (connection, peer) = if at % 2 == 0 {
                    connected()
                } else {
                    connected_bare()
                };
                Rc::new(Talk {
                    connection,
                    peer: RefCell::new(peer),
                    reads: Cell::new(0),
                    busy: Cell::new(false),
                })
            })
            .collect();
        let load = Rc::new(Load {
            context: context.clone(),
            talks,
            depth: Cell::new(0),
            deepest: Cell::new(0),
            nested: Cell::new(0),
            done: Cell::new(0),
        });
        for (at, talk) in load.talks.iter().enumerate() {
            talk.peer
                .borrow_mut()
                .write_all(b"load")
                .expect("a working connection");
            read_on(&load, at);
        }
        let all = CONNECTIONS as u32 * READS;
        sleep_until(context, || load.done.get() == all);
        assert!(
            load.talks
                .iter()
                .all(|talk| talk.reads.get() == READS && !talk.busy.get())
        );
        let (deepest, nested) = (load.deepest.get(), load.nested.get());
        assert!(
            deepest > 1 && nested >= 10,
            "{nested} nested loops, {deepest} deep"
        );
        let gone: Vec<_> = load
            .talks
            .iter()
            .map(|talk| Gone::of(&talk.connection))
            .collect();
        assert_eq!(Rc::strong_count(&load), 1, "no callback is left over");
        drop(load);
        assert_idle(context);
        assert!(gone.iter().all(Gone::is_gone));
    });
}

/// The callback closes its own connection, or drops everything, from within a nested loop.
#[test]
fn a_nested_loop_may_close_the_connection_whose_callback_runs_it() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"load").expect("a working connection");
        let done = Rc::new(Cell::new(0));
        let (ended, nested) = (done.clone(), context.clone());
        let inner = connection.clone();
        let priority = glib::Priority::DEFAULT;
        let stream = connection.input_stream();
        stream.read_async(
            vec![0; 4],
            priority,
            gio::Cancellable::NONE,
            move |result| {
                result.expect("a working connection");
                let again = start_read(&inner, 4, None);
                let closing = start_close(&inner, None);
                iterate_until(&nested, || closing.has_ended() && again.has_ended());
                assert!(closing.outcome().is_ok());
                assert_fails(again.outcome(), E::Closed);
                assert!(inner.is_closed());
                ended.set(ended.get() + 1);
            },
        );
        iterate_until(context, || done.get() > 0);
        assert_eq!(done.get(), 1);
        assert!(read_to_end(&mut peer).is_empty());
        let gone = [Gone::of(&connection), Gone::of(&stream)];
        drop((connection, stream));
        assert_idle(context);
        assert!(gone.iter().all(Gone::is_gone));
    });
}

// --- A context that dies with futures pending ----------------------------------------------------

/// A future goes with the context that drives it, unless something in it keeps that context: a
/// GTask does (ASYNC-12, ASYNC-18), in GIO and here, and so does a connection whose home it is.
#[test]
fn futures_of_a_context_that_is_destroyed_are_freed() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        for steps in [0, 1, 5] {
            let worker = thread::spawn(move || {
                let home = glib::MainContext::new();
                let connection = home
                    .with_thread_default(unconnected)
                    .expect("a new context has no owner");
                let context = glib::MainContext::new();
                let left = context
                    .with_thread_default(|| {
                        let kernel = KernelSocket::of_connection(&connection);
                        let gone = [Gone::of(&connection), Gone::of(&connection.socket())];
                        let connecting = connection.connect_future(&gio_address(address));
                        context.spawn_local(async move {
                            let _ = connecting.await;
                            drop(connection);
                            panic!("nobody answers");
                        });
                        iterate(&context, steps);
                        (kernel, gone)
                    })
                    .expect("a new context has no owner");
                assert!(!left.1[0].is_gone(), "the future holds it");
                drop(context);
                left
            });
            let (kernel, gone) = worker.join().expect("no panic");
            assert!(gone.iter().all(Gone::is_gone), "{steps}");
            assert!(!kernel.is_open(), "{steps}");
        }
    });
}

/// The connection's home is the context that is destroyed.
#[test]
fn a_future_on_the_connections_home_is_freed_with_the_home() {
    on_private_context(|_| {
        let worker = thread::spawn(move || {
            let context = glib::MainContext::new();
            let left = context
                .with_thread_default(|| {
                    let (connection, peer) = connected();
                    let kernel = KernelSocket::of_connection(&connection);
                    let gone = Gone::of(&connection);
                    context.spawn_local(async move {
                        std::future::pending::<()>().await;
                        drop(connection);
                    });
                    iterate(&context, 2);
                    (kernel, gone, peer)
                })
                .expect("a new context has no owner");
            drop(context);
            left
        });
        let (kernel, gone, _peer) = worker.join().expect("no panic");
        assert!(gone.is_gone());
        assert!(!kernel.is_open());
    });
}
