//! The last reference, dropped on a thread that is not home.

use std::{
    cell::RefCell, rc::Rc, sync::Arc, sync::Mutex, thread, thread::ThreadId, time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// Gives the last reference up on another thread, to its end; answers whose thread that was.
fn dropped_elsewhere(connection: SocketConnection) -> ThreadId {
    assert_eq!(connection.ref_count(), 1);
    let connection = CConnection::taken(connection);
    thread::spawn(move || {
        let connection: CConnection = connection;
        // SAFETY: the reference that was taken.
        unsafe { connection.unref() };
        thread::current().id()
    })
    .join()
    .expect("no panic there")
}

#[test]
fn the_last_reference_may_be_dropped_on_another_thread() {
    on_private_context(|context| {
        for (connection, mut peer) in [connected(), connected_bare()] {
            let gone = Gone::of(&connection);
            dropped_elsewhere(connection);
            assert_eq!(
                read_to_end(&mut peer),
                b"",
                "the descriptor is closed at once"
            );
            iterate_until(context, || gone.is_gone());
        }
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(sources(context), 0);
    });
}

/// glib's own guard would abort the process.
#[test]
fn closures_are_not_dropped_on_the_thread_that_drops_the_last_reference() {
    on_private_context(|context| {
        for (connection, mut peer) in [connected(), connected_bare()] {
            let dropped = Dropped::default();
            let witness = dropped.witness();
            connection.connect_state_notify(move |_| {
                let _witness = &witness;
                panic!("an object that goes away tells nothing");
            });
            dropped_elsewhere(connection);
            assert_eq!(read_to_end(&mut peer), b"");
            dropped.assert_nowhere_but_on(thread::current().id());
            // Home is alive: they are dropped there.
            iterate_until(context, || !dropped.0.lock().expect("no panic").is_empty());
            dropped.assert_on(thread::current().id());
        }
    });
}

/// Those on the socket, which the connection was the last to hold, are no different.
#[test]
fn closures_on_the_socket_are_not_dropped_there_either() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let dropped = Dropped::default();
        let witness = dropped.witness();
        connection.socket().connect_timeout_notify(move |_| {
            let _witness = &witness;
        });
        dropped_elsewhere(connection);
        assert_eq!(read_to_end(&mut peer), b"");
        dropped.assert_nowhere_but_on(thread::current().id());
        iterate_until(context, || !dropped.0.lock().expect("no panic").is_empty());
        dropped.assert_on(thread::current().id());
    });
}

/// Whatever is still to tell.
#[test]
fn the_last_reference_may_be_dropped_elsewhere_with_notifications_pending() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let dropped = Dropped::default();
        let witness = dropped.witness();
        connection.connect_notify_local(None, move |_, _| {
            let _witness = &witness;
        });
        elsewhere(&connection, |connection| {
            assert_eq!(connection.write(b"x"), 1);
        });
        dropped_elsewhere(connection);
        assert_eq!(read_to_end(&mut peer), b"x");
        iterate_for(context, Duration::from_millis(150));
        dropped.assert_nowhere_but_on(thread::current().id());
        assert_eq!(sources(context), 0);
    });
}

/// With home gone, nobody may drop the closures: they stay.
#[test]
fn when_the_home_thread_is_gone_its_closures_are_dropped_nowhere() {
    on_private_context(|_| {
        // What belongs to a thread that has ended cannot be freed.
        let_stay();
        let dropped = Dropped::default();
        let watch = dropped.clone();
        let (connection, mut peer, home) = thread::spawn(move || {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| {
                    let (connection, peer) = connected();
                    let witness = watch.witness();
                    connection.connect_notify_local(None, move |_, _| {
                        let _witness = &witness;
                    });
                    (CConnection::taken(connection), peer, thread::current().id())
                })
                .expect("a new context has no owner")
        })
        .join()
        .expect("no panic there");
        // SAFETY: the reference that was taken.
        unsafe { connection.unref() };
        assert_eq!(read_to_end(&mut peer), b"");
        dropped.assert_nowhere_but_on(home);
    });
}

