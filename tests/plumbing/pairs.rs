//! Two ends of one connection, both GIO's or both ours, and what is done with either.

use std::{
    cell::RefCell,
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread::JoinHandle,
};

use gio::{Cancellable, prelude::*};
use gsock::SocketConnection;

use crate::{support::*, tools::*, under::*};

thread_local! {
    /// What must be gone at the end of the test that this thread runs.
    static MADE: RefCell<Vec<Gone>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn noted<O: IsA<glib::Object>>(object: O) -> O {
    MADE.with_borrow_mut(|made| made.push(Gone::of(&object)));
    object
}

/// Runs `test` on a context, and then that context until what the test has made is gone.
///
/// The last to let go of a connection may be a worker's thread of GIO's, a moment after the answer: a socket of ours
/// that is let go of when its home is no more would stay, as documented.
pub(crate) fn to_the_end<R: Send + 'static>(
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    on_private_context(|context| {
        let result = test(context);
        let made = MADE.take();
        iterate_until(context, || made.iter().all(Gone::is_gone));
        result
    })
}

/// Makes two tests of each scenario, which run to the end.
macro_rules! on_both_to_the_end {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[test]
            fn on_gio() {
                crate::support::on_private_context(|context| {
                    super::$scenario(crate::under::Side::Gio, context);
                });
            }

            #[test]
            fn on_ours() {
                crate::pairs::to_the_end(|context| {
                    super::$scenario(crate::under::Side::Ours, context);
                });
            }
        }
    )+};
}
pub(crate) use on_both_to_the_end;

/// Around a socket that is the connection's alone.
pub(crate) fn around(side: Side, fd: impl Into<OwnedFd>) -> Under {
    let socket = gio::Socket::from_fd(fd.into()).expect("a socket");
    let under = side.around(&socket);
    if side == Side::Ours {
        noted(socket);
        noted((*under).clone());
    }
    under
}

/// A connection and its peer's end.
pub(crate) fn connected_of(side: Side) -> (Under, TcpStream) {
    let (peer, fd) = tcp_pair();
    (around(side, fd), peer)
}

/// The two ends of one TCP connection.
pub(crate) fn base_pair(side: Side) -> (Under, Under) {
    let (under, peer) = connected_of(side);
    (under, around(side, peer))
}

/// The two ends of one pair of Unix sockets.
pub(crate) fn unix_pair(side: Side) -> (Under, Under) {
    let (one, other) = UnixStream::pair().expect("two sockets");
    (around(side, one), around(side, other))
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
