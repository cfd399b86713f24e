//! Asking the kernel what has happened to many descriptors at once.

#![allow(unsafe_code, reason = "epoll(7)")]

use std::os::fd::RawFd;

use super::{events::Events, slab::Key};

/// What has happened to the descriptor that was added under the key.
pub(super) type Report = (Key, Events);

/// Tells of each descriptor once what it has become ready for, and again after each change.
pub(super) trait Poller {
    /// Reports the present state as the first change.
    ///
    /// # Errors
    ///
    /// The errno. Without a poller the descriptor has to be watched otherwise.
    fn add(&self, fd: RawFd, key: Key) -> Result<(), i32>;

    /// While `fd` still is the one that was added.
    fn remove(&self, fd: RawFd);

    /// Appends what has changed, without waiting. There may be more if it has filled a batch.
    fn reports(&self, reports: &mut Vec<Report>);
}

/// How many reports are taken at once.
pub(super) const BATCH: usize = 256;

#[cfg(epoll)]
pub(super) use epoll::Epoll;

/// Where there is nothing of the kind.
#[cfg(not(epoll))]
#[derive(Debug)]
pub(crate) struct NoPoller;

#[cfg(not(epoll))]
impl NoPoller {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn number(&self) -> RawFd {
        -1
    }

    pub(crate) fn close(&self) {}
}

#[cfg(not(epoll))]
impl Poller for NoPoller {
    fn add(&self, _fd: RawFd, _key: Key) -> Result<(), i32> {
        Err(libc::ENOSYS)
    }

    fn remove(&self, _fd: RawFd) {}

    fn reports(&self, _reports: &mut Vec<Report>) {}
}

#[cfg(epoll)]
mod epoll {
    use std::{
        mem::MaybeUninit,
        os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        sync::{
            PoisonError, RwLock, RwLockReadGuard,
            atomic::{AtomicI32, Ordering},
        },
    };

    use super::{super::slab::Key, BATCH, Events, Poller, Report};
    use crate::error;

    /// What a socket is watched for: kept until it is closed, each change told once.
    const EDGES: Events = Events::IN
        .or(Events::OUT)
        .or(Events::PEER_HANGUP)
        .or(Events::URGENT)
        .or(Events::from_number(libc::EPOLLET as u32));

    /// An epoll instance, made when it is needed first.
    #[derive(Debug)]
    pub(crate) struct Epoll {
        instance: RwLock<Option<OwnedFd>>,
        /// Its number, -1 while there is none.
        number: AtomicI32,
    }

    impl Epoll {
        pub(crate) fn new() -> Self {
            Self {
                instance: RwLock::new(None),
                number: AtomicI32::new(-1),
            }
        }

        pub(crate) fn number(&self) -> RawFd {
            self.number.load(Ordering::Acquire)
        }

        /// Closes it. Nobody may be asking for reports.
        pub(crate) fn close(&self) {
            self.number.store(-1, Ordering::Release);
            let instance = self
                .instance
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            drop(instance);
        }

        fn instance(&self) -> RwLockReadGuard<'_, Option<OwnedFd>> {
            self.instance.read().unwrap_or_else(PoisonError::into_inner)
        }

        fn make(&self) -> Result<(), i32> {
            let mut instance = self
                .instance
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if instance.is_some() {
                return Ok(());
            }
            // SAFETY: no pointers involved.
            let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
            if fd < 0 {
                return Err(error::last_errno());
            }
            // SAFETY: a descriptor of ours, just made.
            *instance = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            self.number.store(fd, Ordering::Release);
            Ok(())
        }
    }

    impl Poller for Epoll {
        fn add(&self, fd: RawFd, key: Key) -> Result<(), i32> {
            if self.number() < 0 {
                self.make()?;
            }
            let instance = self.instance();
            // Closed in between: the context is gone.
            let instance = instance.as_ref().ok_or(libc::EBADF)?;
            let mut event = libc::epoll_event {
                events: EDGES.number(),
                u64: key.to_number(),
            };
            // SAFETY: the kernel reads one structure.
            let added = unsafe {
                libc::epoll_ctl(
                    instance.as_raw_fd(),
                    libc::EPOLL_CTL_ADD,
                    fd,
                    &raw mut event,
                )
            };
            if added == 0 {
                Ok(())
            } else {
                Err(error::last_errno())
            }
        }

        fn remove(&self, fd: RawFd) {
            if let Some(instance) = &*self.instance() {
                // SAFETY: nothing is read for this operation. Its failure leaves nothing to do.
                unsafe {
                    libc::epoll_ctl(
                        instance.as_raw_fd(),
                        libc::EPOLL_CTL_DEL,
                        fd,
                        std::ptr::null_mut(),
                    )
                };
            }
        }

        fn reports(&self, reports: &mut Vec<Report>) {
            let number = self.number();
            if number < 0 {
                return;
            }
            let mut batch = [const { MaybeUninit::<libc::epoll_event>::uninit() }; BATCH];
            // SAFETY: there is room for as many as said; the instance is closed by nobody else while
            // this thread owns the context.
            let count =
                unsafe { libc::epoll_wait(number, batch.as_mut_ptr().cast(), BATCH as i32, 0) };
            // Interrupted, or failed: then there is nothing, and the context will ask again.
            let count = usize::try_from(count).unwrap_or(0);
            for event in &batch[..count] {
                // SAFETY: the kernel has filled in so many.
                let event = unsafe { event.assume_init() };
                reports.push((
                    Key::from_number(event.u64),
                    Events::from_number(event.events),
                ));
            }
        }
    }
}
