//! Operations in random schedules: what they wait for comes, or they are cancelled, run out of time, are closed or dropped,
//! by a second thread too and between any two of their steps. Each has one answer, and it is a true one.

#![allow(unsafe_code, reason = "ready callbacks are a C interface")]

mod world;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use glib::{ffi::gpointer, gobject_ffi, prelude::*};

use super::{Attempt, Drive, Progress, Reply, Tag, Wait, finish_size};
use crate::{
    error,
    reactor::{
        Begin, Interest, Registration, Spawned,
        simulation::looped::{ELSEWHERE, Loop},
    },
    simulation::{self, Random},
    thread,
    transport::Transport,
};
use world::{Counts, Ended, World, count};

const STEPS: usize = 1_200;
const MANY: usize = 12;
/// No schedule needs as many turns to come to rest.
const TOO_MANY: usize = 10_000;

static TAG: Tag = Tag::new();

thread_local! {
    static RUNNING: RefCell<Option<Rc<Simulation>>> = const { RefCell::new(None) };
}

fn running() -> Option<Rc<Simulation>> {
    RUNNING.with_borrow(Clone::clone)
}

/// A transfer on the simulated kernel.
struct Simulated {
    index: usize,
    transport: Arc<Transport>,
    interest: Interest,
    asked: usize,
    deadline: Option<i64>,
    /// It has to wait for this moment first, whatever is there.
    not_before: Option<i64>,
    yields: usize,
}

impl Attempt for Simulated {
    type Output = usize;

    fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn attempt(&mut self, registered: Option<&Registration>) -> Progress<usize> {
        let Some(running) = running() else {
            return Progress::Done(Err(error::closed()));
        };
        simulation::step();
        let mut world = running.world.borrow_mut();
        world.attempted(self.index);
        if self.transport.is_closed() {
            return Progress::Done(Err(error::closed()));
        }
        if self.yields > 0 {
            self.yields -= 1;
            return Progress::Yield;
        }
        if let Some(moment) = self.not_before.filter(|moment| Loop::now() < *moment) {
            return Progress::Wait(Wait::until(moment));
        }
        let seen = registered.map(Registration::look);
        if seen.is_some_and(|seen| !seen.is_ready(self.interest)) {
            return Progress::Wait(Wait::for_event(self.interest));
        }
        let moved = world.take(self.index, self.interest, self.asked);
        if moved == 0 {
            return Progress::Wait(Wait::for_event(self.interest));
        }
        if let (Some(registered), Some(seen)) = (registered, seen)
            && moved < self.asked
        {
            registered.used_up_by_a_short_transfer(self.interest, seen);
        }
        Progress::Done(Ok(moved))
    }

    fn has_to_wait(&self, registered: &Registration) -> Option<Interest> {
        let waits = !registered.look().is_ready(self.interest)
            && !self.transport.is_closed()
            && self.yields == 0
            && self.not_before.is_none();
        waits.then_some(self.interest)
    }

    fn give_up(&mut self, _failure: Option<&glib::Error>) {
        if let Some(running) = running() {
            simulation::guarded(|| running.world.borrow_mut().given_up(self.index));
        }
    }
}

/// The operation as a task, as streams and connections have it.
struct Operation {
    index: usize,
    drive: Option<Drive<Simulated>>,
    /// None if its answer goes nowhere else.
    reply: Option<Reply>,
}

impl Begin for Operation {
    fn begin(&mut self, waker: &Waker) -> bool {
        self.drive.as_mut().is_some_and(|drive| drive.begin(waker))
    }
}

impl Future for Operation {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        simulation::guarded(|| this.poll_guarded(cx)).unwrap_or(Poll::Ready(()))
    }
}

impl Operation {
    fn poll_guarded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        simulation::step();
        let this = self;
        let (Some(drive), Some(running)) = (&mut this.drive, running()) else {
            return Poll::Ready(());
        };
        let Poll::Ready(result) = Pin::new(drive).poll(cx) else {
            return Poll::Pending;
        };
        this.drive = None;
        running.ended(this.index, &result);
        match (this.reply.take(), running.random.below(4)) {
            (None, _) => running.answered(this.index, result),
            (Some(reply), 0) => reply.answer_later(result),
            (Some(reply), 1) => {
                running.world.borrow_mut().is_not_answered(this.index);
                drop(reply);
            }
            (Some(reply), _) => reply.answer(result),
        }
        Poll::Ready(())
    }
}

unsafe extern "C" fn ready(
    object: *mut gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: called back with the object that the reply was made for, and its result.
    let outcome = unsafe { finish_size(object, result, &TAG) };
    // SAFETY: likewise; what was finished once is refused.
    let again = unsafe { finish_size(object, result, &TAG) };
    simulation::guarded(|| {
        assert!(again.is_err(), "a result was taken twice");
        if let Some(running) = running() {
            running.answered(data as usize, outcome);
        }
    });
}

