//! An engine's source for the tasks of one priority.

use std::{fmt, sync::Arc};

use super::{
    engine::Engine,
    queue::ReadyQueue,
    source::{Due, Handler, Source},
    task::Runnable,
    turn::Turn,
};

pub(super) type Queue = ReadyQueue<Arc<dyn Runnable>>;

/// See the module's documentation.
pub(super) struct Lane {
    pub(super) source: Source,
    pub(super) priority: glib::Priority,
    pub(super) queue: Queue,
}

impl Lane {
    pub(super) fn new(engine: &Arc<Engine>, priority: glib::Priority) -> Self {
        let handler = Arc::new(LaneHandler {
            engine: engine.clone(),
            priority,
        });
        Self {
            source: Source::with_handler(priority, handler, Box::new(())).named(c"gsock engine"),
            priority,
            queue: ReadyQueue::new(),
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

struct LaneHandler {
    engine: Arc<Engine>,
    priority: glib::Priority,
}

impl LaneHandler {
    fn has_ready(&self) -> bool {
        Turn::enter(&self.engine).is_some_and(|turn| turn.has_ready(self.priority))
    }
}

impl Handler for LaneHandler {
    fn prepare(&self, _source: &Source) -> Due {
        if self.has_ready() {
            Due::Now
        } else {
            Due::NotYet
        }
    }

    fn check(&self, _source: &Source) -> bool {
        self.has_ready()
    }

    fn dispatch(&self, source: &Source) -> bool {
        if let Some(turn) = Turn::enter(&self.engine) {
            turn.run(self.priority, source);
        }
        true
    }
}
