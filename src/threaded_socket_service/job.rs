//! One connection that is served on a thread.

#![allow(
    unsafe_code,
    reason = "hands a connection to the thread that serves it"
)]

use std::{io, sync::Arc};

use glib::{prelude::*, subclass::prelude::*};

use super::{ThreadedSocketService, workers::Body};
use crate::{
    SocketConnection, SocketConnectionExt, SocketService,
    fence::fence_or,
    socket_service::Control,
    thread,
    vfunc::{Owned, fenced_handler, iterate},
};

/// So many of what a handler has left behind in the context of its thread are dispatched: one that asks to be
/// dispatched for ever is not.
const LEFT_BEHIND: u32 = 64;

/// What goes to the thread. Its end is told to the service, wherever it is dropped.
#[derive(Debug)]
pub(super) struct Job {
    /// Somebody may have got hold of the connection who must not have it when it goes to another thread.
    is_shown: bool,
    // In this order they go: nothing of the service's user's is left when the service learns of the end.
    connection: Owned<SocketConnection>,
    source_object: Option<Owned<glib::Object>>,
    service: Owned<ThreadedSocketService>,
    _end: End,
}

#[derive(Debug)]
struct End(Arc<Control>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end_job();
    }
}

impl Job {
    /// `incoming` is being emitted.
    pub(super) fn new(
        service: &ThreadedSocketService,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> Self {
        let base = service.upcast_ref::<SocketService>().imp();
        let control = base.control();
        control.begin_job();
        Self {
            is_shown: base.take_job(),
            connection: Owned::new(connection.clone()),
            source_object: source_object.cloned().map(Owned::new),
            service: Owned::new(service.clone()),
            _end: End(control.clone()),
        }
    }

    /// After the emission, where connections are accepted: whether it may go to another thread.
    pub(super) fn may_go(&self) -> bool {
        let may_go = !self.is_shown || self.connection.get().imp().is_nobody_elses();
        if !may_go {
            glib::g_critical!(
                "Gsock",
                "a connection that was kept, or connected to, is not handed to run: its handler of incoming is to answer true"
            );
        }
        may_go
    }

    fn run(self, context: &glib::MainContext) {
        let Self {
            is_shown: _,
            connection,
            source_object,
            service,
            _end: end,
        } = self;
        // SAFETY: nobody has it who may not have it here: see `may_go`.
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

/// What a new thread does.
///
/// # Errors
///
/// There is no descriptor for its context.
pub(super) fn serve() -> io::Result<Body<Job>> {
    let context = thread::try_new_context()?;
    Ok(Box::new(move |jobs| {
        // No other thread knows it.
        let _ = context.with_thread_default(|| {
            for job in jobs {
                fence_or((), || job.run(&context));
            }
        });
    }))
}
