//! Cancelled, dropped and forgotten accepts: what has connected stays in the queue, or with the result.

use std::{io::Read, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

/// LISTEN-24.
#[test]
fn a_cancelled_accept_says_so_however_many_sockets_there_are() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let cancelled = Cancellable::new();
        cancelled.cancel();
        for sockets in 0..3 {
            for form in [Form::Blocking, Form::Callback] {
                if sockets == 0 && form == Form::Blocking {
                    continue;
                }
                let failed = accept(form, &listener, Some(&cancelled), context).unwrap_err();
                assert_eq!(code(&failed), IOErrorEnum::Cancelled, "{sockets} {form:?}");
                assert_eq!(failed.message(), "Operation was cancelled");
            }
            let cancellable = Cancellable::new();
            let begun = begin(&listener, Some(&cancellable));
            iterate_until(context, || !context.pending());
            assert!(begun.borrow().is_none());
            cancellable.cancel();
            assert!(begun.borrow().is_none(), "not within the call");
            iterate_until(context, || begun.borrow().is_some());
            assert_fails(begun.take().unwrap(), IOErrorEnum::Cancelled);
            add_loopback(&listener, NONE);
        }
    });
}

/// GLib 2.85.3: a socket that does not block was accepted from all the same.
#[test]
fn bug_27_an_accept_that_was_cancelled_before_takes_nobody_whatever_the_mode_of_the_socket() {
    on_private_context(|context| {
        let cancelled = Cancellable::new();
        cancelled.cancel();
        for blocking in [true, false] {
            let (socket, address) = listening_socket();
            socket.set_blocking(blocking);
            let listener = SocketListener::new();
            listener.add_socket(&socket, NONE).unwrap();
            let peer = connect(address);
            for form in [Form::Blocking, Form::Callback] {
                let outcome = accept(form, &listener, Some(&cancelled), context);
                assert_fails(outcome, IOErrorEnum::Cancelled);
                assert_fails(
                    listener.accept_socket(Some(&cancelled)),
                    IOErrorEnum::Cancelled,
                );
            }
            let (connection, _) = accept(Form::Blocking, &listener, None, context).unwrap();
            assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
        }
    });
}

#[test]
fn a_blocking_accept_is_cancelled_from_another_thread() {
    on_private_context(|context| {
        let (listener, address) = listening();
        add_loopback(&listener, NONE);
        for pause in [0, 20] {
            let cancellable = Cancellable::new();
            let other = cancellable.clone();
            let canceller = thread::spawn(move || {
                thread::sleep(Duration::from_millis(pause));
                other.cancel();
            });
            let outcome = accept(Form::Blocking, &listener, Some(&cancellable), context);
            assert_fails(outcome, IOErrorEnum::Cancelled);
            canceller.join().unwrap();
        }
        let _peer = connect(address);
        accept(Form::Blocking, &listener, None, context).unwrap();
    });
}

#[test]
fn a_cancelled_accept_takes_nothing_even_when_somebody_waits() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let cancellable = Cancellable::new();
        let begun = begin(&listener, Some(&cancellable));
        iterate_until(context, || !context.pending());
        let peer = connect(address);
        cancellable.cancel();
        iterate_until(context, || begun.borrow().is_some());
        assert_fails(begun.take().unwrap(), IOErrorEnum::Cancelled);
        let (connection, _) = accept(Form::Future, &listener, None, context).unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
    });
}

#[test]
fn what_was_accepted_stays_the_results_when_it_is_cancelled_afterwards() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let peer = connect(address);
        let cancellable = Cancellable::new();
        let accepted = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = accepted.clone();
        let late = cancellable.clone();
        listener.accept_async(Some(&cancellable), move |listener, result| {
            late.cancel();
            *slot.borrow_mut() = Some(listener.accept_finish(result));
        });
        iterate_until(context, || accepted.borrow().is_some());
        let (connection, _) = accepted.take().unwrap().unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
    });
}

#[test]
fn a_future_that_is_dropped_leaves_the_connection_in_the_queue() {
    on_private_context(|context| {
        let (listener, address) = listening();
        // Never polled, with somebody there.
        let peer = connect(address);
        drop(listener.accept_future());
        let (connection, _) = accept(Form::Future, &listener, None, context).unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
        // Waiting, and dropped before and after somebody comes.
        for comes_first in [true, false] {
            let mut future = listener.accept_future();
            assert!(poll_once(future.as_mut()).is_pending());
            let mut other = listener.accept_future();
            assert!(poll_once(other.as_mut()).is_pending());
            let peer = if comes_first {
                let peer = connect(address);
                iterate_until(context, || !context.pending());
                drop(future);
                peer
            } else {
                drop(future);
                connect(address)
            };
            let (connection, _) = block_on(context, other).unwrap();
            assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
        }
    });
}

#[test]
fn a_result_that_nobody_takes_closes_its_connection() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let called = std::rc::Rc::new(std::cell::Cell::new(false));
        let nobody_takes = || {
            let flag = called.clone();
            let mut peer = connect(address);
            listener.accept_async(Cancellable::NONE, move |_, _| flag.set(true));
            iterate_until(context, || called.take());
            iterate_until(context, || !context.pending());
            peer.read(&mut [0]).unwrap()
        };
        assert_eq!(nobody_takes(), 0);
        // What a context waits with is there from now on.
        let before = open_descriptors();
        assert_eq!(nobody_takes(), 0);
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn what_waits_costs_nothing_after_it_was_cancelled() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let gone = Gone::of(&listener);
        let cancellable = Cancellable::new();
        let begun: Vec<_> = (0..100)
            .map(|_| begin(&listener, Some(&cancellable)))
            .collect();
        iterate_until(context, || !context.pending());
        drop(listener);
        assert!(!gone.is_gone());
        cancellable.cancel();
        iterate_until(context, || begun.iter().all(|one| one.borrow().is_some()));
        iterate_until(context, || gone.is_gone());
    });
}
