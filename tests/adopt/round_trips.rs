//! From GIO's classes to ours and back.

use gio::prelude::*;
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn from_gio_shares_the_transport_of_what_gio_made() {
    adopted(|context| {
        let (client, served) = client_and_service(context);
        let (ours, theirs) = (
            SocketConnection::from_gio(&client),
            SocketConnection::from_gio(&served),
        );
        assert_eq!(ours.type_(), gsock::TcpConnection::static_type());
        assert_eq!(ours.state(), ConnectionState::Connected);
        assert_eq!(ours.socket(), client.socket());
        assert_eq!(
            ours.remote_address().expect("a peer").to_string(),
            theirs.local_address().expect("a peer").to_string()
        );
        // One state and one count of the bytes, whichever is used.
        write_all(&client, b"one");
        write_all(&ours, b"two");
        assert_eq!(ours.bytes_written(), 6);
        assert_eq!(read_some(&served).expect("sent"), b"onetwo");
        assert_eq!(theirs.bytes_read(), 6);
    });
}

#[test]
fn it_is_the_same_object_each_time_and_the_way_back_leads_home() {
    adopted(|_| {
        let (connection, _peer) = adopted_tcp();
        let ours = SocketConnection::from_gio(&connection);
        assert_eq!(SocketConnection::from_gio(&connection), ours);
        assert_eq!(ours.to_gio(), connection);

        let (ours, _peer) = connected();
        let connection = ours.to_gio();
        assert_eq!(ours.to_gio(), connection);
        assert_eq!(SocketConnection::from_gio(&connection), ours);
    });
}

#[test]
fn after_one_is_gone_there_is_another() {
    adopted(|context| {
        let (connection, mut peer) = adopted_tcp();
        let first = SocketConnection::from_gio(&connection);
        write_all(&first, b"first, ");
        drop(first);
        let second = SocketConnection::from_gio(&connection);
        assert_eq!(second.state(), ConnectionState::Connected);
        write_all(&connection, b"second, ");
        assert_eq!(second.bytes_written(), 15);
        // Whose notifications come, as those of the first did.
        let seen = notifications(&second);
        drop(connection);
        let third = second.to_gio();
        write_all(&third, b"third");
        peer.shutdown(std::net::Shutdown::Write).expect("open");
        iterate_until(context, || seen.borrow().iter().any(|name| name == "alive"));
        assert_eq!(second.state(), ConnectionState::Disconnected);
        drop((second, third));
        assert_eq!(read_to_end(&mut peer), b"first, second, third");
    });
}

#[test]
fn the_peers_departure_is_told_to_ours() {
    adopted(|context| {
        let (connection, peer) = adopted_tcp();
        let ours = SocketConnection::from_gio(&connection);
        drop(peer);
        iterate_until(context, || ours.state() == ConnectionState::Disconnected);
        assert!(!ours.is_alive());
    });
}

/// Whoever made it, and used it first, is somewhere else.
#[test]
fn its_home_is_where_it_was_asked_for() {
    adopted(|_| {
        let (connection, peer) = adopted_tcp();
        let _streams = (connection.input_stream(), connection.output_stream());
        let there = connection.as_ptr() as usize;
        std::thread::spawn(move || {
            let context = glib::MainContext::new();
            let told = context.with_thread_default(|| {
                // SAFETY: a live object, as C would use it here.
                let connection: gio::SocketConnection = unsafe {
                    glib::translate::from_glib_none(there as *mut gio::ffi::GSocketConnection)
                };
                let ours = SocketConnection::from_gio(&connection);
                let seen = notifications(&ours);
                drop(peer);
                iterate_until(&context, || {
                    seen.borrow().iter().any(|name| name == "alive")
                });
            });
            told.expect("a new context has no owner");
        })
        .join()
        .expect("no panic");
    });
}

