//! The blocking forms.

use std::{
    io::{Read, Write},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, OutputVector, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*};

over_both!(
    a_read_gives_what_is_there,
    a_read_waits_for_the_first_byte,
    reads_and_writes_wait_on_a_nonblocking_socket_too,
    a_blocking_read_does_not_iterate_the_callers_context,
    read_all_reads_up_to_the_count_or_the_end,
    write_all_writes_all_of_it_to_a_slow_peer,
    one_write_of_much_is_short,
    vectors_are_written_in_their_order,
    more_vectors_than_the_system_takes_are_a_short_write,
    writev_all_writes_all_vectors_however_many,
    empty_vectors_write_nothing_and_succeed,
    read_bytes_gives_what_is_there_and_an_empty_end,
    skip_leaves_what_comes_after,
    the_end_of_file_repeats_and_closes_nothing,
    nothing_to_read_or_write_is_no_operation_even_when_closed,
    a_closed_stream_answers_closed_and_closes_again,
    a_second_operation_of_a_direction_is_pending,
    a_stream_that_is_busy_cannot_be_closed,
    a_reader_and_a_writer_thread_do_not_disturb_each_other,
    a_reader_thread_ends_when_the_gsocket_is_closed,
    a_reader_thread_ends_when_its_connection_goes_and_the_gsocket_stays,
    a_write_to_a_peer_that_is_gone_breaks_the_pipe,
    a_reset_is_reported_once_and_then_the_end,
);

/// ST-12.
fn a_read_gives_what_is_there(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"abc").unwrap();
    wait_readable(&connection);
    assert_eq!(read(&connection.input_stream(), 16).unwrap(), b"abc");
    // Less than there is leaves the rest.
    peer.write_all(b"defgh").unwrap();
    assert_eq!(read(&connection.input_stream(), 1).unwrap(), b"d");
    wait_readable(&connection);
    assert_eq!(read(&connection.input_stream(), 2).unwrap(), b"ef");
    assert_eq!(read(&connection.input_stream(), 16).unwrap(), b"gh");
}

/// ST-4.
fn a_read_waits_for_the_first_byte(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let reader = read_on_thread(&connection.input_stream(), 16, None);
    assert!(!reader.is_finished());
    peer.write_all(b"late").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"late");
}

/// ST-4: the socket's blocking flag is of no account.
fn reads_and_writes_wait_on_a_nonblocking_socket_too(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_blocking(false);
    let reader = read_on_thread(&connection.input_stream(), 16, None);
    assert!(!reader.is_finished());
    peer.write_all(b"late").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"late");

    let filled = fill(&connection, &peer);
    let writer = on_thread(&connection.output_stream(), |output| write(output, b"last"));
    a_moment();
    assert!(!writer.is_finished());
    let mut received = vec![0; filled + 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(writer.join().unwrap().unwrap(), 4);
    assert_eq!(received[filled..], *b"last");
}

/// A blocking form blocks its caller and nothing else, and runs nothing of the caller's either.
fn a_blocking_read_does_not_iterate_the_callers_context(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let ran = Arc::new(AtomicBool::new(false));
    let flag = ran.clone();
    let idle = glib::source::idle_source_new(None, glib::Priority::HIGH, move || {
        flag.store(true, Ordering::SeqCst);
        glib::ControlFlow::Break
    });
    idle.attach(Some(context));
    let late = thread::spawn(move || {
        a_moment();
        peer.write_all(b"x").unwrap();
        peer
    });
    let cancellable = Cancellable::new();
    let mut buffer = [0; 8];
    assert_eq!(
        connection
            .input_stream()
            .read(&mut buffer, Some(&cancellable))
            .unwrap(),
        1
    );
    assert!(!ran.load(Ordering::SeqCst), "the read iterated the context");
    late.join().unwrap();
    iterate_until(context, || ran.load(Ordering::SeqCst));
}

