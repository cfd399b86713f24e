//! The pollable interfaces, and what a stream says about itself.

use std::{
    io::{Read, Write},
    os::fd::AsRawFd,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, OutputVector, PollableReturn, prelude::*};
use glib::{
    ffi::{GFALSE, GTRUE, GType, gboolean},
    translate::{ToGlibPtr, from_glib, from_glib_full},
};
use gsock::prelude::*;

use crate::{support::*, tools::*};

over_both!(
    bug_34_vectors_of_more_than_memory_are_an_error_and_write_nothing,
    a_read_that_would_block_says_so_then_data_then_the_end,
    a_write_that_would_block_says_so_until_there_is_room,
    vectors_that_would_block_say_so_without_an_error,
    more_vectors_than_the_system_takes_are_a_short_write,
    a_closed_connection_answers_closed,
    a_closed_stream_of_an_open_connection_answers_closed,
    a_cancelled_cancellable_comes_first_and_nothing_is_moved,
    readiness_is_true_or_false_and_nothing_else,
    what_a_peer_leaves_behind_is_ready,
    the_streams_are_pollable_and_tell_their_descriptor,
    a_pending_read_does_not_keep_a_read_that_does_not_wait_from_working,
);

unsafe extern "C" {
    fn g_file_descriptor_based_get_type() -> GType;
}

/// `g_pollable_input_stream_is_readable()`, as a number.
fn readable(connection: &impl IsA<gio::IOStream>) -> gboolean {
    let stream = pollable_input(connection);
    // SAFETY: a live stream.
    unsafe { gio::ffi::g_pollable_input_stream_is_readable(stream.to_glib_none().0) }
}

/// `g_pollable_output_stream_is_writable()`, as a number.
fn writable(connection: &impl IsA<gio::IOStream>) -> gboolean {
    let stream = pollable_output(connection);
    // SAFETY: a live stream.
    unsafe { gio::ffi::g_pollable_output_stream_is_writable(stream.to_glib_none().0) }
}

/// ST-4, ST-54.
fn a_read_that_would_block_says_so_then_data_then_the_end(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
    assert_eq!(read_now(&connection, 0).unwrap(), b"");
    peer.write_all(b"now").unwrap();
    wait_readable(&connection);
    assert_eq!(read_now(&connection, 2).unwrap(), b"no");
    assert_eq!(read_now(&connection, 2).unwrap(), b"w");
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
    drop(peer);
    wait_readable(&connection);
    assert_eq!(read_now(&connection, 8).unwrap(), b"");
    assert_eq!(read_now(&connection, 8).unwrap(), b"");
    assert_eq!(connection.bytes_read(), 3);
}

/// ST-4.
fn a_write_that_would_block_says_so_until_there_is_room(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = pollable_output(&connection);
    let filled = fill(&connection, &peer);
    assert_fails(
        output.write_nonblocking(b"no", Cancellable::NONE),
        IOErrorEnum::WouldBlock,
    );
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    wait_until(|| output.is_writable());
    assert_eq!(
        output.write_nonblocking(b"yes", Cancellable::NONE).unwrap(),
        3
    );
    let mut received = [0; 3];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"yes");
    assert_eq!(connection.bytes_written(), filled as u64 + 3);
}

/// ST-53.
fn vectors_that_would_block_say_so_without_an_error(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = pollable_output(&connection);
    let vectors = [&b"one "[..], b"", b"two"].map(OutputVector::new);
    let written = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (PollableReturn::Ok, 7));
    let mut received = [0; 7];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"one two");

    fill(&connection, &peer);
    let written = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (PollableReturn::WouldBlock, 0));
    // As C sees it: no error is set, and the count is.
    let raw: Vec<_> = vectors
        .iter()
        .map(|vector| gio::ffi::GOutputVector {
            buffer: vector.as_ptr().cast(),
            size: vector.len(),
        })
        .collect();
    let (mut count, mut failure) = (99, std::ptr::null_mut());
    // SAFETY: live arguments, as many vectors as said.
    let result = unsafe {
        gio::ffi::g_pollable_output_stream_writev_nonblocking(
            output.to_glib_none().0,
            raw.as_ptr(),
            raw.len(),
            &raw mut count,
            std::ptr::null_mut(),
            &raw mut failure,
        )
    };
    assert_eq!(result, gio::ffi::G_POLLABLE_RETURN_WOULD_BLOCK);
    assert_eq!(count, 0);
    assert!(failure.is_null());

    reset(peer);
    wait_until(|| readable(&connection) == GTRUE);
    let failure = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap_err();
    assert_eq!(code(&failure), IOErrorEnum::BrokenPipe);
}

