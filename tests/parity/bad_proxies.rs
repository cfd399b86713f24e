//! Proxies whose answers come in pieces, or not to their end, and names that would be more than one to them.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::Duration,
};

use futures::future::{Either, select};
use gio::{IOErrorEnum as E, prelude::*};
use gsock::prelude::*;

use crate::{
    client::{FORMS, Form},
    differs::differs,
    proxy_peers::{by, goes_after, proxy, says},
    support::*,
    under::*,
};

/// What a client asks for, and what comes of it within a while; nothing where it is at it for ever.
fn through(
    side: Side,
    form: Form,
    uri: &str,
    host: &str,
    context: &glib::MainContext,
) -> Option<Result<(), E>> {
    let host = gio::NetworkAddress::new(host, 70);
    if form == Form::Blocking {
        let client = side.client();
        client.0.set_property("proxy-resolver", by(uri));
        let made = client.connect(form, &host, context);
        return Some(made.map(drop).map_err(|failure| code(&failure)));
    }
    let (uri, while_of) = (uri.to_owned(), Duration::from_millis(300) * slowness());
    block_on(context, async move {
        let time = Box::pin(glib::timeout_future(while_of));
        let made = match side {
            Side::Gio => {
                let client = gio::SocketClient::new();
                client.set_proxy_resolver(Some(&by(&uri)));
                match select(client.connect_future(&host), time).await {
                    Either::Left((made, _)) => made.map(drop),
                    Either::Right(_) => return None,
                }
            }
            Side::Ours => {
                let client = gsock::SocketClient::new();
                client.set_proxy_resolver(Some(&by(&uri)));
                client.connect_future(&host).await.map(drop)
            }
        };
        Some(made.map_err(|failure| code(&failure)))
    })
}

/// CLIENT-75: GIO takes a part for all of it where it blocks; its asynchronous form reads the end of the stream again and again.
#[test]
fn differs_client_75_a_socks4_proxy_that_goes_ends_every_form() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                FORMS.map(|form| {
                    let (address, serving) = proxy(goes_after(&[&[0, 90]]));
                    let uri = format!("socks4a://{address}");
                    let found = through(side, form, &uri, "far.test", context);
                    serving.join().unwrap();
                    found
                })
            },
            [Some(Ok(())), None],
            [Some(Err(E::BrokenPipe)), Some(Err(E::BrokenPipe))],
        );
    });
}

/// CLIENT-77: what is behind a line break is a line of the request.
#[test]
fn differs_client_77_a_name_is_no_more_than_a_name_to_a_proxy() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                FORMS.map(|form| {
                    let (address, serving) = proxy(says(&[b"HTTP/1.0 200 OK\r\n\r\n"]));
                    let uri = format!("http://{address}");
                    let host = "far.test\r\nx-own: yes\r\nx-rest:";
                    let found = through(side, form, &uri, host, context);
                    let asked = String::from_utf8(serving.join().unwrap()).unwrap();
                    (found, asked.contains("\r\nx-own: yes\r\n"))
                })
            },
            [(Some(Ok(())), true), (Some(Ok(())), true)],
            [
                (Some(Err(E::InvalidArgument)), false),
                (Some(Err(E::InvalidArgument)), false),
            ],
        );
    });
}

/// A SOCKS 5 proxy whose outcome comes in two pieces.
fn halting_proxy() -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener();
    let serving = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_nodelay(true).unwrap();
        let mut buffer = [0; 512];
        assert!(peer.read(&mut buffer).unwrap() > 0);
        peer.write_all(&[5, 0]).unwrap();
        assert!(peer.read(&mut buffer).unwrap() > 0);
        let outcome = b"\x05\x00\x00\x03\x08far.test\x00\x46";
        peer.write_all(&outcome[..7]).unwrap();
        thread::sleep(Duration::from_millis(50));
        let _ = peer.write_all(&outcome[7..]);
        let _ = peer.read_to_end(&mut Vec::new());
    });
    (address, serving)
}

/// CLIENT-78: GIO's asynchronous form takes the first piece for all of it.
#[test]
fn differs_client_78_the_answer_of_a_socks5_proxy_may_come_in_pieces() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                FORMS.map(|form| {
                    let (address, serving) = halting_proxy();
                    let uri = format!("socks5://{address}");
                    let found = through(side, form, &uri, "far.test", context);
                    serving.join().unwrap();
                    found
                })
            },
            [Some(Ok(())), Some(Err(E::ProxyFailed))],
            [Some(Ok(())), Some(Ok(()))],
        );
    });
}

/// CLIENT-85: the end of the stream is taken for that of the headers.
#[test]
fn differs_client_85_an_http_answer_without_an_end_is_none() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                FORMS.map(|form| {
                    let (address, serving) = proxy(goes_after(&[b"HTTP/1.0 200 OK\r\nVia: "]));
                    let uri = format!("http://{address}");
                    let found = through(side, form, &uri, "far.test", context);
                    serving.join().unwrap();
                    found
                })
            },
            [Some(Ok(())), Some(Ok(()))],
            [Some(Err(E::ProxyFailed)), Some(Err(E::ProxyFailed))],
        );
    });
}
