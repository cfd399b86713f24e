//! A connection that moves on to another socket while other threads do something else with it.

use std::{cell::Cell, os::fd::OwnedFd, os::unix::net::UnixStream, rc::Rc, sync::Barrier, thread};

use gio::{Cancellable, prelude::*};
use glib::translate::IntoGlibPtr;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::support::*;

fn unix_socket() -> (gio::Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("two descriptors");
    theirs.set_read_timeout(Some(LIMIT)).expect("an option");
    let socket = gio::Socket::from_fd(OwnedFd::from(ours)).expect("a socket");
    (socket, theirs)
}

/// A move that another thread makes, as C may. The test keeps both objects.
struct Move(*const SocketConnection, *const gio::Socket);

// SAFETY: two pointers; what is done with them is what C may do on any thread.
unsafe impl Send for Move {}

impl Move {
    /// Whether it was made.
    fn make(self) -> bool {
        // SAFETY: the test keeps both until this thread has ended.
        let (connection, socket) = unsafe { (&*self.0, &*self.1) };
        connection.set_socket(socket).is_ok()
    }
}

/// Either it has moved on and then closed the new socket, or it was closed and stays where it was.
#[test]
fn a_close_and_a_set_socket_at_once_leave_no_socket_open() {
    on_private_context(|_| {
        for round in 0..500_u32 {
            let (first, _peer) = unix_socket();
            let connection = SocketConnection::new(&first);
            let (second, _other) = unix_socket();
            let moving = Move(&raw const connection, &raw const second);
            let start = Barrier::new(2);
            let moved = thread::scope(|scope| {
                let start = &start;
                let mover = scope.spawn(move || {
                    start.wait();
                    for _ in 0..round % 40 {
                        std::hint::spin_loop();
                    }
                    moving.make()
                });
                start.wait();
                for _ in 0..round / 40 {
                    std::hint::spin_loop();
                }
                connection.close(Cancellable::NONE).expect("it closes");
                mover.join().expect("no panic")
            });
            assert_eq!(connection.state(), ConnectionState::Closed);
            assert!(connection.socket().is_closed());
            assert_eq!(second.is_closed(), moved);
        }
    });
}

/// What becomes of the new socket before home is told of it is told as well.
#[test]
fn the_end_of_a_new_sockets_peer_is_told_whoever_set_it() {
    on_private_context_within(LIMIT * 3, |context| {
        for _ in 0..300 {
            let (first, _peer) = unix_socket();
            let connection = SocketConnection::new(&first);
            let told = Rc::new(Cell::new(connection.state()));
            let seen = told.clone();
            connection.connect_state_notify(move |connection| seen.set(connection.state()));
            let (second, other) = unix_socket();
            drop(other);
            let moving = Move(&raw const connection, &raw const second);
            let mover = thread::spawn(move || moving.make());
            while !mover.is_finished() {
                context.iteration(false);
                thread::yield_now();
            }
            assert!(mover.join().expect("no panic"));
            iterate_until(context, || told.get() == ConnectionState::Disconnected);
        }
    });
}

/// Whoever has got the socket has it: the end of the connection closes it before, or not at all.
#[test]
fn a_socket_is_not_closed_in_the_hands_of_a_thread_that_has_just_got_it() {
    on_private_context(|_| {
        for round in 0..500_u32 {
            let (socket, _peer) = unix_socket();
            let connection = SocketConnection::new(&socket);
            drop(socket);
            let input = connection.input_stream();
            let last = Last(connection.into_glib_ptr());
            let start = Barrier::new(2);
            thread::scope(|scope| {
                let start = &start;
                let dropper = scope.spawn(move || {
                    start.wait();
                    for _ in 0..round % 40 {
                        std::hint::spin_loop();
                    }
                    last.drop();
                });
                start.wait();
                let got = input.property::<gio::Socket>("socket");
                let was_closed = got.is_closed();
                dropper.join().expect("no panic");
                assert_eq!(got.is_closed(), was_closed);
            });
        }
    });
}

/// The last reference, which another thread drops, as C may.
struct Last(*mut gsock::subclass::SocketConnectionInstance);

// SAFETY: a pointer, to an object that any thread may drop.
unsafe impl Send for Last {}

impl Last {
    fn drop(self) {
        // SAFETY: the reference is this thread's now.
        unsafe { glib::gobject_ffi::g_object_unref(self.0.cast()) };
    }
}
