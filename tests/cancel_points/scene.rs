//! One operation and everything around it, made anew for each point.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::AsFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*};

use crate::expected::*;
use crate::lines::*;
use crate::operations::*;
use crate::support::*;
use crate::tools::*;
use crate::unix_messages::try_send_by_hand;

/// The step before which a peer acts that does not do so at once.
const ACTS_AT: u32 = 2;
/// No operation takes more steps, but for time.
const MOST_STEPS: u32 = 12;

/// What all points of one test share.
pub(crate) struct World {
    pub(crate) context: glib::MainContext,
    server: TcpListener,
    silent: Option<Target>,
    canceller: mpsc::Sender<gio::Cancellable>,
    cancelled: mpsc::Receiver<()>,
}

impl World {
    pub(crate) fn new(context: &glib::MainContext) -> Self {
        let (canceller, orders) = mpsc::channel::<gio::Cancellable>();
        let (report, cancelled) = mpsc::channel();
        thread::spawn(move || {
            for cancellable in orders {
                cancellable.cancel();
                drop(cancellable);
                let _ = report.send(());
            }
        });
        let server = listener().0;
        wait_once(&server);
        Self {
            context: context.clone(),
            server,
            silent: None,
            canceller,
            cancelled,
        }
    }

    /// What a test with this operation needs, for all of its points: making it takes a while.
    pub(crate) fn prepare(&mut self, op: Op) {
        if op == Op::Connect {
            self.silent = Some(Target::silent(Line::Tcp));
        }
    }

    pub(crate) fn cancel_elsewhere(&self, cancellable: &gio::Cancellable) {
        self.canceller
            .send(cancellable.clone())
            .expect("the thread lives as long as this");
    }

    pub(crate) fn wait_for_canceller(&self) {
        self.cancelled.recv_timeout(LIMIT).expect("it only cancels");
    }

    /// A number that a source attached now has.
    fn source_number(&self) -> u32 {
        let source =
            glib::source::idle_source_new(None, glib::Priority::LOW, || glib::ControlFlow::Break);
        let id = source.attach(Some(&self.context));
        source.destroy();
        id.as_raw()
    }

    pub(crate) fn talks(&self, connection: &SocketConnection, peer: &mut TcpStream) {
        let mut buffer = [0; 4];
        peer.write_all(PING).expect("a working connection");
        let read = connection
            .input_stream()
            .read_all(&mut buffer, gio::Cancellable::NONE);
        assert_eq!(read.expect("a working connection"), (4, None));
    }
}

/// A thread that blocks where a cancellation reaches it opens something once, and keeps it. Where the answer was there
/// before, it did not block.
fn wait_once(server: &TcpListener) {
    let (connection, _, mut peer) = Line::TcpBare.connected(server);
    for _ in 0..100 {
        let before = open_descriptors();
        let helper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            peer.write_all(PING).expect("connected");
            peer
        });
        let read = connection
            .input_stream()
            .read([0; 4], Some(&gio::Cancellable::new()));
        assert_eq!(read.expect("a working connection"), 4);
        peer = helper.join().expect("no panic there");
        if open_descriptors() > before {
            return;
        }
    }
    panic!("a read that waits opens nothing");
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

enum Run {
    Callback(Lent),
    Spawned {
        task: Option<glib::JoinHandle<()>>,
        polled: Rc<RefCell<bool>>,
        end: Rc<RefCell<Vec<End>>>,
    },
    ByHand {
        future: Option<Running>,
        woken: Arc<Woken>,
        polled: bool,
        end: Option<End>,
    },
}

pub(crate) struct Scene<'w> {
    pub(crate) world: &'w World,
    pub(crate) case: Case,
    pub(crate) connection: Option<SocketConnection>,
    pub(crate) other: Option<SocketConnection>,
    pub(crate) peers: Vec<TcpStream>,
    target: Option<Target>,
    cancellable: gio::Cancellable,
    run: Run,
    acted: bool,
    steps: u32,
    /// How much the peer's end has to read that the operation did not write.
    pub(crate) filled: usize,
    /// And has read already.
    pub(crate) drained: usize,
    /// Before this number no source is the scene's.
    first_source: u32,
    objects: Vec<(&'static str, Gone)>,
    kernels: Vec<KernelSocket>,
}

