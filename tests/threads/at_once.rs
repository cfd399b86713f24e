//! A reader, a writer and a closer at once.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

/// All that the peer gets is what the writer wrote; then the end.
#[track_caller]
fn assert_only(peer: &mut TcpStream, byte: u8) -> usize {
    let bytes = read_to_end(peer);
    assert!(bytes.iter().all(|got| *got == byte));
    bytes.len()
}

/// A writer waits for room soon.
fn narrow(connection: &SocketConnection) {
    shrink(pollable_fd(connection), libc::SO_SNDBUF);
}

fn write_until_error(raw: Raw, byte: u8) -> (usize, glib::Error) {
    let chunk = [byte; 65536];
    let mut written = 0;
    loop {
        match raw.write(&chunk, None) {
            Ok(count) => written += count,
            Err(failure) => return (written, failure),
        }
    }
}

#[test]
fn a_close_wakes_a_blocked_reader_and_a_blocked_writer_and_the_peer_sees_the_end() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            narrow(&connection);
            let raw = Raw::of(&connection);
            let (reads, reader) = sleeping(move || raw.read(&mut [0; 64], None));
            let (writes, writer) = sleeping(move || write_until_error(raw, b'W'));
            let closer = thread::spawn(move || {
                reads.wait();
                writes.wait();
                raw.close()
            });
            closer.join().expect("no panic").expect("open");
            assert_fails(reader.join().expect("no panic"), E::Closed);
            let (written, failure) = writer.join().expect("no panic");
            assert_eq!(code(&failure), E::Closed, "{failure:?}");
            assert!(connection.is_closed());
            assert!(!connection.is_connected());
            // While the object is still there: the end comes from the close.
            assert_eq!(assert_only(&mut peer, b'W'), written);
            assert_eq!(connection.bytes_written(), written as u64);
        }
        recycler.stop();
    });
}

/// The close comes at any moment, before the others wait too.
#[test]
fn a_close_at_any_moment_ends_reading_and_writing() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..ROUNDS {
            let (connection, mut peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            narrow(&connection);
            let raw = Raw::of(&connection);
            let start = Arc::new(Barrier::new(3));
            let (reading, writing) = (start.clone(), start.clone());
            let reader = thread::spawn(move || {
                reading.wait();
                loop {
                    match raw.read(&mut [0; 64], None) {
                        Ok(count) => panic!("{count} bytes, where nobody wrote or closed"),
                        // The stream is being closed right now.
                        Err(failure) if failure.matches(E::Pending) => thread::yield_now(),
                        Err(failure) => return failure,
                    }
                }
            });
            let writer = thread::spawn(move || {
                writing.wait();
                loop {
                    let (_, failure) = write_until_error(raw, b'W');
                    if !failure.matches(E::Pending) {
                        return failure;
                    }
                }
            });
            start.wait();
            thread::sleep(Duration::from_micros((round * 37) % 1500));
            raw.close().expect("open");
            let failure = reader.join().expect("no panic");
            assert_eq!(code(&failure), E::Closed, "{failure:?}");
            let failure = writer.join().expect("no panic");
            assert_eq!(code(&failure), E::Closed, "{failure:?}");
            assert_only(&mut peer, b'W');
        }
        recycler.stop();
    });
}

/// Calls that never wait, so that the close comes between any two of their steps.
#[test]
fn a_close_under_threads_that_never_rest_touches_no_other_file() {
    at_length(|_| {
        let recycler = Recycler::start();
        for round in 0..1500_u64 {
            let (connection, peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            let raw = Raw::of(&connection);
            let (input, output) = (connection.input_stream(), connection.output_stream());
            let users = [true, false].map(|reads| {
                thread::spawn(move || {
                    loop {
                        let moved = if reads {
                            raw.read_nonblocking(&mut [0; 64])
                        } else {
                            raw.write_nonblocking(b"WWWW")
                        };
                        match moved {
                            Ok(0) => panic!("an end that nobody said"),
                            Ok(_) => {}
                            Err(failure) if failure.matches(E::WouldBlock) => {}
                            Err(failure) => return failure,
                        }
                    }
                })
            });
            thread::sleep(Duration::from_micros((round * 7) % 200));
            raw.close().expect("open");
            for user in users {
                let failure = user.join().expect("no end of file, no stranger's byte");
                assert_eq!(code(&failure), E::Closed, "{failure:?}");
            }
            drop((connection, input, output, peer));
        }
        recycler.stop();
    });
}

/// One reader and one writer at once is what GIO promises (G-5).
#[test]
fn a_reader_and_a_writer_on_two_threads_get_every_byte_in_order() {
    at_length(|_| {
        const TOTAL: usize = 16 * 1024 * 1024;
        for make in [connected, connected_bare] {
            let (connection, peer) = make();
            let raw = Raw::of(&connection);
            let mut from = peer.try_clone().expect("a descriptor");
            let mut to = peer;
            let echo = thread::spawn(move || {
                let mut buffer = vec![0; 100_000];
                loop {
                    let count = from.read(&mut buffer).expect("a working connection");
                    if count == 0 {
                        return;
                    }
                    to.write_all(&buffer[..count])
                        .expect("a working connection");
                }
            });
            let bytes = |from: usize| (from % 251) as u8;
            let reader = thread::spawn(move || {
                let mut buffer = vec![0; 70_001];
                let mut got = 0;
                while got < TOTAL {
                    let count = raw.read(&mut buffer, None).expect("a working connection");
                    assert!(count > 0, "no end yet");
                    for (at, byte) in buffer[..count].iter().enumerate() {
                        assert_eq!(*byte, bytes(got + at));
                    }
                    got += count;
                }
                got
            });
            let writer = thread::spawn(move || {
                let mut sent = 0;
                while sent < TOTAL {
                    let count = 50_021.min(TOTAL - sent);
                    let chunk: Vec<u8> = (sent..sent + count).map(bytes).collect();
                    sent += raw.write(&chunk, None).expect("a working connection");
                }
                sent
            });
            assert_eq!(writer.join().expect("no panic"), TOTAL);
            assert_eq!(reader.join().expect("no panic"), TOTAL);
            assert_eq!(connection.bytes_read(), TOTAL as u64);
            assert_eq!(connection.bytes_written(), TOTAL as u64);
            connection.close(gio::Cancellable::NONE).expect("open");
            echo.join().expect("no panic");
        }
    });
}
