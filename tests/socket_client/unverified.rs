//! Attacks on the verification of TLS. None of them gives a connection with somebody else, or one in plain text.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use gio::{
    Cancellable, SocketClientEvent as Event, TlsCertificateFlags as Flags, TlsError, prelude::*,
};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::{proxy_peers::*, support::*, tls::*, tools::*};

type Outcome = Result<SocketConnection, glib::Error>;

/// Where nothing but the signature is wrong, which is the certificate's own.
const RIGHT_NAME: Flags = Flags::UNKNOWN_CA;

fn certificate_for(names: &[&str]) -> String {
    assert!(
        gio::TlsBackend::default().supports_tls(),
        "GIO has no TLS here: install the package glib-networking (make setup does)"
    );
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

type Found = Arc<Mutex<Vec<Flags>>>;

/// Writes down what is wrong with the certificate, and does not take it.
fn note(found: &Found, event: Event, stream: Option<&gio::IOStream>) {
    if event == Event::TlsHandshaking {
        let tls = stream.and_then(|stream| stream.downcast_ref::<gio::TlsConnection>());
        let found = found.clone();
        tls.unwrap().connect_accept_certificate(move |_, _, wrong| {
            found.lock().unwrap().push(wrong);
            false
        });
    }
}

/// A client with TLS that writes down what is wrong with each certificate, and takes none.
fn wary() -> (SocketClient, Found) {
    let client = SocketClient::new();
    client.set_tls(true);
    let found = Found::default();
    let seen = found.clone();
    client.connect_event(move |_, event, _, stream| note(&seen, event, stream));
    (client, found)
}

/// One TLS server that certifies to have these names; who leads to it, if anybody, has said so before.
fn once(
    listener: TcpListener,
    names: &[&str],
    before: impl FnOnce(&mut std::net::TcpStream) + Send + 'static,
) -> JoinHandle<()> {
    let certificate = certificate_for(names);
    thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        before(&mut peer);
        serve(peer.into(), &certificate);
    })
}

/// What was found of a server with these names, to which `connecting` goes. There is no connection.
fn found_at(
    names: &[&str],
    connecting: impl FnOnce(&SocketClient, SocketAddr) -> Outcome,
) -> Vec<Flags> {
    let (listener, address) = listener();
    let serving = once(listener, names, |_| ());
    let (client, found) = wary();
    let refused = connecting(&client, address).unwrap_err();
    assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
    serving.join().unwrap();
    found.lock().unwrap().clone()
}

#[test]
fn a_certificate_is_held_against_what_was_asked_for() {
    use_resolver_of_names();
    on_private_context_within(LIMIT * 4, |context| {
        const NAME: &str = "v4-ok.test";
        let wrong_name = Flags::UNKNOWN_CA | Flags::BAD_IDENTITY;
        for form in FORMS {
            for (certified, expected) in [
                (&[NAME][..], RIGHT_NAME),
                (&["evil.test"], wrong_name),
                (&["v4-ok.test.evil.test", "ok.test", "test"], wrong_name),
                (&["x.v4-ok.test", "*.v4-ok.test"], wrong_name),
                // The address that the name has.
                (&["127.0.0.1"], wrong_name),
            ] {
                let found = found_at(certified, |client, address| {
                    connect(form, client, &name(NAME, address.port()), None, context)
                });
                assert_eq!(found, [expected], "{form:?} {certified:?}");
            }
            for (certified, expected) in [
                ("127.0.0.1", RIGHT_NAME),
                ("127.0.0.2", wrong_name),
                (NAME, wrong_name),
            ] {
                let found = found_at(&[certified], |client, address| {
                    connect(form, client, &gio_address(address), None, context)
                });
                assert_eq!(found, [expected], "{form:?} {certified}");
            }
            // GIO holds the certificate against the name as it was typed, not as it is looked up.
            let found = found_at(&["v4-ok.xn--bcher-kva.test"], |client, address| {
                let international = name("v4-ok.b\u{fc}cher.test", address.port());
                connect(form, client, &international, None, context)
            });
            assert_eq!(found, [RIGHT_NAME], "{form:?}");
            // Nor is a Unix socket anybody, whatever its certificate says.
            let path = std::env::temp_dir().join(format!("gsock-name-{}", std::process::id()));
            let _ = std::fs::remove_file(&path);
            let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
            let certificate = certificate_for(&[NAME, "localhost", "127.0.0.1"]);
            let serving =
                thread::spawn(move || serve(server.accept().unwrap().0.into(), &certificate));
            let (client, found) = wary();
            let address = gio::UnixSocketAddress::new(&path);
            let refused = connect(form, &client, &address, None, context).unwrap_err();
            assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
            serving.join().unwrap();
            std::fs::remove_file(&path).unwrap();
            assert_eq!(*found.lock().unwrap(), [wrong_name], "{form:?}");
            // What says nothing of a name has none that fits.
            let found = found_at(&[NAME, "127.0.0.1"], |client, address| {
                let nameless = scripted([Next::Address(address)]);
                connect(form, client, &nameless, None, context)
            });
            assert_eq!(found, [wrong_name], "{form:?}");
        }
    });
}

