//! What GIO's input stream does, and ours.

use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{IntoGlib, ToGlibPtr, from_glib_full};

use crate::{differs::differs, support::*, tools::*, under::*};

on_both!(
    st_10_each_stream_has_bits_of_its_own,
    st_11_nothing_to_read_is_zero_in_every_state,
    st_11_more_than_a_count_can_say_is_refused_before_all_else,
    st_13_a_blocking_read_all_that_is_cancelled_tells_what_it_has_got,
    st_13_a_read_all_goes_on_until_it_has_all,
    st_14_bytes_are_what_is_there_and_empty_at_the_end,
    st_15_a_skip_leaves_what_comes_after_and_ends_at_the_end,
    st_15_a_skip_that_is_cancelled_tells_how_far_it_came,
    st_15_a_skip_that_fails_loses_how_far_it_came,
    st_16_a_blocking_close_marks_the_stream_closed,
    st_17_reading_nothing_asynchronously_is_zero_but_for_a_cancelled_one,
    st_17_a_refused_read_does_not_look_at_its_cancellable,
    st_17_a_read_needs_no_callback,
    st_18_an_operation_keeps_the_stream_and_not_the_connection,
    st_19_a_second_operation_is_refused_and_the_first_goes_on,
    st_21_a_read_that_waits_goes_on_waiting_until_there_is_something,
    st_24_an_asynchronous_close_has_closed_by_its_callback,
    st_26_an_asynchronous_skip_goes_piece_by_piece,
    st_27_an_asynchronous_read_all_gets_all_or_comes_to_the_end,
);

/// More than a `gssize` can say.
const TOO_MUCH: usize = usize::MAX;

fn st_10_each_stream_has_bits_of_its_own(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    assert!(!input.is_closed());
    assert!(!input.has_pending());
    input.set_pending().unwrap();
    assert!(input.has_pending());
    assert!(!output.has_pending());
    assert!(!under.has_pending());
    assert_fails(input.set_pending(), IOErrorEnum::Pending);
    assert_eq!(write(&output, b"w").unwrap(), 1);
    input.clear_pending();
    assert!(!input.has_pending());
    input.close(Cancellable::NONE).unwrap();
    assert!(input.is_closed());
    assert!(!output.is_closed());
    assert_fails(input.set_pending(), IOErrorEnum::Closed);
    assert_eq!(write(&output, b"w").unwrap(), 1);
}

fn st_11_nothing_to_read_is_zero_in_every_state(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let input = under.input();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_eq!(input.read([], Some(&cancelled)).unwrap(), 0);
    input.set_pending().unwrap();
    assert_eq!(input.read([], Cancellable::NONE).unwrap(), 0);
    assert!(input.has_pending());
    input.clear_pending();
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(input.read([], Cancellable::NONE).unwrap(), 0);
}

/// `g_input_stream_read()` of so much; the buffer is not touched.
fn read_too_much(input: &gio::InputStream) -> Outcome {
    let (mut buffer, mut failure) = ([0_u8; 8], std::ptr::null_mut());
    // SAFETY: live arguments; a count like this is refused before the buffer is used.
    let count = unsafe {
        gio::ffi::g_input_stream_read(
            input.to_glib_none().0,
            buffer.as_mut_ptr().cast(),
            TOO_MUCH,
            std::ptr::null_mut(),
            &raw mut failure,
        )
    };
    if failure.is_null() {
        return Count(usize::try_from(count).expect("-1 comes with an error"));
    }
    // SAFETY: a set error is ours.
    Fails(code(&unsafe { from_glib_full(failure) }))
}

