//! Reading from and writing to a connection in futures.

use std::{
    future::poll_fn,
    io::{self, IoSlice, IoSliceMut},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ::futures_io::{AsyncRead, AsyncWrite};
use gio::prelude::*;
use glib::subclass::prelude::*;

use crate::{
    SocketConnection, error,
    reactor::{Interest, Registration},
    socket_connection::overlaid::OwnStreams,
    transport::{Attempted, Direction, Holding, Transport},
};

/// The reading half of a connection, from [`halves`](crate::SocketConnectionExt::halves).
///
/// It may be sent to another thread. It reads in the engine of the thread-default main context of whoever
/// polls it, which that thread must own. The socket stays open until both halves are dropped, or the
/// connection is closed; every operation then ends with `Closed`, as it does after
/// [`set_socket`](crate::SocketConnectionExt::set_socket).
///
/// # Cancel safety
///
/// A future that is dropped before its end has taken no byte, and the next one works.
///
/// # Errors
///
/// Those of the system call, as of any other read; `TimedOut` after the socket's timeout, counted from the
/// moment at which the operation had to wait; `NotSupported` where the thread does not own its main
/// context, and for the halves of a [`TcpWrapperConnection`](crate::TcpWrapperConnection), whose streams may not leave
/// their thread.
///
/// # Examples
///
/// ```
/// use std::os::{fd::OwnedFd, unix::net::UnixStream};
/// use gsock::{SocketConnection, prelude::*};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (one, other) = UnixStream::pair()?;
/// let [one, other] = [one, other].map(|end| {
///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
/// });
/// let (one, other) = (one?, other?);
/// let (_, mut writes) = one.halves();
/// let (mut reads, _) = other.halves();
/// // A half waits on the context of the thread that polls it.
/// let writer = std::thread::spawn(move || {
///     glib::MainContext::new().block_on(async move { writes.write_all(b"hello").await })
/// });
/// let mut buffer = [0; 8];
/// let length = glib::MainContext::new().block_on(reads.read(&mut buffer))?;
/// assert_eq!(&buffer[..length], b"hello");
/// writer.join().expect("it does not panic")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[doc(alias = "GsockSocketConnection")]
pub struct ReadHalf {
    held: Holding,
    direction: Direction,
}

/// The writing half of a connection, from [`halves`](crate::SocketConnectionExt::halves).
///
/// See [`ReadHalf`], which it is the counterpart of. Dropping it shuts nothing down.
#[derive(Debug)]
#[doc(alias = "GsockSocketConnection")]
pub struct WriteHalf {
    held: Holding,
    direction: Direction,
}

const _: () = {
    const fn may_go_anywhere<T: Send + Unpin + 'static>() {}
    may_go_anywhere::<ReadHalf>();
    may_go_anywhere::<WriteHalf>();
};

pub(crate) fn halves(transport: &Arc<Transport>) -> (ReadHalf, WriteHalf) {
    (
        ReadHalf {
            held: transport.hold(),
            direction: Direction::new(Interest::Read),
        },
        WriteHalf {
            held: transport.hold(),
            direction: Direction::new(Interest::Write),
        },
    )
}

/// Takes a transfer back that nobody polls any more.
struct Polled<'a>(&'a mut Direction);

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// A transfer as a future of its own.
async fn polled<T>(
    transport: &Arc<Transport>,
    direction: &mut Direction,
    mut call: impl FnMut(&Transport, Option<&Registration>) -> Attempted<T>,
) -> Result<T, glib::Error> {
    let polled = Polled(direction);
    // Whatever was polled before by a trait's method.
    polled.0.give_up();
    poll_fn(|cx| polled.0.poll(transport, cx, &mut call)).await
}

impl ReadHalf {
    /// Reads at least one byte, unless the buffer is empty; 0 is the end of what the peer sends.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.read_now(buffer, known)
        })
        .await
    }

    /// Like [`read`](Self::read), into several buffers, one after the other.
    pub async fn read_vectored(
        &mut self,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Result<usize, glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.read_vectored_now(buffers, known)
        })
        .await
    }

    /// Like [`read`](Self::read), but what was read will be read again.
    pub async fn peek(&mut self, buffer: &mut [u8]) -> Result<usize, glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.peek_now(buffer, known)
        })
        .await
    }

    /// Waits until there is something to read, be it the end or an error.
    pub async fn readable(&mut self) -> Result<(), glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.ready_now(Interest::Read, known)
        })
        .await
    }
}

