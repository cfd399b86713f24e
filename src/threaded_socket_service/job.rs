//! One connection that is served on a thread.

#![allow(
    unsafe_code,
    reason = "hands a connection to the thread that serves it"
)]

use std::sync::Arc;

use glib::subclass::prelude::*;

use super::{ThreadedSocketService, workers::Jobs};
use crate::{
    SocketConnection, SocketConnectionExt,
    socket_service::Control,
    vfunc::{Owned, fenced_handler, iterate},
};

/// So many of what a handler has left behind in the context of its thread are dispatched: one that asks to be
/// dispatched for ever is not.
const LEFT_BEHIND: u32 = 64;

/// What goes to the thread. Its end is told to the service, wherever it is dropped.
pub(super) struct Job {
    // In this order they go: nothing of the service's user's is left when the service learns of the end.
    connection: Owned<SocketConnection>,
    source_object: Option<Owned<glib::Object>>,
    service: Owned<ThreadedSocketService>,
    _end: End,
}

struct End(Arc<Control>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end_job();
    }
}

impl Job {
    pub(super) fn new(
        service: &ThreadedSocketService,
        control: &Arc<Control>,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> Self {
        control.begin_job();
        Self {
            connection: Owned::new(connection.clone()),
            source_object: source_object.cloned().map(Owned::new),
            service: Owned::new(service.clone()),
            _end: End(control.clone()),
        }
    }

    fn run(self, context: &glib::MainContext) {
        let Self {
            connection,
            source_object,
            service,
            _end: end,
        } = self;
        // SAFETY: `incoming` has been emitted, and nobody may have kept it there: see the class.
        unsafe { connection.get().set_home(context) };
        let source = source_object.as_ref().map(Owned::get);
        fenced_handler("run", || {
            service.get().imp().emit_run(connection.get(), source);
        });
        connection.let_go();
        for _ in 0..LEFT_BEHIND {
            if !iterate(context) {
                break;
            }
        }
        if let Some(source_object) = source_object {
            source_object.let_go();
        }
        service.let_go();
        drop(end);
    }
}

/// What a thread does.
pub(super) fn serve(jobs: Jobs<Job>) {
    let context = glib::MainContext::new();
    // No other thread knows it.
    let _ = context.with_thread_default(|| {
        for job in jobs {
            job.run(&context);
        }
    });
}
