//! The forms that answer by callback, and the futures.

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    rc::Rc,
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{IntoGlib, ToGlibPtr, from_glib_full};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

over_both!(
    every_form_of_reading_answers_by_callback,
    every_form_of_writing_answers_by_callback,
    every_form_of_reading_is_a_future_too,
    every_form_of_writing_is_a_future_too,
    splice_copies_to_the_end_in_both_forms,
    the_streams_close_in_both_forms,
    the_connection_closes_in_both_forms,
    no_callback_runs_inside_of_the_call,
    callbacks_run_in_the_context_of_the_call_even_if_it_was_popped_since,
    a_callback_of_low_priority_comes_after_an_idle_of_default_priority,
    a_wait_of_low_priority_ends_after_an_idle_of_default_priority,
    a_callback_of_high_priority_comes_before_an_idle_of_default_priority,
    chained_reads_that_are_ready_do_not_nest,
    chained_writes_that_are_ready_do_not_nest,
    a_second_operation_of_a_direction_is_pending,
    vectors_are_refused_by_a_stream_that_is_busy_or_closed,
    vectors_that_nobody_finishes_do_not_keep_the_stream_busy,
    vectors_of_nothing_need_no_room,
    a_handler_on_a_result_goes_with_the_result,
    both_directions_wait_at_once,
    pending_is_over_when_a_callback_runs,
    the_end_of_file_repeats,
    a_closed_stream_answers_closed_by_callback,
    nothing_to_read_or_write_answers_by_callback,
    a_callback_may_be_absent,
    a_callback_may_run_a_loop_of_its_own,
    a_callback_may_close_the_connection,
    a_callback_may_drop_the_connection,
    a_result_is_taken_once,
    more_vectors_than_the_system_takes_are_a_short_write,
    an_operation_keeps_the_stream_alive_and_not_the_connection,
);

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;
const LOW: glib::Priority = glib::Priority::LOW;

/// ST-17, ST-26, ST-27.
fn every_form_of_reading_answers_by_callback(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"one two three four").unwrap();
    wait_readable(&connection);
    assert_eq!(start_read(&input, 3, None).wait(context).unwrap(), b"one");

    let skipped = Slot::new();
    input.skip_async(1, DEFAULT, Cancellable::NONE, skipped.put());
    assert_eq!(skipped.wait(context).unwrap(), 1);

    let bytes = Slot::new();
    input.read_bytes_async(4, DEFAULT, Cancellable::NONE, bytes.put());
    assert_eq!(bytes.wait(context).unwrap(), b"two "[..]);

    let all = Slot::new();
    input.read_all_async(vec![0; 32], DEFAULT, Cancellable::NONE, all.put());
    iterate_for(context, Duration::from_millis(20));
    assert!(!all.is_set(), "there may be more");
    drop(peer);
    let (buffer, count, failure) = all.wait(context).unwrap();
    assert_eq!((&buffer[..count], failure), (&b"three four"[..], None));
}

/// ST-40, ST-43, ST-46.
fn every_form_of_writing_answers_by_callback(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    assert_eq!(
        start_write(&output, b"one ".to_vec(), None)
            .wait(context)
            .unwrap(),
        4
    );

    let bytes = Slot::new();
    let two = glib::Bytes::from_static(b"two ");
    output.write_bytes_async(&two, DEFAULT, Cancellable::NONE, bytes.put());
    assert_eq!(bytes.wait(context).unwrap(), 4);

    let vectors = Slot::new();
    output.writev_async(
        ["thr", "", "ee "],
        DEFAULT,
        Cancellable::NONE,
        vectors.put(),
    );
    assert_eq!(vectors.wait(context).unwrap().1, 6);

    let flushed = Slot::new();
    output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
    flushed.wait(context).unwrap();

    let all = Slot::new();
    output.write_all_async(b"four ".to_vec(), DEFAULT, Cancellable::NONE, all.put());
    let (_, count, failure) = all.wait(context).unwrap();
    assert_eq!((count, failure), (5, None));

    let all = Slot::new();
    output.writev_all_async(["fi", "", "ve"], DEFAULT, Cancellable::NONE, all.put());
    let (_, count, failure) = all.wait(context).unwrap();
    assert_eq!((count, failure), (4, None));

    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"one two three four five");
}

fn every_form_of_reading_is_a_future_too(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    let late = thread::spawn(move || {
        for piece in [&b"one"[..], b" ", b"two ", b"three four"] {
            a_moment();
            peer.write_all(piece).unwrap();
        }
    });
    block_on(context, async move {
        let one = bytes_of(input.read_future(vec![0; 3], DEFAULT).await).unwrap();
        assert_eq!(one, b"one");
        assert_eq!(input.skip_future(1, DEFAULT).await.unwrap(), 1);
        assert_eq!(
            input.read_bytes_future(4, DEFAULT).await.unwrap(),
            b"two "[..]
        );
        let (rest, count, failure) = input.read_all_future(vec![0; 32], DEFAULT).await.unwrap();
        assert_eq!((&rest[..count], failure), (&b"three four"[..], None));
    });
    late.join().unwrap();
    assert_eq!(connection.bytes_read(), 18);
}

