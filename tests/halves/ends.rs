//! How a connection ends, as its halves see it: by the peer, and by ourselves.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
};

use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, SocketConnection, engine, prelude::*};

use crate::{polling::*, support::*, tools::*};

over_both!(
    the_end_of_file_changes_the_state_and_writing_goes_on,
    a_reset_ends_a_waiting_read,
    a_reset_ends_a_waiting_write,
    a_close_ends_waiting_halves,
    an_asynchronous_close_ends_waiting_halves,
    a_close_ends_halves_that_wait_on_another_thread,
    after_a_close_every_operation_says_so,
    a_socket_closed_behind_our_back_ends_a_waiting_read,
);

/// A task that waits in a read, and one that waits in a write, which yield what became of it.
type Waiting = (
    engine::JoinHandle<Result<usize, glib::Error>>,
    engine::JoinHandle<Result<(), glib::Error>>,
);

fn both_wait(connection: &SocketConnection, context: &glib::MainContext) -> Waiting {
    let (mut reader, mut writer) = connection.halves();
    let reading = engine::spawn_local(context, async move { reader.read(&mut [0; 4]).await });
    let writing = engine::spawn_local(context, async move { writer.write_all(b"full").await });
    while context.iteration(false) {}
    assert!(!reading.is_finished() && !writing.is_finished());
    (reading, writing)
}

fn the_end_of_file_changes_the_state_and_writing_goes_on(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let seen = notifications(&connection);
    let (mut reader, mut writer) = connection.halves();
    let reading = engine::spawn_local(context, async move { reader.read(&mut [0; 4]).await });
    while context.iteration(false) {}
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(value_of(context.block_on(reading)).unwrap(), 0);
    until(context, || {
        connection.state() == ConnectionState::Disconnected
    });
    assert!(connection.last_error().is_none());
    run(context, async move {
        writer.write_all(b"answer").await.unwrap();
        writer.shutdown().await.unwrap();
    });
    assert_eq!(read_to_end(&mut peer), b"answer");
    until(context, || seen.borrow().iter().any(|name| name == "alive"));
}

fn a_reset_ends_a_waiting_read(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let (mut reader, mut writer) = connection.halves();
    let reading = engine::spawn_local(context, async move {
        let result = reader.read(&mut [0; 4]).await;
        (reader, result)
    });
    while context.iteration(false) {}
    reset(peer);
    let (mut reader, result) = value_of(context.block_on(reading));
    assert_fails(result, IOErrorEnum::BrokenPipe);
    assert_eq!(connection.state(), ConnectionState::Disconnected);
    let error = connection.last_error().expect("a reset is an error");
    assert_eq!(code(&error), IOErrorEnum::BrokenPipe);
    run(context, async move {
        // The error has been collected; what is left is the end.
        assert_eq!(reader.read(&mut [0; 4]).await.unwrap(), 0);
        assert_fails(writer.write(b"x").await, IOErrorEnum::BrokenPipe);
    });
}

fn a_reset_ends_a_waiting_write(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let (_reader, mut writer) = connection.halves();
    let writing = engine::spawn_local(context, async move { writer.write_all(b"full").await });
    while context.iteration(false) {}
    assert!(!writing.is_finished());
    reset(peer);
    let result = value_of(context.block_on(writing));
    assert_fails(result, IOErrorEnum::BrokenPipe);
    assert_eq!(connection.state(), ConnectionState::Disconnected);
}

fn a_close_ends_waiting_halves(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let (reading, writing) = both_wait(&connection, context);
    connection.close(gio::Cancellable::NONE).unwrap();
    assert_fails(value_of(context.block_on(reading)), IOErrorEnum::Closed);
    assert_fails(value_of(context.block_on(writing)), IOErrorEnum::Closed);
}

fn an_asynchronous_close_ends_waiting_halves(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let (reading, writing) = both_wait(&connection, context);
    let close = connection.close_future(glib::Priority::DEFAULT);
    context.block_on(close).unwrap();
    assert_fails(value_of(context.block_on(reading)), IOErrorEnum::Closed);
    assert_fails(value_of(context.block_on(writing)), IOErrorEnum::Closed);
}

fn a_close_ends_halves_that_wait_on_another_thread(make: Make, _context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let (mut reader, mut writer) = connection.halves();
    let (waits, waiting) = std::sync::mpsc::channel();
    let worker = on_thread_of_its_own(
        move || {
            Box::pin(async move {
                let mut buffer = [0; 4];
                let tell = async move {
                    yield_now().await;
                    waits.send(()).unwrap();
                };
                futures::join!(reader.read(&mut buffer), writer.write_all(b"full"), tell)
            })
        },
        |(read, written, ())| (read, written),
    );
    waiting.recv().unwrap();
    a_moment();
    connection.close(gio::Cancellable::NONE).unwrap();
    let (read, written) = worker.join().unwrap();
    assert_fails(read, IOErrorEnum::Closed);
    assert_fails(written, IOErrorEnum::Closed);
}

fn after_a_close_every_operation_says_so(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, mut writer) = connection.halves();
    peer.write_all(b"never read").unwrap();
    thread::yield_now();
    connection.close(gio::Cancellable::NONE).unwrap();
    run(context, async move {
        let mut buffer = [0; 4];
        assert_fails(reader.read(&mut buffer).await, IOErrorEnum::Closed);
        assert_fails(reader.peek(&mut buffer).await, IOErrorEnum::Closed);
        assert_fails(reader.read_vectored(&mut []).await, IOErrorEnum::Closed);
        assert_fails(reader.readable().await, IOErrorEnum::Closed);
        assert_fails(writer.write(b"x").await, IOErrorEnum::Closed);
        assert_fails(writer.write_vectored(&[]).await, IOErrorEnum::Closed);
        assert_fails(writer.write_all(b"x").await, IOErrorEnum::Closed);
        assert_fails(writer.writable().await, IOErrorEnum::Closed);
        assert_fails(writer.shutdown().await, IOErrorEnum::Closed);
    });
    // Nor has anything been sent.
    let ended = peer.read(&mut [0; 4]);
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

/// By whoever has the `GSocket`; it is found out by looking now and then.
fn a_socket_closed_behind_our_back_ends_a_waiting_read(make: Make, context: &glib::MainContext) {
    let (connection, _peer) = make();
    let socket = connection.socket();
    let (mut reader, _writer) = connection.halves();
    let reading = engine::spawn_local(context, async move { reader.read(&mut [0; 4]).await });
    while context.iteration(false) {}
    socket.close().unwrap();
    assert_fails(value_of(context.block_on(reading)), IOErrorEnum::Closed);
}
