//! Serving a connection on a thread.

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{ThreadedSocketService, prelude::*};

use crate::{support::*, tools::*};

/// THREADED-3.
#[test]
fn threaded_3_each_connection_is_served_on_a_thread_that_is_not_the_services() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(2);
        let (sender, seen) = mpsc::channel();
        let source: glib::Object = gio::Cancellable::new().upcast();
        service.connect_run(move |_, connection, source| {
            let has_source = source.is_some_and(ObjectExt::is::<gio::Cancellable>);
            let _ = sender.send((thread::current().id(), has_source));
            let input = connection.input_stream();
            let bytes = input.read_bytes(1, gio::Cancellable::NONE).expect("a byte");
            let output = connection.output_stream();
            output
                .write_all(&bytes, gio::Cancellable::NONE)
                .expect("room");
            true
        });
        let mut peer = client(listen_with(&service, Some(&source)));
        peer.write_all(b"x").expect("room");
        let back = thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).expect("an end");
            bytes
        });
        iterate_until(context, || back.is_finished());
        assert_eq!(back.join().expect("no panic"), b"x");
        let (thread, has_source) = seen.recv().expect("it ran");
        assert_ne!(thread, thread::current().id());
        assert!(has_source);
        service.close();
    });
}

/// THREADED-3: the first that says true is the last that is asked.
#[test]
fn threaded_3_the_first_handler_that_says_true_ends_the_emission() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let called = Arc::new(Mutex::new(String::new()));
        for (letter, handled) in [('a', false), ('b', true), ('c', true)] {
            let called = called.clone();
            service.connect_run(move |_, _, _| {
                called.lock().expect("no panic").push(letter);
                handled
            });
        }
        let mut peer = client(listen(&service));
        iterate_until(context, || !is_quiet(&mut peer));
        assert!(is_at_its_end(&mut peer));
        assert_eq!(*called.lock().expect("no panic"), "ab");
        service.close();
    });
}

/// The thread has a context of its own, which is the home of the connection.
#[test]
fn the_home_of_a_connection_is_the_thread_that_serves_it() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let (sender, seen) = mpsc::channel();
        service.connect_run(move |_, connection, _| {
            let here = glib::MainContext::ref_thread_default();
            let is_owner = here.is_owner();
            let is_private = here != glib::MainContext::default();
            let states = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let told = states.clone();
            connection.connect_state_notify(move |connection| {
                told.borrow_mut()
                    .push((thread::current().id(), connection.is_alive()));
            });
            let _ = sender.send(None);
            // The peer goes: that is told here, since here somebody iterates.
            let end = std::time::Instant::now() + LIMIT;
            while states.borrow().is_empty() && std::time::Instant::now() < end {
                here.iteration(false);
                thread::sleep(Duration::from_millis(1));
            }
            let states = states.borrow().clone();
            let at_home = states == [(thread::current().id(), false)];
            let _ = sender.send(Some((is_owner, is_private, at_home)));
            true
        });
        let mut peer = Some(client(listen(&service)));
        let mut outcome = None;
        iterate_until(context, || {
            if let Ok(said) = seen.try_recv() {
                peer = None;
                outcome = said;
            }
            outcome.is_some()
        });
        assert!(peer.is_none());
        assert_eq!(outcome, Some((true, true, true)));
        service.close();
    });
}

#[test]
fn a_handler_may_wait_for_asynchronous_operations_in_the_context_of_its_thread() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        service.connect_run(|_, connection, _| {
            let (input, output) = (connection.input_stream(), connection.output_stream());
            glib::MainContext::ref_thread_default().block_on(async move {
                let read = input.read_bytes_future(1, glib::Priority::DEFAULT).await;
                let bytes = read.expect("a byte");
                let wrote = output.write_bytes_future(&bytes, glib::Priority::DEFAULT);
                wrote.await.expect("room");
            });
            true
        });
        let address = listen(&service);
        let rounds = thread::spawn(move || {
            (0..5).all(|_| {
                let mut peer = client(address);
                peer.write_all(b"y").expect("room");
                let mut bytes = Vec::new();
                peer.read_to_end(&mut bytes).expect("an end");
                bytes == b"y"
            })
        });
        iterate_until(context, || rounds.is_finished());
        assert!(rounds.join().expect("no panic"));
        service.close();
    });
}

/// THREADED-5.
#[test]
fn threaded_5_a_handler_of_incoming_that_says_true_keeps_it_from_run() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let (sender, seen) = mpsc::channel();
        service.connect_run(move |_, _, _| {
            let _ = sender.send(());
            true
        });
        let kept = keep(&service);
        let address = listen(&service);
        let _client = client(address);
        iterate_until(context, || kept.borrow().len() == 1);
        block_on(context, service.drain_future());
        assert!(seen.try_recv().is_err());
        assert!(kept.borrow()[0].is_alive());
        service.close();
    });
}

/// THREADED-6.
#[test]
fn threaded_6_after_run_the_connection_is_closed_unless_somebody_keeps_it() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let kept = Arc::new(Mutex::new(None));
        let keeping = kept.clone();
        service.connect_run(move |_, connection, _| {
            *keeping.lock().expect("no panic") = Some(Shared::new(connection.clone()));
            true
        });
        let mut peer = client(listen(&service));
        iterate_until(context, || kept.lock().expect("no panic").is_some());
        block_on(context, service.drain_future());
        assert!(is_quiet(&mut peer));
        drop(kept.lock().expect("no panic").take());
        assert!(is_at_its_end(&mut peer));
        service.close();
    });
}

#[test]
fn a_handler_that_panics_answers_false_and_is_a_message() {
    on_private_context(|_| {
        let service = ThreadedSocketService::new(1);
        // Not by a macro, which would write.
        service.connect_run(|_, _, _| std::panic::resume_unwind(Box::new(())));
        let (connection, _peer) = connected();
        let handled: bool =
            with_one_critical(|| service.emit_by_name("run", &[&connection, &glib::Object::NONE]));
        assert!(!handled);
    });
}
