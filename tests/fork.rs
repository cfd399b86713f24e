//! What a child process can do with connections that its parent made before `fork(2)`: nothing, harmlessly.

#![cfg(test)]
#![allow(unsafe_code, reason = "fork(2), and threads that block as C's may")]

mod support;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{
    ConnectionState, SocketClient, SocketConnection, SocketListener, TcpConnection, UnixConnection,
    engine, prelude::*,
};
use support::*;

const NAME: &str = "GSOCK_TEST_THAT_FORKS";
/// In seconds; a child that takes longer hangs, and the alarm ends it.
const CHILD_LIMIT: u32 = 15;
const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// Runs `test` in a process that has this thread only: others could hold a lock at the fork.
fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(NAME).is_some_and(|of| of == *name) {
        return test();
    }
    let mut helper = Command::new(std::env::current_exe().expect("the test itself"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program runs");
    let end = Instant::now() + Duration::from_secs(60);
    while helper.try_wait().expect("our child").is_none() {
        if Instant::now() >= end {
            helper.kill().expect("our child");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = helper.wait_with_output().expect("our child");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}\n{complained}",
        output.status
    );
}

/// How a child ends that has come to its end.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Without another word.
    AtOnce,
    /// As programs end, with what they have registered for it.
    Normally,
}

/// Runs `child` in a child process, which must end well and in time.
#[track_caller]
fn in_a_child_ending(ending: Ending, child: impl FnOnce()) {
    // SAFETY: the child runs what any code may: this thread is the only one of the process, or the
    // others are in system calls and hold no lock.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: no pointers involved.
        unsafe { libc::alarm(CHILD_LIMIT) };
        let failed = catch_unwind(AssertUnwindSafe(child)).is_err();
        match ending {
            Ending::Normally if !failed => std::process::exit(0),
            // SAFETY: ends this process.
            _ => unsafe { libc::_exit(i32::from(failed)) },
        }
    }
    let mut status = 0;
    // SAFETY: a child of ours, and a place for its status.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    assert!(
        libc::WIFEXITED(status),
        "the child was ended by signal {} (14 is its alarm: it hung)",
        libc::WTERMSIG(status)
    );
    assert_eq!(libc::WEXITSTATUS(status), 0, "the child failed");
}

#[track_caller]
fn in_a_child(child: impl FnOnce()) {
    in_a_child_ending(Ending::AtOnce, child);
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Tcp,
    TcpBare,
    Unix,
    UnixBare,
}

const LINES: [Line; 4] = [Line::Tcp, Line::TcpBare, Line::Unix, Line::UnixBare];

impl Line {
    /// A connection, its descriptor, and the peer's end.
    fn connected(self) -> (SocketConnection, RawFd, TcpStream) {
        let (peer, fd): (TcpStream, OwnedFd) = match self {
            Self::Tcp | Self::TcpBare => tcp_pair(),
            Self::Unix | Self::UnixBare => {
                let (ours, peer) = UnixStream::pair().expect("two sockets");
                // The calls made on the peer's end are the same for both families.
                (OwnedFd::from(peer).into(), ours.into())
            }
        };
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        let number = fd.as_raw_fd();
        let connection = match self {
            Self::Tcp | Self::Unix => {
                let socket = gio::Socket::from_fd(fd).expect("a socket");
                SocketConnection::factory_create_connection(&socket)
            }
            Self::TcpBare | Self::UnixBare => {
                SocketConnection::factory_create_connection_from_fd(fd).expect("a socket")
            }
        };
        (connection, number, peer)
    }
}

/// Bytes go both ways.
#[track_caller]
fn assert_talks(connection: &SocketConnection, peer: &mut TcpStream) {
    let written = connection.output_stream().write(b"ping", Cancellable::NONE);
    assert_eq!(written.expect("a working connection"), 4);
    let mut buffer = [0; 4];
    peer.read_exact(&mut buffer).expect("four bytes");
    assert_eq!(&buffer, b"ping");
    peer.write_all(b"pong").expect("a working connection");
    let read = connection
        .input_stream()
        .read_all(&mut buffer, Cancellable::NONE);
    assert_eq!(read.expect("a working connection"), (4, None));
    assert_eq!(&buffer, b"pong");
}

/// The parent's connection is as it was, and the peer has seen nothing.
#[track_caller]
fn assert_undisturbed(connection: &SocketConnection, peer: &mut TcpStream) {
    peer.set_nonblocking(true).expect("an option");
    let nothing = peer
        .read(&mut [0; 4])
        .expect_err("nobody shut anything down");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    peer.set_nonblocking(false).expect("an option");
    assert_eq!(connection.state(), ConnectionState::Connected);
    assert_talks(connection, peer);
    connection.close(Cancellable::NONE).expect("open");
    assert!(read_to_end(peer).is_empty());
}

