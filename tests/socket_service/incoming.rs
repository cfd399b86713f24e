//! Handing connections out.

use std::{
    cell::{Cell, RefCell},
    io::Write,
    rc::Rc,
};

use gio::prelude::*;
use gsock::{SocketConnection, SocketService, TcpConnection, UnixConnection, prelude::*};

use crate::{support::*, tools::*};

/// SERVICE-3: the first that answers true is the last that is asked.
#[test]
fn service_3_the_first_handler_that_says_true_ends_the_emission() {
    on_private_context(|context| {
        let service = SocketService::new();
        let called = Rc::new(RefCell::new(String::new()));
        for (letter, handled) in [('a', false), ('b', true), ('c', true)] {
            let called = called.clone();
            service.connect_incoming(move |_, _, _| {
                called.borrow_mut().push(letter);
                handled
            });
        }
        let _client = client(listen(&service));
        iterate_until(context, || !called.borrow().is_empty());
        iterate_for(context, std::time::Duration::from_millis(5));
        assert_eq!(*called.borrow(), "ab");
        service.close();
    });
}

#[test]
fn a_connection_comes_with_the_source_object_of_its_socket() {
    on_private_context(|context| {
        let service = SocketService::new();
        let source: glib::Object = gio::Cancellable::new().upcast();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sources = seen.clone();
        service.connect_incoming(move |_, _, source| {
            sources.borrow_mut().push(source.cloned());
            true
        });
        let with = listen_with(&service, Some(&source));
        let without = listen(&service);
        let _one = client(with);
        iterate_until(context, || seen.borrow().len() == 1);
        let _other = client(without);
        iterate_until(context, || seen.borrow().len() == 2);
        assert_eq!(*seen.borrow(), [Some(source), None]);
        service.close();
    });
}

/// SERVICE-9: whoever goes on with it keeps it.
#[test]
fn service_9_what_nobody_keeps_is_closed_after_the_emission_whatever_the_handler_says() {
    on_private_context(|context| {
        for handled in [false, true] {
            let service = SocketService::new();
            let count = Rc::new(Cell::new(0));
            let counted = count.clone();
            service.connect_incoming(move |_, _, _| {
                counted.set(counted.get() + 1);
                handled
            });
            let mut client = client(listen(&service));
            iterate_until(context, || count.get() == 1);
            assert!(is_at_its_end(&mut client));
            service.close();
        }
    });
}

#[test]
fn what_is_kept_is_connected_and_of_the_registered_type() {
    on_private_context(|context| {
        let service = SocketService::new();
        let kept = keep(&service);
        let mut peer = client(listen(&service));
        iterate_until(context, || kept.borrow().len() == 1);
        let connection = kept.take().pop().expect("one");
        assert!(connection.is::<TcpConnection>());
        assert!(connection.is_alive());
        peer.write_all(b"x").expect("room");
        let read = block_on(context, {
            let input = connection.input_stream();
            input.read_bytes_future(1, glib::Priority::DEFAULT)
        });
        assert_eq!(&read.expect("a byte")[..], b"x");
        service.close();
    });
}

#[test]
fn connections_of_unix_sockets_come_too() {
    on_private_context(|context| {
        let service = SocketService::new();
        let kept = keep(&service);
        let name = format!("gsock-test-service-{}", std::process::id());
        let address =
            gio::UnixSocketAddress::with_type(UnixSocketAddressPath::Abstract(name.as_bytes()));
        service
            .add_address(
                &address,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
                glib::Object::NONE,
            )
            .expect("a name of our own");
        let client = gsock::SocketClient::new();
        let connected = block_on(context, client.connect_future(&address)).expect("it listens");
        iterate_until(context, || kept.borrow().len() == 1);
        assert!(kept.borrow()[0].is::<UnixConnection>());
        drop(connected);
        service.close();
    });
}

