//! The socket's timeout. It is in seconds, so these tests take some; what is asserted of time is
//! that something did not come too early.

use std::{
    cell::Cell,
    io::{ErrorKind, Write},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt};
use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, engine, prelude::*};

use crate::{polling::*, support::*, tools::*};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_wait_of_a_half_times_out_and_the_next_one_works() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        fill(&connection, &peer);
        connection.socket().set_timeout(1);
        let (mut reader, mut writer) = connection.halves();
        let (mut second_reader, mut second_writer) = connection.halves();
        let (mut third_reader, mut third_writer) = connection.halves();
        let begun = Instant::now();
        let (mut reader, _writer) = run(context, async move {
            let (mut buffer, mut other) = ([0; 4], [0; 4]);
            let results = futures::join!(
                reader.read(&mut buffer),
                second_reader.peek(&mut other),
                third_reader.readable(),
                writer.write(b"full"),
                second_writer.write_all(b"full"),
                third_writer.writable(),
            );
            assert_fails(results.0, IOErrorEnum::TimedOut);
            assert_fails(results.1, IOErrorEnum::TimedOut);
            assert_fails(results.2, IOErrorEnum::TimedOut);
            assert_fails(results.3, IOErrorEnum::TimedOut);
            assert_fails(results.4, IOErrorEnum::TimedOut);
            assert_fails(results.5, IOErrorEnum::TimedOut);
            (reader, writer)
        });
        assert!(begun.elapsed() >= SECOND);
        assert_eq!(connection.state(), ConnectionState::Connected);
        peer.write_all(b"late").unwrap();
        run(context, async move {
            let mut buffer = [0; 4];
            assert_eq!(reader.read(&mut buffer).await.unwrap(), 4);
        });
    });
}

#[test]
fn a_read_that_was_given_up_does_not_shorten_the_next() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1);
        let (mut reader, _writer) = connection.halves();
        let mut buffer = [0; 4];
        assert!(
            Bell::new()
                .poll(&mut Box::pin(reader.read(&mut buffer)))
                .is_pending()
        );
        thread::sleep(SECOND / 2);
        let begun = Instant::now();
        let result = run(
            context,
            async move { reader.read(&mut [0; 4]).await.map(drop) },
        );
        assert_fails(result, IOErrorEnum::TimedOut);
        assert!(begun.elapsed() >= SECOND);
    });
}

#[test]
fn a_read_by_the_trait_that_was_given_up_does_not_shorten_a_read_of_the_halfs_own() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1);
        let (mut reader, _writer) = connection.halves();
        let mut buffer = [0; 4];
        assert!(
            Bell::new()
                .poll(&mut Box::pin(AsyncReadExt::read(&mut reader, &mut buffer)))
                .is_pending()
        );
        thread::sleep(SECOND / 2);
        let begun = Instant::now();
        let result = run(
            context,
            async move { reader.read(&mut [0; 4]).await.map(drop) },
        );
        assert_fails(result, IOErrorEnum::TimedOut);
        assert!(begun.elapsed() >= SECOND);
    });
}

#[test]
fn a_timeout_set_while_nobody_waits_holds_for_the_next_wait() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (mut reader, _writer) = connection.halves();
        let bell = Bell::new();
        let mut buffer = [0; 4];
        assert!(
            bell.poll(&mut Box::pin(reader.read(&mut buffer)))
                .is_pending()
        );
        connection.socket().set_timeout(1);
        let (mut reader, result) = run(context, async move {
            let result = reader.readable().await;
            (reader, result)
        });
        assert_fails(result, IOErrorEnum::TimedOut);
        // Nor does one go on that has been taken back.
        connection.socket().set_timeout(0);
        let reading =
            engine::spawn_local(
                context,
                async move { reader.read(&mut [0; 4]).await.unwrap() },
            );
        iterate_for(context, SECOND + SECOND / 5);
        assert!(!reading.is_finished());
        peer.write_all(b"last").unwrap();
        assert_eq!(value_of(context.block_on(reading)), 4);
    });
}

#[test]
fn a_timeout_works_on_another_thread() {
    on_private_context(|_context| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1);
        let (mut reader, _writer) = connection.halves();
        let worker = on_thread_of_its_own(
            move || Box::pin(async move { reader.read(&mut [0; 4]).await.map(drop) }),
            |result| result,
        );
        assert_fails(worker.join().unwrap(), IOErrorEnum::TimedOut);
    });
}

#[test]
fn all_who_poll_the_connection_itself_time_out_and_the_next_one_works() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        fill(&connection, &peer);
        connection.socket().set_timeout(1);
        let begun = Instant::now();
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let connection = connection.clone();
                engine::spawn_local(context, async move {
                    let mut buffer = [0; 4];
                    let read = (&connection).read(&mut buffer).await;
                    let written = (&connection).write(b"full").await;
                    (read, written)
                })
            })
            .collect();
        for task in tasks {
            let (read, written) = value_of(context.block_on(task));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);
            assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        assert!(begun.elapsed() >= 2 * SECOND);
        peer.write_all(b"late").unwrap();
        let connection = connection.clone();
        run(context, async move {
            let mut buffer = [0; 4];
            assert_eq!((&connection).read(&mut buffer).await.unwrap(), 4);
        });
    });
}

/// Nobody is told when a task stops polling; its deadline must not be another one's.
#[test]
fn a_read_of_the_connection_that_was_given_up_long_ago_does_not_end_the_next_one() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1);
        let mut buffer = [0; 4];
        assert!(
            Bell::new()
                .poll(&mut Box::pin((&connection).read(&mut buffer)))
                .is_pending()
        );
        iterate_for(context, SECOND + SECOND / 5);
        let begun = Instant::now();
        let result = run(context, async move {
            (&connection).read(&mut [0; 4]).await.map(drop)
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() >= SECOND);
    });
}

#[test]
fn what_comes_in_time_does_not_time_out() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection.socket().set_timeout(2);
        let (mut reader, _writer) = connection.halves();
        let seen = Rc::new(Cell::new(0));
        let count = seen.clone();
        let task = engine::spawn_local(context, async move {
            // In all longer than the timeout, which is that of each.
            for _ in 0..4 {
                assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 1);
                count.set(count.get() + 1);
            }
        });
        for round in 0..4 {
            assert_eq!(seen.get(), round);
            iterate_for(context, SECOND * 3 / 5);
            peer.write_all(b"x").unwrap();
            until(context, || seen.get() > round);
        }
        value_of(context.block_on(task));
    });
}

#[test]
fn a_wait_that_moves_to_another_context_has_the_time_that_it_had_left() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        connection.socket().set_timeout(1);
        let (mut reader, _writer) = connection.halves();
        let (bell, mut buffer) = (Bell::new(), [0; 4]);
        let second = glib::MainContext::new();
        let mut read = Box::pin(reader.read(&mut buffer));
        assert!(bell.poll(&mut read).is_pending());
        second
            .with_thread_default(|| assert!(bell.poll(&mut read).is_pending()))
            .unwrap();
        thread::sleep(SECOND);
        assert_fails(done(bell.poll(&mut read)), IOErrorEnum::TimedOut);
        drop(read);
        assert_eq!(bell.held(), 0);
        connection.set_socket(&connection.socket()).unwrap();
        peer.write_all(b"late").unwrap();
        let read = run(context, async move { reader.read(&mut [0; 4]).await });
        assert_eq!(read.unwrap(), 4);
    });
}
