//! What many operations leave in the library's own lists: nothing. A leak detector sees none of that, since
//! the lists of an engine are in use for as long as its context is.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "an allocator that counts, and connections used from several threads, as C may"
)]

mod support;

#[path = "home/tools.rs"]
#[allow(
    dead_code,
    missing_debug_implementations,
    reason = "memory needs a part of it"
)]
mod tools;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::Future,
    io,
    net::TcpStream,
    pin::{Pin, pin},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicIsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use gio::prelude::*;
use gsock::{
    IoStreamAdapter, SocketConnection, TcpWrapperConnection, UnixConnection, engine, prelude::*,
};

use support::*;
use tools::elsewhere;

/// Counts the pieces of memory that Rust code holds; GLib asks for its own elsewhere.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's, and a number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How often each thing is done.
const TIMES: isize = 400;
/// The tests' own threads come and go, and lists grow in steps.
const SLACK: isize = TIMES / 4;

const LONG_LIMIT: Duration = Duration::from_secs(40);

/// The memory is the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `test` with `again`, which does something a few times to warm up, and then many times: that must
/// leave hardly more pieces of memory than there were.
fn bounded(test: impl FnOnce(&glib::MainContext, &dyn Fn(&mut dyn FnMut())) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    on_private_context_within(LONG_LIMIT, |context| {
        test(context, &|once| {
            let left = left_by(once);
            assert!(
                left < SLACK,
                "memory is left: {left} pieces after {TIMES} times"
            );
        });
    });
}

fn left_by(once: &mut dyn FnMut()) -> isize {
    (0..20).for_each(|_| once());
    let before = HELD.load(Ordering::Relaxed);
    (0..TIMES).for_each(|_| once());
    HELD.load(Ordering::Relaxed) - before
}

/// One that support does not keep a list of.
fn bare() -> (SocketConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let connection = SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
    (connection, peer)
}

fn run_out(context: &glib::MainContext) {
    while context.iteration(false) {}
}

#[test]
fn closed_connections_leave_no_memory() {
    bounded(|context, again| {
        again(&mut || {
            let (connection, peer) = bare();
            let reading = connection
                .input_stream()
                .read_future(vec![0; 4], glib::Priority::DEFAULT);
            let task = engine::spawn_local(context, async move {
                assert!(reading.await.is_err());
            });
            run_out(context);
            assert!(!task.is_finished());
            connection.close(gio::Cancellable::NONE).expect("open");
            run_out(context);
            assert!(task.is_finished());
            drop((connection, peer));
            run_out(context);
        });
    });
}

#[test]
fn connections_that_are_dropped_leave_no_memory() {
    bounded(|context, again| {
        again(&mut || {
            drop(bare());
            run_out(context);
        });
    });
}

/// Neither a place among those who wait nor a moment that they waited for.
#[test]
fn dropped_reads_leave_no_memory() {
    bounded(|context, again| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1_000);
        again(&mut || {
            let mut reading = connection
                .input_stream()
                .read_future(vec![0; 4], glib::Priority::DEFAULT);
            let mut cx = Context::from_waker(Waker::noop());
            assert!(reading.as_mut().poll(&mut cx).is_pending());
            run_out(context);
            drop(reading);
            run_out(context);
        });
    });
}

/// Likewise of those that poll a half, each in a task of its own.
#[test]
fn aborted_tasks_leave_no_memory() {
    bounded(|context, again| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1_000);
        again(&mut || {
            let (mut reader, writer) = connection.halves();
            let task = engine::spawn_local(context, async move {
                let _ = reader.read(&mut [0; 4]).await;
            });
            run_out(context);
            task.abort();
            assert!(task.is_finished());
            drop(writer);
            run_out(context);
        });
    });
}

#[test]
fn ended_tasks_leave_no_memory() {
    bounded(|context, again| {
        again(&mut || {
            let task = engine::spawn_local(context, async {});
            run_out(context);
            assert!(task.is_finished());
        });
    });
}

/// What is to be told in a context that does not run is told once, however often it changes.
#[test]
fn changes_of_home_pile_up_no_memory() {
    bounded(|context, again| {
        let (connection, _peer) = connected();
        let other = unconnected();
        let refused = refused_address();
        run_out(context);
        again(&mut || {
            elsewhere(&connection, |connection| {
                assert_eq!(connection.write(b"x"), 1);
            });
            elsewhere(&other, |other| assert!(!other.connect(refused)));
        });
    });
}

