//! A connection that goes on with the socket of another one.

use std::sync::Arc;

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::{SocketConnection, imp};
use crate::{
    home::Home,
    transport::{ConnectionState, Transport},
};

impl imp::SocketConnection {
    /// Goes on with the socket of `from`, which is closed by that, as far as it is concerned. One whose streams are
    /// another object's keeps it, and its streams: what passes through the socket is still theirs.
    ///
    /// # Errors
    ///
    /// Those of [`set_socket`](super::SocketConnectionExt::set_socket); `Failed` where the system refuses. `from` is as it was, but after another thread has
    /// given this one a socket meanwhile.
    pub(crate) fn take_over(&self, from: &SocketConnection) -> Result<Arc<Transport>, glib::Error> {
        let before = self.transport();
        self.check_free(&before)?;
        let given = from.imp().transport();
        self.check(given.kind())?;
        let socket = if from.imp().is_overlaid() {
            given.socket()
        } else {
            given.give_away()?
        };
        let after = Transport::of_given(&socket, &given, self.notifier());
        if from.imp().is_overlaid() {
            after.overlay();
        }
        self.put(before, &after)?;
        Ok(after)
    }

    /// As a connection that has just been made around the socket of `from`.
    pub(crate) fn resemble(&self, from: &SocketConnection) {
        let transport = self.transport();
        transport.resemble(&from.imp().transport());
        if from.imp().is_overlaid() {
            transport.overlay();
        }
    }

    /// Whether its streams are another object's.
    pub(crate) fn is_around_a_stream(&self) -> bool {
        self.is_overlaid()
    }

    /// Makes `home` the home of a connection that was made on this thread and that nobody here goes on using.
    pub(crate) fn settle_at(&self, home: &Home) {
        if self.notifier().home().is_same(home) {
            return;
        }
        self.notifier().settle_at(home);
        self.transport().move_watch();
    }

    /// Whoever waits on the socket comes to an end, and so does the peer. The object is not closed, and may be given another
    /// socket.
    pub(crate) fn hang_up(&self) {
        self.transport().hang_up();
    }

    /// Whether there is a peer, from what the system has told so far. Otherwise the transport that has lost it.
    pub(crate) fn connected_transport(&self) -> Result<Arc<Transport>, Arc<Transport>> {
        let transport = self.transport();
        transport.catch_up();
        match transport.connection_state() {
            ConnectionState::Connected if !self.obj().is_closed() => Ok(transport),
            _ => Err(transport),
        }
    }
}
