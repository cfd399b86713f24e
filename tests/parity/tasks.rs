//! When and where an operation answers: GIO's rules for tasks, under GIO's connections and ours.

use std::{cell::RefCell, io::Write, rc::Rc, sync::mpsc, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{by_hand::*, differs::differs, support::*, tools::*, under::*};

on_both!(
    async_1_every_operation_answers_in_the_context_of_its_call,
    async_1_the_context_of_a_task_is_that_of_its_making,
    async_2_no_callback_runs_before_the_call_returns,
    async_2_no_callback_runs_before_the_call_returns_in_a_dispatch,
    async_3_a_task_made_and_answered_in_one_dispatch_calls_back_in_a_later_one,
    async_3_a_task_answered_in_a_later_dispatch_calls_back_there_and_then,
    async_3_a_task_answered_on_another_thread_calls_back_in_its_context,
    async_4_what_is_ready_is_answered_in_the_next_iteration,
    async_4_what_has_waited_is_answered_in_the_dispatch_of_its_event,
    async_6_a_read_that_waits_has_the_priority_of_its_call,
    async_6_the_priority_of_a_task_is_that_of_its_answer,
    async_7_operations_of_one_priority_answer_in_the_order_of_their_calls,
    async_7_tasks_of_one_priority_call_back_in_the_order_of_their_answers,
    async_7_a_low_priority_waits_for_all_that_is_higher,
    async_14_a_task_on_a_thread_answers_when_its_function_has_returned,
    async_15_a_task_on_a_thread_runs_though_it_is_cancelled_before,
    async_15_one_that_returns_on_cancel_runs_too,
    async_17_cancelling_calls_nobody_back,
    async_17_cancelling_in_a_callback_calls_nobody_back,
    async_18_without_an_iteration_nothing_is_answered_or_freed,
    async_19_an_answer_from_another_thread_wakes_the_loop,
);

fn async_1_every_operation_answers_in_the_context_of_its_call(
    side: Side,
    context: &glib::MainContext,
) {
    let other = glib::MainContext::new();
    let seen: Rc<RefCell<Vec<&str>>> = Rc::default();
    let here = thread::current().id();
    let note = |name: &'static str| {
        let (seen, other) = (seen.clone(), other.clone());
        move || {
            if glib::MainContext::ref_thread_default() == other && thread::current().id() == here {
                seen.borrow_mut().push(name);
            }
        }
    };
    let (_listener, address) = listener();
    let under = side.unconnected();
    let connecting = note("connect");
    other
        .with_thread_default(|| {
            under.connect_by_hand(&gio_address(address), None, move |_| connecting());
        })
        .unwrap();
    iterate_for(context, Duration::from_millis(10));
    assert!(seen.borrow().is_empty());
    iterate_until(&other, || !seen.borrow().is_empty());
    assert_eq!(*seen.borrow(), ["connect"]);

    let (under, _peer) = side.connected();
    let (reading, writing, closing) = (note("read"), note("write"), note("close"));
    other
        .with_thread_default(|| {
            let (input, output) = (under.input(), under.output());
            output.write_async(b"x".to_vec(), DEFAULT, Cancellable::NONE, move |_| {
                writing()
            });
            input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |_| reading());
        })
        .unwrap();
    iterate_for(context, Duration::from_millis(10));
    assert_eq!(*seen.borrow(), ["connect"]);
    iterate_until(&other, || seen.borrow().len() == 2);
    assert_eq!(*seen.borrow(), ["connect", "write"]);
    other
        .with_thread_default(|| under.close_by_hand(DEFAULT, None, move |_, _| closing()))
        .unwrap();
    iterate_for(context, Duration::from_millis(10));
    assert_eq!(seen.borrow().len(), 2);
    iterate_until(&other, || seen.borrow().len() == 4);
    assert!(seen.borrow().contains(&"read"));
    assert!(seen.borrow().contains(&"close"));
}

