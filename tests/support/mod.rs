//! What the test files share: a context of one's own with a time limit, loopback peers, counters.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test file uses a part of it"
)]
#![allow(
    unsafe_code,
    reason = "one socket option, and what is called before main"
)]

mod counts;
mod log;
mod made;

use std::{
    cell::RefCell,
    future::Future,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;
use gsock::SocketConnection;

pub use log::{logged, logged_anywhere, logged_so_far, with_one_critical};
pub use made::{iterate_until_none_lives, let_come_home, let_stay};

/// No wait in a test is longer than this, times [`slowness`].
pub const LIMIT: Duration = Duration::from_secs(10);

/// How many times slower than a computer this one may be: under valgrind it is.
pub fn slowness() -> u32 {
    std::env::var("GSOCK_TEST_SLOWNESS").map_or(1, |factor| factor.parse().expect("a number"))
}

/// Runs `test` on a thread of its own whose thread-default context is private to it, and fails the
/// test if that takes longer than [`LIMIT`] or panics.
///
/// Every test must hold on the default context too: with `GSOCK_TEST_CONTEXT=default` in the
/// environment this is [`on_default_context`].
pub fn on_private_context<R: Send + 'static>(
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    on_private_context_within(LIMIT, test)
}

/// Likewise, for as long as `limit`.
pub fn on_private_context_within<R: Send + 'static>(
    limit: Duration,
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    match std::env::var("GSOCK_TEST_CONTEXT").as_deref() {
        Err(_) | Ok("private") => counted(limit, move || {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| made::none_left(&context, test))
                .expect("a new context has no owner")
        }),
        Ok("default") => on_default_context_within(limit, test),
        Ok(other) => panic!("GSOCK_TEST_CONTEXT is private or default, not {other}"),
    }
}

/// Runs `test` on the global default context, one test of the process at a time. No context is
/// the thread's default one then, as on the main thread of most programs.
pub fn on_default_context<R: Send + 'static>(
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    on_default_context_within(LIMIT, test)
}

fn on_default_context_within<R: Send + 'static>(
    limit: Duration,
    test: impl FnOnce(&glib::MainContext) -> R + Send + 'static,
) -> R {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    counted(limit, move || {
        let context = glib::MainContext::default();
        let _owned = context
            .acquire()
            .expect("nobody else iterates the default context");
        made::none_left(&context, test)
    })
}

/// [`within`], and fails if an object of ours that `work` has made is still there when its thread is not.
fn counted<R: Send + 'static>(limit: Duration, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (result, counts) = within(limit, move || {
        let counts = counts::Counts::begin();
        let result = work();
        (result, counts.noting_what_may_stay())
    });
    counts.assert_none_left();
    result
}

/// Runs `work` on another thread and fails if it has not ended after `limit`, times [`slowness`].
pub fn within<R: Send + 'static>(limit: Duration, work: impl FnOnce() -> R + Send + 'static) -> R {
    let limit = limit * slowness();
    let (ended, end) = mpsc::channel();
    // Messages name the thread, and the runner names its own for the test.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let worker = thread::Builder::new().name(name).spawn(move || {
        // Two threads that use it first, one of them in the making of a class of GIO's, wait for each other for ever
        // in GLib 2.74.6. What is about that has processes of its own, and no other thread.
        assert!(gio::SocketAddress::static_type().is_valid());
        let result = work();
        let _ = ended.send(());
        result
    });
    let worker = worker.expect("a thread");
    match end.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not done after {limit:?}"),
        // Done, or panicked: the join tells.
        _ => match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// Iterates `context` until `done`, within [`LIMIT`].
pub fn iterate_until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT * slowness();
    // So that an iteration without an event ends too.
    let tick = glib::source::timeout_source_new(
        Duration::from_millis(5),
        None,
        glib::Priority::HIGH,
        || glib::ControlFlow::Continue,
    );
    tick.attach(Some(context));
    while !done() {
        assert!(Instant::now() < end, "not done after {LIMIT:?}");
        context.iteration(true);
    }
    tick.destroy();
}

/// Iterates `context` for `time`, whatever happens.
pub fn iterate_for(context: &glib::MainContext, time: Duration) {
    let end = Instant::now() + time;
    iterate_until(context, || Instant::now() >= end);
}

/// Runs `future` on `context`, within [`LIMIT`].
pub fn block_on<R: 'static>(
    context: &glib::MainContext,
    future: impl Future<Output = R> + 'static,
) -> R {
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    context.spawn_local(async move {
        let value = future.await;
        *slot.borrow_mut() = Some(value);
    });
    iterate_until(context, || result.borrow().is_some());
    result.take().expect("the future has ended")
}

/// The code of an error in GIO's domain; another domain fails the test.
#[track_caller]
pub fn code(error: &glib::Error) -> gio::IOErrorEnum {
    error
        .kind::<gio::IOErrorEnum>()
        .unwrap_or_else(|| panic!("not a GIO error: {error:?}"))
}

/// Fails unless `result` is an error of this code.
#[track_caller]
pub fn assert_fails<T: std::fmt::Debug>(
    result: Result<T, glib::Error>,
    expected: gio::IOErrorEnum,
) {
    match result {
        Ok(value) => panic!("{expected:?} was expected, and it succeeded: {value:?}"),
        Err(error) => assert_eq!(code(&error), expected, "{error:?}"),
    }
}

