//! Connections as a stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use gio::subclass::prelude::*;

use super::{SocketListener, accept::Accept, back_off::BackOff};
use crate::{
    SocketConnection, error,
    operation::assert_owns_context,
    reactor::{Engine, Wait},
    transport::Freed,
};

/// The connections of a listener, until that is closed.
pub(super) struct Incoming {
    listener: SocketListener,
    accept: Option<Accept>,
    failing: BackOff,
    /// While it is failing: a descriptor may be what is missing.
    freed: Option<Freed>,
    wait: Wait,
    has_ended: bool,
}

impl Incoming {
    pub(super) fn new(listener: &SocketListener) -> Self {
        Self {
            listener: listener.clone(),
            accept: None,
            failing: BackOff::default(),
            freed: None,
            wait: Wait::new(),
            has_ended: false,
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.accept = None;
        self.freed = None;
        self.wait.end();
    }

    fn next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<SocketConnection, glib::Error>>> {
        let imp = self.listener.imp();
        if imp.is_served() && !imp.is_closed() {
            self.end();
            return Poll::Ready(Some(Err(error::served())));
        }
        if self.accept.is_none() {
            assert_owns_context();
        }
        if self.freed.as_ref().is_some_and(Freed::came) {
            self.failing.cut_short();
        }
        self.freed = None;
        // Whoever asks for the next one whatever the last has come to is not to ask without end. A close does not wait.
        let until = self
            .failing
            .until(glib::monotonic_time())
            .filter(|_| !imp.is_closed());
        self.wait.until(until, &Engine::current(), cx.waker());
        let accept = self
            .accept
            .get_or_insert_with(|| imp.accept(None).passing_over_broken());
        if until.is_some() {
            accept.wake_at_a_change(cx.waker());
            self.freed = Some(Freed::wake(cx.waker()));
            return Poll::Pending;
        }
        let polled = accept.poll(cx);
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(accepted)) => {
                self.failing.succeeded();
                Poll::Ready(Some(Ok(accepted.connection().0)))
            }
            Poll::Ready(Err(_)) if imp.is_closed() => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Ready(Err(failure)) => {
                self.failing.failed(glib::monotonic_time(), &failure);
                Poll::Ready(Some(Err(failure)))
            }
        }
    }
}

impl Stream for Incoming {
    type Item = Result<SocketConnection, glib::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.next(cx)
    }
}
