//! Load and time: connections by the ten thousand at once, and ten minutes of coming and going. Run by
//! `.ci/nets/load.sh` and `.ci/nets/soak.sh`; the other ends are processes of their own.

#![cfg(test)]
#![allow(unsafe_code, reason = "limits, epoll(7), and how much memory there is")]

mod support;

#[path = "load/far.rs"]
mod far;
#[path = "load/hold.rs"]
mod hold;
#[path = "many_connections/polling.rs"]
mod polling;
#[path = "load/soak.rs"]
mod soak;
#[path = "load/soak_services.rs"]
mod soak_services;

use std::time::Duration;

use far::Far;
use support::*;

const LONG_LIMIT: Duration = Duration::from_secs(300);

/// How many are asked for.
fn asked(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |count| count.parse().expect("a number"))
}

fn count() -> usize {
    asked("GSOCK_LOAD_CONNECTIONS", 10_000)
}

/// A poll that looks at every connection takes time by the square of their number.
fn count_of_gio() -> usize {
    asked("GSOCK_LOAD_CONNECTIONS_OF_GIO", 2_000)
}

macro_rules! holds {
    ($test:ident, $name:literal, $count:ident, client $family:ident) => {
        #[test]
        #[ignore = "of a net: load.sh"]
        fn $test() {
            if far::ran() {
                return;
            }
            on_private_context_within(LONG_LIMIT, |context| {
                let mut far = Far::start(stringify!($test), "echo");
                let peers = far.addresses();
                hold::measured(context, $name, $count(), |count| {
                    hold::$family::connect(context, &peers, count)
                });
                far.end();
            });
        }
    };
    ($test:ident, $name:literal, $count:ident, service $family:ident) => {
        #[test]
        #[ignore = "of a net: load.sh"]
        fn $test() {
            if far::ran() {
                return;
            }
            on_private_context_within(LONG_LIMIT, |context| {
                hold::measured(context, $name, $count(), |count| {
                    hold::$family::serve(context, stringify!($test), count)
                });
            });
        }
    };
}

holds!(a_client_holds_them_all, "our client", count, client ours);
holds!(gios_client_holds_some, "GIO's client", count_of_gio, client gios);
holds!(a_service_holds_them_all, "our service", count, service ours);
holds!(gios_service_holds_some, "GIO's service", count_of_gio, service gios);

#[test]
#[ignore = "of a net: soak.sh"]
fn what_comes_and_goes_for_long_leaves_nothing() {
    if far::ran() {
        return;
    }
    let time = Duration::from_secs(asked("GSOCK_SOAK_SECONDS", 600) as u64);
    on_private_context_within(time + LONG_LIMIT, move |context| {
        soak::run(context, "what_comes_and_goes_for_long_leaves_nothing", time);
    });
}
