//! How long the socket of halves lives, and what becomes of them when it is replaced.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use futures::AsyncRead;
use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, ReadHalf, SocketConnection, WriteHalf, engine, prelude::*};

use crate::{polling::*, support::*, tools::*};

over_both!(
    halves_go_on_without_their_connection,
    the_last_half_closes_the_socket,
    the_last_half_closes_the_socket_on_whatever_thread,
    a_pending_read_that_is_dropped_with_its_half_closes_the_socket,
    dropping_both_halves_leaves_the_connection_alone,
    the_connection_may_be_asked_for_halves_again,
    halves_that_outlive_their_connection_end_by_the_peer,
);

/// What the peer can read now: `None` is nothing yet, `Some(0)` the end.
#[track_caller]
fn seen_by(peer: &mut TcpStream) -> Option<usize> {
    peer.set_nonblocking(true).unwrap();
    let seen = peer.read(&mut [0; 64]);
    peer.set_nonblocking(false).unwrap();
    match seen {
        Ok(count) => Some(count),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

fn echo_once(
    context: &glib::MainContext,
    peer: &mut TcpStream,
    mut halves: (ReadHalf, WriteHalf),
) -> (ReadHalf, WriteHalf) {
    peer.write_all(b"ping").unwrap();
    let halves = run(context, async move {
        let mut buffer = [0; 4];
        assert_eq!(halves.0.read(&mut buffer).await.unwrap(), 4);
        halves.1.write_all(&buffer).await.unwrap();
        halves
    });
    let mut buffer = [0; 4];
    peer.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"ping");
    halves
}

fn halves_go_on_without_their_connection(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let gone = Gone::of(&connection);
    let halves = echo_once(context, &mut peer, connection.halves());
    drop(connection);
    assert!(gone.is_gone());
    while context.iteration(false) {}
    assert_eq!(seen_by(&mut peer), None);
    drop(echo_once(context, &mut peer, halves));
    assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
}

fn the_last_half_closes_the_socket(make: Make, context: &glib::MainContext) {
    for reader_first in [true, false] {
        let (connection, mut peer) = make();
        let (reader, writer) = connection.halves();
        drop(connection);
        let last: Box<dyn std::any::Any> = if reader_first {
            drop(reader);
            Box::new(writer)
        } else {
            drop(writer);
            Box::new(reader)
        };
        while context.iteration(false) {}
        assert_eq!(seen_by(&mut peer), None);
        drop(last);
        assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
    }
}

fn the_last_half_closes_the_socket_on_whatever_thread(make: Make, _context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let halves = connection.halves();
    drop(connection);
    // Home does nothing meanwhile.
    thread::spawn(move || drop(halves)).join().unwrap();
    assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
}

fn a_pending_read_that_is_dropped_with_its_half_closes_the_socket(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (mut reader, writer) = connection.halves();
    drop(connection);
    let task = engine::spawn_local(context, async move {
        let _writer = writer;
        reader.read(&mut [0; 4]).await
    });
    while context.iteration(false) {}
    assert_eq!(seen_by(&mut peer), None);
    task.abort();
    assert!(context.block_on(task).unwrap_err().is_aborted());
    assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
}

fn dropping_both_halves_leaves_the_connection_alone(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (reader, writer) = connection.halves();
    drop(writer);
    while context.iteration(false) {}
    assert_eq!(seen_by(&mut peer), None);
    drop(reader);
    while context.iteration(false) {}
    assert_eq!(seen_by(&mut peer), None);
    assert_eq!(connection.state(), ConnectionState::Connected);
    drop(echo_once(context, &mut peer, connection.halves()));
}

fn the_connection_may_be_asked_for_halves_again(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let first = connection.halves();
    let second = connection.halves();
    drop(connection);
    let first = echo_once(context, &mut peer, first);
    let second = echo_once(context, &mut peer, second);
    drop(first);
    while context.iteration(false) {}
    drop(echo_once(context, &mut peer, second));
    assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
}

fn halves_that_outlive_their_connection_end_by_the_peer(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let (mut reader, mut writer) = connection.halves();
    drop(connection);
    let task = engine::spawn_local(context, async move {
        assert_eq!(reader.read(&mut [0; 4]).await.unwrap(), 0);
        // The peer has nobody left to read: the first write is answered by a reset.
        while writer.write(b"x").await.is_ok() {
            yield_now().await;
        }
    });
    while context.iteration(false) {}
    drop(peer);
    value_of(context.block_on(task));
}

#[test]
fn whoever_has_the_socket_keeps_it_open_after_the_halves() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let socket = connection.socket();
        let halves = connection.halves();
        drop(connection);
        let halves = echo_once(context, &mut peer, halves);
        drop(halves);
        while context.iteration(false) {}
        assert_eq!(seen_by(&mut peer), None);
        assert!(!socket.is_closed());
        assert_eq!(socket.send(b"mine", gio::Cancellable::NONE).unwrap(), 4);
        assert_eq!(seen_by(&mut peer), Some(4));
        drop(socket);
        assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
    });
}

#[test]
fn the_socket_that_somebody_lets_go_of_stays_open_for_the_halves() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let socket = connection.socket();
        let halves = connection.halves();
        drop(connection);
        drop(socket);
        while context.iteration(false) {}
        assert_eq!(seen_by(&mut peer), None);
        drop(echo_once(context, &mut peer, halves));
        assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
    });
}

