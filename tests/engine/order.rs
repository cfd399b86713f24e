//! When tasks come, beside each other and beside plain sources. Iterations are counted, never time.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io::Write,
    rc::Rc,
};

use futures::{
    SinkExt, StreamExt,
    channel::{mpsc, oneshot},
};
use gsock::{engine, prelude::*};

use crate::{polling::*, support::*};

const HIGH: glib::Priority = glib::Priority::HIGH;
const DEFAULT: glib::Priority = glib::Priority::DEFAULT;
const LOW: glib::Priority = glib::Priority::LOW;

/// Lines in the order in which they came.
#[derive(Clone, Default)]
struct Order(Rc<RefCell<Vec<&'static str>>>);

impl Order {
    fn add(&self, line: &'static str) {
        self.0.borrow_mut().push(line);
    }

    fn line(&self, line: &'static str) -> impl Future<Output = ()> + 'static {
        let order = self.clone();
        async move { order.add(line) }
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }

    /// An idle source that adds a line, once.
    fn source(&self, context: &glib::MainContext, priority: glib::Priority, line: &'static str) {
        let order = glib::thread_guard::ThreadGuard::new(self.clone());
        glib::idle_source_new(None, priority, move || {
            order.get_ref().add(line);
            glib::ControlFlow::Break
        })
        .attach(Some(context));
    }

    /// A task that adds a line.
    fn task(&self, context: &glib::MainContext, priority: glib::Priority, line: &'static str) {
        drop(engine::spawn_local_with_priority(
            context,
            priority,
            self.line(line),
        ));
    }
}

/// An idle source that counts how often it was dispatched, for ever.
fn counting_source(context: &glib::MainContext, priority: glib::Priority) -> (glib::Source, Count) {
    let count = Count::default();
    let inner = glib::thread_guard::ThreadGuard::new(count.clone());
    let source = glib::idle_source_new(None, priority, move || {
        inner.get_ref().add();
        glib::ControlFlow::Continue
    });
    source.attach(Some(context));
    (source, count)
}

#[derive(Clone, Default)]
struct Count(Rc<Cell<usize>>);

impl Count {
    fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn get(&self) -> usize {
        self.0.get()
    }
}

/// A task that wakes itself for ever, and counts its polls.
fn busy_task(
    context: &glib::MainContext,
    priority: glib::Priority,
) -> (engine::JoinHandle<()>, Count) {
    let count = Count::default();
    let inner = count.clone();
    let task = engine::spawn_local_with_priority(context, priority, async move {
        loop {
            inner.add();
            yield_now().await;
        }
    });
    (task, count)
}

fn iterate(context: &glib::MainContext, times: usize) {
    for _ in 0..times {
        context.iteration(false);
    }
}

#[test]
fn tasks_of_one_priority_come_in_the_order_of_their_spawning() {
    on_private_context(|context| {
        let order = Rc::new(RefCell::new(Vec::new()));
        for number in 0..100 {
            let order = order.clone();
            drop(engine::spawn_local(context, async move {
                order.borrow_mut().push(number);
            }));
        }
        until(context, || order.borrow().len() == 100);
        assert_eq!(*order.borrow(), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_task_comes_before_whatever_is_less_urgent() {
    on_private_context(|context| {
        let order = Order::default();
        for (priority, line) in [(LOW, "low"), (DEFAULT, "default"), (HIGH, "high")] {
            order.source(context, priority, line);
        }
        order.task(context, LOW, "low task");
        order.task(context, HIGH, "high task");
        order.task(context, DEFAULT, "default task");
        until(context, || order.0.borrow().len() == 6);
        let lines = order.take();
        // Those of one priority in either order.
        for (place, expected) in [(0, "high"), (2, "default"), (4, "low")] {
            let mut both = [lines[place], lines[place + 1]];
            both.sort_unstable();
            assert_eq!(both[0], expected, "{lines:?}");
            assert!(both[1].starts_with(expected), "{lines:?}");
        }
    });
}

#[test]
fn a_high_task_comes_before_a_default_source_that_is_ready_already() {
    on_private_context(|context| {
        // The lane is made while the source is ready, and later it is there already.
        for _ in 0..3 {
            let order = Order::default();
            order.source(context, DEFAULT, "source");
            order.task(context, HIGH, "task");
            until(context, || order.0.borrow().len() == 2);
            assert_eq!(order.take(), ["task", "source"]);
        }
    });
}

#[test]
fn a_low_task_comes_after_a_default_source_that_is_added_later() {
    on_private_context(|context| {
        for _ in 0..3 {
            let order = Order::default();
            order.task(context, LOW, "task");
            order.source(context, DEFAULT, "source");
            until(context, || order.0.borrow().len() == 2);
            assert_eq!(order.take(), ["source", "task"]);
        }
    });
}

/// A task that is woken keeps its priority.
#[test]
fn a_wake_brings_a_task_at_its_priority() {
    on_private_context(|context| {
        let order = Order::default();
        let mut senders = Vec::new();
        for (priority, line) in [(LOW, "low"), (DEFAULT, "default"), (HIGH, "high")] {
            let (send, receive) = oneshot::channel::<()>();
            senders.push(send);
            let order = order.clone();
            drop(engine::spawn_local_with_priority(
                context,
                priority,
                async move {
                    receive.await.unwrap();
                    order.add(line);
                },
            ));
        }
        while context.iteration(false) {}
        for sender in senders {
            sender.send(()).unwrap();
        }
        until(context, || order.0.borrow().len() == 3);
        assert_eq!(order.take(), ["high", "default", "low"]);
    });
}

#[test]
fn a_task_that_wakes_a_more_urgent_one_lets_it_go_first() {
    on_private_context(|context| {
        let order = Order::default();
        let (send, receive) = oneshot::channel::<()>();
        let high = order.clone();
        drop(engine::spawn_local_with_priority(
            context,
            HIGH,
            async move {
                receive.await.unwrap();
                high.add("high");
            },
        ));
        while context.iteration(false) {}
        let first = order.clone();
        drop(engine::spawn_local(context, async move {
            first.add("first");
            send.send(()).unwrap();
        }));
        order.task(context, DEFAULT, "second");
        until(context, || order.0.borrow().len() == 3);
        assert_eq!(order.take(), ["first", "high", "second"]);
    });
}

/// The system tells of some at a time, and of those first for whom something came first.
#[test]
fn whom_many_have_come_before_goes_first_if_he_is_more_urgent() {
    const MANY: usize = 150;
    on_private_context(|context| {
        let came = Rc::new(RefCell::new(Vec::new()));
        let mut peers = Vec::new();
        for number in 0..=MANY {
            let (connection, peer) = connected_bare();
            let (mut reader, _writer) = connection.halves();
            peers.push(peer);
            let came = came.clone();
            let priority = if number == MANY { HIGH } else { DEFAULT };
            drop(engine::spawn_local_with_priority(
                context,
                priority,
                async move {
                    assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 4);
                    came.borrow_mut().push(number);
                },
            ));
        }
        while context.iteration(false) {}
        for peer in &mut peers {
            peer.write_all(b"four").unwrap();
        }
        until(context, || came.borrow().len() == MANY + 1);
        assert_eq!(came.borrow()[0], MANY);
        // The others in the order in which theirs came.
        assert!(came.borrow()[1..].is_sorted());
    });
}

#[test]
fn a_task_that_yields_lets_the_others_of_its_priority_go_first() {
    on_private_context(|context| {
        let order = Order::default();
        let yielding = order.clone();
        drop(engine::spawn_local(context, async move {
            yielding.add("before");
            yield_now().await;
            yielding.add("after");
        }));
        order.task(context, DEFAULT, "another");
        order.source(context, DEFAULT, "a source");
        until(context, || order.0.borrow().len() == 4);
        let lines = order.take();
        let place = |line| lines.iter().position(|known| *known == line);
        assert!(place("before") < place("another"), "{lines:?}");
        assert!(place("another") < place("after"), "{lines:?}");
        assert!(place("a source") < place("after"), "{lines:?}");
    });
}

#[test]
fn what_a_task_spawns_does_not_come_within_it() {
    on_private_context(|context| {
        let order = Order::default();
        let (outer, inner, here) = (order.clone(), order.clone(), context.clone());
        drop(engine::spawn_local(context, async move {
            for priority in [HIGH, DEFAULT] {
                inner.task(&here, priority, "inner");
            }
            outer.add("outer");
        }));
        until(context, || order.0.borrow().len() == 3);
        assert_eq!(order.take(), ["outer", "inner", "inner"]);
    });
}

// --- Nobody starves ----------------------------------------------------------------------------

#[test]
fn a_task_that_wakes_itself_for_ever_leaves_the_sources_of_its_priority_their_turns() {
    on_private_context(|context| {
        for priority in [HIGH, DEFAULT, LOW] {
            let (source, dispatched) = counting_source(context, priority);
            let (task, polled) = busy_task(context, priority);
            iterate(context, 100);
            let counts = (dispatched.get(), polled.get());
            assert!(counts.0 >= 95 && counts.1 >= 95, "{priority:?} {counts:?}");
            task.abort();
            source.destroy();
        }
    });
}

#[test]
fn two_tasks_that_wake_each_other_for_ever_leave_a_source_its_turns() {
    on_private_context(|context| {
        let (source, dispatched) = counting_source(context, DEFAULT);
        let rounds = Count::default();
        let (mut to_right, mut from_left) = mpsc::channel::<()>(0);
        let (mut to_left, mut from_right) = mpsc::channel::<()>(0);
        let counted = rounds.clone();
        let left = engine::spawn_local(context, async move {
            loop {
                to_right.send(()).await.unwrap();
                from_right.next().await.unwrap();
                counted.add();
            }
        });
        let right = engine::spawn_local(context, async move {
            loop {
                from_left.next().await.unwrap();
                to_left.send(()).await.unwrap();
            }
        });
        iterate(context, 50);
        assert!(dispatched.get() >= 45, "{}", dispatched.get());
        // Many rounds a turn: they need not wait for the context.
        assert!(rounds.get() > 45, "{}", rounds.get());
        left.abort();
        right.abort();
        source.destroy();
    });
}

#[test]
fn a_low_task_that_wakes_itself_for_ever_holds_nobody_up() {
    on_private_context(|context| {
        let (task, polled) = busy_task(context, LOW);
        let (source, dispatched) = counting_source(context, DEFAULT);
        iterate(context, 50);
        // As a source of its priority would.
        assert_eq!((polled.get(), dispatched.get()), (0, 50));
        source.destroy();
        let order = Order::default();
        for round in 1..=20 {
            order.source(context, DEFAULT, "source");
            order.task(context, DEFAULT, "task");
            iterate(context, 3);
            assert_eq!(order.0.borrow().len(), 2 * round);
        }
        assert!(polled.get() > 0);
        task.abort();
    });
}

#[test]
fn a_high_task_that_always_has_something_to_do_goes_first_as_a_source_would() {
    on_private_context(|context| {
        let (task, polled) = busy_task(context, HIGH);
        let (source, dispatched) = counting_source(context, DEFAULT);
        iterate(context, 50);
        assert!(polled.get() >= 45);
        assert_eq!(dispatched.get(), 0);
        task.abort();
        iterate(context, 5);
        assert!(dispatched.get() >= 4);
        source.destroy();
    });
}

#[test]
fn busy_tasks_of_one_priority_share_it() {
    on_private_context(|context| {
        let tasks: Vec<_> = (0..5).map(|_| busy_task(context, DEFAULT)).collect();
        iterate(context, 100);
        let polls: Vec<_> = tasks.iter().map(|(_, polled)| polled.get()).collect();
        let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
        assert!(*least >= 95 && most - least <= 2, "{polls:?}");
        for (task, _) in tasks {
            task.abort();
        }
    });
}

#[test]
fn tasks_that_spawn_their_successors_leave_a_source_its_turns() {
    fn next(context: &glib::MainContext, count: Count, stop: Rc<Cell<bool>>) {
        let here = context.clone();
        drop(engine::spawn_local(context, async move {
            count.add();
            if !stop.get() {
                next(&here, count, stop);
            }
        }));
    }
    on_private_context(|context| {
        let (count, stop) = (Count::default(), Rc::new(Cell::new(false)));
        let (source, dispatched) = counting_source(context, DEFAULT);
        next(context, count.clone(), stop.clone());
        iterate(context, 100);
        assert!(dispatched.get() >= 95 && count.get() >= 45);
        stop.set(true);
        source.destroy();
    });
}

/// An engine that has nothing to do costs its context no iteration.
#[test]
fn parked_tasks_let_the_context_rest() {
    on_private_context(|context| {
        let tasks: Vec<_> = [HIGH, DEFAULT, LOW]
            .into_iter()
            .map(|priority| {
                engine::spawn_local_with_priority(context, priority, std::future::pending::<()>())
            })
            .collect();
        let busy = (0..20).filter(|_| context.iteration(false)).count();
        assert!(busy < 20);
        assert!(!context.iteration(false));
        for task in tasks {
            task.abort();
        }
        // Nor do those that were aborted.
        assert!((0..5).any(|_| !context.iteration(false)));
    });
}
