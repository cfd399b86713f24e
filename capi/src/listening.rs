//! What a listener has beyond GIO's: paths and names of Unix sockets, sockets of systemd, limits.

use std::{ffi::c_char, path::PathBuf, ptr};

use glib::{
    StrV,
    ffi::{GFALSE, GList, GTRUE, gboolean},
    translate::ToGlibContainerFromSlice,
};
use gsock::{SocketListener, SocketListenerExt, UnixPathOptions};

use crate::{
    argument::{Argument, Out},
    enums::UnixPathFlags,
    export::exported,
    fence::Refusal,
};

impl Argument for UnixPathFlags {
    type C = u32;
    type Value = Self;
    const CHECK: &'static str = "GsockUnixPathFlags";

    unsafe fn convert(c: u32) -> Option<Self> {
        Self::from_bits(c)
    }
}

type Bytes = *const u8;

/// # Safety
///
/// `name` is NULL or has `count` bytes.
unsafe fn lent(name: Bytes, count: usize) -> Result<Vec<u8>, Refusal> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if name.is_null() || isize::try_from(count).is_err() {
        return Err(Refusal {
            check: "bytes",
            argument: "name",
        });
    }
    // SAFETY: as the caller says.
    Ok(unsafe { std::slice::from_raw_parts(name, count) }.to_vec())
}

exported! {
    /// Listens at a path.
    try fn gsock_socket_listener_add_unix_path(
        listener: SocketListener,
        path: PathBuf,
        mode: u32,
        flags: UnixPathFlags,
        source_object: Option<glib::Object>,
    ) -> gboolean, else GFALSE => {
        let options = UnixPathOptions {
            mode,
            take_over_stale: !flags.contains(UnixPathFlags::FAIL_IF_STALE),
            unlink_on_close: !flags.contains(UnixPathFlags::KEEP_FILE),
            same_user_only: flags.contains(UnixPathFlags::SAME_USER_ONLY),
        };
        listener.add_unix_path(path, &options, (*source_object).as_ref()).map(|()| GTRUE)
    }

    /// Listens at a name that is in no folder.
    try fn gsock_socket_listener_add_unix_abstract(
        listener: SocketListener,
        name: Bytes,
        n_name: usize,
        same_user_only: bool,
        source_object: Option<glib::Object>,
    ) -> gboolean, else GFALSE => {
        // SAFETY: what the header demands.
        let name = unsafe { lent(name, n_name)? };
        listener
            .add_unix_abstract(name, same_user_only, (*source_object).as_ref())
            .map(|()| GTRUE)
    }

    /// Accepts from sockets that a service manager has made.
    try fn gsock_socket_listener_add_systemd_sockets(
        listener: SocketListener,
        name: Option<String>,
        source_object: Option<glib::Object>,
        addresses: Out<*mut GList>,
    ) -> *mut *mut c_char, else ptr::null_mut() => {
        let added = listener.add_systemd_sockets(name.as_deref(), (*source_object).as_ref());
        added.map(|added| {
            addresses.put(|| {
                let all: Vec<_> = added.iter().map(|socket| socket.address.clone()).collect();
                ToGlibContainerFromSlice::to_glib_full_from_slice(&all)
            });
            let names: StrV = added.into_iter().map(|socket| socket.name.into()).collect();
            names.into_raw()
        })
    }

    /// The property `max-connections`.
    fn gsock_socket_listener_get_max_connections(listener: SocketListener) -> u32, else 0 => {
        listener.max_connections()
    }

    /// Sets it.
    fn gsock_socket_listener_set_max_connections(listener: SocketListener, value: u32) -> (), else () => {
        listener.set_max_connections(value)
    }

    /// The property `max-connections-per-peer`.
    fn gsock_socket_listener_get_max_connections_per_peer(listener: SocketListener) -> u32, else 0 => {
        listener.max_connections_per_peer()
    }

    /// Sets it.
    fn gsock_socket_listener_set_max_connections_per_peer(listener: SocketListener, value: u32) -> (), else () => {
        listener.set_max_connections_per_peer(value)
    }

    /// The property `accept-rate`.
    fn gsock_socket_listener_get_accept_rate(listener: SocketListener) -> u32, else 0 => {
        listener.accept_rate()
    }

    /// Sets it.
    fn gsock_socket_listener_set_accept_rate(listener: SocketListener, value: u32) -> (), else () => {
        listener.set_accept_rate(value)
    }

    /// The property `accepted`.
    fn gsock_socket_listener_get_accepted(listener: SocketListener) -> u64, else 0 => {
        listener.accepted()
    }

    /// The property `refused`.
    fn gsock_socket_listener_get_refused(listener: SocketListener) -> u64, else 0 => {
        listener.refused()
    }

    /// The property `active-connections`.
    fn gsock_socket_listener_get_active_connections(listener: SocketListener) -> u32, else 0 => {
        listener.active_connections()
    }
}
