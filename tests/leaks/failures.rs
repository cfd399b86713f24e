//! Connects and connections that come to nothing.

use std::{net::TcpStream, time::Duration};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::counting::*;
use crate::support::*;
use crate::tools::*;

#[test]
fn refused_connects_leave_nothing_behind() {
    counted(|context, warm_up| {
        let address = gio_address(refused_address());
        for cycle in 0..times(warm_up, 200) {
            let made = Made::default();
            let connection = unconnected();
            made.note_connection(&connection);
            for turn in 0..2 {
                let form = FORMS[(cycle + turn) % FORMS.len()];
                let refused = connect_by(form, context, &connection, &address);
                assert_fails(refused, E::ConnectionRefused);
            }
            drop(connection);
            made.assert_gone(context);
        }
    });
}

#[test]
fn cancelled_connects_leave_nothing_behind() {
    counted(|context, warm_up| {
        let deaf = deaf_listener();
        let address = gio_address(deaf.address);
        for cycle in 0..times(warm_up, 200) {
            let made = Made::default();
            let connection = unconnected();
            made.note_connection(&connection);
            let cancellable = gio::Cancellable::new();
            made.note("cancellable", &cancellable);
            match cycle % 3 {
                0 => {
                    let started = start_connect(&connection, &address, Some(&cancellable));
                    iterate(context, 2);
                    cancellable.cancel();
                    assert_fails(finished(context, &started), E::Cancelled);
                }
                1 => {
                    let connecting = context.spawn_local(connection.connect_future(&address));
                    iterate(context, 2);
                    assert_eq!(connection.state(), ConnectionState::Connecting);
                    connecting.abort();
                }
                _ => {
                    let canceller = cancellable.clone();
                    let sleeper = std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(2));
                        canceller.cancel();
                    });
                    let connected = connection.connect(&address, Some(&cancellable));
                    assert_fails(connected, E::Cancelled);
                    sleeper.join().expect("no panic");
                }
            }
            assert_idle(context);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            drop((connection, cancellable));
            made.assert_gone(context);
        }
    });
}

#[test]
fn connects_and_reads_that_time_out_leave_nothing_behind() {
    counted(|context, warm_up| {
        let deaf = deaf_listener();
        let address = gio_address(deaf.address);
        let made = Made::default();
        let mut peers: Vec<TcpStream> = Vec::new();
        let mut operations = Vec::new();
        // Dropped, they would end at once.
        let mut kept = Vec::new();
        // All at once, since a timeout is a second at least.
        for _ in 0..times(warm_up, 200) {
            let connection = unconnected();
            connection.socket().set_timeout(1);
            made.note_connection(&connection);
            operations.push(start_connect(&connection, &address, None));
            let (connection, peer) = connected();
            connection.socket().set_timeout(1);
            made.note_connection(&connection);
            let reading = start_read(&connection, 4, None);
            kept.push(connection);
            operations.push(reading);
            peers.push(peer);
        }
        iterate_until(context, || operations.iter().all(|one| one.has_ended()));
        for operation in &operations {
            assert_fails(operation.outcome(), E::TimedOut);
        }
        drop(kept);
        assert!(
            operations.iter().all(|one| one.is_task_gone()),
            "a task is left over"
        );
        made.assert_gone(context);
    });
}

#[test]
fn reset_connections_leave_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 200) {
            let made = Made::default();
            let (connection, peer) = if cycle % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            made.note_connection(&connection);
            let reading = start_read(&connection, 4, None);
            iterate(context, u32::try_from(cycle % 3).expect("small"));
            reset(peer);
            assert_fails(finished(context, &reading), CONNECTION_CLOSED);
            match cycle % 4 {
                0 => connection.close(gio::Cancellable::NONE).expect("open"),
                1 => {
                    finished(context, &start_close(&connection, None)).expect("open");
                }
                _ => {}
            }
            drop(connection);
            made.assert_gone(context);
        }
    });
}

#[test]
fn connections_dropped_or_closed_with_operations_pending_leave_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 400) {
            let made = Made::default();
            let (connection, _peer) = if cycle % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            made.note_connection(&connection);
            let cancellable = gio::Cancellable::new();
            made.note("cancellable", &cancellable);
            fill(&connection);
            let reading = start_read(&connection, 4, Some(&cancellable));
            let writing = start_write(&connection, vec![1; 4], Some(&cancellable));
            iterate(context, u32::try_from(cycle % 5).expect("small"));
            if cycle % 3 == 0 {
                connection.close(gio::Cancellable::NONE).expect("open");
            }
            drop((connection, cancellable));
            iterate_until(context, || reading.has_ended() && writing.has_ended());
            assert_fails(reading.outcome(), E::Closed);
            assert_fails(writing.outcome(), E::Closed);
            assert_idle(context);
            assert!(reading.is_task_gone() && writing.is_task_gone());
            made.assert_gone(context);
        }
    });
}
