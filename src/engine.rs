//! Running futures on a main context, beside everything else that runs there.
//!
//! Each [`glib::MainContext`] has one engine, made when it is used first. It watches all sockets of the
//! context at once and runs the tasks that were spawned here, so that neither the number of idle
//! connections nor that of waiting tasks costs anything. Futures of this crate also work in tasks of
//! [`glib::MainContext::spawn_local`] and in any other executor on the thread that owns the context;
//! each such task is a source of its own, which every iteration looks at.
//!
//! `GSOCK_BACK_END=sources` in the environment makes the engine watch each socket by a source of its
//! own, as it does where the system has no `epoll(7)`: slower, and useful to tell what a problem is due
//! to.
//!
//! ```
//! let context = glib::MainContext::new();
//! let task = gsock::engine::spawn_local(&context, async { 6 * 7 });
//! assert_eq!(context.block_on(task).ok(), Some(42));
//! ```

use std::{
    any::Any,
    error::Error,
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_task::{LocalFutureObj, LocalSpawn, SpawnError};

use crate::reactor::{Engine, Local, Spawned};

/// Runs `future` on `context`, from its next iteration on.
///
/// The future need not be `Send`: it is polled and dropped on the calling thread only. When the context is
/// destroyed first, or belongs to another thread later on, the future is not polled any more.
/// Dropping the handle leaves the task running.
///
/// # Panics
///
/// When another thread owns the context, as [`glib::MainContext::spawn_local`] does.
///
/// # Main context
///
/// While the task is polled, `context` is the thread-default context.
#[doc(alias = "gsock_engine_spawn_local")]
pub fn spawn_local<F: Future + 'static>(
    context: &glib::MainContext,
    future: F,
) -> JoinHandle<F::Output> {
    spawn_local_with_priority(context, glib::Priority::DEFAULT, future)
}

/// Like [`spawn_local`], for a task that comes when other sources of `priority` come.
#[doc(alias = "gsock_engine_spawn_local")]
pub fn spawn_local_with_priority<F: Future + 'static>(
    context: &glib::MainContext,
    priority: glib::Priority,
    future: F,
) -> JoinHandle<F::Output> {
    assert_owned(context);
    let outcome = Arc::new(Outcome::default());
    let ends = Ending(outcome.clone());
    let task = Local::here(async move {
        let ends = ends;
        let result = {
            let mut future = pin!(future);
            poll_fn(|cx| fenced(|| future.as_mut().poll(cx))).await
        };
        // The future is gone by now.
        ends.end(result);
    });
    let spawned = Engine::of(context).spawn(priority, task);
    JoinHandle {
        spawned,
        outcome,
        _thread: PhantomData,
    }
}

/// Spawns tasks on `context` through the traits of the `futures` crates.
#[doc(alias = "gsock_engine_spawner")]
pub fn spawner(context: &glib::MainContext) -> LocalSpawner {
    LocalSpawner(context.clone())
}

/// A panic is a result.
fn fenced<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, JoinError>> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(JoinError(Some(panic)))),
    }
}

fn assert_owned(context: &glib::MainContext) {
    let acquired = (!context.is_owner())
        .then(|| context.acquire().ok())
        .flatten();
    assert!(
        context.is_owner() || acquired.is_some(),
        "Spawning local tasks is only allowed on the thread that owns the main context"
    );
}

/// See [`spawner`].
#[derive(Clone, Debug)]
pub struct LocalSpawner(glib::MainContext);

impl LocalSpawn for LocalSpawner {
    /// # Errors
    ///
    /// `is_shutdown()` when another thread owns the context.
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status_local()?;
        drop(spawn_local(&self.0, future));
        Ok(())
    }

    fn status_local(&self) -> Result<(), SpawnError> {
        if self.0.is_owner() || self.0.acquire().is_ok() {
            Ok(())
        } else {
            Err(SpawnError::shutdown())
        }
    }
}

/// A task that was spawned; awaiting it yields what its future did.
///
/// Dropping it leaves the task running.
#[must_use = "the task runs on, but nobody learns of its result or its panic"]
pub struct JoinHandle<T> {
    spawned: Spawned,
    outcome: Arc<Outcome<T>>,
    /// What the future yields need not be `Send`.
    _thread: PhantomData<*const ()>,
}

impl<T> JoinHandle<T> {
    /// Ends the task: its future is dropped now, or as soon as it has returned if it is being polled. Awaiting
    /// it then yields an error, unless it had ended before.
    pub fn abort(&self) {
        self.spawned.cancel();
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outcome.state().ended
    }
}

// Nothing in it is pinned.
impl<T> Unpin for JoinHandle<T> {}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut state = self.outcome.state();
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        assert!(!state.ended, "polled again after the result was taken");
        let before = state.waker.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

struct Outcome<T>(Mutex<State<T>>);

struct State<T> {
    result: Option<Result<T, JoinError>>,
    ended: bool,
    waker: Option<Waker>,
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            result: None,
            ended: false,
            waker: None,
        }))
    }
}

impl<T> Outcome<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by the task: says how it has ended, at the latest when it is dropped.
struct Ending<T>(Arc<Outcome<T>>);

impl<T> Ending<T> {
    fn end(&self, result: Result<T, JoinError>) {
        let waker = {
            let mut state = self.0.state();
            if state.ended {
                return;
            }
            state.ended = true;
            state.result = Some(result);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.end(Err(JoinError(None)));
    }
}

/// Why a task has yielded nothing.
pub struct JoinError(Option<Box<dyn Any + Send>>);

impl JoinError {
    /// The task was aborted, or its main context is gone.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.0.is_none()
    }

    /// The future panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.0.is_some()
    }

    /// What the future panicked with, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// The error itself, if it is no panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        self.0.ok_or(Self(None))
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinError")
            .field("is_panic", &self.is_panic())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() {
            "the task panicked"
        } else {
            "the task was aborted"
        })
    }
}

impl Error for JoinError {}
