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
//! to. `GSOCK_BACK_END=poll-function` is [`use_poll_function`] for every context.
//!
//! ```
//! let context = glib::MainContext::new();
//! let task = gsock::engine::spawn_local(&context, async { 6 * 7 });
//! assert_eq!(context.block_on(task).ok(), Some(42));
//! ```

use std::{
    any::Any,
    cell::Cell,
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_task::{LocalFutureObj, LocalSpawn, SpawnError};

use crate::{
    fence::handed_on,
    reactor::{Engine, Local, Spawned},
};

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
    let (end, slot) = (Arc::new(End::default()), Slot::default());
    let result = slot.clone();
    let task = Local::here(async move {
        let yielded = {
            let mut future = pin!(future);
            poll_fn(|cx| fenced(|| future.as_mut().poll(cx))).await
        };
        result.set(Some(yielded));
    });
    let task = Ending {
        task,
        _end: EndOfTask(end.clone()),
    };
    let spawned = Engine::of(context).spawn(priority, task);
    JoinHandle { spawned, end, slot }
}

/// Spawns tasks on `context` through the traits of the `futures` crates.
///
/// # Examples
///
/// ```
/// use futures::task::LocalSpawnExt;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = glib::MainContext::new();
/// let answer = gsock::engine::spawner(&context).spawn_local_with_handle(async { 6 * 7 })?;
/// assert_eq!(context.block_on(answer), 42);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "gsock_engine_spawner")]
pub fn spawner(context: &glib::MainContext) -> LocalSpawner {
    LocalSpawner(context.clone())
}

/// Has `context` wait for its sockets by one system call in the place of two, or no longer. Off by default.
///
/// It sets the poll function of the context (`g_main_context_set_poll_func()`), of which there is one: a program
/// whose toolkit has its own may not want that. While sockets of this crate are all that the context waits
/// for, beside timers and idle sources, `epoll_wait(2)` does the work of `poll(2)` too, which makes the most of a
/// difference to a context that often has nothing to do. As long as there is any other descriptor to poll, the
/// function from before does it.
///
/// Turning on what is on, or off what is off, does nothing. Off sets the function from before. In a child process,
/// after `fork`, the context waits by that one until it is turned on there.
///
/// # Errors
///
/// In the domain of [`gio::IOErrorEnum`], and unless said otherwise nothing has changed:
/// * `NotSupported`: the system has no `epoll(7)`, or `GSOCK_BACK_END=sources` keeps it from being used;
/// * `Busy`: another thread owns the context; or somebody has set another poll function while this one was on. That
///   one stays. When this one was to be turned off it does nothing from now on, should it be called by
///   the other one; and it may be turned on again, around the other one;
/// * `NoSpace`: eight different functions from before are in use by the process;
/// * the error of `epoll_create1(2)`, such as `TooManyOpenFiles`.
///
/// # Main context
///
/// Called on the thread that owns `context`, or while nobody does.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), glib::Error> {
/// // That of a server: connections, timers, and nothing else.
/// let context = glib::MainContext::new();
/// gsock::engine::use_poll_function(&context, true)?;
/// let task = gsock::engine::spawn_local(&context, async { 6 * 7 });
/// assert_eq!(context.block_on(task).ok(), Some(42));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "gsock_engine_use_poll_function")]
#[doc(alias = "g_main_context_set_poll_func")]
pub fn use_poll_function(context: &glib::MainContext, on: bool) -> Result<(), glib::Error> {
    let _owned = context.acquire().map_err(|_| {
        glib::Error::new(
            gio::IOErrorEnum::Busy,
            "The main context is owned by another thread",
        )
    })?;
    Engine::of(context).use_poll_function(context, on)
}

/// A panic is a result.
fn fenced<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, JoinError>> {
    match handed_on(poll) {
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
    end: Arc<End>,
    slot: Slot<T>,
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
        self.end.state().ended
    }
}

// Nothing in it is pinned.
impl<T> Unpin for JoinHandle<T> {}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut state = self.end.state();
        if !state.ended {
            let before = state.waker.replace(waker);
            drop(state);
            drop(before);
            return Poll::Pending;
        }
        assert!(!state.taken, "polled again after the result was taken");
        state.taken = true;
        drop(state);
        // Without a result it was aborted, or its context has gone.
        Poll::Ready(self.slot.take().unwrap_or(Err(JoinError(None))))
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// What the task has yielded. It stays on the thread of the task.
type Slot<T> = Rc<Cell<Option<Result<T, JoinError>>>>;

/// Whether a task has ended, which any thread may say: the one on which its context goes.
#[derive(Default)]
struct End(Mutex<State>);

#[derive(Default)]
struct State {
    ended: bool,
    taken: bool,
    waker: Option<Waker>,
}

impl End {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that says when it has ended. The future goes first.
struct Ending<F> {
    task: F,
    _end: EndOfTask,
}

impl<F: Future<Output = ()> + Unpin> Future for Ending<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.task).poll(cx)
    }
}

struct EndOfTask(Arc<End>);

impl Drop for EndOfTask {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.state();
            state.ended = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
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
