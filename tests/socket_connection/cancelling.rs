//! A connect that is cancelled before, while and after it runs.

use std::thread;

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

/// SC-14 as of GLib 2.86: nothing is tried, whatever the mode of the socket.
#[test]
fn bug_28_a_connect_cancelled_before_it_begins_tries_nothing() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let cancellable = Cancellable::new();
        cancellable.cancel();
        for blocking in [true, false] {
            let connection = unconnected();
            connection.socket().set_blocking(blocking);
            let seen = states(&connection);
            assert_fails(
                connection.connect(&gio_address(address), Some(&cancellable)),
                IOErrorEnum::Cancelled,
            );
            let outcome = start_connect(&connection, address, Some(&cancellable));
            assert!(outcome.borrow().is_none(), "not before it returns");
            iterate_until(context, || outcome.borrow().is_some());
            assert_fails(outcome.take().expect("ended"), IOErrorEnum::Cancelled);
            assert!(!connection.is_connected());
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            assert!(seen.borrow().is_empty());
            assert_nobody_connected(&listener);
            assert!(
                connection.last_error().is_none(),
                "it was the caller's wish"
            );
        }
    });
}

/// SC-13 is what C does: it reports the socket as connected.
#[test]
fn a_connect_async_cancelled_on_the_way_leaves_nothing_in_flight() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let cancellable = Cancellable::new();
        let outcome = start_connect(&connection, deaf.address, Some(&cancellable));
        settle(context);
        assert!(outcome.borrow().is_none());
        assert!(kernel_states(port).contains(&SYN_SENT));
        cancellable.cancel();
        assert!(outcome.borrow().is_none(), "no callback within cancel()");
        iterate_until(context, || outcome.borrow().is_some());
        assert_fails(outcome.take().expect("ended"), IOErrorEnum::Cancelled);
        assert!(!connection.is_connected());
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(!kernel_states(port).contains(&SYN_SENT));
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
        assert!(
            connection.last_error().is_none(),
            "it was the caller's wish"
        );
    });
}

#[test]
fn a_blocking_connect_is_cancelled_from_another_thread() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let cancellable = Cancellable::new();
        let canceller = cancellable.clone();
        let thread = thread::spawn(move || {
            while !kernel_states(port).contains(&SYN_SENT) {
                thread::yield_now();
            }
            canceller.cancel();
        });
        assert_fails(
            connection.connect(&gio_address(deaf.address), Some(&cancellable)),
            IOErrorEnum::Cancelled,
        );
        thread.join().expect("no panic");
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(!kernel_states(port).contains(&SYN_SENT));
        assert!(
            connection.last_error().is_none(),
            "it was the caller's wish"
        );
    });
}

/// F-8: C throws the success away.
#[test]
fn a_connect_that_has_ended_keeps_its_result_when_cancelled_afterwards() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let cancellable = Cancellable::new();
        let outcome = Outcome::default();
        let slot = outcome.clone();
        let cancel = cancellable.clone();
        connection.connect_async(
            &gio_address(address),
            Some(&cancellable),
            move |connection, result| {
                cancel.cancel();
                *slot.borrow_mut() = Some(connection.connect_finish(result));
            },
        );
        iterate_until(context, || outcome.borrow().is_some());
        outcome.take().expect("ended").expect("it was connected");
        assert!(connection.is_alive());
        let _peer = listener.accept().expect("connected");
    });
}
