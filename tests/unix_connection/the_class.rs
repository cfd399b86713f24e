//! Which sockets the class is for, and what it takes.

use std::os::{fd::OwnedFd, unix::net::UnixStream};

use gio::{IOErrorEnum as E, SocketFamily, SocketType, prelude::*};
use gsock::{SocketConnection, TcpConnection, UnixConnection, prelude::*};

use crate::{support::*, tools::*, unix_tools::*};

fn new_socket(family: SocketFamily, type_: SocketType) -> gio::Socket {
    gio::Socket::new(family, type_, gio::SocketProtocol::Default).expect("a socket")
}

/// UNIX-1.
#[test]
fn unix_streams_and_packets_have_this_class() {
    on_private_context(|_| {
        for type_ in [SocketType::Stream, SocketType::Seqpacket] {
            let found = SocketConnection::factory_lookup_type(SocketFamily::Unix, type_, 0);
            assert_eq!(found, UnixConnection::static_type());
        }
        for type_ in [STREAM, PACKETS] {
            let (bare, around) = unix_pair_of(type_);
            assert_eq!(bare.type_(), UnixConnection::static_type());
            assert_eq!(around.type_(), UnixConnection::static_type());
        }
    });
}

#[test]
fn no_other_socket_is_taken() {
    on_private_context(|_| {
        let (connection, _peer) = with_peer();
        let before = connection.socket();
        for family in [SocketFamily::Ipv4, SocketFamily::Ipv6] {
            let other = new_socket(family, SocketType::Stream);
            assert_fails(connection.set_socket(&other), E::InvalidArgument);
        }
        assert_eq!(connection.socket(), before);
        let tcp: TcpConnection = unconnected().downcast().expect("TCP");
        let unix = new_socket(SocketFamily::Unix, SocketType::Stream);
        assert_fails(tcp.set_socket(&unix), E::InvalidArgument);
    });
}

/// Any kind of Unix socket will do.
#[test]
fn it_moves_on_to_another_unix_socket_and_passes_descriptors_there() {
    on_private_context(|_| {
        let (connection, _peer) = with_peer();
        for type_ in [PACKETS, libc::SOCK_DGRAM, STREAM] {
            let [ours, theirs] = sockets(type_);
            let socket = gio::Socket::from_fd(ours).expect("a socket");
            connection.set_socket(&socket).expect("a Unix socket");
            let other = SocketConnection::factory_create_connection_from_fd(theirs);
            let other = other.expect("a socket").socket();
            let other: UnixConnection = glib::Object::builder().property("socket", other).build();
            let parcel = Parcel::new();
            other
                .send_fd(parcel.fd(), gio::Cancellable::NONE)
                .expect("room");
            let fd = connection.receive_fd(gio::Cancellable::NONE).expect("sent");
            assert!(parcel.is(&fd));
        }
    });
}

#[test]
fn a_connection_that_moves_on_is_refused_while_it_receives() {
    on_private_context(|context| {
        let (connection, _peer) = with_peer();
        let (ours, _other) = UnixStream::pair().expect("two sockets");
        let socket = gio::Socket::from_fd(OwnedFd::from(ours)).expect("a socket");
        let slot = Slot::new();
        let put = slot.put();
        connection.receive_fd_async(gio::Cancellable::NONE, move |connection, result| {
            put(connection.receive_fd_finish(result));
        });
        assert_fails(connection.set_socket(&socket), E::Pending);
        settle(context, std::time::Duration::from_millis(20));
        assert_fails(connection.set_socket(&socket), E::Pending);
        connection
            .close(gio::Cancellable::NONE)
            .expect("nothing to wait for");
        assert_fails(slot.wait(context), E::Closed);
    });
}

/// It reads, writes and closes as any connection does.
#[test]
fn it_carries_data_like_any_other() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        one.output_stream()
            .write_all(b"hello", gio::Cancellable::NONE)
            .expect("room");
        let mut bytes = [0; 5];
        other
            .input_stream()
            .read_all(&mut bytes, gio::Cancellable::NONE)
            .expect("five bytes");
        assert_eq!(&bytes, b"hello");
        one.close(gio::Cancellable::NONE)
            .expect("nothing to wait for");
        assert!(one.is_closed());
        let ended = other
            .input_stream()
            .read(&mut bytes, gio::Cancellable::NONE);
        assert_eq!(ended.expect("the end"), 0);
    });
}
