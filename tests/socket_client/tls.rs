//! Connections that are encrypted.

use std::{
    cell::RefCell,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    rc::Rc,
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketClientEvent as Event, TlsError, prelude::*};
use gsock::{SocketClient, SocketConnection, TcpWrapperConnection, prelude::*};

use crate::{support::*, tools::*};

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = glib::base64_encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

/// A certificate for the names of the tests that nobody has signed but itself, with its key.
fn certificate() -> String {
    assert!(
        gio::TlsBackend::default().supports_tls(),
        "GIO has no TLS here: install the package glib-networking (make setup does)"
    );
    let made = rcgen::generate_simple_self_signed(["v4-ok.test".to_owned()]).unwrap();
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

/// Greets each of `count` connections by TLS.
pub(crate) fn server(count: usize) -> (SocketAddr, String, JoinHandle<()>) {
    let (listener, address) = listener();
    let certificate = certificate();
    let own = certificate.clone();
    let serving = thread::spawn(move || {
        for _ in 0..count {
            let (peer, _) = listener.accept().unwrap();
            serve(peer.into(), &own);
        }
    });
    (address, certificate, serving)
}

/// Speaks TLS over one connection, and says a word in it.
pub(crate) fn serve(peer: OwnedFd, certificate: &str) {
    let certificate = gio::TlsCertificate::from_pem(certificate).unwrap();
    let socket = gio::Socket::from_fd(peer).unwrap();
    let base = socket.connection_factory_create_connection();
    let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).unwrap();
    // Who refuses the certificate goes away.
    let shaken = tls
        .clone()
        .upcast::<gio::TlsConnection>()
        .handshake(Cancellable::NONE);
    if shaken.is_ok() {
        let output = IOStreamExt::output_stream(&tls);
        let _ = output.write_all(b"hello", Cancellable::NONE);
    }
}

/// Answers each connection in plain text.
pub(crate) fn plain_server(count: usize) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener();
    let serving = thread::spawn(move || {
        for _ in 0..count {
            let (mut peer, _) = listener.accept().unwrap();
            let _ = peer.write_all(b"220 here is no TLS at all\r\n");
        }
    });
    (address, serving)
}

fn silent_server() -> (TcpListener, SocketAddr) {
    // The backend takes its time to be loaded.
    let _ = certificate();
    listener()
}

/// Whose handler takes exactly this certificate.
pub(crate) fn trusting(certificate: &str) -> SocketClient {
    let client = SocketClient::new();
    client.set_tls(true);
    let expected = gio::TlsCertificate::from_pem(certificate).unwrap();
    client.connect_event(move |_, event, _, stream| {
        if event == Event::TlsHandshaking {
            let tls = stream
                .unwrap()
                .downcast_ref::<gio::TlsConnection>()
                .unwrap();
            let expected = expected.clone();
            tls.connect_accept_certificate(move |_, certificate, _| certificate.is_same(&expected));
        }
    });
    client
}

#[test]
fn a_handler_that_takes_the_certificate_makes_an_encrypted_connection() {
    on_private_context(|context| {
        let (address, certificate, serving) = server(FORMS.len());
        for form in FORMS {
            let client = trusting(&certificate);
            let seen = events(&client);
            let name = name("v4-ok.test", address.port());
            let made = connect(form, &client, &name, None, context).unwrap();
            assert_eq!(*seen.borrow(), "RrCcTtK");
            let made = made.downcast::<TcpWrapperConnection>().unwrap();
            let tls = made
                .base_io_stream()
                .downcast::<gio::TlsClientConnection>()
                .unwrap();
            let identity = tls.server_identity().unwrap();
            assert_eq!(identity, name.upcast::<gio::SocketConnectable>());
            let read = made
                .input_stream()
                .read_bytes(5, Cancellable::NONE)
                .unwrap();
            assert_eq!(&*read, b"hello");
            let remote = made.remote_address().unwrap();
            let remote = remote.downcast::<gio::InetSocketAddress>().unwrap();
            assert_eq!(SocketAddr::from(remote), address);
        }
        serving.join().unwrap();
    });
}

/// The number of the socket of this process that has this address.
fn number_of(address: SocketAddr) -> RawFd {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut numbers = descriptors.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
    let has_it = |number: &RawFd| {
        // SAFETY: `sockaddr_in` may be all zeroes.
        let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&name) as libc::socklen_t;
        // SAFETY: the name has the length that is said.
        let found = unsafe { libc::getsockname(*number, (&raw mut name).cast(), &raw mut length) };
        let port = u16::from_be(name.sin_port);
        let is_ours = u32::from_be(name.sin_addr.s_addr) == Ipv4Addr::LOCALHOST.to_bits();
        found == 0 && name.sin_family == libc::AF_INET as u16 && is_ours && port == address.port()
    };
    numbers.find(has_it).expect("a socket with this address")
}

