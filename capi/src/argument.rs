//! What C passes, and what is made of it.

use std::{
    ffi::{CStr, OsStr, c_char, c_int},
    ops::Deref,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    ptr::NonNull,
};

use glib::{
    ffi::{GFALSE, GType, gboolean, gpointer},
    prelude::*,
    translate::{Borrowed, FromGlib, FromGlibPtrBorrow, IntoGlib, from_glib},
};
use gsock::{
    ConnectReport, Framed, Liveness, Reconnector, SocketClient, SocketConnection, SocketListener,
    SocketService, TcpConnection, TcpWrapperConnection, ThreadedSocketService, UnixConnection,
};

use crate::fence::Refusal;

/// A parameter of an exported function.
pub(crate) trait Argument {
    /// As C passes it.
    type C;
    /// As the body sees it.
    type Value;
    /// How C spells the check that it must pass.
    const CHECK: &'static str = "TRUE";

    /// `None` where the check fails.
    ///
    /// # Safety
    ///
    /// A pointer is NULL or to something that outlives the value.
    unsafe fn convert(c: Self::C) -> Option<Self::Value>;
}

/// # Safety
///
/// `pointer` is NULL or to a live instance of some type.
unsafe fn is_a(pointer: gpointer, type_: glib::Type) -> bool {
    // SAFETY: as the caller says; NULL is an instance of nothing.
    unsafe {
        glib::gobject_ffi::g_type_check_instance_is_a(pointer.cast(), type_.into_glib()) != GFALSE
    }
}

macro_rules! objects {
    ($($type:ty: $c:ty, $check:literal;)*) => {$(
        impl Argument for $type {
            type C = *mut $c;
            type Value = Borrowed<Self>;
            const CHECK: &'static str = $check;

            unsafe fn convert(c: *mut $c) -> Option<Borrowed<Self>> {
                // SAFETY: as the caller says.
                if !unsafe { is_a(c.cast(), Self::static_type()) } {
                    return None;
                }
                // SAFETY: a live instance of the type.
                Some(unsafe { Self::from_glib_borrow(c) })
            }
        }
    )*};
}

objects! {
    SocketConnection: gsock::subclass::SocketConnectionInstance, "GSOCK_IS_SOCKET_CONNECTION";
    TcpConnection: gsock::subclass::TcpConnectionInstance, "GSOCK_IS_TCP_CONNECTION";
    TcpWrapperConnection: gsock::subclass::TcpWrapperConnectionInstance, "GSOCK_IS_TCP_WRAPPER_CONNECTION";
    UnixConnection: gsock::subclass::UnixConnectionInstance, "GSOCK_IS_UNIX_CONNECTION";
    gio::IOStream: gio::ffi::GIOStream, "G_IS_IO_STREAM";
    gio::Socket: gio::ffi::GSocket, "G_IS_SOCKET";
    gio::SocketAddress: gio::ffi::GSocketAddress, "G_IS_SOCKET_ADDRESS";
    SocketClient: gsock::subclass::SocketClientInstance, "GSOCK_IS_SOCKET_CLIENT";
    SocketListener: gsock::subclass::SocketListenerInstance, "GSOCK_IS_SOCKET_LISTENER";
    SocketService: gsock::subclass::SocketServiceInstance, "GSOCK_IS_SOCKET_SERVICE";
    ThreadedSocketService: gsock::subclass::ThreadedSocketServiceInstance, "GSOCK_IS_THREADED_SOCKET_SERVICE";
    Reconnector: <Reconnector as ObjectType>::GlibType, "GSOCK_IS_RECONNECTOR";
    gio::SocketConnectable: gio::ffi::GSocketConnectable, "G_IS_SOCKET_CONNECTABLE";
    gio::SocketConnection: gio::ffi::GSocketConnection, "G_IS_SOCKET_CONNECTION";
    Framed: <Framed as ObjectType>::GlibType, "GSOCK_IS_FRAMED";
}

