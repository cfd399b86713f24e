//! Sockets other than TCP's, through the base class.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::UdpSocket,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::{UnixDatagram, UnixStream},
    },
    rc::Rc,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, OutputVector, prelude::*};
use gsock::{SocketConnection, UnixConnection, prelude::*};

use crate::{support::*, tools::*};

/// Makes a connection around a descriptor: by a `GSocket`, or bare.
type Around = fn(OwnedFd) -> SocketConnection;

fn around_a_socket(fd: OwnedFd) -> SocketConnection {
    SocketConnection::new(&gio::Socket::from_fd(fd).expect("a socket"))
}

fn around_a_descriptor(fd: OwnedFd) -> SocketConnection {
    SocketConnection::factory_create_connection_from_fd(fd).expect("a socket")
}

macro_rules! both_ways {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[test]
            fn around_a_socket() {
                crate::support::on_private_context(|context| {
                    super::$body(super::around_a_socket, context);
                });
            }

            #[test]
            fn around_a_descriptor() {
                crate::support::on_private_context(|context| {
                    super::$body(super::around_a_descriptor, context);
                });
            }
        }
    )+};
}

both_ways!(
    datagrams_keep_their_bounds,
    an_empty_datagram_is_no_end,
    a_datagram_that_nobody_takes_is_an_error_and_not_the_end,
    unix_streams_read_and_write,
    unix_datagrams_read_and_write,
    sequenced_packets_keep_their_bounds_and_end,
    a_broken_unix_pipe_says_so,
);

fn udp_pair() -> (UdpSocket, UdpSocket) {
    let one = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let other = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    other.set_read_timeout(Some(LIMIT)).unwrap();
    (one, other)
}

fn seqpacket_pair() -> (OwnedFd, OwnedFd) {
    let mut fds = [-1; 2];
    // SAFETY: room for two descriptors.
    let made = unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    };
    assert_eq!(made, 0);
    // SAFETY: two descriptors of ours, just made.
    fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).into()
}

fn datagrams_keep_their_bounds(around: Around, context: &glib::MainContext) {
    let (ours, peer) = udp_pair();
    let connection = around(ours.into());
    assert_eq!(connection.type_(), SocketConnection::static_type());
    assert!(connection.is_connected());
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut buffer = [0; 64];

    assert_eq!(write(&output, b"one").unwrap(), 3);
    assert_eq!(
        start_write(&output, b"two".to_vec(), None)
            .wait(context)
            .unwrap(),
        3
    );
    let vectors = [&b"th"[..], b"ree"].map(OutputVector::new);
    assert_eq!(output.writev(&vectors, Cancellable::NONE).unwrap(), 5);
    for expected in [&b"one"[..], b"two", b"three"] {
        let count = peer.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], expected);
    }

    let reading = start_read(&input, 64, None);
    iterate_for(context, Duration::from_millis(10));
    peer.send(b"one").unwrap();
    peer.send(b"two").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"one");
    assert_eq!(read(&input, 64).unwrap(), b"two");
    assert_fails(read_now(&connection, 64), IOErrorEnum::WouldBlock);
    let reader = read_on_thread(&input, 64, None);
    peer.send(b"three").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"three");
    // What does not fit is cut off, as recv(2) does.
    peer.send(b"truncated").unwrap();
    peer.send(b"next").unwrap();
    assert_eq!(read(&input, 5).unwrap(), b"trunc");
    assert_eq!(read(&input, 64).unwrap(), b"next");

    let reader = read_on_thread(&input, 64, None);
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
}

/// Zero bytes are a datagram too; the connection goes on.
fn an_empty_datagram_is_no_end(around: Around, context: &glib::MainContext) {
    let (ours, peer) = udp_pair();
    let connection = around(ours.into());
    peer.send(b"").unwrap();
    peer.send(b"after").unwrap();
    let input = connection.input_stream();
    assert_eq!(start_read(&input, 64, None).wait(context).unwrap(), b"");
    assert!(connection.is_alive());
    assert_eq!(
        start_read(&input, 64, None).wait(context).unwrap(),
        b"after"
    );
    iterate_for(context, Duration::from_millis(10));
    assert!(connection.is_alive());
}

