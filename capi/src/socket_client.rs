//! `GsockSocketClient`.

use std::{ffi::c_int, ptr, time::Duration};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GProxyResolver, GSocketAddress},
    prelude::*,
};
use glib::{
    ffi::{GFALSE, GType, gboolean, gpointer},
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr},
};
use gsock::{
    SocketClient, SocketClientExt, SocketConnection,
    subclass::{SocketClientInstance, SocketConnectionInstance},
};

use crate::{export::exported, unix_connection::result_of};

type Aim = Result<gio::SocketConnectable, glib::Error>;
type Made = Result<SocketConnection, glib::Error>;

fn host_of(host_and_port: &str, default_port: u16) -> Aim {
    gio::NetworkAddress::parse(host_and_port, default_port).map(Cast::upcast)
}

fn uri_of(uri: &str, default_port: u16) -> Aim {
    SocketClient::aim_at_uri(uri, default_port)
}

fn service_of(domain: &str, service: &str) -> Aim {
    Ok(gio::NetworkService::new(service, "tcp", domain).upcast())
}

/// Any thread may start; its context need not be its own.
fn start(
    client: &SocketClient,
    aim: Aim,
    cancellable: &Option<gio::Cancellable>,
    callback: GAsyncReadyCallback,
    user_data: gpointer,
) {
    // SAFETY: live arguments, and what C demands of a callback.
    unsafe { client.start(aim, cancellable.to_glib_none().0, callback, user_data) }
}

