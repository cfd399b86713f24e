//! Frames: no half of one is left, and none is lost.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    rc::Rc,
    thread,
    time::Duration,
};

use futures::StreamExt;
use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use glib::Bytes;
use gsock::{Framed, Framing, SocketConnection};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Read,
    ReadExact,
    /// The next one of the stream.
    Next,
    /// With no room for its first byte.
    Write,
    /// With room for a part of it.
    WriteMuch,
    Flush,
    /// What was queued with descriptors.
    FlushFds,
    Close,
}

impl What {
    fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadExact | Self::Next)
    }

    fn frame(self) -> Vec<u8> {
        match self {
            Self::WriteMuch => vec![b'y'; 40_000],
            _ => b"hello".to_vec(),
        }
    }

    /// As it goes over the line.
    fn wire(self) -> Vec<u8> {
        let mut bytes = self.frame();
        bytes.push(b'\n');
        if self == Self::FlushFds {
            bytes.push(0);
        }
        bytes
    }
}

struct Frames {
    what: What,
    answer: Answer,
    framed: Option<Framed>,
    frames: Gone,
    connection: Option<SocketConnection>,
    connects: Gone,
    peer: UnixStream,
    /// How many bytes there are before the frame.
    filled: usize,
    /// What the peer has read.
    read: Vec<u8>,
    got: Rc<RefCell<Option<Bytes>>>,
}

/// Writes until there is no room, straight into the socket.
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

fn narrow(socket: &impl AsRawFd) {
    let size = 4096_i32;
    // SAFETY: the value is as long as said.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const size).cast(),
            size_of_val(&size) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// Not while somebody else closes it.
fn may_be_closing(closed: Result<(), glib::Error>) {
    if let Err(failure) = closed {
        assert!(failure.matches(E::Pending), "{failure}");
    }
}

impl Frames {
    fn new(what: What, answer: Answer) -> Self {
        let (ours, peer) = UnixStream::pair().expect("two sockets");
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        narrow(&ours);
        let made = SocketConnection::factory_create_connection_from_fd(ours.into());
        let connection = made.expect("a socket");
        let framed = Framed::builder()
            .io_stream(&connection)
            .framing(Framing::Lines)
            .read_ahead(what != What::FlushFds)
            .build();
        let mut play = Self {
            what,
            answer,
            frames: Gone::of(&framed),
            framed: Some(framed),
            connects: Gone::of(&connection),
            connection: Some(connection),
            peer,
            filled: 0,
            read: Vec::new(),
            got: Rc::default(),
        };
        if what.reads() {
            // The beginning of one.
            play.peer.write_all(b"he").expect("room");
            return play;
        }
        if what != What::WriteMuch && answer != Answer::AtOnce {
            play.filled = fill(play.connection.as_ref().expect("just made"));
        }
        let framed = play.framed.as_ref().expect("just made");
        match what {
            What::Flush | What::Close => {
                framed.send(Bytes::from_owned(what.frame())).expect("room")
            }
            What::FlushFds => framed
                .send_with_fds(Bytes::from_owned(what.frame()), &[std::io::stdin().as_fd()])
                .expect("room"),
            _ => {}
        }
        play
    }

    fn framed(&self) -> &Framed {
        self.framed.as_ref().expect("still there")
    }

    fn connection_closed(&self) -> bool {
        self.connection.as_ref().is_none_or(|it| it.is_closed())
    }

    fn check_read(&mut self, fate: &Fate) {
        let got = self.got.take();
        assert_eq!(got.is_some(), fate.succeeded());
        if let Some(bytes) = got {
            assert_eq!(&bytes[..], b"hello");
            return;
        }
        if self.framed.is_none() || self.connection_closed() {
            return;
        }
        if self.answer != Answer::AtOnce && !self.is_sent() {
            self.act();
        }
        let framed = self.framed();
        let rest = if self.what == What::ReadExact {
            framed.read_exact(5, Cancellable::NONE).map(Some)
        } else {
            framed.read_frame(Cancellable::NONE)
        };
        let rest = rest.expect("nothing was lost").expect("not the end");
        assert_eq!(&rest[..], b"hello");
    }

    /// Whether the peer has sent the rest of the frame.
    fn is_sent(&self) -> bool {
        self.filled != 0
    }

    /// What arrives is whole frames, of which ours is one if it was said to be written.
    fn check_write(&mut self, room: &Room, fate: &Fate) {
        let ended = self.framed.is_none() || self.connection_closed();
        let mut peer = self.peer.try_clone().expect("room");
        let reading = thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = peer.read_to_end(&mut rest);
            rest
        });
        if let Some(framed) = &self.framed {
            let after = framed.send(&b"after"[..]);
            let is_closed = ended || self.what == What::Close && fate.succeeded();
            // Where nobody has tried since, nobody knows.
            assert!(after.is_ok() || is_closed, "{after:?}");
            if after.is_ok() {
                let flushed = block_on(&room.context, framed.flush_future());
                assert_eq!(flushed.is_err(), is_closed, "{flushed:?}");
                assert_eq!((framed.pending_frames(), framed.pending_bytes()), (0, 0));
            }
        }
        if let Some(connection) = &self.connection {
            let _ = connection.close(Cancellable::NONE);
        }
        // The operation may have kept it, to write to the end.
        self.framed = None;
        self.connection = None;
        while room.context.iteration(false) {}
        let mut all = std::mem::take(&mut self.read);
        all.extend(reading.join().expect("no panic"));
        let (filler, rest) = all.split_at(self.filled.min(all.len()));
        assert!(filler.iter().all(|byte| *byte == b'f'));
        let ours = self.what.wire();
        if ended {
            // Cut off, at the most.
            assert!(
                ours.starts_with(rest) || rest.starts_with(&ours),
                "{rest:?}"
            );
            assert!(!fate.succeeded() || rest.starts_with(&ours), "{rest:?}");
            return;
        }
        let after = rest.strip_suffix(b"after\n").unwrap_or(rest);
        let is_queued = matches!(self.what, What::Flush | What::FlushFds | What::Close);
        if after.is_empty() {
            assert!(!fate.succeeded() && !is_queued, "the frame is lost");
            assert!(fate.end.is_none() || fate.end == Some(Err(E::Cancelled)));
        } else {
            assert_eq!(after.len(), ours.len(), "no whole frames");
            assert!(after == ours, "other bytes");
            if !is_queued {
                assert!(fate.succeeded() || fate.end.is_none(), "{:?}", fate.end);
            }
        }
    }
}

