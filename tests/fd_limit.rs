//! A process that may open no more descriptors: what is open goes on working.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "sets the limit, and calls the objects as C does"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions with arguments converted in place"
)]

mod support;

#[path = "fd_limit/client.rs"]
mod client;
#[path = "fd_limit/listener.rs"]
mod listener;
#[path = "fd_limit/on_their_way.rs"]
mod on_their_way;
#[path = "faults/tools.rs"]
#[allow(dead_code, reason = "the limit needs a part of it")]
mod tools;

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{FromRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, UnixConnection, prelude::*};
use support::*;
use tools::*;

/// The limit is the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// While it lives, no descriptor can be opened.
struct Full {
    _limit: Limit,
    _fillers: Vec<OwnedFd>,
}

/// While it lives, so many descriptors may be open.
struct Limit(libc::rlimit);

impl Limit {
    fn of(count: libc::rlim_t) -> Self {
        let mut before = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: a place for the value.
        let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) };
        assert_eq!(got, 0);
        let low = libc::rlimit {
            rlim_cur: count,
            ..before
        };
        // SAFETY: a live value.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const low) };
        assert_eq!(set, 0);
        Self(before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // SAFETY: a live value.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const self.0) };
    }
}

impl Full {
    fn now() -> Self {
        let null = File::open("/dev/null").expect("a device");
        let limit = Limit::of(128);
        let mut fillers = vec![OwnedFd::from(null)];
        loop {
            // SAFETY: no pointers involved.
            let fd = unsafe { libc::dup(std::os::fd::AsRawFd::as_raw_fd(&fillers[0])) };
            if fd < 0 {
                break;
            }
            // SAFETY: a descriptor of our own, just made.
            fillers.push(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let full = std::io::Error::last_os_error().raw_os_error();
        assert_eq!(full, Some(libc::EMFILE));
        Self {
            _limit: limit,
            _fillers: fillers,
        }
    }
}

/// Runs `test` on a thread that has waited with no cancellable yet.
fn alone(test: impl FnOnce(&glib::MainContext) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    on_private_context(|context| {
        // GTask opens descriptors for the process at its first use, and aborts where it cannot.
        let (connection, mut peer) = connected();
        peer.write_all(b"x").expect("room");
        ended(context, &start_read(&connection, 1, None)).expect("a byte");
        // GIO's own, around every write.
        ended(context, &start_write(&connection, b"x".to_vec(), None)).expect("room");
        test(context);
    });
}

#[test]
fn blocking_operations_with_a_cancellable_work_at_the_limit() {
    alone(|_| {
        let (connection, mut peer) = connected();
        let full = Full::now();
        assert_fails(
            gio::Socket::new(
                gio::SocketFamily::Ipv4,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
            ),
            E::TooManyOpenFiles,
        );
        // Data that is there, data that comes, and a cancellation.
        let cancellable = gio::Cancellable::new();
        peer.write_all(b"now!").expect("room");
        let input = connection.input_stream();
        let mut buffer = [0; 4];
        assert_eq!(
            input
                .read(&mut buffer, Some(&cancellable))
                .expect("four bytes"),
            4
        );
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            peer.write_all(b"late").expect("room");
            peer
        });
        assert_eq!(
            input
                .read(&mut buffer, Some(&cancellable))
                .expect("four bytes"),
            4
        );
        assert_eq!(&buffer, b"late");
        let mut peer = writer.join().expect("no panic");
        let canceller = cancel_soon(&cancellable);
        assert_fails(input.read(&mut buffer, Some(&cancellable)), E::Cancelled);
        canceller.join().expect("no panic");

        fill(&connection);
        let cancellable = gio::Cancellable::new();
        let canceller = cancel_soon(&cancellable);
        let written = connection
            .output_stream()
            .write(b"never", Some(&cancellable));
        assert_fails(written, E::Cancelled);
        canceller.join().expect("no panic");
        let sent = connection.bytes_written();
        connection
            .close(Some(&gio::Cancellable::new()))
            .expect("open");
        assert_eq!(read_to_end(&mut peer).len() as u64, sent);
        drop(full);
    });
}