fn every_form_of_writing_is_a_future_too(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    block_on(context, async move {
        assert_eq!(
            output
                .write_future(b"one ".to_vec(), DEFAULT)
                .await
                .unwrap()
                .1,
            4
        );
        let two = glib::Bytes::from_static(b"two ");
        assert_eq!(output.write_bytes_future(&two, DEFAULT).await.unwrap(), 4);
        let vectors = ["thr", "", "ee "];
        assert_eq!(output.writev_future(vectors, DEFAULT).await.unwrap().1, 6);
        output.flush_future(DEFAULT).await.unwrap();
        assert_eq!(
            output
                .write_all_future(b"four ".to_vec(), DEFAULT)
                .await
                .unwrap()
                .1,
            5
        );
        assert_eq!(
            output
                .writev_all_future(["fi", "ve"], DEFAULT)
                .await
                .unwrap()
                .1,
            4
        );
    });
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"one two three four five");
}

/// ST-45.
fn splice_copies_to_the_end_in_both_forms(make: Make, context: &glib::MainContext) {
    for future in [false, true] {
        let (from, mut sender) = make();
        let (to, mut receiver) = make();
        let bytes = payload(100_000, 11);
        let sent = bytes.clone();
        let sending = thread::spawn(move || sender.write_all(&sent).unwrap());
        let receiving = thread::spawn(move || read_to_end(&mut receiver));
        let (input, output) = (from.input_stream(), to.output_stream());
        let flags =
            gio::OutputStreamSpliceFlags::CLOSE_SOURCE | gio::OutputStreamSpliceFlags::CLOSE_TARGET;
        let count = if future {
            block_on(context, output.splice_future(&input, flags, DEFAULT))
        } else {
            let slot = Slot::new();
            output.splice_async(&input, flags, DEFAULT, Cancellable::NONE, slot.put());
            slot.wait(context)
        };
        assert_eq!(count.unwrap(), 100_000);
        assert!(input.is_closed());
        assert!(output.is_closed());
        to.close(Cancellable::NONE).unwrap();
        sending.join().unwrap();
        assert!(receiving.join().unwrap() == bytes);
    }
}

/// ST-24, ST-39; SC-26: the socket stays open.
fn the_streams_close_in_both_forms(make: Make, context: &glib::MainContext) {
    for future in [false, true] {
        let (connection, mut peer) = make();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        if future {
            block_on(context, input.close_future(DEFAULT)).unwrap();
            block_on(context, output.close_future(DEFAULT)).unwrap();
        } else {
            let (read, written) = (Slot::new(), Slot::new());
            input.close_async(DEFAULT, Cancellable::NONE, read.put());
            output.close_async(DEFAULT, Cancellable::NONE, written.put());
            assert!(!read.is_set());
            assert!(!written.is_set());
            read.wait(context).unwrap();
            written.wait(context).unwrap();
        }
        assert!(input.is_closed());
        assert!(output.is_closed());
        assert!(connection.is_connected());
        connection
            .socket()
            .send(b"open", Cancellable::NONE)
            .unwrap();
        let mut received = [0; 4];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received, *b"open");
        // ST-25: again is no error.
        let again = Slot::new();
        input.close_async(DEFAULT, Cancellable::NONE, again.put());
        again.wait(context).unwrap();
    }
}

/// IOS-16, IOS-17.
fn the_connection_closes_in_both_forms(make: Make, context: &glib::MainContext) {
    for future in [false, true] {
        let (connection, mut peer) = make();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        if future {
            block_on(context, connection.close_future(DEFAULT)).unwrap();
        } else {
            let closed = Rc::new(Cell::new(None));
            let seen = closed.clone();
            let closing = connection.clone();
            connection.close_async(DEFAULT, Cancellable::NONE, move |result| {
                seen.set(Some((result.is_ok(), closing.is_closed())));
            });
            assert_eq!(closed.get(), None);
            assert!(connection.has_pending());
            iterate_until(context, || closed.get().is_some());
            assert_eq!(closed.get(), Some((true, true)));
        }
        assert!(connection.is_closed());
        assert!(!connection.has_pending());
        assert!(input.is_closed());
        assert!(output.is_closed());
        assert_eq!(read_to_end(&mut peer), b"");
    }
}

