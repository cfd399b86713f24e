//! What must be true of a `GIOStream` over a stream of futures-io: read, written, polled and closed as any other.

#![cfg(test)]
#![allow(unsafe_code, reason = "uses streams on several threads as C may")]

mod support;

#[path = "io_stream_adapter/tools.rs"]
mod tools;

#[path = "io_stream_adapter/blocking.rs"]
mod blocking;
#[path = "io_stream_adapter/closing.rs"]
mod closing;
#[path = "io_stream_adapter/odd_streams.rs"]
mod odd_streams;
#[path = "io_stream_adapter/pollable.rs"]
mod pollable;
#[path = "io_stream_adapter/reading.rs"]
mod reading;
#[path = "io_stream_adapter/threads.rs"]
mod threads;
#[path = "io_stream_adapter/tls.rs"]
mod tls;
#[path = "io_stream_adapter/writing.rs"]
mod writing;
