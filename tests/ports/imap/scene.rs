//! Both versions of the session, the server, and servers that do as they are told.

use std::{
    future::{Future, poll_fn},
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    pin::pin,
    task::Poll,
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::prelude::*;

use super::{on_gio, ours, protocol::Change, server::Server};
use crate::support::*;

/// Enough for a connect over loopback.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// What both versions can do.
pub(super) trait Session: Sized + 'static {
    async fn connect(host: &str, limit: Duration) -> Result<Self, glib::Error>;
    fn peer(&self) -> Result<gio::SocketAddress, glib::Error>;
    fn is_alive(&self) -> bool;
    fn socket(&self) -> gio::Socket;
    async fn capability(&mut self) -> Result<Vec<String>, glib::Error>;
    async fn start_tls(self, trust: Option<&gio::TlsDatabase>) -> Result<Self, glib::Error>;
    async fn login(&mut self, user: &str, password: &str) -> Result<(), glib::Error>;
    async fn select(&mut self, mailbox: &str) -> Result<u32, glib::Error>;
    async fn fetch(&mut self, number: u32) -> Result<Vec<u8>, glib::Error>;
    async fn append(&mut self, mailbox: &str, message: &[u8]) -> Result<(), glib::Error>;
    async fn idle(&mut self) -> Result<(), glib::Error>;
    async fn change(&mut self) -> Result<Change, glib::Error>;
    async fn done(&mut self) -> Result<(), glib::Error>;
    async fn logout(self) -> Result<(), glib::Error>;
}

macro_rules! session {
    ($type:ty) => {
        impl Session for $type {
            async fn connect(host: &str, limit: Duration) -> Result<Self, glib::Error> {
                <$type>::connect(host, limit).await
            }
            fn peer(&self) -> Result<gio::SocketAddress, glib::Error> {
                <$type>::peer(self)
            }
            fn is_alive(&self) -> bool {
                <$type>::is_alive(self)
            }
            fn socket(&self) -> gio::Socket {
                self.connection.socket()
            }
            async fn capability(&mut self) -> Result<Vec<String>, glib::Error> {
                <$type>::capability(self).await
            }
            async fn start_tls(
                self,
                trust: Option<&gio::TlsDatabase>,
            ) -> Result<Self, glib::Error> {
                <$type>::start_tls(self, trust).await
            }
            async fn login(&mut self, user: &str, password: &str) -> Result<(), glib::Error> {
                <$type>::login(self, user, password).await
            }
            async fn select(&mut self, mailbox: &str) -> Result<u32, glib::Error> {
                <$type>::select(self, mailbox).await
            }
            async fn fetch(&mut self, number: u32) -> Result<Vec<u8>, glib::Error> {
                <$type>::fetch(self, number).await
            }
            async fn append(&mut self, mailbox: &str, message: &[u8]) -> Result<(), glib::Error> {
                <$type>::append(self, mailbox, message).await
            }
            async fn idle(&mut self) -> Result<(), glib::Error> {
                <$type>::idle(self).await
            }
            async fn change(&mut self) -> Result<Change, glib::Error> {
                <$type>::change(self).await
            }
            async fn done(&mut self) -> Result<(), glib::Error> {
                <$type>::done(self).await
            }
            async fn logout(self) -> Result<(), glib::Error> {
                <$type>::logout(self).await
            }
        }
    };
}
session!(on_gio::Session);
session!(ours::Session);

/// Makes two tests of each function.
macro_rules! on_both {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[test]
            fn on_gio() {
                crate::support::on_private_context(super::$scenario::<super::super::on_gio::Session>);
            }

            #[test]
            fn on_ours() {
                crate::support::on_private_context(super::$scenario::<super::super::ours::Session>);
            }
        }
    )+};
}
pub(super) use on_both;

