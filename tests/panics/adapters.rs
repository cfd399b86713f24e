//! A stream of futures-io as a `GIOStream`.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{
    scene::{NONE, Scene, play},
    streams::{asynchronous, blocking, closing, closing_each, pollable},
    support::*,
};

/// A socket that is asked again and again.
struct Over(TcpStream);

fn polled<T>(cx: &Context<'_>, result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(failure) if failure.kind() == ErrorKind::WouldBlock => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}

impl AsyncRead for Over {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        polled(cx, self.0.read(buffer))
    }
}

impl AsyncWrite for Over {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        polled(cx, self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = self.0.shutdown(Shutdown::Write);
        Poll::Ready(Ok(()))
    }
}

fn adapter() -> (IoStreamAdapter, TcpStream) {
    let (peer, fd) = tcp_pair();
    let stream = TcpStream::from(fd);
    stream.set_nonblocking(true).expect("an option");
    (IoStreamAdapter::new(Over(stream)), peer)
}

fn each(form: fn(&Scene<'_>, &IoStreamAdapter, &mut TcpStream)) {
    play(move |scene| {
        let (stream, mut peer) = adapter();
        form(scene, &stream, &mut peer);
        drop(stream);
        scene.ends(&mut peer);
    });
}

#[test]
fn calls_that_block() {
    each(|scene, stream, peer| {
        blocking(scene, stream, peer);
        scene.call(|| stream.close(NONE));
    });
}

#[test]
fn calls_that_call_back() {
    each(|scene, stream, peer| {
        asynchronous(scene, stream, peer);
        closing_each(scene, stream);
    });
}

#[test]
fn a_close_that_calls_back() {
    each(|scene, stream, _| closing(scene, stream));
}

#[test]
fn calls_that_do_not_wait() {
    each(|scene, stream, peer| {
        pollable(scene, stream, peer);
        // When it goes nobody is there to be told.
        scene.call(|| stream.close(NONE));
    });
}