/// ST-13.
fn read_all_reads_up_to_the_count_or_the_end(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let pieces = thread::spawn(move || {
        for piece in [&b"ab"[..], b"cd", b"efg"] {
            peer.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
    });
    let input = connection.input_stream();
    let mut buffer = [0; 4];
    assert_eq!(
        input.read_all(&mut buffer, Cancellable::NONE).unwrap(),
        (4, None)
    );
    assert_eq!(buffer, *b"abcd");
    let mut rest = [0; 16];
    assert_eq!(
        input.read_all(&mut rest, Cancellable::NONE).unwrap(),
        (3, None)
    );
    assert_eq!(rest[..3], *b"efg");
    pieces.join().unwrap();
}

/// ST-32.
fn write_all_writes_all_of_it_to_a_slow_peer(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let bytes = payload(4 << 20, 1);
    let expected = bytes.clone();
    let reader = thread::spawn(move || {
        let mut received = vec![0; expected.len()];
        for piece in received.chunks_mut(256 * 1024) {
            thread::sleep(Duration::from_millis(2));
            peer.read_exact(piece).unwrap();
        }
        received == expected
    });
    let written = connection
        .output_stream()
        .write_all(&bytes, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (bytes.len(), None));
    assert!(reader.join().unwrap(), "the peer got other bytes");
    assert_eq!(connection.bytes_written(), bytes.len() as u64);
}

/// ST-5: a write returns after the first bytes that the system took.
fn one_write_of_much_is_short(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let bytes = payload(64 << 20, 2);
    let written = write(&connection.output_stream(), &bytes).unwrap();
    assert!(written > 0);
    assert!(
        written < bytes.len(),
        "nobody reads, and all {written} bytes went out"
    );
    let mut received = vec![0; written];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(Checksum::of(&received), Checksum::of(&bytes[..written]));
}

/// ST-33.
fn vectors_are_written_in_their_order(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let vectors = [&b"one "[..], b"", b"two ", b"three"].map(OutputVector::new);
    let written = connection
        .output_stream()
        .writev(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, 13);
    let mut received = [0; 13];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"one two three");
}

/// ST-6: sendmsg(2) takes 1024; the rest is left to the caller, without an error.
fn more_vectors_than_the_system_takes_are_a_short_write(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let bytes = payload(1500, 3);
    let vectors: Vec<_> = bytes.chunks(1).map(OutputVector::new).collect();
    let written = connection
        .output_stream()
        .writev(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, 1024);
    drop(vectors);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), bytes[..1024]);
}

/// ST-34.
fn writev_all_writes_all_vectors_however_many(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let bytes = payload(3000, 4);
    let vectors: Vec<_> = bytes.chunks(1).map(OutputVector::new).collect();
    let written = connection
        .output_stream()
        .writev_all(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (3000, None));
    drop(vectors);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), bytes);
}

/// ST-33.
fn empty_vectors_write_nothing_and_succeed(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    assert_eq!(output.writev(&[], Cancellable::NONE).unwrap(), 0);
    let empty = [OutputVector::new(b""), OutputVector::new(b"")];
    assert_eq!(output.writev(&empty, Cancellable::NONE).unwrap(), 0);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
}

/// ST-14.
fn read_bytes_gives_what_is_there_and_an_empty_end(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"bytes").unwrap();
    wait_readable(&connection);
    assert_eq!(
        input.read_bytes(100, Cancellable::NONE).unwrap(),
        b"bytes"[..]
    );
    drop(peer);
    assert_eq!(input.read_bytes(100, Cancellable::NONE).unwrap(), b""[..]);
}

/// ST-15.
fn skip_leaves_what_comes_after(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"hello world").unwrap();
    wait_readable(&connection);
    assert_eq!(input.skip(6, Cancellable::NONE).unwrap(), 6);
    assert_eq!(read(&input, 16).unwrap(), b"world");
    peer.write_all(&payload(100_000, 5)).unwrap();
    drop(peer);
    // Through several pieces of its own, up to the end.
    assert_eq!(input.skip(200_000, Cancellable::NONE).unwrap(), 100_000);
    assert_eq!(connection.bytes_read(), 100_011);
}

/// ST-12.
fn the_end_of_file_repeats_and_closes_nothing(make: Make, _: &glib::MainContext) {
    let (connection, peer) = make();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let input = connection.input_stream();
    for _ in 0..3 {
        assert_eq!(read(&input, 16).unwrap(), b"");
    }
    assert!(!input.is_closed());
    assert!(!input.has_pending());
    assert!(!connection.is_closed());
    // The other direction is not ended.
    assert_eq!(write(&connection.output_stream(), b"still").unwrap(), 5);
}