/// The messages that the server has at first.
pub(super) fn messages() -> Vec<Vec<u8>> {
    vec![
        b"Subject: one\r\n\r\nOne line.\r\n".to_vec(),
        // What would be the end of a command, were it not counted.
        b"* 7 EXISTS\r\na1 OK\r\na2 OK\r\na3 OK\r\na4 OK no\r\na5 OK\r\n)\r\n{12}\r\n".to_vec(),
        (0..400_000_u32).map(|at| (at / 3) as u8).collect(),
        Vec::new(),
    ]
}

pub(super) fn start_server() -> Server {
    Server::start(0, messages()).expect("loopback")
}

pub(super) fn trust(server: &Server) -> gio::TlsDatabase {
    let database = gio::TlsFileDatabase::new(server.certificate());
    database.expect("a file, and glib-networking").upcast()
}

/// A session in TLS whose user is known.
pub(super) async fn known<S: Session>(server: &Server) -> S {
    let host = server.address().to_string();
    let session = S::connect(&host, SOON).await.expect("it listens");
    let session = session.start_tls(Some(&trust(server))).await;
    let mut session = session.expect("a certificate that is trusted");
    let (user, password) = (super::server::USER, super::server::PASSWORD);
    session.login(user, password).await.expect("known");
    session
}

/// The end of a connection that a scripted server has.
pub(super) struct Peer {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Peer {
    pub(super) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("somebody reads");
    }

    /// The same to one who may have gone in between.
    pub(super) fn say_if_heard(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says nothing more, and still listens.
    pub(super) fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next line without its end.
    pub(super) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.strip_suffix("\r\n").expect("a whole line").to_owned()
    }

    pub(super) fn hear_a_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let read = self.lines.read_exact(&mut byte);
        read.ok().map(|()| byte[0])
    }

    pub(super) fn hear_bytes(&mut self, count: usize) {
        let mut bytes = vec![0; count];
        self.lines.read_exact(&mut bytes).expect("so many bytes");
    }

    /// All that comes.
    pub(super) fn hear_all(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = self.lines.read_to_end(&mut rest);
        rest
    }

    /// Fails unless nothing more comes, and no reset.
    pub(super) fn hear_a_clean_end(&mut self) {
        let mut rest = Vec::new();
        let count = self.lines.read_to_end(&mut rest).expect("no reset");
        assert_eq!(count, 0, "{}", rest.escape_ascii());
    }

    /// Fails unless nothing more comes.
    pub(super) fn hear_the_end(&mut self) {
        assert_eq!(self.hear_all().escape_ascii().to_string(), "");
    }
}

/// Lets `script` play the server to one client.
pub(super) fn scripted(
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<()>) {
    let (listener, address) = listener();
    let playing = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let limit = Some(LIMIT * slowness());
        stream.set_read_timeout(limit).expect("an option");
        stream.set_write_timeout(limit).expect("an option");
        let lines = BufReader::new(stream.try_clone().expect("a descriptor"));
        script(&mut Peer { stream, lines });
    });
    (address, playing)
}

/// Somebody between one client and the server, who says this behind the greeting and passes on the rest.
pub(super) fn in_between(
    server: &Server,
    said: &'static str,
) -> (SocketAddr, thread::JoinHandle<()>) {
    let server = server.address();
    scripted(move |peer| {
        let server = TcpStream::connect(server).expect("it listens");
        let mut from = BufReader::new(server.try_clone().expect("a descriptor"));
        let mut greeting = String::new();
        from.read_line(&mut greeting).expect("a greeting");
        peer.say(greeting + said);
        let (mut client, mut to) = (peer.stream.try_clone().expect("a descriptor"), server);
        let back = thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut client);
            let _ = client.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut peer.lines, &mut to);
        let _ = to.shutdown(Shutdown::Write);
        back.join().expect("no panic");
    })
}

/// A session with a scripted server, which has greeted.
pub(super) async fn greeted<S: Session>(address: SocketAddr) -> S {
    S::connect(&address.to_string(), SOON)
        .await
        .expect("a greeting")
}

/// What comes of `future` if it is dropped when it has been pending so many times. It is polled again when it
/// says so.
pub(super) async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
