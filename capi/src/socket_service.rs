//! `GsockSocketService`.

use std::ptr;

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult},
    prelude::*,
};
use glib::{
    ffi::{GFALSE, GTRUE, GType, gboolean, gpointer},
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr},
};
use gsock::{SocketService, SocketServiceExt, subclass::SocketServiceInstance};

use crate::{export::exported, unix_connection::result_of};

exported! {
    /// `GSOCK_TYPE_SOCKET_SERVICE`.
    fn gsock_socket_service_get_type() -> GType, else 0 => {
        SocketService::static_type().into_glib()
    }

    /// `g_socket_service_new`.
    fn gsock_socket_service_new() -> *mut SocketServiceInstance, else ptr::null_mut() => {
        SocketService::new().into_glib_ptr()
    }

    /// `g_socket_service_start`.
    fn gsock_socket_service_start(service: SocketService) -> (), else () => {
        service.start()
    }

    /// `g_socket_service_stop`.
    fn gsock_socket_service_stop(service: SocketService) -> (), else () => {
        service.stop()
    }

    /// `g_socket_service_is_active`.
    fn gsock_socket_service_is_active(service: SocketService) -> gboolean, else GFALSE => {
        service.is_active().into_glib()
    }

    /// Stops, and waits until nothing is left.
    fn gsock_socket_service_drain_async(
        service: SocketService,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        // SAFETY: live arguments, and what C demands of a callback.
        unsafe { service.start_drain(cancellable.to_glib_none().0, callback, user_data) }
    }

    /// Takes the outcome.
    try fn gsock_socket_service_drain_finish(
        service: SocketService,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        result_of(result).and_then(|result| service.drain_finish(&result)).map(|()| GTRUE)
    }
}