/// Whether this process has `number` open.
fn is_open(number: RawFd) -> bool {
    // SAFETY: no pointers involved.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Nobody answers at this address, and nobody need: it is not called.
fn nowhere() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 9).into())
}

#[track_caller]
fn assert_all_fail_blocking(connection: &SocketConnection) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    assert_fails(input.read([0; 4], Cancellable::NONE), E::Failed);
    assert_fails(input.skip(4, Cancellable::NONE), E::Failed);
    assert_fails(output.write(b"data", Cancellable::NONE), E::Failed);
    let vectors = [gio::OutputVector::new(b"data")];
    assert_fails(output.writev(&vectors, Cancellable::NONE), E::Failed);
    let input = input
        .downcast::<gio::PollableInputStream>()
        .expect("an interface of it");
    let output = output
        .downcast::<gio::PollableOutputStream>()
        .expect("an interface of it");
    assert_fails(
        input.read_nonblocking(&mut [0; 4], Cancellable::NONE),
        E::Failed,
    );
    assert_fails(
        output.write_nonblocking(b"data", Cancellable::NONE),
        E::Failed,
    );
    assert_fails(connection.connect(&nowhere(), Cancellable::NONE), E::Failed);
    // A cancellable that nobody cancels makes no difference.
    let cancellable = Cancellable::new();
    assert_fails(
        connection.connect(&nowhere(), Some(&cancellable)),
        E::Failed,
    );
    let input = connection.input_stream();
    assert_fails(input.read([0; 4], Some(&cancellable)), E::Failed);
    if let Some(unix) = connection.downcast_ref::<UnixConnection>() {
        let fd = std::io::stdin();
        assert_fails(unix.send_fd(fd.as_fd(), Cancellable::NONE), E::Failed);
        assert_fails(unix.send_credentials(Cancellable::NONE), E::Failed);
        assert_fails(unix.receive_fd(Cancellable::NONE), E::Failed);
        assert_fails(unix.receive_fds(2, Cancellable::NONE), E::Failed);
        assert_fails(unix.receive_credentials(Cancellable::NONE), E::Failed);
        assert_fails(unix.peer_credentials(), E::Failed);
        assert_fails(unix.peer_pidfd(), E::Failed);
    }
}

/// Runs `test` on a context that this process made.
fn on_a_new_context(test: impl FnOnce(&glib::MainContext)) {
    let context = glib::MainContext::new();
    context
        .with_thread_default(|| test(&context))
        .expect("a new context has no owner");
}

#[track_caller]
fn assert_all_fail_asynchronously(context: &glib::MainContext, connection: &SocketConnection) {
    let said = Rc::new(RefCell::new(Vec::new()));
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let put = || {
        let said = said.clone();
        move |end: Result<(), glib::Error>| said.borrow_mut().push(end.map_err(|why| code(&why)))
    };
    let end = put();
    input.read_async(vec![0; 4], DEFAULT, Cancellable::NONE, move |result| {
        end(result.map(drop).map_err(|(_, failure)| failure));
    });
    let end = put();
    output.write_async(b"data", DEFAULT, Cancellable::NONE, move |result| {
        end(result.map(drop).map_err(|(_, failure)| failure));
    });
    let end = put();
    connection.connect_async(&nowhere(), Cancellable::NONE, move |connection, result| {
        end(connection.connect_finish(result));
    });
    assert!(
        said.borrow().is_empty(),
        "never before the call has returned"
    );
    iterate_until(context, || said.borrow().len() == 3);
    assert_eq!(*said.borrow(), [Err(E::Failed); 3]);

    let end = put();
    input.skip_async(4, DEFAULT, Cancellable::NONE, move |result| {
        end(result.map(drop))
    });
    iterate_until(context, || said.borrow().len() == 4);
    assert_eq!(said.borrow()[3], Err(E::Failed));

    // Who polls is told, and told by the operation.
    let polled: gio::PollableInputStream = input.clone().dynamic_cast().expect("an interface");
    let ready = Rc::new(Cell::new(false));
    let seen = ready.clone();
    polled
        .create_source(Cancellable::NONE, None, DEFAULT, move |_| {
            seen.set(true);
            glib::ControlFlow::Break
        })
        .attach(Some(context));
    iterate_until(context, || ready.get());

    assert_fails(
        block_on(context, connection.connect_future(&nowhere())),
        E::Failed,
    );
    let reading = input.read_future([0; 4], DEFAULT);
    let read = block_on(context, reading).map_err(|(_, failure)| failure);
    assert_fails(read, E::Failed);
    let writing = output.write_future(*b"data", DEFAULT);
    let written = block_on(context, writing).map_err(|(_, failure)| failure);
    assert_fails(written, E::Failed);

    if let Some(unix) = connection.downcast_ref::<UnixConnection>() {
        let fd = std::io::stdin();
        assert_fails(
            block_on(context, unix.send_fd_future(fd.as_fd())),
            E::Failed,
        );
        assert_fails(block_on(context, unix.receive_fd_future()), E::Failed);
        let end = put();
        unix.receive_credentials_async(Cancellable::NONE, move |unix, result| {
            end(unix.receive_credentials_finish(result).map(drop));
        });
        iterate_until(context, || said.borrow().len() == 5);
        assert_eq!(said.borrow()[4], Err(E::Failed));
    }
}

