//! Programs are started all the time, from other threads, while descriptors are made in each way that there is: none of the
//! programs finds one. A process of its own for each test, where nobody else makes any.

#![cfg(test)]
#![allow(unsafe_code, reason = "support has some; pidfd and flags")]

mod support;

use std::{
    collections::BTreeSet,
    env,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gio::{Cancellable, prelude::*};
use gsock::{
    Framed, Framing, Reconnector, SocketClient, SocketConnection, SocketListener, SocketService,
    ThreadedSocketService, UnixConnection, UnixPathOptions, prelude::*,
};
use support::*;

const NAME: &str = "GSOCK_TEST_OF_STARTED_PROGRAMS";
const DEFAULT: glib::Priority = glib::Priority::DEFAULT;
const NOTHING: Option<&glib::Object> = None;
/// At least so many programs must have been started while it was done.
const LEAST: usize = 30;

/// Runs `once` again and again, in a process of its own, while two threads start programs.
#[track_caller]
fn storm(test: &str, once: impl Fn(&glib::MainContext) + Send + 'static) {
    if env::var_os(NAME).is_none_or(|of| of != *test) {
        let ran = Command::new(env::current_exe().expect("the test itself"))
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(NAME, test)
            .stdin(Stdio::null())
            .output()
            .expect("this program runs");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&ran.stderr);
        assert!(
            ran.status.success() && said.contains("1 passed"),
            "{said}{wrong}"
        );
        return;
    }
    on_private_context_within(LIMIT * 3, move |context| {
        // Whoever started us may have left something to all of his children.
        let before = found_by_a_program();
        let is_over = Arc::new(AtomicBool::new(false));
        let started = Arc::new(AtomicUsize::new(0));
        let starters: Vec<_> = (0..2)
            .map(|_| {
                let (is_over, started, before) = (is_over.clone(), started.clone(), before.clone());
                thread::spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        let found = found_by_a_program();
                        let new: Vec<_> = found.difference(&before).collect();
                        assert!(new.is_empty(), "a program has inherited {new:?}");
                        started.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        while started.load(Ordering::SeqCst) < LEAST
            && !starters.iter().any(|one| one.is_finished())
        {
            once(context);
        }
        is_over.store(true, Ordering::SeqCst);
        for starter in starters {
            starter.join().expect("nothing was inherited");
        }
    });
}

/// What a program that is started now finds open, but for its input and its outputs, and the folder in which it looks.
fn found_by_a_program() -> BTreeSet<String> {
    let listed = Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("a program of every system");
    let listed = String::from_utf8(listed.stdout).expect("no name of ours");
    let open = listed.lines().filter_map(|line| line.split_once(" -> "));
    let open = open.filter_map(|(before, target)| Some((before.rsplit(' ').next()?, target)));
    let open: Vec<(u32, &str)> = open
        .map(|(number, target)| (number.parse().expect("a number"), target))
        .collect();
    // Its own output, at least.
    assert!(open.iter().any(|(number, _)| *number == 1), "{listed}");
    // What it has opened itself is files of the system.
    let ours = env::temp_dir().to_string_lossy().into_owned();
    let is_ours = |target: &str| {
        ["socket:", "pipe:", "anon_inode:", &ours]
            .iter()
            .any(|begin| target.starts_with(begin))
    };
    open.into_iter()
        .filter(|(number, target)| *number > 2 && is_ours(target))
        .map(|(_, target)| target.to_owned())
        .collect()
}

fn any_port() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 0).into())
}

fn listen(listener: &impl IsA<SocketListener>) -> SocketAddr {
    listener.set_backlog(100);
    let (stream, tcp) = (gio::SocketType::Stream, gio::SocketProtocol::Tcp);
    let bound = listener.add_address(&any_port(), stream, tcp, NOTHING);
    let bound = bound
        .expect("loopback")
        .downcast::<gio::InetSocketAddress>();
    ([127, 0, 0, 1], bound.expect("of IP").port()).into()
}

fn client() -> SocketClient {
    let client = SocketClient::new();
    client.set_enable_proxy(false);
    client
}

