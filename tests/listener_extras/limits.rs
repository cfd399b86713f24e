//! Limits, as the clients see them: how many are served, how many wait, how many are reset.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, SocketListener, prelude::*};

use crate::{
    children::{self, Process},
    support::*,
};

const NOTHING: Option<&glib::Object> = None;
const GREETING: &[u8] = b"hello";

fn listening() -> (SocketListener, SocketAddr) {
    let listener = SocketListener::new();
    listener.set_backlog(100);
    let any = gio_address(([127, 0, 0, 1], 0).into());
    let address = listener
        .add_address(
            &any,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            NOTHING,
        )
        .expect("loopback");
    (listener, address_of(address))
}

fn address_of(address: gio::SocketAddress) -> SocketAddr {
    let address = address.downcast::<gio::InetSocketAddress>();
    address.expect("of the internet").into()
}

/// Greets whoever comes, and keeps the connection until the peer closes it.
fn serve(context: &glib::MainContext, listener: &SocketListener) {
    let listener = listener.clone();
    let inner = context.clone();
    context.spawn_local(async move {
        while let Ok((connection, _)) = listener.accept_future().await {
            inner.spawn_local(greet(connection));
        }
    });
}

async fn greet(connection: SocketConnection) {
    let output = connection.output_stream();
    let _ = output
        .write_all_future(GREETING, glib::Priority::DEFAULT)
        .await;
    let input = connection.input_stream();
    let _ = input.read_future([0; 1], glib::Priority::DEFAULT).await;
    let _ = connection.close_future(glib::Priority::DEFAULT).await;
}

/// What has become of those that the other process has opened: greeted, without a word, reset or ended.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    greeted: usize,
    silent: usize,
    reset: usize,
}

/// Opens and closes connections in a process of its own, and counts.
struct Clients(Process);

impl Clients {
    fn start(test: &str, address: SocketAddr) -> Self {
        Self(Process::start(test, "clients", &address.to_string()))
    }

    fn ask(&mut self, context: &glib::MainContext, order: &str) -> String {
        self.0.tell(order);
        self.hear(context)
    }

    /// What the process says, while the server here goes on.
    fn hear(&mut self, context: &glib::MainContext) -> String {
        thread::scope(|scope| {
            let hearing = scope.spawn(|| self.0.hear());
            iterate_until(context, || hearing.is_finished());
            hearing.join().expect("no panic")
        })
    }

    /// So many more, from that address.
    fn open(&mut self, context: &glib::MainContext, from: &str, count: usize) {
        assert_eq!(self.ask(context, &format!("open {from} {count}")), "opened");
    }

    /// Counts, when so many are greeted and so many reset, or it never comes to that.
    fn counts(&mut self, context: &glib::MainContext, greeted: usize, reset: usize) -> Counts {
        let said = self.ask(context, &format!("count {greeted} {reset}"));
        let mut numbers = said
            .split(' ')
            .map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        Counts {
            greeted: next(),
            silent: next(),
            reset: next(),
        }
    }

    /// So many of those who were greeted go, the first to come.
    fn close(&mut self, context: &glib::MainContext, count: usize) {
        assert_eq!(self.ask(context, &format!("close {count}")), "closed");
    }

