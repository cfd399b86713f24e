//! What `SocketClient` promises: how it looks for an address, what it tells meanwhile, how it ends.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "a resolver, a connectable and an enumerator of the tests' own, which gio has no traits for"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "functions of C's interfaces, called by GIO with live arguments"
)]

mod support;

#[path = "socket_client/addresses.rs"]
mod addresses;
#[path = "socket_client/bugs.rs"]
mod bugs;
#[path = "socket_client/cancelling.rs"]
mod cancelling;
#[path = "socket_client/derived.rs"]
mod derived;
#[path = "socket_client/errors.rs"]
mod errors;
#[path = "socket_client/events.rs"]
mod events;
#[path = "socket_client/flaws.rs"]
mod flaws;
#[path = "socket_client/forms.rs"]
mod forms;
#[path = "socket_client/gios_bugs.rs"]
mod gios_bugs;
#[path = "socket_client/many.rs"]
mod many;
#[path = "socket_client/own_network.rs"]
mod own_network;
#[path = "socket_client/own_proxies.rs"]
mod own_proxies;
#[path = "socket_client/proxies.rs"]
mod proxies;
#[path = "socket_client/proxy_peers.rs"]
#[allow(dead_code, reason = "some are for the tests of parity")]
mod proxy_peers;
#[path = "socket_client/servers.rs"]
#[allow(dead_code, reason = "some are for the tests of the examples")]
mod servers;
#[path = "socket_client/settings.rs"]
mod settings;
#[path = "socket_client/times.rs"]
mod times;
#[path = "socket_client/tls.rs"]
mod tls;
#[path = "socket_client/tools.rs"]
mod tools;
#[path = "socket_client/unprepared.rs"]
mod unprepared;
#[path = "socket_client/unverified.rs"]
mod unverified;
