//! What GIO's own factory does with a registration that comes before anything else: beside
//! `factory_order.rs`, which has ours, because a process has one such moment for each.

#![cfg(test)]
#![allow(unsafe_code, reason = "derives from GIO's class as C does")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls that belong together"
)]

mod support;

use gio::{SocketFamily, SocketType};
use glib::{
    gobject_ffi,
    prelude::*,
    translate::{FromGlib, IntoGlib},
};
use support::*;

/// A type that derives from GIO's class and changes nothing.
fn early() -> glib::Type {
    let parent = gio::SocketConnection::static_type();
    let _class = glib::Class::<gio::SocketConnection>::from_type(parent).expect("a class");
    // SAFETY: all zero is valid; the parent's sizes are known once its class is there.
    unsafe {
        let mut sizes: gobject_ffi::GTypeQuery = std::mem::zeroed();
        gobject_ffi::g_type_query(parent.into_glib(), &raw mut sizes);
        glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
            parent.into_glib(),
            c"TestFactoryEarlyGio".as_ptr(),
            sizes.class_size,
            None,
            sizes.instance_size,
            None,
            0,
        ))
    }
}

/// SC-31, SC-32: the first look loads the built-in types, and loading one registers it.
///
/// That replaces an entry, and GLib 2.74 then goes on with memory that it has freed: what the
/// factory answers from here on is most often its own type, and never to be used.
#[test]
fn gios_built_in_types_overwrite_a_registration_made_before_they_were_used() {
    on_private_context(|_| {
        assert!(
            glib::Type::from_name("GTcpConnection").is_none(),
            "too late"
        );
        let early = early();
        let (ipv4, stream) = (SocketFamily::Ipv4, SocketType::Stream);
        // The second key is nobody else's.
        let found = [0, 4242].map(|protocol| {
            // SAFETY: a type that derives from the class; the answer is a number, and not used.
            unsafe {
                gio::ffi::g_socket_connection_factory_register_type(
                    early.into_glib(),
                    ipv4.into_glib(),
                    stream.into_glib(),
                    protocol,
                );
                gio::ffi::g_socket_connection_factory_lookup_type(
                    ipv4.into_glib(),
                    stream.into_glib(),
                    protocol,
                )
            }
        });
        assert_eq!(found[1], early.into_glib());
        if glib::check_version(2, 75, 0).is_some() {
            assert_ne!(found[0], early.into_glib());
        }
    });
}
