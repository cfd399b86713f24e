//! A GSocket that is shut down by its user.

use std::{
    io::{Read, Write},
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::support::*;
use crate::tools::*;

#[test]
fn a_shut_down_reading_side_reads_as_the_end_and_still_writes() {
    on_private_context(|context| {
        for pending in [true, false] {
            let (connection, mut peer) = connected();
            let reading = pending.then(|| start_read(&connection, 4, None));
            iterate(context, 2);
            connection
                .socket()
                .shutdown(true, false)
                .expect("connected");
            if let Some(reading) = reading {
                assert_eq!(ended(context, &reading).expect("the end"), 0);
            }
            assert_eq!(read_now(&connection).expect("the end"), 0);
            assert_eq!(
                ended(context, &start_read(&connection, 4, None)).expect("the end"),
                0
            );
            iterate_for(context, Duration::from_millis(20));
            assert_eq!(
                connection.state(),
                ConnectionState::Connected,
                "the peer is there"
            );
            assert!(connection.is_connected());
            assert_eq!(write_now(&connection).expect("a working connection"), 4);
            let mut buffer = [0; 4];
            peer.read_exact(&mut buffer).expect("four bytes");
            assert_eq!(&buffer, b"data");
            let traces = Traces::of(&connection);
            drop(connection);
            traces.assert_gone(context, &[]);
        }
    });
}

#[test]
fn a_shut_down_writing_side_is_the_peers_end_and_still_reads() {
    on_private_context(|context| {
        for pending in [true, false] {
            let (connection, mut peer) = connected();
            let writing = pending.then(|| {
                fill(&connection);
                start_write(&connection, vec![1; 8], None)
            });
            iterate(context, 2);
            connection
                .socket()
                .shutdown(false, true)
                .expect("connected");
            if let Some(writing) = writing {
                assert_fails(ended(context, &writing), E::BrokenPipe);
            }
            assert_fails(write_now(&connection), E::BrokenPipe);
            assert_fails(
                ended(context, &start_write(&connection, vec![1], None)),
                E::BrokenPipe,
            );
            iterate_for(context, Duration::from_millis(20));
            assert_eq!(
                connection.state(),
                ConnectionState::Connected,
                "the peer is there"
            );
            let sent = connection.bytes_written();
            assert_eq!(read_to_end(&mut peer).len() as u64, sent);
            peer.write_all(b"answer").expect("it still reads");
            assert_eq!(read_now(&connection).expect("six bytes"), 6);
            assert_eq!(
                connection.state(),
                ConnectionState::Connected,
                "the peer is there"
            );
            drop(peer);
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            connection.close(gio::Cancellable::NONE).expect("open");
        }
    });
}

/// SC-8.
#[test]
fn a_socket_that_was_shut_down_both_ways_is_not_connected_and_closes() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let reading = start_read(&connection, 4, None);
        iterate(context, 2);
        connection.socket().shutdown(true, true).expect("connected");
        assert_eq!(ended(context, &reading).expect("the end"), 0);
        assert!(!connection.is_connected());
        assert_fails(write_now(&connection), E::BrokenPipe);
        assert!(read_to_end(&mut peer).is_empty());
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_eq!(connection.state(), ConnectionState::Closed);
        let gone = Gone::of(&connection);
        drop(connection);
        assert_idle(context);
        assert!(gone.is_gone());
    });
}
