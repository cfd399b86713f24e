//! Where C is called in its own terms: tasks, and enumerators that may be missing or borrowed from.

#![allow(
    unsafe_code,
    reason = "GTask as C sees it, and a look at a class of GIO's"
)]

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::gpointer,
    translate::{IntoGlib, ToGlibPtr, from_glib_full},
};

use super::{
    SocketClient, blocking,
    report::{ConnectReport, ConnectReportExt},
    run::{Ended, Form, Run},
};
use crate::{
    SocketConnection,
    operation::{Answers, TagOf, Task, assert_owns_context, finish_value, ready_callback},
    reactor::{Local, spawn},
    vfunc::Owned,
};

/// One for all four operations: each finish takes the results of all, as in GIO.
static CONNECT: TagOf<Owned<SocketConnection>> = TagOf::new();

type Reported = Result<Owned<SocketConnection>, (glib::Error, ConnectReport)>;

/// Of the operation whose failure has a report.
static CONNECT_WITH_REPORT: TagOf<Reported> = TagOf::new();

/// As C starts an operation.
type Call = (
    *mut gio_ffi::GCancellable,
    gio_ffi::GAsyncReadyCallback,
    gpointer,
);

impl SocketClient {
    /// Starts to connect on any thread; what could not be parsed is an error to answer. For the C face.
    ///
    /// # Safety
    ///
    /// `cancellable` is a live cancellable or NULL, and `callback` may be called with `data` in the
    /// thread-default context of now.
    #[doc(hidden)]
    pub unsafe fn start(
        &self,
        connectable: Result<gio::SocketConnectable, glib::Error>,
        cancellable: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        let answer = |ended: Ended| ended.map(Owned::new).map_err(|(failure, _)| failure);
        let call = (cancellable, callback, data);
        // SAFETY: as the caller says.
        unsafe { self.begin(&CONNECT, answer, connectable, call) };
    }

    /// What a URI says to connect to. For the C face.
    ///
    /// # Errors
    ///
    /// Those of [`connect_to_uri`](super::SocketClientExt::connect_to_uri) for one that cannot be read.
    #[doc(hidden)]
    pub fn aim_at_uri(uri: &str, default_port: u16) -> Result<gio::SocketConnectable, glib::Error> {
        super::aim_at_uri(uri, default_port)
    }

    /// The same for an operation that answers what a failure took, too.
    ///
    /// # Safety
    ///
    /// As of [`start`](Self::start).
    #[doc(hidden)]
    pub unsafe fn start_with_report(
        &self,
        connectable: gio::SocketConnectable,
        cancellable: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        let answer = |ended: Ended| Ok(ended.map(Owned::new));
        let call = (cancellable, callback, data);
        // SAFETY: as the caller says.
        unsafe { self.begin(&CONNECT_WITH_REPORT, answer, Ok(connectable), call) };
    }

    /// # Safety
    ///
    /// As of [`start`](Self::start).
    unsafe fn begin<T: Send + 'static>(
        &self,
        tag: &'static TagOf<T>,
        answer: fn(Ended) -> Result<T, glib::Error>,
        connectable: Result<gio::SocketConnectable, glib::Error>,
        (cancellable, callback, data): Call,
    ) {
        // SAFETY: a live object, and as the caller says.
        let task = unsafe {
            Task::new(
                self.as_ptr().cast(),
                cancellable,
                callback,
                data,
                tag.tag(),
                Answers::Value,
                0,
            )
        };
        let connectable = match connectable {
            Ok(connectable) => connectable,
            Err(failure) => return task.answer_value(tag, Err(failure)),
        };
        let mut run = Run::new(self, connectable, task.cancellable(), Form::Asynchronous);
        // Now, as in GIO, where it is seen by those only who are connected before the call.
        run.begin();
        // SAFETY: nothing was polled yet: it holds GObjects only.
        let run = unsafe { Local::where_polled(run.drive()) };
        spawn(&task.context(), glib::Priority::DEFAULT, async move {
            task.answer_value(tag, answer(run.await));
        });
    }

    /// Takes the outcome of [`start_with_report`](Self::start_with_report). For the C face.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for anything but a result of that which was not taken yet.
    #[doc(hidden)]
    pub fn finish_with_report(
        &self,
        result: &gio::AsyncResult,
    ) -> Result<(ConnectReport, Option<SocketConnection>), glib::Error> {
        let (client, result) = (self.as_ptr().cast(), result.to_glib_none().0);
        // SAFETY: live arguments.
        let ended = unsafe { finish_value(client, result, &CONNECT_WITH_REPORT)? };
        Ok(reported(ended.map(|made| made.get().clone())))
    }

    /// Connects, blocking, and tells what it took, whatever comes of it. For the C face.
    #[doc(hidden)]
    pub fn block_with_report(
        &self,
        connectable: &gio::SocketConnectable,
        cancellable: Option<&gio::Cancellable>,
    ) -> (ConnectReport, Option<SocketConnection>) {
        let (connectable, cancellable) = (connectable.clone(), cancellable.cloned());
        let run = Run::new(self, connectable, cancellable, Form::Blocking);
        reported(blocking::block(run))
    }
}

