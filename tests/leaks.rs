//! What many operations leave behind: no descriptor, no object, no task, no handler, no source.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "calls the objects as C does, and looks at their handlers"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "faults/tools.rs"]
#[allow(dead_code, reason = "leaks need a part of it")]
mod tools;

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    ptr,
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::{GFALSE, GTRUE},
    translate::ToGlibPtr,
};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};
use support::*;
use tools::*;

/// The cycles take a while on a busy machine.
const LONG_LIMIT: Duration = Duration::from_secs(60);

/// Descriptors are the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `test` twice, to warm up and to count: the second time must leave as many descriptors
/// behind as it found.
fn counted(test: impl Fn(&glib::MainContext, bool) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    within(LONG_LIMIT, move || {
        let context = glib::MainContext::new();
        context
            .with_thread_default(|| {
                // GLib, GIO and each thread that waits with a cancellable open some of their own.
                test(&context, true);
                assert_idle(&context);
                let before = open_descriptors();
                test(&context, false);
                assert_idle(&context);
                assert_eq!(open_descriptors(), before, "descriptors");
            })
            .expect("a new context has no owner");
    });
}

fn times(warm_up: bool, count: usize) -> usize {
    if warm_up { 3 } else { count }
}

/// Everything that a cycle made, and that must be gone after it.
#[derive(Default)]
struct Made(RefCell<Vec<(&'static str, Gone)>>);

impl Made {
    fn note(&self, name: &'static str, object: &impl IsA<glib::Object>) {
        self.0.borrow_mut().push((name, Gone::of(object)));
    }

    fn note_connection(&self, connection: &SocketConnection) {
        self.note("connection", connection);
        self.note("socket", &connection.socket());
        self.note("input stream", &connection.input_stream());
        self.note("output stream", &connection.output_stream());
    }

    #[track_caller]
    fn assert_gone(&self, context: &glib::MainContext) {
        assert_idle(context);
        for (name, gone) in self.0.take() {
            assert!(gone.is_gone(), "a {name} is left over");
        }
    }
}

#[track_caller]
fn finished(context: &glib::MainContext, started: &Started) -> Result<usize, glib::Error> {
    let outcome = ended(context, started);
    assert_idle(context);
    assert!(started.is_task_gone(), "a task is left over");
    outcome
}

fn write_by(
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

fn read_by(
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

fn close_by(form: Form, context: &glib::MainContext, connection: &SocketConnection) {
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

/// The peer is served in between, by the same thread.
fn echo_cycle(
    form: Form,
    context: &glib::MainContext,
    server: &TcpListener,
    address: SocketAddr,
    graceful: bool,
) {
    let made = Made::default();
    let connection = unconnected();
    made.note_connection(&connection);
    let cancellable = gio::Cancellable::new();
    made.note("cancellable", &cancellable);
    let seen = notifications(&connection);
    connect_by(form, context, &connection, &gio_address(address)).expect("it listens");
    let (mut peer, _) = server.accept().expect("somebody called");
    write_by(form, context, &connection, &cancellable);
    let mut buffer = [0; 4];
    peer.read_exact(&mut buffer).expect("four bytes");
    peer.write_all(b"pong").expect("room");
    read_by(form, context, &connection, &cancellable);
    if graceful {
        let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
        tcp.set_graceful_disconnect(true);
        peer.shutdown(std::net::Shutdown::Write).expect("connected");
    }
    close_by(form, context, &connection);
    assert!(read_to_end(&mut peer).is_empty());
    assert_eq!(connection.state(), ConnectionState::Closed);
    drop((connection, cancellable));
    made.assert_gone(context);
    // The handler went with its object.
    assert_eq!(Rc::strong_count(&seen), 1);
}

fn echo_cycles(form: Form) {
    counted(move |context, warm_up| {
        let (server, address) = listener();
        for cycle in 0..times(warm_up, 1000) {
            echo_cycle(form, context, &server, address, cycle % 4 == 0);
        }
    });
}

#[test]
fn a_thousand_blocking_cycles_leave_nothing_behind() {
    echo_cycles(Form::Blocking);
}

#[test]
fn a_thousand_cycles_with_callbacks_leave_nothing_behind() {
    echo_cycles(Form::Async);
}

#[test]
fn a_thousand_cycles_of_futures_leave_nothing_behind() {
    echo_cycles(Form::Future);
}

#[test]
fn a_thousand_cycles_in_c_leave_nothing_behind() {
    echo_cycles(Form::C);
}

/// Around bare descriptors, some of which turn into a `GSocket`.
#[test]
fn a_thousand_bare_connections_leave_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 1000) {
            let form = FORMS[cycle % FORMS.len()];
            let made = Made::default();
            let (connection, mut peer) = connected_bare();
            made.note("connection", &connection);
            let cancellable = gio::Cancellable::new();
            if cycle % 3 == 0 {
                made.note_connection(&connection);
            }
            write_by(form, context, &connection, &cancellable);
            let mut buffer = [0; 4];
            peer.read_exact(&mut buffer).expect("four bytes");
            peer.write_all(b"pong").expect("room");
            read_by(form, context, &connection, &cancellable);
            if cycle % 2 == 0 {
                close_by(form, context, &connection);
            }
            drop(connection);
            made.assert_gone(context);
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

/// One object, one socket after the other.
#[test]
fn a_thousand_reconnects_leave_nothing_behind() {
    counted(|context, warm_up| {
        let (server, address) = listener();
        let made = Made::default();
        let connection = unconnected();
        made.note_connection(&connection);
        let cancellable = gio::Cancellable::new();
        for cycle in 0..times(warm_up, 1000) {
            let form = FORMS[cycle % FORMS.len()];
            connect_by(form, context, &connection, &gio_address(address)).expect("it listens");
            let (mut peer, _) = server.accept().expect("somebody called");
            write_by(form, context, &connection, &cancellable);
            let mut buffer = [0; 4];
            peer.read_exact(&mut buffer).expect("four bytes");
            peer.write_all(b"pong").expect("room");
            read_by(form, context, &connection, &cancellable);
            let kernel = KernelSocket::of_connection(&connection);
            let next = ipv4_socket();
            made.note("socket", &next);
            connection.set_socket(&next).expect("nothing is pending");
            assert!(!kernel.is_open(), "nobody else holds it");
            assert!(read_to_end(&mut peer).is_empty());
        }
        drop((connection, cancellable));
        made.assert_gone(context);
    });
}

// --- Failures ------------------------------------------------------------------------------------

#[test]
fn refused_connects_leave_nothing_behind() {
    counted(|context, warm_up| {
        let address = gio_address(refused_address());
        for cycle in 0..times(warm_up, 200) {
            let made = Made::default();
            let connection = unconnected();
            made.note_connection(&connection);
            for turn in 0..2 {
                let form = FORMS[(cycle + turn) % FORMS.len()];
                let refused = connect_by(form, context, &connection, &address);
                assert_fails(refused, E::ConnectionRefused);
            }
            drop(connection);
            made.assert_gone(context);
        }
    });
}

#[test]
fn cancelled_connects_leave_nothing_behind() {
    counted(|context, warm_up| {
        let deaf = deaf_listener();
        let address = gio_address(deaf.address);
        for cycle in 0..times(warm_up, 200) {
            let made = Made::default();
            let connection = unconnected();
            made.note_connection(&connection);
            let cancellable = gio::Cancellable::new();
            made.note("cancellable", &cancellable);
            match cycle % 3 {
                0 => {
                    let started = start_connect(&connection, &address, Some(&cancellable));
                    iterate(context, 2);
                    cancellable.cancel();
                    assert_fails(finished(context, &started), E::Cancelled);
                }
                1 => {
                    let connecting = context.spawn_local(connection.connect_future(&address));
                    iterate(context, 2);
                    assert_eq!(connection.state(), ConnectionState::Connecting);
                    connecting.abort();
                }
                _ => {
                    let canceller = cancellable.clone();
                    let sleeper = std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(2));
                        canceller.cancel();
                    });
                    let connected = connection.connect(&address, Some(&cancellable));
                    assert_fails(connected, E::Cancelled);
                    sleeper.join().expect("no panic");
                }
            }
            assert_idle(context);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            drop((connection, cancellable));
            made.assert_gone(context);
        }
    });
}

#[test]
fn connects_and_reads_that_time_out_leave_nothing_behind() {
    counted(|context, warm_up| {
        let deaf = deaf_listener();
        let address = gio_address(deaf.address);
        let made = Made::default();
        let mut peers: Vec<TcpStream> = Vec::new();
        let mut operations = Vec::new();
        // All at once, since a timeout is a second at least.
        for _ in 0..times(warm_up, 200) {
            let connection = unconnected();
            connection.socket().set_timeout(1);
            made.note_connection(&connection);
            operations.push(start_connect(&connection, &address, None));
            let (connection, peer) = connected();
            connection.socket().set_timeout(1);
            made.note_connection(&connection);
            let reading = start_read(&connection, 4, None);
            // Dropped, it would end at once.
            let kept = connection.clone();
            operations.push(reading);
            peers.push(peer);
            context.spawn_local(async move {
                glib::timeout_future(Duration::from_millis(1500)).await;
                drop(kept);
            });
        }
        iterate_until(context, || operations.iter().all(|one| one.has_ended()));
        for operation in &operations {
            assert_fails(operation.outcome(), E::TimedOut);
        }
        iterate_for(context, Duration::from_millis(800));
        assert!(
            operations.iter().all(|one| one.is_task_gone()),
            "a task is left over"
        );
        made.assert_gone(context);
    });
}

#[test]
fn reset_connections_leave_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 200) {
            let made = Made::default();
            let (connection, peer) = if cycle % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            made.note_connection(&connection);
            let reading = start_read(&connection, 4, None);
            iterate(context, u32::try_from(cycle % 3).expect("small"));
            reset(peer);
            assert_fails(finished(context, &reading), CONNECTION_CLOSED);
            match cycle % 4 {
                0 => connection.close(gio::Cancellable::NONE).expect("open"),
                1 => {
                    finished(context, &start_close(&connection, None)).expect("open");
                }
                _ => {}
            }
            drop(connection);
            made.assert_gone(context);
        }
    });
}

