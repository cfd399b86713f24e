//! A connection around another stream: what its streams do, and how it closes.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, TcpConnection, TcpWrapperConnection, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Read,
    Close,
    /// It waits for the peer's end of file.
    GracefulClose,
    /// Through halves of it, which go by its streams.
    Connection,
}

struct Wrapping {
    what: What,
    answer: Answer,
    wrapper: Option<TcpWrapperConnection>,
    wraps: Gone,
    base: Gone,
    inner: Gone,
    /// Its last reference would close the socket.
    kept: Option<SocketConnection>,
    peer: TcpStream,
    sent: bool,
    moved: Rc<RefCell<usize>>,
}

const PRIORITY: glib::Priority = glib::Priority::DEFAULT;

impl Wrapping {
    fn new(what: What, answer: Answer) -> Self {
        let (peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let inner = SocketConnection::factory_create_connection(&socket);
        let base = gio::SimpleIOStream::new(&inner.input_stream(), &inner.output_stream());
        let wrapper = TcpWrapperConnection::new(&base, &socket).expect("TCP");
        wrapper
            .upcast_ref::<TcpConnection>()
            .set_graceful_disconnect(what == What::GracefulClose);
        Self {
            what,
            answer,
            wraps: Gone::of(&wrapper),
            base: Gone::of(&base),
            inner: Gone::of(&inner),
            wrapper: Some(wrapper),
            kept: Some(inner),
            peer,
            sent: false,
            moved: Rc::default(),
        }
    }

    fn wrapper(&self) -> &TcpWrapperConnection {
        self.wrapper.as_ref().expect("still there")
    }

    fn closes(&self) -> bool {
        matches!(self.what, What::Close | What::GracefulClose)
    }
}

impl Play for Wrapping {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
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
        let wrapper = self.wrapper();
        match self.what {
            What::Read => {
                let input = wrapper.input_stream();
                input.read_async(vec![0; 4], PRIORITY, Some(cancellable), |result| {
                    ended(
                        result
                            .map(|(_, count)| count)
                            .map_err(|(_, failure)| failure),
                    );
                });
            }
            What::Connection => {
                let buffer = vec![0; 4];
                wrapper.upcast_ref::<SocketConnection>().receive_async(
                    buffer,
                    PRIORITY,
                    Some(cancellable),
                    |_, _, result| {
                        ended(result);
                    },
                );
            }
            _ => wrapper.close_async(PRIORITY, Some(cancellable), |result| {
                ended(result.map(|()| 0));
            }),
        }
    }

    fn future(&mut self) -> Running {
        let closing = self.wrapper().close_future(PRIORITY);
        Box::pin(async move { end_of(closing.await) })
    }

    fn act(&mut self) {
        if self.closes() {
            self.sent = self.peer.shutdown(Shutdown::Write).is_ok();
        } else {
            self.sent = self.peer.write_all(b"ping").is_ok();
        }
    }

    fn close(&mut self) -> bool {
        let graceful = self.wrapper().upcast_ref::<TcpConnection>();
        if self.what == What::GracefulClose && !self.sent {
            // This close must not wait for the peer, whoever was first.
            graceful.set_graceful_disconnect(false);
        }
        let closed = self.wrapper().close(Cancellable::NONE);
        if let Err(failure) = &closed {
            assert!(failure.matches(E::Pending), "{failure}");
        }
        closed.is_ok()
    }

    fn forget(&mut self) {
        self.wrapper = None;
        self.kept = None;
    }

    fn forgotten(&self) -> &'static [End] {
        &[Err(E::Closed)]
    }

    fn closed(&self) -> &'static [End] {
        if self.closes() {
            &[Ok(())]
        } else {
            &[Err(E::Closed)]
        }
    }

    /// GLib's own task asks once more.
    fn looks_at_finish(&self) -> bool {
        self.closes()
    }

    fn check(&mut self, room: &Room, fate: &Fate) {
        let moved = if fate.succeeded() {
            *self.moved.borrow()
        } else {
            0
        };
        if let Some(wrapper) = self.wrapper.take() {
            if self.closes() {
                let has_begun = fate.end.is_some() || fate.had_begun || fate.strike.closes();
                if has_begun {
                    iterate_until(&room.context, || wrapper.is_closed());
                }
            } else if self.sent && moved < 4 && !wrapper.is_closed() {
                let rest = wrapper.input_stream().read_bytes(16, Cancellable::NONE);
                assert_eq!(rest.expect("more").len(), 4 - moved, "bytes are gone");
            }
            wrapper
                .upcast_ref::<TcpConnection>()
                .set_graceful_disconnect(false);
            let _ = wrapper.close(Cancellable::NONE);
        }
        self.kept = None;
        while room.context.iteration(false) {}
        let mut rest = Vec::new();
        // Bytes that nobody has read make a reset of it.
        let _ = self.peer.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![
            ("wrapper", self.wraps.clone()),
            ("base", self.base.clone()),
            ("connection", self.inner.clone()),
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
                What::Close => &[Answer::AtOnce],
                _ => &[Answer::AtOnce, Answer::Later, Answer::Never],
            },
            ways: if matches!(what, What::Close | What::GracefulClose) {
                ANY_WAY
            } else {
                &[Way::Callback]
            },
            pause: SHORT,
            most: MOST_STEPS,
            elsewhere: false,
            make: &|_, answer| Box::new(Wrapping::new(what, answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("wrapper, {what:?}, {place:?} context"));
    });
}

on_both! {
    read: |place| every_case(place, What::Read, &[]),
    receive: |place| every_case(place, What::Connection, &[]),
    close: |place| every_case(place, What::Close, &["subclass::tcp_wrapper_connection::close_async"]),
    graceful_close: |place| every_case(place, What::GracefulClose, &[]),
}
