//! One scenario, GIO's class and ours: the same outcome to the error code, but for the differences
//! that are on purpose, which state both.

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

#[path = "unix_connection/messages.rs"]
mod unix_messages;
#[path = "unix_connection/tools.rs"]
mod unix_tools;

#[path = "socket_client/tools.rs"]
#[allow(
    dead_code,
    clippy::undocumented_unsafe_blocks,
    reason = "of the tests of the client"
)]
mod client_tools;

#[path = "socket_client/proxy_peers.rs"]
mod proxy_peers;

#[path = "socket_client/own_proxies.rs"]
#[allow(
    dead_code,
    clippy::undocumented_unsafe_blocks,
    reason = "of the tests of the client"
)]
mod own_proxies;

#[path = "parity/under.rs"]
#[macro_use]
mod under;

#[path = "parity/accepting.rs"]
#[allow(dead_code, reason = "each kind of listener uses a part of it")]
mod accepting;
#[path = "parity/apart.rs"]
mod apart;
#[path = "parity/bad_proxies.rs"]
mod bad_proxies;
#[path = "parity/by_hand.rs"]
mod by_hand;
#[path = "parity/classes.rs"]
mod classes;
#[path = "parity/client.rs"]
mod client;
#[path = "parity/connecting.rs"]
mod connecting;
#[path = "parity/connection.rs"]
mod connection;
#[path = "parity/differs.rs"]
mod differs;
#[path = "parity/facts.rs"]
mod facts;
#[path = "parity/flaws.rs"]
mod flaws;
#[path = "parity/input.rs"]
mod input;
#[path = "parity/io_stream.rs"]
mod io_stream;
#[path = "parity/listener.rs"]
mod listener;
#[path = "parity/matrix.rs"]
mod matrix;
#[path = "parity/output.rs"]
mod output;
#[path = "parity/pollable.rs"]
mod pollable;
#[path = "parity/proxies.rs"]
mod proxies;
#[path = "parity/results.rs"]
mod results;
#[path = "parity/service.rs"]
mod service;
#[path = "parity/sockets.rs"]
mod sockets;
#[path = "parity/sources.rs"]
mod sources;
#[path = "parity/splice.rs"]
mod splice;
#[path = "parity/states.rs"]
mod states;
#[path = "parity/tasks.rs"]
mod tasks;
#[path = "parity/tcp.rs"]
mod tcp;
#[path = "parity/threaded.rs"]
mod threaded;
#[path = "parity/unix.rs"]
mod unix;
#[path = "parity/wrapper.rs"]
mod wrapper;
