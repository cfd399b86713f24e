//! Closing a base stream, before its socket.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::prelude::*;

use crate::{
    error,
    operation::until_cancelled,
    reactor::{CancelWatch, Engine, Wait},
    subclass::socket_connection::first_then_cancelled,
    transport::{DRAIN_SECONDS, Transport},
};

const PIECE: usize = 64 * 1024;

/// What a close has to do.
pub(super) struct Closing {
    pub(super) base: gio::IOStream,
    pub(super) transport: Arc<Transport>,
    /// Waits for the peer to end too.
    pub(super) is_graceful: bool,
}

impl Closing {
    /// For the wait for the peer, the whole of it.
    fn deadline(&self) -> i64 {
        self.transport
            .deadline_or(Some(DRAIN_SECONDS))
            .unwrap_or(i64::MAX)
    }

    pub(super) fn block(self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        if !self.is_graceful {
            return self.base.close(cancellable);
        }
        let drained = self.drain(cancellable);
        let closed = if has_waited_enough(&drained) {
            self.base.close(Some(&cancelled()))
        } else {
            self.base.close(cancellable)
        };
        drained.and(closed)
    }

    /// Says through the base stream that no more will come, then reads there and throws away until its end.
    fn drain(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        let limit = Limit::new(self.deadline(), &self.transport, cancellable)?;
        let stop = limit.cancellable();
        let drained = self
            .base
            .output_stream()
            .close(Some(stop))
            .and_then(|()| self.pass_end_on())
            .and_then(|is_open| {
                let input = self.base.input_stream();
                let mut scratch = vec![0; if is_open { PIECE } else { 0 }];
                while input.read(&mut scratch, Some(stop))? != 0 {}
                Ok(())
            });
        if limit.has_passed() {
            // Whatever it answers now may be our own doing.
            return Err(error::timed_out());
        }
        drained
    }

    /// Answers whether there is anything left to wait for.
    fn pass_end_on(&self) -> Result<bool, glib::Error> {
        match self.transport.shutdown_write() {
            Ok(()) => Ok(true),
            // The base stream's output has closed it all.
            Err(failure) if failure.matches(gio::IOErrorEnum::Closed) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

/// In a context that is thread-default: see [`in_context`].
pub(super) async fn close(
    closing: Closing,
    priority: glib::Priority,
    cancellable: Option<gio::Cancellable>,
) -> Result<(), glib::Error> {
    let mut drained = Ok(());
    if closing.is_graceful {
        let deadline = closing.deadline();
        let draining = within(deadline, drain(&closing, priority));
        drained = until_cancelled(draining, cancellable.clone()).await;
    }
    let patience = if has_waited_enough(&drained) {
        Some(cancelled())
    } else {
        cancellable
    };
    let output_was_closed = closing.base.output_stream().is_closed();
    // Dropped by a cancellation, which the base stream is told of: one that does not listen is not waited for.
    let closed = first_then_cancelled(closing.base.close_future(priority), patience).await;
    let closed = match closed {
        // Of a closed output stream GIO's own asynchronous close says so, and has closed the rest (F-7).
        Err(failure) if output_was_closed && failure.matches(gio::IOErrorEnum::Closed) => Ok(()),
        closed => closed,
    };
    drained.and(closed)
}

async fn drain(closing: &Closing, priority: glib::Priority) -> Result<(), glib::Error> {
    closing.base.output_stream().close_future(priority).await?;
    if !closing.pass_end_on()? {
        return Ok(());
    }
    let input = closing.base.input_stream();
    let mut scratch = vec![0; PIECE];
    loop {
        let (buffer, count) = input
            .read_future(scratch, priority)
            .await
            .map_err(|(_, failure)| failure)?;
        if count == 0 {
            return Ok(());
        }
        scratch = buffer;
    }
}

/// Whoever was cancelled, or has run out of time, does not wait in what follows.
fn has_waited_enough(drained: &Result<(), glib::Error>) -> bool {
    drained.as_ref().is_err_and(|failure| {
        failure.matches(gio::IOErrorEnum::Cancelled) || failure.matches(gio::IOErrorEnum::TimedOut)
    })
}

fn cancelled() -> gio::Cancellable {
    let cancellable = gio::Cancellable::new();
    cancellable.cancel();
    cancellable
}

async fn within<T>(
    deadline: i64,
    future: impl Future<Output = Result<T, glib::Error>>,
) -> Result<T, glib::Error> {
    let mut future = pin!(future);
    let mut timer = Wait::new();
    poll_fn(move |cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        if glib::monotonic_time() >= deadline {
            return Poll::Ready(Err(error::timed_out()));
        }
        timer.until(Some(deadline), &Engine::current(), cx.waker());
        Poll::Pending
    })
    .await
}

/// Polls `future` with `context` as the thread's default, so that what it starts ends there.
pub(crate) async fn in_context<T>(
    context: glib::MainContext,
    future: impl Future<Output = Result<T, glib::Error>>,
) -> Result<T, glib::Error> {
    let mut future = pin!(future);
    poll_fn(move |cx| {
        context
            .with_thread_default(|| future.as_mut().poll(cx))
            .unwrap_or_else(|_| Poll::Ready(Err(error::not_owned())))
    })
    .await
}

/// Ends a blocking operation of a base stream at a moment, whatever the stream's own timeouts are: it is
/// cancelled, and should it not listen, the socket under it is closed.
struct Limit {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Passes a cancellation of the caller's on.
    _watch: Option<CancelWatch>,
}

struct Shared {
    cancellable: gio::Cancellable,
    has_ended: Mutex<bool>,
    ended: Condvar,
    has_passed: AtomicBool,
}

impl Limit {
    /// # Errors
    ///
    /// That of a thread that cannot be had.
    fn new(
        deadline: i64,
        transport: &Arc<Transport>,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<Self, glib::Error> {
        let shared = Arc::new(Shared {
            cancellable: gio::Cancellable::new(),
            has_ended: Mutex::new(false),
            ended: Condvar::new(),
            has_passed: AtomicBool::new(false),
        });
        let watch = cancellable.map(|cancellable| {
            let mut watch = CancelWatch::new(cancellable);
            watch.wake(&shared.clone().into());
            watch
        });
        let (seen, transport) = (shared.clone(), transport.clone());
        let thread = thread::Builder::new()
            .name("gsock close".to_owned())
            .spawn(move || {
                if seen.is_over_before(deadline) {
                    return;
                }
                seen.has_passed.store(true, Ordering::Release);
                seen.cancellable.cancel();
                // In use, so that it is shut down first: who waits in a call does not see a descriptor go.
                let _used = transport.enter();
                let _ = transport.close();
            })
            .map_err(|failure| error::from_errno(failure.raw_os_error().unwrap_or(libc::EAGAIN)))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            _watch: watch,
        })
    }

    fn cancellable(&self) -> &gio::Cancellable {
        &self.shared.cancellable
    }

    fn has_passed(&self) -> bool {
        self.shared.has_passed.load(Ordering::Acquire)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        *self
            .shared
            .has_ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits for the end or the deadline, whichever comes first.
    fn is_over_before(&self, deadline: i64) -> bool {
        let mut has_ended = self
            .has_ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if *has_ended {
                return true;
            }
            let left = deadline.saturating_sub(glib::monotonic_time());
            let Ok(left @ 1..) = u64::try_from(left) else {
                return false;
            };
            has_ended = self
                .ended
                .wait_timeout(has_ended, Duration::from_micros(left))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// What the caller's cancellable does.
impl std::task::Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.cancellable.cancel();
    }
}
