//! The client, which needs descriptors to make a socket and, where it blocks, to wait.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, IOErrorEnum as E, SocketClientEvent as Event};
use gsock::{SocketClient, prelude::*};

use super::{Full, alone};
use crate::support::*;

#[test]
fn a_clients_blocking_connect_fails_at_the_limit_as_a_socket_does() {
    alone(|_| {
        let (_listener, address) = listener();
        let client = SocketClient::new();
        let events = Rc::new(RefCell::new(Vec::new()));
        let seen = events.clone();
        client.connect_event(move |_, event, _, _| seen.borrow_mut().push(event));
        let full = Full::now();
        // Its first on this thread.
        let made = client.connect(&gio_address(address), Cancellable::NONE);
        assert_fails(made, E::TooManyOpenFiles);
        drop(full);
        let expected = [Event::Resolving, Event::Resolved, Event::Complete];
        assert_eq!(*events.borrow(), expected);
        client
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        let full = Full::now();
        let made = client.connect(&gio_address(address), Cancellable::NONE);
        assert_fails(made, E::TooManyOpenFiles);
        drop(full);
    });
}

#[test]
fn a_clients_asynchronous_connect_fails_at_the_limit_as_a_socket_does() {
    alone(|context| {
        let (_listener, address) = listener();
        let client = SocketClient::new();
        let full = Full::now();
        let connecting = client.connect_future(&gio_address(address));
        assert_fails(block_on(context, connecting), E::TooManyOpenFiles);
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        client.connect_async(
            &gio_address(address),
            Cancellable::NONE,
            move |client, outcome| {
                result.replace(Some(client.connect_finish(outcome)));
            },
        );
        iterate_until(context, || slot.borrow().is_some());
        assert_fails(slot.take().expect("answered"), E::TooManyOpenFiles);
        drop(full);
    });
}
