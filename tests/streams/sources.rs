//! The sources that the pollable streams hand out.

use std::{
    cell::Cell,
    io::{Read, Write},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

over_both!(
    a_source_fires_for_as_long_as_there_is_data,
    a_source_fires_when_there_is_room_and_not_before,
    a_source_fires_when_the_peer_is_gone,
    a_source_fires_when_its_cancellable_is_cancelled,
    a_source_of_a_cancelled_cancellable_fires_at_once,
    a_source_fires_once_when_the_connection_is_closed,
    a_source_fires_once_when_another_thread_closes_the_connection,
    a_source_of_a_closed_connection_fires_once,
    a_source_that_runs_out_of_time_makes_one_operation_of_its_direction_say_so,
    a_source_goes_on_after_its_timeout,
    a_source_has_the_priority_that_it_is_given,
    a_source_future_ends_when_there_is_data,
    a_source_future_that_is_dropped_fires_no_more,
    a_source_that_was_never_attached_leaves_nothing_behind,
    an_attached_source_does_not_keep_a_dropped_connection_open,
    a_context_may_go_with_the_source_that_keeps_the_connection,
);

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// Attaches a source that counts how often it fires.
fn counting_input_source(
    connection: &SocketConnection,
    context: &glib::MainContext,
    cancellable: Option<&Cancellable>,
) -> (glib::Source, Rc<Cell<u32>>) {
    let fired = Rc::new(Cell::new(0));
    let count = fired.clone();
    let input = pollable_input(connection);
    let expected = input.clone();
    let source = input.create_source(cancellable, None, DEFAULT, move |stream| {
        assert_eq!(*stream, expected);
        count.set(count.get() + 1);
        glib::ControlFlow::Continue
    });
    source.attach(Some(context));
    (source, fired)
}

fn counting_output_source(
    connection: &SocketConnection,
    context: &glib::MainContext,
) -> (glib::Source, Rc<Cell<u32>>) {
    let fired = Rc::new(Cell::new(0));
    let count = fired.clone();
    let output = pollable_output(connection);
    let source = output.create_source(Cancellable::NONE, None, DEFAULT, move |_| {
        count.set(count.get() + 1);
        glib::ControlFlow::Continue
    });
    source.attach(Some(context));
    (source, fired)
}

/// Long enough for a source to fire that should not.
fn a_while(context: &glib::MainContext) {
    iterate_for(context, Duration::from_millis(60));
}

/// ST-8.
fn a_source_fires_for_as_long_as_there_is_data(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (source, fired) = counting_input_source(&connection, context, None);
    a_while(context);
    assert_eq!(fired.get(), 0);
    peer.write_all(b"x").unwrap();
    iterate_until(context, || fired.get() >= 3);
    assert_eq!(read_now(&connection, 8).unwrap(), b"x");
    let so_far = fired.get();
    a_while(context);
    assert_eq!(fired.get(), so_far);
    peer.write_all(b"y").unwrap();
    iterate_until(context, || fired.get() > so_far);
    source.destroy();
    let so_far = fired.get();
    a_while(context);
    assert_eq!(fired.get(), so_far);
}

/// ST-8.
fn a_source_fires_when_there_is_room_and_not_before(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (source, fired) = counting_output_source(&connection, context);
    a_while(context);
    assert_eq!(fired.get(), 0);
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    iterate_until(context, || fired.get() > 0);
    source.destroy();
}

/// SOCK-31.
fn a_source_fires_when_the_peer_is_gone(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let (source, fired) = counting_input_source(&connection, context, None);
    drop(peer);
    iterate_until(context, || fired.get() > 0);
    source.destroy();

    let (connection, peer) = make();
    fill(&connection, &peer);
    let (source, fired) = counting_output_source(&connection, context);
    reset(peer);
    iterate_until(context, || fired.get() > 0);
    source.destroy();
}

/// SOCK-32.
fn a_source_fires_when_its_cancellable_is_cancelled(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let cancellable = Cancellable::new();
    let (source, fired) = counting_input_source(&connection, context, Some(&cancellable));
    a_while(context);
    assert_eq!(fired.get(), 0);
    let canceller = cancellable.clone();
    let cancelling = thread::spawn(move || {
        a_moment();
        canceller.cancel();
    });
    iterate_until(context, || fired.get() > 0);
    cancelling.join().unwrap();
    source.destroy();
    // Nothing of it is left for the operations.
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
}

/// SOCK-32.
fn a_source_of_a_cancelled_cancellable_fires_at_once(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let cancellable = Cancellable::new();
    cancellable.cancel();
    let (source, fired) = counting_input_source(&connection, context, Some(&cancellable));
    iterate_until(context, || fired.get() > 0);
    source.destroy();
}

/// SOCK-32.
fn a_source_fires_once_when_the_connection_is_closed(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let (input, read) = counting_input_source(&connection, context, None);
    fill(&connection, &peer);
    let (output, written) = counting_output_source(&connection, context);
    a_while(context);
    connection.close(Cancellable::NONE).unwrap();
    iterate_until(context, || read.get() > 0 && written.get() > 0);
    a_while(context);
    assert_eq!((read.get(), written.get()), (1, 1));
    assert!(!input.is_destroyed());
    input.destroy();
    output.destroy();
}

/// F-19, SOCK-43: a loop that polls meanwhile is woken.
fn a_source_fires_once_when_another_thread_closes_the_connection(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, _peer) = make();
    let (source, fired) = counting_input_source(&connection, context, None);
    let closer = on_thread(&connection, |connection| {
        a_moment();
        connection.close(Cancellable::NONE).unwrap();
    });
    // No tick that would wake the loop for another reason.
    while fired.get() == 0 {
        context.iteration(true);
    }
    closer.join().unwrap();
    a_while(context);
    assert_eq!(fired.get(), 1);
    source.destroy();
}

