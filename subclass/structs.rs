//! The class and instance structs: what C sees, byte for byte.
//!
//! A class struct is its parent's, then our virtual functions, then ten pointers of room for more.
//! An instance struct is its parent's alone: private data lies before it.

use gio::ffi::{
    GAsyncReadyCallback, GAsyncResult, GCancellable, GIOStream, GIOStreamClass, GSocket,
    GSocketAddress, GSocketClientEvent, GSocketConnectable, GSocketListenerEvent,
};
use glib::ffi::{GError, gboolean, gpointer};
use glib::gobject_ffi::{GObject, GObjectClass};

/// `struct _GsockSocketConnection`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockSocketConnection")]
pub struct SocketConnectionInstance {
    pub(crate) parent_instance: GIOStream,
}

/// `struct _GsockSocketConnectionClass`.
///
/// Every public form of an operation calls its slot, so that an override in C is seen by Rust and
/// the reverse.
#[derive(Clone, Copy)]
#[repr(C)]
#[doc(alias = "GsockSocketConnectionClass")]
pub struct SocketConnectionClass {
    /// The slots of `GIOStream`.
    pub parent_class: GIOStreamClass,
    /// The blocking connect.
    pub connect: Option<
        unsafe extern "C" fn(
            *mut SocketConnectionInstance,
            *mut GSocketAddress,
            *mut GCancellable,
            *mut *mut GError,
        ) -> gboolean,
    >,
    /// Starts a connect; `connect_finish` takes what it answers.
    pub connect_async: Option<
        unsafe extern "C" fn(
            *mut SocketConnectionInstance,
            *mut GSocketAddress,
            *mut GCancellable,
            GAsyncReadyCallback,
            gpointer,
        ),
    >,
    /// Takes the outcome of a connect.
    pub connect_finish: Option<
        unsafe extern "C" fn(
            *mut SocketConnectionInstance,
            *mut GAsyncResult,
            *mut *mut GError,
        ) -> gboolean,
    >,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockTcpConnection`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockTcpConnection")]
pub struct TcpConnectionInstance {
    pub(crate) parent_instance: SocketConnectionInstance,
}

/// `struct _GsockTcpConnectionClass`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[doc(alias = "GsockTcpConnectionClass")]
pub struct TcpConnectionClass {
    /// The slots of `GsockSocketConnection`.
    pub parent_class: SocketConnectionClass,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockTcpWrapperConnection`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockTcpWrapperConnection")]
pub struct TcpWrapperConnectionInstance {
    pub(crate) parent_instance: TcpConnectionInstance,
}

/// `struct _GsockTcpWrapperConnectionClass`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[doc(alias = "GsockTcpWrapperConnectionClass")]
pub struct TcpWrapperConnectionClass {
    /// The slots of `GsockTcpConnection`.
    pub parent_class: TcpConnectionClass,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockUnixConnection`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockUnixConnection")]
pub struct UnixConnectionInstance {
    pub(crate) parent_instance: SocketConnectionInstance,
}

/// `struct _GsockUnixConnectionClass`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[doc(alias = "GsockUnixConnectionClass")]
pub struct UnixConnectionClass {
    /// The slots of `GsockSocketConnection`.
    pub parent_class: SocketConnectionClass,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockSocketClient`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockSocketClient")]
pub struct SocketClientInstance {
    pub(crate) parent_instance: GObject,
}

/// `struct _GsockSocketClientClass`.
#[derive(Clone, Copy)]
#[repr(C)]
#[doc(alias = "GsockSocketClientClass")]
pub struct SocketClientClass {
    /// The slots of `GObject`.
    pub parent_class: GObjectClass,
    /// The signal's handler of the class, after those that were connected.
    pub event: Option<
        unsafe extern "C" fn(
            *mut SocketClientInstance,
            GSocketClientEvent,
            *mut GSocketConnectable,
            *mut GIOStream,
        ),
    >,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockSocketListener`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockSocketListener")]
pub struct SocketListenerInstance {
    pub(crate) parent_instance: GObject,
}

/// `struct _GsockSocketListenerClass`.
#[derive(Clone, Copy)]
#[repr(C)]
#[doc(alias = "GsockSocketListenerClass")]
pub struct SocketListenerClass {
    /// The slots of `GObject`.
    pub parent_class: GObjectClass,
    /// There are more sockets than before.
    pub changed: Option<unsafe extern "C" fn(*mut SocketListenerInstance)>,
    /// The signal's handler of the class, after those that were connected.
    pub event: Option<
        unsafe extern "C" fn(*mut SocketListenerInstance, GSocketListenerEvent, *mut GSocket),
    >,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockSocketService`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockSocketService")]
pub struct SocketServiceInstance {
    pub(crate) parent_instance: SocketListenerInstance,
}

/// `struct _GsockSocketServiceClass`.
#[derive(Clone, Copy)]
#[repr(C)]
#[doc(alias = "GsockSocketServiceClass")]
pub struct SocketServiceClass {
    /// The slots of `GsockSocketListener`.
    pub parent_class: SocketListenerClass,
    /// The signal's handler of the class, after those that were connected, none of which has handled the connection.
    pub incoming: Option<
        unsafe extern "C" fn(
            *mut SocketServiceInstance,
            *mut SocketConnectionInstance,
            *mut GObject,
        ) -> gboolean,
    >,
    /// The signal's handler of the class, after those that were connected.
    pub error: Option<unsafe extern "C" fn(*mut SocketServiceInstance, *const GError)>,
    /// Room for more.
    pub padding: [gpointer; 10],
}

/// `struct _GsockThreadedSocketService`.
#[derive(Debug)]
#[repr(C)]
#[doc(alias = "GsockThreadedSocketService")]
pub struct ThreadedSocketServiceInstance {
    pub(crate) parent_instance: SocketServiceInstance,
}

/// `struct _GsockThreadedSocketServiceClass`.
#[derive(Clone, Copy)]
#[repr(C)]
#[doc(alias = "GsockThreadedSocketServiceClass")]
pub struct ThreadedSocketServiceClass {
    /// The slots of `GsockSocketService`.
    pub parent_class: SocketServiceClass,
    /// The signal's handler of the class, on a thread of the service, after those that were connected, none of which
    /// has handled the connection.
    pub run: Option<
        unsafe extern "C" fn(
            *mut ThreadedSocketServiceInstance,
            *mut SocketConnectionInstance,
            *mut GObject,
        ) -> gboolean,
    >,
    /// Room for more.
    pub padding: [gpointer; 10],
}

impl std::fmt::Debug for SocketServiceClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketServiceClass").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ThreadedSocketServiceClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadedSocketServiceClass")
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SocketListenerClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketListenerClass")
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SocketClientClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketClientClass").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SocketConnectionClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketConnectionClass")
            .finish_non_exhaustive()
    }
}
