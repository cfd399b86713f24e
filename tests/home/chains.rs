//! Chains of bindings that begin at a connection on which another thread works.

use std::{cell::RefCell, rc::Rc, thread, time::Duration};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

/// From the connection to a label, to the next label, and back and forth to a third one.
#[test]
fn a_chain_of_bindings_follows_at_home() {
    on_private_context(|context| {
        let address = echo_server();
        let connection = unconnected();
        let labels: Vec<Label> = (0..3).map(|_| glib::Object::new()).collect();
        for (from, to) in [
            ("bytes-read", "bytes-read"),
            ("bytes-written", "bytes-written"),
            ("remote-address", "remote"),
            ("closed", "closed"),
        ] {
            connection
                .bind_property(from, &labels[0], to)
                .sync_create()
                .build();
            labels[0]
                .bind_property(to, &labels[1], to)
                .sync_create()
                .build();
            labels[1]
                .bind_property(to, &labels[2], to)
                .bidirectional()
                .sync_create()
                .build();
        }
        let told: Vec<_> = labels.iter().map(told).collect();
        let worker = CConnection::of(&connection);
        let worker = thread::spawn(move || {
            let worker: CConnection = worker;
            assert!(worker.connect(address));
            let mut read = 0;
            for _ in 0..50 {
                assert_eq!(worker.write(b"0123456789"), 10);
                read += worker.read(10).len();
            }
            while read < 500 {
                read += worker.read(64).len();
            }
            assert!(worker.close());
        });
        iterate_until(context, || {
            let last = &labels[2];
            last.closed() && last.bytes_read() == 500 && last.bytes_written() == 500
        });
        worker.join().expect("no panic there");
        for (label, told) in labels.iter().zip(&told) {
            assert!(label.remote().is_some());
            assert_eq!(label.bytes_read(), 500);
            assert_all_here(told);
            assert_eq!(times(told, "closed"), 1);
        }
    });
}

/// One connection's socket is another's, by a binding; the change comes from a thread that is home to neither.
#[test]
fn a_connection_bound_to_anothers_socket_follows_at_home() {
    on_private_context(|context| {
        let (first, second) = (unconnected(), unconnected());
        first.bind_property("socket", &second, "socket").build();
        let told_second = told(&second);
        let next = ipv4_socket();
        let socket = next.clone();
        // A counted reference, which C hands to the setter on any thread.
        struct Pointer(*mut gio::ffi::GSocket);
        // SAFETY: only passed on to a property setter.
        unsafe impl Send for Pointer {}
        let pointer = Pointer(socket.as_ptr());
        elsewhere(&first, move |connection| {
            let pointer: Pointer = pointer;
            // SAFETY: live arguments of the property's type, ended by NULL.
            unsafe {
                glib::gobject_ffi::g_object_set(
                    connection.0.cast(),
                    c"socket".as_ptr(),
                    pointer.0,
                    std::ptr::null::<u8>(),
                );
            }
        });
        assert_ne!(second.socket(), next, "not before an iteration at home");
        iterate_until(context, || second.socket() == next);
        assert_eq!(first.socket(), next);
        assert_eq!(times(&told_second, "socket"), 1);
        assert_all_here(&told_second);
    });
}

/// In the middle of the chain is a handler that ends what the chain begins with.
#[test]
fn a_chain_may_close_the_connection_it_begins_at() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let label: Label = glib::Object::new();
        let button = gio::SimpleAction::new("send", None);
        connection
            .bind_property("bytes-written", &label, "bytes-written")
            .build();
        connection
            .bind_property("alive", &button, "enabled")
            .sync_create()
            .build();
        let held = connection.downgrade();
        label.connect_notify_local(Some("bytes-written"), move |_, _| {
            let connection = held.upgrade().expect("it is alive");
            // Where the write of the other thread is still under way, this waits for nothing.
            connection.close(Cancellable::NONE).expect("it is idle");
        });
        let states = Rc::new(RefCell::new(Vec::new()));
        let seen = states.clone();
        button.connect_notify_local(Some("enabled"), move |button, _| {
            seen.borrow_mut().push(button.is_enabled());
        });
        elsewhere(&connection, |connection| {
            assert_eq!(connection.write(b"x"), 1);
        });
        iterate_until(context, || connection.is_closed());
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_eq!(*states.borrow(), [false]);
        assert_eq!(read_to_end(&mut peer), b"x");
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(label.bytes_written(), 1);
    });
}

/// A chain whose first object goes on another thread ends there and then, and leaves the rest.
#[test]
fn a_chain_ends_with_a_connection_that_is_dropped_elsewhere() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let labels: Vec<Label> = (0..2).map(|_| glib::Object::new()).collect();
        connection
            .bind_property("bytes-written", &labels[0], "bytes-written")
            .build();
        labels[0]
            .bind_property("bytes-written", &labels[1], "bytes-written")
            .build();
        elsewhere(&connection, |connection| {
            assert_eq!(connection.write(b"x"), 1);
        });
        let gone = Gone::of(&connection);
        let taken = CConnection::taken(connection);
        thread::spawn(move || {
            let taken: CConnection = taken;
            // SAFETY: the reference that was taken.
            unsafe { taken.unref() };
        })
        .join()
        .expect("no panic there");
        iterate_until(context, || gone.is_gone());
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(read_to_end(&mut peer), b"x");
        assert_eq!(
            labels[1].bytes_written(),
            0,
            "an object that goes tells nothing"
        );
        labels[0].set_bytes_written(7);
        assert_eq!(labels[1].bytes_written(), 7);
        assert_eq!(sources(context), 0);
    });
}