/// ST-11, ST-31.
fn nothing_to_read_or_write_is_no_operation_even_when_closed(make: Make, _: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_eq!(read(&input, 0).unwrap(), b"");
    assert_eq!(write(&output, b"").unwrap(), 0);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read(&input, 0).unwrap(), b"");
    assert_eq!(write(&output, b"").unwrap(), 0);
}

/// ST-16, ST-35, ST-37.
fn a_closed_stream_answers_closed_and_closes_again(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"unread").unwrap();
    wait_readable(&connection);
    output.flush(Cancellable::NONE).unwrap();
    input.close(Cancellable::NONE).unwrap();
    output.close(Cancellable::NONE).unwrap();
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert_fails(read(&input, 4), IOErrorEnum::Closed);
    assert_fails(input.skip(4, Cancellable::NONE), IOErrorEnum::Closed);
    assert_fails(write(&output, b"no"), IOErrorEnum::Closed);
    let vectors = [OutputVector::new(b"no")];
    assert_fails(
        output.writev(&vectors, Cancellable::NONE),
        IOErrorEnum::Closed,
    );
    assert_fails(output.flush(Cancellable::NONE), IOErrorEnum::Closed);
    input.close(Cancellable::NONE).unwrap();
    output.close(Cancellable::NONE).unwrap();
    // SC-26: the connection is not closed by that.
    assert!(!connection.is_closed());
    assert!(connection.is_connected());
    assert!(!connection.socket().is_closed());
}

/// ST-17, ST-19, and IOS-9: the connection itself is not busy.
fn a_second_operation_of_a_direction_is_pending(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reader = read_on_thread(&input, 16, None);
    assert!(input.has_pending());
    assert!(!output.has_pending());
    assert!(!connection.has_pending());
    assert_fails(read(&input, 1), IOErrorEnum::Pending);
    assert_fails(input.skip(1, Cancellable::NONE), IOErrorEnum::Pending);
    // The other direction is free, and the one that waits is not disturbed.
    assert_eq!(write(&output, b"free").unwrap(), 4);
    peer.write_all(b"mine").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"mine");
    assert!(!input.has_pending());
}

/// ST-16, ST-37.
fn a_stream_that_is_busy_cannot_be_closed(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let reader = read_on_thread(&input, 16, None);
    assert_fails(input.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(!input.is_closed());
    peer.write_all(b"x").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"x");
    input.close(Cancellable::NONE).unwrap();
}

/// G-5.
fn a_reader_and_a_writer_thread_do_not_disturb_each_other(make: Make, _: &glib::MainContext) {
    const SIZE: usize = 1 << 20;
    let (connection, peer) = make();
    let mut sink = peer.try_clone().unwrap();
    let mut source = peer;
    let writer = on_thread(&connection.output_stream(), |output| {
        for piece in payload(SIZE, 6).chunks(1000) {
            output.write_all(piece, Cancellable::NONE).unwrap();
        }
    });
    let reader = on_thread(&connection.input_stream(), |input| {
        let mut received = vec![0; SIZE];
        assert_eq!(
            input.read_all(&mut received, Cancellable::NONE).unwrap(),
            (SIZE, None)
        );
        received == payload(SIZE, 7)
    });
    let sent = thread::spawn(move || source.write_all(&payload(SIZE, 7)).unwrap());
    let mut received = vec![0; SIZE];
    sink.read_exact(&mut received).unwrap();
    assert!(received == payload(SIZE, 6));
    writer.join().unwrap();
    sent.join().unwrap();
    assert!(reader.join().unwrap());
}

