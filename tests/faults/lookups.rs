//! Names that nobody has, by the system's resolver.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, ResolverError, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::support::*;

/// GLib 2.79.2: what a lookup had begun with was leaked when it failed. A leak detector sees what is not counted here.
#[test]
fn bug_38_a_lookup_that_fails_leaves_nothing() {
    on_private_context(|context| {
        // Longer than a part of a name may be: no server is asked.
        let nobody = "x".repeat(64);
        let resolver = gio::Resolver::default();
        let assert_unknown = |failed: glib::Error| assert!(failed.is::<ResolverError>());
        for _ in 0..10 {
            // By hand, as whoever has no client.
            let failed = resolver.lookup_by_name(&nobody, Cancellable::NONE);
            assert_unknown(failed.unwrap_err());
            let failed = block_on(context, resolver.lookup_by_name_future(&nobody));
            assert_unknown(failed.unwrap_err());

            let client = SocketClient::new();
            let to = gio::NetworkAddress::new(&nobody, 1);
            let gone = [Gone::of(&client), Gone::of(&to)];
            assert_unknown(client.connect(&to, Cancellable::NONE).unwrap_err());
            assert_unknown(block_on(context, client.connect_future(&to)).unwrap_err());
            let failed = Rc::new(RefCell::new(None));
            let slot = failed.clone();
            client.connect_async(&to, Cancellable::NONE, move |client, result| {
                slot.replace(client.connect_finish(result).err());
            });
            drop((client, to));
            iterate_until(context, || failed.borrow().is_some());
            assert_unknown(failed.take().unwrap());
            iterate_until(context, || gone.iter().all(Gone::is_gone));
        }
    });
}
