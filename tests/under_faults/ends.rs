//! The two ends of a connection: ours in four kinds, the peer's as the standard library has it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream},
    },
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::prelude::*;
use glib::translate::from_glib_full;
use gsock::{SocketConnection, prelude::*};

use crate::{scene::Scene, support::*};

/// Which sockets, and what the connection is made around.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) unix: bool,
    pub(crate) bare: bool,
}

/// Makes a test of `body` for each kind.
macro_rules! each_kind {
    ($($name:ident: $body:expr;)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "what the bodies name")]
            use super::*;

            #[test]
            fn tcp() {
                $body(Kind { unix: false, bare: false });
            }

            #[test]
            fn tcp_bare() {
                $body(Kind { unix: false, bare: true });
            }

            #[test]
            fn unix() {
                $body(Kind { unix: true, bare: false });
            }

            #[test]
            fn unix_bare() {
                $body(Kind { unix: true, bare: true });
            }
        }
    )+};
}
pub(crate) use each_kind;

/// Likewise for the bare ones alone, where what they are made around makes no difference.
macro_rules! each_family {
    ($($name:ident: $body:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn tcp() {
                $body(Kind { unix: false, bare: true });
            }

            #[test]
            fn unix() {
                $body(Kind { unix: true, bare: true });
            }
        }
    )+};
}
pub(crate) use each_family;

/// The peer's end.
pub(crate) enum Peer {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Peer {
    pub(crate) fn shutdown(&self, how: Shutdown) {
        // Fails for a connection that is gone.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }
}

/// So that a few writes fill it.
pub(crate) fn narrow(socket: &impl AsRawFd) {
    let size = 16 * 1024_i32;
    // SAFETY: the value is as long as said.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const size).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// Both ends of a connection.
pub(crate) fn pair(kind: Kind) -> (Peer, OwnedFd) {
    if kind.unix {
        let (peer, ours) = UnixStream::pair().expect("a pair");
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        return (Peer::Unix(peer), ours.into());
    }
    let (peer, ours) = tcp_pair();
    (Peer::Tcp(peer), ours)
}

pub(crate) fn around(scene: &Scene<'_>, kind: Kind, fd: OwnedFd) -> SocketConnection {
    let connection = if kind.bare {
        SocketConnection::factory_create_connection_from_fd(fd).expect("a socket")
    } else {
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        scene.note("socket", &socket);
        SocketConnection::factory_create_connection(&socket)
    };
    scene.note("connection", &connection);
    connection
}

/// A connection and its peer.
pub(crate) fn connected(scene: &Scene<'_>, kind: Kind) -> (SocketConnection, Peer) {
    let (peer, fd) = pair(kind);
    (around(scene, kind, fd), peer)
}

/// The streams of a connection, which must be gone in the end.
pub(crate) fn streams(
    scene: &Scene<'_>,
    connection: &SocketConnection,
) -> (gio::InputStream, gio::OutputStream) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    scene.note("input stream", &input);
    scene.note("output stream", &output);
    (input, output)
}

/// Somebody to connect to.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn new(kind: Kind) -> (Self, gio::SocketAddress) {
        if !kind.unix {
            let (listener, address) = listener();
            return (Self::Tcp(listener), gio_address(address).upcast());
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gsock-under-faults-{}-{number}", process::id());
        let address = UnixAddress::from_abstract_name(&name).expect("a short name");
        let listener = UnixListener::bind_addr(&address).expect("nobody else's name");
        // SAFETY: as many bytes as said, which are copied; a full reference.
        let address: gio::SocketAddress = unsafe {
            from_glib_full(gio::ffi::g_unix_socket_address_new_with_type(
                name.as_ptr().cast(),
                i32::try_from(name.len()).expect("short"),
                gio::ffi::G_UNIX_SOCKET_ADDRESS_ABSTRACT,
            ))
        };
        (Self::Unix(listener), address)
    }

    /// A Unix listener whose queue is full, and those who fill it.
    pub(crate) fn full() -> (UnixListener, gio::SocketAddress, Vec<gio::Socket>) {
        let kind = Kind {
            unix: true,
            bare: true,
        };
        let (Self::Unix(listener), address) = Self::new(kind) else {
            unreachable!("a Unix listener");
        };
        // SAFETY: no pointers involved.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let mut fillers = Vec::new();
        loop {
            let filler = gio::Socket::new(
                gio::SocketFamily::Unix,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
            )
            .expect("room");
            filler.set_blocking(false);
            if SocketExt::connect(&filler, &address, gio::Cancellable::NONE).is_err() {
                return (listener, address, fillers);
            }
            fillers.push(filler);
        }
    }

    /// The end that `connection` is connected to; others may have called, and gone.
    pub(crate) fn accept(&self, connection: &SocketConnection) -> Peer {
        let listener = match self {
            Self::Unix(listener) => {
                let (peer, _) = listener.accept().expect("somebody called");
                peer.set_read_timeout(Some(LIMIT)).expect("an option");
                return Peer::Unix(peer);
            }
            Self::Tcp(listener) => listener,
        };
        let local = connection.local_address().expect("connected");
        let local = local.downcast::<gio::InetSocketAddress>().expect("TCP");
        loop {
            let (peer, address) = listener.accept().expect("somebody called");
            if address.port() == local.port() {
                peer.set_read_timeout(Some(LIMIT)).expect("an option");
                return Peer::Tcp(peer);
            }
        }
    }
}

/// A connection that is not connected.
pub(crate) fn unconnected(scene: &Scene<'_>, kind: Kind) -> SocketConnection {
    let family = if kind.unix {
        libc::AF_UNIX
    } else {
        libc::AF_INET
    };
    // SAFETY: no pointers involved.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0);
    // SAFETY: a descriptor of ours, just made.
    around(scene, kind, unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Bytes go both ways.
pub(crate) fn assert_talks(connection: &SocketConnection, peer: &mut Peer) {
    let mut buffer = [0; 4];
    let written = connection
        .output_stream()
        .write(b"ping", gio::Cancellable::NONE);
    assert_eq!(written.expect("room"), 4);
    peer.read_exact(&mut buffer).expect("four bytes");
    assert_eq!(&buffer, b"ping");
    peer.write_all(b"pong").expect("room");
    let read = connection
        .input_stream()
        .read(&mut buffer, gio::Cancellable::NONE);
    assert_eq!(read.expect("four bytes"), 4);
    assert_eq!(&buffer, b"pong");
}

/// Bytes of which no two neighbours, and no two thousands, are alike.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8)).to_le_bytes()[0])
        .collect()
}
