//! The operations as the documentation shows them in Rust: what stands between two marks is a block of it. It runs on
//! the loopback, as a test. operations.c and operations.py show the same ones.

#![cfg(test)]

mod client;
mod connection;
mod framed;
mod listener;
mod reconnector;
mod service;
mod tcp;
mod unix;

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use gio::prelude::*;
use gsock::{
    ConnectionState, Liveness, Relayed, SocketClient, SocketConnection, SocketListener,
    SocketService, TcpConnection, TcpWrapperConnection, ThreadedSocketService, UnixConnection,
    prelude::*,
};

// {gsock_socket_listener_add_any_inet_port}
fn listen_at_any_port() -> Result<(SocketListener, u16), glib::Error> {
    let listener = SocketListener::new();
    let port = listener.add_any_inet_port(glib::Object::NONE)?;
    Ok((listener, port))
}
// {}

// {gsock_socket_listener_add_inet_port_in_range}
fn listen_in_range() -> Result<(SocketListener, u16), glib::Error> {
    let listener = SocketListener::new();
    // The first of these that is free.
    let port = listener.add_inet_port_in_range(20_000..=20_500, glib::Object::NONE)?;
    Ok((listener, port))
}
// {}

// {gsock_socket_listener_accept}
fn next_connection(listener: &SocketListener) -> Result<SocketConnection, glib::Error> {
    // Waits for one.
    let (connection, _source_object) = listener.accept(gio::Cancellable::NONE)?;
    Ok(connection)
}
// {}

// {gsock_socket_listener_accept_async gsock_socket_listener_accept_finish}
async fn accept_later(listener: &SocketListener) -> Result<SocketConnection, glib::Error> {
    let (connection, _source_object) = listener.accept_future().await?;
    Ok(connection)
}
// {}

// {gsock_socket_client_connect_to_host}
fn call(host: &str, port: u16) -> Result<SocketConnection, glib::Error> {
    let client = SocketClient::new();
    client.set_connect_timeout(Duration::from_secs(10));
    client.connect_to_host(host, port, gio::Cancellable::NONE)
}
// {}

// {gsock_socket_client_connect_to_host_async gsock_socket_client_connect_to_host_finish}
async fn call_later(host: &str, port: u16) -> Result<SocketConnection, glib::Error> {
    // Dropped, it is cancelled.
    SocketClient::new().connect_to_host_future(host, port).await
}
// {}

// {gsock_socket_connection_factory_create_connection}
fn make_connection() -> Result<SocketConnection, glib::Error> {
    let socket = gio::Socket::new(
        gio::SocketFamily::Ipv4,
        gio::SocketType::Stream,
        gio::SocketProtocol::Tcp,
    )?;
    // Of the class that is registered for this kind of socket: a TcpConnection.
    Ok(SocketConnection::factory_create_connection(&socket))
}
// {}

// {gsock_socket_connection_connect}
fn connect_it(connection: &SocketConnection, port: u16) -> Result<(), glib::Error> {
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    let address = gio::InetSocketAddress::new(&loopback, port);
    connection.connect(&address, gio::Cancellable::NONE)
}
// {}

// {gsock_socket_connection_connect_async gsock_socket_connection_connect_finish}
async fn connect_it_later(connection: &SocketConnection, port: u16) -> Result<(), glib::Error> {
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    let address = gio::InetSocketAddress::new(&loopback, port);
    connection.connect_future(&address).await
}
// {}

// {gsock_socket_connection_get_state}
fn watch(connection: &SocketConnection) {
    connection.connect_state_notify(|connection| {
        if connection.state() == ConnectionState::Disconnected {
            println!("the peer is gone");
        }
    });
}
// {}

// {gsock_socket_connection_relay_async gsock_socket_connection_relay_finish}
async fn join(a: &SocketConnection, b: &SocketConnection) -> Result<Relayed, glib::Error> {
    let relayed = gsock::relay(a, b).await?;
    println!("{} bytes there, {} back", relayed.a_to_b, relayed.b_to_a);
    Ok(relayed)
}
// {}

// {gsock_tcp_connection_set_graceful_disconnect}
fn close_with_care(connection: &TcpConnection) -> Result<(), glib::Error> {
    // The close waits for what is under way, and for the peer's end.
    connection.set_graceful_disconnect(true);
    connection.close(gio::Cancellable::NONE)
}
// {}

// {gsock_tcp_connection_set_liveness}
fn notice_soon(connection: &TcpConnection) -> Result<(), glib::Error> {
    connection.set_liveness(Liveness::Interactive)
}
// {}

// {gsock_tcp_wrapper_connection_new}
fn wrap(connection: &SocketConnection) -> Result<TcpWrapperConnection, glib::Error> {
    // Any stream over the connection's socket, such as one that encrypts; here the connection itself.
    TcpWrapperConnection::new(connection, &connection.socket())
}
// {}

// {gsock_unix_connection_send_fd}
fn hand_over(connection: &UnixConnection, fd: BorrowedFd<'_>) -> Result<(), glib::Error> {
    // The descriptor stays ours as well.
    connection.send_fd(fd, gio::Cancellable::NONE)
}
// {}

