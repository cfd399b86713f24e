//! Sequences of calls that nobody has thought of, beside a model that says what may come of each.
//!
//! A sequence that fails is made shorter while it still fails, and told with the line that plays it again. `CASES` is how
//! many there are in all, of which each test has its share, `FROM` the number of the first one.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "a connectable and an enumerator of the tests' own, which gio has no traits for"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "functions of C's interfaces, called by GIO with live arguments"
)]

mod support;

#[path = "model/client.rs"]
mod client;
#[path = "model/connection.rs"]
mod connection;
#[path = "model/listener.rs"]
mod listener;
#[path = "model/sequences.rs"]
mod sequences;
#[path = "model/service.rs"]
mod service;
#[path = "socket_client/tools.rs"]
#[allow(dead_code, reason = "some are for the tests of the client")]
mod tools;
