//! Reading.

use std::io::Write;

use futures::StreamExt;
use gio::prelude::*;
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

#[test]
fn lf_and_crlf_end_lines_and_are_no_part_of_them() {
    let framed = lines(b"one\ntwo\r\n\r\n\nin\rside\n");
    for expected in ["one", "two", "", "", "in\rside", "END", "END"] {
        assert_eq!(next(&framed), expected);
    }
}

#[test]
fn a_future_reads_what_the_peer_sends_later() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let (first, second) = block_on(context, async move {
            let first = framed.read_frame_future();
            let send = async { theirs.write_all(b"one\ntwo\n").expect("written") };
            let (first, ()) = futures::join!(first, send);
            (told(first), told(framed.read_frame_future().await))
        });
        assert_eq!((first.as_str(), second.as_str()), ("one", "two"));
    });
}

#[test]
fn a_stream_of_frames_ends_with_the_stream() {
    on_private_context(|context| {
        let framed = json(b"{}\n \nnonsense\n[1]\n");
        let all = block_on(context, async move {
            framed
                .frames()
                .map(|frame| told(frame.map(Some)))
                .collect::<Vec<_>>()
                .await
        });
        assert_eq!(all, ["{}", "InvalidData", "[1]"]);
    });
}

#[test]
fn a_prefix_tells_how_much_follows() {
    let framed = prefixed(b"\0\0\0\x03one\0\0\0\0\0\0\0\x03two").build();
    for expected in ["one", "", "two", "END"] {
        assert_eq!(next(&framed), expected);
    }
}

#[test]
fn bytes_between_lines_are_read_exactly() {
    let framed = lines(b"LITERAL 7\none\ntwo tail\n");
    assert_eq!(next(&framed), "LITERAL 7");
    let literal = framed.read_exact(7, NONE).expect("there");
    assert_eq!(&literal[..], b"one\ntwo");
    assert_eq!(next(&framed), " tail");
}

#[test]
fn the_callback_form_reads_too() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let got = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = got.clone();
        framed.read_frame_async(NONE, move |framed, result| {
            *slot.borrow_mut() = Some(told(framed.read_frame_finish(result)));
        });
        theirs.write_all(b"one\n").expect("written");
        iterate_until(context, || got.borrow().is_some());
        assert_eq!(got.borrow().as_deref(), Some("one"));
        ours.close(NONE).expect("closed");
    });
}
