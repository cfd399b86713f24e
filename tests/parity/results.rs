//! What may be done with the result of an operation, and what it keeps: GIO's rules for tasks, under
//! GIO's connections and ours.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{by_hand::*, support::*, tools::*, under::*};

on_both!(
    async_0_the_result_of_a_connect_and_of_a_close_is_a_task,
    async_8_a_task_looks_at_its_cancellable_when_it_is_finished,
    async_8_a_task_that_does_not_check_keeps_its_result,
    async_9_closing_an_input_stream_is_not_cancelled_afterwards,
    async_9_closing_an_output_stream_is_cancelled_afterwards,
    async_10_a_second_answer_is_ignored_with_a_critical,
    async_10_a_second_finish_is_a_critical_and_the_fallback,
    async_11_completed_turns_true_after_the_callback,
    async_11_a_task_without_a_callback_completes_too,
    async_12_an_operation_keeps_its_connection,
    async_12_a_task_keeps_its_source_its_cancellable_and_its_context,
    async_16_a_result_belongs_to_its_source,
);

fn async_0_the_result_of_a_connect_and_of_a_close_is_a_task(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, address) = listener();
    let under = side.unconnected();
    let connected = Slot::new();
    under.connect_by_hand(&gio_address(address), None, connected.put());
    let connected = connected.wait(context);
    let closed = under.closed_by_hand(context, None);
    for result in [connected, closed] {
        let type_ = result.type_();
        assert_eq!(type_.name(), "GTask");
        assert_eq!(type_.parent(), Some(glib::Type::OBJECT));
        assert_eq!(*type_.interfaces(), [gio::AsyncResult::static_type()]);
        assert_eq!(signals_of(type_), 0);
    }
}

fn async_8_a_task_looks_at_its_cancellable_when_it_is_finished(
    side: Side,
    context: &glib::MainContext,
) {
    let under = side.unconnected();
    let ended = |fails: bool, cancel: bool| {
        let (cancellable, called) = (Cancellable::new(), Slot::new());
        let task = Task::new(Some(&under), Some(&cancellable), called.put());
        assert!(task.checks_cancellable());
        if fails {
            task.return_error(IOErrorEnum::NoSpace);
        } else {
            task.return_true();
        }
        let task = called.wait(context);
        if cancel {
            cancellable.cancel();
        }
        task.propagate()
    };
    assert_eq!(ended(false, false), Ok(true));
    assert_eq!(ended(true, false), Err(IOErrorEnum::NoSpace));
    assert_eq!(ended(false, true), Err(IOErrorEnum::Cancelled));
    assert_eq!(ended(true, true), Err(IOErrorEnum::Cancelled));
}

fn async_8_a_task_that_does_not_check_keeps_its_result(side: Side, context: &glib::MainContext) {
    let under = side.unconnected();
    let (cancellable, called) = (Cancellable::new(), Slot::new());
    cancellable.cancel();
    let task = Task::new(Some(&under), Some(&cancellable), called.put());
    task.set_check_cancellable(false);
    task.return_true();
    assert_eq!(called.wait(context).propagate(), Ok(true));
}

fn async_9_closing_an_input_stream_is_not_cancelled_afterwards(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let (input, cancellable) = (under.input(), Cancellable::new());
    let result = input.closed_by_hand(context, Some(&cancellable));
    cancellable.cancel();
    assert_eq!(input.finish_close(&result), Ok(true));
    assert!(input.is_closed());
}

fn async_9_closing_an_output_stream_is_cancelled_afterwards(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let (output, cancellable) = (under.output(), Cancellable::new());
    let result = output.closed_by_hand(context, Some(&cancellable));
    cancellable.cancel();
    assert_eq!(output.finish_close(&result), Err(IOErrorEnum::Cancelled));
    assert!(output.is_closed());
}

fn async_10_a_second_answer_is_ignored_with_a_critical(side: Side, context: &glib::MainContext) {
    let under = side.unconnected();
    let called = Slot::new();
    let task = Task::new(Some(&under), None, called.put());
    task.return_error(IOErrorEnum::NoSpace);
    let ((), lines) = logged(|| task.return_true());
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("GLib-GIO: "), "{lines:?}");
    // Nobody is called back twice: the slot would say so.
    let ended = called.wait(context).propagate();
    assert_eq!(ended, Err(IOErrorEnum::NoSpace));
    settle(context, Duration::from_millis(10));
}

fn async_10_a_second_finish_is_a_critical_and_the_fallback(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let result = under.closed_by_hand(context, None);
    assert_eq!(under.finish_close(&result), Ok(true));
    let (second, lines) = logged(|| under.finish_close(&result));
    assert_eq!(second, Ok(false));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("GLib-GIO: "), "{lines:?}");
}