fn unix_pair() -> [UnixConnection; 2] {
    let (one, other) = UnixStream::pair().expect("two sockets");
    [one, other].map(|end| {
        let made = SocketConnection::factory_create_connection_from_fd(end.into());
        let made = made.expect("a connection").downcast::<UnixConnection>();
        made.expect("of a Unix socket")
    })
}

fn folder() -> PathBuf {
    let folder = env::temp_dir().join(format!("gsock-exec-storm-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn no_program_inherits_what_a_client_makes() {
    storm("no_program_inherits_what_a_client_makes", |context| {
        let (listener, address) = listener();
        let (client, target) = (client(), gio_address(address));
        let refused = gio_address(refused_address());
        for _ in 0..20 {
            let blocking = client
                .connect(&target, Cancellable::NONE)
                .expect("it listens");
            let future = block_on(context, client.connect_future(&target)).expect("it listens");
            assert!(block_on(context, client.connect_future(&refused)).is_err());
            let socket = ipv4_socket();
            let by_hand = SocketConnection::factory_create_connection(&socket);
            block_on(context, by_hand.connect_future(&target)).expect("it listens");
            let reconnector = Reconnector::new(&client, &target);
            reconnector.start();
            block_on(context, reconnector.wait_connected_future()).expect("it listens");
            reconnector.stop();
            for _ in 0..4 {
                listener.accept().expect("they connected");
            }
            drop((blocking, future));
        }
    });
}

#[test]
fn no_program_inherits_what_a_listener_makes_and_accepts() {
    storm(
        "no_program_inherits_what_a_listener_makes_and_accepts",
        |context| {
            let path = folder().join("socket");
            for _ in 0..5 {
                let listener = SocketListener::new();
                listener.set_backlog(100);
                let address = listen(&listener);
                listener.add_any_inet_port(NOTHING).expect("a port");
                // A lock, a folder and a file beside the socket.
                listener
                    .add_unix_path(&path, &UnixPathOptions::default(), NOTHING)
                    .expect("a free path");
                // A program that is on its way keeps what was closed for a moment.
                static LAST: AtomicUsize = AtomicUsize::new(0);
                let number = LAST.fetch_add(1, Ordering::Relaxed);
                let name = format!("gsock-exec-storm-{}-{number}", std::process::id());
                listener
                    .add_unix_abstract(&name, true, NOTHING)
                    .expect("a free name");
                let peers: Vec<_> = (0..40)
                    .map(|_| TcpStream::connect(address).expect("it listens"))
                    .collect();
                let over_unix: Vec<_> = (0..8)
                    .map(|_| UnixStream::connect(&path).expect("it listens"))
                    .collect();
                for number in 0..peers.len() + over_unix.len() {
                    match number % 3 {
                        0 => drop(listener.accept(Cancellable::NONE).expect("one is there")),
                        1 => {
                            drop(block_on(context, listener.accept_future()).expect("one is there"))
                        }
                        _ => drop(
                            listener
                                .accept_socket(Cancellable::NONE)
                                .expect("one is there"),
                        ),
                    }
                }
            }
        },
    );
}

#[test]
fn no_program_inherits_what_services_accept() {
    storm("no_program_inherits_what_services_accept", |context| {
        let service = SocketService::new();
        let threaded = ThreadedSocketService::new(4);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        service.connect_incoming(move |_, connection, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            assert!(connection.is_connected());
            true
        });
        let counted = count.clone();
        threaded.connect_run(move |_, connection, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            // A wait with a cancellable has a descriptor of its own.
            let read = connection
                .input_stream()
                .read(&mut [0; 8], Some(&Cancellable::new()));
            assert_eq!(read.ok(), Some(0));
            true
        });
        let addresses = [listen(&service), listen(&threaded)];
        for _ in 0..20 {
            for address in addresses {
                let peer = TcpStream::connect(address).expect("it listens");
                peer.shutdown(Shutdown::Write).expect("connected");
            }
        }
        iterate_until(context, || count.load(Ordering::SeqCst) == 40);
        service.close();
        threaded.close();
        block_on(context, threaded.drain_future());
    });
}

