//! The properties and what they are at first.

use std::time::Duration;

use gio::prelude::*;
use gsock::{Reconnector, ReconnectorState as State, SocketClient};

use crate::{support::*, tools::*};

/// RECONNECT-18: the defaults.
#[test]
fn the_properties_have_their_defaults() {
    on_private_context(|_| {
        let (client, aim) = (SocketClient::new(), Aim::nowhere());
        let reconnector = Reconnector::new(&client, &aim);
        assert_eq!(reconnector.client(), Some(client));
        assert_eq!(reconnector.connectable(), Some(aim.upcast()));
        assert_eq!(reconnector.initial_delay(), Duration::from_millis(500));
        assert_eq!(reconnector.max_delay(), Duration::from_secs(30));
        assert!((reconnector.jitter() - 0.5).abs() < 1e-9);
        assert_eq!(reconnector.max_attempts(), 0);
        assert_eq!(reconnector.stable_after(), Duration::from_secs(10));
        assert_eq!(reconnector.debounce(), Duration::from_secs(1));
        assert!(reconnector.reconnect());
        assert_eq!(reconnector.state(), State::Stopped);
        assert!(reconnector.connection().is_none());
        assert!(reconnector.io_stream().is_none());
        assert_eq!(reconnector.attempt(), 0);
        assert_eq!(reconnector.next_attempt_in(), Duration::ZERO);
        assert!(reconnector.last_error().is_none());
        for property in reconnector.list_properties().iter() {
            let name = property.name();
            if name != "network-monitor" {
                let by_name = reconnector.property_value(name);
                assert_eq!(by_name.type_(), property.value_type(), "{name}");
            }
        }
    });
}

/// RECONNECT-18: each is set by its method, by its name and by the builder, and notified when it is another one.
#[test]
fn the_settings_are_set_and_notified() {
    on_private_context(|_| {
        let reconnector = Reconnector::builder(&SocketClient::new(), &Aim::nowhere())
            .network_monitor(gio::NetworkMonitor::NONE)
            .initial_delay(Duration::from_micros(1500))
            .max_delay(Duration::from_millis(3))
            .jitter(1.0)
            .max_attempts(4)
            .stable_after(Duration::ZERO)
            .debounce(Duration::ZERO)
            .reconnect(false)
            .build();
        assert!(reconnector.network_monitor().is_none());
        assert_eq!(
            reconnector.initial_delay(),
            Duration::from_millis(2),
            "rounded up"
        );
        assert_eq!(reconnector.max_delay(), Duration::from_millis(3));
        assert!(reconnector.jitter() > 0.99);
        assert_eq!(reconnector.max_attempts(), 4);
        assert_eq!(reconnector.stable_after(), Duration::ZERO);
        assert_eq!(reconnector.debounce(), Duration::ZERO);
        assert!(!reconnector.reconnect());
        let seen = notifications(&reconnector);
        for _ in 0..2 {
            reconnector.set_property("initial-delay-ms", 7_u32);
            reconnector.set_property("max-delay-ms", 8_u32);
            reconnector.set_property("jitter", 0.25);
            reconnector.set_property("max-attempts", 9_u32);
            reconnector.set_property("stable-after-ms", 10_u32);
            reconnector.set_property("debounce-ms", 11_u32);
            reconnector.set_property("reconnect", true);
        }
        assert_eq!(
            *seen.borrow(),
            [
                "initial-delay-ms",
                "max-delay-ms",
                "jitter",
                "max-attempts",
                "stable-after-ms",
                "debounce-ms",
                "reconnect"
            ]
        );
        seen.take();
        let monitor = Monitor::new(true);
        for _ in 0..2 {
            reconnector.set_network_monitor(Some(&monitor));
        }
        for _ in 0..2 {
            reconnector.set_network_monitor(gio::NetworkMonitor::NONE);
        }
        assert_eq!(*seen.borrow(), ["network-monitor"; 2]);
        assert_eq!(reconnector.initial_delay(), Duration::from_millis(7));
        assert_eq!(reconnector.debounce(), Duration::from_millis(11));
        reconnector.set_initial_delay(Duration::ZERO);
        assert_eq!(
            reconnector.initial_delay(),
            Duration::from_millis(1),
            "the least"
        );
        reconnector.set_max_delay(Duration::MAX);
        assert_eq!(
            reconnector.max_delay(),
            Duration::from_millis(u32::MAX.into())
        );
        reconnector.set_jitter(7.0);
        assert!((reconnector.jitter() - 1.0).abs() < 1e-9, "the most");
    });
}

/// RECONNECT-19: built without what it needs it says so, and each attempt does.
#[test]
fn built_without_what_it_needs_it_says_so() {
    on_private_context(|context| {
        let reconnector = with_one_critical(glib::Object::new::<Reconnector>);
        assert!(reconnector.client().is_none() && reconnector.connectable().is_none());
        reconnector.set_max_attempts(1);
        let result = block_on(context, reconnector.wait_connected_future());
        assert_fails(result, gio::IOErrorEnum::InvalidArgument);
        reconnector.start();
        let result = reconnector.wait_connected(gio::Cancellable::NONE);
        assert_fails(result, gio::IOErrorEnum::InvalidArgument);
    });
}
