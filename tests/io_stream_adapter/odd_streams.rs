//! Streams that fail, panic, or call back.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{support::*, tools::*};

/// Tells when it is dropped.
pub(crate) struct Noted<S>(S, Rc<Cell<bool>>);

impl<S> Noted<S> {
    pub(crate) fn new(stream: S) -> (Self, Rc<Cell<bool>>) {
        let dropped = Rc::new(Cell::new(false));
        (Self(stream, dropped.clone()), dropped)
    }
}

impl<S> Drop for Noted<S> {
    fn drop(&mut self) {
        self.1.set(true);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

type Answers = Rc<RefCell<dyn FnMut() -> Poll<io::Result<usize>>>>;

/// Answers what it is told to, whatever it is asked.
struct Puppet(Answers);

impl Puppet {
    fn new(answers: impl FnMut() -> Poll<io::Result<usize>> + 'static) -> Self {
        Self(Rc::new(RefCell::new(answers)))
    }

    fn answer(&self) -> Poll<io::Result<usize>> {
        (self.0.borrow_mut())()
    }
}

impl AsyncRead for Puppet {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        buffer.fill(b'.');
        self.answer()
    }
}

impl AsyncWrite for Puppet {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        self.answer()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.answer().map_ok(drop)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.answer().map_ok(drop)
    }
}

#[test]
fn the_streams_errors_have_gios_codes() {
    use gio::IOErrorEnum as E;
    use io::ErrorKind as K;
    on_private_context(|_| {
        let own = || glib::Error::new(E::HostUnreachable, "its own");
        let cases: Vec<(fn() -> io::Error, E)> = vec![
            (|| K::TimedOut.into(), E::TimedOut),
            (|| K::InvalidData.into(), E::InvalidData),
            (|| K::UnexpectedEof.into(), E::BrokenPipe),
            (|| K::ConnectionReset.into(), E::BrokenPipe),
            (|| K::NotConnected.into(), E::NotConnected),
            (|| K::Unsupported.into(), E::NotSupported),
            (|| io::Error::other("what it may be"), E::Failed),
            (
                || io::Error::from_raw_os_error(libc::ECONNREFUSED),
                E::ConnectionRefused,
            ),
        ];
        for (make, expected) in cases {
            let stream = IoStreamAdapter::new(Puppet::new(move || Poll::Ready(Err(make()))));
            assert_fails(stream.input_stream().read(&mut [0], NONE), expected);
            assert_fails(stream.output_stream().write(b"?", NONE), expected);
            assert_fails(stream.output_stream().flush(NONE), expected);
            assert_fails(stream.close(NONE), expected);
            assert!(stream.is_closed());
        }
        let stream = IoStreamAdapter::new(Puppet::new(move || {
            Poll::Ready(Err(io::Error::other(own())))
        }));
        let failure = stream.input_stream().read(&mut [0], NONE);
        let failure = failure.expect_err("it fails");
        assert_eq!(code(&failure), E::HostUnreachable);
        assert_eq!(failure.message(), "its own");
    });
}

#[test]
fn an_interruption_is_no_error_and_a_lie_about_the_count_is_cut_short() {
    on_private_context(|_| {
        let mut interrupted = false;
        let stream = IoStreamAdapter::new(Puppet::new(move || {
            interrupted = !interrupted;
            if interrupted {
                return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
            }
            Poll::Ready(Ok(1000))
        }));
        let mut buffer = [0; 4];
        assert_eq!(
            stream
                .input_stream()
                .read(&mut buffer, NONE)
                .expect("bytes"),
            4
        );
        assert_eq!(&buffer, b"....");
        assert_eq!(stream.output_stream().write(b"abc", NONE).expect("room"), 3);
        assert!(pollable_input(&stream).is_readable());
    });
}

#[test]
fn the_failure_that_a_look_ahead_meets_is_told_by_the_read() {
    on_private_context(|_| {
        let mut answers = vec![Ok(0), Err(io::ErrorKind::ConnectionReset.into()), Ok(4)];
        let stream = IoStreamAdapter::new(Puppet::new(move || {
            Poll::Ready(answers.pop().unwrap_or(Ok(0)))
        }));
        let input = pollable_input(&stream);
        let mut buffer = [0; 8];
        assert!(input.is_readable());
        assert_eq!(input.read_nonblocking(&mut buffer, NONE).expect("there"), 4);
        // Found out by the look, and kept for who reads, once.
        assert!(input.is_readable());
        assert!(input.is_readable());
        let failed = input.read_nonblocking(&mut buffer, NONE);
        assert_fails(failed, gio::IOErrorEnum::BrokenPipe);
        assert_eq!(
            input.read_nonblocking(&mut buffer, NONE).expect("the end"),
            0
        );
    });
}

