//! How a transport reaches those who use it.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Transport;

/// The transport of now, for those who must follow a connection to another socket.
pub(crate) struct Wire {
    transport: RwLock<Option<Arc<Transport>>>,
    /// The connection is closed, or gone: there will be no other socket.
    ended: AtomicBool,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            transport: RwLock::new(None),
            ended: AtomicBool::new(false),
        })
    }

    pub(crate) fn get(&self) -> Option<Arc<Transport>> {
        self.transport
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, transport: Arc<Transport>) {
        let before = self
            .transport
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(transport);
        // Outside the lock: it may be the last reference.
        drop(before);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.get()).finish()
    }
}

/// A bare descriptor on its way into the object that is made around it.
///
/// `g_object_new()` has no way to pass what is not a property.
pub(crate) mod hand_over {
    use std::{cell::Cell, os::fd::OwnedFd};

    thread_local! {
        static HANDED: Cell<Option<OwnedFd>> = const { Cell::new(None) };
    }

    /// For the next object of the crate that this thread makes.
    pub(crate) fn put(fd: OwnedFd) {
        HANDED.set(Some(fd));
    }

    pub(crate) fn take() -> Option<OwnedFd> {
        HANDED.take()
    }
}
