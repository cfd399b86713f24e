//! Any frames in any pieces, by seeds: what a frame is on the stream is said here a second time, the simple way.

use std::{
    io::{Read, Write},
    thread,
};

use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// A generator that is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn size(&mut self) -> usize {
        match self.below(8) {
            0 => 0,
            1..=4 => self.below(40),
            5 | 6 => self.below(3_000),
            _ => self.below(100_000),
        }
    }

    fn frame(&mut self, framing: Framing) -> Vec<u8> {
        let size = self.size();
        let mut bytes: Vec<u8> = (0..size).map(|_| self.next() as u8).collect();
        match framing {
            Framing::LengthPrefixed => bytes,
            Framing::JsonLines => {
                let text: String = bytes
                    .iter()
                    .map(|byte| char::from(b' ' + byte % 64))
                    .collect();
                format!("[\"{}\"]", text.replace(['"', '\\'], "_")).into_bytes()
            }
            _ => {
                bytes
                    .iter_mut()
                    .filter(|byte| **byte == b'\n')
                    .for_each(|byte| *byte = b'x');
                if let Some(last) = bytes.last_mut().filter(|last| **last == b'\r') {
                    *last = b'x';
                }
                bytes
            }
        }
    }
}

fn on_the_stream(framing: Framing, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if framing == Framing::LengthPrefixed {
        bytes.extend((frame.len() as u32).to_be_bytes());
    }
    bytes.extend(frame);
    if framing != Framing::LengthPrefixed {
        bytes.push(b'\n');
    }
    bytes
}

struct Case {
    framing: Framing,
    frames: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    random: Random,
}

fn case(seed: u64) -> Case {
    let mut random = Random(seed);
    let framing = [Framing::Lines, Framing::LengthPrefixed, Framing::JsonLines][random.below(3)];
    let count = 1 + random.below(60);
    let frames: Vec<_> = (0..count).map(|_| random.frame(framing)).collect();
    let bytes = frames
        .iter()
        .flat_map(|frame| on_the_stream(framing, frame))
        .collect();
    Case {
        framing,
        frames,
        bytes,
        random,
    }
}

const SEEDS: u64 = 40;

#[test]
fn any_frames_are_read_from_any_pieces() {
    on_private_context_within(LIMIT * 3, |context| {
        for seed in 0..SEEDS {
            let Case {
                framing,
                frames,
                bytes,
                mut random,
            } = case(seed);
            let kind = random.below(KINDS);
            // Byte by byte takes its time.
            let is_much = kind != 0 && bytes.len() > 10_000;
            let read_ahead = is_much || random.below(4) != 0;
            let (ours, base, mut theirs) = stream_of(kind);
            let mut piece = Random(random.next());
            let sender = thread::spawn(move || {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let count = (1 + piece.size()).min(rest.len());
                    theirs.write_all(&rest[..count]).expect("written");
                    rest = &rest[count..];
                }
            });
            let framed = Framed::builder().io_stream(&ours).framing(framing).build();
            framed.set_read_ahead(read_ahead);
            for frame in &frames {
                let got = match random.below(3) {
                    0 => block_on(context, framed.read_frame_future()),
                    // A read that is given up loses nothing.
                    1 if kind != UNPOLLABLE => {
                        let given_up =
                            futures::future::FutureExt::now_or_never(framed.read_frame_future());
                        given_up.unwrap_or_else(|| framed.read_frame(NONE))
                    }
                    _ => framed.read_frame(NONE),
                };
                let got = got.expect("a frame").expect("not the end");
                assert!(
                    got == frame[..],
                    "seed {seed}: {} bytes, not {}",
                    got.len(),
                    frame.len()
                );
            }
            assert_eq!(next(&framed), "END", "seed {seed}");
            sender.join().expect("sent");
            drop(base);
        }
    });
}

#[test]
fn any_frames_are_written_as_they_should_be() {
    on_private_context_within(LIMIT * 3, |context| {
        for seed in 0..SEEDS {
            let Case {
                framing,
                frames,
                bytes,
                mut random,
            } = case(seed + 1_000);
            let kind = random.below(KINDS);
            let (ours, base, mut theirs) = stream_of(kind);
            let reader = thread::spawn(move || {
                let mut got = Vec::new();
                theirs.read_to_end(&mut got).expect("the end");
                got
            });
            let framed = Framed::builder()
                .io_stream(&ours)
                .framing(framing)
                .max_pending_bytes(1 + random.below(200_000) as u64)
                .build();
            for frame in &frames {
                match random.below(4) {
                    0 if kind != UNPOLLABLE => framed.write_frame(frame, NONE).expect("written"),
                    1 => {
                        let write = framed.write_frame_future(frame);
                        block_on(context, write).expect("written");
                    }
                    _ => {
                        while let Err(failure) = framed.send(frame) {
                            assert_eq!(code(&failure), gio::IOErrorEnum::WouldBlock);
                            block_on(context, framed.flush_future()).expect("flushed");
                        }
                    }
                }
            }
            block_on(context, framed.close_future()).expect("closed");
            drop((framed, ours, base));
            let got = reader.join().expect("read");
            assert!(
                got == bytes,
                "seed {seed}: {} bytes, not {}",
                got.len(),
                bytes.len()
            );
        }
    });
}
