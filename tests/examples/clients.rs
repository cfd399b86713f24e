//! The servers among the examples, and those who come to them: programs of others, and more connections than anybody
//! has. Each server is a process of its own.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    thread,
};

use crate::{
    EXAMPLE_LIMIT, SERVERS, ended, servers::program, start, support::reset, support::slowness,
};

/// What is asked of a server, and of one on a slow machine.
const MANY: usize = 10_000;
const FEWER: usize = 1_000;
/// Fewer than a backlog has room for.
const AT_ONCE: usize = 500;
/// Descriptors besides those of the connections.
const BESIDES: u64 = 200;

fn how_many() -> usize {
    if slowness() > 1 { FEWER } else { MANY }
}

/// An example that serves until it is told to end.
struct Service {
    name: &'static str,
    port: u16,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Service {
    fn start(name: &'static str) -> Self {
        let mut child = start(name, Some(String::from("0")), Stdio::piped());
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let port = line.trim().rsplit(' ').next().expect("a word");
        let port = port.parse().expect("a number");
        Self {
            name,
            port,
            child,
            output,
        }
    }

    /// By one of a few addresses, each of which has ports of its own.
    fn client(&self, number: usize) -> TcpStream {
        let host = u8::try_from(number % 8).expect("less than 8") + 1;
        let address = SocketAddr::from(([127, 0, 0, host], self.port));
        let client = TcpStream::connect(address).expect("it listens");
        let limit = Some(EXAMPLE_LIMIT * slowness());
        client.set_read_timeout(limit).expect("an option");
        client
    }

    /// Ends it, and answers what it says in the end.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("text");
        let output = ended(self.child);
        assert!(output.status.success(), "{}: {output:?}", self.name);
        // Nothing but the end is told.
        assert!(output.stderr.is_empty(), "{}: {output:?}", self.name);
        said
    }
}

/// A program that sends what it gets, and shows what comes back until that ends.
fn answer_to(mut command: Command, input: &Arc<[u8]>) -> Vec<u8> {
    let input = input.clone();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("piped");
    let writer = thread::spawn(move || pipe.write_all(&input).expect("it reads"));
    // Read while it runs, which it may do for longer than a pipe has room.
    let mut back = Vec::new();
    let mut output = child.stdout.take().expect("piped");
    output.read_to_end(&mut back).expect("bytes");
    writer.join().expect("no panic");
    let output = ended(child);
    assert!(output.status.success(), "{command:?}: {output:?}");
    back
}

fn clients_of_others(port: u16) -> [Command; 2] {
    // It waits so long for what comes back when it has sent all.
    let mut socat = program("socat");
    socat.args(["-t30", "STDIO", &format!("TCP4:127.0.0.1:{port}")]);
    let mut ncat = program("ncat");
    ncat.args(["-4", "127.0.0.1", &port.to_string()]);
    [socat, ncat]
}

#[test]
fn each_server_speaks_with_socat_and_with_ncat() {
    for (name, answer) in SERVERS.into_iter().zip([b"one\ntwo\n", b"eno\nowt\n"]) {
        let service = Service::start(name);
        let lines = Arc::from(*b"one\ntwo\n");
        let answers = clients_of_others(service.port).map(|client| answer_to(client, &lines));
        assert_eq!(answers, [answer, answer], "{name}");
        assert!(service.end().starts_with("ok"), "{name}");
    }
}

#[test]
fn a_great_deal_goes_through_socat_and_ncat_to_the_echo_server_and_back() {
    let bytes: Arc<[u8]> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    let service = Service::start("echo_server");
    for client in clients_of_others(service.port) {
        assert!(answer_to(client, &bytes)[..] == bytes[..]);
    }
    assert!(service.end().contains("ok: 2 connections, 8000000 bytes"));
}

/// So many descriptors for this process, and for those that it starts.
fn allow(count: usize) {
    let wanted = count as u64 + BESIDES;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a place for the value.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(got, 0);
    assert!(limit.rlim_max >= wanted, "no more than {}", limit.rlim_max);
    limit.rlim_cur = limit.rlim_cur.max(wanted);
    // SAFETY: a live value.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
}

#[test]
fn the_echo_server_has_ten_thousand_connections_at_once_and_each_has_its_own_bytes_back() {
    let count = how_many();
    allow(count);
    let service = Service::start("echo_server");
    let connected = |number: usize| {
        let mut client = service.client(number);
        client.write_all(&number.to_be_bytes()).expect("room");
        if number.is_multiple_of(AT_ONCE) {
            // Who finds no room in the backlog would have to wait for a second: those before this one are served.
            client.peek(&mut [0]).expect("an answer");
        }
        client
    };
    let mut clients: Vec<_> = (0..count).map(connected).collect();
    let mut seen = HashSet::new();
    for client in &mut clients {
        let mut back = [0; size_of::<usize>()];
        client.read_exact(&mut back).expect("all of it");
        seen.insert(usize::from_be_bytes(back));
        client.shutdown(Shutdown::Write).expect("connected");
    }
    let ends = clients.into_iter().filter_map(|mut client| {
        let end = client.read(&mut [0]).ok();
        // So many at once that their ports would wait for the next user too long.
        reset(client);
        end
    });
    assert_eq!(ends.filter(|count| *count == 0).count(), count);
    assert_eq!(seen, (0..count).collect());
    let bytes = count * size_of::<usize>();
    let said = service.end();
    let expected = format!("ok: {count} connections, {bytes} bytes");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn the_threaded_server_serves_ten_thousand_connections_and_no_more_at_once_than_it_has_threads() {
    const COMERS: usize = 8;
    let count = how_many();
    let service = Service::start("threaded_server");
    let serve = |first: usize| {
        let numbers = (first..count).step_by(COMERS);
        numbers.filter(|number| has_its_line_back(service.client(*number), *number))
    };
    let served: usize = thread::scope(|scope| {
        let comers: Vec<_> = (0..COMERS)
            .map(|first| scope.spawn(move || serve(first).count()))
            .collect();
        let served = comers.into_iter().map(|comer| comer.join());
        served.map(|served| served.expect("no panic")).sum()
    });
    assert_eq!(served, count);
    let said = service.end();
    let lines = format!("ok: {count} lines, up to ");
    let most = said
        .split_once(&lines)
        .and_then(|(_, rest)| rest.split(' ').next())
        .and_then(|most| most.parse::<usize>().ok());
    assert!(most.is_some_and(|most| (1..=4).contains(&most)), "{said}");
}

/// Says a line, and has it back from its end to its beginning, and then nothing more.
fn has_its_line_back(mut client: TcpStream, number: usize) -> bool {
    let said = format!("{number}\n");
    client.write_all(said.as_bytes()).expect("room");
    client.shutdown(Shutdown::Write).expect("connected");
    let mut back = String::new();
    client.read_to_string(&mut back).expect("a line");
    reset(client);
    back.chars().rev().eq(format!("\n{number}").chars())
}

/// Nobody waits for those who are silent.
#[test]
fn who_says_nothing_and_who_goes_without_a_word_keep_nobody_from_being_served() {
    let service = Service::start("echo_server");
    let silent: Vec<_> = (0..50).map(|number| service.client(number)).collect();
    for number in 0..50 {
        drop(service.client(number));
    }
    let x = Arc::from(*b"x");
    let answers = clients_of_others(service.port).map(|client| answer_to(client, &x));
    assert_eq!(answers, [b"x", b"x"]);
    drop(silent);
    assert!(service.end().contains("ok: 102 connections"));
}
