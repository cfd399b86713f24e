//! `graceful-disconnect`, and a close that waits for the peer.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::TcpStream,
    rc::Rc,
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// TCP-2, TCP-3.
#[test]
fn graceful_disconnect_is_off_at_first_and_notifies_changes_only() {
    on_private_context(|_| {
        let (connection, _peer) = tcp(connected());
        let seen = notifications(&connection);
        let called = Rc::new(Cell::new(0));
        let count = called.clone();
        connection.connect_graceful_disconnect_notify(move |connection| {
            assert!(connection.is::<TcpConnection>());
            count.set(count.get() + 1);
        });

        assert!(!connection.is_graceful_disconnect());
        assert!(!connection.property::<bool>("graceful-disconnect"));
        connection.set_graceful_disconnect(false);
        connection.set_property("graceful-disconnect", false);
        assert!(seen.borrow().is_empty());

        connection.set_graceful_disconnect(true);
        assert!(connection.is_graceful_disconnect());
        assert!(connection.property::<bool>("graceful-disconnect"));
        connection.set_graceful_disconnect(true);
        connection.set_property("graceful-disconnect", true);
        assert_eq!(*seen.borrow(), ["graceful-disconnect"]);

        connection.set_property("graceful-disconnect", false);
        assert!(!connection.is_graceful_disconnect());
        assert_eq!(*seen.borrow(), ["graceful-disconnect"; 2]);
        assert_eq!(called.get(), 2);
    });
}

#[test]
fn graceful_disconnect_can_be_set_at_construction() {
    on_private_context(|_| {
        let connection: TcpConnection = glib::Object::builder()
            .property("socket", ipv4_socket())
            .property("graceful-disconnect", true)
            .build();
        assert!(connection.is_graceful_disconnect());
    });
}

/// TCP-4.
#[test]
fn without_the_flag_a_close_does_not_wait_for_the_peer() {
    on_private_context(|context| {
        let (connection, mut peer) = tcp(connected());
        connection
            .close(gio::Cancellable::NONE)
            .expect("nothing is in the way");
        assert_closed(&connection);
        assert!(read_to_end(&mut peer).is_empty());
        assert_cut_off(&mut peer);

        let (connection, mut peer) = tcp(connected_bare());
        end_close(context, &begin_close(&connection, None)).expect("nothing is in the way");
        assert_closed(&connection);
        assert!(read_to_end(&mut peer).is_empty());
        assert_cut_off(&mut peer);
    });
}

// --- Waiting for the peer ------------------------------------------------------------------------

/// TCP-5.
#[test]
fn a_blocking_graceful_close_returns_once_the_peer_has_read_all_and_closed() {
    on_private_context(|_| {
        for (connection, peer) in graceful_of_both_kinds() {
            let (peer, closing) = reading_peer(peer, drop);
            let sent = vec![7; 1 << 20];
            let output = connection.output_stream();
            output
                .write_all(&sent, gio::Cancellable::NONE)
                .expect("the peer reads");

            connection
                .close(gio::Cancellable::NONE)
                .expect("the peer closes too");
            assert!(closing.load(Ordering::SeqCst), "it did not wait");
            assert_closed(&connection);
            assert_eq!(peer.join().expect("no panic"), sent.len());
        }
    });
}

/// TCP-8, TCP-12.
#[test]
fn an_asynchronous_graceful_close_ends_once_the_peer_has_read_all_and_closed() {
    on_private_context(|context| {
        for (connection, peer) in graceful_of_both_kinds() {
            let (peer, closing) = reading_peer(peer, drop);
            let output = connection.output_stream();
            output
                .write_all(b"all of it", gio::Cancellable::NONE)
                .expect("the peer reads");

            let outcome = begin_close(&connection, None);
            assert!(
                outcome.borrow().is_none(),
                "the callback came before close_async returned"
            );
            assert!(connection.has_pending());
            assert!(!connection.is_closed());
            assert!(connection.is_connected());
            assert_fails(
                connection.close(gio::Cancellable::NONE),
                gio::IOErrorEnum::Pending,
            );

            end_close(context, &outcome).expect("the peer closes too");
            assert!(closing.load(Ordering::SeqCst), "it did not wait");
            assert!(!connection.has_pending());
            assert_closed(&connection);
            assert_eq!(peer.join().expect("no panic"), b"all of it".len());
        }
    });
}

