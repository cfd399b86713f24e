//! Where a connection's property notifications happen.
//!
//! Home is a thread and the context that was thread-default there. A change seen on that thread is
//! notified at once; a change seen elsewhere is remembered in a bit mask and notified by one source
//! on the home context. A source that finds itself dispatched on another thread emits nothing,
//! because handlers written in Rust are not `Send`: what is pending then waits for the next call
//! on the object from the home thread.

#![allow(
    unsafe_code,
    reason = "GWeakRef is usable from any thread, which glib's wrapper is not; a clock"
)]

mod apart;

use std::{
    fmt,
    mem::ManuallyDrop,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering},
    },
};

use gio::prelude::*;
use glib::{
    signal::signal_has_handler_pending,
    subclass::SignalId,
    translate::{IntoGlib, from_glib_full},
};
use once_cell::sync::Lazy;

pub(crate) use apart::apart;

use self::apart::AmongCallers;
use crate::{
    reactor::{Engine, Spawned},
    thread,
};

/// The properties whose change may have to be told, one bit each.
pub(crate) mod change {
    pub(crate) const SOCKET: u32 = 1;
    pub(crate) const STATE: u32 = 1 << 1;
    pub(crate) const ALIVE: u32 = 1 << 2;
    pub(crate) const LOCAL_ADDRESS: u32 = 1 << 3;
    pub(crate) const REMOTE_ADDRESS: u32 = 1 << 4;
    pub(crate) const LAST_ERROR: u32 = 1 << 5;
    pub(crate) const BYTES_READ: u32 = 1 << 6;
    pub(crate) const BYTES_WRITTEN: u32 = 1 << 7;
    pub(crate) const CLOSED: u32 = 1 << 8;
    pub(crate) const GRACEFUL_DISCONNECT: u32 = 1 << 9;
    pub(crate) const ACTIVE: u32 = 1 << 10;
    pub(crate) const ADDRESSES: u32 = LOCAL_ADDRESS | REMOTE_ADDRESS;
    pub(crate) const BYTES: u32 = BYTES_READ | BYTES_WRITTEN;
    /// Of no use to who has not asked for them.
    pub(super) const NEWS: u32 = STATE | ALIVE | ADDRESSES | LAST_ERROR | BYTES;

    /// In the order in which they are told.
    pub(super) const NAMES: [(u32, &str); 11] = [
        (GRACEFUL_DISCONNECT, "graceful-disconnect"),
        (SOCKET, "socket"),
        (LOCAL_ADDRESS, "local-address"),
        (REMOTE_ADDRESS, "remote-address"),
        (LAST_ERROR, "last-error"),
        (BYTES_READ, "bytes-read"),
        (BYTES_WRITTEN, "bytes-written"),
        (STATE, "state"),
        (ALIVE, "alive"),
        (CLOSED, "closed"),
        (ACTIVE, "active"),
    ];
}

/// At most ten notifications of the byte counters a second.
const BYTES_INTERVAL: i64 = 100_000;
/// How often to look whether a close on another thread has come to its end.
const CLOSED_INTERVAL: i64 = 5_000;
/// How soon to ask again whether an object on its way home may go, at first and at last, and when to
/// ask no more.
const PARCEL_INTERVAL: i64 = 1_000;
const PARCEL_LAST_INTERVAL: i64 = 64_000;
const PARCEL_PATIENCE: i64 = 5_000_000;
const LONG_AGO: i64 = i64::MIN / 2;

/// The thread and the context where an object's notifications happen.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) thread: usize,
    /// That of the context, which is not kept alive by it.
    pub(crate) engine: Arc<Engine>,
}

impl Home {
    pub(crate) fn is_here(&self) -> bool {
        self.thread == thread::here()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.thread == other.thread && Arc::ptr_eq(&self.engine, &other.engine)
    }

    /// The calling thread and its thread-default context.
    pub(crate) fn here() -> Self {
        Self {
            thread: thread::here(),
            engine: Engine::current(),
        }
    }
}

