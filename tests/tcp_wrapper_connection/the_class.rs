//! How it is made, and what is the socket's and what the base stream's.

use std::io::Write;

use gio::prelude::*;
use gsock::{
    ConnectionState, SocketConnection, TcpConnection, TcpWrapperConnection, prelude::*,
    subclass::prelude::*,
};

use crate::{support::*, tools::*};

/// WRAP-4, WRAP-5.
#[test]
fn the_streams_are_the_base_streams_own_objects() {
    on_private_context(|_| {
        let (wrapper, base, _peer) = wrapped();
        assert_eq!(wrapper.base_io_stream(), base);
        assert_eq!(wrapper.property::<gio::IOStream>("base-io-stream"), base);
        for _ in 0..2 {
            assert_eq!(wrapper.input_stream(), base.input_stream());
            assert_eq!(wrapper.output_stream(), base.output_stream());
        }
        assert!(wrapper.is::<TcpConnection>());
    });
}

/// WRAP-10.
#[test]
fn addresses_options_and_state_are_those_of_the_socket() {
    on_private_context(|context| {
        let (wrapper, _, mut peer) = wrapped();
        assert!(wrapper.is_connected());
        assert_eq!(wrapper.state(), ConnectionState::Connected);
        let remote = wrapper.remote_address().expect("connected");
        let remote = remote.downcast::<gio::InetSocketAddress>().expect("IPv4");
        assert_eq!(remote.port(), peer.local_addr().expect("bound").port());
        wrapper.local_address().expect("bound");
        wrapper.set_no_delay(true).expect("open");
        assert!(wrapper.no_delay().expect("open"));

        // The peer's departure is seen, and takes nothing.
        peer.write_all(b"last words").expect("somebody listens");
        drop(peer);
        iterate_until(context, || wrapper.state() == ConnectionState::Disconnected);
        let mut buffer = [0; 16];
        let (count, failure) = wrapper
            .input_stream()
            .read_all(&mut buffer, NONE)
            .expect("all of it, and the end");
        assert!(failure.is_none());
        assert_eq!(&buffer[..count], b"last words");
    });
}

#[test]
fn it_connects_its_socket() {
    on_private_context(|context| {
        for form in 0..3 {
            let (listener, address) = listener();
            let address = gio_address(address);
            let inner = unconnected();
            let wrapper =
                TcpWrapperConnection::new(&plain(&inner), &inner.socket()).expect("of its kind");
            match form {
                0 => wrapper.connect(&address, NONE).expect("it listens"),
                1 => block_on(context, wrapper.connect_future(&address)).expect("it listens"),
                _ => {
                    let outcome = Outcome::default();
                    let slot = outcome.clone();
                    wrapper.connect_async(&address, NONE, move |wrapper, result| {
                        *slot.borrow_mut() = Some(wrapper.connect_finish(result));
                    });
                    end_close(context, &outcome).expect("it listens");
                }
            }
            let (mut peer, _) = listener.accept().expect("connected");
            assert!(wrapper.is_alive());
            wrapper
                .output_stream()
                .write_all(b"hello", NONE)
                .expect("connected");
            wrapper.close(NONE).expect("nothing is in the way");
            assert_eq!(read_to_end(&mut peer), b"hello");
        }
    });
}

#[test]
fn its_socket_cannot_be_exchanged() {
    on_private_context(|_| {
        let (wrapper, _, _peer) = wrapped();
        let seen = notifications(&wrapper);
        let socket = wrapper.socket();
        wrapper.set_socket(&socket).expect("the same");
        assert_fails(
            wrapper.set_socket(&ipv4_socket()),
            gio::IOErrorEnum::InvalidArgument,
        );
        with_one_critical(|| wrapper.set_property("socket", ipv4_socket()));
        assert_eq!(wrapper.socket(), socket);
        assert!(seen.borrow().is_empty());
    });
}

fn socket_of(family: gio::SocketFamily, type_: gio::SocketType) -> gio::Socket {
    gio::Socket::new(family, type_, gio::SocketProtocol::Default).expect("there are such sockets")
}