#[test]
fn every_blocking_operation_of_an_inherited_connection_fails_at_once() {
    alone(
        "every_blocking_operation_of_an_inherited_connection_fails_at_once",
        || {
            for line in LINES {
                let (connection, _, mut peer) = line.connected();
                in_a_child(|| assert_all_fail_blocking(&connection));
                assert_undisturbed(&connection, &mut peer);
            }
        },
    );
}

/// What is there to read is the parent's.
#[test]
fn a_child_takes_no_byte_from_its_parent() {
    alone("a_child_takes_no_byte_from_its_parent", || {
        for line in LINES {
            let (connection, _, mut peer) = line.connected();
            peer.write_all(b"parent's").expect("a working connection");
            in_a_child(|| {
                assert_all_fail_blocking(&connection);
                on_a_new_context(|context| assert_all_fail_asynchronously(context, &connection));
                connection.close(Cancellable::NONE).expect("this copy only");
            });
            let read = connection.input_stream().read_bytes(64, Cancellable::NONE);
            assert_eq!(*read.expect("what was sent"), *b"parent's");
            assert_undisturbed(&connection, &mut peer);
        }
    });
}

#[test]
fn every_asynchronous_operation_of_an_inherited_connection_fails_through_its_callback() {
    alone(
        "every_asynchronous_operation_of_an_inherited_connection_fails_through_its_callback",
        || {
            for line in LINES {
                let (connection, _, mut peer) = line.connected();
                in_a_child(|| {
                    on_a_new_context(|context| {
                        assert_all_fail_asynchronously(context, &connection);
                    });
                });
                assert_undisturbed(&connection, &mut peer);
            }
        },
    );
}

/// Neither its properties nor its methods wait for anything.
#[test]
fn an_inherited_connection_can_be_asked_about_itself() {
    alone("an_inherited_connection_can_be_asked_about_itself", || {
        for line in LINES {
            let (connection, _, mut peer) = line.connected();
            assert_talks(&connection, &mut peer);
            let (local, remote) = (connection.local_address(), connection.remote_address());
            in_a_child(|| {
                let same = |one: &Result<gio::SocketAddress, glib::Error>, other| {
                    let text = |address: &gio::SocketAddress| address.to_string();
                    let other: Result<gio::SocketAddress, glib::Error> = other;
                    one.as_ref().ok().map(text) == other.as_ref().ok().map(text)
                };
                assert!(same(&local, connection.local_address()));
                assert!(same(&remote, connection.remote_address()));
                assert_eq!(
                    (connection.bytes_read(), connection.bytes_written()),
                    (4, 4)
                );
                assert!(!connection.is_closed());
                let _ = connection.state();
                let _ = connection.is_connected();
                let _ = connection.last_error();
                let _ = connection.socket();
            });
            assert_undisturbed(&connection, &mut peer);
        }
    });
}

#[test]
fn closing_in_a_child_gives_up_its_copy_only() {
    alone("closing_in_a_child_gives_up_its_copy_only", || {
        for line in LINES {
            for asynchronous in [false, true] {
                let (connection, number, mut peer) = line.connected();
                in_a_child(|| {
                    if asynchronous {
                        on_a_new_context(|context| {
                            let closed = Rc::new(Cell::new(false));
                            let told = closed.clone();
                            connection.close_async(DEFAULT, Cancellable::NONE, move |result| {
                                result.expect("nothing can go wrong");
                                told.set(true);
                            });
                            iterate_until(context, || closed.get());
                        });
                    } else {
                        connection
                            .close(Cancellable::NONE)
                            .expect("nothing can go wrong");
                    }
                    assert!(connection.is_closed());
                    assert!(!is_open(number), "the copy is given up");
                    let read = connection.input_stream().read([0; 4], Cancellable::NONE);
                    assert_fails(read, E::Closed);
                });
                assert_undisturbed(&connection, &mut peer);
            }
        }
    });
}

