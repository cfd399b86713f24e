//! Waiting for a descriptor or a moment.

#![allow(unsafe_code, reason = "poll(2) and eventfd(2)")]

use std::{
    cell::RefCell,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
};

use gio::prelude::*;
use glib::translate::from_glib;

use super::{
    source::{Events, Source},
    task::Task,
};
use crate::{error, fork::Birthplace};

/// What an operation waits for on its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
}

impl Interest {
    /// The events that end such a wait: an error or a hang-up ends every one.
    pub(crate) fn events(self) -> Events {
        let wanted = match self {
            Self::Read => Events::IN,
            Self::Write => Events::OUT,
        };
        wanted.or(Events::ERROR).or(Events::HANGUP)
    }
}

/// Tells whether a descriptor that is waited for was closed by somebody who wakes nobody.
pub(crate) trait Gone: Send + Sync {
    fn is_gone(&self) -> bool;
}

/// The wait of one future: at most one descriptor and one moment at a time.
pub(crate) struct FdWait {
    id: u64,
    gone: Arc<dyn Gone>,
    armed: Option<Armed>,
}

enum Armed {
    /// In the source of the task that is polled.
    Hosted(Arc<Task>),
    /// In a source of its own: somebody else's executor polls, or the task has a wait already.
    Apart {
        source: Source,
        wanted: Wanted,
        waker: Arc<Mutex<Option<Waker>>>,
    },
}

/// A descriptor and a moment.
type Wanted = (Option<(RawFd, Events)>, Option<i64>);

impl FdWait {
    pub(crate) fn new(gone: Arc<dyn Gone>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            gone,
            armed: None,
        }
    }

    /// Wakes `waker` once when `fd` is ready or `until` (monotonic microseconds) has come.
    pub(crate) fn arm(&mut self, fd: Option<(RawFd, Interest)>, until: Option<i64>, waker: &Waker) {
        let fd = fd.map(|(fd, interest)| (fd, interest.events()));
        let Some(task) = Task::current(waker) else {
            return self.arm_apart((fd, until), waker);
        };
        if !matches!(&self.armed, Some(Armed::Hosted(current)) if Arc::ptr_eq(current, &task)) {
            self.disarm();
        }
        if task.host(self.id, fd, until, &self.gone) {
            self.armed = Some(Armed::Hosted(task));
        } else {
            self.arm_apart((fd, until), waker);
        }
    }

    fn arm_apart(&mut self, wanted: Wanted, waker: &Waker) {
        if let Some(Armed::Apart {
            source,
            wanted: current,
            waker: slot,
        }) = &self.armed
            && *current == wanted
            && !source.is_destroyed()
        {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            // Empty once it has fired, on whatever thread.
            if slot.is_some() {
                *slot = Some(waker.clone());
                return;
            }
        }
        self.disarm();
        let slot = Arc::new(Mutex::new(Some(waker.clone())));
        let (fired, gone) = (slot.clone(), self.gone.clone());
        let has_fd = wanted.0.is_some();
        let stranded = move |_: &Source| has_fd && gone.is_gone();
        let source = Source::with_hook(glib::Priority::DEFAULT, stranded, move |_| {
            let waker = fired.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
            false
        });
        if let Some((fd, events)) = wanted.0 {
            source.add_fd(fd, events);
        }
        source.set_ready_time(wanted.1);
        source.attach(&glib::MainContext::ref_thread_default());
        self.armed = Some(Armed::Apart {
            source,
            wanted,
            waker: slot,
        });
    }

    pub(crate) fn disarm(&mut self) {
        match self.armed.take() {
            Some(Armed::Hosted(task)) => task.unhost(self.id),
            Some(Armed::Apart { source, .. }) => source.destroy(),
            None => {}
        }
    }
}

impl Drop for FdWait {
    fn drop(&mut self) {
        self.disarm();
    }
}

/// The first of two moments, each of which may be never.
pub(crate) fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// Blocks this thread until `fd` is ready, `until` has come, `cancellable` is cancelled or this
/// thread's [`blocking_waker`] was woken, whichever comes first; the caller finds out which.
///
/// # Errors
///
/// The errno of `poll(2)`; interruptions are not errors.
pub(crate) fn block_on_events(
    fd: Option<(RawFd, Events)>,
    until: Option<i64>,
    cancellable: Option<&gio::Cancellable>,
) -> Result<Events, glib::Error> {
    let Some(wake) = thread_wake() else {
        // No descriptor is left for an eventfd: look often instead.
        return poll_until(fd, None, Some(until.unwrap_or(i64::MAX).min(in_a_moment())));
    };
    let mut watch = cancellable.map(CancelWatch::new);
    if let Some(watch) = &mut watch {
        // One that is cancelled already wakes at once.
        watch.wake(&Waker::from(wake.clone()));
    }
    let result = poll_until(fd, Some(wake.0.as_raw_fd()), until);
    wake.clear();
    result
}

/// Wakes a [`block_on_events`] of the calling thread, from any thread; `None` when no descriptor is
/// left for it, and the wait looks often by itself.
pub(crate) fn blocking_waker() -> Option<Waker> {
    thread_wake().map(Waker::from)
}

