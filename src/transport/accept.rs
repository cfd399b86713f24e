//! Taking a connection from a socket that listens, as a bare descriptor.

#![expect(dead_code, reason = "the listener is not there yet")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Bare, Kind, NativeAddress, kind::Origin, options};
use crate::error;

impl Bare {
    /// The next connection that waits at `listening`, which is of this kind. Programs that are started do not get it.
    ///
    /// Or the errno of the kernel: `EAGAIN` when there is none and `listening` does not wait.
    pub(crate) fn accept(listening: BorrowedFd<'_>, kind: Kind) -> Result<Self, i32> {
        let (fd, peer) = NativeAddress::filled_in(|address, len| {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            // SAFETY: as `filled_in` says of both.
            let fd =
                unsafe { libc::accept4(listening.as_raw_fd(), address, len, libc::SOCK_CLOEXEC) };
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            // SAFETY: likewise.
            let fd = unsafe { libc::accept(listening.as_raw_fd(), address, len) };
            fd
        });
        if fd < 0 {
            return Err(error::last_errno());
        }
        // SAFETY: a descriptor of ours, just made.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // On Linux it waits whatever the other one does; elsewhere it has that one's mode.
        let waits = cfg!(any(target_os = "linux", target_os = "android"))
            || !options::is_nonblocking(fd.as_raw_fd());
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        options::set_close_on_exec(fd.as_raw_fd());
        let origin = Origin::Accepted { peer, waits };
        Ok(Self { fd, kind, origin })
    }

    /// With whom an accepted one is connected.
    pub(crate) fn peer(&self) -> Option<NativeAddress> {
        match self.origin {
            Origin::Accepted { peer, .. } => Some(peer),
            Origin::Given { .. } | Origin::Made => None,
        }
    }

    /// For who wants nothing but that.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl Kind {
    /// Of a socket that listens, which is that of all that it accepts; or the errno of the kernel, which will not
    /// describe it.
    pub(crate) fn of_listening(fd: BorrowedFd<'_>) -> Result<Self, i32> {
        Self::of_fd(fd.as_raw_fd()).map(|(kind, _)| kind)
    }
}
