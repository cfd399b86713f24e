//! Waiting in a future: for a descriptor, or for a moment.

use std::{
    fmt, mem,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{
    clock::now,
    engine::Engine,
    events::Interest,
    registration::Registration,
    timers::{Moment, TimerKey},
    waiters::WaitId,
};

/// The wait of one future: for at most one descriptor and one moment at a time. Its end takes it out
/// of every list.
pub(crate) struct Wait {
    id: WaitId,
    /// Whether it is taken, and where, or where it was before.
    is_placed: bool,
    place: Option<(Arc<Registration>, Interest)>,
    timer: Option<(Arc<Engine>, TimerKey)>,
}

impl Wait {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            // After so many centuries nobody waits any more who has been there before.
            id: NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)),
            is_placed: false,
            place: None,
            timer: None,
        }
    }

    /// Wakes `waker` at the next change of the descriptor, or answers that there is one already.
    pub(crate) fn for_descriptor(
        &mut self,
        registration: &Arc<Registration>,
        interest: Interest,
        waker: &Waker,
    ) -> bool {
        let same = self.place.as_ref().is_some_and(|(known, its_interest)| {
            Arc::ptr_eq(known, registration) && *its_interest == interest
        });
        if !same {
            self.leave_place();
            self.place = Some((registration.clone(), interest));
        }
        self.is_placed = true;
        registration.wait(interest, self.id, waker)
    }

    /// Wakes `waker` when `moment` has come.
    pub(crate) fn until(&mut self, moment: Option<Moment>, engine: &Arc<Engine>, waker: &Waker) {
        let Some(moment) = moment else {
            return self.stop_timer();
        };
        let known = self.timer.as_ref().is_some_and(|(known, key)| {
            Arc::ptr_eq(known, engine)
                && key.moment() == moment
                && engine.core.is_timer_for(*key, waker)
        });
        if !known {
            self.stop_timer();
            let key = engine.set_timer(moment, waker);
            self.timer = Some((engine.clone(), key));
        }
    }

    fn leave_place(&mut self) {
        if mem::take(&mut self.is_placed)
            && let Some((registration, interest)) = &self.place
        {
            registration.stop_waiting(*interest, self.id);
        }
    }

    fn stop_timer(&mut self) {
        if let Some((engine, key)) = self.timer.take() {
            engine.core.remove_timer(key);
        }
    }

    pub(crate) fn end(&mut self) {
        self.leave_place();
        self.stop_timer();
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Until a moment.
pub(super) struct Sleep {
    moment: Moment,
    engine: Arc<Engine>,
    wait: Wait,
}

impl Sleep {
    pub(super) fn until(moment: Moment, engine: &Arc<Engine>) -> Self {
        Self {
            moment,
            engine: engine.clone(),
            wait: Wait::new(),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if now() >= self.moment {
            self.wait.end();
            return Poll::Ready(());
        }
        self.wait.until(Some(self.moment), &self.engine, cx.waker());
        Poll::Pending
    }
}

/// The first of two moments, each of which may be never.
pub(crate) fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}
