//! Keeping a socket open without its connection.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use super::Transport;

impl Transport {
    /// Keeps the socket open for as long as the result lives, unless it is closed on purpose.
    pub(crate) fn hold(self: &Arc<Self>) -> Holding {
        self.holders.fetch_add(1, Ordering::SeqCst);
        Holding(self.clone())
    }

    /// The connection is gone: so is the socket, once nobody holds it.
    pub(crate) fn let_go(&self) {
        self.detached.store(true, Ordering::Release);
        self.orphaned.store(true, Ordering::SeqCst);
        self.end_if_unused();
    }

    fn end_if_unused(&self) {
        if self.orphaned.load(Ordering::SeqCst) && self.holders.load(Ordering::SeqCst) == 0 {
            self.detach();
            // An operation that waits in a context that never runs again would keep it open.
            self.close_if_alone();
        }
    }
}

/// See [`Transport::hold`].
pub(crate) struct Holding(Arc<Transport>);

impl Holding {
    pub(crate) fn get(&self) -> &Arc<Transport> {
        &self.0
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if self.0.holders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.end_if_unused();
        }
    }
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Holding").field(&self.0).finish()
    }
}
