//! The policy in simulated time, with many seeds.

use std::cell::Cell;

use super::*;
use crate::simulation;

const SECOND: Moment = 1_000_000;
const SEEDS: u64 = 20_000;

/// Chance of the test, apart from the policy's own.
struct Dice(Random);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next() % bound
    }

    fn moment(&mut self, bound: Moment) -> Moment {
        i64::try_from(self.below(u64::try_from(bound).unwrap())).unwrap()
    }

    fn flips(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let initial_delay = 1_000 + dice.moment(2 * SECOND);
    Settings {
        initial_delay,
        max_delay: 1_000 + dice.moment(60 * SECOND),
        jitter: [0.0, 0.25, 0.5, 1.0][usize::try_from(dice.below(4)).unwrap()],
        max_attempts: [0, 0, 1, 3, 10][usize::try_from(dice.below(5)).unwrap()],
        stable_after: dice.moment(20 * SECOND),
        debounce: dice.moment(3 * SECOND),
        reconnect: dice.below(8) != 0,
    }
}

/// Something that the policy was told or has said, to compare one run with another one.
type Trace = Vec<(Moment, String)>;

/// What the test knows by itself.
struct World {
    policy: Policy,
    dice: Dice,
    now: Moment,
    /// The attempt that is under way, and when it ends.
    attempt: Option<(Ticket, Moment)>,
    /// Attempts since the last stable connection, and the whole delay of the last one.
    attempts: u32,
    waited: Option<Moment>,
    connected: Option<Moment>,
    /// Since when there has been a network.
    network: Option<Moment>,
    /// When the next attempt may be at the earliest; none while nothing but the network holds it back.
    earliest: Option<Moment>,
    is_wished: bool,
    is_stopped: bool,
    trace: Trace,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(Random::new(seed ^ 0x5eed));
        let settings = settings(&mut dice);
        Self {
            policy: Policy::new(settings, seed),
            dice,
            now: 0,
            attempt: None,
            attempts: 0,
            waited: None,
            connected: None,
            network: Some(Moment::MIN),
            earliest: None,
            is_wished: false,
            is_stopped: true,
            trace: Vec::new(),
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        let what = what.into();
        simulation::print(|| format!("{}: {what}", self.now));
        self.trace.push((self.now, what));
    }

