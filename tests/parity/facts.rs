//! What GIO does, and we do: each scenario on both classes, named for the fact that it shows.

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::TcpStream,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, IOStreamSpliceFlags, prelude::*};
use glib::{
    ffi::gpointer,
    translate::{FromGlibPtrNone, IntoGlib, ToGlibPtr, from_glib_full},
};

use crate::{support::*, tools::*, under::*};

on_both!(
    ios_7_the_streams_are_the_same_objects_each_time,
    ios_8_closing_both_streams_closes_neither_connection_nor_socket,
    ios_10_pending_is_refused_when_closed_then_when_pending,
    ios_13_a_second_close_succeeds_whatever_the_cancellable,
    ios_16_an_asynchronous_close_is_pending_until_its_callback,
    ios_19_a_close_says_cancelled_at_its_finish_and_has_closed,
    ios_26_a_splice_that_is_cancelled_before_touches_nothing,
    ios_28_a_splice_ends_with_the_first_direction,
    ios_28_a_splice_that_waits_for_both_ends_with_the_second,
    ios_29_a_splice_closes_what_it_is_told_to,
    ios_31_a_splice_of_closed_streams_fails,
    ios_32_a_stream_does_not_keep_its_connection,
    sc_8_is_connected_outlives_the_peer_and_not_a_close,
    sc_10_connect_async_clears_the_blocking_flag_for_good,
    sc_11_a_connect_answers_in_the_context_of_its_call,
    sc_15_a_connect_that_times_out_leaves_the_socket_open,
    sc_17a_a_close_ends_a_connect_in_flight,
    sc_18_the_socket_is_the_one_given,
    sc_19_an_open_socket_has_a_local_address,
    sc_20_the_remote_address_is_the_peers,
    sc_24_a_close_ends_a_read_that_waits,
    sc_27_a_dropped_connection_leaves_a_socket_that_others_hold_open,
    sc_27_a_dropped_connection_closes_its_own_socket,
    tcp_2_graceful_disconnect_is_off_and_told_when_it_changes,
    tcp_4_a_close_with_unread_data_resets_the_connection,
    tcp_5_a_graceful_close_waits_for_the_peer,
    tcp_6_a_graceful_close_times_out_and_closes,
    tcp_7_a_graceful_close_that_is_cancelled_before_does_not_wait,
    tcp_10_an_asynchronous_graceful_close_is_cancelled_and_closes,
    tcp_10_an_asynchronous_graceful_close_times_out_and_closes,
    tcp_12_during_a_graceful_close_the_connection_is_pending_and_connected,
    st_12_the_end_repeats_and_closes_nothing,
    st_13_read_all_tells_what_it_has_got,
    st_15_a_reset_is_told_once_then_it_is_the_end,
    st_17_pending_is_over_in_the_callback_of_a_read,
    st_27_a_cancelled_read_all_keeps_what_it_has,
    st_33_vectors_are_written_up_to_the_systems_limit,
    st_36_a_splice_into_a_stream_copies_to_the_end,
    st_38_an_output_stream_closes_twice_but_not_asynchronously,
    st_41_a_write_cancelled_after_its_end_says_so_though_it_was_sent,
    st_47_a_cancelled_write_all_tells_what_went_out,
    st_53_vectors_that_would_block_are_no_error,
    rs_7_a_read_future_dropped_between_its_end_and_its_poll_loses_what_it_read,
    async_1_a_callback_runs_in_the_context_of_the_call,
    async_5_chained_reads_do_not_nest,
    sock_14_a_peer_that_is_gone_breaks_the_pipe,
    sock_33_after_a_timeout_the_next_operation_works,
);

fn ios_7_the_streams_are_the_same_objects_each_time(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    assert_eq!(under.input(), input);
    assert_eq!(under.output(), output);
    assert_eq!(under.property::<gio::InputStream>("input-stream"), input);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(under.input(), input);
    assert!(input.is_closed());
    assert!(output.is_closed());
}

fn ios_8_closing_both_streams_closes_neither_connection_nor_socket(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    under.input().close(Cancellable::NONE).unwrap();
    under.output().close(Cancellable::NONE).unwrap();
    assert!(!under.is_closed());
    assert!(under.is_connected());
    under.socket().send(b"x", Cancellable::NONE).unwrap();
    peer.read_exact(&mut [0]).unwrap();
}

