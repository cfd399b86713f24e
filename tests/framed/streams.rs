//! Streams of each kind.

use std::{
    io::{Read, Write},
    thread,
};

use futures::{FutureExt, io::AllowStdIo};
use gio::prelude::*;
use gsock::{Framed, Framing, IoStreamAdapter};

use crate::{support::*, tools::*};

#[test]
fn frames_go_over_each_kind_of_stream_in_each_form() {
    on_private_context(|context| {
        for kind in 0..KINDS {
            let (ours, base, mut theirs) = stream_of(kind);
            let framed = Framed::new(&ours, Framing::Lines);
            let peer = thread::spawn(move || {
                let mut got = [0; 16];
                theirs.read_exact(&mut got).expect("there");
                theirs.write_all(b"one\ntwo\nthree\n").expect("written");
                got
            });
            framed.send(b"send").expect("queued");
            block_on(context, framed.flush_future()).expect("flushed");
            block_on(context, framed.write_frame_future(b"future")).expect("written");
            framed.write_frame(b"wf", NONE).expect("written");
            framed.flush(NONE).expect("flushed");
            framed.send(b"").expect("queued");
            framed.flush(NONE).expect("flushed");
            assert_eq!(&peer.join().expect("a peer"), b"send\nfuture\nwf\n\n");
            assert_eq!(told(block_on(context, framed.read_frame_future())), "one");
            assert_eq!(next(&framed), "two");
            assert_eq!(told(block_on(context, framed.read_frame_future())), "three");
            assert_eq!(next(&framed), "END");
            framed.close(NONE).expect("closed");
            drop(base);
        }
    });
}

#[test]
fn a_plain_pair_of_streams_of_memory_will_do() {
    let output = gio::MemoryOutputStream::new_resizable();
    let input = gio::MemoryInputStream::from_bytes(&glib::Bytes::from_static(b"in\n"));
    let framed = Framed::new(&gio::SimpleIOStream::new(&input, &output), Framing::Lines);
    framed.write_frame(b"out", NONE).expect("written");
    assert_eq!(next(&framed), "in");
    framed.close(NONE).expect("closed");
    assert_eq!(&output.steal_as_bytes()[..], b"out\n");
}

#[test]
fn an_adapter_of_futures_will_do() {
    on_private_context(|context| {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        theirs.write_all(b"in\nmore\n").expect("written");
        let framed = Framed::new(&IoStreamAdapter::new(AllowStdIo::new(ours)), Framing::Lines);
        assert_eq!(told(block_on(context, framed.read_frame_future())), "in");
        assert_eq!(next(&framed), "more");
        block_on(context, framed.write_frame_future(b"out")).expect("written");
        framed.write_frame(b"blocking", NONE).expect("written");
        block_on(context, framed.close_future()).expect("closed");
        let mut got = String::new();
        theirs.read_to_string(&mut got).expect("the end");
        assert_eq!(got, "out\nblocking\n");
    });
}

/// A window that TLS has begun to take is given to it again, whatever was queued meanwhile.
#[test]
fn tls_with_a_slow_peer_gets_each_frame_whole_and_in_order() {
    on_private_context(|context| {
        let (ours, theirs) = pair();
        let (for_server, known) = certificate();
        let server = thread::spawn(move || {
            let tls = gio::TlsServerConnection::new(&over(theirs), Some(&for_server.get()));
            let framed = Framed::new(&tls.expect("a backend"), Framing::LengthPrefixed);
            let mut got = Vec::new();
            while let Some(frame) = framed.read_frame(NONE).expect("read") {
                got.push((frame[0], frame.len()));
            }
            got
        });
        let tls = gio::TlsClientConnection::new(&ours, None::<&gio::SocketConnectable>);
        let tls = tls.expect("a backend");
        tls.connect_accept_certificate(move |_, certificate, _| known.is(certificate));
        let framed = Framed::new(&tls, Framing::LengthPrefixed);
        let mut expected = Vec::new();
        for number in 0..100_u8 {
            let size = 1 + usize::from(number) * 397;
            expected.push((number, size));
            while framed.send(&vec![number; size]).is_err() {
                context.iteration(true);
            }
            if number % 7 == 0 {
                context.iteration(false);
            }
        }
        block_on(context, framed.close_future()).expect("closed");
        assert_eq!(server.join().expect("served"), expected);
    });
}

