//! A task that reads or writes, in the steps of which a poll of the real thing consists.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use super::{
    super::{
        readiness::Seen,
        timers::{Moment, TimerKey},
        waiters::WaitId,
    },
    Interest, Purpose, ReadyQueue, Registration, Simulation, count,
    kernel::Answer,
};
use crate::simulation::Random;

/// What wakers reach: the clock, and the queue of the ready.
pub(super) struct Shared {
    now: AtomicI64,
    ready: Mutex<ReadyQueue<usize>>,
    next_id: AtomicUsize,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            now: AtomicI64::new(0),
            ready: Mutex::new(ReadyQueue::new()),
            next_id: AtomicUsize::new(0),
        }
    }

    fn ready(&self) -> MutexGuard<'_, ReadyQueue<usize>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Moment {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn set_now(&self, now: Moment) {
        self.now.store(now, Ordering::Relaxed);
    }

    pub(super) fn next(&self) -> Option<usize> {
        let mut ready = self.ready();
        ready.pop().or_else(|| {
            ready.begin_round();
            ready.pop()
        })
    }

    pub(super) fn put_off(&self, task: usize) {
        self.ready().put_off(task);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready().is_empty()
    }

    fn next_id(&self) -> WaitId {
        let before = self.next_id.fetch_add(1, Ordering::Relaxed) as u64;
        WaitId::MIN.saturating_add(before)
    }
}

/// A waker for one wait: it may be called once, and not before its moment, nor after its wait was given up.
struct Bell {
    task: usize,
    shared: Arc<Shared>,
    not_before: Moment,
    rung: AtomicBool,
    given_up: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        assert!(
            !self.rung.swap(true, Ordering::Relaxed),
            "one wait was called twice"
        );
        assert!(
            !self.given_up.load(Ordering::Relaxed),
            "who has left was called"
        );
        assert!(
            self.shared.now() >= self.not_before,
            "a timer came too early"
        );
        self.shared.ready().push(self.task);
    }
}

#[derive(Debug)]
enum Step {
    /// Finds out how the socket is watched, and what is known of it.
    Begin,
    Call(Option<Seen>),
    Answered(Option<Seen>, Answered),
    Arm,
    Parked,
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Answered {
    Short,
    Full,
    Nothing,
    End,
}

pub(super) struct Task {
    pub(super) socket: usize,
    pub(super) interest: Interest,
    /// Known by his waker only, as those are who poll the connection itself.
    is_known_by_waker: bool,
    /// How much one call is asked for.
    asked: usize,
    /// How much there is to write.
    left: usize,
    timeout: Option<Moment>,
    deadline: Option<Moment>,
    id: Option<WaitId>,
    registration: Option<Arc<Registration>>,
    place: Option<Arc<Bell>>,
    timer: Option<(TimerKey, Arc<Bell>)>,
    step: Step,
}

impl Task {
    pub(super) fn new(random: &Random, socket: usize, interest: Interest) -> Self {
        Self {
            socket,
            interest,
            is_known_by_waker: random.one_in(4),
            asked: 1 + random.below(8),
            left: random.below(30),
            timeout: random.one_in(3).then(|| 1 + random.below(100) as Moment),
            deadline: None,
            id: None,
            registration: None,
            place: None,
            timer: None,
            step: Step::Begin,
        }
    }

    pub(super) fn begin(&mut self) {
        self.step = Step::Begin;
    }

    pub(super) fn is_parked(&self) -> bool {
        matches!(self.step, Step::Parked)
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.step, Step::Ended)
    }

    pub(super) fn is_active(&self) -> bool {
        !self.is_parked() && !self.has_ended()
    }

    /// When its timer is to call, if it has not.
    pub(super) fn moment(&self) -> Option<Moment> {
        let (key, bell) = self.timer.as_ref()?;
        (!bell.rung.load(Ordering::Relaxed)).then(|| key.moment())
    }

    pub(super) fn step(&mut self, at: &Simulation, index: usize) {
        self.step = match std::mem::replace(&mut self.step, Step::Begin) {
            Step::Begin => self.find_out(at),
            Step::Call(seen) => Step::Answered(seen, self.call(at)),
            Step::Answered(seen, answered) => self.take_back(at, seen, answered),
            Step::Arm => self.arm(at, index),
            step => step,
        };
    }

    fn find_out(&mut self, at: &Simulation) -> Step {
        if self.registration.as_ref().is_none_or(|it| it.is_ended()) {
            self.registration = at.registration(self.socket);
        }
        match self.registration.as_ref().map(|known| known.look()) {
            Some(seen) if !seen.is_ready(self.interest) => Step::Arm,
            seen => Step::Call(seen),
        }
    }

