//! The factory: which type of connection goes with which kind of socket.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    sync::{PoisonError, RwLock},
};

use gio::{SocketFamily, SocketType, prelude::*};
use glib::translate::IntoGlib;
use once_cell::sync::OnceCell;

use crate::{
    SocketConnection, TcpConnection, UnixConnection, error,
    transport::{Bare, hand_over, kind_of_socket},
    vfunc::is_abstract,
};

/// Family, type and protocol, by their numbers.
type Key = (i32, i32, i32);

fn key(family: SocketFamily, type_: SocketType, protocol: i32) -> Key {
    (family.into_glib(), type_.into_glib(), protocol)
}

/// Read by every accept: looking up takes no exclusive lock.
fn types() -> &'static RwLock<BTreeMap<Key, glib::Type>> {
    static TYPES: OnceCell<RwLock<BTreeMap<Key, glib::Type>>> = OnceCell::new();
    // Outside of the cell: registering a type takes locks of GObject's.
    let (tcp, unix) = (TcpConnection::static_type(), UnixConnection::static_type());
    TYPES.get_or_init(|| {
        let mut types = BTreeMap::new();
        for family in [SocketFamily::Ipv4, SocketFamily::Ipv6] {
            for protocol in [0, libc::IPPROTO_TCP, MPTCP] {
                types.insert(key(family, SocketType::Stream, protocol), tcp);
            }
        }
        for type_ in [SocketType::Stream, SocketType::Seqpacket] {
            types.insert(key(SocketFamily::Unix, type_, 0), unix);
        }
        RwLock::new(types)
    })
}

/// IPPROTO_MPTCP, which is Linux's alone.
const MPTCP: i32 = 262;

impl SocketConnection {
    /// Makes a connection of the registered type around `socket`, which need not be connected.
    ///
    /// The base type where nothing is registered for the socket's family, type and protocol. A socket
    /// that the registered type cannot carry gives a critical message and a connection that is closed.
    /// The connection's home is the calling thread and its thread-default context.
    ///
    /// GIO: SC-33.
    #[doc(alias = "gsock_socket_connection_factory_create_connection")]
    #[doc(alias = "g_socket_connection_factory_create_connection")]
    pub fn factory_create_connection(socket: &gio::Socket) -> Self {
        glib::Object::builder_with_type(Self::factory_type_for(socket))
            .property("socket", socket)
            .build()
            .downcast()
            .unwrap_or_else(|_| unreachable!("the map holds types that derive from this one"))
    }

    /// The type that is registered for `socket`.
    pub(crate) fn factory_type_for(socket: &gio::Socket) -> glib::Type {
        let (family, type_, protocol) = kind_of_socket(socket);
        Self::factory_lookup_type(family, type_, protocol)
    }

    /// Makes a connection of the registered type around an open descriptor, which it then owns.
    ///
    /// It works without a [`gio::Socket`] until the first call of
    /// [`socket`](crate::SocketConnectionExt::socket) or read of the property makes one, so that a
    /// connection costs about half. From the standard library: `OwnedFd::from(stream)`. A connected stream
    /// socket in blocking mode stays in it until then, or until one of the streams is asked for its descriptor; to this
    /// library the mode makes no difference.
    ///
    /// A TCP descriptor reads as protocol 6, and never as 0: a type that is to be made from sockets and
    /// from descriptors is registered for both numbers.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the descriptor is not a socket. The descriptor is closed then.
    #[doc(alias = "gsock_socket_connection_factory_create_connection_from_fd")]
    pub fn factory_create_connection_from_fd(fd: OwnedFd) -> Result<Self, glib::Error> {
        let bare = Bare::new(fd)
            .map_err(|errno| error::prefixed("Creating a connection from a descriptor", errno))?;
        let (family, type_, protocol) = bare.kind().key();
        Ok(Self::around(
            bare,
            Self::factory_lookup_type(family, type_, protocol),
        ))
    }

    /// Likewise of a type that [`factory_lookup_type`](Self::factory_lookup_type) has answered.
    pub(crate) fn around(bare: Bare, type_: glib::Type) -> Self {
        hand_over::make(type_, hand_over::Cargo::Bare(bare))
            .and_then(|made| made.downcast().ok())
            .unwrap_or_else(|| unreachable!("the map holds types that derive from this one"))
    }

    /// Registers `type_` for sockets of this family, type and protocol, in the place of what was
    /// registered before: the last registration wins, whatever the order in which types were loaded.
    ///
    /// A type that does not derive from [`SocketConnection`], or is abstract, leaves a critical message in the log
    /// and the map unchanged. Any thread may call it. There is no way back to an unregistered state.
    ///
    /// GIO: SC-31, where a registration may be overwritten by GIO's own types.
    #[doc(alias = "gsock_socket_connection_factory_register_type")]
    #[doc(alias = "g_socket_connection_factory_register_type")]
    pub fn factory_register_type(
        type_: glib::Type,
        family: SocketFamily,
        socket_type: SocketType,
        protocol: i32,
    ) {
        if !type_.is_a(Self::static_type()) {
            let name = type_.name();
            glib::g_critical!("Gsock", "{name} does not derive from GsockSocketConnection");
            return;
        }
        if is_abstract(type_) {
            let name = type_.name();
            glib::g_critical!(
                "Gsock",
                "{name} is abstract: there can be no connection of it"
            );
            return;
        }
        let mut types = types().write().unwrap_or_else(PoisonError::into_inner);
        types.insert(key(family, socket_type, protocol), type_);
    }

    /// Registers `T`; see [`factory_register_type`](Self::factory_register_type).
    #[doc(alias = "gsock_socket_connection_factory_register_type")]
    pub fn factory_register<T: IsA<Self>>(
        family: SocketFamily,
        socket_type: SocketType,
        protocol: i32,
    ) {
        Self::factory_register_type(T::static_type(), family, socket_type, protocol);
    }

    /// The type registered for exactly this family, type and protocol, else [`SocketConnection`]'s.
    ///
    /// Built in: [`TcpConnection`] for IPv4 and IPv6 streams of protocol 0, TCP (6) and MPTCP (262), and
    /// [`UnixConnection`] for Unix streams and sequenced packets of protocol 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, TcpConnection, UnixConnection};
    ///
    /// let type_of = |family, protocol| {
    ///     SocketConnection::factory_lookup_type(family, gio::SocketType::Stream, protocol)
    /// };
    /// assert_eq!(type_of(gio::SocketFamily::Ipv6, 0), TcpConnection::static_type());
    /// assert_eq!(type_of(gio::SocketFamily::Unix, 0), UnixConnection::static_type());
    /// assert_eq!(type_of(gio::SocketFamily::Ipv4, 132), SocketConnection::static_type());
    /// ```
    ///
    /// GIO: SC-32.
    #[doc(alias = "gsock_socket_connection_factory_lookup_type")]
    #[doc(alias = "g_socket_connection_factory_lookup_type")]
    pub fn factory_lookup_type(
        family: SocketFamily,
        socket_type: SocketType,
        protocol: i32,
    ) -> glib::Type {
        let types = types().read().unwrap_or_else(PoisonError::into_inner);
        types
            .get(&key(family, socket_type, protocol))
            .copied()
            .unwrap_or_else(Self::static_type)
    }
}
