//! What GIO's output stream does, and ours.

use std::{
    io::{Read, Write},
    os::fd::{FromRawFd, OwnedFd},
    ptr,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, OutputStreamSpliceFlags, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full};

use crate::{differs::differs, support::*, tools::*, under::*};

on_both!(
    st_5_one_write_of_much_is_short,
    st_6_the_vectors_of_one_write_are_one_message,
    st_30_an_output_stream_that_closes_says_so,
    st_31_nothing_to_write_is_zero_in_every_state,
    st_31_more_than_a_count_can_say_is_refused_before_all_else,
    st_32_a_blocking_write_all_that_is_cancelled_tells_what_went_out,
    st_32_a_write_all_goes_on_until_all_is_written,
    st_33_vectors_that_fail_have_written_nothing,
    st_34_vectors_of_more_than_a_count_can_say_are_refused,
    st_34_all_vectors_are_written_and_moved_on_meanwhile,
    st_35_a_flush_needs_an_open_and_idle_stream,
    st_36_a_splice_from_or_into_a_closed_stream_fails,
    st_36_a_splice_that_fails_closes_what_it_is_told_to,
    st_37_a_blocking_close_marks_the_stream_closed,
    st_37_a_close_flushes_first_and_closes_though_that_fails,
    st_39_a_cancelled_close_says_so_and_has_closed,
    st_40_writing_nothing_asynchronously_is_zero_but_for_a_cancelled_one,
    st_40_a_write_that_waits_goes_on_when_there_is_room,
    st_42_a_write_cancelled_before_answers_an_iteration_later,
    st_43_vectors_are_written_asynchronously,
    st_44_empty_vectors_are_written_asynchronously,
    st_45_an_asynchronous_splice_that_fails_closes_what_it_is_told_to,
    st_46_an_asynchronous_flush_is_pending_until_its_callback,
    st_47_an_asynchronous_write_all_writes_all,
);

/// More than a `gssize` can say.
const TOO_MUCH: usize = usize::MAX;

fn st_5_one_write_of_much_is_short(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let bytes = vec![b'5'; 64 << 20];
    let count = write(&under.output(), &bytes).unwrap();
    assert_ne!(count, 0);
    assert!(count < bytes.len());
    let mut received = vec![0; count];
    peer.read_exact(&mut received).unwrap();
    assert!(received.iter().all(|byte| *byte == b'5'));
    let count = start_write(&under.output(), bytes, None)
        .wait(context)
        .unwrap();
    assert!(count < 64 << 20);
}

fn st_6_the_vectors_of_one_write_are_one_message(side: Side, context: &glib::MainContext) {
    let (one, other) = seqpacket_pair();
    let under = side.around(&gio::Socket::from_fd(one).unwrap());
    let other = gio::Socket::from_fd(other).unwrap();
    let received = || {
        let mut buffer = [0; 64];
        let count = other.receive(&mut buffer, Cancellable::NONE).unwrap();
        buffer[..count].to_vec()
    };
    let vectors = [&b"one "[..], b"", b"message"].map(gio::OutputVector::new);
    let output = under.output();
    assert_eq!(output.writev(&vectors, Cancellable::NONE).unwrap(), 11);
    assert_eq!(received(), b"one message");
    let pollable = pollable_output(&*under);
    assert_eq!(
        pollable
            .writev_nonblocking(&vectors, Cancellable::NONE)
            .unwrap(),
        (gio::PollableReturn::Ok, 11)
    );
    assert_eq!(received(), b"one message");
    let written = Slot::new();
    output.writev_async(
        ["one ", "", "message"],
        DEFAULT,
        Cancellable::NONE,
        written.put(),
    );
    assert_eq!(written.wait(context).plain().unwrap().1, 11);
    assert_eq!(received(), b"one message");
}

fn st_30_an_output_stream_that_closes_says_so(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let output = under.output();
    assert!(!output.is_closing());
    assert!(!output.is_closed());
    let seen = Slot::new();
    let (put, closing) = (seen.put(), output.clone());
    output.close_async(DEFAULT, Cancellable::NONE, move |result| {
        put((result.is_ok(), closing.is_closed(), closing.has_pending()));
    });
    assert!(output.is_closing());
    assert!(output.has_pending());
    assert!(!output.is_closed());
    assert_fails(write(&output, b"no"), IOErrorEnum::Pending);
    assert_eq!(seen.wait(context), (true, true, false));
    assert!(!output.is_closing());
    assert!(!under.is_closed());
}