    fn call(&mut self, at: &Simulation) -> Answered {
        let answer = at
            .core
            .poller
            .with(self.socket, |socket| match self.interest {
                Interest::Read => socket.read(self.asked),
                Interest::Write => socket.write(self.asked.min(self.left)),
            });
        match (answer, self.interest) {
            (Answer::Nothing, Interest::Write) if self.left == 0 => Answered::End,
            (Answer::Nothing, _) => Answered::Nothing,
            (Answer::End, _) => Answered::End,
            (Answer::Moved(moved), Interest::Read) if moved < self.asked => Answered::Short,
            (Answer::Moved(_), Interest::Read) => Answered::Full,
            (Answer::Moved(moved), Interest::Write) => {
                let asked = self.asked.min(self.left);
                self.left -= moved;
                if moved < asked {
                    Answered::Short
                } else {
                    Answered::Full
                }
            }
        }
    }

    fn take_back(&mut self, at: &Simulation, seen: Option<Seen>, answered: Answered) -> Step {
        let known = self.registration.as_ref().zip(seen);
        match answered {
            Answered::Nothing => {
                if let Some((registration, seen)) = known {
                    registration.used_up(self.interest, seen);
                }
                return Step::Arm;
            }
            Answered::Short => {
                count(&at.counts.short);
                if let Some((registration, seen)) = known {
                    registration.used_up_by_a_short_transfer(self.interest, seen);
                }
            }
            Answered::Full | Answered::End => {}
        }
        self.give_up(at);
        match answered {
            Answered::End => Step::Ended,
            _ => Step::Begin,
        }
    }

    fn arm(&mut self, at: &Simulation, index: usize) -> Step {
        let registration = match &self.registration {
            Some(known) => known.clone(),
            None => match at.registration(self.socket) {
                Some(known) => known,
                // The registrations are locked: later.
                None if at.taking_in.get() => return Step::Arm,
                None => at.register(self.socket, Purpose::Wait(self.interest)),
            },
        };
        self.registration = Some(registration.clone());
        let now = at.shared.now();
        if let Some(timeout) = self.timeout {
            let deadline = *self.deadline.get_or_insert(now + timeout);
            if now >= deadline {
                count(&at.counts.timed_out);
                self.give_up(at);
                return Step::Begin;
            }
            if self.timer.is_none() {
                let bell = bell(at, index, deadline);
                let (key, _) = at.core.set_timer(deadline, &Waker::from(bell.clone()));
                self.timer = Some((key, bell));
            }
        }
        let bell = bell(at, index, Moment::MIN);
        let waker = Waker::from(bell.clone());
        let is_ready = if self.is_known_by_waker {
            registration.wait_by_waker(self.interest, &waker)
        } else {
            let id = *self.id.get_or_insert_with(|| at.shared.next_id());
            let is_ready = registration.wait(self.interest, id, &waker);
            // It has taken the place of the one before, or given it up.
            if let Some(before) = self.place.replace(bell) {
                say_given_up(at, &before);
            }
            is_ready
        };
        if is_ready {
            self.leave_place(at);
            return Step::Begin;
        }
        count(&at.counts.parked);
        Step::Parked
    }

    fn leave_place(&mut self, at: &Simulation) {
        if let (Some(registration), Some(id)) = (&self.registration, self.id) {
            registration.stop_waiting(self.interest, id);
        }
        if let Some(bell) = self.place.take() {
            say_given_up(at, &bell);
        }
    }

    /// What the end of a wait does, and dropping it. Another one begins anew.
    pub(super) fn give_up(&mut self, at: &Simulation) {
        self.leave_place(at);
        self.id = None;
        self.deadline = None;
        if let Some((key, bell)) = self.timer.take() {
            at.core.remove_timer(key);
            bell.given_up.store(true, Ordering::Relaxed);
        }
    }
}

fn bell(at: &Simulation, task: usize, not_before: Moment) -> Arc<Bell> {
    Arc::new(Bell {
        task,
        shared: at.shared.clone(),
        not_before,
        rung: AtomicBool::new(false),
        given_up: AtomicBool::new(false),
    })
}

fn say_given_up(at: &Simulation, bell: &Bell) {
    // One that a look has handed out already still is on its way.
    if !at.taking_in.get() {
        bell.given_up.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {:?}", self.interest, self.socket, self.step)
    }
}
