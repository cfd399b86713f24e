//! Programs for GIO as they are.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::fd::AsRawFd,
    thread,
};

use gio::{IOErrorEnum, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*};

/// Sends back what comes in, until the end.
async fn echo(connection: gio::SocketConnection) {
    assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
    let (input, output) = (connection.input_stream(), connection.output_stream());
    loop {
        let read = input
            .read_future(vec![0; 1000], glib::Priority::DEFAULT)
            .await;
        let (mut buffer, count) = read.expect("the client is there");
        if count == 0 {
            break;
        }
        buffer.truncate(count);
        output
            .write_all_future(buffer, glib::Priority::DEFAULT)
            .await
            .expect("the client reads");
    }
    connection
        .close_future(glib::Priority::DEFAULT)
        .await
        .expect("it was open");
}

#[test]
fn an_asynchronous_client_and_an_asynchronous_service() {
    adopted(|context| {
        let service = gio::SocketService::new();
        let port = service
            .add_any_inet_port(glib::Object::NONE)
            .expect("loopback");
        service.connect_incoming(|_, connection, _| {
            glib::MainContext::ref_thread_default().spawn_local(echo(connection.clone()));
            true
        });
        let echoed = block_on(context, async move {
            let client = gio::SocketClient::new();
            let connection = client.connect_to_host_future("127.0.0.1", port).await?;
            assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
            let sent = vec![7; 100_000];
            let output = connection.output_stream();
            let input = connection.input_stream();
            let writing = async {
                output
                    .write_all_future(sent, glib::Priority::DEFAULT)
                    .await
                    .map_err(|(_, failure)| failure)
            };
            let reading = async {
                input
                    .read_all_future(vec![0; 100_000], glib::Priority::DEFAULT)
                    .await
                    .map_err(|(_, failure)| failure)
            };
            let (written, read) = futures::future::join(writing, reading).await;
            written?;
            let (echoed, count, failure) = read?;
            assert_eq!((count, failure), (100_000, None));
            connection.close_future(glib::Priority::DEFAULT).await?;
            Ok::<_, glib::Error>(echoed)
        });
        assert!(echoed.expect("it echoes").iter().all(|byte| *byte == 7));
        service.stop();
    });
}

#[test]
fn a_blocking_client_and_a_threaded_service() {
    adopted(|context| {
        // More than there are connections: where a service has as many threads as it may have, GIO's own sometimes stops
        // accepting for good.
        let service = gio::ThreadedSocketService::new(Some(10));
        let port = service
            .add_any_inet_port(glib::Object::NONE)
            .expect("loopback");
        service.connect_run(|_, connection, _| {
            assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
            while let Ok(bytes) = read_some(connection) {
                if bytes.is_empty() {
                    break;
                }
                write_all(connection, &bytes);
            }
            true
        });
        let client = thread::spawn(move || {
            let client = gio::SocketClient::new();
            let mut all = Vec::new();
            for _ in 0..3 {
                let connection = client
                    .connect_to_host("127.0.0.1", port, gio::Cancellable::NONE)
                    .expect("it listens");
                write_all(&connection, b"again");
                let mut bytes = [0; 5];
                let read = connection
                    .input_stream()
                    .read_all(&mut bytes, gio::Cancellable::NONE)
                    .expect("it echoes");
                assert_eq!(read, (5, None));
                all.extend_from_slice(&bytes);
                connection
                    .close(gio::Cancellable::NONE)
                    .expect("it was open");
            }
            all
        });
        iterate_until(context, || client.is_finished());
        assert_eq!(client.join().expect("no panic"), b"againagainagain");
        service.stop();
    });
}

#[test]
fn a_blocking_client_and_a_blocking_listener() {
    adopted(|_| {
        let listener = gio::SocketListener::new();
        let port = listener
            .add_any_inet_port(glib::Object::NONE)
            .expect("loopback");
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            stream.write_all(b"hello").expect("room");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an end");
            answer
        });
        let (connection, _) = listener
            .accept(gio::Cancellable::NONE)
            .expect("somebody connects");
        assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
        assert_eq!(read_some(&connection).expect("sent"), b"hello");
        write_all(&connection, b"bye");
        connection
            .close(gio::Cancellable::NONE)
            .expect("it was open");
        assert_eq!(client.join().expect("no panic"), b"bye");
    });
}

#[test]
fn what_gio_connects_itself_is_connected_for_us_too() {
    adopted(|context| {
        let (listener, address) = listener();
        let blocking = ipv4_socket().connection_factory_create_connection();
        let asynchronous = ipv4_socket().connection_factory_create_connection();
        // Made before there is a peer.
        let _streams = (blocking.input_stream(), asynchronous.output_stream());
        let ours = gsock::SocketConnection::from_gio(&blocking);
        assert_eq!(ours.state(), gsock::ConnectionState::Unconnected);

        SocketConnectionExt::connect(&blocking, &gio_address(address), gio::Cancellable::NONE)
            .expect("it listens");
        assert_eq!(ours.state(), gsock::ConnectionState::Connected);
        block_on(context, {
            let asynchronous = asynchronous.clone();
            async move { asynchronous.connect_future(&gio_address(address)).await }
        })
        .expect("it listens");

        for connection in [&blocking, &asynchronous] {
            let (mut peer, _) = listener.accept().expect("two connect");
            write_all(connection, b"to the peer");
            peer.write_all(b"from the peer").expect("room");
            assert_eq!(read_some(connection).expect("sent"), b"from the peer");
            let mut bytes = [0; 11];
            peer.read_exact(&mut bytes).expect("sent");
            assert_eq!(&bytes, b"to the peer");
        }
        assert_eq!(ours.bytes_read(), 13);
    });
}

#[test]
fn the_sockets_timeout_bounds_an_operation() {
    adopted(|context| {
        let (connection, _peer) = adopted_tcp();
        connection.socket().set_timeout(1);
        assert_fails(read_some(&connection), IOErrorEnum::TimedOut);
        let input = connection.input_stream();
        let read = block_on(context, async move {
            input.read_bytes_future(1, glib::Priority::DEFAULT).await
        });
        assert_fails(read, IOErrorEnum::TimedOut);
    });
}

#[test]
fn the_streams_tell_the_descriptor_and_can_be_polled() {
    adopted(|context| {
        let (connection, mut peer) = adopted_tcp();
        let input: gio::PollableInputStream = connection
            .input_stream()
            .dynamic_cast()
            .expect("it is pollable");
        assert!(!input.is_readable());
        let seen = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = seen.clone();
        let source = input.create_source(
            gio::Cancellable::NONE,
            None,
            glib::Priority::DEFAULT,
            move |_| {
                count.set(count.get() + 1);
                glib::ControlFlow::Break
            },
        );
        source.attach(Some(context));
        peer.write_all(b"now").expect("room");
        iterate_until(context, || seen.get() == 1);
        assert!(connection.socket().as_raw_fd() >= 0);
    });
}
