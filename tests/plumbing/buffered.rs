//! `GBufferedInputStream` and `GBufferedOutputStream` around the streams of a connection.

use std::{
    io::{Read, Write},
    net::Shutdown,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::ToGlibPtr;

use crate::{apart::*, pairs::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    what_is_written_comes_with_the_flush,
    a_full_buffer_is_written_through,
    a_close_flushes_first,
    a_fill_takes_what_has_come_and_no_more,
    a_fill_that_waits_is_cancelled,
    an_error_of_the_connection_is_that_of_the_buffer,
);

fn what_is_written_comes_with_the_flush(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let output = gio::BufferedOutputStream::new(&under.output());
    let wrote = start_write(output.upcast_ref(), b"kept back".to_vec(), None);
    assert_eq!(wrote.wait(context), Ok(9));
    peer.set_nonblocking(true).unwrap();
    let nothing = peer.read(&mut [0; 8]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    peer.set_nonblocking(false).unwrap();
    let flushed = Slot::new();
    output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
    assert_eq!(flushed.wait(context), Ok(()));
    let mut buffer = [0; 9];
    peer.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"kept back");
}

fn a_full_buffer_is_written_through(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let output = gio::BufferedOutputStream::new_sized(&under.output(), 1_000);
    output.set_auto_grow(false);
    let sent = payload(300_000, 66);
    let bytes = sent.clone();
    let reading = std::thread::spawn(move || read_to_end(&mut peer));
    for piece in bytes.chunks(777) {
        write_all(output.upcast_ref(), piece).unwrap();
    }
    output.close(Cancellable::NONE).unwrap();
    under.close(Cancellable::NONE).unwrap();
    assert!(reading.join().unwrap() == sent);
}

fn a_close_flushes_first(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let output = gio::BufferedOutputStream::new(&under.output());
    write_all(output.upcast_ref(), b"the rest").unwrap();
    let closed = Slot::new();
    output.close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_eq!(closed.wait(context), Ok(()));
    assert!(under.output().is_closed());
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"the rest");
}

fn start_fill(
    input: &gio::BufferedInputStream,
    count: isize,
    cancellable: Option<&Cancellable>,
) -> Slot<Result<isize, glib::Error>> {
    let slot = Slot::new();
    input.fill_async(count, DEFAULT, cancellable, slot.put());
    slot
}

fn a_fill_takes_what_has_come_and_no_more(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let input = gio::BufferedInputStream::new(&under.input());
    let filling = start_fill(&input, -1, None);
    settle(context, Duration::from_millis(10));
    assert!(!filling.is_set());
    peer.write_all(b"some").unwrap();
    assert_eq!(filling.wait(context), Ok(4));
    assert_eq!(input.available(), 4);
    assert_eq!(&*input.peek_buffer(), b"some");
    peer.write_all(b" more").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_exactly(input.upcast_ref(), 64).unwrap(), b"some more");
    assert_eq!(start_fill(&input, -1, None).wait(context), Ok(0));
}

fn a_fill_that_waits_is_cancelled(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let input = gio::BufferedInputStream::new(&under.input());
    let cancellable = Cancellable::new();
    let filling = start_fill(&input, 8, Some(&cancellable));
    settle(context, Duration::from_millis(10));
    cancellable.cancel();
    assert_fails(filling.wait(context), IOErrorEnum::Cancelled);
    peer.write_all(b"later").unwrap();
    assert_eq!(start_fill(&input, 8, None).wait(context), Ok(5));
}

fn an_error_of_the_connection_is_that_of_the_buffer(side: Side, context: &glib::MainContext) {
    let (under, peer) = connected_of(side);
    let input = gio::BufferedInputStream::new(&under.input());
    let filling = start_fill(&input, 8, None);
    settle(context, Duration::from_millis(10));
    reset(peer);
    assert_fails(filling.wait(context), IOErrorEnum::BrokenPipe);
}

/// What a look of `count` bytes into the buffer, from `offset` on, finds.
fn peek(input: &gio::BufferedInputStream, offset: usize, count: usize) -> Vec<u8> {
    // As much as there is, whatever is asked for.
    let mut found = vec![0; input.buffer_size()];
    let input: *mut gio::ffi::GBufferedInputStream = input.to_glib_none().0;
    let start = found.as_mut_ptr().cast();
    // SAFETY: room for all that the buffer may hold.
    let count = unsafe { gio::ffi::g_buffered_input_stream_peek(input, start, offset, count) };
    found.truncate(count);
    found
}

/// Four bytes in the buffer, the last of what has come.
fn four_bytes(side: Side) -> gio::BufferedInputStream {
    let (under, mut peer) = connected_of(side);
    peer.write_all(b"four").unwrap();
    let input = gio::BufferedInputStream::new_sized(&under.input(), 16);
    assert_eq!(input.fill(-1, Cancellable::NONE), Ok(4));
    input
}

/// Looked for apart: a GLib that has it writes over its memory. One that was mended finds nothing where the sum is too much.
fn peeks_of_everything(side: Side) -> i32 {
    let input = four_bytes(side);
    let all = [0, 1, 4, 5, usize::MAX].map(|offset| peek(&input, offset, usize::MAX));
    let right = all[0] == b"four"
        && (all[1] == b"our" || all[1].is_empty())
        && all[2..].iter().all(Vec::is_empty);
    i32::from(right)
}

/// CVE-2026-0988: offset and count overflowed when they were added up. The buffer is GIO's, over whichever stream: what it does
/// over GIO's it does over ours.
#[test]
fn bug_44_a_look_into_a_buffer_finds_what_is_there_however_much_is_asked_for() {
    run_if_asked(|part, _| peeks_of_everything(if part == "gio" { Side::Gio } else { Side::Ours }));
    let [gio, ours] = ["gio", "ours"].map(|part| {
        apart(
            "buffered::bug_44_a_look_into_a_buffer_finds_what_is_there_however_much_is_asked_for",
            part,
        )
    });
    assert_eq!(ours, gio);
    assert_ne!(ours, Says(0), "neither right, nor an end");
    on_private_context(|_| {
        for side in [Side::Gio, Side::Ours] {
            let input = four_bytes(side);
            let seen = [
                (0, 0),
                (0, 4),
                (0, 16),
                (1, 2),
                (3, 1),
                (3, 16),
                (4, 1),
                (16, 16),
            ];
            let right: [&[u8]; 8] = [b"", b"four", b"four", b"ou", b"r", b"r", b"", b""];
            assert_eq!(
                seen.map(|(offset, count)| peek(&input, offset, count)),
                right
            );
            assert_eq!(input.available(), 4);
        }
    });
}