/// ST-6.
fn more_vectors_than_the_system_takes_are_a_short_write(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let bytes = payload(1100, 1);
    let vectors: Vec<_> = bytes.chunks(1).map(OutputVector::new).collect();
    let output = pollable_output(&connection);
    let written = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (PollableReturn::Ok, 1024));
    drop(vectors);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), bytes[..1024]);
}

/// ST-51.
fn a_closed_connection_answers_closed(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"unread").unwrap();
    wait_readable(&connection);
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(read_now(&connection, 8), IOErrorEnum::Closed);
    let output = pollable_output(&connection);
    assert_fails(
        output.write_nonblocking(b"no", Cancellable::NONE),
        IOErrorEnum::Closed,
    );
    let vectors = [OutputVector::new(b"no")];
    assert_fails(
        output.writev_nonblocking(&vectors, Cancellable::NONE),
        IOErrorEnum::Closed,
    );
}

/// F-22: it reads "as with `g_input_stream_read()`", which a closed stream refuses.
fn a_closed_stream_of_an_open_connection_answers_closed(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"data").unwrap();
    wait_readable(&connection);
    connection.input_stream().close(Cancellable::NONE).unwrap();
    assert_fails(read_now(&connection, 8), IOErrorEnum::Closed);
    assert_eq!(connection.bytes_read(), 0);
    connection.output_stream().close(Cancellable::NONE).unwrap();
    let output = pollable_output(&connection);
    assert_fails(
        output.write_nonblocking(b"no", Cancellable::NONE),
        IOErrorEnum::Closed,
    );
    let vectors = [OutputVector::new(b"no")];
    assert_fails(
        output.writev_nonblocking(&vectors, Cancellable::NONE),
        IOErrorEnum::Closed,
    );
    assert_eq!(connection.bytes_written(), 0);
}

/// ST-51.
fn a_cancelled_cancellable_comes_first_and_nothing_is_moved(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let mut buffer = [0; 8];
    let read = pollable_input(&connection).read_nonblocking(&mut buffer, Some(&cancelled));
    assert_fails(read, IOErrorEnum::Cancelled);
    let output = pollable_output(&connection);
    assert_fails(
        output.write_nonblocking(b"no", Some(&cancelled)),
        IOErrorEnum::Cancelled,
    );
    let vectors = [OutputVector::new(b"no")];
    let written = output.writev_nonblocking(&vectors, Some(&cancelled));
    assert_fails(written, IOErrorEnum::Cancelled);
    assert_eq!(read_now(&connection, 8).unwrap(), b"kept");
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
}

/// F-32: GIO hands out the raw poll bits, of which few equal TRUE.
fn readiness_is_true_or_false_and_nothing_else(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    assert_eq!(readable(&connection), GFALSE);
    assert_eq!(writable(&connection), GTRUE);
    peer.write_all(b"x").unwrap();
    wait_until(|| readable(&connection) != GFALSE);
    assert_eq!(readable(&connection), GTRUE);
    read_now(&connection, 8).unwrap();
    assert_eq!(readable(&connection), GFALSE);
    fill(&connection, &peer);
    assert_eq!(writable(&connection), GFALSE);
    // ST-7.
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(readable(&connection), GFALSE);
    assert_eq!(writable(&connection), GFALSE);
}

/// ST-7, SOCK-15: the next operation does not wait, whatever it answers.
fn what_a_peer_leaves_behind_is_ready(make: Make, _: &glib::MainContext) {
    let (connection, peer) = make();
    drop(peer);
    wait_until(|| readable(&connection) != GFALSE);
    assert_eq!(readable(&connection), GTRUE);
    assert_eq!(writable(&connection), GTRUE);

    let (connection, peer) = make();
    fill(&connection, &peer);
    reset(peer);
    wait_until(|| readable(&connection) != GFALSE);
    assert_eq!(readable(&connection), GTRUE);
    assert_eq!(writable(&connection), GTRUE);
}

