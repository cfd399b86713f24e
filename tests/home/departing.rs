//! The last reference, dropped on a foreign thread, with everything on it at once.

use std::{
    cell::{Cell, RefCell},
    net::TcpStream,
    rc::Rc,
    sync::mpsc,
    thread,
    thread::ThreadId,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

fn unref_elsewhere(connection: CConnection) {
    thread::spawn(move || {
        let connection: CConnection = connection;
        // SAFETY: the reference that was taken.
        unsafe { connection.unref() };
    })
    .join()
    .expect("no panic there");
}

/// Handlers of each kind that must stay on this thread, and a binding.
fn burden(connection: &SocketConnection, dropped: &Dropped) -> gio::SimpleAction {
    for detail in [None, Some("state"), Some("bytes-written")] {
        let witness = dropped.witness();
        connection.connect_notify_local(detail, move |_, _| {
            let _witness = &witness;
        });
    }
    let button = gio::SimpleAction::new("send", None);
    connection
        .bind_property("alive", &button, "enabled")
        .sync_create()
        .build();
    button
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Read,
    Write,
    Connect,
    Close,
}

type Slot = Rc<Cell<Option<Result<(), E>>>>;

/// Starts it on the thread-default context, and says how it ended.
fn start(
    pending: Pending,
    deaf: &Deaf,
    cancellable: &Cancellable,
) -> (SocketConnection, Option<TcpStream>, Slot) {
    let ended = Slot::default();
    let slot = ended.clone();
    let end = move |result: Result<(), glib::Error>| {
        assert!(slot.get().is_none(), "once");
        slot.set(Some(result.map_err(|failure| code(&failure))));
    };
    let (connection, peer) = if pending == Pending::Connect {
        (unconnected(), None)
    } else {
        let (connection, peer) = connected();
        (connection, Some(peer))
    };
    let priority = glib::Priority::DEFAULT;
    match pending {
        Pending::Read => connection.input_stream().read_async(
            vec![0; 8],
            priority,
            Some(cancellable),
            move |result| end(result.map(drop).map_err(|(_, failure)| failure)),
        ),
        Pending::Write => {
            let output = connection
                .output_stream()
                .downcast::<gio::PollableOutputStream>()
                .expect("an interface of it");
            let chunk = vec![0; 256 * 1024];
            let full = loop {
                if let Err(failure) = output.write_nonblocking(&chunk, Cancellable::NONE) {
                    break failure;
                }
            };
            assert_eq!(code(&full), E::WouldBlock);
            connection.output_stream().write_all_async(
                vec![1; 8 * 1024 * 1024],
                priority,
                Some(cancellable),
                // Some of it may have gone out: gio tells the failure beside the count then.
                move |result| {
                    end(match result {
                        Ok((_, _, None)) => Ok(()),
                        Ok((_, _, Some(failure))) | Err((_, failure)) => Err(failure),
                    });
                },
            );
        }
        Pending::Connect => connection.connect_async(
            &gio_address(deaf.address),
            Some(cancellable),
            move |connection, result| end(connection.connect_finish(result)),
        ),
        Pending::Close => {
            let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
            tcp.set_graceful_disconnect(true);
            connection.close_async(priority, Some(cancellable), end);
        }
    }
    (connection, peer, ended)
}

/// An operation that needs the connection keeps it; one of a stream ends with it (SC-27).
#[test]
fn an_operation_that_waits_ends_once_and_at_home_nothing_is_dropped_elsewhere() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for pending in [
            Pending::Read,
            Pending::Write,
            Pending::Connect,
            Pending::Close,
        ] {
            let cancellable = Cancellable::new();
            let (connection, peer, ended) = start(pending, &deaf, &cancellable);
            let dropped = Dropped::default();
            let button = burden(&connection, &dropped);
            let gone = Gone::of(&connection);
            iterate_for(context, Duration::from_millis(10));
            assert!(ended.get().is_none(), "{pending:?}");
            unref_elsewhere(CConnection::taken(connection));
            if matches!(pending, Pending::Connect | Pending::Close) {
                iterate_for(context, Duration::from_millis(10));
                assert!(ended.get().is_none() && !gone.is_gone(), "{pending:?}");
                cancellable.cancel();
            }
            iterate_until(context, || ended.get().is_some() && gone.is_gone());
            let expected = match pending {
                Pending::Read | Pending::Write => E::Closed,
                Pending::Connect | Pending::Close => E::Cancelled,
            };
            assert_eq!(ended.get(), Some(Err(expected)), "{pending:?}");
            let here = thread::current().id();
            dropped.assert_nowhere_but_on(here);
            assert_eq!(dropped.0.lock().expect("no panic").len(), 3, "{pending:?}");
            drop((button, peer));
            iterate_for(context, Duration::from_millis(10));
            assert_eq!(sources(context), 0, "{pending:?}");
        }
    });
}

