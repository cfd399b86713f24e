//! Where C is called in its own terms: tasks. In Rust there is the future.

#![allow(unsafe_code, reason = "GTask as C sees it")]

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{ffi::gpointer, translate::ToGlibPtr};

use super::SocketService;
use crate::{
    operation::{Answers, Tag, Task, finish, until_cancelled},
    reactor::Engine,
};

static DRAIN: Tag = Tag::new();

impl SocketService {
    /// Stops the service, and starts to wait until nothing that it has begun is left, as
    /// [`drain_future`](super::SocketServiceExt::drain_future) does, on any thread. Cancelled, it waits no more, and the
    /// service stays stopped. For the C face.
    ///
    /// # Safety
    ///
    /// `cancellable` is a live cancellable or NULL, and `callback` may be called with `data` in the
    /// thread-default context of now.
    #[doc(hidden)]
    pub unsafe fn start_drain(
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
                &DRAIN,
                Answers::Nothing,
                0,
            )
        };
        self.imp().set_active(false);
        let drained = self.imp().control().drained();
        let engine = Engine::of(&task.context());
        engine.spawn(glib::Priority::DEFAULT, async move {
            let drained = async move {
                drained.await;
                Ok(())
            };
            let result = until_cancelled(drained, task.cancellable()).await;
            task.answer(result);
        });
    }

    /// Takes the outcome of [`start_drain`](Self::start_drain), once. For the C face.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `Cancelled`; `InvalidArgument` for anything but a result of a drain of this service that has
    /// ended and was not taken yet.
    #[doc(hidden)]
    pub fn drain_finish(&self, result: &gio::AsyncResult) -> Result<(), glib::Error> {
        // SAFETY: live arguments.
        unsafe { finish(self.as_ptr().cast(), result.to_glib_none().0, &DRAIN) }
    }
}
