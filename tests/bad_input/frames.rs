//! Framed input: lengths at every boundary, and JSON with every byte another one.

use std::io::Write;
use std::os::unix::net::UnixStream;

use gio::{Cancellable, IOErrorEnum as E};
use gsock::{Framed, Framing, SocketConnection};

use crate::{cases::*, support::*};

const NONE: Option<&Cancellable> = Cancellable::NONE;

/// A connection on which this has come, and the end.
fn over(bytes: &[u8]) -> SocketConnection {
    let (ours, mut peer) = UnixStream::pair().expect("a pair");
    peer.write_all(bytes).expect("there is room");
    SocketConnection::factory_create_connection_from_fd(ours.into()).expect("a socket")
}

#[derive(Clone, Copy, Debug)]
struct Length {
    size: u32,
    little: bool,
    says: u64,
    there: usize,
    most: u64,
}

#[test]
fn a_length_is_believed_as_far_as_may_be_and_as_there_is_something() {
    on_private_context_within(LIMIT * 8, |_| {
        let mut cases = Vec::new();
        for size in [1, 2, 4, 8] {
            let top = u64::MAX >> (64 - 8 * size);
            let around = (0..8 * u64::from(size)).flat_map(|bit| {
                let power = 1_u64 << bit;
                [power - 1, power, power.saturating_add(1)]
            });
            let mut says: Vec<u64> = around
                .chain([top - 1, top, 99, 100, 101])
                .filter(|it| *it <= top)
                .collect();
            says.sort_unstable();
            says.dedup();
            for says in says {
                for little in [false, true] {
                    for most in [0, 100, 65_536, u64::MAX] {
                        for there in [0, 1, 100] {
                            cases.push(Length {
                                size,
                                little,
                                says,
                                there,
                                most,
                            });
                        }
                    }
                }
            }
        }
        judge(
            "lengths before frames",
            &cases,
            |case| format!("{case:?}"),
            |case, _| {
                let size = case.size as usize;
                let prefix = if case.little {
                    case.says.to_le_bytes()[..size].to_vec()
                } else {
                    case.says.to_be_bytes()[8 - size..].to_vec()
                };
                let bytes = [prefix, vec![b'x'; case.there]].concat();
                let order = if case.little {
                    gio::DataStreamByteOrder::LittleEndian
                } else {
                    gio::DataStreamByteOrder::BigEndian
                };
                let framed = Framed::builder()
                    .io_stream(&over(&bytes))
                    .framing(Framing::LengthPrefixed)
                    .prefix_size(case.size)
                    .byte_order(order)
                    .max_frame_size(case.most)
                    .build();
                let read = framed.read_frame(NONE);
                let found = read.map(|frame| frame.map(|frame| frame.len() as u64));
                let found = found.map_err(|failure| code(&failure));
                // With its length before it that would be more than can be counted.
                let is_too_much = case.says > case.most || case.says.checked_add(8).is_none();
                let expected = if is_too_much {
                    Err(E::MessageTooLarge)
                } else if case.says > case.there as u64 {
                    Err(E::PartialInput)
                } else {
                    Ok(Some(case.says))
                };
                if found == expected {
                    Ok(())
                } else {
                    Err(format!("{found:?} and not {expected:?}"))
                }
            },
        );
    });
}

#[test]
fn a_line_of_json_with_another_byte_is_taken_where_it_is_json_still() {
    on_private_context_within(LIMIT * 8, |_| {
        const TEXT: &[u8] = br#"{"a\u00e9":[1,-2.5e1,true,null,"b\\"],"c":{}} "#;
        let mut cases = mutations(TEXT, |_| true);
        for length in 0..TEXT.len() {
            cases.push((length, 0, TEXT[..length].to_vec()));
        }
        let label = |(at, byte, text): &(usize, u8, Vec<u8>)| {
            format!(
                "byte {at} is {byte:#04x}: {:?}",
                String::from_utf8_lossy(text)
            )
        };
        judge(
            "JSON with another byte",
            &cases,
            label,
            |(_, _, text), _| {
                let bytes = [&text[..], b"\n[]\n"].concat();
                let framed = Framed::new(&over(&bytes), Framing::JsonLines);
                // Somebody else's opinion, of each line; blank ones are nobody's.
                for line in bytes
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.trim_ascii().is_empty())
                {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    let expected = serde_json::from_slice::<serde_json::Value>(line).is_ok();
                    let found = framed.read_frame(NONE);
                    let is_right = match &found {
                        Ok(Some(frame)) => expected && frame[..] == *line,
                        Ok(None) => false,
                        Err(failure) => !expected && code(failure) == E::InvalidData,
                    };
                    // Half a pair of surrogates is within the grammar, and nothing to somebody else.
                    let is_open = line
                        .windows(3)
                        .any(|three| three.eq_ignore_ascii_case(br"\ud"));
                    if !(is_right || is_open && matches!(found, Ok(Some(_)))) {
                        return Err(format!("{line:?}: {found:?}, {expected}"));
                    }
                }
                match framed.read_frame(NONE) {
                    Ok(None) => Ok(()),
                    other => Err(format!("{other:?} at the end")),
                }
            },
        );
    });
}
