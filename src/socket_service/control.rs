//! Whether a service accepts, and what it still has to do. It knows neither objects nor sockets, and any thread may
//! use it.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use crate::reactor::wake;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Control {
    state: Mutex<State>,
    /// With so many jobs under way no more connections are accepted.
    most_jobs: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// What the property says.
    is_active: bool,
    is_closed: bool,
    /// There is a task that accepts, or waits for that.
    has_task: bool,
    /// Of the task.
    waker: Option<Waker>,
    /// Connections that are in work beyond their emission.
    jobs: usize,
    /// A task has gone and left some.
    has_left_jobs: bool,
    /// Who waits until there is neither a task nor a job, each with his number.
    drains: Vec<(u64, Waker)>,
    next_drain: u64,
}

/// What the task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Accept,
    /// There are as many jobs as there may be.
    BeFull,
    /// It accepts no more, and there are jobs yet.
    WaitForJobs,
    /// It is no task any more.
    End,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                is_active: true,
                is_closed: false,
                has_task: false,
                waker: None,
                jobs: 0,
                has_left_jobs: false,
                drains: Vec::new(),
                next_drain: 0,
            }),
            most_jobs: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Control {
    /// Nothing that belongs to somebody else is called or dropped while it is held.
    fn state(&self) -> MutexGuard<'_, State> {
        // Each field is exchanged whole: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_active(&self) -> bool {
        self.state().is_active
    }

    /// Answers whether that is new. After [`close`](Self::close) it stays inactive.
    pub(super) fn set_active(&self, active: bool) -> bool {
        let waker = {
            let mut state = self.state();
            if state.is_active == active || (active && state.is_closed) {
                return false;
            }
            state.is_active = active;
            state.waker.take()
        };
        waker.into_iter().for_each(wake);
        true
    }

    /// It never accepts again. Answers whether it was active.
    pub(super) fn close(&self) -> bool {
        let (was_active, waker) = {
            let mut state = self.state();
            state.is_closed = true;
            let was_active = mem::replace(&mut state.is_active, false);
            (was_active, state.waker.take())
        };
        waker.into_iter().for_each(wake);
        was_active
    }

    /// Tells `to` whether it is active, before anybody can change that.
    pub(super) fn publish(&self, to: impl FnOnce(bool)) {
        to(self.state().is_active);
    }

    pub(crate) fn set_most_jobs(&self, most: usize) {
        self.most_jobs.store(most, Ordering::Release);
    }

    // --- The task --------------------------------------------------------------------------------

    /// Answers whether a task is needed, to accept or to look after jobs: the caller makes it. One that is there already
    /// looks again.
    /// `has_sockets` is asked under the lock.
    pub(super) fn begin_task(&self, has_sockets: impl FnOnce() -> bool) -> bool {
        let waker = {
            let mut state = self.state();
            if !state.has_task {
                state.has_task = state.jobs > 0 || (state.is_active && has_sockets());
                return state.has_task;
            }
            state.waker.take()
        };
        waker.into_iter().for_each(wake);
        false
    }

    /// What the task is to do now; `waker` is woken when that may have changed.
    pub(super) fn plan(&self, waker: &Waker, has_sockets: impl FnOnce() -> bool) -> Plan {
        // Somebody else's clone may do anything: not under the lock.
        let waker = waker.clone();
        let most = self.most_jobs.load(Ordering::Acquire);
        let (plan, before, drains) = {
            let mut state = self.state();
            let plan = match state.is_active && has_sockets() {
                true if state.jobs < most => Plan::Accept,
                true => Plan::BeFull,
                false if state.jobs > 0 => Plan::WaitForJobs,
                false => Plan::End,
            };
            if plan == Plan::End {
                state.has_task = false;
                (plan, state.waker.take(), mem::take(&mut state.drains))
            } else {
                (plan, state.waker.replace(waker), Vec::new())
            }
        };
        drop(before);
        drains.into_iter().for_each(|(_, waker)| wake(waker));
        plan
    }

    /// The task is gone, whatever it was at. Answers whether it leaves jobs behind, the first time.
    pub(super) fn end_task(&self) -> bool {
        let (before, drains, has_jobs) = {
            let mut state = self.state();
            state.has_task = false;
            let drains = state.drains_if_idle();
            let has_jobs = state.jobs > 0 && !mem::replace(&mut state.has_left_jobs, true);
            (state.waker.take(), drains, has_jobs)
        };
        drop(before);
        drains.into_iter().for_each(|(_, waker)| wake(waker));
        has_jobs
    }

    // --- Jobs ------------------------------------------------------------------------------------

    pub(crate) fn begin_job(&self) {
        self.state().jobs += 1;
    }

    pub(crate) fn end_job(&self) {
        let (waker, drains) = {
            let mut state = self.state();
            state.jobs -= 1;
            (state.waker.take(), state.drains_if_idle())
        };
        waker.into_iter().for_each(wake);
        drains.into_iter().for_each(|(_, waker)| wake(waker));
    }

    /// One who waits until there is neither a task nor a job.
    pub(super) fn drained(self: &Arc<Self>) -> Drained {
        let number = {
            let mut state = self.state();
            state.next_drain += 1;
            state.next_drain
        };
        Drained {
            control: self.clone(),
            number,
        }
    }
}