/// The home thread lives, its context has no other owner and is never run again: what belongs there stays.
#[test]
fn with_the_home_context_given_up_the_descriptor_is_closed_and_closures_are_dropped_nowhere_else() {
    on_private_context(|_| {
        let dropped = Dropped::default();
        let here = thread::current().id();
        for make in [connected, connected_bare] {
            let home = glib::MainContext::new();
            let (connection, mut peer) = home
                .with_thread_default(make)
                .expect("a new context has no owner");
            let _button = burden(&connection, &dropped);
            drop(home);
            elsewhere(&connection, |connection| {
                assert_eq!(connection.write(b"x"), 1);
            });
            unref_elsewhere(CConnection::taken(connection));
            assert_eq!(read_to_end(&mut peer), b"x");
            dropped.assert_nowhere_but_on(here);
        }
        // Their home is never run again, and nobody else may free them.
        let_stay();
    });
}

/// The home thread has ended with a read pending in its context, and the context is gone with it.
#[test]
fn with_the_home_thread_ended_a_connection_with_a_read_pending_ends_without_a_crash() {
    on_private_context(|_| {
        // What belongs to a thread that has ended cannot be freed.
        let_stay();
        for with_handlers in [false, true] {
            let dropped = Dropped::default();
            let watch = dropped.clone();
            let (sent, received) = mpsc::channel::<(CConnection, TcpStream, ThreadId)>();
            thread::spawn(move || {
                let context = glib::MainContext::new();
                context
                    .with_thread_default(|| {
                        let (connection, peer) = connected();
                        let button = with_handlers.then(|| burden(&connection, &watch));
                        let witness = watch.witness();
                        let input = connection.input_stream();
                        input.read_async(
                            vec![0; 8],
                            glib::Priority::DEFAULT,
                            Cancellable::NONE,
                            move |_| {
                                let _witness = &witness;
                            },
                        );
                        iterate_for(&context, Duration::from_millis(5));
                        // The binding's other end goes with its thread.
                        drop(button);
                        let home = thread::current().id();
                        sent.send((CConnection::taken(connection), peer, home))
                            .expect("somebody waits");
                    })
                    .expect("a new context has no owner");
            })
            .join()
            .expect("no panic there");
            let (connection, mut peer, home) = received.recv().expect("it was sent");
            assert_eq!(connection.write(b"alive"), 5);
            // SAFETY: the reference that was taken.
            unsafe { connection.unref() };
            assert_eq!(read_to_end(&mut peer), b"alive");
            dropped.assert_nowhere_but_on(home);
        }
    });
}

/// While home iterates, and is told of changes that other threads make.
#[test]
fn connections_may_go_on_other_threads_while_home_is_being_told_of_them() {
    on_private_context(|context| {
        let here = thread::current().id();
        let dropped = Dropped::default();
        let gone = RefCell::new(Vec::new());
        let workers: Vec<_> = (0..40)
            .map(|round| {
                let (connection, mut peer) = connected();
                let witness = dropped.witness();
                connection.connect_notify_local(None, move |_, _| {
                    let _witness = &witness;
                    assert_eq!(thread::current().id(), here);
                });
                gone.borrow_mut().push(Gone::of(&connection));
                let connection = CConnection::taken(connection);
                thread::spawn(move || {
                    let connection: CConnection = connection;
                    for _ in 0..round {
                        assert_eq!(connection.write(b"x"), 1);
                    }
                    // SAFETY: the reference that was taken.
                    unsafe { connection.unref() };
                    assert_eq!(read_to_end(&mut peer).len(), round);
                })
            })
            .collect();
        iterate_until(context, || gone.borrow().iter().all(Gone::is_gone));
        for worker in workers {
            worker.join().expect("no panic there");
        }
        dropped.assert_nowhere_but_on(here);
        assert_eq!(dropped.0.lock().expect("no panic").len(), 40);
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(sources(context), 0);
    });
}

