//! A class that overrides everything, and misbehaves when asked to: panics, errors, no end.

use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self},
    time::Duration,
};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*, subclass::prelude::*};

use crate::{support::*, tools::*};

mod moody {
    use std::{
        future::pending,
        sync::{
            Mutex,
            atomic::{AtomicU32, Ordering},
        },
    };

    use gsock::{SocketConnection, subclass::prelude::*};

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) enum Mood {
        #[default]
        Good,
        /// A future that never ends.
        Endless,
        /// A panic where the future should be made.
        PanicsAtOnce,
        /// A panic at the first poll.
        PanicsWhenPolled,
        /// A panic at a later poll.
        PanicsLater,
        /// An error of its own.
        Fails,
    }

    #[derive(Debug, Default)]
    pub(super) struct Moody {
        pub(super) mood: Mutex<Mood>,
        /// Goes into the future that is made next.
        pub(super) flag: Mutex<Option<super::DropFlag>>,
        pub(super) closes: AtomicU32,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Moody {
        const NAME: &'static str = "TestMoody";
        type Type = super::Moody;
        type ParentType = SocketConnection;
    }

    fn own_error() -> glib::Error {
        glib::Error::new(gio::IOErrorEnum::NoSpace, "its own")
    }

    impl Moody {
        fn mood(&self) -> Mood {
            *self.mood.lock().expect("no panic while it is locked")
        }

        fn in_its_mood(&self, parents: UnitFuture) -> UnitFuture {
            let mood = self.mood();
            assert_ne!(mood, Mood::PanicsAtOnce, "on purpose");
            let flag = self
                .flag
                .lock()
                .expect("no panic while it is locked")
                .take();
            Box::pin(async move {
                let _flag = flag;
                match mood {
                    Mood::Endless => pending().await,
                    Mood::PanicsWhenPolled => panic!("on purpose"),
                    Mood::PanicsLater => {
                        glib::timeout_future(std::time::Duration::from_millis(5)).await;
                        panic!("on purpose")
                    }
                    Mood::Fails => Err(own_error()),
                    Mood::Good | Mood::PanicsAtOnce => parents.await,
                }
            })
        }
    }

    impl ObjectImpl for Moody {}
    impl IOStreamImpl for Moody {
        fn input_stream(&self) -> gio::InputStream {
            assert_ne!(self.mood(), Mood::PanicsAtOnce, "on purpose");
            self.parent_input_stream()
        }

        fn output_stream(&self) -> gio::OutputStream {
            assert_ne!(self.mood(), Mood::PanicsAtOnce, "on purpose");
            self.parent_output_stream()
        }

        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.closes.fetch_add(1, Ordering::SeqCst);
            assert_ne!(self.mood(), Mood::PanicsAtOnce, "on purpose");
            self.parent_close(cancellable)
        }
    }
    impl SocketConnectionImpl for Moody {
        fn connect(
            &self,
            address: &gio::SocketAddress,
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<(), glib::Error> {
            match self.mood() {
                Mood::Good => self.parent_connect(address, cancellable),
                Mood::Fails => Err(own_error()),
                _ => panic!("on purpose"),
            }
        }

        fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
            self.in_its_mood(self.parent_connect_future(address))
        }

        fn close_future(&self, priority: glib::Priority) -> UnitFuture {
            self.in_its_mood(self.parent_close_future(priority))
        }
    }
}

use moody::Mood;

glib::wrapper! {
    struct Moody(ObjectSubclass<moody::Moody>) @extends SocketConnection, gio::IOStream;
}

impl Moody {
    fn set(&self, mood: Mood) -> Arc<AtomicBool> {
        let (flag, dropped) = DropFlag::new();
        *self.imp().mood.lock().expect("no panic while it is locked") = mood;
        *self.imp().flag.lock().expect("no panic while it is locked") = Some(flag);
        dropped
    }
}

const PANICS: [Mood; 3] = [
    Mood::PanicsAtOnce,
    Mood::PanicsLater,
    Mood::PanicsWhenPolled,
];

