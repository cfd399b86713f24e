//! `connect_future`: lazy, and cancelled by dropping it.

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn connect_future_connects() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        block_on(context, connection.connect_future(&gio_address(address))).expect("it listens");
        let _peer = listener.accept().expect("connected");
        assert!(connection.is_alive());
        assert!(!connection.socket().is_blocking());
    });
}

#[test]
fn connect_future_is_lazy() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let seen = states(&connection);
        let future = connection.connect_future(&gio_address(address));
        settle(context);
        assert_nobody_connected(&listener);
        assert!(connection.socket().is_blocking());
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        drop(future);
        assert!(seen.borrow().is_empty());
    });
}

#[test]
fn a_dropped_connect_future_leaves_nothing_in_flight() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let seen = states(&connection);
        let mut future = connection.connect_future(&gio_address(deaf.address));
        assert!(poll(&mut future).is_pending());
        assert_eq!(connection.state(), ConnectionState::Connecting);
        assert!(kernel_states(port).contains(&SYN_SENT));

        drop(future);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(!connection.is_connected());
        assert!(!kernel_states(port).contains(&SYN_SENT));
        assert!(
            connection.last_error().is_none(),
            "it was the caller's wish"
        );
        settle(context);
        assert_eq!(
            *seen.borrow(),
            [ConnectionState::Connecting, ConnectionState::Unconnected]
        );

        // The connection is as good as new.
        let (listener, address) = listener();
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        let _peer = listener.accept().expect("connected");
        assert!(connection.is_alive());
    });
}

#[test]
fn a_connect_future_that_was_spawned_is_cancelled_by_aborting_it() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let handle = context.spawn_local(connection.connect_future(&gio_address(deaf.address)));
        iterate_until(context, || {
            connection.state() == ConnectionState::Connecting
        });
        assert!(kernel_states(port).contains(&SYN_SENT));
        handle.abort();
        // glib keeps the future for as long as its handle.
        drop(handle);
        iterate_until(context, || {
            connection.state() == ConnectionState::Unconnected
        });
        assert!(!kernel_states(port).contains(&SYN_SENT));
        let gone = Gone::of(&connection);
        drop(connection);
        settle(context);
        assert!(gone.is_gone());
    });
}
