//! Results that are another operation's, or taken already.

use std::{
    io::{Read, Write},
    ptr,
    rc::Rc,
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::{GFALSE, GTRUE},
    translate::{ToGlibPtr, from_glib_full},
};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

#[test]
fn a_connect_result_is_taken_once() {
    on_private_context(|context| {
        let (_server, address) = listener();
        let refused = refused_address();
        for (target, works) in [(address, true), (refused, false)] {
            let connection = unconnected();
            let started = connect_started(&connection, &gio_address(target), None, true);
            iterate_until(context, || started.has_ended());
            let result = started.result();
            let first = connection.connect_finish(&result);
            assert_eq!(first.is_ok(), works);
            if !works {
                assert_fails(first, E::ConnectionRefused);
            }
            for _ in 0..2 {
                assert_fails(connection.connect_finish(&result), E::InvalidArgument);
            }
            let traces = Traces::of(&connection);
            drop((connection, result));
            traces.assert_gone(context, &[&started]);
        }
    });
}

#[test]
fn a_connect_result_of_another_connection_is_refused_and_stays_good_for_its_own() {
    on_private_context(|context| {
        let (_server, address) = listener();
        let (connection, other) = (unconnected(), unconnected());
        let started = connect_started(&connection, &gio_address(address), None, true);
        iterate_until(context, || started.has_ended());
        let result = started.result();
        assert_fails(other.connect_finish(&result), E::InvalidArgument);
        assert!(connection.connect_finish(&result).is_ok());
    });
}

#[test]
fn no_result_and_results_that_are_no_task_are_refused() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let object = pointer_of(&connection);
        assert_fails(finish_connect(object, ptr::null_mut()), E::InvalidArgument);
        assert_fails(
            finish_close_slot(object, ptr::null_mut()),
            E::InvalidArgument,
        );
        // C can pass anything.
        let foreign = gio::Cancellable::new();
        assert_fails(
            finish_connect(object, pointer_of(&foreign).cast()),
            E::InvalidArgument,
        );
        assert_fails(
            finish_close_slot(object, pointer_of(&foreign).cast()),
            E::InvalidArgument,
        );
        let traces = Traces::of(&connection);
        drop(connection);
        traces.assert_gone(context, &[]);
    });
}

/// Neither of ours nor answered.
#[test]
fn a_running_task_of_somebody_else_is_refused() {
    on_private_context(|_| {
        let connection = unconnected();
        let task = running_task(&connection);
        assert_fails(connection.connect_finish(&task), E::InvalidArgument);
        let object = pointer_of(&connection);
        assert_fails(
            finish_close_slot(object, task.to_glib_none().0),
            E::InvalidArgument,
        );
        let gone = Gone::of(&task);
        drop(task);
        assert!(gone.is_gone(), "nobody keeps it");
    });
}

/// A task of nobody's operation that has not been answered, with a tag that is not ours.
fn running_task(connection: &SocketConnection) -> gio::AsyncResult {
    static TAG: u8 = 0;
    // SAFETY: live arguments; the tag is an address and nothing more.
    unsafe {
        let task = gio::ffi::g_task_new(
            pointer_of(connection),
            ptr::null_mut(),
            None,
            ptr::null_mut(),
        );
        gio::ffi::g_task_set_source_tag(task, ptr::from_ref(&TAG).cast_mut().cast());
        from_glib_full(task.cast::<gio::ffi::GAsyncResult>())
    }
}

