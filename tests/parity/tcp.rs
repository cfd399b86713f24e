//! `GTcpConnection` fact by fact: its class, and closes that wait for the peer.

use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::ParamFlags;

use crate::{
    by_hand::signals_of, classes::slots_of, differs::differs, support::*, tools::*, under::*,
};

on_both!(
    tcp_1_it_is_a_connection_with_a_close_of_its_own,
    tcp_2_graceful_disconnect_is_a_property_that_is_off,
    tcp_4_what_was_written_arrives_after_a_close,
    tcp_6_a_graceful_close_waits_whatever_the_blocking_flag,
    tcp_7_an_asynchronous_graceful_close_that_is_cancelled_before_does_not_wait,
    tcp_8_the_write_side_is_shut_down_before_an_asynchronous_close_returns,
    tcp_8_a_reset_during_a_graceful_close_is_told_and_closes,
    tcp_8_a_graceful_close_waits_with_its_own_priority,
    tcp_13_a_graceful_close_and_a_read_that_waits_both_end,
);

fn graceful(side: Side) -> (Under, TcpStream) {
    let (under, peer) = side.connected();
    under.set_graceful(true);
    (under, peer)
}

fn tcp_1_it_is_a_connection_with_a_close_of_its_own(side: Side, _: &glib::MainContext) {
    let type_ = side.tcp();
    assert_eq!(type_.parent(), Some(side.base()));
    assert_eq!(*type_.interfaces(), []);
    assert_eq!(signals_of(type_), 0);
    let (own, parents) = (slots_of(type_), slots_of(side.base()));
    let [input, output, close, close_async, close_finish] = [0, 1, 2, 3, 4];
    assert_eq!(own[input], parents[input]);
    assert_eq!(own[output], parents[output]);
    assert_ne!(own[close], parents[close]);
    assert_ne!(own[close_async], parents[close_async]);
    assert_eq!(own[close_finish], parents[close_finish]);
}

fn tcp_2_graceful_disconnect_is_a_property_that_is_off(side: Side, _: &glib::MainContext) {
    let class = glib::Class::<glib::Object>::from_type(side.tcp()).unwrap();
    let property = class.find_property("graceful-disconnect").unwrap();
    assert_eq!(property.value_type(), bool::static_type());
    assert_eq!(property.owner_type(), side.tcp());
    assert!(property.flags().contains(ParamFlags::READWRITE));
    assert!(
        !property
            .flags()
            .intersects(ParamFlags::CONSTRUCT | ParamFlags::CONSTRUCT_ONLY)
    );
    assert_eq!(property.default_value().get::<bool>(), Ok(false));
}

/// The kernel sends on by itself.
fn tcp_4_what_was_written_arrives_after_a_close(side: Side, context: &glib::MainContext) {
    for asynchronous in [false, true] {
        let (under, mut peer) = side.connected();
        let written = fill(&*under, &peer);
        if asynchronous {
            assert_eq!(under.start_close(None).wait(context), Done);
        } else {
            under.close(Cancellable::NONE).unwrap();
        }
        assert_eq!(read_to_end(&mut peer).len(), written);
    }
}

fn tcp_6_a_graceful_close_waits_whatever_the_blocking_flag(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = graceful(side);
    under.socket().set_blocking(false);
    let closer = on_thread(&under, |under| under.close(Cancellable::NONE));
    // Our end comes first.
    assert_eq!(read_to_end(&mut peer), b"");
    a_moment();
    assert!(!closer.is_finished());
    assert!(!under.socket().is_closed());
    drop(peer);
    closer.join().unwrap().unwrap();
    assert!(under.socket().is_closed());
}

fn tcp_7_an_asynchronous_graceful_close_that_is_cancelled_before_does_not_wait(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = graceful(side);
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let closing = under.start_close(Some(&cancelled));
    assert!(!closing.is_set());
    assert_eq!(closing.wait(context), Fails(IOErrorEnum::Cancelled));
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
}

fn tcp_8_the_write_side_is_shut_down_before_an_asynchronous_close_returns(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = graceful(side);
    write(&under.output(), b"last").unwrap();
    let closing = under.start_close(None);
    // Nothing was dispatched.
    assert_eq!(read_to_end(&mut peer), b"last");
    assert!(!under.socket().is_closed());
    drop(peer);
    assert!(!closing.is_set());
    assert_eq!(closing.wait(context), Done);
}