#[test]
fn a_socket_that_the_system_tells_nothing_of_is_an_error_once_the_handshake_is_done() {
    on_private_context(|context| {
        // The handshake is glib-networking's, which keeps what was given up in it for as long as it likes.
        let_stay();
        let (address, certificate, serving) = server(FORMS.len() + 1);
        for form in FORMS {
            let client = trusting(&certificate);
            let seen = events(&client);
            client.connect_event(|_, event, _, stream| {
                if event == Event::TlsHandshaked {
                    let tls = stream.unwrap().downcast_ref::<gio::TlsConnection>();
                    let base: gio::IOStream = tls.unwrap().property("base-io-stream");
                    let base = base.downcast::<SocketConnection>().unwrap();
                    let local = base.local_address().unwrap();
                    let local = local.downcast::<gio::InetSocketAddress>().unwrap();
                    // What is no socket has its number, before anybody has asked for a GSocket.
                    let nothing = std::fs::File::open("/dev/null").unwrap();
                    let number = number_of(local.into());
                    // SAFETY: no pointers involved; the socket is nobody's but the connection's.
                    assert_eq!(unsafe { libc::dup2(nothing.as_raw_fd(), number) }, number);
                }
            });
            let failed = connect(form, &client, &gio_address(address), None, context);
            assert_fails(failed, IOErrorEnum::Closed);
            assert_eq!(seen.take(), "RrCcTt0");
        }
        let client = trusting(&certificate);
        connect(FORMS[0], &client, &gio_address(address), None, context).unwrap();
        serving.join().unwrap();
    });
}

#[test]
fn a_certificate_of_nobody_is_refused_unless_it_is_not_looked_at() {
    on_private_context(|context| {
        let (address, _, serving) = server(2 * FORMS.len());
        for form in FORMS {
            let client = SocketClient::new();
            client.set_tls(true);
            let seen = events(&client);
            let refused = connect(form, &client, &gio_address(address), None, context);
            assert!(refused.unwrap_err().matches(TlsError::BadCertificate));
            assert_eq!(seen.take(), "RrCcT0");
            client.set_tls_validation_flags(gio::TlsCertificateFlags::empty());
            connect(form, &client, &gio_address(address), None, context).unwrap();
            assert_eq!(seen.take(), "RrCcTtK");
        }
        serving.join().unwrap();
    });
}

#[test]
fn after_a_handshake_that_fails_the_next_address_is_tried() {
    on_private_context(|context| {
        let (plain, answering) = plain_server(2 * FORMS.len());
        let (good, certificate, serving) = server(FORMS.len());
        for form in FORMS {
            let client = trusting(&certificate);
            let seen = events(&client);
            let both = scripted([plain, good].map(Next::Address));
            connect(form, &client, &both, None, context).unwrap();
            assert_eq!(seen.take(), "RrCcTCcTtK");
            // The error of the one that came further.
            let both = scripted([plain, refused_address()].map(Next::Address));
            let failed = connect(form, &client, &both, None, context).unwrap_err();
            assert!(failed.is::<TlsError>(), "{failed:?}");
            assert_eq!(seen.take(), "RrCcTC0");
        }
        answering.join().unwrap();
        serving.join().unwrap();
    });
}

#[test]
fn a_server_that_says_nothing_is_left_when_the_time_is_up() {
    on_private_context(|context| {
        let (_listener, address) = silent_server();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_tls(true);
            client.set_connect_timeout(Duration::from_millis(500) * slowness());
            let seen = events(&client);
            let failed = connect(form, &client, &gio_address(address), None, context);
            let failed = failed.unwrap_err();
            assert_eq!(code(&failed), IOErrorEnum::TimedOut);
            assert!(failed.message().contains("TLS handshake"), "{failed:?}");
            assert_eq!(*seen.borrow(), "RrCcT0");
        }
        iterate_until_none_lives(context);
    });
}

#[test]
fn a_handshake_is_cancelled_in_its_handler_and_from_another_thread() {
    on_private_context(|context| {
        let (_listener, address) = silent_server();
        for form in [Form::Blocking, Form::Callback] {
            for at_once in [true, false] {
                let client = SocketClient::new();
                client.set_tls(true);
                let seen = events(&client);
                let cancellable = Cancellable::new();
                let canceller = cancellable.clone();
                client.connect_event(move |_, event, _, _| {
                    let canceller = canceller.clone();
                    if event == Event::TlsHandshaking && at_once {
                        canceller.cancel();
                    } else if event == Event::TlsHandshaking {
                        thread::spawn(move || {
                            thread::sleep(Duration::from_millis(30));
                            canceller.cancel();
                        });
                    }
                });
                let target = gio_address(address);
                let failed = connect(form, &client, &target, Some(&cancellable), context);
                assert_fails(failed, IOErrorEnum::Cancelled);
                assert_eq!(*seen.borrow(), "RrCcT0");
            }
        }
        iterate_until_none_lives(context);
    });
}

