//! Frames that wait to be written: nothing here writes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use glib::Bytes;

use super::{
    bell::Place,
    core::Failure,
    format::{Format, Header},
};
use crate::unix_connection::Cargo;

/// What is copied together rather than given to the system by itself.
const MOST_COPIED: usize = 1024;
/// How much is given to the system at once.
const MOST_AT_ONCE: usize = 256 * 1024;
const MOST_PARTS: usize = 64;

/// What has become of a frame.
type Outcome = Result<(), Failure>;

/// Names a frame; those that come later have higher ones.
pub(super) type Ticket = u64;

/// What was sent or is not to be sent any more, and who wants to know of it.
pub(super) type Gone = (Option<Place>, Bytes, Option<Arc<Cargo>>);

#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    header: Header,
    payload: Bytes,
    trailer: &'static [u8],
    /// Descriptors that follow, with a byte of their own.
    cargo: Option<Arc<Cargo>>,
    /// Who wants to know what becomes of it.
    watcher: Option<Place>,
}

impl Entry {
    fn len(&self) -> usize {
        self.parts().into_iter().map(<[u8]>::len).sum::<usize>() + usize::from(self.cargo.is_some())
    }

    fn parts(&self) -> [&[u8]; 3] {
        [self.header.bytes(), &self.payload, self.trailer]
    }
}

