//! `GThreadedSocketService` fact by fact. GIO's may crash wherever the limit is reached (THREADED-11), which is left to
//! processes of their own.

use std::{
    io::Write,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{gobject_ffi, translate::IntoGlib};

use crate::{accepting::*, differs::differs, service::incoming_of, support::*, tools::*, under::*};

#[path = "threaded_alone.rs"]
mod alone;

on_both!(
    threaded_1_the_type_stands_below_the_service_and_run_is_empty,
    threaded_2_max_threads_is_set_at_construction_alone,
    threaded_3_the_signal_answers_whether_it_is_handled,
    threaded_3_connections_run_on_threads_of_their_own_at_once,
    threaded_3_the_first_true_ends_the_emission,
    threaded_3_the_source_object_comes_with_the_connection,
    threaded_5_a_handler_of_incoming_that_answers_true_comes_before_run,
    threaded_6_after_run_the_connection_is_closed,
    threaded_6_what_is_kept_stays_open,
    threaded_6_a_job_keeps_the_service,
    threaded_6_a_service_that_only_its_jobs_have_goes_with_them,
);

/// Closed until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        let (open, opened) = &*self.0;
        let guard = open.lock().unwrap();
        let (_open, waited) = opened
            .wait_timeout_while(guard, LIMIT * slowness(), |open| !*open)
            .unwrap();
        // Of the workers, whose panics are not the test's: no expectation.
        if waited.timed_out() {
            panic!("nobody has opened the gate");
        }
    }
}

/// How many jobs have begun, and ended.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<[AtomicUsize; 2]>);

impl Jobs {
    pub(crate) fn begun(&self) -> usize {
        self.0[0].load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }
}

/// Each job waits at the gate.
pub(crate) fn waiting_at(service: &Listener, gate: &Gate) -> Jobs {
    let jobs = Jobs::default();
    let (counted, gate) = (jobs.clone(), gate.clone());
    service.on_connection("run", move |_, _| {
        counted.0[0].fetch_add(1, Ordering::SeqCst);
        gate.wait();
        counted.0[1].fetch_add(1, Ordering::SeqCst);
        true
    });
    jobs
}

// --- The class -----------------------------------------------------------------------------------

fn threaded_1_the_type_stands_below_the_service_and_run_is_empty(
    side: Side,
    _: &glib::MainContext,
) {
    let type_ = side.threaded_type();
    assert_eq!(name_of(type_), "GThreadedSocketService");
    assert_eq!(type_.parent(), Some(side.service_type()));
    assert!(type_.interfaces().is_empty());
    // SAFETY: a class of objects, live from here on, which is one of threaded services; the slot is where its side has it.
    let has_run = unsafe {
        let class = gobject_ffi::g_type_class_ref(type_.into_glib());
        match side {
            Side::Gio => (*class.cast::<gio_ffi::GThreadedSocketServiceClass>())
                .run
                .is_some(),
            Side::Ours => (*class.cast::<gsock::subclass::ThreadedSocketServiceClass>())
                .run
                .is_some(),
        }
    };
    assert!(!has_run);
    assert_ne!(
        incoming_of(side, type_),
        incoming_of(side, side.service_type())
    );
}

fn threaded_2_max_threads_is_set_at_construction_alone(side: Side, _: &glib::MainContext) {
    let service = glib::Object::with_type(side.threaded_type());
    assert_eq!(service.property::<i32>("max-threads"), 10);
    let property = service.find_property("max-threads").unwrap();
    let flags = property.flags();
    assert!(flags.contains(glib::ParamFlags::CONSTRUCT_ONLY | glib::ParamFlags::READWRITE));
    let range = property.downcast::<glib::ParamSpecInt>().unwrap();
    assert_eq!((range.minimum(), range.maximum()), (-1, i32::MAX));
    for max in [-1, 1, i32::MAX] {
        let service = side.threaded(max);
        assert_eq!(service.0.property::<i32>("max-threads"), max);
    }
}

