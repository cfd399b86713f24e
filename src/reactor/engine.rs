//! One engine for each main context.
//!
//! It stands in the context as one source, or one for each priority in use: a *lane*. The most urgent
//! lane looks at the poller and at the timers; each lane runs the tasks of its own priority, so that
//! they come when other sources of that priority come. What happens in a turn of the engine needs no
//! lock and no system call; what is woken by other threads, or between turns, is collected, and wakes
//! the context once.

#![allow(unsafe_code, reason = "a context that must not be kept alive")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fmt,
    future::{Future, poll_fn},
    os::fd::RawFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use glib::translate::{ToGlibPtr, from_glib_none};

use super::{
    PlatformPoller, collector,
    core::Core,
    events::Events,
    fd_source::FdSource,
    interleave,
    lent::Lent,
    poller::Poller,
    registration::{Observer, Purpose, Registration},
    slab::{Key, Slab},
    source::Source,
    task::{Begin, Runnable, Task},
    timers::{Moment, TimerKey},
    turn::{OwnerCell, Turn},
    wait::Sleep,
    waiters::call,
};
use crate::{
    fork::Belonging,
    living::{self, Living},
};

/// See the module's documentation.
pub(crate) struct Engine {
    this: Weak<Self>,
    pub(super) core: Core<PlatformPoller>,
    /// A source for each descriptor, whatever the poller could do.
    pub(super) portable: bool,
    /// Where it runs, until that is gone, which the engine does not prevent. Whoever holds the lock keeps
    /// the context from going.
    place: Mutex<Option<Place>>,
    /// The same, to compare with only.
    address: AtomicUsize,
    ended: AtomicBool,
    belonging: Belonging,
    /// Every task that has not ended.
    tasks: Mutex<Slab<Arc<dyn Runnable>>>,
    /// What was woken outside of a turn.
    woken: Mutex<Vec<Arc<dyn Runnable>>>,
    /// There is something new for the next turn, and the context knows.
    noticed: AtomicBool,
    /// Which descriptor of the poller the context polls, -1 for none.
    pub(super) hosted: AtomicI32,
    /// Whether the context waits by the [poll function](super::poll_function) of ours.
    pub(super) folds: AtomicBool,
    pub(super) lent: Lent,
    pub(super) local: OwnerCell,
    _living: Living<{ living::ENGINE }>,
}

struct Place {
    context: *mut glib::ffi::GMainContext,
    lane: Source,
}

// SAFETY: used under the lock, and cleared before the context goes.
unsafe impl Send for Place {}

/// By the addresses of their contexts.
static ENGINES: Mutex<BTreeMap<usize, Arc<Engine>>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// The engine that this thread has asked for last.
    static KNOWN: RefCell<Option<Arc<Engine>>> = const { RefCell::new(None) };
}

fn known(context: *mut glib::ffi::GMainContext) -> Option<Arc<Engine>> {
    // Nothing is remembered any more when a thread is ending.
    let known = KNOWN.try_with(|known| {
        known
            .borrow()
            .as_ref()
            .filter(|engine| engine.address.load(Ordering::Acquire) == context as usize)
            .cloned()
    });
    known.ok().flatten()
}

fn thread_default() -> *mut glib::ffi::GMainContext {
    // SAFETY: no arguments; NULL is the default context.
    let context = unsafe { glib::ffi::g_main_context_get_thread_default() };
    if context.is_null() {
        // SAFETY: never freed.
        return unsafe { glib::ffi::g_main_context_default() };
    }
    context
}

impl Engine {
    /// The engine of the calling thread's thread-default context.
    pub(crate) fn current() -> Arc<Self> {
        let context = thread_default();
        known(context).unwrap_or_else(|| {
            // SAFETY: thread-default contexts are kept by their thread.
            Self::of(&unsafe { from_glib_none(context) })
        })
    }

    /// Whether [`current`](Self::current) is this one.
    pub(crate) fn is_current(&self) -> bool {
        self.address.load(Ordering::Acquire) == thread_default() as usize
    }

    pub(crate) fn of(context: &glib::MainContext) -> Arc<Self> {
        let pointer: *mut glib::ffi::GMainContext = context.to_glib_none().0;
        if let Some(known) = known(pointer) {
            return known;
        }
        let engine = ENGINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(pointer as usize)
            .or_insert_with(|| Self::new(context))
            .clone();
        let before = KNOWN.try_with(|known| known.replace(Some(engine.clone())));
        drop(before);
        engine
    }