impl<'w> Scene<'w> {
    /// For an operation that the test runs itself, from beginning to end.
    pub(crate) fn without_a_run(world: &'w World, case: Case) -> Self {
        let first_source = world.source_number();
        let mut objects = Vec::new();
        let mut kernels = Vec::new();
        let mut peers = Vec::new();
        let mut target = None;
        let (connection, number) = if case.op == Op::Connect {
            target = Some(match case.answer {
                Answer::AtOnce => Target::answering(case.line),
                Answer::Reset => Target::refusing(case.line),
                // For TCP there is one for all.
                _ if case.line.is_tcp() => Target::refusing(case.line),
                _ => Target::silent(case.line),
            });
            case.line.unconnected()
        } else {
            let (connection, number, peer) = case.line.connected(&world.server);
            peers.push(peer);
            (connection, number)
        };
        kernels.push(KernelSocket::of(number));
        note(&mut objects, &connection);
        let mut other = None;
        if case.op.is_of_two() {
            let (second, number, peer) = case.line.connected(&world.server);
            peers.push(peer);
            kernels.push(KernelSocket::of(number));
            note(&mut objects, &second);
            other = Some(second);
        }
        if case.op == Op::GracefulClose {
            connection
                .downcast_ref::<TcpConnection>()
                .expect("TCP")
                .set_graceful_disconnect(true);
        }
        let mut filled = 0;
        if case.op.moves_out() && case.answer != Answer::AtOnce {
            if case.line.is_tcp() {
                fill(&connection);
            } else {
                shrink(number, libc::SO_SNDBUF);
                fill(&connection);
            }
            filled = usize::try_from(connection.bytes_written()).expect("not much");
        }
        let cancellable = gio::Cancellable::new();
        objects.push(("cancellable", Gone::of(&cancellable)));
        let mut scene = Self {
            world,
            case,
            connection: Some(connection),
            other,
            peers,
            target,
            cancellable,
            run: Run::ByHand {
                future: None,
                woken: Arc::default(),
                polled: true,
                end: None,
            },
            acted: false,
            steps: 0,
            filled,
            drained: 0,
            first_source,
            objects,
            kernels,
        };
        if case.answer == Answer::AtOnce {
            scene.act();
        }
        scene
    }

    /// With the operation begun.
    pub(crate) fn new(world: &'w World, case: Case) -> Self {
        let mut scene = Self::without_a_run(world, case);
        scene.begin();
        scene
    }

    pub(crate) fn address(&self) -> Option<gio::SocketAddress> {
        self.target.as_ref().map(|target| {
            match (
                &self.world.silent,
                self.case.answer,
                self.case.line.is_tcp(),
            ) {
                (Some(silent), Answer::Never, true) => silent.address(),
                _ => target.address(),
            }
        })
    }

    fn begin(&mut self) {
        let connection = self.connection.clone().expect("just made");
        let address = self.address();
        let op = self.case.op;
        self.run = match self.case.way {
            Way::Callback | Way::LaterFinish => Run::Callback(start(
                op,
                &Arguments {
                    connection: &connection,
                    other: self.other.as_ref(),
                    address: address.as_ref(),
                    cancellable: &self.cancellable,
                    later: self.case.way == Way::LaterFinish,
                    nested: self.case.strike == Strike::NestedLoop,
                },
            )),
            Way::Spawned => {
                let future = future(op, &connection, self.other.as_ref(), address.as_ref());
                let end = Rc::new(RefCell::new(Vec::new()));
                let polled = Rc::new(RefCell::new(false));
                let (slot, begun) = (end.clone(), polled.clone());
                let nested = self.case.strike == Strike::NestedLoop;
                let context = self.world.context.clone();
                let task = self.world.context.spawn_local(async move {
                    *begun.borrow_mut() = true;
                    let result = future.await;
                    slot.borrow_mut().push(result);
                    if nested {
                        iterate(&context, 5);
                    }
                });
                Run::Spawned {
                    task: Some(task),
                    polled,
                    end,
                }
            }
            Way::ByHand => Run::ByHand {
                future: Some(future(
                    op,
                    &connection,
                    self.other.as_ref(),
                    address.as_ref(),
                )),
                woken: Arc::new(Woken(AtomicBool::new(true))),
                polled: false,
                end: None,
            },
        };
    }