    fn settle(&mut self) {
        let stable_after = self.policy.settings().stable_after;
        if self
            .connected
            .is_some_and(|since| since + stable_after <= self.now)
        {
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        self.attempts = 0;
        self.waited = None;
    }

    /// Everything that is due now. Answers when there is something again.
    fn run(&mut self) -> Option<Moment> {
        loop {
            self.settle();
            match self.policy.step(self.now) {
                Step::Attempt(number, ticket) => self.attempted(number, ticket),
                Step::Wait(until) => {
                    if let Some(until) = until {
                        assert!(until > self.now, "it waits for what is over");
                    }
                    assert_eq!(self.policy.attempt(), self.attempts);
                    return [until, self.attempt.map(|(_, end)| end)]
                        .into_iter()
                        .flatten()
                        .min();
                }
            }
        }
    }

    fn attempted(&mut self, number: u32, ticket: Ticket) {
        assert!(self.attempt.is_none(), "two attempts at once");
        assert!(self.connected.is_none(), "an attempt while connected");
        assert!(!self.is_stopped, "an attempt after a stop");
        let debounce = self.policy.settings().debounce;
        let is_there = self
            .network
            .is_some_and(|since| since == Moment::MIN || since + debounce <= self.now);
        assert!(
            is_there || self.is_wished,
            "an attempt without a network at {}",
            self.now
        );
        if let Some(earliest) = self.earliest.take() {
            assert!(
                self.is_wished || self.now >= earliest,
                "an attempt too soon"
            );
        }
        self.attempts += 1;
        assert_eq!(number, self.attempts);
        let most = self.policy.settings().max_attempts;
        assert!(
            most == 0 || number <= most,
            "more attempts than there may be"
        );
        assert!(self.policy.is_under_way(ticket));
        let end = self.now + self.dice.moment(3 * SECOND);
        self.attempt = Some((ticket, end));
        self.note(format!("attempt {number}"));
    }

    /// Whether the delay that has begun is as it has to be.
    fn check_delay(&mut self, delay: Moment) {
        let Settings {
            initial_delay,
            max_delay,
            jitter,
            ..
        } = *self.policy.settings();
        let whole = match self.waited {
            None => initial_delay.min(max_delay),
            Some(waited) => (2 * waited).min(max_delay),
        };
        assert!(self.waited.is_none_or(|waited| waited <= whole), "it grows");
        self.waited = Some(whole);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let least = whole - (whole as f64 * jitter) as Moment;
        assert!(
            (least..=whole).contains(&delay),
            "{delay} is not from {least} to {whole}"
        );
        self.note(format!("delay {delay}"));
    }

    fn is_spent(&self) -> bool {
        let most = self.policy.settings().max_attempts;
        most != 0 && self.attempts >= most
    }

    fn end_attempt(&mut self) {
        let Some((ticket, _)) = self.attempt.take() else {
            return;
        };
        assert!(self.policy.is_under_way(ticket));
        self.is_wished = false;
        if self.dice.flips() {
            self.policy.connected(self.now);
            self.connected = Some(self.now);
            assert_eq!(self.policy.state(), State::Connected);
            self.note("connected");
        } else {
            match self.policy.failed(self.now) {
                None => {
                    assert!(self.is_spent(), "given up too soon");
                    assert_eq!(self.policy.state(), State::GivenUp);
                    self.is_stopped = true;
                }
                Some(delay) => {
                    assert!(!self.is_spent(), "not given up");
                    self.check_delay(delay);
                    self.hold_back(delay);
                }
            }
        }
        assert!(!self.policy.is_under_way(ticket));
    }

    fn hold_back(&mut self, delay: Moment) {
        // The return of a network cuts a delay short.
        let is_there = self.policy.state() != State::WaitingForNetwork;
        self.earliest = is_there.then_some(self.now + delay);
    }

    fn lose(&mut self) {
        if self.connected.is_none() {
            return;
        }
        self.settle();
        self.connected = None;
        self.policy.lost(self.now);
        self.note("lost");
        if !self.policy.settings().reconnect {
            assert_eq!(self.policy.state(), State::Stopped);
            self.is_stopped = true;
            self.begin_anew();
        } else if self.is_spent() {
            assert_eq!(self.policy.state(), State::GivenUp);
            self.is_stopped = true;
        } else {
            let whole = self.policy.waited;
            match self.policy.due() {
                Some(due) => self.check_delay(due - self.now),
                None => self.waited = whole,
            }
            self.hold_back(self.policy.due - self.now);
        }
    }

    fn start(&mut self) {
        let is_news = self.policy.start(self.now);
        assert_eq!(is_news, self.is_stopped);
        if is_news {
            self.is_stopped = false;
            self.earliest = None;
            self.begin_anew();
            self.note("start");
        }
    }

    fn stop(&mut self) {
        self.policy.stop();
        assert_eq!(self.policy.state(), State::Stopped);
        if let Some((ticket, _)) = self.attempt.take() {
            assert!(!self.policy.is_under_way(ticket));
        }
        self.connected = None;
        self.is_stopped = true;
        self.is_wished = false;
        self.earliest = None;
        self.begin_anew();
        self.note("stop");
    }

    fn retry_now(&mut self) {
        let (state, was_spent) = (self.policy.state(), self.is_spent());
        self.settle();
        let was_connected = self.policy.retry_now(self.now);
        assert_eq!(was_connected, self.connected.is_some());
        self.note("retry");
        if state == State::Stopped || self.attempt.is_some() {
            return;
        }
        if was_spent || self.is_spent() || state == State::GivenUp {
            self.begin_anew();
        }
        self.connected = None;
        self.is_stopped = false;
        self.is_wished = true;
        self.earliest = None;
        assert_eq!(self.policy.state(), State::Connecting);
    }

    fn network(&mut self) {
        let is_available = self.dice.flips();
        self.policy.network(is_available, self.now);
        self.note(format!("network {is_available}"));
        match (is_available, self.network) {
            (false, _) => {
                self.network = None;
                // It may come back before the delay is over.
                self.earliest = None;
            }
            (true, None) => self.network = Some(self.now),
            (true, Some(_)) => {}
        }
    }

    fn happen(&mut self) {
        match self.dice.below(10) {
            0..=2 => self.lose(),
            3 => self.stop(),
            4 | 5 => self.start(),
            6 => self.retry_now(),
            7 if self.attempt.is_some() => {
                self.attempt = None;
                self.policy.abandoned(self.now);
                self.attempts -= 1;
                self.note("abandoned");
            }
            _ => self.network(),
        }
    }

    fn go(mut self) -> (Trace, Self) {
        self.start();
        for _ in 0..60 {
            simulation::step();
            let next = self.run();
            let by_itself = self.now + self.dice.moment(8 * SECOND);
            match next {
                Some(next) if next <= by_itself => {
                    self.now = next;
                    if self.attempt.is_some_and(|(_, end)| end <= self.now) {
                        self.end_attempt();
                    }
                }
                _ => {
                    self.now = by_itself;
                    self.happen();
                }
            }
        }
        let trace = std::mem::take(&mut self.trace);
        (trace, self)
    }
}

#[test]
fn whatever_happens_it_keeps_its_promises() {
    let attempts = Cell::new(0);
    let name = "whatever_happens_it_keeps_its_promises";
    let are_many = simulation::play(module_path!(), name, |seed| {
        let (trace, _) = World::new(seed).go();
        let made = trace.iter().filter(|(_, what)| what.starts_with("attempt"));
        attempts.set(attempts.get() + made.count());
    });
    let attempts = attempts.get();
    assert!(
        !are_many || attempts > 10_000,
        "the worlds are not empty: {attempts}"
    );
}

#[test]
fn a_schedule_is_the_same_for_the_same_seed_and_another_one_for_another() {
    let mut differing = 0;
    for seed in 0..1_000 {
        let trace = World::new(seed).go().0;
        assert_eq!(trace, World::new(seed).go().0);
        differing += u32::from(trace != World::new(seed + 1).go().0);
    }
    assert!(differing > 990, "{differing}");
}

fn plain() -> Settings {
    Settings {
        initial_delay: SECOND / 2,
        max_delay: 30 * SECOND,
        jitter: 0.0,
        max_attempts: 0,
        stable_after: 10 * SECOND,
        debounce: SECOND,
        reconnect: true,
    }
}

/// Makes the attempt that is due.
fn attempt(policy: &mut Policy, now: Moment) -> u32 {
    match policy.step(now) {
        Step::Attempt(number, _) => number,
        Step::Wait(until) => panic!("it waits until {until:?} at {now}"),
    }
}

#[test]
fn delays_double_from_the_first_to_the_longest() {
    let mut policy = Policy::new(plain(), 1);
    let mut now = 0;
    policy.start(now);
    let mut delays = Vec::new();
    for number in 1..=9 {
        assert_eq!(attempt(&mut policy, now), number);
        let delay = policy.failed(now).unwrap();
        delays.push(delay / 1_000);
        now += delay;
    }
    assert_eq!(
        delays,
        [
            500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
        ]
    );
}

#[test]
fn chance_uses_the_whole_of_its_range() {
    for part in [0.0, 0.25, 0.5, 1.0] {
        let mut random = Random::new(7);
        let delays: Vec<_> = (0..SEEDS).map(|_| random.shortened(1_000, part)).collect();
        #[allow(clippy::cast_possible_truncation)]
        let least = 1_000 - (1_000.0 * part) as Moment;
        assert_eq!(delays.iter().min(), Some(&least));
        assert_eq!(delays.iter().max(), Some(&1_000));
    }
}

#[test]
fn the_delays_begin_anew_after_a_connection_that_has_lasted_only() {
    let mut policy = Policy::new(plain(), 1);
    policy.start(0);
    attempt(&mut policy, 0);
    policy.failed(0);
    attempt(&mut policy, SECOND);
    policy.connected(SECOND);
    // Not long enough.
    policy.lost(10 * SECOND);
    assert_eq!(policy.due(), Some(11 * SECOND), "the second delay");
    assert_eq!(attempt(&mut policy, 11 * SECOND), 3);
    policy.connected(11 * SECOND);
    assert_eq!(policy.step(12 * SECOND), Step::Wait(Some(21 * SECOND)));
    assert_eq!(policy.attempt(), 3);
    assert_eq!(policy.step(21 * SECOND), Step::Wait(None));
    assert_eq!(policy.attempt(), 0, "told when it is stable");
    policy.lost(30 * SECOND);
    assert_eq!(policy.due(), Some(30 * SECOND + SECOND / 2));
}

#[test]
fn a_network_that_flaps_brings_no_attempt_before_it_has_stayed() {
    let mut policy = Policy::new(plain(), 1);
    policy.network_known(false, 0);
    policy.start(0);
    assert_eq!(policy.state(), State::WaitingForNetwork);
    assert_eq!(policy.step(0), Step::Wait(None));
    let mut now = 0;
    for _ in 0..10 {
        policy.network(true, now);
        assert_eq!(policy.step(now), Step::Wait(Some(now + SECOND)));
        now += SECOND - 1;
        assert_eq!(policy.step(now), Step::Wait(Some(now + 1)));
        policy.network(false, now);
        assert_eq!(policy.step(now + SECOND), Step::Wait(None));
        now += SECOND;
    }
    policy.network(true, now);
    // Said again it begins no second time.
    policy.network(true, now + SECOND / 2);
    assert_eq!(attempt(&mut policy, now + SECOND), 1);
}

#[test]
fn the_first_word_of_a_monitor_counts_at_once_and_its_silence_is_consent() {
    let mut policy = Policy::new(plain(), 1);
    policy.start(0);
    assert_eq!(attempt(&mut policy, 0), 1);
    let mut policy = Policy::new(plain(), 1);
    policy.network_known(false, 0);
    policy.start(0);
    policy.network_known(true, 5);
    assert_eq!(attempt(&mut policy, 5), 1);
}

#[test]
fn who_comes_later_leaves_what_is_due_to_others_for_a_while() {
    let mut policy = Policy::new(plain(), 1);
    policy.start(SECOND);
    assert_eq!(policy.state(), State::Connecting);
    assert_eq!(policy.step(SECOND - 1), Step::Wait(Some(SECOND)));
    assert_eq!(policy.state(), State::Connecting);
    assert_eq!(attempt(&mut policy, SECOND), 1);
}

#[test]
fn at_the_end_of_time_nothing_overflows() {
    let mut policy = Policy::new(
        Settings {
            initial_delay: Moment::MAX,
            max_delay: Moment::MAX,
            debounce: Moment::MAX,
            stable_after: Moment::MAX,
            ..plain()
        },
        1,
    );
    let now = Moment::MAX - 1;
    policy.start(now);
    attempt(&mut policy, now);
    assert!(policy.failed(now).is_some());
    policy.network(false, now);
    policy.network(true, now);
    policy.retry_now(now);
    attempt(&mut policy, now);
    policy.connected(now);
    policy.lost(now);
}
