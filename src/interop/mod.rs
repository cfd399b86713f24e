//! Connections of GIO's own classes on our transport, and the way to and fro.

mod adoption;
mod beneath;
mod classes;
mod core;
mod output_stream;
mod slots;

use std::sync::Arc;

use gio::prelude::*;
use glib::subclass::prelude::*;

use crate::{
    SocketConnection, TcpConnection, TcpConnectionExt as _, TcpWrapperConnection,
    TcpWrapperConnectionExt as _,
    transport::{
        Transport,
        hand_over::{self, Cargo},
        placeholder,
    },
};
use classes::{GioSocketConnection, GioTcpConnection, GioUnixConnection, Twin};

/// Has GIO make its connections on this crate's transport and engine, from now on and in this whole process.
///
/// Whoever makes an object of exactly `GSocketConnection`, `GTcpConnection` or `GUnixConnection` gets one of a type that
/// derives from it: `GSocketClient`, `GSocketListener`, `GSocketService`, GDBus, libsoup and every other user of
/// GIO, none of which needs to be changed. These objects pass every check of their type, and their streams
/// and their close are those of this crate. What goes to the socket without the streams is GIO's as before: connecting,
/// descriptors and credentials of a `GUnixConnection`, GDBus. Objects that were made before
/// stay as they are, and so do types of others that derive from GIO's, a proxy's and a TLS connection's wrapper among them.
///
/// Any thread may call it, and more than once. There is no way back.
///
/// GIO's factory goes on answering with its own types: a registration of ours there would leave it with memory that it has
/// freed (SC-31). A type that somebody else has registered for a kind of socket stays in its place.
///
/// # Errors
///
/// `NotSupported` where GObject does not make objects as it does in GLib 2.74, and nothing is adopted.
///
/// # Examples
///
/// ```standalone_crate
/// use gio::prelude::*;
///
/// # fn main() -> Result<(), glib::Error> {
/// gsock::adopt_gio()?;
/// let service = gio::SocketService::new();
/// let port = service.add_any_inet_port(glib::Object::NONE)?;
/// let connection =
///     gio::SocketClient::new().connect_to_host("127.0.0.1", port, gio::Cancellable::NONE)?;
/// assert!(connection.is::<gio::TcpConnection>());
/// assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "gsock_adopt_gio")]
pub fn adopt_gio() -> Result<(), glib::Error> {
    if adoption::adopt() {
        return Ok(());
    }
    Err(glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "This GLib does not make its connections of another type",
    ))
}

/// See [`SocketConnectionExt::to_gio`](crate::SocketConnectionExt::to_gio).
pub(crate) fn to_gio(connection: &SocketConnection) -> gio::SocketConnection {
    let transport = &connection.imp().transport();
    let known = transport
        .twin()
        .and_then(|twin| twin.downcast::<gio::SocketConnection>().ok());
    if let Some(known) = known
        // One that is being disposed of is closed by that, and nothing else is.
        && (!known.is_closed() || transport.is_closed())
    {
        return known;
    }
    let object = match connection.downcast_ref::<TcpWrapperConnection>() {
        // Its streams are the base's.
        Some(wrapper) => {
            gio::TcpWrapperConnection::new(&wrapper.base_io_stream(), &transport.socket()).upcast()
        }
        None => new_twin(transport),
    };
    if let Some(owner) = connection.downcast_ref::<TcpConnection>()
        && let Some(tcp) = object.downcast_ref::<gio::TcpConnection>()
    {
        TcpConnectionExt::set_graceful_disconnect(tcp, owner.is_graceful_disconnect());
    }
    if transport.is_closed() {
        let _ = object.close(gio::Cancellable::NONE);
    }
    transport.set_twin(object.upcast_ref());
    object
}

/// Of the type for the kind of socket, on the transport.
fn new_twin(transport: &Arc<Transport>) -> gio::SocketConnection {
    let kind = transport.kind();
    let type_ = if kind.is_inet() && kind.is_stream() {
        GioTcpConnection::static_type()
    } else if kind.is_unix() && kind.has_one_peer() {
        GioUnixConnection::static_type()
    } else {
        GioSocketConnection::static_type()
    };
    let object: gio::SocketConnection = glib::Object::builder_with_type(type_)
        .property("socket", transport.socket())
        .build()
        .downcast()
        .unwrap_or_else(|_| unreachable!("each of the types derives from GIO's"));
    if let Some(twin) = twin_of(&object) {
        twin.share(transport);
    }
    object
}

