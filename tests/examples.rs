//! The examples run by themselves and against a peer of somebody else's, and say so.

#![cfg(test)]
#![allow(unsafe_code, reason = "a server is ended with what it has started")]

mod support;

#[path = "examples/clients.rs"]
mod clients;
#[path = "examples/imap.rs"]
mod imap;
#[path = "examples/kde_link.rs"]
mod kde_link;
#[path = "socket_client/servers.rs"]
#[allow(dead_code, reason = "some are for the tests of the client")]
mod servers;

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use servers::Server;
use support::{echo_server, refused_address};

const EXAMPLES: [&str; 7] = [
    "echo",
    "custom_connection",
    "bindings",
    "relay",
    "fd_passing",
    "adopt",
    "client",
];

const SERVERS: [&str; 2] = ["echo_server", "threaded_server"];

/// Each ends by itself within 20 seconds.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(30);

fn start<A: AsRef<OsStr>>(
    example: &str,
    arguments: impl IntoIterator<Item = A>,
    stdin: Stdio,
) -> Child {
    let mut path: PathBuf = std::env::current_exe().expect("the test itself");
    path.pop();
    path.pop();
    path.extend(["examples", example]);
    assert!(
        path.exists(),
        "{} is missing: `cargo build --examples` makes it",
        path.display()
    );
    Command::new(path)
        .args(arguments)
        .env("G_DEBUG", "fatal-warnings")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an example runs")
}

fn run(example: &str, peer: Option<String>) -> Output {
    ended(start(example, peer, Stdio::null()))
}

/// With this for its standard input, which fits into the pipe.
fn run_with(example: &str, words: &[&str], input: &[u8]) -> Output {
    let mut child = start(example, words, Stdio::piped());
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input).expect("it reads");
    drop(pipe);
    ended(child)
}

