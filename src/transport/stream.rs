//! Transfers that are polled: what futures over a transport are made of.

use std::{
    fmt,
    io::{IoSlice, IoSliceMut},
    mem::{self, MaybeUninit},
    sync::{Arc, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{Attempted, Operation, Transport, descriptor::shutdown_write, io::events_of};
use crate::{
    error,
    reactor::{Engine, Events, Interest, Registration, Wait},
};

/// One direction of a transport, for one who polls it.
///
/// What it holds between two polls is a place among those who wait, and a deadline. A transfer that was
/// begun and not polled again has moved nothing.
pub(crate) struct Direction {
    interest: Interest,
    /// Whether the socket's timeout counts.
    is_timed: bool,
    /// A transfer waits.
    is_waiting: bool,
    /// Of the transfer that waits.
    deadline: Option<i64>,
    /// From the first wait on: many a direction never has to.
    waiting: Option<Box<Waiting>>,
}

/// What a direction waits with, kept for the next time.
struct Waiting {
    /// The engine of the last poll, and how it watches the descriptor.
    engine: Arc<Engine>,
    registration: Arc<Registration>,
    wait: Wait,
    operation: Operation,
}

impl Direction {
    pub(crate) fn new(interest: Interest) -> Self {
        Self {
            interest,
            is_timed: true,
            is_waiting: false,
            deadline: None,
            waiting: None,
        }
    }

    /// For transfers that are parts of something with a deadline of its own.
    pub(super) fn without_deadline(interest: Interest) -> Self {
        Self {
            is_timed: false,
            ..Self::new(interest)
        }
    }

    /// Nobody waits for the transfer any more.
    #[inline]
    pub(crate) fn give_up(&mut self) {
        if self.is_waiting {
            self.stop_waiting();
        }
    }

    fn stop_waiting(&mut self) {
        self.is_waiting = false;
        if let Some(waiting) = &mut self.waiting {
            waiting.operation.pause();
            waiting.wait.end();
        }
    }

    /// Polls a transfer: `call` is tried, and tried again when the descriptor has changed.
    ///
    /// # Errors
    ///
    /// Those of the transfer; `TimedOut` when it has waited for longer than the socket's timeout;
    /// `NotSupported` on a thread that does not own its thread-default context, and where another stream lies over
    /// the socket.
    pub(crate) fn poll<T>(
        &mut self,
        transport: &Arc<Transport>,
        cx: &Context<'_>,
        mut call: impl FnMut(&Transport, Option<&Registration>) -> Attempted<T>,
    ) -> Poll<Result<T, glib::Error>> {
        if transport.is_overlaid() {
            return Poll::Ready(Err(error::overlaid()));
        }
        loop {
            // What another engine knows serves as well, until there is something to wait for.
            let registration = self.waiting.as_ref().map(|known| &*known.registration);
            let ended = match call(transport, registration) {
                Ok(Some(value)) => Ok(value),
                Ok(None) => match self.arm(transport, cx) {
                    // Something has happened since the attempt.
                    Ok(true) => continue,
                    Ok(false) => return Poll::Pending,
                    Err(failure) => Err(failure),
                },
                Err(failure) => Err(failure),
            };
            self.give_up();
            return Poll::Ready(ended);
        }
    }

    /// Answers whether to try again at once.
    fn arm(&mut self, transport: &Arc<Transport>, cx: &Context<'_>) -> Result<bool, glib::Error> {
        let Some(waiting) = self
            .waiting
            .as_deref_mut()
            .filter(|known| known.is_of_use())
        else {
            return self.follow(transport);
        };
        // Also of a wait that has come from elsewhere.
        if !waiting.engine.is_owned_here() {
            return Err(error::not_owned());
        }
        if !self.is_waiting {
            self.deadline = self.is_timed.then(|| transport.deadline()).flatten();
            self.is_waiting = true;
            waiting.operation.go_on();
        }
        if let Some(deadline) = self.deadline {
            if glib::monotonic_time() >= deadline {
                return Err(error::timed_out());
            }
            waiting
                .wait
                .until(Some(deadline), &waiting.engine, cx.waker());
        }
        Ok(waiting
            .wait
            .for_descriptor(&waiting.registration, self.interest, cx.waker()))
    }

    /// Has the engine that is current watch the descriptor. What was tried before was tried without it: again, then.
    #[cold]
    fn follow(&mut self, transport: &Arc<Transport>) -> Result<bool, glib::Error> {
        let engine = Engine::current();
        let registration = match transport.known_registration(&engine) {
            Some(known) => known,
            None => {
                if !engine.is_owned_here() {
                    return Err(error::not_owned());
                }
                transport.registration(&engine, self.interest)?
            }
        };
        match &mut self.waiting {
            // A transfer that waits goes on to do so, with the time that it has left.
            Some(waiting) => {
                waiting.wait.end();
                waiting.engine = engine;
                waiting.registration = registration;
            }
            None => {
                let mut operation = transport.operation(self.interest.into());
                operation.pause();
                self.waiting = Some(Box::new(Waiting {
                    engine,
                    registration,
                    wait: Wait::new(),
                    operation,
                }));
            }
        }
        Ok(true)
    }

    /// A transfer that was polled, and not again when its time was up, is somebody's no more: whoever polls now has
    /// all of the time.
    pub(crate) fn give_up_if_left(&mut self) {
        if self.is_waiting && self.deadline.is_some_and(is_long_past) {
            self.give_up();
        }
    }
}

impl Waiting {
    fn is_of_use(&self) -> bool {
        self.engine.is_current() && !self.registration.is_ended()
    }
}

/// How soon after the time is up, in microseconds, whoever waits has been polled again.
const GRACE: i64 = 100_000;

fn is_long_past(deadline: i64) -> bool {
    glib::monotonic_time() > deadline.saturating_add(GRACE)
}

impl fmt::Debug for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direction")
            .field("interest", &self.interest)
            .field("is_waiting", &self.is_waiting)
            .finish_non_exhaustive()
    }
}

