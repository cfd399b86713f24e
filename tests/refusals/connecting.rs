//! Connections, while the system refuses, or somebody closes them at the very moment.

use std::{
    cell::Cell,
    io::Write,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::AsyncRead;
use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{
    ConnectionState, Liveness, Reconnector, ReconnectorState as State, SocketClient,
    SocketConnection, TcpConnection, UnixConnection, prelude::*,
};

use crate::{Scripted, support::*};

/// By a handler that the connect has no part in, or a thread: just when the system says that it is there.
#[test]
fn a_connection_that_is_closed_while_it_is_made_says_so() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for is_blocking in [true, false] {
            let connection = unconnected();
            let (its, mut calls) = (connection.clone(), 0);
            let scripted = Scripted::by(move |name, _| {
                calls += i32::from(name == "connect");
                (name == "connect" && calls == 2).then(|| {
                    its.close(Cancellable::NONE).expect("open");
                    // It was there for a moment.
                    libc::EISCONN
                })
            });
            let address = gio_address(address);
            let made = if is_blocking {
                connection.connect(&address, Cancellable::NONE)
            } else {
                block_on(context, connection.connect_future(&address))
            };
            assert_fails(made, E::Closed);
            drop(scripted);
            assert_eq!(connection.state(), ConnectionState::Closed);
        }
    });
}

/// Between the read that finds nothing and the wait.
#[test]
fn a_connection_that_is_closed_before_it_is_waited_for_says_so() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let other = glib::MainContext::new();
        let its = connection.clone();
        let scripted = Scripted::by(move |name, _| {
            if name == "recv" {
                its.close(Cancellable::NONE).expect("open");
                return Some(libc::EAGAIN);
            }
            None
        });
        let polled = other.with_thread_default(|| {
            let mut cx = Context::from_waker(Waker::noop());
            Pin::new(&mut &connection).poll_read(&mut cx, &mut [0; 4])
        });
        drop(scripted);
        let Poll::Ready(Err(failure)) = polled.expect("nobody owns it") else {
            panic!("it waits for what will never come");
        };
        let failure = failure.downcast::<glib::Error>().expect("a GError");
        assert_eq!(code(&failure), E::Closed);
    });
}

/// The question whether there is something to read has no answer, which is none of the connection's doing.
#[test]
fn a_poll_that_is_refused_says_nothing_of_the_connection() {
    on_private_context(|_| {
        let (connection, mut peer) = connected();
        peer.write_all(b"x").expect("room");
        let input = connection.input_stream();
        let readable = input.dynamic_cast_ref::<gio::PollableInputStream>();
        let readable = readable.expect("pollable");
        for errno in [libc::ENOMEM, libc::EINTR] {
            let mut calls = 0;
            let scripted = Scripted::by(move |name, _| {
                calls += i32::from(name == "poll");
                (name == "poll" && calls == 1).then_some(errno)
            });
            // One that was interrupted is asked again.
            assert_eq!(readable.is_readable(), errno == libc::EINTR);
            drop(scripted);
            assert!(readable.is_readable());
            assert!(connection.is_alive());
        }
    });
}

/// As of Multipath TCP.
#[test]
fn liveness_without_a_limit_for_what_is_not_acknowledged_is_probes() {
    on_private_context(|_| {
        for errno in [libc::ENOPROTOOPT, libc::EOPNOTSUPP, libc::ENOBUFS] {
            let (connection, _peer) = connected();
            let connection: TcpConnection = connection.downcast().expect("TCP");
            let _scripted = Scripted::by(move |name, option| {
                (name == "setsockopt" && option == libc::TCP_USER_TIMEOUT).then_some(errno)
            });
            let set = connection.set_liveness(Liveness::Interactive);
            if errno == libc::ENOBUFS {
                assert_fails(set, E::Failed);
            } else {
                set.expect("the probes alone are enough");
            }
            assert!(connection.keepalive_params().expect("open").is_some());
        }
    });
}

#[test]
fn a_kernel_that_has_no_descriptors_of_processes_does_not_support_them() {
    on_private_context(|_| {
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("two sockets");
        let one = SocketConnection::factory_create_connection_from_fd(one.into());
        let one: UnixConnection = one.expect("a socket").downcast().expect("Unix");
        for (errno, expected) in [
            (libc::ENOPROTOOPT, E::NotSupported),
            (libc::ENOMEM, E::NoSpace),
        ] {
            let _scripted = Scripted::by(move |name, option| {
                (name == "getsockopt" && option == libc::SO_PEERPIDFD).then_some(errno)
            });
            assert_fails(one.peer_pidfd(), expected);
        }
    });
}

/// A socket that cannot be described cannot go on as that of another connection: another one is made.
#[test]
fn a_reconnector_passes_over_a_socket_that_the_system_does_not_describe() {
    on_private_context(|context| {
        let (listener, address) = listener_of_our_own();
        let reconnector = Reconnector::builder(&SocketClient::new(), &gio_address(address))
            .network_monitor(gio::NetworkMonitor::NONE)
            .build();
        reconnector.set_initial_delay(std::time::Duration::from_millis(1));
        block_on(context, reconnector.wait_connected_future()).expect("it listens");
        let (peer, _) = listener.accept().expect("one has come");
        let lasting = reconnector.connection().expect("connected");
        let refused = Rc::new(Cell::new(0));
        let count = refused.clone();
        let _scripted = Scripted::by(move |name, option| {
            let is_it = name == "getsockopt" && option == libc::SO_TYPE && count.get() == 0;
            count.set(count.get() + u32::from(is_it));
            is_it.then_some(libc::ENOBUFS)
        });
        drop(peer);
        iterate_until(context, || refused.get() == 1);
        iterate_until(context, || reconnector.state() == State::Connected);
        let _peers = [(); 2].map(|()| listener.accept().expect("two have come"));
        assert_eq!(reconnector.connection().as_ref(), Some(&lasting));
        reconnector.stop();
    });
}
