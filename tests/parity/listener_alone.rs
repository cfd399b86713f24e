//! Listeners in a process of their own: what hangs or ends it, and what runs out.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    os::fd::AsRawFd,
    process::Command,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum as E, SocketFamily, SocketListenerEvent as Event, prelude::*};

use super::{bound, ipv6_alone};
use crate::{accepting::*, apart::*, support::*, tools::*, under::*};

/// LISTEN-23.
#[test]
fn differs_listen_23_a_listener_without_sockets_is_an_error_to_who_blocks() {
    differs_apart(
        "listener::alone::differs_listen_23_a_listener_without_sockets_is_an_error_to_who_blocks",
        |side, _| {
            let cancellable = Cancellable::new();
            cancellable.cancel();
            let refused = [None, Some(&cancellable)].map(|cancellable| {
                let refused = side.listener().accept(cancellable);
                code(&refused.unwrap_err()) == E::InvalidArgument
            });
            i32::from(refused == [true, true])
        },
        Hangs,
        Says(1),
    );
}

/// LISTEN-23: whether it answers when it is cancelled, and whether it holds the listener for ever.
#[test]
fn differs_listen_23_an_accept_without_sockets_can_be_cancelled() {
    differs_apart(
        "listener::alone::differs_listen_23_an_accept_without_sockets_can_be_cancelled",
        |side, context| {
            let listener = side.listener();
            let cancellable = Cancellable::new();
            let waiting = listener.start(Some(&cancellable));
            iterate_for(context, Duration::from_millis(20));
            assert!(!waiting.is_set());
            let gone = Gone::of(&listener.0);
            drop(listener);
            cancellable.cancel();
            let ended = side.comes(context, || waiting.is_set() && gone.is_gone());
            i32::from(waiting.is_set()) + 2 * i32::from(ended)
        },
        Says(0),
        Says(3),
    );
}

/// LISTEN-29: two accepts, and one connection.
#[test]
fn differs_listen_29_an_accept_too_many_waits_and_can_be_cancelled() {
    differs_apart(
        "listener::alone::differs_listen_29_an_accept_too_many_waits_and_can_be_cancelled",
        |side, context| {
            let listener = side.listener();
            let address = listener.listen();
            let cancellable = Cancellable::new();
            let waiting = [(); 3].map(|()| listener.start(Some(&cancellable)));
            iterate_for(context, Duration::from_millis(10));
            let _client = client_of(address);
            let answered = || waiting.iter().filter(|slot| slot.is_set()).count();
            iterate_until(context, || answered() > 0);
            iterate_for(context, Duration::from_millis(50));
            let first = answered();
            cancellable.cancel();
            iterate_until(context, || answered() == 3);
            let mut made = 0;
            for slot in waiting {
                made += usize::from(slot.wait(context).is_ok());
            }
            i32::from(first == 1) + 2 * i32::from(made == 1)
        },
        Hangs,
        Says(3),
    );
}

/// Two accepts, two sockets, both of them ready: 2.74.6 takes both from one.
#[test]
fn differs_listen_29_two_accepts_get_the_connections_of_two_sockets() {
    differs_apart(
        "listener::alone::differs_listen_29_two_accepts_get_the_connections_of_two_sockets",
        |side, context| {
            let listener = side.listener();
            let addresses = [listener.listen(), listener.listen()];
            let waiting = [listener.start(None), listener.start(None)];
            let _clients = addresses.map(client_of);
            let made = waiting.map(|slot| slot.wait(context).is_ok());
            i32::from(made == [true, true])
        },
        Hangs,
        Says(1),
    );
}

/// A close wakes who blocks on another thread. LISTEN-30.
#[test]
fn differs_listen_30_a_close_ends_an_accept_that_blocks_another_thread() {
    differs_apart(
        "listener::alone::differs_listen_30_a_close_ends_an_accept_that_blocks_another_thread",
        |side, _| {
            let listener = side.listener();
            listener.listen();
            let sent = Sent::new(listener.clone());
            let taker = thread::spawn(move || code(&sent.get().accept(None).unwrap_err()));
            a_moment();
            listener.close();
            i32::from(taker.join().unwrap() == E::Closed)
        },
        Hangs,
        Says(1),
    );
}

/// LISTEN-14: no error, and a critical. Says what was answered, and how many messages there were.
#[test]
fn differs_listen_14_port_0_is_an_error() {
    differs_apart(
        "listener::alone::differs_listen_14_port_0_is_an_error",
        |side, _| {
            let says = match side.listener().add_inet_port(0, None) {
                Ok(true) => 0,
                Ok(false) => 1,
                Err(failure) if code(&failure) == E::InvalidArgument => 2,
                Err(_) => 3,
            };
            says + 4 * logged_so_far()
        },
        Says(5),
        Says(2),
    );
}

