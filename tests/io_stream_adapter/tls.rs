//! TLS by rustls, over a connection of this crate, under GIO's streams.

use std::{sync::Arc, thread};

use futures::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    },
};
use gio::prelude::*;
use gsock::{IoStreamAdapter, SocketConnection};

use crate::{support::*, tools::*};

const NAME: &str = "test.invalid";

fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    (made.cert.der().clone(), key)
}

fn connector(root: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("of its own provider")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

fn acceptor(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("of its own provider")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    Arc::new(config).into()
}

/// Answers each line in capitals, and tells whether the other side has said goodbye.
fn shouting_server(
    peer: std::net::TcpStream,
    acceptor: TlsAcceptor,
) -> thread::JoinHandle<Result<(), std::io::Error>> {
    thread::spawn(move || {
        let context = glib::MainContext::new();
        let connection = SocketConnection::factory_create_connection_from_fd(peer.into());
        let connection = connection.expect("a socket");
        context.block_on(async move {
            let mut tls = acceptor.accept(connection).await?;
            let mut buffer = [0; 512];
            loop {
                let count = tls.read(&mut buffer).await?;
                if count == 0 {
                    tls.close().await?;
                    return Ok(());
                }
                buffer[..count].make_ascii_uppercase();
                tls.write_all(&buffer[..count]).await?;
                tls.flush().await?;
            }
        })
    })
}

#[test]
fn gios_lines_are_read_through_rustls_over_a_connection() {
    on_private_context(|context| {
        for blocking in [false, true] {
            let (root, key) = certificate();
            let (connection, peer) = connected();
            let server = shouting_server(peer, acceptor(root.clone(), key));
            let below = connection.clone();
            let tls = block_on(context, async move {
                let name = ServerName::try_from(NAME).expect("a name");
                connector(root).connect(name, below).await
            });
            let stream = IoStreamAdapter::new(tls.expect("a server of that name"));
            let lines = gio::DataInputStream::new(&stream.input_stream());
            let output = stream.output_stream();
            for (sent, expected) in [("one", "ONE"), ("and another", "AND ANOTHER")] {
                let sent = format!("{sent}\n");
                let line = if blocking {
                    output.write_all(sent.as_bytes(), NONE).expect("room");
                    output.flush(NONE).expect("room");
                    lines.read_line_utf8(NONE)
                } else {
                    let written =
                        output.write_bytes_future(&glib::Bytes::from(sent.as_bytes()), DEFAULT);
                    let count = block_on(context, written).expect("room");
                    assert_eq!(count.unsigned_abs(), sent.len());
                    block_on(context, output.flush_future(DEFAULT)).expect("room");
                    block_on(context, lines.read_line_utf8_future(DEFAULT))
                };
                assert_eq!(line.expect("not torn").expect("a line"), expected);
            }
            // The output alone, so that the server's goodbye can be read.
            if blocking {
                output.close(NONE).expect("nothing is in the way");
            } else {
                block_on(context, output.close_future(DEFAULT)).expect("nothing is in the way");
            }
            let rest = if blocking {
                stream.input_stream().read_bytes(8, NONE)
            } else {
                block_on(context, stream.input_stream().read_bytes_future(8, DEFAULT))
            };
            assert!(rest.expect("an orderly end").is_empty());
            drop((lines, output));
            stream.close(NONE).expect("nothing is in the way");
            // It has read ours.
            server.join().expect("no panic").expect("an orderly end");
            connection.close(NONE).expect("open");
        }
    });
}

/// GLib's data is not taken for an end that was cut off.
#[test]
fn a_connection_that_is_cut_off_is_no_end() {
    on_private_context(|context| {
        let (root, key) = certificate();
        let (connection, peer) = connected();
        let acceptor = acceptor(root.clone(), key);
        let server = thread::spawn(move || {
            let context = glib::MainContext::new();
            let connection = SocketConnection::factory_create_connection_from_fd(peer.into());
            let connection = connection.expect("a socket");
            context.block_on(async move {
                let below = connection.clone();
                let mut tls = acceptor.accept(below).await.expect("a client");
                tls.write_all(b"cut").await.expect("room");
                tls.flush().await.expect("room");
                connection.close(NONE).expect("open");
            });
        });
        let tls = block_on(context, async move {
            let name = ServerName::try_from(NAME).expect("a name");
            connector(root).connect(name, connection).await
        });
        let stream = IoStreamAdapter::new(tls.expect("a server of that name"));
        let input = stream.input_stream();
        let read = block_on(context, input.read_bytes_future(8, DEFAULT));
        assert_eq!(&*read.expect("not torn"), b"cut");
        let end = block_on(context, input.read_bytes_future(8, DEFAULT));
        assert_fails(end.map(drop), gio::IOErrorEnum::BrokenPipe);
        server.join().expect("no panic");
    });
}

/// GLib's own TLS shakes hands on a thread of its own: over a stream that may be used there.
#[test]
fn glibs_own_tls_runs_over_a_pipe_of_futures() {
    on_private_context(|context| {
        assert!(
            gio::TlsBackend::default().supports_tls(),
            "GLib has no TLS here: install glib-networking"
        );
        let (root, key) = certificate();
        let pem = |what: &str, der: &[u8]| {
            let text = glib::base64_encode(der);
            format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
        };
        let text = pem("CERTIFICATE", &root) + &pem("PRIVATE KEY", key.secret_der());
        for blocking in [false, true] {
            let (ours, theirs) = pipe(1000);
            let text = text.clone();
            let server = thread::spawn(move || {
                let own = gio::TlsCertificate::from_pem(&text)?;
                let below = IoStreamAdapter::for_any_thread(theirs);
                let tls = gio::TlsServerConnection::new(&below, Some(&own))?;
                tls.upcast_ref::<gio::TlsConnection>().handshake(NONE)?;
                let lines = gio::DataInputStream::new(&tls.input_stream());
                let line = lines.read_line_utf8(NONE)?;
                tls.output_stream().write_all(b"yes\n", NONE)?;
                let end = lines.read_line_utf8(NONE)?;
                // The other side may be gone by now.
                let _ = tls.close(NONE);
                Ok::<_, glib::Error>((line.map(String::from), end.is_none()))
            });
            let below = IoStreamAdapter::for_any_thread(ours);
            let tls = gio::TlsClientConnection::new(&below, gio::SocketConnectable::NONE)
                .expect("a client");
            let tls: gio::TlsConnection = tls.upcast();
            // Nobody has signed it.
            tls.connect_accept_certificate(|_, _, _| true);
            let lines = gio::DataInputStream::new(&tls.input_stream());
            let line = if blocking {
                tls.handshake(NONE).expect("a server");
                tls.output_stream()
                    .write_all(b"is it?\n", NONE)
                    .expect("room");
                lines.read_line_utf8(NONE)
            } else {
                block_on(context, tls.handshake_future(DEFAULT)).expect("a server");
                let question = glib::Bytes::from_static(b"is it?\n");
                let written = tls.output_stream().write_bytes_future(&question, DEFAULT);
                block_on(context, written).expect("room");
                block_on(context, lines.read_line_utf8_future(DEFAULT))
            };
            assert_eq!(line.expect("not torn").expect("a line"), "yes");
            if blocking {
                tls.close(NONE).expect("nothing is in the way");
            } else {
                block_on(context, tls.close_future(DEFAULT)).expect("nothing is in the way");
            }
            assert!(below.is_closed());
            let seen = server.join().expect("no panic").expect("an orderly end");
            assert_eq!(seen, (Some("is it?".to_owned()), true));
        }
    });
}
