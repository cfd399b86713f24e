//! Waiting: what ends it, and that it takes nothing with it.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{UnixConnection, prelude::*};

use crate::{support::*, tools::*, unix_tools::*};

type Answer = Slot<Result<(), glib::Error>>;
type Running = Pin<Box<dyn Future<Output = Result<(), glib::Error>>>>;

/// Each operation that receives, for those that wait, in a form that is started.
struct Receiving {
    start: fn(&UnixConnection, Option<&gio::Cancellable>) -> Answer,
    block: fn(&UnixConnection, Option<&gio::Cancellable>) -> Result<(), glib::Error>,
    future: fn(&UnixConnection) -> Running,
    send: fn(&UnixConnection, &Parcel),
}

macro_rules! receiving {
    ($block:ident, $start:ident, $finish:ident, $future:ident($($max:expr)?), $send:expr) => {
        Receiving {
            start: |connection, cancellable| {
                let slot = Slot::new();
                let put = slot.put();
                connection.$start($($max,)? cancellable, move |connection, result| {
                    put(connection.$finish(result).map(drop));
                });
                slot
            },
            block: |connection, cancellable| connection.$block($($max,)? cancellable).map(drop),
            future: |connection| {
                let future = connection.$future($($max)?);
                Box::pin(async move { future.await.map(drop) })
            },
            send: $send,
        }
    };
}

const NOBODY: Option<&gio::Cancellable> = gio::Cancellable::NONE;

fn all() -> [Receiving; 3] {
    [
        receiving!(
            receive_fd,
            receive_fd_async,
            receive_fd_finish,
            receive_fd_future(),
            |peer, parcel| peer.send_fd(parcel.fd(), NOBODY).expect("room")
        ),
        receiving!(
            receive_fds,
            receive_fds_async,
            receive_fds_finish,
            receive_fds_future(2),
            |peer, parcel| peer.send_fds(&[parcel.fd(); 2], NOBODY).expect("room")
        ),
        receiving!(
            receive_credentials,
            receive_credentials_async,
            receive_credentials_finish,
            receive_credentials_future(),
            |peer, _| peer.send_credentials(NOBODY).expect("room")
        ),
    ]
}

#[test]
fn whoever_waits_is_woken_by_what_comes() {
    on_private_context(|context| {
        for op in all() {
            let (one, other) = unix_pair();
            let parcel = Parcel::new();
            let started = (op.start)(&one, None);
            settle(context, Duration::from_millis(10));
            assert!(!started.is_set());
            (op.send)(&other, &parcel);
            started.wait(context).expect("sent");

            let future = (op.future)(&one);
            (op.send)(&other, &parcel);
            block_on(context, future).expect("sent");

            let block = op.block;
            let blocked = on_thread(&one, move |one| block(one, None));
            a_moment();
            assert!(!blocked.is_finished());
            (op.send)(&other, &parcel);
            blocked.join().expect("no panic").expect("sent");
        }
    });
}

#[test]
fn a_cancelled_wait_ends_and_leaves_what_comes_afterwards() {
    on_private_context(|context| {
        for op in all() {
            let (one, other) = unix_pair();
            let parcel = Parcel::new();
            let cancellable = gio::Cancellable::new();
            let started = (op.start)(&one, Some(&cancellable));
            settle(context, Duration::from_millis(10));
            cancellable.cancel();
            assert_fails(started.wait(context), E::Cancelled);

            let cancellable = gio::Cancellable::new();
            let (block, for_thread) = (op.block, cancellable.clone());
            let blocked = on_thread(&one, move |one| block(one, Some(&for_thread)));
            a_moment();
            cancellable.cancel();
            assert_fails(blocked.join().expect("no panic"), E::Cancelled);

            (op.send)(&other, &parcel);
            (op.block)(&one, None).expect("still there");
        }
    });
}

