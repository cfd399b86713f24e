//! Dropping, at every step.

use std::{cell::Cell, os::fd::AsRawFd, rc::Rc, task::Poll};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

/// A peer that lets one wait, one that answers, and none.
enum Target {
    Silent,
    Answering,
    Refusing,
}

#[test]
fn a_connect_future_dropped_at_any_step_leaves_nothing_in_flight() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let echo = echo_server();
        for target in [Target::Silent, Target::Answering, Target::Refusing] {
            let address = match target {
                Target::Silent => deaf.address,
                Target::Answering => echo,
                Target::Refusing => refused_address(),
            };
            for spawned in [true, false] {
                for steps in STEPS {
                    let connection = unconnected();
                    let ended = Rc::new(Cell::new(None));
                    let future = connection.connect_future(&gio_address(address));
                    if spawned {
                        let end = ended.clone();
                        let task = context.spawn_local(async move {
                            end.set(Some(future.await.is_ok()));
                        });
                        iterate(context, steps);
                        task.abort();
                    } else {
                        // Somebody else's executor.
                        let mut future = future;
                        for _ in 0..steps {
                            if let Poll::Ready(result) = poll_once(&mut future) {
                                ended.set(Some(result.is_ok()));
                                break;
                            }
                            context.iteration(false);
                        }
                    }
                    let state = connection.state();
                    match (ended.get(), &target) {
                        (Some(true), Target::Answering) => {
                            assert_eq!(state, ConnectionState::Connected, "{steps}");
                            assert_echoes(&connection);
                        }
                        (Some(false), Target::Refusing) | (None, _) => {
                            assert_eq!(state, ConnectionState::Unconnected, "{steps}");
                            assert_eq!(
                                tcp_state(connection.socket().as_raw_fd()),
                                TCP_CLOSE,
                                "{steps}"
                            );
                            assert!(!connection.is_connected());
                            let again = gio_address(echo);
                            connection
                                .connect(&again, gio::Cancellable::NONE)
                                .expect("it listens");
                            assert_echoes(&connection);
                        }
                        (end, _) => panic!("ended with {end:?} after {steps} steps"),
                    }
                    let traces = Traces::of(&connection);
                    drop(connection);
                    traces.assert_gone(context, &[]);
                }
            }
        }
    });
}

/// The operation keeps the object until it ends; then all is gone.
#[test]
fn a_connection_dropped_while_it_connects_calls_back_once_and_is_gone() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let echo = echo_server();
        for target in [Target::Silent, Target::Answering, Target::Refusing] {
            let address = match target {
                Target::Silent => deaf.address,
                Target::Answering => echo,
                Target::Refusing => refused_address(),
            };
            for steps in STEPS {
                let connection = unconnected();
                let cancellable = gio::Cancellable::new();
                let traces = Traces::of(&connection).and("cancellable", &cancellable);
                let started = start_connect(&connection, &gio_address(address), Some(&cancellable));
                iterate(context, steps);
                drop(connection);
                match target {
                    Target::Silent => {
                        cancellable.cancel();
                        assert_fails(ended(context, &started), E::Cancelled);
                    }
                    Target::Answering => assert!(ended(context, &started).is_ok()),
                    Target::Refusing => {
                        assert_fails(ended(context, &started), E::ConnectionRefused);
                    }
                }
                drop(cancellable);
                traces.assert_gone(context, &[&started]);
            }
        }
    });
}

/// F-24, where GIO's read keeps the socket open until data comes.
#[test]
fn a_connection_dropped_with_a_read_pending_ends_it_with_closed() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for with_cancellable in [true, false] {
                for steps in STEPS {
                    let (connection, mut peer) = make();
                    let cancellable = gio::Cancellable::new();
                    let traces = Traces::of(&connection).and("cancellable", &cancellable);
                    let reading =
                        start_read(&connection, 4, with_cancellable.then_some(&cancellable));
                    iterate(context, steps);
                    drop(connection);
                    assert_fails(ended(context, &reading), E::Closed);
                    drop(cancellable);
                    traces.assert_gone(context, &[&reading]);
                    assert!(read_to_end(&mut peer).is_empty());
                }
            }
        }
    });
}

