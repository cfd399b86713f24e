//! Sockets that are added, made and taken away again.

use std::{
    cell::Cell,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    rc::Rc,
};

use gio::{
    Cancellable, IOErrorEnum, SocketFamily, SocketListenerEvent as Event, SocketProtocol,
    SocketType, prelude::*,
};
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

fn six(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

fn four(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The port of each address of the listener, with the family.
fn ports(listener: &SocketListener) -> Vec<(SocketFamily, u16)> {
    let addresses = listener.addresses();
    let address = addresses.iter().map(|address| {
        let port = std_address(address).port();
        (address.family(), port)
    });
    address.collect()
}

/// LISTEN-7.
#[test]
fn an_address_without_a_port_gets_one_which_is_answered_and_listed() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        assert!(listener.addresses().is_empty());
        let first = add_loopback(&listener, NONE);
        let second = add_loopback(&listener, NONE);
        assert_ne!(first.port(), 0);
        let listed: Vec<_> = listener.addresses().iter().map(std_address).collect();
        assert_eq!(listed, [first, second]);
        listener.close();
        assert!(listener.addresses().is_empty());
    });
}

/// LISTEN-8.
#[test]
fn what_cannot_be_bound_or_cannot_listen_is_an_error_and_not_added() {
    on_private_context(|_| {
        let (taken, address) = listening();
        let listener = SocketListener::new();
        let add = |address: &gio::SocketAddress, type_| {
            listener.add_address(address, type_, SocketProtocol::Default, NONE)
        };
        let before = open_descriptors();
        let in_use = gio_address(address).upcast();
        let failed = add(&in_use, SocketType::Stream).unwrap_err();
        assert_eq!(code(&failed), IOErrorEnum::AddressInUse);
        let text = format!("Error binding to address {address}: Address already in use");
        assert_eq!(failed.message(), text);
        // Of nobody: it is for documentation.
        let elsewhere = gio_address(([192, 0, 2, 1], 0).into()).upcast();
        let outcome = add(&elsewhere, SocketType::Stream);
        assert_fails(outcome, IOErrorEnum::ConnectionRefused);
        let any = any_loopback_port().upcast();
        let failed = add(&any, SocketType::Datagram).unwrap_err();
        assert_eq!(code(&failed), IOErrorEnum::NotSupported);
        assert!(failed.message().starts_with("could not listen: "));
        let outcome = add(&any, SocketType::Invalid);
        assert_fails(outcome, IOErrorEnum::InvalidArgument);
        let outcome = listener.add_address(&any, SocketType::Stream, SocketProtocol::Udp, NONE);
        assert_fails(outcome, IOErrorEnum::NotSupported);
        assert!(listener.addresses().is_empty());
        assert_eq!(open_descriptors(), before);
        drop(taken);
    });
}

/// GLib 2.45.2: the address was given up once too often.
#[test]
fn bug_25_an_address_has_as_many_references_afterwards_however_adding_it_ends() {
    on_private_context(|_| {
        let (taken, taken_address) = listening_socket();
        let free: gio::SocketAddress = any_loopback_port().upcast();
        let in_use: gio::SocketAddress = gio_address(taken_address).upcast();
        let nobodys: gio::SocketAddress = gio_address(([192, 0, 2, 1], 0).into()).upcast();
        for (address, type_, is_added) in [
            (&free, SocketType::Stream, true),
            (&in_use, SocketType::Stream, false),
            (&nobodys, SocketType::Stream, false),
            // Bound, and refused when it is to listen.
            (&free, SocketType::Datagram, false),
        ] {
            let source_object = some_object();
            let listener = SocketListener::new();
            let before = (address.ref_count(), source_object.ref_count());
            let added = listener.add_address(
                address,
                type_,
                SocketProtocol::Default,
                Some(&source_object),
            );
            assert_eq!(added.is_ok(), is_added, "{added:?}");
            drop(listener);
            if let Ok(effective) = added {
                assert_eq!(effective.ref_count(), 1);
            }
            assert_eq!((address.ref_count(), source_object.ref_count()), before);
        }
        drop(taken);
    });
}

#[test]
fn a_closed_socket_is_not_added() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let socket = ipv4_socket();
        socket.close().unwrap();
        let failed = listener.add_socket(&socket, NONE).unwrap_err();
        assert_eq!(code(&failed), IOErrorEnum::Failed);
        assert_eq!(failed.message(), "Added socket is closed");
    });
}

