//! A client and the addresses that it tries, beside what may come of them.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};
use proptest::{prelude::*, strategy::Union};

use crate::{
    sequences::explore,
    support::*,
    tools::{Form, Next, scripted, scripted_patiently},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Refuses,
    Silent,
    Accepts,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// One more address for the connects that follow.
    Address(Kind),
    /// The enumeration of the next connects ends with an error.
    Failing(bool),
    Forget,
    /// `bool`: of addresses whose enumerator need not block.
    Connect(Form, bool),
    /// Cancelled before it begins.
    ConnectInVain(bool),
    Iterate(usize),
    Cancel(usize),
    /// The future, or the last reference to the client, is given up.
    Drop(usize),
    Settle,
    TimeOut(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![
        Kind::Refuses,
        Kind::Refuses,
        Kind::Silent,
        Kind::Accepts,
        Kind::Accepts,
    ]);
    let form = prop::sample::select(vec![Form::Blocking, Form::Callback, Form::Future]);
    Union::new_weighted(vec![
        (10, kind.prop_map(Step::Address).boxed()),
        (1, any::<bool>().prop_map(Step::Failing).boxed()),
        (3, Just(Step::Forget).boxed()),
        (
            8,
            (form, any::<bool>())
                .prop_map(|(form, races)| Step::Connect(form, races))
                .boxed(),
        ),
        (1, any::<bool>().prop_map(Step::ConnectInVain).boxed()),
        (6, (0_usize..4).prop_map(Step::Iterate).boxed()),
        (3, (0_usize..3).prop_map(Step::Cancel).boxed()),
        (2, (0_usize..3).prop_map(Step::Drop).boxed()),
        (2, Just(Step::Settle).boxed()),
        (1, any::<bool>().prop_map(Step::TimeOut).boxed()),
    ])
}

type Answer = Rc<RefCell<Option<Result<SocketConnection, glib::Error>>>>;

struct Connecting {
    answer: Answer,
    cancellable: Cancellable,
    /// Of the future's task; a callback has none.
    task: Option<glib::JoinHandle<()>>,
    kinds: Vec<Kind>,
    /// Addresses are tried beside one another; those of an enumerator that blocks one after the other.
    races: bool,
    fails: bool,
    times_out: bool,
    cancelled: bool,
}

/// What is not made anew for each sequence: the silent one takes its time to become so.
struct Servers {
    accepting: [TcpListener; 2],
    silent: Deaf,
    uses: u32,
}

thread_local! {
    static SERVERS: RefCell<Option<Servers>> = const { RefCell::new(None) };
}

fn servers<R>(f: impl FnOnce(&mut Servers) -> R) -> R {
    SERVERS.with_borrow_mut(|servers| {
        f(servers.get_or_insert_with(|| {
            let accepting = [listener().0, listener().0];
            for listener in &accepting {
                listener.set_nonblocking(true).expect("an option");
            }
            Servers {
                accepting,
                silent: deaf_listener(),
                uses: 0,
            }
        }))
    })
}

struct Model {
    client: SocketClient,
    addresses: Vec<(Kind, SocketAddr)>,
    fails: bool,
    times_out: bool,
    under_way: Vec<Connecting>,
    won: Vec<SocketConnection>,
    /// Who has come to those who accept.
    arrived: Vec<TcpStream>,
    context: glib::MainContext,
}

impl Model {
    fn new(context: &glib::MainContext) -> Self {
        let client = SocketClient::new();
        client.set_attempt_delay(Duration::from_millis(10));
        // What the system says of proxies is no matter.
        client.set_enable_proxy(false);
        Self {
            client,
            addresses: Vec::new(),
            fails: false,
            times_out: false,
            under_way: Vec::new(),
            won: Vec::new(),
            arrived: Vec::new(),
            context: context.clone(),
        }
    }

    fn add(&mut self, kind: Kind) {
        if self.addresses.len() >= 5 {
            return;
        }
        let at = self.addresses.len() % 2;
        let address = match kind {
            Kind::Refuses => refused_address(),
            Kind::Silent => servers(|servers| servers.silent.address),
            Kind::Accepts => servers(|servers| servers.accepting[at].local_addr().expect("bound")),
        };
        self.addresses.push((kind, address));
    }

    fn script(&self) -> Vec<Next> {
        let end = if self.fails {
            Next::Error(IOErrorEnum::NotFound)
        } else {
            Next::End
        };
        let addresses = self.addresses.iter();
        addresses
            .map(|(_, address)| Next::Address(*address))
            .chain([end])
            .collect()
    }

