//! What the finish functions take, and what they do not.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketClient, SocketListener, prelude::*};

use crate::{support::*, tools::*};

/// The result of an accept that has ended.
fn result_of(
    listener: &SocketListener,
    cancellable: Option<&Cancellable>,
    context: &glib::MainContext,
) -> gio::AsyncResult {
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    listener.accept_async(cancellable, move |_, result| {
        *slot.borrow_mut() = Some(result.clone());
    });
    iterate_until(context, || result.borrow().is_some());
    result.take().unwrap()
}

/// LISTEN-28.
#[test]
fn either_finish_takes_the_result_of_either_accept() {
    on_private_context(|context| {
        let (listener, address) = listening();
        for takes_socket in [true, false] {
            for starts_socket in [true, false] {
                let peer = connect(address);
                let peer = peer.local_addr().unwrap();
                let taken = Rc::new(RefCell::new(None));
                let slot = taken.clone();
                let finish = move |listener: &SocketListener, result: &gio::AsyncResult| {
                    let address = if takes_socket {
                        listener
                            .accept_socket_finish(result)
                            .and_then(|(socket, _)| socket.remote_address())
                    } else {
                        listener
                            .accept_finish(result)
                            .and_then(|(connection, _)| connection.remote_address())
                    };
                    *slot.borrow_mut() = Some(address);
                };
                if starts_socket {
                    listener.accept_socket_async(Cancellable::NONE, finish);
                } else {
                    listener.accept_async(Cancellable::NONE, finish);
                }
                iterate_until(context, || taken.borrow().is_some());
                let address = taken.take().unwrap().unwrap();
                assert_eq!(std_address(&address), peer);
            }
        }
    });
}

#[test]
fn a_result_is_taken_once_and_by_its_own_listener() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let other = SocketListener::new();
        let _peer = connect(address);
        let result = result_of(&listener, None, context);
        assert_fails(other.accept_finish(&result), IOErrorEnum::InvalidArgument);
        listener.accept_finish(&result).unwrap();
        for _ in 0..2 {
            assert_fails(
                listener.accept_finish(&result),
                IOErrorEnum::InvalidArgument,
            );
            assert_fails(
                listener.accept_socket_finish(&result),
                IOErrorEnum::InvalidArgument,
            );
        }
    });
}

#[test]
fn a_result_of_something_else_is_none_of_an_accept() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let client = SocketClient::new();
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        client.connect_async(
            &gio_address(address),
            Cancellable::NONE,
            move |_, result| {
                *slot.borrow_mut() = Some(result.clone());
            },
        );
        iterate_until(context, || result.borrow().is_some());
        let result = result.take().unwrap();
        assert_fails(
            listener.accept_finish(&result),
            IOErrorEnum::InvalidArgument,
        );
        client.connect_finish(&result).unwrap();
    });
}

#[test]
fn an_error_is_answered_once_too() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let cancellable = Cancellable::new();
        cancellable.cancel();
        let result = result_of(&listener, Some(&cancellable), context);
        assert_fails(listener.accept_finish(&result), IOErrorEnum::Cancelled);
        assert_fails(
            listener.accept_finish(&result),
            IOErrorEnum::InvalidArgument,
        );
    });
}

#[test]
fn a_result_has_its_listener_for_a_source_object() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let _peer = connect(address);
        let result = result_of(&listener, None, context);
        let source = result.source_object().expect("an object");
        assert_eq!(source, *listener.upcast_ref::<glib::Object>());
    });
}