/// ASYNC-2: whatever there is to answer at once.
fn no_callback_runs_inside_of_the_call(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"ready").unwrap();
    wait_readable(&connection);
    let cancelled = Cancellable::new();
    cancelled.cancel();

    let read = start_read(&input, 8, None);
    assert!(!read.is_set());
    let busy = start_read(&input, 8, None);
    assert!(!busy.is_set());
    assert_eq!(read.wait(context).unwrap(), b"ready");
    assert_fails(busy.wait(context), IOErrorEnum::Pending);

    let read = start_read(&input, 8, Some(&cancelled));
    assert!(!read.is_set());
    assert_fails(read.wait(context), IOErrorEnum::Cancelled);

    let written = start_write(&output, b"x".to_vec(), None);
    assert!(!written.is_set());
    written.wait(context).unwrap();

    let vectors = Slot::new();
    output.writev_async(["x"], DEFAULT, Cancellable::NONE, vectors.put());
    assert!(!vectors.is_set());
    vectors.wait(context).unwrap();

    let flushed = Slot::new();
    output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
    assert!(!flushed.is_set());
    flushed.wait(context).unwrap();

    connection.close(Cancellable::NONE).unwrap();
    let read = start_read(&input, 8, None);
    let written = start_write(&output, b"x".to_vec(), None);
    assert!(!read.is_set());
    assert!(!written.is_set());
    assert_fails(read.wait(context), IOErrorEnum::Closed);
    assert_fails(written.wait(context), IOErrorEnum::Closed);
}

/// ASYNC-1.
fn callbacks_run_in_the_context_of_the_call_even_if_it_was_popped_since(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let other = glib::MainContext::new();
    let called = Rc::new(RefCell::new(Vec::new()));
    let note = |name: &'static str| {
        let (called, other) = (called.clone(), other.clone());
        move || {
            assert_eq!(glib::MainContext::ref_thread_default(), other, "{name}");
            called.borrow_mut().push(name);
        }
    };
    let (read, written, vectors, flushed, closed) = (
        note("read"),
        note("write"),
        note("writev"),
        note("flush"),
        note("close"),
    );
    other
        .with_thread_default(|| {
            input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |result| {
                assert_eq!(bytes_of(result).unwrap(), b"x");
                read();
            });
            output.write_async(b"w".to_vec(), DEFAULT, Cancellable::NONE, move |result| {
                result.unwrap();
                written();
            });
        })
        .unwrap();
    // Ready or not, nothing happens elsewhere.
    peer.write_all(b"x").unwrap();
    wait_readable(&connection);
    iterate_for(context, Duration::from_millis(40));
    assert!(called.borrow().is_empty());
    iterate_until(&other, || called.borrow().len() == 2);

    other
        .with_thread_default(|| {
            output.writev_async(["v"], DEFAULT, Cancellable::NONE, move |result| {
                result.unwrap();
                vectors();
            });
        })
        .unwrap();
    iterate_for(context, Duration::from_millis(20));
    assert_eq!(called.borrow().len(), 2);
    iterate_until(&other, || called.borrow().len() == 3);

    other
        .with_thread_default(|| {
            output.flush_async(DEFAULT, Cancellable::NONE, move |result| {
                result.unwrap();
                flushed();
            });
            input.close_async(DEFAULT, Cancellable::NONE, move |result| {
                result.unwrap();
                closed();
            });
        })
        .unwrap();
    iterate_for(context, Duration::from_millis(20));
    assert_eq!(called.borrow().len(), 3);
    iterate_until(&other, || called.borrow().len() == 5);
}

/// Starts an operation, then an idle of default priority, and tells who came first.
fn order(
    context: &glib::MainContext,
    idle: glib::Priority,
    start: impl FnOnce(Log),
) -> Vec<&'static str> {
    let log = Log::default();
    start(log.clone());
    log.add_when_idle(context, idle, "idle");
    iterate_until(context, || log.lines().len() == 2);
    log.lines()
}

/// ASYNC-6; F-5: GIO drops the priority of a write, of a flush and of both kinds of close.
fn a_callback_of_low_priority_comes_after_an_idle_of_default_priority(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"ready").unwrap();
    wait_readable(&connection);
    let lines = order(context, DEFAULT, |log| {
        input.read_async(vec![0; 1], LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("read");
        });
    });
    assert_eq!(lines, ["idle", "read"]);
    // Not by the wait alone: an idle proper has a lower priority than the default too.
    let lines = order(context, glib::Priority::DEFAULT_IDLE, |log| {
        input.read_async(vec![0; 1], LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("read");
        });
    });
    assert_eq!(lines, ["idle", "read"]);
    let lines = order(context, DEFAULT, |log| {
        input.skip_async(1, LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("skip");
        });
    });
    assert_eq!(lines, ["idle", "skip"]);
    let lines = order(context, DEFAULT, |log| {
        output.write_async(b"x".to_vec(), LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("write");
        });
    });
    assert_eq!(lines, ["idle", "write"]);
    let lines = order(context, DEFAULT, |log| {
        output.writev_async(["x"], LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("writev");
        });
    });
    assert_eq!(lines, ["idle", "writev"]);
    let lines = order(context, DEFAULT, |log| {
        output.flush_async(LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("flush");
        });
    });
    assert_eq!(lines, ["idle", "flush"]);
    let lines = order(context, DEFAULT, |log| {
        input.close_async(LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("close");
        });
    });
    assert_eq!(lines, ["idle", "close"]);
    let lines = order(context, DEFAULT, |log| {
        output.close_async(LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("close");
        });
    });
    assert_eq!(lines, ["idle", "close"]);
    let lines = order(context, DEFAULT, |log| {
        connection.close_async(LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            log.add("close");
        });
    });
    assert_eq!(lines, ["idle", "close"]);
}