#[test]
fn those_of_several_sockets_come_in_turn() {
    on_private_context(|context| {
        let service = SocketService::new();
        service.stop();
        let sources: Vec<glib::Object> = (0..2).map(|_| gio::Cancellable::new().upcast()).collect();
        let order = Rc::new(RefCell::new(Vec::new()));
        let (seen, known) = (order.clone(), sources.clone());
        service.connect_incoming(move |_, _, source| {
            let at = known.iter().position(|known| Some(known) == source);
            seen.borrow_mut().push(at.expect("one of them"));
            true
        });
        let one = listen_with(&service, Some(&sources[0]));
        let other = listen_with(&service, Some(&sources[1]));
        let clients: Vec<_> = [one, other]
            .into_iter()
            .flat_map(|address| (0..4).map(move |_| client(address)))
            .collect();
        service.start();
        iterate_until(context, || order.borrow().len() == 8);
        let order = order.take();
        let turns = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(turns, 7, "{order:?}");
        drop(clients);
        service.close();
    });
}

/// SERVICE-10: not that of whoever adds a socket.
#[test]
fn service_10_handlers_run_in_the_context_where_the_service_was_made() {
    on_private_context(|context| {
        let service = SocketService::new();
        let seen = Rc::new(RefCell::new(None));
        let default = seen.clone();
        service.connect_incoming(move |_, _, _| {
            *default.borrow_mut() = Some(glib::MainContext::ref_thread_default());
            true
        });
        let other = glib::MainContext::new();
        let address = other
            .with_thread_default(|| listen(&service))
            .expect("a new context has no owner");
        let _client = client(address);
        iterate_until(context, || seen.borrow().is_some());
        assert_eq!(*seen.borrow(), Some(context.clone()));
        while other.iteration(false) {}
        service.close();
    });
}

#[test]
fn a_handler_may_iterate_the_context_stop_start_and_close_the_service() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        let inner = context.clone();
        service.connect_incoming(move |service, _, _| {
            counted.set(counted.get() + 1);
            while inner.iteration(false) {}
            match counted.get() {
                1 => {
                    service.stop();
                    service.start();
                }
                2 => service.close(),
                _ => {}
            }
            while inner.iteration(false) {}
            true
        });
        let address = listen(&service);
        let clients: Vec<_> = (0..2).map(|_| client(address)).collect();
        iterate_until(context, || !service.is_active());
        assert_eq!(count.get(), 2);
        drop(clients);
    });
}

#[test]
fn a_handler_that_panics_costs_its_own_connection_and_nothing_else() {
    on_private_context(|context| {
        let service = SocketService::new();
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        service.connect_incoming(move |_, _, _| {
            counted.set(counted.get() + 1);
            if counted.get() == 1 {
                // Not by a macro, which would write.
                std::panic::resume_unwind(Box::new(()));
            }
            true
        });
        let address = listen(&service);
        let mut first = client(address);
        with_one_critical(|| iterate_until(context, || count.get() == 1 && logged_so_far() == 1));
        assert!(is_at_its_end(&mut first));
        let _second = client(address);
        iterate_until(context, || count.get() == 2);
        service.close();
    });
}

/// Rust's handlers are not `Send`; C's, which are, see everything.
#[test]
fn a_handler_is_not_called_on_another_thread_than_its_own() {
    on_private_context(|_| {
        let context = glib::MainContext::new();
        let service = context
            .with_thread_default(SocketService::new)
            .expect("a new context has no owner");
        let count = count(&service);
        let mut peer = client(listen(&service));
        let there = context.clone();
        let lines = std::thread::spawn(move || {
            logged(|| {
                there
                    .with_thread_default(|| {
                        iterate_until(&there, || logged_so_far() == 1);
                    })
                    .expect("nobody else has it");
            })
            .1
        });
        let lines = lines.join().expect("no panic");
        assert!(lines[0].starts_with("Gsock: "), "{lines:?}");
        assert_eq!(count.get(), 0);
        assert!(is_at_its_end(&mut peer));
        service.close();
        while context.iteration(false) {}
    });
}

#[test]
fn the_stream_of_a_listener_is_none_of_an_active_service() {
    on_private_context(|context| {
        let service = SocketService::new();
        let address = listen(&service);
        let next = async {
            let mut stream = service.incoming();
            std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
        };
        let failed: Option<Result<SocketConnection, glib::Error>> = context.block_on(next);
        assert_fails(failed.expect("not ended"), gio::IOErrorEnum::Pending);
        service.stop();
        let _client = client(address);
        let next = async {
            let mut stream = service.incoming();
            std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
        };
        let came = context
            .block_on(next)
            .expect("not ended")
            .expect("one waits");
        assert!(came.is_alive());
        drop(came);
        service.close();
    });
}
