//! The operations of GIO's own classes once they are adopted, at every point: see `cancel_points_above.rs`. What this changes it
//! changes for the process.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "a type of the tests' own"
)]
#![allow(
    unsafe_code,
    reason = "closes objects on another thread, as C may, and looks at sources and handlers"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "cancel_points/points.rs"]
mod points;

#[path = "cancel_points_above/play.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod play;
#[path = "cancel_points_above/room.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod room;
#[path = "cancel_points_above/stage.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod stage;

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Connect,
    Read,
    Write,
    Close,
    GracefulClose,
}

struct Adopted {
    what: What,
    answer: Answer,
    connection: Option<gio::SocketConnection>,
    connects: Gone,
    listener: TcpListener,
    peer: Option<TcpStream>,
    /// Nobody listens there, or nobody answers.
    elsewhere: Option<std::net::SocketAddr>,
    done: bool,
    moved: Rc<RefCell<usize>>,
}

const PRIORITY: glib::Priority = glib::Priority::DEFAULT;

impl Adopted {
    fn new(room: &Room, what: What, answer: Answer) -> Self {
        let (listener, address) = listener();
        let socket = ipv4_socket();
        let mut peer = None;
        if what != What::Connect {
            SocketExt::connect(&socket, &gio_address(address), Cancellable::NONE)
                .expect("it listens");
            let accepted = listener.accept().expect("somebody called").0;
            accepted.set_read_timeout(Some(LIMIT)).expect("an option");
            peer = Some(accepted);
        }
        let connection = socket.connection_factory_create_connection();
        if let Some(tcp) = connection.downcast_ref::<gio::TcpConnection>() {
            tcp.set_graceful_disconnect(what == What::GracefulClose);
        }
        Self {
            what,
            answer,
            connects: Gone::of(&connection),
            connection: Some(connection),
            listener,
            peer,
            elsewhere: match answer {
                Answer::Never => Some(room.deaf().address),
                Answer::Reset => Some(refused_address()),
                _ => None,
            },
            done: false,
            moved: Rc::default(),
        }
    }

    fn closes(&self) -> bool {
        matches!(self.what, What::Close | What::GracefulClose)
    }
}

impl Play for Adopted {
    fn natural(&self) -> Option<End> {
        match self.answer {
            Answer::Never => None,
            Answer::Reset => Some(Err(E::ConnectionRefused)),
            _ => Some(Ok(())),
        }
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let moved = self.moved.clone();
        let ended = move |result: Result<usize, glib::Error>| {
            told.finish(move || {
                end_of(result.map(|count| {
                    moved.replace(count);
                }))
            });
        };
        let connection = self.connection.as_ref().expect("just made");
        let cancellable = Some(cancellable);
        match self.what {
            What::Connect => {
                let address = self
                    .elsewhere
                    .unwrap_or_else(|| self.listener.local_addr().expect("bound"));
                connection.connect_async(&gio_address(address), cancellable, |result| {
                    ended(result.map(|()| 0));
                });
            }
            What::Read => {
                let input = connection.input_stream();
                input.read_async(vec![0; 4], PRIORITY, cancellable, |result| {
                    ended(
                        result
                            .map(|(_, count)| count)
                            .map_err(|(_, failure)| failure),
                    );
                });
            }
            What::Write => {
                let output = connection.output_stream();
                output.write_async(*b"ping", PRIORITY, cancellable, |result| {
                    ended(
                        result
                            .map(|(_, count)| count)
                            .map_err(|(_, failure)| failure),
                    );
                });
            }
            _ => connection.close_async(PRIORITY, cancellable, |result| ended(result.map(|()| 0))),
        }
    }

    fn future(&mut self) -> Running {
        unreachable!("gio-rs' own, with a cancellable of its own")
    }

    fn act(&mut self) {
        if let Some(peer) = &mut self.peer {
            self.done = match self.what {
                What::Read => peer.write_all(b"ping").is_ok(),
                What::GracefulClose => peer.shutdown(Shutdown::Write).is_ok(),
                _ => true,
            };
        }
    }

    fn close(&mut self) -> bool {
        let connection = self.connection.as_ref().expect("still there");
        if !self.done
            && let Some(tcp) = connection.downcast_ref::<gio::TcpConnection>()
        {
            // This close must not wait for the peer, whoever was first.
            tcp.set_graceful_disconnect(false);
        }
        let closed = connection.close(Cancellable::NONE);
        if let Err(failure) = &closed {
            assert!(failure.matches(E::Pending), "{failure}");
        }
        closed.is_ok()
    }

    fn closed(&self) -> &'static [End] {
        &[Err(E::Closed)]
    }

    fn forget(&mut self) {
        self.connection = None;
    }

    fn forgotten(&self) -> &'static [End] {
        &[Err(E::Closed)]
    }

    fn looks_at_finish(&self) -> bool {
        self.closes() || self.what == What::Write
    }

    fn check(&mut self, room: &Room, fate: &Fate) {
        let moved = if fate.succeeded() {
            *self.moved.borrow()
        } else {
            0
        };
        if let Some(connection) = self.connection.take() {
            if self.closes() {
                iterate_until(&room.context, || connection.is_closed());
            } else if self.what == What::Read && self.done && moved < 4 && !connection.is_closed() {
                let rest = connection.input_stream().read_bytes(16, Cancellable::NONE);
                assert_eq!(rest.expect("more").len(), 4 - moved, "bytes are gone");
            } else if self.what == What::Connect && !connection.is_closed() && fate.succeeded() {
                // Cancelled, it stays in flight: that is GIO's own (F-2).
                assert!(connection.is_connected());
            }
            if let Some(tcp) = connection.downcast_ref::<gio::TcpConnection>() {
                tcp.set_graceful_disconnect(false);
            }
            let _ = connection.close(Cancellable::NONE);
        }
        while room.context.iteration(false) {}
        if let Some(mut peer) = self.peer.take() {
            let mut rest = Vec::new();
            // Bytes that nobody has read make a reset of it.
            let _ = peer.read_to_end(&mut rest);
            // ST-41: a write that was done may be concealed.
            let written = if self.what == What::Write { moved } else { 0 };
            assert!(rest.len() == written || self.what == What::Write && fate.strike.cancels());
        }
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("connection", self.connects.clone())]
    }
}

fn every_case(place: Where, what: What, covers: &'static [&'static str]) {
    on(place, move |context| {
        gsock::adopt_gio().expect("it can be done");
        let room = Room::new(context);
        room.deaf();
        let mut points = Points::default();
        Drill {
            name: format!("{what:?}"),
            covers,
            answers: match what {
                What::Connect => &[Answer::AtOnce, Answer::Never, Answer::Reset],
                What::Write | What::Close => &[Answer::AtOnce],
                _ => &[Answer::AtOnce, Answer::Later, Answer::Never],
            },
            ways: &[Way::Callback],
            pause: SHORT,
            most: MOST_STEPS,
            elsewhere: false,
            make: &|room, answer| Box::new(Adopted::new(room, what, answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("adopted, {what:?}, {place:?} context"));
    });
}

on_both! {
    connect: |place| every_case(place, What::Connect, &[]),
    read: |place| every_case(place, What::Read, &[]),
    write: |place| every_case(place, What::Write, &[]),
    close: |place| every_case(place, What::Close, &["interop::slots::close_async"]),
    graceful_close: |place| every_case(place, What::GracefulClose, &[]),
}
