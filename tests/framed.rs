//! What must be true of frames over a stream: what goes in comes out, whole, once and in order.

#![cfg(test)]

mod support;

#[path = "framed/tools.rs"]
mod tools;

#[path = "framed/reading.rs"]
mod reading;
#[path = "framed/writing.rs"]
mod writing;
