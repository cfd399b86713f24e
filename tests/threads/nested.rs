//! A nested loop in a callback, under load.

use std::{
    cell::{Cell, RefCell},
    io::Write,
    net::TcpStream,
    rc::Rc,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::SocketConnection;

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

struct Talk {
    connection: SocketConnection,
    peer: RefCell<TcpStream>,
    reads: Cell<u32>,
    busy: Cell<bool>,
}

struct Load {
    context: glib::MainContext,
    talks: Vec<Rc<Talk>>,
    depth: Cell<u32>,
    deepest: Cell<u32>,
    nested: Cell<u32>,
    done: Cell<u32>,
}

const CONNECTIONS: usize = 50;
const READS: u32 = 100;

/// Reads four bytes; every tenth callback runs a loop of its own.
fn read_on(load: &Rc<Load>, at: usize) {
    let talk = load.talks[at].clone();
    assert!(!talk.busy.replace(true), "one read at a time");
    let (load, stream) = (load.clone(), talk.connection.input_stream());
    let priority = glib::Priority::DEFAULT;
    stream.read_async(
        vec![0; 4],
        priority,
        gio::Cancellable::NONE,
        move |result| {
            let (buffer, count) = result.expect("a working connection");
            assert_eq!((&buffer[..], count), (&b"load"[..], 4));
            talk.busy.set(false);
            talk.reads.set(talk.reads.get() + 1);
            load.done.set(load.done.get() + 1);
            if load.done.get() % 10 == 0 && load.depth.get() < 5 {
                load.depth.set(load.depth.get() + 1);
                load.deepest.set(load.deepest.get().max(load.depth.get()));
                load.nested.set(load.nested.get() + 1);
                for _ in 0..10 {
                    load.context.iteration(false);
                }
                load.depth.set(load.depth.get() - 1);
            }
            if talk.reads.get() < READS {
                talk.peer
                    .borrow_mut()
                    .write_all(b"load")
                    .expect("a working connection");
                read_on(&load, at);
            }
        },
    );
}

#[test]
fn nested_loops_in_read_callbacks_lose_no_operation_under_load() {
    at_length(|context| {
        let talks = (0..CONNECTIONS)
            .map(|at| {
                let (connection, peer) = if at % 2 == 0 {
                    connected()
                } else {
                    connected_bare()
                };
                Rc::new(Talk {
                    connection,
                    peer: RefCell::new(peer),
                    reads: Cell::new(0),
                    busy: Cell::new(false),
                })
            })
            .collect();
        let load = Rc::new(Load {
            context: context.clone(),
            talks,
            depth: Cell::new(0),
            deepest: Cell::new(0),
            nested: Cell::new(0),
            done: Cell::new(0),
        });
        for (at, talk) in load.talks.iter().enumerate() {
            talk.peer
                .borrow_mut()
                .write_all(b"load")
                .expect("a working connection");
            read_on(&load, at);
        }
        let all = CONNECTIONS as u32 * READS;
        sleep_until(context, || load.done.get() == all);
        assert!(
            load.talks
                .iter()
                .all(|talk| talk.reads.get() == READS && !talk.busy.get())
        );
        let (deepest, nested) = (load.deepest.get(), load.nested.get());
        assert!(
            deepest > 1 && nested >= 10,
            "{nested} nested loops, {deepest} deep"
        );
        let gone: Vec<_> = load
            .talks
            .iter()
            .map(|talk| Gone::of(&talk.connection))
            .collect();
        assert_eq!(Rc::strong_count(&load), 1, "no callback is left over");
        drop(load);
        assert_idle(context);
        assert!(gone.iter().all(Gone::is_gone));
    });
}

/// The callback closes its own connection, or drops everything, from within a nested loop.
#[test]
fn a_nested_loop_may_close_the_connection_whose_callback_runs_it() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"load").expect("a working connection");
        let done = Rc::new(Cell::new(0));
        let (ended, nested) = (done.clone(), context.clone());
        let inner = connection.clone();
        let priority = glib::Priority::DEFAULT;
        let stream = connection.input_stream();
        stream.read_async(
            vec![0; 4],
            priority,
            gio::Cancellable::NONE,
            move |result| {
                result.expect("a working connection");
                let again = start_read(&inner, 4, None);
                let closing = start_close(&inner, None);
                iterate_until(&nested, || closing.has_ended() && again.has_ended());
                assert!(closing.outcome().is_ok());
                assert_fails(again.outcome(), E::Closed);
                assert!(inner.is_closed());
                ended.set(ended.get() + 1);
            },
        );
        iterate_until(context, || done.get() > 0);
        assert_eq!(done.get(), 1);
        assert!(read_to_end(&mut peer).is_empty());
        let gone = [Gone::of(&connection), Gone::of(&stream)];
        drop((connection, stream));
        assert_idle(context);
        assert!(gone.iter().all(Gone::is_gone));
    });
}
