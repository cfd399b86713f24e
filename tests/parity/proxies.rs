//! Connecting through proxies.

use std::{
    net::SocketAddr,
    sync::OnceLock,
    thread::{self, JoinHandle},
};

use gio::{IOErrorEnum as E, SocketClientEvent as Event, prelude::*};

use crate::{
    client::{Client, FORMS, Form},
    client_tools::{Next, name, scripted, use_resolver_of_names},
    differs::differs,
    own_proxies::Naming,
    proxy_peers::{SOCKS5_OK, Script, by, goes_after, proxy, says},
    support::*,
    under::*,
};

on_both!(
    addr_17_a_proxy_resolver_is_asked_for_a_uri,
    client_54_the_events_of_a_proxy,
    client_66_only_streams_have_proxies,
    client_71_a_proxy_without_a_port_is_at_port_0_or_at_its_protocols,
    client_67_the_program_does_what_it_said_that_it_would,
    client_67_a_protocol_that_nobody_speaks_is_not_supported,
    client_68_the_remote_address_is_that_of_the_proxy_and_says_where_to,
    client_69_after_a_proxy_that_fails_comes_the_next,
    client_70_what_a_socks5_proxy_answers,
    client_70_what_other_proxies_answer,
    client_56_the_streams_of_the_events,
    client_44_a_proxy_that_is_not_there_is_named,
    client_72_without_enable_proxy_there_is_none,
    client_80_a_stream_over_the_connection_is_wrapped,
);

/// Somewhere that nobody is asked for: the proxy would be.
fn target() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 9).into())
}

fn proxied(side: Side, uri: &str) -> Client {
    let client = side.client();
    client.0.set_property("proxy-resolver", by(uri));
    client
}

/// What comes of a connect through a proxy, and the events.
fn through(
    side: Side,
    form: Form,
    scheme: &str,
    script: Script,
    context: &glib::MainContext,
) -> (Result<(), E>, String) {
    let (address, serving) = proxy(script);
    let client = proxied(side, &format!("{scheme}{address}"));
    let seen = client.events();
    let made = client.connect(form, &target(), context);
    let outcome = made.as_ref().map(|_| ()).map_err(code);
    drop(made);
    serving.join().unwrap();
    (outcome, seen.take())
}

fn addr_17_a_proxy_resolver_is_asked_for_a_uri(side: Side, context: &glib::MainContext) {
    use_resolver_of_names();
    let port = refused_address().port();
    let scheme = glib::Object::builder::<gio::NetworkAddress>()
        .property("hostname", "v4-ok.test")
        .property("port", u32::from(port))
        .property("scheme", "some")
        .build();
    let cases: [(gio::SocketConnectable, String); 4] = [
        (
            name("v4-ok.test", port).upcast(),
            format!("none://v4-ok.test:{port}"),
        ),
        (scheme.upcast(), format!("some://v4-ok.test:{port}")),
        (
            gio_address(([127, 0, 0, 1], port).into()).upcast(),
            format!("none://127.0.0.1:{port}"),
        ),
        (
            gio_address(([0, 0, 0, 0, 0, 0, 0, 1], port).into()).upcast(),
            format!("none://[::1]:{port}"),
        ),
    ];
    for form in FORMS {
        for (to, asked) in &cases {
            let resolver = Naming::new(&["direct://".to_owned()]);
            let client = side.client();
            client.0.set_property("proxy-resolver", &resolver);
            assert_fails(client.connect(form, to, context), E::ConnectionRefused);
            assert_eq!(resolver.asked(), [asked.as_str()], "{form:?}");
        }
    }
}

fn client_54_the_events_of_a_proxy(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let script = says(&[&[5, 0], SOCKS5_OK]);
        let ok = through(side, form, "socks5://", script, context);
        assert_eq!(ok, (Ok(()), "RrCcPpK".to_owned()), "{form:?}");
        let script = says(&[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]]);
        let refused = through(side, form, "socks5://", script, context);
        let expected = (Err(E::ConnectionRefused), "RrCcP0".to_owned());
        assert_eq!(refused, expected, "{form:?}");
        let client = proxied(side, &format!("socks5://{}", refused_address()));
        let seen = client.events();
        assert_fails(
            client.connect(form, &target(), context),
            E::ConnectionRefused,
        );
        assert_eq!(seen.take(), "RrC0");
    }
}

