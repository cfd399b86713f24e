//! A descriptor that several threads use while another one closes it.
//!
//! The number never changes. Every system call, and every wait that blocks in one, is a *use*;
//! closing marks the descriptor, shuts the socket down when it is in use so that whoever waits
//! wakes up, and leaves the rest to the last one out. So no call ever meets a number that the
//! kernel has given to somebody else meanwhile, and no lock is held across a wait.

use std::{
    fmt,
    mem::MaybeUninit,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering},
    },
};

use gio::prelude::*;
use glib::translate::{ToGlibPtr, from_glib_full};

use super::{
    Kind, Lease,
    companions::{self, Companions},
    freed,
    gsocket::{SharedSocket, closed_socket, placeholder},
};
use crate::{
    error,
    fork::Birthplace,
    home::Notifier,
    living::{self, Living},
};

const CLOSED: u32 = 1 << 31;
/// Closed for us only: the last one out leaves the `GSocket` open.
const ABANDONED: u32 = 1 << 30;

/// Who closes the number.
enum Owner {
    /// Ours alone; nobody has asked for a `GSocket` yet.
    Bare(OwnedFd),
    Socket(SharedSocket),
    /// Was ours alone, and is closed.
    Nobody,
}

/// See the module's documentation. What a use touches stands at the end, where a transport's own begins.
#[repr(C)]
pub(crate) struct Descriptor {
    owner: Mutex<Owner>,
    /// Ends when the number is closed for good.
    lease: Mutex<Option<Box<Lease>>>,
    /// See [`set_homeless`](Self::set_homeless).
    homeless: AtomicBool,
    /// See [`never_shut_down`](Self::never_shut_down).
    is_never_shut_down: AtomicBool,
    _living: Living<{ living::DESCRIPTOR }>,
    notifier: Arc<Notifier>,
    /// The `GSocket` in `owner`, or NULL; readable without the lock, since it stays until the end.
    socket: AtomicPtr<gio::ffi::GSocket>,
    /// How many uses there are, and whether it is closed.
    uses: AtomicU32,
    fd: RawFd,
    birthplace: Birthplace,
    /// What a bare descriptor has for a timeout, in microseconds; 0 for none.
    own_timeout: AtomicU64,
}

impl Descriptor {
    pub(crate) fn of_socket(socket: &gio::Socket, notifier: Arc<Notifier>) -> Self {
        let fd = socket.as_raw_fd();
        Self {
            fd,
            birthplace: Birthplace::here(),
            own_timeout: AtomicU64::new(0),
            uses: AtomicU32::new(if socket.is_closed() || fd < 0 {
                CLOSED
            } else {
                0
            }),
            socket: AtomicPtr::new(socket.to_glib_none().0),
            owner: Mutex::new(Owner::Socket(SharedSocket::new(socket))),
            lease: Mutex::new(Lease::taken_from(socket)),
            homeless: AtomicBool::new(false),
            is_never_shut_down: AtomicBool::new(false),
            _living: Living::default(),
            notifier,
        }
    }

    pub(crate) fn of_fd(fd: OwnedFd, lease: Option<Box<Lease>>, notifier: Arc<Notifier>) -> Self {
        Self {
            fd: fd.as_raw_fd(),
            birthplace: Birthplace::here(),
            own_timeout: AtomicU64::new(0),
            uses: AtomicU32::new(0),
            owner: Mutex::new(Owner::Bare(fd)),
            lease: Mutex::new(lease),
            socket: AtomicPtr::new(ptr::null_mut()),
            homeless: AtomicBool::new(false),
            is_never_shut_down: AtomicBool::new(false),
            _living: Living::default(),
            notifier,
        }
    }

