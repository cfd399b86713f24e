//! A reconnector whose system calls fail: an attempt fails and is made again, or it says why not.

use std::{
    cell::{Cell, RefCell},
    os::fd::AsRawFd,
    rc::Rc,
    time::Duration,
};

use gio::Cancellable;
use gsock::{Reconnector, ReconnectorState as State, SocketClient, SocketConnection};

use crate::{
    ends::{Kind, Listener, Peer, assert_talks, each_family},
    scene::{Own, Scene, drive},
    support::iterate_until,
};

type Made = Result<gio::IOStream, glib::Error>;
type Form = fn(&Scene<'_>, &Reconnector) -> Made;

fn blocking(_: &Scene<'_>, reconnector: &Reconnector) -> Made {
    reconnector.wait_connected(Cancellable::NONE)
}

fn asynchronous(scene: &Scene<'_>, reconnector: &Reconnector) -> Made {
    let made = Rc::new(RefCell::new(None));
    let slot = made.clone();
    reconnector.wait_connected_async(Cancellable::NONE, move |reconnector, result| {
        slot.replace(Some(reconnector.wait_connected_finish(result)));
    });
    iterate_until(scene.context, || made.borrow().is_some());
    made.take().expect("it was called back")
}

fn future(scene: &Scene<'_>, reconnector: &Reconnector) -> Made {
    scene.context.block_on(reconnector.wait_connected_future())
}

fn own(kind: Kind) -> Own {
    Own {
        calls: &["connect"],
        again: match kind.unix {
            true => &[("connect", libc::EAGAIN)],
            false => &[],
        },
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    }
}

fn reconnector(scene: &Scene<'_>, address: &gio::SocketAddress) -> Reconnector {
    use gsock::prelude::*;
    let client = SocketClient::new();
    client.set_enable_proxy(false);
    scene.note("client", &client);
    let reconnector = Reconnector::builder(&client, address)
        .network_monitor(gio::NetworkMonitor::NONE)
        .initial_delay(Duration::from_millis(1))
        .max_delay(Duration::from_millis(2))
        .build();
    scene.note("reconnector", &reconnector);
    reconnector
}

/// The end that `connection` is connected to; attempts that have failed later on have called, and gone.
fn accepted(listener: &Listener, connection: &SocketConnection) -> Peer {
    loop {
        let peer = listener.accept(connection);
        let Peer::Unix(stream) = &peer else {
            return peer;
        };
        let (mut byte, flags) = (0_u8, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        // SAFETY: room for the one byte.
        if unsafe { libc::recv(stream.as_raw_fd(), (&raw mut byte).cast(), 1, flags) } != 0 {
            return peer;
        }
    }
}

/// One attempt: it connects, or says why not, and then the next one connects.
fn connects(kind: Kind, form: Form) {
    drive(own(kind), move |scene| {
        let (listener, address) = Listener::new(kind);
        let reconnector = reconnector(scene, &address);
        reconnector.set_max_attempts(1);
        let outcome = scene.under_faults(|| form(scene, &reconnector));
        if outcome.is_err() {
            assert_eq!(reconnector.state(), State::GivenUp);
            form(scene, &reconnector).expect("nothing is in its way");
        }
        let connection = reconnector.connection().expect("it has connected");
        scene.note("connection", &connection);
        let mut peer = accepted(&listener, &connection);
        assert_talks(&connection, &mut peer);
        reconnector.stop();
        outcome.map(drop)
    });
}

/// A peer that goes away, and as many attempts as it takes: the object stays.
fn connects_again(kind: Kind, form: Form) {
    let own = Own {
        // Whatever fails, there is a next attempt.
        calls: &[],
        ..own(kind)
    };
    drive(own, move |scene| {
        let (listener, address) = Listener::new(kind);
        let reconnector = reconnector(scene, &address);
        form(scene, &reconnector).expect("nothing is in its way");
        let connection = reconnector.connection().expect("it has connected");
        scene.note("connection", &connection);
        let is_lost = Rc::new(Cell::new(false));
        let lost = is_lost.clone();
        reconnector.connect_disconnected(move |_, _| lost.set(true));
        drop(listener.accept(&connection));
        let again = scene.under_faults(|| {
            iterate_until(scene.context, || is_lost.get());
            form(scene, &reconnector)
        });
        // What fails is the wait, if anything: there is always another attempt.
        iterate_until(scene.context, || reconnector.state() == State::Connected);
        assert_eq!(reconnector.connection().as_ref(), Some(&connection));
        let mut peer = accepted(&listener, &connection);
        assert_talks(&connection, &mut peer);
        reconnector.stop();
        again.map(drop)
    });
}

each_family! {
    wait_blocking: |kind| connects(kind, blocking);
    wait_asynchronous: |kind| connects(kind, asynchronous);
    wait_future: |kind| connects(kind, future);
    wait_again_blocking: |kind| connects_again(kind, blocking);
    wait_again_asynchronous: |kind| connects_again(kind, asynchronous);
    wait_again_future: |kind| connects_again(kind, future);
}
