//! Connections as a stream.

use futures::StreamExt;
use gio::{IOErrorEnum, prelude::SocketExt};
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn the_stream_gives_the_connections_in_order_and_ends_with_the_listener() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let peers = [connect(address), connect(address), connect(address)];
        let mut incoming = listener.incoming();
        let closing = listener.clone();
        let seen = block_on(context, async move {
            let mut seen = Vec::new();
            while let Some(connection) = incoming.next().await {
                seen.push(peer_of(&connection.expect("it is open")));
                if seen.len() == 3 {
                    closing.close();
                }
            }
            assert!(incoming.next().await.is_none(), "it stays ended");
            seen
        });
        let expected = peers.map(|peer| peer.local_addr().unwrap());
        assert_eq!(seen, expected);
    });
}

#[test]
fn the_stream_of_a_closed_listener_is_empty() {
    on_private_context(|context| {
        let (listener, _) = listening();
        listener.close();
        let mut incoming = listener.incoming();
        let next = block_on(context, async move { incoming.next().await });
        assert!(next.is_none());
    });
}

#[test]
fn a_close_ends_a_stream_that_waits() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let mut incoming = listener.incoming();
        assert!(poll_once(std::pin::pin!(incoming.next())).is_pending());
        listener.close();
        let next = block_on(context, async move { incoming.next().await });
        assert!(next.is_none());
    });
}

#[test]
fn a_stream_that_is_dropped_leaves_the_rest_in_the_queue() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let peers = [connect(address), connect(address)];
        let mut incoming = listener.incoming();
        let first = block_on(context, async move { incoming.next().await });
        let first = first.unwrap().unwrap();
        assert_eq!(peer_of(&first), peers[0].local_addr().unwrap());
        let (second, _) = accept(Form::Future, &listener, None, context).unwrap();
        assert_eq!(peer_of(&second), peers[1].local_addr().unwrap());
    });
}

#[test]
fn the_stream_waits_for_sockets_and_tells_once_of_one_that_does_not_listen() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let mut incoming = listener.incoming();
        assert!(poll_once(std::pin::pin!(incoming.next())).is_pending());
        listener.add_socket(&ipv4_socket(), NONE).unwrap();
        let (failed, mut incoming) =
            block_on(context, async move { (incoming.next().await, incoming) });
        assert_fails(failed.unwrap(), IOErrorEnum::InvalidArgument);
        let address = add_loopback(&listener, NONE);
        let peer = connect(address);
        let connection = block_on(context, async move { incoming.next().await });
        let connection = connection.unwrap().unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
    });
}

#[test]
fn the_stream_tells_once_of_a_last_socket_that_its_owner_has_closed_and_goes_on() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let (socket, _) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        let mut incoming = listener.incoming();
        assert!(poll_once(std::pin::pin!(incoming.next())).is_pending());
        socket.close().unwrap();
        let (failed, mut incoming) =
            block_on(context, async move { (incoming.next().await, incoming) });
        assert_fails(failed.unwrap(), IOErrorEnum::Closed);
        let address = add_loopback(&listener, NONE);
        let peer = connect(address);
        let connection = block_on(context, async move { incoming.next().await });
        let connection = connection.unwrap().unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
    });
}
