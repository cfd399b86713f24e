//! `GsockTcpWrapperConnection`.

use std::ptr;

use gio::{ffi::GIOStream, prelude::*};
use glib::{
    ffi::GType,
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr},
};
use gsock::{
    SocketConnection, TcpWrapperConnection, TcpWrapperConnectionExt,
    subclass::SocketConnectionInstance,
};

use crate::{export::exported, fence::Refusal};

exported! {
    /// `GSOCK_TYPE_TCP_WRAPPER_CONNECTION`.
    fn gsock_tcp_wrapper_connection_get_type() -> GType, else 0 => {
        TcpWrapperConnection::static_type().into_glib()
    }

    /// `g_tcp_wrapper_connection_new`.
    fn gsock_tcp_wrapper_connection_new(
        base_io_stream: gio::IOStream,
        socket: gio::Socket,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        let made = TcpWrapperConnection::new(&*base_io_stream, &socket).map_err(|_| Refusal {
            check: "an IPv4 or IPv6 stream",
            argument: "socket",
        })?;
        made.upcast::<SocketConnection>().into_glib_ptr()
    }

    /// `g_tcp_wrapper_connection_get_base_io_stream`.
    fn gsock_tcp_wrapper_connection_get_base_io_stream(
        conn: TcpWrapperConnection,
    ) -> *mut GIOStream, else ptr::null_mut() => {
        // Borrowed from the connection, which keeps it for its whole life.
        conn.base_io_stream().to_glib_none().0
    }
}
