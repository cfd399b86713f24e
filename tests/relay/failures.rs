//! What ends a relay before its time, and what cannot be relayed.

use std::{
    io::Write,
    net::Shutdown,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*, relay};

use crate::{parties::*, polling::*, support::*, tools::*};

over_pairs!(
    a_close_of_the_first_ends_the_relay,
    a_close_of_the_second_ends_the_relay,
    a_close_while_the_other_side_is_full_ends_the_relay,
    a_close_after_one_direction_has_ended_ends_the_relay,
    a_socket_cannot_be_replaced_meanwhile,
);

fn a_close_of_the_first_ends_the_relay(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, _peer_a), (b, mut peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    a.close(gio::Cancellable::NONE).expect("open");
    assert_fails(value_of(context.block_on(relaying)), E::Closed);
    assert!(a.input_stream().is_closed() && a.output_stream().is_closed());
    // The other one is whole.
    assert_eq!(b.state(), ConnectionState::Connected);
    peer_b.write_all(b"whole").expect("room");
    wait_readable(&b);
    assert_eq!(read_now(&b, 8).expect("it is there"), b"whole");
}

fn a_close_of_the_second_ends_the_relay(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, _peer_a), (b, _peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    let closing = b.close_future(glib::Priority::DEFAULT);
    context.block_on(closing).expect("open");
    assert_fails(value_of(context.block_on(relaying)), E::Closed);
    assert!(!a.is_closed());
}

fn a_close_while_the_other_side_is_full_ends_the_relay(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, mut peer_a), (b, _peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    peer_a.set_nonblocking();
    let bytes = vec![0; 1 << 20];
    for _ in 0..20 {
        let _ = peer_a.write(&bytes);
        iterate_for(context, std::time::Duration::from_millis(2));
    }
    assert!(!relaying.is_finished());
    a.close(gio::Cancellable::NONE).expect("open");
    assert_fails(value_of(context.block_on(relaying)), E::Closed);
    assert!(!b.is_closed());
}

fn a_close_after_one_direction_has_ended_ends_the_relay(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, _peer_a), (b, peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    peer_b.shutdown(Shutdown::Write);
    iterate_for(context, std::time::Duration::from_millis(10));
    assert!(!relaying.is_finished());
    b.close(gio::Cancellable::NONE).expect("open");
    assert_fails(value_of(context.block_on(relaying)), E::Closed);
}

fn a_socket_cannot_be_replaced_meanwhile(
    make_a: MakeEnd,
    make_b: MakeEnd,
    context: &glib::MainContext,
) {
    let ((a, _peer_a), (b, _peer_b)) = (make_a(), make_b());
    let relaying = start(context, &a, &b);
    for connection in [&a, &b] {
        assert_fails(connection.set_socket(&ipv4_socket()), E::Pending);
    }
    relaying.abort();
}

#[test]
fn a_reset_ends_the_relay_with_its_error() {
    on_private_context(|context| {
        for first in [true, false] {
            let ((a, peer_a), (b, peer_b)) = (tcp(), tcp());
            let relaying = start(context, &a, &b);
            let (gone, stays, lost, whole) = if first {
                (peer_a, peer_b, &a, &b)
            } else {
                (peer_b, peer_a, &b, &a)
            };
            let Peer::Tcp(gone) = gone else {
                unreachable!("TCP")
            };
            reset(gone);
            assert_fails(value_of(context.block_on(relaying)), E::BrokenPipe);
            assert_eq!(lost.state(), ConnectionState::Disconnected);
            assert!(lost.last_error().is_some());
            assert_eq!(whole.state(), ConnectionState::Connected);
            assert!(!lost.is_closed() && !whole.is_closed());
            drop(stays);
        }
    });
}

