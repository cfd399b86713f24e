//! The direct entry to reading and writing: without a stream, a task of GIO's or an error of its own on
//! the way.

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::SocketConnection;
use crate::{
    operation::{Drive, Transfer, assert_owns_context},
    reactor::{Engine, Interest, Local, Registration},
    transport::{Attempted, Transport},
};

impl SocketConnection {
    /// Reads into `buffer` and hands it back to `callback`, with how many bytes were read: at least one,
    /// or 0 at the end of what the peer sends.
    ///
    /// The same as `gio::InputStream::read_async` on the connection's input stream, for less. It does not make
    /// that stream pending: of several reads that wait, each gets what it finds.
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
    #[doc(alias = "gsock_socket_connection_receive_async")]
    pub fn receive_async(
        &self,
        buffer: Vec<u8>,
        priority: glib::Priority,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, Vec<u8>, Result<usize, glib::Error>) + 'static,
    ) {
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
    /// make that stream pending.
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

    fn transfer_async<B: 'static>(
        &self,
        interest: Interest,
        priority: glib::Priority,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        buffer: B,
        call: fn(&mut B, &Transport, Option<&Registration>) -> Attempted<usize>,
        callback: impl FnOnce(&Self, B, Result<usize, glib::Error>) + 'static,
    ) {
        assert_owns_context();
        let this = self.clone();
        let transport = self.imp().transport();
        // A closed connection says so to a cancelled caller too, as GIO's streams do.
        let cancellable = cancellable
            .filter(|_| !transport.is_closed())
            .map(|cancellable| cancellable.as_ref().clone());
        let task = Local::here(async move {
            let mut buffer = buffer;
            let result = {
                let transfer = Transfer::new(transport, interest, |transport, known| {
                    call(&mut buffer, transport, known)
                });
                Drive::new(transfer, cancellable.as_ref()).await
            };
            callback(&this, buffer, result);
        });
        Engine::current().spawn(priority, task);
    }
}
