//! Sockets that somebody else may close without a word.
//!
//! Whoever holds the `GSocket` of a connection can close it, and neither the kernel nor GObject tells.
//! Only looking helps: in each iteration while there are few, and never for more than a small part of
//! the time when there are many.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use super::{engine::Engine, registration::Observer, source::Source, timers::Moment};

/// So many are looked at in each iteration.
const FEW: usize = 32;
/// Looking at more takes one part in so many of the time.
const SHARE: i64 = 64;

#[derive(Default)]
pub(super) struct Lent {
    all: Mutex<Observers>,
    /// Whether there are some, readable without the lock.
    any: AtomicBool,
    /// When many may be looked at again.
    next: AtomicI64,
}

#[derive(Default)]
struct Observers {
    /// By their addresses, which nobody else can have for as long as they are here.
    known: BTreeMap<usize, Weak<dyn Observer>>,
    /// How many there may be before those that are gone are given up.
    room: usize,
}

impl Observers {
    fn forget(&mut self, told: &[usize]) {
        for address in told {
            self.known.remove(address);
        }
        self.known.retain(|_, known| known.strong_count() > 0);
        self.room = (self.known.len() * 2).max(FEW);
    }
}

fn address_of(observer: &Weak<dyn Observer>) -> usize {
    observer.as_ptr().cast::<()>() as usize
}

impl Lent {
    fn all(&self) -> MutexGuard<'_, Observers> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, observer: Weak<dyn Observer>) {
        let mut all = self.all();
        // Of those that are gone at most as many as of the others are kept.
        if all.known.len() >= all.room {
            all.forget(&[]);
        }
        all.known.insert(address_of(&observer), observer);
        self.any.store(true, Ordering::Release);
    }

    /// Looks at them, if it is time to, in a turn before the context waits. Answers when there is to be another
    /// look: what happened since the last one may have closed some.
    pub(super) fn look(&self, engine: &Arc<Engine>, source: &Source) -> Option<Moment> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let now = source.time();
        let next = self.next.load(Ordering::Relaxed);
        if now < next {
            return Some(next);
        }
        // None of them is let go of under the lock, which its end may want.
        let observers: Vec<_> = {
            let all = self.all();
            all.known.values().filter_map(Weak::upgrade).collect()
        };
        let gone: Vec<_> = observers
            .iter()
            .filter(|observer| observer.is_gone())
            .map(Arc::downgrade)
            .collect();
        if observers.is_empty() || !gone.is_empty() {
            let told: Vec<usize> = gone.iter().map(address_of).collect();
            self.forget(&told);
        }
        for observer in gone {
            engine.at(None, move || {
                if let Some(observer) = observer.upgrade() {
                    observer.found_gone();
                }
            });
        }
        if observers.len() > FEW {
            let took = glib::monotonic_time() - now;
            self.next.store(now + took * SHARE, Ordering::Relaxed);
        }
        None
    }

    /// Those who are told, and those who have gone by themselves.
    fn forget(&self, told: &[usize]) {
        let mut all = self.all();
        all.forget(told);
        self.any.store(!all.known.is_empty(), Ordering::Release);
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}
