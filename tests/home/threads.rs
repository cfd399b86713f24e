//! Changes made on another thread, told at home.

use std::{
    cell::Cell, ffi::c_void, io::Read, io::Write, rc::Rc, thread, thread::ThreadId, time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn a_change_on_the_home_thread_is_notified_at_once() {
    on_private_context(|_| {
        let (listener, address) = listener();
        let connection = unconnected();
        let told = told(&connection);
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        // No context was iterated.
        assert_eq!(times(&told, "state"), 2);
        assert_eq!(times(&told, "alive"), 1);
        assert_eq!(times(&told, "remote-address"), 1);
        let (mut peer, _) = listener.accept().expect("connected");
        peer.write_all(b"x").expect("connected");
        connection
            .input_stream()
            .read(&mut [0][..], Cancellable::NONE)
            .expect("a byte");
        assert_eq!(times(&told, "bytes-read"), 1);
        assert_all_here(&told);
    });
}

#[test]
fn io_on_another_thread_is_notified_at_home_in_an_iteration_of_its_context() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let told = told(&connection);
        elsewhere(&connection, |connection| {
            assert_eq!(connection.write(b"12345"), 5);
        });
        assert!(names(&told).is_empty(), "not before an iteration");
        iterate_until(context, || times(&told, "bytes-written") == 1);
        assert_eq!(connection.bytes_written(), 5);

        peer.write_all(b"123").expect("connected");
        elsewhere(&connection, |connection| {
            assert_eq!(connection.read(8), b"123");
        });
        iterate_until(context, || times(&told, "bytes-read") == 1);
        assert_eq!(connection.bytes_read(), 3);
        assert_all_here(&told);
    });
}

#[test]
fn a_connect_on_another_thread_is_notified_at_home() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let told = told(&connection);
        elsewhere(&connection, |connection| {
            assert!(connection.connect(address));
        });
        assert!(names(&told).is_empty(), "not before an iteration");
        context.iteration(false);
        // The state in between is over, and is not told.
        for name in ["state", "alive", "local-address", "remote-address"] {
            assert_eq!(times(&told, name), 1, "{name}");
        }
        assert_all_here(&told);
        assert!(connection.is_alive());
        assert!(connection.is_connected());
        let (peer, _) = listener.accept().expect("connected");
        // It is watched from here on.
        drop(peer);
        iterate_until(context, || times(&told, "state") == 2);
        assert_eq!(connection.state(), ConnectionState::Disconnected);
    });
}

