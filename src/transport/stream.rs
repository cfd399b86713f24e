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
    wait: Wait,
    /// How the engine of the last poll watches the descriptor.
    registered: Option<(Arc<Engine>, Arc<Registration>)>,
    /// For as long as a transfer waits.
    waiting: Option<Waiting>,
}

struct Waiting {
    deadline: Option<i64>,
    _operation: Operation,
}

impl Direction {
    pub(crate) fn new(interest: Interest) -> Self {
        Self {
            interest,
            is_timed: true,
            wait: Wait::new(),
            registered: None,
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
        if self.waiting.is_some() {
            self.stop_waiting();
        }
    }

    fn stop_waiting(&mut self) {
        self.waiting = None;
        self.wait.end();
    }

    /// Polls a transfer: `call` is tried, and tried again when the descriptor has changed.
    ///
    /// # Errors
    ///
    /// Those of the transfer; `TimedOut` when it has waited for longer than the socket's timeout;
    /// `NotSupported` on a thread that does not own its thread-default context.
    pub(crate) fn poll<T>(
        &mut self,
        transport: &Arc<Transport>,
        cx: &Context<'_>,
        mut call: impl FnMut(&Transport, Option<&Registration>) -> Attempted<T>,
    ) -> Poll<Result<T, glib::Error>> {
        loop {
            // What another engine knows serves as well, until there is something to wait for.
            let registration = self.registered.as_ref().map(|(_, known)| &**known);
            match call(transport, registration) {
                Ok(Some(value)) => {
                    self.give_up();
                    return Poll::Ready(Ok(value));
                }
                Ok(None) => {}
                Err(failure) => {
                    self.give_up();
                    return Poll::Ready(Err(failure));
                }
            }
            match self.arm(transport, cx) {
                // Something has happened since the attempt.
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(failure) => {
                    self.give_up();
                    return Poll::Ready(Err(failure));
                }
            }
        }
    }

    /// Forgets a registration that is not of use here and now, and takes one that is.
    fn follow(&mut self, transport: &Arc<Transport>) {
        if let Some((engine, registration)) = &self.registered {
            if engine.is_current() && !registration.is_ended() {
                return;
            }
            self.registered = None;
        }
        let engine = Engine::current();
        self.registered = transport
            .known_registration(&engine)
            .map(|known| (engine, known));
    }

    /// Answers whether to try again at once.
    fn arm(&mut self, transport: &Arc<Transport>, cx: &Context<'_>) -> Result<bool, glib::Error> {
        let tried_with = self.registered.is_some();
        self.follow(transport);
        if self.registered.is_some() != tried_with {
            return Ok(true);
        }
        let (engine, registration) = match &self.registered {
            Some(known) => known,
            None => {
                let engine = Engine::current();
                if !engine.is_owned_here() {
                    return Err(error::not_owned());
                }
                let registration = transport.registration(&engine, self.interest)?;
                self.registered.insert((engine, registration))
            }
        };
        let waiting = match &self.waiting {
            Some(waiting) => waiting,
            None => {
                if !engine.is_owned_here() {
                    return Err(error::not_owned());
                }
                self.waiting.insert(Waiting {
                    deadline: self.is_timed.then(|| transport.deadline()).flatten(),
                    _operation: transport.operation(self.interest.into()),
                })
            }
        };
        if let Some(deadline) = waiting.deadline {
            if glib::monotonic_time() >= deadline {
                return Err(error::timed_out());
            }
            self.wait.until(Some(deadline), engine, cx.waker());
        }
        Ok(self
            .wait
            .for_descriptor(registration, self.interest, cx.waker()))
    }

    /// A transfer that was polled, and not again when its time was up, is somebody's no more: whoever polls now has
    /// all of the time.
    pub(crate) fn give_up_if_left(&mut self) {
        let deadline = self.waiting.as_ref().and_then(|waiting| waiting.deadline);
        if deadline.is_some_and(is_long_past) {
            self.give_up();
        }
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
            .field("is_waiting", &self.waiting.is_some())
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
