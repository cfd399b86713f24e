//! Halves, the direct entry, and tasks: what moved was told, and what was not told has not moved.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{IoSlice, IoSliceMut, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    pin::Pin,
    rc::Rc,
};

use futures::{AsyncRead, AsyncWrite};
use gio::{Cancellable, IOErrorEnum as E, ffi as gio_ffi, prelude::*};
use glib::{ffi::gpointer, gobject_ffi};
use gsock::{ReadHalf, SocketConnection, WriteHalf, engine, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Read,
    ReadVectored,
    Peek,
    Readable,
    Write,
    WriteVectored,
    WriteAll,
    Writable,
    Shutdown,
    Direct,
    DirectSend,
    Raw,
    RawSend,
    /// The traits of futures-io, on a half and on the connection.
    TraitRead,
    TraitWrite,
    TraitClose,
    ConnectionRead,
    ConnectionWrite,
}

impl What {
    fn reads(self) -> bool {
        matches!(
            self,
            Self::Read
                | Self::ReadVectored
                | Self::Peek
                | Self::Readable
                | Self::Direct
                | Self::Raw
                | Self::TraitRead
                | Self::ConnectionRead
        )
    }

    /// Whether it moves bytes.
    fn moves(self) -> bool {
        !matches!(
            self,
            Self::Peek | Self::Readable | Self::Writable | Self::Shutdown | Self::TraitClose
        )
    }

    fn has_callback(self) -> bool {
        matches!(
            self,
            Self::Direct | Self::DirectSend | Self::Raw | Self::RawSend
        )
    }
}

struct Halving {
    what: What,
    answer: Answer,
    connection: Option<SocketConnection>,
    halves: Option<(ReadHalf, WriteHalf)>,
    connects: Gone,
    peer: UnixStream,
    filled: usize,
    read: usize,
    sent: bool,
    /// What `count` bytes were moved by.
    moved: Rc<RefCell<usize>>,
}

fn io_code(failure: &std::io::Error) -> E {
    let inner = failure
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<glib::Error>());
    inner
        .and_then(|inner| inner.kind::<E>())
        .unwrap_or(E::Failed)
}

impl Halving {
    fn new(what: What, answer: Answer) -> Self {
        let (ours, peer) = UnixStream::pair().expect("two sockets");
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        let made = SocketConnection::factory_create_connection_from_fd(ours.into());
        let connection = made.expect("a socket");
        let filled = if what.reads() || answer == Answer::AtOnce || what == What::Shutdown {
            0
        } else {
            fill(&connection)
        };
        Self {
            what,
            answer,
            connects: Gone::of(&connection),
            halves: Some(connection.halves()),
            connection: Some(connection),
            peer,
            filled,
            read: 0,
            sent: false,
            moved: Rc::default(),
        }
    }
}

fn fill(connection: &SocketConnection) -> usize {
    let output = connection.output_stream();
    let output = output
        .dynamic_cast::<gio::PollableOutputStream>()
        .expect("pollable");
    let mut all = 0;
    while let Ok(count) = output.write_nonblocking(&[b'f'; 4096], Cancellable::NONE) {
        all += usize::try_from(count).expect("not negative");
    }
    all
}

type Answered = Box<dyn FnOnce(SocketConnection, gio::AsyncResult)>;

unsafe extern "C" fn on_ready(
    source: *mut gobject_ffi::GObject,
    result: *mut gio_ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: a live connection and result, and the box that was given along, once.
    let (source, result, answered): (glib::Object, gio::AsyncResult, Box<Answered>) = unsafe {
        (
            glib::translate::from_glib_none(source),
            glib::translate::from_glib_none(result),
            Box::from_raw(data.cast()),
        )
    };
    answered(source.downcast().expect("a connection"), result);
}

const PRIORITY: glib::Priority = glib::Priority::DEFAULT;

