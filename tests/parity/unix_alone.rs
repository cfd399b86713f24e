//! Descriptors and credentials in a process of its own, whose numbers and log nobody else has.

use std::{
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use super::{Says, differs_alone};
use crate::{
    support::*,
    under::*,
    unix::{connected, receive_credentials, receive_fd},
    unix_tools::{Parcel, option, send_by_hand, set_option},
};

/// Nothing that is expected of either class, and as often as it takes.
fn must(holds: bool, why: &str) {
    if !holds {
        panic!("{why}");
    }
}

/// How much of a processor a thread has used.
fn used_by(thread: libc::pthread_t) -> Duration {
    let mut clock = 0;
    // SAFETY: a thread that is there, and room for the answer.
    let failed = unsafe { libc::pthread_getcpuclockid(thread, &raw mut clock) };
    must(failed == 0, "no clock");
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: room for the answer.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) };
    must(failed == 0, "no time");
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn is_told_who_sends(socket: &impl AsRawFd) -> bool {
    let (mut value, mut len) = (-1_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: room for an integer.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PASSCRED,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    must(failed == 0, "no option");
    value != 0
}

/// From now on the number stands for what `file` does.
fn put(file: &impl AsRawFd, number: i32) {
    // SAFETY: two numbers; whoever has the second one keeps it.
    let put = unsafe { libc::dup2(file.as_raw_fd(), number) };
    must(put == number, "the number cannot be had");
}

/// UNIX-13: the wait is over, and GIO goes on to set the option back for as long as that fails.
#[test]
fn differs_f14_an_option_that_cannot_be_set_back_holds_nobody_up() {
    differs_alone(
        "unix_alone::differs_f14_an_option_that_cannot_be_set_back_holds_nobody_up",
        |side, _| {
            let (ours, _peer) = UnixStream::pair().expect("a pair");
            let kept = ours.try_clone().expect("a number more");
            let socket = gio::Socket::from_fd(OwnedFd::from(ours)).expect("a socket");
            let under = side.around(&socket);
            let (number, cancellable) = (socket.as_raw_fd(), Cancellable::new());
            let is_done = Arc::new(AtomicBool::new(false));
            // SAFETY: it cannot fail.
            let waiting = unsafe { libc::pthread_self() };
            let (cancel, done) = (cancellable.clone(), is_done.clone());
            let meddler = thread::spawn(move || {
                let is_gios = matches!(side, Side::Gio);
                let end = Instant::now() + LIMIT;
                while is_gios && !is_told_who_sends(&kept) && Instant::now() < end {
                    thread::yield_now();
                }
                put(&File::open("/dev/null").expect("a file"), number);
                let before = used_by(waiting);
                cancel.cancel();
                // It comes back, or does not come to rest.
                while !done.load(Ordering::Acquire)
                    && used_by(waiting) - before < Duration::from_millis(20)
                    && Instant::now() < end
                {
                    thread::yield_now();
                }
                put(&kept, number);
                kept
            });
            let received = receive_credentials(&under, Some(&cancellable));
            is_done.store(true, Ordering::Release);
            let kept = meddler.join().expect("no panic");
            assert_eq!(received, Err(IOErrorEnum::Cancelled));
            assert_eq!(option(&kept, libc::SO_PASSCRED), 0);
            // GLib says so of each error that is set over another one.
            match logged_so_far() {
                0 => 0,
                1 => 1,
                _ => 2,
            }
        },
        Says(2),
        Says(0),
    );
}

/// How many descriptors stand for this process.
fn standing_for_us() -> i32 {
    let us = format!("Pid:\t{}\n", std::process::id());
    let entries = std::fs::read_dir("/proc/self/fdinfo").expect("Linux");
    let infos = entries.flatten().filter_map(|entry| {
        // That of the directory itself is gone by now.
        std::fs::read_to_string(entry.path()).ok()
    });
    infos.filter(|info| info.contains(&us)).count() as i32
}

/// UNIX-17: what the kernel adds may be a descriptor.
#[test]
fn differs_f15_a_descriptor_that_nobody_asked_for_is_closed() {
    differs_alone(
        "unix_alone::differs_f15_a_descriptor_that_nobody_asked_for_is_closed",
        |side, _| {
            let (under, peer) = connected(side);
            // Linux from 6.5 on.
            set_option(&under.socket(), libc::SO_PASSPIDFD, 1);
            let parcel = Parcel::new();
            for _ in 0..3 {
                send_by_hand(&peer, b"\0", &[parcel.fd()], false);
                let received = receive_fd(&under, None).expect("sent");
                assert!(parcel.is(&received.expect("a descriptor")));
            }
            standing_for_us()
        },
        Says(3),
        Says(0),
    );
}
