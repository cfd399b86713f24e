//! What bad input and faults lead to: the documented error, and nothing left behind.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls the objects as C does, and looks at their descriptors"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "faults/tools.rs"]
mod tools;

#[path = "faults/behind.rs"]
mod behind;
#[path = "faults/cancelling.rs"]
mod cancelling;
#[path = "faults/closing.rs"]
mod closing;
#[path = "faults/connecting.rs"]
mod connecting;
#[path = "faults/dropping.rs"]
mod dropping;
#[path = "faults/exchange.rs"]
mod exchange;
#[path = "faults/lookups.rs"]
mod lookups;
#[path = "faults/resets.rs"]
mod resets;
#[path = "faults/results.rs"]
mod results;
#[path = "faults/shutdown.rs"]
mod shutdown;
#[path = "faults/sockets.rs"]
mod sockets;
#[path = "faults/timeouts.rs"]
mod timeouts;
#[path = "faults/wakeups.rs"]
mod wakeups;
