//! Starting and stopping, from any thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketService, prelude::*};

use crate::{support::*, tools::*};

/// SERVICE-2: with a notification when it changes, and only then.
#[test]
fn service_2_active_is_notified_when_it_changes() {
    on_private_context(|_| {
        let service = SocketService::new();
        assert!(service.is_active());
        let seen = told_of_active(&service);
        service.start();
        assert!(seen.borrow().is_empty());
        service.stop();
        service.stop();
        assert!(!service.is_active());
        service.set_property("active", true);
        service.set_active(true);
        assert!(service.property::<bool>("active"));
        assert_eq!(*seen.borrow(), ["active", "active"]);
        // By its name it is notified each time, as GObject does it.
        service.set_property("active", true);
        assert_eq!(seen.borrow().len(), 3);
        let asleep: SocketService = glib::Object::builder().property("active", false).build();
        assert!(!asleep.is_active());
    });
}

/// In C it would never accept again.
#[test]
fn stopped_and_started_before_it_has_a_socket_it_serves_the_first_one() {
    on_private_context(|context| {
        let service = SocketService::new();
        service.stop();
        service.start();
        iterate_for(context, Duration::from_millis(5));
        let count = count(&service);
        let _client = client(listen(&service));
        iterate_until(context, || count.get() == 1);
        service.close();
    });
}

#[test]
fn set_by_its_name_on_another_thread_active_is_told_at_home() {
    on_private_context(|context| {
        let service = SocketService::new();
        let here = thread::current().id();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let told = seen.clone();
        service.connect_notify_local(None, move |_, property| {
            let name = property.name().to_owned();
            told.borrow_mut().push((name, thread::current().id()));
        });
        let shared = Shared::new(service.clone());
        thread::scope(|scope| {
            scope.spawn(|| shared.get().set_property("active", false));
        });
        assert!(!shared.get().is_active());
        iterate_until(context, || !seen.borrow().is_empty());
        assert_eq!(*seen.borrow(), [("active".to_owned(), here)]);
    });
}

/// SERVICE-6.
#[test]
fn service_6_while_it_is_inactive_connections_wait_in_the_kernel() {
    on_private_context(|context| {
        let service: SocketService = glib::Object::builder().property("active", false).build();
        let count = count(&service);
        let address = listen(&service);
        let mut clients: Vec<_> = (0..5).map(|_| client(address)).collect();
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(count.get(), 0);
        assert!(clients.iter_mut().all(is_quiet));
        service.start();
        iterate_until(context, || count.get() == 5);
        assert!(clients.iter_mut().all(is_at_its_end));
        service.close();
    });
}

#[test]
fn stopped_it_accepts_no_more_until_it_is_started() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = count(&service);
        let address = listen(&service);
        let _first = client(address);
        iterate_until(context, || count.get() == 1);
        service.stop();
        let mut second = client(address);
        iterate_for(context, Duration::from_millis(20));
        assert!(is_quiet(&mut second));
        assert_eq!(count.get(), 1);
        service.start();
        iterate_until(context, || count.get() == 2);
        service.close();
    });
}

#[test]
fn a_socket_that_is_added_later_is_served_too() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = count(&service);
        let one = listen(&service);
        iterate_for(context, Duration::from_millis(5));
        let other = listen(&service);
        let _clients = [client(other), client(one)];
        iterate_until(context, || count.get() == 2);
        service.close();
    });
}

#[test]
fn a_socket_that_is_taken_away_is_served_no_more() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = count(&service);
        let address = listen(&service);
        let gone = Gone::of(&service);
        iterate_for(context, Duration::from_millis(5));
        service
            .remove_address(&gio_address(address))
            .expect("it is one of them");
        iterate_for(context, Duration::from_millis(5));
        assert!(service.is_active());
        let again = listen(&service);
        let _client = client(again);
        iterate_until(context, || count.get() == 1);
        service
            .remove_address(&gio_address(again))
            .expect("it is one of them");
        drop(service);
        // Without a socket nothing keeps it.
        iterate_until(context, || gone.is_gone());
    });
}

/// SERVICE-10: whoever starts it.
#[test]
fn service_10_started_by_another_thread_it_accepts_where_it_was_made() {
    on_private_context(|context| {
        let service: SocketService = glib::Object::builder().property("active", false).build();
        let here = thread::current().id();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let threads = seen.clone();
        service.connect_incoming(move |_, _, _| {
            threads.borrow_mut().push(thread::current().id());
            true
        });
        let notified = Rc::new(Cell::new(0));
        let counted = notified.clone();
        service.connect_active_notify(move |_| {
            assert_eq!(thread::current().id(), here);
            counted.set(counted.get() + 1);
        });
        let address = listen(&service);
        let _client = client(address);
        let shared = Shared::new(service.clone());
        thread::scope(|scope| {
            scope.spawn(|| shared.get().start());
        });
        assert!(service.is_active());
        iterate_until(context, || seen.borrow().len() == 1);
        assert_eq!(*seen.borrow(), [here]);
        iterate_until(context, || notified.get() == 1);
        service.close();
    });
}

/// SERVICE-7: what was accepted is handed out, whoever stops it and whenever.
#[test]
fn service_7_a_storm_of_starts_and_stops_loses_no_connection_and_hands_none_out_twice() {
    on_private_context(|context| {
        const CLIENTS: u32 = 300;
        let service = SocketService::new();
        let ids = Rc::new(RefCell::new(Vec::new()));
        let seen = ids.clone();
        service.connect_incoming(move |_, connection, _| {
            let peer = connection.remote_address().expect("connected");
            let peer = peer.downcast::<gio::InetSocketAddress>().expect("internet");
            seen.borrow_mut().push(peer.port());
            true
        });
        let address = listen(&service);
        let is_over = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared::new(service.clone()));
        let storms: Vec<_> = (0..2)
            .map(|number| {
                let (shared, is_over) = (shared.clone(), is_over.clone());
                thread::spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        if number == 0 {
                            shared.get().stop();
                        }
                        shared.get().start();
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let clients = thread::spawn(move || {
            let mut ports: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    let mut client = client(address);
                    let port = client.local_addr().expect("connected").port();
                    // Handed out, and let go.
                    assert!(is_at_its_end(&mut client));
                    port
                })
                .collect();
            ports.sort_unstable();
            ports
        });
        iterate_until(context, || clients.is_finished());
        is_over.store(true, Ordering::SeqCst);
        for storm in storms {
            storm.join().expect("no panic");
        }
        drop(shared);
        let mut seen = ids.take();
        seen.sort_unstable();
        assert_eq!(seen, clients.join().expect("no panic"));
        service.close();
        while context.iteration(false) {}
    });
}

/// SERVICE-7.
#[test]
fn service_7_stopped_while_a_connection_is_handed_out_it_keeps_it_and_takes_no_other() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        service.connect_incoming(move |service, _, _| {
            service.stop();
            counted.set(counted.get() + 1);
            true
        });
        let address = listen(&service);
        let mut clients: Vec<_> = (0..3).map(|_| client(address)).collect();
        iterate_until(context, || count.get() == 1);
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(count.get(), 1);
        assert!(is_at_its_end(&mut clients[0]));
        assert!(clients[1..].iter_mut().all(is_quiet));
        service.start();
        iterate_until(context, || count.get() == 2);
        service.close();
    });
}
