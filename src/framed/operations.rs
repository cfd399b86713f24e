//! What a program does with the queue: a frame is written, everything is written, the stream is closed.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use gio::prelude::*;
use glib::Bytes;

use super::{
    bell::Place,
    core::{Core, Failure, closed, without_stream},
    format::Format,
    queue::Ticket,
    teller::change,
    writing::Step,
};
use crate::{
    error,
    reactor::{CancelWatch, block_on_events, blocking_waker},
    unix_connection::Cargo,
};

impl Core {
    /// Queues a frame, whole or not at all.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where there is no room, after which there will be an end of the congestion.
    pub(super) fn send(
        self: &Arc<Self>,
        frame: Bytes,
        cargo: Option<Cargo>,
    ) -> Result<(), glib::Error> {
        self.check(&frame)?;
        let format = self.lock().format;
        self.put(frame, &format, cargo)
    }

    /// Queues bytes as they are, likewise, however many: they are no frame.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send).
    pub(super) fn send_exact(self: &Arc<Self>, bytes: Bytes) -> Result<(), glib::Error> {
        if bytes.is_empty() {
            // The queue has nothing of no length.
            let checked = self.lock().check_takes_frames();
            return checked.map_err(Arc::unwrap_or_clone);
        }
        self.put(bytes, &Format::bare(), None)
    }

    fn put(
        self: &Arc<Self>,
        frame: Bytes,
        format: &Format,
        cargo: Option<Cargo>,
    ) -> Result<(), glib::Error> {
        let (sent, told) = {
            let mut guard = self.lock();
            let state = &mut *guard;
            if let Err(failure) = state.check_takes_frames() {
                drop(guard);
                return Err(Arc::unwrap_or_clone(failure));
            }
            if let (Some(_), Some(ends)) = (&cargo, &state.ends) {
                ends.passing()?;
            }
            let most = state.settings.max_pending_bytes;
            let length = frame.len() + usize::from(cargo.is_some());
            if state.queue.has_room(length, format, most) {
                let cargo = cargo.map(Arc::new);
                state.queue.push(frame, format, cargo, None);
                (Ok(()), state.account())
            } else {
                let was_congested = std::mem::replace(&mut state.is_congested, true);
                let told = if was_congested { 0 } else { change::CONGESTED };
                (Err(no_room()), told)
            }
        };
        self.teller.tell(told);
        self.write_at_home();
        sent
    }

    /// Of those who wait for room.
    fn call_the_first(&self) {
        let first = self.lock().line.first_key_value().map(|(_, place)| *place);
        if let Some(first) = first {
            self.writers.call(first);
        }
    }

    fn check(&self, frame: &[u8]) -> Result<(), glib::Error> {
        let (format, most) = {
            let state = self.lock();
            (state.format, state.settings.max_frame_size)
        };
        format.check_to_send(frame, most)
    }
}

fn no_room() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::WouldBlock,
        "The queue has no room for the frame now",
    )
}

/// Something that is waited for, in a future or in a call.
pub(super) trait Work {
    fn core(&self) -> &Arc<Core>;

    fn place(&self) -> Place;

    /// Whether it is called by name when there is something to look at. A thread that blocks is not: it may be the one who
    /// has to write.
    fn is_called(&self) -> bool {
        false
    }

    /// Whether it has ended.
    fn look(&mut self) -> Poll<Result<(), glib::Error>>;

    /// Somebody has cancelled it. Answers whether that ends it.
    fn cancel(&mut self) -> bool;
}

pub(super) fn poll(
    work: &mut impl Work,
    cancel: &mut Option<CancelWatch>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), glib::Error>> {
    let (core, place) = (work.core().clone(), work.place());
    if let Some(cancel) = cancel {
        cancel.wake(cx.waker());
    }
    core.writers.wait(place, cx.waker());
    let mut looked = work.look();
    if looked.is_pending() && cancel.as_ref().is_some_and(CancelWatch::is_cancelled) {
        // Another one may be woken by what it leaves.
        if work.cancel() {
            return Poll::Ready(Err(error::cancelled()));
        }
        looked = work.look();
    }
    if looked.is_pending() {
        if work.is_called() {
            core.writers.wait_alone(place);
        }
        // This first: home may be the same context, with nobody at home.
        core.write_here();
        core.write_at_home();
    }
    looked
}

/// The same in the calling thread, which writes.
pub(super) fn block(
    mut work: impl Work,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let (core, place) = (work.core().clone(), work.place());
    loop {
        // Before the wait begins: a handler that blocks would use up what is to end it.
        core.teller.catch_up();
        if let Some(waker) = blocking_waker() {
            core.writers.wait(place, &waker);
        }
        if let Poll::Ready(result) = work.look() {
            return result;
        }
        let is_cancelled = cancellable.is_some_and(CancellableExt::is_cancelled);
        if is_cancelled && work.cancel() {
            return Err(error::cancelled());
        }
        // What was begun has to be ended, cancelled or not.
        let cancellable = cancellable.filter(|_| !is_cancelled);
        match core.write_blocking(place, cancellable)? {
            Step::Went => {}
            _ => drop(block_on_events(None, None, cancellable)?),
        }
    }
}

