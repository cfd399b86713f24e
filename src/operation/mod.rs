//! One operation, three views of it.
//!
//! An operation that can wait is an [`Attempt`]: a state machine whose steps never wait. From it
//! come the blocking form ([`block`]), the future ([`Drive`]) and, by way of the future, the
//! GAsyncResult form ([`Task`]).

mod answer;
mod owed;
mod reply;
#[cfg(test)]
mod simulation;
mod task;
mod transfer;

pub(crate) use answer::Answer;
pub(crate) use owed::{Owed, owing};
pub(crate) use reply::Reply;
pub(crate) use task::{
    Answers, Tag, TagOf, Task, finish, finish_size, finish_value, ready_callback,
};
pub(crate) use transfer::{Moving, Transfer};

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use gio::prelude::*;

use crate::{
    error,
    reactor::{self, CancelWatch, Engine, Interest, Registration, earlier, interleave},
    transport::{Attempted, Patience, Transport, Waiter},
};

/// How a step of an operation ended.
pub(crate) enum Progress<T> {
    Done(Result<T, glib::Error>),
    Wait(Wait),
    /// There is more to do, after others have had their turn.
    Yield,
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

    /// One step; it does not wait. What `registered` knows of the descriptor may spare system calls.
    fn attempt(&mut self, registered: Option<&Registration>) -> Progress<Self::Output>;

    /// What it would have to wait for, as far as `registered` tells, without a step.
    fn has_to_wait(&self, _registered: &Registration) -> Option<Interest> {
        None
    }

    /// What an earlier wait has left to say, which comes before a cancellation.
    fn left_over(&self) -> Option<glib::Error> {
        None
    }

    /// There will be no further step: cancelled, out of time, or closed.
    fn give_up(&mut self, _failure: Option<&glib::Error>) {}
}

/// The blocking view. It never iterates a main context.
pub(crate) fn block<A: Attempt>(
    operation: A,
    cancellable: Option<&gio::Cancellable>,
) -> Result<A::Output, glib::Error> {
    block_from(operation, None, cancellable)
}

/// Likewise for a transfer, most of which are done by one system call: nothing that a wait needs is set up before.
pub(crate) fn block_transfer(
    transport: Arc<Transport>,
    interest: Interest,
    cancellable: Option<&gio::Cancellable>,
    mut call: impl FnMut(&Transport, Patience) -> Attempted<usize>,
) -> Result<usize, glib::Error> {
    let mut first = None;
    if cancellable.is_none() {
        let moved = if transport.may_wait_in_call() {
            // It may last: nobody swaps the socket meanwhile.
            let _operation = transport.operation(interest.into());
            call(&transport, Patience::UntilDone)?
        } else {
            call(&transport, Patience::None)?
        };
        if let Some(moved) = moved {
            return Ok(moved);
        }
        first = Some(Wait::for_event(interest));
    }
    let transfer = Transfer::new(
        transport,
        interest,
        |transport: &Transport, _: Option<&Registration>| call(transport, Patience::None),
    );
    block_from(transfer, first, cancellable)
}