/// Tells an object's property changes at its home. What each transfer touches stands at the beginning.
#[repr(C)]
pub(crate) struct Notifier {
    /// `home.thread`, readable without the lock.
    thread: AtomicUsize,
    pending: AtomicU32,
    /// How many transfers have asked since whether it is time, on the home thread.
    bytes_untold: AtomicU32,
    /// The object's class does nothing of its own when a property changes.
    is_silent: AtomicBool,
    home: Mutex<Home>,
    object: Mutex<Option<WeakObject>>,
    /// For `pending`, in the next iteration.
    soon: Errand,
    /// For the byte counters, when their time has come.
    timer: Errand,
    /// To see whether the object is closed.
    look: Errand,
    closed_told: AtomicBool,
    /// When each byte counter was told last.
    bytes_told: [AtomicI64; 2],
}

impl Notifier {
    pub(crate) fn new() -> Arc<Self> {
        let home = Home::here();
        Arc::new(Self {
            thread: AtomicUsize::new(home.thread),
            home: Mutex::new(home),
            object: Mutex::new(None),
            pending: AtomicU32::new(0),
            soon: Errand::default(),
            timer: Errand::default(),
            look: Errand::default(),
            closed_told: AtomicBool::new(false),
            bytes_told: [AtomicI64::new(LONG_AGO), AtomicI64::new(LONG_AGO)],
            is_silent: AtomicBool::new(false),
            bytes_untold: AtomicU32::new(0),
        })
    }

