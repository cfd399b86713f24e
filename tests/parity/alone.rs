//! Scenarios in a process of their own: what ends it, changes all of it, or counts its threads.

use std::{
    fs::File,
    os::{
        fd::AsRawFd,
        unix::{net::UnixStream, thread::JoinHandleExt},
    },
    ptr::null_mut,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{IntoGlib, ToGlibPtr, from_glib_full};
use gsock::{SocketConnection, prelude::*};

use crate::{
    apart::*,
    support::*,
    tools::*,
    under::*,
    unix::{start_receive_credentials, start_send_credentials},
    unix_tools::send_by_hand,
};

#[path = "client_alone.rs"]
mod client_alone;
#[path = "unix_alone.rs"]
mod unix_alone;

/// Runs one part of a test in another process, which is this very test again.
fn alone(test: &str, part: &str) -> Ended {
    apart(&format!("flaws::alone::{test}"), part)
}

/// Runs a scenario on each class, in a process of its own, and compares with what it is said to do.
#[track_caller]
fn differs_alone(
    test: &str,
    scenario: impl FnOnce(Side, &glib::MainContext) -> i32 + Send + 'static,
    gio: Ended,
    ours: Ended,
) {
    differs_apart(&format!("flaws::alone::{test}"), scenario, gio, ours);
}

/// Whether GLib's worker threads are there, which GTask makes for what has no asynchronous form.
fn has_worker() -> bool {
    std::fs::read_dir("/proc/self/task")
        .expect("Linux")
        .flatten()
        .any(|task| {
            // A thread may end meanwhile. Newer GLib has one that only starts workers, from the first task on.
            std::fs::read_to_string(task.path().join("comm"))
                .is_ok_and(|name| name.starts_with("pool") && name.trim_end() != "pool-spawner")
        })
}

/// ST-24, ST-39, ST-46: there is nothing to do, and a worker does it.
#[test]
fn differs_f21_closing_and_flushing_streams_needs_no_worker() {
    differs_alone(
        "differs_f21_closing_and_flushing_streams_needs_no_worker",
        |side, context| {
            let (under, _peer) = side.connected();
            let (flushed, read, written) = (Slot::new(), Slot::new(), Slot::new());
            let output = under.output();
            output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
            flushed.wait(context).unwrap();
            let after_flush = has_worker();
            let input = under.input();
            input.close_async(DEFAULT, Cancellable::NONE, read.put());
            read.wait(context).unwrap();
            output.close_async(DEFAULT, Cancellable::NONE, written.put());
            written.wait(context).unwrap();
            assert!(input.is_closed());
            assert!(output.is_closed());
            assert_eq!(under.start_close(None).wait(context), Done);
            i32::from(after_flush) + 2 * i32::from(has_worker())
        },
        Says(3),
        Says(0),
    );
}

/// UNIX-14: a worker waits for each peer.
#[test]
fn differs_f21_waiting_for_credentials_needs_no_worker() {
    differs_alone(
        "differs_f21_waiting_for_credentials_needs_no_worker",
        |side, context| {
            let (ours, peer) = UnixStream::pair().unwrap();
            let under = side.around(&gio::Socket::from_fd(ours.into()).unwrap());
            let waiting = start_receive_credentials(&under);
            settle(context, Duration::from_millis(50));
            let while_it_waits = has_worker();
            send_by_hand(&peer, b"\0", &[], true);
            waiting.wait(context).unwrap();
            start_send_credentials(&under).wait(context);
            i32::from(while_it_waits) + 2 * i32::from(has_worker())
        },
        Says(3),
        Says(0),
    );
}

/// F-18: the time that has passed is taken off anew at every signal.
#[test]
fn differs_f18_signals_do_not_shorten_a_wait() {
    extern "C" fn nothing(_: libc::c_int) {}
    differs_alone(
        "differs_f18_signals_do_not_shorten_a_wait",
        |side, _| {
            // SAFETY: all zero is a valid action, without SA_RESTART; the handler does nothing.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
                libc::sigaction(libc::SIGUSR1, &raw const action, null_mut());
            }
            let (under, _peer) = side.connected();
            under.socket().set_timeout(2);
            let begun = Instant::now();
            let reader = read_on_thread(&under.input(), 1, None);
            while !reader.is_finished() {
                thread::sleep(Duration::from_millis(50));
                // SAFETY: a thread that was not joined yet.
                unsafe { libc::pthread_kill(reader.as_pthread_t(), libc::SIGUSR1) };
            }
            assert_fails(reader.join().unwrap(), IOErrorEnum::TimedOut);
            i32::from(begun.elapsed() < Duration::from_millis(1900))
        },
        Says(1),
        Says(0),
    );
}

/// SC-24a: close(2) of a descriptor wakes nobody.
#[test]
fn differs_sc_24a_a_read_that_blocks_ends_when_another_connection_around_its_socket_is_closed() {
    differs_alone(
        "differs_sc_24a_a_read_that_blocks_ends_when_another_connection_around_its_socket_is_closed",
        |side, _| {
            let (under, _peer) = side.connected();
            let other = side.around(&under.socket());
            let reader = read_on_thread(&under.input(), 1, None);
            other.close(Cancellable::NONE).unwrap();
            assert_fails(reader.join().unwrap(), IOErrorEnum::Closed);
            1
        },
        Hangs,
        Says(1),
    );
}