/// F-5: the wait of GIO's write has the default priority.
fn a_wait_of_low_priority_ends_after_an_idle_of_default_priority(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let log = Log::default();
    let lines = log.clone();
    connection
        .input_stream()
        .read_async(vec![0; 1], LOW, Cancellable::NONE, move |result| {
            result.unwrap();
            lines.add("read");
        });
    let filled = fill(&connection, &peer);
    let lines = log.clone();
    let output = connection.output_stream();
    output.write_async(b"x".to_vec(), LOW, Cancellable::NONE, move |result| {
        result.unwrap();
        lines.add("write");
    });
    iterate_for(context, Duration::from_millis(20));
    assert!(log.lines().is_empty());
    peer.write_all(b"x").unwrap();
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    wait_until(|| pollable_output(&connection).is_writable());
    wait_readable(&connection);
    log.add_when_idle(context, DEFAULT, "idle");
    iterate_until(context, || log.lines().len() == 3);
    assert_eq!(log.lines()[0], "idle");
}

/// ASYNC-6.
fn a_callback_of_high_priority_comes_before_an_idle_of_default_priority(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    peer.write_all(b"ready").unwrap();
    wait_readable(&connection);
    let log = Log::default();
    log.add_when_idle(context, DEFAULT, "idle");
    let lines = log.clone();
    let high = glib::Priority::HIGH;
    connection
        .input_stream()
        .read_async(vec![0; 1], high, Cancellable::NONE, move |result| {
            result.unwrap();
            lines.add("read");
        });
    let lines = log.clone();
    let output = connection.output_stream();
    output.write_async(b"x".to_vec(), high, Cancellable::NONE, move |result| {
        result.unwrap();
        lines.add("write");
    });
    iterate_until(context, || log.lines().len() == 3);
    assert_eq!(log.lines()[2], "idle");
}

/// What a chain of operations has seen.
#[derive(Clone, Default)]
struct Chain {
    depth: Rc<Cell<u32>>,
    deepest: Rc<Cell<u32>>,
    done: Rc<Cell<u32>>,
}

impl Chain {
    fn step(&self, next: impl FnOnce()) {
        self.depth.set(self.depth.get() + 1);
        self.deepest.set(self.deepest.get().max(self.depth.get()));
        self.done.set(self.done.get() + 1);
        if self.done.get() < 5 {
            next();
        }
        self.depth.set(self.depth.get() - 1);
    }

    fn read(&self, input: &gio::InputStream) {
        let (chain, again) = (self.clone(), input.clone());
        input.read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
            assert_eq!(result.unwrap().1, 1);
            chain.step(|| chain.read(&again));
        });
    }

    fn write(&self, output: &gio::OutputStream) {
        let (chain, again) = (self.clone(), output.clone());
        output.write_async(b"x".to_vec(), DEFAULT, Cancellable::NONE, move |result| {
            assert_eq!(result.unwrap().1, 1);
            chain.step(|| chain.write(&again));
        });
    }

    /// Iterates to the end, and tells in how many of the iterations something happened.
    fn run(&self, context: &glib::MainContext) -> u32 {
        let mut iterations = 0;
        while self.done.get() < 5 {
            let before = self.done.get();
            context.iteration(true);
            if self.done.get() > before {
                iterations += 1;
            }
        }
        iterations
    }
}

/// ASYNC-5.
fn chained_reads_that_are_ready_do_not_nest(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"12345").unwrap();
    wait_readable(&connection);
    let chain = Chain::default();
    chain.read(&connection.input_stream());
    assert_eq!(chain.run(context), 5);
    assert_eq!(chain.deepest.get(), 1);
}

/// ASYNC-5.
fn chained_writes_that_are_ready_do_not_nest(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let chain = Chain::default();
    chain.write(&connection.output_stream());
    assert_eq!(chain.run(context), 5);
    assert_eq!(chain.deepest.get(), 1);
}

