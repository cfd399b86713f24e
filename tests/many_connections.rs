//! Ten thousand connections at once: none of them loses a byte, and nothing is left of them.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "an allocator that counts, a limit, epoll(7), and sources looked for as in C"
)]

mod support;

#[path = "many_connections/frames.rs"]
mod frames;

#[path = "many_connections/peer.rs"]
mod peer;

#[path = "many_connections/polling.rs"]
mod polling;

#[path = "many_connections/talk.rs"]
mod talk;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    sync::atomic::{AtomicIsize, Ordering},
    time::{Duration, Instant},
};

use gio::{Cancellable, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, SocketConnection, engine, prelude::*};

use frames::{Ending, Plan};
use support::*;
use talk::{Entry, Talk, Tally, talk_in_halves};

/// What is asked of the library.
const MANY: usize = 10_000;
/// What is asked of the machine, and of a slow one; and where each wait looks at every connection.
const LEAST: usize = 1_000;
/// Descriptors besides those of the connections.
const BESIDES: usize = 200;
/// To make what is made once: engines, types, lists.
const WARM_UP: usize = 100;
const LONG_LIMIT: Duration = Duration::from_secs(60);

/// Counts the pieces of memory that Rust code holds; GLib asks for its own elsewhere.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's, and a number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[test]
fn ten_thousand_connections_at_once_lose_nothing_and_leave_nothing() {
    if peer::is_wanted() {
        return peer::run();
    }
    on_private_context_within(LONG_LIMIT, |context| {
        let count = how_many();
        let peer =
            peer::Process::start("ten_thousand_connections_at_once_lose_nothing_and_leave_nothing");
        in_a_round(context, peer.addresses(), WARM_UP);
        iterate_for(context, Duration::from_millis(200));
        let before = Held::now(context);
        in_a_round(context, peer.addresses(), count);
        let after = Held::now(context);
        assert_eq!(after.descriptors, before.descriptors, "descriptors");
        assert_eq!(after.sources, before.sources, "sources in the context");
        // Lists have grown, each in one piece. A task left over, or what belongs to a connection, would be
        // `count` pieces, or a quarter of it. The list of sockets that somebody else may close is looked
        // through, when it is long, at times only.
        let left = || HELD.load(Ordering::Relaxed) - before.memory;
        let end = Instant::now() + LIMIT * slowness();
        while left() >= (count / 100) as isize && Instant::now() < end {
            iterate_for(context, Duration::from_millis(20));
        }
        let left = left();
        assert!(
            left < (count / 100) as isize,
            "{left} pieces of memory are left after {count} connections"
        );
        peer.end();
    });
}

/// As many as are asked for and this process may open. Fewer than [`LEAST`] are a failure.
fn how_many() -> usize {
    let wanted = match std::env::var("GSOCK_BACK_END").as_deref() {
        Ok("sources") => LEAST,
        _ if slowness() > 1 => LEAST,
        _ => MANY,
    };
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a place for the value.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(got, 0);
    let hard = usize::try_from(limit.rlim_max).unwrap_or(usize::MAX);
    let count = wanted.min(hard.saturating_sub(BESIDES));
    assert!(
        count >= LEAST,
        "RLIMIT_NOFILE's hard limit is {hard}, and {LEAST} connections need {}",
        LEAST + BESIDES
    );
    limit.rlim_cur = limit.rlim_cur.max((count + BESIDES) as libc::rlim_t);
    // SAFETY: a live value. The peer's process has it from this one.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
    println!("{count} connections, of {wanted} that are wanted");
    count
}

/// What the process holds that connections could leave behind.
struct Held {
    descriptors: usize,
    sources: usize,
    memory: isize,
}

impl Held {
    fn now(context: &glib::MainContext) -> Self {
        Self {
            descriptors: open_descriptors(),
            sources: sources(context),
            memory: HELD.load(Ordering::Relaxed),
        }
    }
}

/// Every source that is in `context`, the engine's too.
fn sources(context: &glib::MainContext) -> usize {
    // Numbers are given in order.
    let newest = glib::idle_source_new(None, glib::Priority::LOW, || glib::ControlFlow::Break);
    let last = newest.attach(Some(context)).as_raw();
    newest.destroy();
    (1..last)
        .filter(|id| {
            // SAFETY: a live context; the result is borrowed and only compared.
            let source = unsafe {
                glib::ffi::g_main_context_find_source_by_id(context.to_glib_none().0, *id)
            };
            !source.is_null()
        })
        .count()
}

/// One connection, as the test sees it.
struct Line {
    connection: SocketConnection,
    plan: Plan,
    /// Where it talks in a task.
    task: Option<engine::JoinHandle<()>>,
}

