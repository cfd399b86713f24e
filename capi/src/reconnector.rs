//! `GsockReconnector`.

use std::{ffi::c_int, ptr, time::Duration};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GIOStream, GNetworkMonitor, GSocketConnectable},
    prelude::*,
};
use glib::{
    ffi::{GError, GFALSE, GType, gboolean, gpointer},
    object::ObjectType,
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr},
};
use gsock::{
    Reconnector, ReconnectorState, SocketClient,
    subclass::{SocketClientInstance, SocketConnectionInstance},
};

use crate::{export::exported, unix_connection::result_of};

type Instance = <Reconnector as ObjectType>::GlibType;

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn time(milliseconds: u32) -> Duration {
    Duration::from_millis(u64::from(milliseconds))
}

/// To C, which owns it.
fn handed(stream: gio::IOStream) -> *mut GIOStream {
    stream.into_glib_ptr()
}

exported! {
    /// `GSOCK_TYPE_RECONNECTOR_STATE`.
    fn gsock_reconnector_state_get_type() -> GType, else 0 => {
        ReconnectorState::static_type().into_glib()
    }

    /// `GSOCK_TYPE_RECONNECTOR`.
    fn gsock_reconnector_get_type() -> GType, else 0 => {
        Reconnector::static_type().into_glib()
    }

    /// Makes one.
    fn gsock_reconnector_new(
        client: SocketClient,
        connectable: gio::SocketConnectable,
    ) -> *mut Instance, else ptr::null_mut() => {
        Reconnector::new(&client, &*connectable).into_glib_ptr()
    }

    /// Begins to connect.
    fn gsock_reconnector_start(reconnector: Reconnector) -> (), else () => {
        reconnector.start()
    }

    /// Ends everything.
    fn gsock_reconnector_stop(reconnector: Reconnector) -> (), else () => {
        reconnector.stop()
    }

    /// Does not wait any longer.
    fn gsock_reconnector_retry_now(reconnector: Reconnector) -> (), else () => {
        reconnector.retry_now()
    }

    /// Blocks until there is a connection.
    try fn gsock_reconnector_wait_connected(
        reconnector: Reconnector,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut GIOStream, else ptr::null_mut() => {
        reconnector.wait_connected(cancellable.as_ref().as_ref()).map(handed)
    }

    /// Starts to wait.
    fn gsock_reconnector_wait_connected_async(
        reconnector: Reconnector,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        // SAFETY: live arguments, and what C demands of a callback.
        unsafe { reconnector.start_to_wait(cancellable.to_glib_none().0, callback, user_data) }
    }

    /// Takes the outcome.
    try fn gsock_reconnector_wait_connected_finish(
        reconnector: Reconnector,
        result: *mut GAsyncResult,
    ) -> *mut GIOStream, else ptr::null_mut() => {
        result_of(result).and_then(|result| reconnector.wait_connected_finish(&result)).map(handed)
    }

    /// The property `client`; the reconnector keeps what it answers.
    fn gsock_reconnector_get_client(
        reconnector: Reconnector,
    ) -> *mut SocketClientInstance, else ptr::null_mut() => {
        reconnector.client().to_glib_none().0
    }

    /// The property `connectable`; the reconnector keeps what it answers.
    fn gsock_reconnector_get_connectable(
        reconnector: Reconnector,
    ) -> *mut GSocketConnectable, else ptr::null_mut() => {
        reconnector.connectable().to_glib_none().0
    }

    /// The property `network-monitor`.
    fn gsock_reconnector_get_network_monitor(
        reconnector: Reconnector,
    ) -> *mut GNetworkMonitor, else ptr::null_mut() => {
        reconnector.network_monitor().map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
    }

    /// Sets the property `network-monitor`.
    fn gsock_reconnector_set_network_monitor(
        reconnector: Reconnector,
        value: Option<gio::NetworkMonitor>,
    ) -> (), else () => {
        reconnector.set_network_monitor(value.as_ref().as_ref())
    }

    /// The property `initial-delay-ms`.
    fn gsock_reconnector_get_initial_delay_ms(reconnector: Reconnector) -> u32, else 0 => {
        milliseconds(reconnector.initial_delay())
    }

    /// Sets the property `initial-delay-ms`.
    fn gsock_reconnector_set_initial_delay_ms(reconnector: Reconnector, value: u32) -> (), else () => {
        reconnector.set_initial_delay(time(value))
    }

    /// The property `max-delay-ms`.
    fn gsock_reconnector_get_max_delay_ms(reconnector: Reconnector) -> u32, else 0 => {
        milliseconds(reconnector.max_delay())
    }

    /// Sets the property `max-delay-ms`.
    fn gsock_reconnector_set_max_delay_ms(reconnector: Reconnector, value: u32) -> (), else () => {
        reconnector.set_max_delay(time(value))
    }

    /// The property `stable-after-ms`.
    fn gsock_reconnector_get_stable_after_ms(reconnector: Reconnector) -> u32, else 0 => {
        milliseconds(reconnector.stable_after())
    }

    /// Sets the property `stable-after-ms`.
    fn gsock_reconnector_set_stable_after_ms(reconnector: Reconnector, value: u32) -> (), else () => {
        reconnector.set_stable_after(time(value))
    }

    /// The property `debounce-ms`.
    fn gsock_reconnector_get_debounce_ms(reconnector: Reconnector) -> u32, else 0 => {
        milliseconds(reconnector.debounce())
    }

    /// Sets the property `debounce-ms`.
    fn gsock_reconnector_set_debounce_ms(reconnector: Reconnector, value: u32) -> (), else () => {
        reconnector.set_debounce(time(value))
    }

    /// The property `jitter`.
    fn gsock_reconnector_get_jitter(reconnector: Reconnector) -> f64, else 0.0 => {
        reconnector.jitter()
    }

    /// Sets the property `jitter`.
    fn gsock_reconnector_set_jitter(reconnector: Reconnector, value: f64) -> (), else () => {
        reconnector.set_jitter(value)
    }

    /// The property `max-attempts`.
    fn gsock_reconnector_get_max_attempts(reconnector: Reconnector) -> u32, else 0 => {
        reconnector.max_attempts()
    }

    /// Sets the property `max-attempts`.
    fn gsock_reconnector_set_max_attempts(reconnector: Reconnector, value: u32) -> (), else () => {
        reconnector.set_max_attempts(value)
    }

    /// The property `reconnect`.
    fn gsock_reconnector_get_reconnect(reconnector: Reconnector) -> gboolean, else GFALSE => {
        reconnector.reconnect().into_glib()
    }

    /// Sets the property `reconnect`.
    fn gsock_reconnector_set_reconnect(reconnector: Reconnector, value: bool) -> (), else () => {
        reconnector.set_reconnect(value)
    }

    /// The property `state`.
    fn gsock_reconnector_get_state(
        reconnector: Reconnector,
    ) -> c_int, else ReconnectorState::Stopped.into_glib() => {
        reconnector.state().into_glib()
    }

    /// The property `connection`.
    fn gsock_reconnector_get_connection(
        reconnector: Reconnector,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        reconnector.connection().map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
    }

    /// The property `io-stream`.
    fn gsock_reconnector_get_io_stream(
        reconnector: Reconnector,
    ) -> *mut GIOStream, else ptr::null_mut() => {
        reconnector.io_stream().map_or(ptr::null_mut(), handed)
    }

    /// The property `attempt`.
    fn gsock_reconnector_get_attempt(reconnector: Reconnector) -> u32, else 0 => {
        reconnector.attempt()
    }

    /// The property `next-attempt-in-ms`.
    fn gsock_reconnector_get_next_attempt_in_ms(reconnector: Reconnector) -> u32, else 0 => {
        milliseconds(reconnector.next_attempt_in())
    }

    /// The property `last-error`.
    fn gsock_reconnector_get_last_error(
        reconnector: Reconnector,
    ) -> *mut GError, else ptr::null_mut() => {
        reconnector.last_error().map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
    }
}
