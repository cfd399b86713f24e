//! What is told at home, and in which order.

use gio::prelude::*;

use super::{ReconnectorState as State, policy::Moment};
use crate::vfunc::Owned;

/// A notification or a signal that is to be emitted.
pub(super) enum Tell {
    Notify(&'static str),
    Attempt(u32),
    /// Its number, why, and the milliseconds to the next one.
    AttemptFailed(u32, glib::Error, u32),
    Connected(Owned<gio::IOStream>),
    Disconnected(Option<glib::Error>),
    GivenUp(glib::Error),
}

impl Tell {
    /// No lock may be held by the caller.
    pub(super) fn emit(self, object: &glib::Object) {
        match self {
            Self::Notify(property) => object.notify(property),
            Self::Attempt(number) => object.emit_by_name::<()>("attempt", &[&number]),
            Self::AttemptFailed(number, failure, delay) => {
                object.emit_by_name::<()>("attempt-failed", &[&number, &failure, &delay]);
            }
            Self::Connected(stream) => object.emit_by_name::<()>("connected", &[stream.get()]),
            Self::Disconnected(failure) => object.emit_by_name::<()>("disconnected", &[&failure]),
            Self::GivenUp(failure) => object.emit_by_name::<()>("given-up", &[&failure]),
        }
    }
}

/// What was told last of the properties that follow the policy.
pub(super) struct Shown {
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) due: Option<Moment>,
    pub(super) last_error: Option<glib::Error>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            state: State::Stopped,
            attempt: 0,
            due: None,
            last_error: None,
        }
    }
}

impl Shown {
    /// The properties that are other than before.
    pub(super) fn differences(&self, before: &Self) -> impl Iterator<Item = &'static str> + use<> {
        let is_same_error = match (&self.last_error, &before.last_error) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                one.domain() == other.domain()
                    && one.code() == other.code()
                    && one.message() == other.message()
            }
            _ => false,
        };
        [
            ("last-error", !is_same_error),
            ("attempt", self.attempt != before.attempt),
            ("next-attempt-in-ms", self.due != before.due),
            ("state", self.state != before.state),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
    }
}
