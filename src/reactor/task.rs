//! A future driven by a source of its own.

#![allow(
    unsafe_code,
    reason = "moves thread-bound values through Send containers, checked"
)]

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    mem::ManuallyDrop,
    os::fd::RawFd,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use once_cell::sync::OnceCell;

use super::{
    source::{Events, FdTag, Source},
    wait::Gone,
};

/// What wakes a spawned future: its source, and what the next dispatch must know.
pub(super) struct Task {
    source: OnceCell<Source>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    woken: bool,
    hosted: Option<Hosted>,
}

/// The one wait that the task's own source carries.
struct Hosted {
    /// Which wait.
    id: u64,
    fd: Option<(RawFd, Events, FdTag)>,
    until: Option<i64>,
    gone: Arc<dyn Gone>,
    /// Asked for since the last poll began; a wait nobody asks for any more must not fire for ever.
    fresh: bool,
}

impl Task {
    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data: a panic while it was held left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> &Source {
        self.source
            .get()
            .expect("set before the source is attached")
    }

    /// The task whose future is being polled on this thread by this very waker.
    pub(super) fn current(waker: &Waker) -> Option<Arc<Self>> {
        CURRENT.with_borrow(|current| {
            // Combinators hand their own wakers down; those are woken through a source apart.
            current
                .as_ref()
                .filter(|task| waker.data() == Arc::as_ptr(task).cast())
                .cloned()
        })
    }

    /// Carries the wait `id`, unless there is another one already: answers whether it does.
    pub(super) fn host(
        &self,
        id: u64,
        fd: Option<(RawFd, Events)>,
        until: Option<i64>,
        gone: &Arc<dyn Gone>,
    ) -> bool {
        let mut state = self.state();
        let mut carried = None;
        if let Some(hosted) = &mut state.hosted {
            if hosted.id != id {
                return false;
            }
            carried = hosted.fd.take();
        }
        let fd = match (carried, fd) {
            (Some((fd, events, tag)), Some(wanted)) if (fd, events) == wanted => {
                Some((fd, events, tag))
            }
            (carried, wanted) => {
                carried
                    .into_iter()
                    .for_each(|(_, _, tag)| self.source().remove_fd(tag));
                wanted.map(|(fd, events)| (fd, events, self.source().add_fd(fd, events)))
            }
        };
        state.hosted = Some(Hosted {
            id,
            fd,
            until,
            gone: gone.clone(),
            fresh: true,
        });
        true
    }

    /// The wait `id` is over.
    pub(super) fn unhost(&self, id: u64) {
        let hosted = {
            let mut state = self.state();
            if state.hosted.as_ref().is_none_or(|hosted| hosted.id != id) {
                return;
            }
            state.hosted.take()
        };
        if let Some((_, _, tag)) = hosted.and_then(|hosted| hosted.fd) {
            self.source().remove_fd(tag);
        }
    }

    /// Before a poll: whoever waits on must ask again.
    fn begin(&self) {
        let mut state = self.state();
        state.woken = false;
        if let Some(hosted) = &mut state.hosted {
            hosted.fresh = false;
        }
    }

    /// After a poll that left the future pending.
    fn end(&self, source: &Source) {
        let mut state = self.state();
        if let Some(hosted) = &mut state.hosted
            && !hosted.fresh
        {
            // It has fired, or something else has. Once: the descriptor may stay ready.
            if let Some((_, _, tag)) = hosted.fd
                && source.query_fd(tag) != Events::NONE
            {
                hosted.fd = None;
                source.remove_fd(tag);
            }
            let passed = |until: &i64| *until <= glib::monotonic_time();
            hosted.until = hosted.until.filter(|until| !passed(until));
        }
        let until = state.hosted.as_ref().and_then(|hosted| hosted.until);
        source.set_ready_time(if state.woken { Some(0) } else { until });
    }

