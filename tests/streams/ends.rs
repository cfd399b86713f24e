//! The streams when the connection ends, changes or is dropped, and futures that are.

use std::{
    io::{Read, Write},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*};

over_both!(
    the_streams_are_the_same_objects_each_time,
    streams_fetched_after_a_close_are_closed,
    closing_both_streams_leaves_the_connection_open,
    a_close_ends_a_read_and_a_write_that_wait,
    a_close_on_another_thread_ends_what_waits_in_a_context,
    a_close_ends_blocking_operations_on_other_threads,
    a_close_under_way_does_not_wait_for_those_it_ends,
    dropping_the_connection_ends_a_read_that_waits,
    dropping_the_connection_ends_a_blocking_read,
    a_stream_that_outlives_its_connection_is_closed,
    a_dropped_connection_ends_at_the_peer,
    a_read_future_that_was_never_polled_reads_nothing,
    a_read_future_dropped_before_its_dispatch_reads_nothing,
    a_read_future_dropped_while_it_waits_reads_nothing,
    a_write_future_dropped_before_its_dispatch_writes_nothing,
    a_write_future_dropped_while_it_waits_writes_nothing,
    a_task_that_is_aborted_reads_nothing,
    a_close_is_not_taken_for_the_peers_end,
    a_close_is_not_taken_for_a_broken_pipe,
    asking_for_the_socket_does_not_disturb_who_waits,
    asking_for_the_socket_does_not_disturb_who_blocks,
);

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// IOS-7, SC-5.
fn the_streams_are_the_same_objects_each_time(make: Make, _: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_eq!(connection.input_stream(), input);
    assert_eq!(connection.output_stream(), output);
    assert_eq!(
        connection.property::<gio::InputStream>("input-stream"),
        input
    );
    assert_eq!(
        connection.property::<gio::OutputStream>("output-stream"),
        output
    );
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(connection.input_stream(), input);
    assert_eq!(connection.output_stream(), output);
}

/// SC-6, F-24.
fn streams_fetched_after_a_close_are_closed(make: Make, context: &glib::MainContext) {
    for asynchronous in [false, true] {
        let (connection, _peer) = make();
        if asynchronous {
            block_on(context, connection.close_future(DEFAULT)).unwrap();
        } else {
            connection.close(Cancellable::NONE).unwrap();
        }
        let (input, output) = (connection.input_stream(), connection.output_stream());
        assert!(input.is_closed());
        assert!(output.is_closed());
        assert_fails(read(&input, 8), IOErrorEnum::Closed);
        assert_fails(write(&output, b"no"), IOErrorEnum::Closed);
        assert_fails(
            start_read(&input, 8, None).wait(context),
            IOErrorEnum::Closed,
        );
    }
}

/// SC-26.
fn closing_both_streams_leaves_the_connection_open(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.input_stream().close(Cancellable::NONE).unwrap();
    connection.output_stream().close(Cancellable::NONE).unwrap();
    iterate_for(context, Duration::from_millis(20));
    assert!(!connection.is_closed());
    assert!(connection.is_connected());
    assert!(connection.is_alive());
    connection
        .socket()
        .send(b"still", Cancellable::NONE)
        .unwrap();
    let mut received = [0; 5];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"still");
}

/// SC-24, F-9: and the streams are marked closed once their operations are answered.
fn a_close_ends_a_read_and_a_write_that_wait(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reading = start_read(&input, 8, None);
    let writing = start_write(&output, b"no".to_vec(), None);
    iterate_for(context, Duration::from_millis(20));
    connection.close(Cancellable::NONE).unwrap();
    assert!(connection.is_closed());
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    assert_fails(writing.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || input.is_closed() && output.is_closed());
    assert_eq!(read_to_end(&mut peer).len(), filled);

    // One that waits does not keep the other from being marked.
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(20));
    connection.close(Cancellable::NONE).unwrap();
    assert!(output.is_closed());
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || input.is_closed());
}

