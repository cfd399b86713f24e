//! What `SocketListener` promises: which sockets it makes, who gets which connection, how it ends.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls the listener from other threads, as C does, and asks for options of sockets"
)]

mod support;

#[path = "socket_listener/accepting.rs"]
mod accepting;
#[path = "socket_listener/adding.rs"]
mod adding;
#[path = "socket_listener/cancelling.rs"]
mod cancelling;
#[path = "socket_listener/closing.rs"]
mod closing;
#[path = "socket_listener/derived.rs"]
mod derived;
#[path = "socket_listener/events.rs"]
mod events;
#[path = "socket_listener/finishing.rs"]
mod finishing;
#[path = "socket_listener/incoming.rs"]
mod incoming;
#[path = "socket_listener/many.rs"]
mod many;
#[path = "socket_listener/settings.rs"]
mod settings;
#[path = "socket_listener/threads.rs"]
mod threads;
#[path = "socket_listener/tools.rs"]
mod tools;
