//! Several threads on one adopted connection, as C may have them.

use std::{
    io::Read,
    sync::{Arc, Barrier},
    thread,
};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

const THREADS: usize = 4;

/// What each thread makes of a reference of its own, all at once.
fn on_threads<R: Send + 'static>(
    connection: &gio::SocketConnection,
    work: fn(gio::SocketConnection, usize) -> R,
) -> Vec<R> {
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let barrier = barrier.clone();
            let there = connection.as_ptr() as usize;
            thread::spawn(move || {
                // SAFETY: the caller waits for us, with a reference of its own.
                let connection: gio::SocketConnection = unsafe {
                    glib::translate::from_glib_none(there as *mut gio::ffi::GSocketConnection)
                };
                barrier.wait();
                work(connection, number)
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect()
}

#[test]
fn all_get_the_same_streams() {
    adopted(|_| {
        for _ in 0..50 {
            let (connection, _peer) = adopted_tcp();
            let streams = on_threads(&connection, |connection, number| {
                let streams = if number % 2 == 0 {
                    let input = connection.input_stream();
                    (input, connection.output_stream())
                } else {
                    let output = connection.output_stream();
                    (connection.input_stream(), output)
                };
                (streams.0.as_ptr() as usize, streams.1.as_ptr() as usize)
            });
            assert!(streams.iter().all(|other| *other == streams[0]));
        }
    });
}

/// Each is there for a moment; the socket stays.
#[test]
fn connections_of_ours_come_and_go_and_the_socket_stays_open() {
    const ROUNDS: usize = 200;
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        on_threads(&connection, |connection, _| {
            for _ in 0..ROUNDS {
                let ours = SocketConnection::from_gio(&connection);
                write_all(&ours, b"x");
                assert_eq!(ours.to_gio().socket(), connection.socket());
            }
        });
        // Shared again by one that lasts.
        let ours = SocketConnection::from_gio(&connection);
        assert_eq!(ours.to_gio(), connection);
        assert!(ours.is_alive());
        let mut bytes = vec![0; THREADS * ROUNDS];
        peer.read_exact(&mut bytes).expect("all were written");
        drop((ours, connection));
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// And whoever is last closes it.
#[test]
fn whoever_drops_the_last_of_them_closes_the_socket() {
    adopted(|context| {
        for _ in 0..20 {
            let (connection, mut peer) = adopted_tcp();
            let gone = Gone::of(&connection);
            on_threads(&connection, |connection, number| {
                let ours = SocketConnection::from_gio(&connection);
                if number % 2 == 0 {
                    drop(connection);
                    drop(ours);
                }
            });
            drop(connection);
            assert!(gone.is_gone());
            iterate_until(context, || {
                peer.set_nonblocking(true).expect("an option");
                peer.read(&mut [0]).is_ok_and(|count| count == 0)
            });
        }
    });
}
