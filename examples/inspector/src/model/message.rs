//! What was sent or received at once.

use std::{
    cell::{Cell, RefCell},
    fmt::Write,
};

use glib::{prelude::*, subclass::prelude::*};

/// Bytes in a line of hexadecimal digits: as many as there is room for in a narrow window.
const COLUMNS: usize = 8;

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Message)]
    pub struct Message {
        #[property(get, set, construct_only)]
        sent: Cell<bool>,
        #[property(get, set, construct_only)]
        length: Cell<u64>,
        #[property(get, set, construct_only)]
        text: RefCell<String>,
        #[property(get, set, construct_only)]
        hex: RefCell<String>,
        #[property(get, set, construct_only)]
        time: RefCell<String>,
        /// Whether it is shown in hexadecimal digits.
        #[property(get, set)]
        as_hex: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Message {
        const NAME: &'static str = "InspectorMessage";
        type Type = super::Message;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Message {}
}

glib::wrapper! {
    /// Bytes that went one way.
    pub struct Message(ObjectSubclass<imp::Message>);
}

impl Message {
    /// As of now.
    #[must_use]
    pub fn new(sent: bool, bytes: &[u8]) -> Self {
        let time = glib::DateTime::now_local().and_then(|now| now.format("%T"));
        glib::Object::builder()
            .property("sent", sent)
            .property("length", bytes.len() as u64)
            .property("text", readable(bytes))
            .property("hex", dump(bytes))
            .property("time", time.map(String::from).unwrap_or_default())
            .build()
    }
}

/// Text with a picture for each control character but the line break.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    for character in text.trim_end_matches(['\r', '\n']).chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\r' => {}
            // U+2400 and on: SYMBOL FOR NULL and its like.
            '\0'..'\u{20}' => shown.extend(char::from_u32(0x2400 + u32::from(character))),
            '\u{7f}' => shown.push('\u{2421}'),
            _ => shown.push(character),
        }
    }
    shown
}

/// Lines of digits, with what of it is ASCII beside them.
fn dump(bytes: &[u8]) -> String {
    let mut lines = Vec::new();
    for line in bytes.chunks(COLUMNS) {
        let mut digits = String::new();
        let mut ascii = String::new();
        for &byte in line {
            // A String takes whatever is written to it.
            let _ = write!(digits, "{byte:02x} ");
            let is_visible = byte.is_ascii_graphic() || byte == b' ';
            ascii.push(if is_visible { char::from(byte) } else { '·' });
        }
        lines.push(format!("{digits:<width$} {ascii}", width = 3 * COLUMNS));
    }
    lines.join("\n")
}

/// The bytes that pairs of hexadecimal digits stand for; none where something else is among them.
#[must_use]
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(16 * pair[0] + pair[1]).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{dump, parse_hex, readable};

    #[test]
    fn pairs_of_digits_are_bytes_and_nothing_else_is() {
        assert_eq!(parse_hex("48 65 6C6c 6f"), Some(b"Hello".to_vec()));
        assert_eq!(parse_hex(" \n"), Some(Vec::new()));
        assert_eq!(parse_hex("48 6"), None);
        assert_eq!(parse_hex("0x48"), None);
        assert_eq!(parse_hex("４８"), None);
    }

    #[test]
    fn lines_of_a_dump_stand_below_each_other() {
        assert_eq!(
            dump(b"A line\r\nand"),
            "41 20 6c 69 6e 65 0d 0a  A line··\n61 6e 64                 and"
        );
        assert_eq!(dump(b""), "");
    }

    #[test]
    fn control_characters_are_seen() {
        assert_eq!(readable(b"a\0b\x7f\r\nc\n"), "a\u{2400}b\u{2421}\nc");
        assert_eq!(readable(b"\xff"), "\u{fffd}");
    }
}
