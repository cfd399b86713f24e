//! Handlers that do to the connection whatever they like while they are told of it.

use std::{
    cell::{Cell, RefCell},
    io::Read,
    rc::Rc,
    time::Duration,
};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

/// Once the peer is gone, runs `then` in the handler that is told of it.
fn when_the_peer_is_gone(
    connection: &SocketConnection,
    then: impl Fn(&SocketConnection) + 'static,
) {
    connection.connect_state_notify(move |connection| {
        if connection.state() == ConnectionState::Disconnected {
            then(connection);
        }
    });
}

#[test]
fn a_handler_may_set_another_socket() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        when_the_peer_is_gone(&connection, |connection| {
            connection
                .set_socket(&ipv4_socket())
                .expect("nothing is pending");
            assert_eq!(connection.state(), ConnectionState::Unconnected);
        });
        let told = told(&connection);
        drop(peer);
        iterate_until(context, || times(&told, "socket") == 1);
        iterate_for(context, Duration::from_millis(20));
        // Gone, and another one: `notify` does not recurse, it begins anew, and so a handler that
        // comes after is told once, of what is true then.
        assert_eq!(times(&told, "state"), 1);
        assert_eq!(times(&told, "socket"), 1);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        assert!(connection.remote_address().is_err());
    });
}

#[test]
fn a_handler_may_connect_again() {
    on_private_context(|context| {
        let echo = echo_server();
        let (connection, peer) = connected();
        when_the_peer_is_gone(&connection, move |connection| {
            connection
                .set_socket(&ipv4_socket())
                .expect("nothing is pending");
            connection
                .connect(&gio_address(echo), Cancellable::NONE)
                .expect("it listens");
        });
        let told = told(&connection);
        drop(peer);
        iterate_until(context, || {
            times(&told, "remote-address") > 0 && connection.is_alive()
        });
        let mut buffer = [0; 4];
        let output = connection.output_stream();
        output.write(b"echo", Cancellable::NONE).expect("connected");
        let read = connection
            .input_stream()
            .read_all(&mut buffer, Cancellable::NONE);
        assert_eq!(read.expect("connected"), (4, None));
        assert_eq!(&buffer, b"echo");
        assert_all_here(&told);
    });
}

#[test]
fn a_handler_may_begin_to_connect_again() {
    on_private_context(|context| {
        let (server, address) = listener();
        let (connection, peer) = connected();
        let ended = Rc::new(Cell::new(0));
        let end = ended.clone();
        when_the_peer_is_gone(&connection, move |connection| {
            connection
                .set_socket(&ipv4_socket())
                .expect("nothing is pending");
            let end = end.clone();
            connection.connect_async(
                &gio_address(address),
                Cancellable::NONE,
                move |connection, result| {
                    connection.connect_finish(result).expect("it listens");
                    end.set(end.get() + 1);
                },
            );
        });
        drop(peer);
        iterate_until(context, || ended.get() == 1);
        let (mut peer, _) = server.accept().expect("somebody called");
        let output = connection.output_stream();
        output.write(b"ping", Cancellable::NONE).expect("connected");
        let mut buffer = [0; 4];
        peer.read_exact(&mut buffer).expect("four bytes");
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(ended.get(), 1);
        assert_eq!(connection.state(), ConnectionState::Connected);
    });
}

/// What changes meanwhile is told in the loop inside, and not once more outside.
#[test]
fn a_handler_may_run_a_main_loop() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        let told = told(&connection);
        let inner = context.clone();
        let depth = Rc::new(Cell::new(0));
        let (deep, seen) = (depth.clone(), told.clone());
        when_the_peer_is_gone(&connection, move |connection| {
            deep.set(deep.get() + 1);
            elsewhere(connection, |connection| assert!(connection.close()));
            iterate_until(&inner, || times(&seen, "closed") == 1);
            deep.set(deep.get() + 1);
        });
        drop(peer);
        iterate_until(context, || depth.get() == 2);
        iterate_for(context, Duration::from_millis(20));
        assert_eq!(depth.get(), 2, "told once");
        assert_eq!(times(&told, "closed"), 1);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_all_here(&told);
    });
}

