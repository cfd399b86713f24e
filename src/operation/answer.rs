//! What C answers by a callback, as a future.
//!
//! gio-rs has such, and they end the process when the context has gone to another thread since, be it
//! only for the answer of a call that was cancelled.

#![allow(unsafe_code, reason = "ready callbacks are a C interface")]

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use gio::{
    ffi::{self as gio_ffi, GAsyncReadyCallback, GAsyncResult},
    prelude::*,
};
use glib::{ffi::gpointer, gobject_ffi::GObject, translate::ToGlibPtr};

use crate::{
    error,
    fence::{caught, fence_or},
    thread,
};

type Outcome<T> = Result<T, glib::Error>;
type Take<T> = unsafe fn(*mut GObject, *mut GAsyncResult) -> Outcome<T>;

struct Slot<T> {
    outcome: Option<Outcome<T>>,
    waker: Option<Waker>,
}

struct Shared<T> {
    /// The only one where the answer may be taken, if that is so.
    thread: Option<usize>,
    slot: Mutex<Slot<T>>,
}

impl<T> Shared<T> {
    fn slot(&self) -> MutexGuard<'_, Slot<T>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way. Dropping it cancels.
pub(crate) struct Answer<T> {
    shared: Arc<Shared<T>>,
    cancellable: gio::Cancellable,
    has_ended: bool,
}

struct Call<T, F> {
    shared: Arc<Shared<T>>,
    take: F,
}

impl<T> Answer<T> {
    /// `take` is called with the source object and the result of what `start` has started, on this thread. An
    /// answer on another one is forgotten.
    pub(crate) fn new(
        take: Take<T>,
        start: impl FnOnce(*mut gio_ffi::GCancellable, GAsyncReadyCallback, gpointer),
    ) -> Self {
        // SAFETY: called back with these, by what the caller has started.
        let take = move |object, result| unsafe { take(object, result) };
        Self::begin(Some(thread::here()), take, start)
    }

    /// The same, and `held` is dropped when the answer comes, be it forgotten or not.
    pub(crate) fn holding(
        held: impl Send,
        take: Take<T>,
        start: impl FnOnce(*mut gio_ffi::GCancellable, GAsyncReadyCallback, gpointer),
    ) -> Self {
        let take = move |object, result| {
            // SAFETY: called back with these, by what the caller has started.
            let outcome = unsafe { take(object, result) };
            drop(held);
            outcome
        };
        Self::begin(Some(thread::here()), take, start)
    }

    /// The same, whichever thread the answer comes on.
    pub(crate) fn of_any_thread<F>(
        take: F,
        start: impl FnOnce(*mut gio_ffi::GCancellable, GAsyncReadyCallback, gpointer),
    ) -> Self
    where
        T: Send,
        F: FnOnce(*mut GObject, *mut GAsyncResult) -> Outcome<T> + Send,
    {
        Self::begin(None, take, start)
    }

    fn begin<F>(
        thread: Option<usize>,
        take: F,
        start: impl FnOnce(*mut gio_ffi::GCancellable, GAsyncReadyCallback, gpointer),
    ) -> Self
    where
        F: FnOnce(*mut GObject, *mut GAsyncResult) -> Outcome<T>,
    {
        let shared = Arc::new(Shared {
            thread,
            slot: Mutex::new(Slot {
                outcome: None,
                waker: None,
            }),
        });
        let call = Call {
            shared: shared.clone(),
            take,
        };
        let cancellable = gio::Cancellable::new();
        start(
            cancellable.to_glib_none().0,
            Some(ready::<T, F>),
            Box::into_raw(Box::new(call)).cast(),
        );
        Self {
            shared,
            cancellable,
            has_ended: false,
        }
    }
}

impl<T> Answer<T> {
    /// It ends soon, one way or another.
    pub(crate) fn cancel(&self) {
        self.cancellable.cancel();
    }
}

unsafe extern "C" fn ready<T, F>(source: *mut GObject, result: *mut GAsyncResult, data: gpointer)
where
    F: FnOnce(*mut GObject, *mut GAsyncResult) -> Outcome<T>,
{
    // SAFETY: the box that `Answer::begin` made, called back once.
    let call = unsafe { Box::from_raw(data.cast::<Call<T, F>>()) };
    let Call { shared, take } = *call;
    if shared.thread.is_some_and(|thread| thread != thread::here()) {
        return;
    }
    let outcome = caught(move || take(source, result)).unwrap_or_else(|| {
        Err(error::failed(
            "The operation panicked when it was to be finished",
        ))
    });
    fence_or((), || {
        let waker = {
            let mut slot = shared.slot();
            slot.outcome = Some(outcome);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    });
}

impl<T> Future for Answer<T> {
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let outcome = {
            let mut slot = self.shared.slot();
            let outcome = slot.outcome.take();
            if outcome.is_none() {
                let before = slot.waker.replace(cx.waker().clone());
                drop(slot);
                drop(before);
                return Poll::Pending;
            }
            outcome
        };
        self.has_ended = true;
        outcome.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.cancellable.cancel();
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}
