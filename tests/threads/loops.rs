//! A loop that sleeps in `poll(2)`.

use std::{ptr, rc::Rc, thread, time::Duration};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, TcpConnection, prelude::*};

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

/// SOCK-43, where GIO's close goes unnoticed.
#[test]
fn a_close_on_another_thread_ends_what_is_pending_in_a_sleeping_loop() {
    on_private_context(|context| {
        for make in [connected, connected_bare] {
            for _ in 0..10 {
                let (connection, mut peer) = make();
                fill(&connection);
                let sent = connection.bytes_written();
                let reading = start_read(&connection, 4, None);
                let writing = start_write(&connection, vec![1; 8], None);
                let raw = Raw::of(&connection);
                let sleeper = Sleeper::here();
                let closer = thread::spawn(move || {
                    sleeper.wait();
                    raw.close()
                });
                sleep_until(context, || reading.has_ended() && writing.has_ended());
                assert_fails(reading.outcome(), E::Closed);
                assert_fails(writing.outcome(), E::Closed);
                closer.join().expect("no panic").expect("open");
                assert_eq!(read_to_end(&mut peer).len() as u64, sent);
                assert_eq!(connection.state(), ConnectionState::Closed);
                let gone = Gone::of(&connection);
                drop(connection);
                assert_idle(context);
                assert!(gone.is_gone() && reading.is_task_gone() && writing.is_task_gone());
            }
        }
    });
}

/// A loop that the notifications of the close do not wake.
#[test]
fn a_close_ends_a_read_that_is_pending_in_a_loop_that_is_not_home() {
    on_private_context(|_| {
        for make in [connected, connected_bare] {
            for _ in 0..20 {
                let (connection, mut peer) = make();
                let raw = Raw::of(&connection);
                let (sleeper, reader) = sleeping(move || {
                    let own = glib::MainContext::new();
                    own.with_thread_default(|| {
                        let reading = raw.start_read();
                        sleep_until(&own, || reading.has_ended());
                        let outcome = reading.outcome();
                        assert_idle(&own);
                        assert!(reading.is_task_gone());
                        outcome
                    })
                    .expect("a new context has no owner")
                });
                sleeper.wait();
                raw.close().expect("open");
                assert_fails(reader.join().expect("no panic"), E::Closed);
                assert!(read_to_end(&mut peer).is_empty());
            }
        }
    });
}

#[test]
fn a_close_async_on_another_threads_loop_wakes_whoever_waits() {
    on_private_context(|context| {
        for graceful in [false, true] {
            let (connection, mut peer) = connected();
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(graceful);
            let reading = start_read(&connection, 4, None);
            let raw = Raw::of(&connection);
            let (_reads, closer) = sleeping(move || {
                let own = glib::MainContext::new();
                own.with_thread_default(|| {
                    let closing = start_close_of(raw);
                    sleep_until(&own, || closing.has_ended());
                    closing.outcome().map(drop)
                })
                .expect("a new context has no owner")
            });
            if graceful {
                // The peer says good-bye when it has heard ours; the end is the reader's to see.
                assert!(read_to_end(&mut peer).is_empty());
                drop(peer);
                sleep_until(context, || reading.has_ended());
                match reading.outcome() {
                    Ok(count) => assert_eq!(count, 0),
                    Err(failure) => assert_eq!(code(&failure), E::Closed),
                }
            } else {
                sleep_until(context, || reading.has_ended());
                assert_fails(reading.outcome(), E::Closed);
                assert!(read_to_end(&mut peer).is_empty());
            }
            closer.join().expect("no panic").expect("open");
            assert!(connection.is_closed());
        }
    });
}

fn start_close_of(raw: Raw) -> Rc<Started> {
    let started = Started::new(finish_close, false, Vec::new());
    // SAFETY: the test keeps the object; the data lives as long as the thread.
    unsafe {
        gio::ffi::g_io_stream_close_async(
            raw.0,
            0,
            ptr::null_mut(),
            Some(on_ready),
            started.data(),
        );
    }
    started
}

#[test]
fn a_connect_pending_in_a_sleeping_loop_ends_when_another_thread_closes_or_cancels() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for closes in [true, false] {
            let connection = unconnected();
            let cancellable = gio::Cancellable::new();
            let connecting =
                start_connect(&connection, &gio_address(deaf.address), Some(&cancellable));
            let raw = Raw::of(&connection);
            let sleeper = Sleeper::here();
            let canceller = cancellable.clone();
            let other = thread::spawn(move || {
                sleeper.wait();
                if closes {
                    raw.close()
                } else {
                    canceller.cancel();
                    Ok(())
                }
            });
            sleep_until(context, || connecting.has_ended());
            let expected = if closes { E::Closed } else { E::Cancelled };
            assert_fails(connecting.outcome(), expected);
            other.join().expect("no panic").expect("open");
            let gone = [Gone::of(&connection), Gone::of(&cancellable)];
            drop((connection, cancellable));
            assert_idle(context);
            assert!(gone.iter().all(Gone::is_gone) && connecting.is_task_gone());
        }
    });
}

#[test]
fn an_async_read_in_a_sleeping_loop_ends_when_another_thread_cancels() {
    on_private_context(|context| {
        for round in 0..50 {
            let (connection, _peer) = connected();
            let cancellable = gio::Cancellable::new();
            let reading = start_read(&connection, 4, Some(&cancellable));
            let sleeper = Sleeper::here();
            let canceller = cancellable.clone();
            let other = thread::spawn(move || {
                // At any moment, and now and then when the loop is certainly asleep.
                if round % 5 == 0 {
                    sleeper.wait();
                } else {
                    thread::sleep(Duration::from_micros(round * 20));
                }
                canceller.cancel();
            });
            sleep_until(context, || reading.has_ended());
            assert_fails(reading.outcome(), E::Cancelled);
            other.join().expect("no panic");
            let gone = [Gone::of(&connection), Gone::of(&cancellable)];
            drop((connection, cancellable));
            assert_idle(context);
            assert!(gone.iter().all(Gone::is_gone) && reading.is_task_gone());
        }
    });
}
