//! Closing a service that is running.

use std::{thread, time::Duration};

use gsock::{SocketService, prelude::*};

use crate::{support::*, tools::*};

/// SERVICE-12: C's service complains without end. A warning would end the process here.
#[test]
fn service_12_closed_it_ends_with_a_notification_and_without_a_word() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = count(&service);
        let address = listen(&service);
        let _client = client(address);
        iterate_until(context, || count.get() == 1);
        let seen = told_of_active(&service);
        service.close();
        assert!(!service.is_active());
        assert_eq!(*seen.borrow(), ["active"]);
        let busy = busy_iterations(context, Duration::from_millis(50));
        assert!(busy < 20, "{busy} iterations");
        assert_eq!(*seen.borrow(), ["active"]);
        std::net::TcpStream::connect(address).expect_err("nobody listens");
        service.close();
        service.start();
        service.set_active(true);
        assert!(!service.is_active());
        assert_eq!(*seen.borrow(), ["active"]);
    });
}

#[test]
fn closed_before_it_has_a_socket_or_while_it_is_stopped_it_ends_as_well() {
    on_private_context(|_| {
        let service = SocketService::new();
        service.close();
        assert!(!service.is_active());
        let service = SocketService::new();
        listen(&service);
        service.stop();
        let seen = told_of_active(&service);
        service.close();
        assert!(!service.is_active());
        assert!(seen.borrow().is_empty());
    });
}

#[test]
fn closed_by_another_thread_it_ends_and_says_so_at_home() {
    on_private_context(|context| {
        let service = SocketService::new();
        listen(&service);
        iterate_for(context, Duration::from_millis(5));
        let seen = told_of_active(&service);
        let shared = Shared::new(service.clone());
        thread::scope(|scope| {
            scope.spawn(|| shared.get().close());
        });
        drop(shared);
        iterate_until(context, || !seen.borrow().is_empty());
        assert_eq!(*seen.borrow(), ["active"]);
        assert!(!service.is_active());
        let busy = busy_iterations(context, Duration::from_millis(20));
        assert!(busy < 20, "{busy} iterations");
    });
}

#[test]
fn without_anything_to_do_it_costs_no_iterations() {
    on_private_context(|context| {
        let service = SocketService::new();
        let _address = listen(&service);
        while context.iteration(false) {}
        let busy = busy_iterations(context, Duration::from_millis(30));
        assert!(busy < 5, "{busy} iterations");
        service.stop();
        let busy = busy_iterations(context, Duration::from_millis(30));
        assert!(busy < 5, "{busy} iterations");
        service.close();
    });
}
