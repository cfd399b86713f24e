//! The kernel of the simulated operations, and what is known of each of them.

use std::{
    cell::Cell,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
};

use gio::prelude::*;

use crate::{
    home::Notifier,
    reactor::{Engine, Events, Interest, Registration, simulation::looped::Loop},
    simulation::Random,
    transport::{Bare, Transport},
};

#[derive(Default)]
pub(super) struct Counts {
    pub(super) moved: Cell<usize>,
    pub(super) cancelled: Cell<usize>,
    pub(super) timed_out: Cell<usize>,
    pub(super) closed: Cell<usize>,
    pub(super) dropped: Cell<usize>,
    pub(super) between: Cell<usize>,
}

pub(super) fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Moved,
    Cancelled,
    TimedOut,
    Closed,
}

/// What is known of an operation.
struct Known {
    transport: Arc<Transport>,
    interest: Interest,
    deadline: Option<i64>,
    not_before: Option<i64>,
    cancellable: Option<gio::Cancellable>,
    moved: Option<usize>,
    given_up: bool,
    dropped: bool,
    ended: Option<Ended>,
    /// Its reply was dropped, which is an answer too.
    is_not_answered: bool,
    answered: bool,
}

impl Known {
    fn is_pending(&self) -> bool {
        self.ended.is_none() && !self.dropped
    }
}

#[derive(Default)]
pub(super) struct World {
    pub(super) transport: Option<Arc<Transport>>,
    /// The other end, which does nothing.
    peer: Option<UnixStream>,
    /// What can be read, and for how much there is room.
    there: [usize; 2],
    edge: [bool; 2],
    /// The registration that was told last; one that is new is told how things are.
    told: Option<Arc<Registration>>,
    operations: Vec<Known>,
}

fn at(interest: Interest) -> usize {
    match interest {
        Interest::Read => 0,
        Interest::Write => 1,
    }
}

impl World {
    pub(super) fn transport(&mut self) -> Arc<Transport> {
        if let Some(transport) = &self.transport {
            return transport.clone();
        }
        let (ours, peer) = UnixStream::pair().expect("two descriptors");
        let bare = Bare::new(OwnedFd::from(ours)).expect("a socket");
        let transport = Transport::of_bare(bare, &Notifier::new());
        self.peer = Some(peer);
        self.transport = Some(transport.clone());
        transport
    }

    pub(super) fn known_transport(&self) -> Option<Arc<Transport>> {
        self.transport.clone()
    }

    // --- The kernel ----------------------------------------------------------------------------

    pub(super) fn arrive(&mut self, interest: Interest, amount: usize) {
        if self.transport.is_some() {
            self.there[at(interest)] += amount;
            self.edge[at(interest)] = true;
        }
    }

    pub(super) fn forget_kernel(&mut self) {
        self.there = [0; 2];
        self.edge = [false; 2];
        self.told = None;
    }

    fn is_new(&self, registration: &Arc<Registration>) -> bool {
        let is_it = |told: &Arc<Registration>| Arc::ptr_eq(told, registration);
        !self.told.as_ref().is_some_and(is_it)
    }

    pub(super) fn has_edges(&self, engine: &Arc<Engine>) -> bool {
        let known = self.transport.as_ref();
        let known = known.and_then(|transport| transport.known_registration(engine));
        known.is_some_and(|known| self.edge != [false; 2] || self.is_new(&known))
    }

    /// What is to be reported.
    pub(super) fn edges(&mut self, registration: &Arc<Registration>) -> Option<Events> {
        if self.is_new(registration) {
            self.told = Some(registration.clone());
            self.edge = self.there.map(|there| there > 0);
        }
        let edge = std::mem::take(&mut self.edge);
        match edge {
            [false, false] => None,
            [true, false] => Some(Events::IN),
            [false, true] => Some(Events::OUT),
            [true, true] => Some(Events::IN.or(Events::OUT)),
        }
    }

    pub(super) fn take(&mut self, index: usize, interest: Interest, asked: usize) -> usize {
        let there = &mut self.there[at(interest)];
        let moved = asked.min(*there);
        *there -= moved;
        if moved > 0 {
            self.operations[index].moved = Some(moved);
        }
        moved
    }

    // --- Operations ----------------------------------------------------------------------------

    pub(super) fn begin(
        &mut self,
        transport: &Arc<Transport>,
        interest: Interest,
        deadline: Option<i64>,
        not_before: Option<i64>,
        cancellable: &Option<gio::Cancellable>,
    ) -> usize {
        self.operations.push(Known {
            transport: transport.clone(),
            interest,
            deadline,
            not_before,
            cancellable: cancellable.clone(),
            moved: None,
            given_up: false,
            dropped: false,
            ended: None,
            is_not_answered: false,
            answered: false,
        });
        self.operations.len() - 1
    }

    pub(super) fn is_pending(&self, index: usize) -> bool {
        self.operations[index].is_pending()
    }

