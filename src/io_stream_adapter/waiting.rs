//! Waiting for the stream: by blocking, in a task, and in a source of somebody else's.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Wake, Waker},
};

use gio::prelude::*;
use once_cell::sync::OnceCell;

use super::core::{Core, Side};
use crate::{
    error,
    operation::until_cancelled,
    reactor::{CancelWatch, Due, Handler, Source},
    thread,
    vfunc::ContextWaker,
};

/// Blocks this thread, and iterates nothing but a context of its own, in which a stream that waits in main
/// contexts waits.
pub(super) fn block<T>(
    core: &Core,
    cancellable: Option<&gio::Cancellable>,
    mut poll: impl FnMut(&Core, Option<&Waker>) -> Poll<Result<T, glib::Error>>,
) -> Result<T, glib::Error> {
    if cancellable.is_some_and(CancellableExt::is_cancelled) {
        return Err(error::cancelled());
    }
    if let Poll::Ready(result) = poll(core, None) {
        return result;
    }
    if core.is_going() {
        // Nobody is left who could wait.
        return Err(error::stream_closed());
    }
    if core.is_polled_here() {
        return Err(busy());
    }
    let context = thread::new_context()?;
    let waker = Waker::from(Arc::new(Wakes(context.clone())));
    let mut watch = cancellable.map(CancelWatch::new);
    let waited = context.with_thread_default(|| {
        loop {
            if let Poll::Ready(result) = poll(core, Some(&waker)) {
                return result;
            }
            if let Some(watch) = &mut watch {
                watch.wake(&waker);
                if watch.is_cancelled() {
                    return Err(error::cancelled());
                }
            }
            context.iteration(true);
        }
    });
    for side in [Side::Input, Side::Output] {
        core.forget(side, &waker);
    }
    core.unblock();
    waited.unwrap_or_else(|_| Err(error::not_owned()))
}

fn busy() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::Pending,
        "The stream is being polled, by whom it cannot wait for",
    )
}

struct Wakes(glib::MainContext);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.wakeup();
    }
}

/// A task's wait, in the context that was thread-default when it was asked for.
pub(super) async fn wait<T>(
    core: Arc<Core>,
    context: glib::MainContext,
    cancellable: Option<gio::Cancellable>,
    mut poll: impl FnMut(&Core, Option<&Waker>) -> Poll<Result<T, glib::Error>>,
) -> Result<T, glib::Error> {
    let mut place = Place {
        core: &core,
        waker: None,
    };
    let polling = poll_fn(|cx| {
        let polled = context
            .with_thread_default(|| poll(&core, Some(cx.waker())))
            .unwrap_or_else(|_| Poll::Ready(Err(error::not_owned())));
        place.keep(cx.waker(), polled.is_pending());
        polled
    });
    until_cancelled(polling, cancellable).await
}

/// One that waits no more has no place among those who do: the stream may never wake anybody.
struct Place<'a> {
    core: &'a Core,
    waker: Option<Waker>,
}

impl Place<'_> {
    fn keep(&mut self, waker: &Waker, waits: bool) {
        let is_known = self.waker.as_ref().is_some_and(|its| its.will_wake(waker));
        if waits && is_known {
            return;
        }
        self.give_up();
        self.waker = waits.then(|| waker.clone());
    }

    fn give_up(&mut self) {
        if let Some(waker) = self.waker.take() {
            for side in [Side::Input, Side::Output] {
                self.core.forget(side, &waker);
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Fires for as long as the stream is ready.
pub(super) fn readiness(core: &Arc<Core>, side: Side) -> Source {
    let handler = Arc::new(Readiness {
        core: core.clone(),
        side,
        told: AtomicBool::new(false),
        waker: OnceCell::new(),
    });
    Source::with_handler(glib::Priority::DEFAULT, handler, Box::new(())).named(c"gsock adapter")
}

struct Readiness {
    core: Arc<Core>,
    side: Side,
    /// That the stream is of no use any more.
    told: AtomicBool,
    /// Once the source is in use. It does not keep the context.
    waker: OnceCell<Arc<ContextWaker>>,
}

impl Readiness {
    fn is_ready(&self, source: &Source) -> bool {
        let Some(context) = source.context() else {
            return false;
        };
        let waker = self.waker.get_or_init(|| ContextWaker::new(&context));
        let waker = Waker::from(waker.clone());
        context
            .with_thread_default(|| self.core.is_ready(self.side, Some(&waker)))
            .unwrap_or(false)
    }
}

impl Handler for Readiness {
    fn prepare(&self, source: &Source) -> Due {
        let is_due = if self.core.is_of_no_use(self.side) {
            !self.told.load(Ordering::Acquire)
        } else {
            self.is_ready(source)
        };
        if is_due { Due::Now } else { Due::NotYet }
    }

    fn check(&self, source: &Source) -> bool {
        self.prepare(source) == Due::Now
    }

    fn dispatch(&self, _source: &Source) -> bool {
        if self.core.is_of_no_use(self.side) {
            // Once.
            self.told.store(true, Ordering::Release);
        }
        true
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        if let Some(waker) = self.waker.get() {
            self.core.forget(self.side, &Waker::from(waker.clone()));
        }
    }
}
