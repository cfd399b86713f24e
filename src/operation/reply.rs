//! Results of transfers: what a `GTask` is to other operations, lighter, and used again.

#![allow(unsafe_code, reason = "GAsyncResult is a C interface")]

use std::{
    cell::RefCell,
    fmt,
    mem::ManuallyDrop,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use gio::prelude::*;
use glib::{
    ffi::gpointer,
    gobject_ffi,
    signal::signal_has_handler_pending,
    subclass::{InitializingType, SignalId, prelude::*},
    translate::IntoGlib,
};
use once_cell::sync::Lazy;

use super::{
    Tag,
    task::{RETURNED, RUNNING, TAKEN},
};
use crate::{
    error,
    fence::{fence, fence_or},
    living::{self, Living},
    reactor::Engine,
};

/// How many a thread keeps to use again.
const SPARES: usize = 16;

thread_local! {
    static SPARE: RefCell<Vec<ResultObject>> = const { RefCell::new(Vec::new()) };
}

glib::wrapper! {
    /// What a ready callback gets.
    pub struct ResultObject(ObjectSubclass<imp::Result>) @implements gio::AsyncResult;
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Result {
        pub(super) state: AtomicU8,
        pub(super) asked: Mutex<Option<Asked>>,
        _living: Living<{ living::TRANSFER_RESULT }>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Result {
        const NAME: &'static str = "GsockTransferResult";
        type Type = ResultObject;

        fn type_init(_type: &mut InitializingType<Self>) {
            // Registered a moment ago, under this name.
            if let Some(type_) = glib::Type::from_name(Self::NAME) {
                add_interface(type_);
            }
        }
    }

    impl ObjectImpl for Result {}

    impl fmt::Debug for Result {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Result")
                .field("state", &self.state)
                .finish_non_exhaustive()
        }
    }
}

/// What belongs to one operation.
pub(super) struct Asked {
    /// A reference of ours.
    source: *mut gobject_ffi::GObject,
    tag: &'static Tag,
    callback: gio::ffi::GAsyncReadyCallback,
    data: gpointer,
    outcome: Option<Result<usize, glib::Error>>,
}

// SAFETY: the source is counted atomically, and the data handed on to the callback only, as by a GTask.
unsafe impl Send for Asked {}

impl Drop for Asked {
    fn drop(&mut self) {
        // SAFETY: the reference that this was made with.
        unsafe { gobject_ffi::g_object_unref(self.source) };
    }
}

impl imp::Result {
    fn asked(&self) -> MutexGuard<'_, Option<Asked>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer that a transfer owes. Dropped before it has given one, it answers `Failed` in an iteration of its
/// context, if that is still there.
pub(crate) struct Reply {
    result: ManuallyDrop<ResultObject>,
    /// Kept, as a GTask keeps it: with it would go whatever waits for the callback. None once answered.
    context: Option<glib::MainContext>,
    engine: Arc<Engine>,
    priority: glib::Priority,
}

// SAFETY: the object is counted atomically; its state is behind a lock, or atomic.
unsafe impl Send for Reply {}

impl Reply {
    /// To be called back in the thread-default context of now.
    ///
    /// # Safety
    ///
    /// `source` is a live object, and `callback` may be called with `data` in that context.
    pub(crate) unsafe fn new(
        source: *mut gobject_ffi::GObject,
        callback: gio::ffi::GAsyncReadyCallback,
        data: gpointer,
        tag: &'static Tag,
        priority: i32,
    ) -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        let result = spare.ok().flatten().unwrap_or_else(glib::Object::new);
        // SAFETY: a live object, as the caller says.
        unsafe { gobject_ffi::g_object_ref(source) };
        let before = result.imp().asked().replace(Asked {
            source,
            tag,
            callback,
            data,
            outcome: None,
        });
        debug_assert!(before.is_none());
        result.imp().state.store(RUNNING, Ordering::Release);
        Self {
            result: ManuallyDrop::new(result),
            context: Some(glib::MainContext::ref_thread_default()),
            engine: Engine::current(),
            priority: priority.into(),
        }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(crate) fn priority(&self) -> glib::Priority {
        self.priority
    }

    /// Calls back, in a turn of the engine.
    pub(crate) fn answer(self, outcome: Result<usize, glib::Error>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and does not touch it again.
        let result = unsafe { ManuallyDrop::take(&mut this.result) };
        let context = this.context.take();
        // SAFETY: likewise: read once.
        drop(unsafe { ptr::read(&raw const this.engine) });
        deliver(result, outcome);
        drop(context);
    }

    /// Calls back in a later iteration of the context: for one who is still in the call that asked.
    pub(crate) fn answer_later(self, outcome: Result<usize, glib::Error>) {
        let engine = self.engine.clone();
        engine.spawn(self.priority, async move { self.answer(outcome) });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // SAFETY: dropped once, here: `answer` forgets `self`.
        let result = unsafe { ManuallyDrop::take(&mut self.result) };
        let unanswered = Unanswered(Some(result));
        let context = self.context.take();
        self.engine.spawn(self.priority, async move {
            unanswered.answer();
            drop(context);
        });
    }
}

/// Without a context that would run it nobody is called.
struct Unanswered(Option<ResultObject>);

// SAFETY: as of a `Reply`.
unsafe impl Send for Unanswered {}

impl Unanswered {
    fn answer(mut self) {
        if let Some(result) = self.0.take() {
            deliver(
                result,
                Err(error::failed("The operation ended without an answer")),
            );
        }
    }
}

fn deliver(result: ResultObject, outcome: Result<usize, glib::Error>) {
    let imp = result.imp();
    let call = imp.asked().as_mut().map(|asked| {
        asked.outcome = Some(outcome);
        (asked.callback, asked.source, asked.data)
    });
    imp.state.store(RETURNED, Ordering::Release);
    if let Some((Some(callback), source, data)) = call {
        // SAFETY: as the caller of `new` has said; the source lives as long as the result, which is held here.
        unsafe {
            callback(
                source,
                result.upcast_ref::<glib::Object>().as_ptr().cast(),
                data,
            )
        };
    }
    use_again(result);
}

/// Keeps what nobody else holds, and nobody has left anything on.
fn use_again(result: ResultObject) {
    // First: until then somebody else may attach something, and whoever may do so later has a weak reference.
    if result.ref_count() != 1 {
        return;
    }
    let object: *mut gobject_ffi::GObject = result.upcast_ref::<glib::Object>().as_ptr();
    // SAFETY: a live object that only this thread has. Weak references stand there, and data of its users.
    let is_plain = unsafe { (*object).qdata.is_null() };
    if !is_plain || has_handlers(&result) {
        return;
    }
    // Its end may run anybody's code.
    let asked = result.imp().asked().take();
    drop(asked);
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < SPARES {
            spare.push(result);
        }
    });
}

