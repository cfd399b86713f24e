//! Closing from several threads.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::raw::*;
use crate::support::*;

#[test]
fn closes_from_several_threads_at_once_close_once() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            let raw = Raw::of(&connection);
            let start = Arc::new(Barrier::new(4));
            let closers: Vec<_> = (0..4)
                .map(|_| {
                    let start = start.clone();
                    thread::spawn(move || {
                        start.wait();
                        raw.close()
                    })
                })
                .collect();
            let results: Vec<_> = closers
                .into_iter()
                .map(|closer| closer.join().expect("no panic"))
                .collect();
            assert!(results.iter().any(Result::is_ok), "{results:?}");
            for result in results {
                // IOS-13, IOS-10: one that finds another one at it says so, or that it was faster
                // between GIO's two looks at the stream.
                if let Err(failure) = result {
                    let expected = matches!(code(&failure), E::Pending | E::Closed);
                    assert!(expected, "{failure:?}");
                }
            }
            assert!(read_to_end(&mut peer).is_empty());
            assert_eq!(connection.state(), ConnectionState::Closed);
            raw.close().expect("closed");
            assert!(raw.is_closed());
        }
        recycler.stop();
    });
}

/// As a `close(2)` alone would not end it, nor keep it from the number's next file.
#[test]
fn a_call_that_blocks_ends_when_another_connection_over_its_socket_is_closed() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = connected();
            let socket = connection.socket();
            let others = [(); 2].map(|()| SocketConnection::factory_create_connection(&socket));
            // The first one or the last one, as the socket knows them.
            let (waits, closes) = match round % 3 {
                0 => (&connection, &others[0]),
                1 => (&others[1], &others[0]),
                _ => (&others[0], &connection),
            };
            let raw = Raw::of(waits);
            let (sleeper, call) = sleeping(move || raw.read(&mut [0; 4], None));
            sleeper.wait();
            Raw::of(closes).close().expect("closed");
            assert_fails(call.join().expect("no panic"), E::Closed);
            assert!(read_to_end(&mut peer).is_empty());
            assert!(socket.is_closed());
            for one in others.iter().chain([&connection]) {
                assert_eq!(one.state(), ConnectionState::Closed);
            }
        }
        recycler.stop();
    });
}

#[test]
fn calls_of_connections_over_one_socket_meet_no_other_file_whichever_is_closed() {
    at_length(|_| {
        let recycler = Recycler::start();
        for _ in 0..ROUNDS {
            let (connection, _peer) = connected();
            let other = SocketConnection::factory_create_connection(&connection.socket());
            let raws = [Raw::of(&connection), Raw::of(&other)];
            let start = Arc::new(Barrier::new(4));
            let users = raws.map(|raw| {
                let start = start.clone();
                thread::spawn(move || {
                    start.wait();
                    loop {
                        let written = raw.write_nonblocking(b"x");
                        let read = raw.read_nonblocking(&mut [0; 4]);
                        for failure in [written.err(), read.err()].into_iter().flatten() {
                            match code(&failure) {
                                // The second while it is being closed.
                                E::WouldBlock | E::BrokenPipe => {}
                                E::Closed => return,
                                _ => panic!("{failure:?}"),
                            }
                        }
                    }
                })
            });
            let closers = raws.map(|raw| {
                let start = start.clone();
                thread::spawn(move || {
                    start.wait();
                    raw.close()
                })
            });
            for closer in closers {
                closer.join().expect("no panic").expect("closed");
            }
            for user in users {
                user.join().expect("no panic");
            }
            assert!(connection.socket().is_closed());
        }
        recycler.stop();
    });
}

#[test]
fn one_that_was_let_go_keeps_no_other_from_closing_their_socket() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let socket = connection.socket();
        let [gone, kept, closes] =
            [(); 3].map(|()| SocketConnection::factory_create_connection(&socket));
        let told = Rc::new(Cell::new(0));
        let tells = told.clone();
        kept.connect_state_notify(move |_| tells.set(tells.get() + 1));
        drop(gone);
        drop(connection);
        assert!(!socket.is_closed());
        Raw::of(&closes).close().expect("closed");
        assert!(socket.is_closed());
        assert!(read_to_end(&mut peer).is_empty());
        iterate_until(context, || told.get() == 1);
        assert_eq!(kept.state(), ConnectionState::Closed);
        // Nobody is left who has it.
        let late = SocketConnection::factory_create_connection(&socket);
        assert_eq!(late.state(), ConnectionState::Closed);
    });
}
