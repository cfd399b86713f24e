//! A real GType, its properties, and types derived from it.

use std::io::Write;

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

fn has_flag(type_: glib::Type, flag: u32) -> bool {
    // SAFETY: asks about a registered type.
    let has = unsafe {
        glib::gobject_ffi::g_type_test_flags(glib::translate::IntoGlib::into_glib(type_), flag)
    };
    has != glib::ffi::GFALSE
}

/// SC-1.
#[test]
fn it_is_a_gtype_of_its_own_whose_parent_is_giostream() {
    on_private_context(|_| {
        let type_ = SocketConnection::static_type();
        assert_eq!(type_.name(), "GsockSocketConnection");
        assert_eq!(type_.parent(), Some(gio::IOStream::static_type()));
        assert!(!has_flag(type_, glib::gobject_ffi::G_TYPE_FLAG_ABSTRACT));
        assert!(!has_flag(type_, glib::gobject_ffi::G_TYPE_FLAG_FINAL));
        assert!(type_.interfaces().is_empty());

        let connection = SocketConnection::new(&ipv4_socket());
        assert_eq!(connection.type_(), type_);
        assert!(connection.is::<gio::IOStream>());
        assert!(!connection.is::<gio::SocketConnection>());
    });
}

#[test]
fn types_can_be_derived_from_it() {
    on_private_context(|_| {
        assert_eq!(
            Derived::static_type().parent(),
            Some(SocketConnection::static_type())
        );
        let (socket, mut peer) = connected_socket();
        let derived: Derived = glib::Object::builder().property("socket", &socket).build();
        write(derived.upcast_ref(), b"derived").expect("a peer");
        close(derived.upcast_ref());
        assert_eq!(read_to_end(&mut peer), b"derived");
    });
}

#[test]
fn its_properties_have_the_documented_types_and_flags() {
    use glib::ParamFlags as F;
    on_private_context(|_| {
        let connection = unconnected();
        let written = F::READABLE | F::WRITABLE | F::CONSTRUCT | F::EXPLICIT_NOTIFY;
        let read = F::READABLE | F::EXPLICIT_NOTIFY;
        for (name, type_, flags) in [
            ("socket", gio::Socket::static_type(), written),
            ("state", ConnectionState::static_type(), read),
            ("alive", bool::static_type(), read),
            ("local-address", gio::SocketAddress::static_type(), read),
            ("remote-address", gio::SocketAddress::static_type(), read),
            ("last-error", glib::Error::static_type(), read),
            ("bytes-read", u64::static_type(), read),
            ("bytes-written", u64::static_type(), read),
        ] {
            let property = connection.find_property(name).expect(name);
            assert_eq!(property.value_type(), type_, "{name}");
            assert_eq!(
                property.owner_type(),
                SocketConnection::static_type(),
                "{name}"
            );
            let all = F::READABLE
                | F::WRITABLE
                | F::CONSTRUCT
                | F::CONSTRUCT_ONLY
                | F::EXPLICIT_NOTIFY
                | F::DEPRECATED;
            assert_eq!(property.flags() & all, flags, "{name}");
        }
        for name in ["closed", "input-stream", "output-stream"] {
            let property = connection.find_property(name).expect(name);
            assert_eq!(property.owner_type(), gio::IOStream::static_type());
        }
    });
}

#[test]
fn every_property_reads_as_its_method_answers() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        peer.write_all(b"four").expect("connected");
        assert_eq!(read(&connection, 4).expect("four bytes"), b"four");
        write(&connection, b"seven b").expect("connected");
        reset(peer);
        iterate_until(context, || connection.last_error().is_some());

        assert_eq!(
            connection.property::<gio::Socket>("socket"),
            connection.socket()
        );
        assert_eq!(
            connection.property::<ConnectionState>("state"),
            connection.state()
        );
        assert_eq!(connection.property::<bool>("alive"), connection.is_alive());
        assert_eq!(connection.property::<u64>("bytes-read"), 4);
        assert_eq!(connection.property::<u64>("bytes-written"), 7);
        let failure = connection.property::<Option<glib::Error>>("last-error");
        assert_eq!(
            failure.map(|failure| failure.to_string()),
            connection.last_error().map(|failure| failure.to_string())
        );
        let text = |address: gio::SocketAddress| SocketConnectableExt::to_string(&address);
        for (name, method) in [
            ("local-address", connection.local_address()),
            ("remote-address", connection.remote_address()),
        ] {
            let property = connection.property::<Option<gio::SocketAddress>>(name);
            assert_eq!(property.map(text), method.ok().map(text), "{name}");
        }
    });
}

/// The properties of what is not there are NULL, not errors.
#[test]
fn addresses_and_error_of_an_unconnected_connection_are_null_properties() {
    on_private_context(|_| {
        let connection = unconnected();
        let remote = connection.property::<Option<gio::SocketAddress>>("remote-address");
        assert!(remote.is_none());
        let failure = connection.property::<Option<glib::Error>>("last-error");
        assert!(failure.is_none());
    });
}