/// F-19, SOCK-43.
fn a_close_on_another_thread_ends_what_waits_in_a_context(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let reading = start_read(&input, 8, None);
    let closer = on_thread(&connection, |connection| {
        a_moment();
        connection.close(Cancellable::NONE).unwrap();
    });
    // Without a tick that would wake the loop for another reason.
    while !reading.is_set() {
        context.iteration(true);
    }
    closer.join().unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || input.is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
}

/// F-19, SOCK-44; F-9.
fn a_close_ends_blocking_operations_on_other_threads(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reader = read_on_thread(&input, 8, None);
    let with_cancellable = Cancellable::new();
    let with = with_cancellable.clone();
    let writer = on_thread(&output, move |output| {
        output.write(&[b'n'; 100_000], Some(&with))
    });
    wait_until(|| output.has_pending());
    a_moment();
    assert!(!reader.is_finished());
    assert!(!writer.is_finished());
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
    assert_fails(writer.join().unwrap(), IOErrorEnum::Closed);
    assert_fails(read(&input, 8), IOErrorEnum::Closed);
    assert_fails(write(&output, b"no"), IOErrorEnum::Closed);
    assert_eq!(read_to_end(&mut peer).len(), filled);
    assert!(input.is_closed(), "the input stream");
    assert!(output.is_closed(), "the output stream");
}

/// IOS-16, SC-24.
fn a_close_under_way_does_not_wait_for_those_it_ends(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(20));
    let closed = Slot::new();
    connection.close_async(DEFAULT, Cancellable::NONE, closed.put());
    closed.wait(context).unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || input.is_closed() && output.is_closed());
}

/// SC-27: GIO's goes on, and keeps the socket open until data comes.
fn dropping_the_connection_ends_a_read_that_waits(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(20));
    let gone = Gone::of(&connection);
    drop(connection);
    assert!(gone.is_gone());
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || input.is_closed());
    drop(input);
    assert_eq!(read_to_end(&mut peer), b"");
}

/// SC-27.
fn dropping_the_connection_ends_a_blocking_read(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let reader = read_on_thread(&input, 8, None);
    assert!(!reader.is_finished());
    drop(connection);
    assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
    assert_fails(read(&input, 8), IOErrorEnum::Closed);
    drop(input);
    assert_eq!(read_to_end(&mut peer), b"");
}

/// IOS-32.
fn a_stream_that_outlives_its_connection_is_closed(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let gone = Gone::of(&connection);
    drop(connection);
    assert!(gone.is_gone());
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert_fails(read(&input, 8), IOErrorEnum::Closed);
    assert_fails(write(&output, b"no"), IOErrorEnum::Closed);
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::Closed,
    );
}

fn a_dropped_connection_ends_at_the_peer(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    assert_eq!(write(&connection.output_stream(), b"last").unwrap(), 4);
    drop(connection);
    assert_eq!(read_to_end(&mut peer), b"last");
}

/// Iterates until the cancellation of a dropped future has been carried out.
fn let_go(stream: &gio::InputStream, context: &glib::MainContext) {
    iterate_until(context, || !stream.has_pending());
}

fn a_read_future_that_was_never_polled_reads_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let reading = input.read_future(vec![0; 8], DEFAULT);
    iterate_for(context, Duration::from_millis(10));
    drop(reading);
    assert_eq!(connection.bytes_read(), 0);
    assert_eq!(read(&input, 8).unwrap(), b"kept");
}

/// RS-7: GIO has read them by then.
fn a_read_future_dropped_before_its_dispatch_reads_nothing(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    let mut reading = input.read_future(vec![0; 8], DEFAULT);
    assert!(poll_once(&mut reading).is_pending());
    drop(reading);
    let_go(&input, context);
    assert_eq!(connection.bytes_read(), 0);
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"kept");
}

fn a_read_future_dropped_while_it_waits_reads_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let mut reading = input.read_future(vec![0; 8], DEFAULT);
    assert!(poll_once(&mut reading).is_pending());
    iterate_for(context, Duration::from_millis(20));
    assert!(poll_once(&mut reading).is_pending());
    // It is there before the wait has been told.
    peer.write_all(b"kept").unwrap();
    wait_readable(&connection);
    drop(reading);
    let_go(&input, context);
    assert_eq!(connection.bytes_read(), 0);
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"kept");
}

