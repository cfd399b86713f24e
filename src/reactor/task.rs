//! A future that an engine runs.

#![allow(
    unsafe_code,
    reason = "a future in a cell that its state guards; thread-bound values through Send containers, checked"
)]

use std::{
    cell::UnsafeCell,
    fmt,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use once_cell::sync::OnceCell;

use super::{engine::Engine, interleave, slab::Key, turn::Turn};
use crate::{
    fence::{caught, fence},
    thread,
};

/// In no queue; whoever wakes it puts it into one.
const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
/// Woken while it was running: it runs again.
const WOKEN: u8 = 3;
/// Cancelled while it was running: its future is dropped when it returns.
const CANCELLED: u8 = 4;
const DONE: u8 = 5;

/// A task whose future's type is forgotten.
pub(super) trait Runnable: Send + Sync {
    fn priority(&self) -> glib::Priority;

    /// Polls the future once, on the thread that owns the context.
    fn run(self: Arc<Self>);

    /// Drops the future, on the calling thread; when it is being polled, right after that.
    fn cancel(&self);
}

/// A future that may know before its first poll that it has to wait.
pub(crate) trait Begin: Future<Output = ()> + Unpin {
    /// Takes its places among those who wait, if it has to: answers whether it does. It achieves nothing, and
    /// calls nothing out.
    fn begin(&mut self, waker: &Waker) -> bool;
}

/// The future is touched by whoever has moved the state to `RUNNING`, or from there or from a state in
/// which nobody has it to `DONE`.
pub(super) struct Task<F> {
    engine: Arc<Engine>,
    /// Its place among the engine's tasks.
    key: Key,
    priority: glib::Priority,
    state: AtomicU8,
    future: UnsafeCell<Option<F>>,
}

// SAFETY: `state` gives the future to one thread at a time, and it may move between them.
unsafe impl<F: Send> Sync for Task<F> {}

impl<F: Future<Output = ()> + Send + 'static> Task<F> {
    /// A task that is about to be queued.
    pub(super) fn new(
        engine: Arc<Engine>,
        key: Key,
        priority: glib::Priority,
        future: F,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            key,
            priority,
            state: AtomicU8::new(QUEUED),
            future: UnsafeCell::new(Some(future)),
        })
    }

    /// For a new task, before it is queued: answers whether it need not be, since it waits.
    pub(super) fn begin(self: &Arc<Self>) -> bool
    where
        F: Begin,
    {
        let begun =
            self.state
                .compare_exchange(QUEUED, RUNNING, Ordering::Acquire, Ordering::Relaxed);
        if begun.is_err() {
            // The engine's end was faster.
            return true;
        }
        // SAFETY: made `RUNNING` just now.
        let future = unsafe { &mut *self.future.get() };
        let waker = self.borrowed_waker();
        // A panic in it comes again when it is polled, or is over then.
        let waits = fence(|| future.as_mut().is_some_and(|future| future.begin(&waker)));
        let next = if waits == Some(true) { IDLE } else { QUEUED };
        interleave();
        let stopped =
            self.state
                .compare_exchange(RUNNING, next, Ordering::AcqRel, Ordering::Acquire);
        match stopped {
            Ok(_) => next == IDLE,
            Err(WOKEN) => {
                self.state.store(QUEUED, Ordering::Release);
                false
            }
            Err(_) => {
                self.state.store(DONE, Ordering::Release);
                // SAFETY: `DONE` by us.
                unsafe { self.drop_future() };
                true
            }
        }
    }

    /// A waker for the time of a poll, without a reference of its own.
    fn borrowed_waker(self: &Arc<Self>) -> ManuallyDrop<Waker> {
        let this = Arc::as_ptr(self);
        // SAFETY: made of an `Arc`. It is not dropped, so that the count is right without it; and it is borrowed from
        // by those only whom the caller's reference outlives.
        let this = unsafe { Arc::from_raw(this) };
        ManuallyDrop::new(Waker::from(this))
    }

    /// # Safety
    ///
    /// The state is `RUNNING`, and the caller has made it so.
    unsafe fn poll(self: &Arc<Self>) -> Poll<()> {
        // SAFETY: nobody else touches the future, as the caller says.
        let future = unsafe { &mut *self.future.get() };
        let Some(future) = future else {
            return Poll::Ready(());
        };
        // SAFETY: the future stays where it is, in an allocation of its own, until it is dropped.
        let future = unsafe { Pin::new_unchecked(future) };
        future.poll(&mut Context::from_waker(&self.borrowed_waker()))
    }

    /// # Safety
    ///
    /// The state is `DONE`, and the caller has made it so.
    unsafe fn drop_future(&self) {
        // SAFETY: nobody else touches the future, as the caller says. In place, as it is pinned.
        let dropped = caught(|| unsafe { *self.future.get() = None });
        if dropped.is_none() {
            glib::g_critical!("Gsock", "dropping a task panicked");
        }
        self.engine.forget_task(self.key);
    }
}

