//! Wakeups for nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

/// Two on one socket: both are woken, one gets the bytes.
#[test]
fn a_read_that_was_woken_for_nothing_waits_on() {
    on_private_context(|context| {
        let (first, mut peer) = connected();
        let second = SocketConnection::factory_create_connection(&first.socket());
        for round in 0..50_u8 {
            let readings = [start_read(&first, 1, None), start_read(&second, 1, None)];
            iterate(context, 3);
            peer.write_all(&[round]).expect("a working connection");
            iterate_until(context, || {
                readings.iter().any(|reading| reading.has_ended())
            });
            iterate(context, 5);
            let done = readings
                .iter()
                .filter(|reading| reading.has_ended())
                .count();
            assert_eq!(done, 1, "there was one byte");
            peer.write_all(&[round]).expect("a working connection");
            iterate_until(context, || {
                readings.iter().all(|reading| reading.has_ended())
            });
            for reading in readings {
                assert_eq!(reading.outcome().expect("a byte"), 1);
                assert_eq!(reading.bytes(1), [round]);
            }
        }
        assert_eq!((first.bytes_read(), second.bytes_read()), (50, 50));
    });
}

#[test]
fn bytes_taken_away_from_under_a_blocked_read_leave_it_waiting() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        // SAFETY: a descriptor of our own, just made.
        let twin = unsafe { OwnedFd::from_raw_fd(libc::dup(connection.socket().as_raw_fd())) };
        let mut twin = TcpStream::from(twin);
        let thief = thread::spawn(move || {
            for round in 0..50_u8 {
                peer.write_all(&[round]).expect("a working connection");
                let mut buffer = [0; 1];
                // Whoever is faster; the reader stops at the last one.
                let _ = twin.read(&mut buffer);
                thread::yield_now();
            }
            peer.write_all(b"\xff").expect("a working connection");
            peer
        });
        let mut buffer = [0; 1];
        loop {
            let input = connection.input_stream();
            let count = input
                .read(&mut buffer, gio::Cancellable::NONE)
                .expect("a byte");
            assert_eq!(count, 1, "no end of file out of nothing");
            if buffer[0] == 0xff {
                break;
            }
        }
        let _peer = thief.join().expect("no panic");
    });
}

#[test]
fn wakeups_of_the_context_end_no_operation() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, mut peer) = connected();
        fill(&connection);
        let calling = unconnected();
        let cancellable = gio::Cancellable::new();
        let reading = start_read(&connection, 4, None);
        let writing = start_write(&connection, vec![1; 8], None);
        let connecting = start_connect(&calling, &gio_address(deaf.address), Some(&cancellable));
        for _ in 0..1000 {
            context.wakeup();
            context.iteration(false);
        }
        for operation in [&reading, &writing, &connecting] {
            assert!(!operation.has_ended());
        }
        peer.write_all(b"now!").expect("a working connection");
        assert_eq!(ended(context, &reading).expect("four bytes"), 4);
        cancellable.cancel();
        assert_fails(ended(context, &connecting), E::Cancelled);
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_fails(ended(context, &writing), E::Closed);
    });
}

static SIGNALLED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: libc::c_int) {
    SIGNALLED.store(true, Ordering::SeqCst);
}

/// F-18: in GIO interruptions shorten a wait.
#[test]
fn signals_neither_end_nor_shorten_a_blocking_wait() {
    on_private_context(|_| {
        // SAFETY: all zero is an action without flags; the handler only stores.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
            assert_eq!(
                libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()),
                0
            );
        }
        let deaf = deaf_listener();
        // SAFETY: no arguments.
        let waiting = unsafe { libc::pthread_self() };
        let (stop, stopped) = mpsc::channel::<()>();
        let signals = thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(3)).is_err() {
                // SAFETY: that thread waits for this one to end.
                unsafe { libc::pthread_kill(waiting, libc::SIGUSR1) };
            }
        });
        let (connection, mut peer) = connected();
        connection.socket().set_timeout(1);
        let start = Instant::now();
        assert_fails(read_now(&connection), E::TimedOut);
        assert_a_second_since(start);
        fill(&connection);
        let start = Instant::now();
        assert_fails(write_now(&connection), E::TimedOut);
        assert_a_second_since(start);
        let calling = unconnected();
        calling.socket().set_timeout(1);
        let start = Instant::now();
        let connected = calling.connect(&gio_address(deaf.address), gio::Cancellable::NONE);
        assert_fails(connected, E::TimedOut);
        assert_a_second_since(start);
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            peer.write_all(b"late").expect("a working connection");
            peer
        });
        assert_eq!(read_now(&connection).expect("four bytes"), 4);
        let _peer = writer.join().expect("no panic");
        let cancellable = gio::Cancellable::new();
        let canceller = cancel_soon(&cancellable);
        let read = connection
            .input_stream()
            .read(&mut [0_u8; 8], Some(&cancellable));
        assert_fails(read, E::Cancelled);
        canceller.join().expect("no panic");
        stop.send(()).expect("it waits for that");
        signals.join().expect("no panic");
        assert!(SIGNALLED.load(Ordering::SeqCst));
    });
}
