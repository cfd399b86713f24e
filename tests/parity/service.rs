//! `GSocketService` fact by fact.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, ThreadId},
    time::Duration,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{gobject_ffi, translate::IntoGlib};

use crate::{accepting::*, differs::differs, support::*, tools::*, under::*};

#[path = "service_alone.rs"]
mod alone;

on_both!(
    service_1_the_type_stands_below_the_listener_and_has_incoming,
    service_2_active_is_a_property_and_true,
    service_2_a_service_can_be_made_inactive,
    service_3_the_signal_answers_whether_it_is_handled,
    service_3_the_first_true_ends_the_emission,
    service_4_starting_and_stopping_twice_is_as_once,
    service_5_what_is_added_is_served_and_what_is_added_later_too,
    service_5_the_source_object_comes_with_the_connection,
    service_6_a_service_that_is_not_active_leaves_connections_in_the_queue,
    service_7_a_stop_leaves_the_sockets_open,
    service_7_a_stop_in_the_handler_is_the_end_of_accepting,
    service_9_what_nobody_takes_is_closed_after_the_handlers,
    service_9_what_is_kept_stays_open_whatever_the_answer,
    service_10_handlers_run_where_the_service_was_made_and_started,
    service_11_an_active_service_with_sockets_serves_on_without_a_reference,
    service_11_after_a_stop_it_goes,
    service_11_without_sockets_or_inactive_it_goes_at_once,
    service_15_while_a_handler_runs_nobody_else_is_served,
    service_16_finalizing_leaves_the_sockets_that_others_hold,
);

/// What the handler of `incoming` was called with, in its order.
type Seen = Arc<Mutex<Vec<(gio::IOStream, Option<glib::Object>)>>>;

/// Keeps all connections.
fn keeping(service: &Listener) -> Seen {
    let seen = Seen::default();
    let kept = seen.clone();
    service.on_connection("incoming", move |connection, source| {
        kept.lock().unwrap().push((connection, source));
        false
    });
    seen
}

fn count(seen: &Seen) -> usize {
    seen.lock().unwrap().len()
}

fn loopback() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 0).into())
}

fn listening_socket() -> (gio::Socket, SocketAddr) {
    let socket = ipv4_socket();
    socket.bind(&loopback(), false).unwrap();
    socket.listen().unwrap();
    let address = std_address(&socket.local_address().unwrap());
    (socket, address)
}

// --- The class -----------------------------------------------------------------------------------

fn service_1_the_type_stands_below_the_listener_and_has_incoming(
    side: Side,
    _: &glib::MainContext,
) {
    let type_ = side.service_type();
    assert_eq!(name_of(type_), "GSocketService");
    assert_eq!(type_.parent(), Some(side.listener_type()));
    assert!(type_.interfaces().is_empty());
    assert_ne!(incoming_of(side, type_), 0);
}

/// The slot `incoming` of a class of this side's.
pub(crate) fn incoming_of(side: Side, type_: glib::Type) -> usize {
    // SAFETY: a class of objects, live from here on, which is one of services; the slot is where its side has it.
    unsafe {
        let class = gobject_ffi::g_type_class_ref(type_.into_glib());
        match side {
            Side::Gio => (*class.cast::<gio_ffi::GSocketServiceClass>())
                .incoming
                .map_or(0, |it| it as usize),
            Side::Ours => (*class.cast::<gsock::subclass::SocketServiceClass>())
                .incoming
                .map_or(0, |it| it as usize),
        }
    }
}

fn service_2_active_is_a_property_and_true(side: Side, _: &glib::MainContext) {
    let service = side.service();
    assert!(service.is_active());
    assert!(service.0.property::<bool>("active"));
    let seen = notifications(&service.0);
    for active in [true, false, false, true] {
        service.0.set_property("active", active);
        assert_eq!(service.is_active(), active);
    }
    // By name each time, as with any property; by the functions where it is news.
    assert_eq!(seen.take(), ["active"; 4]);
    for _ in 0..2 {
        service.stop_service();
    }
    for _ in 0..2 {
        service.start_service();
    }
    assert_eq!(seen.take(), ["active"; 2]);
}