/// ST-17, ST-19.
fn a_second_operation_of_a_direction_is_pending(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let first = start_read(&input, 8, None);
    assert!(input.has_pending());
    // IOS-9.
    assert!(!connection.has_pending());
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::Pending,
    );
    assert_fails(read(&input, 8), IOErrorEnum::Pending);
    let skipped = Slot::new();
    input.skip_async(1, DEFAULT, Cancellable::NONE, skipped.put());
    assert_fails(skipped.wait(context), IOErrorEnum::Pending);
    let closed = Slot::new();
    input.close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_fails(closed.wait(context), IOErrorEnum::Pending);

    let filled = fill(&connection, &peer);
    let waiting = start_write(&output, b"w".to_vec(), None);
    assert!(output.has_pending());
    assert_fails(
        start_write(&output, b"no".to_vec(), None).wait(context),
        IOErrorEnum::Pending,
    );
    assert_fails(write(&output, b"no"), IOErrorEnum::Pending);
    let vectors = [gio::OutputVector::new(b"no")];
    assert_fails(
        output.writev(&vectors, Cancellable::NONE),
        IOErrorEnum::Pending,
    );
    let vectors = Slot::new();
    output.writev_async(["no"], DEFAULT, Cancellable::NONE, vectors.put());
    assert_eq!(
        code(&vectors.wait(context).unwrap_err().1),
        IOErrorEnum::Pending
    );
    assert!(
        output.has_pending(),
        "who was refused took the place of who waits"
    );
    let spliced = Slot::new();
    let (source, flags) = (make(), gio::OutputStreamSpliceFlags::NONE);
    let source = source.0.input_stream();
    output.splice_async(&source, flags, DEFAULT, Cancellable::NONE, spliced.put());
    assert_fails(spliced.wait(context), IOErrorEnum::Pending);
    let flushed = Slot::new();
    output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
    assert_fails(flushed.wait(context), IOErrorEnum::Pending);
    let closed = Slot::new();
    output.close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_fails(closed.wait(context), IOErrorEnum::Pending);
    assert!(!waiting.is_set());

    peer.write_all(b"mine").unwrap();
    assert_eq!(first.wait(context).unwrap(), b"mine");
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(waiting.wait(context).unwrap(), 1);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"w");
}

/// ST-43.
fn vectors_are_refused_by_a_stream_that_is_busy_or_closed(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let vectors = Slot::new();
    output.writev_async(["v"], DEFAULT, Cancellable::NONE, vectors.put());
    assert!(output.has_pending());
    assert_fails(write(&output, b"no"), IOErrorEnum::Pending);
    assert_fails(output.close(Cancellable::NONE), IOErrorEnum::Pending);
    let again = Slot::new();
    output.writev_async(["no"], DEFAULT, Cancellable::NONE, again.put());
    assert_eq!(
        code(&again.wait(context).unwrap_err().1),
        IOErrorEnum::Pending
    );
    assert_eq!(vectors.wait(context).unwrap().1, 1);
    assert!(!output.has_pending());

    output.close(Cancellable::NONE).unwrap();
    let vectors = Slot::new();
    output.writev_async(["no"], DEFAULT, Cancellable::NONE, vectors.put());
    assert_eq!(
        code(&vectors.wait(context).unwrap_err().1),
        IOErrorEnum::Closed
    );
    assert!(!output.has_pending());
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"v");
}

/// F-6, ST-43: GIO's stream is busy for ever then.
fn vectors_that_nobody_finishes_do_not_keep_the_stream_busy(
    make: Make,
    context: &glib::MainContext,
) {
    unsafe extern "C" fn called(
        stream: *mut glib::gobject_ffi::GObject,
        _: *mut gio::ffi::GAsyncResult,
        data: glib::ffi::gpointer,
    ) {
        // SAFETY: the stream that the operation was started on, and the cell given with it.
        unsafe {
            let pending = gio::ffi::g_output_stream_has_pending(stream.cast());
            (*data.cast::<Cell<Option<i32>>>()).set(Some(pending));
        }
    }
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let vectors = [gio::ffi::GOutputVector {
        buffer: b"v".as_ptr().cast(),
        size: 1,
    }];
    let pending = Cell::new(None);
    // SAFETY: vectors and cell outlive the operation, whose callback is waited for.
    unsafe {
        gio::ffi::g_output_stream_writev_async(
            output.to_glib_none().0,
            vectors.as_ptr(),
            vectors.len(),
            DEFAULT.into_glib(),
            std::ptr::null_mut(),
            Some(called),
            (&raw const pending).cast_mut().cast(),
        );
    }
    iterate_until(context, || pending.get().is_some());
    assert_eq!(pending.get(), Some(glib::ffi::GFALSE));
    assert_eq!(write(&output, b"w").unwrap(), 1);
    connection.close(Cancellable::NONE).unwrap();
    assert!(output.is_closed());
    assert_eq!(read_to_end(&mut peer), b"vw");
}

fn both_directions_wait_at_once(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let reading = start_read(&connection.input_stream(), 8, None);
    let writing = start_write(&connection.output_stream(), b"out".to_vec(), None);
    iterate_for(context, Duration::from_millis(20));
    assert!(!reading.is_set());
    assert!(!writing.is_set());
    peer.write_all(b"in").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"in");
    assert!(!writing.is_set());
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(writing.wait(context).unwrap(), 3);
}

