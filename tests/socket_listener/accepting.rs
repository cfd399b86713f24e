//! One connection, in each form.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    os::{fd::AsRawFd, unix::net::UnixStream},
};

use gio::{Cancellable, IOErrorEnum, SocketProtocol, SocketType, prelude::*};
use gsock::{
    ConnectionState, SocketConnection, SocketListener, TcpConnection, UnixConnection, prelude::*,
};

use crate::{support::*, tools::*};

#[test]
fn each_form_gives_the_connection_of_who_connected() {
    on_private_context(|context| {
        let (listener, address) = listening();
        for form in FORMS {
            let mut peer = connect(address);
            let (connection, source_object) = accept(form, &listener, None, context).unwrap();
            assert_eq!(peer_of(&connection), peer.local_addr().unwrap(), "{form:?}");
            let local = connection.local_address().unwrap();
            assert_eq!(std_address(&local), address);
            assert!(source_object.is_none());
            assert!(connection.is::<TcpConnection>());
            assert_eq!(connection.state(), ConnectionState::Connected);

            peer.write_all(b"to you").unwrap();
            let input = connection.input_stream();
            let bytes = input.read_bytes(6, Cancellable::NONE).unwrap();
            assert_eq!(&bytes[..], b"to you");
            let output = connection.output_stream();
            output.write_all(b"and back", Cancellable::NONE).unwrap();
            connection.close(Cancellable::NONE).unwrap();
            let mut answer = String::new();
            peer.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "and back");
        }
    });
}

#[test]
fn what_waits_gets_who_connects_later() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let begun = begin(&listener, None);
        let mut future = listener.accept_future();
        assert!(poll_once(future.as_mut()).is_pending());
        iterate_until(context, || !context.pending());
        let peer = connect(address);
        iterate_until(context, || begun.borrow().is_some());
        let (connection, _) = begun.take().unwrap().unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());

        let other = connect(address);
        let (connection, _) = block_on(context, future).unwrap();
        assert_eq!(peer_of(&connection), other.local_addr().unwrap());
    });
}

/// LISTEN-21, and TCP_NODELAY as newer GLib has it.
#[test]
fn a_socket_is_accepted_in_blocking_mode_and_programs_do_not_inherit_it() {
    on_private_context(|context| {
        let (listener, address) = listening();
        for form in FORMS {
            let peer = connect(address);
            let (socket, _) = match form {
                Form::Blocking => listener.accept_socket(Cancellable::NONE).unwrap(),
                Form::Callback => {
                    let taken = std::rc::Rc::new(std::cell::RefCell::new(None));
                    let slot = taken.clone();
                    listener.accept_socket_async(Cancellable::NONE, move |listener, result| {
                        *slot.borrow_mut() = Some(listener.accept_socket_finish(result));
                    });
                    iterate_until(context, || taken.borrow().is_some());
                    taken.take().unwrap().unwrap()
                }
                Form::Future => block_on(context, listener.accept_socket_future()).unwrap(),
            };
            assert!(socket.is_blocking() && socket.is_connected(), "{form:?}");
            let remote = socket.remote_address().unwrap();
            assert_eq!(std_address(&remote), peer.local_addr().unwrap());
            // SAFETY: no pointers involved.
            let flags = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFD) };
            assert_eq!(flags, libc::FD_CLOEXEC);
            let no_delay = socket_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY);
            assert_eq!(no_delay, 1);
        }
    });
}

#[test]
fn a_connection_is_no_different_from_one_around_its_socket() {
    on_private_context(|_| {
        let (listener, address) = listening();
        let _peer = connect(address);
        let (connection, _) = listener.accept(Cancellable::NONE).unwrap();
        let socket = connection.socket();
        assert!(socket.is_blocking() && socket.is_connected());
        assert_eq!(socket.family(), gio::SocketFamily::Ipv4);
        assert_eq!(socket.socket_type(), SocketType::Stream);
        assert_eq!(socket.timeout(), 0);
    });
}

