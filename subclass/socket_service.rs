//! Deriving from [`SocketService`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use std::{
    ffi::CStr,
    mem::offset_of,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GError, GFALSE, gboolean},
    gobject_ffi::{self, GObject},
    translate::{FromGlibPtrBorrow, IntoGlib, ToGlibPtr, from_glib},
};

use super::{
    SocketListenerImpl,
    structs::{SocketConnectionInstance, SocketServiceClass, SocketServiceInstance},
};
use crate::{
    SocketConnection, SocketService, ThreadedSocketService,
    fence::{caught, fence_or},
    socket_service::imp,
    vfunc::{emit, is_given},
};

/// What a type deriving from [`SocketService`] may override.
pub trait SocketServiceImpl: SocketListenerImpl + ObjectSubclass<Type: IsA<SocketService>> {
    /// Called for each connection that no handler of the signal has handled, in the context where the service was
    /// made. Answers whether it is handled, which the parent does not say. It is closed when nobody keeps it.
    ///
    /// It is called on the thread that made the service: where the context of the service runs on another one, a
    /// critical message is logged in its place.
    ///
    /// The parent [`ThreadedSocketService`] has it served by a thread: who chains up to that keeps nothing of it.
    fn incoming(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> bool {
        self.parent_incoming(connection, source_object)
    }

    /// Called for each error of the signal, after the handlers that were connected to it. The parent warns where there
    /// are none.
    ///
    /// It is called on the thread that made the service, like [`incoming`](Self::incoming).
    fn error(&self, failure: &glib::Error) {
        self.parent_error(failure);
    }
}

/// The parent's implementations.
pub trait SocketServiceImplExt: SocketServiceImpl {
    /// What the parent class does for [`incoming`](SocketServiceImpl::incoming).
    fn parent_incoming(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> bool {
        let object = self.obj();
        let class = parent_class::<Self>();
        run_incoming(class, object.upcast_ref(), connection, source_object)
    }

    /// What the parent class does for [`error`](SocketServiceImpl::error).
    fn parent_error(&self, failure: &glib::Error) {
        let object = self.obj();
        run_error(parent_class::<Self>(), object.upcast_ref(), failure);
    }
}

impl<T: SocketServiceImpl> SocketServiceImplExt for T {}

fn parent_class<T: SocketServiceImpl>() -> &'static SocketServiceClass {
    // SAFETY: initialised with the type, of which there is an instance.
    let data = unsafe { T::type_data().as_ref() };
    let class = data.parent_class().cast::<SocketServiceClass>();
    // SAFETY: the parent is, or derives from, our class, and parents are never unloaded.
    unsafe { &*class }
}

// SAFETY: the slots set below are those of the class struct that `T`'s begins with, and their functions treat
// instances as `T`'s.
unsafe impl<T: SocketServiceImpl> IsSubclassable<T> for SocketService {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
        let class = class.as_mut();
        class.incoming = Some(incoming::<T>);
        class.error = Some(error::<T>);
    }
}

// SAFETY: `SocketServiceClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for SocketServiceClass {
    type Type = imp::SocketService;
}

// SAFETY: `SocketServiceInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for SocketServiceInstance {
    type Type = imp::SocketService;
}

/// Sets the slots of the class itself. `event` is the parent's: a function of ours would but call that.
pub(crate) fn fill_class(class: &mut SocketServiceClass) {
    class.parent_class.event = None;
    class.incoming = Some(own_incoming);
    class.error = Some(own_error);
}

/// In a class of ours that overrides `incoming` alone.
pub(super) fn inherit_all_but_incoming<T: SocketServiceImpl>(class: &mut SocketServiceClass) {
    let parent = parent_class::<T>();
    class.parent_class.changed = parent.parent_class.changed;
    class.parent_class.event = parent.parent_class.event;
    class.error = parent.error;
}

/// The numbers of the signals, 0 before the class is there.
static INCOMING: AtomicU32 = AtomicU32::new(0);
static ERROR: AtomicU32 = AtomicU32::new(0);

