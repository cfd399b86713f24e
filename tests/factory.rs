//! What must be true of the factory: which type a connection has that is made from a socket.
//!
//! The map is one for the process and has no way back: each test registers under keys of its own.

#![cfg(test)]
#![allow(unsafe_code, reason = "a socket of a kind that nothing else makes")]

mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::{UnixDatagram, UnixStream},
    },
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use gio::{SocketFamily, SocketType, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, UnixConnection, prelude::*};
use support::*;

/// Types of somebody else's.
macro_rules! third_party {
    ($module:ident, $name:ident, $parent:ty $(, $also:ident, $middle:ty)?) => {
        mod $module {
            use gsock::subclass::prelude::*;

            #[derive(Debug, Default)]
            pub(super) struct $name;

            #[glib::object_subclass]
            impl ObjectSubclass for $name {
                const NAME: &'static str = concat!("TestFactory", stringify!($name));
                type Type = super::$name;
                type ParentType = $parent;
            }

            impl ObjectImpl for $name {}
            impl IOStreamImpl for $name {}
            impl SocketConnectionImpl for $name {}
            $(impl $also for $name {})?
        }

        glib::wrapper! {
            struct $name(ObjectSubclass<$module::$name>)
                @extends $($middle,)? gsock::SocketConnection, gio::IOStream;
        }
    };
}

third_party!(first, First, gsock::SocketConnection);
third_party!(second, Second, gsock::SocketConnection);
third_party!(
    third,
    Third,
    gsock::TcpConnection,
    TcpConnectionImpl,
    TcpConnection
);

fn lookup(family: SocketFamily, type_: SocketType, protocol: i32) -> glib::Type {
    SocketConnection::factory_lookup_type(family, type_, protocol)
}

fn base() -> glib::Type {
    SocketConnection::static_type()
}

// --- Looking up ----------------------------------------------------------------------------------

/// SC-32, and MPTCP.
#[test]
fn internet_streams_are_tcp_connections() {
    on_private_context(|_| {
        for family in [SocketFamily::Ipv4, SocketFamily::Ipv6] {
            for protocol in [0, 6, 262] {
                assert_eq!(
                    lookup(family, SocketType::Stream, protocol),
                    TcpConnection::static_type(),
                    "{family:?}, {protocol}"
                );
            }
        }
    });
}

/// SC-32, and sequenced packets.
#[test]
fn unix_streams_and_packets_are_unix_connections() {
    on_private_context(|_| {
        for type_ in [SocketType::Stream, SocketType::Seqpacket] {
            let found = lookup(SocketFamily::Unix, type_, 0);
            assert_eq!(found, UnixConnection::static_type(), "{type_:?}");
        }
    });
}

/// SC-32: the match is exact.
#[test]
fn whatever_is_not_registered_is_a_plain_connection() {
    on_private_context(|_| {
        for (family, type_, protocol) in [
            (SocketFamily::Ipv4, SocketType::Stream, -1),
            (SocketFamily::Ipv4, SocketType::Stream, 132),
            (SocketFamily::Ipv4, SocketType::Stream, 17),
            (SocketFamily::Ipv6, SocketType::Datagram, 0),
            (SocketFamily::Ipv6, SocketType::Datagram, 6),
            (SocketFamily::Ipv4, SocketType::Seqpacket, 6),
            (SocketFamily::Invalid, SocketType::Stream, 0),
            (SocketFamily::Ipv4, SocketType::Invalid, 0),
            (SocketFamily::Unix, SocketType::Seqpacket, 6),
            (SocketFamily::Unix, SocketType::Stream, 6),
            (SocketFamily::Unix, SocketType::Datagram, 0),
            (SocketFamily::Unix, SocketType::Stream, -1),
        ] {
            assert_eq!(
                lookup(family, type_, protocol),
                base(),
                "{family:?}, {type_:?}, {protocol}"
            );
        }
    });
}

// --- Registering ---------------------------------------------------------------------------------