fn threaded_3_the_signal_answers_whether_it_is_handled(side: Side, _: &glib::MainContext) {
    let signal = glib::subclass::SignalId::lookup("run", side.threaded(1).0.type_())
        .unwrap()
        .query();
    assert_eq!(signal.flags(), glib::SignalFlags::RUN_LAST);
    assert_eq!(signal.return_type().type_(), glib::Type::BOOL);
    let params: Vec<glib::Type> = signal.param_types().iter().map(|it| it.type_()).collect();
    assert_eq!(params, [side.base(), glib::Object::static_type()]);
}

// --- Running -------------------------------------------------------------------------------------

fn threaded_3_connections_run_on_threads_of_their_own_at_once(
    side: Side,
    context: &glib::MainContext,
) {
    // Fewer than the limit, and without one.
    for max in [10, -1] {
        let service = side.threaded(max);
        let gate = Gate::default();
        let jobs = waiting_at(&service, &gate);
        let address = service.listen();
        let clients = [(); 4].map(|()| client_of(address));
        iterate_until(context, || jobs.begun() == 4);
        assert_eq!(jobs.ended(), 0);
        assert!(service.is_active());
        gate.open();
        wait_until(|| jobs.ended() == 4);
        drop(clients);
        service.end_service(context);
    }
}

fn threaded_3_the_first_true_ends_the_emission(side: Side, context: &glib::MainContext) {
    let service = side.threaded(10);
    let calls = Arc::new(Mutex::new(Vec::new()));
    for (name, answer) in [("first", false), ("second", true), ("third", true)] {
        let calls = calls.clone();
        service.on_connection("run", move |_, _| {
            let caller = thread::current().id();
            calls.lock().unwrap().push((name, caller));
            answer
        });
    }
    let mut client = client_of(service.listen());
    iterate_until(context, || calls.lock().unwrap().len() == 2);
    // It is over by then.
    assert!(is_left(&mut client));
    let calls = calls.lock().unwrap().clone();
    assert_eq!((calls[0].0, calls[1].0), ("first", "second"));
    assert_eq!(calls[0].1, calls[1].1);
    assert_ne!(calls[0].1, thread::current().id());
    service.end_service(context);
}

fn threaded_3_the_source_object_comes_with_the_connection(side: Side, context: &glib::MainContext) {
    let service = side.threaded(10);
    let seen = Arc::new(Mutex::new(None));
    let noted = seen.clone();
    service.on_connection("run", move |_, source| {
        noted.lock().unwrap().replace(Sent::new(source));
        true
    });
    let mark = mark();
    let _client = client_of(service.listen_for(Some(&mark)));
    iterate_until(context, || seen.lock().unwrap().is_some());
    let seen = seen.lock().unwrap().take().unwrap();
    assert_eq!(seen.into_inner(), Some(mark));
    service.end_service(context);
}

fn threaded_5_a_handler_of_incoming_that_answers_true_comes_before_run(
    side: Side,
    context: &glib::MainContext,
) {
    for answer in [true, false] {
        let service = side.threaded(10);
        let gate = Gate::default();
        gate.open();
        let jobs = waiting_at(&service, &gate);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        service.on_connection("incoming", move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            answer
        });
        let mut client = client_of(service.listen());
        iterate_until(context, || asked.load(Ordering::SeqCst) == 1);
        iterate_for(context, Duration::from_millis(20));
        assert!(is_left(&mut client));
        assert_eq!(jobs.begun(), usize::from(!answer));
        service.end_service(context);
    }
}

