//! The socket's timeout, which bounds every operation by itself.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, OutputVector, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*};

over_both!(
    a_blocking_read_times_out_and_the_next_works,
    a_blocking_write_times_out_and_the_next_works,
    a_read_times_out_and_the_next_works,
    a_write_times_out_and_the_next_works,
    a_read_future_times_out,
    a_timeout_of_one_direction_does_not_hit_the_other,
    a_blocking_timeout_of_one_direction_does_not_hit_the_other,
    each_operation_has_the_whole_time,
    a_timeout_beyond_32_bits_of_microseconds_does_not_wrap,
    a_timeout_does_not_touch_what_does_not_wait,
);

/// A timeout of one second, whose end is not noticed early.
const ONE_SECOND: Duration = Duration::from_millis(999);

/// SOCK-11, SOCK-33.
fn a_blocking_read_times_out_and_the_next_works(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let input = connection.input_stream();
    let begun = Instant::now();
    assert_fails(read(&input, 8), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= ONE_SECOND);
    assert!(!input.is_closed());
    assert!(connection.is_alive());
    peer.write_all(b"x").unwrap();
    assert_eq!(read(&input, 8).unwrap(), b"x");
}

/// SOCK-11.
fn a_blocking_write_times_out_and_the_next_works(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    connection.socket().set_timeout(1);
    let output = connection.output_stream();
    let begun = Instant::now();
    assert_fails(write(&output, &[b'n'; 100_000]), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= ONE_SECOND);
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(write(&output, b"x").unwrap(), 1);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"x");
}

/// SOCK-32, SOCK-33.
fn a_read_times_out_and_the_next_works(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let input = connection.input_stream();
    let begun = Instant::now();
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::TimedOut,
    );
    assert!(begun.elapsed() >= ONE_SECOND);
    assert!(!input.has_pending());
    assert!(connection.is_alive());
    peer.write_all(b"x").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"x");
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
}

/// SOCK-32, SOCK-33.
fn a_write_times_out_and_the_next_works(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    connection.socket().set_timeout(1);
    let output = connection.output_stream();
    let begun = Instant::now();
    let writing = start_write(&output, vec![b'n'; 100_000], None);
    assert_fails(writing.wait(context), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= ONE_SECOND);
    let vectors = Slot::new();
    let begun = Instant::now();
    let nothing = vec![vec![b'n'; 100_000]];
    output.writev_async(
        nothing,
        glib::Priority::DEFAULT,
        Cancellable::NONE,
        vectors.put(),
    );
    assert_eq!(
        code(&vectors.wait(context).unwrap_err().1),
        IOErrorEnum::TimedOut
    );
    assert!(begun.elapsed() >= ONE_SECOND);
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(
        start_write(&output, b"x".to_vec(), None)
            .wait(context)
            .unwrap(),
        1
    );
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"x");
}

fn a_read_future_times_out(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    connection.socket().set_timeout(1);
    let input = connection.input_stream();
    let result = block_on(context, async move {
        bytes_of(input.read_future(vec![0; 8], glib::Priority::DEFAULT).await)
    });
    assert_fails(result, IOErrorEnum::TimedOut);
}

/// F-18: GIO has one flag for the whole socket, and gives it to whoever comes next.
fn a_timeout_of_one_direction_does_not_hit_the_other(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(500));
    let filled = fill(&connection, &peer);
    let writing = start_write(&output, b"w".to_vec(), None);
    assert_fails(reading.wait(context), IOErrorEnum::TimedOut);
    assert!(!writing.is_set());
    // The write began later, and has time left.
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(writing.wait(context).unwrap(), 1);
    assert_eq!(write(&output, b"x").unwrap(), 1);
    peer.write_all(b"y").unwrap();
    assert_eq!(read(&input, 8).unwrap(), b"y");
}

/// F-18.
fn a_blocking_timeout_of_one_direction_does_not_hit_the_other(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let reader = read_on_thread(&input, 8, None);
    assert_fails(reader.join().unwrap(), IOErrorEnum::TimedOut);
    assert_eq!(write(&output, b"w").unwrap(), 1);
    let vectors = [OutputVector::new(b"v")];
    assert_eq!(output.writev(&vectors, Cancellable::NONE).unwrap(), 1);
    let filled = fill(&connection, &peer);
    assert_fails(write(&output, &[b'n'; 100_000]), IOErrorEnum::TimedOut);
    peer.write_all(b"y").unwrap();
    assert_eq!(read(&input, 8).unwrap(), b"y");
    let mut received = vec![0; filled + 2];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received[..2], *b"wv");
}

/// A time that was up, or partly used, is not the next operation's.
fn each_operation_has_the_whole_time(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let input = connection.input_stream();
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(600));
    peer.write_all(b"x").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"x");
    let begun = Instant::now();
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::TimedOut,
    );
    assert!(begun.elapsed() >= ONE_SECOND);
    let begun = Instant::now();
    assert_fails(read(&input, 8), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= ONE_SECOND);
}

/// SOCK-35: 4295 s are 33 ms in GIO's sources.
fn a_timeout_beyond_32_bits_of_microseconds_does_not_wrap(make: Make, context: &glib::MainContext) {
    for seconds in [4295, u32::MAX] {
        let (connection, mut peer) = make();
        connection.socket().set_timeout(seconds);
        let reading = start_read(&connection.input_stream(), 8, None);
        let fired = std::rc::Rc::new(std::cell::Cell::new(false));
        let seen = fired.clone();
        let source = pollable_input(&connection).create_source(
            Cancellable::NONE,
            None,
            glib::Priority::DEFAULT,
            move |_| {
                seen.set(true);
                glib::ControlFlow::Break
            },
        );
        source.attach(Some(context));
        iterate_for(context, Duration::from_millis(200));
        assert!(!reading.is_set(), "{seconds} s");
        assert!(!fired.get(), "{seconds} s");
        peer.write_all(b"x").unwrap();
        assert_eq!(reading.wait(context).unwrap(), b"x");
        source.destroy();
        let reader = read_on_thread(&connection.input_stream(), 8, None);
        assert!(!reader.is_finished());
        peer.write_all(b"y").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b"y");
    }
}

fn a_timeout_does_not_touch_what_does_not_wait(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    iterate_for(context, Duration::from_millis(1100));
    assert!(connection.is_alive());
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
    peer.write_all(b"x").unwrap();
    wait_readable(&connection);
    assert_eq!(
        start_read(&connection.input_stream(), 8, None)
            .wait(context)
            .unwrap(),
        b"x"
    );
    assert_eq!(write(&connection.output_stream(), b"w").unwrap(), 1);
}
