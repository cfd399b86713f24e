//! What must be true of a connection over a Unix socket: descriptors and credentials that it passes.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "messages made by hand, and connections on several threads as C may use them"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "messages made by hand, and calls of C functions with arguments converted in place"
)]

mod support;

#[path = "streams/tools.rs"]
#[allow(unused_macros, reason = "for the tests of the streams")]
mod tools;

#[path = "unix_connection/messages.rs"]
mod unix_messages;
#[path = "unix_connection/tools.rs"]
mod unix_tools;

#[path = "unix_connection/credentials.rs"]
mod credentials;
#[path = "unix_connection/derived.rs"]
mod derived;
#[path = "unix_connection/descriptors.rs"]
mod descriptors;
#[path = "unix_connection/ends.rs"]
mod ends;
#[path = "unix_connection/interop.rs"]
mod interop;
#[path = "unix_connection/packets.rs"]
mod packets;
#[path = "unix_connection/results.rs"]
mod results;
#[path = "unix_connection/the_class.rs"]
mod the_class;
#[path = "unix_connection/waiting.rs"]
mod waiting;
