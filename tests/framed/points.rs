//! Cancelling and dropping, after every poll and every iteration of every operation: nothing of the stream is lost,
//! doubled or torn, an operation answers once, and the next one works.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io::{Read, Write},
    os::unix::net::UnixStream,
    pin::Pin,
    rc::Rc,
};

use futures::FutureExt;
use gio::prelude::*;
use glib::Bytes;
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// More than goes at once, so that there are points in the midst of a frame.
const LARGE: usize = 250_000;
/// No operation has more of them here.
const MOST_POINTS: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    ReadFrame,
    ReadExact,
    WriteFrame,
    Flush,
    Close,
}

const OPS: [Op; 5] = [
    Op::ReadFrame,
    Op::ReadExact,
    Op::WriteFrame,
    Op::Flush,
    Op::Close,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    DropFuture,
    Cancel,
}

type End = Result<Option<Bytes>, gio::IOErrorEnum>;

fn end<T>(result: Result<T, glib::Error>, given: impl FnOnce(T) -> Option<Bytes>) -> End {
    result.map(given).map_err(|failure| code(&failure))
}

/// A frame, or what exactly it is on the stream.
fn large() -> Vec<u8> {
    (0..LARGE).map(|at| b'a' + (at % 23) as u8).collect()
}

fn future(op: Op, framed: &Framed) -> Pin<Box<dyn Future<Output = End>>> {
    match op {
        Op::ReadFrame => framed
            .read_frame_future()
            .map(|read| end(read, |it| it))
            .boxed_local(),
        Op::ReadExact => framed
            .read_exact_future(LARGE)
            .map(|read| end(read, Some))
            .boxed_local(),
        Op::WriteFrame => {
            let write = framed.write_frame_future(&large());
            write.map(|done| end(done, |()| None)).boxed_local()
        }
        Op::Flush => framed
            .flush_future()
            .map(|done| end(done, |()| None))
            .boxed_local(),
        Op::Close => framed
            .close_future()
            .map(|done| end(done, |()| None))
            .boxed_local(),
    }
}

fn start(op: Op, framed: &Framed, cancellable: &gio::Cancellable) -> Rc<RefCell<Option<End>>> {
    let ended: Rc<RefCell<Option<End>>> = Rc::default();
    let slot = ended.clone();
    let (cancellable, once) = (Some(cancellable), Cell::new(false));
    let answer = move |result: End| {
        assert!(!once.replace(true), "answered once");
        *slot.borrow_mut() = Some(result);
    };
    match op {
        Op::ReadFrame => framed.read_frame_async(cancellable, move |framed, result| {
            answer(end(framed.read_frame_finish(result), |it| it));
        }),
        Op::ReadExact => framed.read_exact_async(LARGE, cancellable, move |framed, result| {
            answer(end(framed.read_exact_finish(result), Some));
        }),
        Op::WriteFrame => framed.write_frame_async(&large(), cancellable, move |framed, result| {
            answer(end(framed.write_frame_finish(result), |()| None));
        }),
        Op::Flush => framed.flush_async(cancellable, move |framed, result| {
            answer(end(framed.flush_finish(result), |()| None));
        }),
        Op::Close => framed.close_async(cancellable, move |framed, result| {
            answer(end(framed.close_finish(result), |()| None));
        }),
    }
    assert!(ended.borrow().is_none(), "not before it returns");
    ended
}

/// The peer, a bit at each point.
struct Peer {
    stream: Option<UnixStream>,
    to_send: Vec<u8>,
    got: Vec<u8>,
}

impl Peer {
    fn step(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let count = stream.write(&self.to_send[..self.to_send.len().min(30_000)]);
        self.to_send.drain(..count.unwrap_or(0));
        let mut buffer = vec![0; 30_000];
        if let Ok(count) = stream.read(&mut buffer) {
            self.got.extend_from_slice(&buffer[..count]);
        }
    }
}

/// Without waiting in between: the peer has to go on, and is no source of the context.
fn until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + LIMIT * slowness();
    while !done() {
        assert!(std::time::Instant::now() < end, "not done after {LIMIT:?}");
        context.iteration(false);
    }
}

