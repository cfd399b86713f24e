//! Answers that do not end, and others that never begin: bounded memory, bounded time.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::IOErrorEnum as E;
use gsock::prelude::*;

use crate::{cases::*, client_tools::*, proxies::*, support::*};

/// So much and what the kernel holds is read of an answer, and no more.
const MOST: usize = 8 << 20;

/// Says `head`, and then `piece` again and again until the client goes. How much that was.
fn endless(
    head: &'static [u8],
    piece: &'static [u8],
    slowly: bool,
) -> (SocketAddr, JoinHandle<usize>) {
    let (listener, address) = listener_of_our_own();
    let serving = thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("it listens");
        let _ = peer.set_write_timeout(Some(LIMIT * slowness()));
        let _ = peer.read(&mut [0; 4096]);
        let _ = peer.write_all(head);
        let many = if slowly {
            piece.to_vec()
        } else {
            piece.repeat(60_000 / piece.len())
        };
        let mut said = 0;
        while said < MOST && peer.write_all(&many).is_ok() {
            said += many.len();
            if slowly {
                thread::sleep(Duration::from_millis(2));
            }
        }
        said
    });
    (address, serving)
}

type Endless = (
    &'static str,
    &'static str,
    &'static [u8],
    &'static [u8],
    bool,
);

#[test]
fn an_answer_that_does_not_end_is_left_before_it_fills_the_memory() {
    on_private_context_within(LIMIT * 8, |_| {
        let heads: [Endless; 10] = [
            (
                "headers",
                "http://",
                b"HTTP/1.0 200 OK\r\n",
                b"X: y\r\n",
                false,
            ),
            (
                "a header",
                "http://",
                b"HTTP/1.0 200 OK\r\nX: ",
                b"y",
                false,
            ),
            ("a first line", "http://", b"HTTP/1.0 200 ", b"O", false),
            ("a status", "http://", b"HTTP/1.0 2", b"0", false),
            ("nothing of HTTP", "http://", b"", b"\xff\0", false),
            (
                "ends of lines that are none",
                "http://",
                b"HTTP/1.0 200 OK",
                b"\r",
                false,
            ),
            ("zeros", "http://", b"HTTP/1.0 200 OK\r\n", b"\0", false),
            ("methods", "socks5://", b"", b"\x05", false),
            (
                "outcomes",
                "socks5://",
                b"\x05\x00",
                b"\x05\x00\x00\x07",
                false,
            ),
            ("nothing of SOCKS", "socks4a://", b"", b"\xff", false),
        ];
        let mut cases = Vec::new();
        for head in heads {
            cases.extend(FORMS.map(|form| (head, form)));
        }
        let label =
            |&((what, scheme, ..), form): &(Endless, Form)| format!("{what} of {scheme} {form:?}");
        judge("answers without an end", &cases, label, |case, context| {
            let ((_, scheme, head, piece, slowly), form) = *case;
            let (address, serving) = endless(head, piece, slowly);
            let client = through(&format!("{scheme}{address}"));
            let made = connect(form, &client, &far(scheme), None, context);
            let said = serving.join().map_err(|_| "the proxy has failed")?;
            match made {
                Ok(made) => Err(format!("{made:?}")),
                Err(_) if said >= MOST => Err(format!("{said} bytes were read")),
                Err(failure) if failure.matches(E::ProxyFailed) => Ok(()),
                // That is what it says, byte for byte.
                Err(failure) if failure.matches(E::ProxyAuthFailed) && scheme == "socks5://" => {
                    Ok(())
                }
                Err(failure) => Err(format!("{failure:?}")),
            }
        });
    });
}

#[test]
fn an_answer_that_comes_too_slowly_ends_with_the_time_for_connecting() {
    on_private_context_within(LIMIT * 8, |_| {
        let slow: [Endless; 5] = [
            ("headers", "http://", b"HTTP/1.0 200 OK\r\n", b"X", true),
            ("a status", "http://", b"HTTP/1.0 ", b" ", true),
            ("silence", "http://", b"", b"", true),
            ("silence", "socks5://", b"\x05", b"", true),
            ("silence", "socks4a://", b"\0", b"", true),
        ];
        let mut cases = Vec::new();
        for head in slow {
            cases.extend(FORMS.map(|form| (head, form)));
        }
        let label =
            |&((what, scheme, ..), form): &(Endless, Form)| format!("{what} of {scheme} {form:?}");
        judge(
            "answers that come too slowly",
            &cases,
            label,
            |case, context| {
                let ((_, scheme, head, piece, _), form) = *case;
                let (address, serving) = if piece.is_empty() {
                    silent(head)
                } else {
                    endless(head, piece, true)
                };
                let client = through(&format!("{scheme}{address}"));
                client.set_connect_timeout(Duration::from_millis(150) * slowness());
                let made = connect(form, &client, &far(scheme), None, context);
                // The time may have been up before the proxy had a guest.
                let _ = std::net::TcpStream::connect(address);
                // It has gone, and the proxy sees it.
                serving.join().map_err(|_| "the proxy has failed")?;
                match made {
                    Err(failure) if failure.matches(E::TimedOut) => Ok(()),
                    made => Err(format!("{made:?}")),
                }
            },
        );
    });
}

/// Says this and no more, until the client goes.
fn silent(head: &'static [u8]) -> (SocketAddr, JoinHandle<usize>) {
    let (listener, address) = listener_of_our_own();
    let serving = thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("it listens");
        let _ = peer.set_read_timeout(Some(LIMIT * slowness()));
        let _ = peer.write_all(head);
        let _ = peer.read_to_end(&mut Vec::new());
        head.len()
    });
    (address, serving)
}

/// A SOCKS 4a proxy that agrees, and is there until the client goes.
pub(crate) fn silent_for_a_test() -> (SocketAddr, JoinHandle<usize>) {
    silent(&[0, 90, 0, 0, 0, 0, 0, 0])
}