fn client_67_the_program_does_what_it_said_that_it_would(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let (_listener, address) = listener();
        let client = proxied(side, &format!("own://{address}"));
        client.add_application_proxy("own");
        client.0.set_property("tls", true);
        let seen = client.events();
        let made = client.connect(form, &target(), context).unwrap();
        assert_eq!(seen.take(), "RrCcK");
        let proxy = remote_of(&made);
        assert_eq!(proxy.protocol(), "own");
        assert_eq!(proxy.destination_port(), 9);
    }
}

fn client_67_a_protocol_that_nobody_speaks_is_not_supported(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        let (_listener, address) = listener();
        let client = proxied(side, &format!("own://{address}"));
        // Names are compared as they are.
        client.add_application_proxy("OWN");
        let seen = client.events();
        let failed = client.connect(form, &target(), context).unwrap_err();
        assert!(failed.matches(E::NotSupported), "{failed:?}");
        assert_eq!(failed.message(), "Proxy protocol “own” is not supported.");
        assert_eq!(seen.take(), "RrCc0");
    }
}

fn client_66_only_streams_have_proxies(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = proxied(side, &format!("socks5://{}", refused_address()));
        client.0.set_property("type", gio::SocketType::Datagram);
        let target = gio_address(peer.local_addr().unwrap());
        client.connect(form, &target, context).unwrap();
    }
}

/// The latter from GLib 2.78.0 on.
fn client_71_a_proxy_without_a_port_is_at_port_0_or_at_its_protocols(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        let client = proxied(side, "socks5://127.0.0.1");
        let port = std::rc::Rc::new(std::cell::Cell::new(0));
        let seen = port.clone();
        client.on_event(move |event, _, stream| {
            if event == Event::Connecting {
                seen.set(remote_of(&stream.unwrap()).port());
            }
        });
        // Nobody is at either.
        let failed = client.connect(form, &target(), context);
        assert_fails(failed, E::ConnectionRefused);
        let expected = if glib::check_version(2, 77, 0).is_none() {
            1080
        } else {
            0
        };
        assert_eq!(port.get(), expected);
    }
}

fn remote_of(made: &gio::IOStream) -> gio::ProxyAddress {
    let remote = match made.downcast_ref::<gio::SocketConnection>() {
        Some(made) => SocketConnectionExt::remote_address(made),
        None => {
            let made = made
                .downcast_ref::<gsock::SocketConnection>()
                .expect("ours");
            gsock::SocketConnectionExt::remote_address(made)
        }
    };
    remote.unwrap().downcast().expect("the address of a proxy")
}

fn client_68_the_remote_address_is_that_of_the_proxy_and_says_where_to(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        let (address, serving) = proxy(says(&[&[5, 0], SOCKS5_OK]));
        let client = proxied(side, &format!("socks5://{address}"));
        client.on_event(|event, _, stream| {
            if event == Event::Connecting {
                assert_eq!(remote_of(&stream.unwrap()).destination_port(), 70);
            }
        });
        // The proxy looks the name up.
        let host = gio::NetworkAddress::new("nowhere.test", 70);
        let made = client.connect(form, &host, context).unwrap();
        let remote = remote_of(&made);
        assert_eq!(remote.destination_hostname(), "nowhere.test");
        assert_eq!(remote.port(), address.port());
        drop((made, remote));
        let read = serving.join().unwrap();
        assert_eq!(
            read,
            b"\x05\x01\x00\x05\x01\x00\x03\x0cnowhere.test\x00\x46"
        );
    }
}

