//! The connection over Unix sockets.

#[cfg(ancillary)]
mod ancillary;
#[cfg(not(ancillary))]
mod elsewhere;
pub(crate) mod imp;
mod operations;
#[cfg(ancillary)]
mod sender;
mod tasks;
#[cfg(ancillary)]
mod told;

use std::{
    future::Future,
    os::fd::{BorrowedFd, OwnedFd},
    pin::Pin,
};

use gio::prelude::*;
use glib::subclass::prelude::*;

pub use tasks::UnixOperation;

#[cfg(not(ancillary))]
use elsewhere as ancillary;

use crate::{
    SocketConnection,
    halves::futures_io,
    operation::{Attempt, Drive, assert_owns_context, block},
    socket_connection::inherent_connect,
};
pub(crate) use ancillary::Cargo;
use ancillary::Sender;

glib::wrapper! {
    /// A connection over a Unix socket, which passes descriptors and credentials to other processes.
    ///
    /// Each of them travels with one byte, which is part of what the connection carries: both sides
    /// have to agree where in the data it stands, and `bytes-written` and `bytes-read` count it. Who receives
    /// looks at what is next before taking it. Data that nothing comes along with is not taken, and stays
    /// to be read; data that is read by the connection's streams loses what came along.
    ///
    /// On sockets of sequenced packets the byte is a packet of its own.
    ///
    /// All operations are GIO's on the wire: either end may be a `GUnixConnection`. They wait whether or not the
    /// socket is in blocking mode, for as long as its timeout says, and take no notice of operations pending
    /// on the streams. Of several that receive at once on one connection each gets a message of its own. Somebody
    /// who reads the same socket in another way at the same time may come between.
    ///
    /// Where the system is not Linux they answer `NotSupported`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{
    ///     fs::File,
    ///     io::Read,
    ///     os::{fd::{AsFd, OwnedFd}, unix::net::UnixStream},
    /// };
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, UnixConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let connection = |end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    ///         .map(|connection| connection.downcast::<UnixConnection>().expect("a Unix socket"))
    /// };
    /// let (ours, theirs) = (connection(ours)?, connection(theirs)?);
    /// ours.send_fd(File::open("/proc/self/comm")?.as_fd(), gio::Cancellable::NONE)?;
    ///
    /// let mut name = String::new();
    /// File::from(theirs.receive_fd(gio::Cancellable::NONE)?).read_to_string(&mut name)?;
    /// assert!(!name.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GsockUnixConnection")]
    #[doc(alias = "GUnixConnection")]
    pub struct UnixConnection(ObjectSubclass<imp::UnixConnection>)
        @extends SocketConnection, gio::IOStream;
}

const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::UnixConnection>();
};

inherent_connect!(UnixConnection);
futures_io!(UnixConnection);

impl UnixConnection {
    /// No connection, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;
}

/// A future of an operation of [`UnixConnection`].
type OperationFuture<T> = Pin<Box<dyn Future<Output = Result<T, glib::Error>> + 'static>>;

