//! Of many descriptors, those that are ready.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// epoll(7), level-triggered.
pub(crate) struct Poller {
    poller: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poller {
    pub(crate) fn new() -> Self {
        // SAFETY: no pointers involved.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0);
        Self {
            // SAFETY: a descriptor of our own, just made.
            poller: unsafe { OwnedFd::from_raw_fd(fd) },
            events: vec![libc::epoll_event { events: 0, u64: 0 }; 1024],
        }
    }

    fn control(&self, operation: i32, fd: RawFd, events: i32) {
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: fd as u64,
        };
        // SAFETY: a live value.
        let done =
            unsafe { libc::epoll_ctl(self.poller.as_raw_fd(), operation, fd, &raw mut event) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    pub(crate) fn add(&self, fd: RawFd) {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN);
    }

    pub(crate) fn watch(&self, fd: RawFd, for_room: bool) {
        let events = if for_room {
            libc::EPOLLOUT
        } else {
            libc::EPOLLIN
        };
        self.control(libc::EPOLL_CTL_MOD, fd, events);
    }

    /// Who is ready, and whether to write.
    pub(crate) fn wait(&mut self) -> Vec<(RawFd, bool)> {
        let room = self.events.len() as i32;
        // SAFETY: there is room for as many as said.
        let count = unsafe {
            libc::epoll_wait(
                self.poller.as_raw_fd(),
                self.events.as_mut_ptr(),
                room,
                1_000,
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        self.events[..count]
            .iter()
            .map(|event| {
                (
                    event.u64 as RawFd,
                    event.events & libc::EPOLLOUT as u32 != 0,
                )
            })
            .collect()
    }
}
