//! What travels along with a byte: descriptors and credentials, in control messages.
//!
//! Nothing here waits. What comes next is looked at before it is taken, so that what was not asked for stays
//! where it is. A look without room for descriptors makes none: the kernel says that something was cut
//! off, and no more.

#![allow(unsafe_code, reason = "system calls with control messages")]

use std::{
    mem::zeroed,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

pub(super) use super::sender::{Sender, peer_credentials, peer_pidfd};

use super::told::{Told, adds_more, is_set};
use crate::error;

/// SCM_MAX_FD of Linux.
const MOST_DESCRIPTORS: usize = 253;
/// A descriptor that stands for the sender; libc has no name for it.
const SCM_PIDFD: i32 = 4;

/// Room for credentials and, to the byte, for nothing else.
const FOR_CREDENTIALS: usize = words(size_of::<libc::ucred>());
/// Room for as many descriptors as there can be, beside credentials, a security label and times.
const FOR_ALL: usize = 512;

const fn space(payload: usize) -> usize {
    // SAFETY: arithmetic only.
    (unsafe { libc::CMSG_SPACE(payload as libc::c_uint) }) as usize
}

/// Control messages are kept in words, which are aligned as their headers demand.
const fn words(payload: usize) -> usize {
    space(payload).div_ceil(size_of::<u64>())
}

// --- Sending -----------------------------------------------------------------------------------

/// What goes out with a byte that means nothing by itself.
#[derive(Debug)]
pub(crate) struct Cargo {
    control: Vec<u64>,
    len: usize,
    /// Descriptors in it that nobody else keeps open.
    _kept: Vec<OwnedFd>,
}

impl Cargo {
    /// Descriptors that stay open until they are sent.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for none, and for more than the kernel takes.
    pub(super) fn of_borrowed(fds: &[BorrowedFd<'_>]) -> Result<Self, glib::Error> {
        check_count(fds.len())?;
        Ok(Self::of_descriptors(fds))
    }

    /// Duplicates of descriptors that may be closed meanwhile.
    ///
    /// # Errors
    ///
    /// Those of [`of_borrowed`](Self::of_borrowed); `TooManyOpenFiles`, and `Failed` for what is not open.
    pub(crate) fn of_duplicates(fds: &[BorrowedFd<'_>]) -> Result<Self, glib::Error> {
        check_count(fds.len())?;
        let duplicates = fds
            .iter()
            .map(BorrowedFd::try_clone_to_owned)
            .collect::<Result<Vec<OwnedFd>, _>>()
            .map_err(|failure| {
                let errno = failure.raw_os_error().unwrap_or(libc::EIO);
                error::prefixed("Duplicating a descriptor to send", errno)
            })?;
        let mut cargo = Self::of_descriptors(&duplicates);
        cargo._kept = duplicates;
        Ok(cargo)
    }

    fn of_descriptors(fds: &[impl AsRawFd]) -> Self {
        let numbers = fds.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes());
        Self::new(libc::SCM_RIGHTS, &numbers.collect::<Vec<u8>>())
    }

    /// Those of this process.
    #[allow(clippy::unnecessary_wraps, reason = "other systems have none to send")]
    pub(super) fn of_credentials() -> Result<Self, glib::Error> {
        let sender = Sender::here();
        // In the order of `ucred`.
        let pid = sender.pid.to_ne_bytes();
        let ids = [sender.uid.to_ne_bytes(), sender.gid.to_ne_bytes()];
        let payload = [pid, ids[0], ids[1]].concat();
        Ok(Self::new(libc::SCM_CREDENTIALS, &payload))
    }

    fn new(kind: i32, payload: &[u8]) -> Self {
        let mut control = vec![0_u64; words(payload.len())];
        let header = control.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: arithmetic only.
        let len = unsafe { libc::CMSG_LEN(payload.len() as libc::c_uint) };
        // SAFETY: all zero is a header; it has fields on some systems that nobody names.
        let mut first: libc::cmsghdr = unsafe { zeroed() };
        first.cmsg_len = len as _;
        first.cmsg_level = libc::SOL_SOCKET;
        first.cmsg_type = kind;
        // SAFETY: aligned, and there is room for more than a header.
        unsafe { header.write(first) };
        // SAFETY: behind the header, in the same room.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: `words` has counted the payload in.
        unsafe { ptr::copy_nonoverlapping(payload.as_ptr(), data, payload.len()) };
        Self {
            control,
            len: space(payload.len()),
            _kept: Vec::new(),
        }
    }

    /// One `sendmsg(2)` that does not wait, and what it returns.
    pub(super) fn send(&self, fd: RawFd) -> isize {
        let mut byte = [0];
        let mut part = part_of(&mut byte);
        let mut message = message_of(&mut part);
        message.msg_control = self.control.as_ptr().cast_mut().cast();
        message.msg_controllen = self.len as _;
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: a byte and a control message, which the kernel only reads.
        unsafe { libc::sendmsg(fd, &raw const message, flags) }
    }
}

fn check_count(count: usize) -> Result<(), glib::Error> {
    match count {
        1..=MOST_DESCRIPTORS => Ok(()),
        _ => Err(error::invalid(
            "One message takes from 1 to 253 descriptors",
        )),
    }
}

fn part_of(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }
}

fn message_of(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message
}

// --- Receiving ---------------------------------------------------------------------------------

/// What is next in the queue of a socket.
#[derive(Debug)]
pub(super) enum Next<T> {
    /// Nothing any more.
    End,
    /// Something else than was asked for. It is still there.
    Other,
    Taken(T),
}

/// The descriptors that came with a byte.
#[derive(Debug)]
pub(super) struct Descriptors {
    pub(super) all: Vec<OwnedFd>,
    /// There were more, which are lost.
    pub(super) is_cut: bool,
}

impl From<Message> for Descriptors {
    fn from(message: Message) -> Self {
        Self {
            all: message.descriptors,
            is_cut: message.is_cut,
        }
    }
}

/// Takes a byte that descriptors came with. Returns as `recvmsg(2)` does, 0 where nothing was taken.
pub(super) fn receive_descriptors(
    fd: RawFd,
    is_stream: bool,
    next: &mut Next<Descriptors>,
) -> isize {
    let mut seen = Message::receive(fd, libc::MSG_PEEK | libc::MSG_TRUNC, 2, &mut []);
    let mut len = seen.moved;
    if len < 0 {
        return len;
    }
    *next = seen.without_cargo(fd, is_stream);
    // There was something to cut off: descriptors, unless the socket adds to whatever it receives.
    if seen.is_cut && (is_set(fd, libc::SO_PASSCRED) || adds_more(fd, is_stream)) {
        seen = Message::look(fd, is_stream);
        if seen.moved < 0 {
            return seen.moved;
        }
        if is_stream {
            // There may be more by now.
            len = seen.moved;
        }
    }
    if !seen.has_descriptors() {
        return 0;
    }
    match (is_stream, len) {
        (true, 0) => 0,
        // They may be those of a byte further on.
        (true, 2..) => take_next(fd, next),
        // A packet of data.
        (false, 2..) => 0,
        _ => {
            let taken = Message::receive_seen(fd, 0, 1, &mut [0; FOR_ALL]);
            let moved = taken.moved;
            if moved >= 0 && taken.has_descriptors() {
                *next = Next::Taken(taken.into());
            }
            moved
        }
    }
}

/// Takes the descriptors that the very next byte of a stream has, if it has any, and that byte: to receive no
/// bytes takes them, and leaves the byte.
fn take_next(fd: RawFd, next: &mut Next<Descriptors>) -> isize {
    let taken = Message::receive_seen(fd, 0, 0, &mut [0; FOR_ALL]);
    if taken.moved < 0 || !taken.has_descriptors() {
        return taken.moved;
    }
    let moved = Message::receive_seen(fd, 0, 1, &mut []).moved;
    // Or somebody else has read it meanwhile.
    if moved < 0 && error::last_errno() != libc::EAGAIN {
        return moved;
    }
    *next = Next::Taken(taken.into());
    moved.max(0)
}

/// Takes a byte that credentials came with. Returns as `recvmsg(2)` does, 0 where nothing was taken.
///
/// They come from the sender whether or not the receiver asks for them; what the receiver asks for is to be
/// told. That is asked for here only, and not while anybody waits.
pub(super) fn receive_credentials(fd: RawFd, is_stream: bool, next: &mut Next<Sender>) -> isize {
    let seen = Message::receive(fd, libc::MSG_PEEK | libc::MSG_TRUNC, 1, &mut []);
    if seen.moved < 0 {
        return seen.moved;
    }
    *next = seen.without_cargo(fd, is_stream);
    if seen.moved != 1 {
        return 0;
    }
    let Some(_told) = Told::ask(fd) else {
        return -1;
    };
    let seen = Message::look(fd, is_stream);
    if seen.moved < 0 || seen.known_sender().is_none() {
        return seen.moved.min(0);
    }
    // Descriptors would be lost. Those that a look finds behind a second byte are that one's.
    if seen.has_descriptors() && !(is_stream && seen.moved > 1) {
        return 0;
    }
    let taken = Message::receive_seen(fd, 0, 1, &mut [0; FOR_ALL]);
    if taken.moved >= 0
        && !taken.has_descriptors()
        && let Some(sender) = taken.known_sender()
    {
        *next = Next::Taken(sender);
    }
    taken.moved
}

/// What one `recvmsg(2)` has found.
#[derive(Debug)]
struct Message {
    moved: isize,
    descriptors: Vec<OwnedFd>,
    sender: Option<Sender>,
    is_cut: bool,
}

impl Message {
    /// A `recvmsg(2)` of `len` bytes, two at most, that does not wait. Where it fails, `errno` says why.
    fn receive(fd: RawFd, flags: i32, len: usize, control: &mut [u64]) -> Self {
        loop {
            let found = Self::receive_once(fd, flags, len, control);
            if found.moved >= 0 || error::last_errno() != libc::EINTR {
                return found;
            }
        }
    }

    /// Likewise, of what was seen to be there: to hear otherwise once changes nothing.
    fn receive_seen(fd: RawFd, flags: i32, len: usize, control: &mut [u64]) -> Self {
        let found = Self::receive(fd, flags, len, control);
        if found.moved >= 0 || error::last_errno() != libc::EAGAIN {
            return found;
        }
        Self::receive(fd, flags, len, control)
    }

    fn receive_once(fd: RawFd, flags: i32, len: usize, control: &mut [u64]) -> Self {
        let mut bytes = [0; 2];
        let len = len.min(bytes.len());
        let mut part = part_of(&mut bytes[..len]);
        let mut message = message_of(&mut part);
        if !control.is_empty() {
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(control) as _;
        }
        let flags = flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: room for bytes and for control messages.
        let moved = unsafe { libc::recvmsg(fd, &raw mut message, flags) };
        let mut found = Self {
            moved,
            descriptors: Vec::new(),
            sender: None,
            is_cut: message.msg_flags & libc::MSG_CTRUNC != 0,
        };
        if moved >= 0 && !control.is_empty() {
            found.read(&message);
        }
        found
    }

    /// Looks at two bytes and what would come along, and takes nothing.
    fn look(fd: RawFd, is_stream: bool) -> Self {
        let flags = libc::MSG_PEEK;
        if !adds_more(fd, is_stream) {
            return Self::receive_seen(fd, flags, 2, &mut [0; FOR_CREDENTIALS]);
        }
        // Something beside credentials and descriptors, which must not be taken for descriptors.
        let mut seen = Self::receive_seen(fd, flags, 2, &mut [0; FOR_ALL]);
        seen.is_cut |= !seen.descriptors.is_empty();
        // Duplicates of those that stay in the queue.
        seen.descriptors.clear();
        seen
    }

    /// Takes over all descriptors of a message that was received, whatever they are for.
    fn read(&mut self, message: &libc::msghdr) {
        // SAFETY: as the kernel has filled it.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
        while !header.is_null() {
            // SAFETY: a header in the room of the message.
            let this = unsafe { header.read() };
            // SAFETY: likewise.
            let data = unsafe { libc::CMSG_DATA(header) };
            let before = data.addr() - header.addr();
            let len = (this.cmsg_len as usize).saturating_sub(before);
            // SAFETY: as many bytes as the kernel says are there.
            let payload = unsafe { std::slice::from_raw_parts(data, len) };
            match (this.cmsg_level, this.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => self.descriptors.extend(owned(payload)),
                // Nobody has asked us for it.
                (libc::SOL_SOCKET, SCM_PIDFD) => owned(payload).for_each(drop),
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                    self.sender = Sender::from_bytes(payload);
                }
                _ => {}
            }
            // SAFETY: likewise.
            header = unsafe { libc::CMSG_NXTHDR(message, header) };
        }
    }

    /// What a look without room for anything makes of it.
    fn without_cargo<T>(&self, fd: RawFd, is_stream: bool) -> Next<T> {
        // A packet may be empty.
        if self.moved == 0 && (is_stream || is_hung_up(fd)) {
            Next::End
        } else {
            Next::Other
        }
    }

    /// Some of which there may have been no room for.
    fn has_descriptors(&self) -> bool {
        self.is_cut || !self.descriptors.is_empty()
    }

    /// Whoever has sent credentials, or was made to; not one of whom the kernel knows nothing.
    fn known_sender(&self) -> Option<Sender> {
        self.sender.filter(Sender::is_known)
    }
}

/// The descriptors in a control message, each of which is ours from now on.
fn owned(payload: &[u8]) -> impl Iterator<Item = OwnedFd> {
    payload.as_chunks().0.iter().filter_map(|number| {
        let fd = RawFd::from_ne_bytes(*number);
        // SAFETY: the kernel has made it for us, and names it once.
        (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

fn is_hung_up(fd: RawFd) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: one element, as said.
    let count = unsafe { libc::poll(&raw mut polled, 1, 0) };
    count == 1 && polled.revents & (libc::POLLRDHUP | libc::POLLHUP) != 0
}
