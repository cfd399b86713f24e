//! Accepting: whoever has called is handed out once, or is there for the next one who accepts.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use futures::StreamExt;
use gio::{Cancellable, IOErrorEnum as E, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketConnection, SocketListener, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Connection,
    Socket,
    /// The next one of the stream.
    Next,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    what: What,
    unix: bool,
    /// How many sockets the listener has; the caller comes to the last.
    sockets: u32,
    /// Nobody else is let in while there is one.
    limited: bool,
}

enum Got {
    Connection(SocketConnection),
    Socket(gio::Socket),
}

impl Got {
    /// What whoever called sends gets here.
    fn hears(self, caller: &gio::Socket) {
        caller.send(b"x", Cancellable::NONE).expect("room");
        let byte = match self {
            Self::Connection(connection) => {
                let input = connection.input_stream();
                let bytes = input.read_bytes(1, Cancellable::NONE).expect("a byte");
                assert_eq!(bytes.len(), 1);
                bytes[0]
            }
            Self::Socket(socket) => {
                let mut byte = [0];
                assert_eq!(socket.receive(&mut byte[..], Cancellable::NONE), Ok(1));
                byte[0]
            }
        };
        assert_eq!(byte, b'x');
    }
}

struct Accepting {
    kind: Kind,
    answer: Answer,
    listener: Option<SocketListener>,
    listens: Gone,
    address: gio::SocketAddress,
    caller: Option<gio::Socket>,
    got: Rc<RefCell<Option<Got>>>,
}

fn any(unix: bool) -> gio::SocketAddress {
    if !unix {
        return any_port_of_our_own().upcast();
    }
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("gsock-points-above-{}-{number}", std::process::id());
    gio::UnixSocketAddress::with_type(UnixSocketAddressPath::Abstract(name.as_bytes())).upcast()
}

pub(crate) fn call(address: &gio::SocketAddress) -> gio::Socket {
    let caller = gio::Socket::new(
        address.family(),
        SocketType::Stream,
        SocketProtocol::Default,
    );
    let caller = caller.expect("there is such a socket");
    caller.set_timeout(10);
    // Refused by one that is closed.
    let _ = SocketExt::connect(&caller, address, Cancellable::NONE);
    caller
}

impl Accepting {
    fn new(kind: Kind, answer: Answer) -> Self {
        let listener = SocketListener::new();
        let addresses: Vec<_> = (0..kind.sockets)
            .map(|_| {
                listener
                    .add_address(
                        &any(kind.unix),
                        SocketType::Stream,
                        SocketProtocol::Default,
                        None::<&glib::Object>,
                    )
                    .expect("nothing is in its way")
            })
            .collect();
        let address = addresses.into_iter().next_back().expect("one at least");
        if kind.limited {
            listener.set_max_connections(1);
        }
        Self {
            kind,
            answer,
            listens: Gone::of(&listener),
            listener: Some(listener),
            address,
            caller: None,
            got: Rc::default(),
        }
    }
}

fn keep(
    got: &Rc<RefCell<Option<Got>>>,
    taken: Result<Got, glib::Error>,
) -> Result<(), glib::Error> {
    let before = got.borrow_mut().replace(taken?);
    assert!(before.is_none(), "two were handed out");
    Ok(())
}

