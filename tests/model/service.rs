//! A service that is started and stopped, beside a queue of those who connect and a count of those who are served.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::{SocketAddr, TcpStream},
    rc::Rc,
};

use gio::prelude::*;
use gsock::{SocketConnection, SocketService, prelude::*};
use proptest::{prelude::*, strategy::Union};

use crate::{sequences::explore, support::*};

/// A queue holds so many, whatever the kernel makes of a backlog.
const FULL: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handler {
    Keeps,
    Drops,
    Closes,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Start,
    Stop,
    Most(u32),
    Handle(Handler),
    CloseOne(usize),
    DropOne(usize),
    Iterate,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let handler = prop::sample::select(vec![Handler::Keeps, Handler::Drops, Handler::Closes]);
    Union::new_weighted(vec![
        (12, Just(Step::Connect).boxed()),
        (3, Just(Step::Start).boxed()),
        (2, Just(Step::Stop).boxed()),
        (3, (0_u32..4).prop_map(Step::Most).boxed()),
        (4, handler.prop_map(Step::Handle).boxed()),
        (3, (0_usize..4).prop_map(Step::CloseOne).boxed()),
        (3, (0_usize..4).prop_map(Step::DropOne).boxed()),
        (4, Just(Step::Iterate).boxed()),
        (5, Just(Step::Settle).boxed()),
    ])
}

#[derive(Default)]
struct Seen {
    ports: RefCell<Vec<u16>>,
    kept: RefCell<Vec<SocketConnection>>,
    handler: Cell<Option<Handler>>,
}

struct Model {
    service: SocketService,
    address: SocketAddr,
    seen: Rc<Seen>,
    queue: VecDeque<u16>,
    clients: Vec<TcpStream>,
    told: usize,
    most: u32,
    active: bool,
    context: glib::MainContext,
}

fn port_of(connection: &SocketConnection) -> u16 {
    let remote = connection
        .remote_address()
        .expect("known when it was accepted");
    remote
        .downcast_ref::<gio::InetSocketAddress>()
        .expect("of the internet")
        .port()
}

impl Model {
    fn new(context: &glib::MainContext) -> Self {
        let service = SocketService::new();
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let bound = service.add_address(
            &any,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            None::<&glib::Object>,
        );
        let bound = bound.expect("loopback");
        let port = bound
            .downcast_ref::<gio::InetSocketAddress>()
            .expect("of the internet")
            .port();
        let seen = Rc::new(Seen::default());
        seen.handler.set(Some(Handler::Keeps));
        let told = seen.clone();
        service.connect_incoming(move |_, connection, _| {
            told.ports.borrow_mut().push(port_of(connection));
            match told.handler.get() {
                Some(Handler::Keeps) => told.kept.borrow_mut().push(connection.clone()),
                Some(Handler::Closes) => {
                    connection
                        .close(gio::Cancellable::NONE)
                        .expect("it is open");
                }
                _ => {}
            }
            true
        });
        let active = service.is_active();
        assert!(active, "a service begins by itself");
        Self {
            service,
            address: ([127, 0, 0, 1], port).into(),
            seen,
            queue: VecDeque::new(),
            clients: Vec::new(),
            told: 0,
            most: 0,
            active,
            context: context.clone(),
        }
    }

    fn open(&self) -> usize {
        self.seen.kept.borrow().len()
    }

    /// Whether somebody who waits is to be served now.
    fn is_due(&self) -> bool {
        let has_room = self.most == 0 || self.open() < self.most as usize;
        self.active && !self.queue.is_empty() && has_room
    }

    /// Takes in who was told meanwhile.
    fn collect(&mut self) {
        let ports = self.seen.ports.borrow();
        for port in &ports[self.told..] {
            assert_eq!(self.queue.pop_front(), Some(*port), "somebody else's turn");
        }
        self.told = ports.len();
        assert_eq!(
            self.service.accepted(),
            self.told as u64,
            "how many were accepted"
        );
        drop(ports);
        if self.most > 0 && self.told > 0 {
            let active = self.service.active_connections() as usize;
            assert_eq!(active, self.open(), "how many are open");
        }
    }

    fn settle(&mut self) {
        self.collect();
        while self.is_due() {
            let told = self.told;
            let seen = self.seen.clone();
            iterate_until(&self.context, || seen.ports.borrow().len() > told);
            self.collect();
        }
        let told = self.told;
        for _ in 0..4 {
            self.context.iteration(false);
        }
        assert_eq!(
            self.seen.ports.borrow().len(),
            told,
            "one is served that should wait"
        );
    }

    fn connect(&mut self) {
        if self.queue.len() >= FULL {
            return self.settle();
        }
        let client = TcpStream::connect(self.address).expect("it listens");
        self.queue
            .push_back(client.local_addr().expect("bound").port());
        self.clients.push(client);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connect => self.connect(),
            Step::Start => {
                self.service.start();
                self.active = true;
            }
            Step::Stop => {
                self.service.stop();
                self.active = false;
            }
            Step::Most(most) => {
                // What was accepted under the limit of before has been told.
                self.settle();
                self.service.set_max_connections(most);
                self.most = most;
            }
            Step::Handle(handler) => {
                self.settle();
                self.seen.handler.set(Some(handler));
            }
            Step::CloseOne(at) => {
                self.settle();
                if at < self.open() {
                    let connection = self.seen.kept.borrow_mut().remove(at);
                    connection
                        .close(gio::Cancellable::NONE)
                        .expect("it is open");
                }
            }
            Step::DropOne(at) => {
                self.settle();
                if at < self.open() {
                    let connection = self.seen.kept.borrow_mut().remove(at);
                    drop(connection);
                }
            }
            Step::Iterate => {
                self.context.iteration(false);
            }
            Step::Settle => self.settle(),
        }
        assert_eq!(self.service.is_active(), self.active);
        self.collect();
    }

    fn end(mut self) {
        // Whoever has waited through all of it is served in the end.
        self.seen.kept.take();
        self.seen.handler.set(Some(Handler::Drops));
        self.service.set_max_connections(0);
        self.most = 0;
        self.service.start();
        self.active = true;
        self.settle();
        assert!(self.queue.is_empty());
        self.service.stop();
        self.service.close();
        let gone = Gone::of(&self.service);
        drop(self.service);
        iterate_until(&self.context, || gone.is_gone());
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
fn whoever_connects_is_served_in_turn_while_there_is_room() {
    let test = concat!(
        module_path!(),
        "::whoever_connects_is_served_in_turn_while_there_is_room"
    );
    explore(test, 15, step, play);
}
