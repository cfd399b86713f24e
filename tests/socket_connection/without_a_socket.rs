//! Connections that were built without a socket that they could use.

use gio::{Cancellable, IOErrorEnum, SocketFamily, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// SC-3, where C aborts or crashes.
#[test]
fn without_a_socket_it_is_born_closed_with_a_critical() {
    on_private_context(|context| {
        let connection = with_one_critical(glib::Object::new::<SocketConnection>);
        assert!(connection.is_closed());
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert!(!connection.is_alive());
        assert!(!connection.is_connected());
        // Never NULL.
        let socket = connection.property::<Option<gio::Socket>>("socket");
        assert_eq!(
            socket.expect("a placeholder"),
            connection.socket(),
            "always the same one"
        );

        let (_listener, address) = listener();
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
        assert_fails(read(&connection, 1), IOErrorEnum::Closed);
        assert_fails(write(&connection, b"x"), IOErrorEnum::Closed);
        assert_fails(connection.local_address(), IOErrorEnum::NotConnected);
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
        assert_fails(connection.set_socket(&ipv4_socket()), IOErrorEnum::Closed);
        close(&connection);
    });
}

#[test]
fn built_with_a_socket_that_its_class_cannot_carry_it_is_born_closed() {
    on_private_context(|_| {
        let (connection, lines) = logged(|| -> TcpConnection {
            glib::Object::builder()
                .property("socket", unix_socket())
                .build()
        });
        assert!(!lines.is_empty());
        assert!(connection.is_closed());
        assert_ne!(connection.socket().family(), SocketFamily::Unix);
    });
}

#[test]
fn around_a_closed_socket_everything_answers_closed() {
    on_private_context(|_| {
        let socket = ipv4_socket();
        socket.close().expect("it is open");
        let connection = SocketConnection::new(&socket);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_eq!(connection.socket(), socket);
        assert_fails(read(&connection, 1), IOErrorEnum::Closed);
        assert_fails(write(&connection, b"x"), IOErrorEnum::Closed);
        let (_listener, address) = listener();
        assert_fails(
            connection.connect(&gio_address(address), Cancellable::NONE),
            IOErrorEnum::Closed,
        );
        close(&connection);
    });
}
