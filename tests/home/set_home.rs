//! A connection that moves to another home.

use std::{io::Write, thread, time::Duration};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// Runs `f` on a thread with a context of its own, which becomes the home of what it is given.
fn moved_to_a_worker<R: Send + 'static>(
    connection: SocketConnection,
    f: impl FnOnce(SocketConnection, &glib::MainContext) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let connection = CConnection::taken(connection);
    thread::spawn(move || {
        let connection: CConnection = connection;
        let context = glib::MainContext::new();
        context
            .with_thread_default(|| {
                // SAFETY: no handlers are connected, and the other thread has given it away.
                let connection = unsafe { connection.into_wrapper() };
                // SAFETY: likewise.
                unsafe { connection.set_home(&context) };
                f(connection, &context)
            })
            .expect("a new context has no owner")
    })
}

#[test]
fn after_set_home_notifications_happen_in_the_new_home() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let worker = moved_to_a_worker(connection, move |connection, context| {
            let told = told(&connection);
            peer.write_all(b"x").expect("connected");
            connection
                .input_stream()
                .read(&mut [0][..], Cancellable::NONE)
                .expect("a byte");
            assert_eq!(names(&told), ["bytes-read"], "at once, on this thread");
            elsewhere(&connection, |connection| {
                assert_eq!(connection.write(b"12345"), 5);
            });
            iterate_until(context, || times(&told, "bytes-written") == 1);
            connection.close(Cancellable::NONE).expect("it is idle");
            iterate_until(context, || times(&told, "closed") == 1);
            assert_all_here(&told);
        });
        while !worker.is_finished() {
            iterate_for(context, Duration::from_millis(5));
        }
        worker.join().expect("no panic there");
    });
}

/// The old home runs no more; the peer is watched from the new one.
#[test]
fn after_set_home_the_peers_end_is_seen_in_the_new_home() {
    on_private_context(|_| {
        let (connection, peer) = connected();
        let worker = moved_to_a_worker(connection, move |connection, context| {
            let told = told(&connection);
            drop(peer);
            iterate_until(context, || times(&told, "state") == 1);
            assert_eq!(connection.state(), ConnectionState::Disconnected);
            assert_all_here(&told);
        });
        worker.join().expect("no panic there");
    });
}

/// What was pending in the old home is told in the new one.
#[test]
fn what_is_pending_moves_along_with_the_home() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let connection = unconnected();
        elsewhere(&connection, |connection| {
            assert!(connection.connect(address));
            assert_eq!(connection.write(b"x"), 1);
        });
        let worker = moved_to_a_worker(connection, |connection, context| {
            let told = told(&connection);
            iterate_until(context, || {
                times(&told, "state") == 1 && times(&told, "bytes-written") == 1
            });
            assert_all_here(&told);
        });
        // Until then the old home must not run, or it would tell.
        worker.join().expect("no panic there");
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(sources(context), 0);
    });
}

/// To another context of the same thread.
#[test]
fn set_home_moves_between_contexts_of_one_thread() {
    on_private_context(|before| {
        let (connection, peer) = connected();
        let told = told(&connection);
        let after = glib::MainContext::new();
        // SAFETY: the same thread.
        unsafe { connection.set_home(&after) };
        elsewhere(&connection, |connection| {
            connection.write(b"x");
        });
        drop(peer);
        iterate_for(before, Duration::from_millis(150));
        assert!(names(&told).is_empty(), "{:?}", names(&told));
        iterate_until(&after, || {
            times(&told, "bytes-written") == 1 && times(&told, "state") == 1
        });
    });
}
