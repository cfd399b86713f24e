//! Many connections at once, all of which talk, wait, talk again and end: by one body on our classes and on GIO's.

use std::{
    cell::{Cell, RefCell},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use gio::prelude::*;

use crate::{
    far::{Far, LOOPBACKS},
    support::*,
};

/// How often each talks; before the last time all wait.
pub(crate) const ROUNDS: usize = 3;
/// To make what is made once: engines, types, lists, the heap's own.
const WARM_UP: usize = 200;
/// So many are under way to a connection at once: the far end has room for them in its queue.
const WAVE: usize = 500;
/// Descriptors besides those of the connections.
const BESIDES: usize = 200;
const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// What a connection says, which no other one says and it says once.
pub(crate) fn frame(number: usize, round: usize) -> Vec<u8> {
    let size = 16 + (number * 37 + round * 101) % 500;
    let period = format!("{number}/{round};");
    period.bytes().cycle().take(size).collect()
}

/// Lets the process open as many descriptors as the system allows.
///
/// # Panics
///
/// When that is not enough for `count` connections.
pub(crate) fn raise_the_limit(count: usize) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a place for the value.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(got, 0);
    let hard = usize::try_from(limit.rlim_max).unwrap_or(usize::MAX);
    assert!(
        hard >= count + BESIDES,
        "RLIMIT_NOFILE's hard limit is {hard}, and {count} connections need {}",
        count + BESIDES
    );
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: a live value.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
}

/// In bytes.
pub(crate) fn resident_memory() -> usize {
    // SAFETY: no pointers involved. What is free must not look as if it were held.
    unsafe { libc::malloc_trim(0) };
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = status.split(' ').nth(1).expect("the second number");
    let pages: usize = pages.parse().expect("a number");
    // SAFETY: no pointers involved.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * usize::try_from(page).expect("a size")
}

/// How far they have come.
#[derive(Default)]
pub(crate) struct Tally {
    connected: Cell<usize>,
    idle: Cell<usize>,
    right: Cell<usize>,
    ended: Cell<usize>,
}

impl Tally {
    fn add(count: &Cell<usize>) {
        count.set(count.get() + 1);
    }
}

/// What is measured of one round of all connections.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) right: usize,
    /// While all wait.
    pub(crate) memory: usize,
    pub(crate) descriptors: usize,
}

/// Iterates `context` until `done`.
fn until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    while !done() {
        context.iteration(true);
    }
}

fn settle(context: &glib::MainContext) {
    iterate_for(context, Duration::from_millis(100));
}

/// Whether `frame` is what comes next.
async fn comes_back(input: &gio::InputStream, frame: &[u8]) -> bool {
    let mut got = Vec::with_capacity(frame.len());
    while got.len() < frame.len() {
        let room = vec![0; frame.len() - got.len()];
        match input.read_future(room, DEFAULT).await {
            Ok((_, 0)) | Err(_) => return false,
            Ok((bytes, count)) => got.extend_from_slice(&bytes[..count]),
        }
    }
    got == frame
}

async fn say(output: &gio::OutputStream, frame: Vec<u8>) -> bool {
    output.write_all_future(frame, DEFAULT).await.is_ok()
}

/// What a connection that we have made does.
async fn talk(connection: gio::IOStream, number: usize, tally: Rc<Tally>) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut is_right = true;
    for round in 0..ROUNDS {
        let frame = frame(number, round);
        // The last one is sent from outside, when all wait.
        if round + 1 < ROUNDS {
            is_right &= say(&output, frame.clone()).await;
        } else {
            Tally::add(&tally.idle);
        }
        is_right &= comes_back(&input, &frame).await;
    }
    let end = input.read_future(vec![0; 1], DEFAULT).await;
    is_right &= end.is_ok_and(|(_, count)| count == 0);
    is_right &= connection.close_future(DEFAULT).await.is_ok();
    if is_right {
        Tally::add(&tally.right);
    }
    Tally::add(&tally.ended);
}

/// What a connection that came to us does.
async fn send_back(connection: gio::IOStream, tally: Rc<Tally>) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut buffer = vec![0; 600];
    loop {
        match input.read_future(buffer, DEFAULT).await {
            Err((_, error)) => panic!("a read of what came: {error}"),
            Ok((_, 0)) => break,
            Ok((mut bytes, count)) => {
                bytes.truncate(count);
                assert!(say(&output, bytes).await, "a write of what came");
                buffer = vec![0; 600];
            }
        }
    }
    connection.close_future(DEFAULT).await.expect("open");
    Tally::add(&tally.ended);
}

