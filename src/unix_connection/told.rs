//! What a socket is told to say of what it receives, and what others have told it.

use std::os::fd::RawFd;

use crate::transport::options::{get_int, set};

/// The socket tells who has sent what it receives, for as long as this lives.
pub(super) struct Told {
    fd: RawFd,
    was: bool,
}

impl Told {
    /// `None` with `errno` set.
    pub(super) fn ask(fd: RawFd) -> Option<Self> {
        let was = get_int(fd, libc::SOL_SOCKET, libc::SO_PASSCRED).ok()? != 0;
        if !was {
            set_passcred(fd, true).ok()?;
        }
        Some(Self { fd, was })
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if !self.was {
            // What was received is worth more than this, and nothing of ours minds.
            let _ = set_passcred(self.fd, false);
        }
    }
}

fn set_passcred(fd: RawFd, on: bool) -> Result<(), glib::Error> {
    set(fd, libc::SOL_SOCKET, libc::SO_PASSCRED, i32::from(on))
}

/// What has the kernel add more than credentials to whatever is received.
const MORE: [i32; 2] = [libc::SO_PASSSEC, libc::SO_PASSPIDFD];
/// Likewise to packets only: when they came, in one of several forms.
const TIMES: [i32; 6] = [
    libc::SO_TIMESTAMP,
    libc::SO_TIMESTAMPNS,
    libc::SO_TIMESTAMPING,
    libc::SO_TIMESTAMP_NEW,
    libc::SO_TIMESTAMPNS_NEW,
    libc::SO_TIMESTAMPING_NEW,
];

/// Whether more than credentials comes along with whatever is received.
pub(super) fn adds_more(fd: RawFd, is_stream: bool) -> bool {
    let times: &[i32] = if is_stream { &[] } else { &TIMES };
    let mut options = MORE.iter().chain(times);
    options.any(|option| is_set(fd, *option))
}

/// Not where the kernel has no such option.
pub(super) fn is_set(fd: RawFd, option: i32) -> bool {
    get_int(fd, libc::SOL_SOCKET, option).is_ok_and(|value| value != 0)
}
