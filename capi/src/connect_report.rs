//! `GsockConnectReport`: a boxed type, with functions to look at it.

use std::{ptr, time::Duration};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GSocketAddress},
    prelude::*,
};
use glib::{
    ffi::{GError, GType, gpointer},
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr},
};
use gsock::{
    Attempt, ConnectReport, ConnectReportExt, SocketClient, SocketConnection,
    subclass::SocketConnectionInstance,
};

use crate::{argument::Out, export::exported, unix_connection::result_of};

/// To C, which owns it.
fn handed(report: ConnectReport) -> *mut ConnectReport {
    Box::into_raw(Box::new(report))
}

/// The report, and the connection if there is one.
fn answer(
    (report, made): (ConnectReport, Option<SocketConnection>),
    connection: Out<*mut SocketConnectionInstance>,
) -> *mut ConnectReport {
    connection.put(|| made.map_or(ptr::null_mut(), IntoGlibPtr::into_glib_ptr));
    handed(report)
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn attempt(report: &ConnectReport, number: u32) -> Option<&Attempt> {
    report.attempts.get(usize::try_from(number).ok()?)
}

/// Lent for as long as there is the report.
fn lent(error: Option<&glib::Error>) -> *const GError {
    error.map_or(ptr::null(), |error| error.to_glib_none().0)
}

exported! {
    /// `GSOCK_TYPE_CONNECT_REPORT`.
    fn gsock_connect_report_get_type() -> GType, else 0 => {
        ConnectReport::static_type().into_glib()
    }

    /// Another one that says the same.
    fn gsock_connect_report_copy(report: ConnectReport) -> *mut ConnectReport, else ptr::null_mut() => {
        handed(report.clone())
    }

    /// It is not looked at any more.
    fn gsock_connect_report_free(report: *mut ConnectReport) -> (), else () => {
        if !report.is_null() {
            // SAFETY: of ours, and given back once.
            drop(unsafe { Box::from_raw(report) });
        }
    }

    /// Why nothing came of it.
    fn gsock_connect_report_get_error(report: ConnectReport) -> *const GError, else ptr::null() => {
        lent(report.failure())
    }

    /// How many addresses were tried.
    fn gsock_connect_report_get_n_attempts(report: ConnectReport) -> u32, else 0 => {
        u32::try_from(report.attempts.len()).unwrap_or(u32::MAX)
    }

    /// The address of an attempt.
    fn gsock_connect_report_get_attempt_address(
        report: ConnectReport,
        number: u32,
    ) -> *mut GSocketAddress, else ptr::null_mut() => {
        attempt(&report, number).map_or(ptr::null_mut(), |it| it.address.to_glib_none().0)
    }

    /// When an attempt began.
    fn gsock_connect_report_get_attempt_begun(report: ConnectReport, number: u32) -> i64, else -1 => {
        attempt(&report, number).map_or(-1, |it| microseconds(it.begun))
    }

    /// What an attempt took.
    fn gsock_connect_report_get_attempt_took(report: ConnectReport, number: u32) -> i64, else -1 => {
        attempt(&report, number).map_or(-1, |it| microseconds(it.took))
    }

    /// Why an attempt came to nothing.
    fn gsock_connect_report_get_attempt_error(
        report: ConnectReport,
        number: u32,
    ) -> *const GError, else ptr::null() => {
        lent(attempt(&report, number).and_then(|it| it.error.as_ref()))
    }

    /// What looking for an address took.
    fn gsock_connect_report_get_resolve_time(report: ConnectReport) -> i64, else -1 => {
        microseconds(report.resolve)
    }

    /// What connecting took.
    fn gsock_connect_report_get_connect_time(report: ConnectReport) -> i64, else -1 => {
        microseconds(report.connect)
    }

    /// What the agreement with a proxy took.
    fn gsock_connect_report_get_proxy_time(report: ConnectReport) -> i64, else -1 => {
        report.proxy.map_or(-1, microseconds)
    }

    /// What the TLS handshake took.
    fn gsock_connect_report_get_tls_time(report: ConnectReport) -> i64, else -1 => {
        report.tls.map_or(-1, microseconds)
    }

    /// What it took to make a connection.
    fn gsock_socket_connection_get_connect_report(
        connection: SocketConnection,
    ) -> *mut ConnectReport, else ptr::null_mut() => {
        connection.connect_report().map_or(ptr::null_mut(), handed)
    }

    /// Connects, and tells what it took.
    fn gsock_socket_client_connect_with_report(
        client: SocketClient,
        connectable: gio::SocketConnectable,
        cancellable: Option<gio::Cancellable>,
        connection: Out<*mut SocketConnectionInstance>,
    ) -> *mut ConnectReport, else ptr::null_mut() => {
        answer(client.block_with_report(&connectable, (*cancellable).as_ref()), connection)
    }

    /// Starts to.
    fn gsock_socket_client_connect_with_report_async(
        client: SocketClient,
        connectable: gio::SocketConnectable,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        // SAFETY: live arguments, and what C demands of a callback.
        unsafe {
            client.start_with_report(
                connectable.clone(),
                cancellable.to_glib_none().0,
                callback,
                user_data,
            )
        }
    }

    /// Has the outcome of that.
    try fn gsock_socket_client_connect_with_report_finish(
        client: SocketClient,
        result: *mut GAsyncResult,
        connection: Out<*mut SocketConnectionInstance>,
    ) -> *mut ConnectReport, else ptr::null_mut() => {
        match result_of(result).and_then(|result| client.finish_with_report(&result)) {
            Ok(outcome) => Ok(answer(outcome, connection)),
            Err(failure) => {
                connection.set(ptr::null_mut());
                Err(failure)
            }
        }
    }
}
