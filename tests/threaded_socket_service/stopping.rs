//! Who stops it is obeyed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gsock::{ThreadedSocketService, prelude::*};

use crate::{limits::held, support::*, tools::*};

/// THREADED-8: in C the next job that ends starts it again.
#[test]
fn threaded_8_a_stop_at_the_limit_stays_in_force_when_a_thread_becomes_free() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let mut clients: Vec<_> = (0..2).map(|_| client(address)).collect();
        iterate_until(context, || held.running() == 1);
        held.service.stop();
        held.let_go(1);
        iterate_until(context, || held.running() == 0);
        iterate_for(context, Duration::from_millis(20));
        assert!(!held.service.is_active());
        assert_eq!(held.begun(), 1);
        assert!(is_at_its_end(&mut clients[0]));
        assert!(is_quiet(&mut clients[1]));
        held.service.start();
        iterate_until(context, || held.begun() == 2);
        held.let_go(1);
        held.end(context);
    });
}

#[test]
fn a_start_at_the_limit_waits_for_a_thread() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let _clients: Vec<_> = (0..2).map(|_| client(address)).collect();
        iterate_until(context, || held.running() == 1);
        held.service.stop();
        held.service.start();
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(held.begun(), 1);
        held.let_go(1);
        iterate_until(context, || held.begun() == 2);
        held.let_go(1);
        held.end(context);
    });
}

#[test]
fn at_the_limit_it_costs_no_iterations_whoever_waits() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let clients: Vec<_> = (0..5).map(|_| client(address)).collect();
        iterate_until(context, || held.running() == 1);
        let busy = busy_iterations(context, Duration::from_millis(30));
        assert!(busy < 10, "{busy} iterations");
        held.service.stop();
        let busy = busy_iterations(context, Duration::from_millis(30));
        assert!(busy < 10, "{busy} iterations");
        drop(clients);
        held.end(context);
    });
}

/// THREADED-8, THREADED-11: from several threads, at the limit.
#[test]
fn threaded_11_a_storm_of_starts_and_stops_at_the_limit_loses_no_connection() {
    on_private_context_within(Duration::from_secs(30), |context| {
        const CLIENTS: usize = 600;
        let service = ThreadedSocketService::new(2);
        let served = Arc::new(AtomicUsize::new(0));
        let counted = served.clone();
        service.connect_run(move |_, _, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            true
        });
        let address = listen(&service);
        let is_over = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared::new(service.clone()));
        let storms: Vec<_> = (0..3)
            .map(|number| {
                let (shared, is_over) = (shared.clone(), is_over.clone());
                thread::spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        if number < 2 {
                            shared.get().stop();
                        }
                        shared.get().start();
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let clients: Vec<_> = (0..3)
            .map(|_| {
                thread::spawn(move || {
                    let ends = (0..CLIENTS / 3).filter(|_| is_at_its_end(&mut client(address)));
                    ends.count()
                })
            })
            .collect();
        iterate_until(context, || {
            clients.iter().all(|clients| clients.is_finished())
        });
        is_over.store(true, Ordering::SeqCst);
        for storm in storms {
            storm.join().expect("no panic");
        }
        drop(shared);
        let ends = clients
            .into_iter()
            .map(|clients| clients.join().expect("no panic"));
        assert_eq!(ends.sum::<usize>(), CLIENTS);
        block_on(context, service.drain_future());
        assert_eq!(served.load(Ordering::SeqCst), CLIENTS);
        service.close();
    });
}

#[test]
fn closed_while_it_serves_it_serves_on_and_accepts_no_more() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let mut first = client(address);
        iterate_until(context, || held.running() == 1);
        held.service.close();
        assert!(!held.service.is_active());
        let busy = busy_iterations(context, Duration::from_millis(20));
        assert!(busy < 20, "{busy} iterations");
        assert_eq!(held.running(), 1);
        assert!(is_quiet(&mut first));
        held.let_go(1);
        block_on(context, held.service.drain_future());
        assert!(is_at_its_end(&mut first));
        held.end(context);
    });
}
