//! Where C is called in its own terms: tasks.

#![allow(unsafe_code, reason = "GTask as C sees it")]

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{ffi::gpointer, translate::ToGlibPtr};

use super::{SocketListener, listening::Accepted};
use crate::{
    operation::{Answers, TagOf, Task, assert_owns_context, finish_value, ready_callback},
    reactor::Engine,
};

/// One for both operations: each finish takes the results of both, as in GIO.
static ACCEPT: TagOf<Accepted> = TagOf::new();

impl SocketListener {
    /// Starts to accept on any thread. For the C face.
    ///
    /// # Safety
    ///
    /// `cancellable` is a live cancellable or NULL, and `callback` may be called with `data` in the
    /// thread-default context of now.
    #[doc(hidden)]
    pub unsafe fn start_accept(
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
                ACCEPT.tag(),
                Answers::Value,
                0,
            )
        };
        let mut accept = self.imp().accept(task.cancellable().as_ref());
        let engine = Engine::of(&task.context());
        engine.spawn(glib::Priority::DEFAULT, async move {
            let result = std::future::poll_fn(|cx| accept.poll(cx)).await;
            drop(accept);
            task.answer_value(&ACCEPT, result);
        });
    }
}

/// Starts to accept, with a callback that is written in Rust.
pub(super) fn start<O: IsA<SocketListener>>(
    object: &O,
    cancellable: Option<&gio::Cancellable>,
    callback: impl FnOnce(&O, &gio::AsyncResult) + 'static,
) {
    assert_owns_context();
    let (callback, data) = ready_callback(callback);
    // SAFETY: live arguments; the callback and its data belong together, and look after their thread.
    unsafe {
        object
            .upcast_ref()
            .start_accept(cancellable.to_glib_none().0, callback, data);
    }
}

pub(super) fn finish(
    object: &SocketListener,
    result: &gio::AsyncResult,
) -> Result<Accepted, glib::Error> {
    // SAFETY: live arguments.
    unsafe { finish_value(object.as_ptr().cast(), result.to_glib_none().0, &ACCEPT) }
}
