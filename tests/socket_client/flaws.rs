//! Where GIO's client gives up too early, aborts, or answers nothing.

use std::{thread, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn an_attempt_under_way_survives_the_failure_of_the_last() {
    on_private_context(|context| {
        for form in FORMS {
            let (slow, accepting) = slow_listener();
            let client = SocketClient::new();
            client.set_attempt_delay(Duration::from_millis(20));
            let seen = events(&client);
            let made = if form == Form::Blocking {
                // An enumerator that blocks would be asked last.
                let name = name("v4-ok-0.v6-ok-400.test", slow.port());
                connect(form, &client, &name, None, context)
            } else {
                let both = scripted([slow, refused_address()].map(Next::Address));
                connect(form, &client, &both, None, context)
            };
            let made = made.unwrap();
            assert_eq!(*seen.borrow(), "RrCCcK");
            made.output_stream().write(b"!", Cancellable::NONE).unwrap();
            accepting.join().unwrap();
        }
    });
}

#[test]
fn an_enumerator_is_asked_once_at_a_time() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (_listener, good) = listener();
        let dead = refused_address();
        for form in [Form::Callback, Form::Future] {
            // A failure and a delay at about the same time ask for the same next one.
            let client = SocketClient::new();
            client.set_attempt_delay(Duration::from_millis(10));
            let seen = events(&client);
            let all = [dead, deaf.address, dead, dead, deaf.address, good];
            let all = scripted(all.map(Next::Address));
            connect(form, &client, &all, None, context).unwrap();
            assert_eq!(*seen.borrow(), "RrCCCCCCcK");
        }
    });
}

#[test]
fn an_enumerator_that_takes_its_time_is_not_asked_again_meanwhile() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (_listener, good) = listener();
        let dead = refused_address();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_attempt_delay(Duration::from_millis(10));
            let seen = events(&client);
            let all = [deaf.address, dead, dead, good].map(Next::Address);
            // The delay passes and attempts fail while it is at it.
            let (all, most) = scripted_patiently(all, Duration::from_millis(40));
            connect(form, &client, &all, None, context).unwrap();
            assert_eq!(*seen.borrow(), "RrCCCCcK", "{form:?}");
            assert_eq!(most.get(), 1);
        }
    });
}

#[test]
fn an_enumerator_without_addresses_is_an_error() {
    on_private_context(|context| {
        for form in FORMS {
            for script in [vec![], vec![Next::End]] {
                let client = SocketClient::new();
                let seen = events(&client);
                let failed = connect(form, &client, &scripted(script), None, context);
                assert_fails(failed, IOErrorEnum::NotFound);
                let resolved = if form == Form::Blocking { "Rr0" } else { "R0" };
                assert_eq!(*seen.borrow(), resolved);
            }
            let nothing = name("v6-none.v4-none.test", 1);
            let failed = connect(form, &SocketClient::new(), &nothing, None, context);
            assert_fails(failed, IOErrorEnum::NotFound);
        }
    });
}

#[test]
fn a_service_is_good_for_more_than_one_connect() {
    on_private_context(|context| {
        use_resolver_of_names();
        let (listener, port) = listener_on("127.0.0.1");
        let domain = format!("v4_ok_0x{port}.test");
        let service = gio::NetworkService::new("some", "tcp", &domain);
        for form in FORMS {
            connect(form, &SocketClient::new(), &service, None, context).unwrap();
            listener.accept().unwrap();
        }
    });
}

#[test]
fn an_error_of_the_enumerator_while_an_attempt_is_under_way_harms_nobody() {
    on_private_context(|context| {
        let (_listener, good) = listener();
        for form in FORMS {
            for code in [IOErrorEnum::Failed, IOErrorEnum::TimedOut] {
                let client = SocketClient::new();
                client.set_attempt_delay(Duration::from_millis(10));
                let late = scripted([Next::Address(refused_address()), Next::Error(code)]);
                let failed = connect(form, &client, &late, None, context);
                assert_fails(failed, IOErrorEnum::ConnectionRefused);
                let late = scripted([Next::Address(good), Next::Error(code)]);
                connect(form, &client, &late, None, context).unwrap();
            }
        }
    });
}