/// SC-3.
#[test]
fn differs_sc_3_built_without_a_socket_it_is_closed_and_no_end_of_the_process() {
    differs_alone(
        "differs_sc_3_built_without_a_socket_it_is_closed_and_no_end_of_the_process",
        |side, _| {
            let type_ = match side {
                Side::Gio => gio::SocketConnection::static_type(),
                Side::Ours => SocketConnection::static_type(),
            };
            let built = glib::Object::with_type(type_);
            let stream = built.downcast::<gio::IOStream>().expect("a stream");
            i32::from(stream.is_closed())
        },
        Crashes,
        Says(1),
    );
}

/// SOCK-3: nothing but a `GSocket` sets it, and we need none around a bare descriptor.
#[test]
fn differs_f27_sigpipe_stays_as_the_process_has_it() {
    differs_alone(
        "differs_f27_sigpipe_stays_as_the_process_has_it",
        |side, _| {
            // SAFETY: Rust's own runtime ignores it; now it is as a program in C finds it.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let (peer, fd) = tcp_pair();
            let stream: gio::IOStream = match side {
                Side::Gio => gio::IOStream::clone(&side.around(&gio::Socket::from_fd(fd).unwrap())),
                Side::Ours => SocketConnection::factory_create_connection_from_fd(fd)
                    .unwrap()
                    .upcast(),
            };
            drop(peer);
            // A signal would end the process here.
            wait_until(|| match write(&stream.output_stream(), b"x") {
                Ok(_) => false,
                Err(failure) => code(&failure) == IOErrorEnum::BrokenPipe,
            });
            // SAFETY: all zero is a valid place for the answer.
            let now = unsafe {
                let mut now: libc::sigaction = std::mem::zeroed();
                libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut now);
                now
            };
            i32::from(now.sa_sigaction == libc::SIG_IGN)
        },
        Says(1),
        Says(0),
    );
}

/// Of ours: what a child does to the connection of its parent, who knows nothing of it.
#[test]
fn differs_after_a_fork_a_child_leaves_its_parents_connection_alone() {
    differs_alone(
        "differs_after_a_fork_a_child_leaves_its_parents_connection_alone",
        |side, _| {
            let (under, mut peer) = side.connected();
            let output = under.output();
            // SAFETY: the child does nothing but write, and end.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let says = match write(&output, b"child") {
                    Ok(_) => 1,
                    Err(failure) if failure.matches(IOErrorEnum::Failed) => 2,
                    Err(_) => 3,
                };
                // SAFETY: at once, so that nothing of the parent's is run.
                unsafe { libc::_exit(says) };
            }
            let mut status = 0;
            // SAFETY: our own child, and room for the answer.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(libc::WIFEXITED(status));
            assert_eq!(write(&output, b"parent").unwrap(), 6);
            under.close(Cancellable::NONE).unwrap();
            let expected: &[u8] = match side {
                Side::Gio => b"childparent",
                Side::Ours => b"parent",
            };
            assert_eq!(read_to_end(&mut peer), expected);
            libc::WEXITSTATUS(status)
        },
        Says(1),
        Says(2),
    );
}

/// ASYNC-16: FALSE, which says that it failed, and no error that says why.
#[test]
fn differs_async_16_a_wrong_result_is_an_error_and_no_critical() {
    differs_alone(
        "differs_async_16_a_wrong_result_is_an_error_and_no_critical",
        |side, _| {
            let task = unsafe {
                // SAFETY: a task of nobody's.
                gio::LocalTask::<bool>::new(None::<&glib::Object>, Cancellable::NONE, |_, _| {})
            };
            let wrong = task.upcast_ref::<gio::AsyncResult>();
            let failed = match side {
                Side::Gio => {
                    let connection = ipv4_socket().connection_factory_create_connection();
                    let mut failure = null_mut();
                    // SAFETY: live arguments, and a place for an error.
                    let finished = unsafe {
                        gio::ffi::g_socket_connection_connect_finish(
                            connection.to_glib_none().0,
                            wrong.to_glib_none().0,
                            &raw mut failure,
                        )
                    };
                    assert_eq!(finished, glib::ffi::GFALSE);
                    !failure.is_null()
                }
                Side::Ours => {
                    let connection = unconnected();
                    assert_fails(
                        connection.connect_finish(wrong),
                        IOErrorEnum::InvalidArgument,
                    );
                    true
                }
            };
            i32::from(failed) + 2 * logged_so_far()
        },
        Says(2),
        Says(1),
    );
}

