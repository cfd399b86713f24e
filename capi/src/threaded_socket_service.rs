//! `GsockThreadedSocketService`.

use std::{ffi::c_int, ptr};

use gio::prelude::*;
use glib::{
    ffi::GType,
    translate::{IntoGlib, IntoGlibPtr},
};
use gsock::{SocketService, ThreadedSocketService, subclass::SocketServiceInstance};

use crate::export::exported;

exported! {
    /// `GSOCK_TYPE_THREADED_SOCKET_SERVICE`.
    fn gsock_threaded_socket_service_get_type() -> GType, else 0 => {
        ThreadedSocketService::static_type().into_glib()
    }

    /// `g_threaded_socket_service_new`, which has the parent's type too.
    fn gsock_threaded_socket_service_new(
        max_threads: c_int,
    ) -> *mut SocketServiceInstance, else ptr::null_mut() => {
        ThreadedSocketService::new(max_threads).upcast::<SocketService>().into_glib_ptr()
    }
}
