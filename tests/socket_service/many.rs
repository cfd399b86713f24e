//! Many connections, with everything mixed in that could lose one.

use std::{
    cell::RefCell,
    collections::HashMap,
    io::Write,
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, SocketService, prelude::*};

use crate::{support::*, tools::*};

/// Each connects, waits for his number to come back, and goes; the port is his name.
fn clients(address: SocketAddr, count: u32, threads: u32) -> thread::JoinHandle<u32> {
    thread::spawn(move || {
        let left = Arc::new(AtomicU32::new(count));
        let served: Vec<_> = (0..threads)
            .map(|_| {
                let left = left.clone();
                thread::spawn(move || {
                    let mut served = 0;
                    let take = || {
                        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                            left.checked_sub(1)
                        })
                    };
                    while take().is_ok() {
                        let mut client = client(address);
                        // So many at once that a port would wait for its next user too long.
                        served += u32::from(is_at_its_end(&mut client));
                        reset(client);
                    }
                    served
                })
            })
            .collect();
        served
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    })
}

/// Stops, starts and cancels, until it is told to end.
fn trouble(service: &SocketService, is_over: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let (shared, is_over) = (Shared::new(service.clone()), is_over.clone());
    thread::spawn(move || {
        let shared = shared;
        while !is_over.load(Ordering::SeqCst) {
            shared.get().stop();
            thread::yield_now();
            shared.get().start();
            thread::sleep(Duration::from_micros(200));
        }
    })
}

/// What is accepted beside the service, by one who is cancelled again and again.
fn accept_beside(
    context: &glib::MainContext,
    service: &SocketService,
    seen: &Rc<RefCell<u32>>,
    is_over: &Arc<AtomicBool>,
) {
    let (service, seen, is_over) = (service.clone(), seen.clone(), is_over.clone());
    let inner = context.clone();
    context.spawn_local(async move {
        while !is_over.load(Ordering::SeqCst) {
            let cancellable = gio::Cancellable::new();
            let taken = Rc::new(RefCell::new(None));
            let slot = taken.clone();
            service.accept_async(Some(&cancellable), move |service, result| {
                *slot.borrow_mut() = Some(service.accept_finish(result));
            });
            let cancel = cancellable.clone();
            let source = glib::timeout_source_new(
                Duration::from_micros(700),
                None,
                glib::Priority::DEFAULT,
                move || {
                    cancel.cancel();
                    glib::ControlFlow::Break
                },
            );
            source.attach(Some(&inner));
            while taken.borrow().is_none() {
                glib::timeout_future(Duration::from_millis(1)).await;
            }
            let outcome = taken.take().expect("looked at");
            *seen.borrow_mut() += u32::from(outcome.is_ok());
            source.destroy();
        }
    });
}

fn each_is_delivered_once(count: u32, limit: Duration) {
    on_private_context_within(limit, move |context| {
        let service = SocketService::new();
        let (by_service, beside) = (Rc::new(RefCell::new(0)), Rc::new(RefCell::new(0)));
        let seen = by_service.clone();
        service.connect_incoming(move |_, _, _| {
            *seen.borrow_mut() += 1;
            true
        });
        service.set_backlog(1000);
        let address = listen(&service);
        let is_over = Arc::new(AtomicBool::new(false));
        let trouble = trouble(&service, &is_over);
        accept_beside(context, &service, &beside, &is_over);
        let clients = clients(address, count, 4);
        while !clients.is_finished() {
            // Sockets come and go meanwhile.
            let other = listen(&service);
            iterate_for(context, Duration::from_millis(10));
            service
                .remove_address(&gio_address(other))
                .expect("it is one of them");
            iterate_for(context, Duration::from_millis(10));
        }
        is_over.store(true, Ordering::SeqCst);
        trouble.join().expect("no panic");
        let served = clients.join().expect("no panic");
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(served, count, "clients saw their end");
        assert_eq!(*by_service.borrow() + *beside.borrow(), count);
        service.close();
        while context.iteration(false) {}
    });
}

#[test]
fn each_of_ten_thousand_connections_is_delivered_once_whoever_stops_starts_and_cancels() {
    each_is_delivered_once(10_000, Duration::from_secs(60));
}

#[test]
#[ignore = "takes ten times as long as the one above"]
fn each_of_a_hundred_thousand_connections_is_delivered_once_whoever_stops_starts_and_cancels() {
    each_is_delivered_once(100_000, Duration::from_secs(600));
}

#[test]
fn what_is_said_on_each_of_many_connections_comes_back_on_that_one() {
    on_private_context(|context| {
        const CLIENTS: u8 = 200;
        let service = SocketService::new();
        let kept = keep(&service);
        let address = listen(&service);
        let mut peers: HashMap<u16, TcpStream> = HashMap::new();
        for number in 0..CLIENTS {
            let mut peer = client(address);
            peer.write_all(&[number]).expect("room");
            peers.insert(peer.local_addr().expect("connected").port(), peer);
            while context.iteration(false) {}
        }
        iterate_until(context, || kept.borrow().len() == usize::from(CLIENTS));
        for connection in kept.take() {
            answer(&connection, &mut peers);
        }
        assert!(peers.is_empty());
        service.close();
    });
}

fn answer(connection: &SocketConnection, peers: &mut HashMap<u16, TcpStream>) {
    let input = connection.input_stream();
    let byte = input.read_bytes(1, gio::Cancellable::NONE).expect("a byte");
    let output = connection.output_stream();
    output
        .write_all(&byte, gio::Cancellable::NONE)
        .expect("room");
    let name = connection.remote_address().expect("connected");
    let name = name.downcast::<gio::InetSocketAddress>().expect("internet");
    let mut peer = peers.remove(&name.port()).expect("each comes once");
    let mut back = [0];
    std::io::Read::read_exact(&mut peer, &mut back).expect("an answer");
    assert_eq!(back[0], byte[0]);
}
