//! A transport that a connection of GIO's class and one of ours have in common.

use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{ConnectionState, Holding, Kind, Transport, descriptor::Descriptor};
use crate::home::{Notifier, WeakObject};

impl Transport {
    /// Around the socket of a connection of GIO's class. Nobody is told of changes, and nothing is asked of the
    /// socket before it is used: what GIO does to it meanwhile is seen when a connection of ours shares it.
    pub(crate) fn of_gio(socket: &gio::Socket) -> (Arc<Self>, Holding) {
        let notifier = Notifier::new();
        let descriptor = Descriptor::of_socket(socket, notifier.clone());
        descriptor.set_homeless(true);
        let mut transport = Self::new(descriptor, Kind::of_socket(socket), &notifier);
        if let Some(transport) = Arc::get_mut(&mut transport) {
            transport.orphaned = AtomicBool::new(true);
            transport.claimed = AtomicBool::new(false);
        }
        if transport.is_closed() {
            transport.state().is = ConnectionState::Closed;
        } else {
            transport.meet_companions(socket);
        }
        let holding = transport.hold();
        (transport, holding)
    }

    pub(crate) fn notifier(&self) -> &Arc<Notifier> {
        &self.notifier
    }

    /// Takes it for a connection of ours that is about to be made here, unless there is one already. This thread and
    /// its context are home from now on.
    pub(crate) fn claim(self: &Arc<Self>) -> bool {
        let taken = self
            .claimed
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_err() {
            return false;
        }
        self.orphaned.store(false, Ordering::SeqCst);
        self.descriptor.set_homeless(false);
        self.notifier.settle_here();
        self.move_watch();
        true
    }

    /// The connection of ours is gone.
    pub(crate) fn unclaim(&self) {
        self.claimed.store(false, Ordering::Release);
    }

    /// The connection of GIO's class that shares it is going, with so many references to the socket of its own: its
    /// part of [`hold`](Self::hold).
    pub(crate) fn let_go_of_gios(&self, holding: Holding, references: u32) {
        drop(holding);
        if self.orphaned.load(Ordering::SeqCst) && self.holders.load(Ordering::SeqCst) == 0 {
            self.descriptor.close_if_gios_alone(references);
        }
    }

    /// The connection of GIO's class that shares it, if it is still there.
    pub(crate) fn twin(&self) -> Option<glib::Object> {
        self.rare
            .get()?
            .twin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(WeakObject::get)
    }

    pub(crate) fn set_twin(&self, twin: &glib::Object) {
        let twin = WeakObject::new(twin);
        let before = self
            .rare
            .get_or_init(Box::default)
            .twin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(twin);
        drop(before);
    }
}
