//! The reactor's plain half in random schedules: a simulated kernel and clock, simulated tasks, and between
//! any two of their steps whatever another thread, the peer or the clock may do.

mod kernel;
pub(crate) mod looped;
mod task;
mod turns;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Weak},
    task::Waker,
};

use super::{
    core::{Core, Found},
    events::{Events, Interest},
    poller::Poller,
    queue::ReadyQueue,
    registration::{Observer, Purpose, Registration},
    timers::Moment,
};
use crate::simulation::{self, Random};
use kernel::Kernel;
use task::{Shared, Task};

const STEPS: usize = 120;
/// No schedule needs as many to come to rest.
const TOO_MANY: usize = 10_000;

/// How often things have happened that the invariants are about.
#[derive(Default)]
struct Counts {
    parked: Cell<usize>,
    interleaved: Cell<usize>,
    short: Cell<usize>,
    timed_out: Cell<usize>,
    dropped: Cell<usize>,
    departed: Cell<usize>,
}

fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

/// What is known of a socket's registration, which the transport keeps in the real thing.
#[derive(Default)]
struct Registered {
    registration: Option<Arc<Registration>>,
    /// Home wants to know when the peer goes.
    watching: bool,
    /// It has been told.
    told: bool,
}

struct Nobody;

impl Observer for Nobody {
    fn departed(&self, _: Events) {}
    fn is_gone(&self) -> bool {
        false
    }
    fn found_gone(&self) {}
}

struct Simulation {
    random: Random,
    core: Core<Kernel>,
    registered: RefCell<Vec<Registered>>,
    /// `None` while it is at a step.
    tasks: RefCell<Vec<Option<Task>>>,
    shared: Arc<Shared>,
    found: RefCell<Found>,
    /// Somebody has come in between, or is to be left alone.
    quiet: Cell<bool>,
    /// Within a look or a removal: wakers are on their way, and the registrations are locked.
    taking_in: Cell<bool>,
    counts: Rc<Counts>,
}

impl Simulation {
    fn new(seed: u64, counts: &Rc<Counts>) -> Rc<Self> {
        let random = Random::new(seed);
        let sockets = 1 + random.below(3);
        let shared = Arc::new(Shared::new());
        let mut tasks = Vec::new();
        for socket in 0..sockets {
            // Bytes that are sent must have a reader in the end.
            for _ in 0..1 + random.below(2) {
                tasks.push(Some(Task::new(&random, socket, Interest::Read)));
            }
            for _ in 0..random.below(3) {
                tasks.push(Some(Task::new(&random, socket, Interest::Write)));
            }
        }
        Rc::new(Self {
            core: Core::new(Kernel::new(sockets)),
            registered: RefCell::new((0..sockets).map(|_| Registered::default()).collect()),
            tasks: RefCell::new(tasks),
            shared,
            random,
            found: RefCell::default(),
            quiet: Cell::new(true),
            taking_in: Cell::new(false),
            counts: counts.clone(),
        })
    }

    fn sockets(&self) -> usize {
        self.registered.borrow().len()
    }

    fn print(&self, what: impl FnOnce() -> String) {
        simulation::print(|| {
            // Indented: between two steps of the reactor, or on the way to rest.
            let indent = if self.quiet.get() { "  " } else { "" };
            format!("{indent}{}", what())
        });
    }

    // --- The schedule --------------------------------------------------------------------------

    fn play(&self) {
        self.quiet.set(false);
        for _ in 0..STEPS {
            self.step();
            if self.random.one_in(24) {
                self.come_to_rest();
            }
        }
        self.finish();
    }

    fn step(&self) {
        simulation::step();
        let socket = self.random.below(self.sockets());
        match self.random.below(100) {
            0..24 => self.kernel_event(socket),
            24..40 if !self.taking_in.get() => {
                self.look();
            }
            40..46 => self.advance(self.random.below(40) as Moment),
            46..48 => self.drop_a_task(),
            48..50 => self.watch(socket),
            50..52 if !self.taking_in.get() => self.register_anew(socket),
            _ => self.task_step(),
        }
    }

    fn others_come(&self) {
        if self.quiet.get() || !self.random.one_in(2) {
            return;
        }
        count(&self.counts.interleaved);
        self.quiet.set(true);
        for _ in 0..1 + self.random.below(8) {
            self.step();
        }
        self.quiet.set(false);
    }

