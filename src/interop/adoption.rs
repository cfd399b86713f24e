//! Having GIO make connections of our types.
//!
//! GIO has a table for that, from the kind of a socket to a type, and cannot change an entry of it: a second
//! registration of one key leaves the table with memory that it has freed (SC-31), and every key of interest has its first
//! from GIO itself. So the table stays as it is, and the classes in it make objects of the types below them. GObject
//! lets a class decide that, by its slot `constructor`.

#![allow(unsafe_code, reason = "a class slot is a C function")]

use std::{
    ffi::c_void,
    sync::atomic::{AtomicPtr, Ordering, fence},
};

use gio::prelude::*;
use glib::{
    gobject_ffi::{GObject, GObjectClass, GObjectConstructParam},
    translate::IntoGlib,
};
use once_cell::sync::OnceCell;

use super::classes::{GioSocketConnection, GioTcpConnection, GioUnixConnection};
use crate::{fence::fence_or, transport::placeholder};

type Constructor =
    unsafe extern "C" fn(glib::ffi::GType, u32, *mut GObjectConstructParam) -> *mut GObject;

/// One of GIO's classes, and what stands in for it.
struct Adopted {
    gio: glib::ffi::GType,
    ours: glib::ffi::GType,
    /// What the class had before.
    construct: Constructor,
}

static SOCKET: OnceCell<Adopted> = OnceCell::new();
static TCP: OnceCell<Adopted> = OnceCell::new();
static UNIX: OnceCell<Adopted> = OnceCell::new();

/// See [`adopt_gio`](super::adopt_gio). Answers whether it was done.
pub(super) fn adopt() -> bool {
    static IS_DONE: OnceCell<bool> = OnceCell::new();
    if let Some(done) = IS_DONE.get() {
        return *done;
    }
    // Outside of the cell: classes are made under locks of GObject's.
    adopt_classes();
    let made: gio::TcpConnection = glib::Object::builder()
        .property("socket", placeholder())
        .build();
    *IS_DONE.get_or_init(|| made.is::<GioTcpConnection>())
}

fn adopt_classes() {
    // All of them before the first slot is changed, which a class that comes later would have from its parent.
    for type_ in [
        GioSocketConnection::static_type(),
        GioTcpConnection::static_type(),
        GioUnixConnection::static_type(),
    ] {
        // SAFETY: a registered type; the reference is never given back, so that the class stays, and its parents.
        let class = unsafe { glib::gobject_ffi::g_type_class_ref(type_.into_glib()) };
        debug_assert!(!class.is_null());
    }
    adopt_class::<gio::SocketConnection, GioSocketConnection>(&SOCKET, construct_socket);
    adopt_class::<gio::TcpConnection, GioTcpConnection>(&TCP, construct_tcp);
    adopt_class::<gio::UnixConnection, GioUnixConnection>(&UNIX, construct_unix);
}

/// `T` stands in for `P`, whose class is there.
fn adopt_class<P: IsA<glib::Object>, T: IsA<P>>(
    adopted: &'static OnceCell<Adopted>,
    construct: Constructor,
) {
    // SAFETY: a type whose class is never unloaded.
    let class = unsafe { glib::gobject_ffi::g_type_class_peek(P::static_type().into_glib()) };
    let class = class.cast::<GObjectClass>();
    // SAFETY: a class struct that begins with GObject's and is never unloaded.
    let slot = unsafe { &raw mut (*class).constructor };
    // SAFETY: a pointer to a function, which may be NULL, is a word; other threads read the slot, whole, when they make
    // an object.
    let slot = unsafe { AtomicPtr::<c_void>::from_ptr(slot.cast()) };
    // Another thread may be adopting, too. Where it is done nothing is written: others may be making objects.
    let before = slot.load(Ordering::Acquire);
    if before == construct as *mut c_void {
        return;
    }
    // SAFETY: what the slot holds: a constructor, or NULL.
    let before = unsafe { std::mem::transmute::<*mut c_void, Option<Constructor>>(before) };
    let Some(before) = before else { return };
    // Whoever comes second, and each time after that, finds it done.
    let known = adopted.get_or_init(|| Adopted {
        gio: P::static_type().into_glib(),
        ours: T::static_type().into_glib(),
        construct: before,
    });
    let _ = slot.compare_exchange(
        known.construct as *mut c_void,
        construct as *mut c_void,
        Ordering::AcqRel,
        Ordering::Relaxed,
    );
}

unsafe extern "C" fn construct_socket(
    type_: glib::ffi::GType,
    count: u32,
    properties: *mut GObjectConstructParam,
) -> *mut GObject {
    let found = fence_or(None, || stand_in(&SOCKET, type_));
    // SAFETY: GObject's own arguments, passed on.
    unsafe { construct(&SOCKET, found.unwrap_or(type_), count, properties) }
}

unsafe extern "C" fn construct_tcp(
    type_: glib::ffi::GType,
    count: u32,
    properties: *mut GObjectConstructParam,
) -> *mut GObject {
    let found = fence_or(None, || stand_in(&TCP, type_));
    // SAFETY: GObject's own arguments, passed on.
    unsafe { construct(&TCP, found.unwrap_or(type_), count, properties) }
}

unsafe extern "C" fn construct_unix(
    type_: glib::ffi::GType,
    count: u32,
    properties: *mut GObjectConstructParam,
) -> *mut GObject {
    let found = fence_or(None, || stand_in(&UNIX, type_));
    // SAFETY: GObject's own arguments, passed on.
    unsafe { construct(&UNIX, found.unwrap_or(type_), count, properties) }
}

/// An object of exactly GIO's type becomes one of ours. A type that derives from it, and got the slot with the class, is
/// made as it asks to be.
fn stand_in(adopted: &OnceCell<Adopted>, type_: glib::ffi::GType) -> Option<glib::ffi::GType> {
    // Set before the slot was, which GObject has read without any order.
    fence(Ordering::Acquire);
    let adopted = adopted.get()?;
    (type_ == adopted.gio).then_some(adopted.ours)
}

/// # Safety
///
/// The arguments of a constructor slot, of the class that `adopted` is of, or of one that stands in for it.
unsafe fn construct(
    adopted: &OnceCell<Adopted>,
    type_: glib::ffi::GType,
    count: u32,
    properties: *mut GObjectConstructParam,
) -> *mut GObject {
    // Likewise.
    fence(Ordering::Acquire);
    let Some(adopted) = adopted.get() else {
        return std::ptr::null_mut();
    };
    // SAFETY: as the caller says; our type has all the properties of its parent.
    unsafe { (adopted.construct)(type_, count, properties) }
}
