//! What tests of TCP connections share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    cell::RefCell,
    io::{ErrorKind, Write},
    net::TcpStream,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::support::*;

pub(crate) fn tcp((connection, peer): (SocketConnection, TcpStream)) -> (TcpConnection, TcpStream) {
    (
        connection.downcast().expect("the factory makes these"),
        peer,
    )
}

pub(crate) fn graceful(pair: (SocketConnection, TcpStream)) -> (TcpConnection, TcpStream) {
    let (connection, peer) = tcp(pair);
    connection.set_graceful_disconnect(true);
    (connection, peer)
}

/// Connections with the flag set, around a `GSocket` and around a bare descriptor.
pub(crate) fn graceful_of_both_kinds() -> [(TcpConnection, TcpStream); 2] {
    [graceful(connected()), graceful(connected_bare())]
}

pub(crate) type Outcome = Rc<RefCell<Option<Result<(), glib::Error>>>>;

pub(crate) fn begin_close(
    connection: &TcpConnection,
    cancellable: Option<&gio::Cancellable>,
) -> Outcome {
    let outcome = Outcome::default();
    let slot = outcome.clone();
    connection.close_async(glib::Priority::DEFAULT, cancellable, move |result| {
        *slot.borrow_mut() = Some(result);
    });
    outcome
}

pub(crate) fn end_close(context: &glib::MainContext, outcome: &Outcome) -> Result<(), glib::Error> {
    iterate_until(context, || outcome.borrow().is_some());
    outcome.take().expect("it has ended")
}

pub(crate) fn assert_closed(connection: &TcpConnection) {
    assert!(connection.is_closed());
    assert_eq!(connection.state(), ConnectionState::Closed);
}

/// Fails unless our end is closed altogether, not merely shut down for writing.
pub(crate) fn assert_cut_off(peer: &mut TcpStream) {
    let end = Instant::now() + LIMIT;
    loop {
        match peer.write(b"?") {
            Ok(_) => assert!(Instant::now() < end, "the socket is still open"),
            Err(error) => {
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
                    "{error}"
                );
                return;
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A peer that reads everything, then does `rest` and closes. The flag tells that it got there.
pub(crate) fn reading_peer(
    mut peer: TcpStream,
    rest: impl FnOnce(TcpStream) + Send + 'static,
) -> (thread::JoinHandle<usize>, Arc<AtomicBool>) {
    let closing = Arc::new(AtomicBool::new(false));
    let flag = closing.clone();
    let handle = thread::spawn(move || {
        let bytes = read_to_end(&mut peer);
        // Time for a close that does not wait to return too early.
        thread::sleep(Duration::from_millis(50));
        flag.store(true, Ordering::SeqCst);
        rest(peer);
        bytes.len()
    });
    (handle, closing)
}
