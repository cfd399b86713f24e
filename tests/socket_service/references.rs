//! What keeps a service alive.

use std::{cell::RefCell, rc::Rc};

use gio::prelude::*;
use gsock::{SocketService, prelude::*};

use crate::{support::*, tools::*};

/// SERVICE-11.
#[test]
fn service_11_accepting_keeps_it_alive_and_stopping_gives_it_up_an_iteration_later() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = count(&service);
        assert_eq!(service.ref_count(), 1);
        let address = listen(&service);
        assert_eq!(service.ref_count(), 2);
        let gone = Gone::of(&service);
        let weak = service.downgrade();
        drop(service);
        let _client = client(address);
        iterate_until(context, || count.get() == 1);
        assert!(!gone.is_gone());
        weak.upgrade().expect("alive").stop();
        iterate_until(context, || gone.is_gone());
    });
}

#[test]
fn dropped_by_its_own_handler_that_closes_it_it_goes_after_that() {
    on_private_context(|context| {
        let service = SocketService::new();
        let address = listen(&service);
        let gone = Gone::of(&service);
        let held = Rc::new(RefCell::new(None));
        let (own, inner) = (held.clone(), context.clone());
        service.connect_incoming(move |service, _, _| {
            service.close();
            own.take();
            while inner.iteration(false) {}
            assert!(!service.is_active());
            true
        });
        *held.borrow_mut() = Some(service);
        let mut client = client(address);
        iterate_until(context, || gone.is_gone());
        assert!(is_at_its_end(&mut client));
        assert_eq!(Rc::strong_count(&held), 1);
    });
}

/// SERVICE-12: closing is a shutdown.
#[test]
fn service_12_closing_gives_it_up() {
    on_private_context(|context| {
        let service = SocketService::new();
        listen(&service);
        let gone = Gone::of(&service);
        service.close();
        drop(service);
        iterate_until(context, || gone.is_gone());
    });
}

/// SERVICE-11, SERVICE-16: its sockets go with it.
#[test]
fn service_11_one_that_does_not_accept_goes_with_its_last_reference_and_takes_its_sockets_along() {
    on_private_context(|_| {
        let service: SocketService = glib::Object::builder().property("active", false).build();
        let address = listen(&service);
        assert_eq!(service.ref_count(), 1);
        let gone = Gone::of(&service);
        drop(service);
        assert!(gone.is_gone());
        std::net::TcpStream::connect(address).expect_err("nobody listens");
    });
}

#[test]
fn the_end_of_its_context_gives_it_up() {
    on_private_context(|_| {
        let context = glib::MainContext::new();
        let (gone, address) = context
            .with_thread_default(|| {
                let service = SocketService::new();
                let address = listen(&service);
                while context.iteration(false) {}
                (Gone::of(&service), address)
            })
            .expect("a new context has no owner");
        assert!(!gone.is_gone());
        drop(context);
        assert!(gone.is_gone());
        std::net::TcpStream::connect(address).expect_err("nobody listens");
    });
}

#[test]
fn after_the_end_of_its_context_it_can_be_used_and_accepts_nothing() {
    on_private_context(|_| {
        let context = glib::MainContext::new();
        let service = context
            .with_thread_default(SocketService::new)
            .expect("a new context has no owner");
        drop(context);
        let address = listen(&service);
        let mut client = client(address);
        service.stop();
        service.start();
        assert!(service.is_active());
        assert!(is_quiet(&mut client));
        assert_eq!(service.ref_count(), 1);
        service.close();
    });
}
