//! A turn of an engine: the time in which one thread, which owns its context, is at it.

#![allow(
    unsafe_code,
    reason = "a cell whose holder is checked; the thread-default context"
)]

use std::{
    cell::RefCell,
    marker::PhantomData,
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use glib::translate::ToGlibPtr;

use super::{
    clock::now,
    core::Found,
    engine::Engine,
    events::Events,
    lane::{Lane, Queue},
    queue::ReadyQueue,
    registration::Registration,
    source::Source,
    task::Runnable,
    waiters::call,
};
use crate::thread;

/// After how many steps at most a turn asks for the time again.
const STEPS: usize = 64;
/// How many lanes there may be before those that nobody needs are given up.
const LANES: usize = 8;
/// How long a turn may take, in microseconds, when there are others.
const SLICE: i64 = 1_000;
/// How often a turn looks for more before it lets others have theirs.
const LOOKS: usize = 64;
/// How many turns do not look again after some have done so for nothing.
const REST: i32 = -32;
/// A look that finds something spares an iteration of the context, which costs as much as so many looks.
const GAIN: i32 = 4;
/// What was gained by looking again counts for so much at most.
const MOST: i32 = 64;

/// What belongs to whoever has a turn.
#[derive(Debug, Default)]
pub(super) struct LocalState {
    lanes: Vec<Lane>,
    /// Whether looking again for what the tasks have caused has paid lately.
    score: i32,
    /// The poller had more to say than fits into a batch.
    has_more: bool,
}

impl LocalState {
    pub(super) fn destroy_lanes(&self) {
        for lane in &self.lanes {
            lane.source.destroy();
        }
    }

    fn lane(&mut self, priority: glib::Priority) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.priority == priority)
    }
}

/// State that one thread has at a time, by a turn.
pub(super) struct OwnerCell {
    /// The thread that has it, or [`NOBODY`].
    holder: AtomicUsize,
    state: RefCell<LocalState>,
    /// What has come of looking, for as long as it is dealt with; kept for its memory.
    found: RefCell<Found>,
}

impl Default for OwnerCell {
    fn default() -> Self {
        Self {
            holder: AtomicUsize::new(NOBODY),
            state: RefCell::default(),
            found: RefCell::default(),
        }
    }
}

/// No thread's number.
const NOBODY: usize = usize::MAX;

// SAFETY: the state is reached through a `Turn` only, which one thread has at a time.
unsafe impl Sync for OwnerCell {}

/// See the module's documentation.
pub(super) struct Turn<'a> {
    engine: &'a Engine,
    /// This is the outermost one of the thread.
    is_outermost: bool,
    _thread: PhantomData<*const ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_outermost {
            self.engine.local.holder.store(NOBODY, Ordering::Release);
        }
    }
}

impl<'a> Turn<'a> {
    /// `None` while another thread is at it, which no context lets happen that is left to its owner.
    pub(super) fn enter(engine: &'a Engine) -> Option<Self> {
        let here = thread::here();
        let holder = &engine.local.holder;
        let is_outermost =
            match holder.compare_exchange(NOBODY, here, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => true,
                Err(holder) if holder == here => false,
                Err(_) => return None,
            };
        Some(Self {
            engine,
            is_outermost,
            _thread: PhantomData,
        })
    }

    /// The turn that the calling thread has already.
    pub(super) fn of(engine: &'a Engine) -> Option<Self> {
        let here = thread::here();
        (engine.local.holder.load(Ordering::Relaxed) == here).then_some(Self {
            engine,
            is_outermost: false,
            _thread: PhantomData,
        })
    }

    /// `f` calls nothing that may want the state itself.
    fn with<R>(&self, f: impl FnOnce(&mut LocalState) -> R) -> R {
        f(&mut self.engine.local.state.borrow_mut())
    }

    fn this(&self) -> Arc<Engine> {
        self.engine.this()
    }

    // --- Lanes ---------------------------------------------------------------------------------

    /// Makes the lane for `priority`; it runs once it is attached.
    pub(super) fn open(&self, priority: glib::Priority) -> Source {
        let lane = Lane::new(&self.this(), priority);
        let source = lane.source.clone();
        self.with(|state| state.lanes.push(lane));
        source
    }