/// An ICMP "port unreachable" comes back as an error, once; there may be somebody again.
fn a_datagram_that_nobody_takes_is_an_error_and_not_the_end(
    around: Around,
    context: &glib::MainContext,
) {
    let (ours, peer) = udp_pair();
    let address = peer.local_addr().unwrap();
    let back = ours.local_addr().unwrap();
    let connection = around(ours.into());
    drop(peer);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_eq!(write(&output, b"anybody?").unwrap(), 8);
    assert_fails(
        start_read(&input, 64, None).wait(context),
        IOErrorEnum::ConnectionRefused,
    );
    let peer = UdpSocket::bind(address).unwrap();
    peer.connect(back).unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(write(&output, b"again").unwrap(), 5);
    let mut buffer = [0; 64];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 5);
    peer.send(b"here").unwrap();
    assert_eq!(read(&input, 64).unwrap(), b"here");
}

fn unix_streams_read_and_write(around: Around, context: &glib::MainContext) {
    let (ours, mut peer) = UnixStream::pair().unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    let connection = around(ours.into());
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(10));
    peer.write_all(b"in").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"in");
    let cancellable = Cancellable::new();
    let reader = read_on_thread(&input, 8, Some(&cancellable));
    cancellable.cancel();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Cancelled);

    let bytes = payload(2 << 20, 51);
    let (expected, all) = (bytes.clone(), Slot::new());
    output.write_all_async(bytes, glib::Priority::DEFAULT, Cancellable::NONE, all.put());
    let receiving = std::thread::spawn(move || {
        let mut received = vec![0; expected.len()];
        peer.read_exact(&mut received).unwrap();
        assert!(received == expected);
        peer
    });
    assert_eq!(all.wait(context).plain().unwrap().1, 2 << 20);
    let mut peer = receiving.join().unwrap();

    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(10));
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
}

fn unix_datagrams_read_and_write(around: Around, context: &glib::MainContext) {
    let (ours, peer) = UnixDatagram::pair().unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    let connection = around(ours.into());
    assert_eq!(connection.type_(), SocketConnection::static_type());
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_eq!(write(&output, b"one").unwrap(), 3);
    assert_eq!(write(&output, b"two").unwrap(), 3);
    let mut buffer = [0; 64];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 3);
    assert_eq!(peer.recv(&mut buffer).unwrap(), 3);
    assert_eq!(buffer[..3], *b"two");
    let reading = start_read(&input, 64, None);
    iterate_for(context, Duration::from_millis(10));
    peer.send(b"in").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"in");
}

fn sequenced_packets_keep_their_bounds_and_end(around: Around, context: &glib::MainContext) {
    let (ours, peer) = seqpacket_pair();
    let connection = around(ours);
    let peer = SocketConnection::factory_create_connection_from_fd(peer).unwrap();
    // F-28.
    assert_eq!(peer.type_(), UnixConnection::static_type());
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_eq!(write(&output, b"one").unwrap(), 3);
    let vectors = [&b"t"[..], b"wo"].map(OutputVector::new);
    assert_eq!(output.writev(&vectors, Cancellable::NONE).unwrap(), 3);
    assert_eq!(read(&peer.input_stream(), 64).unwrap(), b"one");
    assert_eq!(read(&peer.input_stream(), 64).unwrap(), b"two");
    let reading = start_read(&input, 64, None);
    iterate_for(context, Duration::from_millis(10));
    let answer = start_write(&peer.output_stream(), b"three".to_vec(), None);
    assert_eq!(reading.wait(context).unwrap(), b"three");
    assert_eq!(answer.wait(context).unwrap(), 5);
    // The kind of socket is the kernel's, not the connection's word for it.
    let mut kind: libc::c_int = 0;
    let mut size = size_of_val(&kind) as libc::socklen_t;
    // SAFETY: an open descriptor, and a value that is as long as said.
    let asked = unsafe {
        libc::getsockopt(
            connection.socket().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut size,
        )
    };
    assert_eq!((asked, kind), (0, libc::SOCK_SEQPACKET));
    peer.close(Cancellable::NONE).unwrap();
    assert_eq!(start_read(&input, 64, None).wait(context).unwrap(), b"");
    assert_eq!(read(&input, 64).unwrap(), b"");
}

