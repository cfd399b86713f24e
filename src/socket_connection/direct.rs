//! The direct entry to reading and writing: without a stream, a task of GIO's or an error of its own on
//! the way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::SocketConnection;
use crate::{
    operation::{Drive, Moving, Transfer, assert_owns_context},
    reactor::{Begin, Bound, Engine, Interest, Registration},
    transport::{Attempted, Transport},
};

impl SocketConnection {
    /// Reads into `buffer` and hands it back to `callback`, with how many bytes were read: at least one,
    /// or 0 at the end of what the peer sends.
    ///
    /// The same as `gio::InputStream::read_async` on the connection's input stream, for less. It does not make
    /// that stream pending: of several reads that wait, each gets what it finds. Of a
    /// [`TcpWrapperConnection`](crate::TcpWrapperConnection) it is that call, on the base stream.
    ///
    /// # Errors
    ///
    /// Those of the system call in `gio::IOErrorEnum`; `Closed`, `Cancelled`, `TimedOut`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has read nothing.
    ///
    /// # Main context
    ///
    /// `callback` runs in the thread-default context of the call, never before this returns.
    ///
    /// # Panics
    ///
    /// When another thread owns that context.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use std::{cell::RefCell, rc::Rc};
    /// use gsock::{SocketConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// let priority = glib::Priority::DEFAULT;
    /// let none = gio::Cancellable::NONE;
    /// one.send_async(glib::Bytes::from_static(b"hello"), priority, none, |_, sent| {
    ///     assert_eq!(sent.ok(), Some(5));
    /// });
    /// let seen = Rc::new(RefCell::new(None));
    /// let place = seen.clone();
    /// other.receive_async(vec![0; 8], priority, none, move |_, mut buffer, count| {
    ///     buffer.truncate(count.unwrap_or(0));
    ///     place.replace(Some(buffer));
    /// });
    /// while seen.borrow().is_none() {
    ///     glib::MainContext::default().iteration(true);
    /// }
    /// assert_eq!(seen.take().as_deref(), Some(&b"hello"[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_connection_receive_async")]
    pub fn receive_async(
        &self,
        buffer: Vec<u8>,
        priority: glib::Priority,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, Vec<u8>, Result<usize, glib::Error>) + 'static,
    ) {
        if self.imp().own_streams().is_some() {
            let this = self.clone();
            let input = self.input_stream();
            return input.read_async(buffer, priority, cancellable, move |result| match result {
                Ok((buffer, count)) => callback(&this, buffer, Ok(count)),
                Err((buffer, failure)) => callback(&this, buffer, Err(failure)),
            });
        }
        let call = |buffer: &mut Vec<u8>, transport: &Transport, known: Option<&Registration>| {
            transport.read_now(buffer, known)
        };
        self.transfer_async(
            Interest::Read,
            priority,
            cancellable,
            buffer,
            call,
            callback,
        );
    }

    /// Writes from `bytes` and tells `callback` how many bytes were written: at least one, unless there
    /// are none.
    ///
    /// The same as `gio::OutputStream::write_bytes_async` on the connection's output stream, for less. It does not
    /// make that stream pending. Of a [`TcpWrapperConnection`](crate::TcpWrapperConnection) it is that call, on the base
    /// stream.
    ///
    /// # Errors
    ///
    /// Those of the system call in `gio::IOErrorEnum`; `Closed`, `Cancelled`, `TimedOut`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has written nothing.
    ///
    /// # Main context
    ///
    /// `callback` runs in the thread-default context of the call, never before this returns.
    ///
    /// # Panics
    ///
    /// When another thread owns that context.
    #[doc(alias = "gsock_socket_connection_send_async")]
    pub fn send_async(
        &self,
        bytes: glib::Bytes,
        priority: glib::Priority,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, Result<usize, glib::Error>) + 'static,
    ) {
        if self.imp().own_streams().is_some() {
            let this = self.clone();
            let output = self.output_stream();
            return output.write_bytes_async(&bytes, priority, cancellable, move |result| {
                // Not negative without an error.
                callback(&this, result.map(isize::unsigned_abs));
            });
        }
        let call =
            |bytes: &mut glib::Bytes, transport: &Transport, known: Option<&Registration>| {
                transport.try_write(bytes, known)
            };
        let callback = move |this: &Self, _: glib::Bytes, result: Result<usize, glib::Error>| {
            callback(this, result);
        };
        self.transfer_async(
            Interest::Write,
            priority,
            cancellable,
            bytes,
            call,
            callback,
        );
    }

    fn transfer_async<B: AsRef<[u8]> + 'static>(
        &self,
        interest: Interest,
        priority: glib::Priority,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        buffer: B,
        call: fn(&mut B, &Transport, Option<&Registration>) -> Attempted<usize>,
        callback: impl FnOnce(&Self, B, Result<usize, glib::Error>) + 'static,
    ) {
        let engine = Engine::current();
        if !engine.is_owned_here() {
            assert_owns_context();
        }
        let transport = self.imp().transport();
        // A closed connection says so to a cancelled caller too, as GIO's streams do.
        let cancellable = cancellable.filter(|_| !transport.is_closed());
        let transfer = Transfer::new(
            transport,
            interest,
            Lent {
                buffer: Some(buffer),
                call,
            },
        );
        let direct = Direct {
            connection: self.clone(),
            drive: Some(Drive::new(transfer, cancellable.map(AsRef::as_ref))),
            callback: Some(callback),
        };
        engine.start(priority, Bound::here(direct), true);
    }
}

/// A try to move bytes from or to a buffer that is handed back.
struct Lent<B> {
    buffer: Option<B>,
    call: fn(&mut B, &Transport, Option<&Registration>) -> Attempted<usize>,
}

impl<B: AsRef<[u8]>> Moving for Lent<B> {
    fn try_to_move(
        &mut self,
        transport: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        match &mut self.buffer {
            Some(buffer) => (self.call)(buffer, transport, registered),
            // Handed back already, with the result.
            None => Ok(None),
        }
    }

    fn is_for_nothing(&self) -> bool {
        self.buffer
            .as_ref()
            .is_some_and(|buffer| buffer.as_ref().is_empty())
    }
}

struct Direct<B: AsRef<[u8]>, C> {
    connection: SocketConnection,
    drive: Option<Drive<Transfer<Lent<B>>>>,
    callback: Option<C>,
}

// Nothing in it is pinned.
impl<B: AsRef<[u8]>, C> Unpin for Direct<B, C> {}

impl<B, C> Begin for Direct<B, C>
where
    B: AsRef<[u8]>,
    C: FnOnce(&SocketConnection, B, Result<usize, glib::Error>),
{
    fn begin(&mut self, waker: &Waker) -> bool {
        self.drive.as_mut().is_some_and(|drive| drive.begin(waker))
    }
}

impl<B, C> Future for Direct<B, C>
where
    B: AsRef<[u8]>,
    C: FnOnce(&SocketConnection, B, Result<usize, glib::Error>),
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(drive) = &mut this.drive else {
            return Poll::Ready(());
        };
        let Poll::Ready(result) = Pin::new(&mut *drive).poll(cx) else {
            return Poll::Pending;
        };
        let buffer = drive.operation_mut().moving.buffer.take();
        // Nothing of the operation is left when the callback runs.
        this.drive = None;
        if let (Some(callback), Some(buffer)) = (this.callback.take(), buffer) {
            callback(&this.connection, buffer, result);
        }
        Poll::Ready(())
    }
}
