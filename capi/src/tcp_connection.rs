//! `GsockTcpConnection`.

use std::time::Duration;

use gio::prelude::*;
use glib::{
    ffi::{GFALSE, GTRUE, GType, gboolean},
    translate::IntoGlib,
};
use gsock::{Liveness, TcpConnection, TcpConnectionExt};

use crate::{argument::Out, export::exported};

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

exported! {
    /// `GSOCK_TYPE_TCP_CONNECTION`.
    fn gsock_tcp_connection_get_type() -> GType, else 0 => {
        TcpConnection::static_type().into_glib()
    }

    /// `g_tcp_connection_set_graceful_disconnect`.
    fn gsock_tcp_connection_set_graceful_disconnect(
        connection: TcpConnection,
        graceful_disconnect: bool,
    ) -> (), else () => {
        connection.set_graceful_disconnect(graceful_disconnect)
    }

    /// `g_tcp_connection_get_graceful_disconnect`.
    fn gsock_tcp_connection_get_graceful_disconnect(
        connection: TcpConnection,
    ) -> gboolean, else GFALSE => {
        connection.is_graceful_disconnect().into_glib()
    }

    /// Sets whether small writes are sent at once.
    try fn gsock_tcp_connection_set_no_delay(
        connection: TcpConnection,
        no_delay: bool,
    ) -> gboolean, else GFALSE => {
        connection.set_no_delay(no_delay).map(|()| GTRUE)
    }

    /// Whether small writes are sent at once.
    try fn gsock_tcp_connection_get_no_delay(
        connection: TcpConnection,
        no_delay: Out<gboolean>,
    ) -> gboolean, else GFALSE => {
        connection.no_delay().map(|value| {
            no_delay.set(value.into_glib());
            GTRUE
        })
    }

    /// Sends keep-alive probes.
    try fn gsock_tcp_connection_set_keepalive_params(
        connection: TcpConnection,
        idle: u32,
        interval: u32,
        count: u32,
    ) -> gboolean, else GFALSE => {
        let (idle, interval) = (Duration::from_secs(idle.into()), Duration::from_secs(interval.into()));
        connection.set_keepalive_params(idle, interval, count).map(|()| GTRUE)
    }

    /// The keep-alive probes, if any are sent.
    try fn gsock_tcp_connection_get_keepalive_params(
        connection: TcpConnection,
        enabled: Out<gboolean>,
        idle: Out<u32>,
        interval: Out<u32>,
        count: Out<u32>,
    ) -> gboolean, else GFALSE => {
        connection.keepalive_params().map(|params| {
            enabled.set(params.is_some().into_glib());
            idle.set(params.map_or(0, |params| seconds(params.idle)));
            interval.set(params.map_or(0, |params| seconds(params.interval)));
            count.set(params.map_or(0, |params| params.count));
            GTRUE
        })
    }

    /// Sets how long sent data may stay unacknowledged.
    try fn gsock_tcp_connection_set_user_timeout(
        connection: TcpConnection,
        timeout_ms: u32,
    ) -> gboolean, else GFALSE => {
        connection
            .set_user_timeout(Duration::from_millis(timeout_ms.into()))
            .map(|()| GTRUE)
    }

    /// How long sent data may stay unacknowledged.
    try fn gsock_tcp_connection_get_user_timeout(
        connection: TcpConnection,
        timeout_ms: Out<u32>,
    ) -> gboolean, else GFALSE => {
        connection.user_timeout().map(|timeout| {
            timeout_ms.set(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
            GTRUE
        })
    }

    /// Sets whether a close resets the connection.
    try fn gsock_tcp_connection_set_linger_zero(
        connection: TcpConnection,
        linger_zero: bool,
    ) -> gboolean, else GFALSE => {
        connection.set_linger_zero(linger_zero).map(|()| GTRUE)
    }

    /// Whether a close resets the connection.
    try fn gsock_tcp_connection_get_linger_zero(
        connection: TcpConnection,
        linger_zero: Out<gboolean>,
    ) -> gboolean, else GFALSE => {
        connection.linger_zero().map(|value| {
            linger_zero.set(value.into_glib());
            GTRUE
        })
    }

    /// Sets what notices a peer that is gone.
    try fn gsock_tcp_connection_set_liveness(
        connection: TcpConnection,
        liveness: Liveness,
    ) -> gboolean, else GFALSE => {
        connection.set_liveness(liveness).map(|()| GTRUE)
    }
}
