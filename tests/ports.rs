//! Programs of the kind that use GIO's sockets, worked out twice, on gio-rs and on gsock: `examples/` has both, and here
//! each does the same.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "socket options, and signals to processes of ours"
)]

mod support;

#[path = "ports/imap.rs"]
mod imap;
#[path = "ports/json_ipc.rs"]
mod json_ipc;
#[path = "ports/kde_link.rs"]
mod kde_link;