/// A close that would say good-bye first says nothing.
#[test]
fn a_graceful_close_in_a_child_neither_waits_nor_tells_the_peer() {
    alone(
        "a_graceful_close_in_a_child_neither_waits_nor_tells_the_peer",
        || {
            for line in [Line::Tcp, Line::TcpBare] {
                for asynchronous in [false, true] {
                    let (connection, number, mut peer) = line.connected();
                    let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
                    tcp.set_graceful_disconnect(true);
                    in_a_child(|| {
                        if asynchronous {
                            on_a_new_context(|context| {
                                let closing = connection.close_future(DEFAULT);
                                block_on(context, closing).expect("nothing can go wrong");
                            });
                        } else {
                            connection
                                .close(Cancellable::NONE)
                                .expect("nothing can go wrong");
                        }
                        assert!(!is_open(number), "the copy is given up");
                    });
                    tcp.set_graceful_disconnect(false);
                    assert_undisturbed(&connection, &mut peer);
                }
            }
        },
    );
}

#[test]
fn dropping_in_a_child_gives_up_its_copy_only() {
    alone("dropping_in_a_child_gives_up_its_copy_only", || {
        for line in LINES {
            for handlers in [false, true] {
                let (connection, number, mut peer) = line.connected();
                if handlers {
                    connection.connect_notify_local(None, |_, _| {});
                }
                let held = RefCell::new(Some(connection));
                in_a_child(|| {
                    let connection = held.take().expect("made before");
                    let gone = Gone::of(&connection);
                    drop(connection);
                    assert!(gone.is_gone(), "nobody else held it");
                    assert!(!is_open(number), "the copy is given up");
                });
                assert_undisturbed(&held.take().expect("the parent's own"), &mut peer);
            }
        }
    });
}

#[test]
fn a_child_that_ends_disturbs_nobody() {
    alone("a_child_that_ends_disturbs_nobody", || {
        for line in LINES {
            for ending in [Ending::AtOnce, Ending::Normally] {
                let (connection, _, mut peer) = line.connected();
                in_a_child_ending(ending, || {});
                in_a_child_ending(ending, || {
                    let write = connection.output_stream().write(b"data", Cancellable::NONE);
                    assert_fails(write, E::Failed);
                });
                assert_undisturbed(&connection, &mut peer);
            }
        }
    });
}

/// The parent's read was under way at the fork, in its context: the child has a copy of all of it.
#[test]
fn a_read_that_waits_in_the_parent_goes_on() {
    alone("a_read_that_waits_in_the_parent_goes_on", || {
        for line in LINES {
            on_a_new_context(|context| {
                let (connection, number, mut peer) = line.connected();
                let read = Rc::new(RefCell::new(None));
                let slot = read.clone();
                let input = connection.input_stream();
                input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |result| {
                    *slot.borrow_mut() = Some(result.expect("what was sent"));
                });
                for _ in 0..3 {
                    context.iteration(false);
                }
                in_a_child(|| {
                    connection.close(Cancellable::NONE).expect("this copy only");
                    assert!(!is_open(number), "the copy is given up");
                });
                assert!(read.borrow().is_none());
                peer.write_all(b"late").expect("a working connection");
                iterate_until(context, || read.borrow().is_some());
                let (bytes, count) = read.take().expect("called back");
                assert_eq!(&bytes[..count], b"late");
                assert_undisturbed(&connection, &mut peer);
            });
        }
    });
}

/// The child has a copy of the context and of what watches for its events, each of which is told once.
#[test]
fn a_child_that_runs_the_context_takes_no_event_from_its_parent() {
    alone(
        "a_child_that_runs_the_context_takes_no_event_from_its_parent",
        || {
            for line in LINES {
                on_a_new_context(|context| {
                    let (connection, _, mut peer) = line.connected();
                    let read = Rc::new(RefCell::new(None));
                    let slot = read.clone();
                    let input = connection.input_stream();
                    input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |result| {
                        *slot.borrow_mut() = Some(result.map_err(|(_, failure)| failure));
                    });
                    for _ in 0..3 {
                        context.iteration(false);
                    }
                    let mut sender = peer.try_clone().expect("a descriptor");
                    in_a_child(|| {
                        sender.write_all(b"late").expect("a working connection");
                        iterate_until(context, || read.borrow().is_some());
                        assert_fails(read.take().expect("called back"), E::Failed);
                        iterate_for(context, Duration::from_millis(20));
                    });
                    assert!(read.borrow().is_none());
                    iterate_until(context, || read.borrow().is_some());
                    let (bytes, count) = read.take().expect("called back").expect("four bytes");
                    assert_eq!(&bytes[..count], b"late");
                    assert_undisturbed(&connection, &mut peer);
                });
            }
        },
    );
}

