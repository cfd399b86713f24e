//! Waiting by blocking the thread.

#![allow(unsafe_code, reason = "poll(2) and eventfd(2)")]

use std::{
    cell::RefCell,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::Arc,
    task::{Wake, Waker},
};

use super::{cancel::CancelWatch, events::Events, timers::milliseconds_to};
use crate::{error, fork::Birthplace};

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
    let (fd, events) = fd.map_or((-1, 0), |(fd, events)| (fd, events.bits()));
    let mut polled = [polled(fd, events), polled(-1, libc::POLLIN)];
    block_on(&mut polled, until, cancellable)?;
    Ok(Events::from_bits(polled[0].revents))
}

/// Likewise until any of `fds` is ready.
///
/// # Errors
///
/// As there.
pub(crate) fn block_on_any(
    fds: impl Iterator<Item = (RawFd, Events)>,
    until: Option<i64>,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let wake = std::iter::once(polled(-1, libc::POLLIN));
    let mut polled: Vec<_> = fds
        .map(|(fd, events)| polled(fd, events.bits()))
        .chain(wake)
        .collect();
    block_on(&mut polled, until, cancellable)
}

fn polled(fd: RawFd, events: i16) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

/// The last of `polled` is the place of what wakes.
fn block_on(
    polled: &mut [libc::pollfd],
    until: Option<i64>,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let Some(wake) = thread_wake() else {
        // No descriptor is left for an eventfd: look often instead.
        let until = until.unwrap_or(i64::MAX).min(in_a_moment());
        return poll_until(polled, Some(until));
    };
    let mut watch = cancellable.map(CancelWatch::new);
    if let Some(watch) = &mut watch {
        // One that is cancelled already wakes at once.
        watch.wake(&Waker::from(wake.clone()));
    }
    if let Some(last) = polled.last_mut() {
        last.fd = wake.0.as_raw_fd();
    }
    poll_until(polled, until)?;
    if polled.last().is_some_and(|last| last.revents != 0) {
        wake.clear();
    }
    Ok(())
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

fn in_a_moment() -> i64 {
    glib::monotonic_time().saturating_add(20_000)
}

/// `poll(2)` until a moment, through interruptions.
fn poll_until(polled: &mut [libc::pollfd], until: Option<i64>) -> Result<(), glib::Error> {
    loop {
        let timeout = match until {
            None => -1,
            Some(until) => milliseconds_to(until, glib::monotonic_time()),
        };
        // SAFETY: the array is as long as said; negative descriptors are passed over.
        let count =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
        if count > 0 {
            return Ok(());
        }
        if count == 0 {
            if until.is_some_and(|until| glib::monotonic_time() >= until) {
                return Ok(());
            }
            continue;
        }
        let errno = error::last_errno();
        if errno != libc::EINTR && errno != libc::EAGAIN {
            return Err(error::prefixed("Waiting for socket condition", errno));
        }
    }
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

    use gio::prelude::*;

    use super::*;

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
