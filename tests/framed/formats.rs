//! Each framing at each of its bounds: sizes, ends, chunks, and what is no frame.

use std::{io::Write, thread};

use gio::{DataStreamByteOrder as Order, prelude::*};
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

const FRAMINGS: [Framing; 3] = [Framing::Lines, Framing::LengthPrefixed, Framing::JsonLines];

/// Two frames, and what they are on the stream.
fn example(framing: Framing) -> ([&'static str; 2], &'static [u8]) {
    match framing {
        Framing::LengthPrefixed => (["one", "second"], b"\0\0\0\x03one\0\0\0\x06second"),
        Framing::JsonLines => (["[1]", "{\"a\":null}"], b"[1]\n{\"a\":null}\r\n"),
        _ => (["one", "second"], b"one\r\nsecond\n"),
    }
}

fn framed(framing: Framing, bytes: &[u8]) -> Framed {
    Framed::new(&over_bytes(bytes), framing)
}

/// FRAMED-3.
#[test]
fn an_end_of_the_stream_inside_of_a_frame_is_an_error_at_each_byte() {
    for framing in FRAMINGS {
        let (frames, bytes) = example(framing);
        let first = bytes.len() - ending_of(framing, frames[1]);
        for end in 0..=bytes.len() {
            let framed = framed(framing, &bytes[..end]);
            let mut got = vec![next(&framed)];
            while got.last().is_some_and(|last| last != "END") {
                got.push(next(&framed));
            }
            let mut expected: Vec<&str> = Vec::new();
            if end >= first {
                expected.push(frames[0]);
            }
            if end == bytes.len() {
                expected.push(frames[1]);
            } else if end != 0 && end != first {
                expected.push("PartialInput");
            }
            expected.push("END");
            assert_eq!(got, expected, "{framing:?} {end}");
        }
    }
}

/// How many bytes the last frame takes.
fn ending_of(framing: Framing, frame: &str) -> usize {
    frame.len()
        + match framing {
            Framing::LengthPrefixed => 4,
            Framing::JsonLines => 2,
            _ => 1,
        }
}

#[test]
fn a_peer_that_sends_byte_by_byte_is_understood() {
    on_private_context(|context| {
        for framing in FRAMINGS {
            for read_ahead in [true, false] {
                let (frames, bytes) = example(framing);
                let (ours, mut theirs) = pair();
                let framed = Framed::builder()
                    .io_stream(&ours)
                    .framing(framing)
                    .read_ahead(read_ahead)
                    .build();
                let got = block_on(context, async move {
                    let mut got = Vec::new();
                    let reading = async {
                        while let Ok(Some(frame)) = framed.read_frame_future().await {
                            got.push(String::from_utf8_lossy(&frame).into_owned());
                        }
                    };
                    let sending = async {
                        for byte in bytes {
                            theirs.write_all(&[*byte]).expect("written");
                            glib::timeout_future(std::time::Duration::ZERO).await;
                        }
                        drop(theirs);
                    };
                    futures::join!(reading, sending);
                    got
                });
                assert_eq!(got, frames, "{framing:?}");
            }
        }
    });
}

#[test]
fn a_blocking_read_gets_them_byte_by_byte_too() {
    for framing in FRAMINGS {
        let (frames, bytes) = example(framing);
        let (ours, mut theirs) = pair();
        let sender = thread::spawn(move || {
            for byte in bytes {
                theirs.write_all(&[*byte]).expect("written");
            }
        });
        let framed = Framed::new(&ours, framing);
        for frame in frames.iter().chain(&["END"]) {
            assert_eq!(next(&framed), *frame);
        }
        sender.join().expect("sent");
    }
}

/// FRAMED-4.
#[test]
fn a_line_may_have_as_many_bytes_as_said_and_not_one_more() {
    for most in [0, 1, 2, 7, 100] {
        for length in 0..=most + 3 {
            for end in ["\n", "\r\n"] {
                let line = "x".repeat(length);
                let bytes = format!("{line}{end}next\n");
                let framed = lines(bytes.as_bytes());
                framed.set_max_frame_size(most as u64);
                let got = next(&framed);
                if length <= most {
                    assert_eq!(got, line, "{most} {length} {end:?}");
                } else {
                    assert_eq!(got, "MessageTooLarge", "{most} {length} {end:?}");
                }
                framed.set_max_frame_size(100);
                assert_eq!(next(&framed), "next", "{most} {length} {end:?}");
            }
        }
    }
}

#[test]
fn the_rest_of_a_line_that_is_too_long_is_passed_over_as_it_comes() {
    for length in [9, 10, 11, 12, 5_000, 300_000] {
        for end in ["\n", "\r\n"] {
            let bytes = format!("{}{end}next\n", "x".repeat(length));
            let (ours, mut theirs) = pair();
            let sender = thread::spawn(move || {
                for chunk in bytes.as_bytes().chunks(4_001) {
                    theirs.write_all(chunk).expect("written");
                }
            });
            let framed = Framed::new(&ours, Framing::Lines);
            framed.set_max_frame_size(8);
            assert_eq!(next(&framed), "MessageTooLarge");
            assert_eq!(next(&framed), "next");
            assert_eq!(next(&framed), "END");
            sender.join().expect("sent");
        }
    }
}

#[test]
fn a_line_that_is_too_long_and_does_not_end_is_both() {
    let framed = lines(b"0123456789");
    framed.set_max_frame_size(4);
    for expected in ["MessageTooLarge", "PartialInput", "END"] {
        assert_eq!(next(&framed), expected);
    }
}

/// FRAMED-4.
#[test]
fn a_frame_with_a_length_may_have_as_many_bytes_as_said_and_not_one_more() {
    for length in 0..8_u8 {
        let mut bytes = vec![0, 0, 0, length];
        bytes.extend(std::iter::repeat_n(b'x', length.into()));
        bytes.extend(b"\0\0\0\x01n");
        let framed = prefixed(&bytes).max_frame_size(4).build();
        let expected = if length <= 4 {
            "x".repeat(length.into())
        } else {
            "MessageTooLarge".to_owned()
        };
        assert_eq!(next(&framed), expected);
        assert_eq!(next(&framed), "n");
    }
}

#[test]
fn lengths_are_of_each_size_and_order() {
    for (size, order, bytes) in [
        (1, Order::BigEndian, &b"\x03one"[..]),
        (1, Order::LittleEndian, b"\x03one"),
        (2, Order::BigEndian, b"\0\x03one"),
        (2, Order::LittleEndian, b"\x03\0one"),
        (4, Order::BigEndian, b"\0\0\0\x03one"),
        (4, Order::LittleEndian, b"\x03\0\0\0one"),
        (8, Order::BigEndian, b"\0\0\0\0\0\0\0\x03one"),
        (8, Order::LittleEndian, b"\x03\0\0\0\0\0\0\0one"),
    ] {
        let framed = prefixed(bytes).prefix_size(size).byte_order(order).build();
        assert_eq!(next(&framed), "one");
        assert_eq!(next(&framed), "END");
        let output = gio::MemoryOutputStream::new_resizable();
        let stream = gio::SimpleIOStream::new(&gio::MemoryInputStream::new(), &output);
        framed.set_io_stream(Some(&stream));
        framed.send(b"one").expect("queued");
        framed.close(NONE).expect("closed");
        assert_eq!(&output.steal_as_bytes()[..], bytes);
    }
    let host = if cfg!(target_endian = "little") {
        b"\x03\0one"
    } else {
        b"\0\x03one"
    };
    let framed = prefixed(host).prefix_size(2).byte_order(Order::HostEndian);
    assert_eq!(next(&framed.build()), "one");
}

#[test]
fn the_largest_length_that_a_prefix_can_tell_is_no_trouble() {
    let largest = [0xff; 8];
    for size in [1_u32, 2, 4, 8] {
        let framed = prefixed(&largest[..size as usize])
            .prefix_size(size)
            .max_frame_size(10)
            .build();
        assert_eq!(next(&framed), "MessageTooLarge");
        assert_eq!(next(&framed), "PartialInput");
        assert_eq!(next(&framed), "END");
    }
    // Not even where anything may be.
    let framed = prefixed(&largest).prefix_size(8).max_frame_size(u64::MAX);
    let framed = framed.build();
    assert_eq!(next(&framed), "MessageTooLarge");
}

/// FRAMED-5.
#[test]
fn a_frame_that_a_prefix_cannot_tell_is_not_sent() {
    let framed = prefixed(b"").prefix_size(1).build();
    framed.send(&[0; 255]).expect("queued");
    assert_fails(framed.send(&[0; 256]), gio::IOErrorEnum::MessageTooLarge);
    let framed = prefixed(b"").max_frame_size(3).build();
    framed.send(b"one").expect("queued");
    assert_fails(framed.send(b"four"), gio::IOErrorEnum::MessageTooLarge);
    assert_eq!(framed.pending_frames(), 1);
}

/// FRAMED-5.
#[test]
fn a_line_that_would_come_out_as_another_is_not_sent() {
    let framed = lines(b"");
    for bad in [&b"a\nb"[..], b"\n", b"a\n", b"a\r", b"\r"] {
        assert_fails(framed.send(bad), gio::IOErrorEnum::InvalidData);
        assert_fails(framed.write_frame(bad, NONE), gio::IOErrorEnum::InvalidData);
    }
    for good in [&b""[..], b"a\rb", b"\0\xff"] {
        framed.send(good).expect("queued");
    }
    let framed = json(b"");
    for bad in ["", " ", "{", "[1]\n", "[\n1]", "nul", "{}\r"] {
        assert_fails(framed.send(bad.as_bytes()), gio::IOErrorEnum::InvalidData);
    }
    assert_eq!(framed.pending_frames(), 0);
}

#[test]
fn large_frames_come_whole() {
    for framing in FRAMINGS {
        let frame = match framing {
            Framing::JsonLines => format!("\"{}\"", "x".repeat(900_000)),
            _ => "x".repeat(1024 * 1024),
        };
        let (ours, theirs) = pair();
        let expected = frame.clone();
        let reader = thread::spawn(move || {
            let theirs = Framed::new(&over(theirs), framing);
            let got = [next(&theirs), next(&theirs)];
            assert_eq!(got[0].len(), expected.len());
            assert!(got.iter().all(|got| *got == expected));
        });
        let theirs = Framed::new(&ours, framing);
        for _ in 0..2 {
            theirs.write_frame(frame.as_bytes(), NONE).expect("written");
        }
        reader.join().expect("read");
    }
}
