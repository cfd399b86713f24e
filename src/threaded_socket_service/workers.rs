//! Threads that do jobs. It knows neither objects nor sockets.
//!
//! A job goes to a thread that has nothing to do, else to a new one, up to a limit; else it waits for the next
//! thread that is free. A thread that has had nothing to do for a while ends. Where a thread cannot be
//! made the job waits all the same: nothing that was handed over is lost.

use std::{
    collections::VecDeque,
    fmt, io,
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// For how long a thread waits for more.
const IDLE: Duration = Duration::from_secs(15);

/// What a thread does from its beginning to its end.
pub(super) type Body<J> = Box<dyn FnOnce(Jobs<J>) + Send>;

/// See the module's documentation. Once it is dropped, each thread ends when there is nothing more to do.
pub(super) struct Workers<J: Send + 'static>(Arc<Shared<J>>);

struct Shared<J: Send + 'static> {
    state: Mutex<State<J>>,
    /// There is a job, or will be none.
    news: Condvar,
    max: Option<NonZeroUsize>,
    idle: Duration,
    equip: Box<dyn Fn() -> io::Result<Body<J>> + Send + Sync>,
}

struct State<J> {
    jobs: VecDeque<J>,
    threads: usize,
    /// Those of the threads that have no job, or have just been made and have none yet.
    free: usize,
    is_over: bool,
}

impl<J: Send + 'static> Workers<J> {
    /// No thread yet, and never more than `max`. Each runs what `equip` gives it on the thread that hands a job
    /// over: a thread that lacked what it needs would have nobody to tell. It goes through the jobs.
    pub(super) fn new(
        max: Option<NonZeroUsize>,
        equip: impl Fn() -> io::Result<Body<J>> + Send + Sync + 'static,
    ) -> Self {
        Self::with_idle(max, IDLE, equip)
    }

    fn with_idle(
        max: Option<NonZeroUsize>,
        idle: Duration,
        equip: impl Fn() -> io::Result<Body<J>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                threads: 0,
                free: 0,
                is_over: false,
            }),
            news: Condvar::new(),
            max,
            idle,
            equip: Box::new(equip),
        }))
    }

    /// Hands a job over.
    ///
    /// # Errors
    ///
    /// No thread could be made for it: it waits until one is free, or for a [`grow`](Self::grow) that succeeds.
    pub(super) fn hand_over(&self, job: J) -> io::Result<()> {
        self.0.state().jobs.push_back(job);
        self.0.news.notify_one();
        self.grow()
    }

    /// Makes the threads that waiting jobs need.
    ///
    /// # Errors
    ///
    /// One could not be made.
    pub(super) fn grow(&self) -> io::Result<()> {
        while self.0.reserve() {
            let jobs = Jobs {
                shared: self.0.clone(),
                has_job: false,
                is_counted: true,
            };
            // Dropped where there is no thread to have it, which takes it out of the count.
            let body = (self.0.equip)()?;
            thread::Builder::new()
                .name(String::from("gsock-worker"))
                .spawn(move || body(jobs))?;
        }
        Ok(())
    }
}

impl<J: Send + 'static> Drop for Workers<J> {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.news.notify_all();
    }
}

impl<J> State<J> {
    /// Whether another thread would be of use, and is allowed.
    fn is_short(&self, max: Option<NonZeroUsize>) -> bool {
        self.jobs.len() > self.free && max.is_none_or(|max| self.threads < max.get())
    }
}

impl<J: Send + 'static> Shared<J> {
    fn state(&self) -> MutexGuard<'_, State<J>> {
        // Nothing of anybody's runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a thread that is about to be made, if one is needed.
    fn reserve(&self) -> bool {
        let mut state = self.state();
        let is_short = state.is_short(self.max);
        if is_short {
            state.threads += 1;
            state.free += 1;
        }
        is_short
    }
}

/// The jobs of one thread, one after the other. A job is done when the next one is asked for.
pub(super) struct Jobs<J: Send + 'static> {
    shared: Arc<Shared<J>>,
    has_job: bool,
    is_counted: bool,
}

impl<J: Send + 'static> Jobs<J> {
    fn leave(&mut self, state: &mut State<J>) {
        if self.is_counted {
            self.is_counted = false;
            state.threads -= 1;
            state.free -= usize::from(!self.has_job);
        }
    }
}

