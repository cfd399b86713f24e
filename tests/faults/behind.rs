//! A GSocket that is closed behind the connection's back.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::support::*;
use crate::tools::*;

/// Numbers that nothing else in this process has, so that a test may take one again.
fn number_of_its_own() -> RawFd {
    static NEXT: AtomicI32 = AtomicI32::new(600);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn moved_to(fd: OwnedFd, number: RawFd) -> OwnedFd {
    // SAFETY: no pointers involved.
    let moved = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    assert_eq!(moved, number, "the number is free");
    // SAFETY: a descriptor of our own, just made.
    unsafe { OwnedFd::from_raw_fd(moved) }
}

/// A file that comes to have the number of a socket that was closed: what it holds must stay.
struct Foreign {
    ours: UnixStream,
    theirs: UnixStream,
    number: RawFd,
}

impl Foreign {
    fn at(number: RawFd, readable: bool) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("an option");
        let ours = UnixStream::from(moved_to(ours.into(), number));
        ours.set_nonblocking(true).expect("an option");
        if readable {
            (&theirs).write_all(b"precious").expect("room");
        }
        Self {
            ours,
            theirs,
            number,
        }
    }

    /// Not read, not written, not shut down, not closed.
    #[track_caller]
    fn assert_untouched(mut self) {
        assert_eq!(self.ours.as_raw_fd(), self.number);
        let mut buffer = [0; 64];
        let nothing = self
            .theirs
            .read(&mut buffer)
            .expect_err("nobody wrote there");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        let _ = self.ours.write_all(b"alive");
        assert_eq!(
            self.theirs
                .read(&mut buffer)
                .expect("what was just written"),
            5
        );
        match self.ours.read(&mut buffer) {
            Ok(count) => assert_eq!(&buffer[..count], b"precious"),
            Err(failure) => {
                assert_eq!(failure.kind(), ErrorKind::WouldBlock);
                self.theirs.write_all(b"later").expect("it is open");
                assert_eq!(
                    self.ours.read(&mut buffer).expect("what was just written"),
                    5
                );
            }
        }
    }
}

fn connected_at(number: RawFd) -> (SocketConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let fd = moved_to(fd, number);
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    (SocketConnection::factory_create_connection(&socket), peer)
}

#[test]
fn a_pending_read_ends_with_closed_when_the_gsocket_is_closed() {
    on_private_context(|context| {
        for steps in STEPS {
            let (connection, mut peer) = connected();
            let reading = start_read(&connection, 4, None);
            fill(&connection);
            let sent = connection.bytes_written();
            let writing = start_write(&connection, vec![1; 8], None);
            iterate(context, steps);
            connection.socket().close().expect("open");
            assert_fails(ended(context, &reading), E::Closed);
            assert_fails(ended(context, &writing), E::Closed);
            assert_eq!(connection.bytes_written(), sent);
            assert!(!connection.is_connected());
            assert!(!connection.is_alive());
            assert_all_closed(context, &connection);
            assert_eq!(read_to_end(&mut peer).len() as u64, sent);
            let gone = [Gone::of(&connection), Gone::of(&connection.socket())];
            drop(connection);
            assert_idle(context);
            assert!(gone.iter().all(Gone::is_gone));
            assert!(reading.is_task_gone() && writing.is_task_gone());
        }
    });
}

/// SOCK-32: GIO's sources see it in the next iteration.
#[test]
fn a_pending_read_ends_with_closed_although_its_number_is_another_files() {
    on_private_context(|context| {
        for readable in [true, false] {
            for steps in 0..3 {
                let number = number_of_its_own();
                let (connection, mut peer) = connected_at(number);
                let reading = start_read(&connection, 4, None);
                iterate(context, steps);
                connection.socket().close().expect("open");
                let foreign = Foreign::at(number, readable);
                assert_fails(ended(context, &reading), E::Closed);
                assert_all_closed(context, &connection);
                assert!(read_to_end(&mut peer).is_empty());
                connection
                    .close(gio::Cancellable::NONE)
                    .expect("nothing to do");
                drop(connection);
                assert_idle(context);
                foreign.assert_untouched();
            }
        }
    });
}