#[test]
fn a_socket_is_not_replaced_under_a_half_that_waits() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let (other, mut other_peer) = connected();
        let socket = other.socket();
        let (mut reader, mut writer) = connection.halves();
        let bell = Bell::new();
        let mut buffer = [0; 8];
        {
            let mut read = Box::pin(reader.read(&mut buffer));
            assert!(bell.poll(&mut read).is_pending());
            assert_fails(connection.set_socket(&socket), IOErrorEnum::Pending);
        }
        drop(other);
        assert!(!socket.is_closed());
        connection.set_socket(&socket).unwrap();
        // The old halves have nothing to do with it.
        assert_fails(
            done(bell.poll(&mut Box::pin(reader.read(&mut buffer)))),
            IOErrorEnum::Closed,
        );
        assert_fails(
            done(bell.poll(&mut Box::pin(writer.write(b"x")))),
            IOErrorEnum::Closed,
        );
        assert_fails(
            done(bell.poll(&mut Box::pin(writer.shutdown()))),
            IOErrorEnum::Closed,
        );
        drop((reader, writer));
        drop(echo_once(context, &mut other_peer, connection.halves()));
        assert_eq!(connection.bytes_read(), 4);
    });
}

#[test]
fn a_socket_is_not_replaced_under_a_write_that_waits() {
    on_private_context(|_context| {
        let (connection, peer) = connected();
        fill(&connection, &peer);
        let other = ipv4_socket();
        let (_reader, mut writer) = connection.halves();
        let bell = Bell::new();
        let mut write = Box::pin(writer.write(b"full"));
        assert!(bell.poll(&mut write).is_pending());
        assert_fails(connection.set_socket(&other), IOErrorEnum::Pending);
        drop(write);
        connection.set_socket(&other).unwrap();
    });
}

#[test]
fn the_old_socket_closes_when_it_is_replaced_although_there_are_halves() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let halves = connection.halves();
        connection.set_socket(&ipv4_socket()).unwrap();
        while context.iteration(false) {}
        drop(halves);
        assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

#[test]
fn halves_made_before_the_connect_work_after_it() {
    on_private_context(|context| {
        let address = gio_address(echo_server());
        let connection = unconnected();
        let (mut reader, mut writer) = connection.halves();
        let (mut reader, mut writer) = run(context, async move {
            let mut buffer = [0; 4];
            assert_fails(reader.read(&mut buffer).await, IOErrorEnum::NotConnected);
            assert_fails(writer.write(b"x").await, IOErrorEnum::BrokenPipe);
            (reader, writer)
        });
        connection
            .connect(&address, gio::Cancellable::NONE)
            .unwrap();
        run(context, async move {
            let mut buffer = [0; 4];
            writer.write_all(b"ping").await.unwrap();
            let mut count = 0;
            while count < 4 {
                count += reader.read(&mut buffer[count..]).await.unwrap();
            }
            assert_eq!(&buffer, b"ping");
        });
    });
}

#[test]
fn many_halves_leave_no_descriptor_behind() {
    on_private_context(|context| {
        for _ in 0..200 {
            let (connection, mut peer) = connected_bare();
            let (mut reader, writer) = connection.halves();
            let bell = Bell::new();
            let mut buffer = [0; 1];
            assert!(
                bell.poll(&mut Box::pin(reader.read(&mut buffer)))
                    .is_pending()
            );
            drop((connection, writer));
            drop(reader);
            assert_eq!(bell.held(), 0);
            while context.iteration(false) {}
            assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
            peer.shutdown(Shutdown::Both).ok();
        }
    });
}

/// A half keeps its place among those who wait for the next time; that is no wait.
#[test]
fn a_socket_is_replaced_once_nobody_waits_wherever_that_was() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let (reader, _writer) = connection.halves();
        let busy = |connection: &SocketConnection| {
            assert_fails(connection.set_socket(&ipv4_socket()), IOErrorEnum::Pending);
        };
        let bell = Bell::new();
        let mut reader = Some(reader);
        for _ in 0..3 {
            // At home, then in another context of this thread, then with another thread: one wait all the time.
            let mut its = reader.take().unwrap();
            let mut buffer = [0; 4];
            assert!(poll_read(&bell, &mut its, &mut buffer).is_pending());
            busy(&connection);
            let second = glib::MainContext::new();
            second
                .with_thread_default(|| {
                    assert!(poll_read(&bell, &mut its, &mut buffer).is_pending());
                    busy(&connection);
                })
                .unwrap();
            drop(second);
            busy(&connection);
            // Given up elsewhere, with the half's own method, which begins anew and is dropped.
            let ringing = bell.clone();
            let back = thread::spawn(move || {
                let own = glib::MainContext::new();
                own.with_thread_default(|| {
                    let mut buffer = [0; 4];
                    assert!(
                        ringing
                            .poll(&mut Box::pin(its.read(&mut buffer)))
                            .is_pending()
                    );
                })
                .unwrap();
                its
            });
            reader = Some(back.join().unwrap());
            assert_eq!(bell.held(), 0);
        }
        let socket = connection.socket();
        connection.set_socket(&ipv4_socket()).unwrap();
        while context.iteration(false) {}
        assert!(socket.is_connected(), "somebody has it yet");
    });
}

fn poll_read(
    bell: &Arc<Bell>,
    reader: &mut ReadHalf,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let waker = Waker::from(bell.clone());
    Pin::new(reader).poll_read(&mut Context::from_waker(&waker), buffer)
}
