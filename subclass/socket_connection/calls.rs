//! Calling an object's class slots, or those of a parent class.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    ptr,
    sync::{Mutex, PoisonError},
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    gobject_ffi::GObject,
    subclass::prelude::*,
    translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib, from_glib_full},
};

use super::{
    super::structs::{SocketConnectionClass, SocketConnectionInstance},
    SocketConnectionImpl, UnitFuture, close,
    closing::{close_async_default, close_finish},
    defaults::{connect_async_default, connect_default, connect_finish, connect_future_default},
};
use crate::{
    SocketConnection,
    operation::{Answer, assert_owns_context, ready_callback},
    socket_connection::imp,
    vfunc::Owned,
};

/// The class of an object, for calls of its own slots.
pub(crate) fn class_of(object: &SocketConnection) -> &'static SocketConnectionClass {
    let instance: *mut SocketConnectionInstance = object.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *instance.cast::<*const SocketConnectionClass>() };
    // SAFETY: a class that has had an instance is not unloaded.
    unsafe { &*class }
}

pub(super) fn parent_class_of<T: SocketConnectionImpl>() -> &'static SocketConnectionClass {
    // SAFETY: initialised with the type, which the caller has an instance of.
    let data = unsafe { T::type_data().as_ref() };
    // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
    unsafe { &*data.parent_class().cast::<SocketConnectionClass>() }
}

