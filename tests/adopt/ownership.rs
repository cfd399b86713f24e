//! Who keeps the socket open, and who closes it.

use std::thread;

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn the_last_reference_closes_the_socket_used_or_not() {
    adopted(|_| {
        for used in [false, true] {
            let (connection, mut peer) = adopted_tcp();
            if used {
                write_all(&connection, b"x");
            }
            let gone = [Gone::of(&connection), Gone::of(&connection.socket())];
            drop(connection);
            assert!(gone.iter().all(Gone::is_gone));
            assert_eq!(read_to_end(&mut peer).len(), usize::from(used));
        }
    });
}

#[test]
fn a_socket_that_others_hold_stays_open() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        write_all(&connection, b"from the connection, ");
        let socket = connection.socket();
        drop(connection);
        assert!(!socket.is_closed());
        socket
            .send(b"from the socket", gio::Cancellable::NONE)
            .expect("it is open");
        drop(socket);
        assert_eq!(
            read_to_end(&mut peer),
            b"from the connection, from the socket"
        );
    });
}

/// The thread that made them has a loop that nobody runs.
#[test]
fn dropped_on_another_thread_the_socket_closes_there() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        write_all(&connection, b"x");
        let gone = [Gone::of(&connection), Gone::of(&connection.socket())];
        let carried = Carried(connection);
        thread::spawn(move || drop(carried))
            .join()
            .expect("no panic");
        assert!(gone.iter().all(Gone::is_gone));
        assert_eq!(read_to_end(&mut peer), b"x");
    });
}

/// The socket object may have handlers of whoever shared it, and goes where they belong; its descriptor need not wait.
#[test]
fn dropped_on_another_thread_it_is_closed_there_also_once_it_was_shared() {
    adopted(|_| {
        let (shared, shared_peer) = adopted_tcp();
        drop(SocketConnection::from_gio(&shared));
        let (ours, ours_peer) = connected();
        let made = ours.to_gio();
        drop(ours);
        for (connection, mut peer) in [(shared, shared_peer), (made, ours_peer)] {
            write_all(&connection, b"x");
            let carried = Carried(connection);
            thread::spawn(move || drop(carried))
                .join()
                .expect("no panic");
            // Without an iteration at home.
            assert_eq!(read_to_end(&mut peer), b"x");
        }
    });
}

/// As C carries an object to another thread.
struct Carried<T>(T);

// SAFETY: the tests use one thread at a time, and no handlers are connected.
unsafe impl<T> Send for Carried<T> {}

impl<T> Carried<T> {
    fn get(&self) -> &T {
        &self.0
    }
}

