//! The streams of a connection, in each form.

use std::{
    io::{Read, Write},
    ptr,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{object::ObjectType, translate::ToGlibPtr};
use gsock::prelude::*;

use crate::scene::{Finish, NONE, Scene, play, said};

pub(crate) const READ: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: the arguments of the callback.
    let count =
        unsafe { gio_ffi::g_input_stream_read_finish(source.cast(), result, &raw mut failure) };
    said(count >= 0, failure)
};

pub(crate) const WRITE: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: the arguments of the callback.
    let count =
        unsafe { gio_ffi::g_output_stream_write_finish(source.cast(), result, &raw mut failure) };
    said(count >= 0, failure)
};

const WRITE_VECTORED: Finish = |source, result| {
    let (mut failure, mut count) = (ptr::null_mut(), 0);
    // SAFETY: the arguments of the callback.
    let done = unsafe {
        gio_ffi::g_output_stream_writev_finish(
            source.cast(),
            result,
            &raw mut count,
            &raw mut failure,
        )
    };
    said(done != 0, failure)
};

const FLUSH: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: the arguments of the callback.
    let done =
        unsafe { gio_ffi::g_output_stream_flush_finish(source.cast(), result, &raw mut failure) };
    said(done != 0, failure)
};

const CLOSE_INPUT: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: the arguments of the callback.
    let done =
        unsafe { gio_ffi::g_input_stream_close_finish(source.cast(), result, &raw mut failure) };
    said(done != 0, failure)
};

const CLOSE_OUTPUT: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: the arguments of the callback.
    let done =
        unsafe { gio_ffi::g_output_stream_close_finish(source.cast(), result, &raw mut failure) };
    said(done != 0, failure)
};

pub(crate) const CLOSE: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: the arguments of the callback.
    let done =
        unsafe { gio_ffi::g_io_stream_close_finish(source.cast(), result, &raw mut failure) };
    said(done != 0, failure)
};

static BYTES: [u8; 4] = *b"abcd";

fn vectors() -> [gio_ffi::GOutputVector; 2] {
    let one = || gio_ffi::GOutputVector {
        buffer: BYTES.as_ptr().cast(),
        size: 2,
    };
    [one(), one()]
}

/// Each twice: what comes after a panic works.
pub(crate) fn blocking(scene: &Scene<'_>, stream: &impl IsA<gio::IOStream>, peer: &mut impl Write) {
    let (input, output) = (stream.input_stream(), stream.output_stream());
    for _ in 0..2 {
        // A stream that has panicked is gone.
        let _ = peer.write_all(b"xy");
        scene.call(|| input.read([0; 1], NONE));
        scene.call(|| output.write(&BYTES, NONE));
        scene.call(|| {
            let (mut failure, mut count) = (ptr::null_mut(), 0);
            let vectors = vectors();
            // SAFETY: live arguments.
            let done = unsafe {
                gio_ffi::g_output_stream_writev(
                    output.as_ptr(),
                    vectors.as_ptr(),
                    vectors.len(),
                    &raw mut count,
                    ptr::null_mut(),
                    &raw mut failure,
                )
            };
            said(done != 0, failure)
        });
        scene.call(|| output.flush(NONE));
    }
}

pub(crate) fn asynchronous(
    scene: &Scene<'_>,
    stream: &impl IsA<gio::IOStream>,
    peer: &mut impl Write,
) {
    let (input, output) = (stream.input_stream(), stream.output_stream());
    let mut buffer = [0_u8; 1];
    for _ in 0..2 {
        // A stream that has panicked is gone.
        let _ = peer.write_all(b"xy");
        // SAFETY: live arguments; the buffers live until the callback.
        unsafe {
            scene.ask(READ, |callback, data| {
                gio_ffi::g_input_stream_read_async(
                    input.as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    1,
                    0,
                    ptr::null_mut(),
                    callback,
                    data,
                );
            });
            scene.ask(WRITE, |callback, data| {
                gio_ffi::g_output_stream_write_async(
                    output.as_ptr(),
                    BYTES.as_ptr().cast_mut().cast(),
                    4,
                    0,
                    ptr::null_mut(),
                    callback,
                    data,
                );
            });
            let vectors = vectors();
            scene.ask(WRITE_VECTORED, |callback, data| {
                gio_ffi::g_output_stream_writev_async(
                    output.as_ptr(),
                    vectors.as_ptr(),
                    2,
                    0,
                    ptr::null_mut(),
                    callback,
                    data,
                );
            });
            scene.ask(FLUSH, |callback, data| {
                gio_ffi::g_output_stream_flush_async(
                    output.as_ptr(),
                    0,
                    ptr::null_mut(),
                    callback,
                    data,
                );
            });
        }
    }
}

pub(crate) fn closing_each(scene: &Scene<'_>, stream: &impl IsA<gio::IOStream>) {
    let (input, output) = (stream.input_stream(), stream.output_stream());
    // SAFETY: live arguments.
    unsafe {
        scene.ask(CLOSE_OUTPUT, |callback, data| {
            gio_ffi::g_output_stream_close_async(
                output.as_ptr(),
                0,
                ptr::null_mut(),
                callback,
                data,
            );
        });
        scene.ask(CLOSE_INPUT, |callback, data| {
            gio_ffi::g_input_stream_close_async(input.as_ptr(), 0, ptr::null_mut(), callback, data);
        });
    }
}

pub(crate) fn closing(scene: &Scene<'_>, stream: &impl IsA<gio::IOStream>) {
    // SAFETY: live arguments.
    unsafe {
        scene.ask(CLOSE, |callback, data| {
            gio_ffi::g_io_stream_close_async(
                stream.as_ref().to_glib_none().0,
                0,
                ptr::null_mut(),
                callback,
                data,
            );
        });
    }
}