fn ios_10_pending_is_refused_when_closed_then_when_pending(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    under.set_pending().unwrap();
    assert!(under.has_pending());
    assert_fails(under.set_pending(), IOErrorEnum::Pending);
    assert_fails(under.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(!under.is_closed());
    under.clear_pending();
    assert!(!under.has_pending());
    under.close(Cancellable::NONE).unwrap();
    assert_fails(under.set_pending(), IOErrorEnum::Closed);
}

fn ios_13_a_second_close_succeeds_whatever_the_cancellable(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    // SC-24.
    under.close(Some(&cancelled)).unwrap();
    assert!(under.socket().is_closed());
    under.close(Some(&cancelled)).unwrap();
    under.close(Cancellable::NONE).unwrap();
}

fn ios_16_an_asynchronous_close_is_pending_until_its_callback(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let seen = Slot::new();
    let (put, closing) = (seen.put(), under.clone());
    under.close_async(DEFAULT, Cancellable::NONE, move |result| {
        put((result.is_ok(), closing.is_closed(), closing.has_pending()));
    });
    assert!(!seen.is_set());
    assert!(under.has_pending());
    assert!(!under.is_closed());
    assert_fails(under.close(Cancellable::NONE), IOErrorEnum::Pending);
    let second = under.start_close(None);
    // IOS-17.
    assert_eq!(seen.wait(context), (true, true, false));
    assert_eq!(second.wait(context), Fails(IOErrorEnum::Pending));
    assert_eq!(under.start_close(None).wait(context), Done);
    assert_eq!(read_to_end(&mut peer), b"");
}

/// GIO's own outer task looks at the cancellable when it is finished.
fn ios_19_a_close_says_cancelled_at_its_finish_and_has_closed(
    side: Side,
    context: &glib::MainContext,
) {
    // Before; after the start, before the callback; on one that is closed already.
    let (under, _peer) = side.connected();
    let cancellable = Cancellable::new();
    cancellable.cancel();
    assert_eq!(
        under.start_close(Some(&cancellable)).wait(context),
        Fails(IOErrorEnum::Cancelled)
    );
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
    assert_eq!(
        under.start_close(Some(&cancellable)).wait(context),
        Fails(IOErrorEnum::Cancelled)
    );

    let (under, _peer) = side.connected();
    let cancellable = Cancellable::new();
    let closing = under.start_close(Some(&cancellable));
    cancellable.cancel();
    assert_eq!(closing.wait(context), Fails(IOErrorEnum::Cancelled));
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
}

/// `g_io_stream_splice_async()`, which gio-rs does not have.
fn start_splice(
    one: &Under,
    other: &Under,
    flags: IOStreamSpliceFlags,
    cancellable: Option<&Cancellable>,
) -> Slot<Outcome> {
    unsafe extern "C" fn called(
        source: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: gpointer,
    ) {
        assert!(source.is_null());
        let mut failure = std::ptr::null_mut();
        // SAFETY: GTask passes itself; a set error is ours; the box made below, called back once.
        unsafe {
            let done = gio::ffi::g_io_stream_splice_finish(result, &raw mut failure);
            let put = Box::from_raw(data.cast::<Box<dyn FnOnce(Outcome)>>());
            put(if failure.is_null() {
                assert_eq!(done, glib::ffi::GTRUE);
                Done
            } else {
                Fails(code(&from_glib_full(failure)))
            });
        }
    }
    let slot = Slot::new();
    let put: Box<Box<dyn FnOnce(Outcome)>> = Box::new(Box::new(slot.put()));
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        gio::ffi::g_io_stream_splice_async(
            (**one).to_glib_none().0,
            (**other).to_glib_none().0,
            flags.into_glib(),
            DEFAULT.into_glib(),
            cancellable.to_glib_none().0,
            Some(called),
            Box::into_raw(put).cast(),
        );
    }
    slot
}