/// ASYNC-16, GLib's own: nothing tells that it is running, and so it is asked for its outcome.
#[test]
fn async_16_a_running_task_without_a_tag_is_a_critical_of_glibs() {
    const TEST: &str = "async_16_a_running_task_without_a_tag_is_a_critical_of_glibs";
    run_if_asked(|part, _| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        let under = side.unconnected();
        // SAFETY: live arguments; nobody answers the task.
        let task: gio::AsyncResult = unsafe {
            let source: *mut gio::ffi::GIOStream = (*under).to_glib_none().0;
            let null = null_mut();
            let task = gio::ffi::g_task_new(source.cast(), null, None, null_mut());
            from_glib_full(task.cast::<gio::ffi::GAsyncResult>())
        };
        let failed = match side {
            Side::Gio => {
                let connection = under.downcast_ref::<gio::SocketConnection>().unwrap();
                // SAFETY: live arguments, and no place for an error.
                let finished = unsafe {
                    gio::ffi::g_socket_connection_connect_finish(
                        connection.to_glib_none().0,
                        task.to_glib_none().0,
                        null_mut(),
                    )
                };
                finished == glib::ffi::GFALSE
            }
            Side::Ours => {
                let connection = under.downcast_ref::<SocketConnection>().unwrap();
                connection.connect_finish(&task).is_err()
            }
        };
        i32::from(failed) + 2 * logged_so_far()
    });
    assert_gio(alone(TEST, "gio"), Says(3));
    assert_eq!(alone(TEST, "ours"), Says(3));
}

/// VER-8, in GLib's own entry around our slot: NULL is wrong even for nothing to write.
#[test]
fn ver_8_a_write_of_nothing_from_null_is_a_critical() {
    const TEST: &str = "ver_8_a_write_of_nothing_from_null_is_a_critical";
    run_if_asked(|part, _| {
        let side = if part == "gio" { Side::Gio } else { Side::Ours };
        let (under, _peer) = side.connected();
        // SAFETY: a live stream; no byte is asked for.
        let written = unsafe {
            gio::ffi::g_output_stream_write(
                under.output().to_glib_none().0,
                null_mut(),
                0,
                null_mut(),
                null_mut(),
            )
        };
        // The right way in Rust.
        assert_eq!(write(&under.output(), &[]).unwrap(), 0);
        i32::from(written < 0) + 2 * logged_so_far()
    });
    assert_gio(alone(TEST, "gio"), Says(2));
    assert_gio(alone(TEST, "ours"), Says(2));
}

/// SOCK-44: the number is free while a thread waits on it, and whoever gets it is read from next.
#[test]
fn gio_f19_a_close_gives_a_number_away_under_the_thread_that_waits_on_it() {
    const TEST: &str = "gio_f19_a_close_gives_a_number_away_under_the_thread_that_waits_on_it";
    run_if_asked(|_, _| {
        let (under, _peer) = Side::Gio.connected();
        let number = descriptor_of(&under.input());
        let reader = read_on_thread(&under.input(), 1, None);
        under.close(Cancellable::NONE).unwrap();
        // The lowest free number is given, which may be a lower one.
        let opened: Vec<_> = std::iter::repeat_with(|| File::open("/dev/null").unwrap())
            .take(64)
            .collect();
        let taken = opened.iter().any(|file| file.as_raw_fd() == number);
        i32::from(taken) + 2 * i32::from(reader.is_finished())
    });
    assert_gio(alone(TEST, "gio"), Says(1));
}

/// F-29: functions that do not look what they are given, each with nothing.
#[test]
fn gio_f29_entries_without_a_guard_crash() {
    const TEST: &str = "gio_f29_entries_without_a_guard_crash";
    run_if_asked(|part, _| {
        // No object at all: GTask takes NULL for one that has none.
        let wrong = std::ptr::dangling_mut();
        // SAFETY: none: that is what is tried.
        unsafe {
            match part {
                "is_connected" => {
                    gio::ffi::g_socket_connection_is_connected(null_mut());
                }
                "local_address" => {
                    gio::ffi::g_socket_connection_get_local_address(null_mut(), null_mut());
                }
                "remote_address" => {
                    gio::ffi::g_socket_connection_get_remote_address(null_mut(), null_mut());
                }
                "set_graceful" => gio::ffi::g_tcp_connection_set_graceful_disconnect(null_mut(), 1),
                "graceful" => {
                    gio::ffi::g_tcp_connection_get_graceful_disconnect(null_mut());
                }
                "splice" => gio::ffi::g_io_stream_splice_async(
                    null_mut(),
                    null_mut(),
                    0,
                    DEFAULT.into_glib(),
                    null_mut(),
                    None,
                    null_mut(),
                ),
                "send_credentials" => gio::ffi::g_unix_connection_send_credentials_async(
                    wrong,
                    null_mut(),
                    None,
                    null_mut(),
                ),
                "receive_credentials" => gio::ffi::g_unix_connection_receive_credentials_async(
                    wrong,
                    null_mut(),
                    None,
                    null_mut(),
                ),
                // One that has a guard.
                _ => assert!(gio::ffi::g_socket_connection_get_socket(null_mut()).is_null()),
            }
        }
        0
    });
    for part in [
        "is_connected",
        "local_address",
        "remote_address",
        "set_graceful",
        "graceful",
        "splice",
        "send_credentials",
        "receive_credentials",
    ] {
        assert_gio((part, alone(TEST, part)), (part, Crashes));
    }
    assert_eq!(alone(TEST, "socket"), Says(0));
}