/// ST-8: GIO logs a warning, and such a source never fires.
fn a_source_of_a_closed_connection_fires_once(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    connection.close(Cancellable::NONE).unwrap();
    let (input, read) = counting_input_source(&connection, context, None);
    let (output, written) = counting_output_source(&connection, context);
    iterate_until(context, || read.get() > 0 && written.get() > 0);
    a_while(context);
    assert_eq!((read.get(), written.get()), (1, 1));
    input.destroy();
    output.destroy();
}

/// SOCK-32, SOCK-33; F-18: one flag for both directions hits the wrong one.
fn a_source_that_runs_out_of_time_makes_one_operation_of_its_direction_say_so(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let begun = Instant::now();
    let (source, fired) = counting_input_source(&connection, context, None);
    iterate_until(context, || fired.get() > 0);
    assert!(begun.elapsed() >= Duration::from_millis(999));
    source.destroy();
    assert_eq!(
        pollable_output(&connection)
            .write_nonblocking(b"other", Cancellable::NONE)
            .unwrap(),
        5
    );
    assert_fails(read_now(&connection, 8), IOErrorEnum::TimedOut);
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
    peer.write_all(b"x").unwrap();
    wait_readable(&connection);
    assert_eq!(read_now(&connection, 8).unwrap(), b"x");

    let filled = fill(&connection, &peer);
    let begun = Instant::now();
    let (source, fired) = counting_output_source(&connection, context);
    iterate_until(context, || fired.get() > 0);
    assert!(begun.elapsed() >= Duration::from_millis(999));
    source.destroy();
    assert_fails(read_now(&connection, 8), IOErrorEnum::WouldBlock);
    let output = pollable_output(&connection);
    assert_fails(
        output.write_nonblocking(b"x", Cancellable::NONE),
        IOErrorEnum::TimedOut,
    );
    let mut received = vec![0; filled + 5];
    peer.read_exact(&mut received).unwrap();
    wait_until(|| output.is_writable());
    assert_eq!(
        output.write_nonblocking(b"x", Cancellable::NONE).unwrap(),
        1
    );
}