fn ios_26_a_splice_that_is_cancelled_before_touches_nothing(
    side: Side,
    context: &glib::MainContext,
) {
    let ((one, mut first), (other, _second)) = (side.connected(), side.connected());
    first.write_all(b"kept").unwrap();
    wait_readable(&*one);
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let flags = IOStreamSpliceFlags::CLOSE_STREAM1 | IOStreamSpliceFlags::CLOSE_STREAM2;
    let spliced = start_splice(&one, &other, flags, Some(&cancelled));
    assert!(!spliced.is_set());
    assert_eq!(spliced.wait(context), Fails(IOErrorEnum::Cancelled));
    assert!(!one.is_closed());
    assert!(!other.is_closed());
    assert_eq!(read_now(&*one, 8).unwrap(), b"kept");
}

fn ios_28_a_splice_ends_with_the_first_direction(side: Side, context: &glib::MainContext) {
    let ((one, mut first), (other, mut second)) = (side.connected(), side.connected());
    let spliced = start_splice(&one, &other, IOStreamSpliceFlags::NONE, None);
    first.write_all(b"there").unwrap();
    second.write_all(b"and back").unwrap();
    for peer in [&first, &second] {
        peer.set_nonblocking(true).unwrap();
    }
    iterate_until(context, || {
        let arrived = |peer: &TcpStream| peer.peek(&mut [0; 16]).unwrap_or(0);
        arrived(&second) == 5 && arrived(&first) == 8
    });
    settle(context, Duration::from_millis(20));
    let mut received = [0; 8];
    second.read_exact(&mut received[..5]).unwrap();
    assert_eq!(received[..5], *b"there");
    first.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"and back");
    // IOS-9.
    assert!(!spliced.is_set());
    assert!(one.input().has_pending());
    first.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(spliced.wait(context), Done);
    assert!(!one.is_closed());
    assert!(!other.is_closed());
    // The direction that was given up has taken nothing that comes now.
    second.write_all(b"more").unwrap();
    assert_eq!(
        start_read(&other.input(), 8, None).wait(context).unwrap(),
        b"more"
    );
}

fn ios_28_a_splice_that_waits_for_both_ends_with_the_second(
    side: Side,
    context: &glib::MainContext,
) {
    let ((one, first), (other, mut second)) = (side.connected(), side.connected());
    let spliced = start_splice(&one, &other, IOStreamSpliceFlags::WAIT_FOR_BOTH, None);
    first.shutdown(std::net::Shutdown::Write).unwrap();
    iterate_for(context, Duration::from_millis(40));
    assert!(!spliced.is_set());
    // F-25: the end of one side is not passed on.
    second.set_nonblocking(true).unwrap();
    let nothing = second.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    second.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(spliced.wait(context), Done);
}

fn ios_29_a_splice_closes_what_it_is_told_to(side: Side, context: &glib::MainContext) {
    let ((one, first), (other, mut second)) = (side.connected(), side.connected());
    let flags = IOStreamSpliceFlags::CLOSE_STREAM1 | IOStreamSpliceFlags::CLOSE_STREAM2;
    let spliced = start_splice(&one, &other, flags, None);
    drop(first);
    assert_eq!(spliced.wait(context), Done);
    assert!(one.is_closed());
    assert!(other.is_closed());
    assert_eq!(read_to_end(&mut second), b"");
}

fn ios_31_a_splice_of_closed_streams_fails(side: Side, context: &glib::MainContext) {
    let ((one, _first), (other, _second)) = (side.connected(), side.connected());
    one.input().close(Cancellable::NONE).unwrap();
    let spliced = start_splice(&one, &other, IOStreamSpliceFlags::NONE, None);
    assert_eq!(spliced.wait(context), Fails(IOErrorEnum::Closed));
}

fn ios_32_a_stream_does_not_keep_its_connection(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let gone = Gone::of(&*under);
    drop(under);
    assert!(gone.is_gone());
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert_fails(read(&input, 8), IOErrorEnum::Closed);
    assert_fails(
        start_read(&input, 8, None).wait(context),
        IOErrorEnum::Closed,
    );
    assert_fails(write(&output, b"no"), IOErrorEnum::Closed);
}

