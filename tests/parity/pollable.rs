//! What GIO's streams do without waiting, and ours; what they say of themselves.

use std::{
    cell::Cell,
    ffi::CStr,
    io::{Read, Write},
    os::fd::AsRawFd,
    rc::Rc,
    time::Duration,
};

use gio::{
    Cancellable, IOErrorEnum, PollableReturn,
    ffi::{
        G_POLLABLE_RETURN_FAILED as FAILED, G_POLLABLE_RETURN_OK as OK,
        G_POLLABLE_RETURN_WOULD_BLOCK as WOULD_BLOCK,
    },
    prelude::*,
};
use glib::{
    ffi::GType,
    translate::{ToGlibPtr, from_glib, from_glib_full},
};

use crate::{differs::differs, support::*, tools::*, under::*};

on_both!(
    st_1_the_streams_are_pollable_and_have_a_descriptor,
    st_2_the_streams_use_the_socket_of_the_connection,
    st_2_the_streams_have_the_socket_as_a_property,
    st_2_a_stream_keeps_the_socket_of_a_dropped_connection,
    st_4_blocking_operations_wait_on_a_nonblocking_socket_too,
    st_4_nonblocking_operations_do_not_wait_on_a_blocking_socket,
    st_7_a_stream_is_ready_when_an_operation_would_not_wait,
    st_7_a_stream_is_ready_for_the_error_of_a_reset,
    st_8_a_source_fires_for_as_long_as_there_is_something_to_read,
    st_8_a_source_fires_when_there_is_room_to_write,
    st_8_a_source_that_is_told_to_stop_is_gone,
    st_8_a_source_has_the_priority_that_it_is_given,
    st_9_the_descriptor_is_the_sockets_and_none_when_closed,
    st_50_the_streams_can_be_polled,
    st_51_the_cancellable_comes_first_and_then_the_count,
    st_51_a_read_that_does_not_wait_takes_what_a_pending_one_waits_for,
    st_51_nothing_is_done_without_waiting_on_a_closed_connection,
    st_53_vectors_that_fail_have_written_nothing,
    st_53_vectors_without_bytes_are_written,
    st_54_what_would_block_says_so_in_the_words_of_the_system,
);

/// More than a `gssize` can say.
const TOO_MUCH: usize = usize::MAX;

unsafe extern "C" {
    fn g_file_descriptor_based_get_type() -> GType;
}

fn st_1_the_streams_are_pollable_and_have_a_descriptor(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (input, output) = (under.input().type_(), under.output().type_());
    assert_eq!(input.parent(), Some(gio::InputStream::static_type()));
    // That of an adopted connection derives from GIO's private type.
    let parent = output.parent();
    let parent = if is_adopted() {
        parent.and_then(glib::Type::parent)
    } else {
        parent
    };
    assert_eq!(parent, Some(gio::OutputStream::static_type()));
    // SAFETY: a type function without arguments.
    let based: glib::Type = unsafe { from_glib(g_file_descriptor_based_get_type()) };
    let names = |types: &[glib::Type]| {
        let mut names: Vec<_> = types.iter().map(|type_| type_.name()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        names(&input.interfaces()),
        names(&[based, gio::PollableInputStream::static_type()])
    );
    assert_eq!(
        names(&output.interfaces()),
        names(&[based, gio::PollableOutputStream::static_type()])
    );
}

fn st_2_the_streams_use_the_socket_of_the_connection(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let socket = under.socket();
    peer.write_all(b"ab").unwrap();
    wait_readable(&*under);
    assert_eq!(read(&under.input(), 1).unwrap(), b"a");
    let mut buffer = [0; 8];
    assert_eq!(socket.receive(&mut buffer, Cancellable::NONE).unwrap(), 1);
    assert_eq!(write(&under.output(), b"1").unwrap(), 1);
    assert_eq!(socket.send(b"2", Cancellable::NONE).unwrap(), 1);
    let mut received = [0; 2];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"12");
}

