//! Which address is tried when: RFC 8305 as a state machine over an abstract clock.
//!
//! It does no I/O and knows neither sockets nor resolvers: it is told what has come of a lookup or of an
//! attempt, and asked for the next [`Step`] until that is to wait. What a lookup looks for is not its
//! business: one holds the others up or does not, and its answer may be of any family and of any rank.
//!
//! # Version 3
//!
//! What the coming version of Happy Eyeballs adds fits into that as it is:
//!
//! - A lookup of service parameters (SVCB or HTTPS records) is one more [`Lookup`], [expected](Race::expect) beside those
//!   of AAAA and A as one that holds: addresses wait for it for the resolution delay, and no longer.
//! - Its answer are [`Candidate`]s, by its address hints, or none and further lookups for the targets that it names:
//!   those are expected before it is answered, so that nothing ends in between.
//! - The priority of a record is the candidate's `rank`, and so is that of what else is to be preferred, such as a protocol
//!   of the application or of encryption: lower ranks come first, and within one the families in turn.
//! - What else a record says of an endpoint (a port, ALPN, keys for ECH) is a matter of the address `A`, which is handed
//!   back as it came.

#[cfg(test)]
mod simulation;

/// On the monotonic clock, in microseconds.
pub(super) type Moment = i64;

/// How far an attempt has come, or with what it has failed. The error of the furthest is the one to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Resolving,
    /// An address that cannot be used, such as one of a family that was not asked for.
    Choosing,
    Connecting,
    Proxy,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ipv6,
    Ipv4,
    Other,
}

/// An address that may be tried.
#[derive(Clone, Debug)]
pub(super) struct Candidate<A> {
    pub(super) address: A,
    pub(super) family: Family,
    /// The lowest comes first: the place of its target among those of a service.
    pub(super) rank: u32,
}

/// A lookup that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lookup(pub(super) u32);

/// An attempt that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt(pub(super) u32);