#[test]
fn a_pending_write_or_connect_ends_with_closed_although_its_number_is_another_files() {
    on_private_context(|context| {
        let number = number_of_its_own();
        let (connection, _peer) = connected_at(number);
        fill(&connection);
        let writing = start_write(&connection, vec![1; 8], None);
        iterate(context, 2);
        connection.socket().close().expect("open");
        let foreign = Foreign::at(number, true);
        assert_fails(ended(context, &writing), E::Closed);
        drop(connection);
        assert_idle(context);
        foreign.assert_untouched();

        let deaf = deaf_listener();
        let number = number_of_its_own();
        let fresh = ipv4_socket();
        // SAFETY: a descriptor of our own, just made.
        let fd = unsafe { OwnedFd::from_raw_fd(libc::dup(fresh.as_raw_fd())) };
        let socket = gio::Socket::from_fd(moved_to(fd, number)).expect("a socket");
        drop(fresh);
        let connection = SocketConnection::factory_create_connection(&socket);
        let connecting = start_connect(&connection, &gio_address(deaf.address), None);
        iterate(context, 2);
        socket.close().expect("open");
        let foreign = Foreign::at(number, true);
        assert_fails(ended(context, &connecting), E::Closed);
        drop((connection, socket));
        assert_idle(context);
        foreign.assert_untouched();
    });
}

#[test]
fn no_byte_of_another_file_is_touched_that_took_an_idle_connections_number() {
    on_private_context(|context| {
        for closes in [true, false] {
            let number = number_of_its_own();
            let (connection, mut peer) = connected_at(number);
            let local = connection.local_address().expect("connected");
            let (input, output) = (connection.input_stream(), connection.output_stream());
            connection.socket().close().expect("open");
            let foreign = Foreign::at(number, true);
            assert_all_closed(context, &connection);
            assert_fails(input.skip(4, gio::Cancellable::NONE), E::Closed);
            assert_fails(
                output.write_all(b"never", gio::Cancellable::NONE),
                E::Closed,
            );
            let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
            assert_fails(tcp.set_no_delay(true), E::Closed);
            assert_fails(tcp.no_delay(), E::Closed);
            assert_fails(tcp.set_linger_zero(true), E::Closed);
            assert_fails(tcp.set_user_timeout(Duration::from_secs(1)), E::Closed);
            assert_fails(tcp.set_liveness(gsock::Liveness::Interactive), E::Closed);
            let kept = connection.local_address().expect("kept after a close");
            assert_eq!(kept.to_string(), local.to_string());
            assert!(!connection.is_connected());
            assert!(!connection.is_alive(), "the state follows the socket");
            assert!(read_to_end(&mut peer).is_empty());
            if closes {
                connection
                    .close(gio::Cancellable::NONE)
                    .expect("nothing to do");
                assert!(ended(context, &start_close(&connection, None)).is_ok());
            }
            let gone = Gone::of(&connection);
            drop((connection, input, output));
            assert_idle(context);
            assert!(gone.is_gone());
            foreign.assert_untouched();
        }
    });
}

/// A graceful close would drain, and shut down, whatever has the number.
#[test]
fn a_graceful_close_touches_no_other_file_that_took_the_number() {
    on_private_context(|context| {
        for blocking in [true, false] {
            let number = number_of_its_own();
            let (connection, _peer) = connected_at(number);
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
            connection.socket().close().expect("open");
            let foreign = Foreign::at(number, true);
            let closed = if blocking {
                connection.close(gio::Cancellable::NONE)
            } else {
                ended(context, &start_close(&connection, None)).map(drop)
            };
            // There is nobody left to say good-bye to; the socket says so.
            assert_fails(closed, E::Closed);
            assert!(connection.is_closed());
            drop(connection);
            assert_idle(context);
            foreign.assert_untouched();
        }
    });
}

#[test]
fn a_graceful_close_on_its_way_touches_no_other_file_that_took_the_number() {
    on_private_context(|context| {
        let number = number_of_its_own();
        let (connection, _peer) = connected_at(number);
        connection
            .downcast_ref::<TcpConnection>()
            .expect("TCP")
            .set_graceful_disconnect(true);
        let closing = start_close(&connection, None);
        iterate(context, 3);
        connection.socket().close().expect("open");
        let foreign = Foreign::at(number, true);
        assert_fails(ended(context, &closing), E::Closed);
        assert!(connection.is_closed());
        drop(connection);
        assert_idle(context);
        foreign.assert_untouched();
    });
}

#[test]
fn an_idle_connection_sees_that_its_gsocket_was_closed() {
    on_private_context(|context| {
        let (connection, _peer) = connected();
        let seen = notifications(&connection);
        connection.socket().close().expect("open");
        assert!(!connection.is_connected());
        iterate_until(context, || connection.state() == ConnectionState::Closed);
        assert!(!connection.is_alive());
        assert!(seen.borrow().iter().any(|name| name == "state"), "{seen:?}");
        assert!(seen.borrow().iter().any(|name| name == "alive"), "{seen:?}");
        let (mut peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        connection
            .set_socket(&socket)
            .expect("the connection was not closed");
        assert_talks(&connection, &mut peer);
    });
}
