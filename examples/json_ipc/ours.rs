//! The server and the client on gsock.

use std::{
    cell::{Cell, RefCell},
    os::fd::AsFd,
    path::Path,
    rc::Rc,
    time::Duration,
};

use futures::future::join_all;
use gio::{IOErrorEnum as E, prelude::*};
use glib::Bytes;
use gsock::{
    Framed, Framing, Reconnector, ReconnectorState, SocketClient, SocketConnection, SocketService,
    UnixConnection, UnixPathOptions, prelude::*,
};
use serde_json::Value;

use super::protocol::{
    Answer, Calls, Handler, Limits, Line, Listener, Message, answer_to, event, gone, lost,
};

// --- The server -------------------------------------------------------------------------------------------------

/// Answers the clients of its own user at a path.
pub(crate) struct Server {
    service: SocketService,
    shared: Rc<Shared>,
}

struct Shared {
    limits: Limits,
    handler: Box<Handler>,
    sessions: RefCell<Vec<Rc<Session>>>,
    last_error: RefCell<Option<glib::Error>>,
}

struct Session {
    connection: SocketConnection,
    lines: Framed,
    /// Events for which the queue had no room, and of which the client does not know yet.
    lost: Cell<u64>,
}

impl Server {
    pub(crate) fn listen(
        path: &Path,
        limits: Limits,
        handler: impl Fn(&str, &Value) -> Result<Answer, String> + 'static,
    ) -> Result<Self, glib::Error> {
        let service = SocketService::new();
        let options = UnixPathOptions {
            same_user_only: true,
            ..Default::default()
        };
        service.add_unix_path(path, &options, glib::Object::NONE)?;
        let shared = Rc::new(Shared {
            limits,
            handler: Box::new(handler),
            sessions: RefCell::default(),
            last_error: RefCell::default(),
        });
        let serving = shared.clone();
        service.connect_incoming(move |_, connection, _| {
            serving.clone().serve(connection);
            true
        });
        Ok(Self { service, shared })
    }

    /// Tells all clients, but those that do not read: they are told later how many events they have missed.
    pub(crate) fn broadcast(&self, name: &str, data: &Value) {
        let line = event(name, data);
        for session in &*self.shared.sessions.borrow() {
            session.tell(&line);
        }
    }

    pub(crate) fn clients(&self) -> usize {
        self.shared.sessions.borrow().len()
    }

    /// Bytes that wait for clients to read.
    pub(crate) fn pending_bytes(&self) -> u64 {
        let sessions = self.shared.sessions.borrow();
        sessions
            .iter()
            .map(|session| session.lines.pending_bytes())
            .sum()
    }

    pub(crate) fn last_error(&self) -> Option<glib::Error> {
        self.shared.last_error.borrow().clone()
    }

    /// Takes no more clients, and ends when those that are there have what waits for them, or after `limit`.
    pub(crate) async fn close(self, limit: Duration) {
        self.service.close();
        let sessions = self.shared.sessions.borrow().clone();
        let flushes = sessions.iter().map(|session| session.lines.flush_future());
        // Who does not read gets no more.
        let _ = glib::future_with_timeout(limit, join_all(flushes)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.service.close();
        for session in &*self.shared.sessions.borrow() {
            session.end();
        }
    }
}

impl Shared {
    fn serve(self: Rc<Self>, connection: &SocketConnection) {
        let lines = Framed::builder()
            .io_stream(connection)
            .framing(Framing::JsonLines)
            .max_frame_size(self.limits.max_line as u64)
            .max_pending_bytes(self.limits.max_pending as u64)
            .build();
        let session = Rc::new(Session {
            connection: connection.clone(),
            lines,
            lost: Cell::default(),
        });
        let told = Rc::downgrade(&session);
        session.lines.connect_pending_bytes_notify(move |_| {
            if let Some(session) = told.upgrade() {
                session.tell_what_is_lost();
            }
        });
        self.sessions.borrow_mut().push(session.clone());
        glib::spawn_future_local(async move {
            let outcome = session.run(&self).await;
            self.sessions
                .borrow_mut()
                .retain(|other| !Rc::ptr_eq(other, &session));
            session.end();
            if let Err(error) = outcome {
                *self.last_error.borrow_mut() = Some(error);
            }
        });
    }
}

impl Session {
    async fn run(&self, shared: &Shared) -> Result<(), glib::Error> {
        loop {
            let line = self.lines.read_frame_future().await;
            let line = match &line {
                // The client may have said all that it had to say, and read on.
                Ok(None) => return self.lines.flush_future().await,
                Ok(Some(line)) => Ok(&line[..]),
                Err(error)
                    if error.matches(E::MessageTooLarge) || error.matches(E::InvalidData) =>
                {
                    Err(error)
                }
                Err(error) => return Err(error.clone()),
            };
            // A client that asks and does not read loses the connection.
            self.send(answer_to(line, &*shared.handler, shared.limits.max_line))?;
        }
    }

