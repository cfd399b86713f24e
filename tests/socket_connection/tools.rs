//! What these tests are made of.

use std::{
    cell::RefCell, ffi::c_void, net::SocketAddr, net::TcpListener, net::TcpStream, pin::Pin, ptr,
    rc::Rc, task::Context, task::Poll, task::Waker, time::Duration,
};

use gio::{Cancellable, SocketFamily, SocketType, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full, from_glib_none};
use gsock::{
    ConnectionState, SocketConnection, prelude::*, subclass::SocketConnectionClass,
    subclass::SocketConnectionInstance,
};

use crate::support::*;

/// A type of somebody else's.
mod derived {
    use gsock::subclass::prelude::*;

    #[derive(Default)]
    pub struct Imp;

    #[glib::object_subclass]
    impl ObjectSubclass for Imp {
        const NAME: &'static str = "DerivedConnection";
        type Type = super::Derived;
        type ParentType = gsock::SocketConnection;
    }

    impl ObjectImpl for Imp {}
    impl IOStreamImpl for Imp {}
    impl SocketConnectionImpl for Imp {}
}

glib::wrapper! {
    pub struct Derived(ObjectSubclass<derived::Imp>)
        @extends SocketConnection, gio::IOStream;
}

/// What a user interface would bind a connection to.
mod label {
    use std::cell::{Cell, RefCell};

    use glib::{Properties, prelude::*, subclass::prelude::*};
    use gsock::ConnectionState;

    #[derive(Properties)]
    #[properties(wrapper_type = super::Label)]
    pub struct Imp {
        #[property(get, set, builder(ConnectionState::Unconnected))]
        state: Cell<ConnectionState>,
        #[property(get, set)]
        alive: Cell<bool>,
        #[property(get, set)]
        closed: Cell<bool>,
        #[property(get, set)]
        bytes_read: Cell<u64>,
        #[property(get, set, nullable)]
        remote: RefCell<Option<gio::SocketAddress>>,
        #[property(get, set, nullable)]
        socket: RefCell<Option<gio::Socket>>,
    }

