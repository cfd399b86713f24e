//! Where the two versions differ, each by a test of its own; GIO is that of GLib 2.74.6.

use std::{
    cell::Cell,
    io::{BufRead, BufReader, Lines, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    rc::Rc,
};

use gio::{IOErrorEnum as E, prelude::*};
use serde_json::Value;

use super::{on_gio, ours, scene::*};
use crate::support::*;

/// One who listens and has a client already that nobody has accepted: there is no room for another one.
struct Full {
    socket: gio::Socket,
    _first: gio::Socket,
}

impl Full {
    fn at(path: &Path) -> Self {
        let address = gio::UnixSocketAddress::new(path);
        let [socket, first] = [(); 2].map(|()| {
            let (family, kind) = (gio::SocketFamily::Unix, gio::SocketType::Stream);
            gio::Socket::new(family, kind, gio::SocketProtocol::Default).expect("a socket")
        });
        socket.bind(&address, false).expect("a free path");
        socket.set_listen_backlog(0);
        socket.listen().expect("bound");
        SocketExt::connect(&first, &address, gio::Cancellable::NONE).expect("it listens");
        Self {
            socket,
            _first: first,
        }
    }

    fn make_room(&self) -> gio::Socket {
        self.socket
            .accept(gio::Cancellable::NONE)
            .expect("the first one")
    }
}

#[test]
fn gio_a_server_that_is_busy_for_a_moment_is_a_failure_and_a_delay() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let _full = Full::at(&path);
        let client = on_gio::Client::new(&path, limits(), |_, _| {});
        iterate_until(context, || client.last_error().is_some());
        assert_eq!(code(&client.last_error().expect("seen")), E::WouldBlock);
    });
}

#[test]
fn ours_a_server_that_is_busy_for_a_moment_is_waited_for() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let full = Full::at(&path);
        let client = ours::Client::new(&path, limits(), |_, _| {});
        iterate_for(context, 5 * limits().longest_delay);
        assert!(!client.is_connected() && client.last_error().is_none());
        let _accepted = full.make_room();
        iterate_until(context, || client.is_connected());
        assert!(client.last_error().is_none());
    });
}

#[test]
fn gio_the_lock_stays_behind() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        drop(on_gio::Server::listen(&path, limits(), handler).expect("a free path"));
        assert_eq!(folder.names(), ["socket.lock"]);
    });
}

#[test]
fn ours_nothing_stays_behind() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        drop(ours::Server::listen(&path, limits(), handler).expect("a free path"));
        assert!(folder.names().is_empty());
    });
}

/// How often who shows the size of the queue is told of it, when a hundred calls are made in one iteration.
fn notified(queue: &glib::Object, mut call: impl FnMut()) -> u32 {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    queue.connect_notify_local(Some("pending-bytes"), move |_, _| {
        counted.set(counted.get() + 1)
    });
    for _ in 0..100 {
        call();
    }
    let context = glib::MainContext::ref_thread_default();
    iterate_until(&context, || count.get() > 0);
    count.get()
}

#[test]
fn gio_each_line_is_a_notification() {
    on_private_context(|_| {
        let folder = Folder::new();
        let client = on_gio::Client::new(&folder.at("socket"), limits(), |_, _| {});
        let count = notified(client.queue(), || drop(client.call("echo", &1.into())));
        assert_eq!(count, 100);
    });
}

#[test]
fn ours_all_lines_of_an_iteration_are_one_notification() {
    on_private_context(|_| {
        let folder = Folder::new();
        let client = ours::Client::new(&folder.at("socket"), limits(), |_, _| {});
        let count = notified(client.queue(), || drop(client.call("echo", &1.into())));
        assert_eq!(count, 1);
    });
}

/// What gio-rs makes of the answer "no" which is not an error: a panic with debug assertions on, "yes" without. So the
/// version on gio-rs compares the numbers.
#[test]
fn gio_the_question_whether_two_users_are_the_same_is_not_to_be_asked() {
    on_private_context(|_| {
        let own = gio::Credentials::new();
        let other = gio::Credentials::new();
        let user = own.unix_user().expect("known");
        other.set_unix_user(user + 1).expect("a number");
        let asked = std::panic::catch_unwind(|| own.is_same_user(&other).is_ok());
        assert!(asked.unwrap_or(true));
    });
}

