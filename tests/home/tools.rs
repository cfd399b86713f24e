//! What these tests are made of.

use std::{
    cell::RefCell, ffi::CStr, ffi::c_void, net::SocketAddr, os::fd::AsRawFd, ptr, rc::Rc,
    sync::Arc, sync::Mutex, thread, thread::ThreadId,
};

use gio::prelude::*;
use glib::translate::{IntoGlibPtr, ToGlibPtr, from_glib_full};
use gsock::{
    SocketConnection, prelude::*, subclass::SocketConnectionClass,
    subclass::SocketConnectionInstance,
};

use crate::support::*;

/// A connection as C has it: usable from every thread, through C functions.
#[derive(Clone, Copy)]
pub(crate) struct CConnection(pub(crate) *mut SocketConnectionInstance);

// SAFETY: C may use the object from any thread.
unsafe impl Send for CConnection {}
// SAFETY: likewise.
unsafe impl Sync for CConnection {}

impl CConnection {
    /// Borrowed; whoever uses it is joined before the connection is dropped.
    pub(crate) fn of(connection: &SocketConnection) -> Self {
        Self(connection.as_ptr())
    }

    /// The reference itself: this is the owner now.
    pub(crate) fn taken(connection: SocketConnection) -> Self {
        Self(connection.into_glib_ptr())
    }

    pub(crate) fn stream(self) -> *mut gio::ffi::GIOStream {
        self.0.cast()
    }

    pub(crate) fn class(&self) -> &SocketConnectionClass {
        // SAFETY: an instance begins with the pointer to its class.
        let class = unsafe { *self.0.cast::<*const SocketConnectionClass>() };
        // SAFETY: a class that has an instance stays.
        unsafe { &*class }
    }

