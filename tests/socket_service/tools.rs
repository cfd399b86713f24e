//! Services on loopback, and clients that are somebody else's.

use std::{
    cell::Cell,
    io::Read,
    net::{SocketAddr, TcpStream},
    rc::Rc,
};

use gio::prelude::*;
use gsock::{SocketConnection, SocketListener, SocketService, prelude::*};

use crate::support::*;

/// A socket of `listener` on loopback, and its address.
pub(crate) fn listen(listener: &impl IsA<SocketListener>) -> SocketAddr {
    listen_with(listener, None)
}

pub(crate) fn listen_with(
    listener: &impl IsA<SocketListener>,
    source_object: Option<&glib::Object>,
) -> SocketAddr {
    let any = gio_address(([127, 0, 0, 1], 0).into());
    let bound = listener
        .add_address(
            &any,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            source_object,
        )
        .expect("loopback");
    let bound = bound
        .downcast::<gio::InetSocketAddress>()
        .expect("an internet address");
    SocketAddr::new([127, 0, 0, 1].into(), bound.port())
}

/// Somebody who connects, with a time limit for what he waits for.
#[track_caller]
pub(crate) fn client(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("it listens");
    let limit = Some(LIMIT * slowness());
    client.set_read_timeout(limit).expect("an option");
    client
}

/// Whether the other end has closed, which it must have done by now or soon.
pub(crate) fn is_at_its_end(client: &mut TcpStream) -> bool {
    matches!(client.read(&mut [0]), Ok(0))
}

/// Whether nothing has come, neither bytes nor an end.
pub(crate) fn is_quiet(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).expect("an option");
    let came = client.read(&mut [0]);
    client.set_nonblocking(false).expect("an option");
    came.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// The notifications of `active`; counters of the listener are told as they change.
pub(crate) fn told_of_active(
    service: &impl IsA<SocketService>,
) -> Rc<std::cell::RefCell<Vec<String>>> {
    let seen = Rc::new(std::cell::RefCell::new(Vec::new()));
    let names = seen.clone();
    let told = move |_: &SocketService, property: &glib::ParamSpec| {
        names.borrow_mut().push(property.name().to_owned());
    };
    service
        .upcast_ref::<SocketService>()
        .connect_notify_local(Some("active"), told);
    seen
}

/// Counts what comes, and lets it go.
pub(crate) fn count(service: &impl IsA<SocketService>) -> Rc<Cell<u32>> {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    service.connect_incoming(move |_, _, _| {
        counted.set(counted.get() + 1);
        true
    });
    count
}

/// Keeps what comes.
pub(crate) fn keep(
    service: &impl IsA<SocketService>,
) -> Rc<std::cell::RefCell<Vec<SocketConnection>>> {
    let kept = Rc::new(std::cell::RefCell::new(Vec::new()));
    let keeping = kept.clone();
    service.connect_incoming(move |_, connection, _| {
        keeping.borrow_mut().push(connection.clone());
        true
    });
    kept
}

/// What C does: it uses an object on any thread.
pub(crate) struct Shared<T>(T);

// SAFETY: whoever makes one calls what C may call on any thread, and joins the thread before the object goes.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: likewise.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(object: T) -> Self {
        Self(object)
    }

    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

/// How many iterations `context` makes in `time` that find something to do.
pub(crate) fn busy_iterations(context: &glib::MainContext, time: std::time::Duration) -> u32 {
    let end = std::time::Instant::now() + time;
    let mut busy = 0;
    while std::time::Instant::now() < end {
        if context.iteration(false) {
            busy += 1;
        } else {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    busy
}