#[test]
fn a_finish_refuses_the_result_of_another_operation() {
    on_private_context(|context| {
        let (server, address) = listener();
        let connection = unconnected();
        let connecting = connect_started(&connection, &gio_address(address), None, true);
        iterate_until(context, || connecting.has_ended());
        let connected = connecting.result();
        let (mut peer, _) = server.accept().expect("somebody called");
        let object = pointer_of(&connection);
        let input = connection.input_stream();
        let output = connection.output_stream();

        // The class' own close, and the reading of the input stream.
        let connect_result: *mut gio::ffi::GAsyncResult = connected.to_glib_none().0;
        assert_fails(
            finish_close_slot(object, connect_result),
            E::InvalidArgument,
        );
        peer.write_all(b"x").expect("a working connection");
        let reading = read_started(&input, 1, None, true);
        iterate_until(context, || reading.has_ended());
        let read = reading.result();
        let read_result: *mut gio::ffi::GAsyncResult = read.to_glib_none().0;
        assert_fails(finish_connect(object, read_result), E::InvalidArgument);
        assert_fails(finish_close_slot(object, read_result), E::InvalidArgument);
        // On the stream, an operation of the connection, or of the other stream.
        assert_fails(
            finish_read(pointer_of(&input), connect_result),
            E::InvalidArgument,
        );
        let writing = write_started(&output, vec![b'w'], None, true);
        iterate_until(context, || writing.has_ended());
        let written = writing.result();
        assert_fails(
            finish_read(pointer_of(&input), written.to_glib_none().0),
            E::InvalidArgument,
        );
        assert_fails(
            finish_connect(object, written.to_glib_none().0),
            E::InvalidArgument,
        );

        // All of them are still good where they belong, once.
        assert!(finish_connect(object, connect_result).is_ok());
        assert_eq!(
            finish_read(pointer_of(&input), read_result).expect("a byte"),
            1
        );
        assert_eq!(
            finish_write(pointer_of(&output), written.to_glib_none().0).expect("a byte"),
            1
        );
        assert_fails(finish_connect(object, connect_result), E::InvalidArgument);
        assert_fails(
            finish_read(pointer_of(&input), read_result),
            E::InvalidArgument,
        );

        let closing = close_in_slot(&connection, None);
        iterate_until(context, || closing.has_ended());
        let closed = closing.result();
        let close_result: *mut gio::ffi::GAsyncResult = closed.to_glib_none().0;
        assert_fails(finish_connect(object, close_result), E::InvalidArgument);
        assert!(finish_close_slot(object, close_result).is_ok());
        assert_fails(finish_close_slot(object, close_result), E::InvalidArgument);
    });
}

/// The task of a subclass in C, without a tag, is taken once.
#[test]
fn an_untagged_task_on_the_connection_is_taken_once() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        // SAFETY: live arguments; the task is returned once.
        let task: gio::AsyncResult = unsafe {
            let task = gio::ffi::g_task_new(
                pointer_of(&connection),
                ptr::null_mut(),
                None,
                ptr::null_mut(),
            );
            gio::ffi::g_task_return_boolean(task, GTRUE);
            from_glib_full(task.cast::<gio::ffi::GAsyncResult>())
        };
        assert!(connection.connect_finish(&task).is_ok());
        assert_fails(connection.connect_finish(&task), E::InvalidArgument);
    });
}

/// A class in C may answer FALSE, or less than nothing, and give no error.
#[test]
fn a_task_that_failed_without_an_error_is_an_error_all_the_same() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let task_of = |source| {
            // SAFETY: a live object.
            unsafe { gio::ffi::g_task_new(source, ptr::null_mut(), None, ptr::null_mut()) }
        };
        let object = pointer_of(&connection);
        let task = task_of(object);
        // SAFETY: a live task, returned once; the reference is handed over.
        let refused: gio::AsyncResult = unsafe {
            gio::ffi::g_task_return_boolean(task, GFALSE);
            from_glib_full(task.cast::<gio::ffi::GAsyncResult>())
        };
        assert_fails(connection.connect_finish(&refused), E::Failed);

        let input = connection.input_stream();
        let task = task_of(pointer_of(&input));
        // SAFETY: likewise.
        let negative: gio::AsyncResult = unsafe {
            gio::ffi::g_task_return_int(task, -1);
            from_glib_full(task.cast::<gio::ffi::GAsyncResult>())
        };
        let read = finish_read(pointer_of(&input), negative.to_glib_none().0);
        assert_fails(read, E::Failed);
        assert_eq!(connection.state(), ConnectionState::Connected);
    });
}

