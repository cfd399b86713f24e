//! Reading a frame: one way of doing so, in a future or in a call that blocks.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use gio::prelude::*;
use glib::Bytes;

use super::{
    bell::Place,
    core::{Core, closed, pending, without_stream},
    ends::Ends,
    input::{Found, Input, More, Want},
    waiting::{Interrupt, Waiting},
};
use crate::error;

/// How often a read goes on before others have had their turn.
const MOST_IN_A_TURN: u32 = 16;
/// How far to look for the end of a line that must not be read over.
const LOOK: usize = 4 * 1024;
const BEGUN_READ: usize = 16 * 1024;

type Answer = Result<Option<Bytes>, glib::Error>;

/// One reader at a time. Whatever it has read stays for the next one.
#[derive(Debug)]
pub(super) struct Read {
    core: Arc<Core>,
    want: Want,
    place: Place,
    waiting: Waiting,
}

/// What is to be done next.
enum Next {
    Done(Answer),
    Fill(Fill),
}

/// A reading of the stream, with the input that it is for.
struct Fill {
    ends: Arc<Ends>,
    generation: u64,
    more: More,
    reads_ahead: bool,
    input: Input,
}

impl Fill {
    /// Has `read` read what is next into the input.
    fn with(
        &mut self,
        read: impl FnOnce(&Ends, &mut [u8]) -> Result<Option<usize>, glib::Error>,
    ) -> Result<bool, glib::Error> {
        let looks = self.more.is_line && !self.reads_ahead;
        let more = if looks {
            More {
                sure: LOOK,
                ..self.more
            }
        } else {
            self.more
        };
        let mut seen = self.input.seen;
        let mut room = self.input.room(more, self.reads_ahead);
        if looks {
            if seen == 0 {
                seen = self.ends.look_for_line_end(room)?;
            }
            let count = seen.clamp(1, room.len());
            room = &mut room[..count];
        }
        let size = room.len();
        let count = read(&self.ends, room);
        self.input.seen = if looks { seen } else { 0 };
        let count = count?;
        if let Some(count) = count {
            self.input.filled(count, size);
        }
        Ok(count.is_some())
    }
}

