//! Who has sent something, or is at the other end.

#![allow(unsafe_code, reason = "GIO takes the kernel's structure")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::{
    error,
    transport::options::{get, get_int},
};

/// A process, and the user and group that it ran as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) pid: libc::pid_t,
    pub(super) uid: libc::uid_t,
    pub(super) gid: libc::gid_t,
}

/// What the kernel calls a user whom it does not know, or cannot name here.
const NOBODY: [u32; 2] = [u32::MAX, 65_534];

impl Sender {
    /// This process, as GIO introduces it.
    pub(super) fn here() -> Self {
        Self {
            // SAFETY: these cannot fail.
            pid: unsafe { libc::getpid() },
            // SAFETY: likewise.
            uid: unsafe { libc::geteuid() },
            // SAFETY: likewise.
            gid: unsafe { libc::getegid() },
        }
    }

    /// From the bytes of a `ucred`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [pid, uid, gid] = bytes.as_chunks().0 else {
            return None;
        };
        Some(Self {
            pid: libc::pid_t::from_ne_bytes(*pid),
            uid: libc::uid_t::from_ne_bytes(*uid),
            gid: libc::gid_t::from_ne_bytes(*gid),
        })
    }

    /// Whether the kernel knows anything. A process of another namespace has no number here, but a user.
    pub(super) fn is_known(&self) -> bool {
        self.pid != 0 || !NOBODY.contains(&self.uid)
    }

    pub(super) fn to_gio(self) -> gio::Credentials {
        let mut native = libc::ucred {
            pid: self.pid,
            uid: self.uid,
            gid: self.gid,
        };
        let credentials = gio::Credentials::new();
        let native = (&raw mut native).cast();
        // SAFETY: the structure that the type names; it is copied.
        unsafe { credentials.set_native(gio::CredentialsType::LinuxUcred, native) };
        credentials
    }
}

/// Who was at the other end when the connection was made.
///
/// # Errors
///
/// `NotConnected` where nobody was.
pub(super) fn peer_credentials(fd: RawFd) -> Result<Sender, glib::Error> {
    let peer = get::<libc::ucred>(fd, libc::SOL_SOCKET, libc::SO_PEERCRED)
        .map_err(|errno| error::prefixed("Unable to read the peer's credentials", errno))?;
    let peer = Sender {
        pid: peer.pid,
        uid: peer.uid,
        gid: peer.gid,
    };
    if peer.is_known() {
        Ok(peer)
    } else {
        Err(error::not_connected())
    }
}

/// Likewise, as a descriptor that stands for the process.
///
/// # Errors
///
/// `NotSupported` where the kernel has none, `NotConnected`, and the system's own.
pub(super) fn peer_pidfd(fd: RawFd) -> Result<OwnedFd, glib::Error> {
    match get_int(fd, libc::SOL_SOCKET, libc::SO_PEERPIDFD) {
        // SAFETY: the kernel has made it for us.
        Ok(pidfd) if pidfd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(pidfd) }),
        Ok(_) | Err(libc::ENODATA) => Err(error::not_connected()),
        Err(libc::ENOPROTOOPT) => Err(error::prefixed(
            "Unable to get a descriptor of the peer's process",
            libc::EOPNOTSUPP,
        )),
        Err(errno) => Err(error::prefixed(
            "Unable to get a descriptor of the peer's process",
            errno,
        )),
    }
}