    fn new(context: &glib::MainContext) -> Arc<Self> {
        let pointer: *mut glib::ffi::GMainContext = context.to_glib_none().0;
        let engine = Arc::new_cyclic(|this| Self {
            this: this.clone(),
            core: Core::new(PlatformPoller::new()),
            portable: super::is_portable(),
            place: Mutex::new(None),
            address: AtomicUsize::new(pointer as usize),
            ended: AtomicBool::new(false),
            belonging: Belonging::here(),
            tasks: Mutex::new(Slab::new()),
            woken: Mutex::default(),
            _living: Living::default(),
            noticed: AtomicBool::new(false),
            hosted: AtomicI32::new(-1),
            folds: AtomicBool::new(false),
            lent: Lent::default(),
            local: OwnerCell::default(),
        });
        if let Some(turn) = Turn::enter(&engine) {
            let lane = turn.open(glib::Priority::DEFAULT);
            let collector = collector::source(&engine);
            *engine.place() = Some(Place {
                context: pointer,
                lane: lane.clone(),
            });
            collector.attach(context);
            lane.attach(context);
        }
        if super::folds_polls() {
            engine.fold_from_the_beginning(context);
        }
        engine
    }

    pub(super) fn this(&self) -> Arc<Self> {
        // Whoever calls has it from a strong reference.
        self.this.upgrade().expect("alive while it is used")
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context, if the calling thread owns it: it keeps it, then.
    fn owned_context(&self) -> Option<glib::MainContext> {
        let place = self.place();
        let context = place.as_ref()?.context;
        // SAFETY: the lock keeps it from going.
        let is_owner = unsafe { glib::ffi::g_main_context_is_owner(context) };
        // SAFETY: likewise; who owns a context has a reference to it.
        (is_owner != glib::ffi::GFALSE).then(|| unsafe { from_glib_none(context) })
    }

    /// Whether the calling thread owns the context, and so may wait for what the engine reports.
    pub(crate) fn is_owned_here(&self) -> bool {
        Turn::of(self).is_some() || self.owned_context().is_some()
    }

    /// Makes the context look at its sources.
    pub(crate) fn notice(&self) {
        if self.noticed.swap(true, Ordering::AcqRel) {
            return;
        }
        interleave();
        let place = self.place();
        // Taken in meanwhile: nothing would take the ready time back.
        if !self.noticed.load(Ordering::Acquire) {
            return;
        }
        // Not g_main_context_wakeup(), which complains when the context has begun to go. The lock keeps that
        // from coming to its end meanwhile.
        if let Some(place) = &*place {
            place.lane.set_ready_time(Some(0));
        }
    }

    // --- Tasks ---------------------------------------------------------------------------------

    /// Runs `future` at `priority`, its first poll in a later turn. When the context is destroyed
    /// first, the future is dropped.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        priority: glib::Priority,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Spawned {
        let task: Arc<dyn Runnable> = self.new_task(priority, future);
        let spawned = Spawned(Arc::downgrade(&task));
        // Not now: answered in the iteration in which it was asked, a GTask makes a detour.
        self.put_off(task);
        spawned
    }

    /// Likewise, for one who is not polled at all before he has something to do, if he knows that he has to
    /// wait. `soon`: else in this turn already.
    pub(crate) fn start(
        self: &Arc<Self>,
        priority: glib::Priority,
        future: impl Begin + Send + 'static,
        soon: bool,
    ) {
        let task = self.new_task(priority, future);
        // Elsewhere others may be at what it would look at.
        if Turn::of(self).is_some() && task.begin() {
            return;
        }
        if soon {
            self.queue_new(task);
        } else {
            self.put_off(task);
        }
    }

