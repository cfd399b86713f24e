//! The connection that other streams stand on.

use gio::prelude::*;

use crate::SocketConnection;

/// Deeper than anybody stacks them: one that stands on itself has no bottom.
const DEEPEST: usize = 32;

impl SocketConnection {
    /// The connection at the bottom of streams that stand on each other, as TLS stands on a connection: from there come the addresses,
    /// the state and the options that `io_stream` does not tell of.
    ///
    /// It goes down by the property `base-io-stream`, which a [`gio::TlsConnection`], a
    /// [`TcpWrapperConnection`](crate::TcpWrapperConnection) and others have. A connection without one is its own bottom. For one of
    /// GIO's class it is what [`from_gio`](Self::from_gio) makes of it. None where the bottom is something else, or has gone.
    ///
    /// # Main context
    ///
    /// None is iterated.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketConnection, prelude::*};
    ///
    /// fn peer(tls: &gio::TlsConnection) -> Result<gio::SocketAddress, glib::Error> {
    ///     match SocketConnection::beneath(tls) {
    ///         Some(connection) => connection.remote_address(),
    ///         None => Err(glib::Error::new(gio::IOErrorEnum::NotFound, "No socket")),
    ///     }
    /// }
    /// ```
    #[doc(alias = "gsock_socket_connection_beneath")]
    #[must_use]
    pub fn beneath(io_stream: &impl IsA<gio::IOStream>) -> Option<Self> {
        let mut stream: gio::IOStream = io_stream.clone().upcast();
        for _ in 0..DEEPEST {
            let base = stream.find_property("base-io-stream").filter(|base| {
                base.value_type().is_a(gio::IOStream::static_type())
                    && base.flags().contains(glib::ParamFlags::READABLE)
            });
            if let Some(base) = base {
                // The type was looked at.
                stream = stream.property_value(base.name()).get().ok().flatten()?;
                continue;
            }
            return match stream.downcast::<Self>() {
                Ok(own) => Some(own),
                Err(other) => other
                    .downcast_ref::<gio::SocketConnection>()
                    .map(Self::from_gio),
            };
        }
        None
    }
}
