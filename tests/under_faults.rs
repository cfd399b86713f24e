//! What system calls that fail lead to: each test is green by itself, and the drivers' net runs it again for
//! each call that it makes, each errno of that call's manual page, at the first, middle and last occurrence.
//!
//! See `.ci/nets/faults.sh`. An operation then succeeds with the bytes unharmed, or fails with the code that the
//! errno has; it calls back once, nothing hangs, panics or is logged as critical, and nothing is left behind.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "starts operations as C does, and calls the shim"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "under_faults/ends.rs"]
mod ends;
#[path = "under_faults/scene.rs"]
mod scene;
#[path = "under_faults/started.rs"]
mod started;
#[path = "unix_connection/messages.rs"]
mod unix_messages;

#[path = "under_faults/accepting.rs"]
mod accepting;
#[path = "under_faults/client.rs"]
mod client;
#[path = "under_faults/closing.rs"]
mod closing;
#[path = "under_faults/connecting.rs"]
mod connecting;
#[path = "under_faults/framing.rs"]
mod framing;
#[path = "under_faults/layers.rs"]
mod layers;
#[path = "under_faults/listening.rs"]
mod listening;
#[path = "under_faults/making.rs"]
mod making;
#[path = "under_faults/passing.rs"]
mod passing;
#[path = "under_faults/reading.rs"]
mod reading;
#[path = "under_faults/reconnecting.rs"]
mod reconnecting;
#[path = "under_faults/relaying.rs"]
mod relaying;
#[path = "under_faults/serving.rs"]
mod serving;
#[path = "under_faults/through.rs"]
mod through;
#[path = "under_faults/writing.rs"]
mod writing;
