//! Socket options, by number.

use std::{mem::MaybeUninit, os::fd::RawFd, sync::Arc, time::Duration};

use crate::error;

/// Reads an integer option.
pub(crate) fn get_int(fd: RawFd, level: i32, name: i32) -> Result<i32, i32> {
    get(fd, level, name)
}

/// The protocol number, as the kernel has it: MPTCP says so here, and nowhere else.
pub(super) fn protocol(fd: RawFd) -> i32 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        get_int(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL).unwrap_or(-1)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = fd;
        -1
    }
}

/// Reads an option of plain integers.
pub(crate) fn get<T: Plain>(fd: RawFd, level: i32, name: i32) -> Result<T, i32> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the buffer is as long as said.
    let result =
        unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &raw mut len) };
    if result != 0 {
        return Err(error::last_errno());
    }
    // SAFETY: `Plain` types are valid whatever their bytes, and these were zeroed at first.
    Ok(unsafe { value.assume_init() })
}

/// Sets an option of plain integers.
pub(crate) fn set<T: Plain>(fd: RawFd, level: i32, name: i32, value: T) -> Result<(), glib::Error> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is as long as said.
    match unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) } {
        0 => Ok(()),
        _ => Err(refused("Unable to set socket option", error::last_errno())),
    }
}

/// An option that this socket does not have is not supported, whichever of its two words the kernel has for that:
/// Multipath TCP says that the protocol has none such.
fn refused(what: &str, errno: i32) -> glib::Error {
    let errno = match errno {
        libc::ENOPROTOOPT => libc::EOPNOTSUPP,
        errno => errno,
    };
    error::prefixed(what, errno)
}

/// Integers, or structures of nothing else.
///
/// # Safety
///
/// Every pattern of bytes must be a value of the type.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for i32 {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: two integers.
unsafe impl Plain for libc::linger {}
// SAFETY: three integers.
#[cfg(ancillary)]
unsafe impl Plain for libc::ucred {}

/// Whether calls on the descriptor do not wait.
pub(super) fn is_nonblocking(fd: RawFd) -> bool {
    // SAFETY: no pointers involved.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags >= 0 && flags & libc::O_NONBLOCK != 0
}

/// Calls on the descriptor do not wait from now on.
pub(super) fn set_nonblocking(fd: RawFd) {
    // SAFETY: an open descriptor. These calls cannot fail on one.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags >= 0 && flags & libc::O_NONBLOCK == 0 {
        // SAFETY: likewise.
        unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
    }
}

/// A child does not inherit the descriptor.
pub(super) fn set_close_on_exec(fd: RawFd) {
    // SAFETY: an open descriptor. The call cannot fail on one.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Ends a connect that is in flight: the socket is as it was before. A `bind` to a port that was
/// asked for is kept; one to any port is made anew by the next connect.
pub(super) fn abort_connect(fd: RawFd) {
    // SAFETY: all zero is an address of family AF_UNSPEC, which dissolves the association.
    let nowhere: libc::sockaddr = unsafe { std::mem::zeroed() };
    // SAFETY: the address is as long as said.
    unsafe {
        libc::connect(
            fd,
            &raw const nowhere,
            size_of::<libc::sockaddr>() as libc::socklen_t,
        )
    };
    // The abort leaves an error behind that the next connect would report as its own.
    let _ = get_int(fd, libc::SOL_SOCKET, libc::SO_ERROR);
}

/// Whether the TCP machine has seen no FIN and no reset from the peer.
#[cfg(tcp_state)]
pub(super) fn is_open_to_read(fd: RawFd) -> bool {
    /// The states of `tcp_info` in which the peer may still send.
    const ESTABLISHED: u8 = 1;
    const FIN_WAIT_1: u8 = 4;
    const FIN_WAIT_2: u8 = 5;
    // The state is the first byte of the structure, in every version of it.
    let mut state = [0_u8; 4];
    let mut len = state.len() as libc::socklen_t;
    // SAFETY: the buffer is as long as said; the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            state.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    result == 0 && matches!(state[0], ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2)
}

/// Nothing tells on this system.
#[cfg(not(tcp_state))]
pub(super) fn is_open_to_read(_: RawFd) -> bool {
    false
}

/// What keep-alive probes an idle connection sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeepaliveParams {
    /// How long the connection must have been idle before the first probe.
    pub idle: Duration,
    /// How long to wait from one unanswered probe to the next.
    pub interval: Duration,
    /// How many unanswered probes end the connection.
    pub count: u32,
}

/// The options of TCP, by name.
impl super::Transport {
    fn option<R>(&self, f: impl FnOnce(RawFd) -> Result<R, i32>) -> Result<R, glib::Error> {
        let using = self.enter()?;
        f(using.fd()).map_err(|errno| refused("Unable to read socket option", errno))
    }

