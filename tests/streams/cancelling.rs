//! Cancelling: before an operation, during it and after it, from this thread and from others.

use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, OutputVector, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*};

over_both!(
    a_blocking_operation_cancelled_before_moves_nothing,
    a_blocking_read_ends_when_another_thread_cancels_it,
    a_blocking_write_ends_when_another_thread_cancels_it,
    a_blocking_read_all_that_is_cancelled_tells_what_it_has,
    a_read_cancelled_before_it_begins_reads_nothing,
    a_read_cancelled_before_its_dispatch_reads_nothing,
    a_read_cancelled_while_it_waits_reads_nothing,
    a_read_that_another_thread_cancels_ends,
    a_read_cancelled_between_its_callback_and_its_finish_keeps_its_bytes,
    a_skip_cancelled_before_its_dispatch_skips_nothing,
    a_write_cancelled_before_it_begins_writes_nothing,
    a_write_cancelled_before_its_dispatch_writes_nothing,
    a_write_cancelled_while_it_waits_writes_nothing,
    vectors_cancelled_before_their_dispatch_are_not_written,
    a_read_all_that_is_cancelled_tells_what_it_has,
    a_write_all_that_is_cancelled_tells_what_went_out,
    cancelling_the_other_direction_disturbs_nothing,
    one_cancellable_cancels_all_of_its_operations,
    a_handler_of_the_cancellable_may_run_the_loop,
    a_cancelled_stream_works_again_with_another_cancellable,
    a_race_of_bytes_and_cancellations_loses_no_byte_while_blocking,
    a_race_of_bytes_and_cancellations_loses_no_byte_in_a_context,
);

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

fn cancelled() -> Cancellable {
    let cancellable = Cancellable::new();
    cancellable.cancel();
    cancellable
}

/// SOCK-5.
fn a_blocking_operation_cancelled_before_moves_nothing(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let cancelled = cancelled();
    assert_fails(input.read([0; 8], Some(&cancelled)), IOErrorEnum::Cancelled);
    assert_fails(input.skip(8, Some(&cancelled)), IOErrorEnum::Cancelled);
    assert_fails(
        output.write(b"no", Some(&cancelled)),
        IOErrorEnum::Cancelled,
    );
    let vectors = [OutputVector::new(b"no")];
    assert_fails(
        output.writev(&vectors, Some(&cancelled)),
        IOErrorEnum::Cancelled,
    );
    assert_eq!(read(&input, 8).unwrap(), b"kept");
    assert_eq!(connection.bytes_written(), 0);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
}

fn a_blocking_read_ends_when_another_thread_cancels_it(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let cancellable = Cancellable::new();
    let reader = read_on_thread(&input, 8, Some(&cancellable));
    assert!(!reader.is_finished());
    cancellable.cancel();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Cancelled);
    peer.write_all(b"later").unwrap();
    assert_eq!(read(&input, 8).unwrap(), b"later");
}

fn a_blocking_write_ends_when_another_thread_cancels_it(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let cancellable = Cancellable::new();
    let with = cancellable.clone();
    let writer = on_thread(&connection.output_stream(), move |output| {
        output.write(&[b'n'; 100_000], Some(&with))
    });
    a_moment();
    assert!(!writer.is_finished());
    cancellable.cancel();
    assert_fails(writer.join().unwrap(), IOErrorEnum::Cancelled);
    connection.close(Cancellable::NONE).unwrap();
    let received = read_to_end(&mut peer);
    assert_eq!(received.len(), filled);
    assert!(received.iter().all(|byte| *byte == b'f'));
}

/// ST-13.
fn a_blocking_read_all_that_is_cancelled_tells_what_it_has(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let cancellable = Cancellable::new();
    let with = cancellable.clone();
    let reader = on_thread(&connection.input_stream(), move |input| {
        let mut buffer = [0; 100];
        let (count, failure) = input.read_all(&mut buffer, Some(&with)).unwrap();
        (
            buffer[..count].to_vec(),
            failure.map(|failure| code(&failure)),
        )
    });
    peer.write_all(b"part").unwrap();
    wait_until(|| connection.bytes_read() == 4);
    cancellable.cancel();
    assert_eq!(
        reader.join().unwrap(),
        (b"part".to_vec(), Some(IOErrorEnum::Cancelled))
    );
}

/// ST-21.
fn a_read_cancelled_before_it_begins_reads_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let reading = start_read(&input, 8, Some(&cancelled()));
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    assert_eq!(connection.bytes_read(), 0);
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"kept");
}

/// GIO has read them by then, and loses them: F-8.
fn a_read_cancelled_before_its_dispatch_reads_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let cancellable = Cancellable::new();
    let reading = start_read(&input, 8, Some(&cancellable));
    cancellable.cancel();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    assert_eq!(connection.bytes_read(), 0);
    assert_eq!(read(&input, 8).unwrap(), b"kept");
}

fn a_read_cancelled_while_it_waits_reads_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let cancellable = Cancellable::new();
    let reading = start_read(&input, 8, Some(&cancellable));
    iterate_for(context, Duration::from_millis(20));
    assert!(!reading.is_set());
    // Both at once: who cancels gets a cancellation, and the bytes stay.
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    cancellable.cancel();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"kept");
}