fn st_31_nothing_to_write_is_zero_in_every_state(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let output = under.output();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_eq!(output.write(b"", Some(&cancelled)).unwrap(), 0);
    output.set_pending().unwrap();
    assert_eq!(write(&output, b"").unwrap(), 0);
    assert!(output.has_pending());
    output.clear_pending();
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(write(&output, b"").unwrap(), 0);
}

/// `g_output_stream_write()` of so much; the bytes are not touched.
fn write_too_much(output: &gio::OutputStream) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments; a count like this is refused before the bytes are used.
    unsafe {
        let count = gio::ffi::g_output_stream_write(
            output.to_glib_none().0,
            b"no".as_ptr().cast_mut().cast(),
            TOO_MUCH,
            ptr::null_mut(),
            &raw mut failure,
        );
        if failure.is_null() {
            Count(usize::try_from(count).expect("-1 comes with an error"))
        } else {
            Fails(code(&from_glib_full(failure)))
        }
    }
}

fn st_31_more_than_a_count_can_say_is_refused_before_all_else(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    assert_eq!(write_too_much(&output), Fails(IOErrorEnum::InvalidArgument));
    assert!(!output.has_pending());
    assert_eq!(write(&output, b"yes").unwrap(), 3);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(write_too_much(&output), Fails(IOErrorEnum::InvalidArgument));
    assert_eq!(read_to_end(&mut peer), b"yes");
}

fn st_32_a_blocking_write_all_that_is_cancelled_tells_what_went_out(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let cancellable = Cancellable::new();
    let with = cancellable.clone();
    let writer = on_thread(&under.output(), move |output| {
        let bytes = payload(32 << 20, 81);
        let (count, failure) = output.write_all(&bytes, Some(&with)).unwrap();
        let sum = Checksum::of(&bytes[..count]);
        (count, failure.map(|it| code(&it)), sum)
    });
    let pollable = pollable_output(&*under);
    wait_until(|| under.output().has_pending() && !pollable.is_writable());
    a_moment();
    cancellable.cancel();
    let (count, failure, sum) = writer.join().unwrap();
    assert_eq!(failure, Some(IOErrorEnum::Cancelled));
    assert_ne!(count, 0);
    under.close(Cancellable::NONE).unwrap();
    let received = read_to_end(&mut peer);
    assert_eq!((received.len(), Checksum::of(&received)), (count, sum));
}

fn st_32_a_write_all_goes_on_until_all_is_written(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let writer = on_thread(&under, |under| {
        let bytes = payload(32 << 20, 82);
        let result = under.output().write_all(&bytes, Cancellable::NONE);
        under.close(Cancellable::NONE).unwrap();
        (result, Checksum::of(&bytes))
    });
    let received = read_to_end(&mut peer);
    let (result, sum) = writer.join().unwrap();
    assert_eq!(result, Ok((32 << 20, None)));
    assert_eq!(Checksum::of(&received), sum);
}

/// `g_output_stream_writev()`, and the count that it leaves.
fn write_vectors(
    output: &gio::OutputStream,
    vectors: &mut [gio::ffi::GOutputVector],
    all: bool,
) -> (Outcome, usize) {
    let (mut written, mut failure) = (99, ptr::null_mut());
    // SAFETY: live arguments; the vectors are as many as said, and name what outlives the call, or
    // so much that they are refused.
    unsafe {
        let (stream, start) = (output.to_glib_none(), vectors.as_mut_ptr());
        let (count, none) = (vectors.len(), ptr::null_mut());
        let done = if all {
            gio::ffi::g_output_stream_writev_all(
                stream.0,
                start,
                count,
                &raw mut written,
                none,
                &raw mut failure,
            )
        } else {
            gio::ffi::g_output_stream_writev(
                stream.0,
                start,
                count,
                &raw mut written,
                none,
                &raw mut failure,
            )
        };
        let outcome = if failure.is_null() {
            Count(done.try_into().expect("a boolean"))
        } else {
            Fails(code(&from_glib_full(failure)))
        };
        (outcome, written)
    }
}

fn vector(bytes: &[u8]) -> gio::ffi::GOutputVector {
    gio::ffi::GOutputVector {
        buffer: bytes.as_ptr().cast(),
        size: bytes.len(),
    }
}

