//! What a reconnector is at, for its object, its task and whoever waits, on any thread.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
};

use gio::prelude::*;
use glib::subclass::prelude::*;
use once_cell::sync::OnceCell;

use super::{
    ReconnectorState as State,
    connecting::Connecting,
    farewell,
    imp::milliseconds,
    policy::{Moment, Policy, Settings, Step, Ticket},
    tell::{Shown, Tell},
};
use crate::{
    SocketClient, SocketConnection, error,
    home::{Home, WeakObject},
    vfunc::Owned,
};

/// A connection that was made, and whose socket the lasting one is to go on with.
pub(super) struct Fresh {
    pub(super) ticket: Ticket,
    pub(super) connection: Owned<SocketConnection>,
    /// Since when the lasting one has been busy, and when to look again.
    pub(super) since: Moment,
    pub(super) again: Moment,
    pub(super) interval: Moment,
}

/// See the module's documentation.
pub(super) struct Shared {
    pub(super) this: Weak<Self>,
    pub(super) client: OnceCell<Owned<SocketClient>>,
    pub(super) connectable: OnceCell<Owned<gio::SocketConnectable>>,
    pub(super) home: Home,
    pub(super) object: Mutex<Option<WeakObject>>,
    pub(super) inner: Mutex<Inner>,
    pub(super) connecting: Mutex<Option<Connecting>>,
}

pub(super) struct Inner {
    pub(super) policy: Policy,
    /// The lasting one.
    pub(super) connection: Option<Owned<SocketConnection>>,
    pub(super) stream: Option<Owned<gio::IOStream>>,
    pub(super) fresh: Option<Fresh>,
    pub(super) last_error: Option<glib::Error>,
    pub(super) tells: VecDeque<Tell>,
    pub(super) shown: Shown,
    pub(super) is_delivering: bool,
    /// The task is at it, at home: it does not call out itself.
    pub(super) is_in_task: bool,
    /// Somebody is on his way to tell what there is.
    pub(super) has_teller: bool,
    /// `connected` has been emitted, and `disconnected` not yet.
    pub(super) is_told_connected: bool,
    pub(super) has_task: bool,
    pub(super) task: Option<Waker>,
    /// Who waits for a connection, each with his number.
    pub(super) waiters: Vec<(u64, Waker)>,
    pub(super) last_waiter: u64,
    /// How often it has been stopped or has given up, and with what it did so last.
    pub(super) ends: u64,
    pub(super) end: Option<glib::Error>,
    /// Of the attempt of a thread that blocks.
    pub(super) blocked: Option<(Ticket, Owned<gio::Cancellable>)>,
    /// The object is gone.
    pub(super) is_over: bool,
}