/// Cancelled before its dispatch it has done nothing.
#[test]
fn what_is_cancelled_before_has_neither_sent_nor_received() {
    on_private_context(|context| {
        for op in all() {
            let (one, other) = unix_pair();
            let parcel = Parcel::new();
            (op.send)(&other, &parcel);
            let cancelled = gio::Cancellable::new();
            let started = (op.start)(&one, Some(&cancelled));
            cancelled.cancel();
            assert_fails(started.wait(context), E::Cancelled);
            assert_fails((op.block)(&one, Some(&cancelled)), E::Cancelled);
            assert_eq!(one.bytes_read(), 0);
            (op.block)(&one, None).expect("still there");

            let mut lost = Parcel::new();
            let sent = Slot::new();
            let put = sent.put();
            one.send_fd_async(lost.fd(), Some(&cancelled), move |one, result| {
                put(one.send_fd_finish(result));
            });
            assert_fails(sent.wait(context), E::Cancelled);
            assert_fails(one.send_fd(lost.fd(), Some(&cancelled)), E::Cancelled);
            assert_eq!(one.bytes_written(), 0);
            assert!(lost.is_closed_everywhere());
        }
    });
}

#[test]
fn a_close_ends_whoever_waits_in_any_form() {
    on_private_context(|context| {
        for op in all() {
            let (one, _other) = unix_pair();
            let started = (op.start)(&one, None);
            let block = op.block;
            let blocked = on_thread(&one, move |one| block(one, None));
            let future = Slot::new();
            let (running, put) = ((op.future)(&one), future.put());
            context.spawn_local(async move { put(running.await) });
            settle(context, Duration::from_millis(20));
            a_moment();
            one.close(NOBODY).expect("nothing to wait for");
            assert_fails(started.wait(context), E::Closed);
            assert_fails(future.wait(context), E::Closed);
            assert_fails(blocked.join().expect("no panic"), E::Closed);
        }
    });
}

#[test]
fn the_sockets_timeout_ends_a_wait() {
    on_private_context(|context| {
        for op in all() {
            let (one, other) = unix_pair();
            let parcel = Parcel::new();
            one.socket().set_timeout(1);
            let begun = Instant::now();
            let started = (op.start)(&one, None);
            let block = op.block;
            let blocked = on_thread(&one, move |one| block(one, None));
            assert_fails(started.wait(context), E::TimedOut);
            assert_fails(blocked.join().expect("no panic"), E::TimedOut);
            assert!(begun.elapsed() >= Duration::from_secs(1));
            (op.send)(&other, &parcel);
            (op.block)(&one, None).expect("a new time");
        }
    });
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Dropped after each of its polls, it has taken nothing: neither the descriptor nor the byte.
#[test]
fn a_future_that_is_dropped_after_any_poll_has_taken_nothing() {
    on_private_context(|context| {
        for op in all() {
            for polls in 0..4 {
                let (one, other) = unix_pair();
                let mut parcel = Parcel::new();
                let mut future = (op.future)(&one);
                let waker = Waker::from(Arc::new(Woken::default()));
                for poll in 0..polls {
                    assert!(
                        future
                            .as_mut()
                            .poll(&mut Context::from_waker(&waker))
                            .is_pending()
                    );
                    if poll == 1 {
                        settle(context, Duration::from_millis(5));
                    }
                }
                (op.send)(&other, &parcel);
                // The engine knows, and the future was not asked.
                settle(context, Duration::from_millis(5));
                drop(future);
                assert_eq!(one.bytes_read(), 0);
                let mut again = (op.future)(&one);
                let Poll::Ready(taken) = again.as_mut().poll(&mut Context::from_waker(&waker))
                else {
                    panic!("it is there");
                };
                taken.expect("still there");
                assert_eq!(one.bytes_read(), 1);
                assert!(parcel.is_closed_everywhere());
            }
        }
    });
}

#[test]
fn a_future_that_sends_and_is_dropped_before_its_end_has_sent_nothing() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let mut parcel = Parcel::new();
        drop(one.send_fd_future(parcel.fd()));
        let sent = fill_up(&one);
        let mut future = one.send_fds_future(&[parcel.fd(); 2]);
        let waker = Waker::from(Arc::new(Woken::default()));
        for _ in 0..2 {
            assert!(
                future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            settle(context, Duration::from_millis(5));
        }
        drop(future);
        assert_eq!(one.bytes_written(), sent);
        for _ in 0..sent {
            other.receive_credentials(NOBODY).expect("sent");
        }
        one.send_credentials(NOBODY).expect("room");
        other
            .receive_credentials(NOBODY)
            .expect("and nothing in front of it");
        assert!(parcel.is_closed_everywhere());
    });
}

