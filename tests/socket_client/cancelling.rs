//! Cancelled at each step, and nothing left in flight.

use std::{cell::RefCell, rc::Rc, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// Cancels in the handler of an event: the events, and the outcome.
fn cancelled_in(
    form: Form,
    event: Option<Event>,
    connectable: &impl IsA<gio::SocketConnectable>,
    context: &glib::MainContext,
) -> (String, Result<SocketConnection, glib::Error>) {
    let client = SocketClient::new();
    let seen = events(&client);
    let cancellable = Cancellable::new();
    match event {
        None => cancellable.cancel(),
        Some(when) => {
            let cancellable = cancellable.clone();
            client.connect_event(move |_, event, _, _| {
                if event == when {
                    cancellable.cancel();
                }
            });
        }
    }
    let outcome = connect(form, &client, connectable, Some(&cancellable), context);
    let letters = seen.borrow().clone();
    (letters, outcome)
}

#[test]
fn a_cancellation_ends_it_at_each_step_as_it_does_gios() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let target = gio_address(address);
        let (blocking, callback) = (Form::Blocking, Form::Callback);
        for (form, event, letters) in [
            (blocking, None, "0"),
            (callback, None, "R0"),
            (blocking, Some(Event::Resolving), "Rr0"),
            (callback, Some(Event::Resolving), "R0"),
            (blocking, Some(Event::Resolved), "RrC0"),
            (callback, Some(Event::Resolved), "RrC0"),
            (blocking, Some(Event::Connecting), "RrC0"),
            (callback, Some(Event::Connecting), "RrC0"),
            (callback, Some(Event::Connected), "RrCc0"),
        ] {
            let (seen, outcome) = cancelled_in(form, event, &target, context);
            assert_eq!(seen, letters, "{form:?} {event:?}");
            let failed = outcome.unwrap_err();
            assert_eq!(code(&failed), IOErrorEnum::Cancelled);
            assert_eq!(failed.message(), "Operation was cancelled");
        }
        let (seen, outcome) = cancelled_in(blocking, Some(Event::Connected), &target, context);
        assert_eq!(seen, "RrCcK");
        assert!(outcome.unwrap().is_alive());
    });
}

#[test]
fn who_blocks_is_told_of_a_failed_lookup_before_a_cancellation_in_resolved() {
    on_private_context(|context| {
        let nowhere = name("v6-error.v4-error.test", 1);
        let (seen, outcome) =
            cancelled_in(Form::Blocking, Some(Event::Resolved), &nowhere, context);
        assert_eq!(seen, "Rr0");
        assert!(outcome.unwrap_err().matches(gio::ResolverError::NotFound));
    });
}

#[test]
fn another_thread_ends_a_connect_in_flight() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for form in [Form::Blocking, Form::Callback] {
            let client = SocketClient::new();
            let seen = events(&client);
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(50));
                canceller.cancel();
            });
            let target = scripted([Next::Address(deaf.address), Next::Address(deaf.address)]);
            let outcome = connect(form, &client, &target, Some(&cancellable), context);
            assert_fails(outcome, IOErrorEnum::Cancelled);
            assert_eq!(*seen.borrow(), "RrC0");
            thread.join().unwrap();
        }
    });
}

#[test]
fn another_thread_ends_a_lookup() {
    on_private_context(|context| {
        let silent = name("v6-never.v4-never.test", 1);
        for form in [Form::Blocking, Form::Callback] {
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(30));
                canceller.cancel();
            });
            let client = SocketClient::new();
            let outcome = connect(form, &client, &silent, Some(&cancellable), context);
            assert_fails(outcome, IOErrorEnum::Cancelled);
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_future_that_is_dropped_on_the_way_tells_its_end_and_gives_everything_up() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let client = SocketClient::new();
        let gone = Gone::of(&client);
        let seen = events(&client);
        let connections = Rc::new(RefCell::new(Vec::new()));
        let made = connections.clone();
        client.connect_event(move |_, event, _, stream| {
            if event == Event::Connecting {
                made.borrow_mut().push(Gone::of(stream.unwrap()));
            }
        });
        let connecting = client.connect_future(&gio_address(deaf.address));
        let task = context.spawn_local(connecting);
        let letters = seen.clone();
        iterate_until(context, || *letters.borrow() == "RrC");
        task.abort();
        drop(task);
        iterate_until(context, || *seen.borrow() == "RrC0");
        drop(client);
        iterate_until(context, || gone.is_gone());
        assert!(connections.borrow().iter().all(Gone::is_gone));
    });
}

