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

/// Whoever waits here looks anew each time that it is rung, but for those who wait for one before them.
#[derive(Default)]
pub(super) struct Bell(Mutex<Vec<(Place, Waker, Called)>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Called {
    WithAll,
    /// By name, or when everything is different.
    Alone,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Vec<(Place, Waker, Called)>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the look at what may change.
    pub(super) fn wait(&self, place: Place, waker: &Waker) {
        let mut all = self.lock();
        let known = all.iter_mut().find(|(known, ..)| *known == place);
        let before = match known {
            Some((_, known, called)) => {
                *called = Called::WithAll;
                (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()))
            }
            None => {
                all.push((place, waker.clone(), Called::WithAll));
                None
            }
        };
        drop(all);
        drop(before);
    }

    /// After the look: nothing of what happens to others matters to this one, who is called by name. One who was called
    /// since is not here any more.
    pub(super) fn wait_alone(&self, place: Place) {
        let mut all = self.lock();
        if let Some((.., called)) = all.iter_mut().find(|(known, ..)| *known == place) {
            *called = Called::Alone;
        }
    }

    pub(super) fn leave(&self, place: Place) {
        drop(self.take(|known, _| known == place));
    }

    /// `but`: the one who rings, who knows. No lock may be held by the caller.
    pub(super) fn ring(&self, but: Option<Place>) {
        let woken = self.take(|place, called| called == Called::WithAll && Some(place) != but);
        woken.into_iter().for_each(|(_, waker, _)| waker.wake());
    }

    /// Likewise one of those who wait.
    pub(super) fn call(&self, place: Option<Place>) {
        let woken = self.take(|known, _| Some(known) == place);
        woken.into_iter().for_each(|(_, waker, _)| waker.wake());
    }

    /// Likewise all of them.
    pub(super) fn ring_for_all(&self) {
        let woken = self.take(|_, _| true);
        woken.into_iter().for_each(|(_, waker, _)| waker.wake());
    }

    fn take(&self, which: impl Fn(Place, Called) -> bool) -> Vec<(Place, Waker, Called)> {
        let mut all = self.lock();
        all.extract_if(.., |(place, _, called)| which(*place, *called))
            .collect()
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}
