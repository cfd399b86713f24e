//! What a handle says of its task.

use std::{
    cell::{Cell, RefCell},
    future::{pending, poll_fn},
    rc::Rc,
    task::Poll,
};

use futures::{channel::oneshot, future::join_all};
use gsock::engine::{self, JoinHandle};

use crate::{polling::*, support::*};

/// Counts itself off when it is dropped.
pub(crate) struct Guard(pub(crate) Rc<Cell<usize>>);

impl Guard {
    pub(crate) fn new(gone: &Rc<Cell<usize>>) -> Self {
        Self(gone.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_task_yields_what_its_future_does() {
    on_private_context(|context| {
        // Nothing of it need be Send.
        let value = Rc::new(41);
        let task = engine::spawn_local(context, async move { Rc::new(*value + 1) });
        assert_eq!(*context.block_on(task).unwrap(), 42);
    });
}

#[test]
fn a_task_waits_for_its_context_to_run() {
    on_private_context(|context| {
        let polls = Rc::new(Cell::new(0));
        let task = engine::spawn_local(context, counted(polls.clone(), async { 7 }));
        assert_eq!(polls.get(), 0);
        assert!(!task.is_finished());
        until(context, || task.is_finished());
        assert_eq!(polls.get(), 1);
        assert_eq!(value_of(context.block_on(task)), 7);
    });
}

#[test]
fn a_task_goes_on_without_its_handle() {
    on_private_context(|context| {
        let (send, receive) = oneshot::channel();
        let ended = Rc::new(Cell::new(false));
        let end = ended.clone();
        drop(engine::spawn_local(context, async move {
            end.set(receive.await.unwrap());
        }));
        while context.iteration(false) {}
        send.send(true).unwrap();
        until(context, || ended.get());
    });
}

#[test]
fn tasks_wait_for_tasks() {
    on_private_context(|context| {
        let mut last = engine::spawn_local(context, async { 0 });
        for _ in 0..100 {
            last = engine::spawn_local(context, async move { last.await.unwrap() + 1 });
        }
        assert_eq!(value_of(context.block_on(last)), 100);
        let all = (0..100).map(|number| engine::spawn_local(context, async move { number }));
        let results = context.block_on(join_all(all));
        let sum: i32 = results.into_iter().map(|result| result.unwrap()).sum();
        assert_eq!(sum, 4950);
    });
}

#[test]
fn who_asks_a_handle_last_is_woken() {
    on_private_context(|context| {
        let (send, receive) = oneshot::channel();
        let mut task = Box::pin(engine::spawn_local(context, async move {
            receive.await.unwrap()
        }));
        let (old, new) = (Bell::new(), Bell::new());
        assert!(old.poll(&mut task).is_pending());
        assert!(new.poll(&mut task).is_pending());
        assert_eq!(old.held(), 0);
        while context.iteration(false) {}
        send.send(5).unwrap();
        until(context, || new.rung() > 0);
        assert_eq!((old.rung(), new.rung()), (0, 1));
        assert_eq!(done(new.poll(&mut task)).unwrap(), 5);
        assert_eq!(new.held(), 0);
    });
}

#[test]
fn the_future_is_gone_before_anybody_learns_of_its_end() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        // A future keeps what it has beyond its end, until it is dropped.
        let guard = Guard::new(&gone);
        let task = engine::spawn_local(
            context,
            poll_fn(move |_| {
                assert_eq!(guard.0.get(), 0);
                Poll::Ready(())
            }),
        );
        let watched = gone.clone();
        run(context, async move {
            task.await.unwrap();
            assert_eq!(watched.get(), 1);
        });
    });
}

#[test]
fn an_aborted_task_is_dropped_at_once() {
    on_private_context(|context| {
        for polled in [false, true] {
            let gone = Rc::new(Cell::new(0));
            let guard = Guard::new(&gone);
            let polls = Rc::new(Cell::new(0));
            let task = engine::spawn_local(
                context,
                counted(polls.clone(), async move {
                    let _guard = guard;
                    pending::<()>().await;
                }),
            );
            if polled {
                while context.iteration(false) {}
            }
            assert_eq!((polls.get(), gone.get()), (usize::from(polled), 0));
            task.abort();
            assert_eq!(gone.get(), 1);
            assert!(task.is_finished());
            // Once more is no more.
            task.abort();
            let error = context.block_on(task).unwrap_err();
            assert!(error.is_aborted() && !error.is_panic());
            assert_eq!(polls.get(), usize::from(polled));
        }
    });
}

#[test]
fn an_abort_after_the_end_takes_nothing_back() {
    on_private_context(|context| {
        let task = engine::spawn_local(context, async { "kept" });
        until(context, || task.is_finished());
        task.abort();
        assert_eq!(context.block_on(task).unwrap(), "kept");
    });
}

