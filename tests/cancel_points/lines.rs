//! What an operation runs over: TCP and Unix sockets, as a `GSocket` or a bare descriptor, and those they connect to.

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::prelude::*;
use gsock::SocketConnection;

use crate::derived::Derived;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Tcp,
    TcpBare,
    /// Of a class of the test's own.
    TcpDerived,
    Unix,
    UnixBare,
}

pub(crate) const LINES: [Line; 5] = [
    Line::Tcp,
    Line::TcpBare,
    Line::TcpDerived,
    Line::Unix,
    Line::UnixBare,
];

impl Line {
    pub(crate) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::TcpBare | Self::TcpDerived)
    }

    fn connection(self, fd: OwnedFd) -> SocketConnection {
        match self {
            Self::Tcp | Self::Unix => {
                let socket = gio::Socket::from_fd(fd).expect("a socket");
                SocketConnection::factory_create_connection(&socket)
            }
            Self::TcpDerived => {
                let socket = gio::Socket::from_fd(fd).expect("a socket");
                let derived: Derived = glib::Object::builder().property("socket", &socket).build();
                derived.upcast()
            }
            Self::TcpBare | Self::UnixBare => {
                SocketConnection::factory_create_connection_from_fd(fd).expect("a socket")
            }
        }
    }

    /// A connection, its descriptor's number, and the peer's end.
    pub(crate) fn connected(self, server: &TcpListener) -> (SocketConnection, i32, TcpStream) {
        let (ours, peer): (OwnedFd, TcpStream) = if self.is_tcp() {
            let address = server.local_addr().expect("bound");
            let ours = TcpStream::connect(address).expect("it listens");
            (ours.into(), server.accept().expect("somebody called").0)
        } else {
            let (ours, peer) = UnixStream::pair().expect("two sockets");
            // The calls that are made on the peer's end are the same for both families.
            (ours.into(), OwnedFd::from(peer).into())
        };
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        peer.set_write_timeout(Some(LIMIT)).expect("an option");
        let number = ours.as_raw_fd();
        (self.connection(ours), number, peer)
    }

    /// A connection that is none yet, and its descriptor's number.
    pub(crate) fn unconnected(self) -> (SocketConnection, i32) {
        let family = if self.is_tcp() {
            libc::AF_INET
        } else {
            libc::AF_UNIX
        };
        // SAFETY: no pointers involved.
        let number = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        assert!(number >= 0);
        // SAFETY: just made.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        (self.connection(fd), number)
    }
}

/// Somebody to connect to.
pub(crate) enum Target {
    Tcp(TcpListener),
    Deaf(Deaf),
    Unix {
        listener: UnixListener,
        path: PathBuf,
        /// Keeps the queue full.
        filler: Option<UnixStream>,
    },
    Refusing(Option<PathBuf>),
}

fn unix_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("gsock-points-{}-{number}", std::process::id()))
}

impl Target {
    pub(crate) fn answering(line: Line) -> Self {
        if line.is_tcp() {
            return Self::Tcp(TcpListener::bind(("127.0.0.1", 0)).expect("loopback"));
        }
        let path = unix_path();
        Self::Unix {
            listener: UnixListener::bind(&path).expect("a new name"),
            path,
            filler: None,
        }
    }

    /// Connects to it are never answered; one to a Unix socket is once [`make_room`](Self::make_room) was called.
    pub(crate) fn silent(line: Line) -> Self {
        if line.is_tcp() {
            return Self::Deaf(deaf_listener());
        }
        let path = unix_path();
        let listener = UnixListener::bind(&path).expect("a new name");
        // SAFETY: a socket that listens already; the queue has room for one.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let filler = UnixStream::connect(&path).expect("room for one");
        Self::Unix {
            listener,
            path,
            filler: Some(filler),
        }
    }

    pub(crate) fn refusing(line: Line) -> Self {
        if line.is_tcp() {
            return Self::Refusing(None);
        }
        let path = unix_path();
        drop(UnixListener::bind(&path).expect("a new name"));
        Self::Refusing(Some(path))
    }

    pub(crate) fn address(&self) -> gio::SocketAddress {
        match self {
            Self::Tcp(listener) => gio_address(listener.local_addr().expect("bound")).upcast(),
            Self::Deaf(deaf) => gio_address(deaf.address).upcast(),
            Self::Unix { path, .. } | Self::Refusing(Some(path)) => {
                gio::UnixSocketAddress::new(path).upcast()
            }
            Self::Refusing(None) => gio_address(refused_address()).upcast(),
        }
    }

    pub(crate) fn make_room(&mut self) {
        if let Self::Unix {
            listener, filler, ..
        } = self
            && filler.take().is_some()
        {
            drop(listener.accept().expect("it was queued"));
        }
    }

    /// The peer's end of a connection that was made.
    pub(crate) fn accept(&self) -> TcpStream {
        let peer = match self {
            Self::Tcp(listener) => listener.accept().map(|(peer, _)| peer),
            Self::Unix { listener, .. } => listener
                .accept()
                .map(|(peer, _)| OwnedFd::from(peer).into()),
            Self::Deaf(_) | Self::Refusing(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        let peer: TcpStream = peer.expect("somebody called");
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        peer
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Self::Unix { path, .. } | Self::Refusing(Some(path)) = self {
            let _ = fs::remove_file(path);
        }
    }
}
