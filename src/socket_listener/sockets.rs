//! The sockets of a listener, and who is to be told of a change.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use super::{limits::Limits, listening::Listening};
use crate::{error, reactor::wake};

/// A new list for each change: whoever goes through one is not disturbed.
type All = Arc<[Arc<Listening>]>;
/// Who waits for a change, by numbers of their own.
type Waiting = Vec<(u64, Waker)>;

/// What a listener has, which those who accept share with it.
#[derive(Debug)]
pub(crate) struct Sockets {
    state: Mutex<State>,
    /// `state.changes`, readable without the lock.
    changes: AtomicU64,
    pub(super) limits: Limits,
    /// Which socket is the first to be looked at: the one after that which was served last.
    next: AtomicUsize,
}

#[derive(Debug)]
struct State {
    all: All,
    changes: u64,
    is_closed: bool,
    waiting: Waiting,
}

/// The sockets at some moment.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) all: All,
    pub(super) changes: u64,
    pub(super) is_closed: bool,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                all: Arc::new([]),
                changes: 0,
                is_closed: false,
                waiting: Vec::new(),
            }),
            changes: AtomicU64::new(0),
            limits: Limits::new(),
            next: AtomicUsize::new(0),
        }
    }
}

impl Sockets {
    /// Nothing that belongs to somebody else is called or dropped while it is held.
    fn state(&self) -> MutexGuard<'_, State> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn see(&self) -> Seen {
        let state = self.state();
        Seen {
            all: state.all.clone(),
            changes: state.changes,
            is_closed: state.is_closed,
        }
    }

    pub(super) fn is_as(&self, seen: &Seen) -> bool {
        self.changes.load(Ordering::Acquire) == seen.changes
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// # Errors
    ///
    /// `Closed`.
    pub(super) fn check_open(&self) -> Result<(), glib::Error> {
        if self.is_closed() {
            return Err(error::listener_closed());
        }
        Ok(())
    }

    /// # Errors
    ///
    /// `Closed`: then none of them was added.
    pub(super) fn add(&self, more: &[Arc<Listening>]) -> Result<(), glib::Error> {
        let (before, waiting) = {
            let mut state = self.state();
            if state.is_closed {
                return Err(error::listener_closed());
            }
            let all = state.all.iter().chain(more).cloned().collect();
            self.change(&mut state, all)
        };
        waiting.into_iter().for_each(|(_, waker)| wake(waker));
        drop(before);
        Ok(())
    }

    /// Takes those out for which `which` says so.
    pub(super) fn remove(&self, which: &[Arc<Listening>]) {
        let (before, waiting) = {
            let mut state = self.state();
            let stays = |one: &&Arc<Listening>| !which.iter().any(|other| Arc::ptr_eq(one, other));
            let all = state.all.iter().filter(stays).cloned().collect();
            self.change(&mut state, all)
        };
        waiting.into_iter().for_each(|(_, waker)| wake(waker));
        drop(before);
    }

    /// There will be no more sockets, and those that there are take no more connections. Answers whether that is new.
    pub(super) fn close(&self) -> bool {
        let (all, waiting) = {
            let mut state = self.state();
            if state.is_closed {
                return false;
            }
            state.is_closed = true;
            let all = state.all.clone();
            self.change(&mut state, all)
        };
        for listening in all.iter() {
            listening.close();
        }
        waiting.into_iter().for_each(|(_, waker)| wake(waker));
        true
    }

    /// The listener is gone. Its sockets are closed by whoever has the last reference.
    pub(super) fn abandon(&self) {
        let (before, waiting) = {
            let mut state = self.state();
            state.is_closed = true;
            self.change(&mut state, Arc::new([]))
        };
        waiting.into_iter().for_each(|(_, waker)| wake(waker));
        drop(before);
    }

    fn change(&self, state: &mut State, all: All) -> (All, Waiting) {
        state.changes += 1;
        self.changes.store(state.changes, Ordering::Release);
        (
            mem::replace(&mut state.all, all),
            mem::take(&mut state.waiting),
        )
    }

    /// Wakes `waker` at the next change, or answers that there was one since `seen`.
    pub(super) fn wait(&self, id: u64, seen: &Seen, waker: &Waker) -> bool {
        // Somebody else's clone may do anything: not under the lock.
        let waker = waker.clone();
        let before = {
            let mut state = self.state();
            if state.changes != seen.changes {
                drop(state);
                return true;
            }
            match state.waiting.iter_mut().find(|(known, _)| *known == id) {
                Some((_, known)) => Some(mem::replace(known, waker)),
                None => {
                    state.waiting.push((id, waker));
                    None
                }
            }
        };
        drop(before);
        false
    }

    /// Wakes all who wait for a change, although there is none but that there is room again.
    pub(super) fn wake_all(&self) {
        let waiting = mem::take(&mut self.state().waiting);
        waiting.into_iter().for_each(|(_, waker)| wake(waker));
    }

    pub(super) fn stop_waiting(&self, id: u64) {
        let waker = {
            let mut state = self.state();
            let at = state.waiting.iter().position(|(known, _)| *known == id);
            at.map(|at| state.waiting.swap_remove(at))
        };
        drop(waker);
    }

    /// In which order `count` sockets are looked at.
    pub(super) fn order(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let first = self.next.load(Ordering::Relaxed);
        (0..count).map(move |at| (first % count + at) % count)
    }

    pub(super) fn served(&self, at: usize) {
        self.next.store(at + 1, Ordering::Relaxed);
    }
}
