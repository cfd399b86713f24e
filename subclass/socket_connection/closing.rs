//! Asynchronous close: GIOStream's two slots, carried out on the caller's context.

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    future::Future,
    task::{Context, Poll, Waker},
};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    translate::from_glib_none,
};

use super::{super::structs::SocketConnectionInstance, UnitFuture, calls::call_close};
use crate::{
    SocketConnection,
    home::change,
    operation::{Answers, Owed, Tag, Task, finish, owing, until_cancelled},
    reactor::{Local, Source, spawn},
    vfunc::{Owned, boolean, fenced},
};

pub(crate) static CLOSE: Tag = Tag::new();

/// Closes at once, by the object's own blocking close, and answers in the caller's context.
pub(crate) unsafe extern "C" fn close_async_default(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe { close_task(stream, priority, cancellable, owed.take(), data) };
        // SAFETY: a live instance of our class.
        let object: SocketConnection =
            unsafe { from_glib_none(stream.cast::<SocketConnectionInstance>()) };
        let cancellable = task.cancellable();
        object.imp().begin_async_close();
        let result = call_close(&object, cancellable.as_ref());
        answer_close(task, priority, object, result);
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

/// # Safety
///
/// The arguments of a `close_async` slot.
pub(crate) unsafe fn close_task(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) -> Task {
    // SAFETY: as the caller says.
    unsafe {
        Task::new(
            stream.cast(),
            cancellable,
            callback,
            data,
            &CLOSE,
            Answers::Nothing,
            priority,
        )
    }
}

/// Answers in the caller's context; `notify::closed` follows the callback.
fn answer_close(
    task: Task,
    priority: i32,
    object: SocketConnection,
    result: Result<(), glib::Error>,
) {
    let end = CloseEnd::new(object, task);
    spawn(
        &end.task.context(),
        glib::Priority::from(priority),
        async move { end.answer(result) },
    );
}

/// The end of an asynchronous close.
struct CloseEnd {
    task: Task,
    object: Owned<SocketConnection>,
}

impl CloseEnd {
    fn new(object: SocketConnection, task: Task) -> Self {
        Self {
            task,
            object: Owned::new(object),
        }
    }

    fn answer(self, result: Result<(), glib::Error>) {
        let Self { task, object } = self;
        let (context, cancellable) = (task.context(), task.cancellable());
        task.answer(result);
        if !object.get().is_closed() {
            // A class above this one has to answer too; one of ours tells then, right after it.
            return object.get().imp().notifier().look_for_closed();
        }
        if cancellable.is_some_and(|cancellable| cancellable.is_cancelled()) {
            // GIO's own task answers a cancelled caller by an idle source, attached just now: behind that
            // one in the same context.
            let source = Source::new(glib::Priority::DEFAULT, move |_| {
                tell_closed(object.get());
                false
            })
            .named(c"gsock close");
            source.set_ready_time(Some(0));
            source.attach(&context);
        } else {
            tell_closed(object.get());
        }
    }
}

fn tell_closed(object: &SocketConnection) {
    object.imp().notifier().tell(change::CLOSED);
}

/// Runs the waiting part of a close, which closes too; the socket is closed however that ends.
pub(crate) fn run_close(
    task: Task,
    priority: i32,
    object: SocketConnection,
    waiting: impl Future<Output = Result<(), glib::Error>> + 'static,
) {
    object.imp().begin_async_close();
    let context = task.context();
    let end = CloseEnd::new(object.clone(), task);
    let mut closing: UnitFuture = Box::pin(async move {
        let result = waiting.await;
        if !object.imp().is_ended() && !object.imp().was_close_called() {
            // Cancelled, failed or never meant to close: the blocking close's part is still to do,
            // and a cancelled caller does not wait in it. An override that was called and did not
            // chain up has had its turn: what it left open it wants open.
            let cancelled = gio::Cancellable::new();
            cancelled.cancel();
            let _ = call_close(&object, Some(&cancelled));
            object.imp().ensure_closed();
        }
        result
    });
    let begun = context.is_owner().then(|| {
        closing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    });
    if let Some(Poll::Ready(result)) = begun {
        drop(closing);
        return spawn(&context, glib::Priority::from(priority), async move {
            end.answer(result)
        });
    }
    let closing = if begun.is_some() {
        Local::here(closing)
    } else {
        // SAFETY: not polled yet: it holds GObjects and what the class' override captured, which
        // the C caller lets the owner of the context run.
        unsafe { Local::where_polled(closing) }
    };
    spawn(&context, glib::Priority::from(priority), async move {
        let result = closing.await;
        end.answer(result);
    });
}

/// A close begins even when it is cancelled from the start.
pub(crate) async fn first_then_cancelled(
    future: impl Future<Output = Result<(), glib::Error>>,
    cancellable: Option<gio::Cancellable>,
) -> Result<(), glib::Error> {
    let mut future = Box::pin(future);
    let begun = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    match begun {
        Poll::Ready(result) => result,
        Poll::Pending => until_cancelled(future, cancellable).await,
    }
}

pub(crate) unsafe extern "C" fn close_finish(
    stream: *mut gio_ffi::GIOStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: GIO's own arguments, passed on.
    let result = fenced(|| unsafe { finish(stream.cast(), result, &CLOSE) });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}
