//! Writing.

use std::io::Read;

use futures::FutureExt;
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

/// More than any system keeps for a peer that does not read.
/// More than any socket takes at once, of all the ends here.
const HUGE: usize = 2_000_000;

fn huge() -> glib::Bytes {
    glib::Bytes::from_owned(vec![b'x'; HUGE])
}

/// A queue with a frame that is begun, behind which others wait.
fn stuck(context: &glib::MainContext) -> (Framed, std::os::unix::net::UnixStream) {
    let (ours, theirs) = pair();
    let framed = Framed::builder()
        .io_stream(&ours)
        .max_frame_size(u64::MAX)
        .max_pending_bytes(u64::MAX)
        .build();
    framed.send(huge()).expect("queued");
    let all = framed.pending_bytes();
    iterate_until(context, || framed.pending_bytes() < all);
    while context.iteration(false) {}
    (framed, theirs)
}

fn rest_of(
    framed: Framed,
    context: &glib::MainContext,
    mut theirs: std::os::unix::net::UnixStream,
) -> Vec<u8> {
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).expect("the end");
        got
    });
    block_on(context, framed.close_future()).expect("closed");
    let got = reading.join().expect("read");
    let end = got.iter().position(|byte| *byte == b'\n').expect("a line");
    assert_eq!(end, HUGE);
    got[end + 1..].to_vec()
}

/// FRAMED-14.
#[test]
fn a_write_that_is_given_up_before_its_first_byte_leaves_the_queue() {
    on_private_context(|context| {
        for form in 0..3 {
            let (framed, theirs) = stuck(context);
            let cancellable = gio::Cancellable::new();
            match form {
                0 => {
                    let mut writing = framed.write_frame_future(b"given up");
                    assert!(writing.as_mut().now_or_never().is_none());
                    assert_eq!(framed.pending_frames(), 2);
                }
                1 => {
                    let got = written(&framed, b"given up", &cancellable);
                    context.iteration(false);
                    cancellable.cancel();
                    iterate_until(context, || got.get().is_some());
                    assert_eq!(got.get(), Some(Some(gio::IOErrorEnum::Cancelled)));
                }
                _ => {
                    let its = cancellable.clone();
                    let canceller = std::thread::spawn(move || its.cancel());
                    let write = framed.write_frame(b"given up", Some(&cancellable));
                    assert_fails(write, gio::IOErrorEnum::Cancelled);
                    canceller.join().expect("cancelled");
                }
            }
            assert_eq!(framed.pending_frames(), 1, "{form}");
            framed.send(b"after").expect("queued");
            assert_eq!(rest_of(framed, context, theirs), b"after\n");
        }
    });
}

type Written = std::rc::Rc<std::cell::Cell<Option<Option<gio::IOErrorEnum>>>>;

fn written(
    framed: &Framed,
    frame: impl Into<glib::Bytes>,
    cancellable: &gio::Cancellable,
) -> Written {
    let got = Written::default();
    let slot = got.clone();
    framed.write_frame_async(frame, Some(cancellable), move |framed, result| {
        let done = framed.write_frame_finish(result);
        slot.set(Some(done.err().map(|failure| code(&failure))));
    });
    got
}

/// FRAMED-14.
#[test]
fn a_write_that_is_given_up_after_its_first_byte_goes_on_to_its_end() {
    on_private_context(|context| {
        for is_dropped in [true, false] {
            let (ours, theirs) = pair();
            let framed = Framed::builder()
                .io_stream(&ours)
                .max_frame_size(u64::MAX)
                .build();
            let cancellable = gio::Cancellable::new();
            let got = if is_dropped {
                let mut writing = framed.write_frame_future(huge());
                assert!(writing.as_mut().now_or_never().is_none());
                let all = framed.pending_bytes();
                iterate_until(context, || framed.pending_bytes() < all);
                None
            } else {
                let got = written(&framed, huge(), &cancellable);
                iterate_until(context, || {
                    let pending = framed.pending_bytes();
                    pending != 0 && pending <= HUGE as u64
                });
                cancellable.cancel();
                context.iteration(false);
                assert_eq!(got.get(), None);
                Some(got)
            };
            assert_eq!(framed.pending_frames(), 1);
            assert_eq!(rest_of(framed, context, theirs), b"");
            if let Some(got) = got {
                iterate_until(context, || got.get().is_some());
                assert_eq!(got.get(), Some(None));
            }
        }
    });
}

