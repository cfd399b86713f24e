//! Framed input: whole and in pieces it is the same, and what is said to be a frame is one.

use gio::{Cancellable, prelude::*};
use gsock::{Framed, Framing};

use super::{bytes::Bytes, support::*};

const NONE: Option<&Cancellable> = Cancellable::NONE;

#[derive(Clone, Copy)]
struct Format {
    framing: Framing,
    prefix_size: u32,
    byte_order: gio::DataStreamByteOrder,
    most: u64,
    read_ahead: bool,
}

impl Format {
    fn over(&self, stream: &impl IsA<gio::IOStream>, read_ahead: bool) -> Framed {
        Framed::builder()
            .io_stream(stream)
            .framing(self.framing)
            .prefix_size(self.prefix_size)
            .byte_order(self.byte_order)
            .max_frame_size(self.most)
            .read_ahead(read_ahead)
            .build()
    }

    fn prefix(&self, length: usize) -> Vec<u8> {
        let size = self.prefix_size as usize;
        if self.byte_order == gio::DataStreamByteOrder::LittleEndian {
            (length as u64).to_le_bytes()[..size].to_vec()
        } else {
            (length as u64).to_be_bytes()[8 - size..].to_vec()
        }
    }
}

type Read = Result<Option<Vec<u8>>, gio::IOErrorEnum>;

/// All that there is to read, to the end.
fn all(framed: &Framed, most: usize) -> Vec<Read> {
    let mut reads = Vec::new();
    loop {
        let read = framed.read_frame(NONE);
        let read = read.map(|frame| frame.map(|frame| frame.to_vec()));
        let read = read.map_err(|failure| code(&failure));
        let is_end = read == Ok(None);
        reads.push(read);
        if is_end {
            return reads;
        }
        assert!(reads.len() <= most, "more than there are bytes");
    }
}

fn over_pieces(pieces: &[&[u8]]) -> gio::IOStream {
    let input = gio::MemoryInputStream::new();
    for piece in pieces {
        input.add_bytes(&glib::Bytes::from(*piece));
    }
    let output = gio::MemoryOutputStream::new_resizable();
    gio::SimpleIOStream::new(&input, &output).upcast()
}

pub fn one(data: &[u8], _: &glib::MainContext) {
    let mut bytes = Bytes(data);
    let format = Format {
        framing: [Framing::Lines, Framing::LengthPrefixed, Framing::JsonLines][bytes.below(3)],
        prefix_size: [1, 2, 4, 8][bytes.below(4)],
        byte_order: if bytes.byte() & 1 == 0 {
            gio::DataStreamByteOrder::BigEndian
        } else {
            gio::DataStreamByteOrder::LittleEndian
        },
        most: [5, 100, 70_000][bytes.below(3)],
        read_ahead: bytes.byte() & 1 == 0,
    };
    let piece = 1 + bytes.below(40);
    let input = bytes.0;
    let most = input.len() + 2;

    let whole = all(&format.over(&over_pieces(&[input]), true), most);
    let pieces: Vec<&[u8]> = input.chunks(piece).collect();
    let in_pieces = all(&format.over(&over_pieces(&pieces), format.read_ahead), most);
    assert_eq!(whole, in_pieces);

    let frames: Vec<&Vec<u8>> = whole.iter().flatten().flatten().collect();
    assert!(frames.iter().all(|frame| frame.len() as u64 <= format.most));
    match format.framing {
        Framing::LengthPrefixed if whole.iter().all(Result::is_ok) => {
            let again: Vec<u8> = frames
                .iter()
                .flat_map(|frame| [format.prefix(frame.len()), frame.to_vec()].concat())
                .collect();
            assert_eq!(again, input);
        }
        Framing::JsonLines => {
            for frame in &frames {
                assert!(std::str::from_utf8(frame).is_ok());
            }
            let mut frames = frames.iter();
            let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
            // What has no end is none.
            lines.pop();
            for line in lines {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let is_one = serde_json::from_slice::<serde_json::Value>(line).is_ok();
                if is_one && (line.len() as u64) < format.most {
                    assert!(frames.any(|frame| frame[..] == *line), "{line:?}");
                }
            }
        }
        _ => {}
    }

    // What is sent is what is read again.
    let output = gio::MemoryOutputStream::new_resizable();
    let stream = gio::SimpleIOStream::new(&gio::MemoryInputStream::new(), &output);
    let sender = format.over(&stream, true);
    let mut sent = Vec::new();
    for frame in frames {
        if sender.write_frame(&frame[..], NONE).is_ok() {
            sent.push(Ok(Some(frame.clone())));
        }
    }
    sent.push(Ok(None));
    output.close(NONE).expect("memory");
    let written = output.steal_as_bytes();
    assert_eq!(
        all(
            &format.over(&over_pieces(&[&written]), true),
            written.len() + 2
        ),
        sent
    );
}
