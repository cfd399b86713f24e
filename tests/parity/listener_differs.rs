//! Listeners where we differ on purpose: what GIO's class does, and what ours does.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use gio::{
    Cancellable, IOErrorEnum as E, SocketFamily, SocketListenerEvent as Event, SocketProtocol,
    prelude::*,
};

use gsock::SocketListenerExt as _;

use super::{accept_code, address_of, bound, directory, ipv6_alone};
use crate::{accepting::*, differs::differs, support::*, under::*};

/// LISTEN-24: of `GSocket` itself, in either mode, when a connection waits.
#[test]
fn gio_listen_24_a_socket_takes_a_connection_for_who_is_cancelled() {
    on_private_context(|_| {
        let taken = [true, false].map(|blocking| {
            let socket = bound(true);
            socket.set_blocking(blocking);
            let _client = client_of(address_of(&socket));
            let cancellable = Cancellable::new();
            cancellable.cancel();
            socket.accept(Some(&cancellable)).is_ok()
        });
        assert_gio(taken, [true, true]);
    });
}

/// LISTEN-24: on several sockets.
#[test]
fn differs_listen_24_who_blocks_on_several_sockets_and_is_cancelled_takes_nothing() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                [true, false].map(|blocking| {
                    let listener = side.listener();
                    let sockets = [bound(true), bound(true)];
                    for socket in &sockets {
                        socket.set_blocking(blocking);
                        listener.add_socket(socket, None).unwrap();
                    }
                    let _client = client_of(address_of(&sockets[1]));
                    let cancellable = Cancellable::new();
                    cancellable.cancel();
                    let cancelled = accept_code(listener.accept(Some(&cancellable)));
                    (cancelled, queue_of(&sockets[1]).1)
                })
            },
            [(Ok(()), 0), (Ok(()), 0)],
            [(Err(E::Cancelled), 1), (Err(E::Cancelled), 1)],
        );
    });
}

/// LISTEN-24: the connection is taken, and closed, for nobody.
#[test]
fn differs_listen_24_an_accept_that_is_cancelled_before_loses_no_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let listener = side.listener();
                let socket = bound(true);
                listener.add_socket(&socket, None).unwrap();
                let _client = client_of(address_of(&socket));
                let cancellable = Cancellable::new();
                cancellable.cancel();
                let cancelled = listener.run(Form::Callback, Some(&cancellable), context);
                assert_fails(cancelled, E::Cancelled);
                queue_of(&socket).1
            },
            0,
            1,
        );
    });
}

/// LISTEN-24: and so with one that is cancelled after it was taken, before its callback.
#[test]
fn differs_listen_24_an_accept_that_is_cancelled_in_time_loses_no_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let listener = side.listener();
                let socket = bound(true);
                listener.add_socket(&socket, None).unwrap();
                let cancellable = Cancellable::new();
                let waiting = listener.start(Some(&cancellable));
                iterate_for(context, Duration::from_millis(10));
                let _client = client_of(address_of(&socket));
                cancellable.cancel();
                assert_eq!(accept_code(waiting.wait(context)), Err(E::Cancelled));
                queue_of(&socket).1
            },
            0,
            1,
        );
    });
}

/// LISTEN-27: of the `GSocket`; the factory is asked for that of the listening one on either side.
#[test]
fn differs_listen_27_the_socket_of_what_is_accepted_says_its_protocol() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let listener = side.listener();
                let socket = bound(true);
                listener.add_socket(&socket, None).unwrap();
                let _clients = [0; 2].map(|_| client_of(address_of(&socket)));
                let (connection, _) = listener.accept(None).unwrap();
                let (accepted, _) = listener.accept_socket(None).unwrap();
                let of_connection: gio::Socket = connection.property("socket");
                [of_connection.protocol(), accepted.protocol()]
            },
            [SocketProtocol::Default; 2],
            [SocketProtocol::Tcp; 2],
        );
    });
}

