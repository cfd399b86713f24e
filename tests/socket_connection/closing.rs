//! What closes the socket, and what does not.

use std::{cell::Cell, io::Read, rc::Rc};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

/// SC-26.
#[test]
fn closing_both_streams_does_not_close_the_socket_and_closing_the_connection_does() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        input.close(Cancellable::NONE).expect("it is idle");
        output.close(Cancellable::NONE).expect("it is idle");
        assert!(input.is_closed());
        assert!(output.is_closed());
        settle(context);

        let socket = connection.socket();
        assert!(!socket.is_closed());
        assert!(!connection.is_closed());
        assert!(connection.is_connected());
        assert_eq!(connection.state(), ConnectionState::Connected);
        socket.send(b"open", Cancellable::NONE).expect("connected");
        let mut bytes = [0; 4];
        peer.read_exact(&mut bytes).expect("connected");
        assert_eq!(&bytes, b"open");

        close(&connection);
        assert!(socket.is_closed());
        assert!(connection.is_closed());
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn closing_both_streams_asynchronously_does_not_close_the_socket_either() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let closed = Rc::new(Cell::new(0));
        let (one, other) = (closed.clone(), closed.clone());
        connection.input_stream().close_async(
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |result| {
                result.expect("it is idle");
                one.set(one.get() + 1);
            },
        );
        connection.output_stream().close_async(
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |result| {
                result.expect("it is idle");
                other.set(other.get() + 1);
            },
        );
        iterate_until(context, || closed.get() == 2);
        assert!(connection.is_connected());
        assert!(!connection.socket().is_closed());
        close(&connection);
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// SC-30.
#[test]
fn after_a_close_everything_answers_closed_and_a_second_close_succeeds() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        close(&connection);
        assert!(input.is_closed());
        assert!(output.is_closed());
        assert_fails(read(&connection, 1), IOErrorEnum::Closed);
        assert_fails(write(&connection, b"x"), IOErrorEnum::Closed);
        let (listener, address) = listener();
        assert_fails(
            connection.connect(&gio_address(address), Cancellable::NONE),
            IOErrorEnum::Closed,
        );
        assert_fails(
            connect_async_and_wait(context, &connection, address, None),
            IOErrorEnum::Closed,
        );
        assert_fails(
            block_on(context, connection.connect_future(&gio_address(address))),
            IOErrorEnum::Closed,
        );
        assert_nobody_connected(&listener);
        close(&connection);
        let closed = block_on(context, connection.close_future(glib::Priority::DEFAULT));
        closed.expect("closed already");
    });
}

/// The error matrix's last row: a blocking call on what is closed says so, cancelled or not.
#[test]
fn a_cancelled_blocking_connect_of_a_closed_connection_says_closed() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        close(&connection);
        let cancellable = Cancellable::new();
        cancellable.cancel();
        assert_fails(
            connection.connect(&gio_address(refused_address()), Some(&cancellable)),
            IOErrorEnum::Closed,
        );
    });
}

/// SC-17a.
#[test]
fn closing_while_connecting_ends_the_connect_with_closed() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let outcome = start_connect(&connection, deaf.address, None);
        settle(context);
        assert!(kernel_states(port).contains(&SYN_SENT));
        close(&connection);
        assert!(
            outcome.borrow().is_none(),
            "the callback is not called from here"
        );
        assert_eq!(connection.state(), ConnectionState::Closed);
        iterate_until(context, || outcome.borrow().is_some());
        assert_fails(outcome.take().expect("ended"), IOErrorEnum::Closed);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert!(!kernel_states(port).contains(&SYN_SENT));
    });
}

/// SC-24, SC-25.
#[test]
fn a_cancelled_cancellable_does_not_keep_a_close_from_closing() {
    on_private_context(|context| {
        let cancellable = Cancellable::new();
        cancellable.cancel();
        let (connection, mut peer) = connected();
        connection
            .close(Some(&cancellable))
            .expect("it has no effect");
        assert_eq!(read_to_end(&mut peer), b"");

        let (connection, mut peer) = connected();
        let ended = Rc::new(Cell::new(false));
        let end = ended.clone();
        connection.close_async(glib::Priority::DEFAULT, Some(&cancellable), move |_| {
            end.set(true)
        });
        iterate_until(context, || ended.get());
        assert!(connection.is_closed());
        assert!(connection.socket().is_closed());
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// SC-27.
#[test]
fn a_dropped_connection_closes_the_socket_unless_somebody_holds_it() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        drop(connection);
        assert_eq!(read_to_end(&mut peer), b"");

        let (connection, mut peer) = connected();
        let socket = connection.socket();
        drop(connection);
        assert!(!socket.is_closed());
        socket.send(b"open", Cancellable::NONE).expect("connected");
        drop(socket);
        assert_eq!(read_to_end(&mut peer), b"open");
    });
}
