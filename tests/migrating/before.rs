//! A chat on gio-rs' own socket classes: guests over TCP, the keeper over a Unix socket, who gets the log as a descriptor.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs::File,
    future::Future,
    io::Write,
    os::fd::{AsRawFd, FromRawFd},
    path::Path,
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use gio::prelude::*;

/// A connection with what belongs to it. It cannot be a class of the factory's: for TCP GIO has one there, and what is
/// registered twice breaks its table.
struct Guest {
    connection: gio::TcpConnection,
    /// A closed connection does not know it any more.
    address: String,
    nick: RefCell<Option<String>>,
    /// A second write while one is under way is an error, so lines wait here.
    queue: RefCell<VecDeque<String>>,
    writing: Cell<bool>,
    leaving: Cell<bool>,
}

impl Guest {
    fn new(connection: &gio::TcpConnection) -> Rc<Self> {
        let address = connection.remote_address();
        let address = address.map_or_else(
            |error| explain(&error).to_owned(),
            |address| address.to_string().into(),
        );
        Rc::new(Self {
            connection: connection.clone(),
            address,
            nick: RefCell::default(),
            queue: RefCell::default(),
            writing: Cell::default(),
            leaving: Cell::default(),
        })
    }

    fn send(self: &Rc<Self>, line: &str) {
        self.queue.borrow_mut().push_back(format!("{line}\n"));
        self.pump();
    }

    /// Closes when what is queued has been written.
    fn leave(self: &Rc<Self>) {
        self.leaving.set(true);
        self.pump();
    }

    fn pump(self: &Rc<Self>) {
        if self.writing.get() {
            return;
        }
        let next = self.queue.borrow_mut().pop_front();
        let Some(line) = next else {
            if self.leaving.get() {
                self.connection.close_async(
                    glib::Priority::DEFAULT,
                    gio::Cancellable::NONE,
                    |_| (),
                );
            }
            return;
        };
        self.writing.set(true);
        let guest = self.clone();
        self.connection.output_stream().write_all_async(
            line,
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |result| {
                guest.writing.set(false);
                if !matches!(result, Ok((_, _, None))) {
                    guest.queue.borrow_mut().clear();
                }
                guest.pump();
            },
        );
    }
}

type Reading = Pin<Box<dyn Future<Output = Result<glib::Bytes, glib::Error>>>>;

/// Lines out of a stream. A read that nobody waits for any more goes on for the next caller: dropped, it might take bytes
/// along, and leave the stream busy.
struct Lines {
    stream: gio::InputStream,
    buffer: Vec<u8>,
    reading: Option<Reading>,
}

impl Lines {
    fn new(connection: &impl IsA<gio::IOStream>) -> Self {
        Self {
            stream: connection.input_stream(),
            buffer: Vec::new(),
            reading: None,
        }
    }

    async fn next(&mut self) -> Result<Option<String>, glib::Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            let reading = self.reading.get_or_insert_with(|| {
                self.stream.read_bytes_future(4096, glib::Priority::DEFAULT)
            });
            let bytes = reading.await;
            self.reading = None;
            match bytes? {
                bytes if bytes.is_empty() => return Ok(None),
                bytes => self.buffer.extend_from_slice(&bytes),
            }
        }
    }
}

/// What happened, for the log and for people.
pub fn explain(error: &glib::Error) -> &'static str {
    match error.kind::<gio::IOErrorEnum>() {
        Some(gio::IOErrorEnum::ConnectionRefused) => "nobody is there",
        Some(gio::IOErrorEnum::NotFound) => "there is no such socket",
        Some(gio::IOErrorEnum::TimedOut) => "it took too long",
        Some(gio::IOErrorEnum::BrokenPipe) => "the other side is gone",
        Some(gio::IOErrorEnum::Closed | gio::IOErrorEnum::Cancelled) => "closed here",
        _ => "something else",
    }
}

pub struct Server {
    service: gio::SocketService,
    port: u16,
    idle: Duration,
    guests: RefCell<Vec<Rc<Guest>>>,
    log: File,
}

