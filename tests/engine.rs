//! Tasks on a main context: what becomes of them, and when they come.

#![cfg(test)]
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

#[path = "engine/contexts.rs"]
mod contexts;
#[path = "engine/executors.rs"]
mod executors;
#[path = "engine/handles.rs"]
mod handles;
#[path = "engine/many.rs"]
mod many;
#[path = "engine/nested.rs"]
mod nested;
#[path = "engine/order.rs"]
mod order;
#[path = "engine/poll_function.rs"]
mod poll_function;
#[path = "engine/poll_function_by_hand.rs"]
mod poll_function_by_hand;
#[path = "engine/poll_function_set.rs"]
mod poll_function_set;
#[path = "engine/wakes.rs"]
mod wakes;
