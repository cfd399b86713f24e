//! Asynchronous transfers of streams, from being asked for to the callback.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use gio::prelude::*;
use glib::gobject_ffi;
use glib::translate::from_glib_none;

use super::{
    Owned,
    pollable::{TransportStream, imp_of},
};
use crate::{
    operation::{Drive, Moving, Reply, Transfer},
    reactor::Begin,
};

/// One direction, as far as the end of a transfer concerns it.
pub(super) trait Side: IsA<glib::Object> {
    fn clear_pending(&self);
    fn close(&self);
}

impl Side for gio::InputStream {
    fn clear_pending(&self) {
        InputStreamExt::clear_pending(self);
    }

    fn close(&self) {
        let _ = InputStreamExt::close(self, gio::Cancellable::NONE);
    }
}

impl Side for gio::OutputStream {
    fn clear_pending(&self) {
        OutputStreamExt::clear_pending(self);
    }

    fn close(&self) {
        let _ = OutputStreamExt::close(self, gio::Cancellable::NONE);
    }
}

/// A transfer of one of `T`'s streams.
struct Running<T, S: Side, F: Moving> {
    stream: Owned<S>,
    drive: Option<Drive<Transfer<F>>>,
    reply: Option<Reply>,
    /// The stream's pending bit is ours to clear.
    owns_pending: bool,
    _class: PhantomData<fn() -> T>,
}

/// Runs a transfer and answers `reply`: the system call happens in the dispatch that answers, so that an operation
/// cancelled before it has moved nothing. `owns_pending` says that the stream's pending bit is ours to clear.
///
/// # Safety
///
/// `stream` is a live instance of `T`, and an `S`.
pub(super) unsafe fn run<T, S, F>(
    stream: *mut gobject_ffi::GObject,
    reply: Reply,
    cancellable: Option<gio::Cancellable>,
    owns_pending: bool,
    transfer: Transfer<F>,
) where
    T: TransportStream + 'static,
    S: Side,
    F: Moving + Send + 'static,
{
    // SAFETY: as the caller says.
    let stream: glib::Object = unsafe { from_glib_none(stream) };
    // SAFETY: likewise.
    let stream = Owned::new(unsafe { stream.unsafe_cast::<S>() });
    let (engine, priority) = (reply.engine().clone(), reply.priority());
    let running = Running::<T, S, F> {
        stream,
        drive: Some(Drive::new(transfer, cancellable.as_ref())),
        reply: Some(reply),
        owns_pending,
        _class: PhantomData,
    };
    // Not in this turn: GIO's own tasks around a write make a detour for what is answered in the iteration in which
    // it was asked, and a read that is ready at once waits for its turn as it does there.
    engine.start(priority, running, false);
}

impl<T: TransportStream, S: Side, F: Moving> Begin for Running<T, S, F> {
    fn begin(&mut self, waker: &Waker) -> bool {
        self.drive.as_mut().is_some_and(|drive| drive.begin(waker))
    }
}

/// By a panic, or with its context.
impl<T, S: Side, F: Moving> Drop for Running<T, S, F> {
    fn drop(&mut self) {
        if self.owns_pending && self.reply.is_some() {
            self.stream.get().clear_pending();
        }
    }
}

// Nothing in it is pinned.
impl<T, S: Side, F: Moving> Unpin for Running<T, S, F> {}

impl<T: TransportStream, S: Side, F: Moving> Future for Running<T, S, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(drive) = &mut this.drive else {
            return Poll::Ready(());
        };
        let Poll::Ready(outcome) = Pin::new(drive).poll(cx) else {
            return Poll::Pending;
        };
        // Nothing of the operation is left when the callback runs.
        this.drive = None;
        let stream = this.stream.get();
        if this.owns_pending {
            // Before the callback, whether or not anybody calls finish.
            stream.clear_pending();
        }
        if let Some(reply) = this.reply.take() {
            reply.answer(outcome);
        }
        let object: *mut gobject_ffi::GObject = stream.upcast_ref::<glib::Object>().as_ptr();
        // SAFETY: an instance of `T`, which the reference keeps alive.
        if unsafe { imp_of::<T>(object.cast()) }.tap().is_ended() {
            // The close found this stream busy and left it to us to mark it closed.
            stream.close();
        }
        Poll::Ready(())
    }
}