fn ended(mut child: Child) -> Output {
    let end = Instant::now() + EXAMPLE_LIMIT;
    while child.try_wait().expect("our child").is_none() {
        if Instant::now() >= end {
            child.kill().expect("our child");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("our child")
}

#[track_caller]
fn assert_says_ok(example: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{example}: {output:?}");
    assert!(
        said.lines().any(|line| line.starts_with("ok")),
        "{example}: {said}"
    );
}

#[test]
fn each_example_ends_well_by_itself() {
    for example in EXAMPLES {
        assert_says_ok(example, &run(example, None));
    }
}

#[test]
fn json_ipc_ends_well_in_both_versions() {
    for version in ["ours", "gio"] {
        assert_says_ok("json_ipc", &run("json_ipc", Some(version.to_owned())));
    }
}

#[test]
fn each_example_ends_well_with_a_peer_of_somebody_elses() {
    for example in EXAMPLES {
        let mut output = run(example, Some(echo_server().to_string()));
        if example == "client" {
            // Whose standard output is the peer's.
            output.stdout = output.stderr.clone();
        }
        assert_says_ok(example, &output);
    }
}

#[test]
fn each_example_says_why_there_is_no_connection_and_fails() {
    for example in EXAMPLES {
        let output = run(example, Some(refused_address().to_string()));
        assert_eq!(output.status.code(), Some(1), "{example}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(said.contains("refused"), "{example}: {said}");
    }
}

#[test]
fn each_server_ends_well_with_clients_of_its_own() {
    for server in SERVERS {
        assert_says_ok(server, &run(server, None));
    }
}

#[test]
fn each_server_serves_clients_of_somebody_elses_and_ends_what_it_has_begun_when_its_input_ends() {
    for (server, answer) in [("echo_server", "hello"), ("threaded_server", "olleh")] {
        let mut child = start(server, Some(String::from("0")), Stdio::piped());
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let port = line.trim().rsplit(' ').next().expect("a word");
        let mut clients: Vec<TcpStream> = (0..3)
            .map(|_| TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens"))
            .collect();
        let mut ask = |client: &mut TcpStream| {
            let limit = Some(EXAMPLE_LIMIT);
            client.set_read_timeout(limit).expect("an option");
            client.write_all(b"hello\n").expect("room");
            let mut back = String::new();
            BufReader::new(client).read_line(&mut back).expect("a line");
            back
        };
        let answers: Vec<String> = clients.iter_mut().map(&mut ask).collect();
        assert_eq!(
            answers,
            [
                format!("{answer}\n"),
                format!("{answer}\n"),
                format!("{answer}\n")
            ]
        );
        drop(child.stdin.take());
        // Who is there is served on.
        assert_eq!(ask(&mut clients[0]), format!("{answer}\n"));
        drop(clients);
        let mut rest = String::new();
        for line in said.lines() {
            rest += &line.expect("text");
        }
        let output = ended(child);
        assert!(output.status.success(), "{server}: {output:?}");
        assert!(rest.starts_with("ok"), "{server}: {rest}");
    }
}

#[test]
fn a_server_says_why_it_cannot_listen_and_fails() {
    let listener = std::net::TcpListener::bind(("0.0.0.0", 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    for server in SERVERS {
        let output = run(server, Some(port.to_string()));
        assert_eq!(output.status.code(), Some(1), "{server}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(said.contains("in use"), "{server}: {said}");
    }
}

#[test]
fn the_client_tells_each_step_and_what_came_of_each_address() {
    let output = run("client", Some("--report".to_owned()));
    assert_says_ok("client", &output);
    let said = String::from_utf8_lossy(&output.stderr);
    let mut rest = &*said;
    for step in [
        "Resolving",
        "Resolved",
        "Connecting",
        "Connected",
        "Complete",
        "name: ",
        "refused",
        "connected after",
    ] {
        let at = rest
            .find(step)
            .unwrap_or_else(|| panic!("no {step} where it belongs: {said}"));
        rest = &rest[at + step.len()..];
    }
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hello"));
}

/// The events, by their names, each of them at the beginning of a line.
fn events_of(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let words = said.lines().filter_map(|line| line.split_once(": "));
    words
        .map(|(word, _)| word.to_owned())
        .filter(|word| {
            word.chars().all(char::is_alphabetic) && !["proxy", "name", "ok"].contains(&&**word)
        })
        .collect()
}

#[track_caller]
fn assert_says(output: &Output, text: &str) {
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    // The peer's words, to the last of them.
    assert!(said.ends_with(text), "{said}");
}

const QUESTION: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

#[test]
fn the_client_speaks_with_socat() {
    let server = Server::socat();
    let output = run_with("client", &[&server.address.to_string()], b"a word\n");
    assert_says(&output, "a word\n");
    let steps = [
        "Resolving",
        "Resolved",
        "Connecting",
        "Connected",
        "Complete",
    ];
    assert_eq!(events_of(&output), steps);
}

/// A certificate of 127.0.0.1 that nobody has signed, with its key.
fn certificate() -> String {
    let pem = |label: &str, der: &[u8]| {
        let base64 = glib::base64_encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a key");
    pem("CERTIFICATE", made.cert.der()) + &pem("PRIVATE KEY", &made.signing_key.serialize_der())
}

#[test]
fn the_client_speaks_tls_with_openssl() {
    let server = Server::openssl(&certificate());
    let address = server.address.to_string();
    let words = [&address, "--tls", "--insecure", "--report"];
    let output = run_with("client", &words, b"a word\n");
    assert_says(&output, "drow a\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("TlsHandshaked") && said.contains("TLS: "),
        "{said}"
    );
    // What it does not trust it does not speak to.
    let output = run_with("client", &[&address, "--tls"], b"a word\n");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("not trusted") && !said.contains("TlsHandshaked"),
        "{said}"
    );
}

#[test]
fn the_client_speaks_with_nginx_in_plain_text_and_in_tls() {
    let plain = Server::nginx(None);
    let output = run_with("client", &[&plain.address.to_string()], QUESTION);
    assert_says(&output, "served\n");
    let certificate = certificate();
    let encrypted = Server::nginx(Some(&certificate));
    let address = encrypted.address.to_string();
    let output = run_with("client", &[&address, "--tls", "--insecure"], QUESTION);
    assert_says(&output, "served\n");
}

#[test]
fn the_client_goes_through_a_proxy_to_nginx() {
    let certificate = certificate();
    let server = Server::nginx(Some(&certificate));
    let far = server.address.to_string();
    for (scheme, proxy) in [
        ("socks5", Server::microsocks(&[])),
        ("socks4", Server::dante()),
        ("http", Server::tinyproxy("")),
    ] {
        let uri = format!("{scheme}://{}", proxy.address);
        let words = [&*far, "--proxy", &uri, "--tls", "--insecure", "--report"];
        let output = run_with("client", &words, QUESTION);
        assert_says(&output, "served\n");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("ProxyNegotiated") && said.contains("proxy: "),
            "{said}"
        );
    }
}
