//! What both versions say to each other: one JSON value a line.
//!
//! A client asks `{"id":1,"method":"version","params":null}`. The server answers `{"id":1,"result":…}` or
//! `{"id":1,"error":"…"}`; an answer with `"fd":true` is followed by a descriptor, with the zero byte that it travels
//! with. In between come events, `{"event":"title","data":…}`.

use std::{collections::BTreeMap, os::fd::OwnedFd, time::Duration};

use futures::channel::oneshot;
use gio::IOErrorEnum as E;
use serde_json::{Value, json};

/// What each side bears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a line, without its end.
    pub(crate) max_line: usize,
    /// Bytes that may wait for a peer to read.
    pub(crate) max_pending: usize,
    /// Before the second attempt to connect; each one after that waits up to twice as long as the one before.
    pub(crate) first_delay: Duration,
    pub(crate) longest_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line: 64 << 10,
            max_pending: 256 << 10,
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(5),
        }
    }
}

/// What a call comes to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Value,
    pub(crate) fd: Option<OwnedFd>,
}

impl From<Value> for Answer {
    fn from(result: Value) -> Self {
        Self { result, fd: None }
    }
}

/// Answers a method and its parameters, or says what is wrong.
pub(crate) type Handler = dyn Fn(&str, &Value) -> Result<Answer, String>;

/// Is told of each event by its name.
pub(crate) type Listener = dyn Fn(&str, &Value);

/// A line, and the descriptor that follows it.
pub(crate) type Line = (Vec<u8>, Option<OwnedFd>);

/// What to answer to a line, or to one that could not be read, in at most so many bytes.
pub(crate) fn answer_to(
    line: Result<&[u8], &glib::Error>,
    handler: &Handler,
    max_line: usize,
) -> Line {
    let asked = match line {
        Ok(line) => serde_json::from_slice::<Value>(line).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (id, outcome) = match asked {
        Err(error) => (Value::Null, Err(error)),
        Ok(asked) => match (asked["id"].as_u64(), asked["method"].as_str()) {
            (Some(id), Some(method)) => (id.into(), handler(method, &asked["params"])),
            _ => (asked["id"].clone(), Err("no request".to_owned())),
        },
    };
    let failure = |error: &str| line_of(&json!({"id": id, "error": error}));
    let (line, fd) = match outcome {
        Err(error) => (failure(&error), None),
        Ok(Answer { result, fd: None }) => (line_of(&json!({"id": id, "result": result})), None),
        Ok(Answer { result, fd }) => (
            line_of(&json!({"id": id, "result": result, "fd": true})),
            fd,
        ),
    };
    if line.len() > max_line {
        return (failure("the answer is too long"), None);
    }
    (line, fd)
}

pub(crate) fn event(name: &str, data: &Value) -> Vec<u8> {
    line_of(&json!({"event": name, "data": data}))
}

/// What a client is told, as soon as there is room, that was too slow for so many events.
pub(crate) fn lost(count: u64) -> Vec<u8> {
    event("lost", &count.into())
}

/// Without the end of the line.
fn line_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// What a client reads.
#[derive(Debug)]
pub(crate) enum Message {
    Event(String, Value),
    Answer {
        id: u64,
        outcome: Result<Value, String>,
        has_fd: bool,
    },
}

impl Message {
    pub(crate) fn parse(line: &[u8]) -> Result<Self, glib::Error> {
        let wrong = |why: &str| glib::Error::new(E::InvalidData, why);
        let mut value: Value =
            serde_json::from_slice(line).map_err(|error| wrong(&error.to_string()))?;
        if let Some(name) = value["event"].as_str() {
            return Ok(Self::Event(name.to_owned(), value["data"].take()));
        }
        let error = value["error"].as_str().map(str::to_owned);
        Ok(Self::Answer {
            id: value["id"].as_u64().ok_or_else(|| {
                wrong(error.as_deref().unwrap_or("neither an event nor an answer"))
            })?,
            has_fd: value["fd"] == true,
            outcome: error.map_or_else(|| Ok(value["result"].take()), Err),
        })
    }
}

pub(crate) type Answered = oneshot::Receiver<Result<Answer, glib::Error>>;

/// The calls of a client that have no answer yet, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Answer, glib::Error>>>,
}

impl Calls {
    /// The number, the line to send, and where the answer will be.
    pub(crate) fn begin(&mut self, method: &str, params: &Value) -> (u64, Vec<u8>, Answered) {
        let (answer, answered) = oneshot::channel();
        self.last += 1;
        self.waiting.insert(self.last, answer);
        let line = line_of(&json!({"id": self.last, "method": method, "params": params}));
        (self.last, line, answered)
    }

    /// It was not sent after all.
    pub(crate) fn give_up(&mut self, id: u64) {
        self.waiting.remove(&id);
    }

    pub(crate) fn end(&mut self, id: u64, outcome: Result<Answer, String>) {
        if let Some(waiting) = self.waiting.remove(&id) {
            // Who asked may have gone.
            let _ = waiting.send(outcome.map_err(|error| glib::Error::new(E::Failed, &error)));
        }
    }

    /// The connection has ended. All but those that are still in the queue, which come last, will not be answered:
    /// whether they were carried out nobody can tell.
    pub(crate) fn fail_sent(&mut self, queued: usize) {
        while self.waiting.len() > queued
            && let Some((_, waiting)) = self.waiting.pop_first()
        {
            let _ = waiting.send(Err(gone()));
        }
    }
}

/// How a call fails whose answer cannot come any more.
pub(crate) fn gone() -> glib::Error {
    glib::Error::new(E::BrokenPipe, "The connection has ended before the answer")
}
