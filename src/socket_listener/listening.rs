//! One socket that listens.

use std::{
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::unix_path::{PathGuard, SameUser};
use crate::{
    SocketConnection, error,
    home::Notifier,
    transport::{
        Bare, Lease, MULTIPATH_TCP, NativeAddress, NoneTaken, Transport, is_for_good,
        kind_of_socket,
    },
    vfunc::Owned,
};

/// A socket of a listener. Its transport looks after the descriptor: who uses it, who watches it, and whether somebody
/// has closed the `GSocket` without a word.
#[derive(Debug)]
pub(crate) struct Listening {
    transport: Arc<Transport>,
    /// By which the factory is asked for its connections: what the `GSocket` says, 0 as a rule, when the kernel says TCP.
    protocol: i32,
    /// Of each connection at this end, where that is known.
    local: Option<NativeAddress>,
    /// The file that it has made. It goes after the socket.
    file: Mutex<Option<PathGuard>>,
    /// Who alone may connect.
    same_user: Option<SameUser>,
    /// What was said with this socket to this listener.
    source_object: Option<Owned<glib::Object>>,
    /// Somebody else has the `GSocket`, and may close it without a word.
    is_given: bool,
    /// It was found, and told, that it does not listen: those who accept for good pass it over.
    is_broken: AtomicBool,
}

/// What came of one look at a socket.
pub(super) enum Look {
    Taken(Accepted),
    Empty,
    /// There may be more, after others have had their turn.
    Again,
    Closed(glib::Error),
    Failed(glib::Error),
}

impl Listening {
    pub(super) fn new(
        socket: &gio::Socket,
        source_object: Option<&glib::Object>,
        is_given: bool,
    ) -> Arc<Self> {
        Self::made(socket, source_object, is_given, None, None)
    }

    /// One that is ours alone, for a Unix address.
    pub(super) fn guarded(
        socket: &gio::Socket,
        source_object: Option<&glib::Object>,
        file: Option<PathGuard>,
        same_user: Option<SameUser>,
    ) -> Arc<Self> {
        Self::made(socket, source_object, false, file, same_user)
    }

    fn made(
        socket: &gio::Socket,
        source_object: Option<&glib::Object>,
        is_given: bool,
        file: Option<PathGuard>,
        same_user: Option<SameUser>,
    ) -> Arc<Self> {
        let transport = Transport::of_socket(socket, &Notifier::new());
        transport.share();
        transport.have_accepted_not_wait();
        let (_, _, protocol) = kind_of_socket(socket);
        Arc::new(Self {
            protocol,
            local: transport.address_of_accepted(),
            transport,
            file: Mutex::new(file),
            same_user,
            source_object: source_object.cloned().map(Owned::new),
            is_given,
            is_broken: AtomicBool::new(false),
        })
    }

    pub(super) fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    pub(crate) fn source_object(&self) -> Option<glib::Object> {
        self.source_object
            .as_ref()
            .map(|object| object.get().clone())
    }

    pub(super) fn address(&self) -> Option<gio::SocketAddress> {
        self.transport
            .local_address()
            .ok()
            .filter(|_| !self.transport.is_closed())
    }

    pub(super) fn is_at(&self, address: &NativeAddress) -> bool {
        self.address()
            .and_then(|own| NativeAddress::from_gio(&own).ok())
            .is_some_and(|own| own == *address)
    }

    pub(super) fn is_given(&self) -> bool {
        self.is_given
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// It may listen by now.
    pub(super) fn give_another_chance(&self) {
        self.is_broken.store(false, Ordering::Relaxed);
    }

    /// Its owner has closed it, and that was told.
    pub(super) fn give_up(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    /// Takes the next connection, if there is one. It does not wait.
    pub(super) fn look(self: &Arc<Self>) -> Look {
        match self.transport.accept(self.local) {
            Ok(bare) => Look::Taken(Accepted {
                bare,
                listening: self.clone(),
            }),
            Err(NoneTaken::Empty) => Look::Empty,
            Err(NoneTaken::Dead) => Look::Again,
            Err(NoneTaken::Closed(failure)) => Look::Closed(failure),
            Err(NoneTaken::Refused(errno)) => {
                self.is_broken.store(is_for_good(errno), Ordering::Relaxed);
                Look::Failed(error::prefixed("Error accepting connection", errno))
            }
        }
    }

    pub(super) fn close(&self) {
        let _ = self.transport.close();
        let file = self
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(file);
    }
}

/// A connection that was taken from the kernel, and is closed if nobody makes something of it.
#[derive(Debug)]
pub(crate) struct Accepted {
    bare: Bare,
    listening: Arc<Listening>,
}

impl Accepted {
    /// Its object, whose home is here, and what was said with the listening socket.
    pub(crate) fn connection(self) -> (SocketConnection, Option<glib::Object>) {
        let (family, type_, actual) = self.bare.kind().key();
        let protocol = match self.listening.protocol {
            // What came may be plain TCP.
            MULTIPATH_TCP => actual,
            protocol => protocol,
        };
        let type_ = SocketConnection::factory_lookup_type(family, type_, protocol);
        let source_object = self.listening.source_object();
        (SocketConnection::around(self.bare, type_), source_object)
    }

    /// Likewise as a socket.
    ///
    /// # Errors
    ///
    /// What the kernel answers that will not describe it.
    pub(crate) fn socket(self) -> Result<(gio::Socket, Option<glib::Object>), glib::Error> {
        let source_object = self.listening.source_object();
        let (fd, lease) = self.bare.into_parts();
        let socket = gio::Socket::from_fd(fd)?;
        if let Some(lease) = lease {
            lease.keep_with(&socket);
        }
        Ok((socket, source_object))
    }

    /// Whether its peer may connect here, whoever else is connected.
    pub(super) fn is_admitted(&self) -> bool {
        self.listening
            .same_user
            .is_none_or(|same_user| same_user.admits(self.bare.as_fd().as_raw_fd()))
    }

    pub(super) fn take_lease(&mut self, lease: Box<Lease>) {
        self.bare.take_lease(lease);
    }

    /// Closes it so that the peer takes notice.
    pub(super) fn refuse(self) {
        self.bare.refuse();
    }

    /// Who has connected.
    pub(crate) fn peer(&self) -> Option<NativeAddress> {
        self.bare.peer()
    }
}
