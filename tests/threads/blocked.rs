//! Blocked calls, cancelled or closed.

use std::{io::Write, os::fd::AsRawFd, thread};

use gio::{IOErrorEnum as E, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, prelude::*};

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

#[test]
fn a_blocked_read_write_or_connect_ends_when_a_third_thread_cancels() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        let (connection, _peer) = connected();
        fill(&connection);
        let calling = unconnected();
        let (raw, raw_calling) = (Raw::of(&connection), Raw::of(&calling));
        for _ in 0..20 {
            let cancellables = [(); 3].map(|()| gio::Cancellable::new());
            let [read, write, connect] = cancellables.clone();
            let calls = [
                sleeping(move || raw.read(&mut [0; 4], Some(&read)).map(drop)),
                sleeping(move || raw.write(b"never", Some(&write)).map(drop)),
                sleeping(move || raw_calling.connect(address, Some(&connect))),
            ];
            let canceller = {
                let sleepers: Vec<_> = calls.iter().map(|(sleeper, _)| sleeper.clone()).collect();
                thread::spawn(move || {
                    for (sleeper, cancellable) in sleepers.iter().zip(&cancellables) {
                        sleeper.wait();
                        // SAFETY: a live cancellable.
                        unsafe { gio::ffi::g_cancellable_cancel(cancellable.to_glib_none().0) };
                    }
                })
            };
            for (_, call) in calls {
                assert_fails(call.join().expect("no panic"), E::Cancelled);
            }
            canceller.join().expect("no panic");
            assert_eq!(connection.state(), ConnectionState::Connected);
            assert_eq!(calling.state(), ConnectionState::Unconnected);
            assert_eq!(tcp_state(calling.socket().as_raw_fd()), TCP_CLOSE);
        }
    });
}

#[test]
fn one_cancellable_ends_all_that_wait_with_it() {
    on_private_context(|_| {
        let cancellable = gio::Cancellable::new();
        let connections: Vec<_> = (0..8).map(|_| connected()).collect();
        let calls: Vec<_> = connections
            .iter()
            .map(|(connection, _)| {
                let (raw, cancellable) = (Raw::of(connection), cancellable.clone());
                sleeping(move || raw.read(&mut [0; 4], Some(&cancellable)))
            })
            .collect();
        for (sleeper, _) in &calls {
            sleeper.wait();
        }
        cancellable.cancel();
        for (_, call) in calls {
            assert_fails(call.join().expect("no panic"), E::Cancelled);
        }
    });
}

#[test]
fn a_blocked_connect_ends_with_closed_when_another_thread_closes() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        for _ in 0..20 {
            let connection = unconnected();
            let raw = Raw::of(&connection);
            let kernel = KernelSocket::of_connection(&connection);
            let (sleeper, call) = sleeping(move || raw.connect(address, None));
            let closer = thread::spawn(move || {
                sleeper.wait();
                raw.close()
            });
            assert_fails(call.join().expect("no panic"), E::Closed);
            closer.join().expect("no panic").expect("open");
            assert_eq!(connection.state(), ConnectionState::Closed);
            assert!(!kernel.is_open());
        }
    });
}

#[test]
fn a_connect_while_another_thread_connects_fails_and_the_first_goes_on() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        let connection = unconnected();
        let raw = Raw::of(&connection);
        let cancellable = gio::Cancellable::new();
        let canceller = cancellable.clone();
        let (sleeper, call) = sleeping(move || raw.connect(address, Some(&cancellable)));
        sleeper.wait();
        assert_eq!(connection.state(), ConnectionState::Connecting);
        assert_fails(raw.connect(address, None), E::Failed);
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
        assert!(!call.is_finished());
        canceller.cancel();
        assert_fails(call.join().expect("no panic"), E::Cancelled);
        connection
            .set_socket(&ipv4_socket())
            .expect("nothing is pending");
    });
}

#[test]
fn the_socket_cannot_be_exchanged_while_another_thread_waits_on_it() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        let before = connection.socket();
        let raw = Raw::of(&connection);
        let (sleeper, call) = sleeping(move || raw.read(&mut [0; 4], None));
        sleeper.wait();
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
        assert_eq!(connection.socket(), before);
        peer.write_all(b"free").expect("a working connection");
        assert_eq!(call.join().expect("no panic").expect("four bytes"), 4);
        fill(&connection);
        let (sleeper, call) = sleeping(move || raw.write(b"wait", None));
        sleeper.wait();
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
        drop(peer);
        assert!(
            call.join().expect("no panic").is_err(),
            "nobody is there any more"
        );
        connection
            .set_socket(&ipv4_socket())
            .expect("nothing is pending");
    });
}
