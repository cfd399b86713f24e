//! Making connections, and asking them, while system calls fail.

use std::io::Read;

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{
    ends::{Kind, assert_talks, connected, each_kind, pair, streams},
    scene::{Own, drive},
    support::assert_fails,
};

const OWN: Own = Own {
    calls: &[],
    again: &[],
    by_gio: false,
    codes_of_others: false,
    has_threads: false,
};

/// A connection that was made works; one that was not has closed the descriptor.
fn makes(kind: Kind) {
    drive(OWN, move |scene| {
        let (mut peer, fd) = pair(kind);
        let socket = (!kind.bare).then(|| gio::Socket::from_fd(fd.try_clone().expect("room")));
        let outcome = match socket {
            Some(socket) => {
                drop(fd);
                let socket = socket.expect("a socket");
                scene.note("socket", &socket);
                scene.under_faults(|| Ok(SocketConnection::factory_create_connection(&socket)))
            }
            None => scene.under_faults(|| SocketConnection::factory_create_connection_from_fd(fd)),
        };
        if let Ok(connection) = &outcome {
            scene.note("connection", connection);
            assert_talks(connection, &mut peer);
            connection.close(gio::Cancellable::NONE).expect("open");
        }
        outcome.map(drop)
    });
}

/// The socket of a bare descriptor is made when somebody asks. GIO may close the descriptor when it cannot: the
/// connection is closed then, and no number is used that may be somebody else's.
fn asks_for_the_socket(kind: Kind) {
    drive(OWN, move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        let socket = scene.under_faults(|| connection.socket());
        scene.note("socket", &socket);
        if scene.suffered() && connection.state() == ConnectionState::Closed {
            let input = connection.input_stream();
            assert_fails(input.read([0; 4], gio::Cancellable::NONE), E::Closed);
            let mut rest = Vec::new();
            peer.read_to_end(&mut rest).expect("an end of file");
            return Ok(());
        }
        assert_talks(&connection, &mut peer);
        connection.close(gio::Cancellable::NONE).expect("open");
        Ok(())
    });
}

/// Asking never changes anything.
fn asks_for_the_rest(kind: Kind) {
    drive(OWN, move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        let (input, output) = streams(scene, &connection);
        let outcome = scene.under_faults(|| {
            let local = connection.local_address();
            let remote = connection.remote_address();
            let readable = input.dynamic_cast_ref::<gio::PollableInputStream>();
            let writable = output.dynamic_cast_ref::<gio::PollableOutputStream>();
            assert!(!readable.expect("pollable").is_readable());
            // No answer is "no".
            let _ = writable.expect("pollable").is_writable();
            assert!(connection.is_connected());
            assert!(connection.is_alive());
            local.and(remote).map(drop)
        });
        assert_talks(&connection, &mut peer);
        connection.close(gio::Cancellable::NONE).expect("open");
        outcome
    });
}

each_kind! {
    make: makes;
    ask_for_the_socket: asks_for_the_socket;
    ask_for_the_rest: asks_for_the_rest;
}
