//! Properties bound to those of another object.

use std::io::Write;

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn the_properties_can_be_bound_to_anothers() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let label = Label::new();
        for (from, to) in [
            ("state", "state"),
            ("alive", "alive"),
            ("closed", "closed"),
            ("bytes-read", "bytes-read"),
            ("remote-address", "remote"),
            ("socket", "socket"),
        ] {
            connection
                .bind_property(from, &label, to)
                .sync_create()
                .build();
        }
        assert_eq!(label.state(), ConnectionState::Unconnected);
        assert_eq!(label.socket(), Some(connection.socket()));
        assert!(label.remote().is_none());

        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        assert_eq!(label.state(), ConnectionState::Connected);
        assert!(label.alive());
        assert_address(Ok(label.remote().expect("connected")), address);

        let (mut peer, _) = listener.accept().expect("connected");
        peer.write_all(b"12345").expect("connected");
        read(&connection, 5).expect("a peer");
        iterate_until(context, || label.bytes_read() == 5);
        drop(peer);
        iterate_until(context, || label.state() == ConnectionState::Disconnected);
        assert!(!label.alive());

        close(&connection);
        iterate_until(context, || label.closed());
        assert_eq!(label.state(), ConnectionState::Closed);
        assert_address(Ok(label.remote().expect("kept")), address);
    });
}
