//! Connections where GIO and what is built on it take any `GIOStream`: splices, streams around streams,
//! subprocesses, proxies, libsoup.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls C functions, and uses connections on several threads as C may"
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

#[path = "parity/apart.rs"]
#[allow(dead_code, reason = "for the parity tests")]
mod apart;

#[path = "plumbing/pairs.rs"]
#[allow(dead_code, reason = "for the tests of TLS")]
mod pairs;

#[path = "tls/scene.rs"]
#[allow(dead_code, reason = "for the tests of TLS")]
mod scene;

#[path = "plumbing/buffered.rs"]
mod buffered;
#[path = "plumbing/converted.rs"]
mod converted;
#[path = "plumbing/gio_rs.rs"]
mod gio_rs;
#[path = "plumbing/http.rs"]
mod http;
#[path = "plumbing/insists.rs"]
mod insists;
#[path = "plumbing/lines.rs"]
mod lines;
#[path = "plumbing/soup.rs"]
mod soup;
#[path = "plumbing/spliced.rs"]
mod spliced;
#[path = "plumbing/subprocess.rs"]
mod subprocess;
#[path = "plumbing/websocket.rs"]
mod websocket;