#[test]
fn a_listener_for_unix_paths_gives_unix_connections() {
    on_private_context(|context| {
        let folder = std::env::temp_dir().join(format!("gsock-accepts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let listener = SocketListener::new();
        let address = gio::UnixSocketAddress::new(&path);
        listener
            .add_address(&address, SocketType::Stream, SocketProtocol::Default, NONE)
            .unwrap();
        for form in FORMS {
            let mut peer = UnixStream::connect(&path).unwrap();
            let (connection, _) = accept(form, &listener, None, context).unwrap();
            assert!(connection.is::<UnixConnection>(), "{form:?}");
            peer.write_all(b"x").unwrap();
            let input = connection.input_stream();
            let byte = input.read_bytes(1, Cancellable::NONE).unwrap();
            assert_eq!(&byte[..], b"x");
        }
        listener.close();
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn a_socket_that_is_bound_after_it_was_added_gives_connections_its_address() {
    on_private_context(|_| {
        let path = std::env::temp_dir().join(format!("gsock-bound-later-{}", std::process::id()));
        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            SocketType::Stream,
            SocketProtocol::Default,
        );
        let socket = socket.unwrap();
        let listener = SocketListener::new();
        listener.add_socket(&socket, NONE).unwrap();
        let address = gio::UnixSocketAddress::new(&path);
        socket.bind(&address, true).unwrap();
        socket.listen().unwrap();
        let _peer = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (connection, _) = listener.accept(Cancellable::NONE).unwrap();
        let local = connection.local_address().unwrap();
        assert_eq!(
            SocketConnectableExt::to_string(&local),
            path.to_str().unwrap()
        );
    });
}

/// LISTEN-12; in C there is one object for each socket, the last one that was named.
#[test]
fn the_source_object_is_that_of_this_listener_and_this_socket() {
    on_private_context(|context| {
        let (one, other) = (some_object(), some_object());
        let (first, second) = (SocketListener::new(), SocketListener::new());
        let (socket, address) = listening_socket();
        first.add_socket(&socket, Some(&one)).unwrap();
        second.add_socket(&socket, Some(&other)).unwrap();
        let third = SocketListener::new();
        third.add_socket(&socket, NONE).unwrap();
        for form in FORMS {
            for (listener, object) in [
                (&first, Some(&one)),
                (&second, Some(&other)),
                (&third, None),
            ] {
                let _peer = connect(address);
                let (_, source_object) = accept(form, listener, None, context).unwrap();
                assert_eq!(source_object.as_ref(), object, "{form:?}");
            }
        }
    });
}

#[test]
fn the_source_object_says_which_socket_a_connection_came_by() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let objects = [some_object(), some_object(), some_object()];
        let addresses = objects
            .each_ref()
            .map(|object| add_loopback(&listener, Some(object)));
        for form in FORMS {
            for (object, address) in objects.iter().zip(addresses) {
                let _peer = connect(address);
                let (_, source_object) = accept(form, &listener, None, context).unwrap();
                assert_eq!(source_object.as_ref(), Some(object), "{form:?}");
            }
        }
    });
}

/// LISTEN-23, where C waits for ever, and cannot be cancelled.
#[test]
fn without_sockets_a_blocking_accept_fails_and_the_others_wait_for_one() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        assert_fails(
            listener.accept(Cancellable::NONE),
            IOErrorEnum::InvalidArgument,
        );
        let begun = begin(&listener, None);
        let mut future = listener.accept_future();
        assert!(poll_once(future.as_mut()).is_pending());
        iterate_until(context, || !context.pending());
        assert!(begun.borrow().is_none());

        let address = add_loopback(&listener, NONE);
        let _peers = [connect(address), connect(address)];
        iterate_until(context, || begun.borrow().is_some());
        assert!(begun.take().unwrap().is_ok());
        assert!(block_on(context, future).is_ok());
    });
}