/// LISTEN-6; in C the port is opened, and nobody can close it.
#[test]
fn nothing_is_added_to_a_closed_listener() {
    on_private_context(|_| {
        let (listener, _) = listening();
        let port = free_port();
        listener.close();
        let socket = ipv4_socket();
        let before = open_descriptors();
        let address = any_loopback_port();
        let tries = [
            listener.add_socket(&socket, NONE).err(),
            listener
                .add_address(&address, SocketType::Stream, SocketProtocol::Default, NONE)
                .err(),
            listener.add_inet_port(port, NONE).err(),
            listener.add_any_inet_port(NONE).err(),
            listener.add_inet_port_in_range(port..=port, NONE).err(),
            listener.remove_address(&address).err(),
        ];
        for failed in tries {
            let failed = failed.expect("it is closed");
            assert_eq!(code(&failed), IOErrorEnum::Closed);
            assert_eq!(failed.message(), "Listener is already closed");
        }
        assert_eq!(open_descriptors(), before);
        assert!(!socket.is_closed());
    });
}

#[test]
fn a_port_is_listened_on_in_both_families() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let port = free_port();
        let object = some_object();
        listener.add_inet_port(port, Some(&object)).unwrap();
        assert_eq!(ports(&listener), [(SocketFamily::Ipv6, port)]);
        for address in [six(port), four(port)] {
            for form in FORMS {
                let _peer = connect(address);
                let (_, source_object) = accept(form, &listener, None, context).unwrap();
                assert_eq!(source_object.as_ref(), Some(&object));
            }
        }
    });
}

/// LISTEN-14, where C gives no error.
#[test]
fn port_0_is_an_error() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        assert_fails(
            listener.add_inet_port(0, NONE),
            IOErrorEnum::InvalidArgument,
        );
        assert!(listener.addresses().is_empty());
    });
}

/// LISTEN-15.
#[test]
fn a_port_that_is_taken_in_one_family_is_taken() {
    on_private_context(|_| {
        let (_other, address) = listener();
        let listener = SocketListener::new();
        let before = open_descriptors();
        assert_fails(
            listener.add_inet_port(address.port(), NONE),
            IOErrorEnum::AddressInUse,
        );
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn of_a_range_the_first_port_that_is_free_is_taken() {
    on_private_context(|context| {
        let (taken, found) = (SocketListener::new(), SocketListener::new());
        let first = taken.add_any_inet_port(NONE).unwrap();
        // More than anybody takes meanwhile.
        let last = first.saturating_add(100);
        let object = some_object();
        let port = found.add_inet_port_in_range(first..=last, Some(&object));
        let port = port.unwrap();
        assert!((first + 1..=last).contains(&port));
        assert_eq!(ports(&found), [(SocketFamily::Ipv6, port)]);
        let _peer = connect(four(port));
        let (_, source_object) = accept(Form::Blocking, &found, None, context).unwrap();
        assert_eq!(source_object.as_ref(), Some(&object));
    });
}

#[test]
fn a_range_without_a_free_port_is_an_error_and_so_is_one_without_ports() {
    on_private_context(|_| {
        let (taken, listener) = (SocketListener::new(), SocketListener::new());
        let port = taken.add_any_inet_port(NONE).unwrap();
        let before = open_descriptors();
        let full = listener.add_inet_port_in_range(port..=port, NONE);
        assert_fails(full, IOErrorEnum::AddressInUse);
        let (first, last) = (port, port - 1);
        for none in [first..=last, 0..=u16::MAX] {
            let outcome = listener.add_inet_port_in_range(none, NONE);
            assert_fails(outcome, IOErrorEnum::InvalidArgument);
        }
        assert!(listener.addresses().is_empty());
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn of_a_range_a_port_that_fails_otherwise_ends_the_search() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let tried = Rc::new(Cell::new(0));
        let count = tried.clone();
        listener.connect_event(move |_, event, socket| {
            if event == Event::Binding {
                count.set(count.get() + 1);
                socket.close().unwrap();
            }
        });
        let port = free_port();
        let outcome = listener.add_inet_port_in_range(port..=port.saturating_add(9), NONE);
        assert_fails(outcome, IOErrorEnum::Closed);
        assert_eq!(tried.get(), 1);
    });
}

/// LISTEN-18.
#[test]
fn any_port_is_one_that_is_free_in_both_families() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let port = listener.add_any_inet_port(NONE).unwrap();
        assert_eq!(ports(&listener), [(SocketFamily::Ipv6, port)]);
        for address in [six(port), four(port)] {
            let _peer = connect(address);
            accept(Form::Blocking, &listener, None, context).unwrap();
        }
    });
}

