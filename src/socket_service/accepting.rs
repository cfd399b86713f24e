//! The task of a service that accepts, on the context where the service was made.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::{
    SocketService,
    control::{Control, Plan},
};
use crate::{
    SocketListener,
    reactor::{Engine, Wait},
    socket_listener::{Accept, BackOff},
    transport::Freed,
    vfunc::Owned,
};

/// So many connections in one turn of the engine, and then the others have theirs.
const AT_ONCE: u32 = 64;

/// It keeps the service, and is there as long as the service accepts or has jobs.
pub(super) struct Accepting {
    service: Owned<SocketService>,
    control: Arc<Control>,
    accept: Option<Accept>,
    wait: Wait,
    /// Of accepting.
    failing: BackOff,
    /// Of what has to be done before the next connection.
    lacking: BackOff,
    /// While a descriptor is what is missing.
    freed: Option<Freed>,
    is_over: bool,
}

impl Accepting {
    pub(super) fn new(service: &SocketService) -> Self {
        Self {
            control: service.imp().control().clone(),
            service: Owned::new(service.clone()),
            accept: None,
            wait: Wait::new(),
            failing: BackOff::default(),
            lacking: BackOff::default(),
            freed: None,
            is_over: false,
        }
    }

    /// Whether a failure of before is to be left alone for a while yet. Its end wakes the task.
    fn has_to_wait(&mut self, which: fn(&mut Self) -> &mut BackOff, cx: &Context<'_>) -> bool {
        let until = which(self).until(glib::monotonic_time());
        self.wait.until(until, &Engine::current(), cx.waker());
        until.is_some()
    }

    fn failed(
        &mut self,
        which: fn(&mut Self) -> &mut BackOff,
        failure: &glib::Error,
        cx: &Context<'_>,
    ) {
        let is_news = which(self).failed(glib::monotonic_time(), failure);
        self.freed = Some(Freed::wake(cx.waker()));
        if is_news {
            self.service.get().imp().emit_error(failure);
        }
    }

    /// Does what has to be done before there can be another connection. Answers whether that was possible.
    fn is_prepared(&mut self, cx: &Context<'_>) -> bool {
        while !self.has_to_wait(|this| &mut this.lacking, cx) {
            match self.service.get().imp().prepare() {
                Ok(()) => {
                    self.lacking.succeeded();
                    return true;
                }
                Err(failure) => self.failed(|this| &mut this.lacking, &failure, cx),
            }
        }
        false
    }

    /// One connection, or none now.
    fn take(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_to_wait(|this| &mut this.failing, cx) {
            return Poll::Pending;
        }
        let listener = self.service.get().upcast_ref::<SocketListener>().imp();
        let accept = self
            .accept
            .get_or_insert_with(|| listener.accept(None).passing_over_broken());
        match accept.poll(cx) {
            Poll::Pending => {
                // There is none, or one would have been taken.
                self.failing.succeeded();
                self.freed = None;
                return Poll::Pending;
            }
            Poll::Ready(Ok(accepted)) => {
                self.failing.succeeded();
                self.freed = None;
                let (connection, source_object) = accepted.connection();
                let service = self.service.get().imp();
                service.emit_incoming(&connection, source_object.as_ref());
            }
            Poll::Ready(Err(_)) if listener.is_closed() => self.service.get().imp().close(),
            // Nobody has come for as long as the timeout of a socket says.
            Poll::Ready(Err(failure)) if failure.matches(gio::IOErrorEnum::TimedOut) => {}
            Poll::Ready(Err(failure)) => self.failed(|this| &mut this.failing, &failure, cx),
        }
        Poll::Ready(())
    }
}

impl Future for Accepting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.freed.as_ref().is_some_and(Freed::came) {
            this.freed = None;
            this.failing.cut_short();
            this.lacking.cut_short();
        }
        for _ in 0..AT_ONCE {
            let listener = this.service.get().upcast_ref::<SocketListener>().imp();
            let plan = this.control.plan(cx.waker(), || listener.has_sockets());
            if plan == Plan::End {
                this.is_over = true;
                return Poll::Ready(());
            }
            if plan == Plan::WaitForJobs {
                // What comes meanwhile is nobody's business.
                this.accept = None;
            }
            if !this.is_prepared(cx) || plan != Plan::Accept || this.take(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// Nothing in it is pinned.
impl Unpin for Accepting {}

impl Drop for Accepting {
    fn drop(&mut self) {
        // There may be another one since it has ended.
        if self.is_over {
            return;
        }
        // Its context is gone. What has come already is served all the same.
        let _ = self.service.get().imp().prepare();
        if self.control.end_task() {
            // The last job would give the service up on its own thread, where handlers written in Rust may not be
            // dropped: it is leaked.
            mem::forget(self.service.get().clone());
        }
    }
}
