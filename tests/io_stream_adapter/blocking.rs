//! Blocking, on the thread that made it.

use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{support::*, tools::*};

#[test]
fn a_blocking_read_waits_for_another_thread() {
    on_private_context(|_| {
        let (ours, mut theirs) = pipe(2);
        let stream = IoStreamAdapter::new(ours);
        let other = thread::spawn(move || {
            futures::executor::block_on(async move {
                thread::sleep(Duration::from_millis(20));
                theirs.write_all(b"one\ntwo\n").await.expect("room");
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).await.expect("an end");
                all
            })
        });
        let lines = gio::DataInputStream::new(&stream.input_stream());
        for expected in ["one", "two"] {
            let line = lines.read_line_utf8(NONE).expect("text").expect("a line");
            assert_eq!(line, expected);
        }
        stream
            .output_stream()
            .write_all(b"written in parts", NONE)
            .expect("it reads");
        stream.close(NONE).expect("nothing is in the way");
        assert_eq!(other.join().expect("no panic"), b"written in parts");
    });
}

/// Which waits in main contexts, none of which is iterated but the adapter's own.
#[test]
fn a_blocking_read_waits_for_a_connection_of_this_crate() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let stream = IoStreamAdapter::new(connection.clone());
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            peer.write_all(b"at last").expect("room");
            read_to_end(&mut peer)
        });
        let read = stream.input_stream().read_bytes(16, NONE).expect("bytes");
        assert_eq!(&*read, b"at last");
        let much = vec![b'x'; 4 << 20];
        stream
            .output_stream()
            .write_all(&much, NONE)
            .expect("it reads");
        stream.close(NONE).expect("nothing is in the way");
        // The connection was not closed, but has ended what it sends.
        assert!(!connection.is_closed());
        assert_eq!(other.join().expect("no panic").len(), much.len());
        connection.close(NONE).expect("nothing is in the way");
    });
}

#[test]
fn a_cancellation_from_another_thread_ends_a_wait() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let stream = IoStreamAdapter::new(connection);
        let cancellable = gio::Cancellable::new();
        let its = cancellable.clone();
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            its.cancel();
        });
        let input = stream.input_stream();
        assert_fails(
            input.read(&mut [0; 4], Some(&cancellable)),
            gio::IOErrorEnum::Cancelled,
        );
        other.join().expect("no panic");
        assert_fails(
            input.read(&mut [0; 4], Some(&cancellable)),
            gio::IOErrorEnum::Cancelled,
        );
        // Whoever waits now is woken, though the last poll was in a context that is gone.
        let read = start_read(&input, 8, None);
        iterate_for(context, Duration::from_millis(5));
        peer.write_all(b"after").expect("room");
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"after");
    });
}

/// A read that waits in the loop, under a blocking one that takes what comes.
#[test]
fn what_waits_in_the_loop_is_woken_after_a_blocking_operation() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let stream = IoStreamAdapter::new(connection);
        let input = pollable_input(&stream);
        let fired = std::rc::Rc::new(std::cell::Cell::new(false));
        let flag = fired.clone();
        let source = input.create_source(NONE, None, DEFAULT, move |_| {
            flag.set(true);
            glib::ControlFlow::Break
        });
        source.attach(Some(context));
        iterate_for(context, Duration::from_millis(5));
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            peer.write_all(b"1").expect("room");
            peer
        });
        let read = stream.input_stream().read_bytes(8, NONE).expect("bytes");
        assert_eq!(&*read, b"1");
        let mut peer = other.join().expect("no panic");
        iterate_for(context, Duration::from_millis(5));
        peer.write_all(b"2").expect("room");
        iterate_until(context, || fired.get());
    });
}

/// A stream that waits in the main context of its last poll only, and cannot write without an answer.
struct Halves(gsock::ReadHalf, gsock::WriteHalf);

impl AsyncRead for Halves {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Halves {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.1).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, &mut [0]).map_ok(drop)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.1).poll_close(cx)
    }
}

fn over_halves() -> (IoStreamAdapter, std::net::TcpStream) {
    let (connection, peer) = connected();
    let (read, write) = gsock::SocketConnectionExt::halves(&connection);
    (IoStreamAdapter::new(Halves(read, write)), peer)
}

#[test]
fn a_read_in_the_loop_survives_a_blocking_operation_that_reads_too() {
    on_private_context(|context| {
        let (stream, mut peer) = over_halves();
        let read = start_read(&stream.input_stream(), 8, None);
        iterate_for(context, Duration::from_millis(5));
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            peer.write_all(b"!").expect("room");
            peer
        });
        stream.output_stream().flush(NONE).expect("an answer");
        let mut peer = other.join().expect("no panic");
        iterate_for(context, Duration::from_millis(5));
        peer.write_all(b"read").expect("room");
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"read");
    });
}

#[test]
fn a_source_asks_in_its_own_context_whatever_was_found_in_another() {
    on_private_context(|_| {
        let (stream, mut peer) = over_halves();
        let input = pollable_input(&stream);
        // Waits, if anywhere, in the context of this thread, which nobody iterates.
        assert_fails(
            input.read_nonblocking(&mut [0], NONE),
            gio::IOErrorEnum::WouldBlock,
        );
        let another = glib::MainContext::new();
        let fired = std::rc::Rc::new(std::cell::Cell::new(false));
        let flag = fired.clone();
        let source = input.create_source(NONE, None, DEFAULT, move |_| {
            flag.set(true);
            glib::ControlFlow::Break
        });
        source.attach(Some(&another));
        let look = || iterate_for(&another, Duration::from_millis(5));
        another
            .with_thread_default(look)
            .expect("nobody else has it");
        assert!(!fired.get());
        peer.write_all(b"!").expect("room");
        iterate_until(&another, || fired.get());
    });
}
