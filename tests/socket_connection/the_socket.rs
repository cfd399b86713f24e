//! The `socket` property: read, written at construction and afterwards, bound, refused.

use std::{cell::Cell, io::Read, io::Write, net::TcpListener, rc::Rc, thread};

use gio::{Cancellable, IOErrorEnum, SocketFamily, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// SC-3.
#[test]
fn the_socket_is_written_at_construction_and_read_back() {
    on_private_context(|_| {
        let socket = ipv4_socket();
        assert_eq!(SocketConnection::new(&socket).socket(), socket);
        let built: SocketConnection = glib::Object::builder().property("socket", &socket).build();
        assert_eq!(built.property::<gio::Socket>("socket"), socket);
        let made = SocketConnection::factory_create_connection(&socket);
        assert_eq!(made.socket(), socket);
    });
}

#[test]
fn the_socket_may_be_written_afterwards() {
    on_private_context(|_| {
        let connection = unconnected();
        let seen = notifications(&connection);
        let second = ipv4_socket();
        connection.set_property("socket", &second);
        assert_eq!(connection.socket(), second);
        assert_eq!(times(&seen, "socket"), 1);

        let third = ipv4_socket();
        connection.set_socket(&third).expect("it is idle");
        assert_eq!(connection.property::<gio::Socket>("socket"), third);
        assert_eq!(times(&seen, "socket"), 2);
    });
}

#[test]
fn streams_addresses_and_state_follow_the_new_socket() {
    on_private_context(|_| {
        let (connection, mut first) = connected();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        first.write_all(b"first").expect("connected");
        assert_eq!(read(&connection, 16).expect("a peer"), b"first");

        let (socket, mut second) = connected_socket();
        let seen = notifications(&connection);
        connection.set_socket(&socket).expect("it is idle");
        assert_address(
            connection.local_address(),
            second.peer_addr().expect("connected"),
        );
        assert_address(
            connection.remote_address(),
            second.local_addr().expect("connected"),
        );
        assert_eq!(times(&seen, "local-address"), 1);
        assert_eq!(times(&seen, "remote-address"), 1);

        // The same two objects, on the new socket.
        assert_eq!(connection.input_stream(), input);
        assert_eq!(connection.output_stream(), output);
        second.write_all(b"second").expect("connected");
        let mut bytes = [0; 16];
        let count = input
            .read(&mut bytes[..], Cancellable::NONE)
            .expect("a peer");
        assert_eq!(&bytes[..count], b"second");
        output
            .write(b"answer", Cancellable::NONE)
            .expect("connected");
        close(&connection);
        assert_eq!(read_to_end(&mut second), b"answer");

        let (connection, _peer) = connected();
        let seen = states(&connection);
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(!connection.is_alive());
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
        let (socket, _peer) = connected_socket();
        connection.set_socket(&socket).expect("it is idle");
        assert_eq!(
            *seen.borrow(),
            [ConnectionState::Unconnected, ConnectionState::Connected]
        );
    });
}

/// The peer of the new socket is watched, and that of the old one no more.
#[test]
fn the_state_is_that_of_the_new_peer_only() {
    on_private_context(|context| {
        let (connection, first) = connected();
        let old = connection.socket();
        let (socket, second) = connected_socket();
        connection.set_socket(&socket).expect("it is idle");
        drop(first);
        settle(context);
        assert_eq!(connection.state(), ConnectionState::Connected);
        drop(second);
        iterate_until(context, || {
            connection.state() == ConnectionState::Disconnected
        });
        drop(old);
    });
}

/// What somebody made on a stream before, such as a source, is of the old socket.
#[test]
fn a_source_made_before_tells_nothing_more_of_the_old_socket() {
    on_private_context(|context| {
        let (connection, first) = connected();
        let input = connection.input_stream();
        let input = input
            .dynamic_cast_ref::<gio::PollableInputStream>()
            .expect("pollable");
        let source = input.create_source(Cancellable::NONE, None, glib::Priority::DEFAULT, |_| {
            glib::ControlFlow::Continue
        });
        source.attach(Some(context));
        let old = connection.socket();
        let (socket, _second) = connected_socket();
        connection.set_socket(&socket).expect("it is idle");
        let seen = notifications(&connection);
        drop(first);
        settle(context);
        assert_eq!(connection.state(), ConnectionState::Connected);
        assert_eq!(*seen.borrow(), [""; 0]);
        source.destroy();
        drop(old);
    });
}

#[test]
fn a_new_socket_clears_the_last_error() {
    on_private_context(|_| {
        let connection = unconnected();
        assert_fails(
            connection.connect(&gio_address(refused_address()), Cancellable::NONE),
            IOErrorEnum::ConnectionRefused,
        );
        assert!(connection.last_error().is_some());
        let seen = notifications(&connection);
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert!(connection.last_error().is_none());
        assert_eq!(times(&seen, "last-error"), 1);
    });
}

#[test]
fn a_new_socket_restarts_the_counters() {
    on_private_context(|context| {
        let (connection, mut first) = connected();
        first.write_all(b"12345").expect("connected");
        read(&connection, 5).expect("a peer");
        write(&connection, b"123").expect("connected");
        let (socket, mut second) = connected_socket();
        let told = Rc::new(Cell::new((u64::MAX, u64::MAX)));
        let tell = told.clone();
        connection.connect_notify_local(None, move |connection, property| {
            let (read, written) = tell.get();
            match property.name() {
                "bytes-read" => tell.set((connection.bytes_read(), written)),
                "bytes-written" => tell.set((read, connection.bytes_written())),
                _ => {}
            }
        });
        connection.set_socket(&socket).expect("it is idle");
        assert_eq!(connection.bytes_read(), 0);
        assert_eq!(connection.bytes_written(), 0);
        // Within the rate of those notifications.
        iterate_until(context, || told.get() == (0, 0));
        second.write_all(b"12").expect("connected");
        read(&connection, 2).expect("a peer");
        assert_eq!(connection.bytes_read(), 2);
    });
}

/// An object lives through reconnects, whatever the state that the old socket ended in.
#[test]
fn a_connection_lives_through_reconnects() {
    on_private_context(|context| {
        let connection = unconnected();
        for round in 0..3_u8 {
            let (listener, address) = listener();
            connection
                .connect(&gio_address(address), Cancellable::NONE)
                .expect("it listens");
            let (mut peer, _) = listener.accept().expect("connected");
            peer.write_all(&[round]).expect("connected");
            assert_eq!(read(&connection, 8).expect("a byte"), [round]);
            drop(peer);
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            connection.set_socket(&ipv4_socket()).expect("it is idle");
            assert_eq!(connection.state(), ConnectionState::Unconnected);
        }
    });
}

/// A property that does not change is not notified.
#[test]
fn a_new_socket_in_the_same_state_tells_no_change_of_state() {
    on_private_context(|_| {
        let connection = unconnected();
        let seen = notifications(&connection);
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert_eq!(*seen.borrow(), ["socket"]);
    });
}

#[test]
fn the_old_socket_is_released_at_the_swap_and_closes_with_its_last_reference() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let gone = Gone::of(&connection.socket());
        assert!(!gone.is_gone());
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert!(gone.is_gone());
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn the_old_socket_stays_open_for_whoever_holds_it() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let old = connection.socket();
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert!(!old.is_closed());
        old.send(b"still here", Cancellable::NONE)
            .expect("connected");
        // The connection has nothing to do with it any more.
        close(&connection);
        assert!(!old.is_closed());
        drop(old);
        assert_eq!(read_to_end(&mut peer), b"still here");
    });
}

