//! A name in a folder: what stands there, whoever puts links in the way.
//!
//! The folder is kept open, so that it is the same one for as long as the listener lives, whatever is renamed and
//! wherever the process changes its directory to. The last part of a path is never followed.

#![allow(unsafe_code, reason = "system calls on a folder and what is in it")]

use std::{
    ffi::{CString, OsStr},
    fmt,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use gio::SocketFamily;

use crate::{
    error,
    transport::{NativeAddress, NewSocket},
};

/// How a folder is opened of which nothing is read.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TO_BE_NAMED: i32 = libc::O_PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const TO_BE_NAMED: i32 = libc::O_RDONLY;

/// See the module's documentation.
pub(super) struct Place {
    directory: OwnedFd,
    name: CString,
}

/// Which file it is: the device and the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(libc::dev_t, libc::ino_t);

/// What stands somewhere.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) identity: Identity,
    pub(super) is_socket: bool,
    pub(super) is_regular: bool,
    pub(super) owner: libc::uid_t,
    /// The bits of permission.
    pub(super) mode: u32,
}

/// What a socket's file answers to one who knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Somebody has the socket, whether or not there is room for one more in the queue.
    Alive,
    /// Nobody listens.
    Stale,
    /// Nothing is there any more.
    Gone,
    /// The kernel does not let us ask: the errno.
    Unknown(i32),
}

impl Place {
    /// # Errors
    ///
    /// `InvalidArgument` for a path without a last part, or with a NUL in it; what `open(2)` answers of the folder.
    pub(super) fn of(path: &Path) -> Result<Self, glib::Error> {
        let bytes = path.as_os_str().as_bytes();
        let (folder, name) = match bytes.iter().rposition(|byte| *byte == b'/') {
            Some(0) => (&b"/"[..], &bytes[1..]),
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
            None => (&b"."[..], bytes),
        };
        if matches!(name, b"" | b"." | b"..") {
            return Err(error::invalid("The path names no file"));
        }
        let text =
            |bytes| CString::new(bytes).map_err(|_| error::invalid("The path contains a NUL"));
        let (folder, name) = (text(folder)?, text(name)?);
        let flags = TO_BE_NAMED | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: a string that ends.
        let fd = unsafe { libc::open(folder.as_ptr(), flags) };
        let directory = owned(fd).map_err(|errno| {
            let folder = OsStr::from_bytes(folder.as_bytes());
            error::prefixed(&format!("Error opening folder {}", folder.display()), errno)
        })?;
        Ok(Self { directory, name })
    }

    /// The same name with more at its end, in the same folder.
    pub(super) fn beside(&self, more: &str) -> Result<Self, glib::Error> {
        let mut name = self.name.as_bytes().to_vec();
        name.extend_from_slice(more.as_bytes());
        let directory = self.directory.try_clone().map_err(error::from_io)?;
        Ok(Self {
            directory,
            name: CString::new(name).map_err(|_| error::invalid("The path contains a NUL"))?,
        })
    }

    /// What stands there, or the errno: `ENOENT` for nothing.
    pub(super) fn look(&self) -> Result<Entry, i32> {
        let mut status = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: a string that ends, and room for the answer.
        let result = unsafe {
            libc::fstatat(
                self.directory.as_raw_fd(),
                self.name.as_ptr(),
                status.as_mut_ptr(),
                libc::AT_SYMLINK_NOFOLLOW,
            )
        };
        read(result, status)
    }

    pub(super) fn is_still(&self, identity: Identity) -> bool {
        self.look().is_ok_and(|entry| entry.identity == identity)
    }