/// A frame that is written.
#[derive(Debug)]
pub(super) struct Write {
    core: Arc<Core>,
    place: Place,
    frame: Option<Bytes>,
    /// In the line of those who wait for room.
    turn: Option<u64>,
    ticket: Option<Ticket>,
    /// The stream has it, and may still keep it back.
    is_taken: bool,
}

impl Write {
    /// # Errors
    ///
    /// `MessageTooLarge`, `InvalidData`.
    pub(super) fn new(core: &Arc<Core>, frame: Bytes) -> Result<Self, glib::Error> {
        core.check(&frame)?;
        Ok(Self {
            core: core.clone(),
            place: Place::new(),
            frame: Some(frame),
            turn: None,
            ticket: None,
            is_taken: false,
        })
    }

    /// Answers what is to be told.
    fn queue(&mut self) -> Result<u32, Failure> {
        let mut state = self.core.lock();
        let state = &mut *state;
        let Some(frame) = &self.frame else {
            return Ok(0);
        };
        state.check_takes_frames()?;
        let first = state.line.first_key_value().map(|(turn, _)| *turn);
        let is_first = first.is_none() || first == self.turn;
        let most = state.settings.max_pending_bytes;
        if !is_first || !state.queue.has_room(frame.len(), &state.format, most) {
            if self.turn.is_none() {
                state.last_turn += 1;
                state.line.insert(state.last_turn, self.place);
                self.turn = Some(state.last_turn);
            }
            if !is_first {
                self.core.writers.wait_alone(self.place);
            }
            return Ok(0);
        }
        if let Some(turn) = self.turn.take() {
            state.line.remove(&turn);
        }
        if let Some(frame) = self.frame.take() {
            let watcher = Some(self.place);
            self.ticket = Some(state.queue.push(frame, &state.format, None, watcher));
        }
        Ok(state.account())
    }
}

impl Work for Write {
    fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn place(&self) -> Place {
        self.place
    }

    fn is_called(&self) -> bool {
        self.ticket.is_some() && !self.is_taken
    }

    fn look(&mut self) -> Poll<Result<(), glib::Error>> {
        if self.ticket.is_none() {
            match self.queue() {
                Err(failure) => return Poll::Ready(Err(Arc::unwrap_or_clone(failure))),
                Ok(0) => return Poll::Pending,
                Ok(told) => {
                    self.core.teller.tell(told);
                    // The next one in the line may have room, too.
                    self.core.call_the_first();
                }
            }
        }
        let Some(ticket) = self.ticket else {
            return Poll::Pending;
        };
        let mut state = self.core.lock();
        match state.queue.take_outcome(ticket) {
            Some(Ok(())) => self.is_taken = true,
            Some(Err(failure)) => {
                drop(state);
                return Poll::Ready(Err(Arc::unwrap_or_clone(failure)));
            }
            None if !self.is_taken => return Poll::Pending,
            None => {}
        }
        // What a stream keeps back goes down with it.
        let keeps_back = state.ends.as_ref().is_some_and(|ends| ends.keeps_back());
        if let Some(failure) = state.failure.clone().filter(|_| keeps_back) {
            drop(state);
            return Poll::Ready(Err(Arc::unwrap_or_clone(failure)));
        }
        // When more is queued, that has to go before it is flushed.
        if !state.is_kept_back || !state.queue.is_empty() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    fn cancel(&mut self) -> bool {
        let Some(ticket) = self.ticket else {
            return true;
        };
        let (told, gone) = {
            let mut state = self.core.lock();
            let taken_back = (!self.is_taken)
                .then(|| state.queue.take_back(ticket))
                .flatten();
            let Some(gone) = taken_back else {
                return false;
            };
            (state.account(), gone)
        };
        drop(gone);
        self.ticket = None;
        self.core.teller.tell(told);
        // Others may have room, now, or nothing more to wait for.
        self.core.writers.ring(None);
        true
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        self.core.writers.leave(self.place);
        self.cancel();
        let outcome = {
            let mut state = self.core.lock();
            if let Some(turn) = self.turn.take() {
                state.line.remove(&turn);
            }
            self.ticket.and_then(|ticket| state.queue.forget(ticket))
        };
        drop(outcome);
        // It may have been called, and this is the one who comes next.
        self.core.call_the_first();
    }
}

/// All that was queued before.
#[derive(Debug)]
pub(super) struct Flush {
    core: Arc<Core>,
    place: Place,
    last: Ticket,
}

impl Flush {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let last = core.lock().queue.last();
        Self {
            core: core.clone(),
            place: Place::new(),
            last,
        }
    }
}

impl Work for Flush {
    fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn place(&self) -> Place {
        self.place
    }

    fn look(&mut self) -> Poll<Result<(), glib::Error>> {
        let state = self.core.lock();
        if state.is_closed {
            return Poll::Ready(Err(closed()));
        }
        if let Some(failure) = state.failure.clone() {
            drop(state);
            return Poll::Ready(Err(Arc::unwrap_or_clone(failure)));
        }
        let is_kept_back = state.queue.is_empty() && state.is_kept_back;
        if state.queue.is_past(self.last) && !is_kept_back {
            return Poll::Ready(Ok(()));
        }
        if state.ends.is_none() {
            return Poll::Ready(Err(without_stream()));
        }
        Poll::Pending
    }

    fn cancel(&mut self) -> bool {
        true
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.core.writers.leave(self.place);
    }
}
