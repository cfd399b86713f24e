//! Two connections, joined.

mod end;
mod streams;
mod task;

use std::{
    cell::Cell,
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    SocketConnection, error,
    reactor::{Engine, Wait},
    transport::{Waiter, Way},
};
use end::End;
use streams::StreamsWay;

/// What a [`relay`] has moved, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "GsockRelayed")]
pub struct Relayed {
    /// From the peer of the first connection to that of the second.
    pub a_to_b: u64,
    /// The other way.
    pub b_to_a: u64,
}

/// Gives each of two connections what the peer of the other one sends, until both peers have ended.
///
/// When one peer ends what it sends, all of it is delivered first and then the sending side of the other
/// connection is shut down, so that the other peer reads its end of file; the other direction goes on until its own end.
/// The answer is how many bytes went each way. Neither connection is closed, whatever happens.
///
/// Nothing more is read from a connection before the other one has taken what was read last: a peer that does
/// not read makes the other one wait. Between two sockets bytes move by `splice(2)` where there are many of them and the
/// system can do it, and through a small buffer otherwise. The counters and states of the connections
/// follow, as they do for any other transfer.
///
/// A class whose streams are not those of its parent has its own ones used, through [`gio::IOStream`]; what they
/// yield and take is what is counted. They are flushed after each write, and at the end of file the output stream
/// is closed and the socket's sending side shut down.
///
/// Whoever else reads from or writes to one of the connections meanwhile takes bytes from the relay, or puts his
/// between its.
///
/// # Errors
///
/// The first failure of either side ends the relay in both directions: the code of the system call, or what a
/// stream of its own answers. `TimedOut` when nothing has moved in either direction for as long as the shorter of the
/// timeouts that the two sockets have; a direction alone may be idle for ever. `Closed` when one of
/// the connections is closed, before or meanwhile. Before anything has moved: `NotConnected`;
/// `InvalidArgument` when both are the same connection, or have the same socket; `NotSupported` for sockets that are not
/// streams, and on a thread that does not own its main context; `Pending` while one of the four streams is
/// busy; `Failed` in a child process that has a socket from its parent.
///
/// # Cancel safety
///
/// When the relay fails, or its future is dropped, what was taken from one connection and not yet delivered to the
/// other is delivered as far as that needs no waiting. The rest is lost: at most 64 KiB in each
/// direction, and nothing unless a connection had no room at that moment. It is so if and only if the
/// `bytes-read` of one have grown by more than the `bytes-written` of the other; where that matters, close both. Through
/// streams of their own, what was read and not written is lost.
///
/// # Main context
///
/// It waits in the thread-default context of the thread that polls it, which that thread must own.
///
/// # Examples
///
/// ```
/// use std::{
///     io::{Read, Write},
///     net::{Shutdown, TcpListener, TcpStream},
/// };
///
/// use gsock::{SocketConnection, relay};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let pair = || -> std::io::Result<_> {
///     let peer = TcpStream::connect(listener.local_addr()?)?;
///     Ok((peer, listener.accept()?.0))
/// };
/// let ((mut client, ours), (mut server, theirs)) = (pair()?, pair()?);
/// let a = SocketConnection::factory_create_connection_from_fd(ours.into())?;
/// let b = SocketConnection::factory_create_connection_from_fd(theirs.into())?;
///
/// client.write_all(b"question")?;
/// client.shutdown(Shutdown::Write)?;
/// server.write_all(b"answer")?;
/// server.shutdown(Shutdown::Write)?;
///
/// let relayed = glib::MainContext::new().block_on(relay(&a, &b))?;
/// assert_eq!((relayed.a_to_b, relayed.b_to_a), (8, 6));
///
/// let mut seen = String::new();
/// server.read_to_string(&mut seen)?;
/// assert_eq!(seen, "question");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "gsock_socket_connection_relay_async")]
#[doc(alias = "gsock_socket_connection_relay_finish")]
#[doc(alias = "g_io_stream_splice_async")]
pub async fn relay(a: &SocketConnection, b: &SocketConnection) -> Result<Relayed, glib::Error> {
    let mut relay = Relay::new(a.clone(), b.clone())?;
    poll_fn(move |cx| relay.poll(cx)).await
}

/// One direction of a relay.
enum Course {
    Sockets(Box<Way>),
    Streams(StreamsWay),
    /// The end of file was passed on after so many bytes.
    Ended(u64),
}

impl Course {
    fn new(from: &End, to: &End, activity: &Rc<Cell<u64>>) -> Self {
        if from.has_plain_input() && to.has_plain_output() {
            Self::Sockets(Box::new(Way::new(from.transport(), to.transport())))
        } else {
            Self::Streams(StreamsWay::new(from, to, activity))
        }
    }