/// An object of this type has one signal: that a property has changed.
fn has_handlers(result: &ResultObject) -> bool {
    static NOTIFY: Lazy<Option<SignalId>> =
        Lazy::new(|| SignalId::lookup("notify", glib::Object::static_type()));
    NOTIFY.is_some_and(|notify| signal_has_handler_pending(result, notify, None, true))
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

/// The outcome in `result`, if it is one of these: [`finish_size`](super::finish_size) says more.
///
/// # Safety
///
/// `result` is a live object.
pub(super) unsafe fn taken(
    object: *mut gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    tag: &'static Tag,
) -> Option<Result<usize, glib::Error>> {
    // SAFETY: a live instance, which begins with its class.
    let class = unsafe { (*result.cast::<gobject_ffi::GTypeInstance>()).g_class };
    // SAFETY: a class begins with its type. Nothing derives from this one.
    let type_ = unsafe { (*class).g_type };
    if type_ != ResultObject::static_type().into_glib() {
        return None;
    }
    // SAFETY: seen to be one.
    let result = unsafe { imp_of(result) };
    Some(take(result, object, tag))
}

fn take(
    result: &imp::Result,
    object: *mut gobject_ffi::GObject,
    tag: &'static Tag,
) -> Result<usize, glib::Error> {
    let mut asked = result.asked();
    let Some(asked) = asked.as_mut().filter(|asked| asked.source == object) else {
        return Err(error::invalid("The result is of another object"));
    };
    if !ptr::eq(asked.tag, tag) {
        return Err(error::invalid("The result is of another operation"));
    }
    let fresh = result
        .state
        .compare_exchange(RETURNED, TAKEN, Ordering::AcqRel, Ordering::Acquire);
    match (fresh, asked.outcome.take()) {
        (Ok(_), Some(outcome)) => outcome,
        _ => Err(error::invalid(
            "The operation is still running, or was finished before",
        )),
    }
}

/// # Safety
///
/// `result` is a live [`ResultObject`].
unsafe fn imp_of<'a>(result: *mut gio::ffi::GAsyncResult) -> &'a imp::Result {
    // SAFETY: as the caller says; an instance begins with its own structure.
    let instance = unsafe { &*result.cast::<glib::subclass::basic::InstanceStruct<imp::Result>>() };
    instance.imp()
}

fn add_interface(type_: glib::Type) {
    let info = gobject_ffi::GInterfaceInfo {
        interface_init: Some(interface_init),
        interface_finalize: None,
        interface_data: ptr::null_mut(),
    };
    // SAFETY: a type function without arguments.
    let interface = unsafe { gio::ffi::g_async_result_get_type() };
    // SAFETY: `interface_init` fills the table of that interface; GObject copies the description.
    unsafe {
        gobject_ffi::g_type_add_interface_static(type_.into_glib(), interface, &raw const info);
    }
}

unsafe extern "C" fn interface_init(iface: gpointer, _: gpointer) {
    let fill = || {
        // SAFETY: GObject passes the table of the interface that this was registered for.
        let iface = unsafe { &mut *iface.cast::<gio::ffi::GAsyncResultIface>() };
        iface.get_user_data = Some(user_data);
        iface.get_source_object = Some(source_object);
        iface.is_tagged = Some(is_tagged);
    };
    // A table with holes is worse than a second try.
    let _ = fence(fill).or_else(|| fence(fill));
}

unsafe extern "C" fn user_data(result: *mut gio::ffi::GAsyncResult) -> gpointer {
    fence_or(ptr::null_mut(), || {
        // SAFETY: called on instances of the type that has this interface.
        let asked = unsafe { imp_of(result) }.asked();
        asked.as_ref().map_or(ptr::null_mut(), |asked| asked.data)
    })
}

unsafe extern "C" fn source_object(
    result: *mut gio::ffi::GAsyncResult,
) -> *mut gobject_ffi::GObject {
    fence_or(ptr::null_mut(), || {
        // SAFETY: called on instances of the type that has this interface.
        let asked = unsafe { imp_of(result) }.asked();
        match &*asked {
            // SAFETY: kept by the result; the caller gets a reference of his own.
            Some(asked) => unsafe { gobject_ffi::g_object_ref(asked.source) },
            None => ptr::null_mut(),
        }
    })
}

unsafe extern "C" fn is_tagged(
    result: *mut gio::ffi::GAsyncResult,
    tag: gpointer,
) -> glib::ffi::gboolean {
    fence_or(glib::ffi::GFALSE, || {
        // SAFETY: called on instances of the type that has this interface.
        let asked = unsafe { imp_of(result) }.asked();
        let tagged = asked
            .as_ref()
            .is_some_and(|asked| asked.tag.as_ptr() == tag);
        tagged.into()
    })
}
