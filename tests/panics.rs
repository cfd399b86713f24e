//! A panic in whatever C calls ends there: each test goes by some of the library's fences, is green by itself, and the net
//! of panics runs it again for each fence that it comes by, with a panic there.
//!
//! See `.ci/nets/panics.sh`, and `src/fence.rs`. Then too each operation is answered once, somebody is told (by the error
//! `Failed`, or by a critical message), nothing hangs, and what was connected is closed in the end.

// Without debug assertions there is nothing to strike.
#![cfg(all(test, debug_assertions))]
#![allow(unsafe_code, reason = "calls slots and functions as C does")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "io_stream_adapter/tools.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod pipes;
#[path = "panics/scene.rs"]
mod scene;

#[path = "panics/adapters.rs"]
mod adapters;
#[path = "panics/connecting.rs"]
mod connecting;
#[path = "panics/ends.rs"]
mod ends;
#[path = "panics/handlers.rs"]
mod handlers;
#[path = "panics/serving.rs"]
mod serving;
#[path = "panics/streams.rs"]
mod streams;
#[path = "panics/tasks.rs"]
mod tasks;
