//! What a connection of GIO's class has besides what GIO gave it.

#![allow(
    unsafe_code,
    reason = "GIO's socket may be absent, which gio-rs does not know"
)]

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use gio::prelude::*;
use glib::translate::{ToGlibPtr, from_glib_none};
use once_cell::sync::OnceCell;

use super::output_stream;
use crate::{
    operation::block,
    socket_connection::imp::close_streams,
    socket_input_stream::SocketInputStream,
    transport::{Drain, Holding, Transport, Wire, placeholder},
    vfunc::Owned,
};

/// The same for each of the classes.
#[derive(Debug, Default)]
pub(super) struct Core {
    /// From the first use on: GIO connects the socket after the object was made, and many an object only passes
    /// through the thread that makes it.
    link: OnceCell<Link>,
    /// The object is going away: its socket is let go of, not closed.
    disposing: AtomicBool,
    /// An asynchronous close has done the waiting already.
    drained: AtomicBool,
}

/// How the object reaches its socket.
#[derive(Debug)]
struct Link {
    /// GIO's property cannot change: there is one transport for life.
    transport: Arc<Transport>,
    wire: Arc<Wire>,
    input: OnceCell<Owned<gio::InputStream>>,
    output: OnceCell<Owned<gio::OutputStream>>,
    /// GIO has made an output stream too, which it keeps.
    has_gios_stream: AtomicBool,
    /// Keeps the socket open.
    holding: Mutex<Option<Holding>>,
}

impl Link {
    fn new(transport: Arc<Transport>, holding: Holding) -> Self {
        let wire = Wire::new();
        wire.set(transport.clone());
        Self {
            transport,
            wire,
            input: OnceCell::new(),
            output: OnceCell::new(),
            has_gios_stream: AtomicBool::new(false),
            holding: Mutex::new(Some(holding)),
        }
    }
}

impl Link {
    /// How many references to the socket GIO's part of the object has, and goes with.
    fn references_of_gios(&self) -> u32 {
        let has_own_stream = self.output.get().is_some_and(|stream| {
            let stream = stream.get();
            stream.ref_count() == 1 && output_stream::has_socket(stream)
        });
        1 + u32::from(has_own_stream) + u32::from(self.has_gios_stream.load(Ordering::Acquire))
    }
}

impl Core {
    /// Joins the transport of a connection of ours. The object is new: nobody has used it.
    pub(super) fn share(&self, transport: &Arc<Transport>) {
        let _ = self
            .link
            .set(Link::new(transport.clone(), transport.hold()));
    }

    pub(super) fn transport(&self, object: &gio::SocketConnection) -> &Arc<Transport> {
        &self.link(object).transport
    }

    fn link(&self, object: &gio::SocketConnection) -> &Link {
        self.link.get_or_init(|| {
            let (transport, holding) = Transport::of_gio(&socket_of(object));
            Link::new(transport, holding)
        })
    }

    pub(super) fn input(&self, object: &gio::SocketConnection) -> &gio::InputStream {
        let link = self.link(object);
        link.input
            .get_or_init(|| Owned::new(SocketInputStream::new(&link.wire).upcast()))
            .get()
    }

    pub(super) fn output(&self, object: &gio::SocketConnection) -> &gio::OutputStream {
        let link = self.link(object);
        link.output
            .get_or_init(|| {
                Owned::new(output_stream::new(
                    object,
                    &link.wire,
                    &link.has_gios_stream,
                ))
            })
            .get()
    }

    pub(super) fn begin_dispose(&self) {
        self.disposing.store(true, Ordering::Release);
    }

    /// Whether a close waits for the peer first. A mere drop never does.
    pub(super) fn waits(
        &self,
        object: &gio::SocketConnection,
        cancellable: Option<&gio::Cancellable>,
    ) -> bool {
        object
            .downcast_ref::<gio::TcpConnection>()
            .is_some_and(TcpConnectionExt::is_graceful_disconnect)
            && !cancellable.is_some_and(CancellableExt::is_cancelled)
            && !self.disposing.load(Ordering::Acquire)
    }

    /// The close that follows does not wait again.
    pub(super) fn set_drained(&self) {
        self.drained.store(true, Ordering::Release);
    }

    pub(super) fn close(
        &self,
        object: &gio::SocketConnection,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        let has_waited = self.drained.swap(false, Ordering::AcqRel);
        if self.disposing.load(Ordering::Acquire) {
            self.let_go();
            return Ok(());
        }
        let link = self.link(object);
        let drained = if !has_waited && self.waits(object, cancellable) {
            block(Drain::new(link.transport.clone()), cancellable)
        } else {
            Ok(())
        };
        link.wire.end();
        // Nothing keeps the socket open, and the first error is the one to report.
        let closed = link.transport.close();
        self.close_streams(link);
        drained.and(closed)
    }

    /// The socket closes with its last reference.
    fn let_go(&self) {
        // One that nobody has used is GIO's alone.
        let Some(link) = self.link.get() else { return };
        link.wire.end();
        let holding = link
            .holding
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(holding) = holding {
            link.transport
                .let_go_of_gios(holding, link.references_of_gios());
        }
        self.close_streams(link);
    }

    fn close_streams(&self, link: &Link) {
        close_streams(
            &link.transport,
            link.output.get().map(Owned::get),
            link.input.get().map(Owned::get),
        );
    }
}

/// What GIO's private part holds, for the object's whole life.
fn socket_of(object: &gio::SocketConnection) -> gio::Socket {
    // SAFETY: a live object.
    let socket = unsafe { gio::ffi::g_socket_connection_get_socket(object.to_glib_none().0) };
    // SAFETY: borrowed, or NULL where the object was made without one.
    let socket: Option<gio::Socket> = unsafe { from_glib_none(socket) };
    socket.unwrap_or_else(placeholder)
}
