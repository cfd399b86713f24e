//! The blocking form: the one way of connecting, on a main context of its own.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::run::{Advance, Ended, Run};
use crate::{fork::Birthplace, home::apart, thread};

/// How often the context is looked at for what a connect has left behind, which takes a few.
const MOST_ROUNDS: u32 = 100;

/// A context that no program knows of, and what wakes the thread that waits in it.
struct Private {
    context: glib::MainContext,
    birthplace: Birthplace,
    is_woken: AtomicBool,
}

thread_local! {
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
        }))
    }

    /// With the context as the thread's default one, so that what is started here ends here.
    fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
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

    /// `is_idle`: nothing has been left under way.
    fn put_back(self: Arc<Self>, is_idle: bool) {
        if !is_idle {
            // What was cancelled answers here, and goes. What does not end has time in the next wait.
            self.inside(|| (0..MOST_ROUNDS).all(|_| self.context.iteration(false)));
        }
        let _ = PRIVATE.try_with(|private| private.set(Some(self)));
    }
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