/// Likewise where the context waits by what watches for its events: in the child as it did before.
#[test]
fn a_child_waits_by_the_poll_function_from_before() {
    alone("a_child_waits_by_the_poll_function_from_before", || {
        // There is none to turn on where sockets are watched otherwise; the rest holds there too.
        let may_fail = |on: Result<(), glib::Error>| {
            if let Err(failure) = on {
                assert_eq!(code(&failure), E::NotSupported);
                let back_end = std::env::var_os("GSOCK_BACK_END");
                assert!(back_end.is_some_and(|back_end| back_end == "sources"));
            }
        };
        on_a_new_context(|context| {
            may_fail(engine::use_poll_function(context, true));
            let (connection, _, mut peer) = Line::TcpBare.connected();
            let read = Rc::new(RefCell::new(None));
            let slot = read.clone();
            let input = connection.input_stream();
            input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |result| {
                *slot.borrow_mut() = Some(result.map_err(|(_, failure)| failure));
            });
            iterate_for(context, Duration::from_millis(20));
            let mut sender = peer.try_clone().expect("a descriptor");
            in_a_child(|| {
                sender.write_all(b"late").expect("a working connection");
                iterate_until(context, || read.borrow().is_some());
                assert_fails(read.take().expect("called back"), E::Failed);
                for on in [false, true, true] {
                    assert_a_new_one_works();
                    if on {
                        may_fail(engine::use_poll_function(context, true));
                    }
                    let (connection, _, mut peer) = Line::TcpBare.connected();
                    let waiting = thread::spawn(move || {
                        thread::sleep(Duration::from_millis(5));
                        peer.write_all(b"new").expect("a working connection");
                        peer
                    });
                    let input = connection.input_stream();
                    let (bytes, count) = block_on(context, async move {
                        input.read_future(vec![0; 8], DEFAULT).await
                    })
                    .expect("three bytes");
                    assert_eq!(&bytes[..count], b"new");
                    drop(waiting.join().expect("no panic"));
                }
                engine::use_poll_function(context, false).expect("ours");
            });
            assert!(read.borrow().is_none());
            iterate_until(context, || read.borrow().is_some());
            let (bytes, count) = read.take().expect("called back").expect("four bytes");
            assert_eq!(&bytes[..count], b"late");
            assert_undisturbed(&connection, &mut peer);
        });
    });
}

/// Another thread that blocks in a read of eight bytes at most, once it sleeps, and surely holds nothing.
fn blocked_reader(connection: &SocketConnection) -> thread::JoinHandle<Vec<u8>> {
    struct Sent<T>(T);
    // SAFETY: the stream is used by that one thread, as GIO allows; this one only waits.
    unsafe impl<T> Send for Sent<T> {}
    let input = Sent(connection.input_stream());
    let reader = thread::spawn(move || {
        let input: Sent<gio::InputStream> = input;
        let read = input.0.read_bytes(8, Cancellable::NONE);
        read.expect("what was sent").to_vec()
    });
    thread::sleep(Duration::from_millis(100));
    reader
}

/// Another thread of the parent blocks in a read: in the child nobody does, and no use of the
/// descriptor that was counted there ever ends.
#[test]
fn a_thread_of_the_parent_that_blocks_in_a_read_is_not_waited_for() {
    alone(
        "a_thread_of_the_parent_that_blocks_in_a_read_is_not_waited_for",
        || {
            for line in LINES {
                let (connection, number, mut peer) = line.connected();
                let reader = blocked_reader(&connection);
                in_a_child(|| {
                    assert_fails(
                        connection.output_stream().write(b"data", Cancellable::NONE),
                        E::Failed,
                    );
                    connection.close(Cancellable::NONE).expect("this copy only");
                    assert!(!is_open(number), "the copy is given up");
                });
                // SAFETY: the child's own copy of the reference; the parent keeps its own.
                let to_drop = unsafe { std::ptr::read(&raw const connection) };
                let to_drop = std::mem::ManuallyDrop::new(to_drop);
                in_a_child(|| {
                    drop(std::mem::ManuallyDrop::into_inner(to_drop));
                    assert!(!is_open(number), "and so it is without a close");
                });
                assert!(!reader.is_finished());
                peer.write_all(b"late").expect("a working connection");
                assert_eq!(reader.join().expect("no panic"), b"late");
                assert_undisturbed(&connection, &mut peer);
            }
        },
    );
}

