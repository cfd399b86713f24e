//! Closing and dropping while system calls fail.

use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, TcpConnection, TcpWrapperConnection, prelude::*};

use crate::{
    ends::{Kind, connected, each_kind, streams},
    scene::{Own, Scene, drive, pause, play_the_peer},
    started,
};

type Form = fn(&Scene<'_>, &SocketConnection) -> Result<(), glib::Error>;

fn blocking(_: &Scene<'_>, connection: &SocketConnection) -> Result<(), glib::Error> {
    connection.close(gio::Cancellable::NONE)
}

fn asynchronous(scene: &Scene<'_>, connection: &SocketConnection) -> Result<(), glib::Error> {
    started::close(connection).wait(scene.context).map(drop)
}

fn future(scene: &Scene<'_>, connection: &SocketConnection) -> Result<(), glib::Error> {
    let closing = connection.close_future(glib::Priority::DEFAULT);
    scene.context.block_on(closing)
}

fn own(kind: Kind) -> Own {
    Own {
        calls: &["close"],
        again: &[],
        by_gio: !kind.bare,
        codes_of_others: false,
        has_threads: false,
    }
}

fn assert_closed(connection: &SocketConnection) {
    assert!(connection.is_closed());
    assert!(!connection.is_connected());
    assert_eq!(connection.state(), ConnectionState::Closed);
}

/// Whatever a close says, the connection is closed afterwards, and the peer knows.
fn closes(kind: Kind, form: Form) {
    drive(own(kind), move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        streams(scene, &connection);
        let outcome = scene.under_faults(|| form(scene, &connection));
        assert_closed(&connection);
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("an end of file");
        outcome
    });
}

/// A reader that waits ends too.
fn closes_under_a_reader(kind: Kind, form: Form) {
    drive(own(kind), move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        let (input, _) = streams(scene, &connection);
        let reading = started::read(&input, 8);
        while scene.context.iteration(false) {}
        let (outcome, read) = scene.under_faults(|| {
            let outcome = form(scene, &connection);
            (outcome, reading.wait(scene.context))
        });
        assert!(read.is_err(), "nothing was sent");
        assert_closed(&connection);
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("an end of file");
        outcome
    });
}

/// A reader that blocks on another thread ends too, whichever of the two ways to wake it fails.
fn closes_under_a_blocked_reader(kind: Kind, form: Form) {
    drive(own(kind), move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        let (input, _) = streams(scene, &connection);
        let reader = started::read_on_thread(&input, 8);
        thread::sleep(Duration::from_millis(4));
        let (outcome, read) = scene.under_faults(|| {
            let outcome = form(scene, &connection);
            (outcome, reader.join().expect("no panic"))
        });
        assert!(read.is_err(), "nothing was sent");
        assert_closed(&connection);
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("an end of file");
        outcome
    });
}

/// TCP-5, TCP-8: closed in the end, however the graceful part went.
fn closes_gracefully(bare: bool, form: Form) {
    let own = Own {
        calls: &["shutdown", "recv", "close"],
        again: &[],
        by_gio: !bare,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let kind = Kind { unix: false, bare };
        let (connection, mut peer) = connected(scene, kind);
        streams(scene, &connection);
        let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
        tcp.set_graceful_disconnect(true);
        let peer = thread::spawn(move || {
            play_the_peer();
            let mut rest = Vec::new();
            // Where the graceful part failed, what is sent now resets the connection.
            let _ = peer.read_to_end(&mut rest);
            for _ in 0..3 {
                pause();
                let _ = peer.write_all(b"more");
            }
            pause();
            rest
        });
        let outcome = scene.under_faults(|| form(scene, &connection));
        assert_closed(&connection);
        assert!(peer.join().expect("no panic").is_empty());
        outcome
    });
}

/// F-13: the stream over the socket first, and the socket whatever has become of that.
fn closes_a_wrapper(graceful: bool, form: Form) {
    let own = Own {
        calls: if graceful {
            &["shutdown", "recv", "close"]
        } else {
            &["close"]
        },
        again: &[],
        by_gio: true,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let kind = Kind {
            unix: false,
            bare: false,
        };
        let (inner, mut peer) = connected(scene, kind);
        let (input, output) = streams(scene, &inner);
        let base = gio::SimpleIOStream::new(&input, &output);
        scene.note("base", &base);
        let wrapper = TcpWrapperConnection::new(&base, &inner.socket()).expect("TCP");
        scene.note("wrapper", &wrapper);
        wrapper.set_graceful_disconnect(graceful);
        let peer = thread::spawn(move || {
            play_the_peer();
            let mut rest = Vec::new();
            let _ = peer.read_to_end(&mut rest);
            for _ in 0..3 {
                pause();
                let _ = peer.write_all(b"more");
            }
            rest
        });
        let outcome = scene.under_faults(|| form(scene, wrapper.upcast_ref()));
        assert_closed(wrapper.upcast_ref());
        assert!(base.is_closed());
        assert!(peer.join().expect("no panic").is_empty());
        outcome
    });
}

/// SC-27: the last reference closes; there is nobody to tell.
fn drops(kind: Kind, with_streams: bool) {
    drive(own(kind), move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        if with_streams {
            streams(scene, &connection);
        }
        scene.under_faults(|| drop(connection));
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("an end of file");
        Ok(())
    });
}

each_kind! {
    close_blocking: |kind| closes(kind, blocking);
    close_async: |kind| closes(kind, asynchronous);
    close_future: |kind| closes(kind, future);
    close_under_a_reader_blocking: |kind| closes_under_a_reader(kind, blocking);
    close_under_a_reader_async: |kind| closes_under_a_reader(kind, asynchronous);
    close_under_a_blocked_reader: |kind| closes_under_a_blocked_reader(kind, blocking);
    drop_alone: |kind| drops(kind, false);
    drop_with_streams: |kind| drops(kind, true);
}

mod close_gracefully {
    use super::*;

    #[test]
    fn blocking_tcp() {
        closes_gracefully(false, blocking);
    }

    #[test]
    fn blocking_tcp_bare() {
        closes_gracefully(true, blocking);
    }

    #[test]
    fn async_tcp() {
        closes_gracefully(false, asynchronous);
    }

    #[test]
    fn async_tcp_bare() {
        closes_gracefully(true, asynchronous);
    }

    #[test]
    fn future_tcp() {
        closes_gracefully(false, future);
    }
}

mod close_a_wrapper {
    use super::*;

    #[test]
    fn blocking_tcp() {
        closes_a_wrapper(false, blocking);
    }

    #[test]
    fn async_tcp() {
        closes_a_wrapper(false, asynchronous);
    }

    #[test]
    fn future_tcp() {
        closes_a_wrapper(false, future);
    }

    #[test]
    fn gracefully_blocking_tcp() {
        closes_a_wrapper(true, blocking);
    }

    #[test]
    fn gracefully_async_tcp() {
        closes_a_wrapper(true, asynchronous);
    }
}
