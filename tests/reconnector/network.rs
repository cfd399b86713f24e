//! What a monitor says of the network.

use std::time::Duration;

use gio::prelude::*;
use gsock::ReconnectorState as State;

use crate::{support::*, tools::*};

fn with_monitor(context: &glib::MainContext, is_available: bool) -> (Scene, Monitor) {
    let scene = Scene::new(context);
    let monitor = Monitor::new(is_available);
    scene.reconnector.set_network_monitor(Some(&monitor));
    scene.reconnector.set_debounce(Duration::from_millis(20));
    (scene, monitor)
}

/// RECONNECT-13: while the network is away there is no attempt, and there is one soon after it has come back.
#[test]
fn it_waits_for_the_network() {
    on_private_context(|context| {
        let (scene, monitor) = with_monitor(context, false);
        scene.reconnector.start();
        assert_eq!(scene.reconnector.state(), State::WaitingForNetwork);
        iterate_for(context, 10 * SOON);
        assert!(scene.told().is_empty());
        // For longer than this machine can be busy.
        scene.reconnector.set_debounce(Duration::from_secs(3600));
        monitor.turn(true);
        assert_eq!(scene.reconnector.state(), State::WaitingForNetwork);
        monitor.turn(false);
        scene.reconnector.set_debounce(Duration::from_millis(20));
        monitor.turn(true);
        scene.accept();
        assert_eq!(scene.told(), ["attempt 1", "connected"]);
    });
}

/// RECONNECT-13: a connection that is there is not given up on the monitor's word, and is not made again without a network.
#[test]
fn a_connection_outlives_the_network_and_a_loss_waits_for_it() {
    on_private_context(|context| {
        let (scene, monitor) = with_monitor(context, true);
        scene.reconnector.start();
        let peer = scene.accept();
        monitor.turn(false);
        iterate_for(context, 10 * SOON);
        assert_eq!(scene.reconnector.state(), State::Connected);
        scene.told();
        drop(peer);
        scene.until_state(State::WaitingForNetwork);
        iterate_for(context, 10 * SOON);
        assert_eq!(scene.told(), ["disconnected"]);
        monitor.turn(true);
        scene.accept();
    });
}

/// RECONNECT-13: a delay is cut short by the network's return, and ends in waiting when the network goes.
#[test]
fn the_network_counts_while_it_delays() {
    on_private_context(|context| {
        let (scene, monitor) = with_monitor(context, true);
        scene
            .reconnector
            .set_initial_delay(Duration::from_secs(3600));
        scene.reconnector.set_max_delay(Duration::from_secs(3600));
        scene.go_away();
        scene.reconnector.start();
        scene.until_state(State::Delaying);
        monitor.turn(false);
        assert_eq!(scene.reconnector.state(), State::WaitingForNetwork);
        scene.come_back();
        monitor.turn(true);
        scene.accept();
    });
}

/// RECONNECT-14: one that comes back for less than `debounce-ms` brings no attempt.
#[test]
fn a_network_that_flaps_is_no_network() {
    on_private_context(|context| {
        let (scene, monitor) = with_monitor(context, false);
        scene.reconnector.set_debounce(Duration::from_secs(3600));
        scene.reconnector.start();
        for _ in 0..20 {
            monitor.turn(true);
            context.iteration(false);
            monitor.turn(false);
            context.iteration(false);
        }
        iterate_for(context, 4 * SOON);
        assert!(scene.told().is_empty());
        assert_eq!(scene.reconnector.state(), State::WaitingForNetwork);
        scene.reconnector.set_debounce(Duration::ZERO);
        monitor.turn(true);
        scene.accept();
    });
}

/// RECONNECT-15: what somebody wants now is tried, whatever the monitor says.
#[test]
fn retry_now_does_not_wait_for_the_network() {
    on_private_context(|context| {
        let (scene, _monitor) = with_monitor(context, false);
        scene.reconnector.start();
        assert_eq!(scene.reconnector.state(), State::WaitingForNetwork);
        scene.reconnector.retry_now();
        scene.accept();
    });
}

/// RECONNECT-16: another monitor, or none, is heard at once; the one of before no more.
#[test]
fn the_monitor_may_be_another_one() {
    on_private_context(|context| {
        let (scene, monitor) = with_monitor(context, false);
        scene.reconnector.start();
        let other = Monitor::new(true);
        assert_eq!(
            scene.reconnector.network_monitor(),
            Some(monitor.clone().upcast())
        );
        scene.reconnector.set_network_monitor(Some(&other));
        scene.accept();
        monitor.turn(false);
        other.turn(false);
        scene.reconnector.retry_now();
        scene.accept();
        scene.reconnector.stop();
        scene.reconnector.start();
        assert_eq!(scene.reconnector.state(), State::WaitingForNetwork);
        scene
            .reconnector
            .set_network_monitor(gio::NetworkMonitor::NONE);
        assert!(scene.reconnector.network_monitor().is_none());
        scene.accept();
        let gone = [Gone::of(&monitor), Gone::of(&other)];
        drop((monitor, other));
        assert!(gone.iter().all(Gone::is_gone));
    });
}

/// RECONNECT-17: what is on this machine needs no network.
#[test]
fn what_is_near_needs_no_network() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let near: [gio::SocketConnectable; 4] = [
            gio_address(address).upcast(),
            gio::NetworkAddress::new("127.0.0.1", address.port()).upcast(),
            gio::NetworkAddress::new("localhost.", address.port()).upcast(),
            gio::UnixSocketAddress::new(std::path::Path::new("/nonexistent/socket")).upcast(),
        ];
        for connectable in near {
            let reconnector = eager(&connectable);
            reconnector.set_network_monitor(Some(&Monitor::new(false)));
            reconnector.start();
            assert_eq!(reconnector.state(), State::Connecting);
            reconnector.stop();
        }
        for far in ["192.0.2.1", "example.invalid", "localhost.example"] {
            let reconnector = eager(&gio::NetworkAddress::new(far, 1));
            reconnector.set_network_monitor(Some(&Monitor::new(false)));
            reconnector.start();
            assert_eq!(reconnector.state(), State::WaitingForNetwork, "{far}");
        }
        drop((listener, context.clone()));
    });
}

/// RECONNECT-16: by itself it hears GIO's own.
#[test]
fn the_default_monitor_is_gios() {
    on_default_context(|context| {
        let (listener, address) = listener();
        let reconnector =
            gsock::Reconnector::new(&gsock::SocketClient::new(), &gio_address(address));
        assert_eq!(
            reconnector.network_monitor(),
            Some(gio::NetworkMonitor::default())
        );
        let wait = reconnector.wait_connected_future();
        block_on(context, wait).unwrap();
        drop(listener);
    });
}