#[test]
fn a_stream_that_takes_nothing_is_broken() {
    on_private_context(|context| {
        let stream = IoStreamAdapter::new(Puppet::new(|| Poll::Ready(Ok(0))));
        let output = stream.output_stream();
        assert_fails(output.write(b"?", NONE), gio::IOErrorEnum::BrokenPipe);
        let written = output.write_bytes_future(&glib::Bytes::from_static(b"?"), DEFAULT);
        assert_fails(block_on(context, written), gio::IOErrorEnum::BrokenPipe);
    });
}

/// In a callback of C there is nowhere that it could go.
#[test]
fn a_panic_of_the_stream_is_an_error_then_and_from_then_on() {
    on_private_context(|context| {
        for way in 0..4 {
            let (puppet, dropped) =
                Noted::new(Puppet::new(|| panic!("a test of what is done about it")));
            let stream = IoStreamAdapter::new(puppet);
            let (input, output) = (stream.input_stream(), stream.output_stream());
            let failed = with_one_critical(|| match way {
                0 => input.read(&mut [0], NONE).map(drop),
                1 => {
                    let read = start_read(&input, 4, None);
                    iterate_until(context, || read.borrow().is_some());
                    read.take().expect("ended").map(drop)
                }
                2 => output.write(b"?", NONE).map(drop),
                _ => {
                    assert!(pollable_input(&stream).is_readable());
                    input.read(&mut [0], NONE).map(drop)
                }
            });
            assert_fails(failed, gio::IOErrorEnum::Failed);
            assert!(dropped.get());
            assert_fails(input.read(&mut [0], NONE), gio::IOErrorEnum::Failed);
            assert_fails(output.write(b"?", NONE), gio::IOErrorEnum::Failed);
            assert_fails(stream.close(NONE), gio::IOErrorEnum::Failed);
        }
    });
}

/// It is being polled, so that it cannot be polled.
#[test]
fn a_stream_that_reads_from_its_own_adapter_is_told_to_wait() {
    on_private_context(|_| {
        let own: Rc<RefCell<Option<IoStreamAdapter>>> = Rc::default();
        let (adapter, seen) = (own.clone(), Rc::new(RefCell::new(Vec::new())));
        let noted = seen.clone();
        let stream = IoStreamAdapter::new(Puppet::new(move || {
            let adapter = adapter.borrow().clone();
            if let Some(adapter) = adapter {
                let input = pollable_input(&adapter);
                let within = input.read_nonblocking(&mut [0], NONE);
                noted
                    .borrow_mut()
                    .push(within.map_err(|failure| code(&failure)));
                // Nor can it be waited for.
                let written = adapter.output_stream().write(b"?", NONE);
                let written = written.map_err(|failure| code(&failure));
                noted.borrow_mut().push(written);
            }
            Poll::Ready(Ok(1))
        }));
        *own.borrow_mut() = Some(stream.clone());
        assert_eq!(
            stream.input_stream().read(&mut [0], NONE).expect("a byte"),
            1
        );
        let (blocks, busy) = (gio::IOErrorEnum::WouldBlock, gio::IOErrorEnum::Pending);
        assert_eq!(*seen.borrow(), [Err(blocks), Err(busy)]);
        // One that closes itself is dropped when its poll is over.
        *own.borrow_mut() = None;
        let adapter = own.clone();
        let (puppet, dropped) = Noted::new(Puppet::new(move || {
            if let Some(adapter) = adapter.borrow_mut().take() {
                let _ = adapter.input_stream().close(NONE);
                let _ = adapter.output_stream().close(Some(&cancelled()));
            }
            Poll::Ready(Ok(1))
        }));
        let stream = IoStreamAdapter::new(puppet);
        *own.borrow_mut() = Some(stream.clone());
        // The stream is busy with that very read, so that its close is refused.
        assert_eq!(
            stream.input_stream().read(&mut [0], NONE).expect("a byte"),
            1
        );
        assert!(stream.output_stream().is_closed());
        stream
            .input_stream()
            .close(NONE)
            .expect("not busy any more");
        assert!(dropped.get());
    });
}

fn cancelled() -> gio::Cancellable {
    let cancellable = gio::Cancellable::new();
    cancellable.cancel();
    cancellable
}