#[test]
fn a_close_on_another_thread_is_notified_at_home_when_it_is_true() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let told = told(&connection);
        let truth = Rc::new(Cell::new(None));
        let seen = truth.clone();
        connection.connect_closed_notify(move |connection| seen.set(Some(connection.is_closed())));
        elsewhere(&connection, |connection| assert!(connection.close()));
        assert!(names(&told).is_empty(), "not before an iteration");
        context.iteration(false);
        assert_eq!(truth.get(), Some(true));
        assert_eq!(times(&told, "closed"), 1);
        assert_eq!(times(&told, "state"), 1);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_all_here(&told);
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// A change of the socket through C's `g_object_set()`.
#[test]
fn a_socket_set_on_another_thread_is_notified_at_home() {
    struct Socket(gio::Socket);
    // SAFETY: handed over, as C would.
    unsafe impl Send for Socket {}
    impl Socket {
        fn set_on(self, connection: CConnection) {
            let value = self.0.to_value();
            // SAFETY: live arguments, and a property of this type.
            unsafe {
                glib::gobject_ffi::g_object_set_property(
                    connection.0.cast(),
                    c"socket".as_ptr(),
                    value.to_glib_none().0,
                );
            }
        }
    }

    on_private_context(|context| {
        let connection = unconnected();
        let told = told(&connection);
        let (mut peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let handed = Socket(socket.clone());
        elsewhere(&connection, move |connection| handed.set_on(connection));
        assert!(names(&told).is_empty(), "not before an iteration");
        context.iteration(false);
        assert_eq!(times(&told, "socket"), 1);
        assert_eq!(times(&told, "state"), 1);
        assert_all_here(&told);
        assert_eq!(connection.socket(), socket);
        peer.write_all(b"new").expect("connected");
        elsewhere(&connection, |connection| {
            assert_eq!(connection.read(8), b"new");
        });
    });
}

/// Many changes, told once; what is told is how things stand then.
#[test]
fn many_changes_on_another_thread_make_no_source_at_home() {
    on_private_context(|context| {
        let refused = refused_address();
        let connection = unconnected();
        let told = told(&connection);
        let before = sources(context);
        elsewhere(&connection, |connection| {
            for _ in 0..20 {
                assert!(!connection.connect(refused));
            }
        });
        assert_eq!(sources(context), before);
        context.iteration(false);
        assert_eq!(sources(context), before);
        assert_eq!(times(&told, "state"), 1);
        assert_eq!(times(&told, "last-error"), 1);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        let failure = connection.last_error().expect("it failed");
        assert_eq!(code(&failure), IOErrorEnum::ConnectionRefused);
    });
}

#[test]
fn many_writes_on_another_thread_make_no_source_at_home() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let told = told(&connection);
        let before = sources(context);
        elsewhere(&connection, |connection| {
            for _ in 0..1000 {
                assert_eq!(connection.write(b"x"), 1);
            }
        });
        assert_eq!(sources(context), before);
        iterate_until(context, || times(&told, "bytes-written") == 1);
        assert_eq!(connection.bytes_written(), 1000);
        iterate_for(context, Duration::from_millis(150));
        assert_eq!(names(&told), ["bytes-written"]);
        assert_eq!(sources(context), before);
        let mut bytes = [0; 1000];
        peer.read_exact(&mut bytes).expect("all of it");
    });
}

/// The operation is the worker's, callback and all; the notifications are not.
#[test]
fn an_asynchronous_operation_of_another_thread_calls_back_there_and_notifies_here() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let socket = connection.socket();
        let told = told(&connection);
        let socket_told = self::told(&socket);

        unsafe extern "C" fn end(
            _: *mut glib::gobject_ffi::GObject,
            _: *mut gio::ffi::GAsyncResult,
            data: *mut c_void,
        ) {
            // SAFETY: lives on the stack of the thread that iterates.
            let ended = unsafe { &*data.cast::<Cell<Option<ThreadId>>>() };
            ended.set(Some(thread::current().id()));
        }

        elsewhere(&connection, |connection| {
            let own = glib::MainContext::new();
            own.with_thread_default(|| {
                let ended = Cell::new(None);
                connection.connect_async(address, Some(end), (&raw const ended).cast_mut().cast());
                assert!(ended.get().is_none());
                iterate_until(&own, || ended.get().is_some());
                assert_eq!(ended.get(), Some(thread::current().id()));
            })
            .expect("a new context has no owner");
        });
        let _peer = listener.accept().expect("connected");
        assert!(names(&told).is_empty(), "not before an iteration");
        iterate_until(context, || {
            times(&told, "state") == 1 && times(&socket_told, "blocking") == 1
        });
        assert!(connection.is_alive());
        assert!(!socket.is_blocking());
        assert_all_here(&told);
        assert_all_here(&socket_told);
    });
}

/// Home is where it was constructed, not where it is used first.
#[test]
fn a_connection_constructed_in_another_context_of_the_same_thread_lives_there() {
    on_private_context(|outer| {
        let inner = glib::MainContext::new();
        let (connection, _peer) = inner
            .with_thread_default(connected)
            .expect("a new context has no owner");
        let told = told(&connection);
        elsewhere(&connection, |connection| {
            connection.write(b"x");
        });
        iterate_for(outer, Duration::from_millis(150));
        assert!(names(&told).is_empty());
        iterate_until(&inner, || times(&told, "bytes-written") == 1);
    });
}