fn thread_wake() -> Option<Arc<ThreadWake>> {
    WAKE.with_borrow_mut(|wake| {
        if wake
            .as_ref()
            .is_none_or(|(birthplace, _)| birthplace.is_elsewhere())
        {
            // A child shares its parent's eventfd, and would lose wakes to it.
            *wake = ThreadWake::new().map(|wake| (Birthplace::here(), Arc::new(wake)));
        }
        wake.as_ref().map(|(_, wake)| wake.clone())
    })
}

/// Wakes a waker when a cancellable is cancelled, from whatever thread.
pub(crate) struct CancelWatch {
    cancellable: gio::Cancellable,
    handler: Option<gio::CancelledHandlerId>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl CancelWatch {
    pub(crate) fn new(cancellable: &gio::Cancellable) -> Self {
        Self {
            cancellable: cancellable.clone(),
            handler: None,
            waker: Arc::default(),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellable.is_cancelled()
    }

    /// Wakes `waker`, and none from before; at once if it is cancelled already.
    pub(crate) fn wake(&mut self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        if self.handler.is_none() {
            let slot = self.waker.clone();
            self.handler = self.cancellable.connect_cancelled(move |_| {
                let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            });
        }
    }
}

impl Drop for CancelWatch {
    fn drop(&mut self) {
        let Some(handler) = self.handler.take() else {
            return;
        };
        // Not g_cancellable_disconnect(): that waits for handlers that are running, which may be
        // waiting for us. Ours reaches nothing but what it holds.
        // SAFETY: the id came from connecting to this object, and is used up here.
        let id = unsafe { handler.as_raw() };
        // SAFETY: likewise; ids are not zero.
        self.cancellable.disconnect(unsafe { from_glib(id) });
    }
}

fn in_a_moment() -> i64 {
    glib::monotonic_time().saturating_add(20_000)
}

/// `poll(2)` on up to two descriptors until a moment, through interruptions.
fn poll_until(
    fd: Option<(RawFd, Events)>,
    wake: Option<RawFd>,
    until: Option<i64>,
) -> Result<Events, glib::Error> {
    let (fd, events) = fd.map_or((-1, 0), |(fd, events)| (fd, events.bits()));
    let mut polled = [
        libc::pollfd {
            fd,
            events,
            revents: 0,
        },
        libc::pollfd {
            fd: wake.unwrap_or(-1),
            events: libc::POLLIN,
            revents: 0,
        },
    ];
    loop {
        let timeout = match until {
            None => -1,
            Some(until) => milliseconds_to(until),
        };
        // SAFETY: the array is as long as said; negative descriptors are passed over.
        let count =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
        if count > 0 {
            return Ok(Events::from_bits(polled[0].revents));
        }
        if count == 0 {
            if until.is_some_and(|until| glib::monotonic_time() >= until) {
                return Ok(Events::NONE);
            }
            continue;
        }
        let errno = error::last_errno();
        if errno != libc::EINTR && errno != libc::EAGAIN {
            return Err(error::prefixed("Waiting for socket condition", errno));
        }
    }
}

/// Rounded up, so that a wait never ends just before its moment; a long one is taken in parts.
fn milliseconds_to(until: i64) -> i32 {
    let left = until.saturating_sub(glib::monotonic_time()).max(0);
    i32::try_from(left.saturating_add(999) / 1000).unwrap_or(i32::MAX)
}

/// What wakes a thread that blocks: made once for each thread that ever waited, so that a wait
/// needs no descriptor of its own. A wake that comes too late ends the next wait, for nothing.
struct ThreadWake(OwnedFd);

thread_local! {
    static WAKE: RefCell<Option<(Birthplace, Arc<ThreadWake>)>> = const { RefCell::new(None) };
}

impl ThreadWake {
    fn new() -> Option<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // SAFETY: no pointers involved.
            let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            // SAFETY: a descriptor of ours, just made.
            (fd >= 0).then(|| Self(unsafe { OwnedFd::from_raw_fd(fd) }))
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        None
    }

    fn raise(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes from a live value. It fails for a full counter only, which wakes too.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: an eventfd yields eight bytes, and there is room for them. Empty is EAGAIN.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl Wake for ThreadWake {
    fn wake(self: Arc<Self>) {
        self.raise();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_rounded_up_to_whole_milliseconds() {
        let now = glib::monotonic_time();
        assert!(milliseconds_to(now + 10_500_000) >= 10_000);
        assert_eq!(milliseconds_to(now - 1), 0);
        assert_eq!(milliseconds_to(i64::MAX), i32::MAX);
    }

    #[test]
    fn a_cancellable_ends_a_blocking_wait_from_another_thread() {
        let cancellable = gio::Cancellable::new();
        let canceller = cancellable.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            canceller.cancel();
        });
        let until = glib::monotonic_time() + 10_000_000;
        block_on_events(None, Some(until), Some(&cancellable)).unwrap();
        assert!(glib::monotonic_time() < until);
        assert!(cancellable.is_cancelled());
        thread.join().unwrap();
    }
}
