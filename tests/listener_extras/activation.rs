//! Sockets of a service manager: systemd's own program, and environments made by hand.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::{
            ffi::OsStrExt,
            net::{UnixDatagram, UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{ActivatedSocket, SocketListener, prelude::*};

use crate::{
    children::{self, Folder, Process},
    support::*,
};

const NOTHING: Option<&glib::Object> = None;

fn named(name: &str) -> gio::SimpleAction {
    gio::SimpleAction::new(name, None)
}

fn names(sockets: &[ActivatedSocket]) -> Vec<&str> {
    sockets.iter().map(|socket| &*socket.name).collect()
}

fn is_inherited(fd: RawFd) -> bool {
    // SAFETY: no pointers involved.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    assert!(flags >= 0, "{fd} is open");
    flags & libc::FD_CLOEXEC == 0
}

/// `systemd-socket-activate`, that of the system or the one that `make setup` has unpacked.
fn activate() -> Command {
    const NAME: &str = "systemd-socket-activate";
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(NAME).exists()) {
        return Command::new(NAME);
    }
    let servers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    let program = servers.join("usr/bin").join(NAME);
    assert!(
        program.exists(),
        "{NAME} is missing: make setup unpacks it on Debian; elsewhere install systemd"
    );
    let mut libraries = vec![servers.join("usr/lib/systemd")];
    for under in ["usr/lib", "lib"] {
        let folders = fs::read_dir(servers.join(under)).into_iter().flatten();
        for folder in folders.flatten() {
            libraries.extend([folder.path().join("systemd"), folder.path()]);
        }
    }
    let mut command = Command::new(program);
    let libraries = env::join_paths(libraries).expect("names without colons");
    command.env("LD_LIBRARY_PATH", libraries);
    command
}

