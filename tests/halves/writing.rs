//! What a writing half writes.

use std::{
    io::{IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use gsock::{ConnectionState, prelude::*};

use crate::{polling::*, support::*, tools::*};

over_both!(
    all_of_much_is_written_to_a_slow_peer,
    a_full_peer_makes_a_write_wait_and_then_takes_a_part,
    a_vectored_write_takes_from_all_buffers,
    a_vectored_write_takes_as_many_buffers_as_the_system_does,
    writable_waits_for_room,
    nothing_is_written_without_a_wait,
    a_shutdown_ends_what_the_peer_reads_and_nothing_else,
    both_directions_wait_at_once,
);

/// Reads exactly so much.
fn drain(peer: &mut TcpStream, count: usize) -> Checksum {
    let mut buffer = vec![0; 64 * 1024];
    let (mut left, mut seen) = (count, Checksum::EMPTY);
    while left > 0 {
        let most = left.min(buffer.len());
        let count = peer.read(&mut buffer[..most]).unwrap();
        assert_ne!(count, 0, "the end comes too early");
        seen = seen.and(&buffer[..count]);
        left -= count;
    }
    seen
}

fn all_of_much_is_written_to_a_slow_peer(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (_reader, mut writer) = connection.halves();
    let sent = payload(4 << 20, 11);
    let (size, expected) = (sent.len(), Checksum::of(&sent));
    let peer = thread::spawn(move || {
        let seen = drain(&mut peer, size);
        (seen, peer)
    });
    run(context, async move {
        writer.write_all(&sent).await.unwrap();
        writer.write_all(&[]).await.unwrap();
    });
    let (seen, _peer) = peer.join().unwrap();
    assert_eq!(seen, expected);
    assert_eq!(connection.bytes_written(), size as u64);
}

fn a_full_peer_makes_a_write_wait_and_then_takes_a_part(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (_reader, mut writer) = connection.halves();
    let much = payload(8 << 20, 5);
    let bell = Bell::new();
    let mut write = Box::pin(writer.write(&much));
    assert!(bell.poll(&mut write).is_pending());
    while context.iteration(false) {}
    // Whoever is woken for nothing finds no room.
    assert!(bell.poll(&mut write).is_pending());
    drain(&mut peer, filled);
    until(context, || bell.rung() > 0);
    let count = run_on(context, &bell, &mut write);
    drop(write);
    assert!(count > 0 && count < much.len(), "{count}");
    assert_eq!(connection.bytes_written(), (filled + count) as u64);
    assert_eq!(drain(&mut peer, count), Checksum::of(&much[..count]));
}

/// Polls until the end, when it has been woken.
fn run_on(
    context: &glib::MainContext,
    bell: &std::sync::Arc<Bell>,
    future: &mut std::pin::Pin<Box<impl Future<Output = Result<usize, glib::Error>>>>,
) -> usize {
    loop {
        let rung = bell.rung();
        match bell.poll(future) {
            std::task::Poll::Ready(result) => return result.unwrap(),
            std::task::Poll::Pending => until(context, || bell.rung() > rung),
        }
    }
}

fn a_vectored_write_takes_from_all_buffers(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (_reader, mut writer) = connection.halves();
    let count = run(context, async move {
        let buffers = [
            IoSlice::new(b"one "),
            IoSlice::new(b""),
            IoSlice::new(b"two "),
            IoSlice::new(b"three"),
        ];
        writer.write_vectored(&buffers).await.unwrap()
    });
    assert_eq!(count, 13);
    let mut received = [0; 13];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"one two three");
    assert_eq!(connection.bytes_written(), 13);
}

fn a_vectored_write_takes_as_many_buffers_as_the_system_does(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (_reader, mut writer) = connection.halves();
    let sent = payload(3000, 9);
    let expected = sent.clone();
    run(context, async move {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let buffers: Vec<_> = rest.chunks(1).map(IoSlice::new).collect();
            let count = writer.write_vectored(&buffers).await.unwrap();
            assert!(count > 0);
            rest = &rest[count..];
        }
    });
    let mut received = vec![0; 3000];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, expected);
}

fn writable_waits_for_room(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (_reader, mut writer) = connection.halves();
    let bell = Bell::new();
    done(bell.poll(&mut Box::pin(writer.writable()))).unwrap();
    let filled = fill(&connection, &peer);
    let mut writable = Box::pin(writer.writable());
    assert!(bell.poll(&mut writable).is_pending());
    drain(&mut peer, filled);
    until(context, || bell.rung() > 0);
    drop(writable);
    let (_, mut writer) = connection.halves();
    run(context, async move {
        writer.writable().await.unwrap();
        assert_eq!(writer.write(b"room").await.unwrap(), 4);
    });
    drain(&mut peer, 4);
}

fn nothing_is_written_without_a_wait(make: Make, _context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let (_reader, mut writer) = connection.halves();
    let bell = Bell::new();
    assert!(bell.poll(&mut Box::pin(writer.write(b"full"))).is_pending());
    assert_eq!(
        done(bell.poll(&mut Box::pin(writer.write(&[])))).unwrap(),
        0
    );
    assert_eq!(
        done(bell.poll(&mut Box::pin(writer.write_vectored(&[])))).unwrap(),
        0
    );
    done(bell.poll(&mut Box::pin(writer.write_all(&[])))).unwrap();
}

fn a_shutdown_ends_what_the_peer_reads_and_nothing_else(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, mut writer) = connection.halves();
    let mut writer = run(context, async move {
        writer.write_all(b"last words").await.unwrap();
        writer.shutdown().await.unwrap();
        writer
    });
    assert_eq!(read_to_end(&mut peer), b"last words");
    assert_eq!(connection.state(), ConnectionState::Connected);
    peer.write_all(b"still here").unwrap();
    run(context, async move {
        let mut buffer = [0; 16];
        let count = reader.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"still here");
        assert_fails(writer.write(b"x").await, gio::IOErrorEnum::BrokenPipe);
        assert_fails(writer.write_all(b"x").await, gio::IOErrorEnum::BrokenPipe);
        // An error to collect.
        writer.writable().await.unwrap();
    });
    assert_eq!(connection.bytes_written(), 10);
    peer.shutdown(Shutdown::Write).unwrap();
}

fn both_directions_wait_at_once(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let (mut reader, mut writer) = connection.halves();
    let writing = gsock::engine::spawn_local(context, async move {
        writer.write_all(b"after the flood").await.unwrap();
        writer
    });
    let reading = gsock::engine::spawn_local(context, async move {
        let mut buffer = [0; 8];
        let count = reader.read(&mut buffer).await.unwrap();
        (buffer, count)
    });
    while context.iteration(false) {}
    assert!(!writing.is_finished() && !reading.is_finished());
    peer.write_all(b"in").unwrap();
    let (buffer, count) = value_of(context.block_on(reading));
    assert_eq!(&buffer[..count], b"in");
    assert!(!writing.is_finished());
    let peer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1));
        drain(&mut peer, filled);
        drain(&mut peer, 15)
    });
    let _writer = value_of(context.block_on(writing));
    assert_eq!(peer.join().unwrap(), Checksum::of(b"after the flood"));
}
