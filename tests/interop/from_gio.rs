//! Connections of ours around those of GIO's own class.

use std::io::{Read, Write};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::support::*;

fn gios() -> (gio::SocketConnection, std::net::TcpStream) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    let connection = socket.connection_factory_create_connection();
    assert_eq!(connection.type_(), gio::TcpConnection::static_type());
    (connection, peer)
}

fn read(stream: &impl IsA<gio::IOStream>, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = stream
        .input_stream()
        .read_all(&mut bytes, gio::Cancellable::NONE)
        .expect("sent");
    assert_eq!(read, (count, None));
    bytes
}

#[test]
fn it_has_the_same_socket_and_neither_reads_ahead() {
    on_private_context(|_| {
        let (connection, mut peer) = gios();
        let ours = SocketConnection::from_gio(&connection);
        assert_eq!(ours.type_(), gsock::TcpConnection::static_type());
        assert_eq!(ours.socket(), connection.socket());
        assert_eq!(ours.state(), ConnectionState::Connected);
        peer.write_all(b"one for each").expect("room");
        assert_eq!(read(&ours, 4), b"one ");
        assert_eq!(read(&connection, 4), b"for ");
        assert_eq!(read(&ours, 4), b"each");
        // Of what it has read itself.
        assert_eq!(ours.bytes_read(), 8);
    });
}

#[test]
fn closing_either_closes_the_socket_and_dropping_one_does_not() {
    on_private_context(|_| {
        let (connection, mut peer) = gios();
        let ours = SocketConnection::from_gio(&connection);
        drop(ours);
        let ours = SocketConnection::from_gio(&connection);
        drop(connection);
        ours.output_stream()
            .write_all(b"still open", gio::Cancellable::NONE)
            .expect("room");
        ours.close(gio::Cancellable::NONE).expect("it was open");
        assert_eq!(read_to_end(&mut peer), b"still open");

        let (connection, mut peer) = gios();
        let ours = SocketConnection::from_gio(&connection);
        connection
            .close(gio::Cancellable::NONE)
            .expect("it was open");
        assert_eq!(ours.state(), ConnectionState::Closed);
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("an end");
    });
}

#[test]
fn what_is_not_connected_may_be_connected_by_either() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = ipv4_socket().connection_factory_create_connection();
        let ours = SocketConnection::from_gio(&connection);
        assert_eq!(ours.state(), ConnectionState::Unconnected);
        block_on(context, {
            let connection = connection.clone();
            async move {
                SocketConnectionExt::connect_future(
                    &connection,
                    &gio_address(address),
                )
                .await
            }
        })
        .expect("it listens");
        assert_eq!(ours.state(), ConnectionState::Connected);
        let (mut peer, _) = listener.accept().expect("it connected");
        peer.write_all(b"x").expect("room");
        assert_eq!(read(&ours, 1), b"x");
    });
}
