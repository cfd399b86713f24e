//! A client that connects while system calls fail.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::{
    ends::{Kind, Listener, assert_talks, each_family},
    scene::{Own, Scene, drive},
    support::iterate_until,
};

type Made = Result<SocketConnection, glib::Error>;
type Form = fn(&Scene<'_>, &SocketClient, &gio::SocketAddress) -> Made;

fn blocking(_: &Scene<'_>, client: &SocketClient, address: &gio::SocketAddress) -> Made {
    client.connect(address, Cancellable::NONE)
}

fn asynchronous(scene: &Scene<'_>, client: &SocketClient, address: &gio::SocketAddress) -> Made {
    let made = Rc::new(RefCell::new(None));
    let slot = made.clone();
    client.connect_async(address, Cancellable::NONE, move |client, result| {
        slot.replace(Some(client.connect_finish(result)));
    });
    iterate_until(scene.context, || made.borrow().is_some());
    made.take().expect("it was called back")
}

fn future(scene: &Scene<'_>, client: &SocketClient, address: &gio::SocketAddress) -> Made {
    scene.context.block_on(client.connect_future(address))
}

/// It connects, or says why not; then nothing is left, and the same client connects.
fn connects(kind: Kind, form: Form) {
    let own = Own {
        calls: &["connect"],
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
        let client = SocketClient::new();
        client.set_enable_proxy(false);
        scene.note("client", &client);
        let outcome = scene.under_faults(|| form(scene, &client, &address));
        let connection = match &outcome {
            Ok(connection) => connection.clone(),
            Err(_) => client
                .connect(&address, Cancellable::NONE)
                .expect("nothing is in its way"),
        };
        scene.note("connection", &connection);
        let mut peer = listener.accept(&connection);
        assert_talks(&connection, &mut peer);
        connection.close(Cancellable::NONE).expect("open");
        outcome.map(drop)
    });
}

each_family! {
    connect_blocking: |kind| connects(kind, blocking);
    connect_asynchronous: |kind| connects(kind, asynchronous);
    connect_future: |kind| connects(kind, future);
}