#[test]
fn an_early_error_of_ipv4_does_not_end_a_late_answer_of_ipv6() {
    on_private_context(|context| {
        let (_listener, port) = listener_on("::1");
        for form in FORMS {
            let slow = name("v4-error-0.v6-ok-200.test", port);
            connect(form, &SocketClient::new(), &slow, None, context).unwrap();
        }
    });
}

/// In each form: this one may be asked while an attempt is under way.
#[test]
fn an_error_of_an_enumerator_does_not_end_what_is_under_way() {
    on_private_context(|context| {
        for form in FORMS {
            let (slow, accepting) = slow_listener();
            let client = SocketClient::new();
            client.set_attempt_delay(Duration::from_millis(10));
            let late = [Next::Address(slow), Next::Error(IOErrorEnum::Busy)];
            let (late, _) = scripted_patiently(late, Duration::from_millis(20));
            let made = connect(form, &client, &late, None, context).unwrap();
            made.output_stream().write(b"!", Cancellable::NONE).unwrap();
            accepting.join().unwrap();
            let late = [
                Next::Address(refused_address()),
                Next::Error(IOErrorEnum::Busy),
            ];
            let (late, _) = scripted_patiently(late, Duration::from_millis(20));
            let failed = connect(form, &client, &late, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
        }
    });
}

/// ADDR-10.
#[test]
fn each_connect_looks_the_name_up_in_the_families_that_it_can_use() {
    on_private_context(|context| {
        let (_listener, port) = listener_on("127.0.0.1");
        let name = name("v6-ok.v4-ok.test", port);
        lookups();
        for form in FORMS {
            for (family, count) in [
                (gio::SocketFamily::Invalid, 2),
                (gio::SocketFamily::Ipv4, 1),
            ] {
                let client = SocketClient::new();
                client.set_family(family);
                connect(form, &client, &name, None, context).unwrap();
                assert_eq!(lookups(), count, "{form:?} {family:?}");
            }
        }
    });
}

#[test]
fn ipv6_comes_first_if_its_answer_is_a_little_late() {
    on_private_context(|context| {
        let (_six, _four, port) = listeners_of_both_families();
        for form in FORMS {
            let name = name("v4-ok-0.v6-ok-1.test", port);
            let made = connect(form, &SocketClient::new(), &name, None, context).unwrap();
            let remote = made.remote_address().unwrap();
            assert_eq!(remote.family(), gio::SocketFamily::Ipv6);
        }
    });
}

#[test]
fn a_lookup_that_never_answers_keeps_nobody_from_the_other_family() {
    on_private_context(|context| {
        let (_listener, port) = listener_on("127.0.0.1");
        for form in FORMS {
            let name = name("v4-ok-0.v6-never.test", port);
            connect(form, &SocketClient::new(), &name, None, context).unwrap();
        }
    });
}

#[test]
fn a_blocking_connect_tries_several_addresses_at_once_too() {
    on_private_context(|_| {
        let (_six, deaf) = listener_beside_a_deaf_one();
        // IPv6 answers after IPv4 was tried, which leads nowhere.
        let name = name("v4-ok-0.v6-ok-400.test", deaf.address.port());
        let client = SocketClient::new();
        let seen = events(&client);
        let made = client.connect(&name, Cancellable::NONE).unwrap();
        assert_eq!(
            made.remote_address().unwrap().family(),
            gio::SocketFamily::Ipv6
        );
        assert_eq!(*seen.borrow(), "RrCCcK");
    });
}

/// Whatever a resolver leaves in the context in which it was asked: nobody waits for it to have nothing more to do.
#[test]
fn a_resolver_that_never_rests_does_not_keep_who_blocks() {
    on_private_context(|_| {
        let (_listener, port) = listener_on("127.0.0.1");
        for _ in 0..2 {
            let client = SocketClient::new();
            let found = name("restless.v4-ok-0.test", port);
            client.connect(&found, Cancellable::NONE).unwrap();
            let nowhere = name("restless.v4-error-0.test", port);
            client.connect(&nowhere, Cancellable::NONE).unwrap_err();
        }
    });
}

#[test]
fn several_threads_connect_by_clients_of_their_own_at_once() {
    on_private_context(|_| {
        let (listener, address) = listener();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || {
                    for _ in 0..20 {
                        let client = SocketClient::new();
                        client
                            .connect(&gio_address(address), Cancellable::NONE)
                            .unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..80 {
            listener.accept().unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
