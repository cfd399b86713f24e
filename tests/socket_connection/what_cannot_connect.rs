//! Connects that fail by what they are asked of.

use std::{net::SocketAddr, net::TcpStream};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, prelude::*, subclass::prelude::*};
use glib::translate::{IntoGlibPtr, from_glib_none};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// SC-17, SOCK-25 is what C does.
#[test]
fn a_second_connect_of_a_connected_connection_fails_and_changes_nothing() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        connect_async_and_wait(context, &connection, address, None).expect("it listens");
        let (mut peer, _) = listener.accept().expect("connected");
        let told = states(&connection);
        for target in [address, echo_server()] {
            let target = gio_address(target);
            assert_fails(
                connection.connect(&target, Cancellable::NONE),
                IOErrorEnum::Failed,
            );
            assert_fails(
                block_on(context, connection.connect_future(&target)),
                IOErrorEnum::Failed,
            );
        }
        assert_fails(
            connect_async_and_wait(context, &connection, address, None),
            IOErrorEnum::Failed,
        );
        assert!(told.borrow().is_empty());
        assert!(connection.is_alive());
        assert!(connection.last_error().is_none());
        assert_address(connection.remote_address(), address);
        write(&connection, b"as before").expect("connected");
        close(&connection);
        assert_eq!(read_to_end(&mut peer), b"as before");
    });
}

/// For another peer there must be another socket.
#[test]
fn a_connection_whose_peer_is_gone_connects_no_more() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        drop(peer);
        iterate_until(context, || {
            connection.state() == ConnectionState::Disconnected
        });
        let told = states(&connection);
        let (listener, address) = listener();
        assert_fails(
            connection.connect(&gio_address(address), Cancellable::NONE),
            IOErrorEnum::Failed,
        );
        assert_nobody_connected(&listener);
        assert!(told.borrow().is_empty());
    });
}

/// SC-17a.
#[test]
fn a_second_connect_while_the_first_is_under_way_fails_and_disturbs_nothing() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (connection, port) = bound();
        let first_cancellable = Cancellable::new();
        let first = start_connect(&connection, deaf.address, Some(&first_cancellable));
        settle(context);
        let told = states(&connection);
        let target = gio_address(deaf.address);
        assert_fails(
            connection.connect(&target, Cancellable::NONE),
            IOErrorEnum::Failed,
        );
        assert_fails(
            connect_async_and_wait(context, &connection, deaf.address, None),
            IOErrorEnum::Failed,
        );
        assert_fails(
            block_on(context, connection.connect_future(&target)),
            IOErrorEnum::Failed,
        );
        assert!(first.borrow().is_none());
        assert_eq!(connection.state(), ConnectionState::Connecting);
        assert!(kernel_states(port).contains(&SYN_SENT));
        assert!(told.borrow().is_empty());
        assert!(connection.last_error().is_none());
        first_cancellable.cancel();
        iterate_until(context, || first.borrow().is_some());
        assert_fails(first.take().expect("ended"), IOErrorEnum::Cancelled);
    });
}

/// The code that GIO's own connection answers.
fn gios_code(socket: &gio::Socket, address: &gio::SocketAddress) -> IOErrorEnum {
    let connection = socket.connection_factory_create_connection();
    let result = SocketConnectionExt::connect(&connection, address, Cancellable::NONE);
    code(&result.expect_err("it cannot be connected"))
}

#[test]
fn an_address_of_another_family_is_answered_as_gio_does() {
    on_private_context(|context| {
        let addresses: [gio::SocketAddress; 3] = [
            gio_address(([127, 0, 0, 1], 9).into()).upcast(),
            gio_address("[::1]:9".parse().expect("valid")).upcast(),
            gio::UnixSocketAddress::new(std::path::Path::new("/nowhere")).upcast(),
        ];
        let new_socket = |family| {
            gio::Socket::new(family, SocketType::Stream, gio::SocketProtocol::Default)
                .expect("a socket")
        };
        for family in [SocketFamily::Ipv4, SocketFamily::Ipv6, SocketFamily::Unix] {
            for address in addresses
                .iter()
                .filter(|address| address.family() != family)
            {
                let expected = gios_code(&new_socket(family), address);
                let connection = SocketConnection::factory_create_connection(&new_socket(family));
                assert_fails(connection.connect(address, Cancellable::NONE), expected);
                assert_fails(
                    block_on(context, connection.connect_future(address)),
                    expected,
                );
                assert_eq!(connection.state(), ConnectionState::Unconnected);
                assert_eq!(code(&connection.last_error().expect("it failed")), expected);
            }
        }
    });
}

