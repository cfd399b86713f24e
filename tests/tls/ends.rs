//! How TLS ends: told, untold, at one end, and while somebody reads.

use std::time::Duration;

use gio::{Cancellable, IOErrorEnum, TlsError, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::{pairs::*, scene::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    the_peer_sees_a_close_as_the_end_of_file,
    the_peer_sees_an_asynchronous_close_as_the_end_of_file,
    a_close_closes_the_connection_under_it,
    dropped_tls_closes_the_connection_under_it,
    one_direction_is_closed_and_told_to_the_peer,
    an_end_that_was_not_told_is_an_error,
    an_end_that_was_not_told_may_be_allowed,
    a_reset_is_an_error,
    a_close_while_a_read_waits,
    a_close_waits_for_a_read_on_another_thread,
    a_close_of_the_connection_under_a_read,
    a_graceful_close_waits_for_the_peer_with_tls_above_it,
    a_dropped_connection_is_gone_with_what_is_under_it,
);

fn the_peer_sees_a_close_as_the_end_of_file(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    write_all(&ends.client.output_stream(), b"the last").unwrap();
    ends.client.close(Cancellable::NONE).unwrap();
    let read = read_exactly(&ends.server.input_stream(), 64);
    assert_eq!(read.unwrap(), b"the last");
    assert_eq!(read_exactly(&ends.server.input_stream(), 1).unwrap(), b"");
}

fn the_peer_sees_an_asynchronous_close_as_the_end_of_file(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let reading = start_read(&ends.server.input_stream(), 64, None);
    let closed = Slot::new();
    ends.client
        .close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_eq!(closed.wait(context), Ok(()));
    assert_eq!(reading.wait(context).unwrap(), b"");
    assert!(ends.client.is_closed());
}

fn a_close_closes_the_connection_under_it(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    ends.client.close(Cancellable::NONE).unwrap();
    assert!(ends.client_base.is_closed());
    assert!(ends.client_base.socket().is_closed());
    assert!(!ends.server_base.is_closed());
}

/// The end of a `GIOStream` is a close.
fn dropped_tls_closes_the_connection_under_it(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    drop(ends.client);
    assert!(ends.client_base.is_closed());
    assert_eq!(read_exactly(&ends.server.input_stream(), 1).unwrap(), b"");
}

fn one_direction_is_closed_and_told_to_the_peer(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    ends.client
        .output_stream()
        .close(Cancellable::NONE)
        .unwrap();
    assert_eq!(read_exactly(&ends.server.input_stream(), 1).unwrap(), b"");
    write_all(&ends.server.output_stream(), b"still open").unwrap();
    let read = read_exactly(&ends.client.input_stream(), 10);
    assert_eq!(read.unwrap(), b"still open");
}

/// The peer's socket ends, and its TLS has not said so; in the blocking form and in the other.
fn untold(side: Side, required: bool, context: &glib::MainContext) {
    for blocking in [false, true] {
        let ends = Ends::shaken(side);
        ends.client.set_require_close_notify(required);
        assert_eq!(ends.client.requires_close_notify(), required);
        write_all(&ends.server.output_stream(), b"cut").unwrap();
        let input = ends.client.input_stream();
        assert_eq!(read_exactly(&input, 3).unwrap(), b"cut");
        let end = || ends.server_base.socket().shutdown(false, true).unwrap();
        let read = if blocking {
            let reading = read_on_thread(&input, 8, None);
            end();
            reading.join().unwrap()
        } else {
            let reading = start_read(&input, 8, None);
            settle(context, Duration::from_millis(10));
            assert!(!reading.is_set());
            end();
            reading.wait(context)
        };
        let expected = if required {
            Ended::Tls(TlsError::Eof)
        } else {
            Ended::With(vec![])
        };
        assert_eq!(Ended::of(read), expected);
    }
}

fn an_end_that_was_not_told_is_an_error(side: Side, context: &glib::MainContext) {
    untold(side, true, context);
}

fn an_end_that_was_not_told_may_be_allowed(side: Side, context: &glib::MainContext) {
    untold(side, false, context);
}

fn a_reset_is_an_error(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let reading = start_read(&ends.client.input_stream(), 8, None);
    settle(context, Duration::from_millis(10));
    let socket = ends.server_base.socket();
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the value is as long as said.
    let set = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    socket.close().unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::BrokenPipe);
}