/// SOCK-15.
fn a_write_to_a_peer_that_is_gone_breaks_the_pipe(make: Make, _: &glib::MainContext) {
    let (connection, peer) = make();
    drop(peer);
    let output = connection.output_stream();
    let failure = loop {
        // The first may still go out: the kernel learns of it by the answer.
        if let Err(failure) = write(&output, b"anybody?") {
            break failure;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code(&failure), IOErrorEnum::BrokenPipe);
    assert_fails(write(&output, b"no"), IOErrorEnum::BrokenPipe);
    let vectors = [OutputVector::new(b"no")];
    assert_fails(
        output.writev(&vectors, Cancellable::NONE),
        IOErrorEnum::BrokenPipe,
    );
    assert!(!output.is_closed());
}

/// SOCK-15: `ConnectionClosed`, which has `BrokenPipe`'s number.
fn a_reset_is_reported_once_and_then_the_end(make: Make, _: &glib::MainContext) {
    let (connection, peer) = make();
    reset(peer);
    let input = connection.input_stream();
    assert_fails(read(&input, 4), IOErrorEnum::BrokenPipe);
    assert_eq!(read(&input, 4).unwrap(), b"");
    assert_eq!(read(&input, 4).unwrap(), b"");
    assert_fails(
        write(&connection.output_stream(), b"no"),
        IOErrorEnum::BrokenPipe,
    );
}

/// SOCK-14.
#[test]
fn an_unconnected_connection_reads_not_connected_and_writes_into_a_broken_pipe() {
    on_private_context(|_| {
        let connection = unconnected();
        assert_fails(
            read(&connection.input_stream(), 4),
            IOErrorEnum::NotConnected,
        );
        assert_fails(
            write(&connection.output_stream(), b"no"),
            IOErrorEnum::BrokenPipe,
        );
    });
}

/// ST-36: with both ends ours, the source's bytes to the last one, then the flags.
#[test]
fn splice_copies_to_the_end_and_closes_what_it_is_told_to() {
    on_private_context(|_| {
        let (from, mut sender) = connected();
        let (to, mut receiver) = connected_bare();
        let bytes = payload(300_000, 8);
        let sent = bytes.clone();
        let sending = thread::spawn(move || {
            sender.write_all(&sent).unwrap();
        });
        let receiving = thread::spawn(move || {
            let mut received = vec![0; 300_000];
            receiver.read_exact(&mut received).unwrap();
            received
        });
        let (input, output) = (from.input_stream(), to.output_stream());
        let flags = gio::OutputStreamSpliceFlags::CLOSE_SOURCE;
        let count = output.splice(&input, flags, Cancellable::NONE).unwrap();
        assert_eq!(count, 300_000);
        sending.join().unwrap();
        assert!(receiving.join().unwrap() == bytes);
        assert!(input.is_closed());
        assert!(!output.is_closed());
        // A source that is closed already.
        let flags = gio::OutputStreamSpliceFlags::CLOSE_TARGET;
        assert_fails(
            output.splice(&input, flags, Cancellable::NONE),
            IOErrorEnum::Closed,
        );
    });
}

/// Whoever has the `GSocket` may close it, and nobody but us tells the thread that waits.
fn a_reader_thread_ends_when_the_gsocket_is_closed(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let reader = read_on_thread(&connection.input_stream(), 4, None);
    connection.socket().close().unwrap();
    iterate_until(context, || reader.is_finished());
    assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
    drop(peer);
}

fn a_reader_thread_ends_when_its_connection_goes_and_the_gsocket_stays(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let reader = read_on_thread(&connection.input_stream(), 4, None);
    let socket = connection.socket();
    drop(connection);
    iterate_until(context, || reader.is_finished());
    assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
    // It is its holder's.
    peer.write_all(b"kept").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(socket.receive(&mut buffer, Cancellable::NONE).unwrap(), 4);
    socket.close().unwrap();
}

/// The mode is not the descriptor's, but that of whatever has been duplicated.
#[test]
fn who_shares_a_descriptor_that_does_not_wait_is_not_made_to_wait() {
    on_private_context(|_| {
        let (mut theirs, ours) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let shared = ours.try_clone().unwrap();
        let connection =
            gsock::SocketConnection::factory_create_connection_from_fd(ours.into()).unwrap();
        // SAFETY: an open descriptor.
        let flags = unsafe { libc::fcntl(shared.as_raw_fd(), libc::F_GETFL) };
        assert_ne!(flags & libc::O_NONBLOCK, 0);
        let reader = read_on_thread(&connection.input_stream(), 8, None);
        assert!(!reader.is_finished());
        theirs.write_all(b"late").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b"late");
    });
}