/// Of private types, which GIO's documentation does not have.
fn st_2_the_streams_have_the_socket_as_a_property(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let streams: [glib::Object; 2] = [under.input().upcast(), under.output().upcast()];
    for stream in streams {
        let property = stream.find_property("socket").expect("it has one");
        assert_eq!(property.value_type(), gio::Socket::static_type());
        assert_eq!(
            property.flags(),
            glib::ParamFlags::READWRITE | glib::ParamFlags::CONSTRUCT_ONLY
        );
        assert_eq!(stream.property::<gio::Socket>("socket"), under.socket());
    }
}

/// Closed as it is.
fn st_2_a_stream_keeps_the_socket_of_a_dropped_connection(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let socket = Gone::of(&under.socket());
    let input = under.input();
    drop(under);
    assert!(input.is_closed());
    assert!(!socket.is_gone());
    drop(input);
    assert!(socket.is_gone());
    assert_eq!(read_to_end(&mut peer), b"");
}

fn st_4_blocking_operations_wait_on_a_nonblocking_socket_too(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    under.socket().set_blocking(false);
    let reader = read_on_thread(&under.input(), 8, None);
    assert!(!reader.is_finished());
    peer.write_all(b"x").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"x");
    let filled = fill(&*under, &peer);
    let writer = on_thread(&under.output(), |output| write(output, b"y"));
    a_moment();
    assert!(!writer.is_finished());
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(writer.join().unwrap().unwrap(), 1);
    assert!(!under.socket().is_blocking());
}

fn st_4_nonblocking_operations_do_not_wait_on_a_blocking_socket(side: Side, _: &glib::MainContext) {
    let (under, peer) = side.connected();
    assert!(under.socket().is_blocking());
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
    fill(&*under, &peer);
    let output = pollable_output(&*under);
    assert_fails(
        output.write_nonblocking(b"no", Cancellable::NONE),
        IOErrorEnum::WouldBlock,
    );
    assert!(under.socket().is_blocking());
}

fn st_7_a_stream_is_ready_when_an_operation_would_not_wait(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let (input, output) = (pollable_input(&*under), pollable_output(&*under));
    assert!(!input.is_readable());
    assert!(output.is_writable());
    peer.write_all(b"x").unwrap();
    wait_until(|| input.is_readable());
    read_now(&*under, 8).unwrap();
    assert!(!input.is_readable());
    fill(&*under, &peer);
    assert!(!output.is_writable());
    drop(peer);
    // SOCK-15: at the end, and although nothing more will get through.
    wait_until(|| input.is_readable());
    wait_until(|| output.is_writable());
    under.close(Cancellable::NONE).unwrap();
    assert!(!input.is_readable());
    assert!(!output.is_writable());
}

fn st_7_a_stream_is_ready_for_the_error_of_a_reset(side: Side, _: &glib::MainContext) {
    let (under, peer) = side.connected();
    fill(&*under, &peer);
    let (input, output) = (pollable_input(&*under), pollable_output(&*under));
    reset(peer);
    wait_until(|| input.is_readable());
    assert!(output.is_writable());
    // It is the poll that says so: the error is still there.
    assert_fails(read_now(&*under, 8), IOErrorEnum::BrokenPipe);
    assert!(input.is_readable());
    assert_eq!(read_now(&*under, 8).unwrap(), b"");
}

/// A source that counts how often it fires.
fn counting(under: &Under, context: &glib::MainContext) -> (glib::Source, Rc<Cell<u32>>) {
    let fired = Rc::new(Cell::new(0));
    let count = fired.clone();
    let source =
        pollable_input(&**under).create_source(Cancellable::NONE, None, DEFAULT, move |_| {
            count.set(count.get() + 1);
            glib::ControlFlow::Continue
        });
    source.attach(Some(context));
    (source, fired)
}

/// Long enough for a source to fire that should not.
fn a_while(context: &glib::MainContext) {
    iterate_for(context, Duration::from_millis(40));
}

fn st_8_a_source_fires_for_as_long_as_there_is_something_to_read(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (source, fired) = counting(&under, context);
    a_while(context);
    assert_eq!(fired.get(), 0);
    peer.write_all(b"x").unwrap();
    iterate_until(context, || fired.get() >= 3);
    assert_eq!(read_now(&*under, 8).unwrap(), b"x");
    let so_far = fired.get();
    a_while(context);
    assert_eq!(fired.get(), so_far);
    // The end is something to read.
    drop(peer);
    iterate_until(context, || fired.get() > so_far);
    source.destroy();
    let so_far = fired.get();
    a_while(context);
    assert_eq!(fired.get(), so_far);
}

