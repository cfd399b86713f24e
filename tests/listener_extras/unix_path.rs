//! Listening at a path: who may have it, what its file looks like, and what is left of it.

use std::{
    cell::RefCell,
    fs,
    io::{ErrorKind, Read},
    os::{
        fd::AsRawFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::Path,
    process::Command,
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum as E, SocketListenerEvent as Event, prelude::*};
use gsock::{SocketListener, UnixPathOptions, prelude::*};

use crate::{
    children::{self, Folder, Process},
    support::*,
};

const NOTHING: Option<&glib::Object> = None;

fn at(path: &Path) -> Result<SocketListener, glib::Error> {
    with(path, &UnixPathOptions::default())
}

fn with(path: &Path, options: &UnixPathOptions) -> Result<SocketListener, glib::Error> {
    let listener = SocketListener::new();
    listener.add_unix_path(path, options, NOTHING)?;
    Ok(listener)
}

/// What a crash leaves behind.
fn leave_stale(path: &Path) {
    drop(UnixListener::bind(path).expect("a free path"));
    children::none_starting();
    assert!(path.exists());
}

/// Whether somebody who listens there can be talked to through `listener`.
fn is_reached(path: &Path, listener: &SocketListener) -> bool {
    let peer = UnixStream::connect(path).expect("it listens");
    let accepted = listener
        .accept(Cancellable::NONE)
        .expect("one has connected");
    drop(accepted);
    let mut rest = Vec::new();
    (&peer).read_to_end(&mut rest).is_ok()
}

fn mode_of(path: &Path) -> u32 {
    let status = fs::symlink_metadata(path).expect("a file");
    status.permissions().mode() & 0o7777
}

#[test]
fn it_accepts_at_the_path_and_removes_the_file_when_it_is_closed() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let listener = at(&path).expect("a free path");
        assert!(is_reached(&path, &listener));
        let address = listener.addresses().remove(0);
        let address = address
            .downcast::<gio::UnixSocketAddress>()
            .expect("a path");
        assert_eq!(
            SocketConnectableExt::to_string(&address),
            path.to_str().expect("text")
        );
        assert_eq!(folder.names(), ["socket", "socket.lock"]);
        listener.close();
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    });
}

#[test]
fn the_last_reference_removes_the_file_too() {
    on_private_context(|_| {
        let folder = Folder::new();
        let listener = at(&folder.at("socket")).expect("a free path");
        drop(listener);
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    });
}

#[test]
fn remove_address_removes_the_file_and_leaves_the_others() {
    on_private_context(|_| {
        let folder = Folder::new();
        let (one, other) = (folder.at("one"), folder.at("other"));
        let listener = at(&one).expect("a free path");
        listener
            .add_unix_path(&other, &UnixPathOptions::default(), NOTHING)
            .expect("a free path");
        let address = gio::UnixSocketAddress::new(&one);
        listener.remove_address(&address).expect("it has it");
        assert_eq!(folder.names(), ["other", "other.lock"]);
        assert!(is_reached(&other, &listener));
    });
}

#[test]
fn the_file_stays_where_that_is_asked_for_and_the_next_one_takes_it_over() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let options = UnixPathOptions {
            unlink_on_close: false,
            ..Default::default()
        };
        with(&path, &options).expect("a free path").close();
        children::none_starting();
        assert_eq!(folder.names(), ["socket"]);
        let next = at(&path).expect("nobody listens there");
        assert!(is_reached(&path, &next));
    });
}

#[test]
fn a_stale_socket_gives_way_only_where_that_is_asked_for() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        leave_stale(&path);
        let before = fs::metadata(&path).expect("a file").ino();
        let options = UnixPathOptions {
            take_over_stale: false,
            ..Default::default()
        };
        assert_fails(with(&path, &options), E::AddressInUse);
        assert_eq!(fs::metadata(&path).expect("a file").ino(), before);
        assert_eq!(folder.names(), ["socket"]);
        let listener = at(&path).expect("nobody listens there");
        assert!(is_reached(&path, &listener));
    });
}