/// Has sockets of IPv6 leave IPv4 to others.
fn families_apart(listener: &SocketListener) {
    listener.connect_event(|_, event, socket| {
        if event == Event::Binding && socket.family() == SocketFamily::Ipv6 {
            leave_ipv4(socket);
        }
    });
}

#[test]
fn where_families_are_apart_there_are_two_sockets_on_one_port() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        families_apart(&listener);
        let port = free_port();
        listener.add_inet_port(port, NONE).unwrap();
        let any = listener.add_any_inet_port(NONE).unwrap();
        assert_ne!(port, any);
        assert_eq!(
            ports(&listener),
            [
                (SocketFamily::Ipv6, port),
                (SocketFamily::Ipv4, port),
                (SocketFamily::Ipv6, any),
                (SocketFamily::Ipv4, any),
            ]
        );
        for address in [six(port), four(port), six(any), four(any)] {
            let peer = connect(address);
            let (connection, _) = accept(Form::Callback, &listener, None, context).unwrap();
            assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
        }
    });
}

#[test]
fn where_families_are_apart_a_port_that_is_taken_in_one_is_taken_and_left_in_the_other() {
    on_private_context(|_| {
        let (_other, address) = listener();
        let listener = SocketListener::new();
        families_apart(&listener);
        let outcome = listener.add_inet_port(address.port(), NONE);
        assert_fails(outcome, IOErrorEnum::AddressInUse);
        assert!(TcpStream::connect(six(address.port())).is_err());
    });
}

/// Somebody who listens on a port of IPv6 once the listener has bound it. The kernel lets both be bound, and one listen.
fn overtaken(listener: &SocketListener, family: SocketFamily) {
    listener.connect_event(move |listener, event, socket| {
        if event != Event::Bound || socket.family() != family {
            return;
        }
        let faster = tcp_socket(family);
        if family == SocketFamily::Ipv6 {
            leave_ipv4(&faster);
        }
        let address = socket.local_address().unwrap();
        faster.bind(&address, true).unwrap();
        faster.listen().unwrap();
        // For as long as the listener.
        // SAFETY: the type is what is asked for nowhere.
        unsafe { listener.set_data("gsock-test-faster", faster) };
    });
}

/// LISTEN-16; in C a socket that does not listen is added, and every accept fails.
#[test]
fn where_ipv6_cannot_listen_ipv4_is_enough_and_the_other_is_not_added() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        overtaken(&listener, SocketFamily::Ipv6);
        let port = free_port();
        listener.add_inet_port(port, NONE).unwrap();
        assert_eq!(ports(&listener), [(SocketFamily::Ipv4, port)]);
        for form in FORMS {
            let peer = connect(four(port));
            let (connection, _) = accept(form, &listener, None, context).unwrap();
            assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
        }
    });
}

/// GLib 2.85.0: the socket of IPv6 was given up once too often.
#[test]
fn bug_24_where_ipv4_cannot_listen_ipv6_is_enough() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        families_apart(&listener);
        overtaken(&listener, SocketFamily::Ipv4);
        let port = free_port();
        listener.add_inet_port(port, NONE).unwrap();
        let any = listener.add_any_inet_port(NONE).unwrap();
        assert_eq!(
            ports(&listener),
            [(SocketFamily::Ipv6, port), (SocketFamily::Ipv6, any)]
        );
        let _peer = connect(six(any));
        accept(Form::Future, &listener, None, context).unwrap();
    });
}

/// LISTEN-20.
#[test]
fn where_neither_family_can_listen_there_is_an_error_and_no_port() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        overtaken(&listener, SocketFamily::Ipv6);
        assert_fails(listener.add_any_inet_port(NONE), IOErrorEnum::AddressInUse);
        assert!(listener.addresses().is_empty());
    });
}

#[test]
fn what_a_handler_has_closed_is_not_added_and_leaves_no_port_open() {
    on_private_context(|_| {
        for when in [
            Event::Binding,
            Event::Bound,
            Event::Listening,
            Event::Listened,
        ] {
            let adders: [fn(&SocketListener) -> Option<glib::Error>; 3] = [
                |listener| {
                    let address = any_loopback_port();
                    let (type_, protocol) = (SocketType::Stream, SocketProtocol::Default);
                    listener.add_address(&address, type_, protocol, NONE).err()
                },
                |listener| listener.add_any_inet_port(NONE).err(),
                |listener| listener.add_inet_port(free_port(), NONE).err(),
            ];
            for add in adders {
                let listener = SocketListener::new();
                let kept = Rc::new(std::cell::RefCell::new(None));
                let slot = kept.clone();
                listener.connect_event(move |listener, event, socket| {
                    if event == when {
                        listener.close();
                        *slot.borrow_mut() = Some(socket.clone());
                    }
                });
                let failed = add(&listener).expect("it was closed");
                assert_eq!(code(&failed), IOErrorEnum::Closed);
                let kept = kept.take().expect("the event");
                assert!(kept.is_closed(), "{when:?}");
            }
        }
    });
}

