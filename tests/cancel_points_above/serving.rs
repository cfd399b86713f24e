//! Services: a connection is handed out once, or waits for who accepts next; a drained service has nothing left.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Condvar, Mutex, mpsc},
};

use gio::{Cancellable, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketConnection, SocketService, ThreadedSocketService, prelude::*};

use crate::accepting::call;
use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

fn listen(service: &impl IsA<gsock::SocketListener>) -> gio::SocketAddress {
    service
        .add_address(
            &any_port_of_our_own(),
            SocketType::Stream,
            SocketProtocol::Default,
            None::<&glib::Object>,
        )
        .expect("nothing is in its way")
}

/// A service that is stopped, closed and dropped while it hands somebody out.
struct Handing {
    answer: Answer,
    service: Option<SocketService>,
    /// SERVICE-11: one that accepts is kept alive by that.
    weak: glib::WeakRef<SocketService>,
    serves: Gone,
    address: gio::SocketAddress,
    caller: Option<gio::Socket>,
    got: Rc<RefCell<Vec<SocketConnection>>>,
    closes: bool,
}

impl Handing {
    fn new(answer: Answer, closes: bool) -> Self {
        let service = SocketService::new();
        service.stop();
        let address = listen(&service);
        Self {
            answer,
            serves: Gone::of(&service),
            weak: service.downgrade(),
            service: Some(service),
            address,
            caller: None,
            got: Rc::default(),
            closes,
        }
    }
}

impl Play for Handing {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, _: &Cancellable, _: Rc<Told>) {
        unreachable!("has no callback");
    }

    /// It is no operation: it ends when somebody was handed out.
    fn future(&mut self) -> Running {
        let service = self.service.as_ref().expect("just made");
        let (sender, receiver) = futures::channel::oneshot::channel();
        let (sender, got) = (Cell::new(Some(sender)), self.got.clone());
        service.connect_incoming(move |_, connection, _| {
            got.borrow_mut().push(connection.clone());
            if let Some(sender) = sender.take() {
                let _ = sender.send(());
            }
            true
        });
        service.start();
        Box::pin(async move { receiver.await.map_err(|_| gio::IOErrorEnum::Closed) })
    }

    fn act(&mut self) {
        self.caller = Some(call(&self.address));
    }

    fn close(&mut self) -> bool {
        let service = self.service.as_ref().expect("still there");
        if self.closes {
            service.close();
        } else {
            service.stop();
        }
        false
    }

    /// Nobody is handed out any more: the test drops the future then.
    fn closed(&self) -> &'static [End] {
        &[Err(gio::IOErrorEnum::Cancelled)]
    }

    fn forget(&mut self) {
        self.service = None;
    }

    fn may_hang(&self, strike: Strike, _: bool) -> bool {
        strike.closes()
    }

    fn check(&mut self, room: &Room, fate: &Fate) {
        if self.caller.is_none() {
            self.act();
        }
        let caller = self.caller.take().expect("it has called");
        if let Some(service) = self.service.take().or_else(|| self.weak.upgrade()) {
            if !fate.strike.closes() || !self.closes {
                service.start();
                iterate_until(&room.context, || !self.got.borrow().is_empty());
            }
            service.close();
        }
        let got = self.got.take();
        assert!(got.len() <= 1);
        let mut byte = [0];
        match got.first() {
            Some(connection) => {
                caller.send(b"x", Cancellable::NONE).expect("room");
                let input = connection.input_stream();
                let bytes = input.read_bytes(1, Cancellable::NONE).expect("a byte");
                assert_eq!(&bytes[..], b"x");
            }
            None => {
                let told = caller.receive(&mut byte[..], Cancellable::NONE);
                assert!(!matches!(told, Ok(1)), "{told:?}");
                assert!(!told.is_err_and(|failure| failure.matches(gio::IOErrorEnum::TimedOut)));
            }
        }
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("service", self.serves.clone())]
    }
}

/// Lets the jobs of a threaded service end.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().expect("no panic") = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let closed = self.is_open.lock().expect("no panic");
        drop(self.opened.wait_while(closed, |is_open| !*is_open));
    }
}

