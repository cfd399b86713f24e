//! What a proxy answers, judged by the oracle of `tests/bad_input`.

use std::{
    io::Write,
    net::{Shutdown, TcpListener},
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketClient, prelude::*};

use super::{bytes::Bytes, oracle::*, support::*};

const SCHEMES: [&str; 6] = [
    "socks4://",
    "socks4a://",
    "socks5://",
    "socks5://me:secret@",
    "http://",
    "http://me:secret@",
];

/// What all that is said comes to, where each request is answered before it is made.
fn expected(scheme: &str, said: &[u8]) -> Expected {
    let has_login = scheme.contains('@');
    match scheme {
        "socks4://" | "socks4a://" => socks4(said),
        _ if scheme.starts_with("http") => http(said, has_login),
        _ => {
            let Some((method, rest)) = said.split_at_checked(2) else {
                return GONE;
            };
            if let Err(failure) = socks5_method(method, has_login) {
                return failure;
            }
            if method[1] == 0 {
                return socks5(rest);
            }
            let Some((login, rest)) = rest.split_at_checked(2) else {
                return GONE;
            };
            match socks5_login(login) {
                Err(failure) => failure,
                Ok(()) => socks5(rest),
            }
        }
    }
}

pub fn one(data: &[u8], context: &glib::MainContext) {
    thread_local! {
        static LISTENER: (TcpListener, std::net::SocketAddr) = listener();
    }
    let mut bytes = Bytes(data);
    let scheme = SCHEMES[bytes.below(SCHEMES.len())];
    let manner = bytes.byte();
    let said = bytes.0;
    let client = SocketClient::new();
    let address = LISTENER.with(|(_, address)| *address);
    let none: [&str; 0] = [];
    let resolver = gio::SimpleProxyResolver::new(Some(&format!("{scheme}{address}")), none);
    client.set_proxy_resolver(Some(&resolver));
    client.set_connect_timeout(Duration::from_secs(5));
    let is_address = scheme == "socks4://";
    let host = if is_address { "127.0.0.1" } else { "far.test" };
    let far = gio::NetworkAddress::new(host, 70);
    let (found, put) = futures::channel::oneshot::channel();
    let (found, mut put) = (put, Some(found));
    client.connect_async(&far, Cancellable::NONE, move |client, result| {
        if let Some(put) = put.take() {
            let _ = put.send(client.connect_finish(result));
        }
    });
    let mut found = found;
    // It is connected as soon as the context has run.
    let (mut peer, _) = LISTENER.with(|(listener, _)| {
        listener.set_nonblocking(true).expect("an option");
        let end = Instant::now() + LIMIT;
        loop {
            if let Ok(accepted) = listener.accept() {
                return accepted;
            }
            assert!(Instant::now() < end, "nobody connects");
            context.iteration(false);
        }
    });
    peer.set_nonblocking(false).expect("an option");
    let _ = peer.set_nodelay(true);
    let pieces = match manner % 4 {
        0 => 1,
        1 => 7,
        _ => said.len().max(1),
    };
    for piece in said.chunks(pieces) {
        // Who has enough of it goes.
        if peer.write_all(piece).is_err() {
            break;
        }
        if pieces < said.len() {
            context.iteration(false);
        }
    }
    let resets = manner & 0x80 != 0;
    let mut peer = Some(peer);
    if resets {
        peer.take().into_iter().for_each(reset);
    } else if let Some(peer) = &peer {
        let _ = peer.shutdown(Shutdown::Write);
    }
    let mut made = None;
    iterate_until(context, || {
        made = found.try_recv().ok().flatten();
        made.is_some()
    });
    let made = made.expect("it was waited for");
    if resets {
        // What had arrived is lost, or not.
        return;
    }
    match (made, expected(scheme, said)) {
        (Ok(made), Expected::Connection(far)) => {
            let mut rest = vec![0; far.len() + 1];
            let read = made.input_stream().read_all(&mut rest, Cancellable::NONE);
            let (count, failure) = read.expect("it is open");
            assert!(failure.is_none(), "{failure:?}");
            assert_eq!(rest[..count], far);
        }
        (Err(failure), Expected::Failure(codes)) => {
            let code = failure.kind::<E>();
            // Who has said so much that it was too long is refused whatever it is.
            let is_right = code.is_some_and(|code| codes.contains(&code));
            assert!(is_right, "{failure:?} and not {codes:?}");
            assert!(!failure.message().contains("secret"));
        }
        (made, expected) => panic!("{made:?} and not {expected:?}"),
    }
    drop(peer);
}