    /// What the process does.
    fn run(server: &str) {
        let server: SocketAddr = server.parse().expect("an address");
        // Each with its place in the order in which they came.
        let mut silent = Peers::new();
        let (mut greeted, mut reset, mut came) = (Vec::new(), 0, 0..);
        while let Some(order) = children::listen() {
            let words: Vec<_> = order.split(' ').collect();
            match words[..] {
                ["open", from, count] => {
                    for _ in 0..count.parse().expect("a number") {
                        match open(from.parse().expect("an address"), server) {
                            Some(stream) => silent.extend(came.next().zip(Some(stream))),
                            None => reset += 1,
                        }
                    }
                    children::say("opened");
                }
                ["close", count] => {
                    greeted.sort_by_key(|(number, _)| *number);
                    greeted.drain(..count.parse::<usize>().expect("a number"));
                    children::say("closed");
                }
                ["count", wanted, wanted_reset] => {
                    let wanted: usize = wanted.parse().expect("a number");
                    let wanted_reset: usize = wanted_reset.parse().expect("a number");
                    let end = Instant::now() + LIMIT * slowness() / 2;
                    while (greeted.len() < wanted || reset < wanted_reset) && Instant::now() < end {
                        look(&mut silent, &mut greeted, &mut reset);
                    }
                    // Those who come too many have some time to come.
                    let end = Instant::now() + Duration::from_millis(50);
                    while Instant::now() < end {
                        look(&mut silent, &mut greeted, &mut reset);
                    }
                    children::say(&format!("{} {} {reset}", greeted.len(), silent.len()));
                }
                _ => panic!("what is {order}"),
            }
        }
    }
}

/// None if it is reset that soon.
fn open(from: IpAddr, server: SocketAddr) -> Option<TcpStream> {
    let socket = ipv4_socket();
    socket
        .bind(&gio_address(SocketAddr::new(from, 0)), false)
        .expect("loopback");
    match SocketExt::connect(&socket, &gio_address(server), Cancellable::NONE) {
        // The code of a reset, too.
        Err(failure) if failure.matches(E::BrokenPipe) => return None,
        result => result.expect("it listens"),
    }
    let copy: OwnedFd = socket.as_fd().try_clone_to_owned().expect("a descriptor");
    let stream = TcpStream::from(copy);
    stream.set_nonblocking(true).expect("an option");
    Some(stream)
}

type Peers = Vec<(usize, TcpStream)>;

fn look(silent: &mut Peers, greeted: &mut Peers, reset: &mut usize) {
    for (number, mut stream) in std::mem::take(silent) {
        match stream.read(&mut [0; GREETING.len()]) {
            Ok(0) => panic!("an end, and no greeting"),
            Ok(_) => greeted.push((number, stream)),
            Err(failure) if failure.kind() == ErrorKind::WouldBlock => {
                silent.push((number, stream));
            }
            Err(failure) if failure.kind() == ErrorKind::ConnectionReset => *reset += 1,
            Err(failure) => panic!("{failure}"),
        }
    }
    thread::sleep(Duration::from_millis(1));
}

/// The clients' part of a test, if this process is theirs.
fn are_clients() -> bool {
    let server = children::part("clients");
    if let Some(server) = &server {
        let server = server.clone();
        on_private_context_within(LIMIT * 4, move |_| Clients::run(&server));
    }
    server.is_some()
}

#[test]
fn what_is_over_the_limit_waits_in_the_kernel_until_there_is_room() {
    if are_clients() {
        return;
    }
    on_private_context_within(LIMIT * 4, |context| {
        let (listener, address) = listening();
        listener.set_max_connections(3);
        serve(context, &listener);
        let mut clients = Clients::start(
            "limits::what_is_over_the_limit_waits_in_the_kernel_until_there_is_room",
            address,
        );
        clients.open(context, "127.0.0.1", 12);
        let counts = |greeted, silent| Counts {
            greeted,
            silent,
            reset: 0,
        };
        assert_eq!(clients.counts(context, 3, 0), counts(3, 9));
        assert_eq!((listener.accepted(), listener.active_connections()), (3, 3));
        // As many as go are let in.
        clients.close(context, 2);
        assert_eq!(clients.counts(context, 3, 0), counts(3, 7));
        assert_eq!((listener.accepted(), listener.active_connections()), (5, 3));
        // Or as many more as are allowed.
        listener.set_max_connections(5);
        assert_eq!(clients.counts(context, 5, 0), counts(5, 5));
        // Those that there are stay when it is fewer.
        listener.set_max_connections(1);
        assert_eq!(clients.counts(context, 5, 0), counts(5, 5));
        clients.close(context, 4);
        assert_eq!(clients.counts(context, 1, 0), counts(1, 5));
        assert_eq!((listener.accepted(), listener.active_connections()), (7, 1));
        clients.close(context, 1);
        assert_eq!(clients.counts(context, 1, 0), counts(1, 4));
        listener.set_max_connections(0);
        assert_eq!(clients.counts(context, 5, 0), counts(5, 0));
        clients.close(context, 5);
        iterate_until(context, || listener.active_connections() == 0);
        assert_eq!((listener.accepted(), listener.refused()), (12, 0));
        clients.0.end();
        listener.close();
    });
}