/// What was given up has no context that somebody runs later.
#[test]
fn of_a_blocking_connect_that_gave_a_handshake_up_nothing_outlives_its_thread() {
    on_private_context(|context| {
        let (_listener, address) = silent_server();
        for _ in 0..4 {
            let connecting = thread::spawn(move || {
                let client = SocketClient::new();
                client.set_tls(true);
                let cancellable = Cancellable::new();
                let canceller = cancellable.clone();
                let connection = Rc::new(RefCell::new(None));
                let seen = connection.clone();
                client.connect_event(move |_, event, _, stream| match event {
                    Event::Connected => *seen.borrow_mut() = stream.map(Gone::of),
                    Event::TlsHandshaking => {
                        let canceller = canceller.clone();
                        thread::spawn(move || {
                            thread::sleep(Duration::from_millis(30));
                            canceller.cancel();
                        });
                    }
                    _ => {}
                });
                let failed = client.connect(&gio_address(address), Some(&cancellable));
                assert_fails(failed, IOErrorEnum::Cancelled);
                connection.take().expect("it was connected")
            });
            let connection = connecting.join().unwrap();
            // The thread of the handshake gives its reference up when it likes to.
            iterate_until(context, || connection.is_gone());
        }
    });
}

#[test]
fn over_a_unix_socket_it_is_spoken_too() {
    on_private_context(|context| {
        let path = std::env::temp_dir().join(format!("gsock-tls-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let certificate = certificate();
        let own = certificate.clone();
        let serving = thread::spawn(move || {
            for _ in FORMS {
                let (peer, _) = listener.accept().unwrap();
                serve(peer.into(), &own);
            }
        });
        let address = gio::UnixSocketAddress::new(&path);
        for form in FORMS {
            let client = trusting(&certificate);
            let seen = events(&client);
            let made = connect(form, &client, &address, None, context).unwrap();
            assert_eq!(*seen.borrow(), "RrCcTtK");
            let remote = made.remote_address().unwrap();
            assert_eq!(remote.family(), gio::SocketFamily::Unix);
            let base = made.downcast_ref::<TcpWrapperConnection>().unwrap();
            assert!(base.base_io_stream().is::<gio::TlsClientConnection>());
            assert!(made.connect_report().unwrap().tls.is_some());
            let said = made.input_stream().read_bytes(5, Cancellable::NONE);
            assert_eq!(said.unwrap(), b"hello"[..]);
            // The last word of TLS may find the peer gone.
            let _ = made.close(Cancellable::NONE);
            assert!(made.socket().is_closed());
        }
        serving.join().unwrap();
        // Whose certificate nobody has looked at is refused here as everywhere.
        std::fs::remove_file(&path).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let serving = thread::spawn(move || {
            let (peer, _) = listener.accept().unwrap();
            serve(peer.into(), &certificate);
        });
        let client = SocketClient::new();
        client.set_tls(true);
        let refused = client.connect(&address, Cancellable::NONE).unwrap_err();
        assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
        serving.join().unwrap();
        std::fs::remove_file(&path).unwrap();
    });
}

/// Datagrams have no TLS.
#[test]
fn over_what_is_no_stream_there_is_an_error_and_no_handshake() {
    on_private_context(|context| {
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_tls(true);
            client.set_socket_type(gio::SocketType::Datagram);
            let seen = events(&client);
            let target = gio_address(peer.local_addr().unwrap());
            let failed = connect(form, &client, &target, None, context);
            assert_fails(failed, IOErrorEnum::NotSupported);
            assert_eq!(*seen.borrow(), "RrCc0");
        }
    });
}

#[test]
fn a_report_tells_the_handshake_apart() {
    on_private_context(|context| {
        let (address, certificate, serving) = server(1);
        let client = trusting(&certificate);
        let target = gio_address(address);
        let (made, report) = block_on(context, client.connect_with_report(&target)).unwrap();
        assert!(made.is::<TcpWrapperConnection>());
        assert!(report.tls.unwrap() > Duration::ZERO);
        assert_eq!(report.attempts.len(), 1);
        serving.join().unwrap();
    });
}