    /// Sees to it that there is a lane of `priority`.
    fn ensure_lane(&self, priority: glib::Priority) {
        if self.with(|state| state.lane(priority).is_some()) {
            return;
        }
        self.give_up_lanes();
        let context = self.with(|state| state.lanes.first()?.source.context());
        if let Some(context) = context {
            self.open(priority).attach(&context);
        }
    }

    /// Somebody may use a new priority each time.
    fn give_up_lanes(&self) {
        let given_up: Vec<Lane> = self.with(|state| {
            if state.lanes.len() < LANES {
                return Vec::new();
            }
            // The first one is the context's own.
            let first = state.lanes.remove(0);
            let (idle, used) = mem::take(&mut state.lanes)
                .into_iter()
                .partition(|lane| lane.queue.is_empty());
            state.lanes = used;
            state.lanes.insert(0, first);
            idle
        });
        for lane in given_up {
            lane.source.destroy();
        }
    }

    pub(super) fn queue(&self, task: Arc<dyn Runnable>) {
        self.put(task, ReadyQueue::push);
    }

    pub(super) fn put_off(&self, task: Arc<dyn Runnable>) {
        self.put(task, ReadyQueue::put_off);
    }

    fn put(&self, task: Arc<dyn Runnable>, put: fn(&mut Queue, Arc<dyn Runnable>)) {
        let priority = task.priority();
        let try_to = |task| {
            self.with(|state| match state.lane(priority) {
                Some(lane) => {
                    put(&mut lane.queue, task);
                    None
                }
                None => Some(task),
            })
        };
        if let Some(task) = try_to(task) {
            self.ensure_lane(priority);
            // There is none when the context is going, and the task with it.
            drop(try_to(task));
        }
    }

    /// Takes in what was woken outside of turns, behind what the poller is about to wake: that has waited
    /// for longer.
    pub(super) fn take_in(&self) {
        if self.engine.has_woken() {
            for task in self.engine.take_woken() {
                self.put_off(task);
            }
        }
    }

    pub(super) fn has_ready(&self, priority: glib::Priority) -> bool {
        self.with(|state| {
            state
                .lane(priority)
                .is_some_and(|lane| !lane.queue.is_empty())
        })
    }

    /// For simulations: the source that a context would dispatch next of those that have ready tasks.
    #[cfg(test)]
    pub(super) fn most_urgent(&self) -> Option<(glib::Priority, Source)> {
        self.with(|state| {
            let ready = state.lanes.iter().filter(|lane| !lane.queue.is_empty());
            let lane = ready.min_by_key(|lane| lane.priority)?;
            Some((lane.priority, lane.source.clone()))
        })
    }

    // --- The poller and the clock --------------------------------------------------------------

    /// Takes in what the poller has to say; answers whether there was anything.
    pub(super) fn look(&self) -> bool {
        // A child process must not take what its parent waits for.
        self.engine.look_at_birthplace();
        let mut any = false;
        for look in 1.. {
            let ((found_any, has_more), departed) = {
                let mut found = self.engine.local.found.borrow_mut();
                let looked = self.engine.core.look(&mut found);
                (looked, mem::take(&mut found.departed))
            };
            any |= found_any;
            self.with(|state| state.has_more = has_more);
            self.call();
            self.tell_departures(departed);
            // The tasks of one batch run before the next is taken, while what belongs to them is at hand. Others'
            // tasks and sources have no turn of ours: with many of them an iteration is dear. What they cause in the
            // meantime is for the next one, or they would keep everybody waiting.
            if !has_more || self.has_the_most_urgent() || look > self.engine.core.batches() {
                break;
            }
        }
        any
    }

    /// Whether there are tasks that nothing which is still to be found can go before.
    fn has_the_most_urgent(&self) -> bool {
        self.with(|state| {
            let most_urgent = state.lanes.iter().min_by_key(|lane| lane.priority);
            most_urgent.is_some_and(|lane| !lane.queue.is_empty())
        })
    }

    /// Wakes those who were found, one by one: whoever is woken may have a turn of his own meanwhile.
    fn call(&self) {
        loop {
            let called = self.engine.local.found.borrow_mut().called.pop_front();
            match called {
                Some(waker) => call(waker),
                None => return,
            }
        }
    }

