//! The parity scenarios of connecting, on GIO's classes once these are adopted: GIO connects the socket itself, and that
//! stays as it is, also where ours differs.

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

#[path = "parity/connecting.rs"]
mod connecting;
#[path = "adopt_parity/stays.rs"]
mod differs;
