//! Who is to be told when something has changed.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

/// A place at a bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    pub(super) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Whoever waits here looks anew each time that it is rung.
#[derive(Default)]
pub(super) struct Bell(Mutex<Vec<(Place, Waker)>>);

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Vec<(Place, Waker)>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the look at what may change.
    pub(super) fn wait(&self, place: Place, waker: &Waker) {
        let mut all = self.lock();
        let known = all.iter_mut().find(|(known, _)| *known == place);
        let before = match known {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                all.push((place, waker.clone()));
                None
            }
        };
        drop(all);
        drop(before);
    }

    pub(super) fn leave(&self, place: Place) {
        let mut all = self.lock();
        let at = all.iter().position(|(known, _)| *known == place);
        let left = at.map(|at| all.swap_remove(at));
        drop(all);
        drop(left);
    }

    /// `but`: the one who rings, who knows. No lock may be held by the caller.
    pub(super) fn ring(&self, but: Option<Place>) {
        let called: Vec<_> = {
            let mut all = self.lock();
            if all.is_empty() {
                return;
            }
            all.extract_if(.., |(place, _)| Some(*place) != but)
                .collect()
        };
        for (_, waker) in called {
            waker.wake();
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}
