//! What frames look like on the stream: nothing here reads or writes.

use std::io::BufRead;

use super::{Framing, json};

/// How frames are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) framing: Framing,
    /// In bytes: 1, 2, 4 or 8.
    pub(super) prefix_size: usize,
    pub(super) byte_order: gio::DataStreamByteOrder,
    /// What ends a line that is sent.
    pub(super) crlf: bool,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            framing: Framing::Lines,
            prefix_size: 4,
            byte_order: gio::DataStreamByteOrder::BigEndian,
            crlf: false,
        }
    }
}

/// What stands before a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header {
    bytes: [u8; 8],
    length: u8,
}

impl Header {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Format {
    /// Of what is sent as it is.
    pub(super) fn bare() -> Self {
        Self {
            framing: Framing::LengthPrefixed,
            prefix_size: 0,
            ..Self::default()
        }
    }

    pub(super) fn is_line(&self) -> bool {
        !matches!(self.framing, Framing::LengthPrefixed)
    }

    fn is_little_endian(&self) -> bool {
        matches!(self.byte_order, gio::DataStreamByteOrder::LittleEndian)
            || cfg!(target_endian = "little")
                && matches!(self.byte_order, gio::DataStreamByteOrder::HostEndian)
    }

    /// The longest that the prefix can tell.
    fn most(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.prefix_size)
    }

    pub(super) fn header(&self, length: usize) -> Header {
        if self.is_line() {
            return Header::default();
        }
        let (size, length) = (self.prefix_size, length as u64);
        let mut bytes = [0; 8];
        if self.is_little_endian() {
            bytes[..size].copy_from_slice(&length.to_le_bytes()[..size]);
        } else {
            bytes[..size].copy_from_slice(&length.to_be_bytes()[8 - size..]);
        }
        Header {
            bytes,
            // At most 8.
            length: size as u8,
        }
    }

    pub(super) fn trailer(&self) -> &'static [u8] {
        match (self.is_line(), self.crlf) {
            (false, _) => b"",
            (true, false) => b"\n",
            (true, true) => b"\r\n",
        }
    }

    /// What the prefix says.
    pub(super) fn length(&self, prefix: &[u8]) -> u64 {
        let push = |length, byte: &u8| length << 8 | u64::from(*byte);
        if self.is_little_endian() {
            prefix.iter().rev().fold(0, push)
        } else {
            prefix.iter().fold(0, push)
        }
    }

    /// Whether the peer would get `frame` as it is.
    ///
    /// # Errors
    ///
    /// `MessageTooLarge`, `InvalidData`.
    pub(super) fn check_to_send(&self, frame: &[u8], most: u64) -> Result<(), glib::Error> {
        let length = frame.len() as u64;
        if length > most || !self.is_line() && length > self.most() {
            return Err(too_large());
        }
        if !self.is_line() {
            return Ok(());
        }
        if find_line_end(frame).is_some() || frame.ends_with(b"\r") {
            return Err(invalid("The frame has a line break in it"));
        }
        self.check_received(frame)
    }

    /// # Errors
    ///
    /// `InvalidData`.
    pub(super) fn check_received(&self, frame: &[u8]) -> Result<(), glib::Error> {
        if !matches!(self.framing, Framing::JsonLines) {
            return Ok(());
        }
        json::check(frame).map_err(|flaw| {
            invalid(match flaw {
                json::Flaw::NotUtf8 => "The line is not UTF-8",
                json::Flaw::Syntax => "The line is not one JSON text",
                json::Flaw::TooDeep => "The JSON text is nested too deeply",
            })
        })
    }
}

pub(super) fn find_line_end(mut bytes: &[u8]) -> Option<usize> {
    let all = bytes;
    // The standard library's way to memchr(3). Reading from memory does not fail.
    let count = bytes.skip_until(b'\n').unwrap_or(0);
    let end = count.checked_sub(1)?;
    (all[end] == b'\n').then_some(end)
}

pub(super) fn too_large() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::MessageTooLarge,
        "The frame is larger than may be",
    )
}

fn invalid(message: &str) -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::InvalidData, message)
}
