//! What a reconnector is at, for its object, its task and whoever waits, on any thread.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use gio::prelude::*;
use glib::subclass::prelude::*;
use once_cell::sync::OnceCell;

use super::{
    ReconnectorState as State, farewell,
    imp::milliseconds,
    policy::{Moment, Policy, Settings, Step, Ticket},
    tell::{Shown, Tell},
};
use crate::{
    SocketClient, SocketClientExt, SocketConnection, error,
    home::{Home, WeakObject},
    reactor::{Bound, wake},
    thread,
    vfunc::Owned,
};

type Attempt = Pin<Box<dyn Future<Output = Result<SocketConnection, glib::Error>>>>;

/// An attempt that is under way at home.
struct Connecting {
    ticket: Ticket,
    /// The one that polls it.
    thread: usize,
    future: Bound<Attempt>,
}

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
    pub(super) client: OnceCell<Owned<SocketClient>>,
    pub(super) connectable: OnceCell<Owned<gio::SocketConnectable>>,
    pub(super) home: Home,
    object: Mutex<Option<WeakObject>>,
    inner: Mutex<Inner>,
    connecting: Mutex<Option<Connecting>>,
}

pub(super) struct Inner {
    pub(super) policy: Policy,
    /// The lasting one.
    pub(super) connection: Option<Owned<SocketConnection>>,
    pub(super) stream: Option<Owned<gio::IOStream>>,
    pub(super) fresh: Option<Fresh>,
    pub(super) last_error: Option<glib::Error>,
    tells: VecDeque<Tell>,
    shown: Shown,
    is_delivering: bool,
    /// `connected` has been emitted, and `disconnected` not yet.
    is_told_connected: bool,
    pub(super) has_task: bool,
    task: Option<Waker>,
    /// Who waits for a connection, each with his number.
    waiters: Vec<(u64, Waker)>,
    last_waiter: u64,
    /// How often it has been stopped or has given up, and with what it did so last.
    ends: u64,
    end: Option<glib::Error>,
    /// Of the attempt of a thread that blocks.
    blocked: Option<(Ticket, Owned<gio::Cancellable>)>,
    /// The object is gone.
    is_over: bool,
}

/// How the wait for a connection stands.
pub(super) enum Standing {
    Connected(Owned<gio::IOStream>),
    Ended(glib::Error),
    Underway,
}

