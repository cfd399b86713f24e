//! `bytes-read` and `bytes-written`: exact, and notified at a measured pace.

use std::{cell::Cell, cell::RefCell, io::Write, rc::Rc, thread, time::Duration, time::Instant};

use gio::IOErrorEnum;
use gsock::prelude::*;

use crate::{support::*, tools::*};

#[test]
fn the_counters_are_exact_whenever_they_are_read() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let mut expected = 0;
        for size in [1, 10, 1000] {
            peer.write_all(&vec![1; size]).expect("connected");
            let mut left = size;
            while left > 0 {
                let count = read(&connection, left).expect("a peer").len();
                left -= count;
                expected += count as u64;
                assert_eq!(connection.bytes_read(), expected);
            }
        }
        peer.write_all(b"five.").expect("connected");
        let outcome = start_read(&connection, 8);
        iterate_until(context, || outcome.borrow().is_some());
        assert_eq!(connection.bytes_read(), 1016);

        let mut expected = 0;
        for size in [1, 10, 1000] {
            expected += write(&connection, &vec![1; size]).expect("connected") as u64;
            assert_eq!(connection.bytes_written(), expected);
        }
        // Peeking and failing count for nothing.
        drop(peer);
        close(&connection);
        assert_fails(read(&connection, 1), IOErrorEnum::Closed);
        assert_eq!(connection.bytes_read(), 1016);
        assert_eq!(connection.bytes_written(), expected);
    });
}

/// Both edges, and at most ten in a second in between.
#[test]
fn the_counters_are_notified_ten_times_a_second_and_with_their_last_value() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let values = Rc::new(RefCell::new(Vec::new()));
        let seen = values.clone();
        connection.connect_bytes_read_notify(move |connection| {
            seen.borrow_mut().push(connection.bytes_read());
        });
        let begun = Instant::now();
        peer.write_all(b"x").expect("connected");
        assert_eq!(read(&connection, 1).expect("a peer"), b"x");
        assert_eq!(*values.borrow(), [1], "the leading edge is told at once");

        let mut count = 1;
        while begun.elapsed() < Duration::from_millis(350) {
            peer.write_all(b"x").expect("connected");
            let outcome = start_read(&connection, 1);
            iterate_until(context, || outcome.borrow().is_some());
            count += 1;
        }
        assert!(count > 10, "many small reads: {count}");
        assert_eq!(connection.bytes_read(), count);
        iterate_until(context, || values.borrow().last() == Some(&count));
        let elapsed = begun.elapsed().as_millis();
        let told = values.borrow().len() as u128;
        assert!(told <= 1 + elapsed / 100, "{told} in {elapsed} ms");
        assert!(told >= 3, "they go on meanwhile: {told} in {elapsed} ms");
        settle(context);
        assert_eq!(values.borrow().last(), Some(&count));
        assert!(values.borrow().is_sorted());
    });
}

#[test]
fn the_write_counter_is_notified_likewise() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let reader = thread::spawn(move || read_to_end(&mut peer).len());
        let values = Rc::new(RefCell::new(Vec::new()));
        let seen = values.clone();
        connection.connect_bytes_written_notify(move |connection| {
            seen.borrow_mut().push(connection.bytes_written());
        });
        let begun = Instant::now();
        for _ in 0..100 {
            assert_eq!(write(&connection, b"ten bytes.").expect("connected"), 10);
        }
        assert_eq!(connection.bytes_written(), 1000);
        iterate_until(context, || values.borrow().last() == Some(&1000));
        let elapsed = begun.elapsed().as_millis();
        let told = values.borrow().len() as u128;
        assert_eq!(values.borrow().first(), Some(&10));
        assert!(told <= 1 + elapsed / 100, "{told} in {elapsed} ms");
        close(&connection);
        assert_eq!(reader.join().expect("no panic"), 1000);
    });
}

/// The last value is told even when the connection is closed meanwhile.
#[test]
fn the_last_value_of_a_counter_is_notified_after_a_close_too() {
    on_private_context(|context| {
        let (connection, mut peer) = connected();
        let last = Rc::new(Cell::new(0));
        let told = last.clone();
        connection.connect_bytes_read_notify(move |connection| told.set(connection.bytes_read()));
        for _ in 0..2 {
            peer.write_all(b"12345").expect("connected");
            read(&connection, 5).expect("a peer");
        }
        assert_eq!(last.get(), 5);
        close(&connection);
        iterate_until(context, || last.get() == 10);
    });
}
