//! Addresses as plain data that any thread may hold.

use std::{
    fmt,
    mem::MaybeUninit,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::RawFd,
    ptr,
};

use gio::prelude::*;
use glib::translate::{ToGlibPtr, from_glib_full};

use crate::error;

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
pub(crate) struct NativeAddress {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl NativeAddress {
    /// # Errors
    ///
    /// What the address itself answers when it has no native form, `InvalidArgument` when that form
    /// is larger than any the kernel takes.
    pub(crate) fn from_gio(address: &gio::SocketAddress) -> Result<Self, glib::Error> {
        let size = address.native_size();
        let size =
            usize::try_from(size).map_err(|_| error::invalid("The address has no native form"))?;
        if size > size_of::<libc::sockaddr_storage>() {
            return Err(error::invalid("The native form of the address is too long"));
        }
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut failure = ptr::null_mut();
        // SAFETY: the destination has at least `size` bytes.
        let converted = unsafe {
            gio::ffi::g_socket_address_to_native(
                address.to_glib_none().0,
                storage.as_mut_ptr().cast(),
                size,
                &raw mut failure,
            )
        };
        if converted == glib::ffi::GFALSE {
            if failure.is_null() {
                return Err(error::invalid("The address has no native form"));
            }
            // SAFETY: a set error is ours to free.
            return Err(unsafe { from_glib_full(failure) });
        }
        // SAFETY: zeroed at first, so that every byte has a value.
        let storage = unsafe { storage.assume_init() };
        // At most the size of sockaddr_storage, as tested above.
        Ok(Self {
            storage,
            len: size as libc::socklen_t,
        })
    }

    /// A Unix socket's file; what is longer than there is room for is cut off.
    pub(crate) fn of_path(path: &[u8]) -> Self {
        let room =
            size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path);
        let path = &path[..path.len().min(room - 1)];
        Self::of_unix(&[path, &[0]].concat())
    }

    /// A Unix socket's name in no folder; likewise.
    pub(crate) fn of_abstract(name: &[u8]) -> Self {
        Self::of_unix(&[&[0], name].concat())
    }

    /// With all NULs that belong to it.
    fn of_unix(path: &[u8]) -> Self {
        // SAFETY: all zero is a value of a structure of integers.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        storage.ss_family = libc::AF_UNIX as libc::sa_family_t;
        let start = std::mem::offset_of!(libc::sockaddr_un, sun_path);
        let len = path.len().min(size_of::<libc::sockaddr_un>() - start);
        let bytes: *mut u8 = (&raw mut storage).cast();
        // SAFETY: within the storage, which is larger than a sockaddr_un.
        let bytes = unsafe { bytes.add(start) };
        // SAFETY: likewise, and no more than what is to be copied.
        unsafe { ptr::copy_nonoverlapping(path.as_ptr(), bytes, len) };
        Self {
            storage,
            // At most that of a sockaddr_un.
            len: (start + len) as libc::socklen_t,
        }
    }

    /// `None` for a form that GIO cannot read, such as that of no address at all.
    pub(crate) fn to_gio(self) -> Option<gio::SocketAddress> {
        let native = (&raw const self.storage).cast_mut().cast();
        // SAFETY: GIO copies `len` bytes from a live value.
        let address =
            unsafe { gio::ffi::g_socket_address_new_from_native(native, self.len as usize) };
        // SAFETY: a full reference or NULL.
        unsafe { from_glib_full(address) }
    }

    pub(crate) fn local_of(fd: RawFd) -> Result<Self, i32> {
        Self::ask(fd, libc::getsockname)
    }

    pub(crate) fn remote_of(fd: RawFd) -> Result<Self, i32> {
        Self::ask(fd, libc::getpeername)
    }

    fn ask(
        fd: RawFd,
        call: unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32,
    ) -> Result<Self, i32> {
        // SAFETY: as `filled_in` says of both.
        let (result, address) = Self::filled_in(|address, len| unsafe { call(fd, address, len) });
        if result != 0 {
            return Err(error::last_errno());
        }
        Ok(address)
    }

    /// What `call` writes, which is given room for any address, and its length; and what it answers.
    pub(super) fn filled_in(
        call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> i32,
    ) -> (i32, Self) {
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let result = call(storage.as_mut_ptr().cast(), &raw mut len);
        // SAFETY: zeroed at first, so that every byte has a value.
        let storage = unsafe { storage.assume_init() };
        // The kernel reports the full length of a name that it had to cut.
        let len = len.min(size_of::<libc::sockaddr_storage>() as libc::socklen_t);
        (result, Self { storage, len })
    }

    /// `connect(2)`; the errno when it did not succeed at once.
    pub(crate) fn connect(&self, fd: RawFd) -> Result<(), i32> {
        // SAFETY: the address is as long as said.
        match unsafe { libc::connect(fd, (&raw const self.storage).cast(), self.len) } {
            0 => Ok(()),
            _ => Err(error::last_errno()),
        }
    }

    /// `bind(2)`; the errno when it did not succeed.
    pub(crate) fn bind(&self, fd: RawFd) -> Result<(), i32> {
        // SAFETY: the address is as long as said.
        match unsafe { libc::bind(fd, (&raw const self.storage).cast(), self.len) } {
            0 => Ok(()),
            _ => Err(error::last_errno()),
        }
    }

