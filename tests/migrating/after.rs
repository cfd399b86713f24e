//! The chat of `before.rs` on gsock's classes, after docs/migrating.md: guests over TCP, the keeper over a Unix socket.

use std::{cell::RefCell, fs::File, io::Write, os::fd::AsFd, path::Path, rc::Rc, time::Duration};

use gio::prelude::*;
use gsock::{Framed, Framing, UnixPathOptions, engine, prelude::*, subclass::prelude::*};

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Guest {
        pub nick: RefCell<Option<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Guest {
        const NAME: &'static str = "ChatGuest";
        type Type = super::Guest;
        type ParentType = gsock::TcpConnection;
    }

    impl ObjectImpl for Guest {}
    impl IOStreamImpl for Guest {}
    impl SocketConnectionImpl for Guest {}
    impl TcpConnectionImpl for Guest {}
}

glib::wrapper! {
    pub struct Guest(ObjectSubclass<imp::Guest>)
        @extends gsock::TcpConnection, gsock::SocketConnection, gio::IOStream;
}

impl Guest {
    fn name(&self) -> String {
        self.remote_address().map_or_else(
            |error| explain(&error).to_owned(),
            |address| address.to_string().into(),
        )
    }
}

/// Closes when what is queued has been written.
fn leave(lines: &Framed) {
    lines.close_async(gio::Cancellable::NONE, |lines, result| {
        let _ = lines.close_finish(result);
    });
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
    service: gsock::SocketService,
    port: u16,
    idle: Duration,
    guests: RefCell<Vec<(Guest, Framed)>>,
    log: File,
}

impl Server {
    pub fn start(keeper: &Path, log: &Path, idle: Duration) -> Result<Rc<Self>, glib::Error> {
        gsock::SocketConnection::factory_register::<Guest>(
            gio::SocketFamily::Ipv4,
            gio::SocketType::Stream,
            0,
        );
        let service = gsock::SocketService::new();
        let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
        let bound = service.add_address(
            &gio::InetSocketAddress::new(&loopback, 0),
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            glib::Object::NONE,
        )?;
        let bound = bound.downcast::<gio::InetSocketAddress>();
        service.add_unix_path(keeper, &UnixPathOptions::default(), glib::Object::NONE)?;
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
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn stop(&self) {
        self.service.stop();
        self.service.close();
        for (_, lines) in self.guests.borrow().iter() {
            leave(lines);
        }
    }

    fn note(&self, line: &str) {
        let _ = writeln!(&self.log, "{line}");
    }

    fn welcome(self: &Rc<Self>, connection: &gsock::SocketConnection) {
        if let Some(guest) = connection.downcast_ref::<Guest>() {
            self.note(&format!("{} came", guest.name()));
            let lines = Framed::new(guest, Framing::Lines);
            self.guests
                .borrow_mut()
                .push((guest.clone(), lines.clone()));
            let (server, guest) = (self.clone(), guest.clone());
            drop(engine::spawn_local(
                &glib::MainContext::ref_thread_default(),
                async move { server.serve(guest, lines).await },
            ));
        } else if let Some(keeper) = connection.downcast_ref::<gsock::UnixConnection>()
            && let Err(error) = keeper.send_fd(self.log.as_fd(), gio::Cancellable::NONE)
        {
            self.note(&format!("keeper: {}", explain(&error)));
        }
    }

    async fn serve(&self, guest: Guest, lines: Framed) {
        let send = |line: &str| _ = lines.send(line.as_bytes());
        let why = loop {
            let line = match glib::future_with_timeout(self.idle, lines.read_frame_future()).await {
                Err(_) => {
                    send("TIMEOUT");
                    break "was idle";
                }
                Ok(Err(error)) => break explain(&error),
                Ok(Ok(None)) => break "left",
                Ok(Ok(Some(line))) => String::from_utf8_lossy(&line).into_owned(),
            };
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("NICK", name) if self.named(name).is_some() => send("ERR taken"),
                ("NICK", name) => {
                    guest.imp().nick.replace(Some(name.to_owned()));
                    send("OK");
                }
                ("SAY", text) => match guest.imp().nick.borrow().as_deref() {
                    None => send("ERR nick"),
                    Some(nick) => {
                        let guests = self.guests.borrow();
                        for (_, other) in guests.iter().filter(|(other, _)| *other != guest) {
                            let _ = other.send(format!("{nick}: {text}").as_bytes());
                        }
                    }
                },
                ("QUIT", _) => {
                    send("BYE");
                    break "quit";
                }
                _ => send("ERR what"),
            }
        };
        self.guests
            .borrow_mut()
            .retain(|(other, _)| *other != guest);
        self.note(&format!("{} {why}", guest.name()));
        leave(&lines);
    }

    fn named(&self, name: &str) -> Option<Guest> {
        let guests = self.guests.borrow();
        let found = guests
            .iter()
            .find(|(guest, _)| guest.imp().nick.borrow().as_deref() == Some(name));
        found.map(|(guest, _)| guest.clone())
    }
}

fn client() -> gsock::SocketClient {
    let client = gsock::SocketClient::new();
    client.set_tls(false);
    client.set_enable_proxy(false);
    client.set_connect_timeout(Duration::from_secs(5));
    client
}

/// A guest's end.
pub struct Client {
    connection: gsock::SocketConnection,
    lines: Framed,
}

impl Client {
    pub fn connect(port: u16) -> Result<Self, glib::Error> {
        Self::made(client().connect_to_host("127.0.0.1", port, gio::Cancellable::NONE)?)
    }

    pub fn connect_async(port: u16, callback: impl FnOnce(Result<Self, glib::Error>) + 'static) {
        client().connect_to_host_async(
            "127.0.0.1",
            port,
            gio::Cancellable::NONE,
            |client, result| {
                callback(client.connect_to_host_finish(result).and_then(Self::made));
            },
        );
    }

    pub async fn connect_future(port: u16) -> Result<Self, glib::Error> {
        Self::made(client().connect_to_host_future("127.0.0.1", port).await?)
    }

    fn made(connection: gsock::SocketConnection) -> Result<Self, glib::Error> {
        if let Some(tcp) = connection.downcast_ref::<gsock::TcpConnection>() {
            tcp.set_keepalive_params(Duration::from_secs(60), Duration::from_secs(10), 3)?;
        }
        let lines = Framed::new(&connection, Framing::Lines);
        Ok(Self { connection, lines })
    }

    pub fn name(&self) -> Result<String, glib::Error> {
        Ok(self.connection.local_address()?.to_string().into())
    }

    pub async fn say(&self, line: &str) -> Result<(), glib::Error> {
        self.lines.write_frame_future(line.as_bytes()).await
    }

    /// The next line, `None` at the end; `TimedOut` if nobody says a thing for so long, and the line is not lost then.
    pub async fn line_within(&self, limit: Duration) -> Result<Option<String>, glib::Error> {
        match glib::future_with_timeout(limit, self.lines.read_frame_future()).await {
            Ok(line) => Ok(line?.map(|line| String::from_utf8_lossy(&line).into_owned())),
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
    let connection = client().connect(&address, gio::Cancellable::NONE)?;
    let Ok(connection) = connection.downcast::<gsock::UnixConnection>() else {
        return Err(glib::Error::new(gio::IOErrorEnum::Failed, "no Unix socket"));
    };
    let fd = connection.receive_fd(gio::Cancellable::NONE)?;
    connection.close(gio::Cancellable::NONE)?;
    Ok(File::from(fd))
}
