//! New sockets, as bare descriptors.

use std::{
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
};

use gio::prelude::*;
use glib::translate::IntoGlib;

use super::{Bare, KeptAddress, NativeAddress, Transport, options};
use crate::{error, vfunc::Owned};

/// What a new socket is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSocket {
    pub(crate) family: gio::SocketFamily,
    pub(crate) type_: gio::SocketType,
    pub(crate) protocol: i32,
}

/// IPPROTO_MPTCP, which is Linux's alone.
pub(crate) const MULTIPATH_TCP: i32 = 262;

impl NewSocket {
    /// The same by Multipath TCP, for what would be TCP.
    pub(crate) fn of_multipath_tcp(self) -> Option<Self> {
        (self.is_inet_stream() && self.protocol == 0).then_some(Self {
            protocol: MULTIPATH_TCP,
            ..self
        })
    }

    fn is_inet_stream(self) -> bool {
        let is_inet = matches!(
            self.family,
            gio::SocketFamily::Ipv4 | gio::SocketFamily::Ipv6
        );
        is_inet && self.type_ == gio::SocketType::Stream
    }

    /// The number that the kernel has for the protocol, where that is known and the kernel would tell it.
    pub(super) fn known_protocol(self) -> Option<i32> {
        let tells = cfg!(any(target_os = "linux", target_os = "android"));
        (tells && self.is_inet_stream() && self.protocol == 0).then_some(libc::IPPROTO_TCP)
    }

    /// A descriptor of this kind, not in blocking mode, which programs that are started do not get.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a type that there is not; what `socket(2)` answers, `NotSupported` as a rule.
    pub(crate) fn open(self) -> Result<Bare, glib::Error> {
        let type_ = match self.type_ {
            gio::SocketType::Stream => libc::SOCK_STREAM,
            gio::SocketType::Datagram => libc::SOCK_DGRAM,
            gio::SocketType::Seqpacket => libc::SOCK_SEQPACKET,
            _ => return Err(error::invalid("There are no sockets of this type")),
        };
        if self.protocol < 0 {
            return Err(glib::Error::new(
                gio::IOErrorEnum::NotSupported,
                "Unable to create socket: the protocol is unknown",
            ));
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let type_ = type_ | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers involved.
        let fd = unsafe { libc::socket(self.family.into_glib(), type_, self.protocol) };
        if fd < 0 {
            let errno = error::last_errno();
            return Err(error::prefixed("Unable to create socket", errno));
        }
        // SAFETY: a descriptor of ours, just made.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            options::set_close_on_exec(fd.as_raw_fd());
            options::set_nonblocking(fd.as_raw_fd());
        }
        if self.is_inet_stream() {
            // As GLib does from 2.80 on. Other protocols of streams have no such option.
            let _ = options::set(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
        }
        Ok(Bare::made(fd, self))
    }
}

/// Binds a socket that is going to be connected: port 0 is given a number no sooner than it must be.
///
/// # Errors
///
/// What `bind(2)` answers, such as `AddressInUse`.
pub(crate) fn bind_to_connect(
    fd: BorrowedFd<'_>,
    address: &gio::SocketAddress,
) -> Result<(), glib::Error> {
    let native = NativeAddress::from_gio(address)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // Whoever cannot, as a Unix socket, need not.
        let _ = options::set(
            fd.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            1,
        );
    }
    native.bind(fd.as_raw_fd()).map_err(|errno| {
        let address = SocketConnectableExt::to_string(address);
        error::prefixed(&format!("Error binding to address {address}"), errno)
    })
}

impl Transport {
    /// At home: how long an operation may take, in microseconds, 0 for ever. The `GSocket` says so in whole seconds.
    pub(crate) fn set_timeout_exactly(&self, timeout: u64) {
        self.descriptor.set_own_timeout(timeout);
    }

    /// The peer that there is going to be, for those who ask before.
    pub(crate) fn expect_peer(&self, peer: NativeAddress) {
        self.state().remote = Some(peer.into());
    }

    /// Whether it was made to be connected with `peer`, and nobody else has its socket.
    pub(super) fn expects(&self, peer: &NativeAddress) -> bool {
        let is_expected = |known: &KeptAddress| known.get() == *peer;
        !self.descriptor.is_lent() && self.state().remote.as_ref().is_some_and(is_expected)
    }

    /// The peer is a proxy, which is what there is to be told of it.
    pub(crate) fn expect_proxy(&self, proxy: gio::ProxyAddress) {
        // Once in the life of a connection that a client makes.
        let rare = self.rare.get_or_init(Box::default);
        let _ = rare.proxy.set(Owned::new(proxy));
    }

    /// Undoes [`clear_blocking`](Self::clear_blocking).
    pub(crate) fn restore_blocking(self: &Arc<Self>) {
        self.unblocked.store(false, Ordering::Relaxed);
        self.at_home(|socket| socket.set_blocking(true));
    }
}