fn service_2_a_service_can_be_made_inactive(side: Side, _: &glib::MainContext) {
    let made = glib::Object::builder_with_type(side.service_type())
        .property("active", false)
        .build();
    assert!(!Listener(made).is_active());
}

fn service_3_the_signal_answers_whether_it_is_handled(side: Side, _: &glib::MainContext) {
    let signal = glib::subclass::SignalId::lookup("incoming", side.service().0.type_())
        .unwrap()
        .query();
    assert_eq!(signal.flags(), glib::SignalFlags::RUN_LAST);
    assert_eq!(signal.return_type().type_(), glib::Type::BOOL);
    let params: Vec<glib::Type> = signal.param_types().iter().map(|it| it.type_()).collect();
    let connection = side.base();
    assert_eq!(params, [connection, glib::Object::static_type()]);
}

fn service_3_the_first_true_ends_the_emission(side: Side, context: &glib::MainContext) {
    let service = side.service();
    let calls = Arc::new(Mutex::new(Vec::new()));
    for (name, answer) in [("first", false), ("second", true), ("third", true)] {
        let calls = calls.clone();
        service.on_connection("incoming", move |_, _| {
            calls.lock().unwrap().push(name);
            answer
        });
    }
    let mut client = client_of(service.listen());
    iterate_until(context, || !calls.lock().unwrap().is_empty());
    assert_eq!(*calls.lock().unwrap(), ["first", "second"]);
    iterate_for(context, Duration::from_millis(5));
    assert!(is_left(&mut client));
    service.end_service(context);
}

fn service_4_starting_and_stopping_twice_is_as_once(side: Side, context: &glib::MainContext) {
    let service = side.service();
    let seen = keeping(&service);
    let address = service.listen();
    service.stop_service();
    service.stop_service();
    service.start_service();
    service.start_service();
    iterate_for(context, Duration::from_millis(10));
    let _client = client_of(address);
    iterate_until(context, || count(&seen) == 1);
    iterate_for(context, Duration::from_millis(10));
    assert_eq!(count(&seen), 1);
    service.end_service(context);
}

// --- Accepting -----------------------------------------------------------------------------------

fn service_5_what_is_added_is_served_and_what_is_added_later_too(
    side: Side,
    context: &glib::MainContext,
) {
    let service = side.service();
    let seen = keeping(&service);
    let first = service.listen();
    iterate_for(context, Duration::from_millis(10));
    let second = service.listen();
    let (socket, third) = listening_socket();
    service.add_socket(&socket, None).unwrap();
    iterate_for(context, Duration::from_millis(10));
    let clients = [first, second, third, second, first].map(client_of);
    iterate_until(context, || count(&seen) == 5);
    let mut peers: Vec<_> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|it| peer_of(&it.0))
        .collect();
    let mut expected = clients.map(|client| client.local_addr().unwrap());
    peers.sort();
    expected.sort_unstable();
    assert_eq!(peers, expected);
    service.end_service(context);
}

fn service_5_the_source_object_comes_with_the_connection(side: Side, context: &glib::MainContext) {
    let service = side.service();
    let seen = keeping(&service);
    let marks = [Some(mark()), None];
    for (index, mark) in marks.iter().enumerate() {
        let _client = client_of(service.listen_for(mark.as_ref()));
        iterate_until(context, || count(&seen) == index + 1);
        assert_eq!(seen.lock().unwrap()[index].1, *mark);
    }
    service.end_service(context);
}

fn service_6_a_service_that_is_not_active_leaves_connections_in_the_queue(
    side: Side,
    context: &glib::MainContext,
) {
    let service = side.service();
    let seen = keeping(&service);
    service.stop_service();
    let (socket, address) = listening_socket();
    service.add_socket(&socket, None).unwrap();
    let _clients = [(); 3].map(|()| client_of(address));
    iterate_for(context, Duration::from_millis(50));
    assert_eq!(count(&seen), 0);
    assert_eq!(queue_of(&socket).1, 3);
    service.start_service();
    iterate_until(context, || count(&seen) == 3);
    service.end_service(context);
}

