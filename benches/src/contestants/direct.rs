//! gsock's own entry for callbacks.

use std::{cell::Cell, net::TcpStream, rc::Rc};

use gsock::SocketConnection;

use super::{Contestant, Errand, GlibLoop, IDLE_ROOM, ROOM, SIZE, ours};
use crate::measure::Progress;

const PRIORITY: glib::Priority = glib::Priority::DEFAULT;

pub(crate) struct Direct {
    on: GlibLoop,
    cancellable: bool,
    /// The callbacks of idle connections hold nothing.
    kept: Vec<Rc<End>>,
}

struct End {
    connection: SocketConnection,
    cancellable: Option<gio::Cancellable>,
}

struct Client {
    end: Rc<End>,
    message: glib::Bytes,
    left: Cell<u64>,
    progress: &'static Progress,
}

impl Direct {
    pub(crate) fn new(on: GlibLoop, cancellable: bool) -> Self {
        Self {
            on,
            cancellable,
            kept: Vec::new(),
        }
    }

    fn end(&self, socket: TcpStream) -> Rc<End> {
        Rc::new(End {
            connection: ours(socket),
            cancellable: self.cancellable.then(gio::Cancellable::new),
        })
    }
}

impl Contestant for Direct {
    fn add_idle(&mut self, socket: TcpStream) {
        let end = self.end(socket);
        end.receive(vec![0; IDLE_ROOM], |_, _| ());
        self.kept.push(end);
    }

    fn add_pair(&mut self, client: TcpStream, server: TcpStream, errand: Errand) {
        await_request(self.end(server), vec![0; ROOM]);
        let client = Rc::new(Client {
            end: self.end(client),
            message: glib::Bytes::from_static(&[7; SIZE]),
            left: Cell::new(errand.messages),
            progress: errand.progress,
        });
        errand.progress.begin();
        ask(client, vec![0; ROOM]);
    }

    fn settle(&mut self) {
        self.on.settle();
    }

    fn run(&mut self, progress: &'static Progress) {
        self.on.run(progress);
    }
}

impl End {
    fn receive(&self, buffer: Vec<u8>, then: impl FnOnce(Vec<u8>, usize) + 'static) {
        let cancellable = self.cancellable.as_ref();
        self.connection
            .receive_async(buffer, PRIORITY, cancellable, |_, buffer, count| {
                then(buffer, count.expect("the peer is there"));
            });
    }

    fn send(&self, bytes: glib::Bytes, then: impl FnOnce() + 'static) {
        let length = bytes.len();
        let cancellable = self.cancellable.as_ref();
        self.connection
            .send_async(bytes, PRIORITY, cancellable, move |_, count| {
                let count = count.expect("the peer is there");
                assert_eq!(count, length, "so little always fits");
                then();
            });
    }
}

fn ask(client: Rc<Client>, buffer: Vec<u8>) {
    let asking = client.clone();
    asking
        .end
        .send(asking.message.clone(), || await_answer(client, buffer, 0));
}

fn await_answer(client: Rc<Client>, buffer: Vec<u8>, got: usize) {
    let awaiting = client.clone();
    awaiting.end.receive(buffer, move |buffer, count| {
        assert_ne!(count, 0, "the peer does not close");
        if got + count < SIZE {
            return await_answer(client, buffer, got + count);
        }
        client.progress.tick();
        client.left.set(client.left.get() - 1);
        if client.left.get() > 0 {
            ask(client, buffer);
        } else {
            // Closing is not what is measured, and others may still be at work.
            std::mem::forget(client);
        }
    });
}

fn await_request(end: Rc<End>, buffer: Vec<u8>) {
    let awaiting = end.clone();
    awaiting.receive(buffer, move |buffer, count| {
        let echo = glib::Bytes::from(&buffer[..count]);
        let answering = end.clone();
        answering.send(echo, || await_request(end, buffer));
    });
}