struct Simulation {
    random: Random,
    looped: RefCell<Option<Rc<Loop>>>,
    world: RefCell<World>,
    spawned: RefCell<Vec<Option<Spawned>>>,
    source: gio::Cancellable,
    quiet: Cell<bool>,
    is_at_home: Cell<bool>,
    counts: Rc<Counts>,
}

impl Simulation {
    fn new(seed: u64, counts: &Rc<Counts>) -> Self {
        Self {
            random: Random::new(seed),
            looped: RefCell::new(Some(Rc::new(Loop::new()))),
            world: RefCell::default(),
            spawned: RefCell::default(),
            source: gio::Cancellable::new(),
            quiet: Cell::new(true),
            is_at_home: Cell::new(true),
            counts: counts.clone(),
        }
    }

    fn looped(&self) -> Rc<Loop> {
        self.looped.borrow().clone().expect("the context is there")
    }

    fn print(&self, what: impl FnOnce() -> String) {
        simulation::print(|| {
            let place = if self.is_at_home.get() {
                ""
            } else {
                "    elsewhere: "
            };
            format!("{place}{}", what())
        });
    }

    // --- The schedule --------------------------------------------------------------------------

    fn play(&self) {
        self.quiet.set(false);
        for _ in 0..STEPS {
            simulation::step();
            simulation::look();
            match self.random.below(12) {
                0..4 => self.iterate(),
                4..7 => self.begin(),
                7 => self.drop_one(),
                8..10 => self.elsewhere(),
                _ => self.happen(),
            }
            if self.random.one_in(30) {
                self.come_to_rest();
            }
        }
        let all = self.random.one_in(2);
        self.cancel_all(all);
    }

    /// Between two steps of the context's thread another one comes.
    fn others_come(&self) {
        if self.quiet.get() || !self.random.one_in(6) {
            return;
        }
        count(&self.counts.between);
        self.quiet.set(true);
        for _ in 0..1 + self.random.below(3) {
            simulation::step();
            self.elsewhere();
        }
        self.quiet.set(false);
    }

    fn elsewhere(&self) {
        let was_quiet = self.quiet.replace(true);
        self.is_at_home.set(false);
        thread::as_another(ELSEWHERE, || self.happen());
        self.is_at_home.set(true);
        self.quiet.set(was_quiet);
    }

    /// Something that operations hear of.
    fn happen(&self) {
        match self.random.below(40) {
            0..24 => {
                let interest = self.interest();
                let amount = 1 + self.random.below(6);
                self.print(|| format!("{amount} for {interest:?}"));
                self.world.borrow_mut().arrive(interest, amount);
            }
            24..31 => self.cancel(),
            31 => self.close(),
            _ => {
                let time = self.random.below(3_000) as i64;
                self.print(|| format!("{time} later"));
                Loop::advance(time);
            }
        }
    }

    fn interest(&self) -> Interest {
        if self.random.one_in(2) {
            Interest::Read
        } else {
            Interest::Write
        }
    }

    fn cancel(&self) {
        let index = self.world.borrow().any_pending(&self.random);
        let cancellable = index.and_then(|index| self.world.borrow().cancellable(index));
        if let Some(cancellable) = cancellable {
            self.print(|| format!("cancels {index:?}"));
            gio::prelude::CancellableExt::cancel(&cancellable);
        }
    }

    fn close(&self) {
        let transport = self.world.borrow_mut().transport.take();
        if let Some(transport) = transport {
            self.print(|| "closes".into());
            count(&self.counts.closed);
            assert!(transport.close().is_ok());
            self.world.borrow_mut().forget_kernel();
        }
    }

    fn drop_one(&self) {
        let index = self.world.borrow().any_pending(&self.random);
        let Some(index) = index else { return };
        let spawned = self.spawned.borrow()[index].clone();
        if let Some(spawned) = spawned {
            self.print(|| format!("drops {index}"));
            self.world.borrow_mut().is_dropped(index);
            spawned.cancel();
            self.world.borrow().assert_given_up(index);
            count(&self.counts.dropped);
        }
    }

    /// Those that owe an answer keep the context; `all`: the others too.
    fn cancel_all(&self, all: bool) {
        self.quiet.set(true);
        let count = self.world.borrow().count();
        for index in 0..count {
            let is_meant = all || self.spawned.borrow()[index].is_none();
            if !is_meant || !self.world.borrow().is_pending(index) {
                continue;
            }
            let cancellable = self.world.borrow().cancellable(index);
            match cancellable {
                Some(cancellable) => gio::prelude::CancellableExt::cancel(&cancellable),
                None => self.close(),
            }
        }
        self.come_to_rest();
        if all {
            self.world.borrow().assert_none_is_left();
            let left = self.looped().next_moment();
            assert_eq!(left, None, "a timer is left");
        }
        self.quiet.set(false);
    }

