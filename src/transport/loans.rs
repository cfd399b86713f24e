//! Sockets that C has borrowed.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Transport, Wire, gsocket::SharedSocket, placeholder};
use crate::home::Notifier;

/// Keeps what C's borrowed `get_socket` has lent out alive, also when the connection moves on to
/// another socket: the pointer is good for as long as the connection is.
pub(crate) struct Loans {
    loans: Mutex<State>,
    notifier: Arc<Notifier>,
}

#[derive(Default)]
struct State {
    /// The socket of now is lent out. Its transport keeps it, as long as it is the one of now.
    current: bool,
    /// Lent out, and kept by nobody else.
    kept: Vec<SharedSocket>,
}

impl Loans {
    pub(crate) fn new(notifier: Arc<Notifier>) -> Self {
        Self {
            loans: Mutex::default(),
            notifier,
        }
    }

    fn loans(&self) -> MutexGuard<'_, State> {
        // Plain data: a panic while it was held left nothing half done.
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket of now, for somebody who takes no reference.
    pub(crate) fn lend(&self, wire: &Wire) -> gio::Socket {
        let transport = wire.get();
        // Made outside of the lock, if it is made.
        let socket = transport
            .as_ref()
            .map_or_else(placeholder, |transport| transport.socket());
        let mut loans = self.loans();
        let is_of_now = transport.is_some_and(|transport| {
            transport.is_around(&socket)
                && wire.get().is_some_and(|now| Arc::ptr_eq(&now, &transport))
        });
        if is_of_now {
            loans.current = true;
        } else {
            loans.kept.push(SharedSocket::new(&socket));
        }
        socket
    }

    /// There will be no other socket.
    pub(crate) fn end(&self, wire: &Wire) {
        let _loans = self.loans();
        wire.end();
    }

    /// Closes those that nobody else holds: they stay what C may point at, and nothing is left of them
    /// on the wire.
    pub(crate) fn close_unused(&self) {
        self.loans()
            .kept
            .iter()
            .for_each(SharedSocket::close_if_alone);
    }

    /// Puts `after` in the place of `before`, unless another thread has done so with its own, or has
    /// closed: answers whether it did.
    pub(crate) fn exchange(
        &self,
        wire: &Wire,
        before: &Arc<Transport>,
        after: &Arc<Transport>,
    ) -> bool {
        let mut loans = self.loans();
        if wire.is_ended() || !wire.get().is_some_and(|now| Arc::ptr_eq(&now, before)) {
            return false;
        }
        if std::mem::take(&mut loans.current) {
            loans.kept.push(SharedSocket::new(&before.socket()));
        }
        // Not the last reference to what was there: the caller has one.
        wire.set(after.clone());
        true
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        let loans = self.loans.get_mut().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut loans.kept);
        if !kept.is_empty() {
            let home = self.notifier.home();
            kept.into_iter().for_each(|socket| socket.release(&home));
        }
    }
}

impl fmt::Debug for Loans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loans").finish_non_exhaustive()
    }
}