/// SC-31.
#[test]
fn the_last_registration_wins() {
    const PROTOCOL: i32 = 1001;
    on_private_context(|_| {
        let register = |type_| {
            SocketConnection::factory_register_type(
                type_,
                SocketFamily::Ipv4,
                SocketType::Stream,
                PROTOCOL,
            );
        };
        let found = || lookup(SocketFamily::Ipv4, SocketType::Stream, PROTOCOL);
        assert_eq!(found(), base());
        for type_ in [
            First::static_type(),
            Second::static_type(),
            First::static_type(),
            TcpConnection::static_type(),
            // So that a registration can be taken back after all.
            base(),
        ] {
            register(type_);
            assert_eq!(found(), type_);
        }
        register(First::static_type());
        // Nothing near it was touched.
        for (family, type_, protocol) in [
            (SocketFamily::Ipv6, SocketType::Stream, PROTOCOL),
            (SocketFamily::Ipv4, SocketType::Datagram, PROTOCOL),
            (SocketFamily::Ipv4, SocketType::Stream, PROTOCOL + 1000),
            (SocketFamily::Ipv4, SocketType::Stream, -PROTOCOL),
        ] {
            assert_eq!(lookup(family, type_, protocol), base());
        }
    });
}

#[test]
fn the_typed_twin_registers_likewise() {
    on_private_context(|_| {
        let (family, type_) = (SocketFamily::Ipv6, SocketType::Stream);
        SocketConnection::factory_register::<Second>(family, type_, 1002);
        assert_eq!(lookup(family, type_, 1002), Second::static_type());
        SocketConnection::factory_register::<Third>(family, type_, 1002);
        assert_eq!(lookup(family, type_, 1002), Third::static_type());
        SocketConnection::factory_register::<SocketConnection>(family, type_, 1002);
        assert_eq!(lookup(family, type_, 1002), base());
    });
}

/// SC-31.
#[test]
fn a_type_that_is_no_connection_is_refused_and_changes_nothing() {
    on_private_context(|_| {
        let (family, type_) = (SocketFamily::Ipv4, SocketType::Stream);
        SocketConnection::factory_register::<First>(family, type_, 1003);
        for stranger in [
            glib::Type::INVALID,
            glib::Type::STRING,
            glib::Object::static_type(),
            gio::Socket::static_type(),
            // The parent, and GIO's class of the same purpose.
            gio::IOStream::static_type(),
            gio::SocketConnection::static_type(),
            gio::TcpConnection::static_type(),
        ] {
            for (protocol, before) in [(1003, First::static_type()), (1004, base())] {
                let ((), lines) = logged(|| {
                    SocketConnection::factory_register_type(stranger, family, type_, protocol);
                });
                assert_eq!(lines.len(), 1, "{lines:?}");
                assert!(lines[0].starts_with("Gsock: "), "{lines:?}");
                assert!(lines[0].contains("GsockSocketConnection"), "{lines:?}");
                assert_eq!(lookup(family, type_, protocol), before, "{stranger:?}");
            }
        }
    });
}

mod incomplete {
    use gsock::{SocketConnection, subclass::prelude::*};

    #[derive(Debug, Default)]
    pub(super) struct Incomplete;

    #[glib::object_subclass]
    impl ObjectSubclass for Incomplete {
        const NAME: &'static str = "TestFactoryIncomplete";
        const ABSTRACT: bool = true;
        type Type = super::Incomplete;
        type ParentType = SocketConnection;
    }

    impl ObjectImpl for Incomplete {}
    impl IOStreamImpl for Incomplete {}
    impl SocketConnectionImpl for Incomplete {}
}

glib::wrapper! {
    struct Incomplete(ObjectSubclass<incomplete::Incomplete>)
        @extends SocketConnection, gio::IOStream;
}

/// The factory could make none of it.
#[test]
fn an_abstract_type_is_refused_and_changes_nothing() {
    on_private_context(|_| {
        let (family, type_) = (SocketFamily::Ipv4, SocketType::Seqpacket);
        SocketConnection::factory_register::<Second>(family, type_, 1007);
        for (protocol, before) in [(1007, Second::static_type()), (1008, base())] {
            with_one_critical(|| {
                SocketConnection::factory_register::<Incomplete>(family, type_, protocol);
            });
            assert_eq!(lookup(family, type_, protocol), before);
        }
    });
}