impl Server {
    pub fn start(keeper: &Path, log: &Path, idle: Duration) -> Result<Rc<Self>, glib::Error> {
        let service = gio::SocketService::new();
        // It is active, and a client that comes while a socket is added may be closed at once.
        service.stop();
        let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
        let bound = service.add_address(
            &gio::InetSocketAddress::new(&loopback, 0),
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            glib::Object::NONE,
        )?;
        let bound = bound.downcast::<gio::InetSocketAddress>();
        // One that was left behind would be in the way.
        let _ = std::fs::remove_file(keeper);
        service.add_address(
            &gio::UnixSocketAddress::new(keeper),
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            glib::Object::NONE,
        )?;
        let server = Rc::new(Self {
            port: bound.map_or(0, |address| address.port()),
            service,
            idle,
            guests: RefCell::default(),
            log: File::options()
                .read(true)
                .append(true)
                .create(true)
                .open(log)
                .map_err(|error| glib::Error::new(gio::IOErrorEnum::Failed, &error.to_string()))?,
        });
        let weak = Rc::downgrade(&server);
        server.service.connect_incoming(move |_, connection, _| {
            if let Some(server) = weak.upgrade() {
                server.welcome(connection);
            }
            true
        });
        server.service.start();
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn stop(&self) {
        self.service.stop();
        self.service.close();
        for guest in self.guests.borrow().iter() {
            guest.leave();
        }
    }

    fn note(&self, line: &str) {
        let _ = writeln!(&self.log, "{line}");
    }

    fn welcome(self: &Rc<Self>, connection: &gio::SocketConnection) {
        if let Some(connection) = connection.downcast_ref::<gio::TcpConnection>() {
            let guest = Guest::new(connection);
            self.note(&format!("{} came", guest.address));
            self.guests.borrow_mut().push(guest.clone());
            let server = self.clone();
            glib::MainContext::ref_thread_default()
                .spawn_local(async move { server.serve(guest).await });
        } else if let Some(keeper) = connection.downcast_ref::<gio::UnixConnection>()
            && let Err(error) = keeper.send_fd(self.log.as_raw_fd(), gio::Cancellable::NONE)
        {
            self.note(&format!("keeper: {}", explain(&error)));
        }
    }

    async fn serve(&self, guest: Rc<Guest>) {
        let mut lines = Lines::new(&guest.connection);
        let why = loop {
            let line = match glib::future_with_timeout(self.idle, lines.next()).await {
                Err(_) => {
                    guest.send("TIMEOUT");
                    break "was idle";
                }
                Ok(Err(error)) => break explain(&error),
                Ok(Ok(None)) => break "left",
                Ok(Ok(Some(line))) => line,
            };
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("NICK", name) if self.named(name).is_some() => guest.send("ERR taken"),
                ("NICK", name) => {
                    guest.nick.replace(Some(name.to_owned()));
                    guest.send("OK");
                }
                ("SAY", text) => match guest.nick.borrow().as_deref() {
                    None => guest.send("ERR nick"),
                    Some(nick) => {
                        for other in self
                            .guests
                            .borrow()
                            .iter()
                            .filter(|other| !Rc::ptr_eq(other, &guest))
                        {
                            other.send(&format!("{nick}: {text}"));
                        }
                    }
                },
                ("QUIT", _) => {
                    guest.send("BYE");
                    break "quit";
                }
                _ => guest.send("ERR what"),
            }
        };
        self.guests
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, &guest));
        self.note(&format!("{} {why}", guest.address));
        guest.leave();
    }

    fn named(&self, name: &str) -> Option<Rc<Guest>> {
        let guests = self.guests.borrow();
        let found = guests
            .iter()
            .find(|guest| guest.nick.borrow().as_deref() == Some(name));
        found.cloned()
    }
}

fn client() -> gio::SocketClient {
    let client = gio::SocketClient::new();
    client.set_tls(false);
    client.set_enable_proxy(false);
    client.set_timeout(5);
    client
}

/// A guest's end.
pub struct Client {
    connection: gio::SocketConnection,
    lines: Lines,
}