fn a_read_that_another_thread_cancels_ends(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let cancellable = Cancellable::new();
    let reading = start_read(&input, 8, Some(&cancellable));
    let canceller = thread::spawn(move || {
        a_moment();
        cancellable.cancel();
    });
    // Without a tick that would wake the loop for another reason.
    while !reading.is_set() {
        context.iteration(true);
    }
    canceller.join().unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    peer.write_all(b"later").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"later");
}

/// F-8, ST-23: what has been achieved is not thrown away.
fn a_read_cancelled_between_its_callback_and_its_finish_keeps_its_bytes(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"abc").unwrap();
    wait_readable(&connection);
    let cancellable = Cancellable::new();
    let (read, with) = (Slot::new(), cancellable.clone());
    let put = read.put();
    read_async_in_c(&input, 8, Some(&cancellable), move |input, result| {
        with.cancel();
        put(read_finish(input, result));
    });
    assert_eq!(read.wait(context).unwrap(), 3);

    // And much later.
    peer.write_all(b"defg").unwrap();
    let cancellable = Cancellable::new();
    let result = Slot::new();
    let put = result.put();
    read_async_in_c(&input, 8, Some(&cancellable), move |_, result| {
        put(result.clone())
    });
    let result = result.wait(context);
    cancellable.cancel();
    assert_eq!(read_finish(&input, &result).unwrap(), 4);
    assert_eq!(connection.bytes_read(), 7);
}

/// ST-26.
fn a_skip_cancelled_before_its_dispatch_skips_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let (cancellable, skipped) = (Cancellable::new(), Slot::new());
    input.skip_async(8, DEFAULT, Some(&cancellable), skipped.put());
    cancellable.cancel();
    assert_fails(skipped.wait(context), IOErrorEnum::Cancelled);
    assert_eq!(read(&input, 8).unwrap(), b"kept");
}

/// What the peer gets when `connection` is closed after an "x" to show that it works.
fn received_after(
    connection: &gsock::SocketConnection,
    peer: &mut std::net::TcpStream,
    context: &glib::MainContext,
) -> Vec<u8> {
    let last = start_write(&connection.output_stream(), b"x".to_vec(), None);
    assert_eq!(last.wait(context).unwrap(), 1);
    connection.close(Cancellable::NONE).unwrap();
    read_to_end(peer)
}

/// ST-42.
fn a_write_cancelled_before_it_begins_writes_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let writing = start_write(&output, b"no".to_vec(), Some(&cancelled()));
    assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
    assert_eq!(connection.bytes_written(), 0);
    assert_eq!(received_after(&connection, &mut peer, context), b"x");
}

/// F-8, ST-41: GIO has sent them by then, and says that it has not.
fn a_write_cancelled_before_its_dispatch_writes_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let cancellable = Cancellable::new();
    let writing = start_write(&output, b"no".to_vec(), Some(&cancellable));
    cancellable.cancel();
    assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
    assert_eq!(connection.bytes_written(), 0);
    assert_eq!(received_after(&connection, &mut peer, context), b"x");
}

fn a_write_cancelled_while_it_waits_writes_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let cancellable = Cancellable::new();
    let writing = start_write(
        &connection.output_stream(),
        vec![b'n'; 100_000],
        Some(&cancellable),
    );
    iterate_for(context, Duration::from_millis(20));
    assert!(!writing.is_set());
    cancellable.cancel();
    assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert!(received.iter().all(|byte| *byte == b'f'));
    assert_eq!(received_after(&connection, &mut peer, context), b"x");
}

fn vectors_cancelled_before_their_dispatch_are_not_written(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    for cancellable in [cancelled(), Cancellable::new()] {
        let vectors = Slot::new();
        output.writev_async(["n", "o"], DEFAULT, Some(&cancellable), vectors.put());
        cancellable.cancel();
        assert_eq!(
            code(&vectors.wait(context).unwrap_err().1),
            IOErrorEnum::Cancelled
        );
    }
    assert_eq!(connection.bytes_written(), 0);
    assert_eq!(received_after(&connection, &mut peer, context), b"x");
}

/// ST-27.
fn a_read_all_that_is_cancelled_tells_what_it_has(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"part").unwrap();
    let (cancellable, all) = (Cancellable::new(), Slot::new());
    input.read_all_async(vec![0; 100], DEFAULT, Some(&cancellable), all.put());
    iterate_until(context, || connection.bytes_read() == 4);
    cancellable.cancel();
    let (buffer, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!(&buffer[..count], b"part");
    assert_eq!(code(&failure.unwrap()), IOErrorEnum::Cancelled);
    peer.write_all(b"rest").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"rest");
}

