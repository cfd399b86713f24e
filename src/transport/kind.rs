//! What kind of socket it is.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use gio::prelude::*;
use glib::translate::{IntoGlib, from_glib};

use super::{KeptAddress, Lease, NativeAddress, NewSocket, options};

/// What kind of socket it is; known for as long as the socket is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(super) family: i32,
    /// GIO's number.
    pub(super) type_: i32,
    /// The kernel's number, -1 where it does not tell.
    pub(super) protocol: i32,
}

impl Kind {
    pub(super) fn of_socket(socket: &gio::Socket) -> Self {
        Self {
            family: socket.family().into_glib(),
            type_: socket.socket_type().into_glib(),
            protocol: options::protocol(socket.as_raw_fd()),
        }
    }

    /// Of a socket that was made as `new` says.
    fn of_new(new: NewSocket, fd: RawFd) -> Self {
        Self {
            family: new.family.into_glib(),
            type_: new.type_.into_glib(),
            protocol: new
                .known_protocol()
                .unwrap_or_else(|| options::protocol(fd)),
        }
    }

    /// With the local address, which tells the family; or the errno of the kernel, which will not describe it.
    pub(super) fn of_fd(fd: RawFd) -> Result<(Self, NativeAddress), i32> {
        // GIO numbers stream, datagram and seqpacket 1, 2 and 3; the kernel 1, 2 and 5.
        let type_ = match options::get_int(fd, libc::SOL_SOCKET, libc::SO_TYPE)? {
            libc::SOCK_SEQPACKET => gio::ffi::G_SOCKET_TYPE_SEQPACKET,
            type_ => type_,
        };
        let local = NativeAddress::local_of(fd)?;
        let kind = Self {
            family: local.family(),
            type_,
            protocol: options::protocol(fd),
        };
        Ok((kind, local))
    }

    /// Whether `TCP_INFO` tells our own shutdown from the peer's; MPTCP does not say.
    pub(super) fn has_tcp_state(self) -> bool {
        self.protocol == libc::IPPROTO_TCP
    }

    /// Whether a transfer that moved less than it was asked to has moved all that there was, or that there was room
    /// for. Packets have ends of their own, and so have the parts of a Unix stream that descriptors travel with.
    pub(super) fn is_emptied_by_a_short_read(self) -> bool {
        self.is_inet() && self.is_stream() && self.protocol == libc::IPPROTO_TCP
    }

    pub(crate) fn is_inet(self) -> bool {
        self.family == libc::AF_INET || self.family == libc::AF_INET6
    }

    pub(crate) fn is_unix(self) -> bool {
        self.family == libc::AF_UNIX
    }

    /// A socket that has one peer for life.
    pub(crate) fn has_one_peer(self) -> bool {
        self.type_ != gio::ffi::G_SOCKET_TYPE_DATAGRAM
    }

    pub(crate) fn is_stream(self) -> bool {
        self.type_ == gio::ffi::G_SOCKET_TYPE_STREAM
    }
}

/// A bare descriptor, with what is known of it: asked once at most, so that nobody comes to another answer.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(super) fd: OwnedFd,
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    /// Under which it is open, if anybody counts it.
    pub(super) lease: Option<Box<Lease>>,
}

/// Where a descriptor comes from, which says in what state it is.
#[derive(Debug)]
pub(super) enum Origin {
    /// Somebody else has made it: it may have a peer, wait in calls, and be inherited by programs.
    Given { local: KeptAddress },
    /// Made here: it has no peer, does not wait, and is not inherited.
    Made,
    /// Accepted here: it has this peer, this address if that is known, waits if it says so, and is not inherited.
    Accepted {
        local: Option<KeptAddress>,
        peer: KeptAddress,
        waits: bool,
    },
}

impl Bare {
    /// Or the errno of the kernel, which will not describe it; the descriptor is closed then.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self, i32> {
        let (kind, local) = Kind::of_fd(fd.as_raw_fd())?;
        let origin = Origin::Given {
            local: local.into(),
        };
        Ok(Self {
            fd,
            kind,
            origin,
            lease: None,
        })
    }

    /// Made as `new` says, neither in blocking mode nor inherited by programs.
    pub(super) fn made(fd: OwnedFd, new: NewSocket) -> Self {
        let kind = Kind::of_new(new, fd.as_raw_fd());
        let origin = Origin::Made;
        Self {
            fd,
            kind,
            origin,
            lease: None,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Kind {
    /// A new socket of this kind.
    pub(super) fn new_socket(self) -> Result<gio::Socket, glib::Error> {
        let (family, type_) = self.in_gio_terms();
        gio::Socket::new(family, type_, gio::SocketProtocol::Default)
    }

    /// What the factory looks up for a descriptor of this kind.
    pub(crate) fn key(self) -> (gio::SocketFamily, gio::SocketType, i32) {
        let (family, type_) = self.in_gio_terms();
        (family, type_, self.protocol.max(0))
    }

    fn in_gio_terms(self) -> (gio::SocketFamily, gio::SocketType) {
        // SAFETY: GIO's enumerations keep numbers that they do not know.
        let family = unsafe { from_glib(self.family) };
        // SAFETY: likewise.
        let type_ = unsafe { from_glib(self.type_) };
        (family, type_)
    }
}

/// What the factory looks up for a socket: its properties, but for MPTCP, which a `GSocket` does not
/// tell from TCP.
pub(crate) fn kind_of_socket(socket: &gio::Socket) -> (gio::SocketFamily, gio::SocketType, i32) {
    let protocol = socket.protocol().into_glib();
    let protocol = match options::protocol(socket.as_raw_fd()) {
        actual if protocol == libc::IPPROTO_TCP && actual > 0 => actual,
        _ => protocol,
    };
    (socket.family(), socket.socket_type(), protocol)
}
