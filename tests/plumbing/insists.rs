//! What of GIO asks for its own class, what it does with ours, and what takes ours all the same.

use std::{
    io::{Read, Write},
    thread,
};

use gio::{Cancellable, prelude::*};
use gsock::{SocketConnection, TcpConnection};

use crate::{pairs::*, support::*, tools::*, under::*};

#[test]
fn gios_factory_refuses_our_type_and_keeps_what_it_has() {
    to_the_end(|_| {
        let key = (gio::SocketFamily::Ipv4, gio::SocketType::Stream, 0);
        let before = gio::SocketConnection::factory_lookup_type(key.0, key.1, key.2);
        let ((), lines) = logged(|| {
            gio::SocketConnection::factory_register_type(
                TcpConnection::static_type(),
                key.0,
                key.1,
                key.2,
            );
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("GLib-GIO: "), "{lines:?}");
        let after = gio::SocketConnection::factory_lookup_type(key.0, key.1, key.2);
        assert_eq!(after, before);
        let made = ipv4_socket().connection_factory_create_connection();
        assert!(made.is::<gio::TcpConnection>());
    });
}

#[test]
fn ours_is_a_stream_and_not_gios_connection() {
    to_the_end(|_| {
        let (ours, _peer) = connected();
        let stream: &gio::IOStream = ours.upcast_ref();
        assert!(!stream.is::<gio::SocketConnection>());
        assert!(!stream.is::<gio::TcpConnection>());
    });
}

/// It takes any stream, and a socket: the stream is read and written, the socket is asked for addresses.
fn a_tcp_wrapper_around_it_is_gios_connection(side: Side, context: &glib::MainContext) {
    let (base, mut peer) = connected_of(side);
    let wrapper = gio::TcpWrapperConnection::new(&*base, &base.socket());
    let wrapper: gio::SocketConnection = wrapper.upcast();
    assert_eq!(wrapper.property::<gio::IOStream>("base-io-stream"), *base);
    assert_eq!(wrapper.input_stream(), base.input_stream());
    let remote = wrapper.remote_address().unwrap();
    let expected = base.remote_address().unwrap().unwrap();
    assert_eq!(remote.to_string(), expected.to_string());
    write_all(&wrapper.output_stream(), b"out").unwrap();
    let mut buffer = [0; 3];
    peer.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"out");
    let reading = start_read(&wrapper.input_stream(), 8, None);
    peer.write_all(b"in").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"in");
}

on_both_to_the_end!(
    a_tcp_wrapper_around_it_is_gios_connection,
    a_socks_proxy_is_asked_over_it,
    an_http_proxy_is_asked_over_it,
);

fn proxy_address(protocol: &str) -> gio::ProxyAddress {
    let anywhere = gio::InetAddress::from_string("127.0.0.1").unwrap();
    gio::ProxyAddress::new(&anywhere, 1, protocol, "far.test", 4321, None, None)
}

/// A proxy of its own that echoes in the name of whoever it was asked to connect to.
fn a_socks_proxy_is_asked_over_it(side: Side, context: &glib::MainContext) {
    for blocking in [true, false] {
        let (base, mut peer) = connected_of(side);
        let proxying = thread::spawn(move || {
            let mut head = [0; 2];
            peer.read_exact(&mut head).unwrap();
            assert_eq!(head[0], 5);
            let mut methods = vec![0; usize::from(head[1])];
            peer.read_exact(&mut methods).unwrap();
            assert!(methods.contains(&0));
            peer.write_all(&[5, 0]).unwrap();
            // Version, connect, reserved, a name, and how long it is.
            let mut request = [0; 5];
            peer.read_exact(&mut request).unwrap();
            assert_eq!(request, [5, 1, 0, 3, 8]);
            let mut name = [0; 10];
            peer.read_exact(&mut name).unwrap();
            assert_eq!(&name[..8], b"far.test");
            assert_eq!(u16::from_be_bytes([name[8], name[9]]), 4321);
            peer.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0x10, 0xe1])
                .unwrap();
            let mut message = [0; 7];
            peer.read_exact(&mut message).unwrap();
            peer.write_all(&message).unwrap();
        });
        let proxy = gio::Proxy::default_for_protocol("socks5").unwrap();
        let address = proxy_address("socks5");
        let through = if blocking {
            ProxyExt::connect(&proxy, &*base, &address, Cancellable::NONE)
        } else {
            let slot = Slot::new();
            proxy.connect_async(&*base, &address, Cancellable::NONE, slot.put());
            slot.wait(context)
        };
        let through = through.unwrap();
        write_all(&through.output_stream(), b"far off").unwrap();
        assert_eq!(
            read_exactly(&through.input_stream(), 7).unwrap(),
            b"far off"
        );
        proxying.join().unwrap();
    }
}

fn an_http_proxy_is_asked_over_it(side: Side, context: &glib::MainContext) {
    let (base, mut peer) = connected_of(side);
    let proxying = thread::spawn(move || {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(
            head.starts_with("CONNECT far.test:4321 HTTP/1.0\r\n"),
            "{head}"
        );
        // What follows the answer at once is of the one behind the proxy.
        peer.write_all(b"HTTP/1.0 200 Connected\r\n\r\nfirst")
            .unwrap();
        let mut message = [0; 7];
        peer.read_exact(&mut message).unwrap();
        peer.write_all(&message).unwrap();
    });
    let proxy = gio::Proxy::default_for_protocol("http").unwrap();
    let slot = Slot::new();
    proxy.connect_async(
        &*base,
        &proxy_address("http"),
        Cancellable::NONE,
        slot.put(),
    );
    let through = slot.wait(context).unwrap();
    assert_eq!(read_exactly(&through.input_stream(), 5).unwrap(), b"first");
    write_all(&through.output_stream(), b"far off").unwrap();
    assert_eq!(
        read_exactly(&through.input_stream(), 7).unwrap(),
        b"far off"
    );
    proxying.join().unwrap();
}

/// What GIO's own listener and client make is of its class; the socket in it is anybody's.
#[test]
fn what_gio_accepts_and_connects_becomes_ours_by_its_socket() {
    to_the_end(|context| {
        let listener = gio::SocketListener::new();
        let port = listener.add_any_inet_port(None::<&glib::Object>).unwrap();
        let accepted = Slot::new();
        listener.accept_async(Cancellable::NONE, accepted.put());
        let client = gio::SocketClient::new();
        let connected = Slot::new();
        let address = gio_address(([127, 0, 0, 1], port).into());
        client.connect_async(&address, Cancellable::NONE, connected.put());
        let (accepted, _) = accepted.wait(context).unwrap();
        let connected = connected.wait(context).unwrap();
        let ours = [accepted.socket(), connected.socket()]
            .map(|socket| SocketConnection::factory_create_connection(&socket));
        for (one, other) in [(0, 1), (1, 0)] {
            write_all(&ours[one].output_stream(), b"over").unwrap();
            let read = start_read(&ours[other].input_stream(), 8, None);
            assert_eq!(read.wait(context).unwrap(), b"over");
        }
        for connection in &ours {
            connection.close(Cancellable::NONE).unwrap();
            assert!(connection.is_closed());
        }
        listener.close();
    });
}
