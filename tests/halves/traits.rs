//! The traits of futures-io, on everything that has them.

use std::{
    cell::Cell,
    io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write},
    net::{Shutdown, TcpStream},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    thread,
};

use futures::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt,
    future::join_all,
    io::{BufReader, copy},
    stream::FuturesUnordered,
};
use gio::prelude::*;
use gsock::{
    ConnectionState, ReadHalf, SocketConnection, TcpConnection, WriteHalf, engine, prelude::*,
};

use crate::{polling::*, support::*, tools::*};

/// What is read from and written to.
trait Ends {
    type Reader: AsyncRead + Unpin + 'static;
    type Writer: AsyncWrite + Unpin + 'static;
    fn ends(connection: &SocketConnection) -> (Self::Reader, Self::Writer);
}

struct Halves;
impl Ends for Halves {
    type Reader = ReadHalf;
    type Writer = WriteHalf;
    fn ends(connection: &SocketConnection) -> (ReadHalf, WriteHalf) {
        connection.halves()
    }
}

struct Connection;
impl Ends for Connection {
    type Reader = SocketConnection;
    type Writer = SocketConnection;
    fn ends(connection: &SocketConnection) -> (SocketConnection, SocketConnection) {
        (connection.clone(), connection.clone())
    }
}

struct Tcp;
impl Ends for Tcp {
    type Reader = TcpConnection;
    type Writer = TcpConnection;
    fn ends(connection: &SocketConnection) -> (TcpConnection, TcpConnection) {
        let tcp: TcpConnection = connection.clone().downcast().expect("made by the factory");
        (tcp.clone(), tcp)
    }
}

/// A connection that is only ever used by reference.
struct ByReference<C>(C);

impl<C: Unpin> AsyncRead for ByReference<C>
where
    for<'a> &'a C: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0).poll_read_vectored(cx, buffers)
    }
}

impl<C: Unpin> AsyncWrite for ByReference<C>
where
    for<'a> &'a C: AsyncWrite,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.0).poll_close(cx)
    }
}

struct Borrowed;
impl Ends for Borrowed {
    type Reader = ByReference<SocketConnection>;
    type Writer = ByReference<SocketConnection>;
    fn ends(connection: &SocketConnection) -> (Self::Reader, Self::Writer) {
        let (reader, writer) = Connection::ends(connection);
        (ByReference(reader), ByReference(writer))
    }
}

struct BorrowedTcp;
impl Ends for BorrowedTcp {
    type Reader = ByReference<TcpConnection>;
    type Writer = ByReference<TcpConnection>;
    fn ends(connection: &SocketConnection) -> (Self::Reader, Self::Writer) {
        let (reader, writer) = Tcp::ends(connection);
        (ByReference(reader), ByReference(writer))
    }
}

macro_rules! over_all {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            use crate::support::*;

            #[test]
            fn of_halves() {
                on_private_context(super::$body::<super::Halves>);
            }
            #[test]
            fn of_a_connection() {
                on_private_context(super::$body::<super::Connection>);
            }
            #[test]
            fn of_a_tcp_connection() {
                on_private_context(super::$body::<super::Tcp>);
            }
            #[test]
            fn of_a_borrowed_connection() {
                on_private_context(super::$body::<super::Borrowed>);
            }
            #[test]
            fn of_a_borrowed_tcp_connection() {
                on_private_context(super::$body::<super::BorrowedTcp>);
            }
        }
    )+};
}

over_all!(
    a_copy_is_an_echo,
    lines_are_read_through_a_buffer,
    an_exact_read_and_vectored_calls,
    closing_ends_what_is_sent_and_nothing_else,
    errors_have_the_kinds_of_std,
    both_directions_at_once_in_one_task,
);

