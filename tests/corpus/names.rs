//! What users type: hosts, URIs, services. Everything goes to a proxy of ours, which sees what is made of it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use gsock::{SocketClient, prelude::*};

use super::{asked::check, bytes::Bytes, client_tools::use_resolver_of_names, support::*};

/// Proxies, and what they say before they are asked.
const PROXIES: [(&str, &[u8]); 4] = [
    ("http", b"HTTP/1.0 200 OK\r\n\r\n"),
    ("socks5", &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ("socks4a", &[0, 90, 0, 0, 0, 0, 0, 0]),
    ("socks4", &[0, 90, 0, 0, 0, 0, 0, 0]),
];

pub fn one(data: &[u8], context: &glib::MainContext) {
    thread_local! {
        static LISTENER: (TcpListener, SocketAddr) = {
            let (listener, address) = listener();
            listener.set_nonblocking(true).expect("an option");
            (listener, address)
        };
    }
    use_resolver_of_names();
    let mut bytes = Bytes(data);
    let (scheme, says) = PROXIES[bytes.below(PROXIES.len())];
    let kind = bytes.below(4);
    let port = u16::from(bytes.byte());
    let text = String::from_utf8_lossy(bytes.0).into_owned();

    if text.contains("restless.") {
        // For a name that begins so the resolver leaves a source behind that is always ready.
        return;
    }

    let client = SocketClient::new();
    let address = LISTENER.with(|(_, address)| *address);
    let none: [&str; 0] = [];
    let resolver = gio::SimpleProxyResolver::new(Some(&format!("{scheme}://{address}")), none);
    client.set_proxy_resolver(Some(&resolver));
    client.set_connect_timeout(Duration::from_secs(5));
    let connecting = match kind {
        0 => client.connect_to_host_future(&text, port),
        1 => client.connect_to_uri_future(&text, port),
        2 => client.connect_to_service_future(&text, "xmpp-client"),
        // C's texts end there, and gio-rs panics.
        _ if text.contains('\0') => return,
        _ => client.connect_future(&gio::NetworkAddress::new(&text, port)),
    };
    let (put, mut found) = futures::channel::oneshot::channel();
    context.spawn_local(async move {
        let _ = put.send(connecting.await);
    });
    let mut made = None;
    let mut peers = Vec::new();
    let end = Instant::now() + LIMIT;
    while made.is_none() {
        assert!(Instant::now() < end, "neither there nor failed");
        context.iteration(false);
        while let Ok((mut peer, _)) = LISTENER.with(|(listener, _)| listener.accept()) {
            let _ = peer.write_all(says);
            peers.push(peer);
        }
        made = found.try_recv().expect("it is not dropped");
    }
    let made = made.and_then(Result::ok);
    let is_made = made.is_some();
    drop((made, client));
    let count = peers.len();
    for (at, mut peer) in peers.into_iter().enumerate() {
        // Of several addresses the last one is the one.
        let is_made = is_made && at + 1 == count;
        peer.set_nonblocking(false).expect("an option");
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        let mut asked = Vec::new();
        // Who goes with something unread resets.
        let _ = peer.read_to_end(&mut asked);
        if let Err(wrong) = check(scheme, &asked, is_made) {
            panic!("{wrong}");
        }
    }
}