    pub(super) fn count(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn pending(&self) -> usize {
        let pending = self.operations.iter().rev().take(200);
        pending.filter(|known| known.is_pending()).count()
    }

    pub(super) fn any_pending(&self, random: &Random) -> Option<usize> {
        let newest = self.operations.len().checked_sub(1)?;
        let index = newest.checked_sub(random.below(24))?;
        self.operations[index].is_pending().then_some(index)
    }

    pub(super) fn cancellable(&self, index: usize) -> Option<gio::Cancellable> {
        self.operations[index].cancellable.clone()
    }

    pub(super) fn attempted(&self, index: usize) {
        let known = &self.operations[index];
        assert!(
            known.is_pending() && !known.given_up && known.moved.is_none(),
            "{index} is tried, and has ended"
        );
    }

    pub(super) fn given_up(&mut self, index: usize) {
        let known = &mut self.operations[index];
        assert!(!known.given_up, "{index} is given up twice");
        assert_eq!(known.moved, None, "{index} is given up with what it has");
        known.given_up = true;
    }

    pub(super) fn is_dropped(&mut self, index: usize) {
        self.operations[index].dropped = true;
    }

    pub(super) fn assert_given_up(&self, index: usize) {
        let known = &self.operations[index];
        assert!(known.given_up, "{index} is dropped and not given up");
    }

    pub(super) fn ended(&mut self, index: usize, result: &Result<usize, glib::Error>) -> Ended {
        let known = &mut self.operations[index];
        assert!(known.is_pending(), "{index} ends twice");
        let ended = match result {
            Ok(moved) => {
                assert_eq!(known.moved, Some(*moved), "{index} answers something else");
                Ended::Moved
            }
            Err(failure) => {
                assert_eq!(known.moved, None, "{index} throws away what it has");
                match failure.kind::<gio::IOErrorEnum>() {
                    Some(gio::IOErrorEnum::Cancelled) => {
                        let cancellable = known.cancellable.as_ref();
                        let is_cancelled = cancellable.is_some_and(CancellableExt::is_cancelled);
                        assert!(is_cancelled, "{index} says that it was cancelled");
                        assert!(known.given_up, "{index} is cancelled and not given up");
                        Ended::Cancelled
                    }
                    Some(gio::IOErrorEnum::TimedOut) => {
                        let is_late = known.deadline.is_some_and(|at| Loop::now() >= at);
                        assert!(is_late, "{index} says that its time is over");
                        Ended::TimedOut
                    }
                    Some(gio::IOErrorEnum::Closed) => {
                        assert!(
                            known.transport.is_closed(),
                            "{index} says that it is closed"
                        );
                        Ended::Closed
                    }
                    _ => panic!("{index} ends with {failure:?}"),
                }
            }
        };
        known.ended = Some(ended);
        ended
    }

    pub(super) fn is_not_answered(&mut self, index: usize) {
        self.operations[index].is_not_answered = true;
    }

    pub(super) fn answered(&mut self, index: usize, outcome: Result<usize, glib::Error>) {
        let known = &mut self.operations[index];
        assert!(!known.answered, "{index} is answered twice");
        known.answered = true;
        assert!(known.ended.is_some(), "{index} is answered before its end");
        match outcome {
            Ok(moved) => assert_eq!(known.moved, Some(moved), "{index} has another answer"),
            Err(failure) if failure.matches(gio::IOErrorEnum::Failed) => {
                assert!(known.is_not_answered, "{index} has lost its answer");
            }
            Err(_) => assert_ne!(
                known.ended,
                Some(Ended::Moved),
                "{index} has lost its bytes"
            ),
        }
    }

    // --- What must be true ---------------------------------------------------------------------

    pub(super) fn assert_nobody_waits_in_vain(&self) {
        for (index, known) in self.operations.iter().enumerate() {
            if known.dropped {
                continue;
            }
            if known.ended.is_some() {
                assert!(known.answered, "{index} has ended and nobody is told");
                continue;
            }
            let now = Loop::now();
            let cancellable = known.cancellable.as_ref();
            let is_cancelled = cancellable.is_some_and(CancellableExt::is_cancelled);
            assert!(!is_cancelled, "{index} is cancelled and waits");
            let is_late = known.deadline.is_some_and(|at| now >= at);
            assert!(!is_late, "{index} waits after its time");
            assert!(!known.transport.is_closed(), "{index} is closed and waits");
            let waits = known.not_before.is_some_and(|at| now < at);
            let is_there = self.there[at(known.interest)] > 0;
            assert!(waits || !is_there, "{index} waits for what is there");
        }
    }

    pub(super) fn assert_none_is_left(&self) {
        let left = self.operations.iter().position(Known::is_pending);
        assert_eq!(left, None, "all were cancelled or closed");
        let registration = self.told.as_ref();
        let wanted = registration.map_or(Events::NONE, |told| told.still_wanted());
        assert_eq!(wanted, Events::NONE, "a place is left");
    }

    pub(super) fn assert_over(&self) {
        for (index, known) in self.operations.iter().enumerate() {
            let is_over = known.ended.is_some() || known.given_up;
            assert!(is_over, "{index} has neither ended nor was it given up");
        }
    }
}
