//! What tests of derived classes share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    cell::RefCell,
    net::TcpStream,
    ptr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    gobject_ffi,
    object::IsClass,
    translate::{FromGlib, FromGlibPtrFull, IntoGlib, ToGlibPtr, from_glib_none},
};
use gsock::{ConnectionState, SocketConnection, prelude::*, subclass::SocketConnectionClass};

use crate::support::*;

/// A connection of type `T` around a connected socket, and the peer.
pub(crate) fn make<T: IsA<SocketConnection> + IsA<glib::Object> + IsClass>() -> (T, TcpStream) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    (
        glib::Object::builder().property("socket", socket).build(),
        peer,
    )
}

pub(crate) fn make_unconnected<T: IsA<SocketConnection> + IsA<glib::Object> + IsClass>() -> T {
    glib::Object::builder()
        .property("socket", ipv4_socket())
        .build()
}

pub(crate) fn base_of(connection: &impl IsA<SocketConnection>) -> &SocketConnection {
    connection.upcast_ref()
}

pub(crate) fn class_of(connection: &impl IsA<SocketConnection>) -> &SocketConnectionClass {
    let instance = base_of(connection).as_ptr();
    // SAFETY: an instance begins with its class, which outlives it.
    unsafe { &**instance.cast::<*const SocketConnectionClass>() }
}

pub(crate) type Answer = Rc<RefCell<Option<gio::AsyncResult>>>;

/// A ready callback in C that keeps the result in an [`Answer`].
pub(crate) unsafe extern "C" fn keep_result(
    _: *mut gobject_ffi::GObject,
    result: *mut gio_ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: the pointer that `answer_data` made, used once.
    let answer = unsafe { Rc::from_raw(data.cast::<RefCell<Option<gio::AsyncResult>>>()) };
    // SAFETY: a live result.
    *answer.borrow_mut() = Some(unsafe { from_glib_none(result) });
}

pub(crate) fn answer_data(answer: &Answer) -> gpointer {
    Rc::into_raw(answer.clone()).cast_mut().cast()
}

/// Calls the slot for a blocking connect, as a C program would.
pub(crate) fn c_connect(
    connection: &impl IsA<SocketConnection>,
    address: &impl IsA<gio::SocketAddress>,
) -> Result<(), glib::Error> {
    let slot = class_of(connection).connect.expect("filled");
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        slot(
            base_of(connection).as_ptr(),
            address.as_ref().to_glib_none().0,
            ptr::null_mut(),
            &raw mut failure,
        )
    };
    outcome(done, failure)
}

pub(crate) fn outcome(done: gboolean, failure: *mut GError) -> Result<(), glib::Error> {
    assert_eq!(
        done == glib::ffi::GFALSE,
        !failure.is_null(),
        "FALSE and an error go together"
    );
    if failure.is_null() {
        return Ok(());
    }
    // SAFETY: the error is ours.
    Err(unsafe { glib::Error::from_glib_full(failure) })
}

/// Calls the slots for an asynchronous connect, as a C program would.
pub(crate) fn c_connect_async(
    context: &glib::MainContext,
    connection: &impl IsA<SocketConnection>,
    address: &impl IsA<gio::SocketAddress>,
) -> Result<(), glib::Error> {
    let answer = Answer::default();
    let slot = class_of(connection).connect_async.expect("filled");
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        slot(
            base_of(connection).as_ptr(),
            address.as_ref().to_glib_none().0,
            ptr::null_mut(),
            Some(keep_result),
            answer_data(&answer),
        );
    }
    iterate_until(context, || answer.borrow().is_some());
    let result = answer.take().expect("it was called back");
    c_finish(connection, Some(&result))
}

pub(crate) fn c_finish(
    connection: &impl IsA<SocketConnection>,
    result: Option<&gio::AsyncResult>,
) -> Result<(), glib::Error> {
    let slot = class_of(connection).connect_finish.expect("filled");
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments, or NULL.
    let done = unsafe {
        slot(
            base_of(connection).as_ptr(),
            result.to_glib_none().0,
            &raw mut failure,
        )
    };
    outcome(done, failure)
}

