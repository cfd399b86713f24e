//! What ends a graceful close early, and what it does where there is nobody to wait for.

use std::{
    io::Write,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;
use gsock::{ConnectionState, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// What a peer may do that never closes.
#[derive(Clone, Copy)]
enum Stubborn {
    Silent,
    /// One byte now and then: each wait is short (TCP-6), their sum must not be without limit.
    Trickling,
    /// As much as fits, without end: no wait at all.
    Flooding,
}

/// Ends when the connection is cut off.
fn stubborn_peer(mut peer: TcpStream, manner: Stubborn) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        match manner {
            Stubborn::Silent => {
                // The end of the file is our shutdown; from then on it only holds on.
                assert!(read_to_end(&mut peer).is_empty());
                thread::sleep(Duration::from_millis(1200));
            }
            Stubborn::Trickling => {
                while peer.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Stubborn::Flooding => while peer.write_all(&[0; 1 << 16]).is_ok() {},
        }
        assert_cut_off(&mut peer);
    })
}

const MANNERS: [Stubborn; 3] = [Stubborn::Silent, Stubborn::Trickling, Stubborn::Flooding];

fn with_timeout(pair: (TcpConnection, TcpStream)) -> (TcpConnection, TcpStream) {
    pair.0.socket().set_timeout(1);
    pair
}

/// F-12: the socket's timeout is the limit of the whole of it.
#[test]
fn no_peer_holds_a_blocking_graceful_close_beyond_the_timeout() {
    on_private_context(|_| {
        for manner in MANNERS {
            for pair in graceful_of_both_kinds().into_iter().take(2) {
                let (connection, peer) = with_timeout(pair);
                let peer = stubborn_peer(peer, manner);
                let begun = Instant::now();
                let closed = connection.close(gio::Cancellable::NONE);
                assert_fails(closed, gio::IOErrorEnum::TimedOut);
                assert!(
                    begun.elapsed() >= Duration::from_secs(1),
                    "it gave up early"
                );
                assert_closed(&connection);
                peer.join().expect("cut off");
            }
        }
    });
}

/// F-12, TCP-10.
#[test]
fn no_peer_holds_an_asynchronous_graceful_close_beyond_the_timeout() {
    on_private_context(|context| {
        for manner in MANNERS {
            let running = graceful_of_both_kinds().map(|pair| {
                let (connection, peer) = with_timeout(pair);
                let peer = stubborn_peer(peer, manner);
                // Before it begins: what is slow between the two is not the limit's.
                let begun = Instant::now();
                (begin_close(&connection, None), connection, peer, begun)
            });
            for (outcome, connection, peer, begun) in running {
                assert_fails(end_close(context, &outcome), gio::IOErrorEnum::TimedOut);
                assert!(
                    begun.elapsed() >= Duration::from_millis(990),
                    "it gave up early"
                );
                assert_closed(&connection);
                peer.join().expect("cut off");
            }
        }
    });
}

/// TCP-6.
#[test]
fn cancelling_a_blocking_graceful_close_closes_at_once() {
    on_private_context(|_| {
        for (connection, mut peer) in graceful_of_both_kinds() {
            let cancellable = gio::Cancellable::new();
            let canceller = cancellable.clone();
            let peer = thread::spawn(move || {
                // Our shutdown has arrived: the close is waiting, or about to.
                assert!(read_to_end(&mut peer).is_empty());
                thread::sleep(Duration::from_millis(20));
                canceller.cancel();
                assert_cut_off(&mut peer);
            });
            assert_fails(
                connection.close(Some(&cancellable)),
                gio::IOErrorEnum::Cancelled,
            );
            assert_closed(&connection);
            peer.join().expect("cut off");
        }
    });
}

/// TCP-10.
#[test]
fn cancelling_an_asynchronous_graceful_close_closes_at_once() {
    on_private_context(|context| {
        for (connection, mut peer) in graceful_of_both_kinds() {
            let cancellable = gio::Cancellable::new();
            let outcome = begin_close(&connection, Some(&cancellable));
            assert!(read_to_end(&mut peer).is_empty());
            iterate_for(context, Duration::from_millis(20));
            assert!(outcome.borrow().is_none());
            assert!(!connection.is_closed());
            cancellable.cancel();
            assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
            assert_closed(&connection);
            assert_cut_off(&mut peer);
        }
    });
}