fn reported(ended: Ended) -> (ConnectReport, Option<SocketConnection>) {
    match ended {
        // Any that was made has one.
        Ok(made) => (made.connect_report().unwrap_or_default(), Some(made)),
        Err((_, report)) => (report, None),
    }
}

/// Starts to connect, with a callback that is written in Rust.
pub(super) fn start<O: IsA<SocketClient>>(
    object: &O,
    connectable: Result<gio::SocketConnectable, glib::Error>,
    cancellable: Option<&gio::Cancellable>,
    callback: impl FnOnce(&O, &gio::AsyncResult) + 'static,
) {
    assert_owns_context();
    let (callback, data) = ready_callback(callback);
    // SAFETY: live arguments; the callback and its data belong together, and look after their thread.
    unsafe {
        object
            .upcast_ref()
            .start(connectable, cancellable.to_glib_none().0, callback, data);
    }
}

pub(super) fn finish(
    object: &SocketClient,
    result: &gio::AsyncResult,
) -> Result<SocketConnection, glib::Error> {
    // SAFETY: live arguments.
    let made = unsafe { finish_value(object.as_ptr().cast(), result.to_glib_none().0, &CONNECT) };
    made.map(|connection| connection.get().clone())
}

/// The enumerator of a connectable, for a proxy or none; none where the connectable breaks its promise.
pub(super) fn enumerate(
    connectable: &gio::SocketConnectable,
    with_proxies: bool,
) -> Option<gio::SocketAddressEnumerator> {
    let connectable: *mut gio_ffi::GSocketConnectable = connectable.to_glib_none().0;
    let enumerate = if with_proxies {
        gio_ffi::g_socket_connectable_proxy_enumerate
    } else {
        gio_ffi::g_socket_connectable_enumerate
    };
    // SAFETY: a live connectable.
    let enumerator = unsafe { enumerate(connectable) };
    // SAFETY: a full reference or NULL.
    unsafe { from_glib_full(enumerator) }
}

/// Whether the connectable itself says which proxies lead to it. GIO enumerates those that do not as if there were none.
pub(super) fn knows_proxies(connectable: &gio::SocketConnectable) -> bool {
    let class = std::ptr::from_ref(connectable.object_class()).cast_mut();
    let type_ = gio::SocketConnectable::static_type();
    // SAFETY: the class of an object that implements the interface.
    let iface = unsafe {
        glib::gobject_ffi::g_type_interface_peek(class.cast(), type_.into_glib())
            .cast::<gio_ffi::GSocketConnectableIface>()
    };
    // SAFETY: NULL or what the type has for this interface, for as long as there is the type.
    unsafe { iface.as_ref() }.is_some_and(|iface| iface.proxy_enumerate.is_some())
}

type NextAsync = unsafe extern "C" fn(
    *mut gio_ffi::GSocketAddressEnumerator,
    *mut gio_ffi::GCancellable,
    gio_ffi::GAsyncReadyCallback,
    gpointer,
);

/// Whether the class does something else for `next_async()` than to call `next()`, as GIO does by default.
pub(super) fn has_async_next(enumerator: &gio::SocketAddressEnumerator) -> bool {
    let base = glib::Class::<gio::SocketAddressEnumerator>::from_type(
        gio::SocketAddressEnumerator::static_type(),
    );
    let own = slot(enumerator.object_class());
    let default = base.as_ref().and_then(|base| slot(base.upcast_ref()));
    match (own, default) {
        (Some(own), Some(default)) => !std::ptr::fn_addr_eq(own, default),
        _ => false,
    }
}

fn slot(class: &glib::Class<glib::Object>) -> Option<NextAsync> {
    let class = std::ptr::from_ref(class).cast::<gio_ffi::GSocketAddressEnumeratorClass>();
    // SAFETY: the class of an enumerator, or the base class itself, which both begin with this struct.
    unsafe { (*class).next_async }
}