#[derive(Clone, Copy, Debug)]
pub(super) struct Delays {
    /// Between one attempt and the next, while none has failed.
    pub(super) attempt: Moment,
    /// For how long the first answer waits for that of a lookup that holds it up.
    pub(super) resolution: Moment,
    /// More addresses are asked for only when nothing is under way: asking may block.
    pub(super) asks_last: bool,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<A> {
    /// Try this address.
    Start(Attempt, A),
    /// It is connected, and its turn has come: greet the proxy, encrypt.
    Upgrade(Attempt),
    /// Forget this attempt.
    Cancel(Attempt),
    /// Ask for more addresses, by a lookup or otherwise. Not asked again before there is an answer.
    More,
    /// Nothing, until something happens or this moment has come.
    Wait(Option<Moment>),
    Won(Attempt),
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// Waits for its turn, which may be to be upgraded first.
    Connected {
        upgrade: bool,
    },
    Upgrading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Unasked,
    Asked,
    Ended,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Race<A, E> {
    delays: Delays,
    /// And whether they hold the answers of others up.
    lookups: Vec<(Lookup, bool)>,
    held_until: Option<Moment>,
    /// In the order in which they came.
    candidates: Vec<Candidate<A>>,
    last_family: Option<Family>,
    source: Source,
    /// In the order in which they were started, those that are connected in that of their connecting.
    attempts: Vec<(Attempt, Stage)>,
    count: u32,
    /// When the next attempt may begin although the newest one has not come to an end.
    next_at: Option<Moment>,
    newest: Option<Attempt>,
    /// Nothing has begun yet, or something has failed: the next attempt need not wait.
    is_due: bool,
    winner: Option<Attempt>,
    failure: Option<(Phase, E)>,
}

impl<A, E> Race<A, E> {
    pub(super) fn new(delays: Delays) -> Self {
        Self {
            delays,
            lookups: Vec::new(),
            held_until: None,
            candidates: Vec::new(),
            last_family: None,
            source: Source::Unasked,
            attempts: Vec::new(),
            count: 0,
            next_at: None,
            newest: None,
            is_due: true,
            winner: None,
            failure: None,
        }
    }

    // --- What has happened -----------------------------------------------------------------------

    /// A lookup is under way; `holds` if its answer is worth a short wait.
    pub(super) fn expect(&mut self, lookup: Lookup, holds: bool) {
        if self.lookups.is_empty() {
            self.held_until = None;
        }
        self.lookups.push((lookup, holds));
    }

    /// A lookup has ended.
    pub(super) fn answered(
        &mut self,
        lookup: Lookup,
        answer: Result<Vec<Candidate<A>>, E>,
        now: Moment,
    ) {
        self.lookups.retain(|(known, _)| *known != lookup);
        let is_held = self.lookups.iter().any(|(_, holds)| *holds);
        match answer {
            Ok(found) => {
                if is_held && !found.is_empty() && self.held_until.is_none() {
                    self.held_until = Some(now.saturating_add(self.delays.resolution));
                }
                self.candidates.extend(found);
            }
            Err(failure) => self.note(Phase::Resolving, failure),
        }
        if !is_held {
            self.held_until = None;
        }
    }

    /// The answer to [`Step::More`]: an address, or lookups that were [expected](Self::expect).
    pub(super) fn more(&mut self, candidate: Option<Candidate<A>>) {
        self.source = Source::Unasked;
        self.candidates.extend(candidate);
    }

    /// The other answer: there are no more, be it because of an error.
    pub(super) fn no_more(&mut self, failure: Option<E>) {
        self.source = Source::Ended;
        if let Some(failure) = failure {
            self.note(Phase::Resolving, failure);
        }
    }

    /// The attempt has a connection, which is to be upgraded or fit as it is.
    pub(super) fn connected(&mut self, attempt: Attempt, upgrade: bool) {
        self.remove(attempt);
        self.attempts.push((attempt, Stage::Connected { upgrade }));
        // Those that are under way may still be faster than the upgrade; new ones need a reason.
        self.is_due = false;
    }

    /// The connection is fit for use.
    pub(super) fn upgraded(&mut self, attempt: Attempt) {
        self.winner = Some(attempt);
    }

    /// The attempt has come to nothing in this phase.
    pub(super) fn failed(&mut self, attempt: Attempt, phase: Phase, failure: E) {
        self.remove(attempt);
        self.note(phase, failure);
        let has_connection = self
            .attempts
            .iter()
            .any(|(_, stage)| *stage != Stage::Connecting);
        if !has_connection {
            self.is_due = true;
        }
    }

    fn remove(&mut self, attempt: Attempt) {
        self.attempts.retain(|(known, _)| *known != attempt);
        if self.newest == Some(attempt) {
            self.newest = None;
            self.next_at = None;
        }
    }

    /// Of two that came equally far the later one is reported, as GIO does.
    fn note(&mut self, phase: Phase, failure: E) {
        if self.failure.as_ref().is_none_or(|(best, _)| *best <= phase) {
            self.failure = Some((phase, failure));
        }
    }

    /// After [`Step::Lost`]: the error to report; none if there was no address at all.
    pub(super) fn take_failure(&mut self) -> Option<E> {
        self.failure.take().map(|(_, failure)| failure)
    }

    // --- What to do ------------------------------------------------------------------------------

    /// What is to be done now. It is asked again until the answer is to wait, or final.
    pub(super) fn step(&mut self, now: Moment) -> Step<A> {
        if let Some(winner) = self.winner {
            let loser = self
                .attempts
                .iter()
                .map(|(attempt, _)| *attempt)
                .find(|attempt| *attempt != winner);
            let Some(loser) = loser else {
                return Step::Won(winner);
            };
            self.remove(loser);
            return Step::Cancel(loser);
        }
        if let Some(step) = self.next_in_line(now) {
            return step;
        }
        let is_due = self.is_due || self.next_at.is_some_and(|at| at <= now);
        let held = self.held_until.filter(|at| *at > now);
        if is_due {
            if held.is_none()
                && let Some(candidate) = self.pick()
            {
                return self.start(candidate, now);
            }
            if self.may_ask() {
                self.source = Source::Asked;
                return Step::More;
            }
        }
        let is_over = self.attempts.is_empty()
            && self.candidates.is_empty()
            && self.lookups.is_empty()
            && self.source == Source::Ended;
        if is_over {
            return Step::Lost;
        }
        Step::Wait(match (is_due, self.candidates.is_empty()) {
            (true, false) => held,
            (true, true) => None,
            (false, false) => self.next_at,
            (false, true) => self.next_at.filter(|_| self.may_ask()),
        })
    }

    /// Upgrades are made one at a time, in the order of connecting.
    fn next_in_line(&mut self, now: Moment) -> Option<Step<A>> {
        let is_upgrading = self
            .attempts
            .iter()
            .any(|(_, stage)| *stage == Stage::Upgrading);
        if is_upgrading {
            return None;
        }
        let (attempt, stage) = self
            .attempts
            .iter_mut()
            .find(|(_, stage)| matches!(stage, Stage::Connected { .. }))?;
        let attempt = *attempt;
        if *stage == (Stage::Connected { upgrade: true }) {
            *stage = Stage::Upgrading;
            return Some(Step::Upgrade(attempt));
        }
        self.winner = Some(attempt);
        Some(self.step(now))
    }

    fn may_ask(&self) -> bool {
        self.source == Source::Unasked
            && self.candidates.is_empty()
            && self.lookups.is_empty()
            && (!self.delays.asks_last || self.attempts.is_empty())
    }

    fn start(&mut self, candidate: Candidate<A>, now: Moment) -> Step<A> {
        self.count += 1;
        let attempt = Attempt(self.count);
        self.attempts.push((attempt, Stage::Connecting));
        self.newest = Some(attempt);
        self.next_at = Some(now.saturating_add(self.delays.attempt));
        self.is_due = false;
        self.last_family = Some(candidate.family);
        Step::Start(attempt, candidate.address)
    }

    /// The first of the lowest rank, of the other family than the last one if there is one.
    fn pick(&mut self) -> Option<Candidate<A>> {
        let rank = self.candidates.iter().map(|it| it.rank).min()?;
        let wanted = if self.last_family == Some(Family::Ipv6) {
            Family::Ipv4
        } else {
            Family::Ipv6
        };
        let first = |fits: &dyn Fn(&Candidate<A>) -> bool| {
            self.candidates
                .iter()
                .position(|it| it.rank == rank && fits(it))
        };
        let at = first(&|it| it.family == wanted).or_else(|| first(&|_| true))?;
        Some(self.candidates.remove(at))
    }
}
