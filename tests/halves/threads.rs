//! Halves on other threads than the connection's own.

use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    rc::Rc,
    sync::mpsc,
    task::Poll,
    thread,
};

use futures::{AsyncReadExt, AsyncWriteExt};
use gio::{IOErrorEnum, prelude::*};
use gsock::{SocketConnection, engine, prelude::*};

use crate::{polling::*, support::*, tools::*};

/// What a user interface would bind a counter to.
mod gauge {
    use std::cell::Cell;

    use glib::{Properties, prelude::*, subclass::prelude::*};

    #[derive(Default, Properties)]
    #[properties(wrapper_type = super::Gauge)]
    pub struct Imp {
        #[property(get, set)]
        read: Cell<u64>,
        #[property(get, set)]
        written: Cell<u64>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Imp {
        const NAME: &'static str = "HalvesGauge";
        type Type = super::Gauge;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Imp {}
}

glib::wrapper! {
    pub struct Gauge(ObjectSubclass<gauge::Imp>);
}

over_both!(
    a_worker_reads_and_writes_and_a_binding_at_home_shows_it,
    each_half_has_a_thread_of_its_own,
    a_thread_without_a_context_can_do_what_need_not_wait,
    a_half_goes_from_thread_to_thread_between_two_reads,
    a_half_outlives_the_context_that_it_waited_in,
    a_half_that_waits_goes_with_its_context,
    a_half_moves_between_two_contexts_of_one_thread,
);

fn a_worker_reads_and_writes_and_a_binding_at_home_shows_it(
    make: Make,
    context: &glib::MainContext,
) {
    const ROUNDS: u64 = 50;
    let (connection, mut peer) = make();
    let gauge: Gauge = glib::Object::new();
    for (counter, shown) in [("bytes-read", "read"), ("bytes-written", "written")] {
        connection.bind_property(counter, &gauge, shown).build();
    }
    let (home, notified) = (thread::current().id(), Rc::new(std::cell::Cell::new(0)));
    let count = notified.clone();
    connection.connect_bytes_read_notify(move |_| {
        assert_eq!(thread::current().id(), home);
        count.set(count.get() + 1);
    });
    let (mut reader, mut writer) = connection.halves();
    let worker = on_thread_of_its_own(
        move || {
            Box::pin(async move {
                let mut buffer = [0; 3];
                for _ in 0..ROUNDS {
                    let mut count = 0;
                    while count < 3 {
                        count += reader.read(&mut buffer[count..]).await.unwrap();
                    }
                    writer.write_all(&buffer[..2]).await.unwrap();
                }
                (reader, writer)
            })
        },
        |halves| halves,
    );
    let peer = thread::spawn(move || {
        let mut buffer = [0; 2];
        for _ in 0..ROUNDS {
            peer.write_all(b"abc").unwrap();
            peer.read_exact(&mut buffer).unwrap();
            assert_eq!(&buffer, b"ab");
        }
        peer
    });
    // By the notifications alone.
    until(context, || {
        gauge.read() == 3 * ROUNDS && gauge.written() == 2 * ROUNDS
    });
    assert!(notified.get() > 0);
    drop(worker.join().unwrap());
    drop(peer.join().unwrap());
}

fn each_half_has_a_thread_of_its_own(make: Make, _context: &glib::MainContext) {
    let (connection, peer) = make();
    let sent = payload(2 << 20, 21);
    let (size, expected) = (sent.len(), Checksum::of(&sent));
    let (mut reader, mut writer) = connection.halves();
    let (mut input, mut output) = (peer.try_clone().unwrap(), peer);
    let echo = thread::spawn(move || {
        std::io::copy(&mut input, &mut output).unwrap();
        output.shutdown(Shutdown::Write).unwrap();
    });
    let writing = on_thread_of_its_own(
        move || {
            Box::pin(async move {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await.unwrap();
            })
        },
        |()| (),
    );
    let reading = on_thread_of_its_own(
        move || {
            Box::pin(async move {
                let mut buffer = vec![0; 50_000];
                let mut seen = Checksum::EMPTY;
                loop {
                    match reader.read(&mut buffer).await.unwrap() {
                        0 => return seen,
                        count => seen = seen.and(&buffer[..count]),
                    }
                }
            })
        },
        |seen| seen,
    );
    writing.join().unwrap();
    assert_eq!(reading.join().unwrap(), expected);
    echo.join().unwrap();
    assert_eq!(connection.bytes_read(), size as u64);
    assert_eq!(connection.bytes_written(), size as u64);
}

fn a_thread_without_a_context_can_do_what_need_not_wait(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    fill(&connection, &peer);
    let (mut reader, mut writer) = connection.halves();
    let other = connection.halves();
    let (mut reader, _writer) = thread::spawn(move || {
        let bell = Bell::new();
        let mut buffer = [0; 4];
        for _ in 0..2 {
            let read = done(bell.poll(&mut Box::pin(reader.read(&mut buffer))));
            assert_fails(read, IOErrorEnum::NotSupported);
            let peeked = done(bell.poll(&mut Box::pin(reader.peek(&mut buffer))));
            assert_fails(peeked, IOErrorEnum::NotSupported);
            let readable = done(bell.poll(&mut Box::pin(reader.readable())));
            assert_fails(readable, IOErrorEnum::NotSupported);
            let written = done(bell.poll(&mut Box::pin(writer.write(b"full"))));
            assert_fails(written, IOErrorEnum::NotSupported);
            let writable = done(bell.poll(&mut Box::pin(writer.writable())));
            assert_fails(writable, IOErrorEnum::NotSupported);
        }
        let (mut by_trait, mut into_trait) = other;
        let read = done(bell.poll(&mut Box::pin(AsyncReadExt::read(
            &mut by_trait,
            &mut buffer,
        ))));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Unsupported);
        let written = done(bell.poll(&mut Box::pin(AsyncWriteExt::write(
            &mut into_trait,
            b"full",
        ))));
        assert_eq!(written.unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(bell.held(), 0);
        (reader, writer)
    })
    .join()
    .unwrap();
    // Nothing has been lost or left behind: the same halves work at home.
    peer.write_all(b"here").unwrap();
    run(context, async move {
        let mut buffer = [0; 4];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 4);
        assert_eq!(&buffer, b"here");
    });
}

fn a_half_goes_from_thread_to_thread_between_two_reads(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    for round in 0..20_u8 {
        // At home first: in vain, so that home's engine waits for it.
        let mut buffer = [0; 1];
        assert!(
            Bell::new()
                .poll(&mut Box::pin(reader.read(&mut buffer)))
                .is_pending()
        );
        let (ready, go) = mpsc::channel();
        let worker = on_thread_of_its_own(
            move || {
                Box::pin(async move {
                    ready.send(()).unwrap();
                    let mut buffer = [0; 1];
                    assert_eq!(reader.read(&mut buffer).await.unwrap(), 1);
                    (reader, buffer[0])
                })
            },
            |read| read,
        );
        go.recv().unwrap();
        peer.write_all(&[round]).unwrap();
        let (back, byte) = worker.join().unwrap();
        assert_eq!(byte, round);
        peer.write_all(&[round, round]).unwrap();
        reader = run(context, async move {
            let mut back = back;
            let mut buffer = [0; 2];
            let mut count = 0;
            while count < 2 {
                count += back.read(&mut buffer[count..]).await.unwrap();
            }
            assert_eq!(buffer, [round, round]);
            back
        });
    }
    assert_eq!(connection.bytes_read(), 60);
}

fn a_half_outlives_the_context_that_it_waited_in(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let bell = Bell::new();
    {
        let brief = glib::MainContext::new();
        brief
            .with_thread_default(|| {
                let mut buffer = [0; 4];
                let mut read = Box::pin(reader.read(&mut buffer));
                assert!(bell.poll(&mut read).is_pending());
                while brief.iteration(false) {}
            })
            .unwrap();
    }
    assert_eq!(bell.held(), 0);
    peer.write_all(b"more").unwrap();
    run(context, async move {
        let mut buffer = [0; 4];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 4);
    });
}

