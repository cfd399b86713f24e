//! Bad input, table by table: what proxies answer, what users type, what peers send. Each line
//! "bad input: N cases, N right: …" is counted by `.ci/nets/bad-input.sh`.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "a proxy resolver of the tests' own, and messages made by hand"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "functions of C's interfaces, called by GIO with live arguments"
)]

mod support;

#[path = "socket_client/tools.rs"]
#[allow(dead_code, reason = "of the tests of the client")]
mod client_tools;
#[path = "socket_client/own_proxies.rs"]
#[allow(dead_code, reason = "of the tests of the client")]
mod own_proxies;

#[path = "unix_connection/messages.rs"]
mod unix_messages;

#[path = "bad_input/asked.rs"]
mod asked;
#[path = "bad_input/bugs.rs"]
mod bugs;
#[path = "bad_input/cases.rs"]
mod cases;
#[path = "bad_input/control.rs"]
mod control;
#[path = "bad_input/endless.rs"]
mod endless;
#[path = "bad_input/frames.rs"]
mod frames;
#[path = "bad_input/http.rs"]
mod http;
#[path = "bad_input/names.rs"]
mod names;
#[path = "bad_input/oracle.rs"]
mod oracle;
#[path = "bad_input/proxies.rs"]
mod proxies;
#[path = "bad_input/secrets.rs"]
mod secrets;
#[path = "bad_input/socks.rs"]
mod socks;
