//! A home context that nobody iterates.

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn in_a_context_that_never_runs_the_next_call_at_home_notifies() {
    type Call = (&'static str, fn(&SocketConnection));
    let calls: [Call; 9] = [
        ("state", |of| _ = of.state()),
        ("is_alive", |of| _ = of.is_alive()),
        ("last_error", |of| _ = of.last_error()),
        ("bytes_read", |of| _ = of.bytes_read()),
        ("bytes_written", |of| _ = of.bytes_written()),
        ("socket", |of| _ = of.socket()),
        ("local_address", |of| _ = of.local_address()),
        ("remote_address", |of| _ = of.remote_address()),
        ("is_connected", |of| _ = of.is_connected()),
    ];
    on_private_context(move |_| {
        let (_listener, address) = listener();
        for (name, call) in calls {
            let connection = unconnected();
            let told = told(&connection);
            elsewhere(&connection, |connection| {
                assert!(connection.connect(address));
                assert_eq!(connection.write(b"x"), 1);
            });
            assert!(names(&told).is_empty(), "{name}");
            call(&connection);
            assert_eq!(times(&told, "state"), 1, "{name}");
            assert_eq!(times(&told, "alive"), 1, "{name}");
            assert_eq!(times(&told, "bytes-written"), 1, "{name}");
            assert_all_here(&told);
            call(&connection);
            assert_eq!(times(&told, "state"), 1, "{name}: once");
        }
    });
}

/// What waits in a context holds the connection weakly.
#[test]
fn a_context_that_never_runs_keeps_no_connection() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        elsewhere(&connection, |connection| {
            connection.write(b"x");
            connection.close();
        });
        let gone = Gone::of(&connection);
        drop(connection);
        assert!(gone.is_gone());
        assert_eq!(read_to_end(&mut peer), b"x");
        // And when it runs after all, there is nothing to tell.
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(sources(context), 0);
    });
}

#[test]
fn a_home_context_may_die_before_the_connection() {
    on_private_context(|context| {
        let home = glib::MainContext::new();
        let (connection, peer) = home
            .with_thread_default(connected)
            .expect("a new context has no owner");
        let told = told(&connection);
        drop(home);
        elsewhere(&connection, |connection| {
            assert_eq!(connection.write(b"x"), 1);
        });
        drop(peer);
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(connection.bytes_written(), 1);
        assert_eq!(times(&told, "bytes-written"), 1);
        connection.close(Cancellable::NONE).expect("it is idle");
        assert_eq!(connection.state(), ConnectionState::Closed);
    });
}

/// The timer that would tell is of no use: the first change after it is due tells, in both directions.
#[test]
fn the_counters_are_told_to_a_thread_that_only_blocks() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let told = told(&connection);
        let begun = Instant::now();
        for (name, moves) in [("bytes-written", true), ("bytes-read", false)] {
            let mut moved = 0;
            // Without a call on the connection, which would tell as well.
            while times(&told, name) < 4 {
                if moves {
                    write(&connection);
                    peer.read_exact(&mut [0]).expect("a byte");
                } else {
                    peer.write_all(b"x").expect("connected");
                    read(&connection);
                }
                moved += 1;
                if moved == 1 {
                    assert_eq!(times(&told, name), 1, "{name}: the first one at once");
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Not oftener than ten times a second, each.
        assert!(begun.elapsed() >= Duration::from_millis(600));
        assert_all_here(&told);
    });
}

fn write(connection: &SocketConnection) {
    let written = connection.output_stream().write(b"x", Cancellable::NONE);
    assert_eq!(written.expect("connected"), 1);
}

fn read(connection: &SocketConnection) {
    let read = connection.input_stream().read([0], Cancellable::NONE);
    assert_eq!(read.expect("connected"), 1);
}
