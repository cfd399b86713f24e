//! A connection's part of the talk, in futures and by callbacks.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{ReadHalf, SocketConnection, WriteHalf};

use crate::{
    frames::{Ending, Plan},
    support::*,
};

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;
/// How much is read at once.
const ROOM: usize = 4096;

/// What a connection is read and written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Halves,
    Gio,
    Direct,
}

/// How many connections have come how far.
#[derive(Default)]
pub(crate) struct Tally {
    waiting: Cell<usize>,
    ended: Cell<usize>,
}

impl Tally {
    /// For a read that our close is to end.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.get()
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.get()
    }

    fn waits(&self) {
        self.waiting.set(self.waiting.get() + 1);
    }

    /// Has it waited, it waits no more.
    fn ends(&self, plan: Plan) {
        if plan.ending() == Ending::ClosedWaiting {
            self.waiting.set(self.waiting.get() - 1);
        }
        self.ended.set(self.ended.get() + 1);
    }
}

/// What is left of the frame that comes back.
struct Expected(Vec<u8>);

impl Expected {
    /// Whether it is whole now.
    fn is_met(&mut self, bytes: &[u8], plan: Plan) -> bool {
        assert!(!bytes.is_empty(), "{plan:?}: an end before its time");
        assert!(self.0.starts_with(bytes), "{plan:?}: other bytes came back");
        self.0.drain(..bytes.len());
        self.0.is_empty()
    }
}

/// What the read after the last frame must say.
fn check_the_end(plan: Plan, end: Result<usize, glib::Error>) {
    match plan.ending() {
        Ending::Finished => assert_eq!(end.expect("an orderly end"), 0, "{plan:?}"),
        Ending::Reset => assert_fails(end, E::BrokenPipe),
        Ending::ClosedWaiting => assert_fails(end, E::Closed),
        Ending::ClosedIdle => panic!("{plan:?}: no such read"),
    }
}

pub(crate) async fn talk_in_halves(
    (mut reader, mut writer): (ReadHalf, WriteHalf),
    plan: Plan,
    tally: Rc<Tally>,
) {
    let mut buffer = vec![0; ROOM];
    for count in 0..plan.frames() {
        let frame = plan.frame(count);
        writer.write_all(&frame).await.expect("a peer");
        if count >= plan.echoed() {
            break;
        }
        let mut expected = Expected(frame);
        loop {
            let count = reader.read(&mut buffer).await.expect("a peer");
            if expected.is_met(&buffer[..count], plan) {
                break;
            }
        }
    }
    if plan.ending() == Ending::ClosedWaiting {
        tally.waits();
    }
    if plan.ending() != Ending::ClosedIdle {
        check_the_end(plan, reader.read(&mut buffer).await);
    }
    tally.ends(plan);
}

/// The same by callbacks, each of which starts what comes next.
pub(crate) struct Talk {
    connection: SocketConnection,
    plan: Plan,
    tally: Rc<Tally>,
    sent: Cell<usize>,
    /// None where the end is awaited.
    expected: RefCell<Option<Expected>>,
}

impl Talk {
    pub(crate) fn start(connection: &SocketConnection, plan: Plan, tally: &Rc<Tally>) {
        let talk = Rc::new(Self {
            connection: connection.clone(),
            plan,
            tally: tally.clone(),
            sent: Cell::new(0),
            expected: RefCell::new(None),
        });
        talk.next();
    }

    fn next(self: Rc<Self>) {
        let (plan, count) = (self.plan, self.sent.get());
        if count < plan.frames() {
            let frame = plan.frame(count);
            self.sent.set(count + 1);
            if count < plan.echoed() {
                self.expected.replace(Some(Expected(frame.clone())));
            }
            return self.send(frame);
        }
        if plan.ending() == Ending::ClosedIdle {
            return self.tally.ends(plan);
        }
        if plan.ending() == Ending::ClosedWaiting {
            self.tally.waits();
        }
        self.receive();
    }

    fn send(self: Rc<Self>, bytes: Vec<u8>) {
        let connection = self.connection.clone();
        if self.plan.entry() == Entry::Gio {
            let output = connection.output_stream();
            output.write_async(bytes, DEFAULT, Cancellable::NONE, move |result| {
                let (bytes, count) = result.expect("a peer");
                self.has_sent(&bytes[count..]);
            });
        } else {
            let bytes = glib::Bytes::from_owned(bytes);
            let kept = bytes.clone();
            connection.send_async(bytes, DEFAULT, Cancellable::NONE, move |_, result| {
                self.has_sent(&kept[result.expect("a peer")..]);
            });
        }
    }

    fn has_sent(self: Rc<Self>, rest: &[u8]) {
        if !rest.is_empty() {
            return self.send(rest.to_vec());
        }
        if self.expected.borrow().is_some() {
            self.receive();
        } else {
            self.next();
        }
    }

    fn receive(self: Rc<Self>) {
        let connection = self.connection.clone();
        let buffer = vec![0; ROOM];
        if self.plan.entry() == Entry::Gio {
            let input = connection.input_stream();
            input.read_async(buffer, DEFAULT, Cancellable::NONE, move |result| {
                self.has_received(result.map_err(|(_, failure)| failure));
            });
        } else {
            let answer = move |_: &SocketConnection, buffer, result: Result<usize, _>| {
                self.has_received(result.map(|count| (buffer, count)));
            };
            connection.receive_async(buffer, DEFAULT, Cancellable::NONE, answer);
        }
    }

    fn has_received(self: Rc<Self>, result: Result<(Vec<u8>, usize), glib::Error>) {
        let Some(mut expected) = self.expected.take() else {
            check_the_end(self.plan, result.map(|(_, count)| count));
            return self.tally.ends(self.plan);
        };
        let (buffer, count) = result.expect("a peer");
        if expected.is_met(&buffer[..count], self.plan) {
            self.next();
        } else {
            self.expected.replace(Some(expected));
            self.receive();
        }
    }
}
