//! The ends of a connection, and its beginning: what each operation answers then.

use std::{net::Shutdown, os::unix::net::UnixListener};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, UnixConnection, prelude::*};

use crate::{support::*, tools::*, unix_tools::*};

/// What all of them answer.
fn all(form: Form, context: &glib::MainContext, connection: &UnixConnection) -> Vec<Option<E>> {
    let parcel = Parcel::new();
    let failed = |result: Result<(), glib::Error>| result.err().map(|failure| code(&failure));
    vec![
        failed(send_fd(form, context, connection, parcel.fd())),
        failed(send_fds(form, context, connection, &[parcel.fd(); 2])),
        failed(send_credentials(form, context, connection)),
        failed(receive_fd(form, context, connection).map(drop)),
        failed(receive_fds(form, context, connection, 2).map(drop)),
        failed(receive_credentials(form, context, connection).map(drop)),
    ]
}

fn sends_and_receives(send: E, receive: E) -> Vec<Option<E>> {
    [[Some(send); 3], [Some(receive); 3]].concat()
}

/// F-15, UNIX-6: GIO answers without a descriptor and without an error. The number 44 has two names.
#[test]
fn the_end_of_what_the_peer_sends_is_an_error_of_its_own() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            peer.shutdown(Shutdown::Write).expect("open");
            for _ in 0..2 {
                assert_fails(receive_fd(form, context, &connection), E::BrokenPipe);
                assert_fails(receive_fds(form, context, &connection, 2), E::BrokenPipe);
                assert_fails(
                    receive_credentials(form, context, &connection),
                    E::BrokenPipe,
                );
            }
            let failure = receive_fd(form, context, &connection).expect_err("the end");
            // SAFETY: reads a plain field of a live error.
            assert_eq!(unsafe { (*failure.as_ptr()).code }, 44);
            assert_eq!(connection.state(), ConnectionState::Disconnected);
            assert_eq!(connection.last_error().map(|it| it.to_string()), None);
            // The other direction is open.
            send_credentials(form, context, &connection).expect("room");
        }
    });
}

#[test]
fn what_was_sent_before_the_end_comes_first() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            let parcel = Parcel::new();
            send_by_hand(&peer, b"\0", &[parcel.fd()], false);
            send_by_hand(&peer, b"\0", &[], true);
            drop(peer);
            assert!(parcel.is(&receive_fd(form, context, &connection).expect("sent")));
            receive_credentials(form, context, &connection).expect("sent");
            assert_fails(receive_fd(form, context, &connection), E::BrokenPipe);
        }
    });
}

/// UNIX-4.
#[test]
fn to_a_peer_that_is_gone_nothing_is_sent_and_the_state_says_so() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            drop(peer);
            let expected = sends_and_receives(E::BrokenPipe, E::BrokenPipe);
            assert_eq!(all(form, context, &connection), expected);
            assert_eq!(connection.state(), ConnectionState::Disconnected);
            assert_eq!(connection.bytes_written(), 0);
        }
    });
}

/// A peer that closes with data unread.
#[test]
fn a_reset_is_told_once() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            send_credentials(form, context, &connection).expect("room");
            drop(peer);
            assert_fails(receive_fd(form, context, &connection), E::BrokenPipe);
            assert_fails(receive_fd(form, context, &connection), E::BrokenPipe);
            let last = connection.last_error().expect("what ended it");
            assert_eq!(code(&last), E::BrokenPipe);
        }
    });
}

#[test]
fn a_closed_connection_says_so_in_every_form_cancelled_or_not() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair();
            for connection in [&one, &other] {
                connection
                    .close(gio::Cancellable::NONE)
                    .expect("nothing to wait for");
                let expected = sends_and_receives(E::Closed, E::Closed);
                assert_eq!(all(form, context, connection), expected);
            }
        }
        let (connection, _peer) = with_peer();
        connection
            .close(gio::Cancellable::NONE)
            .expect("nothing to wait for");
        let cancelled = gio::Cancellable::new();
        cancelled.cancel();
        assert_fails(connection.receive_fd(Some(&cancelled)), E::Closed);
        let slot = Slot::new();
        let put = slot.put();
        connection.receive_fd_async(Some(&cancelled), move |connection, result| {
            put(connection.receive_fd_finish(result));
        });
        assert_fails(slot.wait(context), E::Closed);
    });
}

#[test]
fn a_socket_that_was_never_connected_answers_as_the_system_does() {
    on_private_context(|context| {
        for form in FORMS {
            let socket = gio::Socket::new(
                gio::SocketFamily::Unix,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
            );
            let socket = socket.expect("Unix sockets");
            let connection = SocketConnection::factory_create_connection(&socket);
            let connection = connection.downcast().expect("the factory makes these");
            let expected = sends_and_receives(E::NotConnected, E::InvalidArgument);
            assert_eq!(all(form, context, &connection), expected);
        }
    });
}

/// F-1: GIO answers `WOULD_BLOCK` from then on.
#[test]
fn after_connect_async_they_wait_as_before() {
    on_private_context(|context| {
        let directory = glib::tmp_dir().join(format!(
            "gsock-unix-{}-{}",
            std::process::id(),
            "after-connect-async"
        ));
        let _ = std::fs::remove_file(&directory);
        let listener = UnixListener::bind(&directory).expect("a name");
        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        );
        let connection: UnixConnection =
            SocketConnection::factory_create_connection(&socket.expect("Unix sockets"))
                .downcast()
                .expect("the factory makes these");
        let slot = Slot::new();
        let put = slot.put();
        connection.connect_async(
            &gio::UnixSocketAddress::new(&directory),
            gio::Cancellable::NONE,
            move |connection, result| put(connection.connect_finish(result)),
        );
        slot.wait(context).expect("it listens");
        std::fs::remove_file(&directory).expect("it is there");
        assert!(!connection.socket().is_blocking());
        let (peer, _) = listener.accept().expect("somebody connected");
        let peer = unix(peer);
        for form in FORMS {
            let parcel = Parcel::new();
            let later = on_thread(&peer, {
                let fd = parcel.fd().try_clone_to_owned().expect("room");
                move |peer| {
                    a_moment();
                    let fd = std::os::fd::AsFd::as_fd(&fd);
                    peer.send_fd(fd, gio::Cancellable::NONE).expect("room");
                    a_moment();
                    peer.send_credentials(gio::Cancellable::NONE).expect("room");
                }
            });
            assert!(parcel.is(&receive_fd(form, context, &connection).expect("sent")));
            receive_credentials(form, context, &connection).expect("sent");
            later.join().expect("no panic");
        }
    });
}
