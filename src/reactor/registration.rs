//! One descriptor, as one engine watches it.

use std::{
    collections::VecDeque,
    fmt,
    os::fd::RawFd,
    sync::{
        Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::Waker,
};

use once_cell::sync::OnceCell;

use super::{
    events::{Events, Interest},
    fd_source::FdSource,
    interleave,
    readiness::{Readiness, Seen},
    slab::Key,
    waiters::{WaitId, Waiters},
};

/// Who uses a descriptor that is registered.
pub(crate) trait Observer: Send + Sync {
    /// The peer may be gone. Called in a task of the engine that watches for it.
    fn departed(&self, events: Events);

    /// Whether the descriptor was closed by somebody who told nobody. It calls nothing out.
    fn is_gone(&self) -> bool;

    /// It was. Called in a task of the engine.
    fn found_gone(&self);
}

/// What a descriptor is registered for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Somebody has found that it is not ready, and is about to wait.
    Wait(Interest),
    /// The observer wants to know when the peer goes.
    Watch,
}

/// See the module's documentation. What each wait touches stands together at the beginning.
#[repr(C)]
pub(crate) struct Registration {
    readiness: Readiness,
    waiters: Mutex<Waiters>,
    /// Whether there are any, readable without the lock.
    waited: AtomicBool,
    ended: AtomicBool,
    /// The observer wants to know when the peer goes.
    watches: AtomicBool,
    /// Where no poller has it: the portable back end.
    pub(super) source: OnceCell<FdSource>,
    pub(super) fd: RawFd,
    pub(super) key: Key,
    pub(super) observer: Weak<dyn Observer>,
}

impl Registration {
    pub(super) fn new(key: Key, fd: RawFd, observer: Weak<dyn Observer>, purpose: Purpose) -> Self {
        let readiness = Readiness::new();
        if let Purpose::Wait(interest) = purpose {
            // Before anything can be reported: the present state is, whatever was found just now.
            readiness.used_up(interest, readiness.look());
        }
        let watches = matches!(purpose, Purpose::Watch);
        Self {
            key,
            fd,
            readiness,
            waiters: Mutex::default(),
            waited: AtomicBool::new(false),
            observer,
            watches: AtomicBool::new(watches),
            ended: AtomicBool::new(false),
            source: OnceCell::new(),
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn look(&self) -> Seen {
        self.readiness.look()
    }

    /// See [`Readiness::used_up`].
    pub(crate) fn used_up(&self, interest: Interest, seen: Seen) {
        self.readiness.used_up(interest, seen);
    }

    /// See [`Readiness::used_up_by_a_short_transfer`].
    pub(crate) fn used_up_by_a_short_transfer(&self, interest: Interest, seen: Seen) {
        self.readiness.used_up_by_a_short_transfer(interest, seen);
    }

    /// Wakes `waker` at the next change, or answers that there is one already, or will be none.
    pub(crate) fn wait(&self, interest: Interest, id: WaitId, waker: &Waker) -> bool {
        // Somebody else's clone may do anything: not under the lock.
        let waker = waker.clone();
        let before = {
            let mut waiters = self.waiters();
            self.waited.store(true, Ordering::Relaxed);
            waiters.put(interest, id, waker)
        };
        drop(before);
        interleave();
        // After the place was taken: a change from now on finds it.
        if self.is_ended() || self.look().is_ready(interest) {
            self.stop_waiting(interest, id);
            return true;
        }
        if let Some(source) = self.source.get() {
            source.want(interest.events());
        }
        false
    }

    /// Likewise, for one who is known by his waker only, and stays until he is woken.
    pub(crate) fn wait_by_waker(&self, interest: Interest, waker: &Waker) -> bool {
        let waker = waker.clone();
        let before = {
            let mut waiters = self.waiters();
            self.waited.store(true, Ordering::Relaxed);
            waiters.put_by_waker(interest, waker)
        };
        drop(before);
        interleave();
        if self.is_ended() || self.look().is_ready(interest) {
            return true;
        }
        if let Some(source) = self.source.get() {
            source.want(interest.events());
        }
        false
    }

    pub(crate) fn stop_waiting(&self, interest: Interest, id: WaitId) {
        // Whoever has waited has put that down himself, or somebody after him.
        if !self.waited.load(Ordering::Acquire) {
            return;
        }
        let waker = {
            let mut waiters = self.waiters();
            let waker = waiters.remove(interest, id);
            self.waited.store(waiters.are_any(), Ordering::Release);
            waker
        };
        drop(waker);
    }

    /// Takes what the descriptor reports. The wakers are for the caller to wake, without a lock.
    pub(super) fn report(&self, events: Events, called: &mut VecDeque<Waker>) {
        self.readiness.add(events);
        interleave();
        let mut waiters = self.waiters();
        waiters.call(events, called);
        self.waited.store(waiters.are_any(), Ordering::Release);
    }

    /// What somebody still waits for.
    pub(super) fn wanted(&self) -> Events {
        let waiters = self.waiters();
        [Interest::Read, Interest::Write]
            .into_iter()
            .filter(|interest| waiters.is_waited_for(*interest))
            .fold(Events::NONE, |wanted, interest| {
                wanted.or(interest.events())
            })
    }

    /// The same, for simulations.
    #[cfg(test)]
    pub(crate) fn still_wanted(&self) -> Events {
        self.wanted()
    }

    pub(super) fn watches(&self) -> bool {
        self.watches.load(Ordering::SeqCst)
    }

    /// The observer wants to know when the peer goes, from now on. Answers whether it may be gone already.
    pub(super) fn watch(&self) -> bool {
        // Before the look: an event after that finds it.
        self.watches.store(true, Ordering::SeqCst);
        interleave();
        fence(Ordering::SeqCst);
        if let Some(source) = self.source.get() {
            source.want(Events::GONE);
        }
        self.look().is_closed()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Nothing is reported any more: whoever waits is handed out, and finds out why.
    pub(super) fn end(&self, called: &mut VecDeque<Waker>) {
        self.ended.store(true, Ordering::Release);
        interleave();
        self.waiters().call(Events::HANGUP, called);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("fd", &self.fd)
            .field("readiness", &self.readiness)
            .field("watches", &self.watches())
            .finish_non_exhaustive()
    }
}