fn client_69_after_a_proxy_that_fails_comes_the_next(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        // What SOCKS in general stands for: 5, 4a and 4, with one address.
        let (listener, address) = listener();
        let serving = thread::spawn(move || {
            use std::io::{Read, Write};
            let mut buffer = [0; 100];
            let (mut first, _) = listener.accept().unwrap();
            let _ = first.read(&mut buffer);
            let _ = first.write_all(&[0, 91]);
            let (mut second, _) = listener.accept().unwrap();
            let count = second.read(&mut buffer).unwrap();
            second.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).unwrap();
            let _ = second.read(&mut buffer);
            buffer[..count.min(2)].to_vec()
        });
        let client = proxied(side, &format!("socks://{address}"));
        let seen = client.events();
        let made = client.connect(form, &target(), context).unwrap();
        assert_eq!(seen.take(), "RrCcPCcPpK");
        assert_eq!(remote_of(&made).protocol(), "socks4a");
        drop(made);
        assert_eq!(serving.join().unwrap(), [4, 1]);
    }
}

fn client_70_what_a_socks5_proxy_answers(side: Side, context: &glib::MainContext) {
    macro_rules! reply {
        ($code:literal) => {
            says(&[&[5, 0], &[5, $code, 0, 1, 0, 0, 0, 0, 0, 0]])
        };
    }
    let cases: [(&str, Script, Result<(), E>); 17] = [
        ("", reply!(0), Ok(())),
        ("", reply!(1), Err(E::ProxyFailed)),
        ("", reply!(2), Err(E::ProxyNotAllowed)),
        ("", reply!(3), Err(E::NetworkUnreachable)),
        ("", reply!(4), Err(E::HostUnreachable)),
        ("", reply!(5), Err(E::ConnectionRefused)),
        ("", reply!(6), Err(E::HostUnreachable)),
        ("", reply!(7), Err(E::ProxyFailed)),
        ("", reply!(8), Err(E::ProxyFailed)),
        ("", reply!(99), Err(E::ProxyFailed)),
        ("", says(&[&[5, 2]]), Err(E::ProxyNeedAuth)),
        ("", says(&[&[5, 255]]), Err(E::ProxyNeedAuth)),
        ("", says(&[&[4, 0]]), Err(E::ProxyFailed)),
        ("me:secret@", reply!(0), Ok(())),
        ("me:secret@", says(&[&[5, 2], &[1, 0], SOCKS5_OK]), Ok(())),
        (
            "me:secret@",
            says(&[&[5, 2], &[1, 1]]),
            Err(E::ProxyAuthFailed),
        ),
        (
            "",
            says(&[&[5, 0], &[5, 0, 0, 9, 0, 0, 0, 0, 0, 0]]),
            Err(E::ProxyFailed),
        ),
    ];
    for form in FORMS {
        for (login, script, expected) in &cases {
            let scheme = format!("socks5://{login}");
            let (outcome, seen) = through(side, form, &scheme, *script, context);
            assert_eq!(outcome, *expected, "{form:?} {login} {script:?}");
            let events = if expected.is_ok() {
                "RrCcPpK"
            } else {
                "RrCcP0"
            };
            assert_eq!(seen, events, "{form:?} {login} {script:?}");
        }
    }
}

