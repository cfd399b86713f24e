//! Deriving from [`SocketConnection`].

#![allow(unsafe_code, reason = "class slots are C functions")]

mod calls;
mod closing;
mod defaults;
mod dispose;

use std::{future::Future, pin::Pin};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    translate::{FromGlibPtrBorrow, ToGlibPtr, from_glib_none},
};

use super::structs::SocketConnectionInstance;
use crate::{
    SocketConnection,
    fence::{fence, fence_or},
    operation::{Answers, Owed, Task, assert_owns_context, owing, until_cancelled},
    reactor::{Local, spawn},
    vfunc::{boolean, fenced, fenced_future},
};

pub(crate) use calls::{
    call_close, call_connect, call_connect_async, call_connect_finish, call_connect_future,
    class_of, outcome,
};
pub(crate) use closing::{
    CLOSE, close_async_default, close_finish, close_task, first_then_cancelled, run_close,
};
pub(crate) use defaults::{fill_class, inherit_close, inherit_connect, inherit_slots};
pub(crate) use dispose::has_handlers;

use calls::{ConnectAsync, call_close_future, note_override, parent_class_of};
use defaults::{CONNECT, connect_finish};

/// What a future of this crate's class slots resolves to.
pub type UnitFuture = Pin<Box<dyn Future<Output = Result<(), glib::Error>> + 'static>>;

/// What a type deriving from [`SocketConnection`] may override.
///
/// The streams and the blocking close are those of [`IOStreamImpl`]: `input_stream` and
/// `output_stream` are called once for each object and may wrap what the parent's return, and an
/// asynchronous close calls an overridden `close` too, on the caller's context.
pub trait SocketConnectionImpl: IOStreamImpl + ObjectSubclass<Type: IsA<SocketConnection>> {
    /// Called for every blocking connect. Optional; by default the parent connects.
    ///
    /// Override it together with [`connect_future`](Self::connect_future).
    fn connect(
        &self,
        address: &gio::SocketAddress,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        self.parent_connect(address, cancellable)
    }

    /// Called for every connect that does not block, in either form; dropping the future must
    /// cancel it. Optional; by default the parent connects.
    fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
        self.parent_connect_future(address)
    }

    /// Called for every asynchronous close; a cancellation drops the future, and the socket is
    /// closed all the same. Optional; by default the parent closes, which calls the object's
    /// blocking `close` unless there is something to wait for.
    fn close_future(&self, priority: glib::Priority) -> UnitFuture {
        self.parent_close_future(priority)
    }
}

/// The parent's implementations.
pub trait SocketConnectionImplExt: SocketConnectionImpl {
    /// What the parent class does for [`connect`](SocketConnectionImpl::connect).
    fn parent_connect(
        &self,
        address: &gio::SocketAddress,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        call_connect(
            parent_class_of::<Self>(),
            self.obj().upcast_ref(),
            address,
            cancellable,
        )
    }

    /// What the parent class does for [`connect_future`](SocketConnectionImpl::connect_future).
    fn parent_connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
        call_connect_future(parent_class_of::<Self>(), self.obj().upcast_ref(), address)
    }

    /// What the parent class does for [`close_future`](SocketConnectionImpl::close_future).
    fn parent_close_future(&self, priority: glib::Priority) -> UnitFuture {
        call_close_future(parent_class_of::<Self>(), self.obj().upcast_ref(), priority)
    }
}

impl<T: SocketConnectionImpl> SocketConnectionImplExt for T {}

// SAFETY: the slots set below are those of the class struct that `T`'s begins with, and their
// functions treat instances as `T`'s.
unsafe impl<T: SocketConnectionImpl> IsSubclassable<T> for SocketConnection {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);

        let class = class.as_mut();
        class.connect = Some(connect::<T>);
        let connect_async: ConnectAsync = connect_async::<T>;
        class.connect_async = Some(connect_async);
        note_override(connect_async, T::type_(), connect_future::<T>);
        class.connect_finish = Some(connect_finish);
        // gio-rs' own trampolines for these two are not fit for threads, and refuse a stream that
        // wraps the parent's.
        class.parent_class.get_input_stream = Some(get_input_stream::<T>);
        class.parent_class.get_output_stream = Some(get_output_stream::<T>);
        class.parent_class.close_fn = Some(close::<T>);
        class.parent_class.close_async = Some(close_async::<T>);
        class.parent_class.close_finish = Some(close_finish);
    }
}

type Borrowed<T> = glib::translate::Borrowed<T>;

/// # Safety
///
/// The arguments of a connect slot; what comes back lives no longer than they do.
unsafe fn borrow(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
) -> (
    Borrowed<SocketConnection>,
    Borrowed<gio::SocketAddress>,
    Borrowed<Option<gio::Cancellable>>,
) {
    // SAFETY: as the caller says.
    let object = unsafe { SocketConnection::from_glib_borrow(instance) };
    // SAFETY: likewise.
    let address = unsafe { gio::SocketAddress::from_glib_borrow(address) };
    // SAFETY: likewise.
    let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
    (object, address, cancellable)
}