/// No descriptor can be opened any more: the limit is at what is open, and the gaps are filled.
pub(crate) fn no_descriptor_left() -> Vec<std::fs::File> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a place for the value.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = 96;
    // SAFETY: a live value.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!((got, set), (0, 0));
    let fillers: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    // Not looked at by an assertion, which nets write down in a file.
    if fillers.is_empty() {
        panic!("there was none before");
    }
    fillers
}

/// LISTEN-34.
#[test]
fn listen_34_without_descriptors_the_connection_stays_in_the_queue() {
    const TEST: &str =
        "listener::alone::listen_34_without_descriptors_the_connection_stays_in_the_queue";
    run_if_asked(|part, context| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        let listener = side.listener();
        let address = listener.listen();
        // What an accept needs beside the descriptor of the connection is open by then.
        for form in FORMS {
            let _first = client_of(address);
            listener.run(form, None, context).unwrap();
        }
        let client = client_of(address);
        let mut fillers = no_descriptor_left();
        let mut says = 0;
        for form in FORMS {
            let refused = match form {
                Form::Blocking => listener.accept(None),
                // Without an assertion, which nets write down in a file.
                Form::Callback => {
                    let answer = Rc::new(RefCell::new(None));
                    let answers = answer.clone();
                    listener.start_raw(What::Connection, None, move |result| {
                        answers.replace(Some(result));
                    });
                    iterate_until(context, || answer.borrow().is_some());
                    finish(&listener.0, &answer.take().unwrap())
                }
            };
            says += i32::from(code(&refused.map(drop).unwrap_err()) == E::TooManyOpenFiles);
        }
        fillers.truncate(fillers.len() - 4);
        let (made, _) = listener.accept(None).unwrap();
        says + 4 * i32::from(peer_of(&made) == client.local_addr().unwrap())
    });
    assert_gio(apart(TEST, "gio"), Says(6));
    assert_eq!(apart(TEST, "ours"), Says(6));
}

/// LISTEN-20: IPv6 listens, and IPv4 cannot, as it is closed in its last event before that.
#[test]
fn listen_20_where_only_the_second_socket_cannot_listen_nothing_is_let_go_of_twice() {
    const TEST: &str = "listener::alone::listen_20_where_only_the_second_socket_cannot_listen_nothing_is_let_go_of_twice";
    run_if_asked(|part, _| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        for any in [true, false] {
            let listener = side.listener();
            ipv6_alone(&listener);
            listener.on_event(|event, socket| {
                if event == Event::Listening && socket.family() == SocketFamily::Ipv4 {
                    socket.close().unwrap();
                }
            });
            let added = if any {
                listener.add_any_inet_port(None).map(drop)
            } else {
                let port = free_port();
                listener.add_inet_port(port, None).map(drop)
            };
            // The newest GLib's rule, for ours.
            assert_eq!(added.is_ok(), side == Side::Ours);
            listener.close();
        }
        logged_so_far()
    });
    let gio = apart(TEST, "gio");
    // Whether what is let go of twice is noticed is a matter of luck.
    assert!(gio != Hangs, "{gio:?}");
    assert_eq!(apart(TEST, "ours"), Says(0));
}

/// N sockets are ready at once, and the callback starts the next accept, or lets go of the listener. LISTEN-28.
#[test]
fn listen_28_a_callback_may_start_the_next_accept_and_drop_the_listener() {
    const TEST: &str =
        "listener::alone::listen_28_a_callback_may_start_the_next_accept_and_drop_the_listener";
    fn next(listener: Listener, left: usize, taken: Rc<Cell<usize>>) {
        let this = listener.clone();
        this.start_raw(What::Connection, None, move |result| {
            finish(&listener.0, &result).unwrap();
            taken.set(taken.get() + 1);
            if left > 1 {
                next(listener, left - 1, taken);
            }
        });
    }
    run_if_asked(|part, context| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        let listener = side.listener();
        let addresses = [(); 4].map(|()| listener.listen());
        let _clients: Vec<_> = (0..16).map(|it| client_of(addresses[it % 4])).collect();
        let gone = Gone::of(&listener.0);
        let taken = Rc::new(Cell::new(0));
        next(listener, 16, taken.clone());
        iterate_until(context, || taken.get() == 16);
        iterate_until(context, || gone.is_gone());
        logged_so_far()
    });
    assert_gio(apart(TEST, "gio"), Says(0));
    assert_eq!(apart(TEST, "ours"), Says(0));
}

