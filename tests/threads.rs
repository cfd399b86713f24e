//! Connections used by several threads at once, through GIO's C functions.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "C calls from any thread, which Rust's wrappers refuse"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "faults/tools.rs"]
#[allow(dead_code, reason = "threads need a part of it")]
mod tools;

#[path = "threads/at_once.rs"]
mod at_once;
#[path = "threads/blocked.rs"]
mod blocked;
#[path = "threads/cancelled.rs"]
mod cancelled;
#[path = "threads/closing.rs"]
mod closing;
#[path = "threads/contexts.rs"]
mod contexts;
#[path = "threads/last_reference.rs"]
mod last_reference;
#[path = "threads/loops.rs"]
mod loops;
#[path = "threads/moving.rs"]
mod moving;
#[path = "threads/nested.rs"]
mod nested;
#[path = "threads/properties.rs"]
mod properties;
#[path = "threads/raw.rs"]
mod raw;
#[path = "threads/waking.rs"]
mod waking;