impl Play for Frames {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let framed = self.framed.clone().expect("just made");
        let got = self.got.clone();
        let cancellable = Some(cancellable);
        macro_rules! ready {
            ($finish:ident, $take:expr) => {
                move |framed: &Framed, result: &gio::AsyncResult| {
                    let (framed, result) = (framed.clone(), result.clone());
                    told.finish(move || end_of(framed.$finish(&result).map($take)));
                }
            };
        }
        match self.what {
            What::Read => {
                let take = move |frame| {
                    got.replace(frame);
                };
                framed.read_frame_async(cancellable, ready!(read_frame_finish, take));
            }
            What::ReadExact => {
                let take = move |bytes| {
                    got.replace(Some(bytes));
                };
                framed.read_exact_async(5, cancellable, ready!(read_exact_finish, take));
            }
            What::Write | What::WriteMuch => {
                let frame = Bytes::from_owned(self.what.frame());
                framed.write_frame_async(frame, cancellable, ready!(write_frame_finish, |()| ()));
            }
            What::Flush | What::FlushFds => {
                framed.flush_async(cancellable, ready!(flush_finish, |()| ()));
            }
            What::Close => framed.close_async(cancellable, ready!(close_finish, |()| ())),
            What::Next => unreachable!("has no callback"),
        }
    }

    fn future(&mut self) -> Running {
        let framed = self.framed.clone().expect("just made");
        let got = self.got.clone();
        match self.what {
            What::Read => {
                let reading = framed.read_frame_future();
                Box::pin(async move { end_of(reading.await.map(|frame| got.replace(frame))) })
            }
            What::ReadExact => {
                let reading = framed.read_exact_future(5);
                Box::pin(async move { end_of(reading.await.map(|it| got.replace(Some(it)))) })
            }
            What::Next => {
                let mut frames = framed.frames();
                Box::pin(async move {
                    let frame = frames.next().await.expect("not the end");
                    end_of(frame.map(|frame| got.replace(Some(frame))))
                })
            }
            What::Write | What::WriteMuch => {
                let writing = framed.write_frame_future(Bytes::from_owned(self.what.frame()));
                Box::pin(async move { end_of(writing.await) })
            }
            What::Flush | What::FlushFds => {
                let flushing = framed.flush_future();
                Box::pin(async move { end_of(flushing.await) })
            }
            What::Close => {
                let closing = framed.close_future();
                Box::pin(async move { end_of(closing.await) })
            }
        }
    }

    fn act(&mut self) {
        if self.what.reads() {
            // More than was asked for of some.
            let _ = self.peer.write_all(b"llo\n");
            self.filled = 1;
            return;
        }
        self.peer.set_nonblocking(true).expect("an option");
        let mut buffer = [0; 65536];
        while let Ok(count) = self.peer.read(&mut buffer) {
            if count == 0 {
                break;
            }
            self.read.extend_from_slice(&buffer[..count]);
        }
        self.peer.set_nonblocking(false).expect("an option");
    }

    fn acts_again(&self) -> bool {
        self.what == What::WriteMuch
    }

    fn closed(&self) -> &'static [End] {
        match self.what {
            // Somebody else is about to close it.
            What::Close => &[Err(E::Closed), Err(E::Pending)],
            _ => &[Err(E::Closed)],
        }
    }

    /// The connection beneath.
    fn close(&mut self) -> bool {
        let connection = self.connection.as_ref().expect("still there");
        may_be_closing(connection.close(Cancellable::NONE));
        true
    }

    fn close_elsewhere(&mut self) -> Elsewhere {
        let connection = Reference::of(self.connection.as_ref().expect("still there"));
        Box::new(move || {
            // SAFETY: a live reference.
            let connection: SocketConnection =
                unsafe { glib::translate::from_glib_none(connection.borrow()) };
            may_be_closing(connection.close(Cancellable::NONE));
        })
    }

    /// Where there is room it is done in the call.
    fn cancelled_at_once(&self) -> &'static [End] {
        match self.answer {
            Answer::AtOnce if !self.what.reads() => &[Ok(())],
            _ => &[],
        }
    }

    fn forget(&mut self) {
        self.framed = None;
        self.connection = None;
    }

    fn check(&mut self, room: &Room, fate: &Fate) {
        if self.what.reads() {
            self.check_read(fate);
        } else {
            self.check_write(room, fate);
        }
        self.framed = None;
        self.connection = None;
        let _ = self.peer.shutdown(Shutdown::Both);
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![
            ("framed", self.frames.clone()),
            ("connection", self.connects.clone()),
        ]
    }
}

