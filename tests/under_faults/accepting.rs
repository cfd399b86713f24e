//! A listener that accepts while system calls fail.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketConnection, SocketListener, prelude::*};

use crate::{
    scene::{Own, Scene, drive},
    support::iterate_until,
};

type Accepted = Result<(SocketConnection, Option<glib::Object>), glib::Error>;
type Form = fn(&Scene<'_>, &SocketListener) -> Accepted;

fn blocking(_: &Scene<'_>, listener: &SocketListener) -> Accepted {
    listener.accept(Cancellable::NONE)
}

fn asynchronous(scene: &Scene<'_>, listener: &SocketListener) -> Accepted {
    let accepted = Rc::new(RefCell::new(None));
    let slot = accepted.clone();
    listener.accept_async(Cancellable::NONE, move |listener, result| {
        slot.replace(Some(listener.accept_finish(result)));
    });
    iterate_until(scene.context, || accepted.borrow().is_some());
    accepted.take().expect("it was called back")
}

fn future(scene: &Scene<'_>, listener: &SocketListener) -> Accepted {
    scene.context.block_on(listener.accept_future())
}

/// What concerns a connection that has died is no outcome.
const AGAIN: &[(&str, i32)] = &[
    ("accept4", libc::EAGAIN),
    ("accept4", libc::EINTR),
    ("accept4", libc::ECONNABORTED),
    ("accept4", libc::EHOSTDOWN),
    ("accept4", libc::EHOSTUNREACH),
    ("accept4", libc::ENETDOWN),
    ("accept4", libc::ENETUNREACH),
    ("accept4", libc::ENONET),
    ("accept4", libc::ENOPROTOOPT),
    ("accept4", libc::EPROTO),
    ("accept4", libc::ETIMEDOUT),
];

/// It accepts, or says why not; then the connection is still there, and the same listener accepts it.
fn accepts(unix: bool, form: Form) {
    let own = Own {
        calls: &["accept4"],
        again: AGAIN,
        by_gio: false,
    };
    drive(own, move |scene| {
        let listener = SocketListener::new();
        scene.note("listener", &listener);
        let any: gio::SocketAddress = if unix {
            let name = format!("gsock-accepts-under-faults-{}", std::process::id());
            gio::UnixSocketAddress::with_type(UnixSocketAddressPath::Abstract(name.as_bytes()))
                .upcast()
        } else {
            crate::support::gio_address(([127, 0, 0, 1], 0).into()).upcast()
        };
        let address = listener
            .add_address(
                &any,
                SocketType::Stream,
                SocketProtocol::Default,
                None::<&glib::Object>,
            )
            .expect("nothing is in its way");
        let peer = gio::Socket::new(
            address.family(),
            SocketType::Stream,
            SocketProtocol::Default,
        )
        .expect("there is such a socket");
        SocketExt::connect(&peer, &address, Cancellable::NONE).expect("it listens");
        let outcome = scene.under_faults(|| form(scene, &listener));
        let (connection, outcome) = match outcome {
            Ok((connection, _)) => (connection, Ok(())),
            Err(failure) => {
                let (connection, _) = listener
                    .accept(Cancellable::NONE)
                    .expect("it has stayed in the queue");
                (connection, Err(failure))
            }
        };
        scene.note("connection", &connection);
        peer.send(b"x", Cancellable::NONE).expect("room");
        let byte = connection
            .input_stream()
            .read_bytes(1, Cancellable::NONE)
            .expect("a byte");
        assert_eq!(&byte[..], b"x");
        connection.close(Cancellable::NONE).expect("open");
        listener.close();
        outcome
    });
}

macro_rules! each_form {
    ($($name:ident: $form:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn tcp() {
                accepts(false, $form);
            }

            #[test]
            fn unix() {
                accepts(true, $form);
            }
        }
    )+};
}

each_form! {
    accept_blocking: blocking;
    accept_asynchronous: asynchronous;
    accept_future: future;
}
