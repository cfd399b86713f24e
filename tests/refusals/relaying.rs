//! A relay by way of a pipe, when one of the sockets does not take what the pipe holds.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{Relayed, engine, relay};

use crate::{Scripted, support::*};

/// More than is copied at once, so that it goes by way of a pipe.
const MUCH: usize = 1 << 20;

/// What becomes of a relay of MUCH bytes, and what came through. The call out of a pipe is refused, and of the reads that empty
/// it those that `reads` says.
fn relayed(
    context: &glib::MainContext,
    mut reads: impl FnMut() -> Option<i32> + 'static,
) -> (Result<Relayed, glib::Error>, Vec<u8>) {
    let ((a, mut peer_a), (b, mut peer_b)) = (connected(), connected());
    let sending = thread::spawn(move || {
        let bytes: Vec<u8> = (0..MUCH).map(|at| (at % 251) as u8).collect();
        // Fails when the relay has.
        let _ = peer_a.write_all(&bytes);
        let _ = peer_a.shutdown(Shutdown::Write);
        peer_a
    });
    let receiving = thread::spawn(move || {
        let _ = peer_b.shutdown(Shutdown::Write);
        let mut all = Vec::new();
        let _ = peer_b.read_to_end(&mut all);
        all
    });
    let (mut is_full, mut is_refused) = (false, false);
    let scripted = Scripted::by(move |name, _| match name {
        "splice" if is_full => {
            (is_full, is_refused) = (false, true);
            Some(libc::EINVAL)
        }
        "splice" => {
            is_full = true;
            None
        }
        "read" if is_refused => reads(),
        _ => None,
    });
    let (one, other) = (a.clone(), b.clone());
    let relaying = engine::spawn_local(context, async move { relay(&one, &other).await });
    iterate_until(context, || relaying.is_finished());
    let outcome = context.block_on(relaying).expect("no panic");
    drop(scripted);
    a.close(gio::Cancellable::NONE).expect("open");
    b.close(gio::Cancellable::NONE).expect("open");
    drop(sending.join().expect("no panic"));
    (outcome, receiving.join().expect("no panic"))
}

fn assert_begins_as_sent(bytes: &[u8]) {
    let is_wrong = |(at, byte): (usize, &u8)| *byte != (at % 251) as u8;
    assert_eq!(bytes.iter().enumerate().position(is_wrong), None);
}

#[test]
fn what_a_pipe_holds_and_a_socket_does_not_take_is_copied_and_nothing_is_lost() {
    on_private_context(|context| {
        let mut was_interrupted = false;
        let (outcome, bytes) = relayed(context, move || {
            let interrupts = !was_interrupted;
            was_interrupted = true;
            interrupts.then_some(libc::EINTR)
        });
        assert_eq!(outcome.expect("it copies").a_to_b, MUCH as u64);
        assert_eq!(bytes.len(), MUCH);
        assert_begins_as_sent(&bytes);
    });
}

#[test]
fn a_pipe_that_cannot_be_emptied_ends_the_relay() {
    on_private_context(|context| {
        let (outcome, bytes) = relayed(context, || Some(libc::EIO));
        assert_fails(outcome, E::Failed);
        assert!(bytes.len() < MUCH);
        assert_begins_as_sent(&bytes);
    });
}
