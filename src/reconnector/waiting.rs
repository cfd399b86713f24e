//! Waiting for a connection: a future, and the form that blocks.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::{
    Reconnector,
    carry::Carried,
    policy::{Moment, Step, Ticket},
    shared::Shared,
    waiters::Standing,
};
use crate::{
    error,
    operation::assert_owns_context,
    reactor::{CancelWatch, block_on_events, blocking_waker, earlier},
    vfunc::Owned,
};

/// How long a thread that blocks leaves what is due to the reconnector's own, which may be about to do it.
const PRECEDENCE: Moment = 100_000;

/// Ready when there is a connection, or when none is to be expected any more.
pub(super) struct Connected {
    reconnector: Owned<Reconnector>,
    /// Once it has begun: what tells a later end from one of before, and the place among those who wait.
    begun: Option<(u64, u64)>,
    asserts: bool,
}

impl Connected {
    /// `asserts`: it panics on a thread that does not own its context, as futures of this crate do.
    pub(super) fn new(reconnector: &Reconnector, asserts: bool) -> Self {
        Self {
            reconnector: Owned::new(reconnector.clone()),
            begun: None,
            asserts,
        }
    }

    /// Starts the reconnector if it is stopped, before anything is awaited.
    pub(super) fn begin(&mut self) {
        if self.begun.is_none() {
            let imp = self.reconnector.get().imp();
            let ends = imp.shared().ends();
            imp.start();
            self.begun = Some((ends, imp.shared().new_waiter()));
        }
    }
}

impl Future for Connected {
    type Output = Result<Owned<gio::IOStream>, glib::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.begun.is_none() && self.asserts {
            assert_owns_context();
        }
        self.begin();
        let shared = self.reconnector.get().imp().shared();
        let Some((ends, number)) = self.begun else {
            return Poll::Pending;
        };
        // The caller may have read its end already, when the task has not heard of that yet.
        shared.look();
        // Who waits at home finds there what handlers have made of the news.
        shared.deliver();
        shared.wait(number, cx.waker());
        if shared.has_news() {
            return Poll::Pending;
        }
        let outcome = match shared.standing(ends) {
            Standing::Underway => return Poll::Pending,
            Standing::Connected(stream) => Ok(stream),
            Standing::Ended(failure) => Err(failure),
        };
        shared.wait_no_more(number);
        Poll::Ready(outcome)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if let Some((_, number)) = self.begun {
            self.reconnector.get().imp().shared().wait_no_more(number);
        }
    }
}

/// Cancels an attempt.
struct Cancel(gio::Cancellable);

impl Wake for Cancel {
    fn wake(self: Arc<Self>) {
        self.0.cancel();
    }
}

/// Blocks until there is a connection. This thread makes the attempts that are due, unless the reconnector's own does.
pub(super) fn block(
    reconnector: &Reconnector,
    cancellable: Option<&gio::Cancellable>,
) -> Result<gio::IOStream, glib::Error> {
    if cancellable.is_some_and(CancellableExt::is_cancelled) {
        return Err(error::cancelled());
    }
    let mut waiting = Connected::new(reconnector, false);
    waiting.begin();
    let (ends, number) = waiting.begun.unwrap_or_default();
    let shared = reconnector.imp().shared();
    let precedence = if shared.home.is_here() { 0 } else { PRECEDENCE };
    loop {
        shared.deliver();
        // Where nobody runs the context of home, nobody has seen it.
        shared.look();
        if let Some(waker) = blocking_waker() {
            shared.wait(number, &waker);
        }
        match shared.standing(ends) {
            Standing::Underway => {}
            Standing::Connected(stream) => return Ok(stream.get().clone()),
            Standing::Ended(failure) => return Err(failure),
        }
        if cancellable.is_some_and(CancellableExt::is_cancelled) {
            return Err(error::cancelled());
        }
        if shared.home.is_here() {
            shared.take_back();
        }
        let cancel = gio::Cancellable::new();
        let now = glib::monotonic_time() - precedence;
        let until = match shared.step_blocked(now, &cancel) {
            Some(Step::Attempt(_, ticket)) => {
                shared.deliver();
                attempt(shared, ticket, &cancel, cancellable);
                continue;
            }
            Some(Step::Wait(until)) => until.map(|until| until.saturating_add(precedence)),
            None => None,
        };
        let again = match shared.carry_on() {
            Carried::Done => continue,
            Carried::Wait(again) => Some(again),
            Carried::Nothing => None,
        };
        block_on_events(None, earlier(until, again), cancellable)?;
    }
}

/// One attempt, in which `cancel` is cancelled when the reconnector is stopped or `cancellable` is cancelled.
fn attempt(
    shared: &Shared,
    ticket: Ticket,
    cancel: &gio::Cancellable,
    cancellable: Option<&gio::Cancellable>,
) {
    let mut watch = cancellable.map(CancelWatch::new);
    if let Some(watch) = &mut watch {
        watch.wake(&Waker::from(Arc::new(Cancel(cancel.clone()))));
    }
    let result = if shared.is_under_way(ticket) {
        shared
            .aim()
            .and_then(|(client, connectable)| client.connect(&connectable, Some(cancel)))
    } else {
        Err(error::cancelled())
    };
    drop(watch);
    let is_cancelled = cancellable.is_some_and(CancellableExt::is_cancelled);
    if result.is_err() && (is_cancelled || cancel.is_cancelled()) {
        shared.abandoned(ticket);
    } else {
        shared.attempted(ticket, result);
    }
    // Not before: nobody at home is to think meanwhile that the attempt is his.
    shared.unblocked(ticket);
}