fn a_broken_unix_pipe_says_so(around: Around, context: &glib::MainContext) {
    let (ours, peer) = UnixStream::pair().unwrap();
    let connection = around(ours.into());
    drop(peer);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_fails(write(&output, b"no"), IOErrorEnum::BrokenPipe);
    let writing = start_write(&output, b"no".to_vec(), None);
    assert_fails(writing.wait(context), IOErrorEnum::BrokenPipe);
    assert_eq!(read(&input, 8).unwrap(), b"");
}

/// SOCK-14.
#[test]
fn an_unconnected_unix_connection_has_its_own_codes() {
    on_private_context(|context| {
        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        )
        .unwrap();
        let connection = SocketConnection::new(&socket);
        let (input, output) = (connection.input_stream(), connection.output_stream());
        assert_fails(read(&input, 8), IOErrorEnum::InvalidArgument);
        assert_fails(
            start_read(&input, 8, None).wait(context),
            IOErrorEnum::InvalidArgument,
        );
        assert_fails(write(&output, b"no"), IOErrorEnum::NotConnected);
    });
}

/// ST-2: it is the connection's, and the one that it was given later.
#[test]
fn the_streams_have_the_connections_socket_as_a_property() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        let first = connection.socket();
        assert_eq!(input.property::<gio::Socket>("socket"), first);
        assert_eq!(output.property::<gio::Socket>("socket"), first);
        let (_other_peer, fd) = tcp_pair();
        let second = gio::Socket::from_fd(fd).unwrap();
        connection.set_socket(&second).unwrap();
        assert_eq!(input.property::<gio::Socket>("socket"), second);
        assert_eq!(output.property::<gio::Socket>("socket"), second);
    });
}

/// ST-2: as GIO's types can be made, by their name.
#[test]
fn streams_made_by_hand_around_a_socket_read_and_write() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let socket = connection.socket();
        let [input, output] = [
            connection.input_stream().type_(),
            connection.output_stream().type_(),
        ]
        .map(|type_| {
            glib::Object::builder_with_type(type_)
                .property("socket", &socket)
                .build()
        });
        let output: &gio::OutputStream = output.downcast_ref().expect("its type");
        output.write_all(b"by hand", Cancellable::NONE).unwrap();
        let mut received = [0; 7];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received, *b"by hand");
        peer.write_all(b"yes").unwrap();
        let input: &gio::InputStream = input.downcast_ref().expect("its type");
        assert_eq!(*input.read_bytes(16, Cancellable::NONE).unwrap(), *b"yes");
        input.close(Cancellable::NONE).unwrap();
        output.close(Cancellable::NONE).unwrap();
        assert!(!socket.is_closed());
    });
}

/// ST-2: GIO's have none then either.
#[test]
fn a_stream_made_by_hand_without_a_socket_has_none() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let stream = glib::Object::with_type(connection.input_stream().type_());
        assert_eq!(stream.property::<Option<gio::Socket>>("socket"), None);
        let stream: &gio::InputStream = stream.downcast_ref().expect("its type");
        assert_fails(stream.read_bytes(1, Cancellable::NONE), IOErrorEnum::Closed);
    });
}

/// ST-2: as GIO's do.
#[test]
fn a_stream_made_by_hand_tells_what_it_is_asked_to() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let (_theirs, fd) = tcp_pair();
        let theirs = gio::Socket::from_fd(fd)
            .unwrap()
            .connection_factory_create_connection();
        for stream in [
            connection.input_stream().type_(),
            connection.output_stream().type_(),
            theirs.input_stream().type_(),
            theirs.output_stream().type_(),
        ] {
            for socket in [None, Some(connection.socket())] {
                let stream = glib::Object::builder_with_type(stream)
                    .property("socket", socket)
                    .build();
                let told = Rc::new(Cell::new(0));
                let count = told.clone();
                stream.connect_notify_local(Some("socket"), move |_, _| count.set(count.get() + 1));
                stream.notify("socket");
                assert_eq!(told.get(), 1, "{}", stream.type_());
            }
        }
    });
}
