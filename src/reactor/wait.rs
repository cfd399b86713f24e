//! Waiting for a descriptor or a moment.

#![allow(unsafe_code, reason = "poll(2) and eventfd(2)")]

use std::{
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::{Arc, Mutex, PoisonError},
    task::{Wake, Waker},
};

use gio::prelude::*;

use super::{
    source::{Events, FdTag, Source},
    task::Task,
};
use crate::error;

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

/// The wait of one future: at most one descriptor and one moment at a time.
#[derive(Default)]
pub(crate) struct FdWait(Option<Armed>);

enum Armed {
    /// In the source of the task that is polled.
    Hosted {
        task: Arc<Task>,
        fd: Option<(RawFd, Events, FdTag)>,
    },
    /// In a source of its own, because somebody else's executor polls.
    Apart {
        source: Source,
        wanted: (Option<(RawFd, Events)>, Option<i64>),
        waker: Arc<Mutex<Option<Waker>>>,
    },
}

impl FdWait {
    /// Wakes `waker` once when `fd` is ready or `until` (monotonic microseconds) has come.
    pub(crate) fn arm(&mut self, fd: Option<(RawFd, Interest)>, until: Option<i64>, waker: &Waker) {
        let fd = fd.map(|(fd, interest)| (fd, interest.events()));
        match Task::current(waker) {
            Some(task) => self.arm_hosted(task, fd, until),
            None => self.arm_apart(fd, until, waker),
        }
    }

    fn arm_hosted(&mut self, task: Arc<Task>, fd: Option<(RawFd, Events)>, until: Option<i64>) {
        task.set_deadline(until);
        if let Some(Armed::Hosted {
            task: current,
            fd: hosted,
        }) = &self.0
            && Arc::ptr_eq(current, &task)
            && hosted.map(|(fd, events, _)| (fd, events)) == fd
        {
            return;
        }
        self.disarm();
        let fd = fd.map(|(fd, events)| (fd, events, task.host_fd(fd, events)));
        self.0 = Some(Armed::Hosted { task, fd });
    }

    fn arm_apart(&mut self, fd: Option<(RawFd, Events)>, until: Option<i64>, waker: &Waker) {
        if let Some(Armed::Apart {
            source,
            wanted,
            waker: slot,
        }) = &self.0
            && *wanted == (fd, until)
            && !source.is_destroyed()
        {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
            return;
        }
        self.disarm();
        let slot = Arc::new(Mutex::new(Some(waker.clone())));
        let fired = slot.clone();
        let source = Source::new(glib::Priority::DEFAULT, move |_| {
            let waker = fired.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
            false
        });
        if let Some((fd, events)) = fd {
            source.add_fd(fd, events);
        }
        source.set_ready_time(until);
        source.attach(&glib::MainContext::ref_thread_default());
        self.0 = Some(Armed::Apart {
            source,
            wanted: (fd, until),
            waker: slot,
        });
    }

    pub(crate) fn disarm(&mut self) {
        match self.0.take() {
            Some(Armed::Hosted { task, fd }) => {
                if let Some((_, _, tag)) = fd {
                    task.drop_fd(tag);
                }
                task.set_deadline(None);
            }
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
    let _watch = match cancellable {
        None => None,
        Some(cancellable) => match CancelWatch::new(cancellable, &wake) {
            Some(watch) => Some(watch),
            // Cancelled before the wait began.
            None => return Ok(Events::NONE),
        },
    };
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
    WAKE.with(Clone::clone)
}

/// Wakes the thread when the cancellable is cancelled, for as long as it lives.
struct CancelWatch<'a>(&'a gio::Cancellable, Option<gio::CancelledHandlerId>);

impl<'a> CancelWatch<'a> {
    fn new(cancellable: &'a gio::Cancellable, wake: &Arc<ThreadWake>) -> Option<Self> {
        let wake = wake.clone();
        let handler = cancellable.connect_cancelled(move |_| wake.raise())?;
        Some(Self(cancellable, Some(handler)))
    }
}

impl Drop for CancelWatch<'_> {
    fn drop(&mut self) {
        if let Some(handler) = self.1.take() {
            // Waits for a handler that is running, which only writes into the eventfd.
            self.0.disconnect_cancelled(handler);
        }
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
    static WAKE: Option<Arc<ThreadWake>> = ThreadWake::new().map(Arc::new);
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