    pub(crate) fn no_delay(&self) -> Result<bool, glib::Error> {
        self.option(|fd| get_int(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY))
            .map(|on| on != 0)
    }

    pub(crate) fn set_no_delay(&self, on: bool) -> Result<(), glib::Error> {
        set(
            self.enter()?.fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            i32::from(on),
        )
    }

    pub(crate) fn linger_zero(&self) -> Result<bool, glib::Error> {
        self.option(|fd| get::<libc::linger>(fd, libc::SOL_SOCKET, libc::SO_LINGER))
            .map(|linger| linger.l_onoff != 0 && linger.l_linger == 0)
    }

    pub(crate) fn set_linger_zero(&self, on: bool) -> Result<(), glib::Error> {
        let linger = libc::linger {
            l_onoff: i32::from(on),
            l_linger: 0,
        };
        set(
            self.enter()?.fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            linger,
        )
    }

    pub(crate) fn keepalive(&self) -> Result<Option<KeepaliveParams>, glib::Error> {
        self.option(|fd| {
            if get_int(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE)? == 0 {
                return Ok(None);
            }
            let number = |name| {
                // The kernel reports what it was given, which is positive.
                get_int(fd, libc::IPPROTO_TCP, name).map(|value| u32::try_from(value).unwrap_or(0))
            };
            let seconds = |name| number(name).map(|seconds| Duration::from_secs(seconds.into()));
            Ok(Some(KeepaliveParams {
                idle: seconds(KEEPALIVE_IDLE)?,
                interval: seconds(libc::TCP_KEEPINTVL)?,
                count: number(libc::TCP_KEEPCNT)?,
            }))
        })
    }

    pub(crate) fn set_keepalive(
        self: &Arc<Self>,
        params: Option<KeepaliveParams>,
    ) -> Result<(), glib::Error> {
        let using = self.enter()?;
        if let Some(params) = params {
            let tcp = |name, value| set(using.fd(), libc::IPPROTO_TCP, name, value);
            // All are checked before the first is set.
            let idle = whole_seconds(params.idle)?;
            let interval = whole_seconds(params.interval)?;
            let count = i32::try_from(params.count)
                .ok()
                .filter(|count| (1..=MOST_PROBES).contains(count))
                .ok_or_else(|| error::invalid("Keep-alive takes from 1 to 127 probes"))?;
            tcp(KEEPALIVE_IDLE, idle)?;
            tcp(libc::TCP_KEEPINTVL, interval)?;
            tcp(libc::TCP_KEEPCNT, count)?;
        }
        set(
            using.fd(),
            libc::SOL_SOCKET,
            libc::SO_KEEPALIVE,
            i32::from(params.is_some()),
        )?;
        drop(using);
        self.tell_socket_of_keepalive(params.is_some());
        Ok(())
    }

    pub(crate) fn user_timeout(&self) -> Result<Duration, glib::Error> {
        #[cfg(tcp_state)]
        {
            self.option(|fd| get::<u32>(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT))
                .map(|milliseconds| Duration::from_millis(milliseconds.into()))
        }
        #[cfg(not(tcp_state))]
        Err(error::from_errno(libc::EOPNOTSUPP))
    }

    pub(crate) fn set_user_timeout(&self, timeout: Duration) -> Result<(), glib::Error> {
        let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
        let milliseconds = i32::try_from(milliseconds)
            .map_err(|_| error::invalid("The timeout is too long for the system"))?;
        let using = self.enter()?;
        #[cfg(tcp_state)]
        {
            set(
                using.fd(),
                libc::IPPROTO_TCP,
                libc::TCP_USER_TIMEOUT,
                milliseconds,
            )
        }
        #[cfg(not(tcp_state))]
        {
            let _ = (using, milliseconds);
            Err(error::from_errno(libc::EOPNOTSUPP))
        }
    }
}

/// What Linux takes for both times, in seconds, and for the number of probes.
const MOST_SECONDS: u128 = 32_767;
const MOST_PROBES: i32 = 127;

#[cfg(not(any(target_os = "macos", target_os = "ios")))]
const KEEPALIVE_IDLE: i32 = libc::TCP_KEEPIDLE;
#[cfg(any(target_os = "macos", target_os = "ios"))]
const KEEPALIVE_IDLE: i32 = libc::TCP_KEEPALIVE;

fn whole_seconds(time: Duration) -> Result<i32, glib::Error> {
    match time.as_nanos().div_ceil(1_000_000_000) {
        // In range for an i32, as the bounds say.
        seconds @ 1..=MOST_SECONDS => Ok(seconds as i32),
        _ => Err(error::invalid(
            "Keep-alive takes times from 1 to 32767 seconds",
        )),
    }
}
