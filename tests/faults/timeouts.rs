//! Timeouts of nothing, of a second, and of more than an hour.

use std::{
    io::Write,
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

/// More than 32 bits of microseconds hold, as SOCK-35 shows for GIO.
const LONG: [u32; 4] = [4295, 5000, 86_400, u32::MAX];

#[test]
fn a_timeout_of_zero_is_none() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection.socket().set_timeout(0);
        let reading = start_read(&connection, 8, None);
        let source = pollable_input(&connection).create_source(
            gio::Cancellable::NONE,
            None,
            glib::Priority::DEFAULT,
            |_| panic!("nothing can be read"),
        );
        source.attach(Some(context));
        iterate_for(context, Duration::from_millis(150));
        source.destroy();
        assert!(!reading.has_ended());
        peer.write_all(b"late").expect("a working connection");
        assert_eq!(ended(context, &reading).expect("four bytes"), 4);

        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            peer.write_all(b"late").expect("a working connection");
            peer
        });
        assert_eq!(read_now(&connection).expect("four bytes"), 4);
        let _peer = writer.join().expect("no panic");

        let deaf = deaf_listener();
        let connection = unconnected();
        connection.socket().set_timeout(0);
        let cancellable = gio::Cancellable::new();
        let connecting = start_connect(&connection, &gio_address(deaf.address), Some(&cancellable));
        iterate_for(context, Duration::from_millis(150));
        assert!(!connecting.has_ended());
        cancellable.cancel();
        assert_fails(ended(context, &connecting), E::Cancelled);
    });
}

#[test]
fn a_timeout_of_more_than_an_hour_does_not_wrap_around() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for seconds in LONG {
            let (connection, mut peer) = connected();
            connection.socket().set_timeout(seconds);
            let reading = start_read(&connection, 8, None);
            let graceful = connected();
            let tcp = graceful.0.downcast_ref::<TcpConnection>().expect("TCP");
            tcp.set_graceful_disconnect(true);
            graceful.0.socket().set_timeout(seconds);
            let closing = start_close(&graceful.0, None);
            let calling = unconnected();
            calling.socket().set_timeout(seconds);
            let cancellable = gio::Cancellable::new();
            let connecting =
                start_connect(&calling, &gio_address(deaf.address), Some(&cancellable));
            // GIO's wrap after 34 ms for 4295, after 705 ms for 5000.
            iterate_for(context, Duration::from_millis(900));
            assert!(!reading.has_ended(), "{seconds}");
            assert!(!connecting.has_ended(), "{seconds}");
            assert!(!closing.has_ended(), "{seconds}");
            drop(graceful.1);
            assert!(ended(context, &closing).is_ok());
            cancellable.cancel();
            assert_fails(ended(context, &connecting), E::Cancelled);
            peer.write_all(b"late").expect("a working connection");
            assert_eq!(ended(context, &reading).expect("four bytes"), 4);
        }
    });
}

#[test]
fn a_blocking_wait_with_a_long_timeout_waits() {
    on_private_context(|_| {
        for seconds in LONG {
            let (connection, mut peer) = connected();
            connection.socket().set_timeout(seconds);
            let writer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(100));
                peer.write_all(b"late").expect("a working connection");
                peer
            });
            assert_eq!(read_now(&connection).expect("four bytes"), 4);
            let _peer = writer.join().expect("no panic");
        }
    });
}

/// SC-15.
#[test]
fn a_connect_times_out_in_every_form_and_leaves_nothing_in_flight() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let echo = echo_server();
        for form in FORMS {
            let connection = unconnected();
            connection.socket().set_timeout(1);
            let start = Instant::now();
            let connected = connect_by(form, context, &connection, &gio_address(deaf.address));
            assert_fails(connected, E::TimedOut);
            assert_a_second_since(start);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            assert!(!connection.is_connected());
            let failure = connection.last_error().expect("the reason");
            assert_eq!(code(&failure), E::TimedOut);
            assert_eq!(tcp_state(connection.socket().as_raw_fd()), TCP_CLOSE);
            assert!(!connection.socket().is_closed());
            connect_by(form, context, &connection, &gio_address(echo)).expect("it listens");
            assert!(connection.last_error().is_none());
            assert_echoes(&connection);
        }
    });
}

/// SOCK-33: a timeout poisons nothing.
#[test]
fn reads_and_writes_time_out_and_the_connection_works_on() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection.socket().set_timeout(1);
        let start = Instant::now();
        assert_fails(read_now(&connection), E::TimedOut);
        assert_a_second_since(start);
        let start = Instant::now();
        assert_fails(
            ended(context, &start_read(&connection, 4, None)),
            E::TimedOut,
        );
        assert_a_second_since(start);
        assert_talks(&connection, &mut peer);
        fill(&connection);
        let start = Instant::now();
        assert_fails(write_now(&connection), E::TimedOut);
        assert_a_second_since(start);
        let start = Instant::now();
        assert_fails(
            ended(context, &start_write(&connection, vec![1], None)),
            E::TimedOut,
        );
        assert_a_second_since(start);
        assert_eq!(connection.state(), ConnectionState::Connected);
        let sent = connection.bytes_written();
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_eq!(read_to_end(&mut peer).len() as u64 + 4, sent);
    });
}

/// TCP-6, TCP-10.
#[test]
fn a_graceful_close_times_out_and_is_closed() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let (connection, mut peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
            connection.socket().set_timeout(1);
            let start = Instant::now();
            let closed = if blocking {
                connection.close(gio::Cancellable::NONE)
            } else {
                ended(context, &start_close(&connection, None)).map(drop)
            };
            assert_fails(closed, E::TimedOut);
            assert_a_second_since(start);
            assert!(connection.is_closed() && connection.socket().is_closed());
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

/// F-18: the timeout of a graceful close is a total, not one for each piece.
#[test]
fn a_peer_that_trickles_does_not_keep_a_graceful_close_waiting() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let (connection, mut peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
            connection.socket().set_timeout(1);
            let trickle = thread::spawn(move || {
                // Until the connection is no more.
                while peer.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            });
            let closed = if blocking {
                connection.close(gio::Cancellable::NONE)
            } else {
                ended(context, &start_close(&connection, None)).map(drop)
            };
            assert_fails(closed, E::TimedOut);
            assert!(connection.is_closed() && connection.socket().is_closed());
            trickle.join().expect("no panic");
        }
    });
}
