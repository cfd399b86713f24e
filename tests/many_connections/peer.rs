//! The other ends, in a process of their own: it has as many descriptors as the test.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    frames::{Order, head_of},
    polling::Poller,
    support::*,
};

/// Says to a process that it is the peer's.
const NAME: &str = "GSOCK_TEST_MANY_CONNECTIONS_PEER";
/// What stands before its addresses.
const LISTENS: &str = "peer listens on ";
/// After which the process ends, whoever still wants it.
const PEER_LIMIT: Duration = Duration::from_secs(70);
/// Each has ports of its own.
const LOOPBACKS: u8 = 8;
/// For all who connect while it is at something else.
const BACKLOG: i32 = 4096;

/// As the test sees it.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    addresses: Vec<SocketAddr>,
}

impl Process {
    /// Runs `test` once more, which is to call [`run`] there.
    pub(crate) fn start(test: &str) -> Self {
        let mut child = Command::new(env::current_exe().expect("the test itself"))
            .args([test, "--exact", "--nocapture"])
            .env(NAME, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        let addresses = loop {
            line.clear();
            let count = output.read_line(&mut line).expect("lines");
            assert_ne!(count, 0, "the peer ended before it said its addresses");
            if let Some((_, said)) = line.split_once(LISTENS) {
                break said
                    .split_whitespace()
                    .map(|address| address.parse().expect("an address"))
                    .collect();
            }
        };
        Self {
            child,
            output,
            addresses,
        }
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Lets it end, which it must do well.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("lines");
        let status = self.child.wait().expect("our child");
        assert!(status.success() && said.contains("1 passed"), "{said}");
    }
}

/// Whether this process is the peer's.
pub(crate) fn is_wanted() -> bool {
    env::var_os(NAME).is_some()
}

/// Sends back what comes, and does what is ordered, until nobody holds its standard input any more.
pub(crate) fn run() {
    let listeners: Vec<_> = (1..=LOOPBACKS).map(listening).collect();
    let mut poller = Poller::new();
    poller.add(libc::STDIN_FILENO);
    for listener in &listeners {
        poller.add(listener.as_raw_fd());
    }
    let addresses: Vec<_> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound").to_string())
        .collect();
    println!("{LISTENS}{}", addresses.join(" "));

    let mut clients = HashMap::new();
    let end = Instant::now() + PEER_LIMIT * slowness();
    loop {
        assert!(Instant::now() < end, "the peer is still wanted");
        for (fd, can_write) in poller.wait() {
            if fd == libc::STDIN_FILENO {
                return;
            }
            if let Some(listener) = listeners.iter().find(|of| of.as_raw_fd() == fd) {
                let client = Client::accepted(listener);
                poller.add(client.stream.as_raw_fd());
                clients.insert(client.stream.as_raw_fd(), client);
                continue;
            }
            let Some(client) = clients.get_mut(&fd) else {
                continue;
            };
            if !can_write {
                client.read();
            }
            client.write();
            if client.has_ended() {
                // Closes it.
                clients.remove(&fd);
            } else if client.wants_room == client.owed.is_empty() {
                client.wants_room = !client.owed.is_empty();
                poller.watch(fd, client.wants_room);
            }
        }
    }
}

fn listening(number: u8) -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, number), 0)).expect("loopback");
    // SAFETY: no pointers involved.
    let longer = unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) };
    assert_eq!(longer, 0);
    listener
}

struct Client {
    stream: TcpStream,
    /// The begin of a frame.
    unread: Vec<u8>,
    /// What is to be sent back.
    owed: Vec<u8>,
    /// Until everything is sent back, or at once.
    order: Order,
    gone: bool,
    /// And reads no more until there was some.
    wants_room: bool,
}

impl Client {
    fn accepted(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("somebody called");
        stream.set_nonblocking(true).expect("an option");
        Self {
            stream,
            unread: Vec::new(),
            owed: Vec::new(),
            order: Order::Echo,
            gone: false,
            wants_room: false,
        }
    }

    /// Reads what there is.
    fn read(&mut self) {
        let mut buffer = [0; 16384];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.gone = true,
                Ok(count) => {
                    self.unread.extend_from_slice(&buffer[..count]);
                    if count == buffer.len() {
                        continue;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.gone = true,
            }
            break;
        }
        while let Some((size, order)) = head_of(&self.unread)
            && size <= self.unread.len()
        {
            assert_eq!(self.order, Order::Echo, "nothing comes after the end");
            self.order = order;
            if order != Order::Reset {
                self.owed.extend_from_slice(&self.unread[..size]);
            }
            self.unread.drain(..size);
        }
    }

    /// Writes what there is room for.
    fn write(&mut self) {
        while !self.owed.is_empty() {
            match self.stream.write(&self.owed) {
                Ok(count) => drop(self.owed.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    fn has_ended(&self) -> bool {
        if self.order == Order::Reset {
            reset_when_closed(&self.stream);
            return true;
        }
        self.gone || (self.order == Order::Finish && self.owed.is_empty())
    }
}

fn reset_when_closed(stream: &TcpStream) {
    reset(stream.try_clone().expect("a descriptor"));
}
