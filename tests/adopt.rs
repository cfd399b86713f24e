//! What must be true once GIO's connections are on our transport. Each test adopts them, for the process and for good:
//! whatever needs GIO's own has a test in another file.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "derives from GIO's classes and calls its functions as C does"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls that belong together"
)]

mod support;

#[path = "adopt/tools.rs"]
mod tools;

#[path = "adopt/closing.rs"]
mod closing;
#[path = "adopt/dbus.rs"]
mod dbus;
#[path = "interop/dbus_talk.rs"]
mod dbus_talk;
#[path = "adopt/descriptors.rs"]
mod descriptors;
#[path = "adopt/ownership.rs"]
mod ownership;
#[path = "adopt/proxied.rs"]
mod proxied;
#[path = "adopt/round_trips.rs"]
mod round_trips;
#[path = "adopt/soup.rs"]
mod soup;
#[path = "adopt/the_types.rs"]
mod the_types;
#[path = "adopt/threads.rs"]
mod threads;
#[path = "adopt/tls.rs"]
mod tls;
#[path = "adopt/unmodified.rs"]
mod unmodified;
