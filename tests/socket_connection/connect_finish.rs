//! What `connect_finish` takes, and what it answers to everything else.

use std::{ffi::c_void, ptr};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

#[track_caller]
fn assert_not_taken(connection: &SocketConnection, result: *mut gio::ffi::GAsyncResult) {
    let outcome = connect_finish_as_c(connection, result);
    assert_fails(outcome, IOErrorEnum::InvalidArgument);
}

#[test]
fn connect_finish_takes_a_result_once() {
    on_private_context(|context| {
        let connection = unconnected();
        let result = unfinished_connect(context, &connection, echo_server());
        connection.connect_finish(&result).expect("it listens");
        for _ in 0..2 {
            assert_fails(
                connection.connect_finish(&result),
                IOErrorEnum::InvalidArgument,
            );
        }
        // A failure is taken once, too.
        let connection = unconnected();
        let result = unfinished_connect(context, &connection, refused_address());
        assert_fails(
            connection.connect_finish(&result),
            IOErrorEnum::ConnectionRefused,
        );
        assert_not_taken(&connection, result.to_glib_none().0);
    });
}

#[test]
fn connect_finish_refuses_no_result() {
    on_private_context(|_| assert_not_taken(&unconnected(), ptr::null_mut()));
}

#[test]
fn connect_finish_refuses_another_objects_result() {
    on_private_context(|context| {
        let (one, other) = (unconnected(), unconnected());
        let result = unfinished_connect(context, &one, echo_server());
        assert_fails(other.connect_finish(&result), IOErrorEnum::InvalidArgument);
        // And does not use it up.
        one.connect_finish(&result).expect("it listens");
    });
}

#[test]
fn connect_finish_refuses_another_operations_result() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let (result, data) = kept();
        // SAFETY: live arguments, and a callback that fits its data.
        unsafe {
            gio::ffi::g_io_stream_close_async(
                connection.upcast_ref::<gio::IOStream>().to_glib_none().0,
                0,
                ptr::null_mut(),
                Some(keep_result),
                data,
            );
        }
        iterate_until(context, || result.borrow().is_some());
        let result = result.take().expect("kept");
        assert_not_taken(&connection, result.to_glib_none().0);
    });
}

/// The class' own close is another operation as well, and its finish refuses a connect's.
#[test]
fn the_finish_functions_of_the_class_do_not_take_each_others_results() {
    on_private_context(|context| {
        let connection = unconnected();
        let connect = unfinished_connect(context, &connection, echo_server());
        let class = class_of(&connection);
        let stream = connection.as_ptr().cast::<gio::ffi::GIOStream>();
        let close_finish = class.parent_class.close_finish.expect("a slot");
        let mut failure = ptr::null_mut();
        // SAFETY: live arguments.
        let done = unsafe { close_finish(stream, connect.to_glib_none().0, &raw mut failure) };
        assert_eq!(done, glib::ffi::GFALSE);
        // SAFETY: a set error is ours to free.
        let failure: glib::Error = unsafe { from_glib_full(failure) };
        assert_eq!(code(&failure), IOErrorEnum::InvalidArgument);

        let (close, data) = kept();
        let close_async = class.parent_class.close_async.expect("a slot");
        // SAFETY: live arguments, and a callback that fits its data.
        unsafe { close_async(stream, 0, ptr::null_mut(), Some(keep_result), data) };
        iterate_until(context, || close.borrow().is_some());
        let close = close.take().expect("kept");
        assert_not_taken(&connection, close.to_glib_none().0);
        let mut failure = ptr::null_mut();
        // SAFETY: live arguments.
        let done = unsafe { close_finish(stream, close.to_glib_none().0, &raw mut failure) };
        assert_eq!(done, glib::ffi::GTRUE);
        assert!(failure.is_null());
        connection.connect_finish(&connect).expect("it listens");
    });
}

#[test]
fn connect_finish_refuses_what_is_not_a_task() {
    on_private_context(|_| {
        let connection = unconnected();
        // Not even a GAsyncResult.
        let foreign: *mut gio::ffi::GCancellable = Cancellable::new().to_glib_full();
        assert_not_taken(&connection, foreign.cast());
        // SAFETY: the reference of above.
        drop(unsafe { from_glib_full::<_, Cancellable>(foreign) });
        // A GAsyncResult of another type, of this very object.
        // SAFETY: a live object; without a callback nothing is called.
        let simple = unsafe {
            gio::ffi::g_simple_async_result_new(
                connection.as_ptr().cast(),
                None,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        assert_not_taken(&connection, simple.cast());
        // SAFETY: the reference of above.
        unsafe { glib::gobject_ffi::g_object_unref(simple.cast()) };
    });
}

/// A task as a subclass in C may make it, answered.
fn raw_task(object: *mut glib::gobject_ffi::GObject, tag: *mut c_void) -> gio::AsyncResult {
    // SAFETY: a live object or NULL; without a callback nothing is called.
    let task = unsafe { gio::ffi::g_task_new(object, ptr::null_mut(), None, ptr::null_mut()) };
    // SAFETY: a new task.
    unsafe { gio::ffi::g_task_set_source_tag(task, tag) };
    // SAFETY: answered once.
    unsafe { gio::ffi::g_task_return_boolean(task, glib::ffi::GTRUE) };
    // SAFETY: the reference of above.
    unsafe { from_glib_full(task.cast::<gio::ffi::GAsyncResult>()) }
}

#[test]
fn connect_finish_refuses_foreign_tasks() {
    on_private_context(|context| {
        let connection = unconnected();
        let other = unconnected();
        let mine = connection.as_ptr().cast();
        static SOMEBODY: u8 = 0;
        let tag = (&raw const SOMEBODY).cast_mut().cast();
        for task in [
            raw_task(other.as_ptr().cast(), ptr::null_mut()),
            raw_task(ptr::null_mut(), ptr::null_mut()),
            raw_task(mine, tag),
        ] {
            assert_not_taken(&connection, task.to_glib_none().0);
        }
        settle(context);
    });
}

/// Such as the class slot of a subclass written in C makes.
#[test]
fn connect_finish_takes_a_task_without_a_source_tag_once() {
    on_private_context(|context| {
        let connection = unconnected();
        let task = raw_task(connection.as_ptr().cast(), ptr::null_mut());
        connect_finish_as_c(&connection, task.to_glib_none().0).expect("TRUE");
        assert_not_taken(&connection, task.to_glib_none().0);
        settle(context);
    });
}