#[test]
fn connections_dropped_or_closed_with_operations_pending_leave_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 400) {
            let made = Made::default();
            let (connection, _peer) = if cycle % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            made.note_connection(&connection);
            let cancellable = gio::Cancellable::new();
            made.note("cancellable", &cancellable);
            fill(&connection);
            let reading = start_read(&connection, 4, Some(&cancellable));
            let writing = start_write(&connection, vec![1; 4], Some(&cancellable));
            iterate(context, u32::try_from(cycle % 5).expect("small"));
            if cycle % 3 == 0 {
                connection.close(gio::Cancellable::NONE).expect("open");
            }
            drop((connection, cancellable));
            iterate_until(context, || reading.has_ended() && writing.has_ended());
            assert_fails(reading.outcome(), E::Closed);
            assert_fails(writing.outcome(), E::Closed);
            assert_idle(context);
            assert!(reading.is_task_gone() && writing.is_task_gone());
            made.assert_gone(context);
        }
    });
}

// --- One cancellable for everything --------------------------------------------------------------

/// Whether anybody is connected to `cancelled`, blocked or not.
fn has_handlers(cancellable: &gio::Cancellable) -> bool {
    // SAFETY: a live object whose class has the signal.
    unsafe {
        let signal = glib::gobject_ffi::g_signal_lookup(
            c"cancelled".as_ptr(),
            gio::ffi::g_cancellable_get_type(),
        );
        assert_ne!(signal, 0);
        let object: *mut glib::gobject_ffi::GObject = cancellable.as_ptr().cast();
        glib::gobject_ffi::g_signal_has_handler_pending(object, signal, 0, GTRUE) != GFALSE
    }
}

