//! Who stops it is obeyed.

use std::time::Duration;

use gsock::prelude::*;

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
