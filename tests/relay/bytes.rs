//! What goes through: every byte, in order, once, and counted.

use std::io::{Read, Write};

use gio::prelude::*;
use gsock::{ConnectionState, prelude::*, relay};

use crate::{parties::*, polling::*, support::*, tools::*};

over_pairs!(
    much_goes_both_ways_at_once_and_is_counted,
    messages_go_to_and_fro,
    what_was_there_before_goes_first,
);

fn much_goes_both_ways_at_once_and_is_counted(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, peer_a), (b, peer_b)) = (make_a(), make_b());
    let (question, answer) = (much(1), much(2)[..2_000_000].to_vec());
    let sending = [
        peer_a.send(question.clone(), 3),
        peer_b.send(answer.clone(), 4),
    ];
    let receiving = [peer_a.receive(), peer_b.receive()];
    let (to_relay_a, to_relay_b) = (a.clone(), b.clone());
    let relayed = run(context, async move {
        relay(&to_relay_a, &to_relay_b)
            .await
            .expect("nothing fails")
    });
    assert_eq!(relayed, counts(question.len(), answer.len()));
    for thread in sending {
        thread.join().expect("it was read");
    }
    let [at_a, at_b] = receiving.map(|thread| thread.join().expect("it ended"));
    assert!(at_a == answer, "{} of {}", at_a.len(), answer.len());
    assert!(at_b == question, "{} of {}", at_b.len(), question.len());
    for (connection, read, written) in [
        (&a, question.len(), answer.len()),
        (&b, answer.len(), question.len()),
    ] {
        assert_eq!(connection.bytes_read(), read as u64);
        assert_eq!(connection.bytes_written(), written as u64);
        until(context, || {
            connection.state() == ConnectionState::Disconnected
        });
        assert!(connection.last_error().is_none());
        assert!(!connection.is_closed());
    }
}

fn messages_go_to_and_fro(make_a: MakeEnd, make_b: MakeEnd, context: &glib::MainContext) {
    let ((a, mut peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let talking = std::thread::spawn(move || {
        let mut dice = Dice::new(7);
        let (mut there, mut back) = (0, 0);
        for round in 0..200 {
            let message = payload(1 + dice.roll(40_000), round);
            let mut buffer = vec![0; message.len()];
            let (from, to) = if round % 2 == 0 {
                there += message.len();
                (&mut peer_a, &mut peer_b)
            } else {
                back += message.len();
                (&mut peer_b, &mut peer_a)
            };
            from.write_all(&message).expect("room");
            to.read_exact(&mut buffer).expect("it comes through");
            assert!(buffer == message);
        }
        (there, back)
    });
    let relayed = run(context, async move {
        relay(&a, &b).await.expect("nothing fails")
    });
    let (there, back) = talking.join().expect("every message came");
    assert_eq!(relayed, counts(there, back));
}

fn what_was_there_before_goes_first(make_a: MakeEnd, make_b: MakeEnd, context: &glib::MainContext) {
    let ((a, mut peer_a), (b, mut peer_b)) = (make_a(), make_b());
    peer_a.write_all(b"GET / then the rest").expect("room");
    wait_readable(&a);
    // As a proxy does, which has looked at the beginning.
    assert_eq!(read_now(&a, 6).expect("it is there"), b"GET / ");
    peer_a.shutdown(std::net::Shutdown::Write);
    peer_b.shutdown(std::net::Shutdown::Write);
    let relayed = run(context, async move {
        relay(&a, &b).await.expect("nothing fails")
    });
    assert_eq!(relayed, counts(13, 0));
    assert_eq!(peer_b.all(), b"then the rest");
}

/// Several relays in one context have their turns: a busy one does not keep the others from theirs.
#[test]
fn a_busy_relay_leaves_others_their_turns() {
    on_private_context(|context| {
        let ((a, peer_a), (b, peer_b)) = (tcp(), tcp());
        let sending = peer_a.send(payload(1 << 20, 5).repeat(24), 6);
        let receiving = peer_b.receive();
        let busy = start(context, &a, &b);
        let ((c, mut peer_c), (d, mut peer_d)) = (tcp(), unix());
        let quiet = start(context, &c, &d);
        let talking = std::thread::spawn(move || {
            let mut buffer = [0; 4];
            for _ in 0..20 {
                peer_c.write_all(b"ping").expect("room");
                peer_d.read_exact(&mut buffer).expect("it comes through");
            }
        });
        iterate_until(context, || talking.is_finished());
        talking.join().expect("every message came");
        peer_b.shutdown(std::net::Shutdown::Write);
        let relayed = value_of(context.block_on(busy)).expect("nothing fails");
        assert_eq!(relayed, counts(24 * 1024 * 1024, 0));
        sending.join().expect("it was read");
        receiving.join().expect("it ended");
        assert_eq!(
            value_of(context.block_on(quiet)).expect("ended"),
            counts(80, 0)
        );
    });
}

/// `splice(2)` stops at the mark of an urgent byte, which a read passes over.
#[test]
fn an_urgent_byte_in_the_middle_of_much_stops_nothing() {
    on_private_context(|context| {
        let ((a, peer_a), (b, peer_b)) = (tcp(), tcp());
        let relaying = start(context, &a, &b);
        let bytes = payload(4 * 1024 * 1024, 17);
        let (first, second) = (bytes[..2_000_000].to_vec(), bytes[2_000_000..].to_vec());
        let sending = std::thread::spawn(move || {
            let Peer::Tcp(mut peer) = peer_a else {
                unreachable!("TCP")
            };
            peer.write_all(&first).expect("room");
            // SAFETY: an open socket and one byte.
            let sent = unsafe {
                libc::send(
                    std::os::fd::AsRawFd::as_raw_fd(&peer),
                    b"!".as_ptr().cast(),
                    1,
                    libc::MSG_OOB,
                )
            };
            assert_eq!(sent, 1);
            peer.write_all(&second).expect("room");
            peer.shutdown(std::net::Shutdown::Write).expect("connected");
        });
        let receiving = peer_b.receive();
        peer_b.shutdown(std::net::Shutdown::Write);
        let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
        assert_eq!(relayed, counts(bytes.len(), 0));
        sending.join().expect("it was read");
        assert!(receiving.join().expect("it ended") == bytes);
    });
}

/// Once the peer has closed, `splice(2)` answers at that mark as it does at the end.
#[test]
fn an_urgent_byte_is_not_the_end_though_the_peer_has_closed() {
    on_private_context(|context| {
        for _ in 0..20 {
            let ((a, peer_a), (b, peer_b)) = (tcp(), tcp());
            let bytes = payload(96 * 1024 + 5, 23);
            let Peer::Tcp(mut peer) = peer_a else {
                unreachable!("TCP")
            };
            peer.write_all(&bytes[..96 * 1024]).expect("room");
            // SAFETY: an open socket and one byte.
            let sent = unsafe {
                libc::send(
                    std::os::fd::AsRawFd::as_raw_fd(&peer),
                    b"!".as_ptr().cast(),
                    1,
                    libc::MSG_OOB,
                )
            };
            assert_eq!(sent, 1);
            peer.write_all(&bytes[96 * 1024..]).expect("room");
            peer.shutdown(std::net::Shutdown::Write).expect("connected");
            let receiving = peer_b.receive();
            peer_b.shutdown(std::net::Shutdown::Write);
            let relaying = start(context, &a, &b);
            let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
            assert_eq!(relayed, counts(bytes.len(), 0));
            assert!(receiving.join().expect("it ended") == bytes);
        }
    });
}