#[test]
fn a_cancellable_used_a_thousand_times_has_no_handlers_left() {
    counted(|context, warm_up| {
        let (server, address) = listener();
        let address = gio_address(address);
        let refused = gio_address(refused_address());
        let cancellable = gio::Cancellable::new();
        let mut operations = 0;
        while operations < times(warm_up, 1000) {
            let connection = unconnected();
            // Each of them once without a wait and once with one.
            assert_fails(
                connection.connect(&refused, Some(&cancellable)),
                E::ConnectionRefused,
            );
            let started = start_connect(&connection, &refused, Some(&cancellable));
            assert_fails(finished(context, &started), E::ConnectionRefused);
            if operations % 2 == 0 {
                connection
                    .connect(&address, Some(&cancellable))
                    .expect("it listens");
            } else {
                let started = start_connect(&connection, &address, Some(&cancellable));
                finished(context, &started).expect("it listens");
            }
            let (mut peer, _) = server.accept().expect("somebody called");
            write_by(Form::Blocking, context, &connection, &cancellable);
            write_by(Form::C, context, &connection, &cancellable);
            peer.write_all(b"pong").expect("room");
            read_by(Form::Blocking, context, &connection, &cancellable);
            let reading = start_read(&connection, 4, Some(&cancellable));
            iterate(context, 2);
            assert!(!reading.has_ended());
            assert!(has_handlers(&cancellable), "somebody waits");
            peer.write_all(b"pong").expect("room");
            assert_eq!(finished(context, &reading).expect("four bytes"), 4);
            assert!(!has_handlers(&cancellable));
            // A blocking wait that ends by data, not by the cancellable.
            let mut writer = peer.try_clone().expect("a descriptor");
            let later = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1));
                writer.write_all(b"pong").expect("room");
            });
            read_by(Form::Blocking, context, &connection, &cancellable);
            later.join().expect("no panic");
            // One that ends by a close.
            let reading = start_read(&connection, 4, Some(&cancellable));
            iterate(context, 2);
            let closing = start_close(&connection, Some(&cancellable));
            assert_fails(finished(context, &reading), E::Closed);
            finished(context, &closing).expect("open");
            operations += 11;
            assert!(!has_handlers(&cancellable), "after {operations} operations");
            assert_eq!(cancellable.ref_count(), 1, "after {operations} operations");
        }
        // It still works.
        cancellable.cancel();
        let gone = Gone::of(&cancellable);
        drop(cancellable);
        assert!(gone.is_gone());
    });
}

