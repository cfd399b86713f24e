//! Where a connection's notifications happen: at its home, whichever thread does the I/O.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "types of the tests' own"
)]
#![allow(
    unsafe_code,
    reason = "uses connections from several threads, as C may"
)]

mod support;

#[path = "home/tools.rs"]
mod tools;

#[path = "home/threads.rs"]
mod threads;

#[path = "home/bindings.rs"]
mod bindings;

#[path = "home/peer_end.rs"]
mod peer_end;

#[path = "home/without_a_loop.rs"]
mod without_a_loop;

#[path = "home/idle_context.rs"]
mod idle_context;

#[path = "home/set_home.rs"]
mod set_home;

#[path = "home/last_reference.rs"]
mod last_reference;

#[path = "home/handlers.rs"]
mod handlers;

#[path = "home/never_run.rs"]
mod never_run;

#[path = "home/reentered.rs"]
mod reentered;

#[path = "home/chains.rs"]
mod chains;

#[path = "home/moving.rs"]
mod moving;

#[path = "home/departing.rs"]
mod departing;
