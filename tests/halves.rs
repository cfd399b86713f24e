//! Reading and writing in futures: by halves, by the traits of futures-io, by the direct entry.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "types of the tests' own"
)]
#![allow(
    unsafe_code,
    reason = "the tools of the streams' tests call GIO's C functions"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call and the conversion of what it returns, in those tools"
)]

mod support;

#[path = "streams/tools.rs"]
#[macro_use]
mod tools;

#[path = "halves/polling.rs"]
mod polling;

#[path = "halves/cancel_safety.rs"]
mod cancel_safety;
#[path = "halves/direct.rs"]
mod direct;
#[path = "halves/ends.rs"]
mod ends;
#[path = "halves/lifetime.rs"]
mod lifetime;
#[path = "halves/others.rs"]
mod others;
#[path = "halves/reading.rs"]
mod reading;
#[path = "halves/threads.rs"]
mod threads;
#[path = "halves/timeouts.rs"]
mod timeouts;
#[path = "halves/traits.rs"]
mod traits;
#[path = "halves/writing.rs"]
mod writing;
