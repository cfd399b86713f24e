//! When to connect: a state machine over an abstract clock.
//!
//! It does no I/O and knows neither objects nor sockets: it is told what has happened, and asked for the next
//! [`Step`] until that is to wait.

mod random;
#[cfg(test)]
mod simulation;

use random::Random;

use super::ReconnectorState as State;
use crate::socket_listener::next_wait;

/// On the monotonic clock, in microseconds.
pub(super) type Moment = i64;

/// What the properties say of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) initial_delay: Moment,
    pub(super) max_delay: Moment,
    /// Which part of a delay is left to chance, from 0 to 1.
    pub(super) jitter: f64,
    /// 0 for no bound.
    pub(super) max_attempts: u32,
    pub(super) stable_after: Moment,
    pub(super) debounce: Moment,
    pub(super) reconnect: bool,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An attempt, its number, and its [`Ticket`]. There is no other one under way.
    Attempt(u32, Ticket),
    /// Nothing, until then or until something happens.
    Wait(Option<Moment>),
}

/// One attempt of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Policy {
    settings: Settings,
    state: State,
    /// Since the last connection that was stable.
    attempt: u32,
    /// How long the last delay was, before chance has shortened it; none since the back-off began anew.
    waited: Option<Moment>,
    /// Of the next attempt.
    due: Moment,
    /// The attempt of `Connecting` has been handed out.
    is_under_way: bool,
    /// The attempt is somebody's express wish: whatever is said of the network.
    is_wished: bool,
    /// Since when there is the connection, until that is stable.
    connected: Option<Moment>,
    /// From when on the network is good for an attempt; none while it is away.
    network: Option<Moment>,
    tickets: u64,
    random: Random,
}

impl Policy {
    /// `seed` is all the chance that there is.
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            state: State::Stopped,
            attempt: 0,
            waited: None,
            due: 0,
            is_under_way: false,
            is_wished: false,
            connected: None,
            network: Some(Moment::MIN),
            tickets: 0,
            random: Random::new(seed),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is under way goes on as it began.
    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    // --- What there is to know -------------------------------------------------------------------

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the next attempt is, if that is known.
    pub(super) fn due(&self) -> Option<Moment> {
        (self.state == State::Delaying).then_some(self.due)
    }

    /// Whether it is this attempt that is under way.
    pub(super) fn is_under_way(&self, ticket: Ticket) -> bool {
        self.state == State::Connecting && self.is_under_way && ticket.0 == self.tickets
    }

    /// The attempt that has led to the connection, while there is one.
    pub(super) fn connected_by(&self) -> Option<Ticket> {
        (self.state == State::Connected).then_some(Ticket(self.tickets))
    }

    // --- What happens ----------------------------------------------------------------------------

