//! What the adapter and its two streams share.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{
    ahead::Ahead,
    held::{Duplex, Held},
    waiters::{Waiters, number_of},
};
use crate::{error, fence::caught, thread};

/// How much is read to find out whether there is something to read.
const AHEAD: usize = 4096;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

pub(super) struct Core {
    /// The one thread on which the stream may be polled.
    thread: Option<usize>,
    state: Mutex<State>,
    readers: Arc<Waiters>,
    writers: Arc<Waiters>,
    /// The adapter is being dropped: nothing waits.
    going: AtomicBool,
}

struct State {
    stream: Stage,
    closed: [bool; 2],
    ahead: Ahead,
}

enum Stage {
    Here(Held),
    /// Being polled, by somebody on this thread or another.
    Away {
        /// By this thread.
        by: usize,
        /// Somebody else has come meanwhile.
        is_missed: bool,
    },
    /// Closed, or broken by a panic.
    Gone {
        has_panicked: bool,
    },
}

/// What has come of a poll.
enum Polled<T> {
    Answer(io::Result<T>),
    Pending,
    Refused(glib::Error),
    /// Not made: what was read ahead comes first.
    Behind,
}

impl Core {
    pub(super) fn new(stream: Held) -> Arc<Self> {
        Self::with(stream.thread(), Stage::Here(stream))
    }

    /// For an object that was not made around a stream.
    pub(super) fn dead() -> Arc<Self> {
        let gone = Stage::Gone {
            has_panicked: false,
        };
        Self::with(None, gone)
    }