fn service_7_a_stop_leaves_the_sockets_open(side: Side, context: &glib::MainContext) {
    let service = side.service();
    let seen = keeping(&service);
    let (socket, address) = listening_socket();
    service.add_socket(&socket, None).unwrap();
    let _client = client_of(address);
    iterate_until(context, || count(&seen) == 1);
    let notified = Rc::new(Cell::new(None));
    let noted = notified.clone();
    service.0.connect_notify_local(Some("active"), move |_, _| {
        noted.set(Some(thread::current().id()));
    });
    service.stop_service();
    assert_eq!(notified.get(), Some(thread::current().id()));
    assert!(!socket.is_closed());
    iterate_for(context, Duration::from_millis(10));
    let _waits = client_of(address);
    iterate_for(context, Duration::from_millis(50));
    assert_eq!(count(&seen), 1);
    service.start_service();
    iterate_until(context, || count(&seen) == 2);
    service.end_service(context);
}

fn service_7_a_stop_in_the_handler_is_the_end_of_accepting(
    side: Side,
    context: &glib::MainContext,
) {
    let service = side.service();
    let (socket, address) = listening_socket();
    service.add_socket(&socket, None).unwrap();
    let clients = [(); 3].map(|()| client_of(address));
    let calls = Rc::new(Cell::new(0));
    let (called, weak) = (calls.clone(), service.0.downgrade());
    service.0.connect_local("incoming", false, move |_| {
        called.set(called.get() + 1);
        Listener(weak.upgrade().unwrap()).stop_service();
        Some(false.to_value())
    });
    iterate_until(context, || calls.get() > 0);
    iterate_for(context, Duration::from_millis(50));
    assert_eq!((calls.get(), queue_of(&socket).1), (1, 2));
    drop(clients);
    service.end_service(context);
}

fn service_9_what_nobody_takes_is_closed_after_the_handlers(
    side: Side,
    context: &glib::MainContext,
) {
    for answer in [false, true] {
        let service = side.service();
        let was_open = Arc::new(AtomicBool::new(false));
        let noted = was_open.clone();
        service.on_connection("incoming", move |connection, _| {
            noted.store(!connection.is_closed(), Ordering::SeqCst);
            answer
        });
        let mut client = client_of(service.listen());
        iterate_until(context, || was_open.load(Ordering::SeqCst));
        iterate_for(context, Duration::from_millis(5));
        assert!(is_left(&mut client));
        service.end_service(context);
    }
}

fn service_9_what_is_kept_stays_open_whatever_the_answer(side: Side, context: &glib::MainContext) {
    for answer in [false, true] {
        let service = side.service();
        let kept = Arc::new(Mutex::new(None));
        let keeps = kept.clone();
        service.on_connection("incoming", move |connection, _| {
            keeps.lock().unwrap().replace(Sent::new(connection));
            answer
        });
        let mut client = client_of(service.listen());
        iterate_until(context, || kept.lock().unwrap().is_some());
        iterate_for(context, Duration::from_millis(10));
        service.end_service(context);
        let connection = kept.lock().unwrap().take().unwrap().into_inner();
        client.write_all(b"x").unwrap();
        assert_eq!(read(&connection.input_stream(), 1).unwrap(), b"x");
        drop(connection);
        assert!(is_left(&mut client));
    }
}

fn service_10_handlers_run_where_the_service_was_made_and_started(
    side: Side,
    context: &glib::MainContext,
) {
    let service = side.service();
    let on = Arc::new(Mutex::new(None));
    let noted = on.clone();
    service.on_connection("incoming", move |_, _| {
        noted.lock().unwrap().replace(thread::current().id());
        true
    });
    let _client = client_of(service.listen());
    // Nobody else's context is of any help.
    iterate_for(&glib::MainContext::new(), Duration::from_millis(20));
    assert_eq!(*on.lock().unwrap(), None);
    iterate_until(context, || on.lock().unwrap().is_some());
    assert_eq!(*on.lock().unwrap(), Some(thread::current().id()));
    service.end_service(context);
}

fn service_11_an_active_service_with_sockets_serves_on_without_a_reference(
    side: Side,
    context: &glib::MainContext,
) {
    let service = side.service();
    let seen = keeping(&service);
    let address = service.listen();
    let weak = service.0.downgrade();
    drop(service);
    iterate_for(context, Duration::from_millis(10));
    let _client = client_of(address);
    iterate_until(context, || count(&seen) == 1);
    Listener(weak.upgrade().unwrap()).end_service(context);
    iterate_until(context, || weak.upgrade().is_none());
}