    fn owner(&self) -> MutexGuard<'_, Owner> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A use of the descriptor, or `None` when it is closed.
    pub(crate) fn enter(&self) -> Option<Use<'_>> {
        let using = self.hold()?;
        // Whoever holds the GSocket may have closed it without us.
        (!self.is_closed_behind_our_back()).then_some(using)
    }

    /// Likewise of one that may be closed behind our back.
    fn hold(&self) -> Option<Use<'_>> {
        let held = self
            .uses
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |uses| {
                (uses & CLOSED == 0).then_some(uses + 1)
            });
        held.is_ok().then(|| Use(self))
    }

    /// Whether a parent process made it, and uses it.
    pub(crate) fn is_inherited(&self) -> bool {
        self.birthplace.is_elsewhere()
    }

    /// For who has a use, or is about to close: a `GSocket` does not look out for one thread that closes it and another
    /// one that asks for its number.
    fn is_closed_behind_our_back(&self) -> bool {
        let socket = self.socket.load(Ordering::Acquire);
        // SAFETY: `owner` keeps the socket for as long as this lives; the call reads one integer.
        !socket.is_null() && unsafe { gio::ffi::g_socket_get_fd(socket) } != self.fd
    }

    /// The timeout of the `GSocket` in seconds, or what it is going to be; 0 for none.
    pub(super) fn timeout(&self) -> u32 {
        let socket = self.socket.load(Ordering::Acquire);
        if socket.is_null() {
            return whole_seconds(self.own_timeout.load(Ordering::Relaxed));
        }
        // SAFETY: `owner` keeps the socket for as long as this lives; the call reads one integer.
        unsafe { gio::ffi::g_socket_get_timeout(socket) }
    }

    /// Whether the `GSocket` is given up wherever that happens. An object of GIO's class has a reference of its own,
    /// which it gives up wherever it goes: as long as nothing but that object uses the descriptor, the journey home
    /// of another reference would keep the socket open, and guard nothing.
    pub(super) fn set_homeless(&self, homeless: bool) {
        self.homeless.store(homeless, Ordering::Release);
    }

    /// A socket that other processes may have too, which want to go on. Whoever waits for it here is woken otherwise.
    pub(super) fn never_shut_down(&self) {
        self.is_never_shut_down.store(true, Ordering::Release);
    }

    /// Likewise in microseconds, finer than a `GSocket` can say it, until somebody changes that.
    pub(super) fn timeout_exactly(&self) -> u64 {
        let own = self.own_timeout.load(Ordering::Relaxed);
        match self.timeout() {
            seconds if seconds == whole_seconds(own) => own,
            seconds => u64::from(seconds) * 1_000_000,
        }
    }

    pub(super) fn set_own_timeout(&self, timeout: u64) {
        self.own_timeout.store(timeout, Ordering::Relaxed);
        self.set_in_socket(|socket| socket.set_timeout(whole_seconds(timeout)));
    }

    /// Whether there is a `GSocket`, which others may hold, and close.
    pub(super) fn is_lent(&self) -> bool {
        !self.socket.load(Ordering::Acquire).is_null()
    }

    /// Whether somebody has closed it without us.
    pub(super) fn is_stranded(&self) -> bool {
        if !self.is_lent() {
            return false;
        }
        if self.is_inherited() {
            // Nobody closes it meanwhile, nor would a use be counted off.
            return self.is_open() && self.is_closed_behind_our_back();
        }
        self.hold()
            .is_some_and(|_using| self.is_closed_behind_our_back())
    }

    fn is_open(&self) -> bool {
        self.uses.load(Ordering::Acquire) & CLOSED == 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self.is_open() || self.is_stranded()
    }

    /// The number, for showing only.
    pub(crate) fn number(&self) -> RawFd {
        if self.is_closed() { -1 } else { self.fd }
    }

    /// Whether both are open and stand for one socket, whatever the numbers. To ask changes nothing.
    pub(super) fn is_of_the_socket_of(&self, other: &Self) -> bool {
        let (Some(one), Some(other)) = (self.enter(), other.enter()) else {
            return false;
        };
        // Some systems give sockets no inode.
        let file = file_of(one.fd()).filter(|(_, inode)| *inode != 0);
        one.fd() == other.fd() || (file.is_some() && file == file_of(other.fd()))
    }

    /// Closes once. Whoever is using it wakes up and closes it when leaving.
    pub(crate) fn close(&self) -> Result<(), glib::Error> {
        if self.is_inherited() {
            return self.close_inherited();
        }
        let Ok(before) = self
            .uses
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |uses| {
                (uses & CLOSED == 0).then_some((uses | CLOSED) + 1)
            })
        else {
            return Ok(());
        };
        if before != 0
            && !self.is_never_shut_down.load(Ordering::Acquire)
            && !self.is_closed_behind_our_back()
        {
            // SAFETY: our own use keeps the number ours.
            unsafe { libc::shutdown(self.fd, libc::SHUT_RDWR) };
        }
        self.leave()
    }

    /// Gives up this process' copy. Uses that were under way when it was made have no thread here
    /// that could end them; and shutting down would be felt by the parent.
    fn close_inherited(&self) -> Result<(), glib::Error> {
        if self.uses.swap(CLOSED, Ordering::AcqRel) & CLOSED != 0 {
            return Ok(());
        }
        self.close_for_good()
    }

    /// No more uses from now on; a `GSocket` stays open for whoever else holds it.
    pub(crate) fn abandon(&self) {
        if matches!(*self.owner(), Owner::Bare(_)) {
            let _ = self.close();
            return;
        }
        if self.is_inherited() {
            // Whoever was using it is in the parent only.
            self.uses.store(CLOSED | ABANDONED, Ordering::Release);
            return;
        }
        // A close that waits for its last one out goes on.
        let before = self
            .uses
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |uses| {
                (uses & CLOSED == 0).then_some(uses | CLOSED | ABANDONED)
            });
        if before == Ok(0) {
            self.leave_companions();
        }
    }

    /// The number is used here no more. Who else has the `GSocket` may have waited for that to close it.
    fn leave_companions(&self) {
        if let Some(companions) = self.companions() {
            self.leave_to(&companions);
        }
    }

    /// Which one it is.
    pub(super) fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Others of ours that have the `GSocket` too, or have had it.
    fn companions(&self) -> Option<Arc<Companions>> {
        let socket = self.socket.load(Ordering::Acquire).addr();
        if socket == 0 || self.is_inherited() {
            return None;
        }
        companions::companions_of(socket, self.address())
    }

    fn leave_to(&self, companions: &Companions) {
        if companions.leave(self.address()) {
            let _ = self.with_socket(SocketExt::close);
            freed::tell();
        }
    }

    /// After [`abandon`](Self::abandon): closes a `GSocket` that nobody else holds.
    pub(super) fn close_if_alone(&self) {
        if self.uses.load(Ordering::Acquire) != CLOSED | ABANDONED {
            // Somebody is still using the number.
            return;
        }
        // Under the lock, or somebody could take a reference in between.
        if let Owner::Socket(socket) = &*self.owner() {
            socket.close_if_alone();
        }
    }

    /// Likewise where an object of GIO's class that is going has so many more references, and ours has yet to travel
    /// home.
    pub(super) fn close_if_gios_alone(&self, references: u32) {
        if self.uses.load(Ordering::Acquire) != CLOSED | ABANDONED
            || self.homeless.load(Ordering::Acquire)
        {
            return;
        }
        if let Owner::Socket(socket) = &*self.owner() {
            socket.close_if_nobody_beside(1 + references);
        }
    }

    fn leave(&self) -> Result<(), glib::Error> {
        if self.is_inherited() {
            // Begun in the parent, where it counts.
            return Ok(());
        }
        const LAST: u32 = CLOSED | 1;
        const LAST_OF_ABANDONED: u32 = LAST | ABANDONED;
        match self.uses.fetch_sub(1, Ordering::AcqRel) {
            LAST => self.close_for_good(),
            LAST_OF_ABANDONED => {
                self.leave_companions();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn close_for_good(&self) -> Result<(), glib::Error> {
        let result = self.close_number();
        let ended = self
            .lease
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(ended);
        result
    }

    fn close_number(&self) -> Result<(), glib::Error> {
        let mut owner = self.owner();
        match &*owner {
            Owner::Bare(_) => {
                let bare = std::mem::replace(&mut *owner, Owner::Nobody);
                drop(owner);
                drop(bare);
                freed::tell();
                Ok(())
            }
            Owner::Socket(socket) => {
                // Not the last reference: `owner` keeps its own until the end.
                let socket = socket.clone();
                drop(owner);
                if let Some(companions) = self.companions() {
                    for other in companions.end(self.address()) {
                        let _ = other.close();
                    }
                    if !companions.leave(self.address()) {
                        // The last one out closes it.
                        return Ok(());
                    }
                }
                let closed = socket.socket().close();
                freed::tell();
                closed
            }
            Owner::Nobody => Ok(()),
        }
    }

    /// The `GSocket`, made now if there was none. The number and its uses are not disturbed.
    pub(super) fn socket(&self, kind: Kind, made: impl FnOnce(&gio::Socket)) -> gio::Socket {
        let mut owner = self.owner();
        match &*owner {
            Owner::Socket(socket) => return socket.socket().clone(),
            Owner::Nobody => {
                let closed = closed_socket(kind);
                *owner = Owner::Socket(SharedSocket::new(&closed));
                return closed;
            }
            Owner::Bare(_) => {}
        }
        let Owner::Bare(bare) = std::mem::replace(&mut *owner, Owner::Nobody) else {
            return placeholder();
        };
        let fd = bare.into_raw_fd();
        let before = file_of(fd);
        let mut failure = ptr::null_mut();
        // SAFETY: an open descriptor that nobody else owns; who owns it afterwards is looked at below.
        let socket = unsafe { gio::ffi::g_socket_new_from_fd(fd, &raw mut failure) };
        // SAFETY: NULL or an error that is ours to free.
        unsafe { glib::ffi::g_clear_error(&raw mut failure) };
        // SAFETY: a full reference or NULL.
        let socket: Option<gio::Socket> = unsafe { from_glib_full(socket) };
        let Some(socket) = socket else {
            // The kernel refused to describe its own socket. GIO documents that the descriptor is the
            // caller's then, and 2.74 has closed it: the number may be somebody else's by now.
            if before.is_some() && file_of(fd) == before {
                // SAFETY: still the file that was ours.
                *owner = Owner::Bare(unsafe { OwnedFd::from_raw_fd(fd) });
            } else {
                self.uses.fetch_or(CLOSED, Ordering::AcqRel);
            }
            return placeholder();
        };
        // Before anybody can know it.
        socket.set_timeout(whole_seconds(self.own_timeout.load(Ordering::Relaxed)));
        self.socket
            .store(socket.to_glib_none().0, Ordering::Release);
        *owner = Owner::Socket(SharedSocket::new(&socket));
        drop(owner);
        made(&socket);
        socket
    }

    /// Runs `f` with the `GSocket` if there is one already.
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(&gio::Socket) -> R) -> Option<R> {
        let socket = match &*self.owner() {
            Owner::Socket(socket) => socket.clone(),
            _ => return None,
        };
        Some(f(socket.socket()))
    }

    /// Asks the `GSocket`, if there is one already, for what it has in one word with what others of our threads may be
    /// setting: it sees to no order by itself. `ask` calls nobody else.
    pub(super) fn ask_socket<R>(&self, ask: impl FnOnce(&gio::Socket) -> R) -> Option<R> {
        match &*self.owner() {
            Owner::Socket(socket) => Some(ask(socket.socket())),
            _ => None,
        }
    }

    /// Calls a setter of the `GSocket`, if there is one already: at home only, for it notifies.
    pub(super) fn set_in_socket(&self, set: impl FnOnce(&gio::Socket)) {
        self.with_socket(|socket| {
            // Told when nothing is locked any more.
            let _untold = socket.freeze_notify();
            let _owner = self.owner();
            set(socket);
        });
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let socket = self.socket.get_mut().addr();
        if socket != 0
            && let Some(companions) = companions::forget(socket, self.address())
            && !self.is_inherited()
        {
            self.leave_to(&companions);
        }
        let owner = self.owner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let lease = self.lease.get_mut();
        let lease = lease.unwrap_or_else(PoisonError::into_inner);
        if let Owner::Socket(socket) = owner
            && !socket.socket().is_closed()
            && !socket.is_last_reference()
            && let Some(lease) = lease.take()
        {
            // Others have it, who go on.
            lease.keep_with(socket.socket());
        }
        if let Owner::Socket(socket) = std::mem::replace(owner, Owner::Nobody)
            && !*self.homeless.get_mut()
        {
            socket.release(&self.notifier.home());
        }
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptor")
            .field("fd", &self.fd)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

fn whole_seconds(timeout: u64) -> u32 {
    u32::try_from(timeout.div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// Which file a number stands for: the device and the inode.
fn file_of(fd: RawFd) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: room for the answer.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: zeroed at first, and filled in.
    let status = unsafe { status.assume_init() };
    Some((status.st_dev, status.st_ino))
}

/// A use: while it lives, the number is this socket's.
pub(crate) struct Use<'a>(&'a Descriptor);

impl Use<'_> {
    pub(crate) fn fd(&self) -> RawFd {
        self.0.fd
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        // Whoever closed it has been answered; an error of the last one out has no taker.
        let _ = self.0.leave();
    }
}

/// `shutdown(2)` of the sending side.
pub(crate) fn shutdown_write(using: &Use<'_>) -> Result<(), glib::Error> {
    // SAFETY: an open descriptor.
    match unsafe { libc::shutdown(using.fd(), libc::SHUT_WR) } {
        0 => Ok(()),
        _ => Err(error::prefixed(
            "Unable to shutdown socket",
            error::last_errno(),
        )),
    }
}

/// `shutdown(2)` of both sides. There is nothing to do about a failure.
pub(super) fn shut_down(using: &Use<'_>) {
    // SAFETY: an open descriptor.
    unsafe { libc::shutdown(using.fd(), libc::SHUT_RDWR) };
}
