//! Bugs that GIO's client has had, by what they would do here: some of them are in old GLibs yet.

use std::{cell::RefCell, rc::Rc, time::Duration};

use gio::{Cancellable, IOErrorEnum, SocketClientEvent as Event, TlsError, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{SocketClient, prelude::*};

use crate::{proxy_peers::*, support::*, tls, tools::*};

/// The outcome of a connect, with everything else that the caller has dropped.
fn start(
    client: &SocketClient,
    to: &impl IsA<gio::SocketConnectable>,
    cancellable: Option<&Cancellable>,
) -> Rc<RefCell<Vec<Result<(), glib::Error>>>> {
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let result = outcomes.clone();
    client.connect_async(to, cancellable, move |client, made| {
        result
            .borrow_mut()
            .push(client.connect_finish(made).map(drop));
    });
    outcomes
}

/// GLib 2.79.3: an attempt was used after the last reference had gone in a callback.
#[test]
fn bug_10_the_last_references_may_go_in_any_event() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for target in [address, refused_address()] {
            for event in [
                Event::Resolved,
                Event::Connecting,
                Event::Connected,
                Event::Complete,
            ] {
                let client = SocketClient::new();
                let gone = Gone::of(&client);
                let held = Rc::new(RefCell::new(Some(client.clone())));
                let hold = held.clone();
                client.connect_event(move |_, it, _, _| {
                    if it == event {
                        drop(hold.take());
                    }
                });
                let outcomes = start(&client, &scripted([Next::Address(target)]), None);
                drop(client);
                iterate_until(context, || !outcomes.borrow().is_empty());
                assert_eq!(outcomes.borrow().len(), 1);
                drop(held.take());
                iterate_until(context, || gone.is_gone());
            }
        }
    });
}

/// GLib 2.81.0 and 2.82.0: what an operation held was leaked when all attempts had failed.
#[test]
fn bug_11_where_all_attempts_fail_nothing_is_left() {
    on_private_context(|context| {
        let dead = refused_address();
        for form in FORMS {
            let client = SocketClient::new();
            let to = scripted([dead, dead, dead].map(Next::Address));
            let gone = Rc::new(RefCell::new(vec![Gone::of(&client), Gone::of(&to)]));
            let attempts = gone.clone();
            client.connect_event(move |_, event, _, stream| {
                if event == Event::Connecting {
                    attempts.borrow_mut().extend(stream.map(Gone::of));
                }
            });
            let failed = connect(form, &client, &to, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
            drop((client, to));
            assert_eq!(gone.borrow().len(), 5);
            iterate_until(context, || gone.borrow().iter().all(Gone::is_gone));
        }
    });
}

/// GLib 2.67.1: an error was used after it was taken. Each step fails, and tells its own.
#[test]
fn bug_12_each_step_that_fails_has_an_error_of_its_own() {
    on_private_context(|context| {
        let (_listener, taken) = listener();
        let target = gio_address(taken);
        for form in FORMS {
            let failure = |client: &SocketClient, to: &gio::SocketConnectable| {
                connect(form, client, to, None, context).unwrap_err()
            };
            let nobody = name("v6-error.v4-error.test", 1);
            let failed = failure(&SocketClient::new(), nobody.upcast_ref());
            assert!(failed.matches(gio::ResolverError::NotFound));
            let bound = SocketClient::new();
            bound.set_local_address(Some(&target));
            let failed = failure(&bound, target.upcast_ref());
            assert!(failed.matches(IOErrorEnum::AddressInUse));
            let refused = gio_address(refused_address());
            let failed = failure(&SocketClient::new(), refused.upcast_ref());
            assert!(failed.matches(IOErrorEnum::ConnectionRefused));
            let (address, serving) = proxy(says(&[&[5, 0], &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]]));
            let proxied = SocketClient::new();
            proxied.set_proxy_resolver(Some(&by(&format!("socks5://{address}"))));
            let failed = failure(&proxied, target.upcast_ref());
            assert!(failed.matches(IOErrorEnum::ProxyNotAllowed));
            serving.join().unwrap();
            let (address, serving) = tls::plain_server(1);
            let encrypted = SocketClient::new();
            encrypted.set_tls(true);
            let failed = failure(&encrypted, gio_address(address).upcast_ref());
            assert!(failed.is::<TlsError>());
            serving.join().unwrap();
        }
    });
}

/// GLib 2.67.0: a missing error reached the application.
#[test]
fn bug_13_there_is_always_an_error_where_there_is_no_connection() {
    on_private_context(|context| {
        for form in FORMS {
            for (script, code) in [
                (vec![], IOErrorEnum::NotFound),
                (
                    vec![Next::End, Next::Address(refused_address())],
                    IOErrorEnum::NotFound,
                ),
                (vec![Next::Error(IOErrorEnum::Busy)], IOErrorEnum::Busy),
            ] {
                let failed = connect(form, &SocketClient::new(), &scripted(script), None, context);
                let failed = failed.unwrap_err();
                assert!(!failed.message().is_empty());
                assert!(failed.matches(code), "{failed:?}");
            }
        }
    });
}

/// GLib 2.59.3: after a cancellation of its attempts an operation never ended.
#[test]
fn bug_14_a_cancellation_in_any_event_is_answered_once() {
    on_private_context(|context| {
        let (_listener, good) = listener();
        let deaf = deaf_listener();
        for event in [
            Event::Resolving,
            Event::Resolved,
            Event::Connecting,
            Event::Connected,
        ] {
            let client = SocketClient::new();
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            client.connect_event(move |_, it, _, _| {
                if it == event {
                    canceller.cancel();
                }
            });
            client.set_attempt_delay(Duration::from_millis(10));
            let both = scripted([deaf.address, good].map(Next::Address));
            let outcomes = start(&client, &both, Some(&cancellable));
            iterate_until(context, || !outcomes.borrow().is_empty());
            iterate_for(context, Duration::from_millis(20));
            let outcomes = outcomes.take();
            assert_eq!(outcomes.len(), 1, "{event:?}");
            let failed = outcomes[0].as_ref().unwrap_err();
            assert!(failed.matches(IOErrorEnum::Cancelled), "{event:?}");
        }
    });
}