fn async_11_completed_turns_true_after_the_callback(side: Side, context: &glib::MainContext) {
    /// Notes the call, and what is told about the result from there on.
    fn watch(log: &Log, result: &gio::AsyncResult) {
        let line = |completed| {
            if completed {
                "completed"
            } else {
                "not completed"
            }
        };
        log.add(line(Task::of(result).is_completed()));
        let told = log.clone();
        result.connect_notify_local(Some("completed"), move |result, _| {
            told.add(line(result.property("completed")));
        });
    }
    let order = ["not completed", "completed"];
    let (_listener, address) = listener();
    let (under, log) = (side.unconnected(), Log::default());
    let (called, put) = (log.clone(), Slot::new());
    let connected = put.clone();
    let put = put.put();
    under.connect_by_hand(&gio_address(address), None, move |result| {
        watch(&called, &result);
        put(result);
    });
    let result = connected.wait(context);
    assert_eq!(log.lines(), order);
    assert!(Task::of(&result).is_completed());

    let log = Log::default();
    let called = log.clone();
    let closed = Slot::new();
    let put = closed.put();
    under.close_by_hand(DEFAULT, None, move |_, result| {
        watch(&called, &result);
        put(result);
    });
    let result = closed.wait(context);
    assert_eq!(log.lines(), order);
    assert!(Task::of(&result).is_completed());
}

fn async_11_a_task_without_a_callback_completes_too(side: Side, context: &glib::MainContext) {
    let under = side.unconnected();
    let task = Task::without_callback(Some(&under), None);
    let told = notifications(task.result());
    task.return_true();
    assert!(!task.is_completed());
    iterate_until(context, || task.is_completed());
    assert_eq!(*told.borrow(), ["completed"]);
    assert_eq!(task.propagate(), Ok(true));
}

fn async_12_an_operation_keeps_its_connection(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (gone, closed) = (Gone::of(&*under), Slot::new());
    let put = closed.put();
    under.close_by_hand(DEFAULT, None, move |source, result| put((source, result)));
    drop(under);
    assert!(!gone.is_gone());
    let (source, result) = closed.wait(context);
    let source: gio::IOStream = source.unwrap().downcast().unwrap();
    assert!(source.is_closed());
    assert!(Task::of(&result).is_of(Some(&source)));
    drop(source);
    settle(context, Duration::from_millis(10));
    assert!(!gone.is_gone());
    drop(result);
    assert!(gone.is_gone());

    let (_listener, address) = listener();
    let under = side.unconnected();
    let (gone, connected) = (Gone::of(&*under), Slot::new());
    under.connect_by_hand(&gio_address(address), None, connected.put());
    drop(under);
    assert!(!gone.is_gone());
    let result = connected.wait(context);
    settle(context, Duration::from_millis(10));
    assert!(!gone.is_gone());
    drop(result);
    settle(context, Duration::from_millis(10));
    assert!(gone.is_gone());
}

fn async_12_a_task_keeps_its_source_its_cancellable_and_its_context(
    side: Side,
    _: &glib::MainContext,
) {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (under, cancellable) = (side.unconnected(), Cancellable::new());
    let other = glib::MainContext::new();
    let freed = Arc::new(AtomicBool::new(false));
    let flag = Flag(freed.clone());
    // A context that goes takes its sources along.
    let source = glib::source::idle_source_new(None, DEFAULT, move || {
        let _ = &flag;
        glib::ControlFlow::Continue
    });
    source.attach(Some(&other));
    drop(source);
    let gone = (Gone::of(&*under), Gone::of(&cancellable));
    let task = other
        .with_thread_default(|| Task::without_callback(Some(&under), Some(&cancellable)))
        .unwrap();
    drop((under, cancellable, other));
    assert!(!gone.0.is_gone());
    assert!(!gone.1.is_gone());
    assert!(!freed.load(Ordering::SeqCst));
    drop(task);
    assert!(gone.0.is_gone());
    assert!(gone.1.is_gone());
    assert!(freed.load(Ordering::SeqCst));
}

fn async_16_a_result_belongs_to_its_source(side: Side, context: &glib::MainContext) {
    let ((under, _peer), other) = (side.connected(), side.unconnected());
    let closed = Task::of(&under.closed_by_hand(context, None));
    assert!(closed.is_of(Some(&under)));
    assert!(!closed.is_of(Some(&other)));
    assert!(!closed.is_of(None));
    let without = Task::without_callback(None, None);
    assert!(without.is_of(None));
    assert!(!without.is_of(Some(&under)));
}
