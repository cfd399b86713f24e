//! What `SocketConnection` promises, in the order in which a reader would ask for it.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "types of the tests' own"
)]
#![allow(
    unsafe_code,
    reason = "calls class slots and GIO's functions as C does"
)]

mod support;

#[path = "socket_connection/tools.rs"]
mod tools;

#[path = "socket_connection/the_type.rs"]
mod the_type;

#[path = "socket_connection/the_socket.rs"]
mod the_socket;

#[path = "socket_connection/without_a_socket.rs"]
mod without_a_socket;

#[path = "socket_connection/the_factory.rs"]
mod the_factory;

#[path = "socket_connection/connect.rs"]
mod connect;

#[path = "socket_connection/connect_async.rs"]
mod connect_async;

#[path = "socket_connection/connect_future.rs"]
mod connect_future;

#[path = "socket_connection/cancelling.rs"]
mod cancelling;

#[path = "socket_connection/timeouts.rs"]
mod timeouts;

#[path = "socket_connection/addresses.rs"]
mod addresses;

#[path = "socket_connection/socket_and_is_connected.rs"]
mod socket_and_is_connected;

#[path = "socket_connection/closing.rs"]
mod closing;

#[path = "socket_connection/notify_closed.rs"]
mod notify_closed;

#[path = "socket_connection/state.rs"]
mod state;

#[path = "socket_connection/counters.rs"]
mod counters;

#[path = "socket_connection/bindings.rs"]
mod bindings;

#[path = "socket_connection/connect_finish.rs"]
mod connect_finish;

#[path = "socket_connection/what_cannot_connect.rs"]
mod what_cannot_connect;

#[path = "socket_connection/contexts.rs"]
mod contexts;