#[test]
fn a_connect_that_panics_answers_failed() {
    on_private_context(|_| {
        let address = gio_address(refused_address());
        let connection: Moody = make_unconnected();
        connection.set(Mood::PanicsAtOnce);
        let failed = base_of(&connection).connect(&address, gio::Cancellable::NONE);
        assert_fails(failed, gio::IOErrorEnum::Failed);
        assert_fails(c_connect(&connection, &address), gio::IOErrorEnum::Failed);
        // It is as usable as before.
        let (_listener, address) = listener();
        connection.set(Mood::Good);
        base_of(&connection)
            .connect(&gio_address(address), gio::Cancellable::NONE)
            .expect("it listens");
    });
}

#[test]
fn a_connect_future_that_panics_answers_failed_in_every_form() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let address = gio_address(address);
        for mood in PANICS {
            let connection: Moody = make_unconnected();
            let gone = Gone::of(&connection);
            connection.set(mood);
            let failed = connect_async(context, &connection, &address, None);
            assert_fails(failed, gio::IOErrorEnum::Failed);
            connection.set(mood);
            let failed = block_on(context, connection.connect_future(&address));
            assert_fails(failed, gio::IOErrorEnum::Failed);
            connection.set(mood);
            let failed = c_connect_async(context, &connection, &address);
            assert_fails(failed, gio::IOErrorEnum::Failed);

            connection.set(Mood::Good);
            connect_async(context, &connection, &address, None).expect("it listens");
            drop(connection);
            iterate_until(context, || gone.is_gone());
        }
    });
}

#[test]
fn errors_of_an_override_are_handed_on_as_they_are() {
    on_private_context(|context| {
        let address = gio_address(refused_address());
        let connection: Moody = make_unconnected();
        let code = gio::IOErrorEnum::NoSpace;
        connection.set(Mood::Fails);
        assert_fails(c_connect(&connection, &address), code);
        assert_fails(connect_async(context, &connection, &address, None), code);
        let failed = block_on(context, connection.connect_future(&address));
        assert_fails(failed, code);
        // A close that fails is a close all the same: IOS-13, IOS-17.
        assert_fails(end(context, &begin_close(&connection, None)), code);
        assert_closed(&connection);
    });
}