    // --- Operations ----------------------------------------------------------------------------

    fn begin(&self) {
        if self.world.borrow().pending() >= MANY {
            return;
        }
        let random = &self.random;
        // Nobody comes in between in the making of a new one.
        self.quiet.set(true);
        let transport = self.world.borrow_mut().transport();
        self.quiet.set(false);
        let interest = self.interest();
        let now = Loop::now();
        let deadline = random
            .one_in(3)
            .then(|| now + 1 + random.below(9_000) as i64);
        let not_before = random
            .one_in(6)
            .then(|| now + 1 + random.below(6_000) as i64);
        let cancellable = (!random.one_in(4)).then(gio::Cancellable::new);
        let mut world = self.world.borrow_mut();
        let index = world.begin(&transport, interest, deadline, not_before, &cancellable);
        drop(world);
        let operation = Simulated {
            index,
            transport,
            interest,
            asked: 1 + random.below(8),
            deadline,
            not_before,
            yields: if random.one_in(8) {
                1 + random.below(2)
            } else {
                0
            },
        };
        self.print(|| {
            format!("{index} begins: {interest:?} until {deadline:?}, from {not_before:?} on")
        });
        let drive = Some(Drive::new(operation, cancellable.as_ref()));
        let engine = self.looped().engine.clone();
        let priority = glib::Priority::from([0, 0, 100][random.below(3)]);
        if random.one_in(2) {
            let source: *mut gobject_ffi::GObject =
                self.source.upcast_ref::<glib::Object>().as_ptr();
            let data = std::ptr::without_provenance_mut(index);
            // SAFETY: the source lives as long as the simulation; the callback takes the data for a number.
            let reply = unsafe { Reply::new(source, Some(ready), data, &TAG, 0) };
            self.spawned.borrow_mut().push(None);
            let operation = Operation {
                index,
                drive,
                reply: Some(reply),
            };
            let soon = random.one_in(2);
            if random.one_in(3) {
                engine.start(priority, operation, soon);
            } else {
                self.looped()
                    .in_turn(|| engine.start(priority, operation, soon));
            }
        } else {
            let operation = Operation {
                index,
                drive,
                reply: None,
            };
            let spawned = engine.spawn(priority, operation);
            self.spawned.borrow_mut().push(Some(spawned));
        }
    }

    fn ended(&self, index: usize, result: &Result<usize, glib::Error>) {
        self.print(|| format!("{index} ends: {result:?}"));
        let ended = self.world.borrow_mut().ended(index, result);
        let counter = match ended {
            Ended::Moved => &self.counts.moved,
            Ended::Cancelled => &self.counts.cancelled,
            Ended::TimedOut => &self.counts.timed_out,
            Ended::Closed => return,
        };
        count(counter);
    }

    fn answered(&self, index: usize, outcome: Result<usize, glib::Error>) {
        self.print(|| format!("{index} is answered"));
        self.world.borrow_mut().answered(index, outcome);
    }

    // --- The context ---------------------------------------------------------------------------

    fn iterate(&self) {
        let looped = self.looped();
        looped.collect();
        self.look(&looped);
        looped.fire();
        if let Some(priority) = looped.most_urgent() {
            looped.run(priority);
        }
    }

    /// What the kernel reports.
    fn look(&self, looped: &Loop) {
        let Some(transport) = self.world.borrow().known_transport() else {
            return;
        };
        let Some(registration) = transport.known_registration(&looped.engine) else {
            return;
        };
        let events = self.world.borrow_mut().edges(&registration);
        if let Some(events) = events {
            looped.report(&registration, events);
        }
    }

    fn come_to_rest(&self) {
        let was_quiet = self.quiet.replace(true);
        let looped = self.looped();
        for round in 0.. {
            assert!(round < TOO_MANY, "it does not come to rest");
            if !looped.is_awake() && !self.world.borrow().has_edges(&looped.engine) {
                break;
            }
            simulation::step();
            self.iterate();
            simulation::look();
        }
        self.world.borrow().assert_nobody_waits_in_vain();
        self.quiet.set(was_quiet);
    }

    /// The context goes with all that is left.
    fn end(&self) {
        let taken = self.looped.take().expect("it is there");
        let Ok(looped) = Rc::try_unwrap(taken) else {
            unreachable!("nobody else keeps it")
        };
        looped.end();
        self.world.borrow().assert_over();
    }
}

#[test]
fn every_operation_has_one_answer_and_it_is_true() {
    let counts = Rc::default();
    let name = "every_operation_has_one_answer_and_it_is_true";
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
            moved,
            cancelled,
            timed_out,
            closed,
            dropped,
            between,
        } = &*counts;
        for counter in [moved, cancelled, timed_out, closed, dropped, between] {
            assert!(counter.get() > 30, "too rare to have been tested");
        }
    }
}
