//! The addresses of what a client makes: nobody asks the kernel before they are wanted.

use std::net::SocketAddr;

use gio::prelude::*;
use gsock::{ConnectionState, SocketClient, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

fn std_address(address: &gio::SocketAddress) -> SocketAddr {
    let address: &gio::InetSocketAddress = address.downcast_ref().expect("of the internet");
    let ip = InetAddressExt::to_str(&address.address());
    SocketAddr::new(ip.parse().expect("an address"), address.port())
}

fn assert_between(connection: &SocketConnection, here: SocketAddr, there: SocketAddr) {
    let (local, remote) = (connection.local_address(), connection.remote_address());
    assert_eq!(local.map(|address| std_address(&address)), Ok(here));
    assert_eq!(remote.map(|address| std_address(&address)), Ok(there));
}

#[test]
fn both_outlive_the_peer_the_socket_and_the_close() {
    on_private_context(|context| {
        let (listener, there) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            let connected = || {
                let made = connect(form, &client, &gio_address(there), None, context);
                let (peer, here) = listener.accept().expect("connected");
                (made.expect("it listens"), peer, here)
            };

            let (connection, peer, here) = connected();
            reset(peer);
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            assert_between(&connection, here, there);

            let (connection, _peer, here) = connected();
            connection.close(gio::Cancellable::NONE).expect("open");
            assert_between(&connection, here, there);

            let (connection, _peer, here) = connected();
            connection.socket().close().expect("open");
            assert_between(&connection, here, there);
        }
    });
}

#[test]
fn the_local_one_is_known_when_the_socket_was_lent_before_the_connect() {
    on_private_context(|context| {
        let (listener, there) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.connect_event(|_, event, _, stream| {
                if event == gio::SocketClientEvent::Connecting {
                    let connection: Option<&SocketConnection> =
                        stream.and_then(|stream| stream.downcast_ref());
                    connection.expect("a connection").socket();
                }
            });
            let made = connect(form, &client, &gio_address(there), None, context);
            let (_peer, here) = listener.accept().expect("connected");
            let connection = made.expect("it listens");
            connection.socket().close().expect("open");
            assert_between(&connection, here, there);
        }
    });
}

/// What was connected to is one more name of it.
#[test]
fn the_remote_one_is_the_peers_own() {
    on_private_context(|context| {
        let (listener, there) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            for name in ["0.0.0.0", "::ffff:127.0.0.1"] {
                let name: SocketAddr = SocketAddr::new(name.parse().unwrap(), there.port());
                let made = connect(form, &client, &gio_address(name), None, context);
                let connection = made.expect("it listens");
                let (_peer, _) = listener.accept().expect("connected");
                let remote = connection.remote_address().expect("connected");
                let same = connection.socket().remote_address().expect("connected");
                assert_eq!(std_address(&remote), std_address(&same));
                assert_eq!(std_address(&remote).ip().to_string(), "127.0.0.1");
            }
        }
    });
}