#[test]
fn a_live_listener_keeps_its_path_whoever_it_is() {
    on_private_context(|_| {
        let folder = Folder::new();
        // One of ours, by its lock; in the same process too.
        let path = folder.at("ours");
        let ours = at(&path).expect("a free path");
        assert_fails(at(&path), E::AddressInUse);
        assert!(is_reached(&path, &ours));
        // Somebody else's, by a connect.
        let path = folder.at("theirs");
        let theirs = UnixListener::bind(&path).expect("a free path");
        assert_fails(at(&path), E::AddressInUse);
        // The probe is a connection that ends.
        let (mut probe, _) = theirs.accept().expect("the probe");
        assert_eq!(probe.read(&mut [0]).expect("its end"), 0);
        // The lock of one who did not get the path is not left behind.
        assert_eq!(folder.names(), ["ours", "ours.lock", "theirs"]);
    });
}

#[test]
fn a_live_listener_whose_queue_is_full_is_not_taken_for_dead() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let theirs = UnixListener::bind(&path).expect("a free path");
        // SAFETY: no pointers involved.
        assert_eq!(unsafe { libc::listen(theirs.as_raw_fd(), 0) }, 0);
        let mut queue = Vec::new();
        let refused = loop {
            let socket = gio::Socket::new(
                gio::SocketFamily::Unix,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
            )
            .expect("a socket");
            socket.set_blocking(false);
            let address = gio::UnixSocketAddress::new(&path);
            match SocketExt::connect(&socket, &address, Cancellable::NONE) {
                Ok(()) => queue.push(socket),
                Err(failure) => break failure,
            }
        };
        assert_eq!(code(&refused), E::WouldBlock);
        assert_fails(at(&path), E::AddressInUse);
        assert!(
            fs::metadata(&path)
                .expect("still there")
                .file_type()
                .is_socket()
        );
        drop(queue);
    });
}

#[test]
fn a_live_socket_of_another_type_is_not_taken_for_dead() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let theirs = UnixDatagram::bind(&path).expect("a free path");
        assert_fails(at(&path), E::AddressInUse);
        assert!(path.exists());
        drop(theirs);
        children::none_starting();
        // And one that is dead gives way, whatever it was.
        let listener = at(&path).expect("nobody has it");
        assert!(is_reached(&path, &listener));
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    on_private_context(|_| {
        let folder = Folder::new();
        let file = folder.at("file");
        fs::write(&file, "precious").expect("a new file");
        assert_fails(at(&file), E::AddressInUse);
        assert_eq!(fs::read_to_string(&file).expect("still there"), "precious");

        let inner = folder.at("folder");
        fs::create_dir(&inner).expect("a new folder");
        assert_fails(at(&inner), E::AddressInUse);
        assert!(inner.is_dir());
    });
}

#[test]
fn a_symbolic_link_is_neither_followed_nor_replaced() {
    on_private_context(|_| {
        let folder = Folder::new();
        let (stale, file) = (folder.at("stale"), folder.at("file"));
        leave_stale(&stale);
        fs::write(&file, "precious").expect("a new file");
        for (name, target) in [
            ("to-a-stale-socket", stale.clone()),
            ("to-a-file", file.clone()),
            ("to-nothing", folder.at("nothing")),
        ] {
            let link = folder.at(name);
            symlink(&target, &link).expect("a new link");
            let result = at(&link).map(drop).map_err(|failure| code(&failure));
            assert_eq!(result, Err(E::AddressInUse), "{name}");
            assert_eq!(fs::read_link(&link).expect("a link"), target, "{name}");
        }
        assert!(stale.exists());
        assert_eq!(fs::read_to_string(&file).expect("still there"), "precious");
        assert!(!folder.at("nothing").exists());
    });
}

