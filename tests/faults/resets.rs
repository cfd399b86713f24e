//! A peer that resets, at every step.

use std::{thread, time::Duration};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

#[track_caller]
fn assert_disconnected(context: &glib::MainContext, connection: &SocketConnection) {
    iterate_until(context, || connection.state() != ConnectionState::Connected);
    assert_eq!(connection.state(), ConnectionState::Disconnected);
    assert!(!connection.is_alive());
    let failure = connection.last_error().expect("the reason");
    assert_eq!(code(&failure), CONNECTION_CLOSED);
    assert!(connection.remote_address().is_ok(), "kept for log lines");
}

#[test]
fn a_reset_before_a_connect_has_ended_fails_it_and_it_can_be_repeated() {
    on_private_context(|context| {
        let echo = echo_server();
        for form in [Form::C, Form::Future] {
            let (server, address) = listener();
            let connection = unconnected();
            let address = gio_address(address);
            // The peer answers and resets before the loop has looked.
            let outcome = if matches!(form, Form::C) {
                let started = start_connect(&connection, &address, None);
                reset(server.accept().expect("somebody called").0);
                ended(context, &started).map(drop)
            } else {
                let mut future = connection.connect_future(&address);
                assert!(poll_once(&mut future).is_pending());
                reset(server.accept().expect("somebody called").0);
                block_on(context, future)
            };
            assert_fails(outcome, CONNECTION_CLOSED);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            assert!(!connection.is_connected());
            assert_eq!(
                code(&connection.last_error().expect("the reason")),
                CONNECTION_CLOSED
            );
            connect_by(form, context, &connection, &gio_address(echo)).expect("it listens");
            assert_echoes(&connection);
            let traces = Traces::of(&connection);
            drop(connection);
            traces.assert_gone(context, &[]);
        }
    });
}

#[test]
fn a_reset_between_a_connects_callback_and_its_finish_does_not_undo_the_connect() {
    on_private_context(|context| {
        let (server, address) = listener();
        let connection = unconnected();
        let started = connect_started(&connection, &gio_address(address), None, true);
        iterate_until(context, || started.has_ended());
        reset(server.accept().expect("somebody called").0);
        let result = started.result();
        assert!(connection.connect_finish(&result).is_ok());
        assert_disconnected(context, &connection);
        // The event took nothing away: the reason is still there to be read.
        assert_fails(read_now(&connection), CONNECTION_CLOSED);
        let traces = Traces::of(&connection);
        drop((connection, result));
        traces.assert_gone(context, &[&started]);
    });
}

/// SOCK-15: the error once, then the end of file for ever.
#[test]
fn a_reset_before_a_read_is_told_once_and_then_there_is_the_end() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            let (connection, peer) = make();
            reset(peer);
            assert_fails(read_now(&connection), CONNECTION_CLOSED);
            for _ in 0..3 {
                assert_eq!(read_now(&connection).expect("the end"), 0);
            }
            assert_fails(write_now(&connection), E::BrokenPipe);
            assert_disconnected(context, &connection);
            connection.close(gio::Cancellable::NONE).expect("open");
            assert_eq!(connection.state(), ConnectionState::Closed);

            let (connection, peer) = make();
            reset(peer);
            let reading = start_read(&connection, 4, None);
            assert_fails(ended(context, &reading), CONNECTION_CLOSED);
            assert_eq!(
                ended(context, &start_read(&connection, 4, None)).expect("the end"),
                0
            );
            assert_disconnected(context, &connection);
            let traces = Traces::of(&connection);
            drop(connection);
            traces.assert_gone(context, &[&reading]);
        }
    });
}

#[test]
fn a_reset_ends_a_pending_read() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            let (connection, peer) = make();
            let reading = start_read(&connection, 4, None);
            iterate_for(context, Duration::from_millis(10));
            assert!(!reading.has_ended());
            reset(peer);
            assert_fails(ended(context, &reading), CONNECTION_CLOSED);
            assert_disconnected(context, &connection);
            let traces = Traces::of(&connection);
            drop(connection);
            traces.assert_gone(context, &[&reading]);

            let (connection, peer) = make();
            let resetter = thread::spawn(move || {
                thread::sleep(Duration::from_millis(30));
                reset(peer);
            });
            assert_fails(read_now(&connection), CONNECTION_CLOSED);
            resetter.join().expect("no panic");
            assert_disconnected(context, &connection);
        }
    });
}