/// ST-47.
fn a_write_all_that_is_cancelled_tells_what_went_out(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let bytes = payload(32 << 20, 21);
    let (cancellable, all) = (Cancellable::new(), Slot::new());
    output.write_all_async(bytes, DEFAULT, Some(&cancellable), all.put());
    let pollable = pollable_output(&connection);
    iterate_until(context, || !pollable.is_writable());
    assert!(!all.is_set(), "nobody reads");
    cancellable.cancel();
    let (bytes, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!(code(&failure.unwrap()), IOErrorEnum::Cancelled);
    assert_eq!(connection.bytes_written(), count as u64);
    assert!(count > 0);
    connection.close(Cancellable::NONE).unwrap();
    let received = read_to_end(&mut peer);
    assert_eq!(received.len(), count);
    assert_eq!(Checksum::of(&received), Checksum::of(&bytes[..count]));
}

fn cancelling_the_other_direction_disturbs_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (with_read, with_write) = (Cancellable::new(), Cancellable::new());
    let reading = start_read(&connection.input_stream(), 8, Some(&with_read));
    let writing = start_write(
        &connection.output_stream(),
        b"out".to_vec(),
        Some(&with_write),
    );
    iterate_for(context, Duration::from_millis(20));
    with_write.cancel();
    assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
    assert!(!reading.is_set());
    let writing = start_write(&connection.output_stream(), b"out".to_vec(), None);
    iterate_for(context, Duration::from_millis(20));
    with_read.cancel();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    assert!(!writing.is_set());
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(writing.wait(context).unwrap(), 3);
}

fn a_cancelled_stream_works_again_with_another_cancellable(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    for _ in 0..3 {
        let cancellable = Cancellable::new();
        let reading = start_read(&input, 8, Some(&cancellable));
        iterate_for(context, Duration::from_millis(10));
        cancellable.cancel();
        assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
        assert!(!input.has_pending());
        assert_eq!(
            start_write(&output, b"w".to_vec(), None).wait(context),
            Ok(1)
        );
    }
    let cancellable = Cancellable::new();
    // One that an operation has used up still cancels nothing that is over.
    peer.write_all(b"x").unwrap();
    assert_eq!(
        start_read(&input, 8, Some(&cancellable))
            .wait(context)
            .unwrap(),
        b"x"
    );
    cancellable.cancel();
    peer.write_all(b"y").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"y");
}

const ROUNDS: usize = 300;

fn a_race_of_bytes_and_cancellations_loses_no_byte_while_blocking(
    make: Make,
    _: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let mut received = Vec::new();
    let sent = payload(ROUNDS, 22);
    for byte in &sent {
        let cancellable = Cancellable::new();
        let canceller = {
            let cancellable = cancellable.clone();
            thread::spawn(move || cancellable.cancel())
        };
        peer.write_all(&[*byte]).unwrap();
        let mut buffer = [0; 8];
        match input.read(&mut buffer, Some(&cancellable)) {
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(failure) => assert_eq!(code(&failure), IOErrorEnum::Cancelled),
        }
        canceller.join().unwrap();
    }
    drop(peer);
    loop {
        let rest = read(&input, 64).unwrap();
        if rest.is_empty() {
            break;
        }
        received.extend_from_slice(&rest);
    }
    assert_eq!(received, sent);
}

fn a_race_of_bytes_and_cancellations_loses_no_byte_in_a_context(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let mut received = Vec::new();
    let sent = payload(ROUNDS, 23);
    for byte in &sent {
        let cancellable = Cancellable::new();
        let reading = start_read(&input, 8, Some(&cancellable));
        let canceller = {
            let cancellable = cancellable.clone();
            thread::spawn(move || cancellable.cancel())
        };
        peer.write_all(&[*byte]).unwrap();
        match reading.wait(context) {
            Ok(bytes) => received.extend_from_slice(&bytes),
            Err(failure) => assert_eq!(code(&failure), IOErrorEnum::Cancelled),
        }
        canceller.join().unwrap();
    }
    drop(peer);
    loop {
        let rest = start_read(&input, 64, None).wait(context).unwrap();
        if rest.is_empty() {
            break;
        }
        received.extend_from_slice(&rest);
    }
    assert_eq!(received, sent);
}

fn one_cancellable_cancels_all_of_its_operations(make: Make, context: &glib::MainContext) {
    let cancellable = Cancellable::new();
    let scenes: Vec<_> = (0..4)
        .map(|_| {
            let (connection, peer) = make();
            fill(&connection, &peer);
            let reading = start_read(&connection.input_stream(), 8, Some(&cancellable));
            let writing = start_write(
                &connection.output_stream(),
                b"no".to_vec(),
                Some(&cancellable),
            );
            (connection, peer, reading, writing)
        })
        .collect();
    iterate_for(context, Duration::from_millis(20));
    cancellable.cancel();
    for (_, _, reading, writing) in &scenes {
        assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
        assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
    }
}

fn a_handler_of_the_cancellable_may_run_the_loop(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let cancellable = Cancellable::new();
    let reading = start_read(&connection.input_stream(), 8, Some(&cancellable));
    iterate_for(context, Duration::from_millis(10));
    let sent = Sent::new((context.clone(), reading.clone()));
    // After the operation's own handler, which it was there first to connect.
    cancellable.connect_cancelled(move |_| {
        let (context, reading) = sent.get();
        iterate_until(context, || reading.is_set());
    });
    cancellable.cancel();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
}
