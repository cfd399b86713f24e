//! Tasks, their queues and their timers in random schedules: an engine whose context a simulation iterates, and a second
//! thread that comes in between. What must run next is known exactly.

mod known;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::super::{
    engine::{Engine, Spawned},
    task::Begin,
    timers::Moment,
    wait::Wait,
};
use super::looped::{ELSEWHERE, Loop};
use crate::{
    simulation::{self, Random},
    thread,
};
use known::Known;

const STEPS: usize = 1_500;
/// So many tasks that have not ended are enough.
const MANY: usize = 24;
/// No schedule needs as many turns to come to rest.
const TOO_MANY: usize = 10_000;

thread_local! {
    static RUNNING: RefCell<Option<Rc<Simulation>>> = const { RefCell::new(None) };
}

fn running() -> Rc<Simulation> {
    RUNNING.with_borrow(Clone::clone).expect("a seed is played")
}

#[derive(Default)]
struct Counts {
    polled: Cell<usize>,
    between: Cell<usize>,
    from_elsewhere: Cell<usize>,
    fired: Cell<usize>,
    cancelled: Cell<usize>,
    outlived: Cell<usize>,
}

fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

struct Simulation {
    random: Random,
    looped: RefCell<Option<Rc<Loop>>>,
    engine: Arc<Engine>,
    known: RefCell<Known>,
    wakers: RefCell<Vec<Option<Waker>>>,
    spawned: RefCell<Vec<Option<Spawned>>>,
    /// Somebody has come in between, or is to be left alone.
    quiet: Cell<bool>,
    /// The context's thread is at it; otherwise the other one is.
    is_at_home: Cell<bool>,
    in_turn: Cell<bool>,
    counts: Rc<Counts>,
}

/// Does what the schedule says, each time it is polled.
struct Doer {
    index: usize,
    wait: Wait,
}

impl Future for Doer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let waker = cx.waker();
        let polled = simulation::guarded(|| running().poll(this.index, &mut this.wait, waker));
        polled.unwrap_or(Poll::Ready(()))
    }
}

impl Begin for Doer {
    fn begin(&mut self, waker: &Waker) -> bool {
        let waits = simulation::guarded(|| running().begin(self.index, waker));
        waits.unwrap_or(false)
    }
}

impl Drop for Doer {
    fn drop(&mut self) {
        // After the last step of a seed that has failed there is nobody.
        if let Some(running) = RUNNING.with_borrow(Clone::clone) {
            self.wait.end();
            simulation::guarded(|| running.known.borrow_mut().dropped(self.index));
        }
    }
}

impl Simulation {
    fn new(seed: u64, counts: &Rc<Counts>) -> Self {
        let looped = Loop::new();
        Self {
            random: Random::new(seed),
            engine: looped.engine.clone(),
            looped: RefCell::new(Some(Rc::new(looped))),
            known: RefCell::default(),
            wakers: RefCell::default(),
            spawned: RefCell::default(),
            quiet: Cell::new(true),
            is_at_home: Cell::new(true),
            in_turn: Cell::new(false),
            counts: counts.clone(),
        }
    }

    fn looped(&self) -> Rc<Loop> {
        self.looped.borrow().clone().expect("the context is there")
    }

    /// Whether what is woken now goes straight to its lane.
    fn is_in_turn(&self) -> bool {
        self.is_at_home.get() && self.in_turn.get()
    }

    fn print(&self, what: impl FnOnce() -> String) {
        simulation::print(|| {
            let place = match (self.is_at_home.get(), self.in_turn.get()) {
                (true, true) => "  in a turn",
                (true, false) => "at home",
                (false, _) => "    elsewhere",
            };
            format!("{place}: {}", what())
        });
    }

    // --- The schedule --------------------------------------------------------------------------

    fn play(&self) {
        self.quiet.set(false);
        for _ in 0..STEPS {
            self.step();
            if self.random.one_in(40) {
                self.come_to_rest();
            }
        }
        if self.random.one_in(2) {
            self.come_to_rest();
        }
    }

    fn step(&self) {
        simulation::step();
        simulation::look();
        match self.random.below(8) {
            0..3 => self.iterate(),
            3 => self.at_home(),
            _ => self.elsewhere(),
        }
    }

