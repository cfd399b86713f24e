//! Listening at a path, in a way that outlives a crash and harms nobody else's file.
//!
//! **One at a time.** Beside the path stands a lock, `PATH.lock`, which a listener holds (`flock(2)`) from before it looks
//! at the path until it has let go of it. So what is found there under the lock is nobody's who takes part: of several
//! that start at once one wins. The kernel gives the lock up with the process, however that ends. The lock's file is
//! taken away while it is held; who opened it before then finds that it stands there no more, and begins anew.
//!
//! **Never a live one.** Whoever does not take part is asked by a `connect(2)`. Only a refusal means that nobody listens; a
//! queue that is full, or a socket of another type, is somebody. What is asked is the file that was looked at, by its
//! number, and what is removed is that file or none. What cannot be seen from outside is a program of others' between its
//! own `bind(2)` and `listen(2)`.
//!
//! **No mode that is wider for a moment.** The umask belongs to the process, so that it is not ours to change. On Linux the
//! file gets the mode of the unbound socket, less the umask, so that it is narrowed before `bind(2)` and is at no time wider
//! than asked for; what the umask took is added afterwards. Elsewhere the file has the umask's mode for a moment, in
//! which nobody can connect: `listen(2)` comes last. To bind elsewhere and rename would do it too, but the socket would
//! for ever tell its peers the name that it was bound to.
//!
//! **Its own file only.** When the listener closes, or its last reference goes, the file is removed if it is the one that
//! was made: the device and the inode are compared, in the folder that was opened then, and the file is kept open so
//! that no other one gets its number. A process that was forked removes nothing. A process that is killed leaves the file, for the next one to take over.

use std::{
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use gio::{
    SocketFamily, SocketListenerEvent as Event, SocketProtocol, SocketType, prelude::*,
    subclass::prelude::*,
};

use super::{
    SocketListener,
    addresses::Candidate,
    listening::Listening,
    place::{self, Identity, Place, Pulse},
};
use crate::{
    error,
    fork::Birthplace,
    transport::{NativeAddress, bind_to_listen},
};

/// How a listener listens at a path.
///
/// ```
/// use gsock::UnixPathOptions;
///
/// let options = UnixPathOptions { mode: 0o660, ..Default::default() };
/// assert!(options.take_over_stale && options.unlink_on_close && !options.same_user_only);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "g_unix_socket_address_new")]
pub struct UnixPathOptions {
    /// The bits of permission of the socket's file, such as 0o660; whoever may write to it may connect. At no time has it
    /// more than these. 0o600 by default: the user alone.
    pub mode: u32,
    /// A socket at that path which nobody listens on, such as a crash leaves, gives way. On by default.
    pub take_over_stale: bool,
    /// The file is removed when the listener is closed or gone, if it is still the one that was made. On by default.
    pub unlink_on_close: bool,
    /// Peers of other users, as `SO_PEERCRED` tells them, are closed, counted as refused, and not handed out. Off by default.
    pub same_user_only: bool,
}

impl Default for UnixPathOptions {
    fn default() -> Self {
        Self {
            mode: 0o600,
            take_over_stale: true,
            unlink_on_close: true,
            same_user_only: false,
        }
    }
}

/// A path that nobody else who takes part uses: before something is bound there.
#[derive(Debug)]
struct Claim {
    path: PathBuf,
    place: Place,
    lock: Lock,
    options: UnixPathOptions,
}

/// The file that was made, and the right to remove it, for as long as the value lives.
#[derive(Debug)]
pub(super) struct PathGuard {
    place: Place,
    file: Identity,
    unlinks: bool,
    birthplace: Birthplace,
    /// While the file's number stands for it.
    kept: Option<OwnedFd>,
    /// Given up last.
    _lock: Lock,
}

#[derive(Debug)]
struct Lock {
    place: Place,
    identity: Identity,
    birthplace: Birthplace,
    file: OwnedFd,
}

/// The longest path that an address has room for, without the NUL at its end.
fn longest_path() -> usize {
    size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path) - 1
}

impl Claim {
    /// Makes way at `path`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what is no path or no mode, `FilenameTooLong`, `AddressInUse` when somebody listens there or
    /// is about to, or what is there is no socket; what the kernel answers of the folder and the lock.
    fn new(path: &Path, options: UnixPathOptions) -> Result<Self, glib::Error> {
        if options.mode & !0o777 != 0 {
            return Err(error::invalid(
                "The mode has bits that are none of permission",
            ));
        }
        if path.as_os_str().as_bytes().len() > longest_path() {
            return Err(glib::Error::new(
                gio::IOErrorEnum::FilenameTooLong,
                "The path is longer than an address has room for",
            ));
        }
        let place = Place::of(path)?;
        // Also for who removes nothing: between his bind(2) and his listen(2) he looks like one that is dead.
        let lock = Lock::take(&place, path)?;
        let claim = Self {
            path: path.to_owned(),
            place,
            lock,
            options,
        };
        if options.take_over_stale {
            claim.make_way()?;
        }
        Ok(claim)
    }

