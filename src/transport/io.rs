//! Reading and writing, which hardly ever waits, and what an attempt tells about the peer.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

use super::{Transport, Use, options};
use crate::{
    error,
    home::change,
    reactor::{Events, Interest, Registration},
};

/// One attempt: done, `None` for "not now", or failed.
pub(crate) type Attempted<T> = Result<Option<T>, glib::Error>;

/// Whether a system call may wait: only where the [descriptor does](Transport::may_wait_in_call).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    UntilDone,
}

impl Patience {
    #[inline]
    fn flag(self) -> i32 {
        match self {
            Self::None => libc::MSG_DONTWAIT,
            Self::UntilDone => 0,
        }
    }
}

impl Transport {
    /// One `recv(2)` that does not wait; none where `registered` knows that there is nothing.
    #[inline]
    pub(crate) fn try_read(
        &self,
        buffer: &mut [MaybeUninit<u8>],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        self.read(buffer, registered, Patience::None)
    }

    /// One `recv(2)`.
    pub(crate) fn read(
        &self,
        buffer: &mut [MaybeUninit<u8>],
        registered: Option<&Registration>,
        patience: Patience,
    ) -> Attempted<usize> {
        let asked = buffer.len();
        self.transfer(Some(Interest::Read), asked, registered, |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe {
                libc::recv(
                    fd,
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    patience.flag(),
                )
            }
        })
    }

    /// One `recv(2)` that does not wait and whose bytes nobody will see.
    pub(super) fn discard(
        &self,
        scratch: &mut [u8],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let asked = scratch.len();
        self.transfer(None, asked, registered, |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe {
                libc::recv(
                    fd,
                    scratch.as_mut_ptr().cast(),
                    scratch.len(),
                    libc::MSG_DONTWAIT,
                )
            }
        })
    }

    /// One `recvmsg(2)` that does not wait, into at most as many buffers as the system takes.
    ///
    /// # Safety
    ///
    /// Each vector must name memory that may be written, and that nobody else uses.
    pub(super) unsafe fn try_read_vectored(
        &self,
        vectors: &mut [libc::iovec],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let (mut message, asked) = message_of(vectors);
        self.transfer(Some(Interest::Read), asked, registered, |fd| {
            // SAFETY: the caller vouches for the vectors.
            unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_DONTWAIT) }
        })
    }

    /// One `recv(2)` that does not wait and takes nothing.
    pub(super) fn try_peek(
        &self,
        buffer: &mut [u8],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        // What is not taken says nothing about what is left: nothing is asked for, so to say.
        self.transfer(None, 0, registered, |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe {
                libc::recv(
                    fd,
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT | libc::MSG_PEEK,
                )
            }
        })
    }

    /// One `send(2)` that does not wait; none where `registered` knows that there is no room.
    pub(crate) fn try_write(
        &self,
        buffer: &[u8],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        self.transfer(Some(Interest::Write), buffer.len(), registered, |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe { libc::send(fd, buffer.as_ptr().cast(), buffer.len(), SEND_FLAGS) }
        })
    }

    /// One `sendmsg(2)` that does not wait, of at most as many vectors as the system takes.
    ///
    /// # Safety
    ///
    /// Each vector must name memory that may be read.
    pub(crate) unsafe fn try_write_vectored(
        &self,
        vectors: &[libc::iovec],
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let (message, asked) = message_of(vectors);
        self.transfer(Some(Interest::Write), asked, registered, |fd| {
            // SAFETY: the caller vouches for the vectors; the kernel only reads them.
            unsafe { libc::sendmsg(fd, &raw const message, SEND_FLAGS) }
        })
    }

    /// One system call that moves `asked` bytes at most. It does not wait, unless it has [`Patience`].
    ///
    /// `counted` says which counter the bytes go to; without one they were read to be thrown away.
    pub(crate) fn transfer(
        &self,
        counted: Option<Interest>,
        asked: usize,
        registered: Option<&Registration>,
        mut call: impl FnMut(RawFd) -> isize,
    ) -> Attempted<usize> {
        let is_for_nothing = asked == 0 && counted.is_some();
        if !is_for_nothing && self.is_known_to_wait(counted.unwrap_or(Interest::Read), registered) {
            return Ok(None);
        }
        let using = self.enter()?;
        if let Some(interest) = counted
            && self.take_timed_out(interest)
        {
            return Err(error::timed_out());
        }
        if is_for_nothing && self.kind.is_stream() {
            return Ok(Some(0));
        }
        let interest = counted.unwrap_or(Interest::Read);
        let seen = registered.map(Registration::look);
        if seen.is_some_and(|seen| !seen.is_ready(interest)) {
            return Ok(None);
        }
        let agreement = (counted == Some(Interest::Read))
            .then(|| self.agreement())
            .flatten();
        match agreement.map(|agreement| agreement.is_piece(self, &using, asked)) {
            Some(Ok(true)) => {
                if let (Some(registered), Some(seen)) = (registered, seen) {
                    registered.used_up(interest, seen);
                }
                return Ok(None);
            }
            Some(Err(errno)) => return Err(self.failed(counted, errno, using)),
            _ => {}
        }
        loop {
            let moved = call(using.fd());
            if let Ok(moved) = usize::try_from(moved) {
                if let (Some(registered), Some(seen)) = (registered, seen)
                    && (1..asked).contains(&moved)
                    && self.kind.is_emptied_by_a_short_read()
                {
                    registered.used_up_by_a_short_transfer(interest, seen);
                }
                if moved == 0 && counted != Some(Interest::Write) && self.is_closed() {
                    // Not the peer's end of file but that of our own shutdown: another thread closes.
                    return Err(error::closed());
                }
                if let Some(agreement) = agreement {
                    agreement.took(moved)?;
                }
                if let Some(interest) = counted {
                    self.moved(interest, moved, using, registered.is_some());
                }
                return Ok(Some(moved));
            }
            match error::last_errno() {
                libc::EINTR => {}
                errno if errno == libc::EAGAIN || errno == libc::EWOULDBLOCK => {
                    if let (Some(registered), Some(seen)) = (registered, seen) {
                        registered.used_up(interest, seen);
                    }
                    return Ok(None);
                }
                errno => return Err(self.failed(counted, errno, using)),
            }
        }
    }

    /// The error of a transfer that the system has refused.
    #[cold]
    fn failed(&self, counted: Option<Interest>, errno: i32, using: Use<'_>) -> glib::Error {
        let what = match counted {
            Some(Interest::Write) => "Error sending data",
            _ => "Error receiving data",
        };
        let failure = error::prefixed(what, errno);
        // Closed by another thread between our entering and the call. Asked before any
        // handler runs, which may close it too.
        let closed = self.is_closed();
        if ends_connection(errno) && self.is_peer_gone(&using) {
            drop(using);
            self.lost(Some(failure.clone()), false);
        }
        if closed { error::closed() } else { failure }
    }

    /// Whether a transfer would find nothing to do, and no reason to fail, as far as is known without a look at the
    /// descriptor.
    #[inline]
    fn is_known_to_wait(&self, interest: Interest, registered: Option<&Registration>) -> bool {
        registered.is_some_and(|registered| {
            !registered.look().is_ready(interest) && !registered.is_ended()
        }) && !self.descriptor.is_lent()
            && !self.is_inherited()
            && !self.has_timed_out(interest)
    }

    /// Tells what a transfer has changed, the descriptor free to be closed by whoever is told.
    /// `with_loop` says that a main context is iterated for it.
    fn moved(&self, interest: Interest, count: usize, using: Use<'_>, with_loop: bool) {
        if count > 0 {
            let (counter, bit) = match interest {
                Interest::Read => (&self.bytes_read, change::BYTES_READ),
                Interest::Write => (&self.bytes_written, change::BYTES_WRITTEN),
            };
            counter.fetch_add(count as u64, Ordering::Relaxed);
            drop(using);
            self.tell(bit);
            if !with_loop {
                self.notifier.catch_up_with_bytes();
            }
        } else if interest == Interest::Read && self.kind.is_stream() && self.is_peer_gone(&using) {
            drop(using);
            self.lost(None, false);
        }
    }

    /// Whether the peer has closed its side or the connection is broken, as the kernel sees it now.
    pub(super) fn is_peer_gone(&self, using: &Use<'_>) -> bool {
        self.gone(events_of(using.fd(), Events::GONE), using)
    }

    pub(super) fn gone(&self, events: Events, using: &Use<'_>) -> bool {
        // An error alone need not be the end: a queue of notes, such as timestamps, raises it too.
        if events.has(Events::HANGUP) {
            return true;
        }
        // Our own shutdown of the reading side looks the same.
        events.has(Events::PEER_HANGUP)
            && !(self.kind.has_tcp_state() && options::is_open_to_read(using.fd()))
    }
}

