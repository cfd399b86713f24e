//! The GAsyncResult form. For the C face: in Rust there is the future.

#![allow(unsafe_code, reason = "GTask as C sees it")]

use std::future::poll_fn;

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult},
    prelude::*,
};
use glib::{ffi::gpointer, translate::ToGlibPtr};

use super::{Relay, Relayed};
use crate::{
    SocketConnection,
    operation::{Answers, TagOf, Task, finish_value, until_cancelled},
    reactor::{Local, spawn},
};

static RELAY: TagOf<Relayed> = TagOf::new();

impl SocketConnection {
    /// Starts a [`relay`](super::relay) between this connection and `b`, from a thread that need not own its
    /// context. Cancelled, it ends as one whose future is dropped; what cannot be relayed says so to a cancelled
    /// caller too. For the C face.
    ///
    /// # Errors
    ///
    /// From [`relay_raw_finish`](Self::relay_raw_finish): those of the relay, and `Cancelled`.
    ///
    /// # Safety
    ///
    /// `callback` may be called with `data` in the thread-default context of now, and whoever owns that may use both
    /// connections.
    #[doc(hidden)]
    pub unsafe fn relay_raw_async(
        &self,
        b: &Self,
        cancellable: Option<&gio::Cancellable>,
        callback: GAsyncReadyCallback,
        data: gpointer,
    ) {
        let object = self.as_ptr().cast();
        let cancellable: *mut gio::ffi::GCancellable = cancellable.to_glib_none().0;
        // SAFETY: live objects, and as the caller says.
        let task = unsafe {
            Task::new(
                object,
                cancellable,
                callback,
                data,
                RELAY.tag(),
                Answers::Value,
                0,
            )
        };
        let (context, cancellable) = (task.context(), task.cancellable());
        let (a, b) = (self.clone(), b.clone());
        let relaying = async move {
            let mut relay = Relay::new(a, b)?;
            until_cancelled(poll_fn(move |cx| relay.poll(cx)), cancellable).await
        };
        // SAFETY: not polled yet: it holds objects, which the caller lets the owner of the context use.
        let relaying = unsafe { Local::where_polled(relaying) };
        spawn(&context, glib::Priority::DEFAULT, async move {
            let result = relaying.await;
            task.answer_value(&RELAY, result);
        });
    }

    /// Takes the outcome of [`relay_raw_async`](Self::relay_raw_async), once.
    ///
    /// # Errors
    ///
    /// The operation's; `InvalidArgument` for anything but a result of its own that was not taken yet.
    ///
    /// # Safety
    ///
    /// `result` is NULL or live.
    #[doc(hidden)]
    pub unsafe fn relay_raw_finish(
        &self,
        result: *mut GAsyncResult,
    ) -> Result<Relayed, glib::Error> {
        // SAFETY: as the caller says.
        unsafe { finish_value(self.as_ptr().cast(), result, &RELAY) }
    }
}