/// LISTEN-2.
#[test]
fn differs_listen_2_the_function_keeps_to_the_range_and_notifies() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let listener = side.listener();
                let seen = notifications(&listener.0);
                let kept = [-5, 100_000, 20, 20].map(|backlog| {
                    listener.set_backlog(backlog);
                    listener.backlog()
                });
                (kept, seen.take().len())
            },
            ([-5, 100_000, 20, 20], 0),
            ([0, 2000, 20, 20], 3),
        );
    });
}

/// LISTEN-3: how many messages there are, and how many connections the kernel keeps.
#[test]
fn differs_listen_3_a_new_backlog_reaches_sockets_that_listen() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let listener = side.listener();
                let socket = Rc::new(RefCell::new(None));
                let seen = socket.clone();
                listener.on_event(move |_, socket| {
                    seen.replace(Some(socket.clone()));
                });
                listener.listen();
                let socket = socket.take().unwrap();
                let ((), said) = logged(|| listener.set_backlog(20));
                (said.len(), queue_of(&socket).0)
            },
            (1, 10),
            (0, 20),
        );
    });
}

/// LISTEN-6.
#[test]
fn differs_listen_6_a_closed_listener_opens_no_port() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let listener = side.listener();
                listener.close();
                let opened = listener.add_any_inet_port(None);
                listener.close();
                opened
                    .map(|port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
                    .map_err(|failure| code(&failure))
            },
            Ok(true),
            Err(E::Closed),
        );
    });
}

/// LISTEN-12.
#[test]
fn differs_listen_12_each_listener_has_its_own_source_object_of_a_socket() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let socket = bound(true);
                let listeners = [side.listener(), side.listener(), side.listener()];
                let marks = [mark(), mark()];
                for (index, listener) in listeners.iter().enumerate() {
                    listener.add_socket(&socket, marks.get(index)).unwrap();
                }
                listeners.map(|listener| {
                    let _client = client_of(address_of(&socket));
                    let (_, source) = listener.accept(None).unwrap();
                    source.map(|source| marks.iter().position(|mark| *mark == source).unwrap())
                })
            },
            [Some(1), Some(1), Some(1)],
            [Some(0), Some(1), None],
        );
    });
}

/// LISTEN-26: whose connection is taken, of three sockets with two each.
#[test]
fn differs_listen_26_sockets_that_are_ready_take_turns() {
    fn order(side: Side, form: Form, context: &glib::MainContext) -> Vec<usize> {
        let listener = side.listener();
        let marks = [mark(), mark(), mark()];
        let addresses = [0, 1, 2].map(|it| listener.listen_for(Some(&marks[it])));
        let _clients = [0, 1, 2, 0, 1, 2].map(|it| client_of(addresses[it]));
        (0..6)
            .map(|_| {
                let (_, source) = listener.run(form, None, context).unwrap();
                marks
                    .iter()
                    .position(|it| Some(it) == source.as_ref())
                    .unwrap()
            })
            .collect()
    }
    /// Whether each of the three comes twice, and once among the first three.
    fn takes_turns(order: &[usize]) -> bool {
        order.chunks(3).all(|three| {
            let mut three = three.to_vec();
            three.sort_unstable();
            three == [0, 1, 2]
        })
    }
    on_private_context(|context| {
        assert_gio(
            order(Side::Gio, Form::Blocking, context),
            vec![2, 2, 1, 1, 0, 0],
        );
        assert_gio(
            order(Side::Gio, Form::Callback, context),
            vec![0, 0, 1, 1, 2, 2],
        );
        for form in FORMS {
            let order = order(Side::Ours, form, context);
            assert!(takes_turns(&order), "{order:?}");
        }
    });
}