/// And not that of its answer, or of its finish.
fn async_1_the_context_of_a_task_is_that_of_its_making(side: Side, context: &glib::MainContext) {
    let under = side.unconnected();
    let other = glib::MainContext::new();
    let called = Slot::new();
    let put = called.put();
    let task = other
        .with_thread_default(|| {
            Task::new(Some(&under), None, move |task| {
                put((task.propagate(), glib::MainContext::ref_thread_default()));
            })
        })
        .unwrap();
    task.return_true();
    iterate_for(context, Duration::from_millis(10));
    assert!(!called.is_set());
    assert_eq!(called.wait(&other), (Ok(true), other));
}

/// Names of what has answered, in that order.
type Answers = Rc<RefCell<Vec<&'static str>>>;

/// Operations that end at once.
struct Started {
    /// What has answered before the last call returned.
    before: Vec<&'static str>,
    answers: Answers,
    _kept: [Under; 4],
}

fn started(side: Side) -> Started {
    let answers = Answers::default();
    let put = |name: &'static str| {
        let answers = answers.clone();
        move || answers.borrow_mut().push(name)
    };
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let (read, mut peer) = side.connected();
    peer.write_all(b"x").unwrap();
    wait_readable(&*read);
    let done = put("read");
    read.input()
        .read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |_| done());
    let done = put("write");
    read.output()
        .write_async(b"x".to_vec(), DEFAULT, Cancellable::NONE, move |_| done());
    let (busy, _busy_peer) = side.connected();
    busy.input().set_pending().unwrap();
    let done = put("pending");
    busy.input()
        .read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |_| done());
    busy.input().clear_pending();
    let done = put("cancelled");
    busy.input()
        .read_async(vec![0; 8], DEFAULT, Some(&cancelled), move |_| done());
    let (closed, _closed_peer) = side.connected();
    let done = put("close");
    closed.close_by_hand(DEFAULT, None, move |_, _| done());
    let done = put("close while closing");
    closed.close_by_hand(DEFAULT, None, move |_, _| done());
    let refused = side.unconnected();
    let done = put("connect");
    refused.connect_by_hand(&gio_address(refused_address()), None, move |_| done());
    let before = answers.borrow().clone();
    Started {
        before,
        answers,
        _kept: [read, busy, closed, refused],
    }
}

fn async_2_no_callback_runs_before_the_call_returns(side: Side, context: &glib::MainContext) {
    let started = started(side);
    assert_eq!(started.before, [""; 0]);
    iterate_until(context, || started.answers.borrow().len() == 7);
}

/// Runs `work` in a dispatch of `context`.
fn in_a_dispatch<R: 'static>(context: &glib::MainContext, work: impl FnOnce() -> R + 'static) -> R {
    let slot = Slot::new();
    let put = slot.put();
    context.spawn_local(async move { put(work()) });
    slot.wait(context)
}

/// ASYNC-5.
fn async_2_no_callback_runs_before_the_call_returns_in_a_dispatch(
    side: Side,
    context: &glib::MainContext,
) {
    let started = in_a_dispatch(context, move || started(side));
    assert_eq!(started.before, [""; 0]);
    iterate_until(context, || started.answers.borrow().len() == 7);
}

fn async_3_a_task_made_and_answered_in_one_dispatch_calls_back_in_a_later_one(
    side: Side,
    context: &glib::MainContext,
) {
    let under = side.unconnected();
    let called = in_a_dispatch(context, move || {
        let called = Slot::new();
        let put = called.put();
        let task = Task::new(Some(&under), None, move |task| put(task.propagate()));
        task.return_true();
        (called.is_set(), called)
    });
    assert!(!called.0);
    assert_eq!(called.1.wait(context), Ok(true));
}

