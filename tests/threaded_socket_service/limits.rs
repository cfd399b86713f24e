//! How many connections are served at once.

use std::{
    collections::HashSet,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{ThreadedSocketService, prelude::*};

use crate::{support::*, tools::*};

/// A service whose jobs end when they are told to, one by one.
pub(crate) struct Held {
    pub(crate) service: ThreadedSocketService,
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) begun: Arc<AtomicUsize>,
    pub(crate) release: mpsc::Sender<()>,
}

pub(crate) fn held(max_threads: i32) -> Held {
    let service = ThreadedSocketService::new(max_threads);
    let [running, most, begun] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let (now, highest, all) = (running.clone(), most.clone(), begun.clone());
    service.connect_run(move |_, _, _| {
        all.fetch_add(1, Ordering::SeqCst);
        highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _ = released.lock().expect("no panic").recv();
        now.fetch_sub(1, Ordering::SeqCst);
        true
    });
    Held {
        service,
        running,
        most,
        begun,
        release,
    }
}

impl Held {
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn let_go(&self, count: usize) {
        for _ in 0..count {
            let _ = self.release.send(());
        }
    }

    pub(crate) fn end(self, context: &glib::MainContext) {
        self.service.close();
        let drained = self.service.drain_future();
        // Whoever comes late is let go as well.
        drop(self.release);
        block_on(context, drained);
    }
}

/// THREADED-2.
#[test]
fn threaded_2_max_threads_is_what_it_was_made_with() {
    on_private_context(|_| {
        for max in [1, 10, 500, i32::MAX, -1] {
            assert_eq!(ThreadedSocketService::new(max).max_threads(), max);
        }
        let service: ThreadedSocketService = glib::Object::new();
        assert_eq!(service.max_threads(), 10);
        assert_eq!(service.property::<i32>("max-threads"), 10);
        assert_eq!(ThreadedSocketService::new(-7).max_threads(), -1);
    });
}

/// THREADED-4: C's takes it, and serves nobody.
#[test]
fn threaded_4_no_threads_at_all_are_refused() {
    on_private_context(|context| {
        let service = with_one_critical(|| ThreadedSocketService::new(0));
        assert_eq!(service.max_threads(), 10);
        let mut peer = client(listen(&service));
        iterate_until(context, || !is_quiet(&mut peer));
        assert!(is_at_its_end(&mut peer));
        service.close();
    });
}

/// THREADED-7: the rest waits in the kernel.
#[test]
fn threaded_7_no_more_are_served_at_once_than_there_may_be_threads() {
    on_private_context(|context| {
        let held = held(2);
        let address = listen(&held.service);
        let clients: Vec<TcpStream> = (0..7).map(|_| client(address)).collect();
        iterate_until(context, || held.running() == 2);
        for done in 1..=5 {
            iterate_for(context, Duration::from_millis(5));
            assert_eq!(held.running(), 2);
            held.let_go(1);
            iterate_until(context, || held.begun() == 2 + done);
        }
        held.let_go(2);
        iterate_until(context, || held.running() == 0);
        assert_eq!(held.most.load(Ordering::SeqCst), 2);
        drop(clients);
        held.end(context);
    });
}

#[test]
fn without_a_limit_as_many_are_served_as_come() {
    on_private_context(|context| {
        let held = held(-1);
        held.service.set_backlog(100);
        let address = listen(&held.service);
        let clients: Vec<TcpStream> = (0..40).map(|_| client(address)).collect();
        iterate_until(context, || held.running() == 40);
        held.let_go(40);
        drop(clients);
        held.end(context);
    });
}

/// THREADED-7: back-pressure is nobody's business.
#[test]
fn threaded_7_active_stays_as_it_is_at_the_limit() {
    on_private_context(|context| {
        let held = held(1);
        let address = listen(&held.service);
        let seen = told_of_active(&held.service);
        let clients: Vec<TcpStream> = (0..4).map(|_| client(address)).collect();
        for served in 1..=4 {
            iterate_until(context, || held.begun() == served);
            assert!(held.service.is_active());
            held.let_go(1);
        }
        iterate_until(context, || held.running() == 0);
        assert!(seen.borrow().is_empty(), "{seen:?}");
        drop(clients);
        held.end(context);
    });
}

/// THREADED-11: C's crashes here in six runs of twenty.
#[test]
fn threaded_11_two_quick_clients_of_one_thread_are_both_served_every_time() {
    on_private_context_within(Duration::from_secs(30), |context| {
        let service = ThreadedSocketService::new(1);
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let seen = threads.clone();
        service.connect_run(move |_, _, _| {
            seen.lock()
                .expect("no panic")
                .insert(thread::current().id());
            true
        });
        let address = listen(&service);
        let clients = thread::spawn(move || {
            (0..200).all(|_| {
                let mut pair = [client(address), client(address)];
                pair.iter_mut().all(is_at_its_end)
            })
        });
        iterate_until(context, || clients.is_finished());
        assert!(clients.join().expect("no panic"));
        block_on(context, service.drain_future());
        assert_eq!(threads.lock().expect("no panic").len(), 1);
        service.close();
    });
}

#[test]
fn a_storm_of_clients_is_served_one_by_one_and_none_is_left() {
    on_private_context_within(Duration::from_secs(60), |context| {
        const CLIENTS: usize = 1000;
        let service = ThreadedSocketService::new(3);
        let [now, most, all] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let (running, highest, served) = (now.clone(), most.clone(), all.clone());
        service.connect_run(move |_, _, _| {
            highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            served.fetch_add(1, Ordering::SeqCst);
            running.fetch_sub(1, Ordering::SeqCst);
            false
        });
        let address = listen(&service);
        let clients: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || (0..CLIENTS / 4).all(|_| is_at_its_end(&mut client(address))))
            })
            .collect();
        iterate_until(context, || {
            clients.iter().all(|client| client.is_finished())
        });
        let ends = clients
            .into_iter()
            .map(|client| client.join().expect("no panic"));
        assert_eq!(ends.filter(|ended| *ended).count(), 4);
        block_on(context, service.drain_future());
        assert_eq!(all.load(Ordering::SeqCst), CLIENTS);
        assert!(most.load(Ordering::SeqCst) <= 3);
        service.close();
    });
}
