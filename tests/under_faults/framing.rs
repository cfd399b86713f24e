//! Frames while system calls fail.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
};

use gio::prelude::*;
use glib::Bytes;
use gsock::{Framed, Framing, engine};

use crate::{
    ends::{Kind, around, connected, each_kind, narrow, pair},
    scene::{Own, Scene, drive, iterate_while, pause, play_the_peer},
};

const NONE: Option<&gio::Cancellable> = gio::Cancellable::NONE;

fn framed(scene: &Scene<'_>, stream: &impl IsA<gio::IOStream>, read_ahead: bool) -> Framed {
    let framed = Framed::builder()
        .io_stream(stream)
        .framing(Framing::Lines)
        .read_ahead(read_ahead)
        .build();
    scene.note("framed", &framed);
    framed
}

/// Runs a future in the context of the scene.
fn wait<T: 'static>(scene: &Scene<'_>, future: impl Future<Output = T> + 'static) -> T {
    let running = engine::spawn_local(scene.context, future);
    iterate_while(scene.context, || !running.is_finished());
    scene.context.block_on(running).expect("no panic")
}

type Reading = fn(&Scene<'_>, &Framed) -> Result<Option<Bytes>, glib::Error>;

fn read_blocking(_: &Scene<'_>, framed: &Framed) -> Result<Option<Bytes>, glib::Error> {
    framed.read_frame(NONE)
}

fn read_later(scene: &Scene<'_>, framed: &Framed) -> Result<Option<Bytes>, glib::Error> {
    wait(scene, framed.read_frame_future())
}

/// The frames that come are the first of those that were sent, and all of them unless a read has failed.
fn reads(kind: Kind, read_ahead: bool, read: Reading) {
    let own = Own {
        calls: &["recv"],
        again: &[],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let sent = ["one", "", "the third", "four"];
        let (connection, mut peer) = connected(scene, kind);
        let peer = thread::spawn(move || {
            play_the_peer();
            for chunk in sent.join("\n").as_bytes().chunks(5) {
                let _ = peer.write_all(chunk);
                pause();
            }
            let _ = peer.write_all(b"\n");
            peer.shutdown(Shutdown::Write);
            peer
        });
        let framed = framed(scene, &connection, read_ahead);
        let mut got = Vec::new();
        let outcome = scene.under_faults(|| {
            while let Some(frame) = read(scene, &framed)? {
                got.push(frame);
            }
            Ok(())
        });
        drop(peer.join().expect("no panic"));
        let texts: Vec<_> = got
            .iter()
            .map(|frame| std::str::from_utf8(frame).expect("text"))
            .collect();
        assert!(sent.starts_with(&texts), "other frames than were sent");
        assert!(outcome.is_err() || texts == sent);
        outcome
    });
}

type Writing = fn(&Scene<'_>, &Framed, &[u8]) -> Result<(), glib::Error>;

fn write_blocking(_: &Scene<'_>, framed: &Framed, frame: &[u8]) -> Result<(), glib::Error> {
    framed.write_frame(frame, NONE)
}

fn write_later(scene: &Scene<'_>, framed: &Framed, frame: &[u8]) -> Result<(), glib::Error> {
    wait(scene, framed.write_frame_future(frame))
}

fn write_behind(scene: &Scene<'_>, framed: &Framed, frame: &[u8]) -> Result<(), glib::Error> {
    framed.send(frame)?;
    framed.send(b"")?;
    iterate_while(scene.context, || framed.pending_frames() != 0);
    wait(scene, framed.flush_future())
}

/// What comes is the beginning of what was sent, and all of it unless a write has failed.
fn writes(kind: Kind, write: Writing) {
    let own = Own {
        calls: &["send", "sendmsg"],
        again: &[],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let sizes = if std::env::var_os("FAULT_SHORT").is_some() {
            [3, 0, 500, 7]
        } else {
            [3, 0, 60_000, 7]
        };
        let (mut peer, fd) = pair(kind);
        narrow(&fd);
        let connection = around(scene, kind, fd);
        let peer = thread::spawn(move || {
            play_the_peer();
            let mut all = Vec::new();
            let _ = peer.read_to_end(&mut all);
            all
        });
        let framed = framed(scene, &connection, true);
        let outcome = scene.under_faults(|| {
            sizes
                .iter()
                .try_for_each(|size| write(scene, &framed, &vec![b'x'; *size]))
        });
        if outcome.is_err() {
            assert!(framed.last_error().is_some());
            assert_eq!(framed.pending_frames(), 0);
        }
        connection.close(NONE).expect("open");
        let got = peer.join().expect("no panic");
        let lines: Vec<usize> = got.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
        // What follows the last line end.
        let (rest, whole) = lines.split_last().expect("one at least");
        let whole: Vec<usize> = whole.iter().copied().filter(|size| *size != 0).collect();
        let sent: Vec<usize> = sizes.into_iter().filter(|size| *size != 0).collect();
        assert!(sent.starts_with(&whole), "other frames than were sent");
        assert!(outcome.is_err() || whole == sent && *rest == 0);
        outcome
    });
}

each_kind! {
    framed_read_blocking: |kind| reads(kind, true, read_blocking);
    framed_read_later: |kind| reads(kind, true, read_later);
    framed_read_looking: |kind| reads(kind, false, read_later);
    framed_write_blocking: |kind| writes(kind, write_blocking);
    framed_write_later: |kind| writes(kind, write_later);
    framed_write_behind: |kind| writes(kind, write_behind);
}