/// Its task is dropped with the context, and with it the half.
fn a_half_that_waits_goes_with_its_context(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, writer) = connection.halves();
    let brief = glib::MainContext::new();
    let task = engine::spawn_local(&brief, async move {
        let _writer = writer;
        reader.read(&mut [0; 4]).await
    });
    brief
        .with_thread_default(|| while brief.iteration(false) {})
        .unwrap();
    drop(connection);
    drop(brief);
    assert!(task.is_finished());
    assert!(context.block_on(task).unwrap_err().is_aborted());
    assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
}

fn a_half_moves_between_two_contexts_of_one_thread(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let second = glib::MainContext::new();
    let bell = Bell::new();
    let mut buffer = [0; 4];
    let mut read = Box::pin(reader.read(&mut buffer));
    // One future, polled here and there: who polls it last has it.
    assert!(bell.poll(&mut read).is_pending());
    second
        .with_thread_default(|| {
            assert!(bell.poll(&mut read).is_pending());
            peer.write_all(b"here").unwrap();
            until(&second, || bell.rung() > 0);
        })
        .unwrap();
    // Home's engine has not looked at the socket yet: it may say so once it has.
    loop {
        let rung = bell.rung();
        match bell.poll(&mut read) {
            Poll::Ready(count) => break assert_eq!(count.unwrap(), 4),
            Poll::Pending => until(context, || bell.rung() > rung),
        }
    }
    drop(read);
    assert_eq!(&buffer, b"here");
    while context.iteration(false) {}
    let mut read = Box::pin(reader.read(&mut buffer));
    assert!(bell.poll(&mut read).is_pending());
    let rung = bell.rung();
    peer.write_all(b"home").unwrap();
    until(context, || bell.rung() > rung);
    assert_eq!(done(bell.poll(&mut read)).unwrap(), 4);
}

