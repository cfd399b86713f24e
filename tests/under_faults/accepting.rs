//! A listener that accepts while system calls fail.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gio::{Cancellable, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketConnection, SocketListener, SocketService, prelude::*};

use crate::{
    ends::{Kind, each_family},
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
        codes_of_others: false,
        has_threads: false,
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

each_family! {
    accept_blocking: |kind: Kind| accepts(kind.unix, blocking);
    accept_asynchronous: |kind: Kind| accepts(kind.unix, asynchronous);
    accept_future: |kind: Kind| accepts(kind.unix, future);
}

/// With these a socket can never accept: a service leaves it alone.
fn is_for_good(failure: &glib::Error) -> bool {
    [libc::EINVAL, libc::EOPNOTSUPP, libc::EBADF, libc::ENOTSOCK]
        .map(|errno| std::io::Error::from_raw_os_error(errno).to_string())
        .iter()
        .any(|text| {
            let text = text.split(" (os error").next();
            text.is_some_and(|text| failure.message().ends_with(text))
        })
}

/// A service hands the connection out, or says why not, and does it later.
#[test]
fn service() {
    let own = Own {
        calls: &["accept4"],
        again: AGAIN,
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, |scene| {
        let service = SocketService::new();
        scene.note("service", &service);
        let failures = Rc::new(RefCell::new(Vec::new()));
        let told = failures.clone();
        service.connect_error(move |_, failure| told.borrow_mut().push(failure.clone()));
        let any = crate::support::gio_address(([127, 0, 0, 1], 0).into());
        let address = service
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
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        service.connect_incoming(move |service, _, _| {
            // Whether there is another one is not asked.
            service.stop();
            counted.set(counted.get() + 1);
            true
        });
        let outcome = scene.under_faults(|| {
            iterate_until(scene.context, || {
                !failures.borrow().is_empty() || count.get() == 1
            });
            failures.borrow().first().cloned().map_or(Ok(()), Err)
        });
        if !outcome.as_ref().is_err_and(is_for_good) {
            iterate_until(scene.context, || count.get() == 1);
            // Nobody has kept it.
            let end = peer.receive(&mut [0][..], Cancellable::NONE);
            assert_eq!(end, Ok(0));
        }
        service.close();
        scene.context.block_on(service.drain_future());
        outcome
    });
}
