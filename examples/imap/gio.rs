//! An IMAP session on gio's own types.

use std::{collections::VecDeque, io, mem, time::Duration};

use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use gio::{IOErrorEnum, IOStreamAsyncReadWrite, prelude::*};

use super::protocol::{Change, Incoming, Reply, error, quoted};

/// No line and no literal is longer.
const LONGEST: usize = 1 << 20;

/// Whatever is dropped before its end, but for what takes the session itself, leaves it usable; what fails
/// for another reason than the server's word closes it.
#[derive(Debug)]
pub(crate) struct Session {
    host: String,
    pub(crate) connection: gio::SocketConnection,
    // The connection has none any more when it is closed.
    peer: gio::SocketAddress,
    // Of the connection, or of TLS over it.
    stream: BufReader<IOStreamAsyncReadWrite<gio::IOStream>>,
    is_private: bool,
    // What a future that was dropped has read, and what it has not written.
    line: Vec<u8>,
    literal: Vec<u8>,
    unsent: Vec<u8>,
    incoming: Incoming,
    commands: u32,
    idle: Option<Idle>,
    changes: VecDeque<Change>,
}

#[derive(Debug)]
struct Idle {
    tag: String,
    has_begun: bool,
}

impl Session {
    /// Connects within `limit`, and waits for the greeting.
    pub(crate) async fn connect(host: &str, limit: Duration) -> Result<Self, glib::Error> {
        // Not by the client's `timeout`, which ends a quiet IDLE as well.
        let connecting = gio::SocketClient::new().connect_to_host_future(host, 143);
        let connection = glib::future_with_timeout(limit, connecting)
            .await
            .map_err(|_| error(IOErrorEnum::TimedOut, "Connecting took too long"))??;
        // A server that is gone without a word is noticed within half a minute.
        let socket = connection.socket();
        socket.set_keepalive(true);
        for (option, value) in [
            (libc::TCP_KEEPIDLE, 10),
            (libc::TCP_KEEPINTVL, 5),
            (libc::TCP_KEEPCNT, 3),
            (libc::TCP_USER_TIMEOUT, 25_000),
        ] {
            socket.set_option(libc::IPPROTO_TCP, option, value)?;
        }
        let mut session = Self {
            host: host.to_owned(),
            peer: connection.remote_address()?,
            stream: buffered(connection.upcast_ref())?,
            connection,
            is_private: false,
            line: Vec::new(),
            literal: Vec::new(),
            unsent: Vec::new(),
            incoming: Incoming::default(),
            commands: 0,
            idle: None,
            changes: VecDeque::new(),
        };
        match session.reply().await? {
            Reply::Other(text) if text.starts_with("OK") => Ok(session),
            _ => Err(error(IOErrorEnum::Failed, "The server does not want us")),
        }
    }

    /// Who is at the other end, also when the connection is closed.
    pub(crate) fn peer(&self) -> Result<gio::SocketAddress, glib::Error> {
        Ok(self.peer.clone())
    }

    /// Whether the server is there.
    pub(crate) fn is_alive(&self) -> bool {
        self.connection.socket().is_connected()
    }

    /// What the server can do.
    pub(crate) async fn capability(&mut self) -> Result<Vec<String>, glib::Error> {
        for reply in self.command("CAPABILITY").await? {
            if let Reply::Other(text) = reply
                && let Some(words) = text.strip_prefix("CAPABILITY ")
            {
                return Ok(words.split(' ').map(str::to_owned).collect());
            }
        }
        Err(error(IOErrorEnum::InvalidData, "The server can do nothing"))
    }

    /// Goes on in TLS, with a server whom `trust` trusts, or the system where there is none.
    pub(crate) async fn start_tls(
        mut self,
        trust: Option<&gio::TlsDatabase>,
    ) -> Result<Self, glib::Error> {
        self.command("STARTTLS").await?;
        // Anybody could have written it, and TLS would make it look like the server's.
        if !self.stream.buffer().is_empty() {
            let message = "There is more in plain text behind the answer to STARTTLS";
            return Err(error(IOErrorEnum::InvalidData, message));
        }
        let name = gio::NetworkAddress::parse(&self.host, 143)?;
        let tls = gio::TlsClientConnection::new(&self.connection, Some(&name))?;
        if let Some(trust) = trust {
            tls.set_database(Some(trust));
        }
        tls.handshake_future(glib::Priority::DEFAULT).await?;
        self.stream = buffered(tls.upcast_ref())?;
        self.is_private = true;
        // So could have this.
        self.changes.clear();
        Ok(self)
    }