#[test]
fn neither_a_uri_nor_a_service_says_another_name_than_its_own() {
    use_resolver_of_names();
    on_private_context_within(LIMIT * 4, |context| {
        let wrong_name = Flags::UNKNOWN_CA | Flags::BAD_IDENTITY;
        for blocks in [true, false] {
            for (certified, uri, expected) in [
                ("v4-ok.test", "https://v4-ok.test:PORT/", RIGHT_NAME),
                ("v4-ok.test", "some://v4-ok.test:PORT/x?y#z", RIGHT_NAME),
                ("evil.test", "https://v4-ok.test:PORT/evil.test", wrong_name),
                (
                    "evil.test",
                    "https://evil.test@v4-ok.test:PORT/",
                    wrong_name,
                ),
                (
                    "evil.test",
                    "https://v4-ok.test:PORT/@evil.test",
                    wrong_name,
                ),
                (
                    "evil.test",
                    "https://v4-ok.test:PORT#@evil.test/",
                    wrong_name,
                ),
                (
                    "v4-ok.test",
                    "https://v4-ok.test@127.0.0.1:PORT/",
                    wrong_name,
                ),
            ] {
                let found = found_at(&[certified], |client, address| {
                    let uri = uri.replace("PORT", &address.port().to_string());
                    if blocks {
                        return client.connect_to_uri(&uri, 1, Cancellable::NONE);
                    }
                    block_on(context, client.connect_to_uri_future(&uri, 1))
                });
                assert_eq!(found, [expected], "{uri} {certified}");
            }
            // Whoever answers for the service's name may say any target; the certificate is for the domain.
            for (is_domain, expected) in [(true, RIGHT_NAME), (false, wrong_name)] {
                let (listener, address) = listener();
                let domain = format!("v4-ok-0x{}.example.test", address.port());
                let certified = if is_domain { &*domain } else { "v4-ok-0.test" };
                let serving = once(listener, &[certified], |_| ());
                let (client, found) = wary();
                let refused = if blocks {
                    client.connect_to_service(&domain, "some", Cancellable::NONE)
                } else {
                    block_on(context, client.connect_to_service_future(&domain, "some"))
                };
                let refused = refused.unwrap_err();
                assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
                serving.join().unwrap();
                assert_eq!(*found.lock().unwrap(), [expected], "{certified}");
            }
        }
    });
}

#[test]
fn a_proxy_is_not_taken_for_whom_it_is_to_lead_to() {
    use_resolver_of_names();
    on_private_context_within(LIMIT * 4, |context| {
        let wrong_name = Flags::UNKNOWN_CA | Flags::BAD_IDENTITY;
        let answers: [(&str, &[&[u8]]); 3] = [
            ("http", &[b"HTTP/1.0 200 OK\r\n\r\n"]),
            ("socks5", &[&[5, 0], SOCKS5_OK]),
            ("socks4a", &[&[0, 90, 0, 0, 0, 0, 0, 0]]),
        ];
        for form in FORMS {
            for (scheme, answers) in answers {
                for (certified, expected) in [
                    (&["127.0.0.1", "proxy.test", "localhost"][..], wrong_name),
                    (&["far.test"], RIGHT_NAME),
                ] {
                    let (listener, address) = listener();
                    let serving = once(listener, certified, move |peer| {
                        for answer in answers {
                            let read = peer.read(&mut [0; 4096]).unwrap();
                            assert!(read > 0);
                            peer.write_all(answer).unwrap();
                        }
                    });
                    let (client, found) = wary();
                    client.set_proxy_resolver(Some(&by(&format!("{scheme}://{address}"))));
                    let target = gio::NetworkAddress::new("far.test", 443);
                    let refused = connect(form, &client, &target, None, context).unwrap_err();
                    assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
                    serving.join().unwrap();
                    let found = found.lock().unwrap();
                    assert_eq!(*found, [expected], "{form:?} {scheme} {certified:?}");
                }
            }
        }
    });
}

/// A [`gio::ProxyAddress`] says where to, by way of whom: the certificate is for where to. For GIO's client it is for the
/// proxy, which can so read what it is to pass on.
#[test]
fn a_proxy_that_is_named_by_an_address_is_not_taken_for_its_destination() {
    on_private_context_within(LIMIT * 4, |context| {
        let wrong_name = Flags::UNKNOWN_CA | Flags::BAD_IDENTITY;
        let proxies = [
            (&["127.0.0.1", "proxy.test"][..], RIGHT_NAME, wrong_name),
            (&["far.test"], wrong_name, RIGHT_NAME),
        ];
        for (certified, gios, ours) in proxies {
            for form in FORMS.map(Some).into_iter().chain([None]) {
                let (listener, address) = listener();
                let serving = once(listener, certified, |peer| {
                    let read = peer.read(&mut [0; 4096]).unwrap();
                    assert!(read > 0);
                    peer.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
                });
                let at = gio::InetAddress::from_string("127.0.0.1").unwrap();
                let port = address.port();
                let proxy = gio::ProxyAddress::new(&at, port, "http", "far.test", 443, None, None);
                let (found, refused) = match form {
                    Some(form) => {
                        let (client, found) = wary();
                        (found, connect(form, &client, &proxy, None, context).err())
                    }
                    None => {
                        let client = gio::SocketClient::new();
                        client.set_tls(true);
                        let found = Arc::new(Mutex::new(Vec::new()));
                        let seen = found.clone();
                        client.connect_event(move |_, event, _, stream| note(&seen, event, stream));
                        let made = SocketClientExt::connect(&client, &proxy, Cancellable::NONE);
                        (found, made.err())
                    }
                };
                assert!(refused.unwrap().matches(TlsError::BadCertificate));
                serving.join().unwrap();
                let expected = if form.is_some() { ours } else { gios };
                assert_eq!(*found.lock().unwrap(), [expected], "{form:?} {certified:?}");
            }
        }
    });
}