/// # Safety
///
/// `instance` is a live instance of `T`.
unsafe fn imp_of<'a, T: SocketConnectionImpl>(instance: gpointer) -> &'a T {
    // SAFETY: as the caller says.
    unsafe { &*instance.cast::<T::Instance>() }.imp()
}

unsafe extern "C" fn connect<T: SocketConnectionImpl>(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let imp = unsafe { imp_of::<T>(instance.cast()) };
        // SAFETY: live arguments, for the time of the call.
        let (_, address, cancellable) = unsafe { borrow(instance, address, cancellable) };
        imp.connect(&address, cancellable.as_ref().as_ref())
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn connect_async<T: SocketConnectionImpl>(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: the caller's arguments, passed on.
        let task = unsafe {
            Task::new(
                instance.cast(),
                cancellable,
                owed.take(),
                data,
                &CONNECT,
                Answers::Nothing,
                0,
            )
        };
        // SAFETY: live arguments.
        let object: SocketConnection = unsafe { from_glib_none(instance) };
        // SAFETY: live arguments.
        let address: gio::SocketAddress = unsafe { from_glib_none(address) };
        let (context, cancellable) = (task.context(), task.cancellable());
        let connecting = async move {
            // SAFETY: the slot is called on instances of `T`, and `object` keeps it alive.
            let imp = unsafe { imp_of::<T>(object.as_ptr().cast()) };
            let connecting = fenced(|| Ok(imp.connect_future(&address)))?;
            until_cancelled(fenced_future(connecting), cancellable).await
        };
        let connecting = Box::pin(connecting);
        // SAFETY: not polled yet: it holds GObjects only.
        let connecting = unsafe { Local::where_polled(connecting) };
        spawn(&context, glib::Priority::DEFAULT, async move {
            let result = connecting.await;
            task.answer(result);
        });
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(instance.cast(), callback, data, &CONNECT, 0, body) }
}

/// The override's own future, from the first poll on.
fn connect_future<T: SocketConnectionImpl>(
    object: SocketConnection,
    address: gio::SocketAddress,
) -> UnitFuture {
    Box::pin(async move {
        assert_owns_context();
        // SAFETY: made for instances of `T` only, as `note_override` was told.
        let imp = unsafe { imp_of::<T>(object.as_ptr().cast()) };
        let connecting = fenced(|| Ok(imp.connect_future(&address)))?;
        fenced_future(connecting).await
    })
}

unsafe extern "C" fn get_input_stream<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GInputStream {
    let of_object = || {
        // SAFETY: called on instances of `T`.
        let imp = unsafe { imp_of::<T>(stream.cast()) };
        // SAFETY: a live instance, for the time of the call.
        let object = unsafe {
            SocketConnection::from_glib_borrow(stream.cast::<SocketConnectionInstance>())
        };
        let own = || object.imp().make_input_stream();
        let found = object.imp().streams().get(T::type_(), own, || {
            fenced(|| Ok(imp.input_stream())).unwrap_or_else(|_| own())
        });
        // Borrowed from the object, which keeps it for its whole life.
        found.to_glib_none().0
    };
    fence(of_object)
        .or_else(|| fence(of_object))
        .unwrap_or(std::ptr::null_mut())
}

unsafe extern "C" fn get_output_stream<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GOutputStream {
    let of_object = || {
        // SAFETY: called on instances of `T`.
        let imp = unsafe { imp_of::<T>(stream.cast()) };
        // SAFETY: a live instance, for the time of the call.
        let object = unsafe {
            SocketConnection::from_glib_borrow(stream.cast::<SocketConnectionInstance>())
        };
        let own = || object.imp().make_output_stream();
        let found = object.imp().streams().get(T::type_(), own, || {
            fenced(|| Ok(imp.output_stream())).unwrap_or_else(|_| own())
        });
        // Borrowed from the object, which keeps it for its whole life.
        found.to_glib_none().0
    };
    fence(of_object)
        .or_else(|| fence(of_object))
        .unwrap_or(std::ptr::null_mut())
}

unsafe extern "C" fn close<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let imp = unsafe { imp_of::<T>(stream.cast()) };
        // SAFETY: a live cancellable or NULL, for the time of the call.
        let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
        imp.close(cancellable.as_ref().as_ref())
    });
    fence_or((), || {
        // SAFETY: a live instance, for the time of the call.
        let object = unsafe {
            SocketConnection::from_glib_borrow(stream.cast::<SocketConnectionInstance>())
        };
        object.imp().end_close();
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn close_async<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe { close_task(stream, priority, cancellable, owed.take(), data) };
        // SAFETY: a live instance of our class.
        let object: SocketConnection =
            unsafe { from_glib_none(stream.cast::<SocketConnectionInstance>()) };
        let (kept, cancellable) = (object.clone(), task.cancellable());
        run_close(task, priority, object, async move {
            // SAFETY: the slot is called on instances of `T`, and `kept` keeps it alive.
            let imp = unsafe { imp_of::<T>(kept.as_ptr().cast()) };
            let closing = fenced(|| Ok(imp.close_future(glib::Priority::from(priority))))?;
            first_then_cancelled(fenced_future(closing), cancellable).await
        });
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}