fn async_3_a_task_answered_in_a_later_dispatch_calls_back_there_and_then(
    side: Side,
    context: &glib::MainContext,
) {
    let under = side.unconnected();
    let make = |cancellable: Option<&Cancellable>| {
        let called = Slot::new();
        let put = called.put();
        let task = Task::new(Some(&under), cancellable, move |task| put(task.propagate()));
        (task, called)
    };
    // Made outside of any dispatch.
    let (task, called) = make(None);
    let at_once = in_a_dispatch(context, move || {
        task.return_true();
        called.is_set()
    });
    assert!(at_once);
    // Made in an earlier one.
    let source = under.clone();
    let (task, called) = in_a_dispatch(context, move || {
        let called = Slot::new();
        let put = called.put();
        let task = Task::new(Some(&source), None, move |task| put(task.propagate()));
        (task, called)
    });
    let at_once = in_a_dispatch(context, move || {
        task.return_true();
        called.is_set()
    });
    assert!(at_once);
    // Unless it is cancelled.
    let cancellable = Cancellable::new();
    let (task, called) = make(Some(&cancellable));
    let (at_once, called) = in_a_dispatch(context, move || {
        cancellable.cancel();
        task.return_true();
        (called.is_set(), called)
    });
    assert!(!at_once);
    assert_eq!(called.wait(context), Err(IOErrorEnum::Cancelled));
    // Nor in a dispatch of another context.
    let (task, called) = make(None);
    let other = glib::MainContext::new();
    let (at_once, called) = other
        .with_thread_default(|| {
            in_a_dispatch(&other, move || {
                task.return_true();
                (called.is_set(), called)
            })
        })
        .unwrap();
    assert!(!at_once);
    assert_eq!(called.wait(context), Ok(true));
}

fn async_3_a_task_answered_on_another_thread_calls_back_in_its_context(
    side: Side,
    context: &glib::MainContext,
) {
    let under = side.unconnected();
    let called = Slot::new();
    let put = called.put();
    let task = Task::new(Some(&under), None, move |task| {
        put((task.propagate(), thread::current().id()));
    });
    on_thread(&task, Task::return_true).join().unwrap();
    assert!(!called.is_set());
    assert_eq!(called.wait(context), (Ok(true), thread::current().id()));
}

fn async_4_what_is_ready_is_answered_in_the_next_iteration(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"ready").unwrap();
    wait_readable(&*under);
    // One at a time: an engine whose thread was kept waiting leaves the rest of what is ready to the iteration after.
    let reading = start_read(&under.input(), 8, None);
    assert!(!reading.is_set());
    context.iteration(false);
    assert!(reading.is_set());
    let writing = start_write(&under.output(), b"x".to_vec(), None);
    assert!(!writing.is_set());
    context.iteration(false);
    assert!(writing.is_set());
    assert_eq!(reading.wait(context).unwrap(), b"ready");
}

fn async_4_what_has_waited_is_answered_in_the_dispatch_of_its_event(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let reading = start_read(&under.input(), 8, None);
    settle(context, Duration::from_millis(10));
    peer.write_all(b"later").unwrap();
    wait_readable(&*under);
    assert!(!reading.is_set());
    context.iteration(false);
    assert!(reading.is_set());
    assert_eq!(reading.wait(context).unwrap(), b"later");
}

fn async_6_a_read_that_waits_has_the_priority_of_its_call(side: Side, context: &glib::MainContext) {
    let expected = [
        (glib::Priority::LOW, ["idle", "read"]),
        (glib::Priority::HIGH, ["read", "idle"]),
    ];
    for (priority, order) in expected {
        let (under, mut peer) = side.connected();
        let log = Log::default();
        let done = log.clone();
        under
            .input()
            .read_async(vec![0; 8], priority, Cancellable::NONE, move |_| {
                done.add("read")
            });
        settle(context, Duration::from_millis(10));
        peer.write_all(b"x").unwrap();
        wait_readable(&*under);
        log.add_when_idle(context, DEFAULT, "idle");
        iterate_until(context, || log.lines().len() == 2);
        assert_eq!(log.lines(), order, "{priority:?}");
    }
}

