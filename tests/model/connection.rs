//! A connection and its peer, beside two queues of bytes.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    rc::Rc,
};

use futures::{AsyncReadExt, AsyncWriteExt};
use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketConnection, TcpConnection, prelude::*};
use proptest::{prelude::*, strategy::Union};

use crate::{sequences::explore, support::*};

#[derive(Clone, Copy, Debug)]
enum Made {
    Socket,
    Bare,
    Unix,
    Connected,
    ConnectedLater,
}

#[derive(Clone, Copy, Debug)]
enum Reading {
    Blocking,
    NonBlocking,
    Callback,
    Direct,
    Half,
    Traits,
    Peek,
    Cancelled,
    Socket,
}

#[derive(Clone, Copy, Debug)]
enum Writing {
    Blocking,
    NonBlocking,
    Callback,
    Direct,
    Half,
    Traits,
    Cancelled,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Another connection from here on.
    Make(Made),
    PeerSends(usize),
    PeerReceives,
    PeerEnds,
    Read(Reading, usize),
    Write(Writing, usize),
    CancelPending,
    HalfClose(bool),
    Close(bool),
    TakeSocket,
    SetProperty(bool),
    Splice,
    Iterate,
}

fn step() -> impl Strategy<Value = Step> {
    let made = prop::sample::select(vec![
        Made::Socket,
        Made::Bare,
        Made::Unix,
        Made::Connected,
        Made::ConnectedLater,
    ]);
    let reading = prop::sample::select(vec![
        Reading::Blocking,
        Reading::NonBlocking,
        Reading::Callback,
        Reading::Direct,
        Reading::Half,
        Reading::Traits,
        Reading::Peek,
        Reading::Cancelled,
        Reading::Socket,
    ]);
    let writing = prop::sample::select(vec![
        Writing::Blocking,
        Writing::NonBlocking,
        Writing::Callback,
        Writing::Direct,
        Writing::Half,
        Writing::Traits,
        Writing::Cancelled,
    ]);
    Union::new_weighted(vec![
        (2, made.prop_map(Step::Make).boxed()),
        (12, (1_usize..300).prop_map(Step::PeerSends).boxed()),
        (5, Just(Step::PeerReceives).boxed()),
        (2, Just(Step::PeerEnds).boxed()),
        (
            20,
            (reading, 1_usize..400)
                .prop_map(|(how, count)| Step::Read(how, count))
                .boxed(),
        ),
        (
            12,
            (writing, 1_usize..300)
                .prop_map(|(how, count)| Step::Write(how, count))
                .boxed(),
        ),
        (3, Just(Step::CancelPending).boxed()),
        (2, any::<bool>().prop_map(Step::HalfClose).boxed()),
        (2, any::<bool>().prop_map(Step::Close).boxed()),
        (2, Just(Step::TakeSocket).boxed()),
        (2, any::<bool>().prop_map(Step::SetProperty).boxed()),
        (2, Just(Step::Splice).boxed()),
        (3, Just(Step::Iterate).boxed()),
    ])
}

enum Peer {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Peer {
    fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
        .expect("there is room");
    }