/// Connects as soon as somebody listens there.
fn reach<S>(connect: impl Fn() -> std::io::Result<S>) -> S {
    let end = Instant::now() + LIMIT * slowness();
    loop {
        match connect() {
            Ok(stream) => return stream,
            Err(failure) if Instant::now() >= end => panic!("{failure}"),
            Err(_) => {}
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn sockets_of_systemd_are_accepted_from_and_known_by_their_names() {
    const TEST: &str = "activation::sockets_of_systemd_are_accepted_from_and_known_by_their_names";
    if children::part("is activated").is_some() {
        return on_private_context(|_| {
            let listener = SocketListener::new();
            assert!((3..6).all(is_inherited));
            let control = listener
                .add_systemd_sockets(Some("control"), Some(&named("by its name")))
                .expect("one is called so");
            assert_eq!(names(&control), ["control"]);
            // Of the others too.
            assert!(!(3..6).any(is_inherited));
            let again = listener.add_systemd_sockets(Some("control"), NOTHING);
            assert_eq!(again.expect("no error").len(), 0);
            let none = listener.add_systemd_sockets(Some("no such name"), NOTHING);
            assert_eq!(none.expect("no error").len(), 0);

            let other = SocketListener::new();
            let rest = other
                .add_systemd_sockets(None, Some(&named("the rest")))
                .expect("two are left");
            assert_eq!(names(&rest), ["web", "web"]);
            let again = SocketListener::new();
            let none = again.add_systemd_sockets(None, NOTHING);
            assert_eq!(none.expect("no error").len(), 0);

            for (listener, socket) in [
                (&listener, &control[0]),
                (&other, &rest[0]),
                (&other, &rest[1]),
            ] {
                children::say(&SocketConnectableExt::to_string(&socket.address));
                let (connection, source) = listener.accept(Cancellable::NONE).expect("a peer");
                let source = source.and_downcast::<gio::SimpleAction>();
                let said = source.expect("what was said with it").name();
                connection
                    .output_stream()
                    .write_all(said.as_bytes(), Cancellable::NONE)
                    .expect("the peer");
            }
            // It is not a server for good.
            assert_eq!((listener.accepted(), other.accepted()), (1, 2));
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let (control, web) = (folder.at("control"), folder.at("web"));
        // Somebody else may take the port before systemd does, which then says so and ends.
        let port = {
            let free = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
            free.local_addr().expect("bound").port()
        };
        children::none_starting();
        let own = children::command(TEST, "is activated", "");
        let mut command = activate();
        for address in [
            control.to_str().expect("text").to_owned(),
            web.to_str().expect("text").to_owned(),
            format!("127.0.0.1:{port}"),
        ] {
            command.arg("-l").arg(address);
        }
        command.arg("--fdname=control:web:web");
        for (name, value) in own.get_envs() {
            let value = value.expect("set").to_str().expect("text").to_owned();
            command.arg("-E").arg(format!("{}={value}", name.display()));
        }
        for kept in [
            "GSOCK_TEST_SLOWNESS",
            "GSOCK_TEST_CONTEXT",
            "GSOCK_BACK_END",
        ] {
            if env::var_os(kept).is_some() {
                command.arg("-E").arg(kept);
            }
        }
        command.arg(own.get_program()).args(own.get_args());
        let mut server = Process::of(&mut command);

        // It is started by the first who connects, and he is served.
        let mut first = reach(|| UnixStream::connect(&control));
        let mut said = String::new();
        assert_eq!(server.hear(), control.to_str().expect("text"));
        first.read_to_string(&mut said).expect("a greeting");
        assert_eq!(said, "by its name");

        assert_eq!(server.hear(), web.to_str().expect("text"));
        let mut second = UnixStream::connect(&web).expect("it listens");
        said.clear();
        second.read_to_string(&mut said).expect("a greeting");
        assert_eq!(said, "the rest");

        assert_eq!(server.hear(), format!("127.0.0.1:{port}"));
        let mut third = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        said.clear();
        third.read_to_string(&mut said).expect("a greeting");
        assert_eq!(said, "the rest");
        server.end();
    });
}

/// Runs `test` once more, with these descriptors from 3 on and these variables, as a manager would.
fn with_descriptors(
    test: &str,
    part: &str,
    descriptors: &[RawFd],
    variables: &[(&str, &str)],
) -> Process {
    let own = children::command(test, part, "");
    let mut shell = Command::new("sh");
    // The process id is that of the shell, and then of what it becomes.
    let script = "if [ \"$LISTEN_PID\" = own ]; then LISTEN_PID=$$; fi; exec \"$@\"";
    shell
        .args(["-c", script, "sh"])
        .arg(own.get_program())
        .args(own.get_args());
    for (name, value) in own.get_envs() {
        shell.env(name, value.expect("set"));
    }
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        shell.env_remove(name);
    }
    shell.envs(variables.iter().copied());
    let descriptors = descriptors.to_vec();
    // SAFETY: system calls and nothing else.
    unsafe {
        shell.pre_exec(move || {
            // Out of the way of each other first.
            let mut high = [-1; 8];
            for (place, fd) in high.iter_mut().zip(&descriptors) {
                *place = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, 100);
            }
            for (at, fd) in high.iter().take(descriptors.len()).enumerate() {
                if libc::dup2(*fd, 3 + at as RawFd) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    Process::of(&mut shell)
}

/// What the process says that was started so, in a few words.
fn outcome(result: Result<Vec<ActivatedSocket>, glib::Error>) -> String {
    match result {
        Ok(sockets) => format!("{:?}", names(&sockets)),
        Err(failure) => format!("{:?}: {}", code(&failure), failure.message()),
    }
}

fn tcp() -> OwnedFd {
    TcpListener::bind(("127.0.0.1", 0))
        .expect("loopback")
        .into()
}

#[test]
fn an_environment_that_is_not_for_this_process_is_passed_over() {
    const TEST: &str = "activation::an_environment_that_is_not_for_this_process_is_passed_over";
    if children::part("looks").is_some() {
        return on_private_context(|_| {
            let listener = SocketListener::new();
            children::say(&outcome(listener.add_systemd_sockets(None, NOTHING)));
            children::say(&is_inherited(3).to_string());
            assert_eq!(listener.addresses().len(), 0);
        });
    }
    on_private_context(|_| {
        let socket = tcp();
        for variables in [
            &[][..],
            &[("LISTEN_FDS", "1")],
            &[("LISTEN_PID", "own")],
            &[("LISTEN_PID", "1"), ("LISTEN_FDS", "1")],
            &[("LISTEN_PID", "1"), ("LISTEN_FDS", "some")],
        ] {
            let mut child = with_descriptors(TEST, "looks", &[socket.as_raw_fd()], variables);
            assert_eq!(child.hear(), "[]", "{variables:?}");
            // Nobody's business.
            assert_eq!(child.hear(), "true", "{variables:?}");
            child.end();
        }
    });
}

/// Descriptors, `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`, and what is said of it.
type Case<'a> = (&'a [RawFd], &'a str, &'a str, Option<&'a str>, &'a str);

#[test]
fn an_environment_that_makes_no_sense_is_an_error_and_nothing_is_touched() {
    const TEST: &str =
        "activation::an_environment_that_makes_no_sense_is_an_error_and_nothing_is_touched";
    if children::part("looks").is_some() {
        return on_private_context(|_| {
            let listener = SocketListener::new();
            let first = outcome(listener.add_systemd_sockets(None, NOTHING));
            children::say(&first);
            // It goes on saying so.
            assert_eq!(outcome(listener.add_systemd_sockets(None, NOTHING)), first);
            assert_eq!(listener.addresses().len(), 0);
            // SAFETY: no pointers involved.
            assert!(unsafe { libc::fcntl(3, libc::F_GETFD) } >= 0);
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let file = fs::File::create(folder.at("file")).expect("a new file");
        let listens = tcp();
        let silent = UnixDatagram::unbound().expect("a socket");
        let (connected, _other) = UnixStream::pair().expect("a pair");
        let numbers = (
            listens.as_raw_fd(),
            file.as_raw_fd(),
            silent.as_raw_fd(),
            connected.as_raw_fd(),
        );
        let (listens, file, silent, connected) = numbers;
        let cases: [Case<'_>; 9] = [
            (
                &[listens],
                "me",
                "1",
                None,
                "LISTEN_PID is not a number: me",
            ),
            (
                &[listens],
                "own",
                "one",
                None,
                "LISTEN_FDS is not a number: one",
            ),
            (
                &[listens],
                "own",
                "-1",
                None,
                "LISTEN_FDS is not a number: -1",
            ),
            (
                &[listens],
                "own",
                "4000000000",
                None,
                "LISTEN_FDS is 4000000000, and there are",
            ),
            (
                &[listens],
                "own",
                "1",
                Some("a:b"),
                "LISTEN_FDNAMES has more names than LISTEN_FDS",
            ),
            (
                &[listens, listens],
                "own",
                "2",
                Some("a"),
                "LISTEN_FDNAMES has fewer names than LISTEN_FDS",
            ),
            (
                &[listens, file],
                "own",
                "2",
                Some("a:b"),
                "Descriptor 4 (b) is not a socket",
            ),
            (
                &[silent],
                "own",
                "1",
                None,
                "Descriptor 3 (unknown) is a socket that does not listen",
            ),
            (
                &[connected],
                "own",
                "1",
                Some("connection"),
                "Descriptor 3 (connection) is a socket that does not listen",
            ),
        ];
        for (descriptors, process, count, called, expected) in cases {
            let mut variables = vec![("LISTEN_PID", process), ("LISTEN_FDS", count)];
            variables.extend(called.map(|called| ("LISTEN_FDNAMES", called)));
            let mut child = with_descriptors(TEST, "looks", descriptors, &variables);
            let said = child.hear();
            assert!(
                said.starts_with(&format!("InvalidArgument: {expected}")),
                "{said}"
            );
            child.end();
        }
    });
}

#[test]
fn what_is_left_is_not_a_forked_childs() {
    const TEST: &str = "activation::what_is_left_is_not_a_forked_childs";
    if children::part("looks").is_some() {
        return on_private_context(|_| {
            let listener = SocketListener::new();
            let web = listener.add_systemd_sockets(Some("web"), NOTHING);
            assert_eq!(outcome(web), "[\"web\"]");
            // SAFETY: the child only asks, and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let more = listener.add_systemd_sockets(None, NOTHING);
                let none = more.is_ok_and(|more| more.is_empty());
                // SAFETY: ends this process at once.
                unsafe { libc::_exit(i32::from(!none)) };
            }
            let mut status = 1;
            // SAFETY: room for the answer.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the child was given some");
            children::say(&outcome(listener.add_systemd_sockets(None, NOTHING)));
        });
    }
    on_private_context(|_| {
        let (web, log) = (tcp(), tcp());
        let variables = [
            ("LISTEN_PID", "own"),
            ("LISTEN_FDS", "2"),
            ("LISTEN_FDNAMES", "web:log"),
        ];
        let descriptors = [web.as_raw_fd(), log.as_raw_fd()];
        let mut child = with_descriptors(TEST, "looks", &descriptors, &variables);
        assert_eq!(child.hear(), "[\"log\"]");
        child.end();
    });
}

#[test]
fn one_that_does_not_listen_keeps_nobody_from_the_others() {
    const TEST: &str = "activation::one_that_does_not_listen_keeps_nobody_from_the_others";
    if children::part("looks").is_some() {
        return on_private_context(|_| {
            let closed = SocketListener::new();
            closed.close();
            assert_fails(closed.add_systemd_sockets(None, NOTHING), E::Closed);
            let listener = SocketListener::new();
            assert_fails(
                listener.add_systemd_sockets(None, NOTHING),
                E::InvalidArgument,
            );
            assert_fails(
                listener.add_systemd_sockets(Some("log"), NOTHING),
                E::InvalidArgument,
            );
            let web = listener.add_systemd_sockets(Some("web"), NOTHING);
            let web = web.expect("two listen");
            assert_eq!(names(&web), ["web", "web"]);
            for socket in &web {
                children::say(&SocketConnectableExt::to_string(&socket.address));
                listener.accept(Cancellable::NONE).expect("the peer");
            }
            // What is the manager's, and of no use to a listener, is left where it is.
            assert!(!is_inherited(4));
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("web");
        let (one, log) = (
            tcp(),
            UnixDatagram::bind(folder.at("log")).expect("a free path"),
        );
        let other = UnixListener::bind(&path).expect("a free path");
        let descriptors = [one.as_raw_fd(), log.as_raw_fd(), other.as_raw_fd()];
        let variables = [
            ("LISTEN_PID", "own"),
            ("LISTEN_FDS", "3"),
            ("LISTEN_FDNAMES", "web:log:web"),
        ];
        let mut child = with_descriptors(TEST, "looks", &descriptors, &variables);
        let mut peer = TcpStream::connect(child.hear()).expect("it listens");
        peer.write_all(b"x").expect("it is there");
        let peer = UnixStream::connect(Path::new(&child.hear())).expect("it listens");
        child.end();
        drop(peer);
    });
}

#[test]
fn names_that_are_no_text_are_an_error() {
    const TEST: &str = "activation::names_that_are_no_text_are_an_error";
    if children::part("looks").is_some() {
        return on_private_context(|_| {
            let name = OsStr::from_bytes(b"w\xffb");
            // SAFETY: this process has no other thread that asks for its environment.
            unsafe { env::set_var("LISTEN_FDNAMES", name) };
            let listener = SocketListener::new();
            children::say(&outcome(listener.add_systemd_sockets(None, NOTHING)));
            assert_eq!(listener.addresses().len(), 0);
        });
    }
    on_private_context(|_| {
        let variables = [("LISTEN_PID", "own"), ("LISTEN_FDS", "1")];
        let mut child = with_descriptors(TEST, "looks", &[tcp().as_raw_fd()], &variables);
        let said = child.hear();
        let expected = "InvalidArgument: LISTEN_FDNAMES is not text: ";
        assert!(said.starts_with(expected), "{said}");
        child.end();
    });
}

/// Somebody else in the process has taken it for his own.
#[test]
fn one_that_was_closed_meanwhile_is_an_error() {
    const TEST: &str = "activation::one_that_was_closed_meanwhile_is_an_error";
    if children::part("looks").is_some() {
        return on_private_context(|_| {
            let listener = SocketListener::new();
            let web = listener.add_systemd_sockets(Some("web"), NOTHING);
            assert_eq!(outcome(web), "[\"web\"]");
            // SAFETY: nobody here owns it.
            drop(unsafe { OwnedFd::from_raw_fd(4) });
            children::say(&outcome(listener.add_systemd_sockets(Some("log"), NOTHING)));
            assert_eq!(listener.addresses().len(), 1);
        });
    }
    on_private_context(|_| {
        let (web, log) = (tcp(), tcp());
        let variables = [
            ("LISTEN_PID", "own"),
            ("LISTEN_FDS", "2"),
            ("LISTEN_FDNAMES", "web:log"),
        ];
        let descriptors = [web.as_raw_fd(), log.as_raw_fd()];
        let mut child = with_descriptors(TEST, "looks", &descriptors, &variables);
        assert_eq!(
            child.hear(),
            "InvalidArgument: Descriptor 4 (log) has been closed"
        );
        child.end();
    });
}