/// Declares the signals, of which the slots are the class' own handlers.
pub(crate) fn declare_signals() {
    let incoming = connection_signal(
        c"incoming",
        imp::SocketService::type_(),
        offset_of!(SocketServiceClass, incoming),
    );
    INCOMING.store(incoming, Ordering::Release);
    // SAFETY: a type whose class is being initialised, and which has no such signal; types and number of the arguments
    // are those of the slot, which is a pointer to a function at that place.
    let error = unsafe {
        gobject_ffi::g_signal_new(
            c"error".as_ptr(),
            imp::SocketService::type_().into_glib(),
            gobject_ffi::G_SIGNAL_RUN_LAST,
            offset_of!(SocketServiceClass, error) as u32,
            None,
            ptr::null_mut(),
            None,
            glib::Type::UNIT.into_glib(),
            1_u32,
            glib::Error::static_type().into_glib(),
        )
    };
    ERROR.store(error, Ordering::Release);
}

/// Declares a signal with a connection and a source object, which the first handler that says TRUE ends. `slot` is where
/// the class struct has its own handler.
pub(super) fn connection_signal(name: &CStr, type_: glib::Type, slot: usize) -> u32 {
    // SAFETY: as above; this accumulator is for signals that answer a boolean.
    unsafe {
        gobject_ffi::g_signal_new(
            name.as_ptr(),
            type_.into_glib(),
            gobject_ffi::G_SIGNAL_RUN_LAST,
            slot as u32,
            Some(gobject_ffi::g_signal_accumulator_true_handled),
            ptr::null_mut(),
            None,
            glib::Type::BOOL.into_glib(),
            2_u32,
            SocketConnection::static_type().into_glib(),
            glib::Object::static_type().into_glib(),
        )
    }
}

/// Emits a signal that [`connection_signal`] has declared. Handlers run on this thread.
pub(super) fn emit_with_connection(
    signal: &AtomicU32,
    object: &glib::Object,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) {
    let connection: *mut SocketConnectionInstance = connection.to_glib_none().0;
    let source_object: *mut GObject = source_object.to_glib_none().0;
    let (instance, signal) = (object.as_ptr(), signal.load(Ordering::Acquire));
    // SAFETY: live arguments, as the signal declares them.
    let _handled = unsafe { emit(instance, signal, connection.cast(), source_object.cast()) };
}

/// Emits `incoming`. Handlers run on this thread.
pub(crate) fn emit_incoming(
    object: &SocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) {
    emit_with_connection(&INCOMING, object.upcast_ref(), connection, source_object);
}

/// Emits `error`. Handlers run on this thread.
pub(crate) fn emit_error(object: &SocketService, failure: &glib::Error) {
    let object: *mut SocketServiceInstance = object.to_glib_none().0;
    let failure: *const GError = failure.to_glib_none().0;
    // SAFETY: live arguments, as the signal declares them.
    unsafe {
        gobject_ffi::g_signal_emit(object.cast(), ERROR.load(Ordering::Acquire), 0, failure);
    }
}

/// Whether somebody has connected to `error`.
fn is_error_heard(object: &SocketService) -> bool {
    let object: *mut SocketServiceInstance = object.to_glib_none().0;
    // SAFETY: a live object that has the signal.
    let is_heard = unsafe {
        gobject_ffi::g_signal_has_handler_pending(
            object.cast(),
            ERROR.load(Ordering::Acquire),
            0,
            GFALSE,
        )
    };
    // SAFETY: a boolean.
    unsafe { from_glib(is_heard) }
}

fn run_incoming(
    class: &SocketServiceClass,
    object: &SocketService,
    connection: &SocketConnection,
    source_object: Option<&glib::Object>,
) -> bool {
    let Some(slot) = class.incoming else {
        return false;
    };
    // SAFETY: live arguments, the last of which may be NULL.
    let handled = unsafe {
        slot(
            object.to_glib_none().0,
            connection.to_glib_none().0,
            source_object.to_glib_none().0,
        )
    };
    // SAFETY: a boolean.
    unsafe { from_glib(handled) }
}