impl<F: Future<Output = ()> + Send + 'static> Runnable for Task<F> {
    fn priority(&self) -> glib::Priority {
        self.priority
    }

    fn run(self: Arc<Self>) {
        let begun =
            self.state
                .compare_exchange(QUEUED, RUNNING, Ordering::Acquire, Ordering::Relaxed);
        if begun.is_err() {
            return;
        }
        // SAFETY: made `RUNNING` just now.
        let polled = caught(|| unsafe { self.poll() });
        if polled.is_none() {
            glib::g_critical!("Gsock", "a task panicked; it has ended");
        }
        if !matches!(polled, Some(Poll::Pending)) {
            self.state.store(DONE, Ordering::Release);
            // SAFETY: `DONE` by us.
            return unsafe { self.drop_future() };
        }
        interleave();
        let stopped =
            self.state
                .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        match stopped {
            Ok(_) => {}
            Err(WOKEN) => {
                self.state.store(QUEUED, Ordering::Release);
                // Others first, and not only those of this engine.
                let engine = self.engine.clone();
                engine.put_off(self);
            }
            Err(_) => {
                self.state.store(DONE, Ordering::Release);
                // SAFETY: `DONE` by us.
                unsafe { self.drop_future() };
            }
        }
    }

    fn cancel(&self) {
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| match state {
                IDLE | QUEUED => Some(DONE),
                RUNNING | WOKEN => Some(CANCELLED),
                _ => None,
            });
        if matches!(before, Ok(IDLE | QUEUED)) {
            // SAFETY: `DONE` by us, from a state in which nobody touches the future.
            unsafe { self.drop_future() };
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Wake for Task<F> {
    fn wake(self: Arc<Self>) {
        if !self.becomes_queued() {
            return;
        }
        let engine = Arc::as_ptr(&self.engine);
        // SAFETY: the task keeps it until it is queued; and if that is in a turn of this thread, whoever has the turn
        // keeps it for longer.
        if let Some(turn) = Turn::of(unsafe { &*engine }) {
            return turn.queue(self);
        }
        let engine = self.engine.clone();
        engine.queue(self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.becomes_queued() {
            self.engine.queue(self.clone());
        }
    }
}

impl<F> Task<F> {
    /// Whether it is the caller's to put it into the queue.
    fn becomes_queued(&self) -> bool {
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| match state {
                IDLE => Some(QUEUED),
                RUNNING => Some(WOKEN),
                _ => None,
            });
        before == Ok(IDLE)
    }
}

/// A future that is not `Send` in a place that must be: it is polled and dropped on the thread
/// of its first poll only.
///
/// Polled elsewhere it stays pending; dropped elsewhere it is leaked, because running the user's
/// code there would be unsound.
pub(crate) struct Local<F: Future> {
    thread: OnceCell<usize>,
    /// In a box of its own, so that leaking it leaks the memory that it is pinned in.
    future: ManuallyDrop<Pin<Box<F>>>,
}

// SAFETY: the future is touched only on one thread, which `poll` and `drop` check; until the first
// poll it must not hold anything thread-bound, which `where_polled` demands of its callers.
unsafe impl<F: Future> Send for Local<F> {}

impl<F: Future> Local<F> {
    /// Bound to the thread that makes it.
    pub(crate) fn here(future: F) -> Self {
        Self {
            thread: OnceCell::with_value(thread::here()),
            future: ManuallyDrop::new(Box::pin(future)),
        }
    }

    /// Bound to the thread that polls it first.
    ///
    /// # Safety
    ///
    /// Before its first poll `future` must hold only what may move between threads.
    pub(crate) unsafe fn where_polled(future: F) -> Self {
        Self {
            thread: OnceCell::new(),
            future: ManuallyDrop::new(Box::pin(future)),
        }
    }
}

impl<F: Future> Future for Local<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let here = thread::here();
        if *self.thread.get_or_init(|| here) != here {
            return Poll::Pending;
        }
        self.future.as_mut().poll(cx)
    }
}

impl<F: Future> Drop for Local<F> {
    fn drop(&mut self) {
        let here = thread::here();
        if self.thread.get().is_none_or(|thread| *thread == here) {
            // SAFETY: dropped once, here; on the right thread, or never polled.
            unsafe { ManuallyDrop::drop(&mut self.future) };
        }
    }
}

impl<F: Future> fmt::Debug for Local<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}

/// Likewise for a future that need not be pinned, and has no box of its own: bound to the thread that makes it.
pub(crate) struct Bound<F: Future + Unpin> {
    thread: usize,
    future: ManuallyDrop<F>,
}

// SAFETY: the future is touched only on the thread that made it, which each method checks.
unsafe impl<F: Future + Unpin> Send for Bound<F> {}

impl<F: Future + Unpin> Bound<F> {
    pub(crate) fn here(future: F) -> Self {
        Self {
            thread: thread::here(),
            future: ManuallyDrop::new(future),
        }
    }

    fn is_here(&self) -> bool {
        self.thread == thread::here()
    }
}

impl<F: Future + Unpin> Future for Bound<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if !self.is_here() {
            return Poll::Pending;
        }
        Pin::new(&mut *self.future).poll(cx)
    }
}

impl<F: Begin> Begin for Bound<F> {
    fn begin(&mut self, waker: &Waker) -> bool {
        self.is_here() && self.future.begin(waker)
    }
}

impl<F: Future + Unpin> Drop for Bound<F> {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.future) };
        }
    }
}

impl<F: Future + Unpin> fmt::Debug for Bound<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}

/// A value that must be used up on the thread that made it, carried through any other.
///
/// Dropped elsewhere it is leaked: its destructor is the user's code.
pub(crate) struct Answer<T> {
    thread: usize,
    value: ManuallyDrop<T>,
    taken: bool,
}

// SAFETY: the value is reached only on the thread that made it; `take` and `drop` check.
unsafe impl<T> Send for Answer<T> {}

impl<T> Answer<T> {
    pub(crate) fn new(value: T) -> Self {
        let thread = thread::here();
        Self {
            thread,
            value: ManuallyDrop::new(value),
            taken: false,
        }
    }

    /// The value, or `None` on another thread than the one that made it.
    pub(crate) fn take(mut self) -> Option<T> {
        if self.thread != thread::here() {
            return None;
        }
        self.taken = true;
        // SAFETY: `taken` keeps `drop` away from it.
        Some(unsafe { ManuallyDrop::take(&mut self.value) })
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.taken && self.thread == thread::here() {
            // SAFETY: neither taken nor dropped before.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
