//! libsoup's client and server as they are. They are found when the test runs: a build needs no libsoup.

use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_int, c_uint},
    ptr,
    rc::Rc,
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GBytes, GError, GSList, GType, GUri, gboolean, gpointer},
    gobject_ffi::GObject,
    translate::{FromGlib, ToGlibPtr, from_glib_full},
};

use crate::{support::*, tools::*};

/// The address of a function of libsoup 3.
fn symbol(name: &CStr) -> gpointer {
    static LIBRARY: OnceLock<usize> = OnceLock::new();
    // SAFETY: a name that ends with a zero.
    let library = *LIBRARY.get_or_init(|| unsafe {
        libc::dlopen(c"libsoup-3.0.so.0".as_ptr(), libc::RTLD_NOW)
    } as usize);
    assert_ne!(
        library, 0,
        "there is no libsoup 3 here: install the package libsoup-3.0-0 (make setup does)"
    );
    // SAFETY: an open library, and a name that ends with a zero.
    let address = unsafe { libc::dlsym(library as gpointer, name.as_ptr()) };
    assert!(!address.is_null(), "libsoup has no {name:?}");
    address
}

macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {$(
        unsafe fn $name($($argument: $type),*) $(-> $result)? {
            let name = concat!(stringify!($name), "\0");
            let name = CStr::from_bytes_with_nul(name.as_bytes()).expect("one zero");
            // SAFETY: the function of this name takes and returns these, and the caller vouches for them.
            unsafe {
                std::mem::transmute::<gpointer, unsafe extern "C" fn($($type),*) $(-> $result)?>(
                    symbol(name),
                )($($argument),*)
            }
        }
    )*};
}

type Handler = unsafe extern "C" fn(
    *mut GObject,
    *mut GObject,
    *const c_char,
    *mut glib::ffi::GHashTable,
    gpointer,
);

functions! {
    fn soup_server_get_type() -> GType;
    fn soup_server_listen_local(
        server: *mut GObject,
        port: c_uint,
        options: c_uint,
        error: *mut *mut GError,
    ) -> gboolean;
    fn soup_server_get_uris(server: *mut GObject) -> *mut GSList;
    fn soup_server_add_handler(
        server: *mut GObject,
        path: *const c_char,
        handler: Handler,
        data: gpointer,
        destroy: glib::ffi::GDestroyNotify,
    );
    fn soup_server_disconnect(server: *mut GObject);
    fn soup_server_message_set_status(message: *mut GObject, code: c_uint, why: *const c_char);
    fn soup_server_message_set_response(
        message: *mut GObject,
        content_type: *const c_char,
        memory: c_int,
        bytes: *const u8,
        count: usize,
    );
    fn soup_server_message_steal_connection(message: *mut GObject) -> *mut gio_ffi::GIOStream;
    fn soup_session_new() -> *mut GObject;
    fn soup_message_new(method: *const c_char, uri: *const c_char) -> *mut GObject;
    fn soup_message_get_status(message: *mut GObject) -> c_uint;
    fn soup_session_send_and_read(
        session: *mut GObject,
        message: *mut GObject,
        cancellable: *mut gio_ffi::GCancellable,
        error: *mut *mut GError,
    ) -> *mut GBytes;
    fn soup_session_send_and_read_async(
        session: *mut GObject,
        message: *mut GObject,
        priority: c_int,
        cancellable: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    );
    fn soup_session_send_and_read_finish(
        session: *mut GObject,
        result: *mut gio_ffi::GAsyncResult,
        error: *mut *mut GError,
    ) -> *mut GBytes;
}

/// `SOUP_MEMORY_COPY`.
const COPY: c_int = 2;

fn body() -> Vec<u8> {
    (0..300_000_u32).map(|at| (at % 251) as u8).collect()
}

unsafe extern "C" fn answer(
    _: *mut GObject,
    message: *mut GObject,
    _: *const c_char,
    _: *mut glib::ffi::GHashTable,
    _: gpointer,
) {
    let body = body();
    // SAFETY: the server's own message.
    unsafe {
        soup_server_message_set_status(message, 200, ptr::null());
        soup_server_message_set_response(
            message,
            c"application/octet-stream".as_ptr(),
            COPY,
            body.as_ptr(),
            body.len(),
        );
    }
}

/// Takes the connection over, and says of what type it is, by hand.
unsafe extern "C" fn tell(
    _: *mut GObject,
    message: *mut GObject,
    _: *const c_char,
    _: *mut glib::ffi::GHashTable,
    _: gpointer,
) {
    // SAFETY: the server's own message; a full reference.
    let stream: gio::IOStream =
        unsafe { from_glib_full(soup_server_message_steal_connection(message)) };
    let name = socket_stream(stream.clone()).type_().name();
    let text = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{name}",
        name.len()
    );
    write_all(&stream, text.as_bytes());
    stream.close(gio::Cancellable::NONE).expect("it was open");
}

/// What libsoup has wrapped.
fn socket_stream(stream: gio::IOStream) -> gio::IOStream {
    match stream.find_property("base-iostream") {
        Some(_) => socket_stream(stream.property("base-iostream")),
        None => stream,
    }
}

struct Server(glib::Object);

impl Server {
    fn new() -> Self {
        // SAFETY: a class with a public constructor; the handlers are functions.
        unsafe {
            let type_ = glib::Type::from_glib(soup_server_get_type());
            let server = glib::Object::with_type(type_);
            let raw: *mut GObject = server.to_glib_none().0;
            soup_server_add_handler(raw, c"/body".as_ptr(), answer, ptr::null_mut(), None);
            soup_server_add_handler(raw, c"/type".as_ptr(), tell, ptr::null_mut(), None);
            let mut failure = ptr::null_mut();
            let listens = soup_server_listen_local(raw, 0, 0, &raw mut failure);
            assert_ne!(listens, glib::ffi::GFALSE, "loopback");
            Self(server)
        }
    }

