//! Who is at the other end of a Unix socket, whatever he does to seem another one.

use std::{
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{fs::PermissionsExt, net::UnixStream},
    },
    process::{Command, Stdio},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, SocketListener, UnixConnection, UnixPathOptions, prelude::*};

use crate::{
    children::{self, Folder, Process},
    support::*,
};

const NONE: Option<&Cancellable> = None;
const NOTHING: Option<&glib::Object> = None;
/// Nobody's, as most systems have it.
const OTHER: u32 = 65534;

fn is_root() -> bool {
    // SAFETY: never fails.
    unsafe { libc::geteuid() == 0 }
}

fn listening(folder: &Folder, same_user_only: bool) -> (SocketListener, String) {
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), permissions).expect("ours");
    let path = folder.at("socket");
    let options = UnixPathOptions {
        mode: 0o666,
        same_user_only,
        ..Default::default()
    };
    let listener = SocketListener::new();
    listener
        .add_unix_path(&path, &options, NOTHING)
        .expect("a free path");
    (listener, path.to_str().expect("text").to_owned())
}

fn accepted(listener: &SocketListener) -> UnixConnection {
    let (connection, _) = listener.accept(NONE).expect("somebody has come");
    connection.downcast().expect("of a Unix socket")
}

fn peer_of(connection: &UnixConnection) -> (i32, u32) {
    let credentials = connection.peer_credentials().expect("connected");
    let user = credentials.unix_user().expect("a user");
    (credentials.unix_pid().expect("a process"), user)
}

/// What the kernel says of a process that a descriptor stands for: its number, or -1 once it is gone.
fn pid_of(pidfd: &OwnedFd) -> i32 {
    let about = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let about = std::fs::read_to_string(about).expect("open");
    let line = about.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.expect("of a process")
        .trim()
        .parse()
        .expect("a number")
}