/// The context polls nothing and waits for no moment: there is no source in it.
#[track_caller]
fn assert_empty(context: &glib::MainContext) {
    assert_idle(context);
    let context = context.to_glib_none().0;
    let mut priority = 0;
    let mut timeout = 0;
    // SAFETY: this thread owns the context; no descriptors are asked for, only how many there are.
    let polled = unsafe {
        glib::ffi::g_main_context_prepare(context, &raw mut priority);
        glib::ffi::g_main_context_query(context, i32::MAX, &raw mut timeout, ptr::null_mut(), 0)
    };
    assert_eq!(timeout, -1, "a source in the context has a ready time");
    assert_eq!(
        polled, 1,
        "a source in the context has a descriptor, besides GLib's own"
    );
}

/// The watch of a connection's peer, its notifications and its operations: all go with it.
#[test]
fn a_connection_leaves_no_source_in_its_context() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 100) {
            assert_empty(context);
            let (connection, peer) = if cycle % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            for _ in 0..cycle % 3 {
                write_by(Form::C, context, &connection, &gio::Cancellable::new());
            }
            match cycle % 4 {
                0 => connection.close(gio::Cancellable::NONE).expect("open"),
                1 => {
                    // The change of the counter is still to be told, and later than now.
                    write_by(
                        Form::Blocking,
                        context,
                        &connection,
                        &gio::Cancellable::new(),
                    );
                    write_by(
                        Form::Blocking,
                        context,
                        &connection,
                        &gio::Cancellable::new(),
                    );
                }
                2 => {
                    connection
                        .set_socket(&ipv4_socket())
                        .expect("nothing is pending");
                }
                _ => {}
            }
            drop(connection);
            assert_empty(context);
            // Events on what was its descriptor concern nobody any more.
            drop(peer);
            assert_empty(context);
        }
    });
}

/// A descriptor that is no socket is closed with the error.
#[test]
fn descriptors_that_are_no_sockets_are_refused_and_closed() {
    counted(|_, warm_up| {
        for _ in 0..times(warm_up, 100) {
            let file = std::fs::File::open("/dev/null").expect("a device");
            let fd = file.as_raw_fd();
            let made = SocketConnection::factory_create_connection_from_fd(file.into());
            assert_fails(made, E::InvalidArgument);
            assert!(std::fs::read_link(format!("/proc/self/fd/{fd}")).is_err());
        }
    });
}
