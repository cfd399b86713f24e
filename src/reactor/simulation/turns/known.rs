//! What a simulation knows of the tasks by itself: whose turn it is.

use std::collections::{BTreeMap, VecDeque};

use super::super::super::timers::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Queued,
    /// Asked whether it has to wait.
    Beginning {
        soon: bool,
        waits: bool,
        woken: bool,
    },
    Running {
        woken: bool,
    },
    /// Cancelled while it was running.
    Cancelled,
    Ended,
}

struct Task {
    priority: i32,
    state: State,
    is_dropped: bool,
    timer: Option<(Moment, u64)>,
}

#[derive(Default)]
struct Lane {
    now: VecDeque<usize>,
    later: VecDeque<usize>,
}

#[derive(Default)]
pub(super) struct Known {
    tasks: Vec<Task>,
    lanes: BTreeMap<i32, Lane>,
    /// From elsewhere, in its order.
    woken: VecDeque<usize>,
    timers: BTreeMap<(Moment, u64), usize>,
    count: u64,
    /// The task that was polled last, until it is known where it has gone.
    current: Option<usize>,
    pub(super) alive: usize,
    /// The context goes: nothing runs any more.
    pub(super) ends: bool,
}

impl Known {
    pub(super) fn new_task(&mut self, priority: glib::Priority) -> usize {
        self.alive += 1;
        self.tasks.push(Task {
            priority: glib::translate::IntoGlib::into_glib(priority),
            state: State::Idle,
            is_dropped: false,
            timer: None,
        });
        self.tasks.len() - 1
    }

    fn lane(&mut self, index: usize) -> &mut Lane {
        self.lanes.entry(self.tasks[index].priority).or_default()
    }

    fn queue(&mut self, index: usize, in_turn: bool, soon: bool) {
        self.tasks[index].state = State::Queued;
        if !in_turn {
            self.woken.push_back(index);
        } else if soon {
            self.lane(index).now.push_back(index);
        } else {
            self.lane(index).later.push_back(index);
        }
    }

    // --- What is done to tasks -----------------------------------------------------------------

    pub(super) fn spawned(&mut self, index: usize, in_turn: bool) {
        self.queue(index, in_turn, false);
    }

    pub(super) fn begins(&mut self, index: usize, soon: bool) {
        self.tasks[index].state = State::Beginning {
            soon,
            waits: false,
            woken: false,
        };
    }

    pub(super) fn asked(&mut self, index: usize, it_waits: bool) {
        match &mut self.tasks[index].state {
            State::Beginning { waits, .. } => *waits = it_waits,
            state => panic!("{index} is asked, and is {state:?}"),
        }
    }

    pub(super) fn has_begun(&mut self, index: usize) {
        if let State::Beginning { soon, waits, woken } = self.tasks[index].state {
            if waits && !woken {
                self.tasks[index].state = State::Idle;
            } else {
                self.queue(index, true, soon);
            }
        }
    }

    pub(super) fn woken(&mut self, index: usize, in_turn: bool) {
        match &mut self.tasks[index].state {
            State::Idle => self.queue(index, in_turn, true),
            State::Running { woken } | State::Beginning { woken, .. } => *woken = true,
            State::Queued | State::Cancelled | State::Ended => {}
        }
    }

    pub(super) fn cancelled(&mut self, index: usize) {
        let task = &mut self.tasks[index];
        task.state = match task.state {
            State::Idle | State::Queued => State::Ended,
            State::Running { .. } => State::Cancelled,
            state => state,
        };
    }

    pub(super) fn assert_cancelled(&self, index: usize) {
        let task = &self.tasks[index];
        assert!(
            task.is_dropped || task.state == State::Cancelled,
            "{index} is cancelled and not dropped"
        );
    }