fn st_11_more_than_a_count_can_say_is_refused_before_all_else(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"kept").unwrap();
    wait_readable(&*under);
    let input = under.input();
    assert_eq!(read_too_much(&input), Fails(IOErrorEnum::InvalidArgument));
    assert!(!input.has_pending());
    // ST-17.
    let refused = Slot::new();
    let put = refused.put();
    // It is not read: the count is refused.
    let mut buffer = [0_u8; 8];
    unsafe extern "C" fn called(
        source: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: glib::ffi::gpointer,
    ) {
        type Put = Box<dyn FnOnce(Outcome)>;
        let mut failure = std::ptr::null_mut();
        // SAFETY: the stream and the task that GIO passes; the box made below, called back once.
        unsafe {
            let count =
                gio::ffi::g_input_stream_read_finish(source.cast(), result, &raw mut failure);
            let put = Box::from_raw(data.cast::<Put>());
            put(if failure.is_null() {
                Count(usize::try_from(count).expect("-1 comes with an error"))
            } else {
                Fails(code(&from_glib_full(failure)))
            });
        }
    }
    let put: Box<Box<dyn FnOnce(Outcome)>> = Box::new(Box::new(put));
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            input.to_glib_none().0,
            buffer.as_mut_ptr(),
            TOO_MUCH,
            DEFAULT.into_glib(),
            std::ptr::null_mut(),
            Some(called),
            Box::into_raw(put).cast(),
        );
    }
    assert!(!refused.is_set());
    assert_eq!(refused.wait(context), Fails(IOErrorEnum::InvalidArgument));
    assert_eq!(read(&input, 8).unwrap(), b"kept");
    // Before it is asked whether the stream is closed.
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(read_too_much(&input), Fails(IOErrorEnum::InvalidArgument));
}

fn st_13_a_blocking_read_all_that_is_cancelled_tells_what_it_has_got(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"some").unwrap();
    let cancellable = Cancellable::new();
    let with = cancellable.clone();
    let reader = on_thread(&under.input(), move |input| {
        let mut buffer = [0; 16];
        let (count, failure) = input.read_all(&mut buffer, Some(&with)).unwrap();
        (buffer[..count].to_vec(), failure.map(|it| code(&it)))
    });
    let pollable = pollable_input(&*under);
    wait_until(|| under.input().has_pending() && !pollable.is_readable());
    a_moment();
    cancellable.cancel();
    let (got, failure) = reader.join().unwrap();
    assert_eq!(got, b"some");
    assert_eq!(failure, Some(IOErrorEnum::Cancelled));
}

fn st_13_a_read_all_goes_on_until_it_has_all(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let reader = on_thread(&under.input(), |input| {
        let mut buffer = [0; 6];
        let (count, failure) = input.read_all(&mut buffer, Cancellable::NONE).unwrap();
        (buffer[..count].to_vec(), failure)
    });
    for piece in [b"one", b"two"] {
        a_moment();
        peer.write_all(piece).unwrap();
    }
    peer.write_all(b"three").unwrap();
    assert_eq!(reader.join().unwrap(), (b"onetwo".to_vec(), None));
    assert_eq!(read(&under.input(), 16).unwrap(), b"three");
}

fn st_14_bytes_are_what_is_there_and_empty_at_the_end(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"there").unwrap();
    let bytes = |count| under.input().read_bytes(count, Cancellable::NONE).unwrap();
    assert_eq!(bytes(3), b"the"[..]);
    assert_eq!(bytes(64), b"re"[..]);
    drop(peer);
    assert_eq!(bytes(64), b""[..]);
}

fn st_15_a_skip_leaves_what_comes_after_and_ends_at_the_end(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let input = under.input();
    let sender = thread::spawn(move || {
        peer.write_all(&payload(20_000, 70)).unwrap();
        // In pieces: a skip waits for the rest.
        a_moment();
        peer.write_all(b"after").unwrap();
    });
    assert_eq!(input.skip(20_001, Cancellable::NONE).unwrap(), 20_001);
    assert_eq!(input.skip(2, Cancellable::NONE).unwrap(), 2);
    assert_eq!(read(&input, 8).unwrap(), b"er");
    sender.join().unwrap();
    assert_eq!(input.skip(1000, Cancellable::NONE).unwrap(), 0);
    assert_eq!(input.skip(0, Cancellable::NONE).unwrap(), 0);
}

fn st_15_a_skip_that_is_cancelled_tells_how_far_it_came(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"some").unwrap();
    wait_readable(&*under);
    let cancellable = Cancellable::new();
    let with = cancellable.clone();
    let skipping = on_thread(&under.input(), move |input| input.skip(100, Some(&with)));
    let pollable = pollable_input(&*under);
    wait_until(|| !pollable.is_readable());
    a_moment();
    cancellable.cancel();
    assert_eq!(skipping.join().unwrap().unwrap(), 4);
}