/// The frames, in their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    last: Ticket,
    /// Of the first frame.
    written: usize,
    /// So many frames may be under way: they cannot be taken back.
    committed: usize,
    pending: u64,
    /// Of the frames that somebody has asked about and that are no longer here.
    outcomes: BTreeMap<Ticket, Outcome>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn frames(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Of the frames and what tells them apart, less what was written.
    pub(super) fn bytes(&self) -> u64 {
        self.pending
    }

    pub(super) fn last(&self) -> Ticket {
        self.last
    }

    /// Whether nothing that was queued up to then is left.
    pub(super) fn is_past(&self, ticket: Ticket) -> bool {
        self.entries
            .front()
            .is_none_or(|entry| entry.ticket > ticket)
    }

    /// Whether so many bytes of frame fit. What is larger than the bound by itself fits where there is no other.
    pub(super) fn has_room(&self, frame: usize, format: &Format, most: u64) -> bool {
        let length = format.header(frame).bytes().len() + frame + format.trailer().len();
        self.is_empty() || self.pending.saturating_add(length as u64) <= most
    }

    pub(super) fn push(
        &mut self,
        frame: Bytes,
        format: &Format,
        cargo: Option<Arc<Cargo>>,
        watcher: Option<Place>,
    ) -> Ticket {
        self.last += 1;
        let entry = Entry {
            ticket: self.last,
            header: format.header(frame.len()),
            payload: frame,
            trailer: format.trailer(),
            cargo,
            watcher,
        };
        self.pending += entry.len() as u64;
        self.entries.push_back(entry);
        self.last
    }

    /// What has become of a watched frame, once it is no longer here.
    pub(super) fn take_outcome(&mut self, ticket: Ticket) -> Option<Outcome> {
        self.outcomes.remove(&ticket)
    }

    /// Takes a frame back of which nothing was written, if that can be done. It is to be dropped where no lock is held.
    #[must_use]
    pub(super) fn take_back(&mut self, ticket: Ticket) -> Option<Gone> {
        let at = self.position(ticket).ok()?;
        if at < self.committed.max(usize::from(self.written > 0)) {
            return None;
        }
        let entry = self.entries.remove(at)?;
        self.pending -= entry.len() as u64;
        Some((entry.watcher, entry.payload, entry.cargo))
    }

    /// Nobody wants to know any more. What it answers is to be dropped where no lock is held.
    #[must_use]
    pub(super) fn forget(&mut self, ticket: Ticket) -> Option<Outcome> {
        if let Ok(at) = self.position(ticket) {
            self.entries[at].watcher = None;
        }
        self.take_outcome(ticket)
    }

    fn position(&self, ticket: Ticket) -> Result<usize, usize> {
        self.entries
            .binary_search_by_key(&ticket, |entry| entry.ticket)
    }

    /// The descriptors whose turn it is.
    pub(super) fn cargo(&self) -> Option<Arc<Cargo>> {
        let first = self.entries.front()?;
        let cargo = first.cargo.as_ref()?;
        (self.written + 1 == first.len()).then(|| cargo.clone())
    }

    /// What is to be written next, for a stream that takes what it is given or leaves it.
    pub(super) fn window(&mut self) -> Window {
        let mut window = Window::default();
        let mut skip = self.written;
        let mut frames = 0;
        for entry in &self.entries {
            if window.length >= MOST_AT_ONCE || window.parts.len() + 3 > MOST_PARTS {
                break;
            }
            frames += 1;
            for (which, part) in entry.parts().into_iter().enumerate() {
                let from = skip.min(part.len());
                skip -= from;
                let rest = &part[from..];
                if which == 1 && rest.len() > MOST_COPIED {
                    window.lend(&entry.payload, from);
                } else {
                    window.copy(rest);
                }
            }
            if entry.cargo.is_some() {
                break;
            }
        }
        self.committed = frames;
        window
    }

    /// The same as one piece of at most so many bytes, for a stream that may want to be given it again.
    pub(super) fn piece(&mut self, most: usize) -> Bytes {
        let mut piece = Vec::with_capacity(most.min(usize::try_from(self.pending).unwrap_or(most)));
        let mut skip = self.written;
        let mut frames = 0;
        'all: for entry in &self.entries {
            frames += 1;
            for part in entry.parts() {
                let from = skip.min(part.len());
                skip -= from;
                let rest = &part[from..];
                let count = rest.len().min(most - piece.len());
                piece.extend_from_slice(&rest[..count]);
                if piece.len() == most {
                    break 'all;
                }
            }
            if entry.cargo.is_some() {
                break;
            }
        }
        self.committed = frames;
        Bytes::from_owned(piece)
    }

    /// Nothing is under way any more but the frame that was begun.
    pub(super) fn release(&mut self) {
        self.committed = 0;
    }

    /// So many bytes were written. Answers the frames that are done with, to be dropped where no lock is held.
    #[must_use]
    pub(super) fn advance(&mut self, mut count: usize) -> Vec<Gone> {
        let mut done = Vec::new();
        self.pending -= count as u64;
        count += self.written;
        self.written = 0;
        while let Some(entry) = self.entries.front() {
            if count < entry.len() {
                break;
            }
            count -= entry.len();
            self.committed = self.committed.saturating_sub(1);
            if let Some(entry) = self.entries.pop_front() {
                self.settle(entry, Ok(()), &mut done);
            }
        }
        self.written = count;
        done
    }

    /// The frame that was begun will be written from its first byte.
    pub(super) fn start_over(&mut self) {
        self.pending += self.written as u64;
        (self.written, self.committed) = (0, 0);
    }

    /// There is nothing left: what was here has failed.
    #[must_use]
    pub(super) fn fail(&mut self, failure: &Failure) -> Vec<Gone> {
        let mut dropped = Vec::new();
        while let Some(entry) = self.entries.pop_front() {
            self.settle(entry, Err(failure.clone()), &mut dropped);
        }
        (self.written, self.committed, self.pending) = (0, 0, 0);
        dropped
    }

    fn settle(&mut self, entry: Entry, outcome: Outcome, gone: &mut Vec<Gone>) {
        if entry.watcher.is_some() {
            self.outcomes.insert(entry.ticket, outcome);
        }
        gone.push((entry.watcher, entry.payload, entry.cargo));
    }
}

#[derive(Debug)]
enum Part {
    /// So many bytes of those that were copied together.
    Copied(usize),
    /// From there to the end.
    Lent(Bytes, usize),
}

/// What is given to the system at once.
#[derive(Debug, Default)]
pub(super) struct Window {
    copied: Vec<u8>,
    parts: Vec<Part>,
    length: usize,
}

impl Window {
    fn copy(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.copied.extend_from_slice(bytes);
        self.length += bytes.len();
        if let Some(Part::Copied(count)) = self.parts.last_mut() {
            *count += bytes.len();
        } else {
            self.parts.push(Part::Copied(bytes.len()));
        }
    }

    fn lend(&mut self, payload: &Bytes, from: usize) {
        self.length += payload.len() - from;
        self.parts.push(Part::Lent(payload.clone(), from));
    }

    pub(super) fn slices(&self) -> Vec<&[u8]> {
        let mut copied = &self.copied[..];
        let slice = |part| match part {
            &Part::Copied(count) => {
                let (slice, rest) = copied.split_at(count);
                copied = rest;
                slice
            }
            Part::Lent(payload, from) => &payload[*from..],
        };
        self.parts.iter().map(slice).collect()
    }
}
