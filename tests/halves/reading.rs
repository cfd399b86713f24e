//! What a reading half reads.

use std::{
    io::{IoSliceMut, Write},
    net::Shutdown,
    thread,
};

use gsock::{SocketConnection, prelude::*};

use crate::{polling::*, tools::*};

over_both!(
    a_read_waits_for_what_the_peer_sends,
    a_read_takes_what_there_is_and_leaves_what_does_not_fit,
    a_vectored_read_fills_one_buffer_after_the_other,
    a_vectored_read_takes_more_buffers_than_the_system_does,
    a_peek_takes_nothing,
    readable_takes_nothing_and_says_so_as_often_as_it_is_asked,
    an_empty_buffer_is_read_into_without_a_wait,
    what_was_sent_before_the_end_comes_before_it,
    one_wait_after_another_is_woken,
);

fn a_read_waits_for_what_the_peer_sends(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let mut buffer = [0; 16];
    let bell = Bell::new();
    let mut read = Box::pin(reader.read(&mut buffer));
    assert!(bell.poll(&mut read).is_pending());
    while context.iteration(false) {}
    assert_eq!(bell.rung(), 0);
    peer.write_all(b"late").unwrap();
    until(context, || bell.rung() > 0);
    assert_eq!(done(bell.poll(&mut read)).unwrap(), 4);
    drop(read);
    assert_eq!(&buffer[..4], b"late");
    assert_eq!(connection.bytes_read(), 4);
}

fn a_read_takes_what_there_is_and_leaves_what_does_not_fit(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    peer.write_all(b"0123456789").unwrap();
    run(context, async move {
        let mut buffer = [0; 4];
        let mut seen = Vec::new();
        for expected in [4, 4, 2] {
            let count = reader.read(&mut buffer).await.unwrap();
            assert_eq!(count, expected);
            seen.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(seen, b"0123456789");
    });
    assert_eq!(connection.bytes_read(), 10);
}

fn a_vectored_read_fills_one_buffer_after_the_other(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let task = gsock::engine::spawn_local(context, async move {
        let (mut one, mut two, mut three) = ([0; 3], [0; 0], [0; 8]);
        let mut buffers = [
            IoSliceMut::new(&mut one),
            IoSliceMut::new(&mut two),
            IoSliceMut::new(&mut three),
        ];
        let count = reader.read_vectored(&mut buffers).await.unwrap();
        (count, one, three)
    });
    while context.iteration(false) {}
    assert!(!task.is_finished());
    peer.write_all(b"abcdef").unwrap();
    let (count, one, three) = value_of(context.block_on(task));
    assert_eq!((count, &one), (6, b"abc"));
    assert_eq!(&three[..3], b"def");
    assert_eq!(connection.bytes_read(), 6);
}

/// Beyond IOV_MAX the system call itself would fail.
fn a_vectored_read_takes_more_buffers_than_the_system_does(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let sent = payload(3000, 7);
    peer.write_all(&sent).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let received = run(context, async move {
        let mut received = Vec::new();
        loop {
            let mut bytes = vec![0; 2000];
            let mut buffers: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
            let count = reader.read_vectored(&mut buffers).await.unwrap();
            if count == 0 {
                return received;
            }
            received.extend_from_slice(&bytes[..count]);
        }
    });
    assert_eq!(received, sent);
}

fn a_peek_takes_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let task = gsock::engine::spawn_local(context, async move {
        let mut buffer = [0; 8];
        for _ in 0..3 {
            let count = reader.peek(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..count], b"same");
        }
        // Nor does one that sees a part of it.
        assert_eq!(reader.peek(&mut buffer[..2]).await.unwrap(), 2);
        (reader, buffer)
    });
    while context.iteration(false) {}
    assert!(!task.is_finished());
    peer.write_all(b"same").unwrap();
    let (mut reader, mut buffer) = value_of(context.block_on(task));
    assert_eq!(connection.bytes_read(), 0);
    run(context, async move {
        let count = reader.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"same");
    });
    assert_eq!(connection.bytes_read(), 4);
}

fn readable_takes_nothing_and_says_so_as_often_as_it_is_asked(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let bell = Bell::new();
    let mut readable = Box::pin(reader.readable());
    assert!(bell.poll(&mut readable).is_pending());
    peer.write_all(b"x").unwrap();
    until(context, || bell.rung() > 0);
    done(bell.poll(&mut readable)).unwrap();
    drop(readable);
    run(context, async move {
        let mut buffer = [0; 4];
        for _ in 0..3 {
            reader.readable().await.unwrap();
        }
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 1);
        // Nothing is left: it waits again.
        let mut again = Box::pin(reader.readable());
        assert!(Bell::new().poll(&mut again).is_pending());
        drop(again);
        peer.shutdown(Shutdown::Write).unwrap();
        // The end is something to read.
        reader.readable().await.unwrap();
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
        reader.readable().await.unwrap();
    });
}

fn an_empty_buffer_is_read_into_without_a_wait(make: Make, _context: &glib::MainContext) {
    let (connection, _peer) = make();
    let (mut reader, _writer) = connection.halves();
    let bell = Bell::new();
    assert_eq!(
        done(bell.poll(&mut Box::pin(reader.read(&mut [])))).unwrap(),
        0
    );
    // Also once it is known that there is nothing.
    assert!(
        bell.poll(&mut Box::pin(reader.read(&mut [0; 4])))
            .is_pending()
    );
    assert_eq!(
        done(bell.poll(&mut Box::pin(reader.read(&mut [])))).unwrap(),
        0
    );
    assert_eq!(
        done(bell.poll(&mut Box::pin(reader.read_vectored(&mut [])))).unwrap(),
        0
    );
}

fn what_was_sent_before_the_end_comes_before_it(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let sent = payload(300_000, 3);
    let expected = Checksum::of(&sent);
    let peer = thread::spawn(move || {
        peer.write_all(&sent).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        peer
    });
    let seen = run(context, async move {
        let mut buffer = vec![0; 7000];
        let mut seen = Checksum::EMPTY;
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => break,
                count => seen = seen.and(&buffer[..count]),
            }
        }
        // And it stays the end.
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(reader.peek(&mut buffer).await.unwrap(), 0);
        seen
    });
    assert_eq!(seen, expected);
    assert_eq!(connection.bytes_read(), 300_000);
    drop(peer.join().unwrap());
}

/// Each byte is asked for when the one before has been answered: all of the waits are real.
fn one_wait_after_another_is_woken(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let rounds = 500;
    let echo = |connection: &SocketConnection| {
        let (mut reader, mut writer) = connection.halves();
        async move {
            let mut byte = [0];
            for _ in 0..rounds {
                assert_eq!(reader.read(&mut byte).await.unwrap(), 1);
                writer.write_all(&byte).await.unwrap();
            }
            (reader, writer)
        }
    };
    let first = gsock::engine::spawn_local(context, echo(&one));
    let second = gsock::engine::spawn_local(context, echo(&other));
    let (_, mut start) = one.halves();
    run(context, async move { start.write_all(b"!").await.unwrap() });
    value_of(context.block_on(first));
    let (mut reader, _) = value_of(context.block_on(second));
    // The byte that was put in is still there.
    run(context, async move {
        let mut byte = [0];
        assert_eq!(reader.read(&mut byte).await.unwrap(), 1);
        assert_eq!(&byte, b"!");
    });
    assert_eq!(one.bytes_read(), rounds);
    assert_eq!(other.bytes_written(), rounds);
}
