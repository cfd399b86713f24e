//! The end of file of one peer is passed on to the other, and nothing else ends by it.

use std::{
    io::{Read, Write},
    net::Shutdown,
};

use gio::prelude::*;
use gsock::{ConnectionState, prelude::*};

use crate::{parties::*, polling::*, support::*};

over_pairs!(
    the_end_of_the_first_is_passed_on_and_the_answer_comes_back,
    the_end_of_the_second_is_passed_on_and_the_first_goes_on,
    the_end_comes_after_everything_that_was_sent,
    peers_that_send_nothing_end_the_relay,
);

fn the_end_of_the_first_is_passed_on_and_the_answer_comes_back(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, mut peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    peer_a.write_all(b"question").expect("room");
    peer_a.shutdown(Shutdown::Write);
    let answering = std::thread::spawn(move || {
        assert_eq!(peer_b.all(), b"question");
        peer_b.write_all(b"answer").expect("room");
        peer_b.shutdown(Shutdown::Write);
        peer_b
    });
    let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
    assert_eq!(relayed, counts(8, 6));
    assert_eq!(peer_a.all(), b"answer");
    drop(answering.join().expect("it was asked"));
    assert!(!a.is_closed() && !b.is_closed());
}

fn the_end_of_the_second_is_passed_on_and_the_first_goes_on(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, mut peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    peer_b.shutdown(Shutdown::Write);
    let talking = std::thread::spawn(move || {
        assert_eq!(peer_a.all(), b"");
        let mut buffer = [0; 4];
        for _ in 0..3 {
            peer_a.write_all(b"more").expect("room");
            peer_b.read_exact(&mut buffer).expect("it comes through");
        }
        peer_a.shutdown(Shutdown::Write);
        assert_eq!(peer_b.all(), b"");
    });
    let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
    assert_eq!(relayed, counts(12, 0));
    talking.join().expect("all went through");
    until(context, || b.state() == ConnectionState::Disconnected);
}

fn the_end_comes_after_everything_that_was_sent(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    let bytes = much(9);
    let sending = peer_a.send(bytes.clone(), 10);
    peer_b.shutdown(Shutdown::Write);
    // Nobody reads for a while: the way is blocked, or the buffers of the far side are full.
    iterate_for(context, std::time::Duration::from_millis(30));
    let receiving = std::thread::spawn(move || peer_b.all());
    let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
    assert_eq!(relayed, counts(bytes.len(), 0));
    sending.join().expect("it was read");
    assert!(receiving.join().expect("it ended") == bytes);
}

fn peers_that_send_nothing_end_the_relay(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, peer_a), (b, peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    // Gone for good, not only done with sending.
    drop(peer_b);
    iterate_for(context, std::time::Duration::from_millis(10));
    assert!(!relaying.is_finished());
    drop(peer_a);
    let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
    assert_eq!(relayed, counts(0, 0));
}
