//! Threads other than the one that made it.

use std::{rc::Rc, thread};

use futures::{AsyncReadExt, AsyncWriteExt};
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{odd_streams::Noted, support::*, tools::*};

/// As C does it.
struct Carried<T>(T);
// SAFETY: the tests carry objects whose streams may, or must not, be used elsewhere, and look what happens.
unsafe impl<T> Send for Carried<T> {}

impl<T> Carried<T> {
    fn get(self) -> T {
        self.0
    }
}

#[test]
fn elsewhere_a_stream_that_is_not_send_is_not_supported() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let (ours, dropped) = Noted::new(ours);
        let stream = IoStreamAdapter::new(ours);
        let _theirs = block_on(context, async move {
            theirs
                .write_all(b"for the right thread")
                .await
                .expect("room");
            theirs
        });
        // Also what was read ahead.
        assert!(pollable_input(&stream).is_readable());
        let carried = Carried(stream.clone());
        let other = thread::spawn(move || {
            let stream = carried.get();
            let refused = gio::IOErrorEnum::NotSupported;
            let (input, output) = (stream.input_stream(), stream.output_stream());
            assert_fails(input.read(&mut [0; 4], NONE), refused);
            assert_fails(output.write(b"?", NONE), refused);
            assert_fails(output.flush(NONE), refused);
            let (polled, pushed) = (pollable_input(&stream), pollable_output(&stream));
            assert!(polled.is_readable());
            assert!(pushed.is_writable());
            assert_fails(polled.read_nonblocking(&mut [0; 4], NONE), refused);
            assert_fails(pushed.write_nonblocking(b"?", NONE), refused);
            let context = glib::MainContext::new();
            let read = context
                .block_on(input.read_bytes_future(4, DEFAULT))
                .map(drop);
            assert_fails(read, refused);
            // A source says that there is something to learn.
            let fired = Rc::new(std::cell::Cell::new(false));
            let flag = fired.clone();
            let source = polled.create_source(NONE, None, DEFAULT, move |_| {
                flag.set(true);
                glib::ControlFlow::Break
            });
            source.attach(Some(&context));
            while !fired.get() {
                context.iteration(true);
            }
            Carried((stream, input, output, polled, pushed))
        });
        drop(other.join().expect("no panic"));
        let read = stream.input_stream().read_bytes(64, NONE).expect("bytes");
        assert_eq!(&*read, b"for the right thread");
        assert!(!dropped.get());
    });
}

#[test]
fn one_that_goes_elsewhere_sends_its_stream_home() {
    on_private_context(|context| {
        let (ours, theirs) = pipe(64);
        let (ours, dropped) = Noted::new(ours);
        let carried = Carried(IoStreamAdapter::new(ours));
        thread::spawn(move || drop(carried.get()))
            .join()
            .expect("no panic");
        // Not there: what it holds belongs to this thread.
        assert!(!dropped.get());
        iterate_until(context, || dropped.get());
        drop(theirs);
    });
}

#[test]
fn a_stream_that_is_send_is_used_by_any_thread_in_turn_and_at_once() {
    on_private_context(|_| {
        let (ours, mut theirs) = pipe(7);
        let stream = IoStreamAdapter::for_any_thread(ours);
        let carried = [0; 2].map(|_| Carried(stream.clone()));
        let much = vec![b'm'; 100_000];
        let len = much.len();
        let echo = thread::spawn(move || {
            futures::executor::block_on(async move {
                let mut buffer = [0; 64];
                let mut total = 0;
                loop {
                    let count = theirs.read(&mut buffer).await.expect("not torn");
                    if count == 0 {
                        break total;
                    }
                    total += count;
                    theirs.write_all(&buffer[..count]).await.expect("room");
                }
            })
        });
        let [reader, writer] = carried;
        let writing = thread::spawn(move || {
            let stream = writer.get();
            stream
                .output_stream()
                .write_all(&much, NONE)
                .expect("it reads");
            let closed = stream.output_stream().close(NONE);
            closed.expect("nothing is in the way");
            Carried(stream)
        });
        let reading = thread::spawn(move || {
            let stream = reader.get();
            let mut all = vec![0; 200_000];
            let (count, failure) = stream
                .input_stream()
                .read_all(&mut all, NONE)
                .expect("up to the end");
            assert!(failure.is_none(), "{failure:?}");
            (count, Carried(stream))
        });
        drop(writing.join().expect("no panic"));
        let (count, carried) = reading.join().expect("no panic");
        drop(carried);
        assert_eq!(count, len);
        assert_eq!(echo.join().expect("no panic"), len);
    });
}

/// Hands out so many bytes, one at a time.
struct Single(usize);

impl futures::AsyncRead for Single {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        if self.0 == 0 {
            return std::task::Poll::Ready(Ok(0));
        }
        self.0 -= 1;
        buffer[0] = b's';
        std::task::Poll::Ready(Ok(1))
    }
}

impl futures::AsyncWrite for Single {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_close(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[test]
fn threads_that_ask_at_once_whether_there_is_something_lose_nothing() {
    const BYTES: usize = 200_000;
    let stream = IoStreamAdapter::for_any_thread(Single(BYTES));
    let carried = [0; 2].map(|_| Carried(stream.clone()));
    let readers = carried.map(|carried| {
        thread::spawn(move || {
            let stream = carried.get();
            let input = pollable_input(&stream);
            let mut total = 0;
            loop {
                input.is_readable();
                match input.read_nonblocking(&mut [0], NONE) {
                    Ok(0) => break,
                    Ok(count) => total += count.unsigned_abs(),
                    Err(failure) => assert!(failure.matches(gio::IOErrorEnum::WouldBlock)),
                }
            }
            drop(input);
            (total, Carried(stream))
        })
    });
    let total: usize = readers
        .into_iter()
        .map(|reader| reader.join().expect("no panic").0)
        .sum();
    assert_eq!(total, BYTES);
}