    fn with(thread: Option<usize>, stream: Stage) -> Arc<Self> {
        Arc::new(Self {
            thread,
            state: Mutex::new(State {
                stream,
                closed: [false; 2],
                ahead: Ahead::default(),
            }),
            readers: Arc::default(),
            writers: Arc::default(),
            going: AtomicBool::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of anybody else's runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.thread.is_some_and(|thread| thread != thread::here())
    }

    /// Whether there is nothing to wait for any more: the next operation says so.
    pub(super) fn is_of_no_use(&self, side: Side) -> bool {
        let state = self.state();
        self.is_elsewhere()
            || state.closed[side as usize]
            || matches!(state.stream, Stage::Gone { .. })
    }

    /// Whether this is the stream's own poll, which nobody can wait for inside of it.
    pub(super) fn is_polled_here(&self) -> bool {
        matches!(self.state().stream, Stage::Away { by, .. } if by == thread::here())
    }

    fn waiters(&self, side: Side) -> &Arc<Waiters> {
        match side {
            Side::Input => &self.readers,
            Side::Output => &self.writers,
        }
    }

    /// Polls the stream; `waker` is woken when that is worth it again.
    fn poll<T>(
        &self,
        side: Side,
        waker: Option<&Waker>,
        f: impl FnOnce(Pin<&mut dyn Duplex>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Polled<T> {
        if self.is_elsewhere() {
            return Polled::Refused(error::elsewhere());
        }
        let waiters = self.waiters(side);
        waiters.begin(waker, number_of(&glib::MainContext::ref_thread_default()));
        let mut held = {
            let mut state = self.state();
            if side == Side::Input && state.ahead.is_something() {
                drop(state);
                waiters.end(waker);
                return Polled::Behind;
            }
            match &mut state.stream {
                Stage::Here(_) => {}
                Stage::Away { is_missed, .. } => {
                    *is_missed = true;
                    return Polled::Pending;
                }
                Stage::Gone { has_panicked } => {
                    let failure = if *has_panicked {
                        error::failed("The stream has panicked")
                    } else {
                        error::stream_closed()
                    };
                    drop(state);
                    waiters.end(waker);
                    return Polled::Refused(failure);
                }
            }
            let away = Stage::Away {
                by: thread::here(),
                is_missed: false,
            };
            match std::mem::replace(&mut state.stream, away) {
                Stage::Here(held) => held,
                // Seen above, under the same lock.
                _ => return Polled::Pending,
            }
        };
        let its = Waker::from(waiters.clone());
        let polled = caught(|| {
            let mut cx = Context::from_waker(&its);
            held.stream().map(|stream| f(stream, &mut cx))
        });
        self.put_back(held, polled.is_none());
        match polled {
            Some(Some(Poll::Pending)) => Polled::Pending,
            Some(Some(Poll::Ready(result))) => {
                waiters.end(waker);
                Polled::Answer(result)
            }
            Some(None) => Polled::Refused(error::elsewhere()),
            None => {
                glib::g_critical!("Gsock", "a stream panicked when it was polled");
                waiters.end(waker);
                Polled::Refused(error::failed("The stream has panicked"))
            }
        }
    }

    fn put_back(&self, held: Held, has_panicked: bool) {
        let (is_missed, ended) = {
            let mut state = self.state();
            let is_missed = matches!(
                state.stream,
                Stage::Away {
                    is_missed: true,
                    ..
                }
            );
            if has_panicked || state.closed == [true; 2] {
                state.stream = Stage::Gone { has_panicked };
                (true, Some(held))
            } else {
                state.stream = Stage::Here(held);
                (is_missed, None)
            }
        };
        drop(ended);
        if is_missed {
            self.readers.wake_all();
            self.writers.wake_all();
        }
    }

    /// Nobody reads, or writes, any more. With the second of the two goes the stream.
    pub(super) fn close(&self, side: Side) {
        let gone = {
            let mut state = self.state();
            state.closed[side as usize] = true;
            if side == Side::Input {
                state.ahead = Ahead::default();
            }
            if state.closed == [true; 2] && matches!(state.stream, Stage::Here(_)) {
                let gone = Stage::Gone {
                    has_panicked: false,
                };
                Some(std::mem::replace(&mut state.stream, gone))
            } else {
                None
            }
        };
        let is_gone = gone.is_some();
        drop(gone);
        if is_gone {
            self.readers.wake_all();
            self.writers.wake_all();
        }
    }

    pub(super) fn begin_to_go(&self) {
        self.going.store(true, Ordering::Release);
    }

    pub(super) fn is_going(&self) -> bool {
        self.going.load(Ordering::Acquire)
    }

    // --- Reading -------------------------------------------------------------------------------

    pub(super) fn poll_read(
        &self,
        waker: Option<&Waker>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, glib::Error>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if self.is_elsewhere() {
                return Poll::Ready(Err(error::elsewhere()));
            }
            if let Some(known) = self.state().ahead.take(buffer) {
                return Poll::Ready(known);
            }
            match self.poll(Side::Input, waker, |stream, cx| {
                let polled = stream.poll_read(cx, buffer);
                if matches!(polled, Poll::Ready(Ok(0))) {
                    // Whoever polls behind an end may get anything.
                    self.state().ahead.end();
                }
                polled
            }) {
                Polled::Pending => return Poll::Pending,
                Polled::Refused(failure) => return Poll::Ready(Err(failure)),
                Polled::Behind => {}
                Polled::Answer(Err(failure)) if is_interrupted(&failure) => {}
                Polled::Answer(Err(failure)) => return Poll::Ready(Err(error::from_io(failure))),
                // No more than there was room for, whatever it says.
                Polled::Answer(Ok(count)) => return Poll::Ready(Ok(count.min(buffer.len()))),
            }
        }
    }

    /// Whether a read would not wait; reads ahead to find out.
    pub(super) fn is_readable(&self, waker: Option<&Waker>) -> bool {
        if self.is_of_no_use(Side::Input) || self.state().ahead.is_something() {
            return true;
        }
        let context = number_of(&glib::MainContext::ref_thread_default());
        if self.readers.is_blocked(context, waker) {
            return false;
        }
        let mut bytes = vec![0; AHEAD];
        loop {
            match self.poll(Side::Input, waker, |stream, cx| {
                let polled = stream.poll_read(cx, &mut bytes);
                polled.map(|read| self.keep(read, &mut bytes))
            }) {
                Polled::Pending => return false,
                Polled::Refused(failure) => {
                    self.state().ahead.fail(failure);
                    return true;
                }
                // An interruption.
                Polled::Answer(Err(_)) => {}
                Polled::Answer(Ok(())) | Polled::Behind => return true,
            }
        }
    }

    /// Keeps what was read ahead, while nobody else can poll for what comes after it. An interruption is handed back.
    fn keep(&self, read: io::Result<usize>, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut state = self.state();
        match read {
            Ok(0) => state.ahead.end(),
            Ok(count) => {
                let mut bytes = std::mem::take(bytes);
                bytes.truncate(count);
                state.ahead.put(bytes);
            }
            Err(failure) if is_interrupted(&failure) => return Err(failure),
            Err(failure) => {
                drop(state);
                // Made from whatever the stream has put into it.
                let failure = error::from_io(failure);
                self.state().ahead.fail(failure);
            }
        }
        Ok(())
    }

    // --- Writing -------------------------------------------------------------------------------

    pub(super) fn poll_write(
        &self,
        waker: Option<&Waker>,
        bytes: &[u8],
    ) -> Poll<Result<usize, glib::Error>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_out(waker, |stream, cx| match stream.poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            polled => polled.map_ok(|count| count.min(bytes.len())),
        })
    }

    pub(super) fn poll_flush(&self, waker: Option<&Waker>) -> Poll<Result<(), glib::Error>> {
        self.poll_out(waker, |stream, cx| stream.poll_flush(cx))
    }

    pub(super) fn poll_close(&self, waker: Option<&Waker>) -> Poll<Result<(), glib::Error>> {
        self.poll_out(waker, |stream, cx| stream.poll_close(cx))
    }

    fn poll_out<T>(
        &self,
        waker: Option<&Waker>,
        mut f: impl FnMut(Pin<&mut dyn Duplex>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<Result<T, glib::Error>> {
        loop {
            match self.poll(Side::Output, waker, &mut f) {
                Polled::Pending => return Poll::Pending,
                Polled::Refused(failure) => return Poll::Ready(Err(failure)),
                // Of readers only.
                Polled::Behind => {}
                Polled::Answer(Err(failure)) if is_interrupted(&failure) => {}
                Polled::Answer(result) => return Poll::Ready(result.map_err(error::from_io)),
            }
        }
    }

    /// Whether a write is worth a try: there is no way to ask.
    pub(super) fn is_writable(&self, waker: Option<&Waker>) -> bool {
        let context = number_of(&glib::MainContext::ref_thread_default());
        self.is_of_no_use(Side::Output) || !self.writers.is_blocked(context, waker)
    }

    // --- Who waits -----------------------------------------------------------------------------

    pub(super) fn is_ready(&self, side: Side, waker: Option<&Waker>) -> bool {
        match side {
            Side::Input => self.is_readable(waker),
            Side::Output => self.is_writable(waker),
        }
    }

    pub(super) fn forget(&self, side: Side, waker: &Waker) {
        self.waiters(side).forget(waker);
    }

    /// A context in which the stream was polled will not run again: all who wait look for themselves.
    pub(super) fn unblock(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
    }
}

fn is_interrupted(failure: &io::Error) -> bool {
    failure.kind() == io::ErrorKind::Interrupted
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}
