//! A home thread that iterates nothing, whose context is iterated elsewhere.

use std::{cell::RefCell, io::Write, rc::Rc, sync::mpsc, thread, time::Duration};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

/// The worker's thread-default context is the default one, which the main thread iterates: what the
/// worker's closures hold must not be touched there.
#[test]
fn closures_of_a_worker_without_a_loop_run_on_the_worker_only() {
    on_default_context(|context| {
        let (made, connections) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let dropped = Dropped::default();
        let watch = dropped.clone();
        let worker = thread::spawn(move || {
            let (connection, peer) = connected();
            let calls = Rc::new(RefCell::new(Vec::new()));
            let called = calls.clone();
            let witness = watch.witness();
            connection.connect_notify_local(None, move |_, property| {
                let _witness = &witness;
                called
                    .borrow_mut()
                    .push((property.name().to_owned(), thread::current().id()));
            });
            made.send((CConnection::of(&connection), peer))
                .expect("somebody waits");
            wait.recv().expect("the main thread has iterated");
            assert!(calls.borrow().is_empty(), "nothing ran over there");

            // The next call flushes what is pending.
            assert_eq!(connection.state(), ConnectionState::Disconnected);
            let here = thread::current().id();
            let names: Vec<_> = calls
                .borrow()
                .iter()
                .map(|(name, thread)| {
                    assert_eq!(*thread, here);
                    name.clone()
                })
                .collect();
            assert!(names.contains(&"state".to_owned()), "{names:?}");
            assert!(names.contains(&"alive".to_owned()), "{names:?}");
            assert!(names.contains(&"bytes-written".to_owned()), "{names:?}");
            drop(connection);
            here
        });
        let (connection, peer) = connections.recv().expect("the worker lives");
        // A third thread changes things, and so does the peer.
        thread::spawn(move || {
            let connection: CConnection = connection;
            assert_eq!(connection.write(b"12345"), 5);
        })
        .join()
        .expect("no panic");
        drop(peer);
        iterate_for(context, Duration::from_millis(250));
        go.send(()).expect("the worker waits");
        let worker = worker.join().expect("no panic there");
        dropped.assert_on(worker);
        // What the connection left behind in this context does no harm.
        iterate_for(context, Duration::from_millis(20));
    });
}

/// A worker's own blocking I/O needs no loop.
#[test]
fn a_worker_without_a_loop_is_notified_of_its_own_changes_at_once() {
    on_default_context(|context| {
        let worker = thread::spawn(|| {
            let (connection, mut peer) = connected();
            let told = told(&connection);
            peer.write_all(b"x").expect("connected");
            connection
                .input_stream()
                .read(&mut [0][..], Cancellable::NONE)
                .expect("a byte");
            assert_eq!(names(&told), ["bytes-read"]);
            connection.close(Cancellable::NONE).expect("it is idle");
            assert_eq!(times(&told, "state"), 1);
            assert_eq!(times(&told, "alive"), 1);
            assert_all_here(&told);
        });
        while !worker.is_finished() {
            iterate_for(context, Duration::from_millis(5));
        }
        worker.join().expect("no panic there");
        iterate_for(context, Duration::from_millis(20));
    });
}

/// Also when a timer's time comes in an iteration elsewhere, which may tell nothing there.
#[test]
fn a_worker_without_a_loop_is_told_of_its_counters_as_they_grow() {
    on_default_context(|context| {
        let worker = thread::spawn(|| {
            let (connection, _peer) = connected();
            let told = told(&connection);
            let output = connection.output_stream();
            while times(&told, "bytes-written") < 4 {
                let written = output.write(b"x", Cancellable::NONE).expect("room");
                assert_eq!(written, 1);
                thread::sleep(Duration::from_millis(1));
            }
            assert_all_here(&told);
        });
        while !worker.is_finished() {
            iterate_for(context, Duration::from_millis(5));
        }
        worker.join().expect("no panic there");
        iterate_for(context, Duration::from_millis(20));
    });
}

/// Many transfers at once make the few that follow ask no more rarely.
#[test]
fn a_worker_without_a_loop_is_told_of_slow_transfers_after_many_fast_ones() {
    on_default_context(|context| {
        let worker = thread::spawn(|| {
            let (connection, _peer) = connected();
            let told = told(&connection);
            let output = connection.output_stream();
            let write = || output.write(b"x", Cancellable::NONE).expect("room");
            for _ in 0..33 {
                assert_eq!(write(), 1);
            }
            let before = times(&told, "bytes-written");
            for _ in 0..8 {
                thread::sleep(Duration::from_millis(120));
                assert_eq!(write(), 1);
            }
            assert!(times(&told, "bytes-written") > before);
            assert_all_here(&told);
        });
        while !worker.is_finished() {
            iterate_for(context, Duration::from_millis(5));
        }
        worker.join().expect("no panic there");
        iterate_for(context, Duration::from_millis(20));
    });
}

/// `closed` too, for which the worker has no iteration to offer.
#[test]
fn a_worker_without_a_loop_learns_of_its_close_at_the_next_call() {
    on_default_context(|context| {
        let (closed, iterate) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let worker = thread::spawn(move || {
            let (connection, _peer) = connected();
            let told = told(&connection);
            connection.close(Cancellable::NONE).expect("it is idle");
            closed.send(()).expect("somebody waits");
            wait.recv().expect("the main thread has iterated");
            assert_eq!(connection.state(), ConnectionState::Closed);
            assert_eq!(times(&told, "closed"), 1);
            assert_all_here(&told);
        });
        iterate.recv().expect("the worker lives");
        iterate_for(context, Duration::from_millis(20));
        go.send(()).expect("the worker waits");
        worker.join().expect("no panic there");
    });
}