fn a_copy_is_an_echo<E: Ends>(context: &glib::MainContext) {
    let (connection, mut peer) = connected_bare();
    let sent = payload(1 << 20, 4);
    let expected = sent.clone();
    let (reader, mut writer) = E::ends(&connection);
    let echo = engine::spawn_local(context, async move {
        let count = copy(reader, &mut writer).await.unwrap();
        writer.close().await.unwrap();
        count
    });
    let mut output = peer.try_clone().unwrap();
    let feeder = thread::spawn(move || {
        output.write_all(&sent).unwrap();
        output.shutdown(Shutdown::Write).unwrap();
    });
    let reader = thread::spawn(move || read_to_end(&mut peer));
    assert_eq!(value_of(context.block_on(echo)), expected.len() as u64);
    feeder.join().unwrap();
    assert!(reader.join().unwrap() == expected);
    assert_eq!(connection.bytes_read(), 1 << 20);
    assert_eq!(connection.bytes_written(), 1 << 20);
}

fn lines_are_read_through_a_buffer<E: Ends>(context: &glib::MainContext) {
    let (connection, mut peer) = connected_bare();
    let (reader, _writer) = E::ends(&connection);
    let task = engine::spawn_local(context, async move {
        let mut lines = BufReader::with_capacity(7, reader).lines();
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await {
            seen.push(line.unwrap());
        }
        seen
    });
    let feeder = thread::spawn(move || {
        for piece in ["first\nsec", "ond\n\nand a long", " one without an end"] {
            peer.write_all(piece.as_bytes()).unwrap();
            thread::yield_now();
        }
        peer.shutdown(Shutdown::Write).unwrap();
        peer
    });
    let seen = value_of(context.block_on(task));
    assert_eq!(
        seen,
        ["first", "second", "", "and a long one without an end"]
    );
    drop(feeder.join().unwrap());
}

fn an_exact_read_and_vectored_calls<E: Ends>(context: &glib::MainContext) {
    let (connection, mut peer) = connected_bare();
    let (mut reader, mut writer) = E::ends(&connection);
    let task = engine::spawn_local(context, async move {
        let mut exact = [0; 6];
        reader.read_exact(&mut exact).await.unwrap();
        let (mut one, mut two) = ([0; 2], [0; 4]);
        let mut buffers = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        let count = reader.read_vectored(&mut buffers).await.unwrap();
        let buffers = [IoSlice::new(&exact), IoSlice::new(&one)];
        let written = writer.write_vectored(&buffers).await.unwrap();
        writer.flush().await.unwrap();
        (exact, one, two, count, written)
    });
    while context.iteration(false) {}
    peer.write_all(b"exa").unwrap();
    while context.iteration(false) {}
    assert!(!task.is_finished());
    peer.write_all(b"ctvect").unwrap();
    let (exact, one, two, count, written) = value_of(context.block_on(task));
    assert_eq!(&exact, b"exactv");
    assert_eq!((count, &one, &two[..1]), (3, b"ec", &b"t"[..]));
    assert_eq!(written, 8);
    let mut received = [0; 8];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"exactvec");
}

fn closing_ends_what_is_sent_and_nothing_else<E: Ends>(context: &glib::MainContext) {
    let (connection, mut peer) = connected_bare();
    let (mut reader, mut writer) = E::ends(&connection);
    run(context, async move {
        writer.write_all(b"all").await.unwrap();
        writer.close().await.unwrap();
    });
    assert_eq!(read_to_end(&mut peer), b"all");
    assert!(!connection.is_closed());
    assert_eq!(connection.state(), ConnectionState::Connected);
    peer.write_all(b"more").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let received = run(context, async move {
        let mut received = String::new();
        reader.read_to_string(&mut received).await.unwrap();
        received
    });
    assert_eq!(received, "more");
}

