//! Accepting: one who takes connections, in whichever form.

use std::{
    fmt, iter, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{
    limits::{Admission, Ticket},
    listening::{Accepted, Listening, Look},
    sockets::{Seen, Sockets},
};
use crate::{
    error,
    reactor::{
        CancelWatch, Engine, Interest, Registration, Wait, block_on_any, blocking_waker, earlier,
    },
};

/// How often one who blocks looks whether somebody has closed a socket of his without a word: the kernel keeps it, and it goes
/// on listening, for as long as a thread waits for it.
const GLANCE: i64 = 1_000_000;

/// Takes connections from the sockets of a listener, one with each answer.
///
/// It is a plain state machine that may be polled again after each answer. accept(2) is called while somebody polls
/// it, and for him: dropped or cancelled, it leaves every connection in the queues of the kernel. It keeps the
/// sockets, not the listener.
pub(crate) struct Accept {
    sockets: Arc<Sockets>,
    cancel: Option<CancelWatch>,
    seen: Seen,
    /// How the engine of the last poll watches them, in the order of `seen`.
    places: Vec<Place>,
    engine: Option<Arc<Engine>>,
    /// It was there before the listener was closed.
    is_begun: bool,
    /// When it has begun to wait, while it waits for an answer.
    waits_since: Option<i64>,
    timer: Wait,
    id: u64,
    waits_for_change: bool,
    /// Sockets that do not listen are told once.
    passes_over_broken: bool,
}

struct Place {
    registration: Option<Arc<Registration>>,
    wait: Wait,
}

/// So many connections are refused in one go.
const REFUSED_AT_ONCE: usize = 64;

/// What a round through the sockets has come to.
enum Round {
    Done(Result<Accepted, glib::Error>),
    Nothing(Gate),
    /// There may be something, after others have had their turn.
    Again,
    /// There are other sockets now.
    Changed,
}

/// Whether sockets are to be looked at when they are ready.
#[derive(Clone, Copy)]
enum Gate {
    Open,
    /// There is no room for one more.
    Full,
    /// There is, from then on.
    ShutUntil(i64),
}

impl Accept {
    pub(super) fn new(sockets: &Arc<Sockets>, cancellable: Option<&gio::Cancellable>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let seen = sockets.see();
        Self {
            sockets: sockets.clone(),
            cancel: cancellable.map(CancelWatch::new),
            is_begun: !seen.is_closed,
            seen,
            places: Vec::new(),
            engine: None,
            waits_since: None,
            timer: Wait::new(),
            id: LAST.fetch_add(1, Ordering::Relaxed),
            waits_for_change: false,
            passes_over_broken: false,
        }
    }

    /// For who goes on for good: a socket that does not listen is told once, and passed over from then on.
    pub(crate) fn passing_over_broken(mut self) -> Self {
        self.passes_over_broken = true;
        for listening in self.seen.all.iter() {
            listening.give_another_chance();
        }
        self
    }

    /// Waits by blocking the thread.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` where there is nothing to wait for, and otherwise as of [`poll`](Self::poll).
    pub(super) fn block(&mut self) -> Result<Accepted, glib::Error> {
        if !self.seen.is_closed && self.seen.all.is_empty() {
            return Err(error::invalid("The listener has no sockets to accept from"));
        }
        loop {
            if let Some(failure) = self.obstacle() {
                return Err(failure);
            }
            let gate = match self.round() {
                Round::Done(result) => return result,
                Round::Again | Round::Changed => continue,
                Round::Nothing(gate) => gate,
            };
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| glib::monotonic_time() >= deadline) {
                return Err(error::timed_out());
            }
            self.wait_blocking(gate, deadline)?;
        }
    }

    fn wait_blocking(&mut self, gate: Gate, deadline: Option<i64>) -> Result<(), glib::Error> {
        // Where there is none the wait looks often by itself.
        if let Some(waker) = blocking_waker() {
            self.waits_for_change = true;
            if self.sockets.wait(self.id, &self.seen, &waker) {
                return Ok(());
            }
        }
        let cancellable = self.cancel.as_ref().map(CancelWatch::cancellable);
        match gate {
            Gate::Open => {}
            Gate::Full if self.sockets.limits.has_room() => return Ok(()),
            Gate::Full => return block_on_any(iter::empty(), deadline, cancellable),
            Gate::ShutUntil(moment) => {
                let until = earlier(deadline, Some(moment));
                return block_on_any(iter::empty(), until, cancellable);
            }
        }
        // Nobody else gets their numbers while they are used.
        let uses: Vec<_> = self
            .seen
            .all
            .iter()
            .filter_map(|listening| listening.transport().enter().ok())
            .collect();
        if uses.is_empty() && !self.seen.all.is_empty() {
            // Closed meanwhile: the next look says so.
            return Ok(());
        }
        let fds = uses
            .iter()
            .map(|using| (using.fd(), Interest::Read.events()));
        let glance = self
            .seen
            .all
            .iter()
            .any(|listening| listening.is_given())
            .then(|| glib::monotonic_time().saturating_add(GLANCE));
        block_on_any(fds, earlier(deadline, glance), cancellable)
    }

    /// What came of it, once there is a connection or something has failed. It may be asked again after that.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Accepted, glib::Error>> {
        let engine = Engine::current();
        loop {
            if let Some(failure) = self.obstacle() {
                return self.end(Err(failure));
            }
            self.follow(&engine);
            let gate = match self.round() {
                Round::Done(result) => return self.end(result),
                Round::Again => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Round::Changed => continue,
                Round::Nothing(gate) => gate,
            };
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| glib::monotonic_time() >= deadline) {
                return self.end(Err(error::timed_out()));
            }
            if self.arm(&engine, gate, deadline, cx.waker()) {
                continue;
            }
            // Cancelled while the watch was being set up: nobody may wake us any more.
            if self.is_cancelled() {
                return self.end(Err(error::cancelled()));
            }
            return Poll::Pending;
        }
    }

    /// For who leaves it alone for a while, and does not want to miss a close meanwhile. The next poll takes it back.
    pub(super) fn wake_at_a_change(&mut self, waker: &Waker) {
        self.waits_for_change = true;
        loop {
            if self.obstacle().is_some() {
                return waker.wake_by_ref();
            }
            if !self.sockets.wait(self.id, &self.seen, waker) {
                return;
            }
        }
    }

    fn end(
        &mut self,
        result: Result<Accepted, glib::Error>,
    ) -> Poll<Result<Accepted, glib::Error>> {
        self.stop_waiting();
        Poll::Ready(result)
    }

    fn stop_waiting(&mut self) {
        self.waits_since = None;
        self.timer.end();
        for place in &mut self.places {
            place.wait.end();
        }
        if mem::take(&mut self.waits_for_change) {
            self.sockets.stop_waiting(self.id);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelWatch::is_cancelled)
    }

    /// Why there is no point in going on. It is looked at before a connection is taken, never after that.
    fn obstacle(&mut self) -> Option<glib::Error> {
        if !self.sockets.is_as(&self.seen) {
            self.seen = self.sockets.see();
            self.places.clear();
        }
        if self.seen.is_closed {
            return Some(if self.is_begun {
                error::closed()
            } else {
                error::listener_closed()
            });
        }
        self.is_cancelled().then(error::cancelled)
    }

    fn is_passed_over(&self, listening: &Listening) -> bool {
        self.passes_over_broken && listening.is_broken()
    }

    /// Forgets what is of no use here and now.
    fn follow(&mut self, engine: &Arc<Engine>) {
        if !self
            .engine
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, engine))
        {
            self.places.clear();
            self.engine = Some(engine.clone());
        }
        if self.places.len() != self.seen.all.len() {
            self.places = self
                .seen
                .all
                .iter()
                .map(|listening| Place {
                    registration: listening.transport().known_registration(engine),
                    wait: Wait::new(),
                })
                .collect();
        }
    }

    /// Looks at each socket that may have a connection, until one has.
    fn round(&self) -> Round {
        let ticket = match self.sockets.limits.admit() {
            Admission::Granted(ticket) => ticket,
            Admission::Full => return Round::Nothing(Gate::Full),
            Admission::NotBefore(moment) => return Round::Nothing(Gate::ShutUntil(moment)),
        };
        let (round, unused) = self.round_with(ticket);
        if unused.is_some_and(Ticket::give_back) {
            self.sockets.wake_all();
        }
        round
    }

    /// Likewise with the right to take one, which comes back if it was not used.
    fn round_with<'a>(&self, mut ticket: Ticket<'a>) -> (Round, Option<Ticket<'a>>) {
        let mut closed = None;
        let mut is_any_open = self.seen.all.is_empty();
        let mut again = false;
        for at in self.sockets.order(self.seen.all.len()) {
            let listening = &self.seen.all[at];
            if self.is_passed_over(listening) {
                is_any_open = true;
                continue;
            }
            let registration = self
                .places
                .get(at)
                .and_then(|place| place.registration.as_ref())
                .filter(|registration| !registration.is_ended());
            let seen = registration.map(|registration| registration.look());
            if seen.is_some_and(|seen| !seen.is_ready(Interest::Read)) {
                is_any_open = true;
                continue;
            }
            let mut look = listening.look();
            let mut refused = 0;
            while let Look::Taken(accepted) = look {
                self.sockets.served(at);
                match self.sockets.let_in(accepted, ticket) {
                    Ok(accepted) => return (Round::Done(Ok(accepted)), None),
                    Err(unused) => ticket = unused,
                }
                refused += 1;
                look = if refused < REFUSED_AT_ONCE {
                    listening.look()
                } else {
                    Look::Again
                };
            }
            match look {
                // None is left of these.
                Look::Taken(_) => {}
                Look::Failed(failure) => {
                    self.sockets.served(at);
                    return (Round::Done(Err(failure)), Some(ticket));
                }
                Look::Empty => {
                    is_any_open = true;
                    if let (Some(registration), Some(seen)) = (registration, seen) {
                        registration.used_up(Interest::Read, seen);
                    }
                }
                Look::Again => {
                    is_any_open = true;
                    again = true;
                }
                Look::Closed(failure) => {
                    // Whoever has closed it has told nobody: what its number says now is somebody else's. One that is
                    // the parent process' is open.
                    if listening.transport().is_closed() {
                        listening.close();
                    }
                    closed = Some(failure);
                }
            }
        }
        let round = match closed {
            // They were taken out of the set, and then closed.
            Some(_) if !self.sockets.is_as(&self.seen) => Round::Changed,
            // Somebody has closed all of them by himself.
            Some(failure) if !is_any_open => {
                if self.passes_over_broken {
                    self.seen
                        .all
                        .iter()
                        .for_each(|listening| listening.give_up());
                }
                Round::Done(Err(failure))
            }
            _ if again => Round::Again,
            _ => Round::Nothing(Gate::Open),
        };
        (round, Some(ticket))
    }

    /// When the first of the sockets that have a timeout runs out of it.
    fn deadline(&mut self) -> Option<i64> {
        let mut shortest = None;
        for listening in self.seen.all.iter() {
            let transport = listening.transport();
            if transport.timeout() != 0 {
                shortest = earlier(shortest, Some(i64::from(transport.timeout()) * 1_000_000));
            }
        }
        let shortest = shortest?;
        let since = *self.waits_since.get_or_insert_with(glib::monotonic_time);
        Some(since.saturating_add(shortest))
    }

    /// Answers whether there is something new already.
    fn arm(
        &mut self,
        engine: &Arc<Engine>,
        gate: Gate,
        deadline: Option<i64>,
        waker: &Waker,
    ) -> bool {
        self.waits_for_change = true;
        if self.sockets.wait(self.id, &self.seen, waker) {
            return true;
        }
        if let Some(cancel) = &mut self.cancel {
            cancel.wake(waker);
        }
        let opens = match gate {
            Gate::ShutUntil(moment) => Some(moment),
            Gate::Open | Gate::Full => None,
        };
        self.timer.until(earlier(deadline, opens), engine, waker);
        if !matches!(gate, Gate::Open) {
            for place in &mut self.places {
                place.wait.end();
            }
            // A place that became free before we were in the list has woken nobody.
            return matches!(gate, Gate::Full) && self.sockets.limits.has_room();
        }
        let passes_over_broken = self.passes_over_broken;
        let mut is_ready = false;
        let mut is_any_watched = self.seen.all.is_empty();
        for (listening, place) in self.seen.all.iter().zip(&mut self.places) {
            if passes_over_broken && listening.is_broken() {
                is_any_watched = true;
                continue;
            }
            if place
                .registration
                .as_ref()
                .is_none_or(|known| known.is_ended())
            {
                // It was looked at just now. One that is closed reports nothing any more.
                place.registration = listening
                    .transport()
                    .registration(engine, Interest::Read)
                    .ok();
            }
            if let Some(registration) = &place.registration {
                is_any_watched = true;
                is_ready |= place
                    .wait
                    .for_descriptor(registration, Interest::Read, waker);
            }
        }
        // All are closed: the next look says so.
        is_ready || !is_any_watched
    }
}

impl Drop for Accept {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
