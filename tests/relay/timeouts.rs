//! Time counts for the relay as a whole.

use std::{
    io::{Read, Write},
    net::Shutdown,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::prelude::*;

use crate::{
    parties::*,
    polling::*,
    support::*,
    wrapped::{Wrapped, made, turned},
};

#[test]
fn a_relay_in_which_nothing_moves_times_out() {
    on_private_context(|context| {
        // Either timeout counts, and the shorter of two.
        for (of_a, of_b) in [(1, 0), (0, 1), (1, 9), (9, 1)] {
            let ((a, _peer_a), (b, _peer_b)) = (tcp(), tcp());
            a.socket().set_timeout(of_a);
            b.socket().set_timeout(of_b);
            let before = Instant::now();
            let relaying = start(context, &a, &b);
            assert_fails(value_of(context.block_on(relaying)), E::TimedOut);
            assert!(before.elapsed() >= Duration::from_secs(1));
            assert!(!a.is_closed() && !b.is_closed());
        }
    });
}

#[test]
fn a_direction_may_be_idle_while_the_other_is_not() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, mut peer_b)) = (tcp(), tcp());
        a.socket().set_timeout(1);
        b.socket().set_timeout(1);
        let relaying = start(context, &a, &b);
        let talking = std::thread::spawn(move || {
            // For longer than the timeout, with pauses that are shorter.
            for _ in 0..8 {
                std::thread::sleep(Duration::from_millis(200));
                peer_a.write_all(b"tick").expect("room");
                peer_b.read_exact(&mut [0; 4]).expect("it comes through");
            }
            peer_a.shutdown(Shutdown::Write);
            peer_b.shutdown(Shutdown::Write);
            (peer_a, peer_b)
        });
        let relayed = value_of(context.block_on(relaying)).expect("something moved all the time");
        assert_eq!(relayed, counts(32, 0));
        talking.join().expect("all went through");
    });
}

/// Time counts for a direction through streams of a class, whose own reads time out.
#[test]
fn a_stream_of_a_class_may_be_idle_while_the_other_direction_is_not() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, mut peer_b)) = (tcp(), made::<Wrapped>());
        b.socket().set_timeout(1);
        let relaying = start(context, &a, &b);
        let talking = std::thread::spawn(move || {
            // For longer than the timeout, with pauses that are shorter.
            for _ in 0..8 {
                std::thread::sleep(Duration::from_millis(200));
                peer_a.write_all(b"tick").expect("room");
                peer_b.read_exact(&mut [0; 4]).expect("it comes through");
            }
            peer_b.write_all(&turned(b"late")).expect("room");
            peer_a.shutdown(Shutdown::Write);
            peer_b.shutdown(Shutdown::Write);
            assert_eq!(peer_a.all(), b"late");
            assert_eq!(peer_b.all(), b".");
        });
        let relayed = value_of(context.block_on(relaying)).expect("something moved all the time");
        assert_eq!(relayed, counts(32, 4));
        talking.join().expect("all went through");
    });
}