fn sc_8_is_connected_outlives_the_peer_and_not_a_close(side: Side, _: &glib::MainContext) {
    assert!(!side.unconnected().is_connected());
    let (under, peer) = side.connected();
    assert!(under.is_connected());
    drop(peer);
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert!(under.is_connected());
    under.close(Cancellable::NONE).unwrap();
    assert!(!under.is_connected());

    let (under, peer) = side.connected();
    reset(peer);
    assert_fails(read(&under.input(), 8), IOErrorEnum::BrokenPipe);
    assert!(under.is_connected());

    let (under, _peer) = side.connected();
    under.socket().shutdown(true, true).unwrap();
    assert!(!under.is_connected());
}

fn sc_10_connect_async_clears_the_blocking_flag_for_good(side: Side, context: &glib::MainContext) {
    let (listener, address) = listener();
    for address in [address, refused_address()] {
        let under = side.unconnected();
        let socket = under.socket();
        let notified = Rc::new(Cell::new(0));
        let count = notified.clone();
        socket.connect_blocking_notify(move |_| count.set(count.get() + 1));
        assert!(socket.is_blocking());
        let _ = under.start_connect(address, None).wait(context);
        assert!(!socket.is_blocking());
        assert_eq!(notified.get(), 1);
        if under.is_connected() {
            // ST-4.
            let (mut peer, _) = listener.accept().unwrap();
            let reader = read_on_thread(&under.input(), 8, None);
            assert!(!reader.is_finished());
            peer.write_all(b"x").unwrap();
            assert_eq!(reader.join().unwrap().unwrap(), b"x");
        }
    }
}

fn sc_11_a_connect_answers_in_the_context_of_its_call(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    let under = side.unconnected();
    let other = glib::MainContext::new();
    let connecting = other
        .with_thread_default(|| under.start_connect(address, None))
        .unwrap();
    assert!(!connecting.is_set());
    iterate_for(context, Duration::from_millis(30));
    assert!(!connecting.is_set());
    assert_eq!(connecting.wait(&other), Ok(()));
    assert!(under.is_connected());
}

fn sc_15_a_connect_that_times_out_leaves_the_socket_open(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let under = side.unconnected();
    under.socket().set_timeout(1);
    let begun = Instant::now();
    let connecting = under.start_connect(deaf.address, None);
    assert_fails(connecting.wait(context), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(990));
    assert!(!under.is_connected());
    assert!(!under.socket().is_closed());
    assert!(!under.is_closed());
}

fn sc_17a_a_close_ends_a_connect_in_flight(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let under = side.unconnected();
    let connecting = under.start_connect(deaf.address, None);
    iterate_for(context, Duration::from_millis(10));
    assert!(!connecting.is_set());
    under.close(Cancellable::NONE).unwrap();
    assert!(!connecting.is_set());
    assert_fails(connecting.wait(context), IOErrorEnum::Closed);
    assert!(!under.is_connected());
}

fn sc_18_the_socket_is_the_one_given(side: Side, _: &glib::MainContext) {
    let socket = ipv4_socket();
    let under = side.around(&socket);
    assert_eq!(under.socket(), socket);
    assert_eq!(under.property::<gio::Socket>("socket"), socket);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(under.socket(), socket);
}

fn sc_19_an_open_socket_has_a_local_address(side: Side, _: &glib::MainContext) {
    let unbound = side.unconnected().local_address().unwrap();
    let unbound = unbound.downcast::<gio::InetSocketAddress>().unwrap();
    assert!(unbound.address().is_any());
    assert_eq!(unbound.port(), 0);
    let (under, peer) = side.connected();
    let local = under
        .local_address()
        .unwrap()
        .downcast::<gio::InetSocketAddress>()
        .unwrap();
    assert_eq!(local.port(), peer.peer_addr().unwrap().port());
}

fn sc_20_the_remote_address_is_the_peers(side: Side, context: &glib::MainContext) {
    let port = |under: &Under| {
        let remote = under.remote_address().unwrap().unwrap();
        remote.downcast::<gio::InetSocketAddress>().unwrap().port()
    };
    let (under, peer) = side.connected();
    assert_eq!(port(&under), peer.local_addr().unwrap().port());
    let (_listener, address) = listener();
    let under = side.unconnected();
    under.connect(address, None).unwrap();
    assert_eq!(port(&under), address.port());
    let under = side.unconnected();
    under.start_connect(address, None).wait(context).unwrap();
    assert_eq!(port(&under), address.port());
}