/// Accepted, refused and active.
fn counted(listener: &SocketListener) -> (u64, u64, u32) {
    (
        listener.accepted(),
        listener.refused(),
        listener.active_connections(),
    )
}

#[test]
fn what_a_peer_has_too_many_of_is_reset_and_the_others_are_served() {
    if are_clients() {
        return;
    }
    on_private_context_within(LIMIT * 4, |context| {
        let (listener, address) = listening();
        listener.set_max_connections_per_peer(2);
        serve(context, &listener);
        let mut clients = Clients::start(
            "limits::what_a_peer_has_too_many_of_is_reset_and_the_others_are_served",
            address,
        );
        clients.open(context, "127.0.0.1", 5);
        let counts = |greeted, reset| Counts {
            greeted,
            silent: 0,
            reset,
        };
        assert_eq!(clients.counts(context, 2, 3), counts(2, 3));
        clients.open(context, "127.0.0.2", 3);
        assert_eq!(clients.counts(context, 4, 4), counts(4, 4));
        assert_eq!(counted(&listener), (4, 4, 4));
        // The first two go, who are of the first peer.
        clients.close(context, 2);
        iterate_until(context, || listener.active_connections() == 2);
        clients.open(context, "127.0.0.1", 3);
        assert_eq!(clients.counts(context, 4, 5), counts(4, 5));
        clients.open(context, "127.0.0.2", 1);
        assert_eq!(clients.counts(context, 4, 6), counts(4, 6));
        listener.set_max_connections_per_peer(0);
        clients.open(context, "127.0.0.1", 20);
        assert_eq!(clients.counts(context, 24, 6), counts(24, 6));
        assert_eq!(counted(&listener), (26, 6, 24));
        clients.0.end();
        listener.close();
    });
}

#[test]
fn both_limits_hold_together_and_a_refused_peer_takes_no_place() {
    if are_clients() {
        return;
    }
    on_private_context_within(LIMIT * 4, |context| {
        let (listener, address) = listening();
        listener.set_max_connections(3);
        listener.set_max_connections_per_peer(2);
        serve(context, &listener);
        let mut clients = Clients::start(
            "limits::both_limits_hold_together_and_a_refused_peer_takes_no_place",
            address,
        );
        clients.open(context, "127.0.0.1", 10);
        clients.open(context, "127.0.0.2", 3);
        let seen = clients.counts(context, 3, 8);
        let expected = Counts {
            greeted: 3,
            silent: 2,
            reset: 8,
        };
        assert_eq!(seen, expected);
        // The first two go, who are of the first peer. Of those that waited one is the second of its peer, and the other one
        // too many, whichever place is known to be free first.
        clients.close(context, 2);
        let expected = Counts {
            greeted: 2,
            silent: 0,
            reset: 9,
        };
        assert_eq!(clients.counts(context, 2, 9), expected);
        // It has taken no place.
        clients.open(context, "127.0.0.3", 1);
        assert_eq!(clients.counts(context, 3, 9).greeted, 3);
        clients.0.end();
        listener.close();
    });
}

