//! Relays in a process whose limits and signals are not the usual ones, and what they have open.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports,
    unused_macros,
    reason = "the tools of other tests, of which this file needs a part"
)]
#![allow(unsafe_code, reason = "sets the limit, and what a signal does")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call and the conversion of what it returns, in those tools"
)]

mod support;

#[path = "streams/tools.rs"]
#[macro_use]
mod tools;

#[path = "halves/polling.rs"]
mod polling;

#[path = "relay/parties.rs"]
mod parties;

use std::{
    fs::File,
    io::Write,
    mem,
    net::Shutdown,
    ptr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gio::IOErrorEnum as E;
use gsock::prelude::*;
use parties::*;
use polling::*;
use support::*;

/// What is changed here is the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone(test: impl FnOnce(&glib::MainContext) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    on_private_context(test);
}

fn open_pipes() -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("a directory");
    entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|name| name.to_string_lossy().starts_with("pipe:"))
        .count()
}

/// While it lives, no descriptor can be opened.
struct Full {
    limit: libc::rlimit,
    _fillers: Vec<File>,
}

impl Full {
    fn now() -> Self {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: a place for the value.
        let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        assert_eq!(got, 0);
        let null = File::open("/dev/null").expect("a device");
        // No less than poll(2) is called with.
        let low = libc::rlimit {
            rlim_cur: 128,
            ..limit
        };
        // SAFETY: a live value.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const low) };
        assert_eq!(set, 0);
        let mut fillers = vec![null];
        while let Ok(filler) = fillers[0].try_clone() {
            fillers.push(filler);
        }
        Self {
            limit,
            _fillers: fillers,
        }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // SAFETY: a live value.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const self.limit) };
    }
}

/// Has a relay blocked in the middle of much, and answers how many pipes are open then. All comes through.
fn pipes_of_a_blocked_relay(
    context: &glib::MainContext,
    make: MakeEnd,
    while_blocked: impl FnOnce() -> Option<Full>,
) -> usize {
    let before = open_pipes();
    let ((a, peer_a), (b, peer_b)) = (make(), make());
    let relaying = start(context, &a, &b);
    let bytes = tools::payload(1_000_003, 31).repeat(24);
    let (end, sending) = (peer_b.try_clone(), peer_a.send(bytes.clone(), 32));
    let full = while_blocked();
    // A busy machine takes longer to send so much that a pipe pays.
    for _ in 0..100 {
        iterate_for(context, Duration::from_millis(50));
        if full.is_some() || open_pipes() > before {
            break;
        }
    }
    assert!(!relaying.is_finished());
    // What is open is read from a directory.
    drop(full);
    let pipes = open_pipes() - before;
    let receiving = peer_b.receive();
    end.shutdown(Shutdown::Write);
    let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
    assert_eq!(relayed, counts(bytes.len(), 0));
    sending.join().expect("it was read");
    assert!(receiving.join().expect("it ended") == bytes);
    assert_eq!(open_pipes(), before, "pipes are left open");
    pipes
}

#[test]
fn much_goes_by_way_of_a_pipe_that_is_closed_at_the_end() {
    alone(|context| {
        for make in [tcp as MakeEnd, tcp_bare, unix] {
            // For the one direction that has much to move.
            assert_eq!(pipes_of_a_blocked_relay(context, make, || None), 2);
        }
    });
}

#[test]
fn without_a_descriptor_left_for_a_pipe_bytes_are_copied() {
    alone(|context| {
        for make in [tcp as MakeEnd, unix] {
            let pipes = pipes_of_a_blocked_relay(context, make, || Some(Full::now()));
            assert_eq!(pipes, 0);
        }
    });
}

#[test]
fn who_sends_little_needs_no_pipe() {
    alone(|context| {
        let before = open_pipes();
        let ((a, mut peer_a), (b, peer_b)) = (tcp(), unix());
        let relaying = start(context, &a, &b);
        for size in [1, 1_000, 60_000] {
            peer_a.write_all(&vec![1; size]).expect("room");
            let mut buffer = vec![0; size];
            let mut receiver = peer_b.try_clone();
            let receiving = std::thread::spawn(move || {
                std::io::Read::read_exact(&mut receiver, &mut buffer).expect("it comes through");
            });
            iterate_until(context, || receiving.is_finished());
            receiving.join().expect("it comes through");
        }
        assert_eq!(open_pipes(), before);
        peer_a.shutdown(Shutdown::Write);
        peer_b.shutdown(Shutdown::Write);
        let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
        assert_eq!(relayed, counts(61_001, 0));
    });
}

/// What a signal does, put back at the end.
struct Disposition(libc::sigaction);

impl Disposition {
    fn default_of_sigpipe() -> Self {
        // SAFETY: all zero is the default action.
        let (action, mut before): (libc::sigaction, libc::sigaction) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        // SAFETY: live values.
        let set = unsafe { libc::sigaction(libc::SIGPIPE, &raw const action, &raw mut before) };
        assert_eq!(set, 0);
        Self(before)
    }
}

impl Drop for Disposition {
    fn drop(&mut self) {
        // SAFETY: a live value.
        unsafe { libc::sigaction(libc::SIGPIPE, &raw const self.0, ptr::null_mut()) };
    }
}

/// `splice(2)` cannot be told not to raise it, and what it does is the user's.
#[test]
fn a_peer_that_is_gone_raises_no_signal() {
    alone(|context| {
        for make in [tcp as MakeEnd, unix] {
            let ((a, mut peer_a), (b, peer_b)) = (make(), make());
            let relaying = start(context, &a, &b);
            peer_a.set_nonblocking();
            let bytes = vec![0; 1 << 20];
            // Until it goes by way of a pipe, which is blocked.
            for _ in 0..20 {
                let _ = peer_a.write(&bytes);
                iterate_for(context, Duration::from_millis(2));
            }
            assert!(open_pipes() >= 2 && !relaying.is_finished());
            let _disposition = Disposition::default_of_sigpipe();
            drop(peer_b);
            assert_fails(value_of(context.block_on(relaying)), E::BrokenPipe);
            assert!(b.last_error().is_some());
        }
    });
}
