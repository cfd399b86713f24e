//! What two connections do that are spliced: the rest of it is in `facts.rs`.

use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, IOStreamSpliceFlags, prelude::*};
use glib::translate::FromGlib;

use crate::{by_hand::*, support::*, tools::*, under::*};

on_both!(
    ios_25_the_flags_of_a_splice,
    ios_26_a_splice_has_no_source_object,
    ios_27_a_cancelled_splice_ends_both_directions,
    ios_27_the_ends_of_a_splice_are_the_other_streams,
    ios_29_a_splice_closes_after_an_error_too,
    ios_29_a_cancelled_splice_closes_too,
    ios_30_a_splice_copies_and_closes_at_default_priority,
    ios_30_a_direction_that_is_given_up_answers_at_the_priority_of_the_splice,
    ios_31_a_splice_keeps_both_connections,
);

fn ios_25_the_flags_of_a_splice(_: Side, _: &glib::MainContext) {
    // SAFETY: a function without arguments.
    let type_ = unsafe { glib::Type::from_glib(gio::ffi::g_io_stream_splice_flags_get_type()) };
    let class = glib::FlagsClass::with_type(type_).unwrap();
    let values: Vec<_> = class
        .values()
        .iter()
        .map(|value| (value.nick(), value.value()))
        .collect();
    let expected = [
        ("none", 0),
        ("close-stream1", 1),
        ("close-stream2", 2),
        ("wait-for-both", 4),
    ];
    assert_eq!(values, expected);
}

fn ios_26_a_splice_has_no_source_object(side: Side, context: &glib::MainContext) {
    let ((one, first), (other, _second)) = (side.connected(), side.connected());
    let spliced = splice(&one, &other, IOStreamSpliceFlags::NONE, DEFAULT, None);
    assert!(!spliced.is_set());
    drop(first);
    let (source, result) = spliced.wait(context);
    assert!(source.is_none());
    assert!(Task::of(&result).is_of(None));
    assert!(!Task::of(&result).is_of(Some(&one)));
    assert_eq!(finish_splice(&result), Ok(true));
}

fn ios_27_a_cancelled_splice_ends_both_directions(side: Side, context: &glib::MainContext) {
    let ((one, _first), (other, mut second)) = (side.connected(), side.connected());
    let (flags, cancellable) = (IOStreamSpliceFlags::WAIT_FOR_BOTH, Cancellable::new());
    let spliced = splice(&one, &other, flags, DEFAULT, Some(&cancellable));
    iterate_for(context, Duration::from_millis(10));
    assert!(one.input().has_pending());
    assert!(other.input().has_pending());
    cancellable.cancel();
    let (_, result) = spliced.wait(context);
    assert_eq!(finish_splice(&result), Err(IOErrorEnum::Cancelled));
    assert!(!one.input().has_pending());
    assert!(!other.input().has_pending());
    assert!(!one.is_closed());
    assert!(!other.is_closed());
    second.write_all(b"kept").unwrap();
    assert_eq!(read(&other.input(), 8).unwrap(), b"kept");
}

/// The input of the one goes to the output of the other, and the reverse.
fn ios_27_the_ends_of_a_splice_are_the_other_streams(side: Side, context: &glib::MainContext) {
    let ((one, mut first), (other, mut second)) = (side.connected(), side.connected());
    first.write_all(b"to the second").unwrap();
    second.write_all(b"to the first").unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    second.shutdown(Shutdown::Write).unwrap();
    let flags = IOStreamSpliceFlags::CLOSE_STREAM1
        | IOStreamSpliceFlags::CLOSE_STREAM2
        | IOStreamSpliceFlags::WAIT_FOR_BOTH;
    let spliced = splice(&one, &other, flags, DEFAULT, None);
    let (_, result) = spliced.wait(context);
    assert_eq!(finish_splice(&result), Ok(true));
    assert_eq!(read_to_end(&mut first), b"to the first");
    assert_eq!(read_to_end(&mut second), b"to the second");
}

