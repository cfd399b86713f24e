//! The factory, as far as every user meets it.

use gio::{SocketFamily, SocketType, prelude::*};
use gsock::{SocketConnection, TcpConnection};

use crate::{support::*, tools::*};

/// SC-31, SC-32.
#[test]
fn the_factory_makes_the_registered_type_and_the_base_type_where_there_is_none() {
    on_private_context(|_| {
        let lookup = SocketConnection::factory_lookup_type;
        // Nobody else's key.
        let key = (SocketFamily::Unix, SocketType::Datagram, 0);
        assert_eq!(
            lookup(key.0, key.1, key.2),
            SocketConnection::static_type(),
            "nothing is registered"
        );
        SocketConnection::factory_register_type(Derived::static_type(), key.0, key.1, key.2);
        assert_eq!(lookup(key.0, key.1, key.2), Derived::static_type());

        let registered = gio::Socket::new(key.0, key.1, gio::SocketProtocol::Default)
            .expect("Unix datagram sockets");
        let connection = SocketConnection::factory_create_connection(&registered);
        assert_eq!(connection.type_(), Derived::static_type());
        let connection = SocketConnection::factory_create_connection(&datagram_socket());
        assert_eq!(connection.type_(), SocketConnection::static_type());
        let connection = SocketConnection::factory_create_connection(&ipv4_socket());
        assert_eq!(connection.type_(), TcpConnection::static_type());
    });
}