impl Play for Halving {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let connection = self.connection.as_ref().expect("just made");
        let moved = self.moved.clone();
        let mut buffer = vec![0; 4];
        let ended = move |result: Result<usize, glib::Error>| {
            told.finish(move || {
                end_of(result.map(|count| {
                    moved.replace(count);
                }))
            });
        };
        match self.what {
            What::Direct => {
                connection.receive_async(
                    buffer,
                    PRIORITY,
                    Some(cancellable),
                    |_, buffer, result| {
                        if let Ok(count) = result {
                            assert_eq!(buffer[..count], b"ping"[..count]);
                        }
                        ended(result);
                    },
                );
            }
            What::DirectSend => {
                let bytes = glib::Bytes::from_static(b"ping");
                connection.send_async(bytes, PRIORITY, Some(cancellable), |_, result| {
                    ended(result)
                });
            }
            What::Raw => {
                let (pointer, count) = (buffer.as_mut_ptr(), buffer.len());
                let answered: Answered = Box::new(move |connection, result| {
                    // SAFETY: a live result.
                    let got = unsafe { connection.receive_raw_finish(result.as_ptr()) };
                    if let Ok(count) = got {
                        assert_eq!(buffer[..count], b"ping"[..count]);
                    }
                    ended(got);
                });
                let data = Box::into_raw(Box::new(answered)).cast();
                // SAFETY: the buffer is the callback's, which comes once.
                unsafe {
                    connection.receive_raw_async(
                        pointer,
                        count,
                        PRIORITY,
                        Some(cancellable),
                        Some(on_ready),
                        data,
                    );
                }
            }
            _ => {
                let answered: Answered = Box::new(move |connection, result| {
                    // SAFETY: a live result.
                    ended(unsafe { connection.send_raw_finish(result.as_ptr()) });
                });
                let data = Box::into_raw(Box::new(answered)).cast();
                // SAFETY: the bytes stay, and the callback comes once.
                unsafe {
                    connection.send_raw_async(
                        b"ping".as_ptr(),
                        4,
                        PRIORITY,
                        Some(cancellable),
                        Some(on_ready),
                        data,
                    );
                }
            }
        }
    }

    fn future(&mut self) -> Running {
        let (mut input, mut output) = self.halves.take().expect("just made");
        let moved = self.moved.clone();
        let what = self.what;
        let connection = self.connection.clone().expect("just made");
        Box::pin(async move {
            let mut buffer = [0; 4];
            let is_trait = matches!(what, What::ConnectionRead | What::ConnectionWrite);
            let connection = is_trait.then_some(connection);
            let io = |result: std::io::Result<usize>| result.map_err(|failure| io_code(&failure));
            let result = match what {
                What::Read => input.read(&mut buffer).await.map_err(|it| code(&it)),
                What::ReadVectored => {
                    let (one, two) = buffer.split_at_mut(2);
                    let mut both = [IoSliceMut::new(one), IoSliceMut::new(two)];
                    let read = input.read_vectored(&mut both).await;
                    read.map_err(|it| code(&it))
                }
                What::Peek => input.peek(&mut buffer).await.map_err(|it| code(&it)),
                What::Readable => input.readable().await.map(|()| 0).map_err(|it| code(&it)),
                What::Write => output.write(b"ping").await.map_err(|it| code(&it)),
                What::WriteVectored => {
                    let both = [IoSlice::new(b"pi"), IoSlice::new(b"ng")];
                    output.write_vectored(&both).await.map_err(|it| code(&it))
                }
                What::WriteAll => {
                    let written = output.write_all(b"ping").await;
                    written.map(|()| 4).map_err(|it| code(&it))
                }
                What::Writable => output.writable().await.map(|()| 0).map_err(|it| code(&it)),
                What::Shutdown => output.shutdown().await.map(|()| 0).map_err(|it| code(&it)),
                What::TraitRead => {
                    let read = poll_fn(|cx| Pin::new(&mut input).poll_read(cx, &mut buffer));
                    io(read.await)
                }
                What::TraitWrite => {
                    let write = poll_fn(|cx| Pin::new(&mut output).poll_write(cx, b"ping"));
                    io(write.await)
                }
                What::TraitClose => {
                    let close = poll_fn(|cx| Pin::new(&mut output).poll_close(cx));
                    io(close.await.map(|()| 0))
                }
                What::ConnectionRead => {
                    let mut connection = connection.expect("of these");
                    let read = poll_fn(|cx| Pin::new(&mut connection).poll_read(cx, &mut buffer));
                    io(read.await)
                }
                What::ConnectionWrite => {
                    let mut connection = connection.expect("of these");
                    let write = poll_fn(|cx| Pin::new(&mut connection).poll_write(cx, b"ping"));
                    io(write.await)
                }
                _ => unreachable!("has no future"),
            }?;
            if what.reads() && what != What::Readable {
                assert_eq!(buffer[..result], b"ping"[..result]);
            }
            moved.replace(result);
            Ok(())
        })
    }

    fn act(&mut self) {
        if self.what.reads() {
            self.sent = self.peer.write_all(b"ping").is_ok();
            return;
        }
        self.peer.set_nonblocking(true).expect("an option");
        let mut buffer = [0; 65536];
        while let Ok(count) = self.peer.read(&mut buffer) {
            if count == 0 {
                break;
            }
            self.read += count;
        }
        self.peer.set_nonblocking(false).expect("an option");
    }

    fn close(&mut self) -> bool {
        let connection = self.connection.as_ref().expect("still there");
        connection.close(Cancellable::NONE).expect("open");
        true
    }

    fn close_elsewhere(&mut self) -> Elsewhere {
        let connection = Reference::of(self.connection.as_ref().expect("still there"));
        Box::new(move || {
            // SAFETY: a live reference.
            let connection: SocketConnection =
                unsafe { glib::translate::from_glib_none(connection.borrow()) };
            connection.close(Cancellable::NONE).expect("open");
        })
    }

    /// Halves are closed by the last reference to the connection, and its operations with it.
    fn forget(&mut self) {
        self.connection = None;
        self.halves = None;
    }

    fn forgotten(&self) -> &'static [End] {
        &[Err(E::Closed)]
    }

    fn check(&mut self, _: &Room, fate: &Fate) {
        let moved = if fate.succeeded() && self.what.moves() {
            *self.moved.borrow()
        } else {
            0
        };
        self.halves = None;
        if let Some(connection) = self.connection.take() {
            let (read, written) = (connection.bytes_read(), connection.bytes_written());
            if self.what.reads() {
                assert_eq!(read, moved as u64, "bytes were read that nobody was given");
                let left = if self.sent { 4 - moved } else { 0 };
                if !connection.is_closed() && left > 0 {
                    let input = connection.input_stream();
                    let rest = input.read_bytes(16, Cancellable::NONE).expect("more");
                    assert_eq!(rest.len(), left, "bytes are gone");
                }
            } else {
                assert_eq!(written, (self.filled + moved) as u64);
            }
            let _ = connection.close(Cancellable::NONE);
        }
        if !self.what.reads() {
            let mut rest = Vec::new();
            let all = self.read + self.peer.read_to_end(&mut rest).expect("an end of file");
            assert_eq!(all, self.filled + moved);
        }
        let _ = self.peer.shutdown(Shutdown::Both);
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("connection", self.connects.clone())]
    }
}

