//! What the factory is asked for when a listener accepts.
//!
//! The one test of this file: it puts a class in the place of the built-in one of most connections.

#![cfg(test)]

mod support;

use gio::{Cancellable, SocketFamily, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketConnection, SocketListener, TcpConnection, prelude::*};
use support::*;

mod imp {
    use gsock::subclass::prelude::*;

    #[derive(Debug, Default)]
    pub(super) struct Accepted;

    #[glib::object_subclass]
    impl ObjectSubclass for Accepted {
        const NAME: &'static str = "TestFactoryAccepted";
        type Type = super::Accepted;
        type ParentType = gsock::TcpConnection;
    }

    impl ObjectImpl for Accepted {}
    impl IOStreamImpl for Accepted {}
    impl SocketConnectionImpl for Accepted {}
    impl TcpConnectionImpl for Accepted {}
}

glib::wrapper! {
    struct Accepted(ObjectSubclass<imp::Accepted>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

/// LISTEN-27: the protocol is what the listening socket says, though the kernel says TCP in either case.
#[test]
fn what_is_accepted_has_the_type_of_the_protocol_that_was_listened_with() {
    on_private_context(|context| {
        SocketConnection::factory_register::<Accepted>(SocketFamily::Ipv4, SocketType::Stream, 0);
        let accepted = [SocketProtocol::Default, SocketProtocol::Tcp].map(|protocol| {
            let listener = SocketListener::new();
            let any =
                gio::InetSocketAddress::new(&gio::InetAddress::new_loopback(SocketFamily::Ipv4), 0);
            let address = listener
                .add_address(&any, SocketType::Stream, protocol, None::<&glib::Object>)
                .unwrap();
            let _peers = [0; 2].map(|_| {
                let socket =
                    gio::Socket::new(SocketFamily::Ipv4, SocketType::Stream, protocol).unwrap();
                SocketExt::connect(&socket, &address, Cancellable::NONE).unwrap();
                socket
            });
            let (blocking, _) = listener.accept(Cancellable::NONE).unwrap();
            let (other, _) = context.block_on(listener.accept_future()).unwrap();
            [blocking.type_(), other.type_()]
        });
        assert_eq!(accepted[0], [Accepted::static_type(); 2]);
        assert_eq!(accepted[1], [TcpConnection::static_type(); 2]);
    });
}