fn async_6_the_priority_of_a_task_is_that_of_its_answer(side: Side, context: &glib::MainContext) {
    let under = side.unconnected();
    let log = Log::default();
    let task = |name: &'static str| {
        let log = log.clone();
        Task::new(Some(&under), None, move |_| log.add(name))
    };
    let (low, default, high) = (task("low"), task("default"), task("high"));
    low.set_priority(glib::Priority::LOW);
    high.set_priority(glib::Priority::HIGH);
    for task in [low, default, high] {
        task.return_true();
    }
    // Of an equal one, and after it.
    log.add_when_idle(context, DEFAULT, "idle");
    iterate_until(context, || log.lines().len() == 4);
    assert_eq!(log.lines(), ["high", "default", "idle", "low"]);
}

fn async_7_operations_of_one_priority_answer_in_the_order_of_their_calls(
    side: Side,
    context: &glib::MainContext,
) {
    let mut pairs: Vec<_> = (0..3).map(|_| side.connected()).collect();
    for (under, peer) in &mut pairs {
        peer.write_all(b"x").unwrap();
        wait_readable(&**under);
    }
    let log = Log::default();
    for (which, name) in [(2, "third"), (0, "first"), (1, "second")] {
        let done = log.clone();
        let input = pairs[which].0.input();
        input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |_| {
            done.add(name)
        });
    }
    iterate_until(context, || log.lines().len() == 3);
    assert_eq!(log.lines(), ["third", "first", "second"]);
}

fn async_7_tasks_of_one_priority_call_back_in_the_order_of_their_answers(
    side: Side,
    context: &glib::MainContext,
) {
    let under = side.unconnected();
    let log = Log::default();
    let task = |name: &'static str| {
        let log = log.clone();
        Task::new(Some(&under), None, move |_| log.add(name))
    };
    let (first, second) = (task("made first"), task("made second"));
    second.return_true();
    first.return_true();
    iterate_until(context, || log.lines().len() == 2);
    assert_eq!(log.lines(), ["made second", "made first"]);
}

fn async_7_a_low_priority_waits_for_all_that_is_higher(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"x").unwrap();
    wait_readable(&*under);
    let (low, done) = (glib::Priority::LOW, Slot::new());
    under
        .input()
        .read_async(vec![0; 8], low, Cancellable::NONE, done.put());
    let (more, less) = (
        Busy::new(context, DEFAULT, 50),
        Busy::new(context, glib::Priority::DEFAULT_IDLE, 50),
    );
    assert_eq!(bytes_of(done.wait(context)).unwrap(), b"x");
    assert_eq!(more.dispatched(), 50);
    assert_eq!(less.dispatched(), 50);
}

fn async_14_a_task_on_a_thread_answers_when_its_function_has_returned(
    side: Side,
    context: &glib::MainContext,
) {
    let under = side.unconnected();
    for (cancels, expected) in [(false, Ok(true)), (true, Err(IOErrorEnum::Cancelled))] {
        let (cancellable, called) = (Cancellable::new(), Slot::new());
        let task = Task::new(Some(&under), Some(&cancellable), called.put());
        assert!(!task.returns_on_cancel());
        let (returned, has_returned) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        task.run_in_thread(move |task| {
            task.return_true();
            let _ = returned.send(());
            let _ = released.recv();
        });
        has_returned.recv().unwrap();
        if cancels {
            cancellable.cancel();
        }
        iterate_for(context, Duration::from_millis(20));
        assert!(!called.is_set(), "{cancels}");
        release.send(()).unwrap();
        assert_eq!(called.wait(context).propagate(), expected);
    }
}

fn async_15_a_task_on_a_thread_runs_though_it_is_cancelled_before(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, cancellable, called) = (side.unconnected(), Cancellable::new(), Slot::new());
    cancellable.cancel();
    let task = Task::new(Some(&under), Some(&cancellable), called.put());
    let (runs, has_run) = mpsc::channel();
    task.run_in_thread(move |task| {
        let _ = runs.send(thread::current().id());
        task.return_true();
    });
    assert_eq!(
        called.wait(context).propagate(),
        Err(IOErrorEnum::Cancelled)
    );
    assert_ne!(has_run.recv(), Ok(thread::current().id()));
}