/// The methods of [`UnixConnection`] and every type that derives from it.
pub trait UnixConnectionExt: IsA<UnixConnection> + 'static {
    /// Sends a descriptor, which stays the caller's, with one byte.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `BrokenPipe` when the peer is gone, `NotConnected`, `Closed`, `Cancelled`,
    /// `TimedOut`, and whatever else the system answers.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has sent nothing.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    ///
    /// GIO: UNIX-3, UNIX-4.
    #[doc(alias = "gsock_unix_connection_send_fd")]
    #[doc(alias = "g_unix_connection_send_fd")]
    fn send_fd(
        &self,
        fd: BorrowedFd<'_>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        run_sending(self, Cargo::of_borrowed(&[fd]), cancellable)
    }

    /// Starts to send a descriptor. `callback` gets the result to hand to
    /// [`send_fd_finish`](Self::send_fd_finish), never before this returns. The descriptor is duplicated
    /// before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`send_fd`](Self::send_fd), from `send_fd_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before its end it has sent nothing.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_send_fd_async")]
    fn send_fd_async(
        &self,
        fd: BorrowedFd<'_>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        tasks::start(self, UnixOperation::SendFd(fd), cancellable, callback);
    }

    /// Takes the outcome of [`send_fd_async`](Self::send_fd_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`send_fd`](Self::send_fd); `InvalidArgument` for anything but a result of this operation of this
    /// object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an operation that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_unix_connection_send_fd_finish")]
    fn send_fd_finish(&self, result: &impl IsA<gio::AsyncResult>) -> Result<(), glib::Error> {
        tasks::finish_send_fd(self.upcast_ref(), result.as_ref())
    }

    /// A future that sends a descriptor from its first poll on. The descriptor is duplicated
    /// before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`send_fd`](Self::send_fd).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it has sent nothing.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_send_fd_async")]
    fn send_fd_future(&self, fd: BorrowedFd<'_>) -> OperationFuture<()> {
        sending(self, Cargo::of_duplicates(&[fd]))
    }

    /// Receives the descriptor that was sent with a byte: close-on-exec, and the caller's.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `ConnectionClosed`, which is `BrokenPipe` in Rust, at the end of what the peer sends;
    /// `Failed` for a byte that no descriptor came with, which stays to be read, and for more than one
    /// descriptor, which are closed; `InvalidData` when descriptors were lost on the way, as happens to a process
    /// that can have no more of them, and those that came are closed; `InvalidArgument` on a socket that was never
    /// connected; `Closed`, `Cancelled`, `TimedOut`, and whatever else the system answers.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has received nothing.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    ///
    /// GIO: UNIX-5, UNIX-6.
    #[doc(alias = "gsock_unix_connection_receive_fd")]
    #[doc(alias = "g_unix_connection_receive_fd")]
    fn receive_fd(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<OwnedFd, glib::Error> {
        run(self.upcast_ref().imp().receive_fd(), cancellable)
    }

    /// Starts to receive a descriptor. `callback` gets the result to hand to
    /// [`receive_fd_finish`](Self::receive_fd_finish), never before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fd`](Self::receive_fd), from `receive_fd_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before its end it has received nothing. One that has ended keeps its result; a
    /// result that nobody takes is closed.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_receive_fd_async")]
    fn receive_fd_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        tasks::start(self, UnixOperation::ReceiveFd, cancellable, callback);
    }

    /// Takes the outcome of [`receive_fd_async`](Self::receive_fd_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fd`](Self::receive_fd); `InvalidArgument` for anything but a result of this operation of this
    /// object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an operation that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_unix_connection_receive_fd_finish")]
    fn receive_fd_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<OwnedFd, glib::Error> {
        tasks::finish_receive_fd(self.upcast_ref(), result.as_ref())
    }

    /// A future that receives a descriptor from its first poll on.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fd`](Self::receive_fd).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it has received nothing.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_receive_fd_async")]
    fn receive_fd_future(&self) -> OperationFuture<OwnedFd> {
        future(self, |imp| Ok(imp.receive_fd()))
    }

    /// Sends descriptors, which stay the caller's, all with one byte: the peer gets all or none.
    ///
    /// They are one message, and received as such: by [`receive_fds`](Self::receive_fds), or, in GIO, by a `GSocket`.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `BrokenPipe` when the peer is gone, `NotConnected`, `Closed`, `Cancelled`,
    /// `TimedOut`, and whatever else the system answers.
    /// `InvalidArgument` for no descriptors, and for more than 253, which the system does not take.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has sent nothing.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    #[doc(alias = "gsock_unix_connection_send_fds")]
    fn send_fds(
        &self,
        fds: &[BorrowedFd<'_>],
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        run_sending(self, Cargo::of_borrowed(fds), cancellable)
    }

    /// Starts to send descriptors. `callback` gets the result to hand to
    /// [`send_fds_finish`](Self::send_fds_finish), never before this returns. The descriptors are duplicated
    /// before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`send_fds`](Self::send_fds), from `send_fds_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before its end it has sent nothing.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_send_fds_async")]
    fn send_fds_async(
        &self,
        fds: &[BorrowedFd<'_>],
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        tasks::start(self, UnixOperation::SendFds(fds), cancellable, callback);
    }

    /// Takes the outcome of [`send_fds_async`](Self::send_fds_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`send_fds`](Self::send_fds); `InvalidArgument` for anything but a result of this operation of this
    /// object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an operation that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_unix_connection_send_fds_finish")]
    fn send_fds_finish(&self, result: &impl IsA<gio::AsyncResult>) -> Result<(), glib::Error> {
        tasks::finish_send_fds(self.upcast_ref(), result.as_ref())
    }

    /// A future that sends descriptors from its first poll on. The descriptors are duplicated
    /// before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`send_fds`](Self::send_fds).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it has sent nothing.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_send_fds_async")]
    fn send_fds_future(&self, fds: &[BorrowedFd<'_>]) -> OperationFuture<()> {
        sending(self, Cargo::of_duplicates(fds))
    }

    /// Receives all descriptors that were sent with a byte, `max` at most: close-on-exec, and the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fd`](Self::receive_fd), `Failed` for more than `max` descriptors; `InvalidArgument` for a
    /// `max` of zero.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has received nothing.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::{AsFd, OwnedFd}, unix::net::UnixStream};
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, UnixConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// let one = one.downcast::<UnixConnection>().expect("a Unix socket");
    /// let other = other.downcast::<UnixConnection>().expect("a Unix socket");
    /// let (input, output) = (std::io::stdin(), std::io::stdout());
    /// one.send_fds(&[input.as_fd(), output.as_fd()], gio::Cancellable::NONE)?;
    /// let received = other.receive_fds(4, gio::Cancellable::NONE)?;
    /// assert_eq!(received.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_unix_connection_receive_fds")]
    fn receive_fds(
        &self,
        max: usize,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<Vec<OwnedFd>, glib::Error> {
        run(self.upcast_ref().imp().receive_fds(max)?, cancellable)
    }

    /// Starts to receive descriptors. `callback` gets the result to hand to
    /// [`receive_fds_finish`](Self::receive_fds_finish), never before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fds`](Self::receive_fds), from `receive_fds_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before its end it has received nothing. One that has ended keeps its result; a
    /// result that nobody takes is closed.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_receive_fds_async")]
    fn receive_fds_async(
        &self,
        max: usize,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        tasks::start(self, UnixOperation::ReceiveFds(max), cancellable, callback);
    }

    /// Takes the outcome of [`receive_fds_async`](Self::receive_fds_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fds`](Self::receive_fds); `InvalidArgument` for anything but a result of this operation of this
    /// object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an operation that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_unix_connection_receive_fds_finish")]
    fn receive_fds_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<Vec<OwnedFd>, glib::Error> {
        tasks::finish_receive_fds(self.upcast_ref(), result.as_ref())
    }

    /// A future that receives descriptors from its first poll on.
    ///
    /// # Errors
    ///
    /// Those of [`receive_fds`](Self::receive_fds).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it has received nothing.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_receive_fds_async")]
    fn receive_fds_future(&self, max: usize) -> OperationFuture<Vec<OwnedFd>> {
        future(self, move |imp| imp.receive_fds(max))
    }

    /// Sends with one byte who this process is: its number, its effective user and group. The kernel vouches for it.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `BrokenPipe` when the peer is gone, `NotConnected`, `Closed`, `Cancelled`,
    /// `TimedOut`, and whatever else the system answers.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has sent nothing.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    ///
    /// GIO: UNIX-9.
    #[doc(alias = "gsock_unix_connection_send_credentials")]
    #[doc(alias = "g_unix_connection_send_credentials")]
    fn send_credentials(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        run_sending(self, Cargo::of_credentials(), cancellable)
    }

    /// Starts to send credentials. `callback` gets the result to hand to
    /// [`send_credentials_finish`](Self::send_credentials_finish), never before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`send_credentials`](Self::send_credentials), from `send_credentials_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before its end it has sent nothing.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    ///
    /// GIO: UNIX-14.
    #[doc(alias = "gsock_unix_connection_send_credentials_async")]
    #[doc(alias = "g_unix_connection_send_credentials_async")]
    fn send_credentials_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        tasks::start(self, UnixOperation::SendCredentials, cancellable, callback);
    }

    /// Takes the outcome of [`send_credentials_async`](Self::send_credentials_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`send_credentials`](Self::send_credentials); `InvalidArgument` for anything but a result of this operation of this
    /// object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an operation that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_unix_connection_send_credentials_finish")]
    #[doc(alias = "g_unix_connection_send_credentials_finish")]
    fn send_credentials_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<(), glib::Error> {
        tasks::finish_send_credentials(self.upcast_ref(), result.as_ref())
    }

    /// A future that sends credentials from its first poll on.
    ///
    /// # Errors
    ///
    /// Those of [`send_credentials`](Self::send_credentials).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it has sent nothing.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_send_credentials_async")]
    #[doc(alias = "g_unix_connection_send_credentials_async")]
    fn send_credentials_future(&self) -> OperationFuture<()> {
        sending(self, Cargo::of_credentials())
    }

    /// Receives who has sent a byte with [`send_credentials`](Self::send_credentials).
    ///
    /// On a socket with `SO_PASSCRED` set the kernel adds credentials to all that is sent, and any byte will do.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `ConnectionClosed`, which is `BrokenPipe` in Rust, at the end of what the peer sends;
    /// `Failed` for a byte that no credentials came with, or descriptors too: it stays to be received in another way;
    /// `InvalidArgument` on a socket that was never connected; `Closed`, `Cancelled`, `TimedOut`, and whatever
    /// else the system answers.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has received nothing.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use gio::prelude::*;
    /// use gsock::{SocketConnection, UnixConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// let one = one.downcast::<UnixConnection>().expect("a Unix socket");
    /// let other = other.downcast::<UnixConnection>().expect("a Unix socket");
    /// one.send_credentials(gio::Cancellable::NONE)?;
    /// let peer = other.receive_credentials(gio::Cancellable::NONE)?;
    /// assert_eq!(u32::try_from(peer.unix_pid()?)?, std::process::id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: UNIX-10, UNIX-11.
    #[doc(alias = "gsock_unix_connection_receive_credentials")]
    #[doc(alias = "g_unix_connection_receive_credentials")]
    fn receive_credentials(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<gio::Credentials, glib::Error> {
        run(self.upcast_ref().imp().receive_credentials(), cancellable).map(Sender::to_gio)
    }

    /// Starts to receive credentials. `callback` gets the result to hand to
    /// [`receive_credentials_finish`](Self::receive_credentials_finish), never before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`receive_credentials`](Self::receive_credentials), from `receive_credentials_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before its end it has received nothing. One that has ended keeps its result; a
    /// result that nobody takes is dropped.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    ///
    /// GIO: UNIX-14.
    #[doc(alias = "gsock_unix_connection_receive_credentials_async")]
    #[doc(alias = "g_unix_connection_receive_credentials_async")]
    fn receive_credentials_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        tasks::start(
            self,
            UnixOperation::ReceiveCredentials,
            cancellable,
            callback,
        );
    }

    /// Takes the outcome of [`receive_credentials_async`](Self::receive_credentials_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`receive_credentials`](Self::receive_credentials); `InvalidArgument` for anything but a result of this operation of this
    /// object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; an operation that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_unix_connection_receive_credentials_finish")]
    #[doc(alias = "g_unix_connection_receive_credentials_finish")]
    fn receive_credentials_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<gio::Credentials, glib::Error> {
        tasks::finish_receive_credentials(self.upcast_ref(), result.as_ref()).map(Sender::to_gio)
    }

    /// A future that receives credentials from its first poll on.
    ///
    /// # Errors
    ///
    /// Those of [`receive_credentials`](Self::receive_credentials).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it has received nothing.
    ///
    /// # Main context
    ///
    /// It waits on the thread-default context of the thread that polls it.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns that context nor can acquire it.
    #[doc(alias = "gsock_unix_connection_receive_credentials_async")]
    #[doc(alias = "g_unix_connection_receive_credentials_async")]
    fn receive_credentials_future(&self) -> OperationFuture<gio::Credentials> {
        let received = future(self, |imp| Ok(imp.receive_credentials()));
        Box::pin(async move { received.await.map(Sender::to_gio) })
    }

    /// Who was at the other end when the connection was made, or began to listen. Nothing is sent or received.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `NotConnected`, `Closed`.
    #[doc(alias = "gsock_unix_connection_get_peer_credentials")]
    #[doc(alias = "get_peer_credentials")]
    fn peer_credentials(&self) -> Result<gio::Credentials, glib::Error> {
        let peer = self.upcast_ref().imp().peer_credentials();
        peer.map(Sender::to_gio)
    }

    /// The same process as a descriptor (`pidfd`), close-on-exec, which unlike a number stands for no other
    /// process once this one is gone.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `NotSupported` where the kernel has none (Linux before 6.5), `NotConnected`,
    /// `Closed`, and whatever else the system answers, such as for a process that is gone.
    #[doc(alias = "gsock_unix_connection_get_peer_pidfd")]
    #[doc(alias = "get_peer_pidfd")]
    fn peer_pidfd(&self) -> Result<OwnedFd, glib::Error> {
        self.upcast_ref().imp().peer_pidfd()
    }
}

impl<O: IsA<UnixConnection>> UnixConnectionExt for O {}

// --- The blocking form and the future ----------------------------------------------------------

fn run<A: Attempt>(
    operation: A,
    cancellable: Option<&impl IsA<gio::Cancellable>>,
) -> Result<A::Output, glib::Error> {
    block(operation, cancellable.map(AsRef::as_ref))
}

fn run_sending(
    connection: &impl IsA<UnixConnection>,
    cargo: Result<Cargo, glib::Error>,
    cancellable: Option<&impl IsA<gio::Cancellable>>,
) -> Result<(), glib::Error> {
    run(connection.upcast_ref().imp().send(cargo?), cancellable)
}

/// The operation begins with the first poll.
fn future<A: Attempt + 'static>(
    connection: &impl IsA<UnixConnection>,
    operation: impl FnOnce(&imp::UnixConnection) -> Result<A, glib::Error> + 'static,
) -> OperationFuture<A::Output> {
    let connection = connection.upcast_ref::<UnixConnection>().clone();
    Box::pin(async move {
        assert_owns_context();
        let operation = operation(connection.imp())?;
        Drive::new(operation, None).await
    })
}

fn sending(
    connection: &impl IsA<UnixConnection>,
    cargo: Result<Cargo, glib::Error>,
) -> OperationFuture<()> {
    future(connection, |imp| cargo.map(|cargo| imp.send(cargo)))
}