/// Strikes at the point of this number; answers whether the operation had ended before.
fn strike(context: &glib::MainContext, op: Op, way: Way, kind: usize, point: usize) -> bool {
    let (ours, base, theirs) = stream_of(kind);
    theirs.set_nonblocking(true).expect("set");
    let framed = Framed::new(&ours, Framing::LengthPrefixed);
    let mut peer = Peer {
        stream: Some(theirs),
        to_send: Vec::new(),
        got: Vec::new(),
    };
    let is_reading = matches!(op, Op::ReadFrame | Op::ReadExact);
    if is_reading {
        if op == Op::ReadFrame {
            peer.to_send.extend((LARGE as u32).to_be_bytes());
        }
        peer.to_send.extend(large());
        peer.to_send.extend(b"\0\0\0\x04next");
    } else if op != Op::WriteFrame {
        framed.send(&large()).expect("queued");
    }

    let mut ended = None;
    let mut before = false;
    match way {
        Way::DropFuture => {
            let mut running = future(op, &framed);
            for _ in 0..=point {
                ended = running.as_mut().now_or_never();
                if ended.is_some() {
                    before = true;
                    break;
                }
                peer.step();
                context.iteration(false);
                let_threads_go_on(kind);
            }
        }
        Way::Cancel => {
            let cancellable = gio::Cancellable::new();
            let running = start(op, &framed, &cancellable);
            for _ in 0..point {
                context.iteration(false);
                if running.borrow().is_some() {
                    before = true;
                    break;
                }
                peer.step();
                let_threads_go_on(kind);
            }
            cancellable.cancel();
            // A frame that was begun goes on, and needs somebody who reads.
            until(context, || {
                peer.step();
                running.borrow().is_some()
            });
            ended = running.take();
        }
    }
    let at = format!("{op:?} {way:?} {kind} {point}");
    match &ended {
        None => {}
        Some(Ok(given)) => assert!(
            given.as_deref().is_none_or(|given| given == large()),
            "{at}"
        ),
        Some(Err(failure)) => {
            assert_eq!(*failure, gio::IOErrorEnum::Cancelled, "{at}");
            assert_eq!(way, Way::Cancel);
        }
    }
    let is_done = matches!(ended, Some(Ok(_)));
    if is_reading {
        let mut next = |op: Op| {
            let running = start(op, &framed, &gio::Cancellable::new());
            until(context, || {
                peer.step();
                running.borrow().is_some()
            });
            running
                .take()
                .expect("ended")
                .expect("read")
                .expect("bytes")
        };
        if !is_done {
            assert!(next(op) == large()[..], "{at}: other bytes");
        }
        assert_eq!(&next(Op::ReadFrame)[..], b"next", "{at}");
    } else {
        // Dropped while the stream is being closed, it is closed.
        let is_closed = op == Op::Close
            && framed
                .send(b"")
                .is_err_and(|failure| code(&failure) == gio::IOErrorEnum::Closed);
        assert!(is_closed || op != Op::Close || !is_done, "{at}");
        if !is_closed {
            framed.send(b"next").expect("it takes frames");
            let running = start(Op::Close, &framed, &gio::Cancellable::new());
            until(context, || {
                peer.step();
                running.borrow().is_some()
            });
            assert_eq!(running.take(), Some(Ok(None)), "{at}");
        }
        // What is under way to the peer.
        drop((framed, ours, base));
        let mut stream = peer.stream.take().expect("there");
        let mut buffer = vec![0; 100_000];
        // What goes on in the context may have the last reference.
        until(context, || match stream.read(&mut buffer) {
            Ok(count) => {
                peer.got.extend_from_slice(&buffer[..count]);
                count == 0
            }
            Err(_) => false,
        });
        let mut whole = (LARGE as u32).to_be_bytes().to_vec();
        whole.extend(large());
        let next: &[u8] = match (op, is_closed) {
            (_, true) => b"",
            // Of the look whether it is closed.
            (Op::Close, false) => b"\0\0\0\0\0\0\0\x04next",
            _ => b"\0\0\0\x04next",
        };
        let rest = match peer.got.strip_prefix(&whole[..]) {
            Some(rest) => rest,
            // Taken back whole, or not at all.
            None => {
                assert!(op == Op::WriteFrame && !is_done, "{at}: the frame is lost");
                &peer.got
            }
        };
        assert_eq!(rest.len(), next.len(), "{at}");
        assert_eq!(rest, next, "{at}");
    }
    before
}

/// On a busy machine they have their turn late, and there would be no end of points before that.
fn let_threads_go_on(kind: usize) {
    if kind == UNPOLLABLE {
        std::thread::sleep(std::time::Duration::from_micros(20));
    }
}

/// GIO writes to what cannot be polled on threads of its own, which the points tell little of.
fn step_of(kind: usize) -> usize {
    if kind == UNPOLLABLE { 9 } else { 1 }
}

/// FRAMED-12, FRAMED-14.
#[test]
fn every_operation_can_be_given_up_at_every_point() {
    for way in [Way::DropFuture, Way::Cancel] {
        on_private_context_within(3 * LIMIT, move |context| {
            for op in OPS {
                for kind in 0..KINDS {
                    let ends_at = (0..MOST_POINTS)
                        .step_by(step_of(kind))
                        .find(|point| strike(context, op, way, kind, *point));
                    let ends_at = ends_at.expect("it ends");
                    assert!(ends_at > 0, "{op:?} {way:?} {kind}: there were points");
                }
            }
        });
    }
}