/// ST-17.
fn pending_is_over_when_a_callback_runs(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"ab").unwrap();
    let (read, again) = (Slot::new(), Slot::new());
    let (put, put_again, stream) = (read.put(), again.put(), input.clone());
    input.read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
        put((bytes_of(result).unwrap(), stream.has_pending()));
        stream.read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
            put_again(bytes_of(result).unwrap());
        });
    });
    assert_eq!(read.wait(context), (b"a".to_vec(), false));
    assert_eq!(again.wait(context), b"b");

    let (written, stream) = (Slot::new(), output.clone());
    let put = written.put();
    output.write_async(b"x".to_vec(), DEFAULT, Cancellable::NONE, move |_| {
        put((stream.has_pending(), write(&stream, b"y")));
    });
    assert_eq!(written.wait(context), (false, Ok(1)));
}

/// ST-12.
fn the_end_of_file_repeats(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let input = connection.input_stream();
    let waiting = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(20));
    drop(peer);
    assert_eq!(waiting.wait(context).unwrap(), b"");
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"");
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"");
    assert!(!input.is_closed());
}

/// ST-17, ST-38.
fn a_closed_stream_answers_closed_by_callback(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::Closed,
    );
    assert_fails(
        start_write(&output, b"no".to_vec(), None).wait(context),
        IOErrorEnum::Closed,
    );
    let skipped = Slot::new();
    input.skip_async(1, DEFAULT, Cancellable::NONE, skipped.put());
    assert_fails(skipped.wait(context), IOErrorEnum::Closed);
    let vectors = Slot::new();
    output.writev_async(["no"], DEFAULT, Cancellable::NONE, vectors.put());
    assert_eq!(
        code(&vectors.wait(context).unwrap_err().1),
        IOErrorEnum::Closed
    );
    let flushed = Slot::new();
    output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
    assert_fails(flushed.wait(context), IOErrorEnum::Closed);
}

/// ST-17, ST-40, ST-43.
fn nothing_to_read_or_write_answers_by_callback(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_eq!(start_read(&input, 0, None).wait(context).unwrap(), b"");
    assert_eq!(
        start_write(&output, Vec::new(), None)
            .wait(context)
            .unwrap(),
        0
    );
    let vectors = Slot::new();
    output.writev_async(
        Vec::<Vec<u8>>::new(),
        DEFAULT,
        Cancellable::NONE,
        vectors.put(),
    );
    assert_eq!(vectors.wait(context).unwrap().1, 0);
    let vectors = Slot::new();
    output.writev_async([""], DEFAULT, Cancellable::NONE, vectors.put());
    assert_eq!(vectors.wait(context).unwrap().1, 0);
    assert_eq!(connection.bytes_written(), 0);
}

/// ST-17.
fn a_callback_may_be_absent(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"ab").unwrap();
    wait_readable(&connection);
    let mut buffer = *b"?";
    // SAFETY: live arguments; the buffers outlive the operations, whose end is waited for.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            input.to_glib_none().0,
            buffer.as_mut_ptr(),
            1,
            DEFAULT.into_glib(),
            std::ptr::null_mut(),
            None,
            std::ptr::null_mut(),
        );
        gio::ffi::g_output_stream_write_async(
            output.to_glib_none().0,
            b"w".as_ptr().cast_mut(),
            1,
            DEFAULT.into_glib(),
            std::ptr::null_mut(),
            None,
            std::ptr::null_mut(),
        );
    }
    iterate_until(context, || !input.has_pending() && !output.has_pending());
    assert_eq!(buffer, *b"a");
    assert_eq!(read(&input, 8).unwrap(), b"b");
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"w");
}

/// A second finish, and one with another operation's result, are answered with an error.
fn a_result_is_taken_once(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"abc").unwrap();
    wait_readable(&connection);
    let kept = Slot::new();
    let put = kept.put();
    read_async_in_c(&input, 3, None, move |input, result| {
        put((read_finish(input, result), result.clone()));
    });
    let (first, result) = kept.wait(context);
    assert_eq!(first.unwrap(), 3);
    assert_fails(read_finish(&input, &result), IOErrorEnum::InvalidArgument);

    // A read of another stream, and a write's finish for a read.
    let (other, _other_peer) = make();
    let kept = Slot::new();
    let put = kept.put();
    peer.write_all(b"def").unwrap();
    read_async_in_c(&input, 3, None, move |_, result| put(result.clone()));
    let result = kept.wait(context);
    let mut failure = std::ptr::null_mut();
    // SAFETY: live arguments, of the wrong kind, as a mistaken C program would pass them straight
    // to the slot.
    let count = unsafe {
        let class = *output
            .as_ptr()
            .cast::<*const gio::ffi::GOutputStreamClass>();
        let slot = (*class).write_finish.unwrap();
        slot(
            output.to_glib_none().0,
            result.to_glib_none().0,
            &raw mut failure,
        )
    };
    assert_eq!(count, -1);
    // SAFETY: an error was set, and it is ours.
    let failure: glib::Error = unsafe { from_glib_full(failure) };
    assert_eq!(code(&failure), IOErrorEnum::InvalidArgument);
    let mut failure = std::ptr::null_mut();
    // SAFETY: likewise.
    let count = unsafe {
        let stream = other.input_stream();
        let class = *stream.as_ptr().cast::<*const gio::ffi::GInputStreamClass>();
        let slot = (*class).read_finish.unwrap();
        slot(
            stream.to_glib_none().0,
            result.to_glib_none().0,
            &raw mut failure,
        )
    };
    assert_eq!(count, -1);
    // SAFETY: as above.
    let failure: glib::Error = unsafe { from_glib_full(failure) };
    assert_eq!(code(&failure), IOErrorEnum::InvalidArgument);
    // It is still there for whom it belongs to.
    assert_eq!(read_finish(&input, &result).unwrap(), 3);
}