/// Nor those on the socket, with or without a detail.
#[test]
fn when_the_home_thread_is_gone_closures_on_the_socket_are_dropped_nowhere() {
    on_private_context(|_| {
        for detail in [None, Some("timeout")] {
            let dropped = Dropped::default();
            let watch = dropped.clone();
            let (connection, mut peer, home) = thread::spawn(move || {
                let context = glib::MainContext::new();
                context
                    .with_thread_default(|| {
                        let (connection, peer) = connected();
                        let witness = watch.witness();
                        connection
                            .socket()
                            .connect_notify_local(detail, move |_, _| {
                                let _witness = &witness;
                            });
                        let home = thread::current().id();
                        (CConnection::taken(connection), peer, home)
                    })
                    .expect("a new context has no owner")
            })
            .join()
            .expect("no panic there");
            // SAFETY: the reference that was taken.
            unsafe { connection.unref() };
            assert_eq!(read_to_end(&mut peer), b"", "{detail:?}");
            dropped.assert_nowhere_but_on(home);
        }
    });
}

/// A connection without closures leaves nothing behind, home or no home.
#[test]
fn when_the_home_thread_is_gone_a_connection_is_freed_all_the_same() {
    on_private_context(|_| {
        let (connection, mut peer, gone) = thread::spawn(|| {
            let (connection, peer) = glib::MainContext::new()
                .with_thread_default(connected)
                .expect("a new context has no owner");
            let gone = Gone::of(&connection);
            (CConnection::taken(connection), peer, gone)
        })
        .join()
        .expect("no panic there");
        assert_eq!(connection.write(b"alive"), 5);
        // SAFETY: the reference that was taken.
        unsafe { connection.unref() };
        assert_eq!(read_to_end(&mut peer), b"alive");
        assert!(gone.is_gone());
    });
}

/// A binding goes with its connection, wherever that ends.
#[test]
fn a_binding_ends_with_its_connection_on_another_thread() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let button = gio::SimpleAction::new("send", None);
        connection
            .bind_property("alive", &button, "enabled")
            .sync_create()
            .build();
        assert!(button.is_enabled());
        let gone = Gone::of(&connection);
        dropped_elsewhere(connection);
        assert_eq!(read_to_end(&mut peer), b"");
        iterate_until(context, || gone.is_gone());
        let pressed = told(&button);
        button.set_enabled(false);
        assert_eq!(names(&pressed), ["enabled"]);
    });
}

/// The read keeps the stream, not the connection; C's read would wait for ever (SC-27).
#[test]
fn a_read_that_is_pending_ends_when_the_connection_is_dropped_elsewhere() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let outcome = Rc::new(RefCell::new(None));
        let slot = outcome.clone();
        connection.input_stream().read_async(
            vec![0; 8],
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |result| {
                *slot.borrow_mut() =
                    Some(result.map(|(_, count)| count).map_err(|(_, error)| error));
            },
        );
        iterate_for(context, Duration::from_millis(20));
        dropped_elsewhere(connection);
        iterate_until(context, || outcome.borrow().is_some());
        assert_fails(
            outcome.take().expect("the callback has run"),
            IOErrorEnum::Closed,
        );
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// Each thread gives up what it has; only the last one ends it.
#[test]
fn references_may_be_taken_and_given_up_on_many_threads() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let gone = Gone::of(&connection);
        // A stream has one writer at a time (G-5).
        let turn = Arc::new(Mutex::new(()));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let reference = CConnection::taken(connection.clone());
                let turn = turn.clone();
                thread::spawn(move || {
                    let reference: CConnection = reference;
                    let mine = turn.lock().expect("no panic");
                    assert_eq!(reference.write(b"x"), 1);
                    drop(mine);
                    // SAFETY: the reference that was taken.
                    unsafe { reference.unref() };
                })
            })
            .collect();
        drop(connection);
        for thread in threads {
            thread.join().expect("no panic there");
        }
        iterate_until(context, || gone.is_gone());
        assert_eq!(read_to_end(&mut peer), b"xxxxxxxx");
    });
}