    fn connecting(&self) -> Connecting {
        Connecting {
            answer: Answer::default(),
            cancellable: Cancellable::new(),
            task: None,
            kinds: self.addresses.iter().map(|(kind, _)| *kind).collect(),
            races: false,
            fails: self.fails,
            times_out: self.times_out,
            cancelled: false,
        }
    }

    fn connect(&mut self, form: Form, races: bool) {
        let mut connecting = self.connecting();
        connecting.races = races;
        // It must end by itself, or be cancelled from another thread.
        if form == Form::Blocking && !connecting.ends_by_itself() {
            return;
        }
        if self.under_way.len() >= 3 {
            return;
        }
        let connectable = if races {
            scripted_patiently(self.script(), Duration::ZERO).0
        } else {
            scripted(self.script())
        };
        let slot = connecting.answer.clone();
        let put = move |result| {
            let before = slot.borrow_mut().replace(result);
            assert!(before.is_none(), "a connect is answered twice");
        };
        match form {
            Form::Blocking => put(self
                .client
                .connect(&connectable, Some(&connecting.cancellable))),
            Form::Callback => {
                let cancellable = Some(&connecting.cancellable);
                self.client
                    .connect_async(&connectable, cancellable, move |client, result| {
                        put(client.connect_finish(result));
                    });
            }
            Form::Future => {
                let future = self.client.connect_future(&connectable);
                let task = async move { put(future.await) };
                connecting.task = Some(self.context.spawn_local(task));
            }
        }
        self.under_way.push(connecting);
        if form == Form::Blocking {
            self.collect();
        }
    }

    fn connect_in_vain(&mut self, blocking: bool) {
        let mut connecting = self.connecting();
        connecting.cancellable.cancel();
        connecting.cancelled = true;
        let connectable = scripted(self.script());
        self.look();
        let failure = if blocking {
            let connected = self
                .client
                .connect(&connectable, Some(&connecting.cancellable));
            connected.expect_err("it was cancelled")
        } else {
            let slot = connecting.answer.clone();
            let cancellable = Some(&connecting.cancellable);
            self.client
                .connect_async(&connectable, cancellable, move |client, result| {
                    slot.replace(Some(client.connect_finish(result)));
                });
            iterate_until(&self.context, || connecting.answer.borrow().is_some());
            connecting
                .answer
                .take()
                .expect("seen")
                .expect_err("it was cancelled")
        };
        assert_eq!(code(&failure), IOErrorEnum::Cancelled, "{failure}");
        self.assert_none_is_tried();
    }

    /// Who has come since.
    fn look(&mut self) -> usize {
        let arrived = arrived();
        let count = arrived.len();
        self.arrived.extend(arrived);
        count
    }

    /// After a cancellation, since the last look: if nobody else is at it.
    fn assert_none_is_tried(&mut self) {
        if self.under_way.is_empty() {
            assert_eq!(self.look(), 0, "an address is tried after the cancellation");
        }
    }

