//! Who waits for a connection.

use std::task::Waker;

use super::{
    ReconnectorState as State,
    shared::{Inner, Shared, stopped},
};
use crate::vfunc::Owned;

/// How the wait for a connection stands.
pub(super) enum Standing {
    Connected(Owned<gio::IOStream>),
    Ended(glib::Error),
    Underway,
}

impl Shared {
    /// Begins to wait: answers what tells a later end from one of before.
    pub(super) fn ends(&self) -> u64 {
        self.inner().ends
    }

    pub(super) fn standing(&self, ends: u64) -> Standing {
        let inner = self.inner();
        if inner.is_over {
            // Disposed of by C, which still has it.
            return Standing::Ended(stopped());
        }
        if inner.ends != ends {
            return Standing::Ended(inner.end.clone().unwrap_or_else(stopped));
        }
        match &inner.stream {
            Some(stream) if inner.policy.state() == State::Connected => {
                Standing::Connected(Owned::new(stream.get().clone()))
            }
            _ => Standing::Underway,
        }
    }

    pub(super) fn new_waiter(&self) -> u64 {
        let mut inner = self.inner();
        inner.last_waiter += 1;
        inner.last_waiter
    }

    /// Wakes `waker` at the next change.
    pub(super) fn wait(&self, number: u64, waker: &Waker) {
        let waker = waker.clone();
        let before = {
            let mut inner = self.inner();
            let before = inner.take_waiter(number);
            inner.waiters.push((number, waker));
            before
        };
        drop(before);
    }

    pub(super) fn wait_no_more(&self, number: u64) {
        let waker = self.inner().take_waiter(number);
        drop(waker);
    }
}

impl Inner {
    fn take_waiter(&mut self, number: u64) -> Option<Waker> {
        let at = self.waiters.iter().position(|(of, _)| *of == number)?;
        Some(self.waiters.swap_remove(at).1)
    }
}
