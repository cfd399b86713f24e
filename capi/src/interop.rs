//! Connections of GIO's own classes.

use std::ptr;

use gio::ffi::GSocketConnection;
use glib::{
    ffi::{GFALSE, GTRUE, gboolean},
    translate::IntoGlibPtr,
};
use gsock::{SocketConnection, SocketConnectionExt, subclass::SocketConnectionInstance};

use crate::export::exported;

exported! {
    /// Has GIO make its connections on this library's transport.
    try fn gsock_adopt_gio() -> gboolean, else GFALSE => {
        gsock::adopt_gio().map(|()| GTRUE)
    }

    /// A connection of GIO's class that shares the transport.
    fn gsock_socket_connection_to_gio(
        connection: SocketConnection,
    ) -> *mut GSocketConnection, else ptr::null_mut() => {
        connection.to_gio().into_glib_ptr()
    }

    /// And the reverse.
    fn gsock_socket_connection_new_from_gio(
        connection: gio::SocketConnection,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        SocketConnection::from_gio(&*connection).into_glib_ptr()
    }

    /// What other streams stand on.
    fn gsock_socket_connection_beneath(
        io_stream: gio::IOStream,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        SocketConnection::beneath(&*io_stream).into_glib_ptr()
    }
}