/// GIO's own property is construct-only, so that no binding can target it.
#[test]
fn a_property_binding_can_target_the_socket() {
    on_private_context(|_| {
        let connection = unconnected();
        let source = Label::new();
        let binding = source
            .bind_property("socket", &connection, "socket")
            .build();
        let (socket, mut peer) = connected_socket();
        source.set_socket(Some(&socket));
        assert_eq!(connection.socket(), socket);
        assert!(connection.is_alive());
        write(&connection, b"bound").expect("connected");
        close(&connection);
        assert_eq!(read_to_end(&mut peer), b"bound");
        binding.unbind();
    });
}

#[test]
fn an_ipv4_socket_may_come_in_place_of_an_ipv6_one() {
    on_private_context(|_| {
        let listener = TcpListener::bind("[::1]:0").expect("IPv6 on loopback");
        let address = listener.local_addr().expect("bound");
        let connection =
            SocketConnection::factory_create_connection(&tcp_socket(SocketFamily::Ipv6));
        assert!(connection.is::<TcpConnection>());
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        assert_address(connection.remote_address(), address);

        let source = Label::new();
        source
            .bind_property("socket", &connection, "socket")
            .build();
        let (socket, mut peer) = connected_socket();
        source.set_socket(Some(&socket));
        assert_eq!(connection.socket().family(), SocketFamily::Ipv4);
        assert_address(
            connection.remote_address(),
            peer.local_addr().expect("connected"),
        );
        peer.write_all(b"four").expect("connected");
        assert_eq!(read(&connection, 8).expect("a peer"), b"four");
        // And back.
        connection
            .set_socket(&tcp_socket(SocketFamily::Ipv6))
            .expect("it is idle");
        assert_eq!(connection.socket().family(), SocketFamily::Ipv6);
    });
}

