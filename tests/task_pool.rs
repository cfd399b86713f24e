//! The threads that GIO runs tasks on, one pool for the process: how many begin at once, and that our
//! streams need none of them.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls GIO's C functions, and uses connections on several threads as C may"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call and the conversion of what it returns"
)]

mod support;

#[path = "parity/by_hand.rs"]
#[allow(dead_code, reason = "for the parity tests")]
mod by_hand;
#[path = "streams/tools.rs"]
#[allow(unused_macros, reason = "for the tests of the streams")]
mod tools;
#[path = "parity/under.rs"]
#[allow(dead_code, unused_macros, reason = "for the parity tests")]
mod under;

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, prelude::*};

use crate::{by_hand::*, support::*, tools::*, under::*};

/// How many threads the pool has before it grows.
const SIZE: usize = 10;

/// Tasks that block a thread each, until this is dropped.
struct Blocked {
    begun: mpsc::Receiver<Instant>,
    release: Vec<mpsc::Sender<()>>,
    answered: Vec<Slot<Task>>,
}

impl Blocked {
    fn start(count: usize) -> Self {
        let (begins, begun) = mpsc::channel();
        let (mut release, mut answered) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let called = Slot::new();
            let task = Task::new(None, None, called.put());
            let (sender, released) = mpsc::channel::<()>();
            let begins = begins.clone();
            task.run_in_thread(move |task| {
                let _ = begins.send(Instant::now());
                let _ = released.recv();
                task.return_true();
            });
            release.push(sender);
            answered.push(called);
        }
        Self {
            begun,
            release,
            answered,
        }
    }

    fn next(&self) -> Instant {
        self.begun.recv_timeout(LIMIT).unwrap()
    }

    fn end(self, context: &glib::MainContext) {
        drop(self.release);
        for task in self.answered {
            assert_eq!(task.wait(context).propagate(), Ok(true));
        }
    }
}

/// A stream that is closed while no thread of the pool is free.
fn closed(side: Side, context: &glib::MainContext) -> Outcome {
    let (under, _peer) = side.connected();
    let blocked = Blocked::start(SIZE + 30);
    for _ in 0..SIZE {
        blocked.next();
    }
    let closed = Slot::new();
    under
        .input()
        .close_async(DEFAULT, Cancellable::NONE, closed.put());
    let limit = match side {
        Side::Gio => Duration::from_millis(200),
        Side::Ours => LIMIT / 2,
    };
    let begun = Instant::now();
    while !closed.is_set() && begun.elapsed() < limit {
        context.iteration(false);
        thread::sleep(Duration::from_millis(1));
    }
    let in_time = closed.is_set();
    blocked.end(context);
    let result = Outcome::from(closed.wait(context));
    if in_time { result } else { Waits }
}

/// ASYNC-13, F-21: of eleven tasks one begins when a thread is added, after a while. GIO closes a stream
/// of a connection on such a thread, and ours needs none.
///
/// One test: the pool is the process', and what it has grown by stays for a while.
#[test]
fn differs_f21_ten_tasks_delay_the_close_of_a_stream_of_gios_and_not_of_ours() {
    on_private_context(|context| {
        let start = Instant::now();
        let blocked = Blocked::start(SIZE + 1);
        let begun: Vec<_> = (0..=SIZE).map(|_| blocked.next()).collect();
        let last = begun.into_iter().max().unwrap();
        assert!(last.duration_since(start) >= Duration::from_millis(90));
        blocked.end(context);

        assert_gio(closed(Side::Gio, context), Waits);
        assert_eq!(closed(Side::Ours, context), Done);
    });
}