impl Client {
    pub fn connect(port: u16) -> Result<Self, glib::Error> {
        Self::made(client().connect_to_host("127.0.0.1", port, gio::Cancellable::NONE)?)
    }

    pub fn connect_async(port: u16, callback: impl FnOnce(Result<Self, glib::Error>) + 'static) {
        client().connect_to_host_async("127.0.0.1", port, gio::Cancellable::NONE, |result| {
            callback(result.and_then(Self::made));
        });
    }

    pub async fn connect_future(port: u16) -> Result<Self, glib::Error> {
        Self::made(client().connect_to_host_future("127.0.0.1", port).await?)
    }

    fn made(connection: gio::SocketConnection) -> Result<Self, glib::Error> {
        let socket = connection.socket();
        // The limit was for the connecting; a guest may listen for hours.
        socket.set_timeout(0);
        socket.set_option(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
        socket.set_keepalive(true);
        socket.set_option(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 60)?;
        socket.set_option(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 10)?;
        socket.set_option(libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)?;
        let lines = Lines::new(&connection);
        Ok(Self { connection, lines })
    }

    pub fn name(&self) -> Result<String, glib::Error> {
        Ok(self.connection.local_address()?.to_string().into())
    }

    pub async fn say(&self, line: &str) -> Result<(), glib::Error> {
        let output = self.connection.output_stream();
        let line = format!("{line}\n");
        match output.write_all_future(line, glib::Priority::DEFAULT).await {
            Ok((_, _, None)) => Ok(()),
            Ok((_, _, Some(error))) | Err((_, error)) => Err(error),
        }
    }

    /// The next line, `None` at the end; `TimedOut` if nobody says a thing for so long, and the line is not lost then.
    pub async fn line_within(&mut self, limit: Duration) -> Result<Option<String>, glib::Error> {
        match glib::future_with_timeout(limit, self.lines.next()).await {
            Ok(line) => line,
            Err(_) => Err(glib::Error::new(gio::IOErrorEnum::TimedOut, "silence")),
        }
    }

    /// Blocking: says one line and returns the answer.
    pub fn ask(&self, line: &str, limit: Duration) -> Result<String, glib::Error> {
        let none = gio::Cancellable::NONE;
        let output = self.connection.output_stream();
        output.write_all(format!("{line}\n").as_bytes(), none)?;
        let input = self.connection.input_stream();
        let mut answer = Vec::new();
        while answer.last() != Some(&b'\n') {
            self.connection.socket().condition_timed_wait(
                glib::IOCondition::IN,
                limit.as_micros() as i64,
                none,
            )?;
            match input.read_bytes(1, none)? {
                bytes if bytes.is_empty() => break,
                bytes => answer.extend_from_slice(&bytes),
            }
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    pub fn close_async(self, callback: impl FnOnce(Result<(), glib::Error>) + 'static) {
        self.connection
            .close_async(glib::Priority::DEFAULT, gio::Cancellable::NONE, callback);
    }

    pub fn keepalive(&self) -> Result<[i32; 3], glib::Error> {
        let socket = self.connection.socket();
        let option = |name| socket.option(libc::IPPROTO_TCP, name);
        Ok([
            option(libc::TCP_KEEPIDLE)?,
            option(libc::TCP_KEEPINTVL)?,
            option(libc::TCP_KEEPCNT)?,
        ])
    }
}

/// What the keeper gets: the server's log, open.
pub fn fetch_log(keeper: &Path) -> Result<File, glib::Error> {
    let address = gio::UnixSocketAddress::new(keeper);
    let connection = SocketClientExt::connect(&client(), &address, gio::Cancellable::NONE)?;
    let Ok(connection) = connection.downcast::<gio::UnixConnection>() else {
        return Err(glib::Error::new(gio::IOErrorEnum::Failed, "no Unix socket"));
    };
    let fd = connection.receive_fd(gio::Cancellable::NONE)?;
    connection.close(gio::Cancellable::NONE)?;
    // SAFETY: it was sent to us, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(fd) })
}