fn errors_have_the_kinds_of_std<E: Ends>(context: &glib::MainContext) {
    let (connection, peer) = connected_bare();
    let (mut reader, mut writer) = E::ends(&connection);
    let task = engine::spawn_local(context, async move {
        let error = reader.read(&mut [0; 4]).await.unwrap_err();
        (reader, error)
    });
    while context.iteration(false) {}
    reset(peer);
    let (mut reader, error) = value_of(context.block_on(task));
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // The error of GIO is there, for those who ask.
    let source = error.get_ref().and_then(|inner| inner.downcast_ref());
    let source: &glib::Error = source.expect("an error of GIO's");
    assert_eq!(code(source), gio::IOErrorEnum::BrokenPipe);
    connection.close(gio::Cancellable::NONE).unwrap();
    run(context, async move {
        let closed = [
            reader.read(&mut [0; 4]).await.unwrap_err(),
            writer.write(b"x").await.unwrap_err(),
            writer.close().await.unwrap_err(),
        ];
        for error in closed {
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
    });
}

fn both_directions_at_once_in_one_task<E: Ends>(context: &glib::MainContext) {
    let (connection, mut peer) = connected_bare();
    let filled = fill(&connection, &peer);
    let (mut reader, mut writer) = E::ends(&connection);
    let task = engine::spawn_local(context, async move {
        let mut buffer = [0; 2];
        let (read, written) =
            futures::join!(reader.read_exact(&mut buffer), writer.write_all(b"out"));
        read.unwrap();
        written.unwrap();
        buffer
    });
    while context.iteration(false) {}
    let drainer = thread::spawn(move || {
        let mut flood = vec![0; filled];
        peer.read_exact(&mut flood).unwrap();
        let mut out = [0; 3];
        peer.read_exact(&mut out).unwrap();
        assert_eq!(&out, b"out");
        peer.write_all(b"in").unwrap();
        peer
    });
    assert_eq!(&value_of(context.block_on(task)), b"in");
    drop(drainer.join().unwrap());
}

// --- Many who share a connection ---------------------------------------------------------------

/// Tasks that each read one byte of `connection`, and count themselves off.
fn readers(
    context: &glib::MainContext,
    connection: &SocketConnection,
    many: usize,
) -> (Vec<engine::JoinHandle<u8>>, Rc<Cell<usize>>) {
    let ended = Rc::new(Cell::new(0));
    let tasks = (0..many)
        .map(|_| {
            let (connection, ended) = (connection.clone(), ended.clone());
            engine::spawn_local(context, async move {
                let mut byte = [0];
                (&connection).read_exact(&mut byte).await.unwrap();
                ended.set(ended.get() + 1);
                byte[0]
            })
        })
        .collect();
    (tasks, ended)
}

#[test]
fn all_tasks_that_read_one_connection_are_woken() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (tasks, ended) = readers(context, &connection, 50);
        while context.iteration(false) {}
        assert_eq!(ended.get(), 0);
        let sent: Vec<u8> = (0..50).collect();
        // One, some, and the rest.
        for (range, so_far) in [(0..1, 1), (1..20, 20), (20..50, 50)] {
            peer.write_all(&sent[range]).unwrap();
            until(context, || ended.get() == so_far);
            while context.iteration(false) {}
            assert_eq!(ended.get(), so_far);
        }
        let mut received: Vec<_> = tasks
            .into_iter()
            .map(|task| value_of(context.block_on(task)))
            .collect();
        received.sort_unstable();
        assert_eq!(received, sent);
    });
}

#[test]
fn all_tasks_that_read_one_connection_see_its_end() {
    on_private_context(|context| {
        for by_the_peer in [true, false] {
            let (connection, mut peer) = connected_bare();
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let connection = connection.clone();
                    engine::spawn_local(
                        context,
                        async move { (&connection).read(&mut [0; 4]).await },
                    )
                })
                .collect();
            while context.iteration(false) {}
            if by_the_peer {
                peer.shutdown(Shutdown::Write).unwrap();
            } else {
                connection.close(gio::Cancellable::NONE).unwrap();
                assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
            }
            for task in tasks {
                let read = value_of(context.block_on(task));
                match read {
                    Ok(count) => assert!(by_the_peer && count == 0),
                    Err(error) => {
                        assert!(!by_the_peer);
                        assert_eq!(error.kind(), ErrorKind::NotConnected);
                    }
                }
            }
        }
    });
}