    /// Says who is there, in TLS only.
    pub(crate) async fn login(&mut self, user: &str, password: &str) -> Result<(), glib::Error> {
        if !self.is_private {
            let message = "A password is not for everybody to read";
            return Err(error(IOErrorEnum::PermissionDenied, message));
        }
        let words = format!("LOGIN {} {}", quoted(user)?, quoted(password)?);
        self.command(&words).await.map(drop)
    }

    /// Opens a mailbox, and answers how many messages it has.
    pub(crate) async fn select(&mut self, mailbox: &str) -> Result<u32, glib::Error> {
        self.command(&format!("SELECT {}", quoted(mailbox)?))
            .await?;
        // What was there before was another mailbox's.
        match self.changes.drain(..).next_back() {
            Some(Change::Exists(count)) => Ok(count),
            _ => Err(error(IOErrorEnum::InvalidData, "Nobody has counted")),
        }
    }

    /// A message, byte by byte as it is.
    pub(crate) async fn fetch(&mut self, number: u32) -> Result<Vec<u8>, glib::Error> {
        let replies = self.command(&format!("FETCH {number} BODY[]")).await?;
        let body = replies.into_iter().find_map(|reply| match reply {
            Reply::Message { number: its, body } if its == number => Some(body),
            _ => None,
        });
        body.ok_or_else(|| error(IOErrorEnum::NotFound, "There is no such message"))
    }

    /// Puts a message into a mailbox of a server that has `LITERAL+`.
    pub(crate) async fn append(
        &mut self,
        mailbox: &str,
        message: &[u8],
    ) -> Result<(), glib::Error> {
        self.done().await?;
        let (tag, mailbox, length) = (self.next_tag(), quoted(mailbox)?, message.len());
        let line = format!("{tag} APPEND {mailbox} {{{length}+}}\r\n");
        // All of it or nothing, whenever this is dropped.
        let whole = [line.as_bytes(), message, b"\r\n"].concat();
        self.unsent.extend_from_slice(&whole);
        self.end_of(&tag).await.map(drop)
    }

    /// From now on the server says what changes. The next command ends that, as [`done`](Self::done) does.
    pub(crate) async fn idle(&mut self) -> Result<(), glib::Error> {
        self.done().await?;
        let tag = self.next_tag();
        self.queue(&format!("{tag} IDLE"));
        let has_begun = false;
        self.idle = Some(Idle { tag, has_begun });
        self.begin_idle().await
    }

