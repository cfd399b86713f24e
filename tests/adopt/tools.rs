//! What the tests of adopted connections share.

use std::{net::TcpStream, os::unix::net::UnixStream};

use gio::prelude::*;

use crate::support::*;

/// Runs `test` with GIO adopted.
pub(crate) fn adopted<R: Send + 'static>(
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    on_private_context(|context| {
        gsock::adopt_gio().expect("it can be done");
        test(context)
    })
}

/// What GIO's own factory makes of a connected TCP socket, and the peer's end.
pub(crate) fn adopted_tcp() -> (gio::SocketConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    (socket.connection_factory_create_connection(), peer)
}

/// Likewise of a Unix socket.
pub(crate) fn adopted_unix() -> (gio::UnixConnection, UnixStream) {
    let (ours, peer) = UnixStream::pair().expect("a pair");
    (unix(ours), peer)
}

pub(crate) fn unix(stream: UnixStream) -> gio::UnixConnection {
    gio::Socket::from_fd(stream.into())
        .expect("a socket")
        .connection_factory_create_connection()
        .downcast()
        .expect("a Unix connection")
}

/// A client's connection to a service, both GIO's own, and the service's end of it.
pub(crate) fn client_and_service(
    context: &glib::MainContext,
) -> (gio::SocketConnection, gio::SocketConnection) {
    let service = gio::SocketService::new();
    let port = service
        .add_any_inet_port(glib::Object::NONE)
        .expect("loopback");
    let accepted = std::rc::Rc::new(std::cell::RefCell::new(None));
    let slot = accepted.clone();
    let handler = service.connect_incoming(move |_, connection, _| {
        *slot.borrow_mut() = Some(connection.clone());
        true
    });
    let client = gio::SocketClient::new();
    let connection =
        block_on(context, client.connect_to_host_future("127.0.0.1", port)).expect("it listens");
    iterate_until(context, || accepted.borrow().is_some());
    service.disconnect(handler);
    service.stop();
    let served = accepted.take().expect("waited for");
    (connection, served)
}

pub(crate) fn read_some(stream: &impl IsA<gio::IOStream>) -> Result<Vec<u8>, glib::Error> {
    let bytes = stream
        .input_stream()
        .read_bytes(64, gio::Cancellable::NONE)?;
    Ok(bytes.to_vec())
}

pub(crate) fn write_all(stream: &impl IsA<gio::IOStream>, bytes: &[u8]) {
    let written = stream
        .output_stream()
        .write_all(bytes, gio::Cancellable::NONE)
        .expect("there is room");
    assert_eq!(written, (bytes.len(), None));
}
