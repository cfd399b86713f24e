//! The task of a reconnector, on the context where it was made.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use glib::subclass::prelude::*;

use super::{
    carry::Carried,
    policy::{Step, Ticket},
    shared::Shared,
};
use crate::{
    SocketConnection,
    reactor::{Engine, Wait, earlier},
    transport::{Transport, Waiter},
};

/// It is there from the first start until the object is gone.
pub(super) struct Driving {
    shared: Arc<Shared>,
    wait: Wait,
    /// An attempt that is to begin, once that has been told.
    begins: Option<Ticket>,
    /// Has it woken when the connection breaks.
    watched: Option<(Arc<Transport>, Waiter)>,
}

impl Driving {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: shared.clone(),
            wait: Wait::new(),
            begins: None,
            watched: None,
        }
    }

    /// Looks whether the connection is there yet, and has the task woken when it is not.
    fn watch(&mut self, cx: &Context<'_>) {
        let Some((connection, ticket)) = self.shared.connection_to_watch() else {
            self.watched = None;
            return;
        };
        if let Ok(transport) = connection.imp().connected_transport() {
            let is_known = self
                .watched
                .as_ref()
                .is_some_and(|(known, _)| Arc::ptr_eq(known, &transport));
            if !is_known {
                let waiter = transport.wake_on_close(cx.waker());
                self.watched = Some((transport, waiter));
            }
        }
        // After the place in the list was taken, so that a loss in between is seen.
        self.shared.look_at(&connection, ticket);
    }
}

impl Shared {
    /// The connection, while it is to be looked after, and the attempt that has led to it.
    pub(super) fn connection_to_watch(&self) -> Option<(SocketConnection, Ticket)> {
        let inner = self.inner();
        inner.connection().zip(inner.policy.connected_by())
    }

    /// Whether the connection is there yet, if there is one.
    pub(super) fn look(&self) {
        if let Some((connection, ticket)) = self.connection_to_watch() {
            self.look_at(&connection, ticket);
        }
    }

    /// Whether the connection is there yet.
    fn look_at(&self, connection: &SocketConnection, ticket: Ticket) {
        // Of one transport throughout: on another thread the next one may take its place meanwhile.
        if let Err(transport) = connection.imp().connected_transport() {
            // What is written from now on would reach nobody, and seem to.
            let _ = transport.shutdown_write();
            self.lost(ticket, transport.last_error());
        }
    }
}

impl Future for Driving {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let _in_task = this.shared.enter_task();
        loop {
            this.shared.deliver();
            if this.shared.has_news() {
                // In the round after that of the one who tells it, who may not come back from it soon.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(ticket) = this.begins.take() {
                this.shared.begin(ticket);
            }
            this.watch(cx);
            let now = glib::monotonic_time();
            let Some(step) = this.shared.step(now, cx.waker()) else {
                this.shared.drop_connecting(false);
                return Poll::Ready(());
            };
            let until = match step {
                Step::Attempt(_, ticket) => {
                    this.begins = Some(ticket);
                    continue;
                }
                Step::Wait(until) => until,
            };
            if this.shared.poll_connecting(cx) {
                continue;
            }
            let again = match this.shared.carry_on() {
                Carried::Done => continue,
                Carried::Wait(again) => Some(again),
                Carried::Nothing => None,
            };
            let until = earlier(until, again);
            this.wait.until(until, &Engine::current(), cx.waker());
            this.shared.deliver();
            return Poll::Pending;
        }
    }
}

// Nothing in it is pinned.
impl Unpin for Driving {}

impl Drop for Driving {
    fn drop(&mut self) {
        self.shared.drop_connecting(false);
        self.shared.inner().has_task = false;
        // Where its context has gone, others may go on with what was under way.
        self.shared.take_back();
        self.shared.wake_everybody();
    }
}
