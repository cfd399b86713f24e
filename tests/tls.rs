//! TLS by GIO's own library, glib-networking, over GIO's class and over ours.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls GIO's C functions, and uses connections on several threads as C may"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call and the conversion of what it returns"
)]

mod support;

#[path = "streams/tools.rs"]
#[allow(unused_macros, reason = "for the tests of the streams")]
mod tools;

#[path = "parity/under.rs"]
#[allow(dead_code, unused_macros, reason = "for the parity tests")]
mod under;

#[path = "plumbing/pairs.rs"]
mod pairs;
#[path = "tls/scene.rs"]
mod scene;

#[path = "tls/certificates.rs"]
mod certificates;
#[path = "tls/data.rs"]
mod data;
#[path = "tls/ends.rs"]
mod ends;
#[path = "tls/handshake.rs"]
mod handshake;
#[path = "tls/sessions.rs"]
mod sessions;
#[path = "tls/starttls.rs"]
mod starttls;
#[path = "tls/waits.rs"]
mod waits;
