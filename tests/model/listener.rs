//! A listener, those who ask for connections and those who connect, beside a queue for each socket.

use std::{
    cell::RefCell,
    collections::VecDeque,
    net::{SocketAddr, TcpStream},
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketConnection, SocketListener, prelude::*};
use proptest::{prelude::*, strategy::Union};

use crate::{sequences::explore, support::*};

/// A queue holds so many, whatever the kernel makes of a backlog.
const FULL: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Adding {
    Address,
    AnyPort,
    Socket,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(Adding),
    Connect(usize),
    /// Connects and goes before anybody has accepted.
    ConnectAndGo(usize),
    Accept,
    AcceptLater,
    AcceptInFuture,
    Cancel(usize),
    Drop(usize),
    Remove(usize),
    Close,
    Iterate,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let adding = prop::sample::select(vec![Adding::Address, Adding::AnyPort, Adding::Socket]);
    Union::new_weighted(vec![
        (5, adding.prop_map(Step::Add).boxed()),
        (12, (0_usize..6).prop_map(Step::Connect).boxed()),
        (3, (0_usize..6).prop_map(Step::ConnectAndGo).boxed()),
        (6, Just(Step::Accept).boxed()),
        (8, Just(Step::AcceptLater).boxed()),
        (4, Just(Step::AcceptInFuture).boxed()),
        (4, (0_usize..6).prop_map(Step::Cancel).boxed()),
        (2, (0_usize..6).prop_map(Step::Drop).boxed()),
        (1, (0_usize..6).prop_map(Step::Remove).boxed()),
        (1, Just(Step::Close).boxed()),
        (6, Just(Step::Iterate).boxed()),
        (4, Just(Step::Settle).boxed()),
    ])
}

type Outcome = Result<(SocketConnection, Option<glib::Object>), glib::Error>;
type Answer = Rc<RefCell<Option<Outcome>>>;

struct Accepting {
    answer: Answer,
    cancellable: Option<Cancellable>,
    task: Option<glib::JoinHandle<()>>,
    cancelled: bool,
}

struct Socket {
    address: SocketAddr,
    bound: gio::SocketAddress,
    /// What its connections come with.
    source: glib::Object,
    /// The ports of those who wait, in their order.
    queue: VecDeque<u16>,
}

struct Model {
    listener: SocketListener,
    sockets: Vec<Socket>,
    asking: Vec<Accepting>,
    clients: Vec<TcpStream>,
    accepted: u64,
    closed: bool,
    context: glib::MainContext,
}

impl Model {
    fn new(context: &glib::MainContext) -> Self {
        Self {
            listener: SocketListener::new(),
            sockets: Vec::new(),
            asking: Vec::new(),
            clients: Vec::new(),
            accepted: 0,
            closed: false,
            context: context.clone(),
        }
    }

    fn add(&mut self, adding: Adding) {
        if self.sockets.len() >= 4 {
            return;
        }
        let source: glib::Object = Cancellable::new().upcast();
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let added = match adding {
            Adding::Address => {
                let (kind, protocol) = (gio::SocketType::Stream, gio::SocketProtocol::Default);
                self.listener
                    .add_address(&any, kind, protocol, Some(&source))
            }
            Adding::AnyPort => {
                let port = self.listener.add_any_inet_port(Some(&source));
                port.map(|port| gio_address(([127, 0, 0, 1], port).into()).upcast())
            }
            Adding::Socket => {
                let socket = ipv4_socket();
                socket.bind(&any, true).expect("loopback");
                socket.listen().expect("bound");
                let bound = socket.local_address().expect("bound");
                self.listener
                    .add_socket(&socket, Some(&source))
                    .map(|()| bound)
            }
        };
        let bound = match added {
            Ok(bound) => bound,
            Err(failure) => {
                assert!(self.closed, "{failure}");
                return assert_eq!(code(&failure), IOErrorEnum::Closed, "{failure}");
            }
        };
        assert!(!self.closed, "a closed listener takes a socket");
        let port = bound
            .downcast_ref::<gio::InetSocketAddress>()
            .expect("of the internet")
            .port();
        self.sockets.push(Socket {
            address: ([127, 0, 0, 1], port).into(),
            bound,
            source,
            queue: VecDeque::new(),
        });
    }

    fn connect(&mut self, at: usize, goes: bool) {
        let count = self.sockets.len();
        if count == 0 || self.closed {
            return;
        }
        let socket = &mut self.sockets[at % count];
        if socket.queue.len() >= FULL {
            return;
        }
        let client = TcpStream::connect(socket.address).expect("it listens");
        socket
            .queue
            .push_back(client.local_addr().expect("bound").port());
        if !goes {
            self.clients.push(client);
        }
    }

    fn queued(&self) -> usize {
        self.sockets.iter().map(|socket| socket.queue.len()).sum()
    }

    fn judge(&mut self, outcome: Outcome, cancelled: bool) {
        match outcome {
            Ok((connection, source)) => {
                let source = source.expect("each socket has one");
                let remote = connection.remote_address();
                let remote = remote.expect("known when it was accepted");
                let port = remote
                    .downcast_ref::<gio::InetSocketAddress>()
                    .expect("of the internet")
                    .port();
                let socket = self
                    .sockets
                    .iter_mut()
                    .find(|socket| socket.source == source);
                let socket = socket.expect("of a socket that was added");
                assert_eq!(socket.queue.pop_front(), Some(port), "somebody else's turn");
                self.accepted += 1;
            }
            Err(failure) if failure.matches(IOErrorEnum::Cancelled) => {
                assert!(cancelled, "nobody has cancelled it");
            }
            Err(failure) => {
                assert_eq!(code(&failure), IOErrorEnum::Closed, "{failure}");
                assert!(self.closed, "nobody has closed it");
            }
        }
    }