/// It answers at once, and the function runs for nobody.
fn async_15_one_that_returns_on_cancel_runs_too(side: Side, context: &glib::MainContext) {
    let (under, cancellable, called) = (side.unconnected(), Cancellable::new(), Slot::new());
    cancellable.cancel();
    let task = Task::new(Some(&under), Some(&cancellable), called.put());
    task.set_return_on_cancel(true);
    let (runs, has_run) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    task.run_in_thread(move |_| {
        let _ = runs.send(());
        let _ = released.recv();
    });
    assert_eq!(
        called.wait(context).propagate(),
        Err(IOErrorEnum::Cancelled)
    );
    assert_eq!(has_run.recv_timeout(LIMIT), Ok(()));
    drop(release);
}

fn async_17_cancelling_calls_nobody_back(side: Side, context: &glib::MainContext) {
    // Outside of any dispatch, and in one.
    for in_dispatch in [false, true] {
        let (under, _peer) = side.connected();
        let cancellable = Cancellable::new();
        let reading = start_read(&under.input(), 8, Some(&cancellable));
        settle(context, Duration::from_millis(10));
        let cancelled = reading.clone();
        let cancel = move || {
            cancellable.cancel();
            cancelled.is_set()
        };
        let called = if in_dispatch {
            in_a_dispatch(context, cancel)
        } else {
            cancel()
        };
        assert!(!called, "{in_dispatch}");
        assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    }
}

fn async_17_cancelling_in_a_callback_calls_nobody_back(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let ((reader, _peer), connecting) = (side.connected(), side.unconnected());
    let (first, second) = (Cancellable::new(), Cancellable::new());
    let reading = start_read(&reader.input(), 8, Some(&second));
    let connected = connecting.start_connect(deaf.address, Some(&second));
    settle(context, Duration::from_millis(10));
    // One that is cancelled cancels the other.
    let with = second.clone();
    first.connect_cancelled(move |_| with.cancel());
    let slots = (reading.clone(), connected.clone());
    let called = in_a_dispatch(context, move || {
        first.cancel();
        (slots.0.is_set(), slots.1.is_set())
    });
    assert_eq!(called, (false, false));
    assert!(second.is_cancelled());
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    assert_fails(connected.wait(context), IOErrorEnum::Cancelled);
}

fn async_18_without_an_iteration_nothing_is_answered_or_freed(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let other = glib::MainContext::new();
    let (gone, closed) = (Gone::of(&*under), Slot::new());
    let put = closed.put();
    other
        .with_thread_default(|| under.close_by_hand(DEFAULT, None, move |_, _| put(())))
        .unwrap();
    drop(under);
    iterate_for(context, Duration::from_millis(30));
    assert!(!closed.is_set());
    assert!(!gone.is_gone());
    closed.wait(&other);
    settle(context, Duration::from_millis(10));
    assert!(gone.is_gone());
    assert_eq!(read_to_end(&mut peer), b"");
}

fn async_19_an_answer_from_another_thread_wakes_the_loop(side: Side, context: &glib::MainContext) {
    let (under, called) = (side.unconnected(), Slot::new());
    let task = Task::new(Some(&under), None, called.put());
    let answering = on_thread(&task, |task| {
        a_moment();
        task.return_true();
    });
    // Nothing else ends an iteration that waits, so that this ends or the time limit ends it.
    iterations(context, || called.is_set());
    answering.join().unwrap();
    assert_eq!(called.wait(context).propagate(), Ok(true));
}

/// How many iterations pass until `done`.
fn iterations(context: &glib::MainContext, done: impl Fn() -> bool) -> u32 {
    let mut count = 0;
    while !done() {
        context.iteration(true);
        count += 1;
    }
    count
}

/// ASYNC-3: GIO's task is cancelled by then, and takes the way by an idle source.
#[test]
fn differs_async_3_a_read_that_is_cancelled_answers_in_one_iteration() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                let cancellable = Cancellable::new();
                let reading = start_read(&under.input(), 8, Some(&cancellable));
                settle(context, Duration::from_millis(10));
                cancellable.cancel();
                let count = iterations(context, || reading.is_set());
                assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
                count
            },
            2,
            1,
        );
    });
}
