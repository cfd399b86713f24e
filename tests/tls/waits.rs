//! What waits in TLS costs the main context, and how long a wait is.

use std::{rc::Rc, time::Duration};

use gio::{IOErrorEnum, prelude::*};
use glib::translate::ToGlibPtr;

use crate::{pairs::*, scene::*, support::*, tools::*, under::*};

const WAITS: usize = 4;

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

fn polled_for_waits(side: Side, context: &glib::MainContext) -> i32 {
    let before = polled(context);
    let authority = Rc::new(Authority::new());
    let shaken = |_| {
        let ends = Ends::of(authority.clone(), base_pair(side));
        ends.shake_hands();
        ends
    };
    let all: Vec<_> = (0..WAITS).map(shaken).collect();
    let reads: Vec<_> = all
        .iter()
        .map(|ends| start_read(&ends.client.input_stream(), 8, None))
        .collect();
    settle(context, Duration::from_millis(20));
    assert!(reads.iter().all(|read| !read.is_set()));
    let more = polled(context) - before;
    for (ends, read) in all.iter().zip(reads) {
        write_all(&ends.server.output_stream(), b"x").unwrap();
        assert_eq!(read.wait(context).unwrap(), b"x");
    }
    more
}

/// F-4: TLS waits by pollable sources, and those of ours wait in the engine.
#[test]
fn tls_connections_that_wait_are_polled_as_one() {
    to_the_end(|context| {
        assert_gio(polled_for_waits(Side::Gio, context), WAITS as i32);
        let ours = polled_for_waits(Side::Ours, context);
        // Of the portable back end that is not said; an engine that is there already is not one more.
        let portable = std::env::var_os("GSOCK_BACK_END").is_some_and(|name| name == "sources");
        assert!(ours <= 1 || portable, "{ours}");
    });
}

on_both_to_the_end!(
    a_read_runs_into_the_timeout_of_the_socket,
    a_blocking_read_runs_into_the_timeout_of_the_socket,
);

fn a_read_runs_into_the_timeout_of_the_socket(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    ends.client_base.socket().set_timeout(1);
    let input = ends.client.input_stream();
    let reading = start_read(&input, 8, None);
    assert_fails(reading.wait(context), IOErrorEnum::TimedOut);
    // And nothing is broken by it.
    write_all(&ends.server.output_stream(), b"late").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"late");
}

fn a_blocking_read_runs_into_the_timeout_of_the_socket(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    ends.client_base.socket().set_timeout(1);
    let input = ends.client.input_stream();
    assert_fails(read(&input, 8), IOErrorEnum::TimedOut);
    write_all(&ends.server.output_stream(), b"late").unwrap();
    assert_eq!(read(&input, 8).unwrap(), b"late");
}
