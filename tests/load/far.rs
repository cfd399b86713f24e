//! The other ends, in processes of their own: each has as many descriptors as the test, and memory that is not the test's.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, RawFd},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{hold, polling::Poller, support::*};

/// Says to a process what it is.
const ROLE: &str = "GSOCK_TEST_FAR_END";
/// Each has ports of its own, so that those that wait for their end do not use them up.
pub(crate) const LOOPBACKS: u8 = 8;
/// For all who connect while it is at something else.
const BACKLOG: i32 = 4096;
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of them, as the test sees it.
pub(crate) struct Far {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Far {
    /// Runs `test` once more, which is to call [`run`] there.
    pub(crate) fn start(test: &str, role: &str) -> Self {
        let mut child = Command::new(env::current_exe().expect("the test itself"))
            .args([test, "--exact", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            input: child.stdin.take(),
            child,
            output,
        }
    }

    /// What it says behind `begin`, sooner or later.
    pub(crate) fn says(&mut self, begin: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let count = self.output.read_line(&mut line).expect("lines");
            assert_ne!(count, 0, "the far end ended before it said {begin:?}");
            if let Some((_, said)) = line.split_once(begin) {
                return said.trim().to_owned();
            }
        }
    }

    pub(crate) fn addresses(&mut self) -> Vec<SocketAddr> {
        addresses_in(&self.says("listens on "))
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it was not let go yet");
        writeln!(input, "{line}").expect("it listens");
    }

    /// Lets it end, which it must do well.
    pub(crate) fn end(mut self) -> String {
        drop(self.input.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("lines");
        let status = self.child.wait().expect("our child");
        assert!(status.success() && said.contains("1 passed"), "{said}");
        said
    }
}

fn addresses_in(line: &str) -> Vec<SocketAddr> {
    let addresses = line.split_whitespace();
    addresses
        .map(|one| one.parse().expect("an address"))
        .collect()
}

/// Whether this process is a far end; then it has been one.
pub(crate) fn ran() -> bool {
    let Ok(role) = env::var(ROLE) else {
        return false;
    };
    hold::raise_the_limit(0);
    match role.split_once(' ') {
        None if role == "echo" => echo(),
        Some(("clients", rest)) => clients(rest),
        Some(("churn", rest)) => churn(rest),
        _ => panic!("no such far end: {role}"),
    }
    true
}

fn line_from_the_test() -> Option<String> {
    let mut line = String::new();
    let count = std::io::stdin().read_line(&mut line).expect("lines");
    (count > 0).then(|| line.trim().to_owned())
}

// --- Who sends back what comes -----------------------------------------------------------------

/// What becomes of a guest after its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// They come back, and so does all that follows until its end.
    Echo,
    /// They come back, and then it is over.
    Finish,
    /// It is reset.
    Reset,
}

/// The addresses are those of the first manner, then those of the second, then those of the third.
fn echo() {
    let manners = [Manner::Echo, Manner::Finish, Manner::Reset];
    let listeners: Vec<(TcpListener, Manner)> = manners
        .into_iter()
        .flat_map(|manner| (1..=LOOPBACKS).map(move |number| (listening(number), manner)))
        .collect();
    let mut poller = Poller::new();
    poller.add(libc::STDIN_FILENO);
    for (listener, _) in &listeners {
        poller.add(listener.as_raw_fd());
    }
    let addresses: Vec<_> = listeners
        .iter()
        .map(|(listener, _)| listener.local_addr().expect("bound").to_string())
        .collect();
    println!("listens on {}", addresses.join(" "));
    let mut guests: HashMap<RawFd, Guest> = HashMap::new();
    loop {
        for (fd, can_write) in poller.wait() {
            if fd == libc::STDIN_FILENO {
                return;
            }
            if let Some((listener, manner)) = listeners.iter().find(|of| of.0.as_raw_fd() == fd) {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).expect("an option");
                    poller.add(stream.as_raw_fd());
                    guests.insert(stream.as_raw_fd(), Guest::new(stream, *manner));
                }
                continue;
            }
            let Some(guest) = guests.get_mut(&fd) else {
                continue;
            };
            if !can_write {
                guest.read();
            }
            guest.write();
            if guest.has_ended() {
                // Closes it.
                guests.remove(&fd);
            } else if guest.wants_room == guest.owed.is_empty() {
                guest.wants_room = !guest.owed.is_empty();
                poller.watch(fd, guest.wants_room);
            }
        }
    }
}

