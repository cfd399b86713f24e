//! libsoup's WebSocket connections over a stream that they are given.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    rc::Rc,
    time::Duration,
};

use gio::prelude::*;
use gsock::prelude::*;

use crate::{pairs::*, soup::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    messages_go_both_ways_and_both_ends_close,
    a_server_answers_a_close_and_closes,
);

fn messages_of(end: &WebSocket) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let got = Rc::new(RefCell::new(Vec::new()));
    let list = got.clone();
    end.on_message(move |bytes| list.borrow_mut().push(bytes));
    got
}

fn messages_go_both_ways_and_both_ends_close(side: Side, context: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let client = WebSocket::over(&one, End::Client);
    let server = WebSocket::over(&other, End::Server);
    let (at_client, at_server) = (messages_of(&client), messages_of(&server));
    let long = "long ".repeat(20_000);
    for text in ["a first", &long, "a last"] {
        client.send(text);
        server.send(text);
    }
    iterate_until(context, || {
        at_client.borrow().len() == 3 && at_server.borrow().len() == 3
    });
    for got in [at_client, at_server] {
        assert!(*got.borrow() == ["a first", &long, "a last"].map(str::as_bytes));
    }
    client.close(1000, c"enough");
    iterate_until(context, || {
        client.state() == CLOSED && server.state() == CLOSED
    });
    assert_eq!((client.close_code(), server.close_code()), (1000, 1000));
    assert!(one.is_closed());
    assert!(other.is_closed());
}

/// A frame that says 1000, as a client has to mask it and as a server sends it.
const CLIENT_CLOSES: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8];
const SERVER_CLOSES: [u8; 4] = [0x88, 0x02, 3, 0xe8];

fn a_server_answers_a_close_and_closes(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let server = WebSocket::over(&under, End::Server);
    peer.write_all(&CLIENT_CLOSES).unwrap();
    iterate_until(context, || server.state() == CLOSED);
    assert!(under.is_closed());
    assert_eq!(read_to_end(&mut peer), SERVER_CLOSES);
}

/// Whether the peer sees the end of what a client sends once both have said that they close, and before the peer
/// has closed the connection; afterwards both classes are closed.
fn ends_before_the_server(
    side: Side,
    wrap: impl FnOnce(&Under) -> gio::IOStream,
    context: &glib::MainContext,
) -> bool {
    let (under, mut peer) = connected_of(side);
    let stream = wrap(&under);
    let client = WebSocket::over(&stream, End::Client);
    client.close(1000, c"");
    let mut said = [0; 8];
    iterate_until(context, || pending_at(&peer) >= said.len());
    peer.read_exact(&mut said).unwrap();
    assert_eq!(said[..2], CLIENT_CLOSES[..2]);
    peer.write_all(&SERVER_CLOSES).unwrap();
    settle(context, Duration::from_millis(50));
    peer.set_nonblocking(true).unwrap();
    let ended = peer.read(&mut [0; 8]).is_ok_and(|count| count == 0);
    assert!(!stream.is_closed());
    peer.shutdown(Shutdown::Write).unwrap();
    iterate_until(context, || client.state() == CLOSED);
    assert!(stream.is_closed());
    // A wrapper leaves what it is around open.
    under.close(gio::Cancellable::NONE).unwrap();
    peer.set_nonblocking(false).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    ended
}

/// How many bytes wait to be read.
fn pending_at(peer: &TcpStream) -> usize {
    let mut buffer = [0; 64];
    peer.set_nonblocking(true).unwrap();
    let pending = peer.peek(&mut buffer).unwrap_or(0);
    peer.set_nonblocking(false).unwrap();
    pending
}

/// libsoup looks for GIO's class to shut one side down.
#[test]
fn a_client_ends_its_side_over_gios_class_and_leaves_that_to_the_server_over_ours() {
    to_the_end(|context| {
        let itself = |under: &Under| (**under).clone();
        assert!(ends_before_the_server(Side::Gio, itself, context));
        assert!(!ends_before_the_server(Side::Ours, itself, context));
        let wrapped = |under: &Under| {
            let wrapper = gio::TcpWrapperConnection::new(&**under, &under.socket());
            wrapper.upcast()
        };
        assert!(ends_before_the_server(Side::Ours, wrapped, context));
        let shared = |under: &Under| under.ours().to_gio().upcast();
        assert!(ends_before_the_server(Side::Ours, shared, context));
    });
}
