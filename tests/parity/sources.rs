//! What a wait costs the main context that it happens in.

use std::{io::Write, time::Duration};

use gio::Cancellable;
use glib::translate::ToGlibPtr;

use crate::{differs::differs, support::*, tools::*, under::*};

const WAITS: usize = 40;

/// How many descriptors the context polls.
fn polled(context: &glib::MainContext) -> i32 {
    let context = context.to_glib_none().0;
    let mut priority = 0;
    let mut timeout = 0;
    // SAFETY: this thread owns the context; no descriptors are asked for, only how many there are.
    unsafe {
        glib::ffi::g_main_context_prepare(context, &raw mut priority);
        glib::ffi::g_main_context_query(
            context,
            i32::MAX,
            &raw mut timeout,
            std::ptr::null_mut(),
            0,
        )
    }
}

/// How many sources were attached to the context so far: their numbers are in order.
fn attached(context: &glib::MainContext) -> u32 {
    let source = glib::idle_source_new(None, DEFAULT, || glib::ControlFlow::Break);
    let number = source.attach(Some(context)).as_raw();
    source.destroy();
    number
}

/// Without epoll, or with its use turned off, ours polls each descriptor as well.
fn is_portable() -> bool {
    std::env::var_os("GSOCK_BACK_END").is_some_and(|back_end| back_end == "sources")
}

/// How many more descriptors the context polls for many connections that wait.
fn polled_for_waits(side: Side, context: &glib::MainContext) -> i32 {
    let before = polled(context);
    let mut pairs: Vec<_> = (0..WAITS).map(|_| side.connected()).collect();
    let reads: Vec<_> = pairs
        .iter()
        .map(|(under, _)| start_read(&under.input(), 8, None))
        .collect();
    settle(context, Duration::from_millis(20));
    assert!(reads.iter().all(|read| !read.is_set()));
    let more = polled(context) - before;
    for ((_, peer), read) in pairs.iter_mut().zip(reads) {
        peer.write_all(b"x").unwrap();
        assert_eq!(read.wait(context).unwrap(), b"x");
    }
    more
}

/// ASYNC-19: each iteration looks at every connection that waits.
#[test]
fn differs_f4_connections_that_wait_are_polled_as_one() {
    on_private_context(|context| {
        assert_gio(polled_for_waits(Side::Gio, context), WAITS as i32);
        let ours = polled_for_waits(Side::Ours, context);
        // Of the portable back end that is not said.
        let most = if is_portable() { WAITS as i32 } else { 1 };
        assert!((1..=most).contains(&ours), "{ours}");
    });
}

/// ASYNC-19: each of them is made, attached and destroyed, and wakes the context.
#[test]
fn differs_f3_a_wait_makes_no_source() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                let input = under.input();
                settle(context, Duration::from_millis(20));
                let mut readings = Vec::new();
                let before = attached(context);
                for _ in 0..WAITS {
                    let reading = start_read(&input, 8, Some(&Cancellable::new()));
                    // By hand: whatever waits for a time makes sources itself.
                    while context.iteration(false) {}
                    assert!(!reading.is_set());
                    peer.write_all(b"x").unwrap();
                    while !reading.is_set() {
                        context.iteration(true);
                    }
                    readings.push(reading);
                }
                // One is that of the question.
                let made = (attached(context) - before - 1) / WAITS as u32;
                for reading in readings {
                    assert_eq!(reading.wait(context).unwrap(), b"x");
                }
                made
            },
            3,
            0,
        );
    });
}