macro_rules! family {
    ($family:ident, $client:ty, $service:ty) => {
        pub(crate) mod $family {
            #[allow(unused_imports, reason = "of the one family or of both")]
            use gsock::prelude::*;

            use super::*;

            /// `count` connections of a client.
            pub(crate) fn connect(
                context: &glib::MainContext,
                peers: &[SocketAddr],
                count: usize,
            ) -> Round {
                let client = <$client>::new();
                client.set_enable_proxy(false);
                let tally = Rc::new(Tally::default());
                let all = Rc::new(RefCell::new(Vec::with_capacity(count)));
                for begin in (0..count).step_by(WAVE) {
                    let end = count.min(begin + WAVE);
                    for number in begin..end {
                        let address = gio_address(peers[number % usize::from(LOOPBACKS)]);
                        let connecting = client.connect_future(&address);
                        let (tally, all) = (tally.clone(), all.clone());
                        context.spawn_local(async move {
                            let connection = connecting.await;
                            let connection =
                                connection.unwrap_or_else(|error| panic!("{number}: {error}"));
                            all.borrow_mut().push((number, connection.clone()));
                            Tally::add(&tally.connected);
                            talk(connection.upcast(), number, tally).await;
                        });
                    }
                    until(context, || tally.connected.get() == end);
                }
                until(context, || tally.idle.get() == count);
                settle(context);
                let (memory, descriptors) = (resident_memory(), open_descriptors());
                for (number, connection) in all.take() {
                    context.spawn_local(async move {
                        let output = connection.output_stream();
                        assert!(say(&output, frame(number, ROUNDS - 1)).await, "{number}");
                        let socket = connection.socket();
                        socket.shutdown(false, true).expect("connected");
                    });
                }
                until(context, || tally.ended.get() == count);
                settle(context);
                Round {
                    right: tally.right.get(),
                    memory,
                    descriptors,
                }
            }

            /// A service to which `count` connect.
            pub(crate) fn serve(context: &glib::MainContext, test: &str, count: usize) -> Round {
                let service = <$service>::new();
                service.set_backlog(2_000);
                let mut addresses = String::new();
                for number in 1..=LOOPBACKS {
                    let any = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), 0));
                    let bound = service
                        .add_address(
                            &gio_address(any),
                            gio::SocketType::Stream,
                            gio::SocketProtocol::Tcp,
                            None::<&glib::Object>,
                        )
                        .expect("loopback");
                    let bound = bound.downcast::<gio::InetSocketAddress>().expect("of IP");
                    addresses += &format!(" 127.0.0.{number}:{}", bound.port());
                }
                let tally = Rc::new(Tally::default());
                let (handler_tally, spawner) = (tally.clone(), context.clone());
                service.connect_incoming(move |_, connection, _| {
                    Tally::add(&handler_tally.connected);
                    let talking = send_back(connection.clone().upcast(), handler_tally.clone());
                    spawner.spawn_local(talking);
                    true
                });
                service.start();
                let mut far = Far::start(test, &format!("clients {count}{addresses}"));
                let (said, hears) = mpsc::channel();
                let (goes_on, may_go_on) = mpsc::channel::<()>();
                let listens = thread::spawn(move || {
                    far.says("idle");
                    said.send(0).expect("somebody waits");
                    may_go_on.recv().expect("somebody is there");
                    far.tell("go on");
                    let right = far.says("right ");
                    said.send(right.parse().expect("a number"))
                        .expect("likewise");
                    far.end();
                });
                let hear = || {
                    let mut heard = None;
                    iterate_with_ticks(context, || {
                        heard = hears.try_recv().ok();
                        heard.is_some()
                    });
                    heard.expect("it was heard")
                };
                let _idle: usize = hear();
                assert_eq!(tally.connected.get(), count);
                settle(context);
                let (memory, descriptors) = (resident_memory(), open_descriptors());
                goes_on.send(()).expect("it listens");
                let right = hear();
                until(context, || tally.ended.get() == count);
                listens.join().expect("no panic");
                service.stop();
                service.close();
                settle(context);
                Round {
                    right,
                    memory,
                    descriptors,
                }
            }
        }
    };
}

family!(ours, gsock::SocketClient, gsock::SocketService);
family!(gios, gio::SocketClient, gio::SocketService);

/// So that an iteration without an event ends too.
fn iterate_with_ticks(context: &glib::MainContext, done: impl FnMut() -> bool) {
    let tick = glib::source::timeout_source_new(Duration::from_millis(5), None, DEFAULT, || {
        glib::ControlFlow::Continue
    });
    tick.attach(Some(context));
    until(context, done);
    tick.destroy();
}

/// Warms up, holds `count` connections at once, and says in a line what was right and what each took.
pub(crate) fn measured(
    context: &glib::MainContext,
    name: &str,
    count: usize,
    mut hold: impl FnMut(usize) -> Round,
) {
    raise_the_limit(count);
    let warm = hold(WARM_UP);
    assert_eq!(warm.right, WARM_UP, "to warm up");
    settle(context);
    let (memory, descriptors) = (resident_memory(), open_descriptors());
    let round = hold(count);
    settle(context);
    let left = open_descriptors();
    assert!(round.descriptors >= descriptors + count, "all at once");
    println!(
        "load: {name}: {count} tried, {} right, {} bytes each, {descriptors} descriptors before, {left} after",
        round.right,
        round.memory.saturating_sub(memory) / count,
    );
    assert_eq!(round.right, count, "connections");
    assert_eq!(left, descriptors, "descriptors");
}