/// LISTEN-32.
#[test]
fn differs_listen_32_an_accept_that_waits_is_served_by_sockets_added_since() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let listener = side.listener();
                listener.listen();
                let waiting = listener.start(None);
                iterate_for(context, Duration::from_millis(10));
                let _client = client_of(listener.listen());
                let served = side.comes(context, || waiting.is_set());
                if !served {
                    listener.close();
                    assert_eq!(accept_code(waiting.wait(context)), Err(E::Closed));
                }
                served
            },
            false,
            true,
        );
    });
}

/// LISTEN-16, LISTEN-20: IPv6 cannot listen, as it is closed in its last event before that.
#[test]
fn differs_listen_16_a_port_is_listened_to_if_one_family_can() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                [true, false].map(|any| {
                    let listener = side.listener();
                    ipv6_alone(&listener);
                    listener.on_event(|event, socket| {
                        if event == Event::Listening && socket.family() == SocketFamily::Ipv6 {
                            socket.close().unwrap();
                        }
                    });
                    let port = if any {
                        listener.add_any_inet_port(None)
                    } else {
                        let port = free_port();
                        listener.add_inet_port(port, None).map(|_| port)
                    };
                    port.map(|port| {
                        let client = client_of(SocketAddr::from(([127, 0, 0, 1], port)));
                        let (made, _) = listener.accept(None).unwrap();
                        peer_of(&made) == client.local_addr().unwrap()
                    })
                    .map_err(|failure| code(&failure))
                })
            },
            [Err(E::Closed), Err(E::Closed)],
            [Ok(true), Ok(true)],
        );
    });
}

/// LISTEN-21: the mode of sockets that the listener has made.
#[test]
fn gio_listen_21_sockets_that_it_makes_are_in_blocking_mode() {
    on_private_context(|_| {
        let listener = Side::Gio.listener();
        let modes = Rc::new(RefCell::new(Vec::new()));
        let noted = modes.clone();
        listener.on_event(move |event, socket| {
            if event == Event::Listened {
                noted.borrow_mut().push(socket.is_blocking());
            }
        });
        listener.listen();
        listener.add_any_inet_port(None).unwrap();
        assert_gio(modes.take(), vec![true, true]);
    });
}

/// VER-3: from GLib 2.80 on GIO does, too.
#[test]
fn differs_ver_3_what_is_accepted_sends_at_once() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let listener = side.listener();
                let _client = client_of(listener.listen());
                let (made, _) = listener.accept(None).unwrap();
                let socket = made.property::<gio::Socket>("socket");
                option_of(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY)
            },
            0,
            1,
        );
    });
}

/// VER-5, LISTEN-8.
#[test]
fn differs_listen_8_an_address_of_another_machine_is_refused() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let listener = side.listener();
                // For documentation only, so that no machine has it.
                let elsewhere = gio_address(([192, 0, 2, 1], 0).into());
                code(&listener.add_address(&elsewhere, None).unwrap_err())
            },
            E::Failed,
            E::ConnectionRefused,
        );
    });
}

/// LISTEN-10: a path that a process which has ended has left, and whether the next one leaves it too.
#[test]
fn differs_listen_10_a_path_that_was_left_is_taken_over_and_removed_again() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let directory = directory();
                let path = directory.join("socket");
                drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
                let listener = side.listener();
                let added = match side {
                    Side::Gio => {
                        let address = gio::UnixSocketAddress::new(&path);
                        listener.add_address(&address, None).map(drop)
                    }
                    Side::Ours => ours(&listener.0).add_unix_path(
                        &path,
                        &gsock::UnixPathOptions::default(),
                        None::<&glib::Object>,
                    ),
                };
                if added.is_ok() {
                    drop(std::os::unix::net::UnixStream::connect(&path).unwrap());
                    listener.accept(None).unwrap();
                }
                listener.close();
                let stays = path.exists();
                std::fs::remove_dir_all(&directory).unwrap();
                (Outcome::from(added), stays)
            },
            (Fails(E::AddressInUse), true),
            (Done, false),
        );
    });
}
