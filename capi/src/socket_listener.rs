//! `GsockSocketListener`.

use std::{ffi::c_int, ptr};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GSocket, GSocketAddress},
    prelude::*,
};
use glib::{
    ffi::{GFALSE, GList, GTRUE, GType, gboolean, gpointer},
    gobject_ffi::{GObject, g_object_set_data_full, g_object_unref},
    translate::{IntoGlib, IntoGlibPtr, Ptr, ToGlibContainerFromSlice, ToGlibPtr},
};
use gsock::{
    SocketConnection, SocketListener, SocketListenerExt,
    subclass::{SocketConnectionInstance, SocketListenerInstance},
};

use crate::{argument::Out, export::exported, unix_connection::result_of};

/// Where C wants the source object: borrowed, as GIO's.
type SourceOut = Out<*mut GObject>;
type Taken<T> = Result<(T, Option<glib::Object>), glib::Error>;

/// Any thread may start; its context need not be its own.
fn start(
    listener: &SocketListener,
    cancellable: &Option<gio::Cancellable>,
    callback: GAsyncReadyCallback,
    user_data: gpointer,
) {
    // SAFETY: live arguments, and what C demands of a callback.
    unsafe { listener.start_accept(cancellable.to_glib_none().0, callback, user_data) }
}

/// To C, which owns what was accepted, and not its source object: that is the listener's.
fn handed<T: IntoGlibPtr<P>, P: Ptr>(taken: Taken<T>, out: SourceOut) -> Result<P, glib::Error> {
    let (taken, source_object) = taken?;
    out.set(source_object.to_glib_none().0);
    Ok(taken.into_glib_ptr())
}

/// Likewise where the listener may have let go of the source object meanwhile: the result keeps it.
fn finished<T: IntoGlibPtr<P>, P: Ptr>(
    taken: Taken<T>,
    result: *mut GAsyncResult,
    out: SourceOut,
) -> Result<P, glib::Error> {
    match taken {
        Ok((taken, source_object)) => {
            out.set(source_object.to_glib_none().0);
            if source_object.is_some() {
                let object: *mut GObject = source_object.into_glib_ptr();
                let key = c"gsock-source-object".as_ptr();
                // SAFETY: a live result, as it was finished; the reference is given away.
                unsafe {
                    g_object_set_data_full(result.cast(), key, object.cast(), Some(give_up));
                }
            }
            Ok(taken.into_glib_ptr())
        }
        Err(failure) => {
            out.set(ptr::null_mut());
            Err(failure)
        }
    }
}

unsafe extern "C" fn give_up(object: gpointer) {
    // No code of Rust's that could panic: what the object's end runs has fences of its own.
    // SAFETY: the reference that the result was given.
    unsafe { g_object_unref(object.cast()) };
}

exported! {
    /// `GSOCK_TYPE_SOCKET_LISTENER`.
    fn gsock_socket_listener_get_type() -> GType, else 0 => {
        SocketListener::static_type().into_glib()
    }

    /// `g_socket_listener_new`.
    fn gsock_socket_listener_new() -> *mut SocketListenerInstance, else ptr::null_mut() => {
        SocketListener::new().into_glib_ptr()
    }

    /// `g_socket_listener_set_backlog`.
    fn gsock_socket_listener_set_backlog(listener: SocketListener, listen_backlog: c_int) -> (), else () => {
        listener.set_backlog(listen_backlog)
    }

    /// `g_socket_listener_add_socket`.
    try fn gsock_socket_listener_add_socket(
        listener: SocketListener,
        socket: gio::Socket,
        source_object: Option<glib::Object>,
    ) -> gboolean, else GFALSE => {
        listener.add_socket(&*socket, (*source_object).as_ref()).map(|()| GTRUE)
    }

    /// `g_socket_listener_add_address`.
    try fn gsock_socket_listener_add_address(
        listener: SocketListener,
        address: gio::SocketAddress,
        type_: gio::SocketType,
        protocol: gio::SocketProtocol,
        source_object: Option<glib::Object>,
        effective_address: Out<*mut GSocketAddress>,
    ) -> gboolean, else GFALSE => {
        let source_object = (*source_object).as_ref();
        listener.add_address(&*address, type_, protocol, source_object).map(|effective| {
            effective_address.put(|| effective.into_glib_ptr());
            GTRUE
        })
    }

    /// `g_socket_listener_add_inet_port`.
    try fn gsock_socket_listener_add_inet_port(
        listener: SocketListener,
        port: u16,
        source_object: Option<glib::Object>,
    ) -> gboolean, else GFALSE => {
        listener.add_inet_port(port, (*source_object).as_ref()).map(|()| GTRUE)
    }

    /// `g_socket_listener_add_any_inet_port`.
    try fn gsock_socket_listener_add_any_inet_port(
        listener: SocketListener,
        source_object: Option<glib::Object>,
    ) -> u16, else 0 => {
        listener.add_any_inet_port((*source_object).as_ref())
    }

    /// The first free port of a few.
    try fn gsock_socket_listener_add_inet_port_in_range(
        listener: SocketListener,
        first: u16,
        last: u16,
        source_object: Option<glib::Object>,
    ) -> u16, else 0 => {
        listener.add_inet_port_in_range(first..=last, (*source_object).as_ref())
    }

    /// Where it listens.
    fn gsock_socket_listener_get_addresses(
        listener: SocketListener,
    ) -> *mut GList, else ptr::null_mut() => {
        ToGlibContainerFromSlice::to_glib_full_from_slice(&listener.addresses())
    }

    /// Listens there no more.
    try fn gsock_socket_listener_remove_address(
        listener: SocketListener,
        address: gio::SocketAddress,
    ) -> gboolean, else GFALSE => {
        listener.remove_address(&*address).map(|()| GTRUE)
    }

    /// `g_socket_listener_accept_socket`.
    try fn gsock_socket_listener_accept_socket(
        listener: SocketListener,
        source_object: SourceOut,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut GSocket, else ptr::null_mut() => {
        handed(listener.accept_socket((*cancellable).as_ref()), source_object)
    }

    /// `g_socket_listener_accept_socket_async`.
    fn gsock_socket_listener_accept_socket_async(
        listener: SocketListener,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&listener, &cancellable, callback, user_data)
    }

    /// `g_socket_listener_accept_socket_finish`.
    try fn gsock_socket_listener_accept_socket_finish(
        listener: SocketListener,
        result: *mut GAsyncResult,
        source_object: SourceOut,
    ) -> *mut GSocket, else ptr::null_mut() => {
        let taken = result_of(result).and_then(|result| listener.accept_socket_finish(&result));
        finished(taken, result, source_object)
    }

    /// `g_socket_listener_accept`.
    try fn gsock_socket_listener_accept(
        listener: SocketListener,
        source_object: SourceOut,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed::<SocketConnection, _>(listener.accept((*cancellable).as_ref()), source_object)
    }

    /// `g_socket_listener_accept_async`.
    fn gsock_socket_listener_accept_async(
        listener: SocketListener,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&listener, &cancellable, callback, user_data)
    }

    /// `g_socket_listener_accept_finish`.
    try fn gsock_socket_listener_accept_finish(
        listener: SocketListener,
        result: *mut GAsyncResult,
        source_object: SourceOut,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        let taken = result_of(result).and_then(|result| listener.accept_finish(&result));
        finished::<SocketConnection, _>(taken, result, source_object)
    }

    /// `g_socket_listener_close`.
    fn gsock_socket_listener_close(listener: SocketListener) -> (), else () => {
        listener.close()
    }
}
