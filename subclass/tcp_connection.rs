//! Deriving from [`TcpConnection`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{ffi::gpointer, subclass::InitializingObject, translate::from_glib_none};

use super::{
    SocketConnectionImpl,
    socket_connection::{
        CLOSE, call_close, close_async_default, close_task, inherit_slots, run_close,
    },
    structs::{SocketConnectionInstance, TcpConnectionClass, TcpConnectionInstance},
};
use crate::{
    SocketConnection, TcpConnection,
    operation::{Drive, Owed, owing},
    tcp_connection::imp,
    transport::{Drain, Kind},
};

/// What a type deriving from [`TcpConnection`] may override: nothing beyond
/// [`SocketConnectionImpl`], and so without an extension trait for the parent's part of its own.
pub trait TcpConnectionImpl:
    SocketConnectionImpl + ObjectSubclass<Type: IsA<TcpConnection>>
{
}

// SAFETY: the class struct begins with the parent's and has no slots of its own.
unsafe impl<T: TcpConnectionImpl> IsSubclassable<T> for TcpConnection {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
    }
}

/// Sets the slots of the class itself.
pub(crate) fn fill_class(class: &mut TcpConnectionClass) {
    inherit_slots(&mut class.parent_class);
    class.parent_class.parent_class.close_async = Some(close_async);
}

// SAFETY: `TcpConnectionClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for TcpConnectionClass {
    type Type = imp::TcpConnection;
}

// SAFETY: `TcpConnectionInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for TcpConnectionInstance {
    type Type = imp::TcpConnection;
}

/// Says which sockets the class can carry, before any is set.
pub(crate) fn restrict(object: &InitializingObject<imp::TcpConnection>, carries: fn(Kind) -> bool) {
    // SAFETY: the parents' private data is ready when a class initialises its own.
    let object = unsafe { object.as_ref() };
    object
        .upcast_ref::<SocketConnection>()
        .imp()
        .restrict(imp::TcpConnection::type_(), carries);
}

/// A graceful close waits for the peer's end of file, then closes as the object's class does.
unsafe extern "C" fn close_async(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: a live instance of our class.
        let object: SocketConnection =
            unsafe { from_glib_none(stream.cast::<SocketConnectionInstance>()) };
        // SAFETY: a live cancellable or NULL.
        let cancelled: Option<gio::Cancellable> = unsafe { from_glib_none(cancellable) };
        let graceful = object
            .downcast_ref::<TcpConnection>()
            .is_some_and(|tcp| tcp.imp().is_graceful());
        if !graceful || cancelled.is_some_and(|cancellable| cancellable.is_cancelled()) {
            // SAFETY: GIO's own arguments, passed on.
            return unsafe {
                close_async_default(stream, priority, cancellable, owed.take(), data)
            };
        }
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe { close_task(stream, priority, cancellable, owed.take(), data) };
        let (kept, cancellable) = (object.clone(), task.cancellable());
        let closing = async move {
            let drain = Drain::new(kept.imp().transport());
            let drained = Drive::new(drain, cancellable.as_ref()).await;
            if let Some(tcp) = kept.downcast_ref::<TcpConnection>() {
                tcp.imp().set_drained();
            }
            // Nothing keeps the socket open, and the first error is the one to report.
            let closed = if kept.imp().is_ended() {
                // A class above this one was cancelled, and has closed already.
                Ok(())
            } else {
                call_close(&kept, gio::Cancellable::NONE)
            };
            drained.and(closed)
        };
        run_close(task, priority, object, closing);
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}