/// Connects in the GAsyncResult form of Rust.
pub(crate) fn connect_async(
    context: &glib::MainContext,
    connection: &impl IsA<SocketConnection>,
    address: &impl IsA<gio::SocketAddress>,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let outcome = begin_connect(connection, address, cancellable);
    iterate_until(context, || outcome.borrow().is_some());
    outcome.take().expect("it has ended")
}

pub(crate) type Outcome = Rc<RefCell<Option<Result<(), glib::Error>>>>;

pub(crate) fn begin_connect(
    connection: &impl IsA<SocketConnection>,
    address: &impl IsA<gio::SocketAddress>,
    cancellable: Option<&gio::Cancellable>,
) -> Outcome {
    let outcome = Outcome::default();
    let slot = outcome.clone();
    base_of(connection).connect_async(address, cancellable, move |connection, result| {
        *slot.borrow_mut() = Some(connection.connect_finish(result));
    });
    outcome
}

pub(crate) fn begin_close(
    connection: &impl IsA<gio::IOStream>,
    cancellable: Option<&gio::Cancellable>,
) -> Outcome {
    let outcome = Outcome::default();
    let slot = outcome.clone();
    connection.close_async(glib::Priority::DEFAULT, cancellable, move |result| {
        *slot.borrow_mut() = Some(result);
    });
    outcome
}

pub(crate) fn end(context: &glib::MainContext, outcome: &Outcome) -> Result<(), glib::Error> {
    iterate_until(context, || outcome.borrow().is_some());
    outcome.take().expect("it has ended")
}

pub(crate) fn assert_closed(connection: &impl IsA<SocketConnection>) {
    let connection = base_of(connection);
    assert!(connection.is_closed());
    assert_eq!(connection.state(), ConnectionState::Closed);
}

/// Says when it is dropped.
#[derive(Debug)]
pub(crate) struct DropFlag(Arc<AtomicBool>);

impl DropFlag {
    pub(crate) fn new() -> (Self, Arc<AtomicBool>) {
        let flag = Arc::new(AtomicBool::new(false));
        (Self(flag.clone()), flag)
    }
}

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A stream as C hands it to another thread.
pub(crate) struct Stream(pub(crate) *mut gio_ffi::GIOStream);

// SAFETY: its streams may be asked for on any thread, and the object outlives those who do.
unsafe impl Send for Stream {}

/// Registers a class below `parent` as C does: no Rust type stands for it.
pub(crate) fn c_class(
    name: &str,
    parent: glib::Type,
    class_init: unsafe extern "C" fn(*mut SocketConnectionClass),
) -> glib::Type {
    let _parents_class = glib::Class::<SocketConnection>::from_type(parent);
    let mut query = std::mem::MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
    // SAFETY: a registered type, and room for the answer.
    unsafe { gobject_ffi::g_type_query(parent.into_glib(), query.as_mut_ptr()) };
    // SAFETY: filled in, and valid when zero.
    let query = unsafe { query.assume_init() };
    // SAFETY: the same as C's: a function of two pointers called with a class and NULL; the callee
    // ignores the second one.
    let class_init = unsafe {
        std::mem::transmute::<
            unsafe extern "C" fn(*mut SocketConnectionClass),
            unsafe extern "C" fn(gpointer, gpointer),
        >(class_init)
    };
    let name = std::ffi::CString::new(name).expect("a name");
    // SAFETY: the sizes are the parent's, which is derivable.
    unsafe {
        glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
            parent.into_glib(),
            name.as_ptr(),
            query.class_size,
            Some(class_init),
            query.instance_size,
            None,
            0,
        ))
    }
}

pub(crate) fn make_c(type_: glib::Type) -> SocketConnection {
    glib::Object::builder_with_type(type_)
        .property("socket", ipv4_socket())
        .build()
        .downcast()
        .expect("below our class")
}