/// The time of one who polls the connection itself, and is known by his waker.
pub(super) struct SharedDeadline {
    waker: Waker,
    moment: i64,
    /// For as long as it lives.
    _timer: Wait,
}

impl Transport {
    /// Like [`Direction::poll`], for those who poll the connection itself and have no place of their own:
    /// any number of tasks, each known by its waker.
    pub(crate) fn poll_shared<T>(
        self: &Arc<Self>,
        interest: Interest,
        cx: &Context<'_>,
        mut call: impl FnMut(&Self, Option<&Registration>) -> Attempted<T>,
    ) -> Poll<Result<T, glib::Error>> {
        if self.is_overlaid() {
            return Poll::Ready(Err(error::overlaid()));
        }
        let engine = Engine::current();
        loop {
            let registered = self.known_registration(&engine);
            if let Some(result) = call(self, registered.as_deref()).transpose() {
                self.end_shared_deadline(interest, cx.waker());
                return Poll::Ready(result);
            }
            if !engine.is_owned_here() {
                return Poll::Ready(Err(error::not_owned()));
            }
            let registration = match registered {
                Some(known) => known,
                None => match self.registration(&engine, interest) {
                    Ok(made) => made,
                    Err(failure) => return Poll::Ready(Err(failure)),
                },
            };
            if self.is_past_shared_deadline(interest, &engine, cx.waker()) {
                self.end_shared_deadline(interest, cx.waker());
                return Poll::Ready(Err(error::timed_out()));
            }
            if !registration.wait_by_waker(interest, cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    fn shared_deadlines(&self, interest: Interest) -> MutexGuard<'_, Vec<SharedDeadline>> {
        let rare = self.rare.get_or_init(Box::default);
        rare.shared_deadlines[interest as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_past_shared_deadline(
        &self,
        interest: Interest,
        engine: &Arc<Engine>,
        waker: &Waker,
    ) -> bool {
        if self.rare.get().is_none() && self.timeout() == 0 {
            return false;
        }
        let moment = {
            let deadlines = self.shared_deadlines(interest);
            let its = deadlines.iter().find(|its| its.waker.will_wake(waker));
            its.map(|its| its.moment)
        };
        match moment {
            Some(moment) if !is_long_past(moment) => return glib::monotonic_time() >= moment,
            // Somebody's who has not come back when his time was up.
            Some(_) => self.end_shared_deadline(interest, waker),
            None => {}
        }
        if let Some(moment) = self.deadline() {
            let mut timer = Wait::new();
            timer.until(Some(moment), engine, waker);
            let mut deadlines = self.shared_deadlines(interest);
            deadlines.push(SharedDeadline {
                waker: waker.clone(),
                moment,
                _timer: timer,
            });
        }
        false
    }

    /// That of `waker`, and those that nobody came back for.
    fn end_shared_deadline(&self, interest: Interest, waker: &Waker) {
        if self.rare.get().is_none() {
            return;
        }
        let mut deadlines = self.shared_deadlines(interest);
        if deadlines.is_empty() {
            return;
        }
        let (ended, kept) = mem::take(&mut *deadlines)
            .into_iter()
            .partition(|its| its.waker.will_wake(waker) || is_long_past(its.moment));
        *deadlines = kept;
        drop(deadlines);
        let ended: Vec<SharedDeadline> = ended;
        drop(ended);
    }
}

impl fmt::Debug for SharedDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedDeadline")
            .field("moment", &self.moment)
            .finish_non_exhaustive()
    }
}

/// The transfers themselves, none of which waits.
impl Transport {
    pub(crate) fn read_now(
        &self,
        buffer: &mut [u8],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let buffer = std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>];
        // SAFETY: the same bytes; the kernel writes none that are not initialised.
        self.try_read(unsafe { &mut *buffer }, registered)
    }

    pub(crate) fn peek_now(
        &self,
        buffer: &mut [u8],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        self.try_peek(buffer, registered)
    }

    pub(crate) fn read_vectored_now(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let vectors = std::ptr::from_mut(buffers) as *mut [libc::iovec];
        // SAFETY: std says that an `IoSliceMut` is an iovec.
        let vectors = unsafe { &mut *vectors };
        // SAFETY: over memory that is lent to be written.
        unsafe { self.try_read_vectored(vectors, registered) }
    }

    pub(crate) fn write_vectored_now(
        &self,
        buffers: &[IoSlice<'_>],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let vectors = std::ptr::from_ref(buffers) as *const [libc::iovec];
        // SAFETY: std says that an `IoSlice` is an iovec.
        let vectors = unsafe { &*vectors };
        // SAFETY: over memory that may be read.
        unsafe { self.try_write_vectored(vectors, registered) }
    }

    /// Whether a transfer would not wait.
    pub(crate) fn ready_now(
        &self,
        interest: Interest,
        registered: Option<&Registration>,
    ) -> Attempted<()> {
        drop(self.enter()?);
        let seen = registered.map(Registration::look);
        if seen.is_none_or(|seen| seen.is_ready(interest)) {
            if self.may_be_ready(interest) {
                return Ok(Some(()));
            }
            if let (Some(registered), Some(seen)) = (registered, seen) {
                registered.used_up(interest, seen);
            }
        }
        Ok(None)
    }

    /// Ends the sending side: the peer sees the end of file after what was written.
    pub(crate) fn shutdown_write(&self) -> Result<(), glib::Error> {
        shutdown_write(&self.enter()?)
    }

    /// Likewise, for one that was connected when it was written to.
    pub(crate) fn pass_end_on(&self) -> Result<(), glib::Error> {
        let using = self.enter()?;
        shutdown_write(&using).map_err(|failure| {
            // What shutdown(2) finds after a reset.
            if failure.matches(gio::IOErrorEnum::NotConnected)
                && events_of(using.fd(), Events::HANGUP).has(Events::HANGUP)
            {
                return glib::Error::new(error::CONNECTION_CLOSED, failure.message());
            }
            failure
        })
    }
}