fn st_33_vectors_that_fail_have_written_nothing(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    let mut vectors = [vector(b"one"), vector(b""), vector(b"two")];
    assert_eq!(write_vectors(&output, &mut vectors, false), (Count(1), 6));
    assert_eq!(write_vectors(&output, &mut [], false), (Count(1), 0));
    output.set_pending().unwrap();
    assert_eq!(
        write_vectors(&output, &mut vectors, false),
        (Fails(IOErrorEnum::Pending), 0)
    );
    output.clear_pending();
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(
        write_vectors(&output, &mut vectors, false),
        (Fails(IOErrorEnum::Closed), 0)
    );
    assert_eq!(write_vectors(&output, &mut [], false), (Count(1), 0));
    assert_eq!(read_to_end(&mut peer), b"onetwo");
}

fn st_34_vectors_of_more_than_a_count_can_say_are_refused(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    let mut endless = [vector(b"no"), vector(b"no")];
    endless[0].size = usize::MAX;
    assert_eq!(
        write_vectors(&output, &mut endless, true),
        (Fails(IOErrorEnum::InvalidArgument), 0)
    );
    let mut empty = [vector(b""), vector(b"")];
    assert_eq!(write_vectors(&output, &mut empty, true), (Count(1), 0));
    under.close(Cancellable::NONE).unwrap();
    // There is nothing to be refused.
    assert_eq!(write_vectors(&output, &mut empty, true), (Count(1), 0));
    assert_eq!(read_to_end(&mut peer), b"");
}

fn st_34_all_vectors_are_written_and_moved_on_meanwhile(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let writer = on_thread(&under, |under| {
        let bytes = payload(32 << 20, 83);
        let mut vectors = [vector(b"a"), vector(&bytes)];
        let result = write_vectors(&under.output(), &mut vectors, true);
        under.close(Cancellable::NONE).unwrap();
        (result, vectors[1].size, Checksum::of(b"a").and(&bytes))
    });
    let received = read_to_end(&mut peer);
    let (result, left, sum) = writer.join().unwrap();
    assert_eq!(result, (Count(1), 1 + (32 << 20)));
    assert_eq!(Checksum::of(&received), sum);
    // The second was written in parts: the caller's own vector says what the last of them was.
    assert!(left < 32 << 20);
}

fn st_35_a_flush_needs_an_open_and_idle_stream(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let output = under.output();
    output.flush(Cancellable::NONE).unwrap();
    output.set_pending().unwrap();
    assert_fails(output.flush(Cancellable::NONE), IOErrorEnum::Pending);
    output.clear_pending();
    output.close(Cancellable::NONE).unwrap();
    assert_fails(output.flush(Cancellable::NONE), IOErrorEnum::Closed);
}

fn st_36_a_splice_from_or_into_a_closed_stream_fails(side: Side, _: &glib::MainContext) {
    let splice = |from: &Under, to: &Under, flags| {
        Outcome::from(to.output().splice(&from.input(), flags, Cancellable::NONE))
    };
    let ((from, mut sender), (to, _receiver)) = (side.connected(), side.connected());
    sender.write_all(b"kept").unwrap();
    wait_readable(&*from);
    to.output().set_pending().unwrap();
    let none = OutputStreamSpliceFlags::NONE;
    assert_eq!(splice(&from, &to, none), Fails(IOErrorEnum::Pending));
    to.output().clear_pending();
    to.output().close(Cancellable::NONE).unwrap();
    assert_eq!(splice(&from, &to, none), Fails(IOErrorEnum::Closed));
    assert_eq!(read_now(&*from, 8).unwrap(), b"kept");
    let (to, _receiver) = side.connected();
    from.input().close(Cancellable::NONE).unwrap();
    assert_eq!(splice(&from, &to, none), Fails(IOErrorEnum::Closed));
    assert!(!to.output().is_closed());
}

fn st_36_a_splice_that_fails_closes_what_it_is_told_to(side: Side, _: &glib::MainContext) {
    let ((from, sender), (to, _receiver)) = (side.connected(), side.connected());
    reset(sender);
    wait_readable(&*from);
    let flags = OutputStreamSpliceFlags::CLOSE_SOURCE | OutputStreamSpliceFlags::CLOSE_TARGET;
    let spliced = to.output().splice(&from.input(), flags, Cancellable::NONE);
    assert_fails(spliced, IOErrorEnum::BrokenPipe);
    assert!(from.input().is_closed());
    assert!(to.output().is_closed());
    assert!(!from.is_closed());
    assert!(!to.is_closed());
}