impl Shared {
    pub(super) fn here(settings: Settings) -> Arc<Self> {
        let seed = (u64::from(glib::random_int()) << 32) | u64::from(glib::random_int());
        Arc::new(Self {
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

    fn connecting(&self) -> MutexGuard<'_, Option<Connecting>> {
        self.connecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self) -> MutexGuard<'_, Option<WeakObject>> {
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
            let untold = inner.forget_signals();
            inner.show();
            if mem::take(&mut inner.is_told_connected) {
                inner.tells.push_back(Tell::Disconnected(None));
            }
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

    /// Begins the attempt at home, if that is still wanted.
    pub(super) fn begin(&self, ticket: Ticket) {
        if !self.is_under_way(ticket) {
            return;
        }
        let connecting = match self.aim() {
            Ok((client, connectable)) => client.connect_future(&connectable),
            Err(failure) => Box::pin(async move { Err(failure) }),
        };
        self.put_connecting(Connecting {
            ticket,
            thread: thread::here(),
            future: Bound::here(connecting),
        });
    }

    /// Who connects, and to what.
    pub(super) fn aim(&self) -> Result<(SocketClient, gio::SocketConnectable), glib::Error> {
        let none = || error::invalid("The reconnector was built without a client or a connectable");
        let client = self.client.get().ok_or_else(none)?;
        let connectable = self.connectable.get().ok_or_else(none)?;
        Ok((client.get().clone(), connectable.get().clone()))
    }

    /// Goes on with the attempt, if there is one at home. Answers whether something has come of it.
    pub(super) fn poll_connecting(&self, cx: &mut Context<'_>) -> bool {
        self.drop_connecting(true);
        let taken = self.connecting().take();
        let Some(mut connecting) = taken else {
            return false;
        };
        let polled = Pin::new(&mut connecting.future).poll(cx);
        match polled {
            Poll::Ready(result) => {
                let ticket = connecting.ticket;
                drop(connecting);
                self.attempted(ticket, result);
                true
            }
            Poll::Pending if self.is_under_way(connecting.ticket) => {
                self.put_connecting(connecting);
                false
            }
            Poll::Pending => true,
        }
    }

    fn put_connecting(&self, connecting: Connecting) {
        let ticket = connecting.ticket;
        let before = self.connecting().replace(connecting);
        drop(before);
        if !self.is_under_way(ticket) {
            // It was stopped meanwhile.
            self.drop_connecting(true);
        }
    }

    /// Gives up what is under way at home, here, if this is where it may be dropped. `if_stale`: unless it is wanted.
    pub(super) fn drop_connecting(&self, if_stale: bool) {
        let stale = {
            let mut connecting = self.connecting();
            connecting.take_if(|it| {
                it.thread == thread::here() && !(if_stale && self.is_under_way(it.ticket))
            })
        };
        drop(stale);
    }

    /// Whether there is something to tell that this thread could.
    pub(super) fn has_news(&self) -> bool {
        let inner = self.inner();
        self.home.is_here() && !inner.is_delivering && !inner.tells.is_empty()
    }

    pub(super) fn is_under_way(&self, ticket: Ticket) -> bool {
        self.inner().policy.is_under_way(ticket)
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

    /// The connection has gone.
    pub(super) fn lost(&self, failure: Option<glib::Error>) {
        let now = glib::monotonic_time();
        {
            let mut inner = self.inner();
            if inner.policy.state() != State::Connected {
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

    /// This thread is about to block, and what is under way in a context of its own would not go on.
    pub(super) fn take_back(&self) {
        {
            let mut inner = self.inner();
            if inner.fresh.is_some() || inner.blocked.is_some() {
                return;
            }
            inner.policy.abandoned(glib::monotonic_time());
            inner.show();
        }
        self.drop_connecting(true);
    }

    /// For a thread that blocks: what is to be done.
    pub(super) fn step_blocked(&self, now: Moment, cancellable: &gio::Cancellable) -> Option<Step> {
        let (step, before) = {
            let mut inner = self.inner();
            let step = inner.step(now);
            let before = match step {
                Some(Step::Attempt(_, ticket)) => {
                    let blocked = (ticket, Owned::new(cancellable.clone()));
                    inner.blocked.replace(blocked)
                }
                _ => None,
            };
            (step, before)
        };
        drop(before);
        step
    }

    /// The attempt of a thread that blocks has ended.
    pub(super) fn unblocked(&self, ticket: Ticket) {
        let blocked = self.inner().blocked.take_if(|(of, _)| *of == ticket);
        drop(blocked);
    }

    // --- Waiting -----------------------------------------------------------------------------------

    /// Begins to wait: answers what tells a later end from one of before.
    pub(super) fn ends(&self) -> u64 {
        self.inner().ends
    }

    pub(super) fn standing(&self, ends: u64) -> Standing {
        let inner = self.inner();
        if inner.ends != ends {
            return Standing::Ended(inner.end.clone().unwrap_or_else(stopped));
        }
        match &inner.stream {
            Some(stream) if inner.policy.state() == State::Connected => {
                Standing::Connected(Owned::new(stream.get().clone()))
            }
            _ => Standing::Underway,
        }
    }

    pub(super) fn new_waiter(&self) -> u64 {
        let mut inner = self.inner();
        inner.last_waiter += 1;
        inner.last_waiter
    }

    /// Wakes `waker` at the next change.
    pub(super) fn wait(&self, number: u64, waker: &Waker) {
        let waker = waker.clone();
        let before = {
            let mut inner = self.inner();
            let before = inner.take_waiter(number);
            inner.waiters.push((number, waker));
            before
        };
        drop(before);
    }

    pub(super) fn wait_no_more(&self, number: u64) {
        let waker = self.inner().take_waiter(number);
        drop(waker);
    }

    // --- Telling -----------------------------------------------------------------------------------

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
}

/// While it lives somebody is telling.
struct Delivering<'a>(&'a Shared);

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        self.0.inner().is_delivering = false;
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
    fn forget_signals(&mut self) -> VecDeque<Tell> {
        let (told, untold) = mem::take(&mut self.tells)
            .into_iter()
            .partition(|tell| matches!(tell, Tell::Notify(_)));
        self.tells = told;
        untold
    }

    /// The connection is given up. Who has not heard of it yet need not: answers what he would have, to be dropped without
    /// the lock.
    fn tell_hang_up(&mut self) -> Option<Tell> {
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

    fn step(&mut self, now: Moment) -> Option<Step> {
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

    fn take_waiter(&mut self, number: u64) -> Option<Waker> {
        let at = self.waiters.iter().position(|(of, _)| *of == number)?;
        Some(self.waiters.swap_remove(at).1)
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

fn stopped() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Closed, "The reconnector was stopped")
}

fn closed_by_peer() -> glib::Error {
    glib::Error::new(
        error::CONNECTION_CLOSED,
        "The peer has closed the connection",
    )
}
