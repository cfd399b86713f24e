//! One operation, three views of it.
//!
//! An operation that can wait is an [`Attempt`]: a state machine whose steps never wait. From it
//! come the blocking form ([`block`]), the future ([`Drive`]) and, by way of the future, the
//! GAsyncResult form ([`Task`]).

mod task;

pub(crate) use task::{Answers, Tag, Task, finish, finish_size, ready_callback};

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use gio::prelude::*;

use crate::{
    error,
    reactor::{CancelWatch, FdWait, Interest, earlier},
    transport::{Transport, Waiter},
};

/// How a step of an operation ended.
pub(crate) enum Progress<T> {
    Done(Result<T, glib::Error>),
    Wait(Wait),
}

/// What the next step needs first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) interest: Option<Interest>,
    pub(crate) until: Option<i64>,
}

impl Wait {
    pub(crate) fn for_event(interest: Interest) -> Self {
        Self {
            interest: Some(interest),
            until: None,
        }
    }

    pub(crate) fn until(moment: i64) -> Self {
        Self {
            interest: None,
            until: Some(moment),
        }
    }
}

/// An operation on a transport, step by step.
pub(crate) trait Attempt {
    type Output;

    fn transport(&self) -> &Arc<Transport>;

    /// When the whole operation runs out of time, on the monotonic clock.
    fn deadline(&self) -> Option<i64>;

    /// One step; it does not wait.
    fn attempt(&mut self) -> Progress<Self::Output>;

    /// What an earlier wait has left to say, which comes before a cancellation.
    fn left_over(&self) -> Option<glib::Error> {
        None
    }

    /// There will be no further step: cancelled, out of time, or closed.
    fn give_up(&mut self, _failure: Option<&glib::Error>) {}
}

/// The blocking view. It never iterates a main context.
pub(crate) fn block<A: Attempt>(
    mut operation: A,
    cancellable: Option<&gio::Cancellable>,
) -> Result<A::Output, glib::Error> {
    loop {
        // A closed socket says so even to a cancelled caller.
        if !operation.transport().is_closed()
            && cancellable.is_some_and(CancellableExt::is_cancelled)
        {
            let failure = operation.left_over().unwrap_or_else(error::cancelled);
            operation.give_up(Some(&failure));
            return Err(failure);
        }
        let wait = match operation.attempt() {
            Progress::Done(result) => return result,
            Progress::Wait(wait) => wait,
        };
        let (transport, deadline) = (operation.transport().clone(), operation.deadline());
        let waited = transport.wait_blocking(wait.interest, wait.until, deadline, cancellable);
        if let Err(failure) = waited {
            operation.give_up(Some(&failure));
            return Err(failure);
        }
    }
}

/// The future view.
///
/// Dropping it before its end gives the operation up. What a step has achieved is never thrown
/// away: the cancellable is looked at before a step, not after it.
pub(crate) struct Drive<A: Attempt> {
    operation: A,
    cancel: Option<CancelWatch>,
    wait: FdWait,
    waiter: Option<(Waiter, Waker)>,
    ended: bool,
}

impl<A: Attempt> Drive<A> {
    pub(crate) fn new(operation: A, cancellable: Option<&gio::Cancellable>) -> Self {
        Self {
            wait: FdWait::new(operation.transport().clone()),
            operation,
            cancel: cancellable.map(CancelWatch::new),
            waiter: None,
            ended: false,
        }
    }

    fn end(
        &mut self,
        result: Result<A::Output, glib::Error>,
    ) -> Poll<Result<A::Output, glib::Error>> {
        self.ended = true;
        self.wait.disarm();
        self.waiter = None;
        self.cancel = None;
        Poll::Ready(result)
    }

    fn fail(&mut self, failure: glib::Error) -> Poll<Result<A::Output, glib::Error>> {
        self.operation.give_up(Some(&failure));
        self.end(Err(failure))
    }

    fn arm(&mut self, wait: Wait, deadline: Option<i64>, waker: &Waker) -> Result<(), glib::Error> {
        let until = earlier(wait.until, deadline);
        if !self
            .waiter
            .as_ref()
            .is_some_and(|(_, known)| known.will_wake(waker))
        {
            let waiter = self.operation.transport().wake_on_close(waker);
            self.waiter = Some((waiter, waker.clone()));
        }
        if let Some(cancel) = &mut self.cancel {
            cancel.wake(waker);
        }
        // After the place in the list of waiters was taken, so that a close in between is seen.
        let using = self.operation.transport().enter()?;
        self.wait.arm(
            wait.interest.map(|interest| (using.fd(), interest)),
            until,
            waker,
        );
        Ok(())
    }
}

// Nothing in it is pinned: the operation is a plain state machine.
impl<A: Attempt> Unpin for Drive<A> {}

impl<A: Attempt> Future for Drive<A> {
    type Output = Result<A::Output, glib::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.cancel.as_ref().is_some_and(CancelWatch::is_cancelled) {
            return self.fail(error::cancelled());
        }
        let wait = match self.operation.attempt() {
            Progress::Done(result) => return self.end(result),
            Progress::Wait(wait) => wait,
        };
        let deadline = self.operation.deadline();
        if deadline.is_some_and(|deadline| glib::monotonic_time() >= deadline) {
            return self.fail(error::timed_out());
        }
        match self.arm(wait, deadline, cx.waker()) {
            // Cancelled while the watch was being set up: nobody may wake us any more.
            Ok(()) if self.cancel.as_ref().is_some_and(CancelWatch::is_cancelled) => {
                self.fail(error::cancelled())
            }
            Ok(()) => Poll::Pending,
            Err(failure) => self.fail(failure),
        }
    }
}

impl<A: Attempt> Drop for Drive<A> {
    fn drop(&mut self) {
        if !self.ended {
            self.operation.give_up(None);
        }
    }
}

/// Runs `future` until `cancellable` is cancelled, which drops it.
pub(crate) async fn until_cancelled<T>(
    future: impl Future<Output = Result<T, glib::Error>>,
    cancellable: Option<gio::Cancellable>,
) -> Result<T, glib::Error> {
    let mut future = pin!(future);
    let mut cancel = cancellable.as_ref().map(CancelWatch::new);
    poll_fn(move |cx| {
        if cancel.as_ref().is_some_and(CancelWatch::is_cancelled) {
            return Poll::Ready(Err(error::cancelled()));
        }
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        if let Some(cancel) = &mut cancel {
            cancel.wake(cx.waker());
            if cancel.is_cancelled() {
                return Poll::Ready(Err(error::cancelled()));
            }
        }
        Poll::Pending
    })
    .await
}

/// Panics as gio-rs does where this thread neither owns its thread-default context nor could.
pub(crate) fn assert_owns_context() {
    let context = glib::MainContext::ref_thread_default();
    let acquired = (!context.is_owner())
        .then(|| context.acquire().ok())
        .flatten();
    assert!(
        context.is_owner() || acquired.is_some(),
        "Async operations only allowed if the thread is owning the MainContext"
    );
}
