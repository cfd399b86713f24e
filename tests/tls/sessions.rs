//! Whether a client goes on with a session of before, as the server sees it.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread::{self, JoinHandle},
};

use gio::{Cancellable, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::prelude::*;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::{pairs::*, scene::*, support::*, under::*};

/// Serves as many clients as `count` with another library, as GIO's own server keeps no sessions; answers how
/// each of them has shaken hands.
fn serve(
    listener: TcpListener,
    config: ServerConfig,
    count: usize,
) -> JoinHandle<Vec<HandshakeKind>> {
    let config = Arc::new(config);
    thread::spawn(move || {
        let one = |_| {
            let (stream, _) = listener.accept().expect("a client");
            stream
                .set_read_timeout(Some(LIMIT * slowness()))
                .expect("an option");
            let tls = ServerConnection::new(config.clone()).expect("a configuration");
            let mut tls = StreamOwned::new(tls, stream);
            let mut bytes = [0; 4];
            tls.read_exact(&mut bytes).expect("a message");
            tls.write_all(&bytes).expect("room");
            let mut rest = Vec::new();
            tls.read_to_end(&mut rest).expect("a close that is told");
            tls.conn.handshake_kind().expect("the handshake is over")
        };
        (0..count).map(one).collect()
    })
}

/// How two clients shake hands, one after the other, whose connections `wrap` makes.
fn two_clients(wrap: impl Fn(&gio::Socket) -> gio::IOStream) -> Vec<HandshakeKind> {
    two_clients_that(|socket, authority| client_over(&wrap(socket), authority))
}

/// Likewise, with TLS that `client_of` makes.
fn two_clients_that(
    mut client_of: impl FnMut(&gio::Socket, &Authority) -> gio::TlsConnection,
) -> Vec<HandshakeKind> {
    let authority = Authority::new();
    let (listener, address) = listener();
    let serving = serve(listener, authority.config(), 2);
    for _ in 0..2 {
        let socket = noted(ipv4_socket());
        SocketExt::connect(&socket, &gio_address(address), Cancellable::NONE).unwrap();
        let client = client_of(&socket, &authority);
        // The server's tickets are in front of its first bytes.
        write_all(&client.output_stream(), b"once").unwrap();
        assert_eq!(read_exactly(&client.input_stream(), 4).unwrap(), b"once");
        client.close(Cancellable::NONE).unwrap();
    }
    serving.join().expect("all went well")
}

/// glib-networking looks for GIO's class to name the session by the peer's address.
#[test]
fn a_session_is_gone_on_with_over_gios_class_and_not_over_ours() {
    to_the_end(|_| {
        let over = |side: Side| two_clients(|socket| (*side.around(socket)).clone());
        assert_eq!(
            over(Side::Gio),
            [HandshakeKind::Full, HandshakeKind::Resumed]
        );
        assert_eq!(over(Side::Ours), [HandshakeKind::Full, HandshakeKind::Full]);
    });
}

/// Around the socket of ours, which must not read or write meanwhile.
#[test]
fn a_connection_of_gios_around_the_socket_of_ours_goes_on_with_a_session() {
    to_the_end(|_| {
        let kinds = two_clients(|socket| {
            let ours = Side::Ours.around(socket);
            (*Side::Gio.around(&ours.socket())).clone()
        });
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
    });
}

/// GIO can hand a session on by itself too, but looks for its class there as well.
#[test]
fn a_session_is_copied_between_connections_over_gios_class_and_not_over_ours() {
    to_the_end(|_| {
        let over = |side: Side, criticals: usize| {
            let mut before: Option<gio::TlsConnection> = None;
            let ((), lines) = logged(|| {
                let kinds = two_clients_that(|socket, authority| {
                    let client = client_over(&side.around(socket), authority);
                    if let Some(before) = before.replace(client.clone()) {
                        copy_session(&before, &client);
                    }
                    client
                });
                let second = match criticals {
                    0 => HandshakeKind::Resumed,
                    _ => HandshakeKind::Full,
                };
                assert_eq!(kinds, [HandshakeKind::Full, second]);
            });
            assert_eq!(lines.len(), criticals, "{lines:?}");
        };
        over(Side::Gio, 0);
        over(Side::Ours, 1);
    });
}

/// `g_tls_client_connection_copy_session_state()`, which gio-rs has for older versions only.
fn copy_session(from: &gio::TlsConnection, to: &gio::TlsConnection) {
    let [from, to] = [from, to].map(|end| {
        end.dynamic_cast_ref::<gio::TlsClientConnection>()
            .expect("a client")
    });
    // SAFETY: live clients, of one backend.
    unsafe {
        gio::ffi::g_tls_client_connection_copy_session_state(
            to.to_glib_none().0,
            from.to_glib_none().0,
        );
    }
}

/// GIO's wrapper is of its class, and what goes through it goes through ours.
#[test]
fn a_tcp_wrapper_around_ours_goes_on_with_a_session() {
    to_the_end(|_| {
        let mut under = Vec::new();
        let kinds = two_clients_that(|socket, authority| {
            let ours = Side::Ours.around(socket);
            let wrapper = gio::TcpWrapperConnection::new(&*ours, socket);
            under.push(ours.ours().clone());
            client_over(wrapper.upcast_ref(), authority)
        });
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
        for ours in under {
            assert!(ours.bytes_written() > 0);
        }
    });
}

#[test]
fn what_to_gio_makes_of_ours_goes_on_with_a_session() {
    to_the_end(|_| {
        let mut under = Vec::new();
        let kinds = two_clients_that(|socket, authority| {
            let ours = Side::Ours.around(socket);
            under.push(ours.ours().clone());
            client_over(ours.ours().to_gio().upcast_ref(), authority)
        });
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
        for ours in under {
            assert!(ours.bytes_written() > 0);
        }
    });
}