/// Nobody reads from that side any more, and there is nothing to write to it.
#[test]
fn a_reset_after_the_end_of_file_ends_the_relay() {
    on_private_context(|context| {
        let ((a, _peer_a), (b, peer_b)) = (tcp(), tcp());
        let relaying = start(context, &a, &b);
        peer_b.shutdown(Shutdown::Write);
        iterate_for(context, std::time::Duration::from_millis(10));
        assert!(!relaying.is_finished());
        let Peer::Tcp(peer_b) = peer_b else {
            unreachable!("TCP")
        };
        reset(peer_b);
        assert_fails(value_of(context.block_on(relaying)), E::BrokenPipe);
        assert_eq!(a.state(), ConnectionState::Connected);
    });
}

#[test]
fn a_reset_while_bytes_are_under_way_ends_the_relay() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, peer_b)) = (tcp(), tcp());
        let relaying = start(context, &a, &b);
        peer_a.set_nonblocking();
        let bytes = vec![0; 1 << 20];
        for _ in 0..20 {
            let _ = peer_a.write(&bytes);
            iterate_for(context, std::time::Duration::from_millis(2));
        }
        assert!(!relaying.is_finished());
        let Peer::Tcp(peer_b) = peer_b else {
            unreachable!("TCP")
        };
        reset(peer_b);
        assert_fails(value_of(context.block_on(relaying)), E::BrokenPipe);
        assert!(!a.is_closed() && !b.is_closed());
    });
}

#[test]
fn a_peer_that_takes_no_more_ends_the_relay() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, peer_b)) = (tcp(), unix());
        let relaying = start(context, &a, &b);
        drop(peer_b);
        peer_a.write_all(b"for nobody").expect("room");
        assert_fails(value_of(context.block_on(relaying)), E::BrokenPipe);
        assert_eq!(b.state(), ConnectionState::Disconnected);
    });
}

#[test]
fn what_is_not_connected_cannot_be_relayed() {
    on_private_context(|context| {
        let (a, _peer) = tcp();
        let b = unconnected();
        for (a, b) in [(a.clone(), b.clone()), (b, a)] {
            let result = run(context, async move { relay(&a, &b).await });
            assert_fails(result, E::NotConnected);
        }
    });
}

#[test]
fn what_is_closed_cannot_be_relayed() {
    on_private_context(|context| {
        let ((a, _peer_a), (b, _peer_b)) = (tcp(), tcp());
        b.close(gio::Cancellable::NONE).expect("open");
        for (a, b) in [(a.clone(), b.clone()), (b.clone(), a.clone())] {
            let result = run(context, async move { relay(&a, &b).await });
            assert_fails(result, E::Closed);
        }
        // So are streams that were closed by themselves.
        let (c, _peer_c) = tcp();
        c.output_stream()
            .close(gio::Cancellable::NONE)
            .expect("open");
        let result = run(context, async move { relay(&a, &c).await });
        assert_fails(result, E::Closed);
    });
}

#[test]
fn a_connection_cannot_be_relayed_to_itself() {
    on_private_context(|context| {
        let (a, _peer) = tcp();
        let twin = SocketConnection::factory_create_connection(&a.socket());
        let again: OwnedFd = a.socket().as_fd().try_clone_to_owned().expect("a number");
        let again = SocketConnection::factory_create_connection_from_fd(again);
        let itself = a.clone();
        for other in [itself, twin, again.expect("a socket")] {
            let a = a.clone();
            let result = run(context, async move { relay(&a, &other).await });
            assert_fails(result, E::InvalidArgument);
        }
    });
}

/// A number that others have as well stays in the mode in which it came, for as long as nothing has to be spliced.
#[test]
fn a_bare_socket_stays_in_its_mode() {
    on_private_context(|context| {
        let ((peer_a, ours), (b, peer_b)) = (tcp_pair(), tcp());
        let kept = ours.try_clone().expect("a number");
        let a = SocketConnection::factory_create_connection_from_fd(ours).expect("a socket");
        let flags = |fd: &OwnedFd| {
            // SAFETY: no pointers involved.
            unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) }
        };
        let before = flags(&kept);
        assert_eq!(before & libc::O_NONBLOCK, 0);
        let relaying = start(context, &a, &b);
        (&peer_a).write_all(b"little").expect("room");
        peer_a.shutdown(Shutdown::Write).expect("connected");
        peer_b.shutdown(Shutdown::Write);
        let relayed = value_of(context.block_on(relaying)).expect("both have ended");
        assert_eq!(relayed, counts(6, 0));
        assert_eq!(flags(&kept), before);
    });
}