fn sc_24_a_close_ends_a_read_that_waits(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let reading = start_read(&under.input(), 8, None);
    iterate_for(context, Duration::from_millis(20));
    under.close(Cancellable::NONE).unwrap();
    assert!(!reading.is_set());
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    assert_eq!(read_to_end(&mut peer), b"");
}

fn sc_27_a_dropped_connection_leaves_a_socket_that_others_hold_open(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let socket = under.socket();
    let gone = Gone::of(&*under);
    drop(under);
    assert!(gone.is_gone());
    assert!(!socket.is_closed());
    assert!(socket.is_connected());
    socket.send(b"x", Cancellable::NONE).unwrap();
    drop(socket);
    assert_eq!(read_to_end(&mut peer), b"x");
}

fn sc_27_a_dropped_connection_closes_its_own_socket(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    write(&under.output(), b"last").unwrap();
    let gone = Gone::of(&under.socket());
    drop(under);
    assert!(gone.is_gone());
    assert_eq!(read_to_end(&mut peer), b"last");
}

/// GIOStream's own dispose: a close that comes after it has nothing left to do.
fn tcp_2_graceful_disconnect_is_off_and_told_when_it_changes(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    assert!(!under.property::<bool>("graceful-disconnect"));
    let seen = notifications(&*under);
    for (graceful, told) in [(false, 0), (true, 1), (true, 1), (false, 2)] {
        // TCP-3.
        under.set_graceful(graceful);
        assert_eq!(under.property::<bool>("graceful-disconnect"), graceful);
        assert_eq!(seen.borrow().len(), told);
    }
    assert!(
        seen.borrow()
            .iter()
            .all(|name| name == "graceful-disconnect")
    );
    under.set_property("graceful-disconnect", true);
    assert!(under.property::<bool>("graceful-disconnect"));
}

