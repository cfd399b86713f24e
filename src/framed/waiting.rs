//! Waiting for one side of a stream, in a main context or in a call.

use std::{
    fmt,
    sync::Arc,
    task::{Wake, Waker},
};

use gio::prelude::*;

use super::ends::Ends;
use crate::{
    error,
    reactor::{CancelWatch, Engine},
    thread,
};

/// At most one source at a time, in the context of whoever waits, and the thread that has made it.
#[derive(Default)]
pub(super) struct Waiting(Option<(glib::Source, usize)>);

impl Waiting {
    /// Calls `waker` when another try is worth it.
    ///
    /// # Errors
    ///
    /// `NotSupported` where nobody would dispatch the source.
    pub(super) fn begin(
        &mut self,
        ends: &Ends,
        is_for_reading: bool,
        waker: &Waker,
    ) -> Result<(), glib::Error> {
        self.end();
        if !Engine::current().is_owned_here() {
            return Err(error::not_owned());
        }
        let waker = waker.clone();
        if let Some(source) = ends.source(is_for_reading, move || waker.wake()) {
            source.attach(Some(&glib::MainContext::ref_thread_default()));
            self.0 = Some((source, thread::here()));
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        if let Some((source, thread)) = self.0.take() {
            if thread == thread::here() {
                source.destroy();
            } else {
                // It may have the last reference to the stream, and that is not for this thread to drop.
                std::mem::forget(source);
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

/// Ends a call that blocks, for two reasons: the caller's, and that the stream has been replaced.
pub(super) struct Interrupt {
    its: gio::Cancellable,
    _watch: Option<CancelWatch>,
}

struct Cancel(gio::Cancellable);

impl Wake for Cancel {
    fn wake(self: Arc<Self>) {
        self.0.cancel();
    }
}

impl Interrupt {
    pub(super) fn new(callers: Option<&gio::Cancellable>) -> Self {
        let its = gio::Cancellable::new();
        let watch = callers.map(|callers| {
            let mut watch = CancelWatch::new(callers);
            watch.wake(&Waker::from(Arc::new(Cancel(its.clone()))));
            watch
        });
        Self { its, _watch: watch }
    }

    pub(super) fn cancellable(&self) -> &gio::Cancellable {
        &self.its
    }

    /// Whether that is why a call has failed.
    pub(super) fn explains(&self, failure: &glib::Error) -> bool {
        failure.matches(gio::IOErrorEnum::Cancelled) && self.its.is_cancelled()
    }
}
