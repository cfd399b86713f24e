//! Deriving from [`SocketConnection`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    future::Future,
    pin::{Pin, pin},
    ptr,
    task::{Context, Poll, Waker},
};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    translate::{
        FromGlibContainerAsVec, FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib, from_glib_full,
        from_glib_none,
    },
};

use super::structs::{SocketConnectionClass, SocketConnectionInstance};
use crate::{
    SocketConnection,
    home::change,
    operation::{
        Answers, Drive, Tag, Task, assert_owns_context, block, finish, ready_callback,
        until_cancelled,
    },
    reactor::{Local, spawn},
    socket_connection::imp,
    transport::{Connect, NativeAddress},
    vfunc::{Owned, boolean, fenced, fenced_future},
};

/// What a future of this crate's class slots resolves to.
pub type UnitFuture = Pin<Box<dyn Future<Output = Result<(), glib::Error>> + 'static>>;

/// What a type deriving from [`SocketConnection`] may override.
///
/// The streams and the blocking close are those of [`IOStreamImpl`]: `input_stream` and
/// `output_stream` are called once for each object and may wrap what the parent's return, and an
/// asynchronous close calls an overridden `close` too, on the caller's context.
pub trait SocketConnectionImpl: IOStreamImpl + ObjectSubclass<Type: IsA<SocketConnection>> {
    /// Called for every blocking connect. Optional; by default the parent connects.
    ///
    /// Override it together with [`connect_future`](Self::connect_future).
    fn connect(
        &self,
        address: &gio::SocketAddress,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        self.parent_connect(address, cancellable)
    }

    /// Called for every connect that does not block, in either form; dropping the future must
    /// cancel it. Optional; by default the parent connects.
    fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
        self.parent_connect_future(address)
    }

    /// Called for every asynchronous close; a cancellation drops the future, and the socket is
    /// closed all the same. Optional; by default the parent closes, which calls the object's
    /// blocking `close` unless there is something to wait for.
    fn close_future(&self, priority: glib::Priority) -> UnitFuture {
        self.parent_close_future(priority)
    }
}

/// The parent's implementations.
pub trait SocketConnectionImplExt: SocketConnectionImpl {
    /// What the parent class does for [`connect`](SocketConnectionImpl::connect).
    fn parent_connect(
        &self,
        address: &gio::SocketAddress,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        call_connect(
            parent_class_of::<Self>(),
            self.obj().upcast_ref(),
            address,
            cancellable,
        )
    }

    /// What the parent class does for [`connect_future`](SocketConnectionImpl::connect_future).
    fn parent_connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
        call_connect_future(parent_class_of::<Self>(), self.obj().upcast_ref(), address)
    }

    /// What the parent class does for [`close_future`](SocketConnectionImpl::close_future).
    fn parent_close_future(&self, priority: glib::Priority) -> UnitFuture {
        call_close_future(parent_class_of::<Self>(), self.obj().upcast_ref(), priority)
    }
}

impl<T: SocketConnectionImpl> SocketConnectionImplExt for T {}

// SAFETY: the slots set below are those of the class struct that `T`'s begins with, and their
// functions treat instances as `T`'s.
unsafe impl<T: SocketConnectionImpl> IsSubclassable<T> for SocketConnection {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);

        let class = class.as_mut();
        class.connect = Some(connect::<T>);
        class.connect_async = Some(connect_async::<T>);
        class.connect_finish = Some(connect_finish);
        // gio-rs' own trampolines for these two are not fit for threads, and refuse a stream that
        // wraps the parent's.
        class.parent_class.get_input_stream = Some(get_input_stream::<T>);
        class.parent_class.get_output_stream = Some(get_output_stream::<T>);
        class.parent_class.close_fn = Some(close::<T>);
        class.parent_class.close_async = Some(close_async::<T>);
        class.parent_class.close_finish = Some(close_finish);
    }
}

/// Sets the slots of the class itself.
pub(crate) fn fill_class(class: &mut SocketConnectionClass) {
    class.connect = Some(connect_default);
    class.connect_async = Some(connect_async_default);
    class.connect_finish = Some(connect_finish);
    class.parent_class.get_input_stream = Some(get_input_stream::<imp::SocketConnection>);
    class.parent_class.get_output_stream = Some(get_output_stream::<imp::SocketConnection>);
    class.parent_class.close_fn = Some(close::<imp::SocketConnection>);
    class.parent_class.close_async = Some(close_async_default);
    class.parent_class.close_finish = Some(close_finish);
    class.parent_class.parent_class.dispose = Some(dispose);
}

