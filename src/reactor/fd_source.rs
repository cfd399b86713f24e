//! The portable back end: a `GSource` for each descriptor, in the place of a poller.
//!
//! `poll(2)` goes on reporting what is there, so that a source asks for what somebody waits for and for
//! nothing else. An error and a hang-up are reported unasked: after one of them the source looks away until
//! somebody waits again. It reports while its context looks at its sources, before all others, and is
//! never due itself: whoever is woken has his turn in the same iteration, at his own priority.

#![allow(unsafe_code, reason = "a descriptor that the context polls")]

use std::{
    fmt,
    os::fd::RawFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    collector::FIRST,
    engine::Engine,
    events::Events,
    polled::Polled,
    registration::Registration,
    source::{Due, Handler, Source},
    turn::Turn,
};

pub(super) struct FdSource {
    source: Source,
    asked: Arc<Mutex<Asked>>,
}

/// What the descriptor is to be asked for at the next wait of the context.
#[derive(Clone, Copy, Debug)]
struct Asked {
    events: Events,
    /// Nothing at all, not even what is reported unasked.
    away: bool,
}

impl FdSource {
    /// Watches the descriptor of `registration` for its engine. Not attached yet.
    pub(super) fn new(engine: &Arc<Engine>, registration: &Arc<Registration>) -> Self {
        let asked = Arc::new(Mutex::new(Asked {
            events: if registration.watches() {
                Events::GONE
            } else {
                Events::NONE
            },
            away: false,
        }));
        let reporter = Arc::new(Reporter {
            engine: Arc::downgrade(engine),
            registration: Arc::downgrade(registration),
            asked: asked.clone(),
            fd: registration.fd,
            polled: Polled::new(),
        });
        let source =
            Source::with_handler(FIRST.into(), reporter, Box::new(())).named(c"gsock descriptor");
        Self { source, asked }
    }

    pub(super) fn attach(&self, context: &glib::MainContext) {
        self.source.attach(context);
    }

    /// From the next wait of the context on.
    pub(super) fn want(&self, events: Events) {
        let mut asked = lock(&self.asked);
        asked.events = asked.events.or(events);
        asked.away = false;
    }

    pub(super) fn destroy(&self) {
        self.source.destroy();
    }
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    // Plain data: a panic while it was held left nothing half done.
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reporter {
    engine: Weak<Engine>,
    registration: Weak<Registration>,
    fd: RawFd,
    asked: Arc<Mutex<Asked>>,
    polled: Polled,
}

impl Handler for Reporter {
    fn prepare(&self, source: &Source) -> Due {
        let asked = *lock(&self.asked);
        let asked = (!asked.away).then_some((self.fd, asked.events));
        // SAFETY: called in `prepare`.
        unsafe { self.polled.ask(source, asked) };
        Due::NotYet
    }

    fn check(&self, _source: &Source) -> bool {
        // SAFETY: called in `check`.
        let events = unsafe { self.polled.take() };
        let (Some(engine), Some(registration)) =
            (self.engine.upgrade(), self.registration.upgrade())
        else {
            return false;
        };
        if events == Events::NONE || registration.is_ended() {
            return false;
        }
        // In a turn, so that whoever is woken has his place before what was spawned meanwhile.
        let turn = Turn::enter(&engine);
        engine.report(&registration, events);
        drop(turn);
        let mut asked = lock(&self.asked);
        if events.has(Events::IN.or(Events::OUT).or(Events::PEER_HANGUP))
            && !events.has(Events::HANGUP.or(Events::ERROR))
        {
            // What was reported is asked for again when somebody waits for it again.
            let told = Events::IN.or(Events::OUT);
            let seen = if events.has(Events::PEER_HANGUP) {
                told.or(Events::PEER_HANGUP)
            } else {
                told
            };
            asked.events = asked.events.without(seen).or(registration.wanted());
        } else {
            // Reported without being asked for, and without an end.
            *asked = Asked {
                events: registration.wanted(),
                away: registration.wanted() == Events::NONE,
            };
        }
        false
    }

    fn dispatch(&self, _source: &Source) -> bool {
        true
    }
}

impl fmt::Debug for FdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FdSource")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}
