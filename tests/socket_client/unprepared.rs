//! Settings, handlers and events that come between a client and the verification of TLS. None turns it off that was not told to.

use std::{io::Read, net::SocketAddr, process::Command};

use gio::{
    Cancellable, SocketClientEvent as Event, TlsCertificateFlags as Flags, TlsError, prelude::*,
};
use gsock::{SocketClient, prelude::*};

use crate::{support::*, tls::*, tools::*};

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
        "unprepared::where_there_is_no_tls_there_is_no_connection",
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
        "unprepared::a_panic_while_a_certificate_is_judged_gives_no_connection",
        CHILD,
        &address.to_string(),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(complained.contains("in the judgement"), "{output:?}");
    assert!(!said.contains("to an end: true"), "{output:?}");
    serving.join().unwrap();
}
