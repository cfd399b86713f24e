//! A context that dies with futures pending.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use gio::prelude::*;
use glib::translate::IntoGlibPtr;
use gsock::{SocketConnection, prelude::*};

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

/// A future goes with the context that drives it, unless something in it keeps that context, as a
/// GTask does (ASYNC-12, ASYNC-18).
#[test]
fn futures_of_a_context_that_is_destroyed_are_freed() {
    on_private_context(|_| {
        let deaf = deaf_listener();
        let address = deaf.address;
        for (steps, at_home) in [
            (0, false),
            (1, false),
            (5, false),
            (0, true),
            (1, true),
            (5, true),
        ] {
            let worker = thread::spawn(move || {
                let context = glib::MainContext::new();
                // A connection does not keep the context of its home either.
                let home = if at_home {
                    context.clone()
                } else {
                    glib::MainContext::new()
                };
                let connection = home
                    .with_thread_default(unconnected)
                    .expect("a new context has no owner");
                drop(home);
                let left = context
                    .with_thread_default(|| {
                        let kernel = KernelSocket::of_connection(&connection);
                        let gone = [Gone::of(&connection), Gone::of(&connection.socket())];
                        let connecting = connection.connect_future(&gio_address(address));
                        context.spawn_local(async move {
                            let _ = connecting.await;
                            drop(connection);
                            panic!("nobody answers");
                        });
                        iterate(&context, steps);
                        (kernel, gone)
                    })
                    .expect("a new context has no owner");
                assert!(!left.1[0].is_gone(), "the future holds it");
                drop(context);
                left
            });
            let (kernel, gone) = worker.join().expect("no panic");
            assert!(gone.iter().all(Gone::is_gone), "{steps} {at_home}");
            assert!(!kernel.is_open(), "{steps} {at_home}");
        }
    });
}

/// The home goes at the very moment at which another thread has something to tell there, or gives
/// the last reference up.
#[test]
fn a_home_may_go_while_another_thread_works_on_the_connection() {
    at_length(|_| {
        for round in 0..2000_u64 {
            let start = Arc::new(Barrier::new(2));
            let context = glib::MainContext::new();
            let (reference, gone, mut peer) = context
                .with_thread_default(|| {
                    let (connection, peer) = if round % 2 == 0 {
                        // A socket that finds nobody at home is closed and never freed.
                        let (peer, fd) = tcp_pair();
                        let socket = gio::Socket::from_fd(fd).expect("a socket");
                        (SocketConnection::factory_create_connection(&socket), peer)
                    } else {
                        connected_bare()
                    };
                    let gone = Gone::of(&connection);
                    let reference = connection.upcast::<gio::IOStream>().into_glib_ptr();
                    (Raw(reference), gone, peer)
                })
                .expect("a new context has no owner");
            let started = start.clone();
            let user = thread::spawn(move || {
                started.wait();
                match round % 4 {
                    // Counters, then the state, then everything.
                    0 | 1 => {
                        for _ in 0..4 {
                            reference.write(b"told", None).expect("room");
                        }
                        reference.close().expect("open");
                    }
                    2 => {
                        reference.write(b"told", None).expect("room");
                    }
                    _ => {}
                }
                // SAFETY: the reference that was handed over.
                unsafe { glib::gobject_ffi::g_object_unref(reference.0.cast()) };
            });
            start.wait();
            for _ in 0..(round * 13) % 200 {
                std::hint::spin_loop();
            }
            drop(context);
            user.join().expect("no panic");
            assert!(gone.is_gone());
            let told = read_to_end(&mut peer);
            assert!(told.len().is_multiple_of(4));
        }
    });
}