fn run_error(class: &SocketServiceClass, object: &SocketService, failure: &glib::Error) {
    if let Some(slot) = class.error {
        // SAFETY: live arguments.
        unsafe { slot(object.to_glib_none().0, failure.to_glib_none().0) };
    }
}

/// What a class in Rust has belongs to the thread of the service, though another one may run its context; that of a class
/// for threads belongs to all of them.
fn may_be_called<T: SocketServiceImpl>(service: &SocketService, what: &str) -> bool {
    let may_be = service.imp().is_home() || T::type_().is_a(ThreadedSocketService::static_type());
    if !may_be {
        glib::g_critical!(
            "Gsock",
            "a service's function for {what} was due on another thread and is not called"
        );
    }
    may_be
}

unsafe extern "C" fn incoming<T: SocketServiceImpl>(
    instance: *mut SocketServiceInstance,
    connection: *mut SocketConnectionInstance,
    source_object: *mut GObject,
) -> gboolean {
    let called = caught(|| {
        if !is_given(connection, "incoming") {
            return false.into_glib();
        }
        // SAFETY: a live instance, for the time of the call.
        let service = unsafe { SocketService::from_glib_borrow(instance) };
        if T::type_() != ThreadedSocketService::static_type() {
            // Ours knows what it does.
            service.imp().shown_to_rust();
        }
        // SAFETY: called on instances of `T`.
        let instance = unsafe { &*instance.cast::<T::Instance>() };
        // SAFETY: live arguments, for the time of the call.
        let connection = unsafe { SocketConnection::from_glib_borrow(connection) };
        // SAFETY: likewise, or NULL.
        let source_object = unsafe { Option::<glib::Object>::from_glib_borrow(source_object) };
        if !may_be_called::<T>(&service, "connections") {
            return false.into_glib();
        }
        let source_object = source_object.as_ref().as_ref();
        instance
            .imp()
            .incoming(&connection, source_object)
            .into_glib()
    });
    if called.is_none() {
        glib::g_critical!("Gsock", "a service's function for connections panicked");
    }
    called.unwrap_or(GFALSE)
}

unsafe extern "C" fn error<T: SocketServiceImpl>(
    service: *mut SocketServiceInstance,
    failure: *const GError,
) {
    let called = caught(|| {
        if !is_given(failure, "error") {
            return;
        }
        // SAFETY: called on instances of `T`.
        let instance = unsafe { &*service.cast::<T::Instance>() };
        // SAFETY: a live argument, for the time of the call.
        let failure = unsafe { glib::Error::from_glib_borrow(failure) };
        // SAFETY: likewise.
        let service = unsafe { SocketService::from_glib_borrow(service) };
        if !may_be_called::<T>(&service, "errors") {
            return run_error(parent_class::<T>(), &service, &failure);
        }
        instance.imp().error(&failure);
    });
    if called.is_none() {
        glib::g_critical!("Gsock", "a service's function for errors panicked");
    }
}

unsafe extern "C" fn own_incoming(
    _: *mut SocketServiceInstance,
    _: *mut SocketConnectionInstance,
    _: *mut GObject,
) -> gboolean {
    fence_or(GFALSE, || false.into_glib())
}

unsafe extern "C" fn own_error(instance: *mut SocketServiceInstance, failure: *const GError) {
    fence_or((), || {
        if !is_given(failure, "error") {
            return;
        }
        // SAFETY: live arguments, for the time of the call.
        let service = unsafe { SocketService::from_glib_borrow(instance) };
        // SAFETY: likewise.
        let failure = unsafe { glib::Error::from_glib_borrow(failure) };
        if !is_error_heard(&service) {
            glib::g_warning!("Gsock", "a service does not accept: {}", failure.message());
        }
    })
}
