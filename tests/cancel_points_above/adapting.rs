//! Streams of GIO's over a stream of futures-io, and the wrapper of a connection over another stream.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
};

use futures::{AsyncRead, AsyncWrite};
use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::IoStreamAdapter;

use crate::pipes::{End as PipeEnd, pipe};
use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Read,
    Write,
    Flush,
    CloseInput,
    CloseOutput,
    Close,
}

struct Adapting {
    what: What,
    answer: Answer,
    adapter: Option<IoStreamAdapter>,
    adapts: Gone,
    peer: Option<PipeEnd>,
    sent: bool,
    moved: Rc<RefCell<usize>>,
}

const PRIORITY: glib::Priority = glib::Priority::DEFAULT;
/// How much goes into the pipe.
const ROOM: usize = 8;

impl Adapting {
    fn new(what: What, any_thread: bool, answer: Answer) -> Self {
        let (ours, mut peer) = pipe(ROOM);
        let lingers = matches!(what, What::Close | What::CloseOutput) && answer != Answer::AtOnce;
        let mut ours = if lingers { ours.lingering() } else { ours };
        let mut cx = Context::from_waker(Waker::noop());
        if lingers || what == What::Write && answer != Answer::AtOnce {
            // No room, and something to wait for.
            assert!(
                Pin::new(&mut ours)
                    .poll_write(&mut cx, &[b'f'; ROOM])
                    .is_ready()
            );
        }
        let adapter = if any_thread {
            IoStreamAdapter::for_any_thread(ours)
        } else {
            IoStreamAdapter::new(ours)
        };
        let _ = &mut peer;
        Self {
            what,
            answer,
            adapts: Gone::of(&adapter),
            adapter: Some(adapter),
            peer: Some(peer),
            sent: false,
            moved: Rc::default(),
        }
    }

    fn adapter(&self) -> &IoStreamAdapter {
        self.adapter.as_ref().expect("still there")
    }

    /// What the peer can read now.
    fn read(&mut self) -> usize {
        let Some(peer) = &mut self.peer else {
            return 0;
        };
        let mut cx = Context::from_waker(Waker::noop());
        let mut buffer = [0; 64];
        match Pin::new(peer).poll_read(&mut cx, &mut buffer) {
            std::task::Poll::Ready(Ok(count)) => count,
            _ => 0,
        }
    }
}

impl Play for Adapting {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let adapter = self.adapter().clone();
        let (input, output) = (adapter.input_stream(), adapter.output_stream());
        let moved = self.moved.clone();
        let cancellable = Some(cancellable);
        let ended = move |result: Result<usize, glib::Error>| {
            told.finish(move || {
                end_of(result.map(|count| {
                    moved.replace(count);
                }))
            });
        };
        match self.what {
            What::Read => input.read_async(vec![0; 4], PRIORITY, cancellable, |result| {
                ended(
                    result
                        .map(|(_, count)| count)
                        .map_err(|(_, failure)| failure),
                );
            }),
            What::Write => output.write_async(*b"ping", PRIORITY, cancellable, |result| {
                ended(
                    result
                        .map(|(_, count)| count)
                        .map_err(|(_, failure)| failure),
                );
            }),
            What::Flush => {
                output.flush_async(PRIORITY, cancellable, |result| ended(result.map(|()| 0)));
            }
            What::CloseInput => {
                input.close_async(PRIORITY, cancellable, |result| ended(result.map(|()| 0)));
            }
            What::CloseOutput => {
                output.close_async(PRIORITY, cancellable, |result| ended(result.map(|()| 0)));
            }
            What::Close => {
                adapter.close_async(PRIORITY, cancellable, |result| ended(result.map(|()| 0)));
            }
        }
    }

    fn future(&mut self) -> Running {
        unreachable!("gio-rs' own, with a cancellable of its own")
    }

    fn act(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        match self.what {
            What::Read => {
                let peer = Pin::new(self.peer.as_mut().expect("there"));
                self.sent = peer.poll_write(&mut cx, b"ping").is_ready();
            }
            _ => {
                self.read();
            }
        }
    }

    fn close(&mut self) -> bool {
        let closed = self.adapter().close(Cancellable::NONE);
        if let Err(failure) = &closed {
            assert!(failure.matches(E::Pending), "{failure}");
        }
        closed.is_ok()
    }

    fn closed(&self) -> &'static [End] {
        &[Err(E::Closed), Ok(())]
    }

    fn forget(&mut self) {
        self.adapter = None;
    }

    fn forgotten(&self) -> &'static [End] {
        &[Err(E::Closed)]
    }

    fn cancelled_at_once(&self) -> &'static [End] {
        match self.what {
            // GIO does not look (ST-39).
            What::CloseInput => &[Ok(())],
            _ => &[],
        }
    }

    fn looks_at_finish(&self) -> bool {
        matches!(
            self.what,
            What::Write | What::Flush | What::CloseOutput | What::Close
        )
    }

    fn check(&mut self, _: &Room, fate: &Fate) {
        let moved = if fate.succeeded() {
            *self.moved.borrow()
        } else {
            0
        };
        if self.what == What::Read
            && let Some(adapter) = &self.adapter
            && !adapter.is_closed()
            && self.sent
            && moved < 4
        {
            let rest = adapter.input_stream().read_bytes(16, Cancellable::NONE);
            assert_eq!(rest.expect("more").len(), 4 - moved, "bytes are gone");
        }
        self.adapter = None;
        self.peer = None;
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("adapter", self.adapts.clone())]
    }
}

fn every_case(place: Where, all: &'static [(What, &'static [&'static str])]) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        for (what, covers) in all {
            for any_thread in [false, true] {
                let what = *what;
                Drill {
                    name: format!("{what:?} any_thread={any_thread}"),
                    covers,
                    answers: match what {
                        What::Flush | What::CloseInput => &[Answer::AtOnce],
                        What::Close | What::CloseOutput => &[Answer::AtOnce, Answer::Later],
                        _ => &[Answer::AtOnce, Answer::Later, Answer::Never],
                    },
                    ways: &[Way::Callback],
                    pause: SHORT,
                    most: MOST_STEPS,
                    elsewhere: false,
                    make: &|_, answer| Box::new(Adapting::new(what, any_thread, answer)),
                }
                .every_point(&mut points, &room);
            }
        }
        points.report(&format!("an adapter, {place:?} context"));
    });
}

on_both! {
    adapter: |place| every_case(place, &[
        (What::Read, &["io_stream_adapter::input::read_async"]),
        (What::Write, &["io_stream_adapter::output::write_async"]),
        (What::Flush, &["io_stream_adapter::output::flush_async"]),
        (What::CloseInput, &["io_stream_adapter::input::close_async"]),
        (What::CloseOutput, &["io_stream_adapter::output::close_async"]),
        (What::Close, &["io_stream_adapter::close_async"]),
    ]),
}
