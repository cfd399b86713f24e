//! Which events there are, in which order, and with what.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, SocketClientEvent as Event, prelude::*};
use glib::{
    ffi::{gboolean, gpointer},
    gobject_ffi,
    subclass::SignalId,
    translate::IntoGlib,
};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

fn events_of(
    form: Form,
    connectable: &impl IsA<gio::SocketConnectable>,
    context: &glib::MainContext,
) -> String {
    let client = SocketClient::new();
    let seen = events(&client);
    let _ = connect(form, &client, connectable, None, context);
    seen.take()
}

#[test]
fn a_connect_that_succeeds_tells_each_step_once() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            assert_eq!(events_of(form, &gio_address(address), context), "RrCcK");
        }
    });
}

#[test]
fn each_address_that_is_refused_has_its_connecting() {
    on_private_context(|context| {
        let (_listener, good) = listener();
        let (dead, good) = (Next::Address(refused_address()), Next::Address(good));
        for form in FORMS {
            let one = scripted([dead.clone()]);
            assert_eq!(events_of(form, &one, context), "RrC0");
            let two = scripted([dead.clone(), dead.clone()]);
            assert_eq!(events_of(form, &two, context), "RrCC0");
            let last = scripted([dead.clone(), good.clone()]);
            assert_eq!(events_of(form, &last, context), "RrCCcK");
        }
    });
}

#[test]
fn a_lookup_that_fails_is_resolved_to_who_blocks_only() {
    on_private_context(|context| {
        let nowhere = name("v6-error.v4-error.test", 1);
        for form in FORMS {
            let expected = if form == Form::Blocking { "Rr0" } else { "R0" };
            assert_eq!(events_of(form, &nowhere, context), expected);
        }
    });
}

#[test]
fn a_socket_that_cannot_be_bound_is_not_connecting() {
    on_private_context(|context| {
        let (_listener, taken) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_local_address(Some(&gio_address(taken)));
            let seen = events(&client);
            let failed = connect(form, &client, &gio_address(taken), None, context);
            assert_fails(failed, gio::IOErrorEnum::AddressInUse);
            assert_eq!(*seen.borrow(), "Rr0");
        }
    });
}

#[test]
fn a_dead_address_is_left_behind_and_says_nothing_more() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (_listener, address) = listener();
        for form in [Form::Callback, Form::Future] {
            let both = scripted([Next::Address(deaf.address), Next::Address(address)]);
            assert_eq!(events_of(form, &both, context), "RrCCcK", "{form:?}");
        }
    });
}

#[test]
fn the_streams_of_the_events_are_what_is_documented() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            let target = gio_address(address);
            let seen = Rc::new(RefCell::new(Vec::new()));
            let (streams, expected) = (seen.clone(), target.clone());
            client.connect_event(move |_, event, connectable, stream| {
                assert_eq!(connectable, expected.upcast_ref::<gio::SocketConnectable>());
                let stream = stream.map(|it| it.clone().downcast::<SocketConnection>().unwrap());
                if event == Event::Connecting {
                    let connection = stream.as_ref().unwrap();
                    assert!(!connection.is_connected());
                    let remote = connection.remote_address().unwrap();
                    let remote = remote.downcast::<gio::InetSocketAddress>().unwrap();
                    assert_eq!(remote.port(), expected.port());
                }
                if event == Event::Connected {
                    assert!(stream.as_ref().unwrap().is_connected());
                }
                streams.borrow_mut().push(stream);
            });
            let made = connect(form, &client, &target, None, context).unwrap();
            assert_eq!(
                *seen.borrow(),
                [
                    None,
                    None,
                    Some(made.clone()),
                    Some(made.clone()),
                    Some(made),
                ]
            );
        }
    });
}

#[test]
fn resolving_is_told_before_an_asynchronous_call_returns_and_the_rest_later() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let client = SocketClient::new();
        let seen = events(&client);
        let done = Rc::new(RefCell::new(None));
        let (slot, letters) = (done.clone(), seen.clone());
        client.connect_async(
            &gio_address(address),
            Cancellable::NONE,
            move |client, result| {
                slot.replace(Some((
                    client.connect_finish(result),
                    letters.borrow().clone(),
                )));
            },
        );
        assert_eq!(*seen.borrow(), "R");
        iterate_until(context, || done.borrow().is_some());
        let (made, at_callback) = done.take().unwrap();
        made.unwrap();
        assert_eq!(at_callback, "RrCcK");
    });
}

