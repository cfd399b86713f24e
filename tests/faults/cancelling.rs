//! Cancelling before, during and after.

use std::{
    io::{ErrorKind, Write},
    os::fd::AsRawFd,
    rc::Rc,
    thread,
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

/// SC-14, VER-4: there is no attempt.
#[test]
fn a_connect_that_was_cancelled_before_makes_no_attempt() {
    on_private_context(|context| {
        let (server, address) = listener();
        server.set_nonblocking(true).expect("an option");
        let connection = unconnected();
        let cancellable = cancelled();
        let address = gio_address(address);
        assert_fails(
            connection.connect(&address, Some(&cancellable)),
            E::Cancelled,
        );
        let started = start_connect(&connection, &address, Some(&cancellable));
        assert!(!started.has_ended(), "never before the call has returned");
        assert_fails(ended(context, &started), E::Cancelled);
        // The future form is cancelled by being dropped: here, before its first poll.
        drop(connection.connect_future(&address));
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(!connection.is_connected());
        assert_eq!(tcp_state(connection.socket().as_raw_fd()), TCP_CLOSE);
        thread::sleep(Duration::from_millis(20));
        let nobody = server.accept().expect_err("nobody called");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
        let traces = Traces::of(&connection).and("cancellable", &cancellable);
        drop((connection, cancellable));
        traces.assert_gone(context, &[&started]);
    });
}

/// SC-13, where GIO calls such a socket connected.
#[test]
fn a_connect_cancelled_on_its_way_leaves_nothing_in_flight_and_can_be_repeated() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let echo = echo_server();
        for form in FORMS {
            let connection = unconnected();
            let fd = connection.socket().as_raw_fd();
            let cancellable = gio::Cancellable::new();
            let mut operations = Vec::new();
            match form {
                Form::Blocking => {
                    let canceller = cancel_soon(&cancellable);
                    let connected =
                        connection.connect(&gio_address(deaf.address), Some(&cancellable));
                    assert_fails(connected, E::Cancelled);
                    canceller.join().expect("no panic");
                }
                Form::Async | Form::C => {
                    let started =
                        start_connect(&connection, &gio_address(deaf.address), Some(&cancellable));
                    iterate_for(context, Duration::from_millis(20));
                    assert!(!started.has_ended());
                    assert_ne!(tcp_state(fd), TCP_CLOSE);
                    let canceller = cancel_soon(&cancellable);
                    assert_fails(ended(context, &started), E::Cancelled);
                    canceller.join().expect("no panic");
                    operations.push(started);
                }
                Form::Future => {
                    let connecting = connection.connect_future(&gio_address(deaf.address));
                    let connecting = context.spawn_local(connecting);
                    iterate_for(context, Duration::from_millis(20));
                    assert_eq!(connection.state(), ConnectionState::Connecting);
                    assert_ne!(tcp_state(fd), TCP_CLOSE);
                    connecting.abort();
                    drop(connecting);
                    while context.iteration(false) {}
                }
            }
            assert_eq!(connection.state(), ConnectionState::Unconnected, "{form:?}");
            assert!(!connection.is_connected(), "{form:?}");
            assert!(
                connection.last_error().is_none(),
                "it was the caller's wish"
            );
            assert_fails(connection.remote_address(), E::NotConnected);
            assert_eq!(tcp_state(fd), TCP_CLOSE, "{form:?}");
            connect_by(form, context, &connection, &gio_address(echo)).expect("it listens");
            assert_echoes(&connection);
            let traces = Traces::of(&connection).and("cancellable", &cancellable);
            drop((connection, cancellable));
            let operations: Vec<&Started> = operations.iter().map(Rc::as_ref).collect();
            traces.assert_gone(context, &operations);
        }
    });
}

#[test]
fn a_connect_that_has_completed_keeps_its_result_when_it_is_cancelled_afterwards() {
    on_private_context(|context| {
        let (server, address) = listener();
        let connection = unconnected();
        let cancellable = gio::Cancellable::new();
        let started = connect_started(&connection, &gio_address(address), Some(&cancellable), true);
        iterate_until(context, || started.has_ended());
        cancellable.cancel();
        let result = started.result();
        assert!(connection.connect_finish(&result).is_ok());
        let (mut peer, _) = server.accept().expect("somebody called");
        assert_talks(&connection, &mut peer);
        // A refusal too.
        let other = unconnected();
        let cancellable = gio::Cancellable::new();
        let refused = gio_address(refused_address());
        let started = connect_started(&other, &refused, Some(&cancellable), true);
        iterate_until(context, || started.has_ended());
        cancellable.cancel();
        assert_fails(
            other.connect_finish(&started.result()),
            E::ConnectionRefused,
        );
    });
}