/// ST-6.
fn more_vectors_than_the_system_takes_are_a_short_write(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let output = connection.output_stream();
    let bytes = payload(1500, 12);
    let vectors: Vec<Vec<u8>> = bytes.chunks(1).map(<[u8]>::to_vec).collect();
    let short = Slot::new();
    output.writev_async(vectors.clone(), DEFAULT, Cancellable::NONE, short.put());
    assert_eq!(short.wait(context).unwrap().1, 1024);
    let all = Slot::new();
    output.writev_all_async(vectors, DEFAULT, Cancellable::NONE, all.put());
    let (_, count, failure) = all.wait(context).unwrap();
    assert_eq!((count, failure), (1500, None));
    connection.close(Cancellable::NONE).unwrap();
    let received = read_to_end(&mut peer);
    assert_eq!(received[..1024], bytes[..1024]);
    assert_eq!(received[1024..], bytes);
}

/// ST-18.
fn an_operation_keeps_the_stream_alive_and_not_the_connection(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let waiting = start_read(&connection.input_stream(), 8, None);
    iterate_for(context, Duration::from_millis(20));
    let (gone, stream) = (Gone::of(&connection), Gone::of(&connection.input_stream()));
    peer.write_all(b"x").unwrap();
    assert_eq!(waiting.wait(context).unwrap(), b"x");
    let waiting = start_read(&connection.input_stream(), 8, None);
    drop(connection);
    assert!(gone.is_gone());
    assert!(!stream.is_gone());
    assert_fails(waiting.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || stream.is_gone());
}

/// The reader may be on a thread other than the connection's.
#[test]
fn an_operation_started_on_another_thread_answers_there() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let reader = on_thread(&connection, |connection: &SocketConnection| {
            let context = glib::MainContext::new();
            let input = connection.input_stream();
            context
                .with_thread_default(|| start_read(&input, 8, None).wait(&context).unwrap())
                .unwrap()
        });
        a_moment();
        peer.write_all(b"there").unwrap();
        wait_until(|| reader.is_finished());
        assert_eq!(reader.join().unwrap(), b"there");
        assert_eq!(connection.bytes_read(), 5);
        iterate_for(context, Duration::from_millis(1));
    });
}

fn a_callback_may_run_a_loop_of_its_own(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    peer.write_all(b"a").unwrap();
    let late = thread::spawn(move || {
        a_moment();
        peer.write_all(b"b").unwrap();
        peer
    });
    let seen = Slot::new();
    let (put, nested, again) = (seen.put(), context.clone(), input.clone());
    input.read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
        let first = bytes_of(result).unwrap();
        let written = start_write(&output, b"w".to_vec(), None);
        // The second waits, within the callback of the first.
        let second = start_read(&again, 1, None).wait(&nested).unwrap();
        assert_eq!(written.wait(&nested).unwrap(), 1);
        put((first, second));
    });
    assert_eq!(seen.wait(context), (b"a".to_vec(), b"b".to_vec()));
    late.join().unwrap();
}

fn a_callback_may_close_the_connection(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let waiting = start_write(&output, b"no".to_vec(), None);
    let seen = Slot::new();
    let (put, closing) = (seen.put(), connection.clone());
    input.read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
        result.unwrap();
        put(closing.close(Cancellable::NONE));
    });
    peer.write_all(b"x").unwrap();
    seen.wait(context).unwrap();
    assert_fails(waiting.wait(context), IOErrorEnum::Closed);
    iterate_until(context, || input.is_closed() && output.is_closed());
    assert_eq!(read_to_end(&mut peer).len(), filled);
}

fn a_callback_may_drop_the_connection(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (gone, input) = (Gone::of(&connection), connection.input_stream());
    let output = connection.output_stream();
    let waiting = start_read(&input, 1, None);
    output.write_async(b"x".to_vec(), DEFAULT, Cancellable::NONE, move |result| {
        result.unwrap();
        drop(connection);
    });
    iterate_until(context, || gone.is_gone());
    assert_fails(waiting.wait(context), IOErrorEnum::Closed);
    drop((input, output));
    iterate_until(context, || true);
    assert_eq!(read_to_end(&mut peer), b"x");
}