#[test]
fn threads_may_register_and_look_up_at_once() {
    const ROUNDS: i32 = 2000;
    const CONTESTED: i32 = 1005;
    on_private_context(|_| {
        let (family, type_) = (SocketFamily::Ipv6, SocketType::Datagram);
        let begin = Arc::new(Barrier::new(4));
        let done = Arc::new(AtomicBool::new(false));
        SocketConnection::factory_register::<First>(family, type_, CONTESTED);

        let writers = [First::static_type(), Second::static_type()].map(|own| {
            let begin = begin.clone();
            thread::spawn(move || {
                begin.wait();
                let own_keys = if own == First::static_type() {
                    100_000
                } else {
                    200_000
                };
                for round in 0..ROUNDS {
                    for protocol in [CONTESTED, own_keys + round] {
                        SocketConnection::factory_register_type(own, family, type_, protocol);
                    }
                    // What a thread has registered alone, it finds.
                    assert_eq!(lookup(family, type_, own_keys + round), own);
                }
                own_keys
            })
        });
        let readers = [(), ()].map(|()| {
            let (begin, done) = (begin.clone(), done.clone());
            thread::spawn(move || {
                begin.wait();
                while !done.load(Ordering::Acquire) {
                    let found = lookup(family, type_, CONTESTED);
                    assert!(
                        found == First::static_type() || found == Second::static_type(),
                        "{found:?}"
                    );
                    assert_eq!(
                        lookup(SocketFamily::Ipv4, SocketType::Stream, 0),
                        TcpConnection::static_type()
                    );
                }
            })
        });
        let keys = writers.map(|writer| writer.join().expect("no panic"));
        done.store(true, Ordering::Release);
        for reader in readers {
            reader.join().expect("no panic");
        }
        for (own_keys, own) in keys
            .into_iter()
            .zip([First::static_type(), Second::static_type()])
        {
            for round in 0..ROUNDS {
                assert_eq!(lookup(family, type_, own_keys + round), own);
            }
        }
    });
}

// --- Making connections --------------------------------------------------------------------------

/// SC-33.
#[test]
fn a_connection_from_a_socket_has_the_registered_type_and_that_socket() {
    on_private_context(|_| {
        for family in [SocketFamily::Ipv4, SocketFamily::Ipv6] {
            for protocol in [gio::SocketProtocol::Default, gio::SocketProtocol::Tcp] {
                let socket = gio::Socket::new(family, SocketType::Stream, protocol);
                let socket = socket.expect("loopback has both families");
                let connection = SocketConnection::factory_create_connection(&socket);
                assert_eq!(connection.type_(), TcpConnection::static_type());
                assert_eq!(connection.socket(), socket);
                assert_eq!(connection.state(), ConnectionState::Unconnected);
            }
        }

        // A kind that has no class, and then has one.
        let (family, type_) = (SocketFamily::Ipv6, SocketType::Datagram);
        let make = || {
            let socket = gio::Socket::new(family, type_, gio::SocketProtocol::Udp).expect("UDP");
            let connection = SocketConnection::factory_create_connection(&socket);
            assert_eq!(connection.socket(), socket);
            connection.type_()
        };
        assert_eq!(make(), base());
        SocketConnection::factory_register::<Second>(family, type_, 17);
        assert_eq!(make(), Second::static_type());
    });
}

#[test]
fn new_makes_the_plain_type_whatever_is_registered() {
    on_private_context(|_| {
        let connection = SocketConnection::new(&ipv4_socket());
        assert_eq!(connection.type_(), base());
    });
}

