//! Who is to be told when something has changed.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

/// A place at a bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    pub(super) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Whoever waits here looks anew each time that it is rung, but for those who are called by name.
#[derive(Default)]
pub(super) struct Bell(Mutex<Waiting>);

type Wakers = BTreeMap<Place, Waker>;

/// Each is in one of them: crowds are among those who are called by name, and cost nothing when it is rung.
#[derive(Default)]
struct Waiting {
    together: Wakers,
    /// Or when everything is different.
    alone: Wakers,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the look at what may change.
    pub(super) fn wait(&self, place: Place, waker: &Waker) {
        {
            let mut waiting = self.lock();
            if let Some(known) = waiting.alone.remove(&place) {
                waiting.together.insert(place, known);
            }
            let known = waiting.together.get(&place);
            if known.is_some_and(|known| known.will_wake(waker)) {
                return;
            }
        }
        let waker = waker.clone();
        let before = self.lock().together.insert(place, waker);
        drop(before);
    }

    /// After the look: nothing of what happens to others matters to this one, who is called by name. One who was woken
    /// since is not here any more.
    pub(super) fn wait_alone(&self, place: Place) {
        let mut waiting = self.lock();
        if let Some(known) = waiting.together.remove(&place) {
            waiting.alone.insert(place, known);
        }
    }

    pub(super) fn leave(&self, place: Place) {
        drop(self.take(place));
    }

    /// `but`: the one who rings, who knows. No lock may be held by the caller.
    pub(super) fn ring(&self, but: Option<Place>) {
        let woken = {
            let mut waiting = self.lock();
            let mut woken = std::mem::take(&mut waiting.together);
            if let Some((place, its)) = but.and_then(|but| woken.remove_entry(&but)) {
                waiting.together.insert(place, its);
            }
            woken
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// Likewise one of those who wait.
    pub(super) fn call(&self, place: Place) {
        if let Some(waker) = self.take(place) {
            waker.wake();
        }
    }

    /// Likewise all of them.
    pub(super) fn ring_for_all(&self) {
        let woken = std::mem::take(&mut *self.lock());
        let woken = woken
            .together
            .into_values()
            .chain(woken.alone.into_values());
        woken.for_each(Waker::wake);
    }

    fn take(&self, place: Place) -> Option<Waker> {
        let mut waiting = self.lock();
        let together = waiting.together.remove(&place);
        together.or_else(|| waiting.alone.remove(&place))
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}
