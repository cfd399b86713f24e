//! Main loops inside of tasks.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io::Write,
    rc::Rc,
    task::Poll,
    thread,
    time::Duration,
};

use futures::channel::oneshot;
use gsock::{engine, prelude::*};

use crate::{handles::Guard, polling::*, support::*};

#[test]
fn other_tasks_run_in_a_loop_inside_of_a_task() {
    on_private_context(|context| {
        let (here, log) = (context.clone(), Rc::new(RefCell::new(Vec::new())));
        let (outer_log, inner_log) = (log.clone(), log.clone());
        let inner_ended = Rc::new(Cell::new(false));
        let ended = inner_ended.clone();
        let inner = engine::spawn_local(context, async move {
            for _ in 0..10 {
                yield_now().await;
            }
            inner_log.borrow_mut().push("inner");
            ended.set(true);
        });
        let outer = engine::spawn_local(context, async move {
            until(&here, || inner_ended.get());
            outer_log.borrow_mut().push("outer");
        });
        value_of(context.block_on(outer));
        value_of(context.block_on(inner));
        assert_eq!(*log.borrow(), ["inner", "outer"]);
    });
}

#[test]
fn loops_inside_of_tasks_inside_of_loops() {
    fn level(context: &glib::MainContext, depth: u32) -> engine::JoinHandle<u32> {
        let here = context.clone();
        engine::spawn_local(context, async move {
            yield_now().await;
            if depth == 0 {
                return 0;
            }
            let below = level(&here, depth - 1);
            value_of(here.block_on(below)) + 1
        })
    }
    on_private_context(|context| {
        let task = level(context, 8);
        assert_eq!(value_of(context.block_on(task)), 8);
    });
}

#[test]
fn a_task_in_a_loop_of_its_own_is_not_polled_within_itself() {
    on_private_context(|context| {
        let (here, within) = (context.clone(), Rc::new(Cell::new(false)));
        let polls = Rc::new(Cell::new(0));
        let count = polls.clone();
        let task = engine::spawn_local(
            context,
            poll_fn(move |cx| {
                assert!(!within.replace(true), "polled within its own poll");
                count.set(count.get() + 1);
                cx.waker().wake_by_ref();
                for _ in 0..10 {
                    here.iteration(false);
                }
                within.set(false);
                if count.get() == 5 {
                    return Poll::Ready(());
                }
                Poll::Pending
            }),
        );
        value_of(context.block_on(task));
        assert_eq!(polls.get(), 5);
    });
}

#[test]
fn sockets_are_watched_in_a_loop_inside_of_a_task() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (mut reader, _writer) = connection.halves();
        let received = Rc::new(Cell::new(0));
        let count = received.clone();
        let reading = engine::spawn_local(context, async move {
            let mut buffer = [0; 4];
            while count.get() < 40 {
                count.set(count.get() + reader.read(&mut buffer).await.unwrap());
            }
        });
        let feeder = thread::spawn(move || {
            for _ in 0..10 {
                peer.write_all(b"four").unwrap();
                thread::sleep(Duration::from_micros(200));
            }
            peer
        });
        let here = context.clone();
        let looping = engine::spawn_local(context, async move {
            until(&here, || received.get() == 40);
        });
        value_of(context.block_on(looping));
        value_of(context.block_on(reading));
        drop(feeder.join().unwrap());
    });
}

/// What the outer turn has found before the loop began is not kept from the loop.
#[test]
fn tasks_that_were_woken_together_run_in_the_loop_of_the_first() {
    on_private_context(|context| {
        let ran = Rc::new(Cell::new(0));
        let mut senders = Vec::new();
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let (send, receive) = oneshot::channel::<()>();
                senders.push(send);
                let (ran, here) = (ran.clone(), context.clone());
                engine::spawn_local(context, async move {
                    receive.await.unwrap();
                    ran.set(ran.get() + 1);
                    if number == 0 {
                        until(&here, || ran.get() == 10);
                    }
                })
            })
            .collect();
        while context.iteration(false) {}
        for send in senders {
            send.send(()).unwrap();
        }
        for task in tasks {
            value_of(context.block_on(task));
        }
    });
}

#[test]
fn a_task_is_aborted_in_a_loop_of_its_own() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        let guard = Guard::new(&gone);
        let (here, seen) = (context.clone(), gone.clone());
        let handle: Rc<RefCell<Option<engine::JoinHandle<()>>>> = Rc::default();
        let own = handle.clone();
        *handle.borrow_mut() = Some(engine::spawn_local(context, async move {
            let _guard = guard;
            let (to_abort, aborted) = (own.clone(), Rc::new(Cell::new(false)));
            let tell = aborted.clone();
            drop(engine::spawn_local(&here, async move {
                to_abort.borrow().as_ref().expect("set below").abort();
                tell.set(true);
            }));
            until(&here, || aborted.get());
            assert_eq!(seen.get(), 0);
            std::future::pending::<()>().await;
        }));
        until(context, || gone.get() == 1);
        let task = handle.take().expect("set above");
        assert!(context.block_on(task).unwrap_err().is_aborted());
    });
}

#[test]
fn a_panic_in_an_inner_loop_ends_the_inner_task_only() {
    on_private_context(|context| {
        let here = context.clone();
        let outer = engine::spawn_local(context, async move {
            let inner = engine::spawn_local(&here, async { panic!("on purpose") });
            let result: Result<(), _> = here.block_on(inner);
            assert!(result.unwrap_err().is_panic());
            5
        });
        assert_eq!(value_of(context.block_on(outer)), 5);
    });
}

/// Also when the panic goes through the loop itself.
#[test]
fn a_task_that_panics_beside_its_loop_leaves_the_engine_in_order() {
    on_private_context(|context| {
        let here = context.clone();
        let outer = engine::spawn_local(context, async move {
            let inner = engine::spawn_local(&here, async { 1 });
            assert_eq!(value_of(here.block_on(inner)), 1);
            panic!("on purpose");
        });
        let result: Result<(), _> = context.block_on(outer);
        assert!(result.unwrap_err().is_panic());
        let after = engine::spawn_local(context, async {
            yield_now().await;
            2
        });
        assert_eq!(value_of(context.block_on(after)), 2);
    });
}

/// A task of GLib's cannot have another one of them inside, but it can have ours.
#[test]
fn our_tasks_run_in_a_loop_inside_of_a_task_of_glib() {
    on_private_context(|context| {
        let (here, ended) = (context.clone(), Rc::new(Cell::new(false)));
        let end = ended.clone();
        drop(context.spawn_local(async move {
            let inner = engine::spawn_local(&here, async {
                glib::timeout_future(Duration::from_millis(1)).await;
                yield_now().await;
            });
            until(&here, || inner.is_finished());
            end.set(true);
        }));
        until(context, || ended.get());
    });
}

#[test]
fn a_task_of_glib_runs_in_a_loop_inside_of_ours() {
    on_private_context(|context| {
        let here = context.clone();
        let outer = engine::spawn_local(context, async move {
            let inner = here.spawn_local(async {
                glib::timeout_future(Duration::from_millis(1)).await;
                3
            });
            here.block_on(inner).unwrap()
        });
        until(context, || outer.is_finished());
        assert_eq!(value_of(context.block_on(outer)), 3);
    });
}
