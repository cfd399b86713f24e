//! Who gets which type.

use std::thread;

use gio::{SocketFamily, SocketType, prelude::*};
use glib::{
    gobject_ffi,
    translate::{FromGlib, IntoGlib},
};

use crate::{support::*, tools::*};

fn socket(family: SocketFamily, type_: SocketType) -> gio::Socket {
    gio::Socket::new(family, type_, gio::SocketProtocol::Default).expect("it can be made")
}

#[test]
fn the_factory_makes_connections_of_gios_types_whose_streams_are_ours() {
    adopted(|_| {
        for (family, type_, name, parent) in [
            (
                SocketFamily::Ipv4,
                SocketType::Stream,
                "GsockGioTcpConnection",
                gio::TcpConnection::static_type(),
            ),
            (
                SocketFamily::Ipv6,
                SocketType::Stream,
                "GsockGioTcpConnection",
                gio::TcpConnection::static_type(),
            ),
            (
                SocketFamily::Unix,
                SocketType::Stream,
                "GsockGioUnixConnection",
                gio::UnixConnection::static_type(),
            ),
            (
                SocketFamily::Ipv4,
                SocketType::Datagram,
                "GsockGioSocketConnection",
                gio::SocketConnection::static_type(),
            ),
        ] {
            let socket = socket(family, type_);
            let connection = socket.connection_factory_create_connection();
            assert_eq!(connection.type_().name(), name);
            assert_eq!(connection.type_().parent(), Some(parent));
            assert_eq!(connection.socket(), socket);
            let (input, output) = (connection.input_stream(), connection.output_stream());
            assert_eq!(input.type_().name(), "GsockSocketInputStream");
            assert_eq!(output.type_().name(), "GsockGioSocketOutputStream");
            // The same ones each time.
            assert_eq!(connection.input_stream(), input);
            assert_eq!(connection.output_stream(), output);
        }
    });
}

#[test]
fn gios_tables_go_on_answering_with_gios_types() {
    adopted(|_| {
        let found =
            gio::SocketConnection::factory_lookup_type(SocketFamily::Ipv4, SocketType::Stream, 0);
        assert_eq!(found, gio::TcpConnection::static_type());
    });
}

#[test]
fn whoever_makes_an_object_of_gios_type_by_hand_gets_one_of_ours() {
    adopted(|_| {
        let connection: gio::TcpConnection = glib::Object::builder()
            .property("socket", ipv4_socket())
            .property("graceful-disconnect", true)
            .build();
        assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
        assert!(connection.is_graceful_disconnect());
    });
}

#[test]
fn adopting_again_and_on_several_threads_at_once_changes_nothing() {
    adopted(|_| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    for _ in 0..100 {
                        gsock::adopt_gio().expect("it can be done");
                        let connection = ipv4_socket().connection_factory_create_connection();
                        assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

/// A type of somebody else's, below `parent`.
fn derived(parent: glib::Type, name: &std::ffi::CStr) -> glib::Type {
    // SAFETY: all zero is valid; the parent's sizes are known once its class is there.
    unsafe {
        gobject_ffi::g_type_class_ref(parent.into_glib());
        let mut sizes: gobject_ffi::GTypeQuery = std::mem::zeroed();
        gobject_ffi::g_type_query(parent.into_glib(), &raw mut sizes);
        glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
            parent.into_glib(),
            name.as_ptr(),
            sizes.class_size,
            None,
            sizes.instance_size,
            None,
            0,
        ))
    }
}

#[test]
fn a_type_that_derives_from_gios_stays_as_it_is() {
    // By whoever comes first.
    static TYPE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    adopted(|_| {
        let type_ = *TYPE.get_or_init(|| {
            derived(
                gio::TcpConnection::static_type(),
                c"TestAdoptDerivedFromGios",
            )
            .into_glib()
        });
        // SAFETY: a registered type.
        let type_ = unsafe { glib::Type::from_glib(type_) };
        let connection = glib::Object::builder_with_type(type_)
            .property("socket", ipv4_socket())
            .build()
            .downcast::<gio::TcpConnection>()
            .expect("it derives from it");
        assert_eq!(connection.type_(), type_);
        assert_eq!(
            connection.input_stream().type_().name(),
            "GSocketInputStream"
        );
    });
}

#[test]
fn a_proxys_wrapper_stays_gios_and_carries_what_is_ours() {
    adopted(|_| {
        let (base, mut peer) = adopted_tcp();
        let wrapper = gio::TcpWrapperConnection::new(&base, &base.socket());
        assert_eq!(wrapper.type_().name(), "GTcpWrapperConnection");
        assert_eq!(
            wrapper.input_stream().type_().name(),
            "GsockSocketInputStream"
        );
        write_all(&wrapper, b"through");
        drop(wrapper);
        drop(base);
        assert_eq!(read_to_end(&mut peer), b"through");
    });
}

#[test]
fn our_own_classes_are_not_touched() {
    adopted(|_| {
        let (connection, _peer) = connected();
        assert_eq!(connection.type_(), gsock::TcpConnection::static_type());
    });
}
