//! `state`, `alive` and `last-error`, from the first connect to the close.

use std::{cell::Cell, io::Write, rc::Rc};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn the_state_goes_from_unconnected_to_closed_and_every_step_is_notified() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        let told = states(&connection);
        let seen = notifications(&connection);
        connect_async_and_wait(context, &connection, address, None).expect("it listens");
        assert_eq!(
            *told.borrow(),
            [ConnectionState::Connecting, ConnectionState::Connected]
        );
        assert_eq!(times(&seen, "alive"), 1);
        assert_eq!(times(&seen, "local-address"), 1);
        assert_eq!(times(&seen, "remote-address"), 1);
        assert_eq!(times(&seen, "last-error"), 0);
        assert!(connection.is_alive());

        let (peer, _) = listener.accept().expect("connected");
        drop(peer);
        iterate_until(context, || told.borrow().len() == 3);
        assert!(!connection.is_alive());
        assert_eq!(times(&seen, "alive"), 2);
        close(&connection);
        settle(context);
        assert_eq!(
            *told.borrow(),
            [
                ConnectionState::Connecting,
                ConnectionState::Connected,
                ConnectionState::Disconnected,
                ConnectionState::Closed
            ]
        );
        assert_eq!(times(&seen, "alive"), 2);
        assert_eq!(times(&seen, "state"), 4);
    });
}

/// In a handler everything that a connect brings is there.
#[test]
fn when_connected_is_notified_the_addresses_are_known() {
    on_private_context(|_| {
        let (_listener, address) = listener();
        let connection = unconnected();
        let checked = Rc::new(Cell::new(0));
        let check = checked.clone();
        connection.connect_state_notify(move |connection| {
            if connection.state() == ConnectionState::Connected {
                assert_address(connection.remote_address(), address);
                assert!(connection.is_alive());
                assert!(connection.is_connected());
                check.set(check.get() + 1);
            }
        });
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        assert_eq!(checked.get(), 1);
    });
}

#[test]
fn a_refused_connect_goes_back_to_unconnected_and_leaves_its_error() {
    on_private_context(|context| {
        let connection = unconnected();
        let told = states(&connection);
        let seen = notifications(&connection);
        let result = connect_async_and_wait(context, &connection, refused_address(), None);
        let failure = result.expect_err("nobody listens");
        assert_eq!(
            *told.borrow(),
            [ConnectionState::Connecting, ConnectionState::Unconnected]
        );
        let last = connection.last_error().expect("it failed");
        assert_eq!(code(&last), IOErrorEnum::ConnectionRefused);
        assert_eq!(last.to_string(), failure.to_string());
        assert_eq!(times(&seen, "last-error"), 1);
        assert_eq!(times(&seen, "alive"), 0);

        // Until it is connected again.
        let (_listener, address) = listener();
        connect_async_and_wait(context, &connection, address, None).expect("it listens");
        assert!(connection.last_error().is_none());
        assert_eq!(times(&seen, "last-error"), 2);
    });
}

#[test]
fn a_fin_without_a_read_pending_disconnects_and_loses_no_data() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let told = states(&connection);
        let seen = notifications(&connection);
        peer.write_all(b"last words").expect("connected");
        drop(peer);
        iterate_until(context, || !told.borrow().is_empty());
        settle(context);
        assert_eq!(*told.borrow(), [ConnectionState::Disconnected]);
        assert_eq!(times(&seen, "alive"), 1);
        assert!(connection.last_error().is_none(), "it was an orderly end");
        assert!(!connection.is_closed());

        // A hint, not a permission.
        assert_eq!(read(&connection, 64).expect("what was sent"), b"last words");
        assert_eq!(read(&connection, 64).expect("an end of file"), b"");
        assert_eq!(write(&connection, b"x").expect("half open"), 1);
        close(&connection);
        settle(context);
        assert_eq!(
            *told.borrow(),
            [ConnectionState::Disconnected, ConnectionState::Closed]
        );
    });
}

