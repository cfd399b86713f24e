//! Connections in some state, and every operation that can be tried on them: for the matrix.

use std::{
    any::Any,
    io::Write,
    net::TcpStream,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream},
    },
    sync::atomic::{AtomicU32, Ordering},
    thread::JoinHandle,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{support::*, tools::*, under::*};

pub(crate) const BROKEN_PIPE: Outcome = Fails(IOErrorEnum::BrokenPipe);
pub(crate) const CANCELLED: Outcome = Fails(IOErrorEnum::Cancelled);
pub(crate) const CLOSED: Outcome = Fails(IOErrorEnum::Closed);
pub(crate) const FAILED: Outcome = Fails(IOErrorEnum::Failed);
pub(crate) const INVALID_ARGUMENT: Outcome = Fails(IOErrorEnum::InvalidArgument);
pub(crate) const NOT_CONNECTED: Outcome = Fails(IOErrorEnum::NotConnected);
pub(crate) const PENDING: Outcome = Fails(IOErrorEnum::Pending);
pub(crate) const REFUSED: Outcome = Fails(IOErrorEnum::ConnectionRefused);
pub(crate) const TIMED_OUT: Outcome = Fails(IOErrorEnum::TimedOut);
pub(crate) const WOULD_BLOCK: Outcome = Fails(IOErrorEnum::WouldBlock);

/// A connection in some state, the peer, and what must live meanwhile.
pub(crate) struct Scene {
    pub(crate) under: Under,
    /// Of a Unix connection too: it is only read, written and closed.
    pub(crate) peer: Option<TcpStream>,
    /// Where a connect goes to.
    pub(crate) address: gio::SocketAddress,
    pub(crate) cancellable: Option<Cancellable>,
    pub(crate) kept: Vec<Box<dyn Any>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Read,
    ReadAsync,
    ReadNow,
    ReadNothing,
    ReadNothingAsync,
    ReadNothingNow,
    Skip,
    SkipAsync,
    Write,
    WriteAsync,
    WriteNow,
    WriteNothing,
    WriteNothingAsync,
    WriteNothingNow,
    WriteVectors,
    WriteVectorsAsync,
    WriteVectorsNow,
    Flush,
    FlushAsync,
    Connect,
    ConnectAsync,
    CloseInput,
    CloseInputAsync,
    CloseOutput,
    CloseOutputAsync,
    Close,
    CloseAsync,
    CloseGracefully,
    CloseGracefullyAsync,
}

pub(crate) use Op::*;

/// An operation that was begun.
enum Running {
    Ended(Outcome),
    /// On a thread of its own.
    Blocking(JoinHandle<Outcome>),
    Asynchronous(Slot<Outcome>),
}

impl Running {
    fn has_ended(&self) -> bool {
        match self {
            Self::Ended(_) => true,
            Self::Blocking(thread) => thread.is_finished(),
            Self::Asynchronous(slot) => slot.is_set(),
        }
    }

    fn end(self, context: &glib::MainContext) -> Outcome {
        match self {
            Self::Ended(outcome) => outcome,
            Self::Blocking(thread) => thread.join().unwrap(),
            Self::Asynchronous(slot) => slot.wait(context),
        }
    }
}

fn blocking<T: Clone + 'static, R: Into<Outcome>>(
    on: &T,
    cancellable: Option<&Cancellable>,
    work: impl FnOnce(&T, Option<&Cancellable>) -> R + Send + 'static,
) -> Running {
    let cancellable = cancellable.cloned();
    Running::Blocking(on_thread(on, move |on| {
        work(on, cancellable.as_ref()).into()
    }))
}

fn answers<T: Into<Outcome>>(start: impl FnOnce(Box<dyn FnOnce(T)>)) -> Running {
    let slot = Slot::new();
    let put = slot.put();
    start(Box::new(move |result| put(result.into())));
    Running::Asynchronous(slot)
}