    fn receive(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn end(&self) {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
        .expect("it is connected");
    }
}

type Answer = Rc<RefCell<Option<Result<Vec<u8>, glib::Error>>>>;

struct Pending {
    answer: Answer,
    cancellable: Cancellable,
    asked: usize,
    on_stream: bool,
}

/// The connection and what is known of it.
struct Model {
    connection: SocketConnection,
    peer: Peer,
    to_us: VecDeque<u8>,
    to_peer: VecDeque<u8>,
    sent: u8,
    written: u8,
    peer_ended: bool,
    we_ended: bool,
    closed: bool,
    bytes_read: u64,
    bytes_written: u64,
    /// The `GSocket` was read past the connection: the counters tell less.
    by_socket: bool,
    pending: Option<Pending>,
    context: glib::MainContext,
}

thread_local! {
    static SERVER: RefCell<Option<(TcpListener, Cell<u32>)>> = const { RefCell::new(None) };
}

/// Somebody who connects to the address, and the other end.
fn accepted(
    connect: impl FnOnce(&gio::InetSocketAddress) -> SocketConnection,
) -> (SocketConnection, Peer) {
    SERVER.with_borrow_mut(|server| {
        // So that no port has all of the connections that have just ended.
        let (listener, uses) = server.get_or_insert_with(|| (listener().0, Cell::new(0)));
        uses.set(uses.get() + 1);
        let address = gio_address(listener.local_addr().expect("bound"));
        let connection = connect(&address);
        let (peer, _) = listener.accept().expect("somebody connected");
        limited(&peer);
        if uses.get() == 1_000 {
            *server = None;
        }
        (connection, Peer::Tcp(peer))
    })
}

fn limited(peer: &TcpStream) {
    let limit = Some(LIMIT * slowness());
    peer.set_read_timeout(limit).expect("an option");
    peer.set_nodelay(true).expect("an option");
}

fn make(made: Made, context: &glib::MainContext) -> (SocketConnection, Peer) {
    let new = || SocketConnection::factory_create_connection(&ipv4_socket());
    match made {
        Made::Unix => {
            let (ours, peer) = UnixStream::pair().expect("two descriptors");
            let limit = Some(LIMIT * slowness());
            peer.set_read_timeout(limit).expect("an option");
            let ours = OwnedFd::from(ours);
            let connection = SocketConnection::factory_create_connection_from_fd(ours);
            (connection.expect("a socket"), Peer::Unix(peer))
        }
        Made::Socket | Made::Bare => accepted(|address| {
            let address = std::net::SocketAddr::new([127, 0, 0, 1].into(), address.port());
            let fd = OwnedFd::from(TcpStream::connect(address).expect("it listens"));
            if matches!(made, Made::Bare) {
                let connection = SocketConnection::factory_create_connection_from_fd(fd);
                return connection.expect("a socket");
            }
            let socket = gio::Socket::from_fd(fd).expect("a socket");
            SocketConnection::factory_create_connection(&socket)
        }),
        Made::Connected => accepted(|address| {
            let connection = new();
            let connected =
                gsock::SocketConnectionExt::connect(&connection, address, Cancellable::NONE);
            connected.expect("it listens");
            connection
        }),
        Made::ConnectedLater => accepted(|address| {
            let connection = new();
            let connected = block_on(context, connection.connect_future(address));
            connected.expect("it listens");
            connection
        }),
    }
}

impl Model {
    fn new(made: Made, context: &glib::MainContext) -> Self {
        let (connection, peer) = make(made, context);
        assert!(connection.is_connected());
        Self {
            connection,
            peer,
            to_us: VecDeque::new(),
            to_peer: VecDeque::new(),
            sent: 0,
            written: 0,
            peer_ended: false,
            we_ended: false,
            closed: false,
            bytes_read: 0,
            bytes_written: 0,
            by_socket: false,
            pending: None,
            context: context.clone(),
        }
    }

    fn is_readable(&self) -> bool {
        !self.to_us.is_empty() || self.peer_ended || self.closed
    }

    /// What a read has answered that had `asked`.
    fn has_read(&mut self, how: &str, asked: usize, answer: Result<Vec<u8>, glib::Error>) {
        match answer {
            Ok(bytes) => {
                assert!(!self.closed, "{how}: read from a closed connection");
                if bytes.is_empty() {
                    assert!(
                        self.peer_ended && self.to_us.is_empty(),
                        "{how}: an early end"
                    );
                }
                assert!(bytes.len() <= asked, "{how}: more than asked for");
                for byte in &bytes {
                    assert_eq!(self.to_us.pop_front(), Some(*byte), "{how}: another byte");
                }
                self.bytes_read += bytes.len() as u64;
            }
            Err(failure) => {
                let expected = if self.closed {
                    IOErrorEnum::Closed
                } else {
                    assert!(!self.is_readable(), "{how}: {failure}");
                    IOErrorEnum::WouldBlock
                };
                assert_eq!(code(&failure), expected, "{how}: {failure}");
            }
        }
    }

