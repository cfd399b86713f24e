//! A client that encrypts.

use std::{
    cell::Cell,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
};

use futures::{AsyncRead, AsyncWrite};
use gio::{Cancellable, SocketClientEvent as Event, prelude::*};
use gsock::{
    ConnectionState, ReconnectorState as State, SocketClient, TcpConnection, TcpWrapperConnection,
    prelude::*,
};

use crate::{support::*, tools::*};

fn certificate() -> String {
    assert!(
        gio::TlsBackend::default().supports_tls(),
        "GIO has no TLS here: install the package glib-networking (make setup does)"
    );
    let made = rcgen::generate_simple_self_signed(["gsock.test".to_owned()]).unwrap();
    let pem = |label: &str, der: &[u8]| {
        let base64 = glib::base64_encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

/// Greets `count` clients by TLS, one after the other, and goes away after a word of each.
fn server(count: usize) -> (SocketAddr, JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let certificate = certificate();
    let serving = thread::spawn(move || {
        let certificate = gio::TlsCertificate::from_pem(&certificate).unwrap();
        let serve = |_| {
            let (peer, _) = listener.accept().unwrap();
            let socket = gio::Socket::from_fd(std::os::fd::OwnedFd::from(peer)).unwrap();
            let base = socket.connection_factory_create_connection();
            let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).unwrap();
            let (input, output) = (
                IOStreamExt::input_stream(&tls),
                IOStreamExt::output_stream(&tls),
            );
            output.write_all(b"hello", Cancellable::NONE).unwrap();
            let mut buffer = [0; 16];
            let read = input.read(&mut buffer[..], Cancellable::NONE);
            let _ = IOStreamExt::close(&tls, Cancellable::NONE);
            read.unwrap()
        };
        (0..count).map(serve).collect()
    });
    (address, serving)
}

/// A client that takes any certificate.
fn client() -> SocketClient {
    let client = SocketClient::new();
    client.set_tls(true);
    client.connect_event(|_, event, _, stream| {
        if event == Event::TlsHandshaking {
            let tls = stream.and_then(|stream| stream.downcast_ref::<gio::TlsConnection>());
            tls.unwrap().connect_accept_certificate(|_, _, _| true);
        }
    });
    client
}

/// Closes a stream, or waits until whoever closes it has done so: dropped, it would be closed in a context that the next
/// test may have.
fn close(context: &glib::MainContext, stream: &gio::IOStream) {
    iterate_until(context, || {
        let _ = stream.close(Cancellable::NONE);
        stream.is_closed()
    });
}

/// RECONNECT-20: with TLS the stream is a new one each time, and the connection beneath stays the same.
#[test]
fn with_tls_the_stream_is_new_and_the_connection_the_same() {
    on_private_context(|context| {
        let (address, serving) = server(4);
        let aim = Aim::at(address);
        let reconnector = gsock::Reconnector::builder(&client(), &aim)
            .network_monitor(gio::NetworkMonitor::NONE)
            .initial_delay(SOON)
            .build();
        let seen = notifications(&reconnector);
        let losses = Rc::new(Cell::new(0));
        let count = losses.clone();
        reconnector.connect_disconnected(move |_, _| count.set(count.get() + 1));
        let mut streams: Vec<gio::IOStream> = Vec::new();
        let mut connection = None;
        for round in 1..=4 {
            let wait = reconnector.wait_connected_future();
            let stream = block_on(context, wait).unwrap();
            assert_eq!(reconnector.io_stream().as_ref(), Some(&stream));
            assert!(!streams.contains(&stream));
            let wrapper = stream.downcast_ref::<TcpWrapperConnection>().unwrap();
            assert!(wrapper.base_io_stream().is::<gio::TlsConnection>());
            let below = reconnector.connection().unwrap();
            assert!(below.is::<TcpConnection>() && !below.is::<TcpWrapperConnection>());
            assert_eq!(below.state(), ConnectionState::Connected);
            assert_eq!(
                below.remote_address().unwrap().to_string(),
                gio_address(address).to_string()
            );
            let first = connection.get_or_insert_with(|| below.clone());
            assert_eq!(&below, first);
            let read = stream
                .input_stream()
                .read_bytes_future(16, glib::Priority::DEFAULT);
            assert_eq!(&block_on(context, read).unwrap()[..], b"hello");
            let write = stream
                .output_stream()
                .write_all_future(b"bye", glib::Priority::DEFAULT);
            block_on(context, write).unwrap();
            streams.push(stream);
            iterate_until(context, || losses.get() == round);
            let notified = seen
                .borrow()
                .iter()
                .filter(|name| *name == "io-stream")
                .count();
            assert_eq!(notified, round);
            if round == 4 {
                reconnector.stop();
            }
        }
        assert_eq!(serving.join().unwrap(), [3; 4]);
        // They have all ended, whoever holds them.
        iterate_until(context, || {
            let ended = |stream: &gio::IOStream| {
                let connection = stream.downcast_ref::<TcpWrapperConnection>().unwrap();
                connection.state() != ConnectionState::Connected
            };
            streams.iter().all(ended)
        });
        streams.iter().for_each(|stream| close(context, stream));
    });
}

/// RECONNECT-20: bytes of one's own are not let between those of TLS.
#[test]
fn beneath_tls_nobody_puts_bytes_through_halves() {
    on_private_context(|context| {
        let (address, serving) = server(1);
        let aim = Aim::at(address);
        let reconnector = gsock::Reconnector::builder(&client(), &aim)
            .network_monitor(gio::NetworkMonitor::NONE)
            .build();
        let stream = block_on(context, reconnector.wait_connected_future()).unwrap();
        let (_, mut write) = reconnector.connection().unwrap().halves();
        let result = block_on(context, async move { write.shutdown().await });
        assert_fails(result, gio::IOErrorEnum::NotSupported);
        // Nor by polling the connection itself.
        let connection = reconnector.connection().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let polls = [
            Pin::new(&mut &connection).poll_read(&mut cx, &mut [0; 4]),
            Pin::new(&mut &connection).poll_write(&mut cx, b"no"),
        ];
        for poll in polls {
            let Poll::Ready(Err(failure)) = poll else {
                panic!("{poll:?}");
            };
            assert_eq!(failure.kind(), std::io::ErrorKind::Unsupported);
        }
        stream
            .output_stream()
            .write_all(b"bye", Cancellable::NONE)
            .unwrap();
        // A stop says goodbye by TLS, and closes.
        reconnector.stop();
        assert_eq!(reconnector.state(), State::Stopped);
        let connection = reconnector.connection().unwrap();
        iterate_until(context, || connection.state() == ConnectionState::Closed);
        assert_eq!(serving.join().unwrap(), [3]);
        close(context, &stream);
    });
}

/// RECONNECT-20: the goodbye of a stop is to the connection of before it, also where another one has been made meanwhile.
#[test]
fn the_goodbye_of_a_stop_does_not_end_the_next_connection() {
    on_private_context(|context| {
        let (address, serving) = server(2);
        let aim = Aim::at(address);
        let reconnector = gsock::Reconnector::builder(&client(), &aim)
            .network_monitor(gio::NetworkMonitor::NONE)
            .reconnect(false)
            .build();
        let before = reconnector.wait_connected(Cancellable::NONE).unwrap();
        let output = before.output_stream();
        output.write_all(b"bye", Cancellable::NONE).unwrap();
        reconnector.stop();
        // Without a loop: what the stop has left to it comes later.
        let after = reconnector.wait_connected(Cancellable::NONE).unwrap();
        assert_ne!(before, after);
        let connection = reconnector.connection().unwrap();
        iterate_for(context, 4 * SOON);
        assert_eq!(connection.state(), ConnectionState::Connected);
        let output = after.output_stream();
        output.write_all(b"bye", Cancellable::NONE).unwrap();
        assert_eq!(serving.join().unwrap(), [3, 3]);
        close(context, &before);
        close(context, &after);
    });
}

/// RECONNECT-27: the stream that a thread has made which blocks belongs to home as well.
#[test]
fn a_stream_that_another_thread_has_made_is_told_of_at_home() {
    on_private_context(|context| {
        struct Sent<T>(T);
        // SAFETY: as C may.
        unsafe impl<T> Send for Sent<T> {}
        let (address, serving) = server(2);
        let aim = Aim::at(address);
        let client = SocketClient::new();
        client.set_tls(true);
        client.set_tls_validation_flags(gio::TlsCertificateFlags::empty());
        let reconnector = gsock::Reconnector::builder(&client, &aim)
            .network_monitor(gio::NetworkMonitor::NONE)
            .reconnect(false)
            .build();
        for round in 0..2 {
            let sent = Sent(reconnector.clone());
            let waiting = thread::spawn(move || {
                let sent = sent;
                let stream = sent.0.wait_connected(Cancellable::NONE);
                drop(sent);
                stream.map(Sent)
            });
            let stream = waiting.join().unwrap().unwrap().0;
            let wrapper = stream.downcast_ref::<TcpWrapperConnection>().unwrap();
            let seen = notifications(wrapper);
            let output = stream.output_stream();
            output.write_all(b"bye", Cancellable::NONE).unwrap();
            iterate_until(context, || seen.borrow().contains(&"state".to_owned()));
            assert_ne!(wrapper.state(), ConnectionState::Connected, "{round}");
            iterate_until(context, || reconnector.state() == State::Stopped);
            close(context, &stream);
        }
        assert_eq!(serving.join().unwrap(), [3, 3]);
    });
}

/// RECONNECT-12: a peer that resets in the midst of the handshake.
#[test]
fn a_handshake_that_is_reset_is_tried_again() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let resets = thread::spawn(move || {
            for _ in 0..3 {
                reset(listener.accept().unwrap().0);
            }
        });
        let reconnector = eager_with(&client(), &Aim::at(address));
        let told = told_by(&reconnector);
        reconnector.start();
        iterate_until(context, || {
            told.borrow().contains(&"attempt-failed 3".to_owned())
        });
        resets.join().unwrap();
        reconnector.stop();
        assert!(!told.borrow().contains(&"connected".to_owned()));
    });
}

