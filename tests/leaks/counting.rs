//! What the groups of tests of leaks share: counting, and each operation in each form.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

/// The cycles take a while on a busy machine.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(60);

/// Descriptors are the whole process': one test at a time.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `test` twice, to warm up and to count: the second time must leave as many descriptors
/// behind as it found.
pub(crate) fn counted(test: impl Fn(&glib::MainContext, bool) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    on_private_context_within(LONG_LIMIT, move |context| {
        // GLib, GIO and each thread that waits with a cancellable open some of their own.
        test(context, true);
        assert_idle(context);
        let before = open_descriptors();
        test(context, false);
        assert_idle(context);
        assert_eq!(open_descriptors(), before, "descriptors");
    });
}

pub(crate) fn times(warm_up: bool, count: usize) -> usize {
    if warm_up { 3 } else { count }
}

/// Everything that a cycle made, and that must be gone after it.
#[derive(Default)]
pub(crate) struct Made(RefCell<Vec<(&'static str, Gone)>>);

impl Made {
    pub(crate) fn note(&self, name: &'static str, object: &impl IsA<glib::Object>) {
        self.0.borrow_mut().push((name, Gone::of(object)));
    }

    pub(crate) fn note_connection(&self, connection: &SocketConnection) {
        self.note("connection", connection);
        self.note("socket", &connection.socket());
        self.note("input stream", &connection.input_stream());
        self.note("output stream", &connection.output_stream());
    }

    #[track_caller]
    pub(crate) fn assert_gone(&self, context: &glib::MainContext) {
        assert_idle(context);
        for (name, gone) in self.0.take() {
            assert!(gone.is_gone(), "a {name} is left over");
        }
    }
}

#[track_caller]
pub(crate) fn finished(
    context: &glib::MainContext,
    started: &Started,
) -> Result<usize, glib::Error> {
    let outcome = ended(context, started);
    assert_idle(context);
    assert!(started.is_task_gone(), "a task is left over");
    outcome
}

pub(crate) fn write_by(
    form: Form,
    context: &glib::MainContext,
    connection: &SocketConnection,
    cancellable: &gio::Cancellable,
) {
    let output = connection.output_stream();
    let written = match form {
        Form::Blocking => {
            let written = output.write(b"ping", Some(cancellable)).expect("room");
            usize::try_from(written).expect("not negative")
        }
        Form::Async => {
            let written = Rc::new(Cell::new(None));
            let slot = written.clone();
            let priority = glib::Priority::DEFAULT;
            output.write_async(b"ping", priority, Some(cancellable), move |result| {
                slot.set(Some(result.expect("room").1));
            });
            iterate_until(context, || written.get().is_some());
            written.get().expect("called back")
        }
        Form::Future => {
            let writing = output.write_future(b"ping", glib::Priority::DEFAULT);
            block_on(context, writing).expect("room").1
        }
        Form::C => {
            let started = start_write(connection, b"ping".to_vec(), Some(cancellable));
            finished(context, &started).expect("room")
        }
    };
    assert_eq!(written, 4);
}

pub(crate) fn read_by(
    form: Form,
    context: &glib::MainContext,
    connection: &SocketConnection,
    cancellable: &gio::Cancellable,
) {
    let input = connection.input_stream();
    let mut buffer = vec![0; 4];
    let (buffer, count) = match form {
        Form::Blocking => {
            let count = input
                .read(&mut buffer, Some(cancellable))
                .expect("four bytes");
            (buffer, count)
        }
        Form::Async => {
            let read = Rc::new(RefCell::new(None));
            let slot = read.clone();
            let priority = glib::Priority::DEFAULT;
            input.read_async(buffer, priority, Some(cancellable), move |result| {
                *slot.borrow_mut() = Some(result.expect("four bytes"));
            });
            iterate_until(context, || read.borrow().is_some());
            read.take().expect("called back")
        }
        Form::Future => {
            let reading = input.read_future(buffer, glib::Priority::DEFAULT);
            block_on(context, reading).expect("four bytes")
        }
        Form::C => {
            let started = start_read(connection, 4, Some(cancellable));
            let count = finished(context, &started).expect("four bytes");
            (started.bytes(count), count)
        }
    };
    assert_eq!((&buffer[..], count), (&b"pong"[..], 4));
}

pub(crate) fn close_by(form: Form, context: &glib::MainContext, connection: &SocketConnection) {
    match form {
        Form::Blocking => connection.close(gio::Cancellable::NONE).expect("open"),
        Form::Async => {
            let closed = Rc::new(Cell::new(false));
            let slot = closed.clone();
            let priority = glib::Priority::DEFAULT;
            connection.close_async(priority, gio::Cancellable::NONE, move |result| {
                result.expect("open");
                slot.set(true);
            });
            iterate_until(context, || closed.get());
        }
        Form::Future => {
            let closing = connection.close_future(glib::Priority::DEFAULT);
            block_on(context, closing).expect("open");
        }
        Form::C => {
            finished(context, &start_close(connection, None)).expect("open");
        }
    }
}