fn a_write_future_dropped_before_its_dispatch_writes_nothing(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let mut writing = output.write_future(b"no".to_vec(), DEFAULT);
    assert!(poll_once(&mut writing).is_pending());
    drop(writing);
    iterate_until(context, || !output.has_pending());
    assert_eq!(connection.bytes_written(), 0);
    assert_eq!(
        start_write(&output, b"x".to_vec(), None)
            .wait(context)
            .unwrap(),
        1
    );
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"x");
}

fn a_write_future_dropped_while_it_waits_writes_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let output = connection.output_stream();
    let mut writing = output.write_future(vec![b'n'; 100_000], DEFAULT);
    assert!(poll_once(&mut writing).is_pending());
    iterate_for(context, Duration::from_millis(20));
    drop(writing);
    iterate_until(context, || !output.has_pending());
    connection.close(Cancellable::NONE).unwrap();
    let received = read_to_end(&mut peer);
    assert_eq!(received.len(), filled);
    assert!(received.iter().all(|byte| *byte == b'f'));
}

fn a_task_that_is_aborted_reads_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let reads = input.clone();
    let task = context.spawn_local(async move {
        let _ = reads.read_future(vec![0; 8], DEFAULT).await;
        unreachable!("nothing comes before the end of the task");
    });
    iterate_for(context, Duration::from_millis(20));
    assert!(input.has_pending());
    task.abort();
    // Which keeps the future for as long as it lives.
    drop(task);
    let_go(&input, context);
    peer.write_all(b"kept").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"kept");
}

/// Runs `work` on another thread until it answers, and closes the connection meanwhile.
fn close_under<T: IsA<glib::Object>>(
    connection: &gsock::SocketConnection,
    stream: &T,
    work: impl Fn(&T) -> Result<isize, glib::Error> + Send + 'static,
) -> Result<isize, glib::Error> {
    let (begun, begins) = std::sync::mpsc::channel();
    let busy = on_thread(stream, move |stream| {
        begun.send(()).unwrap();
        loop {
            match work(stream) {
                Err(failure) if failure.matches(IOErrorEnum::WouldBlock) => {}
                result => return result,
            }
        }
    });
    begins.recv().unwrap();
    connection.close(Cancellable::NONE).unwrap();
    busy.join().unwrap()
}

/// Whenever the close comes: before the call, under it, after it.
fn a_close_is_not_taken_for_the_peers_end(make: Make, _: &glib::MainContext) {
    for _ in 0..300 {
        let (connection, _peer) = make();
        let result = close_under(&connection, &pollable_input(&connection), |input| {
            input.read_nonblocking(&mut [0; 8], Cancellable::NONE)
        });
        assert_fails(result, IOErrorEnum::Closed);
    }
}

fn a_close_is_not_taken_for_a_broken_pipe(make: Make, _: &glib::MainContext) {
    for _ in 0..150 {
        let (connection, _peer) = make();
        let result = close_under(&connection, &pollable_output(&connection), |output| {
            loop {
                output.write_nonblocking(b"x", Cancellable::NONE)?;
            }
        });
        assert_fails(result, IOErrorEnum::Closed);
    }
}

/// Where there was a bare descriptor, a `GSocket` is made around it under the reader.
fn asking_for_the_socket_does_not_disturb_who_waits(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let reading = start_read(&connection.input_stream(), 8, None);
    let writing = start_write(&connection.output_stream(), b"out".to_vec(), None);
    iterate_for(context, Duration::from_millis(20));
    let socket = connection.socket();
    assert!(socket.is_connected());
    assert_eq!(connection.property::<gio::Socket>("socket"), socket);
    iterate_for(context, Duration::from_millis(20));
    assert!(!reading.is_set());
    assert!(!writing.is_set());
    peer.write_all(b"in").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"in");
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(writing.wait(context).unwrap(), 3);
    // And from then on as ever: cancelled, and closed under a reader.
    let reading = start_read(&connection.input_stream(), 8, None);
    iterate_for(context, Duration::from_millis(20));
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    assert!(socket.is_closed());
}