#[test]
fn a_connection_of_the_base_class_carries_any_socket() {
    on_private_context(|_| {
        let connection = SocketConnection::new(&ipv4_socket());
        for socket in [
            unix_socket(),
            datagram_socket(),
            tcp_socket(SocketFamily::Ipv6),
        ] {
            connection.set_socket(&socket).expect("any socket");
            assert_eq!(connection.socket(), socket);
        }
    });
}

/// Both ways of writing the property refuse `socket` and leave the connection as it was.
#[track_caller]
fn assert_refused(connection: &SocketConnection, socket: &gio::Socket, expected: IOErrorEnum) {
    let before = connection.socket();
    let state = connection.state();
    let seen = notifications(connection);
    assert_fails(connection.set_socket(socket), expected);
    with_one_critical(|| connection.set_property("socket", socket));
    assert_eq!(connection.socket(), before);
    assert_eq!(connection.state(), state);
    assert_eq!(
        *seen.borrow(),
        [""; 0],
        "nothing changed, nothing is notified"
    );
}

#[test]
fn no_socket_is_refused() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let before = connection.socket();
        let seen = notifications(&connection);
        with_one_critical(|| connection.set_property("socket", None::<gio::Socket>));
        assert_eq!(connection.socket(), before);
        assert!(connection.is_alive());
        assert_eq!(*seen.borrow(), [""; 0]);
    });
}

#[test]
fn a_closed_connection_refuses_another_socket() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        close(&connection);
        settle(context);
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Closed);
    });
}

#[test]
fn a_connection_with_an_operation_pending_refuses_another_socket() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        connection.set_pending().expect("it is idle");
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        connection.clear_pending();

        let deaf = deaf_listener();
        let connection = unconnected();
        let outcome = start_connect(&connection, deaf.address, None);
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        close(&connection);
        iterate_until(context, || outcome.borrow().is_some());
    });
}

#[test]
fn a_connection_whose_streams_are_busy_refuses_another_socket() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let outcome = start_read(&connection, 8);
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        // As much after it waits for the peer as before.
        settle(context);
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        peer.write_all(b"there").expect("connected");
        iterate_until(context, || outcome.borrow().is_some());
        assert_eq!(
            outcome.take().expect("ended").expect("five bytes"),
            b"there"
        );

        connection.output_stream().set_pending().expect("idle");
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        connection.output_stream().clear_pending();
        connection
            .set_socket(&ipv4_socket())
            .expect("it is idle again");
    });
}

#[test]
fn a_writer_that_waits_for_room_refuses_another_socket() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let ended = Rc::new(Cell::new(false));
        let end = ended.clone();
        connection.output_stream().write_all_async(
            vec![7; 16 << 20],
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |result| {
                assert!(matches!(result, Ok((_, _, None))), "it was all sent");
                end.set(true);
            },
        );
        settle(context);
        assert!(!ended.get(), "more than the kernel takes at once");
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        let reader = thread::spawn(move || {
            let mut bytes = vec![0; 16 << 20];
            peer.read_exact(&mut bytes).expect("all of it");
            bytes.iter().all(|byte| *byte == 7)
        });
        iterate_until(context, || ended.get());
        assert!(reader.join().expect("no panic"));
    });
}