fn st_8_a_source_fires_when_there_is_room_to_write(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let filled = fill(&*under, &peer);
    let fired = Slot::new();
    let mut put = Some(fired.put());
    let output = pollable_output(&*under);
    let source = output.create_source(Cancellable::NONE, None, DEFAULT, move |output| {
        (put.take().expect("it stops"))(output.clone());
        glib::ControlFlow::Break
    });
    source.attach(Some(context));
    a_while(context);
    assert!(!fired.is_set());
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    // With the stream that it is of.
    assert_eq!(fired.wait(context), output);
}

fn st_8_a_source_that_is_told_to_stop_is_gone(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let fired = Rc::new(Cell::new(0));
    let count = fired.clone();
    let input = pollable_input(&*under);
    let source = input.create_source(Cancellable::NONE, None, DEFAULT, move |_| {
        count.set(count.get() + 1);
        if count.get() < 2 {
            glib::ControlFlow::Continue
        } else {
            glib::ControlFlow::Break
        }
    });
    source.attach(Some(context));
    peer.write_all(b"x").unwrap();
    iterate_until(context, || source.is_destroyed());
    assert_eq!(fired.get(), 2);
    a_while(context);
    assert_eq!(fired.get(), 2);
    assert_eq!(read_now(&*under, 8).unwrap(), b"x");
}

fn st_8_a_source_has_the_priority_that_it_is_given(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"x").unwrap();
    wait_readable(&*under);
    let log = Log::default();
    let lines = log.clone();
    let low = glib::Priority::LOW;
    let source = pollable_input(&*under).create_source(Cancellable::NONE, None, low, move |_| {
        lines.add("source");
        glib::ControlFlow::Break
    });
    source.attach(Some(context));
    log.add_when_idle(context, glib::Priority::DEFAULT_IDLE, "idle");
    iterate_until(context, || log.lines().len() == 2);
    assert_eq!(log.lines(), ["idle", "source"]);
}

fn st_9_the_descriptor_is_the_sockets_and_none_when_closed(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let fd = under.socket().as_raw_fd();
    assert!(fd >= 0);
    assert_eq!(descriptor_of(&input), fd);
    assert_eq!(descriptor_of(&output), fd);
    input.close(Cancellable::NONE).unwrap();
    assert_eq!(descriptor_of(&input), fd);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(descriptor_of(&input), -1);
    assert_eq!(descriptor_of(&output), -1);
}

fn st_50_the_streams_can_be_polled(side: Side, _: &glib::MainContext) {
    let unconnected = side.unconnected();
    assert!(pollable_input(&*unconnected).can_poll());
    assert!(pollable_output(&*unconnected).can_poll());
    let (under, _peer) = side.connected();
    under.close(Cancellable::NONE).unwrap();
    assert!(pollable_input(&*under).can_poll());
    assert!(pollable_output(&*under).can_poll());
}

/// `g_pollable_input_stream_read_nonblocking()` of more than a count can say.
fn read_too_much(under: &Under, cancellable: Option<&Cancellable>) -> Outcome {
    let stream = pollable_input(&**under);
    let (mut buffer, mut failure) = ([0_u8; 8], std::ptr::null_mut());
    // SAFETY: live arguments; a count like this is refused before the buffer is used.
    unsafe {
        let count = gio::ffi::g_pollable_input_stream_read_nonblocking(
            stream.to_glib_none().0,
            buffer.as_mut_ptr().cast(),
            TOO_MUCH,
            cancellable.to_glib_none().0,
            &raw mut failure,
        );
        if failure.is_null() {
            Count(usize::try_from(count).expect("-1 comes with an error"))
        } else {
            Fails(code(&from_glib_full(failure)))
        }
    }
}

