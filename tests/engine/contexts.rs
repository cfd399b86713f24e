//! Who may spawn where, and what becomes of tasks whose context goes.

use std::{
    cell::Cell,
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
};

use futures::{
    channel::oneshot,
    task::{LocalSpawn, LocalSpawnExt},
};
use gsock::engine;

use crate::{handles::Guard, polling::*, support::*};

#[test]
fn tasks_go_with_their_context() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        let brief = glib::MainContext::new();
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let guard = Guard::new(&gone);
                let priority = glib::Priority::from(number % 3);
                engine::spawn_local_with_priority(&brief, priority, async move {
                    let _guard = guard;
                    if number % 2 == 0 {
                        yield_now().await;
                    }
                    pending::<()>().await;
                })
            })
            .collect();
        brief.iteration(false);
        assert_eq!(gone.get(), 0);
        drop(brief);
        assert_eq!(gone.get(), 10);
        for task in tasks {
            assert!(task.is_finished());
            // Once more, to no avail.
            task.abort();
            assert!(context.block_on(task).unwrap_err().is_aborted());
        }
    });
}

#[test]
fn a_task_that_never_ran_goes_with_its_context() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        let guard = Guard::new(&gone);
        let brief = glib::MainContext::new();
        let task = engine::spawn_local(&brief, async move { drop(guard) });
        drop(brief);
        assert_eq!(gone.get(), 1);
        assert!(context.block_on(task).unwrap_err().is_aborted());
    });
}

#[test]
fn who_waits_for_a_task_learns_that_its_context_has_gone() {
    on_private_context(|context| {
        let brief = glib::MainContext::new();
        let task = engine::spawn_local(&brief, pending::<()>());
        let waiting = engine::spawn_local(context, task);
        while context.iteration(false) {}
        assert!(!waiting.is_finished());
        drop(brief);
        let result = value_of(context.block_on(waiting));
        assert!(result.unwrap_err().is_aborted());
    });
}

/// What is dropped there counts as an error here.
struct OnlyHere(thread::ThreadId, Arc<AtomicUsize>);

impl Drop for OnlyHere {
    fn drop(&mut self) {
        if thread::current().id() != self.0 {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_context_that_goes_on_another_thread_drops_no_future_there() {
    on_private_context(|context| {
        let elsewhere = Arc::new(AtomicUsize::new(0));
        let brief = glib::MainContext::new();
        let guard = OnlyHere(thread::current().id(), elsewhere.clone());
        let task = engine::spawn_local(&brief, async move {
            let _guard = guard;
            pending::<()>().await;
        });
        brief.iteration(false);
        thread::spawn(move || drop(brief)).join().unwrap();
        assert_eq!(elsewhere.load(Ordering::SeqCst), 0);
        // It is over all the same.
        assert!(task.is_finished());
        assert!(context.block_on(task).unwrap_err().is_aborted());
    });
}

#[test]
fn a_task_is_not_polled_on_another_thread() {
    on_private_context(|_context| {
        let lent = glib::MainContext::new();
        let polls = Rc::new(Cell::new(0));
        let task = engine::spawn_local(&lent, counted(polls.clone(), pending::<()>()));
        let theirs = lent.clone();
        thread::spawn(move || {
            for _ in 0..10 {
                theirs.iteration(false);
            }
        })
        .join()
        .unwrap();
        assert_eq!(polls.get(), 0);
        assert!(!task.is_finished());
    });
}

/// Holds a context on another thread until the result is dropped.
fn held_elsewhere(context: &glib::MainContext) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (hold, held) = mpsc::channel();
    let context = context.clone();
    thread::spawn(move || {
        let _owned = context.acquire().expect("nobody else has it");
        hold.send(()).unwrap();
        let _ = released.recv();
    });
    held.recv().unwrap();
    release
}

#[test]
fn who_does_not_own_the_context_panics_before_anything_is_started() {
    on_private_context(|_context| {
        let foreign = glib::MainContext::new();
        let holder = held_elsewhere(&foreign);
        let (gone, polls) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let guard = Guard::new(&gone);
        let future = counted(polls.clone(), async move { drop(guard) });
        let spawned = catch_unwind(AssertUnwindSafe(|| {
            drop(engine::spawn_local(&foreign, future));
        }));
        let message = *spawned.unwrap_err().downcast::<&str>().expect("a text");
        assert_eq!(
            message,
            "Spawning local tasks is only allowed on the thread that owns the main context"
        );
        assert_eq!((polls.get(), gone.get()), (0, 1));
        drop(holder);
    });
}

#[test]
fn a_spawner_says_whether_it_can() {
    on_private_context(|context| {
        let foreign = glib::MainContext::new();
        let holder = held_elsewhere(&foreign);
        let spawner = engine::spawner(&foreign);
        assert!(spawner.status_local().unwrap_err().is_shutdown());
        let refused = spawner.spawn_local(async { unreachable!("it was refused") });
        assert!(refused.unwrap_err().is_shutdown());
        drop(holder);

        let spawner = engine::spawner(context);
        spawner.status_local().unwrap();
        let ran = Rc::new(Cell::new(false));
        let run_it = ran.clone();
        let clone = spawner.clone();
        clone
            .spawn_local(async move {
                yield_now().await;
                run_it.set(true);
            })
            .unwrap();
        assert!(!ran.get());
        until(context, || ran.get());
        let handle = spawner.spawn_local_with_handle(async { Rc::new(9) });
        assert_eq!(*context.block_on(handle.unwrap()), 9);
    });
}

/// Whoever starts something in a task starts it there.
#[test]
fn the_context_of_a_task_is_thread_default_while_it_runs() {
    on_private_context(|context| {
        let second = glib::MainContext::new();
        for context in [context, &second] {
            let expected = context.clone();
            let task = engine::spawn_local(context, async move {
                for _ in 0..3 {
                    assert_eq!(glib::MainContext::ref_thread_default(), expected);
                    yield_now().await;
                }
            });
            // By iterations alone: nobody has made it the default.
            until(context, || task.is_finished());
            value_of(context.block_on(task));
        }
        assert_eq!(&glib::MainContext::ref_thread_default(), context);
    });
}

#[test]
fn a_context_of_a_thread_pool_has_its_own_engine() {
    on_private_context(|_context| {
        let threads: Vec<_> = (0..8_u64)
            .map(|number| {
                on_thread_of_its_own(
                    move || {
                        Box::pin(async move {
                            let mut sum = 0;
                            for round in 0..200 {
                                let context = glib::MainContext::ref_thread_default();
                                let task =
                                    engine::spawn_local(&context, async move { number * round });
                                sum += task.await.unwrap();
                            }
                            sum
                        })
                    },
                    |sum| sum,
                )
            })
            .collect();
        for (number, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), number as u64 * 19_900);
        }
    });
}