#[test]
fn packets_cannot_be_relayed() {
    on_private_context(|context| {
        let (a, _peer) = tcp();
        let mut fds = [0; 2];
        // SAFETY: room for two descriptors.
        let made =
            unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, fds.as_mut_ptr()) };
        assert_eq!(made, 0);
        // SAFETY: descriptors of our own, just made.
        let [ours, _theirs] =
            fds.map(|fd| unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
        let b = SocketConnection::factory_create_connection_from_fd(ours).expect("a socket");
        let result = run(context, async move { relay(&a, &b).await });
        assert_fails(result, E::NotSupported);
    });
}

#[test]
fn a_busy_stream_cannot_be_relayed() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, _peer_b)) = (tcp(), tcp());
        let reading = start_read(&a.input_stream(), 8, None);
        let (first, second) = (a.clone(), b);
        let result = run(context, async move { relay(&first, &second).await });
        assert_fails(result, E::Pending);
        peer_a.write_all(b"mine").expect("room");
        assert_eq!(reading.wait(context).expect("it was sent"), b"mine");
        drop(a);
    });
}

/// The thread-default context of a new thread is the global one, which it does not own.
#[test]
fn on_a_thread_that_owns_no_context_nothing_is_relayed() {
    on_private_context(|_| {
        std::thread::spawn(|| {
            let ((a, mut peer_a), (b, _peer_b)) = (tcp(), tcp());
            peer_a.write_all(b"stays").expect("room");
            wait_readable(&a);
            let result = {
                let mut relaying = Box::pin(relay(&a, &b));
                done(poll_once(&mut relaying))
            };
            assert_fails(result, E::NotSupported);
            assert_eq!(read_now(&a, 8).expect("it is there"), b"stays");
        })
        .join()
        .expect("no panic");
    });
}

/// Both have ended before the relay has looked at either: the end cannot be passed on to one that has been reset.
#[test]
fn an_end_that_finds_a_reset_is_an_error_as_a_write_would_be() {
    on_private_context(|context| {
        let ((a, peer_a), (b, peer_b)) = (tcp(), tcp());
        let Peer::Tcp(gone) = peer_b else {
            unreachable!("TCP")
        };
        reset(gone);
        peer_a.shutdown(Shutdown::Write);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let relaying = start(context, &a, &b);
        assert_fails(value_of(context.block_on(relaying)), E::BrokenPipe);
    });
}

/// What it waits for there nobody would tell it.
#[test]
fn a_relay_does_not_go_on_where_its_thread_owns_no_context() {
    within(LIMIT, || {
        let owned = glib::MainContext::new();
        let ((a, mut peer_a), (b, mut peer_b)) = (tcp(), tcp());
        {
            let mut relaying = Box::pin(relay(&a, &b));
            owned
                .with_thread_default(|| assert!(poll_once(&mut relaying).is_pending()))
                .expect("nobody else's");
            peer_a.write_all(b"stays").expect("room");
            wait_readable(&a);
            assert_fails(done(poll_once(&mut relaying)), E::NotSupported);
        }
        // Both are whole, and can be relayed where there is an owner.
        let relayed = owned.with_thread_default(|| {
            peer_a.shutdown(Shutdown::Write);
            peer_b.shutdown(Shutdown::Write);
            let (a, b) = (a.clone(), b.clone());
            run(&owned, async move { relay(&a, &b).await })
        });
        let relayed = relayed.expect("nobody else's").expect("nothing fails");
        assert_eq!(relayed, counts(5, 0));
        assert_eq!(peer_b.all(), b"stays");
    });
}