/// A task on an engine: aborted, it has gone nowhere.
struct Task {
    answer: Answer,
    handle: Option<engine::JoinHandle<()>>,
    go: Option<futures::channel::oneshot::Sender<()>>,
    held: Gone,
}

impl Task {
    fn new(room: &Room, answer: Answer) -> Self {
        let (go, wait) = futures::channel::oneshot::channel();
        let object = Cancellable::new();
        let held = Gone::of(&object);
        let handle = engine::spawn_local(&room.context, async move {
            let _ = wait.await;
            drop(object);
        });
        Self {
            answer,
            handle: Some(handle),
            go: Some(go),
            held,
        }
    }
}

impl Play for Task {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, _: &Cancellable, _: Rc<Told>) {
        unreachable!("has no callback");
    }

    fn future(&mut self) -> Running {
        let mut handle = self.handle.take().expect("just made");
        Box::pin(async move {
            (&mut handle).await.map_err(|failure| {
                assert!(failure.is_aborted());
                E::Cancelled
            })
        })
    }

    fn act(&mut self) {
        if let Some(go) = self.go.take() {
            let _ = go.send(());
        }
    }

    fn close(&mut self) -> bool {
        false
    }

    fn closed(&self) -> &'static [End] {
        &[]
    }

    fn forget(&mut self) {}

    /// Without its handle it goes on to its end.
    fn check(&mut self, room: &Room, _: &Fate) {
        self.act();
        iterate_until(&room.context, || self.held.is_gone());
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("what a task held", self.held.clone())]
    }
}

const ALL: &[Answer] = &[Answer::AtOnce, Answer::Later, Answer::Never];

fn every_case(place: Where, all: &'static [(What, &'static [&'static str])]) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        for (what, covers) in all {
            let what = *what;
            Drill {
                name: format!("{what:?}"),
                covers,
                answers: match what {
                    What::Shutdown | What::TraitClose => &[Answer::AtOnce],
                    _ => ALL,
                },
                ways: if what.has_callback() {
                    CALLBACKS
                } else {
                    FUTURES
                },
                pause: SHORT,
                most: MOST_STEPS,
                elsewhere: true,
                make: &|_, answer| Box::new(Halving::new(what, answer)),
            }
            .every_point(&mut points, &room);
        }
        let first = all.first().map(|(what, _)| *what);
        points.report(&format!("{first:?} and its like, {place:?} context"));
    });
}

fn tasks(place: Where) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        Drill {
            name: "a task".to_owned(),
            covers: &["engine::spawn_local", "engine::spawn_local_with_priority"],
            answers: ALL,
            ways: FUTURES,
            pause: SHORT,
            most: MOST_STEPS,
            elsewhere: false,
            make: &|room, answer| Box::new(Task::new(room, answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("tasks, {place:?} context"));
    });
}

on_both! {
    reading_half: |place| every_case(place, &[
        (What::Read, &["halves::read"]),
        (What::ReadVectored, &["halves::read_vectored"]),
        (What::Peek, &["halves::peek"]),
        (What::Readable, &["halves::readable"]),
        (What::TraitRead, &[]),
    ]),
    writing_half: |place| every_case(place, &[
        (What::Write, &["halves::write"]),
        (What::WriteVectored, &["halves::write_vectored"]),
        (What::WriteAll, &["halves::write_all"]),
        (What::Writable, &["halves::writable"]),
        (What::Shutdown, &["halves::shutdown"]),
        (What::TraitWrite, &[]),
        (What::TraitClose, &[]),
    ]),
    direct: |place| every_case(place, &[
        (What::Direct, &["socket_connection::direct::receive_async"]),
        (What::DirectSend, &["socket_connection::direct::send_async"]),
        (What::Raw, &["socket_connection::raw::receive_raw_async"]),
        (What::RawSend, &["socket_connection::raw::send_raw_async"]),
    ]),
    connection_as_a_stream: |place| every_case(place, &[
        (What::ConnectionRead, &[]),
        (What::ConnectionWrite, &[]),
    ]),
    task: tasks,
}