fn tcp_4_a_close_with_unread_data_resets_the_connection(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"unread").unwrap();
    wait_readable(&*under);
    under.close(Cancellable::NONE).unwrap();
    let failure = peer.read(&mut [0; 8]).unwrap_err();
    assert_eq!(failure.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Sends the end, throws away what still comes, and then closes.
fn tcp_5_a_graceful_close_waits_for_the_peer(side: Side, context: &glib::MainContext) {
    for asynchronous in [false, true] {
        let (under, mut peer) = side.connected();
        under.set_graceful(true);
        write(&under.output(), b"last").unwrap();
        let peers = thread::spawn(move || {
            // Its end comes before our own.
            let received = read_to_end(&mut peer);
            a_moment();
            peer.write_all(&[b'x'; 100_000]).unwrap();
            received
        });
        if asynchronous {
            assert_eq!(under.start_close(None).wait(context), Done);
        } else {
            under.close(Cancellable::NONE).unwrap();
        }
        assert_eq!(peers.join().unwrap(), b"last");
        assert!(under.is_closed());
        assert!(under.socket().is_closed());
    }
}

fn tcp_6_a_graceful_close_times_out_and_closes(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    under.set_graceful(true);
    under.socket().set_timeout(1);
    let begun = Instant::now();
    assert_fails(under.close(Cancellable::NONE), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(990));
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
}

fn tcp_7_a_graceful_close_that_is_cancelled_before_does_not_wait(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    under.set_graceful(true);
    let cancelled = Cancellable::new();
    cancelled.cancel();
    under.close(Some(&cancelled)).unwrap();
    assert!(under.socket().is_closed());
}

fn tcp_10_an_asynchronous_graceful_close_is_cancelled_and_closes(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    under.set_graceful(true);
    let cancellable = Cancellable::new();
    let closing = under.start_close(Some(&cancellable));
    iterate_for(context, Duration::from_millis(20));
    assert!(!closing.is_set());
    cancellable.cancel();
    assert_eq!(closing.wait(context), Fails(IOErrorEnum::Cancelled));
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
}

fn tcp_10_an_asynchronous_graceful_close_times_out_and_closes(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    under.set_graceful(true);
    under.socket().set_timeout(1);
    assert_eq!(
        under.start_close(None).wait(context),
        Fails(IOErrorEnum::TimedOut)
    );
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
}

fn tcp_12_during_a_graceful_close_the_connection_is_pending_and_connected(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    under.set_graceful(true);
    let closing = under.start_close(None);
    iterate_for(context, Duration::from_millis(20));
    assert!(under.has_pending());
    assert!(!under.is_closed());
    assert!(under.is_connected());
    assert_eq!(read_to_end(&mut peer), b"");
    drop(peer);
    assert_eq!(closing.wait(context), Done);
}

fn st_12_the_end_repeats_and_closes_nothing(side: Side, context: &glib::MainContext) {
    let (under, peer) = side.connected();
    drop(peer);
    for _ in 0..2 {
        assert_eq!(read(&under.input(), 8).unwrap(), b"");
        assert_eq!(
            start_read(&under.input(), 8, None).wait(context).unwrap(),
            b""
        );
    }
    assert!(!under.input().is_closed());
}

fn st_13_read_all_tells_what_it_has_got(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"some").unwrap();
    drop(peer);
    let mut buffer = [0; 16];
    assert_eq!(
        under
            .input()
            .read_all(&mut buffer, Cancellable::NONE)
            .unwrap(),
        (4, None)
    );
    let all = Slot::new();
    under
        .input()
        .read_all_async(vec![0; 16], DEFAULT, Cancellable::NONE, all.put());
    let (_, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!((count, failure), (0, None));
}

fn st_15_a_reset_is_told_once_then_it_is_the_end(side: Side, context: &glib::MainContext) {
    let (under, peer) = side.connected();
    reset(peer);
    assert_fails(
        start_read(&under.input(), 8, None).wait(context),
        IOErrorEnum::BrokenPipe,
    );
    assert_eq!(
        start_read(&under.input(), 8, None).wait(context).unwrap(),
        b""
    );
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert_fails(write(&under.output(), b"no"), IOErrorEnum::BrokenPipe);
}

fn st_17_pending_is_over_in_the_callback_of_a_read(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"ab").unwrap();
    wait_readable(&*under);
    let seen = Slot::new();
    let (put, input) = (seen.put(), under.input());
    under
        .input()
        .read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
            put((
                bytes_of(result).unwrap(),
                input.has_pending(),
                read(&input, 8).unwrap(),
            ));
        });
    assert!(under.input().has_pending());
    assert_eq!(seen.wait(context), (b"a".to_vec(), false, b"b".to_vec()));
}

fn st_27_a_cancelled_read_all_keeps_what_it_has(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"part").unwrap();
    wait_readable(&*under);
    let (cancellable, all) = (Cancellable::new(), Slot::new());
    under
        .input()
        .read_all_async(vec![0; 16], DEFAULT, Some(&cancellable), all.put());
    let pollable = pollable_input(&*under);
    iterate_until(context, || !pollable.is_readable());
    settle(context, Duration::from_millis(20));
    cancellable.cancel();
    let (buffer, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!(buffer[..count], *b"part");
    assert_eq!(code(&failure.unwrap()), IOErrorEnum::Cancelled);
}

fn st_33_vectors_are_written_up_to_the_systems_limit(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    assert_eq!(output.writev(&[], Cancellable::NONE).unwrap(), 0);
    let empty = [gio::OutputVector::new(b"")];
    assert_eq!(output.writev(&empty, Cancellable::NONE).unwrap(), 0);
    let bytes = payload(1500, 61);
    let vectors: Vec<_> = bytes.chunks(1).map(gio::OutputVector::new).collect();
    assert_eq!(output.writev(&vectors, Cancellable::NONE).unwrap(), 1024);
    let all = output.writev_all(&vectors, Cancellable::NONE).unwrap();
    assert_eq!(all, (1500, None));
    let short = Slot::new();
    let owned: Vec<_> = bytes.chunks(1).map(<[u8]>::to_vec).collect();
    output.writev_async(owned, DEFAULT, Cancellable::NONE, short.put());
    assert_eq!(short.wait(context).unwrap().1, 1024);
    drop(vectors);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer).len(), 1024 + 1500 + 1024);
}