    fn read(&mut self, how: Reading, asked: usize) {
        let name = format!("{how:?}");
        let input = self.connection.input_stream();
        if let Some(pending) = &self.pending {
            // One at a time.
            if pending.on_stream && matches!(how, Reading::Blocking) && !self.closed {
                let failure = input.read(vec![0; asked], Cancellable::NONE).unwrap_err();
                assert_eq!(code(&failure), IOErrorEnum::Pending);
            }
            return;
        }
        let cut = |mut buffer: Vec<u8>, count: usize| {
            buffer.truncate(count);
            buffer
        };
        match how {
            Reading::Callback | Reading::Direct => return self.begin_to_read(how, asked),
            Reading::Cancelled => {
                let cancellable = Cancellable::new();
                cancellable.cancel();
                let failure = input.read(vec![0; asked], Some(&cancellable)).unwrap_err();
                let expected = if self.closed {
                    IOErrorEnum::Closed
                } else {
                    IOErrorEnum::Cancelled
                };
                return assert_eq!(code(&failure), expected, "{failure}");
            }
            Reading::NonBlocking => {
                let pollable = input
                    .downcast::<gio::PollableInputStream>()
                    .expect("it is one");
                let mut buffer = vec![0; asked];
                let read = pollable.read_nonblocking(&mut buffer, Cancellable::NONE);
                let read = read.map(|count| cut(buffer, usize::try_from(count).expect("a count")));
                return self.has_read(&name, asked, read);
            }
            _ => {}
        }
        if !self.is_readable() {
            return;
        }
        let context = self.context.clone();
        let connection = self.connection.clone();
        let read = match how {
            Reading::Blocking => {
                let mut buffer = vec![0; asked];
                let read = input.read(&mut buffer, Cancellable::NONE);
                read.map(|count| cut(buffer, count))
            }
            Reading::Half | Reading::Peek => block_on(&context, async move {
                let (mut half, _keep) = connection.halves();
                let mut buffer = vec![0; asked];
                let read = if matches!(how, Reading::Peek) {
                    half.peek(&mut buffer).await
                } else {
                    half.read(&mut buffer).await
                };
                read.map(|count| cut(buffer, count))
            }),
            Reading::Traits => block_on(&context, async move {
                let mut buffer = vec![0; asked];
                match (&connection).read(&mut buffer).await {
                    Ok(count) => Ok(cut(buffer, count)),
                    Err(error) => {
                        let inner = error.into_inner().expect("of gsock");
                        Err(*inner.downcast::<glib::Error>().expect("GLib's"))
                    }
                }
            }),
            _ => {
                if self.closed {
                    return;
                }
                self.by_socket = true;
                let socket = self.connection.socket();
                let mut buffer = vec![0; asked];
                let read = socket.receive(&mut buffer, Cancellable::NONE);
                read.map(|count| cut(buffer, count))
            }
        };
        if matches!(how, Reading::Peek) {
            if let Ok(bytes) = read {
                let there: Vec<u8> = self.to_us.iter().take(bytes.len()).copied().collect();
                assert_eq!(bytes, there, "a peek shows something else");
            }
            return;
        }
        self.has_read(&name, asked, read);
    }

    fn begin_to_read(&mut self, how: Reading, asked: usize) {
        let answer = Answer::default();
        let slot = answer.clone();
        let cancellable = Cancellable::new();
        let once = move |mut buffer: Vec<u8>, result: Result<usize, glib::Error>| {
            let read = result.map(|count| {
                buffer.truncate(count);
                buffer
            });
            let before = slot.borrow_mut().replace(read);
            assert!(before.is_none(), "a read is answered twice");
        };
        let on_stream = matches!(how, Reading::Callback);
        let priority = glib::Priority::DEFAULT;
        if on_stream {
            let input = self.connection.input_stream();
            let buffer = vec![0; asked];
            input.read_async(
                buffer,
                priority,
                Some(&cancellable),
                move |result| match result {
                    Ok((buffer, count)) => once(buffer, Ok(count)),
                    Err((buffer, failure)) => once(buffer, Err(failure)),
                },
            );
        } else {
            let buffer = vec![0; asked];
            self.connection.receive_async(
                buffer,
                priority,
                Some(&cancellable),
                move |_, buffer, result| {
                    once(buffer, result);
                },
            );
        }
        self.pending = Some(Pending {
            answer,
            cancellable,
            asked,
            on_stream,
        });
        self.settle();
    }

    /// A read that is under way ends as soon as there is something to say.
    fn settle(&mut self) {
        if self.is_readable()
            && let Some(pending) = self.pending.take()
        {
            iterate_until(&self.context, || pending.answer.borrow().is_some());
            let answer = pending.answer.take().expect("seen");
            self.has_read("a read that was under way", pending.asked, answer);
        }
    }

