//! The few functions of libsoup 3 that are used here, found when a test runs: a build needs no libsoup.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uint, c_ushort},
    ptr,
    sync::OnceLock,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GError, GFALSE, GHashTable, GList, GType, GUri, gboolean, gpointer},
    gobject_ffi::GObject,
    translate::{FromGlib, ToGlibPtr, from_glib_full, from_glib_none},
};

/// The address of a function; a test fails that asks for one and there is no libsoup.
fn symbol(name: &CStr) -> gpointer {
    struct Library(gpointer);
    // SAFETY: a handle that `dlsym` may use on any thread.
    unsafe impl Send for Library {}
    // SAFETY: likewise.
    unsafe impl Sync for Library {}

    static LIBRARY: OnceLock<Library> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        // SAFETY: a name that ends with a zero.
        Library(unsafe { libc::dlopen(c"libsoup-3.0.so.0".as_ptr(), libc::RTLD_NOW) })
    });
    assert!(
        !library.0.is_null(),
        "there is no libsoup 3 here: install the package libsoup-3.0-0 (make setup does)"
    );
    // SAFETY: an open library, and a name that ends with a zero.
    let address = unsafe { libc::dlsym(library.0, name.as_ptr()) };
    assert!(!address.is_null(), "libsoup has no {name:?}");
    address
}

macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        unsafe fn $name($($argument: $type),*) $(-> $result)? {
            let name = concat!(stringify!($name), "\0");
            let name = CStr::from_bytes_with_nul(name.as_bytes()).expect("one zero");
            // SAFETY: the function of this name takes and returns these.
            let function = unsafe {
                std::mem::transmute::<gpointer, unsafe extern "C" fn($($type),*) $(-> $result)?>(
                    symbol(name),
                )
            };
            // SAFETY: as the caller says.
            unsafe { function($($argument),*) }
        }
    )*};
}

type Handler =
    unsafe extern "C" fn(*mut GObject, *mut GObject, *const c_char, *mut GHashTable, gpointer);

/// `SOUP_MEMORY_COPY`.
const COPY: c_int = 2;

/// `SoupMessageBody`.
#[repr(C)]
struct Body {
    data: *const u8,
    length: i64,
}

functions! {
    fn soup_server_get_type() -> GType;
    fn soup_server_add_handler(
        server: *mut GObject,
        path: *const c_char,
        handler: Handler,
        data: gpointer,
        destroy: glib::ffi::GDestroyNotify
    );
    fn soup_server_accept_iostream(
        server: *mut GObject,
        stream: *mut gio_ffi::GIOStream,
        local: *mut gio_ffi::GSocketAddress,
        remote: *mut gio_ffi::GSocketAddress,
        error: *mut *mut GError
    ) -> gboolean;
    fn soup_server_disconnect(server: *mut GObject);
    fn soup_server_message_set_status(message: *mut GObject, code: c_uint, why: *const c_char);
    fn soup_server_message_set_response(
        message: *mut GObject,
        content_type: *const c_char,
        memory: c_int,
        bytes: *const u8,
        count: usize
    );
    fn soup_server_message_get_request_body(message: *mut GObject) -> *mut Body;
    fn soup_server_message_get_remote_address(message: *mut GObject) -> *mut gio_ffi::GSocketAddress;
    fn soup_server_message_get_socket(message: *mut GObject) -> *mut gio_ffi::GSocket;
    fn soup_websocket_connection_new(
        stream: *mut gio_ffi::GIOStream,
        uri: *mut GUri,
        kind: c_int,
        origin: *const c_char,
        protocol: *const c_char,
        extensions: *mut GList
    ) -> *mut GObject;
    fn soup_websocket_connection_send_text(connection: *mut GObject, text: *const c_char);
    fn soup_websocket_connection_close(
        connection: *mut GObject,
        code: c_ushort,
        data: *const c_char
    );
    fn soup_websocket_connection_get_state(connection: *mut GObject) -> c_int;
    fn soup_websocket_connection_get_close_code(connection: *mut GObject) -> c_ushort;
}

/// A `SoupServer` that answers each request with what it was asked for, and by whom.
pub(crate) struct Server(glib::Object);

impl Server {
    pub(crate) fn new() -> Self {
        // SAFETY: the type of a class with a public constructor without arguments that must be.
        let server =
            unsafe { glib::Object::with_type(glib::Type::from_glib(soup_server_get_type())) };
        // SAFETY: a live server; the handler has no data. No path is all of them.
        unsafe {
            soup_server_add_handler(server.as_ptr(), ptr::null(), answer, ptr::null_mut(), None);
        }
        Self(server)
    }