/// Engines, and what a thread that blocks waits with.
#[test]
fn no_program_inherits_what_contexts_and_waits_make() {
    storm("no_program_inherits_what_contexts_and_waits_make", |_| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                thread::spawn(move || {
                    let context = glib::MainContext::new();
                    let done = context.with_thread_default(|| {
                        let (peer, fd) = tcp_pair();
                        let made = SocketConnection::factory_create_connection_from_fd(fd);
                        let connection = made.expect("a socket");
                        if number % 2 == 0 {
                            let reading = connection.input_stream().read_bytes_future(1, DEFAULT);
                            let (mut peer, one) = (peer, [1]);
                            peer.write_all(&one).expect("connected");
                            assert_eq!(context.block_on(reading).expect("a byte").len(), 1);
                        } else {
                            let cancellable = Cancellable::new();
                            let canceller = cancellable.clone();
                            let cancels = thread::spawn(move || {
                                thread::sleep(Duration::from_millis(2));
                                canceller.cancel();
                            });
                            let input = connection.input_stream();
                            assert!(input.read(&mut [0], Some(&cancellable)).is_err());
                            cancels.join().expect("no panic");
                        }
                    });
                    done.expect("nobody else has it");
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

/// A relay moves what is much through pipes.
#[test]
fn no_program_inherits_what_a_relay_makes() {
    storm("no_program_inherits_what_a_relay_makes", |context| {
        for _ in 0..4 {
            let [(mut from, left), (mut to, right)] = [(); 2].map(|()| tcp_pair());
            let [left, right] = [left, right].map(|fd| {
                let made = SocketConnection::factory_create_connection_from_fd(fd);
                made.expect("a socket")
            });
            let writes = thread::spawn(move || {
                from.write_all(&vec![7; 2 << 20]).expect("a relay");
                from.shutdown(Shutdown::Write).expect("connected");
                from
            });
            let reads = thread::spawn(move || {
                let count = read_to_end(&mut to).len();
                to.shutdown(Shutdown::Write).expect("connected");
                count
            });
            let relayed = block_on(context, async move { gsock::relay(&left, &right).await });
            assert_eq!(relayed.expect("both ended").a_to_b, 2 << 20);
            drop(writes.join().expect("no panic"));
            assert_eq!(reads.join().expect("no panic"), 2 << 20);
        }
    });
}

#[test]
fn no_program_inherits_what_was_received() {
    storm("no_program_inherits_what_was_received", |context| {
        for _ in 0..20 {
            let [one, other] = unix_pair();
            let stderr = std::io::stderr();
            let many = [stderr.as_fd(); 20];
            one.send_fds(&many, Cancellable::NONE).expect("connected");
            let received: Vec<OwnedFd> = other.receive_fds(20, Cancellable::NONE).expect("sent");
            assert_eq!(received.len(), 20);
            one.send_fds(&many, Cancellable::NONE).expect("connected");
            // More than were asked for, which are closed.
            assert!(block_on(context, other.receive_fds_future(3)).is_err());
            block_on(context, one.send_fd_future(stderr.as_fd())).expect("connected");
            drop(other.receive_fd(Cancellable::NONE).expect("sent"));
            drop(one.peer_pidfd());
            // Those that nobody asked for.
            one.send_fd(stderr.as_fd(), Cancellable::NONE)
                .expect("connected");
            let read = other.input_stream().read(&mut [0; 4], Cancellable::NONE);
            assert_eq!(read.ok(), Some(1));
            let framed = Framed::new(&one, Framing::Lines);
            framed
                .send_with_fds(&b"line"[..], &many[..4])
                .expect("room");
            block_on(context, framed.flush_future()).expect("connected");
            drop(other);
        }
    });
}

#[test]
fn no_program_inherits_what_listening_threads_have() {
    storm("no_program_inherits_what_listening_threads_have", |_| {
        let server = gsock::listen_per_thread(&any_port(), 2, |listener: SocketListener| {
            glib::MainContext::ref_thread_default().spawn_local(async move {
                while let Ok((connection, _)) = listener.accept_future().await {
                    let output = connection.output_stream();
                    let _ = output
                        .write_bytes_future(&glib::Bytes::from(b"!"), DEFAULT)
                        .await;
                }
            });
            Ok(())
        });
        let server = server.expect("loopback");
        let address = server.address();
        for _ in 0..10 {
            let mut peer = TcpStream::connect(address).expect("it listens");
            peer.read_exact(&mut [0]).expect("greeted");
        }
        server.stop();
        server.join().expect("no panic");
    });
}