fn begin_read(op: Op, scene: &Scene, cancellable: Option<&Cancellable>) -> Running {
    let input = scene.under.input();
    match op {
        Read => blocking(&input, cancellable, |input, cancellable| {
            let mut buffer = vec![0; 16];
            input.read(&mut buffer, cancellable).map(|count| {
                buffer.truncate(count);
                buffer
            })
        }),
        ReadAsync => answers(|put| {
            input.read_async(vec![0; 16], DEFAULT, cancellable, |read| {
                put(bytes_of(read));
            });
        }),
        ReadNow => {
            let mut buffer = vec![0; 16];
            let read = pollable_input(&*scene.under).read_nonblocking(&mut buffer, cancellable);
            let bytes = read.map(|count| {
                buffer.truncate(usize::try_from(count).expect("a count"));
                buffer
            });
            Running::Ended(bytes.into())
        }
        ReadNothing => Running::Ended(input.read([], cancellable).into()),
        ReadNothingAsync => answers(|put| {
            input.read_async(Vec::new(), DEFAULT, cancellable, |read| {
                put(bytes_of(read));
            });
        }),
        ReadNothingNow => {
            let read = pollable_input(&*scene.under).read_nonblocking(&mut [], cancellable);
            Running::Ended(read.into())
        }
        Skip => blocking(&input, cancellable, |input, cancellable| {
            input.skip(2, cancellable)
        }),
        SkipAsync => answers(|put| input.skip_async(2, DEFAULT, cancellable, put)),
        CloseInput => Running::Ended(input.close(cancellable).into()),
        CloseInputAsync => answers(|put| input.close_async(DEFAULT, cancellable, put)),
        _ => unreachable!("{op:?} is no operation of an input stream"),
    }
}

fn begin_write(op: Op, scene: &Scene, cancellable: Option<&Cancellable>) -> Running {
    let output = scene.under.output();
    match op {
        Write => blocking(&output, cancellable, |output, cancellable| {
            output.write(b"w", cancellable)
        }),
        WriteAsync => answers(|put| {
            output.write_async(b"w".to_vec(), DEFAULT, cancellable, |written| {
                put(written.plain().map(|(_, count)| count));
            });
        }),
        WriteNow => {
            let written = pollable_output(&*scene.under).write_nonblocking(b"w", cancellable);
            Running::Ended(written.into())
        }
        WriteNothing => Running::Ended(output.write(b"", cancellable).into()),
        WriteNothingAsync => answers(|put| {
            output.write_async(Vec::new(), DEFAULT, cancellable, |written| {
                put(written.plain().map(|(_, count)| count));
            });
        }),
        WriteNothingNow => {
            let written = pollable_output(&*scene.under).write_nonblocking(b"", cancellable);
            Running::Ended(written.into())
        }
        WriteVectors => blocking(&output, cancellable, |output, cancellable| {
            output.writev(&[gio::OutputVector::new(b"w")], cancellable)
        }),
        WriteVectorsAsync => answers(|put| {
            output.writev_async(["w"], DEFAULT, cancellable, |written| {
                put(written.plain().map(|(_, count)| count));
            });
        }),
        WriteVectorsNow => {
            let vectors = [gio::OutputVector::new(b"w")];
            let written = pollable_output(&*scene.under).writev_nonblocking(&vectors, cancellable);
            Running::Ended(match written {
                Ok((gio::PollableReturn::WouldBlock, 0)) => WOULD_BLOCK,
                other => other.map(|(_, count)| count).into(),
            })
        }
        Flush => Running::Ended(output.flush(cancellable).into()),
        FlushAsync => answers(|put| output.flush_async(DEFAULT, cancellable, put)),
        CloseOutput => Running::Ended(output.close(cancellable).into()),
        CloseOutputAsync => answers(|put| output.close_async(DEFAULT, cancellable, put)),
        _ => unreachable!("{op:?} is no operation of an output stream"),
    }
}

