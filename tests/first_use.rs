//! The first use of the library by two threads at once, which a process has only once.

#![cfg(test)]

mod support;

use std::{
    os::fd::OwnedFd,
    process::Command,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

use crate::support::*;

/// Set in a process that is to be the one which uses the library first.
const ROLE: &str = "GSOCK_TEST_FIRST_USE";

/// GObject holds a lock while a class is initialised, and the registration of a type with
/// interfaces takes it while others wait for that type: a class that asks for such a type, say
/// `GSocket`, for the first time in its initialisation waits for who waits for it.
#[test]
fn two_threads_may_use_the_library_first() {
    if let Ok(role) = std::env::var(ROLE) {
        return use_it_first(FIRST_USES[role.parse::<usize>().unwrap()]);
    }
    let this = std::env::current_exe().unwrap();
    for role in (0..FIRST_USES.len()).cycle().take(20 * FIRST_USES.len()) {
        let mut child = Command::new(&this)
            .args(["--exact", "two_threads_may_use_the_library_first"])
            .env(ROLE, role.to_string())
            .spawn()
            .unwrap();
        let end = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() >= end {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the two threads wait for each other, of pair {role}");
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert!(status.success());
    }
}

type Use = fn(OwnedFd);

/// What each of the two threads does.
const FIRST_USES: [(Use, Use); 11] = [
    (make_a_socket, make_a_connection),
    (make_an_address, make_a_connection),
    (make_a_socket, make_a_connection_around_a_socket),
    (make_a_connection, make_a_connection),
    (adopt, make_one_of_gios),
    (adopt, make_one_of_a_class_below),
    (adopt, make_a_socket),
    (adopt_and_use, adopt_and_use),
    (adopt_and_use, make_a_connection),
    (adopt_and_use, go_there),
    (make_one_of_gios, go_there),
];

fn make_a_socket(fd: OwnedFd) {
    gio::Socket::from_fd(fd).unwrap();
}

fn make_an_address(_: OwnedFd) {
    gio::InetSocketAddress::new(&gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4), 1);
}

fn make_a_connection(fd: OwnedFd) {
    let connection = SocketConnection::factory_create_connection_from_fd(fd).unwrap();
    connection.input_stream();
    connection.remote_address().unwrap();
}

fn make_a_connection_around_a_socket(fd: OwnedFd) {
    let connection = SocketConnection::new(&gio::Socket::from_fd(fd).unwrap());
    connection.output_stream();
}

fn adopt(_: OwnedFd) {
    gsock::adopt_gio().unwrap();
}

/// Adopted or not, as it happens: it works.
fn make_one_of_gios(fd: OwnedFd) {
    let socket = gio::Socket::from_fd(fd).unwrap();
    for _ in 0..20 {
        let connection = socket.connection_factory_create_connection();
        let output = connection.output_stream();
        output.write_all(b"x", gio::Cancellable::NONE).unwrap();
        assert!(!connection.input_stream().is_closed());
    }
}

/// Its class has what its parent's has at that moment.
fn make_one_of_a_class_below(fd: OwnedFd) {
    let connection = gio::Socket::from_fd(fd)
        .unwrap()
        .connection_factory_create_connection();
    let wrapper = gio::TcpWrapperConnection::new(&connection, &connection.socket());
    assert_eq!(wrapper.type_().name(), "GTcpWrapperConnection");
    let output = wrapper.output_stream();
    output.write_all(b"x", gio::Cancellable::NONE).unwrap();
}

fn adopt_and_use(fd: OwnedFd) {
    gsock::adopt_gio().unwrap();
    let socket = gio::Socket::from_fd(fd).unwrap();
    let connection = socket.connection_factory_create_connection();
    assert_eq!(connection.type_().name(), "GsockGioTcpConnection");
    let output = connection.output_stream();
    output.write_all(b"x", gio::Cancellable::NONE).unwrap();
    assert_eq!(SocketConnection::from_gio(&connection).to_gio(), connection);
}

fn go_there(fd: OwnedFd) {
    let connection = SocketConnection::factory_create_connection_from_fd(fd).unwrap();
    let theirs = connection.to_gio();
    let output = theirs.output_stream();
    output.write_all(b"x", gio::Cancellable::NONE).unwrap();
}

fn use_it_first((one, other): (Use, Use)) {
    let start = Arc::new(Barrier::new(2));
    let threads = [one, other].map(|first| {
        let (peer, fd) = tcp_pair();
        let start = start.clone();
        thread::spawn(move || {
            start.wait();
            first(fd);
            drop(peer);
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}