    /// The next change. One who drops it loses none.
    pub(crate) async fn change(&mut self) -> Result<Change, glib::Error> {
        self.begin_idle().await?;
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(change);
            }
            self.reply().await?;
        }
    }

    /// No more changes after those that are known.
    pub(crate) async fn done(&mut self) -> Result<(), glib::Error> {
        let begun = self.begin_idle().await;
        // It is not when the server has refused it, which is for those who wait for changes.
        if self.idle.is_some() {
            begun?;
            self.queue("DONE");
        }
        match self.idle.take() {
            Some(Idle { tag, .. }) => self.end_of(&tag).await.map(drop),
            None => Ok(()),
        }
    }

    /// Takes leave and closes.
    pub(crate) async fn logout(mut self) -> Result<(), glib::Error> {
        self.command("LOGOUT").await?;
        let stream = self.stream.get_ref().io_stream();
        // The server, which has said all, may be gone.
        let _ = stream.close_future(glib::Priority::DEFAULT).await;
        Ok(())
    }

    /// Waits until the server listens to nothing but `DONE`.
    async fn begin_idle(&mut self) -> Result<(), glib::Error> {
        while let Some(Idle {
            tag,
            has_begun: false,
        }) = &self.idle
        {
            let tag = tag.clone();
            match self.reply().await? {
                Reply::Ended { tag: its, outcome } if its == tag => {
                    self.idle = None;
                    return outcome;
                }
                Reply::GoOn => {
                    self.idle = Some(Idle {
                        tag,
                        has_begun: true,
                    })
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn command(&mut self, words: &str) -> Result<Vec<Reply>, glib::Error> {
        self.done().await?;
        let tag = self.next_tag();
        self.queue(&format!("{tag} {words}"));
        self.end_of(&tag).await
    }

    fn next_tag(&mut self) -> String {
        self.commands += 1;
        format!("a{}", self.commands)
    }

    async fn end_of(&mut self, tag: &str) -> Result<Vec<Reply>, glib::Error> {
        let mut replies = Vec::new();
        loop {
            match self.reply().await? {
                Reply::Ended { tag: its, outcome } if its == tag => {
                    return outcome.map(|()| replies);
                }
                // Of a command that was dropped, as is what came before.
                Reply::Ended { .. } => replies.clear(),
                reply => replies.push(reply),
            }
        }
    }

    /// Takes a line to send, which goes out with the next reply that is waited for.
    fn queue(&mut self, line: &str) {
        self.unsent.extend_from_slice(line.as_bytes());
        self.unsent.extend_from_slice(b"\r\n");
    }

    async fn reply(&mut self) -> Result<Reply, glib::Error> {
        let reply = self.next_reply().await;
        match &reply {
            Ok(Reply::Change(change)) => self.changes.push_back(*change),
            Ok(_) => {}
            Err(_) => drop(self.connection.close(gio::Cancellable::NONE)),
        }
        reply
    }

    async fn next_reply(&mut self) -> Result<Reply, glib::Error> {
        while !self.unsent.is_empty() {
            let count = self.stream.write(&self.unsent).await.map_err(glib_error)?;
            self.unsent.drain(..count);
        }
        loop {
            if let Some(length) = self.incoming.due() {
                let literal = self.read_literal(length).await?;
                self.incoming.put_literal(literal);
            } else {
                let line = self.read_line().await?;
                if let Some(reply) = self.incoming.put_line(&line)? {
                    return Ok(reply);
                }
            }
        }
    }

    async fn read_line(&mut self) -> Result<Vec<u8>, glib::Error> {
        while !self.line.ends_with(b"\n") {
            let room = LONGEST.saturating_sub(self.line.len());
            if room == 0 {
                return Err(error(IOErrorEnum::MessageTooLarge, "A line has no end"));
            }
            let mut stream = (&mut self.stream).take(room as u64);
            let read = stream.read_until(b'\n', &mut self.line);
            if read.await.map_err(glib_error)? == 0 {
                let message = "The server went away";
                let is_between = self.line.is_empty();
                let code = if is_between {
                    IOErrorEnum::BrokenPipe
                } else {
                    IOErrorEnum::PartialInput
                };
                return Err(error(code, message));
            }
        }
        let mut line = mem::take(&mut self.line);
        line.pop();
        line.pop_if(|last| *last == b'\r');
        Ok(line)
    }

    async fn read_literal(&mut self, length: usize) -> Result<Vec<u8>, glib::Error> {
        if length > LONGEST {
            return Err(error(IOErrorEnum::MessageTooLarge, "A message is too long"));
        }
        while self.literal.len() < length {
            let rest = length - self.literal.len();
            let mut stream = (&mut self.stream).take(rest as u64);
            let read = stream.read_to_end(&mut self.literal);
            if read.await.map_err(glib_error)? == 0 {
                let message = "The server went away in the middle of a message";
                return Err(error(IOErrorEnum::PartialInput, message));
            }
        }
        Ok(mem::take(&mut self.literal))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Sources of reads that were dropped hold the streams, and so the socket.
        let _ = self.connection.close(gio::Cancellable::NONE);
    }
}

fn buffered(
    stream: &gio::IOStream,
) -> Result<BufReader<IOStreamAsyncReadWrite<gio::IOStream>>, glib::Error> {
    match stream.clone().into_async_read_write() {
        Ok(stream) => Ok(BufReader::new(stream)),
        Err(_) => Err(error(IOErrorEnum::NotSupported, "The stream cannot wait")),
    }
}

/// What gio has put into an error of std's.
fn glib_error(failure: io::Error) -> glib::Error {
    let message = failure.to_string();
    let inner = failure.into_inner().and_then(|it| it.downcast().ok());
    inner.map_or_else(|| error(IOErrorEnum::Failed, &message), |failure| *failure)
}