    fn kernel_event(&self, socket: usize) {
        let amount = 1 + self.random.below(6);
        let what = self.random.below(64);
        self.print(|| format!("event {what} of {amount} on {socket}"));
        self.core.poller.with(socket, |socket| match what {
            0..32 => socket.send(amount, false),
            32..36 => socket.send(amount, true),
            36..58 => socket.receive(amount),
            58..60 => socket.leave_a_note(),
            60..63 => socket.end(),
            _ => socket.reset(),
        });
    }

    /// What a turn of the engine begins with. Answers whether there was anything.
    fn look(&self) -> bool {
        self.print(|| "look".into());
        let mut found = self.found.take();
        self.taking_in.set(true);
        let (any, _) = self.core.look(&mut found);
        self.taking_in.set(false);
        found.called.drain(..).for_each(Waker::wake);
        for (registration, events) in found.departed.drain(..) {
            assert!(events.has(Events::GONE), "a departure without its event");
            self.told(registration.fd as usize);
        }
        self.found.replace(found);
        any
    }

    fn told(&self, socket: usize) {
        count(&self.counts.departed);
        self.registered.borrow_mut()[socket].told = true;
    }

    fn advance(&self, time: Moment) {
        let now = self.shared.now() + time;
        self.print(|| format!("it is {now}"));
        self.shared.set_now(now);
        let first = self.first_moment();
        assert_eq!(self.core.next_moment(), first, "the first of the timers");
        let is_due = first.is_some_and(|moment| moment <= now);
        assert_eq!(self.core.is_due(now), is_due, "whether one is due");
        if is_due && self.random.one_in(2) {
            self.fire();
        }
    }

    fn fire(&self) {
        let now = self.shared.now();
        let mut called = Default::default();
        self.core.fire(now, &mut called);
        called.into_iter().for_each(Waker::wake);
        let first = self.first_moment();
        assert!(
            first.is_none_or(|moment| moment > now),
            "a timer was passed over"
        );
    }

    /// Of the timers that have not called; one of a task that is at a step is not known.
    fn first_moment(&self) -> Option<Moment> {
        if self.tasks.borrow().iter().any(Option::is_none) {
            return self.core.next_moment();
        }
        let tasks = self.tasks.borrow();
        tasks.iter().flatten().filter_map(Task::moment).min()
    }

    // --- Registrations -------------------------------------------------------------------------

    fn registration(&self, socket: usize) -> Option<Arc<Registration>> {
        self.registered.borrow()[socket].registration.clone()
    }

    fn register(&self, socket: usize, purpose: Purpose) -> Arc<Registration> {
        let observer = Weak::<Nobody>::new();
        let registration = self.core.insert(socket as i32, observer, purpose);
        self.registered.borrow_mut()[socket].registration = Some(registration.clone());
        let added = self.core.poller.add(socket as i32, registration.key);
        assert_eq!(added, Ok(()));
        registration
    }

    fn watch(&self, socket: usize) {
        let Some(registration) = self.registration(socket) else {
            return;
        };
        self.print(|| format!("watch {socket}"));
        // First: whoever registers anew meanwhile registers for this too.
        self.registered.borrow_mut()[socket].watching = true;
        if registration.watch() {
            self.told(socket);
        }
    }

    /// As a move to another home does it.
    fn register_anew(&self, socket: usize) {
        let Some(registration) = self.registration(socket) else {
            return;
        };
        self.print(|| format!("register {socket} anew"));
        self.taking_in.set(true);
        let mut called = Default::default();
        assert!(
            self.core.remove(&registration, &mut called),
            "it was not known"
        );
        self.core.poller.remove(socket as i32);
        self.registered.borrow_mut()[socket].registration = None;
        called.into_iter().for_each(Waker::wake);
        self.taking_in.set(false);
        if self.registered.borrow()[socket].watching {
            self.register(socket, Purpose::Watch);
        }
    }

    // --- Tasks ---------------------------------------------------------------------------------

    /// Some task that is at it goes on, or one that is ready begins.
    fn task_step(&self) {
        let tasks = self.tasks.borrow().len();
        let from = self.random.below(tasks);
        let active = (from..tasks).chain(0..from).find(|index| {
            let tasks = self.tasks.borrow();
            tasks[*index].as_ref().is_some_and(Task::is_active)
        });
        match active {
            Some(index) if !self.random.one_in(4) => self.step_task(index),
            _ => {
                self.start_a_task();
            }
        }
    }