fn service_11_after_a_stop_it_goes(side: Side, context: &glib::MainContext) {
    let service = side.service();
    let address = service.listen();
    iterate_for(context, Duration::from_millis(10));
    let gone = Gone::of(&service.0);
    service.stop_service();
    drop(service);
    iterate_until(context, || gone.is_gone());
    assert!(std::net::TcpStream::connect(address).is_err());
}

fn service_11_without_sockets_or_inactive_it_goes_at_once(side: Side, _: &glib::MainContext) {
    let service = side.service();
    let gone = Gone::of(&service.0);
    drop(service);
    assert!(gone.is_gone());
    let service = side.service();
    service.stop_service();
    service.listen();
    assert_eq!(service.0.ref_count(), 1);
    let gone = Gone::of(&service.0);
    drop(service);
    assert!(gone.is_gone());
}

fn service_15_while_a_handler_runs_nobody_else_is_served(side: Side, context: &glib::MainContext) {
    let service = side.service();
    let (running, most, calls) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (now, top, total) = (running, most.clone(), calls.clone());
    service.on_connection("incoming", move |_, _| {
        let running = now.fetch_add(1, Ordering::SeqCst) + 1;
        top.fetch_max(running, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        total.fetch_add(1, Ordering::SeqCst);
        true
    });
    let address = service.listen();
    let _clients = [(); 4].map(|()| client_of(address));
    iterate_until(context, || calls.load(Ordering::SeqCst) == 4);
    assert_eq!(most.load(Ordering::SeqCst), 1);
    service.end_service(context);
}

fn service_16_finalizing_leaves_the_sockets_that_others_hold(
    side: Side,
    context: &glib::MainContext,
) {
    let service = side.service();
    let (socket, _) = listening_socket();
    service.add_socket(&socket, None).unwrap();
    let gone = Gone::of(&service.0);
    service.stop_service();
    drop(service);
    iterate_until(context, || gone.is_gone());
    assert!(!socket.is_closed());
}

// --- Where we differ -----------------------------------------------------------------------------

/// SERVICE-10: whether the handlers run where the service was made, when another thread has started it.
#[test]
fn differs_service_10_a_service_serves_where_it_was_made_whoever_starts_it() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let service = side.service();
                let on = Arc::new(Mutex::new(None::<ThreadId>));
                let noted = on.clone();
                service.on_connection("incoming", move |_, _| {
                    noted.lock().unwrap().replace(thread::current().id());
                    true
                });
                service.stop_service();
                let address = service.listen();
                let sent = Sent::new(service.clone());
                let (ended, end) = mpsc::channel::<()>();
                let starter = thread::spawn(move || {
                    let theirs = glib::MainContext::new();
                    theirs
                        .with_thread_default(|| {
                            sent.get().start_service();
                            drop(sent);
                            while end.try_recv() == Err(mpsc::TryRecvError::Empty) {
                                theirs.iteration(false);
                                thread::sleep(Duration::from_millis(1));
                            }
                            iterate_for(&theirs, Duration::from_millis(5));
                        })
                        .unwrap();
                });
                let _client = client_of(address);
                iterate_until(context, || on.lock().unwrap().is_some());
                service.stop_service();
                drop(ended);
                starter.join().unwrap();
                let on = on.lock().unwrap().take().unwrap();
                service.end_service(context);
                on == thread::current().id()
            },
            false,
            true,
        );
    });
}

/// SERVICE-11: neither is it active, nor does it stay.
#[test]
fn differs_service_12_a_close_ends_a_service() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let service = side.service();
                service.listen();
                iterate_for(context, Duration::from_millis(10));
                let gone = Gone::of(&service.0);
                let notified = notifications(&service.0);
                let ((), _) = logged(|| {
                    service.close();
                    // Some turns: each of them has its warning.
                    for _ in 0..20 {
                        context.iteration(false);
                    }
                });
                let ends = (service.is_active(), notified.take().len());
                let weak = service.0.downgrade();
                drop(service);
                let ((), _) = logged(|| {
                    for _ in 0..20 {
                        context.iteration(false);
                    }
                });
                let stays = !gone.is_gone();
                if let Some(service) = weak.upgrade() {
                    let service = Listener(service);
                    logged(|| service.end_service(context));
                }
                (ends, stays)
            },
            ((true, 0), true),
            ((false, 1), false),
        );
    });
}

