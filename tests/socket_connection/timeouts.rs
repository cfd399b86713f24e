//! The socket's timeout, from none to the longest.

use std::{io::Write, thread, time::Duration, time::Instant};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

fn with_timeout(seconds: u32) -> SocketConnection {
    let connection = unconnected();
    connection.socket().set_timeout(seconds);
    connection
}

#[track_caller]
fn assert_timed_out(
    connection: &SocketConnection,
    begun: Instant,
    result: Result<(), glib::Error>,
) {
    assert_fails(result, IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= SECOND, "{:?}", begun.elapsed());
    assert!(!connection.is_connected());
    assert_eq!(connection.state(), ConnectionState::Unconnected);
    let failure = connection.last_error().expect("it failed");
    assert_eq!(code(&failure), IOErrorEnum::TimedOut);
}

/// SOCK-21.
#[test]
fn connect_times_out() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let connection = with_timeout(1);
        let begun = Instant::now();
        let result = connection.connect(&gio_address(deaf.address), Cancellable::NONE);
        assert_timed_out(&connection, begun, result);
    });
}

/// SC-15.
#[test]
fn connect_async_times_out() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let connection = with_timeout(1);
        let begun = Instant::now();
        let result = connect_async_and_wait(context, &connection, deaf.address, None);
        assert_timed_out(&connection, begun, result);
    });
}

#[test]
fn connect_future_times_out() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let connection = with_timeout(1);
        let begun = Instant::now();
        let result = block_on(
            context,
            connection.connect_future(&gio_address(deaf.address)),
        );
        assert_timed_out(&connection, begun, result);
    });
}

/// SOCK-35: C wraps in 32 bits, 4295 seconds become 33 ms. Zero is no timeout at all.
#[test]
fn bug_32_a_timeout_of_zero_or_of_more_than_32_bits_of_microseconds_is_not_cut_short() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let mut waiting = Vec::new();
        // 4 294 968 s are more than 32 bits of milliseconds too.
        for seconds in [0, 4295, 4_294_968, u32::MAX] {
            let connection = with_timeout(seconds);
            let cancellable = Cancellable::new();
            let outcome = start_connect(&connection, deaf.address, Some(&cancellable));

            let (reader, peer) = connected();
            reader.socket().set_timeout(seconds);
            let read = start_read(&reader, 8);
            waiting.push((
                seconds,
                connection,
                cancellable,
                outcome,
                reader,
                peer,
                read,
            ));
        }
        iterate_for(context, Duration::from_millis(300));
        for (seconds, connection, cancellable, outcome, reader, mut peer, read) in waiting {
            assert!(outcome.borrow().is_none(), "{seconds} s: still connecting");
            assert_eq!(connection.state(), ConnectionState::Connecting);
            cancellable.cancel();
            iterate_until(context, || outcome.borrow().is_some());
            assert_fails(outcome.take().expect("ended"), IOErrorEnum::Cancelled);

            assert!(read.borrow().is_none(), "{seconds} s: still reading");
            peer.write_all(b"at last").expect("connected");
            iterate_until(context, || read.borrow().is_some());
            assert_eq!(read.take().expect("ended").expect("a peer"), b"at last");
            assert!(reader.last_error().is_none());
        }
    });
}

#[test]
fn a_blocking_connect_is_not_cut_short_by_a_long_timeout() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        for seconds in [0, 4295, u32::MAX] {
            let connection = with_timeout(seconds);
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(150));
                canceller.cancel();
            });
            assert_fails(
                connection.connect(&gio_address(deaf.address), Some(&cancellable)),
                IOErrorEnum::Cancelled,
            );
            thread.join().expect("no panic");
        }
    });
}

/// The timeout is the socket's at the time of the call.
#[test]
fn a_timeout_set_later_counts_from_the_next_operation_on() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1);
        let begun = Instant::now();
        assert_fails(read(&connection, 1), IOErrorEnum::TimedOut);
        assert!(begun.elapsed() >= SECOND);
        // SOCK-33: it ends neither the connection nor the next operation.
        assert!(connection.is_alive());
        connection.socket().set_timeout(0);
        let outcome = start_read(&connection, 1);
        iterate_for(context, Duration::from_millis(100));
        assert!(outcome.borrow().is_none());
        close(&connection);
        iterate_until(context, || outcome.borrow().is_some());
    });
}
