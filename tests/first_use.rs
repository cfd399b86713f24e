//! The classes may be used for the first time by several threads at once, whatever other types are.

#![cfg(test)]

mod support;

use std::{
    process::{Command, Stdio},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use gsock::SocketConnection;
use support::{LIMIT, tcp_pair};

const CHILD: &str = "GSOCK_TEST_FIRST_USE";

/// A type is registered once in a process, so each round has a process of its own.
#[test]
fn threads_that_use_the_types_for_the_first_time_do_not_wait_for_each_other() {
    if std::env::var_os(CHILD).is_some() {
        return use_types_at_once();
    }
    let this = std::env::current_exe().expect("the test itself");
    for round in 0..40 {
        let mut child = Command::new(&this)
            .args([
                "--exact",
                "threads_that_use_the_types_for_the_first_time_do_not_wait_for_each_other",
            ])
            .env(CHILD, "1")
            .stdout(Stdio::null())
            .spawn()
            .expect("the test itself runs");
        let end = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait().expect("our child") {
                break status;
            }
            if Instant::now() >= end {
                child.kill().expect("our child");
                child.wait().expect("our child");
                panic!("round {round}: not done after {LIMIT:?}");
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert!(status.success(), "round {round}: {status}");
    }
}

fn use_types_at_once() {
    let start = Arc::new(Barrier::new(4));
    let at_once = |f: fn()| {
        let start = start.clone();
        thread::spawn(move || {
            start.wait();
            f();
        })
    };
    let threads = [
        at_once(|| drop(gio::Socket::from_fd(tcp_pair().1).expect("a socket"))),
        at_once(|| {
            let connection = SocketConnection::factory_create_connection_from_fd(tcp_pair().1);
            drop(connection.expect("a socket"));
        }),
        at_once(|| {
            let socket = gio::Socket::from_fd(tcp_pair().1).expect("a socket");
            drop(SocketConnection::new(&socket));
        }),
        at_once(|| {
            let key = (gio::SocketFamily::Ipv4, gio::SocketType::Stream, 0);
            SocketConnection::factory_lookup_type(key.0, key.1, key.2);
        }),
    ];
    for thread in threads {
        thread.join().expect("no panic");
    }
}
