//! How a connection comes from `incoming` to the thread that serves it: nobody has anything of it on both sides.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
};

use gio::prelude::*;
use gsock::{
    SocketConnection, SocketListener, SocketService, ThreadedSocketService, prelude::*,
    subclass::prelude::*,
};

use crate::{support::*, tools::*};

/// A service of one thread, and how often that has served somebody.
fn service_that_counts() -> (ThreadedSocketService, mpsc::Receiver<()>) {
    let service = ThreadedSocketService::new(1);
    let (sender, served) = mpsc::channel();
    service.connect_run(move |_, _, _| {
        let _ = sender.send(());
        true
    });
    (service, served)
}

/// What a handler does with a connection that it says it does not want.
type Deed = fn(&SocketConnection, &Kept);

#[derive(Clone, Debug, Default)]
struct Kept(Rc<RefCell<Vec<glib::Object>>>);

impl Kept {
    fn keep(&self, object: &impl IsA<glib::Object>) {
        self.0.borrow_mut().push(object.clone().upcast());
    }
}

/// Whether a connection reaches `run` after `deed`.
fn is_served_after(context: &glib::MainContext, deed: Deed) -> bool {
    let (service, served) = service_that_counts();
    let (kept, seen) = (Kept::default(), Rc::new(Cell::new(0)));
    let (own, counted) = (kept.clone(), seen.clone());
    service.connect_incoming(move |_, connection, _| {
        deed(connection, &own);
        counted.set(counted.get() + 1);
        false
    });
    let _client = client(listen(&service));
    iterate_until(context, || seen.get() == 1);
    block_on(context, service.drain_future());
    service.close();
    served.try_recv().is_ok()
}

#[test]
fn what_a_handler_that_says_false_has_kept_or_connected_to_is_not_served_on_a_thread() {
    on_private_context(|context| {
        let deeds: [Deed; 7] = [
            |connection, kept| kept.keep(connection),
            |connection, kept| kept.keep(&connection.socket()),
            |connection, kept| kept.keep(&connection.input_stream()),
            |connection, kept| kept.keep(&connection.output_stream()),
            |connection, kept| kept.keep(&connection.to_gio()),
            |connection, kept| {
                let kept = kept.clone();
                connection.connect_state_notify(move |_| drop(kept.clone()));
            },
            |connection, kept| {
                let kept = kept.clone();
                let socket = connection.socket();
                socket.connect_timeout_notify(move |_| drop(kept.clone()));
            },
        ];
        for deed in deeds {
            let is_served = with_one_critical(|| is_served_after(context, deed));
            assert!(!is_served);
        }
    });
}

#[test]
fn what_a_handler_has_but_looked_at_is_served() {
    on_private_context(|context| {
        let looked_at = is_served_after(context, |connection, _| {
            let _ = (connection.input_stream(), connection.output_stream());
            connection.socket().set_timeout(7);
            let handler = connection.connect_state_notify(|_| {});
            connection.disconnect(handler);
        });
        assert!(looked_at);
    });
}

/// What was kept is the handler's: it works at home.
#[test]
fn a_connection_that_was_kept_is_used_on_where_it_was_kept() {
    on_private_context(|context| {
        let (service, _served) = service_that_counts();
        let kept = Rc::new(RefCell::new(None));
        let keeping = kept.clone();
        service.connect_incoming(move |_, connection, _| {
            *keeping.borrow_mut() = Some(connection.clone());
            false
        });
        let mut peer = client(listen(&service));
        with_one_critical(|| {
            iterate_until(context, || kept.borrow().is_some() && logged_so_far() == 1);
        });
        let connection = kept.take().expect("kept");
        assert!(is_quiet(&mut peer));
        let states = Rc::new(Cell::new(0));
        let told = states.clone();
        connection.connect_state_notify(move |_| told.set(told.get() + 1));
        drop(peer);
        iterate_until(context, || states.get() == 1);
        block_on(context, service.drain_future());
        service.close();
    });
}

/// By hand it may come from anybody.
#[test]
fn a_connection_that_is_handed_in_is_served_when_nobody_else_has_it() {
    on_private_context(|context| {
        let (service, served) = service_that_counts();
        let hand_in = |keeps: bool| {
            let (connection, peer) = connected_bare();
            let handled: bool =
                service.emit_by_name("incoming", &[&connection, &glib::Object::NONE]);
            assert!(!handled);
            let kept = keeps.then(|| connection.clone());
            drop(connection);
            block_on(context, service.drain_future());
            drop((kept, peer));
        };
        hand_in(false);
        assert!(served.try_recv().is_ok());
        with_one_critical(|| hand_in(true));
        assert!(served.try_recv().is_err());
    });
}

#[test]
fn a_service_that_is_dropped_while_it_serves_what_was_handed_in_goes_where_it_was_made() {
    on_private_context(|context| {
        let service = ThreadedSocketService::new(1);
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        service.connect_run(move |_, _, _| {
            let _ = released.lock().expect("no panic").recv();
            true
        });
        let gone = Gone::of(&service);
        let (connection, _peer) = connected_bare();
        let _: bool = service.emit_by_name("incoming", &[&connection, &glib::Object::NONE]);
        drop((connection, service));
        while context.iteration(false) {}
        assert!(!gone.is_gone());
        drop(release);
        iterate_until(context, || gone.is_gone());
    });
}

mod imp {
    use super::*;

    /// Goes on with the connection after it has chained up.
    #[derive(Debug, Default)]
    pub struct ClingingService {
        pub clings: AtomicBool,
        pub seen: AtomicU32,
        pub served: AtomicU32,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ClingingService {
        const NAME: &'static str = "GsockTestClingingService";
        type Type = super::ClingingService;
        type ParentType = ThreadedSocketService;
    }

    impl ObjectImpl for ClingingService {}
    impl SocketListenerImpl for ClingingService {}
    impl SocketServiceImpl for ClingingService {
        fn incoming(
            &self,
            connection: &SocketConnection,
            source_object: Option<&glib::Object>,
        ) -> bool {
            let handled = self.parent_incoming(connection, source_object);
            if self.clings.load(Ordering::SeqCst) {
                let told = Rc::new(Cell::new(0));
                connection.connect_state_notify(move |_| told.set(told.get() + 1));
            }
            self.seen.fetch_add(1, Ordering::SeqCst);
            handled
        }
    }
    impl ThreadedSocketServiceImpl for ClingingService {
        fn run(&self, _: &SocketConnection, _: Option<&glib::Object>) -> bool {
            self.served.fetch_add(1, Ordering::SeqCst);
            true
        }
    }
}

glib::wrapper! {
    pub struct ClingingService(ObjectSubclass<imp::ClingingService>)
        @extends ThreadedSocketService, SocketService, SocketListener;
}

#[test]
fn a_class_may_go_on_with_the_connection_after_it_has_chained_up_and_must_not_cling_to_it() {
    on_private_context(|context| {
        let service: ClingingService = glib::Object::new();
        let address = listen(&service);
        let imp = service.imp();
        let (seen, served) = (
            || imp.seen.load(Ordering::SeqCst),
            || imp.served.load(Ordering::SeqCst),
        );
        let _first = client(address);
        iterate_until(context, || served() == 1);
        imp.clings.store(true, Ordering::SeqCst);
        let mut second = client(address);
        with_one_critical(|| {
            iterate_until(context, || seen() == 2 && logged_so_far() == 1);
        });
        assert!(is_at_its_end(&mut second));
        block_on(context, service.drain_future());
        assert_eq!(served(), 1);
        service.close();
    });
}