fn tcp_8_a_reset_during_a_graceful_close_is_told_and_closes(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = graceful(side);
    let closer = on_thread(&under, |under| under.close(Cancellable::NONE));
    assert_eq!(read_to_end(&mut peer), b"");
    reset(peer);
    assert_fails(closer.join().unwrap(), IOErrorEnum::BrokenPipe);
    assert!(under.is_closed());
    assert!(under.socket().is_closed());

    let (under, mut peer) = graceful(side);
    let closing = under.start_close(None);
    assert_eq!(read_to_end(&mut peer), b"");
    reset(peer);
    assert_eq!(closing.wait(context), Fails(IOErrorEnum::BrokenPipe));
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
}

fn tcp_8_a_graceful_close_waits_with_its_own_priority(side: Side, context: &glib::MainContext) {
    let (under, peer) = graceful(side);
    let closing = Slot::new();
    let low = glib::Priority::LOW;
    under.close_async(low, Cancellable::NONE, closing.put());
    drop(peer);
    wait_readable(&*under);
    let busy = glib::source::idle_source_new(None, DEFAULT, || glib::ControlFlow::Continue);
    busy.attach(Some(context));
    for _ in 0..50 {
        context.iteration(true);
    }
    assert!(!under.socket().is_closed());
    assert!(!closing.is_set());
    busy.destroy();
    closing.wait(context).unwrap();
}

/// What the read gets is open; on both classes it is the first to be served.
fn tcp_13_a_graceful_close_and_a_read_that_waits_both_end(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = graceful(side);
    let reading = start_read(&under.input(), 16, None);
    iterate_for(context, Duration::from_millis(10));
    let closing = under.start_close(None);
    assert!(!reading.is_set());
    peer.write_all(b"late").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"late");
    assert_eq!(closing.wait(context), Done);
}

/// A peer that sends a byte now and then, for longer than the timeout of one second.
fn trickling(mut peer: TcpStream) -> JoinHandle<()> {
    thread::spawn(move || {
        for _ in 0..7 {
            // It may be gone already.
            let _ = peer.write_all(b".");
            thread::sleep(Duration::from_millis(250));
        }
    })
}

/// TCP-6: the timeout begins anew with each byte.
#[test]
fn differs_f18_a_peer_that_trickles_does_not_hold_a_blocking_graceful_close() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = graceful(side);
                under.socket().set_timeout(1);
                let peers = trickling(peer);
                let closed = Outcome::from(under.close(Cancellable::NONE));
                assert!(under.socket().is_closed());
                peers.join().unwrap();
                closed
            },
            Done,
            Fails(IOErrorEnum::TimedOut),
        );
    });
}

/// TCP-10: likewise.
#[test]
fn differs_f12_a_peer_that_trickles_does_not_hold_an_asynchronous_graceful_close() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = graceful(side);
                under.socket().set_timeout(1);
                let peers = trickling(peer);
                let closed = under.start_close(None).wait(context);
                assert!(under.socket().is_closed());
                peers.join().unwrap();
                closed
            },
            Done,
            Fails(IOErrorEnum::TimedOut),
        );
    });
}

/// TCP-9: a kilobyte in each iteration of the main loop.
#[test]
fn differs_f12_what_the_peer_still_sends_is_thrown_away_in_bulk() {
    const KILOBYTES: usize = 32;
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = graceful(side);
                peer.write_all(&[b'.'; KILOBYTES << 10]).unwrap();
                drop(peer);
                let socket = under.socket();
                wait_until(|| usize::try_from(socket.available_bytes()) == Ok(KILOBYTES << 10));
                let closing = under.start_close(None);
                let end = Instant::now() + LIMIT;
                let mut iterations = 0;
                while !closing.is_set() && Instant::now() < end {
                    context.iteration(true);
                    iterations += 1;
                }
                assert_eq!(closing.wait(context), Done);
                iterations >= KILOBYTES
            },
            true,
            false,
        );
    });
}

/// TCP-11: marked closed, and the socket is open for ever.
#[test]
fn differs_f12_an_asynchronous_graceful_close_after_a_reset_closes() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = graceful(side);
                reset(peer);
                wait_readable(&*under);
                let closed = under.start_close(None).wait(context);
                assert!(under.is_closed());
                (closed, under.socket().is_closed())
            },
            (Fails(IOErrorEnum::NotConnected), false),
            (Fails(IOErrorEnum::NotConnected), true),
        );
    });
}

/// TCP-15: until 2.80.
#[test]
fn differs_ver_2_an_asynchronous_graceful_close_leaks_no_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = graceful(side);
                let gone = Gone::of(&*under);
                let closing = under.start_close(None);
                drop(peer);
                assert_eq!(closing.wait(context), Done);
                drop((under, closing));
                settle(context, Duration::from_millis(20));
                gone.is_gone()
            },
            false,
            true,
        );
    });
}