#[test]
fn a_socket_that_a_handler_has_closed_is_not_added() {
    on_private_context(|_| {
        for when in [
            Event::Binding,
            Event::Bound,
            Event::Listening,
            Event::Listened,
        ] {
            let listener = SocketListener::new();
            listener.connect_event(move |_, event, socket| {
                if event == when {
                    socket.close().unwrap();
                }
            });
            let (any, stream) = (any_loopback_port(), SocketType::Stream);
            let added = listener.add_address(&any, stream, SocketProtocol::Default, NONE);
            assert_fails(added, IOErrorEnum::Closed);
            assert!(listener.add_any_inet_port(NONE).is_err());
            assert!(listener.addresses().is_empty());
        }
    });
}

#[test]
fn an_address_that_was_removed_is_closed_and_the_others_go_on() {
    on_private_context(|context| {
        let (listener, first) = listening();
        let (socket, second) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        let third = add_loopback(&listener, NONE);
        let begun = begin(&listener, None);
        iterate_until(context, || !context.pending());
        listener.remove_address(&gio_address(first)).unwrap();
        listener.remove_address(&gio_address(second)).unwrap();
        assert!(socket.is_closed());
        assert!(TcpStream::connect(first).is_err());
        assert_eq!(ports(&listener), [(SocketFamily::Ipv4, third.port())]);
        assert_fails(
            listener.remove_address(&gio_address(first)),
            IOErrorEnum::NotFound,
        );
        iterate_until(context, || !context.pending());
        assert!(begun.borrow().is_none());
        let peer = connect(third);
        iterate_until(context, || begun.borrow().is_some());
        let (connection, _) = begun.take().unwrap().unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
        listener.remove_address(&gio_address(third)).unwrap();
        assert_fails(
            listener.accept(Cancellable::NONE),
            IOErrorEnum::InvalidArgument,
        );
    });
}

#[test]
fn the_address_of_a_unix_socket_is_listed_and_removed_as_well() {
    on_private_context(|_| {
        let folder = std::env::temp_dir().join(format!("gsock-adds-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let listener = SocketListener::new();
        let (stream, default) = (SocketType::Stream, SocketProtocol::Default);
        for name in ["one", "other"] {
            let address = gio::UnixSocketAddress::new(&folder.join(name));
            listener
                .add_address(&address, stream, default, NONE)
                .unwrap();
        }
        let listed = listener.addresses();
        assert_eq!(listed.len(), 2);
        let one = gio::UnixSocketAddress::new(&folder.join("one"));
        listener.remove_address(&one).unwrap();
        assert_fails(listener.remove_address(&one), IOErrorEnum::NotFound);
        let left = listener.addresses();
        let left = left[0].downcast_ref::<gio::UnixSocketAddress>().unwrap();
        let other = gio::UnixSocketAddress::new(&folder.join("other"));
        assert_eq!(left.path_as_array(), other.path_as_array());
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

/// LISTEN-32, where C does not see it.
#[test]
fn a_socket_that_is_added_while_somebody_waits_is_waited_for_too() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let begun = begin(&listener, None);
        let mut future = listener.accept_future();
        assert!(poll_once(future.as_mut()).is_pending());
        iterate_until(context, || !context.pending());
        let address = add_loopback(&listener, NONE);
        let _peers = [connect(address), connect(address)];
        iterate_until(context, || begun.borrow().is_some());
        assert!(begun.take().unwrap().is_ok());
        assert!(block_on(context, future).is_ok());
    });
}

#[test]
fn the_sockets_that_are_made_are_in_the_mode_that_newer_glib_gives_them() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let seen = Rc::new(std::cell::RefCell::new(Vec::new()));
        let modes = seen.clone();
        listener.connect_event(move |_, event, socket| {
            if event == Event::Listened {
                modes.borrow_mut().push(socket.is_blocking());
            }
        });
        add_loopback(&listener, NONE);
        listener.add_any_inet_port(NONE).unwrap();
        assert_eq!(*seen.borrow(), [true, false]);
    });
}
