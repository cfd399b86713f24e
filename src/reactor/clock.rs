//! The monotonic clock, which a simulation sets.

use super::timers::Moment;

/// In microseconds.
#[inline]
pub(crate) fn now() -> Moment {
    #[cfg(test)]
    if let Some(now) = simulated::NOW.get() {
        return now;
    }
    glib::monotonic_time()
}

#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::Cell;

    use super::Moment;

    thread_local! {
        /// On this thread, in place of the system's.
        pub(crate) static NOW: Cell<Option<Moment>> = const { Cell::new(None) };
    }
}