/// Ready when there is neither a task nor a job. Dropped before that it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Drained {
    control: Arc<Control>,
    number: u64,
}

impl Future for Drained {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let before = {
            let mut state = self.control.state();
            let before = state.take_drain(self.number);
            if !state.is_idle() {
                state.drains.push((self.number, waker));
                drop(state);
                drop(before);
                return Poll::Pending;
            }
            before
        };
        drop(before);
        Poll::Ready(())
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let waker = self.control.state().take_drain(self.number);
        drop(waker);
    }
}

impl State {
    fn is_idle(&self) -> bool {
        !self.has_task && self.jobs == 0
    }

    fn take_drain(&mut self, number: u64) -> Option<Waker> {
        let at = self.drains.iter().position(|(of, _)| *of == number)?;
        Some(self.drains.swap_remove(at).1)
    }

    fn drains_if_idle(&mut self) -> Vec<(u64, Waker)> {
        if self.is_idle() {
            mem::take(&mut self.drains)
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU32, task::Wake};

    use super::*;

    #[derive(Default)]
    struct Calls(AtomicU32);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counter() -> (Arc<Calls>, Waker) {
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(calls.clone());
        (calls, waker)
    }

    fn some() -> bool {
        true
    }

    fn none() -> bool {
        false
    }

    #[test]
    fn there_is_a_task_while_it_is_active_and_has_sockets() {
        let control = Control::default();
        let (_, waker) = counter();
        assert!(!control.begin_task(none));
        assert!(control.begin_task(some));
        assert!(!control.begin_task(some), "there is one");
        assert_eq!(control.plan(&waker, some), Plan::Accept);
        assert_eq!(control.plan(&waker, none), Plan::End);
        assert!(control.begin_task(some), "the one of before has ended");
        control.set_active(false);
        assert_eq!(control.plan(&waker, some), Plan::End);
        assert!(!control.begin_task(some));
    }

    #[test]
    fn the_task_is_woken_by_whatever_may_change_its_plan() {
        let control = Control::default();
        let (calls, waker) = counter();
        let woken = || calls.0.swap(0, Ordering::SeqCst);
        control.begin_task(some);
        let plan = || control.plan(&waker, some);
        plan();
        assert!(control.set_active(false));
        assert_eq!(woken(), 1);
        control.begin_job();
        assert_eq!(plan(), Plan::WaitForJobs);
        assert!(!control.set_active(false), "nothing new");
        assert_eq!(woken(), 0);
        assert!(control.set_active(true));
        assert_eq!(woken(), 1);
        plan();
        control.begin_task(some);
        assert_eq!(woken(), 1);
        plan();
        control.end_job();
        assert_eq!(woken(), 1);
        plan();
        assert!(control.close());
        assert_eq!(woken(), 1);
        assert_eq!(plan(), Plan::End);
        assert_eq!(Arc::strong_count(&calls), 2, "nobody keeps its waker");
    }

    #[test]
    fn closed_it_never_becomes_active_again() {
        let control = Control::default();
        assert!(control.close());
        assert!(!control.close());
        assert!(!control.set_active(true));
        assert!(!control.is_active());
        assert!(!control.begin_task(some));
    }

    #[test]
    fn at_the_limit_of_jobs_it_is_active_and_accepts_no_more() {
        let control = Control::default();
        let (_, waker) = counter();
        control.set_most_jobs(2);
        control.begin_task(some);
        control.begin_job();
        assert_eq!(control.plan(&waker, some), Plan::Accept);
        control.begin_job();
        assert_eq!(control.plan(&waker, some), Plan::BeFull);
        assert!(control.is_active());
        control.set_active(false);
        control.end_job();
        assert_eq!(control.plan(&waker, some), Plan::WaitForJobs);
        control.end_job();
        assert_eq!(control.plan(&waker, some), Plan::End);
        // A job has a task to look after it, whoever has brought it.
        control.begin_job();
        assert!(control.begin_task(none));
        assert_eq!(control.plan(&waker, none), Plan::WaitForJobs);
    }

    /// Who waits for the end, polled once with `waker` whenever it is asked.
    fn drained(control: &Arc<Control>) -> impl FnMut(&Waker) -> bool + use<> {
        let mut drained = control.drained();
        move |waker| {
            let mut cx = Context::from_waker(waker);
            Pin::new(&mut drained).poll(&mut cx).is_ready()
        }
    }

    #[test]
    fn it_is_drained_when_there_is_neither_a_task_nor_a_job() {
        let control = Arc::new(Control::default());
        let (calls, waker) = counter();
        let (_, of_task) = counter();
        let mut is_drained = drained(&control);
        assert!(is_drained(&waker), "nothing has begun");
        control.begin_task(some);
        control.begin_job();
        for _ in 0..3 {
            assert!(!is_drained(&waker));
        }
        control.set_active(false);
        control.plan(&of_task, some);
        assert!(!is_drained(&waker));
        control.end_job();
        assert!(!is_drained(&waker));
        assert_eq!(calls.0.load(Ordering::SeqCst), 0);
        control.plan(&of_task, some);
        assert_eq!(
            calls.0.load(Ordering::SeqCst),
            1,
            "once, though it has asked often"
        );
        assert!(is_drained(&waker));
    }

    #[test]
    fn who_waits_for_the_end_no_more_leaves_nothing_and_others_in_the_same_task_wait_on() {
        let control = Arc::new(Control::default());
        let (calls, waker) = counter();
        control.begin_job();
        let (mut one, mut other) = (drained(&control), drained(&control));
        assert!(!one(&waker) && !other(&waker));
        drop(one);
        control.end_job();
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
        assert!(other(&waker));
        control.begin_job();
        assert!(!other(&waker));
        drop(other);
        assert_eq!(Arc::strong_count(&calls), 2, "nobody keeps its waker");
    }

    #[test]
    fn who_waits_for_the_end_is_woken_where_he_was_polled_last() {
        let control = Arc::new(Control::default());
        let ((first, before), (second, after)) = (counter(), counter());
        control.begin_job();
        let mut is_drained = drained(&control);
        assert!(!is_drained(&before) && !is_drained(&after));
        control.end_job();
        let calls = [first, second].map(|calls| calls.0.load(Ordering::SeqCst));
        assert_eq!(calls, [0, 1]);
    }

    #[test]
    fn a_task_that_is_gone_before_its_jobs_leaves_it_undrained_until_they_are() {
        let control = Arc::new(Control::default());
        let (calls, waker) = counter();
        control.begin_task(some);
        control.begin_job();
        let mut is_drained = drained(&control);
        assert!(!is_drained(&waker));
        assert!(control.end_task());
        assert!(!control.end_task(), "said once");
        assert_eq!(calls.0.load(Ordering::SeqCst), 0);
        control.end_job();
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    }
}