#[test]
fn no_more_are_accepted_in_a_second_than_the_rate_allows() {
    if are_clients() {
        return;
    }
    on_private_context_within(LIMIT * 4, |context| {
        let (listener, address) = listening();
        listener.set_accept_rate(100);
        serve(context, &listener);
        let mut clients = Clients::start(
            "limits::no_more_are_accepted_in_a_second_than_the_rate_allows",
            address,
        );
        let start = Instant::now();
        clients.open(context, "127.0.0.1", 60);
        let counts = clients.counts(context, 60, 0);
        let passed = start.elapsed();
        assert_eq!((counts.greeted, counts.silent, counts.reset), (60, 0, 0));
        // The first ten were saved up.
        assert!(passed >= Duration::from_millis(490), "{passed:?}");
        // None at all, or nearly: the one that is saved up, until that is changed.
        listener.set_accept_rate(1);
        clients.close(context, 60);
        clients.open(context, "127.0.0.1", 30);
        let some = clients.counts(context, 1, 0);
        assert!(
            some.greeted < 30 && some.greeted + some.silent == 30,
            "{some:?}"
        );
        listener.set_accept_rate(0);
        assert_eq!(clients.counts(context, 30, 0).greeted, 30);
        clients.0.end();
        listener.close();
    });
}

#[test]
fn threads_that_block_wait_for_room_too() {
    on_private_context(|_| {
        let (listener, address) = listening();
        listener.set_max_connections(1);
        let peers: Vec<_> = (0..20)
            .map(|_| TcpStream::connect(address).expect("it listens"))
            .collect();
        let mut held = listener.accept(Cancellable::NONE).expect("a peer");
        for number in 2..=20 {
            // Somebody else gives the place up while this thread waits.
            let socket = held.0.socket();
            let raw = Shared(socket.clone());
            let closing = thread::spawn(move || raw.close_after(Duration::from_millis(2)));
            drop((held, socket));
            held = listener.accept(Cancellable::NONE).expect("a peer");
            closing.join().expect("no panic");
            assert_eq!(
                (listener.accepted(), listener.active_connections()),
                (number, 1)
            );
        }
        drop(peers);
    });
}

/// The last reference to a socket, on another thread.
struct Shared(gio::Socket);

// SAFETY: nobody has connected a handler to it, and it is used by one thread after the other.
unsafe impl Send for Shared {}

impl Shared {
    fn close_after(self, time: Duration) {
        thread::sleep(time);
        self.0.close().expect("open");
    }
}

#[test]
fn one_who_waits_for_room_can_be_cancelled_closed_and_timed_out() {
    on_private_context(|context| {
        let (listener, address) = listening();
        listener.set_max_connections(1);
        let _peers = [address; 2].map(|address| TcpStream::connect(address).expect("it listens"));
        let held = listener.accept(Cancellable::NONE).expect("a peer");

        let cancellable = Cancellable::new();
        let cancel = cancellable.clone();
        let cancelling = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            cancel.cancel();
        });
        assert_fails(listener.accept(Some(&cancellable)), E::Cancelled);
        cancelling.join().expect("no panic");

        let waiting = listener.clone();
        let closed = listener.clone();
        let result = context.block_on(async move {
            let accept = std::pin::pin!(waiting.accept_future());
            let close = std::pin::pin!(async move {
                glib::timeout_future(Duration::from_millis(20)).await;
                closed.close();
                std::future::pending::<()>().await;
            });
            match futures::future::select(accept, close).await {
                futures::future::Either::Left((result, _)) => result,
                futures::future::Either::Right(_) => unreachable!("it is pending for ever"),
            }
        });
        assert_fails(result, E::Closed);
        drop(held);

        let (listener, address) = listening();
        let _peers = [address; 2].map(|address| TcpStream::connect(address).expect("it listens"));
        let timed = SocketListener::new();
        let socket = ipv4_socket();
        socket
            .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
            .expect("loopback");
        socket.set_timeout(1);
        socket.listen().expect("bound");
        let address = address_of(socket.local_address().expect("bound"));
        timed.add_socket(&socket, NOTHING).expect("it listens");
        timed.set_max_connections(1);
        let _more = [address; 2].map(|address| TcpStream::connect(address).expect("it listens"));
        let _held = timed.accept(Cancellable::NONE).expect("a peer");
        assert_fails(timed.accept(Cancellable::NONE), E::TimedOut);
        drop(listener);
    });
}

