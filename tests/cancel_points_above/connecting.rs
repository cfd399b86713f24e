//! Connecting by a client: what it made is handed out, or nothing of it is left.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;
use crate::tools::{name, use_resolver_of_names};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Address,
    /// By a name that resolves after a while, with a family that has no address.
    Name,
    Host,
    Uri,
    Service,
    Report,
}

struct Connecting {
    form: Form,
    answer: Answer,
    client: Option<SocketClient>,
    connects: Gone,
    listener: Option<TcpListener>,
    address: SocketAddr,
    got: Rc<RefCell<Option<SocketConnection>>>,
}

impl Connecting {
    fn new(room: &Room, form: Form, answer: Answer) -> Self {
        use_resolver_of_names();
        let client = SocketClient::new();
        client.set_enable_proxy(false);
        let (listener, address) = match answer {
            Answer::AtOnce => {
                let (listener, address) = listener();
                (Some(listener), address)
            }
            Answer::Reset => (None, refused_address()),
            // Nobody answers, or no resolver does.
            _ => (None, room.deaf().address),
        };
        Self {
            form,
            answer,
            connects: Gone::of(&client),
            client: Some(client),
            listener,
            address,
            got: Rc::default(),
        }
    }

    fn name(&self) -> gio::NetworkAddress {
        let text = if self.answer == Answer::Never {
            "v6-none-0.v4-never.test"
        } else {
            "v6-none-2.v4-ok-1.test"
        };
        name(text, self.address.port())
    }

    fn host(&self) -> String {
        self.address.to_string()
    }

    fn domain(&self) -> String {
        format!("v4_ok_0x{}.test", self.address.port())
    }
}

type Slot = Rc<RefCell<Option<SocketConnection>>>;

fn keep(slot: &Slot, made: Result<SocketConnection, glib::Error>) -> Result<(), glib::Error> {
    let before = slot.borrow_mut().replace(made?);
    assert!(before.is_none(), "two were handed out");
    Ok(())
}

impl Play for Connecting {
    fn natural(&self) -> Option<End> {
        match self.answer {
            Answer::Never => None,
            Answer::Reset => Some(Err(E::ConnectionRefused)),
            _ => Some(Ok(())),
        }
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let client = self.client.as_ref().expect("just made");
        let slot = self.got.clone();
        macro_rules! ready {
            ($finish:ident) => {
                move |client: &SocketClient, result: &gio::AsyncResult| {
                    let (client, result) = (client.clone(), result.clone());
                    told.finish(move || end_of(keep(&slot, client.$finish(&result))));
                }
            };
        }
        let cancellable = Some(cancellable);
        match self.form {
            Form::Address => {
                let address = gio_address(self.address);
                client.connect_async(&address, cancellable, ready!(connect_finish));
            }
            Form::Name => {
                client.connect_async(&self.name(), cancellable, ready!(connect_finish));
            }
            Form::Host => {
                let host = self.host();
                client.connect_to_host_async(&host, 1, cancellable, ready!(connect_to_host_finish));
            }
            Form::Uri => {
                let uri = format!("some://{}/", self.host());
                client.connect_to_uri_async(&uri, 1, cancellable, ready!(connect_to_uri_finish));
            }
            Form::Service => {
                let ready = ready!(connect_to_service_finish);
                client.connect_to_service_async(&self.domain(), "some", cancellable, ready);
            }
            Form::Report => unreachable!("has no callback"),
        }
    }

    fn future(&mut self) -> Running {
        let client = self.client.as_ref().expect("just made");
        let slot = self.got.clone();
        let connecting = match self.form {
            Form::Address => client.connect_future(&gio_address(self.address)),
            Form::Name => client.connect_future(&self.name()),
            Form::Host => client.connect_to_host_future(&self.host(), 1),
            Form::Uri => client.connect_to_uri_future(&format!("some://{}/", self.host()), 1),
            Form::Service => client.connect_to_service_future(&self.domain(), "some"),
            Form::Report => {
                let connecting = client.connect_with_report(&gio_address(self.address));
                return Box::pin(async move {
                    let made = connecting.await;
                    let made = made.map(|(made, _)| made).map_err(|(failure, _)| failure);
                    end_of(keep(&slot, made))
                });
            }
        };
        Box::pin(async move { end_of(keep(&slot, connecting.await)) })
    }

    fn act(&mut self) {}

    /// A client has no end of its own.
    fn close(&mut self) -> bool {
        false
    }

    fn closed(&self) -> &'static [End] {
        &[]
    }

    fn forget(&mut self) {
        self.client = None;
    }

    fn check(&mut self, _: &Room, fate: &Fate) {
        let got = self.got.take();
        assert_eq!(got.is_some(), fate.succeeded());
        self.client = None;
        let Some(listener) = &self.listener else {
            return;
        };
        if let Some(connection) = got {
            let (mut peer, _) = listener.accept().expect("it is connected");
            peer.write_all(b"x").expect("connected");
            let input = connection.input_stream();
            let bytes = input.read_bytes(1, Cancellable::NONE).expect("a byte");
            assert_eq!(&bytes[..], b"x");
        }
        leaves_nobody(listener);
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![("client", self.connects.clone())]
    }
}

/// Who has called, and was not handed out, is gone.
pub(crate) fn leaves_nobody(listener: &TcpListener) {
    listener.set_nonblocking(true).expect("an option");
    while let Ok((mut peer, _)) = listener.accept() {
        peer.set_nonblocking(false).expect("an option");
        peer.set_read_timeout(Some(LIMIT)).expect("an option");
        match peer.read(&mut [0; 64]) {
            Ok(count) => assert_eq!(count, 0, "it talks"),
            Err(failure) => assert_eq!(failure.kind(), ErrorKind::ConnectionReset),
        }
    }
}

fn every_case(place: Where, form: Form, covers: &'static [&'static str]) {
    on(place, move |context| {
        let room = Room::new(context);
        // Its sockets are there before any point.
        room.deaf();
        let mut points = Points::default();
        Drill {
            name: format!("connect by {form:?}"),
            covers,
            answers: &[Answer::AtOnce, Answer::Never, Answer::Reset],
            ways: if form == Form::Report {
                FUTURES
            } else {
                ANY_WAY
            },
            pause: Duration::from_millis(4),
            // A resolver that never answers looks again and again whether it is to.
            most: 14,
            elsewhere: false,
            make: &|room, answer| Box::new(Connecting::new(room, form, answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("client, {form:?}, {place:?} context"));
    });
}

on_both! {
    connect: |place| every_case(place, Form::Address, &[
        "socket_client::connect_async",
        "socket_client::connect_future",
    ]),
    connect_to_a_name: |place| every_case(place, Form::Name, &[]),
    connect_to_host: |place| every_case(place, Form::Host, &[
        "socket_client::connect_to_host_async",
        "socket_client::connect_to_host_future",
    ]),
    connect_to_uri: |place| every_case(place, Form::Uri, &[
        "socket_client::connect_to_uri_async",
        "socket_client::connect_to_uri_future",
    ]),
    connect_to_service: |place| every_case(place, Form::Service, &[
        "socket_client::connect_to_service_async",
        "socket_client::connect_to_service_future",
    ]),
    connect_with_report: |place| every_case(place, Form::Report, &["socket_client::connect_with_report"]),
}
