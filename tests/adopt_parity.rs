//! The parity scenarios on GIO's classes once these are adopted: what is said of GIO's class holds, and where ours
//! differs they are as ours.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls GIO's C functions, and uses connections on several threads as C may"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call and the conversion of what it returns"
)]
#![allow(dead_code, reason = "the side of ours is not run here")]

mod support;

#[path = "streams/tools.rs"]
#[allow(unused_macros, reason = "for the tests of the streams")]
mod tools;

#[path = "parity/under.rs"]
#[macro_use]
#[allow(
    unused_macros,
    reason = "this file has a macro of that name of its own"
)]
mod under;

#[path = "adopt_parity/adopted.rs"]
#[macro_use]
mod adopted;

#[path = "parity/by_hand.rs"]
mod by_hand;
#[path = "parity/classes.rs"]
mod classes;
#[path = "adopt_parity/differs.rs"]
mod differs;
#[path = "parity/facts.rs"]
mod facts;
#[path = "parity/input.rs"]
mod input;
#[path = "parity/io_stream.rs"]
mod io_stream;
#[path = "parity/matrix.rs"]
mod matrix;
#[path = "parity/output.rs"]
mod output;
#[path = "parity/pollable.rs"]
mod pollable;
#[path = "parity/results.rs"]
mod results;
#[path = "parity/sockets.rs"]
mod sockets;
#[path = "parity/splice.rs"]
mod splice;
#[path = "parity/states.rs"]
mod states;
#[path = "parity/tasks.rs"]
mod tasks;
#[path = "parity/tcp.rs"]
mod tcp;