/// It would wait there for whoever runs that context, if anybody does.
#[test]
fn a_wait_does_not_move_to_a_context_that_its_thread_does_not_own() {
    within(LIMIT, || {
        // Its home is the default context, which watches the peer from the beginning.
        let (connection, mut peer) = connected_bare();
        let (mut reader, _writer) = connection.halves();
        let (bell, mut buffer) = (Bell::new(), [0; 4]);
        let owned = glib::MainContext::new();
        let mut read = Box::pin(reader.read(&mut buffer));
        owned
            .with_thread_default(|| assert!(bell.poll(&mut read).is_pending()))
            .unwrap();
        assert_fails(done(bell.poll(&mut read)), IOErrorEnum::NotSupported);
        drop(read);
        // Nobody waits any more, anywhere; and the next read works where there is an owner.
        assert_eq!(bell.held(), 0);
        peer.write_all(b"next").unwrap();
        let read = owned
            .with_thread_default(|| owned.block_on(reader.read(&mut buffer)))
            .unwrap();
        assert_eq!(read.unwrap(), 4);
    });
}

/// Whoever waits with what a half has kept from before learns of it, on whatever thread.
#[test]
fn a_close_at_any_moment_ends_halves_that_go_from_thread_to_thread() {
    on_private_context(|_context| {
        for round in 0..60_u64 {
            let (connection, mut peer) = connected_bare();
            let (reader, writer) = connection.halves();
            let worker = thread::spawn(move || {
                let (mut reader, mut writer) = (reader, writer);
                for _ in 0..10_000 {
                    let moved = thread::spawn(move || {
                        let context = glib::MainContext::new();
                        let echoed = context
                            .with_thread_default(|| {
                                context.block_on(async {
                                    let mut byte = [0; 1];
                                    let count = reader.read(&mut byte).await?;
                                    writer.write_all(&byte[..count]).await?;
                                    Ok::<_, glib::Error>(count)
                                })
                            })
                            .unwrap();
                        (reader, writer, echoed)
                    });
                    let echoed;
                    (reader, writer, echoed) = moved.join().unwrap();
                    match echoed {
                        Ok(1..) => {}
                        Ok(_) => return,
                        Err(failure) => {
                            assert!(
                                failure.matches(IOErrorEnum::Closed)
                                    || failure.matches(IOErrorEnum::BrokenPipe),
                                "{failure}"
                            );
                            return;
                        }
                    }
                }
            });
            for _ in 0..round % 7 {
                peer.write_all(b"x").unwrap();
                assert_eq!(peer.read(&mut [0; 1]).unwrap(), 1);
            }
            if round % 3 == 0 {
                peer.write_all(b"x").unwrap();
            }
            for _ in 0..round * 50 {
                std::hint::spin_loop();
            }
            connection.close(gio::Cancellable::NONE).unwrap();
            worker.join().unwrap();
        }
    });
}

/// Nobody would ever wake who waits there.
#[test]
fn a_connection_that_is_polled_where_no_context_is_owned_says_so_when_it_would_wait() {
    on_private_context(|_| {
        let polled = thread::spawn(|| {
            let (_peer, fd) = tcp_pair();
            let connection = SocketConnection::factory_create_connection_from_fd(fd).unwrap();
            let bell = Bell::new();
            let mut buffer = [0; 4];
            for _ in 0..2 {
                let mut reader = &connection;
                let read = done(bell.poll(&mut Box::pin(reader.read(&mut buffer))));
                assert_eq!(read.unwrap_err().kind(), ErrorKind::Unsupported);
            }
            // It keeps nobody's waker.
            bell.held()
        });
        assert_eq!(polled.join().unwrap(), 0);
    });
}