#[test]
fn an_aborted_task_that_was_woken_is_not_polled() {
    on_private_context(|context| {
        let (send, receive) = oneshot::channel::<()>();
        let polls = Rc::new(Cell::new(0));
        let task = engine::spawn_local(context, counted(polls.clone(), receive));
        while context.iteration(false) {}
        assert_eq!(polls.get(), 1);
        send.send(()).unwrap();
        task.abort();
        while context.iteration(false) {}
        assert_eq!(polls.get(), 1);
        assert!(context.block_on(task).unwrap_err().is_aborted());
    });
}

type Shared = Rc<RefCell<Option<JoinHandle<u32>>>>;

#[test]
fn a_task_that_aborts_itself_ends_when_it_returns() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        let guard = Guard::new(&gone);
        let handle: Shared = Rc::default();
        let (own, seen) = (handle.clone(), gone.clone());
        *handle.borrow_mut() = Some(engine::spawn_local(context, async move {
            let _guard = guard;
            own.borrow().as_ref().expect("set below").abort();
            // It is being polled: nothing is taken from under it.
            assert_eq!(seen.get(), 0);
            yield_now().await;
            unreachable!("it was aborted")
        }));
        until(context, || gone.get() == 1);
        let task = handle.take().expect("set above");
        assert!(context.block_on(task).unwrap_err().is_aborted());
    });
}

#[test]
fn a_task_that_aborts_itself_and_ends_has_ended() {
    on_private_context(|context| {
        let handle: Shared = Rc::default();
        let own = handle.clone();
        *handle.borrow_mut() = Some(engine::spawn_local(context, async move {
            own.borrow().as_ref().expect("set below").abort();
            3
        }));
        let ended = handle.clone();
        until(context, || {
            ended.borrow().as_ref().is_some_and(JoinHandle::is_finished)
        });
        let task = handle.take().expect("set above");
        assert_eq!(context.block_on(task).unwrap(), 3);
    });
}

#[test]
fn a_panic_is_a_result_and_others_go_on() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        let guard = Guard::new(&gone);
        let bad = engine::spawn_local(context, async move {
            let _guard = guard;
            yield_now().await;
            panic!("on purpose");
        });
        let good = engine::spawn_local(context, async {
            for _ in 0..10 {
                yield_now().await;
            }
            5
        });
        assert_eq!(value_of(context.block_on(good)), 5);
        assert!(bad.is_finished());
        assert_eq!(gone.get(), 1);
        let result: Result<(), _> = context.block_on(bad);
        let error = result.unwrap_err();
        assert!(error.is_panic() && !error.is_aborted());
        assert_eq!(error.to_string(), "the task panicked");
        assert!(format!("{error:?}").contains("is_panic: true"));
        let panic = error.try_into_panic().unwrap();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "on purpose");
    });
}

#[test]
fn a_panic_that_nobody_asks_for_harms_nobody() {
    on_private_context(|context| {
        drop(engine::spawn_local(context, async { panic!("on purpose") }));
        let after = engine::spawn_local(context, async { 1 });
        assert_eq!(value_of(context.block_on(after)), 1);
    });
}

#[test]
fn an_abort_is_no_panic() {
    on_private_context(|context| {
        let task = engine::spawn_local(context, pending::<()>());
        assert!(format!("{task:?}").contains("is_finished: false"));
        task.abort();
        let error = context.block_on(task).unwrap_err();
        assert_eq!(error.to_string(), "the task was aborted");
        let error = error.try_into_panic().unwrap_err();
        assert!(error.is_aborted());
    });
}

#[test]
fn a_destructor_that_panics_is_logged_and_the_task_has_ended() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    on_private_context(|context| {
        let task = engine::spawn_local(context, async {
            let _bad = Bad;
            pending::<()>().await;
        });
        while context.iteration(false) {}
        with_one_critical(|| task.abort());
        assert!(task.is_finished());
        assert!(context.block_on(task).unwrap_err().is_aborted());
        let after = engine::spawn_local(context, async { 1 });
        assert_eq!(value_of(context.block_on(after)), 1);
    });
}

#[test]
fn a_destructor_may_spawn_and_abort() {
    struct Spawns(glib::MainContext, Rc<Cell<bool>>, Option<JoinHandle<()>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let ran = self.1.clone();
            drop(engine::spawn_local(&self.0, async move { ran.set(true) }));
            if let Some(other) = self.2.take() {
                other.abort();
            }
        }
    }
    on_private_context(|context| {
        let (ran, gone) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
        let guard = Guard::new(&gone);
        let other = engine::spawn_local(context, async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let spawns = Spawns(context.clone(), ran.clone(), Some(other));
        let task = engine::spawn_local(context, async move {
            let _spawns = spawns;
            pending::<()>().await;
        });
        while context.iteration(false) {}
        task.abort();
        assert_eq!(gone.get(), 1);
        until(context, || ran.get());
    });
}
