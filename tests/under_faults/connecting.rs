//! Connecting while system calls fail.

use std::{thread, time::Duration};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{
    ends::{Kind, Listener, assert_talks, each_kind, unconnected},
    scene::{Own, Scene, drive, play_the_peer},
    started,
};

type Form = fn(&Scene<'_>, &SocketConnection, &gio::SocketAddress) -> Result<(), glib::Error>;

fn blocking(
    _: &Scene<'_>,
    connection: &SocketConnection,
    address: &gio::SocketAddress,
) -> Result<(), glib::Error> {
    connection.connect(address, gio::Cancellable::NONE)
}

fn asynchronous(
    scene: &Scene<'_>,
    connection: &SocketConnection,
    address: &gio::SocketAddress,
) -> Result<(), glib::Error> {
    let connecting = started::connect(connection, address);
    connecting.wait(scene.context).map(drop)
}

fn future(
    scene: &Scene<'_>,
    connection: &SocketConnection,
    address: &gio::SocketAddress,
) -> Result<(), glib::Error> {
    scene.context.block_on(connection.connect_future(address))
}

/// SC-13, SOCK-25: a connect that failed leaves the socket unconnected, and fit for another try.
fn connects(kind: Kind, form: Form) {
    let own = Own {
        calls: &["connect"],
        // A listener whose queue is full, which is waited out.
        again: match kind.unix {
            true => &[("connect", libc::EAGAIN)],
            false => &[],
        },
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let (listener, address) = Listener::new(kind);
        let connection = unconnected(scene, kind);
        let outcome = scene.under_faults(|| form(scene, &connection, &address));
        if outcome.is_err() {
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            assert!(!connection.is_connected());
            assert!(connection.last_error().is_some());
            let again = SocketConnection::connect(&connection, &address, gio::Cancellable::NONE);
            again.expect("nothing fails any more");
        }
        assert_eq!(connection.state(), ConnectionState::Connected);
        assert!(connection.last_error().is_none());
        let mut peer = listener.accept(&connection);
        assert_talks(&connection, &mut peer);
        connection.close(gio::Cancellable::NONE).expect("open");
        outcome
    });
}

/// F-17: a listener whose queue is full is waited for.
fn connects_to_a_full_listener(bare: bool, form: Form) {
    let own = Own {
        calls: &["connect"],
        again: &[("connect", libc::EAGAIN)],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let (listener, address, fillers) = Listener::full();
        let connection = unconnected(scene, Kind { unix: true, bare });
        let accepted = fillers.len();
        let listening = thread::spawn(move || {
            play_the_peer();
            thread::sleep(Duration::from_millis(4));
            for _ in 0..accepted {
                listener.accept().expect("somebody called");
            }
            Listener::Unix(listener)
        });
        let outcome = scene.under_faults(|| form(scene, &connection, &address));
        if outcome.is_err() {
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            let again = SocketConnection::connect(&connection, &address, gio::Cancellable::NONE);
            again.expect("nothing fails any more");
        }
        let listener = listening.join().expect("no panic");
        let mut peer = listener.accept(&connection);
        assert_talks(&connection, &mut peer);
        connection.close(gio::Cancellable::NONE).expect("open");
        outcome
    });
}

mod connect_to_a_full_listener {
    use super::*;

    #[test]
    fn blocking_unix() {
        connects_to_a_full_listener(false, blocking);
    }

    #[test]
    fn blocking_unix_bare() {
        connects_to_a_full_listener(true, blocking);
    }

    #[test]
    fn async_unix() {
        connects_to_a_full_listener(false, asynchronous);
    }

    #[test]
    fn async_unix_bare() {
        connects_to_a_full_listener(true, asynchronous);
    }
}

each_kind! {
    connect_blocking: |kind| connects(kind, blocking);
    connect_async: |kind| connects(kind, asynchronous);
    connect_future: |kind| connects(kind, future);
}
