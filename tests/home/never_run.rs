//! A home that is never iterated under a thousand changes, and a worker that has its own.

use std::{
    io::Read,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

/// All kinds of changes, on other threads: the engine's source is the only one, whatever there is to tell.
#[test]
fn a_thousand_changes_leave_no_source_in_a_context_that_never_runs() {
    on_private_context(|context| {
        let refused = refused_address();
        let (server, address) = listener();
        let connection = unconnected();
        let told = told(&connection);
        let before = sources(context);
        assert_eq!(before, 0);
        elsewhere(&connection, |connection| {
            for _ in 0..300 {
                assert!(!connection.connect(refused));
            }
        });
        assert_eq!(sources(context), 0, "after 300 refused connects");
        elsewhere(&connection, |connection| {
            assert!(connection.connect(address));
            for _ in 0..650 {
                assert_eq!(connection.write(b"x"), 1);
            }
        });
        let (mut peer, _) = server.accept().expect("somebody called");
        let mut bytes = [0; 650];
        peer.read_exact(&mut bytes).expect("all of it");
        elsewhere(&connection, |connection| {
            for _ in 0..48 {
                std::io::Write::write_all(&mut peer, b"y").expect("connected");
                assert_eq!(connection.read(1), b"y");
            }
        });
        let pending = sources(context);
        assert_eq!(pending, 0, "after 300 connects, 650 writes and 48 reads");
        elsewhere(&connection, |connection| assert!(connection.close()));
        assert_eq!(sources(context), 0, "after a thousand changes");
        assert!(names(&told).is_empty(), "nothing ran");

        // And what it tells when it runs after all is how things stand, once each.
        iterate_until(context, || times(&told, "closed") == 1);
        iterate_for(context, Duration::from_millis(150));
        for name in [
            "state",
            "local-address",
            "remote-address",
            "bytes-read",
            "bytes-written",
            "closed",
        ] {
            assert_eq!(times(&told, name), 1, "{name}");
        }
        assert_eq!(sources(context), 0);
        assert_all_here(&told);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_eq!(
            (connection.bytes_read(), connection.bytes_written()),
            (48, 650)
        );
    });
}

/// Many objects with something to tell.
#[test]
fn no_connection_has_a_source_of_its_own() {
    on_private_context(|context| {
        let refused = refused_address();
        let connections: Vec<_> = (0..20).map(|_| unconnected()).collect();
        let told: Vec<_> = connections.iter().map(told).collect();
        for _ in 0..10 {
            for connection in &connections {
                elsewhere(connection, |connection| {
                    assert!(!connection.connect(refused));
                });
            }
        }
        assert_eq!(sources(context), 0);
        let mut iterations = 0;
        while context.iteration(false) {
            iterations += 1;
        }
        // One, where the machine is not so slow that they are let wait for others in between.
        assert!(iterations <= connections.len(), "{iterations} iterations");
        for told in &told {
            assert_eq!(times(told, "last-error"), 1);
        }
        assert_eq!(sources(context), 0);
    });
}

/// What is not told in a context that never runs holds nothing back: neither peer nor descriptor.
#[test]
fn a_home_that_never_runs_does_not_hold_up_a_close() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let told = told(&connection);
        let start = Instant::now();
        elsewhere(&connection, |connection| assert!(connection.close()));
        assert!(read_to_end(&mut peer).is_empty());
        assert!(start.elapsed() < LIMIT);
        assert!(names(&told).is_empty());
        assert!(connection.is_closed());
    });
}

/// The worker's own loop tells; the main thread's does not, though the I/O is its own.
#[test]
fn a_worker_with_its_own_context_is_told_there_of_what_the_main_thread_does() {
    on_private_context(|main| {
        let (made, connections) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let worker = thread::spawn(move || {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| {
                    let (connection, peer) = connected();
                    let told = told(&connection);
                    made.send((CConnection::of(&connection), peer))
                        .expect("somebody waits");
                    iterate_until(&context, || {
                        times(&told, "bytes-written") > 0
                            && connection.state() == ConnectionState::Disconnected
                    });
                    iterate_until(&context, || times(&told, "state") == 1);
                    assert_eq!(connection.bytes_written(), 5);
                    assert_all_here(&told);
                    // The main thread has let go of it.
                    wait.recv().expect("the main thread lives");
                    connection.close(Cancellable::NONE).expect("it is idle");
                    iterate_until(&context, || times(&told, "closed") == 1);
                    assert_all_here(&told);
                })
                .expect("a new context has no owner");
        });
        let (connection, mut peer) = connections.recv().expect("the worker lives");
        assert_eq!(connection.write(b"12345"), 5);
        let mut bytes = [0; 5];
        peer.read_exact(&mut bytes).expect("five bytes");
        drop(peer);
        iterate_for(main, Duration::from_millis(100));
        assert_eq!(sources(main), 0, "nothing of it is here");
        go.send(()).expect("the worker waits");
        worker.join().expect("no panic there");
    });
}

/// A worker with a context that it pushed and never runs: it is told at its next call.
#[test]
fn a_worker_that_pushes_a_context_and_does_not_run_it_is_told_at_its_next_call() {
    on_private_context(|main| {
        let worker = thread::spawn(|| {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| {
                    let (connection, _peer) = connected();
                    let told = told(&connection);
                    elsewhere(&connection, |connection| {
                        assert_eq!(connection.write(b"x"), 1);
                        assert!(connection.close());
                    });
                    assert!(names(&told).is_empty());
                    assert_eq!(connection.state(), ConnectionState::Closed);
                    assert_eq!(times(&told, "state"), 1);
                    assert_eq!(times(&told, "bytes-written"), 1);
                    assert_all_here(&told);
                })
                .expect("a new context has no owner");
        });
        while !worker.is_finished() {
            iterate_for(main, Duration::from_millis(5));
        }
        worker.join().expect("no panic there");
        assert_eq!(sources(main), 0);
    });
}