#[test]
fn a_connection_is_active_until_its_socket_is_closed_or_nobody_has_it() {
    on_private_context(|_| {
        let (listener, address) = listening();
        let peers: Vec<_> = (0..11)
            .map(|_| TcpStream::connect(address).expect("it listens"))
            .collect();
        let accept = || listener.accept(Cancellable::NONE).expect("a peer").0;
        let accept_socket = || listener.accept_socket(Cancellable::NONE).expect("a peer").0;

        let closed = accept();
        assert_eq!(listener.active_connections(), 1);
        closed.close(Cancellable::NONE).expect("open");
        assert_eq!(listener.active_connections(), 0, "closed");

        let dropped = accept();
        assert_eq!(listener.active_connections(), 1);
        drop(dropped);
        assert_eq!(listener.active_connections(), 0, "dropped");

        // One whose socket somebody has asked for.
        let connection = accept();
        let socket = connection.socket();
        connection.close(Cancellable::NONE).expect("open");
        assert_eq!(
            listener.active_connections(),
            0,
            "closed, and the socket is kept"
        );
        drop(socket);

        let connection = accept();
        let socket = connection.socket();
        drop(connection);
        assert!(!socket.is_closed());
        assert_eq!(listener.active_connections(), 1, "somebody has the socket");
        drop(socket);
        assert_eq!(listener.active_connections(), 0, "nobody has it any more");

        // The halves keep it.
        let connection = accept();
        let (reader, writer) = connection.halves();
        drop((connection, reader));
        assert_eq!(listener.active_connections(), 1, "a half keeps it");
        drop(writer);
        assert_eq!(listener.active_connections(), 0, "no half is left");

        let socket = accept_socket();
        assert_eq!(listener.active_connections(), 1);
        drop(socket);
        assert_eq!(listener.active_connections(), 0, "as a socket");

        // A connection around it knows when it is closed.
        let socket = accept_socket();
        let connection = SocketConnection::factory_create_connection(&socket);
        assert_eq!(listener.active_connections(), 1);
        connection.close(Cancellable::NONE).expect("open");
        assert_eq!(
            listener.active_connections(),
            0,
            "closed by a connection that was made around it"
        );
        drop((connection, socket));

        let socket = accept_socket();
        let connection = SocketConnection::factory_create_connection(&socket);
        drop(connection);
        assert_eq!(
            listener.active_connections(),
            1,
            "such a connection has let go of it"
        );
        drop(socket);
        assert_eq!(listener.active_connections(), 0, "and everybody else, too");

        // Closed behind the back of a connection that goes before it has noticed.
        let connection = accept();
        let socket = connection.socket();
        socket.close().expect("open");
        drop(connection);
        assert_eq!(
            listener.active_connections(),
            0,
            "closed, whoever has the socket"
        );
        drop(socket);

        // One that nobody has taken the result of.
        let context = glib::MainContext::ref_thread_default();
        let done = Rc::new(RefCell::new(None));
        let slot = done.clone();
        listener.accept_async(Cancellable::NONE, move |_, result| {
            *slot.borrow_mut() = Some(result.clone());
        });
        iterate_until(&context, || done.borrow().is_some());
        assert_eq!(listener.active_connections(), 1);
        drop(done.take());
        assert_eq!(
            listener.active_connections(),
            0,
            "a result that nobody took"
        );

        assert_eq!(listener.accepted(), 10);
        // Whatever becomes of the listener, what it has accepted may go later.
        let last = accept();
        drop(listener);
        drop(last);
        drop(peers);
    });
}

