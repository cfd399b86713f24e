//! Taking a connection from a socket that listens, as a bare descriptor.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use gio::prelude::*;

use super::{
    Bare, Kind, Lease, NativeAddress, NewSocket, Transport, create::MULTIPATH_TCP, io::events_of,
    kind::Origin, options,
};
use crate::{
    error,
    reactor::{Events, Interest},
};

/// Why there is no connection to take.
#[derive(Debug)]
pub(crate) enum NoneTaken {
    /// None waits.
    Empty,
    /// Some have died while they waited, so many that others are to have their turn.
    Dead,
    /// The listening socket is closed, or belongs to the parent process.
    Closed(glib::Error),
    /// The kernel refuses, by this errno.
    Refused(i32),
}

/// So many connections that have died are passed over in one go.
const DEAD: usize = 64;

impl Bare {
    /// The next connection that waits at `listening`, which is of this kind, with the address that it has at this end if
    /// that is known. Programs that are started do not get it.
    ///
    /// Or the errno of the kernel: `EAGAIN` when there is none and `listening` does not wait.
    fn accept(
        listening: BorrowedFd<'_>,
        kind: Kind,
        local: Option<NativeAddress>,
    ) -> Result<Self, i32> {
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
        let mut kind = kind;
        if kind.protocol == MULTIPATH_TCP {
            // A peer that does not speak it has plain TCP.
            kind.protocol = options::protocol(fd.as_raw_fd());
        }
        let origin = Origin::Accepted {
            local: local.map(Into::into),
            peer: peer.into(),
            waits,
        };
        Ok(Self {
            fd,
            kind,
            origin,
            lease: None,
        })
    }

    /// With whom an accepted one is connected.
    pub(crate) fn peer(&self) -> Option<NativeAddress> {
        match &self.origin {
            Origin::Accepted { peer, .. } => Some(peer.get()),
            Origin::Given { .. } | Origin::Made => None,
        }
    }

    /// Counts it for as long as it is open.
    pub(crate) fn take_lease(&mut self, lease: Box<Lease>) {
        self.lease = Some(lease);
    }

    /// Whoever closes it has the peer told that it is refused, rather than served.
    pub(crate) fn refuse(self) {
        if self.kind.is_inet() {
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            let _ = options::set(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                linger,
            );
        }
    }

    /// For who wants nothing but the descriptor, and under which lease it is open.
    pub(crate) fn into_parts(self) -> (OwnedFd, Option<Box<Lease>>) {
        (self.fd, self.lease)
    }
}

impl Transport {
    /// The address that each connection has at this end which is accepted here, where that is always the same.
    pub(crate) fn address_of_accepted(&self) -> Option<NativeAddress> {
        let using = self.enter().ok()?;
        if !listens(using.fd()) {
            // It may not have been bound yet.
            return None;
        }
        let address = NativeAddress::local_of(using.fd()).ok()?;
        (address.is_unix() || address.is_of_one_host() && !takes_those_of_others(using.fd()))
            .then_some(address)
    }

    /// The next connection that waits at this socket, which listens. `local` as
    /// [`address_of_accepted`](Self::address_of_accepted) has said.
    pub(crate) fn accept(&self, local: Option<NativeAddress>) -> Result<Bare, NoneTaken> {
        let using = self.enter().map_err(NoneTaken::Closed)?;
        // SAFETY: the use keeps the number this socket's.
        let listening = unsafe { BorrowedFd::borrow_raw(using.fd()) };
        for _ in 0..DEAD {
            let errno = match Bare::accept(listening, self.kind(), local) {
                Ok(bare) => return Ok(bare),
                Err(errno) => errno,
            };
            if errno == libc::EAGAIN || errno == libc::EWOULDBLOCK {
                return Err(NoneTaken::Empty);
            }
            // The kernel looks for a place for the connection before it looks for the connection.
            if is_lack(errno) && events_of(using.fd(), Interest::Read.events()) == Events::NONE {
                return Err(NoneTaken::Empty);
            }
            if !is_passed_over(errno) {
                // Closed by somebody else between the look and the call.
                if self.is_closed() {
                    return Err(NoneTaken::Closed(error::closed()));
                }
                return Err(NoneTaken::Refused(errno));
            }
        }
        Err(NoneTaken::Dead)
    }

