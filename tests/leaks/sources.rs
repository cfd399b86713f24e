//! What stays on a cancellable, and in a context.

use std::{io::Write, os::fd::AsRawFd, ptr, time::Duration};

use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::{GFALSE, GTRUE},
    translate::ToGlibPtr,
};
use gsock::{SocketConnection, prelude::*};

use crate::counting::*;
use crate::support::*;
use crate::tools::*;

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
    // The engine stays, and so does the descriptor by which it watches all others.
    assert!(
        polled <= 2,
        "a source in the context has a descriptor, besides GLib's own and the engine's"
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

/// Whether something that the context polls is ready, which ends its sleep, be it for nothing.
fn is_roused(context: &glib::MainContext) -> bool {
    let context = context.to_glib_none().0;
    let (mut priority, mut timeout) = (0, 0);
    // SAFETY: plain data, all zero is valid.
    let mut polled: [glib::ffi::GPollFD; 8] = unsafe { std::mem::zeroed() };
    // SAFETY: this thread owns the context; there is room for as many as said.
    let count = unsafe {
        glib::ffi::g_main_context_prepare(context, &raw mut priority);
        glib::ffi::g_main_context_query(context, i32::MAX, &raw mut timeout, polled.as_mut_ptr(), 8)
    };
    let mut polled: Vec<_> = polled[..usize::try_from(count).expect("not negative")]
        .iter()
        .map(|polled| libc::pollfd {
            fd: polled.fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    // SAFETY: as many as said.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, 0) > 0 }
}

/// The engine does not watch it any more, and its events do not wake the context.
#[test]
fn a_socket_that_others_keep_is_not_watched_without_its_connection() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 20) {
            let (connection, mut peer) = connected();
            let socket = connection.socket();
            let reading = (cycle % 2 == 0).then(|| start_read(&connection, 4, None));
            iterate(context, 2);
            drop(connection);
            if let Some(reading) = reading {
                assert_fails(finished(context, &reading), E::Closed);
            }
            assert_empty(context);
            peer.write_all(b"late").expect("connected");
            let arrived = socket.condition_timed_wait(
                glib::IOCondition::IN,
                5_000_000,
                gio::Cancellable::NONE,
            );
            arrived.expect("four bytes");
            assert!(!is_roused(context), "somebody listens");
            socket.close().expect("open");
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
