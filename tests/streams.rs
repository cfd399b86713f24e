//! The two streams of a connection, through GIO's own functions and gio-rs' traits.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls GIO's C functions, and uses streams on several threads as C may"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call and the conversion of what it returns"
)]

mod support;

#[path = "streams/tools.rs"]
#[macro_use]
mod tools;

#[path = "streams/asynchronous.rs"]
mod asynchronous;
#[path = "streams/blocking.rs"]
mod blocking;
#[path = "streams/cancelling.rs"]
mod cancelling;
#[path = "streams/ends.rs"]
mod ends;
#[path = "streams/in_a_turn.rs"]
mod in_a_turn;
#[path = "streams/kinds.rs"]
mod kinds;
#[path = "streams/layers.rs"]
mod layers;
#[path = "streams/nonblocking.rs"]
mod nonblocking;
#[path = "streams/sources.rs"]
mod sources;
#[path = "streams/timeouts.rs"]
mod timeouts;
#[path = "streams/transfers.rs"]
mod transfers;