/// `first`: an attempt was made already, and has to wait.
fn block_from<A: Attempt>(
    mut operation: A,
    mut first: Option<Wait>,
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
        let wait = match first.take() {
            Some(wait) => wait,
            None => match operation.attempt(None) {
                Progress::Done(result) => return result,
                Progress::Yield => continue,
                Progress::Wait(wait) => wait,
            },
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
    wait: reactor::Wait,
    /// How the engine of the last poll watches the descriptor.
    registered: Option<(Arc<Engine>, Arc<Registration>)>,
    /// For a wait in which nobody looks at the descriptor.
    waiter: Option<Box<(Waiter, Waker)>>,
    ended: bool,
}

impl<A: Attempt> Drive<A> {
    pub(crate) fn new(operation: A, cancellable: Option<&gio::Cancellable>) -> Self {
        Self {
            wait: reactor::Wait::new(),
            operation,
            cancel: cancellable.map(CancelWatch::new),
            registered: None,
            waiter: None,
            ended: false,
        }
    }

    /// See [`Begin`](reactor::Begin).
    pub(crate) fn begin(&mut self, waker: &Waker) -> bool {
        let engine = Engine::current();
        self.follow(&engine);
        let interest = self
            .registered
            .as_ref()
            .and_then(|(_, registration)| self.operation.has_to_wait(registration));
        let Some(interest) = interest else {
            return false;
        };
        let deadline = self.operation.deadline();
        interleave();
        // Whatever else there is to say is the first poll's to say.
        !self.is_cancelled()
            && matches!(
                self.arm(Wait::for_event(interest), deadline, &engine, waker),
                Ok(false)
            )
            && !self.is_cancelled()
    }

    pub(crate) fn operation_mut(&mut self) -> &mut A {
        &mut self.operation
    }

    fn end(
        &mut self,
        result: Result<A::Output, glib::Error>,
    ) -> Poll<Result<A::Output, glib::Error>> {
        self.ended = true;
        self.wait.end();
        self.registered = None;
        self.waiter = None;
        self.cancel = None;
        Poll::Ready(result)
    }

    fn fail(&mut self, failure: glib::Error) -> Poll<Result<A::Output, glib::Error>> {
        self.operation.give_up(Some(&failure));
        self.end(Err(failure))
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelWatch::is_cancelled)
    }

    /// Forgets a registration that is of no use here and now, and takes one that is.
    fn follow(&mut self, engine: &Arc<Engine>) {
        if let Some((known, registration)) = &self.registered {
            if Arc::ptr_eq(known, engine) && !registration.is_ended() {
                return;
            }
            self.registered = None;
        }
        self.registered = self
            .operation
            .transport()
            .known_registration(engine)
            .map(|known| (engine.clone(), known));
    }

    /// Answers whether the descriptor is ready already.
    fn arm(
        &mut self,
        wait: Wait,
        deadline: Option<i64>,
        engine: &Arc<Engine>,
        waker: &Waker,
    ) -> Result<bool, glib::Error> {
        if let Some(cancel) = &mut self.cancel {
            cancel.wake(waker);
        }
        interleave();
        self.wait
            .until(earlier(wait.until, deadline), engine, waker);
        let Some(interest) = wait.interest else {
            return self.wait_for_close(waker).map(|()| false);
        };
        if self.registered.is_none() {
            let transport = self.operation.transport();
            let registration = transport.registration(engine, interest)?;
            self.registered = Some((engine.clone(), registration));
        }
        interleave();
        let registered = self.registered.as_ref();
        Ok(registered.is_some_and(|(_, registration)| {
            self.wait.for_descriptor(registration, interest, waker)
        }))
    }

    fn wait_for_close(&mut self, waker: &Waker) -> Result<(), glib::Error> {
        if !self
            .waiter
            .as_ref()
            .is_some_and(|waiter| waiter.1.will_wake(waker))
        {
            let waiter = self.operation.transport().wake_on_close(waker);
            self.waiter = Some(Box::new((waiter, waker.clone())));
        }
        interleave();
        // After the place in the list of waiters was taken, so that a close in between is seen.
        self.operation.transport().enter().map(drop)
    }
}

// Nothing in it is pinned: the operation is a plain state machine.
impl<A: Attempt> Unpin for Drive<A> {}

impl<A: Attempt> Future for Drive<A> {
    type Output = Result<A::Output, glib::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let engine = Engine::current();
        loop {
            this.follow(&engine);
            if this.is_cancelled() {
                return this.fail(error::cancelled());
            }
            interleave();
            let registration = this.registered.as_ref().map(|(_, known)| &**known);
            let seen = registration.map(Registration::look);
            let wait = match this.operation.attempt(registration) {
                Progress::Done(result) => return this.end(result),
                Progress::Yield => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Progress::Wait(wait) => wait,
            };
            interleave();
            if let (Some(registration), Some(seen), Some(interest)) =
                (registration, seen, wait.interest)
            {
                registration.used_up(interest, seen);
            }
            let deadline = this.operation.deadline();
            if deadline.is_some_and(|deadline| reactor::now() >= deadline) {
                return this.fail(error::timed_out());
            }
            let armed = this.arm(wait, deadline, &engine, cx.waker());
            interleave();
            match armed {
                // Something has happened since the attempt.
                Ok(true) => {}
                // Cancelled while the watch was being set up: nobody may wake us any more.
                Ok(false) if this.is_cancelled() => return this.fail(error::cancelled()),
                Ok(false) => return Poll::Pending,
                Err(failure) => return this.fail(failure),
            }
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