#[test]
fn cancelling_drops_a_connect_future_that_never_ends() {
    on_private_context(|context| {
        let address = gio_address(refused_address());
        let connection: Moody = make_unconnected();

        let dropped = connection.set(Mood::Endless);
        let cancellable = gio::Cancellable::new();
        let outcome = begin_connect(&connection, &address, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        assert!(outcome.borrow().is_none());
        assert!(!dropped.load(Ordering::SeqCst));
        cancellable.cancel();
        assert_fails(end(context, &outcome), gio::IOErrorEnum::Cancelled);
        iterate_until(context, || dropped.load(Ordering::SeqCst));
        assert_eq!(connection.state(), ConnectionState::Unconnected);

        // From another thread.
        let dropped = connection.set(Mood::Endless);
        let cancellable = gio::Cancellable::new();
        let outcome = begin_connect(&connection, &address, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        thread::spawn(move || cancellable.cancel())
            .join()
            .expect("no panic");
        assert_fails(end(context, &outcome), gio::IOErrorEnum::Cancelled);
        iterate_until(context, || dropped.load(Ordering::SeqCst));

        // Beforehand.
        let dropped = connection.set(Mood::Endless);
        let cancellable = gio::Cancellable::new();
        cancellable.cancel();
        let cancelled = connect_async(context, &connection, &address, Some(&cancellable));
        assert_fails(cancelled, gio::IOErrorEnum::Cancelled);
        connection.set(Mood::Good);
        iterate_until(context, || dropped.load(Ordering::SeqCst));

        // By dropping the future that Rust was given.
        let dropped = connection.set(Mood::Endless);
        let connecting = context.spawn_local(connection.connect_future(&address));
        iterate_for(context, Duration::from_millis(20));
        assert!(!dropped.load(Ordering::SeqCst));
        connecting.abort();
        // The handle keeps the future, too.
        drop(connecting);
        iterate_until(context, || dropped.load(Ordering::SeqCst));

        let gone = Gone::of(&connection);
        drop(connection);
        iterate_until(context, || gone.is_gone());
    });
}

#[test]
fn a_connect_future_that_is_never_polled_does_nothing() {
    on_private_context(|context| {
        let connection: Moody = make_unconnected();
        let dropped = connection.set(Mood::Endless);
        drop(connection.connect_future(&gio_address(refused_address())));
        iterate_for(context, Duration::from_millis(10));
        // The override was not called, or the flag would have gone with its future.
        assert!(!dropped.load(Ordering::SeqCst));
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

#[test]
fn cancelling_drops_a_close_future_and_closes_the_socket_all_the_same() {
    on_private_context(|context| {
        let (connection, mut peer) = make::<Moody>();
        let dropped = connection.set(Mood::Endless);
        let cancellable = gio::Cancellable::new();
        let outcome = begin_close(&connection, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        assert!(outcome.borrow().is_none());
        assert!(!connection.is_closed());
        assert!(!dropped.load(Ordering::SeqCst));
        cancellable.cancel();
        assert_fails(end(context, &outcome), gio::IOErrorEnum::Cancelled);
        assert!(dropped.load(Ordering::SeqCst));
        assert_closed(&connection);
        assert!(read_to_end(&mut peer).is_empty());

        // By dropping GIO's future.
        let (connection, mut peer) = make::<Moody>();
        let dropped = connection.set(Mood::Endless);
        let closing = context.spawn_local(connection.close_future(glib::Priority::DEFAULT));
        iterate_for(context, Duration::from_millis(20));
        closing.abort();
        // The handle keeps the future, too.
        drop(closing);
        iterate_until(context, || connection.is_closed());
        assert!(dropped.load(Ordering::SeqCst));
        assert_closed(&connection);
        assert!(read_to_end(&mut peer).is_empty());
    });
}

#[test]
fn a_close_future_that_panics_answers_failed_and_the_socket_is_closed() {
    on_private_context(|context| {
        for mood in PANICS {
            let (connection, mut peer) = make::<Moody>();
            connection.set(mood);
            let gone = Gone::of(&connection);
            let outcome = begin_close(&connection, None);
            assert_fails(end(context, &outcome), gio::IOErrorEnum::Failed);
            assert_closed(&connection);
            assert!(read_to_end(&mut peer).is_empty());
            drop(connection);
            iterate_until(context, || gone.is_gone());
        }
    });
}

/// Both are overridden: the future hands down to the parent, which calls `close`.
#[test]
fn a_close_future_that_hands_down_calls_close_once() {
    on_private_context(|context| {
        let (connection, mut peer) = make::<Moody>();
        connection.set(Mood::Good);
        end(context, &begin_close(&connection, None)).expect("open");
        assert_eq!(connection.imp().closes.load(Ordering::SeqCst), 1);
        assert_closed(&connection);
        assert!(read_to_end(&mut peer).is_empty());
        drop(connection);
    });
}

#[test]
fn a_close_that_panics_answers_failed() {
    on_private_context(|_| {
        let (connection, mut peer) = make::<Moody>();
        connection.set(Mood::PanicsAtOnce);
        let failed = connection.close(gio::Cancellable::NONE);
        assert_fails(failed, gio::IOErrorEnum::Failed);
        // IOS-13: also after a failure.
        assert!(connection.is_closed());
        drop(connection);
        assert!(read_to_end(&mut peer).is_empty());

        // And when nobody is there to be told but the log.
        let (connection, mut peer) = make::<Moody>();
        connection.set(Mood::PanicsAtOnce);
        let gone = Gone::of(&connection);
        with_one_critical(|| drop(connection));
        assert!(gone.is_gone());
        assert!(read_to_end(&mut peer).is_empty());
    });
}

#[test]
fn a_stream_override_that_panics_leaves_a_stream_that_works() {
    on_private_context(|_| {
        let (connection, mut peer) = make::<Moody>();
        connection.set(Mood::PanicsAtOnce);
        let (input, output) = (connection.input_stream(), connection.output_stream());
        output
            .write_all(b"out", gio::Cancellable::NONE)
            .expect("connected");
        let mut sent = [0; 3];
        peer.read_exact(&mut sent).expect("it was sent");
        assert_eq!(sent, *b"out");
        peer.write_all(b"in").expect("connected");
        let received = input.read_bytes(8, gio::Cancellable::NONE).expect("sent");
        assert_eq!(*received, *b"in");
        assert_eq!(connection.input_stream(), input);
        connection.set(Mood::Good);
    });
}
