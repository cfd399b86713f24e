//! The server: one user, one mailbox, in a thread of its own with a main context of its own.

use std::{
    cell::RefCell, fmt::Write as _, net::SocketAddr, path::PathBuf, rc::Rc, thread, time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    stream::FuturesUnordered,
};
use gio::prelude::*;
use gsock::{Framed, Framing, SocketConnection, SocketListener, prelude::*};

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "a \"quoted\" \\ word";

/// So long those who are connected have at the end.
const GRACE: Duration = Duration::from_secs(1);

/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    certificate: PathBuf,
    deliveries: Option<UnboundedSender<Vec<u8>>>,
    thread: Option<thread::JoinHandle<()>>,
    // GLib may still be waking it when the thread, which was woken, has ended.
    _context: glib::MainContext,
}

impl Server {
    /// Listens on loopback at `port`, or at a free one for 0, with these messages in its mailbox.
    pub(crate) fn start(port: u16, messages: Vec<Vec<u8>>) -> Result<Self, glib::Error> {
        let (certificate, pem) = certificate()?;
        let (deliveries, delivered) = unbounded();
        let (started, start) = std::sync::mpsc::channel();
        let context = glib::MainContext::new();
        let its = context.clone();
        let thread = thread::spawn(move || {
            let context = its;
            let served = context.with_thread_default(|| {
                let listener = SocketListener::new();
                let at = gio::InetSocketAddress::from(SocketAddr::from(([127, 0, 0, 1], port)));
                let (stream, tcp) = (gio::SocketType::Stream, gio::SocketProtocol::Tcp);
                let bound = listener.add_address(&at, stream, tcp, glib::Object::NONE);
                let is_bound = bound.is_ok();
                let _ = started.send(bound.map(|address| port_of(&address)));
                if is_bound {
                    let mailbox = Mailbox::new(messages, &pem);
                    context.block_on(serve(&listener, &Rc::new(RefCell::new(mailbox)), delivered));
                }
            });
            served.expect("nobody else has a new context");
        });
        let ended = |_| glib::Error::new(gio::IOErrorEnum::Failed, "The server has ended");
        let port = start.recv().map_err(ended)??;
        Ok(Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            certificate,
            deliveries: Some(deliveries),
            thread: Some(thread),
            _context: context,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file with the certificate, for who is to trust it.
    pub(crate) fn certificate(&self) -> &PathBuf {
        &self.certificate
    }

    /// One more message, of which those are told who idle.
    pub(crate) fn deliver(&self, message: &[u8]) {
        if let Some(deliveries) = &self.deliveries {
            // After its end nobody has a mailbox.
            let _ = deliveries.unbounded_send(message.to_vec());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.deliveries.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.certificate);
    }
}

fn port_of(address: &gio::SocketAddress) -> u16 {
    let address = address.downcast_ref::<gio::InetSocketAddress>();
    address.map_or(0, InetSocketAddressExt::port)
}

/// A certificate for this computer, signed by itself: a file with it, and it with its key.
fn certificate() -> Result<(PathBuf, String), glib::Error> {
    let failed = |failure: &dyn std::fmt::Display| {
        glib::Error::new(gio::TlsError::Misc, &failure.to_string())
    };
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|failure| failed(&failure))?;
    let public = pem("CERTIFICATE", made.cert.der());
    let private = pem("PRIVATE KEY", &made.signing_key.serialize_der());
    let (_, path) = glib::file_open_tmp(Some("imap-XXXXXX.pem"))?;
    std::fs::write(&path, &public).map_err(|failure| failed(&failure))?;
    Ok((path, public + &private))
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in glib::base64_encode(der).as_bytes().chunks(64) {
        let _ = writeln!(pem, "{}", String::from_utf8_lossy(line));
    }
    pem + &format!("-----END {label}-----\n")
}

struct Mailbox {
    pem: String,
    messages: Vec<Vec<u8>>,
    /// Who hears how many there are.
    listeners: Vec<UnboundedSender<usize>>,
}

impl Mailbox {
    fn new(messages: Vec<Vec<u8>>, pem: &str) -> Self {
        Self {
            pem: pem.to_owned(),
            messages,
            listeners: Vec::new(),
        }
    }

    fn put(&mut self, message: Vec<u8>) {
        self.messages.push(message);
        let count = self.messages.len();
        self.listeners
            .retain(|listener| listener.unbounded_send(count).is_ok());
    }
}

/// Until nobody can deliver any more.
async fn serve(
    listener: &SocketListener,
    mailbox: &Rc<RefCell<Mailbox>>,
    mut delivered: UnboundedReceiver<Vec<u8>>,
) {
    let mut clients = listener.incoming().fuse();
    let mut served = FuturesUnordered::new();
    loop {
        futures::select! {
            client = clients.select_next_some() => if let Ok(connection) = client {
                served.push(Client::serve(connection, mailbox.clone()));
            },
            message = delivered.next() => match message {
                Some(message) => mailbox.borrow_mut().put(message),
                None => break,
            },
            // Who goes away has nobody to tell.
            _result = served.next() => {}
        }
    }
    // Who is about to say good bye does so: what is under way when a context goes can never end.
    let rest = async { while served.next().await.is_some() {} };
    let _ = glib::future_with_timeout(GRACE, rest).await;
}

struct Client {
    connection: SocketConnection,
    framed: Framed,
    mailbox: Rc<RefCell<Mailbox>>,
    is_private: bool,
    is_known: bool,
    changes: UnboundedReceiver<usize>,
}

impl Client {
    async fn serve(
        connection: SocketConnection,
        mailbox: Rc<RefCell<Mailbox>>,
    ) -> Result<(), glib::Error> {
        let (listener, changes) = unbounded();
        mailbox.borrow_mut().listeners.push(listener);
        let framed = Framed::builder().io_stream(&connection);
        let mut client = Self {
            framed: framed.framing(Framing::Lines).crlf(true).build(),
            connection,
            mailbox,
            is_private: false,
            is_known: false,
            changes,
        };
        client.say("* OK at your service")?;
        while let Some(line) = client.framed.read_frame_future().await? {
            if !client.obey(&String::from_utf8_lossy(&line)).await? {
                break;
            }
        }
        client.framed.close_future().await
    }

