//! How what has happened is told.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Weak},
};

use super::{
    shared::{Inner, Shared},
    tell::{Shown, Tell},
};
use crate::{home::WeakObject, reactor::wake};

impl Shared {
    /// Something has changed: tells it where that may be, and has everybody look.
    pub(super) fn told(&self) {
        self.deliver();
        self.wake_everybody();
    }

    pub(super) fn wake_everybody(&self) {
        let (task, waiters) = {
            let mut inner = self.inner();
            (inner.task.take(), mem::take(&mut inner.waiters))
        };
        task.into_iter().for_each(wake);
        waiters.into_iter().for_each(|(_, waker)| wake(waker));
    }

    /// Tells what is to be told, at home; soon, where the task is at it.
    pub(super) fn deliver(&self) {
        if !self.home.is_here() {
            return;
        }
        if self.inner().is_in_task {
            self.tell_soon();
        } else {
            self.tell();
        }
    }

    /// Has it told outside of the task: a handler may run a loop until the task has achieved something.
    fn tell_soon(&self) {
        {
            let mut inner = self.inner();
            let is_of_use = !inner.tells.is_empty() && !inner.is_delivering;
            if !is_of_use || mem::replace(&mut inner.has_teller, true) {
                return;
            }
        }
        let teller = Teller(self.this.clone());
        self.home.engine.at(None, move || {
            let shared = teller.0.upgrade();
            drop(teller);
            if let Some(shared) = shared {
                shared.tell();
                shared.wake_everybody();
            }
        });
    }

    /// In order. A handler that has more to be told leaves it to the one that has called it.
    fn tell(&self) {
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

    /// From now on the task is at it, for as long as the result lives.
    pub(super) fn enter_task(self: &Arc<Self>) -> InTask {
        self.inner().is_in_task = self.home.is_here();
        InTask(self.clone())
    }

    /// Whether there is something to tell that this thread could.
    pub(super) fn has_news(&self) -> bool {
        let inner = self.inner();
        self.home.is_here() && !inner.is_delivering && !inner.tells.is_empty()
    }
}

/// Somebody who is on his way to tell.
struct Teller(Weak<Shared>);

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.inner().has_teller = false;
        }
    }
}

/// While it lives the task is at it.
pub(super) struct InTask(Arc<Shared>);

impl Drop for InTask {
    fn drop(&mut self) {
        self.0.inner().is_in_task = false;
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

    /// Of what has been before a stop, properties only are told, and the `disconnected` that belongs to a `connected`
    /// which has been told: be it one of before. Answers the rest, to be dropped without the lock.
    pub(super) fn forget_signals(&mut self) -> VecDeque<Tell> {
        let mut is_missing = self.is_told_connected;
        let (told, untold) = mem::take(&mut self.tells)
            .into_iter()
            .partition(|tell| match tell {
                Tell::Notify(_) => true,
                Tell::Disconnected(_) => mem::take(&mut is_missing),
                _ => false,
            });
        self.tells = told;
        if is_missing {
            self.tells.push_back(Tell::Disconnected(None));
        }
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