fn st_36_a_splice_into_a_stream_copies_to_the_end(side: Side, context: &glib::MainContext) {
    for asynchronous in [false, true] {
        let ((from, mut sender), (to, mut receiver)) = (side.connected(), side.connected());
        let bytes = payload(50_000, 62);
        sender.write_all(&bytes).unwrap();
        drop(sender);
        let flags = gio::OutputStreamSpliceFlags::CLOSE_SOURCE;
        let count = if asynchronous {
            let slot = Slot::new();
            to.output()
                .splice_async(&from.input(), flags, DEFAULT, Cancellable::NONE, slot.put());
            slot.wait(context)
        } else {
            to.output().splice(&from.input(), flags, Cancellable::NONE)
        };
        assert_eq!(count.unwrap(), 50_000);
        assert!(from.input().is_closed());
        to.close(Cancellable::NONE).unwrap();
        assert!(read_to_end(&mut receiver) == bytes);
    }
}

fn st_38_an_output_stream_closes_twice_but_not_asynchronously(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    under.output().close(Cancellable::NONE).unwrap();
    under.output().close(Cancellable::NONE).unwrap();
    let closed = Slot::new();
    under
        .output()
        .close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_fails(closed.wait(context), IOErrorEnum::Closed);
    // ST-25.
    under.input().close(Cancellable::NONE).unwrap();
    let closed = Slot::new();
    under
        .input()
        .close_async(DEFAULT, Cancellable::NONE, closed.put());
    closed.wait(context).unwrap();
}

/// GIO's own outer task, around our slot: it looks at the cancellable when it is finished.
fn st_41_a_write_cancelled_after_its_end_says_so_though_it_was_sent(
    side: Side,
    context: &glib::MainContext,
) {
    unsafe extern "C" fn called(
        _: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: gpointer,
    ) {
        // SAFETY: GTask passes itself; the cell outlives the operation.
        unsafe {
            let cell = &*data.cast::<RefCell<Option<gio::AsyncResult>>>();
            *cell.borrow_mut() = Some(gio::AsyncResult::from_glib_none(result));
        }
    }
    let (under, mut peer) = side.connected();
    let output = under.output();
    let cancellable = Cancellable::new();
    let kept: RefCell<Option<gio::AsyncResult>> = RefCell::new(None);
    // SAFETY: live arguments; the cell and the bytes outlive the operation, which is waited for.
    unsafe {
        gio::ffi::g_output_stream_write_async(
            output.to_glib_none().0,
            b"sent".as_ptr().cast_mut(),
            4,
            DEFAULT.into_glib(),
            cancellable.to_glib_none().0,
            Some(called),
            (&raw const kept).cast_mut().cast(),
        );
    }
    iterate_until(context, || kept.borrow().is_some());
    cancellable.cancel();
    let result = kept.take().expect("tested");
    let mut failure = std::ptr::null_mut();
    // SAFETY: live arguments; a set error is ours.
    let failure: glib::Error = unsafe {
        let count = gio::ffi::g_output_stream_write_finish(
            output.to_glib_none().0,
            result.to_glib_none().0,
            &raw mut failure,
        );
        assert_eq!(count, -1);
        from_glib_full(failure)
    };
    assert_eq!(code(&failure), IOErrorEnum::Cancelled);
    let mut received = [0; 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"sent");
}

fn st_47_a_cancelled_write_all_tells_what_went_out(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let (cancellable, all) = (Cancellable::new(), Slot::new());
    let bytes = payload(32 << 20, 63);
    under
        .output()
        .write_all_async(bytes, DEFAULT, Some(&cancellable), all.put());
    let pollable = pollable_output(&*under);
    iterate_until(context, || !pollable.is_writable());
    settle(context, Duration::from_millis(20));
    assert!(!all.is_set(), "nobody reads");
    cancellable.cancel();
    let (bytes, count, failure) = all.wait(context).plain().unwrap();
    assert_eq!(code(&failure.unwrap()), IOErrorEnum::Cancelled);
    under.close(Cancellable::NONE).unwrap();
    let received = read_to_end(&mut peer);
    assert_eq!(received.len(), count);
    assert_eq!(Checksum::of(&received), Checksum::of(&bytes[..count]));
}

