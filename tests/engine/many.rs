//! Many tasks.

use std::{cell::Cell, future::pending, io::Write, rc::Rc};

use futures::channel::oneshot;
use gio::prelude::*;
use gsock::{engine, prelude::*};

use crate::{handles::Guard, polling::*, support::*};

const MANY: usize = 10_000;

#[test]
fn ten_thousand_parked_tasks_wake_one_by_one() {
    on_private_context(|context| {
        let (polls, gone) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for number in 0..MANY {
            let (send, receive) = oneshot::channel::<usize>();
            let guard = Guard::new(&gone);
            senders.push(send);
            let future = async move {
                let _guard = guard;
                receive.await.unwrap() + number
            };
            tasks.push(engine::spawn_local(context, counted(polls.clone(), future)));
        }
        until(context, || polls.get() == MANY);
        while context.iteration(false) {}
        assert_eq!(polls.get(), MANY);
        // Nobody but the one that is woken is polled.
        for (round, sender) in senders.drain(MANY - 100..).rev().enumerate() {
            sender.send(1).unwrap();
            until(context, || gone.get() == round + 1);
            assert_eq!(polls.get(), MANY + round + 1);
        }
        for sender in senders {
            sender.send(1).unwrap();
        }
        let mut sum = 0;
        for task in tasks {
            sum += value_of(context.block_on(task));
        }
        assert_eq!(sum, MANY * (MANY + 1) / 2);
        assert_eq!((polls.get(), gone.get()), (2 * MANY, MANY));
    });
}

#[test]
fn ten_thousand_parked_tasks_go_with_their_context() {
    on_private_context(|_context| {
        let gone = Rc::new(Cell::new(0));
        let brief = glib::MainContext::new();
        for _ in 0..MANY {
            let guard = Guard::new(&gone);
            drop(engine::spawn_local(&brief, async move {
                let _guard = guard;
                pending::<()>().await;
            }));
        }
        while brief.iteration(false) {}
        assert_eq!(gone.get(), 0);
        drop(brief);
        assert_eq!(gone.get(), MANY);
    });
}

#[test]
fn ten_thousand_tasks_are_aborted_from_within_one() {
    on_private_context(|context| {
        let gone = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..MANY)
            .map(|_| {
                let guard = Guard::new(&gone);
                engine::spawn_local(context, async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
            })
            .collect();
        while context.iteration(false) {}
        run(context, async move {
            for task in &tasks {
                task.abort();
            }
            assert!(tasks.iter().all(engine::JoinHandle::is_finished));
        });
        assert_eq!(gone.get(), MANY);
    });
}

/// The place of a task that has ended is another one's: none gets what was meant for the other.
#[test]
fn places_that_are_used_again_are_not_confused() {
    on_private_context(|context| {
        let (first, second) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for _ in 0..1000 {
            let (old_send, old_receive) = oneshot::channel::<()>();
            let old = engine::spawn_local(context, counted(first.clone(), old_receive));
            while context.iteration(false) {}
            old.abort();
            let new = engine::spawn_local(context, counted(second.clone(), pending::<()>()));
            while context.iteration(false) {}
            let polls = second.get();
            // A wake, an abort and an end of the one before.
            let _ = old_send.send(());
            old.abort();
            drop(old);
            while context.iteration(false) {}
            assert_eq!(second.get(), polls);
            assert!(!new.is_finished());
            new.abort();
        }
        assert_eq!((first.get(), second.get()), (1000, 1000));
    });
}

#[test]
fn a_thousand_halves_of_one_connection_wait_at_once() {
    const HALVES: usize = 1000;
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let ended = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..HALVES)
            .map(|_| {
                let (mut reader, _) = connection.halves();
                let ended = ended.clone();
                engine::spawn_local(context, async move {
                    let result = reader.read(&mut [0; 1]).await;
                    ended.set(ended.get() + 1);
                    result
                })
            })
            .collect();
        while context.iteration(false) {}
        assert_eq!(ended.get(), 0);
        peer.write_all(&[0; 100]).unwrap();
        until(context, || ended.get() == 100);
        while context.iteration(false) {}
        assert_eq!(ended.get(), 100);
        connection.close(gio::Cancellable::NONE).unwrap();
        until(context, || ended.get() == HALVES);
        let mut read = 0;
        for task in tasks {
            match value_of(context.block_on(task)) {
                Ok(count) => read += count,
                Err(error) => assert_eq!(code(&error), gio::IOErrorEnum::Closed),
            }
        }
        assert_eq!(read, 100);
    });
}
