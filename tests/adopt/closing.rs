//! Closing what is adopted.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
    time::Duration,
};

use gio::{IOErrorEnum, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn a_close_closes_the_streams_and_the_socket_once() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        let streams = (connection.input_stream(), connection.output_stream());
        let socket = connection.socket();
        connection
            .close(gio::Cancellable::NONE)
            .expect("it was open");
        assert!(connection.is_closed());
        assert!(socket.is_closed());
        assert!(streams.0.is_closed());
        assert!(streams.1.is_closed());
        // Asked for afterwards they are closed too.
        assert_fails(read_some(&connection), IOErrorEnum::Closed);
        connection
            .close(gio::Cancellable::NONE)
            .expect("a second close does nothing");
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn a_close_without_a_use_before_closes_too() {
    adopted(|_| {
        let (connection, mut peer) = adopted_tcp();
        connection
            .close(gio::Cancellable::NONE)
            .expect("it was open");
        assert!(connection.socket().is_closed());
        assert!(connection.input_stream().is_closed());
        assert!(connection.output_stream().is_closed());
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn an_asynchronous_close_answers_in_the_context_and_has_closed() {
    adopted(|context| {
        let (connection, mut peer) = adopted_tcp();
        let input = connection.input_stream();
        block_on(context, {
            let connection = connection.clone();
            async move { connection.close_future(glib::Priority::DEFAULT).await }
        })
        .expect("it was open");
        assert!(connection.is_closed());
        assert!(input.is_closed());
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn a_close_ends_a_read_that_waits() {
    adopted(|context| {
        let (connection, _peer) = adopted_tcp();
        let ended = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = ended.clone();
        connection.input_stream().read_bytes_async(
            8,
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |result| *slot.borrow_mut() = Some(result.map(|bytes| bytes.len())),
        );
        context.iteration(false);
        connection
            .close(gio::Cancellable::NONE)
            .expect("it was open");
        iterate_until(context, || ended.borrow().is_some());
        assert_fails(ended.take().expect("ended"), IOErrorEnum::Closed);
        assert!(connection.input_stream().is_closed());
    });
}

fn graceful() -> (gio::TcpConnection, std::net::TcpStream) {
    let (connection, peer) = adopted_tcp();
    let connection: gio::TcpConnection = connection.downcast().expect("TCP");
    connection.set_graceful_disconnect(true);
    (connection, peer)
}

/// Reads all there is and then closes.
fn reading_peer(mut peer: std::net::TcpStream) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let read = read_to_end(&mut peer);
        // The other side is half closed: what is still sent is thrown away there.
        peer.write_all(b"late").expect("it waits for us");
        peer.shutdown(Shutdown::Write).expect("it is open");
        read
    })
}

#[test]
fn a_graceful_close_waits_for_the_peer_in_both_forms() {
    adopted(|context| {
        let (blocking, peer) = graceful();
        write_all(&blocking, b"all of it");
        let peer = reading_peer(peer);
        blocking
            .close(gio::Cancellable::NONE)
            .expect("the peer closes too");
        assert!(blocking.socket().is_closed());
        assert_eq!(peer.join().expect("no panic"), b"all of it");

        let (asynchronous, peer) = graceful();
        write_all(&asynchronous, b"all of it");
        let peer = reading_peer(peer);
        block_on(context, {
            let connection = asynchronous.clone();
            async move { connection.close_future(glib::Priority::DEFAULT).await }
        })
        .expect("the peer closes too");
        assert!(asynchronous.socket().is_closed());
        assert_eq!(peer.join().expect("no panic"), b"all of it");
        // C leaks the object here (TCP-15).
        let gone = Gone::of(&asynchronous);
        drop(asynchronous);
        assert!(gone.is_gone());
    });
}

#[test]
fn a_graceful_close_ends_with_the_sockets_timeout_and_closes() {
    adopted(|context| {
        let (connection, mut peer) = graceful();
        connection.socket().set_timeout(1);
        let closed = block_on(context, {
            let connection = connection.clone();
            async move { connection.close_future(glib::Priority::DEFAULT).await }
        });
        assert_fails(closed, IOErrorEnum::TimedOut);
        assert!(connection.socket().is_closed());
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn a_graceful_connection_that_is_dropped_does_not_wait() {
    adopted(|_| {
        let (connection, mut peer) = graceful();
        write_all(&connection, b"sent");
        // C would wait here until the peer closes (TCP-14), which this one does only afterwards.
        drop(connection);
        let mut read = Vec::new();
        peer.set_read_timeout(Some(Duration::from_secs(5)))
            .expect("an option");
        peer.read_to_end(&mut read).expect("an end");
        assert_eq!(read, b"sent");
    });
}