    /// Names the object whose properties these are. Nobody can have asked to be told before.
    /// `is_silent`: its class does nothing of its own when a property changes.
    pub(crate) fn set_object(&self, object: &glib::Object, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::Relaxed);
        *self.object.lock().unwrap_or_else(PoisonError::into_inner) = Some(WeakObject::new(object));
    }

    /// From now on nothing is told: the object is going away.
    pub(crate) fn forget_object(&self) {
        let object = self
            .object
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(object);
        self.call_off();
    }

    fn call_off(&self) {
        for errand in [&self.soon, &self.timer, &self.look] {
            errand.call_off();
        }
    }

    pub(crate) fn is_home(&self) -> bool {
        self.thread.load(Ordering::Acquire) == thread::here()
    }

    pub(crate) fn home(&self) -> Home {
        self.home
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes the calling thread and `context` the home.
    ///
    /// # Safety
    ///
    /// Handlers that are connected already, and closures on the socket, must be fit to run here.
    pub(crate) unsafe fn move_home(self: &Arc<Self>, context: &glib::MainContext) {
        self.settle_at(&Home {
            thread: thread::here(),
            engine: Engine::of(context),
        });
    }

    /// Makes `next` the home of an object whose handlers, if there are any, are fit to run there.
    pub(crate) fn settle_at(self: &Arc<Self>, next: &Home) {
        {
            let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
            *home = next.clone();
            self.thread.store(next.thread, Ordering::Release);
        }
        // What is on its way goes to the home of before, and tells nothing there.
        self.call_off();
        if self.pending.load(Ordering::Acquire) != 0 {
            self.schedule();
        }
    }

    /// Makes the calling thread and its thread-default context the home of an object that is about to be named,
    /// after one of before is gone, if there was one.
    pub(crate) fn settle_here(self: &Arc<Self>) {
        // What one of before has told, or has not, is no matter of the next one's.
        self.closed_told.store(false, Ordering::Release);
        self.pending.store(0, Ordering::Release);
        // SAFETY: no object, no handlers. Those of the socket are of the thread that has the wrapper of the object
        // of GIO's class through which it is shared, which is this one.
        unsafe { self.move_home(&glib::MainContext::ref_thread_default()) };
    }

    /// Gives up a reference to an object whose handlers only home may drop. Where home is gone, or has
    /// no loop, the object is leaked.
    ///
    /// `may_go` is asked there until it says so: the thread that dropped the object may still be at it.
    /// Not for ever: it asks GObject, where somebody may hold the answer back.
    pub(crate) fn release_at_home(&self, object: glib::Object, may_go: fn(&glib::Object) -> bool) {
        let home = self.home();
        let parcel = Parcel {
            object: ManuallyDrop::new(object),
            home: home.thread,
        };
        send(home.engine, parcel, may_go, PARCEL_INTERVAL, None);
    }

    /// Tells `changes`: now at home, soon from elsewhere. No lock may be held by the caller.
    pub(crate) fn tell(self: &Arc<Self>, changes: u32) {
        if changes == 0 {
            return;
        }
        // Only home takes them out, so that at home a look is enough to know that they are still to be told.
        if changes & !change::BYTES == 0
            && self.pending.load(Ordering::Relaxed) & changes == changes
            && self.is_home()
        {
            return;
        }
        let before = self.pending.fetch_or(changes, Ordering::AcqRel);
        if changes & !change::BYTES == 0 && before & changes == changes {
            // It is on its way, be it by a timer.
            return;
        }
        if self.is_home() {
            self.flush(changes & change::CLOSED != 0);
        } else if changes & !change::BYTES != 0 {
            self.schedule();
        } else {
            self.start_timer();
        }
    }

    /// Tells `changes` in an iteration of the home context, on the home thread too.
    pub(crate) fn tell_later(self: &Arc<Self>, changes: u32) {
        self.pending.fetch_or(changes, Ordering::AcqRel);
        self.schedule();
    }

    /// Tells what is pending, if this is the home thread. For the beginning of calls on the object.
    pub(crate) fn catch_up(self: &Arc<Self>) {
        if self.pending.load(Ordering::Relaxed) != 0 && self.is_home() {
            self.flush(false);
        }
    }

    /// Tells the byte counters whose time has come, if this is the home thread: the timer is of no use where
    /// nobody runs it. For transfers that need no loop.
    pub(crate) fn catch_up_with_bytes(self: &Arc<Self>) {
        let pending = self.pending.load(Ordering::Relaxed) & change::BYTES;
        if pending != 0 && self.is_home() && self.asks_for_the_time() && self.are_bytes_due(pending)
        {
            self.bytes_untold.store(0, Ordering::Relaxed);
            self.flush(false);
        }
    }

    /// Of many transfers in a short time few ask. Those that follow may come slowly, and must not wait for many more.
    fn asks_for_the_time(&self) -> bool {
        let untold = self.bytes_untold.load(Ordering::Relaxed).wrapping_add(1);
        self.bytes_untold.store(untold, Ordering::Relaxed);
        untold.is_power_of_two() || untold.is_multiple_of(8)
    }

    /// Looks again soon whether the object is closed, and tells it then.
    pub(crate) fn look_for_closed(self: &Arc<Self>) {
        self.put_back(change::CLOSED);
        self.look
            .send(self, glib::monotonic_time() + CLOSED_INTERVAL, |notifier| {
                &notifier.look
            });
    }

    /// Emits what is pending. On the home thread only. `closed` is told by its own source, unless
    /// the caller knows that its time has come.
    fn flush(self: &Arc<Self>, closed_is_due: bool) {
        let mut told = self.pending.swap(0, Ordering::AcqRel);
        if told & change::BYTES != 0 {
            let early = self.told_too_lately(told & change::BYTES);
            if early != 0 {
                self.put_back(early);
                told &= !early;
                self.start_timer();
            }
        }
        if told == 0 {
            return;
        }
        let Some(object) = self.upgrade() else {
            return;
        };
        if told & change::CLOSED != 0 && !self.may_tell_closed(&object, closed_is_due) {
            told &= !change::CLOSED;
        }
        if self.is_silent.load(Ordering::Relaxed) {
            told &= !change::NEWS | heard_of(&object, told);
        }
        if told == 0 {
            return;
        }
        let _place = AmongCallers::step();
        for (bit, name) in change::NAMES {
            if told & bit != 0 {
                object.notify(name);
            }
        }
    }

    /// Whether [`told_too_lately`](Self::told_too_lately) would let one of them pass. Never too early, and
    /// for less: most calls find that it is not.
    fn are_bytes_due(&self, changes: u32) -> bool {
        let now = coarse_time();
        [change::BYTES_READ, change::BYTES_WRITTEN]
            .into_iter()
            .zip(&self.bytes_told)
            .any(|(bit, told)| {
                changes & bit != 0
                    && now.saturating_sub(told.load(Ordering::Relaxed)) >= BYTES_INTERVAL
            })
    }

    /// Those of the byte counters in `changes` whose last telling is too recent; the others are
    /// taken as told now.
    fn told_too_lately(&self, changes: u32) -> u32 {
        let now = glib::monotonic_time();
        let mut early = 0;
        for (bit, told) in [change::BYTES_READ, change::BYTES_WRITTEN]
            .into_iter()
            .zip(&self.bytes_told)
        {
            if changes & bit == 0 {
                continue;
            }
            if now.saturating_sub(told.load(Ordering::Relaxed)) < BYTES_INTERVAL {
                early |= bit;
            } else {
                told.store(now, Ordering::Relaxed);
            }
        }
        early
    }

    /// `closed` is GIOStream's, and turns true, once, only after our part of a close has returned.
    fn may_tell_closed(self: &Arc<Self>, object: &glib::Object, is_due: bool) -> bool {
        if !is_due && self.soon.is_on_its_way() {
            // In the iteration that is asked for already.
            self.put_back(change::CLOSED);
            return false;
        }
        let stream = object.downcast_ref::<gio::IOStream>();
        if stream.is_none_or(IOStreamExt::is_closed) {
            return !self.closed_told.swap(true, Ordering::AcqRel);
        }
        // Somebody is still at it. Without anybody, it was no close of GIOStream's.
        if stream.is_some_and(IOStreamExt::has_pending) {
            self.look_for_closed();
        }
        false
    }

    fn put_back(&self, changes: u32) {
        self.pending.fetch_or(changes, Ordering::AcqRel);
    }

    fn schedule(self: &Arc<Self>) {
        // One source at a time: what that one finds too early to tell gets a timer again.
        self.soon
            .send_instead_of(Some(&self.timer), self, 0, |notifier| &notifier.soon);
    }

    fn start_timer(self: &Arc<Self>) {
        if self.soon.is_on_its_way() {
            // It tells what is pending when it comes, which is before any timer.
            return;
        }
        // The later of the two, or a timer for one would run at once for the other, for nothing.
        let last = self
            .bytes_told
            .iter()
            .map(|told| told.load(Ordering::Relaxed))
            .max();
        let due = last.unwrap_or(0).max(0) + BYTES_INTERVAL;
        self.timer.send(self, due, |notifier| &notifier.timer);
    }

    /// The object whose properties these are, until it is disposed of.
    pub(crate) fn upgrade(&self) -> Option<glib::Object> {
        self.object
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(WeakObject::get)
    }
}

