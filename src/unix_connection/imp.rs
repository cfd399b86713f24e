//! State of a [`UnixConnection`](super::UnixConnection).

use std::{os::fd::OwnedFd, sync::Arc};

use gio::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;

use super::{
    ancillary::{Cargo, Sender, peer_credentials, peer_pidfd},
    operations::{self, Turn},
};
use crate::{
    SocketConnection,
    living::{self, Living},
    operation::{Attempt, block},
    subclass::{
        SocketConnectionImpl, UnixConnectionClass, UnixConnectionImpl, UnixConnectionInstance,
        unix_connection,
    },
    transport::{Attempted, Kind, Transport},
};

#[derive(Debug, Default)]
pub struct UnixConnection {
    turn: Turn,
    _living: Living<{ living::UNIX_CONNECTION }>,
}

#[glib::object_subclass]
impl ObjectSubclass for UnixConnection {
    const NAME: &'static str = "GsockUnixConnection";
    type Type = super::UnixConnection;
    type ParentType = SocketConnection;
    type Instance = UnixConnectionInstance;
    type Class = UnixConnectionClass;

    fn class_init(class: &mut Self::Class) {
        unix_connection::fill_class(class);
    }

    fn instance_init(object: &InitializingObject<Self>) {
        unix_connection::restrict(object, Kind::is_unix);
    }
}

impl ObjectImpl for UnixConnection {}

impl IOStreamImpl for UnixConnection {}

impl SocketConnectionImpl for UnixConnection {}
impl UnixConnectionImpl for UnixConnection {}

/// The operations, each to be driven in any of the three forms.
impl UnixConnection {
    pub(super) fn transport(&self) -> Arc<Transport> {
        self.obj()
            .upcast_ref::<SocketConnection>()
            .imp()
            .transport()
    }

    pub(super) fn send(&self, cargo: Cargo) -> impl Attempt<Output = ()> + Send + 'static + use<> {
        operations::send(self.transport(), cargo)
    }

    /// Sends what a frame brings along, if that can be done without waiting, and answers how many bytes that were.
    pub(crate) fn try_send(&self, cargo: &Cargo) -> Attempted<usize> {
        operations::try_send(&self.transport(), cargo, None)
    }

    /// Likewise, blocking.
    pub(crate) fn send_blocking(
        &self,
        cargo: Arc<Cargo>,
        cancellable: &gio::Cancellable,
    ) -> Result<usize, glib::Error> {
        block(operations::send(self.transport(), cargo), Some(cancellable)).map(|()| 1)
    }

    pub(super) fn receive_fd(&self) -> impl Attempt<Output = OwnedFd> + Send + 'static + use<> {
        operations::receive_one(self.transport(), self.turn.clone())
    }

    pub(super) fn receive_fds(
        &self,
        most: usize,
    ) -> Result<impl Attempt<Output = Vec<OwnedFd>> + Send + 'static + use<>, glib::Error> {
        operations::receive_some(self.transport(), self.turn.clone(), most)
    }

    pub(super) fn receive_credentials(
        &self,
    ) -> impl Attempt<Output = Sender> + Send + 'static + use<> {
        operations::receive_sender(self.transport(), self.turn.clone())
    }

    pub(super) fn peer_credentials(&self) -> Result<Sender, glib::Error> {
        peer_credentials(self.transport().enter()?.fd())
    }

    pub(super) fn peer_pidfd(&self) -> Result<OwnedFd, glib::Error> {
        peer_pidfd(self.transport().enter()?.fd())
    }
}
