//! The last reference, dropped elsewhere.

use std::{
    io::Write,
    ptr,
    thread::{self, JoinHandle},
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::translate::IntoGlibPtr;
use gsock::{SocketConnection, prelude::*};

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

/// Gives the last reference up on another thread, when this one sleeps.
fn drop_elsewhere(connection: SocketConnection, sleeper: Sleeper) -> JoinHandle<()> {
    struct Reference(*mut gio::ffi::GIOStream);
    // SAFETY: a counted reference, which C may give up on any thread.
    unsafe impl Send for Reference {}
    let reference = Reference(connection.upcast::<gio::IOStream>().into_glib_ptr());
    thread::spawn(move || {
        let reference = reference;
        sleeper.wait();
        // SAFETY: the reference that was moved here.
        unsafe { glib::gobject_ffi::g_object_unref(reference.0.cast()) };
    })
}

#[test]
fn the_last_reference_dropped_elsewhere_ends_what_is_pending_here() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for round in 0..20 {
                let (connection, mut peer) = make();
                let bare_kernel = KernelSocket::of(pollable_fd(&connection));
                let gone = Gone::of(&connection);
                if round % 2 == 0 {
                    fill(&connection);
                }
                let sent = connection.bytes_written();
                let reading = start_read(&connection, 4, None);
                let writing = (round % 2 == 0).then(|| start_write(&connection, vec![1], None));
                let dropper = drop_elsewhere(connection, Sleeper::here());
                sleep_until(context, || {
                    reading.has_ended() && writing.as_ref().is_none_or(|one| one.has_ended())
                });
                assert_fails(reading.outcome(), E::Closed);
                if let Some(writing) = &writing {
                    assert_fails(writing.outcome(), E::Closed);
                }
                dropper.join().expect("no panic");
                assert_idle(context);
                assert!(writing.is_none_or(|writing| writing.is_task_gone()));
                assert!(gone.is_gone() && reading.is_task_gone());
                assert!(!bare_kernel.is_open(), "closed, at home");
                assert_eq!(read_to_end(&mut peer).len() as u64, sent);
            }
        }
    });
}

/// F-24: in GIO the read keeps the socket open until data comes.
#[test]
fn the_last_reference_dropped_elsewhere_ends_a_blocked_read() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            let (connection, mut peer) = make();
            let gone = Gone::of(&connection);
            let kernel = KernelSocket::of(pollable_fd(&connection));
            let stream = connection.input_stream();
            let stream_gone = Gone::of(&stream);
            struct Stream(*mut gio::ffi::GInputStream);
            // SAFETY: a counted reference, which C may use on any thread.
            unsafe impl Send for Stream {}
            let stream = Stream(stream.into_glib_ptr());
            let (sleeper, call) = sleeping(move || {
                let stream = stream;
                let mut buffer = [0_u8; 4];
                let mut failure = ptr::null_mut();
                // SAFETY: the reference that was moved here; the buffer is as long as said.
                let count = unsafe {
                    gio::ffi::g_input_stream_read(
                        stream.0,
                        buffer.as_mut_ptr().cast(),
                        buffer.len(),
                        ptr::null_mut(),
                        &raw mut failure,
                    )
                };
                let result = said(usize::try_from(count).unwrap_or(0), count < 0, failure);
                // SAFETY: the reference that was moved here.
                unsafe { glib::gobject_ffi::g_object_unref(stream.0.cast()) };
                result
            });
            let dropper = drop_elsewhere(connection, sleeper);
            assert_fails(call.join().expect("no panic"), E::Closed);
            dropper.join().expect("no panic");
            assert_idle(context);
            assert!(gone.is_gone() && stream_gone.is_gone());
            assert!(!kernel.is_open());
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

#[test]
fn the_last_reference_dropped_elsewhere_while_connecting_leaves_the_operation_to_end() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let echo = echo_server();
        for silent in [true, false] {
            let connection = unconnected();
            let cancellable = gio::Cancellable::new();
            let traces = Traces::of(&connection).and("cancellable", &cancellable);
            let address = if silent { deaf.address } else { echo };
            let connecting = start_connect(&connection, &gio_address(address), Some(&cancellable));
            let sleeper = Sleeper::here();
            // The operation's own references stay at home.
            let dropper = if silent {
                drop_elsewhere(connection, sleeper)
            } else {
                drop(connection);
                thread::spawn(|| {})
            };
            let canceller = silent.then(|| cancel_soon(&cancellable));
            sleep_until(context, || connecting.has_ended());
            if silent {
                assert_fails(connecting.outcome(), E::Cancelled);
            } else {
                assert!(connecting.outcome().is_ok());
            }
            dropper.join().expect("no panic");
            if let Some(canceller) = canceller {
                canceller.join().expect("no panic");
            }
            drop(cancellable);
            traces.assert_gone(context, &[&connecting]);
        }
    });
}

/// Made by a thread that is gone when the last reference is.
#[test]
fn a_connection_outlives_the_thread_that_made_it() {
    on_private_context(|_| {
        struct Reference(*mut gio::ffi::GIOStream);
        // SAFETY: a counted reference, which C may give up on any thread.
        unsafe impl Send for Reference {}
        for make in [connected, connected_bare] {
            let (reference, gone, kernel, mut peer) = thread::spawn(move || {
                let (connection, peer) = make();
                let gone = Gone::of(&connection);
                let kernel = KernelSocket::of(pollable_fd(&connection));
                let reference = Reference(connection.upcast::<gio::IOStream>().into_glib_ptr());
                (reference, gone, kernel, peer)
            })
            .join()
            .expect("no panic");
            let raw = Raw(reference.0);
            peer.write_all(b"here").expect("a working connection");
            let mut buffer = [0; 4];
            assert_eq!(raw.read(&mut buffer, None).expect("four bytes"), 4);
            assert_eq!(raw.write(b"back", None).expect("room"), 4);
            // SAFETY: the reference that came from that thread.
            unsafe { glib::gobject_ffi::g_object_unref(reference.0.cast()) };
            assert!(gone.is_gone());
            assert!(!kernel.is_open());
            assert_eq!(read_to_end(&mut peer), b"back");
        }
    });
}