/// Of one of ours.
fn twin_of(object: &gio::SocketConnection) -> Option<&core::Core> {
    fn of<T>(object: &gio::SocketConnection) -> Option<&core::Core>
    where
        T: ObjectSubclassIsExt + IsA<gio::SocketConnection>,
        T::Subclass: Twin,
    {
        object.downcast_ref::<T>().map(|twin| twin.imp().core())
    }
    of::<GioTcpConnection>(object)
        .or_else(|| of::<GioUnixConnection>(object))
        .or_else(|| of::<GioSocketConnection>(object))
}

impl SocketConnection {
    /// A connection of ours on the socket of one of GIO's, of the type that the [factory](Self::factory_lookup_type) has
    /// for it.
    ///
    /// Where `connection` is one that [`adopt_gio`](crate::adopt_gio) or [`to_gio`](crate::SocketConnectionExt::to_gio) has
    /// made, both share one transport: one state, one owner of the bytes. It is the same object each time,
    /// for as long as somebody holds it; that of `to_gio` gives back what it was made from. Its home is the thread
    /// that calls this first and the context that is thread-default there; on another thread there is another object, as
    /// around a connection of GIO's.
    ///
    /// Of GIO's own it shares the `GSocket`. Both may read and write, since neither reads ahead, and what one
    /// has read the other does not see; state and counters are of what this object does and sees itself. Not so where a class above
    /// GIO's has streams of its own: what passes through them is not for the bare socket.
    ///
    /// Of a `GTcpWrapperConnection` it is a new [`TcpWrapperConnection`](crate::TcpWrapperConnection) each time, on the same base
    /// stream and socket. Of one without a base stream, or around a socket that is no internet stream, there is none: a critical
    /// message and a connection that is closed.
    ///
    /// Either way closing one closes the socket of both, and what is merely dropped leaves it to the other.
    #[doc(alias = "gsock_socket_connection_new_from_gio")]
    pub fn from_gio(connection: &impl IsA<gio::SocketConnection>) -> Self {
        let connection = connection.upcast_ref();
        if let Some(wrapper) = connection.downcast_ref::<gio::TcpWrapperConnection>() {
            return Self::of_wrapper(wrapper);
        }
        let Some(transport) = twin_of(connection).map(|twin| twin.transport(connection)) else {
            return Self::factory_create_connection(&connection.socket());
        };
        if let Some(known) = known_here(transport) {
            return known;
        }
        if !transport.claim() {
            return Self::factory_create_connection(&transport.socket());
        }
        transport.set_twin(connection.upcast_ref());
        Self::sharing(transport, connection)
    }

    /// On the same base stream: a connection on the bare socket would put plain text into the middle of what that sends.
    fn of_wrapper(wrapper: &gio::TcpWrapperConnection) -> Self {
        // GIO accepts a wrapper around nothing (F-13).
        let base: Option<gio::IOStream> = wrapper.property("base-io-stream");
        if let Some(Ok(own)) = base.map(|base| TcpWrapperConnection::new(&base, &wrapper.socket()))
        {
            own.set_graceful_disconnect(TcpConnectionExt::is_graceful_disconnect(wrapper));
            return own.upcast();
        }
        glib::g_critical!(
            "Gsock",
            "a GTcpWrapperConnection without a base stream, or around another kind of socket"
        );
        let connection = Self::new(&placeholder());
        let _ = connection.close(gio::Cancellable::NONE);
        connection
    }

    /// Around a transport that was claimed for it.
    fn sharing(transport: &Arc<Transport>, connection: &gio::SocketConnection) -> Self {
        let type_ = Self::factory_type_for(&transport.socket());
        let object: Self = hand_over::make(type_, Cargo::Shared(transport.clone()))
            .and_then(|made| made.downcast().ok())
            .unwrap_or_else(|| unreachable!("the map holds types that derive from this one"));
        if let Some(tcp) = connection.downcast_ref::<gio::TcpConnection>()
            && let Some(own) = object.downcast_ref::<TcpConnection>()
        {
            own.set_graceful_disconnect(TcpConnectionExt::is_graceful_disconnect(tcp));
        }
        // GIO may have connected the socket, or closed it.
        transport.catch_up();
        object
    }
}

/// The connection of ours that has the transport, where it may be handed out.
fn known_here(transport: &Arc<Transport>) -> Option<SocketConnection> {
    if !transport.notifier().is_home() {
        return None;
    }
    let known: SocketConnection = transport.notifier().upgrade()?.downcast().ok()?;
    // It may have moved on to another socket.
    let is_on_it = Arc::ptr_eq(&known.imp().transport(), transport);
    (is_on_it && (!known.is_closed() || transport.is_closed())).then_some(known)
}
