//! What `ThreadedSocketService` promises: where and how many connections are served, what becomes of them, and of
//! the service.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "C calls from any thread, which Rust's wrappers refuse"
)]

mod support;

#[path = "threaded_socket_service/derived.rs"]
mod derived;
#[path = "threaded_socket_service/draining.rs"]
mod draining;
#[path = "threaded_socket_service/handing_over.rs"]
mod handing_over;
#[path = "threaded_socket_service/limits.rs"]
mod limits;
#[path = "threaded_socket_service/references.rs"]
mod references;
#[path = "threaded_socket_service/running.rs"]
mod running;
#[path = "threaded_socket_service/stopping.rs"]
mod stopping;
#[path = "socket_service/tools.rs"]
#[allow(dead_code, reason = "threads need a part of it")]
mod tools;