    /// Whether packets to it do not leave this machine, whatever its interfaces.
    pub(super) fn is_loopback(&self) -> bool {
        self.to_std()
            .is_some_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// Whether a socket that is connected with it has exactly this one as its peer. Others are one more name of the
    /// peer, as the unspecified address is, or have parts that the kernel sees to.
    pub(super) fn is_kept_by_connect(&self) -> bool {
        match self.to_std() {
            Some(SocketAddr::V4(address)) => !address.ip().is_unspecified(),
            Some(SocketAddr::V6(address)) => {
                let ip = address.ip();
                // Where the name is of a link, the kernel adds which that is.
                let is_of_a_link = ip.is_unicast_link_local() || ip.is_multicast();
                let is_plain = address.flowinfo() == 0 && address.scope_id() == 0 && !is_of_a_link;
                is_plain && !ip.is_unspecified() && ip.to_ipv4_mapped().is_none()
            }
            None => false,
        }
    }

    /// Whether it is the address of one host, rather than of whichever this one has.
    pub(super) fn is_of_one_host(&self) -> bool {
        self.to_std()
            .is_some_and(|address| !address.ip().to_canonical().is_unspecified())
    }

    /// For those of the internet.
    fn to_std(self) -> Option<SocketAddr> {
        let start = &raw const self.storage;
        match self.family() {
            libc::AF_INET if self.len as usize >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: the storage of any address, in which there is such a one.
                let address = unsafe { *start.cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
                let port = u16::from_be(address.sin_port);
                Some(SocketAddrV4::new(ip, port).into())
            }
            libc::AF_INET6 if self.len as usize >= size_of::<libc::sockaddr_in6>() => {
                // SAFETY: likewise.
                let address = unsafe { *start.cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
                let port = u16::from_be(address.sin6_port);
                let (flow, scope) = (address.sin6_flowinfo, address.sin6_scope_id);
                Some(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            _ => None,
        }
    }

    fn bytes(&self) -> &[u8] {
        let start: *const u8 = (&raw const self.storage).cast();
        // SAFETY: the storage was zeroed and is at least `len` bytes long.
        unsafe { std::slice::from_raw_parts(start, self.len as usize) }
    }

    pub(crate) fn family(&self) -> i32 {
        i32::from(self.storage.ss_family)
    }

    /// The number of the computer, that of IPv4 also where IPv6 speaks it.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.to_std().map(|address| address.ip().to_canonical())
    }

    pub(crate) fn is_unix(&self) -> bool {
        self.family() == libc::AF_UNIX
    }
}

/// An address that is kept for long: those of the internet take a quarter of the room.
#[derive(Debug)]
pub(crate) enum KeptAddress {
    Short { bytes: [u8; SHORT], len: u8 },
    Long(Box<NativeAddress>),
}

/// The longest of the internet's, that of IPv6.
const SHORT: usize = size_of::<libc::sockaddr_in6>();

impl KeptAddress {
    pub(crate) fn get(&self) -> NativeAddress {
        match self {
            Self::Long(address) => **address,
            Self::Short { bytes, len } => {
                // SAFETY: all zero is a value of a structure of integers.
                let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
                let start: *mut u8 = (&raw mut storage).cast();
                // SAFETY: the storage of any address has room for a short one.
                unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start, SHORT) };
                NativeAddress {
                    storage,
                    len: libc::socklen_t::from(*len),
                }
            }
        }
    }
}

impl From<NativeAddress> for KeptAddress {
    fn from(address: NativeAddress) -> Self {
        let known = address.bytes();
        if known.len() > SHORT {
            return Self::Long(Box::new(address));
        }
        let mut bytes = [0; SHORT];
        bytes[..known.len()].copy_from_slice(known);
        Self::Short {
            bytes,
            // At most `SHORT`, as tested above.
            len: known.len() as u8,
        }
    }
}

impl PartialEq for NativeAddress {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl fmt::Debug for NativeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeAddress")
            .field("family", &self.storage.ss_family)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(family: i32, len: usize) -> NativeAddress {
        let mut bytes = [0_u8; size_of::<libc::sockaddr_storage>()];
        for (at, byte) in bytes.iter_mut().enumerate().take(len) {
            *byte = at as u8;
        }
        // SAFETY: a structure of integers of that size, for which any bytes are a value.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::transmute(bytes) };
        storage.ss_family = family as libc::sa_family_t;
        NativeAddress {
            storage,
            len: len as libc::socklen_t,
        }
    }

    /// That of a socket which is bound to `[fe80::1%4]:0` and connected with `[fe80::1]:7` is `[fe80::1%4]:7`.
    #[test]
    fn a_peer_is_known_by_its_address_where_the_kernel_adds_nothing() {
        for (text, is_kept) in [
            ("127.0.0.1", true),
            ("192.0.2.1", true),
            ("0.0.0.0", false),
            ("::1", true),
            ("2001:db8::1", true),
            ("fe80::1", false),
            ("ff02::1", false),
            ("::", false),
        ] {
            let address = gio::InetSocketAddress::from_string(text, 7).expect("an address");
            let native = NativeAddress::from_gio(address.upcast_ref()).expect("a native one");
            assert_eq!(native.is_kept_by_connect(), is_kept, "{text}");
        }
    }

    #[test]
    fn an_address_that_was_kept_is_the_same() {
        for (family, len) in [
            (libc::AF_INET, 16),
            (libc::AF_INET6, 28),
            (libc::AF_UNIX, 2),
            (libc::AF_UNIX, 28),
            (libc::AF_UNIX, 29),
            (libc::AF_UNIX, 110),
        ] {
            let address = address(family, len);
            let kept = KeptAddress::from(address);
            assert!(kept.get() == address, "{family} {len}");
            assert_eq!(kept.get().family(), family);
            assert_eq!(matches!(kept, KeptAddress::Long(_)), len > 28);
        }
    }
}
