//! A close that is cancelled, or dropped, after so many iterations, whatever it is about then.

use std::{thread, time::Duration};

use gio::prelude::*;
use gsock::{TcpWrapperConnection, prelude::*};

use crate::{support::*, tools::*};

/// More iterations than any of these closes needs.
const POINTS: usize = 12;

/// The peer sees the end, and the base stream is closed in the end as well.
fn assert_all_ended(
    context: &glib::MainContext,
    wrapper: &TcpWrapperConnection,
    peer: thread::JoinHandle<Vec<u8>>,
) {
    iterate_until(context, || wrapper.is_closed());
    assert_closed(wrapper);
    let base = wrapper.base_io_stream();
    iterate_until(context, || base.is_closed());
    iterate_until(context, || !base.input_stream().has_pending());
    peer.join().expect("no panic");
}

fn each(
    test: impl Fn(&glib::MainContext, TcpWrapperConnection, usize),
) -> impl Fn(&glib::MainContext) {
    move |context| {
        for graceful in [false, true] {
            for point in 0..POINTS {
                let (wrapper, _, mut peer) = wrapped();
                wrapper.set_graceful_disconnect(graceful);
                let gone = Gone::of(&wrapper);
                let peer = thread::spawn(move || {
                    let read = read_to_end(&mut peer);
                    // A graceful close waits for that.
                    thread::sleep(Duration::from_millis(2));
                    read
                });
                let kept = wrapper.clone();
                test(context, wrapper, point);
                assert_all_ended(context, &kept, peer);
                drop(kept);
                iterate_until(context, || gone.is_gone());
            }
        }
    }
}

fn iterate(context: &glib::MainContext, times: usize) {
    for _ in 0..times {
        context.iteration(false);
    }
}

#[test]
fn a_close_that_is_cancelled_at_any_point_has_closed_all() {
    on_private_context(each(|context, wrapper, point| {
        let cancellable = gio::Cancellable::new();
        let outcome = begin_close(&wrapper, Some(&cancellable));
        iterate(context, point);
        let had_ended = outcome.borrow().is_some();
        cancellable.cancel();
        match end_close(context, &outcome) {
            Ok(()) => assert!(had_ended, "GIO looks at the cancellable at the end"),
            Err(failure) => assert_eq!(code(&failure), gio::IOErrorEnum::Cancelled),
        }
    }));
}

#[test]
fn a_close_that_is_dropped_at_any_point_closes_all() {
    on_private_context(each(|context, wrapper, point| {
        let mut closing = wrapper.close_future(glib::Priority::DEFAULT);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut polled = closing.as_mut().poll(&mut cx);
        for _ in 0..point {
            if polled.is_ready() {
                break;
            }
            context.iteration(false);
            polled = closing.as_mut().poll(&mut cx);
        }
        drop(closing);
    }));
}

#[test]
fn a_socket_that_is_closed_below_at_any_point_ends_the_close() {
    on_private_context(each(|context, wrapper, point| {
        let outcome = begin_close(&wrapper, None);
        iterate(context, point);
        // By whoever has it.
        let _ = wrapper.socket().close();
        // Whatever it answers.
        let _ = end_close(context, &outcome);
    }));
}

#[test]
fn a_base_stream_that_is_closed_at_any_point_ends_the_close() {
    on_private_context(each(|context, wrapper, point| {
        let outcome = begin_close(&wrapper, None);
        iterate(context, point);
        let _ = wrapper.base_io_stream().close(NONE);
        let _ = end_close(context, &outcome);
    }));
}
