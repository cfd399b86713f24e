//! What an engine knows of descriptors and moments: no main context, no clock and no kernel but
//! those that it is given, so that a test can play all three.

use std::{
    collections::VecDeque,
    os::fd::RawFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, Ordering, fence},
    },
    task::Waker,
};

use super::{
    events::Events,
    poller::{BATCH, Poller, Report},
    registration::{Observer, Purpose, Registration},
    slab::Slab,
    timers::{Moment, TimerKey, Timers},
};

const NEVER: Moment = Moment::MAX;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Core<P> {
    pub(super) poller: P,
    registrations: Mutex<Slab<Arc<Registration>>>,
    timers: Mutex<Timers>,
    /// The first of `timers`, readable without the lock.
    next: AtomicI64,
}

/// What has come of looking: for the caller to deal with, without a lock.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) reports: Vec<Report>,
    pub(super) called: VecDeque<Waker>,
    /// Those whose peer may be gone.
    pub(super) departed: Vec<(Arc<Registration>, Events)>,
}

impl<P: Poller> Core<P> {
    pub(super) fn new(poller: P) -> Self {
        Self {
            poller,
            registrations: Mutex::new(Slab::new()),
            timers: Mutex::default(),
            next: AtomicI64::new(NEVER),
        }
    }

    fn registrations(&self) -> MutexGuard<'_, Slab<Arc<Registration>>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.registrations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        // Likewise.
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- Descriptors ---------------------------------------------------------------------------

    /// A registration that the poller does not know yet.
    pub(super) fn insert(
        &self,
        fd: RawFd,
        observer: Weak<dyn Observer>,
        purpose: Purpose,
    ) -> Arc<Registration> {
        let mut made = None;
        self.registrations().insert_with(|key| {
            let registration = Arc::new(Registration::new(key, fd, observer, purpose));
            made = Some(registration.clone());
            registration
        });
        made.unwrap_or_else(|| unreachable!("the slab has called for it"))
    }

    /// Forgets a registration, and hands out who waits for it. Answers whether it was known.
    pub(super) fn remove(&self, registration: &Registration, called: &mut VecDeque<Waker>) -> bool {
        let removed = self.registrations().remove(registration.key);
        registration.end(called);
        removed.is_some()
    }

    /// Forgets them all.
    pub(super) fn clear(&self) -> (Vec<Arc<Registration>>, VecDeque<Waker>) {
        let all = self.registrations().take_all();
        let mut called = VecDeque::new();
        for registration in &all {
            registration.end(&mut called);
        }
        (all, called)
    }

    /// Takes in what the poller has to say; answers whether it had anything, and whether it may have more.
    pub(super) fn look(&self, found: &mut Found) -> (bool, bool) {
        found.reports.clear();
        let has_more = self.poller.reports(&mut found.reports);
        let any = !found.reports.is_empty();
        if any {
            let registrations = self.registrations();
            for (key, events) in found.reports.drain(..) {
                if let Some(registration) = registrations.get(key) {
                    registration.report(events, &mut found.called);
                    // See `Registration::watch`.
                    fence(Ordering::SeqCst);
                    if registration.watches() && events.has(Events::GONE) {
                        found.departed.push((registration.clone(), events));
                    }
                }
            }
        }
        (any, has_more)
    }

    /// How many batches hold all that has happened until now, each descriptor being told of once.
    pub(super) fn batches(&self) -> usize {
        self.registrations().most().div_ceil(BATCH)
    }

    // --- Moments -------------------------------------------------------------------------------

    /// Answers whether it is the first now.
    pub(super) fn set_timer(&self, moment: Moment, waker: &Waker) -> (TimerKey, bool) {
        let waker = waker.clone();
        let mut timers = self.timers();
        let key = timers.insert(moment, waker);
        let is_first = moment < self.next.load(Ordering::Relaxed);
        if is_first {
            self.next.store(moment, Ordering::Release);
        }
        (key, is_first)
    }

    pub(super) fn is_timer_for(&self, key: TimerKey, waker: &Waker) -> bool {
        self.timers().is_for(key, waker)
    }

    pub(super) fn remove_timer(&self, key: TimerKey) {
        let mut timers = self.timers();
        let waker = timers.remove(key);
        if waker.is_some() {
            self.keep_next(&timers);
        }
        drop(timers);
        drop(waker);
    }

    fn keep_next(&self, timers: &Timers) {
        self.next
            .store(timers.next().unwrap_or(NEVER), Ordering::Release);
    }

    /// The first moment that somebody waits for.
    pub(super) fn next_moment(&self) -> Option<Moment> {
        Some(self.next.load(Ordering::Acquire)).filter(|next| *next != NEVER)
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.next.load(Ordering::Acquire) <= now
    }

    /// Hands out those whose moment has come.
    pub(super) fn fire(&self, now: Moment, called: &mut VecDeque<Waker>) {
        let mut timers = self.timers();
        timers.call(now, called);
        self.keep_next(&timers);
    }

    pub(super) fn clear_timers(&self) -> Vec<Waker> {
        let mut timers = self.timers();
        self.keep_next(&Timers::default());
        timers.clear()
    }
}