/// One task at a time that goes to the home context and tells what is pending there.
#[derive(Default)]
struct Errand(Mutex<Option<Spawned>>);

impl Errand {
    fn slot(&self) -> MutexGuard<'_, Option<Spawned>> {
        // Exchanged whole: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_on_its_way(&self) -> bool {
        self.slot().is_some()
    }

    /// Sends a task that is due then, unless there is one. `which` finds this errand again.
    fn send(&self, notifier: &Arc<Notifier>, due: i64, which: fn(&Notifier) -> &Self) {
        self.send_instead_of(None, notifier, due, which);
    }

    /// Likewise, and calls another one off before this one can arrive, which may send that again.
    fn send_instead_of(
        &self,
        another: Option<&Self>,
        notifier: &Arc<Notifier>,
        due: i64,
        which: fn(&Notifier) -> &Self,
    ) {
        let mut slot = self.slot();
        // Asked under the lock: whoever moves home calls off after that what has gone to the one of before.
        let engine = notifier.home().engine;
        if let Some(another) = another {
            another.call_off();
        }
        if slot.is_some() {
            return;
        }
        let weak = Arc::downgrade(notifier);
        let due = (due > 0).then_some(due);
        // Sent under the lock, so that its arrival finds it in the slot.
        *slot = Some(engine.at(due, move || {
            if let Some(notifier) = weak.upgrade() {
                let arrived = which(&notifier).slot().take();
                drop(arrived);
                notifier.catch_up();
            }
        }));
    }

    /// From any thread: the task holds nothing that belongs to one.
    fn call_off(&self) {
        let task = self.slot().take();
        if let Some(task) = task {
            task.cancel();
        }
    }
}