#[test]
fn a_lock_that_is_a_link_or_no_file_is_an_error_and_harms_nothing() {
    on_private_context(|_| {
        let folder = Folder::new();
        let file = folder.at("file");
        fs::write(&file, "precious").expect("a new file");
        symlink(&file, folder.at("one.lock")).expect("a new link");
        let failure = at(&folder.at("one")).expect_err("a link");
        assert!(failure.message().contains("one.lock"), "{failure}");
        assert_eq!(fs::read_to_string(&file).expect("still there"), "precious");
        assert!(folder.at("one.lock").is_symlink());

        symlink(folder.at("nothing"), folder.at("two.lock")).expect("a new link");
        at(&folder.at("two")).expect_err("a link");
        assert!(!folder.at("nothing").exists());

        fs::create_dir(folder.at("three.lock")).expect("a new folder");
        at(&folder.at("three")).expect_err("a folder");
        assert!(folder.at("three.lock").is_dir());
    });
}

#[test]
fn a_folder_behind_a_link_is_as_good_as_any() {
    on_private_context(|_| {
        let folder = Folder::new();
        fs::create_dir(folder.at("real")).expect("a new folder");
        symlink(folder.at("real"), folder.at("link")).expect("a new link");
        let path = folder.at("link").join("socket");
        let listener = at(&path).expect("a free path");
        assert!(is_reached(&folder.at("real").join("socket"), &listener));
        // Whatever becomes of the link, the file is removed where it is.
        fs::remove_file(folder.at("link")).expect("a link");
        listener.close();
        assert!(!folder.at("real").join("socket").exists());
    });
}

#[test]
fn a_file_that_is_not_ours_any_more_is_not_removed() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let listener = at(&path).expect("a free path");
        fs::remove_file(&path).expect("ours");
        let other = UnixListener::bind(&path).expect("a free path");
        listener.close();
        assert!(UnixStream::connect(&path).is_ok());
        drop(other);

        let path = folder.at("file");
        let listener = at(&path).expect("a free path");
        fs::remove_file(&path).expect("ours");
        fs::write(&path, "precious").expect("a new file");
        drop(listener);
        assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    });
}

/// Also where a handler has kept the socket and has closed it, so that the system may use the file's number again.
#[test]
fn a_file_that_has_the_number_of_ours_by_now_is_not_removed() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let listener = SocketListener::new();
        let kept = Rc::new(RefCell::new(None));
        let slot = kept.clone();
        listener.connect_event(move |_, _, socket| {
            slot.replace(Some(socket.clone()));
        });
        listener
            .add_unix_path(&path, &UnixPathOptions::default(), NOTHING)
            .expect("a free path");
        let socket = kept.take().expect("it was told");
        socket.close().expect("open");
        fs::remove_file(&path).expect("ours");
        let _other = UnixListener::bind(&path).expect("a free path");
        listener.close();
        assert!(UnixStream::connect(&path).is_ok());
    });
}

/// The path leads elsewhere when it is bound, and somebody listens where it led to.
#[test]
fn a_socket_that_is_found_in_the_place_of_ours_is_left_alone() {
    const TEST: &str = "unix_path::a_socket_that_is_found_in_the_place_of_ours_is_left_alone";
    // In a process whose directory nobody else relies on.
    let Some(folder) = children::part("moves") else {
        return on_private_context(|_| {
            let folder = Folder::new();
            let path = folder.path().to_str().expect("text");
            let mut moves = Process::start(TEST, "moves", path);
            assert_eq!(moves.hear(), "a live one is there");
            moves.end();
        });
    };
    on_private_context(move |_| {
        let folder = Path::new(&folder);
        let other = folder.join("other");
        fs::create_dir(&other).expect("ours");
        std::env::set_current_dir(folder).expect("ours");
        let path = folder.join("socket");
        let theirs = Rc::new(RefCell::new(None));
        let (slot, taken) = (theirs.clone(), path.clone());
        let listener = SocketListener::new();
        listener.connect_event(move |_, event, _| {
            if event == Event::Binding {
                slot.replace(Some(UnixListener::bind(&taken).expect("a free path")));
                std::env::set_current_dir(&other).expect("ours");
            }
        });
        let mode = UnixPathOptions {
            mode: 0o666,
            ..Default::default()
        };
        let added = listener.add_unix_path("socket", &mode, NOTHING);
        assert_fails(added, E::AddressInUse);
        drop(listener);
        assert_ne!(mode_of(&path), 0o666);
        assert!(UnixStream::connect(&path).is_ok());
        children::say("a live one is there");
        drop(theirs);
    });
}