/// A message around as many vectors as the system takes, and how much they hold.
fn message_of(vectors: &[libc::iovec]) -> (libc::msghdr, usize) {
    let vectors = &vectors[..vectors.len().min(MOST_VECTORS)];
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vectors.as_ptr().cast_mut();
    message.msg_iovlen = vectors.len() as _;
    let asked = vectors
        .iter()
        .fold(0_usize, |sum, vector| sum.saturating_add(vector.iov_len));
    (message, asked)
}

/// The process's SIGPIPE disposition is the user's.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// IOV_MAX of Linux; sendmsg(2) fails beyond it.
const MOST_VECTORS: usize = 1024;

/// Errors after which a connection is of no more use, if its socket says so too.
fn ends_connection(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECONNRESET
            | libc::EPIPE
            | libc::ETIMEDOUT
            | libc::ECONNABORTED
            | libc::ENETRESET
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
    )
}

/// `poll(2)` without waiting; nothing when it does not answer.
pub(super) fn events_of(fd: RawFd, wanted: Events) -> Events {
    events_told(fd, wanted).unwrap_or(Events::NONE)
}

/// `poll(2)` without waiting; `None` when it does not answer.
pub(super) fn events_told(fd: RawFd, wanted: Events) -> Option<Events> {
    let mut polled = libc::pollfd {
        fd,
        events: wanted.bits(),
        revents: 0,
    };
    loop {
        // SAFETY: one element, as said.
        match unsafe { libc::poll(&raw mut polled, 1, 0) } {
            1 => return Some(Events::from_bits(polled.revents)),
            0 => return Some(Events::NONE),
            _ => match error::last_errno() {
                libc::EINTR | libc::EAGAIN => {}
                _ => return None,
            },
        }
    }
}
