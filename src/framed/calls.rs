//! The GAsyncResult form of the operations.

#![allow(unsafe_code, reason = "GTask as C sees it")]

use std::future::{Future, poll_fn};

use gio::{
    ffi::{GAsyncReadyCallback, GAsyncResult, GCancellable},
    prelude::*,
    subclass::prelude::*,
};
use glib::{
    Bytes,
    ffi::gpointer,
    translate::{ToGlibPtr, from_glib_none},
};

use super::{
    Framed,
    closing::Close,
    input::Want,
    operations::{Flush, Work, Write, poll},
    reading::Read,
};
use crate::{
    error,
    operation::{
        Answers, Tag, TagOf, Task, assert_owns_context, finish, finish_value, ready_callback,
    },
    reactor::{CancelWatch, spawn},
};

static READ_FRAME: TagOf<Option<Bytes>> = TagOf::new();
static READ_EXACT: TagOf<Option<Bytes>> = TagOf::new();
static WRITE_FRAME: Tag = Tag::new();
static FLUSH: Tag = Tag::new();
static CLOSE: Tag = Tag::new();

/// How C wants to be answered.
type Call = (*mut GCancellable, GAsyncReadyCallback, gpointer);

/// What can be asked for in this form.
#[doc(hidden)]
#[derive(Debug)]
pub enum FramedOperation {
    ReadFrame,
    ReadExact(usize),
    WriteFrame(Bytes),
    Flush,
    Close,
}

impl FramedOperation {
    fn tag(&self) -> &'static Tag {
        match self {
            Self::ReadFrame => READ_FRAME.tag(),
            Self::ReadExact(_) => READ_EXACT.tag(),
            Self::WriteFrame(_) => &WRITE_FRAME,
            Self::Flush => &FLUSH,
            Self::Close => &CLOSE,
        }
    }
}

impl Framed {
    /// Starts an operation on any thread.
    ///
    /// # Safety
    ///
    /// `cancellable` is a live cancellable or NULL, `callback` may be called with `data` in the thread-default context of
    /// now, and whoever owns that may use the stream.
    #[doc(hidden)]
    pub unsafe fn start(&self, operation: FramedOperation, (cancellable, callback, data): Call) {
        let kind = match operation {
            FramedOperation::ReadFrame | FramedOperation::ReadExact(_) => Answers::Value,
            _ => Answers::Nothing,
        };
        let tag = operation.tag();
        let object = self.as_ptr().cast();
        // SAFETY: a live object, and as the caller says.
        let task = unsafe { Task::new(object, cancellable, callback, data, tag, kind, 0) };
        // SAFETY: as the caller says.
        let cancellable: Option<gio::Cancellable> = unsafe { from_glib_none(cancellable) };
        let (context, core) = (task.context(), self.imp().core.clone());
        match operation {
            FramedOperation::ReadFrame => {
                let read = Read::new(&core, Want::Frame);
                run(&context, reading(read, cancellable), move |read| {
                    task.answer_value(&READ_FRAME, read);
                });
            }
            FramedOperation::ReadExact(count) => {
                let read = Read::new(&core, Want::Exactly(count));
                run(&context, reading(read, cancellable), move |read| {
                    task.answer_value(&READ_EXACT, read);
                });
            }
            FramedOperation::WriteFrame(frame) => {
                let work = Write::new(&core, frame);
                run(&context, working(work, cancellable), |done| {
                    task.answer(done)
                });
            }
            FramedOperation::Flush => {
                let work = Ok(Flush::new(&core));
                run(&context, working(work, cancellable), |done| {
                    task.answer(done)
                });
            }
            FramedOperation::Close => {
                let mut close = Close::new(&core);
                let mut cancel = cancellable.as_ref().map(CancelWatch::new);
                let closing = poll_fn(move |cx| close.poll(&mut cancel, cx));
                run(&context, closing, |done| task.answer(done));
            }
        }
    }

    /// Takes what a reading operation has come to.
    ///
    /// # Safety
    ///
    /// `result` is NULL or live.
    #[doc(hidden)]
    pub unsafe fn finish_reading(
        &self,
        is_exact: bool,
        result: *mut GAsyncResult,
    ) -> Result<Option<Bytes>, glib::Error> {
        let tag = if is_exact { &READ_EXACT } else { &READ_FRAME };
        // SAFETY: as the caller says.
        unsafe { finish_value(self.as_ptr().cast(), result, tag) }
    }

    /// Likewise of any other one; what is in `operation` does not matter.
    ///
    /// # Safety
    ///
    /// As there.
    #[doc(hidden)]
    pub unsafe fn finish_other(
        &self,
        operation: &FramedOperation,
        result: *mut GAsyncResult,
    ) -> Result<(), glib::Error> {
        // SAFETY: as the caller says.
        unsafe { finish(self.as_ptr().cast(), result, operation.tag()) }
    }

    /// Starts an operation, with a callback that is written in Rust.
    pub(super) fn begin(
        &self,
        operation: FramedOperation,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        assert_owns_context();
        let (callback, data) = ready_callback(callback);
        let cancellable = cancellable.map(AsRef::as_ref).to_glib_none().0;
        // SAFETY: live arguments; the callback and its data belong together, and look after their thread.
        unsafe { self.start(operation, (cancellable, callback, data)) };
    }

    pub(super) fn end(
        &self,
        operation: &FramedOperation,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<(), glib::Error> {
        // SAFETY: live arguments.
        unsafe { self.finish_other(operation, result.as_ref().to_glib_none().0) }
    }

    pub(super) fn end_reading(
        &self,
        is_exact: bool,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<Option<Bytes>, glib::Error> {
        // SAFETY: live arguments.
        unsafe { self.finish_reading(is_exact, result.as_ref().to_glib_none().0) }
    }
}

fn run<T: Send + 'static>(
    context: &glib::MainContext,
    future: impl Future<Output = T> + Send + 'static,
    done: impl FnOnce(T) + Send + 'static,
) {
    spawn(context, glib::Priority::DEFAULT, async move {
        done(future.await);
    });
}

/// A read, until it is cancelled, which takes nothing from the stream.
async fn reading(
    read: Result<Read, glib::Error>,
    cancellable: Option<gio::Cancellable>,
) -> Result<Option<Bytes>, glib::Error> {
    let mut read = read?;
    let mut cancel = cancellable.as_ref().map(CancelWatch::new);
    poll_fn(move |cx| {
        if let Some(cancel) = &mut cancel {
            cancel.wake(cx.waker());
            if cancel.is_cancelled() {
                return std::task::Poll::Ready(Err(read.cancelled()));
            }
        }
        read.poll(cx)
    })
    .await
}

async fn working<W: Work>(
    work: Result<W, glib::Error>,
    cancellable: Option<gio::Cancellable>,
) -> Result<(), glib::Error> {
    let mut work = work?;
    let mut cancel = cancellable.as_ref().map(CancelWatch::new);
    poll_fn(move |cx| poll(&mut work, &mut cancel, cx)).await
}

impl Read {
    /// A closed one says so to a cancelled caller, too.
    pub(super) fn cancelled(&self) -> glib::Error {
        if self.is_closed() {
            super::core::closed()
        } else {
            error::cancelled()
        }
    }
}