#[test]
fn a_reset_ends_a_write_that_waits_for_room() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            let (connection, peer) = make();
            fill(&connection);
            let writing = start_write(&connection, vec![1; 8], None);
            iterate_for(context, Duration::from_millis(10));
            assert!(!writing.has_ended());
            reset(peer);
            assert_fails(ended(context, &writing), CONNECTION_CLOSED);
            assert_disconnected(context, &connection);
            let traces = Traces::of(&connection);
            drop(connection);
            traces.assert_gone(context, &[&writing]);

            let (connection, peer) = make();
            fill(&connection);
            let resetter = thread::spawn(move || {
                thread::sleep(Duration::from_millis(30));
                reset(peer);
            });
            assert_fails(write_now(&connection), CONNECTION_CLOSED);
            resetter.join().expect("no panic");
            assert_disconnected(context, &connection);
        }
    });
}

/// One pending read and one pending write at once.
#[test]
fn a_reset_ends_both_directions_at_once() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        fill(&connection);
        let reading = start_read(&connection, 4, None);
        let writing = start_write(&connection, vec![1; 8], None);
        iterate_for(context, Duration::from_millis(10));
        reset(peer);
        iterate_until(context, || reading.has_ended() && writing.has_ended());
        // The kernel tells the error once; the other one sees the end, or a broken pipe.
        match reading.outcome() {
            Ok(count) => assert_eq!(count, 0),
            Err(failure) => assert_eq!(code(&failure), CONNECTION_CLOSED),
        }
        assert_fails(writing.outcome(), CONNECTION_CLOSED);
        assert_disconnected(context, &connection);
        let traces = Traces::of(&connection);
        drop(connection);
        traces.assert_gone(context, &[&reading, &writing]);
    });
}

#[test]
fn a_reset_before_a_close_does_not_fail_it() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let (connection, peer) = connected();
            let traces = Traces::of(&connection);
            reset(peer);
            let closed = if blocking {
                connection.close(gio::Cancellable::NONE)
            } else {
                ended(context, &start_close(&connection, None)).map(drop)
            };
            closed.expect("nothing to wait for");
            assert!(connection.is_closed() && connection.socket().is_closed());
            drop(connection);
            traces.assert_gone(context, &[]);
        }
    });
}

/// TCP-11, and F-12: where GIO leaks the open socket.
#[test]
fn a_reset_before_a_graceful_close_fails_it_and_it_is_closed() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let (connection, peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
            let kernel = KernelSocket::of_connection(&connection);
            reset(peer);
            let closed = if blocking {
                connection.close(gio::Cancellable::NONE)
            } else {
                ended(context, &start_close(&connection, None)).map(drop)
            };
            assert_fails(closed, E::NotConnected);
            assert!(connection.is_closed() && connection.socket().is_closed());
            assert!(!kernel.is_open());
            assert_eq!(connection.state(), ConnectionState::Closed);
        }
    });
}

#[test]
fn a_reset_during_a_graceful_close_fails_it_and_it_is_closed() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let (connection, mut peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
            let kernel = KernelSocket::of_connection(&connection);
            let resetter = thread::spawn(move || {
                assert!(read_to_end(&mut peer).is_empty());
                reset(peer);
            });
            let closed = if blocking {
                connection.close(gio::Cancellable::NONE)
            } else {
                ended(context, &start_close(&connection, None)).map(drop)
            };
            assert_fails(closed, CONNECTION_CLOSED);
            assert!(connection.is_closed() && connection.socket().is_closed());
            assert!(!kernel.is_open());
            resetter.join().expect("no panic");
            let gone = Gone::of(&connection);
            drop(connection);
            assert_idle(context);
            assert!(gone.is_gone());
        }
    });
}
