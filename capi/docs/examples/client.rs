//! The client in Rust, as the documentation shows it; see operations.rs.

use std::time::Duration;

use gio::prelude::*;
use gsock::{ConnectReport, SocketClient, SocketConnection, prelude::*};

use super::{Outcome, in_time, loopback_listener};

// {gsock_socket_client_connect}
fn reach(address: &gio::SocketAddress) -> Result<SocketConnection, glib::Error> {
    // Any SocketConnectable: an address, a name, a service.
    SocketClient::new().connect(address, gio::Cancellable::NONE)
}
// {}

// {gsock_socket_client_connect_async gsock_socket_client_connect_finish}
async fn reach_later(address: &gio::SocketAddress) -> Result<SocketConnection, glib::Error> {
    // Dropped, it is cancelled; `connect_async` and `connect_finish` are there as well.
    SocketClient::new().connect_future(address).await
}
// {}

// {gsock_socket_client_connect_to_service}
fn call_service(domain: &str, service: &str) -> Result<SocketConnection, glib::Error> {
    // For "imaps": where `_imaps._tcp` of the domain says, by priority and weight.
    SocketClient::new().connect_to_service(domain, service, gio::Cancellable::NONE)
}
// {}

// {gsock_socket_client_connect_to_service_async gsock_socket_client_connect_to_service_finish}
async fn call_service_later(domain: &str, service: &str) -> Result<SocketConnection, glib::Error> {
    let client = SocketClient::new();
    client.connect_to_service_future(domain, service).await
}
// {}

// {gsock_socket_client_connect_to_uri}
fn call_uri(uri: &str) -> Result<SocketConnection, glib::Error> {
    // The port where the URI has none.
    SocketClient::new().connect_to_uri(uri, 80, gio::Cancellable::NONE)
}
// {}

// {gsock_socket_client_connect_to_uri_async gsock_socket_client_connect_to_uri_finish}
async fn call_uri_later(uri: &str) -> Result<SocketConnection, glib::Error> {
    SocketClient::new().connect_to_uri_future(uri, 80).await
}
// {}

// {gsock_connect_report_get_*}
fn tell(report: &ConnectReport, error: Option<&glib::Error>) {
    for attempt in &report.attempts {
        let (begun, took) = (attempt.begun, attempt.took);
        println!(
            "{:?}: begun after {begun:?}, took {took:?}",
            attempt.address
        );
        println!("{:?}", attempt.error);
    }
    let (resolve, connect) = (report.resolve, report.connect);
    println!("names took {resolve:?}, connecting {connect:?}");
    // None where there was none.
    println!("the proxy took {:?}, TLS {:?}", report.proxy, report.tls);
    if let Some(error) = error {
        println!("no connection: {error}");
    }
}
// {}

// {gsock_socket_client_connect_with_report gsock_connect_report_free}
fn reach_and_tell(address: &gio::SocketAddress) -> Option<SocketConnection> {
    let context = glib::MainContext::new();
    // In Rust it is a future alone. There is a report also when there is no connection.
    match context.block_on(SocketClient::new().connect_with_report(address)) {
        Ok((connection, report)) => {
            tell(&report, None);
            Some(connection)
        }
        Err((error, report)) => {
            tell(&report, Some(&error));
            None
        }
    }
}
// {}

// {gsock_socket_client_connect_with_report_async gsock_socket_client_connect_with_report_finish}
async fn reach_and_tell_later(address: &gio::SocketAddress) -> Option<SocketConnection> {
    let client = SocketClient::new();
    match client.connect_with_report(address).await {
        Ok((connection, report)) => {
            tell(&report, None);
            Some(connection)
        }
        Err((error, report)) => {
            tell(&report, Some(&error));
            None
        }
    }
}
// {}

// {gsock_socket_connection_get_connect_report gsock_connect_report_copy}
fn how_it_was_made(connection: &SocketConnection) -> Option<ConnectReport> {
    // None where no client has made it.
    connection.connect_report()
}
// {}

