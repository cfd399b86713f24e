//! What keeps a service alive, and where it goes.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;
use gsock::{ThreadedSocketService, prelude::*};

use crate::{limits::held, support::*, tools::*};

/// Says where it is dropped; not `Send`.
struct Resident(Rc<Cell<Option<thread::ThreadId>>>);

impl Drop for Resident {
    fn drop(&mut self) {
        self.0.set(Some(thread::current().id()));
    }
}

/// Sends when it is dropped.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static END: RefCell<Option<Told>> = const { RefCell::new(None) };
}

/// GLib 2.43.1 and before waited for its own worker, for ever.
///
/// THREADED-6: dropped by all but a job it goes after that, and where its handlers may be dropped.
#[test]
fn bug_26_the_last_reference_is_a_jobs_and_is_given_up_where_the_service_was_made() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let (release, released) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        let (begun, begin) = mpsc::channel();
        let job = Mutex::new((released, ended));
        service.connect_run(move |_, _, _| {
            let job = job.lock().expect("no panic");
            END.set(Some(Told(job.1.clone())));
            begun.send(()).expect("the test runs");
            let _ = job.0.recv();
            true
        });
        let gone = Gone::of(&service);
        let place = Rc::new(Cell::new(None));
        let told = Resident(place.clone());
        service.connect_incoming(move |_, _, _| {
            let _ = &told;
            false
        });
        let _client = client(listen(&service));
        iterate_until(context, || begin.try_recv().is_ok());
        service.close();
        drop(service);
        while context.iteration(false) {}
        assert!(!gone.is_gone());
        drop(release);
        let is_over = Instant::now() + LIMIT * slowness();
        // Iterated meanwhile: the service goes here.
        while end.try_recv().is_err() {
            assert!(Instant::now() < is_over, "the worker waits for itself");
            iterate_for(context, Duration::from_millis(1));
        }
        iterate_until(context, || gone.is_gone());
        assert_eq!(place.get(), Some(thread::current().id()));
    });
}

/// Whoever was connected to it in Rust may be dropped on no other thread.
#[test]
fn without_its_context_it_is_not_given_up_by_its_own_worker_and_nobody_waits_for_ever() {
    on_private_context(|_| {
        let context = glib::MainContext::new();
        let (service, release) = context
            .with_thread_default(|| {
                let held = held(1);
                let address = listen(&held.service);
                let _client = client(address);
                iterate_until(&context, || held.running() == 1);
                let_stay();
                (held.service, held.release)
            })
            .expect("a new context has no owner");
        drop(context);
        drop(release);
        glib::MainContext::new().block_on(service.drain_future());
        assert_eq!(service.ref_count(), 2);
        service.close();
    });
}

#[test]
fn a_job_gives_up_its_connection_on_its_thread_and_leaves_nothing() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let gone = Arc::new(Mutex::new(None));
        let seen = gone.clone();
        service.connect_run(move |_, connection, _| {
            *seen.lock().expect("no panic") = Some(Gone::of(connection));
            true
        });
        let _client = client(listen(&service));
        iterate_until(context, || gone.lock().expect("no panic").is_some());
        block_on(context, service.drain_future());
        assert!(
            gone.lock()
                .expect("no panic")
                .as_ref()
                .is_some_and(Gone::is_gone)
        );
        let service_gone = Gone::of(&service);
        drop(service);
        iterate_until(context, || service_gone.is_gone());
    });
}