/// The end of all that a service has begun: nothing, or a job on a thread.
struct Draining {
    answer: Answer,
    service: Option<SocketService>,
    /// SERVICE-11: one that accepts is kept alive by that.
    weak: glib::WeakRef<SocketService>,
    serves: Gone,
    gate: Option<Arc<Gate>>,
    caller: gio::Socket,
}

impl Draining {
    fn plain(answer: Answer) -> Self {
        let service = SocketService::new();
        let address = listen(&service);
        Self {
            answer,
            serves: Gone::of(&service),
            weak: service.downgrade(),
            service: Some(service),
            gate: None,
            caller: call(&address),
        }
    }

    /// With a job that has begun.
    fn threaded(room: &Room, answer: Answer) -> Self {
        let service = ThreadedSocketService::new(4);
        let address = listen(&service);
        let gate = Arc::new(Gate::default());
        let (begun, has_begun) = mpsc::channel();
        let (begun, opened) = (Mutex::new(begun), gate.clone());
        service.connect_run(move |_, connection, _| {
            let _ = begun.lock().expect("no panic").send(());
            opened.wait();
            let output = connection.output_stream();
            let _ = output.write_all(b"x", Cancellable::NONE);
            true
        });
        let caller = call(&address);
        iterate_until(&room.context, || has_begun.try_recv().is_ok());
        Self {
            answer,
            serves: Gone::of(&service),
            weak: service.upcast_ref::<SocketService>().downgrade(),
            service: Some(service.upcast()),
            gate: Some(gate),
            caller,
        }
    }
}

impl Play for Draining {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, _: &Cancellable, _: Rc<Told>) {
        unreachable!("has no callback");
    }

    fn future(&mut self) -> Running {
        let draining = self.service.as_ref().expect("just made").drain_future();
        Box::pin(async move {
            draining.await;
            Ok(())
        })
    }

    /// The job may end.
    fn act(&mut self) {
        if let Some(gate) = &self.gate {
            gate.open();
        }
    }

    fn close(&mut self) -> bool {
        self.service.as_ref().expect("still there").close();
        false
    }

    fn closed(&self) -> &'static [End] {
        &[]
    }

    fn forget(&mut self) {
        self.service = None;
    }

    /// Stopped once it was polled, and then nothing is left; a job is done to its end, whoever waits for it.
    fn check(&mut self, room: &Room, fate: &Fate) {
        let had_begun = fate.had_begun || fate.end.is_some();
        if let Some(service) = &self.service {
            let may_have_begun = fate.strike == Strike::NestedLoop;
            let is_active = !had_begun && !fate.strike.closes();
            assert!(service.is_active() == is_active || may_have_begun);
        }
        self.act();
        if self.gate.is_some() {
            let mut byte = [0];
            assert_eq!(self.caller.receive(&mut byte[..], Cancellable::NONE), Ok(1));
        }
        if let Some(service) = self.service.take().or_else(|| self.weak.upgrade()) {
            let rest = service.drain_future();
            block_on(&room.context, rest);
            service.close();
        }
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("service", self.serves.clone())]
    }
}

type Make = fn(&Room, Answer) -> Box<dyn Play>;

fn every_case(
    place: Where,
    name: &'static str,
    covers: &'static [&'static str],
    answers: &'static [Answer],
    make: Make,
) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        Drill {
            name: name.to_owned(),
            covers,
            answers,
            ways: FUTURES,
            pause: SHORT,
            most: MOST_STEPS,
            elsewhere: false,
            make: &make,
        }
        .every_point(&mut points, &room);
        points.report(&format!("{name}, {place:?} context"));
    });
}

const ALL: &[Answer] = &[Answer::AtOnce, Answer::Later, Answer::Never];
const DRAINED: &[&str] = &["socket_service::drain_future"];

on_both! {
    stopped_while_it_hands_out: |place| every_case(place, "hand out, and stop", &[], ALL, |_, answer| {
        Box::new(Handing::new(answer, false))
    }),
    closed_while_it_hands_out: |place| every_case(place, "hand out, and close", &[], ALL, |_, answer| {
        Box::new(Handing::new(answer, true))
    }),
    drained: |place| every_case(place, "drain", DRAINED, &[Answer::AtOnce], |_, answer| {
        Box::new(Draining::plain(answer))
    }),
    drained_of_a_job: |place| every_case(place, "drain of a job", DRAINED, ALL, |room, answer| {
        Box::new(Draining::threaded(room, answer))
    }),
}