    /// On the loopback of IPv4.
    fn address(&self) -> String {
        // SAFETY: a list of URIs, and both are ours.
        unsafe {
            let uris = soup_server_get_uris(self.0.to_glib_none().0);
            let mut found = None;
            let mut at = uris;
            while !at.is_null() {
                let uri: glib::Uri = from_glib_full((*at).data.cast::<GUri>());
                if uri.host().is_some_and(|host| host == "127.0.0.1") {
                    found = Some(format!("http://127.0.0.1:{}", uri.port()));
                }
                at = (*at).next;
            }
            glib::ffi::g_slist_free(uris);
            found.expect("it listens there")
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: a live server.
        unsafe { soup_server_disconnect(self.0.to_glib_none().0) };
    }
}

/// The message, and the types of the connections that are made for it.
fn get(address: &str) -> (glib::Object, Arc<Mutex<Vec<String>>>) {
    let uri = CString::new(address).expect("no zero");
    // SAFETY: a full reference, or NULL for what is no address.
    let message: glib::Object =
        unsafe { from_glib_full(soup_message_new(c"GET".as_ptr(), uri.as_ptr())) };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let types = seen.clone();
    message.connect("network-event", false, move |values| {
        let event: gio::SocketClientEvent = values[1].get().expect("an event");
        let stream: Option<gio::IOStream> = values[2].get().expect("a stream or none");
        if event == gio::SocketClientEvent::Connected {
            let type_ = stream.expect("it is connected").type_();
            types
                .lock()
                .expect("no panic")
                .push(type_.name().to_owned());
        }
        None
    });
    (message, seen)
}

fn session() -> glib::Object {
    // SAFETY: a full reference.
    unsafe { from_glib_full(soup_session_new()) }
}

fn fetch(session: &glib::Object, message: &glib::Object) -> Result<glib::Bytes, glib::Error> {
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments; the result and a set error are ours.
    unsafe {
        let bytes = soup_session_send_and_read(
            session.to_glib_none().0,
            message.to_glib_none().0,
            ptr::null_mut(),
            &raw mut failure,
        );
        if failure.is_null() {
            Ok(from_glib_full(bytes))
        } else {
            Err(from_glib_full(failure))
        }
    }
}

type Answer = Rc<RefCell<Option<Result<glib::Bytes, glib::Error>>>>;

fn start(session: &glib::Object, message: &glib::Object) -> Answer {
    unsafe extern "C" fn finish(
        session: *mut GObject,
        result: *mut gio_ffi::GAsyncResult,
        data: gpointer,
    ) {
        let mut failure = ptr::null_mut();
        // SAFETY: the session's own result; the answer was given away in `start`, for this.
        unsafe {
            let answer: Rc<RefCell<Option<Result<glib::Bytes, glib::Error>>>> =
                Rc::from_raw(data.cast());
            let bytes = soup_session_send_and_read_finish(session, result, &raw mut failure);
            let answered = if failure.is_null() {
                Ok(from_glib_full(bytes))
            } else {
                Err(from_glib_full(failure))
            };
            *answer.borrow_mut() = Some(answered);
        }
    }
    let answer = Answer::default();
    // SAFETY: live arguments, and an answer that is given away.
    unsafe {
        soup_session_send_and_read_async(
            session.to_glib_none().0,
            message.to_glib_none().0,
            0,
            ptr::null_mut(),
            Some(finish),
            Rc::into_raw(answer.clone()).cast_mut().cast(),
        );
    }
    answer
}

fn status(message: &glib::Object) -> u32 {
    // SAFETY: a live message.
    unsafe { soup_message_get_status(message.to_glib_none().0) }
}

#[test]
fn a_server_and_an_asynchronous_client_talk_on_adopted_connections() {
    adopted(|context| {
        let server = Server::new();
        let session = session();
        // One connection after the other is used again.
        for round in 0..3 {
            let (message, types) = get(&format!("{}/body", server.address()));
            let answer = start(&session, &message);
            iterate_until(context, || answer.borrow().is_some());
            let bytes = answer.take().expect("waited for").expect("served");
            assert_eq!(status(&message), 200);
            assert!(*bytes == *body(), "{} bytes", bytes.len());
            let types = types.lock().expect("no panic").clone();
            let expected: &[&str] = if round == 0 {
                &["GsockGioTcpConnection"]
            } else {
                &[]
            };
            assert_eq!(types, expected);
        }
        let (message, _) = get(&format!("{}/type", server.address()));
        let answer = start(&session, &message);
        iterate_until(context, || answer.borrow().is_some());
        let bytes = answer.take().expect("waited for").expect("served");
        assert_eq!(*bytes, *b"GsockGioTcpConnection");
    });
}

#[test]
fn a_blocking_client_on_another_thread() {
    adopted(|context| {
        let server = Server::new();
        let address = format!("{}/body", server.address());
        let client = thread::spawn(move || {
            let session = session();
            let (message, types) = get(&address);
            let bytes = fetch(&session, &message).expect("served");
            assert_eq!(status(&message), 200);
            let types = types.lock().expect("no panic").clone();
            (bytes.to_vec(), types)
        });
        iterate_until(context, || client.is_finished());
        let (bytes, types) = client.join().expect("no panic");
        assert!(bytes == body(), "{} bytes", bytes.len());
        assert_eq!(types, ["GsockGioTcpConnection"]);
    });
}
