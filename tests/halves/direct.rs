//! The direct entry: `receive_async` and `send_async`.

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::Shutdown,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, engine, prelude::*};

use crate::{polling::*, support::*, tools::*};

over_both!(
    bytes_go_through_both_entries,
    a_callback_never_comes_before_the_return,
    a_receive_that_is_cancelled_has_read_nothing,
    a_send_that_is_cancelled_has_written_nothing,
    what_is_cancelled_beforehand_answers_so_later,
    a_send_to_a_full_peer_waits_and_writes_a_part,
    a_receive_sees_the_end_and_the_reset,
    a_close_ends_what_waits,
    an_empty_transfer_answers_at_once,
    many_receives_wait_and_each_gets_what_it_finds,
    the_stream_is_not_pending_meanwhile,
    an_operation_keeps_its_connection,
    callbacks_may_start_the_next_one_for_ever,
    priorities_decide_who_comes_first,
    a_half_under_it_is_no_hindrance,
);

/// What a receive has answered: the bytes alone.
type Received = Result<Vec<u8>, glib::Error>;

fn receive(
    connection: &SocketConnection,
    size: usize,
    cancellable: Option<&Cancellable>,
) -> Slot<Received> {
    let slot = Slot::new();
    let put = slot.put();
    connection.receive_async(
        vec![0; size],
        glib::Priority::DEFAULT,
        cancellable,
        move |_, mut buffer, result| {
            // The buffer comes back whole, whatever became of it.
            assert_eq!(buffer.len(), size);
            put(result.map(|count| {
                buffer.truncate(count);
                buffer
            }));
        },
    );
    slot
}

fn send(
    connection: &SocketConnection,
    bytes: &[u8],
    cancellable: Option<&Cancellable>,
) -> Slot<Result<usize, glib::Error>> {
    let slot = Slot::new();
    let put = slot.put();
    connection.send_async(
        glib::Bytes::from(bytes),
        glib::Priority::DEFAULT,
        cancellable,
        move |_, result| put(result),
    );
    slot
}

/// Iterates by what wakes the context alone.
fn answer<T: 'static>(context: &glib::MainContext, slot: &Slot<T>) -> T {
    until(context, || slot.is_set());
    slot.wait(context)
}

fn bytes_go_through_both_entries(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let sent = send(&connection, b"ping", Cancellable::NONE);
    assert_eq!(answer(context, &sent).unwrap(), 4);
    let mut buffer = [0; 4];
    peer.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"ping");
    let received = receive(&connection, 16, Cancellable::NONE);
    while context.iteration(false) {}
    assert!(!received.is_set());
    peer.write_all(b"pong").unwrap();
    assert_eq!(answer(context, &received).unwrap(), b"pong");
    assert_eq!(
        (connection.bytes_read(), connection.bytes_written()),
        (4, 4)
    );
}

fn a_callback_never_comes_before_the_return(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"there already").unwrap();
    let depth = Rc::new(Cell::new(0));
    let ended = Rc::new(Cell::new(0));
    for _ in 0..3 {
        depth.set(1);
        let (inside, ends) = (depth.clone(), ended.clone());
        connection.receive_async(
            vec![0; 4],
            glib::Priority::HIGH,
            Cancellable::NONE,
            move |connection, _, result| {
                assert_eq!(inside.get(), 0, "called back from within the call");
                assert_eq!(result.unwrap(), 4);
                // Nor when it is started by a callback.
                inside.set(1);
                let within = inside.clone();
                connection.send_async(
                    glib::Bytes::from_static(b"x"),
                    glib::Priority::HIGH,
                    Cancellable::NONE,
                    move |_, result| {
                        assert_eq!(within.get(), 0, "called back from within the call");
                        assert_eq!(result.unwrap(), 1);
                        ends.set(ends.get() + 1);
                    },
                );
                inside.set(0);
            },
        );
        depth.set(0);
        assert_eq!(connection.bytes_read() % 4, 0);
        let before = ended.get();
        until(context, || ended.get() > before);
    }
}

