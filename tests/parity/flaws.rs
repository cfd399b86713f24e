//! The rest of what is wrong or odd in GIO's class: mended here, GLib's own, or kept on purpose.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::AsRawFd,
        unix::net::{UnixListener, UnixStream},
    },
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{SocketConnection, prelude::*};

use crate::{differs::differs, support::*, tools::*, under::*};

#[path = "alone.rs"]
mod alone;
#[path = "closing.rs"]
mod closing;

/// Iterates until it is done, and tells how often.
fn turns(context: &glib::MainContext, done: impl Fn() -> bool) -> usize {
    let mut turns = 0;
    while !done() {
        context.iteration(true);
        turns += 1;
    }
    turns
}

// --- Connecting ---------------------------------------------------------------------------------

/// SOCK-13, VER-5: two sockets at one address cannot have one peer.
#[test]
fn differs_ver_5_an_address_that_is_not_available_refuses_the_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let here = gio_address(([127, 0, 0, 1], 0).into());
                let first = ipv4_socket();
                first.bind(&here, true).unwrap();
                SocketExt::connect(&first, &gio_address(address), Cancellable::NONE).unwrap();
                let taken = first.local_address().unwrap();
                [true, false].map(|blocking| {
                    let second = ipv4_socket();
                    second.bind(&taken, true).unwrap();
                    let under = side.around(&second);
                    if blocking {
                        Outcome::from(under.connect(address, None))
                    } else {
                        Outcome::from(under.start_connect(address, None).wait(context))
                    }
                })
            },
            [Fails(IOErrorEnum::Failed), Fails(IOErrorEnum::Failed)],
            [
                Fails(IOErrorEnum::ConnectionRefused),
                Fails(IOErrorEnum::ConnectionRefused),
            ],
        );
    });
}

/// VER-5, kept: DESTINATION_UNSET from GLib 2.80 on, a code that callers of older ones do not know.
#[test]
fn ver_5_what_has_no_destination_fails() {
    on_private_context(|_| {
        let send = |side: Side| {
            let socket = gio::Socket::new(
                SocketFamily::Ipv4,
                SocketType::Datagram,
                gio::SocketProtocol::Default,
            )
            .unwrap();
            Outcome::from(write(&side.around(&socket).output(), b"whereto?"))
        };
        assert_gio(send(Side::Gio), Fails(IOErrorEnum::Failed));
        assert_eq!(send(Side::Ours), Fails(IOErrorEnum::Failed));
    });
}

/// SOCK-23: nor does it wait for a place when it is asynchronous.
#[test]
fn differs_f17_an_asynchronous_unix_connect_waits_for_a_place_in_a_full_queue() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let directory = glib::mkdtemp(std::env::temp_dir().join("parity-XXXXXX")).unwrap();
                let path = directory.join("socket");
                let listener = UnixListener::bind(&path).unwrap();
                // SAFETY: an open descriptor; a second listen(2) changes the length of the queue.
                let shortened = unsafe { libc::listen(listener.as_raw_fd(), 0) };
                assert_eq!(shortened, 0);
                let _filler = UnixStream::connect(&path).unwrap();
                let socket = gio::Socket::new(
                    SocketFamily::Unix,
                    SocketType::Stream,
                    gio::SocketProtocol::Default,
                )
                .unwrap();
                let address = gio::UnixSocketAddress::new(&path);
                let slot = Slot::new();
                let put = slot.put();
                match side {
                    Side::Gio => socket.connection_factory_create_connection().connect_async(
                        &address,
                        Cancellable::NONE,
                        put,
                    ),
                    Side::Ours => SocketConnection::new(&socket).connect_async(
                        &address,
                        Cancellable::NONE,
                        move |connection, result| put(connection.connect_finish(result)),
                    ),
                }
                iterate_for(context, Duration::from_millis(50));
                let waits = !slot.is_set();
                drop(listener.accept().unwrap());
                let outcome = Outcome::from(slot.wait(context));
                std::fs::remove_dir_all(&directory).unwrap();
                (waits, outcome)
            },
            (false, Fails(IOErrorEnum::WouldBlock)),
            (true, Done),
        );
    });
}

// --- What is told -------------------------------------------------------------------------------

/// SC-8: a peer that leaves is news to nobody who does not read.
#[test]
fn differs_f10_the_peers_departure_is_notified() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                [false, true].map(|resets| {
                    let (under, peer) = side.connected();
                    let seen = notifications(&*under);
                    if resets {
                        reset(peer);
                    } else {
                        peer.shutdown(Shutdown::Write).unwrap();
                        wait_readable(&*under);
                    }
                    iterate_for(context, Duration::from_millis(50));
                    assert!(under.is_connected());
                    let seen = seen.borrow();
                    (
                        seen.iter().any(|name| name == "state"),
                        seen.iter().any(|name| name == "last-error"),
                    )
                })
            },
            [(false, false), (false, false)],
            [(true, false), (true, true)],
        );
    });
}

