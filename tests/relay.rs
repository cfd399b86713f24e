//! Two connections joined: what one peer sends the other one gets, ends and failures included.

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
#[allow(unused_macros, reason = "the tests of streams need them")]
mod tools;

#[path = "halves/polling.rs"]
mod polling;

#[path = "relay/parties.rs"]
mod parties;

#[path = "relay/bytes.rs"]
mod bytes;
#[path = "relay/ends.rs"]
mod ends;
#[path = "relay/failures.rs"]
mod failures;
#[path = "relay/room.rs"]
mod room;
#[path = "relay/timeouts.rs"]
mod timeouts;
#[path = "relay/wrapped.rs"]
mod wrapped;