fn a_receive_that_is_cancelled_has_read_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    for round in 0..10 {
        let cancellable = Cancellable::new();
        let received = receive(&connection, 16, Some(&cancellable));
        // Before it has begun, while it waits, and when its bytes are on their way.
        if round % 3 > 0 {
            while context.iteration(false) {}
        }
        if round % 3 == 2 {
            peer.write_all(b"kept").unwrap();
            a_moment();
        }
        cancellable.cancel();
        assert!(!received.is_set(), "called back from within cancel()");
        match answer(context, &received) {
            Ok(bytes) => assert_eq!((round % 3, &bytes[..]), (2, &b"kept"[..])),
            Err(error) => {
                assert_eq!(code(&error), IOErrorEnum::Cancelled);
                if round % 3 == 2 {
                    let kept = receive(&connection, 16, Cancellable::NONE);
                    assert_eq!(answer(context, &kept).unwrap(), b"kept");
                }
            }
        }
    }
    assert_eq!(connection.bytes_read(), 3 * 4);
}

fn a_send_that_is_cancelled_has_written_nothing(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let cancellable = Cancellable::new();
    let sent = send(&connection, b"never", Some(&cancellable));
    while context.iteration(false) {}
    assert!(!sent.is_set());
    let canceller = cancellable.clone();
    thread::spawn(move || canceller.cancel()).join().unwrap();
    assert_fails(answer(context, &sent), IOErrorEnum::Cancelled);
    connection.close(Cancellable::NONE).unwrap();
    assert_eq!(read_to_end(&mut peer).len(), filled);
}

fn what_is_cancelled_beforehand_answers_so_later(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"kept").unwrap();
    a_moment();
    let cancellable = Cancellable::new();
    cancellable.cancel();
    let received = receive(&connection, 16, Some(&cancellable));
    let sent = send(&connection, b"never", Some(&cancellable));
    assert!(!received.is_set() && !sent.is_set());
    assert_fails(answer(context, &received), IOErrorEnum::Cancelled);
    assert_fails(answer(context, &sent), IOErrorEnum::Cancelled);
    let kept = receive(&connection, 16, Cancellable::NONE);
    assert_eq!(answer(context, &kept).unwrap(), b"kept");
    assert_eq!(connection.bytes_written(), 0);
    // A closed connection says so first.
    connection.close(Cancellable::NONE).unwrap();
    let received = receive(&connection, 16, Some(&cancellable));
    assert_fails(answer(context, &received), IOErrorEnum::Closed);
}

fn a_send_to_a_full_peer_waits_and_writes_a_part(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let filled = fill(&connection, &peer);
    let much = payload(8 << 20, 6);
    let sent = send(&connection, &much, Cancellable::NONE);
    while context.iteration(false) {}
    assert!(!sent.is_set());
    let mut flood = vec![0; filled];
    peer.read_exact(&mut flood).unwrap();
    let count = answer(context, &sent).unwrap();
    assert!(count > 0 && count < much.len(), "{count}");
    let mut received = vec![0; count];
    peer.read_exact(&mut received).unwrap();
    assert!(received == much[..count]);
}

fn a_receive_sees_the_end_and_the_reset(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let received = receive(&connection, 16, Cancellable::NONE);
    while context.iteration(false) {}
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(answer(context, &received).unwrap(), b"");
    until(context, || {
        connection.state() == ConnectionState::Disconnected
    });
    let (connection, peer) = make();
    let received = receive(&connection, 16, Cancellable::NONE);
    while context.iteration(false) {}
    reset(peer);
    assert_fails(answer(context, &received), IOErrorEnum::BrokenPipe);
    let sent = send(&connection, b"x", Cancellable::NONE);
    assert_fails(answer(context, &sent), IOErrorEnum::BrokenPipe);
}

fn a_close_ends_what_waits(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let received = receive(&connection, 16, Cancellable::NONE);
    let sent = send(&connection, b"full", Cancellable::NONE);
    while context.iteration(false) {}
    connection.close(Cancellable::NONE).unwrap();
    assert!(!received.is_set() && !sent.is_set());
    assert_fails(answer(context, &received), IOErrorEnum::Closed);
    assert_fails(answer(context, &sent), IOErrorEnum::Closed);
    let received = receive(&connection, 16, Cancellable::NONE);
    assert!(!received.is_set());
    assert_fails(answer(context, &received), IOErrorEnum::Closed);
}

