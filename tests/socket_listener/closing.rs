//! The end of a listener, and of what waits for it.

use std::{
    cell::{Cell, RefCell},
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, BorrowedFd},
    rc::Rc,
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

#[track_caller]
fn assert_closed(outcome: Outcome, text: &str) {
    let failed = outcome.unwrap_err();
    assert_eq!(code(&failed), IOErrorEnum::Closed);
    assert_eq!(failed.message(), text);
}

/// LISTEN-30.
#[test]
fn a_close_ends_what_waits_in_the_next_iteration() {
    on_private_context(|context| {
        for sockets in 0..3 {
            let listener = SocketListener::new();
            for _ in 0..sockets {
                add_loopback(&listener, NONE);
            }
            let begun = [begin(&listener, None), begin(&listener, None)];
            let mut future = listener.accept_future();
            assert!(poll_once(future.as_mut()).is_pending());
            iterate_until(context, || !context.pending());
            listener.close();
            assert!(begun.iter().all(|one| one.borrow().is_none()));
            for one in begun {
                iterate_until(context, || one.borrow().is_some());
                assert_closed(one.take().unwrap(), "Socket is already closed");
            }
            assert_closed(block_on(context, future), "Socket is already closed");
            listener.close();
        }
    });
}

/// LISTEN-6.
#[test]
fn whoever_comes_after_the_close_is_told_so() {
    on_private_context(|context| {
        let (listener, address) = listening();
        listener.close();
        assert!(TcpStream::connect(address).is_err());
        let cancelled = Cancellable::new();
        cancelled.cancel();
        for form in FORMS {
            for cancellable in [None, Some(&cancelled)] {
                let outcome = accept(form, &listener, cancellable, context);
                assert_closed(outcome, "Listener is already closed");
            }
        }
    });
}

/// Where C is not woken.
#[test]
fn a_close_wakes_whoever_blocks_on_other_threads() {
    on_private_context(|_| {
        for sockets in 1..3 {
            let listener = SocketListener::new();
            for _ in 0..sockets {
                add_loopback(&listener, NONE);
            }
            let raw = Raw::of(&listener);
            let blocked: Vec<_> = (0..3)
                .map(|_| {
                    thread::spawn(move || {
                        let failed = raw.here().accept(Cancellable::NONE).unwrap_err();
                        code(&failed)
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(20));
            listener.close();
            for thread in blocked {
                assert_eq!(thread.join().unwrap(), IOErrorEnum::Closed);
            }
        }
    });
}

#[test]
fn a_close_from_another_thread_ends_what_waits_here() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let begun = begin(&listener, None);
        let mut future = listener.accept_future();
        assert!(poll_once(future.as_mut()).is_pending());
        iterate_until(context, || !context.pending());
        let raw = Raw::of(&listener);
        thread::spawn(move || raw.here().close()).join().unwrap();
        iterate_until(context, || begun.borrow().is_some());
        assert_closed(begun.take().unwrap(), "Socket is already closed");
        assert_closed(block_on(context, future), "Socket is already closed");
    });
}

#[test]
fn a_callback_may_accept_again_close_and_drop_its_listener() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let gone = Gone::of(&listener);
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let slot = outcomes.clone();
        let kept = Rc::new(Cell::new(Some(listener.clone())));
        listener.accept_async(Cancellable::NONE, move |listener, result| {
            let first = listener.accept_finish(result).map(|_| ());
            slot.borrow_mut().push(first);
            let (again, closed) = (slot.clone(), slot.clone());
            listener.accept_async(Cancellable::NONE, move |listener, result| {
                again
                    .borrow_mut()
                    .push(listener.accept_finish(result).map(|_| ()));
                listener.close();
                drop(kept.take());
            });
            listener.accept_async(Cancellable::NONE, move |listener, result| {
                closed
                    .borrow_mut()
                    .push(listener.accept_finish(result).map(|_| ()));
            });
        });
        drop(listener);
        let _peers = [connect(address), connect(address)];
        iterate_until(context, || outcomes.borrow().len() == 3);
        let outcomes = outcomes.take();
        assert!(outcomes[0].is_ok() && outcomes[1].is_ok());
        assert!(
            outcomes[2].is_ok()
                || outcomes[2]
                    .as_ref()
                    .is_err_and(|failed| failed.matches(IOErrorEnum::Closed))
        );
        iterate_until(context, || gone.is_gone());
        assert!(TcpStream::connect(address).is_err());
    });
}

