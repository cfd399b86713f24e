//! Proxies that say what a test has them say, and resolvers that name them.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    thread::{self, JoinHandle},
};

use crate::support::*;

/// After each read comes the next answer. Then the peer is there until the other side goes, or goes itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) answers: &'static [&'static [u8]],
    pub(crate) stays: bool,
}

pub(crate) const fn says(answers: &'static [&'static [u8]]) -> Script {
    Script {
        answers,
        stays: true,
    }
}

pub(crate) const fn goes_after(answers: &'static [&'static [u8]]) -> Script {
    Script {
        answers,
        stays: false,
    }
}

/// Plays it to one connection, and hands out what it has read.
pub(crate) fn proxy(script: Script) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (listener, address) = listener();
    let serving = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut read = Vec::new();
        let mut buffer = [0; 4096];
        for answer in script.answers {
            match peer.read(&mut buffer) {
                Ok(0) | Err(_) => return read,
                Ok(count) => read.extend_from_slice(&buffer[..count]),
            }
            if peer.write_all(answer).is_err() {
                return read;
            }
        }
        if script.answers.is_empty() {
            // Who goes with unread bytes resets.
            let count = peer.read(&mut buffer).unwrap_or(0);
            read.extend_from_slice(&buffer[..count]);
        }
        if script.stays {
            let _ = peer.read_to_end(&mut read);
        }
        read
    });
    (address, serving)
}

pub(crate) const NO_HOSTS: [&str; 0] = [];

/// Names this proxy for everything.
pub(crate) fn by(uri: &str) -> gio::ProxyResolver {
    gio::SimpleProxyResolver::new(Some(uri), NO_HOSTS)
}

/// SOCKS 5: no authentication, and connected.
pub(crate) const SOCKS5_OK: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