    pub(crate) fn write(self, bytes: &[u8]) -> isize {
        // SAFETY: a live stream, which owns the result.
        let output = unsafe { gio::ffi::g_io_stream_get_output_stream(self.stream()) };
        // SAFETY: the bytes are as many as said.
        unsafe {
            gio::ffi::g_output_stream_write(
                output,
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        }
    }

    pub(crate) fn read(self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        // SAFETY: a live stream, which owns the result.
        let input = unsafe { gio::ffi::g_io_stream_get_input_stream(self.stream()) };
        // SAFETY: there is room for as many as said.
        let count = unsafe {
            gio::ffi::g_input_stream_read(
                input,
                bytes.as_mut_ptr().cast(),
                count,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        bytes.truncate(usize::try_from(count).expect("no error"));
        bytes
    }

    pub(crate) fn close(self) -> bool {
        // SAFETY: a live stream.
        let closed =
            unsafe { gio::ffi::g_io_stream_close(self.stream(), ptr::null_mut(), ptr::null_mut()) };
        closed != glib::ffi::GFALSE
    }

    pub(crate) fn connect(self, address: SocketAddr) -> bool {
        let address: gio::SocketAddress = gio_address(address).upcast();
        let connect = self.class().connect.expect("a slot");
        // SAFETY: live arguments.
        let done = unsafe {
            connect(
                self.0,
                address.to_glib_none().0,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        done != glib::ffi::GFALSE
    }

    pub(crate) fn connect_async(
        self,
        address: SocketAddr,
        callback: gio::ffi::GAsyncReadyCallback,
        data: *mut c_void,
    ) {
        let address: gio::SocketAddress = gio_address(address).upcast();
        let start = self.class().connect_async.expect("a slot");
        // SAFETY: live arguments; the callback belongs to the data.
        unsafe {
            start(
                self.0,
                address.to_glib_none().0,
                ptr::null_mut(),
                callback,
                data,
            );
        }
    }

    /// # Safety
    ///
    /// There is a reference to give back, and nobody else uses it.
    pub(crate) unsafe fn unref(self) {
        // SAFETY: as the caller says.
        unsafe { glib::gobject_ffi::g_object_unref(self.0.cast()) };
    }

    /// # Safety
    ///
    /// There is a reference to take over, and what is done with it here may be done here.
    pub(crate) unsafe fn into_wrapper(self) -> SocketConnection {
        // SAFETY: as the caller says.
        unsafe { from_glib_full(self.0) }
    }
}

/// Runs `f` on another thread, to its end.
pub(crate) fn elsewhere<R: Send>(
    connection: &SocketConnection,
    f: impl FnOnce(CConnection) -> R + Send,
) -> R {
    let connection = CConnection::of(connection);
    thread::scope(|scope| {
        scope
            .spawn(move || f(connection))
            .join()
            .expect("no panic there")
    })
}

pub(crate) type Told = Rc<RefCell<Vec<(String, ThreadId)>>>;

/// The notifications of `object`, with the threads that they happened on.
pub(crate) fn told(object: &impl IsA<glib::Object>) -> Told {
    let told = Told::default();
    let tell = told.clone();
    object
        .as_ref()
        .connect_notify_local(None, move |_, property| {
            tell.borrow_mut()
                .push((property.name().to_owned(), thread::current().id()));
        });
    told
}

pub(crate) fn names(told: &Told) -> Vec<String> {
    told.borrow().iter().map(|(name, _)| name.clone()).collect()
}

pub(crate) fn times(told: &Told, name: &str) -> usize {
    told.borrow()
        .iter()
        .filter(|(told, _)| told == name)
        .count()
}

/// Fails where a notification happened on another thread than this one.
#[track_caller]
pub(crate) fn assert_all_here(told: &Told) {
    let here = thread::current().id();
    for (name, thread) in &*told.borrow() {
        assert_eq!(*thread, here, "{name}");
    }
}

/// How many sources a context of one's own has, besides those with which it is watched: the engine's, or
/// one for each descriptor.
pub(crate) fn sources(context: &glib::MainContext) -> usize {
    (1..5_000)
        .filter(|id| {
            // SAFETY: a live context; the result is borrowed and only compared.
            let source = unsafe {
                glib::ffi::g_main_context_find_source_by_id(context.to_glib_none().0, *id)
            };
            !source.is_null() && !is_watch(source)
        })
        .count()
}

fn is_watch(source: *mut glib::ffi::GSource) -> bool {
    // SAFETY: a live source; its name is borrowed, or NULL.
    let name = unsafe { glib::ffi::g_source_get_name(source) };
    // SAFETY: a C string that lives as long as the source.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
    name.is_some_and(|name| name == c"gsock engine" || name == c"gsock descriptor")
}

/// Waits until the kernel has seen the peer's FIN or reset; no context is iterated.
pub(crate) fn wait_for_the_peers_end(connection: &SocketConnection) {
    let mut polled = libc::pollfd {
        fd: connection.socket().as_raw_fd(),
        events: libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: one element, as said.
    let count = unsafe { libc::poll(&raw mut polled, 1, 10_000) };
    assert_eq!(count, 1, "the peer did not end");
}

/// Tells on which thread it was dropped.
#[derive(Clone, Default)]
pub(crate) struct Dropped(pub(crate) Arc<Mutex<Vec<ThreadId>>>);

impl Dropped {
    pub(crate) fn witness(&self) -> Witness {
        Witness {
            dropped: self.clone(),
            _bound: Rc::new(()),
        }
    }

    /// Nobody's closure may be dropped on a thread that it does not belong to; not at all is fine.
    #[track_caller]
    pub(crate) fn assert_nowhere_but_on(&self, thread: ThreadId) {
        for on in &*self.0.lock().expect("no panic") {
            assert_eq!(
                *on, thread,
                "dropped on a thread that it does not belong to"
            );
        }
    }

    #[track_caller]
    pub(crate) fn assert_on(&self, thread: ThreadId) {
        assert_eq!(*self.0.lock().expect("no panic"), [thread]);
    }
}

/// What a closure holds that must stay on its thread.
pub(crate) struct Witness {
    dropped: Dropped,
    _bound: Rc<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let mut dropped = self.dropped.0.lock().expect("no panic");
        dropped.push(thread::current().id());
    }
}

/// What a user interface would show of a connection.
mod label {
    use std::cell::{Cell, RefCell};

    use glib::{Properties, prelude::*, subclass::prelude::*};

    #[derive(Default, Properties)]
    #[properties(wrapper_type = super::Label)]
    pub struct Imp {
        #[property(get, set)]
        bytes_read: Cell<u64>,
        #[property(get, set)]
        bytes_written: Cell<u64>,
        #[property(get, set, nullable)]
        remote: RefCell<Option<gio::SocketAddress>>,
        #[property(get, set)]
        closed: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Imp {
        const NAME: &'static str = "Label";
        type Type = super::Label;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Imp {}
}

glib::wrapper! {
    pub struct Label(ObjectSubclass<label::Imp>);
}
