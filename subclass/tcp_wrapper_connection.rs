//! Deriving from [`TcpWrapperConnection`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{ffi::gpointer, subclass::InitializingObject, translate::from_glib_none};

use super::{
    TcpConnectionImpl,
    socket_connection::{CLOSE, call_close, close_task, inherit_connect, run_close},
    structs::{SocketConnectionInstance, TcpWrapperConnectionClass, TcpWrapperConnectionInstance},
};
use crate::{
    SocketConnection, TcpWrapperConnection,
    operation::{Owed, owing},
    tcp_wrapper_connection::{closing::in_context, imp},
};

/// What a type deriving from [`TcpWrapperConnection`] may override: nothing beyond
/// [`SocketConnectionImpl`](super::SocketConnectionImpl), and so without an extension trait for the parent's part of its
/// own.
pub trait TcpWrapperConnectionImpl:
    TcpConnectionImpl + ObjectSubclass<Type: IsA<TcpWrapperConnection>>
{
}

// SAFETY: the class struct begins with the parent's and has no slots of its own.
unsafe impl<T: TcpWrapperConnectionImpl> IsSubclassable<T> for TcpWrapperConnection {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
    }
}

/// Sets the slots of the class itself. The streams and the blocking close have theirs already.
pub(crate) fn fill_class(class: &mut TcpWrapperConnectionClass) {
    let connection = &mut class.parent_class.parent_class;
    inherit_connect(connection);
    connection.parent_class.close_async = Some(close_async);
}

// SAFETY: `TcpWrapperConnectionClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for TcpWrapperConnectionClass {
    type Type = imp::TcpWrapperConnection;
}

// SAFETY: `TcpWrapperConnectionInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for TcpWrapperConnectionInstance {
    type Type = imp::TcpWrapperConnection;
}

/// Says that the bytes of the socket are not the connection's, before there is any.
pub(crate) fn overlay(object: &InitializingObject<imp::TcpWrapperConnection>) {
    // SAFETY: the parents' private data is ready when a class initialises its own.
    let object = unsafe { object.as_ref() };
    object
        .upcast_ref::<SocketConnection>()
        .imp()
        .overlay(imp::TcpWrapperConnection::type_());
}

/// The base stream is closed first, in the caller's context, then the socket as the object's class does.
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
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe { close_task(stream, priority, cancellable, owed.take(), data) };
        let (kept, cancellable, context) = (object.clone(), task.cancellable(), task.context());
        let closing = async move {
            let mut result = Ok(());
            if let Some(wrapper) = kept.downcast_ref::<TcpWrapperConnection>() {
                let closing = wrapper.imp().close_base_async(priority.into(), cancellable);
                result = in_context(context, closing).await;
                wrapper.imp().set_base_seen_to();
            }
            // Nothing keeps the socket open, and the first error is the one to report.
            let closed = if kept.imp().is_ended() {
                // A class above this one was cancelled, and has closed already.
                Ok(())
            } else {
                call_close(&kept, gio::Cancellable::NONE)
            };
            result.and(closed)
        };
        run_close(task, priority, object, closing);
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}
