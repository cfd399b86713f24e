//! A future of a half that is dropped has moved nothing and left nothing, whenever that happens.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt,
    future::{Either, select},
    pin_mut,
};
use gio::prelude::*;
use gsock::{ReadHalf, WriteHalf, engine, prelude::*};

use crate::{polling::*, tools::*};

over_both!(
    reads_that_lose_lose_no_byte,
    writes_that_lose_write_nothing_twice,
    a_dropped_wait_leaves_no_waker,
    a_dropped_wait_with_a_timeout_leaves_no_waker,
    a_read_dropped_after_its_wake_leaves_the_bytes,
    a_new_waker_takes_the_place_of_the_old_one,
    what_was_polled_by_the_traits_leaves_no_waker,
    a_connection_polled_by_the_traits_keeps_a_waker_until_something_happens,
);

const SEEDS: [u64; 6] = [1, 2, 3, 5, 8, 13];

/// Writes `bytes` in pieces of random sizes, with pauses in between.
fn feed(mut peer: TcpStream, bytes: Vec<u8>, seed: u64) -> thread::JoinHandle<TcpStream> {
    thread::spawn(move || {
        let mut dice = Dice::new(seed);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = (1 + dice.roll(400)).min(rest.len());
            peer.write_all(&rest[..size]).unwrap();
            rest = &rest[size..];
            match dice.roll(8) {
                0 => thread::sleep(Duration::from_micros(300)),
                1..4 => thread::yield_now(),
                _ => {}
            }
        }
        peer.shutdown(Shutdown::Write).unwrap();
        peer
    })
}

/// Loses a race after a number of polls.
async fn soon(polls: usize) {
    for _ in 0..polls {
        yield_now().await;
    }
}

/// Either what `future` yields, or nothing when it has lost.
async fn against<T>(future: impl Future<Output = T>, dice: &mut Dice) -> Option<T> {
    pin_mut!(future);
    match dice.roll(3) {
        // The macro polls in an order of its own choice.
        0 => {
            let rival = soon(dice.roll(4)).fuse();
            let future = future.fuse();
            pin_mut!(rival, future);
            futures::select! {
                value = future => Some(value),
                () = rival => None,
            }
        }
        1 => {
            let rival = soon(dice.roll(3));
            pin_mut!(rival);
            match select(rival, future).await {
                Either::Left(_) => None,
                Either::Right((value, _)) => Some(value),
            }
        }
        _ => {
            let limit = Duration::from_micros(dice.roll(1500) as u64);
            glib::future_with_timeout(limit, future).await.ok()
        }
    }
}

async fn read_by_losing(mut reader: ReadHalf, seed: u64) -> (Vec<u8>, usize) {
    let mut dice = Dice::new(seed);
    let (mut received, mut lost) = (Vec::new(), 0);
    let mut peeked: Vec<u8> = Vec::new();
    loop {
        let mut buffer = vec![0; 1 + dice.roll(600)];
        let read = match dice.roll(6) {
            0 => {
                if let Some(count) = against(reader.peek(&mut buffer), &mut dice).await {
                    buffer.truncate(count.unwrap());
                    peeked = buffer;
                }
                continue;
            }
            1 => {
                if let Some(ready) = against(reader.readable(), &mut dice).await {
                    ready.unwrap();
                }
                continue;
            }
            2 => {
                let (one, two) = buffer.split_at_mut(dice.roll(2));
                let mut buffers = [std::io::IoSliceMut::new(one), std::io::IoSliceMut::new(two)];
                against(reader.read_vectored(&mut buffers), &mut dice).await
            }
            3 => {
                let read = AsyncReadExt::read(&mut reader, &mut buffer);
                let read = against(read, &mut dice).await;
                read.map(|read| Ok(read.unwrap()))
            }
            _ => against(reader.read(&mut buffer), &mut dice).await,
        };
        match read {
            None => lost += 1,
            Some(count) => {
                let count = count.unwrap();
                // What a peek has shown is what comes next.
                let same = count.min(peeked.len());
                assert_eq!(&buffer[..same], &peeked[..same]);
                peeked.drain(..same);
                if count == 0 {
                    return (received, lost);
                }
                received.extend_from_slice(&buffer[..count]);
            }
        }
    }
}

