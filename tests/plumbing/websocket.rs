//! libsoup's WebSocket connections over a stream that they are given.

use std::{cell::RefCell, io::Read, rc::Rc, time::Duration};

use gio::prelude::*;

use crate::{pairs::*, soup::*, support::*, tools::*, under::*};

on_both!(messages_go_both_ways_and_both_ends_close, print_close);

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

fn print_close(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let client = WebSocket::over(&under, End::Client);
    client.close(1000, c"enough");
    settle(context, Duration::from_millis(50));
    peer.set_nonblocking(true).unwrap();
    let mut buffer = [0; 64];
    println!(
        "{side:?}: {:?} {:?}",
        peer.read(&mut buffer),
        peer.read(&mut [0; 8])
    );
    peer.set_nonblocking(false).unwrap();
    use std::io::Write;
    peer.write_all(&[0x88, 0x02, 3, 0xe8]).unwrap();
    settle(context, Duration::from_millis(50));
    peer.set_nonblocking(true).unwrap();
    println!(
        "{side:?} after reply: {:?} state {} closed {}",
        peer.read(&mut [0; 8]),
        client.state(),
        under.is_closed()
    );
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    settle(context, Duration::from_millis(50));
    println!(
        "{side:?} after FIN: {:?} state {} closed {}",
        peer.read(&mut [0; 8]),
        client.state(),
        under.is_closed()
    );
}

on_both!(print_server);
fn print_server(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let server = WebSocket::over(&under, End::Server);
    use std::io::Write;
    peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]).unwrap();
    settle(context, Duration::from_millis(50));
    peer.set_nonblocking(true).unwrap();
    println!(
        "SERVER {side:?}: {:?} {:?} state {} closed {}",
        peer.read(&mut [0; 64]),
        peer.read(&mut [0; 8]),
        server.state(),
        under.is_closed()
    );
}
