//! Connecting through proxies.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, SocketConnection, TcpConnection, TcpWrapperConnection, prelude::*};

use crate::{
    own_proxies::{Naming, use_wrapping_protocol},
    proxy_peers::*,
    servers::Server,
    support::*,
    tls,
    tools::*,
};

fn through(uri: &str) -> SocketClient {
    let client = SocketClient::new();
    client.set_proxy_resolver(Some(&by(uri)));
    client
}

fn has_nobody(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    matches!(listener.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// A SOCKS 5 proxy that connects each of `count` clients to `to`, wherever they want to go.
fn relaying_proxy(to: SocketAddr, count: usize) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener();
    let serving = thread::spawn(move || {
        for _ in 0..count {
            let (mut peer, _) = listener.accept().unwrap();
            let mut buffer = [0; 512];
            for answer in [&[5, 0][..], SOCKS5_OK] {
                assert!(peer.read(&mut buffer).unwrap() > 0);
                peer.write_all(answer).unwrap();
            }
            let mut far = TcpStream::connect(to).unwrap();
            let (mut from, mut back) = (peer.try_clone().unwrap(), far.try_clone().unwrap());
            let there = thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut far);
                let _ = far.shutdown(std::net::Shutdown::Write);
            });
            let _ = std::io::copy(&mut back, &mut peer);
            let _ = peer.shutdown(std::net::Shutdown::Both);
            there.join().unwrap();
        }
    });
    (address, serving)
}

/// What the system says once is not swallowed by the look that comes before a read.
#[test]
fn a_socks_proxy_that_resets_is_told_of_as_one_that_resets() {
    on_private_context(|context| {
        for scheme in ["socks4", "socks4a", "socks5"] {
            for form in FORMS {
                let (listener, address) = listener();
                let resetting = thread::spawn(move || {
                    let (mut peer, _) = listener.accept().unwrap();
                    assert!(peer.read(&mut [0; 64]).unwrap() > 0);
                    reset(peer);
                });
                let client = through(&format!("{scheme}://{address}"));
                let target = gio::NetworkAddress::new("127.0.0.1", 7);
                let failed = connect(form, &client, &target, None, context).unwrap_err();
                let reset = std::io::Error::from_raw_os_error(libc::ECONNRESET).to_string();
                let reset = reset.split(" (").next().unwrap();
                assert!(
                    failed.message().contains(reset),
                    "{scheme} {form:?}: {failed:?}"
                );
                resetting.join().unwrap();
            }
        }
    });
}

#[test]
fn a_proxy_that_fails_is_not_gone_past() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let proxy = format!("socks5://{}", refused_address());
        for form in FORMS {
            let client = through(&proxy);
            let targets: [gio::SocketConnectable; 3] = [
                gio_address(address).upcast(),
                name("v4-ok.test", address.port()).upcast(),
                service_at(address),
            ];
            for target in targets {
                let failed = connect(form, &client, &target, None, context);
                assert_fails(failed, IOErrorEnum::ConnectionRefused);
                assert!(has_nobody(&listener), "{target:?} was connected to");
            }
            client.set_enable_proxy(false);
            connect(form, &client, &gio_address(address), None, context).unwrap();
            iterate_until(context, || listener.accept().is_ok());
            // And a resolver that knows of none for this host.
            client.set_enable_proxy(true);
            let direct = gio::SimpleProxyResolver::new(Some(&proxy), ["127.0.0.1"]);
            client.set_proxy_resolver(Some(&direct));
            connect(form, &client, &gio_address(address), None, context).unwrap();
            iterate_until(context, || listener.accept().is_ok());
        }
    });
}

fn service_at(address: SocketAddr) -> gio::SocketConnectable {
    use_resolver_of_names();
    let domain = format!("v4_ok_0x{}.test", address.port());
    gio::NetworkService::new("some", "tcp", &domain).upcast()
}