/// GLib 2.59.2: an operation was freed while its enumerator was at work.
#[test]
fn bug_15_an_enumerator_may_answer_when_all_is_over() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for ends_well in [true, false] {
            // It connects a second after it was tried, and the enumerator is at it all the time.
            let (slow, _) = slow_listener();
            let first = if ends_well { slow } else { deaf.address };
            let all = std::iter::once(first).chain([deaf.address; 30]);
            let (patient, most) =
                scripted_patiently(all.map(Next::Address), Duration::from_millis(100));
            let client = SocketClient::new();
            client.set_attempt_delay(Duration::from_millis(10));
            let cancellable = Cancellable::new();
            let outcomes = start(&client, &patient, Some(&cancellable));
            let gone = [Gone::of(&client), Gone::of(&patient)];
            drop((client, patient));
            if !ends_well {
                iterate_for(context, Duration::from_millis(250));
                cancellable.cancel();
            }
            iterate_until(context, || !outcomes.borrow().is_empty());
            assert_eq!(outcomes.borrow()[0].is_ok(), ends_well);
            iterate_for(context, Duration::from_millis(150));
            iterate_until(context, || gone.iter().all(Gone::is_gone));
            assert_eq!(most.get(), 1);
        }
    });
}

/// GLib 2.61.1: what was cancelled while it succeeded answered twice.
#[test]
fn bug_16_a_cancellation_in_the_last_event_changes_nothing_any_more() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in [Form::Blocking, Form::Callback] {
            let client = SocketClient::new();
            let seen = events(&client);
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            client.connect_event(move |_, event, _, _| {
                if event == Event::Complete {
                    canceller.cancel();
                }
            });
            let target = gio_address(address);
            let made = connect(form, &client, &target, Some(&cancellable), context);
            assert!(made.unwrap().is_alive(), "{form:?}");
            iterate_for(context, Duration::from_millis(10));
            assert_eq!(*seen.borrow(), "RrCcK");
        }
    });
}

/// GLib 2.41.4: what was cancelled while it was connecting went on to the next address.
#[test]
fn bug_17_after_a_cancellation_no_other_address_is_tried() {
    on_private_context(|context| {
        let (other, address) = listener();
        other.set_nonblocking(true).unwrap();
        for form in [Form::Blocking, Form::Callback] {
            for first in [refused_address(), deaf_listener().address] {
                let client = SocketClient::new();
                let seen = events(&client);
                let cancellable = Cancellable::new();
                let canceller = cancellable.clone();
                client.connect_event(move |_, event, _, _| {
                    if event == Event::Connecting {
                        canceller.cancel();
                    }
                });
                let both = scripted([first, address].map(Next::Address));
                let failed = connect(form, &client, &both, Some(&cancellable), context);
                assert_fails(failed, IOErrorEnum::Cancelled);
                assert_eq!(*seen.borrow(), "RrC0");
            }
        }
        assert!(other.accept().is_err());
    });
}

/// GLib 2.73.1: each connect left a handler with the cancellable.
#[test]
fn bug_18_a_cancellable_that_many_connects_had_has_no_handler_left() {
    on_private_context_within(LIMIT * 3, |context| {
        let (listener, address) = listener();
        let accepting = std::thread::spawn(move || listener.incoming().take(600).count());
        let cancellable = Cancellable::new();
        let client = SocketClient::new();
        for _ in 0..300 {
            for form in [Form::Blocking, Form::Callback] {
                let both = scripted([refused_address(), address].map(Next::Address));
                connect(form, &client, &both, Some(&cancellable), context).unwrap();
            }
        }
        let signal = glib::subclass::SignalId::lookup("cancelled", Cancellable::static_type());
        let cancellable: *mut gio::ffi::GCancellable = cancellable.to_glib_none().0;
        let left = unsafe {
            glib::gobject_ffi::g_signal_has_handler_pending(
                cancellable.cast(),
                glib::translate::IntoGlib::into_glib(signal.unwrap()),
                0,
                glib::ffi::GTRUE,
            )
        };
        assert_eq!(left, glib::ffi::GFALSE);
        accepting.join().unwrap();
    });
}

/// GLib 2.73.2: without a cancellable there were criticals.
#[test]
fn bug_19_without_a_cancellable_nothing_is_logged() {
    on_private_context(|context| {
        let (_listener, good) = listener();
        let both = scripted([refused_address(), good].map(Next::Address));
        let nobody = scripted([Next::Address(refused_address())]);
        let ((), logged) = logged(|| {
            for form in FORMS {
                let client = SocketClient::new();
                connect(form, &client, &both, None, context).unwrap();
                assert!(connect(form, &client, &nobody, None, context).is_err());
            }
        });
        assert_eq!(logged, [""; 0]);
    });
}

/// GLib 2.63.4: the delay ran in the default context, whichever was that of the call.
#[test]
fn bug_20_the_delay_passes_in_the_context_of_the_call() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (_listener, good) = listener();
        for form in [Form::Callback, Form::Future] {
            let client = SocketClient::new();
            let seen = events(&client);
            client.set_attempt_delay(Duration::from_millis(30));
            // Nobody iterates the default one.
            let both = scripted([deaf.address, good].map(Next::Address));
            connect(form, &client, &both, None, context).unwrap();
            assert_eq!(*seen.borrow(), "RrCCcK");
        }
    });
}