#[test]
fn two_operations_at_once_are_told_apart_by_their_connectables() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let client = SocketClient::new();
        let (one, other) = (gio_address(address), gio_address(refused_address()));
        let seen = Rc::new(RefCell::new([String::new(), String::new()]));
        let (letters, first) = (seen.clone(), one.clone());
        client.connect_event(move |_, event, connectable, stream| {
            let at = usize::from(connectable != first.upcast_ref::<gio::SocketConnectable>());
            letters.borrow_mut()[at].push(letter(event, stream.is_some()));
        });
        let done = Rc::new(RefCell::new(0));
        for target in [one, other] {
            let done = done.clone();
            client.connect_async(&target, Cancellable::NONE, move |_, _| {
                *done.borrow_mut() += 1;
            });
        }
        iterate_until(context, || *done.borrow() == 2);
        assert_eq!(*seen.borrow(), ["RrCcK", "RrC0"]);
    });
}

#[test]
fn a_handler_may_use_the_client_and_connect_by_it() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            let inner = Rc::new(RefCell::new(None));
            let (slot, target) = (inner.clone(), gio_address(address));
            client.connect_event(move |client, event, _, _| {
                client.set_timeout(client.timeout() + 1);
                if event == Event::Connecting && slot.borrow().is_none() {
                    let another = SocketClient::new();
                    slot.replace(Some(another.connect(&target, Cancellable::NONE)));
                }
            });
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            assert!(made.is_alive());
            assert!(inner.take().unwrap().unwrap().is_alive());
            assert_eq!(client.timeout(), 5);
        }
    });
}

/// Nobody is connected to the client itself.
#[test]
fn an_emission_hook_is_told_of_each() {
    unsafe extern "C" fn hook(
        _: *mut gobject_ffi::GSignalInvocationHint,
        count: u32,
        values: *const gobject_ffi::GValue,
        seen: gpointer,
    ) -> gboolean {
        let values: &[glib::Value] =
            unsafe { std::slice::from_raw_parts(values.cast(), count as usize) };
        let stream: Option<gio::IOStream> = values[3].get().unwrap();
        let event = letter(values[1].get().unwrap(), stream.is_some());
        unsafe { &*seen.cast::<RefCell<String>>() }
            .borrow_mut()
            .push(event);
        glib::ffi::GTRUE
    }
    on_private_context(|context| {
        let (_listener, address) = listener();
        let client = SocketClient::new();
        for form in FORMS {
            let seen = RefCell::new(String::new());
            let signal = SignalId::lookup("event", SocketClient::static_type()).unwrap();
            let hook = unsafe {
                gobject_ffi::g_signal_add_emission_hook(
                    signal.into_glib(),
                    0,
                    Some(hook),
                    (&raw const seen).cast_mut().cast(),
                    None,
                )
            };
            let made = connect(form, &client, &gio_address(address), None, context);
            unsafe { gobject_ffi::g_signal_remove_emission_hook(signal.into_glib(), hook) };
            made.expect("it listens");
            assert_eq!(seen.take(), "RrCcK");
        }
    });
}

#[test]
fn a_handler_that_comes_in_the_middle_hears_the_rest() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in [Form::Callback, Form::Future] {
            let client = SocketClient::new();
            let seen = Rc::new(RefCell::new(None));
            let (late, first) = (seen.clone(), Rc::new(RefCell::new(None)));
            let handler = first.clone();
            let id = client.connect_event(move |client, event, _, _| {
                if event == Event::Connecting {
                    late.replace(Some(events(client)));
                    let first: Option<glib::SignalHandlerId> = handler.take();
                    client.disconnect(first.expect("connected"));
                }
            });
            first.replace(Some(id));
            connect(form, &client, &gio_address(address), None, context).expect("it listens");
            let seen = seen.take().expect("connecting");
            assert_eq!(seen.take(), "cK", "{form:?}");
        }
    });
}