    /// Keeps the file of that identity: while the answer lives, no other file gets its number, whatever becomes of the file
    /// and its socket. Not every system can do that.
    pub(super) fn keep(&self, identity: Identity) -> Result<Option<OwnedFd>, i32> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            self.handle(identity).map(Some)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = identity;
            Ok(None)
        }
    }

    /// Opens the file for nobody but its owner, making it if need be: what can be locked.
    pub(super) fn open_or_make(&self) -> Result<OwnedFd, i32> {
        // One that is no file at all must not make us wait.
        let flags =
            libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: a string that ends.
        let fd = unsafe {
            libc::openat(
                self.directory.as_raw_fd(),
                self.name.as_ptr(),
                flags,
                0o600 as libc::c_uint,
            )
        };
        owned(fd)
    }

    pub(super) fn unlink(&self) -> Result<(), i32> {
        // SAFETY: a string that ends.
        check(unsafe { libc::unlinkat(self.directory.as_raw_fd(), self.name.as_ptr(), 0) })
    }

    /// Sets the bits of permission of the file of that identity, and of no other.
    pub(super) fn set_mode(&self, identity: Identity, mode: u32) -> Result<(), i32> {
        let mode = mode as libc::mode_t;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let handle = self.handle(identity)?;
            let by_number = number_path(&handle);
            // SAFETY: a string that ends.
            match check(unsafe { libc::chmod(by_number.as_ptr(), mode) }) {
                // There need be no /proc.
                Err(libc::ENOENT) => {}
                result => return result,
            }
        }
        if !self.is_still(identity) {
            return Err(libc::ESTALE);
        }
        // SAFETY: a string that ends.
        check(unsafe {
            libc::fchmodat(
                self.directory.as_raw_fd(),
                self.name.as_ptr(),
                mode,
                libc::AT_SYMLINK_NOFOLLOW,
            )
        })
    }

    /// Knocks at the socket of that identity. One that lives sees a connection that ends at once.
    pub(super) fn pulse(&self, path: &Path, identity: Identity) -> Pulse {
        match self.knock(path, identity) {
            Ok(()) => Pulse::Alive,
            // Full, or of another type: somebody is there.
            Err(libc::EAGAIN | libc::EINPROGRESS | libc::EPROTOTYPE) => Pulse::Alive,
            Err(libc::ECONNREFUSED) => Pulse::Stale,
            Err(libc::ENOENT | libc::ESTALE) => Pulse::Gone,
            Err(errno) => Pulse::Unknown(errno),
        }
    }

    fn knock(&self, path: &Path, identity: Identity) -> Result<(), i32> {
        let socket = NewSocket {
            family: SocketFamily::Unix,
            type_: gio::SocketType::Stream,
            protocol: 0,
        };
        // connect(2) waits for room in the queue of one that is in blocking mode; ours is not.
        let socket = socket.open().map_err(|_| error::last_errno())?;
        let number = socket.as_fd().as_raw_fd();
        // Kept to the end: no other file gets its number meanwhile.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let handle = self.handle(identity)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // By the number of what was looked at, which no link can lead astray.
            let by_number = NativeAddress::of_path(number_path(&handle).as_bytes());
            match by_number.connect(number) {
                // There need be no /proc.
                Err(libc::ENOENT) => {}
                result => return result,
            }
        }
        let result = NativeAddress::of_path(path.as_os_str().as_bytes()).connect(number);
        if self.is_still(identity) {
            result
        } else {
            Err(libc::ESTALE)
        }
    }

    /// The socket's file of that identity itself, to be named and for nothing else; `ESTALE` when another one stands there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn handle(&self, identity: Identity) -> Result<OwnedFd, i32> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: a string that ends.
        let fd = unsafe { libc::openat(self.directory.as_raw_fd(), self.name.as_ptr(), flags) };
        let handle = owned(fd)?;
        let found = stand_of(handle.as_raw_fd())?;
        // A number that was given up is soon another file's, which need be no socket.
        if found.identity != identity || !found.is_socket {
            return Err(libc::ESTALE);
        }
        Ok(handle)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.name).finish()
    }
}

/// What an open file is.
pub(super) fn stand_of(fd: RawFd) -> Result<Entry, i32> {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: room for the answer.
    let result = unsafe { libc::fstat(fd, status.as_mut_ptr()) };
    read(result, status)
}

/// Locks an open file for whoever has this descriptor and its copies, without waiting: `EWOULDBLOCK` when somebody else has.
pub(super) fn lock(fd: RawFd) -> Result<(), i32> {
    // SAFETY: no pointers involved.
    check(unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) })
}

/// Gives up a lock, whoever else has a copy of the descriptor: a process that is being made has one until it has become
/// another program.
pub(super) fn unlock(fd: RawFd) {
    // SAFETY: no pointers involved.
    unsafe { libc::flock(fd, libc::LOCK_UN) };
}

/// What a socket's file is going to be allowed at most, for one that is not bound yet. On Linux `bind(2)` gives the file
/// what the socket has, less the umask; elsewhere this does nothing.
pub(super) fn narrow(fd: RawFd, mode: u32) {
    // SAFETY: no pointers involved.
    unsafe { libc::fchmod(fd, mode as libc::mode_t) };
}

