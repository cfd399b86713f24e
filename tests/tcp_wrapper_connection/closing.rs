//! A close: the base stream first, then the socket, whatever has become of that.

use std::{thread, time::Duration};

use gio::prelude::*;
use gsock::{TcpWrapperConnection, prelude::*};

use crate::{support::*, tools::*};

/// WRAP-6, F-13.
#[test]
fn a_close_closes_the_base_stream_first_then_the_socket() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, mut peer) = wrapped_polite();
            form.close(context, &wrapper)
                .expect("nothing is in the way");
            assert_closed(&wrapper);
            assert!(base.is_closed());
            assert!(base.input_stream().is_closed());
            assert!(base.output_stream().is_closed());
            assert_eq!(base.closes(), 1);
            // Its last words went out.
            assert_eq!(read_to_end(&mut peer), b"BYE", "{form:?}");
        }
    });
}

#[test]
fn a_close_sends_what_the_base_stream_has_kept_back() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, peer) = wrapped_zipped();
            wrapper
                .output_stream()
                .write_all(b"kept back", NONE)
                .expect("room");
            form.close(context, &wrapper)
                .expect("nothing is in the way");
            assert_closed(&wrapper);
            let (peer, _connection) = zipped_peer(peer);
            let mut buffer = [0; 32];
            let (count, failure) = peer
                .input_stream()
                .read_all(&mut buffer, NONE)
                .expect("up to the end");
            assert!(failure.is_none(), "{failure:?}");
            assert_eq!(&buffer[..count], b"kept back");
            wait_for_worker(context, wrapper);
        }
    });
}

/// IOS-16, IOS-20: and `closed` is told once, when it is so.
#[test]
fn an_asynchronous_close_is_pending_until_its_callback() {
    on_private_context(|context| {
        let (wrapper, base, _peer) = wrapped();
        let seen = notifications(&wrapper);
        let outcome = begin_close(&wrapper, None);
        assert!(outcome.borrow().is_none());
        assert!(!wrapper.is_closed());
        assert!(!wrapper.socket().is_closed());
        assert_fails(wrapper.close(NONE), gio::IOErrorEnum::Pending);
        let another = begin_close(&wrapper, None);
        end_close(context, &outcome).expect("nothing is in the way");
        assert_closed(&wrapper);
        assert!(base.is_closed());
        assert_fails(end_close(context, &another), gio::IOErrorEnum::Pending);
        iterate_until(context, || {
            seen.borrow().iter().any(|name| name == "closed")
        });
        iterate_for(context, Duration::from_millis(20));
        let told = seen
            .borrow()
            .iter()
            .filter(|name| *name == "closed")
            .count();
        assert_eq!(told, 1);
        wrapper.close(NONE).expect("closed already");
        end_close(context, &begin_close(&wrapper, None)).expect("closed already");
    });
}

#[test]
fn where_the_base_stream_fails_the_socket_is_closed_and_the_failure_told() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, mut peer) = wrapped_polite();
            base.fail();
            assert_fails(form.close(context, &wrapper), gio::IOErrorEnum::NoSpace);
            assert_closed(&wrapper);
            assert_eq!(read_to_end(&mut peer), b"BYE");
            wrapper.close(NONE).expect("closed already");
        }
    });
}

#[test]
fn under_a_base_stream_that_is_busy_the_socket_is_closed_and_that_is_told() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, mut peer) = wrapped();
            base.set_pending().expect("open");
            assert_fails(form.close(context, &wrapper), gio::IOErrorEnum::Pending);
            assert_closed(&wrapper);
            assert!(read_to_end(&mut peer).is_empty());
            base.clear_pending();
            base.close(NONE).expect("only now");
        }
    });
}

#[test]
fn a_read_of_the_base_stream_ends_with_the_close() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, _peer) = wrapped();
            let outcome = Outcome::default();
            let slot = outcome.clone();
            base.input_stream().read_bytes_async(
                16,
                glib::Priority::DEFAULT,
                NONE,
                move |result| *slot.borrow_mut() = Some(result.map(drop)),
            );
            iterate_for(context, Duration::from_millis(5));
            // What GIO's own stream of two streams answers while one of them is read from.
            assert_fails(form.close(context, &wrapper), gio::IOErrorEnum::Pending);
            assert_closed(&wrapper);
            assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Closed);
        }
    });
}

