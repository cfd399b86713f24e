//! Where C is called in its own terms: tasks, and the close of a stream.

#![allow(unsafe_code, reason = "GTask as C sees it")]

use std::ptr;

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::gpointer,
    translate::{ToGlibPtr, from_glib_full},
};

use super::{Reconnector, waiting::Connected};
use crate::{
    operation::{
        Answer, Answers, TagOf, Task, assert_owns_context, finish_value, ready_callback,
        until_cancelled,
    },
    reactor::{Local, spawn},
    vfunc::Owned,
};

static WAIT_CONNECTED: TagOf<Owned<gio::IOStream>> = TagOf::new();

impl Reconnector {
    /// Starts to wait for a connection, on any thread. For the C face.
    ///
    /// # Safety
    ///
    /// `cancellable` is a live cancellable or NULL, and `callback` may be called with `data` in the
    /// thread-default context of now.
    #[doc(hidden)]
    pub unsafe fn start_to_wait(
        &self,
        cancellable: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        // SAFETY: a live object, and as the caller says.
        let task = unsafe {
            Task::new(
                self.as_ptr().cast(),
                cancellable,
                callback,
                data,
                WAIT_CONNECTED.tag(),
                Answers::Value,
                0,
            )
        };
        let (context, cancellable) = (task.context(), task.cancellable());
        let mut connected = Connected::new(self, false);
        if !cancellable
            .as_ref()
            .is_some_and(CancellableExt::is_cancelled)
        {
            // Now: somebody may look at the state after this call.
            connected.begin();
        }
        // SAFETY: not polled yet: it holds objects only.
        let waiting = unsafe { Local::where_polled(until_cancelled(connected, cancellable)) };
        spawn(&context, glib::Priority::DEFAULT, async move {
            task.answer_value(&WAIT_CONNECTED, waiting.await);
        });
    }
}

/// Starts to wait, with a callback that is written in Rust.
pub(super) fn start(
    object: &Reconnector,
    cancellable: Option<&gio::Cancellable>,
    callback: impl FnOnce(&Reconnector, &gio::AsyncResult) + 'static,
) {
    assert_owns_context();
    let (callback, data) = ready_callback(callback);
    // SAFETY: live arguments; the callback and its data belong together, and look after their thread.
    unsafe { object.start_to_wait(cancellable.to_glib_none().0, callback, data) };
}

pub(super) fn finish(
    object: &Reconnector,
    result: &gio::AsyncResult,
) -> Result<gio::IOStream, glib::Error> {
    let (object, result) = (object.as_ptr().cast(), result.to_glib_none().0);
    // SAFETY: live arguments.
    let connected = unsafe { finish_value(object, result, &WAIT_CONNECTED) };
    connected.map(|stream| stream.get().clone())
}

/// Closes a stream, as its class does that without blocking.
pub(super) fn close(stream: &gio::IOStream) -> Answer<()> {
    let take = |object: *mut glib::gobject_ffi::GObject, result| {
        let mut failure = ptr::null_mut();
        // SAFETY: the stream and the result that the callback was given.
        unsafe { gio_ffi::g_io_stream_close_finish(object.cast(), result, &raw mut failure) };
        if failure.is_null() {
            return Ok(());
        }
        // SAFETY: an error that is ours to free.
        Err(unsafe { from_glib_full(failure) })
    };
    let stream: *mut gio_ffi::GIOStream = stream.to_glib_none().0;
    Answer::of_any_thread(take, |cancellable, callback, data| {
        // SAFETY: a live stream; the callback and its data belong together.
        unsafe {
            gio_ffi::g_io_stream_close_async(
                stream,
                glib::ffi::G_PRIORITY_DEFAULT,
                cancellable,
                callback,
                data,
            );
        }
    })
}