#[test]
fn a_connection_that_was_not_connected_before_does_not_connect_in_a_child() {
    alone(
        "a_connection_that_was_not_connected_before_does_not_connect_in_a_child",
        || {
            let (server, address) = listener();
            let connection = unconnected();
            in_a_child(|| {
                assert_fails(
                    connection.connect(&gio_address(address), Cancellable::NONE),
                    E::Failed,
                );
                on_a_new_context(|context| {
                    let connecting = connection.connect_future(&gio_address(address));
                    assert_fails(block_on(context, connecting), E::Failed);
                });
            });
            assert_eq!(connection.state(), ConnectionState::Unconnected);
            connection
                .connect(&gio_address(address), Cancellable::NONE)
                .expect("it listens");
            let (mut peer, _) = server.accept().expect("somebody called");
            assert_undisturbed(&connection, &mut peer);
        },
    );
}

/// SC-13 is the parent's: what the child gives up stays in flight.
#[test]
fn a_connect_in_flight_is_the_parents() {
    alone("a_connect_in_flight_is_the_parents", || {
        on_a_new_context(|context| {
            let deaf = deaf_listener();
            let connection = unconnected();
            let number = connection.socket().as_raw_fd();
            let ended = Rc::new(Cell::new(false));
            let told = ended.clone();
            let cancellable = Cancellable::new();
            connection.connect_async(
                &gio_address(deaf.address),
                Some(&cancellable),
                move |connection, result| {
                    assert_fails(connection.connect_finish(result), E::Cancelled);
                    told.set(true);
                },
            );
            for _ in 0..3 {
                context.iteration(false);
            }
            assert_eq!(connection.state(), ConnectionState::Connecting);
            in_a_child(|| {
                assert_fails(connection.connect(&nowhere(), Cancellable::NONE), E::Failed);
                connection.close(Cancellable::NONE).expect("this copy only");
                assert!(!is_open(number), "the copy is given up");
            });
            for _ in 0..3 {
                context.iteration(false);
            }
            assert!(!ended.get());
            assert_eq!(connection.state(), ConnectionState::Connecting);
            cancellable.cancel();
            iterate_until(context, || ended.get());
            assert_eq!(connection.state(), ConnectionState::Unconnected);
        });
    });
}

/// Connects, talks, waits, is cancelled and closes, all in this process.
#[track_caller]
fn assert_a_new_one_works() {
    let (server, address) = listener();
    on_a_new_context(|context| {
        let connection = unconnected();
        connection
            .connect(&gio_address(address), Cancellable::NONE)
            .expect("it listens");
        let (mut peer, _) = server.accept().expect("somebody called");
        assert_talks(&connection, &mut peer);
        // A wait that another thread ends.
        let cancellable = Cancellable::new();
        let canceller = cancellable.clone();
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            canceller.cancel();
        });
        let read = connection.input_stream().read([0; 4], Some(&cancellable));
        assert_fails(read, E::Cancelled);
        other.join().expect("no panic");
        // And in a context.
        let reading = connection.input_stream().read_future([0; 4], DEFAULT);
        let mut late = peer.try_clone().expect("a descriptor");
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            late.write_all(b"late").expect("a working connection");
        });
        let (bytes, count) = block_on(context, reading).expect("what was sent");
        assert_eq!(bytes[..count], *b"late");
        other.join().expect("no panic");
        let told = notifications(&connection);
        peer.shutdown(Shutdown::Write).expect("connected");
        iterate_until(context, || told.borrow().contains(&"state".to_owned()));
        assert_eq!(connection.state(), ConnectionState::Disconnected);
        connection.close(Cancellable::NONE).expect("open");
        assert!(read_to_end(&mut peer).is_empty());
    });
}

/// The parent has waited before, and its threads have what they wait with.
#[test]
fn a_connection_that_a_child_makes_works() {
    alone("a_connection_that_a_child_makes_works", || {
        let (connection, _, mut peer) = Line::Tcp.connected();
        assert_a_new_one_works();
        in_a_child(assert_a_new_one_works);
        in_a_child_ending(Ending::Normally, || {
            assert_a_new_one_works();
            assert_all_fail_blocking(&connection);
            assert_a_new_one_works();
        });
        assert_a_new_one_works();
        assert_undisturbed(&connection, &mut peer);
    });
}