fn a_close_while_a_read_waits(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let reading = start_read(&ends.client.input_stream(), 8, None);
    settle(context, Duration::from_millis(10));
    assert!(!reading.is_set());
    let closed = Slot::new();
    ends.client
        .close_async(DEFAULT, Cancellable::NONE, closed.put());
    assert_eq!(closed.wait(context), Ok(()));
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    assert!(ends.client_base.is_closed());
}

/// TLS waits for a thread that reads, before it says to the peer that it closes.
fn a_close_waits_for_a_read_on_another_thread(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let reading = read_on_thread(&ends.client.input_stream(), 8, None);
    // Before it is there, a close would be first.
    wait_until(|| ends.client_base.input_stream().has_pending());
    let closing = on_thread(&ends.client, |client| client.close(Cancellable::NONE));
    a_moment();
    if reading.is_finished() {
        panic!("the read has ended: {:?}", reading.join().unwrap());
    }
    assert!(!closing.is_finished());
    write_all(&ends.server.output_stream(), b"x").unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), b"x");
    assert_eq!(closing.join().unwrap(), Ok(()));
    assert!(ends.client_base.is_closed());
}

fn a_close_of_the_connection_under_a_read(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let reading = start_read(&ends.client.input_stream(), 8, None);
    settle(context, Duration::from_millis(10));
    assert!(!reading.is_set());
    ends.client_base.close(Cancellable::NONE).unwrap();
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
}

/// The peer is told by TLS first, and then by TCP; it is the second for which a graceful close waits.
fn a_graceful_close_waits_for_the_peer_with_tls_above_it(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    ends.client_base.set_graceful(true);
    let closed = Slot::new();
    ends.client
        .close_async(DEFAULT, Cancellable::NONE, closed.put());
    let input = ends.server.input_stream();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"");
    settle(context, Duration::from_millis(20));
    assert!(!closed.is_set());
    ends.server.close(Cancellable::NONE).unwrap();
    assert_eq!(closed.wait(context), Ok(()));
    assert!(ends.client_base.is_closed());
}

fn a_dropped_connection_is_gone_with_what_is_under_it(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let gone = [
        Gone::of(&*ends.client_base),
        Gone::of(&ends.client_base.socket()),
        Gone::of(&ends.client),
    ];
    drop(ends);
    settle(context, Duration::from_millis(10));
    for gone in gone {
        assert!(gone.is_gone());
    }
}

/// What the connection tells of its peer it tells with TLS above it as well.
#[test]
fn the_connection_under_tls_tells_who_the_peer_is_and_that_it_has_gone() {
    to_the_end(|context| {
        let ends = Ends::shaken(Side::Ours);
        let base = ends.client.base_io_stream().unwrap();
        let base = base.downcast::<SocketConnection>().unwrap();
        let address = ends.server_base.local_address().unwrap();
        assert_eq!(
            base.remote_address().unwrap().to_string(),
            address.to_string()
        );
        write_all(&ends.client.output_stream(), b"counted").unwrap();
        assert!(base.bytes_written() > 7);
        assert_eq!(base.state(), ConnectionState::Connected);
        let states = notifications(&base);
        ends.server.close(Cancellable::NONE).unwrap();
        iterate_until(context, || base.state() == ConnectionState::Disconnected);
        assert!(states.borrow().iter().any(|name| name == "state"));
        assert_eq!(read_exactly(&ends.client.input_stream(), 1).unwrap(), b"");
    });
}