#[test]
fn a_service_goes_through_the_proxy_by_the_names_of_its_hosts() {
    on_private_context(|context| {
        for form in FORMS {
            let (address, serving) = proxy(says(&[&[5, 0], SOCKS5_OK]));
            let resolver = Naming::new(&[format!("socks5://{address}")]);
            let client = SocketClient::new();
            client.set_proxy_resolver(Some(&resolver));
            let service = service_at(([127, 0, 0, 1], 70).into());
            let seen = events(&client);
            let made = connect(form, &client, &service, None, context).unwrap();
            assert_eq!(seen.take(), "RrCcPpK");
            assert!(
                resolver
                    .asked()
                    .iter()
                    .all(|uri| uri == "some://v4-ok-0.test:70")
            );
            drop(made);
            let read = serving.join().unwrap();
            let expected = b"\x05\x01\x00\x05\x01\x00\x03\x0dv4-ok-0.test\x00\x46";
            assert_eq!(read[..7], expected[..7]);
            assert!(read.ends_with(b"v4-ok-0.test\x00\x46"), "{read:?}");
        }
    });
}

/// CLIENT-74: the resolver is asked for each address that such a one names.
#[test]
fn a_connectable_that_says_nothing_of_proxies_goes_through_those_of_the_resolver() {
    on_private_context(|context| {
        let (never, direct) = listener();
        for form in FORMS {
            let (address, serving) = proxy(says(&[&[5, 0], SOCKS5_OK]));
            let resolver = Naming::new(&[format!("socks5://{address}")]);
            let client = SocketClient::new();
            client.set_proxy_resolver(Some(&resolver));
            let seen = events(&client);
            let own = scripted([direct].map(Next::Address));
            let made = connect(form, &client, &own, None, context).unwrap();
            assert_eq!(seen.take(), "RrCcPpK", "{form:?}");
            let remote = made.remote_address().unwrap();
            let remote = remote.downcast::<gio::ProxyAddress>().unwrap();
            assert_eq!(remote.destination_port(), direct.port());
            // By us, and by GIO's enumerator.
            let asked = format!("none://{direct}");
            assert_eq!(resolver.asked(), [asked.clone(), asked]);
            drop((made, remote));
            serving.join().unwrap();
        }
        assert!(has_nobody(&never));
    });
}

#[test]
fn a_connectable_that_says_nothing_of_proxies_is_not_connected_to_past_one_that_fails() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let dead = refused_address();
        for form in FORMS {
            let client = through(&format!("socks5://{}", refused_address()));
            let seen = events(&client);
            let own = scripted([dead, address].map(Next::Address));
            let failed = connect(form, &client, &own, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
            assert_eq!(seen.take(), "RrCC0", "{form:?}");
            // What cannot be read as a proxy is no leave to do without one.
            let client = SocketClient::new();
            client.set_proxy_resolver(Some(&Naming::new(&["nonsense".to_owned()])));
            let failed = connect(form, &client, &own, None, context);
            assert_fails(failed, IOErrorEnum::Failed);
        }
        assert!(has_nobody(&listener));
    });
}

#[test]
fn each_address_of_a_connectable_has_the_proxies_that_are_named_for_it() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let dead = refused_address();
        for form in FORMS {
            // One of them is to be reached directly, which is tried when it is its turn.
            let exempt = address.to_string();
            let proxy = format!("socks5://{}", refused_address());
            let resolver = gio::SimpleProxyResolver::new(Some(&proxy), [exempt.as_str()]);
            let client = SocketClient::new();
            client.set_proxy_resolver(Some(&resolver));
            let seen = events(&client);
            let own = scripted([dead, address, dead].map(Next::Address));
            let made = connect(form, &client, &own, None, context).unwrap();
            assert!(!made.remote_address().unwrap().is::<gio::ProxyAddress>());
            assert_eq!(seen.take(), "RrCCcK", "{form:?}");
            // Where no proxy was asked for there is none, nor without a resolver of its own.
            client.set_enable_proxy(false);
            let plain = scripted([Next::Address(address)]);
            connect(form, &client, &plain, None, context).unwrap();
            connect(form, &SocketClient::new(), &plain, None, context).unwrap();
        }
    });
}

#[test]
fn a_host_whose_proxies_cannot_be_told_is_passed_over() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        use_resolver_of_names();
        let port = address.port();
        let twice = format!("v4_ok_0x{port}.v4_ok_1x{port}.test");
        for form in FORMS {
            for (target, once) in [
                (
                    gio::NetworkService::new("some", "tcp", &twice).upcast(),
                    service_at(address),
                ),
                (
                    scripted([address, address].map(Next::Address)).upcast(),
                    scripted([Next::Address(address)]).upcast(),
                ),
            ] {
                let resolver = Naming::new(&["direct://".to_owned()]);
                let client = SocketClient::new();
                client.set_proxy_resolver(Some(&resolver));
                resolver.fail_once();
                let target: gio::SocketConnectable = target;
                connect(form, &client, &target, None, context).expect("the second one is there");
                // Where there is no other one, that is why.
                resolver.fail_once();
                let once: gio::SocketConnectable = once;
                let failed = connect(form, &client, &once, None, context);
                assert_fails(failed, IOErrorEnum::Busy);
            }
        }
    });
}