#[test]
fn a_flush_and_a_close_that_are_given_up_change_nothing() {
    on_private_context(|context| {
        let (framed, theirs) = stuck(context);
        let cancellable = gio::Cancellable::new();
        cancellable.cancel();
        assert_fails(
            framed.flush(Some(&cancellable)),
            gio::IOErrorEnum::Cancelled,
        );
        assert_fails(
            framed.close(Some(&cancellable)),
            gio::IOErrorEnum::Cancelled,
        );
        let mut closing = framed.close_future();
        assert!(closing.as_mut().now_or_never().is_none());
        assert_fails(framed.send(b"while closing"), gio::IOErrorEnum::Closed);
        drop(closing);
        framed.send(b"after").expect("it is open");
        assert_eq!(rest_of(framed, context, theirs), b"after\n");
    });
}

#[test]
fn a_flush_and_a_close_come_back_by_callback() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        framed.send(b"one").expect("queued");
        let count = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = count.clone();
        framed.flush_async(NONE, move |framed, result| {
            framed.flush_finish(result).expect("flushed");
            assert_eq!(framed.pending_frames(), 0);
            let counted = counted.clone();
            framed.close_async(NONE, move |framed, result| {
                assert_fails(
                    framed.flush_finish(result),
                    gio::IOErrorEnum::InvalidArgument,
                );
                framed.close_finish(result).expect("closed");
                counted.set(1);
            });
        });
        iterate_until(context, || count.get() == 1);
        let mut got = String::new();
        theirs.read_to_string(&mut got).expect("the end");
        assert_eq!(got, "one\n");
        framed.close(NONE).expect("closed before");
        assert_fails(framed.flush(NONE), gio::IOErrorEnum::Closed);
    });
}

/// FRAMED-15.
#[test]
fn many_small_frames_are_written_with_one_call() {
    on_private_context(|context| {
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
        let ours = gsock::SocketConnection::factory_create_connection_from_fd(ours.into());
        let framed = Framed::new(&ours.expect("a connection"), Framing::Lines);
        for number in 0..100 {
            framed.send(format!("{number}").as_bytes()).expect("queued");
        }
        let pending = framed.pending_bytes() as usize;
        iterate_until(context, || framed.pending_bytes() == 0);
        // Each call is a datagram.
        let mut buffer = vec![0; 100_000];
        assert_eq!(theirs.recv(&mut buffer).expect("one"), pending);
    });
}

#[test]
fn a_close_tells_that_what_was_queued_was_not_written() {
    on_private_context(|context| {
        for is_blocking in [true, false] {
            let (ours, theirs) = pair();
            let framed = Framed::new(&ours, Framing::Lines);
            drop(theirs);
            framed.send(b"one").expect("queued");
            let closed = if is_blocking {
                framed.close(NONE)
            } else {
                block_on(context, framed.close_future())
            };
            assert_fails(closed, gio::IOErrorEnum::BrokenPipe);
            assert!(ours.is_closed());
        }
    });
}

#[test]
fn a_close_does_not_say_that_what_was_queued_was_written_where_the_stream_was_closed_before() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let (ours, mut theirs) = pair();
            let framed = Framed::new(&ours, Framing::Lines);
            framed.send(b"lost").expect("queued");
            ours.close(NONE).expect("open");
            let closed = if blocking {
                framed.close(NONE)
            } else {
                block_on(context, framed.close_future())
            };
            assert_fails(closed, gio::IOErrorEnum::Closed);
            assert!(read_nothing(&mut theirs));
            // Once more does nothing, and with nothing queued there is nothing to tell.
            framed.close(NONE).expect("closed already");
            let (ours, _theirs) = pair();
            let framed = Framed::new(&ours, Framing::Lines);
            ours.close(NONE).expect("open");
            framed.close(NONE).expect("nothing was lost");
        }
    });
}

