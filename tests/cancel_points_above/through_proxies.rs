//! Connecting through proxies that say what the test has them say, and by TLS.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{Cancellable, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
    Tls,
}

/// After each read comes the next of the answers.
fn answers(kind: Kind, answer: Answer) -> Vec<&'static [u8]> {
    let mut all: Vec<&'static [u8]> = match kind {
        Kind::Socks5 => vec![&[5, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
        _ => vec![b"HTTP/1.0 200 OK\r\n\r\n"],
    };
    if answer == Answer::Never {
        all.pop();
    }
    all
}

/// Plays it to one who calls, until he goes; answers what it has read after the last answer.
fn proxy(listener: TcpListener, kind: Kind, answer: Answer) -> Vec<u8> {
    let (mut peer, _) = listener.accept().expect("somebody calls in the end");
    let mut rest = Vec::new();
    let mut buffer = [0; 4096];
    for text in answers(kind, answer) {
        match peer.read(&mut buffer) {
            Ok(0) | Err(_) => return rest,
            Ok(_) => {}
        }
        if peer.write_all(text).is_err() {
            return rest;
        }
    }
    let _ = peer.read_to_end(&mut rest);
    rest
}

/// Shakes hands, and says a byte.
fn tls_server(listener: TcpListener, certificate: &str, answer: Answer) -> Vec<u8> {
    let (mut peer, _) = listener.accept().expect("somebody calls in the end");
    if answer == Answer::Never {
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest);
        return Vec::new();
    }
    let certificate = gio::TlsCertificate::from_pem(certificate).expect("just made");
    let socket = gio::Socket::from_fd(std::os::fd::OwnedFd::from(peer)).expect("a socket");
    let base = socket.connection_factory_create_connection();
    let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).expect("a backend");
    let tls: gio::TlsConnection = tls.upcast();
    if tls.handshake(Cancellable::NONE).is_err() {
        return Vec::new();
    }
    let rest = tls.input_stream().read_bytes(4, Cancellable::NONE);
    rest.map(|bytes| bytes.to_vec()).unwrap_or_default()
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = glib::base64_encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn certificate() -> String {
    assert!(
        gio::TlsBackend::default().supports_tls(),
        "GIO has no TLS here: install the package glib-networking (make setup does)"
    );
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

struct Through {
    kind: Kind,
    answer: Answer,
    client: Option<SocketClient>,
    connects: Gone,
    address: SocketAddr,
    peer: Option<JoinHandle<Vec<u8>>>,
    got: Rc<RefCell<Option<SocketConnection>>>,
}

impl Through {
    fn new(kind: Kind, certificate: &str, answer: Answer) -> Self {
        let (listener, address) = match kind {
            // Its certificate has a name.
            Kind::Tls => listener(),
            _ => listener_of_our_own(),
        };
        let client = SocketClient::new();
        let certificate = certificate.to_owned();
        let peer = match kind {
            Kind::Tls => {
                client.set_enable_proxy(false);
                client.set_tls(true);
                client.connect_event(|_, event, _, stream| {
                    if event == Event::TlsHandshaking
                        && let Some(tls) =
                            stream.and_then(|it| it.downcast_ref::<gio::TlsConnection>())
                    {
                        tls.connect_accept_certificate(|_, _, _| true);
                    }
                });
                thread::spawn(move || tls_server(listener, &certificate, answer))
            }
            _ => {
                let scheme = if kind == Kind::Http { "http" } else { "socks5" };
                let uri = format!("{scheme}://{address}");
                let resolver = gio::SimpleProxyResolver::new(Some(&uri), [""; 0]);
                client.set_proxy_resolver(Some(&resolver));
                thread::spawn(move || proxy(listener, kind, answer))
            }
        };
        Self {
            kind,
            answer,
            connects: Gone::of(&client),
            client: Some(client),
            address,
            peer: Some(peer),
            got: Rc::default(),
        }
    }

    fn target(&self) -> gio::NetworkAddress {
        let port = if self.kind == Kind::Tls {
            self.address.port()
        } else {
            7
        };
        gio::NetworkAddress::new("127.0.0.1", port)
    }
}

impl Play for Through {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let client = self.client.as_ref().expect("just made");
        let slot = self.got.clone();
        client.connect_async(&self.target(), Some(cancellable), move |client, result| {
            let (client, result) = (client.clone(), result.clone());
            told.finish(move || {
                let made = client.connect_finish(&result);
                end_of(made.map(|made| slot.replace(Some(made))))
            });
        });
    }

    fn future(&mut self) -> Running {
        let slot = self.got.clone();
        let connecting = self
            .client
            .as_ref()
            .expect("just made")
            .connect_future(&self.target());
        Box::pin(async move { end_of(connecting.await.map(|made| slot.replace(Some(made)))) })
    }

    fn act(&mut self) {}

    fn close(&mut self) -> bool {
        false
    }

    fn closed(&self) -> &'static [End] {
        &[]
    }

    fn forget(&mut self) {
        self.client = None;
    }

    /// The peer's thread ends when the connection does: nobody has it any more.
    fn check(&mut self, room: &Room, fate: &Fate) {
        let got = self.got.take();
        assert_eq!(got.is_some(), fate.succeeded());
        self.client = None;
        let is_expected = got.is_some();
        if let Some(connection) = got {
            let output = connection.output_stream();
            output
                .write_all(b"ping", Cancellable::NONE)
                .expect("connected");
            connection.close(Cancellable::NONE).expect("open");
        }
        // What a thread of GIO's still does is cancelled.
        while room.context.iteration(false) {}
        // Nobody may have called yet.
        if let Ok(caller) = TcpStream::connect(self.address) {
            let _ = caller.shutdown(Shutdown::Both);
        }
        let rest = self.peer.take().expect("its end").join().expect("no panic");
        if is_expected {
            assert_eq!(rest, b"ping");
        }
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("client", self.connects.clone())]
    }
}

fn every_case(place: Where, kind: Kind) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        if kind != Kind::Socks5 {
            // A thread that shakes hands has a context of its own, and one that talks to an HTTP proxy blocks by one.
            points.pass_over("eventfd");
        }
        let certificate = certificate();
        Drill {
            name: format!("connect through {kind:?}"),
            covers: &[],
            answers: &[Answer::AtOnce, Answer::Never],
            ways: ANY_WAY,
            pause: Duration::from_millis(10),
            most: MOST_STEPS,
            elsewhere: false,
            make: &|_, answer| Box::new(Through::new(kind, &certificate, answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("client, {kind:?}, {place:?} context"));
    });
}

on_both! {
    through_socks: |place| every_case(place, Kind::Socks5),
    through_http: |place| every_case(place, Kind::Http),
    by_tls: |place| every_case(place, Kind::Tls),
}