    fn new_task<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        priority: glib::Priority,
        future: F,
    ) -> Arc<Task<F>> {
        let mut made = None;
        self.tasks().insert_with(|key| {
            let task = Task::new(self.clone(), key, priority, future);
            made = Some(task.clone());
            task
        });
        made.unwrap_or_else(|| unreachable!("the slab has called for it"))
    }

    /// Runs `f` in a turn, when `moment` has come.
    pub(crate) fn at(
        self: &Arc<Self>,
        moment: Option<Moment>,
        f: impl FnOnce() + Send + 'static,
    ) -> Spawned {
        let mut sleep = moment.map(|moment| Sleep::until(moment, self));
        let mut f = Some(f);
        self.spawn(
            glib::Priority::DEFAULT,
            poll_fn(move |cx| {
                if sleep
                    .as_mut()
                    .is_some_and(|sleep| sleep.poll(cx).is_pending())
                {
                    return Poll::Pending;
                }
                if let Some(f) = f.take() {
                    f();
                }
                Poll::Ready(())
            }),
        )
    }

    fn tasks(&self) -> MutexGuard<'_, Slab<Arc<dyn Runnable>>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget_task(&self, key: Key) {
        let task = self.tasks().remove(key);
        drop(task);
    }

    /// To run as soon as it is its turn.
    pub(super) fn queue(&self, task: Arc<dyn Runnable>) {
        match Turn::of(self) {
            Some(turn) => turn.queue(task),
            // The end has it in its list, and drops its future where that may be.
            None => drop(self.queue_from_elsewhere(task)),
        }
    }

    /// A task that nobody knows yet.
    fn queue_new(&self, task: Arc<dyn Runnable>) {
        match Turn::of(self) {
            Some(turn) => turn.queue(task),
            None => self.put_off(task),
        }
    }

    /// To run in the next round.
    pub(super) fn put_off(&self, task: Arc<dyn Runnable>) {
        match Turn::of(self) {
            Some(turn) => turn.put_off(task),
            None => {
                if let Some(refused) = self.queue_from_elsewhere(task) {
                    refused.cancel();
                }
            }
        }
    }

    /// Hands the task back when the context is gone, or going.
    fn queue_from_elsewhere(&self, task: Arc<dyn Runnable>) -> Option<Arc<dyn Runnable>> {
        {
            let mut woken = self.woken();
            if self.is_ended() {
                return Some(task);
            }
            woken.push(task);
        }
        interleave();
        self.notice();
        None
    }

    fn woken(&self) -> MutexGuard<'_, Vec<Arc<dyn Runnable>>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_woken(&self) -> bool {
        self.noticed.load(Ordering::Acquire)
    }

    /// What was woken outside of turns since the last time.
    pub(super) fn take_woken(&self) -> Vec<Arc<dyn Runnable>> {
        {
            let place = self.place();
            if let Some(place) = &*place {
                place.lane.set_ready_time(None);
            }
            // In this order: what comes in between makes the context look once more.
            self.noticed.swap(false, Ordering::AcqRel);
        }
        interleave();
        std::mem::take(&mut *self.woken())
    }

    // --- Descriptors ---------------------------------------------------------------------------

    /// Has `fd` watched until it is removed, from any thread. `fd` stays open meanwhile; the engine has
    /// [looked](Self::look_at_birthplace) where it is.
    pub(crate) fn register(
        self: &Arc<Self>,
        fd: RawFd,
        observer: Weak<dyn Observer>,
        purpose: Purpose,
    ) -> Arc<Registration> {
        let registration = self.core.insert(fd, observer, purpose);
        #[cfg(test)]
        if super::clock::simulated::NOW.get().is_some() {
            // The kernel is simulated too: see `simulation::looped`.
            return registration;
        }
        if self.portable || self.core.poller.add(fd, registration.key).is_err() {
            // Also where there is no descriptor left for an epoll instance.
            self.watch_by_source(&registration);
        } else if self.hosted.load(Ordering::Acquire) != self.core.poller.number()
            && Turn::of(self).is_none()
        {
            self.notice();
        }
        if self.is_ended() {
            self.remove(&registration, true);
        }
        registration
    }

    fn watch_by_source(self: &Arc<Self>, registration: &Arc<Registration>) {
        let source = registration
            .source
            .get_or_init(|| FdSource::new(self, registration));
        if let Some(context) = self.owned_context() {
            return source.attach(&context);
        }
        // Only its owner may attach to a context that nobody keeps.
        let (engine, registration) = (Arc::downgrade(self), registration.clone());
        self.at(None, move || {
            if let Some(engine) = engine.upgrade()
                && let (Some(context), Some(source)) =
                    (engine.owned_context(), registration.source.get())
                && !registration.is_ended()
            {
                source.attach(&context);
            }
        });
    }

    /// Has the observer told when the peer goes, from now on. Answers whether it may be gone already.
    pub(crate) fn watch(&self, registration: &Registration) -> bool {
        let may_be_gone = registration.watch();
        if registration.source.get().is_some() && Turn::of(self).is_none() {
            // It is asked for at the next wait of the context.
            self.notice();
        }
        may_be_gone
    }

    /// Ends the registration and wakes who waits for it. `is_open`: its descriptor still is the one that
    /// was registered.
    pub(crate) fn remove(self: &Arc<Self>, registration: &Arc<Registration>, is_open: bool) {
        let mut called = VecDeque::new();
        if self.core.remove(registration, &mut called) {
            if registration.source.get().is_some() {
                self.stop_watching_by_source(registration);
            } else if is_open {
                self.core.poller.remove(registration.fd);
            }
        }
        called.into_iter().for_each(call);
    }

    fn stop_watching_by_source(self: &Arc<Self>, registration: &Arc<Registration>) {
        let stop = |registration: &Registration| {
            if let Some(source) = registration.source.get() {
                source.destroy();
            }
        };
        if self.owned_context().is_some() {
            return stop(registration);
        }
        // From another thread it would race with the end of the context.
        let registration = registration.clone();
        self.at(None, move || stop(&registration));
    }

    /// What a source of its own has seen of a descriptor.
    pub(super) fn report(self: &Arc<Self>, registration: &Arc<Registration>, events: Events) {
        let mut called = VecDeque::new();
        registration.report(events, &mut called);
        called.into_iter().for_each(call);
        if registration.watches() && events.has(Events::GONE) {
            self.tell_departure(registration.clone(), events);
        }
    }

    pub(super) fn tell_departure(
        self: &Arc<Self>,
        registration: Arc<Registration>,
        events: Events,
    ) {
        self.at(None, move || {
            if !registration.is_ended()
                && let Some(observer) = registration.observer.upgrade()
            {
                observer.departed(events);
            }
        });
    }

    /// Looks now and then whether somebody has closed what `observer` uses without a word.
    pub(crate) fn watch_lent(&self, observer: Weak<dyn Observer>) {
        self.lent.add(observer);
        if Turn::of(self).is_none() {
            self.notice();
        }
    }

    // --- Moments -------------------------------------------------------------------------------

    /// Wakes `waker` when `moment` has come.
    pub(crate) fn set_timer(&self, moment: Moment, waker: &Waker) -> TimerKey {
        let (key, is_first) = self.core.set_timer(moment, waker);
        if is_first && Turn::of(self).is_none() {
            self.notice();
        }
        key
    }

    // --- Simulations ---------------------------------------------------------------------------

    /// Whether its context would look at its sources without waiting.
    #[cfg(test)]
    pub(super) fn is_awake(&self) -> bool {
        let lane = self.place().as_ref().map(|place| place.lane.clone());
        lane.is_some_and(|lane| lane.ready_time().is_some())
    }

    #[cfg(test)]
    pub(super) fn has_tasks(&self) -> bool {
        !self.tasks().is_empty()
    }

    // --- The end -------------------------------------------------------------------------------

    /// In a child process the poller is the parent's, and so is what is registered with it.
    pub(crate) fn look_at_birthplace(&self) {
        if !self.belonging.moves() {
            return;
        }
        self.core.poller.close();
        let (registrations, called) = self.core.clear();
        for registration in registrations {
            if let Some(source) = registration.source.get() {
                source.destroy();
            }
        }
        // The context waits as it did before.
        self.folds.store(false, Ordering::Release);
        called.into_iter().for_each(call);
    }

    /// The context is going.
    pub(super) fn end(&self) {
        let address = self.address.swap(0, Ordering::AcqRel);
        // A new context may have the address already only once this one is gone, which waits for us.
        let this = ENGINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&address);
        let place = self.place().take();
        {
            let _woken = self.woken();
            self.ended.store(true, Ordering::Release);
        }
        interleave();
        let woken = std::mem::take(&mut *self.woken());
        let tasks = self.tasks().take_all();
        for task in &tasks {
            task.cancel();
        }
        interleave();
        let (registrations, mut called) = self.core.clear();
        called.extend(self.core.clear_timers());
        let local = Turn::enter(self).map(|turn| turn.close());
        if let Some(local) = &local {
            local.destroy_lanes();
        }
        self.core.poller.close();
        called.into_iter().for_each(call);
        drop((woken, tasks, registrations, local, place, this));
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("address", &self.address)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// A task that was spawned. It runs on when this is dropped.
#[derive(Clone)]
pub(crate) struct Spawned(Weak<dyn Runnable>);

impl Spawned {
    /// Drops the future: on this thread, now or, when it is being polled, right after that.
    pub(crate) fn cancel(&self) {
        if let Some(task) = self.0.upgrade() {
            task.cancel();
        }
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").finish_non_exhaustive()
    }
}
