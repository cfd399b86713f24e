//! The local and the remote address, from before a connect to after a close.

use gio::{Cancellable, IOErrorEnum, SocketFamily, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// SC-19, SC-20 as of GLib 2.88.
#[test]
fn before_a_connect_there_is_a_wildcard_address_here_and_none_there() {
    on_private_context(|_| {
        let connection = unconnected();
        assert_address(connection.local_address(), ([0, 0, 0, 0], 0).into());
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
        let connection =
            SocketConnection::factory_create_connection(&tcp_socket(SocketFamily::Ipv6));
        assert_address(connection.local_address(), "[::]:0".parse().expect("valid"));

        let (connection, port) = bound();
        assert_address(connection.local_address(), ([127, 0, 0, 1], port).into());
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
    });
}

/// SC-21 is what C does: they are lost.
#[test]
fn a_closed_connection_keeps_its_addresses() {
    on_private_context(|_| {
        let (connection, peer) = connected();
        let ours = peer.peer_addr().expect("connected");
        let theirs = peer.local_addr().expect("connected");
        assert_address(connection.local_address(), ours);
        assert_address(connection.remote_address(), theirs);
        let seen = notifications(&connection);
        close(&connection);
        assert_address(connection.local_address(), ours);
        assert_address(connection.remote_address(), theirs);
        assert_eq!(times(&seen, "local-address"), 0);
        assert_eq!(times(&seen, "remote-address"), 0);

        let (connection, port) = bound();
        close(&connection);
        assert_address(connection.local_address(), ([127, 0, 0, 1], port).into());
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
    });
}

/// GLib 2.87.4: there was neither an address nor an error.
#[test]
fn bug_29_where_the_peer_was_gone_before_anybody_asked_there_is_an_error() {
    on_private_context(|_| {
        for is_bare in [false, true] {
            let (peer, ours) = tcp_pair();
            reset(peer);
            let mut ours = std::net::TcpStream::from(ours);
            // When that has arrived, the kernel knows the peer no more.
            std::io::Read::read(&mut ours, &mut [0]).expect_err("it was reset");
            assert!(ours.peer_addr().is_err());
            let here = ours.local_addr().expect("bound");
            let connection = if is_bare {
                SocketConnection::factory_create_connection_from_fd(ours.into()).expect("a socket")
            } else {
                let socket = gio::Socket::from_fd(ours.into()).expect("a socket");
                SocketConnection::factory_create_connection(&socket)
            };
            for _ in 0..2 {
                assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
                assert_address(connection.local_address(), here);
            }
            let property = connection.property::<Option<gio::SocketAddress>>("remote-address");
            assert!(property.is_none());
            close(&connection);
            assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
        }
    });
}

#[test]
fn a_connection_whose_peer_is_gone_keeps_its_addresses() {
    on_private_context(|context| {
        for with_reset in [false, true] {
            let (connection, peer) = connected();
            let ours = peer.peer_addr().expect("connected");
            let theirs = peer.local_addr().expect("connected");
            if with_reset {
                reset(peer);
            } else {
                drop(peer);
            }
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            assert_address(connection.local_address(), ours);
            assert_address(connection.remote_address(), theirs);
        }
    });
}

/// SC-22: there is no peer yet.
#[test]
fn while_connecting_there_is_no_remote_address() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let connection = unconnected();
        let cancellable = Cancellable::new();
        let outcome = start_connect(&connection, deaf.address, Some(&cancellable));
        settle(context);
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
        assert!(connection.local_address().is_ok());
        cancellable.cancel();
        iterate_until(context, || outcome.borrow().is_some());
    });
}

/// SOCK-27: in C the first question swallows the reset.
#[test]
fn asking_for_an_address_swallows_no_error() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        connect_async_and_wait(context, &connection, address, None).expect("it listens");
        let (peer, _) = listener.accept().expect("connected");
        reset(peer);
        iterate_until(context, || {
            connection.state() == ConnectionState::Disconnected
        });
        assert_address(connection.remote_address(), address);
        assert!(connection.local_address().is_ok());
        assert_fails(read(&connection, 1), IOErrorEnum::BrokenPipe);
    });
}