#[test]
fn a_graceful_close_future_ends_once_the_peer_has_closed() {
    on_private_context(|context| {
        let (connection, peer) = graceful(connected());
        let (peer, closing) = reading_peer(peer, drop);
        let closed = block_on(context, connection.close_future(glib::Priority::DEFAULT));
        closed.expect("the peer closes too");
        assert!(closing.load(Ordering::SeqCst), "it did not wait");
        assert_closed(&connection);
        peer.join().expect("no panic");
    });
}

/// TCP-5, TCP-9: a megabyte is nothing.
#[test]
fn what_the_peer_still_sends_is_thrown_away() {
    const MUCH: usize = 1 << 20;
    fn talkative(mut peer: TcpStream) {
        // Fails if we close, or stop reading, before all of it has arrived.
        peer.write_all(&vec![b'.'; MUCH])
            .expect("somebody takes it");
        // Everything was read: no reset.
        peer.shutdown(std::net::Shutdown::Write)
            .expect("still connected");
        assert_eq!(peer.read(&mut [0]).expect("an orderly end"), 0);
    }
    on_private_context(|context| {
        for (connection, peer) in graceful_of_both_kinds() {
            let (peer, _) = reading_peer(peer, talkative);
            connection
                .close(gio::Cancellable::NONE)
                .expect("the peer closes in the end");
            assert_closed(&connection);
            peer.join().expect("all was taken");
        }
        for (connection, peer) in graceful_of_both_kinds() {
            let (peer, _) = reading_peer(peer, talkative);
            end_close(context, &begin_close(&connection, None))
                .expect("the peer closes in the end");
            assert_closed(&connection);
            peer.join().expect("all was taken");
        }
    });
}

/// Whether GLib's worker threads are there, which GTask makes for an operation without an
/// asynchronous form of its own.
fn has_worker_thread() -> bool {
    std::fs::read_dir("/proc/self/task")
        .expect("Linux")
        .flatten()
        .any(|task| {
            // A thread may end meanwhile. Newer GLib has one that only starts workers, from the first task on.
            std::fs::read_to_string(task.path().join("comm"))
                .is_ok_and(|name| name.starts_with("pool") && name.trim_end() != "pool-spawner")
        })
}

/// TCP-8: on the caller's context, whichever thread that is. No other test of this file may have
/// GIO start a worker.
#[test]
fn an_asynchronous_graceful_close_needs_no_other_thread() {
    on_private_context(|context| {
        let (connection, peer) = graceful(connected());
        let stopped = connection.clone();
        let home = thread::current().id();
        let notified = Rc::new(Cell::new(false));
        let flag = notified.clone();
        connection.connect_state_notify(move |_| {
            assert_eq!(thread::current().id(), home);
            flag.set(true);
        });
        let outcome = begin_close(&connection, None);
        // Nothing goes on while the context rests.
        let (peer, closing) = reading_peer(peer, drop);
        while !closing.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        peer.join().expect("no panic");
        assert!(!stopped.is_closed());
        assert!(!has_worker_thread());
        end_close(context, &outcome).expect("the peer has closed");
        assert!(notified.get());
        assert!(!has_worker_thread());

        // That a worker would have been seen:
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let busy = gio::spawn_blocking(move || wait.recv());
        iterate_until(context, has_worker_thread);
        go.send(()).expect("it waits");
        drop(busy);
    });
}

/// TCP-13 leaves open what the reader gets; that both end is certain.
#[test]
fn a_graceful_close_and_a_waiting_read_both_end() {
    on_private_context(|context| {
        let (connection, peer) = graceful(connected());
        let read = Rc::new(Cell::new(false));
        let done = read.clone();
        connection.input_stream().read_async(
            vec![0; 16],
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |_| done.set(true),
        );
        iterate_for(context, Duration::from_millis(20));
        let outcome = begin_close(&connection, None);
        let (peer, _) = reading_peer(peer, drop);
        end_close(context, &outcome).expect("the peer closes too");
        iterate_until(context, || read.get());
        assert_closed(&connection);
        peer.join().expect("no panic");
    });
}
