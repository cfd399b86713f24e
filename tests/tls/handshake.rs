//! The handshake: in every form, with a protocol to agree on, and with peers who do not take part in it.

use std::{io::Write, net::Shutdown, time::Duration};

use gio::{Cancellable, IOErrorEnum, TlsError, prelude::*};
use gsock::SocketConnection;

use crate::{pairs::*, scene::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    blocking_on_two_threads,
    by_callbacks_on_one_context,
    in_futures_on_one_context,
    over_unix_sockets,
    the_first_write_shakes_hands,
    both_agree_on_a_protocol,
    no_protocol_in_common_is_none,
    a_peer_that_speaks_plain_text_is_not_tls,
    a_client_that_speaks_plain_text_is_not_tls,
    a_blocking_handshake_is_cancelled,
    a_handshake_by_callback_is_cancelled,
    a_handshake_that_is_dropped_ends,
    a_silent_peer_runs_into_the_timeout_of_the_socket,
    a_peer_that_leaves_ends_a_handshake,
    the_base_is_the_connection_itself,
);

fn assert_shaken(ends: &Ends) {
    for end in [&ends.client, &ends.server] {
        assert_ne!(end.protocol_version(), gio::TlsProtocolVersion::Unknown);
        assert!(end.ciphersuite_name().is_some());
    }
    let certificate = ends.client.peer_certificate().unwrap();
    assert_eq!(certificate.subject_name().unwrap(), format!("CN={NAME}"));
    assert!(ends.client.peer_certificate_errors().is_empty());
}

fn blocking_on_two_threads(side: Side, _: &glib::MainContext) {
    let ends = Ends::new(side);
    assert_side(side, &ends.client_base);
    assert_side(side, &ends.server_base);
    ends.shake_hands();
    assert_shaken(&ends);
}

fn start_handshake(
    end: &gio::TlsConnection,
    cancellable: Option<&Cancellable>,
) -> Slot<Result<(), glib::Error>> {
    let slot = Slot::new();
    end.handshake_async(DEFAULT, cancellable, slot.put());
    slot
}

fn by_callbacks_on_one_context(side: Side, context: &glib::MainContext) {
    let ends = Ends::new(side);
    let server = start_handshake(&ends.server, None);
    let client = start_handshake(&ends.client, None);
    assert!(!client.is_set());
    client.wait(context).unwrap();
    server.wait(context).unwrap();
    assert_shaken(&ends);
}

fn in_futures_on_one_context(side: Side, context: &glib::MainContext) {
    let ends = Ends::new(side);
    let (client, server) = (ends.client.clone(), ends.server.clone());
    let both = async move {
        futures::join!(
            client.handshake_future(DEFAULT),
            server.handshake_future(DEFAULT)
        )
    };
    assert_eq!(block_on(context, both), (Ok(()), Ok(())));
    assert_shaken(&ends);
}

fn over_unix_sockets(side: Side, _: &glib::MainContext) {
    let ends = Ends::over(unix_pair(side));
    ends.shake_hands();
    assert_shaken(&ends);
    write_all(&ends.client.output_stream(), b"by a socket of no name").unwrap();
    let read = read_exactly(&ends.server.input_stream(), 22);
    assert_eq!(read.unwrap(), b"by a socket of no name");
}

fn the_first_write_shakes_hands(side: Side, _: &glib::MainContext) {
    let ends = Ends::new(side);
    let echo = echo_on_thread(ends.server.upcast_ref());
    write_all(&ends.client.output_stream(), b"at once").unwrap();
    let read = read_exactly(&ends.client.input_stream(), 7);
    assert_eq!(read.unwrap(), b"at once");
    ends.client.close(Cancellable::NONE).unwrap();
    assert_eq!(echo.join().unwrap(), Ok(7));
    assert_shaken(&ends);
}

fn both_agree_on_a_protocol(side: Side, _: &glib::MainContext) {
    let ends = Ends::new(side);
    ends.client.set_advertised_protocols(["h2", "gsock/1"]);
    ends.server
        .set_advertised_protocols(["gsock/1", "http/1.1"]);
    ends.shake_hands();
    for end in [&ends.client, &ends.server] {
        assert_eq!(end.negotiated_protocol().as_deref(), Some("gsock/1"));
    }
}

fn no_protocol_in_common_is_none(side: Side, _: &glib::MainContext) {
    let ends = Ends::new(side);
    ends.server.set_advertised_protocols(["gsock/1"]);
    ends.shake_hands();
    for end in [&ends.client, &ends.server] {
        assert_eq!(end.negotiated_protocol(), None);
    }
}

fn a_peer_that_speaks_plain_text_is_not_tls(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let (base, mut peer) = connected_of(side);
    peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let client = client_over(&base, &authority);
    let ended = Ended::of(client.handshake(Cancellable::NONE));
    assert_plain(ended);
}

