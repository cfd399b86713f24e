//! Two connections and the peers at their other ends, over every kind of socket.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
};

use gsock::{Relayed, SocketConnection, engine, relay};

use crate::{polling::Dice, support::*, tools::payload};

/// The far end of a connection.
#[derive(Debug)]
pub(crate) enum Peer {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Peer {
    pub(crate) fn shutdown(&self, how: Shutdown) {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
        .expect("connected");
    }

    pub(crate) fn set_nonblocking(&self) {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
        .expect("a flag");
    }

    pub(crate) fn try_clone(&self) -> Self {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
        .expect("a descriptor")
    }

    pub(crate) fn all(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).expect("an end of file");
        bytes
    }

    /// Writes `bytes` in pieces of sizes that look random, then ends, on a thread of its own.
    pub(crate) fn send(&self, bytes: Vec<u8>, seed: u64) -> JoinHandle<()> {
        let mut peer = self.try_clone();
        thread::spawn(move || {
            let mut dice = Dice::new(seed);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let most = [1, 300, 5_000, 200_000][dice.roll(4)];
                let (piece, after) = rest.split_at((1 + dice.roll(most)).min(rest.len()));
                peer.write_all(piece).expect("somebody reads");
                rest = after;
            }
            peer.shutdown(Shutdown::Write);
        })
    }

    /// Reads to the end of file, on a thread of its own.
    pub(crate) fn receive(&self) -> JoinHandle<Vec<u8>> {
        let mut peer = self.try_clone();
        thread::spawn(move || peer.all())
    }
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

/// Makes a connection and its peer's end.
pub(crate) type MakeEnd = fn() -> (SocketConnection, Peer);

pub(crate) fn tcp() -> (SocketConnection, Peer) {
    let (connection, peer) = connected();
    (connection, Peer::Tcp(peer))
}

pub(crate) fn tcp_bare() -> (SocketConnection, Peer) {
    let (connection, peer) = connected_bare();
    (connection, Peer::Tcp(peer))
}

pub(crate) fn unix() -> (SocketConnection, Peer) {
    let (peer, ours) = UnixStream::pair().expect("a pair");
    let limit = Some(LIMIT * slowness());
    peer.set_read_timeout(limit).expect("an option");
    peer.set_write_timeout(limit).expect("an option");
    let connection =
        SocketConnection::factory_create_connection_from_fd(ours.into()).expect("a socket");
    (connection, Peer::Unix(peer))
}

/// Makes a test of each body for each pair of kinds of sockets.
macro_rules! over_pairs {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[test]
            fn tcp_and_tcp() {
                crate::support::on_private_context(|context| {
                    super::$body(crate::parties::tcp, crate::parties::tcp, context);
                });
            }

            #[test]
            fn bare_tcp_and_unix() {
                crate::support::on_private_context(|context| {
                    super::$body(crate::parties::tcp_bare, crate::parties::unix, context);
                });
            }

            #[test]
            fn unix_and_tcp() {
                crate::support::on_private_context(|context| {
                    super::$body(crate::parties::unix, crate::parties::tcp, context);
                });
            }
        }
    )+};
}
pub(crate) use over_pairs;

pub(crate) type Relaying = engine::JoinHandle<Result<Relayed, glib::Error>>;

/// Starts a relay in a task, and lets it come to its first wait.
pub(crate) fn start(
    context: &glib::MainContext,
    a: &SocketConnection,
    b: &SocketConnection,
) -> Relaying {
    let (a, b) = (a.clone(), b.clone());
    let relaying = engine::spawn_local(context, async move { relay(&a, &b).await });
    while context.iteration(false) {}
    relaying
}

pub(crate) fn counts(a_to_b: usize, b_to_a: usize) -> Relayed {
    Relayed {
        a_to_b: a_to_b as u64,
        b_to_a: b_to_a as u64,
    }
}

/// Some MiB, and not a round number of bytes.
pub(crate) fn much(seed: u64) -> Vec<u8> {
    payload(3 * 1024 * 1024 + 4_321, seed)
}
