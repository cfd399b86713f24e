//! Driving futures: by a task of the engine, and poll by poll.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::future::LocalBoxFuture;
use gsock::engine::{self, JoinError};

/// Runs `future` in a task of the engine. Nothing else wakes the context: a wake that is lost
/// is a test that does not end.
#[track_caller]
pub(crate) fn run<T: 'static>(
    context: &glib::MainContext,
    future: impl Future<Output = T> + 'static,
) -> T {
    value_of(context.block_on(engine::spawn_local(context, future)))
}

/// What a task has yielded; its panic goes on.
#[track_caller]
pub(crate) fn value_of<T>(joined: Result<T, JoinError>) -> T {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(error)) => panic!("{error}"),
    }
}

/// Runs `context` on a thread of its own, and `work` in a task there.
pub(crate) fn on_thread_of_its_own<T: 'static, R: Send + 'static>(
    work: impl FnOnce() -> LocalBoxFuture<'static, T> + Send + 'static,
    result: impl FnOnce(T) -> R + Send + 'static,
) -> std::thread::JoinHandle<R> {
    std::thread::spawn(move || {
        let context = glib::MainContext::new();
        context
            .with_thread_default(|| result(run(&context, work())))
            .expect("a new context has no owner")
    })
}

/// Iterates `context` until `done`, by whatever wakes it alone.
pub(crate) fn until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    while !done() {
        context.iteration(true);
    }
}

/// A waker that counts how often it was woken, and knows who holds it.
#[derive(Default)]
pub(crate) struct Bell(AtomicUsize);

impl Bell {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How many hold a waker of it.
    pub(crate) fn held(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }

    /// Polls a future once, with a waker of its own.
    pub(crate) fn poll<F: Future + ?Sized>(
        self: &Arc<Self>,
        future: &mut std::pin::Pin<Box<F>>,
    ) -> Poll<F::Output> {
        let waker = Waker::from(self.clone());
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a poll has yielded.
#[track_caller]
pub(crate) fn done<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("still pending"),
    }
}

/// Counts the polls of a future.
pub(crate) async fn counted<F: Future>(polls: Rc<Cell<usize>>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

/// Lets the other tasks of the engine run.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Numbers that look random and are the same in each run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}
