//! Writing while system calls fail.

use std::{io::Read, thread};

use gio::{IOErrorEnum as E, PollableReturn, prelude::*};
use gsock::prelude::*;

use crate::{
    ends::{Kind, around, each_kind, narrow, pair, pattern, streams},
    scene::{Own, Scene, drive, iterate_while, pause, play_the_peer},
    started,
    support::code,
};

/// One write of some of the bytes.
type Form = fn(&Scene<'_>, &gio::OutputStream, &[u8]) -> Result<usize, glib::Error>;

const PIECE: usize = 16 * 1024;
const ALL: usize = 8 * PIECE;

fn blocking(_: &Scene<'_>, output: &gio::OutputStream, bytes: &[u8]) -> Result<usize, glib::Error> {
    let written = output.write(bytes, gio::Cancellable::NONE)?;
    Ok(written.unsigned_abs())
}

fn asynchronous(
    scene: &Scene<'_>,
    output: &gio::OutputStream,
    bytes: &[u8],
) -> Result<usize, glib::Error> {
    started::write(output, bytes.to_vec()).wait(scene.context)
}

fn wait_for_room(scene: &Scene<'_>, output: &gio::PollableOutputStream) {
    let source = output.create_source(
        gio::Cancellable::NONE,
        None,
        glib::Priority::DEFAULT,
        |_| glib::ControlFlow::Break,
    );
    source.attach(Some(scene.context));
    iterate_while(scene.context, || !source.is_destroyed());
}

/// Without blocking, and waiting for a source of the stream in between.
fn polled(
    scene: &Scene<'_>,
    output: &gio::OutputStream,
    bytes: &[u8],
) -> Result<usize, glib::Error> {
    let output = output.dynamic_cast_ref::<gio::PollableOutputStream>();
    let output = output.expect("pollable");
    loop {
        match output.write_nonblocking(bytes, gio::Cancellable::NONE) {
            Err(failure) if code(&failure) == E::WouldBlock => wait_for_room(scene, output),
            Err(failure) => return Err(failure),
            Ok(count) => return Ok(count.unsigned_abs()),
        }
    }
}

/// Three pieces, one of them empty.
fn vectors(bytes: &[u8]) -> [&[u8]; 3] {
    let (one, other) = bytes.split_at(bytes.len() / 3);
    [one, &[], other]
}

fn vectored_blocking(
    _: &Scene<'_>,
    output: &gio::OutputStream,
    bytes: &[u8],
) -> Result<usize, glib::Error> {
    let vectors = vectors(bytes).map(gio::OutputVector::new);
    output.writev(&vectors, gio::Cancellable::NONE)
}

fn vectored_async(
    scene: &Scene<'_>,
    output: &gio::OutputStream,
    bytes: &[u8],
) -> Result<usize, glib::Error> {
    let mut vectors = vectors(bytes).map(|bytes| gio::ffi::GOutputVector {
        buffer: bytes.as_ptr().cast(),
        size: bytes.len(),
    });
    started::writev(output, &mut vectors).wait(scene.context)
}

fn vectored_polled(
    scene: &Scene<'_>,
    output: &gio::OutputStream,
    bytes: &[u8],
) -> Result<usize, glib::Error> {
    let output = output.dynamic_cast_ref::<gio::PollableOutputStream>();
    let output = output.expect("pollable");
    let vectors = vectors(bytes).map(gio::OutputVector::new);
    loop {
        match output.writev_nonblocking(&vectors, gio::Cancellable::NONE)? {
            (PollableReturn::WouldBlock, _) => wait_for_room(scene, output),
            (_, count) => return Ok(count),
        }
    }
}

/// Writes the rest of the bytes, piece by piece, and counts what was taken.
fn rest(
    scene: &Scene<'_>,
    output: &gio::OutputStream,
    form: Form,
    data: &[u8],
    written: &mut usize,
) -> Result<(), glib::Error> {
    while *written < data.len() {
        let end = data.len().min(*written + PIECE);
        *written += form(scene, output, &data[*written..end])?;
    }
    Ok(())
}

/// The peer gets each byte once, also where a write failed: it has taken nothing then.
fn writes(kind: Kind, form: Form) {
    let own = Own {
        calls: &["send", "sendmsg"],
        again: &[],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let short = std::env::var_os("FAULT_SHORT").is_some();
        let data = pattern(if short { ALL / 64 } else { ALL });
        let (mut peer, fd) = pair(kind);
        narrow(&fd);
        let connection = around(scene, kind, fd);
        let (_, output) = streams(scene, &connection);
        let peer = thread::spawn(move || {
            play_the_peer();
            pause();
            let mut received = Vec::new();
            peer.read_to_end(&mut received).map(|_| received)
        });
        let mut written = 0;
        let outcome = scene.under_faults(|| rest(scene, &output, form, &data, &mut written));
        if outcome.is_err() {
            rest(scene, &output, form, &data, &mut written).expect("nothing fails any more");
        }
        assert_eq!(connection.bytes_written(), data.len() as u64);
        connection.close(gio::Cancellable::NONE).expect("open");
        let received = peer.join().expect("no panic").expect("an end of file");
        assert!(
            received == data,
            "{} bytes, or others than were sent",
            received.len()
        );
        outcome
    });
}

each_kind! {
    write_blocking: |kind| writes(kind, blocking);
    write_async: |kind| writes(kind, asynchronous);
    write_polled: |kind| writes(kind, polled);
    writev_blocking: |kind| writes(kind, vectored_blocking);
    writev_async: |kind| writes(kind, vectored_async);
    writev_polled: |kind| writes(kind, vectored_polled);
}