fn st_53_vectors_that_would_block_are_no_error(side: Side, _: &glib::MainContext) {
    let (under, peer) = side.connected();
    let output = pollable_output(&*under);
    let vectors = [gio::OutputVector::new(b"v")];
    let written = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (gio::PollableReturn::Ok, 1));
    fill(&*under, &peer);
    let written = output
        .writev_nonblocking(&vectors, Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (gio::PollableReturn::WouldBlock, 0));
    under.close(Cancellable::NONE).unwrap();
    assert_fails(
        output.writev_nonblocking(&vectors, Cancellable::NONE),
        IOErrorEnum::Closed,
    );
}

fn async_1_a_callback_runs_in_the_context_of_the_call(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"x").unwrap();
    wait_readable(&*under);
    let other = glib::MainContext::new();
    let seen = Slot::new();
    let put = seen.put();
    other
        .with_thread_default(|| {
            under
                .input()
                .read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |result| {
                    put((
                        bytes_of(result).unwrap(),
                        glib::MainContext::ref_thread_default(),
                    ));
                });
        })
        .unwrap();
    iterate_for(context, Duration::from_millis(30));
    assert!(!seen.is_set());
    assert_eq!(seen.wait(&other), (b"x".to_vec(), other));
}

fn async_5_chained_reads_do_not_nest(side: Side, context: &glib::MainContext) {
    fn step(input: &gio::InputStream, depth: Rc<Cell<u32>>, done: Rc<Cell<u32>>) {
        let again = input.clone();
        input.read_async(vec![0; 1], DEFAULT, Cancellable::NONE, move |result| {
            assert_eq!(result.unwrap().1, 1);
            assert_eq!(depth.replace(1), 0);
            done.set(done.get() + 1);
            if done.get() < 5 {
                step(&again, depth.clone(), done);
            }
            depth.set(0);
        });
    }
    let (under, mut peer) = side.connected();
    peer.write_all(b"12345").unwrap();
    wait_readable(&*under);
    let done = Rc::new(Cell::new(0));
    step(&under.input(), Rc::default(), done.clone());
    let mut iterations = 0;
    while done.get() < 5 {
        let before = done.get();
        context.iteration(true);
        iterations += u32::from(done.get() > before);
    }
    assert_eq!(iterations, 5);
}

fn sock_14_a_peer_that_is_gone_breaks_the_pipe(side: Side, context: &glib::MainContext) {
    let (under, peer) = side.connected();
    drop(peer);
    wait_readable(&*under);
    assert_eq!(write(&under.output(), b"first").unwrap(), 5);
    // The answer to it resets the connection.
    let failure = loop {
        match start_write(&under.output(), b"more".to_vec(), None).wait(context) {
            Ok(_) => iterate_for(context, Duration::from_millis(5)),
            Err(failure) => break failure,
        }
    };
    assert_eq!(code(&failure), IOErrorEnum::BrokenPipe);
}

fn sock_33_after_a_timeout_the_next_operation_works(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    under.socket().set_timeout(1);
    assert_fails(read(&under.input(), 8), IOErrorEnum::TimedOut);
    assert_fails(
        start_read(&under.input(), 8, None).wait(context),
        IOErrorEnum::TimedOut,
    );
    peer.write_all(b"x").unwrap();
    assert_eq!(
        start_read(&under.input(), 8, None).wait(context).unwrap(),
        b"x"
    );
    assert!(under.is_connected());
}

/// gio-rs' future holds the answer until somebody polls it.
fn rs_7_a_read_future_dropped_between_its_end_and_its_poll_loses_what_it_read(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let input = under.input();
    peer.write_all(b"lost").unwrap();
    wait_readable(&*under);
    let mut reading = input.read_future(vec![0; 8], DEFAULT);
    assert!(poll_once(&mut reading).is_pending());
    iterate_until(context, || !input.has_pending());
    drop(reading);
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
}