#[test]
fn a_base_stream_that_was_closed_before_is_left_alone() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, mut peer) = wrapped_polite();
            base.close(NONE).expect("nothing is in the way");
            assert!(!wrapper.is_closed());
            assert!(!wrapper.socket().is_closed());
            assert_fails(
                wrapper.input_stream().read(&mut [0], NONE),
                gio::IOErrorEnum::Closed,
            );
            form.close(context, &wrapper)
                .expect("nothing is in the way");
            assert_closed(&wrapper);
            assert_eq!(base.closes(), 1);
            assert_eq!(read_to_end(&mut peer), b"BYE");
        }
    });
}

/// F-7.
#[test]
fn an_output_that_was_closed_before_is_in_nobodys_way() {
    on_private_context(|context| {
        for form in FORMS {
            let (wrapper, base, mut peer) = wrapped();
            wrapper.output_stream().close(NONE).expect("not busy");
            form.close(context, &wrapper)
                .expect("nothing is in the way");
            assert_closed(&wrapper);
            assert!(base.is_closed());
            assert!(base.input_stream().is_closed());
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

#[test]
fn a_base_stream_may_be_a_connection_over_the_same_socket() {
    on_private_context(|context| {
        for form in FORMS {
            for graceful in [false, true] {
                let (connection, mut peer) = connected();
                let wrapper = TcpWrapperConnection::new(&connection, &connection.socket())
                    .expect("of its kind");
                wrapper.set_graceful_disconnect(graceful);
                wrapper
                    .output_stream()
                    .write_all(b"by way of it", NONE)
                    .expect("room");
                // Both see the peer, and one descriptor does for both.
                assert!(wrapper.is_alive() && connection.is_alive());
                let peer = thread::spawn(move || read_to_end(&mut peer));
                form.close(context, &wrapper)
                    .expect("nothing is in the way");
                assert_closed(&wrapper);
                assert!(connection.is_closed());
                assert_eq!(peer.join().expect("no panic"), b"by way of it");
            }
        }
        // And the connection beneath is closed by whoever has it.
        let (connection, _peer) = connected();
        let wrapper =
            TcpWrapperConnection::new(&connection, &connection.socket()).expect("of its kind");
        connection.close(NONE).expect("nothing is in the way");
        assert!(!wrapper.is_closed());
        wrapper.close(NONE).expect("nothing is left to do");
        assert_closed(&wrapper);
    });
}

/// SC-24, IOS-19.
#[test]
fn a_close_that_is_cancelled_before_closes_all() {
    on_private_context(|context| {
        let cancelled = gio::Cancellable::new();
        cancelled.cancel();
        for graceful in [false, true] {
            let (wrapper, base, mut peer) = wrapped();
            wrapper.set_graceful_disconnect(graceful);
            wrapper.close(Some(&cancelled)).expect("nothing waits");
            assert_closed(&wrapper);
            assert!(base.is_closed());
            assert!(read_to_end(&mut peer).is_empty());

            let (wrapper, base, mut peer) = wrapped();
            wrapper.set_graceful_disconnect(graceful);
            let outcome = begin_close(&wrapper, Some(&cancelled));
            assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
            assert_closed(&wrapper);
            iterate_until(context, || base.is_closed());
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

#[test]
fn a_cancelled_close_does_not_wait_for_a_base_stream_that_does_not_listen() {
    on_private_context(|context| {
        let (wrapper, base, _peer) = wrapped_polite();
        base.be_deaf();
        let cancellable = gio::Cancellable::new();
        let outcome = begin_close(&wrapper, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        assert!(outcome.borrow().is_none());
        cancellable.cancel();
        assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
        assert_closed(&wrapper);
        // It was shut down, not only closed, under the read.
        iterate_until(context, || base.is_closed());
    });
}

#[test]
fn a_dropped_close_future_has_closed_the_socket() {
    on_private_context(|context| {
        let (wrapper, base, _peer) = wrapped_polite();
        base.be_deaf();
        let mut closing = wrapper.close_future(glib::Priority::DEFAULT);
        let waker = std::task::Waker::noop();
        let polled = closing
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        assert!(polled.is_pending());
        drop(closing);
        iterate_until(context, || wrapper.is_closed());
        assert_closed(&wrapper);
        iterate_until(context, || base.is_closed());
    });
}