    pub(super) fn dropped(&mut self, index: usize) {
        let is_over =
            self.ends || matches!(self.tasks[index].state, State::Ended | State::Cancelled);
        assert!(
            is_over,
            "{index} is dropped, and is {:?}",
            self.tasks[index].state
        );
        assert!(!self.tasks[index].is_dropped, "{index} is dropped twice");
        self.tasks[index].is_dropped = true;
        self.alive -= 1;
        if let Some(timer) = self.tasks[index].timer.take() {
            self.timers.remove(&timer);
        }
    }

    // --- What they do --------------------------------------------------------------------------

    pub(super) fn polled(&mut self, index: usize) {
        self.settle();
        let priority = self.tasks[index].priority;
        for (other, lane) in self.lanes.range(..priority) {
            let mut queued = lane.now.iter().chain(&lane.later);
            let first = queued.find(|queued| self.tasks[**queued].state == State::Queued);
            assert_eq!(first, None, "{index} runs before one of priority {other}");
        }
        loop {
            let next = self.lane(index).now.pop_front();
            let next = next.unwrap_or_else(|| panic!("{index} runs, and was not woken"));
            if self.tasks[next].state == State::Queued {
                assert_eq!(next, index, "one is polled and another one is the next");
                break;
            }
            assert_eq!(
                self.tasks[next].state,
                State::Ended,
                "{next} is passed over"
            );
        }
        self.tasks[index].state = State::Running { woken: false };
        self.current = Some(index);
    }

    pub(super) fn was_polled(&mut self, index: usize, has_ended: bool) {
        if has_ended {
            self.tasks[index].state = State::Ended;
        }
    }

    /// By now the task that was polled last has gone where it goes.
    pub(super) fn settle(&mut self) {
        let Some(index) = self.current.take() else {
            return;
        };
        match self.tasks[index].state {
            State::Running { woken: false } => self.tasks[index].state = State::Idle,
            State::Running { woken: true } => self.queue(index, true, false),
            State::Cancelled => self.tasks[index].state = State::Ended,
            _ => {}
        }
        if self.tasks[index].state == State::Ended {
            assert!(
                self.tasks[index].is_dropped,
                "{index} has ended and is not dropped"
            );
        }
    }

    // --- Timers --------------------------------------------------------------------------------

    pub(super) fn waits_until(&mut self, index: usize, moment: Moment) {
        if self.tasks[index]
            .timer
            .is_some_and(|timer| timer.0 == moment)
        {
            return;
        }
        if let Some(timer) = self.tasks[index].timer.take() {
            self.timers.remove(&timer);
        }
        self.count += 1;
        self.tasks[index].timer = Some((moment, self.count));
        self.timers.insert((moment, self.count), index);
    }

    /// Those whose moment has come, in their order.
    pub(super) fn due(&mut self, now: Moment) -> Vec<usize> {
        let mut due = Vec::new();
        while let Some(first) = self.timers.first_entry()
            && first.key().0 <= now
        {
            let index = first.remove();
            self.tasks[index].timer = None;
            due.push(index);
        }
        due
    }

    pub(super) fn first_moment(&self) -> Option<Moment> {
        self.timers.first_key_value().map(|(key, _)| key.0)
    }

    // --- Turns ---------------------------------------------------------------------------------

    pub(super) fn take_in(&mut self) {
        for index in std::mem::take(&mut self.woken) {
            self.lane(index).later.push_back(index);
        }
    }

    pub(super) fn begin_round(&mut self, priority: glib::Priority) {
        let priority = glib::translate::IntoGlib::into_glib(priority);
        let lane = self.lanes.entry(priority).or_default();
        lane.now.append(&mut lane.later);
    }

    pub(super) fn assert_at_rest(&self) {
        for (index, task) in self.tasks.iter().enumerate() {
            let rests = matches!(task.state, State::Idle | State::Ended);
            assert!(rests, "{index} was woken and never runs: {:?}", task.state);
        }
    }

    pub(super) fn assert_over(&self) {
        let left = self.tasks.iter().position(|task| !task.is_dropped);
        assert_eq!(left, None, "a task was never dropped");
        assert_eq!(self.alive, 0);
    }
}