/// TLS that is asked without waiting begins a handshake in the background, and keeps itself until the context is run.
#[test]
fn calls_that_block_over_tls_leave_nothing_where_no_context_is_run() {
    on_private_context(|context| {
        for writes_first in [true, false] {
            let (ours, theirs) = pair();
            let (for_server, known) = certificate();
            let server = thread::spawn(move || {
                let tls = gio::TlsServerConnection::new(&over(theirs), Some(&for_server.get()));
                let tls = tls.expect("a backend");
                let gone = [
                    Gone::of(&tls),
                    Gone::of(&tls.base_io_stream().expect("one")),
                ];
                let framed = Framed::new(&tls, Framing::Lines);
                if writes_first {
                    framed.write_frame(b"hello", NONE).expect("room");
                    assert_eq!(
                        framed.read_frame(NONE).expect("one").expect("one"),
                        b"you"[..]
                    );
                } else {
                    assert_eq!(
                        framed.read_frame(NONE).expect("one").expect("one"),
                        b"you"[..]
                    );
                    framed.write_frame(b"hello", NONE).expect("room");
                }
                drop((framed, tls));
                gone.map(|gone| gone.is_gone())
            });
            let tls = gio::TlsClientConnection::new(&ours, None::<&gio::SocketConnectable>);
            let tls = tls.expect("a backend");
            tls.connect_accept_certificate(move |_, certificate, _| known.is(certificate));
            let framed = Framed::new(&tls, Framing::Lines);
            block_on(context, framed.write_frame_future(b"you")).expect("room");
            let hello = block_on(context, framed.read_frame_future()).expect("one");
            assert_eq!(hello.expect("one"), b"hello"[..]);
            assert_eq!(
                server.join().expect("no panic"),
                [true, true],
                "{writes_first}"
            );
        }
    });
}

/// What cannot be polled cannot be closed either as long as it is at something.
#[test]
fn a_close_ends_a_read_that_waits_on_each_kind_of_stream() {
    on_private_context(|context| {
        for kind in 0..KINDS {
            let (ours, base, theirs) = stream_of(kind);
            let framed = Framed::new(&ours, Framing::Lines);
            let mut reading = framed.read_frame_future();
            assert!(reading.as_mut().now_or_never().is_none());
            block_on(context, framed.close_future()).expect("closed");
            assert!(ours.is_closed());
            assert_eq!(told(block_on(context, reading)), "Closed", "{kind}");
            drop((base, theirs));
        }
    });
}

#[test]
fn a_frame_that_was_kept_back_and_could_not_be_flushed_is_not_written() {
    on_private_context(|context| {
        for is_blocking in [true, false] {
            let (ours, base, theirs) = stream_of(UNPOLLABLE);
            drop(theirs);
            let framed = Framed::new(&ours, Framing::Lines);
            let written = if is_blocking {
                framed.write_frame(b"one", NONE)
            } else {
                block_on(context, framed.write_frame_future(b"one"))
            };
            assert_fails(written, gio::IOErrorEnum::BrokenPipe);
            drop(base);
        }
    });
}

/// What a future has begun goes on in its context, and nobody may run that in a call.
#[test]
fn a_call_does_not_wait_for_what_a_future_has_begun() {
    on_private_context(|context| {
        let (ours, base, mut theirs) = stream_of(UNPOLLABLE);
        let framed = Framed::new(&ours, Framing::Lines);
        let mut reading = framed.read_frame_future();
        assert!(once(&mut reading).is_pending());
        drop(reading);
        assert_fails(framed.read_frame(NONE), gio::IOErrorEnum::Pending);
        let mut writing = framed.write_frame_future(b"one");
        assert!(once(&mut writing).is_pending());
        // The stream begins, and its answer needs another turn.
        iterate_until(context, || ours.output_stream().has_pending());
        assert_fails(framed.flush(NONE), gio::IOErrorEnum::Pending);
        // Nothing of it is lost.
        block_on(context, writing).expect("written");
        block_on(context, framed.flush_future()).expect("flushed");
        let mut got = [0; 4];
        theirs.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"one\n");
        theirs.write_all(b"two\nthree\n").expect("written");
        assert_eq!(told(block_on(context, framed.read_frame_future())), "two");
        assert_eq!(next(&framed), "three");
        drop(base);
    });
}

/// A class of streams whose write takes nothing and calls that a success.
mod takes_nothing {
    use gio::subclass::prelude::*;

    #[derive(Debug, Default)]
    pub struct Output;

    #[glib::object_subclass]
    impl ObjectSubclass for Output {
        const NAME: &'static str = "FramedTestTakesNothing";
        type Type = super::TakesNothing;
        type ParentType = gio::OutputStream;
    }

    impl ObjectImpl for Output {}

    impl OutputStreamImpl for Output {
        fn write(&self, _: &[u8], _: Option<&gio::Cancellable>) -> Result<usize, glib::Error> {
            Ok(0)
        }
    }
}

glib::wrapper! {
    pub struct TakesNothing(ObjectSubclass<takes_nothing::Output>) @extends gio::OutputStream;
}

#[test]
fn a_stream_that_takes_nothing_fails_in_each_form() {
    on_private_context(|context| {
        for blocks in [true, false] {
            let output: TakesNothing = glib::Object::new();
            let input = gio::MemoryInputStream::new();
            let framed = Framed::new(&gio::SimpleIOStream::new(&input, &output), Framing::Lines);
            let written = if blocks {
                framed.write_frame(b"one", NONE)
            } else {
                block_on(context, framed.write_frame_future(b"one"))
            };
            assert_fails(written, gio::IOErrorEnum::Failed);
            let why = framed.last_error().expect("noted");
            assert_eq!(code(&why), gio::IOErrorEnum::Failed);
        }
    });
}