    /// The peer does what it does, once.
    pub(crate) fn act(&mut self) {
        if std::mem::replace(&mut self.acted, true) {
            return;
        }
        match (self.case.op, self.case.answer) {
            (Op::Connect, answer) => {
                if answer == Answer::Later
                    && let Some(target) = &mut self.target
                {
                    target.make_room();
                }
            }
            // One side is at its end, and nobody reads there any more.
            (Op::Relay, Answer::Never) => {
                let _ = self.peers[0].shutdown(Shutdown::Write);
            }
            (_, Answer::Never) => {}
            (_, Answer::Reset) => reset(self.peers.remove(0)),
            (Op::Relay, answer) => {
                if answer != Answer::End {
                    let _ = self.peers[0].write_all(PING);
                }
                for peer in &self.peers {
                    let _ = peer.shutdown(Shutdown::Write);
                }
            }
            (op, Answer::End) if op.moves_in() => {
                let _ = self.peers[0].shutdown(Shutdown::Write);
            }
            (Op::Read | Op::Skip, _) => {
                // It may be refused: the connection may be closed by now.
                let _ = self.peers[0].write_all(PING);
            }
            (op, _) if op.receives() => pass(op, &self.peers[0]),
            (op, _) if op.moves_out() => self.drain(),
            (Op::Splice, _) => {
                let _ = self.peers[0].write_all(PING);
                let _ = self.peers[0].shutdown(Shutdown::Write);
            }
            (Op::GracefulClose, _) => {
                let _ = self.peers[0].shutdown(Shutdown::Write);
            }
            _ => {}
        }
    }

    /// Somebody else did it in its place.
    pub(crate) fn has_acted(&mut self) {
        self.acted = true;
    }

    /// Makes room.
    fn drain(&mut self) {
        let mut buffer = vec![0; 1 << 20];
        while self.drained < self.filled {
            let count = self.peers[0].read(&mut buffer).expect("more was written");
            assert_ne!(count, 0, "more was written");
            self.drained += count;
        }
    }

    /// One iteration, or one poll and what wakes for the next.
    pub(crate) fn step(&mut self) {
        if self.steps == ACTS_AT {
            self.act();
        }
        self.steps += 1;
        if matches!(self.run, Run::ByHand { .. }) {
            self.poll();
            for _ in 0..MOST_STEPS {
                if self.is_woken() {
                    break;
                }
                self.world.context.iteration(false);
            }
        } else {
            self.world.context.iteration(false);
        }
    }

    fn is_woken(&self) -> bool {
        match &self.run {
            Run::ByHand { woken, .. } => woken.0.load(Ordering::SeqCst),
            _ => false,
        }
    }

