//! `GsockSocketConnection`.

use std::{ffi::c_int, os::fd::OwnedFd, ptr};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GSocket, GSocketAddress},
    prelude::*,
};
use glib::{
    ffi::{GError, GFALSE, GTRUE, GType, gboolean, gpointer},
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr, from_glib_full},
};
use gsock::{
    ConnectionState, SocketConnection, SocketConnectionExt,
    subclass::{SocketConnectionClass, SocketConnectionInstance},
};

use crate::{
    argument::{Out, memory},
    export::exported,
};

/// The slot of the object's class that `which` picks, or of the base class where that one's is empty.
///
/// C calls slots itself: its callbacks are not Rust's, and its contexts need not be its own.
fn slot<S>(
    connection: &SocketConnection,
    which: impl Fn(&SocketConnectionClass) -> Option<S>,
) -> Option<S> {
    let instance: *mut SocketConnectionInstance = connection.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *instance.cast::<*const SocketConnectionClass>() };
    // SAFETY: a class lives as long as its instances.
    which(unsafe { &*class }).or_else(|| {
        let base = glib::Class::<SocketConnection>::from_type(SocketConnection::static_type());
        which(base?.as_ref())
    })
}

exported! {
    /// `GSOCK_TYPE_SOCKET_CONNECTION`.
    fn gsock_socket_connection_get_type() -> GType, else 0 => {
        SocketConnection::static_type().into_glib()
    }

    /// `g_socket_connection_is_connected`.
    fn gsock_socket_connection_is_connected(
        connection: SocketConnection,
    ) -> gboolean, else GFALSE => {
        connection.is_connected().into_glib()
    }

    /// `g_socket_connection_connect`.
    try fn gsock_socket_connection_connect(
        connection: SocketConnection,
        address: gio::SocketAddress,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        connection.connect(&*address, (*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// `g_socket_connection_connect_async`.
    fn gsock_socket_connection_connect_async(
        connection: SocketConnection,
        address: gio::SocketAddress,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        if let Some(connect_async) = slot(&connection, |class| class.connect_async) {
            // SAFETY: the caller's arguments, passed on.
            unsafe {
                connect_async(
                    connection.to_glib_none().0,
                    address.to_glib_none().0,
                    cancellable.to_glib_none().0,
                    callback,
                    user_data,
                );
            }
        }
    }

    /// `g_socket_connection_connect_finish`.
    try fn gsock_socket_connection_connect_finish(
        connection: SocketConnection,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        let mut failure: *mut GError = ptr::null_mut();
        let done = slot(&connection, |class| class.connect_finish).map_or(GFALSE, |finish| {
            // SAFETY: the caller's arguments, passed on; the slot takes any result, NULL too.
            unsafe { finish(connection.to_glib_none().0, result, &raw mut failure) }
        });
        if failure.is_null() {
            Ok(done)
        } else {
            // SAFETY: an error that is ours to free.
            Err(unsafe { from_glib_full(failure) })
        }
    }

    /// Reads into the caller's memory.
    fn gsock_socket_connection_receive_async(
        connection: SocketConnection,
        buffer: gpointer,
        count: usize,
        io_priority: c_int,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        let (buffer, priority) = (memory(buffer, count)?, io_priority.into());
        let cancellable = (*cancellable).as_ref();
        // SAFETY: what the header demands of C.
        unsafe {
            connection.receive_raw_async(buffer, count, priority, cancellable, callback, user_data);
        }
    }

    /// How many bytes that were.
    try fn gsock_socket_connection_receive_finish(
        connection: SocketConnection,
        result: *mut GAsyncResult,
    ) -> isize, else -1 => {
        // SAFETY: live, or NULL.
        unsafe { connection.receive_raw_finish(result) }.map(usize::cast_signed)
    }

    /// Writes from the caller's memory.
    fn gsock_socket_connection_send_async(
        connection: SocketConnection,
        buffer: gpointer,
        count: usize,
        io_priority: c_int,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        let (buffer, priority) = (memory(buffer, count)?, io_priority.into());
        let cancellable = (*cancellable).as_ref();
        // SAFETY: what the header demands of C.
        unsafe {
            connection.send_raw_async(buffer, count, priority, cancellable, callback, user_data);
        }
    }

    /// How many bytes that were.
    try fn gsock_socket_connection_send_finish(
        connection: SocketConnection,
        result: *mut GAsyncResult,
    ) -> isize, else -1 => {
        // SAFETY: live, or NULL.
        unsafe { connection.send_raw_finish(result) }.map(usize::cast_signed)
    }

    /// Starts to give each of two connections what the peer of the other one sends.
    fn gsock_socket_connection_relay_async(
        a: SocketConnection,
        b: SocketConnection,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        // SAFETY: what the header demands of C.
        unsafe { a.relay_raw_async(&b, (*cancellable).as_ref(), callback, user_data) };
    }

    /// How many bytes went each way.
    try fn gsock_socket_connection_relay_finish(
        a: SocketConnection,
        result: *mut GAsyncResult,
        a_to_b: Out<u64>,
        b_to_a: Out<u64>,
    ) -> gboolean, else GFALSE => {
        // SAFETY: live, or NULL.
        let outcome = unsafe { a.relay_raw_finish(result) };
        let relayed = outcome.as_ref().copied().unwrap_or_default();
        a_to_b.set(relayed.a_to_b);
        b_to_a.set(relayed.b_to_a);
        outcome.map(|_| GTRUE)
    }

    /// `g_socket_connection_get_socket`.
    fn gsock_socket_connection_get_socket(
        connection: SocketConnection,
    ) -> *mut GSocket, else ptr::null_mut() => {
        connection.lend_socket()
    }

    /// Moves the connection on to another socket.
    try fn gsock_socket_connection_set_socket(
        connection: SocketConnection,
        socket: gio::Socket,
    ) -> gboolean, else GFALSE => {
        connection.set_socket(&socket).map(|()| GTRUE)
    }

    /// `g_socket_connection_get_local_address`.
    try fn gsock_socket_connection_get_local_address(
        connection: SocketConnection,
    ) -> *mut GSocketAddress, else ptr::null_mut() => {
        connection.local_address().map(IntoGlibPtr::into_glib_ptr)
    }

    /// `g_socket_connection_get_remote_address`.
    try fn gsock_socket_connection_get_remote_address(
        connection: SocketConnection,
    ) -> *mut GSocketAddress, else ptr::null_mut() => {
        connection.remote_address().map(IntoGlibPtr::into_glib_ptr)
    }

    /// Where the connection stands.
    fn gsock_socket_connection_get_state(
        connection: SocketConnection,
    ) -> c_int, else ConnectionState::Unconnected.into_glib() => {
        connection.state().into_glib()
    }

    /// Whether there is a peer.
    fn gsock_socket_connection_is_alive(
        connection: SocketConnection,
    ) -> gboolean, else GFALSE => {
        connection.is_alive().into_glib()
    }

    /// What ended or failed the connection.
    fn gsock_socket_connection_get_last_error(
        connection: SocketConnection,
    ) -> *mut GError, else ptr::null_mut() => {
        connection.last_error().map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
    }

    /// How many bytes were read.
    fn gsock_socket_connection_get_bytes_read(
        connection: SocketConnection,
    ) -> u64, else 0 => {
        connection.bytes_read()
    }

    /// How many bytes were written.
    fn gsock_socket_connection_get_bytes_written(
        connection: SocketConnection,
    ) -> u64, else 0 => {
        connection.bytes_written()
    }

    /// Makes the calling thread and `context` the home.
    fn gsock_socket_connection_set_home(
        connection: SocketConnection,
        context: glib::MainContext,
    ) -> (), else () => {
        // SAFETY: what the header demands of C.
        unsafe { connection.set_home(&context) }
    }

    /// `g_socket_connection_factory_register_type`.
    fn gsock_socket_connection_factory_register_type(
        g_type: glib::Type,
        family: gio::SocketFamily,
        type_: gio::SocketType,
        protocol: c_int,
    ) -> (), else () => {
        SocketConnection::factory_register_type(g_type, family, type_, protocol)
    }

    /// `g_socket_connection_factory_lookup_type`.
    fn gsock_socket_connection_factory_lookup_type(
        family: gio::SocketFamily,
        type_: gio::SocketType,
        protocol_id: c_int,
    ) -> GType, else 0 => {
        SocketConnection::factory_lookup_type(family, type_, protocol_id).into_glib()
    }

    /// `g_socket_connection_factory_create_connection`.
    fn gsock_socket_connection_factory_create_connection(
        socket: gio::Socket,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        SocketConnection::factory_create_connection(&socket).into_glib_ptr()
    }

    /// Likewise around a bare descriptor.
    try fn gsock_socket_connection_factory_create_connection_from_fd(
        fd: OwnedFd,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        SocketConnection::factory_create_connection_from_fd(fd).map(IntoGlibPtr::into_glib_ptr)
    }
}
