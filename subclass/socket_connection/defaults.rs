//! The class's own slots, but for closing.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    future::Future,
    pin::pin,
    ptr,
    task::{Context, Poll, Waker},
};

use gio::{ffi as gio_ffi, subclass::prelude::*};
use glib::ffi::{GError, gboolean, gpointer};

use super::{
    super::structs::{SocketConnectionClass, SocketConnectionInstance},
    borrow, close,
    closing::{close_async_default, close_finish},
    dispose::dispose,
    get_input_stream, get_output_stream,
};
use crate::{
    SocketConnection,
    operation::{Answers, Drive, Owed, Tag, Task, assert_owns_context, block, finish, owing},
    reactor::spawn,
    socket_connection::imp,
    transport::{Connect, NativeAddress},
    vfunc::{boolean, fenced},
};

/// Sets the slots of the class itself.
pub(crate) fn fill_class(class: &mut SocketConnectionClass) {
    class.connect = Some(connect_default);
    class.connect_async = Some(connect_async_default);
    class.connect_finish = Some(connect_finish);
    class.parent_class.get_input_stream = Some(get_input_stream::<imp::SocketConnection>);
    class.parent_class.get_output_stream = Some(get_output_stream::<imp::SocketConnection>);
    class.parent_class.close_fn = Some(close::<imp::SocketConnection>);
    class.parent_class.close_async = Some(close_async_default);
    class.parent_class.close_finish = Some(close_finish);
    class.parent_class.parent_class.dispose = Some(dispose);
}

/// Gives a class of this crate its parent's slots back, in place of the trampolines of a third
/// party's: there is no override to call.
pub(crate) fn inherit_slots(class: &mut SocketConnectionClass) {
    inherit_connect(class);
    let parent = parent_of(class);
    class.parent_class.get_input_stream = parent.parent_class.get_input_stream;
    class.parent_class.get_output_stream = parent.parent_class.get_output_stream;
    class.parent_class.close_async = parent.parent_class.close_async;
    class.parent_class.close_finish = parent.parent_class.close_finish;
}

/// Those of connecting alone, for a class that has streams and a close of its own.
pub(crate) fn inherit_connect(class: &mut SocketConnectionClass) {
    let parent = parent_of(class);
    class.connect = parent.connect;
    class.connect_async = parent.connect_async;
    class.connect_finish = parent.connect_finish;
}

/// Likewise for the blocking close, of a class that closes as its parent does.
pub(crate) fn inherit_close(class: &mut SocketConnectionClass) {
    class.parent_class.close_fn = parent_of(class).parent_class.close_fn;
}

fn parent_of(class: &mut SocketConnectionClass) -> &'static SocketConnectionClass {
    // SAFETY: the class struct of a registered type.
    let parent =
        unsafe { glib::gobject_ffi::g_type_class_peek_parent(ptr::from_mut(class).cast()) };
    // SAFETY: called from the class_init of a type derived from our class, whose parents are never unloaded.
    unsafe { &*parent.cast::<SocketConnectionClass>() }
}

// SAFETY: `SocketConnectionClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for SocketConnectionClass {
    type Type = imp::SocketConnection;
}

// SAFETY: `SocketConnectionInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for SocketConnectionInstance {
    type Type = imp::SocketConnection;
}

pub(super) static CONNECT: Tag = Tag::new();

pub(super) unsafe extern "C" fn connect_default(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: live arguments, for the time of the call.
        let (object, address, cancellable) = unsafe { borrow(instance, address, cancellable) };
        {
            let native = NativeAddress::from_gio(&address)?;
            block(
                Connect::new(object.imp().transport(), native),
                cancellable.as_ref().as_ref(),
            )
        }
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

pub(super) unsafe extern "C" fn connect_async_default(
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
        // SAFETY: live arguments, for the time of the call.
        let (object, address, cancellable) = unsafe { borrow(instance, address, cancellable) };
        begin_connect(&object, &address, cancellable.as_ref().as_ref(), task);
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(instance.cast(), callback, data, &CONNECT, 0, body) }
}

fn begin_connect(
    object: &SocketConnection,
    address: &gio::SocketAddress,
    cancellable: Option<&gio::Cancellable>,
    task: Task,
) {
    let transport = object.imp().transport();
    transport.clear_blocking();
    let native = match NativeAddress::from_gio(address) {
        Ok(native) => native,
        Err(failure) => return task.answer(Err(failure)),
    };
    let mut connecting = Drive::new(Connect::new(transport, native), cancellable);
    // Begins now; an answer that is there at once is delivered by the context all the same.
    match pin!(&mut connecting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => task.answer(result),
        Poll::Pending => spawn(&task.context(), glib::Priority::DEFAULT, async move {
            let result = connecting.await;
            task.answer(result);
        }),
    }
}

pub(super) async fn connect_future_default(
    object: SocketConnection,
    address: gio::SocketAddress,
) -> Result<(), glib::Error> {
    assert_owns_context();
    let transport = object.imp().transport();
    transport.clear_blocking();
    let native = NativeAddress::from_gio(&address)?;
    Drive::new(Connect::new(transport, native), None).await
}

pub(super) unsafe extern "C" fn connect_finish(
    instance: *mut SocketConnectionInstance,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: the caller's arguments, passed on.
    let result = fenced(|| unsafe { finish(instance.cast(), result, &CONNECT) });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}
