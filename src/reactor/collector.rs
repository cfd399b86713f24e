//! An engine's eyes in its context: the source that looks at the poller and the clock.
//!
//! It comes before every other source, and is never due itself: what it finds it tells while the context looks
//! at its sources. Whoever is woken by that, in a lane, in a pollable source or in somebody else's executor, has his
//! turn in the same iteration, at his own priority.

#![allow(unsafe_code, reason = "a descriptor that the context polls")]

use std::sync::{Arc, atomic::Ordering};

use super::{
    engine::Engine,
    events::Events,
    poll_function,
    polled::Polled,
    source::{Due, Handler, Source},
    timers::milliseconds_to,
    turn::Turn,
    wait::earlier,
};

/// Before every other source.
pub(super) const FIRST: i32 = i32::MIN;

pub(super) fn source(engine: &Arc<Engine>) -> Source {
    let handler = Arc::new(Collector {
        engine: engine.clone(),
        poller: Polled::new(),
    });
    let guard = Box::new(Guard(engine.clone()));
    Source::with_handler(FIRST.into(), handler, guard).named(c"gsock engine")
}

/// Ends the engine when its source is destroyed: with the context.
struct Guard(Arc<Engine>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Collector {
    engine: Arc<Engine>,
    poller: Polled,
}

impl Collector {
    /// Has the context poll the poller.
    fn host_poller(&self, source: &Source) {
        let number = self.engine.core.poller.number();
        let asked = (number >= 0).then_some((number, Events::IN));
        // SAFETY: called in `prepare`.
        unsafe { self.poller.ask(source, asked) };
        self.engine.hosted.store(number, Ordering::Release);
    }
}

impl Handler for Collector {
    fn prepare(&self, source: &Source) -> Due {
        let Some(turn) = Turn::enter(&self.engine) else {
            return Due::NotYet;
        };
        self.engine.look_at_birthplace();
        turn.take_in();
        // An iteration that was given up after its wait has left it.
        if self.engine.core.poller.has_kept() {
            turn.look();
        }
        self.host_poller(source);
        turn.fire();
        let look = self.engine.lent.look(&self.engine, source);
        poll_function::is_about_to_wait(&self.engine);
        match earlier(self.engine.core.next_moment(), look) {
            None => Due::NotYet,
            // The clock has moved on since: it comes in a moment.
            Some(moment) => Due::In(milliseconds_to(moment, source.time())),
        }
    }

    fn check(&self, _source: &Source) -> bool {
        if let Some(turn) = Turn::enter(&self.engine) {
            turn.take_in();
            // SAFETY: called in `check`.
            if unsafe { self.poller.take() } != Events::NONE {
                turn.look();
            }
            turn.fire();
        }
        false
    }

    fn dispatch(&self, _source: &Source) -> bool {
        true
    }
}
