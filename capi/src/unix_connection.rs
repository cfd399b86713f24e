//! `GsockUnixConnection`.

use std::{
    ffi::c_int,
    os::fd::{BorrowedFd, IntoRawFd, OwnedFd},
    ptr,
};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GCancellable, GCredentials},
    prelude::*,
};
use glib::{
    ffi::{GFALSE, GTRUE, GType, gboolean, gpointer},
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr, from_glib_none},
};
use gsock::{UnixConnection, UnixConnectionExt, UnixOperation};

use crate::{
    argument::{Argument, Out},
    export::exported,
    fence::Refusal,
};

/// A descriptor that stays the caller's. What is not open is for the kernel to refuse.
#[derive(Clone, Copy, Debug)]
struct Lent(BorrowedFd<'static>);

impl Argument for Lent {
    type C = c_int;
    type Value = Self;
    const CHECK: &'static str = "a descriptor";

    unsafe fn convert(c: c_int) -> Option<Self> {
        if c < 0 {
            return None;
        }
        // SAFETY: a number that may be one; it is used until the function returns, and no longer.
        Some(Self(unsafe { BorrowedFd::borrow_raw(c) }))
    }
}

/// Where `usize` descriptors stand.
pub(crate) type Array = *const c_int;

impl Argument for Array {
    type C = Self;
    type Value = Self;
    const CHECK: &'static str = "descriptors";

    unsafe fn convert(c: Self) -> Option<Self> {
        Some(c)
    }
}

/// # Safety
///
/// `fds` is NULL or has `count` numbers.
pub(crate) unsafe fn lent(fds: Array, count: usize) -> Result<Vec<BorrowedFd<'static>>, Refusal> {
    let refused = Refusal {
        check: Array::CHECK,
        argument: "fds",
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    if fds.is_null() || isize::try_from(count.saturating_mul(size_of::<c_int>())).is_err() {
        return Err(refused);
    }
    // SAFETY: as the caller says.
    let numbers = unsafe { std::slice::from_raw_parts(fds, count) };
    numbers
        .iter()
        // SAFETY: any number will do.
        .map(|fd| unsafe { Lent::convert(*fd) }.map(|lent| lent.0))
        .collect::<Option<Vec<_>>>()
        .ok_or(refused)
}

/// Hands descriptors over in an array that is freed with `g_free()`.
fn handed(fds: Vec<OwnedFd>, count: Out<usize>) -> *mut c_int {
    count.set(fds.len());
    // SAFETY: it ends the process where there is no memory.
    let array: *mut c_int = unsafe { glib::ffi::g_malloc_n(fds.len(), size_of::<c_int>()) }.cast();
    for (at, fd) in fds.into_iter().enumerate() {
        // SAFETY: within the array.
        let place = unsafe { array.add(at) };
        // SAFETY: likewise.
        unsafe { place.write(fd.into_raw_fd()) };
    }
    array
}

/// Any thread may start; its context need not be its own.
fn start(
    connection: &UnixConnection,
    operation: UnixOperation<'_>,
    cancellable: &Option<gio::Cancellable>,
    callback: GAsyncReadyCallback,
    user_data: gpointer,
) {
    let cancellable: *mut GCancellable = cancellable.to_glib_none().0;
    // SAFETY: live arguments, and what C demands of a callback.
    unsafe { connection.start(operation, cancellable, callback, user_data) }
}

/// Whatever C passes for a result.
pub(crate) fn result_of(result: *mut GAsyncResult) -> Result<gio::AsyncResult, glib::Error> {
    let type_ = gio::AsyncResult::static_type().into_glib();
    // SAFETY: NULL or a live instance of some type.
    let fits = unsafe { glib::gobject_ffi::g_type_check_instance_is_a(result.cast(), type_) };
    if fits == GFALSE {
        return Err(glib::Error::new(
            gio::IOErrorEnum::InvalidArgument,
            "There is no result to finish with",
        ));
    }
    // SAFETY: a live instance of the type.
    Ok(unsafe { from_glib_none(result) })
}

exported! {
    /// `GSOCK_TYPE_UNIX_CONNECTION`.
    fn gsock_unix_connection_get_type() -> GType, else 0 => {
        UnixConnection::static_type().into_glib()
    }

    /// `g_unix_connection_send_fd`.
    try fn gsock_unix_connection_send_fd(
        connection: UnixConnection,
        fd: Lent,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        connection.send_fd(fd.0, (*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// Starts to send a descriptor.
    fn gsock_unix_connection_send_fd_async(
        connection: UnixConnection,
        fd: Lent,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&connection, UnixOperation::SendFd(fd.0), &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_unix_connection_send_fd_finish(
        connection: UnixConnection,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        result_of(result).and_then(|result| connection.send_fd_finish(&result)).map(|()| GTRUE)
    }

    /// `g_unix_connection_receive_fd`.
    try fn gsock_unix_connection_receive_fd(
        connection: UnixConnection,
        cancellable: Option<gio::Cancellable>,
    ) -> c_int, else -1 => {
        connection.receive_fd((*cancellable).as_ref()).map(IntoRawFd::into_raw_fd)
    }

    /// Starts to receive a descriptor.
    fn gsock_unix_connection_receive_fd_async(
        connection: UnixConnection,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&connection, UnixOperation::ReceiveFd, &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_unix_connection_receive_fd_finish(
        connection: UnixConnection,
        result: *mut GAsyncResult,
    ) -> c_int, else -1 => {
        result_of(result)
            .and_then(|result| connection.receive_fd_finish(&result))
            .map(IntoRawFd::into_raw_fd)
    }

    /// Sends descriptors.
    try fn gsock_unix_connection_send_fds(
        connection: UnixConnection,
        fds: Array,
        n_fds: usize,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        // SAFETY: what the header demands.
        let fds = unsafe { lent(fds, n_fds)? };
        connection.send_fds(&fds, (*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// Starts to send descriptors.
    fn gsock_unix_connection_send_fds_async(
        connection: UnixConnection,
        fds: Array,
        n_fds: usize,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        // SAFETY: what the header demands.
        let fds = unsafe { lent(fds, n_fds)? };
        start(&connection, UnixOperation::SendFds(&fds), &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_unix_connection_send_fds_finish(
        connection: UnixConnection,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        result_of(result).and_then(|result| connection.send_fds_finish(&result)).map(|()| GTRUE)
    }

    /// Receives descriptors.
    try fn gsock_unix_connection_receive_fds(
        connection: UnixConnection,
        max_fds: usize,
        n_fds: Out<usize>,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut c_int, else ptr::null_mut() => {
        match connection.receive_fds(max_fds, (*cancellable).as_ref()) {
            Ok(fds) => Ok(handed(fds, n_fds)),
            Err(failure) => {
                n_fds.set(0);
                Err(failure)
            }
        }
    }

    /// Starts to receive descriptors.
    fn gsock_unix_connection_receive_fds_async(
        connection: UnixConnection,
        max_fds: usize,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&connection, UnixOperation::ReceiveFds(max_fds), &cancellable, callback, user_data)
    }

    /// Takes the outcome.
    try fn gsock_unix_connection_receive_fds_finish(
        connection: UnixConnection,
        result: *mut GAsyncResult,
        n_fds: Out<usize>,
    ) -> *mut c_int, else ptr::null_mut() => {
        match result_of(result).and_then(|result| connection.receive_fds_finish(&result)) {
            Ok(fds) => Ok(handed(fds, n_fds)),
            Err(failure) => {
                n_fds.set(0);
                Err(failure)
            }
        }
    }

    /// `g_unix_connection_send_credentials`.
    try fn gsock_unix_connection_send_credentials(
        connection: UnixConnection,
        cancellable: Option<gio::Cancellable>,
    ) -> gboolean, else GFALSE => {
        connection.send_credentials((*cancellable).as_ref()).map(|()| GTRUE)
    }

    /// `g_unix_connection_send_credentials_async`.
    fn gsock_unix_connection_send_credentials_async(
        connection: UnixConnection,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&connection, UnixOperation::SendCredentials, &cancellable, callback, user_data)
    }

    /// `g_unix_connection_send_credentials_finish`.
    try fn gsock_unix_connection_send_credentials_finish(
        connection: UnixConnection,
        result: *mut GAsyncResult,
    ) -> gboolean, else GFALSE => {
        result_of(result)
            .and_then(|result| connection.send_credentials_finish(&result))
            .map(|()| GTRUE)
    }

    /// `g_unix_connection_receive_credentials`.
    try fn gsock_unix_connection_receive_credentials(
        connection: UnixConnection,
        cancellable: Option<gio::Cancellable>,
    ) -> *mut GCredentials, else ptr::null_mut() => {
        connection
            .receive_credentials((*cancellable).as_ref())
            .map(IntoGlibPtr::into_glib_ptr)
    }

    /// `g_unix_connection_receive_credentials_async`.
    fn gsock_unix_connection_receive_credentials_async(
        connection: UnixConnection,
        cancellable: Option<gio::Cancellable>,
        callback: GAsyncReadyCallback,
        user_data: gpointer,
    ) -> (), else () => {
        start(&connection, UnixOperation::ReceiveCredentials, &cancellable, callback, user_data)
    }

    /// `g_unix_connection_receive_credentials_finish`.
    try fn gsock_unix_connection_receive_credentials_finish(
        connection: UnixConnection,
        result: *mut GAsyncResult,
    ) -> *mut GCredentials, else ptr::null_mut() => {
        result_of(result)
            .and_then(|result| connection.receive_credentials_finish(&result))
            .map(IntoGlibPtr::into_glib_ptr)
    }

    /// Who is at the other end.
    try fn gsock_unix_connection_get_peer_credentials(
        connection: UnixConnection,
    ) -> *mut GCredentials, else ptr::null_mut() => {
        connection.peer_credentials().map(IntoGlibPtr::into_glib_ptr)
    }

    /// The same as a descriptor.
    try fn gsock_unix_connection_get_peer_pidfd(
        connection: UnixConnection,
    ) -> c_int, else -1 => {
        connection.peer_pidfd().map(IntoRawFd::into_raw_fd)
    }
}
