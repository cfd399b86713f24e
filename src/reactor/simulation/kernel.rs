//! A kernel's sockets and its edge-triggered poller, as far as a reactor sees them.

use std::{cell::RefCell, collections::VecDeque, os::fd::RawFd};

use super::super::{
    events::{Events, Interest},
    poller::{Poller, Report},
    slab::Key,
};

/// How much a socket takes before its peer reads.
const ROOM: usize = 9;
/// There is room, as it is reported, when so much is free.
const ROOM_TO_TELL: usize = ROOM / 3;
/// How much one look reports: less than there may be.
const BATCH: usize = 2;

/// What a call to read or write answers.
pub(super) enum Answer {
    Moved(usize),
    /// `EAGAIN`.
    Nothing,
    /// The end of file, or an error.
    End,
}

#[derive(Default)]
pub(super) struct Socket {
    /// Under which the poller knows it.
    key: Option<Key>,
    /// The next look reports it.
    edge: bool,
    /// Sent by the peer, and not read: each byte is its own number.
    incoming: VecDeque<usize>,
    sent: usize,
    pub(super) read: usize,
    /// Bytes before which urgent data stands: a read stops there.
    marks: VecDeque<usize>,
    pub(super) fin: bool,
    pub(super) reset: bool,
    /// The error that the reset has left was not collected.
    error: bool,
    /// An error that is no end, and that nobody collects.
    note: bool,
    outgoing: VecDeque<usize>,
    pub(super) written: usize,
    received: usize,
    /// Somebody has found no room: it is told when there is some.
    wants_room: bool,
}

impl Socket {
    fn has_room(&self) -> bool {
        ROOM - self.outgoing.len() >= ROOM_TO_TELL
    }

    /// What `poll(2)` would say.
    fn state(&self) -> Events {
        let is_over = self.fin || self.reset;
        [
            (!self.incoming.is_empty() || is_over, Events::IN),
            (is_over, Events::PEER_HANGUP),
            (self.reset, Events::HANGUP),
            (self.error || self.note, Events::ERROR),
            (!self.marks.is_empty(), Events::URGENT),
            (self.has_room() || self.reset, Events::OUT),
        ]
        .into_iter()
        .filter(|(is_so, _)| *is_so)
        .fold(Events::NONE, |all, (_, event)| all.or(event))
    }

    /// Whether a call would not answer [`Answer::Nothing`], and the kernel has said so.
    pub(super) fn is_ready(&self, interest: Interest) -> bool {
        self.state().has(match interest {
            Interest::Read => Events::IN,
            Interest::Write => Events::OUT,
        })
    }

    pub(super) fn read(&mut self, asked: usize) -> Answer {
        if self.incoming.is_empty() {
            let is_error = std::mem::take(&mut self.error);
            return if self.fin || self.reset || is_error {
                Answer::End
            } else {
                Answer::Nothing
            };
        }
        let mut moved = 0;
        while moved < asked
            && let Some(byte) = self.incoming.front()
        {
            if self.marks.front() == Some(byte) {
                if moved > 0 {
                    break;
                }
                self.marks.pop_front();
            }
            assert_eq!(*byte, self.read, "a byte was lost or came twice");
            self.incoming.pop_front();
            self.read += 1;
            moved += 1;
        }
        Answer::Moved(moved)
    }

    pub(super) fn write(&mut self, asked: usize) -> Answer {
        if self.reset {
            return Answer::End;
        }
        let moved = asked.min(ROOM - self.outgoing.len());
        self.wants_room |= moved < asked;
        self.outgoing.extend(self.written..self.written + moved);
        self.written += moved;
        if moved == 0 {
            Answer::Nothing
        } else {
            Answer::Moved(moved)
        }
    }

    // --- What the peer does --------------------------------------------------------------------

    pub(super) fn send(&mut self, count: usize, is_urgent: bool) {
        if self.fin || self.reset {
            return;
        }
        if is_urgent {
            self.marks.push_back(self.sent);
        }
        self.incoming.extend(self.sent..self.sent + count);
        self.sent += count;
        self.edge = true;
    }

    pub(super) fn end(&mut self) {
        if !self.reset {
            self.fin = true;
            self.edge = true;
        }
    }

    pub(super) fn reset(&mut self) {
        if !self.reset {
            self.reset = true;
            self.error = true;
            self.edge = true;
        }
    }

    pub(super) fn leave_a_note(&mut self) {
        self.note = true;
        self.edge = true;
    }

    pub(super) fn receive(&mut self, count: usize) {
        for _ in 0..count {
            let Some(byte) = self.outgoing.pop_front() else {
                break;
            };
            assert_eq!(byte, self.received, "a written byte was lost or came twice");
            self.received += 1;
        }
        if self.has_room() && std::mem::take(&mut self.wants_room) {
            self.edge = true;
        }
    }

    pub(super) fn assert_over(&self) {
        assert_eq!(self.read, self.sent, "not all was read");
        if !self.reset {
            assert_eq!(self.received, self.written, "not all was received");
        }
    }
}

/// The sockets, by descriptor.
pub(super) struct Kernel(RefCell<Vec<Socket>>);

impl Kernel {
    pub(super) fn new(sockets: usize) -> Self {
        Self(RefCell::new(
            (0..sockets).map(|_| Socket::default()).collect(),
        ))
    }

    pub(super) fn with<R>(&self, socket: usize, f: impl FnOnce(&mut Socket) -> R) -> R {
        f(&mut self.0.borrow_mut()[socket])
    }
}

impl Poller for Kernel {
    fn add(&self, fd: RawFd, key: Key) -> Result<(), i32> {
        self.with(fd as usize, |socket| {
            assert!(socket.key.replace(key).is_none(), "added twice");
            socket.edge = true;
        });
        Ok(())
    }

    fn remove(&self, fd: RawFd) {
        self.with(fd as usize, |socket| {
            socket.key = None;
            socket.edge = false;
        });
    }

    fn reports(&self, reports: &mut Vec<Report>) -> bool {
        for socket in self.0.borrow_mut().iter_mut() {
            if reports.len() == BATCH {
                return true;
            }
            if let Some(key) = socket.key
                && std::mem::take(&mut socket.edge)
            {
                // Linux takes a look that has found no room as a wish to be told, as a call that has.
                socket.wants_room |= !socket.has_room();
                if socket.state() != Events::NONE {
                    reports.push((key, socket.state()));
                }
            }
        }
        reports.len() == BATCH
    }
}