pub(crate) fn call_connect(
    class: &SocketConnectionClass,
    object: &SocketConnection,
    address: &gio::SocketAddress,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let slot = class.connect.unwrap_or(connect_default);
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        slot(
            object.to_glib_none().0,
            address.to_glib_none().0,
            cancellable.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

/// # Safety
///
/// `failure` is NULL or an error that is ours to free.
pub(crate) unsafe fn outcome(done: gboolean, failure: *mut GError) -> Result<(), glib::Error> {
    if !failure.is_null() {
        // SAFETY: as the caller says.
        return Err(unsafe { from_glib_full(failure) });
    }
    // SAFETY: a gboolean.
    if unsafe { from_glib(done) } {
        return Ok(());
    }
    Err(crate::error::failed(
        "The operation failed without saying why",
    ))
}

/// `callback` runs in the thread-default context of now; see [`ready_callback`].
pub(crate) fn call_connect_async<O, F>(
    object: &O,
    address: &gio::SocketAddress,
    cancellable: Option<&gio::Cancellable>,
    callback: F,
) where
    O: IsA<SocketConnection>,
    F: FnOnce(&O, &gio::AsyncResult) + 'static,
{
    let class = class_of(object.upcast_ref());
    let (callback, data) = ready_callback::<O, F>(callback);
    let slot = class.connect_async.unwrap_or(connect_async_default);
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        slot(
            object.upcast_ref::<SocketConnection>().to_glib_none().0,
            address.to_glib_none().0,
            cancellable.to_glib_none().0,
            callback,
            data,
        );
    }
}

pub(crate) fn call_connect_finish(
    class: &SocketConnectionClass,
    object: &SocketConnection,
    result: &gio::AsyncResult,
) -> Result<(), glib::Error> {
    let finish = class.connect_finish.unwrap_or(connect_finish);
    connected(finish, object, result)
}

type ConnectFinish = unsafe extern "C" fn(
    *mut SocketConnectionInstance,
    *mut gio_ffi::GAsyncResult,
    *mut *mut GError,
) -> gboolean;

fn connected(
    finish: ConnectFinish,
    object: &SocketConnection,
    result: &gio::AsyncResult,
) -> Result<(), glib::Error> {
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        finish(
            object.to_glib_none().0,
            result.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

pub(super) type MakeFuture = fn(SocketConnection, gio::SocketAddress) -> UnitFuture;

/// The overrides in Rust behind slots that were filled. Who asks for a future gets theirs: one around the slot
/// would lose a connect that has ended, if it is dropped before the poll that tells.
static OVERRIDES: Mutex<Vec<(ConnectAsync, glib::Type, MakeFuture)>> = Mutex::new(Vec::new());

/// `slot` and `make` are those of `type_` and of what derives from it without an override of its own.
pub(super) fn note_override(slot: ConnectAsync, type_: glib::Type, make: MakeFuture) {
    let mut all = OVERRIDES.lock().unwrap_or_else(PoisonError::into_inner);
    all.push((slot, type_, make));
}

fn override_behind(slot: ConnectAsync, object: glib::Type) -> Option<MakeFuture> {
    let all = OVERRIDES.lock().unwrap_or_else(PoisonError::into_inner);
    // By both: functions of one code may have one address.
    all.iter()
        .find(|(known, type_, _)| ptr::fn_addr_eq(*known, slot) && object.is_a(*type_))
        .map(|(_, _, make)| *make)
}

pub(crate) fn call_connect_future(
    class: &'static SocketConnectionClass,
    object: &SocketConnection,
    address: &gio::SocketAddress,
) -> UnitFuture {
    let overridden = class
        .connect_async
        .is_some_and(|slot| !ptr::fn_addr_eq(slot, connect_async_default as ConnectAsync));
    if !overridden {
        return Box::pin(connect_future_default(object.clone(), address.clone()));
    }
    let made = class
        .connect_async
        .and_then(|slot| override_behind(slot, object.type_()));
    if let Some(make) = made {
        return make(object.clone(), address.clone());
    }
    let (object, address) = (object.clone(), address.clone());
    Box::pin(async move {
        let slot = class.connect_async.unwrap_or(connect_async_default);
        let finish = class.connect_finish.unwrap_or(connect_finish);
        let finish = move |object: &_, result: &_| connected(finish, object, result);
        answer_of(object.clone(), finish, |cancellable, callback, data| {
            // SAFETY: live arguments; the callback and its data belong together.
            unsafe {
                slot(
                    object.to_glib_none().0,
                    address.to_glib_none().0,
                    cancellable,
                    callback,
                    data,
                );
            }
        })
        .await
    })
}

/// Of a slot that calls back, on whichever thread that is: a class in C has its own ways.
fn answer_of(
    object: SocketConnection,
    finish: impl FnOnce(&SocketConnection, &gio::AsyncResult) -> Result<(), glib::Error> + Send,
    start: impl FnOnce(*mut gio_ffi::GCancellable, gio_ffi::GAsyncReadyCallback, gpointer),
) -> Answer<()> {
    assert_owns_context();
    let object = Owned::new(object);
    // A task of C's need not say whose it is.
    let take = move |_: *mut GObject, result: *mut gio_ffi::GAsyncResult| {
        // SAFETY: the result that is called back with.
        let result = unsafe { gio::AsyncResult::from_glib_borrow(result) };
        finish(object.get(), &result)
    };
    Answer::of_any_thread(take, start)
}

pub(super) type ConnectAsync = unsafe extern "C" fn(
    *mut SocketConnectionInstance,
    *mut gio_ffi::GSocketAddress,
    *mut gio_ffi::GCancellable,
    gio_ffi::GAsyncReadyCallback,
    gpointer,
);

pub(super) fn call_close_future(
    class: &'static SocketConnectionClass,
    object: &SocketConnection,
    priority: glib::Priority,
) -> UnitFuture {
    let object = object.clone();
    Box::pin(async move {
        let slot = class
            .parent_class
            .close_async
            .unwrap_or(close_async_default);
        let finish = class.parent_class.close_finish.unwrap_or(close_finish);
        let finish = move |object: &_, result: &_| closed(finish, object, result);
        answer_of(object.clone(), finish, |cancellable, callback, data| {
            let stream: *mut SocketConnectionInstance = object.to_glib_none().0;
            // SAFETY: live arguments; the callback and its data belong together.
            unsafe {
                slot(
                    stream.cast(),
                    priority.into_glib(),
                    cancellable,
                    callback,
                    data,
                );
            }
        })
        .await
    })
}

type CloseFinish = unsafe extern "C" fn(
    *mut gio_ffi::GIOStream,
    *mut gio_ffi::GAsyncResult,
    *mut *mut GError,
) -> gboolean;

fn closed(
    finish: CloseFinish,
    object: &SocketConnection,
    result: &gio::AsyncResult,
) -> Result<(), glib::Error> {
    let stream: *mut SocketConnectionInstance = object.to_glib_none().0;
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe { finish(stream.cast(), result.to_glib_none().0, &raw mut failure) };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

/// The blocking close of the object's own class.
pub(crate) fn call_close(
    object: &SocketConnection,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    object.imp().note_close_call();
    let slot = class_of(object)
        .parent_class
        .close_fn
        .unwrap_or(close::<imp::SocketConnection>);
    let stream: *mut SocketConnectionInstance = object.to_glib_none().0;
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        slot(
            stream.cast(),
            cancellable.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}