impl WriteHalf {
    /// Writes at least one byte, unless there is none to write. Answers how many.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<usize, glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.try_write(bytes, known)
        })
        .await
    }

    /// Like [`write`](Self::write), from several buffers, one after the other.
    pub async fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> Result<usize, glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.write_vectored_now(buffers, known)
        })
        .await
    }

    /// Writes all of `bytes`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: nobody learns how many of the bytes a future had written that was dropped.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), glib::Error> {
        while !bytes.is_empty() {
            let count = self.write(bytes).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Waits until there is room for something to write, or an error to collect.
    pub async fn writable(&mut self) -> Result<(), glib::Error> {
        polled(self.held.get(), &mut self.direction, |transport, known| {
            transport.ready_now(Interest::Write, known)
        })
        .await
    }

    /// Says that no more will come: the peer reads its end of file after what was written.
    pub async fn shutdown(&mut self) -> Result<(), glib::Error> {
        self.end()
    }

    fn end(&self) -> Result<(), glib::Error> {
        let transport = self.held.get();
        if transport.is_overlaid() {
            return Err(error::overlaid());
        }
        transport.shutdown_write()
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.direction.give_up_if_left();
        this.direction
            .poll(this.held.get(), cx, |transport, known| {
                transport.read_now(buffer, known)
            })
            .map_err(error::into_io)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.direction.give_up_if_left();
        this.direction
            .poll(this.held.get(), cx, |transport, known| {
                transport.read_vectored_now(buffers, known)
            })
            .map_err(error::into_io)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.direction.give_up_if_left();
        this.direction
            .poll(this.held.get(), cx, |transport, known| {
                transport.try_write(bytes, known)
            })
            .map_err(error::into_io)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.direction.give_up_if_left();
        this.direction
            .poll(this.held.get(), cx, |transport, known| {
                transport.write_vectored_now(buffers, known)
            })
            .map_err(error::into_io)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is kept back.
        Poll::Ready(Ok(()))
    }

    /// Shuts the sending side down; the connection stays open.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end().map_err(error::into_io))
    }
}

macro_rules! futures_io {
    ($type:ty) => {
        futures_io!(@ $type, $type);
        futures_io!(@ &$type, $type);
    };
    (@ $type:ty, $class:ty) => {
        /// Any number of tasks may poll; all of them are woken.
        impl ::futures_io::AsyncRead for $type {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let connection: &$class = &self;
                $crate::halves::poll_read(connection, cx, buffer)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let connection: &$class = &self;
                $crate::halves::poll_read_vectored(connection, cx, buffers)
            }
        }

        /// Any number of tasks may poll; all of them are woken.
        impl ::futures_io::AsyncWrite for $type {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let connection: &$class = &self;
                $crate::halves::poll_write(connection, cx, bytes)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let connection: &$class = &self;
                $crate::halves::poll_write_vectored(connection, cx, buffers)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let connection: &$class = &self;
                $crate::halves::poll_flush(connection, cx)
            }

            /// Shuts the sending side down; the connection stays open.
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let connection: &$class = &self;
                $crate::halves::poll_close(connection, cx)
            }
        }
    };
}
pub(crate) use futures_io;

/// How a connection is polled: through its socket, or through the streams over that.
fn way_of(connection: &impl IsA<SocketConnection>) -> Result<Arc<Transport>, OwnStreams<'_>> {
    let connection = connection.upcast_ref();
    connection
        .imp()
        .own_streams()
        .map_or_else(|| Ok(connection.imp().transport()), Err)
}

pub(crate) fn poll_read(
    connection: &impl IsA<SocketConnection>,
    cx: &Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    match way_of(connection) {
        Ok(transport) => transport.poll_shared(Interest::Read, cx, |transport, known| {
            transport.read_now(buffer, known)
        }),
        Err(streams) => streams.poll_read(cx, buffer),
    }
    .map_err(error::into_io)
}

pub(crate) fn poll_read_vectored(
    connection: &impl IsA<SocketConnection>,
    cx: &Context<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> Poll<io::Result<usize>> {
    match way_of(connection) {
        Ok(transport) => transport.poll_shared(Interest::Read, cx, |transport, known| {
            transport.read_vectored_now(buffers, known)
        }),
        Err(streams) => {
            let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
            streams.poll_read(cx, first.map_or(&mut [], |buffer| &mut **buffer))
        }
    }
    .map_err(error::into_io)
}

pub(crate) fn poll_write(
    connection: &impl IsA<SocketConnection>,
    cx: &Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    match way_of(connection) {
        Ok(transport) => transport.poll_shared(Interest::Write, cx, |transport, known| {
            transport.try_write(bytes, known)
        }),
        Err(streams) => streams.poll_write(cx, bytes),
    }
    .map_err(error::into_io)
}

pub(crate) fn poll_write_vectored(
    connection: &impl IsA<SocketConnection>,
    cx: &Context<'_>,
    buffers: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match way_of(connection) {
        Ok(transport) => transport.poll_shared(Interest::Write, cx, |transport, known| {
            transport.write_vectored_now(buffers, known)
        }),
        Err(streams) => {
            let first = buffers.iter().find(|buffer| !buffer.is_empty());
            streams.poll_write(cx, first.map_or(&[], |buffer| &**buffer))
        }
    }
    .map_err(error::into_io)
}

pub(crate) fn poll_flush(
    connection: &impl IsA<SocketConnection>,
    cx: &Context<'_>,
) -> Poll<io::Result<()>> {
    match way_of(connection) {
        // Nothing is kept back.
        Ok(_) => Poll::Ready(Ok(())),
        Err(streams) => streams.poll_flush(cx).map_err(error::into_io),
    }
}

pub(crate) fn poll_close(
    connection: &impl IsA<SocketConnection>,
    cx: &Context<'_>,
) -> Poll<io::Result<()>> {
    match way_of(connection) {
        Ok(transport) => Poll::Ready(transport.shutdown_write()),
        Err(streams) => streams.poll_close(cx),
    }
    .map_err(error::into_io)
}