    /// Removes a socket that nobody listens on.
    fn make_way(&self) -> Result<(), glib::Error> {
        // What stands there may be another one each time we look, if somebody wants it so.
        for _ in 0..8 {
            let found = match self.place.look() {
                Ok(found) => found,
                Err(libc::ENOENT) => return Ok(()),
                Err(errno) => return Err(self.failure(errno)),
            };
            if !found.is_socket {
                return Err(self.in_use("what is there is not a socket"));
            }
            match self.place.pulse(&self.path, found.identity) {
                Pulse::Alive => return Err(self.in_use("somebody listens there")),
                Pulse::Unknown(errno) => return Err(self.failure(errno)),
                Pulse::Gone => {}
                Pulse::Stale if self.place.is_still(found.identity) => match self.place.unlink() {
                    Ok(()) | Err(libc::ENOENT) => return Ok(()),
                    Err(errno) => return Err(self.failure(errno)),
                },
                Pulse::Stale => {}
            }
        }
        Err(self.in_use("what is there changes all the time"))
    }

    /// Before `bind(2)`: sees to it that the file has no wider mode than it may.
    fn prepare(&self, socket: RawFd) {
        place::narrow(socket, self.options.mode);
    }

    /// After `bind(2)`, before `listen(2)`: the file is ours now.
    ///
    /// # Errors
    ///
    /// `AddressInUse` when what is there is not ours: somebody has replaced it; what is missing is `NotFound`. What
    /// `chmod(2)` answers, or the want of descriptors: what was made is removed then.
    fn bound(self) -> Result<PathGuard, glib::Error> {
        let found = self.place.look().map_err(|errno| self.failure(errno))?;
        // Ours does not listen yet: one that does stands here because the path leads elsewhere by now.
        let is_ours = found.is_socket
            && found.owner == place::own_user()
            && self.place.pulse(&self.path, found.identity) != Pulse::Alive;
        if !is_ours {
            return Err(self.in_use(REPLACED));
        }
        let mut guard = PathGuard {
            place: self.place,
            file: found.identity,
            unlinks: true,
            birthplace: Birthplace::here(),
            kept: None,
            _lock: self.lock,
        };
        let mode = self.options.mode;
        let kept = guard.place.keep(guard.file).and_then(|kept| {
            if found.mode != mode {
                guard.place.set_mode(guard.file, mode)?;
            }
            Ok(kept)
        });
        guard.kept = kept.map_err(|errno| match errno {
            // Since we have looked.
            libc::ENOENT | libc::ESTALE => in_use(&self.path, REPLACED),
            errno => error::prefixed(&said_of(&self.path), errno),
        })?;
        Ok(guard)
    }

    fn failure(&self, errno: i32) -> glib::Error {
        error::prefixed(&said_of(&self.path), errno)
    }

    fn in_use(&self, why: &str) -> glib::Error {
        in_use(&self.path, why)
    }
}

impl Drop for PathGuard {
    fn drop(&mut self) {
        // A child shares the socket with its parent, and the file is the parent's.
        if self.unlinks && !self.birthplace.is_elsewhere() && self.place.is_still(self.file) {
            let _ = self.place.unlink();
        }
    }
}

impl Lock {
    fn take(place: &Place, path: &Path) -> Result<Self, glib::Error> {
        let place = place.beside(".lock")?;
        let failure =
            |errno| error::prefixed(&format!("Error locking {}.lock", path.display()), errno);
        // Whoever had it may have removed the file just after we opened it.
        for _ in 0..8 {
            let file = place.open_or_make().map_err(failure)?;
            let opened = place::stand_of(file.as_raw_fd()).map_err(failure)?;
            if !opened.is_regular {
                return Err(in_use(path, "its lock is not a file"));
            }
            match place::lock(file.as_raw_fd()) {
                Ok(()) => {}
                Err(libc::EWOULDBLOCK) => {
                    return Err(in_use(path, "somebody listens there, or is about to"));
                }
                Err(errno) => return Err(failure(errno)),
            }
            if place.is_still(opened.identity) {
                return Ok(Self {
                    place,
                    identity: opened.identity,
                    birthplace: Birthplace::here(),
                    file,
                });
            }
        }
        Err(in_use(path, "others come and go there"))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.birthplace.is_elsewhere() {
            return;
        }
        // While it is held, so that nobody can hold a file that is not there any more and think it a lock.
        if self.place.is_still(self.identity) {
            let _ = self.place.unlink();
        }
        place::unlock(self.file.as_raw_fd());
    }
}

