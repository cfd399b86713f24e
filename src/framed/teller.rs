//! Telling what has become of the queue.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use gio::prelude::*;

use super::core::Failure;
use crate::{
    home::{Home, WeakObject},
    thread,
};

/// What may have to be told, one bit each.
pub(super) mod change {
    pub(in super::super) const PENDING: u32 = 1;
    pub(in super::super) const CONGESTED: u32 = 1 << 1;
    pub(in super::super) const LAST_ERROR: u32 = 1 << 2;
    pub(in super::super) const DRAINED: u32 = 1 << 3;

    /// In the order in which they are told.
    pub(super) const NAMES: [(u32, &str); 4] = [
        (PENDING, "pending-bytes"),
        (PENDING, "pending-frames"),
        (CONGESTED, "congested"),
        (LAST_ERROR, "last-error"),
    ];
}

/// Tells at home: the thread that made the object, in its context.
pub(super) struct Teller {
    home: Home,
    pending: AtomicU32,
    /// One is on its way to the context.
    is_sent: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    object: Option<WeakObject>,
    /// For the signal `error`.
    failures: Vec<Failure>,
}

impl Teller {
    pub(super) fn here() -> Arc<Self> {
        Arc::new(Self {
            home: Home::here(),
            pending: AtomicU32::new(0),
            is_sent: AtomicBool::new(false),
            told: Mutex::default(),
        })
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn set_object(&self, object: &impl IsA<glib::Object>) {
        self.lock().object = Some(WeakObject::new(object.upcast_ref()));
    }

    /// From now on nothing is told: the object is going away.
    pub(super) fn forget_object(&self) {
        let object = self.lock().object.take();
        drop(object);
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_home(&self) -> bool {
        self.home.thread == thread::here()
    }

    pub(super) fn note_failure(&self, failure: &Failure) {
        self.lock().failures.push(failure.clone());
    }

    /// Has `changes` told in the next iteration of the home context, if nobody does so before.
    pub(super) fn tell(self: &Arc<Self>, changes: u32) {
        if changes == 0 {
            return;
        }
        self.pending.fetch_or(changes, Ordering::AcqRel);
        if self.is_sent.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak = Arc::downgrade(self);
        self.home.engine.at(None, move || {
            if let Some(teller) = weak.upgrade() {
                teller.is_sent.store(false, Ordering::Release);
                teller.catch_up();
            }
        });
    }

    /// Tells what is pending, if this is home: handlers written in Rust may not run elsewhere. No lock may be held.
    pub(super) fn catch_up(&self) {
        if self.pending.load(Ordering::Relaxed) == 0 || !self.is_home() {
            return;
        }
        // Before the handlers look: what changes after that is told once more.
        let told = self.pending.swap(0, Ordering::AcqRel);
        let (object, failures) = {
            let mut its = self.lock();
            let object = its.object.as_ref().and_then(WeakObject::get);
            (object, std::mem::take(&mut its.failures))
        };
        let Some(object) = object else {
            return;
        };
        for (bit, name) in change::NAMES {
            if told & bit != 0 {
                object.notify(name);
            }
        }
        if told & change::DRAINED != 0 {
            object.emit_by_name::<()>("drained", &[]);
        }
        for failure in failures {
            object.emit_by_name::<()>("error", &[&*failure]);
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