fn an_empty_transfer_answers_at_once(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    fill(&connection, &peer);
    let waiting = receive(&connection, 4, Cancellable::NONE);
    let full = send(&connection, b"full", Cancellable::NONE);
    while context.iteration(false) {}
    let received = receive(&connection, 0, Cancellable::NONE);
    let sent = send(&connection, b"", Cancellable::NONE);
    assert_eq!(answer(context, &received).unwrap(), b"");
    assert_eq!(answer(context, &sent).unwrap(), 0);
    assert!(!waiting.is_set() && !full.is_set());
    connection.close(Cancellable::NONE).unwrap();
    assert_fails(answer(context, &waiting), IOErrorEnum::Closed);
    assert_fails(answer(context, &full), IOErrorEnum::Closed);
}

fn many_receives_wait_and_each_gets_what_it_finds(make: Make, context: &glib::MainContext) {
    const MANY: usize = 100;
    let (connection, mut peer) = make();
    let slots: Vec<_> = (0..MANY)
        .map(|_| receive(&connection, 1, Cancellable::NONE))
        .collect();
    let sends: Vec<_> = (0..MANY)
        .map(|_| send(&connection, b"x", Cancellable::NONE))
        .collect();
    while context.iteration(false) {}
    assert!(slots.iter().all(|slot| !slot.is_set()));
    let sent: Vec<u8> = (0..MANY as u8).collect();
    peer.write_all(&sent[..10]).unwrap();
    let set = |slots: &[Slot<Received>]| slots.iter().filter(|slot| slot.is_set()).count();
    until(context, || set(&slots) == 10);
    while context.iteration(false) {}
    assert_eq!(set(&slots), 10);
    peer.write_all(&sent[10..]).unwrap();
    until(context, || set(&slots) == MANY);
    let mut received: Vec<u8> = slots
        .iter()
        .flat_map(|slot| answer(context, slot).unwrap())
        .collect();
    received.sort_unstable();
    assert_eq!(received, sent);
    for sent in sends {
        assert_eq!(answer(context, &sent).unwrap(), 1);
    }
    let mut all = [0; MANY];
    peer.read_exact(&mut all).unwrap();
}

fn the_stream_is_not_pending_meanwhile(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let received = receive(&connection, 4, Cancellable::NONE);
    while context.iteration(false) {}
    assert!(!connection.input_stream().has_pending());
    assert!(!connection.has_pending());
    let sent = write(&connection.output_stream(), b"sync").unwrap();
    assert_eq!(sent, 4);
    // A socket that is in use is not replaced, though.
    assert_fails(connection.set_socket(&ipv4_socket()), IOErrorEnum::Pending);
    peer.write_all(b"here").unwrap();
    assert_eq!(answer(context, &received).unwrap(), b"here");
}

fn an_operation_keeps_its_connection(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let gone = Gone::of(&connection);
    let received = receive(&connection, 4, Cancellable::NONE);
    drop(connection);
    while context.iteration(false) {}
    assert!(!gone.is_gone());
    peer.write_all(b"here").unwrap();
    assert_eq!(answer(context, &received).unwrap(), b"here");
    while context.iteration(false) {}
    assert!(gone.is_gone());
    assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
}

fn callbacks_may_start_the_next_one_for_ever(make: Make, context: &glib::MainContext) {
    fn bounce(connection: &SocketConnection, left: Rc<Cell<u32>>) {
        connection.receive_async(
            vec![0; 8],
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |connection, buffer, result| {
                let count = result.unwrap();
                left.set(left.get() - 1);
                if left.get() == 0 {
                    return;
                }
                let back = glib::Bytes::from(&buffer[..count]);
                connection.send_async(
                    back,
                    glib::Priority::DEFAULT,
                    Cancellable::NONE,
                    move |connection, result| {
                        assert_eq!(result.unwrap(), count);
                        bounce(connection, left);
                    },
                );
            },
        );
    }
    let (one, other) = pair(make);
    let (left, right) = (Rc::new(Cell::new(1000)), Rc::new(Cell::new(1001)));
    bounce(&one, left.clone());
    bounce(&other, right.clone());
    let start = send(&one, b"ball", Cancellable::NONE);
    until(context, || left.get() == 0);
    assert_eq!(answer(context, &start).unwrap(), 4);
    assert_eq!((one.bytes_read(), other.bytes_read()), (4000, 4000));
    // The other end waits for the ball once more.
    one.close(Cancellable::NONE).unwrap();
    until(context, || right.get() == 0);
}