/// Gives a class of this crate its parent's slots back, in place of the trampolines of a third
/// party's: there is no override to call.
pub(crate) fn inherit_slots(class: &mut SocketConnectionClass) {
    // SAFETY: the class struct of a registered type.
    let parent =
        unsafe { glib::gobject_ffi::g_type_class_peek_parent(ptr::from_mut(class).cast()) };
    // SAFETY: called from the class_init of a type derived from our class.
    let parent = unsafe { &*parent.cast::<SocketConnectionClass>() };
    class.connect = parent.connect;
    class.connect_async = parent.connect_async;
    class.connect_finish = parent.connect_finish;
    class.parent_class.get_input_stream = parent.parent_class.get_input_stream;
    class.parent_class.get_output_stream = parent.parent_class.get_output_stream;
    class.parent_class.close_async = parent.parent_class.close_async;
    class.parent_class.close_finish = parent.parent_class.close_finish;
}

// SAFETY: `SocketConnectionClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for SocketConnectionClass {
    type Type = imp::SocketConnection;
}

// SAFETY: `SocketConnectionInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for SocketConnectionInstance {
    type Type = imp::SocketConnection;
}

static CONNECT: Tag = Tag::new();
static CLOSE: Tag = Tag::new();

// --- Calling the slots ---------------------------------------------------------------------------

/// The class of an object, for calls of its own slots.
pub(crate) fn class_of(object: &SocketConnection) -> &'static SocketConnectionClass {
    let instance: *mut SocketConnectionInstance = object.to_glib_none().0;
    // SAFETY: an instance begins with a pointer to its class.
    let class = unsafe { *instance.cast::<*const SocketConnectionClass>() };
    // SAFETY: a class that has had an instance is not unloaded.
    unsafe { &*class }
}

fn parent_class_of<T: SocketConnectionImpl>() -> &'static SocketConnectionClass {
    // SAFETY: initialised with the type, which the caller has an instance of.
    let data = unsafe { T::type_data().as_ref() };
    // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
    unsafe { &*data.parent_class().cast::<SocketConnectionClass>() }
}