/// A context may be at the address of one that has gone, whose engine must not be taken for its own.
#[test]
fn contexts_that_come_and_go_have_engines_of_their_own() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        for round in 1..=300 {
            let brief = glib::MainContext::new();
            let guard = Guard::new(&gone);
            let parked = engine::spawn_local(&brief, async move {
                let _guard = guard;
                pending::<()>().await;
            });
            let quick = engine::spawn_local(&brief, async move { round });
            assert_eq!(value_of(brief.block_on(quick)), round);
            drop(brief);
            assert_eq!(gone.get(), round);
            assert!(context.block_on(parked).unwrap_err().is_aborted());
        }
    });
}

/// The end of a task may be the end of its context.
#[test]
fn a_task_may_hold_the_last_reference_to_another_context() {
    on_private_context(|context| {
        let inner = glib::MainContext::new();
        let gone = Rc::new(Cell::new(0));
        let guard = Guard::new(&gone);
        let parked = engine::spawn_local(&inner, async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let holder = engine::spawn_local(context, async move {
            yield_now().await;
            drop(inner);
            parked.await.unwrap_err().is_aborted()
        });
        assert!(value_of(context.block_on(holder)));
        assert_eq!(gone.get(), 1);
    });
}

#[test]
fn a_waker_outlives_its_task_and_its_context() {
    on_private_context(|_context| {
        let brief = glib::MainContext::new();
        let (give, take) = mpsc::channel();
        let task = engine::spawn_local(
            &brief,
            poll_fn(move |cx| {
                give.send(cx.waker().clone()).unwrap();
                Poll::<()>::Pending
            }),
        );
        brief.iteration(false);
        let waker = take.recv().unwrap();
        task.abort();
        waker.wake_by_ref();
        brief.iteration(false);
        drop(brief);
        waker.wake_by_ref();
        thread::spawn(move || waker.wake()).join().unwrap();
    });
}

/// Wakes from another thread while the context is going away meet an engine that ends.
#[test]
fn a_context_goes_while_its_tasks_are_being_woken() {
    on_private_context(|_context| {
        for _ in 0..100 {
            let brief = glib::MainContext::new();
            let (give, take) = mpsc::channel();
            let task = engine::spawn_local(
                &brief,
                poll_fn(move |cx| {
                    let _ = give.send(cx.waker().clone());
                    Poll::<()>::Pending
                }),
            );
            brief.iteration(false);
            let waker = take.recv().unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let (stopped, (started, start)) = (stop.clone(), mpsc::channel());
            let other = thread::spawn(move || {
                started.send(()).unwrap();
                while !stopped.load(Ordering::Relaxed) {
                    waker.wake_by_ref();
                }
            });
            start.recv().unwrap();
            for _ in 0..3 {
                brief.iteration(false);
            }
            drop(brief);
            assert!(task.is_finished());
            stop.store(true, Ordering::Relaxed);
            other.join().unwrap();
        }
    });
}

#[test]
fn a_channel_ends_when_the_task_behind_it_goes_with_its_context() {
    on_private_context(|context| {
        let brief = glib::MainContext::new();
        let (send, receive) = oneshot::channel::<()>();
        drop(engine::spawn_local(&brief, async move {
            let _send = send;
            pending::<()>().await;
        }));
        let waiting = engine::spawn_local(context, receive);
        while context.iteration(false) {}
        drop(brief);
        assert!(value_of(context.block_on(waiting)).is_err());
    });
}
