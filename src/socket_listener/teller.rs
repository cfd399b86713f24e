//! Telling what a listener has counted.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use gio::prelude::*;

use crate::{
    home::{Home, WeakObject},
    thread,
};

/// The properties that count, one bit each.
pub(super) mod count {
    pub(in super::super) const ACCEPTED: u32 = 1;
    pub(in super::super) const REFUSED: u32 = 1 << 1;
    pub(in super::super) const ACTIVE: u32 = 1 << 2;

    pub(super) const NAMES: [(u32, &str); 3] = [
        (ACCEPTED, "accepted"),
        (REFUSED, "refused"),
        (ACTIVE, "active-connections"),
    ];
}

/// At most ten notifications of each of them a second.
const INTERVAL: i64 = 100_000;
const LONG_AGO: i64 = i64::MIN / 2;

/// Tells of the counters at home: the thread that made the listener, in its context.
pub(super) struct Teller {
    home: Home,
    pending: AtomicU32,
    /// What another thread, which ran the home context, has left for this one.
    left: AtomicU32,
    told: AtomicI64,
    object: Mutex<Option<WeakObject>>,
}

impl Teller {
    pub(super) fn here() -> Self {
        Self {
            home: Home::here(),
            pending: AtomicU32::new(0),
            left: AtomicU32::new(0),
            told: AtomicI64::new(LONG_AGO),
            object: Mutex::new(None),
        }
    }

    /// Names the listener. Before that, nothing can have been counted.
    pub(super) fn set_object(&self, object: &impl IsA<glib::Object>) {
        *self.object() = Some(WeakObject::new(object.upcast_ref()));
    }

    /// From now on nothing is told: the listener is going away.
    pub(super) fn forget_object(&self) {
        let object = self.object().take();
        drop(object);
    }

    fn object(&self) -> MutexGuard<'_, Option<WeakObject>> {
        // Exchanged whole: a panic leaves nothing half done.
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `counts` soon, in an iteration of the home context, and what is counted until then with it.
    pub(super) fn tell(self: &Arc<Self>, counts: u32) {
        if self.pending.fetch_or(counts, Ordering::AcqRel) != 0 {
            // On its way.
            return;
        }
        let due = self.told.load(Ordering::Relaxed).saturating_add(INTERVAL);
        let due = (due > glib::monotonic_time()).then_some(due);
        let weak = Arc::downgrade(self);
        self.home.engine.at(due, move || {
            if let Some(teller) = weak.upgrade() {
                teller.flush();
            }
        });
    }

    fn is_home(&self) -> bool {
        self.home.thread == thread::here()
    }

    /// For the beginning of calls on the listener: tells what another thread could not.
    pub(super) fn catch_up(&self) {
        if self.left.load(Ordering::Relaxed) != 0 && self.is_home() {
            self.flush();
        }
    }

    /// Handlers written in Rust may run at home only: on another thread, which runs the home context now, the matter rests
    /// until that thread asks for a count.
    fn flush(&self) {
        if !self.is_home() {
            let left = self.pending.swap(0, Ordering::AcqRel);
            self.left.fetch_or(left, Ordering::AcqRel);
            return;
        }
        self.told.store(glib::monotonic_time(), Ordering::Relaxed);
        // Before the look at the counters that a handler takes: what is counted after that is told once more.
        let told = self.pending.swap(0, Ordering::AcqRel) | self.left.swap(0, Ordering::AcqRel);
        let Some(object) = self.object().as_ref().and_then(WeakObject::get) else {
            return;
        };
        for (bit, name) in count::NAMES {
            if told & bit != 0 {
                object.notify(name);
            }
        }
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