/// Of a file that is not the one that was made.
const REPLACED: &str = "somebody has replaced it";

/// What GIO says of a `bind(2)` that failed.
fn said_of(path: &Path) -> String {
    format!("Error binding to address {}", path.display())
}

fn in_use(path: &Path, why: &str) -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::AddressInUse,
        &format!("{}: {why}", said_of(path)),
    )
}

/// Who may connect to a Unix socket beside those whom the file lets through.
#[derive(Clone, Copy, Debug)]
pub(super) struct SameUser(libc::uid_t);

impl SameUser {
    pub(super) fn here() -> Self {
        Self(place::own_user())
    }

    /// Whether the peer of a connection that was accepted is that user. One whom the kernel does not tell is not.
    pub(super) fn admits(self, accepted: RawFd) -> bool {
        place::user_of_peer(accepted) == Ok(self.0)
    }
}

pub(super) fn add_unix_path(
    listener: &SocketListener,
    path: &Path,
    options: UnixPathOptions,
    source_object: Option<&glib::Object>,
) -> Result<(), glib::Error> {
    let imp = listener.imp();
    imp.sockets.check_open()?;
    let claim = Claim::new(path, options)?;
    let candidate = Candidate::new(
        SocketFamily::Unix,
        SocketType::Stream,
        SocketProtocol::Default,
    )?;
    candidate.take_backlog(listener);
    candidate.tell(listener, Event::Binding)?;
    claim.prepare(candidate.socket.as_raw_fd());
    bind_to_listen(
        candidate.socket.as_raw_fd(),
        gio::UnixSocketAddress::new(path).upcast_ref(),
    )?;
    let mut file = claim.bound()?;
    candidate.tell(listener, Event::Bound)?;
    candidate.listen(listener)?;
    // Until it is added the file is of no use to anybody.
    imp.sockets.check_open()?;
    file.unlinks = options.unlink_on_close;
    let same_user = options.same_user_only.then(SameUser::here);
    add(listener, candidate, source_object, Some(file), same_user)
}

fn no_abstract_names() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "The system has no abstract names",
    )
}

pub(super) fn add_unix_abstract(
    listener: &SocketListener,
    name: &[u8],
    same_user_only: bool,
    source_object: Option<&glib::Object>,
) -> Result<(), glib::Error> {
    listener.imp().sockets.check_open()?;
    if !gio::UnixSocketAddress::abstract_names_supported() {
        return Err(no_abstract_names());
    }
    if name.is_empty() {
        return Err(error::invalid("The name is empty"));
    }
    // The NUL that stands before it takes the place of the one at the end.
    if name.len() > longest_path() {
        return Err(glib::Error::new(
            gio::IOErrorEnum::FilenameTooLong,
            "The name is longer than an address has room for",
        ));
    }
    let address = NativeAddress::of_abstract(name)
        .to_gio()
        .ok_or_else(|| error::invalid("The name makes no address"))?;
    let candidate = Candidate::new(
        SocketFamily::Unix,
        SocketType::Stream,
        SocketProtocol::Default,
    )?;
    candidate.take_backlog(listener);
    candidate.bind(listener, &address)?;
    candidate.listen(listener)?;
    let same_user = same_user_only.then(SameUser::here);
    add(listener, candidate, source_object, None, same_user)
}

fn add(
    listener: &SocketListener,
    mut candidate: Candidate,
    source_object: Option<&glib::Object>,
    file: Option<PathGuard>,
    same_user: Option<SameUser>,
) -> Result<(), glib::Error> {
    let listening = Listening::guarded(&candidate.socket, source_object, file, same_user);
    listener.imp().sockets.add(&[listening])?;
    candidate.is_added = true;
    listener.imp().changed();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_kernel_tells_who_a_peer_is() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert!(SameUser::here().admits(one.as_raw_fd()));
        let another = SameUser(place::own_user().wrapping_add(1));
        assert!(!another.admits(one.as_raw_fd()));
        // One of whom nothing is known is nobody's.
        let internet = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        assert!(!SameUser::here().admits(internet.as_raw_fd()));
    }
}