    /// Has the kernel keep so many connections that nobody has accepted yet, if the socket listens.
    pub(crate) fn set_backlog(&self, backlog: i32) {
        let Ok(using) = self.enter() else {
            return;
        };
        if listens(using.fd()) {
            // SAFETY: no pointers involved. What listens already cannot but go on.
            unsafe { libc::listen(using.fd(), backlog) };
        }
    }

    /// Has connections that are accepted here send what they are given at once, as GLib has it from 2.80.0 on: they
    /// inherit the option, so that each is spared a call.
    pub(crate) fn have_accepted_not_wait(&self) {
        if self.kind().is_inet()
            && self.kind().is_stream()
            && let Ok(using) = self.enter()
        {
            let _ = options::set(using.fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
        }
    }

    /// A listening socket may be shared with another process: a close of ours is not to end it for that one, and no call
    /// on it waits, whatever its mode was.
    pub(crate) fn share(&self) {
        self.descriptor.never_shut_down();
        if let Ok(using) = self.enter() {
            options::set_nonblocking(using.fd());
        }
    }
}

fn listens(fd: RawFd) -> bool {
    options::get_int(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN) == Ok(1)
}

/// What concerns one connection, which has died in the queue: on Linux accept(2) answers what has befallen it.
fn is_passed_over(errno: i32) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if errno == libc::ENONET {
        return true;
    }
    matches!(
        errno,
        libc::EINTR
            | libc::ECONNABORTED
            | libc::ECONNRESET
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::ETIMEDOUT
    )
}

/// Whether connections with addresses of other hosts are accepted: the socket is of a transparent proxy.
fn takes_those_of_others(fd: RawFd) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        [
            (libc::IPPROTO_IP, libc::IP_TRANSPARENT),
            (libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT),
        ]
        .into_iter()
        .any(|(level, name)| options::get_int(fd, level, name).is_ok_and(|on| on != 0))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = fd;
        false
    }
}

/// Whether it is the process, or the system, that has no room: the connection waits until there is some.
fn is_lack(errno: i32) -> bool {
    matches!(
        errno,
        libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS
    )
}

/// Whether the kernel will go on refusing, whatever comes: the socket does not listen, or cannot.
pub(crate) fn is_for_good(errno: i32) -> bool {
    matches!(
        errno,
        libc::EINVAL | libc::EOPNOTSUPP | libc::EBADF | libc::ENOTSOCK
    )
}

/// A socket that listens, beside others of this user at the same address that were made so, and the address that it has got.
///
/// # Errors
///
/// `InvalidArgument` for an address that is none of the internet; what the system calls answer.
pub(crate) fn listen_beside_others(
    new: NewSocket,
    address: &gio::SocketAddress,
    backlog: i32,
) -> Result<(OwnedFd, gio::SocketAddress), glib::Error> {
    if !address.is::<gio::InetSocketAddress>() {
        return Err(error::invalid("The address is none of the internet"));
    }
    let (fd, _) = new.open()?.into_parts();
    options::set(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    bind_to_listen(fd.as_raw_fd(), address)?;
    // SAFETY: no pointers involved.
    if unsafe { libc::listen(fd.as_raw_fd(), backlog) } != 0 {
        return Err(error::prefixed("could not listen", error::last_errno()));
    }
    let bound = NativeAddress::local_of(fd.as_raw_fd())
        .map_err(|errno| error::prefixed("could not get local address", errno))?;
    let bound = bound.to_gio().ok_or_else(error::not_connected)?;
    Ok((fd, bound))
}

/// Binds a socket that is going to listen; an address whose connections linger may be taken.
///
/// # Errors
///
/// What `bind(2)` answers, such as `AddressInUse`.
pub(crate) fn bind_to_listen(fd: RawFd, address: &gio::SocketAddress) -> Result<(), glib::Error> {
    let native = NativeAddress::from_gio(address)?;
    let _ = options::set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
    native.bind(fd).map_err(|errno| {
        let address = SocketConnectableExt::to_string(address);
        error::prefixed(&format!("Error binding to address {address}"), errno)
    })
}