macro_rules! optional_objects {
    ($($type:ty: $c:ty, $check:literal;)*) => {$(
        impl Argument for Option<$type> {
            type C = *mut $c;
            type Value = Borrowed<Self>;
            const CHECK: &'static str = $check;

            unsafe fn convert(c: Self::C) -> Option<Self::Value> {
                // SAFETY: as the caller says.
                if !c.is_null() && !unsafe { is_a(c.cast(), <$type>::static_type()) } {
                    return None;
                }
                // SAFETY: NULL or a live instance of the type.
                Some(unsafe { Self::from_glib_borrow(c) })
            }
        }
    )*};
}

optional_objects! {
    gio::Cancellable: gio::ffi::GCancellable, "NULL or G_IS_CANCELLABLE";
    gio::SocketAddress: gio::ffi::GSocketAddress, "NULL or G_IS_SOCKET_ADDRESS";
    gio::IOStream: gio::ffi::GIOStream, "NULL or G_IS_IO_STREAM";
    gio::NetworkMonitor: gio::ffi::GNetworkMonitor, "NULL or G_IS_NETWORK_MONITOR";
    gio::ProxyResolver: gio::ffi::GProxyResolver, "NULL or G_IS_PROXY_RESOLVER";
    glib::Object: glib::gobject_ffi::GObject, "NULL or G_IS_OBJECT";
}

/// A boxed value that C lends.
#[derive(Debug)]
pub(crate) struct Lent<T>(NonNull<T>);

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: it outlives the value, as the caller of `convert` says.
        unsafe { self.0.as_ref() }
    }
}

impl Argument for ConnectReport {
    type C = *const Self;
    type Value = Lent<Self>;
    const CHECK: &'static str = "not NULL";

    unsafe fn convert(c: *const Self) -> Option<Lent<Self>> {
        NonNull::new(c.cast_mut()).map(Lent)
    }
}

/// Bytes that C lends, of which the value has a reference of its own.
impl Argument for glib::Bytes {
    type C = *mut glib::ffi::GBytes;
    type Value = Self;
    const CHECK: &'static str = "not NULL";

    unsafe fn convert(c: Self::C) -> Option<Self> {
        if c.is_null() {
            return None;
        }
        // SAFETY: as the caller says.
        Some(unsafe { glib::translate::from_glib_none(c) })
    }
}

impl Argument for String {
    type C = *const c_char;
    type Value = Self;
    const CHECK: &'static str = "a string in UTF-8";

    unsafe fn convert(c: *const c_char) -> Option<Self> {
        if c.is_null() {
            return None;
        }
        // SAFETY: a string of C's, as the caller says.
        let string = unsafe { CStr::from_ptr(c) };
        string.to_str().ok().map(str::to_owned)
    }
}

impl Argument for Option<String> {
    type C = *const c_char;
    type Value = Self;
    const CHECK: &'static str = "NULL or a string in UTF-8";

    unsafe fn convert(c: *const c_char) -> Option<Self> {
        if c.is_null() {
            return Some(None);
        }
        // SAFETY: as the caller says.
        unsafe { String::convert(c) }.map(Some)
    }
}

/// In whatever encoding the file system has.
impl Argument for PathBuf {
    type C = *const c_char;
    type Value = Self;
    const CHECK: &'static str = "a path";

    unsafe fn convert(c: *const c_char) -> Option<Self> {
        if c.is_null() {
            return None;
        }
        // SAFETY: a string of C's, as the caller says.
        let path = unsafe { CStr::from_ptr(c) };
        Some(Self::from(OsStr::from_bytes(path.to_bytes())))
    }
}

/// NULL is the global default context, as everywhere in GLib.
impl Argument for glib::MainContext {
    type C = *mut glib::ffi::GMainContext;
    type Value = Self;

    unsafe fn convert(c: Self::C) -> Option<Self> {
        if c.is_null() {
            return Some(Self::default());
        }
        // SAFETY: as the caller says.
        Some(unsafe { glib::translate::from_glib_none(c) })
    }
}

impl Argument for bool {
    type C = gboolean;
    type Value = Self;