    /// Between two steps of one thread the other one comes.
    fn others_come(&self) {
        if self.quiet.get() || !self.random.one_in(2) {
            return;
        }
        count(&self.counts.between);
        self.quiet.set(true);
        for _ in 0..1 + self.random.below(3) {
            simulation::step();
            if self.is_at_home.get() {
                self.elsewhere();
            } else {
                self.back_home(|| self.iterate());
            }
        }
        self.quiet.set(false);
    }

    fn elsewhere(&self) {
        count(&self.counts.from_elsewhere);
        self.is_at_home.set(false);
        thread::as_another(ELSEWHERE, || self.act(None));
        self.is_at_home.set(true);
    }

    fn back_home(&self, f: impl FnOnce()) {
        let home = thread_number();
        self.is_at_home.set(true);
        thread::as_another(home, f);
        self.is_at_home.set(false);
    }

    /// Something that the context's thread does outside of turns.
    fn at_home(&self) {
        if self.random.one_in(3) {
            let time = self.random.below(1_500) as Moment;
            self.print(|| format!("{time} later"));
            Loop::advance(time);
        } else {
            self.act(None);
        }
    }

    /// One step of a thread; `who` is the task that it is at.
    fn act(&self, who: Option<usize>) {
        match self.random.below(16) {
            0..9 => self.wake(who),
            9..13 => self.spawn(),
            13 => self.cancel(),
            14 => Loop::advance(self.random.below(1_200) as Moment),
            _ => {}
        }
    }

    // --- The context ---------------------------------------------------------------------------

    /// What an iteration does that does not wait.
    fn iterate(&self) {
        let looped = self.looped();
        self.known.borrow_mut().settle();
        self.print(|| "iterates".into());
        self.in_turn.set(true);
        if looped.collect() {
            self.known.borrow_mut().take_in();
        }
        let due = self.known.borrow_mut().due(Loop::now());
        for index in due {
            count(&self.counts.fired);
            self.known.borrow_mut().woken(index, true);
        }
        looped.fire();
        self.in_turn.set(false);
        self.assert_first_timer(&looped);
        if let Some(priority) = looped.most_urgent() {
            // Others may come before it: they change nothing in a lane.
            self.in_turn.set(true);
            self.known.borrow_mut().begin_round(priority);
            looped.run(priority);
            self.known.borrow_mut().settle();
            self.in_turn.set(false);
        }
        self.known.borrow_mut().settle();
    }

    fn assert_first_timer(&self, looped: &Loop) {
        let first = self.known.borrow().first_moment();
        assert_eq!(looped.engine.core.next_moment(), first, "the first timer");
    }

    fn come_to_rest(&self) {
        self.quiet.set(true);
        let looped = self.looped();
        for round in 0.. {
            assert!(round < TOO_MANY, "it does not come to rest");
            if !looped.is_awake() {
                break;
            }
            simulation::step();
            self.iterate();
            simulation::look();
        }
        self.known.borrow().assert_at_rest();
        self.quiet.set(false);
    }

    /// The context goes with all that is left.
    fn end(&self) {
        let taken = self.looped.take().expect("it is there");
        let Ok(looped) = Rc::try_unwrap(taken) else {
            unreachable!("nobody else keeps it")
        };
        self.known.borrow_mut().settle();
        self.known.borrow_mut().ends = true;
        self.print(|| "the context goes".into());
        looped.end();
        count(&self.counts.outlived);
        self.known.borrow().assert_over();
        // Nobody is there to be woken.
        for waker in self.wakers.take().into_iter().flatten() {
            waker.wake();
        }
    }

    // --- Tasks ---------------------------------------------------------------------------------

    fn any(&self) -> Option<usize> {
        let tasks = self.wakers.borrow().len();
        // The newest are the ones that are alive.
        let back = self.random.below(2 * MANY);
        tasks.checked_sub(1 + back)
    }

    fn wake(&self, who: Option<usize>) {
        let by_itself = who.filter(|_| self.random.one_in(4));
        let Some(index) = by_itself.or_else(|| self.any()) else {
            return;
        };
        let waker = self.wakers.borrow()[index].clone();
        let Some(waker) = waker else { return };
        self.print(|| format!("wakes {index}"));
        self.known.borrow_mut().woken(index, self.is_in_turn());
        if self.random.one_in(2) {
            waker.wake();
        } else {
            waker.wake_by_ref();
        }
    }