impl Shared {
    pub(super) fn here(settings: Settings) -> Arc<Self> {
        let seed = (u64::from(glib::random_int()) << 32) | u64::from(glib::random_int());
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            client: OnceCell::new(),
            connectable: OnceCell::new(),
            home: Home::here(),
            object: Mutex::new(None),
            inner: Mutex::new(Inner {
                policy: Policy::new(settings, seed),
                connection: None,
                stream: None,
                fresh: None,
                last_error: None,
                tells: VecDeque::new(),
                shown: Shown::default(),
                is_delivering: false,
                is_in_task: false,
                has_teller: false,
                is_told_connected: false,
                has_task: false,
                task: None,
                waiters: Vec::new(),
                last_waiter: 0,
                ends: 0,
                end: None,
                blocked: None,
                is_over: false,
            }),
            connecting: Mutex::new(None),
        })
    }

    /// Nothing that belongs to somebody else is called or dropped while it is held.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each field is exchanged whole: a panic leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn object(&self) -> MutexGuard<'_, Option<WeakObject>> {
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_object(&self, object: &glib::Object) {
        *self.object() = Some(WeakObject::new(object));
    }

    // --- What somebody wants ---------------------------------------------------------------------

    pub(super) fn start(&self) {
        let now = glib::monotonic_time();
        {
            let mut inner = self.inner();
            if !inner.is_over && inner.policy.start(now) {
                inner.show();
            }
        }
        self.told();
    }

    pub(super) fn stop(&self) {
        let (fresh, blocked, connection, stream, untold) = {
            let mut inner = self.inner();
            let was_stopped = inner.policy.state() == State::Stopped;
            inner.policy.stop();
            inner.show();
            let untold = inner.forget_signals();
            if !was_stopped {
                inner.note_end(stopped());
            }
            (
                inner.fresh.take(),
                inner.blocked.take(),
                inner.connection(),
                inner.stream(),
                untold,
            )
        };
        if let Some((_, blocked)) = blocked {
            blocked.get().cancel();
        }
        drop((fresh, untold));
        self.drop_connecting(false);
        if let Some(connection) = connection {
            farewell::say(&self.home, connection, stream);
        }
        self.told();
    }

    pub(super) fn retry_now(&self) {
        let now = glib::monotonic_time();
        let (hangs_up, untold) = {
            let mut inner = self.inner();
            if inner.is_over {
                return;
            }
            let hangs_up = inner.policy.retry_now(now);
            inner.show();
            let untold = if hangs_up { inner.tell_hang_up() } else { None };
            (inner.connection().filter(|_| hangs_up), untold)
        };
        drop(untold);
        if let Some(connection) = hangs_up {
            connection.imp().hang_up();
        }
        self.told();
    }

    /// `is_news`: the word of somebody who was not asked before.
    pub(super) fn network(&self, is_available: bool, is_news: bool) {
        let now = glib::monotonic_time();
        {
            let mut inner = self.inner();
            if is_news {
                inner.policy.network_known(is_available, now);
            } else {
                inner.policy.network(is_available, now);
            }
            inner.show();
        }
        self.told();
    }

    /// The object is going away: nothing is told any more, and nothing goes on.
    pub(super) fn end(&self) {
        let object = self.object().take();
        drop(object);
        let left = {
            let mut inner = self.inner();
            inner.is_over = true;
            inner.policy.stop();
            inner.note_end(stopped());
            (
                mem::take(&mut inner.tells),
                inner.fresh.take(),
                inner.connection.take(),
                inner.stream.take(),
                inner.blocked.take(),
            )
        };
        if let Some((_, blocked)) = &left.4 {
            blocked.get().cancel();
        }
        drop(left);
        self.drop_connecting(false);
        self.told();
    }

    // --- The task --------------------------------------------------------------------------------

    /// Whether a task is needed, which the caller makes.
    pub(super) fn begin_task(&self) -> bool {
        let mut inner = self.inner();
        !inner.is_over && !mem::replace(&mut inner.has_task, true)
    }

    /// What is to be done next, and of whom word is to be given; none when it is all over.
    pub(super) fn step(&self, now: Moment, waker: &Waker) -> Option<Step> {
        let waker = waker.clone();
        let (step, before) = {
            let mut inner = self.inner();
            let before = inner.task.replace(waker);
            (inner.step(now), before)
        };
        drop(before);
        step
    }

    // --- What has come of it -----------------------------------------------------------------------

    /// An attempt has come to its end, on whatever thread. A connection is seen to by [`carry_on`](Self::carry_on).
    pub(super) fn attempted(&self, ticket: Ticket, result: Result<SocketConnection, glib::Error>) {
        let now = glib::monotonic_time();
        let left = {
            let mut inner = self.inner();
            match result {
                Ok(connection) => {
                    let fresh = Fresh {
                        ticket,
                        connection: Owned::new(connection),
                        since: now,
                        again: now,
                        interval: 1_000,
                    };
                    if inner.policy.is_under_way(ticket) {
                        inner.fresh.replace(fresh)
                    } else {
                        Some(fresh)
                    }
                }
                Err(failure) => {
                    if inner.policy.is_under_way(ticket) {
                        inner.failed(now, failure);
                    }
                    None
                }
            }
        };
        drop(left);
        self.told();
    }

    /// There is a connection: `fresh` is in it, or is it. Answers whether that was still wanted.
    pub(super) fn connected(
        &self,
        ticket: Ticket,
        connection: &SocketConnection,
        stream: &gio::IOStream,
    ) -> bool {
        let now = glib::monotonic_time();
        let left = {
            let mut inner = self.inner();
            if !inner.policy.is_under_way(ticket) {
                return false;
            }
            let is_other = inner.connection().as_ref() != Some(connection);
            let connection = inner.connection.replace(Owned::new(connection.clone()));
            let before = inner.stream.replace(Owned::new(stream.clone()));
            inner.policy.connected(now);
            inner.last_error = None;
            if is_other {
                inner.tells.push_back(Tell::Notify("connection"));
            }
            inner.tells.push_back(Tell::Notify("io-stream"));
            inner.show();
            let stream = Owned::new(stream.clone());
            inner.tells.push_back(Tell::Connected(stream));
            (connection, before)
        };
        drop(left);
        self.told();
        true
    }

    /// The connection to which that attempt had led has gone.
    pub(super) fn lost(&self, ticket: Ticket, failure: Option<glib::Error>) {
        let now = glib::monotonic_time();
        {
            let mut inner = self.inner();
            if inner.policy.connected_by() != Some(ticket) {
                return;
            }
            inner.policy.lost(now);
            if failure.is_some() {
                inner.last_error.clone_from(&failure);
            }
            inner.show();
            // Lost before that was told, it is told all the same: somebody may have seen it.
            inner.tells.push_back(Tell::Disconnected(failure.clone()));
            let failure = failure.unwrap_or_else(closed_by_peer);
            match inner.policy.state() {
                State::GivenUp => inner.give_up(failure),
                State::Stopped => inner.note_end(failure),
                _ => {}
            }
        }
        self.told();
    }

    /// What is under way does not count: who has begun it is gone.
    pub(super) fn abandoned(&self, ticket: Ticket) {
        let now = glib::monotonic_time();
        {
            let mut inner = self.inner();
            if inner.policy.is_under_way(ticket) {
                inner.policy.abandoned(now);
                inner.show();
            }
        }
        self.told();
    }
}

