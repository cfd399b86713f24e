//! Reading while system calls fail.

use std::{io::Write, net::Shutdown, thread};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::prelude::*;

use crate::{
    ends::{Kind, connected, each_kind, pattern, streams},
    scene::{Own, Scene, drive, iterate_while, pause, play_the_peer},
    started,
    support::code,
};

/// One read, of at most as many bytes as the buffer has room for.
type Form = fn(&Scene<'_>, &gio::InputStream, &mut [u8]) -> Result<usize, glib::Error>;

fn blocking(
    _: &Scene<'_>,
    input: &gio::InputStream,
    buffer: &mut [u8],
) -> Result<usize, glib::Error> {
    input.read(buffer, gio::Cancellable::NONE)
}

fn asynchronous(
    scene: &Scene<'_>,
    input: &gio::InputStream,
    buffer: &mut [u8],
) -> Result<usize, glib::Error> {
    let reading = started::read(input, buffer.len());
    let count = reading.wait(scene.context)?;
    buffer[..count].copy_from_slice(reading.bytes(count));
    Ok(count)
}

/// Without blocking, and waiting for a source of the stream in between.
fn polled(
    scene: &Scene<'_>,
    input: &gio::InputStream,
    buffer: &mut [u8],
) -> Result<usize, glib::Error> {
    let input = input.dynamic_cast_ref::<gio::PollableInputStream>();
    let input = input.expect("pollable");
    loop {
        match input.read_nonblocking(buffer, gio::Cancellable::NONE) {
            Err(failure) if code(&failure) == E::WouldBlock => {}
            Err(failure) => return Err(failure),
            Ok(count) => return Ok(count.unsigned_abs()),
        }
        let source = input.create_source(
            gio::Cancellable::NONE,
            None,
            glib::Priority::DEFAULT,
            |_| glib::ControlFlow::Break,
        );
        source.attach(Some(scene.context));
        iterate_while(scene.context, || !source.is_destroyed());
    }
}

/// Reads on until the end of file.
fn rest(
    scene: &Scene<'_>,
    input: &gio::InputStream,
    form: Form,
    all: &mut Vec<u8>,
) -> Result<(), glib::Error> {
    let mut buffer = [0; 8];
    loop {
        match form(scene, input, &mut buffer)? {
            0 => return Ok(()),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Not a byte is lost, also where a read failed: what it did not take is there for the next one.
fn reads(kind: Kind, form: Form) {
    let own = Own {
        calls: &["recv"],
        again: &[],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let data = pattern(24);
        let (connection, mut peer) = connected(scene, kind);
        let (input, _) = streams(scene, &connection);
        let chunks = data.clone();
        let peer = thread::spawn(move || {
            play_the_peer();
            for chunk in chunks.chunks(8) {
                pause();
                peer.write_all(chunk).expect("room");
            }
            pause();
            peer.shutdown(Shutdown::Write);
            peer
        });
        let mut all = Vec::new();
        let outcome = scene.under_faults(|| rest(scene, &input, form, &mut all));
        if outcome.is_err() {
            rest(scene, &input, form, &mut all).expect("nothing fails any more");
        }
        assert!(all == data, "{} bytes, or others than were sent", all.len());
        assert_eq!(connection.bytes_read(), data.len() as u64);
        connection.close(gio::Cancellable::NONE).expect("open");
        peer.join().expect("no panic");
        outcome
    });
}

each_kind! {
    read_blocking: |kind| reads(kind, blocking);
    read_async: |kind| reads(kind, asynchronous);
    read_polled: |kind| reads(kind, polled);
}
