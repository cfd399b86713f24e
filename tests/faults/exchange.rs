//! Another socket while busy.

use std::io::Write;

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

#[track_caller]
fn assert_socket_stays(connection: &SocketConnection) {
    let before = connection.socket();
    let other = ipv4_socket();
    let seen = notifications(connection);
    assert_fails(connection.set_socket(&other), E::Pending);
    with_one_critical(|| set_in_c(connection, pointer_of(&other)));
    // Its own is no change.
    connection.set_socket(&before).expect("the same one");
    assert_eq!(connection.socket(), before);
    assert!(seen.borrow().is_empty(), "{seen:?}");
    let gone = Gone::of(&other);
    drop(other);
    assert!(gone.is_gone(), "nobody keeps a socket that was refused");
}

#[test]
fn the_socket_cannot_be_exchanged_while_anything_is_pending() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let connection = unconnected();
        let cancellable = gio::Cancellable::new();
        let connecting = start_connect(&connection, &gio_address(deaf.address), Some(&cancellable));
        assert_socket_stays(&connection);
        iterate(context, 2);
        assert_socket_stays(&connection);
        cancellable.cancel();
        assert_fails(ended(context, &connecting), E::Cancelled);
        connection
            .set_socket(&ipv4_socket())
            .expect("nothing is pending");

        let mut future = connection.connect_future(&gio_address(deaf.address));
        assert!(poll_once(&mut future).is_pending());
        assert_socket_stays(&connection);
        drop(future);
        connection
            .set_socket(&ipv4_socket())
            .expect("nothing is pending");

        let (connection, mut peer) = connected();
        let reading = start_read(&connection, 4, None);
        assert_socket_stays(&connection);
        iterate(context, 2);
        assert_socket_stays(&connection);
        peer.write_all(b"free").expect("a working connection");
        assert_eq!(ended(context, &reading).expect("four bytes"), 4);

        fill(&connection);
        let cancellable = gio::Cancellable::new();
        let writing = start_write(&connection, vec![1; 4], Some(&cancellable));
        iterate(context, 2);
        assert_socket_stays(&connection);
        cancellable.cancel();
        assert_fails(ended(context, &writing), E::Cancelled);

        connection
            .downcast_ref::<TcpConnection>()
            .expect("TCP")
            .set_graceful_disconnect(true);
        let cancellable = gio::Cancellable::new();
        let closing = start_close(&connection, Some(&cancellable));
        assert_socket_stays(&connection);
        iterate(context, 2);
        assert_socket_stays(&connection);
        cancellable.cancel();
        assert_fails(ended(context, &closing), E::Cancelled);
        assert_fails(connection.set_socket(&ipv4_socket()), E::Closed);
    });
}