fn every_case(place: Where, what: What, covers: &'static [&'static str]) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        Drill {
            name: format!("{what:?}"),
            covers,
            answers: match what {
                // Once it has begun nothing ends it but its end.
                What::WriteMuch => &[Answer::AtOnce, Answer::Later],
                _ => &[Answer::AtOnce, Answer::Later, Answer::Never],
            },
            ways: if what == What::Next { FUTURES } else { ANY_WAY },
            pause: Duration::from_millis(1),
            most: MOST_STEPS,
            elsewhere: true,
            make: &|_, answer| Box::new(Frames::new(what, answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("framed, {what:?}, {place:?} context"));
    });
}

on_both! {
    read_frame: |place| every_case(place, What::Read, &[
        "framed::read_frame_async",
        "framed::read_frame_future",
    ]),
    read_exact: |place| every_case(place, What::ReadExact, &[
        "framed::read_exact_async",
        "framed::read_exact_future",
    ]),
    frames: |place| every_case(place, What::Next, &["framed::frames"]),
    write_frame: |place| every_case(place, What::Write, &[
        "framed::write_frame_async",
        "framed::write_frame_future",
    ]),
    write_frame_that_has_begun: |place| every_case(place, What::WriteMuch, &[]),
    flush: |place| every_case(place, What::Flush, &["framed::flush_async", "framed::flush_future"]),
    flush_of_descriptors: |place| every_case(place, What::FlushFds, &[]),
    close: |place| every_case(place, What::Close, &["framed::close_async", "framed::close_future"]),
}
