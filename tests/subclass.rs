//! What must be true for those who derive: classes of third parties, in Rust and as C would do it.

#![cfg(test)]
#![allow(unsafe_code, reason = "C's side of the classes is played here")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a task that is made by hand takes several calls"
)]
#![allow(
    unreachable_pub,
    reason = "the derive of properties makes public methods"
)]

mod support;

#[path = "subclass/tools.rs"]
mod tools;

#[path = "subclass/closing.rs"]
mod closing;
#[path = "subclass/connecting.rs"]
mod connecting;
#[path = "subclass/in_c.rs"]
mod in_c;
#[path = "subclass/line.rs"]
mod line;
#[path = "subclass/moods.rs"]
mod moods;
#[path = "subclass/properties.rs"]
mod properties;
#[path = "subclass/stray.rs"]
mod stray;
#[path = "subclass/streams.rs"]
mod streams;
