//! Relaying while system calls fail.

use std::{io::Write, net::Shutdown, thread, time::Duration};

use gio::prelude::*;
use gsock::{engine, prelude::*, relay};

use crate::{
    ends::{Kind, connected, each_kind, pattern},
    scene::{Own, drive, is_cut_short, iterate_while, play_the_peer},
};

/// More than is copied at once, so that it goes by way of a pipe.
const MUCH: usize = 300_000;

/// Likewise, and not so many single bytes that a busy machine has no time for them.
const SOME: usize = 70_000;

/// What comes through is the beginning of what was sent, and all of it unless the relay has failed. No call that is
/// only there to save work is its end: without a pipe, or where two sockets cannot be joined by one, it copies.
fn relays(kind: Kind) {
    let own = Own {
        calls: &["recv", "send", "splice"],
        again: &[
            ("splice", libc::EAGAIN),
            ("splice", libc::EINTR),
            ("splice", libc::EINVAL),
            ("splice", libc::ENOSYS),
            ("splice", libc::EOPNOTSUPP),
            ("pipe2", libc::EMFILE),
            ("pipe2", libc::ENFILE),
            ("pipe2", libc::EINVAL),
            ("pipe2", libc::ENOSYS),
            ("pipe2", libc::ENOMEM),
            ("pipe2", libc::EFAULT),
            ("fcntl", libc::EINVAL),
        ],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let much = if is_cut_short() { SOME } else { MUCH };
        let data = pattern(much);
        let (a, mut peer_a) = connected(scene, kind);
        let (b, mut peer_b) = connected(scene, kind);
        // There before the relay begins, as far as there is room.
        let bytes = data.clone();
        let sending = thread::spawn(move || {
            play_the_peer();
            // Fails when the relay has, and the connection is closed.
            let _ = peer_a.write_all(&bytes);
            peer_a.shutdown(Shutdown::Write);
            peer_a
        });
        thread::sleep(Duration::from_millis(2));
        let receiving = thread::spawn(move || {
            play_the_peer();
            let mut all = Vec::new();
            peer_b.shutdown(Shutdown::Write);
            // A failed relay closes the connection with bytes unread, which may reset it.
            let _ = std::io::Read::read_to_end(&mut peer_b, &mut all);
            all
        });
        let outcome = scene.under_faults(|| {
            let (a, b) = (a.clone(), b.clone());
            let relaying = engine::spawn_local(scene.context, async move { relay(&a, &b).await });
            iterate_while(scene.context, || !relaying.is_finished());
            scene.context.block_on(relaying).expect("no panic")
        });
        if let Ok(relayed) = outcome {
            assert_eq!((relayed.a_to_b, relayed.b_to_a), (much as u64, 0));
            assert_eq!(a.bytes_read(), b.bytes_written());
        }
        a.close(gio::Cancellable::NONE).expect("open");
        b.close(gio::Cancellable::NONE).expect("open");
        drop(sending.join().expect("no panic"));
        let all = receiving.join().expect("no panic");
        assert!(data.starts_with(&all), "other bytes than were sent");
        assert!(outcome.is_err() || all.len() == much, "{} bytes", all.len());
        outcome.map(drop)
    });
}

each_kind! {
    relayed: relays;
}
