//! gio's prelude and ours are imported together, in either order, without a warning.

#![cfg(test)]

mod support;

/// The same code under two orders of imports: what the test is about is that it compiles.
macro_rules! use_both {
    ($module:ident, $first:ident, $second:ident) => {
        #[deny(warnings)]
        mod $module {
            use $first::prelude::*;
            use $second::prelude::*;

            use std::os::fd::AsFd;

            use gsock::{
                ConnectionState, SocketConnection, TcpConnection, TcpWrapperConnection,
                UnixConnection,
            };

            use super::support::*;

            #[test]
            fn methods_of_both_libraries_are_found() {
                on_private_context(|context| {
                    let (listener, address) = listener();
                    let address = gio_address(address);
                    let connection = unconnected();

                    // `connect` is ours, although glib's prelude has one too.
                    connection
                        .connect(&address, gio::Cancellable::NONE)
                        .expect("it listens");
                    let (mut peer, _) = listener.accept().expect("somebody connected");

                    // The traits of gio's class of the same name do not stand in the way.
                    assert!(connection.is_connected());
                    assert_eq!(connection.state(), ConnectionState::Connected);
                    assert_eq!(
                        connection.remote_address().expect("one").family(),
                        address.family()
                    );
                    let _: gio::Socket = connection.socket();

                    // gio's own: the parent class, its streams, GObject.
                    let output = connection.output_stream();
                    output
                        .write_all(b"hello", gio::Cancellable::NONE)
                        .expect("connected");
                    assert_eq!(connection.type_().name(), "GsockTcpConnection");
                    connection.close(gio::Cancellable::NONE).expect("open");
                    assert!(connection.is_closed());
                    assert_eq!(read_to_end(&mut peer), b"hello");

                    // The derived class has the method and its own ones.
                    let connection: TcpConnection = unconnected().downcast().expect("TCP");
                    connection.set_no_delay(true).expect("an open socket");
                    connection.set_graceful_disconnect(true);
                    connection
                        .connect(&address, gio::Cancellable::NONE)
                        .expect("it listens");
                    connection.connect_alive_notify(|_| ());
                    connection.connect_graceful_disconnect_notify(|_| ());
                    block_on(context, connection.connect_future(&address)).expect_err("twice");
                });
            }

            /// The base stream's getter has the name of gio's.
            #[test]
            fn methods_of_both_wrappers_are_found() {
                on_private_context(|context| {
                    let (listener, address) = listener();
                    let address = gio_address(address);
                    let inner = unconnected();
                    let ours = TcpWrapperConnection::new(&inner, &inner.socket()).expect("TCP");
                    ours.connect(&address, gio::Cancellable::NONE)
                        .expect("it listens");
                    let _peer = listener.accept().expect("somebody connected");
                    block_on(context, ours.connect_future(&address)).expect_err("twice");
                    assert_eq!(
                        ours.base_io_stream(),
                        inner.clone().upcast::<gio::IOStream>()
                    );
                    assert!(ours.is_alive());
                    assert!(!ours.is_graceful_disconnect());
                    let theirs = gio::TcpWrapperConnection::new(&inner, &inner.socket());
                    let theirs: gio::TcpWrapperConnection = theirs.downcast().expect("its own");
                    assert_eq!(theirs.base_io_stream(), inner.upcast::<gio::IOStream>());
                });
            }

            /// Those of the Unix classes have the same names and other parameters.
            #[test]
            fn methods_of_both_unix_connections_are_found() {
                on_private_context(|_| {
                    let ends = std::os::unix::net::UnixStream::pair().expect("two sockets");
                    let theirs = gio::Socket::from_fd(ends.0.into()).expect("a socket");
                    let theirs = theirs.connection_factory_create_connection();
                    let theirs: gio::UnixConnection = theirs.downcast().expect("Unix");
                    let ours = SocketConnection::factory_create_connection_from_fd(ends.1.into());
                    let ours: UnixConnection = ours.expect("a socket").downcast().expect("Unix");
                    theirs
                        .send_credentials(gio::Cancellable::NONE)
                        .expect("room");
                    ours.receive_credentials(gio::Cancellable::NONE)
                        .expect("sent");
                    theirs.send_fd(0, gio::Cancellable::NONE).expect("room");
                    let fd = ours.receive_fd(gio::Cancellable::NONE).expect("sent");
                    ours.send_fd(fd.as_fd(), gio::Cancellable::NONE)
                        .expect("room");
                    assert!(theirs.receive_fd(gio::Cancellable::NONE).expect("sent") >= 0);
                });
            }

            /// gio's own class of the same name keeps its methods.
            #[test]
            fn methods_of_gios_class_are_found() {
                on_private_context(|_| {
                    let (_peer, fd) = tcp_pair();
                    let socket = gio::Socket::from_fd(fd).expect("a socket");
                    let theirs = socket.connection_factory_create_connection();
                    assert!(theirs.is_connected());
                    assert_eq!(theirs.socket(), socket);
                    let theirs: gio::TcpConnection = theirs.downcast().expect("TCP");
                    theirs.set_graceful_disconnect(true);
                    assert!(theirs.is_graceful_disconnect());
                    theirs.set_graceful_disconnect(false);
                    theirs.close(gio::Cancellable::NONE).expect("open");
                });
            }

            /// Signals by name have another method than the one that is hidden.
            #[test]
            fn signals_can_be_connected_beside_connect() {
                on_private_context(|_| {
                    let connection: SocketConnection = unconnected();
                    let (count, seen) = {
                        let seen = std::rc::Rc::new(std::cell::Cell::new(0));
                        (seen.clone(), seen)
                    };
                    connection.connect_local("notify::socket", false, move |_| {
                        count.set(count.get() + 1);
                        None
                    });
                    connection
                        .set_socket(&ipv4_socket())
                        .expect("nothing is pending");
                    assert_eq!(seen.get(), 1);
                });
            }

            /// Through a bound, upcast: the name alone is ambiguous there, as gio's own is.
            fn connect_any(
                connection: &impl IsA<SocketConnection>,
                address: &impl IsA<gio::SocketAddress>,
            ) -> Result<(), glib::Error> {
                connection
                    .upcast_ref::<SocketConnection>()
                    .connect(address, gio::Cancellable::NONE)
            }

            #[test]
            fn generic_code_connects_through_the_base_class() {
                on_private_context(|_| {
                    let (_listener, address) = listener();
                    let connection: TcpConnection = unconnected().downcast().expect("TCP");
                    connect_any(&connection, &gio_address(address)).expect("it listens");
                    assert!(connection.is_alive());
                });
            }
        }
    };
}

use_both!(gio_first, gio, gsock);
use_both!(gsock_first, gsock, gio);
