//! Bindings at home while a worker does the I/O.

use std::{cell::RefCell, rc::Rc, sync::mpsc, thread, time::Duration};

use gio::{Cancellable, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*};

/// A label bound to a connection that a worker reads from and writes to.
#[test]
fn a_binding_at_home_shows_what_a_worker_does() {
    on_private_context(|context| {
        let address = echo_server();
        let connection = unconnected();
        let label: Label = glib::Object::new();
        let button = gio::SimpleAction::new("send", None);
        for (from, to) in [
            ("bytes-read", "bytes-read"),
            ("bytes-written", "bytes-written"),
            ("remote-address", "remote"),
            ("closed", "closed"),
        ] {
            connection
                .bind_property(from, &label, to)
                .sync_create()
                .build();
        }
        connection
            .bind_property("alive", &button, "enabled")
            .sync_create()
            .build();
        let shown = told(&label);
        let pressed = told(&button);
        assert!(!button.is_enabled());

        let (go, wait) = mpsc::channel::<()>();
        let worker = CConnection::of(&connection);
        let worker = thread::spawn(move || {
            let worker: CConnection = worker;
            assert!(worker.connect(address));
            let mut read = 0;
            for _ in 0..200 {
                assert_eq!(worker.write(b"0123456789"), 10);
                read += worker.read(10).len();
            }
            while read < 2000 {
                read += worker.read(64).len();
            }
            wait.recv().expect("the user has seen it");
            assert!(worker.close());
        });
        iterate_until(context, || {
            label.bytes_written() == 2000 && label.bytes_read() == 2000
        });
        assert!(button.is_enabled());
        assert!(label.remote().is_some());
        go.send(()).expect("it waits");
        iterate_until(context, || label.closed());
        assert!(!button.is_enabled());
        worker.join().expect("no panic");
        assert_all_here(&shown);
        assert_all_here(&pressed);
    });
}

/// A notify at home reads the values of that moment, while they go on changing elsewhere.
#[test]
fn values_read_in_a_handler_never_go_back() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let reader = thread::spawn(move || read_to_end(&mut peer).len());
        let values = Rc::new(RefCell::new(Vec::new()));
        let seen = values.clone();
        connection.connect_bytes_written_notify(move |connection| {
            seen.borrow_mut().push(connection.bytes_written());
        });
        let worker = CConnection::of(&connection);
        let worker = thread::spawn(move || {
            let worker: CConnection = worker;
            for _ in 0..300 {
                assert_eq!(worker.write(b"0123456789"), 10);
                thread::sleep(Duration::from_millis(1));
            }
        });
        iterate_until(context, || values.borrow().last() == Some(&3000));
        worker.join().expect("no panic");
        assert!(values.borrow().is_sorted());
        connection.close(Cancellable::NONE).expect("it is idle");
        assert_eq!(reader.join().expect("no panic"), 3000);
    });
}