fn st_37_a_blocking_close_marks_the_stream_closed(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    output.set_pending().unwrap();
    assert_fails(output.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(!output.is_closed());
    output.clear_pending();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    output.close(Some(&cancelled)).unwrap();
    assert!(output.is_closed());
    output.close(Cancellable::NONE).unwrap();
    // F-25: the peer is told nothing.
    assert!(under.is_connected());
    peer.set_nonblocking(true).unwrap();
    let nothing = peer.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

/// A buffered stream has something to flush.
fn st_37_a_close_flushes_first_and_closes_though_that_fails(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let buffered = gio::BufferedOutputStream::new(&under.output());
    assert_eq!(write(buffered.upcast_ref(), b"late").unwrap(), 4);
    peer.set_nonblocking(true).unwrap();
    assert!(peer.read(&mut [0; 8]).is_err());
    peer.set_nonblocking(false).unwrap();
    buffered.close(Cancellable::NONE).unwrap();
    let mut received = [0; 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"late");
    assert!(under.output().is_closed());

    let (under, _peer) = side.connected();
    let buffered = gio::BufferedOutputStream::new(&under.output());
    assert_eq!(write(buffered.upcast_ref(), b"lost").unwrap(), 4);
    under.close(Cancellable::NONE).unwrap();
    assert_fails(buffered.close(Cancellable::NONE), IOErrorEnum::Closed);
    assert!(buffered.is_closed());
    buffered.close(Cancellable::NONE).unwrap();
}

/// GIO's own outer task, around our slot.
fn st_39_a_cancelled_close_says_so_and_has_closed(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let closed = Slot::new();
    under
        .output()
        .close_async(DEFAULT, Some(&cancelled), closed.put());
    assert!(!closed.is_set());
    assert_fails(closed.wait(context), IOErrorEnum::Cancelled);
    assert!(under.output().is_closed());
    assert!(!under.output().has_pending());
    assert!(!under.is_closed());
}

fn st_40_writing_nothing_asynchronously_is_zero_but_for_a_cancelled_one(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let output = under.output();
    let nothing = || start_write(&output, Vec::new(), None);
    let writing = nothing();
    assert!(!writing.is_set());
    assert_eq!(writing.wait(context).unwrap(), 0);
    output.set_pending().unwrap();
    assert_eq!(nothing().wait(context).unwrap(), 0);
    assert!(output.has_pending());
    output.clear_pending();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_fails(
        start_write(&output, Vec::new(), Some(&cancelled)).wait(context),
        IOErrorEnum::Cancelled,
    );
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(nothing().wait(context).unwrap(), 0);
}

fn st_40_a_write_that_waits_goes_on_when_there_is_room(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let filled = fill(&*under, &peer);
    let output = under.output();
    let first = start_write(&output, b"more".to_vec(), None);
    iterate_for(context, Duration::from_millis(20));
    assert!(!first.is_set());
    assert!(output.has_pending());
    assert_fails(
        start_write(&output, b"no".to_vec(), None).wait(context),
        IOErrorEnum::Pending,
    );
    assert!(output.has_pending());
    let mut received = vec![0; filled];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(first.wait(context).unwrap(), 4);
    assert!(!output.has_pending());
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"more");
}

fn start_vectors(
    output: &gio::OutputStream,
    vectors: &[&'static str],
) -> Slot<Result<usize, glib::Error>> {
    let slot = Slot::new();
    let put = slot.put();
    output.writev_async(
        vectors.to_vec(),
        DEFAULT,
        Cancellable::NONE,
        move |result| put(result.plain().map(|(_, count)| count)),
    );
    slot
}

fn st_43_vectors_are_written_asynchronously(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    let written = start_vectors(&output, &["one", "", "two"]);
    assert!(!written.is_set());
    assert!(output.has_pending());
    assert_fails(write(&output, b"no"), IOErrorEnum::Pending);
    assert_eq!(written.wait(context).unwrap(), 6);
    assert!(!output.has_pending());
    assert_eq!(start_vectors(&output, &[]).wait(context).unwrap(), 0);
    assert_eq!(start_vectors(&output, &["", ""]).wait(context).unwrap(), 0);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(start_vectors(&output, &[]).wait(context).unwrap(), 0);
    assert_fails(
        start_vectors(&output, &["no"]).wait(context),
        IOErrorEnum::Closed,
    );
    assert_eq!(read_to_end(&mut peer), b"onetwo");
}

/// GLib warns of what it asks of itself, with either class.
fn st_44_empty_vectors_are_written_asynchronously(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    let written = Slot::new();
    let (result, lines) = logged(|| {
        output.writev_all_async(["", ""], DEFAULT, Cancellable::NONE, written.put());
        written.wait(context)
    });
    let (_, count, failure) = result.plain().unwrap();
    assert_eq!((count, failure), (0, None));
    assert_eq!(lines.len(), 1);
    let written = Slot::new();
    output.writev_all_async(["a", "", "b"], DEFAULT, Cancellable::NONE, written.put());
    let (_, count, failure) = written.wait(context).plain().unwrap();
    assert_eq!((count, failure), (2, None));
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer), b"ab");
}

