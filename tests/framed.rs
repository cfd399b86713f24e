//! What must be true of frames over a stream: what goes in comes out, whole, once and in order.

#![cfg(test)]
#![allow(unsafe_code, reason = "uses them on several threads as C may")]

mod support;

#[path = "framed/tools.rs"]
mod tools;

#[path = "framed/abuse.rs"]
mod abuse;
#[path = "framed/back_pressure.rs"]
mod back_pressure;
#[path = "framed/formats.rs"]
mod formats;
#[path = "framed/json.rs"]
mod json;
#[path = "framed/no_lock.rs"]
mod no_lock;
#[path = "framed/passing.rs"]
mod passing;
#[path = "framed/points.rs"]
mod points;
#[path = "framed/properties.rs"]
mod properties;
#[path = "framed/random.rs"]
mod random;
#[path = "framed/read_ahead.rs"]
mod read_ahead;
#[path = "framed/reading.rs"]
mod reading;
#[path = "framed/streams.rs"]
mod streams;
#[path = "framed/swapping.rs"]
mod swapping;
#[path = "framed/threads.rs"]
mod threads;
#[path = "framed/writing.rs"]
mod writing;
