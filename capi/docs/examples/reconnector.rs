//! What is of connecting again, in Rust, as the documentation shows it; see operations.rs.

use std::time::Duration;

use gio::prelude::*;
use gsock::{Reconnector, ReconnectorState, SocketClient, SocketService, prelude::*};

use super::{Outcome, in_time, loopback_listener};

// {gsock_reconnector_new gsock_reconnector_start GsockReconnector:client :connectable}
fn stay_connected(
    client: &SocketClient,
    connectable: &impl IsA<gio::SocketConnectable>,
) -> Reconnector {
    let reconnector = Reconnector::new(client, connectable);
    assert_eq!(reconnector.client().as_ref(), Some(client));
    assert!(reconnector.connectable().is_some());
    // Connects in the main loop, and again whenever the connection is lost.
    reconnector.start();
    reconnector
}
// {}

// {gsock_reconnector_wait_connected}
fn wait_now(reconnector: &Reconnector) -> Result<gio::IOStream, glib::Error> {
    // Blocks; starts it if need be.
    reconnector.wait_connected(gio::Cancellable::NONE)
}
// {}

// {gsock_reconnector_wait_connected_async gsock_reconnector_wait_connected_finish}
async fn wait_later(reconnector: &Reconnector) -> Result<gio::IOStream, glib::Error> {
    reconnector.wait_connected_future().await
}
// {}

// {gsock_reconnector_retry_now}
fn on_button(reconnector: &Reconnector) {
    // Whatever the delay.
    reconnector.retry_now();
}
// {}

// {gsock_reconnector_stop}
fn leave(reconnector: &Reconnector) {
    // Closes what is connected.
    reconnector.stop();
}
// {}

// {GsockReconnector:connection :io-stream}
fn show_alive_in(reconnector: &Reconnector, label: &impl IsA<glib::Object>) {
    let Some(connection) = reconnector.connection() else {
        return;
    };
    // Without TLS it is one object, which lives through all sockets: so does the binding.
    assert_eq!(
        reconnector.io_stream().as_ref(),
        Some(connection.upcast_ref())
    );
    connection
        .bind_property("alive", label, "active")
        .sync_create()
        .build();
}
// {}

// {GsockReconnector:state :attempt :next-attempt-in-ms :last-error}
fn how_it_stands(reconnector: &Reconnector) -> String {
    if reconnector.state() == ReconnectorState::Connected {
        return "connected".to_owned();
    }
    let (number, delay) = (reconnector.attempt() + 1, reconnector.next_attempt_in());
    format!(
        "attempt {number} in {delay:?}: {:?}",
        reconnector.last_error()
    )
}
// {}

// {GsockReconnector:initial-delay-ms :max-delay-ms :jitter :max-attempts :stable-after-ms :reconnect}
fn be_patient(reconnector: &Reconnector) {
    reconnector.set_initial_delay(Duration::from_secs(1));
    reconnector.set_max_delay(Duration::from_secs(60));
    reconnector.set_jitter(0.2);
    reconnector.set_max_attempts(20);
    reconnector.set_stable_after(Duration::from_secs(5));
    reconnector.set_reconnect(true);
    println!(
        "from {:?} to {:?}, the last {} by chance, {} times; begun anew after {:?}; again: {}",
        reconnector.initial_delay(),
        reconnector.max_delay(),
        reconnector.jitter(),
        reconnector.max_attempts(),
        reconnector.stable_after(),
        reconnector.reconnect(),
    );
}
// {}

// {GsockReconnector:network-monitor :debounce-ms}
fn hear_of_the_network(reconnector: &Reconnector) {
    // GIO's own, by itself.
    let default = gio::NetworkMonitor::default();
    assert_eq!(reconnector.network_monitor(), Some(default));
    reconnector.set_debounce(Duration::from_secs(2));
    assert_eq!(reconnector.debounce(), Duration::from_secs(2));
    // Nobody's word, where the network has no way out.
    reconnector.set_network_monitor(gio::NetworkMonitor::NONE);
}
// {}

// {GsockReconnector::attempt ::attempt-failed ::connected ::disconnected ::given-up}
fn hear_of_it(reconnector: &Reconnector) {
    reconnector.connect_attempt(|_, number| println!("attempt {number}"));
    reconnector.connect_attempt_failed(|_, number, error, delay| {
        println!("attempt {number}: {error}; the next one in {delay:?}");
    });
    reconnector.connect_connected(|_, stream| println!("connected, by a {}", stream.type_()));
    reconnector.connect_disconnected(|_, error| println!("lost: {error:?}"));
    reconnector.connect_given_up(|_, error| println!("no more: {error}"));
}
// {}

async fn run() -> Outcome {
    let (_listener, address) = loopback_listener()?;
    let reconnector = stay_connected(&SocketClient::new(), &address);
    hear_of_it(&reconnector);
    be_patient(&reconnector);
    hear_of_the_network(&reconnector);
    let first = wait_now(&reconnector)?;
    // Anything that has a property for it.
    let label = SocketService::new();
    show_alive_in(&reconnector, &label);
    assert_eq!(how_it_stands(&reconnector), "connected");
    on_button(&reconnector);
    assert_eq!(wait_later(&reconnector).await?, first);
    leave(&reconnector);
    assert_eq!(reconnector.state(), ReconnectorState::Stopped);
    assert!(!label.is_active());
    Ok(())
}

#[test]
fn who_connects_again_does_what_the_documentation_says() {
    in_time(run());
}