    fn step_task(&self, index: usize) {
        let taken = self.tasks.borrow_mut()[index].take();
        if let Some(mut task) = taken {
            self.print(|| format!("{index} {task:?}"));
            task.step(self, index);
            self.tasks.borrow_mut()[index] = Some(task);
        }
    }

    /// Takes one from the ready queue; answers whether there was any.
    fn start_a_task(&self) -> bool {
        let Some(index) = self.shared.next() else {
            return false;
        };
        let mut tasks = self.tasks.borrow_mut();
        match &mut tasks[index] {
            Some(task) if task.is_parked() => task.begin(),
            Some(task) if !task.is_active() => {}
            // At it: it was woken meanwhile, and has another turn when it has parked.
            _ => self.shared.put_off(index),
        }
        true
    }

    fn drop_a_task(&self) {
        let index = self.random.below(self.tasks.borrow().len());
        let taken = self.tasks.borrow_mut()[index].take();
        if let Some(mut task) = taken {
            if task.is_parked() {
                self.print(|| format!("{index} is dropped"));
                count(&self.counts.dropped);
                task.give_up(self);
                task.begin();
            }
            self.tasks.borrow_mut()[index] = Some(task);
        }
    }

    // --- Rest ----------------------------------------------------------------------------------

    /// Lets the engine and the tasks go on until nothing is left to do, with nobody in between.
    fn come_to_rest(&self) {
        self.quiet.set(true);
        for round in 0.. {
            assert!(round < TOO_MANY, "it does not come to rest");
            simulation::step();
            if let Some(index) = self.active() {
                self.step_task(index);
                continue;
            }
            let any = self.look();
            self.fire();
            if !self.start_a_task() && !any {
                break;
            }
        }
        self.assert_nobody_waits_in_vain();
        self.quiet.set(false);
    }

    fn active(&self) -> Option<usize> {
        let tasks = self.tasks.borrow();
        tasks
            .iter()
            .position(|task| task.as_ref().is_some_and(Task::is_active))
    }

    fn assert_nobody_waits_in_vain(&self) {
        for (index, task) in self.tasks.borrow().iter().flatten().enumerate() {
            if task.is_parked() {
                let is_ready = |socket: &mut kernel::Socket| socket.is_ready(task.interest);
                let is_ready = self.core.poller.with(task.socket, is_ready);
                assert!(!is_ready, "a lost wake-up of task {index}");
            }
        }
        for (index, registered) in self.registered.borrow().iter().enumerate() {
            let is_over = |socket: &mut kernel::Socket| socket.fin || socket.reset;
            if registered.watching && self.core.poller.with(index, is_over) {
                assert!(registered.told, "nobody was told of the end of {index}");
            }
        }
    }

    /// The peers end; then everybody does.
    fn finish(&self) {
        for round in 0.. {
            assert!(round < TOO_MANY, "the tasks do not end");
            for socket in 0..self.sockets() {
                self.core.poller.with(socket, |socket| {
                    socket.end();
                    socket.receive(usize::MAX);
                });
            }
            self.come_to_rest();
            if self.tasks.borrow().iter().flatten().all(Task::has_ended) {
                break;
            }
        }
        self.quiet.set(true);
        assert_eq!(self.core.next_moment(), None, "a timer is left");
        assert!(self.shared.is_empty(), "a task is left in the queue");
        for socket in 0..self.sockets() {
            self.core.poller.with(socket, |socket| {
                socket.receive(usize::MAX);
                socket.assert_over();
            });
            if let Some(registration) = self.registration(socket) {
                // Whoever is known by his waker only stays until he is called.
                let mut called = Default::default();
                self.core.remove(&registration, &mut called);
                called.into_iter().for_each(Waker::wake);
                assert_eq!(registration.wanted(), Events::NONE, "a place is left");
            }
        }
    }
}

#[test]
fn no_schedule_loses_a_wake_up_or_a_byte() {
    let counts = Rc::default();
    let are_many = simulation::play(
        module_path!(),
        "no_schedule_loses_a_wake_up_or_a_byte",
        |seed| {
            let simulation = Simulation::new(seed, &counts);
            let others = simulation.clone();
            simulation::let_in(Rc::new(move || others.others_come()));
            simulation.play();
        },
    );
    if are_many {
        let Counts {
            parked,
            interleaved,
            short,
            timed_out,
            dropped,
            departed,
        } = &*counts;
        for counter in [parked, interleaved, short, timed_out, dropped, departed] {
            assert!(counter.get() > 100, "too rare to have been tested");
        }
    }
}