/// By the slots, as a subclass in C calls them for its parent: otherwise GIO's own tasks are around it.
#[test]
fn the_result_of_a_write_is_none_of_a_write_of_vectors() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let output = connection.output_stream();
        let stream: *mut gio::ffi::GOutputStream = output.to_glib_none().0;
        // SAFETY: a live stream begins with its class, which stays.
        let class = unsafe { &**stream.cast::<*const gio::ffi::GOutputStreamClass>() };
        let writing = Started::new(finish_write, true, vec![b'w']);
        let (bytes, size) = writing.buffer();
        // SAFETY: live arguments; the bytes and the data live as long as the thread.
        unsafe {
            class.write_async.expect("a slot")(
                stream,
                bytes,
                size,
                0,
                ptr::null_mut(),
                Some(on_ready),
                writing.data(),
            );
        }
        iterate_until(context, || writing.has_ended());
        let written = writing.result();
        let result: *mut gio::ffi::GAsyncResult = written.to_glib_none().0;
        let (mut count, mut failure) = (7, ptr::null_mut());
        let finish = class.writev_finish.expect("a slot");
        // SAFETY: live arguments, and places for the answers.
        let done = unsafe { finish(stream, result, &raw mut count, &raw mut failure) };
        assert_fails(said(0, done == GFALSE, failure), E::InvalidArgument);
        assert_eq!(count, 0, "nothing, by that");
        // It is still good where it belongs.
        let mut failure = ptr::null_mut();
        let finish = class.write_finish.expect("a slot");
        // SAFETY: likewise.
        let count = unsafe { finish(stream, result, &raw mut failure) };
        assert_eq!((count, failure), (1, ptr::null_mut()));
        peer.read_exact(&mut [0]).expect("it was sent");
    });
}

/// A callback need not finish.
#[test]
fn an_operation_that_nobody_finishes_leaves_nothing_behind() {
    on_private_context(|context| {
        let (server, address) = listener();
        let connection = unconnected();
        let connecting = connect_started(&connection, &gio_address(address), None, true);
        iterate_until(context, || connecting.has_ended());
        let (mut peer, _) = server.accept().expect("somebody called");
        peer.write_all(b"x").expect("a working connection");
        let reading = read_started(&connection.input_stream(), 1, None, true);
        let writing = write_started(&connection.output_stream(), vec![1], None, true);
        iterate_until(context, || reading.has_ended() && writing.has_ended());
        let traces = Traces::of(&connection);
        let closing = close_started(&connection, None, true);
        iterate_until(context, || closing.has_ended());
        let all = [connecting, reading, writing, closing];
        for started in &all {
            drop(started.result());
        }
        drop(connection);
        let all: Vec<&Started> = all.iter().map(Rc::as_ref).collect();
        traces.assert_gone(context, &all);
    });
}

/// A NULL callback is allowed everywhere.
#[test]
fn operations_without_a_callback_are_carried_out_and_leave_nothing_behind() {
    on_private_context(|context| {
        let (server, address) = listener();
        let connection = unconnected();
        let slot = class_of(&connection).connect_async.expect("a slot");
        let native = gio_address(address);
        // SAFETY: live arguments.
        unsafe {
            slot(
                connection.as_ptr(),
                native.upcast_ref::<gio::SocketAddress>().to_glib_none().0,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
            );
        }
        iterate_until(context, || connection.state() == ConnectionState::Connected);
        let (mut peer, _) = server.accept().expect("somebody called");
        let output = connection.output_stream();
        let bytes = b"unseen";
        // SAFETY: live arguments; the bytes are static.
        unsafe {
            gio::ffi::g_output_stream_write_async(
                output.to_glib_none().0,
                bytes.as_ptr().cast_mut(),
                bytes.len(),
                0,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
            );
        }
        iterate_until(context, || connection.bytes_written() == 6);
        let mut seen = [0; 6];
        peer.read_exact(&mut seen).expect("six bytes");
        assert_eq!(&seen, bytes);
        let traces = Traces::of(&connection);
        // SAFETY: live arguments.
        unsafe {
            gio::ffi::g_io_stream_close_async(
                connection.upcast_ref::<gio::IOStream>().to_glib_none().0,
                0,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
            );
        }
        iterate_until(context, || connection.is_closed());
        drop((connection, output));
        traces.assert_gone(context, &[]);
    });
}
