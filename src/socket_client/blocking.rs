//! The blocking form: the one way of connecting, on a main context of its own.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use super::run::{Advance, Ended, Run};
use crate::{fork::Birthplace, home::apart, thread};

/// How often the context is looked at for what a connect has left behind, which takes a few.
const MOST_ROUNDS: u32 = 100;

/// For how long a negotiation that was given up is waited for. It ends at once, unless its protocol is deaf to being
/// cancelled.
const PATIENCE: Duration = Duration::from_secs(1);

/// A context that no program knows of, and what wakes the thread that waits in it.
struct Private {
    context: glib::MainContext,
    birthplace: Birthplace,
    is_woken: AtomicBool,
    /// Each negotiation that is under way in the context has one of it.
    negotiations: Arc<()>,
}

thread_local! {
    /// Of the context that this thread is inside of.
    static NEGOTIATIONS: RefCell<Option<Arc<()>>> = const { RefCell::new(None) };

    /// The one of this thread, while nobody uses it: what was given up may take a while to end, and ends in it.
    static PRIVATE: Cell<Option<Arc<Private>>> = const { Cell::new(None) };
}

impl Wake for Private {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        // On our own thread too: a moment that has come is told before the context waits, which it would then do.
        self.context.wakeup();
    }
}

impl Private {
    /// # Errors
    ///
    /// As of [`thread::new_context`].
    fn take() -> Result<Arc<Self>, glib::Error> {
        let known = PRIVATE.try_with(Cell::take).ok().flatten();
        // A child would share what wakes it with its parent.
        if let Some(known) = known.filter(|known| !known.birthplace.is_elsewhere()) {
            return Ok(known);
        }
        Ok(Arc::new(Self {
            context: thread::new_context()?,
            birthplace: Birthplace::here(),
            is_woken: AtomicBool::new(false),
            negotiations: Arc::default(),
        }))
    }

    /// With the context as the thread's default one, so that what is started here ends here.
    fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Back(Option<Arc<()>>);
        impl Drop for Back {
            fn drop(&mut self) {
                let _ = NEGOTIATIONS.try_with(|of| of.replace(self.0.take()));
            }
        }
        let own = Some(self.negotiations.clone());
        let _back = Back(NEGOTIATIONS.try_with(|of| of.replace(own)).ok().flatten());
        apart(&self.context, f).expect("no other thread knows the context")
    }

    fn advance(self: &Arc<Self>, run: &mut Run) -> Poll<Advance> {
        let waker = Waker::from(self.clone());
        self.inside(|| run.advance(&mut Context::from_waker(&waker)))
    }

    fn wait(&self) {
        self.inside(|| {
            while !self.is_woken.swap(false, Ordering::AcqRel) {
                self.context.iteration(true);
            }
        });
    }

    /// A handshake is in another thread of GIO's, which ends a moment after it was cancelled. Its answer has the connection, and
    /// would have it for ever where this thread ends and nobody runs the context any more.
    fn see_negotiations_off(&self) {
        // One is ours, and one this thread's.
        let is_under_way = || Arc::strong_count(&self.negotiations) > 2;
        if !is_under_way() {
            return;
        }
        let is_late = Arc::new(AtomicBool::new(false));
        let late = is_late.clone();
        let limit = glib::timeout_source_new(PATIENCE, None, glib::Priority::HIGH, move || {
            late.store(true, Ordering::Release);
            glib::ControlFlow::Break
        });
        limit.attach(Some(&self.context));
        while is_under_way() && !is_late.load(Ordering::Acquire) {
            self.context.iteration(true);
        }
        limit.destroy();
    }

    /// `is_idle`: nothing has been left under way.
    fn put_back(self: Arc<Self>, is_idle: bool) {
        if !is_idle {
            // What was cancelled answers here, and goes. What does not end has time in the next wait.
            self.inside(|| {
                self.see_negotiations_off();
                (0..MOST_ROUNDS).all(|_| self.context.iteration(false))
            });
        }
        let _ = PRIVATE.try_with(|private| private.set(Some(self)));
    }
}

/// For a negotiation that begins: kept until its end, it is waited for where nobody else would.
pub(super) fn negotiation() -> Option<Arc<()>> {
    NEGOTIATIONS
        .try_with(|of| of.borrow().clone())
        .ok()
        .flatten()
}

/// Runs it; handlers and what they find as the thread's default context are the caller's.
pub(super) fn block(mut run: Run) -> Ended {
    run.begin();
    let private = Private::take();
    let mut has_waited = false;
    let outcome = loop {
        // What is known already needs no context.
        let advance = match (run.known(), &private) {
            (Some(known), _) => Poll::Ready(known),
            (None, Ok(private)) => private.advance(&mut run),
            (None, Err(failure)) => {
                // No descriptor is left for it, and so none for a socket.
                run.end(Err(failure.clone()));
                continue;
            }
        };
        match advance {
            Poll::Pending => {
                has_waited = true;
                private.iter().for_each(|private| private.wait());
            }
            Poll::Ready(Advance::Call(call)) => run.call(call),
            Poll::Ready(Advance::Done(outcome)) => break run.ended(outcome),
        }
    };
    drop(run);
    if let Ok(private) = private {
        private.put_back(!has_waited && outcome.is_ok());
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;
    use crate::reactor::{Engine, Wait};

    #[test]
    fn a_moment_that_comes_before_the_wait_begins_ends_it() {
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let private = Private::take().expect("there are descriptors");
            let waker = Waker::from(private.clone());
            let mut wait = Wait::new();
            let moment = glib::monotonic_time() + 20_000;
            private.inside(|| wait.until(Some(moment), &Engine::current(), &waker));
            // That there is a first moment has woken the context, which knows of it from here on.
            private.inside(|| while private.context.iteration(false) {});
            while glib::monotonic_time() < moment {
                std::hint::spin_loop();
            }
            private.wait();
            ended.send(()).expect("somebody waits for it");
        });
        end.recv_timeout(Duration::from_secs(20))
            .expect("the wait ends");
    }
}