impl Read {
    /// # Errors
    ///
    /// `Pending` when somebody else reads.
    pub(super) fn new(core: &Arc<Core>, want: Want) -> Result<Self, glib::Error> {
        {
            let mut state = core.lock();
            if std::mem::replace(&mut state.is_read, true) {
                return Err(pending());
            }
        }
        Ok(Self {
            core: core.clone(),
            want,
            place: Place::new(),
            waiting: Waiting::default(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.core.lock().is_closed
    }

    fn next(&self) -> Next {
        let mut state = self.core.lock();
        let state = &mut *state;
        if state.is_closed {
            return Next::Done(Err(closed()));
        }
        let found = state
            .input
            .find(self.want, &state.format, state.settings.max_frame_size);
        let more = match found {
            Found::Frame(frame) => return Next::Done(Ok(Some(frame))),
            Found::Failure(failure) => return Next::Done(Err(failure)),
            Found::End => return Next::Done(Ok(None)),
            Found::More(more) => more,
        };
        let Some(ends) = state.ends.clone() else {
            return Next::Done(Err(without_stream()));
        };
        Next::Fill(Fill {
            ends,
            generation: state.generation,
            more,
            reads_ahead: state.settings.read_ahead,
            input: std::mem::take(&mut state.input),
        })
    }

    /// Puts the input back where it belongs. Answers what came of the reading, if that is of the stream of now.
    fn put_back<T>(
        &self,
        fill: Fill,
        result: Result<T, glib::Error>,
    ) -> Result<Option<T>, glib::Error> {
        let Fill {
            mut input,
            generation,
            ..
        } = fill;
        {
            let mut state = self.core.lock();
            if state.generation != generation {
                return Ok(None);
            }
            std::mem::swap(&mut state.input, &mut input);
        }
        drop(input);
        if let Err(failure) = &result
            && !failure.matches(gio::IOErrorEnum::TimedOut)
        {
            self.core.note_error(generation, failure);
        }
        result.map(Some)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        for _ in 0..MOST_IN_A_TURN {
            // Before the look, so that a change in between is not missed.
            self.core.readers.wait(self.place, cx.waker());
            let fill = match self.next() {
                Next::Done(answer) => return Poll::Ready(answer),
                Next::Fill(fill) => fill,
            };
            match self.poll_fill(fill, cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Answers whether another look is worth it now.
    fn poll_fill(&mut self, mut fill: Fill, cx: &mut Context<'_>) -> Result<bool, glib::Error> {
        let ends = fill.ends.clone();
        if !ends.input_polls() {
            return self.poll_begun(fill, cx);
        }
        let filled = fill.with(Ends::try_read);
        if self.put_back(fill, filled)? == Some(false) {
            self.waiting.begin(&ends, true, cx.waker())?;
            return Ok(false);
        }
        Ok(true)
    }

    fn poll_begun(&self, mut fill: Fill, cx: &mut Context<'_>) -> Result<bool, glib::Error> {
        let begun = self.core.lock().reading.take();
        let mut begun = match begun {
            Some(begun) => begun,
            None if !crate::reactor::Engine::current().is_owned_here() => {
                return self
                    .put_back(fill, Err(error::not_owned()))
                    .map(|_: Option<()>| true);
            }
            None => {
                let most = if fill.reads_ahead {
                    BEGUN_READ
                } else if fill.more.is_line {
                    1
                } else {
                    fill.more.sure.min(BEGUN_READ)
                };
                fill.ends.begin_read(most)
            }
        };
        match std::pin::Pin::new(&mut begun).poll(cx) {
            Poll::Ready(read) => {
                let filled = read.map(|bytes| fill.input.push(&bytes));
                self.put_back(fill, filled)?;
                Ok(true)
            }
            Poll::Pending => {
                let generation = fill.generation;
                let is_current = self.put_back(fill, Ok(()))?.is_some();
                if is_current {
                    let mut state = self.core.lock();
                    if state.generation == generation {
                        state.reading = Some(begun);
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// The same in the calling thread, without a main context.
    pub(super) fn block(self, cancellable: Option<&gio::Cancellable>) -> Answer {
        loop {
            if cancellable.is_some_and(CancellableExt::is_cancelled) {
                return Err(self.cancelled());
            }
            let mut fill = match self.next() {
                Next::Done(answer) => return answer,
                Next::Fill(fill) => fill,
            };
            // TLS would begin a handshake in the background, and keep itself until a context is run that nobody may run here.
            if fill.ends.is_plain_input() {
                match fill.with(Ends::try_read) {
                    Ok(false) => {}
                    filled => {
                        self.put_back(fill, filled)?;
                        continue;
                    }
                }
            }
            if let Some(mut begun) = self.take_begun() {
                let mut cx = Context::from_waker(Waker::noop());
                match std::pin::Pin::new(&mut begun).poll(&mut cx) {
                    Poll::Ready(read) => {
                        let filled = read.map(|bytes| fill.input.push(&bytes));
                        self.put_back(fill, filled)?;
                        continue;
                    }
                    Poll::Pending => {
                        let generation = fill.generation;
                        self.put_back(fill, Ok(()))?;
                        let mut state = self.core.lock();
                        if state.generation == generation {
                            state.reading = Some(begun);
                            return Err(pending());
                        }
                        continue;
                    }
                }
            }
            self.block_fill(fill, cancellable)?;
        }
    }

    fn take_begun(&self) -> Option<crate::operation::Answer<Bytes>> {
        self.core.lock().reading.take()
    }

    fn block_fill(
        &self,
        mut fill: Fill,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        let interrupt = Interrupt::new(cancellable);
        {
            let mut state = self.core.lock();
            if state.generation != fill.generation || state.is_closed {
                return Ok(());
            }
            state.read_interrupt = Some(interrupt.cancellable().clone());
            state.is_in_read = true;
        }
        let filled = fill.with(|ends, room| ends.read(room, interrupt.cancellable()).map(Some));
        let (ended, left_open) = {
            let mut state = self.core.lock();
            state.is_in_read = false;
            (state.read_interrupt.take(), state.left_open.0.take())
        };
        drop(ended);
        if let Some(ends) = left_open {
            ends.close_input();
        }
        match filled {
            // The loop finds out why.
            Err(failure) if interrupt.explains(&failure) => {
                self.put_back(fill, Ok(()))?;
            }
            filled => {
                self.put_back(fill, filled)?;
            }
        }
        Ok(())
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.core.readers.leave(self.place);
        self.core.lock().is_read = false;
    }
}
