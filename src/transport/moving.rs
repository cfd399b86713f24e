//! A socket that passes from one connection to another one.

use std::sync::{Arc, atomic::Ordering};

use super::{Transport, descriptor::shut_down};
use crate::{error, home::Notifier};

impl Transport {
    /// Lets go of the socket, which stays open for as long as somebody has what this answers.
    ///
    /// # Errors
    ///
    /// `Failed` where there is no socket to be had, and then it is as it was.
    pub(crate) fn give_away(self: &Arc<Self>) -> Result<gio::Socket, glib::Error> {
        let socket = self.socket();
        if !self.is_around(&socket) {
            return Err(error::failed("The system does not describe its socket"));
        }
        // Before the next one looks at it: an engine watches a descriptor once.
        self.detach();
        Ok(socket)
    }

    /// The transport of `socket`, in the place of `given`.
    pub(crate) fn of_given(
        socket: &gio::Socket,
        given: &Self,
        notifier: &Arc<Notifier>,
    ) -> Arc<Self> {
        let transport = Self::of_socket(socket, notifier);
        transport.resemble(given);
        transport
    }

    /// Takes what a `GSocket` does not say from another transport of the same socket.
    pub(crate) fn resemble(&self, given: &Self) {
        let timeout = given.descriptor.timeout_exactly();
        if timeout != self.descriptor.timeout_exactly() {
            self.set_timeout_exactly(timeout);
        }
        let proxy = given.rare.get().and_then(|rare| rare.proxy.get());
        if let Some(proxy) = proxy {
            self.expect_proxy(proxy.get().clone());
        }
        if given.unblocked.load(Ordering::Relaxed) {
            self.unblocked.store(true, Ordering::Relaxed);
        }
    }

    /// Ends both directions. Whoever waits comes to an end; what has arrived can still be read.
    pub(crate) fn hang_up(&self) {
        if let Ok(using) = self.enter() {
            shut_down(&using);
        }
        self.lost(None, false);
    }
}
