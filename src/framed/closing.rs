//! Closing: everything is written, then the stream is closed.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use gio::prelude::*;
use glib::Bytes;

use super::{
    core::{Begun, Core, closed},
    ends::Ends,
    operations::{Flush, Work, block, poll},
};
use crate::{operation::Answer, reactor::CancelWatch};

/// The end: no more frames are taken, what was queued is written, the stream is closed.
#[derive(Debug)]
pub(super) struct Close {
    flush: Flush,
    flushed: Option<Result<(), glib::Error>>,
    /// Somebody else has closed it before.
    was_closed: bool,
    /// That are to be closed.
    ends: Option<Arc<Ends>>,
    ending: Ending,
    closing: Option<(Arc<Ends>, Answer<()>)>,
}

/// What a stream that cannot be polled was at: as long as it is, it cannot be closed.
#[derive(Debug, Default)]
struct Ending {
    reading: Option<Answer<Bytes>>,
    begun: Option<Begun>,
}

impl Ending {
    fn cancel(&self) {
        if let Some(reading) = &self.reading {
            reading.cancel();
        }
        if let Some(begun) = &self.begun {
            begun.cancel();
        }
    }

    fn is_left(&self) -> bool {
        self.reading.is_some() || self.begun.is_some()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(reading) = &mut self.reading {
            ready!(Pin::new(reading).poll(cx)).ok();
            self.reading = None;
        }
        if let Some(Begun::Write(begun) | Begun::Flush(begun)) = &mut self.begun {
            ready!(Pin::new(begun).poll(cx)).ok();
            self.begun = None;
        }
        Poll::Ready(())
    }
}

impl Close {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        core.lock().closers += 1;
        core.writers.ring_for_all();
        Self {
            flush: Flush::new(core),
            flushed: None,
            was_closed: false,
            ends: None,
            ending: Ending::default(),
            closing: None,
        }
    }

    /// Nothing can be written or read any more. Answers the stream that is to be closed.
    fn shut(&mut self) -> Option<Arc<Ends>> {
        let core = self.flush.core().clone();
        let (ends, told, gone) = {
            let mut state = core.lock();
            if std::mem::replace(&mut state.is_closed, true) {
                drop(state);
                self.was_closed = true;
                return None;
            }
            state.generation += 1;
            self.ending = Ending {
                reading: state.reading.take(),
                begun: state.begun.take(),
            };
            let gone = (
                state.clear_queue(&closed().into()),
                state.read_interrupt.take(),
                state.write_interrupt.take(),
            );
            (state.ends.clone(), state.account(), gone)
        };
        for interrupt in [&gone.1, &gone.2].into_iter().flatten() {
            interrupt.cancel();
        }
        self.ending.cancel();
        drop(gone);
        core.readers.ring_for_all();
        core.writers.ring_for_all();
        core.teller.tell(told);
        ends
    }

    pub(super) fn poll(
        &mut self,
        cancel: &mut Option<CancelWatch>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), glib::Error>> {
        if self.flushed.is_none() {
            let flushed = ready!(poll(&mut self.flush, cancel, cx));
            if self.is_given_up(&flushed, cancel.as_ref().map(CancelWatch::cancellable)) {
                return Poll::Ready(flushed);
            }
            self.flushed = Some(flushed);
            self.ends = self.shut();
        }
        if let Some(ends) = &self.ends {
            // A stream that takes no notice can be left at it.
            let is_cancelled = cancel.as_mut().is_some_and(|cancel| {
                cancel.wake(cx.waker());
                cancel.is_cancelled()
            });
            if self.ending.poll(cx).is_pending() && !is_cancelled {
                return Poll::Pending;
            }
            self.closing = Some((ends.clone(), ends.begin_close()));
            self.ends = None;
        }
        let closed = match &mut self.closing {
            Some((ends, closing)) => {
                let closed = ready!(Pin::new(closing).poll(cx));
                let ends = ends.clone();
                self.close_sides(&ends, closed)
            }
            None => Ok(()),
        };
        Poll::Ready(self.outcome(closed))
    }

    pub(super) fn block(
        mut self,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        let flush = Flush::new(self.flush.core());
        let flushed = block(flush, cancellable);
        if self.is_given_up(&flushed, cancellable) {
            return flushed;
        }
        self.flushed = Some(flushed);
        let closed = match self.shut() {
            Some(ends) => self.close_sides(&ends, ends.close(cancellable)),
            None => Ok(()),
        };
        self.outcome(closed)
    }

    /// A stream says that it is closed when one of its sides could not be, because a thread is in a call of it that is about
    /// to end.
    fn close_sides(
        &self,
        ends: &Arc<Ends>,
        closed: Result<(), glib::Error>,
    ) -> Result<(), glib::Error> {
        let is_pending =
            matches!(&closed, Err(failure) if failure.matches(gio::IOErrorEnum::Pending));
        if !is_pending || !ends.stream().is_closed() || self.ending.is_left() {
            return closed;
        }
        let (is_in_read, is_in_write, before) = {
            let mut state = self.flush.core().lock();
            let (is_in_read, is_in_write) = (state.is_in_read, state.is_written);
            let left_open = (
                is_in_read.then(|| ends.clone()),
                is_in_write.then(|| ends.clone()),
            );
            let before = std::mem::replace(&mut state.left_open, left_open);
            (is_in_read, is_in_write, before)
        };
        drop(before);
        if !is_in_read {
            ends.close_input();
        }
        if !is_in_write {
            ends.close_output();
        }
        Ok(())
    }

    /// Cancelled before the stream was closed, it stays open.
    fn is_given_up(
        &self,
        flushed: &Result<(), glib::Error>,
        cancellable: Option<&gio::Cancellable>,
    ) -> bool {
        let is_cancelled = cancellable.is_some_and(CancellableExt::is_cancelled);
        is_cancelled
            && matches!(flushed, Err(failure) if failure.matches(gio::IOErrorEnum::Cancelled))
    }

    /// Of one that was closed already there is nothing to say. Where only the stream was, what was queued is lost.
    fn outcome(&mut self, closed: Result<(), glib::Error>) -> Result<(), glib::Error> {
        match self.flushed.take() {
            Some(Err(failure)) if !self.was_closed => Err(failure),
            _ => closed,
        }
    }
}

impl Drop for Close {
    fn drop(&mut self) {
        // Given up before the end, it takes frames again.
        self.flush.core().lock().closers -= 1;
    }
}
