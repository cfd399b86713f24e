//! A close while operations are pending.

use std::{
    cell::RefCell,
    io::{Read, Write},
    rc::Rc,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

#[test]
fn a_close_ends_whatever_is_pending_with_closed_and_the_peer_sees_the_end() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for asynchronous in [true, false] {
                for steps in STEPS {
                    let (connection, mut peer) = make();
                    fill(&connection);
                    let sent = connection.bytes_written();
                    let reading = start_read(&connection, 4, None);
                    let writing = start_write(&connection, vec![1; 8], None);
                    iterate(context, steps);
                    let kernel = KernelSocket::of_connection(&connection);
                    if asynchronous {
                        assert!(ended(context, &start_close(&connection, None)).is_ok());
                    } else {
                        connection.close(gio::Cancellable::NONE).expect("open");
                    }
                    assert!(connection.is_closed());
                    assert!(!kernel.is_open(), "closed at once");
                    assert_eq!(read_to_end(&mut peer).len() as u64, sent);
                    assert_fails(ended(context, &reading), E::Closed);
                    assert_fails(ended(context, &writing), E::Closed);
                    assert!(connection.input_stream().is_closed());
                    assert!(connection.output_stream().is_closed());
                    let gone = Gone::of(&connection);
                    drop(connection);
                    assert_idle(context);
                    assert!(gone.is_gone() && reading.is_task_gone() && writing.is_task_gone());
                }
            }
        }
    });
}

/// SC-17a.
#[test]
fn a_close_ends_a_pending_connect_with_closed() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for steps in STEPS {
            let connection = unconnected();
            let kernel = KernelSocket::of_connection(&connection);
            let connecting = start_connect(&connection, &gio_address(deaf.address), None);
            let future = connection.connect_future(&gio_address(deaf.address));
            drop(future);
            iterate(context, steps);
            connection.close(gio::Cancellable::NONE).expect("open");
            assert!(!kernel.is_open(), "closed at once");
            assert!(!connecting.has_ended(), "in an iteration of the loop");
            assert_fails(ended(context, &connecting), E::Closed);
            assert_eq!(connection.state(), ConnectionState::Closed);
            let gone = Gone::of(&connection);
            drop(connection);
            assert_idle(context);
            assert!(gone.is_gone() && connecting.is_task_gone());

            let connection = unconnected();
            let connecting = connection.connect_future(&gio_address(deaf.address));
            let outcome = Rc::new(RefCell::new(None));
            let slot = outcome.clone();
            context.spawn_local(async move {
                let result = connecting.await;
                *slot.borrow_mut() = Some(result);
            });
            iterate(context, steps + 1);
            assert_eq!(connection.state(), ConnectionState::Connecting);
            connection.close(gio::Cancellable::NONE).expect("open");
            iterate_until(context, || outcome.borrow().is_some());
            assert_fails(outcome.take().expect("ended"), E::Closed);
        }
    });
}

/// IOS-20.
#[test]
fn a_close_while_closing_is_refused_and_the_first_goes_on() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection
            .downcast_ref::<TcpConnection>()
            .expect("TCP")
            .set_graceful_disconnect(true);
        let first = start_close(&connection, None);
        iterate(context, 3);
        assert_fails(connection.close(gio::Cancellable::NONE), E::Pending);
        assert_fails(ended(context, &start_close(&connection, None)), E::Pending);
        assert!(!first.has_ended());
        assert!(read_to_end(&mut peer).is_empty());
        drop(peer);
        assert!(ended(context, &first).is_ok());
        assert!(connection.close(gio::Cancellable::NONE).is_ok(), "SC-30");
        assert!(ended(context, &start_close(&connection, None)).is_ok());
        assert_all_closed(context, &connection);
    });
}

#[test]
fn a_second_read_or_write_on_a_busy_stream_is_refused_and_the_first_goes_on() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let reading = start_read(&connection, 4, None);
        assert_fails(read_now(&connection), E::Pending);
        assert_fails(
            ended(context, &start_read(&connection, 4, None)),
            E::Pending,
        );
        peer.write_all(b"once").expect("a working connection");
        assert_eq!(ended(context, &reading).expect("four bytes"), 4);
        assert_eq!(reading.bytes(4), b"once");
        fill(&connection);
        let writing = start_write(&connection, vec![b'f'; 8], None);
        assert_fails(write_now(&connection), E::Pending);
        assert_fails(
            ended(context, &start_write(&connection, vec![1], None)),
            E::Pending,
        );
        let mut buffer = vec![0; 65536];
        iterate_until(context, || {
            let _ = peer.read(&mut buffer);
            writing.has_ended()
        });
        assert!(writing.outcome().expect("room") > 0);
    });
}