/// Whatever it wants done with the file.
#[test]
fn who_is_about_to_listen_is_not_taken_for_dead() {
    on_private_context(|_| {
        for take_over_stale in [true, false] {
            let folder = Folder::new();
            let path = folder.at("socket");
            let options = UnixPathOptions {
                take_over_stale,
                unlink_on_close: take_over_stale,
                ..Default::default()
            };
            let first = SocketListener::new();
            let second = Rc::new(RefCell::new(None));
            let (slot, taken) = (second.clone(), path.clone());
            first.connect_event(move |_, event, _| {
                if event == Event::Bound {
                    slot.replace(Some(at(&taken)));
                }
            });
            first
                .add_unix_path(&path, &options, NOTHING)
                .expect("a free path");
            let second = second.take().expect("it was told");
            assert_fails(second, E::AddressInUse);
            assert!(is_reached(&path, &first));
        }
    });
}

#[test]
fn the_file_has_the_mode_that_was_asked_for() {
    on_private_context(|_| {
        let folder = Folder::new();
        for mode in [0o600, 0o660, 0o666, 0o777, 0o200, 0o000] {
            let path = folder.at(&format!("{mode:o}"));
            let options = UnixPathOptions {
                mode,
                ..Default::default()
            };
            let listener = SocketListener::new();
            let seen = Rc::new(RefCell::new(Vec::new()));
            let (log, there) = (seen.clone(), path.clone());
            listener.connect_event(move |_, event, _| {
                let mode = there.exists().then(|| mode_of(&there));
                log.borrow_mut().push((event, mode));
            });
            listener
                .add_unix_path(&path, &options, NOTHING)
                .expect("a free path");
            // Before anybody can connect.
            let expected = [
                (Event::Binding, None),
                (Event::Bound, Some(mode)),
                (Event::Listening, Some(mode)),
                (Event::Listened, Some(mode)),
            ];
            assert_eq!(*seen.borrow(), expected, "{mode:o}");
        }
    });
}

#[test]
fn whatever_the_umask_the_file_has_the_mode() {
    const TEST: &str = "unix_path::whatever_the_umask_the_file_has_the_mode";
    if let Some(path) = children::part("binds") {
        return on_private_context(move |_| {
            let listener = at(Path::new(&path)).expect("a free path");
            children::say(&format!("{:o}", mode_of(Path::new(&path))));
            while children::listen().is_some() {}
            drop(listener);
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        for umask in ["000", "077", "777"] {
            let path = folder.at(umask);
            let own = children::command(TEST, "binds", path.to_str().expect("text"));
            // The shell's umask is its own, and that of what it becomes.
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "umask \"$0\"; exec \"$@\"", umask])
                .arg(own.get_program())
                .args(own.get_args());
            for (name, value) in own.get_envs() {
                shell.env(name, value.expect("set"));
            }
            let mut child = Process::of(&mut shell);
            assert_eq!(child.hear(), "600", "umask {umask}");
            child.end();
        }
    });
}

#[test]
fn a_mode_of_more_than_permission_is_refused() {
    on_private_context(|_| {
        let folder = Folder::new();
        for mode in [0o1777, 0o4755, u32::MAX] {
            let options = UnixPathOptions {
                mode,
                ..Default::default()
            };
            assert_fails(with(&folder.at("socket"), &options), E::InvalidArgument);
        }
        assert!(folder.names().is_empty());
    });
}

#[test]
fn what_is_no_path_is_an_error() {
    on_private_context(|_| {
        let folder = Folder::new();
        for path in ["", "/", "..", ".", "socket/", "a/..", "with\0nul"] {
            let path = folder.path().join(path);
            let path = if path == folder.path() {
                Path::new("")
            } else {
                &path
            };
            assert_fails(at(path), E::InvalidArgument);
        }
        assert_fails(at(&folder.at("no/folder")), E::NotFound);
        assert_fails(at(&folder.at(&"x".repeat(120))), E::FilenameTooLong);
        assert!(folder.names().is_empty());
    });
}