#[test]
fn a_peer_is_the_same_one_over_ipv6() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let port = listener.add_any_inet_port(NOTHING).expect("any port");
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let other = listener
            .add_address(
                &any,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
                NOTHING,
            )
            .expect("loopback");
        listener.set_max_connections_per_peer(1);
        // The first comes by the socket of IPv6, wherever that takes IPv4 as well.
        let first = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        let held = listener.accept(Cancellable::NONE).expect("the first");
        let mut second = TcpStream::connect(address_of(other)).expect("it listens");
        let cancellable = Cancellable::new();
        let waits = cancellable.clone();
        let told = thread::spawn(move || {
            let end = second.read(&mut [0]).map_err(|failure| failure.kind());
            waits.cancel();
            end
        });
        assert_fails(listener.accept(Some(&cancellable)), E::Cancelled);
        assert_eq!(
            told.join().expect("no panic"),
            Err(ErrorKind::ConnectionReset)
        );
        assert_eq!(listener.refused(), 1);
        drop((first, held));
    });
}

#[test]
fn what_is_counted_is_told_at_home_and_not_for_each_connection() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let told = notifications(&listener);
        let mut held = Vec::new();
        for _ in 0..100 {
            held.push(TcpStream::connect(address).expect("it listens"));
            let connection = listener.accept(Cancellable::NONE).expect("a peer");
            // Closed on another thread, too.
            let socket = Shared(connection.0.socket());
            drop(connection);
            thread::spawn(move || drop(socket))
                .join()
                .expect("no panic");
        }
        assert!(told.borrow().is_empty(), "not before the context runs");
        let count = |name: &str| told.borrow().iter().filter(|told| *told == name).count();
        iterate_until(context, || count("accepted") != 0);
        assert_eq!(
            (listener.accepted(), listener.active_connections()),
            (100, 0)
        );
        assert_eq!(
            (
                count("accepted"),
                count("active-connections"),
                count("refused")
            ),
            (1, 1, 0)
        );
        // What comes later is told later.
        held.push(TcpStream::connect(address).expect("it listens"));
        let connection = listener.accept(Cancellable::NONE).expect("a peer");
        iterate_until(context, || count("active-connections") == 2);
        drop(connection);
        iterate_until(context, || count("active-connections") == 3);
        assert_eq!(listener.active_connections(), 0);
        drop(held);
    });
}

#[test]
fn what_another_thread_could_not_tell_is_told_with_the_next_look() {
    on_private_context(|_| {
        let home = glib::MainContext::new();
        let (listener, address) = home.with_thread_default(listening).expect("a new context");
        let told = notifications(&listener);
        let _peer = TcpStream::connect(address).expect("it listens");
        let held = listener.accept(Cancellable::NONE).expect("a peer");
        // Whoever runs the context there may not run handlers of this thread.
        let other = home.clone();
        thread::spawn(move || while other.iteration(false) {})
            .join()
            .expect("no panic");
        assert!(told.borrow().is_empty());
        assert_eq!(listener.active_connections(), 1);
        assert_eq!(*told.borrow(), ["accepted", "active-connections"]);
        drop(held);
    });
}

#[test]
fn the_limits_are_properties_and_a_change_is_told_once() {
    on_private_context(|_| {
        let listener: SocketListener = glib::Object::builder()
            .property("max-connections", 7_u32)
            .property("accept-rate", 9_u32)
            .build();
        assert_eq!(listener.max_connections(), 7);
        assert_eq!(listener.max_connections_per_peer(), 0);
        assert_eq!(listener.accept_rate(), 9);
        let told = notifications(&listener);
        listener.set_max_connections(7);
        listener.set_max_connections(8);
        listener.set_property("max-connections-per-peer", 3_u32);
        listener.set_accept_rate(u32::MAX);
        let names = ["max-connections", "max-connections-per-peer", "accept-rate"];
        assert_eq!(*told.borrow(), names);
        assert_eq!(listener.property::<u32>("max-connections-per-peer"), 3);
        for name in ["accepted", "refused", "active-connections"] {
            let property = listener.find_property(name).expect("a property");
            assert_eq!(property.flags(), glib::ParamFlags::READABLE, "{name}");
        }
    });
}
