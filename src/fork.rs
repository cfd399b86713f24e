//! Telling what a process inherited by `fork(2)` from what it made itself.
//!
//! A child has a copy of every descriptor but none of the other threads, and shares the open sockets
//! with its parent: what it shut down would end the parent's connections.

#![allow(unsafe_code, reason = "pthread_atfork(3)")]

use std::sync::atomic::{AtomicU32, Ordering};

use once_cell::sync::Lazy;

/// Counted in the child of each fork.
static FORKS: AtomicU32 = AtomicU32::new(0);

static COUNTING: Lazy<()> = Lazy::new(|| {
    // SAFETY: the handler touches an atomic, which a child may do. Without memory for it nothing is
    // counted, and a child is not told from its parent.
    unsafe { libc::pthread_atfork(None, None, Some(count)) };
});

unsafe extern "C" fn count() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Whether this process was made by a fork of one that knew this library: locks may be held in it for ever.
pub(crate) fn is_child() -> bool {
    FORKS.load(Ordering::Relaxed) != 0
}

/// In which process something was last seen to belong, for all threads to look at.
#[derive(Debug)]
pub(crate) struct Belonging(AtomicU32);

impl Belonging {
    pub(crate) fn here() -> Self {
        Self(AtomicU32::new(Birthplace::here().0))
    }

    /// Whether it was another process, once.
    pub(crate) fn moves(&self) -> bool {
        let forks = FORKS.load(Ordering::Relaxed);
        self.0.load(Ordering::Relaxed) != forks && self.0.swap(forks, Ordering::AcqRel) != forks
    }
}

/// The process in which a value was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birthplace(u32);

impl Birthplace {
    pub(crate) fn here() -> Self {
        Lazy::force(&COUNTING);
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Whether this process has the value from a parent.
    pub(crate) fn is_elsewhere(self) -> bool {
        FORKS.load(Ordering::Relaxed) != self.0
    }
}