#[test]
fn a_datagram_socket_connects_and_may_change_its_peer() {
    on_private_context(|context| {
        let peers: Vec<_> = (0..2)
            .map(|_| std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("loopback"))
            .collect();
        let connection = SocketConnection::factory_create_connection(&datagram_socket());
        for peer in &peers {
            let address = peer.local_addr().expect("bound");
            connection
                .connect(&gio_address(address), Cancellable::NONE)
                .expect("datagrams need nobody");
            assert_eq!(connection.state(), ConnectionState::Connected);
            assert_address(connection.remote_address(), address);
            write(&connection, b"datagram").expect("connected");
            let mut bytes = [0; 16];
            peer.set_read_timeout(Some(LIMIT)).expect("an option");
            let (count, from) = peer.recv_from(&mut bytes).expect("a datagram");
            assert_eq!(&bytes[..count], b"datagram");
            assert_address(connection.local_address(), from);
        }
        settle(context);
        assert_eq!(
            connection.state(),
            ConnectionState::Connected,
            "nobody leaves without a connection"
        );
        // An empty datagram is no end of file.
        let address = peers[0].local_addr().expect("bound");
        connect_async_and_wait(context, &connection, address, None).expect("as before");
        let here = connection.local_address().expect("bound");
        let here = here.downcast::<gio::InetSocketAddress>().expect("IPv4");
        peers[0]
            .send_to(b"", SocketAddr::new([127, 0, 0, 1].into(), here.port()))
            .expect("loopback");
        assert_eq!(read(&connection, 8).expect("a datagram"), b"");
        assert_eq!(connection.state(), ConnectionState::Connected);
    });
}

#[test]
fn a_listening_socket_is_answered_as_gio_does() {
    on_private_context(|_| {
        let listening = || {
            let socket = ipv4_socket();
            socket
                .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
                .expect("loopback");
            socket.listen().expect("bound");
            socket
        };
        let target: gio::SocketAddress = gio_address(echo_server()).upcast();
        let expected = gios_code(&listening(), &target);
        assert_eq!(expected, IOErrorEnum::Failed);
        let socket = listening();
        let connection = SocketConnection::factory_create_connection(&socket);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert_fails(connection.connect(&target, Cancellable::NONE), expected);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(!connection.is_connected());
        // It listens as before.
        let address = connection.local_address().expect("bound");
        let port = address
            .downcast_ref::<gio::InetSocketAddress>()
            .expect("IPv4")
            .port();
        let _peer = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        socket.accept(Cancellable::NONE).expect("somebody is there");
    });
}

/// The socket that C holds may be closed without the connection.
#[test]
fn a_socket_closed_behind_the_connections_back_answers_closed() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection.socket().close().expect("it is open");
        assert_eq!(read_to_end(&mut peer), b"");
        assert_fails(read(&connection, 1), IOErrorEnum::Closed);
        assert_fails(write(&connection, b"x"), IOErrorEnum::Closed);
        assert!(!connection.is_connected());
        settle(context);
        close(&connection);
        assert_eq!(connection.state(), ConnectionState::Closed);
    });
}

mod shapeless {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, Default)]
    pub struct Imp {
        pub size: Cell<isize>,
        /// Why it has no native form; 0 for no reason.
        pub why: Cell<i32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Imp {
        const NAME: &'static str = "GsockTestShapeless";
        type Type = Shapeless;
        type ParentType = gio::SocketAddress;
    }

    impl ObjectImpl for Imp {}

    // SAFETY: the slots of the class are filled with functions of their types.
    unsafe impl IsSubclassable<Imp> for gio::SocketAddress {
        fn class_init(class: &mut glib::Class<Self>) {
            Self::parent_class_init::<Imp>(class);
            let class = class.as_mut();
            class.get_family = Some(family);
            class.get_native_size = Some(size);
            class.to_native = Some(to_native);
        }
    }

    unsafe extern "C" fn family(_: *mut gio::ffi::GSocketAddress) -> gio::ffi::GSocketFamily {
        gio::ffi::G_SOCKET_FAMILY_IPV4
    }

    fn own(address: *mut gio::ffi::GSocketAddress) -> Shapeless {
        // SAFETY: a live address of this class.
        let address: gio::SocketAddress = unsafe { from_glib_none(address) };
        address.downcast().expect("of this class")
    }

    unsafe extern "C" fn size(address: *mut gio::ffi::GSocketAddress) -> isize {
        own(address).imp().size.get()
    }

    unsafe extern "C" fn to_native(
        address: *mut gio::ffi::GSocketAddress,
        _: *mut std::ffi::c_void,
        _: usize,
        failure: *mut *mut glib::ffi::GError,
    ) -> glib::ffi::gboolean {
        if own(address).imp().why.get() != 0 {
            let why = glib::Error::new(IOErrorEnum::NotSupported, "it has no shape");
            // SAFETY: a place for an error, which is the caller's.
            unsafe { *failure = why.into_glib_ptr() };
        }
        glib::ffi::GFALSE
    }
}

glib::wrapper! {
    /// An address that has no native form, or one of any size.
    pub struct Shapeless(ObjectSubclass<shapeless::Imp>) @extends gio::SocketAddress;
}

#[test]
fn an_address_without_a_native_form_is_an_error_and_nothing_is_begun() {
    on_private_context(|context| {
        for (size, why, expected) in [
            (-1, 0, IOErrorEnum::InvalidArgument),
            // More than any address of the kernel's has.
            (129, 0, IOErrorEnum::InvalidArgument),
            (16, 0, IOErrorEnum::InvalidArgument),
            (16, 1, IOErrorEnum::NotSupported),
        ] {
            let address: Shapeless = glib::Object::new();
            address.imp().size.set(size);
            address.imp().why.set(why);
            let connection = unconnected();
            let told = states(&connection);
            let failed = connection.connect(&address, Cancellable::NONE);
            assert_fails(failed, expected);
            let failed = block_on(context, connection.connect_future(&address));
            assert_fails(failed, expected);
            assert!(told.borrow().is_empty());
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            let (_listener, good) = listener();
            let connected = connection.connect(&gio_address(good), Cancellable::NONE);
            connected.expect("as good as new");
        }
    });
}
