//! A listener on loopback, and what the three forms of an accept have in common.

use std::{
    cell::RefCell,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use gio::{Cancellable, SocketProtocol, SocketType, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{SocketConnection, SocketListener, prelude::*};

use crate::support::*;

pub(crate) type Outcome = Result<(SocketConnection, Option<glib::Object>), glib::Error>;

/// No source object.
pub(crate) const NONE: Option<&glib::Object> = None;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Blocking,
    Callback,
    Future,
}

pub(crate) const FORMS: [Form; 3] = [Form::Blocking, Form::Callback, Form::Future];

/// One accept in this form, to its end. A future has no cancellable.
pub(crate) fn accept(
    form: Form,
    listener: &SocketListener,
    cancellable: Option<&Cancellable>,
    context: &glib::MainContext,
) -> Outcome {
    match form {
        Form::Blocking => listener.accept(cancellable),
        Form::Callback => {
            let begun = begin(listener, cancellable);
            iterate_until(context, || begun.borrow().is_some());
            begun.take().expect("it has ended")
        }
        Form::Future => block_on(context, listener.accept_future()),
    }
}

/// What a callback has got, once it was called.
pub(crate) type Begun = Rc<RefCell<Option<Outcome>>>;

pub(crate) fn begin(listener: &SocketListener, cancellable: Option<&Cancellable>) -> Begun {
    let begun = Begun::default();
    let slot = begun.clone();
    listener.accept_async(cancellable, move |listener, result| {
        let outcome = listener.accept_finish(result);
        let before = slot.replace(Some(outcome));
        assert!(before.is_none(), "called back twice");
    });
    begun
}

/// A listener on any port of IPv4 loopback.
pub(crate) fn listening() -> (SocketListener, SocketAddr) {
    let listener = SocketListener::new();
    let address = add_loopback(&listener, NONE);
    (listener, address)
}

pub(crate) fn any_loopback_port() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 0).into())
}

pub(crate) fn add_loopback(
    listener: &SocketListener,
    source_object: Option<&glib::Object>,
) -> SocketAddr {
    let address = listener.add_address(
        &any_loopback_port(),
        SocketType::Stream,
        SocketProtocol::Default,
        source_object,
    );
    std_address(&address.expect("loopback"))
}

pub(crate) fn std_address(address: &gio::SocketAddress) -> SocketAddr {
    let address = address
        .downcast_ref::<gio::InetSocketAddress>()
        .expect("an internet address");
    let host = InetAddressExt::to_str(&address.address());
    SocketAddr::new(host.parse().expect("an address"), address.port())
}

/// A port that is free in both families, and not one that the kernel gives to those who want any.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).expect("small") * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if TcpListener::bind(("::", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("it listens")
}

pub(crate) fn peer_of(connection: &SocketConnection) -> SocketAddr {
    std_address(&connection.remote_address().expect("connected"))
}

/// A socket of GIO's own that listens on loopback.
pub(crate) fn listening_socket() -> (gio::Socket, SocketAddr) {
    let socket = ipv4_socket();
    socket.bind(&any_loopback_port(), true).expect("loopback");
    socket.listen().expect("bound");
    let address = std_address(&socket.local_address().expect("bound"));
    (socket, address)
}

pub(crate) fn some_object() -> glib::Object {
    Cancellable::new().upcast()
}

pub(crate) fn socket_option(socket: &gio::Socket, level: i32, name: i32) -> i32 {
    let mut value = 0_i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the buffer is as long as said.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    assert_eq!(result, 0);
    value
}

/// Has an IPv6 socket leave IPv4 to others.
pub(crate) fn leave_ipv4(socket: &gio::Socket) {
    let one = 1_i32;
    // SAFETY: the value is as long as said.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_V6ONLY,
            (&raw const one).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Polls once, and forgets it.
pub(crate) fn poll_once<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    let waker = Waker::from(Arc::new(Nobody));
    future.poll(&mut Context::from_waker(&waker))
}

/// A listener as C has it: a pointer, for any thread. The test keeps the object.
#[derive(Clone, Copy)]
pub(crate) struct Raw(*mut glib::gobject_ffi::GObject);

// SAFETY: a pointer; what is done with it is what C may do on any thread.
unsafe impl Send for Raw {}

impl Raw {
    pub(crate) fn of(listener: &SocketListener) -> Self {
        Self(listener.upcast_ref::<glib::Object>().to_glib_none().0)
    }

    /// For this thread, for as long as the test keeps it.
    pub(crate) fn here(self) -> SocketListener {
        // SAFETY: alive, as the test says. The reference count is atomic, and no closures are connected.
        let object: glib::Object = unsafe { glib::translate::from_glib_none(self.0) };
        object.downcast().expect("a listener")
    }
}