fn finish(client: &SocketClient, result: *mut GAsyncResult) -> Made {
    client.connect_finish(&result_of(result)?)
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// To C, which owns it.
fn handed(made: Made) -> Result<*mut SocketConnectionInstance, glib::Error> {
    made.map(IntoGlibPtr::into_glib_ptr)
}

exported! {
    /// `GSOCK_TYPE_SOCKET_CLIENT`.
    fn gsock_socket_client_get_type() -> GType, else 0 => {
        SocketClient::static_type().into_glib()
    }

    /// `g_socket_client_new`.
    fn gsock_socket_client_new() -> *mut SocketClientInstance, else ptr::null_mut() => {
        SocketClient::new().into_glib_ptr()
    }

    /// `g_socket_client_get_family`.
    fn gsock_socket_client_get_family(client: SocketClient) -> c_int, else gio::SocketFamily::Invalid.into_glib() => {
        client.family().into_glib()
    }

    /// `g_socket_client_set_family`.
    fn gsock_socket_client_set_family(client: SocketClient, value: gio::SocketFamily) -> (), else () => {
        client.set_family(value)
    }

    /// `g_socket_client_get_socket_type`.
    fn gsock_socket_client_get_socket_type(client: SocketClient) -> c_int, else gio::SocketType::Invalid.into_glib() => {
        client.socket_type().into_glib()
    }

    /// `g_socket_client_set_socket_type`.
    fn gsock_socket_client_set_socket_type(client: SocketClient, value: gio::SocketType) -> (), else () => {
        client.set_socket_type(value)
    }

    /// `g_socket_client_get_protocol`.
    fn gsock_socket_client_get_protocol(client: SocketClient) -> c_int, else gio::SocketProtocol::Unknown.into_glib() => {
        client.protocol().into_glib()
    }

    /// `g_socket_client_set_protocol`.
    fn gsock_socket_client_set_protocol(client: SocketClient, value: gio::SocketProtocol) -> (), else () => {
        client.set_protocol(value)
    }

    /// `g_socket_client_get_timeout`.
    fn gsock_socket_client_get_timeout(client: SocketClient) -> u32, else 0 => {
        client.timeout()
    }

    /// `g_socket_client_set_timeout`.
    fn gsock_socket_client_set_timeout(client: SocketClient, value: u32) -> (), else () => {
        client.set_timeout(value)
    }

    /// `g_socket_client_get_enable_proxy`.
    fn gsock_socket_client_get_enable_proxy(client: SocketClient) -> gboolean, else GFALSE => {
        client.enables_proxy().into_glib()
    }

    /// `g_socket_client_set_enable_proxy`.
    fn gsock_socket_client_set_enable_proxy(client: SocketClient, value: bool) -> (), else () => {
        client.set_enable_proxy(value)
    }

    /// `g_socket_client_get_tls`.
    fn gsock_socket_client_get_tls(client: SocketClient) -> gboolean, else GFALSE => {
        client.tls().into_glib()
    }

    /// `g_socket_client_set_tls`.
    fn gsock_socket_client_set_tls(client: SocketClient, value: bool) -> (), else () => {
        client.set_tls(value)
    }

    /// `g_socket_client_get_tls_validation_flags`.
    fn gsock_socket_client_get_tls_validation_flags(client: SocketClient) -> u32, else 0 => {
        client.tls_validation_flags().into_glib()
    }

    /// `g_socket_client_set_tls_validation_flags`.
    fn gsock_socket_client_set_tls_validation_flags(client: SocketClient, value: gio::TlsCertificateFlags) -> (), else () => {
        client.set_tls_validation_flags(value)
    }

    /// `g_socket_client_get_local_address`; the client keeps what it answers.
    fn gsock_socket_client_get_local_address(
        client: SocketClient,
    ) -> *mut GSocketAddress, else ptr::null_mut() => {
        client.local_address().to_glib_none().0
    }

    /// `g_socket_client_set_local_address`.
    fn gsock_socket_client_set_local_address(
        client: SocketClient,
        address: Option<gio::SocketAddress>,
    ) -> (), else () => {
        client.set_local_address((*address).as_ref())
    }

    /// `g_socket_client_get_proxy_resolver`; the client or GIO keeps what it answers.
    fn gsock_socket_client_get_proxy_resolver(
        client: SocketClient,
    ) -> *mut GProxyResolver, else ptr::null_mut() => {
        client.proxy_resolver().to_glib_none().0
    }

    /// `g_socket_client_set_proxy_resolver`.
    fn gsock_socket_client_set_proxy_resolver(
        client: SocketClient,
        proxy_resolver: Option<gio::ProxyResolver>,
    ) -> (), else () => {
        client.set_proxy_resolver((*proxy_resolver).as_ref())
    }

    /// The property `connect-timeout-ms`.
    fn gsock_socket_client_get_connect_timeout_ms(client: SocketClient) -> u32, else 0 => {
        milliseconds(client.connect_timeout())
    }

    /// The property `connect-timeout-ms`.
    fn gsock_socket_client_set_connect_timeout_ms(client: SocketClient, value: u32) -> (), else () => {
        client.set_connect_timeout(Duration::from_millis(value.into()))
    }

    /// The property `io-timeout-ms`.
    fn gsock_socket_client_get_io_timeout_ms(client: SocketClient) -> u32, else 0 => {
        milliseconds(client.io_timeout())
    }

    /// The property `io-timeout-ms`.
    fn gsock_socket_client_set_io_timeout_ms(client: SocketClient, value: u32) -> (), else () => {
        client.set_io_timeout(Duration::from_millis(value.into()))
    }

    /// The property `attempt-delay-ms`.
    fn gsock_socket_client_get_attempt_delay_ms(client: SocketClient) -> u32, else 0 => {
        milliseconds(client.attempt_delay())
    }

    /// The property `attempt-delay-ms`.
    fn gsock_socket_client_set_attempt_delay_ms(client: SocketClient, value: u32) -> (), else () => {
        client.set_attempt_delay(Duration::from_millis(value.into()))
    }

    /// The property `multipath`.
    fn gsock_socket_client_get_multipath(client: SocketClient) -> gboolean, else GFALSE => {
        client.multipath().into_glib()
    }

    /// The property `multipath`.
    fn gsock_socket_client_set_multipath(client: SocketClient, value: bool) -> (), else () => {
        client.set_multipath(value)
    }

    /// `g_socket_client_add_application_proxy`.
    fn gsock_socket_client_add_application_proxy(
        client: SocketClient,
        protocol: String,
    ) -> (), else () => {
        client.add_application_proxy(&protocol)
    }

    /// `g_socket_client_connect`.
    try fn gsock_socket_client_connect(
        client: SocketClient,
        connectable: gio::SocketConnectable,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(SocketClientExt::connect(&*client, &*connectable, (*cancellable).as_ref()))
    }

    /// `g_socket_client_connect_async`.
    fn gsock_socket_client_connect_async(
        client: SocketClient,
        connectable: gio::SocketConnectable,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        let aim = Ok(connectable.clone());
        start(&client, aim, &cancellable, callback, user_data)
    }

    /// `g_socket_client_connect_finish`.
    try fn gsock_socket_client_connect_finish(
        client: SocketClient,
        result: *mut GAsyncResult,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(finish(&client, result))
    }

    /// `g_socket_client_connect_to_host`.
    try fn gsock_socket_client_connect_to_host(
        client: SocketClient,
        host_and_port: String,
        default_port: u16,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(client.connect_to_host(&host_and_port, default_port, (*cancellable).as_ref()))
    }

    /// `g_socket_client_connect_to_host_async`.
    fn gsock_socket_client_connect_to_host_async(
        client: SocketClient,
        host_and_port: String,
        default_port: u16,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        let aim = host_of(&host_and_port, default_port);
        start(&client, aim, &cancellable, callback, user_data)
    }

    /// `g_socket_client_connect_to_host_finish`.
    try fn gsock_socket_client_connect_to_host_finish(
        client: SocketClient,
        result: *mut GAsyncResult,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(finish(&client, result))
    }

    /// `g_socket_client_connect_to_service`.
    try fn gsock_socket_client_connect_to_service(
        client: SocketClient,
        domain: String,
        service: String,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(client.connect_to_service(&domain, &service, (*cancellable).as_ref()))
    }

    /// `g_socket_client_connect_to_service_async`.
    fn gsock_socket_client_connect_to_service_async(
        client: SocketClient,
        domain: String,
        service: String,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        let aim = service_of(&domain, &service);
        start(&client, aim, &cancellable, callback, user_data)
    }

    /// `g_socket_client_connect_to_service_finish`.
    try fn gsock_socket_client_connect_to_service_finish(
        client: SocketClient,
        result: *mut GAsyncResult,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(finish(&client, result))
    }

    /// `g_socket_client_connect_to_uri`.
    try fn gsock_socket_client_connect_to_uri(
        client: SocketClient,
        uri: String,
        default_port: u16,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(client.connect_to_uri(&uri, default_port, (*cancellable).as_ref()))
    }

    /// `g_socket_client_connect_to_uri_async`.
    fn gsock_socket_client_connect_to_uri_async(
        client: SocketClient,
        uri: String,
        default_port: u16,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        let aim = uri_of(&uri, default_port);
        start(&client, aim, &cancellable, callback, user_data)
    }

    /// `g_socket_client_connect_to_uri_finish`.
    try fn gsock_socket_client_connect_to_uri_finish(
        client: SocketClient,
        result: *mut GAsyncResult,
    ) -> *mut SocketConnectionInstance, else ptr::null_mut() => {
        handed(finish(&client, result))
    }
}