/// Why the version on gio-rs reads no lines by it.
#[test]
fn gio_a_data_input_stream_takes_a_line_and_loses_the_descriptor_behind_it() {
    on_private_context(|_| {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let [ours, theirs] = [ours, theirs].map(|end| {
            let socket = gio::Socket::from_fd(end.into()).expect("a socket");
            let connection = socket.connection_factory_create_connection();
            connection
                .downcast::<gio::UnixConnection>()
                .expect("a Unix socket")
        });
        let none = gio::Cancellable::NONE;
        let written = ours.output_stream().write_all(b"line\n", none);
        written.expect("room");
        let fd = std::io::stdin().as_raw_fd();
        ours.send_fd(fd, none).expect("room");
        theirs.socket().set_blocking(false);
        let lines = gio::DataInputStream::new(&theirs.input_stream());
        // All that is there, as it does, in one piece or not.
        while lines.available() < 6 {
            lines.fill(-1, none).expect("more is there");
        }
        let line = lines.read_line(none).expect("a line");
        assert_eq!(line.as_deref(), Some(&b"line"[..]));
        assert_fails(theirs.receive_fd(none), E::WouldBlock);
    });
}

/// The path at which a process that may have few descriptors is to serve.
const FEW: &str = "GSOCK_TEST_FEW";
/// More clients than such a process can have, and no more than wait for it then: a `connect(2)` that finds no place waits.
const MANY: usize = 20;

/// A test of this file once more, in a process that may have few descriptors, which serves.
struct Few {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    path: PathBuf,
}

impl Few {
    fn start(test: &str, path: PathBuf) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n 24; exec \"$@\"", "sh"])
            .arg(std::env::current_exe().expect("the test itself"))
            .args(["--exact", test, "--nocapture"])
            .env(FEW, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut few = Self { child, said, path };
        few.hear("listens");
        few
    }

    /// What comes behind the word.
    fn hear(&mut self, word: &str) -> String {
        let mut lines = self.said.by_ref().map(|line| line.expect("text"));
        let line = lines.find_map(|line| line.split_once(word).map(|(_, rest)| rest.to_owned()));
        line.expect("it says so")
    }
}

impl Drop for Few {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In that process: serves until it is told to end, and says when so many warnings were written. Answers whether it was.
fn served<S: 'static>(
    listen: impl FnOnce(&Path) -> Result<S, glib::Error> + Send + 'static,
    many: i32,
) -> bool {
    let Some(path) = std::env::var_os(FEW) else {
        return false;
    };
    on_private_context(move |context| {
        let ended = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let mut is_said = false;
        let ((), warnings) = logged(|| {
            let _server = listen(Path::new(&path)).expect("a free path");
            println!("\nlistens");
            iterate_until(context, || {
                if logged_so_far() >= many && !is_said {
                    println!("\nmany");
                    is_said = true;
                }
                ended.is_finished()
            });
        });
        println!("\nwarned {}", warnings.len());
    });
    true
}

#[test]
fn gio_a_server_that_can_have_no_more_descriptors_writes_warnings_without_end() {
    const TEST: &str = "json_ipc::differs::gio_a_server_that_can_have_no_more_descriptors_writes_warnings_without_end";
    if served(|path| on_gio::Server::listen(path, limits(), handler), 500) {
        return;
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let mut few = Few::start(TEST, folder.at("socket"));
        let clients: Vec<_> = (0..MANY).map(|_| connect(&few.path)).collect();
        few.hear("many");
        drop(clients);
    });
}

#[test]
fn ours_a_server_that_can_have_no_more_descriptors_says_so_and_serves_on() {
    const TEST: &str =
        "json_ipc::differs::ours_a_server_that_can_have_no_more_descriptors_says_so_and_serves_on";
    if served(
        |path| ours::Server::listen(path, limits(), handler),
        i32::MAX,
    ) {
        return;
    }
    fn ask(stream: &mut UnixStream) -> Value {
        stream
            .write_all(b"{\"id\":1,\"method\":\"echo\",\"params\":7}\n")
            .expect("room");
        let mut line = String::new();
        BufReader::new(stream)
            .read_line(&mut line)
            .expect("an answer");
        serde_json::from_str::<Value>(&line).expect("JSON")["result"].clone()
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let mut few = Few::start(TEST, folder.at("socket"));
        let mut clients: Vec<_> = (0..MANY).map(|_| connect(&few.path)).collect();
        assert_eq!(ask(&mut clients[0]), 7);
        // The last one is accepted when others have gone.
        let mut last = clients.pop().expect("there are many");
        drop(clients);
        assert_eq!(ask(&mut last), 7);
        drop(few.child.stdin.take());
        assert!(few.hear("warned ").parse::<u32>().expect("a number") <= 5);
    });
}
