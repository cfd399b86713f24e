//! Cancelling, dropping, closing and a nested main loop, after every poll and every iteration of every operation.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "a type of the tests' own"
)]
#![allow(
    unsafe_code,
    reason = "starts the operations as C does, and looks at descriptors, sources and handlers"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "faults/tools.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod tools;

#[path = "unix_connection/messages.rs"]
mod unix_messages;

#[path = "cancel_points/asynchronous.rs"]
mod asynchronous;
#[path = "cancel_points/blocking.rs"]
mod blocking;
#[path = "cancel_points/counting.rs"]
mod counting;
#[path = "cancel_points/derived.rs"]
mod derived;
#[path = "cancel_points/effects.rs"]
mod effects;
#[path = "cancel_points/expected.rs"]
mod expected;
#[path = "cancel_points/lines.rs"]
mod lines;
#[path = "cancel_points/operations.rs"]
mod operations;
#[path = "cancel_points/points.rs"]
mod points;
#[path = "cancel_points/scene.rs"]
mod scene;
