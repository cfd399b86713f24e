//! A peer that does not read makes the other one wait; and what a dropped relay leaves behind.

use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    time::Duration,
};

use gsock::{SocketConnection, prelude::*, relay};

use crate::{parties::*, polling::*, support::*, tools::*};

over_pairs!(
    a_peer_that_does_not_read_makes_the_sender_wait,
    a_stalled_direction_leaves_the_other_one_running,
    a_relay_that_is_dropped_while_idle_has_lost_nothing,
    a_relay_that_is_dropped_while_blocked_says_by_the_counters_what_was_lost,
);

/// The most that is taken from one connection before the other has it.
const MOST: u64 = 64 * 1024;

/// Writes until nothing more goes in, with the relay running, and answers how much went in.
fn stuff(context: &glib::MainContext, peer: &mut Peer, connections: [&SocketConnection; 2]) -> u64 {
    peer.set_nonblocking();
    let bytes = vec![b's'; 256 * 1024];
    let (mut written, mut refused) = (0, 0);
    while refused < 10 {
        match peer.write(&bytes) {
            Ok(count) => {
                written += count as u64;
                refused = 0;
            }
            Err(full) if full.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                iterate_for(context, Duration::from_millis(5));
            }
            Err(failure) => panic!("{failure}"),
        }
        assert!(written < 256 * 1024 * 1024, "it goes in without end");
        let [from, to] = connections;
        let held = from.bytes_read() - to.bytes_written();
        assert!(held <= MOST, "{held} bytes were taken and not given");
    }
    written
}

fn a_peer_that_does_not_read_makes_the_sender_wait(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, mut peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    let written = stuff(context, &mut peer_a, [&a, &b]);
    assert!(!relaying.is_finished());
    // What is read from there is but what the buffers of the far side have room for.
    assert!(a.bytes_read() < written || b.bytes_written() < a.bytes_read());
    // And it goes on as soon as somebody reads.
    peer_a.shutdown(Shutdown::Write);
    peer_b.shutdown(Shutdown::Write);
    let receiving = std::thread::spawn(move || peer_b.all().len() as u64);
    let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
    assert_eq!(relayed.a_to_b, written);
    assert_eq!(receiving.join().expect("it ended"), written);
}

fn a_stalled_direction_leaves_the_other_one_running(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, mut peer_a), (b, peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    stuff(context, &mut peer_a, [&a, &b]);
    let bytes = much(11);
    let sending = peer_b.send(bytes.clone(), 12);
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while got.len() < bytes.len() {
        match peer_a.read(&mut buffer) {
            Ok(count) => got.extend_from_slice(&buffer[..count]),
            Err(empty) if empty.kind() == ErrorKind::WouldBlock => {
                iterate_for(context, Duration::from_millis(1));
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(got == bytes);
    sending.join().expect("it was read");
    relaying.abort();
}

fn a_relay_that_is_dropped_while_idle_has_lost_nothing(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, peer_a), (b, mut peer_b)) = (make_a(), make_b());
    for round in 0..20 {
        let message = payload(1 + round * 3_000, 13);
        let relaying = start(context, &a, &b);
        let mut sender = peer_a.try_clone();
        let bytes = message.clone();
        let sending = std::thread::spawn(move || sender.write_all(&bytes).expect("room"));
        // Somewhere on the way.
        iterate_for(context, Duration::from_micros(300 * round as u64));
        relaying.abort();
        let again = start(context, &a, &b);
        let mut got = vec![0; message.len()];
        let mut receiver = peer_b.try_clone();
        let receiving = std::thread::spawn(move || {
            receiver.read_exact(&mut got).expect("all of it");
            got
        });
        iterate_until(context, || receiving.is_finished());
        sending.join().expect("it was read");
        assert!(receiving.join().expect("all of it") == message);
        again.abort();
        assert_eq!(a.bytes_read(), b.bytes_written());
    }
    // Both are as they were.
    peer_b.write_all(b"still here").expect("room");
    wait_readable(&b);
    assert_eq!(read_now(&b, 64).expect("it is there"), b"still here");
    peer_a.shutdown(Shutdown::Write);
}

fn a_relay_that_is_dropped_while_blocked_says_by_the_counters_what_was_lost(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, mut peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    let written = stuff(context, &mut peer_a, [&a, &b]);
    relaying.abort();
    let lost = a.bytes_read() - b.bytes_written();
    assert!(lost <= MOST);
    peer_a.shutdown(Shutdown::Write);
    peer_b.shutdown(Shutdown::Write);
    let receiving = std::thread::spawn(move || peer_b.all().len() as u64);
    // A second relay goes on where the first was given up.
    run(context, async move {
        relay(&a, &b).await.expect("nothing fails")
    });
    assert_eq!(receiving.join().expect("it ended"), written - lost);
}

/// Room that has come by the time of the drop is made use of.
#[test]
fn a_relay_that_is_dropped_delivers_what_there_is_room_for() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, mut peer_b)) = (unix(), unix());
        let relaying = start(context, &a, &b);
        let written = stuff(context, &mut peer_a, [&a, &b]);
        let held = a.bytes_read() - b.bytes_written();
        assert!(held > 0);
        let taken = a.bytes_read();
        peer_b.set_nonblocking();
        let (mut got, mut buffer) = (0, vec![0; 64 * 1024]);
        let mut read = |got: &mut u64| {
            while let Ok(count @ 1..) = peer_b.read(&mut buffer) {
                *got += count as u64;
            }
        };
        // The context does not run: nobody but the drop can deliver.
        read(&mut got);
        assert!(got < taken);
        relaying.abort();
        assert_eq!(b.bytes_written(), taken);
        read(&mut got);
        assert_eq!(got, taken);
        assert!(written > taken);
    });
}

/// Whenever a relay is dropped, what is missing is one piece, and the counters say which.
#[test]
fn a_relay_that_is_dropped_after_any_poll_loses_what_the_counters_say() {
    on_private_context(|context| {
        let bytes = payload(700_000, 41);
        for polls in 0..24 {
            let ((a, peer_a), (b, peer_b)) = (unix(), unix());
            let sending = peer_a.send(bytes.clone(), 42);
            let mut relaying = Box::pin(relay(&a, &b));
            let bell = Bell::new();
            for _ in 0..polls {
                assert!(bell.poll(&mut relaying).is_pending());
                context.iteration(false);
                std::thread::yield_now();
            }
            drop(relaying);
            assert_eq!(bell.held(), 0, "a waker is left over");
            let given = usize::try_from(b.bytes_written()).expect("a size");
            let taken = usize::try_from(a.bytes_read()).expect("a size");
            assert!(taken - given <= 64 * 1024);
            peer_b.shutdown(Shutdown::Write);
            let receiving = peer_b.receive();
            run(context, async move {
                relay(&a, &b).await.expect("nothing fails")
            });
            sending.join().expect("it was read");
            let received = receiving.join().expect("it ended");
            assert!(received == [&bytes[..given], &bytes[taken..]].concat());
        }
    });
}