    impl Default for Imp {
        fn default() -> Self {
            Self {
                state: Cell::new(ConnectionState::Unconnected),
                alive: Cell::default(),
                closed: Cell::default(),
                bytes_read: Cell::default(),
                remote: RefCell::default(),
                socket: RefCell::default(),
            }
        }
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

impl Label {
    pub(crate) fn new() -> Self {
        glib::Object::new()
    }
}

/// The class of a connection, whose slots C calls.
pub(crate) fn class_of(connection: &SocketConnection) -> &SocketConnectionClass {
    let instance = connection.as_ptr();
    // SAFETY: an instance begins with the pointer to its class.
    let class = unsafe { *instance.cast::<*const SocketConnectionClass>() };
    // SAFETY: a class that has an instance stays.
    unsafe { &*class }
}

/// `connect_async` as C calls it.
pub(crate) fn connect_async_as_c(
    connection: &SocketConnection,
    address: SocketAddr,
    callback: gio::ffi::GAsyncReadyCallback,
    data: *mut c_void,
) {
    let start = class_of(connection).connect_async.expect("a slot");
    let address: gio::SocketAddress = gio_address(address).upcast();
    // SAFETY: live arguments; the callback, where there is one, belongs to the data.
    unsafe {
        start(
            connection.as_ptr(),
            address.to_glib_none().0,
            ptr::null_mut(),
            callback,
            data,
        );
    }
}

/// `connect_finish` as C calls it, with whatever pointer C would pass.
pub(crate) fn connect_finish_as_c(
    connection: &SocketConnection,
    result: *mut gio::ffi::GAsyncResult,
) -> Result<(), glib::Error> {
    let finish = class_of(connection).connect_finish.expect("a slot");
    let mut failure = ptr::null_mut();
    // SAFETY: a live connection; what the result is, is what is tested.
    let done = unsafe { finish(connection.as_ptr(), result, &raw mut failure) };
    if failure.is_null() {
        assert_eq!(done, glib::ffi::GTRUE, "FALSE without an error");
        return Ok(());
    }
    assert_eq!(done, glib::ffi::GFALSE, "TRUE with an error");
    // SAFETY: a set error is ours to free.
    Err(unsafe { from_glib_full(failure) })
}

/// A C callback that keeps the result; its data is an `Rc` of the place for it.
pub(crate) unsafe extern "C" fn keep_result(
    _: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    data: *mut c_void,
) {
    // SAFETY: the pointer that `kept` gave away, once.
    let place = unsafe { Rc::from_raw(data.cast::<RefCell<Option<gio::AsyncResult>>>()) };
    // SAFETY: a live result, borrowed for the time of the call.
    *place.borrow_mut() = Some(unsafe { from_glib_none(result) });
}

pub(crate) type Kept = Rc<RefCell<Option<gio::AsyncResult>>>;

/// A place for a result, and what [`keep_result`] wants as its data.
pub(crate) fn kept() -> (Kept, *mut c_void) {
    let place = Kept::default();
    let data = Rc::into_raw(place.clone()).cast_mut().cast();
    (place, data)
}

/// The result of a `connect_async` that has ended and was not finished.
pub(crate) fn unfinished_connect(
    context: &glib::MainContext,
    connection: &SocketConnection,
    address: SocketAddr,
) -> gio::AsyncResult {
    let place = Kept::default();
    let slot = place.clone();
    connection.connect_async(
        &gio_address(address),
        Cancellable::NONE,
        move |_, result| {
            *slot.borrow_mut() = Some(result.clone());
        },
    );
    iterate_until(context, || place.borrow().is_some());
    place.take().expect("the callback has run")
}

pub(crate) type Outcome = Rc<RefCell<Option<Result<(), glib::Error>>>>;

/// Starts a connect whose outcome is put into the result.
pub(crate) fn start_connect(
    connection: &SocketConnection,
    address: SocketAddr,
    cancellable: Option<&Cancellable>,
) -> Outcome {
    let outcome = Outcome::default();
    let slot = outcome.clone();
    connection.connect_async(
        &gio_address(address),
        cancellable,
        move |connection, result| {
            *slot.borrow_mut() = Some(connection.connect_finish(result));
        },
    );
    outcome
}

/// Connects in the second form and answers with the outcome.
pub(crate) fn connect_async_and_wait(
    context: &glib::MainContext,
    connection: &SocketConnection,
    address: SocketAddr,
    cancellable: Option<&Cancellable>,
) -> Result<(), glib::Error> {
    let outcome = start_connect(connection, address, cancellable);
    iterate_until(context, || outcome.borrow().is_some());
    outcome.take().expect("the callback has run")
}

pub(crate) type ReadOutcome = Rc<RefCell<Option<Result<Vec<u8>, glib::Error>>>>;

/// Starts to read up to `count` bytes.
pub(crate) fn start_read(connection: &SocketConnection, count: usize) -> ReadOutcome {
    let outcome = ReadOutcome::default();
    let slot = outcome.clone();
    connection.input_stream().read_async(
        vec![0; count],
        glib::Priority::DEFAULT,
        Cancellable::NONE,
        move |result| {
            *slot.borrow_mut() = Some(match result {
                Ok((mut bytes, count)) => {
                    bytes.truncate(count);
                    Ok(bytes)
                }
                Err((_, failure)) => Err(failure),
            });
        },
    );
    outcome
}

/// One blocking read.
pub(crate) fn read(connection: &SocketConnection, count: usize) -> Result<Vec<u8>, glib::Error> {
    let mut bytes = vec![0; count];
    let count = connection
        .input_stream()
        .read(&mut bytes[..], Cancellable::NONE)?;
    bytes.truncate(count);
    Ok(bytes)
}

pub(crate) fn write(connection: &SocketConnection, bytes: &[u8]) -> Result<usize, glib::Error> {
    let count = connection.output_stream().write(bytes, Cancellable::NONE)?;
    Ok(usize::try_from(count).expect("a count"))
}

pub(crate) fn close(connection: &SocketConnection) {
    connection.close(Cancellable::NONE).expect("it closes");
}

/// Every state that `notify::state` has told.
pub(crate) fn states(connection: &SocketConnection) -> Rc<RefCell<Vec<ConnectionState>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let states = seen.clone();
    connection.connect_state_notify(move |connection| {
        states.borrow_mut().push(connection.state());
    });
    seen
}

pub(crate) fn times(seen: &Rc<RefCell<Vec<String>>>, name: &str) -> usize {
    seen.borrow().iter().filter(|seen| *seen == name).count()
}

#[track_caller]
pub(crate) fn assert_address(
    address: Result<gio::SocketAddress, glib::Error>,
    expected: SocketAddr,
) {
    let address = address.expect("an address");
    let address = address
        .downcast_ref::<gio::InetSocketAddress>()
        .expect("an internet address");
    assert_eq!(SocketAddr::from(address.clone()), expected);
}

/// The numbers of the kernel's TCP states, for the sockets that have `port` at this end.
pub(crate) fn kernel_states(port: u16) -> Vec<u8> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let ours = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[1].ends_with(&ours))
        .map(|fields| u8::from_str_radix(fields[3], 16).expect("a state"))
        .collect()
}

