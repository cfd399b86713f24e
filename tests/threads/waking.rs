//! Tasks that are woken while they run.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    thread,
};

use gsock::engine;

use crate::support::*;

#[test]
fn a_task_that_wakes_itself_runs_again() {
    on_private_context(|context| {
        let mut polls = 0;
        let task = engine::spawn_local(
            context,
            poll_fn(move |cx| {
                polls += 1;
                if polls == 100 {
                    return Poll::Ready(polls);
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }),
        );
        assert_eq!(block_on(context, task).expect("no panic"), 100);
    });
}

#[test]
fn a_task_that_another_thread_wakes_while_it_runs_runs_again() {
    on_private_context(|context| {
        let mut polls = 0;
        let task = engine::spawn_local(
            context,
            poll_fn(move |cx| {
                polls += 1;
                if polls == 20 {
                    return Poll::Ready(polls);
                }
                let waker = cx.waker().clone();
                thread::spawn(move || waker.wake())
                    .join()
                    .expect("no panic there");
                Poll::Pending
            }),
        );
        assert_eq!(block_on(context, task).expect("no panic"), 20);
    });
}

/// Whenever the wake comes: before the poll that looks, during it, or between it and the sleep.
#[test]
fn what_a_wake_announces_is_seen() {
    on_private_context(|context| {
        for _ in 0..200 {
            let count = Arc::new(AtomicU32::new(0));
            let mut counter = None;
            let task = engine::spawn_local(
                context,
                poll_fn(move |cx| {
                    counter.get_or_insert_with(|| {
                        let (waker, count) = (cx.waker().clone(), count.clone());
                        thread::spawn(move || {
                            for _ in 0..20 {
                                count.fetch_add(1, Ordering::SeqCst);
                                waker.wake_by_ref();
                            }
                        })
                    });
                    if count.load(Ordering::SeqCst) < 20 {
                        return Poll::Pending;
                    }
                    Poll::Ready(counter.take())
                }),
            );
            let counter = block_on(context, task).expect("no panic");
            counter.expect("begun").join().expect("no panic there");
        }
    });
}