    fn cancel_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            pending.cancellable.cancel();
            iterate_until(&self.context, || pending.answer.borrow().is_some());
            let answer = pending.answer.take().expect("seen");
            let failure = answer.expect_err("there was nothing to read");
            assert_eq!(code(&failure), IOErrorEnum::Cancelled, "{failure}");
        }
    }

    fn write(&mut self, how: Writing, count: usize) {
        let bytes: Vec<u8> = (0..count)
            .map(|at| {
                self.written
                    .wrapping_add(u8::try_from(at % 251).expect("small"))
            })
            .collect();
        let output = self.connection.output_stream();
        let context = self.context.clone();
        let connection = self.connection.clone();
        let of_io = |error: std::io::Error| {
            let inner = error.into_inner().expect("of gsock");
            *inner.downcast::<glib::Error>().expect("GLib's")
        };
        let written = match how {
            Writing::Blocking => output
                .write(&bytes, Cancellable::NONE)
                .map(|count| usize::try_from(count).expect("a count")),
            Writing::NonBlocking => {
                let pollable = output
                    .downcast::<gio::PollableOutputStream>()
                    .expect("it is one");
                let written = pollable.write_nonblocking(&bytes, Cancellable::NONE);
                written.map(|count| usize::try_from(count).expect("a count"))
            }
            Writing::Callback => {
                let written = output.write_future(bytes.clone(), glib::Priority::DEFAULT);
                let written = block_on(&context, written);
                written.map(|(_, count)| count).map_err(|failed| failed.1)
            }
            Writing::Direct => {
                let slot = Rc::new(RefCell::new(None));
                let answer = slot.clone();
                let priority = glib::Priority::DEFAULT;
                let buffer = glib::Bytes::from(&bytes);
                connection.send_async(buffer, priority, Cancellable::NONE, move |_, result| {
                    assert!(slot.borrow_mut().replace(result).is_none(), "two answers");
                });
                iterate_until(&context, || answer.borrow().is_some());
                answer.take().expect("seen")
            }
            Writing::Half => {
                let bytes = bytes.clone();
                block_on(&context, async move {
                    let (_keep, mut half) = connection.halves();
                    half.write(&bytes).await
                })
            }
            Writing::Traits => {
                let bytes = bytes.clone();
                let written = block_on(&context, async move { (&connection).write(&bytes).await });
                written.map_err(of_io)
            }
            Writing::Cancelled => {
                let cancellable = Cancellable::new();
                cancellable.cancel();
                let failure = output.write(&bytes, Some(&cancellable)).unwrap_err();
                let expected = if self.closed {
                    IOErrorEnum::Closed
                } else {
                    IOErrorEnum::Cancelled
                };
                return assert_eq!(code(&failure), expected, "{failure}");
            }
        };
        match written {
            Ok(count) => {
                assert!(
                    !self.closed && !self.we_ended,
                    "{how:?}: written after the end"
                );
                assert!(
                    (1..=bytes.len()).contains(&count),
                    "{how:?}: {count} written"
                );
                self.to_peer.extend(&bytes[..count]);
                self.written = self.written.wrapping_add(1);
                self.bytes_written += count as u64;
            }
            Err(failure) => {
                let expected = match (self.closed, self.we_ended) {
                    (true, _) => IOErrorEnum::Closed,
                    (_, true) => IOErrorEnum::BrokenPipe,
                    _ => panic!("{how:?}: {failure}"),
                };
                assert_eq!(code(&failure), expected, "{how:?}: {failure}");
            }
        }
    }

    /// What was written arrives, all of it and in its order.
    fn peer_receives(&mut self) {
        let mut buffer = [0; 1024];
        while !self.to_peer.is_empty() {
            let most = self.to_peer.len().min(buffer.len());
            let count = self
                .peer
                .receive(&mut buffer[..most])
                .expect("it was written");
            assert!(count > 0, "bytes were lost at the end");
            for byte in &buffer[..count] {
                assert_eq!(
                    self.to_peer.pop_front(),
                    Some(*byte),
                    "the peer has another byte"
                );
            }
        }
    }

    fn half_close(&mut self, by_half: bool) {
        let connection = self.connection.clone();
        let ended = if by_half {
            block_on(&self.context, async move {
                let (_keep, mut half) = connection.halves();
                half.shutdown().await
            })
        } else {
            if self.closed {
                return;
            }
            self.connection.socket().shutdown(false, true)
        };
        match ended {
            Ok(()) => self.we_ended = true,
            Err(failure) if self.closed => assert_eq!(code(&failure), IOErrorEnum::Closed),
            Err(failure) => {
                // Both ends are over, and for the kernel so is the connection.
                assert!(self.we_ended && self.peer_ended, "{failure}");
                assert_eq!(code(&failure), IOErrorEnum::NotConnected, "{failure}");
            }
        }
    }

    fn close(&mut self, blocking: bool) {
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.on_stream)
            && !self.closed
        {
            // GIO's streams refuse to be closed meanwhile.
            self.cancel_pending();
        }
        // What was not read would reset the connection, and the peer would lose what is on its way.
        self.peer_receives();
        let closed = if blocking {
            self.connection.close(Cancellable::NONE)
        } else {
            block_on(
                &self.context,
                self.connection.close_future(glib::Priority::DEFAULT),
            )
        };
        closed.expect("a close succeeds, the second one too");
        self.closed = true;
        assert!(!self.connection.is_connected());
        self.settle();
    }

    fn splice(&mut self) {
        if !self.peer_ended || self.pending.is_some() || self.closed {
            return;
        }
        let target = gio::MemoryOutputStream::new_resizable();
        let input = self.connection.input_stream();
        let flags = gio::OutputStreamSpliceFlags::CLOSE_TARGET;
        let moved = target
            .splice(&input, flags, Cancellable::NONE)
            .expect("there is an end");
        let bytes = target.steal_as_bytes();
        assert_eq!(usize::try_from(moved).expect("a count"), bytes.len());
        let count = self.to_us.len();
        assert_eq!(bytes.len(), count, "a splice goes to the end");
        self.has_read("a splice", count, Ok(bytes.to_vec()));
    }

    fn set_property(&self, value: bool) {
        if self.closed {
            return;
        }
        if let Some(tcp) = self.connection.downcast_ref::<TcpConnection>() {
            tcp.set_no_delay(value).expect("an option");
            assert_eq!(tcp.no_delay().expect("an option"), value);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Make(_) => {}
            Step::PeerSends(count) if !self.peer_ended && !self.closed => {
                let bytes: Vec<u8> = (0..count)
                    .map(|at| {
                        self.sent
                            .wrapping_add(u8::try_from(at % 251).expect("small"))
                    })
                    .collect();
                self.sent = self.sent.wrapping_add(7);
                self.peer.send(&bytes);
                self.to_us.extend(bytes);
            }
            Step::PeerSends(_) => {}
            Step::PeerReceives => self.peer_receives(),
            Step::PeerEnds if !self.peer_ended && !self.closed => {
                self.peer.end();
                self.peer_ended = true;
            }
            Step::PeerEnds => {}
            Step::Read(how, asked) => self.read(how, asked),
            Step::Write(how, count) => self.write(how, count),
            Step::CancelPending => self.cancel_pending(),
            Step::HalfClose(by_half) => self.half_close(by_half),
            Step::Close(blocking) => self.close(blocking),
            Step::TakeSocket => {
                let socket = self.connection.socket();
                assert_eq!(socket.is_closed(), self.closed);
            }
            Step::SetProperty(value) => self.set_property(value),
            Step::Splice => self.splice(),
            Step::Iterate => {
                self.context.iteration(false);
            }
        }
        self.settle();
        self.assert_counters();
    }

    fn assert_counters(&self) {
        let read = self.connection.bytes_read();
        if !self.by_socket {
            assert_eq!(read, self.bytes_read, "how many bytes were read");
        }
        assert_eq!(
            self.connection.bytes_written(),
            self.bytes_written,
            "and written"
        );
    }

    fn end(mut self) {
        self.cancel_pending();
        self.peer_receives();
        self.close(true);
        // Nothing follows what was written.
        match self.peer.receive(&mut [0]) {
            Ok(count) => assert_eq!(count, 0, "bytes that nobody has written"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let gone = Gone::of(&self.connection);
        drop(self.connection);
        iterate_until(&self.context, || gone.is_gone());
    }
}

fn play(context: &glib::MainContext, steps: &[Step]) {
    let first = match steps[0] {
        Step::Make(made) => made,
        Step::PeerSends(count) => [Made::Bare, Made::Socket, Made::Unix][count % 3],
        _ => Made::Unix,
    };
    let mut model = Model::new(first, context);
    for step in steps {
        if let Step::Make(made) = step {
            std::mem::replace(&mut model, Model::new(*made, context)).end();
        }
        model.step(*step);
    }
    model.end();
}

#[test]
fn bytes_and_ends_are_those_of_two_queues() {
    let test = concat!(module_path!(), "::bytes_and_ends_are_those_of_two_queues");
    explore(test, 50, step, play);
}
