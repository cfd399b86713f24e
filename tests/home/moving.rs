//! A home that moves from thread to thread while others work on the connection.

use std::{
    net::Shutdown,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    thread::ThreadId,
    time::Duration,
};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

const ROUNDS: usize = 60;

/// The connection goes from hand to hand; whoever has it is home, and nobody else is told.
#[test]
fn set_home_between_threads_under_load_tells_the_home_of_the_moment_only() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let home = Arc::new(Mutex::new(thread::current().id()));
        let (told, wrong) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (owner, count, strays) = (home.clone(), told.clone(), wrong.clone());
        // Nothing in it belongs to a thread: it may move along.
        connection.connect_notify(None, move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            let home: ThreadId = *owner.lock().expect("no panic");
            if home != thread::current().id() {
                strays.fetch_add(1, Ordering::SeqCst);
            }
        });
        let reader = thread::spawn(move || read_to_end(&mut peer).len());
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, writer) = (stop.clone(), CConnection::of(&connection));
        let writer = thread::spawn(move || {
            let writer: CConnection = writer;
            let mut written = 0;
            while !stopped.load(Ordering::SeqCst) {
                assert_eq!(writer.write(b"0123456789"), 10);
                written += 10;
                // The machine has others to serve.
                thread::sleep(Duration::from_micros(200));
            }
            written
        });
        let mut connection = CConnection::taken(connection);
        for round in 0..ROUNDS {
            let home = home.clone();
            connection = thread::spawn(move || {
                let connection: CConnection = connection;
                let context = glib::MainContext::new();
                context
                    .with_thread_default(|| {
                        // SAFETY: the thread of before has given it away; the handler may run here.
                        let connection: SocketConnection = unsafe { connection.into_wrapper() };
                        *home.lock().expect("no panic") = thread::current().id();
                        // SAFETY: likewise.
                        unsafe { connection.set_home(&context) };
                        let time = if round % 3 == 0 { 0 } else { 3 };
                        iterate_for(&context, Duration::from_millis(time));
                        CConnection::taken(connection)
                    })
                    .expect("a new context has no owner")
            })
            .join()
            .expect("no panic there");
        }
        stop.store(true, Ordering::SeqCst);
        let written: usize = writer.join().expect("no panic there");
        // The last one, with time to be told of all.
        let context = glib::MainContext::new();
        let last = context.clone();
        *home.lock().expect("no panic") = thread::current().id();
        // SAFETY: all others have given it away.
        let connection: SocketConnection = unsafe { connection.into_wrapper() };
        // SAFETY: the handler may run here.
        unsafe { connection.set_home(&last) };
        iterate_for(&context, Duration::from_millis(250));
        assert_eq!(connection.bytes_written(), written as u64);
        assert!(told.load(Ordering::SeqCst) > 0);
        assert_eq!(
            wrong.load(Ordering::SeqCst),
            0,
            "told where nobody was at home"
        );
        assert_eq!(connection.state(), ConnectionState::Connected);
        connection
            .close(gio::Cancellable::NONE)
            .expect("it is idle");
        assert_eq!(reader.join().expect("no panic"), written);
    });
}

/// The peer goes while the home moves: the home of the moment, or the next one, is told, once.
#[test]
fn the_peers_end_is_told_once_however_the_home_moves() {
    on_private_context(|_| {
        for round in 0..20 {
            let (connection, peer) = connected();
            let states = Arc::new(AtomicUsize::new(0));
            let count = states.clone();
            // Nothing in it belongs to a thread: it may move along.
            connection.connect_notify(Some("state"), move |_, _| {
                count.fetch_add(1, Ordering::SeqCst);
            });
            let mut connection = CConnection::taken(connection);
            let ender = thread::spawn(move || {
                thread::sleep(Duration::from_micros(round * 150));
                peer.shutdown(Shutdown::Both).expect("connected");
                peer
            });
            for _ in 0..4 {
                connection = thread::spawn(move || {
                    let connection: CConnection = connection;
                    let context = glib::MainContext::new();
                    context
                        .with_thread_default(|| {
                            // SAFETY: the thread of before has given it away; the handler may run here.
                            let connection: SocketConnection = unsafe { connection.into_wrapper() };
                            // SAFETY: likewise.
                            unsafe { connection.set_home(&context) };
                            context.iteration(false);
                            CConnection::taken(connection)
                        })
                        .expect("a new context has no owner")
                })
                .join()
                .expect("no panic there");
            }
            let _peer = ender.join().expect("no panic there");
            let context = glib::MainContext::new();
            // SAFETY: all others have given it away.
            let connection: SocketConnection = unsafe { connection.into_wrapper() };
            // SAFETY: the handler may run here.
            unsafe { connection.set_home(&context) };
            iterate_until(&context, || {
                connection.state() == ConnectionState::Disconnected
                    && states.load(Ordering::SeqCst) > 0
            });
            iterate_for(&context, Duration::from_millis(5));
            assert_eq!(states.load(Ordering::SeqCst), 1, "round {round}");
        }
    });
}
