//! A stream of somebody's, which may belong to one thread.

#![allow(
    unsafe_code,
    reason = "holds what is not Send where any thread may come by"
)]

use std::{mem::ManuallyDrop, pin::Pin, sync::Arc};

use futures_io::{AsyncRead, AsyncWrite};

use crate::{fence::caught, reactor::Engine, thread};

pub(super) trait Duplex: AsyncRead + AsyncWrite {}

impl<S: AsyncRead + AsyncWrite> Duplex for S {}

/// Polled and dropped where it may be, or never.
pub(super) struct Held {
    stream: ManuallyDrop<Pin<Box<dyn Duplex>>>,
    /// The one thread, for a stream that is not `Send`.
    thread: Option<usize>,
    /// Of the context that was thread-default there: the way back.
    home: Arc<Engine>,
    is_on_its_way: bool,
}

// SAFETY: only carried, but for the thread that it belongs to, or any for one that is `Send`.
unsafe impl Send for Held {}

impl Held {
    pub(super) fn here<S: AsyncRead + AsyncWrite + 'static>(stream: S) -> Self {
        Self::of(stream, Some(thread::here()))
    }

    pub(super) fn anywhere<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> Self {
        Self::of(stream, None)
    }

    fn of<S: AsyncRead + AsyncWrite + 'static>(stream: S, thread: Option<usize>) -> Self {
        Self {
            stream: ManuallyDrop::new(Box::pin(stream)),
            thread,
            home: Engine::current(),
            is_on_its_way: false,
        }
    }

    /// For who is where it may be polled: the caller has asked [`thread`](Self::thread).
    pub(super) fn stream(&mut self) -> Option<Pin<&mut (dyn Duplex + 'static)>> {
        let is_here = self.thread.is_none_or(|thread| thread == thread::here());
        is_here.then(|| self.stream.as_mut())
    }

    pub(super) fn thread(&self) -> Option<usize> {
        self.thread
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let stream = unsafe { ManuallyDrop::take(&mut self.stream) };
        if self.thread.is_none_or(|thread| thread == thread::here()) {
            if caught(move || drop(stream)).is_none() {
                glib::g_critical!("Gsock", "a stream panicked when it was dropped");
            }
            return;
        }
        let returning = Self {
            stream: ManuallyDrop::new(stream),
            thread: self.thread,
            home: self.home.clone(),
            is_on_its_way: true,
        };
        if self.is_on_its_way {
            // Its context runs elsewhere, or not at all.
            std::mem::forget(returning);
        } else {
            self.home.at(None, move || drop(returning));
        }
    }
}