/// Who is at the other end of a Unix socket that was accepted.
pub(super) fn user_of_peer(fd: RawFd) -> Result<libc::uid_t, i32> {
    #[cfg(ancillary)]
    {
        let peer: libc::ucred =
            crate::transport::options::get(fd, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        Ok(peer.uid)
    }
    #[cfg(not(ancillary))]
    {
        #[cfg(any(
            target_os = "macos",
            target_os = "ios",
            target_os = "freebsd",
            target_os = "openbsd",
            target_os = "netbsd",
            target_os = "dragonfly"
        ))]
        {
            let (mut user, mut group) = (libc::uid_t::MAX, libc::gid_t::MAX);
            // SAFETY: room for both answers.
            check(unsafe { libc::getpeereid(fd, &raw mut user, &raw mut group) })?;
            return Ok(user);
        }
        #[allow(unreachable_code, reason = "for systems that do not tell")]
        {
            let _ = fd;
            Err(libc::EOPNOTSUPP)
        }
    }
}

/// Whom the kernel takes this process for.
pub(super) fn own_user() -> libc::uid_t {
    // SAFETY: never fails.
    unsafe { libc::geteuid() }
}

fn read(result: i32, status: MaybeUninit<libc::stat>) -> Result<Entry, i32> {
    check(result)?;
    // SAFETY: zeroed at first, and filled in.
    let status = unsafe { status.assume_init() };
    #[allow(clippy::useless_conversion, reason = "narrower on some systems")]
    let mode = u32::from(status.st_mode & 0o7777);
    let kind = status.st_mode & libc::S_IFMT;
    Ok(Entry {
        identity: Identity(status.st_dev, status.st_ino),
        is_socket: kind == libc::S_IFSOCK,
        is_regular: kind == libc::S_IFREG,
        owner: status.st_uid,
        mode,
    })
}

fn check(result: i32) -> Result<(), i32> {
    match result {
        0 => Ok(()),
        _ => Err(error::last_errno()),
    }
}

fn owned(fd: RawFd) -> Result<OwnedFd, i32> {
    if fd < 0 {
        return Err(error::last_errno());
    }
    // SAFETY: a descriptor of ours, just made.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The name under which the kernel knows an open file, whatever it is called.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn number_path(handle: &OwnedFd) -> CString {
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // Digits and what stands above.
    CString::new(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("gsock-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a new folder");
        path
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn what_is_bound_has_from_the_beginning_no_more_than_was_asked_for() {
        let folder = folder("narrow");
        for mode in [0o600, 0o000, 0o440] {
            let path = folder.join(format!("{mode:o}"));
            let new = NewSocket {
                family: SocketFamily::Unix,
                type_: gio::SocketType::Stream,
                protocol: 0,
            };
            let socket = new.open().expect("a socket");
            let number = socket.as_fd().as_raw_fd();
            narrow(number, mode);
            let address = NativeAddress::of_path(path.as_os_str().as_bytes());
            assert_eq!(address.bind(number), Ok(()));
            // Nothing but bind(2) has been here; the umask may have taken more.
            let found = Place::of(&path).expect("a path").look().expect("a file");
            assert_eq!(found.mode & !mode, 0, "{:o} of {mode:o}", found.mode);
        }
        std::fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn another_file_than_was_looked_at_is_neither_asked_nor_changed() {
        let folder = folder("another");
        let path = folder.join("socket");
        let first = UnixListener::bind(&path).expect("a free path");
        let place = Place::of(&path).expect("a path");
        let seen = place.look().expect("a file").identity;
        assert_eq!(place.pulse(&path, seen), Pulse::Alive);
        // The first one stays somewhere else, so that the second cannot have its number.
        std::fs::rename(&path, folder.join("elsewhere")).expect("ours");
        assert_eq!(place.pulse(&path, seen), Pulse::Gone);
        let second = UnixListener::bind(&path).expect("a free path");
        let now = place.look().expect("a file");
        assert_eq!(place.pulse(&path, seen), Pulse::Gone);
        assert_eq!(place.set_mode(seen, 0o777), Err(libc::ESTALE));
        assert_eq!(place.look().expect("a file").mode, now.mode);
        drop((first, second));
        assert_eq!(place.pulse(&path, now.identity), Pulse::Stale);
        std::fs::remove_dir_all(folder).expect("ours");
    }
}