// {gsock_socket_client_new GsockSocketClient:timeout :*-ms}
fn client_of_little_patience() -> SocketClient {
    let client = SocketClient::new();
    // Seconds for each connect, read and write.
    client.set_timeout(20);
    // For all of connecting, from the name to TLS; for a read or a write; for an address before the next.
    client.set_connect_timeout(Duration::from_secs(10));
    client.set_io_timeout(Duration::from_secs(5));
    client.set_attempt_delay(Duration::from_millis(250));
    let (connect, io) = (client.connect_timeout(), client.io_timeout());
    let (each, delay) = (client.timeout(), client.attempt_delay());
    println!("{each} s, {connect:?}, {io:?}, {delay:?}");
    client
}
// {}

// {GsockSocketClient:family :type :protocol :local-address :multipath gsock_socket_client_?et_socket_type}
fn choose_sockets(client: &SocketClient) {
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    client.set_family(gio::SocketFamily::Ipv4);
    client.set_socket_type(gio::SocketType::Stream);
    client.set_protocol(gio::SocketProtocol::Tcp);
    client.set_local_address(Some(&gio::InetSocketAddress::new(&loopback, 0)));
    // Several paths at once, where both ends can.
    client.set_multipath(false);
    println!("{:?} {:?}", client.family(), client.socket_type());
    println!("{:?} {:?}", client.protocol(), client.local_address());
    assert!(!client.multipath());
}
// {}

// {GsockSocketClient:*proxy* gsock_socket_client_add_application_proxy}
fn choose_proxy(client: &SocketClient) {
    let direct = ["localhost", "127.0.0.0/8"];
    let resolver = gio::SimpleProxyResolver::new(Some("socks5://proxy.example"), &direct[..]);
    client.set_enable_proxy(true);
    client.set_proxy_resolver(Some(&resolver));
    // One that the program speaks with itself: it is given the connection to the proxy.
    client.add_application_proxy("own");
    assert!(client.enables_proxy() && client.proxy_resolver() == resolver);
}
// {}

// {GsockSocketClient:tls*}
fn encrypt(client: &SocketClient) -> bool {
    let all = gio::TlsCertificateFlags::VALIDATE_ALL;
    client.set_tls(true);
    // What of a certificate is looked at; `accept-certificate` of the TlsConnection can say more.
    client.set_tls_validation_flags(all);
    client.tls() && client.tls_validation_flags() == all
}
// {}

// {GsockSocketClient::event}
fn look_on(client: &SocketClient) {
    client.connect_event(|_client, event, _connectable, stream| {
        // Here an option of the socket can be set before it is used.
        let connection = stream.and_then(|it| it.downcast_ref::<SocketConnection>());
        if let (gio::SocketClientEvent::Connecting, Some(connection)) = (event, connection) {
            connection.socket().set_keepalive(true);
        }
    });
}
// {}

async fn run() -> Outcome {
    let (_listener, address) = loopback_listener()?;
    assert!(reach(&address)?.is_connected());
    assert!(reach_later(&address).await?.is_connected());
    // No server is asked: a label of the DNS has 63 bytes at most.
    let service = "a-service-of-a-name-that-is-longer-than-anything-in-the-dns-can-be";
    assert!(call_service("localhost", service).is_err());
    assert!(call_service_later("localhost", service).await.is_err());
    let uri = format!("some://{}/path", SocketConnectableExt::to_string(&address));
    assert!(call_uri(&uri)?.is_connected());
    assert!(call_uri_later(&uri).await?.is_connected());
    let made = reach_and_tell_later(&address)
        .await
        .ok_or("no connection")?;
    let report = how_it_was_made(&made).ok_or("no report")?;
    assert_eq!(report.attempts.len(), 1);

    let client = client_of_little_patience();
    choose_sockets(&client);
    choose_proxy(&client);
    look_on(&client);
    let made = client.connect(&address, gio::Cancellable::NONE)?;
    assert!(made.socket().is_keepalive());
    assert!(encrypt(&client));
    Ok(())
}

#[test]
fn the_client_of_the_documentation_does_what_it_says() {
    in_time(run());
}

#[test]
fn the_blocking_report_of_the_documentation_does_what_it_says() {
    let (_listener, address) = loopback_listener().expect("loopback is there");
    assert!(reach_and_tell(&address).is_some());
}
