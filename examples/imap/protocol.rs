//! What the words of IMAP mean (RFC 9051), for both versions of the session: no bytes move here.

use std::mem;

/// What the server says without being asked, when the mailbox changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// So many messages are there now.
    Exists(u32),
    /// The message of this number is gone, and those behind it have moved up.
    Expunged(u32),
}

/// What the server says.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The end of the command with this tag.
    Ended {
        tag: String,
        outcome: Result<(), glib::Error>,
    },
    /// It waits for more of the command.
    GoOn,
    Change(Change),
    Message {
        number: u32,
        body: Vec<u8>,
    },
    Other(String),
}

/// A reply as it comes in: a line, or several with an announced number of bytes after each but the last.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    text: String,
    literals: Vec<Vec<u8>>,
    due: Option<usize>,
}

impl Incoming {
    /// How many bytes come next that are no line.
    pub(crate) fn due(&self) -> Option<usize> {
        self.due
    }

    /// Takes those bytes.
    pub(crate) fn put_literal(&mut self, bytes: Vec<u8>) {
        self.due = None;
        self.literals.push(bytes);
    }

    /// Takes a line without its end, and answers the reply that it was the end of.
    pub(crate) fn put_line(&mut self, line: &[u8]) -> Result<Option<Reply>, glib::Error> {
        let line = std::str::from_utf8(line).map_err(|_| strange(&line.escape_ascii()))?;
        self.text.push_str(line);
        if let Some(announced) = line.strip_suffix('}').and_then(|it| it.rsplit_once('{')) {
            let length = announced.1.parse().map_err(|_| strange(&line))?;
            self.due = Some(length);
            return Ok(None);
        }
        let Self { text, literals, .. } = mem::take(self);
        parse(&text, literals).map(Some)
    }
}

fn parse(text: &str, mut literals: Vec<Vec<u8>>) -> Result<Reply, glib::Error> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    match first {
        "+" => return Ok(Reply::GoOn),
        "*" => {}
        tag => {
            let outcome = match rest.split(' ').next() {
                Some("OK") => Ok(()),
                Some("NO" | "BAD") => Err(refused(rest)),
                _ => return Err(strange(&text)),
            };
            let tag = tag.to_owned();
            return Ok(Reply::Ended { tag, outcome });
        }
    }
    let mut words = rest.splitn(3, ' ');
    let number = words.next().and_then(|word| word.parse().ok());
    Ok(match (number, words.next(), literals.pop()) {
        (Some(number), Some("EXISTS"), None) => Reply::Change(Change::Exists(number)),
        (Some(number), Some("EXPUNGE"), None) => Reply::Change(Change::Expunged(number)),
        (Some(number), Some("FETCH"), Some(body)) => Reply::Message { number, body },
        _ => Reply::Other(rest.to_owned()),
    })
}

/// An argument that may be any text without a line break, which would end the command and begin another.
pub(crate) fn quoted(text: &str) -> Result<String, glib::Error> {
    if text.contains(['\r', '\n']) {
        let message = "An argument has a line break in it";
        return Err(error(gio::IOErrorEnum::InvalidData, message));
    }
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{text}\""))
}

pub(crate) fn error(code: gio::IOErrorEnum, message: &str) -> glib::Error {
    glib::Error::new(code, message)
}

fn refused(text: &str) -> glib::Error {
    error(
        gio::IOErrorEnum::Failed,
        &format!("The server answers {text}"),
    )
}

fn strange(text: &dyn std::fmt::Display) -> glib::Error {
    error(
        gio::IOErrorEnum::InvalidData,
        &format!("This is not IMAP: {text}"),
    )
}
