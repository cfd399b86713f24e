//! Sockets that are none, or not fit.

use std::{net::TcpStream, ptr};

use gio::{IOErrorEnum as E, prelude::*};
use glib::translate::from_glib_full;
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

#[track_caller]
fn assert_born_closed(context: &glib::MainContext, connection: SocketConnection) {
    assert!(connection.is_closed());
    assert_eq!(connection.state(), ConnectionState::Closed);
    assert!(!connection.is_alive());
    assert!(!connection.is_connected());
    assert_fails(connection.local_address(), E::NotConnected);
    assert_fails(connection.remote_address(), E::NotConnected);
    // Never NULL.
    let _socket = connection.socket();
    assert_all_closed(context, &connection);
    assert_fails(connection.set_socket(&ipv4_socket()), E::Closed);
    assert!(connection.close(gio::Cancellable::NONE).is_ok());
    assert!(ended(context, &start_close(&connection, None)).is_ok());
    let gone = Gone::of(&connection);
    drop(connection);
    assert_idle(context);
    assert!(gone.is_gone());
}

#[test]
fn a_connection_without_a_socket_is_born_closed_with_one_critical() {
    on_private_context(|context| {
        for type_ in [
            SocketConnection::static_type(),
            TcpConnection::static_type(),
        ] {
            let connection = with_one_critical(|| new_in_c(type_, ptr::null_mut()));
            assert_born_closed(context, connection);

            let object = with_one_critical(|| glib::Object::with_type(type_));
            let connection: SocketConnection = object.downcast().expect("the type asked for");
            assert_born_closed(context, connection);
        }
    });
}

#[test]
fn an_object_that_is_no_socket_is_refused_at_construction() {
    on_private_context(|context| {
        // GObject's own check speaks first.
        let foreign = gio::Cancellable::new();
        let type_ = SocketConnection::static_type();
        let (connection, logged) = logged(|| new_in_c(type_, pointer_of(&foreign)));
        assert!(
            logged.iter().any(|line| line.starts_with("Gsock: ")),
            "{logged:?}"
        );
        let gone = Gone::of(&foreign);
        drop(foreign);
        assert!(gone.is_gone(), "nobody keeps it");
        assert_born_closed(context, connection);
    });
}

#[test]
fn null_for_the_socket_is_refused_with_a_critical_and_the_old_one_stays() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let socket = connection.socket();
        let seen = notifications(&connection);
        with_one_critical(|| set_in_c(&connection, ptr::null_mut()));
        let none = None::<gio::Socket>.to_value();
        with_one_critical(|| set_property(&connection, "socket", &none));
        assert_eq!(connection.socket(), socket);
        assert!(seen.borrow().is_empty(), "{seen:?}");
        assert_talks(&connection, &mut peer);
        assert_eq!(connection.state(), ConnectionState::Connected);
        drop(socket);
        let traces = Traces::of(&connection);
        drop(connection);
        traces.assert_gone(context, &[]);
    });
}

#[test]
fn an_object_that_is_no_socket_is_refused_and_the_old_socket_stays() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let socket = connection.socket();
        let foreign = gio::Cancellable::new();
        let seen = notifications(&connection);
        let ((), lines) = logged(|| set_in_c(&connection, pointer_of(&foreign)));
        assert!(!lines.is_empty());
        for value in [foreign.to_value(), 17_i32.to_value()] {
            let ((), lines) = logged(|| set_property(&connection, "socket", &value));
            assert!(!lines.is_empty());
        }
        assert_eq!(connection.socket(), socket);
        assert!(seen.borrow().is_empty(), "{seen:?}");
        assert_talks(&connection, &mut peer);
        let gone = Gone::of(&foreign);
        drop(foreign);
        assert!(gone.is_gone(), "nobody keeps it");
        drop(socket);
        let traces = Traces::of(&connection);
        drop(connection);
        traces.assert_gone(context, &[]);
    });
}

#[test]
fn a_read_only_property_cannot_be_set_and_nothing_changes() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        for (name, value) in [
            ("alive", false.to_value()),
            ("bytes-read", 5_u64.to_value()),
            ("state", ConnectionState::Closed.to_value()),
            ("remote-address", None::<gio::SocketAddress>.to_value()),
        ] {
            let ((), lines) = logged(|| set_property(&connection, name, &value));
            assert_eq!(lines.len(), 1, "{name}");
        }
        assert_eq!(connection.state(), ConnectionState::Connected);
        assert_talks(&connection, &mut peer);
    });
}