/// The reader of G-5, who has a thread of its own.
#[test]
fn a_reader_on_another_thread_refuses_another_socket() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let pointer = Pointer::of(&connection);
        let reader = thread::spawn(move || {
            // SAFETY: reads, which one thread may do, and gives the reference back while another
            // is held.
            let connection = unsafe { pointer.object() };
            read(&connection, 8).expect("a peer")
        });
        iterate_until(context, || connection.input_stream().has_pending());
        assert_refused(&connection, &ipv4_socket(), IOErrorEnum::Pending);
        peer.write_all(b"there").expect("connected");
        assert_eq!(reader.join().expect("no panic"), b"there");
        connection
            .set_socket(&ipv4_socket())
            .expect("it is idle again");
    });
}

#[test]
fn a_socket_that_the_class_cannot_carry_is_refused() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        assert!(connection.is::<TcpConnection>());
        assert_refused(&connection, &unix_socket(), IOErrorEnum::InvalidArgument);
        assert_refused(
            &connection,
            &datagram_socket(),
            IOErrorEnum::InvalidArgument,
        );
        // It works as before.
        write(&connection, b"as before").expect("connected");
        close(&connection);
        assert_eq!(read_to_end(&mut peer), b"as before");
    });
}

#[test]
fn the_same_socket_again_changes_nothing() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"12345").expect("connected");
        read(&connection, 5).expect("a peer");
        // The trailing notification of the counter, which is not of this test.
        settle(context);
        let seen = notifications(&connection);
        let socket = connection.socket();
        connection.set_property("socket", &socket);
        connection.set_socket(&socket).expect("nothing to do");
        assert_eq!(*seen.borrow(), [""; 0]);
        assert_eq!(connection.bytes_read(), 5);

        // Not even where another one would be refused.
        let outcome = start_read(&connection, 8);
        connection.set_socket(&socket).expect("nothing to do");
        drop(peer);
        iterate_until(context, || outcome.borrow().is_some());
        assert_eq!(outcome.take().expect("ended").expect("an end of file"), b"");
    });
}

/// C's `get_socket` takes no reference: what it has handed out stays until the connection is gone.
#[test]
fn a_borrowed_socket_lives_as_long_as_the_connection_that_has_moved_on() {
    on_private_context(|_| {
        let first = ipv4_socket();
        let connection = SocketConnection::new(&first);
        assert_eq!(connection.lend_socket(), first.as_ptr());
        let weak = first.downgrade();
        drop(first);

        let second = ipv4_socket();
        connection.set_socket(&second).expect("it is idle");
        assert!(weak.upgrade().is_some(), "C may still use it");
        // Asked for twice, lent once.
        assert_eq!(connection.lend_socket(), second.as_ptr());
        assert_eq!(connection.lend_socket(), second.as_ptr());
        let weak_second = second.downgrade();
        drop(second);
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert!(weak_second.upgrade().is_some());

        drop(connection);
        assert!(weak.upgrade().is_none());
        assert!(weak_second.upgrade().is_none());
    });
}

#[test]
fn a_socket_that_was_not_borrowed_goes_when_the_connection_moves_on() {
    on_private_context(|_| {
        let first = ipv4_socket();
        let connection = SocketConnection::new(&first);
        let weak = first.downgrade();
        drop(first);
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert!(weak.upgrade().is_none());
    });
}

/// The one that is made for a bare descriptor too.
#[test]
fn the_borrowed_socket_of_a_bare_descriptor_is_the_one_that_socket_answers() {
    on_private_context(|_| {
        let (connection, _peer) = connected_bare();
        let lent = connection.lend_socket();
        assert_eq!(connection.socket().as_ptr(), lent);
        connection.close(Cancellable::NONE).expect("it is open");
        assert_eq!(connection.lend_socket(), lent);
    });
}

/// It stays what C may point at; nothing is left of it on the wire.
#[test]
fn a_borrowed_socket_that_nobody_else_holds_is_closed_when_the_connection_moves_on() {
    on_private_context(|_| {
        let (mut peer, fd) = tcp_pair();
        let first = gio::Socket::from_fd(fd).expect("a socket");
        let connection = SocketConnection::new(&first);
        assert_eq!(connection.lend_socket(), first.as_ptr());
        let weak = first.downgrade();
        drop(first);
        connection.set_socket(&ipv4_socket()).expect("it is idle");
        assert_eq!(read_to_end(&mut peer), b"");
        assert!(weak.upgrade().expect("C may still look at it").is_closed());
    });
}