/// Its number may be another one's by then; what it was when it connected stays what is told, and its descriptor is no other
/// process'.
#[test]
fn of_a_peer_that_is_gone_it_is_known_who_it_was() {
    const TEST: &str = "identity::of_a_peer_that_is_gone_it_is_known_who_it_was";
    if let Some(path) = children::part("connects and goes") {
        return on_private_context(move |_| {
            let _peer = UnixStream::connect(path).expect("it listens");
            children::say(&std::process::id().to_string());
            children::listen();
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let (listener, path) = listening(&folder, true);
        let mut peer = Process::start(TEST, "connects and goes", &path);
        let pid: i32 = peer.hear().parse().expect("a number");
        let connection = accepted(&listener);
        let before = connection.peer_pidfd();
        // SAFETY: never fails.
        let us = unsafe { libc::geteuid() };
        assert_eq!(peer_of(&connection), (pid, us));
        // It ends, and nobody waits for it any more: its number is free.
        peer.end();
        assert_eq!(peer_of(&connection), (pid, us));
        if let Ok(before) = before {
            assert_eq!(pid_of(&before), -1);
            // Of what is gone, or none at all; never somebody else who has the number.
            if let Ok(after) = connection.peer_pidfd() {
                assert_eq!(pid_of(&after), -1);
            }
        }
    });
}

/// A program that was started has the connection of the process that it was before.
#[test]
fn a_peer_that_has_become_another_program_is_the_same_process() {
    on_private_context(|_| {
        let folder = Folder::new();
        let (listener, path) = listening(&folder, true);
        // The shell connects nowhere: its input is a connection of ours, by a process that is about to become it.
        let ours = UnixStream::connect(&path).expect("it listens");
        let mut shell = Command::new("sh")
            .args(["-c", "echo $$; exec cat"])
            .stdin(Stdio::from(OwnedFd::from(ours)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program of every system");
        let connection = accepted(&listener);
        // Who has connected is told, and not who has the descriptor now.
        let us = i32::try_from(std::process::id()).expect("a number");
        assert_eq!(peer_of(&connection).0, us);
        let output = connection.output_stream();
        output.write_all(b"hello\n", NONE).expect("it reads");
        connection.close(NONE).expect("open");
        let mut said = String::new();
        let stdout = shell.stdout.as_mut().expect("a pipe");
        stdout.read_to_string(&mut said).expect("text");
        assert!(said.ends_with("hello\n"), "{said}");
        assert!(shell.wait().expect("our child").success());
    });
}

/// As root: who has connected is who he was then, and cannot be another one afterwards, nor by another's hand.
#[test]
fn rights_that_are_dropped_or_lent_after_the_connect_change_nothing() {
    const TEST: &str = "identity::rights_that_are_dropped_or_lent_after_the_connect_change_nothing";
    if let Some(path) = children::part("connects") {
        return on_private_context(move |_| {
            let connect = || UnixStream::connect(&path).expect("it listens");
            let first = connect();
            if is_root() {
                // SAFETY: no pointers involved. The process does nothing else.
                assert_eq!(unsafe { libc::setuid(OTHER) }, 0);
            }
            let second = connect();
            children::say("connected");
            // What it is told, and whether it is let in with what it is now.
            for mut peer in [first, second] {
                let mut said = String::new();
                let end = peer.read_to_string(&mut said);
                children::say(&format!("{said:?} {}", end.is_ok()));
            }
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let (listener, path) = listening(&folder, true);
        let mut peer = Process::start(TEST, "connects", &path);
        assert_eq!(peer.hear(), "connected");
        let first = accepted(&listener);
        // SAFETY: never fails.
        assert_eq!(peer_of(&first).1, unsafe { libc::geteuid() });
        first
            .output_stream()
            .write_all(b"hello", NONE)
            .expect("room");
        first.close(NONE).expect("open");
        assert_eq!(peer.hear(), "\"hello\" true");
        if is_root() {
            // Refused by whoever accepts next, and that is a friend's.
            let _friend = UnixStream::connect(&path).expect("it listens");
            let friend = accepted(&listener);
            assert_eq!(
                peer_of(&friend).0,
                i32::try_from(std::process::id()).expect("one")
            );
            assert_eq!(listener.refused(), 1);
            assert_eq!(peer.hear(), "\"\" true");
        } else {
            accepted(&listener).close(NONE).expect("open");
            assert_eq!(peer.hear(), "\"\" true");
        }
        peer.end();
    });
}

/// Credentials in a message are those of who sends; those of the peer are those of who has connected.
#[test]
fn a_process_that_was_given_the_connection_speaks_for_itself_only() {
    const TEST: &str = "identity::a_process_that_was_given_the_connection_speaks_for_itself_only";
    fn connection(end: UnixStream) -> UnixConnection {
        let made = SocketConnection::factory_create_connection_from_fd(end.into());
        let made = made.expect("a connection").downcast();
        made.expect("of a Unix socket")
    }
    if let Some(path) = children::part("speaks for another") {
        return on_private_context(move |_| {
            // It is given the end of a pair that somebody else has made, and sends its credentials through it.
            let way = connection(UnixStream::connect(path).expect("it listens"));
            let given = way.receive_fd(NONE).expect("one is sent");
            let given = connection(UnixStream::from(given));
            given.send_credentials(NONE).expect("connected");
            children::say(&std::process::id().to_string());
            // It cannot say that it was another one, but for root, who can be anybody.
            let claims = gio::Credentials::new();
            assert_eq!(
                claims.unix_pid().ok(),
                i32::try_from(std::process::id()).ok()
            );
            children::listen();
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let (listener, path) = listening(&folder, false);
        let mut other = Process::start(TEST, "speaks for another", &path);
        let way = accepted(&listener);
        let (one, theirs) = UnixStream::pair().expect("two sockets");
        let one = connection(one);
        way.send_fd(theirs.as_fd(), NONE).expect("connected");
        drop(theirs);
        let sender = one.receive_credentials(NONE).expect("they are sent");
        let pid: i32 = other.hear().parse().expect("a number");
        assert_eq!(sender.unix_pid().ok(), Some(pid));
        // Who has made the pair is its peer, whoever holds it.
        let us = i32::try_from(std::process::id()).expect("a number");
        assert_eq!(peer_of(&one).0, us);
        other.end();
    });
}

/// A peer that has gone before it was accepted is looked at as any other one.
#[test]
fn a_stranger_that_has_gone_before_it_was_accepted_is_refused_too() {
    const TEST: &str = "identity::a_stranger_that_has_gone_before_it_was_accepted_is_refused_too";
    if let Some(path) = children::part("comes and goes") {
        return on_private_context(move |_| {
            if is_root() {
                // SAFETY: no pointers involved. The process does nothing else.
                assert_eq!(unsafe { libc::setuid(OTHER) }, 0);
            }
            let mut peer = UnixStream::connect(path).expect("it listens");
            peer.write_all(b"a last word").expect("room");
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let (listener, path) = listening(&folder, true);
        Process::start(TEST, "comes and goes", &path).end();
        let friend = UnixStream::connect(&path).expect("it listens");
        let cancellable = Cancellable::new();
        let first = accepted(&listener);
        if is_root() {
            assert_eq!(listener.refused(), 1);
        } else {
            // One of ours that is gone comes all the same.
            let mut said = [0; 11];
            let read = first
                .input_stream()
                .read_all(&mut said, NONE)
                .expect("a word");
            assert_eq!((read.0, &said[..]), (11, &b"a last word"[..]));
            accepted(&listener);
        }
        drop(friend);
        cancellable.cancel();
        assert_fails(listener.accept(Some(&cancellable)).map(drop), E::Cancelled);
    });
}