#[test]
fn a_path_as_long_as_an_address_has_room_for_is_taken() {
    on_private_context(|_| {
        let folder = Folder::new();
        let room = 107 - folder.path().as_os_str().len() - 1;
        let path = folder.at(&"x".repeat(room));
        let listener = at(&path).expect("107 bytes");
        assert!(is_reached(&path, &listener));
        drop(listener);
        children::none_starting();
        leave_stale(&path);
        let listener = at(&path).expect("nobody listens there");
        assert!(is_reached(&path, &listener));
        drop(listener);
        assert_fails(at(&folder.at(&"x".repeat(room + 1))), E::FilenameTooLong);
    });
}

#[test]
fn a_closed_listener_takes_no_path() {
    on_private_context(|_| {
        let folder = Folder::new();
        let listener = SocketListener::new();
        listener.close();
        let result = listener.add_unix_path(folder.at("one"), &UnixPathOptions::default(), NOTHING);
        assert_fails(result, E::Closed);
        // Nor one that is closed on the way.
        for end in [
            Event::Binding,
            Event::Bound,
            Event::Listening,
            Event::Listened,
        ] {
            let listener = SocketListener::new();
            listener.connect_event(move |listener, event, _| {
                if event == end {
                    listener.close();
                }
            });
            let path = folder.at("two");
            let result = listener.add_unix_path(path, &UnixPathOptions::default(), NOTHING);
            assert_fails(result, E::Closed);
            assert!(folder.names().is_empty(), "{end:?}: {:?}", folder.names());
        }
    });
}

#[test]
fn of_eight_processes_that_start_at_once_one_wins() {
    const TEST: &str = "unix_path::of_eight_processes_that_start_at_once_one_wins";
    if let Some(path) = children::part("starts") {
        return on_private_context(move |_| {
            children::say("ready");
            while let Some(start) = children::listen() {
                // All at the same moment.
                let start: i64 = start.parse().expect("a moment");
                while glib::monotonic_time() < start {}
                let result = at(Path::new(&path));
                match &result {
                    Ok(_) => children::say("won"),
                    Err(failure) => children::say(&format!("{:?}", code(failure))),
                }
                if children::listen().as_deref() == Some("crash") {
                    // The file is left behind, for the next round.
                    std::mem::forget(result);
                    std::process::exit(0);
                }
            }
        });
    }
    on_private_context_within(LIMIT * 4, |_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        leave_stale(&path);
        let mut processes: Vec<_> = (0..8)
            .map(|_| Process::start(TEST, "starts", path.to_str().expect("text")))
            .collect();
        for process in &mut processes {
            assert_eq!(process.hear(), "ready");
        }
        for round in 0..20 {
            let start = glib::monotonic_time() + 3_000;
            for process in &mut processes {
                process.tell(&start.to_string());
            }
            let said: Vec<_> = processes.iter_mut().map(Process::hear).collect();
            let won = said.iter().filter(|said| *said == "won").count();
            let lost = said.iter().filter(|said| *said == "AddressInUse").count();
            assert_eq!((won, lost), (1, 7), "round {round}: {said:?}");
            assert!(UnixStream::connect(&path).is_ok(), "round {round}");
            if round % 4 == 3 {
                // A file without anybody.
                let winner = said.iter().position(|said| said == "won").expect("one");
                processes[winner].tell("crash");
                let crashed = std::mem::replace(
                    &mut processes[winner],
                    Process::start(TEST, "starts", path.to_str().expect("text")),
                );
                crashed.end();
                assert_eq!(processes[winner].hear(), "ready");
                for (at, process) in processes.iter_mut().enumerate() {
                    if at != winner {
                        process.tell("go on");
                    }
                }
                assert!(path.exists(), "round {round}");
            } else {
                for process in &mut processes {
                    process.tell("go on");
                }
            }
        }
        for process in processes {
            process.end();
        }
    });
}

