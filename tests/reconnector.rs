//! What `Reconnector` promises: when it connects, what it tells, how one connection lives through many sockets.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "a connectable, an enumerator and a network monitor of the tests' own, which gio has no traits for; what C may do"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "functions of C's interfaces, called by GIO with live arguments"
)]

mod support;

#[path = "reconnector/delays.rs"]
mod delays;
#[path = "reconnector/ends.rs"]
mod ends;
#[path = "reconnector/framed.rs"]
mod framed;
#[path = "reconnector/handlers.rs"]
mod handlers;
#[path = "reconnector/losses.rs"]
mod losses;
#[path = "reconnector/network.rs"]
mod network;
#[path = "reconnector/points.rs"]
mod points;
#[path = "reconnector/same_object.rs"]
mod same_object;
#[path = "reconnector/settings.rs"]
mod settings;
#[path = "reconnector/tls.rs"]
mod tls;
#[path = "reconnector/tools.rs"]
mod tools;
#[path = "reconnector/troubles.rs"]
mod troubles;
#[path = "reconnector/waiting.rs"]
mod waiting;
