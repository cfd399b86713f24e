//! Our futures in other executors, and other futures in our tasks.

use std::{cell::Cell, io::Write, rc::Rc, time::Duration};

use futures::{
    AsyncReadExt, AsyncWriteExt,
    executor::LocalPool,
    task::{LocalSpawnExt, noop_waker_ref},
};
use gio::prelude::*;
use gsock::{ReadHalf, SocketConnection, WriteHalf, engine, prelude::*};

use crate::{polling::*, support::*, tools::*};

over_both!(
    halves_work_in_tasks_of_glib,
    halves_work_in_a_pool_whose_thread_iterates_the_context,
    halves_work_in_a_future_that_glib_blocks_on,
    futures_of_gio_work_in_our_tasks,
    our_futures_work_in_our_tasks,
);

async fn serve(mut halves: (ReadHalf, WriteHalf)) -> usize {
    let (mut buffer, mut count) = ([0; 300], 0);
    loop {
        match halves.0.read(&mut buffer).await.unwrap() {
            0 => break,
            some => {
                count += some;
                halves.1.write_all(&buffer[..some]).await.unwrap();
            }
        }
    }
    halves.1.shutdown().await.unwrap();
    count
}

async fn ask(connection: SocketConnection, rounds: usize) -> usize {
    let mut stream = &connection;
    let mut count = 0;
    for round in 0..rounds {
        let sent = payload(1 + round * 7 % 250, round as u64 + 1);
        stream.write_all(&sent).await.unwrap();
        let mut received = vec![0; sent.len()];
        stream.read_exact(&mut received).await.unwrap();
        assert!(received == sent);
        count += sent.len();
    }
    // By its full name: gio's close comes first, and closes the connection.
    AsyncWriteExt::close(&mut stream).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    count
}

fn halves_work_in_tasks_of_glib(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let server = context.spawn_local(serve(other.halves()));
    let client = context.spawn_local_with_priority(glib::Priority::LOW, ask(one, 100));
    let asked = context.block_on(client).unwrap();
    assert_eq!(context.block_on(server).unwrap(), asked);
}

fn halves_work_in_a_pool_whose_thread_iterates_the_context(
    make: Make,
    context: &glib::MainContext,
) {
    let (one, other) = pair(make);
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    let (counts, ended) = (Rc::new(Cell::new((0, 0))), Rc::new(Cell::new(0)));
    let (served, asked) = (counts.clone(), counts.clone());
    let (server_ended, client_ended) = (ended.clone(), ended.clone());
    let halves = other.halves();
    spawner
        .spawn_local(async move {
            let count = serve(halves).await;
            served.set((count, served.get().1));
            server_ended.set(server_ended.get() + 1);
        })
        .unwrap();
    spawner
        .spawn_local(async move {
            let count = ask(one, 100).await;
            asked.set((asked.get().0, count));
            client_ended.set(client_ended.get() + 1);
        })
        .unwrap();
    // The pool first: what it waits for is for the context to find.
    loop {
        pool.run_until_stalled();
        if ended.get() == 2 {
            break;
        }
        context.iteration(true);
    }
    let (served, asked) = counts.get();
    assert!(served > 0);
    assert_eq!(served, asked);
}

fn halves_work_in_a_future_that_glib_blocks_on(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let halves = other.halves();
    let (served, asked) =
        context.block_on(async move { futures::join!(serve(halves), ask(one, 50)) });
    assert_eq!(served, asked);
}

fn futures_of_gio_work_in_our_tasks(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let task = engine::spawn_local(context, async move {
        glib::timeout_future(Duration::from_millis(1)).await;
        let input = connection.input_stream();
        let (buffer, count) = input
            .read_future(vec![0; 16], glib::Priority::DEFAULT)
            .await
            .map_err(|(_, error)| error)
            .unwrap();
        let output = connection.output_stream();
        let (_, written, error) = output
            .write_all_future(buffer[..count].to_vec(), glib::Priority::DEFAULT)
            .await
            .map_err(|(_, error)| error)
            .unwrap();
        assert!(error.is_none());
        connection
            .close_future(glib::Priority::DEFAULT)
            .await
            .unwrap();
        written
    });
    peer.write_all(b"gio").unwrap();
    assert_eq!(value_of(context.block_on(task)), 3);
    assert_eq!(read_to_end(&mut peer), b"gio");
}

fn our_futures_work_in_our_tasks(_make: Make, context: &glib::MainContext) {
    let address = gio_address(echo_server());
    let task = engine::spawn_local(context, async move {
        let connection = unconnected();
        connection.connect_future(&address).await.unwrap();
        ask(connection, 10).await
    });
    assert!(value_of(context.block_on(task)) > 0);
}

/// Whoever polls with a waker that does nothing looks again when it likes.
#[test]
fn a_future_may_be_polled_without_ever_being_woken() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (mut reader, _writer) = connection.halves();
        let mut buffer = [0; 4];
        let mut read = Box::pin(reader.read(&mut buffer));
        let mut cx = std::task::Context::from_waker(noop_waker_ref());
        assert!(read.as_mut().poll(&mut cx).is_pending());
        peer.write_all(b"some").unwrap();
        iterate_until(context, || {
            matches!(read.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(4)))
        });
    });
}

/// A pool may be run from within a task; it is not ours to forbid.
#[test]
fn two_pools_and_an_engine_share_a_thread() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (mut reader, _writer) = connection.halves();
        let (mut second, _) = connection.halves();
        let (mut one, mut two) = (LocalPool::new(), LocalPool::new());
        let count = Rc::new(Cell::new(0));
        let (first_count, second_count) = (count.clone(), count.clone());
        one.spawner()
            .spawn_local(async move {
                assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 1);
                first_count.set(first_count.get() + 1);
            })
            .unwrap();
        two.spawner()
            .spawn_local(async move {
                assert_eq!(second.read(&mut [0; 1]).await.unwrap(), 1);
                second_count.set(second_count.get() + 1);
            })
            .unwrap();
        one.run_until_stalled();
        two.run_until_stalled();
        let task = engine::spawn_local(context, async move {
            let mut stream = &connection;
            stream.read_exact(&mut [0; 1]).await.unwrap();
        });
        while context.iteration(false) {}
        peer.write_all(b"abc").unwrap();
        until(context, || {
            one.run_until_stalled();
            two.run_until_stalled();
            count.get() == 2 && task.is_finished()
        });
    });
}

/// More of them than the engine asks for at once: those run that were woken, and none of its own.
#[test]
fn tasks_of_glib_that_are_woken_together_run_in_one_iteration() {
    const MANY: usize = 140;
    on_private_context(|context| {
        let (connections, mut peers): (Vec<_>, Vec<_>) =
            (0..MANY).map(|_| connected_bare()).unzip();
        let done = Rc::new(Cell::new(0));
        for connection in &connections {
            let ((mut reader, _), done) = (connection.halves(), done.clone());
            context.spawn_local(async move {
                assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 1);
                done.set(done.get() + 1);
            });
        }
        while context.iteration(false) {}
        for (peer, connection) in peers.iter_mut().zip(&connections) {
            peer.write_all(b"1").unwrap();
            wait_readable(connection);
        }
        assert_eq!(done.get(), 0);
        context.iteration(false);
        assert_eq!(done.get(), MANY);
    });
}
