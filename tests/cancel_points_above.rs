//! The operations above the connection: listeners, services, clients, frames, reconnectors, adapters, halves, tasks. Each is
//! cancelled, dropped, closed and given up after every poll and every iteration, and what it took is not lost.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "a type of the tests' own"
)]
#![allow(
    unsafe_code,
    reason = "closes objects on another thread, as C may, and looks at sources and handlers"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "functions of C's interfaces, called by GIO with live arguments"
)]

mod support;

#[path = "cancel_points/points.rs"]
mod points;

#[path = "cancel_points_above/play.rs"]
mod play;
#[path = "cancel_points_above/room.rs"]
mod room;
#[path = "cancel_points_above/stage.rs"]
mod stage;

#[path = "socket_client/tools.rs"]
#[allow(dead_code, reason = "these tests need its resolver")]
mod tools;

#[path = "io_stream_adapter/tools.rs"]
#[allow(dead_code, reason = "these tests need its pipe")]
mod pipes;

#[path = "cancel_points_above/accepting.rs"]
mod accepting;
#[path = "cancel_points_above/adapting.rs"]
mod adapting;
#[path = "cancel_points_above/connecting.rs"]
mod connecting;
#[path = "cancel_points_above/framing.rs"]
mod framing;
#[path = "cancel_points_above/halving.rs"]
mod halving;
#[path = "cancel_points_above/reconnecting.rs"]
mod reconnecting;
#[path = "cancel_points_above/serving.rs"]
mod serving;
#[path = "cancel_points_above/through_proxies.rs"]
mod through_proxies;
#[path = "cancel_points_above/wrapping.rs"]
mod wrapping;
