//! What must be true of a connection over TCP: how it closes gracefully, and its socket's options.

#![cfg(test)]
#![allow(unsafe_code, reason = "raw socket options, and a dispose by hand")]

mod support;

#[path = "tcp_connection/tools.rs"]
mod tools;

#[path = "tcp_connection/derived.rs"]
mod derived;
#[path = "tcp_connection/dropping.rs"]
mod dropping;
#[path = "tcp_connection/graceful.rs"]
mod graceful;
#[path = "tcp_connection/limits.rs"]
mod limits;
#[path = "tcp_connection/options.rs"]
mod options;