/// SC-33: the socket need not be connected, nor open.
#[test]
fn a_connection_from_a_socket_begins_in_the_sockets_state() {
    on_private_context(|_| {
        let (mut peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let connection = SocketConnection::factory_create_connection(&socket);
        assert_eq!(connection.state(), ConnectionState::Connected);
        let output = connection.output_stream();
        output
            .write_all(b"hello", gio::Cancellable::NONE)
            .expect("connected");
        drop((output, connection, socket));
        assert_eq!(read_to_end(&mut peer), b"hello");

        let socket = ipv4_socket();
        socket.close().expect("nothing is in the way");
        let connection = SocketConnection::factory_create_connection(&socket);
        assert_eq!(connection.type_(), TcpConnection::static_type());
        assert_eq!(connection.state(), ConnectionState::Closed);
    });
}

#[test]
fn a_connection_from_a_tcp_stream_of_the_standard_library_works() {
    on_private_context(|_| {
        let stream = TcpStream::connect(echo_server()).expect("it listens");
        let (number, local) = (stream.as_raw_fd(), stream.local_addr().expect("connected"));
        let connection = SocketConnection::factory_create_connection_from_fd(stream.into())
            .expect("it is a socket");
        assert_eq!(connection.type_(), TcpConnection::static_type());
        assert_eq!(connection.state(), ConnectionState::Connected);
        let address = connection.local_address().expect("connected");
        let address = address.downcast::<gio::InetSocketAddress>().expect("IPv4");
        assert_eq!(std::net::SocketAddr::from(address), local);
        round_trip(&connection);

        // The GSocket that is made now is around the same descriptor, and stays the same.
        let socket = connection.socket();
        assert_eq!(socket.as_raw_fd(), number);
        assert_eq!(socket.family(), SocketFamily::Ipv4);
        assert!(socket.is_connected());
        assert_eq!(connection.socket(), socket);
        assert_eq!(connection.property::<gio::Socket>("socket"), socket);
        round_trip(&connection);
    });
}

#[test]
fn a_connection_from_a_unix_stream_of_the_standard_library_works() {
    on_private_context(|_| {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let connection =
            SocketConnection::factory_create_connection_from_fd(ours.into()).expect("a socket");
        assert_eq!(connection.type_(), UnixConnection::static_type());
        assert_eq!(connection.state(), ConnectionState::Connected);
        let echo = thread::spawn(move || {
            let mut theirs = theirs;
            let mut buffer = [0; 4];
            theirs.read_exact(&mut buffer).expect("four bytes");
            theirs.write_all(&buffer).expect("still there");
        });
        round_trip(&connection);
        echo.join().expect("no panic");
    });
}

fn round_trip(connection: &SocketConnection) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    output
        .write_all(b"ping", gio::Cancellable::NONE)
        .expect("connected");
    let mut buffer = [0; 4];
    let (count, failure) = input
        .read_all(&mut buffer, gio::Cancellable::NONE)
        .expect("it comes back");
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(buffer[..count], *b"ping");
}