    /// Before the context waits: whether the descriptor was closed by somebody who wakes nobody.
    fn is_stranded(&self) -> bool {
        let gone = match &self.state().hosted {
            Some(Hosted {
                fd: Some(_), gone, ..
            }) => gone.clone(),
            _ => return false,
        };
        gone.is_gone()
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state();
        state.woken = true;
        // Under the lock, so that the end of a poll on another thread cannot put it off again.
        self.source().set_ready_time(Some(0));
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Task>>> = const { RefCell::new(None) };
}

/// Makes [`Task::current`] true for the time of a poll, and the outer one again afterwards.
struct Polling(Option<Arc<Task>>);

impl Polling {
    fn enter(task: &Arc<Task>) -> Self {
        Self(CURRENT.replace(Some(task.clone())))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        let _ended = CURRENT.replace(self.0.take());
    }
}

/// Runs `future` on `context` at `priority`, its first poll in a dispatch.
///
/// Nobody need own the context now. When the context is destroyed first, the future is dropped.
pub(crate) fn spawn(
    context: &glib::MainContext,
    priority: glib::Priority,
    future: impl Future<Output = ()> + Send + 'static,
) {
    let task = Arc::new(Task {
        source: OnceCell::new(),
        state: Mutex::default(),
    });
    let mut future: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = Some(Box::pin(future));
    let (asked, driven) = (Arc::downgrade(&task), task.clone());
    let stranded = move |_: &Source| asked.upgrade().is_some_and(|task| task.is_stranded());
    let source = Source::with_hook(priority, stranded, move |source| {
        driven.begin();
        let waker = Waker::from(driven.clone());
        let poll = || {
            let polling = Polling::enter(&driven);
            let running = future.as_mut()?;
            if running
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                future = None;
            }
            drop(polling);
            Some(())
        };
        // What the future starts belongs to this context, as GTask has it around its callbacks. The
        // thread that dispatches owns the context, so that this does not fail.
        if let Some(context) = source.context() {
            let _polled = context.with_thread_default(poll);
        }
        if future.is_none() {
            return false;
        }
        driven.end(source);
        true
    });
    source.set_ready_time(Some(0));
    // The source's closure and the task keep each other alive until the source is destroyed, which
    // its end, a panic and the context's end all do.
    let source = task.source.get_or_init(|| source);
    source.attach(context);
}

/// A future that is not `Send` in a place that must be: it is polled and dropped on the thread
/// of its first poll only.
///
/// Polled elsewhere it stays pending; dropped elsewhere it is leaked, because running the user's
/// code there would be unsound.
pub(crate) struct Local<F: Future> {
    thread: OnceCell<usize>,
    future: ManuallyDrop<Pin<Box<F>>>,
}

// SAFETY: the future is touched only on one thread, which `poll` and `drop` check; until the first
// poll it must not hold anything thread-bound, which `where_polled` demands of its callers.
unsafe impl<F: Future> Send for Local<F> {}

impl<F: Future> Local<F> {
    /// Bound to the thread that makes it.
    pub(crate) fn here(future: F) -> Self {
        let local = Self {
            thread: OnceCell::new(),
            future: ManuallyDrop::new(Box::pin(future)),
        };
        // The cell is new, so this cannot fail.
        let _ = local.thread.set(glib::thread_guard::thread_id());
        local
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
        let here = glib::thread_guard::thread_id();
        if *self.thread.get_or_init(|| here) != here {
            return Poll::Pending;
        }
        self.future.as_mut().poll(cx)
    }
}

impl<F: Future> Drop for Local<F> {
    fn drop(&mut self) {
        let here = glib::thread_guard::thread_id();
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
        let thread = glib::thread_guard::thread_id();
        Self {
            thread,
            value: ManuallyDrop::new(value),
            taken: false,
        }
    }

    /// The value, or `None` on another thread than the one that made it.
    pub(crate) fn take(mut self) -> Option<T> {
        if self.thread != glib::thread_guard::thread_id() {
            return None;
        }
        self.taken = true;
        // SAFETY: `taken` keeps `drop` away from it.
        Some(unsafe { ManuallyDrop::take(&mut self.value) })
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.taken && self.thread == glib::thread_guard::thread_id() {
            // SAFETY: neither taken nor dropped before.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
