//! How what has happened is told.

use std::{collections::VecDeque, mem};

use super::{
    shared::{Inner, Shared},
    tell::{Shown, Tell},
};
use crate::{home::WeakObject, reactor::wake};

impl Shared {
    /// Something has changed: tells it where that may be, and has everybody look.
    pub(super) fn told(&self) {
        self.deliver();
        let (task, waiters) = {
            let mut inner = self.inner();
            (inner.task.take(), mem::take(&mut inner.waiters))
        };
        task.into_iter().for_each(wake);
        waiters.into_iter().for_each(|(_, waker)| wake(waker));
    }

    /// Tells what is to be told, in order, at home. A handler that has more to be told leaves it to the one that
    /// has called it.
    pub(super) fn deliver(&self) {
        if !self.home.is_here() || mem::replace(&mut self.inner().is_delivering, true) {
            return;
        }
        let _delivering = Delivering(self);
        loop {
            let tell = {
                let mut inner = self.inner();
                let tell = inner.tells.pop_front();
                match &tell {
                    Some(Tell::Connected(_)) => inner.is_told_connected = true,
                    Some(Tell::Disconnected(_)) => inner.is_told_connected = false,
                    _ => {}
                }
                tell
            };
            let Some(tell) = tell else {
                return;
            };
            let object = self.object().as_ref().and_then(WeakObject::get);
            if let Some(object) = object {
                tell.emit(&object);
            }
        }
    }
    /// Whether there is something to tell that this thread could.
    pub(super) fn has_news(&self) -> bool {
        let inner = self.inner();
        self.home.is_here() && !inner.is_delivering && !inner.tells.is_empty()
    }
}

/// While it lives somebody is telling.
struct Delivering<'a>(&'a Shared);

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        self.0.inner().is_delivering = false;
    }
}

impl Inner {
    /// Has what is different from what was told last told.
    pub(super) fn show(&mut self) {
        let now = Shown {
            state: self.policy.state(),
            attempt: self.policy.attempt(),
            due: self.policy.due(),
            last_error: self.last_error.clone(),
        };
        let before = mem::replace(&mut self.shown, now);
        let notifies = self.shown.differences(&before);
        self.tells.extend(notifies.map(Tell::Notify));
    }

    /// Of what has been before a stop, properties only are told. Answers the rest, to be dropped without the lock.
    pub(super) fn forget_signals(&mut self) -> VecDeque<Tell> {
        let (told, untold) = mem::take(&mut self.tells)
            .into_iter()
            .partition(|tell| matches!(tell, Tell::Notify(_)));
        self.tells = told;
        untold
    }

    /// The connection is given up. Who has not heard of it yet need not: answers what he would have, to be dropped without
    /// the lock.
    pub(super) fn tell_hang_up(&mut self) -> Option<Tell> {
        let is_of_it = |tell: &Tell| matches!(tell, Tell::Connected(_) | Tell::Disconnected(_));
        let last = self.tells.iter().rposition(is_of_it);
        match last.and_then(|at| self.tells.get(at)) {
            Some(Tell::Connected(_)) => return last.and_then(|at| self.tells.remove(at)),
            Some(_) => {}
            None if self.is_told_connected => self.tells.push_back(Tell::Disconnected(None)),
            None => {}
        }
        None
    }
}