fn st_15_a_skip_that_fails_loses_how_far_it_came(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"some").unwrap();
    wait_readable(&*under);
    under.socket().set_timeout(1);
    assert_fails(
        under.input().skip(100, Cancellable::NONE),
        IOErrorEnum::TimedOut,
    );
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
}

fn st_16_a_blocking_close_marks_the_stream_closed(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let input = under.input();
    input.set_pending().unwrap();
    assert_fails(input.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(!input.is_closed());
    input.clear_pending();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    input.close(Some(&cancelled)).unwrap();
    assert!(input.is_closed());
    input.close(Cancellable::NONE).unwrap();
    // F-25: nothing of it reaches the socket.
    assert!(!under.is_closed());
    peer.write_all(b"x").unwrap();
    assert_eq!(write(&under.output(), b"y").unwrap(), 1);
    peer.read_exact(&mut [0]).unwrap();
}

fn st_17_reading_nothing_asynchronously_is_zero_but_for_a_cancelled_one(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let input = under.input();
    let reading = start_read(&input, 0, None);
    assert!(!reading.is_set());
    assert_eq!(reading.wait(context).unwrap(), b"");
    input.set_pending().unwrap();
    assert_eq!(start_read(&input, 0, None).wait(context).unwrap(), b"");
    assert!(input.has_pending());
    input.clear_pending();
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(start_read(&input, 0, None).wait(context).unwrap(), b"");
    // ST-23: the finish looks, whatever was read.
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_fails(
        start_read(&input, 0, Some(&cancelled)).wait(context),
        IOErrorEnum::Cancelled,
    );
}

fn st_17_a_refused_read_does_not_look_at_its_cancellable(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let input = under.input();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    input.set_pending().unwrap();
    assert_fails(
        start_read(&input, 8, Some(&cancelled)).wait(context),
        IOErrorEnum::Pending,
    );
    assert!(input.has_pending());
    input.clear_pending();
    input.close(Cancellable::NONE).unwrap();
    assert_fails(
        start_read(&input, 8, Some(&cancelled)).wait(context),
        IOErrorEnum::Closed,
    );
}

fn st_17_a_read_needs_no_callback(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"ab").unwrap();
    wait_readable(&*under);
    let input = under.input();
    let mut buffer = [0_u8; 1];
    // SAFETY: the buffer outlives the operation, which is waited for.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            input.to_glib_none().0,
            buffer.as_mut_ptr(),
            buffer.len(),
            DEFAULT.into_glib(),
            std::ptr::null_mut(),
            None,
            std::ptr::null_mut(),
        );
    }
    assert!(input.has_pending());
    iterate_until(context, || !input.has_pending());
    assert_eq!(buffer, *b"a");
    assert_eq!(read(&input, 8).unwrap(), b"b");
}

fn st_18_an_operation_keeps_the_stream_and_not_the_connection(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let reading = start_read(&under.input(), 8, None);
    iterate_for(context, Duration::from_millis(10));
    let (connection, stream) = (Gone::of(&*under), Gone::of(&under.input()));
    drop(under);
    assert!(connection.is_gone());
    assert!(!stream.is_gone());
    // F-24: GIO's read waits on for this, ours has ended.
    let _ = peer.write_all(b"late");
    let _ = reading.wait(context);
    settle(context, Duration::from_millis(5));
    assert!(stream.is_gone());
}

fn st_19_a_second_operation_is_refused_and_the_first_goes_on(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let input = under.input();
    let first = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(10));
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::Pending,
    );
    let skipped = Slot::new();
    input.skip_async(8, DEFAULT, Cancellable::NONE, skipped.put());
    assert_fails(skipped.wait(context), IOErrorEnum::Pending);
    let closed = Slot::new();
    input.close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_fails(closed.wait(context), IOErrorEnum::Pending);
    assert!(!input.is_closed());
    assert!(input.has_pending());
    assert!(!first.is_set());
    peer.write_all(b"mine").unwrap();
    assert_eq!(first.wait(context).unwrap(), b"mine");
}

