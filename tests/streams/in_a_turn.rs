//! Transfers that are started where it is known that they have to wait: in a turn of the engine, on a socket that was
//! found empty or full before. They take their places at once, without a try.

use std::{cell::Cell, io::Write, rc::Rc, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, engine, prelude::*};

use crate::{support::*, tools::*};

over_both!(
    what_waits_is_answered_once_by_what_comes_next,
    what_is_cancelled_in_the_turn_of_its_start_moves_nothing,
    what_is_closed_in_the_turn_of_its_start_says_so,
    what_was_over_before_the_start_is_said_at_once,
    what_waits_has_its_time,
);

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

type Answer = Slot<Result<usize, glib::Error>>;
type Start = fn(&SocketConnection, Option<&Cancellable>) -> Answer;

fn read_by_stream(connection: &SocketConnection, cancellable: Option<&Cancellable>) -> Answer {
    let slot = Slot::new();
    let put = slot.put();
    let callback = move |result: Result<(Vec<u8>, usize), (Vec<u8>, glib::Error)>| {
        put(result
            .map(|(_, count)| count)
            .map_err(|(_, failure)| failure));
    };
    connection
        .input_stream()
        .read_async(vec![0; 64], DEFAULT, cancellable, callback);
    slot
}

fn receive(connection: &SocketConnection, cancellable: Option<&Cancellable>) -> Answer {
    let slot = Slot::new();
    let put = slot.put();
    let callback = move |_: &SocketConnection, _: Vec<u8>, result| put(result);
    connection.receive_async(vec![0; 64], DEFAULT, cancellable, callback);
    slot
}

fn write_by_stream(connection: &SocketConnection, cancellable: Option<&Cancellable>) -> Answer {
    start_write(&connection.output_stream(), b"no".to_vec(), cancellable)
}

fn send(connection: &SocketConnection, cancellable: Option<&Cancellable>) -> Answer {
    let slot = Slot::new();
    let put = slot.put();
    let bytes = glib::Bytes::from_static(b"no");
    connection.send_async(bytes, DEFAULT, cancellable, move |_, result| put(result));
    slot
}

const READS: [Start; 2] = [read_by_stream, receive];
const ALL: [Start; 4] = [read_by_stream, receive, write_by_stream, send];

/// A connection of which the context knows that it has nothing to read, and no room.
fn known_to_wait(
    make: Make,
    context: &glib::MainContext,
) -> (SocketConnection, std::net::TcpStream) {
    let (connection, mut peer) = make();
    fill(&connection, &peer);
    let cancellable = Cancellable::new();
    let (reading, writing) = (
        receive(&connection, None),
        send(&connection, Some(&cancellable)),
    );
    iterate_for(context, Duration::from_millis(10));
    peer.write_all(b"1").unwrap();
    assert_eq!(reading.wait(context).unwrap(), 1);
    cancellable.cancel();
    assert_fails(writing.wait(context), E::Cancelled);
    (connection, peer)
}

/// Starts in a turn, and does `then` in the same one.
fn started(
    context: &glib::MainContext,
    connection: &SocketConnection,
    cancellable: Option<&Cancellable>,
    start: Start,
    then: impl FnOnce() + 'static,
) -> Answer {
    let (connection, cancellable) = (connection.clone(), cancellable.cloned());
    let answer = Rc::new(Cell::new(None));
    let place = answer.clone();
    let task = engine::spawn_local(context, async move {
        let slot = start(&connection, cancellable.as_ref());
        assert!(!slot.is_set(), "answered before the call has returned");
        then();
        assert!(!slot.is_set(), "answered outside of the loop");
        place.set(Some(slot));
    });
    iterate_until(context, || task.is_finished());
    answer.take().expect("the task has run")
}

fn what_waits_is_answered_once_by_what_comes_next(make: Make, context: &glib::MainContext) {
    for start in READS {
        for late in [false, true] {
            let (connection, peer) = known_to_wait(make, context);
            let mut writer = peer.try_clone().unwrap();
            let mut send = move || writer.write_all(b"three").unwrap();
            let answer = if late {
                let answer = started(context, &connection, None, start, || {});
                iterate_for(context, Duration::from_millis(10));
                assert!(!answer.is_set());
                send();
                answer
            } else {
                started(context, &connection, None, start, send)
            };
            assert_eq!(answer.wait(context).unwrap(), 5);
            settle(context, Duration::from_millis(5));
        }
    }
}

fn what_is_cancelled_in_the_turn_of_its_start_moves_nothing(
    make: Make,
    context: &glib::MainContext,
) {
    for start in ALL {
        for elsewhere in [false, true] {
            let (connection, mut peer) = known_to_wait(make, context);
            let written = connection.bytes_written();
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            let cancel = move || {
                if elsewhere {
                    thread::spawn(move || canceller.cancel()).join().unwrap();
                } else {
                    canceller.cancel();
                }
            };
            let answer = started(context, &connection, Some(&cancellable), start, cancel);
            assert_fails(answer.wait(context), E::Cancelled);
            assert_eq!(connection.bytes_written(), written);
            peer.write_all(b"kept").unwrap();
            assert_eq!(receive(&connection, None).wait(context).unwrap(), 4);
        }
    }
}

fn what_is_closed_in_the_turn_of_its_start_says_so(make: Make, context: &glib::MainContext) {
    for start in ALL {
        for behind in [false, true] {
            let (connection, _peer) = known_to_wait(make, context);
            let closing = connection.clone();
            let close = move || {
                if behind {
                    closing.socket().close().unwrap();
                } else {
                    closing.close(Cancellable::NONE).unwrap();
                }
            };
            let answer = started(context, &connection, None, start, close);
            assert_fails(answer.wait(context), E::Closed);
        }
    }
}

fn what_was_over_before_the_start_is_said_at_once(make: Make, context: &glib::MainContext) {
    for start in ALL {
        let (connection, peer) = known_to_wait(make, context);
        let cancelled = Cancellable::new();
        cancelled.cancel();
        let answer = started(context, &connection, Some(&cancelled), start, || {});
        assert_fails(answer.wait(context), E::Cancelled);
        // Also when only the kernel knows it yet.
        reset(peer);
        let answer = started(context, &connection, None, start, || {});
        assert!(answer.wait(context).is_err());
    }
}

fn what_waits_has_its_time(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = known_to_wait(make, context);
    connection.socket().set_timeout(1);
    let answers = [read_by_stream, write_by_stream]
        .map(|start: Start| started(context, &connection, None, start, || {}));
    for answer in answers {
        assert_fails(answer.wait(context), E::TimedOut);
    }
    peer.write_all(b"kept").unwrap();
    let answer = started(context, &connection, None, receive, || {});
    assert_eq!(answer.wait(context).unwrap(), 4);
}