/// LISTEN-31.
#[test]
fn what_waits_keeps_the_listener() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let gone = Gone::of(&listener);
        let begun = begin(&listener, None);
        let future = listener.accept_future();
        drop(listener);
        iterate_until(context, || !context.pending());
        assert!(!gone.is_gone());
        let _peers = [connect(address), connect(address)];
        iterate_until(context, || begun.borrow().is_some());
        assert!(begun.take().unwrap().is_ok());
        assert!(block_on(context, future).is_ok());
        assert!(gone.is_gone());
    });
}

/// LISTEN-31.
#[test]
fn with_the_listener_go_the_sockets_that_it_made_and_not_those_that_others_have() {
    on_private_context(|context| {
        let (listener, own) = listening();
        let (socket, added) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        let object = some_object();
        let gone = Gone::of(&object);
        let (other, _) = listening_socket();
        listener.add_socket(&other, Some(&object)).unwrap();
        drop((object, other));
        drop(listener);
        iterate_until(context, || gone.is_gone());
        assert!(TcpStream::connect(own).is_err());
        assert!(!socket.is_closed());
        let peer = connect(added);
        let (accepted, _) = (socket.accept(Cancellable::NONE).unwrap(), peer);
        assert!(accepted.is_connected());
    });
}

#[test]
fn a_close_closes_sockets_that_were_added() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let (socket, _) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        listener.close();
        assert!(socket.is_closed());
    });
}

/// Where C goes on waiting, and the socket goes on listening.
#[test]
fn a_socket_that_its_owner_closes_ends_an_accept_that_blocks() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let (socket, address) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        let raw = Raw::of(&listener);
        let blocked = thread::spawn(move || {
            let failed = raw.here().accept(Cancellable::NONE).unwrap_err();
            code(&failed)
        });
        thread::sleep(Duration::from_millis(20));
        socket.close().unwrap();
        assert_eq!(blocked.join().unwrap(), IOErrorEnum::Closed);
        assert!(TcpStream::connect(address).is_err());
    });
}

/// What a process that was started by a socket has of it, and others too.
#[test]
fn a_socket_that_somebody_else_has_as_well_goes_on_listening() {
    on_private_context(|context| {
        for threads in [0, 2] {
            let (socket, address) = listening_socket();
            // SAFETY: open for as long as the call.
            let fd = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
            let other = TcpListener::from(fd.try_clone_to_owned().unwrap());
            let listener = SocketListener::new();
            listener.add_socket(&socket, NONE).unwrap();
            let raw = Raw::of(&listener);
            let blocked: Vec<_> = (0..threads)
                .map(|_| thread::spawn(move || raw.here().accept(Cancellable::NONE).is_err()))
                .collect();
            let begun = begin(&listener, None);
            let end = std::time::Instant::now() + Duration::from_millis(20);
            iterate_until(context, || std::time::Instant::now() >= end);
            listener.close();
            iterate_until(context, || begun.borrow().is_some());
            for thread in blocked {
                assert!(thread.join().unwrap());
            }
            let peer = connect(address);
            other.set_nonblocking(false).unwrap();
            let (_, there) = other.accept().unwrap();
            assert_eq!(there, peer.local_addr().unwrap());
        }
    });
}

#[test]
fn connections_outlive_their_listener() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let mut peer = connect(address);
        let (connection, _) = accept(Form::Callback, &listener, None, context).unwrap();
        listener.close();
        drop(listener);
        let output = connection.output_stream();
        output.write_all(b"still here", Cancellable::NONE).unwrap();
        drop((output, connection));
        iterate_until(context, || !context.pending());
        assert_eq!(read_to_end(&mut peer), b"still here");
    });
}

#[test]
fn a_socket_that_its_owner_closes_ends_what_waits_if_it_was_the_last() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let (one, _) = listening_socket();
        let (other, address) = listening_socket();
        listener.add_socket(&one, NONE).unwrap();
        listener.add_socket(&other, NONE).unwrap();
        let begun = begin(&listener, None);
        iterate_until(context, || !context.pending());
        one.close().unwrap();
        iterate_until(context, || !context.pending());
        assert!(begun.borrow().is_none());
        // The other one is enough.
        let _peer = connect(address);
        iterate_until(context, || begun.borrow().is_some());
        assert!(begun.take().unwrap().is_ok());
        let begun = begin(&listener, None);
        iterate_until(context, || !context.pending());
        other.close().unwrap();
        iterate_until(context, || begun.borrow().is_some());
        assert_closed(begun.take().unwrap(), "Socket is already closed");
        for form in FORMS {
            let outcome = accept(form, &listener, None, context);
            assert_closed(outcome, "Socket is already closed");
        }
    });
}