fn threaded_6_after_run_the_connection_is_closed(side: Side, context: &glib::MainContext) {
    for answer in [true, false] {
        let service = side.threaded(10);
        let was_open = Arc::new(AtomicBool::new(false));
        let noted = was_open.clone();
        service.on_connection("run", move |connection, _| {
            noted.store(!connection.is_closed(), Ordering::SeqCst);
            answer
        });
        let mut client = client_of(service.listen());
        iterate_until(context, || was_open.load(Ordering::SeqCst));
        assert!(is_left(&mut client));
        service.end_service(context);
    }
}

fn threaded_6_what_is_kept_stays_open(side: Side, context: &glib::MainContext) {
    let service = side.threaded(10);
    let kept = Arc::new(Mutex::new(None));
    let keeps = kept.clone();
    service.on_connection("run", move |connection, _| {
        keeps.lock().unwrap().replace(Sent::new(connection));
        true
    });
    let mut client = client_of(service.listen());
    iterate_until(context, || kept.lock().unwrap().is_some());
    service.end_service(context);
    let connection = kept.lock().unwrap().take().unwrap().into_inner();
    client.write_all(b"x").unwrap();
    assert_eq!(read(&connection.input_stream(), 1).unwrap(), b"x");
    drop(connection);
    assert!(is_left(&mut client));
}

fn threaded_6_a_job_keeps_the_service(side: Side, context: &glib::MainContext) {
    let service = side.threaded(10);
    let gate = Gate::default();
    let jobs = waiting_at(&service, &gate);
    let _client = client_of(service.listen());
    iterate_until(context, || jobs.begun() == 1);
    let gone = Gone::of(&service.0);
    service.end_service(context);
    iterate_for(context, Duration::from_millis(20));
    assert!(!gone.is_gone());
    gate.open();
    iterate_until(context, || gone.is_gone());
}

fn threaded_6_a_service_that_only_its_jobs_have_goes_with_them(
    side: Side,
    context: &glib::MainContext,
) {
    for _ in 0..10 {
        let service = side.threaded(10);
        let gate = Gate::default();
        let jobs = waiting_at(&service, &gate);
        let address = service.listen();
        let mut clients = [client_of(address), client_of(address)];
        iterate_until(context, || jobs.begun() == 2);
        let gone = Gone::of(&service.0);
        service.end_service(context);
        gate.open();
        iterate_until(context, || jobs.ended() == 2 && gone.is_gone());
        assert!(is_left(&mut clients[0]));
        assert!(is_left(&mut clients[1]));
    }
}

// --- Where we differ -----------------------------------------------------------------------------

/// THREADED-3: whether there is a thread-default context in a worker.
#[test]
fn differs_threaded_3_a_worker_has_a_context_of_its_own() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let service = side.threaded(10);
                let seen = Arc::new(Mutex::new(None));
                let noted = seen.clone();
                service.on_connection("run", move |_, _| {
                    let own = glib::MainContext::thread_default().is_some();
                    noted.lock().unwrap().replace(own);
                    true
                });
                let _client = client_of(service.listen());
                iterate_until(context, || seen.lock().unwrap().is_some());
                service.end_service(context);
                seen.lock().unwrap().take()
            },
            Some(false),
            Some(true),
        );
    });
}

/// THREADED-6: on which thread a service goes that only a job has, while its context rests, and then does not.
#[test]
fn differs_threaded_6_a_service_goes_where_it_was_made() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let service = side.threaded(10);
                let gate = Gate::default();
                let jobs = waiting_at(&service, &gate);
                let mut client = client_of(service.listen());
                iterate_until(context, || jobs.begun() == 1);
                let on = Arc::new(Mutex::new(None));
                let noted = on.clone();
                service.0.add_weak_ref_notify(move || {
                    noted.lock().unwrap().replace(thread::current().id());
                });
                service.end_service(context);
                gate.open();
                // The connection goes with the job, and the service right after it.
                assert!(is_left(&mut client));
                a_moment();
                iterate_until(context, || on.lock().unwrap().is_some());
                on.lock().unwrap().take() == Some(thread::current().id())
            },
            false,
            true,
        );
    });
}