#[test]
fn what_comes_behind_a_proxy_waits_until_that_has_failed() {
    on_private_context(|context| {
        for form in FORMS {
            let (_listener, address) = listener();
            // It connects long after the next address would have its turn, reads a byte and goes.
            let (slow, serving) = slow_listener();
            let resolver = Naming::new(&[format!("socks5://{slow}"), "direct://".to_owned()]);
            let client = SocketClient::new();
            client.set_proxy_resolver(Some(&resolver));
            let seen = events(&client);
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            assert_eq!(seen.take(), "RrCcPCcK");
            let remote = made.remote_address().unwrap();
            assert!(!remote.is::<gio::ProxyAddress>());
            serving.join().unwrap();
        }
    });
}

#[test]
fn direct_comes_also_after_a_proxy_that_is_not_there() {
    on_private_context(|context| {
        for form in FORMS {
            let (_listener, address) = listener();
            let proxies = [
                format!("http://{}", refused_address()),
                "unheard-of://127.0.0.1:1".to_owned(),
                "direct://".to_owned(),
            ];
            let client = SocketClient::new();
            client.set_proxy_resolver(Some(&Naming::new(&proxies)));
            connect(form, &client, &gio_address(address), None, context).unwrap();
        }
    });
}

#[test]
fn tls_lies_over_what_the_proxy_gives() {
    on_private_context(|context| {
        let (far, certificate, serving) = tls::server(FORMS.len());
        let (address, relaying) = relaying_proxy(far, FORMS.len());
        for form in FORMS {
            let client = tls::trusting(&certificate);
            client.set_proxy_resolver(Some(&by(&format!("socks5://{address}"))));
            let seen = events(&client);
            // A name that only the proxy could look up.
            let host = gio::NetworkAddress::new("v4-ok.nowhere", 443);
            let made = connect(form, &client, &host, None, context).unwrap();
            assert_eq!(seen.take(), "RrCcPpTtK");
            let read = made.input_stream().read_bytes(5, Cancellable::NONE);
            assert_eq!(&*read.unwrap(), b"hello");
            let remote = made.remote_address().unwrap();
            let remote = remote.downcast::<gio::ProxyAddress>().unwrap();
            assert_eq!(remote.destination_hostname(), "v4-ok.nowhere");
            let made = made.downcast::<TcpWrapperConnection>().unwrap();
            assert!(made.base_io_stream().is::<gio::TlsClientConnection>());
        }
        serving.join().unwrap();
        relaying.join().unwrap();
    });
}

#[test]
fn a_stream_of_another_class_is_wrapped_at_the_end() {
    on_private_context(|context| {
        use_wrapping_protocol();
        for form in FORMS {
            let (address, serving) = proxy(says(&[]));
            let client = through(&format!("wrapping://{address}"));
            let seen = events(&client);
            client.connect_event(|_, event, _, stream| match event {
                Event::ProxyNegotiating => assert!(stream.unwrap().is::<TcpConnection>()),
                Event::ProxyNegotiated => assert!(stream.unwrap().is::<gio::SimpleIOStream>()),
                Event::Complete => assert!(stream.unwrap().is::<TcpWrapperConnection>()),
                _ => {}
            });
            let host = gio::NetworkAddress::new("far.test", 70);
            let made = connect(form, &client, &host, None, context).unwrap();
            assert_eq!(seen.take(), "RrCcPpK");
            assert!(made.remote_address().unwrap().is::<gio::ProxyAddress>());
            let below = made.socket().remote_address().unwrap();
            assert!(!below.is::<gio::ProxyAddress>());
            let output = made.output_stream();
            output.write_all(b"through", Cancellable::NONE).unwrap();
            made.close(Cancellable::NONE).unwrap();
            assert_eq!(serving.join().unwrap(), b"through");
        }
    });
}