fn client_70_what_other_proxies_answer(side: Side, context: &glib::MainContext) {
    let cases: [(&str, Script, Result<(), E>); 15] = [
        ("http://", says(&[b"HTTP/1.0 200 OK\r\n\r\n"]), Ok(())),
        (
            "http://",
            says(&[b"HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n"]),
            Ok(()),
        ),
        (
            "http://",
            says(&[b"HTTP/1.0 403 No\r\n\r\n"]),
            Err(E::ProxyNotAllowed),
        ),
        (
            "http://",
            says(&[b"HTTP/1.0 407 Who\r\n\r\n"]),
            Err(E::ProxyNeedAuth),
        ),
        (
            "http://me:secret@",
            says(&[b"HTTP/1.0 200 OK\r\n\r\n"]),
            Ok(()),
        ),
        (
            "http://me:secret@",
            says(&[b"HTTP/1.0 407 Who\r\n\r\n"]),
            Err(E::ProxyAuthFailed),
        ),
        (
            "http://",
            says(&[b"HTTP/1.0 500 Oh\r\n\r\n"]),
            Err(E::ProxyFailed),
        ),
        (
            "http://",
            says(&[b"HTTP/1.0 404 Oh\r\n\r\n"]),
            Err(E::ProxyFailed),
        ),
        (
            "http://",
            says(&[b"220 mail here\r\n\r\n"]),
            Err(E::ProxyFailed),
        ),
        ("http://", goes_after(&[]), Err(E::ProxyFailed)),
        ("socks4://", says(&[&[0, 90, 0, 0, 0, 0, 0, 0]]), Ok(())),
        (
            "socks4://",
            says(&[&[0, 91, 0, 0, 0, 0, 0, 0]]),
            Err(E::ProxyFailed),
        ),
        (
            "socks4://",
            says(&[&[0, 93, 0, 0, 0, 0, 0, 0]]),
            Err(E::ProxyFailed),
        ),
        ("socks4a://", says(&[&[0, 90, 0, 0, 0, 0, 0, 0]]), Ok(())),
        (
            "socks4a://",
            says(&[&[0, 92, 0, 0, 0, 0, 0, 0]]),
            Err(E::ProxyFailed),
        ),
    ];
    for form in FORMS {
        for (scheme, script, expected) in &cases {
            let (outcome, seen) = through(side, form, scheme, *script, context);
            assert_eq!(outcome, *expected, "{form:?} {scheme} {script:?}");
            let events = if expected.is_ok() {
                "RrCcPpK"
            } else {
                "RrCcP0"
            };
            assert_eq!(seen, events, "{form:?} {scheme} {script:?}");
        }
    }
}

fn client_56_the_streams_of_the_events(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let (address, serving) = proxy(says(&[&[5, 0], SOCKS5_OK]));
        let client = proxied(side, &format!("socks5://{address}"));
        let streams = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let seen = streams.clone();
        client.on_event(move |event, _, stream| seen.borrow_mut().push((event, stream)));
        let made = client.connect(form, &target(), context).unwrap();
        let streams = streams.take();
        assert_eq!(streams[0], (Event::Resolving, None));
        assert_eq!(streams[1], (Event::Resolved, None));
        // SOCKS leaves the stream as it is: from the beginning to the end there is one object.
        for (at, event) in [
            Event::Connecting,
            Event::Connected,
            Event::ProxyNegotiating,
            Event::ProxyNegotiated,
            Event::Complete,
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(streams[at + 2], (event, Some(made.clone())));
        }
        drop((streams, made));
        serving.join().unwrap();
    }
}

fn client_44_a_proxy_that_is_not_there_is_named(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let client = proxied(side, &format!("http://{}", refused_address()));
        let host = gio::NetworkAddress::new("nowhere.test", 70);
        let failed = client.connect(form, &host, context).unwrap_err();
        let expected = "Could not connect to proxy server 127.0.0.1: ";
        assert!(failed.message().starts_with(expected), "{failed:?}");
    }
}

fn client_72_without_enable_proxy_there_is_none(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let (_listener, address) = listener();
        let client = proxied(side, &format!("socks5://{}", refused_address()));
        client.0.set_property("enable-proxy", false);
        client
            .connect(form, &gio_address(address), context)
            .unwrap();
        client.0.set_property("enable-proxy", true);
        let failed = client.connect(form, &gio_address(address), context);
        assert_fails(failed, E::ConnectionRefused);
    }
}

