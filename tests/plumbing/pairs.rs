//! Two ends of one connection, both GIO's or both ours, and what is done with either.

use std::thread::JoinHandle;

use gio::{Cancellable, prelude::*};
use gsock::SocketConnection;

use crate::{tools::*, under::*};

/// The two ends of one TCP connection.
pub(crate) fn base_pair(side: Side) -> (Under, Under) {
    let (under, peer) = side.connected();
    let other = gio::Socket::from_fd(peer.into()).expect("a socket");
    (under, side.around(&other))
}

/// The two ends of one pair of Unix sockets.
pub(crate) fn unix_pair(side: Side) -> (Under, Under) {
    let (one, other) = std::os::unix::net::UnixStream::pair().expect("two sockets");
    let [one, other] =
        [one, other].map(|end| side.around(&gio::Socket::from_fd(end.into()).expect("a socket")));
    (one, other)
}

/// Echoes on another thread what comes over `stream` until its end, and closes it.
pub(crate) fn echo_on_thread(stream: &gio::IOStream) -> JoinHandle<Result<usize, glib::Error>> {
    on_thread(stream, |stream| {
        let (input, output) = (stream.input_stream(), stream.output_stream());
        let mut sum = 0;
        let mut buffer = vec![0; 40_000];
        loop {
            let count = input.read(&mut buffer, Cancellable::NONE)?;
            if count == 0 {
                stream.close(Cancellable::NONE)?;
                return Ok(sum);
            }
            write_all(&output, &buffer[..count])?;
            sum += count;
        }
    })
}

pub(crate) fn write_all(output: &gio::OutputStream, bytes: &[u8]) -> Result<(), glib::Error> {
    let (_, partial) = output.write_all(bytes, Cancellable::NONE)?;
    partial.map_or(Ok(()), Err)
}

/// As many bytes as `count`, fewer at the end.
pub(crate) fn read_exactly(input: &gio::InputStream, count: usize) -> Result<Vec<u8>, glib::Error> {
    let mut buffer = vec![0; count];
    let (count, partial) = input.read_all(&mut buffer, Cancellable::NONE)?;
    buffer.truncate(count);
    partial.map_or(Ok(buffer), Err)
}

/// The connections of this side are of this type.
pub(crate) fn assert_side(side: Side, base: &gio::IOStream) {
    assert_eq!(base.is::<SocketConnection>(), side == Side::Ours);
    assert_eq!(base.is::<gio::SocketConnection>(), side == Side::Gio);
}
