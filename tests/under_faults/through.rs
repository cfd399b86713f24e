//! A client that connects through proxies, and by TLS, while system calls fail.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    thread,
};

use gio::{Cancellable, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::{
    scene::{Own, Scene, drive, play_the_peer},
    support::listener,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
    Tls,
}

fn serve_proxy(listener: &TcpListener, kind: Kind) {
    let answers: &[&[u8]] = match kind {
        Kind::Socks5 => &[&[5, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
        _ => &[b"HTTP/1.0 200 OK\r\n\r\n"],
    };
    for peer in listener.incoming().flatten().take(2) {
        let mut peer = peer;
        let mut buffer = [0; 4096];
        // Until the whole request is there, which may come in single bytes.
        let is_whole = |text: &[u8], at: usize| match (kind, at) {
            (Kind::Socks5, 0) => text.len() >= 3,
            (Kind::Socks5, _) => text.len() >= 10,
            _ => text.ends_with(b"\r\n\r\n"),
        };
        'talk: {
            for (at, answer) in answers.iter().enumerate() {
                let mut text = Vec::new();
                while !is_whole(&text, at) {
                    match peer.read(&mut buffer) {
                        Ok(0) | Err(_) => break 'talk,
                        Ok(count) => text.extend_from_slice(&buffer[..count]),
                    }
                }
                if peer.write_all(answer).is_err() {
                    break 'talk;
                }
            }
            while peer.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = glib::base64_encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn certificate() -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

fn serve_tls(listener: &TcpListener, certificate: &str) {
    for peer in listener.incoming().flatten().take(2) {
        let certificate = gio::TlsCertificate::from_pem(certificate).expect("just made");
        let socket = gio::Socket::from_fd(OwnedFd::from(peer)).expect("a socket");
        let base = socket.connection_factory_create_connection();
        let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).expect("a backend");
        let tls: gio::TlsConnection = tls.upcast();
        if tls.handshake(Cancellable::NONE).is_ok() {
            let _ = tls.input_stream().read_bytes(1, Cancellable::NONE);
        }
    }
}

fn client(scene: &Scene<'_>, kind: Kind, address: SocketAddr) -> SocketClient {
    let client = SocketClient::new();
    scene.note("client", &client);
    if kind == Kind::Tls {
        client.set_enable_proxy(false);
        client.set_tls(true);
        client.connect_event(|_, event, _, stream| {
            if event == Event::TlsHandshaking
                && let Some(tls) = stream.and_then(|it| it.downcast_ref::<gio::TlsConnection>())
            {
                tls.connect_accept_certificate(|_, _, _| true);
            }
        });
    } else {
        let scheme = if kind == Kind::Http { "http" } else { "socks5" };
        let uri = format!("{scheme}://{address}");
        let resolver = gio::SimpleProxyResolver::new(Some(&uri), [""; 0]);
        client.set_proxy_resolver(Some(&resolver));
    }
    client
}

/// It connects, or says why not; then nothing is left, and the same client connects.
fn connects(kind: Kind, blocking: bool) {
    let own = Own {
        codes_of_others: true,
        has_threads: true,
        ..Own::ANY
    };
    let certificate = if kind == Kind::Tls {
        certificate()
    } else {
        String::new()
    };
    drive(own, move |scene| {
        let (listener, address) = listener();
        let certificate = certificate.clone();
        let serving = thread::spawn(move || {
            play_the_peer();
            match kind {
                Kind::Tls => serve_tls(&listener, &certificate),
                _ => serve_proxy(&listener, kind),
            }
        });
        let client = client(scene, kind, address);
        let port = if kind == Kind::Tls { address.port() } else { 7 };
        let target = gio::NetworkAddress::new("127.0.0.1", port);
        let connect = || -> Result<SocketConnection, glib::Error> {
            if blocking {
                client.connect(&target, Cancellable::NONE)
            } else {
                scene.context.block_on(client.connect_future(&target))
            }
        };
        let outcome = scene.under_faults(connect);
        let connection = match &outcome {
            Ok(connection) => connection.clone(),
            Err(_) => connect().expect("nothing is in its way"),
        };
        scene.note("connection", &connection);
        let output = connection.output_stream();
        // What fails last may fail what comes next.
        let written = output.write_all(b"x", Cancellable::NONE);
        assert!(written.is_ok() || scene.suffered(), "{written:?}");
        let _ = connection.close(Cancellable::NONE);
        drop(connection);
        // The one of two that has not come.
        while !serving.is_finished() {
            drop(std::net::TcpStream::connect(address));
            crate::scene::pause();
        }
        serving.join().expect("no panic");
        outcome.map(drop)
    });
}

macro_rules! drivers {
    ($($name:ident: $body:expr;)*) => {$(
        #[test]
        fn $name() {
            $body;
        }
    )*};
}

drivers! {
    socks_blocking: connects(Kind::Socks5, true);
    socks_future: connects(Kind::Socks5, false);
    http_blocking: connects(Kind::Http, true);
    http_future: connects(Kind::Http, false);
    tls_blocking: connects(Kind::Tls, true);
    tls_future: connects(Kind::Tls, false);
}
