//! What many operations leave behind: no descriptor, no object, no task, no handler, no source.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls the objects as C does, and looks at their handlers"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "faults/tools.rs"]
#[allow(dead_code, reason = "leaks need a part of it")]
mod tools;

#[path = "socket_client/tools.rs"]
#[allow(
    dead_code,
    clippy::undocumented_unsafe_blocks,
    reason = "of the tests of the client, of which leaks need a part"
)]
mod client_tools;

#[path = "leaks/client.rs"]
mod client;
#[path = "leaks/counting.rs"]
mod counting;
#[path = "leaks/cycles.rs"]
mod cycles;
#[path = "leaks/failures.rs"]
mod failures;
#[path = "leaks/listener.rs"]
mod listener;
#[path = "leaks/sources.rs"]
mod sources;