fn begin(op: Op, scene: &Scene, cancellable: Option<&Cancellable>) -> Running {
    let under = &scene.under;
    match op {
        Read | ReadAsync | ReadNow | ReadNothing | ReadNothingAsync | ReadNothingNow | Skip
        | SkipAsync | CloseInput | CloseInputAsync => begin_read(op, scene, cancellable),
        Write | WriteAsync | WriteNow | WriteNothing | WriteNothingAsync | WriteNothingNow
        | WriteVectors | WriteVectorsAsync | WriteVectorsNow | Flush | FlushAsync | CloseOutput
        | CloseOutputAsync => begin_write(op, scene, cancellable),
        Connect => {
            let address = Sent::new(scene.address.clone());
            blocking(under, cancellable, move |under, cancellable| {
                under.connect_to(address.get(), cancellable)
            })
        }
        ConnectAsync => answers(|put| {
            under.start_connect_to(&scene.address, cancellable, put);
        }),
        Close | CloseGracefully => {
            if op == CloseGracefully {
                under.set_graceful(true);
            }
            blocking(under, cancellable, |under, cancellable| {
                under.close(cancellable)
            })
        }
        CloseAsync | CloseGracefullyAsync => {
            if op == CloseGracefullyAsync {
                under.set_graceful(true);
            }
            answers(|put| under.close_async(DEFAULT, cancellable, put))
        }
    }
}

/// Asks what each operation answers in one state, each in a scene of its own.
pub(crate) struct State<'a, F> {
    side: Side,
    context: &'a glib::MainContext,
    make: F,
}

impl<F: Fn(Side, &glib::MainContext) -> Scene> State<'_, F> {
    /// What the operation answers.
    pub(crate) fn gives(&self, op: Op) -> Outcome {
        let scene = (self.make)(self.side, self.context);
        let was_closed = scene.under.is_closed();
        let outcome = begin(op, &scene, scene.cancellable.as_ref()).end(self.context);
        self.leave(op, &outcome, was_closed, scene);
        outcome
    }

    /// Whether it waits. It is cancelled then.
    pub(crate) fn waits(&self, op: Op) -> bool {
        self.begin_and_cancel(op).is_some()
    }

    /// What it answers when it is cancelled while it waits.
    pub(crate) fn gives_when_cancelled(&self, op: Op) -> Outcome {
        self.begin_and_cancel(op).unwrap_or(Waits)
    }

    /// Nothing if it ends by itself.
    fn begin_and_cancel(&self, op: Op) -> Option<Outcome> {
        let scene = (self.make)(self.side, self.context);
        let was_closed = scene.under.is_closed();
        let cancellable = Cancellable::new();
        let running = begin(op, &scene, Some(&cancellable));
        iterate_for(self.context, Duration::from_millis(40));
        let waited = !running.has_ended();
        cancellable.cancel();
        let outcome = running.end(self.context);
        self.leave(op, &outcome, was_closed, scene);
        waited.then_some(outcome)
    }

    /// A close has closed, whatever it answers, and nothing else has.
    fn leave(&self, op: Op, outcome: &Outcome, was_closed: bool, scene: Scene) {
        let closes = matches!(
            op,
            Close | CloseAsync | CloseGracefully | CloseGracefullyAsync
        );
        if closes && *outcome != PENDING {
            assert!(scene.under.is_closed(), "{op:?}");
            assert!(scene.under.socket().is_closed(), "{op:?}");
            assert!(!scene.under.is_connected(), "{op:?}");
        } else {
            assert_eq!(scene.under.is_closed(), was_closed, "{op:?}");
        }
        // Whatever waits is answered before the scene goes, and no peer is waited for (TCP-7).
        let _ = scene.under.close(cancelled().as_ref());
        iterate_for(self.context, Duration::from_millis(2));
        drop(scene.peer);
    }
}

pub(crate) fn state<F: Fn(Side, &glib::MainContext) -> Scene>(
    side: Side,
    context: &glib::MainContext,
    make: F,
) -> State<'_, F> {
    State {
        side,
        context,
        make,
    }
}

/// Of which family a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Tcp,
    Unix,
}