/// WRAP-3.
#[test]
fn only_an_internet_stream_will_do() {
    on_private_context(|_| {
        use gio::{SocketFamily as Family, SocketType as Type};
        let (connection, _peer) = connected();
        let base = plain(&connection);
        for (family, type_) in [
            (Family::Unix, Type::Stream),
            (Family::Ipv4, Type::Datagram),
            (Family::Ipv6, Type::Datagram),
        ] {
            let socket = socket_of(family, type_);
            assert_fails(
                TcpWrapperConnection::new(&base, &socket),
                gio::IOErrorEnum::InvalidArgument,
            );
            assert!(!socket.is_closed());
        }
        assert!(!base.is_closed());
        let ipv6 = socket_of(Family::Ipv6, Type::Stream);
        let wrapper = TcpWrapperConnection::new(&base, &ipv6).expect("of its kind");
        assert_eq!(wrapper.state(), ConnectionState::Unconnected);
    });
}

fn assert_born_closed(wrapper: &TcpWrapperConnection) {
    assert!(wrapper.is_closed());
    assert_eq!(wrapper.state(), ConnectionState::Closed);
}

fn assert_of_no_use(wrapper: &TcpWrapperConnection) {
    assert_born_closed(wrapper);
    let (input, output) = (wrapper.input_stream(), wrapper.output_stream());
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert_fails(input.read(&mut [0], NONE), gio::IOErrorEnum::Closed);
    assert_fails(output.write(b"?", NONE), gio::IOErrorEnum::Closed);
    wrapper.close(NONE).expect("closed already");
}

/// WRAP-8.
#[test]
fn without_a_base_stream_it_is_born_closed_and_leaves_the_socket_alone() {
    on_private_context(|_| {
        let socket = ipv4_socket();
        let wrapper: TcpWrapperConnection = with_one_critical(|| {
            glib::Object::builder()
                .property("socket", &socket)
                .property("graceful-disconnect", true)
                .build()
        });
        assert_of_no_use(&wrapper);
        assert!(wrapper.base_io_stream().is_closed());
        assert_ne!(wrapper.socket(), socket);
        assert!(!socket.is_closed());

        let nothing: TcpWrapperConnection = with_one_critical(glib::Object::new);
        assert_of_no_use(&nothing);
    });
}

#[test]
fn without_a_socket_that_will_do_it_is_born_closed_and_leaves_the_base_stream_alone() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let base = plain(&connection);
        let wrapper: TcpWrapperConnection = with_one_critical(|| {
            glib::Object::builder()
                .property("base-io-stream", &base)
                .build()
        });
        assert_born_closed(&wrapper);
        let datagrams = socket_of(gio::SocketFamily::Unix, gio::SocketType::Datagram);
        let (wrapper, messages) = logged(|| {
            glib::Object::builder::<TcpWrapperConnection>()
                .property("base-io-stream", &base)
                .property("socket", &datagrams)
                .build()
        });
        // That it was refused, and that there is none.
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_born_closed(&wrapper);
        assert!(!datagrams.is_closed());
        assert!(!base.is_closed());
        assert!(!connection.is_closed());
    });
}

mod imp {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    pub(super) struct Derived {
        pub(super) closes: AtomicUsize,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Derived {
        const NAME: &'static str = "TestDerivedWrapper";
        type Type = super::Derived;
        type ParentType = TcpWrapperConnection;
    }

    impl ObjectImpl for Derived {}
    impl IOStreamImpl for Derived {
        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.closes.fetch_add(1, Ordering::SeqCst);
            self.parent_close(cancellable)
        }
    }
    impl SocketConnectionImpl for Derived {}
    impl TcpConnectionImpl for Derived {}
    impl TcpWrapperConnectionImpl for Derived {}
}

glib::wrapper! {
    struct Derived(ObjectSubclass<imp::Derived>)
        @extends TcpWrapperConnection, TcpConnection, SocketConnection, gio::IOStream;
}

#[test]
fn a_derived_class_has_the_base_streams_too_and_its_close_is_called_once() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, mut peer) = connected_to_outlive();
            let base = polite(&connection);
            let derived: Derived = glib::Object::builder()
                .property("base-io-stream", &base)
                .property("socket", connection.socket())
                .build();
            assert_eq!(derived.input_stream(), base.input_stream());
            assert_eq!(derived.output_stream(), base.output_stream());
            form.close(context, derived.upcast_ref())
                .expect("nothing is in the way");
            assert_closed(derived.upcast_ref());
            assert!(base.is_closed());
            assert_eq!(base.closes(), 1, "{form:?}");
            let closes = &derived.imp().closes;
            assert_eq!(closes.load(std::sync::atomic::Ordering::SeqCst), 1);
            assert_eq!(read_to_end(&mut peer), b"BYE");
        }
    });
}