    /// Judges those that have ended.
    fn collect(&mut self) {
        let (ended, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(|connecting| connecting.answer.borrow().is_some());
        self.under_way = rest;
        for connecting in ended {
            let answer = connecting.answer.take().expect("seen");
            connecting.judge(&answer);
            self.won.extend(answer);
        }
    }

    fn cancel(&mut self, at: usize) {
        if let Some(connecting) = self.under_way.get_mut(at)
            && connecting.task.is_none()
        {
            if connecting.answer.borrow().is_some() {
                return;
            }
            connecting.cancelled = true;
            let (answer, cancellable) = (connecting.answer.clone(), connecting.cancellable.clone());
            self.look();
            cancellable.cancel();
            if self.under_way.len() == 1 {
                iterate_until(&self.context, || answer.borrow().is_some());
                self.collect();
                self.assert_none_is_tried();
            }
        }
    }

    fn drop_one(&mut self, at: usize) {
        if at < self.under_way.len() && self.under_way[at].task.is_some() {
            let connecting = self.under_way.remove(at);
            connecting.task.expect("seen").abort();
        }
    }

    /// Those that end by themselves do; the others are cancelled.
    fn settle(&mut self) {
        self.collect();
        for at in (0..self.under_way.len()).rev() {
            let ends = |connecting: &Connecting| connecting.ends_by_itself();
            if self.under_way.get(at).is_some_and(|it| !ends(it)) {
                self.cancel(at);
            }
        }
        while !self.under_way.is_empty() {
            let ends =
                |connecting: &Connecting| connecting.ends_by_itself() || connecting.cancelled;
            let Some(at) = self.under_way.iter().position(ends) else {
                // Futures are dropped.
                self.drop_one(0);
                continue;
            };
            let answer = self.under_way[at].answer.clone();
            iterate_until(&self.context, || answer.borrow().is_some());
            self.collect();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Address(kind) => self.add(kind),
            Step::Failing(fails) => self.fails = fails,
            Step::Forget => self.addresses.clear(),
            Step::Connect(form, races) => self.connect(form, races),
            Step::ConnectInVain(blocking) => self.connect_in_vain(blocking),
            Step::Iterate(times) => {
                for _ in 0..times {
                    self.context.iteration(false);
                }
            }
            Step::Cancel(at) => self.cancel(at),
            Step::Drop(at) => self.drop_one(at),
            Step::Settle => self.settle(),
            Step::TimeOut(times_out) => {
                // A future begins when it is polled first.
                self.settle();
                self.times_out = times_out;
                let time = if times_out { 30 } else { 0 };
                self.client.set_connect_timeout(Duration::from_millis(time));
            }
        }
        self.collect();
    }

    /// All that was begun has ended; whoever has not won is closed, and nobody comes any more.
    fn end(mut self) {
        self.settle();
        let mut winners = Vec::new();
        for connection in std::mem::take(&mut self.won) {
            let local = connection.local_address().expect("it is open");
            let local = local
                .downcast::<gio::InetSocketAddress>()
                .expect("an internet address");
            winners.push((local.port(), connection));
        }
        while self.context.iteration(false) {}
        self.look();
        for mut peer in std::mem::take(&mut self.arrived) {
            let port = peer.peer_addr().map(|address| address.port());
            let has_won = winners
                .iter()
                .any(|(won, _)| port.as_ref().is_ok_and(|port| port == won));
            if !has_won {
                assert!(is_over(&mut peer), "an attempt that has not won is open");
            }
        }
        drop(winners);
        while self.context.iteration(false) {}
        assert_eq!(arrived().len(), 0, "an address is tried after the end");
        let gone = Gone::of(&self.client);
        drop(self.client);
        iterate_until(&self.context, || gone.is_gone());
        servers(|servers| servers.uses += 1);
        SERVERS.with_borrow_mut(|servers| {
            // So that no port has all of the connections that have just ended.
            servers.take_if(|servers| servers.uses >= 1_000);
        });
    }
}

impl Connecting {
    fn ends_by_itself(&self) -> bool {
        let at = |kind| self.kinds.iter().position(|known| *known == kind);
        let (accepts, silent) = (at(Kind::Accepts), at(Kind::Silent));
        let succeeds = accepts.is_some() && (self.races || accepts < silent || silent.is_none());
        succeeds || silent.is_none() || self.times_out
    }

    fn judge(&self, answer: &Result<SocketConnection, glib::Error>) {
        let has = |kind| self.kinds.contains(&kind);
        let failure = match answer {
            Ok(connection) => {
                assert!(has(Kind::Accepts), "connected to nobody: {:?}", self.kinds);
                assert!(connection.is_connected());
                return;
            }
            Err(failure) => failure,
        };
        if failure.matches(IOErrorEnum::Cancelled) {
            return assert!(self.cancelled, "nobody has cancelled it");
        }
        if failure.matches(IOErrorEnum::TimedOut) {
            // On a busy machine before somebody who accepts is tried, too.
            return assert!(self.times_out, "it has no time limit: {:?}", self.kinds);
        }
        assert!(!has(Kind::Accepts), "{failure}: {:?}", self.kinds);
        assert!(
            !has(Kind::Silent),
            "{failure}, while one is silent: {:?}",
            self.kinds
        );
        let expected = match (self.kinds.is_empty(), self.fails) {
            (false, _) => IOErrorEnum::ConnectionRefused,
            (true, true) => IOErrorEnum::NotFound,
            (true, false) => IOErrorEnum::NotFound,
        };
        assert_eq!(code(failure), expected, "{failure}: {:?}", self.kinds);
    }
}

/// Who has come to those who accept.
fn arrived() -> Vec<TcpStream> {
    servers(|servers| {
        let mut all = Vec::new();
        for listener in &servers.accepting {
            while let Ok((peer, _)) = listener.accept() {
                all.push(peer);
            }
        }
        all
    })
}

fn is_over(peer: &mut TcpStream) -> bool {
    peer.set_nonblocking(true).expect("an option");
    let until = Instant::now() + LIMIT * slowness();
    loop {
        match peer.read(&mut [0]) {
            Ok(0) => return true,
            Ok(_) => return false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
            Err(_) if Instant::now() > until => return false,
            Err(_) => std::thread::yield_now(),
        }
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
fn the_race_ends_as_its_addresses_allow() {
    let test = concat!(module_path!(), "::the_race_ends_as_its_addresses_allow");
    explore(test, 15, step, play);
}