/// ST-1, ST-9, ST-50.
fn the_streams_are_pollable_and_tell_their_descriptor(make: Make, _: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    // SAFETY: a type function without arguments.
    let based: glib::Type = unsafe { from_glib(g_file_descriptor_based_get_type()) };
    assert!(input.type_().is_a(based));
    assert!(output.type_().is_a(based));
    assert!(input.type_().is_a(gio::PollableInputStream::static_type()));
    assert!(
        output
            .type_()
            .is_a(gio::PollableOutputStream::static_type())
    );
    assert_eq!(
        input.type_().parent().unwrap(),
        gio::InputStream::static_type()
    );
    assert_eq!(
        output.type_().parent().unwrap(),
        gio::OutputStream::static_type()
    );
    assert!(pollable_input(&connection).can_poll());
    assert!(pollable_output(&connection).can_poll());

    let fd = descriptor_of(&input);
    assert!(fd >= 0);
    assert_eq!(descriptor_of(&output), fd);
    assert_eq!(connection.socket().as_raw_fd(), fd);
    assert_eq!(descriptor_of(&input), fd);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(descriptor_of(&input), -1);
    assert_eq!(descriptor_of(&output), -1);
}

/// ST-51, the pending half of F-22, which stays as it is.
fn a_pending_read_does_not_keep_a_read_that_does_not_wait_from_working(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let waiting = start_read(&connection.input_stream(), 8, None);
    iterate_for(context, Duration::from_millis(20));
    peer.write_all(b"mine").unwrap();
    wait_readable(&connection);
    assert_eq!(read_now(&connection, 8).unwrap(), b"mine");
    // The one that waits goes on waiting for its own.
    iterate_for(context, Duration::from_millis(20));
    assert!(!waiting.is_set());
    peer.write_all(b"yours").unwrap();
    assert_eq!(waiting.wait(context).unwrap(), b"yours");
}

/// ST-7, ST-9.
#[test]
fn a_stream_that_another_thread_closes_is_no_longer_ready() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let closer = on_thread(&connection, |connection| {
            connection.close(Cancellable::NONE).unwrap();
        });
        closer.join().unwrap();
        assert_eq!(readable(&connection), GFALSE);
        assert_eq!(writable(&connection), GFALSE);
        assert_eq!(descriptor_of(&connection.input_stream()), -1);
    });
}

/// GLib 2.67.3: the sum of the sizes overflowed. Nobody has so much memory.
fn bug_34_vectors_of_more_than_memory_are_an_error_and_write_nothing(
    make: Make,
    context: &glib::MainContext,
) {
    let half = isize::MAX.unsigned_abs();
    for sizes in [[half, half], [half, 2], [1, half], [usize::MAX, 2]] {
        let (connection, mut peer) = make();
        let mut vectors = sizes.map(|size| gio::ffi::GOutputVector {
            buffer: b"no".as_ptr().cast(),
            size,
        });
        let (mut written, mut failures) = (7, [std::ptr::null_mut(); 2]);
        // SAFETY: live arguments. What the vectors claim to be is the kernel's to refuse.
        let is_done = unsafe {
            gio::ffi::g_output_stream_writev(
                connection.output_stream().to_glib_none().0,
                vectors.as_mut_ptr(),
                vectors.len(),
                &raw mut written,
                std::ptr::null_mut(),
                &raw mut failures[0],
            )
        };
        assert_eq!((is_done, written), (GFALSE, 0), "{sizes:?}");
        // SAFETY: as above.
        let answer = unsafe {
            gio::ffi::g_pollable_output_stream_writev_nonblocking(
                pollable_output(&connection).to_glib_none().0,
                vectors.as_mut_ptr(),
                vectors.len(),
                &raw mut written,
                std::ptr::null_mut(),
                &raw mut failures[1],
            )
        };
        assert_eq!((answer, written), (gio::ffi::G_POLLABLE_RETURN_FAILED, 0));
        for failure in failures {
            // SAFETY: both have failed, so that there is an error, which is ours.
            let failure: glib::Error = unsafe { from_glib_full(failure) };
            // Whichever the kernel finds first: bytes that are not there, or too many.
            let code = code(&failure);
            let refused = [IOErrorEnum::Failed, IOErrorEnum::InvalidArgument];
            let is_ours = failure.message().contains("panicked");
            assert!(refused.contains(&code) && !is_ours, "{sizes:?}: {failure}");
        }
        iterate_until(context, || !context.pending());
        let written = connection
            .output_stream()
            .write(b"as before", Cancellable::NONE);
        assert_eq!(written.unwrap(), 9);
        connection.close(Cancellable::NONE).unwrap();
        assert_eq!(read_to_end(&mut peer), b"as before");
    }
}
