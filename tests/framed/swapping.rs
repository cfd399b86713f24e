//! Another stream in the place of the one of before.

use std::io::{Read, Write};

use futures::FutureExt;
use gio::prelude::*;
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// FRAMED-2.
#[test]
fn a_read_that_waits_goes_on_with_the_new_stream() {
    on_private_context(|context| {
        for kind in 0..KINDS {
            let (first, base, mut to_first) = stream_of(kind);
            let framed = Framed::new(&first, Framing::Lines);
            let mut reading = framed.read_frame_future();
            assert!(reading.as_mut().now_or_never().is_none());
            to_first.write_all(b"half of a").expect("written");
            iterate_for(context, std::time::Duration::from_millis(2));
            assert!(reading.as_mut().now_or_never().is_none());
            let (second, mut to_second) = pair();
            framed.set_io_stream(Some(&second));
            to_second.write_all(b"whole\n").expect("written");
            assert_eq!(told(block_on(context, reading)), "whole", "{kind}");
            drop((first, base));
        }
    });
}

/// FRAMED-2.
#[test]
fn a_read_that_waits_ends_where_there_is_no_stream() {
    on_private_context(|context| {
        let (first, _to_first) = pair();
        let framed = Framed::new(&first, Framing::Lines);
        let mut reading = framed.read_frame_future();
        assert!(reading.as_mut().now_or_never().is_none());
        framed.set_io_stream(gio::IOStream::NONE);
        assert_eq!(told(block_on(context, reading)), "NotConnected");
        assert_eq!(next(&framed), "NotConnected");
    });
}

/// Fills what the system keeps for a peer that does not read, and leaves frames in the queue, one of them begun.
fn fill(framed: &Framed, context: &glib::MainContext) -> usize {
    let mut sent = 0;
    loop {
        framed
            .send(format!("{sent} {}", "x".repeat(300_000)).as_bytes())
            .expect("queued");
        sent += 1;
        while context.iteration(false) {}
        if framed.pending_frames() > 2 {
            return sent;
        }
    }
}

fn whole_lines(bytes: &[u8]) -> Vec<usize> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let text = String::from_utf8(bytes[..end].to_vec()).expect("text");
    text.lines()
        .map(|line| {
            line.split(' ')
                .next()
                .and_then(|word| word.parse().ok())
                .expect("a number")
        })
        .collect()
}

/// FRAMED-2.
#[test]
fn no_frame_is_lost_or_doubled_when_the_stream_is_replaced_in_the_midst_of_one() {
    on_private_context(|context| {
        for kind in [0, 1] {
            let (first, base, mut from_first) = stream_of(kind);
            let framed = Framed::new(&first, Framing::Lines);
            let sent = fill(&framed, context);
            let (second, mut from_second) = pair();
            framed.set_io_stream(Some(&second));
            first.close(NONE).expect("closed");
            let mut of_first = Vec::new();
            from_first.read_to_end(&mut of_first).expect("the end");
            assert!(!of_first.ends_with(b"\n"), "in the midst of a frame");
            let reading = std::thread::spawn(move || {
                let mut of_second = Vec::new();
                from_second.read_to_end(&mut of_second).expect("the end");
                of_second
            });
            block_on(context, framed.close_future()).expect("closed");
            let of_second = reading.join().expect("read");
            let mut all = whole_lines(&of_first);
            all.extend(whole_lines(&of_second));
            assert_eq!(all, (0..sent).collect::<Vec<_>>(), "{kind}");
            drop(base);
        }
    });
}