fn ios_29_a_splice_closes_after_an_error_too(side: Side, context: &glib::MainContext) {
    let cases = [
        (IOStreamSpliceFlags::NONE, (false, false)),
        (IOStreamSpliceFlags::CLOSE_STREAM1, (true, false)),
        (IOStreamSpliceFlags::CLOSE_STREAM2, (false, true)),
    ];
    for (flags, closed) in cases {
        let ((one, first), (other, _second)) = (side.connected(), side.connected());
        let spliced = splice(&one, &other, flags, DEFAULT, None);
        iterate_for(context, Duration::from_millis(10));
        reset(first);
        let (_, result) = spliced.wait(context);
        // What came first, and not that the other direction was given up.
        assert_eq!(finish_splice(&result), Err(IOErrorEnum::BrokenPipe));
        assert_eq!((one.is_closed(), other.is_closed()), closed, "{flags:?}");
    }
}

fn ios_29_a_cancelled_splice_closes_too(side: Side, context: &glib::MainContext) {
    let ((one, mut first), (other, mut second)) = (side.connected(), side.connected());
    let flags = IOStreamSpliceFlags::CLOSE_STREAM1 | IOStreamSpliceFlags::CLOSE_STREAM2;
    let cancellable = Cancellable::new();
    let spliced = splice(&one, &other, flags, DEFAULT, Some(&cancellable));
    iterate_for(context, Duration::from_millis(10));
    cancellable.cancel();
    let (_, result) = spliced.wait(context);
    assert_eq!(finish_splice(&result), Err(IOErrorEnum::Cancelled));
    assert!(one.is_closed());
    assert!(other.is_closed());
    assert_eq!(read_to_end(&mut first), b"");
    assert_eq!(read_to_end(&mut second), b"");
}

/// ST-45, F-5: something that is always ready holds all of a low priority up, but not the splice.
fn ios_30_a_splice_copies_and_closes_at_default_priority(side: Side, context: &glib::MainContext) {
    let ((one, mut first), (other, mut second)) = (side.connected(), side.connected());
    let flags = IOStreamSpliceFlags::CLOSE_STREAM1
        | IOStreamSpliceFlags::CLOSE_STREAM2
        | IOStreamSpliceFlags::WAIT_FOR_BOTH;
    let (low, log) = (glib::Priority::LOW, Log::default());
    let _busy = Busy::new(context, glib::Priority::HIGH_IDLE, usize::MAX);
    log.add_when_idle(context, low, "low");
    let spliced = splice(&one, &other, flags, low, None);
    first.write_all(b"copied").unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    second.shutdown(Shutdown::Write).unwrap();
    let (_, result) = spliced.wait(context);
    assert_eq!(finish_splice(&result), Ok(true));
    assert_eq!(log.lines(), [""; 0]);
    assert!(one.is_closed());
    assert!(other.is_closed());
    assert_eq!(read_to_end(&mut second), b"copied");
}

/// ASYNC-3: what is cancelled answers from an idle source, which has the priority.
fn ios_30_a_direction_that_is_given_up_answers_at_the_priority_of_the_splice(
    side: Side,
    context: &glib::MainContext,
) {
    let ((one, first), (other, _second)) = (side.connected(), side.connected());
    let spliced = splice(
        &one,
        &other,
        IOStreamSpliceFlags::NONE,
        glib::Priority::LOW,
        None,
    );
    first.shutdown(Shutdown::Write).unwrap();
    wait_readable(&*one);
    let busy = Busy::new(context, glib::Priority::HIGH_IDLE, 200);
    let (_, result) = spliced.wait(context);
    assert_eq!(busy.dispatched(), 200);
    assert_eq!(finish_splice(&result), Ok(true));
}

fn ios_31_a_splice_keeps_both_connections(side: Side, context: &glib::MainContext) {
    let ((one, first), (other, second)) = (side.connected(), side.connected());
    let gone = (Gone::of(&*one), Gone::of(&*other));
    let spliced = splice(&one, &other, IOStreamSpliceFlags::NONE, DEFAULT, None);
    drop((one, other));
    iterate_for(context, Duration::from_millis(10));
    assert!(!gone.0.is_gone());
    assert!(!gone.1.is_gone());
    let ends: [TcpStream; 2] = [first, second];
    ends[0].shutdown(Shutdown::Write).unwrap();
    let (_, result) = spliced.wait(context);
    assert_eq!(finish_splice(&result), Ok(true));
    drop(result);
    settle(context, Duration::from_millis(10));
    assert!(gone.0.is_gone());
    assert!(gone.1.is_gone());
}