/// SOCK-33: the time begins anew after every dispatch.
fn a_source_goes_on_after_its_timeout(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    connection.socket().set_timeout(1);
    let (source, fired) = counting_input_source(&connection, context, None);
    iterate_until(context, || fired.get() > 0);
    assert_fails(read_now(&connection, 8), IOErrorEnum::TimedOut);
    iterate_until(context, || fired.get() > 1);
    assert_eq!(fired.get(), 2);
    assert_fails(read_now(&connection, 8), IOErrorEnum::TimedOut);
    peer.write_all(b"x").unwrap();
    iterate_until(context, || fired.get() > 2);
    assert_eq!(read_now(&connection, 8).unwrap(), b"x");
    source.destroy();
}

fn a_source_has_the_priority_that_it_is_given(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"x").unwrap();
    wait_readable(&connection);
    let log = Log::default();
    let lines = log.clone();
    let source = pollable_input(&connection).create_source(
        Cancellable::NONE,
        None,
        glib::Priority::LOW,
        move |_| {
            lines.add("source");
            glib::ControlFlow::Break
        },
    );
    source.attach(Some(context));
    log.add_when_idle(context, glib::Priority::DEFAULT_IDLE, "idle");
    iterate_until(context, || log.lines().len() == 2);
    assert_eq!(log.lines(), ["idle", "source"]);
}

fn a_source_future_ends_when_there_is_data(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (pollable_input(&connection), pollable_output(&connection));
    block_on(context, async move {
        output
            .create_source_future(Cancellable::NONE, DEFAULT)
            .await;
    });
    let late = thread::spawn(move || {
        a_moment();
        peer.write_all(b"x").unwrap();
        peer
    });
    block_on(context, async move {
        input.create_source_future(Cancellable::NONE, DEFAULT).await;
    });
    assert_eq!(read_now(&connection, 8).unwrap(), b"x");
    late.join().unwrap();
}

fn a_source_future_that_is_dropped_fires_no_more(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let mut waiting = pollable_input(&connection).create_source_future(Cancellable::NONE, DEFAULT);
    assert!(poll_once(&mut waiting).is_pending());
    drop(waiting);
    peer.write_all(b"x").unwrap();
    wait_readable(&connection);
    a_while(context);
    assert_eq!(read_now(&connection, 8).unwrap(), b"x");
}

/// Neither the source nor the transport that it waits on.
fn a_source_that_was_never_attached_leaves_nothing_behind(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = pollable_input(&connection).create_source(Cancellable::NONE, None, DEFAULT, |_| {
        unreachable!("it is not attached")
    });
    let output = pollable_output(&connection).create_source(
        Some(&Cancellable::new()),
        None,
        DEFAULT,
        |_| unreachable!("it is not attached"),
    );
    drop((input, output));
    let gone = Gone::of(&connection.socket());
    drop(connection);
    assert!(gone.is_gone(), "something keeps the socket");
    assert_eq!(read_to_end(&mut peer), b"");
}

/// IOS-32: the streams, which a source keeps alive, do not own the connection.
fn an_attached_source_does_not_keep_a_dropped_connection_open(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (source, fired) = counting_input_source(&connection, context, None);
    a_while(context);
    drop(connection);
    iterate_until(context, || fired.get() > 0);
    a_while(context);
    assert_eq!(fired.get(), 1);
    source.destroy();
    drop(source);
    assert_eq!(read_to_end(&mut peer), b"");
}

/// The connection closes while its context is going, which cannot be woken any more.
fn a_context_may_go_with_the_source_that_keeps_the_connection(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let context = glib::MainContext::new();
    let attached = [pollable_input(&connection), pollable_input(&connection)].map(|input| {
        let keeps = connection.clone();
        let source = input.create_source(Cancellable::NONE, None, DEFAULT, move |_| {
            assert!(!keeps.is_closed());
            glib::ControlFlow::Continue
        });
        source.attach(Some(&context));
        source
    });
    drop(connection);
    context.iteration(false);
    drop(context);
    assert!(attached.iter().all(glib::Source::is_destroyed));
    assert_eq!(read_to_end(&mut peer), b"");
}