/// A certificate of its own, as PEM.
pub(crate) fn own_certificate() -> String {
    let pem = |label: &str, der: &[u8]| {
        let base64 = glib::base64_encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

/// One that everybody in this process trusts. GIO reads its file for each connection, so that it stays.
fn trusted_certificate() -> &'static str {
    static TRUSTED: OnceLock<String> = OnceLock::new();
    TRUSTED.get_or_init(|| {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join("trusted.pem");
        if !path.exists() {
            let own = folder.join(format!("trusted-{}.pem", std::process::id()));
            std::fs::write(&own, own_certificate()).unwrap();
            // Another process may have been faster.
            let _ = std::fs::hard_link(&own, &path);
            std::fs::remove_file(&own).unwrap();
        }
        let database = gio::TlsFileDatabase::new(&path).expect("GIO's TLS is installed");
        gio::TlsBackend::default().set_default_database(Some(&database));
        std::fs::read_to_string(&path).unwrap()
    })
}

/// An HTTP proxy behind TLS, which sends back what comes after its agreement; one connection. What it was asked.
fn https_proxy(certificate: &str) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listener();
    let certificate = certificate.to_owned();
    let serving = thread::spawn(move || {
        let certificate = gio::TlsCertificate::from_pem(&certificate).unwrap();
        let (peer, _) = listener.accept().unwrap();
        let socket = gio::Socket::from_fd(peer.into()).unwrap();
        let base = socket.connection_factory_create_connection();
        let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).unwrap();
        let none = gio::Cancellable::NONE;
        let (input, output) = (tls.input_stream(), tls.output_stream());
        let mut asked = String::new();
        while !asked.ends_with("\r\n\r\n") {
            match input.read_bytes(4096, none) {
                Ok(bytes) if !bytes.is_empty() => {
                    asked.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                _ => return asked,
            }
        }
        output.write_all(b"HTTP/1.0 200 OK\r\n\r\n", none).unwrap();
        if let Ok(bytes) = input.read_bytes(4096, none) {
            let _ = output.write_all(&bytes, none);
        }
        // Until the other side goes.
        let _ = input.read_bytes(1, none);
        asked
    });
    (address, serving)
}

fn client_80_a_stream_over_the_connection_is_wrapped(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let (address, serving) = https_proxy(trusted_certificate());
        let client = proxied(side, &format!("https://{address}"));
        let seen = client.events();
        let host = gio::NetworkAddress::new("nowhere.test", 70);
        let made = client.connect(form, &host, context).unwrap();
        assert_eq!(seen.take(), "RrCcPpK", "{form:?}");
        let type_ = made.type_().name();
        assert!(type_.ends_with("TcpWrapperConnection"), "{type_}");
        assert!(
            made.property::<gio::IOStream>("base-io-stream")
                .is::<gio::TlsClientConnection>()
        );
        assert_eq!(remote_of(&made).destination_hostname(), "nowhere.test");
        let none = gio::Cancellable::NONE;
        made.output_stream().write_all(b"a word", none).unwrap();
        let said = made.input_stream().read_bytes(100, none).unwrap();
        assert_eq!(&*said, b"a word");
        let _ = made.close(none);
        drop(made);
        assert!(
            serving
                .join()
                .unwrap()
                .starts_with("CONNECT nowhere.test:70 HTTP/1.0\r\n")
        );
        // One that nobody trusts: as any other that does not agree.
        let (address, serving) = https_proxy(&own_certificate());
        let client = proxied(side, &format!("https://{address}"));
        let seen = client.events();
        let failed = client.connect(form, &host, context).unwrap_err();
        assert!(failed.is::<gio::TlsError>(), "{failed:?}");
        assert_eq!(seen.take(), "RrCcP0");
        assert_eq!(serving.join().unwrap(), "");
    }
}

/// CLIENT-74: what says nothing of proxies is connected to past the one that the resolver names.
#[test]
fn differs_client_74_a_connectable_that_says_nothing_of_proxies_does_not_go_past_them() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                FORMS.map(|form| {
                    let (_listener, address) = listener();
                    let client = proxied(side, &format!("socks5://{}", refused_address()));
                    let own = scripted([Next::Address(address)]);
                    let made = client.connect(form, &own, context);
                    made.map(drop).map_err(|failure| code(&failure))
                })
            },
            [Ok(()), Ok(())],
            [Err(E::ConnectionRefused), Err(E::ConnectionRefused)],
        );
    });
}

/// CLIENT-70: GIO's blocking form has other codes where a SOCKS 5 proxy goes in the middle.
#[test]
fn differs_client_70_a_proxy_that_goes_is_the_same_to_all_forms() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                FORMS.map(|form| {
                    let script = goes_after(&[]);
                    let (outcome, _) = through(side, form, "socks5://", script, context);
                    outcome.unwrap_err()
                })
            },
            [E::ProxyFailed, E::BrokenPipe],
            [E::BrokenPipe, E::BrokenPipe],
        );
    });
}
