//! Connecting twice, or while connecting.

use std::{
    io::ErrorKind,
    net::TcpListener,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    thread,
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, prelude::*};

use crate::support::*;
use crate::tools::*;

/// SOCK-25, where GIO's second connect may succeed once more.
#[test]
fn a_second_connect_fails_and_the_connection_works_on() {
    on_private_context(|context| {
        let (other, elsewhere) = listener();
        other.set_nonblocking(true).expect("an option");
        for first in FORMS {
            for second in FORMS {
                let (server, address) = listener();
                let connection = unconnected();
                connect_by(first, context, &connection, &gio_address(address)).expect("it listens");
                let (mut peer, _) = server.accept().expect("somebody called");
                for target in [address, elsewhere] {
                    let again = connect_by(second, context, &connection, &gio_address(target));
                    assert_fails(again, E::Failed);
                }
                assert_eq!(connection.state(), ConnectionState::Connected);
                assert!(connection.last_error().is_none());
                assert_talks(&connection, &mut peer);
            }
        }
        let nobody = other.accept().expect_err("nobody was called there");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    });
}

/// SC-17a: EALREADY.
#[test]
fn a_connect_while_connecting_fails_and_the_first_goes_on() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let address = gio_address(deaf.address);
        for form in FORMS {
            let connection = unconnected();
            let cancellable = gio::Cancellable::new();
            let first = start_connect(&connection, &address, Some(&cancellable));
            context.iteration(false);
            assert_eq!(connection.state(), ConnectionState::Connecting);
            for _ in 0..2 {
                assert_fails(connect_by(form, context, &connection, &address), E::Failed);
            }
            assert!(!first.has_ended(), "the first one is still under way");
            assert_eq!(connection.state(), ConnectionState::Connecting);
            assert_ne!(tcp_state(connection.socket().as_raw_fd()), TCP_CLOSE);
            cancellable.cancel();
            assert_fails(ended(context, &first), E::Cancelled);
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            let traces = Traces::of(&connection).and("cancellable", &cancellable);
            drop((connection, cancellable));
            traces.assert_gone(context, &[&first]);
        }
    });
}

#[test]
fn a_first_connect_succeeds_although_a_second_was_tried_meanwhile() {
    on_private_context(|context| {
        // The kernel asks a listener whose queue is full again, after a second.
        let listening = ipv4_socket();
        listening
            .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
            .expect("loopback");
        listening.set_listen_backlog(0);
        listening.listen().expect("bound");
        let address = listening.local_address().expect("bound");
        // SAFETY: a descriptor of our own, just made.
        let acceptor = unsafe { OwnedFd::from_raw_fd(libc::dup(listening.as_raw_fd())) };
        let acceptor = TcpListener::from(acceptor);
        acceptor.set_nonblocking(true).expect("an option");
        let fillers: Vec<_> = (0..3)
            .map(|_| {
                let filler = ipv4_socket();
                filler.set_blocking(false);
                let _ = SocketExt::connect(&filler, &address, gio::Cancellable::NONE);
                filler
            })
            .collect();
        thread::sleep(Duration::from_millis(50));
        let connection = unconnected();
        let first = start_connect(&connection, &address, None);
        for form in FORMS {
            assert_fails(connect_by(form, context, &connection, &address), E::Failed);
        }
        assert!(!first.has_ended());
        drop(fillers);
        let mut accepted = Vec::new();
        iterate_until(context, || {
            while let Ok((peer, _)) = acceptor.accept() {
                accepted.push(peer);
            }
            first.has_ended()
        });
        assert!(first.outcome().is_ok());
        assert_eq!(connection.state(), ConnectionState::Connected);
    });
}
