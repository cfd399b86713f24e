//! A base stream that speaks TLS: GLib's own, from glib-networking.

use std::{
    net::TcpStream,
    os::fd::OwnedFd,
    thread::{self, JoinHandle},
};

use gio::prelude::*;
use gsock::{TcpWrapperConnection, prelude::*};

use crate::{support::*, tools::*};

/// A certificate with its key, made for this run.
fn certificate() -> gio::TlsCertificate {
    assert!(
        gio::TlsBackend::default().supports_tls(),
        "GLib has no TLS here: install glib-networking"
    );
    let made = rcgen::generate_simple_self_signed(["test.invalid".to_owned()]).expect("made");
    let pem = |what: &str, der: &[u8]| {
        let text = glib::base64_encode(der);
        format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
    };
    let text = pem("CERTIFICATE", made.cert.der())
        + &pem("PRIVATE KEY", &made.signing_key.serialize_der());
    gio::TlsCertificate::from_pem(&text).expect("both")
}

/// What the peer reads up to an end that TLS says is one, and what it then still sends.
fn server(peer: TcpStream, rest: Vec<u8>) -> JoinHandle<Result<Vec<u8>, glib::Error>> {
    peer.set_read_timeout(None).expect("an option");
    let pem = certificate();
    let (certificate, key) = (
        pem.certificate_pem().expect("its own"),
        pem.private_key_pem().expect("its own"),
    );
    thread::spawn(move || {
        let own = gio::TlsCertificate::from_pem(&format!("{certificate}{key}"))?;
        let socket = gio::Socket::from_fd(OwnedFd::from(peer))?;
        let below = socket.connection_factory_create_connection();
        let tls = gio::TlsServerConnection::new(&below, Some(&own))?;
        tls.upcast_ref::<gio::TlsConnection>().handshake(NONE)?;
        let mut read = Vec::new();
        loop {
            let bytes = tls.input_stream().read_bytes(64, NONE)?;
            if bytes.is_empty() {
                break;
            }
            read.extend_from_slice(&bytes);
        }
        for piece in rest.chunks(1024) {
            tls.output_stream().write_all(piece, NONE)?;
        }
        tls.close(NONE)?;
        Ok(read)
    })
}

fn secured(
    peer_sends: Vec<u8>,
) -> (
    TcpWrapperConnection,
    JoinHandle<Result<Vec<u8>, glib::Error>>,
) {
    let (connection, peer) = connected_to_outlive();
    let server = server(peer, peer_sends);
    let tls =
        gio::TlsClientConnection::new(&connection, gio::SocketConnectable::NONE).expect("a client");
    // Nobody has signed it.
    tls.upcast_ref::<gio::TlsConnection>()
        .connect_accept_certificate(|_, _, _| true);
    let wrapper =
        TcpWrapperConnection::new(&tls, &connection.socket()).expect("a socket of its kind");
    (wrapper, server)
}

/// F-13: without its last words TLS takes an end for an attack.
#[test]
fn a_close_says_goodbye_in_tls() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, server) = secured(Vec::new());
            let output = wrapper.output_stream();
            output.write_all(b"secret", NONE).expect("shaken hands");
            form.close(context, &wrapper)
                .expect("nothing is in the way");
            assert_closed(&wrapper);
            assert!(wrapper.base_io_stream().is_closed());
            let read = server.join().expect("no panic");
            assert_eq!(read.expect("an orderly end"), b"secret", "{form:?}");
        }
    });
}

#[test]
fn a_graceful_close_drains_what_tls_still_brings() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, server) = secured(vec![b'.'; 100_000]);
            wrapper.set_graceful_disconnect(true);
            let output = wrapper.output_stream();
            output.write_all(b"secret", NONE).expect("shaken hands");
            form.close(context, &wrapper).expect("the peer ends");
            assert_closed(&wrapper);
            let read = server.join().expect("no panic");
            assert_eq!(read.expect("all was taken"), b"secret", "{form:?}");
        }
    });
}
