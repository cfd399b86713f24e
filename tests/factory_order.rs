//! A registration that comes before anything else has touched the built-in types holds.
//!
//! The one test of this file: it needs a process in which nothing has happened yet.

#![cfg(test)]

mod support;

use gio::{SocketFamily, SocketType, prelude::*};
use gsock::{SocketConnection, TcpConnection};
use support::*;

mod imp {
    use gsock::subclass::prelude::*;

    #[derive(Debug, Default)]
    pub(super) struct Early;

    #[glib::object_subclass]
    impl ObjectSubclass for Early {
        const NAME: &'static str = "TestFactoryEarly";
        type Type = super::Early;
        // Not of TcpConnection, whose type must not be made by ours.
        type ParentType = gsock::SocketConnection;
    }

    impl ObjectImpl for Early {}
    impl IOStreamImpl for Early {}
    impl SocketConnectionImpl for Early {}
}

glib::wrapper! {
    struct Early(ObjectSubclass<imp::Early>) @extends SocketConnection, gio::IOStream;
}

/// SC-31: the last registration wins, and loading a class is none.
#[test]
fn a_registration_made_before_the_built_in_types_were_used_is_not_overwritten() {
    on_private_context(|_| {
        assert!(
            glib::Type::from_name("GsockTcpConnection").is_none(),
            "too late"
        );
        let (family, type_) = (SocketFamily::Ipv4, SocketType::Stream);
        SocketConnection::factory_register::<Early>(family, type_, 0);

        // Whatever may load them: the type, its class, an instance, a lookup, the factory.
        let tcp = TcpConnection::static_type();
        drop(glib::Class::<TcpConnection>::from_type(tcp));
        let _: TcpConnection = glib::Object::builder()
            .property("socket", ipv4_socket())
            .build();
        let lookup = SocketConnection::factory_lookup_type;
        assert_eq!(lookup(SocketFamily::Ipv6, type_, 0), tcp);
        assert_eq!(lookup(family, type_, 6), tcp);

        assert_eq!(lookup(family, type_, 0), Early::static_type());
        let connection = SocketConnection::factory_create_connection(&ipv4_socket());
        assert!(connection.is::<Early>());
    });
}