/// A half-closed peer still listens.
#[test]
fn after_the_peers_half_close_writing_goes_on() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.shutdown(std::net::Shutdown::Write).expect("connected");
        iterate_until(context, || {
            connection.state() == ConnectionState::Disconnected
        });
        for _ in 0..3 {
            write(&connection, b"more").expect("half open");
        }
        close(&connection);
        assert_eq!(read_to_end(&mut peer), b"moremoremore");
    });
}

/// SOCK-15, with what arrived before the reset.
#[test]
fn a_reset_without_a_read_pending_disconnects_and_loses_neither_data_nor_error() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let told = states(&connection);
        peer.write_all(b"last words").expect("connected");
        reset(peer);
        iterate_until(context, || !told.borrow().is_empty());
        settle(context);
        assert_eq!(*told.borrow(), [ConnectionState::Disconnected]);
        let last = connection.last_error().expect("a reset is an error");
        assert_eq!(code(&last), IOErrorEnum::BrokenPipe);

        assert_eq!(read(&connection, 64).expect("what was sent"), b"last words");
        // CONNECTION_CLOSED, once.
        assert_fails(read(&connection, 64), IOErrorEnum::BrokenPipe);
        for _ in 0..3 {
            assert_eq!(read(&connection, 64).expect("an end of file"), b"");
        }
        assert_eq!(*told.borrow(), [ConnectionState::Disconnected]);
        let last = connection.last_error().expect("a reset is an error");
        assert_eq!(code(&last), IOErrorEnum::BrokenPipe);
        close(&connection);
        assert!(
            connection.last_error().is_some(),
            "a close does not forget why"
        );
    });
}

#[test]
fn a_reset_seen_by_a_pending_read_disconnects_once() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        let told = states(&connection);
        let outcome = start_read(&connection, 8);
        settle(context);
        reset(peer);
        iterate_until(context, || outcome.borrow().is_some());
        assert_fails(outcome.take().expect("ended"), IOErrorEnum::BrokenPipe);
        settle(context);
        assert_eq!(*told.borrow(), [ConnectionState::Disconnected]);
        let last = connection.last_error().expect("a reset is an error");
        assert_eq!(code(&last), IOErrorEnum::BrokenPipe);
        assert_eq!(read(&connection, 8).expect("an end of file"), b"");
    });
}

/// A blocking user without a loop learns it from the read itself.
#[test]
fn an_end_of_file_read_in_a_blocking_way_disconnects_at_once() {
    on_private_context(|_| {
        let (connection, peer) = connected();
        let told = states(&connection);
        drop(peer);
        assert_eq!(read(&connection, 1).expect("an end of file"), b"");
        assert_eq!(connection.state(), ConnectionState::Disconnected);
        assert_eq!(*told.borrow(), [ConnectionState::Disconnected]);
    });
}

#[test]
fn a_reset_read_in_a_blocking_way_disconnects_at_once() {
    on_private_context(|_| {
        let (connection, peer) = connected();
        let told = states(&connection);
        reset(peer);
        let failure = read(&connection, 1).expect_err("a reset");
        assert_eq!(code(&failure), IOErrorEnum::BrokenPipe);
        assert_eq!(connection.state(), ConnectionState::Disconnected);
        assert_eq!(*told.borrow(), [ConnectionState::Disconnected]);
        let last = connection.last_error().expect("a reset is an error");
        assert_eq!(last.to_string(), failure.to_string());
    });
}

/// It is us who shut down; the peer is still there.
#[test]
fn our_own_shutdown_does_not_count_as_the_peers() {
    on_private_context(|context| {
        for (reading, writing) in [(true, false), (false, true)] {
            let (connection, peer) = connected();
            connection
                .socket()
                .shutdown(reading, writing)
                .expect("connected");
            settle(context);
            assert_eq!(connection.state(), ConnectionState::Connected);
            drop(peer);
        }
    });
}

#[test]
fn a_connection_around_a_connected_socket_is_born_connected() {
    on_private_context(|_| {
        for (connection, peer) in [connected(), connected_bare()] {
            assert_eq!(connection.state(), ConnectionState::Connected);
            assert!(connection.is_alive());
            assert_address(
                connection.remote_address(),
                peer.local_addr().expect("connected"),
            );
        }
    });
}
