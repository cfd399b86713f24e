//! What tests of Unix connections share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::os::{
    fd::{BorrowedFd, FromRawFd, OwnedFd},
    unix::net::UnixStream,
};

use gio::prelude::*;
use gsock::{SocketConnection, UnixConnection, prelude::*};

use crate::support::*;

use crate::tools::Slot;
pub(crate) use crate::unix_messages::*;

/// The three ways to do one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Blocking,
    Async,
    Future,
}

pub(crate) const FORMS: [Form; 3] = [Form::Blocking, Form::Async, Form::Future];

/// An operation in any form, to its end.
macro_rules! in_any_form {
    ($($name:ident / $async:ident / $finish:ident / $future:ident($($argument:ident: $type:ty),*) -> $value:ty;)*) => {$(
        pub(crate) fn $name(
            form: Form,
            context: &glib::MainContext,
            connection: &UnixConnection,
            $($argument: $type,)*
        ) -> Result<$value, glib::Error> {
            match form {
                Form::Blocking => connection.$name($($argument,)* gio::Cancellable::NONE),
                Form::Async => {
                    let slot = Slot::new();
                    let put = slot.put();
                    connection.$async($($argument,)* gio::Cancellable::NONE, move |connection, result| {
                        put(connection.$finish(result));
                    });
                    slot.wait(context)
                }
                Form::Future => block_on(context, connection.$future($($argument),*)),
            }
        }
    )*};
}

in_any_form! {
    send_fd / send_fd_async / send_fd_finish / send_fd_future(fd: BorrowedFd<'_>) -> ();
    send_fds / send_fds_async / send_fds_finish / send_fds_future(fds: &[BorrowedFd<'_>]) -> ();
    receive_fd / receive_fd_async / receive_fd_finish / receive_fd_future() -> OwnedFd;
    receive_fds / receive_fds_async / receive_fds_finish / receive_fds_future(max: usize) -> Vec<OwnedFd>;
    send_credentials / send_credentials_async / send_credentials_finish / send_credentials_future() -> ();
    receive_credentials / receive_credentials_async / receive_credentials_finish
        / receive_credentials_future() -> gio::Credentials;
}

// --- Ends ----------------------------------------------------------------------------------------

pub(crate) const STREAM: i32 = libc::SOCK_STREAM;
pub(crate) const PACKETS: i32 = libc::SOCK_SEQPACKET;

/// Two sockets that are connected to each other.
pub(crate) fn sockets(type_: i32) -> [OwnedFd; 2] {
    let mut fds = [-1; 2];
    // SAFETY: room for two.
    let made = unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            type_ | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    };
    assert_eq!(made, 0);
    // SAFETY: open, and nobody else's.
    fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A connection around a bare descriptor.
pub(crate) fn unix(fd: impl Into<OwnedFd>) -> UnixConnection {
    let connection = SocketConnection::factory_create_connection_from_fd(fd.into());
    let connection = connection.expect("a socket");
    connection.downcast().expect("the factory makes these")
}

/// A connection around a `GSocket`.
pub(crate) fn around_a_socket(fd: impl Into<OwnedFd>) -> UnixConnection {
    let socket = gio::Socket::from_fd(fd.into()).expect("a socket");
    let connection = SocketConnection::factory_create_connection(&socket);
    connection.downcast().expect("the factory makes these")
}

/// A connection, and the peer's end of it.
pub(crate) fn with_peer() -> (UnixConnection, UnixStream) {
    let (ours, peer) = UnixStream::pair().expect("two sockets");
    let limit = Some(LIMIT * slowness());
    peer.set_read_timeout(limit).expect("an option");
    peer.set_write_timeout(limit).expect("an option");
    (unix(ours), peer)
}

/// Both ends ours.
pub(crate) fn unix_pair_of(type_: i32) -> (UnixConnection, UnixConnection) {
    let [one, other] = sockets(type_);
    (unix(one), around_a_socket(other))
}

pub(crate) fn unix_pair() -> (UnixConnection, UnixConnection) {
    unix_pair_of(STREAM)
}

/// One byte of data, read as such.
#[track_caller]
pub(crate) fn read_byte(connection: &UnixConnection) -> u8 {
    let mut byte = [0];
    let count = connection
        .input_stream()
        .read(&mut byte, gio::Cancellable::NONE)
        .expect("a byte");
    assert_eq!(count, 1);
    byte[0]
}