fn priorities_decide_who_comes_first(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    peer.write_all(b"abcde").unwrap();
    a_moment();
    let order = Rc::new(RefCell::new(Vec::new()));
    let priorities = [
        glib::Priority::LOW,
        glib::Priority::DEFAULT,
        glib::Priority::HIGH,
        glib::Priority::DEFAULT_IDLE,
        glib::Priority::DEFAULT,
    ];
    for (number, priority) in priorities.into_iter().enumerate() {
        let order = order.clone();
        connection.receive_async(
            vec![0; 1],
            priority,
            Cancellable::NONE,
            move |_, buffer, result| {
                assert_eq!(result.unwrap(), 1);
                order.borrow_mut().push((number, buffer[0]));
            },
        );
    }
    // Before all of them, in the same iteration or an earlier one.
    let log = order.clone();
    let urgent = glib::Priority::from(-101);
    drop(context.spawn_local_with_priority(urgent, async move {
        log.borrow_mut().push((99, b'-'));
    }));
    until(context, || order.borrow().len() == 6);
    assert_eq!(
        *order.borrow(),
        [
            (99, b'-'),
            (2, b'a'),
            (1, b'b'),
            (4, b'c'),
            (3, b'd'),
            (0, b'e')
        ]
    );
}

fn a_half_under_it_is_no_hindrance(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let (mut reader, _writer) = connection.halves();
    let half = engine::spawn_local(context, async move {
        let mut byte = [0];
        assert_eq!(reader.read(&mut byte).await.unwrap(), 1);
        byte[0]
    });
    let received = receive(&connection, 1, Cancellable::NONE);
    while context.iteration(false) {}
    peer.write_all(b"ab").unwrap();
    let first = value_of(context.block_on(half));
    let second = answer(context, &received).unwrap()[0];
    assert_eq!([first.min(second), first.max(second)], *b"ab");
}

#[test]
fn a_receive_times_out_and_the_next_one_works() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        fill(&connection, &peer);
        connection.socket().set_timeout(1);
        let begun = Instant::now();
        let received = receive(&connection, 4, Cancellable::NONE);
        let sent = send(&connection, b"full", Cancellable::NONE);
        assert_fails(answer(context, &received), IOErrorEnum::TimedOut);
        assert_fails(answer(context, &sent), IOErrorEnum::TimedOut);
        assert!(begun.elapsed() >= Duration::from_secs(1));
        peer.write_all(b"late").unwrap();
        let received = receive(&connection, 4, Cancellable::NONE);
        assert_eq!(answer(context, &received).unwrap(), b"late");
    });
}

#[test]
fn a_class_below_has_the_entry_by_its_parent() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let tcp: TcpConnection = connection.downcast().expect("made by the factory");
        let sent = send(tcp.upcast_ref(), b"up", Cancellable::NONE);
        assert_eq!(answer(context, &sent).unwrap(), 2);
        peer.read_exact(&mut [0; 2]).unwrap();
    });
}

#[test]
fn who_does_not_own_the_context_panics_before_anything_is_started() {
    on_default_context(|context| {
        let (connection, mut peer) = connected_bare();
        peer.write_all(b"kept").unwrap();
        a_moment();
        // Of that thread the default context is the thread-default one, and it is another's.
        let worker = on_thread(&connection, |connection| {
            let called = catch_unwind(AssertUnwindSafe(|| {
                connection.receive_async(
                    vec![0; 4],
                    glib::Priority::DEFAULT,
                    Cancellable::NONE,
                    |_, _, _| panic!("nothing was started"),
                );
            }));
            called.is_err()
        });
        assert!(worker.join().unwrap());
        assert_eq!(connection.bytes_read(), 0);
        let received = receive(&connection, 4, Cancellable::NONE);
        assert_eq!(answer(context, &received).unwrap(), b"kept");
    });
}
