//! Clients: what they try and give up, and what they make.

use std::{rc::Rc, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum as E, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::client_tools::{FORMS, Form, Next, connect, name, scripted};
use crate::counting::*;
use crate::support::*;

/// A client whose connections are noted, with the connectable and the client itself.
fn noted(made: &Rc<Made>) -> SocketClient {
    let client = SocketClient::new();
    made.note("client", &client);
    let notes = made.clone();
    client.connect_event(move |_, event, _, stream| {
        if event == Event::Connecting
            && let Some(stream) = stream
        {
            notes.note("connection", stream);
        }
    });
    client
}

#[test]
fn connects_that_succeed_and_that_are_refused_leave_nothing_behind() {
    counted(|context, warm_up| {
        let (listener, address) = listener();
        for cycle in 0..times(warm_up, 100) {
            let made = Rc::new(Made::default());
            let form = FORMS[cycle % FORMS.len()];
            let dead = refused_address();
            let both = scripted([dead, address].map(Next::Address));
            made.note("connectable", &both);
            let client = noted(&made);
            let connection = connect(form, &client, &both, None, context).unwrap();
            listener.accept().unwrap();
            drop(connection);
            let none = scripted([Next::Address(dead), Next::Error(E::Busy)]);
            let refused = connect(form, &client, &none, None, context);
            assert_fails(refused, E::ConnectionRefused);
            let nowhere = name("v6-error.v4-error-1.test", 1);
            made.note("name", &nowhere);
            assert!(connect(form, &client, &nowhere, None, context).is_err());
            drop((client, both, nowhere));
            made.assert_gone(context);
        }
    });
}

#[test]
fn cancelled_connects_of_a_client_leave_nothing_behind() {
    counted(|context, warm_up| {
        let deaf = deaf_listener();
        // To warm up, each form with each connectable: six.
        for cycle in 0..2 * times(warm_up, 30) {
            let made = Rc::new(Made::default());
            let client = noted(&made);
            client.set_attempt_delay(Duration::from_millis(10));
            let cancellable = Cancellable::new();
            made.note("cancellable", &cancellable);
            let both = scripted([deaf.address, deaf.address].map(Next::Address));
            let silent = name("v6-never.v4-ok-5.test", deaf.address.port());
            let target: gio::SocketConnectable = if cycle % 2 == 0 {
                both.upcast()
            } else {
                silent.upcast()
            };
            made.note("connectable", &target);
            if cycle % 3 == 0 {
                let connecting = context.spawn_local(client.connect_future(&target));
                iterate_for(context, Duration::from_millis(15));
                connecting.abort();
                drop(connecting);
                context.iteration(false);
            } else {
                let form = if cycle % 3 == 1 {
                    Form::Blocking
                } else {
                    Form::Callback
                };
                let canceller = cancellable.clone();
                let sleeper = thread::spawn(move || {
                    thread::sleep(Duration::from_millis(15));
                    canceller.cancel();
                });
                let cancelled = connect(form, &client, &target, Some(&cancellable), context);
                assert_fails(cancelled, E::Cancelled);
                sleeper.join().unwrap();
            }
            drop((client, target, cancellable));
            // A resolver of the tests answers a cancelled lookup a moment later.
            iterate_for(context, Duration::from_millis(6));
            made.assert_gone(context);
        }
    });
}