fn reads_that_lose_lose_no_byte(make: Make, context: &glib::MainContext) {
    let mut lost_in_all = 0;
    for seed in SEEDS {
        let (connection, peer) = make();
        let sent = payload(20_000, seed);
        let feeder = feed(peer, sent.clone(), seed);
        let (reader, _writer) = connection.halves();
        let (received, lost) = run(context, read_by_losing(reader, seed));
        assert!(received == sent, "bytes are missing; seed {seed}");
        lost_in_all += lost;
        assert_eq!(connection.bytes_read(), sent.len() as u64);
        drop(feeder.join().unwrap());
    }
    assert!(lost_in_all > 0, "none has lost, so nothing was tested");
}

async fn write_by_losing(mut writer: WriteHalf, bytes: Vec<u8>, seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let (mut rest, mut lost) = (&bytes[..], 0);
    while !rest.is_empty() {
        let size = (1 + dice.roll(90_000)).min(rest.len());
        let written = match dice.roll(5) {
            0 => {
                if let Some(ready) = against(writer.writable(), &mut dice).await {
                    ready.unwrap();
                }
                continue;
            }
            1 => {
                let (one, two) = rest[..size].split_at(size / 2);
                let buffers = [std::io::IoSlice::new(one), std::io::IoSlice::new(two)];
                against(writer.write_vectored(&buffers), &mut dice).await
            }
            2 => {
                let write = AsyncWriteExt::write(&mut writer, &rest[..size]);
                let written = against(write, &mut dice).await;
                written.map(|written| Ok(written.unwrap()))
            }
            _ => against(writer.write(&rest[..size]), &mut dice).await,
        };
        match written {
            None => lost += 1,
            Some(count) => rest = &rest[count.unwrap()..],
        }
    }
    writer.shutdown().await.unwrap();
    lost
}

fn writes_that_lose_write_nothing_twice(make: Make, context: &glib::MainContext) {
    let mut lost_in_all = 0;
    for seed in SEEDS {
        let (connection, mut peer) = make();
        let filled = fill(&connection, &peer);
        let sent = payload(600_000, seed);
        let expected = sent.clone();
        let (_reader, writer) = connection.halves();
        let slow = thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            let mut dice = Dice::new(seed);
            let mut received = Vec::new();
            let mut buffer = vec![0; 60_000];
            loop {
                let most = 1 + dice.roll(buffer.len());
                match peer.read(&mut buffer[..most]).unwrap() {
                    0 => return received,
                    count => received.extend_from_slice(&buffer[..count]),
                }
                if dice.roll(4) == 0 {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        });
        lost_in_all += run(context, write_by_losing(writer, sent, seed));
        let received = slow.join().unwrap();
        assert!(received[filled..] == expected, "not what was sent; {seed}");
        assert_eq!(connection.bytes_written(), received.len() as u64);
    }
    assert!(lost_in_all > 0, "none has lost, so nothing was tested");
}

/// Polls `future` once and drops it: its waker must have been kept, and be gone.
#[track_caller]
fn assert_leaves_nothing<T>(bell: &Arc<Bell>, future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    assert!(bell.poll(&mut future).is_pending());
    assert!(bell.held() > 0, "it would never be woken");
    drop(future);
    assert_eq!(bell.held(), 0, "somebody still holds the waker");
}

fn assert_no_wait_leaves_a_waker(halves: (ReadHalf, WriteHalf)) {
    let (mut reader, mut writer) = halves;
    let bell = Bell::new();
    let (mut buffer, mut other) = ([0; 4], [0; 4]);
    for _ in 0..3 {
        assert_leaves_nothing(&bell, reader.read(&mut buffer));
        assert_leaves_nothing(&bell, reader.peek(&mut buffer));
        assert_leaves_nothing(&bell, reader.readable());
        let mut buffers = [std::io::IoSliceMut::new(&mut other)];
        assert_leaves_nothing(&bell, reader.read_vectored(&mut buffers));
        assert_leaves_nothing(&bell, writer.write(b"full"));
        assert_leaves_nothing(&bell, writer.write_all(b"full"));
        assert_leaves_nothing(
            &bell,
            writer.write_vectored(&[std::io::IoSlice::new(b"full")]),
        );
        assert_leaves_nothing(&bell, writer.writable());
    }
    assert_eq!(bell.rung(), 0);
}