#[test]
fn a_closed_socket_makes_a_connection_that_says_closed() {
    on_private_context(|context| {
        for make in [
            SocketConnection::new,
            SocketConnection::factory_create_connection,
        ] {
            let (_peer, fd) = tcp_pair();
            let socket = gio::Socket::from_fd(fd).expect("a socket");
            socket.close().expect("an open socket");
            let connection = make(&socket);
            assert_eq!(connection.state(), ConnectionState::Closed);
            assert!(!connection.is_alive());
            assert!(!connection.is_connected());
            assert_fails(connection.local_address(), E::NotConnected);
            assert_fails(connection.remote_address(), E::NotConnected);
            assert_all_closed(context, &connection);
            assert_eq!(connection.bytes_read(), 0);
            assert_eq!(connection.bytes_written(), 0);
            assert!(connection.close(gio::Cancellable::NONE).is_ok());
            assert!(connection.is_closed());
            let gone = [Gone::of(&connection), Gone::of(&socket)];
            drop((connection, socket));
            assert_idle(context);
            assert!(gone.iter().all(Gone::is_gone));
        }
    });
}

/// As `g_object_new (G_TYPE_SOCKET, NULL)`, which glib refuses.
fn uninitialised_socket() -> gio::Socket {
    // SAFETY: a type without arguments; the result is a full reference.
    unsafe {
        let socket =
            glib::gobject_ffi::g_object_new(gio::ffi::g_socket_get_type(), ptr::null::<i8>());
        from_glib_full(socket.cast::<gio::ffi::GSocket>())
    }
}

#[test]
fn a_socket_that_was_never_initialised_makes_a_connection_that_says_closed() {
    on_private_context(|context| {
        let socket = uninitialised_socket();
        let connection = SocketConnection::new(&socket);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_all_closed(context, &connection);
        assert!(connection.close(gio::Cancellable::NONE).is_ok());
        let gone = [Gone::of(&connection), Gone::of(&socket)];
        drop((connection, socket));
        assert_idle(context);
        assert!(gone.iter().all(Gone::is_gone));
    });
}

#[test]
fn a_connection_leaves_a_closed_socket_behind_for_an_open_one() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let kernel = KernelSocket::of_connection(&connection);
        let closed = ipv4_socket();
        closed.close().expect("an open socket");
        connection.set_socket(&closed).expect("a TCP socket");
        assert!(
            !kernel.is_open(),
            "the socket of before has no other holder"
        );
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert!(!connection.is_closed(), "the connection was not closed");
        assert_fails(read_now(&connection), E::Closed);
        assert_fails(write_now(&connection), E::Closed);
        let (mut peer, fd) = tcp_pair();
        let open = gio::Socket::from_fd(fd).expect("a socket");
        connection.set_socket(&open).expect("a TCP socket");
        assert_eq!(connection.state(), ConnectionState::Connected);
        assert_talks(&connection, &mut peer);
        drop((open, closed));
        let traces = Traces::of(&connection);
        drop(connection);
        traces.assert_gone(context, &[]);
    });
}

/// A datagram socket, which the base class carries: it has no peer for life.
fn datagram_socket() -> gio::Socket {
    gio::Socket::new(
        gio::SocketFamily::Ipv4,
        gio::SocketType::Datagram,
        gio::SocketProtocol::Default,
    )
    .expect("loopback")
}