impl<J: Send + 'static> Iterator for Jobs<J> {
    type Item = J;

    fn next(&mut self) -> Option<J> {
        let shared = self.shared.clone();
        let mut state = shared.state();
        if self.has_job {
            self.has_job = false;
            state.free += 1;
        }
        let mut is_late = false;
        while self.is_counted {
            if let Some(job) = state.jobs.pop_front() {
                state.free -= 1;
                self.has_job = true;
                return Some(job);
            }
            if is_late || state.is_over {
                // Under the lock: nobody counts on this thread any more.
                self.leave(&mut state);
                break;
            }
            let waited = shared.news.wait_timeout(state, shared.idle);
            let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = again;
            is_late = timeout.timed_out();
        }
        None
    }
}

impl<J: Send + 'static> Drop for Jobs<J> {
    fn drop(&mut self) {
        let shared = self.shared.clone();
        self.leave(&mut shared.state());
    }
}

impl<J: Send + 'static> fmt::Debug for Workers<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        f.debug_struct("Workers")
            .field("max", &self.0.max)
            .field("threads", &state.threads)
            .field("free", &state.free)
            .field("waiting", &state.jobs.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
    };

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    type Job = Box<dyn FnOnce() + Send>;

    fn max(max: usize) -> Option<NonZeroUsize> {
        NonZeroUsize::new(max)
    }

    fn run(jobs: Jobs<Job>) {
        for job in jobs {
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as it is asked for")]
    fn equipped() -> io::Result<Body<Job>> {
        Ok(Box::new(run))
    }

    fn workers(limit: Option<NonZeroUsize>) -> Workers<Job> {
        Workers::new(limit, equipped)
    }

    fn wait_for(what: impl Fn() -> bool) {
        let end = std::time::Instant::now() + LIMIT;
        while !what() {
            assert!(std::time::Instant::now() < end, "not in time");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn threads(workers: &Workers<Job>) -> usize {
        workers.0.state().threads
    }

    #[test]
    fn each_job_is_done_once() {
        let workers = workers(max(3));
        let (sender, done) = mpsc::channel();
        for number in 0..1000 {
            let sender = sender.clone();
            let job = move || sender.send(number).unwrap();
            workers.hand_over(Box::new(job)).unwrap();
        }
        drop(sender);
        let mut seen: Vec<i32> = done.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        assert!(threads(&workers) <= 3);
    }

    #[test]
    fn no_more_run_at_once_than_there_may_be_threads() {
        let workers = workers(max(2));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (sender, done) = mpsc::channel();
        for _ in 0..20 {
            let (now, most, sender) = (now.clone(), most.clone(), sender.clone());
            let job = move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                now.fetch_sub(1, Ordering::SeqCst);
                sender.send(()).unwrap();
            };
            workers.hand_over(Box::new(job)).unwrap();
        }
        drop(sender);
        assert_eq!(done.iter().count(), 20);
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    #[test]
    fn without_a_limit_each_job_has_a_thread_at_once() {
        let workers = workers(None);
        let (come, came) = mpsc::channel();
        let stops: Vec<_> = (0..50)
            .map(|_| {
                let (stop, stopped) = mpsc::channel::<()>();
                let come = come.clone();
                let job = move || {
                    come.send(()).unwrap();
                    let _ = stopped.recv();
                };
                workers.hand_over(Box::new(job)).unwrap();
                stop
            })
            .collect();
        for _ in 0..50 {
            came.recv_timeout(LIMIT).unwrap();
        }
        assert_eq!(threads(&workers), 50);
        drop(stops);
    }

    #[test]
    fn a_free_thread_is_used_again() {
        let workers = workers(None);
        let (sender, ids) = mpsc::channel();
        for _ in 0..5 {
            let sender = sender.clone();
            let job = move || sender.send(thread::current().id()).unwrap();
            workers.hand_over(Box::new(job)).unwrap();
            wait_for(|| {
                let state = workers.0.state();
                state.jobs.is_empty() && state.free == state.threads
            });
        }
        drop(sender);
        let ids: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_thread_that_has_nothing_to_do_ends_and_the_next_job_gets_another() {
        let workers = Workers::with_idle(max(1), Duration::from_millis(5), equipped);
        for _ in 0..3 {
            let (sender, done) = mpsc::channel();
            let job: Job = Box::new(move || sender.send(()).unwrap());
            workers.hand_over(job).unwrap();
            done.recv_timeout(LIMIT).unwrap();
            wait_for(|| threads(&workers) == 0);
        }
    }

    #[test]
    fn jobs_come_and_threads_end_at_the_same_moment_and_none_is_left_waiting() {
        let workers = Workers::with_idle(max(2), Duration::from_micros(50), equipped);
        for _ in 0..2000 {
            let (sender, done) = mpsc::channel();
            let job: Job = Box::new(move || sender.send(()).unwrap());
            workers.hand_over(job).unwrap();
            done.recv_timeout(LIMIT).unwrap();
        }
    }

    #[test]
    fn a_job_that_panics_costs_no_thread() {
        let workers = workers(max(1));
        for _ in 0..5 {
            // Not by a macro, which would write.
            let job = || std::panic::resume_unwind(Box::new(()));
            workers.hand_over(Box::new(job)).unwrap();
        }
        let (sender, done) = mpsc::channel();
        let job = move || sender.send(()).unwrap();
        workers.hand_over(Box::new(job)).unwrap();
        done.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn where_a_thread_lacks_something_the_job_waits() {
        let lacks = Arc::new(AtomicUsize::new(2));
        let left = lacks.clone();
        let workers: Workers<Job> = Workers::new(max(1), move || {
            if left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
            {
                return Err(io::Error::other("something"));
            }
            equipped()
        });
        let (sender, done) = mpsc::channel();
        let job: Job = Box::new(move || sender.send(()).unwrap());
        assert!(workers.hand_over(job).is_err());
        assert_eq!(threads(&workers), 0);
        assert!(workers.grow().is_err());
        workers.grow().unwrap();
        done.recv_timeout(LIMIT).unwrap();
        assert_eq!(lacks.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_body_that_goes_without_a_word_is_no_thread_any_more() {
        // It takes one job and leaves.
        let workers: Workers<Job> = Workers::new(max(1), || {
            Ok(Box::new(|mut jobs: Jobs<Job>| {
                if let Some(job) = jobs.next() {
                    job();
                }
            }))
        });
        for _ in 0..3 {
            let (sender, done) = mpsc::channel();
            let job: Job = Box::new(move || sender.send(()).unwrap());
            workers.hand_over(job).unwrap();
            wait_for(|| workers.grow().is_ok() && done.try_recv().is_ok());
            wait_for(|| threads(&workers) == 0);
        }
    }

    #[test]
    fn dropped_it_ends_its_threads_after_what_was_handed_over() {
        let workers = workers(max(1));
        let shared = Arc::downgrade(&workers.0);
        let (sender, done) = mpsc::channel();
        for _ in 0..10 {
            let sender = sender.clone();
            let job = move || sender.send(()).unwrap();
            workers.hand_over(Box::new(job)).unwrap();
        }
        drop((sender, workers));
        assert_eq!(done.iter().count(), 10);
        wait_for(|| shared.upgrade().is_none());
    }

    #[test]
    fn its_last_holder_may_be_a_job_of_its_own() {
        let workers = Arc::new(workers(max(1)));
        let shared = Arc::downgrade(&workers.0);
        let (go, may_go) = mpsc::channel::<()>();
        let own = workers.clone();
        let job = move || {
            let _ = may_go.recv();
            drop(own);
        };
        workers.hand_over(Box::new(job)).unwrap();
        drop(workers);
        drop(go);
        wait_for(|| shared.upgrade().is_none());
    }

    #[test]
    fn it_is_short_only_of_threads_that_it_may_make() {
        let workers = workers(max(1));
        let is_short = || workers.0.state().is_short(workers.0.max);
        assert!(!is_short());
        let (stop, stopped) = mpsc::channel::<()>();
        let job = move || {
            let _ = stopped.recv();
        };
        workers.hand_over(Box::new(job)).unwrap();
        assert!(!is_short());
        workers.hand_over(Box::new(|| {})).unwrap();
        assert!(!is_short(), "it may make no more");
        drop(stop);
    }
}