impl Inner {
    pub(super) fn connection(&self) -> Option<SocketConnection> {
        self.connection.as_ref().map(|it| it.get().clone())
    }

    pub(super) fn stream(&self) -> Option<gio::IOStream> {
        self.stream.as_ref().map(|it| it.get().clone())
    }

    pub(super) fn set_last_error(&mut self, failure: glib::Error) {
        self.last_error = Some(failure);
    }

    pub(super) fn step(&mut self, now: Moment) -> Option<Step> {
        if self.is_over {
            return None;
        }
        let step = self.policy.step(now);
        self.show();
        if let Step::Attempt(number, _) = step {
            self.tells.push_back(Tell::Attempt(number));
        }
        Some(step)
    }

    fn failed(&mut self, now: Moment, failure: glib::Error) {
        let number = self.policy.attempt();
        let delay = self.policy.failed(now);
        self.set_last_error(failure.clone());
        self.show();
        let delay_ms = milliseconds(delay.unwrap_or(0));
        let told = Tell::AttemptFailed(number, failure.clone(), delay_ms);
        self.tells.push_back(told);
        if delay.is_none() {
            self.give_up(failure);
        }
    }

    fn give_up(&mut self, failure: glib::Error) {
        self.tells.push_back(Tell::GivenUp(failure.clone()));
        self.note_end(failure);
    }

    fn note_end(&mut self, failure: glib::Error) {
        self.ends += 1;
        self.end = Some(failure);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("home", &self.home)
            .field("policy", &self.inner().policy)
            .finish_non_exhaustive()
    }
}

pub(super) fn stopped() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Closed, "The reconnector was stopped")
}

fn closed_by_peer() -> glib::Error {
    glib::Error::new(
        error::CONNECTION_CLOSED,
        "The peer has closed the connection",
    )
}
