//! The system calls that std has no name for.

use std::{
    io,
    mem::{size_of, zeroed},
    net::TcpStream,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

/// Nanoseconds of a clock of `clock_gettime(2)`.
pub(crate) fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a timespec to write to.
    let code = unsafe { libc::clock_gettime(id, &raw mut time) };
    assert_eq!(code, 0, "the clocks asked for exist on Linux");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How often threads of this process have gone to sleep so far.
pub(crate) fn sleeps() -> u64 {
    // SAFETY: a struct of numbers.
    let mut usage: libc::rusage = unsafe { zeroed() };
    // SAFETY: `usage` is an rusage to write to.
    let code = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    assert_eq!(code, 0, "one may ask about oneself");
    usage.ru_nvcsw as u64
}

/// Makes closing reset the connection, so that tens of thousands of them leave no port in TIME_WAIT.
pub(crate) fn reset_on_close(socket: &TcpStream) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the option takes a linger of this length, which is read during the call only.
    let code = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    answer(code).map(drop)
}

/// Makes a listening socket's queue long enough for connects that do not wait for each other.
pub(crate) fn listen_long(listener: &impl AsFd) -> io::Result<()> {
    // SAFETY: a system call on an open descriptor.
    answer(unsafe { libc::listen(listener.as_fd().as_raw_fd(), 4096) }).map(drop)
}

/// Bytes that the heap has given out: Rust's, GLib's and everybody else's, with malloc's own headers.
pub(crate) fn heap_in_use() -> usize {
    // SAFETY: it takes nothing and returns a struct of numbers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// Ends the process without any of the clean-up that is no part of a measurement.
pub(crate) fn exit_now() -> ! {
    // SAFETY: it does not return, and nothing of this process is looked at afterwards.
    unsafe { libc::_exit(0) }
}

/// Ends the process by a signal when it still runs after so many seconds.
pub(crate) fn end_after(seconds: u32) {
    // SAFETY: it sets a timer of the kernel's, whose signal nobody here handles.
    unsafe { libc::alarm(seconds) };
}

/// Allows as many open descriptors as the hard limit does.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is an rlimit to write to.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is an rlimit to read from.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return 0;
    }
    limit.rlim_cur
}

/// The version of GLib that is loaded.
pub(crate) fn glib_version() -> String {
    unsafe extern "C" {
        static glib_major_version: libc::c_uint;
        static glib_minor_version: libc::c_uint;
        static glib_micro_version: libc::c_uint;
    }
    // SAFETY: a constant of the library.
    let major = unsafe { glib_major_version };
    // SAFETY: as above.
    let minor = unsafe { glib_minor_version };
    // SAFETY: as above.
    let micro = unsafe { glib_micro_version };
    format!("{major}.{minor}.{micro}")
}

/// An epoll instance, for the contestant that has nothing else and for the peers.
pub(crate) struct Epoll(OwnedFd);

pub(crate) type Event = libc::epoll_event;

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: a system call that takes flags.
        let fd = answer(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just made and has no other owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches for something to read; `key` comes with the event.
    pub(crate) fn add(&self, socket: &impl AsFd, edge: bool, key: u64) -> io::Result<()> {
        let edge = if edge { libc::EPOLLET } else { 0 };
        let mut event = Event {
            events: (libc::EPOLLIN | edge) as u32,
            u64: key,
        };
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: both descriptors are open, and the event is copied during the call.
        let code =
            unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        answer(code).map(drop)
    }

    /// Waits for events without a time limit. Answers those that came.
    pub(crate) fn wait<'a>(&self, events: &'a mut [Event]) -> io::Result<&'a [Event]> {
        // SAFETY: the events are a slice of that length to write to.
        let code = unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                events.as_mut_ptr(),
                events.len() as libc::c_int,
                -1,
            )
        };
        let count = answer(code)? as usize;
        Ok(&events[..count])
    }
}

fn answer(code: libc::c_int) -> io::Result<libc::c_int> {
    if code < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(code)
    }
}