#[test]
fn a_datagram_socket_is_carried_by_the_base_class_in_every_form() {
    on_private_context(|context| {
        for form in FORMS {
            let connection = SocketConnection::factory_create_connection(&datagram_socket());
            assert_eq!(connection.type_(), SocketConnection::static_type(), "SC-32");
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            // Another peer each time: datagram sockets may change theirs.
            for _ in 0..2 {
                let peer = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("loopback");
                peer.set_read_timeout(Some(LIMIT)).expect("an option");
                let address = gio_address(peer.local_addr().expect("bound"));
                connect_by(form, context, &connection, &address).expect("a datagram connect");
                assert_eq!(connection.state(), ConnectionState::Connected);
                assert_eq!(write_now(&connection).expect("a datagram"), 4);
                let mut buffer = [0; 16];
                let (count, from) = peer.recv_from(&mut buffer).expect("a datagram");
                assert_eq!(&buffer[..count], b"data");
                peer.send_to(b"back!", from).expect("loopback");
                assert_eq!(read_now(&connection).expect("a datagram"), 5);
                // An empty one is no end of file.
                peer.send_to(b"", from).expect("loopback");
                assert_eq!(read_now(&connection).expect("a datagram"), 0);
                assert_eq!(connection.state(), ConnectionState::Connected);
            }
            connection.close(gio::Cancellable::NONE).expect("open");
            assert_all_closed(context, &connection);
        }
    });
}

#[test]
fn a_tcp_connection_refuses_sockets_it_cannot_carry() {
    on_private_context(|context| {
        let unix = |type_| {
            gio::Socket::new(gio::SocketFamily::Unix, type_, gio::SocketProtocol::Default)
                .expect("Unix sockets")
        };
        for socket in [
            datagram_socket(),
            unix(gio::SocketType::Stream),
            unix(gio::SocketType::Datagram),
        ] {
            let type_ = TcpConnection::static_type();
            let (connection, said) = logged(|| new_in_c(type_, pointer_of(&socket)));
            assert!(!said.is_empty() && said.iter().all(|line| line.starts_with("Gsock: ")));
            assert_ne!(connection.socket(), socket);
            assert_born_closed(context, connection);

            let (connection, mut peer) = connected();
            let before = connection.socket();
            let seen = notifications(&connection);
            assert_fails(connection.set_socket(&socket), E::InvalidArgument);
            with_one_critical(|| set_in_c(&connection, pointer_of(&socket)));
            assert_eq!(connection.socket(), before);
            assert!(seen.borrow().is_empty(), "{seen:?}");
            assert_talks(&connection, &mut peer);
            let gone = Gone::of(&socket);
            drop(socket);
            assert!(gone.is_gone(), "nobody keeps a socket that was refused");
        }
    });
}

#[test]
fn a_listening_socket_neither_reads_nor_writes_nor_connects_and_goes_on_listening() {
    on_private_context(|context| {
        let (_other, address) = listener();
        for form in FORMS {
            let socket = ipv4_socket();
            socket
                .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
                .expect("loopback");
            socket.listen().expect("bound");
            let connection = SocketConnection::factory_create_connection(&socket);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            assert!(!connection.is_connected());
            assert_fails(read_now(&connection), E::NotConnected);
            assert_fails(write_now(&connection), E::BrokenPipe);
            // EISCONN, as the system call answers.
            let connected = connect_by(form, context, &connection, &gio_address(address));
            assert_fails(connected, E::Failed);
            assert_ne!(connection.state(), ConnectionState::Connecting);
            let bound = connection.local_address().expect("bound");
            let bound: gio::InetSocketAddress = bound.downcast().expect("an internet address");
            let _caller = TcpStream::connect(("127.0.0.1", bound.port())).expect("it listens");
            socket.set_blocking(true);
            let accepted = socket
                .accept(gio::Cancellable::NONE)
                .expect("somebody called");
            accepted.close().expect("open");
            connection.close(gio::Cancellable::NONE).expect("open");
            assert!(socket.is_closed());
        }
    });
}

