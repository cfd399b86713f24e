//! Attacks on the verification of TLS. None of them gives a connection with somebody else, or one in plain text.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
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
    let found = found.lock().unwrap().clone();
    found
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

/// Every order in which these can be set.
fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let longer = |shorter: Vec<usize>| {
        (0..of).map(move |at| {
            let mut order = shorter.clone();
            order.insert(at, of - 1);
            order
        })
    };
    orders(of - 1).into_iter().flat_map(longer).collect()
}

#[test]
fn no_order_of_settings_turns_verification_off() {
    on_private_context_within(LIMIT * 4, |context| {
        let sets: [fn(&SocketClient); 6] = [
            |client| client.set_tls(true),
            |client| client.set_enable_proxy(false),
            |client| client.set_proxy_resolver(gio::ProxyResolver::NONE),
            |client| client.set_family(gio::SocketFamily::Ipv4),
            |client| client.set_timeout(60),
            |client| client.set_multipath(true),
        ];
        let orders = orders(sets.len());
        assert_eq!(orders.len(), 720);
        let last = orders.last().cloned();
        for order in orders {
            let client = SocketClient::new();
            assert_eq!(client.tls_validation_flags(), Flags::VALIDATE_ALL);
            order.iter().for_each(|at| sets[*at](&client));
            assert!(client.tls());
            assert_eq!(
                client.tls_validation_flags(),
                Flags::VALIDATE_ALL,
                "{order:?}"
            );
        }
        let (address, _, serving) = server(1);
        let client = SocketClient::new();
        last.unwrap().iter().for_each(|at| sets[*at](&client));
        let refused = client.connect(&gio_address(address), Cancellable::NONE);
        assert!(refused.unwrap_err().matches(TlsError::BadCertificate));
        serving.join().unwrap();
        // A part of it alone is looked at only by who has said so.
        let (address, _, serving) = server(FORMS.len());
        for form in FORMS {
            let client = SocketClient::new();
            client.set_tls_validation_flags(Flags::EXPIRED);
            client.set_tls(true);
            assert_eq!(client.tls_validation_flags(), Flags::EXPIRED);
            connect(form, &client, &gio_address(address), None, context).unwrap();
        }
        serving.join().unwrap();
    });
}

/// Who has set it is not handed plain text: the client looks when it is needed, as GIO's does.
#[test]
fn tls_that_is_set_while_connecting_is_negotiated() {
    const MOMENTS: [Event; 4] = [
        Event::Resolving,
        Event::Resolved,
        Event::Connecting,
        Event::Connected,
    ];
    on_private_context_within(LIMIT * 4, |context| {
        for moment in MOMENTS {
            let (address, _, serving) = server(1 + FORMS.len());
            let gios = gio::SocketClient::new();
            gios.connect_event(move |client, event, _, _| {
                if event == moment {
                    client.set_tls(true);
                }
            });
            let target = gio_address(address);
            let refused = SocketClientExt::connect(&gios, &target, Cancellable::NONE);
            assert!(refused.unwrap_err().matches(TlsError::BadCertificate));
            for form in FORMS {
                let client = SocketClient::new();
                client.connect_event(move |client, event, _, _| {
                    if event == moment {
                        client.set_tls(true);
                    }
                });
                let refused = connect(form, &client, &gio_address(address), None, context);
                let refused = refused.expect_err(&format!("{form:?} {moment:?}"));
                assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
            }
            serving.join().unwrap();
        }
    });
}

#[test]
fn who_cancels_while_a_certificate_is_judged_gets_no_connection() {
    on_private_context_within(LIMIT * 4, |context| {
        // The handshake is glib-networking's, which keeps what was given up in it for as long as it likes.
        let_stay();
        let (address, _, serving) = server(4);
        for form in [Form::Blocking, Form::Callback] {
            for takes_it in [true, false] {
                let client = SocketClient::new();
                client.set_tls(true);
                let cancellable = Cancellable::new();
                let canceller = cancellable.clone();
                client.connect_event(move |_, event, _, stream| {
                    if event == Event::TlsHandshaking {
                        let tls = stream
                            .unwrap()
                            .downcast_ref::<gio::TlsConnection>()
                            .unwrap();
                        let canceller = canceller.clone();
                        tls.connect_accept_certificate(move |_, _, _| {
                            canceller.cancel();
                            takes_it
                        });
                    }
                });
                let target = gio_address(address);
                let outcome = connect(form, &client, &target, Some(&cancellable), context);
                outcome.expect_err(&format!("{form:?} {takes_it}"));
            }
        }
        serving.join().unwrap();
    });
}