fn a_dropped_wait_leaves_no_waker(make: Make, _context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    assert_no_wait_leaves_a_waker(connection.halves());
}

fn a_dropped_wait_with_a_timeout_leaves_no_waker(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    connection.socket().set_timeout(5);
    assert_no_wait_leaves_a_waker(connection.halves());
    while context.iteration(false) {}
    assert_no_wait_leaves_a_waker(connection.halves());
}

fn a_read_dropped_after_its_wake_leaves_the_bytes(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let bell = Bell::new();
    let mut buffer = [0; 4];
    for round in 0..10_u8 {
        for polls in 0..3 {
            let mut read = Box::pin(reader.read(&mut buffer));
            let rung = bell.rung();
            for _ in 0..=polls {
                assert!(bell.poll(&mut read).is_pending());
            }
            if polls == 2 {
                peer.write_all(&[round]).unwrap();
                until(context, || bell.rung() > rung);
            }
        }
        assert_eq!(connection.bytes_read(), u64::from(round));
        assert_eq!(
            done(bell.poll(&mut Box::pin(reader.read(&mut buffer)))).unwrap(),
            1
        );
        assert_eq!(buffer[0], round);
    }
}

fn a_new_waker_takes_the_place_of_the_old_one(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let (old, new) = (Bell::new(), Bell::new());
    let mut buffer = [0; 4];
    let mut read = Box::pin(reader.read(&mut buffer));
    assert!(old.poll(&mut read).is_pending());
    assert!(new.poll(&mut read).is_pending());
    assert_eq!(old.held(), 0);
    peer.write_all(b"x").unwrap();
    until(context, || new.rung() > 0);
    assert_eq!(old.rung(), 0);
    assert_eq!(done(new.poll(&mut read)).unwrap(), 1);
}

/// A half cannot know that whoever polled it by a trait has gone, before it goes itself or is polled again.
fn what_was_polled_by_the_traits_leaves_no_waker(make: Make, _context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let (mut reader, mut writer) = connection.halves();
    let (old, new) = (Bell::new(), Bell::new());
    let mut buffer = [0; 4];
    for bell in [&old, &new] {
        let mut read = Box::pin(AsyncReadExt::read(&mut reader, &mut buffer));
        assert!(bell.poll(&mut read).is_pending());
        drop(read);
        let mut write = Box::pin(AsyncWriteExt::write(&mut writer, b"full"));
        assert!(bell.poll(&mut write).is_pending());
        drop(write);
    }
    assert_eq!(old.held(), 0);
    assert_eq!(new.held(), 2);
    // One of its own ends it.
    assert_leaves_nothing(&old, reader.read(&mut buffer));
    assert_eq!(new.held(), 1);
    drop(writer);
    assert_eq!(new.held(), 0);
}

/// There it is not even known which task it was.
fn a_connection_polled_by_the_traits_keeps_a_waker_until_something_happens(
    make: Make,
    context: &glib::MainContext,
) {
    let (connection, mut peer) = make();
    let mut borrowed = &connection;
    let bell = Bell::new();
    let mut buffer = [0; 4];
    for _ in 0..5 {
        let mut read = Box::pin(borrowed.read(&mut buffer));
        assert!(bell.poll(&mut read).is_pending());
    }
    // Once, however often it has asked.
    assert_eq!(bell.held(), 1);
    peer.write_all(b"x").unwrap();
    until(context, || bell.rung() > 0);
    assert_eq!((bell.rung(), bell.held()), (1, 0));
    assert_eq!(
        done(bell.poll(&mut Box::pin(borrowed.read(&mut buffer)))).unwrap(),
        1
    );
    assert!(
        bell.poll(&mut Box::pin(borrowed.read(&mut buffer)))
            .is_pending()
    );
    let task = engine::spawn_local(context, async {});
    value_of(context.block_on(task));
    assert_eq!(bell.held(), 1);
    connection.close(gio::Cancellable::NONE).unwrap();
    assert_eq!((bell.rung(), bell.held()), (2, 0));
}