/// LISTEN-21: programs are started all the while, and none of them has a connection of ours.
#[test]
fn listen_21_no_program_that_is_started_meanwhile_inherits_what_is_accepted() {
    const TEST: &str =
        "listener::alone::listen_21_no_program_that_is_started_meanwhile_inherits_what_is_accepted";
    run_if_asked(|part, context| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        let listener = side.listener();
        let address = listener.listen();
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        // By fork and exec: what has no CLOEXEC is seen there, or not seen for ever.
        let starter = thread::spawn(move || {
            let mut seen = HashSet::new();
            let mut started = 0;
            while !ended.load(Ordering::SeqCst) || started < 3 {
                let output = Command::new("ls")
                    .args(["-l", "/proc/self/fd"])
                    .output()
                    .expect("ls");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                seen.extend(
                    text.lines()
                        .filter(|line| line.contains("socket:"))
                        .map(str::to_owned),
                );
                started += 1;
            }
            seen.len()
        });
        let mut without = 0;
        for turn in 0..600 {
            let _client = client_of(address);
            let form = FORMS[turn % 2];
            let (made, _) = listener.run(form, None, context).unwrap();
            let socket = made.property::<gio::Socket>("socket");
            // SAFETY: an open descriptor.
            let flags = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFD) };
            without += usize::from(flags & libc::FD_CLOEXEC == 0);
        }
        ends.store(true, Ordering::SeqCst);
        let inherited = starter.join().unwrap();
        // What this process has itself inherited may be a socket, whatever that is.
        println!("{inherited} sockets were seen");
        i32::from(without == 0) + 2 * i32::from(inherited <= own_sockets_without_cloexec())
    });
    // Between accept(2) and fcntl(2) of 2.74.6 a program may be started.
    let gio = apart(TEST, "gio");
    assert!([Says(1), Says(3)].contains(&gio), "{gio:?}");
    assert_eq!(apart(TEST, "ours"), Says(3));
}

/// How many sockets this process would hand on in any case.
fn own_sockets_without_cloexec() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("Linux")
        .flatten()
        .filter(|entry| {
            let is_socket = std::fs::read_link(entry.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
            let number = entry.file_name().to_string_lossy().parse::<i32>();
            // SAFETY: no pointers involved.
            let flags = unsafe { libc::fcntl(number.expect("a number"), libc::F_GETFD) };
            is_socket && flags >= 0 && flags & libc::FD_CLOEXEC == 0
        })
        .count()
}

/// LISTEN-8: a port that is not for everybody. Root may have it, so that root gives that up first.
#[test]
fn listen_8_a_privileged_port_is_denied() {
    const TEST: &str = "listener::alone::listen_8_a_privileged_port_is_denied";
    run_if_asked(|part, _| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        // SAFETY: of this thread alone, which has its place back below.
        let nobody = unsafe { libc::syscall(libc::SYS_setresuid, -1, 65534, -1) };
        let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
        let is_open = first.is_ok_and(|first| first.trim() == "0");
        // Not looked at by an assertion, which nets write down in a file of root's.
        if nobody != 0 && std::io::Error::last_os_error().raw_os_error() != Some(libc::EPERM) {
            panic!("{}", std::io::Error::last_os_error());
        }
        let low = gio_address(([127, 0, 0, 1], 1).into());
        let refused = side.listener().add_address(&low, None).map(drop);
        if nobody == 0 {
            // SAFETY: as above.
            unsafe { libc::syscall(libc::SYS_setresuid, -1, 0, -1) };
        }
        match refused {
            Err(failure) if code(&failure) == E::PermissionDenied => 1,
            // Where every port is for everybody.
            Ok(()) if is_open => 1,
            other => panic!("{other:?}"),
        }
    });
    assert_gio(apart(TEST, "gio"), Says(1));
    assert_eq!(apart(TEST, "ours"), Says(1));
}

/// LISTEN-25, LISTEN-11: a socket that has stopped listening is the error of an accept, not a wait.
#[test]
fn listen_11_a_socket_that_is_shut_down_fails_to_accept() {
    const TEST: &str = "listener::alone::listen_11_a_socket_that_is_shut_down_fails_to_accept";
    run_if_asked(|part, context| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        let listener = side.listener();
        let socket = bound(true);
        listener.add_socket(&socket, None).unwrap();
        let waiting = listener.start(None);
        iterate_for(context, Duration::from_millis(10));
        // SAFETY: an open descriptor; a listening socket stops listening.
        let shut = unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RDWR) };
        assert_eq!(shut, 0);
        i32::from(code(&waiting.wait(context).unwrap_err()) == E::InvalidArgument)
    });
    assert_gio(apart(TEST, "gio"), Says(1));
    assert_eq!(apart(TEST, "ours"), Says(1));
}
