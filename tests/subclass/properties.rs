//! A class with properties of its own; and all kinds of classes in the factory.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
};

use gio::prelude::*;
use glib::translate::IntoGlib;
use gsock::{SocketConnection, TcpConnection, prelude::*, subclass::prelude::*};

use crate::{connecting::Redirecting, streams::Rot13Connection, support::*, tools::*};

mod labelled {
    use std::{
        cell::{Cell, RefCell},
        sync::Mutex,
    };

    use gio::prelude::*;
    use gsock::{ConnectionState, TcpConnection, prelude::*, subclass::prelude::*};

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Labelled)]
    pub(super) struct Labelled {
        #[property(get, set, construct, nullable)]
        label: Mutex<Option<String>>,
        #[property(get)]
        seen: Mutex<String>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Labelled {
        const NAME: &'static str = "TestLabelled";
        type Type = super::Labelled;
        type ParentType = TcpConnection;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Labelled {
        fn constructed(&self) {
            self.parent_constructed();
            // From here on everything is there.
            let object = self.obj();
            let socket = object.property::<gio::Socket>("socket");
            *self.seen.lock().expect("no panic") = format!(
                "{:?} {:?} {:?} {}",
                object.label(),
                object.state(),
                socket.family(),
                object.is_graceful_disconnect(),
            );
            if object.state() == ConnectionState::Unconnected {
                object.set_graceful_disconnect(true);
            }
        }
    }

    impl IOStreamImpl for Labelled {}
    impl SocketConnectionImpl for Labelled {}
    impl TcpConnectionImpl for Labelled {}

    // What a class may hold besides: the state of a connection belongs to its thread.
    const _: () = {
        const fn is_send<T: Send>() {}
        is_send::<Cell<u8>>();
        is_send::<RefCell<u8>>();
        is_send::<Labelled>();
    };
}

mod listening {
    use std::sync::Mutex;

    use gsock::{TcpConnection, subclass::prelude::*};

    #[derive(Debug, Default)]
    pub(super) struct Listening {
        pub(super) heard: Mutex<Vec<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Listening {
        const NAME: &'static str = "TestListening";
        type Type = super::Listening;
        type ParentType = TcpConnection;
    }

    impl ObjectImpl for Listening {
        fn notify(&self, pspec: &glib::ParamSpec) {
            let name = pspec.name().to_owned();
            self.heard.lock().expect("no panic").push(name);
        }
    }

    impl IOStreamImpl for Listening {}
    impl SocketConnectionImpl for Listening {}
    impl TcpConnectionImpl for Listening {}
}

glib::wrapper! {
    struct Listening(ObjectSubclass<listening::Listening>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

#[test]
fn a_class_that_hears_of_properties_by_itself_hears_of_the_byte_counters() {
    on_private_context(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let socket = gio::Socket::new(
            gio::SocketFamily::Ipv4,
            gio::SocketType::Stream,
            gio::SocketProtocol::Tcp,
        )
        .expect("a socket");
        let connection: Listening = glib::Object::builder().property("socket", &socket).build();
        connection
            .upcast_ref::<SocketConnection>()
            .connect(&gio_address(address), gio::Cancellable::NONE)
            .expect("a listener");
        let (mut peer, _) = listener.accept().expect("a connection");
        let output = connection.output_stream();
        output
            .write_all(b"x", gio::Cancellable::NONE)
            .expect("room");
        peer.read_exact(&mut [0]).expect("a byte");
        let heard = connection.imp().heard.lock().expect("no panic").clone();
        assert!(
            heard.iter().any(|name| name == "bytes-written"),
            "{heard:?}"
        );
        assert!(heard.iter().any(|name| name == "state"), "{heard:?}");
    });
}

glib::wrapper! {
    struct Labelled(ObjectSubclass<labelled::Labelled>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

#[test]
fn a_class_has_properties_of_its_own_beside_the_inherited_ones() {
    on_private_context(|_| {
        let connection: Labelled = glib::Object::builder()
            .property("label", "mine")
            .property("socket", ipv4_socket())
            .build();
        assert_eq!(connection.seen(), "Some(\"mine\") Unconnected Ipv4 false");
        assert!(connection.is_graceful_disconnect());
        let seen = notifications(&connection);
        connection.set_label(Some("yours"));
        assert_eq!(connection.property::<String>("label"), "yours");
        connection
            .set_socket(&tcp_socket(gio::SocketFamily::Ipv6))
            .expect("nothing is pending");
        assert!(seen.borrow().contains(&"label".to_owned()));
        assert!(seen.borrow().contains(&"socket".to_owned()));

        // Around a bare descriptor, the socket is there when `constructed` asks for it.
        let (_peer, fd) = tcp_pair();
        let connection: Labelled = glib::Object::builder()
            .property("socket", gio::Socket::from_fd(fd).expect("a socket"))
            .property("graceful-disconnect", true)
            .build();
        // That one is no construct property: it comes after `constructed`.
        assert_eq!(connection.seen(), "None Connected Ipv4 false");
        assert!(connection.is_graceful_disconnect());
    });
}

/// Registers each of the three for a kind of socket that no other test here makes.
#[test]
fn third_party_types_come_back_from_the_factory_and_work() {
    on_private_context(|context| {
        use gio::{SocketFamily, SocketProtocol, SocketType};

        // One that overrides connect.
        SocketConnection::factory_register::<Redirecting>(
            SocketFamily::Ipv6,
            SocketType::Stream,
            0,
        );
        let listener = TcpListener::bind("[::1]:0").expect("loopback");
        let target = listener.local_addr().expect("bound");
        let socket = tcp_socket(SocketFamily::Ipv6);
        let connection = SocketConnection::factory_create_connection(&socket);
        let connection: Redirecting = connection.downcast().expect("the registered type");
        assert_eq!(connection.socket(), socket);
        connection.imp().target.set(target).expect("once");
        let nowhere = gio_address("[::1]:1".parse().expect("an address"));
        connect_async(context, &connection, &nowhere, None).expect("it listens elsewhere");
        assert!(connection.is_alive());

        // One that wraps its streams, around a bare descriptor.
        SocketConnection::factory_register::<Rot13Connection>(
            SocketFamily::Unix,
            SocketType::Stream,
            0,
        );
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let connection =
            SocketConnection::factory_create_connection_from_fd(ours.into()).expect("a socket");
        assert!(connection.is::<Rot13Connection>());
        connection
            .output_stream()
            .write_all(b"abc", gio::Cancellable::NONE)
            .expect("connected");
        let mut sent = [0; 3];
        theirs.read_exact(&mut sent).expect("it was sent");
        assert_eq!(sent, *b"nop");

        // One below TCP, around a bare descriptor, whose protocol the kernel tells.
        SocketConnection::factory_register::<Labelled>(
            SocketFamily::Ipv6,
            SocketType::Stream,
            SocketProtocol::Tcp.into_glib(),
        );
        let stream = TcpStream::connect(target).expect("it listens");
        let connection =
            SocketConnection::factory_create_connection_from_fd(stream.into()).expect("a socket");
        let connection: Labelled = connection.downcast().expect("the registered type");
        assert_eq!(connection.seen(), "None Connected Ipv6 false");
        assert_eq!(connection.label(), None);
        connection.set_no_delay(true).expect("an open socket");
    });
}