unsafe extern "C" {
    fn g_file_descriptor_based_get_fd(stream: *mut glib::gobject_ffi::GObject) -> i32;
}

pub(crate) fn pollable(scene: &Scene<'_>, stream: &impl IsA<gio::IOStream>, peer: &mut impl Write) {
    let (input, output) = (stream.input_stream(), stream.output_stream());
    let readable = input.dynamic_cast_ref::<gio::PollableInputStream>();
    let writable = output.dynamic_cast_ref::<gio::PollableOutputStream>();
    let (Some(readable), Some(writable)) = (readable, writable) else {
        panic!("not pollable");
    };
    for _ in 0..2 {
        // A stream that has panicked is gone.
        let _ = peer.write_all(b"xy");
        let _ = (readable.can_poll(), writable.can_poll());
        let fired = std::rc::Rc::new(std::cell::Cell::new(0));
        // SAFETY: live streams; a source that is NULL is none.
        unsafe {
            let sources = [
                gio_ffi::g_pollable_input_stream_create_source(readable.as_ptr(), ptr::null_mut()),
                gio_ffi::g_pollable_output_stream_create_source(writable.as_ptr(), ptr::null_mut()),
            ];
            for source in sources.into_iter().filter(|source| !source.is_null()) {
                unsafe extern "C" fn fires(
                    _: *mut glib::gobject_ffi::GObject,
                    data: glib::ffi::gpointer,
                ) -> glib::ffi::gboolean {
                    // SAFETY: of the loop below, which outlives the source.
                    let fired = unsafe { &*data.cast::<std::cell::Cell<u32>>() };
                    fired.set(fired.get() + 1);
                    glib::ffi::GFALSE
                }
                let callback: unsafe extern "C" fn(
                    *mut glib::gobject_ffi::GObject,
                    glib::ffi::gpointer,
                ) -> glib::ffi::gboolean = fires;
                glib::ffi::g_source_set_callback(
                    source,
                    std::mem::transmute::<*const (), glib::ffi::GSourceFunc>(callback as *const ()),
                    std::rc::Rc::as_ptr(&fired).cast_mut().cast(),
                    None,
                );
                glib::ffi::g_source_attach(source, scene.context.to_glib_none().0);
                let before = fired.get();
                let end = std::time::Instant::now() + std::time::Duration::from_millis(500);
                scene.until(|| fired.get() > before || std::time::Instant::now() > end);
                glib::ffi::g_source_destroy(source);
                glib::ffi::g_source_unref(source);
            }
        }
        let _ = (readable.is_readable(), writable.is_writable());
        let mut byte = [0; 1];
        scene.call(|| readable.read_nonblocking(&mut byte, NONE));
        scene.call(|| writable.write_nonblocking(&BYTES, NONE));
        scene.call(|| {
            let (mut failure, mut count) = (ptr::null_mut(), 0);
            let vectors = vectors();
            // SAFETY: live arguments.
            let done = unsafe {
                gio_ffi::g_pollable_output_stream_writev_nonblocking(
                    writable.as_ptr(),
                    vectors.as_ptr(),
                    2,
                    &raw mut count,
                    ptr::null_mut(),
                    &raw mut failure,
                )
            };
            said(done != gio_ffi::G_POLLABLE_RETURN_FAILED, failure)
        });
    }
}

fn descriptor_of(stream: &impl IsA<glib::Object>) -> i32 {
    // SAFETY: a live stream, which is of this interface.
    unsafe { g_file_descriptor_based_get_fd(stream.as_ref().as_ptr()) }
}

#[test]
fn calls_that_block() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        blocking(scene, &connection, &mut peer);
        scene.call(|| connection.close(NONE));
        drop(connection);
        scene.ends(&mut peer);
    });
}

#[test]
fn calls_that_call_back() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        asynchronous(scene, &connection, &mut peer);
        closing_each(scene, &connection);
        closing(scene, &connection);
        drop(connection);
        scene.ends(&mut peer);
    });
}

#[test]
fn calls_that_do_not_wait() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        pollable(scene, &connection, &mut peer);
        let _ = descriptor_of(&connection.input_stream());
        let _ = descriptor_of(&connection.output_stream());
        drop(connection);
        scene.ends(&mut peer);
    });
}

/// By GIO's classes on our transport, and those that GIO itself makes once they are adopted.
#[test]
fn connections_of_gios_classes() {
    play(|scene| {
        for form in 0..3 {
            let (connection, mut peer) = scene.connected();
            let twin = connection.to_gio();
            match form {
                0 => blocking(scene, &twin, &mut peer),
                1 => asynchronous(scene, &twin, &mut peer),
                _ => pollable(scene, &twin, &mut peer),
            }
            match form {
                0 => drop(scene.call(|| twin.close(NONE))),
                _ => closing(scene, &twin),
            }
            drop((connection, twin));
            scene.ends(&mut peer);
        }
    });
}

#[test]
fn a_peer_has_what_was_written() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        let output = connection.output_stream();
        let mut all = Vec::new();
        for _ in 0..3 {
            if let Some(count) = scene.call(|| output.write(&BYTES, NONE)) {
                all.extend_from_slice(&BYTES[..count.unsigned_abs()]);
            }
        }
        drop(output);
        scene.call(|| connection.close(NONE));
        drop(connection);
        let mut got = Vec::new();
        peer.read_to_end(&mut got).expect("an end of file");
        // A call that failed after all may have written.
        assert!(got.len() >= all.len() && got.len() <= 12, "{got:?}");
    });
}
