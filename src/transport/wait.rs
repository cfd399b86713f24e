//! Waiting for the descriptor, and being woken when it is closed.

use std::sync::{
    Arc, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering, fence},
};
use std::task::Waker;

use gio::prelude::*;

use super::{
    Transport,
    io::{events_of, events_told},
};
use crate::{
    error,
    reactor::{Events, Interest, block_on_events, blocking_waker, earlier},
};

impl Transport {
    /// Blocks until the descriptor is ready for `interest`.
    ///
    /// # Errors
    ///
    /// `Closed`, `Cancelled`, `TimedOut` once `deadline` has passed.
    pub(crate) fn wait_blocking(
        self: &Arc<Self>,
        interest: Option<Interest>,
        until: Option<i64>,
        deadline: Option<i64>,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        let waker = blocking_waker();
        // Before the look at the descriptor, so that a close in between is not missed.
        let _waiter = waker.as_ref().map(|waker| self.wake_on_close(waker));
        let using = self.enter()?;
        let first = earlier(until, deadline);
        let fd = interest.map(|interest| (using.fd(), interest.events()));
        let events = block_on_events(fd, first, cancellable)?;
        drop(using);
        if self.is_closed() {
            return Err(error::closed());
        }
        if cancellable.is_some_and(CancellableExt::is_cancelled) {
            return Err(error::cancelled());
        }
        if events == Events::NONE && deadline.is_some_and(|end| glib::monotonic_time() >= end) {
            return Err(error::timed_out());
        }
        Ok(())
    }

    /// Whether the descriptor is ready now; never on a closed one.
    pub(crate) fn is_ready(&self, interest: Interest) -> bool {
        self.enter()
            .is_ok_and(|using| events_of(using.fd(), interest.events()) != Events::NONE)
    }

    /// Whether it may be: also where nobody can tell.
    pub(crate) fn may_be_ready(&self, interest: Interest) -> bool {
        self.enter()
            .is_ok_and(|using| events_told(using.fd(), interest.events()) != Some(Events::NONE))
    }

    /// Wakes `waker` when the descriptor is closed, for as long as the result lives.
    pub(crate) fn wake_on_close(self: &Arc<Self>, waker: &Waker) -> Waiter {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let waker = waker.clone();
        self.waiters().push((id, waker));
        // Before the look for a close that has missed this: see `wake_all`.
        fence(Ordering::SeqCst);
        Waiter {
            transport: self.clone(),
            id,
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Vec<(u64, Waker)>> {
        let rare = self.rare.get_or_init(Box::default);
        rare.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake_all(&self) {
        // After the mark of the close: whoever makes the list later finds that.
        fence(Ordering::SeqCst);
        if self.rare.get().is_none() {
            return;
        }
        let wakers: Vec<Waker> = self
            .waiters()
            .iter()
            .map(|(_, waker)| waker.clone())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// A wait handed out as a `GSource` ran out of time: the next operation reports it.
    pub(crate) fn set_timed_out(&self, interest: Interest) {
        self.timed_out[interest as usize].store(true, Ordering::Release);
    }

    pub(crate) fn has_timed_out(&self, interest: Interest) -> bool {
        self.timed_out[interest as usize].load(Ordering::Acquire)
    }

    /// Whether it has, which is told once.
    pub(crate) fn take_timed_out(&self, interest: Interest) -> bool {
        let flag = &self.timed_out[interest as usize];
        flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::AcqRel)
    }
}

/// A place in the list of those whom a close wakes.
pub(crate) struct Waiter {
    transport: Arc<Transport>,
    id: u64,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.transport.waiters();
        let waker = waiters
            .iter()
            .position(|(id, _)| *id == self.id)
            .map(|at| waiters.swap_remove(at));
        drop(waiters);
        drop(waker);
    }
}
