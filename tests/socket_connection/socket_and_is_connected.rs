//! `socket()` and `is_connected()`.

use gio::{Cancellable, IOErrorEnum, SocketFamily, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// SC-18.
#[test]
fn socket_is_the_same_object_for_the_whole_life() {
    on_private_context(|_| {
        let (socket, _peer) = connected_socket();
        let connection = SocketConnection::factory_create_connection(&socket);
        assert_eq!(connection.socket(), socket);
        close(&connection);
        assert_eq!(connection.socket(), socket);
        assert!(socket.is_closed());
    });
}

/// A connection around a bare descriptor makes its socket when it is asked for.
#[test]
fn socket_of_a_bare_descriptor_is_made_once_and_is_the_same_connection() {
    on_private_context(|_| {
        let (connection, mut peer) = connected_bare();
        let socket = connection.socket();
        assert_eq!(connection.socket(), socket);
        assert_eq!(connection.property::<gio::Socket>("socket"), socket);
        assert!(socket.is_connected());
        assert!(connection.is_connected());
        socket.send(b"one", Cancellable::NONE).expect("connected");
        write(&connection, b"two").expect("connected");
        close(&connection);
        assert!(socket.is_closed());
        assert_eq!(read_to_end(&mut peer), b"onetwo");
    });
}

#[test]
fn socket_of_a_closed_bare_descriptor_is_a_closed_one_and_always_the_same() {
    on_private_context(|_| {
        let (connection, _peer) = connected_bare();
        close(&connection);
        let socket = connection.socket();
        assert!(socket.is_closed());
        assert!(!socket.is_connected());
        assert_eq!(socket.family(), SocketFamily::Ipv4);
        assert_fails(socket.send(b"x", Cancellable::NONE), IOErrorEnum::Closed);
        assert_eq!(connection.socket(), socket);
    });
}

/// SC-7, SC-8.
#[test]
fn is_connected_stays_true_when_the_peer_closes_and_turns_false_on_close() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        assert!(connection.is_connected());
        drop(peer);
        assert_eq!(read(&connection, 1).expect("an end of file"), b"");
        iterate_until(context, || !connection.is_alive());
        assert!(connection.is_connected());
        close(&connection);
        assert!(!connection.is_connected());

        let (connection, peer) = connected();
        reset(peer);
        assert_fails(read(&connection, 1), IOErrorEnum::BrokenPipe);
        assert!(connection.is_connected());
    });
}

/// SC-8.
#[test]
fn is_connected_turns_false_when_both_directions_are_shut_down() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let socket = connection.socket();
        socket.shutdown(true, false).expect("connected");
        assert!(connection.is_connected());
        socket.shutdown(false, true).expect("connected");
        assert!(!connection.is_connected());
    });
}

#[test]
fn is_connected_is_false_before_a_connect_and_while_connecting() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let connection = unconnected();
        assert!(!connection.is_connected());
        let cancellable = Cancellable::new();
        let outcome = start_connect(&connection, deaf.address, Some(&cancellable));
        settle(context);
        assert!(!connection.is_connected());
        cancellable.cancel();
        iterate_until(context, || outcome.borrow().is_some());
        assert!(!connection.is_connected());
    });
}