    fn tell_departures(&self, departed: Vec<(Arc<Registration>, Events)>) {
        if !departed.is_empty() {
            let engine = self.this();
            for (registration, events) in departed {
                engine.tell_departure(registration, events);
            }
        }
    }

    /// Wakes those whose moment has come.
    pub(super) fn fire(&self) {
        let core = &self.engine.core;
        if core.next_moment().is_some() {
            let now = now();
            if core.is_due(now) {
                core.fire(now, &mut self.engine.local.found.borrow_mut().called);
                self.call();
            }
        }
    }

    // --- Running -------------------------------------------------------------------------------

    /// What there is to do at `priority`, or a part of it when that would keep others waiting.
    pub(super) fn run(&self, priority: glib::Priority, source: &Source) {
        let _context = ThreadDefault::of(source);
        self.with(|state| {
            if let Some(lane) = state.lane(priority) {
                lane.queue.begin_round();
            }
        });
        let mut steps = Steps::begin();
        for look in 0.. {
            while let Some(task) = self.next(priority) {
                task.run();
                if steps.are_too_long() {
                    return;
                }
            }
            // What was put off brings the next iteration at once, which looks by itself.
            if look == LOOKS || self.has_ready(priority) || !self.pays_to_look() {
                return;
            }
            let any = self.look();
            self.note_look(any);
            if !any || steps.are_too_long() {
                return;
            }
        }
    }

    fn next(&self, priority: glib::Priority) -> Option<Arc<dyn Runnable>> {
        self.with(|state| {
            let is_outdone = |other: &Lane| other.priority < priority && !other.queue.is_empty();
            if state.lanes.len() > 1 && state.lanes.iter().any(is_outdone) {
                return None;
            }
            state.lane(priority)?.queue.pop()
        })
    }

    fn pays_to_look(&self) -> bool {
        self.with(|state| {
            if mem::take(&mut state.has_more) {
                return true;
            }
            if state.score < 0 {
                state.score += 1;
                return false;
            }
            true
        })
    }

    fn note_look(&self, any: bool) {
        self.with(|state| {
            state.score = match state.score {
                score if any => (score + GAIN).min(MOST),
                0 => REST,
                score => score - 1,
            };
        });
    }

    // --- The end -------------------------------------------------------------------------------

    /// Everything that there is, to be dropped where nobody has a turn.
    pub(super) fn close(&self) -> LocalState {
        self.with(mem::take)
    }
}

/// What a turn has done so far.
struct Steps {
    taken: usize,
    since: i64,
}

impl Steps {
    fn begin() -> Self {
        Self {
            taken: 0,
            since: now(),
        }
    }

    /// Counts one more. The time is asked for ever more rarely: short steps are many.
    fn are_too_long(&mut self) -> bool {
        self.taken += 1;
        let asks = self.taken.is_power_of_two() || self.taken.is_multiple_of(STEPS);
        asks && now() - self.since >= SLICE
    }
}

/// What the tasks start belongs to the context of their engine, as GTask has it around its callbacks.
struct ThreadDefault(Option<glib::MainContext>);

impl ThreadDefault {
    fn of(source: &Source) -> Self {
        let Some(context) = source.context() else {
            return Self(None);
        };
        let pointer: *mut glib::ffi::GMainContext = context.to_glib_none().0;
        // SAFETY: no arguments; NULL is the default context.
        let current = unsafe { glib::ffi::g_main_context_get_thread_default() };
        // SAFETY: never freed.
        let default = unsafe { glib::ffi::g_main_context_default() };
        if current == pointer || current.is_null() && pointer == default {
            return Self(None);
        }
        // SAFETY: a live context, which this thread owns while it dispatches.
        unsafe { glib::ffi::g_main_context_push_thread_default(pointer) };
        Self(Some(context))
    }
}

impl Drop for ThreadDefault {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            // SAFETY: pushed by this value; whoever has pushed another one has popped it.
            unsafe { glib::ffi::g_main_context_pop_thread_default(context.to_glib_none().0) };
        }
    }
}