/// The socket's timeout ends a wait in the same way.
#[test]
fn a_blocking_read_with_a_cancellable_times_out_at_the_limit() {
    alone(|_| {
        let (connection, _peer) = connected();
        connection.socket().set_timeout(1);
        let full = Full::now();
        let cancellable = gio::Cancellable::new();
        let start = std::time::Instant::now();
        let read = connection
            .input_stream()
            .read(&mut [0_u8; 4], Some(&cancellable));
        assert_fails(read, E::TimedOut);
        assert_a_second_since(start);
        drop(full);
        // The thread is as good as any other afterwards.
        let canceller = cancel_soon(&cancellable);
        let read = connection
            .input_stream()
            .read(&mut [0_u8; 4], Some(&cancellable));
        assert_fails(read, E::Cancelled);
        canceller.join().expect("no panic");
    });
}

#[test]
fn connects_with_a_cancellable_work_at_the_limit() {
    alone(|context| {
        let (_server, address) = listener();
        let deaf = deaf_listener();
        let refused = gio_address(refused_address());
        let connections: Vec<SocketConnection> = FORMS.iter().map(|_| unconnected()).collect();
        let other = unconnected();
        let full = Full::now();
        for (form, connection) in FORMS.into_iter().zip(&connections) {
            let failed = connect_by(form, context, connection, &refused);
            assert_fails(failed, E::ConnectionRefused);
            connect_by(form, context, connection, &gio_address(address)).expect("it listens");
            assert_eq!(connection.state(), ConnectionState::Connected);
        }
        let cancellable = gio::Cancellable::new();
        let canceller = cancel_soon(&cancellable);
        let connected = other.connect(&gio_address(deaf.address), Some(&cancellable));
        assert_fails(connected, E::Cancelled);
        canceller.join().expect("no panic");
        let cancellable = gio::Cancellable::new();
        let started = start_connect(&other, &gio_address(deaf.address), Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        let canceller = cancel_soon(&cancellable);
        assert_fails(ended(context, &started), E::Cancelled);
        canceller.join().expect("no panic");
        assert_eq!(other.state(), ConnectionState::Unconnected);
        drop(full);
    });
}

#[test]
fn asynchronous_operations_with_a_cancellable_work_at_the_limit() {
    alone(|context| {
        let (connection, mut peer) = connected();
        let (graceful, mut graceful_peer) = connected();
        graceful
            .downcast_ref::<TcpConnection>()
            .expect("TCP")
            .set_graceful_disconnect(true);
        let full = Full::now();
        let cancellable = gio::Cancellable::new();
        let reading = start_read(&connection, 4, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        peer.write_all(b"late").expect("room");
        assert_eq!(ended(context, &reading).expect("four bytes"), 4);
        fill(&connection);
        let reading = start_read(&connection, 4, Some(&cancellable));
        let writing = start_write(&connection, b"never".to_vec(), Some(&cancellable));
        let closing = start_close(&graceful, Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        let canceller = cancel_soon(&cancellable);
        for started in [&reading, &writing, &closing] {
            assert_fails(ended(context, started), E::Cancelled);
        }
        canceller.join().expect("no panic");
        assert!(graceful.is_closed());
        assert!(read_to_end(&mut graceful_peer).is_empty());
        let sent = connection.bytes_written();
        assert!(ended(context, &start_close(&connection, None)).is_ok());
        assert_eq!(read_to_end(&mut peer).len() as u64, sent);
        drop(full);
    });
}

#[test]
fn connections_are_made_and_exchanged_around_open_descriptors_at_the_limit() {
    alone(|context| {
        let (mut peer, fd) = tcp_pair();
        let (mut other_peer, other) = tcp_pair();
        let full = Full::now();
        let connection = SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
        assert_talks(&connection, &mut peer);
        let socket = connection.socket();
        assert!(socket.is_connected());
        assert_talks(&connection, &mut peer);
        drop(socket);
        let other = gio::Socket::from_fd(other).expect("a socket");
        connection.set_socket(&other).expect("nothing is pending");
        assert!(read_to_end(&mut peer).is_empty());
        assert_talks(&connection, &mut other_peer);
        let gone = Gone::of(&connection);
        drop((connection, other));
        assert_idle(context);
        assert!(gone.is_gone());
        let mut nothing = [0; 1];
        assert_eq!(other_peer.read(&mut nothing).expect("the end"), 0);
        drop(full);
    });
}

// --- Descriptors that arrive at the limit --------------------------------------------------------

fn unix_pair() -> (UnixConnection, UnixConnection) {
    let (one, other) = std::os::unix::net::UnixStream::pair().expect("two sockets");
    let make = |fd: OwnedFd| {
        let connection = SocketConnection::factory_create_connection_from_fd(fd);
        connection.expect("a socket").downcast().expect("Unix")
    };
    (make(one.into()), make(other.into()))
}

/// A file, and the end at which it is seen to be closed everywhere.
fn parcel() -> (std::io::PipeReader, std::io::PipeWriter) {
    std::io::pipe().expect("a pipe")
}

/// UNIX-16, F-15: the kernel drops what finds no place, and says so.
#[test]
fn descriptors_that_find_no_place_are_an_error_and_those_that_came_are_closed() {
    alone(|_| {
        let (one, other) = unix_pair();
        for (sent, max) in [(1, 1), (9, 9), (9, 253)] {
            let (mut seen_from, file) = parcel();
            let fds = vec![std::os::fd::AsFd::as_fd(&file); sent];
            one.send_fds(&fds, gio::Cancellable::NONE).expect("room");
            one.send_credentials(gio::Cancellable::NONE).expect("room");
            let mut full = Full::now();
            // Room for some, if there are some.
            full._fillers
                .truncate(full._fillers.len() - (sent - 1).min(3));
            let failed = if max == 1 {
                other.receive_fd(gio::Cancellable::NONE).map(drop)
            } else {
                other.receive_fds(max, gio::Cancellable::NONE).map(drop)
            };
            drop(full);
            assert_fails(failed, E::InvalidData);
            drop(file);
            // An end of file comes only when the last descriptor of the other end is closed.
            assert_eq!(seen_from.read(&mut [0]).expect("an end of file"), 0);
            // The message is gone, and nothing else is.
            other
                .receive_credentials(gio::Cancellable::NONE)
                .expect("sent");
        }
    });
}

/// UNIX-16: GIO does not look, so that it answers as to no descriptor at all.
#[test]
fn gio_unix_16_descriptors_that_find_no_place_go_unnoticed() {
    alone(|_| {
        let (one, other) = std::os::unix::net::UnixStream::pair().expect("two sockets");
        let one: UnixConnection = SocketConnection::factory_create_connection_from_fd(one.into())
            .expect("a socket")
            .downcast()
            .expect("Unix");
        let socket = gio::Socket::from_fd(other.into()).expect("a socket");
        let other: gio::UnixConnection = socket
            .connection_factory_create_connection()
            .downcast()
            .expect("Unix");
        let (_seen_from, file) = parcel();
        // Two were sent, one finds a place: that is as if one had been sent.
        let fds = [std::os::fd::AsFd::as_fd(&file); 2];
        one.send_fds(&fds, gio::Cancellable::NONE).expect("room");
        let mut full = Full::now();
        full._fillers.pop();
        let received = other.receive_fd(gio::Cancellable::NONE);
        drop(full);
        if glib::check_version(2, 75, 0).is_some() {
            let fd = received.expect("one of two");
            // SAFETY: gio-rs answers with the number, which is the caller's.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    });
}

#[test]
fn at_the_limit_a_descriptor_is_sent_blocking_and_not_duplicated_for_later() {
    alone(|context| {
        let (one, other) = unix_pair();
        let (_seen_from, file) = parcel();
        let fd = std::os::fd::AsFd::as_fd(&file);
        let full = Full::now();
        one.send_fd(fd, gio::Cancellable::NONE).expect("room");
        let later = one.send_fd_future(fd);
        drop(full);
        assert_fails(block_on(context, later), E::TooManyOpenFiles);
        other.receive_fd(gio::Cancellable::NONE).expect("sent");
        assert_eq!(one.bytes_written(), 1);
    });
}

#[test]
fn a_descriptor_of_the_peers_process_finds_no_place_at_the_limit() {
    alone(|_| {
        let (one, _other) = unix_pair();
        let full = Full::now();
        assert_fails(one.peer_pidfd(), E::TooManyOpenFiles);
        drop(full);
        one.peer_pidfd().expect("the process is here");
    });
}

/// Without a poller the context waits as it did.
#[test]
fn a_poll_function_that_cannot_be_had_at_the_limit_leaves_the_context_as_it_was() {
    alone(|_| {
        let context = glib::MainContext::new();
        let full = Full::now();
        let set = gsock::engine::use_poll_function(&context, true);
        if std::env::var_os("GSOCK_BACK_END").is_some_and(|back_end| back_end == "sources") {
            assert_fails(set, E::NotSupported);
            return;
        }
        assert_fails(set, E::TooManyOpenFiles);
        drop(full);
        assert!(!context.iteration(false));
        gsock::engine::use_poll_function(&context, true).expect("there is room");
        gsock::engine::use_poll_function(&context, false).expect("it is ours");
    });
}