#[test]
fn contexts_that_are_gone_leave_no_memory() {
    bounded(|_, again| {
        again(&mut || {
            let context = glib::MainContext::new();
            let kept = context
                .with_thread_default(|| {
                    let (connection, peer) = bare();
                    let mut task = engine::spawn_local(&context, async {});
                    run_out(&context);
                    assert!(task.is_finished());
                    let (mut reader, _) = connection.halves();
                    // Not gio's future: the GTask behind it would keep the context.
                    task = engine::spawn_local(&context, async move {
                        let _ = reader.read(&mut [0; 4]).await;
                    });
                    run_out(&context);
                    assert!(!task.is_finished());
                    (connection, peer)
                })
                .expect("a new context has no owner");
            drop(context);
            drop(kept);
        });
    });
}

/// What an engine knew of a connection goes with it, and not only with the connection.
#[test]
fn contexts_that_a_connection_waited_in_and_are_gone_leave_no_memory() {
    bounded(|_, again| {
        let (connection, _peer) = bare();
        let (mut reader, _writer) = connection.halves();
        again(&mut || {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| {
                    let (mut cx, mut buffer) = (Context::from_waker(Waker::noop()), [0; 4]);
                    assert!(pin!(reader.read(&mut buffer)).poll(&mut cx).is_pending());
                    run_out(&context);
                })
                .expect("a new context has no owner");
        });
    });
}

/// Never has anything, and never takes anything.
struct Silent(Option<Waker>, Option<Waker>);

impl futures::AsyncRead for Silent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0 = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl futures::AsyncWrite for Silent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1 = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn cancelled_operations_of_an_adapter_leave_no_memory() {
    bounded(|context, again| {
        let stream = IoStreamAdapter::new(Silent(None, None));
        again(&mut || {
            let reading = stream
                .input_stream()
                .read_future(vec![0; 4], glib::Priority::DEFAULT);
            let writing = stream
                .output_stream()
                .write_future(vec![0; 4], glib::Priority::DEFAULT);
            let mut cx = Context::from_waker(Waker::noop());
            let mut both = futures::future::join(reading, writing);
            assert!(Pin::new(&mut both).poll(&mut cx).is_pending());
            run_out(context);
            drop(both);
            run_out(context);
        });
    });
}

/// Nobody tells a connection that is polled by itself whether a task that has polled it is still there.
#[test]
fn aborted_tasks_on_a_wrapper_leave_a_waker_each_and_no_source() {
    bounded(|context, _| {
        let (base, _peer) = connected();
        let wrapper = TcpWrapperConnection::new(&base, &base.socket()).expect("TCP");
        let left = left_by(&mut || {
            let mut its = wrapper.clone();
            let task = engine::spawn_local(context, async move {
                let _ = futures::AsyncReadExt::read(&mut its, &mut [0; 4]).await;
            });
            run_out(context);
            task.abort();
            assert!(task.is_finished());
        });
        assert!(left < TIMES + SLACK, "memory is left: {left} pieces");
    });
}

#[test]
fn descriptors_that_are_not_waited_for_any_more_leave_no_memory() {
    bounded(|context, again| {
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let connection: UnixConnection =
            SocketConnection::factory_create_connection_from_fd(one.into())
                .expect("a socket")
                .downcast()
                .expect("a Unix socket");
        again(&mut || {
            let mut receiving = connection.receive_fd_future();
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut receiving).poll(&mut cx).is_pending());
            run_out(context);
            drop(receiving);
            run_out(context);
        });
    });
}

#[test]
fn connections_that_go_there_and_back_leave_no_memory() {
    bounded(|context, again| {
        let (connection, _peer) = connected();
        again(&mut || {
            let theirs = connection.to_gio();
            assert!(theirs.input_stream().is::<gio::PollableInputStream>());
            assert_eq!(SocketConnection::from_gio(&theirs), connection);
            drop(theirs);
            run_out(context);
        });
    });
}

/// Where each connection of a peer's could have a handler panic, each panic would cost memory.
#[test]
fn handlers_that_panic_leave_no_memory() {
    bounded(|context, again| {
        again(&mut || {
            let (connection, peer) = bare();
            connection.connect_state_notify(|_| {
                std::panic::resume_unwind(Box::new("on purpose".to_owned()));
            });
            let (closed, lines) = logged(|| {
                let closed = connection.close(gio::Cancellable::NONE);
                run_out(context);
                closed
            });
            closed.expect("open");
            assert_eq!(lines, ["Gsock: a handler of state panicked"]);
            drop((connection, peer));
            run_out(context);
        });
    });
}