/// SERVICE-7, SERVICE-5: a connection that waits when the service is stopped, and when a socket is added, is
/// taken, and closed, for nobody. How many are served once the service has gone on.
#[test]
fn differs_service_7_a_connection_that_waits_is_not_lost_to_a_stop_or_an_addition() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                [true, false].map(|stops| {
                    let service = side.service();
                    let seen = keeping(&service);
                    let address = service.listen();
                    iterate_for(context, Duration::from_millis(10));
                    let _client = client_of(address);
                    if stops {
                        service.stop_service();
                        iterate_for(context, Duration::from_millis(20));
                        service.start_service();
                    } else {
                        service.listen();
                    }
                    let served = side.comes(context, || count(&seen) == 1);
                    service.end_service(context);
                    served
                })
            },
            [false, false],
            [true, true],
        );
    });
}

/// SERVICE-5, LISTEN-23: what accepts for it waits for ever where there is no socket yet.
#[test]
fn differs_service_5_a_service_that_is_started_before_it_has_sockets_serves() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let service = side.service();
                let seen = keeping(&service);
                service.stop_service();
                service.start_service();
                let address = service.listen();
                iterate_for(context, Duration::from_millis(10));
                let _client = client_of(address);
                let served = side.comes(context, || count(&seen) == 1);
                service.end_service(context);
                served
            },
            false,
            true,
        );
    });
}

/// SERVICE-7, SERVICE-5: a thread stops and starts, and adds, while there are clients. Each of them is
/// served, or waits in the queue to the end. In 2.74.6 some may be lost, and a start from another thread may crash:
/// see THREADED-11.
#[test]
fn service_7_no_connection_is_lost_to_a_stop_or_a_start() {
    const CLIENTS: usize = 400;
    on_private_context(|context| {
        let service = Side::Ours.service();
        let served = Arc::new(AtomicUsize::new(0));
        let counted = served.clone();
        service.on_connection("incoming", move |connection, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = connection
                .output_stream()
                .write(b"x", gio::Cancellable::NONE);
            true
        });
        service.set_backlog(2000);
        let address = service.listen();
        let sent = Sent::new(service.clone());
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let toggler = thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                sent.get().stop_service();
                thread::yield_now();
                sent.get().start_service();
                thread::sleep(Duration::from_micros(200));
            }
        });
        let clients = thread::spawn(move || {
            (0..CLIENTS)
                .filter(|_| {
                    let mut client = client_of(address);
                    matches!(client.read(&mut [0; 1]), Ok(1))
                })
                .count()
        });
        let mut added = 0;
        iterate_until(context, || {
            let served = served.load(Ordering::SeqCst);
            if served > added * 40 {
                added += 1;
                service.listen();
            }
            clients.is_finished()
        });
        ends.store(true, Ordering::SeqCst);
        toggler.join().unwrap();
        assert_eq!(clients.join().unwrap(), CLIENTS);
        assert_eq!(served.load(Ordering::SeqCst), CLIENTS);
        service.end_service(context);
    });
}

/// SERVICE-5: that a socket is added in the handler of a connection.
#[test]
fn differs_service_5_sockets_take_turns() {
    fn order(side: Side, context: &glib::MainContext) -> Vec<usize> {
        let service = side.service();
        let seen = keeping(&service);
        service.stop_service();
        let marks = [mark(), mark()];
        let addresses = [0, 1].map(|it| service.listen_for(Some(&marks[it])));
        let _clients = [0, 0, 0, 1].map(|it| client_of(addresses[it]));
        service.start_service();
        iterate_until(context, || count(&seen) == 4);
        service.end_service(context);
        let seen = seen.lock().unwrap();
        seen.iter()
            .map(|(_, source)| {
                marks
                    .iter()
                    .position(|it| Some(it) == source.as_ref())
                    .unwrap()
            })
            .collect()
    }
    on_private_context(|context| {
        assert_gio(order(Side::Gio, context), vec![0, 0, 0, 1]);
        let ours = order(Side::Ours, context);
        assert!(ours.iter().take(2).any(|it| *it == 1), "{ours:?}");
    });
}
