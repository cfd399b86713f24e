//! The virtual functions of the classes that derive from GIO's.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use gio::{ffi as gio_ffi, subclass::prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    translate::{FromGlibPtrBorrow, ToGlibPtr},
};

use super::classes::Twin;
use crate::{
    fence::fence,
    operation::{Drive, Owed, Task, owing},
    reactor::spawn,
    subclass::socket_connection::{CLOSE, close_finish, close_task, outcome},
    transport::Drain,
    vfunc::{Owned, boolean, fenced},
};

/// Sets the slots of `GIOStream`, all of them.
pub(super) fn fill_class<T: Twin>(class: &mut gio_ffi::GIOStreamClass) {
    class.get_input_stream = Some(get_input_stream::<T>);
    class.get_output_stream = Some(get_output_stream::<T>);
    class.close_fn = Some(close::<T>);
    class.close_async = Some(close_async::<T>);
    class.close_finish = Some(close_finish);
}

type Borrowed<T> = glib::translate::Borrowed<T>;

/// # Safety
///
/// `stream` is a live instance of `T`, for as long as what comes back.
unsafe fn both<'a, T: Twin>(
    stream: *mut gio_ffi::GIOStream,
) -> (&'a T, Borrowed<gio::SocketConnection>) {
    // SAFETY: as the caller says.
    let imp = unsafe { &*stream.cast::<T::Instance>() }.imp();
    // SAFETY: likewise: `T`'s instances are GIO's connections.
    let object = unsafe { gio::SocketConnection::from_glib_borrow(stream.cast()) };
    (imp, object)
}

unsafe extern "C" fn get_input_stream<T: Twin>(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GInputStream {
    let of_object = || {
        // SAFETY: called on instances of `T`.
        let (imp, object) = unsafe { both::<T>(stream) };
        // Borrowed from the object, which keeps it for its whole life.
        imp.core().input(&object).to_glib_none().0
    };
    fence(of_object)
        .or_else(|| fence(of_object))
        .unwrap_or(std::ptr::null_mut())
}

unsafe extern "C" fn get_output_stream<T: Twin>(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GOutputStream {
    let of_object = || {
        // SAFETY: called on instances of `T`.
        let (imp, object) = unsafe { both::<T>(stream) };
        // Borrowed from the object, which keeps it for its whole life.
        imp.core().output(&object).to_glib_none().0
    };
    fence(of_object)
        .or_else(|| fence(of_object))
        .unwrap_or(std::ptr::null_mut())
}

unsafe extern "C" fn close<T: Twin>(
    stream: *mut gio_ffi::GIOStream,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: called on instances of `T`.
        let (imp, object) = unsafe { both::<T>(stream) };
        // SAFETY: a live cancellable or NULL, for the time of the call.
        let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
        imp.core().close(&object, cancellable.as_ref().as_ref())
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

/// The blocking close of the object's own class.
fn call_close(
    object: &gio::SocketConnection,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let stream: *mut gio_ffi::GSocketConnection = object.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *stream.cast::<*const gio_ffi::GIOStreamClass>() };
    // SAFETY: the class of a live instance.
    let Some(close) = (unsafe { (*class).close_fn }) else {
        return Ok(());
    };
    let mut failure = std::ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        close(
            stream.cast(),
            cancellable.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

/// Closes before it returns, unless the peer is waited for; answers in the caller's context.
unsafe extern "C" fn close_async<T: Twin>(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe { close_task(stream, priority, cancellable, owed.take(), data) };
        // SAFETY: called on instances of `T`.
        let (imp, object) = unsafe { both::<T>(stream) };
        begin_close(imp, &object, priority, task);
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

fn begin_close<T: Twin>(imp: &T, object: &gio::SocketConnection, priority: i32, task: Task) {
    let cancellable = task.cancellable();
    if !imp.core().waits(object, cancellable.as_ref()) {
        return task.answer(call_close(object, cancellable.as_ref()));
    }
    let drain = Drain::new(imp.core().transport(object).clone());
    let mut draining = Drive::new(drain, cancellable.as_ref());
    // Begins now: the peer is told at once.
    let begun = pin!(&mut draining).poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(drained) = begun {
        return task.answer(end_close::<T>(object, drained));
    }
    let kept = Owned::new(object.clone());
    spawn(
        &task.context(),
        glib::Priority::from(priority),
        async move {
            let drained = draining.await;
            let closed = end_close::<T>(kept.get(), drained);
            task.answer(closed);
        },
    );
}

/// The peer was waited for, with this outcome. Nothing keeps the socket open, and the first error is the one to report.
fn end_close<T: Twin>(
    object: &gio::SocketConnection,
    drained: Result<(), glib::Error>,
) -> Result<(), glib::Error> {
    let stream: *mut gio_ffi::GSocketConnection = object.to_glib_none().0;
    // SAFETY: made from an instance of `T`, which `object` keeps alive.
    let imp = unsafe { &*stream.cast::<T::Instance>() }.imp();
    imp.core().set_drained();
    let closed = call_close(object, gio::Cancellable::NONE);
    drained.and(closed)
}
