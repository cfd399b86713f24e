//! Waiting on a main context: the only place of the crate that makes `GSource`s.
//!
//! * [`source`]: an event source whose dispatch runs a closure;
//! * [`task`]: a future driven by one source of its own, at the priority of its operation;
//! * [`wait`]: waiting for a descriptor or a moment, from a future or by blocking.
//!
//! This is the portable back end: one source for each operation that waits, the descriptor hosted
//! in that source. It knows nothing of sockets.

mod source;
mod task;
mod wait;

pub(crate) use source::{Events, FdTag, Source};
pub(crate) use task::{Answer, Local, spawn};
pub(crate) use wait::{
    CancelWatch, FdWait, Gone, Interest, block_on_events, blocking_waker, earlier,
};
