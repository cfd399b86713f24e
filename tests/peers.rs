//! Programs of others at the other end: servers that our client goes to, clients that come to our services, and what stands
//! between the two. `.ci/nets/peers.sh` runs these, in a network and with a resolver of their own.

#![cfg(test)]
#![allow(unsafe_code, reason = "a server is ended with what it has started")]

mod support;

#[path = "peers/activation.rs"]
mod activation;
#[path = "peers/authority.rs"]
mod authority;
#[path = "peers/between.rs"]
mod between;
#[path = "peers/bulk.rs"]
mod bulk;
#[path = "peers/encrypted.rs"]
mod encrypted;
#[path = "networks/forms.rs"]
#[allow(dead_code, reason = "some is for bad networks")]
mod forms;
#[path = "peers/names.rs"]
mod names;
#[path = "peers/ours.rs"]
mod ours;
#[path = "peers/plain.rs"]
mod plain;
#[path = "socket_client/servers.rs"]
#[allow(dead_code, reason = "some are for the tests of the client")]
mod servers;
#[path = "networks/table.rs"]
mod table;