fn st_45_an_asynchronous_splice_that_fails_closes_what_it_is_told_to(
    side: Side,
    context: &glib::MainContext,
) {
    let ((from, mut sender), (to, mut receiver)) = (side.connected(), side.connected());
    let flags = OutputStreamSpliceFlags::CLOSE_SOURCE | OutputStreamSpliceFlags::CLOSE_TARGET;
    let cancellable = Cancellable::new();
    let spliced = Slot::new();
    to.output().splice_async(
        &from.input(),
        flags,
        DEFAULT,
        Some(&cancellable),
        spliced.put(),
    );
    sender.write_all(b"some").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let mut received = [0; 8];
    iterate_until(context, || receiver.read(&mut received).is_ok());
    assert_eq!(received[..4], *b"some");
    settle(context, Duration::from_millis(10));
    assert!(!spliced.is_set());
    assert!(to.output().has_pending());
    cancellable.cancel();
    assert_fails(spliced.wait(context), IOErrorEnum::Cancelled);
    assert!(from.input().is_closed());
    assert!(to.output().is_closed());
    assert!(!to.is_closed());
}

fn st_46_an_asynchronous_flush_is_pending_until_its_callback(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let output = under.output();
    let seen = Slot::new();
    let (put, flushing) = (seen.put(), output.clone());
    output.flush_async(DEFAULT, Cancellable::NONE, move |result| {
        put((result.is_ok(), flushing.has_pending()));
    });
    assert!(!seen.is_set());
    assert!(output.has_pending());
    assert_fails(write(&output, b"no"), IOErrorEnum::Pending);
    assert_eq!(seen.wait(context), (true, false));
}

fn st_47_an_asynchronous_write_all_writes_all(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let bytes = payload(16 << 20, 84);
    let sum = Checksum::of(&bytes);
    let reader = std::thread::spawn(move || Checksum::of(&read_to_end(&mut peer)));
    let all = Slot::new();
    under
        .output()
        .write_all_async(bytes, DEFAULT, Cancellable::NONE, all.put());
    let (_, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!((count, failure), (16 << 20, None));
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(reader.join().unwrap(), sum);
}

/// Both ends of a Unix connection that keeps the bounds of what is written.
fn seqpacket_pair() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors, which are ours then.
    unsafe {
        let made = libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        );
        assert_eq!(made, 0);
        fds.map(|fd| OwnedFd::from_raw_fd(fd)).into()
    }
}

/// How many iterations of the context until there is an answer.
fn iterations<T: 'static>(slot: &Slot<T>, context: &glib::MainContext) -> u32 {
    let mut count = 0;
    while !slot.is_set() && count < 100 {
        context.iteration(true);
        count += 1;
    }
    count
}

/// The inner task answers in one, the outer one, which is cancelled, in another.
fn st_42_a_write_cancelled_before_answers_an_iteration_later(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"x").unwrap();
    wait_readable(&*under);
    let (input, output) = (under.input(), under.output());
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let reading = start_read(&input, 8, Some(&cancelled));
    assert_eq!(iterations(&reading, context), 1);
    let writing = start_write(&output, b"w".to_vec(), Some(&cancelled));
    assert_eq!(iterations(&writing, context), 2);
    // ASYNC-4.
    assert_eq!(iterations(&start_read(&input, 8, None), context), 1);
    let writing = start_write(&output, b"w".to_vec(), None);
    assert_eq!(iterations(&writing, context), 1);
}

/// ST-40: the wait of GIO's write, and its answer, have the default priority.
#[test]
fn differs_f5_a_write_that_waits_has_its_priority() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                let filled = fill(&*under, &peer);
                let log = Log::default();
                let lines = log.clone();
                let low = glib::Priority::LOW;
                let output = under.output();
                output.write_async(b"x".to_vec(), low, Cancellable::NONE, move |result| {
                    assert_eq!(result.plain().unwrap().1, 1);
                    lines.add("write");
                });
                iterate_for(context, Duration::from_millis(20));
                let mut received = vec![0; filled];
                peer.read_exact(&mut received).unwrap();
                wait_until(|| pollable_output(&*under).is_writable());
                log.add_when_idle(context, glib::Priority::DEFAULT_IDLE, "idle");
                iterate_until(context, || log.lines().len() == 2);
                log.lines()
            },
            vec!["write", "idle"],
            vec!["idle", "write"],
        );
    });
}
