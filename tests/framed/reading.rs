//! Reading.

use std::io::Write;

use futures::{FutureExt, StreamExt};
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

/// FRAMED-12.
#[test]
fn two_reads_at_once_are_one_too_many() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let mut first = framed.read_frame_future();
        assert!(first.as_mut().now_or_never().is_none());
        assert_eq!(next(&framed), "Pending");
        assert_eq!(
            told(block_on(context, framed.read_frame_future())),
            "Pending"
        );
        assert_fails(framed.read_exact(1, NONE), gio::IOErrorEnum::Pending);
        theirs.write_all(b"one\n").expect("written");
        assert_eq!(told(block_on(context, first)), "one");
        theirs.write_all(b"two\n").expect("written");
        assert_eq!(next(&framed), "two");
    });
}

/// A read is given up after each byte, in each form: what has come of the frame stays.
#[test]
fn a_read_that_is_given_up_at_any_byte_loses_nothing() {
    on_private_context(|context| {
        for kind in 0..KINDS {
            for (framing, bytes) in [
                (Framing::Lines, &b"a line of text\r\n"[..]),
                (Framing::LengthPrefixed, b"\0\0\0\x0ea line of text"),
            ] {
                for form in 0..2 {
                    let (ours, base, mut theirs) = stream_of(kind);
                    let framed = Framed::new(&ours, framing);
                    let (last, first) = bytes.split_last().expect("bytes");
                    for byte in first {
                        theirs.write_all(&[*byte]).expect("written");
                        if form == 0 {
                            let mut reading = framed.read_frame_future();
                            assert!(reading.as_mut().now_or_never().is_none());
                            context.iteration(false);
                            assert!(reading.as_mut().now_or_never().is_none());
                        } else {
                            let cancellable = gio::Cancellable::new();
                            let got = started(&framed, &cancellable);
                            context.iteration(false);
                            cancellable.cancel();
                            iterate_until(context, || got.borrow().is_some());
                            assert_eq!(got.borrow().as_deref(), Some("Cancelled"));
                        }
                    }
                    theirs.write_all(&[*last]).expect("written");
                    let got = told(block_on(context, framed.read_frame_future()));
                    assert_eq!(got, "a line of text", "{framing:?} {kind} {form}");
                    drop(base);
                }
            }
        }
    });
}

type Got = std::rc::Rc<std::cell::RefCell<Option<String>>>;

fn started(framed: &Framed, cancellable: &gio::Cancellable) -> Got {
    let got = Got::default();
    let slot = got.clone();
    framed.read_frame_async(Some(cancellable), move |framed, result| {
        *slot.borrow_mut() = Some(told(framed.read_frame_finish(result)));
        assert_fails(
            framed.read_frame_finish(result),
            gio::IOErrorEnum::InvalidArgument,
        );
        assert_fails(
            framed.read_exact_finish(result),
            gio::IOErrorEnum::InvalidArgument,
        );
        assert_fails(
            framed.flush_finish(result),
            gio::IOErrorEnum::InvalidArgument,
        );
    });
    assert!(got.borrow().is_none());
    got
}

#[test]
fn a_cancelled_read_takes_nothing() {
    let framed = lines(b"one\n");
    let cancellable = gio::Cancellable::new();
    cancellable.cancel();
    assert_fails(
        framed.read_frame(Some(&cancellable)),
        gio::IOErrorEnum::Cancelled,
    );
    assert_eq!(next(&framed), "one");
    framed.close(NONE).expect("closed");
    assert_fails(
        framed.read_frame(Some(&cancellable)),
        gio::IOErrorEnum::Closed,
    );
    assert_eq!(next(&framed), "Closed");
}

/// FRAMED-13.
#[test]
fn exactly_is_not_more_than_a_frame_may_have_and_all_or_nothing() {
    let framed = lines(b"0123456789");
    framed.set_max_frame_size(4);
    assert_fails(
        framed.read_exact(5, NONE),
        gio::IOErrorEnum::MessageTooLarge,
    );
    assert!(framed.read_exact(0, NONE).expect("nothing").is_empty());
    assert_eq!(&framed.read_exact(4, NONE).expect("there")[..], b"0123");
    assert_eq!(&framed.read_exact(4, NONE).expect("there")[..], b"4567");
    assert_fails(framed.read_exact(3, NONE), gio::IOErrorEnum::PartialInput);
    assert_fails(framed.read_exact(1, NONE), gio::IOErrorEnum::PartialInput);
    assert_eq!(next(&framed), "END");
}

#[test]
fn exactly_is_read_in_the_other_forms_too() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        theirs.write_all(b"onetwo").expect("written");
        let got = block_on(context, framed.read_exact_future(3)).expect("there");
        assert_eq!(&got[..], b"one");
        let got = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = got.clone();
        framed.read_exact_async(3, NONE, move |framed, result| {
            *slot.borrow_mut() = Some(framed.read_exact_finish(result).expect("there"));
        });
        iterate_until(context, || got.borrow().is_some());
        assert_eq!(got.borrow().as_deref(), Some(&b"two"[..]));
    });
}

#[test]
fn an_error_of_the_stream_is_the_readers() {
    let (ours, peer) = connected();
    let framed = Framed::new(&ours, Framing::Lines);
    reset(peer);
    assert_eq!(next(&framed), "BrokenPipe");
    assert!(framed.last_error().is_some());
    framed.set_io_stream(Some(&over_bytes(b"")));
    assert!(framed.last_error().is_none());
}

#[test]
fn a_timeout_of_the_socket_ends_a_read_and_the_next_one_goes_on() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        gsock::SocketConnectionExt::socket(&ours).set_timeout(1);
        let framed = Framed::new(&ours, Framing::Lines);
        theirs.write_all(b"ha").expect("written");
        assert_eq!(next(&framed), "TimedOut");
        assert_eq!(
            told(block_on(context, framed.read_frame_future())),
            "TimedOut"
        );
        theirs.write_all(b"lf\n").expect("written");
        assert_eq!(next(&framed), "half");
    });
}

/// Who reads gets what he waits for; the other one is told, and his frames are for another stream of frames.
#[test]
fn frames_do_not_come_while_somebody_else_reads() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let mut reading = framed.read_frame_future();
        assert!(once(&mut reading).is_pending());
        let mut frames = framed.frames();
        let refused = block_on(context, async move { frames.next().await });
        assert_fails(refused.expect("an answer"), gio::IOErrorEnum::Pending);
        theirs.write_all(b"one\ntwo\n").expect("written");
        assert_eq!(told(block_on(context, reading)), "one");
        let mut frames = framed.frames();
        let second = block_on(context, async move { frames.next().await });
        assert_eq!(&second.expect("a frame").expect("read")[..], b"two");
    });
}
