//! Who is measured. Each does the same work on the same sockets: 64 bytes there and back between two ends
//! on one loop, beside connections that wait for something to read.

mod callbacks;
mod direct;
mod epoll;
mod gio_futures;
mod own_futures;
mod tokio;

use std::{net::TcpStream, os::fd::OwnedFd};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

use crate::measure::Progress;

/// Bytes of a message.
pub(crate) const SIZE: usize = 64;
/// Bytes that a reader has room for.
pub(crate) const ROOM: usize = 512;
/// The same of a reader that waits in vain.
pub(crate) const IDLE_ROOM: usize = 64;

/// What a client is to do.
#[derive(Clone, Copy)]
pub(crate) struct Errand {
    pub(crate) messages: u64,
    pub(crate) progress: &'static Progress,
}

/// A way to use sockets on one loop in one thread. Connections stay open until the process ends.
pub(crate) trait Contestant {
    /// A connection with a pending read.
    fn add_idle(&mut self, socket: TcpStream);
    /// Two ends of one connection: a client, and a server that sends back what it gets.
    fn add_pair(&mut self, client: TcpStream, server: TcpStream, errand: Errand);
    /// Runs the loop until everything that was added waits.
    fn settle(&mut self);
    /// Runs the loop until all errands are done.
    fn run(&mut self, progress: &'static Progress);
}

/// The contestant of that name, on the thread's context where it needs one.
pub(crate) fn by_name(name: &str, context: &glib::MainContext) -> Option<Box<dyn Contestant>> {
    let on = || GlibLoop(context.clone());
    Some(match name {
        "own-spawn" => Box::new(own_futures::Futures::new(
            on(),
            own_futures::Spawn::Own,
            ours,
        )),
        "own-spawn+socket" => Box::new(own_futures::Futures::new(
            on(),
            own_futures::Spawn::Own,
            ours_with_socket,
        )),
        "own-spawn-halves" => Box::new(own_futures::Futures::without_objects(on(), ours)),
        "glib-spawn" => Box::new(own_futures::Futures::new(
            on(),
            own_futures::Spawn::Glib,
            ours,
        )),
        "callbacks" => Box::new(callbacks::Callbacks::new(on(), |s| ours(s).upcast(), true)),
        "callbacks+socket" => Box::new(callbacks::Callbacks::new(
            on(),
            |s| ours_with_socket(s).upcast(),
            true,
        )),
        "callbacks-plain" => Box::new(callbacks::Callbacks::new(on(), |s| ours(s).upcast(), false)),
        "direct" => Box::new(direct::Direct::new(on(), true)),
        "direct-plain" => Box::new(direct::Direct::new(on(), false)),
        "c" => Box::new(callbacks::Callbacks::new(on(), |s| gio(s).upcast(), true)),
        "c-plain" => Box::new(callbacks::Callbacks::new(on(), |s| gio(s).upcast(), false)),
        "c-adopted" => Box::new(callbacks::Callbacks::new(
            on(),
            |s| adopted(s).upcast(),
            true,
        )),
        "c-adopted-plain" => Box::new(callbacks::Callbacks::new(
            on(),
            |s| adopted(s).upcast(),
            false,
        )),
        "gio-rs" => Box::new(gio_futures::Futures::new(on())),
        "tokio" => Box::new(tokio::Tokio::new()),
        "epoll" => Box::new(epoll::Raw::new()),
        _ => return None,
    })
}

/// A connection of gsock, as its own makers make them.
pub(crate) fn ours(socket: TcpStream) -> SocketConnection {
    SocketConnection::factory_create_connection_from_fd(OwnedFd::from(socket))
        .expect("a TCP descriptor makes a connection")
}

/// The same after somebody has asked for its socket.
pub(crate) fn ours_with_socket(socket: TcpStream) -> SocketConnection {
    let connection = ours(socket);
    // The object is made now and the connection keeps it.
    drop(connection.socket());
    connection
}

/// A connection of GIO's.
pub(crate) fn gio(socket: TcpStream) -> gio::SocketConnection {
    gio_socket(socket).connection_factory_create_connection()
}

/// The same on gsock's transport, for the rest of the process.
fn adopted(socket: TcpStream) -> gio::SocketConnection {
    gsock::adopt_gio().expect("it can be done");
    gio(socket)
}

pub(crate) fn gio_socket(socket: TcpStream) -> gio::Socket {
    gio::Socket::from_fd(OwnedFd::from(socket)).expect("a TCP descriptor makes a socket")
}

/// Runs a main context as those on GLib do.
struct GlibLoop(glib::MainContext);

impl GlibLoop {
    fn settle(&self) {
        // Bounded: a context on which something is always ready never says that it is idle.
        for _ in 0..50 {
            if !self.0.iteration(false) {
                return;
            }
        }
    }

    fn run(&self, progress: &Progress) {
        while !progress.is_done() {
            self.0.iteration(true);
        }
    }
}