mod imp {
    use gio::subclass::prelude::*;
    use gsock::subclass::SocketClientImpl;

    #[derive(Debug, Default)]
    pub struct Clumsy;

    #[glib::object_subclass]
    impl ObjectSubclass for Clumsy {
        const NAME: &'static str = "GsockTestClumsyClient";
        type Type = super::Clumsy;
        type ParentType = gsock::SocketClient;
    }

    impl ObjectImpl for Clumsy {}

    impl SocketClientImpl for Clumsy {
        fn event(
            &self,
            event: super::Event,
            _: &gio::SocketConnectable,
            _: Option<&gio::IOStream>,
        ) {
            assert_ne!(event, super::Event::TlsHandshaking, "before it is prepared");
        }
    }
}

glib::wrapper! {
    pub struct Clumsy(ObjectSubclass<imp::Clumsy>) @extends SocketClient;
}

/// It may have been about to say whom not to trust: the handshake is not begun, whatever would come of it.
#[test]
fn a_handler_that_panics_before_it_has_prepared_tls_ends_the_attempt() {
    on_private_context_within(LIMIT * 4, |context| {
        for form in FORMS {
            for is_derived in [false, true] {
                let (address, _, serving) = server(1);
                let client = if is_derived {
                    glib::Object::new::<Clumsy>().upcast()
                } else {
                    let client = SocketClient::new();
                    client.connect_event(|_, event, _, _| {
                        assert_ne!(event, Event::TlsHandshaking, "before it is prepared");
                    });
                    client
                };
                client.set_tls(true);
                // So that it would succeed.
                client.set_tls_validation_flags(Flags::empty());
                let target = gio_address(address);
                let failed = with_one_critical(|| connect(form, &client, &target, None, context));
                let failed = failed.expect_err(&format!("{form:?} {is_derived}"));
                assert!(failed.message().contains("panicked"), "{failed:?}");
                serving.join().unwrap();
            }
        }
    });
}

/// Runs one of these tests in a process of its own, where `set` is what `value` says.
fn alone(test: &str, set: &str, value: &str) -> std::process::Output {
    Command::new(std::env::current_exe().expect("this one"))
        .args(["--exact", test, "--nocapture"])
        .env(set, value)
        .output()
        .expect("it runs")
}

#[test]
fn where_there_is_no_tls_there_is_no_connection() {
    if std::env::var_os("GIO_USE_TLS").is_some_and(|backend| backend == "dummy") {
        on_private_context(|context| {
            let (listener, address) = listener();
            for form in FORMS {
                let client = SocketClient::new();
                client.set_tls(true);
                let failed = connect(form, &client, &gio_address(address), None, context);
                assert!(failed.unwrap_err().matches(TlsError::Unavailable));
                // Nothing was said in plain text.
                let (mut peer, _) = listener.accept().unwrap();
                assert_eq!(peer.read(&mut [0]).unwrap(), 0);
            }
            println!("three forms were refused");
        });
        return;
    }
    let output = alone(
        "unverified::where_there_is_no_tls_there_is_no_connection",
        "GIO_USE_TLS",
        "dummy",
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("three forms were refused"),
        "{output:?}"
    );
}

/// A panic in a closure of gio-rs ends the process, as it does everywhere; it does not end the judgement.
#[test]
fn a_panic_while_a_certificate_is_judged_gives_no_connection() {
    const CHILD: &str = "GSOCK_TEST_PANICS_AT";
    if let Some(address) = std::env::var_os(CHILD) {
        let address: SocketAddr = address.to_str().unwrap().parse().unwrap();
        on_private_context(move |_| {
            let client = SocketClient::new();
            client.set_tls(true);
            client.connect_event(|_, event, _, stream| {
                if event == Event::TlsHandshaking {
                    let tls = stream
                        .unwrap()
                        .downcast_ref::<gio::TlsConnection>()
                        .unwrap();
                    tls.connect_accept_certificate(|_, _, _| panic!("in the judgement"));
                }
            });
            let made = client.connect(&gio_address(address), Cancellable::NONE);
            println!("it came to an end: {}", made.is_ok());
        });
        return;
    }
    let (address, _, serving) = server(1);
    let output = alone(
        "unverified::a_panic_while_a_certificate_is_judged_gives_no_connection",
        CHILD,
        &address.to_string(),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(complained.contains("in the judgement"), "{output:?}");
    assert!(!said.contains("to an end: true"), "{output:?}");
    serving.join().unwrap();
}