/// Somebody has asked GObject to hold notifications back, and never says when to go on.
#[test]
fn a_connection_whose_notifications_are_held_back_goes_home_without_a_busy_loop() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let dropped = Dropped::default();
        let _button = burden(&connection, &dropped);
        let gone = Gone::of(&connection);
        let taken = CConnection::taken(connection);
        // SAFETY: the reference is ours still.
        unsafe { glib::gobject_ffi::g_object_freeze_notify(taken.0.cast()) };
        unref_elsewhere(taken);
        let iterations = Cell::new(0);
        iterate_until(context, || {
            iterations.set(iterations.get() + 1);
            gone.is_gone()
        });
        dropped.assert_nowhere_but_on(thread::current().id());
        // Five seconds at most, and the test's own timer comes every five milliseconds.
        assert!(iterations.get() < 2000, "{}", iterations.get());
    });
}

mod greeting {
    //! A class with an interface whose signal has handlers.

    use gsock::subclass::prelude::*;
    use once_cell::sync::Lazy;

    #[derive(Clone, Copy)]
    #[repr(C)]
    pub struct Iface(glib::gobject_ffi::GTypeInterface);

    // SAFETY: begins with the struct of all interfaces, and has nothing else.
    unsafe impl InterfaceStruct for Iface {
        type Type = Greets;
    }

    pub struct Greets;

    #[glib::object_interface]
    impl ObjectInterface for Greets {
        const NAME: &'static str = "TestGreets";
        type Interface = Iface;
        type Prerequisites = (gsock::SocketConnection,);

        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: Lazy<Vec<glib::subclass::Signal>> =
                Lazy::new(|| vec![glib::subclass::Signal::builder("hello").build()]);
            &SIGNALS
        }
    }

    glib::wrapper! {
        pub struct Greeting(ObjectInterface<Greets>) @requires gsock::SocketConnection, gio::IOStream;
    }

    // SAFETY: the interface has no functions to fill in.
    unsafe impl<T: ObjectImpl> IsImplementable<T> for Greeting {}

    #[derive(Default)]
    pub struct Polite;

    #[glib::object_subclass]
    impl ObjectSubclass for Polite {
        const NAME: &'static str = "TestPoliteConnection";
        type Type = PoliteConnection;
        type ParentType = gsock::SocketConnection;
        type Interfaces = (Greeting,);
    }

    impl ObjectImpl for Polite {}
    impl IOStreamImpl for Polite {}
    impl SocketConnectionImpl for Polite {}

    glib::wrapper! {
        pub struct PoliteConnection(ObjectSubclass<Polite>)
            @extends gsock::SocketConnection, gio::IOStream, @implements Greeting;
    }
}

/// A handler of an interface's signal belongs home as any other does.
#[test]
fn handlers_of_an_interfaces_signal_are_not_dropped_elsewhere() {
    on_private_context(|context| {
        let (_peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let connection: greeting::PoliteConnection =
            glib::Object::builder().property("socket", &socket).build();
        let dropped = Dropped::default();
        let witness = dropped.witness();
        connection.connect_local("hello", false, move |_| {
            let _witness = &witness;
            None
        });
        let gone = Gone::of(&connection);
        unref_elsewhere(CConnection::taken(connection.upcast()));
        iterate_until(context, || gone.is_gone());
        dropped.assert_nowhere_but_on(thread::current().id());
    });
}

mod parting {
    //! A class that notifies while it is disposed.

    use gio::prelude::*;
    use gsock::subclass::prelude::*;

    #[derive(Default)]
    pub struct Parting;

    #[glib::object_subclass]
    impl ObjectSubclass for Parting {
        const NAME: &'static str = "TestPartingConnection";
        type Type = PartingConnection;
        type ParentType = gsock::SocketConnection;
    }

    impl ObjectImpl for Parting {
        fn dispose(&self) {
            self.obj().notify("state");
        }
    }
    impl IOStreamImpl for Parting {}
    impl SocketConnectionImpl for Parting {}

    glib::wrapper! {
        pub struct PartingConnection(ObjectSubclass<Parting>)
            @extends gsock::SocketConnection, gio::IOStream;
    }
}

/// GObject keeps what is notified meanwhile, and delivers it on the thread that drops the object.
#[test]
fn what_a_dispose_notifies_elsewhere_runs_no_handler() {
    on_private_context(|context| {
        let (_peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let connection: parting::PartingConnection =
            glib::Object::builder().property("socket", &socket).build();
        let dropped = Dropped::default();
        let witness = dropped.witness();
        connection.connect_notify_local(Some("state"), move |_, _| {
            let _witness = &witness;
        });
        let gone = Gone::of(&connection);
        unref_elsewhere(CConnection::taken(connection.upcast()));
        iterate_until(context, || gone.is_gone());
        dropped.assert_nowhere_but_on(thread::current().id());
    });
}