/// Something else takes what woke it.
fn st_21_a_read_that_waits_goes_on_waiting_until_there_is_something(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    // In front of the read: it takes the bytes in the iteration that they wake both in.
    let (taken, taker) = (Slot::new(), under.clone());
    let (mut put, front) = (Some(taken.put()), side.in_front_of_a_read());
    let source = pollable_input(&*under).create_source(Cancellable::NONE, None, front, move |_| {
        if let Some(put) = put.take() {
            put(read_now(&*taker, 8));
        }
        glib::ControlFlow::Break
    });
    source.attach(Some(context));
    let reading = start_read(&under.input(), 8, None);
    iterate_for(context, Duration::from_millis(10));
    peer.write_all(b"first").unwrap();
    assert_eq!(taken.wait(context).unwrap(), b"first");
    settle(context, Duration::from_millis(20));
    assert!(!reading.is_set());
    assert!(under.input().has_pending());
    peer.write_all(b"second").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"second");
}

/// ST-21: it has read by the time that the call returns. Ours reads in the dispatch that answers.
#[test]
fn differs_f8_an_asynchronous_read_takes_nothing_before_its_dispatch() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"abc").unwrap();
                wait_readable(&*under);
                let reading = start_read(&under.input(), 8, None);
                let left = Outcome::from(read_now(&*under, 8));
                settle(context, Duration::from_millis(20));
                let answer = if reading.is_set() {
                    reading.wait(context).into()
                } else {
                    Waits
                };
                under.close(Cancellable::NONE).unwrap();
                settle(context, Duration::from_millis(5));
                (left, answer)
            },
            (Fails(IOErrorEnum::WouldBlock), Bytes(b"abc".to_vec())),
            (Bytes(b"abc".to_vec()), Waits),
        );
    });
}

fn st_24_an_asynchronous_close_has_closed_by_its_callback(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (seen, cancelled) = (Slot::new(), Cancellable::new());
    cancelled.cancel();
    let (put, closing) = (seen.put(), under.input());
    // It closes, cancelled or not, and says so.
    under
        .input()
        .close_async(DEFAULT, Some(&cancelled), move |result| {
            put((result.is_ok(), closing.is_closed(), closing.has_pending()));
        });
    assert!(!seen.is_set());
    assert!(under.input().has_pending());
    assert!(!under.input().is_closed());
    assert_fails(read(&under.input(), 8), IOErrorEnum::Pending);
    assert_eq!(seen.wait(context), (true, true, false));
    assert!(!under.is_closed());
    assert!(under.is_connected());
    // Once it is closed, the finish looks.
    let again = Slot::new();
    under
        .input()
        .close_async(DEFAULT, Some(&cancelled), again.put());
    assert_fails(again.wait(context), IOErrorEnum::Cancelled);
    let again = Slot::new();
    under
        .input()
        .close_async(DEFAULT, Cancellable::NONE, again.put());
    assert_eq!(again.wait(context), Ok(()));
}

/// GLib's own loop, around our reads.
fn st_26_an_asynchronous_skip_goes_piece_by_piece(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let input = under.input();
    let skip = |count| {
        let slot = Slot::new();
        input.skip_async(count, DEFAULT, Cancellable::NONE, slot.put());
        slot
    };
    peer.write_all(&payload(20_000, 71)).unwrap();
    let skipping = skip(20_003);
    iterate_until(context, || !pollable_input(&*under).is_readable());
    settle(context, Duration::from_millis(20));
    assert!(!skipping.is_set());
    assert!(input.has_pending());
    peer.write_all(b"12345").unwrap();
    assert_eq!(skipping.wait(context).unwrap(), 20_003);
    assert!(!input.has_pending());
    assert_eq!(read(&input, 8).unwrap(), b"45");
    drop(peer);
    assert_eq!(skip(9).wait(context).unwrap(), 0);
}

fn st_27_an_asynchronous_read_all_gets_all_or_comes_to_the_end(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let read_all = |count| {
        let slot = Slot::new();
        under
            .input()
            .read_all_async(vec![0; count], DEFAULT, Cancellable::NONE, slot.put());
        slot
    };
    let all = read_all(6);
    for piece in [b"one", b"two"] {
        iterate_for(context, Duration::from_millis(10));
        assert!(!all.is_set());
        peer.write_all(piece).unwrap();
    }
    let (buffer, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!((&buffer[..count], failure), (&b"onetwo"[..], None));
    peer.write_all(b"rest").unwrap();
    drop(peer);
    let (buffer, count, failure) = read_all(6).wait(context).plain().unwrap();
    assert_eq!((&buffer[..count], failure), (&b"rest"[..], None));
}
