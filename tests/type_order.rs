//! Which types there are before the first class is initialised.
//!
//! The one test of this file: it needs a process in which nothing has happened yet.

#![cfg(test)]

mod support;

use gio::prelude::*;
use gsock::{TcpConnection, TcpWrapperConnection, UnixConnection};
use support::*;

/// GObject holds a lock while it initialises a class, and needs the same lock to give a type its
/// interfaces, which GIO does while it holds the lock of the type's registration. A class that named
/// such a type for the first time would wait for a thread that waits for the class.
#[test]
fn what_the_classes_name_is_registered_before_any_of_them_is_initialised() {
    on_private_context(|_| {
        let names = [
            "GSocket",
            "GSocketAddress",
            "GError",
            "GsockConnectionState",
            "GsockSocketInputStream",
            "GsockSocketOutputStream",
        ];
        let unknown = || {
            let mut names = names.to_vec();
            names.retain(|name| glib::Type::from_name(*name).is_none());
            names
        };
        assert!(unknown().contains(&"GSocket"), "too late");
        // Registers the type; its class waits for the first that needs it.
        TcpConnection::static_type();
        assert_eq!(unknown(), Vec::<&str>::new());

        // No property is of a type that is missing in the list. Those streams have no interfaces.
        let plain = [
            "GIOStream",
            "GInputStream",
            "GOutputStream",
            "gboolean",
            "guint64",
        ];
        for class in [
            TcpConnection::static_type(),
            TcpWrapperConnection::static_type(),
            UnixConnection::static_type(),
        ] {
            let class = glib::Class::<glib::Object>::from_type(class);
            for pspec in class.expect("a class").list_properties() {
                let type_ = pspec.value_type();
                assert!(
                    names.contains(&type_.name()) || plain.contains(&type_.name()),
                    "{}: {}",
                    pspec.name(),
                    type_.name()
                );
            }
        }
    });
}
