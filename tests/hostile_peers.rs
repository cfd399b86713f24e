//! Peers that mean harm, or behave as if they did: whoever else comes is served meanwhile, and what they cost is bounded.

#![cfg(test)]
#![allow(unsafe_code, reason = "support resets connections; limits")]

mod support;

#[path = "hostile_peers/besieged.rs"]
mod besieged;
#[path = "hostile_peers/floods.rs"]
mod floods;
#[path = "hostile_peers/guests.rs"]
mod guests;
#[path = "hostile_peers/servers.rs"]
mod servers;
