//! What `SocketService` promises: what it hands out and where, how it is started, stopped and closed, what it says
//! when it cannot accept.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "C calls from any thread, which Rust's wrappers refuse"
)]

mod support;

#[path = "socket_service/derived.rs"]
mod derived;
#[path = "socket_service/draining.rs"]
mod draining;
#[path = "socket_service/ending.rs"]
mod ending;
#[path = "socket_service/failing.rs"]
mod failing;
#[path = "socket_service/incoming.rs"]
mod incoming;
#[path = "socket_service/many.rs"]
mod many;
#[path = "socket_service/references.rs"]
mod references;
#[path = "socket_service/starting.rs"]
mod starting;
#[path = "socket_service/tools.rs"]
mod tools;
