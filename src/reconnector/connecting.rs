//! The attempt that is under way: at home, or by a thread that blocks.

use std::{
    future::Future,
    pin::Pin,
    sync::{MutexGuard, PoisonError},
    task::{Context, Poll},
};

use super::{
    policy::{Moment, Step, Ticket},
    shared::Shared,
};
use crate::{
    SocketClient, SocketClientExt, SocketConnection, error, reactor::Bound, thread, vfunc::Owned,
};

type Attempt = Pin<Box<dyn Future<Output = Result<SocketConnection, glib::Error>>>>;

/// An attempt that is under way at home.
pub(super) struct Connecting {
    ticket: Ticket,
    /// The one that polls it.
    thread: usize,
    future: Bound<Attempt>,
}

impl Shared {
    fn connecting(&self) -> MutexGuard<'_, Option<Connecting>> {
        self.connecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

    pub(super) fn is_under_way(&self, ticket: Ticket) -> bool {
        self.inner().policy.is_under_way(ticket)
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
}