#[test]
fn a_finished_connect_keeps_its_result_when_it_is_cancelled_afterwards() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let cancellable = Cancellable::new();
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        let client = SocketClient::new();
        client.connect_async(
            &gio_address(address),
            Some(&cancellable),
            move |_, outcome| {
                result.replace(Some(outcome.clone()));
            },
        );
        iterate_until(context, || slot.borrow().is_some());
        cancellable.cancel();
        assert!(
            client
                .connect_finish(&slot.take().unwrap())
                .unwrap()
                .is_alive()
        );
    });
}

#[test]
fn the_late_answer_of_a_lookup_that_was_given_up_harms_no_other_thread() {
    on_private_context(|_| {
        let context = glib::MainContext::new();
        let silent = "v6-never.v4-ok.test";
        context
            .with_thread_default(|| {
                let client = SocketClient::new();
                let connecting = client.connect_future(&name(silent, refused_address().port()));
                let task = context.spawn_local(connecting);
                // Until the lookups are under way.
                while context.iteration(false) {}
                task.abort();
                drop(task);
                context.iteration(false);
            })
            .unwrap();
        thread::spawn(move || {
            let until = std::time::Instant::now() + Duration::from_millis(50);
            while std::time::Instant::now() < until {
                context.iteration(false);
                thread::sleep(Duration::from_millis(1));
            }
        })
        .join()
        .unwrap();
    });
}

/// Strikes after each number of iterations, until there is nothing left to strike: there is one end, of one kind or
/// the other, and nothing stays.
#[test]
fn at_every_point_a_cancellation_or_a_drop_leaves_one_end_and_nothing_else() {
    on_private_context_within(LIMIT * 3, |context| {
        let (_listener, port) = listener_on("127.0.0.1");
        for is_dropped in [false, true] {
            let mut ends = [0, 0];
            for point in 0.. {
                let client = SocketClient::new();
                let gone = vec![Gone::of(&client)];
                let gone = Rc::new(RefCell::new(gone));
                let seen = events(&client);
                let connections = gone.clone();
                client.connect_event(move |_, event, _, stream| {
                    if event == Event::Connecting {
                        connections.borrow_mut().push(Gone::of(stream.unwrap()));
                    }
                });
                let outcome = Rc::new(RefCell::new(Vec::new()));
                let cancellable = Cancellable::new();
                // Refused in IPv6, and connected in IPv4 then.
                let target = name("v6-ok-1.v4-ok-0.test", port);
                let result = outcome.clone();
                let task = if is_dropped {
                    let connecting = client.connect_future(&target);
                    Some(context.spawn_local(async move {
                        let made = connecting.await;
                        result.borrow_mut().push(made.map(drop));
                    }))
                } else {
                    client.connect_async(&target, Some(&cancellable), move |client, made| {
                        let made = client.connect_finish(made);
                        result.borrow_mut().push(made.map(drop));
                    });
                    None
                };
                for _ in 0..point {
                    context.iteration(true);
                    if !outcome.borrow().is_empty() {
                        break;
                    }
                }
                let had_ended = !outcome.borrow().is_empty();
                cancellable.cancel();
                if let Some(task) = task {
                    task.abort();
                }
                if !is_dropped {
                    iterate_until(context, || !outcome.borrow().is_empty());
                }
                drop(client);
                iterate_until(context, || gone.borrow().iter().all(Gone::is_gone));
                let letters = seen.borrow().clone();
                assert!(
                    letters.matches(['K', '0']).count() <= 1,
                    "{point}: {letters}"
                );
                let began = !letters.is_empty();
                assert_eq!(letters.ends_with(['K', '0']), began, "{point}: {letters}");
                let outcomes = outcome.take();
                assert!(outcomes.len() <= 1, "{point}: {outcomes:?}");
                match outcomes.first() {
                    Some(Ok(())) => ends[1] += 1,
                    Some(Err(failure)) => {
                        assert_eq!(code(failure), IOErrorEnum::Cancelled, "{point}: {letters}");
                        assert!(letters.ends_with('0'));
                        ends[0] += 1;
                    }
                    None => {
                        assert!(is_dropped && (!began || letters.ends_with('0')));
                        ends[0] += 1;
                    }
                }
                if had_ended {
                    break;
                }
                assert!(point < 1000, "it never ends");
            }
            assert!(ends[0] > 3 && ends[1] > 0, "{ends:?}");
        }
    });
}