/// A nested loop in a handler of a change that another thread makes, while that thread goes on.
#[test]
fn a_handler_may_run_a_main_loop_while_another_thread_works() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let reader = std::thread::spawn(move || read_to_end(&mut peer).len());
        let (inner, nested) = (context.clone(), Rc::new(Cell::new(0)));
        let depth = nested.clone();
        connection.connect_bytes_written_notify(move |_| {
            if depth.get() < 5 {
                depth.set(depth.get() + 1);
                iterate_for(&inner, Duration::from_millis(120));
            }
        });
        let told = told(&connection);
        let worker = CConnection::of(&connection);
        let worker = std::thread::spawn(move || {
            let worker: CConnection = worker;
            for _ in 0..300 {
                assert_eq!(worker.write(b"0123456789"), 10);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        while !worker.is_finished() {
            iterate_for(context, Duration::from_millis(5));
        }
        worker.join().expect("no panic there");
        iterate_for(context, Duration::from_millis(150));
        assert!(nested.get() >= 2, "{} handlers ran a loop", nested.get());
        assert_eq!(connection.bytes_written(), 3000);
        assert_all_here(&told);
        connection.close(Cancellable::NONE).expect("it is idle");
        assert_eq!(reader.join().expect("no panic"), 3000);
    });
}

/// Told in the middle of a write of its own thread; the write goes on to its end.
#[test]
fn a_handler_may_drop_the_connection_that_is_writing() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let output = connection.output_stream();
        let gone = Gone::of(&connection);
        let held = Rc::new(RefCell::new(None));
        let holder = held.clone();
        connection.connect_bytes_written_notify(move |_| drop(holder.take()));
        *held.borrow_mut() = Some(connection);
        let written = output.write(b"last", Cancellable::NONE);
        assert_eq!(written.expect("it was written before"), 4);
        assert!(output.is_closed());
        drop(output);
        iterate_until(context, || gone.is_gone());
        assert_eq!(read_to_end(&mut peer), b"last");
    });
}

/// Likewise for a read, which has its bytes.
#[test]
fn a_handler_may_close_the_connection_that_is_reading() {
    on_private_context(|context| {
        for asynchronous in [false, true] {
            let (connection, mut peer) = connected();
            connection.connect_bytes_read_notify(|connection| {
                // Told again by the close itself: that one finds it closed.
                let closed = connection.close(Cancellable::NONE);
                assert!(closed.is_ok() || connection.has_pending());
            });
            std::io::Write::write_all(&mut peer, b"data").expect("connected");
            let input = connection.input_stream();
            let (bytes, count) = if asynchronous {
                let reading = input.read_future(vec![0; 8], glib::Priority::DEFAULT);
                block_on(context, reading).expect("what was sent")
            } else {
                let mut buffer = vec![0; 8];
                let count = input.read(&mut buffer, Cancellable::NONE);
                let count = count.expect("what was sent");
                (buffer, count)
            };
            assert_eq!(&bytes[..count], b"data");
            assert!(connection.is_closed());
            assert!(read_to_end(&mut peer).is_empty());
            iterate_for(context, Duration::from_millis(20));
            assert!(input.is_closed());
        }
    });
}

/// It is told no more, and nobody else less.
#[test]
fn a_handler_may_disconnect_itself_and_connect_another() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        let (first, second) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let id = Rc::new(RefCell::new(None));
        let (own, count, other) = (id.clone(), first.clone(), second.clone());
        *id.borrow_mut() = Some(connection.connect_state_notify(move |connection| {
            count.set(count.get() + 1);
            connection.disconnect(own.take().expect("once"));
            let other = other.clone();
            connection.connect_state_notify(move |_| other.set(other.get() + 1));
        }));
        drop(peer);
        iterate_until(context, || first.get() == 1);
        connection.close(Cancellable::NONE).expect("it is idle");
        iterate_for(context, Duration::from_millis(20));
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}
