//! What must be true of a connection around another stream: whose streams it has, and in which order it closes.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "a base stream that several threads use, as GIO's default closes do; transfers as C starts them"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one of two calls of the same arguments"
)]

mod support;

#[path = "tcp_wrapper_connection/tools.rs"]
mod tools;

#[path = "tcp_wrapper_connection/bytes.rs"]
mod bytes;
#[path = "tcp_wrapper_connection/closing.rs"]
mod closing;
#[path = "tcp_wrapper_connection/dropping.rs"]
mod dropping;
#[path = "tcp_wrapper_connection/graceful.rs"]
mod graceful;
#[path = "tcp_wrapper_connection/points.rs"]
mod points;
#[path = "tcp_wrapper_connection/the_class.rs"]
mod the_class;
#[path = "tcp_wrapper_connection/tls.rs"]
mod tls;
