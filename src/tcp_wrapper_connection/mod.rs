//! A connection over TCP whose streams are those of another stream around the socket.

pub(crate) mod closing;
pub(crate) mod imp;

use gio::prelude::*;
use glib::subclass::prelude::*;

use crate::{
    SocketConnection, TcpConnection, error, halves::futures_io,
    socket_connection::inherent_connect, transport::kind_of_socket,
};

glib::wrapper! {
    /// A connection over TCP/IP whose streams are those of a base stream, such as one that speaks TLS over
    /// the socket.
    ///
    /// `input_stream()` and `output_stream()` are the base stream's own objects. Addresses, options, state and
    /// connecting are those of the socket, which is the one that it was made with: `set_socket` is refused.
    ///
    /// # Closing
    ///
    /// A close, in whatever form, closes the base stream first, so that what that has still to say goes out, and
    /// then the socket, also where the base stream fails; the first error is the one that is reported. An
    /// asynchronous close is cancelled without waiting for a base stream that does not listen. `Pending` is what a
    /// base stream answers that is busy or is being closed by somebody else; the socket is closed under it. A connection that
    /// is merely dropped closes the base stream unless others have it, as the drop of any
    /// [`gio::IOStream`] does.
    ///
    /// With `graceful-disconnect` set the output stream of the base is closed, then the socket's sending side;
    /// what the peer still sends is read from the base stream and thrown away until its end, or until the time
    /// is up that a [`TcpConnection`] waits as well. While somebody else reads there, the answer is
    /// `Pending`. A blocking close of that kind keeps a thread that looks at the clock.
    ///
    /// # Bytes
    ///
    /// Nothing here touches the bytes of the socket itself, which are the base stream's.
    ///
    /// | | |
    /// | --- | --- |
    /// | [`receive_async`](SocketConnection::receive_async), [`send_async`](SocketConnection::send_async) | `read_async` and `write_bytes_async` of the base's streams, which are busy meanwhile |
    /// | `AsyncRead`, `AsyncWrite` | through the base's streams where these are pollable, else `Unsupported` |
    /// | [`relay`](crate::relay) | through the base's streams |
    /// | [`halves`](crate::SocketConnectionExt::halves) | every operation of them answers `NotSupported`: they may go to another thread, which the base's streams may not |
    /// | `bytes-read`, `bytes-written` | stay 0: they count what passes through the socket by this object |
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, TcpWrapperConnection, prelude::*};
    ///
    /// /// The same connection, with streams that speak TLS.
    /// fn secured(
    ///     connection: &SocketConnection,
    ///     host: &impl IsA<gio::SocketConnectable>,
    /// ) -> Result<TcpWrapperConnection, glib::Error> {
    ///     let tls = gio::TlsClientConnection::new(connection, Some(host))?;
    ///     TcpWrapperConnection::new(&tls, &connection.socket())
    /// }
    /// ```
    #[doc(alias = "GsockTcpWrapperConnection")]
    #[doc(alias = "GTcpWrapperConnection")]
    pub struct TcpWrapperConnection(ObjectSubclass<imp::TcpWrapperConnection>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::TcpWrapperConnection>();
};

inherent_connect!(TcpWrapperConnection);
futures_io!(TcpWrapperConnection);

impl TcpWrapperConnection {
    /// No connection, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// Makes a connection out of `base_io_stream`, which somehow uses `socket`, and is closed with the connection.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a socket that is not an IPv4 or IPv6 stream. A [`SocketClient`](crate::SocketClient) makes
    /// one around a Unix stream, too, where it speaks TLS over that, and so may who builds it by its properties.
    ///
    /// GIO: WRAP-3.
    #[doc(alias = "gsock_tcp_wrapper_connection_new")]
    #[doc(alias = "g_tcp_wrapper_connection_new")]
    pub fn new(
        base_io_stream: &impl IsA<gio::IOStream>,
        socket: &gio::Socket,
    ) -> Result<Self, glib::Error> {
        let (family, type_, _) = kind_of_socket(socket);
        if !matches!(family, gio::SocketFamily::Ipv4 | gio::SocketFamily::Ipv6)
            || type_ != gio::SocketType::Stream
        {
            return Err(error::invalid(
                "This type of connection cannot carry such a socket",
            ));
        }
        Ok(Self::around(base_io_stream.as_ref(), socket))
    }

    /// The same for any stream, of a Unix socket as well.
    pub(crate) fn around(base_io_stream: &gio::IOStream, socket: &gio::Socket) -> Self {
        glib::Object::builder()
            .property("base-io-stream", base_io_stream)
            .property("socket", socket)
            .build()
    }
}

/// The methods of [`TcpWrapperConnection`] and every type that derives from it.
pub trait TcpWrapperConnectionExt: IsA<TcpWrapperConnection> + 'static {
    /// The stream whose streams are the connection's. Never absent.
    ///
    /// GIO: WRAP-4.
    #[doc(alias = "gsock_tcp_wrapper_connection_get_base_io_stream")]
    #[doc(alias = "g_tcp_wrapper_connection_get_base_io_stream")]
    #[doc(alias = "get_base_io_stream")]
    #[doc(alias = "base-io-stream")]
    fn base_io_stream(&self) -> gio::IOStream {
        self.upcast_ref().imp().base().clone()
    }
}

impl<O: IsA<TcpWrapperConnection>> TcpWrapperConnectionExt for O {}
