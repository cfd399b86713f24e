//! How attempts and the whole of it come to their end.

use gio::{SocketClientEvent as Event, prelude::*};

use super::{
    super::{
        race::{Attempt as Number, Phase},
        report,
    },
    Form, Outcome, Run,
    attempt::{Attempt, Negotiation},
    duration,
};
use crate::{error, thread};

impl Run {
    pub(super) fn fail(&mut self, number: Number, phase: Phase, failure: glib::Error) {
        drop(self.take(number, Some(failure.clone())));
        self.race.failed(number, phase, failure);
    }

    pub(super) fn win(&mut self, number: Number) {
        if self.form == Form::Asynchronous && self.is_cancelled() {
            return self.end(Err(error::cancelled()));
        }
        let won = self.take(number, None);
        let outcome = won.map(|won| won.connection).ok_or_else(lost);
        self.end(outcome);
    }

    pub(super) fn lose(&mut self) {
        let failure = self.race.take_failure().unwrap_or_else(|| {
            glib::Error::new(
                gio::IOErrorEnum::NotFound,
                "There is no address to connect to",
            )
        });
        let is_cancelled =
            self.is_cancelled() && (self.is_resolved || self.form == Form::Asynchronous);
        self.end(Err(if is_cancelled {
            error::cancelled()
        } else {
            failure
        }));
    }

    /// What is under way is given up, and the last events are emitted.
    pub(in super::super) fn end(&mut self, outcome: Outcome) {
        self.calls.clear();
        self.source = None;
        self.wait.end();
        for attempt in std::mem::take(&mut self.attempts) {
            self.note_end(&attempt, Some(error::cancelled()));
            attempt.give_up();
        }
        if outcome.is_err() && !self.is_resolved {
            if self.form == Form::Blocking && self.is_resolving {
                self.note_resolved();
            } else {
                self.note_found();
            }
        }
        if let Ok(connection) = &outcome {
            report::keep(connection, std::mem::take(&mut self.report));
        }
        let stream = outcome.as_ref().ok().cloned();
        self.is_complete = true;
        self.emit_later(Event::Complete, stream.map(Cast::upcast));
        self.outcome = Some(outcome);
    }

    /// Takes an attempt out, which has come to its end.
    pub(super) fn take(&mut self, number: Number, failure: Option<glib::Error>) -> Option<Attempt> {
        let at = self
            .attempts
            .iter()
            .position(|attempt| attempt.number == number)?;
        let attempt = self.attempts.remove(at);
        self.note_end(&attempt, failure);
        Some(attempt)
    }

    pub(super) fn note_end(&mut self, attempt: &Attempt, failure: Option<glib::Error>) {
        let end = attempt.connected.unwrap_or_else(glib::monotonic_time);
        let took = duration(end.saturating_sub(attempt.begun));
        if failure.is_none() {
            self.report.connect = took;
        }
        let tried = self.report.attempts.get_mut(attempt.tried);
        if let Some(tried) = tried {
            tried.took = took;
            tried.error = failure;
        }
    }

    pub(super) fn too_late(&self) -> glib::Error {
        let phase = if self.attempts.is_empty() {
            "looking for an address"
        } else if self.is_at(|it| matches!(it, Negotiation::Tls(_))) {
            "on the TLS handshake"
        } else if self.is_at(|it| matches!(it, Negotiation::Proxy)) {
            "on the agreement with a proxy"
        } else {
            "connecting"
        };
        let text = format!("The time for connecting is up: it was spent {phase}");
        glib::Error::new(gio::IOErrorEnum::TimedOut, &text)
    }

    fn is_at(&self, what: fn(&Negotiation) -> bool) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.negotiation.as_ref().is_some_and(what))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Dropped before its end: who has been told of a beginning is told of the end.
        if self.is_resolving && !self.is_complete && self.thread == thread::here() {
            for attempt in std::mem::take(&mut self.attempts) {
                attempt.give_up();
            }
            self.emit(Event::Complete, None);
        }
    }
}

pub(super) fn lost() -> glib::Error {
    error::failed("The connection is lost")
}