/// TCP_SYN_SENT of the kernel.
pub(crate) const SYN_SENT: u8 = 2;

/// An unconnected connection whose port is known beforehand.
pub(crate) fn bound() -> (SocketConnection, u16) {
    let socket = ipv4_socket();
    socket
        .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
        .expect("loopback");
    let address = socket.local_address().expect("bound");
    let port = address
        .downcast_ref::<gio::InetSocketAddress>()
        .expect("an internet address")
        .port();
    (SocketConnection::factory_create_connection(&socket), port)
}

pub(crate) fn unix_socket() -> gio::Socket {
    gio::Socket::new(
        SocketFamily::Unix,
        SocketType::Stream,
        gio::SocketProtocol::Default,
    )
    .expect("Unix sockets")
}

pub(crate) fn datagram_socket() -> gio::Socket {
    gio::Socket::new(
        SocketFamily::Ipv4,
        SocketType::Datagram,
        gio::SocketProtocol::Default,
    )
    .expect("loopback")
}

/// A connected `GSocket` and its peer.
pub(crate) fn connected_socket() -> (gio::Socket, TcpStream) {
    let (peer, fd) = tcp_pair();
    (gio::Socket::from_fd(fd).expect("a socket"), peer)
}

/// Waits until nobody can be surprised any more by what the peer did.
pub(crate) fn settle(context: &glib::MainContext) {
    iterate_for(context, Duration::from_millis(40));
}

#[track_caller]
pub(crate) fn assert_nobody_connected(listener: &TcpListener) {
    listener.set_nonblocking(true).expect("an option");
    let accepted = listener.accept().map(|(_, address)| address);
    let failure = accepted.expect_err("nobody was to connect");
    assert_eq!(failure.kind(), std::io::ErrorKind::WouldBlock);
}

/// A connection on its way to a thread as C would take it there.
pub(crate) struct Pointer(pub(crate) *mut SocketConnectionInstance);

// SAFETY: C may use the object from any thread; the tests only do what C may do.
unsafe impl Send for Pointer {}

impl Pointer {
    /// A reference of its own.
    pub(crate) fn of(connection: &SocketConnection) -> Self {
        Self(connection.to_glib_full())
    }

    /// # Safety
    ///
    /// Only what C may do on this thread may be done with the result.
    pub(crate) unsafe fn object(self) -> SocketConnection {
        // SAFETY: the reference that this stands for.
        unsafe { from_glib_full(self.0) }
    }
}

pub(crate) fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