/// A TCP socket that is not connected.
pub fn tcp_socket(family: gio::SocketFamily) -> gio::Socket {
    gio::Socket::new(
        family,
        gio::SocketType::Stream,
        gio::SocketProtocol::Default,
    )
    .expect("loopback has both families")
}

pub fn ipv4_socket() -> gio::Socket {
    tcp_socket(gio::SocketFamily::Ipv4)
}

/// A connection of the registered type around an unconnected IPv4 socket.
#[track_caller]
pub fn unconnected() -> SocketConnection {
    made::noted(SocketConnection::factory_create_connection(&ipv4_socket()))
}

pub fn gio_address(address: SocketAddr) -> gio::InetSocketAddress {
    gio::InetSocketAddress::from(address)
}

/// A listener on loopback, and its address.
pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Both ends of a TCP connection over loopback: the standard library's, and a descriptor.
pub fn tcp_pair() -> (TcpStream, OwnedFd) {
    let (listener, address) = listener();
    let ours = TcpStream::connect(address).expect("it listens");
    let (theirs, _) = listener.accept().expect("somebody connected");
    let limit = Some(LIMIT * slowness());
    theirs.set_read_timeout(limit).expect("an option");
    theirs.set_write_timeout(limit).expect("an option");
    (theirs, OwnedFd::from(ours))
}

/// A connection around a connected `GSocket`, and the peer's end of it.
#[track_caller]
pub fn connected() -> (SocketConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    let connection = SocketConnection::factory_create_connection(&socket);
    made::noted(socket);
    (made::noted(connection), peer)
}

/// Likewise around a bare descriptor.
#[track_caller]
pub fn connected_bare() -> (SocketConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let connection = SocketConnection::factory_create_connection_from_fd(fd).expect("a socket");
    (made::noted(connection), peer)
}

/// A listener whose queue is full, so that a connect to it stays in flight, with what fills it.
pub struct Deaf {
    pub address: SocketAddr,
    _listener: gio::Socket,
    _queue: Vec<gio::Socket>,
}

pub fn deaf_listener() -> Deaf {
    let socket = ipv4_socket();
    let any = gio_address(([127, 0, 0, 1], 0).into());
    socket.bind(&any, false).expect("loopback");
    socket.set_listen_backlog(0);
    socket.listen().expect("bound");
    let bound = socket.local_address().expect("bound");
    let bound = bound
        .downcast::<gio::InetSocketAddress>()
        .expect("an internet address");
    let address = SocketAddr::new([127, 0, 0, 1].into(), bound.port());
    // One more than fits; the kernel drops the rest of the attempts.
    let queue = (0..4)
        .map(|_| {
            let filler = ipv4_socket();
            filler.set_blocking(false);
            let _ = SocketExt::connect(&filler, &gio_address(address), gio::Cancellable::NONE);
            filler
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    Deaf {
        address,
        _listener: socket,
        _queue: queue,
    }
}

/// Any port of an address on loopback where no other process listens. For a listener to which some may come when it has closed:
/// its port may be somebody else's by then.
pub fn any_port_of_our_own() -> gio::InetSocketAddress {
    gio_address(loopback_of_our_own().into())
}

fn loopback_of_our_own() -> ([u8; 4], u16) {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    ([127, 64 | high & 63, middle, low], 0)
}

/// A [`listener`] to which nobody comes from another process: not those either whose own listener had its port before.
pub fn listener_of_our_own() -> (TcpListener, SocketAddr) {
    let address = SocketAddr::from(loopback_of_our_own());
    let listener = TcpListener::bind(address).expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// A port on loopback where nobody listens.
pub fn refused_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below what the system hands out by itself: one that was free just now is another test's in a moment, and so are its
    // clients.
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 9_000;
    let begin = std::process::id().wrapping_mul(61);
    (0..COUNT)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(begin) % COUNT + FIRST)
        .filter_map(|port| u16::try_from(port).ok())
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| {
            // Not listened to for a moment, either.
            let socket = gio::Socket::new(
                gio::SocketFamily::Ipv4,
                gio::SocketType::Stream,
                gio::SocketProtocol::Tcp,
            );
            socket.is_ok_and(|socket| socket.bind(&gio_address(*address), false).is_ok())
        })
        .expect("a port that nobody has")
}

/// Serves every connection on a thread: what comes in goes back, until the end of file.
pub fn echo_server() -> SocketAddr {
    let (listener, address) = listener();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo(stream));
        }
    });
    address
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 65536];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 || stream.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Makes the peer's end reset the connection when it is dropped.
pub fn reset(peer: TcpStream) {
    use std::os::fd::AsRawFd;
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the value is as long as said.
    let set = unsafe {
        libc::setsockopt(
            peer.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    drop(peer);
}

/// Counts the notifications of a property; names and counts in the order of emission.
pub fn notifications(object: &impl IsA<glib::Object>) -> Rc<RefCell<Vec<String>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let names = seen.clone();
    object
        .as_ref()
        .connect_notify_local(None, move |_, property| {
            names.borrow_mut().push(property.name().to_owned());
        });
    seen
}

/// Tells whether an object is gone, from any thread.
#[derive(Clone)]
pub struct Gone(Arc<AtomicBool>);

impl Gone {
    pub fn of(object: &impl IsA<glib::Object>) -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let flag = gone.clone();
        object
            .as_ref()
            .add_weak_ref_notify(move || flag.store(true, Ordering::SeqCst));
        Self(gone)
    }

    pub fn is_gone(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1))
}

/// Reads from the peer's end until its end of file.
pub fn read_to_end(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).expect("an end of file");
    bytes
}
