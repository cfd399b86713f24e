//! The GAsyncResult form of the operations. No class slot is behind them: C calls [`UnixConnection::start`].

#![allow(unsafe_code, reason = "GTask as C sees it")]

use std::os::fd::{BorrowedFd, OwnedFd};

use gio::{prelude::*, subclass::prelude::*};
use glib::{ffi::gpointer, object::IsA, translate::ToGlibPtr};

use super::{
    UnixConnection,
    ancillary::{Cargo, Sender},
};
use crate::{
    operation::{
        Answers, Attempt, Drive, Tag, TagOf, Task, assert_owns_context, finish, finish_value,
        ready_callback,
    },
    reactor::spawn,
    transport::Transport,
};

static SEND_FD: Tag = Tag::new();
static SEND_FDS: Tag = Tag::new();
static SEND_CREDENTIALS: Tag = Tag::new();
static RECEIVE_FD: TagOf<OwnedFd> = TagOf::new();
static RECEIVE_FDS: TagOf<Vec<OwnedFd>> = TagOf::new();
static RECEIVE_CREDENTIALS: TagOf<Sender> = TagOf::new();

/// An operation to start. For the C face.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum UnixOperation<'a> {
    SendFd(BorrowedFd<'a>),
    SendFds(&'a [BorrowedFd<'a>]),
    SendCredentials,
    ReceiveFd,
    ReceiveFds(usize),
    ReceiveCredentials,
}

impl UnixOperation<'_> {
    fn tag(self) -> &'static Tag {
        match self {
            Self::SendFd(_) => &SEND_FD,
            Self::SendFds(_) => &SEND_FDS,
            Self::SendCredentials => &SEND_CREDENTIALS,
            Self::ReceiveFd => RECEIVE_FD.tag(),
            Self::ReceiveFds(_) => RECEIVE_FDS.tag(),
            Self::ReceiveCredentials => RECEIVE_CREDENTIALS.tag(),
        }
    }

    fn answers(self) -> Answers {
        match self {
            Self::SendFd(_) | Self::SendFds(_) | Self::SendCredentials => Answers::Nothing,
            Self::ReceiveFd | Self::ReceiveFds(_) | Self::ReceiveCredentials => Answers::Value,
        }
    }
}

impl UnixConnection {
    /// Starts an operation on any thread; descriptors to send are duplicated before it returns. For the C face.
    ///
    /// # Safety
    ///
    /// `cancellable` is a live cancellable or NULL, and `callback` may be called with `data` in the
    /// thread-default context of now.
    #[doc(hidden)]
    pub unsafe fn start(
        &self,
        operation: UnixOperation<'_>,
        cancellable: *mut gio::ffi::GCancellable,
        callback: gio::ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        let object: *mut glib::gobject_ffi::GObject =
            self.upcast_ref::<glib::Object>().to_glib_none().0;
        // SAFETY: a live object, and as the caller says.
        let task = unsafe {
            Task::new(
                object,
                cancellable,
                callback,
                data,
                operation.tag(),
                operation.answers(),
                0,
            )
        };
        let imp = self.imp();
        let transport = imp.transport();
        match operation {
            UnixOperation::SendFd(fd) => {
                let cargo = Cargo::of_duplicates(&[fd]);
                run(task, &transport, cargo.map(|it| imp.send(it)), Task::answer);
            }
            UnixOperation::SendFds(fds) => {
                let cargo = Cargo::of_duplicates(fds);
                run(task, &transport, cargo.map(|it| imp.send(it)), Task::answer);
            }
            UnixOperation::SendCredentials => {
                let cargo = Cargo::of_credentials();
                run(task, &transport, cargo.map(|it| imp.send(it)), Task::answer);
            }
            UnixOperation::ReceiveFd => {
                let answer = |task: Task, result| task.answer_value(&RECEIVE_FD, result);
                run(task, &transport, Ok(imp.receive_fd()), answer);
            }
            UnixOperation::ReceiveFds(most) => {
                let answer = |task: Task, result| task.answer_value(&RECEIVE_FDS, result);
                run(task, &transport, imp.receive_fds(most), answer);
            }
            UnixOperation::ReceiveCredentials => {
                let answer = |task: Task, result| task.answer_value(&RECEIVE_CREDENTIALS, result);
                run(task, &transport, Ok(imp.receive_credentials()), answer);
            }
        }
    }
}

/// In a dispatch of the task's context, so that what is cancelled before has done nothing.
fn run<A: Attempt<Output: Send> + Send + 'static>(
    task: Task,
    transport: &Transport,
    operation: Result<A, glib::Error>,
    answer: impl FnOnce(Task, Result<A::Output, glib::Error>) + Send + 'static,
) {
    let operation = match operation {
        Ok(operation) => operation,
        Err(failure) => return answer(task, Err(failure)),
    };
    // A closed connection says so to a cancelled caller too.
    let cancellable = task.cancellable().filter(|_| !transport.is_closed());
    let driven = Drive::new(operation, cancellable.as_ref());
    spawn(&task.context(), glib::Priority::DEFAULT, async move {
        let result = driven.await;
        answer(task, result);
    });
}

/// Starts an operation whose callback is written in Rust.
pub(super) fn start<O: IsA<UnixConnection>>(
    object: &O,
    operation: UnixOperation<'_>,
    cancellable: Option<&impl IsA<gio::Cancellable>>,
    callback: impl FnOnce(&O, &gio::AsyncResult) + 'static,
) {
    assert_owns_context();
    let (callback, data) = ready_callback(callback);
    let cancellable = cancellable.map(AsRef::as_ref);
    // SAFETY: live arguments; the callback and its data belong together, and look after their thread.
    unsafe {
        object
            .upcast_ref()
            .start(operation, cancellable.to_glib_none().0, callback, data);
    }
}

macro_rules! finishers {
    ($($name:ident: $finish:ident($tag:expr) -> $value:ty;)*) => {$(
        pub(super) fn $name(
            object: &UnixConnection,
            result: &gio::AsyncResult,
        ) -> Result<$value, glib::Error> {
            let object: *mut glib::gobject_ffi::GObject =
                object.upcast_ref::<glib::Object>().to_glib_none().0;
            // SAFETY: live arguments.
            unsafe { $finish(object, result.to_glib_none().0, $tag) }
        }
    )*};
}

finishers! {
    finish_send_fd: finish(&SEND_FD) -> ();
    finish_send_fds: finish(&SEND_FDS) -> ();
    finish_send_credentials: finish(&SEND_CREDENTIALS) -> ();
    finish_receive_fd: finish_value(&RECEIVE_FD) -> OwnedFd;
    finish_receive_fds: finish_value(&RECEIVE_FDS) -> Vec<OwnedFd>;
    finish_receive_credentials: finish_value(&RECEIVE_CREDENTIALS) -> Sender;
}