#[test]
fn a_read_or_write_that_was_cancelled_before_moves_nothing() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"kept").expect("a working connection");
        let cancellable = cancelled();
        let mut buffer = [0; 8];
        let read = connection
            .input_stream()
            .read(&mut buffer, Some(&cancellable));
        assert_fails(read, E::Cancelled);
        let write = connection
            .output_stream()
            .write(b"never", Some(&cancellable));
        assert_fails(write, E::Cancelled);
        let reading = start_read(&connection, 8, Some(&cancellable));
        assert_fails(ended(context, &reading), E::Cancelled);
        let writing = start_write(&connection, b"never".to_vec(), Some(&cancellable));
        assert_fails(ended(context, &writing), E::Cancelled);
        let read = pollable_input(&connection).read_nonblocking(&mut buffer, Some(&cancellable));
        assert_fails(read, E::Cancelled);
        let write = pollable_output(&connection).write_nonblocking(b"never", Some(&cancellable));
        assert_fails(write, E::Cancelled);
        assert_eq!(
            (connection.bytes_read(), connection.bytes_written()),
            (0, 0)
        );
        assert_eq!(read_now(&connection).expect("what was sent"), 4);
        assert_eq!(connection.state(), ConnectionState::Connected);
        let traces = Traces::of(&connection).and("cancellable", &cancellable);
        connection.close(gio::Cancellable::NONE).expect("open");
        assert!(read_to_end(&mut peer).is_empty());
        drop((connection, cancellable));
        traces.assert_gone(context, &[&reading, &writing]);
    });
}

#[test]
fn an_operation_cancelled_between_its_start_and_the_loop_moves_nothing() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"kept").expect("a working connection");
        let cancellable = gio::Cancellable::new();
        let reading = start_read(&connection, 8, Some(&cancellable));
        let writing = start_write(&connection, b"never".to_vec(), Some(&cancellable));
        cancellable.cancel();
        assert_fails(ended(context, &reading), E::Cancelled);
        assert_fails(ended(context, &writing), E::Cancelled);
        assert_eq!(read_now(&connection).expect("what was sent"), 4);
        connection.close(gio::Cancellable::NONE).expect("open");
        assert!(read_to_end(&mut peer).is_empty(), "nothing was written");
    });
}

#[test]
fn a_pending_read_or_write_ends_when_it_is_cancelled_and_the_connection_works_on() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        for _ in 0..3 {
            let cancellable = gio::Cancellable::new();
            let canceller = cancel_soon(&cancellable);
            let read = connection
                .input_stream()
                .read(&mut [0_u8; 8], Some(&cancellable));
            assert_fails(read, E::Cancelled);
            canceller.join().expect("no panic");

            let cancellable = gio::Cancellable::new();
            let reading = start_read(&connection, 8, Some(&cancellable));
            iterate_for(context, Duration::from_millis(10));
            assert!(!reading.has_ended());
            cancellable.cancel();
            assert_fails(ended(context, &reading), E::Cancelled);
            let gone = Gone::of(&cancellable);
            drop(cancellable);
            assert_idle(context);
            assert!(gone.is_gone() && reading.is_task_gone());
        }
        assert_talks(&connection, &mut peer);

        fill(&connection);
        for _ in 0..3 {
            let cancellable = gio::Cancellable::new();
            let canceller = cancel_soon(&cancellable);
            let write = connection
                .output_stream()
                .write(b"never", Some(&cancellable));
            assert_fails(write, E::Cancelled);
            canceller.join().expect("no panic");

            let cancellable = gio::Cancellable::new();
            let writing = start_write(&connection, b"never".to_vec(), Some(&cancellable));
            iterate_for(context, Duration::from_millis(10));
            assert!(!writing.has_ended());
            cancellable.cancel();
            assert_fails(ended(context, &writing), E::Cancelled);
            let gone = Gone::of(&cancellable);
            drop(cancellable);
            assert_idle(context);
            assert!(gone.is_gone() && writing.is_task_gone());
        }
        let sent = connection.bytes_written();
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_eq!(read_to_end(&mut peer).len() as u64 + 4, sent);
    });
}