    /// Answers whether there will be more.
    async fn obey(&mut self, line: &str) -> Result<bool, glib::Error> {
        let mut words = words(line).into_iter();
        let tag = words.next().unwrap_or_default();
        let command = words.next().unwrap_or_default();
        let first = words.next().unwrap_or_default();
        let second = words.next().unwrap_or_default();
        let end = match (command.as_str(), self.is_private, self.is_known) {
            ("CAPABILITY", is_private, _) => {
                let more = ["STARTTLS LOGINDISABLED", "LITERAL+"][usize::from(is_private)];
                self.say(&format!("* CAPABILITY IMAP4rev2 IDLE {more}"))?;
                "OK that is all"
            }
            ("STARTTLS", false, _) => {
                self.say(&format!("{tag} OK begin"))?;
                self.encrypt().await?;
                return Ok(true);
            }
            ("LOGIN", true, false) => {
                self.is_known = first == USER && second == PASSWORD;
                ["NO that is not your name, or not your word", "OK welcome"]
                    [usize::from(self.is_known)]
            }
            ("SELECT", _, true) if first == "INBOX" => {
                // Those who open the mailbox now are told with this answer.
                while self.changes.try_recv().is_ok() {}
                let count = self.mailbox.borrow().messages.len();
                self.say(&format!("* {count} EXISTS"))?;
                "OK open"
            }
            ("SELECT", _, true) => "NO there is no such mailbox",
            ("FETCH", _, true) => self.fetch(&first).await?,
            ("APPEND", _, true) => self.append(&second).await?,
            ("IDLE", _, true) => self.idle().await?,
            ("LOGOUT", ..) => {
                self.say("* BYE")?;
                self.say(&format!("{tag} OK good bye"))?;
                return Ok(false);
            }
            _ => "BAD not that, or not now",
        };
        self.say(&format!("{tag} {end}"))?;
        Ok(true)
    }

    fn say(&self, line: &str) -> Result<(), glib::Error> {
        self.framed.send(line.as_bytes())
    }

    async fn encrypt(&mut self) -> Result<(), glib::Error> {
        self.framed.flush_future().await?;
        let certificate = gio::TlsCertificate::from_pem(&self.mailbox.borrow().pem)?;
        let tls = gio::TlsServerConnection::new(&self.connection, Some(&certificate))?;
        // With it goes what somebody has put behind the command in plain text.
        self.framed.set_io_stream(Some(&tls));
        self.is_private = true;
        tls.handshake_future(glib::Priority::DEFAULT).await
    }

    async fn fetch(&self, number: &str) -> Result<&'static str, glib::Error> {
        let at = number
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1));
        let message = at.and_then(|at| self.mailbox.borrow().messages.get(at).cloned());
        let Some(message) = message else {
            return Ok("NO there is no such message");
        };
        self.say(&format!("* {number} FETCH (BODY[] {{{}}}", message.len()))?;
        self.framed.send_exact(&message)?;
        self.say(")")?;
        self.framed.flush_future().await?;
        Ok("OK there it is")
    }

    /// A message that comes without being asked for, `{` how many bytes it has `+}`.
    async fn append(&self, length: &str) -> Result<&'static str, glib::Error> {
        let length = length
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix("+}"));
        let Some(length) = length.and_then(|length| length.parse().ok()) else {
            return Ok("BAD how long is it?");
        };
        let message = self.framed.read_exact_future(length).await?;
        self.framed.read_frame_future().await?;
        self.mailbox.borrow_mut().put(message.to_vec());
        Ok("OK kept")
    }

    async fn idle(&mut self) -> Result<&'static str, glib::Error> {
        self.say("+ idling")?;
        loop {
            futures::select! {
                line = self.framed.read_frame_future().fuse() => return line.map(|_| "OK enough"),
                count = self.changes.select_next_some() => self.say(&format!("* {count} EXISTS"))?,
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A close of TLS that is under way in a thread of GIO's never ends when nobody iterates this context any more.
        let _ = self.connection.close(gio::Cancellable::NONE);
    }
}

/// Words, and words in quotation marks that may have spaces and quoted marks.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = line.chars();
    while let (Some(letter), Some(word)) = (letters.next(), words.last_mut()) {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => word.extend(letters.next()),
            ' ' if !is_quoted => words.push(String::new()),
            letter => word.push(letter),
        }
    }
    words
}