    fn send(&self, (line, fd): Line) -> Result<(), glib::Error> {
        match fd {
            None => self.lines.send(Bytes::from_owned(line)),
            Some(fd) => self
                .lines
                .send_with_fds(Bytes::from_owned(line), &[fd.as_fd()]),
        }
    }

    fn tell(&self, line: &[u8]) {
        if self.lost.get() > 0 || self.lines.send(line).is_err() {
            self.lost.set(self.lost.get() + 1);
            self.tell_what_is_lost();
        }
    }

    fn tell_what_is_lost(&self) {
        let count = self.lost.get();
        if count > 0 && self.lines.pending_bytes() == 0 && self.lines.send(&lost(count)).is_ok() {
            self.lost.set(0);
        }
    }

    fn end(&self) {
        let _ = self.connection.socket().shutdown(true, true);
    }
}

// --- The client -------------------------------------------------------------------------------------------------

/// Asks a server at a path, and connects to it whenever it is there.
pub(crate) struct Client {
    reconnector: Reconnector,
    link: Rc<Link>,
}

struct Link {
    lines: Framed,
    calls: RefCell<Calls>,
    last_error: RefCell<Option<glib::Error>>,
    listener: Box<Listener>,
}

impl Client {
    /// `listener` is called for each event.
    pub(crate) fn new(
        path: &Path,
        limits: Limits,
        listener: impl Fn(&str, &Value) + 'static,
    ) -> Self {
        let lines = Framed::builder()
            .framing(Framing::JsonLines)
            .max_frame_size(limits.max_line as u64)
            .max_pending_bytes(limits.max_pending as u64)
            .keep_queue(true)
            // What is behind a line may come with a descriptor.
            .read_ahead(false)
            .build();
        let address = gio::UnixSocketAddress::new(path);
        let reconnector = Reconnector::builder(&SocketClient::new(), &address)
            .initial_delay(limits.first_delay)
            .max_delay(limits.longest_delay)
            .build();
        reconnector
            .bind_property("io-stream", &lines, "io-stream")
            .build();
        let link = Rc::new(Link {
            lines,
            calls: RefCell::default(),
            last_error: RefCell::default(),
            listener: Box::new(listener),
        });
        let (reading, reader) = (link.clone(), RefCell::new(None::<glib::JoinHandle<()>>));
        reconnector.connect_connected(move |_, stream| {
            reading.fail_sent();
            let (link, stream) = (reading.clone(), stream.clone());
            let reads = glib::spawn_future_local(async move { link.read_all(&stream).await });
            // There is one; as a rule it has ended with its connection.
            if let Some(before) = reader.replace(Some(reads)) {
                before.abort();
            }
        });
        reconnector.start();
        Self { reconnector, link }
    }

    /// What waits to be sent is its property `pending-bytes`.
    pub(crate) fn queue(&self) -> &glib::Object {
        self.link.lines.upcast_ref()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.reconnector.state() == ReconnectorState::Connected
    }

    pub(crate) fn last_error(&self) -> Option<glib::Error> {
        let of_stream = self.link.last_error.borrow().clone();
        of_stream.or_else(|| self.reconnector.last_error())
    }

    /// Queues the request at once. While there is no server it waits for one; once sent it fails when the server goes.
    pub(crate) fn call(
        &self,
        method: &str,
        params: &Value,
    ) -> impl Future<Output = Result<Answer, glib::Error>> + use<> {
        let (id, line, answered) = self.link.calls.borrow_mut().begin(method, params);
        let queued = self.link.lines.send(&line);
        if queued.is_err() {
            self.link.calls.borrow_mut().give_up(id);
        }
        async move {
            queued?;
            answered.await.unwrap_or_else(|_| Err(gone()))
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reconnector.stop();
        self.link.calls.borrow_mut().fail_sent(0);
    }
}

impl Link {
    async fn read_all(&self, stream: &gio::IOStream) {
        let Some(connection) = stream.downcast_ref::<UnixConnection>() else {
            return;
        };
        let outcome = self.read_from(connection).await;
        *self.last_error.borrow_mut() = outcome.err();
        // Which the reconnector sees, whoever of the two has ended it.
        let _ = connection.socket().shutdown(true, true);
        self.fail_sent();
    }

    fn fail_sent(&self) {
        let queued = self.lines.pending_frames() as usize;
        self.calls.borrow_mut().fail_sent(queued);
    }

    async fn read_from(&self, connection: &UnixConnection) -> Result<(), glib::Error> {
        while let Some(line) = self.lines.read_frame_future().await? {
            match Message::parse(&line)? {
                Message::Event(name, data) => (self.listener)(&name, &data),
                Message::Answer {
                    id,
                    outcome,
                    has_fd,
                } => {
                    let fd = if has_fd {
                        Some(connection.receive_fd_future().await?)
                    } else {
                        None
                    };
                    let outcome = outcome.map(|result| Answer { result, fd });
                    self.calls.borrow_mut().end(id, outcome);
                }
            }
        }
        Ok(())
    }
}
