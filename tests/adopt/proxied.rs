//! GIO's client, by way of a proxy: it looks for its own class before it asks one.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use gio::prelude::*;

use crate::{support::*, tools::*};

#[test]
fn a_client_asks_a_socks_proxy() {
    adopted(|context| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let proxying = thread::spawn(move || {
            for _ in 0..2 {
                let (mut peer, _) = listener.accept().expect("a client");
                peer.set_read_timeout(Some(LIMIT)).expect("an option");
                let mut head = [0; 2];
                peer.read_exact(&mut head).expect("a greeting");
                let mut methods = vec![0; usize::from(head[1])];
                peer.read_exact(&mut methods).expect("methods");
                peer.write_all(&[5, 0]).expect("room");
                // Version, connect, reserved, a name, how long it is, the name, a port.
                let mut request = [0; 15];
                peer.read_exact(&mut request).expect("a request");
                assert_eq!(request[..5], [5, 1, 0, 3, 8]);
                assert_eq!(request[5..13], *b"far.test");
                peer.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0x10, 0xe1])
                    .expect("room");
                let mut message = [0; 7];
                peer.read_exact(&mut message).expect("a message");
                peer.write_all(&message).expect("room");
            }
        });
        let client = gio::SocketClient::new();
        let resolver = gio::SimpleProxyResolver::new(
            Some(&format!("socks5://127.0.0.1:{port}")),
            [] as [&str; 0],
        );
        client.set_proxy_resolver(Some(&resolver));
        for blocking in [true, false] {
            let connection = if blocking {
                client.connect_to_host("far.test", 4321, gio::Cancellable::NONE)
            } else {
                block_on(context, client.connect_to_host_future("far.test", 4321))
            };
            let connection = connection.expect("the proxy agrees");
            assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
            write_all(&connection, b"far off");
            assert_eq!(read_some(&connection).expect("an echo"), b"far off");
        }
        proxying.join().expect("not torn");
    });
}
