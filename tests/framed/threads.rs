//! Several threads at one of them, as C may have them.

use std::{
    cell::Cell,
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
};

use gio::prelude::*;
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// What C has: a pointer that any thread may use.
#[derive(Clone)]
struct Anywhere(Framed);

// SAFETY: these tests use no handlers, and the class says that any thread may call.
unsafe impl Send for Anywhere {}

impl Anywhere {
    fn get(&self) -> &Framed {
        &self.0
    }
}

#[test]
fn several_threads_write_and_each_frame_stays_whole() {
    within(LIMIT, || {
        let (ours, mut theirs) = pair();
        let framed = Framed::builder()
            .io_stream(&ours)
            .max_pending_bytes(10_000)
            .build();
        let writers: Vec<_> = (0..4)
            .map(|number| {
                let framed = Anywhere(framed.clone());
                thread::spawn(move || {
                    let framed = framed.get();
                    for turn in 0..200 {
                        let frame = format!("{number} {turn} {}", "x".repeat(turn * 7));
                        framed.write_frame(frame.as_bytes(), NONE).expect("written");
                    }
                })
            })
            .collect();
        let reader = thread::spawn(move || {
            let mut got = String::new();
            theirs.read_to_string(&mut got).expect("the end");
            got
        });
        for writer in writers {
            writer.join().expect("written");
        }
        framed.close(NONE).expect("closed");
        let got = reader.join().expect("read");
        let mut turns = [0; 4];
        for line in got.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (number, turn): (usize, usize) = (
                words[0].parse().expect("one"),
                words[1].parse().expect("one"),
            );
            assert_eq!(turns[number], turn, "in order");
            assert_eq!(words[2].len(), turn * 7);
            turns[number] += 1;
        }
        assert_eq!(turns, [200; 4]);
    });
}

#[test]
fn what_another_thread_sends_is_written_at_home() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let other = Anywhere(framed.clone());
        thread::spawn(move || other.get().send(b"one"))
            .join()
            .expect("no panic")
            .expect("queued");
        iterate_until(context, || framed.pending_frames() == 0);
        let mut got = [0; 4];
        theirs.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"one\n");
    });
}

#[test]
fn a_blocking_read_is_ended_by_a_cancellation_a_close_and_no_stream() {
    within(LIMIT, || {
        for how in 0..4 {
            let (ours, _theirs) = pair();
            let framed = Framed::new(&ours, Framing::Lines);
            let cancellable = gio::Cancellable::new();
            let (reader, its) = (Anywhere(framed.clone()), cancellable.clone());
            let begun = Arc::new(AtomicUsize::new(0));
            let tells = begun.clone();
            let reading = thread::spawn(move || {
                tells.store(1, Ordering::Release);
                told(reader.get().read_frame(Some(&its)))
            });
            while begun.load(Ordering::Acquire) == 0 {
                thread::yield_now();
            }
            let expected = match how {
                0 => {
                    cancellable.cancel();
                    "Cancelled"
                }
                1 => {
                    framed.close(NONE).expect("closed");
                    "Closed"
                }
                2 => {
                    framed.set_io_stream(gio::IOStream::NONE);
                    "NotConnected"
                }
                _ => {
                    framed.set_io_stream(Some(&over_bytes(b"new\n")));
                    "new"
                }
            };
            assert_eq!(reading.join().expect("no panic"), expected);
        }
    });
}

#[test]
fn a_blocking_write_goes_on_with_the_new_stream() {
    within(LIMIT, || {
        let (ours, theirs) = pair();
        let framed = Framed::new(&ours, Framing::LengthPrefixed);
        framed.set_max_frame_size(u64::MAX);
        let writer = Anywhere(framed.clone());
        let frame = vec![7; 10_000_000];
        let writing = thread::spawn(move || writer.get().write_frame(&frame, NONE));
        // It has begun.
        let mut first = [0; 5];
        (&theirs).read_exact(&mut first).expect("there");
        let (second, mut from_second) = pair();
        framed.set_io_stream(Some(&second));
        let reading = thread::spawn(move || {
            let mut got = vec![0; 10_000_004];
            from_second.read_exact(&mut got).expect("there");
            got
        });
        writing.join().expect("no panic").expect("written");
        let got = reading.join().expect("no panic");
        assert_eq!(&got[..4], 10_000_000_u32.to_be_bytes());
        assert!(got[4..].iter().all(|byte| *byte == 7));
        drop(theirs);
    });
}

#[test]
fn who_runs_the_home_context_on_another_thread_can_write() {
    within(LIMIT, || {
        let context = glib::MainContext::new();
        let (ours, mut theirs) = pair();
        let framed = context
            .with_thread_default(|| Framed::new(&ours, Framing::Lines))
            .expect("nobody else's");
        // What is there at home is not done elsewhere by itself.
        framed.send(b"one").expect("queued");
        let other = Anywhere(framed.clone());
        let writing =
            thread::spawn(move || context.block_on(other.get().write_frame_future(b"two")));
        writing.join().expect("no panic").expect("written");
        let mut got = [0; 8];
        theirs.read_exact(&mut got).expect("there");
        assert_eq!(&got, b"one\ntwo\n");
    });
}