/// Who answers at the same address later is looked at as the first one was, and nothing of the connection of before counts.
#[test]
fn each_reconnect_verifies_anew() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let (right, wrong) = (certificate(), certificate());
        let expected = gio::TlsCertificate::from_pem(&right).unwrap();
        let serving = thread::spawn(move || {
            for certified in [Some(&right), Some(&wrong), None, Some(&wrong), Some(&right)] {
                let (mut peer, _) = listener.accept().unwrap();
                let Some(certified) = certified else {
                    let _ = std::io::Write::write_all(&mut peer, b"220 no TLS today\r\n");
                    continue;
                };
                let certificate = gio::TlsCertificate::from_pem(certified).unwrap();
                let socket = gio::Socket::from_fd(std::os::fd::OwnedFd::from(peer)).unwrap();
                let base = socket.connection_factory_create_connection();
                let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).unwrap();
                // Who refuses the certificate goes away.
                if IOStreamExt::output_stream(&tls)
                    .write_all(b"hello", Cancellable::NONE)
                    .is_ok()
                {
                    let input = IOStreamExt::input_stream(&tls);
                    let _ = input.read(&mut [0; 1][..], Cancellable::NONE);
                }
                let _ = IOStreamExt::close(&tls, Cancellable::NONE);
            }
        });
        let client = SocketClient::new();
        client.set_tls(true);
        let trusted = expected.clone();
        client.connect_event(move |_, event, _, stream| {
            if event == Event::TlsHandshaking {
                let tls = stream.and_then(|stream| stream.downcast_ref::<gio::TlsConnection>());
                let trusted = trusted.clone();
                tls.unwrap()
                    .connect_accept_certificate(move |_, certificate, _| {
                        certificate.is_same(&trusted)
                    });
            }
        });
        let reconnector = eager_with(&client, &Aim::at(address));
        let told = told_by(&reconnector);
        reconnector.connect_io_stream_notify(move |reconnector| {
            let Some(stream) = reconnector.io_stream() else {
                return;
            };
            let wrapper = stream.downcast::<TcpWrapperConnection>().unwrap();
            let tls = wrapper.base_io_stream().downcast::<gio::TlsConnection>();
            let shown = tls.unwrap().peer_certificate().unwrap();
            assert!(shown.is_same(&expected));
        });
        reconnector.start();
        for round in 1..=2 {
            let stream = block_on(context, reconnector.wait_connected_future()).unwrap();
            let greeting = stream
                .input_stream()
                .read_bytes_future(16, glib::Priority::DEFAULT);
            assert_eq!(&block_on(context, greeting).unwrap()[..], b"hello");
            let word = stream
                .output_stream()
                .write_all_future(b"!", glib::Priority::DEFAULT);
            block_on(context, word).unwrap();
            if round == 2 {
                reconnector.stop();
            }
            iterate_until(context, || {
                told.borrow()
                    .iter()
                    .filter(|it| *it == "disconnected")
                    .count()
                    == round
            });
            close(context, &stream);
        }
        let count = |what: &str| {
            told.borrow()
                .iter()
                .filter(|it| it.starts_with(what))
                .count()
        };
        assert_eq!((count("connected"), count("attempt-failed")), (2, 3));
        serving.join().unwrap();
    });
}