/// The object is inherited, and the new socket is not.
#[test]
fn a_child_may_move_an_inherited_connection_on_to_a_socket_of_its_own() {
    alone(
        "a_child_may_move_an_inherited_connection_on_to_a_socket_of_its_own",
        || {
            for line in [Line::Tcp, Line::TcpBare] {
                let (connection, number, mut peer) = line.connected();
                in_a_child(|| {
                    let (server, address) = listener();
                    connection
                        .set_socket(&ipv4_socket())
                        .expect("nothing is pending");
                    assert!(!is_open(number), "the copy is given up");
                    connection
                        .connect(&gio_address(address), Cancellable::NONE)
                        .expect("it listens");
                    let (mut own, _) = server.accept().expect("somebody called");
                    assert_undisturbed(&connection, &mut own);
                });
                assert_undisturbed(&connection, &mut peer);
            }
        },
    );
}

/// What else its parent has around a `GSocket` is not waited for, though a thread of the parent's was in it at the fork.
#[test]
fn a_connection_that_a_child_makes_around_an_inherited_socket_waits_for_none_of_its_parents() {
    alone(
        "a_connection_that_a_child_makes_around_an_inherited_socket_waits_for_none_of_its_parents",
        || {
            let (first, number, mut peer) = Line::Tcp.connected();
            let socket = first.socket();
            let second = SocketConnection::factory_create_connection(&socket);
            let reader = blocked_reader(&first);
            in_a_child(|| {
                let own = SocketConnection::factory_create_connection(&socket);
                own.close(Cancellable::NONE).expect("open");
                assert!(socket.is_closed());
                assert!(!is_open(number), "the copy is given up");
                assert_a_new_one_works();
            });
            in_a_child(|| {
                let own = SocketConnection::factory_create_connection(&socket);
                for inherited in [&first, &second] {
                    inherited.close(Cancellable::NONE).expect("the copy only");
                }
                drop(own);
                assert!(!is_open(number), "the copy is given up");
            });
            assert!(!reader.is_finished());
            peer.write_all(b"late").expect("a working connection");
            assert_eq!(reader.join().expect("no panic"), b"late");
            assert_talks(&first, &mut peer);
            assert_undisturbed(&second, &mut peer);
            assert_eq!(first.state(), ConnectionState::Closed);
        },
    );
}

/// Its connections are the parent's to accept, and it goes on listening whatever the child does with it.
#[test]
fn a_listener_is_its_parents() {
    alone("a_listener_is_its_parents", || {
        let context = glib::MainContext::default();
        let _owned = context.acquire().expect("nobody else has it");
        let listener = SocketListener::new();
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let none = None::<&glib::Object>;
        let (stream, default) = (gio::SocketType::Stream, gio::SocketProtocol::Default);
        let address = listener.add_address(&any, stream, default, none);
        let address: gio::InetSocketAddress =
            address.expect("loopback").downcast().expect("of IPv4");
        let connect = || TcpStream::connect(("127.0.0.1", address.port())).expect("it listens");
        // It has waited before.
        let first = connect();
        let accepted = context.block_on(listener.accept_future());
        assert!(accepted.is_ok());
        drop(first);
        for closes in [false, true] {
            let peer = connect();
            in_a_child(|| {
                assert_fails(listener.accept(Cancellable::NONE), E::Failed);
                let outcome = context.block_on(listener.accept_future());
                assert_fails(outcome, E::Failed);
                if closes {
                    listener.close();
                }
                // One of its own works.
                let own = SocketListener::new();
                let address = own.add_address(&any, stream, default, none);
                let address = address.expect("loopback");
                let client = SocketClient::new();
                client.set_enable_proxy(false);
                let (connected, accepted) = context.block_on(async {
                    futures::join!(client.connect_future(&address), own.accept_future())
                });
                assert!(connected.is_ok() && accepted.is_ok());
            });
            let (connection, _) = listener.accept(Cancellable::NONE).expect("it waits");
            let there = connection.remote_address().expect("connected");
            let there: gio::InetSocketAddress = there.downcast().expect("of IPv4");
            let here = peer.local_addr().expect("connected");
            assert_eq!(there.port(), here.port());
        }
        let _peer = connect();
        let accepted = context.block_on(listener.accept_future());
        assert!(accepted.is_ok());
    });
}

/// Each generation has its own.
#[test]
fn a_grandchild_inherits_from_both() {
    alone("a_grandchild_inherits_from_both", || {
        let (connection, _, mut peer) = Line::TcpBare.connected();
        in_a_child(|| {
            let (own, _, mut own_peer) = Line::Tcp.connected();
            in_a_child(|| {
                assert_all_fail_blocking(&connection);
                assert_all_fail_blocking(&own);
                assert_a_new_one_works();
            });
            assert_all_fail_blocking(&connection);
            assert_undisturbed(&own, &mut own_peer);
        });
        assert_undisturbed(&connection, &mut peer);
    });
}