/// `g_pollable_output_stream_write_nonblocking()` of more than a count can say.
fn write_too_much(under: &Under, cancellable: Option<&Cancellable>) -> Outcome {
    let stream = pollable_output(&**under);
    let mut failure = std::ptr::null_mut();
    // SAFETY: live arguments; a count like this is refused before the bytes are used.
    unsafe {
        let count = gio::ffi::g_pollable_output_stream_write_nonblocking(
            stream.to_glib_none().0,
            b"no".as_ptr().cast_mut().cast(),
            TOO_MUCH,
            cancellable.to_glib_none().0,
            &raw mut failure,
        );
        if failure.is_null() {
            Count(usize::try_from(count).expect("-1 comes with an error"))
        } else {
            Fails(code(&from_glib_full(failure)))
        }
    }
}

fn st_51_the_cancellable_comes_first_and_then_the_count(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"kept").unwrap();
    wait_readable(&*under);
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let (refused, invalid) = (
        Fails(IOErrorEnum::Cancelled),
        Fails(IOErrorEnum::InvalidArgument),
    );
    assert_eq!(read_too_much(&under, Some(&cancelled)), refused);
    assert_eq!(read_too_much(&under, None), invalid);
    assert_eq!(write_too_much(&under, Some(&cancelled)), refused);
    assert_eq!(write_too_much(&under, None), invalid);
    let (input, output) = (pollable_input(&*under), pollable_output(&*under));
    let nothing = input.read_nonblocking(&mut [], Some(&cancelled));
    assert_fails(nothing, IOErrorEnum::Cancelled);
    assert_fails(
        output.write_nonblocking(b"", Some(&cancelled)),
        IOErrorEnum::Cancelled,
    );
    let nothing = input.read_nonblocking(&mut [], Cancellable::NONE);
    assert_eq!(nothing.unwrap(), 0);
    assert_eq!(output.write_nonblocking(b"", Cancellable::NONE).unwrap(), 0);
    assert_eq!(read_now(&*under, 8).unwrap(), b"kept");
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(read_too_much(&under, None), invalid);
    assert_eq!(read_to_end(&mut peer), b"");
}

/// F-22, the half of it that stays.
fn st_51_a_read_that_does_not_wait_takes_what_a_pending_one_waits_for(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let reading = start_read(&under.input(), 8, None);
    iterate_for(context, Duration::from_millis(10));
    peer.write_all(b"mine").unwrap();
    wait_readable(&*under);
    assert_eq!(read_now(&*under, 8).unwrap(), b"mine");
    a_while(context);
    assert!(!reading.is_set());
    peer.write_all(b"yours").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"yours");
}

fn st_51_nothing_is_done_without_waiting_on_a_closed_connection(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = pollable_output(&*under);
    under.input();
    under.close(Cancellable::NONE).unwrap();
    assert_fails(read_now(&*under, 8), IOErrorEnum::Closed);
    assert_fails(
        output.write_nonblocking(b"no", Cancellable::NONE),
        IOErrorEnum::Closed,
    );
    assert_eq!(read_to_end(&mut peer), b"");
}

/// `g_pollable_output_stream_writev_nonblocking()`: what it returns, the count that it leaves, and
/// the error that it sets.
fn write_vectors(
    under: &Under,
    vectors: &[&[u8]],
    cancellable: Option<&Cancellable>,
) -> (gio::ffi::GPollableReturn, usize, Option<IOErrorEnum>) {
    let stream = pollable_output(&**under);
    let vectors: Vec<_> = vectors
        .iter()
        .map(|bytes| gio::ffi::GOutputVector {
            buffer: bytes.as_ptr().cast(),
            size: bytes.len(),
        })
        .collect();
    let (mut written, mut failure) = (99, std::ptr::null_mut());
    // SAFETY: live arguments, as many vectors as said; a set error is ours.
    unsafe {
        let result = gio::ffi::g_pollable_output_stream_writev_nonblocking(
            stream.to_glib_none().0,
            vectors.as_ptr(),
            vectors.len(),
            &raw mut written,
            cancellable.to_glib_none().0,
            &raw mut failure,
        );
        let failure: Option<glib::Error> = (!failure.is_null()).then(|| from_glib_full(failure));
        (result, written, failure.map(|it| code(&it)))
    }
}