#[test]
fn a_dropped_close_future_closes_at_once() {
    on_private_context(|context| {
        let (connection, mut peer) = graceful(connected());
        let closing = context.spawn_local(connection.close_future(glib::Priority::DEFAULT));
        iterate_for(context, Duration::from_millis(20));
        assert!(!connection.is_closed());
        closing.abort();
        // The handle keeps the future, too.
        drop(closing);
        iterate_until(context, || connection.is_closed());
        assert_closed(&connection);
        assert_cut_off(&mut peer);
    });
}

/// TCP-7.
#[test]
fn a_blocking_close_cancelled_beforehand_is_a_plain_one() {
    on_private_context(|_| {
        for (connection, mut peer) in graceful_of_both_kinds() {
            let cancellable = gio::Cancellable::new();
            cancellable.cancel();
            connection
                .close(Some(&cancellable))
                .expect("as without the flag");
            assert_closed(&connection);
            assert_cut_off(&mut peer);
        }
    });
}

/// TCP-7; the error is that of GIO's own task around ours (IOS-19).
#[test]
fn an_asynchronous_close_cancelled_beforehand_closes_without_waiting() {
    on_private_context(|context| {
        for (connection, mut peer) in graceful_of_both_kinds() {
            let cancellable = gio::Cancellable::new();
            cancellable.cancel();
            let outcome = begin_close(&connection, Some(&cancellable));
            // SC-25: not in some later iteration.
            assert_cut_off(&mut peer);
            assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
            assert_closed(&connection);
        }
    });
}

// --- When there is nobody to wait for -------------------------------------------------------------

/// F-12, TCP-8, TCP-11: an error, as in C, but the socket is closed in either form.
#[test]
fn a_graceful_close_of_what_was_never_connected_fails_and_closes() {
    on_private_context(|context| {
        let make = || {
            let connection: TcpConnection = unconnected().downcast().expect("TCP");
            connection.set_graceful_disconnect(true);
            let socket = connection.socket();
            (connection, socket)
        };
        let (connection, socket) = make();
        assert_fails(
            connection.close(gio::Cancellable::NONE),
            gio::IOErrorEnum::NotConnected,
        );
        assert_closed(&connection);
        assert!(socket.is_closed());

        let (connection, socket) = make();
        let closed = end_close(context, &begin_close(&connection, None));
        assert_fails(closed, gio::IOErrorEnum::NotConnected);
        assert_closed(&connection);
        assert!(socket.is_closed());
    });
}

/// TCP-11, F-12.
#[test]
fn a_graceful_close_after_a_reset_fails_and_closes() {
    on_private_context(|context| {
        for blocking in [true, false] {
            for (connection, peer) in graceful_of_both_kinds() {
                let socket = connection.socket();
                reset(peer);
                iterate_until(context, || {
                    connection.state() == ConnectionState::Disconnected
                });
                let closed = if blocking {
                    connection.close(gio::Cancellable::NONE)
                } else {
                    end_close(context, &begin_close(&connection, None))
                };
                assert_fails(closed, gio::IOErrorEnum::NotConnected);
                assert_closed(&connection);
                assert!(socket.is_closed());
            }
        }
    });
}

#[test]
fn a_reset_during_a_graceful_close_ends_it_and_closes() {
    on_private_context(|context| {
        for blocking in [true, false] {
            for (connection, peer) in graceful_of_both_kinds() {
                let (peer, _) = reading_peer(peer, reset);
                let closed = if blocking {
                    connection.close(gio::Cancellable::NONE)
                } else {
                    end_close(context, &begin_close(&connection, None))
                };
                // CONNECTION_CLOSED has the same number.
                assert_fails(closed, gio::IOErrorEnum::BrokenPipe);
                assert_closed(&connection);
                peer.join().expect("no panic");
            }
        }
    });
}

#[test]
fn a_graceful_close_after_the_peers_own_end_is_done_at_once() {
    on_private_context(|context| {
        for blocking in [true, false] {
            for (connection, mut peer) in graceful_of_both_kinds() {
                peer.write_all(b"unread").expect("buffered");
                drop(peer);
                iterate_until(context, || {
                    connection.state() == ConnectionState::Disconnected
                });
                let closed = if blocking {
                    connection.close(gio::Cancellable::NONE)
                } else {
                    end_close(context, &begin_close(&connection, None))
                };
                closed.expect("it has closed already");
                assert_closed(&connection);
            }
        }
    });
}
