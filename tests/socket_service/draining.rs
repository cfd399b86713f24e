//! Coming to an end in good order.

use std::{cell::Cell, rc::Rc};

use gsock::{SocketService, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn drained_it_is_stopped_and_has_nothing_in_hand() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = count(&service);
        let address = listen(&service);
        let _first = client(address);
        iterate_until(context, || count.get() == 1);
        let mut second = client(address);
        let drained = service.drain_future();
        // Lazy, as every future.
        assert!(service.is_active());
        block_on(context, drained);
        assert!(!service.is_active());
        let before = count.get();
        iterate_for(context, std::time::Duration::from_millis(10));
        assert_eq!(count.get(), before);
        service.start();
        iterate_until(context, || count.get() == 2);
        assert!(is_at_its_end(&mut second));
        service.close();
    });
}

#[test]
fn one_without_sockets_is_drained_at_once_and_so_is_a_closed_one() {
    on_private_context(|context| {
        let service = SocketService::new();
        block_on(context, service.drain_future());
        let service = SocketService::new();
        listen(&service);
        service.close();
        block_on(context, service.drain_future());
    });
}

#[test]
fn drained_from_within_a_handler_it_ends_after_that() {
    on_private_context(|context| {
        let service = SocketService::new();
        let is_drained = Rc::new(Cell::new(false));
        let (told, inner) = (is_drained.clone(), context.clone());
        service.connect_incoming(move |service, _, _| {
            let (told, drained) = (told.clone(), service.drain_future());
            inner.spawn_local(async move {
                drained.await;
                told.set(true);
            });
            while inner.iteration(false) {}
            assert!(!is_drained_now(&inner, service));
            true
        });
        let _client = client(listen(&service));
        iterate_until(context, || is_drained.get());
        service.close();
    });
}

/// Whether it would be at once.
fn is_drained_now(context: &glib::MainContext, service: &SocketService) -> bool {
    let is_drained = Rc::new(Cell::new(false));
    let (told, drained) = (is_drained.clone(), service.drain_future());
    context.spawn_local(async move {
        drained.await;
        told.set(true);
    });
    while context.iteration(false) {}
    is_drained.get()
}