    fn spawn(&self) {
        if self.known.borrow().alive >= MANY {
            return;
        }
        // Now and then so many that lanes are given up.
        let priority = if self.random.one_in(8) {
            self.random.below(12) as i32
        } else {
            [0, 100, -100][self.random.below(3)]
        };
        let priority = glib::Priority::from(priority);
        let in_turn = self.is_in_turn();
        let index = self.known.borrow_mut().new_task(priority);
        self.wakers.borrow_mut().push(None);
        self.spawned.borrow_mut().push(None);
        self.print(|| format!("{index} begins at {priority:?}"));
        let doer = Doer {
            index,
            wait: Wait::new(),
        };
        match self.random.below(3) {
            0 => {
                let soon = self.random.one_in(2);
                if in_turn {
                    // It is asked at once whether it has to wait.
                    self.known.borrow_mut().begins(index, soon);
                } else {
                    self.known.borrow_mut().spawned(index, false);
                }
                self.engine.start(priority, doer, soon);
                self.known.borrow_mut().has_begun(index);
            }
            _ => {
                self.known.borrow_mut().spawned(index, in_turn);
                let spawned = self.engine.spawn(priority, doer);
                self.spawned.borrow_mut()[index] = Some(spawned);
            }
        }
    }

    fn begin(&self, index: usize, waker: &Waker) -> bool {
        self.wakers.borrow_mut()[index] = Some(waker.clone());
        let waits = self.random.one_in(2);
        self.print(|| format!("{index} has to wait: {waits}"));
        self.known.borrow_mut().asked(index, waits);
        waits
    }

    fn cancel(&self) {
        let Some(index) = self.any() else { return };
        let spawned = self.spawned.borrow()[index].clone();
        let Some(spawned) = spawned else { return };
        self.print(|| format!("cancels {index}"));
        count(&self.counts.cancelled);
        self.known.borrow_mut().cancelled(index);
        spawned.cancel();
        self.known.borrow().assert_cancelled(index);
    }

    fn poll(&self, index: usize, wait: &mut Wait, waker: &Waker) -> Poll<()> {
        simulation::step();
        count(&self.counts.polled);
        assert!(self.is_in_turn(), "{index} is polled outside of a turn");
        self.print(|| format!("{index} is polled"));
        self.known.borrow_mut().polled(index);
        let known = self.wakers.borrow()[index].clone();
        if known.is_none_or(|known| !known.will_wake(waker)) {
            self.wakers.borrow_mut()[index] = Some(waker.clone());
        }
        for _ in 0..self.random.below(3) {
            self.act(Some(index));
            simulation::interleave();
        }
        if self.random.one_in(6) {
            let moment = Loop::now() + 1 + self.random.below(2_000) as Moment;
            self.print(|| format!("{index} waits until {moment}"));
            self.known.borrow_mut().waits_until(index, moment);
            wait.until(Some(moment), &self.engine, waker);
        }
        let has_ended = self.random.one_in(10);
        self.known.borrow_mut().was_polled(index, has_ended);
        if has_ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn thread_number() -> usize {
    thread_local! {
        static NUMBER: usize = thread::here();
    }
    NUMBER.with(|number| *number)
}

#[test]
fn every_task_that_is_woken_runs_in_its_turn_and_ends_once() {
    let counts = Rc::default();
    // Before this thread is taken for another one.
    thread_number();
    let name = "every_task_that_is_woken_runs_in_its_turn_and_ends_once";
    let are_many = simulation::play(module_path!(), name, |seed| {
        let simulation = Rc::new(Simulation::new(seed, &counts));
        RUNNING.set(Some(simulation.clone()));
        let others = simulation.clone();
        simulation::let_in(Rc::new(move || others.others_come()));
        let looped = simulation.looped();
        looped.within(|| simulation.play());
        drop(looped);
        simulation.end();
    });
    RUNNING.set(None);
    if are_many {
        let Counts {
            polled,
            between,
            from_elsewhere,
            fired,
            cancelled,
            outlived,
        } = &*counts;
        for counter in [polled, between, from_elsewhere, fired, cancelled, outlived] {
            assert!(counter.get() > 30, "too rare to have been tested");
        }
    }
}
