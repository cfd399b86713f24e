//! Descriptors that are watched, and messages made by hand.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs::File,
    io::{ErrorKind, PipeReader, PipeWriter, Read},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
};

// --- Descriptors ---------------------------------------------------------------------------------

/// A file that knows whether anybody still has it open, this process or another, or a message on its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    seen_from: PipeReader,
    file: Option<PipeWriter>,
}

impl Parcel {
    pub(crate) fn new() -> Self {
        let (seen_from, file) = std::io::pipe().expect("a pipe");
        Self {
            seen_from,
            file: Some(file),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_ref().expect("not given up").as_fd()
    }

    /// Gives up its own.
    pub(crate) fn let_go(&mut self) {
        self.file = None;
    }

    /// Whether `fd` is the same file.
    pub(crate) fn is(&self, fd: &OwnedFd) -> bool {
        let inode = |fd: BorrowedFd<'_>| {
            let file = File::from(fd.try_clone_to_owned().expect("open"));
            file.metadata().expect("a file").ino()
        };
        inode(self.seen_from.as_fd()) == inode(fd.as_fd())
    }

    /// Whether nobody has it open any more.
    #[track_caller]
    pub(crate) fn is_closed_everywhere(&mut self) -> bool {
        self.let_go();
        set_nonblocking(&self.seen_from);
        match self.seen_from.read(&mut [0]) {
            Ok(0) => true,
            Err(failure) if failure.kind() == ErrorKind::WouldBlock => false,
            other => panic!("{other:?}"),
        }
    }
}

fn set_nonblocking(fd: &impl AsRawFd) {
    // SAFETY: an open descriptor.
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
}

pub(crate) fn is_close_on_exec(fd: &OwnedFd) -> bool {
    // SAFETY: an open descriptor.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
}

pub(crate) fn option(fd: &impl AsRawFd, option: i32) -> i32 {
    let mut value = -1_i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: room for an integer.
    let got = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    assert_eq!(got, 0);
    value
}

pub(crate) fn set_option(fd: &impl AsRawFd, option: i32, value: i32) {
    // SAFETY: a value that is as long as said.
    let set = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// A message made by hand: bytes, and what comes along with the first.
pub(crate) fn send_by_hand(peer: &impl AsRawFd, bytes: &[u8], fds: &[BorrowedFd<'_>], creds: bool) {
    let sent = try_send_by_hand(peer, bytes, fds, creds);
    sent.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Likewise to a peer that may be gone.
pub(crate) fn try_send_by_hand(
    peer: &impl AsRawFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    creds: bool,
) -> std::io::Result<()> {
    let mut control = [0_u64; 256];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let mut payloads: Vec<(i32, Vec<u8>)> = Vec::new();
    if !fds.is_empty() {
        let numbers = fds.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes());
        payloads.push((libc::SCM_RIGHTS, numbers.collect()));
    }
    if creds {
        // SAFETY: these cannot fail.
        let (pid, uid, gid) = unsafe { (libc::getpid(), libc::getuid(), libc::getgid()) };
        let mut payload = pid.to_ne_bytes().to_vec();
        payload.extend(uid.to_ne_bytes());
        payload.extend(gid.to_ne_bytes());
        payloads.push((libc::SCM_CREDENTIALS, payload));
    }
    // SAFETY: there is room for a header.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    let mut used = 0;
    for (kind, payload) in &payloads {
        // SAFETY: within the control buffer, which has room for all of it.
        unsafe {
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = *kind;
            (*header).cmsg_len = libc::CMSG_LEN(payload.len() as u32) as _;
            payload
                .as_ptr()
                .copy_to_nonoverlapping(libc::CMSG_DATA(header), payload.len());
            used += libc::CMSG_SPACE(payload.len() as u32) as usize;
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    message.msg_controllen = used as _;
    if used == 0 {
        message.msg_control = std::ptr::null_mut();
    }
    // SAFETY: a message as described.
    let sent = unsafe {
        libc::sendmsg(
            peer.as_raw_fd(),
            &raw const message,
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        )
    };
    if sent < 0 {
        return Err(std::io::Error::last_os_error());
    }
    assert_eq!(sent, bytes.len() as isize);
    Ok(())
}

/// Bytes, and nothing along with them.
pub(crate) fn send_bytes(peer: &impl AsRawFd, bytes: &[u8]) {
    send_by_hand(peer, bytes, &[], false);
}