fn read_nothing(peer: &mut std::os::unix::net::UnixStream) -> bool {
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).is_ok_and(|count| count == 0)
}

#[test]
fn handlers_may_do_as_they_like() {
    on_private_context(|context| {
        let (ours, _theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let sent = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = sent.clone();
        framed.connect_pending_bytes_notify(move |framed| {
            if count.get() < 5 {
                count.set(count.get() + 1);
                framed.send(b"more").expect("queued");
                framed.flush(NONE).expect("flushed");
            }
        });
        framed.send(b"first").expect("queued");
        iterate_until(context, || sent.get() == 5 && framed.pending_frames() == 0);
    });
}

#[test]
fn a_line_ends_with_crlf_where_that_is_asked_for() {
    on_private_context(|_| {
        let (ours, mut theirs) = pair();
        let framed = Framed::builder().io_stream(&ours).crlf(true).build();
        framed.send(b"one").expect("queued");
        assert_eq!(framed.pending_bytes(), 5);
        assert_fails(framed.send(b"t\nwo"), gio::IOErrorEnum::InvalidData);
        assert_fails(framed.send(b"two\r"), gio::IOErrorEnum::InvalidData);
        framed.close(NONE).expect("closed");
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).expect("the end");
        assert_eq!(got, b"one\r\n");
        // Of any framing by lines, and no other.
        for (framing, expected) in [
            (Framing::JsonLines, &b"[]\r\n"[..]),
            (Framing::LengthPrefixed, b"\0\0\0\x02[]"),
        ] {
            let (ours, mut theirs) = pair();
            let framed = Framed::builder().io_stream(&ours).crlf(true);
            let framed = framed.framing(framing).build();
            framed.send(b"[]").expect("queued");
            framed.close(NONE).expect("closed");
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).expect("the end");
            assert_eq!(got, expected);
        }
    });
}

#[test]
fn bytes_are_sent_between_frames_as_they_are() {
    on_private_context(|_| {
        for (framing, expected) in [
            (Framing::Lines, &b"two {4}\n\r\n\n\xff\nthree\n"[..]),
            (
                Framing::LengthPrefixed,
                b"\0\0\0\x07two {4}\r\n\n\xff\n\0\0\0\x05three",
            ),
        ] {
            let (ours, mut theirs) = pair();
            let framed = Framed::builder().io_stream(&ours).framing(framing);
            let framed = framed.max_frame_size(8).max_pending_bytes(40).build();
            framed.send(b"two {4}").expect("queued");
            let before = framed.pending_bytes();
            framed.send_exact(b"\r\n\n\xff\n").expect("queued");
            assert_eq!(framed.pending_bytes(), before + 5);
            framed.send_exact(b"").expect("nothing");
            assert_eq!(framed.pending_frames(), 2);
            framed.send(b"three").expect("queued");
            while framed.pending_bytes() + 8 <= 40 {
                framed.send_exact(b"and more").expect("queued");
            }
            let no_room = framed.send_exact(b"and more");
            assert_fails(no_room, gio::IOErrorEnum::WouldBlock);
            framed.flush(NONE).expect("somebody reads");
            // More than a frame may have, and than may wait.
            framed.send_exact(&[b'x'; 41]).expect("nothing waits");
            framed.close(NONE).expect("closed");
            assert_fails(framed.send_exact(b"x"), gio::IOErrorEnum::Closed);
            assert_fails(framed.send_exact(b""), gio::IOErrorEnum::Closed);
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).expect("the end");
            assert!(got.starts_with(expected), "{}", got.escape_ascii());
            let rest = got[expected.len()..].strip_suffix(&[b'x'; 41]);
            let rest = rest.expect("the last ones");
            assert!(rest.chunks(8).all(|it| it == b"and more"));
        }
    });
}
