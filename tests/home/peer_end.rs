//! The peer's FIN or reset, seen by the home loop without a read.

use std::{io::Write, time::Duration};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn one_iteration_of_the_home_context_shows_the_peers_fin() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        // Whatever the construction left to do.
        iterate_for(context, Duration::from_millis(20));
        let told = told(&connection);
        peer.write_all(b"unread").expect("connected");
        drop(peer);
        wait_for_the_peers_end(&connection);
        assert!(names(&told).is_empty());
        context.iteration(false);
        assert_eq!(names(&told), ["state", "alive"]);
        assert_eq!(connection.state(), ConnectionState::Disconnected);
        let bytes = connection
            .input_stream()
            .read_bytes(64, Cancellable::NONE)
            .expect("what was sent");
        assert_eq!(&*bytes, b"unread");
    });
}

#[test]
fn one_iteration_of_the_home_context_shows_the_peers_reset() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        iterate_for(context, Duration::from_millis(20));
        let told = told(&connection);
        reset(peer);
        wait_for_the_peers_end(&connection);
        context.iteration(false);
        assert_eq!(names(&told), ["last-error", "state", "alive"]);
        assert_eq!(connection.state(), ConnectionState::Disconnected);
    });
}

/// The watch does not keep the loop busy once it has told.
#[test]
fn a_connection_whose_peer_is_gone_lets_its_loop_sleep() {
    on_private_context(|context| {
        for with_reset in [false, true] {
            let (connection, peer) = connected();
            if with_reset {
                reset(peer);
            } else {
                drop(peer);
            }
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            iterate_for(context, Duration::from_millis(20));
            for _ in 0..3 {
                assert!(!context.iteration(false), "nothing is left to do");
            }
        }
    });
}

/// A peer that sends keeps no loop awake when nobody reads.
#[test]
fn unread_data_lets_the_loop_sleep() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"unread").expect("connected");
        iterate_for(context, Duration::from_millis(20));
        for _ in 0..3 {
            assert!(!context.iteration(false), "nothing is left to do");
        }
        assert!(connection.is_alive());
    });
}
