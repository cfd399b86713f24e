//! Bytes that go from one socket to another by way of a pipe, and never through this process' memory.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use super::{Attempted, Transport, options};
use crate::{
    error,
    reactor::{Interest, Registration},
};

/// A pipe, and how much of it is in use.
pub(super) struct Pipe {
    exit: OwnedFd,
    entry: OwnedFd,
    holds: usize,
}

/// How much is asked for at once: what a pipe has room for in pages. Those of a socket may be larger.
const MOST: usize = 64 * 1024;

impl Pipe {
    /// `None` where there is no such system call, or no descriptor left.
    pub(super) fn new() -> Option<Self> {
        #[cfg(splice)]
        {
            let mut fds = [0; 2];
            // SAFETY: room for two descriptors.
            let made = unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
            if made != 0 {
                return None;
            }
            // SAFETY: descriptors of ours, just made.
            let [exit, entry] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
            Some(Self {
                exit,
                entry,
                holds: 0,
            })
        }
        #[cfg(not(splice))]
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.holds == 0
    }

    /// What it holds, by reading: for a socket that takes nothing from a pipe.
    pub(super) fn empty_into(&mut self, bytes: &mut Vec<u8>) -> Result<(), glib::Error> {
        bytes.resize(self.holds, 0);
        let mut filled = 0;
        let mut emptied = Ok(());
        while filled < bytes.len() {
            let room = &mut bytes[filled..];
            // SAFETY: the buffer is as long as said.
            let count =
                unsafe { libc::read(self.exit.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) };
            match usize::try_from(count) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(_) if error::last_errno() == libc::EINTR => {}
                Err(_) => {
                    emptied = Err(error::prefixed("Error receiving data", error::last_errno()));
                    break;
                }
            }
        }
        // After a failure too: what was not read is nobody's bytes, and what follows it goes nowhere.
        bytes.truncate(filled);
        self.holds = 0;
        emptied
    }
}

/// What came of trying to splice.
pub(super) enum Spliced {
    /// So many bytes.
    Moved(usize),
    NotNow,
    /// These two cannot be joined so.
    Unfit,
}

impl Transport {
    /// Whether a transfer that does not say `MSG_DONTWAIT` would not wait all the same. Nobody has reason to change
    /// that of a socket that is in use.
    pub(super) fn is_nonblocking(&self) -> bool {
        self.enter()
            .is_ok_and(|using| options::is_nonblocking(using.fd()))
    }

    /// One `splice(2)` into an empty pipe, that does not wait.
    ///
    /// Neither "not now" nor 0, as at the end of file, need be the last word: urgent data, which `recv(2)` passes over,
    /// stops it.
    pub(super) fn splice_into(&self, pipe: &mut Pipe) -> Result<Spliced, glib::Error> {
        let mut is_unfit = false;
        // Not more than one byte is "asked for": less than there was room for may be all that a pipe has
        // places for. Nor does a registration learn from it.
        let taken = self.transfer(Some(Interest::Read), 1, None, |fd| {
            let moved = splice(fd, pipe.entry.as_raw_fd(), MOST);
            is_unfit = moved < 0 && is_refusal(error::last_errno());
            moved
        });
        let spliced = told(taken, is_unfit)?;
        if let Spliced::Moved(count) = spliced {
            pipe.holds = count;
        }
        Ok(spliced)
    }

    /// One `splice(2)` out of a pipe that holds something, that does not wait.
    pub(super) fn splice_out_of(
        &self,
        pipe: &mut Pipe,
        registered: Option<&Registration>,
    ) -> Result<Spliced, glib::Error> {
        let mut is_unfit = false;
        let given = self.transfer(Some(Interest::Write), 1, registered, |fd| {
            // No more than there is: the system would wait for the rest before it sends the end.
            let moved = without_sigpipe(|| splice(pipe.exit.as_raw_fd(), fd, pipe.holds));
            is_unfit = moved < 0 && is_refusal(error::last_errno());
            moved
        });
        let spliced = told(given, is_unfit)?;
        if let Spliced::Moved(count) = spliced {
            pipe.holds -= count.min(pipe.holds);
        }
        Ok(spliced)
    }
}

fn told(moved: Attempted<usize>, is_unfit: bool) -> Result<Spliced, glib::Error> {
    match moved {
        Ok(Some(count)) => Ok(Spliced::Moved(count)),
        Ok(None) => Ok(Spliced::NotNow),
        Err(_) if is_unfit => Ok(Spliced::Unfit),
        Err(failure) => Err(failure),
    }
}

/// Not of the connection, but of the way.
fn is_refusal(errno: i32) -> bool {
    matches!(errno, libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)
}

fn splice(from: RawFd, to: RawFd, most: usize) -> isize {
    #[cfg(splice)]
    {
        let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
        // SAFETY: descriptors that stay open; neither has an offset.
        unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), most, flags) }
    }
    #[cfg(not(splice))]
    {
        // There is no pipe to come here with.
        let _ = (from, to, most);
        0
    }
}

/// Makes a call that raises SIGPIPE and cannot be told not to. What the process does about that signal is the
/// user's: it is kept from this thread, unless nobody would notice.
fn without_sigpipe(call: impl FnOnce() -> isize) -> isize {
    if is_sigpipe_ignored() {
        return call();
    }
    let Some(before) = block_sigpipe() else {
        return call();
    };
    let was_pending = is_sigpipe_pending();
    let moved = call();
    let failure = io::Error::last_os_error().raw_os_error();
    if moved < 0 && failure == Some(libc::EPIPE) && !was_pending {
        take_sigpipe();
    }
    // SAFETY: a mask that this thread had.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    #[cfg(splice)]
    if let Some(failure) = failure {
        // SAFETY: this thread's own errno.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: likewise.
        unsafe { *errno = failure };
    }
    moved
}

fn is_sigpipe_ignored() -> bool {
    // SAFETY: all zero is an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: room for the answer.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

fn sigpipe_alone() -> libc::sigset_t {
    // SAFETY: all zero is a set, and is emptied next.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a live set.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: likewise.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGPIPE) };
    set
}

/// The mask of before.
fn block_sigpipe() -> Option<libc::sigset_t> {
    let mut before = sigpipe_alone();
    let set = sigpipe_alone();
    // SAFETY: live sets.
    let blocked =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
    (blocked == 0).then_some(before)
}

fn is_sigpipe_pending() -> bool {
    let mut pending = sigpipe_alone();
    // SAFETY: room for the answer.
    let asked = unsafe { libc::sigpending(&raw mut pending) };
    // SAFETY: a live set.
    asked == 0 && unsafe { libc::sigismember(&raw const pending, libc::SIGPIPE) } == 1
}

/// The one that was just raised.
fn take_sigpipe() {
    #[cfg(splice)]
    {
        let set = sigpipe_alone();
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: live values.
        unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const now) };
    }
}