/// SOCK-14: what GIO's own streams answer.
#[test]
fn a_socket_that_was_never_connected_answers_as_the_system_calls_do() {
    on_private_context(|context| {
        let connection = unconnected();
        assert_fails(read_now(&connection), E::NotConnected);
        assert_fails(write_now(&connection), E::BrokenPipe);
        assert_fails(
            ended(context, &start_read(&connection, 4, None)),
            E::NotConnected,
        );
        assert_fails(
            ended(context, &start_write(&connection, vec![0; 4], None)),
            E::BrokenPipe,
        );
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert_fails(connection.remote_address(), E::NotConnected);
        connection.close(gio::Cancellable::NONE).expect("open");

        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        )
        .expect("Unix sockets");
        let connection = SocketConnection::factory_create_connection(&socket);
        assert_fails(read_now(&connection), E::InvalidArgument);
        assert_fails(write_now(&connection), E::NotConnected);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

#[test]
fn an_address_of_another_family_fails_as_in_gio_and_leaves_the_socket_usable() {
    on_private_context(|context| {
        let echo = echo_server();
        let (_listener, inet) = listener();
        let inet6 = std::net::SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), inet.port());
        let unix = gio::UnixSocketAddress::new(std::path::Path::new("/nonexistent/socket"));
        let others: [gio::SocketAddress; 2] = [gio_address(inet6).upcast(), unix.upcast()];
        for other in &others {
            let theirs = SocketExt::connect(&ipv4_socket(), other, gio::Cancellable::NONE)
                .expect_err("another family");
            for form in FORMS {
                let connection = unconnected();
                let ours = connect_by(form, context, &connection, other);
                assert_fails(ours, code(&theirs));
                assert_eq!(connection.state(), ConnectionState::Unconnected);
                assert!(!connection.is_connected());
                assert!(connection.last_error().is_some());
                assert_fails(connection.remote_address(), E::NotConnected);
                connect_by(form, context, &connection, &gio_address(echo)).expect("it listens");
                assert!(connection.last_error().is_none());
                assert_echoes(&connection);
            }
        }
        let theirs = SocketExt::connect(
            &tcp_socket(gio::SocketFamily::Ipv6),
            &gio_address(inet),
            gio::Cancellable::NONE,
        );
        let connection =
            SocketConnection::factory_create_connection(&tcp_socket(gio::SocketFamily::Ipv6));
        let ours = connection.connect(&gio_address(inet), gio::Cancellable::NONE);
        match (theirs, ours) {
            (Err(theirs), ours) => assert_fails(ours, code(&theirs)),
            (Ok(()), ours) => assert!(ours.is_ok()),
        }
    });
}

/// An address that cannot be said in the kernel's form.
#[test]
fn an_address_without_a_native_form_fails_in_every_form_without_an_attempt() {
    on_private_context(|context| {
        // Longer than the 108 bytes of a sockaddr_un.
        let long = gio::UnixSocketAddress::new(std::path::Path::new(&"x".repeat(300)));
        for form in FORMS {
            let socket = gio::Socket::new(
                gio::SocketFamily::Unix,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
            )
            .expect("Unix sockets");
            let theirs = SocketExt::connect(&socket, &long, gio::Cancellable::NONE);
            let connection = SocketConnection::factory_create_connection(&socket);
            let ours = connect_by(form, context, &connection, &long);
            let theirs = theirs.expect_err("too long a name");
            assert_fails(ours, code(&theirs));
            assert_eq!(connection.state(), ConnectionState::Unconnected);
        }
    });
}

/// More than any address of the kernel's has: nothing is asked of the system.
#[test]
fn an_address_too_long_for_the_system_fails_in_every_form_and_the_connection_is_as_new() {
    on_private_context(|context| {
        let bytes = [0_u8; 200];
        // SAFETY: copied from memory of that size.
        let long: gio::SocketAddress = unsafe {
            from_glib_full(gio::ffi::g_native_socket_address_new(
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
            ))
        };
        let (server, address) = listener();
        for form in FORMS {
            let connection = unconnected();
            let failed = connect_by(form, context, &connection, &long);
            assert_fails(failed, E::InvalidArgument);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            connect_by(form, context, &connection, &gio_address(address)).expect("it listens");
            server.accept().expect("somebody called");
        }
    });
}

/// There is no `GSocket` by then, and none can be made.
#[test]
fn a_bare_connection_has_a_socket_to_show_after_it_was_closed() {
    on_private_context(|context| {
        for asynchronous in [true, false] {
            let (connection, _peer) = connected_bare();
            if asynchronous {
                assert!(ended(context, &start_close(&connection, None)).is_ok());
            } else {
                connection.close(gio::Cancellable::NONE).expect("open");
            }
            let socket = connection.socket();
            assert!(!socket.is_connected());
            assert!(
                connection
                    .property::<Option<gio::Socket>>("socket")
                    .is_some()
            );
            assert!(connection.remote_address().is_ok(), "kept for log lines");
            assert_all_closed(context, &connection);
            let gone = Gone::of(&connection);
            drop((connection, socket));
            assert_idle(context);
            assert!(gone.is_gone());
        }
    });
}
