//! The blocking connect.

use std::{
    cell::Cell, rc::Rc, sync::atomic::AtomicU32, sync::atomic::Ordering, time::Duration,
    time::Instant,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// SC-9.
#[test]
fn connect_blocks_until_there_is_a_peer() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let iterated = Rc::new(Cell::new(false));
        let iterate = iterated.clone();
        let source = glib::source::idle_source_new(None, glib::Priority::HIGH, {
            let iterate = glib::thread_guard::ThreadGuard::new(iterate);
            move || {
                iterate.get_ref().set(true);
                glib::ControlFlow::Break
            }
        });
        source.attach(Some(context));

        let connection = unconnected();
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        assert!(!iterated.get(), "a blocking call iterates no context");
        source.destroy();

        let (mut peer, from) = listener.accept().expect("connected");
        assert_eq!(connection.state(), ConnectionState::Connected);
        assert!(connection.is_connected());
        assert!(
            connection.socket().is_blocking(),
            "only the others clear it"
        );
        assert_address(connection.local_address(), from);
        assert_address(connection.remote_address(), address);
        write(&connection, b"hello").expect("connected");
        close(&connection);
        assert_eq!(read_to_end(&mut peer), b"hello");
    });
}

/// It waits whatever the socket's flag says, where C answers PENDING (SC-9).
#[test]
fn connect_waits_on_a_nonblocking_socket_too() {
    on_private_context(|_| {
        let (listener, address) = listener();
        let connection = unconnected();
        connection.socket().set_blocking(false);
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        let _peer = listener.accept().expect("connected");
        assert!(connection.is_alive());
    });
}

#[test]
fn a_refused_connect_says_so_in_every_form() {
    on_private_context(|context| {
        let address = refused_address();
        let connection = unconnected();
        assert_fails(
            connection.connect(&gio_address(address), Cancellable::NONE),
            IOErrorEnum::ConnectionRefused,
        );
        let connection = unconnected();
        assert_fails(
            connect_async_and_wait(context, &connection, address, None),
            IOErrorEnum::ConnectionRefused,
        );
        let connection = unconnected();
        assert_fails(
            block_on(context, connection.connect_future(&gio_address(address))),
            IOErrorEnum::ConnectionRefused,
        );
        assert!(!connection.is_connected());
        assert_fails(connection.remote_address(), IOErrorEnum::NotConnected);
    });
}

/// SOCK-24: C's own fails because the error was consumed.
#[test]
fn after_a_refused_connect_the_same_socket_connects() {
    on_private_context(|context| {
        let connection = unconnected();
        let refused = gio_address(refused_address());
        assert_fails(
            connection.connect(&refused, Cancellable::NONE),
            IOErrorEnum::ConnectionRefused,
        );
        assert_fails(
            block_on(context, connection.connect_future(&refused)),
            IOErrorEnum::ConnectionRefused,
        );
        let (listener, address) = listener();
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        let _peer = listener.accept().expect("connected");
        assert!(connection.is_alive());
    });
}

/// A listener on a Unix socket that is never on the disk, and its address.
fn unix_listener() -> (gio::Socket, gio::UnixSocketAddress) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("gsock-socket-connection-{}-{number}", std::process::id());
    let path = UnixSocketAddressPath::Abstract(name.as_bytes());
    let address = gio::UnixSocketAddress::with_type(path);
    let listener = unix_socket();
    listener
        .bind(&address, false)
        .expect("nobody has that name");
    listener.set_listen_backlog(0);
    listener.listen().expect("bound");
    (listener, address)
}

/// SOCK-23, F-17: C answers WOULD_BLOCK at once.
#[test]
fn a_unix_connect_waits_for_room_in_the_listeners_queue() {
    on_private_context(|context| {
        let (listener, address) = unix_listener();
        let mut queue = Vec::new();
        loop {
            let filler = unix_socket();
            if SocketExt::connect(&filler, &address, Cancellable::NONE).is_err() {
                break;
            }
            queue.push(filler);
        }
        let connection = SocketConnection::new(&unix_socket());
        let told = states(&connection);
        let outcome = Outcome::default();
        let slot = outcome.clone();
        connection.connect_async(&address, Cancellable::NONE, move |connection, result| {
            *slot.borrow_mut() = Some(connection.connect_finish(result));
        });
        iterate_for(context, Duration::from_millis(100));
        assert!(outcome.borrow().is_none());
        assert_eq!(connection.state(), ConnectionState::Connecting);

        // As patient in the other forms, for which nobody makes room.
        let other = SocketConnection::new(&unix_socket());
        other.socket().set_timeout(1);
        let begun = Instant::now();
        assert_fails(
            other.connect(&address, Cancellable::NONE),
            IOErrorEnum::TimedOut,
        );
        assert!(begun.elapsed() >= SECOND);
        let mut future = other.connect_future(&address);
        assert!(poll(&mut future).is_pending());
        drop(future);
        assert_eq!(other.state(), ConnectionState::Unconnected);

        for _ in &queue {
            listener.accept(Cancellable::NONE).expect("a filler");
        }
        iterate_until(context, || outcome.borrow().is_some());
        outcome.take().expect("ended").expect("there is room");
        assert_eq!(
            *told.borrow(),
            [ConnectionState::Connecting, ConnectionState::Connected]
        );
    });
}