/// What ends a wait may come while a handler of the same thread waits for something else.
#[test]
fn a_handler_that_blocks_costs_the_call_it_interrupts_no_wake_up() {
    within(LIMIT, || {
        let (ours, theirs) = pair();
        let framed = Framed::builder()
            .io_stream(&ours)
            .max_frame_size(u64::MAX)
            .build();
        let writer = Anywhere(framed.clone());
        let writing = thread::spawn(move || {
            writer
                .get()
                .write_frame(vec![b'x'; 8_000_000].as_slice(), NONE)
        });
        // It is in the midst of it.
        let mut first = [0; 1];
        (&theirs).read_exact(&mut first).expect("there");
        let left = Cell::new(Some((writing, theirs.try_clone().expect("a socket"))));
        framed.connect_pending_bytes_notify(move |_| {
            let Some((writing, mut theirs)) = left.take() else {
                return;
            };
            // It ends, which the flush is waked for.
            let mut rest = vec![0; 8_000_000];
            theirs.read_exact(&mut rest).expect("there");
            writing.join().expect("no panic").expect("written");
            let (other, mut its_peer) = pair();
            let later = thread::spawn(move || {
                thread::sleep(std::time::Duration::from_millis(20));
                its_peer.write_all(b"line\n").expect("written");
            });
            assert_eq!(next(&Framed::new(&other, Framing::Lines)), "line");
            later.join().expect("no panic");
        });
        framed.set_max_pending_bytes(u64::MAX);
        framed.send(b"last").expect("queued");
        framed.flush(NONE).expect("flushed");
        let mut last = [0; 5];
        (&theirs).read_exact(&mut last).expect("there");
        assert_eq!(&last, b"last\n");
    });
}

/// The thread in the call closes that side when it leaves.
#[test]
fn each_kind_of_stream_is_closed_while_a_thread_blocks_in_a_read() {
    for kind in 0..=KINDS {
        on_private_context(move |context| {
            for turn in 0..20 {
                let (ours, base, theirs) = if kind == KINDS {
                    let (base, theirs) = gio_pair();
                    let (input, output) = (base.input_stream(), base.output_stream());
                    let ours = gio::SimpleIOStream::new(&input, &output);
                    (ours.upcast(), base.upcast(), theirs)
                } else {
                    stream_of(kind)
                };
                let framed = Framed::new(&ours, Framing::Lines);
                let reader = Anywhere(framed.clone());
                let begun = Arc::new(AtomicUsize::new(0));
                let tells = begun.clone();
                let reading = thread::spawn(move || {
                    tells.store(1, Ordering::Release);
                    told(reader.get().read_frame(NONE))
                });
                while begun.load(Ordering::Acquire) == 0 {
                    thread::yield_now();
                }
                if turn % 2 == 0 {
                    framed.close(NONE).expect("closed");
                } else {
                    block_on(context, framed.close_future()).expect("closed");
                }
                assert_eq!(reading.join().expect("no panic"), "Closed");
                assert!(ours.is_closed());
                // GIO leaves those of a connection at it.
                if kind >= UNPOLLABLE {
                    assert!(ours.input_stream().is_closed(), "{kind}");
                    assert!(ours.output_stream().is_closed(), "{kind}");
                }
                drop((base, theirs));
            }
        });
    }
}

/// Where its thread owns no context nobody would tell a read that goes on.
#[test]
fn a_read_does_not_go_on_where_its_thread_owns_no_context() {
    for kind in 0..KINDS {
        within(LIMIT, move || {
            let owned = glib::MainContext::new();
            let ours = owned
                .with_thread_default(|| stream_of(kind))
                .expect("nobody else's");
            let framed = owned.with_thread_default(|| Framed::new(&ours.0, Framing::Lines));
            let framed = framed.expect("nobody else's");
            let mut reading = framed.read_frame_future();
            owned
                .with_thread_default(|| assert!(once(&mut reading).is_pending()))
                .expect("nobody else's");
            // What was begun for the first stream ends with it.
            let (next, base, mut theirs) = stream_of(kind);
            framed.set_io_stream(Some(&next));
            let Poll::Ready(refused) = once(&mut reading) else {
                panic!("it waits here");
            };
            assert_fails(refused, gio::IOErrorEnum::NotSupported);
            theirs.write_all(b"one\n").expect("written");
            let read = owned.with_thread_default(|| owned.block_on(framed.read_frame_future()));
            assert_eq!(told(read.expect("nobody else's")), "one");
            drop((ours, base));
        });
    }
}

/// Its tasks find the context that they are of, whoever iterates it.
#[test]
fn home_that_is_iterated_without_being_the_threads_default_writes_all_the_same() {
    within(LIMIT, || {
        let context = glib::MainContext::new();
        let (ours, mut theirs) = pair();
        // More than the socket takes at once.
        let much = vec![b'x'; 1 << 20];
        let framed = context
            .with_thread_default(|| {
                let framed = Framed::builder()
                    .io_stream(&ours)
                    .max_pending_bytes(1 << 22)
                    .build();
                framed.send(&much).expect("queued");
                framed
            })
            .expect("nobody else's");
        while context.iteration(false) {}
        assert!(framed.pending_bytes() > 0);
        let peer = thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).expect("it ends");
            got
        });
        while framed.pending_bytes() > 0 {
            context.iteration(true);
        }
        framed.close(NONE).expect("open");
        let got = peer.join().expect("no panic");
        assert_eq!((got.len(), got.last()), (much.len() + 1, Some(&b'\n')));
        assert!(got.starts_with(&much));
    });
}
