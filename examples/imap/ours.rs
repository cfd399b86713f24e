//! An IMAP session on gsock's types.

use std::{collections::VecDeque, time::Duration};

use gio::{IOErrorEnum, prelude::*};
use gsock::{Framed, Framing, Liveness, SocketClient, SocketConnection, TcpConnection, prelude::*};

use super::protocol::{Change, Incoming, Reply, error, quoted};

/// Whatever is dropped before its end, but for what takes the session itself, leaves it usable; what fails
/// for another reason than the server's word closes it.
#[derive(Debug)]
pub(crate) struct Session {
    host: String,
    pub(crate) connection: SocketConnection,
    // Lines and literals of the connection, or of TLS over it.
    framed: Framed,
    is_private: bool,
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
        let client = SocketClient::new();
        client.set_connect_timeout(limit);
        let connection = client.connect_to_host_future(host, 143).await?;
        // A server that is gone without a word is noticed within half a minute.
        if let Some(tcp) = connection.downcast_ref::<TcpConnection>() {
            tcp.set_liveness(Liveness::Interactive)?;
        }
        let framed = Framed::builder().io_stream(&connection);
        let mut session = Self {
            host: host.to_owned(),
            framed: framed.framing(Framing::Lines).crlf(true).build(),
            connection,
            is_private: false,
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
        self.connection.remote_address()
    }

    /// Whether the server is there.
    pub(crate) fn is_alive(&self) -> bool {
        self.connection.is_alive()
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
        if !self.framed.take_buffered().is_empty() {
            let message = "There is more in plain text behind the answer to STARTTLS";
            return Err(error(IOErrorEnum::InvalidData, message));
        }
        let name = gio::NetworkAddress::parse(&self.host, 143)?;
        let tls = gio::TlsClientConnection::new(&self.connection, Some(&name))?;
        if let Some(trust) = trust {
            tls.set_database(Some(trust));
        }
        tls.handshake_future(glib::Priority::DEFAULT).await?;
        self.framed.set_io_stream(Some(&tls));
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
        self.framed.send_exact(&whole)?;
        self.end_of(&tag).await.map(drop)
    }

    /// From now on the server says what changes. The next command ends that, as [`done`](Self::done) does.
    pub(crate) async fn idle(&mut self) -> Result<(), glib::Error> {
        self.done().await?;
        let tag = self.next_tag();
        self.framed.send(format!("{tag} IDLE").as_bytes())?;
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
            self.framed.send(b"DONE")?;
        }
        match self.idle.take() {
            Some(Idle { tag, .. }) => self.end_of(&tag).await.map(drop),
            None => Ok(()),
        }
    }

    /// Takes leave and closes.
    pub(crate) async fn logout(mut self) -> Result<(), glib::Error> {
        self.command("LOGOUT").await?;
        // The server, which has said all, may be gone.
        let _ = self.framed.close_future().await;
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
        self.framed.send(format!("{tag} {words}").as_bytes())?;
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
        loop {
            if let Some(length) = self.incoming.due() {
                let literal = self.framed.read_exact_future(length).await?;
                self.incoming.put_literal(literal.to_vec());
            } else if let Some(line) = self.framed.read_frame_future().await? {
                if let Some(reply) = self.incoming.put_line(&line)? {
                    return Ok(reply);
                }
            } else {
                return Err(error(IOErrorEnum::BrokenPipe, "The server went away"));
            }
        }
    }
}