/// Without a `GSocket` ever made.
#[test]
fn a_bare_connection_dropped_with_a_read_pending_ends_it_with_closed() {
    on_private_context(|context| {
        for steps in STEPS {
            let (peer, fd) = tcp_pair();
            let kernel = KernelSocket::of(fd.as_raw_fd());
            let connection =
                SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
            let gone = Gone::of(&connection);
            let reading = start_read(&connection, 4, None);
            iterate(context, steps);
            drop(connection);
            assert_fails(ended(context, &reading), E::Closed);
            assert_idle(context);
            assert!(gone.is_gone() && reading.is_task_gone());
            assert!(!kernel.is_open());
            drop(peer);
        }
    });
}

#[test]
fn a_connection_dropped_with_a_write_pending_ends_it_with_closed() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for steps in STEPS {
                let (connection, mut peer) = make();
                fill(&connection);
                let sent = connection.bytes_written();
                let traces = Traces::of(&connection);
                let writing = start_write(&connection, vec![1; 8], None);
                iterate(context, steps);
                drop(connection);
                assert_fails(ended(context, &writing), E::Closed);
                traces.assert_gone(context, &[&writing]);
                assert_eq!(
                    read_to_end(&mut peer).len() as u64,
                    sent,
                    "what was sent arrives"
                );
            }
        }
    });
}

/// A graceful close keeps the object until it ends.
#[test]
fn a_connection_dropped_while_it_closes_calls_back_once_and_is_gone() {
    on_private_context(|context| {
        for graceful in [true, false] {
            for cancels in [true, false] {
                for steps in STEPS {
                    let (connection, peer) = connected();
                    connection
                        .downcast_ref::<TcpConnection>()
                        .expect("TCP")
                        .set_graceful_disconnect(graceful);
                    let cancellable = gio::Cancellable::new();
                    let traces = Traces::of(&connection).and("cancellable", &cancellable);
                    let closing = start_close(&connection, Some(&cancellable));
                    iterate(context, steps);
                    drop(connection);
                    if cancels && graceful {
                        assert!(!closing.has_ended());
                        cancellable.cancel();
                        assert_fails(ended(context, &closing), E::Cancelled);
                        drop(peer);
                    } else {
                        drop(peer);
                        assert!(ended(context, &closing).is_ok());
                    }
                    drop(cancellable);
                    traces.assert_gone(context, &[&closing]);
                }
            }
        }
    });
}

/// The same with the class' own task, which GIO's would hide.
#[test]
fn the_inner_task_of_a_close_is_gone_after_its_callback() {
    on_private_context(|context| {
        for graceful in [true, false] {
            let (connection, peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(graceful);
            let traces = Traces::of(&connection);
            let closing = close_in_slot(&connection, None);
            drop(connection);
            iterate(context, 3);
            drop(peer);
            iterate_until(context, || closing.has_ended());
            drop(closing.result());
            traces.assert_gone(context, &[&closing]);
        }
    });
}

/// Everything at once.
#[test]
fn a_connection_dropped_with_all_pending_ends_each_once() {
    on_private_context(|context| {
        for steps in STEPS {
            let (connection, peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
            fill(&connection);
            let cancellable = gio::Cancellable::new();
            let traces = Traces::of(&connection).and("cancellable", &cancellable);
            let reading = start_read(&connection, 4, Some(&cancellable));
            let writing = start_write(&connection, vec![1; 8], Some(&cancellable));
            let closing = start_close(&connection, Some(&cancellable));
            iterate(context, steps);
            drop(connection);
            cancellable.cancel();
            let all = [&*reading, &*writing, &*closing];
            iterate_until(context, || all.iter().all(|started| started.has_ended()));
            drop(cancellable);
            traces.assert_gone(context, &all);
            drop(peer);
        }
    });
}