/// Of ours: nothing tells it from the peer's, as TCP does.
#[test]
fn on_unix_sockets_our_own_shutdown_of_the_reading_side_is_taken_for_the_peers() {
    on_private_context(|context| {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let socket = gio::Socket::from_fd(ours.into()).unwrap();
        let connection = SocketConnection::factory_create_connection(&socket);
        socket.shutdown(true, false).unwrap();
        iterate_until(context, || {
            connection.state() == gsock::ConnectionState::Disconnected
        });
        // And it is not gone.
        assert_eq!(write(&connection.output_stream(), b"there?").unwrap(), 6);
        let mut received = [0; 6];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received, *b"there?");
    });
}

fn is_task(result: &gio::AsyncResult) -> bool {
    result.type_().name() == "GTask"
}

/// ASYNC-0: what reads and writes answer with is a `GAsyncResult`, as documented, and no more than that.
#[test]
fn differs_async_0_the_result_of_a_read_is_lighter_than_a_task() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"x").unwrap();
                let answered = Slot::new();
                let put = answered.put();
                read_async_in_c(&under.input(), 1, None, move |input, result| {
                    assert_eq!(read_finish(input, result).unwrap(), 1);
                    put(is_task(result));
                });
                answered.wait(context)
            },
            true,
            false,
        );
    });
}

/// ASYNC-12: who asks the result which cancellable it had gets none of ours.
#[test]
fn differs_async_12_a_result_names_no_cancellable() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"x").unwrap();
                let (answered, cancellable) = (Slot::new(), Cancellable::new());
                let put = answered.put();
                read_async_in_c(
                    &under.input(),
                    1,
                    Some(&cancellable),
                    move |input, result| {
                        let named = is_task(result) && {
                            // SAFETY: a GTask, as was just seen.
                            let named = unsafe {
                                gio::ffi::g_task_get_cancellable(
                                    ToGlibPtr::<*mut gio::ffi::GAsyncResult>::to_glib_none(result)
                                        .0
                                        .cast(),
                                )
                            };
                            !named.is_null()
                        };
                        assert_eq!(read_finish(input, result).unwrap(), 1);
                        put(named);
                    },
                );
                answered.wait(context)
            },
            true,
            false,
        );
    });
}

// --- The factory --------------------------------------------------------------------------------

/// A type's name without the prefix of its library.
fn registered(side: Side, family: SocketFamily, type_: SocketType, protocol: i32) -> String {
    let (found, prefix) = match side {
        Side::Gio => (
            gio::SocketConnection::factory_lookup_type(family, type_, protocol),
            "G",
        ),
        Side::Ours => (
            SocketConnection::factory_lookup_type(family, type_, protocol),
            "Gsock",
        ),
    };
    let name = found.name().strip_prefix(prefix);
    name.expect("of this library").to_owned()
}

/// SC-32.
#[test]
fn differs_sc_32_mptcp_has_a_tcp_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                [SocketFamily::Ipv4, SocketFamily::Ipv6]
                    .map(|family| registered(side, family, SocketType::Stream, 262))
            },
            ["SocketConnection", "SocketConnection"].map(str::to_owned),
            ["TcpConnection", "TcpConnection"].map(str::to_owned),
        );
    });
}

on_both!(
    f25_closing_the_output_stream_is_not_told_to_the_peer,
    f28_the_factory_matches_exactly_or_not_at_all,
    f31_what_is_ready_at_once_answers_in_the_next_iteration,
    f31_an_answer_of_low_priority_waits_for_ever_behind_one_that_never_rests,
    sock_26_asking_for_the_outcome_of_a_connect_makes_a_socket_connected,
    st_45_the_priority_of_a_splice_counts_for_nothing,
);

/// SC-32, kept: no protocol stands for another one.
fn f28_the_factory_matches_exactly_or_not_at_all(side: Side, _: &glib::MainContext) {
    let (ipv4, unix) = (SocketFamily::Ipv4, SocketFamily::Unix);
    for (family, type_, protocol, expected) in [
        (ipv4, SocketType::Stream, 0, "TcpConnection"),
        (ipv4, SocketType::Stream, 6, "TcpConnection"),
        (ipv4, SocketType::Stream, -1, "SocketConnection"),
        (ipv4, SocketType::Stream, 132, "SocketConnection"),
        (ipv4, SocketType::Datagram, 0, "SocketConnection"),
        (unix, SocketType::Stream, -1, "SocketConnection"),
        (unix, SocketType::Stream, 0, "UnixConnection"),
        (unix, SocketType::Datagram, 0, "SocketConnection"),
    ] {
        let found = registered(side, family, type_, protocol);
        assert_eq!(found, expected, "{family:?} {type_:?} {protocol}");
    }
}

