//! Connections of GIO's class around ours.

use std::{io::Write, os::unix::net::UnixDatagram};

use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::support::*;

#[test]
fn it_is_of_gios_class_for_the_kind_of_socket() {
    on_private_context(|_| {
        for (around, descriptor) in [("a socket", false), ("a descriptor", true)] {
            let (ours, _peer) = if descriptor {
                connected_bare()
            } else {
                connected()
            };
            let connection = ours.to_gio();
            assert!(connection.is::<gio::TcpConnection>(), "{around}");
            assert_eq!(connection.socket(), ours.socket());
            assert!(connection.is_connected());
        }
        let (one, two) = std::os::unix::net::UnixStream::pair().expect("a pair");
        for end in [one, two] {
            let ours =
                SocketConnection::factory_create_connection_from_fd(end.into()).expect("a socket");
            assert!(ours.to_gio().is::<gio::UnixConnection>());
        }
        let (one, _two) = UnixDatagram::pair().expect("a pair");
        let ours = SocketConnection::new(&gio::Socket::from_fd(one.into()).expect("a socket"));
        let connection = ours.to_gio();
        assert!(!connection.is::<gio::UnixConnection>());
        assert!(!connection.is::<gio::TcpConnection>());
        // Whatever nobody has adopted stays GIO's.
        let plain = ipv4_socket().connection_factory_create_connection();
        assert_eq!(plain.type_(), gio::TcpConnection::static_type());
    });
}

#[test]
fn both_have_one_state_and_one_count_of_the_bytes() {
    on_private_context(|context| {
        let (ours, mut peer) = connected_bare();
        let connection = ours.to_gio();
        peer.write_all(b"12345").expect("room");
        let input = connection.input_stream();
        let read = block_on(context, async move {
            input.read_bytes_future(3, glib::Priority::DEFAULT).await
        });
        assert_eq!(&*read.expect("sent"), b"123");
        assert_eq!(ours.bytes_read(), 3);
        drop(peer);
        iterate_until(context, || ours.state() == ConnectionState::Disconnected);
    });
}

#[test]
fn of_a_connection_of_a_derived_class_it_is_the_same() {
    on_private_context(|_| {
        let (ours, _peer) = connected();
        let ours: gsock::TcpConnection = ours.downcast().expect("TCP");
        let connection = ours.to_gio();
        assert_eq!(SocketConnection::from_gio(&connection), ours);
    });
}

#[test]
fn of_a_closed_connection_it_is_closed() {
    on_private_context(|_| {
        let (ours, _peer) = connected_bare();
        ours.close(gio::Cancellable::NONE).expect("it was open");
        let connection = ours.to_gio();
        assert!(connection.is_closed());
        let read = connection
            .input_stream()
            .read_bytes(1, gio::Cancellable::NONE);
        assert_fails(read, IOErrorEnum::Closed);
    });
}

#[test]
fn with_another_socket_there_is_another_object() {
    on_private_context(|_| {
        let (ours, _peer) = connected();
        let before = ours.to_gio();
        let (other_peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        ours.set_socket(&socket).expect("nothing is under way");
        let after = ours.to_gio();
        assert_ne!(before, after);
        assert_eq!(after.socket(), socket);
        assert_fails(
            before.input_stream().read_bytes(1, gio::Cancellable::NONE),
            IOErrorEnum::Closed,
        );
        drop(other_peer);
    });
}