/// GnuTLS tells what cannot be TLS in more than one way, and one of them has no code of its own in GIO.
#[track_caller]
fn assert_plain(ended: Ended<()>) {
    let expected = [TlsError::NotTls, TlsError::Misc].map(Ended::Tls);
    assert!(expected.contains(&ended), "{ended:?}");
}

fn a_client_that_speaks_plain_text_is_not_tls(side: Side, context: &glib::MainContext) {
    let authority = Authority::new();
    let (base, mut peer) = connected_of(side);
    peer.write_all(b"GET / HTTP/1.1\r\nHost: gsock.test\r\n\r\n")
        .unwrap();
    let server = server_over(&base, &authority.certify());
    let ended = Ended::of(start_handshake(&server, None).wait(context));
    assert_plain(ended);
}

fn a_blocking_handshake_is_cancelled(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let (base, _silent) = connected_of(side);
    let client = client_over(&base, &authority);
    let cancellable = Cancellable::new();
    let also = cancellable.clone();
    let shaking = on_thread(&client, move |client| client.handshake(Some(&also)));
    a_moment();
    assert!(!shaking.is_finished());
    cancellable.cancel();
    assert_fails(shaking.join().unwrap(), IOErrorEnum::Cancelled);
}

fn a_handshake_by_callback_is_cancelled(side: Side, context: &glib::MainContext) {
    let authority = Authority::new();
    let (base, _silent) = connected_of(side);
    let client = client_over(&base, &authority);
    let cancellable = Cancellable::new();
    let shaking = start_handshake(&client, Some(&cancellable));
    settle(context, Duration::from_millis(20));
    assert!(!shaking.is_set());
    cancellable.cancel();
    assert_fails(shaking.wait(context), IOErrorEnum::Cancelled);
}

/// What gio-rs makes of dropping the future is a cancel; the connection is free afterwards.
fn a_handshake_that_is_dropped_ends(side: Side, context: &glib::MainContext) {
    let authority = Authority::new();
    let (base, _silent) = connected_of(side);
    let client = client_over(&base, &authority);
    let gone = Gone::of(&client);
    let mut shaking = client.handshake_future(DEFAULT);
    context.block_on(async { assert!(futures::poll!(&mut shaking).is_pending()) });
    settle(context, Duration::from_millis(20));
    drop(shaking);
    drop(client);
    iterate_until(context, || gone.is_gone());
    assert!(!base.input_stream().has_pending());
}

fn a_silent_peer_runs_into_the_timeout_of_the_socket(side: Side, context: &glib::MainContext) {
    let authority = Authority::new();
    let (base, _silent) = connected_of(side);
    base.socket().set_timeout(1);
    let client = client_over(&base, &authority);
    assert_fails(
        start_handshake(&client, None).wait(context),
        IOErrorEnum::TimedOut,
    );
    assert!(!base.is_closed());
}

fn a_peer_that_leaves_ends_a_handshake(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let (base, peer) = connected_of(side);
    peer.shutdown(Shutdown::Write).unwrap();
    let client = client_over(&base, &authority);
    let ended = Ended::of(client.handshake(Cancellable::NONE));
    assert_eq!(ended, Ended::Tls(TlsError::NotTls));
}

/// F-19: under GIO's class the worker of the handshake would wait on, with a number that is free for other files.
#[test]
fn a_close_of_the_connection_under_it_ends_a_handshake() {
    to_the_end(|context| {
        let authority = Authority::new();
        let (base, _silent) = connected_of(Side::Ours);
        let client = client_over(&base, &authority);
        let shaking = start_handshake(&client, None);
        settle(context, Duration::from_millis(20));
        assert!(!shaking.is_set());
        base.close(Cancellable::NONE).unwrap();
        assert_fails(shaking.wait(context), IOErrorEnum::Closed);
    });
}

fn the_base_is_the_connection_itself(side: Side, _: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let base = ends.client.base_io_stream().unwrap();
    assert_eq!(base, *ends.client_base);
}

/// Ours makes a `GSocket` of its descriptor only when somebody asks for one, which TLS does not.
#[test]
fn over_a_bare_descriptor() {
    to_the_end(|_| {
        let (peer, fd) = tcp_pair();
        let [client, server] = [fd, peer.into()].map(|fd| {
            noted(SocketConnection::factory_create_connection_from_fd(fd).expect("a socket"))
        });
        let authority = Authority::new();
        let tls = client_over(client.upcast_ref(), &authority);
        let echo =
            echo_on_thread(server_over(server.upcast_ref(), &authority.certify()).upcast_ref());
        write_all(&tls.output_stream(), b"without a GSocket").unwrap();
        let read = read_exactly(&tls.input_stream(), 17);
        assert_eq!(read.unwrap(), b"without a GSocket");
        tls.close(Cancellable::NONE).unwrap();
        assert_eq!(echo.join().unwrap(), Ok(17));
        assert!(client.is_closed());
    });
}