/// LISTEN-25.
#[test]
fn the_timeout_of_a_socket_ends_an_accept() {
    on_private_context(|context| {
        let (listener, _) = listening();
        let (socket, address) = listening_socket();
        socket.set_timeout(1);
        listener.add_socket(&socket, NONE).unwrap();
        for form in FORMS {
            let outcome = accept(form, &listener, None, context);
            assert_fails(outcome, IOErrorEnum::TimedOut);
        }
        // It is the accept that has run out of time, not the socket.
        let _peer = connect(address);
        for form in FORMS {
            let _peer = connect(address);
            accept(form, &listener, None, context).unwrap();
        }
    });
}

/// LISTEN-11.
#[test]
fn a_socket_that_does_not_listen_fails_each_accept_and_keeps_none_from_the_others() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        listener.add_socket(&ipv4_socket(), NONE).unwrap();
        for form in FORMS {
            let outcome = accept(form, &listener, None, context);
            assert_fails(outcome, IOErrorEnum::InvalidArgument);
        }
        let address = add_loopback(&listener, NONE);
        for form in FORMS {
            let _peer = connect(address);
            let outcomes = [
                accept(form, &listener, None, context),
                accept(form, &listener, None, context),
            ];
            let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(accepted, 1, "{form:?}");
        }
    });
}

/// The home of what a blocking accept makes is its caller's.
#[test]
fn the_home_of_a_connection_is_where_it_was_accepted() {
    on_private_context(|context| {
        let (listener, address) = listening();
        for form in FORMS {
            let peer = connect(address);
            let (connection, _) = accept(form, &listener, None, context).unwrap();
            let seen = notifications(&connection);
            drop(peer);
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            assert!(seen.borrow().iter().any(|name| name == "state"), "{form:?}");
        }
    });
}

#[test]
fn a_connection_that_was_reset_in_the_queue_is_given_out_and_says_so() {
    on_private_context(|context| {
        let (listener, address) = listening();
        for form in FORMS {
            let peer = connect(address);
            let there = peer.local_addr().unwrap();
            reset(peer);
            let (connection, _) = accept(form, &listener, None, context).unwrap();
            assert_eq!(peer_of(&connection), there, "{form:?}");
            assert_eq!(std_address(&connection.local_address().unwrap()), address);
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            let input = connection.input_stream();
            assert!(input.read_bytes(1, Cancellable::NONE).is_err());
        }
    });
}

/// Where the socket listens at any address, the connection is asked for its own.
#[test]
fn the_local_address_is_the_connections_own_also_after_a_close() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let port = listener.add_any_inet_port(NONE).unwrap();
        let mapped = ([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], port).into();
        let six = ([0, 0, 0, 0, 0, 0, 0, 1], port).into();
        let four: SocketAddr = ([127, 0, 0, 1], port).into();
        for (address, local) in [(four, mapped), (six, six)] {
            for form in FORMS {
                let _peer = connect(address);
                let (connection, _) = accept(form, &listener, None, context).unwrap();
                connection.close(Cancellable::NONE).unwrap();
                let its: SocketAddr = std_address(&connection.local_address().unwrap());
                assert!(
                    its == local || its == four && address == four,
                    "{form:?} {its}"
                );
            }
        }
    });
}

#[test]
fn a_registered_type_comes_back() {
    on_private_context(|_| {
        // Nothing else here is of this kind.
        let (family, type_) = (gio::SocketFamily::Unix, SocketType::Seqpacket);
        SocketConnection::factory_register::<crate::derived::Chatty>(family, type_, 0);
        let folder = std::env::temp_dir().join(format!("gsock-typed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let address = gio::UnixSocketAddress::new(&folder.join("socket"));
        let listener = SocketListener::new();
        listener
            .add_address(&address, type_, SocketProtocol::Default, NONE)
            .unwrap();
        let client = gio::Socket::new(family, type_, SocketProtocol::Default).unwrap();
        SocketExt::connect(&client, &address, Cancellable::NONE).unwrap();
        let (connection, _) = listener.accept(Cancellable::NONE).unwrap();
        assert!(connection.is::<crate::derived::Chatty>());
        std::fs::remove_dir_all(&folder).unwrap();
    });
}