/// Makes `count` connections, lets all of them talk and end at once, and drops them.
fn in_a_round(context: &glib::MainContext, peers: &[SocketAddr], count: usize) {
    let mut lines: Vec<Line> = (0..count).map(|number| line(peers, number)).collect();
    let tally = Rc::new(Tally::default());
    for line in &mut lines {
        line.start(context, &tally);
    }
    until(context, || tally.waiting() + tally.ended() == count);
    run_out(context);
    for line in &lines {
        line.check_before_the_close();
    }
    // A part of them from under a read that waits.
    for line in &lines {
        line.connection.close(Cancellable::NONE).expect("idle");
    }
    until(context, || tally.ended() == count);
    run_out(context);
    for line in &lines {
        line.check_after_the_close();
    }
    let weak: Vec<_> = lines.drain(..).flat_map(|line| line.into_weak()).collect();
    run_out(context);
    let left = weak.iter().filter(|weak| weak.upgrade().is_some()).count();
    assert_eq!(left, 0, "objects are left over, of {}", weak.len());
}

fn line(peers: &[SocketAddr], number: usize) -> Line {
    let fd = connected_to_one_of(peers);
    let plan = Plan::of(number);
    if plan.needs_room() {
        give_little_room(&fd);
    }
    let connection = if plan.entry() == Entry::Gio {
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        SocketConnection::factory_create_connection(&socket)
    } else {
        SocketConnection::factory_create_connection_from_fd(fd).expect("a socket")
    };
    assert_eq!(connection.state(), ConnectionState::Connected);
    Line {
        connection,
        plan,
        task: None,
    }
}

/// So that the system takes a few thousand bytes at once.
fn give_little_room(fd: &OwnedFd) {
    let room = 4_096;
    // SAFETY: the value is as long as said.
    let set = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const room).cast(),
            size_of_val(&room) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// To the first, until there is no port left for more.
fn connected_to_one_of(peers: &[SocketAddr]) -> OwnedFd {
    for peer in peers {
        match TcpStream::connect(peer) {
            Ok(stream) => return stream.into(),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
            Err(error) => panic!("{peer}: {error}"),
        }
    }
    panic!("no port is left to connect from");
}

impl Line {
    fn start(&mut self, context: &glib::MainContext, tally: &Rc<Tally>) {
        match self.plan.entry() {
            Entry::Halves => {
                let halves = self.connection.halves();
                let talking = talk_in_halves(halves, self.plan, tally.clone());
                self.task = Some(engine::spawn_local(context, talking));
            }
            Entry::Gio | Entry::Direct => {
                Talk::start(&self.connection, self.plan, tally);
            }
        }
    }

    fn check_before_the_close(&self) {
        let (connection, plan) = (&self.connection, self.plan);
        let state = match plan.ending() {
            Ending::Finished | Ending::Reset => ConnectionState::Disconnected,
            Ending::ClosedWaiting | Ending::ClosedIdle => ConnectionState::Connected,
        };
        assert_eq!(connection.state(), state, "{plan:?}");
        let error = connection.last_error().map(|error| code(&error));
        let expected = (plan.ending() == Ending::Reset).then_some(gio::IOErrorEnum::BrokenPipe);
        assert_eq!(error, expected, "{plan:?}");
        self.check_the_counters();
    }

    fn check_after_the_close(&self) {
        let (connection, plan) = (&self.connection, self.plan);
        assert_eq!(connection.state(), ConnectionState::Closed, "{plan:?}");
        assert!(connection.is_closed(), "{plan:?}");
        let finished = self
            .task
            .as_ref()
            .is_none_or(engine::JoinHandle::is_finished);
        assert!(finished, "{plan:?}");
        self.check_the_counters();
    }

    fn check_the_counters(&self) {
        let counted = (
            self.connection.bytes_read(),
            self.connection.bytes_written(),
        );
        assert_eq!(counted, self.plan.bytes(), "{:?}", self.plan);
    }

    /// Drops it.
    fn into_weak(self) -> Vec<glib::WeakRef<glib::Object>> {
        let connection = &self.connection;
        let mut objects: Vec<glib::Object> = vec![connection.clone().upcast()];
        // The others need no socket of GIO's and no streams, and have none.
        if self.plan.entry() == Entry::Gio {
            objects.push(connection.socket().upcast());
            objects.push(connection.input_stream().upcast());
            objects.push(connection.output_stream().upcast());
        }
        objects.iter().map(ObjectExt::downgrade).collect()
    }
}

/// Iterates `context` until `done`, by whatever wakes it alone: a wake that is lost is a test that does
/// not end.
fn until(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    while !done() {
        context.iteration(true);
    }
}

fn run_out(context: &glib::MainContext) {
    while context.iteration(false) {}
}