fn listening(number: u8) -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, number), 0)).expect("loopback");
    // SAFETY: no pointers involved.
    let longer = unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) };
    assert_eq!(longer, 0);
    listener.set_nonblocking(true).expect("an option");
    listener
}

struct Guest {
    stream: TcpStream,
    manner: Manner,
    owed: Vec<u8>,
    has_come: bool,
    at_end: bool,
    gone: bool,
    /// And is not read from until there was some.
    wants_room: bool,
}

impl Guest {
    fn new(stream: TcpStream, manner: Manner) -> Self {
        Self {
            stream,
            manner,
            owed: Vec::new(),
            has_come: false,
            at_end: false,
            gone: false,
            wants_room: false,
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 16384];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.at_end = true,
            Ok(count) => {
                self.has_come = true;
                self.owed.extend_from_slice(&buffer[..count]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.gone = true,
        }
    }

    fn write(&mut self) {
        if self.has_come && self.manner == Manner::Reset {
            reset_when_closed(&self.stream);
            self.gone = true;
        }
        while !self.gone && !self.owed.is_empty() {
            match self.stream.write(&self.owed) {
                Ok(count) => drop(self.owed.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
        }
    }

    fn has_ended(&self) -> bool {
        let is_through = self.at_end || (self.has_come && self.manner == Manner::Finish);
        self.gone || (is_through && self.owed.is_empty())
    }
}

fn reset_when_closed(stream: &TcpStream) {
    reset(stream.try_clone().expect("a descriptor"));
}

// --- Who connects, many at once ----------------------------------------------------------------

/// `COUNT ADDRESS…`: talks on all of them, and says how many were told the right things.
fn clients(arguments: &str) {
    let (count, addresses) = arguments.split_once(' ').expect("a count first");
    let count: usize = count.parse().expect("a count");
    let addresses = addresses_in(addresses);
    let mut streams: Vec<TcpStream> = (0..count)
        .map(|number| {
            let stream = TcpStream::connect(addresses[number % addresses.len()]);
            let stream = stream.unwrap_or_else(|error| panic!("{number}: {error}"));
            stream.set_read_timeout(Some(PATIENCE)).expect("an option");
            stream
        })
        .collect();
    let mut is_right = vec![true; count];
    for round in 0..hold::ROUNDS {
        if round + 1 == hold::ROUNDS {
            println!("idle");
            assert_eq!(line_from_the_test().as_deref(), Some("go on"));
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            is_right[number] &= stream.write_all(&hold::frame(number, round)).is_ok();
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            is_right[number] &= comes_back(stream, &hold::frame(number, round));
        }
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        is_right[number] &= stream.shutdown(Shutdown::Write).is_ok();
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        is_right[number] &= stream.read(&mut [0]).is_ok_and(|count| count == 0);
    }
    let right = is_right.iter().filter(|right| **right).count();
    println!("right {right}");
    assert_eq!(line_from_the_test(), None);
}

fn comes_back(stream: &mut TcpStream, frame: &[u8]) -> bool {
    let mut buffer = vec![0; frame.len()];
    stream.read_exact(&mut buffer).is_ok() && buffer == frame
}

// --- Who comes and goes ------------------------------------------------------------------------

/// `ADDRESS…`: connects to each in turn, and ends in each way, until the test lets go.
fn churn(addresses: &str) {
    let addresses = addresses_in(addresses);
    for first in 0..2 {
        let addresses = addresses.clone();
        thread::spawn(move || {
            for number in (first..).step_by(2) {
                come_and_go(addresses[(number / 2) % addresses.len()], number);
            }
        });
    }
    println!("churns");
    assert_eq!(line_from_the_test(), None);
}

fn come_and_go(address: SocketAddr, number: usize) {
    // Refused where a limit is tried out, or the other side has no more.
    let Ok(mut stream) = TcpStream::connect(address) else {
        thread::sleep(Duration::from_millis(1));
        return;
    };
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    // A line, for whoever reads lines.
    let line = format!("number {number}\n");
    let manner = number / 2 / LOOPBACKS as usize % 6;
    if manner == 0 || stream.write_all(line.as_bytes()).is_err() {
        return;
    }
    if manner == 1 {
        return reset(stream);
    }
    let right = comes_back(&mut stream, line.as_bytes());
    match manner {
        2 => {}
        3 => {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0]);
        }
        4 => reset(stream),
        _ => {
            // The beginning of a line that never comes to its end.
            let _ = stream.write_all(b"numb");
        }
    }
    assert!(right, "{address}: what came back is not {line:?}");
}