/// GIO's own class on our transport. One that nobody has used has no transport yet: it is the child's as well.
#[test]
fn adopted_ones_that_were_used_are_refused_and_others_are_not() {
    alone(
        "adopted_ones_that_were_used_are_refused_and_others_are_not",
        || {
            gsock::adopt_gio().expect("it can be done");
            on_a_new_context(|_| {
                let adopted = || {
                    let (peer, fd) = tcp_pair();
                    let socket = gio::Socket::from_fd(fd).expect("a socket");
                    (socket.connection_factory_create_connection(), peer)
                };
                let write = |connection: &gio::SocketConnection| {
                    let output = connection.output_stream();
                    output.write_all(b"x", Cancellable::NONE)
                };
                let ((used, mut its_peer), (unused, mut other_peer)) = (adopted(), adopted());
                write(&used).expect("room");
                in_a_child(|| {
                    assert_fails(write(&used), E::Failed);
                    used.close(Cancellable::NONE).expect("this copy only");
                    write(&unused).expect("room");
                });
                write(&used).expect("room");
                used.close(Cancellable::NONE).expect("it is open");
                let mut read = Vec::new();
                its_peer.read_to_end(&mut read).expect("an orderly end");
                assert_eq!(read, b"xx");
                drop(unused);
                read.clear();
                other_peer.read_to_end(&mut read).expect("an orderly end");
                assert_eq!(read, b"x");
            });
        },
    );
}

/// GLib 2.75.4: between the making of a descriptor and the mark that keeps it from other programs, one could start.
#[test]
fn bug_35_no_program_that_is_started_meanwhile_inherits_a_descriptor() {
    alone(
        "bug_35_no_program_that_is_started_meanwhile_inherits_a_descriptor",
        || {
            on_private_context_within(LIMIT * 3, |context| {
                // Whoever started us may have left something to all of his children.
                let before = inherited();
                let all_done = Arc::new(AtomicBool::new(false));
                let starters: Vec<_> = (0..2)
                    .map(|_| {
                        let (all_done, before) = (all_done.clone(), before.clone());
                        thread::spawn(move || {
                            let mut started = 0;
                            while started < 20 || !all_done.load(Ordering::SeqCst) {
                                assert_eq!(inherited(), before);
                                started += 1;
                            }
                        })
                    })
                    .collect();
                for _ in 0..80 {
                    let listener = SocketListener::new();
                    listener.set_backlog(100);
                    let port = listener.add_any_inet_port(glib::Object::NONE);
                    let port = port.expect("a port");
                    // Many at once, so that a moment in an accept is a good part of the time.
                    let peers: Vec<_> = (0..60)
                        .map(|_| TcpStream::connect(("127.0.0.1", port)).expect("it listens"))
                        .collect();
                    for _ in &peers {
                        listener.accept(Cancellable::NONE).expect("they connected");
                    }
                    let target = gio_address(([127, 0, 0, 1], port).into());
                    let client = SocketClient::new();
                    let connection = client.connect(&target, Cancellable::NONE);
                    let connection = connection.expect("it listens");
                    let (accepted, _) = listener.accept(Cancellable::NONE).expect("it connected");
                    let asked = accepted.input_stream();
                    let read = asked.read_bytes_future(1, DEFAULT);
                    let wrote = connection.output_stream().write(b"x", Cancellable::NONE);
                    assert_eq!(wrote.expect("connected"), 1);
                    assert_eq!(block_on(context, read).expect("connected"), b"x"[..]);
                    let (one, other) = UnixStream::pair().expect("two sockets");
                    let [one, other] = [one, other].map(|end| {
                        let socket = gio::Socket::from_fd(end.into()).expect("a socket");
                        let made = SocketConnection::factory_create_connection(&socket);
                        made.downcast::<UnixConnection>().expect("of a Unix socket")
                    });
                    one.send_fd(std::io::stderr().as_fd(), Cancellable::NONE)
                        .expect("connected");
                    other.receive_fd(Cancellable::NONE).expect("one was sent");
                }
                all_done.store(true, Ordering::SeqCst);
                for starter in starters {
                    starter.join().expect("nothing was inherited");
                }
            });
        },
    );
}

/// What a program finds open that is started now, by its kind and number in the kernel.
fn inherited() -> BTreeSet<String> {
    let listed = Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("a program of every system");
    let listed = String::from_utf8(listed.stdout).expect("no name of ours");
    // Its own output.
    assert!(listed.contains("pipe:"), "{listed}");
    let targets = listed.lines().filter_map(|line| line.split(" -> ").nth(1));
    targets
        .filter(|target| target.starts_with("socket:") || target.starts_with("anon_inode:"))
        .map(str::to_owned)
        .collect()
}