// --- Kept, and GLib's own -----------------------------------------------------------------------

/// SC-26, kept: a shutdown of the socket does it.
fn f25_closing_the_output_stream_is_not_told_to_the_peer(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    let closed = Slot::new();
    output.close_async(DEFAULT, Cancellable::NONE, closed.put());
    closed.wait(context).unwrap();
    assert!(output.is_closed());
    peer.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let nothing = peer.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    under.socket().shutdown(false, true).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    peer.write_all(b"on").unwrap();
    assert_eq!(read(&under.input(), 8).unwrap(), b"on");
}

/// ASYNC-2, ASYNC-4, kept; ST-42: GIO's own task around a write answers one iteration later.
fn f31_what_is_ready_at_once_answers_in_the_next_iteration(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"ready").unwrap();
    wait_readable(&*under);
    settle(context, Duration::from_millis(10));
    let reading = start_read(&under.input(), 8, None);
    assert!(!reading.is_set());
    assert_eq!(turns(context, || reading.is_set()), 1);

    let cancelled = Cancellable::new();
    cancelled.cancel();
    settle(context, Duration::from_millis(10));
    let reading = start_read(&under.input(), 8, Some(&cancelled));
    assert_eq!(turns(context, || reading.is_set()), 1);
    let writing = start_write(&under.output(), b"no".to_vec(), Some(&cancelled));
    assert_eq!(turns(context, || writing.is_set()), 2);
}

/// A source that is always ready.
fn never_rests(context: &glib::MainContext, priority: glib::Priority) -> glib::Source {
    let busy = glib::source::idle_source_new(None, priority, || glib::ControlFlow::Continue);
    busy.attach(Some(context));
    busy
}

/// ASYNC-7, kept: priorities of a main context mean that.
fn f31_an_answer_of_low_priority_waits_for_ever_behind_one_that_never_rests(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"low").unwrap();
    wait_readable(&*under);
    let busy = never_rests(context, DEFAULT);
    let reading = Slot::new();
    let put = reading.put();
    under.input().read_async(
        vec![0; 8],
        glib::Priority::LOW,
        Cancellable::NONE,
        move |result| put(bytes_of(result)),
    );
    for _ in 0..100 {
        context.iteration(false);
    }
    assert!(!reading.is_set());
    busy.destroy();
    assert_eq!(reading.wait(context).unwrap(), b"low");
}

/// IOS-30, ST-45, GLib's own: what it reads, writes and answers is of the default priority.
fn st_45_the_priority_of_a_splice_counts_for_nothing(side: Side, context: &glib::MainContext) {
    let ((from, mut first), (to, mut second)) = (side.connected(), side.connected());
    first.write_all(b"at once").unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    // Nothing of lower priority gets a turn.
    let busy = never_rests(context, glib::Priority::from(100));
    let spliced = Slot::new();
    to.output().splice_async(
        &from.input(),
        gio::OutputStreamSpliceFlags::CLOSE_TARGET,
        glib::Priority::LOW,
        Cancellable::NONE,
        spliced.put(),
    );
    assert_eq!(spliced.wait(context).unwrap(), 7);
    busy.destroy();
    let mut received = [0; 7];
    second.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"at once");
}

/// SOCK-26, GLib's own: whoever asks a `GSocket` marks it connected. Our state does not listen.
fn sock_26_asking_for_the_outcome_of_a_connect_makes_a_socket_connected(
    side: Side,
    context: &glib::MainContext,
) {
    let deaf = deaf_listener();
    let under = side.unconnected();
    let connecting = under.start_connect(deaf.address, None);
    iterate_for(context, Duration::from_millis(10));
    assert!(!connecting.is_set());
    under.socket().check_connect_result().unwrap();
    assert!(under.is_connected());
    if side == Side::Ours {
        let state = under.property::<gsock::ConnectionState>("state");
        assert_eq!(state, gsock::ConnectionState::Connecting);
    }
    under.close(Cancellable::NONE).unwrap();
    assert_fails(connecting.wait(context), IOErrorEnum::Closed);
}

/// SOCK-6, kept: the timeout is a property of `GSocket`, which counts in whole seconds.
#[test]
fn f18_a_timeout_is_of_whole_seconds() {
    on_private_context(|_| {
        for side in [Side::Gio, Side::Ours] {
            let socket = side.unconnected().socket();
            let timeout = socket.find_property("timeout").expect("GSocket's own");
            assert_eq!(timeout.value_type(), glib::Type::U32);
            socket.set_timeout(1);
            assert_eq!(socket.timeout(), 1);
        }
    });
}