#[test]
fn starters_that_come_and_go_are_never_two_at_once() {
    const TEST: &str = "unix_path::starters_that_come_and_go_are_never_two_at_once";
    const TIMES: usize = 300;
    if let Some(path) = children::part("comes and goes") {
        return on_private_context_within(LIMIT * 6, move |_| {
            let path = Path::new(&path);
            let mark = path.with_extension("mark");
            children::say("ready");
            assert_eq!(children::listen().as_deref(), Some("go"));
            let (mut won, mut twice) = (0, 0);
            while won < TIMES {
                // What is left behind is as good as what a crash leaves.
                let options = UnixPathOptions {
                    unlink_on_close: won % 2 == 0,
                    ..Default::default()
                };
                let Ok(listener) = with(path, &options) else {
                    std::thread::yield_now();
                    continue;
                };
                won += 1;
                // Whoever finds it there is not alone.
                match fs::File::create_new(&mark) {
                    Ok(_) => fs::remove_file(&mark).expect("ours"),
                    Err(_) => twice += 1,
                }
                if UnixStream::connect(path).is_err() {
                    twice += 1;
                }
                listener.close();
            }
            children::say(&format!("{twice} times"));
        });
    }
    on_private_context_within(LIMIT * 6, |_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let mut processes: Vec<_> = (0..4)
            .map(|_| Process::start(TEST, "comes and goes", path.to_str().expect("text")))
            .collect();
        for process in &mut processes {
            assert_eq!(process.hear(), "ready");
        }
        for process in &mut processes {
            process.tell("go");
        }
        let said: Vec<_> = processes.iter_mut().map(Process::hear).collect();
        assert_eq!(said, ["0 times"; 4]);
        processes.into_iter().for_each(Process::end);
    });
}

