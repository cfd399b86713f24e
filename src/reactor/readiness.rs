//! What is known of a descriptor's readiness, and how it stops being true.
//!
//! An edge is reported once, so what it said is kept until a system call has shown that it is used up.
//! Events may come from one thread while another one finds the socket empty; each event therefore
//! counts a tick, and only who has seen the last of them may take its word back.

use std::sync::atomic::{AtomicU64, Ordering};

use super::events::{Events, Interest};

const READ: u64 = 1;
const WRITE: u64 = 1 << 1;
/// The peer's end of file, or a hang-up, is behind what can be read: no edge announces it again.
const READ_CLOSED: u64 = 1 << 2;
const WRITE_CLOSED: u64 = 1 << 3;
/// Urgent data was announced: a read stops at its mark, short of what there is.
const URGENT: u64 = 1 << 4;
const TICK: u64 = 1 << 8;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Readiness(AtomicU64);

/// A look at a [`Readiness`], which a later event makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u64);

impl Readiness {
    /// Nothing is known: whoever asks is to try.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(READ | WRITE))
    }

    pub(super) fn look(&self) -> Seen {
        Seen(self.0.load(Ordering::Acquire))
    }

    /// An event, as the kernel reports it.
    pub(super) fn add(&self, events: Events) {
        let mut bits = 0;
        // An error is collected by whoever tries next, in either direction.
        if events.has(Events::IN.or(Events::PEER_HANGUP).or(Events::ERROR)) {
            bits |= READ;
        }
        if events.has(Events::OUT.or(Events::ERROR)) {
            bits |= WRITE;
        }
        if events.has(Events::PEER_HANGUP) {
            bits |= READ_CLOSED;
        }
        if events.has(Events::HANGUP) {
            bits |= READ | WRITE | READ_CLOSED | WRITE_CLOSED;
        }
        if events.has(Events::URGENT) {
            bits |= URGENT;
        }
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
                Some((word | bits).wrapping_add(TICK))
            });
    }

    /// A system call has answered that there is nothing, after `seen`.
    pub(super) fn used_up(&self, interest: Interest, seen: Seen) {
        self.take_back(seen, interest.ready() | interest.closed());
    }

    /// A system call has moved less than it was asked to, after `seen`: the next one would answer that
    /// there is nothing.
    pub(super) fn used_up_by_a_short_transfer(&self, interest: Interest, seen: Seen) {
        let exceptions = match interest {
            Interest::Read => READ_CLOSED | URGENT,
            Interest::Write => WRITE_CLOSED,
        };
        if seen.0 & exceptions == 0 {
            self.take_back(seen, interest.ready());
        }
    }

    fn take_back(&self, seen: Seen, bits: u64) {
        // One attempt: whatever has changed the word meanwhile knows better.
        let _ =
            self.0
                .compare_exchange(seen.0, seen.0 & !bits, Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl Seen {
    /// The peer has closed its side, or both are closed.
    pub(super) fn is_closed(self) -> bool {
        self.0 & (READ_CLOSED | WRITE_CLOSED) != 0
    }

    pub(crate) fn is_ready(self, interest: Interest) -> bool {
        self.0 & interest.ready() != 0
    }
}

impl Interest {
    const fn ready(self) -> u64 {
        match self {
            Self::Read => READ,
            Self::Write => WRITE,
        }
    }

    const fn closed(self) -> u64 {
        match self {
            Self::Read => READ_CLOSED,
            Self::Write => WRITE_CLOSED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used_up(interest: Interest) -> Readiness {
        let readiness = Readiness::new();
        readiness.used_up(interest, readiness.look());
        readiness
    }

    #[test]
    fn a_new_one_is_ready_for_a_try() {
        let seen = Readiness::new().look();
        assert!(seen.is_ready(Interest::Read) && seen.is_ready(Interest::Write));
    }

    #[test]
    fn one_direction_is_used_up_without_the_other() {
        let seen = used_up(Interest::Read).look();
        assert!(!seen.is_ready(Interest::Read) && seen.is_ready(Interest::Write));
        let seen = used_up(Interest::Write).look();
        assert!(seen.is_ready(Interest::Read) && !seen.is_ready(Interest::Write));
    }

    #[test]
    fn an_event_after_the_look_is_not_taken_back() {
        let readiness = Readiness::new();
        let seen = readiness.look();
        readiness.add(Events::IN);
        readiness.used_up(Interest::Read, seen);
        assert!(readiness.look().is_ready(Interest::Read));
        // Nor by a transfer that was short before it.
        readiness.used_up_by_a_short_transfer(Interest::Read, seen);
        assert!(readiness.look().is_ready(Interest::Read));
    }

    #[test]
    fn a_short_transfer_does_not_hide_what_no_edge_announces() {
        for events in [
            Events::PEER_HANGUP,
            Events::HANGUP,
            Events::URGENT.or(Events::IN),
        ] {
            let readiness = Readiness::new();
            readiness.add(events);
            readiness.used_up_by_a_short_transfer(Interest::Read, readiness.look());
            assert!(readiness.look().is_ready(Interest::Read), "{events:?}");
        }
        let readiness = Readiness::new();
        readiness.used_up_by_a_short_transfer(Interest::Read, readiness.look());
        assert!(!readiness.look().is_ready(Interest::Read));
    }

    #[test]
    fn an_error_makes_both_directions_try() {
        let readiness = used_up(Interest::Read);
        readiness.used_up(Interest::Write, readiness.look());
        readiness.add(Events::ERROR);
        let seen = readiness.look();
        assert!(seen.is_ready(Interest::Read) && seen.is_ready(Interest::Write));
        // The kernel has the last word, or a queue of notes would be tried for ever.
        readiness.used_up(Interest::Read, seen);
        assert!(!readiness.look().is_ready(Interest::Read));
    }
}
