//! A listener, and servers of threads, while the system refuses.

use std::{
    cell::Cell,
    net::{SocketAddr, TcpStream},
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum as E, SocketFamily, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketListener, listen_per_thread, prelude::*};

use crate::{Scripted, support::*};

const NOTHING: Option<&glib::Object> = None;

fn listening() -> (SocketListener, SocketAddr) {
    let listener = SocketListener::new();
    let any = gio_address(([127, 0, 0, 1], 0).into());
    let (type_, protocol) = (SocketType::Stream, SocketProtocol::Default);
    let address = listener
        .add_address(&any, type_, protocol, NOTHING)
        .expect("loopback");
    let address: gio::InetSocketAddress = address.downcast().expect("an internet address");
    (listener, ([127, 0, 0, 1], address.port()).into())
}

/// Connections that have died in the queue, far more than are passed over in one go.
#[test]
fn any_number_of_dead_connections_is_passed_over() {
    on_private_context(|context| {
        let (listener, address) = listening();
        for is_blocking in [true, false] {
            let peer = TcpStream::connect(address).expect("it listens");
            let dead = Rc::new(Cell::new(1_000));
            let left = dead.clone();
            let _scripted = Scripted::by(move |name, _| {
                if name != "accept4" || left.get() == 0 {
                    return None;
                }
                left.set(left.get() - 1);
                Some(libc::ECONNABORTED)
            });
            let accepted = if is_blocking {
                listener.accept(Cancellable::NONE)
            } else {
                block_on(context, listener.accept_future())
            };
            let (connection, _) = accepted.expect("one lives");
            let remote = connection.remote_address().expect("connected");
            let remote: gio::InetSocketAddress = remote.downcast().expect("internet");
            assert_eq!(remote.port(), peer.local_addr().expect("connected").port());
            assert_eq!(dead.get(), 0);
        }
    });
}

/// A listener whose sockets of IPv6 leave IPv4 to others, of which the first `taken` have each port that it looks at.
fn any_port_where_families_are_apart(taken: usize) -> (Result<u16, glib::Error>, usize, usize) {
    let listener = SocketListener::new();
    listener.connect_event(|_, event, socket| {
        if event == gio::SocketListenerEvent::Binding && socket.family() == SocketFamily::Ipv6 {
            socket
                .set_option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)
                .expect("an option");
        }
    });
    let binds = Rc::new(Cell::new(0_usize));
    let count = binds.clone();
    let outcome = {
        // Each port is bound in IPv6, and then in IPv4.
        let _scripted = Scripted::by(move |name, _| {
            if name != "bind" {
                return None;
            }
            count.set(count.get() + 1);
            (count.get().is_multiple_of(2) && count.get() / 2 <= taken).then_some(libc::EADDRINUSE)
        });
        listener.add_any_inet_port(NOTHING)
    };
    (outcome, binds.get(), listener.addresses().len())
}

/// LISTEN-18.
#[test]
fn a_port_that_is_free_in_one_family_alone_is_passed_over_and_not_for_ever() {
    on_private_context(|_| {
        let (port, binds, addresses) = any_port_where_families_are_apart(3);
        assert_ne!(port.expect("the fourth"), 0);
        // Somebody else may have a port as well.
        assert!(binds >= 8 && binds.is_multiple_of(2), "{binds}");
        assert_eq!(addresses, 2);
        let (port, _, addresses) = any_port_where_families_are_apart(usize::MAX);
        assert_fails(port, E::AddressInUse);
        assert_eq!(addresses, 0);
    });
}

/// By whoever has the `GSocket` that was given.
#[test]
fn a_socket_that_is_closed_between_the_look_and_the_accept_is_closed() {
    on_private_context(|_| {
        let socket = ipv4_socket();
        let any = gio_address(([127, 0, 0, 1], 0).into());
        socket.bind(&any, false).expect("loopback");
        socket.listen().expect("bound");
        let address = socket.local_address().expect("bound");
        let address: gio::InetSocketAddress = address.downcast().expect("internet");
        let listener = SocketListener::new();
        listener.add_socket(&socket, NOTHING).expect("it listens");
        let _peer = TcpStream::connect(("127.0.0.1", address.port())).expect("it listens");
        let _scripted = Scripted::by(move |name, _| {
            (name == "accept4").then(|| {
                socket.close().expect("open");
                libc::EBADF
            })
        });
        assert_fails(listener.accept(Cancellable::NONE), E::Closed);
    });
}

/// Two that are bound beside each other need not both be let listen.
#[test]
fn servers_of_threads_tell_why_they_cannot_listen() {
    on_private_context(|_| {
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let _scripted = Scripted::refuse("listen", libc::EADDRINUSE);
        let begun = listen_per_thread(&any, 2, |_| panic!("it is not called"));
        assert_fails(begun, E::AddressInUse);
    });
}