#[test]
fn a_protocol_that_answers_nothing_has_failed() {
    on_private_context(|context| {
        use_wrapping_protocol();
        for form in FORMS {
            let (_listener, address) = listener();
            let client = through(&format!("wrapping://{address}"));
            let seen = events(&client);
            let host = gio::NetworkAddress::new("nothing.test", 70);
            let failed = connect(form, &client, &host, None, context);
            assert_fails(failed, IOErrorEnum::Failed);
            assert_eq!(seen.take(), "RrCcP0");
        }
    });
}

#[test]
fn a_proxy_that_keeps_silent_is_bounded_and_named() {
    on_private_context(|context| {
        for form in FORMS {
            let (_listener, address) = listener();
            for scheme in ["socks5", "socks4", "http"] {
                let client = through(&format!("{scheme}://{address}"));
                client.set_connect_timeout(Duration::from_millis(60));
                let far = gio_address(([127, 0, 0, 1], 9).into());
                let failed = connect(form, &client, &far, None, context).unwrap_err();
                assert!(failed.matches(IOErrorEnum::TimedOut), "{failed:?}");
                assert!(failed.message().contains("with a proxy"), "{failed:?}");
            }
        }
        iterate_until_none_lives(context);
    });
}

#[test]
fn a_proxy_that_keeps_silent_is_left_when_it_is_cancelled() {
    on_private_context(|context| {
        for form in [Form::Blocking, Form::Callback] {
            for scheme in ["socks5", "http"] {
                let (address, serving) = proxy(says(&[]));
                let client = through(&format!("{scheme}://{address}"));
                let seen = events(&client);
                let cancellable = Cancellable::new();
                let cancelling = cancellable.clone();
                let cancelling = thread::spawn(move || {
                    thread::sleep(Duration::from_millis(50));
                    cancelling.cancel();
                });
                let far = gio_address(([127, 0, 0, 1], 9).into());
                let failed = connect(form, &client, &far, Some(&cancellable), context);
                assert_fails(failed, IOErrorEnum::Cancelled);
                assert_eq!(seen.take(), "RrCcP0");
                cancelling.join().unwrap();
                // The peer sees it go.
                iterate_until(context, || serving.is_finished());
            }
        }
        iterate_until_none_lives(context);
    });
}

#[test]
fn a_future_that_is_dropped_leaves_the_proxy() {
    on_private_context(|context| {
        let (address, serving) = proxy(says(&[]));
        let client = through(&format!("socks5://{address}"));
        let seen = events(&client);
        let far = gio_address(([127, 0, 0, 1], 9).into());
        let connecting = client.connect_future(&far);
        let given_up = block_on(context, async move {
            let time = glib::timeout_future(Duration::from_millis(50));
            matches!(
                futures::future::select(connecting, Box::pin(time)).await,
                futures::future::Either::Right(_)
            )
        });
        assert!(given_up);
        assert_eq!(seen.take(), "RrCcP0");
        iterate_for(context, Duration::from_millis(20));
        serving.join().unwrap();
    });
}

#[test]
fn the_report_has_the_proxys_time() {
    on_private_context(|context| {
        let (address, serving) = proxy(says(&[&[5, 0], SOCKS5_OK]));
        let client = through(&format!("socks5://{address}"));
        let far = gio_address(([127, 0, 0, 1], 9).into());
        let (made, report) = block_on(context, client.connect_with_report(&far)).unwrap();
        assert!(report.proxy.is_some() && report.tls.is_none());
        assert_eq!(report.attempts.len(), 1);
        assert!(report.attempts[0].address.is::<gio::ProxyAddress>());
        drop((made, report));
        serving.join().unwrap();
    });
}

// --- Servers that others have written --------------------------------------------------------------

/// Connects to a server that sends back, in every form, and has a word with it.
fn speaks_through(uri: &str, context: &glib::MainContext) {
    for form in FORMS {
        let client = through(uri);
        let seen = events(&client);
        let made = connect(form, &client, &gio_address(echo_server()), None, context);
        let made = made.unwrap_or_else(|failure| panic!("{form:?} {uri}: {failure:?}"));
        assert_eq!(seen.take(), "RrCcPpK");
        has_a_word(&made);
    }
}