pub(crate) use Family::*;

impl Family {
    /// With an address where nobody listens.
    pub(crate) fn unconnected(self, side: Side) -> Scene {
        match self {
            Tcp => scene(side.unconnected(), None, refused_address()),
            Unix => {
                let (_gone, address) = unix_listener();
                unix_scene(side.around(&unix_socket()), None, address)
            }
        }
    }

    /// With somebody to connect to.
    pub(crate) fn to_a_listener(self, side: Side) -> Scene {
        match self {
            Tcp => {
                let (listener, address) = listener();
                let mut scene = scene(side.unconnected(), None, address);
                scene.kept.push(Box::new(listener));
                scene
            }
            Unix => {
                let (listener, address) = unix_listener();
                let mut scene = unix_scene(side.around(&unix_socket()), None, address);
                scene.kept.push(Box::new(listener));
                scene
            }
        }
    }

    pub(crate) fn idle(self, side: Side) -> Scene {
        match self {
            Tcp => {
                let (under, peer) = side.connected();
                scene(under, peer, refused_address())
            }
            Unix => {
                let (ours, theirs) = UnixStream::pair().expect("two sockets");
                let socket = gio::Socket::from_fd(OwnedFd::from(ours)).expect("a socket");
                let peer = TcpStream::from(OwnedFd::from(theirs));
                let (listener, address) = unix_listener();
                let mut scene = unix_scene(side.around(&socket), Some(peer), address);
                scene.kept.push(Box::new(listener));
                scene
            }
        }
    }

    pub(crate) fn with_data(self, side: Side) -> Scene {
        let mut scene = self.idle(side);
        let peer = scene.peer.as_mut().expect("connected");
        peer.write_all(b"data").expect("connected");
        wait_readable(&*scene.under);
        scene
    }

    pub(crate) fn full(self, side: Side) -> Scene {
        let scene = self.idle(side);
        fill(&*scene.under, scene.peer.as_ref().expect("connected"));
        scene
    }

    /// With both streams, whose places are taken before (SC-6).
    pub(crate) fn closed(self, side: Side) -> Scene {
        let mut scene = self.with_data(side);
        let streams = (scene.under.input(), scene.under.output());
        scene.kept.push(Box::new(streams));
        scene.under.close(Cancellable::NONE).expect("open");
        scene
    }
}

pub(crate) fn scene(
    under: Under,
    peer: impl Into<Option<TcpStream>>,
    address: std::net::SocketAddr,
) -> Scene {
    Scene {
        under,
        peer: peer.into(),
        address: gio_address(address).upcast(),
        cancellable: None,
        kept: Vec::new(),
    }
}

fn unix_scene(under: Under, peer: Option<TcpStream>, address: gio::SocketAddress) -> Scene {
    Scene {
        under,
        peer,
        address,
        cancellable: None,
        kept: Vec::new(),
    }
}

fn unix_socket() -> gio::Socket {
    gio::Socket::new(
        gio::SocketFamily::Unix,
        gio::SocketType::Stream,
        gio::SocketProtocol::Default,
    )
    .expect("a socket")
}

fn unix_listener() -> (gio::Socket, gio::SocketAddress) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    // One of nobody's. GIO's bind without a name is of bytes that it has never set.
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("gsock-parity-{}-{made}", std::process::id());
    let name = UnixAddress::from_abstract_name(name).expect("a short name");
    let listener = UnixListener::bind_addr(&name).expect("a free name");
    let listener = gio::Socket::from_fd(OwnedFd::from(listener)).expect("a socket");
    let address = listener.local_address().expect("bound");
    (listener, address)
}

pub(crate) fn cancelled() -> Option<Cancellable> {
    let cancellable = Cancellable::new();
    cancellable.cancel();
    Some(cancellable)
}

pub(crate) fn bytes(bytes: &[u8]) -> Outcome {
    Bytes(bytes.to_vec())
}

pub(crate) fn data() -> Outcome {
    bytes(b"data")
}
