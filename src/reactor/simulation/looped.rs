//! A context and its engine, iterated by a simulation.

use std::sync::Arc;

use super::super::{
    clock::simulated::NOW, engine::Engine, events::Events, interleave, registration::Registration,
    timers::Moment, turn::Turn,
};

/// The number of a thread that there is not.
pub(crate) const ELSEWHERE: usize = usize::MAX / 2;

/// What a context does with the sources of its engine, without the context: its thread is this one.
pub(crate) struct Loop {
    context: glib::MainContext,
    pub(crate) engine: Arc<Engine>,
}

impl Loop {
    pub(crate) fn new() -> Self {
        let context = glib::MainContext::new();
        NOW.set(Some(1_000_000));
        let engine = Engine::of(&context);
        Self { context, engine }
    }

    /// Runs `f` where the context is the thread's default one.
    pub(crate) fn within(&self, f: impl FnOnce()) {
        let ran = self.context.with_thread_default(f);
        ran.expect("nobody else has it");
    }

    pub(crate) fn now() -> Moment {
        NOW.get().expect("set when it was made")
    }

    pub(crate) fn advance(time: Moment) {
        NOW.set(Some(Self::now() + time));
    }

    /// What the engine does between two looks of the context, as `f`: in a turn.
    pub(crate) fn in_turn<R>(&self, f: impl FnOnce() -> R) -> R {
        let _turn = Turn::enter(&self.engine).expect("this thread has it");
        f()
    }

    /// The engine's eyes, without the poller: answers whether it has taken in what was woken elsewhere.
    pub(crate) fn collect(&self) -> bool {
        let turn = Turn::enter(&self.engine).expect("this thread has it");
        let takes_in = self.engine.has_woken();
        turn.take_in();
        takes_in
    }

    pub(crate) fn fire(&self) {
        let turn = Turn::enter(&self.engine).expect("this thread has it");
        turn.fire();
    }

    /// The priority that a context would dispatch next.
    pub(crate) fn most_urgent(&self) -> Option<glib::Priority> {
        let turn = Turn::enter(&self.engine).expect("this thread has it");
        turn.most_urgent().map(|(priority, _)| priority)
    }

    pub(crate) fn run(&self, priority: glib::Priority) {
        interleave();
        let turn = Turn::enter(&self.engine).expect("this thread has it");
        let ready = turn.most_urgent();
        let (_, source) = ready
            .filter(|ready| ready.0 == priority)
            .expect("asked for a moment ago");
        turn.run(priority, &source);
    }

    /// What a kernel says of a descriptor.
    pub(crate) fn report(&self, registration: &Arc<Registration>, events: Events) {
        self.in_turn(|| self.engine.report(registration, events));
    }

    /// The first moment that somebody waits for.
    pub(crate) fn next_moment(&self) -> Option<Moment> {
        self.engine.core.next_moment()
    }

    /// Whether the context would not wait.
    pub(crate) fn is_awake(&self) -> bool {
        self.engine.is_awake()
            || self.engine.core.is_due(Self::now())
            || self.most_urgent().is_some()
    }

    /// The context goes, and its engine ends.
    pub(crate) fn end(self) {
        let Self { context, engine } = self;
        drop(context);
        assert!(engine.is_ended(), "the engine outlives its context");
        assert!(!engine.has_tasks(), "a task outlives the context");
        let left = engine.core.next_moment();
        assert_eq!(left, None, "a timer outlives the context");
    }
}