fn has_a_word(made: &SocketConnection) {
    let output = made.output_stream();
    output.write_all(b"a word", Cancellable::NONE).unwrap();
    let mut read = [0; 6];
    let (count, failure) = made
        .input_stream()
        .read_all(&mut read, Cancellable::NONE)
        .unwrap();
    assert!(count == 6 && failure.is_none());
    assert_eq!(&read, b"a word");
}

#[test]
fn microsocks_is_spoken_with() {
    on_private_context(|context| {
        let server = Server::microsocks(&[]);
        speaks_through(&format!("socks5://{}", server.address), context);
        // By a name, which it looks up: some versions try the first address only, whichever family that has.
        let (_v4, _v6, port) = listeners_of_both_families();
        let client = through(&format!("socks5://{}", server.address));
        for form in FORMS {
            let host = gio::NetworkAddress::new("localhost", port);
            connect(form, &client, &host, None, context).unwrap();
            // Nobody is there: it says so.
            let gone = gio_address(refused_address());
            let failed = connect(form, &client, &gone, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
        }
    });
}

#[test]
fn microsocks_knows_whom_it_lets_through() {
    on_private_context(|context| {
        let server = Server::microsocks(&["-u", "me", "-P", "secret"]);
        let at = server.address;
        speaks_through(&format!("socks5://me:secret@{at}"), context);
        for form in FORMS {
            let far = gio_address(echo_server());
            let wrong = through(&format!("socks5://me:wrong@{at}"));
            let failed = connect(form, &wrong, &far, None, context);
            assert_fails(failed, IOErrorEnum::ProxyAuthFailed);
            let nobody = through(&format!("socks5://{at}"));
            let failed = connect(form, &nobody, &far, None, context);
            assert_fails(failed, IOErrorEnum::ProxyNeedAuth);
        }
    });
}

#[test]
fn tls_is_spoken_through_microsocks() {
    on_private_context(|context| {
        let (far, certificate, serving) = tls::server(FORMS.len());
        let server = Server::microsocks(&[]);
        for form in FORMS {
            let client = tls::trusting(&certificate);
            client.set_proxy_resolver(Some(&by(&format!("socks5://{}", server.address))));
            let seen = events(&client);
            let made = connect(form, &client, &gio_address(far), None, context).unwrap();
            assert_eq!(seen.take(), "RrCcPpTtK");
            let read = made.input_stream().read_bytes(5, Cancellable::NONE);
            assert_eq!(&*read.unwrap(), b"hello");
        }
        serving.join().unwrap();
    });
}

#[test]
fn dante_is_spoken_with() {
    on_private_context(|context| {
        let server = Server::dante();
        for scheme in ["socks4", "socks4a", "socks5", "socks"] {
            speaks_through(&format!("{scheme}://{}", server.address), context);
        }
        // By a name, which SOCKS 4 leaves to us.
        let (_listener, port) = listener_on("127.0.0.1");
        let client = through(&format!("socks4://{}", server.address));
        let host = gio::NetworkAddress::new("localhost", port);
        client.connect(&host, Cancellable::NONE).unwrap();
        for form in FORMS {
            let gone = gio_address(refused_address());
            let client = through(&format!("socks5://{}", server.address));
            let failed = connect(form, &client, &gone, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
            // SOCKS 4 has no words for why.
            let client = through(&format!("socks4://{}", server.address));
            let failed = connect(form, &client, &gone, None, context);
            assert_fails(failed, IOErrorEnum::ProxyFailed);
        }
    });
}

#[test]
fn tinyproxy_is_spoken_with() {
    on_private_context(|context| {
        let server = Server::tinyproxy("");
        speaks_through(&format!("http://{}", server.address), context);
        for form in FORMS {
            let client = through(&format!("http://{}", server.address));
            let gone = gio_address(refused_address());
            let failed = connect(form, &client, &gone, None, context);
            assert_fails(failed, IOErrorEnum::ProxyFailed);
        }
    });
}

#[test]
fn tinyproxy_knows_whom_it_lets_through() {
    on_private_context(|context| {
        let server = Server::tinyproxy("BasicAuth me secret\n");
        let at = server.address;
        speaks_through(&format!("http://me:secret@{at}"), context);
        for form in FORMS {
            let far = gio_address(echo_server());
            let nobody = through(&format!("http://{at}"));
            let failed = connect(form, &nobody, &far, None, context);
            assert_fails(failed, IOErrorEnum::ProxyNeedAuth);
        }
    });
}
