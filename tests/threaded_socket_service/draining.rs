//! Coming to an end in good order.

use std::{cell::Cell, rc::Rc, time::Duration};

use gsock::prelude::*;

use crate::{limits::held, support::*, tools::*};

#[test]
fn drained_every_job_is_done() {
    on_private_context(|context| {
        let held = held(3);
        let address = listen(&held.service);
        let mut clients: Vec<_> = (0..3).map(|_| client(address)).collect();
        iterate_until(context, || held.running() == 3);
        let is_drained = Rc::new(Cell::new(false));
        let (told, drained) = (is_drained.clone(), held.service.drain_future());
        context.spawn_local(async move {
            drained.await;
            told.set(true);
        });
        for left in (1..=3).rev() {
            iterate_for(context, Duration::from_millis(5));
            assert!(!is_drained.get());
            assert!(!held.service.is_active());
            held.let_go(1);
            iterate_until(context, || held.running() == left - 1);
        }
        iterate_until(context, || is_drained.get());
        assert!(clients.iter_mut().all(is_at_its_end));
        held.end(context);
    });
}

#[test]
fn given_up_half_way_it_leaves_nothing_and_may_be_asked_again_after_a_close() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let _client = client(address);
        iterate_until(context, || held.running() == 1);
        let told = Rc::new(Cell::new(0));
        for _ in 0..10 {
            let (told, drained) = (told.clone(), held.service.drain_future());
            let task = context.spawn_local(async move {
                drained.await;
                told.set(told.get() + 1);
            });
            iterate_for(context, Duration::from_millis(1));
            task.abort();
        }
        iterate_for(context, Duration::from_millis(1));
        // Tasks and all.
        assert_eq!(Rc::strong_count(&told), 1);
        held.service.close();
        let both = [held.service.drain_future(), held.service.drain_future()];
        held.let_go(1);
        for drained in both {
            block_on(context, drained);
        }
        held.end(context);
    });
}

#[test]
fn several_may_wait_for_it_and_one_may_give_up() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let _client = client(address);
        iterate_until(context, || held.running() == 1);
        let count = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (count, drained) = (count.clone(), held.service.drain_future());
                context.spawn_local(async move {
                    drained.await;
                    count.set(count.get() + 1);
                })
            })
            .collect();
        iterate_for(context, Duration::from_millis(5));
        tasks[1].abort();
        held.let_go(1);
        iterate_until(context, || count.get() == 2);
        held.end(context);
    });
}