impl Play for Accepting {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let got = self.got.clone();
        let listener = self.listener.as_ref().expect("just made");
        if self.kind.what == What::Socket {
            listener.accept_socket_async(Some(cancellable), move |listener, result| {
                let (listener, result) = (listener.clone(), result.clone());
                told.finish(move || {
                    let taken = listener.accept_socket_finish(&result);
                    end_of(keep(&got, taken.map(|(socket, _)| Got::Socket(socket))))
                });
            });
            return;
        }
        listener.accept_async(Some(cancellable), move |listener, result| {
            let (listener, result) = (listener.clone(), result.clone());
            told.finish(move || {
                let taken = listener.accept_finish(&result);
                end_of(keep(&got, taken.map(|(made, _)| Got::Connection(made))))
            });
        });
    }

    fn future(&mut self) -> Running {
        let got = self.got.clone();
        let listener = self.listener.as_ref().expect("just made");
        match self.kind.what {
            What::Connection => {
                let accepting = listener.accept_future();
                Box::pin(async move {
                    let taken = accepting.await;
                    end_of(keep(&got, taken.map(|(made, _)| Got::Connection(made))))
                })
            }
            What::Socket => {
                let accepting = listener.accept_socket_future();
                Box::pin(async move {
                    let taken = accepting.await;
                    end_of(keep(&got, taken.map(|(socket, _)| Got::Socket(socket))))
                })
            }
            What::Next => {
                let mut incoming = listener.incoming();
                Box::pin(async move {
                    match incoming.next().await {
                        Some(taken) => end_of(keep(&got, taken.map(Got::Connection))),
                        None => Err(E::Closed),
                    }
                })
            }
        }
    }

    fn act(&mut self) {
        self.caller = Some(call(&self.address));
    }

    fn close(&mut self) -> bool {
        self.listener.as_ref().expect("still there").close();
        true
    }

    fn close_elsewhere(&mut self) -> Elsewhere {
        let listener = Reference::of(self.listener.as_ref().expect("still there"));
        Box::new(move || {
            let listener = listener.borrow();
            // SAFETY: borrowed for the call.
            let listener: SocketListener = unsafe { glib::translate::from_glib_none(listener) };
            listener.close();
        })
    }

    fn forget(&mut self) {
        self.listener = None;
    }

    fn check(&mut self, _: &Room, fate: &Fate) {
        let got = self.got.take();
        assert_eq!(got.is_some(), fate.succeeded());
        if let Some(listener) = &self.listener {
            assert_eq!(listener.accepted(), u64::from(got.is_some()));
            if !self.kind.limited {
                assert_eq!(listener.refused(), 0);
            }
        }
        if self.caller.is_none() {
            if fate.strike.closes() {
                return;
            }
            self.act();
        }
        let caller = self.caller.take().expect("it has called");
        if let Some(got) = got {
            got.hears(&caller);
        } else if let Some(listener) = &self.listener
            && !fate.strike.closes()
        {
            let taken = listener
                .accept(Cancellable::NONE)
                .expect("it is still there");
            Got::Connection(taken.0).hears(&caller);
        } else {
            // Nobody is left who could: it is told so.
            let mut byte = [0];
            let told = caller.receive(&mut byte[..], Cancellable::NONE);
            assert!(!matches!(told, Ok(1)), "{told:?}");
            assert!(!told.is_err_and(|failure| failure.matches(E::TimedOut)));
        }
        if let Some(listener) = &self.listener {
            assert_eq!(listener.active_connections(), 0);
            listener.close();
        }
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("listener", self.listens.clone())]
    }
}

fn every_case(place: Where, what: What, covers: &'static [&'static str]) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        for (unix, sockets, limited) in [
            (false, 1, false),
            (true, 1, false),
            (false, 3, false),
            (false, 1, true),
        ] {
            let kind = Kind {
                what,
                unix,
                sockets,
                limited,
            };
            Drill {
                name: format!("{kind:?}"),
                covers,
                answers: &[Answer::AtOnce, Answer::Later, Answer::Never],
                ways: if what == What::Next { FUTURES } else { ANY_WAY },
                pause: SHORT,
                most: MOST_STEPS,
                elsewhere: true,
                make: &|_, answer| Box::new(Accepting::new(kind, answer)),
            }
            .every_point(&mut points, &room);
        }
        points.report(&format!("accept {what:?}, {place:?} context"));
    });
}

on_both! {
    accept: |place| every_case(place, What::Connection, &[
        "socket_listener::accept_async",
        "socket_listener::accept_future",
    ]),
    accept_socket: |place| every_case(place, What::Socket, &[
        "socket_listener::accept_socket_async",
        "socket_listener::accept_socket_future",
    ]),
    incoming: |place| every_case(place, What::Next, &["socket_listener::incoming"]),
}