/// ST-23, where GIO loses the bytes.
#[test]
fn a_read_that_has_completed_keeps_its_bytes_when_it_is_cancelled_afterwards() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let cancellable = gio::Cancellable::new();
        peer.write_all(b"kept").expect("a working connection");
        let reading = read_started(&connection.input_stream(), 8, Some(&cancellable), true);
        iterate_until(context, || reading.has_ended());
        cancellable.cancel();
        let result = reading.result();
        let count = finish_read(
            pointer_of(&connection.input_stream()),
            result.to_glib_none().0,
        );
        assert_eq!(count.expect("what was read"), 4);
        assert_eq!(reading.bytes(4), b"kept");
    });
}

/// ST-41: GIO's outer task, which is not ours, still looks.
#[test]
fn a_write_cancelled_between_callback_and_finish_says_so_although_it_was_done() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let cancellable = gio::Cancellable::new();
        let writing = write_started(
            &connection.output_stream(),
            b"sent".to_vec(),
            Some(&cancellable),
            true,
        );
        iterate_until(context, || writing.has_ended());
        cancellable.cancel();
        let result = writing.result();
        let count = finish_write(
            pointer_of(&connection.output_stream()),
            result.to_glib_none().0,
        );
        assert_fails(count, E::Cancelled);
        assert_eq!(connection.bytes_written(), 4);
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_eq!(read_to_end(&mut peer), b"sent");
    });
}

/// SC-24, IOS-19.
#[test]
fn a_close_that_was_cancelled_before_closes_all_the_same() {
    on_private_context(|context| {
        for graceful in [false, true] {
            let cancellable = cancelled();
            let (connection, mut peer) = connected();
            let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
            tcp.set_graceful_disconnect(graceful);
            connection.close(Some(&cancellable)).expect("nothing waits");
            assert!(connection.is_closed() && connection.socket().is_closed());
            assert!(read_to_end(&mut peer).is_empty());

            let (connection, mut peer) = connected();
            let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
            tcp.set_graceful_disconnect(graceful);
            let closing = start_close(&connection, Some(&cancellable));
            assert_fails(ended(context, &closing), E::Cancelled);
            assert!(connection.is_closed() && connection.socket().is_closed());
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

/// TCP-10.
#[test]
fn a_graceful_close_that_is_cancelled_on_its_way_ends_so_and_is_closed() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection
            .downcast_ref::<TcpConnection>()
            .expect("TCP")
            .set_graceful_disconnect(true);
        let cancellable = gio::Cancellable::new();
        let closing = start_close(&connection, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        assert!(!closing.has_ended() && !connection.is_closed());
        assert!(
            read_to_end(&mut peer).is_empty(),
            "we have said that we are done"
        );
        let canceller = cancel_soon(&cancellable);
        assert_fails(ended(context, &closing), E::Cancelled);
        canceller.join().expect("no panic");
        assert!(connection.is_closed() && connection.socket().is_closed());
        assert_eq!(connection.state(), ConnectionState::Closed);
        let gone = [Gone::of(&connection), Gone::of(&cancellable)];
        drop((connection, cancellable));
        assert_idle(context);
        assert!(gone.iter().all(Gone::is_gone) && closing.is_task_gone());

        let (connection, mut peer) = connected();
        connection
            .downcast_ref::<TcpConnection>()
            .expect("TCP")
            .set_graceful_disconnect(true);
        let cancellable = gio::Cancellable::new();
        let canceller = cancel_soon(&cancellable);
        assert_fails(connection.close(Some(&cancellable)), E::Cancelled);
        canceller.join().expect("no panic");
        assert!(connection.is_closed() && connection.socket().is_closed());
        assert!(read_to_end(&mut peer).is_empty());
    });
}

/// IOS-19: GIO's outer task again.
#[test]
fn a_close_cancelled_between_callback_and_finish_says_so_although_it_was_done() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let cancellable = gio::Cancellable::new();
        let closing = close_started(&connection, Some(&cancellable), true);
        iterate_until(context, || closing.has_ended());
        assert!(connection.is_closed());
        cancellable.cancel();
        let result = closing.result();
        let finished = finish_close(pointer_of(&connection), result.to_glib_none().0);
        assert_fails(finished, E::Cancelled);
        assert!(connection.is_closed() && connection.socket().is_closed());
        assert!(read_to_end(&mut peer).is_empty());
    });
}
