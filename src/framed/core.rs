//! What a [`Framed`](super::Framed) is, for whatever is done with it on any thread.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gio::prelude::*;
use glib::Bytes;

use super::{
    bell::{Bell, Place},
    ends::Ends,
    format::Format,
    input::Input,
    queue::{Gone, Queue},
    teller::{Teller, change},
};
use crate::{
    error,
    living::{self, Living},
    operation::Answer,
};

/// What a program may set at any time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) max_frame_size: u64,
    pub(super) read_ahead: bool,
    pub(super) high_water: u64,
    pub(super) low_water: u64,
    pub(super) max_pending_bytes: u64,
    pub(super) keep_queue: bool,
}

impl Settings {
    pub(super) const DEFAULT: Self = Self {
        max_frame_size: 1024 * 1024,
        read_ahead: true,
        high_water: 64 * 1024,
        low_water: 16 * 1024,
        max_pending_bytes: 1024 * 1024,
        keep_queue: false,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An error that is copied and freed where no lock is held: the code for that can be anybody's.
pub(super) type Failure = Arc<glib::Error>;

/// What a stream that cannot be polled is at.
#[derive(Debug)]
pub(super) enum Begun {
    Write(Answer<usize>),
    Flush(Answer<usize>),
}

impl Begun {
    pub(super) fn cancel(&self) {
        let (Self::Write(answer) | Self::Flush(answer)) = self;
        answer.cancel();
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ends: Option<Arc<Ends>>,
    /// Of the stream: what was done with one of before says nothing of the one of now.
    pub(super) generation: u64,
    pub(super) format: Format,
    pub(super) settings: Settings,

    pub(super) input: Input,
    /// Somebody reads.
    pub(super) is_read: bool,
    /// A read of a stream that cannot be polled, which outlives whoever has asked for it.
    pub(super) reading: Option<Answer<Bytes>>,
    /// A thread is in a call of the stream that reads.
    pub(super) is_in_read: bool,
    /// Whose sides could not be closed, because somebody was in a call: he does that when he leaves.
    pub(super) left_open: (Option<Arc<Ends>>, Option<Arc<Ends>>),
    /// Of the thread that blocks in a read.
    pub(super) read_interrupt: Option<gio::Cancellable>,

    pub(super) queue: Queue,
    /// How often the queue was emptied unwritten.
    pub(super) clears: u64,
    /// Somebody is in a call that writes.
    pub(super) is_written: bool,
    /// What the stream may have begun to take, and how much of it has been taken.
    pub(super) offer: Option<(Bytes, usize)>,
    pub(super) begun: Option<Begun>,
    /// Something that was written may still be in the stream.
    pub(super) is_kept_back: bool,
    pub(super) write_interrupt: Option<gio::Cancellable>,
    /// Who waits for room, by the number of his turn.
    pub(super) line: BTreeMap<u64, Place>,
    pub(super) last_turn: u64,
    pub(super) is_congested: bool,
    /// Where there is a task that writes, by its engine's address.
    pub(super) drivers: Vec<usize>,

    /// Why the stream takes nothing any more.
    pub(super) failure: Option<Failure>,
    pub(super) last_error: Option<Failure>,
    /// So many are about to close it.
    pub(super) closers: usize,
    pub(super) is_closed: bool,
}

impl State {
    /// Whether a task that writes has something to do.
    pub(super) fn has_work(&self) -> bool {
        self.ends.is_some()
            && self.failure.is_none()
            && (!self.queue.is_empty() || self.is_kept_back)
    }

    /// # Errors
    ///
    /// Why no frame can be queued, whatever room there is.
    pub(super) fn check_takes_frames(&self) -> Result<(), Failure> {
        if self.closers > 0 || self.is_closed {
            return Err(closed().into());
        }
        if self.settings.keep_queue {
            return Ok(());
        }
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.ends.is_none() {
            return Err(without_stream().into());
        }
        Ok(())
    }

    /// After each change of the queue or its bounds: what is to be told.
    #[must_use]
    pub(super) fn account(&mut self) -> u32 {
        let (bytes, settings) = (self.queue.bytes(), self.settings);
        if !self.is_congested && bytes > settings.high_water {
            self.is_congested = true;
            return change::PENDING | change::CONGESTED;
        }
        if self.is_congested && bytes <= settings.low_water.min(settings.high_water) {
            self.is_congested = false;
            return change::PENDING | change::CONGESTED | change::DRAINED;
        }
        change::PENDING
    }

    /// Drops what is queued. What it answers is to be dropped where no lock is held.
    #[must_use]
    pub(super) fn clear_queue(&mut self, failure: &Failure) -> Vec<Gone> {
        self.clears += 1;
        self.queue.fail(failure)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Core {
    state: Mutex<State>,
    pub(super) readers: Bell,
    pub(super) writers: Bell,
    pub(super) teller: Arc<Teller>,
    _living: Living<{ living::FRAMES }>,
}

impl Core {
    pub(super) fn here() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            readers: Bell::default(),
            writers: Bell::default(),
            teller: Teller::here(),
            _living: Living::default(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Each change under it is one of whole values, or of plain data that is checked where it is used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn io_stream(&self) -> Option<gio::IOStream> {
        let ends = self.lock().ends.clone();
        ends.map(|ends| ends.stream().clone())
    }

    pub(super) fn last_error(&self) -> Option<glib::Error> {
        let failure = self.lock().last_error.clone();
        failure.map(Arc::unwrap_or_clone)
    }

    /// Starts over on a stream.
    pub(super) fn set_io_stream(self: &Arc<Self>, stream: Option<&gio::IOStream>) {
        let ends = stream.map(|stream| Arc::new(Ends::new(stream)));
        let (gone, told) = {
            let mut state = self.lock();
            state.generation += 1;
            let gone = (
                std::mem::replace(&mut state.ends, ends),
                std::mem::take(&mut state.input),
                state.reading.take(),
                state.begun.take(),
                state.read_interrupt.take(),
                state.write_interrupt.take(),
                state.failure.take(),
                state.last_error.take(),
            );
            // Who is in a call knows best how much the stream of before has taken.
            if !state.is_written {
                state.offer = None;
                state.queue.start_over();
            }
            state.is_kept_back = false;
            state.is_closed = false;
            let mut told = state.account();
            if gone.7.is_some() {
                told |= change::LAST_ERROR;
            }
            (gone, told)
        };
        for interrupt in [&gone.4, &gone.5].into_iter().flatten() {
            interrupt.cancel();
        }
        drop(gone);
        self.readers.ring_for_all();
        self.writers.ring_for_all();
        self.teller.tell(told);
        self.write_at_home();
    }

    /// Nobody has it any more: what was not written will not be.
    pub(super) fn abandon(&self) {
        self.teller.forget_object();
        let gone = {
            let mut state = self.lock();
            state.is_closed = true;
            state.generation += 1;
            let failure = closed().into();
            (
                state.clear_queue(&failure),
                state.ends.take(),
                state.reading.take(),
                state.begun.take(),
                state.read_interrupt.take(),
                state.write_interrupt.take(),
            )
        };
        for interrupt in [&gone.4, &gone.5].into_iter().flatten() {
            interrupt.cancel();
        }
        drop(gone);
        self.readers.ring_for_all();
        self.writers.ring_for_all();
    }

    /// The stream of a generation has failed for good.
    pub(super) fn note_error(&self, generation: u64, failure: &glib::Error) {
        let failure = Failure::new(failure.clone());
        let before = {
            let mut state = self.lock();
            if state.generation != generation {
                return;
            }
            state.last_error.replace(failure)
        };
        drop(before);
        self.teller.tell(change::LAST_ERROR);
    }
}

pub(super) fn closed() -> glib::Error {
    error::stream_closed()
}

pub(super) fn without_stream() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotConnected,
        "There is no stream to read from or write to",
    )
}

pub(super) fn pending() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::Pending,
        "Another operation of this kind is under way",
    )
}