/// What the kernel says of a descriptor is looked up, so the protocol is never the default there.
#[test]
fn a_connection_from_a_descriptor_has_the_registered_type() {
    on_private_context(|_| {
        let make = |fd: OwnedFd| {
            let number = fd.as_raw_fd();
            let connection =
                SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
            assert_eq!(connection.socket().as_raw_fd(), number);
            connection
        };
        let udp = || UdpSocket::bind("127.0.0.1:0").expect("loopback").into();
        assert_eq!(make(udp()).type_(), base());
        SocketConnection::factory_register::<First>(SocketFamily::Ipv4, SocketType::Datagram, 17);
        assert_eq!(make(udp()).type_(), First::static_type());

        let unix = || UnixDatagram::unbound().expect("a socket").into();
        assert_eq!(make(unix()).type_(), base());

        let listening = std::net::TcpListener::bind("[::1]:0").expect("loopback");
        let connection = make(listening.into());
        assert_eq!(connection.type_(), TcpConnection::static_type());
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

#[test]
fn a_descriptor_that_is_not_a_socket_is_refused_and_closed() {
    on_private_context(|_| {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let refused = SocketConnection::factory_create_connection_from_fd(writer.into());
        assert_fails(refused, gio::IOErrorEnum::InvalidArgument);
        // An end of file comes only when the last descriptor of the other end is closed.
        assert_eq!(reader.read(&mut [0]).expect("an end of file"), 0);

        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let refused = SocketConnection::factory_create_connection_from_fd(reader.into());
        assert_fails(refused, gio::IOErrorEnum::InvalidArgument);
        let error = writer.write(b"x").expect_err("nobody can read it");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        let file = std::fs::File::open("/dev/null").expect("it is always there");
        let refused = SocketConnection::factory_create_connection_from_fd(file.into());
        assert_fails(refused, gio::IOErrorEnum::InvalidArgument);

        // And the next one is not given what was refused.
        let connection = unconnected();
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

mod nesting {
    use std::cell::RefCell;

    use gsock::{SocketConnection, subclass::prelude::*};

    thread_local! {
        /// The connections that the class and its instances make for themselves.
        pub(super) static MADE: RefCell<Vec<SocketConnection>> = const { RefCell::new(Vec::new()) };
    }

    fn make_another() {
        let another = SocketConnection::new(&super::ipv4_socket());
        MADE.with_borrow_mut(|made| made.push(another));
    }

    #[derive(Debug)]
    pub(super) struct Nesting;

    #[glib::object_subclass]
    impl ObjectSubclass for Nesting {
        const NAME: &'static str = "TestFactoryNesting";
        type Type = super::Nesting;
        type ParentType = SocketConnection;

        fn class_init(_: &mut Self::Class) {
            make_another();
        }

        fn new() -> Self {
            make_another();
            Self
        }
    }

    impl ObjectImpl for Nesting {
        fn constructed(&self) {
            make_another();
            self.parent_constructed();
            make_another();
        }
    }
    impl IOStreamImpl for Nesting {}
    impl SocketConnectionImpl for Nesting {}
}

glib::wrapper! {
    struct Nesting(ObjectSubclass<nesting::Nesting>)
        @extends SocketConnection, gio::IOStream;
}

#[test]
fn a_type_that_makes_connections_while_it_is_made_gets_its_own_descriptor() {
    on_private_context(|_| {
        let (family, type_) = (SocketFamily::Ipv6, SocketType::Datagram);
        SocketConnection::factory_register::<Nesting>(family, type_, libc::IPPROTO_UDP);
        for round in 0..2 {
            let socket = gio::Socket::new(family, type_, gio::SocketProtocol::Default);
            let socket = socket.expect("a socket");
            let fd = socket.as_fd().try_clone_to_owned().expect("a descriptor");
            let number = fd.as_raw_fd();
            let connection =
                SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
            assert_eq!(connection.type_(), Nesting::static_type());
            assert_eq!(connection.socket().as_raw_fd(), number);

            let made = nesting::MADE.take();
            // Three by each instance, and one by the class.
            assert_eq!(made.len(), if round == 0 { 4 } else { 3 });
            for another in made {
                assert_ne!(another.socket().as_raw_fd(), number);
                assert_eq!(another.socket().family(), SocketFamily::Ipv4);
                assert_eq!(another.state(), ConnectionState::Unconnected);
            }
        }
    });
}

/// A `GSocket` calls itself TCP whatever it is; the kernel knows better.
#[test]
fn an_mptcp_socket_has_one_type_whichever_way_it_comes() {
    const MPTCP: i32 = 262;
    on_private_context(|_| {
        // SAFETY: no pointers involved.
        let fd =
            unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, MPTCP) };
        if fd < 0 {
            // A kernel without it: nothing can come either way.
            let refusal = std::io::Error::last_os_error().raw_os_error();
            assert!(
                [Some(libc::EPROTONOSUPPORT), Some(libc::ENOPROTOOPT)].contains(&refusal),
                "{refusal:?}"
            );
            return;
        }
        // SAFETY: a descriptor of ours, just made.
        let fd: OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) };
        let socket = gio::Socket::from_fd(fd.try_clone().expect("a descriptor")).expect("a socket");
        let by_socket = SocketConnection::factory_create_connection(&socket);
        let by_fd = SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
        let registered =
            SocketConnection::factory_lookup_type(SocketFamily::Ipv4, SocketType::Stream, MPTCP);
        assert_eq!(by_socket.type_(), registered);
        assert_eq!(by_fd.type_(), registered);
    });
}