    /// Gives it a connection to serve.
    pub(crate) fn accept(
        &self,
        stream: &gio::IOStream,
        local: &gio::SocketAddress,
        remote: &gio::SocketAddress,
    ) -> Result<(), glib::Error> {
        let mut failure = ptr::null_mut();
        // SAFETY: live objects; a set error is ours.
        unsafe {
            let accepted = soup_server_accept_iostream(
                self.0.as_ptr(),
                stream.to_glib_none().0,
                local.to_glib_none().0,
                remote.to_glib_none().0,
                &raw mut failure,
            );
            if accepted != GFALSE {
                return Ok(());
            }
            Err(from_glib_full(failure))
        }
    }

    pub(crate) fn disconnect(&self) {
        // SAFETY: a live server.
        unsafe { soup_server_disconnect(self.0.as_ptr()) };
    }
}

/// The path, a line each: the path, the peer's address, whether there is a socket, and what came with it.
unsafe extern "C" fn answer(
    _: *mut GObject,
    message: *mut GObject,
    path: *const c_char,
    _: *mut GHashTable,
    _: gpointer,
) {
    // SAFETY: the message that is answered now, and its path; what it lends lives as long.
    let (path, remote, socket, body) = unsafe {
        let body = &*soup_server_message_get_request_body(message);
        let remote: Option<gio::SocketAddress> =
            from_glib_none(soup_server_message_get_remote_address(message));
        let socket: Option<gio::Socket> = from_glib_none(soup_server_message_get_socket(message));
        let count = usize::try_from(body.length).unwrap_or(0);
        let body = match count {
            0 => Vec::new(),
            count => std::slice::from_raw_parts(body.data, count).to_vec(),
        };
        (CStr::from_ptr(path).to_string_lossy(), remote, socket, body)
    };
    let remote = remote.map_or_else(|| "nobody".into(), |remote| remote.to_string());
    let mut text = format!("{path}\n{remote}\n{}\n", socket.is_some()).into_bytes();
    text.extend(body);
    // SAFETY: the message that is answered now; the text is copied.
    unsafe {
        soup_server_message_set_status(message, 200, ptr::null());
        soup_server_message_set_response(
            message,
            c"text/plain".as_ptr(),
            COPY,
            text.as_ptr(),
            text.len(),
        );
    }
}

/// A `SoupWebsocketConnection`.
pub(crate) struct WebSocket(glib::Object);

/// `SoupWebsocketConnectionType`.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Client = 1,
    Server = 2,
}

/// `SOUP_WEBSOCKET_STATE_CLOSED`.
pub(crate) const CLOSED: c_int = 3;

impl WebSocket {
    /// After the handshake of HTTP, which has gone over the same connection or was left out.
    pub(crate) fn over(stream: &gio::IOStream, end: End) -> Self {
        let uri = glib::Uri::parse("http://gsock.test/", glib::UriFlags::NONE).expect("an address");
        // SAFETY: live arguments; the object is ours.
        Self(unsafe {
            from_glib_full(soup_websocket_connection_new(
                stream.to_glib_none().0,
                uri.to_glib_none().0,
                end as c_int,
                ptr::null(),
                ptr::null(),
                ptr::null_mut(),
            ))
        })
    }

    /// Calls `got` with each message.
    pub(crate) fn on_message(&self, got: impl Fn(Vec<u8>) + 'static) {
        self.0.connect_local("message", false, move |values| {
            got(values[2].get::<glib::Bytes>().expect("bytes").to_vec());
            None
        });
    }

    pub(crate) fn send(&self, text: &str) {
        let text = CString::new(text).expect("no zero in it");
        // SAFETY: a live connection, and a text.
        unsafe { soup_websocket_connection_send_text(self.0.as_ptr(), text.as_ptr()) };
    }

    pub(crate) fn close(&self, code: u16, why: &CStr) {
        // SAFETY: a live connection, and a text.
        unsafe { soup_websocket_connection_close(self.0.as_ptr(), code, why.as_ptr()) };
    }

    pub(crate) fn state(&self) -> c_int {
        // SAFETY: a live connection.
        unsafe { soup_websocket_connection_get_state(self.0.as_ptr()) }
    }

    pub(crate) fn close_code(&self) -> u16 {
        // SAFETY: a live connection.
        unsafe { soup_websocket_connection_get_close_code(self.0.as_ptr()) }
    }
}