fn asking_for_the_socket_does_not_disturb_who_blocks(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let reader = read_on_thread(&input, 8, None);
    let asker = on_thread(&connection, |connection| Sent::new(connection.socket()));
    let socket = asker.join().unwrap().into_inner();
    assert_eq!(connection.socket(), socket);
    a_moment();
    assert!(!reader.is_finished());
    peer.write_all(b"in").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"in");
    // And closed under a reader.
    let reader = read_on_thread(&input, 8, None);
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
    assert!(socket.is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
}

/// SC-27: whoever else holds the socket keeps it.
#[test]
fn a_socket_that_others_hold_survives_a_dropped_connection_and_its_read() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let socket = connection.socket();
        let reading = start_read(&connection.input_stream(), 8, None);
        iterate_for(context, Duration::from_millis(20));
        drop(connection);
        assert_fails(reading.wait(context), IOErrorEnum::Closed);
        assert!(!socket.is_closed());
        assert!(socket.is_connected());
        socket.send(b"mine", Cancellable::NONE).unwrap();
        let mut received = [0; 4];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received, *b"mine");
        peer.write_all(b"yours").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(socket.receive(&mut buffer, Cancellable::NONE).unwrap(), 5);
        assert_eq!(buffer[..5], *b"yours");
        drop(socket);
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn streams_fetched_before_a_connect_work_after_it() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        assert_fails(read(&input, 8), IOErrorEnum::NotConnected);
        assert_fails(
            start_read(&input, 8, None).wait(context),
            IOErrorEnum::NotConnected,
        );
        assert_fails(write(&output, b"no"), IOErrorEnum::BrokenPipe);
        assert!(!input.is_closed());
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(connection.input_stream(), input);
        assert_eq!(connection.output_stream(), output);
        peer.write_all(b"in").unwrap();
        assert_eq!(read(&input, 8).unwrap(), b"in");
        let last = start_write(&output, b"out".to_vec(), None);
        assert_eq!(last.wait(context).unwrap(), 3);
        connection.close(Cancellable::NONE).unwrap();
        assert_eq!(read_to_end(&mut peer), b"out");
    });
}

/// A read that was there first gets the data of the connection that is made under it.
#[test]
fn a_read_that_waits_for_a_connect_in_flight_goes_on_when_it_is_done() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let connected = Slot::new();
        let put = connected.put();
        connection.connect_async(
            &gio_address(address),
            Cancellable::NONE,
            move |c, result| {
                put(c.connect_finish(result));
            },
        );
        let reading = start_read(&connection.input_stream(), 8, None);
        connected.wait(context).unwrap();
        assert!(!reading.is_set());
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"first").unwrap();
        assert_eq!(reading.wait(context).unwrap(), b"first");
    });
}

/// The same two objects, whichever socket the connection has.
#[test]
fn the_streams_follow_the_connection_to_another_socket() {
    on_private_context(|context| {
        let (connection, _first) = connected_bare();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        let (mut peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).unwrap();
        let cancellable = Cancellable::new();
        let reading = start_read(&input, 8, Some(&cancellable));
        iterate_for(context, Duration::from_millis(10));
        assert_fails(connection.set_socket(&socket), IOErrorEnum::Pending);
        cancellable.cancel();
        assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
        connection.set_socket(&socket).unwrap();
        assert_eq!(connection.input_stream(), input);
        assert_eq!(connection.output_stream(), output);
        peer.write_all(b"in").unwrap();
        assert_eq!(read(&input, 8).unwrap(), b"in");
        assert_eq!(
            start_write(&output, b"out".to_vec(), None)
                .wait(context)
                .unwrap(),
            3
        );
        connection.close(Cancellable::NONE).unwrap();
        assert_eq!(read_to_end(&mut peer), b"out");
    });
}