/// Sends until there is no room. How much that was.
fn fill_up(connection: &UnixConnection) -> u64 {
    let before = connection.bytes_written();
    loop {
        let waker = Waker::noop();
        let mut sending = connection.send_credentials_future();
        match sending.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(sent) => sent.expect("open"),
            Poll::Pending => return connection.bytes_written() - before,
        }
    }
}

/// UNIX-2, UNIX-4, F-1: GIO answers `WOULD_BLOCK` where the socket is not in blocking mode.
#[test]
fn sending_waits_for_room_whatever_the_blocking_flag() {
    on_private_context(|context| {
        for (form, blocking) in FORMS.into_iter().flat_map(|it| [(it, false), (it, true)]) {
            let (one, other) = unix_pair();
            one.socket().set_blocking(blocking);
            let mut waiting = fill_up(&one);
            let parcel = Parcel::new();
            let reader = on_thread(&other, move |other| {
                a_moment();
                while waiting > 0 {
                    other.receive_credentials(NOBODY).expect("sent");
                    waiting -= 1;
                }
                other.receive_fd(NOBODY).expect("sent");
            });
            send_fd(form, context, &one, parcel.fd()).expect("room, in the end");
            reader.join().expect("no panic");
        }
    });
}

#[test]
fn a_wait_for_room_is_cancelled_times_out_and_ends_with_a_close() {
    on_private_context(|context| {
        let (one, _other) = unix_pair();
        fill_up(&one);
        let mut parcel = Parcel::new();
        let cancellable = gio::Cancellable::new();
        let start = |cancellable: Option<&gio::Cancellable>| {
            let slot = Slot::new();
            let put = slot.put();
            one.send_fd_async(parcel.fd(), cancellable, move |one, result| {
                put(one.send_fd_finish(result));
            });
            slot
        };
        let started = start(Some(&cancellable));
        settle(context, Duration::from_millis(10));
        assert!(!started.is_set());
        cancellable.cancel();
        assert_fails(started.wait(context), E::Cancelled);

        one.socket().set_timeout(1);
        assert_fails(start(None).wait(context), E::TimedOut);
        assert_fails(one.send_fd(parcel.fd(), NOBODY), E::TimedOut);
        one.socket().set_timeout(0);

        let started = start(None);
        settle(context, Duration::from_millis(10));
        one.close(NOBODY).expect("nothing to wait for");
        assert_fails(started.wait(context), E::Closed);
        assert!(parcel.is_closed_everywhere());
    });
}

/// UNIX-2: they take no notice of what waits on the streams, and mark nothing pending.
#[test]
fn a_pending_stream_keeps_nothing_from_being_received() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let parcel = Parcel::new();
        let input = one.input_stream();
        input.set_pending().expect("nothing is");
        other.send_fd(parcel.fd(), NOBODY).expect("room");
        let started = (all()[0].start)(&one, None);
        assert!(!one.has_pending());
        started.wait(context).expect("sent");
        input.clear_pending();
    });
}

/// Each gets a message of its own.
#[test]
fn of_many_that_wait_each_gets_one() {
    const MANY: usize = 24;
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let parcel = Parcel::new();
        let receiver = &all()[0];
        let started: Vec<Answer> = (0..MANY / 2)
            .map(|_| (receiver.start)(&one, None))
            .collect();
        let block = receiver.block;
        let threads: Vec<_> = (0..MANY / 2)
            .map(|_| on_thread(&one, move |one| block(one, None)))
            .collect();
        settle(context, Duration::from_millis(10));
        for _ in 0..MANY {
            other.send_fd(parcel.fd(), NOBODY).expect("room");
        }
        for slot in started {
            slot.wait(context).expect("one for each");
        }
        for thread in threads {
            thread.join().expect("no panic").expect("one for each");
        }
        assert_eq!(one.bytes_read(), MANY as u64);
    });
}

/// Started by a thread that has no loop of its own.
#[test]
fn a_blocking_form_needs_no_context() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        let parcel = Parcel::new();
        other.send_fd(parcel.fd(), NOBODY).expect("room");
        let received = on_thread(&one, |one| one.receive_fd(NOBODY));
        let received = received.join().expect("no panic").expect("sent");
        assert!(parcel.is(&received));
        thread::yield_now();
    });
}