    fn poll(&mut self) {
        if let Run::ByHand {
            future,
            woken,
            polled,
            end,
        } = &mut self.run
            && let Some(running) = future
            && woken.0.swap(false, Ordering::SeqCst)
        {
            *polled = true;
            let waker = Waker::from(woken.clone());
            if let Poll::Ready(result) = running.as_mut().poll(&mut Context::from_waker(&waker)) {
                assert!(end.is_none());
                *end = Some(result);
                *future = None;
            }
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        match &self.run {
            Run::Callback(lent) => lent.started.has_ended(),
            Run::Spawned { end, .. } => !end.borrow().is_empty(),
            Run::ByHand { end, .. } => end.is_some(),
        }
    }

    /// Whether the operation itself is through, though nobody was told yet.
    pub(crate) fn is_done(&self) -> bool {
        let Some(connection) = &self.connection else {
            return false;
        };
        match self.case.op {
            // What a class in Rust overrides begins in an iteration, and until then is neither.
            Op::Connect if self.case.line == Line::TcpDerived => {
                connection.state() == ConnectionState::Connected
                    || connection.last_error().is_some()
            }
            Op::Connect => self.was_begun() && connection.state() != ConnectionState::Connecting,
            op if op.moves_in() => connection.bytes_read() > 0,
            op if op.moves_out() => connection.bytes_written() > self.filled as u64,
            _ => false,
        }
    }

    /// A future that was never polled has not begun.
    pub(crate) fn was_begun(&self) -> bool {
        match &self.run {
            Run::Callback(_) => true,
            Run::Spawned { polled, .. } => *polled.borrow(),
            Run::ByHand { polled, .. } => *polled,
        }
    }

    /// How many steps the operation takes, until it has ended or nothing moves any more.
    pub(crate) fn length(&mut self) -> u32 {
        let mut idle = 0;
        while !self.has_ended() && self.steps < MOST_STEPS && idle < 3 {
            let pending = self.world.context.pending();
            self.step();
            if self.steps > ACTS_AT + 1 && !pending {
                idle += 1;
            }
        }
        self.steps
    }

    /// To the end; an operation that would never end is cancelled, which must end it.
    pub(crate) fn go_to_the_end(&mut self) {
        if self.is_dropped() {
            return;
        }
        self.act();
        if self.case.natural().is_none() && !self.has_ended() {
            iterate(&self.world.context, MOST_STEPS);
            let struck = matches!(self.case.strike, Strike::Cancel | Strike::CancelElsewhere);
            if !self.has_ended() && !struck {
                self.give_up();
                if self.is_dropped() {
                    return;
                }
            }
        }
        let end = Instant::now() + LIMIT;
        let context = self.world.context.clone();
        while !self.has_ended() {
            assert!(Instant::now() < end, "it does not end");
            if matches!(self.run, Run::ByHand { .. }) {
                self.poll();
                let run = &self.run;
                iterate_until(&context, || match run {
                    Run::ByHand { woken, end, .. } => {
                        end.is_some() || woken.0.load(Ordering::SeqCst)
                    }
                    _ => true,
                });
            } else {
                let run = &self.run;
                iterate_until(&context, || match run {
                    Run::Callback(lent) => lent.started.has_ended(),
                    Run::Spawned { end, .. } => !end.borrow().is_empty(),
                    Run::ByHand { .. } => true,
                });
            }
        }
    }

    /// Ends what has no end of its own: by the cancellable, or by dropping.
    fn give_up(&mut self) {
        if matches!(self.run, Run::Callback(_)) {
            self.cancellable.cancel();
            return;
        }
        let (op, strike) = (self.case.op, self.case.strike);
        let ends = match strike {
            Strike::Close => {
                op.moves_in()
                    || op.moves_out()
                    || matches!(op, Op::Connect | Op::Relay)
                    || !self.was_begun()
            }
            // What passes something keeps its connection.
            Strike::DropReference => {
                (op.moves_in() || op.moves_out()) && !op.receives() && !op.sends()
            }
            _ => false,
        };
        // What is struck so ends by itself, and must.
        if !ends {
            self.drop_future();
        }
    }

    pub(crate) fn drop_future(&mut self) {
        match &mut self.run {
            Run::Callback(_) => {}
            Run::Spawned { task, .. } => {
                if let Some(task) = task.take() {
                    task.abort();
                }
            }
            Run::ByHand { future, .. } => *future = None,
        }
    }

    pub(crate) fn is_dropped(&self) -> bool {
        match &self.run {
            Run::Callback(_) => false,
            Run::Spawned { task, .. } => task.is_none(),
            Run::ByHand { future, end, .. } => future.is_none() && end.is_none(),
        }
    }

    /// What befalls it, now.
    pub(crate) fn strike(&mut self) {
        match self.case.strike {
            Strike::Cancel => self.cancellable.cancel(),
            Strike::CancelElsewhere => self.world.cancel_elsewhere(&self.cancellable),
            Strike::DropFuture => self.drop_future(),
            Strike::DropReference => {
                self.connection = None;
                self.other = None;
            }
            Strike::Close => {
                let begun = self.was_begun();
                let connection = self.connection.as_ref().expect("still there");
                if let Some(tcp) = connection.downcast_ref::<TcpConnection>()
                    && !begun
                {
                    // This close must not wait for the peer.
                    tcp.set_graceful_disconnect(false);
                }
                match connection.close(gio::Cancellable::NONE) {
                    Ok(()) => {}
                    Err(failure) => {
                        assert_eq!(code(&failure), E::Pending, "{failure:?}");
                        assert!(self.case.op.closes() || self.case.op == Op::Splice);
                    }
                }
            }
            Strike::NestedLoop => {
                let ran = Rc::new(RefCell::new(false));
                let (context, told) = (self.world.context.clone(), ran.clone());
                let source = glib::source::idle_source_new(None, glib::Priority::HIGH, {
                    let inner = context.clone();
                    // Made and run on this thread.
                    let told = glib::thread_guard::ThreadGuard::new(told);
                    move || {
                        iterate(&inner, 5);
                        *told.get_ref().borrow_mut() = true;
                        glib::ControlFlow::Break
                    }
                });
                source.attach(Some(&context));
                iterate_until(&context, || *ran.borrow());
            }
        }
    }

    /// What the operation said, exactly once; `None` for a future that was dropped before.
    pub(crate) fn end(&mut self) -> Option<End> {
        if self.case.strike == Strike::CancelElsewhere {
            self.world.wait_for_canceller();
        }
        assert_idle(&self.world.context);
        match &self.run {
            Run::Callback(lent) => {
                let started = &lent.started;
                if self.case.way == Way::LaterFinish {
                    let result = started.result();
                    let source = result.source_object();
                    return Some(end_of(
                        self.case.op.finish_later(source.to_glib_none().0, &result),
                    ));
                }
                Some(end_of(started.outcome()))
            }
            Run::Spawned { end, .. } => {
                assert!(end.borrow().len() <= 1, "it ended more than once");
                end.borrow().first().copied()
            }
            Run::ByHand { end, .. } => *end,
        }
    }

    /// What a read put into the buffer.
    pub(crate) fn bytes(&self, count: usize) -> Option<Vec<u8>> {
        match &self.run {
            Run::Callback(lent) => Some(lent.started.bytes(count)),
            _ => None,
        }
    }

    pub(crate) fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Everything goes; nothing is left.
    #[track_caller]
    pub(crate) fn leave(self) {
        let Self {
            world,
            connection,
            other,
            peers,
            target,
            cancellable,
            run,
            first_source,
            objects,
            kernels,
            ..
        } = self;
        assert!(
            !has_handlers(&cancellable),
            "a handler is left on the cancellable"
        );
        assert_eq!(cancellable.ref_count(), 1, "somebody holds the cancellable");
        drop((connection, other, cancellable));
        if let Run::Callback(lent) = &run {
            assert!(lent.started.is_task_gone(), "a task is left over");
        }
        drop(run);
        assert_idle(&world.context);
        for (name, gone) in &objects {
            assert!(gone.is_gone(), "a {name} is left over");
        }
        for kernel in &kernels {
            assert!(!kernel.is_open(), "a descriptor is left open");
        }
        let left = (first_source..world.source_number())
            .filter(|id| {
                // SAFETY: a live context; the result is borrowed and only compared.
                let source = unsafe {
                    glib::ffi::g_main_context_find_source_by_id(world.context.to_glib_none().0, *id)
                };
                !source.is_null()
            })
            .count();
        assert_eq!(left, 0, "sources are left in the context");
        drop((peers, target));
    }
}

/// The peer passes what is to be received. It may be refused: the connection may be closed by now.
pub(crate) fn pass(op: Op, peer: &TcpStream) {
    let stdin = std::io::stdin();
    let _ = match op {
        Op::ReceiveFd => try_send_by_hand(peer, b"\0", &[stdin.as_fd()], false),
        Op::ReceiveFds => try_send_by_hand(peer, b"\0", &[stdin.as_fd(), stdin.as_fd()], false),
        _ => try_send_by_hand(peer, b"\0", &[], true),
    };
}

fn note(objects: &mut Vec<(&'static str, Gone)>, connection: &SocketConnection) {
    objects.push(("connection", Gone::of(connection)));
    objects.push(("input stream", Gone::of(&connection.input_stream())));
    objects.push(("output stream", Gone::of(&connection.output_stream())));
}

/// Whether anybody is connected to `cancelled`, blocked or not.
fn has_handlers(cancellable: &gio::Cancellable) -> bool {
    // SAFETY: a live object whose class has the signal.
    unsafe {
        let signal = glib::gobject_ffi::g_signal_lookup(
            c"cancelled".as_ptr(),
            gio::ffi::g_cancellable_get_type(),
        );
        assert_ne!(signal, 0);
        let object: *mut glib::gobject_ffi::GObject = cancellable.as_ptr().cast();
        glib::gobject_ffi::g_signal_has_handler_pending(object, signal, 0, glib::ffi::GTRUE)
            != glib::ffi::GFALSE
    }
}
