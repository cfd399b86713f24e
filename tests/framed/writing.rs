//! Writing.

use std::io::Read;

use gio::prelude::*;
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

#[test]
fn what_is_sent_is_written_in_the_background() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        framed.send(b"one").expect("queued");
        framed.send(b"two").expect("queued");
        assert_eq!(framed.pending_bytes(), 8);
        assert_eq!(framed.pending_frames(), 2);
        iterate_until(context, || framed.pending_bytes() == 0);
        let mut got = [0; 8];
        theirs.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"one\ntwo\n");
    });
}

#[test]
fn a_blocking_flush_needs_no_loop() {
    let (ours, mut theirs) = pair();
    let framed = Framed::new(&ours, Framing::LengthPrefixed);
    framed.send(b"one").expect("queued");
    framed.flush(NONE).expect("flushed");
    let mut got = [0; 7];
    theirs.read_exact(&mut got).expect("there");
    assert_eq!(&got, b"\0\0\0\x03one");
}

#[test]
fn a_close_writes_what_is_queued() {
    on_private_context(|context| {
        for is_blocking in [true, false] {
            let (ours, mut theirs) = pair();
            let framed = Framed::new(&ours, Framing::Lines);
            framed.send(b"one").expect("queued");
            if is_blocking {
                framed.close(NONE).expect("closed");
            } else {
                block_on(context, framed.close_future()).expect("closed");
            }
            assert!(ours.is_closed());
            assert_fails(framed.send(b"two"), gio::IOErrorEnum::Closed);
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).expect("the end");
            assert_eq!(got, b"one\n");
        }
    });
}

#[test]
fn a_written_frame_is_with_the_stream() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let written = block_on(context, framed.write_frame_future(b"one"));
        written.expect("written");
        framed.write_frame(b"two", NONE).expect("written");
        assert_eq!(framed.pending_frames(), 0);
        let mut got = [0; 8];
        theirs.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"one\ntwo\n");
    });
}