#[test]
fn a_server_that_was_killed_can_be_started_again() {
    const TEST: &str = "unix_path::a_server_that_was_killed_can_be_started_again";
    if let Some(path) = children::part("serves") {
        return on_private_context(move |_| {
            let listener = at(Path::new(&path)).expect("a free path");
            children::say("listens");
            while children::listen().is_some() {}
            drop(listener);
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        for _ in 0..3 {
            let mut server = Process::start(TEST, "serves", path.to_str().expect("text"));
            assert_eq!(server.hear(), "listens");
            assert_fails(at(&path), E::AddressInUse);
            server.kill();
            assert_eq!(folder.names(), ["socket", "socket.lock"]);
        }
        let listener = at(&path).expect("nobody listens there");
        assert!(is_reached(&path, &listener));
        drop(listener);
        assert!(folder.names().is_empty());
    });
}

#[test]
fn peers_of_other_users_are_refused_and_counted() {
    const TEST: &str = "unix_path::peers_of_other_users_are_refused_and_counted";
    /// Nobody's, as most systems have it.
    const OTHER: u32 = 65534;
    let connect = |path: &str| {
        let mut peer = UnixStream::connect(path).expect("it listens");
        let mut said = String::new();
        let end = peer
            .read_to_string(&mut said)
            .map_err(|failure| failure.kind());
        children::say(&format!("{said:?} {end:?}"));
    };
    if let Some(path) = children::part("connects") {
        return on_private_context(move |_| connect(&path));
    }
    if let Some(path) = children::part("connects as another") {
        return on_private_context(move |_| {
            // SAFETY: no pointers involved. The process does nothing else.
            assert_eq!(unsafe { libc::setuid(OTHER) }, 0);
            connect(&path);
        });
    }
    on_private_context(|_| {
        // Only root can be another user, too; for others what the kernel says of users is a matter of the unit tests.
        // SAFETY: never fails.
        let is_root = unsafe { libc::geteuid() } == 0;
        let strangers = if is_root { 3 } else { 0 };
        let folder = Folder::new();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let path = folder.at("socket");
        let options = UnixPathOptions {
            mode: 0o666,
            same_user_only: true,
            ..Default::default()
        };
        let listener = with(&path, &options).expect("a free path");
        let own = path.to_str().expect("text");
        let mut others: Vec<_> = (0..strangers)
            .map(|_| Process::start(TEST, "connects as another", own))
            .collect();
        let mut friend = Process::start(TEST, "connects", own);
        // The friend's is the only one that comes.
        let (connection, _) = listener.accept(Cancellable::NONE).expect("the friend");
        connection
            .output_stream()
            .write_all(b"hello", Cancellable::NONE)
            .expect("the friend");
        connection.close(Cancellable::NONE).expect("open");
        assert_eq!(friend.hear(), "\"hello\" Ok(5)");
        // Who has come after the friend is refused by the next accept, which nobody answers.
        let cancellable = Cancellable::new();
        let said = std::thread::spawn({
            let cancellable = cancellable.clone();
            move || {
                let said: Vec<_> = others.iter_mut().map(Process::hear).collect();
                cancellable.cancel();
                said
            }
        });
        assert_fails(listener.accept(Some(&cancellable)), E::Cancelled);
        assert_eq!(
            said.join().expect("no panic"),
            vec!["\"\" Ok(0)"; strangers]
        );
        assert_eq!(
            (listener.accepted(), listener.refused()),
            (1, strangers as u64)
        );
    });
}

#[test]
fn names_in_no_folder_are_listened_at() {
    use std::os::linux::net::SocketAddrExt;
    on_private_context(|_| {
        let name = format!("gsock-abstract-{}", std::process::id());
        let listener = SocketListener::new();
        listener
            .add_unix_abstract(&name, true, NOTHING)
            .expect("a free name");
        let again = SocketListener::new();
        assert_fails(
            again.add_unix_abstract(&name, false, NOTHING),
            E::AddressInUse,
        );
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
        let peer = UnixStream::connect_addr(&address).expect("it listens");
        let (connection, _) = listener.accept(Cancellable::NONE).expect("the peer");
        drop((peer, connection));
        drop(listener);
        children::none_starting();
        let gone = UnixStream::connect_addr(&address).map_err(|failure| failure.kind());
        assert_eq!(gone.map(drop), Err(ErrorKind::ConnectionRefused));

        assert_fails(
            again.add_unix_abstract("", false, NOTHING),
            E::InvalidArgument,
        );
        let long = "x".repeat(108);
        assert_fails(
            again.add_unix_abstract(&long, false, NOTHING),
            E::FilenameTooLong,
        );
        again
            .add_unix_abstract(&long[..107], false, NOTHING)
            .expect("107 bytes");
        let address =
            std::os::unix::net::SocketAddr::from_abstract_name(&long[..107]).expect("a name");
        UnixStream::connect_addr(&address).expect("it listens");
    });
}

#[test]
fn a_forked_child_removes_nothing() {
    const TEST: &str = "unix_path::a_forked_child_removes_nothing";
    // In a process where nobody else is at anything.
    let Some(path) = children::part("forks") else {
        return on_private_context(|_| {
            let folder = Folder::new();
            let path = folder.at("socket");
            let mut forks = Process::start(TEST, "forks", path.to_str().expect("text"));
            assert_eq!(forks.hear(), "forked");
            assert_eq!(folder.names(), ["socket", "socket.lock"]);
            assert_fails(at(&path), E::AddressInUse);
            forks.tell("go on");
            assert_eq!(forks.hear(), "was reached");
            forks.end();
            assert!(folder.names().is_empty(), "{:?}", folder.names());
        });
    };
    on_private_context(move |_| {
        let path = Path::new(&path);
        let listener = at(path).expect("a free path");
        // SAFETY: the child only closes, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            listener.close();
            drop(listener);
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(0) };
        }
        let mut status = 1;
        // SAFETY: room for the answer.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        children::say("forked");
        assert_eq!(children::listen().as_deref(), Some("go on"));
        assert!(is_reached(path, &listener));
        children::say("was reached");
        while children::listen().is_some() {}
    });
}