    unsafe fn convert(c: gboolean) -> Option<Self> {
        Some(c != GFALSE)
    }
}

impl Argument for glib::Type {
    type C = GType;
    type Value = Self;
    const CHECK: &'static str = "a GType";

    unsafe fn convert(c: GType) -> Option<Self> {
        // SAFETY: GObject knows the small numbers that are no types; other numbers are types, as the
        // caller says.
        if unsafe { glib::gobject_ffi::g_type_name(c) }.is_null() {
            return None;
        }
        // SAFETY: a type.
        Some(unsafe { from_glib(c) })
    }
}

/// An unknown number is a family, or type, for which nothing is registered.
impl Argument for gio::SocketFamily {
    type C = c_int;
    type Value = Self;

    unsafe fn convert(c: c_int) -> Option<Self> {
        // SAFETY: any number will do.
        Some(unsafe { Self::from_glib(c) })
    }
}

impl Argument for gio::SocketType {
    type C = c_int;
    type Value = Self;

    unsafe fn convert(c: c_int) -> Option<Self> {
        // SAFETY: any number will do.
        Some(unsafe { Self::from_glib(c) })
    }
}

impl Argument for gio::SocketProtocol {
    type C = c_int;
    type Value = Self;

    unsafe fn convert(c: c_int) -> Option<Self> {
        // SAFETY: any number will do.
        Some(unsafe { Self::from_glib(c) })
    }
}

impl Argument for gio::TlsCertificateFlags {
    type C = u32;
    type Value = Self;

    unsafe fn convert(c: u32) -> Option<Self> {
        // SAFETY: any bits will do.
        Some(unsafe { Self::from_glib(c) })
    }
}

impl Argument for Liveness {
    type C = c_int;
    type Value = Self;
    const CHECK: &'static str = "a GsockLiveness";

    unsafe fn convert(c: c_int) -> Option<Self> {
        [Self::Off, Self::Background, Self::Interactive]
            .into_iter()
            .find(|liveness| liveness.into_glib() == c)
    }
}

/// A descriptor that changes hands.
impl Argument for OwnedFd {
    type C = c_int;
    type Value = Self;
    const CHECK: &'static str = "an open descriptor";

    unsafe fn convert(c: c_int) -> Option<Self> {
        // SAFETY: any number will do.
        if unsafe { libc::fcntl(c, libc::F_GETFD) } < 0 {
            return None;
        }
        // SAFETY: open, and the caller gives it away.
        Some(unsafe { Self::from_raw_fd(c) })
    }
}

macro_rules! as_they_are {
    ($($type:ty),*) => {$(
        impl Argument for $type {
            type C = Self;
            type Value = Self;

            unsafe fn convert(c: Self) -> Option<Self> {
                Some(c)
            }
        }
    )*};
}

as_they_are!(
    c_int,
    u16,
    *mut ConnectReport,
    u32,
    u64,
    f64,
    usize,
    gpointer,
    *const u8,
    gio::ffi::GAsyncReadyCallback,
    *mut gio::ffi::GAsyncResult
);

/// Checks memory that C lends for an operation, whose size is an argument of its own.
pub(crate) fn memory(buffer: gpointer, count: usize) -> Result<*mut u8, Refusal> {
    if buffer.is_null() && count > 0 {
        return Err(Refusal {
            check: "not NULL, or a count of 0",
            argument: "buffer",
        });
    }
    Ok(buffer.cast())
}

/// Where C wants a result; NULL where it does not.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Argument for Out<T> {
    type C = *mut T;
    type Value = Self;

    unsafe fn convert(c: *mut T) -> Option<Self> {
        Some(Self(c))
    }
}

impl<T> Out<T> {
    pub(crate) fn set(self, value: T) {
        self.put(|| value);
    }

    /// What is not wanted is not made.
    pub(crate) fn put(self, value: impl FnOnce() -> T) {
        if !self.0.is_null() {
            // SAFETY: a place of the caller's.
            unsafe { self.0.write(value()) };
        }
    }
}