    /// Answers whether that is news.
    pub(super) fn start(&mut self, now: Moment) -> bool {
        let is_news = matches!(self.state, State::Stopped | State::GivenUp);
        if is_news {
            self.begin_anew();
            self.aim(now, now);
        }
        is_news
    }

    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
        self.connected = None;
        self.begin_anew();
    }

    /// An attempt now, if there is none. Answers whether a connection has to make room for it.
    pub(super) fn retry_now(&mut self, now: Moment) -> bool {
        let was_connected = self.state == State::Connected;
        match self.state {
            State::Stopped => return false,
            State::Connecting if self.is_under_way => return false,
            State::GivenUp => self.begin_anew(),
            State::Connected => self.settle(now),
            _ => {}
        }
        if self.has_spent_attempts() {
            self.begin_anew();
        }
        self.connected = None;
        self.is_wished = true;
        self.aim(now, now);
        was_connected
    }

    /// What is said of the network.
    pub(super) fn network(&mut self, is_available: bool, now: Moment) {
        self.network = match self.network {
            _ if !is_available => None,
            None => Some(now.saturating_add(self.settings.debounce)),
            known => known,
        };
        if self.is_waiting() {
            self.look(now);
        }
    }

    /// Likewise from somebody else than before, whose first word counts at once.
    pub(super) fn network_known(&mut self, is_available: bool, now: Moment) {
        self.network = is_available.then_some(Moment::MIN);
        if self.is_waiting() {
            self.look(now);
        }
    }

    /// The attempt that is under way has led to a connection.
    pub(super) fn connected(&mut self, now: Moment) {
        self.is_under_way = false;
        self.is_wished = false;
        self.connected = Some(now);
        self.state = State::Connected;
    }

    /// The attempt that is under way has failed. Answers the delay before the next one, none if it was the last.
    pub(super) fn failed(&mut self, now: Moment) -> Option<Moment> {
        self.is_under_way = false;
        self.is_wished = false;
        self.delay(now)
    }

    /// The attempt that is under way, if there is one, was given up, and counts for nothing.
    pub(super) fn abandoned(&mut self, now: Moment) {
        if self.state == State::Connecting && self.is_under_way {
            self.attempt = self.attempt.saturating_sub(1);
            self.aim(now, now);
        }
    }

    /// The connection is no more.
    pub(super) fn lost(&mut self, now: Moment) {
        self.settle(now);
        self.connected = None;
        if self.settings.reconnect {
            self.delay(now);
        } else {
            self.stop();
        }
    }

    /// What is to be done at `now`.
    pub(super) fn step(&mut self, now: Moment) -> Step {
        if matches!(self.state, State::Delaying | State::WaitingForNetwork) {
            self.look(now);
        }
        match self.state {
            State::Connecting if !self.is_under_way && self.due <= now => {
                self.is_under_way = true;
                self.attempt = self.attempt.saturating_add(1);
                self.tickets += 1;
                Step::Attempt(self.attempt, Ticket(self.tickets))
            }
            // Somebody else, for whom it is later already, may make it.
            State::Connecting if !self.is_under_way => Step::Wait(Some(self.due)),
            State::Delaying => Step::Wait(Some(self.due)),
            State::WaitingForNetwork => Step::Wait(self.network),
            State::Connected => {
                self.settle(now);
                Step::Wait(self.stable_from())
            }
            _ => Step::Wait(None),
        }
    }

    // --- How -------------------------------------------------------------------------------------

    fn is_waiting(&self) -> bool {
        match self.state {
            State::Delaying | State::WaitingForNetwork => true,
            State::Connecting => !self.is_under_way,
            _ => false,
        }
    }

    fn begin_anew(&mut self) {
        self.attempt = 0;
        self.waited = None;
        self.is_wished = false;
    }

    fn has_spent_attempts(&self) -> bool {
        let most = self.settings.max_attempts;
        most != 0 && self.attempt >= most
    }

    fn stable_from(&self) -> Option<Moment> {
        self.connected
            .map(|since| since.saturating_add(self.settings.stable_after))
    }

    /// A connection that has been there for long enough is stable, and what it took to get it forgotten.
    fn settle(&mut self, now: Moment) {
        if self.stable_from().is_some_and(|from| from <= now) {
            self.connected = None;
            self.begin_anew();
        }
    }

    /// Answers the delay, none if there is no further attempt.
    fn delay(&mut self, now: Moment) -> Option<Moment> {
        if self.has_spent_attempts() {
            self.state = State::GivenUp;
            return None;
        }
        let Settings {
            initial_delay,
            max_delay,
            jitter,
            ..
        } = self.settings;
        let whole = next_wait(self.waited, initial_delay, max_delay);
        self.waited = Some(whole);
        let delay = self.random.shortened(whole, jitter);
        self.aim(now.saturating_add(delay), now);
        Some(delay)
    }

    /// The next attempt is due then.
    fn aim(&mut self, due: Moment, now: Moment) {
        self.due = due;
        self.is_under_way = false;
        self.state = State::Delaying;
        self.look(now);
    }

    /// Whether the time has come for an attempt.
    fn look(&mut self, now: Moment) {
        let was_away = self.state == State::WaitingForNetwork;
        self.state = if self.is_wished {
            State::Connecting
        } else if self.network.is_none_or(|from| from > now) {
            State::WaitingForNetwork
        } else if was_away || self.due <= now {
            // What has failed without a network may go well with one.
            self.due = self.due.min(now);
            State::Connecting
        } else {
            State::Delaying
        };
    }
}
