//! Services in a process of their own: what spins, and what runs out.

use std::time::Duration;

use gio::prelude::*;

use super::{count, keeping, loopback};
use crate::{accepting::*, apart::*, listener::alone::no_descriptor_left, support::*};

/// Iterates for a while, and tells how many messages that made, at most 20: nothing, some, or as many as fit.
fn noise(context: &glib::MainContext) -> i32 {
    let before = logged_so_far();
    // Each turn of such a loop has its message.
    iterate_for(context, Duration::from_millis(100));
    match logged_so_far() - before {
        0 => 0,
        1..=20 => 1,
        _ => 2,
    }
}

/// SERVICE-12: close it, and it warns for ever.
#[test]
fn differs_service_12_a_close_does_not_make_a_service_spin() {
    differs_apart(
        "service::alone::differs_service_12_a_close_does_not_make_a_service_spin",
        |side, context| {
            let service = side.service();
            service.listen();
            iterate_for(context, Duration::from_millis(10));
            service.close();
            let noise = noise(context);
            service.end_service(context);
            noise
        },
        Says(2),
        Says(0),
    );
}

/// SERVICE-13: a socket that does not listen. The others are served all the same.
#[test]
fn differs_service_13_a_socket_that_does_not_listen_does_not_make_a_service_spin() {
    differs_apart(
        "service::alone::differs_service_13_a_socket_that_does_not_listen_does_not_make_a_service_spin",
        |side, context| {
            let service = side.service();
            let seen = keeping(&service);
            let socket = ipv4_socket();
            socket.bind(&loopback(), false).unwrap();
            service.add_socket(&socket, None).unwrap();
            let address = service.listen();
            let noise = noise(context);
            let _client = client_of(address);
            let served = side.comes(context, || count(&seen) == 1);
            service.end_service(context);
            i32::from(noise == 2) + 2 * i32::from(served)
        },
        Says(1),
        Says(2),
    );
}

/// SERVICE-13: without descriptors. As soon as there is one the service goes on.
#[test]
fn differs_service_13_without_descriptors_a_service_waits_and_does_not_spin() {
    differs_apart(
        "service::alone::differs_service_13_without_descriptors_a_service_waits_and_does_not_spin",
        |side, context| {
            let service = side.service();
            let seen = keeping(&service);
            let address = service.listen();
            let _first = client_of(address);
            iterate_until(context, || count(&seen) == 1);
            let _client = client_of(address);
            let mut fillers = no_descriptor_left();
            let noise = noise(context);
            fillers.truncate(fillers.len() - 4);
            iterate_until(context, || count(&seen) == 2);
            assert!(service.is_active());
            service.end_service(context);
            i32::from(noise == 2)
        },
        Says(1),
        Says(0),
    );
}