    fn delivered(&self) -> u64 {
        match self {
            Self::Sockets(way) => way.delivered(),
            Self::Streams(way) => way.delivered(),
            Self::Ended(delivered) => *delivered,
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// Goes on; `activity` changes when something moves.
    fn poll(&mut self, cx: &mut Context<'_>, activity: &Cell<u64>) -> Result<(), glib::Error> {
        let polled = match self {
            Self::Sockets(way) => {
                let before = way.progress();
                let polled = way.poll(cx);
                let moved = way.progress().wrapping_sub(before);
                activity.set(activity.get().wrapping_add(moved));
                polled
            }
            Self::Streams(way) => way.poll(cx),
            Self::Ended(_) => return Ok(()),
        };
        if let Poll::Ready(result) = polled {
            result?;
            *self = Self::Ended(self.delivered());
        }
        Ok(())
    }
}

struct Relay {
    /// They are dropped before the ends.
    courses: [Course; 2],
    ends: [End; 2],
    /// Changes whenever something moves, in either direction.
    activity: Rc<Cell<u64>>,
    /// The activity of the last poll, and when that was seen first.
    last: (u64, i64),
    timer: Wait,
    /// Wakes when one of the connections is closed or breaks, whatever is being waited for.
    waiters: Option<([Waiter; 2], Waker)>,
}

impl Relay {
    fn new(a: SocketConnection, b: SocketConnection) -> Result<Self, glib::Error> {
        if !Engine::current().is_owned_here() {
            return Err(error::not_owned());
        }
        if a == b {
            return Err(same());
        }
        let ends = [End::new(a)?, End::new(b)?];
        let [a, b] = &ends;
        if a.transport().shares_socket_with(b.transport()) {
            return Err(same());
        }
        let activity = Rc::new(Cell::new(0));
        Ok(Self {
            courses: [Course::new(a, b, &activity), Course::new(b, a, &activity)],
            activity,
            last: (0, glib::monotonic_time()),
            timer: Wait::new(),
            waiters: None,
            ends,
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Relayed, glib::Error>> {
        match self.advance(cx) {
            Ok(()) if self.courses.iter().all(Course::has_ended) => Poll::Ready(Ok(Relayed {
                a_to_b: self.courses[0].delivered(),
                b_to_a: self.courses[1].delivered(),
            })),
            Ok(()) => Poll::Pending,
            Err(failure) => Poll::Ready(Err(failure)),
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), glib::Error> {
        let engine = Engine::current();
        if !engine.is_owned_here() {
            return Err(error::not_owned());
        }
        // Before the look at the connections, so that a close in between is not missed.
        self.wake_on_close(cx.waker());
        for end in &self.ends {
            drop(end.transport().enter()?);
        }
        for course in &mut self.courses {
            course.poll(cx, &self.activity)?;
        }
        if self.courses.iter().all(Course::has_ended) {
            return Ok(());
        }
        for (course, from) in self.courses.iter().zip(&self.ends) {
            // Nobody reads there any more, who would learn of a reset.
            if course.has_ended()
                && let Some(failure) = from.transport().last_error()
            {
                return Err(failure);
            }
        }
        self.look_at_clock(&engine, cx.waker())
    }

    fn wake_on_close(&mut self, waker: &Waker) {
        let is_known = self
            .waiters
            .as_ref()
            .is_some_and(|(_, known)| known.will_wake(waker));
        if !is_known {
            let waiters = self
                .ends
                .each_ref()
                .map(|end| end.transport().wake_on_close(waker));
            self.waiters = Some((waiters, waker.clone()));
        }
    }

    fn look_at_clock(&mut self, engine: &Arc<Engine>, waker: &Waker) -> Result<(), glib::Error> {
        let timeouts = self.ends.iter().map(|end| end.transport().timeout());
        let Some(seconds) = timeouts.filter(|seconds| *seconds != 0).min() else {
            self.timer.until(None, engine, waker);
            return Ok(());
        };
        let now = glib::monotonic_time();
        if self.activity.get() != self.last.0 {
            self.last = (self.activity.get(), now);
        }
        let timeout = i64::from(seconds) * 1_000_000;
        let deadline = self.last.1.saturating_add(timeout);
        if now >= deadline {
            return Err(error::timed_out());
        }
        self.timer.until(Some(deadline), engine, waker);
        Ok(())
    }
}

fn same() -> glib::Error {
    error::invalid("A connection cannot be relayed to itself")
}
