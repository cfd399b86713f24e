//! A graceful close drains the base stream, not the socket under it.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::prelude::*;

use crate::{support::*, tools::*};

const MUCH: usize = 1 << 20;

/// Reads up to our end, then sends much, and ends in an orderly way: fails if we close before we have read
/// all of it, or do not say by the base stream that no more will come.
fn talkative(peer: TcpStream) -> (thread::JoinHandle<Vec<u8>>, Arc<AtomicBool>) {
    let closing = Arc::new(AtomicBool::new(false));
    let flag = closing.clone();
    let handle = thread::spawn(move || {
        let (peer, connection) = zipped_peer(peer);
        let mut buffer = vec![0; 64];
        let (count, failure) = peer
            .input_stream()
            .read_all(&mut buffer, NONE)
            .expect("up to the end");
        assert!(failure.is_none(), "{failure:?}");
        buffer.truncate(count);
        let mut noise = 1_u32;
        let much: Vec<u8> = (0..MUCH)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            })
            .collect();
        let output = peer.output_stream();
        output.write_all(&much, NONE).expect("somebody takes it");
        output.close(NONE).expect("somebody takes it");
        flag.store(true, Ordering::SeqCst);
        // No reset: everything was read.
        connection
            .socket()
            .shutdown(false, true)
            .expect("still connected");
        assert_eq!(
            connection
                .socket()
                .receive(&mut [0][..], NONE)
                .expect("an end"),
            0
        );
        buffer
    });
    (handle, closing)
}

/// WRAP-7, F-13.
#[test]
fn what_the_peer_still_sends_is_read_by_the_base_stream_and_thrown_away() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, peer) = wrapped_zipped();
            wrapper.set_graceful_disconnect(true);
            let (peer, closing) = talkative(peer);
            wrapper
                .output_stream()
                .write_all(b"all of it", NONE)
                .expect("room");
            form.close(context, &wrapper).expect("the peer ends");
            assert!(closing.load(Ordering::SeqCst), "{form:?} did not wait");
            assert_closed(&wrapper);
            assert!(wrapper.base_io_stream().is_closed());
            assert_eq!(peer.join().expect("no panic"), b"all of it");
            wait_for_worker(context, wrapper);
        }
    });
}

/// F-7: GIO's close of a stream of two streams complains of an output that is closed already.
#[test]
fn a_base_stream_of_two_streams_is_drained_and_closed() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, mut peer) = wrapped();
            wrapper.set_graceful_disconnect(true);
            let peer = thread::spawn(move || {
                let read = read_to_end(&mut peer);
                peer.write_all(b"and more").expect("somebody takes it");
                read
            });
            wrapper
                .output_stream()
                .write_all(b"all of it", NONE)
                .expect("room");
            form.close(context, &wrapper).expect("the peer ends");
            assert_closed(&wrapper);
            assert!(base.is_closed());
            assert!(base.input_stream().is_closed());
            assert_eq!(peer.join().expect("no panic"), b"all of it");
        }
    });
}

/// TCP-6: of the whole, though the peer sends on and on, and whether or not the base stream can be stopped.
#[test]
fn the_sockets_timeout_ends_it() {
    on_private_context(|context| {
        for form in FORMS {
            for deaf in [false, true] {
                let (wrapper, base, mut peer) = wrapped_polite();
                if deaf {
                    base.be_deaf_reader();
                }
                wrapper.set_graceful_disconnect(true);
                wrapper.socket().set_timeout(1);
                let stop = Arc::new(AtomicBool::new(false));
                let until = stop.clone();
                let peer = thread::spawn(move || {
                    while !until.load(Ordering::SeqCst) {
                        // It fails once we are closed.
                        if peer.write_all(b"and another thing").is_err() {
                            break;
                        }
                        thread::sleep(Duration::from_millis(50));
                    }
                });
                assert_fails(form.close(context, &wrapper), gio::IOErrorEnum::TimedOut);
                assert_closed(&wrapper);
                stop.store(true, Ordering::SeqCst);
                peer.join().expect("no panic");
                iterate_until(context, || base.is_closed());
                iterate_until(context, || !base.input_stream().has_pending());
            }
        }
    });
}

/// Whoever has waited for as long as he may does not wait once more.
#[test]
fn after_the_timeout_the_base_stream_is_closed_without_a_wait() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, _peer) = wrapped_polite();
            base.be_patient();
            wrapper.set_graceful_disconnect(true);
            wrapper.socket().set_timeout(1);
            let own = base.downgrade();
            assert_fails(form.close(context, &wrapper), gio::IOErrorEnum::TimedOut);
            assert_closed(&wrapper);
            iterate_until(context, || {
                own.upgrade().is_some_and(|base| base.is_closed())
            });
            iterate_until(context, || !base.input_stream().has_pending());
        }
    });
}

/// TCP-10.
#[test]
fn a_cancellation_ends_it() {
    on_private_context(|context| {
        let (wrapper, base, _peer) = wrapped_polite();
        wrapper.set_graceful_disconnect(true);
        let cancellable = gio::Cancellable::new();
        let outcome = begin_close(&wrapper, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        assert!(outcome.borrow().is_none());
        assert!(!wrapper.is_closed());
        cancellable.cancel();
        assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
        assert_closed(&wrapper);
        iterate_until(context, || base.is_closed());
        iterate_until(context, || !base.input_stream().has_pending());

        let (wrapper, base, _peer) = wrapped_polite();
        wrapper.set_graceful_disconnect(true);
        let cancellable = gio::Cancellable::new();
        let its = cancellable.clone();
        let canceller = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            its.cancel();
        });
        assert_fails(
            wrapper.close(Some(&cancellable)),
            gio::IOErrorEnum::Cancelled,
        );
        canceller.join().expect("no panic");
        assert_closed(&wrapper);
        assert!(base.is_closed());
    });
}

/// Nobody takes a busy stream's bytes from who reads it.
#[test]
fn while_somebody_reads_it_says_pending_and_closes() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, _, _peer) = wrapped();
            wrapper.set_graceful_disconnect(true);
            let outcome = Outcome::default();
            let slot = outcome.clone();
            wrapper.input_stream().read_bytes_async(
                16,
                glib::Priority::DEFAULT,
                NONE,
                move |result| *slot.borrow_mut() = Some(result.map(drop)),
            );
            iterate_for(context, Duration::from_millis(5));
            assert_fails(form.close(context, &wrapper), gio::IOErrorEnum::Pending);
            assert_closed(&wrapper);
            assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Closed);
        }
    });
}

/// There is nobody to drain: it says so, and all is closed.
#[test]
fn a_graceful_close_of_what_the_peer_has_reset_fails_and_closes_all() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, peer) = wrapped();
            wrapper.set_graceful_disconnect(true);
            reset(peer);
            thread::sleep(Duration::from_millis(20));
            let failed = form.close(context, &wrapper);
            assert_fails(failed, gio::IOErrorEnum::NotConnected);
            assert_closed(&wrapper);
            iterate_until(context, || base.is_closed());
        }
    });
}