/// FRAMED-11.
#[test]
fn a_queue_that_is_kept_outlives_its_stream() {
    on_private_context(|context| {
        let (first, from_first) = pair();
        let framed = Framed::builder().io_stream(&first).keep_queue(true).build();
        drop(from_first);
        framed.send(b"one").expect("queued");
        let failures = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = failures.clone();
        framed.connect_error(move |framed, failure| {
            assert_eq!(
                framed.last_error().map(|error| error.message().to_owned()),
                Some(failure.message().to_owned())
            );
            count.set(count.get() + 1);
        });
        iterate_until(context, || failures.get() == 1);
        framed.send(b"two").expect("queued");
        assert_fails(framed.flush(NONE), gio::IOErrorEnum::BrokenPipe);
        let mut writing = framed.write_frame_future(b"three");
        assert!(writing.as_mut().now_or_never().is_none());
        assert_eq!(framed.pending_frames(), 3);
        let (second, mut from_second) = pair();
        framed.set_io_stream(Some(&second));
        assert!(framed.last_error().is_none());
        block_on(context, writing).expect("written");
        let mut got = [0; 14];
        from_second.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"one\ntwo\nthree\n");
        assert_eq!(failures.get(), 1);
    });
}

/// FRAMED-11.
#[test]
fn a_queue_that_is_not_kept_fails_with_its_stream() {
    on_private_context(|context| {
        let (first, from_first) = pair();
        let framed = Framed::new(&first, Framing::Lines);
        drop(from_first);
        framed.send(b"one").expect("queued");
        let writing = framed.write_frame_future(b"two");
        assert_fails(block_on(context, writing), gio::IOErrorEnum::BrokenPipe);
        assert_eq!((framed.pending_frames(), framed.pending_bytes()), (0, 0));
        assert_fails(framed.send(b"three"), gio::IOErrorEnum::BrokenPipe);
        assert_fails(
            framed.write_frame(b"three", NONE),
            gio::IOErrorEnum::BrokenPipe,
        );
        assert_fails(framed.flush(NONE), gio::IOErrorEnum::BrokenPipe);
        let (second, mut from_second) = pair();
        framed.set_io_stream(Some(&second));
        framed.write_frame(b"four", NONE).expect("written");
        let mut got = [0; 5];
        from_second.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"four\n");
    });
}

/// FRAMED-11.
#[test]
fn without_a_stream_frames_are_kept_or_refused() {
    let framed: Framed = glib::Object::new();
    assert_fails(framed.send(b"one"), gio::IOErrorEnum::NotConnected);
    assert_fails(
        framed.write_frame(b"one", NONE),
        gio::IOErrorEnum::NotConnected,
    );
    framed.flush(NONE).expect("nothing is queued");
    framed.set_keep_queue(true);
    framed.send(b"one").expect("queued");
    assert_fails(framed.flush(NONE), gio::IOErrorEnum::NotConnected);
    let (ours, mut theirs) = pair();
    framed.set_io_stream(Some(&ours));
    framed.flush(NONE).expect("flushed");
    let mut got = [0; 4];
    theirs.read_exact(&mut got).expect("there");
    assert_eq!(&got, b"one\n");
}

#[test]
fn a_close_that_waits_takes_no_frames_and_closes_the_stream_that_is_set_meanwhile() {
    on_private_context(|context| {
        let (first, from_first) = pair();
        let framed = Framed::new(&first, Framing::Lines);
        let sent = fill(&framed, context);
        let mut closing = framed.close_future();
        let mut again = framed.close_future();
        assert!(closing.as_mut().now_or_never().is_none());
        assert!(again.as_mut().now_or_never().is_none());
        let (second, mut from_second) = pair();
        framed.set_io_stream(Some(&second));
        // It would be lost.
        assert_fails(framed.send(b"late"), gio::IOErrorEnum::Closed);
        drop(closing);
        assert_fails(framed.send(b"late"), gio::IOErrorEnum::Closed);
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            from_second.read_to_end(&mut all).expect("the end");
            all
        });
        block_on(context, again).expect("closed");
        assert!(second.is_closed());
        let all = whole_lines(&reading.join().expect("read"));
        assert_eq!(all.last(), Some(&(sent - 1)));
        drop(from_first);
        let (third, mut from_third) = pair();
        framed.set_io_stream(Some(&third));
        framed.write_frame(b"new", NONE).expect("written");
        let mut got = [0; 4];
        from_third.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"new\n");
    });
}
