//! Graceful connections that are dropped, and what they leave behind.

use std::{
    io::{Read, Write},
    time::Duration,
};

use gio::prelude::*;
use gsock::{TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// F-11, TCP-14. The peer never closes: a wait would last half a minute.
#[test]
fn dropping_a_connection_never_waits_for_the_peer() {
    on_private_context(|_| {
        for (connection, mut peer) in graceful_of_both_kinds() {
            let gone = Gone::of(&connection);
            drop(connection);
            assert!(gone.is_gone());
            assert!(read_to_end(&mut peer).is_empty());
            assert_cut_off(&mut peer);
        }
        let (connection, _peer) = graceful(connected());
        // SAFETY: GObject allows it at any time.
        unsafe { connection.run_dispose() };
        assert!(connection.is_closed());
    });
}

/// F-11, TCP-14, SC-27.
#[test]
fn bug_31_dropping_a_connection_leaves_a_socket_that_others_hold_as_it_is() {
    on_private_context(|_| {
        for (connection, mut peer) in graceful_of_both_kinds() {
            let socket = connection.socket();
            drop(connection);
            assert!(!socket.is_closed());
            assert!(socket.is_connected());

            socket
                .send(b"still here", gio::Cancellable::NONE)
                .expect("both ways are open");
            let mut received = [0; 10];
            peer.read_exact(&mut received).expect("it was sent");
            assert_eq!(received, *b"still here");
            peer.write_all(b"so am I").expect("it reads");
            let (answer, _) = receive(&socket);
            assert_eq!(answer, b"so am I");

            drop(socket);
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

fn receive(socket: &gio::Socket) -> (Vec<u8>, usize) {
    let mut buffer = vec![0; 64];
    let count = socket
        .receive(&mut buffer, gio::Cancellable::NONE)
        .expect("something was sent");
    buffer.truncate(count);
    (buffer, count)
}

/// TCP-15, VER-2.
#[test]
fn bug_30_no_graceful_close_leaks_its_task_or_the_connection() {
    on_private_context(|context| {
        // One that succeeds.
        let (connection, peer) = graceful(connected());
        let gone = Gone::of(&connection);
        let (peer, _) = reading_peer(peer, drop);
        end_close(context, &begin_close(&connection, None)).expect("the peer closes too");
        drop(connection);
        iterate_until(context, || gone.is_gone());
        peer.join().expect("no panic");

        // Those whose peer has closed first.
        for blocking in [true, false] {
            for (connection, peer) in graceful_of_both_kinds() {
                let gone = Gone::of(&connection);
                drop(peer);
                let closed = if blocking {
                    connection.close(gio::Cancellable::NONE)
                } else {
                    end_close(context, &begin_close(&connection, None))
                };
                closed.expect("there is nothing to wait for");
                drop(connection);
                iterate_until(context, || gone.is_gone());
            }
        }

        // One that nobody waits for.
        let (connection, peer) = graceful(connected_bare());
        let gone = Gone::of(&connection);
        let (peer, _) = reading_peer(peer, drop);
        begin_close(&connection, None);
        drop(connection);
        iterate_until(context, || gone.is_gone());
        peer.join().expect("no panic");

        // One that fails at once.
        let connection: TcpConnection = unconnected().downcast().expect("TCP");
        connection.set_graceful_disconnect(true);
        let gone = Gone::of(&connection);
        let closed = end_close(context, &begin_close(&connection, None));
        assert_fails(closed, gio::IOErrorEnum::NotConnected);
        drop(connection);
        iterate_until(context, || gone.is_gone());

        // One that is cancelled.
        let (connection, mut peer) = graceful(connected());
        let gone = Gone::of(&connection);
        let cancellable = gio::Cancellable::new();
        let outcome = begin_close(&connection, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        cancellable.cancel();
        assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
        drop(connection);
        iterate_until(context, || gone.is_gone());
        assert_cut_off(&mut peer);
    });
}
