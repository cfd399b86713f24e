//! Several threads at one listener, as C may have them.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use gio::{Cancellable, IOErrorEnum};
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

/// LISTEN-33, where C promises nothing.
#[test]
fn threads_that_block_on_one_listener_get_each_connection_once() {
    on_private_context(|_| {
        for sockets in [1_usize, 3] {
            let listener = SocketListener::new();
            listener.set_backlog(200);
            let addresses: Vec<_> = (0..sockets)
                .map(|_| add_loopback(&listener, NONE))
                .collect();
            let raw = Raw::of(&listener);
            let seen: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let seen = seen.clone();
                    thread::spawn(move || {
                        loop {
                            match raw.here().accept(Cancellable::NONE) {
                                Ok((connection, _)) => {
                                    seen.lock().unwrap().push(peer_of(&connection))
                                }
                                Err(failed) => return code(&failed),
                            }
                        }
                    })
                })
                .collect();
            let peers: Vec<TcpStream> = (0..100)
                .map(|at| connect(addresses[at % addresses.len()]))
                .collect();
            let end = std::time::Instant::now() + LIMIT;
            while seen.lock().unwrap().len() < peers.len() && std::time::Instant::now() < end {
                thread::sleep(std::time::Duration::from_millis(1));
            }
            listener.close();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), IOErrorEnum::Closed);
            }
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            assert_eq!(seen.len(), peers.len());
            let seen: BTreeSet<_> = seen.into_iter().collect();
            let expected: BTreeSet<_> = peers
                .iter()
                .map(|peer| peer.local_addr().unwrap())
                .collect();
            assert_eq!(seen, expected);
        }
    });
}

#[test]
fn a_socket_that_another_thread_adds_wakes_whoever_blocks_and_whoever_waits() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let raw = Raw::of(&listener);
        let begun = begin(&listener, None);
        iterate_until(context, || !context.pending());
        let blocked = thread::spawn(move || raw.here().accept(Cancellable::NONE).is_ok());
        thread::sleep(std::time::Duration::from_millis(20));
        let adder = thread::spawn(move || add_loopback(&raw.here(), NONE));
        let address = adder.join().unwrap();
        let _peers = [connect(address), connect(address)];
        iterate_until(context, || begun.borrow().is_some());
        assert!(begun.take().unwrap().is_ok());
        assert!(blocked.join().unwrap());
    });
}

#[test]
fn a_callback_comes_on_the_thread_that_asked() {
    on_private_context(|_| {
        let (listener, address) = listening();
        let raw = Raw::of(&listener);
        let _peers: Vec<_> = (0..3).map(|_| connect(address)).collect();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                thread::spawn(move || {
                    let context = glib::MainContext::new();
                    context
                        .with_thread_default(|| {
                            let outcome = accept(Form::Callback, &raw.here(), None, &context);
                            outcome.is_ok()
                        })
                        .unwrap()
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn adding_accepting_and_closing_may_meet() {
    on_private_context(|_| {
        for _ in 0..20 {
            let (listener, address) = listening();
            let raw = Raw::of(&listener);
            let taken = Arc::new(AtomicUsize::new(0));
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    let taken = taken.clone();
                    thread::spawn(move || {
                        while raw.here().accept(Cancellable::NONE).is_ok() {
                            taken.fetch_add(1, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            let adder = thread::spawn(move || {
                for _ in 0..5 {
                    let listener = raw.here();
                    let added = listener.add_any_inet_port(NONE);
                    let _ = added.map(|_| listener.addresses());
                }
            });
            let peers: Vec<_> = (0..5).map(|_| TcpStream::connect(address)).collect();
            let closer = thread::spawn(move || raw.here().close());
            for thread in takers.into_iter().chain([adder, closer]) {
                thread.join().unwrap();
            }
            assert!(taken.load(Ordering::SeqCst) <= peers.len());
            assert!(listener.addresses().is_empty());
        }
    });
}
