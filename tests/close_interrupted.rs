//! A `close(2)` that says it was interrupted has closed all the same, and whoever tries again
//! closes a stranger's file. The one test of this file: its `close` comes before the C library's.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "defines a function of the C library's, and asks about descriptors"
)]

mod support;

use std::{
    ffi::c_int,
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
    sync::atomic::{AtomicI32, Ordering},
};

use gio::{Cancellable, prelude::*};
use gsock::SocketConnection;

use crate::support::*;

/// The descriptor whose close says that it failed, or -1.
static NUMBER: AtomicI32 = AtomicI32::new(-1);
/// With which error.
static ERRNO: AtomicI32 = AtomicI32::new(0);
/// What takes the number the moment that it is free.
static STRANGER: AtomicI32 = AtomicI32::new(-1);

/// The linker has every library of the process call this one.
#[unsafe(no_mangle)]
extern "C" fn close(fd: c_int) -> c_int {
    // SAFETY: what the C library's does; whether the number is open is for the kernel to say.
    let closed = unsafe { libc::syscall(libc::SYS_close, fd) };
    let fails = fd >= 0
        && NUMBER
            .compare_exchange(fd, -1, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
    if !fails {
        return if closed == 0 { 0 } else { -1 };
    }
    let stranger = STRANGER.load(Ordering::SeqCst);
    // SAFETY: an open descriptor.
    unsafe { libc::fcntl(stranger, libc::F_DUPFD_CLOEXEC, fd) };
    // SAFETY: a function without arguments.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: this thread's own.
    unsafe { *errno = ERRNO.load(Ordering::SeqCst) };
    -1
}

/// Closes and drops what is made around a connected descriptor. Whether the file is still open that
/// got the descriptor's number meanwhile.
fn stranger_survives(errno: c_int, make: fn(OwnedFd) -> gio::IOStream) -> bool {
    let stranger = File::open("/dev/null").expect("there is one");
    let (_peer, fd) = tcp_pair();
    let number = fd.as_raw_fd();
    let stream = make(fd);
    STRANGER.store(stranger.as_raw_fd(), Ordering::SeqCst);
    ERRNO.store(errno, Ordering::SeqCst);
    NUMBER.store(number, Ordering::SeqCst);
    let _ = stream.close(Cancellable::NONE);
    drop(stream);
    assert_eq!(NUMBER.load(Ordering::SeqCst), -1, "not closed at all");
    // SAFETY: asks whether the number is open.
    let survives = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    if survives {
        // SAFETY: nobody else owns it.
        assert_eq!(unsafe { libc::close(number) }, 0);
    }
    survives
}

fn gio_around_a_socket(fd: OwnedFd) -> gio::IOStream {
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    socket.connection_factory_create_connection().upcast()
}

fn ours_around_a_socket(fd: OwnedFd) -> gio::IOStream {
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    SocketConnection::factory_create_connection(&socket).upcast()
}

fn ours_around_a_descriptor(fd: OwnedFd) -> gio::IOStream {
    let connection = SocketConnection::factory_create_connection_from_fd(fd);
    connection.expect("a socket").upcast()
}

/// F-20: `GSocket` tries again when it was interrupted, and at its end after any other error. A
/// connection around a bare descriptor does neither.
#[test]
fn a_close_that_fails_is_not_tried_again_where_there_is_no_gsocket() {
    on_private_context(|_| {
        for errno in [libc::EINTR, libc::EIO] {
            // What a GSocket does, as seen on GLib 2.74: a newer one may have mended it.
            for make in [gio_around_a_socket, ours_around_a_socket] {
                let survives = stranger_survives(errno, make);
                if glib::check_version(2, 75, 0).is_some() {
                    assert!(!survives, "errno {errno}");
                }
            }
            assert!(
                stranger_survives(errno, ours_around_a_descriptor),
                "errno {errno}"
            );
        }
    });
}