pub(crate) fn call_connect(
    class: &SocketConnectionClass,
    object: &SocketConnection,
    address: &gio::SocketAddress,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let slot = class.connect.unwrap_or(connect_default);
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        slot(
            object.to_glib_none().0,
            address.to_glib_none().0,
            cancellable.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

/// # Safety
///
/// `failure` is NULL or an error that is ours to free.
unsafe fn outcome(done: gboolean, failure: *mut GError) -> Result<(), glib::Error> {
    if !failure.is_null() {
        // SAFETY: as the caller says.
        return Err(unsafe { from_glib_full(failure) });
    }
    // SAFETY: a gboolean.
    if unsafe { from_glib(done) } {
        return Ok(());
    }
    Err(crate::error::failed(
        "The operation failed without saying why",
    ))
}

/// `callback` runs in the thread-default context of now; see [`ready_callback`].
pub(crate) fn call_connect_async<O, F>(
    object: &O,
    address: &gio::SocketAddress,
    cancellable: Option<&gio::Cancellable>,
    callback: F,
) where
    O: IsA<SocketConnection>,
    F: FnOnce(&O, &gio::AsyncResult) + 'static,
{
    let class = class_of(object.upcast_ref());
    let (callback, data) = ready_callback::<O, F>(callback);
    let slot = class.connect_async.unwrap_or(connect_async_default);
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        slot(
            object.upcast_ref::<SocketConnection>().to_glib_none().0,
            address.to_glib_none().0,
            cancellable.to_glib_none().0,
            callback,
            data,
        );
    }
}

pub(crate) fn call_connect_finish(
    class: &SocketConnectionClass,
    object: &SocketConnection,
    result: &gio::AsyncResult,
) -> Result<(), glib::Error> {
    let slot = class.connect_finish.unwrap_or(connect_finish);
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        slot(
            object.to_glib_none().0,
            result.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

pub(crate) fn call_connect_future(
    class: &'static SocketConnectionClass,
    object: &SocketConnection,
    address: &gio::SocketAddress,
) -> UnitFuture {
    let overridden = class
        .connect_async
        .is_some_and(|slot| !ptr::fn_addr_eq(slot, connect_async_default as ConnectAsync));
    if !overridden {
        return Box::pin(connect_future_default(object.clone(), address.clone()));
    }
    let address = address.clone();
    Box::pin(gio::GioFuture::new(
        object,
        move |object, cancellable, send| {
            let slot = class.connect_async.unwrap_or(connect_async_default);
            let (callback, data) = ready_callback(move |object: &SocketConnection, result| {
                send.resolve(call_connect_finish(class, object, result));
            });
            // SAFETY: live arguments; the callback and its data belong together.
            unsafe {
                slot(
                    object.to_glib_none().0,
                    address.to_glib_none().0,
                    cancellable.to_glib_none().0,
                    callback,
                    data,
                );
            }
        },
    ))
}

type ConnectAsync = unsafe extern "C" fn(
    *mut SocketConnectionInstance,
    *mut gio_ffi::GSocketAddress,
    *mut gio_ffi::GCancellable,
    gio_ffi::GAsyncReadyCallback,
    gpointer,
);

fn call_close_future(
    class: &'static SocketConnectionClass,
    object: &SocketConnection,
    priority: glib::Priority,
) -> UnitFuture {
    Box::pin(gio::GioFuture::new(
        object,
        move |object, cancellable, send| {
            let slot = class
                .parent_class
                .close_async
                .unwrap_or(close_async_default);
            let (callback, data) = ready_callback(move |object: &SocketConnection, result| {
                send.resolve(call_close_finish(class, object, result));
            });
            let stream: *mut SocketConnectionInstance = object.to_glib_none().0;
            // SAFETY: live arguments; the callback and its data belong together.
            unsafe {
                slot(
                    stream.cast(),
                    priority.into_glib(),
                    cancellable.to_glib_none().0,
                    callback,
                    data,
                );
            }
        },
    ))
}

fn call_close_finish(
    class: &SocketConnectionClass,
    object: &SocketConnection,
    result: &gio::AsyncResult,
) -> Result<(), glib::Error> {
    let slot = class.parent_class.close_finish.unwrap_or(close_finish);
    let stream: *mut SocketConnectionInstance = object.to_glib_none().0;
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe { slot(stream.cast(), result.to_glib_none().0, &raw mut failure) };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

/// The blocking close of the object's own class.
pub(crate) fn call_close(
    object: &SocketConnection,
    cancellable: Option<&gio::Cancellable>,
) -> Result<(), glib::Error> {
    let slot = class_of(object)
        .parent_class
        .close_fn
        .unwrap_or(close::<imp::SocketConnection>);
    let stream: *mut SocketConnectionInstance = object.to_glib_none().0;
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments.
    let done = unsafe {
        slot(
            stream.cast(),
            cancellable.to_glib_none().0,
            &raw mut failure,
        )
    };
    // SAFETY: as the slot's contract says.
    unsafe { outcome(done, failure) }
}

// --- The class's own slots -----------------------------------------------------------------------

unsafe extern "C" fn connect_default(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: live arguments, for the time of the call.
    let (object, address, cancellable) = unsafe { borrow(instance, address, cancellable) };
    let result = NativeAddress::from_gio(&address).and_then(|native| {
        block(
            Connect::new(object.imp().transport(), native),
            cancellable.as_ref().as_ref(),
        )
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn connect_async_default(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    // SAFETY: the caller's arguments, passed on.
    let task = unsafe {
        Task::new(
            instance.cast(),
            cancellable,
            callback,
            data,
            &CONNECT,
            Answers::Nothing,
            0,
        )
    };
    // SAFETY: live arguments, for the time of the call.
    let (object, address, cancellable) = unsafe { borrow(instance, address, cancellable) };
    let transport = object.imp().transport();
    transport.clear_blocking();
    let native = match NativeAddress::from_gio(&address) {
        Ok(native) => native,
        Err(failure) => return task.answer(Err(failure)),
    };
    let mut connecting = Drive::new(
        Connect::new(transport, native),
        cancellable.as_ref().as_ref(),
    );
    // Begins now; an answer that is there at once is delivered by the context all the same.
    match pin!(&mut connecting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => task.answer(result),
        Poll::Pending => spawn(&task.context(), glib::Priority::DEFAULT, async move {
            let result = connecting.await;
            task.answer(result);
        }),
    }
}

async fn connect_future_default(
    object: SocketConnection,
    address: gio::SocketAddress,
) -> Result<(), glib::Error> {
    assert_owns_context();
    let transport = object.imp().transport();
    transport.clear_blocking();
    let native = NativeAddress::from_gio(&address)?;
    Drive::new(Connect::new(transport, native), None).await
}

unsafe extern "C" fn connect_finish(
    instance: *mut SocketConnectionInstance,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: the caller's arguments, passed on.
    let result = unsafe { finish(instance.cast(), result, &CONNECT) };
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

/// Closes at once, by the object's own blocking close, and answers in the caller's context.
pub(crate) unsafe extern "C" fn close_async_default(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    // SAFETY: GIO's own arguments, passed on.
    let task = unsafe { close_task(stream, priority, cancellable, callback, data) };
    // SAFETY: a live instance of our class.
    let object: SocketConnection =
        unsafe { from_glib_none(stream.cast::<SocketConnectionInstance>()) };
    let cancellable = task.cancellable();
    object.imp().begin_async_close();
    let result = call_close(&object, cancellable.as_ref());
    answer_close(task, priority, object, result);
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
            // GIO's own task answers a cancelled caller by an idle source, attached just now.
            spawn(&context, glib::Priority::DEFAULT, async move {
                tell_closed(object.get())
            });
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
        if !object.imp().is_ended() {
            // Cancelled, failed or never meant to close: the blocking close's part is still to do,
            // and a cancelled caller does not wait in it.
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
async fn first_then_cancelled(
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

unsafe extern "C" fn close_finish(
    stream: *mut gio_ffi::GIOStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: GIO's own arguments, passed on.
    let result = unsafe { finish(stream.cast(), result, &CLOSE) };
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

/// The last reference is gone. At home, or without handlers that only home may drop, the object
/// goes too; elsewhere it first travels home, its socket let go of at once.
unsafe extern "C" fn dispose(object: *mut glib::gobject_ffi::GObject) {
    // SAFETY: a live instance of our class.
    let this =
        unsafe { SocketConnection::from_glib_borrow(object.cast::<SocketConnectionInstance>()) };
    this.imp().begin_dispose();
    if !this.imp().notifier().is_home() && has_handlers(&this) {
        this.imp().let_go();
        // SAFETY: GObject lets a dispose take a reference and keep the object.
        let kept: SocketConnection =
            unsafe { from_glib_none(object.cast::<SocketConnectionInstance>()) };
        return this.imp().notifier().release_at_home(kept.upcast());
    }
    // SAFETY: a type function without arguments.
    let parent = unsafe { gio_ffi::g_io_stream_get_type() };
    // SAFETY: initialised with our class, and never unloaded.
    let parent = unsafe { glib::gobject_ffi::g_type_class_peek(parent) };
    // SAFETY: the class struct of GIOStream begins with that of GObject.
    let parent = unsafe { &*parent.cast::<glib::gobject_ffi::GObjectClass>() };
    if let Some(dispose) = parent.dispose {
        // SAFETY: the slot's own contract: a live object.
        unsafe { dispose(object) };
    }
}

/// Whether any handler of any signal is connected.
fn has_handlers(object: &SocketConnection) -> bool {
    let mut type_ = Some(object.type_());
    while let Some(of) = type_ {
        let mut count = 0;
        // SAFETY: the array is ours to free.
        let ids = unsafe { glib::gobject_ffi::g_signal_list_ids(of.into_glib(), &raw mut count) };
        // SAFETY: as many numbers as said.
        let ids = unsafe { u32::from_glib_full_num_as_vec(ids, count as usize) };
        if ids.into_iter().any(|id| has_handler_of(object, id)) {
            return true;
        }
        type_ = of.parent();
    }
    false
}

fn has_handler_of(object: &SocketConnection, signal: u32) -> bool {
    let instance: *mut SocketConnectionInstance = object.to_glib_none().0;
    // SAFETY: a live object and a signal of its type; only the signal is compared.
    let handler = unsafe {
        glib::gobject_ffi::g_signal_handler_find(
            instance.cast(),
            glib::gobject_ffi::G_SIGNAL_MATCH_ID,
            signal,
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    handler != 0
}

// --- Trampolines ---------------------------------------------------------------------------------

type Borrowed<T> = glib::translate::Borrowed<T>;

/// # Safety
///
/// The arguments of a connect slot; what comes back lives no longer than they do.
unsafe fn borrow(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
) -> (
    Borrowed<SocketConnection>,
    Borrowed<gio::SocketAddress>,
    Borrowed<Option<gio::Cancellable>>,
) {
    // SAFETY: as the caller says.
    let object = unsafe { SocketConnection::from_glib_borrow(instance) };
    // SAFETY: likewise.
    let address = unsafe { gio::SocketAddress::from_glib_borrow(address) };
    // SAFETY: likewise.
    let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
    (object, address, cancellable)
}

/// # Safety
///
/// `instance` is a live instance of `T`.
unsafe fn imp_of<'a, T: SocketConnectionImpl>(instance: gpointer) -> &'a T {
    // SAFETY: as the caller says.
    unsafe { &*instance.cast::<T::Instance>() }.imp()
}

unsafe extern "C" fn connect<T: SocketConnectionImpl>(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: called on instances of `T`.
    let imp = unsafe { imp_of::<T>(instance.cast()) };
    // SAFETY: live arguments, for the time of the call.
    let (_, address, cancellable) = unsafe { borrow(instance, address, cancellable) };
    let result = fenced(|| imp.connect(&address, cancellable.as_ref().as_ref()));
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn connect_async<T: SocketConnectionImpl>(
    instance: *mut SocketConnectionInstance,
    address: *mut gio_ffi::GSocketAddress,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    // SAFETY: the caller's arguments, passed on.
    let task = unsafe {
        Task::new(
            instance.cast(),
            cancellable,
            callback,
            data,
            &CONNECT,
            Answers::Nothing,
            0,
        )
    };
    // SAFETY: live arguments.
    let object: SocketConnection = unsafe { from_glib_none(instance) };
    // SAFETY: live arguments.
    let address: gio::SocketAddress = unsafe { from_glib_none(address) };
    let (context, cancellable) = (task.context(), task.cancellable());
    let connecting = async move {
        // SAFETY: the slot is called on instances of `T`, and `object` keeps it alive.
        let imp = unsafe { imp_of::<T>(object.as_ptr().cast()) };
        let connecting = fenced(|| Ok(imp.connect_future(&address)))?;
        until_cancelled(fenced_future(connecting), cancellable).await
    };
    let connecting = Box::pin(connecting);
    // SAFETY: not polled yet: it holds GObjects only.
    let connecting = unsafe { Local::where_polled(connecting) };
    spawn(&context, glib::Priority::DEFAULT, async move {
        let result = connecting.await;
        task.answer(result);
    });
}

unsafe extern "C" fn get_input_stream<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GInputStream {
    // SAFETY: called on instances of `T`.
    let imp = unsafe { imp_of::<T>(stream.cast()) };
    // SAFETY: a live instance, for the time of the call.
    let object =
        unsafe { SocketConnection::from_glib_borrow(stream.cast::<SocketConnectionInstance>()) };
    let own = || object.imp().make_input_stream();
    let found = object.imp().streams().get(T::type_(), own, || {
        fenced(|| Ok(imp.input_stream())).unwrap_or_else(|_| own())
    });
    // Borrowed from the object, which keeps it for its whole life.
    found.to_glib_none().0
}

unsafe extern "C" fn get_output_stream<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GOutputStream {
    // SAFETY: called on instances of `T`.
    let imp = unsafe { imp_of::<T>(stream.cast()) };
    // SAFETY: a live instance, for the time of the call.
    let object =
        unsafe { SocketConnection::from_glib_borrow(stream.cast::<SocketConnectionInstance>()) };
    let own = || object.imp().make_output_stream();
    let found = object.imp().streams().get(T::type_(), own, || {
        fenced(|| Ok(imp.output_stream())).unwrap_or_else(|_| own())
    });
    // Borrowed from the object, which keeps it for its whole life.
    found.to_glib_none().0
}

unsafe extern "C" fn close<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
    cancellable: *mut gio_ffi::GCancellable,
    out: *mut *mut GError,
) -> gboolean {
    // SAFETY: called on instances of `T`.
    let imp = unsafe { imp_of::<T>(stream.cast()) };
    // SAFETY: a live cancellable or NULL, for the time of the call.
    let cancellable = unsafe { Option::<gio::Cancellable>::from_glib_borrow(cancellable) };
    let result = fenced(|| imp.close(cancellable.as_ref().as_ref()));
    // SAFETY: a live instance, for the time of the call.
    let object =
        unsafe { SocketConnection::from_glib_borrow(stream.cast::<SocketConnectionInstance>()) };
    object.imp().end_close();
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}

unsafe extern "C" fn close_async<T: SocketConnectionImpl>(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    // SAFETY: GIO's own arguments, passed on.
    let task = unsafe { close_task(stream, priority, cancellable, callback, data) };
    // SAFETY: a live instance of our class.
    let object: SocketConnection =
        unsafe { from_glib_none(stream.cast::<SocketConnectionInstance>()) };
    let (kept, cancellable) = (object.clone(), task.cancellable());
    run_close(task, priority, object, async move {
        // SAFETY: the slot is called on instances of `T`, and `kept` keeps it alive.
        let imp = unsafe { imp_of::<T>(kept.as_ptr().cast()) };
        let closing = fenced(|| Ok(imp.close_future(glib::Priority::from(priority))))?;
        first_then_cancelled(fenced_future(closing), cancellable).await
    });
}
