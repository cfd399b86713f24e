//! `notify::closed`: when, and how often.

use std::{cell::RefCell, ptr, rc::Rc};

use gio::{Cancellable, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// Notes `closed` and what else happens, in order; fails where `closed` is told too early.
fn events(connection: &SocketConnection) -> Rc<RefCell<Vec<&'static str>>> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let told = events.clone();
    connection.connect_closed_notify(move |connection| {
        assert!(connection.is_closed(), "told before it is true");
        assert!(connection.property::<bool>("closed"));
        told.borrow_mut().push("closed");
    });
    events
}

/// IOS-5: C never tells.
#[test]
fn closed_is_notified_once_in_the_next_iteration_after_a_blocking_close() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        close(&connection);
        assert!(events.borrow().is_empty(), "not within close()");
        iterate_until(context, || !events.borrow().is_empty());
        close(&connection);
        settle(context);
        assert_eq!(*events.borrow(), ["closed"]);
    });
}

/// Questions in between are not an iteration.
#[test]
fn closed_is_not_notified_by_a_call_after_a_blocking_close() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        close(&connection);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert!(!connection.is_connected());
        assert!(events.borrow().is_empty());
        context.iteration(false);
        assert_eq!(*events.borrow(), ["closed"]);
    });
}

#[test]
fn one_iteration_is_enough_for_notify_closed() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        close(&connection);
        context.iteration(false);
        assert_eq!(*events.borrow(), ["closed"]);
    });
}

#[test]
fn closed_is_notified_once_right_after_the_callback_of_an_asynchronous_close() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        let called = events.clone();
        let object = connection.clone();
        connection.close_async(glib::Priority::DEFAULT, Cancellable::NONE, move |result| {
            result.expect("it is idle");
            assert!(object.is_closed());
            called.borrow_mut().push("callback");
        });
        assert!(events.borrow().is_empty());
        iterate_until(context, || events.borrow().len() == 2);
        settle(context);
        assert_eq!(*events.borrow(), ["callback", "closed"]);
    });
}

/// In which GIO answers later than its stream is closed.
#[test]
fn closed_is_notified_after_the_callback_of_a_cancelled_close_too() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        let called = events.clone();
        let cancellable = Cancellable::new();
        cancellable.cancel();
        connection.close_async(glib::Priority::DEFAULT, Some(&cancellable), move |_| {
            called.borrow_mut().push("callback");
        });
        iterate_until(context, || events.borrow().len() == 2);
        settle(context);
        assert_eq!(*events.borrow(), ["callback", "closed"]);
    });
}

/// C may pass no callback.
#[test]
fn closed_is_notified_after_an_asynchronous_close_without_a_callback() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        // SAFETY: live arguments; there is no callback.
        unsafe {
            gio::ffi::g_io_stream_close_async(
                connection.upcast_ref::<gio::IOStream>().to_glib_none().0,
                0,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
            );
        }
        iterate_until(context, || !events.borrow().is_empty());
        settle(context);
        assert_eq!(*events.borrow(), ["closed"]);
    });
}

/// A close that waits for its peer.
#[test]
fn closed_is_notified_after_the_callback_of_a_graceful_close() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let tcp = connection
            .downcast_ref::<TcpConnection>()
            .expect("a TCP connection");
        tcp.set_graceful_disconnect(true);
        let events = events(&connection);
        let called = events.clone();
        connection.close_async(glib::Priority::DEFAULT, Cancellable::NONE, move |result| {
            result.expect("the peer closes too");
            called.borrow_mut().push("callback");
        });
        settle(context);
        assert!(events.borrow().is_empty(), "the peer has not closed yet");
        assert_eq!(read_to_end(&mut peer), b"");
        drop(peer);
        iterate_until(context, || events.borrow().len() == 2);
        settle(context);
        assert_eq!(*events.borrow(), ["callback", "closed"]);
    });
}

#[test]
fn closed_is_notified_after_a_close_future() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let events = events(&connection);
        block_on(context, connection.close_future(glib::Priority::DEFAULT)).expect("it is idle");
        iterate_until(context, || !events.borrow().is_empty());
        settle(context);
        assert_eq!(*events.borrow(), ["closed"]);
    });
}

#[test]
fn closed_is_not_notified_when_an_unclosed_connection_is_dropped() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let events = events(&connection);
        let gone = Gone::of(&connection);
        drop(connection);
        assert!(gone.is_gone());
        settle(context);
        assert!(events.borrow().is_empty());
        assert_eq!(read_to_end(&mut peer), b"");
    });
}