#[test]
fn all_tasks_that_write_to_one_full_connection_are_woken() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let filled = fill(&connection, &peer);
        let tasks: Vec<_> = (0..20_u8)
            .map(|number| {
                let connection = connection.clone();
                engine::spawn_local(context, async move {
                    (&connection).write_all(&[number; 5000]).await.unwrap();
                })
            })
            .collect();
        while context.iteration(false) {}
        assert!(tasks.iter().all(|task| !task.is_finished()));
        let drainer = thread::spawn(move || {
            let mut flood = vec![0; filled];
            peer.read_exact(&mut flood).unwrap();
            let mut received = vec![0; 20 * 5000];
            peer.read_exact(&mut received).unwrap();
            received
        });
        for task in tasks {
            value_of(context.block_on(task));
        }
        let received = drainer.join().unwrap();
        for number in 0..20 {
            let count = received.iter().filter(|byte| **byte == number).count();
            assert_eq!(count, 5000);
        }
    });
}

/// Futures of one task share its waker, and those of a `FuturesUnordered` have their own.
#[test]
fn futures_of_one_task_share_a_connection() {
    on_private_context(|context| {
        for unordered in [true, false] {
            let (connection, mut peer) = connected_bare();
            let connection_too = connection.clone();
            let task = engine::spawn_local(context, async move {
                let reads = (0..10).map(|_| {
                    let connection = &connection_too;
                    async move {
                        let mut connection = connection;
                        let mut byte = [0];
                        connection.read_exact(&mut byte).await.unwrap();
                        byte[0]
                    }
                });
                if unordered {
                    let reads: FuturesUnordered<_> = reads.collect();
                    reads.collect::<Vec<_>>().await
                } else {
                    join_all(reads).await
                }
            });
            while context.iteration(false) {}
            for byte in 0..10 {
                peer.write_all(&[byte]).unwrap();
                while context.iteration(false) {}
            }
            let mut received = value_of(context.block_on(task));
            received.sort_unstable();
            assert_eq!(received, (0..10).collect::<Vec<u8>>());
        }
    });
}

/// Halves, the connection and its stream side by side: each byte goes to one of them.
#[test]
fn halves_the_connection_and_its_stream_read_side_by_side() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (tasks, ended) = readers(context, &connection, 5);
        let (mut reader, _writer) = connection.halves();
        let counted = ended.clone();
        let half = engine::spawn_local(context, async move {
            for _ in 0..5 {
                assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 1);
                counted.set(counted.get() + 1);
            }
        });
        let counted = ended.clone();
        connection.input_stream().read_all_async(
            vec![0; 5],
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |result| {
                let (_, count, error) = result.map_err(|(_, error)| error).unwrap();
                assert!(error.is_none());
                counted.set(counted.get() + count);
            },
        );
        while context.iteration(false) {}
        for _ in 0..15 {
            peer.write_all(b"x").unwrap();
            while context.iteration(false) {}
        }
        until(context, || ended.get() == 15);
        value_of(context.block_on(half));
        for task in tasks {
            value_of(context.block_on(task));
        }
        assert_eq!(connection.bytes_read(), 15);
    });
}

#[test]
fn flushing_has_nothing_to_do() {
    on_private_context(|_context| {
        let (connection, peer) = connected_bare();
        fill(&connection, &peer);
        let (_reader, mut writer) = connection.halves();
        let bell = Bell::new();
        done(bell.poll(&mut Box::pin(writer.flush()))).unwrap();
        done(bell.poll(&mut Box::pin((&connection).flush()))).unwrap();
        assert_eq!(bell.held(), 0);
    });
}

/// Both preludes and the traits of futures, on one object: each name means one thing.
#[test]
fn the_names_of_gio_and_futures_stay_apart() {
    on_private_context(|context| {
        let (connection, mut peer): (SocketConnection, TcpStream) = connected_bare();
        let mut borrowed = &connection;
        context
            .block_on(async { borrowed.write_all(b"futures").await })
            .unwrap();
        connection
            .output_stream()
            .write_all(b" and gio", gio::Cancellable::NONE)
            .unwrap();
        let mut received = [0; 15];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"futures and gio");
    });
}