fn st_53_vectors_that_fail_have_written_nothing(side: Side, _: &glib::MainContext) {
    let (under, peer) = side.connected();
    let vectors = [&b"one"[..], b"", b"two"];
    assert_eq!(write_vectors(&under, &vectors, None), (OK, 6, None));
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_eq!(
        write_vectors(&under, &vectors, Some(&cancelled)),
        (FAILED, 0, Some(IOErrorEnum::Cancelled))
    );
    fill(&*under, &peer);
    assert_eq!(
        write_vectors(&under, &vectors, None),
        (WOULD_BLOCK, 0, None)
    );
    reset(peer);
    wait_readable(&*under);
    assert_eq!(
        write_vectors(&under, &vectors, None),
        (FAILED, 0, Some(IOErrorEnum::BrokenPipe))
    );
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(
        write_vectors(&under, &vectors, None),
        (FAILED, 0, Some(IOErrorEnum::Closed))
    );
}

fn st_53_vectors_without_bytes_are_written(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = pollable_output(&*under);
    let written = output.writev_nonblocking(&[], Cancellable::NONE).unwrap();
    assert_eq!(written, (PollableReturn::Ok, 0));
    let empty = [gio::OutputVector::new(b""), gio::OutputVector::new(b"")];
    let written = output
        .writev_nonblocking(&empty, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (PollableReturn::Ok, 0));
    // ST-6.
    let bytes = payload(1100, 90);
    let vectors: Vec<_> = bytes.chunks(1).map(gio::OutputVector::new).collect();
    let written = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (PollableReturn::Ok, 1024));
    drop(vectors);
    under.close(Cancellable::NONE).unwrap();
    assert!(read_to_end(&mut peer) == bytes[..1024]);
}

fn st_54_what_would_block_says_so_in_the_words_of_the_system(side: Side, _: &glib::MainContext) {
    let (under, peer) = side.connected();
    // SAFETY: strings of GLib's, which stay.
    let again = unsafe { CStr::from_ptr(glib::ffi::g_strerror(libc::EAGAIN)) };
    let again = again.to_str().unwrap();
    assert_eq!(read_now(&*under, 8).unwrap_err().message(), again);
    fill(&*under, &peer);
    let written = pollable_output(&*under).write_nonblocking(b"no", Cancellable::NONE);
    assert_eq!(written.unwrap_err().message(), again);
}

/// The class of an object, and the class that it derives from.
fn classes<C>(object: &impl IsA<glib::Object>) -> (*const C, *const C) {
    // SAFETY: a live object, which keeps its class and the class of its parent.
    unsafe {
        let class = (*object.as_ref().as_ptr()).g_type_instance.g_class;
        let parent = glib::gobject_ffi::g_type_class_peek_parent(class.cast());
        (class.cast(), parent.cast_const().cast())
    }
}

/// Whether two classes have another function in a slot.
macro_rules! differ {
    ($classes:ident, $slot:ident) => {{
        let (own, parent) = $classes;
        // SAFETY: classes of this layout, alive.
        let (own, parent) = unsafe { ((*own).$slot, (*parent).$slot) };
        own.map(|slot| slot as usize) != parent.map(|slot| slot as usize)
    }};
}

/// ST-3: GIO's streams leave what is asynchronous to their parents, which hop to another thread to
/// close or to flush.
#[test]
fn differs_f21_the_streams_have_asynchronous_functions_of_their_own() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, _peer) = side.connected();
                let (input, output) = (under.input(), under.output());
                let (input, output) = (
                    classes::<gio::ffi::GInputStreamClass>(&input),
                    classes::<gio::ffi::GOutputStreamClass>(&output),
                );
                // Alike in both.
                assert!(differ!(input, read_fn));
                assert!(differ!(output, write_fn));
                assert!(differ!(output, writev_fn));
                assert!(!differ!(output, splice_async));
                [
                    differ!(input, read_async),
                    differ!(input, close_async),
                    differ!(output, write_async),
                    differ!(output, writev_async),
                    differ!(output, flush_async),
                    differ!(output, close_async),
                ]
            },
            [false; 6],
            [true; 6],
        );
    });
}