#[test]
fn a_stream_does_not_keep_its_connection_and_is_closed_with_it() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        drop(connection);
        assert!(input.is_closed());
        assert!(output.is_closed());
        // They have the socket, though, as GIO's own do.
        drop((input, output));
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// GIO's own would go on waiting, and keep the socket open for it (SC-27).
#[test]
fn a_read_that_waits_ends_when_its_connection_is_dropped() {
    adopted(|context| {
        let (connection, mut peer) = adopted_tcp();
        let ended = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = ended.clone();
        connection.input_stream().read_bytes_async(
            8,
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |result| *slot.borrow_mut() = Some(result.map(|bytes| bytes.len())),
        );
        context.iteration(false);
        drop(connection);
        iterate_until(context, || ended.borrow().is_some());
        assert_fails(ended.take().expect("waited for"), gio::IOErrorEnum::Closed);
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn the_one_that_is_left_goes_on_whichever_is_dropped_first() {
    adopted(|_| {
        for gios_first in [false, true] {
            let (connection, mut peer) = adopted_tcp();
            let ours = SocketConnection::from_gio(&connection);
            let gone = [
                Gone::of(&connection),
                Gone::of(&ours),
                Gone::of(&connection.socket()),
            ];
            if gios_first {
                drop(connection);
                assert!(gone[0].is_gone());
                assert!(ours.is_alive());
                write_all(&ours, b"on");
                drop(ours);
            } else {
                drop(ours);
                assert!(gone[1].is_gone());
                assert!(connection.is_connected());
                write_all(&connection, b"on");
                drop(connection);
            }
            assert!(gone.iter().all(Gone::is_gone));
            assert_eq!(read_to_end(&mut peer), b"on");
        }
    });
}

#[test]
fn likewise_of_one_of_ours_and_what_to_gio_made_of_it() {
    adopted(|context| {
        for gios_first in [false, true] {
            let (ours, mut peer) = connected();
            let connection = ours.to_gio();
            let gone = [
                Gone::of(&connection),
                Gone::of(&ours),
                Gone::of(&ours.socket()),
            ];
            if gios_first {
                drop(connection);
                assert!(gone[0].is_gone());
                assert!(ours.is_alive());
                write_all(&ours, b"on");
                drop(ours);
            } else {
                drop(ours);
                assert!(gone[1].is_gone());
                assert!(connection.is_connected());
                write_all(&connection, b"on");
                drop(connection);
            }
            // The socket of one of ours goes at home.
            iterate_until(context, || gone.iter().all(Gone::is_gone));
            assert_eq!(read_to_end(&mut peer), b"on");
        }
    });
}

#[test]
fn closing_either_closes_the_socket_of_both() {
    adopted(|_| {
        for ours_first in [false, true] {
            let (connection, mut peer) = adopted_tcp();
            let ours = SocketConnection::from_gio(&connection);
            if ours_first {
                ours.close(gio::Cancellable::NONE).expect("it was open");
            } else {
                connection
                    .close(gio::Cancellable::NONE)
                    .expect("it was open");
            }
            assert!(connection.socket().is_closed());
            assert_eq!(ours.state(), ConnectionState::Closed);
            assert_fails(read_some(&connection), gio::IOErrorEnum::Closed);
            assert_fails(read_some(&ours), gio::IOErrorEnum::Closed);
            ours.close(gio::Cancellable::NONE).expect("it is closed");
            connection
                .close(gio::Cancellable::NONE)
                .expect("it is closed");
            assert!(ours.is_closed());
            assert!(connection.is_closed());
            assert_eq!(read_to_end(&mut peer), b"");
        }
    });
}

#[test]
fn a_dispose_by_hand_lets_go_and_no_more() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        write_all(&connection, b"x");
        // SAFETY: a live object.
        unsafe { glib::gobject_ffi::g_object_run_dispose(connection.as_ptr().cast()) };
        assert!(connection.is_closed());
        assert!(!connection.socket().is_closed());
        assert_fails(read_some(&connection), gio::IOErrorEnum::Closed);
        drop(connection);
        assert_eq!(read_to_end(&mut peer), b"x");
    });
}

#[test]
fn nothing_is_left_of_many() {
    adopted(|context| {
        let mut gone = Vec::new();
        for _ in 0..50 {
            let (client, served) = client_and_service(context);
            let ours = SocketConnection::from_gio(&served);
            write_all(&client, b"x");
            assert_eq!(read_some(&ours).expect("sent"), b"x");
            let there_and_back = ours.to_gio();
            gone.extend([
                Gone::of(&client),
                Gone::of(&client.socket()),
                Gone::of(&served),
                Gone::of(&served.socket()),
                Gone::of(&ours),
                Gone::of(&there_and_back.input_stream()),
                Gone::of(&there_and_back.output_stream()),
            ]);
        }
        // Sources of GIO's own hold a socket for an iteration.
        iterate_until(context, || gone.iter().all(Gone::is_gone));
    });
}

#[test]
fn a_carried_connection_reads_on_the_thread_that_has_it() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        let carried = Carried(connection);
        let reader = thread::spawn(move || read_some(carried.get()));
        std::io::Write::write_all(&mut peer, b"there").expect("room");
        assert_eq!(reader.join().expect("no panic").expect("sent"), b"there");
    });
}