    /// Those whose answer has come; whose answers come in one iteration is not said.
    fn collect(&mut self) {
        let (ended, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.asking)
            .into_iter()
            .partition(|accepting| accepting.answer.borrow().is_some());
        self.asking = rest;
        let mut outcomes: Vec<_> = ended
            .into_iter()
            .map(|accepting| (accepting.answer.take().expect("seen"), accepting.cancelled))
            .collect();
        // Within a socket in the order of connecting, whoever asked: sorted by that.
        let place = |outcome: &Outcome| {
            let (connection, source) = outcome.as_ref().ok()?;
            let remote = connection.remote_address().ok()?;
            let port = remote.downcast_ref::<gio::InetSocketAddress>()?.port();
            let socket = self
                .sockets
                .iter()
                .find(|it| Some(&it.source) == source.as_ref())?;
            socket.queue.iter().position(|queued| *queued == port)
        };
        outcomes.sort_by_key(|(outcome, _)| place(outcome));
        for (outcome, cancelled) in outcomes {
            self.judge(outcome, cancelled);
        }
    }

    fn accept(&mut self) {
        self.settle();
        // There must be somebody, or nothing to wait for.
        if self.queued() == 0 && !self.closed {
            return;
        }
        if !self.asking.is_empty() {
            return;
        }
        let outcome = self.listener.accept(Cancellable::NONE);
        self.judge(outcome, false);
    }

    fn ask(&mut self, by_future: bool) {
        if self.asking.len() >= 6 {
            return;
        }
        let answer = Answer::default();
        let slot = answer.clone();
        let put = move |outcome| {
            let before = slot.borrow_mut().replace(outcome);
            assert!(before.is_none(), "an accept is answered twice");
        };
        let mut accepting = Accepting {
            answer,
            cancellable: None,
            task: None,
            cancelled: false,
        };
        if by_future {
            let future = self.listener.accept_future();
            let task = self.context.spawn_local(async move { put(future.await) });
            accepting.task = Some(task);
        } else {
            let cancellable = Cancellable::new();
            self.listener
                .accept_async(Some(&cancellable), move |listener, result| {
                    put(listener.accept_finish(result));
                });
            accepting.cancellable = Some(cancellable);
        }
        self.asking.push(accepting);
    }

    fn cancel(&mut self, at: usize) {
        if let Some(accepting) = self.asking.get_mut(at)
            && let Some(cancellable) = &accepting.cancellable
        {
            cancellable.cancel();
            accepting.cancelled = true;
        }
    }

    /// A future that is dropped leaves the connection to others.
    fn drop_one(&mut self, at: usize) {
        self.collect();
        if at < self.asking.len() && self.asking[at].task.is_some() {
            let accepting = self.asking.remove(at);
            accepting.task.expect("seen").abort();
        }
    }

    fn remove(&mut self, at: usize) {
        if at >= self.sockets.len() || self.closed {
            return;
        }
        // Who waits there is lost with it.
        self.settle();
        if !self.sockets[at].queue.is_empty() {
            return;
        }
        // One that listens on any address is not known by the loopback's.
        let removed = self.listener.remove_address(&self.sockets[at].bound);
        if removed.is_ok() {
            self.sockets.remove(at);
        }
    }

    fn close(&mut self) {
        self.settle();
        self.listener.close();
        self.closed = true;
        let before = std::mem::take(&mut self.sockets);
        // Who was in the queues is sent away.
        drop(before);
        self.settle();
    }

    /// Whoever can be answered is.
    fn settle(&mut self) {
        loop {
            self.collect();
            let cancelled = self.asking.iter().filter(|it| it.cancelled).count();
            let fulfilled = self.queued().min(self.asking.len() - cancelled);
            let due = if self.closed {
                self.asking.len()
            } else {
                cancelled + fulfilled
            };
            if due == 0 {
                return assert_eq!(self.listener.accepted(), self.accepted);
            }
            let answers: Vec<_> = self.asking.iter().map(|it| it.answer.clone()).collect();
            iterate_until(&self.context, || {
                answers.iter().any(|answer| answer.borrow().is_some())
            });
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Add(adding) => self.add(adding),
            Step::Connect(at) => self.connect(at, false),
            Step::ConnectAndGo(at) => self.connect(at, true),
            Step::Accept => self.accept(),
            Step::AcceptLater => self.ask(false),
            Step::AcceptInFuture => self.ask(true),
            Step::Cancel(at) => self.cancel(at),
            Step::Drop(at) => self.drop_one(at),
            Step::Remove(at) => self.remove(at),
            Step::Close => self.close(),
            Step::Iterate => {
                self.context.iteration(false);
            }
            Step::Settle => self.settle(),
        }
    }

    fn end(mut self) {
        self.settle();
        // What nobody took is still there for whoever asks.
        while self.queued() > 0 && !self.closed {
            self.ask(false);
            self.settle();
        }
        self.close();
        assert_eq!(self.asking.len(), 0, "an accept has no answer");
        let outcome = self.listener.accept(Cancellable::NONE);
        self.judge(outcome, false);
        let gone = Gone::of(&self.listener);
        drop(self.listener);
        iterate_until(&self.context, || gone.is_gone());
        // First, so that it is not the listener's ports that wait for what is late.
        drop(self.clients);
    }
}

fn play(context: &glib::MainContext, steps: &[Step]) {
    let mut model = Model::new(context);
    for step in steps {
        model.step(*step);
    }
    model.end();
}

#[test]
fn each_connection_is_somebodys_in_its_turn() {
    let test = concat!(module_path!(), "::each_connection_is_somebodys_in_its_turn");
    explore(test, 20, step, play);
}
