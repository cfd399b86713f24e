//! `connect_async` and `connect_finish`, with a callback and without one.

use std::{cell::Cell, io::Write, ptr, rc::Rc, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::prelude::*;

use crate::{support::*, tools::*};

/// SC-10, SC-11, ASYNC-1.
#[test]
fn connect_async_calls_back_in_the_context_of_the_call_never_before_it_returns() {
    on_private_context(|home| {
        for address in [echo_server(), refused_address()] {
            let connection = unconnected();
            // Not the home, so that it is clear whose context it is.
            let context = glib::MainContext::new();
            let called = Rc::new(Cell::new(false));
            let calls = called.clone();
            let (object, expected) = (connection.clone(), context.clone());
            context
                .with_thread_default(|| {
                    connection.connect_async(
                        &gio_address(address),
                        Cancellable::NONE,
                        move |connection, result| {
                            assert_eq!(*connection, object);
                            let source = result.source_object().expect("an object");
                            assert_eq!(source, *object.upcast_ref::<glib::Object>());
                            assert_eq!(glib::MainContext::ref_thread_default(), expected);
                            let _ = connection.connect_finish(result);
                            assert!(!calls.replace(true), "it is called once");
                        },
                    );
                })
                .expect("a new context has no owner");
            assert!(!called.get(), "not before the call has returned");
            settle(home);
            assert!(!called.get(), "not in another context");
            iterate_until(&context, || called.get());
            settle(&context);
        }
    });
}

#[test]
fn connect_async_connects() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let outcome = start_connect(&connection, address, None);
        assert!(outcome.borrow().is_none());
        iterate_until(context, || outcome.borrow().is_some());
        outcome.take().expect("ended").expect("it listens");
        let (mut peer, from) = listener.accept().expect("connected");
        assert!(connection.is_alive());
        assert!(connection.is_connected());
        assert_address(connection.local_address(), from);
        assert_address(connection.remote_address(), address);
        peer.write_all(b"hi").expect("connected");
        assert_eq!(read(&connection, 8).expect("a peer"), b"hi");
    });
}

/// C may pass no callback.
#[test]
fn connect_async_works_without_a_callback() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        connect_async_as_c(&connection, address, None, ptr::null_mut());
        iterate_until(context, || connection.is_alive());
        let _peer = listener.accept().expect("connected");

        let connection = unconnected();
        connect_async_as_c(&connection, refused_address(), None, ptr::null_mut());
        iterate_until(context, || connection.last_error().is_some());
        settle(context);
        let gone = Gone::of(&connection);
        drop(connection);
        assert!(gone.is_gone(), "nothing holds the connection");
    });
}

/// The callback of C has the connection as its source object too.
#[test]
fn connect_async_works_with_a_callback_of_c() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let (result, data) = kept();
        connect_async_as_c(&connection, address, Some(keep_result), data);
        iterate_until(context, || result.borrow().is_some());
        let result = result.take().expect("kept");
        assert_eq!(
            result.source_object().expect("an object"),
            *connection.upcast_ref::<glib::Object>()
        );
        connect_finish_as_c(&connection, result.to_glib_none().0).expect("it listens");
        let _peer = listener.accept().expect("connected");
    });
}

/// Nobody keeps a connection alive after its connect.
#[test]
fn a_connection_is_freed_after_its_connect() {
    on_private_context(|context| {
        for address in [echo_server(), refused_address()] {
            let connection = unconnected();
            let _ = connect_async_and_wait(context, &connection, address, None);
            let gone = Gone::of(&connection);
            drop(connection);
            settle(context);
            assert!(gone.is_gone());
        }
    });
}

/// The task holds the connection until its callback has run, and no longer.
#[test]
fn a_connection_dropped_while_connecting_is_freed_after_the_callback() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let gone = Gone::of(&connection);
        let cancellable = Cancellable::new();
        let outcome = start_connect(&connection, deaf.address, Some(&cancellable));
        drop(connection);
        settle(context);
        assert!(!gone.is_gone());
        assert!(kernel_states(port).contains(&SYN_SENT));
        cancellable.cancel();
        iterate_until(context, || gone.is_gone());
        assert_fails(outcome.take().expect("ended"), IOErrorEnum::Cancelled);
        assert!(!kernel_states(port).contains(&SYN_SENT));
    });
}

/// SC-10: for good, in every outcome.
#[test]
fn connect_async_clears_the_blocking_flag_for_good() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for address in [echo_server(), refused_address(), deaf.address] {
            let connection = unconnected();
            let socket = connection.socket();
            assert!(socket.is_blocking());
            let seen = notifications(&socket);
            let cancellable = Cancellable::new();
            let outcome = start_connect(&connection, address, Some(&cancellable));
            assert!(!socket.is_blocking());
            if address == deaf.address {
                settle(context);
                cancellable.cancel();
            }
            iterate_until(context, || outcome.borrow().is_some());
            assert!(!socket.is_blocking());
            assert_eq!(times(&seen, "blocking"), 1);
        }
    });
}

/// UNIX-2: blocking reads and writes work on such a socket all the same.
#[test]
fn blocking_reads_wait_after_connect_async() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        connect_async_and_wait(context, &connection, address, None).expect("it listens");
        let (mut peer, _) = listener.accept().expect("connected");
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            peer.write_all(b"late").expect("connected");
            peer
        });
        assert_eq!(read(&connection, 8).expect("a peer"), b"late");
        writer.join().expect("no panic");
    });
}