/// Of `changes` those that somebody has asked to be told of. To tell is dear, and most connections have nobody to tell.
fn heard_of(object: &glib::Object, changes: u32) -> u32 {
    static NOTIFY: Lazy<Option<SignalId>> =
        Lazy::new(|| SignalId::lookup("notify", glib::Object::static_type()));
    static NAMES: Lazy<[glib::Quark; change::NAMES.len()]> =
        Lazy::new(|| change::NAMES.map(|(_, name)| glib::Quark::from_str(name)));
    let Some(notify) = *NOTIFY else {
        return changes;
    };
    if !is_anything_heard(object, notify) {
        return 0;
    }
    let heard = |name| signal_has_handler_pending(object, notify, name, true);
    // Who has asked for all, and who has asked for one property.
    if heard(None) {
        return changes;
    }
    change::NAMES
        .into_iter()
        .zip(&*NAMES)
        .filter(|((bit, _), name)| changes & bit != 0 && heard(Some(**name)))
        .map(|((bit, _), _)| bit)
        .sum()
}

/// Whether there is any handler of the signal.
fn is_anything_heard(object: &glib::Object, signal: SignalId) -> bool {
    // SAFETY: a live object, and a search for nothing but the signal.
    let handler = unsafe {
        glib::gobject_ffi::g_signal_handler_find(
            object_pointer(object),
            glib::gobject_ffi::G_SIGNAL_MATCH_ID,
            signal.into_glib(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    handler != 0
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier")
            .field("thread", &self.thread)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

/// A reference on its way home.
struct Parcel {
    object: ManuallyDrop<glib::Object>,
    home: usize,
}

/// Sends `parcel` home, where it is opened when it may be, or looked at again.
fn send(
    engine: Arc<Engine>,
    parcel: Parcel,
    may_go: fn(&glib::Object) -> bool,
    interval: i64,
    patience_ends: Option<i64>,
) {
    let due = patience_ends.map(|_| glib::monotonic_time() + interval);
    engine.clone().at(due, move || {
        let now = glib::monotonic_time();
        let until = patience_ends.unwrap_or(now + PARCEL_PATIENCE);
        if parcel.is_home() && !may_go(&parcel.object) && now < until {
            let interval = (interval * 2).min(PARCEL_LAST_INTERVAL);
            return send(engine, parcel, may_go, interval, Some(until));
        }
        drop(parcel);
    });
}

// SAFETY: only carried; given up on the home thread, or never.
unsafe impl Send for Parcel {}

impl Parcel {
    fn is_home(&self) -> bool {
        self.home == thread::here()
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if self.is_home() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.object) };
        }
    }
}

/// A weak reference that any thread may hold; that of a notifier is turned into a strong one at home only.
pub(crate) struct WeakObject(Box<glib::gobject_ffi::GWeakRef>);

// SAFETY: GWeakRef is made for use from several threads; the box never moves.
unsafe impl Send for WeakObject {}

impl WeakObject {
    pub(crate) fn new(object: &glib::Object) -> Self {
        // SAFETY: all zero is what g_weak_ref_init() is documented to be given.
        let mut weak = Box::new(unsafe { std::mem::zeroed() });
        // SAFETY: the box stays where it is until g_weak_ref_clear().
        unsafe {
            glib::gobject_ffi::g_weak_ref_init(&raw mut *weak, object_pointer(object).cast())
        };
        Self(weak)
    }

    pub(crate) fn get(&self) -> Option<glib::Object> {
        let weak = (&raw const *self.0).cast_mut();
        // SAFETY: initialised in `new`.
        let object: *mut glib::gobject_ffi::GObject =
            unsafe { glib::gobject_ffi::g_weak_ref_get(weak) };
        // SAFETY: a full reference or NULL.
        unsafe { from_glib_full(object) }
    }
}

impl Drop for WeakObject {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, cleared once.
        unsafe { glib::gobject_ffi::g_weak_ref_clear(&raw mut *self.0) };
    }
}

/// The monotonic clock as of its last tick, which is some milliseconds ago at most.
#[allow(
    clippy::useless_conversion,
    reason = "narrower where a word has 32 bits"
)]
fn coarse_time() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: all zero is a time.
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        // SAFETY: a place for the time.
        if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) } == 0 {
            return i64::from(time.tv_sec) * 1_000_000 + i64::from(time.tv_nsec) / 1_000;
        }
    }
    glib::monotonic_time()
}

fn object_pointer(object: &glib::Object) -> *mut glib::gobject_ffi::GObject {
    ObjectType::as_ptr(object)
}