/// G-5, with a loop for each direction.
#[test]
fn a_reader_and_a_writer_context_do_not_disturb_each_other() {
    const SIZE: usize = 2 << 20;
    on_private_context(|_| {
        let (one, other) = pair(connected_bare);
        let in_a_context = |connection: &SocketConnection, read: bool, seed: u64| {
            on_thread(connection, move |connection| {
                let (input, output) = (connection.input_stream(), connection.output_stream());
                let context = glib::MainContext::new();
                let work = async move {
                    if read {
                        let got = input.read_all_future(vec![0; SIZE], DEFAULT).await.unwrap();
                        assert!(got.0 == payload(SIZE, seed));
                        got.1
                    } else {
                        let bytes = payload(SIZE, seed);
                        output
                            .write_all_future(bytes, DEFAULT)
                            .await
                            .plain()
                            .unwrap()
                            .1
                    }
                };
                context
                    .with_thread_default(|| block_on(&context, work))
                    .unwrap()
            })
        };
        let workers = [
            in_a_context(&one, true, 13),
            in_a_context(&one, false, 14),
            in_a_context(&other, false, 13),
            in_a_context(&other, true, 14),
        ];
        for worker in workers {
            assert_eq!(worker.join().unwrap(), SIZE);
        }
    });
}

/// C need not own the context that it calls in.
#[test]
fn a_read_that_c_starts_on_a_thread_without_a_loop_answers_in_the_default_context() {
    on_default_context(|context| {
        let (connection, mut peer) = connected();
        let here = thread::current().id();
        let answer = std::sync::Arc::new(std::sync::Mutex::new(None));
        let put = answer.clone();
        let starter = on_thread(&connection.input_stream(), move |input| {
            assert_ne!(thread::current().id(), here);
            read_async_in_c(input, 8, None, move |input, result| {
                let count = read_finish(input, result).map_err(|failure| code(&failure));
                *put.lock().unwrap() = Some((thread::current().id(), count));
            });
        });
        starter.join().unwrap();
        peer.write_all(b"there").unwrap();
        iterate_until(context, || answer.lock().unwrap().is_some());
        assert_eq!(answer.lock().unwrap().take(), Some((here, Ok(5))));
    });
}

/// Also where it is known already that there is none.
fn vectors_of_nothing_need_no_room(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    fill(&connection, &peer);
    let output = connection.output_stream();
    let cancellable = Cancellable::new();
    let waiting = start_write(&output, b"no".to_vec(), Some(&cancellable));
    iterate_for(context, Duration::from_millis(20));
    cancellable.cancel();
    assert_fails(waiting.wait(context), IOErrorEnum::Cancelled);
    let empty = Slot::new();
    let put = empty.put();
    let start = move |_| output.writev_async([""], DEFAULT, Cancellable::NONE, put);
    let input = connection.input_stream();
    input.read_async([0], DEFAULT, Cancellable::NONE, start);
    iterate_for(context, Duration::from_millis(20));
    peer.write_all(b"1").unwrap();
    assert_eq!(empty.wait(context).unwrap().1, 0);
}

/// A result is used again by us, and not with what its user has left on it.
fn a_handler_on_a_result_goes_with_the_result(make: Make, context: &glib::MainContext) {
    unsafe extern "C" fn called(
        _: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: glib::ffi::gpointer,
    ) {
        unsafe extern "C" fn notified() {}
        unsafe extern "C" fn gone(data: glib::ffi::gpointer, _: *mut glib::gobject_ffi::GClosure) {
            // SAFETY: the cells that were given with the operation.
            unsafe { (*data.cast::<[Cell<bool>; 2]>())[1].set(true) };
        }
        // SAFETY: a live result, and the cells that were given with the operation.
        unsafe {
            glib::gobject_ffi::g_signal_connect_data(
                result.cast(),
                c"notify".as_ptr(),
                Some(notified),
                data,
                Some(gone),
                0,
            );
            (*data.cast::<[Cell<bool>; 2]>())[0].set(true);
        }
    }
    let (connection, mut peer) = make();
    let input = connection.input_stream();
    peer.write_all(b"one").unwrap();
    let mut buffer = [0_u8; 8];
    let called_and_gone = [Cell::new(false), Cell::new(false)];
    // SAFETY: buffer and cells outlive the operation, whose callback is waited for.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            input.to_glib_none().0,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            DEFAULT.into_glib(),
            std::ptr::null_mut(),
            Some(called),
            (&raw const called_and_gone).cast_mut().cast(),
        );
    }
    iterate_until(context, || called_and_gone[0].get());
    while context.iteration(false) {}
    assert!(called_and_gone[1].get(), "the handler is still there");
}
