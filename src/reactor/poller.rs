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

    /// Appends what has changed, without waiting. Answers whether there may be more: it has filled a batch.
    fn reports(&self, reports: &mut Vec<Report>) -> bool;
}

/// How many reports are taken at once.
pub(super) const BATCH: usize = 128;

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

    pub(super) fn make(&self) -> Result<(), i32> {
        Err(libc::ENOSYS)
    }

    pub(super) fn wake_up(&self) -> RawFd {
        -1
    }

    pub(super) fn watch_wake_up(&self, _fd: RawFd) -> bool {
        false
    }

    pub(super) fn forget_wake_up(&self) {}

    pub(super) fn has_kept(&self) -> bool {
        false
    }

    pub(super) fn wait(&self, _milliseconds: i32) -> Result<Events, i32> {
        Err(libc::ENOSYS)
    }
}

#[cfg(not(epoll))]
impl Poller for NoPoller {
    fn add(&self, _fd: RawFd, _key: Key) -> Result<(), i32> {
        Err(libc::ENOSYS)
    }

    fn remove(&self, _fd: RawFd) {}

    fn reports(&self, _reports: &mut Vec<Report>) -> bool {
        false
    }
}

#[cfg(epoll)]
mod epoll {
    use std::{
        ffi::c_int,
        mem::MaybeUninit,
        os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        sync::{
            Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
            atomic::{AtomicBool, AtomicI32, Ordering},
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
        /// The descriptor that wakes the context, if it is watched as well; otherwise -1.
        wake_up: AtomicI32,
        /// What waits have found, for the next look.
        kept: Mutex<Kept>,
        /// Whether there is some, readable without the lock.
        has_kept: AtomicBool,
    }

    #[derive(Debug, Default)]
    struct Kept {
        reports: Vec<Report>,
        /// There may be more to find.
        has_more: bool,
    }

    impl Epoll {
        pub(crate) fn new() -> Self {
            Self {
                instance: RwLock::new(None),
                number: AtomicI32::new(-1),
                wake_up: AtomicI32::new(-1),
                kept: Mutex::default(),
                has_kept: AtomicBool::new(false),
            }
        }

        pub(crate) fn number(&self) -> RawFd {
            self.number.load(Ordering::Acquire)
        }

        /// Closes it. Nobody may be asking for reports.
        pub(crate) fn close(&self) {
            self.number.store(-1, Ordering::Release);
            self.wake_up.store(-1, Ordering::Release);
            *self.take_kept() = Kept::default();
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

        /// Makes the instance, if there is none.
        ///
        /// # Errors
        ///
        /// The errno.
        pub(in super::super) fn make(&self) -> Result<(), i32> {
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

        fn control(
            &self,
            operation: c_int,
            fd: RawFd,
            events: Events,
            key: Key,
        ) -> Result<(), i32> {
            let instance = self.instance();
            // Closed in between: the context is gone.
            let instance = instance.as_ref().ok_or(libc::EBADF)?;
            let mut event = libc::epoll_event {
                events: events.number(),
                u64: key.to_number(),
            };
            // SAFETY: the kernel reads one structure.
            let done =
                unsafe { libc::epoll_ctl(instance.as_raw_fd(), operation, fd, &raw mut event) };
            if done == 0 {
                Ok(())
            } else {
                Err(error::last_errno())
            }
        }

        // --- Waiting in the place of the context -----------------------------------------------

        /// The descriptor that wakes the context, if it is watched; otherwise -1.
        pub(in super::super) fn wake_up(&self) -> RawFd {
            self.wake_up.load(Ordering::Acquire)
        }

        /// Also watches `fd`, which wakes the context. It stays what it is for as long as the context lives.
        /// Answers whether that can be done.
        pub(in super::super) fn watch_wake_up(&self, fd: RawFd) -> bool {
            let added = self.control(libc::EPOLL_CTL_ADD, fd, Events::IN, Key::NOTHING);
            if added.is_ok() {
                self.wake_up.store(fd, Ordering::Release);
            }
            added.is_ok()
        }

        pub(in super::super) fn forget_wake_up(&self) {
            let fd = self.wake_up.swap(-1, Ordering::AcqRel);
            if fd >= 0 {
                self.remove(fd);
            }
        }

        /// Whether the next look has something already.
        pub(in super::super) fn has_kept(&self) -> bool {
            self.has_kept.load(Ordering::Acquire)
        }

        fn kept(&self) -> MutexGuard<'_, Kept> {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn take_kept(&self) -> MutexGuard<'_, Kept> {
            let kept = self.kept();
            self.has_kept.store(false, Ordering::Release);
            kept
        }

        /// Waits until something has happened, for so long at most, and keeps it for the next look. Answers what has
        /// happened to the descriptor that wakes the context.
        ///
        /// # Errors
        ///
        /// The errno; nothing was taken then.
        pub(in super::super) fn wait(&self, milliseconds: c_int) -> Result<Events, i32> {
            // What an iteration that was given up has left is there at once.
            let milliseconds = if self.has_kept() { 0 } else { milliseconds };
            let mut batch = Batch::new();
            let taken = batch.take(self.number(), milliseconds)?;
            let mut wake_up = Events::NONE;
            let mut kept = self.kept();
            kept.has_more = taken.len() == BATCH;
            for (key, events) in taken {
                if key == Key::NOTHING {
                    wake_up = events;
                } else {
                    kept.reports.push((key, events));
                }
            }
            self.has_kept
                .store(!kept.reports.is_empty(), Ordering::Release);
            Ok(wake_up)
        }
    }

    /// Room for what the kernel says at once.
    struct Batch([MaybeUninit<libc::epoll_event>; BATCH]);

    impl Batch {
        fn new() -> Self {
            Self([const { MaybeUninit::uninit() }; BATCH])
        }

        /// What has happened in the instance of this number, which the caller sees to that nobody closes.
        fn take(
            &mut self,
            number: RawFd,
            milliseconds: c_int,
        ) -> Result<impl ExactSizeIterator<Item = Report> + '_, i32> {
            // SAFETY: there is room for as many as said.
            let count = unsafe {
                libc::epoll_wait(
                    number,
                    self.0.as_mut_ptr().cast(),
                    BATCH as c_int,
                    milliseconds,
                )
            };
            let count = usize::try_from(count).map_err(|_| error::last_errno())?;
            Ok(self.0[..count].iter().map(|event| {
                // SAFETY: the kernel has filled in so many.
                let event = unsafe { event.assume_init() };
                (
                    Key::from_number(event.u64),
                    Events::from_number(event.events),
                )
            }))
        }
    }

    impl Poller for Epoll {
        fn add(&self, fd: RawFd, key: Key) -> Result<(), i32> {
            if self.number() < 0 {
                self.make()?;
            }
            self.control(libc::EPOLL_CTL_ADD, fd, EDGES, key)
        }

        fn remove(&self, fd: RawFd) {
            // Its failure leaves nothing to do.
            let _ = self.control(libc::EPOLL_CTL_DEL, fd, Events::NONE, Key::NOTHING);
        }

        fn reports(&self, reports: &mut Vec<Report>) -> bool {
            if self.has_kept() {
                let mut kept = self.take_kept();
                reports.append(&mut kept.reports);
                return kept.has_more;
            }
            let number = self.number();
            if number < 0 {
                return false;
            }
            let mut batch = Batch::new();
            // Interrupted, or failed: then there is nothing, and the context will ask again. The instance is
            // closed by nobody else while this thread owns the context.
            let Ok(taken) = batch.take(number, 0) else {
                return false;
            };
            let has_more = taken.len() == BATCH;
            reports.extend(taken.filter(|(key, _)| *key != Key::NOTHING));
            has_more
        }
    }
}

#[cfg(all(test, epoll))]
mod tests {
    use std::{
        io::Write,
        os::{fd::AsRawFd, unix::net::UnixStream},
    };

    use super::{super::slab::Slab, *};

    #[test]
    fn what_wakes_the_context_is_told_to_it_and_to_nobody_else() {
        let (mut waker, woken) = UnixStream::pair().unwrap();
        let (mut peer, socket) = UnixStream::pair().unwrap();
        let key = Slab::new().insert_with(|_| ());
        let poller = Epoll::new();
        poller.add(socket.as_raw_fd(), key).unwrap();
        assert!(poller.watch_wake_up(woken.as_raw_fd()));
        let mut reports = Vec::new();
        poller.reports(&mut reports);
        // That it can be written to.
        assert_eq!(reports.len(), 1);
        reports.clear();
        waker.write_all(b"x").unwrap();
        poller.reports(&mut reports);
        assert!(reports.is_empty());
        // As often as it is asked, until it is read.
        for _ in 0..2 {
            assert_eq!(poller.wait(-1), Ok(Events::IN));
            assert!(!poller.has_kept());
        }
        peer.write_all(b"x").unwrap();
        assert_eq!(poller.wait(-1), Ok(Events::IN));
        assert!(poller.has_kept());
        poller.forget_wake_up();
        // What is kept is waited for no more, and told once.
        assert_eq!(poller.wait(-1), Ok(Events::NONE));
        poller.reports(&mut reports);
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].0, key);
        assert!(reports[0].1.has(Events::IN));
        poller.reports(&mut reports);
        assert_eq!(reports.len(), 1);
        assert_eq!(poller.wait(0), Ok(Events::NONE));
        poller.close();
        assert!(poller.wait(0).is_err());
    }

    #[test]
    fn a_batch_is_full_with_what_wakes_the_context_in_it() {
        let pairs: Vec<_> = (0..BATCH).map(|_| UnixStream::pair().unwrap()).collect();
        let (mut waker, woken) = UnixStream::pair().unwrap();
        let mut slab = Slab::new();
        for by_wait in [false, true] {
            let poller = Epoll::new();
            waker.write_all(b"x").unwrap();
            // All of them can be written to; the last one is told of by itself.
            poller.make().unwrap();
            assert!(poller.watch_wake_up(woken.as_raw_fd()));
            for (socket, _) in &pairs {
                let key = slab.insert_with(|_| ());
                poller.add(socket.as_raw_fd(), key).unwrap();
            }
            if by_wait {
                assert_eq!(poller.wait(-1), Ok(Events::IN));
            }
            let mut reports = Vec::new();
            assert!(poller.reports(&mut reports));
            assert_eq!(reports.len(), BATCH - 1);
            assert!(!poller.reports(&mut reports));
            assert_eq!(reports.len(), BATCH);
        }
    }
}