// {gsock_unix_connection_receive_fd}
fn take_over(connection: &UnixConnection) -> Result<OwnedFd, glib::Error> {
    connection.receive_fd(gio::Cancellable::NONE)
}
// {}

// {gsock_unix_connection_send_credentials}
fn say_who(connection: &UnixConnection) -> Result<(), glib::Error> {
    connection.send_credentials(gio::Cancellable::NONE)
}
// {}

// {gsock_unix_connection_receive_credentials}
fn is_mine(connection: &UnixConnection) -> Result<bool, glib::Error> {
    let credentials = connection.receive_credentials(gio::Cancellable::NONE)?;
    let me = gio::Credentials::new();
    Ok(credentials.unix_user()? == me.unix_user()?)
}
// {}

// {gsock_socket_service_new GsockSocketService::incoming}
fn serve() -> Result<(SocketService, u16), glib::Error> {
    let service = SocketService::new();
    service.connect_incoming(|_service, connection, _source_object| {
        // To go on with it later a reference is kept: it is closed with its last one.
        let output = connection.output_stream();
        let _ = output.write(b"hello", gio::Cancellable::NONE);
        true
    });
    // It is active already.
    let port = service.add_any_inet_port(glib::Object::NONE)?;
    Ok((service, port))
}
// {}

// {gsock_socket_service_drain_async gsock_socket_service_drain_finish}
async fn end_in_good_order(service: &SocketService) {
    service.drain_future().await;
    service.close();
}
// {}

// {gsock_threaded_socket_service_new GsockThreadedSocketService::run GsockThreadedSocketService:max-threads}
fn serve_with_threads() -> Result<(ThreadedSocketService, u16), glib::Error> {
    // `max-threads`: how many connections are served at once.
    let service = ThreadedSocketService::new(4);
    service.connect_run(|_service, connection, _source_object| {
        // On a thread of the service, where it may block.
        let output = connection.output_stream();
        let _ = output.write_all(b"hello", gio::Cancellable::NONE);
        true
    });
    let port = service.add_any_inet_port(glib::Object::NONE)?;
    Ok((service, port))
}
// {}

// ---- Running them

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn unix_end(end: UnixStream) -> UnixConnection {
    SocketConnection::factory_create_connection_from_fd(end.into())
        .expect("it is a socket")
        .downcast()
        .expect("a Unix socket has such a connection")
}

async fn run_service(service: &SocketService, port: u16) -> Outcome {
    let connection = call_later("127.0.0.1", port).await?;
    let input = connection.input_stream();
    let answer = input.read_bytes_future(5, glib::Priority::DEFAULT).await?;
    assert_eq!(&answer[..], b"hello");
    end_in_good_order(service).await;
    Ok(())
}

async fn run() -> Outcome {
    let (another, _) = listen_in_range()?;
    another.close();
    let (listener, port) = listen_at_any_port()?;
    let first = call("127.0.0.1", port)?;
    let one = next_connection(&listener)?;
    let second = make_connection()?;
    watch(&second);
    connect_it(&second, port)?;
    let two = accept_later(&listener).await?;
    let third = make_connection()?;
    connect_it_later(&third, port).await?;
    let three = next_connection(&listener)?;

    // first – (one, two) – second
    first
        .output_stream()
        .write_all(b"ping", gio::Cancellable::NONE)?;
    first.close(gio::Cancellable::NONE)?;
    second.socket().shutdown(false, true)?;
    let relayed = join(&one, &two).await?;
    assert_eq!((relayed.a_to_b, relayed.b_to_a), (4, 0));

    let third: TcpConnection = third
        .downcast()
        .expect("a TCP socket has such a connection");
    notice_soon(&third)?;
    wrap(&three)?.close(gio::Cancellable::NONE)?;
    close_with_care(&third)?;

    let (left, right) = UnixStream::pair()?;
    let (left, right) = (unix_end(left), unix_end(right));
    hand_over(&left, io::stdin().as_fd())?;
    drop(take_over(&right)?);
    say_who(&left)?;
    assert!(is_mine(&right)?);

    let (service, port) = serve()?;
    run_service(&service, port).await?;
    let (service, port) = serve_with_threads()?;
    run_service(service.upcast_ref(), port).await
}

/// A listener on loopback, and where it listens.
fn loopback_listener() -> Result<(SocketListener, gio::SocketAddress), glib::Error> {
    let listener = SocketListener::new();
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    let (kind, protocol) = (gio::SocketType::Stream, gio::SocketProtocol::Default);
    let any_port = gio::InetSocketAddress::new(&loopback, 0);
    let address = listener.add_address(&any_port, kind, protocol, glib::Object::NONE)?;
    Ok((listener, address))
}

/// A connection that is made already.
fn connected_to(address: &gio::SocketAddress) -> Result<SocketConnection, glib::Error> {
    SocketClient::new().connect(address, gio::Cancellable::NONE)
}

fn in_time(run: impl Future<Output = Outcome>) {
    let context = glib::MainContext::new();
    let outcome = context
        .with_thread_default(|| {
            let limit = Duration::from_secs(20);
            context.block_on(glib::future_with_timeout(limit, run))
        })
        .expect("the context is nobody else's")
        .expect("it ends in time");
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn the_operations_of_the_documentation_do_what_they_say() {
    in_time(run());
}