#[test]
fn graceful_disconnect_goes_along() {
    adopted(|_| {
        let (connection, _peer) = adopted_tcp();
        let connection: gio::TcpConnection = connection.downcast().expect("TCP");
        connection.set_graceful_disconnect(true);
        let ours: gsock::TcpConnection = SocketConnection::from_gio(&connection)
            .downcast()
            .expect("TCP");
        assert!(gsock::TcpConnectionExt::is_graceful_disconnect(&ours));

        let (ours, _peer) = connected();
        let ours: gsock::TcpConnection = ours.downcast().expect("TCP");
        gsock::TcpConnectionExt::set_graceful_disconnect(&ours, true);
        let connection: gio::TcpConnection = ours.to_gio().downcast().expect("TCP");
        assert!(connection.is_graceful_disconnect());
    });
}

/// A handler in Rust belongs to one thread, and so must whatever object it can be connected to.
#[test]
fn on_another_thread_it_is_another_object_on_the_same_socket() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        let ours = SocketConnection::from_gio(&connection);
        let there = connection.as_ptr() as usize;
        let known = ours.as_ptr() as usize;
        std::thread::spawn(move || {
            // SAFETY: a live object, as C would use it here.
            let connection: gio::SocketConnection = unsafe {
                glib::translate::from_glib_none(there as *mut gio::ffi::GSocketConnection)
            };
            let other = SocketConnection::from_gio(&connection);
            assert_ne!(other.as_ptr() as usize, known);
            write_all(&other, b"there, ");
        })
        .join()
        .expect("no panic");
        write_all(&ours, b"here");
        drop((ours, connection));
        assert_eq!(read_to_end(&mut peer), b"there, here");
    });
}

#[test]
fn a_unix_connection_goes_there_and_back() {
    adopted(|_| {
        let (connection, _peer) = adopted_unix();
        let ours = SocketConnection::from_gio(&connection);
        assert_eq!(ours.type_(), gsock::UnixConnection::static_type());
        assert_eq!(ours.to_gio(), connection.upcast::<gio::SocketConnection>());
    });
}

/// Though their transport is one, which the first has closed.
#[test]
fn each_one_that_is_closed_says_so() {
    adopted(|context| {
        let (connection, _peer) = adopted_tcp();
        for _ in 0..3 {
            let ours = SocketConnection::from_gio(&connection);
            let seen = notifications(&ours);
            ours.close(gio::Cancellable::NONE).expect("it is open");
            iterate_until(context, || {
                seen.borrow().iter().any(|name| name == "closed")
            });
        }
    });
}

fn dispose(object: &impl IsA<glib::Object>) {
    // SAFETY: a live object.
    unsafe { glib::gobject_ffi::g_object_run_dispose(object.as_ref().to_glib_none().0) };
}

/// It is of no use, and what shares the socket with it is.
#[test]
fn one_that_was_disposed_of_is_not_handed_out_again() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        let ours = SocketConnection::from_gio(&connection);
        dispose(&connection);
        let other = ours.to_gio();
        assert_ne!(other, connection);
        write_all(&other, b"theirs, ");

        dispose(&ours);
        let second = SocketConnection::from_gio(&other);
        assert_ne!(second, ours);
        assert_eq!(second.state(), ConnectionState::Connected);
        write_all(&second, b"ours");
        drop((connection, ours, other, second));
        assert_eq!(read_to_end(&mut peer), b"theirs, ours");
    });
}

/// What has moved on to another socket is not on the one that GIO's object has.
#[test]
fn one_that_has_moved_on_is_not_handed_out_again() {
    adopted(|_| {
        let (connection, _peer) = adopted_tcp();
        let ours = SocketConnection::from_gio(&connection);
        let (_other_peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        ours.set_socket(&socket).expect("nothing is under way");
        let second = SocketConnection::from_gio(&connection);
        assert_ne!(second, ours);
        assert_eq!(second.socket(), connection.socket());
        assert_eq!(ours.to_gio().socket(), socket);
    });
}
