//! What is of TCP, in Rust, as the documentation shows it; see operations.rs.

use std::time::Duration;

use gio::prelude::*;
use gsock::{TcpConnection, TcpWrapperConnection, prelude::*};

use super::{Outcome, connected_to, in_time, loopback_listener};

// {gsock_tcp_connection_set_no_delay gsock_tcp_connection_get_no_delay}
fn send_at_once(connection: &TcpConnection) -> Result<bool, glib::Error> {
    connection.set_no_delay(true)?;
    connection.no_delay()
}
// {}

// {gsock_tcp_connection_set_keepalive_params gsock_tcp_connection_get_keepalive_params}
fn probe(connection: &TcpConnection) -> Result<bool, glib::Error> {
    let (idle, interval) = (Duration::from_secs(30), Duration::from_secs(5));
    // After 30 silent seconds every 5, and 3 times in vain.
    connection.set_keepalive_params(idle, interval, 3)?;
    // None where they are off.
    let params = connection.keepalive_params()?;
    Ok(params.is_some_and(|it| (it.idle, it.interval, it.count) == (idle, interval, 3)))
}
// {}

// {gsock_tcp_connection_set_user_timeout gsock_tcp_connection_get_user_timeout}
fn wait_for_acknowledgement(connection: &TcpConnection) -> Result<Duration, glib::Error> {
    connection.set_user_timeout(Duration::from_secs(20))?;
    connection.user_timeout()
}
// {}

// {gsock_tcp_connection_set_linger_zero gsock_tcp_connection_get_linger_zero}
fn reset_at_close(connection: &TcpConnection) -> Result<bool, glib::Error> {
    // What has not been sent is lost, and the peer told.
    connection.set_linger_zero(true)?;
    connection.linger_zero()
}
// {}

// {gsock_tcp_connection_get_graceful_disconnect}
fn closes_with_care(connection: &TcpConnection) -> bool {
    connection.is_graceful_disconnect()
}
// {}

// {gsock_tcp_wrapper_connection_get_base_io_stream}
fn what_is_wrapped(wrapper: &TcpWrapperConnection) -> gio::IOStream {
    wrapper.base_io_stream()
}
// {}

async fn run() -> Outcome {
    let (_listener, address) = loopback_listener()?;
    let connection = connected_to(&address)?.downcast::<TcpConnection>();
    let connection = connection.map_err(|_| "another class")?;
    assert!(send_at_once(&connection)?);
    assert!(probe(&connection)?);
    assert_eq!(wait_for_acknowledgement(&connection)?.as_secs(), 20);
    assert!(reset_at_close(&connection)?);
    assert!(!closes_with_care(&connection));
    let wrapper = TcpWrapperConnection::new(&connection, &connection.socket())?;
    assert_eq!(
        what_is_wrapped(&wrapper),
        connection.upcast::<gio::IOStream>()
    );
    Ok(())
}

#[test]
fn the_options_of_tcp_of_the_documentation_do_what_they_say() {
    in_time(run());
}
